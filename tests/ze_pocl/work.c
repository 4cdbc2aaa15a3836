/* work.c - contexts, memory, command lists and events. A command list is an in-order OpenCL queue: work runs while the caller goes on. */
#include "driver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct allocation {
    struct allocation *next;
    char *memory;
    size_t n_bytes;
    ze_memory_type_t type;
} allocation;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the allocations and events */
static allocation *allocations;
static uint64_t n_allocated;

struct _ze_context_handle_t {
    int unused;
};
struct _ze_command_list_handle_t {
    cl_command_queue queue;
};
struct _ze_event_pool_handle_t {
    uint32_t n_events, n_used;
};
struct _ze_event_handle_t {
    ze_event_pool_handle_t pool;
    cl_event event; /* NULL: nothing signals it yet */
};

/* ---- contexts and memory ---- */

CALL zp_context_create(ze_driver_handle_t driver, const ze_context_desc_t *desc, ze_context_handle_t *out)
{
    ENTER();
    *out = calloc(1, sizeof **out);
    zp_count(ZP_CONTEXT, 1);
    return ZE_RESULT_SUCCESS;
}

CALL zp_context_destroy(ze_context_handle_t context)
{
    free(context);
    zp_count(ZP_CONTEXT, -1);
    return zp_enter(__func__);
}

static const allocation *find_allocation(const void *address)
{
    for (const allocation *a = allocations; a; a = a->next)
        if ((const char *)address >= a->memory && (const char *)address < a->memory + a->n_bytes)
            return a;
    return NULL;
}

bool zp_is_memory(const void *address)
{
    pthread_mutex_lock(&lock);
    bool found = find_allocation(address) != NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

static ze_result_t allocate(size_t n_bytes, size_t alignment, ze_memory_type_t type, bool any_size, void **out)
{
    if (n_bytes > zp_option.memory / 2 && !any_size)
        return zp_fail(ZE_RESULT_ERROR_UNSUPPORTED_SIZE, "%zu bytes are more than one allocation may have", n_bytes);
    pthread_mutex_lock(&lock);
    bool fits = n_bytes <= zp_option.memory - n_allocated;
    allocation *a = fits ? calloc(1, sizeof *a) : NULL;
    if (a && (a->memory = clSVMAlloc(zp_open()->context, CL_MEM_READ_WRITE, n_bytes, alignment > 128 ? 128 : (cl_uint)alignment))) {
        memset(a->memory, 0xcd, n_bytes); /* nobody may rely on zeros */
        a->n_bytes = n_bytes;
        a->type = type;
        a->next = allocations;
        allocations = a;
        n_allocated += n_bytes;
        *out = a->memory;
    } else {
        free(a);
        fits = false;
    }
    pthread_mutex_unlock(&lock);
    if (!fits)
        return zp_fail(ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY, "%llu bytes are in use", (unsigned long long)n_allocated);
    zp_count(ZP_MEMORY, 1);
    return ZE_RESULT_SUCCESS;
}

CALL zp_alloc_device(ze_context_handle_t context, const ze_device_mem_alloc_desc_t *desc, size_t n_bytes, size_t alignment,
                     ze_device_handle_t device, void **out)
{
    ENTER();
    const ze_relaxed_allocation_limits_exp_desc_t *relaxed = desc->pNext;
    return allocate(n_bytes, alignment, ZE_MEMORY_TYPE_DEVICE,
                    relaxed && relaxed->stype == ZE_STRUCTURE_TYPE_RELAXED_ALLOCATION_LIMITS_EXP_DESC, out);
}

CALL zp_alloc_host(ze_context_handle_t context, const ze_host_mem_alloc_desc_t *desc, size_t n_bytes, size_t alignment, void **out)
{
    ENTER();
    return allocate(n_bytes, alignment, ZE_MEMORY_TYPE_HOST, false, out);
}

CALL zp_alloc_shared(ze_context_handle_t context, const ze_device_mem_alloc_desc_t *desc, const ze_host_mem_alloc_desc_t *host,
                     size_t n_bytes, size_t alignment, ze_device_handle_t device, void **out)
{
    ENTER();
    return allocate(n_bytes, alignment, ZE_MEMORY_TYPE_SHARED, false, out);
}

CALL zp_free(ze_context_handle_t context, void *memory)
{
    ze_result_t fault = zp_enter(__func__);
    pthread_mutex_lock(&lock);
    allocation **at = &allocations;
    while (*at && (*at)->memory != memory)
        at = &(*at)->next;
    allocation *a = *at;
    if (a) {
        *at = a->next;
        n_allocated -= a->n_bytes;
    }
    pthread_mutex_unlock(&lock);
    if (!a)
        return zp_fail(ZE_RESULT_ERROR_INVALID_ARGUMENT, "no allocation begins at %p", memory);
    clSVMFree(zp_open()->context, memory);
    free(a);
    zp_count(ZP_MEMORY, -1);
    return fault;
}

CALL zp_alloc_properties(ze_context_handle_t context, const void *address, ze_memory_allocation_properties_t *p,
                         ze_device_handle_t *device)
{
    ENTER();
    pthread_mutex_lock(&lock);
    const allocation *a = find_allocation(address);
    p->type = a ? a->type : ZE_MEMORY_TYPE_UNKNOWN;
    pthread_mutex_unlock(&lock);
    return ZE_RESULT_SUCCESS;
}

/* ---- command lists ---- */

CALL zp_list_create(ze_context_handle_t context, ze_device_handle_t device, const ze_command_queue_desc_t *desc,
                    ze_command_list_handle_t *out)
{
    ENTER();
    if (desc->ordinal > 1)
        return zp_fail(ZE_RESULT_ERROR_INVALID_ARGUMENT, "there is no queue group %u", desc->ordinal);
    if (!(desc->flags & ZE_COMMAND_QUEUE_FLAG_IN_ORDER) || zp_option.no_in_order)
        return zp_fail(ZE_RESULT_ERROR_UNSUPPORTED_FEATURE, "only lists in order are supported");
    const cl_queue_properties properties[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0};
    cl_int error = CL_SUCCESS;
    ze_command_list_handle_t list = calloc(1, sizeof *list);
    list->queue = clCreateCommandQueueWithProperties(zp_open()->context, zp_open()->device, properties, &error);
    if (error) {
        free(list);
        return zp_fail(ZE_RESULT_ERROR_UNKNOWN, "clCreateCommandQueueWithProperties returned %d", error);
    }
    zp_count(ZP_LIST, 1);
    *out = list;
    return ZE_RESULT_SUCCESS;
}

CALL zp_list_destroy(ze_command_list_handle_t list)
{
    clFinish(list->queue);
    clReleaseCommandQueue(list->queue);
    free(list);
    zp_count(ZP_LIST, -1);
    return zp_enter(__func__);
}

CALL zp_list_synchronize(ze_command_list_handle_t list, uint64_t timeout)
{
    cl_int error = clFinish(list->queue); /* a lost device does nothing any more: what PoCL still does must be over */
    ENTER();
    return error ? zp_fail(ZE_RESULT_ERROR_DEVICE_LOST, "clFinish returned %d", error) : ZE_RESULT_SUCCESS;
}

/* Takes what OpenCL said of a command: its event goes to the Level Zero event, which may be NULL. */
static ze_result_t appended(ze_command_list_handle_t list, const char *call, cl_int error, ze_event_handle_t signal, cl_event event)
{
    if (error)
        return zp_fail(error == CL_OUT_OF_HOST_MEMORY ? ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY : ZE_RESULT_ERROR_UNKNOWN,
                       "%s returned %d", call, error);
    clFlush(list->queue);
    if (signal) {
        pthread_mutex_lock(&lock);
        signal->event = event;
        pthread_mutex_unlock(&lock);
    }
    return ZE_RESULT_SUCCESS;
}

CALL zp_list_copy(ze_command_list_handle_t list, void *dst, const void *src, size_t n_bytes, ze_event_handle_t signal,
                  uint32_t n_wait, ze_event_handle_t *wait)
{
    ENTER();
    cl_event event = NULL;
    cl_int error = clEnqueueSVMMemcpy(list->queue, CL_FALSE, dst, src, n_bytes, 0, NULL, signal ? &event : NULL);
    return appended(list, "clEnqueueSVMMemcpy", error, signal, event);
}

CALL zp_list_fill(ze_command_list_handle_t list, void *dst, const void *pattern, size_t pattern_bytes, size_t n_bytes,
                  ze_event_handle_t signal, uint32_t n_wait, ze_event_handle_t *wait)
{
    ENTER();
    cl_event event = NULL;
    cl_int error = clEnqueueSVMMemFill(list->queue, dst, pattern, pattern_bytes, n_bytes, 0, NULL, signal ? &event : NULL);
    return appended(list, "clEnqueueSVMMemFill", error, signal, event);
}

CALL zp_list_barrier(ze_command_list_handle_t list, ze_event_handle_t signal, uint32_t n_wait, ze_event_handle_t *wait)
{
    ENTER();
    cl_event event = NULL;
    cl_int error = clEnqueueMarkerWithWaitList(list->queue, 0, NULL, signal ? &event : NULL);
    return appended(list, "clEnqueueMarkerWithWaitList", error, signal, event);
}

CALL zp_list_launch(ze_command_list_handle_t list, ze_kernel_handle_t kernel, const ze_group_count_t *groups,
                    ze_event_handle_t signal, uint32_t n_wait, ze_event_handle_t *wait)
{
    ENTER();
    cl_event event = NULL;
    ze_result_t result = zp_kernel_enqueue(kernel, list->queue, groups, signal ? &event : NULL);
    return result ? result : appended(list, "clEnqueueNDRangeKernel", CL_SUCCESS, signal, event);
}

/* ---- events ---- */

CALL zp_pool_create(ze_context_handle_t context, const ze_event_pool_desc_t *desc, uint32_t n_devices, ze_device_handle_t *devices,
                    ze_event_pool_handle_t *out)
{
    ENTER();
    *out = calloc(1, sizeof **out);
    (*out)->n_events = desc->count;
    zp_count(ZP_POOL, 1);
    return ZE_RESULT_SUCCESS;
}

CALL zp_pool_destroy(ze_event_pool_handle_t pool)
{
    free(pool);
    zp_count(ZP_POOL, -1);
    return zp_enter(__func__);
}

CALL zp_event_create(ze_event_pool_handle_t pool, const ze_event_desc_t *desc, ze_event_handle_t *out)
{
    ENTER();
    if (desc->index >= pool->n_events)
        return zp_fail(ZE_RESULT_ERROR_INVALID_ARGUMENT, "the pool has %u events", pool->n_events);
    *out = calloc(1, sizeof **out);
    (*out)->pool = pool;
    zp_count(ZP_EVENT, 1);
    return ZE_RESULT_SUCCESS;
}

CALL zp_event_destroy(ze_event_handle_t event)
{
    if (event->event)
        clReleaseEvent(event->event);
    free(event);
    zp_count(ZP_EVENT, -1);
    return zp_enter(__func__);
}

static cl_event event_of(ze_event_handle_t event)
{
    pthread_mutex_lock(&lock);
    cl_event e = event->event;
    pthread_mutex_unlock(&lock);
    return e;
}

CALL zp_event_synchronize(ze_event_handle_t event, uint64_t timeout)
{
    ENTER();
    cl_event e = event_of(event);
    if (!e)
        return zp_fail(ZE_RESULT_NOT_READY, "nothing signals the event");
    cl_int error = clWaitForEvents(1, &e);
    return error ? zp_fail(ZE_RESULT_ERROR_DEVICE_LOST, "clWaitForEvents returned %d", error) : ZE_RESULT_SUCCESS;
}

CALL zp_event_status(ze_event_handle_t event)
{
    ENTER();
    cl_event e = event_of(event);
    cl_int status = CL_QUEUED;
    if (e)
        clGetEventInfo(e, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    return status <= CL_COMPLETE ? ZE_RESULT_SUCCESS : ZE_RESULT_NOT_READY;
}

CALL zp_event_reset(ze_event_handle_t event)
{
    ENTER();
    if (event->event)
        clReleaseEvent(event->event);
    event->event = NULL;
    return ZE_RESULT_SUCCESS;
}

CALL zp_event_times(ze_event_handle_t event, ze_kernel_timestamp_result_t *out)
{
    ENTER();
    cl_event e = event_of(event);
    cl_ulong begin = 0, end = 0;
    if (!e || clGetEventProfilingInfo(e, CL_PROFILING_COMMAND_START, sizeof begin, &begin, NULL) ||
        clGetEventProfilingInfo(e, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL))
        return zp_fail(ZE_RESULT_NOT_READY, "the event has no times");
    out->global.kernelStart = out->context.kernelStart = begin;
    out->global.kernelEnd = out->context.kernelEnd = end;
    return ZE_RESULT_SUCCESS;
}
