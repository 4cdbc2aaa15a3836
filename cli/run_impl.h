/* run_impl.h - between the files of 'kdsl run'. */
#ifndef KD_CLI_RUN_IMPL_H
#define KD_CLI_RUN_IMPL_H

#include "cli/array.h"
#include "cli/cli.h"
#include "dsl/inspect.h"
#include "runtime/runtime.h"

/* One NAME=VALUE word of the command line, or a parameter's default. */
typedef struct run_arg {
    const char *name;
    const char *text;          /* of the value */
    const char *dict;          /* in a heuristic's expression: dict['x'] is the argument x */
    kd_scalar fixed_type;      /* n=96:i64, or the parameter's annotation */
    bool has_fixed_type;
    enum { ARG_PENDING, ARG_BUSY, ARG_DONE } state; /* values are found when they are asked for; busy: a circle */
    bool is_array;
    kd_array array;
    kd_eval_value value;       /* where it is no array */
    const char *function;      /* the name of a jit function of the file, or NULL */
    const kd_param_info *param;
    const char *save_path, *expect_path;
    bool print;
} run_arg;

typedef struct run_args {
    kd_arena *arena;
    kd_compiler *compiler;
    const kd_file_info *file;
    const kd_kernel_info *kernel;
    run_arg *data;
    unsigned n;
    const char **names; /* of all of them */
    uint64_t seed;
    kd_exit failed;     /* set where something was reported */
} run_args;

/* Makes one run_arg for each word NAME=VALUE and each parameter that has only a default. Checks names. KD_EXIT_OK or what was reported. */
kd_exit run_args_collect(run_args *args, const kd_text_list *words);
/* Applies a literal triton.Config: its values, where the command line gives none. */
kd_exit run_args_apply_config(run_args *args, const kd_config_info *config);
/* Finds the value of every argument. */
kd_exit run_args_evaluate(run_args *args);
run_arg *run_args_find(run_args *args, const char *name);
void run_args_release(run_args *args);
/* The signature by name that these values specialize the kernel for. */
const char *run_args_signature(run_args *args);
/* The launch arguments that a compiled kernel wants; KD_EXIT_OK or what was reported. */
kd_exit run_args_pack(run_args *args, const kd_kernel_desc *desc, kd_arg **out_args);
/* A grid expression: one to three extents. */
kd_exit run_args_grid(run_args *args, const char *text, uint32_t out_grid[3]);

#endif
