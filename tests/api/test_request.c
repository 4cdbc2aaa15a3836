/* test_request.c - what a field of a request that is left out means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <kdsl.h>

static const char configured[] = "import triton\n"
                                 "import triton.language as tl\n"
                                 "@triton.autotune(configs=[triton.Config({'BLOCK': 16}), triton.Config({'BLOCK': 32})], key=[])\n"
                                 "@triton.jit\n"
                                 "def fill(p, BLOCK: tl.constexpr):\n"
                                 "    tl.store(p + tl.arange(0, BLOCK), 1.0)\n";

static kd_status compile(kd_compiler *compiler, kd_compile_request request, const char *expected)
{
    kd_compiled *compiled = NULL;
    request.text = configured;
    request.signature = "*fp32";
    request.emit = "kd";
    kd_status status = kd_compile(compiler, &request, &compiled);
    size_t n_bytes = 0;
    const char *text = status == KD_OK ? kd_compiled_bytes(compiled, &n_bytes) : kd_compiler_messages(compiler);
    char copy[4096] = {0};
    memcpy(copy, text, n_bytes ? n_bytes : strlen(text));
    assert_non_null(strstr(copy, expected));
    kd_compiled_destroy(compiled);
    return status;
}

static void test_a_config_counts_where_it_is_set(void **state)
{
    kd_compiler *compiler;
    (void)state;
    assert_int_equal(kd_compiler_create(NULL, &compiler), KD_OK);
    assert_int_equal(compile(compiler, (kd_compile_request){0}, "'fill' needs an argument for 'BLOCK'"), KD_ERR_ARGUMENT);
    assert_int_equal(compile(compiler, (kd_compile_request){.config = 1}, "'fill' needs an argument for 'BLOCK'"), KD_ERR_ARGUMENT);
    assert_int_equal(compile(compiler, (kd_compile_request){.set_config = true}, "tile<16x"), KD_OK);
    assert_int_equal(compile(compiler, (kd_compile_request){.config = 1, .set_config = true}, "tile<32x"), KD_OK);
    assert_int_equal(compile(compiler, (kd_compile_request){.config = 2, .set_config = true}, "there is no number 2"), KD_ERR_ARGUMENT);
    kd_compiler_destroy(compiler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_config_counts_where_it_is_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
