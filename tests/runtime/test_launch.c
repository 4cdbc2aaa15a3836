/* Devices, memory, queues and launches through the public interface. */
#include "runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sanitizer_options.h"
#include "test_objects.h"

static kd_device *device;
static kd_queue *queue;

static int open_cpu(void **state)
{
    return kd_device_open("cpu", NULL, &device, NULL) || kd_queue_create(device, &queue);
}

static int close_cpu(void **state)
{
    kd_queue_destroy(queue);
    kd_device_close(device);
    return 0;
}

static const kd_kernel_arg ADD_ARGS[] = {
    {.name = "x", .is_pointer = true, .type = KD_F32, .offset_bytes = 0, .size_bytes = 8, .divisible_by = 16},
    {.name = "y", .is_pointer = true, .type = KD_F32, .offset_bytes = 8, .size_bytes = 8, .divisible_by = 1},
    {.name = "out", .is_pointer = true, .type = KD_F32, .offset_bytes = 16, .size_bytes = 8, .divisible_by = 1, .is_written = true},
    {.name = "n", .type = KD_I32, .offset_bytes = 24, .size_bytes = 4, .divisible_by = 1},
};
static const kd_kernel_desc ADD = {.name = "add", .target = "cpu:test", .args = ADD_ARGS, .n_args = 4, .args_size_bytes = 32};

static const kd_kernel_arg OUT_ARGS[] = {
    {.name = "out", .is_pointer = true, .type = KD_U64, .size_bytes = 8, .divisible_by = 1, .is_written = true}};

static kd_kernel *load(const kd_kernel_desc *desc)
{
    kd_kernel *kernel = NULL;
    if (kd_kernel_load(device, desc, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel))
        fail_msg("%s", kd_device_error(device));
    return kernel;
}

static void adds_vectors(void **state)
{
    enum { N = 10007 };
    float *x, *y, *out;
    assert_int_equal(kd_memory_alloc(device, N * sizeof *x, (void **)&x), KD_OK);
    assert_int_equal(kd_memory_alloc(device, N * sizeof *y, (void **)&y), KD_OK);
    assert_int_equal(kd_memory_alloc(device, N * sizeof *out, (void **)&out), KD_OK);
    for (int i = 0; i < N; i++) {
        x[i] = (float)i;
        y[i] = 0.5f;
    }
    kd_kernel *kernel = load(&ADD);
    assert_string_equal(kd_kernel_get_desc(kernel)->args[3].name, "n");
    kd_arg args[] = {kd_arg_ptr(x, N * 4), kd_arg_ptr(y, N * 4), kd_arg_ptr(out, N * 4), kd_arg_i64(N)};
    kd_event *done = NULL;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(kd_queue_fill(queue, out, 0xff, N * 4, NULL), KD_OK);
        assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){(N + 63) / 64, 1, 1}, args, 4, &done), KD_OK);
        assert_int_equal(kd_event_wait(done), KD_OK);
        assert_true(kd_event_is_done(done));
        uint64_t begin, end;
        assert_int_equal(kd_event_times(done, &begin, &end), KD_OK);
        assert_true(end >= begin && end - begin < 1000000000u);
        kd_event_destroy(done);
        for (int i = 0; i < N; i++)
            assert_true(out[i] == (float)i + 0.5f);
    }
    assert_int_equal(kd_queue_copy(queue, out, x, N * 4, NULL), KD_OK);
    assert_int_equal(kd_queue_finish(queue), KD_OK);
    assert_memory_equal(out, x, N * 4);
    kd_kernel_destroy(kernel);
    kd_memory_free(device, x);
    kd_memory_free(device, y);
    kd_memory_free(device, out);
}

static void numbers_programs_x_first(void **state)
{
    enum { X = 7, Y = 5, Z = 3 };
    uint64_t out[X * Y * Z];
    kd_kernel *kernel =
        load(&(kd_kernel_desc){.name = "ids", .target = "cpu", .args = OUT_ARGS, .n_args = 1, .args_size_bytes = 8});
    kd_arg args[] = {kd_arg_ptr(out, sizeof out)};
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){X, Y, Z}, args, 1, NULL), KD_OK);
    for (unsigned i = 0; i < X * Y * Z; i++)
        assert_true(out[i] == i % X + 1000 * (i / X % Y + 1000 * (i / X / Y)));
    kd_kernel_destroy(kernel);
}

static void expect_refused(kd_kernel *kernel, const kd_arg *args, unsigned n_args, const char *text)
{
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, args, n_args, NULL), KD_ERR_ARGUMENT);
    if (!strstr(kd_device_error(device), text))
        fail_msg("expected '%s', found '%s'", text, kd_device_error(device));
}

static void checks_arguments(void **state)
{
    _Alignas(64) float x[64], out[64] = {0};
    kd_kernel *kernel = load(&ADD);
    kd_arg args[] = {kd_arg_ptr(x, sizeof x), kd_arg_ptr(x, sizeof x), kd_arg_ptr(out, sizeof out), kd_arg_i64(64)};
    expect_refused(kernel, args, 3, "kernel 'add' takes 4 arguments, but was given 3");
    expect_refused(kernel, NULL, 4, "takes 4 arguments, but was given 0");
    args[1].ptr = NULL;
    expect_refused(kernel, args, 4, "argument 'y' of kernel 'add' is NULL");
    args[1] = kd_arg_ptr(NULL, 0);
    args[3] = kd_arg_i64(0);
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, args, 4, NULL), KD_OK); /* an empty buffer */
    args[1] = kd_arg_ptr(x, sizeof x);
    args[0] = kd_arg_ptr(x + 1, sizeof x - 4);
    expect_refused(kernel, args, 4, "argument 'x' of kernel 'add' is at 0x");
    expect_refused(kernel, args, 4, "but this code needs an address divisible by 16");
    kd_kernel_destroy(kernel);
}

static void checks_divisibility(void **state)
{
    static const struct {
        kd_scalar type;
        uint32_t size_bytes, by;
        int64_t value;
        bool good;
    } CASES[] = {
        {KD_I32, 4, 16, 32, true}, {KD_I32, 4, 16, -48, true}, {KD_I32, 4, 16, -47, false},           {KD_I32, 4, 16, 0, true},
        {KD_I32, 4, 3, -9, true},  {KD_I32, 4, 3, -8, false},  {KD_I64, 8, 1 << 20, 1ll << 40, true}, {KD_U8, 1, 16, 0x110, true},
        {KD_U32, 4, 3, -1, true},  {KD_U32, 4, 7, -1, false}, /* 4294967295 = 3 * 5 * 17 * 257 * 65537 */
    };
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        kd_kernel_arg arg = {.name = "n", .type = CASES[i].type, .size_bytes = CASES[i].size_bytes, .divisible_by = CASES[i].by};
        kd_kernel_desc desc = {.name = "empty", .target = "cpu", .args = &arg, .n_args = 1, .args_size_bytes = 8};
        kd_failure why = {""};
        kd_status status = kd_kernel_args_check(&desc, (kd_arg[]){kd_arg_i64(CASES[i].value)}, 1, &why);
        assert_int_equal(status, CASES[i].good ? KD_OK : KD_ERR_ARGUMENT);
        if (CASES[i].type == KD_I32 && CASES[i].value == -47)
            assert_string_equal(why.text, "argument 'n' of kernel 'empty' is -47, but this code needs a value divisible by 16");
        if (CASES[i].type == KD_U32 && !CASES[i].good)
            assert_string_equal(why.text,
                                "argument 'n' of kernel 'empty' is 4294967295, but this code needs a value divisible by 7");
    }
}

static void finds_overlap(void **state)
{
    _Alignas(64) float m[256];
    kd_kernel_desc desc = ADD;
    kd_arg args[] = {kd_arg_ptr(m, 256), kd_arg_ptr(m, 256), kd_arg_ptr(m + 64, 256), kd_arg_i64(64)};
    assert_int_equal(kd_kernel_args_alias(&desc, args, 4), KD_ALIAS_NONE); /* x and y are only read */
    args[2] = kd_arg_ptr(m, 256);
    assert_int_equal(kd_kernel_args_alias(&desc, args, 4), KD_ALIAS_IDENTICAL);
    args[1] = kd_arg_ptr(m + 1, 256);
    assert_int_equal(kd_kernel_args_alias(&desc, args, 4), KD_ALIAS_OVERLAP);
    args[0] = args[1] = kd_arg_ptr(m + 64, KD_SIZE_UNKNOWN);
    assert_int_equal(kd_kernel_args_alias(&desc, args, 4), KD_ALIAS_OVERLAP);
    args[0] = args[1] = kd_arg_ptr(m + 10, 0);
    assert_int_equal(kd_kernel_args_alias(&desc, args, 4), KD_ALIAS_NONE);
    args[1] = kd_arg_ptr(m, 4);
    desc.needs_disjoint = true;
    kd_failure why;
    args[0] = kd_arg_ptr(m + 64, 256);
    assert_int_equal(kd_kernel_args_check(&desc, args, 4, &why), KD_ERR_ARGUMENT);
    assert_string_equal(why.text, "arguments 'out' and 'y' of kernel 'add' share memory, but this code needs them apart");
    args[1] = kd_arg_ptr(m + 64, 4);
    assert_int_equal(kd_kernel_args_check(&desc, args, 4, &why), KD_OK);
}

static void checks_grids(void **state)
{
    kd_kernel *kernel = load(&(kd_kernel_desc){.name = "empty", .target = "cpu"});
    kd_event *done;
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){0, 1, 1}, NULL, 0, NULL), KD_OK);
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){UINT32_MAX, UINT32_MAX, 0}, NULL, 0, &done), KD_OK);
    kd_event_destroy(done);
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){UINT32_MAX, UINT32_MAX, 1}, NULL, 0, NULL), KD_ERR_ARGUMENT);
    assert_non_null(strstr(kd_device_error(device), "4294967295 x 4294967295 x 1 programs, more than 2^63 - 1"));
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){UINT32_MAX, UINT32_MAX, UINT32_MAX}, NULL, 0, NULL),
                     KD_ERR_ARGUMENT);
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){1u << 31, 1u << 31, 1}, NULL, 0, NULL),
                     KD_OK); /* does nothing, 2^62 times */
    kd_kernel_destroy(kernel);
}

static void reports_failed_assertions(void **state)
{
    uint8_t ran[1000] = {0};
    kd_kernel *kernel =
        load(&(kd_kernel_desc){.name = "asserts", .target = "cpu", .args = OUT_ARGS, .n_args = 1, .args_size_bytes = 8});
    kd_arg args[] = {kd_arg_ptr(ran, sizeof ran)};
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){1000, 1, 1}, args, 1, NULL), KD_ERR_ASSERT);
    assert_string_equal(kd_device_error(device), "an assertion failed in kernel 'asserts'");
    assert_int_equal(ran[5], 0);
    assert_int_equal(kd_queue_finish(queue), KD_ERR_ASSERT);
    assert_int_equal(kd_queue_finish(queue), KD_OK);
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){5, 1, 1}, args, 1, NULL), KD_OK);
    kd_kernel_destroy(kernel);
}

static void gives_scratch_memory(void **state)
{
    static const uint32_t SIZES[] = {1, 64, 65, 4096, 4097, 100000, 5 << 20, 64};
    int32_t out[100];
    static const kd_kernel_arg ARGS[] = {
        {.name = "out", .is_pointer = true, .type = KD_I32, .size_bytes = 8, .divisible_by = 1, .is_written = true},
        {.name = "n_bytes", .type = KD_U64, .offset_bytes = 8, .size_bytes = 8, .divisible_by = 1}};
    for (unsigned i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        kd_kernel *kernel = load(&(kd_kernel_desc){
            .name = "uses_scratch", .target = "cpu", .args = ARGS, .n_args = 2, .args_size_bytes = 16, .scratch_bytes = SIZES[i]});
        kd_arg args[] = {kd_arg_ptr(out, sizeof out), kd_arg_i64(SIZES[i])};
        unsigned n = SIZES[i] > 1 << 20 ? 4 : 100;
        memset(out, 0xff, sizeof out);
        assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){n, 1, 1}, args, 2, NULL), KD_OK);
        for (unsigned p = 0; p < n; p++)
            assert_int_equal(out[p], 0);
        kd_kernel_destroy(kernel);
    }
}

static void refuses_bad_kernels(void **state)
{
    kd_kernel *kernel;
    kd_kernel_desc desc = {.name = "no_such_kernel", .target = "cpu"};
    assert_int_equal(kd_kernel_load(device, &desc, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel), KD_ERR_DAMAGED);
    assert_string_equal(kd_device_error(device), "the object code of kernel 'no_such_kernel' has no function of that name");
    desc.format = KD_CODE_SPIRV;
    assert_int_equal(kd_kernel_load(device, &desc, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel), KD_ERR_DAMAGED);
    assert_string_equal(kd_device_error(device), "the kernel descriptor has 0 sub-groups of 0 lanes");
    desc.num_warps = 4;
    desc.sub_group_size = 16;
    assert_int_equal(kd_kernel_load(device, &desc, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel), KD_ERR_UNSUPPORTED);
    desc.format = (kd_code_format)99;
    assert_int_equal(kd_kernel_load(device, &desc, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel), KD_ERR_DAMAGED);
    kd_kernel_arg args[4];
    memcpy(args, ADD_ARGS, sizeof args);
    desc = ADD;
    desc.args = args;
    args[3].offset_bytes = 20; /* inside 'out' */
    assert_int_equal(kd_kernel_load(device, &desc, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel), KD_ERR_DAMAGED);
    args[3].offset_bytes = 32;
    assert_int_equal(kd_kernel_load(device, &desc, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel), KD_ERR_DAMAGED);
    assert_string_equal(kd_device_error(device), "the kernel descriptor puts argument 'n' (4 bytes) at 32 of a struct of 32 bytes");
    assert_int_equal(kd_kernel_load(device, NULL, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel), KD_ERR_ARGUMENT);
    desc = (kd_kernel_desc){.name = "add", .target = "cpu"};
    assert_int_equal(kd_kernel_load(device, &desc, "garbage", 7, &kernel), KD_ERR_DAMAGED);
}

static void describes_devices(void **state)
{
    kd_device_info info[2];
    assert_int_equal(kd_device_list(info, 2), 1);
    assert_string_equal(info[0].name, "cpu");
    assert_true(info[0].n_threads >= 1 && info[0].memory_bytes > 1 << 20 && info[0].description[0]);
    kd_device *other = NULL;
    kd_failure why;
    assert_int_equal(kd_device_open("gpu", NULL, &other, &why), KD_ERR_ARGUMENT);
    assert_string_equal(why.text, "there is no device 'gpu'; expected cpu, level_zero or level_zero:N");
    setenv("KDSL_NUM_THREADS", "3", 1);
    assert_int_equal(kd_device_open("cpu", NULL, &other, &why), KD_OK);
    kd_device_get_info(other, &info[0]);
    assert_int_equal(info[0].n_threads, 3);
    kd_device_close(other);
    static const char *const BAD[] = {"0", "-1", "two", "3x", "99999", "99999999999999999999"};
    for (unsigned i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        setenv("KDSL_NUM_THREADS", BAD[i], 1);
        assert_int_equal(kd_device_open("cpu", NULL, &other, &why), KD_ERR_ARGUMENT);
    }
    assert_string_equal(why.text, "KDSL_NUM_THREADS is '99999999999999999999'; expected a number from 1 to 4096");
    unsetenv("KDSL_NUM_THREADS");
    kd_device_close(NULL);
    kd_queue_destroy(NULL);
    kd_event_destroy(NULL);
    kd_kernel_destroy(NULL);
}

static void memory_can_run_out(void **state)
{
    void *memory = NULL;
    assert_int_equal(kd_memory_alloc(device, SIZE_MAX / 4, &memory), KD_ERR_MEMORY);
    assert_non_null(strstr(kd_device_error(device), "no memory for a buffer of "));
    assert_int_equal(kd_memory_alloc(device, SIZE_MAX, &memory), KD_ERR_MEMORY);
    assert_null(memory);
    assert_int_equal(kd_memory_alloc(device, 0, &memory), KD_OK);
    assert_non_null(memory);
    kd_memory_free(device, memory);
    kd_memory_free(device, NULL);
    assert_int_equal(kd_memory_alloc(device, 3 << 20, &memory), KD_OK);
    assert_true((uintptr_t)memory % 64 == 0);
    memset(memory, 1, 3 << 20);
    kd_memory_free(device, memory);
}

static void packs_scalars(void **state)
{
    assert_true(kd_arg_float(KD_F32, 1.5).bits == 0x3fc00000);
    assert_true(kd_arg_float(KD_F64, 1.5).bits == 0x3ff8000000000000);
    assert_true(kd_arg_float(KD_F16, 1.5).bits == 0x3e00);
    assert_true(kd_arg_float(KD_BF16, 1.5).bits == 0x3fc0);
    assert_true(kd_arg_i64(-1).bits == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_vectors),
        cmocka_unit_test(numbers_programs_x_first),
        cmocka_unit_test(checks_arguments),
        cmocka_unit_test(checks_divisibility),
        cmocka_unit_test(finds_overlap),
        cmocka_unit_test(checks_grids),
        cmocka_unit_test(reports_failed_assertions),
        cmocka_unit_test(gives_scratch_memory),
        cmocka_unit_test(refuses_bad_kernels),
        cmocka_unit_test(describes_devices),
        cmocka_unit_test(memory_can_run_out),
        cmocka_unit_test(packs_scalars),
    };
    return cmocka_run_group_tests(tests, open_cpu, close_cpu);
}
