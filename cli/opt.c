/* opt.c - kdsl opt: reads IR text, runs passes over it and writes what they leave. */
#include "cli/opt.h"
#include "base/file.h"
#include "ir/text.h"
#include "passes/pass.h"

#include <stdlib.h>
#include <unistd.h>

enum { GOOD = 0, WRONG_IR = 1, WRONG_COMMAND = 2, WORLD_FAILED = 3, MAX_FILE_BYTES = 1 << 30 };

static const char USAGE[] =
    "usage: kdsl opt FILE.kir [--passes=a,b,c] [-o OUT]\n"
    "\n"
    "Reads IR text (- is the standard input), checks it, runs passes over it and writes the result as text.\n"
    "\n"
    "  --passes=a,b,c      the passes to run; 'default' stands for those that every target runs first\n"
    "  --verify            only check the text, write nothing\n"
    "  --print-after=PASS  the IR after a pass, or after 'all' passes, on the standard error output\n"
    "  --print-changed     the IR after each pass that changed it\n"
    "  --stop-after=PASS   the last pass to run\n"
    "  --time-passes       how long each pass took\n"
    "  --max-ops=N         how many operations inlining and unrolling may make (default 500000)\n"
    "  --list-passes       the passes there are\n"
    "  -o OUT              write to a file\n"
    "\n"
    "example: kdsl opt kernel.kir --passes=inline,canonicalize,dce\n";

typedef struct options {
    const char *path, *out, *passes;
    bool verify_only;
    kd_pipeline_options pipeline;
} options;

static const char *value_of(const char *arg, const char *name)
{
    size_t n = strlen(name);
    return strncmp(arg, name, n) == 0 && arg[n] == '=' ? arg + n + 1 : NULL;
}

static int wrong_command(const char *format, const char *what)
{
    fputs("kdsl opt: ", stderr);
    fprintf(stderr, format, what);
    fputs("; 'kdsl opt --help' tells how to use it\n", stderr);
    return WRONG_COMMAND;
}

static bool parse_count(const char *text, unsigned *out)
{
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);
    *out = (unsigned)n;
    return *text >= '0' && *text <= '9' && !*end && n > 0 && n <= 100000000;
}

static void list_passes(void)
{
    for (unsigned i = 0; i < kd_n_passes; i++) {
        int width = 0;
        for (const char *c = kd_pass_infos[i].name; *c; c++, width++)
            putchar(*c == '_' ? '-' : *c);
        printf("%*s%s\n", width < 22 ? 22 - width : 1, "", kd_pass_infos[i].summary);
    }
}

/* Returns a status to exit with, or -1 to go on. */
static int parse_arg(options *o, int argc, char **argv, int *i)
{
    const char *arg = argv[*i], *value = NULL;
    if ((value = value_of(arg, "--passes")))
        o->passes = value;
    else if ((value = value_of(arg, "--print-after")))
        o->pipeline.print_after = value;
    else if ((value = value_of(arg, "--stop-after")))
        o->pipeline.stop_after = value;
    else if (strcmp(arg, "--print-changed") == 0)
        o->pipeline.print_changed = true;
    else if (strcmp(arg, "--time-passes") == 0)
        o->pipeline.time_passes = true;
    else if (strcmp(arg, "--verify") == 0)
        o->verify_only = true;
    else if ((value = value_of(arg, "--max-ops"))) {
        if (!parse_count(value, &o->pipeline.max_ops))
            return wrong_command("'--max-ops' needs a number from 1 to 100000000, but was given '%s'", value);
    } else if (strcmp(arg, "-o") == 0) {
        if (++*i == argc)
            return wrong_command("'%s' needs a file name", arg);
        o->out = argv[*i];
    } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        fputs(USAGE, stdout);
        return GOOD;
    } else if (strcmp(arg, "--list-passes") == 0) {
        list_passes();
        return GOOD;
    } else if (arg[0] == '-' && arg[1]) {
        return wrong_command("there is no option '%s'", arg);
    } else if (o->path) {
        return wrong_command("one file at a time, but '%s' is a second one", arg);
    } else {
        o->path = arg;
    }
    return -1;
}

static int report_failure(const kd_failure *why)
{
    fprintf(stderr, "kdsl opt: %s\n", why->text);
    return WORLD_FAILED;
}

static int write_text(const options *o, const kd_strbuf *text)
{
    kd_str part = {kd_strbuf_text(text), text->len};
    if (!o->out) {
        if (fwrite(part.ptr, 1, part.len, stdout) != part.len || fflush(stdout) != 0) {
            fputs("kdsl opt: cannot write to the standard output\n", stderr);
            return WORLD_FAILED;
        }
        return GOOD;
    }
    kd_failure why = {0};
    return kd_file_write(&(kd_file_write_args){.path = o->out, .parts = &part, .n_parts = 1}, &why) ? report_failure(&why) : GOOD;
}

static int run(options *o, kd_arena *arena, kd_diags *diags, kd_str text)
{
    kd_context *ctx = kd_context_create(arena);
    kd_module *module = kd_parse_ir(ctx, arena, diags, kd_source_add(diags, strcmp(o->path, "-") == 0 ? "<stdin>" : o->path, text));
    if (!module)
        return WRONG_IR;
    kd_strbuf log = kd_strbuf_in(arena), out = kd_strbuf_in(arena);
    kd_failure why = {0};
    o->pipeline.log = &log;
    o->pipeline.verify = !o->pipeline.time_passes; /* checking takes longer than the passes */
    kd_status status = kd_pipeline_run(module, o->passes ? o->passes : "", &o->pipeline, diags, &why);
    fputs(kd_strbuf_text(&log), stderr);
    if (status == KD_ERR_ARGUMENT)
        return wrong_command("%s", why.text);
    if (status == KD_ERR_REPORTED)
        return WRONG_IR;
    if (status)
        return report_failure(&(kd_failure){"memory ran out"});
    if (o->verify_only)
        return GOOD;
    kd_print_module(module, &out);
    return write_text(o, &out);
}

static void on_exhausted(void *user)
{
    fputs("kdsl opt: memory ran out\n", stderr);
    exit(WORLD_FAILED);
}

int kd_cli_opt(int argc, char **argv)
{
    options o = {0};
    for (int i = 1; i < argc; i++) {
        int status = parse_arg(&o, argc, argv, &i);
        if (status >= 0)
            return status;
    }
    if (!o.path)
        return wrong_command("%s", "which file should be read?");
    char *data = NULL;
    size_t n_bytes = 0;
    kd_failure why = {0};
    if (kd_file_read(strcmp(o.path, "-") == 0 ? "/dev/stdin" : o.path, MAX_FILE_BYTES, &data, &n_bytes, &why))
        return report_failure(&why);
    kd_budget budget = {.on_exhausted = on_exhausted};
    kd_arena *arena = kd_arena_create(&budget);
    kd_diags *diags = kd_diags_create(arena);
    int status = run(&o, arena, diags, (kd_str){data, n_bytes});
    kd_diags_print(diags, stderr, isatty(STDERR_FILENO));
    kd_arena_destroy(arena);
    free(data);
    return status;
}
