/* fuzz_elf.c - object code: any bytes are loaded, and never run, or refused with a sentence. */
#include "runtime/cpu/elf_loader.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void *resolve(void *user, const char *name)
{
    return name[0] == 'x' ? NULL : (void *)(uintptr_t)resolve;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    kd_elf_image *image = NULL;
    kd_failure why = {{0}};
    if (kd_elf_load(data, n_bytes, resolve, NULL, &image, &why)) {
        if (!why.text[0] || image)
            abort();
        return 0;
    }
    (void)kd_elf_function(image, "kernel");
    kd_elf_unload(image);
    return 0;
}
