/* test_out_of_memory.c - each allocation that our libraries make fails once: the call that needed it says so, nothing leaks, and the next
 * attempt succeeds.
 *
 * malloc and its kin are replaced in this program, and fail for callers inside our two libraries only: LLVM ends the process without memory.
 * The sanitized run looks for leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <link.h>

#include <cmocka.h>

#include <kdsl.h>
#include <runtime/runtime.h>

/* ---- allocations that fail ---- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REAL(name) __interceptor_##name
#define EARLY      __attribute__((no_sanitize("address", "undefined"))) /* called before the sanitizer is there */
#endif
#endif
#ifndef REAL
#define REAL(name) __libc_##name
#define EARLY
#endif

static struct {
    uintptr_t begin, end;
} ours[2]; /* the code of our libraries */
static unsigned long n_calls, fail_at; /* 0: none */

EARLY static bool fails(const void *caller)
{
    bool is_ours = false;
    for (unsigned i = 0; i < 2; i++)
        is_ours |= (uintptr_t)caller - ours[i].begin < ours[i].end - ours[i].begin;
    return fail_at && is_ours && __atomic_add_fetch(&n_calls, 1, __ATOMIC_RELAXED) == fail_at;
}

void *REAL(malloc)(size_t n_bytes);
void *REAL(calloc)(size_t n, size_t size);
void *REAL(realloc)(void *old, size_t n_bytes);

EARLY void *malloc(size_t n_bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(malloc)(n_bytes);
}

EARLY void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(calloc)(n, size);
}

EARLY void *realloc(void *old, size_t n_bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(realloc)(old, n_bytes);
}

static int note_library(struct dl_phdr_info *info, size_t size, void *user)
{
    unsigned i = strstr(info->dlpi_name, "libkdsl.so") ? 0 : strstr(info->dlpi_name, "libkdsl-codegen.so") ? 1 : 2;
    for (unsigned p = 0; p < info->dlpi_phnum && i < 2; p++)
        if (info->dlpi_phdr[p].p_type == PT_LOAD && info->dlpi_phdr[p].p_flags & PF_X) {
            ours[i].begin = info->dlpi_addr + info->dlpi_phdr[p].p_vaddr;
            ours[i].end = ours[i].begin + info->dlpi_phdr[p].p_memsz;
        }
    return 0;
}

/* ---- what is tried ---- */

enum { N = 100 };

static const char source[] = "import triton\n"
                             "import triton.language as tl\n"
                             "@triton.jit\n"
                             "def twice(x):\n"
                             "    return x * 2\n"
                             "@triton.jit\n"
                             "def kernel(p, q, n, BLOCK: tl.constexpr):\n"
                             "    offs = tl.arange(0, BLOCK)\n"
                             "    x = tl.load(p + offs, mask=offs < n, other=0.0)\n"
                             "    for i in tl.static_range(40):\n"
                             "        x = tl.where(offs < n - i, twice(x) / 2, x)\n"
                             "    tl.store(q + offs, x + tl.sum(x), mask=offs < n)\n";

static kd_status compile(const char *emit, kd_compiled **out)
{
    kd_compiler *compiler = NULL;
    kd_compile_request request = {.text = source, .kernel = "kernel", .signature = "*fp32, *fp32, i32, 128", .emit = emit, .set_opt_level = true};
    kd_status status = kd_compiler_create(NULL, &compiler);
    if (status == KD_OK)
        status = kd_compile(compiler, &request, out);
    kd_compiler_destroy(compiler);
    return status;
}

static kd_status compile_text(void)
{
    kd_compiled *compiled = NULL;
    kd_status status = compile("kd", &compiled);
    kd_compiled_destroy(compiled);
    return status;
}

static kd_status compile_header(void)
{
    kd_compiled *compiled = NULL;
    kd_status status = compile("obj", &compiled);
    char *header = status == KD_OK ? kd_compiled_header(compiled, "kernel.py", "") : NULL;
    if (status == KD_OK && !header)
        status = KD_ERR_MEMORY;
    free(header);
    kd_compiled_destroy(compiled);
    return status;
}

static kd_compiled *object; /* made once, with memory */

static kd_status launch(kd_device *device, float *x, float *y)
{
    kd_queue *queue = NULL;
    kd_kernel *kernel = NULL;
    size_t n_bytes;
    const void *code = kd_compiled_bytes(object, &n_bytes);
    kd_arg args[] = {kd_arg_ptr(x, N * sizeof *x), kd_arg_ptr(y, N * sizeof *y), kd_arg_i64(N)};
    kd_status status = kd_queue_create(device, &queue);
    if (status == KD_OK)
        status = kd_kernel_load(device, kd_compiled_desc(object), code, n_bytes, &kernel);
    if (status == KD_OK)
        status = kd_kernel_launch(queue, kernel, (const uint32_t[]){1, 1, 1}, args, 3, NULL);
    if (status == KD_OK)
        status = kd_queue_finish(queue);
    kd_kernel_destroy(kernel);
    kd_queue_destroy(queue);
    return status;
}

static kd_status run(void)
{
    kd_device *device = NULL;
    kd_failure why;
    float x[N], y[N] = {0};
    for (unsigned i = 0; i < N; i++)
        x[i] = 1;
    kd_status status = kd_device_open("cpu", &(kd_device_options){.n_threads = 2}, &device, &why);
    if (status == KD_OK)
        status = launch(device, x, y);
    kd_device_close(device);
    for (unsigned i = 0; i < N && status == KD_OK; i++)
        if (y[i] != 1 + N)
            return KD_ERR_DEVICE;
    return status;
}

/* An allocation whose failure is survived is one that was not needed: then the result is right. */
static void fail_each(kd_status (*attempt)(void), unsigned at_least)
{
    assert_int_equal(attempt(), KD_OK);
    unsigned n_failed = 0;
    for (unsigned long n = 1;; n++) {
        n_calls = 0;
        fail_at = n;
        kd_status status = attempt();
        fail_at = 0;
        if (n_calls < n)
            break;
        if (status != KD_OK && status != KD_ERR_MEMORY)
            fail_msg("allocation %lu: status %d", n, (int)status);
        n_failed += status == KD_ERR_MEMORY;
    }
    assert_true(n_failed >= at_least);
    assert_int_equal(attempt(), KD_OK);
}

static void text(void **state)
{
    fail_each(compile_text, 5);
}

static void code(void **state)
{
    fail_each(compile_header, 10);
}

static void launching(void **state)
{
    assert_int_equal(compile("obj", &object), KD_OK);
    fail_each(run, 5);
    kd_compiled_destroy(object);
}

static int find_libraries(void **state)
{
    kd_status status = compile_header(); /* which loads the second one */
    dl_iterate_phdr(note_library, NULL);
    return status == KD_OK && ours[0].end && ours[1].end ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),
        cmocka_unit_test(code),
        cmocka_unit_test(launching),
    };
    return cmocka_run_group_tests(tests, find_libraries, NULL);
}
