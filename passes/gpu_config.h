/* gpu_config.h - for what the passes of the gpu level make code. */
#ifndef KD_PASSES_GPU_CONFIG_H
#define KD_PASSES_GPU_CONFIG_H

#include "base/gpu_device.h"

typedef struct kd_gpu_config {
    const kd_gpu_device *device;
    unsigned sub_group_size; /* 8, 16 or 32: one that the device has */
    unsigned n_sub_groups;   /* of a work-group: num_warps, a power of two */
    unsigned num_stages;     /* prefetch distance of loops */
} kd_gpu_config;

#endif
