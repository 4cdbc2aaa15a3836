/* fuzz_kx.c - executables in files: any bytes are good or refused, with and without right checksums. Nothing of them is run. */
#include "dsl/kdsl.h"
#include "dsl/key.h"
#include "graph/kx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void check(const void *data, size_t n_bytes)
{
    kd_failure why = {{0}};
    if (kd_kx_check("model.kx", data, n_bytes, &why) && !why.text[0])
        abort();
}

/* With the version, processor, lengths and checksum that it should have: what lies behind these is looked at too. */
static void check_mended(const uint8_t *data, size_t n_bytes)
{
    kd_kx_header h;
    uint8_t *copy = malloc(n_bytes);
    if (!copy)
        return;
    memcpy(copy, data, n_bytes);
    memcpy(&h, data, sizeof h);
    memcpy(h.magic, "kdslKX\r\n", sizeof h.magic);
    h.version = KD_KX_VERSION;
    memset(h.made_by, 0, sizeof h.made_by);
    strncpy(h.made_by, kd_version(), sizeof h.made_by - 1);
    h.processor = (kd_hash){0};
    if (strncmp(h.target, "cpu", sizeof h.target) == 0)
        kd_hash_add_processor(&h.processor);
    h.n_bytes = n_bytes;
    if (h.n_front_bytes <= n_bytes - sizeof h) {
        h.checksum = kd_kx_checksum(h, data + sizeof h, (size_t)h.n_front_bytes);
        memcpy(copy, &h, sizeof h);
        check(copy, n_bytes);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    check(data, n_bytes);
    if (n_bytes >= sizeof(kd_kx_header))
        check_mended(data, n_bytes);
    return 0;
}
