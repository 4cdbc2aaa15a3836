/* test_graph_on_gpu.c - graphs on a GPU that tests/ze_pocl plays: memory of the host and of the device, threads, and every call that can fail. */
#include <graph/graph.h>
#include <runtime/runtime.h>

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>

#include "ze_pocl/beside.h"

enum { ROWS = 5, INNER = 20, COLS = 18, N_THREADS = 3, N_RUNS = 4 };

/* y = relu(x * w + b), z = the sum of its rows */
static const char GRAPH[] =
    "{\"kg\": 1, \"inputs\": [{\"n\": \"%x\", \"t\": \"f32\", \"s\": [5, 20]},"
    "{\"n\": \"%w\", \"t\": \"f32\", \"s\": [20, 18], \"data\": {\"memory\": \"w\"}},"
    "{\"n\": \"%b\", \"t\": \"f32\", \"s\": [18], \"data\": {\"memory\": \"b\"}}],"
    "\"nodes\": [{\"o\": \"%a\", \"op\": \"aten.addmm.default\", \"in\": [\"%b\", \"%x\", \"%w\"]},"
    "{\"o\": \"%y\", \"op\": \"aten.relu.default\", \"in\": [\"%a\"]},"
    "{\"o\": \"%z\", \"op\": \"aten.sum.dim_IntList\", \"in\": [\"%y\", [1]]}], \"outputs\": [\"%y\", \"%z\"]}";

static float weights[INNER * COLS], bias[COLS];
static kd_graph *graph;
static void (*driver_set)(const char *options);
static uint64_t (*driver_calls)(void);
static int (*driver_alive)(void);
static kd_failure no_driver;

static int set_up(void **state)
{
    const kd_graph_memory memory[] = {{"w", weights, sizeof weights}, {"b", bias, sizeof bias}};
    const kd_graph_weights given = {.memory = memory, .n_memory = 2};
    kd_failure why = {{0}};
    kd_device *device;
    for (unsigned i = 0; i < INNER * COLS; i++)
        weights[i] = (float)(i % 7) - 3;
    for (unsigned i = 0; i < COLS; i++)
        bias[i] = (float)i;
    if (kd_graph_parse(GRAPH, sizeof GRAPH - 1, "test", &given, &graph, &why)) {
        print_error("%s\n", why.text);
        return 1;
    }
    const char *path = use_ze_pocl();
    kd_status status = kd_device_open("level_zero", NULL, &device, &no_driver);
    if (status)
        return status != KD_ERR_NOT_FOUND; /* PoCL is not there */
    kd_device_close(device);
    void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    driver_set = library ? (void (*)(const char *))dlsym(library, "ze_pocl_set") : NULL;
    driver_calls = library ? (uint64_t (*)(void))dlsym(library, "ze_pocl_calls") : NULL;
    driver_alive = library ? (int (*)(void))dlsym(library, "ze_pocl_alive") : NULL;
    return !driver_set || !driver_calls || !driver_alive;
}

static int tear_down(void **state)
{
    kd_graph_destroy(graph);
    return 0;
}

static kd_executable *compile(void)
{
    if (!driver_set) {
        print_message("%s\n", no_driver.text);
        skip();
    }
    driver_set("");
    kd_executable *exe = NULL;
    kd_failure why = {{0}};
    if (kd_graph_compile(graph, &(kd_graph_options){.device = "level_zero"}, &exe, &why))
        fail_msg("%s", why.text);
    return exe;
}

typedef struct arrays {
    float x[ROWS * INNER], y[ROWS * COLS], z[ROWS];
} arrays;

static void fill(arrays *a, unsigned seed)
{
    for (unsigned i = 0; i < ROWS * INNER; i++)
        a->x[i] = (float)((i * 5 + seed) % 11) - 5;
    memset(a->y, 0, sizeof a->y + sizeof a->z);
}

/* All numbers are small integers. */
static unsigned n_wrong(const arrays *a)
{
    unsigned n = 0;
    for (unsigned r = 0; r < ROWS; r++) {
        float sum = 0;
        for (unsigned c = 0; c < COLS; c++) {
            float y = bias[c];
            for (unsigned k = 0; k < INNER; k++)
                y += a->x[r * INNER + k] * weights[k * COLS + c];
            y = y > 0 ? y : 0;
            sum += y;
            n += a->y[r * COLS + c] != y;
        }
        n += a->z[r] != sum;
    }
    return n;
}

/* Compiles, runs and cleans up. */
static kd_status run_all(arrays *a, kd_failure *why)
{
    kd_executable *exe = NULL;
    kd_session *session = NULL;
    kd_status status = kd_graph_compile(graph, &(kd_graph_options){.device = "level_zero"}, &exe, why);
    if (status == KD_OK)
        status = kd_session_create(exe, &session, why);
    if (status == KD_OK)
        status = kd_session_run(session, (const void *[]){a->x}, (void *[]){a->y, a->z}, why);
    kd_session_destroy(session);
    kd_executable_destroy(exe);
    return status;
}

static void *run_often(void *user)
{
    kd_session *session = NULL;
    kd_failure why = {{0}};
    size_t wrong = kd_session_create(user, &session, &why) != KD_OK;
    for (unsigned run = 0; run < N_RUNS && !wrong; run++) {
        arrays a;
        fill(&a, run);
        wrong += kd_session_run(session, (const void *[]){a.x}, (void *[]){a.y, a.z}, &why) != KD_OK;
        wrong += n_wrong(&a);
    }
    kd_session_destroy(session);
    return (void *)wrong;
}

static void test_threads(void **state)
{
    kd_executable *exe = compile();
    pthread_t threads[N_THREADS];
    for (unsigned i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, exe), 0);
    for (unsigned i = 0; i < N_THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    kd_executable_destroy(exe);
    assert_int_equal(driver_alive(), 0);
}

/* Inputs and outputs in the device's memory are used where they are; one output stays the host's. */
static void test_memory_of_the_device(void **state)
{
    kd_executable *exe = compile();
    kd_device *device = kd_executable_device(exe);
    kd_session *session = NULL;
    kd_queue *queue = NULL;
    kd_failure why = {{0}};
    void *x, *y;
    arrays a;
    fill(&a, 3);
    assert_int_equal(kd_memory_alloc(device, sizeof a.x, &x) | kd_memory_alloc(device, sizeof a.y, &y), KD_OK);
    assert_true(kd_memory_is_usable(device, x));
    assert_false(kd_memory_is_usable(device, a.x));
    assert_int_equal(kd_queue_create(device, &queue) | kd_queue_copy(queue, x, a.x, sizeof a.x, NULL) | kd_queue_finish(queue), KD_OK);
    assert_int_equal(kd_session_create(exe, &session, &why), KD_OK);
    uint64_t step_ns[4] = {0};
    assert_int_equal(kd_session_run_timed(session, (const void *[]){x}, (void *[]){y, a.z}, step_ns, &why), KD_OK);
    assert_int_equal(kd_queue_copy(queue, a.y, y, sizeof a.y, NULL) | kd_queue_finish(queue), KD_OK);
    assert_int_equal(n_wrong(&a), 0);
    assert_int_equal(kd_executable_n_steps(exe), 2);
    assert_true(step_ns[0] && step_ns[1] && !step_ns[2]);
    kd_queue_destroy(queue);
    kd_memory_free(device, x);
    kd_memory_free(device, y);
    kd_session_destroy(session);
    kd_executable_destroy(exe);
    assert_int_equal(driver_alive(), 0);
}

static void test_changed_weights(void **state)
{
    kd_executable *exe = compile();
    kd_session *session = NULL;
    kd_failure why = {{0}};
    arrays a;
    fill(&a, 2);
    assert_int_equal(kd_session_create(exe, &session, &why), KD_OK);
    weights[3] += 5;
    bias[1] -= 2;
    assert_int_equal(kd_session_run(session, (const void *[]){a.x}, (void *[]){a.y, a.z}, &why), KD_OK);
    assert_int_not_equal(n_wrong(&a), 0); /* the device has the old ones */
    assert_int_equal(kd_executable_update_weights(exe, (const char *[]){"w", "b"}, 2, &why), KD_OK);
    assert_int_equal(kd_session_run(session, (const void *[]){a.x}, (void *[]){a.y, a.z}, &why), KD_OK);
    assert_int_equal(n_wrong(&a), 0);
    kd_session_destroy(session);
    kd_executable_destroy(exe);
}

/* Whichever call fails, there is a sentence, and nothing is left behind; where the failure does not matter, results are right. */
static void test_failing_calls(void **state)
{
    static const char *const FAULTS[] = {"fail=%u,result=70000003", "lose=%u"};
    kd_executable_destroy(compile()); /* its kernels are in the cache from here on */
    arrays a;
    fill(&a, 1);
    driver_set("");
    kd_failure why = {{0}};
    assert_int_equal(run_all(&a, &why), KD_OK);
    unsigned n_calls = (unsigned)driver_calls(), n_failed = 0;
    for (unsigned i = 1; i <= n_calls; i++) {
        char options[64];
        snprintf(options, sizeof options, FAULTS[i % 2], i);
        driver_set(options);
        why.text[0] = '\0';
        fill(&a, i);
        kd_status status = run_all(&a, &why);
        if (status ? !why.text[0] : n_wrong(&a) != 0)
            fail_msg("call %u of %u: %s, '%s', %u wrong", i, n_calls, kd_status_text(status), why.text, n_wrong(&a));
        n_failed += status != KD_OK;
        assert_int_equal(driver_alive(), 0);
    }
    assert_true(n_failed > n_calls / 3);
    fill(&a, 7);
    driver_set("");
    assert_int_equal(run_all(&a, &why), KD_OK);
    assert_int_equal(n_wrong(&a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_memory_of_the_device),
        cmocka_unit_test(test_changed_weights),
        cmocka_unit_test(test_failing_calls),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
