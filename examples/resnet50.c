/* resnet50.c - a C program that runs a model of PyTorch on threads of its own, with libkdsl alone.
 *
 *     python3 -c "import torch, torchvision as v; torch.export.save(torch.export.export(v.models.resnet50().eval(), (torch.randn(1, 3, 224, 224),)), 'resnet50.pt2')"
 *     cc resnet50.c $(pkg-config --cflags --libs kdsl) -pthread -o resnet50 && ./resnet50 resnet50.pt2
 */
#include <graph/graph.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_THREADS = 3, N_RUNS = 4 };

/* What each thread has: the executable is shared, the session and the arrays are its own. */
typedef struct worker {
    kd_executable *model;
    void **inputs, **outputs;
    kd_status status;
    kd_failure why;
} worker;

static void *run(void *user)
{
    worker *w = user;
    kd_session *session = NULL;
    w->status = kd_session_create(w->model, &session, &w->why);
    for (int i = 0; i < N_RUNS && w->status == KD_OK; i++)
        w->status = kd_session_run(session, (const void *const *)w->inputs, w->outputs, &w->why);
    kd_session_destroy(session);
    return NULL;
}

/* Memory for a tensor in its strides, as the executable wants it. */
static void *make_tensor(const kd_tensor_info *info)
{
    size_t n_bytes = kd_tensor_n_bytes(&info->type);
    void *data = aligned_alloc(64, (n_bytes + 63) / 64 * 64 + 64);
    if (data)
        memset(data, 0, n_bytes);
    return data;
}

static void describe(const char *what, const kd_tensor_info *info)
{
    printf("%s %s:", what, info->name);
    for (unsigned d = 0; d < info->type.n_dims; d++)
        printf(" %lld", (long long)info->type.shape[d]);
    printf("\n");
}

static int make_arrays(worker *w)
{
    unsigned n_in = kd_executable_n_inputs(w->model), n_out = kd_executable_n_outputs(w->model);
    w->inputs = calloc(n_in + 1, sizeof *w->inputs);
    w->outputs = calloc(n_out + 1, sizeof *w->outputs);
    if (!w->inputs || !w->outputs)
        return 0;
    for (unsigned i = 0; i < n_in; i++) {
        const kd_tensor_info *info = kd_executable_input(w->model, i);
        if (!(w->inputs[i] = make_tensor(info)))
            return 0;
        for (size_t k = 0; info->type.type == KD_F32 && k < kd_tensor_n_bytes(&info->type) / sizeof(float); k++)
            ((float *)w->inputs[i])[k] = sinf((float)k);
    }
    for (unsigned o = 0; o < n_out; o++)
        if (!(w->outputs[o] = make_tensor(kd_executable_output(w->model, o))))
            return 0;
    return 1;
}

static void free_arrays(worker *w)
{
    for (unsigned i = 0; w->inputs && i < kd_executable_n_inputs(w->model); i++)
        free(w->inputs[i]);
    for (unsigned o = 0; w->outputs && o < kd_executable_n_outputs(w->model); o++)
        free(w->outputs[o]);
    free(w->inputs);
    free(w->outputs);
}

int main(int argc, char **argv)
{
    kd_executable *model = NULL;
    kd_failure why = {0};
    pthread_t threads[N_THREADS];
    worker workers[N_THREADS] = {0};
    int n_wrong = 0, n_started = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: resnet50 MODEL      (a .pt2, .kx or kg file)\n");
        return 2;
    }
    /* The file in, an executable out: compiled, or from the cache. */
    if (kd_executable_open(argv[1], NULL, &model, &why) != KD_OK) {
        fprintf(stderr, "resnet50: %s\n", why.text);
        return 1;
    }
    for (unsigned i = 0; i < kd_executable_n_inputs(model); i++)
        describe("input ", kd_executable_input(model, i));
    for (unsigned o = 0; o < kd_executable_n_outputs(model); o++)
        describe("output", kd_executable_output(model, o));
    printf("%u steps, %zu bytes between them, %s\n", kd_executable_n_steps(model), kd_executable_arena_bytes(model),
           kd_executable_is_loaded(model) ? "loaded" : "compiled");

    for (int i = 0; i < N_THREADS; i++) {
        workers[i].model = model;
        if (!make_arrays(&workers[i]) || pthread_create(&threads[i], NULL, run, &workers[i]) != 0)
            break;
        n_started++;
    }
    for (int i = 0; i < n_started; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].status != KD_OK)
            fprintf(stderr, "resnet50: %s\n", workers[i].why.text);
        for (unsigned o = 0; o < kd_executable_n_outputs(model); o++)
            if (memcmp(workers[0].outputs[o], workers[i].outputs[o], kd_tensor_n_bytes(&kd_executable_output(model, o)->type)) != 0)
                n_wrong++;
        n_wrong += workers[i].status != KD_OK;
    }
    printf("%d threads, %d runs each, %d results differ\n", n_started, N_RUNS, n_wrong);
    for (int i = 0; i < N_THREADS; i++) {
        workers[i].model = model;
        free_arrays(&workers[i]);
    }
    kd_executable_destroy(model);
    return n_wrong != 0 || n_started != N_THREADS;
}
