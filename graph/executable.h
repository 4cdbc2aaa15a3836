/* executable.h - what an executable is, between the files that make and run it. */
#ifndef KD_GRAPH_EXECUTABLE_H
#define KD_GRAPH_EXECUTABLE_H

#include "graph/plan.h"

#include "runtime/runtime.h"

typedef struct kd_step {
    kd_kernel *kernel;
    uint32_t grid[3];
    kd_buffer **buffers; /* of the arguments, in order */
    unsigned n_buffers;
    kd_step_info info;
} kd_step;

struct kd_executable {
    kd_budget budget;
    kd_arena *arena;
    const kd_graph *graph; /* the user's */
    kd_plan *plan;
    kd_device *device;
    KD_VEC(kd_step) steps;
    KD_VEC(kd_kernel *) kernels; /* each once, for destruction */
    KD_VEC(kd_tensor_info) inputs, outputs;
    KD_VEC(const void *) input_data; /* by the graph's input */
};

#endif
