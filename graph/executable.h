/* executable.h - what an executable is, between the files that make and run it. */
#ifndef KD_GRAPH_EXECUTABLE_H
#define KD_GRAPH_EXECUTABLE_H

#include "base/pages.h"
#include "graph/plan.h"

#include "runtime/runtime.h"

typedef struct kd_step {
    kd_kernel *kernel;       /* NULL: a primitive, or nothing to do */
    kd_primitive *primitive;
    uint32_t grid[3];
    const kd_operand *operands; /* of a kernel: its arguments, in order */
    unsigned n_operands;
    kd_step_info info;
} kd_step;

/* The code of a kernel, to be kept. */
typedef struct kd_ready_kernel {
    kd_hash key; /* of its signature and body */
    const void *desc; /* as kd_kernel_desc_encode writes it */
    size_t n_desc_bytes;
    const void *code;
    size_t n_code_bytes;
} kd_ready_kernel;

struct kd_executable {
    kd_budget budget;
    kd_arena *arena;
    const kd_graph *graph; /* the user's */
    kd_plan *plan;
    kd_device *device; /* NULL: for a target that is not here */
    uint32_t clock_mhz; /* of a GPU; 0: unknown */
    const char *target; /* what kernels are compiled for */
    void *constants; /* a GPU's copy of those that steps read; NULL: they are used where they are */
    KD_VEC(kd_step) steps;
    KD_VEC(kd_kernel *) kernels; /* each once, for destruction */
    unsigned n_threads;
    kd_onednn *onednn;           /* NULL: no step needs it */
    size_t scratch_bytes;        /* of the primitive that needs most */
    KD_VEC(kd_tensor_info) inputs, outputs;
    unsigned n_states; /* of the graph: the last inputs and outputs */
    KD_VEC(kd_node_info) nodes;
    KD_VEC(kd_ready_kernel) code; /* of kernels */
    kd_graph *own_graph; /* that no caller knows of; NULL: none */
    kd_mapping file;     /* a .kx file */
    kd_pages copies; /* of constants */
    bool no_fusion;
};

/* ---- weights.c ---- */

/* Weights were packed: nobody needs them otherwise, as far as they are a file's. */
void kd_executable_release_weights(const kd_executable *exe, const kd_gnode *node);
/* Finds the elements of all constants that steps read as they are, and copies those that cannot be read where they lie. */
kd_status kd_executable_place_constants(kd_executable *exe, kd_failure *out_why);

/* ---- constants.c ---- */

typedef bool kd_buffer_filter(void *user, const kd_buffer *buffer);

/* Brings the constants that steps read to the device, whose kernels could not read them otherwise. is_wanted: those that have changed; NULL: all. */
kd_status kd_executable_upload_constants(kd_executable *exe, kd_buffer_filter *is_wanted, void *user, kd_failure *out_why);

/* ---- explain.c ---- */

/* Fills in what queries tell of steps and nodes. ready: of a loaded executable, whose graph is no longer the model's; may be NULL. */
struct kd_ready;
void kd_executable_explain(kd_executable *exe, const struct kd_ready *ready);

#endif
