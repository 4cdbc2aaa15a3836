/* graph.h - operator graphs from C: read one, compile it, run it on arrays of yours.
 *
 *     kd_graph *graph;  kd_executable *model;  kd_session *session;  kd_failure why;
 *     kd_graph_read("mlp.json", NULL, &graph, &why);
 *     kd_graph_compile(graph, NULL, &model, &why);
 *     kd_session_create(model, &session, &why);
 *     const void *inputs[] = {x};
 *     void *outputs[] = {y};                                  // as large as kd_executable_output(model, 0) says
 *     kd_session_run(session, inputs, outputs, &why);
 *
 * A graph and an executable do not change once they are made: any number of threads may use them, each with a session of its own. Weights
 * stay mapped from their file while the graph exists; an executable has copies of none of them that it does not pack, so it goes before
 * its graph. Out-parameters are written only on success. */
#ifndef KD_GRAPH_GRAPH_H
#define KD_GRAPH_GRAPH_H

#include "base/failure.h"
#include "base/kernel_desc.h"
#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KD_TENSOR_MAX_DIMS = 8 };

/* The elements that a tensor has, and where they are: strides count elements and are never negative. */
typedef struct kd_tensor_type {
    kd_scalar type;
    unsigned n_dims; /* 0: a single element */
    int64_t shape[KD_TENSOR_MAX_DIMS];
    int64_t strides[KD_TENSOR_MAX_DIMS];
} kd_tensor_type;

int64_t kd_tensor_n_elems(const kd_tensor_type *type);
/* From the first element to the end of the last one; 0 where there are no elements. */
size_t kd_tensor_n_bytes(const kd_tensor_type *type);

/* Exporters invent names: "x" stands for the only input, "x0", "x1" ... for one of n by its number, and so "y" for outputs. */
bool kd_tensor_number(const char *name, char letter, unsigned n, unsigned *out_number);

/* ---- graphs ---- */

typedef struct kd_graph kd_graph;

/* The shape of an input, by its name or as kd_tensor_number. */
typedef struct kd_input_shape {
    const char *name;
    unsigned n_dims;
    int64_t shape[KD_TENSOR_MAX_DIMS];
} kd_input_shape;

/* What the variable extents of a program are to be: its inputs' shapes, those of them that say it all. The other inputs follow them; what
 * nothing is said about is as in the example that the program was exported with. Inputs without variable extents are passed over. */
typedef struct kd_input_shapes {
    const kd_input_shape *data;
    unsigned n;
} kd_input_shapes;

/* Reads a program of torch.export.save (.pt2), or a graph in the kg format (docs/kg.md) with the weights that it names. shapes may be NULL.
 * KD_ERR_ARGUMENT: shapes that the program does not take.
 * KD_ERR_DAMAGED: it is no such graph, or its parts contradict each other.  KD_ERR_UNSUPPORTED: an op, a type or a layout that kdsl does not
 * know; the sentence names it and its node.  KD_ERR_NOT_FOUND, KD_ERR_IO, KD_ERR_MEMORY. */
kd_status kd_graph_read(const char *path, const kd_input_shapes *shapes, kd_graph **out_graph, kd_failure *out_why);

/* Elements in the caller's memory: "data": {"memory": "conv1.weight"}. They stay where they are while the graph exists,
 * and as they are, unless kd_executable_update_weights is told. */
typedef struct kd_graph_memory {
    const char *name;
    const void *data; /* in the strides of the input, at any address */
    size_t n_bytes;
} kd_graph_memory;

/* Where the data is that a graph names. */
typedef struct kd_graph_weights {
    const char *folder; /* of files; NULL: there may be none */
    const kd_graph_memory *memory;
    unsigned n_memory;
} kd_graph_weights;

/* The same from memory. weights may be NULL. name stands for the file in failures. */
kd_status kd_graph_parse(const char *text, size_t n_bytes, const char *name, const kd_graph_weights *weights, kd_graph **out_graph,
                         kd_failure *out_why);

/* Names of the ops that graphs may have, "aten.add.Tensor", by number from 0; NULL: there are no more. */
const char *kd_graph_op_name(unsigned index);

/* Is told of a node that kdsl cannot compile, by its first result's name without '%', and why. */
typedef void kd_graph_refuse_fn(void *user, const char *node, kd_status status, const char *why);
/* Asks of each node of a graph in the kg format whether kdsl knows it: its op, its arguments and their types. What a refused node computes
 * counts as its "out" says, so that the nodes behind it are judged too; "data" and "outputs" are not looked at. KD_OK where the text is a
 * graph, even if all its nodes are refused. */
kd_status kd_graph_check(const char *text, size_t n_bytes, const char *name, kd_graph_refuse_fn *refuse, void *user,
                         kd_failure *out_why);
void kd_graph_destroy(kd_graph *graph);

/* The graph as text, one node a line, for people. For free(); NULL: memory ran out. */
char *kd_graph_text(const kd_graph *graph);

/* ---- executables ---- */

typedef struct kd_executable kd_executable;

typedef struct kd_graph_options {
    const char *device;          /* "cpu", "level_zero", "level_zero:1" ...; NULL: "cpu", or what a .kx file was made for */
    unsigned n_threads;          /* 0: as kd_device_options */
    bool no_cache;               /* compile kernels even where the cache on disk has them */
    const char *cache_dir;       /* NULL: $KDSL_CACHE_DIR, or the user's cache folder */
    bool no_fusion;              /* a kernel for each op: slow, for tracking down differences */
    kd_input_shapes shapes;      /* for kd_executable_open: as kd_graph_read */
    const char *target;          /* "spirv:pvc": for such a GPU in place of a device, which this machine need not have. What is compiled can be
                                    asked and saved, not run. NULL: for the device */
} kd_graph_options;

/* options may be NULL. KD_ERR_UNSUPPORTED: what the device or this version cannot do, by op and node. KD_ERR_MEMORY, KD_ERR_DEVICE. */
kd_status kd_graph_compile(const kd_graph *graph, const kd_graph_options *options, kd_executable **out_executable,
                           kd_failure *out_why);
void kd_executable_destroy(kd_executable *executable);

/* What the caller's memory has for these inputs of the graph has changed: packs it again, and what was computed from it. An input that the
 * executable does not know, since nobody reads it, is none of its business. No session of it runs meanwhile.
 * KD_ERR_UNSUPPORTED: the weights come from a .kx file.  KD_ERR_MEMORY, KD_ERR_DEVICE: some weights may be new and others not. */
kd_status kd_executable_update_weights(kd_executable *executable, const char *const *names, unsigned n_names, kd_failure *out_why);

/* ---- executables in files ---- */

typedef struct kd_save_options {
    bool embed_weights; /* the file needs no other; otherwise it names the model's file, which stays where it is and as it is */
} kd_save_options;

/* Writes an executable to a .kx file. options may be NULL. KD_ERR_ARGUMENT: weights are not embedded, but the graph came from no file.
 * KD_ERR_UNSUPPORTED: its runs change buffers.  KD_ERR_IO, KD_ERR_MEMORY: nothing is written. */
kd_status kd_executable_save(const kd_executable *executable, const char *path, const kd_save_options *options, kd_failure *out_why);
/* Reads one: nothing is compiled. options may be NULL; fusion is as it was. The file is mapped as long as the executable exists. It holds machine
 * code: like a library, load what you trust.
 * KD_ERR_DAMAGED: it is no such file, or not whole, or the model's file has changed.  KD_ERR_UNSUPPORTED: it was made by another version, for
 * another processor, another kind of GPU or another oneDNN.  KD_ERR_NOT_FOUND, KD_ERR_IO, KD_ERR_MEMORY. */
kd_status kd_executable_load(const char *path, const kd_graph_options *options, kd_executable **out_executable, kd_failure *out_why);
/* From any file that kd_graph_read or kd_executable_load reads. What is compiled is kept in the cache, unless options says no_cache: the next
 * process maps it. */
kd_status kd_executable_open(const char *path, const kd_graph_options *options, kd_executable **out_executable, kd_failure *out_why);
/* The same from memory: kd_graph_parse and kd_graph_compile. It is kept with its weights, and found by the text and all elements of the weights,
 * unless these are in files. options->shapes means nothing here. */
kd_status kd_executable_open_text(const char *text, size_t n_bytes, const char *name, const kd_graph_weights *weights,
                                  const kd_graph_options *options, kd_executable **out_executable, kd_failure *out_why);
/* Whether one of these found it in the cache, or in a .kx file. */
bool kd_executable_is_loaded(const kd_executable *executable);

/* Removes what these kept. *out_n_removed counts it. */
kd_status kd_executable_clear_cache(uint64_t *out_n_removed);
/* How many executables it keeps, and how large they are together. */
void kd_executable_sum_cache(unsigned *out_n, uint64_t *out_n_bytes);

/* ---- what is in an executable ---- */

typedef struct kd_tensor_info {
    const char *name;
    kd_tensor_type type;
} kd_tensor_info;

/* Inputs are those that the file has no data for. An input that the program changes is not written; what it becomes is an output behind the program's
 * own. */
unsigned kd_executable_n_inputs(const kd_executable *executable);
unsigned kd_executable_n_outputs(const kd_executable *executable);
const kd_tensor_info *kd_executable_input(const kd_executable *executable, unsigned index);
const kd_tensor_info *kd_executable_output(const kd_executable *executable, unsigned index);

/* One step of a run: a generated kernel or a primitive of oneDNN. */
typedef struct kd_step_info {
    const char *kind; /* "kernel" or "primitive" */
    const char *name; /* of the kernel's function; of oneDNN's implementation */
    const char *nodes; /* what it computes: the graph's nodes, "%add, %relu" */
    const char *source; /* a kernel's file in our language; NULL for primitives */
    uint64_t n_read_bytes, n_written_bytes;
    uint64_t n_programs; /* a kernel's */
    uint64_t n_flops; /* operations on numbers: two for each product that is added up, one for each element of pointwise work */
} kd_step_info;

unsigned kd_executable_n_steps(const kd_executable *executable);
const kd_step_info *kd_executable_step(const kd_executable *executable, unsigned index);
/* Nanoseconds that each step would take if memory or arithmetic, whichever takes longer, were used to the full: kd_executable_n_steps numbers.
 * Measures this machine for a moment. Of a GPU: the clock that its driver tells, and numbers of its family (base/gpu_speeds.def). */
void kd_executable_estimate(const kd_executable *executable, uint64_t *out_step_ns);

/* What became of a node of the graph. */
typedef struct kd_node_info {
    const char *name, *op, *type; /* "%relu", "aten.relu.default", "f32[1, 64]" of the first result */
    const char *line; /* of the model, "net.py:31: y = relu(x)"; NULL: unknown */
    const char *became; /* "kernel", "primitive", "view": no work; "constant": computed when the graph was compiled; "nothing": nobody reads it */
    int step; /* the first that has a part of it; -1: none */
} kd_node_info;

unsigned kd_executable_n_nodes(const kd_executable *executable);
const kd_node_info *kd_executable_node(const kd_executable *executable, unsigned index);
/* The device that it runs on, for memory of it (kd_memory_alloc in runtime/runtime.h). It is there as long as the executable. */
struct kd_device *kd_executable_device(const kd_executable *executable);
/* Memory that a session needs for values between steps. */
size_t kd_executable_arena_bytes(const kd_executable *executable);

/* ---- running ---- */

/* What one thread needs to run an executable: memory for the values between, and the buffers that the program changes from run to run. These begin
 * as in the model's file. */
typedef struct kd_session kd_session;

kd_status kd_session_create(kd_executable *executable, kd_session **out_session, kd_failure *out_why);
void kd_session_destroy(kd_session *session);
/* Runs. Inputs and outputs have the executable's types; an output overlaps no input and no other output. Nothing is allocated. On a GPU they
 * are copied, unless they lie in memory of the executable's device.
 * KD_ERR_ARGUMENT: a pointer is NULL or outputs overlap. KD_ERR_DEVICE. */
kd_status kd_session_run(kd_session *session, const void *const *inputs, void *const *outputs, kd_failure *out_why);
/* The same, and how long each step took: kd_executable_n_steps numbers. */
kd_status kd_session_run_timed(kd_session *session, const void *const *inputs, void *const *outputs, uint64_t *out_step_ns,
                               kd_failure *out_why);

#ifdef __cplusplus
}
#endif

#endif
