/* hash.h - 128-bit hashes for keys that outlive the process: equal hashes are taken for equal contents. Not a defence against
 * somebody who looks for collisions. */
#ifndef KD_BASE_HASH_H
#define KD_BASE_HASH_H

#include "base/failure.h"

#include <stddef.h>
#include <stdint.h>

/* Starts as zero. What is added is kept apart: adding "ab", "c" differs from adding "a", "bc". */
typedef struct kd_hash {
    uint64_t low, high;
} kd_hash;

void kd_hash_add(kd_hash *hash, const void *data, size_t n_bytes);
void kd_hash_add_text(kd_hash *hash, const char *text); /* NULL differs from "" */
void kd_hash_add_u64(kd_hash *hash, uint64_t value);

static inline int kd_hash_equal(kd_hash a, kd_hash b)
{
    return a.low == b.low && a.high == b.high;
}

/* 32 hexadecimal digits and a NUL. */
void kd_hash_print(kd_hash hash, char out[33]);

/* The hash of a file's content, as one kd_hash_add of it gives. Failures as kd_file_read's. */
kd_status kd_hash_file(const char *path, size_t limit_bytes, kd_hash *out, kd_failure *out_why);

#endif
