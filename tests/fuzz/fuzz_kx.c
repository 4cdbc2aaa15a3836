/* fuzz_kx.c - executables in files: any bytes are good or refused, with and without right checksums. Nothing of them is run. */
#include "dsl/kdsl.h"
#include "dsl/key.h"
#include "graph/kx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* The header as kx.c has it. */
enum { MADE_BY = 24, PROCESSOR = 88, N_BYTES = 104, N_FRONT_BYTES = 112, CHECKSUM = 128, HEADER_BYTES = 144 };

static void check(const void *data, size_t n_bytes)
{
    kd_failure why = {{0}};
    if (kd_kx_check("model.kx", data, n_bytes, &why) && !why.text[0])
        abort();
}

/* With the version, processor, lengths and checksum that it should have: what lies behind these is looked at too. */
static void check_mended(const uint8_t *data, size_t n_bytes)
{
    uint8_t *copy = malloc(n_bytes);
    uint64_t n_front_bytes, total = n_bytes;
    kd_hash processor = {0}, sum = {0};
    if (!copy)
        return;
    memcpy(copy, data, n_bytes);
    memcpy(copy, "kdslKX\r\n\1\0\0\0\0\0\0\0", 16);
    memset(copy + MADE_BY, 0, 32);
    strcpy((char *)copy + MADE_BY, kd_version());
    kd_hash_add_processor(&processor);
    memcpy(copy + PROCESSOR, &processor, sizeof processor);
    memcpy(copy + N_BYTES, &total, sizeof total);
    memcpy(&n_front_bytes, copy + N_FRONT_BYTES, sizeof n_front_bytes);
    memset(copy + CHECKSUM, 0, sizeof sum);
    if (n_front_bytes <= n_bytes - HEADER_BYTES) {
        kd_hash_add(&sum, copy, HEADER_BYTES);
        kd_hash_add(&sum, copy + HEADER_BYTES, (size_t)n_front_bytes);
        memcpy(copy + CHECKSUM, &sum, sizeof sum);
        check(copy, n_bytes);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    check(data, n_bytes);
    if (n_bytes >= HEADER_BYTES)
        check_mended(data, n_bytes);
    return 0;
}
