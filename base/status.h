/* status.h - how a failure that is not the kernel author's travels. */
#ifndef KD_BASE_STATUS_H
#define KD_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kd_status {
    KD_OK = 0,
    KD_ERR_REPORTED,    /* the kernel is wrong; the diagnostics say how: callers only unwind */
    KD_ERR_ARGUMENT,    /* the caller passed something that the function's comment rules out */
    KD_ERR_UNSUPPORTED, /* a valid request that this build or device cannot serve */
    KD_ERR_NOT_FOUND,   /* a file, kernel, device or cache entry does not exist */
    KD_ERR_MEMORY,      /* memory ran out, or a compilation passed its memory limit */
    KD_ERR_IO,          /* the operating system refused a file operation; errno is kept */
    KD_ERR_DAMAGED,     /* bytes from outside that are not what they claim to be */
    KD_ERR_DEVICE,      /* a driver or a device failed */
    KD_ERR_ASSERT,      /* an assertion of a running kernel failed */
} kd_status;

/* A short lower-case phrase for a status, never NULL. */
const char *kd_status_text(kd_status status);

#ifdef __cplusplus
}
#endif

#endif
