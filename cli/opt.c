/* opt.c - kdsl opt: reads IR text, runs passes over it and writes what they leave. */
#include "base/file.h"
#include "cli/cli.h"
#include "dsl/codegen_open.h"
#include "ir/text.h"
#include "passes/gpu_config.h"
#include "passes/pass.h"

#include <stdlib.h>

enum { MAX_FILE_BYTES = 1 << 30 };

typedef struct options {
    const char *path, *out, *passes;
    bool verify_only, list_passes;
    long max_ops, num_warps, num_stages, sub_group_size;
    const char *target; /* "spirv:bmg": for passes of the gpu level */
    kd_gpu_config gpu;
    kd_pipeline_options pipeline;
} options;

static void add_passes(kd_table *table, kd_arena *arena, const kd_pass_info *infos, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char *name = kd_arena_strdup(arena, infos[i].name);
        for (char *c = name; *c; c++)
            *c = *c == '_' ? '-' : *c;
        kd_table_row(table, (const char *[]){name, infos[i].summary});
    }
}

/* With a --target also its own. */
static void list_passes(const options *o, kd_arena *arena)
{
    const char *headings[] = {"pass", "what it does"};
    kd_table *table = kd_table_create(arena, headings, 2);
    add_passes(table, arena, kd_pass_infos, kd_n_passes);
    add_passes(table, arena, o->pipeline.more_passes, o->pipeline.n_more_passes);
    kd_table_print(table, stdout);
}

static int write_text(const options *o, const kd_strbuf *text)
{
    kd_str part = {kd_strbuf_text(text), text->len};
    kd_failure why = {0};
    if (!o->out)
        fwrite(part.ptr, 1, part.len, stdout);
    else if (kd_file_write(&(kd_file_write_args){.path = o->out, .parts = &part, .n_parts = 1}, &why) != KD_OK) {
        kd_cli_error("%s", why.text);
        return KD_EXIT_WORLD;
    }
    return KD_EXIT_OK;
}

static int run(options *o, kd_arena *arena, kd_diags *diags, kd_str text)
{
    kd_context *ctx = kd_context_create(arena);
    kd_module *module = kd_parse_ir(ctx, arena, diags, kd_source_add(diags, strcmp(o->path, "-") == 0 ? "<stdin>" : o->path, text));
    if (!module)
        return KD_EXIT_KERNEL;
    kd_strbuf log = kd_strbuf_in(arena), out = kd_strbuf_in(arena);
    kd_failure why = {0};
    o->pipeline.log = &log;
    o->pipeline.verify = !o->pipeline.time_passes; /* checking takes longer than the passes */
    kd_status status = kd_pipeline_run(module, o->passes ? o->passes : "", &o->pipeline, diags, &why);
    fputs(kd_strbuf_text(&log), stderr);
    if (status == KD_ERR_ARGUMENT || status == KD_ERR_MEMORY)
        kd_cli_error("%s", status == KD_ERR_MEMORY ? "out of memory" : why.text);
    if (status != KD_OK)
        return kd_cli_exit_of(status);
    if (o->verify_only)
        return KD_EXIT_OK;
    kd_print_module(module, &out);
    return write_text(o, &out);
}

static int read_and_run(options *o, kd_arena *arena)
{
    char *data = NULL;
    size_t n_bytes = 0;
    kd_failure why = {0};
    if (kd_file_read(strcmp(o->path, "-") == 0 ? "/dev/stdin" : o->path, MAX_FILE_BYTES, &data, &n_bytes, &why) != KD_OK) {
        kd_cli_error("%s", why.text);
        return KD_EXIT_WORLD;
    }
    kd_diags *diags = kd_diags_create(arena);
    int status = run(o, arena, diags, (kd_str){data, n_bytes});
    kd_diags_print(diags, stderr, kd_cli_color(stderr));
    free(data);
    return status;
}

/* Fills what passes of the gpu level ask for, and finds the target's own passes. */
static bool find_gpu(options *o)
{
    if (!o->target)
        return true;
    const kd_gpu_device *device = kd_gpu_device_find(strncmp(o->target, "spirv:", 6) == 0 ? o->target + 6 : "");
    if (!device) {
        kd_cli_error("passes know no target '%s'; expected spirv:NAME, as in spirv:bmg", o->target);
        return false;
    }
    if (kd_cli_check_work_group(o->target, o->num_warps, o->sub_group_size))
        return false;
    unsigned size = o->sub_group_size ? (unsigned)o->sub_group_size : device->sub_group_sizes & 32 ? 32 : 16;
    unsigned n = o->num_warps ? (unsigned)o->num_warps : 4;
    kd_failure why = {0};
    const kd_codegen *codegen = kd_codegen_open(&why);
    if (!codegen) {
        kd_cli_error("%s", why.text);
        return false;
    }
    o->pipeline.more_passes = codegen->passes;
    o->pipeline.n_more_passes = codegen->n_passes;
    o->gpu = (kd_gpu_config){device, size, n, o->num_stages ? (unsigned)o->num_stages : 3};
    o->pipeline.gpu = &o->gpu;
    return true;
}

int kd_cli_opt(const kd_command *command, int argc, char **argv)
{
    options o = {0};
    const kd_option table[] = {
        {"--passes", KD_OPTION_TEXT, &o.passes, "A,B,C",
         "the passes to run; 'default' stands for those that every target runs first, 'gpu' for those that give tiles layouts", 0,
         0},
        {"--verify", KD_OPTION_FLAG, &o.verify_only, NULL, "only check the text, write nothing", 0, 0},
        {"--print-after", KD_OPTION_TEXT, &o.pipeline.print_after, "PASS", "the IR after a pass, or after 'all', on standard error",
         0, 0},
        {"--print-changed", KD_OPTION_FLAG, &o.pipeline.print_changed, NULL, "the IR after each pass that changed it", 0, 0},
        {"--stop-after", KD_OPTION_TEXT, &o.pipeline.stop_after, "PASS", "the last pass to run", 0, 0},
        {"--time-passes", KD_OPTION_FLAG, &o.pipeline.time_passes, NULL, "how long each pass took", 0, 0},
        {"--max-ops", KD_OPTION_NUMBER, &o.max_ops, "N", "how many operations inlining and unrolling may make (500000)", 1, 1e8},
        {"--target", KD_OPTION_TEXT, &o.target, "spirv:NAME", "the GPU that passes of the gpu level make code for", 0, 0},
        {"--num-warps", KD_OPTION_NUMBER, &o.num_warps, "N", "its sub-groups in a work-group (4)", 1, 64},
        {"--num-stages", KD_OPTION_NUMBER, &o.num_stages, "N", "its prefetch distance (3)", 1, 16},
        {"--sub-group-size", KD_OPTION_NUMBER, &o.sub_group_size, "N", "8, 16 or 32 (the largest it has)", 8, 32},
        {"--list-passes", KD_OPTION_FLAG, &o.list_passes, NULL, "the passes there are, with --target also its own", 0, 0},
        {"--out-path -o", KD_OPTION_TEXT, &o.out, "FILE", "where the text goes (standard output)", 0, 0},
    };
    kd_arena *arena = kd_cli_arena_create();
    kd_text_list words = {0};
    int status = kd_options_parse(command, table, sizeof table / sizeof *table, argc, argv, arena, &words);
    o.pipeline.max_ops = (unsigned)o.max_ops;
    if (status < 0 && o.list_passes) {
        status = find_gpu(&o) ? KD_EXIT_OK : KD_EXIT_USAGE;
        if (status == KD_EXIT_OK)
            list_passes(&o, arena);
    } else if (status < 0 && words.n != 1) {
        kd_cli_error(words.n ? "one file at a time, but '%s' is a second one"
                             : "which file? Expected FILE.kir, or - for standard input",
                     words.n ? words.data[1] : "");
        status = KD_EXIT_USAGE;
    } else if (status < 0 && !find_gpu(&o)) {
        status = KD_EXIT_USAGE;
    } else if (status < 0) {
        o.path = words.data[0];
        status = read_and_run(&o, arena);
    }
    kd_arena_destroy(arena);
    return status;
}
