/* Any bytes as a kernel file: every jit function of it, lowered for parameters of made-up types. No input may crash the compiler, make it
 * hang, or make IR that the verifier calls a bug. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/map.h"
#include "dsl/inspect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { MAX_KERNELS = 8, MAX_SIGNATURE = 4096, MEMORY_LIMIT = 64 << 20 };

/* By its annotation, and otherwise by turns: an array, an integer. */
static void make_signature(const kd_kernel_info *kernel, char *out)
{
    size_t n = 0;
    out[0] = 0;
    for (unsigned i = 0; i < kernel->n_params && n < MAX_SIGNATURE - 16; i++) {
        const char *type = kernel->params[i].is_constexpr ? "16" : i % 2 ? "i32" : "*fp32:16";
        n += (size_t)snprintf(out + n, MAX_SIGNATURE - n, "%s%s", i ? ", " : "", type);
    }
}

/* Mostly to IR, which is quick; of sixteen files, two go all the way to an object, and four to the LLVM IR of a GPU. */
static const struct {
    const char *emit, *target;
} ENDS[16] = {{"obj", "cpu"}, {"obj", "cpu"}, {"llvm", "spirv:pvc"}, {"llvm", "spirv:bmg"}, {"llvm", "spirv:dg2"}, {"llvm", "spirv:tgl"}};

static void compile(kd_compiler *compiler, const char *text, const kd_kernel_info *info)
{
    char signature[MAX_SIGNATURE], kernel[512];
    make_signature(info, signature);
    snprintf(kernel, sizeof kernel, "%.400s@%u", info->name, info->line);
    kd_compiled *compiled;
    unsigned end = (unsigned)(kd_hash_bytes(text, strlen(text), 0) % 16);
    kd_compile_request request = {.text = text, .kernel = kernel, .signature = signature, .target = ENDS[end].target,
                                  .emit = ENDS[end].emit ? ENDS[end].emit : "kd", .set_opt_level = true};
    if (kd_compile(compiler, &request, &compiled) == KD_OK)
        kd_compiled_destroy(compiled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char *text = malloc(n_bytes + 1);
    memcpy(text, data, n_bytes);
    text[n_bytes] = 0;
    kd_compiler *compiler;
    if (kd_compiler_create(&(kd_compiler_options){.memory_limit_bytes = MEMORY_LIMIT}, &compiler) != KD_OK)
        abort();
    clock_t began = clock(); /* each kernel may take as long as the limits let it, but not all together */
    const kd_file_info *info;
    kd_compile_request request = {.text = text};
    if (kd_compiler_inspect(compiler, &request, false, &info) == KD_OK)
        for (unsigned i = 0; i < info->n_kernels && i < MAX_KERNELS && clock() - began < CLOCKS_PER_SEC; i++)
            compile(compiler, text, &info->kernels[i]);
    kd_compiler_destroy(compiler);
    free(text);
    return 0;
}
