/* test_graph.c - operator graphs through the public header: queries, sessions of several threads, what is refused. */
#include <graph/graph.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

enum { ROWS = 64, COLS = 100, N = ROWS * COLS, N_THREADS = 4, N_RUNS = 50 };

static const char GRAPH[] =
    "{\"kg\": 1, \"inputs\": [{\"n\": \"%x\", \"t\": \"f32\", \"s\": [64, 100]}, {\"n\": \"%b\", \"t\": \"f32\", \"s\": [100]}],"
    "\"nodes\": [{\"o\": \"%a\", \"op\": \"aten.add.Tensor\", \"in\": [\"%x\", \"%b\"]},"
    "{\"o\": \"%m\", \"op\": \"aten.amax.default\", \"in\": [\"%a\", [1], true]},"
    "{\"o\": \"%y\", \"op\": \"aten.sub.Tensor\", \"in\": [\"%a\", \"%m\"]},"
    "{\"o\": \"%t\", \"op\": \"aten.t.default\", \"in\": [\"%y\"]},"
    "{\"o\": \"%z\", \"op\": \"aten.mm.default\", \"in\": [\"%y\", \"%t\"]}], \"outputs\": [\"%y\", \"%z\"]}";

typedef struct model {
    kd_graph *graph;
    kd_executable *exe;
} model;

static int set_up(void **state)
{
    static model m;
    kd_failure why = {{0}};
    if (kd_graph_parse(GRAPH, sizeof GRAPH - 1, "test", NULL, &m.graph, &why) || kd_graph_compile(m.graph, NULL, &m.exe, &why)) {
        print_error("%s\n", why.text);
        return 1;
    }
    *state = &m;
    return 0;
}

static int tear_down(void **state)
{
    model *m = *state;
    kd_executable_destroy(m->exe);
    kd_graph_destroy(m->graph);
    return 0;
}

static void test_queries(void **state)
{
    const model *m = *state;
    assert_int_equal(kd_executable_n_inputs(m->exe), 2);
    assert_int_equal(kd_executable_n_outputs(m->exe), 2);
    assert_string_equal(kd_executable_input(m->exe, 1)->name, "b");
    assert_string_equal(kd_executable_output(m->exe, 1)->name, "z");
    assert_int_equal(kd_tensor_n_bytes(&kd_executable_output(m->exe, 1)->type), ROWS * ROWS * sizeof(float));
    assert_null(kd_executable_input(m->exe, 2));
    assert_int_equal(kd_executable_n_steps(m->exe), 2); /* one kernel, one primitive */
    char *text = kd_graph_text(m->graph);
    assert_non_null(strstr(text, "%y: f32[64, 100] = aten.sub.Tensor(%a, %m, 1)"));
    free(text);
}

/* Fills x so that row r has its largest sum in column (r + shift) % COLS. */
static void *run_often(void *user)
{
    const model *m = user;
    kd_session *session = NULL;
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y), *z = malloc(ROWS * ROWS * sizeof *z), b[COLS];
    size_t wrong = kd_session_create(m->exe, &session, NULL) != KD_OK;
    for (unsigned run = 0; run < N_RUNS && !wrong; run++) {
        for (unsigned i = 0; i < COLS; i++)
            b[i] = (float)i;
        for (unsigned i = 0; i < N; i++)
            x[i] = (i % COLS == (i / COLS + run) % COLS ? 2.0f : 1.0f) - (float)(i % COLS);
        wrong += kd_session_run(session, (const void *[]){x, b}, (void *[]){y, z}, NULL) != KD_OK;
        for (unsigned i = 0; i < N; i++)
            wrong += y[i] != (i % COLS == (i / COLS + run) % COLS ? 0.0f : -1.0f);
        wrong += z[0] != 99 || z[1] != 98;
    }
    kd_session_destroy(session);
    free(x);
    free(y);
    free(z);
    return (void *)wrong;
}

static void test_several_threads(void **state)
{
    pthread_t threads[N_THREADS];
    for (unsigned i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, *state), 0);
    for (unsigned i = 0; i < N_THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static void test_refused(void **state)
{
    const model *m = *state;
    kd_failure why = {{0}};
    kd_session *session;
    float *x = calloc(2 * N, sizeof *x), z[ROWS * ROWS];
    assert_int_equal(kd_session_create(m->exe, &session, &why), KD_OK);
    assert_int_equal(kd_session_run(session, (const void *[]){x, NULL}, (void *[]){x + N, z}, &why), KD_ERR_ARGUMENT);
    assert_string_equal(why.text, "input 1, 'b', is NULL");
    assert_int_equal(kd_session_run(session, (const void *[]){x, x}, (void *[]){x + N - 1, z}, &why), KD_ERR_ARGUMENT);
    assert_string_equal(why.text, "output 'y' overlaps input 'x'");
    assert_int_equal(kd_session_run(session, (const void *[]){x, x}, (void *[]){x + N, x + N}, &why), KD_ERR_ARGUMENT);
    assert_string_equal(why.text, "outputs 'y' and 'z' overlap");
    assert_int_equal(kd_session_run(session, NULL, NULL, &why), KD_ERR_ARGUMENT);
    assert_int_equal(kd_session_run(session, (const void *[]){x, x}, (void *[]){x + N, z}, &why),
                     KD_OK); /* inputs may be the same */
    kd_session_destroy(session);
    free(x);
    kd_graph *graph = NULL;
    assert_int_equal(kd_graph_parse("{}", 2, "empty", NULL, &graph, &why), KD_ERR_DAMAGED);
    assert_int_equal(kd_graph_read("/no/such/file", NULL, &graph, &why), KD_ERR_NOT_FOUND);
    assert_null(graph);
}

/* "data": {"memory": ...}: weights in memory of the caller's. */
static void test_weights_in_memory(void **state)
{
    static const char TEXT[] = "{\"kg\": 1, \"inputs\": [{\"n\": \"%x\", \"t\": \"f32\", \"s\": [2]},"
                               "{\"n\": \"%w\", \"t\": \"f32\", \"s\": [2], \"data\": {\"memory\": \"scale\"}}],"
                               "\"nodes\": [{\"o\": \"%y\", \"op\": \"aten.mul.Tensor\", \"in\": [\"%x\", \"%w\"]}], \"outputs\": [\"%y\"]}";
    static const float w[] = {2, 3}, x[] = {10, 10};
    float y[2];
    kd_graph_memory memory = {"scale", w, sizeof w};
    kd_graph_weights weights = {.memory = &memory, .n_memory = 1};
    kd_failure why = {{0}};
    kd_graph *graph;
    kd_executable *exe;
    kd_session *session;
    assert_int_equal(kd_graph_parse(TEXT, sizeof TEXT - 1, "test", NULL, &graph, &why), KD_ERR_DAMAGED);
    assert_string_equal(why.text, "test: input '%w': its data is the memory 'scale', which the caller has not given");
    memory.n_bytes = 7;
    assert_int_equal(kd_graph_parse(TEXT, sizeof TEXT - 1, "test", &weights, &graph, &why), KD_ERR_DAMAGED);
    assert_string_equal(why.text, "test: input '%w': the memory 'scale' has 7 bytes, but 8 are needed");
    memory.n_bytes = 8;
    assert_int_equal(kd_graph_parse(TEXT, sizeof TEXT - 1, "test", &weights, &graph, &why), KD_OK);
    assert_int_equal(kd_graph_compile(graph, NULL, &exe, &why), KD_OK);
    assert_int_equal(kd_executable_n_inputs(exe), 1);
    assert_int_equal(kd_session_create(exe, &session, &why), KD_OK);
    assert_int_equal(kd_session_run(session, (const void *[]){x}, (void *[]){y}, &why), KD_OK);
    assert_true(y[0] == 20 && y[1] == 30);
    kd_session_destroy(session);
    kd_executable_destroy(exe);
    kd_graph_destroy(graph);
}

/* Weights that change: what reads them where they are, what oneDNN has packed, and what was computed from them and others. */
static void test_weights_that_change(void **state)
{
    static const char TEXT[] =
        "{\"kg\": 1, \"inputs\": [{\"n\": \"%x\", \"t\": \"f32\", \"s\": [1, 2, 1, 2]},"
        "{\"n\": \"%w\", \"t\": \"f32\", \"s\": [2, 2, 1, 1], \"data\": {\"memory\": \"w\"}},"
        "{\"n\": \"%gamma\", \"t\": \"f32\", \"s\": [2], \"data\": {\"memory\": \"gamma\"}},"
        "{\"n\": \"%zero\", \"t\": \"f32\", \"s\": [2], \"data\": {\"memory\": \"zero\"}},"
        "{\"n\": \"%one\", \"t\": \"f32\", \"s\": [2], \"data\": {\"memory\": \"one\"}}],"
        "\"nodes\": [{\"o\": \"%c\", \"op\": \"aten.convolution.default\","
        " \"in\": [\"%x\", \"%w\", null, [1, 1], [0, 0], [1, 1], false, [0, 0], 1]},"
        "{\"o\": [\"%b\", \"%b1\", \"%b2\"], \"op\": \"aten._native_batch_norm_legit_no_training.default\","
        " \"in\": [\"%c\", \"%gamma\", \"%zero\", \"%zero\", \"%one\", 0.1, 0]},"
        "{\"o\": \"%f\", \"op\": \"aten.view.default\", \"in\": [\"%b\", [2, 2]]},"
        "{\"o\": \"%y\", \"op\": \"aten.add.Tensor\", \"in\": [\"%f\", \"%zero\"]}], \"outputs\": [\"%y\"]}";
    static const float x[] = {1, 2, 3, 4};
    float w[] = {1, 0, 0, 1}, gamma[] = {1, 1}, zero[] = {0, 0}, one[] = {1, 1}, y[4];
    kd_graph_memory memory[] = {
        {"w", w, sizeof w}, {"gamma", gamma, sizeof gamma}, {"zero", zero, sizeof zero}, {"one", one, sizeof one}};
    kd_graph_weights weights = {.memory = memory, .n_memory = 4};
    kd_failure why = {{0}};
    kd_graph *graph;
    kd_executable *exe;
    kd_session *session;
    assert_int_equal(kd_graph_parse(TEXT, sizeof TEXT - 1, "test", &weights, &graph, &why), KD_OK);
    assert_int_equal(kd_graph_compile(graph, NULL, &exe, &why), KD_OK);
    assert_int_equal(kd_session_create(exe, &session, &why), KD_OK);
#define EXPECT(a, b, c, d)                                                                                        \
    assert_int_equal(kd_session_run(session, (const void *[]){x}, (void *[]){y}, &why), KD_OK);                 \
    assert_memory_equal(y, ((float[]){a, b, c, d}), sizeof y)
    EXPECT(1, 2, 3, 4);
    w[0] = 2;
    w[1] = 1; /* row 0: 2 * x0 + x1 */
    assert_int_equal(kd_executable_update_weights(exe, (const char *[]){"w"}, 1, &why), KD_OK);
    EXPECT(5, 8, 3, 4);
    gamma[1] = 10;
    assert_int_equal(kd_executable_update_weights(exe, (const char *[]){"gamma", "nobody knows this"}, 2, &why), KD_OK);
    EXPECT(5, 8, 30, 40);
    zero[1] = 1; /* beta, the mean, and what is added to columns: (x - 1) * 10 + 1, + 1 */
    assert_int_equal(kd_executable_update_weights(exe, (const char *[]){"zero"}, 1, &why), KD_OK);
    EXPECT(5, 9, 21, 32);
#undef EXPECT
    assert_int_equal(kd_executable_update_weights(exe, NULL, 1, &why), KD_ERR_ARGUMENT);
    kd_session_destroy(session);
    kd_executable_destroy(exe);
    kd_graph_destroy(graph);
}

static void note(void *user, const char *node, kd_status status, const char *why)
{
    char *said = user;
    snprintf(said + strlen(said), 1000 - strlen(said), "%s %d %s\n", node, (int)status, why);
}

/* What is refused, and that nodes behind a refused one are judged by what the file says of it. */
static void test_check(void **state)
{
    static const char TEXT[] =
        "{\"kg\": 1, \"inputs\": [{\"n\": \"%x\", \"t\": \"f32\", \"s\": [2], \"data\": {\"memory\": \"none\"}},"
        "{\"n\": \"%z\", \"unknown\": \"a tensor of complex64\"}], \"nodes\": ["
        "{\"o\": \"%a\", \"op\": \"aten.odd.default\", \"in\": [\"%x\"], \"out\": [{\"t\": \"f32\", \"s\": [3]}], \"at\": \"net.py:3: odd(x)\"},"
        "{\"o\": \"%b\", \"op\": \"aten.relu.default\", \"in\": [\"%a\"], \"out\": [{\"t\": \"f32\", \"s\": [3]}]},"
        "{\"o\": \"%c\", \"op\": \"aten.odd.default\", \"in\": [\"%b\"], \"out\": [null]},"
        "{\"o\": \"%d\", \"op\": \"aten.relu.default\", \"in\": [\"%c\"]},"
        "{\"o\": \"%e\", \"op\": \"aten.relu.default\", \"in\": [\"%z\"], \"out\": [{\"unknown\": \"a tensor of complex64\"}]},"
        "{\"o\": [], \"op\": \"aten.relu.default\", \"in\": [\"%x\"]}], \"outputs\": [\"%nothing\"]}";
    char said[1000] = "";
    kd_failure why = {{0}};
    assert_int_equal(kd_graph_check(TEXT, sizeof TEXT - 1, "net", note, said, &why), KD_OK);
    assert_string_equal(said, "a 3 net: %a = aten.odd.default: kdsl does not know this op (net.py:3: odd(x))\n"
                              "c 3 net: %c = aten.odd.default: kdsl does not know this op\n"
                              "d 3 net: %d = aten.relu.default: '%c' is made by a node that is not supported\n"
                              "e 3 net: %e = aten.relu.default: '%z' is a tensor of complex64, which is not supported\n"
                              " 7 net: a node = aten.relu.default: \"out\" must be a list with as many types as \"o\" has names\n");
    assert_int_equal(kd_graph_check("{}", 2, "net", note, said, &why), KD_ERR_DAMAGED);
    assert_int_equal(kd_graph_check("{}", 2, "net", NULL, NULL, &why), KD_ERR_ARGUMENT);
}

static void put_file(const char *path, const void *data, size_t n_bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n_bytes, f), n_bytes);
    assert_int_equal(fclose(f), 0);
}

/* A file that names its model becomes one that holds the weights, and then needs the model no more. */
static void test_embedded_later(void **state)
{
    static const char MODEL[] = "{\"kg\": 1, \"inputs\": [{\"n\": \"%x\", \"t\": \"f32\", \"s\": [2]}, {\"n\": \"%w\", \"t\": \"f32\", "
                                "\"s\": [2], \"data\": {\"file\": \"w.bin\", \"at\": 0}}], \"nodes\": [{\"o\": \"%y\", \"op\": "
                                "\"aten.mul.Tensor\", \"in\": [\"%x\", \"%w\"]}], \"outputs\": [\"%y\"]}";
    static const float W[] = {2, 3};
    char folder[] = "/tmp/kdsl-test-XXXXXX", model_path[64], weights[64], named[64], whole[64];
    assert_non_null(mkdtemp(folder));
    snprintf(model_path, sizeof model_path, "%s/model.json", folder);
    snprintf(weights, sizeof weights, "%s/w.bin", folder);
    snprintf(named, sizeof named, "%s/named.kx", folder);
    snprintf(whole, sizeof whole, "%s/whole.kx", folder);
    put_file(model_path, MODEL, sizeof MODEL - 1);
    put_file(weights, W, sizeof W);
    kd_graph *graph = NULL;
    kd_executable *made = NULL, *loaded = NULL, *again = NULL;
    assert_int_equal(kd_graph_read(model_path, NULL, &graph, NULL), KD_OK);
    assert_int_equal(kd_graph_compile(graph, NULL, &made, NULL), KD_OK);
    assert_int_equal(kd_executable_save(made, named, NULL, NULL), KD_OK);
    assert_int_equal(kd_executable_load(named, NULL, &loaded, NULL), KD_OK);
    assert_int_equal(kd_executable_save(loaded, whole, &(kd_save_options){.embed_weights = true}, NULL), KD_OK);
    remove(model_path);
    remove(weights);
    assert_int_not_equal(kd_executable_load(named, NULL, &again, NULL), KD_OK);
    assert_int_equal(kd_executable_load(whole, NULL, &again, NULL), KD_OK);
    kd_executable_destroy(again);
    kd_executable_destroy(loaded);
    kd_executable_destroy(made);
    kd_graph_destroy(graph);
    remove(named);
    remove(whole);
    remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_queries), cmocka_unit_test(test_several_threads),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_weights_in_memory), cmocka_unit_test(test_weights_that_change),
                                       cmocka_unit_test(test_check), cmocka_unit_test(test_embedded_later)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
