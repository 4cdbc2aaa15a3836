/* onednn.h - convolutions, matrix products and pooling by oneDNN, with what follows them element by element.
 *
 *     kd_onednn *onednn;  kd_primitive *p;  kd_primitive_call *call;
 *     kd_onednn_open(&onednn, &why);
 *     kd_matmul_create(onednn, &(kd_matmul_args){.src = ..., .weights = ..., .dst = ..., .packed_weights = data}, &p, &why);
 *     kd_primitive_call_create(p, scratch, &call, &why);
 *     kd_primitive_call_bind(call, KD_ARG_SRC, x);
 *     kd_primitive_call_bind(call, KD_ARG_DST, y);
 *     kd_primitive_call_run(call);
 *
 * A primitive does not change; each thread that runs it has a call of its own. The CPU's engine only. */
#ifndef KD_RUNTIME_ONEDNN_ONEDNN_H
#define KD_RUNTIME_ONEDNN_ONEDNN_H

#include "base/failure.h"
#include "base/hash.h"
#include "base/kernel_desc.h"
#include "runtime/cpu/thread_pool.h"

typedef struct kd_onednn kd_onednn;

/* KD_ERR_NOT_FOUND: the library is not installed. */
kd_status kd_onednn_open(kd_onednn **out_onednn, kd_failure *out_why);
/* After its primitives. */
void kd_onednn_close(kd_onednn *onednn);

/* The threads that primitives run on, as a team for kernels; goes before onednn. KD_ERR_UNSUPPORTED: this oneDNN does not run on GNU OpenMP.
 * KD_ERR_MEMORY. */
kd_status kd_onednn_team_create(kd_onednn *onednn, unsigned n_threads, kd_team **out_team);
/* How many threads take part in what this thread runs, and in primitives that it makes; returns how many did. 0: as it is. */
unsigned kd_onednn_set_threads(const kd_onednn *onednn, unsigned n_threads);

/* "3.7.2". */
const char *kd_onednn_version(const kd_onednn *onednn);

/* Constant weights in the order that oneDNN chose for a primitive. */
typedef struct kd_packed_weights {
    kd_hash key; /* of their shape and that order */
    const void *data; /* aligned to 64 */
    size_t n_bytes;
} kd_packed_weights;

/* Weights that were packed before, in the order in which the primitives to come will ask for them; they stay where they are. Primitives whose
 * weights are not the next in the list fail: those that were packed are all that there is. */
void kd_onednn_offer(kd_onednn *onednn, const kd_packed_weights *weights, unsigned n);

/* Frees the packed weights of all primitives that there were; after they have been destroyed. */
void kd_onednn_release_packed(kd_onednn *onednn);

/* Whether it is as fast with products in a type as with f32 at least, on this CPU. */
bool kd_onednn_is_fast_with(kd_onednn *onednn, kd_scalar type);

enum { KD_ONEDNN_MAX_DIMS = 8, KD_ONEDNN_MAX_POSTS = 8 };

/* Where elements lie; strides count elements. n_dims 0: there is no such tensor. */
typedef struct kd_strided {
    kd_scalar type;
    unsigned n_dims;
    int64_t shape[KD_ONEDNN_MAX_DIMS];
    int64_t strides[KD_ONEDNN_MAX_DIMS];
} kd_strided;

typedef enum kd_post_kind {
    KD_POST_RELU,      /* alpha: the slope below 0 */
    KD_POST_GELU_ERF,
    KD_POST_GELU_TANH,
    KD_POST_SIGMOID,
    KD_POST_TANH,
    KD_POST_SWISH,
    KD_POST_HARDSWISH,
    KD_POST_HARDSIGMOID,
    KD_POST_CLIP,      /* alpha to beta */
    KD_POST_LINEAR,    /* alpha * x + beta */
    KD_POST_ADD,       /* with a tensor that broadcasts to dst */
    KD_POST_MUL,
} kd_post_kind;

/* What is done to the result, in f32, before it is rounded to dst's type. */
typedef struct kd_post {
    kd_post_kind kind;
    float alpha, beta;
    kd_strided tensor; /* ADD and MUL: with dst's number of dimensions */
} kd_post;

typedef struct kd_post_list {
    kd_post posts[KD_ONEDNN_MAX_POSTS];
    unsigned n;
} kd_post_list;

typedef struct kd_primitive kd_primitive;

/* dst[..., M, N] = src[..., M, K] * weights[..., K, N] + bias[..., 1, N]. packed_weights: weights that never change, NULL: they are bound. */
typedef struct kd_matmul_args {
    kd_strided src, weights, bias, dst;
    const void *packed_weights;
    const kd_post_list *posts;
} kd_matmul_args;

/* KD_ERR_UNSUPPORTED: oneDNN has no implementation for these types or posts; nothing is made. KD_ERR_MEMORY. */
kd_status kd_matmul_create(kd_onednn *onednn, const kd_matmul_args *args, kd_primitive **out_primitive, kd_failure *out_why);

/* src [N, C, ...], weights [O, C / groups, ...], dst [N, O, ...]. Transposed: weights [C, O / groups, ...], and what is padding there is cut off
 * here; padding_high may be negative. */
typedef struct kd_convolution_args {
    kd_strided src, weights, bias, dst;
    int64_t strides[3], padding_low[3], padding_high[3], dilation[3]; /* dilation 1: neighbours, as PyTorch counts */
    int64_t groups;
    bool transposed;
    const void *packed_weights;
    const kd_post_list *posts;
} kd_convolution_args;

kd_status kd_convolution_create(kd_onednn *onednn, const kd_convolution_args *args, kd_primitive **out_primitive,
                                kd_failure *out_why);

/* The largest element of each window, or the mean of its elements: then there is no padding. */
typedef struct kd_pooling_args {
    kd_strided src, dst;
    bool is_mean;
    int64_t kernel[3], strides[3], padding_low[3], padding_high[3], dilation[3];
} kd_pooling_args;

kd_status kd_pooling_create(kd_onednn *onednn, const kd_pooling_args *args, kd_primitive **out_primitive, kd_failure *out_why);

void kd_primitive_destroy(kd_primitive *primitive);
/* Packs other elements, which lie as those did that it was made with, in place of its packed weights. No call of it runs meanwhile.
 * KD_ERR_UNSUPPORTED: it has none, or they are somebody else's memory. KD_ERR_DEVICE. */
kd_status kd_primitive_pack_again(kd_primitive *primitive, const void *weights, kd_failure *out_why);
/* Its packed weights; false: it has none. */
bool kd_primitive_get_packed(const kd_primitive *primitive, kd_packed_weights *out);
/* oneDNN's name of the implementation: "brgconv:avx512_core". */
const char *kd_primitive_name(const kd_primitive *primitive);
/* Memory that a call needs while it runs, aligned to 64. */
size_t kd_primitive_scratch_bytes(const kd_primitive *primitive);

/* ---- calls ---- */

typedef enum kd_primitive_arg {
    KD_ARG_SRC,
    KD_ARG_WEIGHTS,
    KD_ARG_BIAS,
    KD_ARG_DST,
    KD_ARG_POST
} kd_primitive_arg; /* KD_ARG_POST + i: of post i */

typedef struct kd_primitive_call kd_primitive_call;

/* scratch: of kd_primitive_scratch_bytes; calls that do not run at the same time may share it. */
kd_status kd_primitive_call_create(kd_primitive *primitive, void *scratch, kd_primitive_call **out_call, kd_failure *out_why);
void kd_primitive_call_destroy(kd_primitive_call *call);
void kd_primitive_call_bind(kd_primitive_call *call, unsigned arg, const void *data);
/* Returns when the work is done. KD_ERR_DEVICE. */
kd_status kd_primitive_call_run(kd_primitive_call *call);

#endif
