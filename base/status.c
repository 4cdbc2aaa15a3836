/* status.c - names of statuses. */
#include "base/status.h"

const char *kd_status_text(kd_status status)
{
    switch (status) {
    case KD_OK: return "success";
    case KD_ERR_REPORTED: return "the kernel has errors";
    case KD_ERR_ARGUMENT: return "invalid argument";
    case KD_ERR_UNSUPPORTED: return "not supported";
    case KD_ERR_NOT_FOUND: return "not found";
    case KD_ERR_MEMORY: return "out of memory";
    case KD_ERR_IO: return "input or output failed";
    case KD_ERR_DAMAGED: return "damaged data";
    case KD_ERR_DEVICE: return "device failure";
    case KD_ERR_ASSERT: return "assertion failed";
    }
    return "unknown status";
}
