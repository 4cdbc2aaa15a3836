/* driver.c - the tables of functions that the loader asks the driver for. */
#include "driver.h"

#include <level_zero/ze_ddi.h>
#include <level_zero/zes_ddi.h>
#include <level_zero/zet_ddi.h>

#define TABLE(function, type, ...)                                    \
    ZE_APIEXPORT CALL function(ze_api_version_t version, type *table) \
    {                                                                 \
        if (!table)                                                   \
            return ZE_RESULT_ERROR_INVALID_NULL_POINTER;              \
        if (ZE_MAJOR_VERSION(version) != 1)                           \
            return ZE_RESULT_ERROR_UNSUPPORTED_VERSION;               \
        __VA_ARGS__                                                   \
        return ZE_RESULT_SUCCESS;                                     \
    }

TABLE(zeGetGlobalProcAddrTable, ze_global_dditable_t, table->pfnInit = zp_init; table->pfnInitDrivers = zp_init_drivers;)
TABLE(zeGetDriverProcAddrTable, ze_driver_dditable_t, table->pfnGet = zp_driver_get;
      table->pfnGetApiVersion = zp_driver_api_version; table->pfnGetProperties = zp_driver_properties;
      table->pfnGetExtensionProperties = zp_driver_extensions; table->pfnGetExtensionFunctionAddress = zp_driver_extension_function;
      table->pfnGetLastErrorDescription = zp_driver_last_error;)
TABLE(zeGetDeviceProcAddrTable, ze_device_dditable_t, table->pfnGet = zp_device_get;
      table->pfnGetSubDevices = zp_device_sub_devices; table->pfnGetProperties = zp_device_properties;
      table->pfnGetComputeProperties = zp_device_compute; table->pfnGetModuleProperties = zp_device_module;
      table->pfnGetMemoryProperties = zp_device_memory; table->pfnGetMemoryAccessProperties = zp_device_memory_access;
      table->pfnGetCommandQueueGroupProperties = zp_device_queue_groups;)
TABLE(zeGetContextProcAddrTable, ze_context_dditable_t, table->pfnCreate = zp_context_create;
      table->pfnDestroy = zp_context_destroy;)
TABLE(zeGetCommandListProcAddrTable, ze_command_list_dditable_t, table->pfnCreateImmediate = zp_list_create;
      table->pfnDestroy = zp_list_destroy; table->pfnHostSynchronize = zp_list_synchronize;
      table->pfnAppendMemoryCopy = zp_list_copy; table->pfnAppendMemoryFill = zp_list_fill;
      table->pfnAppendBarrier = zp_list_barrier; table->pfnAppendLaunchKernel = zp_list_launch;)
TABLE(zeGetEventProcAddrTable, ze_event_dditable_t, table->pfnCreate = zp_event_create; table->pfnDestroy = zp_event_destroy;
      table->pfnHostSynchronize = zp_event_synchronize; table->pfnQueryStatus = zp_event_status;
      table->pfnHostReset = zp_event_reset; table->pfnQueryKernelTimestamp = zp_event_times;)
TABLE(zeGetEventPoolProcAddrTable, ze_event_pool_dditable_t, table->pfnCreate = zp_pool_create;
      table->pfnDestroy = zp_pool_destroy;)
TABLE(zeGetModuleProcAddrTable, ze_module_dditable_t, table->pfnCreate = zp_module_create; table->pfnDestroy = zp_module_destroy;
      table->pfnGetNativeBinary = zp_module_native;)
TABLE(zeGetModuleBuildLogProcAddrTable, ze_module_build_log_dditable_t, table->pfnGetString = zp_log_string;
      table->pfnDestroy = zp_log_destroy;)
TABLE(zeGetKernelProcAddrTable, ze_kernel_dditable_t, table->pfnCreate = zp_kernel_create; table->pfnDestroy = zp_kernel_destroy;
      table->pfnSetGroupSize = zp_kernel_group_size; table->pfnSetArgumentValue = zp_kernel_argument;
      table->pfnSetIndirectAccess = zp_kernel_indirect_access; table->pfnGetProperties = zp_kernel_properties;)
TABLE(zeGetMemProcAddrTable, ze_mem_dditable_t, table->pfnAllocDevice = zp_alloc_device; table->pfnAllocHost = zp_alloc_host;
      table->pfnAllocShared = zp_alloc_shared; table->pfnFree = zp_free; table->pfnGetAllocProperties = zp_alloc_properties;)

/* The loader insists on these tables; they may stay empty. */
TABLE(zeGetCommandQueueProcAddrTable, ze_command_queue_dditable_t)
TABLE(zeGetFenceProcAddrTable, ze_fence_dditable_t)
TABLE(zeGetImageProcAddrTable, ze_image_dditable_t)
TABLE(zeGetPhysicalMemProcAddrTable, ze_physical_mem_dditable_t)
TABLE(zeGetSamplerProcAddrTable, ze_sampler_dditable_t)
TABLE(zeGetVirtualMemProcAddrTable, ze_virtual_mem_dditable_t)
/* clang-format off */
#define TOOLS(X)                                                                                                                        \
    X(zet, Device, device) X(zet, Context, context) X(zet, CommandList, command_list) X(zet, Module, module) X(zet, Kernel, kernel)      \
    X(zet, Metric, metric) X(zet, MetricGroup, metric_group) X(zet, MetricStreamer, metric_streamer)                                     \
    X(zet, MetricQueryPool, metric_query_pool) X(zet, MetricQuery, metric_query) X(zet, Debug, debug) X(zet, TracerExp, tracer_exp)      \
    X(zes, Global, global) X(zes, Device, device) X(zes, Driver, driver) X(zes, Overclock, overclock) X(zes, Scheduler, scheduler)       \
    X(zes, PerformanceFactor, performance_factor) X(zes, Power, power) X(zes, Frequency, frequency) X(zes, Engine, engine)               \
    X(zes, Standby, standby) X(zes, Firmware, firmware) X(zes, Memory, memory) X(zes, FabricPort, fabric_port)                           \
    X(zes, Temperature, temperature) X(zes, Psu, psu) X(zes, Fan, fan) X(zes, Led, led) X(zes, Ras, ras) X(zes, Diagnostics, diagnostics)
/* clang-format on */
#define EMPTY(kind, name, small) TABLE(kind##Get##name##ProcAddrTable, kind##_##small##_dditable_t)
TOOLS(EMPTY)
