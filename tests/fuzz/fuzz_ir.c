/* Any bytes as IR text. What reads without errors prints the same again, and goes through every pass: each is checked to leave IR that is
 * well-formed, that changed if it says so, and that reads again. */
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

#include "ir/text.h"
#include "passes/gpu_config.h"
#include "passes/pass.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static const struct {
    const char *passes, *device;
    unsigned sub_group_size;
} PIPELINES[] = {
    {"default,print-axis-info,print-arg-effects"},
    {"canonicalize"},
    {"cse"},
    {"dce"},
    {"licm"},
    {"unroll"},
    {"inline,lower-block-access,dce,cse,canonicalize,licm,unroll,dce,default"},
    {"default,gpu", "pvc", 16},
    {"default,gpu", "dg2", 8},
    {"default,gpu", "tgl", 32},
};

static void on_exhausted(void *user)
{
    longjmp(*(jmp_buf *)user, 1);
}

static kd_module *parse(kd_arena *arena, kd_str text, kd_diags *diags)
{
    return kd_parse_ir(kd_context_create(arena), arena, diags, kd_source_add(diags, "text", text));
}

static kd_str print(kd_arena *arena, const kd_module *module)
{
    kd_strbuf out = kd_strbuf_in(arena);
    kd_print_module(module, &out);
    return (kd_str){kd_strbuf_text(&out), out.len};
}

static void check_reads_again(kd_arena *arena, const kd_module *module)
{
    kd_diags *diags = kd_diags_create(arena);
    kd_str printed = print(arena, module);
    kd_module *again = parse(arena, printed, diags);
    if (!again || !kd_str_equal(printed, print(arena, again)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    jmp_buf out_of_memory;
    kd_budget budget = {.limit_bytes = 400u << 20, .on_exhausted = on_exhausted, .user = &out_of_memory};
    kd_arena *arena = kd_arena_create(&budget), *scratch = kd_arena_create(&budget);
    kd_str text = {(const char *)data, n_bytes};
    if (setjmp(out_of_memory) == 0)
        for (unsigned i = 0; i < sizeof PIPELINES / sizeof *PIPELINES; i++) {
            kd_diags *diags = kd_diags_create(arena);
            kd_module *module = parse(arena, text, diags);
            if (!module != (kd_diags_n_errors(diags) > 0))
                abort();
            if (!module) {
                kd_diags_text(diags, arena);
                break;
            }
            if (i == 0)
                check_reads_again(arena, module);
            kd_strbuf log = kd_strbuf_in(arena);
            kd_gpu_config gpu = {.sub_group_size = PIPELINES[i].sub_group_size, .n_sub_groups = 4, .num_stages = 2};
            kd_pipeline_options options = {.verify = true, .max_ops = 5000, .log = &log, .scratch = scratch};
            if (PIPELINES[i].device) {
                gpu.device = kd_gpu_device_find(PIPELINES[i].device);
                options.gpu = &gpu;
            }
            kd_status status = kd_pipeline_run(module, PIPELINES[i].passes, &options, diags, NULL);
            if (status != KD_OK && status != KD_ERR_REPORTED && status != KD_ERR_MEMORY)
                abort();
            if (status == KD_OK)
                check_reads_again(arena, module);
        }
    kd_arena_destroy(scratch);
    kd_arena_destroy(arena);
    return 0;
}
