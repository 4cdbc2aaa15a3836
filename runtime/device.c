/* device.c - the device interface: checks, the last error of each thread, and the table of the device's kind. */
#include "runtime/device_impl.h"
#include "runtime/desc.h"

#include <stdlib.h>
#include <string.h>

/* ---- failures ---- */

kd_status kd_device_init(kd_device *device, const kd_device_ops *ops, kd_failure *out_why)
{
    if (pthread_key_create(&device->failure_key, free))
        return kd_fail(out_why, KD_ERR_MEMORY, "too many devices are open");
    device->ops = ops;
    return KD_OK;
}

void kd_device_fini(kd_device *device)
{
    free(pthread_getspecific(device->failure_key)); /* other threads' go when they end, or stay */
    pthread_key_delete(device->failure_key);
}

kd_failure *kd_device_why(kd_device *device)
{
    kd_failure *why = pthread_getspecific(device->failure_key);
    if (!why) {
        why = calloc(1, sizeof *why);
        if (why && pthread_setspecific(device->failure_key, why)) {
            free(why);
            why = NULL;
        }
    }
    return why;
}

const char *kd_device_error(kd_device *device)
{
    const kd_failure *why = device ? pthread_getspecific(device->failure_key) : NULL;
    return why ? why->text : "";
}

/* ---- devices ---- */

/* "level_zero", "level_zero:3". */
static bool parse_gpu(const char *name, unsigned *out_index)
{
    static const char KIND[] = "level_zero";
    if (strncmp(name, KIND, sizeof KIND - 1) != 0)
        return false;
    const char *rest = name + sizeof KIND - 1;
    *out_index = 0;
    if (*rest == '\0')
        return true;
    if (*rest++ != ':' || *rest < '0' || *rest > '9' || strlen(rest) > 4)
        return false;
    char *end;
    *out_index = (unsigned)strtoul(rest, &end, 10);
    return *end == '\0';
}

kd_status kd_device_open(const char *name, const kd_device_options *options, kd_device **out_device, kd_failure *out_why)
{
    if (!name || !out_device)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "kd_device_open needs a name and a place for the device");
    if (!strcmp(name, "cpu"))
        return kd_cpu_device_open(options, out_device, out_why);
    unsigned index;
    if (parse_gpu(name, &index))
        return kd_ze_device_open(index, options, out_device, out_why);
    return kd_fail(out_why, KD_ERR_ARGUMENT, "there is no device '%s'; expected cpu, level_zero or level_zero:N", name);
}

void kd_device_close(kd_device *device)
{
    if (device)
        device->ops->close(device);
}

void kd_device_get_info(const kd_device *device, kd_device_info *out_info)
{
    device->ops->get_info(device, out_info);
}

unsigned kd_device_list(kd_device_info *out_infos, unsigned capacity)
{
    if (capacity > 0)
        kd_cpu_describe(&out_infos[0]);
    unsigned n_gpus = 0;
    if (kd_ze_device_list(capacity > 1 ? out_infos + 1 : NULL, capacity > 1 ? capacity - 1 : 0, &n_gpus, NULL))
        n_gpus = 0;
    return 1 + n_gpus;
}

kd_status kd_device_list_gpus(kd_device_info *out_infos, unsigned capacity, unsigned *out_n, kd_failure *out_why)
{
    return kd_ze_device_list(out_infos, capacity, out_n, out_why);
}

kd_status kd_memory_alloc(kd_device *device, size_t n_bytes, void **out_memory)
{
    if (!device || !out_memory)
        return KD_ERR_ARGUMENT;
    return device->ops->memory_alloc(device, n_bytes, out_memory);
}

void kd_memory_free(kd_device *device, void *memory)
{
    if (device && memory)
        device->ops->memory_free(device, memory);
}

bool kd_memory_is_usable(kd_device *device, const void *memory)
{
    return device && (!device->ops->memory_is_usable || device->ops->memory_is_usable(device, memory));
}

/* ---- queues and events ---- */

kd_status kd_queue_create(kd_device *device, kd_queue **out_queue)
{
    if (!device || !out_queue)
        return KD_ERR_ARGUMENT;
    return device->ops->queue_create(device, out_queue);
}

void kd_queue_destroy(kd_queue *queue)
{
    if (queue)
        queue->device->ops->queue_destroy(queue);
}

kd_status kd_queue_finish(kd_queue *queue)
{
    return queue ? queue->device->ops->queue_finish(queue) : KD_ERR_ARGUMENT;
}

kd_status kd_queue_copy(kd_queue *queue, void *dst, const void *src, size_t n_bytes, kd_event **out_done)
{
    if (!queue)
        return KD_ERR_ARGUMENT;
    if (n_bytes && (!dst || !src))
        return kd_fail(kd_device_why(queue->device), KD_ERR_ARGUMENT, "a copy of %zu bytes %s NULL", n_bytes, dst ? "from" : "to");
    return queue->device->ops->queue_copy(queue, dst, src, n_bytes, out_done);
}

kd_status kd_queue_fill(kd_queue *queue, void *dst, unsigned char value, size_t n_bytes, kd_event **out_done)
{
    if (!queue)
        return KD_ERR_ARGUMENT;
    if (n_bytes && !dst)
        return kd_fail(kd_device_why(queue->device), KD_ERR_ARGUMENT, "a fill of %zu bytes at NULL", n_bytes);
    return queue->device->ops->queue_fill(queue, dst, value, n_bytes, out_done);
}

kd_status kd_event_wait(kd_event *event)
{
    return event ? event->device->ops->event_wait(event) : KD_ERR_ARGUMENT;
}

bool kd_event_is_done(kd_event *event)
{
    return !event || event->device->ops->event_is_done(event);
}

kd_status kd_event_times(kd_event *event, uint64_t *out_begin_ns, uint64_t *out_end_ns)
{
    return event && out_begin_ns && out_end_ns ? event->device->ops->event_times(event, out_begin_ns, out_end_ns) : KD_ERR_ARGUMENT;
}

void kd_event_destroy(kd_event *event)
{
    if (event)
        event->device->ops->event_destroy(event);
}

/* ---- kernels ---- */

kd_status kd_kernel_load(kd_device *device, const kd_kernel_desc *desc, const void *code, size_t n_bytes, kd_kernel **out_kernel)
{
    if (!device || !desc || !code || !out_kernel)
        return KD_ERR_ARGUMENT;
    kd_status status = kd_kernel_desc_check(desc, kd_device_why(device));
    if (status)
        return status;
    kd_kernel_desc *copy = kd_kernel_desc_copy(desc);
    if (!copy)
        return kd_fail(kd_device_why(device), KD_ERR_MEMORY, "no memory for kernel '%s'", desc->name);
    status = device->ops->kernel_load(device, copy, code, n_bytes, out_kernel);
    if (status)
        free(copy);
    return status;
}

void kd_kernel_destroy(kd_kernel *kernel)
{
    if (!kernel)
        return;
    kd_kernel_desc *desc = kernel->desc;
    kernel->device->ops->kernel_destroy(kernel);
    free(desc);
}

const kd_kernel_desc *kd_kernel_get_desc(const kd_kernel *kernel)
{
    return kernel->desc;
}

void kd_kernel_get_usage(const kd_kernel *kernel, kd_kernel_usage *out_usage)
{
    *out_usage = (kd_kernel_usage){0};
    if (kernel->device->ops->kernel_usage)
        kernel->device->ops->kernel_usage(kernel, out_usage);
}
