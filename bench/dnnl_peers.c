/* dnnl_peers.c - what oneDNN does for the same work, as its own examples use it: one engine, one stream, primitives made once. */
#include "bench.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_STEPS = 3, MAX_STEP_ARGS = 6 };

typedef struct step {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[MAX_STEP_ARGS];
    int n_args;
} step;

typedef struct chain {
    step steps[MAX_STEPS];
    int n_steps;
} chain;

static dnnl_engine_t engine(void)
{
    static dnnl_engine_t e;
    if (!e && dnnl_engine_create(&e, dnnl_cpu, 0) != dnnl_success)
        abort();
    return e;
}

static dnnl_stream_t stream(void)
{
    static dnnl_stream_t s;
    if (!s && dnnl_stream_create(&s, engine(), dnnl_stream_default_flags) != dnnl_success)
        abort();
    return s;
}

static void run_chain(void *user)
{
    chain *c = user;
    for (int i = 0; i < c->n_steps; i++)
        dnnl_primitive_execute(c->steps[i].primitive, stream(), c->steps[i].n_args, c->steps[i].args);
    dnnl_stream_wait(stream());
}

/* strides NULL: row-major. */
static dnnl_memory_desc_t desc(int n, const int64_t *extents, const int64_t *strides)
{
    dnnl_memory_desc_t md = NULL;
    dnnl_dims_t dims = {0}, steps = {0}; /* oneDNN's arrays have a fixed length */
    int64_t stride = 1;
    for (int i = n - 1; i >= 0; i--) {
        dims[i] = extents[i];
        steps[i] = strides ? strides[i] : stride;
        stride *= extents[i];
    }
    if (dnnl_memory_desc_create_with_strides(&md, n, dims, dnnl_f32, steps) != dnnl_success)
        abort();
    return md;
}

static void bind(step *s, int argument, dnnl_memory_desc_t md, void *data)
{
    dnnl_memory_t memory;
    if (dnnl_memory_create(&memory, md, engine(), data) != dnnl_success)
        abort();
    s->args[s->n_args++] = (dnnl_exec_arg_t){argument, memory};
}

/* Adds the primitive to the chain; false where oneDNN could not describe it. */
static bool add(chain *c, dnnl_status_t status, const dnnl_primitive_desc_t *pd)
{
    return status == dnnl_success && dnnl_primitive_create(&c->steps[c->n_steps++].primitive, *pd) == dnnl_success;
}

static bench_peer peer(const char *name, chain *c, bool ok)
{
    return (bench_peer){ok ? name : NULL, run_chain, c};
}

bench_peer bench_dnnl_gelu(float *x, float *y, int64_t n)
{
    chain *c = calloc(1, sizeof *c);
    dnnl_memory_desc_t md = desc(1, (int64_t[]){n}, NULL);
    dnnl_primitive_desc_t pd;
    bool ok = add(c, dnnl_eltwise_forward_primitive_desc_create(&pd, engine(), dnnl_forward_inference, dnnl_eltwise_gelu_tanh, md, md, 0, 0, NULL), &pd);
    bind(&c->steps[0], DNNL_ARG_SRC, md, x);
    bind(&c->steps[0], DNNL_ARG_DST, md, y);
    return peer("oneDNN gelu", c, ok);
}

bench_peer bench_dnnl_softmax(float *x, float *y, int64_t rows, int64_t cols)
{
    chain *c = calloc(1, sizeof *c);
    dnnl_memory_desc_t md = desc(2, (int64_t[]){rows, cols}, NULL);
    dnnl_primitive_desc_t pd;
    bool ok = add(c, dnnl_softmax_forward_primitive_desc_create(&pd, engine(), dnnl_forward_inference, dnnl_softmax_accurate, md, md, 1, NULL), &pd);
    bind(&c->steps[0], DNNL_ARG_SRC, md, x);
    bind(&c->steps[0], DNNL_ARG_DST, md, y);
    return peer("oneDNN softmax", c, ok);
}

bench_peer bench_dnnl_layer_norm(float *x, float *y, float *scale, float *shift, int64_t rows, int64_t cols)
{
    chain *c = calloc(1, sizeof *c);
    dnnl_memory_desc_t md = desc(2, (int64_t[]){rows, cols}, NULL), row = desc(1, &cols, NULL);
    dnnl_primitive_desc_t pd;
    bool ok = add(c, dnnl_layer_normalization_forward_primitive_desc_create(&pd, engine(), dnnl_forward_inference, md, md, NULL, 1e-5f,
                                                                            dnnl_use_scale | dnnl_use_shift, NULL), &pd);
    bind(&c->steps[0], DNNL_ARG_SRC, md, x);
    bind(&c->steps[0], DNNL_ARG_DST, md, y);
    bind(&c->steps[0], DNNL_ARG_SCALE, row, scale);
    bind(&c->steps[0], DNNL_ARG_SHIFT, row, shift);
    return peer("oneDNN layer norm", c, ok);
}

bench_peer bench_dnnl_sum(float *x, float *y, int64_t n)
{
    chain *c = calloc(1, sizeof *c);
    dnnl_memory_desc_t src = desc(1, &n, NULL), dst = desc(1, (int64_t[]){1}, NULL);
    dnnl_primitive_desc_t pd;
    bool ok = add(c, dnnl_reduction_primitive_desc_create(&pd, engine(), dnnl_reduction_sum, src, dst, 0, 0, NULL), &pd);
    bind(&c->steps[0], DNNL_ARG_SRC, src, x);
    bind(&c->steps[0], DNNL_ARG_DST, dst, y);
    return peer("oneDNN reduction", c, ok);
}

bench_peer bench_dnnl_transpose(float *x, float *y, int64_t rows, int64_t cols)
{
    chain *c = calloc(1, sizeof *c);
    int64_t dims[] = {rows, cols};
    dnnl_memory_desc_t src = desc(2, dims, NULL), dst = desc(2, dims, (int64_t[]){1, rows});
    dnnl_primitive_desc_t pd;
    bool ok = add(c, dnnl_reorder_primitive_desc_create(&pd, src, engine(), dst, engine(), NULL), &pd);
    bind(&c->steps[0], DNNL_ARG_FROM, src, x);
    bind(&c->steps[0], DNNL_ARG_TO, dst, y);
    return peer("oneDNN reorder", c, ok);
}

bench_peer bench_dnnl_matmul(float *a, float *b, float *out, int64_t m, int64_t n, int64_t k)
{
    chain *c = calloc(1, sizeof *c);
    dnnl_memory_desc_t da = desc(2, (int64_t[]){m, k}, NULL), db = desc(2, (int64_t[]){k, n}, NULL), dc = desc(2, (int64_t[]){m, n}, NULL);
    dnnl_primitive_desc_t pd;
    bool ok = add(c, dnnl_matmul_primitive_desc_create(&pd, engine(), da, db, NULL, dc, NULL), &pd);
    bind(&c->steps[0], DNNL_ARG_SRC, da, a);
    bind(&c->steps[0], DNNL_ARG_WEIGHTS, db, b);
    bind(&c->steps[0], DNNL_ARG_DST, dc, out);
    return peer("oneDNN matmul", c, ok);
}

bench_peer bench_dnnl_attention(float *q, float *k, float *v, float *out, int64_t heads, int64_t ctx, int64_t dim, float scale)
{
    chain *c = calloc(1, sizeof *c);
    int64_t qd[] = {heads, ctx, dim}, kd[] = {heads, dim, ctx}, sd[] = {heads, ctx, ctx};
    dnnl_memory_desc_t dq = desc(3, qd, NULL), dk = desc(3, kd, (int64_t[]){ctx * dim, 1, dim}), ds = desc(3, sd, NULL);
    float *scores = malloc((size_t)(heads * ctx * ctx) * sizeof *scores);
    dnnl_post_ops_t post;
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_create(&post);
    dnnl_post_ops_append_eltwise(post, dnnl_eltwise_linear, scale, 0);
    dnnl_primitive_attr_create(&attr);
    dnnl_primitive_attr_set_post_ops(attr, post);
    dnnl_primitive_desc_t pd;
    bool ok = scores && add(c, dnnl_matmul_primitive_desc_create(&pd, engine(), dq, dk, NULL, ds, attr), &pd);
    bind(&c->steps[0], DNNL_ARG_SRC, dq, q);
    bind(&c->steps[0], DNNL_ARG_WEIGHTS, dk, k);
    bind(&c->steps[0], DNNL_ARG_DST, ds, scores);
    ok = ok && add(c, dnnl_softmax_forward_primitive_desc_create(&pd, engine(), dnnl_forward_inference, dnnl_softmax_accurate, ds, ds, 2, NULL), &pd);
    bind(&c->steps[1], DNNL_ARG_SRC, ds, scores);
    bind(&c->steps[1], DNNL_ARG_DST, ds, scores);
    ok = ok && add(c, dnnl_matmul_primitive_desc_create(&pd, engine(), ds, dq, NULL, dq, NULL), &pd);
    bind(&c->steps[2], DNNL_ARG_SRC, ds, scores);
    bind(&c->steps[2], DNNL_ARG_WEIGHTS, dq, v);
    bind(&c->steps[2], DNNL_ARG_DST, dq, out);
    return peer("oneDNN matmul, softmax, matmul", c, ok);
}
