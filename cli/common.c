/* common.c - what the commands that take a kernel file share. */
#include "cli/common.h"

#include "base/gpu_device.h"

#include <stdio.h>
#include <stdlib.h>

void kd_common_options_rows(kd_common_options *common, kd_option *out)
{
    *common = (kd_common_options){.opt_level = 3, .config = -1};
    const kd_option rows[KD_N_COMMON_OPTIONS] = {
        {"-I", KD_OPTION_LIST, &common->include_dirs, "DIR", "where imports are looked for, beside the file's own folder", 0, 0},
        {"--num-warps -w", KD_OPTION_NUMBER, &common->num_warps, "N", "sub-groups of a GPU's work-group; the CPU does not care", 1, 64},
        {"--num-stages -ns", KD_OPTION_NUMBER, &common->num_stages, "N", "as in Triton; the CPU does not care", 1, 64},
        {"--config", KD_OPTION_NUMBER, &common->config, "N", "take the values of the N-th triton.Config in the file, from 0", 0, 9999},
        {"-O", KD_OPTION_NUMBER, &common->opt_level, "N", "optimize: 0 to 3 (3)", 0, 3},
        {"--no-cache", KD_OPTION_FLAG, &common->no_cache, NULL, "compile even where a compiled kernel is in the cache", 0, 0},
        {"--debug", KD_OPTION_FLAG, &common->debug, NULL, "assert and tl.device_assert check, as with TRITON_DEBUG=1", 0, 0},
        {"--no-fusion", KD_OPTION_FLAG, &common->no_fusion, NULL, "a loop for each tile operation: slow, for tracking down differences", 0, 0},
        {"--print-after", KD_OPTION_TEXT, &common->print_after, "PASS", "show the IR after a pass, or after 'all'", 0, 0},
        {"--time-passes", KD_OPTION_FLAG, &common->time_passes, NULL, "show how long each pass took", 0, 0},
        {"--check", KD_OPTION_TEXT, &common->check, "WHAT", NULL, 0, 0},
        {"-g", KD_OPTION_FLAG, &common->debug_info, NULL, NULL, 0, 0},
        {"--sub-group-size --threads-per-warp", KD_OPTION_NUMBER, &common->sub_group_size, "N", "lanes of a GPU's sub-groups: 8, 16 or 32", 8, 32},
    };
    memcpy(out, rows, sizeof rows);
    const char *triton_debug = getenv("TRITON_DEBUG");
    common->debug = triton_debug && *triton_debug && strcmp(triton_debug, "0") != 0;
}

kd_exit kd_common_options_check(const kd_common_options *common)
{
    if (common->check) {
        kd_cli_error("--check is not implemented yet");
        return KD_EXIT_USAGE;
    }
    if (common->debug_info) {
        kd_cli_error("-g is not implemented yet");
        return KD_EXIT_USAGE;
    }
    return KD_EXIT_OK;
}

kd_exit kd_cli_check_work_group(const char *target, long num_warps, long sub_group_size)
{
    char name[16] = ""; /* "bmg" of "spirv:bmg:sg16" */
    bool is_gpu = target && sscanf(target, "spirv:%15[^:]", name) == 1;
    const kd_gpu_device *device = is_gpu ? kd_gpu_device_find(name) : NULL;
    if (sub_group_size & (sub_group_size - 1)) {
        kd_cli_error("--sub-group-size is 8, 16 or 32, not %ld", sub_group_size);
        return KD_EXIT_USAGE;
    }
    if (device && num_warps & (num_warps - 1)) {
        kd_cli_error("--num-warps is a power of two for a GPU, not %ld", num_warps);
        return KD_EXIT_USAGE;
    }
    if (device && sub_group_size && !(device->sub_group_sizes & (uint32_t)sub_group_size)) {
        kd_cli_error("%s (%s) has no sub-groups of %ld lanes", device->name, device->description, sub_group_size);
        return KD_EXIT_USAGE;
    }
    return KD_EXIT_OK;
}

void kd_split_file_kernel(kd_arena *arena, const char *word, const char **out_file, const char **out_kernel)
{
    const char *colon = strrchr(word, ':');
    if (colon && !strchr(colon, '/') && colon != word) {
        *out_file = kd_arena_strndup(arena, word, (size_t)(colon - word));
        *out_kernel = colon + 1;
    } else {
        *out_file = word;
        *out_kernel = NULL;
    }
}

kd_compile_request kd_common_request(const kd_common_options *common, const char *file, const char *kernel)
{
    return (kd_compile_request){
        .file = file,
        .kernel = kernel,
        .include_dirs = common->include_dirs.data,
        .n_include_dirs = common->include_dirs.n,
        .num_warps = (unsigned)common->num_warps,
        .num_stages = (unsigned)common->num_stages,
        .sub_group_size = (unsigned)common->sub_group_size,
        .config = common->config < 0 ? 0 : (unsigned)common->config,
        .set_config = common->config >= 0,
        .opt_level = (unsigned)common->opt_level,
        .set_opt_level = true,
        .no_fusion = common->no_fusion,
        .debug = common->debug,
        .no_cache = common->no_cache,
        .print_after = common->print_after,
        .time_passes = common->time_passes,
    };
}

kd_exit kd_cli_report(kd_compiler *compiler, kd_status status)
{
    const char *text = kd_compiler_messages(compiler);
    fflush(stdout);
    if (status == KD_OK || status == KD_ERR_REPORTED || strstr(text, ": error: ")) {
        kd_cli_show_messages(text);
        return kd_cli_exit_of(status);
    }
    /* The last line is a sentence without a place: a file, a target, memory. */
    size_t n = strlen(text), begin = n;
    n -= n && text[n - 1] == '\n';
    for (begin = n; begin && text[begin - 1] != '\n';)
        begin--;
    fwrite(text, 1, begin, stderr);
    kd_cli_error("%.*s", (int)(n - begin), n > begin ? text + begin : kd_status_text(status));
    return kd_cli_exit_of(status);
}

kd_exit kd_cli_compile_kernel(kd_compiler *compiler, const kd_compile_request *request, kd_compiled **out)
{
    kd_status status = kd_compile(compiler, request, out);
    return kd_cli_report(compiler, status);
}

kd_exit kd_cli_compiler_open(kd_cli_compiler *out)
{
    *out = (kd_cli_compiler){0};
    kd_failure why = {0};
    kd_status status = kd_cache_open(NULL, &out->cache, &why);
    if (status == KD_ERR_ARGUMENT) {
        kd_cli_error("%s", why.text);
        return KD_EXIT_USAGE;
    }
    if (status == KD_OK)
        out->store = kd_cache_as_store(out->cache);
    if (kd_compiler_create(&(kd_compiler_options){.store = out->cache ? &out->store : NULL}, &out->compiler) == KD_OK)
        return KD_EXIT_OK;
    kd_cli_error("out of memory");
    kd_cli_compiler_close(out);
    return KD_EXIT_WORLD;
}

void kd_cli_compiler_close(kd_cli_compiler *c)
{
    kd_compiler_destroy(c->compiler);
    kd_cache_close(c->cache);
    *c = (kd_cli_compiler){0};
}
