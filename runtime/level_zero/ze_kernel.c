/* ze_kernel.c - kernels: SPIR-V to machine code by the driver's compiler, or machine code from our cache. */
#include "runtime/level_zero/ze_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LARGE_REGISTERS "-cl-intel-256-GRF-per-thread"

typedef struct build {
    ze_device *device;
    const kd_kernel_desc *desc;
    const void *code;
    size_t n_bytes;
    const char *flags;
} build;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- what the device offers ---- */

static bool has_sub_group_size(const kd_device_info *info, uint32_t size)
{
    return size <= 32 && (info->sub_group_sizes & size);
}

static const char *sizes_text(uint32_t mask, char out[32])
{
    char *at = out;
    *at = '\0';
    for (uint32_t size = 8; size <= 32; size *= 2)
        if (mask & size)
            at += snprintf(at, 16, "%s%u", at == out ? "" : ", ", size);
    return out;
}

/* The device must have what the target promises: drivers do not refuse code that uses more, they run it wrongly. */
static const char *missing_feature(const kd_gpu_device *target, const kd_ze_facts *facts)
{
    const kd_gpu_device *here = facts->known;
    if (!here || !target || here == target)
        return NULL;
    if (target->dpas_types & ~here->dpas_types || (target->dpas_types && target->dpas_sub_group_size != here->dpas_sub_group_size))
        return "its systolic operations";
    if (target->has_block2d && !here->has_block2d)
        return "2D block messages";
    if (target->has_f64 && !here->has_f64)
        return "f64";
    if (target->has_f64_atomics && !here->has_f64_atomics)
        return "atomic adds of f64";
    return NULL;
}

static kd_status check_device(ze_device *device, const kd_kernel_desc *desc, kd_failure *why)
{
    const kd_device_info *info = &device->facts.info;
    if (desc->format != KD_CODE_SPIRV || strncmp(desc->target, "spirv:", 6) != 0)
        return kd_fail(why, KD_ERR_UNSUPPORTED, "kernel '%s' was compiled for '%s', which the device %s cannot run", desc->name,
                       desc->target, info->name);
    const char *missing = missing_feature(kd_gpu_device_find(desc->target + 6), &device->facts);
    if (missing)
        return kd_fail(why, KD_ERR_UNSUPPORTED, "kernel '%s' was compiled for '%s' and may use %s, which the device %s (%s) lacks",
                       desc->name, desc->target, missing, info->name, info->target);
    char sizes[32];
    if (!has_sub_group_size(info, desc->sub_group_size))
        return kd_fail(why, KD_ERR_UNSUPPORTED, "kernel '%s' needs sub-groups of %u lanes, but the device %s has %s", desc->name,
                       desc->sub_group_size, info->name, sizes_text(info->sub_group_sizes, sizes));
    if (desc->num_warps > info->max_work_group / desc->sub_group_size)
        return kd_fail(why, KD_ERR_UNSUPPORTED,
                       "kernel '%s' needs work-groups of %u work-items (%u sub-groups of %u), but the device %s runs at most %u; "
                       "fewer warps help",
                       desc->name, desc->num_warps * desc->sub_group_size, desc->num_warps, desc->sub_group_size, info->name,
                       info->max_work_group);
    if (desc->slm_bytes > info->slm_bytes)
        return kd_fail(
            why, KD_ERR_UNSUPPORTED,
            "kernel '%s' needs %u bytes of shared local memory for a work-group, but the device %s has %u; smaller blocks help",
            desc->name, desc->slm_bytes, info->name, info->slm_bytes);
    return KD_OK;
}

/* ---- modules ---- */

/* The start of the compiler's log, on one line; "" where it said nothing. */
static void read_log(const kd_ze *ze, ze_module_build_log_handle_t log, char *out, size_t n_out)
{
    size_t n = 0;
    out[0] = '\0';
    if (!log || ze->zeModuleBuildLogGetString(log, &n, NULL) || n == 0)
        return;
    char *text = calloc(1, n + 1);
    if (text && !ze->zeModuleBuildLogGetString(log, &n, text)) {
        size_t used = 0;
        for (const char *p = text + strspn(text, " \t\r\n"); *p && used + 1 < n_out; p++) {
            bool blank = strchr(" \t\r\n", *p) != NULL;
            if (!blank || out[used - 1] != ' ')
                out[used++] = blank ? ' ' : *p;
        }
        while (used && out[used - 1] == ' ')
            used--;
        out[used] = '\0';
    }
    free(text);
}

static kd_status make_module(const build *b, ze_module_format_t format, const void *code, size_t n_bytes, ze_module_handle_t *out,
                             kd_failure *why)
{
    const kd_ze *ze = &b->device->ze;
    ze_module_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_MODULE_DESC,
                             .format = format,
                             .inputSize = n_bytes,
                             .pInputModule = code,
                             .pBuildFlags = b->flags};
    ze_module_build_log_handle_t log = NULL;
    ze_module_handle_t module = NULL;
    ze_result_t result = ze->zeModuleCreate(b->device->context, b->device->place.device, &desc, &module, &log);
    char said[320];
    read_log(ze, log, said, sizeof said);
    if (log)
        ze->zeModuleBuildLogDestroy(log);
    if (!result) {
        *out = module;
        return KD_OK;
    }
    const char *name = b->device->facts.info.name;
    if (*said)
        return kd_ze_fail(ze, NULL, result, why, "the driver of %s cannot build kernel '%s' (%s)", name, b->desc->name, said);
    return kd_ze_fail(ze, b->device->place.driver, result, why, "the driver of %s cannot build kernel '%s'", name, b->desc->name);
}

static kd_status make_kernel(const build *b, ze_module_handle_t module, ze_kernel *kernel, kd_failure *why)
{
    ze_device *device = b->device;
    ze_kernel_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_KERNEL_DESC, .pKernelName = b->desc->name};
    ze_kernel_handle_t handle = NULL;
    ze_result_t result = device->ze.zeKernelCreate(module, &desc, &handle);
    if (result == ZE_RESULT_ERROR_INVALID_KERNEL_NAME)
        return kd_fail(why, KD_ERR_DAMAGED, "the SPIR-V of kernel '%s' has no kernel of that name", b->desc->name);
    if (result)
        return kd_ze_fail(&device->ze, device->place.driver, result, why, "cannot make kernel '%s'", b->desc->name);
    uint32_t n_items = b->desc->num_warps * b->desc->sub_group_size;
    ze_kernel_properties_t p = {.stype = ZE_STRUCTURE_TYPE_KERNEL_PROPERTIES};
    const char *call = "ask about";
    result = device->ze.zeKernelGetProperties(handle, &p);
    if (!result) {
        call = "let pointers of memory be followed in";
        result = device->ze.zeKernelSetIndirectAccess(handle, ZE_KERNEL_INDIRECT_ACCESS_FLAG_HOST |
                                                                  ZE_KERNEL_INDIRECT_ACCESS_FLAG_DEVICE |
                                                                  ZE_KERNEL_INDIRECT_ACCESS_FLAG_SHARED);
    }
    kd_status status = KD_OK;
    uint32_t n_args = b->desc->n_args + (b->desc->n_messages != 0);
    if (!result && p.numKernelArgs != n_args)
        status = kd_fail(why, KD_ERR_DAMAGED, "the SPIR-V of kernel '%s' takes %u arguments, but its descriptor says %u",
                         b->desc->name, p.numKernelArgs, n_args);
    if (!result && !status && p.requiredSubgroupSize && p.requiredSubgroupSize != b->desc->sub_group_size)
        status = kd_fail(why, KD_ERR_DAMAGED, "the SPIR-V of kernel '%s' has sub-groups of %u lanes, but its descriptor says %u",
                         b->desc->name, p.requiredSubgroupSize, b->desc->sub_group_size);
    if (!result && !status) {
        call = "set the work-group size of";
        result = device->ze.zeKernelSetGroupSize(handle, n_items, 1, 1);
        if (result == ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION)
            status =
                kd_fail(why, KD_ERR_UNSUPPORTED,
                        "kernel '%s' needs work-groups of %u work-items (%u sub-groups of %u), which the device %s cannot run%s",
                        b->desc->name, n_items, b->desc->num_warps, b->desc->sub_group_size, device->facts.info.name,
                        strstr(b->flags, LARGE_REGISTERS) ? " with " LARGE_REGISTERS : "");
    }
    if (result && !status)
        status = kd_ze_fail(&device->ze, device->place.driver, result, why, "cannot %s kernel '%s'", call, b->desc->name);
    if (status) {
        device->ze.zeKernelDestroy(handle);
        return status;
    }
    kernel->module = module;
    kernel->handle = handle;
    kernel->usage.sub_group_size = p.requiredSubgroupSize ? p.requiredSubgroupSize : b->desc->sub_group_size;
    kernel->usage.spill_bytes = p.spillMemSize;
    kernel->usage.private_bytes = p.privateMemSize;
    kernel->usage.slm_bytes = p.localMemSize;
    return KD_OK;
}

/* Module and kernel, from SPIR-V or machine code. */
static kd_status make(const build *b, ze_module_format_t format, const void *code, size_t n_bytes, ze_kernel *kernel,
                      kd_failure *why)
{
    ze_module_handle_t module;
    kd_status status = make_module(b, format, code, n_bytes, &module, why);
    if (status)
        return status;
    status = make_kernel(b, module, kernel, why);
    if (status)
        b->device->ze.zeModuleDestroy(module);
    return status;
}

static void unmake(ze_device *device, const ze_kernel *kernel)
{
    device->ze.zeKernelDestroy(kernel->handle);
    device->ze.zeModuleDestroy(kernel->module);
}

/* A kernel that spills is built again with twice the registers, where half the threads are enough for a work-group; the better one stays. */
static void try_large_registers(const build *b, ze_kernel *kernel)
{
    const kd_gpu_device *known = b->device->facts.known;
    bool chosen = strstr(b->flags, "GRF-per-thread") || strstr(b->flags, "large-GRF");
    if (kernel->usage.spill_bytes == 0 || chosen || !known || !known->has_large_registers || b->desc->num_warps > 32)
        return;
    char flags[512];
    int n = snprintf(flags, sizeof flags, "%s%s" LARGE_REGISTERS, b->flags, *b->flags ? " " : "");
    if (n < 0 || (size_t)n >= sizeof flags)
        return;
    build large = *b;
    large.flags = flags;
    ze_kernel other = *kernel;
    if (make(&large, ZE_MODULE_FORMAT_IL_SPIRV, b->code, b->n_bytes, &other, NULL))
        return;
    bool better = other.usage.spill_bytes < kernel->usage.spill_bytes;
    unmake(b->device, better ? kernel : &other);
    if (better) {
        *kernel = other;
        kernel->usage.large_registers = true;
    }
}

/* ---- machine code in our cache ---- */

static kd_hash cache_key(const build *b)
{
    const kd_ze_facts *facts = &b->device->facts;
    kd_hash key = {0, 0};
    kd_hash_add_text(&key, "level_zero machine code, 1");
    kd_hash_add(&key, b->code, b->n_bytes);
    kd_hash_add_text(&key, b->desc->name);
    kd_hash_add_text(&key, b->flags);
    kd_hash_add_u64(&key, facts->ip_version);
    kd_hash_add_u64(&key, facts->device_id);
    kd_hash_add_u64(&key, facts->driver_version);
    kd_hash_add_text(&key, facts->info.description);
    return key;
}

static bool make_from_cache(const build *b, kd_hash key, ze_kernel *kernel)
{
    kd_cached_kernel entry;
    if (!b->device->cache || kd_cache_find(b->device->cache, key, &entry))
        return false;
    /* Code that the driver does not take (it may have changed without a new version) is made anew. */
    bool good = make(b, ZE_MODULE_FORMAT_NATIVE, entry.code, entry.n_code_bytes, kernel, NULL) == KD_OK;
    if (good) {
        kernel->usage.from_cache = true;
        kernel->usage.native_bytes = entry.n_code_bytes;
    }
    kd_cached_kernel_release(&entry);
    return good;
}

static void keep_in_cache(const build *b, kd_hash key, ze_kernel *kernel)
{
    const kd_ze *ze = &b->device->ze;
    size_t n = 0;
    if (ze->zeModuleGetNativeBinary(kernel->module, &n, NULL) || n == 0)
        return;
    kernel->usage.native_bytes = n;
    void *native = b->device->cache ? malloc(n) : NULL;
    if (native && !ze->zeModuleGetNativeBinary(kernel->module, &n, native))
        kd_cache_store(b->device->cache, key, b->desc, native, n, NULL, 0, NULL); /* it runs, whether it could be kept or not */
    free(native);
}

/* ---- kernels ---- */

kd_status ze_kernel_load(kd_device *base, kd_kernel_desc *desc, const void *code, size_t n_bytes, kd_kernel **out_kernel)
{
    ze_device *device = ze_device_of(base);
    kd_failure *why = kd_device_why(base);
    kd_status status = check_device(device, desc, why);
    if (status)
        return status;
    ze_kernel *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return kd_fail(why, KD_ERR_MEMORY, "no memory for kernel '%s'", desc->name);
    build b = {.device = device, .desc = desc, .code = code, .n_bytes = n_bytes, .flags = desc->build_flags};
    double begin = now();
    kd_hash key = cache_key(&b);
    if (!make_from_cache(&b, key, kernel)) {
        status = make(&b, ZE_MODULE_FORMAT_IL_SPIRV, code, n_bytes, kernel, why);
        if (!status) {
            try_large_registers(&b, kernel);
            keep_in_cache(&b, key, kernel);
        }
    }
    if (status) {
        free(kernel);
        return status;
    }
    kernel->usage.build_seconds = now() - begin;
    kernel->base.device = base;
    kernel->base.desc = desc;
    pthread_mutex_init(&kernel->lock, NULL);
    *out_kernel = &kernel->base;
    return KD_OK;
}

void ze_kernel_destroy(kd_kernel *base)
{
    ze_kernel *kernel = (ze_kernel *)base;
    ze_device *device = ze_device_of(base->device);
    ze_records_read(device, NULL, kernel, NULL);
    unmake(device, kernel);
    pthread_mutex_destroy(&kernel->lock);
    free(kernel);
}

void ze_kernel_usage(const kd_kernel *kernel, kd_kernel_usage *out_usage)
{
    *out_usage = ((const ze_kernel *)kernel)->usage;
}
