/* cache_entry.h - the bytes of one cache entry. */
#ifndef KD_RUNTIME_CACHE_ENTRY_H
#define KD_RUNTIME_CACHE_ENTRY_H

#include "runtime/cache.h"

#include <stdbool.h>

enum { KD_ENTRY_HEADER_BYTES = 72, KD_ENTRY_MAX_FILES = 4096 };
#define KD_ENTRY_MAX_BYTES ((uint64_t)256 << 20)

/* What comes before the code in the file. *out_front is for free(). */
kd_status kd_entry_encode(kd_hash key, const kd_kernel_desc *desc, const void *code, size_t n_code_bytes,
                          const kd_cache_file *files, unsigned n_files, unsigned char **out_front, size_t *out_n_front_bytes);

/* A decoded entry; its texts and the code are in the bytes that it was decoded from. */
typedef struct kd_entry {
    kd_kernel_desc *desc; /* for free() */
    const void *code;
    size_t n_code_bytes;
    const unsigned char *files; /* n_files records, see kd_entry_next_file */
    unsigned n_files;
} kd_entry;

/* Checks the bytes as a whole (length, checksum) and in detail. key NULL: any. KD_ERR_DAMAGED: they are no entry of this version
 * and key. KD_ERR_MEMORY. */
kd_status kd_entry_decode(const unsigned char *bytes, size_t n_bytes, const kd_hash *key, kd_entry *out);

/* The file record at *at, which moves to the next one. The path is path_bytes long and not terminated. */
typedef struct kd_entry_file {
    const char *path;
    size_t path_bytes;
    bool exists;
    kd_hash content;
} kd_entry_file;

kd_entry_file kd_entry_next_file(const unsigned char **at);

#endif
