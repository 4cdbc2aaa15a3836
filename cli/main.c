/* main.c - the kdsl command: finds the command that was asked for. */
#include "cli/cli.h"

#include <signal.h>

const kd_command kd_commands[] = {
    {"run", "FILE[:KERNEL] [NAME=VALUE ...] --grid G", "compile a kernel and run it on arrays",
     "Compiles a kernel for this machine and runs it. Each parameter gets a value: an array\n"
     "  x=@x.npy              from a file (@x.npy:bf16 reads the elements as another type of their width)\n"
     "  x=zeros:f32[64,32]    also ones, empty, arange, rand, randn, randint(lo,hi); randn(seed=1):f32[8] is repeatable\n"
     "or an expression in Python's spelling over the other arguments\n"
     "  n=x.numel  M=x.shape[0]  sx=x.stride(0)  BLOCK=next_power_of_2(n)  act='relu'  bias=None  ty=tl.float16  n=96:i64\n"
     "  fn=relu               a jit function of the file\n"
     "  y=x                   the same array; t=(x, 3, 1.5) is a tuple\n"
     "A name that is no parameter is a value for the others to use. The grid is an expression too: --grid 'cdiv(n, BLOCK), 2'.\n"
     "\n"
     "example:\n"
     "  kdsl run softmax.py:softmax_kernel x=randn:f32[96,781] out=empty:f32[96,781] n=781 \\\n"
     "      sx='x.stride(0)' so='out.stride(0)' BLOCK='next_power_of_2(n)' --grid 96 --print out --time\n",
     kd_cli_run},
    {"compile", "FILE[:KERNEL] --signature SIG [--emit WHAT] [-o OUT]", "compile a kernel to an object, assembly or IR",
     "Compiles one kernel ahead of time. --emit obj also writes a C header beside the object: prototype, argument struct and a\n"
     "launch loop; the two need no kdsl at run time. WHAT is one of ast kd cpu llvm asm obj header, and\n"
     "for a GPU (--target spirv:bmg) gpu layouts layouts-svg simt llvm spirv spirv-asm header: its object is SPIR-V.\n"
     "SIG gives each parameter a type or a compile-time value, by position or by name:\n"
     "  \"*fp32:16, *fp32:16, i32, 1024\"        \"x=*fp32:16, n=i32:16, BLOCK=1024, act='relu'\"\n"
     "where :16 promises that the value, or the address, is a multiple of 16.\n"
     "\n"
     "example:\n"
     "  kdsl compile softmax.py:softmax_kernel --signature 'x=*fp32, out=*fp32, n=i32, sx=i32, so=i32, BLOCK=1024' -o softmax.o\n",
     kd_cli_compile},
    {"check", "FILE ...", "find what is wrong with kernels, without a signature",
     "Reports what is wrong with the kernels of the files, as far as that can be told without a signature: syntax, names that mean\n"
     "nothing, arguments that do not fit what is called. What may never be compiled (it stands under a compile-time 'if'), or may be\n"
     "all right elsewhere (a module that is not found), is a warning, and leaves the exit status 0.\n"
     "\n"
     "example:\n"
     "  kdsl check kernels/*.py\n",
     kd_cli_check},
    {"list", "FILE ...", "show the kernels of a file and their parameters",
     "Shows the kernels of the files with their parameters, defaults and literal triton.Config lists. Kernels are jit functions that\n"
     "return no value and that no other function of the file calls; the others are helpers.\n"
     "\n"
     "example:\n"
     "  kdsl list examples/matmul.py\n",
     kd_cli_list},
    {"opt", "FILE.kir --passes=a,b,c", "run passes over IR text",
     "Reads IR text ('-' for standard input), runs passes over it and prints the result. For people who work on passes.\n"
     "\n"
     "example:\n"
     "  kdsl compile examples/vector_add.py --signature '*fp32, *fp32, *fp32, i32, 1024' --emit kd | kdsl opt - --passes=canonicalize,cse\n",
     kd_cli_opt},
    {"graph", "run|compile|explain|source|text FILE [--in NAME=VALUE ...]", "compile and run an operator graph",
     "FILE is a program of torch.export.save (.pt2), a graph in the kg format (docs/kg.md), or what 'kdsl graph compile' wrote (.kx).\n"
     "  run      compile it and run it on arrays; its pointwise and reduction work becomes fused kernels in our own language\n"
     "  compile  write an executable (-o FILE.kx) that starts at once; --embed-weights: it needs no other file\n"
     "  explain  show the steps: which nodes each covers, and what it reads and writes; with all inputs or --time also how long each takes;\n"
     "           with --nodes what became of each node; with --html as a page\n"
     "  source   show the kernels that were written for it, or write them to a folder (-o), for 'kdsl run' and for people\n"
     "  text     show the graph\n"
     "A model with variable shapes is compiled for those of --in.\n"
     "Inputs and outputs have the names that 'text' shows; x and y stand for the only one, x0, x1 ... and y0, y1 ... for one by number.\n"
     "\n"
     "examples:\n"
     "  kdsl graph run resnet50.pt2 --in x=@x.npy --save y=y.npy --time\n"
     "  kdsl graph explain resnet50.pt2 --time --html report.html\n"
     "  kdsl graph compile resnet50.pt2 -o resnet50.kx --embed-weights\n",
     kd_cli_graph},
    {"devices", "", "show the devices that kernels can run on",
     "Shows the devices of this machine that --device may name.\n"
     "\n"
     "example:\n"
     "  kdsl devices --json\n",
     kd_cli_devices},
    {"cache", "[list | clear | path]", "show or empty the cache of compiled kernels",
     "Compiled kernels are kept in $KDSL_CACHE_DIR, or else in kdsl/ of the user's cache folder.\n"
     "Executables of models are kept beside them; 'clear' removes them too.\n"
     "\n"
     "example:\n"
     "  kdsl cache clear\n",
     kd_cli_cache},
    {"version", "", "show the version and what kdsl was built with",
     "Shows the version, the LLVM behind it, and the target that 'cpu' stands for on this machine.\n"
     "\n"
     "example:\n"
     "  kdsl version --json\n",
     kd_cli_version},
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
    signal(SIGXFSZ, SIG_IGN); /* a file beyond the limit is an error of the write, with a sentence, not a death */
    if (argc < 2) {
        show_overview(stderr);
        return KD_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0)
        name = "version";
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
