/* kernel_store.h - where compiled kernels are kept between processes, as the compiler sees it. runtime/cache.h is the one on disk. */
#ifndef KD_BASE_KERNEL_STORE_H
#define KD_BASE_KERNEL_STORE_H

#include "base/hash.h"
#include "base/kernel_desc.h"

#include <stdbool.h>

/* A file that the compiler read besides the main one, or looked for in vain: an entry is good only as long as this is still so. */
typedef struct kd_cache_file {
    const char *path; /* absolute */
    bool exists;
    kd_hash content; /* kd_hash_file's, of what the compiler read; unused where !exists */
} kd_cache_file;

/* What an entry holds. Owned by it. */
typedef struct kd_cached_kernel {
    const kd_kernel_desc *desc;
    const void *code;
    size_t n_code_bytes;
    void *owner;
} kd_cached_kernel;

/* All functions may be called from several threads at once. */
typedef struct kd_kernel_store {
    void *self;
    /* KD_OK: there is a good entry. */
    kd_status (*find)(void *self, kd_hash key, kd_cached_kernel *out);
    void (*release)(kd_cached_kernel *kernel);
    /* The kernel is good whether it could be kept or not. */
    kd_status (*keep)(void *self, kd_hash key, const kd_kernel_desc *desc, const void *code, size_t n_code_bytes, const kd_cache_file *files,
                      unsigned n_files);
} kd_kernel_store;

#endif
