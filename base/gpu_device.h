/* gpu_device.h - what Intel's GPUs can do: the one table for choosing code ahead of time and for checking what a driver reports.
 * Intel's compiler checks no capabilities (what a device lacks compiles to garbage without a word), so nothing may be emitted that this
 * table does not allow. Sources of the figures: gpu_devices.def. */
#ifndef KD_BASE_GPU_DEVICE_H
#define KD_BASE_GPU_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Element types of a and b that the systolic array multiplies. */
enum kd_dpas_type { KD_DPAS_F16 = 1 << 0, KD_DPAS_BF16 = 1 << 1, KD_DPAS_TF32 = 1 << 2, KD_DPAS_I8 = 1 << 3 };

typedef struct kd_gpu_device {
    const char *name;           /* "bmg": as in --target spirv:bmg */
    const char *description;    /* "Battlemage (Arc B580)" */
    const char *ocloc;          /* for Intel's offline compiler: "bmg" */
    uint32_t ip_major, ip_minor; /* of the architecture version that drivers report: 20.1 */
    uint32_t sub_group_sizes;   /* a mask: 8 | 16 | 32 */
    uint32_t dpas_types;        /* 0: no systolic array */
    uint32_t dpas_sub_group_size; /* lanes of one systolic operation: 16, or 8 */
    bool has_block2d;           /* 2D block loads, stores and prefetches */
    bool has_f64, has_f64_atomics, has_f32_atomic_add, has_f16_atomics, has_i64_atomics, has_bf16_convert;
    uint32_t slm_bytes;         /* of one work-group at most */
    uint32_t max_work_group;    /* work-items */
    uint32_t registers_bytes;   /* of a hardware thread at the small register mode: 128 registers of 32 or 64 bytes */
    bool has_large_registers;   /* a mode with twice as many and half the threads */
} kd_gpu_device;

/* "spirv:bmg" and its like; NULL is the CPU. */
bool kd_target_is_gpu(const char *target);
/* NULL: no such device. */
const kd_gpu_device *kd_gpu_device_find(const char *name);
/* By what a driver reports; NULL: unknown. A release between two of the table (12.56, a smaller Alchemist) is a variant of the one before it. */
const kd_gpu_device *kd_gpu_device_by_ip(uint32_t ip_major, uint32_t ip_minor);
/* Of one of its family, at best; sources: gpu_speeds.def. */
typedef struct kd_gpu_speed {
    const char *name;           /* of the device */
    uint32_t n_engines, threads_per_engine; /* vector engines, and hardware threads of each */
    uint32_t clock_mhz;
    uint32_t f32_ops, systolic_ops; /* of an engine in a cycle; systolic: of 16-bit types, 0: it has none */
    double memory_gb_per_s;
} kd_gpu_speed;
/* NULL: no such device. */
const kd_gpu_speed *kd_gpu_speed_find(const char *name);

extern const kd_gpu_device kd_gpu_devices[];
extern const unsigned kd_n_gpu_devices;

#endif
