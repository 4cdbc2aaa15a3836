/* hash.c - a chain of XXH3 hashes: each piece is hashed, and its hash and length go into the hash of what came before. */
#include "base/hash.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void kd_hash_add(kd_hash *hash, const void *data, size_t n_bytes)
{
    XXH128_hash_t piece = XXH3_128bits(data, n_bytes);
    uint64_t link[5] = {hash->low, hash->high, piece.low64, piece.high64, n_bytes};
    XXH128_hash_t sum = XXH3_128bits(link, sizeof link);
    *hash = (kd_hash){sum.low64, sum.high64};
}

void kd_hash_add_u64(kd_hash *hash, uint64_t value)
{
    kd_hash_add(hash, &value, sizeof value);
}

void kd_hash_add_text(kd_hash *hash, const char *text)
{
    kd_hash_add_u64(hash, text != NULL);
    if (text)
        kd_hash_add(hash, text, strlen(text));
}

void kd_hash_print(kd_hash hash, char out[33])
{
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)hash.high, (unsigned long long)hash.low);
}

kd_status kd_hash_file(const char *path, size_t limit_bytes, kd_hash *out, kd_failure *out_why)
{
    char *data;
    size_t n_bytes;
    kd_status status = kd_file_read(path, limit_bytes, &data, &n_bytes, out_why);
    if (status)
        return status;
    kd_hash hash = {0, 0};
    kd_hash_add(&hash, data, n_bytes);
    free(data);
    *out = hash;
    return KD_OK;
}
