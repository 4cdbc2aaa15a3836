/* fuzz_npy.c - .npy files: any bytes are either an array or a sentence about what is wrong. */
#include "base/npy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    kd_npy npy;
    kd_failure why = {{0}};
    if (kd_npy_parse(data, n_bytes, "x.npy", &npy, &why) != KD_OK) {
        if (!why.text[0])
            abort();
        return 0;
    }
    /* What was accepted is there to be read. */
    uint8_t sum = 0;
    for (size_t i = 0; i < npy.n_bytes; i++)
        sum ^= ((const uint8_t *)npy.data)[i];
    if (npy.n_bytes != npy.n_elems * npy.item_bytes || (sum && !npy.data))
        abort();
    kd_npy_release(&npy);
    return 0;
}
