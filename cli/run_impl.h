/* run_impl.h - between the files of 'kdsl run'. */
#ifndef KD_CLI_RUN_IMPL_H
#define KD_CLI_RUN_IMPL_H

#include "cli/array.h"
#include "cli/cli.h"
#include "dsl/inspect.h"
#include "runtime/runtime.h"

/* One NAME=VALUE word of the command line, or a parameter's default. A name that is no parameter is a value for other words to use. */
typedef struct run_arg {
    const char *name;
    const char *text;          /* of the value */
    const char *dict;          /* in a heuristic's expression: dict['x'] is the argument x */
    kd_scalar fixed_type;      /* n=96:i64, or the parameter's annotation */
    bool has_fixed_type;
    enum { ARG_PENDING, ARG_BUSY, ARG_DONE } state; /* values are found when they are asked for; busy: a circle */
    bool is_array;             /* makes an array of its own; y=x shares that of x instead, as an OBJECT value */
    kd_array array;
    kd_eval_value value;       /* where it makes no array */
    const char *function;      /* the name of a jit function of the file, or NULL */
    const kd_param_info *param; /* NULL: no parameter */
    bool is_used;              /* by another word */
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
    const char **names; /* of all of them, and behind those of the functions that a value may name */
    unsigned n_names;
    uint64_t seed;
    unsigned depth;     /* of values that wait for others */
    kd_exit failed;     /* set where something was reported */
} run_args;

/* Makes one run_arg for each word NAME=VALUE and each parameter that has only a default. Checks names. KD_EXIT_OK or what was reported. */
kd_exit run_args_collect(run_args *args, const kd_text_list *words);
/* Applies a literal triton.Config: its values, where the command line gives none. */
kd_exit run_args_apply_config(run_args *args, const kd_config_info *config);
/* Finds the value of every argument. */
kd_exit run_args_evaluate(run_args *args);
run_arg *run_args_find(run_args *args, const char *name);
/* The array that an argument is or shares; NULL: it is none. */
kd_array *run_arg_array(run_arg *arg);
void run_args_release(run_args *args);
/* The signature by name that these values specialize the kernel for. */
const char *run_args_signature(run_args *args);
/* The launch arguments that a compiled kernel wants, and the arrays behind those that are pointers; KD_EXIT_OK or what was reported. */
kd_exit run_args_pack(run_args *args, const kd_kernel_desc *desc, kd_arg **out_args, kd_array ***out_arrays);
/* Whether two pointers of the kernel are the same array. */
bool run_args_share(run_args *args);
/* Reports a number that its type cannot hold. */
kd_exit run_arg_check_range(run_args *args, const run_arg *arg);
kd_exit run_args_fail(run_args *args, kd_exit how);
const char *run_int_text(kd_arena *arena, __int128 v);
/* A grid expression: one to three extents. */
kd_exit run_args_grid(run_args *args, const char *text, uint32_t out_grid[3]);

/* ---- memory of a GPU ---- */

typedef struct run_memory {
    kd_device *device;
    kd_queue *queue;
    kd_array *const *arrays; /* by argument; NULL: no array */
    void **places;           /* of the first argument that an array is */
    unsigned n;
} run_memory;

/* Gets memory for the arrays, and puts its addresses into packed. To be released, whatever it returns. */
kd_status run_memory_make(run_memory *m, kd_device *device, kd_queue *queue, kd_arena *arena, kd_array *const *arrays, kd_arg *packed, unsigned n);
void run_memory_release(run_memory *m);
kd_status run_memory_upload(const run_memory *m);
/* The arrays that the kernel writes, after the work before. */
kd_status run_memory_download(const run_memory *m, const kd_kernel_desc *desc);

/* ---- faults ---- */

/* From here on to run_fault_forget a fault of the processor, in any thread, is the kernel's: says so, with the array that is nearest, and ends the
 * process with KD_EXIT_KERNEL. */
void run_fault_watch(run_args *args);
void run_fault_forget(void);

/* ---- results ---- */

typedef struct run_result {
    double compile_seconds;
    bool from_cache;
    double median, low, high; /* seconds a launch */
    unsigned n_runs;
    double n_bytes;           /* of all arrays: what a kernel that touches each once moves */
    uint32_t grid[3];
    bool on_gpu;
    kd_kernel_usage usage; /* of a GPU */
} run_result;

/* What --print, --save and --expect ask for, as text or, where json is not NULL, into that object. KD_EXIT_DIFFERS, or what was reported. */
struct yyjson_mut_doc;
struct yyjson_mut_val;
kd_exit run_deliver(run_args *args, kd_tolerance tolerance, struct yyjson_mut_doc *doc, struct yyjson_mut_val *json);
void run_show_time(kd_arena *arena, const run_result *r);
/* Adds the numbers of a run to an object. */
void run_add_json(struct yyjson_mut_doc *doc, struct yyjson_mut_val *json, const run_result *r);
/* The table of --tune; results[i] belongs to configs[i], and counts where exits[i] is KD_EXIT_OK. */
kd_exit run_show_tuning(kd_arena *arena, const kd_kernel_info *kernel, const run_result *results, const kd_exit *exits, bool json);

#endif
