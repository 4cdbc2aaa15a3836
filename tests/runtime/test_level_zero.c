/* GPUs through the real Level Zero loader and our test driver over PoCL (tests/ze_pocl), with kernels of gpu_kernels.cl. */
#include "runtime/runtime.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ze_pocl/beside.h"
#include "test_gpu_kernels.h"
#include "test_objects.h"

static void (*driver_set)(const char *options);
static uint64_t (*driver_calls)(void);
static int (*driver_alive)(void);
static const char *no_driver; /* why there is none */

/* The driver lies beside this program. The loader reads the variables when it is opened. */
static int find_driver(void **state)
{
    const char *path = use_ze_pocl();
    setenv("ZE_ENABLE_VALIDATION_LAYER", "1", 1);
    setenv("ZE_ENABLE_PARAMETER_VALIDATION", "1", 1);
    unsetenv("ZE_POCL");
    static kd_failure why;
    kd_device *device;
    kd_status status = kd_device_open("level_zero", NULL, &device, &why);
    if (status) {
        no_driver = why.text;
        return status == KD_ERR_NOT_FOUND ? 0 : -1; /* PoCL is not there */
    }
    kd_device_close(device);
    void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (!library)
        return -1;
    driver_set = (void (*)(const char *))dlsym(library, "ze_pocl_set");
    driver_calls = (uint64_t (*)(void))dlsym(library, "ze_pocl_calls");
    driver_alive = (int (*)(void))dlsym(library, "ze_pocl_alive");
    return driver_set && driver_calls && driver_alive ? 0 : -1;
}

static kd_device *device;
static kd_queue *queue;

static void need(kd_status status)
{
    if (status)
        fail_msg("%s: %s", kd_status_text(status), kd_device_error(device));
}

static void open_with(const char *options, const kd_device_options *device_options)
{
    if (no_driver) {
        print_message("%s\n", no_driver);
        skip();
    }
    driver_set(options);
    kd_failure why = {0};
    if (kd_device_open("level_zero", device_options, &device, &why))
        fail_msg("%s", why.text);
    need(kd_queue_create(device, &queue));
}

static void open_gpu(const char *options)
{
    open_with(options, NULL);
}

static void close_gpu(void)
{
    kd_queue_destroy(queue);
    kd_device_close(device);
    assert_int_equal(driver_alive(), 0);
}

#define PTR(name_, type_, offset, written) \
    {.name = name_,                        \
     .is_pointer = true,                   \
     .type = type_,                        \
     .offset_bytes = offset,               \
     .size_bytes = 8,                      \
     .divisible_by = 1,                    \
     .is_written = written}
#define VALUE(name_, type_, offset, size) \
    {.name = name_, .type = type_, .offset_bytes = offset, .size_bytes = size, .divisible_by = 1}

static const kd_kernel_arg ADD_ARGS[] = {PTR("x", KD_F32, 0, false), PTR("y", KD_F32, 8, false), PTR("out", KD_F32, 16, true),
                                         VALUE("n", KD_I32, 24, 4)};
static const kd_kernel_desc ADD = {.name = "add",
                                   .target = "spirv:bmg",
                                   .format = KD_CODE_SPIRV,
                                   .args = ADD_ARGS,
                                   .n_args = 4,
                                   .args_size_bytes = 32,
                                   .num_warps = 4,
                                   .sub_group_size = 16,
                                   .build_flags = ""};
static const kd_kernel_arg OUT_ARGS[] = {PTR("out", KD_U32, 0, true)};
static const kd_kernel_arg CHECK_ARGS[] = {PTR("x", KD_I32, 0, false)};
static const kd_kernel_desc CHECK = {.name = "check",
                                     .target = "spirv:bmg",
                                     .format = KD_CODE_SPIRV,
                                     .args = CHECK_ARGS,
                                     .n_args = 1,
                                     .args_size_bytes = 8,
                                     .num_warps = 2,
                                     .sub_group_size = 16,
                                     .build_flags = "",
                                     .n_messages = 2,
                                     .messages = (const char *const[]){"k.py:7: x is negative", "k.py:8: x is too large"}};

static kd_kernel_desc out_desc(const char *name, uint32_t n_sub_groups, uint32_t lanes)
{
    return (kd_kernel_desc){.name = name,
                            .target = "spirv:bmg",
                            .format = KD_CODE_SPIRV,
                            .args = OUT_ARGS,
                            .n_args = 1,
                            .args_size_bytes = 8,
                            .num_warps = n_sub_groups,
                            .sub_group_size = lanes};
}

static kd_kernel *load(const kd_kernel_desc *desc)
{
    kd_kernel *kernel = NULL;
    need(kd_kernel_load(device, desc, GPU_KERNELS, sizeof GPU_KERNELS, &kernel));
    return kernel;
}

static void load_fails(const kd_kernel_desc *desc, kd_status status, const char *sentence)
{
    kd_kernel *kernel;
    assert_int_equal(kd_kernel_load(device, desc, GPU_KERNELS, sizeof GPU_KERNELS, &kernel), status);
    assert_string_equal(kd_device_error(device), sentence);
}

static void *make(size_t n_bytes, const void *content)
{
    void *memory = NULL;
    need(kd_memory_alloc(device, n_bytes, &memory));
    if (content)
        need(kd_queue_copy(queue, memory, content, n_bytes, NULL));
    return memory;
}

static void read_back(void *out, const void *memory, size_t n_bytes)
{
    need(kd_queue_copy(queue, out, memory, n_bytes, NULL));
    need(kd_queue_finish(queue));
}

/* ---- running ---- */

enum { N = 5003 };

static void adds_vectors(void **state)
{
    open_gpu("");
    float *host = malloc(2 * N * sizeof *host);
    for (int i = 0; i < N; i++)
        host[i] = (float)i;
    void *x = make(N * 4, host), *y = make(N * 4, host), *out = make(N * 4, NULL);
    kd_kernel *kernel = load(&ADD);
    kd_arg args[] = {kd_arg_ptr(x, N * 4), kd_arg_ptr(y, N * 4), kd_arg_ptr(out, N * 4), kd_arg_i64(N)};
    kd_event *done = NULL;
    need(kd_kernel_launch(queue, kernel, (uint32_t[3]){(N + 63) / 64, 1, 1}, args, 4, &done));
    need(kd_event_wait(done));
    assert_true(kd_event_is_done(done));
    uint64_t begin = 0, end = 0;
    need(kd_event_times(done, &begin, &end));
    assert_true(begin && begin <= end);
    kd_event_destroy(done);
    read_back(host + N, out, N * 4);
    for (int i = 0; i < N; i++)
        assert_true(host[N + i] == 2 * (float)i);
    kd_kernel_usage usage;
    kd_kernel_get_usage(kernel, &usage);
    assert_true(usage.sub_group_size == 16 && usage.native_bytes > 0 && usage.spill_bytes == 0);
    kd_kernel_destroy(kernel);
    kd_memory_free(device, x);
    kd_memory_free(device, y);
    kd_memory_free(device, out);
    free(host);
    close_gpu();
}

static void passes_scalars(void **state)
{
    static const kd_kernel_arg args[] = {PTR("out", KD_F64, 0, true),  VALUE("flag", KD_I1, 8, 1), VALUE("h", KD_I16, 10, 2),
                                         VALUE("half", KD_F16, 12, 2), VALUE("n", KD_I64, 16, 8),  VALUE("d", KD_F64, 24, 8),
                                         VALUE("f", KD_F32, 32, 4)};
    const kd_kernel_desc desc = {.name = "scalars",
                                 .target = "spirv:bmg",
                                 .format = KD_CODE_SPIRV,
                                 .args = args,
                                 .n_args = 7,
                                 .args_size_bytes = 40,
                                 .num_warps = 1,
                                 .sub_group_size = 32};
    open_gpu("");
    kd_kernel *kernel = load(&desc);
    double host[6];
    void *out = make(sizeof host, NULL);
    kd_arg values[] = {kd_arg_ptr(out, sizeof host),
                       kd_arg_i64(1),
                       kd_arg_i64(-7),
                       kd_arg_float(KD_F16, 1.5),
                       kd_arg_i64(-(1ll << 40)),
                       kd_arg_float(KD_F64, 0.1),
                       kd_arg_float(KD_F32, 0.5)};
    need(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, values, 7, NULL));
    read_back(host, out, sizeof host);
    const double want[] = {1, -7, 0x3e00, -(double)(1ll << 40), 0.1, 0.5};
    assert_memory_equal(host, want, sizeof want);
    kd_kernel_destroy(kernel);
    kd_memory_free(device, out);
    close_gpu();
}

static void numbers_programs(void **state)
{
    open_gpu("");
    const kd_kernel_desc desc = out_desc("program_ids", 1, 16);
    kd_kernel *kernel = load(&desc);
    uint32_t host[3 * 4 * 5];
    void *out = make(sizeof host, NULL);
    kd_arg arg = kd_arg_ptr(out, sizeof host);
    need(kd_queue_fill(queue, out, 0xff, sizeof host, NULL));
    kd_event *done = NULL;
    need(kd_kernel_launch(queue, kernel, (uint32_t[3]){3, 0, 5}, &arg, 1, &done)); /* no program, but an event */
    need(kd_event_wait(done));
    kd_event_destroy(done);
    need(kd_kernel_launch(queue, kernel, (uint32_t[3]){3, 4, 5}, &arg, 1, NULL));
    read_back(host, out, sizeof host);
    for (uint32_t i = 0; i < 60; i++)
        assert_int_equal(host[i], i % 3 | i / 3 % 4 << 8 | i / 12 << 16);
    kd_kernel_destroy(kernel);
    kd_memory_free(device, out);
    close_gpu();
}

static void has_sub_groups(void **state)
{
    open_gpu("device=dg2"); /* 8, 16 and 32 */
    for (uint32_t lanes = 8; lanes <= 32; lanes *= 2) {
        char name[16];
        snprintf(name, sizeof name, "lanes%u", lanes);
        kd_kernel_desc desc = out_desc(name, 64 / lanes, lanes);
        desc.target = "spirv:dg2";
        kd_kernel *kernel = load(&desc);
        uint32_t host[64];
        void *out = make(sizeof host, NULL);
        kd_arg arg = kd_arg_ptr(out, sizeof host);
        need(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, &arg, 1, NULL));
        read_back(host, out, sizeof host);
        for (uint32_t i = 0; i < 64; i++)
            assert_int_equal(host[i], lanes * (lanes - 1) / 2 * 10000 + lanes * 100 + i / lanes);
        kd_kernel_usage usage;
        kd_kernel_get_usage(kernel, &usage);
        assert_int_equal(usage.sub_group_size, lanes);
        kd_kernel_destroy(kernel);
        kd_memory_free(device, out);
    }
    close_gpu();
}

static void launches_return_at_once(void **state)
{
    static const kd_kernel_arg args[] = {PTR("out", KD_U32, 0, true), VALUE("n", KD_U32, 8, 4)};
    const kd_kernel_desc desc = {.name = "work",
                                 .target = "spirv:bmg",
                                 .format = KD_CODE_SPIRV,
                                 .args = args,
                                 .n_args = 2,
                                 .args_size_bytes = 16,
                                 .num_warps = 1,
                                 .sub_group_size = 16};
    open_gpu("");
    kd_kernel *kernel = load(&desc);
    void *out = make(64, NULL);
    kd_arg values[] = {kd_arg_ptr(out, 64), kd_arg_i64(1)};
    need(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, values, 2, NULL)); /* PoCL compiles on the first launch */
    need(kd_queue_finish(queue));
    values[1] = kd_arg_i64(100000000);
    kd_event *slow = NULL, *forgotten = NULL, *after = NULL;
    need(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, values, 2, &slow));
    need(kd_queue_fill(queue, out, 0, 64, &forgotten));
    need(kd_queue_fill(queue, out, 1, 64, &after));
    assert_false(kd_event_is_done(slow));
    assert_false(kd_event_is_done(after));
    kd_event_destroy(forgotten); /* while the work goes on */
    uint64_t times[4];
    need(kd_event_times(slow, &times[0], &times[1]));
    need(kd_event_times(after, &times[2], &times[3]));
    assert_true(times[1] - times[0] > 1000000 && times[2] >= times[1]); /* more than a millisecond, and in order */
    need(kd_queue_finish(queue));
    assert_true(kd_event_is_done(after));
    kd_event_destroy(slow);
    kd_event_destroy(after);
    kd_kernel_destroy(kernel);
    kd_memory_free(device, out);
    close_gpu();
}

static void many_events(void **state)
{
    open_gpu("");
    char *memory = make(64, NULL);
    kd_event *events[300];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 300; i++)
            need(kd_queue_fill(queue, memory, (unsigned char)i, 64, &events[i]));
        for (unsigned i = 0; i < 300; i++) {
            if (round)
                need(kd_event_wait(events[i]));
            kd_event_destroy(events[i]);
        }
    }
    kd_memory_free(device, memory);
    close_gpu();
}

/* ---- asserts ---- */

static void reports_failed_assertions(void **state)
{
    open_gpu("");
    kd_kernel *kernel = load(&CHECK);
    int host[96] = {0};
    void *good = make(sizeof host, host);
    need(kd_queue_finish(queue));
    host[70] = 100;
    void *bad = make(sizeof host, host);
    kd_arg on_good = kd_arg_ptr(good, sizeof host), on_bad = kd_arg_ptr(bad, sizeof host);
    const uint32_t grid[3] = {3, 1, 1};
    const char *sentence = "an assertion failed in kernel 'check', program (2, 0, 0): k.py:8: x is too large";

    kd_event *first = NULL, *second = NULL;
    need(kd_kernel_launch(queue, kernel, grid, &on_good, 1, &first));
    need(kd_kernel_launch(queue, kernel, grid, &on_bad, 1, &second));
    need(kd_event_wait(first));
    assert_int_equal(kd_event_wait(second), KD_ERR_ASSERT);
    assert_string_equal(kd_device_error(device), sentence);
    assert_int_equal(kd_event_wait(second), KD_ERR_ASSERT);
    assert_int_equal(kd_queue_finish(queue), KD_ERR_ASSERT);
    assert_string_equal(kd_device_error(device), sentence);
    need(kd_queue_finish(queue)); /* said once */
    kd_event_destroy(first);
    kd_event_destroy(second);

    for (unsigned i = 0; i < 200; i++) /* more than one block of statuses */
        need(kd_kernel_launch(queue, kernel, grid, i == 150 ? &on_bad : &on_good, 1, NULL));
    assert_int_equal(kd_queue_finish(queue), KD_ERR_ASSERT);
    need(kd_kernel_launch(queue, kernel, grid, &on_good, 1, NULL));
    need(kd_queue_finish(queue));

    kd_event *done = NULL; /* a kernel that goes before the queue is asked */
    need(kd_kernel_launch(queue, kernel, grid, &on_bad, 1, NULL));
    need(kd_queue_fill(queue, good, 0, 4, &done));
    need(kd_event_wait(done));
    kd_event_destroy(done);
    kd_kernel_destroy(kernel);
    assert_int_equal(kd_queue_finish(queue), KD_ERR_ASSERT);
    assert_string_equal(kd_device_error(device), sentence);
    kd_memory_free(device, good);
    kd_memory_free(device, bad);
    close_gpu();
}

/* ---- threads ---- */

static void *add_in_thread(void *user)
{
    kd_kernel *kernel = user;
    kd_queue *own = NULL;
    float *host = malloc(N * 4), *got = malloc(N * 4);
    void *x = NULL, *out = NULL;
    uintptr_t failed = kd_queue_create(device, &own) || kd_memory_alloc(device, N * 4, &x) || kd_memory_alloc(device, N * 4, &out);
    for (int round = 0; round < 20 && !failed; round++) {
        for (int i = 0; i < N; i++)
            host[i] = (float)(i * (round + 1));
        kd_arg args[] = {kd_arg_ptr(x, N * 4), kd_arg_ptr(x, N * 4), kd_arg_ptr(out, N * 4), kd_arg_i64(N)};
        kd_event *done = NULL;
        failed = kd_queue_copy(own, x, host, N * 4, NULL) ||
                 kd_kernel_launch(own, kernel, (uint32_t[3]){(N + 63) / 64, 1, 1}, args, 4, round % 2 ? &done : NULL) ||
                 kd_queue_copy(own, got, out, N * 4, NULL) || kd_queue_finish(own);
        kd_event_destroy(done);
        for (int i = 0; i < N && !failed; i++)
            failed = got[i] != 2 * host[i];
    }
    kd_memory_free(device, x);
    kd_memory_free(device, out);
    kd_queue_destroy(own);
    free(host);
    free(got);
    return (void *)failed;
}

static void many_threads(void **state)
{
    open_gpu("");
    kd_kernel *kernel = load(&ADD);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_in_thread, kernel), 0);
    for (int i = 0; i < 8; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    kd_kernel_destroy(kernel);
    close_gpu();
}

/* ---- machine code ---- */

static void keeps_machine_code(void **state)
{
    char folder[] = "/tmp/kdsl-test-ze-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    char *before = getenv("KDSL_CACHE_DIR") ? strdup(getenv("KDSL_CACHE_DIR")) : NULL;
    setenv("KDSL_CACHE_DIR", folder, 1);
    for (int round = 0; round < 4; round++) {
        kd_kernel_desc desc = ADD;
        if (round == 3)
            desc.build_flags = "-cl-intel-256-GRF-per-thread"; /* other code */
        open_with("", &(kd_device_options){.no_cache = round == 2});
        kd_kernel *kernel = load(&desc);
        kd_kernel_usage usage;
        kd_kernel_get_usage(kernel, &usage);
        assert_int_equal(usage.from_cache, round == 1);
        kd_kernel_destroy(kernel);
        close_gpu();
    }
    if (before)
        setenv("KDSL_CACHE_DIR", before, 1);
    else
        unsetenv("KDSL_CACHE_DIR");
    free(before);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static void builds_again_where_registers_spill(void **state)
{
    const struct {
        const char *driver, *flags;
        uint32_t spill_bytes;
        bool large;
    } cases[] = {{"spill=512", "", 0, true},
                 {"spill=512", "-cl-intel-128-GRF-per-thread", 512, false}, /* the compiler has chosen */
                 {"spill=512,device=tgl", "", 512, false},                  /* there is no larger mode */
                 {"", "", 0, false}};
    for (unsigned i = 0; i < 4; i++) {
        open_with(cases[i].driver, &(kd_device_options){.no_cache = true});
        kd_kernel_desc desc = ADD;
        desc.target = i == 2 ? "spirv:tgl" : "spirv:bmg";
        desc.build_flags = cases[i].flags;
        kd_kernel *kernel = load(&desc);
        kd_kernel_usage usage;
        kd_kernel_get_usage(kernel, &usage);
        assert_int_equal(usage.spill_bytes, cases[i].spill_bytes);
        assert_int_equal(usage.large_registers, cases[i].large);
        kd_kernel_destroy(kernel);
        close_gpu();
    }
}

/* ---- what a device lacks ---- */

static void describes_devices(void **state)
{
    open_gpu("device=pvc,devices=3");
    kd_device_info info, list[8];
    kd_device_get_info(device, &info);
    assert_string_equal(info.name, "level_zero:0");
    assert_string_equal(info.target, "spirv:pvc");
    assert_string_equal(info.note, "");
    assert_true(info.sub_group_sizes == (16 | 32) && info.slm_bytes == 128 << 10 && info.max_work_group == 1024 &&
                !info.has_host_memory);
    assert_true(info.ip_version[0] == 12 && info.ip_version[1] == 60);
    assert_true(info.features & KD_FEATURE_F64 && info.features & KD_FEATURE_I64_ATOMICS && info.features & KD_FEATURE_F32_ATOMICS);
    assert_int_equal(kd_device_list(list, 8), 4);
    assert_string_equal(list[0].name, "cpu");
    assert_string_equal(list[3].name, "level_zero:2");
    unsigned n = 0;
    assert_int_equal(kd_device_list_gpus(list, 1, &n, NULL), KD_OK);
    assert_int_equal(n, 3);
    close_gpu();

    open_gpu("device=bmg,without=f64,slm=65536,sizes=32");
    kd_device_get_info(device, &info);
    assert_string_equal(info.note,
                        "the driver reports no sub-groups of 16; SLM is 64 KiB instead of 128; the driver reports no f64");
    close_gpu();
    open_gpu("without=ip");
    kd_device_get_info(device, &info);
    assert_string_equal(info.target, "");
    close_gpu();
}

static void refuses_devices(void **state)
{
    open_gpu("");
    kd_device *other;
    kd_failure why;
    assert_int_equal(kd_device_open("level_zero:1", NULL, &other, &why), KD_ERR_NOT_FOUND);
    assert_string_equal(why.text, "there is no device 'level_zero:1'; this machine has 1 GPU");
    const char *const names[] = {"level_zero:", "level_zero:x", "level_zero:-1", "level_zero0", "level_zero:12345", "gpu"};
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(kd_device_open(names[i], NULL, &other, &why), KD_ERR_ARGUMENT);
    assert_string_equal(why.text, "there is no device 'gpu'; expected cpu, level_zero or level_zero:N");
    driver_set("devices=0");
    assert_int_equal(kd_device_open("level_zero", NULL, &other, &why), KD_ERR_NOT_FOUND);
    unsigned n = 0;
    assert_int_equal(kd_device_list_gpus(NULL, 0, &n, &why), KD_ERR_NOT_FOUND);
    assert_non_null(strstr(why.text, "the Level Zero drivers list no GPU"));
    assert_int_equal(kd_device_list(NULL, 0), 1);
    driver_set("");
    close_gpu();
}

static void refuses_kernels(void **state)
{
    open_gpu("device=bmg");
    kd_kernel_desc desc = ADD;
    desc.sub_group_size = 8;
    load_fails(&desc, KD_ERR_UNSUPPORTED, "kernel 'add' needs sub-groups of 8 lanes, but the device level_zero:0 has 16, 32");
    desc = ADD;
    desc.num_warps = 128;
    load_fails(&desc, KD_ERR_UNSUPPORTED,
               "kernel 'add' needs work-groups of 2048 work-items (128 sub-groups of 16), but the device level_zero:0 runs at most "
               "1024; fewer warps help");
    desc = ADD;
    desc.slm_bytes = 200000;
    load_fails(&desc, KD_ERR_UNSUPPORTED,
               "kernel 'add' needs 200000 bytes of shared local memory for a work-group, but the device level_zero:0 has 131072; "
               "smaller blocks help");
    desc = ADD;
    desc.num_warps = 2;
    load_fails(&desc, KD_ERR_UNSUPPORTED,
               "kernel 'add' needs work-groups of 32 work-items (2 sub-groups of 16), which the device level_zero:0 cannot run");
    desc = ADD;
    desc.name = "sub";
    load_fails(&desc, KD_ERR_DAMAGED, "the SPIR-V of kernel 'sub' has no kernel of that name");
    desc = ADD;
    desc.n_messages = 1;
    desc.messages = (const char *const[]){"m"};
    load_fails(&desc, KD_ERR_DAMAGED, "the SPIR-V of kernel 'add' takes 4 arguments, but its descriptor says 5");
    desc = ADD;
    desc.build_flags = "-cl-wrong";
    load_fails(&desc, KD_ERR_DEVICE,
               "the driver of level_zero:0 cannot build kernel 'add' (error: unknown option '-cl-wrong'): "
               "ZE_RESULT_ERROR_MODULE_BUILD_FAILURE (0x70000004)");
    desc = (kd_kernel_desc){.name = "add", .target = "cpu:x86-64-v3"};
    load_fails(&desc, KD_ERR_UNSUPPORTED,
               "kernel 'add' was compiled for 'cpu:x86-64-v3', which the device level_zero:0 cannot run");
    kd_kernel *kernel;
    assert_int_equal(kd_kernel_load(device, &ADD, OBJECTS[0].bytes, OBJECTS[0].n_bytes, &kernel), KD_ERR_DEVICE);
    assert_int_equal(kd_kernel_load(device, &ADD, GPU_KERNELS, sizeof GPU_KERNELS / 8 * 4, &kernel), KD_ERR_DEVICE);
    assert_int_equal(kd_kernel_load(device, &ADD, "", 0, &kernel), KD_ERR_DEVICE);
    close_gpu();
    open_gpu("device=dg2");
    load_fails(&ADD, KD_ERR_UNSUPPORTED,
               "kernel 'add' was compiled for 'spirv:bmg' and may use its systolic operations, which the device level_zero:0 "
               "(spirv:dg2) lacks");
    close_gpu();
    driver_set("without=in-order");
    kd_failure why;
    need(kd_device_open("level_zero", NULL, &device, &why));
    assert_int_equal(kd_queue_create(device, &queue), KD_ERR_UNSUPPORTED);
    kd_device_close(device);
    assert_int_equal(driver_alive(), 0);
}

static void refuses_memory(void **state)
{
    open_gpu("memory=1048576");
    void *a, *b, *c;
    need(kd_memory_alloc(device, 0, &a));
    assert_non_null(a);
    need(kd_memory_alloc(device, 900000, &b));
    assert_int_equal(kd_memory_alloc(device, 200000, &c), KD_ERR_MEMORY);
    assert_string_equal(kd_device_error(device), "no memory for a buffer of 200000 bytes on the device level_zero:0, which has "
                                                 "1048576: ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY "
                                                 "(0x70000003), the driver says: 900001 bytes are in use");
    kd_memory_free(device, b);
    need(kd_memory_alloc(device, 200000, &c));
    kd_memory_free(device, c);
    kd_memory_free(device, a);
    close_gpu();
    open_gpu("memory=1048576,without=extensions");
    assert_int_equal(kd_memory_alloc(device, 900000, &b), KD_ERR_MEMORY);
    assert_string_equal(kd_device_error(device),
                        "no memory for a buffer of 900000 bytes: the device level_zero:0 allocates at most 524288 at once");
    close_gpu();
}

static void refuses_foreign_pointers(void **state)
{
    open_gpu("");
    kd_kernel *kernel = load(&ADD);
    static float mine[64];
    float *theirs = make(256, NULL);
    kd_arg args[] = {kd_arg_ptr(theirs, 128), kd_arg_ptr(mine, 256), kd_arg_ptr(theirs + 32, 128), kd_arg_i64(32)};
    assert_int_equal(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, args, 4, NULL), KD_ERR_ARGUMENT);
    assert_non_null(strstr(kd_device_error(device), "argument 'y' of kernel 'add' is at "));
    assert_non_null(
        strstr(kd_device_error(device), "which is no memory of the device level_zero:0; kd_memory_alloc gives such memory"));
    args[1] = args[0];
    need(kd_kernel_launch(queue, kernel, (uint32_t[3]){1, 1, 1}, args, 4, NULL)); /* pointers into a buffer are good */
    need(kd_queue_finish(queue));
    kd_kernel_destroy(kernel);
    kd_memory_free(device, theirs);
    close_gpu();
}

/* ---- drivers that fail ---- */

/* Everything once. Returns the first failure, with the sentence in why; *out_sum is what came out. */
static kd_status everything(kd_failure *why, float *out_sum)
{
    kd_device *d = NULL;
    kd_queue *q = NULL;
    kd_kernel *k = NULL, *c = NULL;
    kd_event *done = NULL, *copied = NULL;
    void *x = NULL, *out = NULL, *ints = NULL;
    float host[256];
    uint64_t begin, end;
    for (int i = 0; i < 256; i++)
        host[i] = (float)i;
    kd_status s = kd_device_open("level_zero", &(kd_device_options){.no_cache = true}, &d, why);
    if (s)
        return s;
#define STEP(call) s = s ? s : call
    STEP(kd_queue_create(d, &q));
    STEP(kd_memory_alloc(d, sizeof host, &x));
    STEP(kd_memory_alloc(d, sizeof host, &out));
    STEP(kd_memory_alloc(d, 32 * 4, &ints));
    STEP(kd_kernel_load(d, &ADD, GPU_KERNELS, sizeof GPU_KERNELS, &k));
    STEP(kd_kernel_load(d, &CHECK, GPU_KERNELS, sizeof GPU_KERNELS, &c));
    STEP(kd_queue_copy(q, x, host, sizeof host, &copied));
    STEP(kd_queue_fill(q, ints, 0, 32 * 4, NULL));
    kd_arg args[] = {kd_arg_ptr(x, sizeof host), kd_arg_ptr(x, sizeof host), kd_arg_ptr(out, sizeof host), kd_arg_i64(256)};
    kd_arg int_arg = kd_arg_ptr(ints, 32 * 4);
    STEP(kd_kernel_launch(q, k, (uint32_t[3]){4, 1, 1}, args, 4, &done));
    STEP(kd_kernel_launch(q, c, (uint32_t[3]){1, 1, 1}, &int_arg, 1, NULL));
    STEP(kd_event_wait(done));
    STEP(kd_event_times(done, &begin, &end));
    STEP(kd_queue_copy(q, host, out, sizeof host, NULL));
    STEP(kd_queue_finish(q));
#undef STEP
    if (s)
        snprintf(why->text, sizeof why->text, "%s", kd_device_error(d));
    *out_sum = 0;
    for (int i = 0; i < 256; i++)
        *out_sum += host[i];
    kd_queue_destroy(q); /* host is on the stack: work that has been enqueued ends before it goes */
    kd_event_destroy(done);
    kd_event_destroy(copied);
    kd_kernel_destroy(k);
    kd_kernel_destroy(c);
    kd_memory_free(d, x);
    kd_memory_free(d, out);
    kd_memory_free(d, ints);
    kd_device_close(d);
    return s;
}

static void survives_drivers_that_fail(void **state)
{
    if (no_driver)
        skip();
    const char *const results[] = {"7ffffffe", "70000001", "70000003", "78000004"};
    float sum;
    kd_failure why = {0};
    driver_set("");
    assert_int_equal(everything(&why, &sum), KD_OK);
    assert_true(sum == 255 * 256);
    uint64_t n = driver_calls();
    unsigned n_reported = 0;
    assert_true(n > 60);
    for (unsigned round = 0; round < 2; round++)
        for (uint64_t i = 1; i <= n; i++) {
            char options[64];
            snprintf(options, sizeof options, "fail=%llu,result=%s", (unsigned long long)i, results[(i + round) % 4]);
            driver_set(options);
            why.text[0] = '\0';
            kd_status status = everything(&why, &sum);
            if (driver_alive())
                fail_msg("%s: %d objects are left", options, driver_alive());
            if (status == KD_OK) /* the end of something, or a question that can go without an answer */
                assert_true(sum == 255 * 256);
            else if (!strstr(why.text, "ZE_RESULT_ERROR_"))
                fail_msg("%s: %s '%s' does not name the driver's result", options, kd_status_text(status), why.text);
            n_reported += status != KD_OK;
        }
    assert_true(n_reported > 2 * 40);
    driver_set("");
    assert_int_equal(everything(&why, &sum), KD_OK);
    assert_true(sum == 255 * 256);
}

static void survives_a_lost_device(void **state)
{
    if (no_driver)
        skip();
    float sum;
    kd_failure why = {0};
    driver_set("");
    assert_int_equal(everything(&why, &sum), KD_OK);
    uint64_t n = driver_calls();
    for (uint64_t i = 1; i <= n; i += 3) {
        char options[64];
        snprintf(options, sizeof options, "lose=%llu", (unsigned long long)i);
        driver_set(options);
        why.text[0] = '\0';
        kd_status status = everything(&why, &sum);
        assert_int_equal(driver_alive(), 0);
        if (status)
            assert_non_null(strstr(why.text, "the device is lost"));
        driver_set("");
        assert_int_equal(everything(&why, &sum), KD_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_vectors),
        cmocka_unit_test(passes_scalars),
        cmocka_unit_test(numbers_programs),
        cmocka_unit_test(has_sub_groups),
        cmocka_unit_test(launches_return_at_once),
        cmocka_unit_test(many_events),
        cmocka_unit_test(reports_failed_assertions),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(keeps_machine_code),
        cmocka_unit_test(builds_again_where_registers_spill),
        cmocka_unit_test(describes_devices),
        cmocka_unit_test(refuses_devices),
        cmocka_unit_test(refuses_kernels),
        cmocka_unit_test(refuses_memory),
        cmocka_unit_test(refuses_foreign_pointers),
        cmocka_unit_test(survives_drivers_that_fail),
        cmocka_unit_test(survives_a_lost_device),
    };
    return cmocka_run_group_tests(tests, find_driver, NULL);
}
