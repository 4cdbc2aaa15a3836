/* ze.h - the Level Zero loader, opened at run time: its functions, and what its results mean.
 *
 * Nothing links against the loader: a machine without it runs kernels on the CPU. */
#ifndef KD_RUNTIME_LEVEL_ZERO_ZE_H
#define KD_RUNTIME_LEVEL_ZERO_ZE_H

#include "base/failure.h"

#include <level_zero/ze_api.h>

/* Those that every loader has. */
#define KD_ZE_CALLS(X)                                                                                                            \
    X(zeInit)                                                                                                                     \
    X(zeDriverGet) X(zeDriverGetApiVersion) X(zeDriverGetProperties) X(zeDriverGetExtensionProperties) X(zeDeviceGet)             \
        X(zeDeviceGetProperties) X(zeDeviceGetComputeProperties) X(zeDeviceGetModuleProperties) X(zeDeviceGetMemoryProperties)    \
            X(zeDeviceGetMemoryAccessProperties) X(zeDeviceGetCommandQueueGroupProperties) X(zeContextCreate) X(zeContextDestroy) \
                X(zeMemAllocDevice) X(zeMemAllocHost) X(zeMemFree) X(zeMemGetAllocProperties) X(zeCommandListCreateImmediate)     \
                    X(zeCommandListDestroy) X(zeCommandListAppendMemoryCopy) X(zeCommandListAppendMemoryFill)                     \
                        X(zeCommandListAppendLaunchKernel) X(zeCommandListAppendBarrier) X(zeEventPoolCreate)                     \
                            X(zeEventPoolDestroy) X(zeEventCreate) X(zeEventDestroy) X(zeEventHostSynchronize)                    \
                                X(zeEventQueryStatus) X(zeEventHostReset) X(zeEventQueryKernelTimestamp) X(zeModuleCreate)        \
                                    X(zeModuleDestroy) X(zeModuleBuildLogGetString) X(zeModuleBuildLogDestroy)                    \
                                        X(zeModuleGetNativeBinary) X(zeKernelCreate) X(zeKernelDestroy)                           \
                                            X(zeKernelSetArgumentValue) X(zeKernelSetGroupSize) X(zeKernelSetIndirectAccess)      \
                                                X(zeKernelGetProperties)
/* Those of newer ones: may be NULL. */
#define KD_ZE_NEWER_CALLS(X) X(zeInitDrivers) X(zeDriverGetLastErrorDescription) X(zeCommandListHostSynchronize)

typedef struct kd_ze {
#define KD_ZE_MEMBER(name) __typeof__(&name) name;
    KD_ZE_CALLS(KD_ZE_MEMBER)
    KD_ZE_NEWER_CALLS(KD_ZE_MEMBER)
#undef KD_ZE_MEMBER
} kd_ze;

/* Opens the loader. KD_ERR_NOT_FOUND: there is none. */
kd_status kd_ze_open(kd_ze *out, kd_failure *out_why);

/* "ZE_RESULT_ERROR_DEVICE_LOST". */
const char *kd_ze_result_text(ze_result_t result);

/* The status that a result stands for, with "WHAT: RESULT (the driver's own words)" as the sentence; format makes WHAT. driver may be NULL. */
kd_status kd_ze_fail(const kd_ze *ze, ze_driver_handle_t driver, ze_result_t result, kd_failure *out_why, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
