/* cpu_device.c - the processor as a device: memory is the process's own, and work is done when the call returns. */
#include "runtime/device_impl.h"
#include "runtime/cpu/elf_loader.h"
#include "runtime/cpu/processors.h"
#include "runtime/cpu/queue_team.h"
#include "runtime/cpu/symbols.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { MEMORY_ALIGNMENT = 64, HUGE_PAGE_BYTES = 2 << 20 };

typedef struct cpu_device {
    kd_device base;
    kd_pool *pool;
} cpu_device;

typedef struct cpu_queue {
    kd_queue base;
    _Atomic bool failed; /* since the last kd_queue_finish */
    const kd_team *team; /* that runs its kernels; NULL: the device's pool */
} cpu_queue;

typedef struct cpu_event {
    kd_event base;
    uint64_t begin_ns, end_ns;
} cpu_event; /* of work that was done, and well: the call has returned the failure of other work */

typedef struct cpu_kernel {
    kd_kernel base;
    kd_elf_image *image;
    kd_cpu_entry *entry;
    _Atomic uint64_t program_ps; /* see kd_pool_work; launches of other threads may overwrite it: it is a guess in any case */
} cpu_kernel;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the device ---- */

static void device_close(kd_device *device)
{
    kd_pool_destroy(((cpu_device *)device)->pool);
    kd_device_fini(device);
    free(device);
}

void kd_cpu_describe(kd_device_info *out_info)
{
    *out_info = (kd_device_info){.name = "cpu", .target = "cpu", .has_host_memory = true, .memory_bytes = kd_memory_bytes(), .n_threads = 1};
    kd_processor_name(out_info->description, sizeof out_info->description);
    kd_processors_count(&out_info->n_threads, NULL);
}

static void device_get_info(const kd_device *device, kd_device_info *out_info)
{
    kd_cpu_describe(out_info);
    out_info->n_threads = kd_pool_n_threads(((const cpu_device *)device)->pool);
}

static kd_status memory_alloc(kd_device *device, size_t n_bytes, void **out_memory)
{
    size_t alignment = n_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : MEMORY_ALIGNMENT;
    size_t padded = n_bytes <= SIZE_MAX / 2 ? (n_bytes + alignment - 1) / alignment * alignment : 0;
    if (n_bytes == 0)
        padded = alignment;
    void *memory = padded ? aligned_alloc(alignment, padded) : NULL;
    if (!memory)
        return kd_fail(kd_device_why(device), KD_ERR_MEMORY, "no memory for a buffer of %zu bytes", n_bytes);
    if (alignment == HUGE_PAGE_BYTES)
        madvise(memory, padded, MADV_HUGEPAGE); /* the first touch of small pages costs as much as the work on them */
    *out_memory = memory;
    return KD_OK;
}

static void memory_free(kd_device *device, void *memory)
{
    free(memory);
}

/* ---- queues and events ---- */

static kd_status queue_create(kd_device *device, kd_queue **out_queue)
{
    cpu_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return kd_fail(kd_device_why(device), KD_ERR_MEMORY, "no memory for a queue");
    queue->base.device = device;
    *out_queue = &queue->base;
    return KD_OK;
}

static void queue_destroy(kd_queue *queue)
{
    free(queue);
}

void kd_cpu_queue_use_team(kd_queue *queue, const kd_team *team)
{
    ((cpu_queue *)queue)->team = team;
}

static kd_status queue_finish(kd_queue *queue)
{
    return atomic_exchange(&((cpu_queue *)queue)->failed, false) ? KD_ERR_ASSERT : KD_OK;
}

/* Makes the event beforehand, so that running out of memory leaves nothing done. */
static kd_status event_begin(kd_queue *queue, bool wanted, cpu_event **out_event)
{
    *out_event = NULL;
    if (!wanted)
        return KD_OK;
    cpu_event *event = calloc(1, sizeof *event);
    if (!event)
        return kd_fail(kd_device_why(queue->device), KD_ERR_MEMORY, "no memory for an event");
    event->base.device = queue->device;
    event->begin_ns = now_ns();
    *out_event = event;
    return KD_OK;
}

static void event_end(cpu_event *event, kd_event **out_done)
{
    if (!event)
        return;
    event->end_ns = now_ns();
    *out_done = &event->base;
}

static kd_status queue_copy(kd_queue *queue, void *dst, const void *src, size_t n_bytes, kd_event **out_done)
{
    cpu_event *event;
    kd_status status = event_begin(queue, out_done != NULL, &event);
    if (status)
        return status;
    if (n_bytes)
        memmove(dst, src, n_bytes);
    event_end(event, out_done);
    return KD_OK;
}

static kd_status queue_fill(kd_queue *queue, void *dst, unsigned char value, size_t n_bytes, kd_event **out_done)
{
    cpu_event *event;
    kd_status status = event_begin(queue, out_done != NULL, &event);
    if (status)
        return status;
    if (n_bytes)
        memset(dst, value, n_bytes);
    event_end(event, out_done);
    return KD_OK;
}

static kd_status event_wait(kd_event *event)
{
    return KD_OK;
}

static bool event_is_done(kd_event *event)
{
    return true;
}

static kd_status event_times(kd_event *event, uint64_t *out_begin_ns, uint64_t *out_end_ns)
{
    *out_begin_ns = ((cpu_event *)event)->begin_ns;
    *out_end_ns = ((cpu_event *)event)->end_ns;
    return KD_OK;
}

static void event_destroy(kd_event *event)
{
    free(event);
}

/* ---- kernels ---- */

static void *resolve(void *user, const char *name)
{
    return kd_cpu_symbol(name);
}

static kd_status kernel_load(kd_device *device, kd_kernel_desc *desc, const void *code, size_t n_bytes, kd_kernel **out_kernel)
{
    kd_failure *why = kd_device_why(device);
    if (desc->format != KD_CODE_ELF_X86_64)
        return kd_fail(why, KD_ERR_UNSUPPORTED, "kernel '%s' was compiled for '%s', which the device cpu cannot run", desc->name,
                       desc->target);
    cpu_kernel *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return kd_fail(why, KD_ERR_MEMORY, "no memory for kernel '%s'", desc->name);
    kd_status status = kd_elf_load(code, n_bytes, resolve, NULL, &kernel->image, why);
    if (!status) {
        kernel->entry = (kd_cpu_entry *)kd_elf_function(kernel->image, desc->name);
        if (!kernel->entry)
            status = kd_fail(why, KD_ERR_DAMAGED, "the object code of kernel '%s' has no function of that name", desc->name);
    }
    if (status) {
        kd_elf_unload(kernel->image);
        free(kernel);
        return status;
    }
    kernel->base.device = device;
    kernel->base.desc = desc;
    *out_kernel = &kernel->base;
    return KD_OK;
}

static void kernel_destroy(kd_kernel *kernel)
{
    kd_elf_unload(((cpu_kernel *)kernel)->image);
    free(kernel);
}

static kd_status kernel_launch(kd_queue *queue, kd_kernel *kernel, const uint32_t grid[3], uint64_t n_programs, const void *packed,
                               kd_event **out_done)
{
    cpu_kernel *k = (cpu_kernel *)kernel;
    kd_pool_work work = {
        .entry = k->entry,
        .args = packed,
        .grid = grid,
        .n_programs = n_programs,
        .scratch_bytes = kernel->desc->scratch_bytes,
        .program_ps = atomic_load_explicit(&k->program_ps, memory_order_relaxed),
        .team = ((cpu_queue *)queue)->team,
    };
    cpu_event *event;
    bool failed = false;
    kd_status status = event_begin(queue, out_done != NULL, &event);
    if (status)
        return status;
    status = kd_pool_run(((cpu_device *)queue->device)->pool, &work, &failed);
    if (status)
        kd_fail(kd_device_why(queue->device), status, "no memory for the %u bytes that kernel '%s' works in",
                kernel->desc->scratch_bytes, kernel->desc->name);
    else if (failed) {
        status = kd_fail(kd_device_why(queue->device), KD_ERR_ASSERT, "an assertion failed in kernel '%s'", kernel->desc->name);
        atomic_store(&((cpu_queue *)queue)->failed, true);
    }
    if (status) {
        free(event);
        return status;
    }
    atomic_store_explicit(&k->program_ps, work.program_ps, memory_order_relaxed);
    event_end(event, out_done);
    return KD_OK;
}

static const kd_device_ops OPS = {
    .close = device_close,
    .get_info = device_get_info,
    .memory_alloc = memory_alloc,
    .memory_free = memory_free,
    .queue_create = queue_create,
    .queue_destroy = queue_destroy,
    .queue_finish = queue_finish,
    .queue_copy = queue_copy,
    .queue_fill = queue_fill,
    .event_wait = event_wait,
    .event_is_done = event_is_done,
    .event_times = event_times,
    .event_destroy = event_destroy,
    .kernel_load = kernel_load,
    .kernel_destroy = kernel_destroy,
    .kernel_launch = kernel_launch,
};

kd_status kd_cpu_device_open(const kd_device_options *options, kd_device **out_device, kd_failure *out_why)
{
    unsigned n_threads = options ? options->n_threads : 0;
    kd_status status = n_threads ? KD_OK : kd_processors_count(&n_threads, out_why);
    if (status)
        return status;
    if (n_threads > KD_MAX_THREADS)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "%u threads are asked for; expected at most %d", n_threads, KD_MAX_THREADS);
    cpu_device *device = calloc(1, sizeof *device);
    if (!device)
        return kd_fail(out_why, KD_ERR_MEMORY, "no memory for the device cpu");
    status = kd_device_init(&device->base, &OPS, out_why);
    if (!status && (status = kd_pool_create(n_threads, &device->pool))) {
        kd_fail(out_why, status, "no memory for the device cpu");
        kd_device_fini(&device->base);
    }
    if (status)
        free(device);
    else
        *out_device = &device->base;
    return status;
}
