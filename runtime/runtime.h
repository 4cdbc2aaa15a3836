/* runtime.h - running compiled kernels: devices, their memory, queues of work, launches.
 *
 *     kd_device *device;  kd_queue *queue;  kd_kernel *kernel;  kd_failure why;
 *     kd_device_open("cpu", NULL, &device, &why);
 *     kd_queue_create(device, &queue);
 *     kd_kernel_load(device, &desc, code, n_code_bytes, &kernel);
 *     kd_arg args[] = {kd_arg_ptr(x, n * 4), kd_arg_ptr(out, n * 4), kd_arg_i64(n)};
 *     kd_kernel_launch(queue, kernel, (uint32_t[3]){n_programs, 1, 1}, args, 3, NULL);
 *     kd_queue_finish(queue);
 *
 * All functions may be called from several threads at once; what they are given must outlive the call, and what a device made
 * (queues, events, kernels, memory) goes before the device. Out-parameters are written only on success. Where a call that knows its
 * device fails, kd_device_error(device) has the sentence. */
#ifndef KD_RUNTIME_RUNTIME_H
#define KD_RUNTIME_RUNTIME_H

#include "base/failure.h"
#include "base/kernel_desc.h"
#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- devices ---- */

typedef struct kd_device kd_device;

typedef struct kd_device_options {
    unsigned n_threads; /* cpu: 0 means $KDSL_NUM_THREADS, or the processors that this process may use */
    bool no_cache;      /* level_zero: let the driver compile even where its machine code is in our cache */
} kd_device_options;

/* What a GPU's driver reports. */
typedef enum kd_device_feature {
    KD_FEATURE_F64 = 1 << 0,
    KD_FEATURE_F16_ATOMICS = 1 << 1, /* floating-point adds, likewise below */
    KD_FEATURE_F32_ATOMICS = 1 << 2,
    KD_FEATURE_F64_ATOMICS = 1 << 3,
    KD_FEATURE_I64_ATOMICS = 1 << 4,
    KD_FEATURE_DPAS = 1 << 5,    /* the systolic array */
    KD_FEATURE_BLOCK2D = 1 << 6, /* 2D block messages */
} kd_device_feature;

typedef struct kd_device_info {
    char name[16];        /* what kd_device_open takes: "cpu", "level_zero:0" */
    char description[96]; /* "AMD EPYC 9B14" */
    char target[24];      /* what to compile for: "cpu", "spirv:bmg"; "": this GPU is unknown to kdsl */
    unsigned n_threads;   /* that run program instances at the same time; a GPU's hardware threads */
    uint64_t memory_bytes;
    bool has_host_memory; /* kernels read and write any memory of this process, without copies */
    /* GPUs */
    uint32_t sub_group_sizes;   /* a mask: 8 | 16 | 32 */
    uint32_t max_work_group;    /* work-items */
    uint32_t slm_bytes;         /* of a work-group */
    uint32_t features;          /* a mask of kd_device_feature */
    uint32_t clock_mhz;         /* at most */
    uint32_t ip_version[3];     /* of the architecture, 20.1.0; all 0: the driver does not tell */
    char note[160];             /* where the driver's report differs from what kdsl knows of this GPU; "" */
} kd_device_info;

/* name: "cpu", "level_zero" (the first GPU), "level_zero:N". options may be NULL. KD_ERR_NOT_FOUND: this machine has
 * no such device; KD_ERR_ARGUMENT: no machine has, or KDSL_NUM_THREADS makes no sense. */
kd_status kd_device_open(const char *name, const kd_device_options *options, kd_device **out_device, kd_failure *out_why);
void kd_device_close(kd_device *device);
void kd_device_get_info(const kd_device *device, kd_device_info *out_info);
/* The devices of this machine: their number, and the first capacity of them in out_infos. */
unsigned kd_device_list(kd_device_info *out_infos, unsigned capacity);
/* The same for GPUs alone. KD_ERR_NOT_FOUND or what the loader or a driver ran into: there is none, and why. */
kd_status kd_device_list_gpus(kd_device_info *out_infos, unsigned capacity, unsigned *out_n, kd_failure *out_why);
/* What the calling thread's last failed call on this device ran into; "" where none failed. Valid until the thread's next call. */
const char *kd_device_error(kd_device *device);

/* Memory that kernels can use, not zeroed, aligned to 64. 0 bytes give a pointer too. A GPU's is read and written with kd_queue_copy and
 * kd_queue_fill, unless the device has_host_memory. KD_ERR_MEMORY. */
kd_status kd_memory_alloc(kd_device *device, size_t n_bytes, void **out_memory);
/* After the work that uses it is done. */
void kd_memory_free(kd_device *device, void *memory);
/* Whether kernels of the device can use memory at an address as it is: any of this process where the device has_host_memory; otherwise what was
 * allocated for it, by kd_memory_alloc or by others in the same context of its driver. */
bool kd_memory_is_usable(kd_device *device, const void *memory);

/* ---- queues and events ---- */

/* Work that runs in the order in which it was enqueued, each piece after the one before it has ended. */
typedef struct kd_queue kd_queue;
/* The end of one piece of work. */
typedef struct kd_event kd_event;

kd_status kd_queue_create(kd_device *device, kd_queue **out_queue);
/* Waits for the queue's work. */
void kd_queue_destroy(kd_queue *queue);
/* Waits until all work is done. KD_ERR_ASSERT: an assertion failed since the last wait; KD_ERR_DEVICE. */
kd_status kd_queue_finish(kd_queue *queue);

/* The enqueueing functions return at once; a device whose work is done by then (cpu) returns its failure too. out_done may be NULL;
 * otherwise the caller destroys the event. */
kd_status kd_queue_copy(kd_queue *queue, void *dst, const void *src, size_t n_bytes, kd_event **out_done);
kd_status kd_queue_fill(kd_queue *queue, void *dst, unsigned char value, size_t n_bytes, kd_event **out_done);

/* Returns what became of the work. */
kd_status kd_event_wait(kd_event *event);
bool kd_event_is_done(kd_event *event);
/* When the work began and ended, on the device's own clock. Waits for it. */
kd_status kd_event_times(kd_event *event, uint64_t *out_begin_ns, uint64_t *out_end_ns);
void kd_event_destroy(kd_event *event);

/* ---- kernels ---- */

typedef struct kd_kernel kd_kernel;

/* code is in the desc's format; both are copied. KD_ERR_UNSUPPORTED: not this device's format, or the code needs a function that
 * the runtime does not offer; KD_ERR_DAMAGED: desc or code are not what they claim to be. */
kd_status kd_kernel_load(kd_device *device, const kd_kernel_desc *desc, const void *code, size_t n_bytes, kd_kernel **out_kernel);
/* After the work that uses it is done. */
void kd_kernel_destroy(kd_kernel *kernel);
const kd_kernel_desc *kd_kernel_get_desc(const kd_kernel *kernel);

/* What a GPU's driver made of a kernel; all 0 on the CPU. */
typedef struct kd_kernel_usage {
    uint32_t sub_group_size;
    uint32_t spill_bytes;   /* registers that went to memory, of one hardware thread */
    uint32_t private_bytes; /* of one work-item */
    uint32_t slm_bytes;
    uint64_t native_bytes;  /* machine code */
    double build_seconds;
    bool from_cache;        /* the machine code was in our cache */
    bool large_registers;   /* compiled again with twice the registers, because it spilled */
} kd_kernel_usage;

void kd_kernel_get_usage(const kd_kernel *kernel, kd_kernel_usage *out_usage);

#define KD_SIZE_UNKNOWN ((size_t)-1)

/* One run-time argument: a pointer, or the bits of a scalar of the type that the desc says, in the low bytes. */
typedef struct kd_arg {
    union {
        const void *ptr;
        uint64_t bits;
    };
    size_t n_bytes; /* of what ptr points to, or KD_SIZE_UNKNOWN; 0 for scalars */
} kd_arg;

static inline kd_arg kd_arg_ptr(const void *ptr, size_t n_bytes)
{
    kd_arg arg;
    arg.ptr = ptr;
    arg.n_bytes = n_bytes;
    return arg;
}

/* For all integer types and i1: the low bytes of a two's complement number are the number in the narrower type. */
static inline kd_arg kd_arg_i64(int64_t value)
{
    kd_arg arg;
    arg.bits = (uint64_t)value;
    arg.n_bytes = 0;
    return arg;
}

/* A number in any floating-point type, rounded to nearest even. */
kd_arg kd_arg_float(kd_scalar type, double value);

/* Runs the kernel's program instances, grid[0] * grid[1] * grid[2] of them (less than 2^63; none where an extent is 0).
 * KD_ERR_ARGUMENT: the number of arguments, NULL for a buffer that has bytes, or values and addresses that break what the code
 * relies on (divisible_by, needs_disjoint). Nothing ran then, and the caller may take a kernel that relies on less. */
kd_status kd_kernel_launch(kd_queue *queue, kd_kernel *kernel, const uint32_t grid[3], const kd_arg *args, unsigned n_args,
                           kd_event **out_done);

/* How written buffers meet the others, for choosing between kernels before the launch. */
typedef enum kd_alias {
    KD_ALIAS_NONE,      /* no written buffer shares a byte with another argument's */
    KD_ALIAS_IDENTICAL, /* some are the very same buffer */
    KD_ALIAS_OVERLAP,   /* some share bytes otherwise, or their size is unknown */
} kd_alias;

kd_alias kd_kernel_args_alias(const kd_kernel_desc *desc, const kd_arg *args, unsigned n_args);
/* The checks of kd_kernel_launch alone. */
kd_status kd_kernel_args_check(const kd_kernel_desc *desc, const kd_arg *args, unsigned n_args, kd_failure *out_why);

#ifdef __cplusplus
}
#endif

#endif
