/* cache.h - compiled kernels on disk.
 *
 * An entry is found by a hash of the request: everything that is known before compiling and determines the code (dsl/key.c: the main file's
 * content and absolute path, the kernel's name, the specialization, the target, the options, the absolute import folders, the processor's
 * features, the compiler's version and the size and time of its libraries). It also records the other files that the compiler read, and the paths where it looked for one in vain; it
 * is good only as long as the former have the same content and the latter do not exist.
 *
 * Processes may use one cache at the same time. Entries are written at once; one that is damaged, not ours or out of date is like
 * one that does not exist, and is replaced by the next store. The cache keeps itself below its size by removing what was not used
 * for long. */
#ifndef KD_RUNTIME_CACHE_H
#define KD_RUNTIME_CACHE_H

#include "base/failure.h"
#include "base/kernel_store.h"

typedef struct kd_cache kd_cache;

typedef struct kd_cache_options {
    const char *folder;   /* NULL: "kernels" in kd_cache_dir() */
    uint64_t limit_bytes; /* 0: $KDSL_CACHE_SIZE (a number of bytes, or with K, M or G behind it), or 1 GiB */
} kd_cache_options;

/* options may be NULL. Makes no folder before something is stored. KD_ERR_NOT_FOUND: there is no place for a cache (no HOME).
 * KD_ERR_UNSUPPORTED: KDSL_CACHE_SIZE is 0 (no cache is wanted), or the folder belongs to somebody else or is open to others.
 * KD_ERR_ARGUMENT: KDSL_CACHE_SIZE makes no sense. KD_ERR_MEMORY. One can go on without a cache after each of them. */
kd_status kd_cache_open(const kd_cache_options *options, kd_cache **out_cache, kd_failure *out_why);
void kd_cache_close(kd_cache *cache);
const char *kd_cache_folder(const kd_cache *cache);
uint64_t kd_cache_limit_bytes(const kd_cache *cache);

/* KD_ERR_NOT_FOUND: there is no good entry. KD_ERR_MEMORY. */
kd_status kd_cache_find(kd_cache *cache, kd_hash key, kd_cached_kernel *out);
void kd_cached_kernel_release(kd_cached_kernel *kernel);

/* KD_ERR_IO, KD_ERR_MEMORY; KD_ERR_ARGUMENT: a relative path, or a desc that makes no sense; KD_ERR_UNSUPPORTED: larger than
 * what the cache may hold, or the folder is not ours. The kernel itself is good after each of them. */
kd_status kd_cache_store(kd_cache *cache, kd_hash key, const kd_kernel_desc *desc, const void *code, size_t n_code_bytes,
                         const kd_cache_file *files, unsigned n_files, kd_failure *out_why);

/* The cache as the compiler wants it; valid while the cache is open. */
kd_kernel_store kd_cache_as_store(kd_cache *cache);

/* ---- for people: kdsl cache ---- */

typedef struct kd_cache_info {
    kd_hash key;
    const char *kernel, *target; /* NULL: the entry is damaged, or of another version */
    uint64_t n_bytes;            /* on disk */
    int64_t used_at;             /* seconds since 1970: last use, to a minute */
} kd_cache_info;

/* Calls visit for each entry, in no order. */
kd_status kd_cache_list(kd_cache *cache, void (*visit)(void *user, const kd_cache_info *info), void *user, kd_failure *out_why);
/* The number of entries and what they take on disk. */
kd_status kd_cache_size(kd_cache *cache, uint64_t *out_n_entries, uint64_t *out_n_bytes, kd_failure *out_why);
/* Removes all entries and nothing else. *out_n_removed (may be NULL) counts them. */
kd_status kd_cache_clear(kd_cache *cache, uint64_t *out_n_removed, kd_failure *out_why);

#endif
