/* gpu_device.c - the table of GPUs. */
#include "base/gpu_device.h"

#include <string.h>

const kd_gpu_device kd_gpu_devices[] = {
#define KD_GPU_DEVICE(...) {__VA_ARGS__},
#include "base/gpu_devices.def"
};
const unsigned kd_n_gpu_devices = sizeof kd_gpu_devices / sizeof *kd_gpu_devices;

static const kd_gpu_speed speeds[] = {
#define KD_GPU_SPEED(...) {__VA_ARGS__},
#include "base/gpu_speeds.def"
};

const kd_gpu_speed *kd_gpu_speed_find(const char *name)
{
    for (unsigned i = 0; i < sizeof speeds / sizeof *speeds; i++)
        if (strcmp(speeds[i].name, name) == 0)
            return &speeds[i];
    return NULL;
}

bool kd_target_is_gpu(const char *target)
{
    return target && strncmp(target, "spirv", 5) == 0;
}

const kd_gpu_device *kd_gpu_device_find(const char *name)
{
    for (unsigned i = 0; i < kd_n_gpu_devices; i++)
        if (strcmp(kd_gpu_devices[i].name, name) == 0)
            return &kd_gpu_devices[i];
    return NULL;
}

const kd_gpu_device *kd_gpu_device_by_ip(uint32_t ip_major, uint32_t ip_minor)
{
    const kd_gpu_device *best = NULL;
    for (unsigned i = 0; i < kd_n_gpu_devices; i++) {
        const kd_gpu_device *device = &kd_gpu_devices[i];
        if (device->ip_major == ip_major && device->ip_minor <= ip_minor && (!best || device->ip_minor > best->ip_minor))
            best = device;
    }
    return best;
}
