/* cache_entry.c - the bytes of one cache entry, little-endian:
 *
 *      0  "kdslKRN\n"      8  u32 version, u32 0
 *     16  key (16)        32  u64 length of the whole file
 *     40  checksum (16) of the header without it and of everything behind it
 *     56  u32 n_files, u32 n_desc_bytes, u64 n_code_bytes
 *     72  n_files records: u32 exists, u32 path_bytes, hash (16), path
 *         the kernel descriptor (desc.h), then the code, to the end */
#include "runtime/cache_entry.h"
#include "runtime/desc.h"

#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 2,
    KEY_AT = 16,
    LENGTH_AT = 32,
    CHECKSUM_AT = 40,
    COUNTS_AT = 56,
    FILE_HEADER_BYTES = 24,
    MAX_PATH_BYTES = 4096,
};
static const char MAGIC[8] = {'k', 'd', 's', 'l', 'K', 'R', 'N', '\n'};

static void put(unsigned char *at, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *at, unsigned n_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static void put_hash(unsigned char *at, kd_hash hash)
{
    put(at, hash.low, 8);
    put(at + 8, hash.high, 8);
}

static kd_hash get_hash(const unsigned char *at)
{
    return (kd_hash){get(at, 8), get(at + 8, 8)};
}

static kd_hash checksum(const unsigned char *front, size_t n_front_bytes, const void *code, size_t n_code_bytes)
{
    kd_hash hash = {0, 0};
    kd_hash_add(&hash, front, CHECKSUM_AT);
    kd_hash_add(&hash, front + COUNTS_AT, n_front_bytes - COUNTS_AT);
    kd_hash_add(&hash, code, n_code_bytes);
    return hash;
}

kd_status kd_entry_encode(kd_hash key, const kd_kernel_desc *desc, const void *code, size_t n_code_bytes,
                          const kd_cache_file *files, unsigned n_files, unsigned char **out_front, size_t *out_n_front_bytes)
{
    if (n_files > KD_ENTRY_MAX_FILES)
        return KD_ERR_UNSUPPORTED;
    size_t n_files_bytes = 0;
    for (unsigned i = 0; i < n_files; i++) {
        size_t n = strlen(files[i].path);
        if (files[i].path[0] != '/' || n >= MAX_PATH_BYTES)
            return KD_ERR_ARGUMENT;
        n_files_bytes += FILE_HEADER_BYTES + n;
    }
    unsigned char *desc_bytes;
    size_t n_desc_bytes;
    kd_status status = kd_kernel_desc_encode(desc, &desc_bytes, &n_desc_bytes);
    if (status)
        return status == KD_ERR_DAMAGED ? KD_ERR_ARGUMENT : status;
    size_t n_front_bytes = KD_ENTRY_HEADER_BYTES + n_files_bytes + n_desc_bytes;
    unsigned char *front = calloc(1, n_front_bytes), *p = front + KD_ENTRY_HEADER_BYTES;
    if (!front) {
        free(desc_bytes);
        return KD_ERR_MEMORY;
    }
    memcpy(front, MAGIC, sizeof MAGIC);
    put(front + 8, VERSION, 4);
    put_hash(front + KEY_AT, key);
    put(front + LENGTH_AT, n_front_bytes + n_code_bytes, 8);
    put(front + COUNTS_AT, n_files, 4);
    put(front + COUNTS_AT + 4, n_desc_bytes, 4);
    put(front + COUNTS_AT + 8, n_code_bytes, 8);
    for (unsigned i = 0; i < n_files; i++) {
        size_t n = strlen(files[i].path);
        put(p, files[i].exists, 4);
        put(p + 4, n, 4);
        put_hash(p + 8, files[i].exists ? files[i].content : (kd_hash){0, 0});
        memcpy(p + FILE_HEADER_BYTES, files[i].path, n);
        p += FILE_HEADER_BYTES + n;
    }
    memcpy(p, desc_bytes, n_desc_bytes);
    free(desc_bytes);
    put_hash(front + CHECKSUM_AT, checksum(front, n_front_bytes, code, n_code_bytes));
    *out_front = front;
    *out_n_front_bytes = n_front_bytes;
    return KD_OK;
}

kd_entry_file kd_entry_next_file(const unsigned char **at)
{
    const unsigned char *p = *at;
    kd_entry_file file = {.exists = get(p, 4) != 0,
                          .path_bytes = (size_t)get(p + 4, 4),
                          .content = get_hash(p + 8),
                          .path = (const char *)p + FILE_HEADER_BYTES};
    *at = p + FILE_HEADER_BYTES + file.path_bytes;
    return file;
}

/* How many bytes the file records take; 0: they do not fit into n_bytes. */
static bool measure_files(const unsigned char *p, size_t n_bytes, unsigned n_files, size_t *out_used)
{
    size_t used = 0;
    for (unsigned i = 0; i < n_files; i++) {
        if (n_bytes - used < FILE_HEADER_BYTES)
            return false;
        uint64_t n = get(p + used + 4, 4);
        used += FILE_HEADER_BYTES;
        if (n == 0 || n >= MAX_PATH_BYTES || n > n_bytes - used || p[used] != '/' || memchr(p + used, '\0', (size_t)n))
            return false;
        used += (size_t)n;
    }
    *out_used = used;
    return true;
}

kd_status kd_entry_decode(const unsigned char *bytes, size_t n_bytes, const kd_hash *key, kd_entry *out)
{
    if (n_bytes < KD_ENTRY_HEADER_BYTES || memcmp(bytes, MAGIC, sizeof MAGIC) != 0 || get(bytes + 8, 4) != VERSION ||
        get(bytes + 12, 4) != 0 || get(bytes + LENGTH_AT, 8) != n_bytes || (key && !kd_hash_equal(*key, get_hash(bytes + KEY_AT))))
        return KD_ERR_DAMAGED;
    uint64_t n_files = get(bytes + COUNTS_AT, 4), n_desc_bytes = get(bytes + COUNTS_AT + 4, 4),
             n_code_bytes = get(bytes + COUNTS_AT + 8, 8);
    size_t n_rest = n_bytes - KD_ENTRY_HEADER_BYTES, n_files_bytes;
    if (n_files > KD_ENTRY_MAX_FILES || n_code_bytes > n_rest || n_desc_bytes > n_rest - n_code_bytes)
        return KD_ERR_DAMAGED;
    size_t n_front_bytes = n_bytes - (size_t)n_code_bytes;
    if (!kd_hash_equal(get_hash(bytes + CHECKSUM_AT), checksum(bytes, n_front_bytes, bytes + n_front_bytes, (size_t)n_code_bytes)))
        return KD_ERR_DAMAGED;
    size_t room = n_rest - (size_t)n_code_bytes - (size_t)n_desc_bytes;
    if (!measure_files(bytes + KD_ENTRY_HEADER_BYTES, room, (unsigned)n_files, &n_files_bytes) || n_files_bytes != room)
        return KD_ERR_DAMAGED;
    kd_kernel_desc *desc;
    kd_status status = kd_kernel_desc_decode(bytes + KD_ENTRY_HEADER_BYTES + n_files_bytes, (size_t)n_desc_bytes, &desc);
    if (status)
        return status;
    *out = (kd_entry){
        .desc = desc,
        .code = bytes + n_front_bytes,
        .n_code_bytes = (size_t)n_code_bytes,
        .files = bytes + KD_ENTRY_HEADER_BYTES,
        .n_files = (unsigned)n_files,
    };
    return KD_OK;
}
