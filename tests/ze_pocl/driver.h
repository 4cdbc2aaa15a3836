/* driver.h - the driver's functions, in the order of Level Zero's tables. */
#ifndef KD_TESTS_ZE_POCL_DRIVER_H
#define KD_TESTS_ZE_POCL_DRIVER_H

#include "ze_pocl.h"

CALL zp_init(ze_init_flags_t flags);
CALL zp_init_drivers(uint32_t *n, ze_driver_handle_t *drivers, ze_init_driver_type_desc_t *desc);
CALL zp_driver_get(uint32_t *n, ze_driver_handle_t *drivers);
CALL zp_driver_api_version(ze_driver_handle_t driver, ze_api_version_t *version);
CALL zp_driver_properties(ze_driver_handle_t driver, ze_driver_properties_t *p);
CALL zp_driver_extensions(ze_driver_handle_t driver, uint32_t *n, ze_driver_extension_properties_t *list);
CALL zp_driver_extension_function(ze_driver_handle_t driver, const char *name, void **function);
CALL zp_driver_last_error(ze_driver_handle_t driver, const char **text);

CALL zp_device_get(ze_driver_handle_t driver, uint32_t *n, ze_device_handle_t *list);
CALL zp_device_sub_devices(ze_device_handle_t device, uint32_t *n, ze_device_handle_t *list);
CALL zp_device_properties(ze_device_handle_t device, ze_device_properties_t *p);
CALL zp_device_compute(ze_device_handle_t device, ze_device_compute_properties_t *p);
CALL zp_device_module(ze_device_handle_t device, ze_device_module_properties_t *p);
CALL zp_device_memory(ze_device_handle_t device, uint32_t *n, ze_device_memory_properties_t *list);
CALL zp_device_memory_access(ze_device_handle_t device, ze_device_memory_access_properties_t *p);
CALL zp_device_queue_groups(ze_device_handle_t device, uint32_t *n, ze_command_queue_group_properties_t *list);

CALL zp_context_create(ze_driver_handle_t driver, const ze_context_desc_t *desc, ze_context_handle_t *out);
CALL zp_context_destroy(ze_context_handle_t context);
CALL zp_alloc_device(ze_context_handle_t context, const ze_device_mem_alloc_desc_t *desc, size_t n_bytes, size_t alignment,
                     ze_device_handle_t device, void **out);
CALL zp_alloc_host(ze_context_handle_t context, const ze_host_mem_alloc_desc_t *desc, size_t n_bytes, size_t alignment, void **out);
CALL zp_alloc_shared(ze_context_handle_t context, const ze_device_mem_alloc_desc_t *desc, const ze_host_mem_alloc_desc_t *host,
                     size_t n_bytes, size_t alignment, ze_device_handle_t device, void **out);
CALL zp_free(ze_context_handle_t context, void *memory);
CALL zp_alloc_properties(ze_context_handle_t context, const void *address, ze_memory_allocation_properties_t *p,
                         ze_device_handle_t *device);

CALL zp_list_create(ze_context_handle_t context, ze_device_handle_t device, const ze_command_queue_desc_t *desc,
                    ze_command_list_handle_t *out);
CALL zp_list_destroy(ze_command_list_handle_t list);
CALL zp_list_synchronize(ze_command_list_handle_t list, uint64_t timeout);
CALL zp_list_copy(ze_command_list_handle_t list, void *dst, const void *src, size_t n_bytes, ze_event_handle_t signal,
                  uint32_t n_wait, ze_event_handle_t *wait);
CALL zp_list_fill(ze_command_list_handle_t list, void *dst, const void *pattern, size_t pattern_bytes, size_t n_bytes,
                  ze_event_handle_t signal, uint32_t n_wait, ze_event_handle_t *wait);
CALL zp_list_barrier(ze_command_list_handle_t list, ze_event_handle_t signal, uint32_t n_wait, ze_event_handle_t *wait);
CALL zp_list_launch(ze_command_list_handle_t list, ze_kernel_handle_t kernel, const ze_group_count_t *groups,
                    ze_event_handle_t signal, uint32_t n_wait, ze_event_handle_t *wait);

CALL zp_pool_create(ze_context_handle_t context, const ze_event_pool_desc_t *desc, uint32_t n_devices, ze_device_handle_t *devices,
                    ze_event_pool_handle_t *out);
CALL zp_pool_destroy(ze_event_pool_handle_t pool);
CALL zp_event_create(ze_event_pool_handle_t pool, const ze_event_desc_t *desc, ze_event_handle_t *out);
CALL zp_event_destroy(ze_event_handle_t event);
CALL zp_event_synchronize(ze_event_handle_t event, uint64_t timeout);
CALL zp_event_status(ze_event_handle_t event);
CALL zp_event_reset(ze_event_handle_t event);
CALL zp_event_times(ze_event_handle_t event, ze_kernel_timestamp_result_t *out);

CALL zp_module_create(ze_context_handle_t context, ze_device_handle_t device, const ze_module_desc_t *desc, ze_module_handle_t *out,
                      ze_module_build_log_handle_t *log);
CALL zp_module_destroy(ze_module_handle_t module);
CALL zp_module_native(ze_module_handle_t module, size_t *n_bytes, uint8_t *bytes);
CALL zp_log_string(ze_module_build_log_handle_t log, size_t *n_bytes, char *text);
CALL zp_log_destroy(ze_module_build_log_handle_t log);
CALL zp_kernel_create(ze_module_handle_t module, const ze_kernel_desc_t *desc, ze_kernel_handle_t *out);
CALL zp_kernel_destroy(ze_kernel_handle_t kernel);
CALL zp_kernel_group_size(ze_kernel_handle_t kernel, uint32_t x, uint32_t y, uint32_t z);
CALL zp_kernel_argument(ze_kernel_handle_t kernel, uint32_t index, size_t n_bytes, const void *value);
CALL zp_kernel_indirect_access(ze_kernel_handle_t kernel, ze_kernel_indirect_access_flags_t flags);
CALL zp_kernel_properties(ze_kernel_handle_t kernel, ze_kernel_properties_t *p);

/* Between work.c and module.c: enqueues a kernel whose arguments are set. */
ze_result_t zp_kernel_enqueue(ze_kernel_handle_t kernel, cl_command_queue queue, const ze_group_count_t *groups,
                              cl_event *out_event);

#endif
