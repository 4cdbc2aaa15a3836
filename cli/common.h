/* common.h - the options and the first word that 'run', 'compile', 'check' and 'list' share. */
#ifndef KD_CLI_COMMON_H
#define KD_CLI_COMMON_H

#include "cli/cli.h"
#include "dsl/inspect.h"
#include "runtime/cache.h"

typedef struct kd_common_options {
    kd_text_list include_dirs;
    const char *print_after, *check;
    long num_warps, num_stages, opt_level, config, sub_group_size;
    bool no_cache, no_fusion, time_passes, debug_info, debug;
} kd_common_options;

enum { KD_N_COMMON_OPTIONS = 13 };
/* The table's rows for them; out has room for KD_N_COMMON_OPTIONS. */
void kd_common_options_rows(kd_common_options *common, kd_option *out);
/* Reports what this version cannot do yet (--check, -g); KD_EXIT_OK otherwise. */
kd_exit kd_common_options_check(const kd_common_options *common);

/* "FILE", "FILE:KERNEL" or "FILE:KERNEL@LINE". A colon in a folder's name is no separator. */
void kd_split_file_kernel(kd_arena *arena, const char *word, const char **out_file, const char **out_kernel);

/* A request with the common options in it. */
kd_compile_request kd_common_request(const kd_common_options *common, const char *file, const char *kernel);

/* A compiler with the cache on disk behind it, where there is one. NULL: memory ran out, which has been said. */
typedef struct kd_cli_compiler {
    kd_compiler *compiler;
    kd_cache *cache;
    kd_kernel_store store;
} kd_cli_compiler;
kd_exit kd_cli_compiler_open(kd_cli_compiler *out);
void kd_cli_compiler_close(kd_cli_compiler *c);

/* Diagnostics go to standard error. *out is freed with kd_compiled_destroy. */
kd_exit kd_cli_compile_kernel(kd_compiler *compiler, const kd_compile_request *request, kd_compiled **out);

/* Shows the compiler's messages on standard error, and turns a status into an exit status. */
kd_exit kd_cli_report(kd_compiler *compiler, kd_status status);

#endif
