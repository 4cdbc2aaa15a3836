/* ze_facts.c - finds GPUs, reads what their drivers report, and compares it with the table of devices. */
#include "runtime/level_zero/ze_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of Intel's drivers, not in the loader's headers: compute-runtime, level_zero/doc/experimental_extensions. */
enum {
    INTEL_BLOCK_ARRAY_PROPERTIES = 0x00030007,
    INTEL_DP_PROPERTIES = 0x00030013,
    INTEL_FLAG_DPAS = 1 << 1,
    INTEL_FLAG_2D_LOAD = 1 << 1
};
#define INTEL_BLOCK_ARRAY_NAME "ZE_intel_experimental_device_block_array_properties"
#define INTEL_DP_NAME          "ZE_intel_experimental_device_module_dp_properties"
typedef struct intel_properties {
    ze_structure_type_t stype;
    void *pNext;
    uint32_t flags;
} intel_properties;

/* ---- finding ---- */

/* What of the system may be the reason that no driver works. */
static kd_status why_none(const char *tried, kd_failure *out_why)
{
    glob_t nodes;
    if (glob("/dev/dri/renderD*", 0, NULL, &nodes))
        return kd_fail(out_why, KD_ERR_NOT_FOUND, "no GPU: this system shows none (there is no /dev/dri/renderD*); %s", tried);
    char node[64];
    snprintf(node, sizeof node, "%s", nodes.gl_pathv[0]);
    globfree(&nodes);
    int fd = open(node, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return kd_fail_errno(out_why, "no GPU that this user may use (%s): cannot open '%s'", tried, node);
    close(fd);
    return kd_fail(out_why, KD_ERR_NOT_FOUND, "no GPU of Intel, or no driver for it (Debian's package is libze-intel-gpu1): %s",
                   tried);
}

/* The loader (1.20) crashes when it is asked again after it found no driver, so the process remembers. */
static _Atomic bool found_none;

static kd_status find_drivers(const kd_ze *ze, ze_driver_handle_t *drivers, uint32_t *n_drivers, kd_failure *out_why)
{
    const uint32_t capacity = *n_drivers;
    ze_init_driver_type_desc_t gpus = {.stype = ZE_STRUCTURE_TYPE_INIT_DRIVER_TYPE_DESC, .flags = ZE_INIT_DRIVER_TYPE_FLAG_GPU};
    ze_result_t result = ZE_RESULT_ERROR_UNINITIALIZED;
    const char *call = "zeInitDrivers";
    *n_drivers = 0;
    if (found_none)
        return why_none("there was no Level Zero driver that works", out_why);
    if (ze->zeInitDrivers && !(result = ze->zeInitDrivers(n_drivers, NULL, &gpus)) && *n_drivers) {
        *n_drivers = *n_drivers < capacity ? *n_drivers : capacity;
        result = ze->zeInitDrivers(n_drivers, drivers, &gpus);
    } else { /* an older loader or driver */
        *n_drivers = 0;
        ze_result_t older = ze->zeInit(ZE_INIT_FLAG_GPU_ONLY);
        call = "zeInit";
        if (!older && !(older = ze->zeDriverGet(n_drivers, NULL)) && *n_drivers) {
            *n_drivers = *n_drivers < capacity ? *n_drivers : capacity;
            older = ze->zeDriverGet(n_drivers, drivers);
        }
        result = older;
    }
    if (result == ZE_RESULT_SUCCESS && *n_drivers)
        return KD_OK;
    if (result != ZE_RESULT_SUCCESS && result != ZE_RESULT_ERROR_UNINITIALIZED)
        return kd_ze_fail(ze, NULL, result, out_why, "no GPU: %s failed", call);
    found_none = true;
    char tried[96];
    snprintf(tried, sizeof tried, "%s found no Level Zero driver that works", call);
    return why_none(tried, out_why);
}

kd_status kd_ze_find(const kd_ze *ze, kd_ze_place out[KD_ZE_MAX_DEVICES], unsigned *out_n, kd_failure *out_why)
{
    ze_driver_handle_t drivers[16];
    uint32_t n_drivers = 16;
    kd_status status = find_drivers(ze, drivers, &n_drivers, out_why);
    if (status)
        return status;
    unsigned n = 0;
    for (uint32_t d = 0; d < n_drivers; d++) {
        ze_device_handle_t devices[KD_ZE_MAX_DEVICES];
        uint32_t n_devices = KD_ZE_MAX_DEVICES;
        ze_result_t result = ze->zeDeviceGet(drivers[d], &n_devices, devices);
        if (result)
            return kd_ze_fail(ze, drivers[d], result, out_why, "no GPU: zeDeviceGet failed");
        for (uint32_t i = 0; i < n_devices && n < KD_ZE_MAX_DEVICES; i++) {
            ze_device_properties_t properties = {.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES};
            result = ze->zeDeviceGetProperties(devices[i], &properties);
            if (result)
                return kd_ze_fail(ze, drivers[d], result, out_why, "no GPU: zeDeviceGetProperties failed");
            if (properties.type == ZE_DEVICE_TYPE_GPU)
                out[n++] = (kd_ze_place){drivers[d], devices[i]};
        }
    }
    *out_n = n;
    return n ? KD_OK : why_none("the Level Zero drivers list no GPU", out_why);
}

/* ---- describing ---- */

static bool has_extension(const ze_driver_extension_properties_t *list, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strncmp(list[i].name, name, sizeof list[i].name) == 0)
            return true;
    return false;
}

enum { EXT_IP_VERSION = 1, EXT_FLOAT_ATOMICS = 2, EXT_BLOCK_ARRAY = 4, EXT_DP = 8, EXT_RELAXED = 16 };

static ze_result_t find_extensions(const kd_ze *ze, ze_driver_handle_t driver, unsigned *out)
{
    uint32_t n = 0;
    *out = 0;
    ze_result_t result = ze->zeDriverGetExtensionProperties(driver, &n, NULL);
    if (result || !n)
        return result;
    ze_driver_extension_properties_t *list = calloc(n, sizeof *list);
    if (!list)
        return ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY;
    result = ze->zeDriverGetExtensionProperties(driver, &n, list);
    if (!result)
        *out = (has_extension(list, n, ZE_DEVICE_IP_VERSION_EXT_NAME) ? EXT_IP_VERSION : 0) |
               (has_extension(list, n, ZE_FLOAT_ATOMICS_EXT_NAME) ? EXT_FLOAT_ATOMICS : 0) |
               (has_extension(list, n, INTEL_BLOCK_ARRAY_NAME) ? EXT_BLOCK_ARRAY : 0) |
               (has_extension(list, n, INTEL_DP_NAME) ? EXT_DP : 0) |
               (has_extension(list, n, ZE_RELAXED_ALLOCATION_LIMITS_EXP_NAME) ? EXT_RELAXED : 0);
    free(list);
    return result;
}

static ze_result_t read_device(const kd_ze *ze, ze_device_handle_t device, unsigned extensions, kd_ze_facts *f)
{
    ze_device_ip_version_ext_t ip = {.stype = ZE_STRUCTURE_TYPE_DEVICE_IP_VERSION_EXT};
    ze_device_properties_t p = {.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES_1_2,
                                .pNext = extensions & EXT_IP_VERSION ? &ip : NULL};
    ze_result_t result = ze->zeDeviceGetProperties(device, &p);
    if (result)
        return result;
    snprintf(f->info.description, sizeof f->info.description, "%.95s", p.name);
    f->info.n_threads = p.numSlices * p.numSubslicesPerSlice * p.numEUsPerSubslice * p.numThreadsPerEU;
    f->info.clock_mhz = p.coreClockRate;
    f->device_id = p.deviceId;
    f->max_alloc_bytes = p.maxMemAllocSize;
    f->ns_per_tick = p.timerResolution ? 1e9 / (double)p.timerResolution : 1; /* of the 1.2 structure: cycles a second */
    f->timestamp_bits = p.kernelTimestampValidBits ? p.kernelTimestampValidBits : 64;
    f->ip_version = ip.ipVersion;
    if (ip.ipVersion) { /* architecture:10 release:8 reserved:8 revision:6 */
        f->info.ip_version[0] = ip.ipVersion >> 22;
        f->info.ip_version[1] = ip.ipVersion >> 14 & 0xff;
        f->info.ip_version[2] = ip.ipVersion & 0x3f;
    }
    return ZE_RESULT_SUCCESS;
}

/* What Intel's extensions tell beyond the standard. The loader's validation layer does not know them and refuses: then nothing is known. */
static void read_intel(const kd_ze *ze, ze_device_handle_t device, unsigned extensions, kd_ze_facts *f, unsigned *out_told)
{
    intel_properties blocks = {.stype = (ze_structure_type_t)INTEL_BLOCK_ARRAY_PROPERTIES},
                     dp = {.stype = (ze_structure_type_t)INTEL_DP_PROPERTIES};
    ze_device_properties_t p = {.stype = ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES, .pNext = &blocks};
    ze_device_module_properties_t m = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MODULE_PROPERTIES, .pNext = &dp};
    *out_told = 0;
    if (extensions & EXT_BLOCK_ARRAY && !ze->zeDeviceGetProperties(device, &p)) {
        *out_told |= EXT_BLOCK_ARRAY;
        f->info.features |= blocks.flags & INTEL_FLAG_2D_LOAD ? KD_FEATURE_BLOCK2D : 0;
    }
    if (extensions & EXT_DP && !ze->zeDeviceGetModuleProperties(device, &m)) {
        *out_told |= EXT_DP;
        f->info.features |= dp.flags & INTEL_FLAG_DPAS ? KD_FEATURE_DPAS : 0;
    }
}

static ze_result_t read_compute(const kd_ze *ze, ze_device_handle_t device, kd_ze_facts *f)
{
    ze_device_compute_properties_t p = {.stype = ZE_STRUCTURE_TYPE_DEVICE_COMPUTE_PROPERTIES};
    ze_result_t result = ze->zeDeviceGetComputeProperties(device, &p);
    if (result)
        return result;
    for (uint32_t i = 0; i < p.numSubGroupSizes && i < ZE_SUBGROUPSIZE_COUNT; i++)
        if (p.subGroupSizes[i] <= 32)
            f->info.sub_group_sizes |= p.subGroupSizes[i];
    f->info.max_work_group = p.maxTotalGroupSize < p.maxGroupSizeX ? p.maxTotalGroupSize : p.maxGroupSizeX;
    f->info.slm_bytes = p.maxSharedLocalMemory;
    f->max_groups[0] = p.maxGroupCountX;
    f->max_groups[1] = p.maxGroupCountY;
    f->max_groups[2] = p.maxGroupCountZ;
    return result;
}

static ze_result_t read_module(const kd_ze *ze, ze_device_handle_t device, unsigned extensions, kd_ze_facts *f)
{
    ze_float_atomic_ext_properties_t atomics = {.stype = ZE_STRUCTURE_TYPE_FLOAT_ATOMIC_EXT_PROPERTIES};
    ze_device_module_properties_t p = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MODULE_PROPERTIES,
                                       .pNext = extensions & EXT_FLOAT_ATOMICS ? &atomics : NULL};
    ze_result_t result = ze->zeDeviceGetModuleProperties(device, &p);
    if (result)
        return result;
    f->info.features |= (p.flags & ZE_DEVICE_MODULE_FLAG_FP64 ? KD_FEATURE_F64 : 0) |
                        (p.flags & ZE_DEVICE_MODULE_FLAG_INT64_ATOMICS ? KD_FEATURE_I64_ATOMICS : 0) |
                        (atomics.fp16Flags & ZE_DEVICE_FP_ATOMIC_EXT_FLAG_GLOBAL_ADD ? KD_FEATURE_F16_ATOMICS : 0) |
                        (atomics.fp32Flags & ZE_DEVICE_FP_ATOMIC_EXT_FLAG_GLOBAL_ADD ? KD_FEATURE_F32_ATOMICS : 0) |
                        (atomics.fp64Flags & ZE_DEVICE_FP_ATOMIC_EXT_FLAG_GLOBAL_ADD ? KD_FEATURE_F64_ATOMICS : 0);
    return result;
}

static ze_result_t read_memory(const kd_ze *ze, ze_device_handle_t device, kd_ze_facts *f)
{
    ze_device_memory_properties_t list[16];
    for (unsigned i = 0; i < 16; i++)
        list[i] = (ze_device_memory_properties_t){.stype = ZE_STRUCTURE_TYPE_DEVICE_MEMORY_PROPERTIES};
    uint32_t n = 16;
    ze_result_t result = ze->zeDeviceGetMemoryProperties(device, &n, list);
    if (result)
        return result;
    for (uint32_t i = 0; i < n && i < 16; i++)
        f->info.memory_bytes += list[i].totalSize;
    ze_device_memory_access_properties_t access = {.stype = ZE_STRUCTURE_TYPE_DEVICE_MEMORY_ACCESS_PROPERTIES};
    result = ze->zeDeviceGetMemoryAccessProperties(device, &access);
    f->info.has_host_memory = (access.sharedSystemAllocCapabilities & ZE_MEMORY_ACCESS_CAP_FLAG_RW) != 0;
    return result;
}

static ze_result_t find_compute_group(const kd_ze *ze, ze_device_handle_t device, kd_ze_facts *f)
{
    ze_command_queue_group_properties_t list[32];
    for (unsigned i = 0; i < 32; i++)
        list[i] = (ze_command_queue_group_properties_t){.stype = ZE_STRUCTURE_TYPE_COMMAND_QUEUE_GROUP_PROPERTIES};
    uint32_t n = 32;
    ze_result_t result = ze->zeDeviceGetCommandQueueGroupProperties(device, &n, list);
    if (result)
        return result;
    for (uint32_t i = 0; i < n && i < 32; i++)
        if (list[i].flags & ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE && list[i].numQueues) {
            f->compute_ordinal = i;
            return result;
        }
    return ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
}

static void add_note(char note[160], const char *format, unsigned a, unsigned b)
{
    size_t used = strlen(note);
    if (used)
        used += (size_t)snprintf(note + used, 160 - used, "; ");
    if (used < 160)
        snprintf(note + used, 160 - used, format, a, b);
}

/* What the table promises for the target, and the driver does not confirm. told: the extensions that gave an answer. */
static void compare(kd_ze_facts *f, unsigned told)
{
    const kd_gpu_device *known = f->known;
    kd_device_info *info = &f->info;
    uint32_t sizes = known->sub_group_sizes & ~info->sub_group_sizes;
    for (uint32_t size = 8; size <= 32; size *= 2)
        if (sizes & size)
            add_note(info->note, "the driver reports no sub-groups of %u", size, 0);
    if (info->slm_bytes < known->slm_bytes)
        add_note(info->note, "SLM is %u KiB instead of %u", info->slm_bytes >> 10, known->slm_bytes >> 10);
    if (info->max_work_group < known->max_work_group)
        add_note(info->note, "work-groups have at most %u work-items instead of %u", info->max_work_group, known->max_work_group);
    if (known->has_f64 && !(info->features & KD_FEATURE_F64))
        add_note(info->note, "the driver reports no f64", 0, 0);
    if (known->has_i64_atomics && !(info->features & KD_FEATURE_I64_ATOMICS))
        add_note(info->note, "the driver reports no 64-bit atomics", 0, 0);
    if (known->dpas_types && told & EXT_DP && !(info->features & KD_FEATURE_DPAS))
        add_note(info->note, "the driver reports no DPAS", 0, 0);
    if (known->has_block2d && told & EXT_BLOCK_ARRAY && !(info->features & KD_FEATURE_BLOCK2D))
        add_note(info->note, "the driver reports no 2D block messages", 0, 0);
}

kd_status kd_ze_describe(const kd_ze *ze, kd_ze_place place, unsigned index, kd_ze_facts *out, kd_failure *out_why)
{
    kd_ze_facts f = {0};
    snprintf(f.info.name, sizeof f.info.name, "level_zero:%u", index);
    unsigned extensions = 0;
    ze_driver_properties_t driver = {.stype = ZE_STRUCTURE_TYPE_DRIVER_PROPERTIES};
    const char *call = "zeDriverGetProperties";
    ze_result_t result = ze->zeDriverGetProperties(place.driver, &driver);
    f.driver_version = driver.driverVersion;
    if (!result)
        result = find_extensions(ze, place.driver, &extensions), call = "zeDriverGetExtensionProperties";
    if (!result)
        result = read_device(ze, place.device, extensions, &f), call = "zeDeviceGetProperties";
    if (!result)
        result = read_compute(ze, place.device, &f), call = "zeDeviceGetComputeProperties";
    if (!result)
        result = read_module(ze, place.device, extensions, &f), call = "zeDeviceGetModuleProperties";
    if (!result)
        result = read_memory(ze, place.device, &f), call = "asking for the device's memory";
    if (!result)
        result = find_compute_group(ze, place.device, &f), call = "looking for a compute queue";
    if (result)
        return kd_ze_fail(ze, place.driver, result, out_why, "cannot use the device level_zero:%u: %s failed", index, call);
    unsigned told;
    read_intel(ze, place.device, extensions, &f, &told);
    f.has_relaxed_limits = extensions & EXT_RELAXED;
    f.known = f.ip_version ? kd_gpu_device_by_ip(f.info.ip_version[0], f.info.ip_version[1]) : NULL;
    if (f.known) {
        snprintf(f.info.target, sizeof f.info.target, "spirv:%s", f.known->name);
        compare(&f, told);
    } else if (f.ip_version) {
        add_note(f.info.note, "kdsl does not know the architecture %u.%u", f.info.ip_version[0], f.info.ip_version[1]);
    } else {
        add_note(f.info.note, "the driver does not report the architecture", 0, 0);
    }
    *out = f;
    return KD_OK;
}
