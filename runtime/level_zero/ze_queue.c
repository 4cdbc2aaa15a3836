/* ze_queue.c - a queue is an immediate command list that runs in order; launches and copies return before their work is done. */
#include "runtime/level_zero/ze_impl.h"

#include <stdlib.h>
#include <string.h>

kd_status ze_queue_create(kd_device *base, kd_queue **out_queue)
{
    ze_device *device = ze_device_of(base);
    ze_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return kd_fail(kd_device_why(base), KD_ERR_MEMORY, "no memory for a queue");
    if (!device->ze.zeCommandListHostSynchronize) {
        free(queue);
        return kd_fail(kd_device_why(base), KD_ERR_UNSUPPORTED,
                       "the Level Zero loader is older than version 1.6, which queues need");
    }
    ze_command_queue_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC,
                                    .ordinal = device->facts.compute_ordinal,
                                    .flags = ZE_COMMAND_QUEUE_FLAG_IN_ORDER,
                                    .mode = ZE_COMMAND_QUEUE_MODE_ASYNCHRONOUS};
    ze_result_t result = device->ze.zeCommandListCreateImmediate(device->context, device->place.device, &desc, &queue->list);
    if (result) {
        free(queue);
        return ZE_FAIL(device, result, "cannot make a queue on the device %s", device->facts.info.name);
    }
    queue->base.device = base;
    pthread_mutex_init(&queue->lock, NULL);
    *out_queue = &queue->base;
    return KD_OK;
}

static ze_result_t synchronize(ze_queue *queue)
{
    ze_device *device = ze_device_of(queue->base.device);
    ze_result_t result = device->ze.zeCommandListHostSynchronize(queue->list, UINT64_MAX);
    if (!result)
        ze_records_read(device, queue, NULL, NULL);
    return result;
}

void ze_queue_destroy(kd_queue *base)
{
    ze_queue *queue = (ze_queue *)base;
    ze_device *device = ze_device_of(base->device);
    if (synchronize(queue)) /* lost: what the launches had to say will never be there */
        ze_records_read(device, queue, NULL, NULL);
    device->ze.zeCommandListDestroy(queue->list);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

kd_status ze_queue_finish(kd_queue *base)
{
    ze_queue *queue = (ze_queue *)base;
    ze_device *device = ze_device_of(base->device);
    ze_result_t result = synchronize(queue);
    if (result)
        return ZE_FAIL(device, result, "waiting for the device %s failed", device->facts.info.name);
    pthread_mutex_lock(&device->lock);
    kd_status status = queue->failed ? kd_fail(kd_device_why(base->device), KD_ERR_ASSERT, "%s", queue->why.text) : KD_OK;
    queue->failed = false;
    pthread_mutex_unlock(&device->lock);
    return status;
}

/* ---- work ---- */

static kd_status begin(kd_queue *queue, kd_event **out_done, ze_event **out_event)
{
    *out_event = NULL;
    return out_done ? ze_event_make(ze_device_of(queue->device), out_event) : KD_OK;
}

/* Takes what the driver said of the work: the event goes to the caller, or away. */
static kd_status done_or_not(kd_queue *queue, ze_result_t result, const char *what, size_t n_bytes, ze_event *event,
                             kd_event **out_done)
{
    ze_device *device = ze_device_of(queue->device);
    if (result) {
        kd_status status =
            ZE_FAIL(device, result, "a %s of %zu bytes on the device %s failed", what, n_bytes, device->facts.info.name);
        ze_event_recycle(event);
        return status;
    }
    if (event)
        *out_done = &event->base;
    return KD_OK;
}

static ze_event_handle_t handle_of(const ze_event *event)
{
    return event ? event->handle : NULL;
}

kd_status ze_queue_copy(kd_queue *base, void *dst, const void *src, size_t n_bytes, kd_event **out_done)
{
    ze_queue *queue = (ze_queue *)base;
    const kd_ze *ze = &ze_device_of(base->device)->ze;
    ze_event *event;
    kd_status status = begin(base, out_done, &event);
    if (status)
        return status;
    pthread_mutex_lock(&queue->lock);
    ze_result_t result = ZE_RESULT_SUCCESS;
    if (n_bytes)
        result = ze->zeCommandListAppendMemoryCopy(queue->list, dst, src, n_bytes, handle_of(event), 0, NULL);
    else if (event)
        result = ze->zeCommandListAppendBarrier(queue->list, event->handle, 0, NULL);
    pthread_mutex_unlock(&queue->lock);
    return done_or_not(base, result, "copy", n_bytes, event, out_done);
}

kd_status ze_queue_fill(kd_queue *base, void *dst, unsigned char value, size_t n_bytes, kd_event **out_done)
{
    ze_queue *queue = (ze_queue *)base;
    const kd_ze *ze = &ze_device_of(base->device)->ze;
    ze_event *event;
    kd_status status = begin(base, out_done, &event);
    if (status)
        return status;
    pthread_mutex_lock(&queue->lock);
    ze_result_t result = ZE_RESULT_SUCCESS;
    if (n_bytes)
        result = ze->zeCommandListAppendMemoryFill(queue->list, dst, &value, 1, n_bytes, handle_of(event), 0, NULL);
    else if (event)
        result = ze->zeCommandListAppendBarrier(queue->list, event->handle, 0, NULL);
    pthread_mutex_unlock(&queue->lock);
    return done_or_not(base, result, "fill", n_bytes, event, out_done);
}

/* ---- launches ---- */

/* Why the driver took no pointer: most likely it is not memory of the device. */
static kd_status argument_failed(ze_device *device, const ze_kernel *kernel, uint32_t i, ze_result_t result, const void *pointer)
{
    const kd_kernel_desc *desc = kernel->base.desc;
    ze_memory_allocation_properties_t properties = {.stype = ZE_STRUCTURE_TYPE_MEMORY_ALLOCATION_PROPERTIES};
    if (i < desc->n_args && desc->args[i].is_pointer && pointer && !device->facts.info.has_host_memory &&
        !device->ze.zeMemGetAllocProperties(device->context, pointer, &properties, NULL) &&
        properties.type == ZE_MEMORY_TYPE_UNKNOWN)
        return kd_fail(
            kd_device_why(&device->base), KD_ERR_ARGUMENT,
            "argument '%s' of kernel '%s' is at %p, which is no memory of the device %s; kd_memory_alloc gives such memory",
            desc->args[i].name, desc->name, pointer, device->facts.info.name);
    return ZE_FAIL(device, result, "cannot give argument '%s' to kernel '%s'", i < desc->n_args ? desc->args[i].name : "status",
                   desc->name);
}

/* With the kernel's lock. status: NULL where the kernel has no asserts. */
static kd_status set_arguments(ze_device *device, ze_kernel *kernel, const unsigned char *packed, kd_gpu_status *status)
{
    const kd_kernel_desc *desc = kernel->base.desc;
    for (uint32_t i = 0; i < desc->n_args; i++) {
        const kd_kernel_arg *arg = &desc->args[i];
        ze_result_t result = device->ze.zeKernelSetArgumentValue(kernel->handle, i, arg->size_bytes, packed + arg->offset_bytes);
        if (result) {
            const void *pointer = NULL;
            if (arg->is_pointer)
                memcpy(&pointer, packed + arg->offset_bytes, sizeof pointer);
            return argument_failed(device, kernel, i, result, pointer);
        }
    }
    ze_result_t result =
        status ? device->ze.zeKernelSetArgumentValue(kernel->handle, desc->n_args, sizeof status, &status) : ZE_RESULT_SUCCESS;
    return result ? argument_failed(device, kernel, desc->n_args, result, NULL) : KD_OK;
}

static kd_status check_grid(ze_device *device, const kd_kernel_desc *desc, const uint32_t grid[3])
{
    const uint32_t *most = device->facts.max_groups;
    for (unsigned i = 0; i < 3; i++)
        if (grid[i] > most[i])
            return kd_fail(kd_device_why(&device->base), KD_ERR_ARGUMENT,
                           "the grid of kernel '%s' is %u x %u x %u, but the device %s runs at most %u x %u x %u", desc->name,
                           grid[0], grid[1], grid[2], device->facts.info.name, most[0], most[1], most[2]);
    return KD_OK;
}

static kd_status append(ze_queue *queue, ze_kernel *kernel, const uint32_t grid[3], const void *packed, const ze_record *record,
                        ze_event *event)
{
    ze_device *device = ze_device_of(queue->base.device);
    ze_group_count_t groups = {grid[0], grid[1], grid[2]};
    pthread_mutex_lock(&kernel->lock);
    kd_status status = set_arguments(device, kernel, packed, record ? record->status : NULL);
    if (!status) {
        pthread_mutex_lock(&queue->lock);
        ze_result_t result =
            device->ze.zeCommandListAppendLaunchKernel(queue->list, kernel->handle, &groups, handle_of(event), 0, NULL);
        pthread_mutex_unlock(&queue->lock);
        if (result)
            status = ZE_FAIL(device, result, "cannot launch kernel '%s' on the device %s", kernel->base.desc->name,
                             device->facts.info.name);
    }
    pthread_mutex_unlock(&kernel->lock);
    return status;
}

kd_status ze_kernel_launch(kd_queue *base, kd_kernel *kernel, const uint32_t grid[3], uint64_t n_programs, const void *packed,
                           kd_event **out_done)
{
    if (n_programs == 0)
        return ze_queue_copy(base, NULL, NULL, 0, out_done);
    ze_queue *queue = (ze_queue *)base;
    ze_kernel *k = (ze_kernel *)kernel;
    ze_device *device = ze_device_of(base->device);
    ze_event *event = NULL;
    ze_record *record = NULL;
    kd_status status = check_grid(device, kernel->desc, grid);
    if (!status)
        status = begin(base, out_done, &event);
    if (!status && kernel->desc->n_messages)
        status = ze_record_begin(queue, k, event, &record);
    if (!status)
        status = append(queue, k, grid, packed, record, event);
    if (status) {
        if (record)
            ze_record_cancel(device, record);
        ze_event_recycle(event);
        return status;
    }
    if (event)
        *out_done = &event->base;
    return KD_OK;
}
