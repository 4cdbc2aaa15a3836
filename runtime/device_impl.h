/* device_impl.h - what stands behind the device interface: one table of functions for each kind of device. */
#ifndef KD_RUNTIME_DEVICE_IMPL_H
#define KD_RUNTIME_DEVICE_IMPL_H

#include "runtime/runtime.h"

#include <pthread.h>

/* The functions get what they need checked (pointers not NULL, argument struct packed) and put failures in kd_device_why(device).
 */
typedef struct kd_device_ops {
    void (*close)(kd_device *device);
    void (*get_info)(const kd_device *device, kd_device_info *out_info);
    kd_status (*memory_alloc)(kd_device *device, size_t n_bytes, void **out_memory);
    void (*memory_free)(kd_device *device, void *memory);
    bool (*memory_is_usable)(kd_device *device, const void *memory); /* NULL: all is */
    kd_status (*queue_create)(kd_device *device, kd_queue **out_queue);
    void (*queue_destroy)(kd_queue *queue);
    kd_status (*queue_finish)(kd_queue *queue);
    kd_status (*queue_copy)(kd_queue *queue, void *dst, const void *src, size_t n_bytes, kd_event **out_done);
    kd_status (*queue_fill)(kd_queue *queue, void *dst, unsigned char value, size_t n_bytes, kd_event **out_done);
    kd_status (*event_wait)(kd_event *event);
    bool (*event_is_done)(kd_event *event);
    kd_status (*event_times)(kd_event *event, uint64_t *out_begin_ns, uint64_t *out_end_ns);
    void (*event_destroy)(kd_event *event);
    /* desc is the kernel's own copy; it goes to the kernel on success only. */
    kd_status (*kernel_load)(kd_device *device, kd_kernel_desc *desc, const void *code, size_t n_bytes, kd_kernel **out_kernel);
    void (*kernel_destroy)(kd_kernel *kernel);
    void (*kernel_usage)(const kd_kernel *kernel, kd_kernel_usage *out_usage); /* may be NULL */
    /* packed: the argument struct, valid during the call. n_programs may be 0: an event is wanted. */
    kd_status (*kernel_launch)(kd_queue *queue, kd_kernel *kernel, const uint32_t grid[3], uint64_t n_programs, const void *packed,
                               kd_event **out_done);
} kd_device_ops;

/* Implementations embed these as their first member. */
struct kd_device {
    const kd_device_ops *ops;
    pthread_key_t failure_key; /* each thread's last failure on this device: a kd_failure */
};

struct kd_queue {
    kd_device *device;
};

struct kd_event {
    kd_device *device;
};

struct kd_kernel {
    kd_device *device;
    kd_kernel_desc *desc;
};

/* Sets the common part up. KD_ERR_MEMORY: no more keys. */
kd_status kd_device_init(kd_device *device, const kd_device_ops *ops, kd_failure *out_why);
void kd_device_fini(kd_device *device);
/* Where the calling thread's failures on the device go; NULL (which kd_fail takes) where memory ran out. */
kd_failure *kd_device_why(kd_device *device);

/* cpu/cpu_device.c */
kd_status kd_cpu_device_open(const kd_device_options *options, kd_device **out_device, kd_failure *out_why);
void kd_cpu_describe(kd_device_info *out_info);

/* level_zero/ze_device.c. index: of all GPUs of all drivers. */
kd_status kd_ze_device_open(unsigned index, const kd_device_options *options, kd_device **out_device, kd_failure *out_why);
kd_status kd_ze_device_list(kd_device_info *out_infos, unsigned capacity, unsigned *out_n, kd_failure *out_why);

#endif
