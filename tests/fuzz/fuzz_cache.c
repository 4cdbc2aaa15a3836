/* fuzz_cache.c - cache entries and kernel descriptors: any bytes are either a good entry or none, with and without a right checksum. */
#include "runtime/cache_entry.h"
#include "runtime/desc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void use(const uint8_t *bytes, size_t n_bytes)
{
    kd_entry entry;
    if (kd_entry_decode(bytes, n_bytes, NULL, &entry))
        return;
    const unsigned char *at = entry.files;
    uint8_t sum = 0;
    for (unsigned i = 0; i < entry.n_files; i++) {
        kd_entry_file file = kd_entry_next_file(&at);
        for (size_t c = 0; c < file.path_bytes; c++)
            sum ^= (uint8_t)file.path[c];
    }
    for (size_t i = 0; i < entry.n_code_bytes; i++)
        sum ^= ((const uint8_t *)entry.code)[i];
    if (kd_kernel_desc_check(entry.desc, NULL) || (const uint8_t *)entry.code + entry.n_code_bytes != bytes + n_bytes)
        abort();
    free(entry.desc);
    if (sum == 0)
        (void)kd_entry_decode(bytes, n_bytes ? n_bytes - 1 : 0, NULL, &entry);
}

/* What decodes is encoded to bytes that decode to the same. */
static void use_desc(const uint8_t *bytes, size_t n_bytes)
{
    kd_kernel_desc *desc, *again;
    unsigned char *encoded;
    size_t n_encoded;
    if (kd_kernel_desc_decode(bytes, n_bytes, &desc))
        return;
    if (kd_kernel_desc_encode(desc, &encoded, &n_encoded) || n_encoded != n_bytes || memcmp(encoded, bytes, n_bytes) != 0 ||
        kd_kernel_desc_decode(encoded, n_encoded, &again))
        abort();
    free(again);
    free(encoded);
    free(desc);
}

/* With the length and the checksum that it should have: what lies behind these is looked at too. */
static void use_mended(const uint8_t *data, size_t n_bytes)
{
    uint8_t *copy = malloc(n_bytes);
    if (!copy)
        return;
    memcpy(copy, data, n_bytes);
    memcpy(copy, "kdslKRN\n\1\0\0\0\0\0\0\0", 16);
    for (unsigned i = 0; i < 8; i++)
        copy[32 + i] = (uint8_t)((uint64_t)n_bytes >> 8 * i);
    uint64_t n_code_bytes;
    memcpy(&n_code_bytes, copy + 64, sizeof n_code_bytes);
    if (n_code_bytes <= n_bytes - KD_ENTRY_HEADER_BYTES) {
        kd_hash hash = {0, 0};
        kd_hash_add(&hash, copy, 40);
        kd_hash_add(&hash, copy + 56, n_bytes - 56 - (size_t)n_code_bytes);
        kd_hash_add(&hash, copy + n_bytes - n_code_bytes, (size_t)n_code_bytes);
        memcpy(copy + 40, &hash.low, 8);
        memcpy(copy + 48, &hash.high, 8);
        use(copy, n_bytes);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    use(data, n_bytes);
    use_desc(data, n_bytes);
    if (n_bytes >= KD_ENTRY_HEADER_BYTES)
        use_mended(data, n_bytes);
    return 0;
}
