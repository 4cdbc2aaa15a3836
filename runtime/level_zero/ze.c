/* ze.c - opens the loader, and turns its results into sentences. */
#include "runtime/level_zero/ze.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define LOADER "libze_loader.so.1"

kd_status kd_ze_open(kd_ze *out, kd_failure *out_why)
{
    /* It stays loaded: its drivers have threads and exit handlers of their own. */
    void *library = dlopen(LOADER, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return kd_fail(out_why, KD_ERR_NOT_FOUND, "the Level Zero loader is not there (%s); Debian's package is libze1", dlerror());
    const char *missing = NULL;
#define KD_ZE_FIND(name)                                         \
    if (!(out->name = (__typeof__(&name))dlsym(library, #name))) \
        missing = #name;
    KD_ZE_CALLS(KD_ZE_FIND)
#undef KD_ZE_FIND
#define KD_ZE_FIND(name) out->name = (__typeof__(&name))dlsym(library, #name);
    KD_ZE_NEWER_CALLS(KD_ZE_FIND)
#undef KD_ZE_FIND
    dlclose(library);
    return missing ? kd_fail(out_why, KD_ERR_UNSUPPORTED, "the Level Zero loader %s has no function %s", LOADER, missing) : KD_OK;
}

const char *kd_ze_result_text(ze_result_t result)
{
    switch (result) {
#define NAME(name) \
    case name: return #name;
        NAME(ZE_RESULT_SUCCESS)
        NAME(ZE_RESULT_NOT_READY)
        NAME(ZE_RESULT_ERROR_DEVICE_LOST)
        NAME(ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY)
        NAME(ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)
        NAME(ZE_RESULT_ERROR_MODULE_BUILD_FAILURE)
        NAME(ZE_RESULT_ERROR_MODULE_LINK_FAILURE)
        NAME(ZE_RESULT_ERROR_DEVICE_REQUIRES_RESET)
        NAME(ZE_RESULT_ERROR_DEVICE_IN_LOW_POWER_STATE)
        NAME(ZE_RESULT_ERROR_INSUFFICIENT_PERMISSIONS)
        NAME(ZE_RESULT_ERROR_NOT_AVAILABLE)
        NAME(ZE_RESULT_ERROR_DEPENDENCY_UNAVAILABLE)
        NAME(ZE_RESULT_ERROR_UNINITIALIZED)
        NAME(ZE_RESULT_ERROR_UNSUPPORTED_VERSION)
        NAME(ZE_RESULT_ERROR_UNSUPPORTED_FEATURE)
        NAME(ZE_RESULT_ERROR_INVALID_ARGUMENT)
        NAME(ZE_RESULT_ERROR_INVALID_NULL_HANDLE)
        NAME(ZE_RESULT_ERROR_HANDLE_OBJECT_IN_USE)
        NAME(ZE_RESULT_ERROR_INVALID_NULL_POINTER)
        NAME(ZE_RESULT_ERROR_INVALID_SIZE)
        NAME(ZE_RESULT_ERROR_UNSUPPORTED_SIZE)
        NAME(ZE_RESULT_ERROR_UNSUPPORTED_ALIGNMENT)
        NAME(ZE_RESULT_ERROR_INVALID_SYNCHRONIZATION_OBJECT)
        NAME(ZE_RESULT_ERROR_INVALID_ENUMERATION)
        NAME(ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION)
        NAME(ZE_RESULT_ERROR_INVALID_NATIVE_BINARY)
        NAME(ZE_RESULT_ERROR_INVALID_KERNEL_NAME)
        NAME(ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION)
        NAME(ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX)
        NAME(ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_SIZE)
        NAME(ZE_RESULT_ERROR_INVALID_KERNEL_ATTRIBUTE_VALUE)
        NAME(ZE_RESULT_ERROR_INVALID_MODULE_UNLINKED)
        NAME(ZE_RESULT_ERROR_OVERLAPPING_REGIONS)
        NAME(ZE_RESULT_ERROR_UNKNOWN)
#undef NAME
    default: return "an unknown result";
    }
}

static kd_status status_of(ze_result_t result)
{
    switch (result) {
    case ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY:
    case ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY: return KD_ERR_MEMORY;
    case ZE_RESULT_ERROR_UNSUPPORTED_VERSION:
    case ZE_RESULT_ERROR_UNSUPPORTED_FEATURE:
    case ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION: return KD_ERR_UNSUPPORTED;
    default: return KD_ERR_DEVICE;
    }
}

kd_status kd_ze_fail(const kd_ze *ze, ze_driver_handle_t driver, ze_result_t result, kd_failure *out_why, const char *format, ...)
{
    kd_failure what;
    va_list args;
    va_start(args, format);
    kd_vfail(&what, KD_ERR_DEVICE, format, args);
    va_end(args);
    const char *said = NULL;
    if (!driver || !ze->zeDriverGetLastErrorDescription || ze->zeDriverGetLastErrorDescription(driver, &said) || !said)
        said = "";
    const char *hint = result == ZE_RESULT_ERROR_DEVICE_LOST ? "; the device is lost: it hung, was reset or was removed" : "";
    return kd_fail(out_why, status_of(result), "%s: %s (0x%x)%s%s%s", what.text, kd_ze_result_text(result), (unsigned)result,
                   *said ? ", the driver says: " : "", said, hint);
}
