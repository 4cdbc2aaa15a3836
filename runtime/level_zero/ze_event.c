/* ze_event.c - events: taken from pools, handed back when their work is done. */
#include "runtime/level_zero/ze_impl.h"

#include <math.h>
#include <stdlib.h>

enum { EVENTS_OF_POOL = 64 };

struct ze_pool {
    ze_pool *next;
    ze_event_pool_handle_t handle;
    uint64_t used; /* a bit for each event */
};

/* ---- making, under the device's lock ---- */

static bool is_done(ze_device *device, const ze_event *event)
{
    return device->ze.zeEventQueryStatus(event->handle) != ZE_RESULT_NOT_READY; /* an error: it will never be more done than now */
}

static void release_event(ze_device *device, ze_event *event)
{
    device->ze.zeEventDestroy(event->handle);
    event->pool->used &= ~(1ull << event->index);
    free(event);
}

static void sweep_retired(ze_device *device)
{
    for (ze_event **at = &device->retired; *at;) {
        ze_event *event = *at;
        if (is_done(device, event)) {
            *at = event->next_retired;
            release_event(device, event);
        } else {
            at = &event->next_retired;
        }
    }
}

static kd_status find_pool(ze_device *device, ze_pool **out_pool)
{
    for (ze_pool *pool = device->pools; pool; pool = pool->next)
        if (pool->used != UINT64_MAX) {
            *out_pool = pool;
            return KD_OK;
        }
    ze_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return kd_fail(kd_device_why(&device->base), KD_ERR_MEMORY, "no memory for an event");
    ze_event_pool_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_EVENT_POOL_DESC,
                                 .flags = ZE_EVENT_POOL_FLAG_HOST_VISIBLE | ZE_EVENT_POOL_FLAG_KERNEL_TIMESTAMP,
                                 .count = EVENTS_OF_POOL};
    ze_result_t result = device->ze.zeEventPoolCreate(device->context, &desc, 1, &device->place.device, &pool->handle);
    if (result) {
        free(pool);
        return ZE_FAIL(device, result, "cannot make events");
    }
    pool->next = device->pools;
    device->pools = *out_pool = pool;
    return KD_OK;
}

static kd_status make_locked(ze_device *device, ze_event *event)
{
    sweep_retired(device);
    ze_pool *pool = NULL;
    kd_status status = find_pool(device, &pool);
    if (status)
        return status;
    unsigned index = (unsigned)__builtin_ctzll(~pool->used);
    ze_event_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_EVENT_DESC, .index = index, .signal = ZE_EVENT_SCOPE_FLAG_HOST};
    ze_result_t result = device->ze.zeEventCreate(pool->handle, &desc, &event->handle);
    if (!result && (result = device->ze.zeEventHostReset(event->handle))) /* it may have been another's, and signaled */
        device->ze.zeEventDestroy(event->handle);
    if (result)
        return ZE_FAIL(device, result, "cannot make an event");
    event->pool = pool;
    event->index = index;
    pool->used |= 1ull << index;
    return KD_OK;
}

kd_status ze_event_make(ze_device *device, ze_event **out_event)
{
    ze_event *event = calloc(1, sizeof *event);
    if (!event)
        return kd_fail(kd_device_why(&device->base), KD_ERR_MEMORY, "no memory for an event");
    event->base.device = &device->base;
    pthread_mutex_lock(&device->lock);
    kd_status status = make_locked(device, event);
    pthread_mutex_unlock(&device->lock);
    if (status)
        free(event);
    else
        *out_event = event;
    return status;
}

void ze_event_recycle(ze_event *event)
{
    if (!event)
        return;
    ze_device *device = ze_device_of(event->base.device);
    pthread_mutex_lock(&device->lock);
    release_event(device, event);
    pthread_mutex_unlock(&device->lock);
}

void ze_events_release(ze_device *device)
{
    while (device->retired) {
        ze_event *event = device->retired;
        device->retired = event->next_retired;
        release_event(device, event);
    }
    while (device->pools) {
        ze_pool *pool = device->pools;
        device->pools = pool->next;
        device->ze.zeEventPoolDestroy(pool->handle);
        free(pool);
    }
}

/* ---- for callers ---- */

kd_status ze_event_wait(kd_event *base)
{
    ze_event *event = (ze_event *)base;
    ze_device *device = ze_device_of(base->device);
    ze_result_t result = device->ze.zeEventHostSynchronize(event->handle, UINT64_MAX);
    if (result)
        return ZE_FAIL(device, result, "waiting for work on the device %s failed", device->facts.info.name);
    ze_records_read(device, NULL, NULL, event);
    pthread_mutex_lock(&device->lock);
    kd_status status = event->failed ? kd_fail(kd_device_why(base->device), KD_ERR_ASSERT, "%s", event->why.text) : KD_OK;
    pthread_mutex_unlock(&device->lock);
    return status;
}

bool ze_event_is_done(kd_event *base)
{
    return is_done(ze_device_of(base->device), (ze_event *)base);
}

kd_status ze_event_times(kd_event *base, uint64_t *out_begin_ns, uint64_t *out_end_ns)
{
    ze_event *event = (ze_event *)base;
    ze_device *device = ze_device_of(base->device);
    ze_kernel_timestamp_result_t ticks;
    ze_result_t result = device->ze.zeEventHostSynchronize(event->handle, UINT64_MAX);
    if (!result)
        result = device->ze.zeEventQueryKernelTimestamp(event->handle, &ticks);
    if (result)
        return ZE_FAIL(device, result, "cannot tell when work on the device %s began and ended", device->facts.info.name);
    unsigned bits = device->facts.timestamp_bits;
    uint64_t mask = bits >= 64 ? UINT64_MAX : (1ull << bits) - 1;
    uint64_t begin = ticks.global.kernelStart & mask,
             n_ticks = (ticks.global.kernelEnd - ticks.global.kernelStart) & mask; /* they wrap */
    *out_begin_ns = (uint64_t)llround((double)begin * device->facts.ns_per_tick);
    *out_end_ns = *out_begin_ns + (uint64_t)llround((double)n_ticks * device->facts.ns_per_tick);
    return KD_OK;
}

void ze_event_destroy(kd_event *base)
{
    ze_event *event = (ze_event *)base;
    ze_device *device = ze_device_of(base->device);
    ze_records_forget_event(device, event);
    pthread_mutex_lock(&device->lock);
    if (is_done(device, event)) {
        release_event(device, event);
    } else {
        event->next_retired = device->retired;
        device->retired = event;
    }
    pthread_mutex_unlock(&device->lock);
}
