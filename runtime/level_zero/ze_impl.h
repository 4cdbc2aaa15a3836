/* ze_impl.h - what the files of the Level Zero device share. */
#ifndef KD_RUNTIME_LEVEL_ZERO_ZE_IMPL_H
#define KD_RUNTIME_LEVEL_ZERO_ZE_IMPL_H

#include "runtime/cache.h"
#include "runtime/device_impl.h"
#include "runtime/level_zero/ze_facts.h"

typedef struct ze_event ze_event;
typedef struct ze_pool ze_pool;
typedef struct ze_slots ze_slots;
typedef struct ze_record ze_record;

typedef struct ze_device {
    kd_device base;
    kd_ze ze;
    kd_ze_place place;
    kd_ze_facts facts;
    ze_context_handle_t context;
    kd_cache *cache; /* of machine code; NULL: none */
    pthread_mutex_t lock; /* of what follows, and of all records */
    ze_pool *pools;
    ze_event *retired;  /* destroyed by the caller before their work was done */
    ze_slots *slots;    /* memory for kd_gpu_status */
    ze_record *records; /* launches whose asserts nobody has looked at yet */
} ze_device;

typedef struct ze_queue {
    kd_queue base;
    ze_command_list_handle_t list; /* immediate, in order */
    pthread_mutex_t lock;          /* a command list is used by one thread at a time */
    bool failed;                   /* an assert, since the last kd_queue_finish; under the device's lock, with why */
    kd_failure why;
} ze_queue;

typedef struct ze_kernel {
    kd_kernel base;
    ze_module_handle_t module;
    ze_kernel_handle_t handle;
    pthread_mutex_t lock; /* arguments stay at the handle from setting to launch */
    kd_kernel_usage usage;
} ze_kernel;

struct ze_event {
    kd_event base;
    ze_event_handle_t handle;
    ze_pool *pool;
    unsigned index; /* in the pool */
    bool failed;    /* an assert; under the device's lock, with why */
    kd_failure why;
    ze_event *next_retired;
};

/* A launch of a kernel with asserts, until its status has been read. Under the device's lock. */
struct ze_record {
    ze_record *next;
    ze_queue *queue;
    ze_kernel *kernel;
    ze_event *event; /* NULL: nobody waits for this launch alone */
    kd_gpu_status *status;
};

static inline ze_device *ze_device_of(kd_device *device)
{
    return (ze_device *)device;
}

/* Fails with the call's result, in the words of the thread's last failure. */
#define ZE_FAIL(device, result, ...) \
    kd_ze_fail(&(device)->ze, (device)->place.driver, result, kd_device_why(&(device)->base), __VA_ARGS__)

/* ze_event.c */
kd_status ze_event_make(ze_device *device, ze_event **out_event);
void ze_event_recycle(ze_event *event); /* never appended, or done */
kd_status ze_event_wait(kd_event *event);
bool ze_event_is_done(kd_event *event);
kd_status ze_event_times(kd_event *event, uint64_t *out_begin_ns, uint64_t *out_end_ns);
void ze_event_destroy(kd_event *event);
void ze_events_release(ze_device *device); /* when the device closes */

/* ze_status.c: statuses of launches */
kd_status ze_record_begin(ze_queue *queue, ze_kernel *kernel, ze_event *event, ze_record **out_record);
void ze_record_cancel(ze_device *device, ze_record *record);
/* Reads the statuses of launches that are done: of a queue, a kernel or an event, where not NULL. */
void ze_records_read(ze_device *device, const ze_queue *queue, const ze_kernel *kernel, const ze_event *event);
void ze_records_forget_event(ze_device *device, const ze_event *event);
void ze_records_release(ze_device *device);

/* ze_queue.c */
kd_status ze_queue_create(kd_device *device, kd_queue **out_queue);
void ze_queue_destroy(kd_queue *queue);
kd_status ze_queue_finish(kd_queue *queue);
kd_status ze_queue_copy(kd_queue *queue, void *dst, const void *src, size_t n_bytes, kd_event **out_done);
kd_status ze_queue_fill(kd_queue *queue, void *dst, unsigned char value, size_t n_bytes, kd_event **out_done);
kd_status ze_kernel_launch(kd_queue *queue, kd_kernel *kernel, const uint32_t grid[3], uint64_t n_programs, const void *packed,
                           kd_event **out_done);

/* ze_kernel.c */
kd_status ze_kernel_load(kd_device *device, kd_kernel_desc *desc, const void *code, size_t n_bytes, kd_kernel **out_kernel);
void ze_kernel_destroy(kd_kernel *kernel);
void ze_kernel_usage(const kd_kernel *kernel, kd_kernel_usage *out_usage);

#endif
