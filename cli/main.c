/* main.c - the kdsl command: finds the command that was asked for. */
#include "cli/cli.h"


const kd_command kd_commands[] = {
    {"opt", "FILE.kir --passes=a,b,c", "run passes over IR text",
     "Reads IR text ('-' for standard input), runs passes over it and prints the result. For people who work on passes.\n"
     "\n"
     "example:\n"
     "  kdsl compile examples/vector_add.py --signature '*fp32, *fp32, *fp32, i32, 1024' --emit kd | kdsl opt - --passes=canonicalize,cse\n",
     kd_cli_opt},
    {"help", "[COMMAND]", "show this, or the help of a command",
     "example:\n"
     "  kdsl help run\n",
     kd_cli_help},
};
const unsigned kd_n_commands = sizeof kd_commands / sizeof *kd_commands;

static const kd_command *find_command(const char *name)
{
    for (unsigned i = 0; i < kd_n_commands; i++)
        if (strcmp(kd_commands[i].name, name) == 0)
            return &kd_commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[32];
    for (unsigned i = 0; i < kd_n_commands; i++)
        names[i] = kd_commands[i].name;
    const char *near = kd_cli_nearest(name, names, kd_n_commands);
    if (near)
        kd_cli_error("unknown command '%s'; did you mean '%s'?", name, near);
    else
        kd_cli_error("unknown command '%s'", name);
    kd_cli_note("'kdsl help' lists the commands");
    return KD_EXIT_USAGE;
}

static void show_overview(FILE *out)
{
    fputs("usage: kdsl COMMAND ...\n\nCompiles and runs Triton kernels, without Python.\n\n", out);
    for (unsigned i = 0; i < kd_n_commands; i++)
        fprintf(out, "  %-10s %s\n", kd_commands[i].name, kd_commands[i].summary);
    fputs("\n'kdsl COMMAND --help' tells what a command takes, with an example.\n"
          "exit status: 0 good, 1 the kernel is wrong, 2 the command line is wrong, 3 a file, device or memory failed, 4 --expect differs\n",
          out);
}

int kd_cli_help(const kd_command *command, int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        show_overview(stdout);
        return KD_EXIT_OK;
    }
    const kd_command *about = find_command(argv[1]);
    if (!about)
        return unknown_command(argv[1]);
    static char help_word[] = "--help";
    char *words[] = {argv[1], help_word, NULL};
    return about == command ? kd_cli_help(command, 1, argv) : about->main(about, 2, words);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        show_overview(stderr);
        return KD_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    const kd_command *command = find_command(name);
    if (!command)
        return unknown_command(name);
    int status = command->main(command, argc - 1, argv + 1);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk behind a redirection must not pass for success */
        kd_cli_error("cannot write to standard output");
        return KD_EXIT_WORLD;
    }
    return status;
}
