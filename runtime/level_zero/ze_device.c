/* ze_device.c - a GPU as a device: opening, memory, and the table of its functions. */
#include "runtime/level_zero/ze_impl.h"

#include <stdlib.h>

enum { MEMORY_ALIGNMENT = 64 };

static void device_close(kd_device *base)
{
    ze_device *device = ze_device_of(base);
    ze_records_release(device);
    ze_events_release(device);
    if (device->context)
        device->ze.zeContextDestroy(device->context);
    kd_cache_close(device->cache);
    pthread_mutex_destroy(&device->lock);
    kd_device_fini(base);
    free(device);
}

static void device_get_info(const kd_device *device, kd_device_info *out_info)
{
    *out_info = ((const ze_device *)device)->facts.info;
}

/* ---- memory: the device's own. What the host wants to see is copied, as fast as the bus goes, and nothing moves unasked. ---- */

static kd_status memory_alloc(kd_device *base, size_t n_bytes, void **out_memory)
{
    ze_device *device = ze_device_of(base);
    const kd_ze_facts *facts = &device->facts;
    ze_relaxed_allocation_limits_exp_desc_t relaxed = {.stype = ZE_STRUCTURE_TYPE_RELAXED_ALLOCATION_LIMITS_EXP_DESC,
                                                       .flags = ZE_RELAXED_ALLOCATION_LIMITS_EXP_FLAG_MAX_SIZE};
    ze_device_mem_alloc_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC,
                                       .pNext = n_bytes > facts->max_alloc_bytes && facts->has_relaxed_limits ? &relaxed : NULL};
    void *memory = NULL;
    ze_result_t result =
        device->ze.zeMemAllocDevice(device->context, &desc, n_bytes ? n_bytes : 1, MEMORY_ALIGNMENT, device->place.device, &memory);
    if (result == ZE_RESULT_ERROR_UNSUPPORTED_SIZE)
        return kd_fail(kd_device_why(base), KD_ERR_MEMORY,
                       "no memory for a buffer of %zu bytes: the device %s allocates at most %llu at once", n_bytes,
                       facts->info.name, (unsigned long long)facts->max_alloc_bytes);
    if (result)
        return ZE_FAIL(device, result, "no memory for a buffer of %zu bytes on the device %s, which has %llu", n_bytes,
                       facts->info.name, (unsigned long long)facts->info.memory_bytes);
    *out_memory = memory;
    return KD_OK;
}

static void memory_free(kd_device *base, void *memory)
{
    ze_device *device = ze_device_of(base);
    device->ze.zeMemFree(device->context, memory);
}

static bool memory_is_usable(kd_device *base, const void *memory)
{
    ze_device *device = ze_device_of(base);
    ze_memory_allocation_properties_t properties = {.stype = ZE_STRUCTURE_TYPE_MEMORY_ALLOCATION_PROPERTIES};
    return device->ze.zeMemGetAllocProperties(device->context, memory, &properties, NULL) == ZE_RESULT_SUCCESS &&
           properties.type != ZE_MEMORY_TYPE_UNKNOWN;
}

static const kd_device_ops OPS = {
    .close = device_close,
    .get_info = device_get_info,
    .memory_alloc = memory_alloc,
    .memory_free = memory_free,
    .memory_is_usable = memory_is_usable,
    .queue_create = ze_queue_create,
    .queue_destroy = ze_queue_destroy,
    .queue_finish = ze_queue_finish,
    .queue_copy = ze_queue_copy,
    .queue_fill = ze_queue_fill,
    .event_wait = ze_event_wait,
    .event_is_done = ze_event_is_done,
    .event_times = ze_event_times,
    .event_destroy = ze_event_destroy,
    .kernel_load = ze_kernel_load,
    .kernel_destroy = ze_kernel_destroy,
    .kernel_usage = ze_kernel_usage,
    .kernel_launch = ze_kernel_launch,
};

/* ---- opening ---- */

static kd_status open_place(ze_device *device, unsigned index, kd_failure *out_why)
{
    kd_ze_place places[KD_ZE_MAX_DEVICES];
    unsigned n = 0;
    kd_status status = kd_ze_open(&device->ze, out_why);
    if (!status)
        status = kd_ze_find(&device->ze, places, &n, out_why);
    if (status)
        return status;
    if (index >= n)
        return kd_fail(out_why, KD_ERR_NOT_FOUND, "there is no device 'level_zero:%u'; this machine has %u GPU%s", index, n,
                       n == 1 ? "" : "s");
    device->place = places[index];
    status = kd_ze_describe(&device->ze, device->place, index, &device->facts, out_why);
    if (status)
        return status;
    ze_context_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_CONTEXT_DESC};
    ze_result_t result = device->ze.zeContextCreate(device->place.driver, &desc, &device->context);
    if (result) {
        device->context = NULL;
        return kd_ze_fail(&device->ze, device->place.driver, result, out_why, "cannot open the device level_zero:%u", index);
    }
    return KD_OK;
}

kd_status kd_ze_device_open(unsigned index, const kd_device_options *options, kd_device **out_device, kd_failure *out_why)
{
    ze_device *device = calloc(1, sizeof *device);
    if (!device)
        return kd_fail(out_why, KD_ERR_MEMORY, "no memory for the device level_zero:%u", index);
    kd_status status = kd_device_init(&device->base, &OPS, out_why);
    if (status) {
        free(device);
        return status;
    }
    pthread_mutex_init(&device->lock, NULL);
    status = open_place(device, index, out_why);
    if (status) {
        device_close(&device->base);
        return status;
    }
    if (!options || !options->no_cache)
        kd_cache_open(NULL, &device->cache, NULL); /* without one, the driver compiles each time */
    *out_device = &device->base;
    return KD_OK;
}

kd_status kd_ze_device_list(kd_device_info *out_infos, unsigned capacity, unsigned *out_n, kd_failure *out_why)
{
    kd_ze ze;
    kd_ze_place places[KD_ZE_MAX_DEVICES];
    unsigned n = 0;
    kd_status status = kd_ze_open(&ze, out_why);
    if (!status)
        status = kd_ze_find(&ze, places, &n, out_why);
    for (unsigned i = 0; i < n && i < capacity && !status; i++) {
        kd_ze_facts facts;
        status = kd_ze_describe(&ze, places[i], i, &facts, out_why);
        if (!status)
            out_infos[i] = facts.info;
    }
    if (!status)
        *out_n = n;
    return status;
}
