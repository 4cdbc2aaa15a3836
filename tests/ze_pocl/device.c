/* device.c - drivers and devices: PoCL's device under the name and with the abilities of an Intel GPU. */
#include "base/gpu_device.h"
#include "driver.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct driver {
    int unused;
} the_driver;
static struct device {
    int unused;
} devices[16];

static const struct {
    const char *name;
    uint32_t version;
} extensions[] = {
    {ZE_DEVICE_IP_VERSION_EXT_NAME, ZE_DEVICE_IP_VERSION_VERSION_CURRENT},
    {ZE_FLOAT_ATOMICS_EXT_NAME, ZE_FLOAT_ATOMICS_EXT_VERSION_CURRENT},
    {ZE_RELAXED_ALLOCATION_LIMITS_EXP_NAME, ZE_RELAXED_ALLOCATION_LIMITS_EXP_VERSION_CURRENT},
    {"ZE_intel_experimental_device_block_array_properties", ZE_MAKE_VERSION(1, 0)},
    {"ZE_intel_experimental_device_module_dp_properties", ZE_MAKE_VERSION(1, 0)},
};
enum { N_EXTENSIONS = sizeof extensions / sizeof *extensions, BLOCK_ARRAY = 0x00030007, DP = 0x00030013, PTL_REVISION = 4 };

static const kd_gpu_device *kind(void)
{
    const kd_gpu_device *device = kd_gpu_device_find(zp_option.device);
    return device ? device : &kd_gpu_devices[0];
}

/* ---- OpenCL ---- */

static zp_cl cl;
static bool is_open;
static uint32_t version; /* of the platform: what one makes of a kernel is nothing for another */

static void open_cl(void)
{
    cl_platform_id platforms[8];
    cl_uint n = 0;
    if (clGetPlatformIDs(8, platforms, &n))
        return;
    for (cl_uint i = 0; i < n && i < 8 && !is_open; i++) {
        char name[64] = "";
        clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof name, name, NULL);
        cl_int error = CL_SUCCESS;
        if (strstr(name, zp_option.platform) && !clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_CPU, 1, &cl.device, NULL) &&
            (cl.context = clCreateContext(NULL, 1, &cl.device, NULL, NULL, &error)) && !error)
            is_open = true;
        if (is_open) {
            char text[256] = "";
            clGetPlatformInfo(platforms[i], CL_PLATFORM_VERSION, sizeof text, text, NULL);
            for (const char *c = text; *c; c++)
                version = 31 * version + (unsigned char)*c;
        }
    }
}

const zp_cl *zp_open(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_cl);
    return is_open ? &cl : NULL;
}

/* ---- drivers ---- */

CALL zp_init(ze_init_flags_t flags)
{
    ENTER();
    return zp_open() ? ZE_RESULT_SUCCESS : zp_fail(ZE_RESULT_ERROR_UNINITIALIZED, "PoCL is not there");
}

static ze_result_t give_driver(uint32_t *n, ze_driver_handle_t *drivers)
{
    if (!zp_open())
        return zp_fail(ZE_RESULT_ERROR_UNINITIALIZED, "PoCL is not there");
    if (*n && drivers)
        drivers[0] = (ze_driver_handle_t)&the_driver;
    *n = 1;
    return ZE_RESULT_SUCCESS;
}

CALL zp_driver_get(uint32_t *n, ze_driver_handle_t *drivers)
{
    ENTER();
    return give_driver(n, drivers);
}

CALL zp_init_drivers(uint32_t *n, ze_driver_handle_t *drivers, ze_init_driver_type_desc_t *desc)
{
    ENTER();
    return give_driver(n, drivers);
}

CALL zp_driver_api_version(ze_driver_handle_t driver, ze_api_version_t *version)
{
    ENTER();
    *version = ZE_API_VERSION_CURRENT;
    return ZE_RESULT_SUCCESS;
}

CALL zp_driver_properties(ze_driver_handle_t driver, ze_driver_properties_t *p)
{
    ENTER();
    memset(&p->uuid, 0, sizeof p->uuid);
    p->driverVersion = version;
    return ZE_RESULT_SUCCESS;
}

CALL zp_driver_extensions(ze_driver_handle_t driver, uint32_t *n, ze_driver_extension_properties_t *list)
{
    ENTER();
    uint32_t have = zp_option.no_extensions ? 0 : N_EXTENSIONS;
    for (uint32_t i = 0; list && i < *n && i < have; i++) {
        snprintf(list[i].name, sizeof list[i].name, "%s", extensions[i].name);
        list[i].version = extensions[i].version;
    }
    *n = list && *n < have ? *n : have;
    return ZE_RESULT_SUCCESS;
}

CALL zp_driver_extension_function(ze_driver_handle_t driver, const char *name, void **function)
{
    *function = NULL;
    return ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
}

CALL zp_driver_last_error(ze_driver_handle_t driver, const char **text)
{
    *text = zp_last_error();
    return ZE_RESULT_SUCCESS;
}

/* ---- devices ---- */

CALL zp_device_get(ze_driver_handle_t driver, uint32_t *n, ze_device_handle_t *list)
{
    ENTER();
    uint32_t have = zp_option.n_devices < 16 ? (uint32_t)zp_option.n_devices : 16;
    for (uint32_t i = 0; list && i < *n && i < have; i++)
        list[i] = (ze_device_handle_t)&devices[i];
    *n = list && *n && *n < have ? *n : have;
    return ZE_RESULT_SUCCESS;
}

CALL zp_device_sub_devices(ze_device_handle_t device, uint32_t *n, ze_device_handle_t *list)
{
    *n = 0;
    return ZE_RESULT_SUCCESS;
}

typedef struct chained {
    ze_structure_type_t stype;
    struct chained *pNext;
    uint32_t flags[3];
} chained;

CALL zp_device_properties(ze_device_handle_t device, ze_device_properties_t *p)
{
    ENTER();
    const kd_gpu_device *is = kind();
    p->type = ZE_DEVICE_TYPE_GPU;
    p->vendorId = 0x8086;
    p->deviceId = 0xe20b;
    p->flags = 0;
    p->coreClockRate = 2400;
    p->maxMemAllocSize = zp_option.memory / 2;
    p->numThreadsPerEU = 8;
    p->physicalEUSimdWidth = 16;
    p->numEUsPerSubslice = 8;
    p->numSubslicesPerSlice = 4;
    p->numSlices = 5;
    p->timerResolution = p->stype == ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2 ? 1000000000 : 1; /* cycles a second, or ns a cycle */
    p->timestampValidBits = p->kernelTimestampValidBits = 64;
    snprintf(p->name, sizeof p->name, "%s, played by PoCL", is->description);
    for (chained *next = p->pNext; next; next = next->pNext)
        if (next->stype == ZE_STRUCTURE_TYPE_DEVICE_IP_VERSION_EXT)
            ((ze_device_ip_version_ext_t *)(void *)next)->ipVersion =
                zp_option.no_ip ? 0 : is->ip_major << 22 | is->ip_minor << 14 | PTL_REVISION;
        else if ((uint32_t)next->stype == BLOCK_ARRAY)
            next->flags[0] = is->has_block2d && !zp_option.no_block2d ? 3 : 0;
    return ZE_RESULT_SUCCESS;
}

uint32_t zp_max_group(void)
{
    return zp_option.group ? (uint32_t)zp_option.group : kind()->max_work_group;
}

CALL zp_device_compute(ze_device_handle_t device, ze_device_compute_properties_t *p)
{
    ENTER();
    const kd_gpu_device *is = kind();
    uint32_t sizes = zp_option.sizes ? (uint32_t)zp_option.sizes : is->sub_group_sizes;
    p->maxTotalGroupSize = p->maxGroupSizeX = p->maxGroupSizeY = p->maxGroupSizeZ = zp_max_group();
    p->maxGroupCountX = p->maxGroupCountY = p->maxGroupCountZ = UINT32_MAX;
    p->maxSharedLocalMemory = zp_option.slm ? (uint32_t)zp_option.slm : is->slm_bytes;
    p->numSubGroupSizes = 0;
    for (uint32_t size = 8; size <= 32; size *= 2)
        if (sizes & size)
            p->subGroupSizes[p->numSubGroupSizes++] = size;
    return ZE_RESULT_SUCCESS;
}

CALL zp_device_module(ze_device_handle_t device, ze_device_module_properties_t *p)
{
    ENTER();
    const kd_gpu_device *is = kind();
    bool f64 = is->has_f64 && !zp_option.no_f64;
    p->spirvVersionSupported = ZE_MAKE_VERSION(1, 4);
    p->flags = ZE_DEVICE_MODULE_FLAG_FP16 | (f64 ? ZE_DEVICE_MODULE_FLAG_FP64 : 0) |
               (is->has_i64_atomics ? ZE_DEVICE_MODULE_FLAG_INT64_ATOMICS : 0);
    p->maxArgumentsSize = 2048;
    p->printfBufferSize = 4 << 20;
    memset(&p->nativeKernelSupported, 0, sizeof p->nativeKernelSupported);
    for (chained *next = p->pNext; next; next = next->pNext)
        if (next->stype == ZE_STRUCTURE_TYPE_FLOAT_ATOMIC_EXT_PROPERTIES) {
            next->flags[0] = is->has_f16_atomics ? ZE_DEVICE_FP_ATOMIC_EXT_FLAG_GLOBAL_ADD : 0;
            next->flags[1] = is->has_f32_atomic_add ? ZE_DEVICE_FP_ATOMIC_EXT_FLAG_GLOBAL_ADD : 0;
            next->flags[2] = is->has_f64_atomics && f64 ? ZE_DEVICE_FP_ATOMIC_EXT_FLAG_GLOBAL_ADD : 0;
        } else if ((uint32_t)next->stype == DP) {
            next->flags[0] = is->dpas_types && !zp_option.no_dpas ? 3 : 1;
        }
    return ZE_RESULT_SUCCESS;
}

CALL zp_device_memory(ze_device_handle_t device, uint32_t *n, ze_device_memory_properties_t *list)
{
    ENTER();
    if (*n && list) {
        list[0].flags = 0;
        list[0].maxClockRate = 19000;
        list[0].maxBusWidth = 192;
        list[0].totalSize = zp_option.memory;
        snprintf(list[0].name, sizeof list[0].name, "memory");
    }
    *n = 1;
    return ZE_RESULT_SUCCESS;
}

CALL zp_device_memory_access(ze_device_handle_t device, ze_device_memory_access_properties_t *p)
{
    ENTER();
    ze_memory_access_cap_flags_t all = ZE_MEMORY_ACCESS_CAP_FLAG_RW | ZE_MEMORY_ACCESS_CAP_FLAG_ATOMIC;
    p->hostAllocCapabilities = p->deviceAllocCapabilities = p->sharedSingleDeviceAllocCapabilities = all;
    p->sharedCrossDeviceAllocCapabilities = p->sharedSystemAllocCapabilities = 0;
    return ZE_RESULT_SUCCESS;
}

CALL zp_device_queue_groups(ze_device_handle_t device, uint32_t *n, ze_command_queue_group_properties_t *list)
{
    ENTER();
    for (uint32_t i = 0; list && i < *n && i < 2; i++) { /* like Intel's: the copy engine is a group too */
        list[i].flags = i ? ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE | ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY
                          : ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY;
        list[i].maxMemoryFillPatternSize = 16;
        list[i].numQueues = 1;
    }
    *n = list && *n && *n < 2 ? *n : 2;
    return ZE_RESULT_SUCCESS;
}
