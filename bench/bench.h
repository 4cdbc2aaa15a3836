/* bench.h - between the files of the benchmark program. */
#ifndef KD_BENCH_BENCH_H
#define KD_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_MAX_ARGS = 24 };

/* A time per run: median and quartiles over many runs, in seconds. */
typedef struct bench_time {
    double median, low, high;
    unsigned n_runs;
} bench_time;

/* Runs work until it has been measured well enough: at least 0.4 s and 15 runs, after one to warm up. */
bench_time bench_measure(void (*work)(void *user), void *user);

/* Something to compare a kernel with. */
typedef struct bench_peer {
    const char *name; /* "oneDNN softmax"; NULL: none, the machine's bandwidth is the limit */
    void (*work)(void *user);
    void *user;
} bench_peer;

/* oneDNN primitives on the CPU engine, f32 unless said otherwise. Each returns a peer whose name is NULL where oneDNN cannot do it. Buffers
 * belong to the caller. */
bench_peer bench_dnnl_gelu(float *x, float *y, int64_t n);
bench_peer bench_dnnl_softmax(float *x, float *y, int64_t rows, int64_t cols);
bench_peer bench_dnnl_layer_norm(float *x, float *y, float *scale, float *shift, int64_t rows, int64_t cols);
bench_peer bench_dnnl_sum(float *x, float *y, int64_t n);
bench_peer bench_dnnl_transpose(float *x, float *y, int64_t rows, int64_t cols);
bench_peer bench_dnnl_matmul(float *a, float *b, float *c, int64_t m, int64_t n, int64_t k);
/* softmax(q k^T scale) v as three primitives over all heads. */
bench_peer bench_dnnl_attention(float *q, float *k, float *v, float *out, int64_t heads, int64_t ctx, int64_t dim, float scale);

#endif
