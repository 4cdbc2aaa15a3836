/* ze_facts.h - the GPUs of this machine, and what their drivers report. */
#ifndef KD_RUNTIME_LEVEL_ZERO_ZE_FACTS_H
#define KD_RUNTIME_LEVEL_ZERO_ZE_FACTS_H

#include "base/gpu_device.h"
#include "runtime/level_zero/ze.h"
#include "runtime/runtime.h"

typedef struct kd_ze_place {
    ze_driver_handle_t driver;
    ze_device_handle_t device;
} kd_ze_place;

typedef struct kd_ze_facts {
    kd_device_info info;
    const kd_gpu_device *known; /* NULL: the architecture is not in gpu_devices.def, or not reported */
    uint32_t ip_version, device_id, driver_version;
    uint64_t max_alloc_bytes;
    bool has_relaxed_limits; /* larger allocations, where one asks for them */
    uint32_t max_groups[3];
    double ns_per_tick;
    uint32_t timestamp_bits;
    uint32_t compute_ordinal; /* of the command queue group */
} kd_ze_facts;

enum { KD_ZE_MAX_DEVICES = 64 };

/* All GPUs of all drivers, in their order. KD_ERR_NOT_FOUND: none, and why. */
kd_status kd_ze_find(const kd_ze *ze, kd_ze_place out[KD_ZE_MAX_DEVICES], unsigned *out_n, kd_failure *out_why);
kd_status kd_ze_describe(const kd_ze *ze, kd_ze_place place, unsigned index, kd_ze_facts *out, kd_failure *out_why);

#endif
