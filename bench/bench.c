/* bench.c - how fast the example kernels are, beside the machine's bandwidth and oneDNN, all in one process.
 *
 * usage: bench [--json FILE] [WORD ...]      only benchmarks whose name contains a WORD
 *
 * A kernel is compiled once (its time is shown) and run until its median is steady. Each result is checked against the peer's. */
#include "bench.h"

#include <kdsl.h>
#include <math.h>
#include <pthread.h>
#include <runtime/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bench_time bench_measure(void (*work)(void *user), void *user)
{
    enum { MAX_RUNS = 2000, MIN_RUNS = 15 };
    static double times[MAX_RUNS];
    work(user);
    unsigned n = 0;
    for (double begin = now(); n < MAX_RUNS && (n < MIN_RUNS || now() - begin < 0.4); n++) {
        double start = now();
        work(user);
        times[n] = now() - start;
    }
    qsort(times, n, sizeof *times, by_value);
    return (bench_time){times[n / 2], times[n / 4], times[n * 3 / 4], n};
}

/* ---- the machine ---- */

enum { COPY_BYTES = 64 << 20 };

enum { MAX_COPY_THREADS = 64 };

/* memcpy by threads that wait between copies, as a kernel's threads do. */
typedef struct copy_job {
    char *dst, *src;
    unsigned n_threads;
    bool stop;
    pthread_barrier_t begin, end;
} copy_job;

typedef struct copy_thread {
    copy_job *job;
    pthread_t thread;
    unsigned index;
} copy_thread;

static void copy_part(copy_job *job, unsigned index)
{
    size_t n_bytes = COPY_BYTES / job->n_threads;
    memcpy(job->dst + index * n_bytes, job->src + index * n_bytes, n_bytes);
}

static void *copy_loop(void *user)
{
    copy_thread *t = user;
    for (;;) {
        pthread_barrier_wait(&t->job->begin);
        if (t->job->stop)
            return NULL;
        copy_part(t->job, t->index);
        pthread_barrier_wait(&t->job->end);
    }
}

static void copy_all(void *user)
{
    copy_job *job = user;
    pthread_barrier_wait(&job->begin);
    copy_part(job, 0);
    pthread_barrier_wait(&job->end);
}

/* Bytes read and written a second by memcpy on all threads, far beyond the caches. */
static double measure_bandwidth(unsigned n_threads)
{
    if (n_threads < 1 || n_threads > MAX_COPY_THREADS)
        n_threads = n_threads < 1 ? 1 : MAX_COPY_THREADS;
    copy_job job = {malloc(COPY_BYTES), malloc(COPY_BYTES), n_threads};
    copy_thread threads[MAX_COPY_THREADS];
    if (!job.dst || !job.src || pthread_barrier_init(&job.begin, NULL, n_threads) != 0
        || pthread_barrier_init(&job.end, NULL, n_threads) != 0)
        abort();
    memset(job.dst, 1, COPY_BYTES);
    memset(job.src, 1, COPY_BYTES);
    for (unsigned i = 1; i < n_threads; i++) {
        threads[i] = (copy_thread){.job = &job, .index = i};
        if (pthread_create(&threads[i].thread, NULL, copy_loop, &threads[i]) != 0)
            abort();
    }
    bench_time t = bench_measure(copy_all, &job);
    job.stop = true;
    pthread_barrier_wait(&job.begin);
    for (unsigned i = 1; i < n_threads; i++)
        pthread_join(threads[i].thread, NULL);
    pthread_barrier_destroy(&job.begin);
    pthread_barrier_destroy(&job.end);
    free(job.dst);
    free(job.src);
    return 2.0 * COPY_BYTES / t.median;
}

/* ---- benchmarks ---- */

typedef struct benchmark {
    const char *name, *kernel, *signature; /* kernel: FILE:NAME in examples/ */
    uint32_t grid[3];
    kd_arg args[BENCH_MAX_ARGS];
    unsigned n_args;
    double n_bytes, n_flops; /* that the work needs at least; flops 0: bound by memory */
    float *out, *peer_out;   /* compared where both are set */
    int64_t n_out;
    double tolerance;
    bench_peer peer;
    /* results */
    double compile_seconds;
    bench_time time, peer_time;
    double error;
    bool ok;
} benchmark;

static uint64_t random_state = 1;

static float *buffer(int64_t n)
{
    float *p = aligned_alloc(64, (size_t)(n * 4 + 63) / 64 * 64);
    if (!p)
        abort();
    for (int64_t i = 0; i < n; i++) {
        random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        p[i] = (float)((double)(random_state >> 40) / (1 << 23) - 1.0);
    }
    return p;
}

static void add_ptr(benchmark *b, float *p, int64_t n)
{
    b->args[b->n_args++] = kd_arg_ptr(p, (size_t)n * 4);
}

static void add_int(benchmark *b, int64_t v)
{
    b->args[b->n_args++] = kd_arg_i64(v);
}

static void add_float(benchmark *b, float v)
{
    b->args[b->n_args++] = kd_arg_float(KD_F32, v);
}

static benchmark vector_add(void)
{
    int64_t n = 16 << 20;
    float *x = buffer(n), *y = buffer(n), *z = buffer(n);
    benchmark b = {.name = "vector add, 16 M f32", .kernel = "vector_add.py:add_kernel",
                   .signature = "*fp32:16, *fp32:16, *fp32:16, i32:16, 4096", .grid = {(uint32_t)(n / 4096), 1, 1}, .n_bytes = 12.0 * (double)n};
    add_ptr(&b, x, n), add_ptr(&b, y, n), add_ptr(&b, z, n), add_int(&b, n);
    return b;
}

static benchmark gelu(void)
{
    int64_t rows = 4096, cols = 1024, n = rows * cols;
    float *x = buffer(n), *bias = buffer(cols), *res = buffer(n), *z = buffer(n), *want = buffer(n);
    benchmark b = {.name = "bias + gelu + residual, 4 M f32", .kernel = "gelu.py:bias_gelu_residual_kernel",
                   .signature = "*fp32:16, *fp32:16, *fp32:16, *fp32:16, i32:16, i32:16, 'tanh', 1024", .grid = {(uint32_t)(n / 1024), 1, 1},
                   .n_bytes = 12.0 * (double)n, .peer = bench_dnnl_gelu(x, want, n)};
    add_ptr(&b, x, n), add_ptr(&b, bias, cols), add_ptr(&b, res, n), add_ptr(&b, z, n), add_int(&b, n), add_int(&b, cols);
    return b;
}

static benchmark softmax(void)
{
    int64_t rows = 4096, cols = 781, n = rows * cols;
    float *x = buffer(n), *z = buffer(n), *want = buffer(n);
    benchmark b = {.name = "softmax 4096x781 f32", .kernel = "softmax.py:softmax_kernel", .signature = "*fp32:16, *fp32:16, i32, i32, i32, 1024",
                   .grid = {(uint32_t)rows, 1, 1}, .n_bytes = 8.0 * (double)n, .out = z, .peer_out = want, .n_out = n, .tolerance = 1e-5,
                   .peer = bench_dnnl_softmax(x, want, rows, cols)};
    add_ptr(&b, x, n), add_ptr(&b, z, n), add_int(&b, cols), add_int(&b, cols), add_int(&b, cols);
    return b;
}

static benchmark layer_norm(void)
{
    int64_t rows = 4096, cols = 1024, n = rows * cols;
    float *x = buffer(n), *z = buffer(n), *w = buffer(cols), *s = buffer(cols), *want = buffer(n), *mean = buffer(rows), *rstd = buffer(rows);
    benchmark b = {.name = "layer norm 4096x1024 f32", .kernel = "layer_norm.py:layer_norm_fwd_kernel",
                   .signature = "*fp32:16, *fp32:16, *fp32:16, *fp32:16, *fp32:16, *fp32:16, i32:16, i32:16, fp32, 1024",
                   .grid = {(uint32_t)rows, 1, 1}, .n_bytes = 8.0 * (double)n, .out = z, .peer_out = want, .n_out = n, .tolerance = 1e-4,
                   .peer = bench_dnnl_layer_norm(x, want, w, s, rows, cols)};
    add_ptr(&b, x, n), add_ptr(&b, z, n), add_ptr(&b, w, cols), add_ptr(&b, s, cols), add_ptr(&b, mean, rows), add_ptr(&b, rstd, rows);
    add_int(&b, cols), add_int(&b, cols), add_float(&b, 1e-5f);
    return b;
}

static benchmark sum(void)
{
    int64_t n = 16 << 20, block = 4096;
    float *x = buffer(n), *partial = buffer(n / block), *want = buffer(1);
    benchmark b = {.name = "sum of 16 M f32", .kernel = "reduce_sum.py:sum_partial_kernel", .signature = "*fp32:16, *fp32:16, i32:16, 4096",
                   .grid = {(uint32_t)(n / block), 1, 1}, .n_bytes = 4.0 * (double)n, .peer = bench_dnnl_sum(x, want, n)};
    add_ptr(&b, x, n), add_ptr(&b, partial, n / block), add_int(&b, n);
    return b;
}

static benchmark transpose(void)
{
    int64_t rows = 4096, cols = 2048, n = rows * cols;
    float *x = buffer(n), *z = buffer(n), *want = buffer(n);
    benchmark b = {.name = "transpose 4096x2048 f32", .kernel = "transpose.py:transpose_kernel",
                   .signature = "*fp32:16, *fp32:16, i32:16, i32:16, i32:16, i32:16, 64, 64", .grid = {(uint32_t)(rows / 64), (uint32_t)(cols / 64), 1},
                   .n_bytes = 8.0 * (double)n, .out = z, .peer_out = want, .n_out = n, .peer = bench_dnnl_transpose(x, want, rows, cols)};
    add_ptr(&b, x, n), add_ptr(&b, z, n), add_int(&b, rows), add_int(&b, cols), add_int(&b, cols), add_int(&b, rows);
    return b;
}

static benchmark matmul(void)
{
    int64_t m = 1024, n = 1024, k = 1024;
    float *a = buffer(m * k), *w = buffer(k * n), *c = buffer(m * n), *want = buffer(m * n);
    benchmark b = {.name = "matmul 1024x1024x1024 f32", .kernel = "matmul.py:matmul_kernel",
                   .signature = "a_ptr=*fp32:16, b_ptr=*fp32:16, c_ptr=*fp32:16, bias_ptr=None, M=i32:16, N=i32:16, K=i32:16, stride_am=i32:16, "
                                "stride_ak=1, stride_bk=i32:16, stride_bn=1, stride_cm=i32:16, stride_cn=1, ACTIVATION=None, BLOCK_M=64, "
                                "BLOCK_N=64, BLOCK_K=64, GROUP_M=8",
                   .grid = {(uint32_t)(m / 64 * (n / 64)), 1, 1}, .n_bytes = 4.0 * (double)(m * k + k * n + m * n),
                   .n_flops = 2.0 * (double)(m * n * k), .out = c, .peer_out = want, .n_out = m * n, .tolerance = 1e-3,
                   .peer = bench_dnnl_matmul(a, w, want, m, n, k)};
    add_ptr(&b, a, m * k), add_ptr(&b, w, k * n), add_ptr(&b, c, m * n);
    add_int(&b, m), add_int(&b, n), add_int(&b, k), add_int(&b, k), add_int(&b, n), add_int(&b, n);
    return b;
}

static benchmark attention(void)
{
    int64_t heads = 16, ctx = 1024, dim = 64, n = heads * ctx * dim;
    float *q = buffer(n), *k = buffer(n), *v = buffer(n), *z = buffer(n), *want = buffer(n), *l = buffer(heads * ctx);
    benchmark b = {.name = "attention 16x1024x64 f32", .kernel = "flash_attention.py:attention_fwd_kernel",
                   .signature = "*fp32:16, *fp32:16, *fp32:16, *fp32:16, *fp32:16, fp32, i32:16, i32:16, i32:16, i32:16, i32:16, i32:16, i32:16, "
                                "i32:16, i32:16, 64, False, 64, 64",
                   .grid = {(uint32_t)(ctx / 64), (uint32_t)heads, 1}, .n_bytes = 16.0 * (double)n,
                   .n_flops = 4.0 * (double)(heads * ctx * ctx * dim), .out = z, .peer_out = want, .n_out = n, .tolerance = 1e-4,
                   .peer = bench_dnnl_attention(q, k, v, want, heads, ctx, dim, 0.125f)};
    add_ptr(&b, q, n), add_ptr(&b, k, n), add_ptr(&b, v, n), add_ptr(&b, z, n), add_ptr(&b, l, heads * ctx);
    add_float(&b, 0.125f);
    for (int i = 0; i < 4; i++)
        add_int(&b, ctx * dim), add_int(&b, dim);
    add_int(&b, ctx);
    return b;
}

/* ---- running them ---- */

typedef struct launch {
    benchmark *b;
    kd_queue *queue;
    kd_kernel *kernel;
    kd_device *device;
} launch;

static void run_launch(void *user)
{
    launch *l = user;
    if (kd_kernel_launch(l->queue, l->kernel, l->b->grid, l->b->args, l->b->n_args, NULL) != KD_OK ||
        kd_queue_finish(l->queue) != KD_OK) {
        fprintf(stderr, "bench: %s: %s\n", l->b->name, kd_device_error(l->device));
        exit(3);
    }
}

static bool run_benchmark(benchmark *b, kd_compiler *compiler, kd_device *device, kd_queue *queue, const char *examples)
{
    char file[4096];
    const char *colon = strchr(b->kernel, ':');
    snprintf(file, sizeof file, "%s/%.*s", examples, (int)(colon - b->kernel), b->kernel);
    kd_compile_request request = {.file = file, .kernel = colon + 1, .signature = b->signature, .config = -1, .assume_disjoint = true};
    kd_compiled *compiled;
    double start = now();
    if (kd_compile(compiler, &request, &compiled) != KD_OK) {
        fprintf(stderr, "%s", kd_compiler_messages(compiler));
        return false;
    }
    b->compile_seconds = now() - start;
    size_t n_bytes;
    const void *bytes = kd_compiled_bytes(compiled, &n_bytes);
    launch l = {b, queue, NULL, device};
    if (kd_kernel_load(device, kd_compiled_desc(compiled), bytes, n_bytes, &l.kernel) != KD_OK) {
        fprintf(stderr, "bench: %s: %s\n", b->name, kd_device_error(device));
        kd_compiled_destroy(compiled);
        return false;
    }
    b->time = bench_measure(run_launch, &l);
    if (b->peer.name)
        b->peer_time = bench_measure(b->peer.work, b->peer.user);
    b->ok = true;
    for (int64_t i = 0; b->out && b->peer.name && i < b->n_out; i++) {
        double error = fabs((double)b->out[i] - (double)b->peer_out[i]);
        if (!(error <= b->error))
            b->error = error;
    }
    b->ok = b->error <= b->tolerance;
    kd_kernel_destroy(l.kernel);
    kd_compiled_destroy(compiled);
    return b->ok;
}

static void print_row(const benchmark *b, double bandwidth)
{
    char rate[32], peer[64] = "";
    if (b->n_flops > 0)
        snprintf(rate, sizeof rate, "%7.1f GFLOP/s", b->n_flops / b->time.median * 1e-9);
    else
        snprintf(rate, sizeof rate, "%7.1f GB/s   ", b->n_bytes / b->time.median * 1e-9);
    if (b->peer.name)
        snprintf(peer, sizeof peer, "%5.2f x %s", b->peer_time.median / b->time.median, b->peer.name);
    printf("%-32s %7.1f ms %9.3f ms  %8.3f..%-8.3f %s  %5.0f %%    %s%s\n", b->name, 1e3 * b->compile_seconds, 1e3 * b->time.median,
           1e3 * b->time.low, 1e3 * b->time.high, rate, 100 * b->n_bytes / b->time.median / bandwidth, peer, b->ok ? "" : "  WRONG RESULT");
    fflush(stdout);
}

static void write_json(FILE *out, const benchmark *all, unsigned n, double bandwidth, unsigned n_threads)
{
    fprintf(out, "{\"bandwidth_bytes_per_s\": %.6g, \"threads\": %u, \"rows\": [\n", bandwidth, n_threads);
    for (unsigned i = 0; i < n; i++) {
        const benchmark *b = &all[i];
        fprintf(out, "  {\"name\": \"%s\", \"compile_s\": %.6g, \"median_s\": %.6g, \"low_s\": %.6g, \"high_s\": %.6g, \"runs\": %u, "
                     "\"bytes\": %.6g, \"flops\": %.6g, \"bandwidth_ratio\": %.4g, \"peer\": \"%s\", \"peer_median_s\": %.6g, \"speedup\": %.4g, "
                     "\"error\": %.3g, \"ok\": %s}%s\n",
                b->name, b->compile_seconds, b->time.median, b->time.low, b->time.high, b->time.n_runs, b->n_bytes, b->n_flops,
                b->n_bytes / b->time.median / bandwidth, b->peer.name ? b->peer.name : "", b->peer_time.median,
                b->peer.name ? b->peer_time.median / b->time.median : 0, b->error, b->ok ? "true" : "false", i + 1 < n ? "," : "");
    }
    fputs("]}\n", out);
}

static bool chosen(const benchmark *b, char **words, int n_words)
{
    for (int i = 0; i < n_words; i++)
        if (strstr(b->name, words[i]))
            return true;
    return n_words == 0;
}

/* Takes options out of the words. Returns -1 to go on, or an exit status. */
static int read_options(char **words, int *n_words, const char **out_json)
{
    int n = 0;
    for (int i = 0; i < *n_words; i++) {
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0) {
            puts("usage: ./dev bench [--json FILE] [WORD ...]\n\n"
                 "How fast the example kernels are, beside the machine's bandwidth and oneDNN; with WORDs only those with one of them in the name.\n"
                 "./dev bench graph --help tells of models.");
            return 0;
        }
        if (strcmp(words[i], "--json") == 0 && i + 1 < *n_words) {
            *out_json = words[++i];
        } else if (words[i][0] == '-') {
            fprintf(stderr, strcmp(words[i], "--json") == 0 ? "bench: '%s' needs a FILE\n" : "bench: unknown option '%s'; expected --json FILE\n",
                    words[i]);
            return 2;
        } else {
            words[n++] = words[i];
        }
    }
    *n_words = n;
    return -1;
}

int main(int argc, char **argv)
{
    const char *json = NULL, *examples = getenv("KDSL_EXAMPLES") ? getenv("KDSL_EXAMPLES") : "examples";
    char **words = argv + 1;
    int n_words = argc - 1, status = read_options(words, &n_words, &json);
    if (status >= 0)
        return status;
    kd_failure why = {0};
    kd_device *device;
    kd_queue *queue;
    kd_compiler *compiler;
    if (kd_device_open("cpu", NULL, &device, &why) != KD_OK || kd_queue_create(device, &queue) != KD_OK ||
        kd_compiler_create(&(kd_compiler_options){0}, &compiler) != KD_OK) {
        fprintf(stderr, "bench: %s\n", why.text);
        return 3;
    }
    kd_device_info info;
    kd_device_get_info(device, &info);
    double bandwidth = measure_bandwidth(info.n_threads);
    printf("%s, %u threads, memcpy %.1f GB/s (read and write). Ratio to a peer: above 1 kdsl is faster.\n\n", info.description, info.n_threads,
           bandwidth * 1e-9);
    printf("%-32s %10s %12s  %18s %15s  %9s  %s\n", "kernel", "compile", "median", "quartiles, ms", "rate", "memcpy's", "beside");
    benchmark all[] = {vector_add(), gelu(), softmax(), layer_norm(), sum(), transpose(), matmul(), attention()};
    unsigned n = 0, failed = 0;
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        if (!chosen(&all[i], words, n_words))
            continue;
        failed += !run_benchmark(&all[i], compiler, device, queue, examples);
        print_row(&all[i], bandwidth);
        all[n++] = all[i];
    }
    if (!n) {
        fputs("bench: no benchmark has one of these words in its name\n", stderr);
        return 2;
    }
    if (json) {
        FILE *out = fopen(json, "w");
        if (!out) {
            fprintf(stderr, "bench: cannot write '%s'\n", json);
            return 3;
        }
        write_json(out, all, n, bandwidth, info.n_threads);
        if (fclose(out) != 0)
            return 3;
    }
    return failed ? 1 : 0;
}
