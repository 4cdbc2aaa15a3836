/* Any text as the signature of a kernel with parameters of every kind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsl/kdsl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static const char source[] = "import triton\n"
                             "import triton.language as tl\n"
                             "LIMIT = tl.constexpr(7)\n"
                             "@triton.jit\n"
                             "def relu(x):\n"
                             "    return x\n"
                             "@triton.jit\n"
                             "def kernel(x, n, t, desc, BLOCK: tl.constexpr, act: tl.constexpr = 'relu', eps=1e-5, bias=None):\n"
                             "    pass\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char *text = malloc(n_bytes + 1);
    memcpy(text, data, n_bytes);
    text[n_bytes] = 0;
    kd_compiler *compiler;
    if (kd_compiler_create(&(kd_compiler_options){.memory_limit_bytes = 256 << 20}, &compiler) != KD_OK)
        abort();
    kd_compiled *compiled;
    kd_compile_request request = {.text = source, .kernel = "kernel", .signature = text, .emit = "kd"};
    kd_status status = kd_compile(compiler, &request, &compiled);
    if (status == KD_OK)
        kd_compiled_destroy(compiled);
    else if (!*kd_compiler_messages(compiler)) /* never without a word */
        abort();
    kd_compiler_destroy(compiler);
    free(text);
    return 0;
}
