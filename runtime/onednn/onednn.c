/* onednn.c - primitives of oneDNN, made once and run often. */
#include "runtime/onednn/onednn_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 4 + KD_ONEDNN_MAX_POSTS, PARALLEL_BYTES = 16 << 20 };

struct kd_primitive {
    kd_onednn *onednn;
    dnnl_primitive_t primitive;
    dnnl_primitive_desc_t desc;
    dnnl_memory_desc_t args[MAX_ARGS]; /* by kd_primitive_arg; NULL: the primitive has no such argument */
    void *packed;                      /* weights in oneDNN's own order, or NULL */
    bool is_offered;                   /* they are somebody else's memory */
    size_t n_packed_bytes;
    kd_hash packed_key;
    dnnl_primitive_t reorder;          /* of weights that are bound, into that order, at each run; NULL: they are in it */
    size_t scratch_bytes;
    char name[64];
    bool of_images; /* its arguments have channels */
};

struct kd_primitive_call {
    const kd_primitive *primitive;
    dnnl_stream_t stream;
    dnnl_memory_t memory[MAX_ARGS + 1]; /* the last one is the scratchpad */
    dnnl_memory_t reordered;            /* weights, where the primitive has a reorder */
    void *reordered_data;
    dnnl_exec_arg_t exec[MAX_ARGS + 1];
    int n_exec;
};

kd_status kd_onednn_open(kd_onednn **out_onednn, kd_failure *out_why)
{
    kd_onednn *o = calloc(1, sizeof *o);
    if (!o)
        return kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    kd_status status = kd_dnnl_open(&o->dnnl, out_why);
    if (status == KD_OK && o->dnnl.dnnl_engine_create(&o->engine, dnnl_cpu, 0) != dnnl_success)
        status = kd_fail(out_why, KD_ERR_DEVICE, "oneDNN cannot use this CPU");
    if (status) {
        free(o);
        return status;
    }
    const dnnl_version_t *v = o->dnnl.dnnl_version();
    snprintf(o->version, sizeof o->version, "%d.%d.%d", v->major, v->minor, v->patch);
    *out_onednn = o;
    return KD_OK;
}

void kd_onednn_close(kd_onednn *onednn)
{
    if (!onednn)
        return;
    onednn->dnnl.dnnl_engine_destroy(onednn->engine);
    kd_onednn_release_packed(onednn);
    free(onednn);
}

const char *kd_onednn_version(const kd_onednn *onednn)
{
    return onednn->version;
}

void kd_onednn_offer(kd_onednn *onednn, const kd_packed_weights *weights, unsigned n)
{
    onednn->offered = weights;
    onednn->n_offered = n;
    onednn->n_taken = 0;
}

static kd_status failed(dnnl_status_t status, const char *what, kd_failure *out_why)
{
    switch (status) {
    case dnnl_success: return KD_OK;
    case dnnl_out_of_memory: return kd_fail(out_why, KD_ERR_MEMORY, "%s: memory ran out", what);
    case dnnl_unimplemented:
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "oneDNN has no %s for these types, layouts and posts", what);
    case dnnl_invalid_arguments: return kd_fail(out_why, KD_ERR_UNSUPPORTED, "oneDNN takes no %s of these shapes", what);
    default: return kd_fail(out_why, KD_ERR_DEVICE, "oneDNN failed in %s (status %d)", what, (int)status);
    }
}

/* ---- descriptions ---- */

static bool type_of(kd_scalar type, dnnl_data_type_t *out)
{
    switch (type) {
    case KD_F32: *out = dnnl_f32; return true;
    case KD_BF16: *out = dnnl_bf16; return true;
    case KD_F16: *out = dnnl_f16; return true;
    case KD_F64: *out = dnnl_f64; return true;
    case KD_I32: *out = dnnl_s32; return true;
    case KD_I8: *out = dnnl_s8; return true;
    case KD_U8: *out = dnnl_u8; return true;
    default: return false;
    }
}

/* The dimension that comes behind the k-th from the last one in memory: where channels, dimension 1, are next to one another, they come last. */
static unsigned dim_from_last(const kd_strided *t, bool channels_last, unsigned k)
{
    if (!channels_last)
        return t->n_dims - 1 - k;
    return k == 0 ? 1 : k == t->n_dims - 1 ? 0 : t->n_dims - k;
}

/* any: in whatever order oneDNN likes best. A dimension of extent 1 may have any stride: it gets the one that looks most regular, since
 * implementations are chosen by strides; an image with one channel is taken for one with the channels last, as others are. */
static dnnl_status_t describe(const kd_onednn *o, const kd_strided *t, bool any, bool is_image, dnnl_memory_desc_t *out)
{
    dnnl_dims_t dims = {0}, strides = {0};
    dnnl_data_type_t type;
    if (!type_of(t->type, &type))
        return dnnl_unimplemented;
    bool channels_last = t->n_dims > 2 && (t->shape[1] > 1 ? t->strides[1] == 1 : is_image);
    int64_t regular = 1;
    for (unsigned k = 0; k < t->n_dims; k++) {
        unsigned d = dim_from_last(t, channels_last, k);
        dims[d] = t->shape[d];
        strides[d] = t->shape[d] == 1 ? regular : t->strides[d];
        regular = strides[d] * dims[d];
    }
    return any ? o->dnnl.dnnl_memory_desc_create_with_tag(out, (int)t->n_dims, dims, type, dnnl_format_tag_any)
               : o->dnnl.dnnl_memory_desc_create_with_strides(out, (int)t->n_dims, dims, type, strides);
}

static dnnl_status_t append_post(const kd_onednn *o, dnnl_post_ops_t ops, const kd_post *post, bool of_images,
                                 dnnl_memory_desc_t *out_tensor)
{
    static const dnnl_alg_kind_t ALGORITHMS[] = {[KD_POST_RELU] = dnnl_eltwise_relu,
                                                 [KD_POST_GELU_ERF] = dnnl_eltwise_gelu_erf,
                                                 [KD_POST_GELU_TANH] = dnnl_eltwise_gelu_tanh,
                                                 [KD_POST_SIGMOID] = dnnl_eltwise_logistic,
                                                 [KD_POST_TANH] = dnnl_eltwise_tanh,
                                                 [KD_POST_SWISH] = dnnl_eltwise_swish,
                                                 [KD_POST_HARDSWISH] = dnnl_eltwise_hardswish,
                                                 [KD_POST_HARDSIGMOID] = dnnl_eltwise_hardsigmoid,
                                                 [KD_POST_CLIP] = dnnl_eltwise_clip_v2,
                                                 [KD_POST_LINEAR] = dnnl_eltwise_linear,
                                                 [KD_POST_ADD] = dnnl_binary_add,
                                                 [KD_POST_MUL] = dnnl_binary_mul};
    float alpha = post->alpha, beta = post->beta;
    switch (post->kind) {
    case KD_POST_SWISH: alpha = 1; break;
    case KD_POST_HARDSWISH:
    case KD_POST_HARDSIGMOID:
        alpha = 1.0f / 6;
        beta = 0.5f;
        break;
    case KD_POST_ADD:
    case KD_POST_MUL: {
        dnnl_status_t status = describe(o, &post->tensor, false, of_images, out_tensor);
        return status == dnnl_success ? o->dnnl.dnnl_post_ops_append_binary(ops, ALGORITHMS[post->kind], *out_tensor) : status;
    }
    default: break;
    }
    return o->dnnl.dnnl_post_ops_append_eltwise(ops, ALGORITHMS[post->kind], alpha, beta);
}

/* The attribute of a primitive: scratch memory from the caller, and posts. */
static dnnl_status_t make_attribute(kd_primitive *p, const kd_post_list *posts, dnnl_primitive_attr_t *out)
{
    const kd_dnnl_calls *dnnl = &p->onednn->dnnl;
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl->dnnl_primitive_attr_create(out);
    if (status == dnnl_success)
        status = dnnl->dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && posts && posts->n)
        status = dnnl->dnnl_post_ops_create(&ops);
    for (unsigned i = 0; posts && i < posts->n && status == dnnl_success; i++)
        status = append_post(p->onednn, ops, &posts->posts[i], p->of_images, &p->args[KD_ARG_POST + i]);
    if (status == dnnl_success && ops)
        status = dnnl->dnnl_primitive_attr_set_post_ops(*out, ops);
    if (ops)
        dnnl->dnnl_post_ops_destroy(ops);
    return status;
}

/* ---- making ---- */

static kd_primitive *new_primitive(kd_onednn *onednn)
{
    kd_primitive *p = calloc(1, sizeof *p);
    if (p)
        p->onednn = onednn;
    return p;
}

void kd_primitive_destroy(kd_primitive *primitive)
{
    if (!primitive)
        return;
    const kd_dnnl_calls *dnnl = &primitive->onednn->dnnl;
    for (unsigned i = 0; i < MAX_ARGS; i++)
        if (primitive->args[i])
            dnnl->dnnl_memory_desc_destroy(primitive->args[i]);
    if (primitive->primitive)
        dnnl->dnnl_primitive_destroy(primitive->primitive);
    if (primitive->reorder)
        dnnl->dnnl_primitive_destroy(primitive->reorder);
    if (primitive->desc)
        dnnl->dnnl_primitive_desc_destroy(primitive->desc);
    free(primitive);
}

static dnnl_status_t reorder(const kd_onednn *o, dnnl_memory_desc_t from, const void *data, const_dnnl_memory_desc_t to, void *out)
{
    const kd_dnnl_calls *dnnl = &o->dnnl;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_memory_t source = NULL, target = NULL;
    dnnl_status_t status = dnnl->dnnl_reorder_primitive_desc_create(&desc, from, o->engine, to, o->engine, NULL);
    if (status == dnnl_success)
        status = dnnl->dnnl_primitive_create(&primitive, desc);
    if (status == dnnl_success)
        status = dnnl->dnnl_stream_create(&stream, o->engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = dnnl->dnnl_memory_create(&source, from, o->engine, (void *)(uintptr_t)data);
    if (status == dnnl_success)
        status = dnnl->dnnl_memory_create(&target, to, o->engine, out);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
    if (status == dnnl_success)
        status = dnnl->dnnl_primitive_execute(primitive, stream, 2, args);
    if (status == dnnl_success)
        status = dnnl->dnnl_stream_wait(stream);
    if (source)
        dnnl->dnnl_memory_destroy(source);
    if (target)
        dnnl->dnnl_memory_destroy(target);
    if (stream)
        dnnl->dnnl_stream_destroy(stream);
    if (primitive)
        dnnl->dnnl_primitive_destroy(primitive);
    if (desc)
        dnnl->dnnl_primitive_desc_destroy(desc);
    return status;
}

/* What an order of elements in memory is made of. */
static kd_hash order_key(const kd_onednn *o, const kd_strided *weights, const_dnnl_memory_desc_t wanted)
{
    static const dnnl_query_t PARTS[] = {dnnl_query_padded_dims, dnnl_query_padded_offsets, dnnl_query_strides};
    static const dnnl_query_t BLOCKS[] = {dnnl_query_inner_blks, dnnl_query_inner_idxs};
    kd_hash key = {0};
    dnnl_dims_t *dims = NULL;
    int n_blocks = 0;
    kd_hash_add(&key, weights->shape, weights->n_dims * sizeof weights->shape[0]);
    kd_hash_add_u64(&key, weights->type);
    for (unsigned i = 0; i < 3; i++)
        if (o->dnnl.dnnl_memory_desc_query(wanted, PARTS[i], &dims) == dnnl_success)
            kd_hash_add(&key, *dims, weights->n_dims * sizeof(dnnl_dim_t));
    if (o->dnnl.dnnl_memory_desc_query(wanted, dnnl_query_inner_nblks_s32, &n_blocks) == dnnl_success)
        kd_hash_add_u64(&key, (uint64_t)n_blocks);
    for (unsigned i = 0; i < 2; i++)
        if (o->dnnl.dnnl_memory_desc_query(wanted, BLOCKS[i], &dims) == dnnl_success)
            kd_hash_add(&key, *dims, (unsigned)n_blocks * sizeof(dnnl_dim_t));
    kd_hash_add_u64(&key, o->dnnl.dnnl_memory_desc_get_size(wanted));
    return key;
}

/* Those that were packed before, where there are any. */
static dnnl_status_t take_offered(kd_primitive *p)
{
    kd_onednn *o = p->onednn;
    const kd_packed_weights *next = o->n_taken < o->n_offered ? &o->offered[o->n_taken] : NULL;
    if (!next || !kd_hash_equal(next->key, p->packed_key) || next->n_bytes != p->n_packed_bytes)
        return dnnl_unimplemented;
    p->packed = (void *)(uintptr_t)next->data;
    p->is_offered = true;
    o->n_taken++;
    return dnnl_success;
}

/* Waking another thread takes longer than small weights do, and on a busy machine waiting for it much longer. */
static dnnl_status_t reorder_weights(const kd_primitive *p, const void *data, const_dnnl_memory_desc_t wanted)
{
    unsigned n_threads = p->n_packed_bytes < PARALLEL_BYTES ? kd_onednn_set_threads(p->onednn, 1) : 0;
    dnnl_status_t status = reorder(p->onednn, p->args[KD_ARG_WEIGHTS], data, wanted, p->packed);
    kd_onednn_set_threads(p->onednn, n_threads);
    return status;
}

/* Weights in the order that the primitive asked for, once. */
static dnnl_status_t pack(kd_primitive *p, const kd_strided *weights, const void *data)
{
    const kd_dnnl_calls *dnnl = &p->onednn->dnnl;
    const_dnnl_memory_desc_t wanted = dnnl->dnnl_primitive_desc_query_md(p->desc, dnnl_query_weights_md, 0);
    p->n_packed_bytes = dnnl->dnnl_memory_desc_get_size(wanted);
    p->packed_key = order_key(p->onednn, weights, wanted);
    if (p->onednn->offered)
        return take_offered(p);
    p->packed = kd_onednn_take_slab(p->onednn, p->n_packed_bytes);
    return p->packed ? reorder_weights(p, data, wanted) : dnnl_out_of_memory;
}

kd_status kd_primitive_pack_again(kd_primitive *primitive, const void *weights, kd_failure *out_why)
{
    const kd_onednn *o = primitive->onednn;
    if (!primitive->packed || primitive->is_offered)
        return kd_fail(out_why, KD_ERR_UNSUPPORTED, "%s has no weights of its own", primitive->name);
    const_dnnl_memory_desc_t wanted = o->dnnl.dnnl_primitive_desc_query_md(primitive->desc, dnnl_query_weights_md, 0);
    return failed(reorder_weights(primitive, weights, wanted), "order for these weights", out_why);
}

/* Weights that are bound come in an order that oneDNN may be slow with. */
static dnnl_status_t add_reorder(kd_primitive *p)
{
    const kd_dnnl_calls *dnnl = &p->onednn->dnnl;
    const_dnnl_memory_desc_t wanted = dnnl->dnnl_primitive_desc_query_md(p->desc, dnnl_query_weights_md, 0);
    dnnl_primitive_desc_t desc = NULL;
    if (dnnl->dnnl_memory_desc_equal(p->args[KD_ARG_WEIGHTS], wanted))
        return dnnl_success;
    dnnl_status_t status = dnnl->dnnl_reorder_primitive_desc_create(&desc, p->args[KD_ARG_WEIGHTS], p->onednn->engine, wanted,
                                                                    p->onednn->engine, NULL);
    if (status == dnnl_success)
        status = dnnl->dnnl_primitive_create(&p->reorder, desc);
    if (desc)
        dnnl->dnnl_primitive_desc_destroy(desc);
    return status;
}

static dnnl_status_t finish(kd_primitive *p)
{
    const kd_dnnl_calls *dnnl = &p->onednn->dnnl;
    const_dnnl_memory_desc_t scratch = dnnl->dnnl_primitive_desc_query_md(p->desc, dnnl_query_scratchpad_md, 0);
    const char *name = NULL;
    p->scratch_bytes = scratch ? dnnl->dnnl_memory_desc_get_size(scratch) : 0;
    if (dnnl->dnnl_primitive_desc_query(p->desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success && name)
        snprintf(p->name, sizeof p->name, "%s", name);
    return dnnl->dnnl_primitive_create(&p->primitive, p->desc);
}

/* What all three have in common: descriptions of their arguments, the primitive's own description by make, and packed weights. */
typedef struct recipe {
    const char *what;
    const kd_strided *src, *weights, *bias, *dst;
    const void *packed_weights;
    const kd_post_list *posts;
    bool reorders; /* weights that are bound too */
    bool of_images;
    dnnl_status_t (*make)(kd_primitive *p, dnnl_memory_desc_t weights, const void *args, dnnl_primitive_attr_t attribute);
} recipe;

static dnnl_status_t cook(kd_primitive *p, const recipe *r, const void *args)
{
    const kd_dnnl_calls *dnnl = &p->onednn->dnnl;
    const kd_strided *tensors[] = {
        [KD_ARG_SRC] = r->src, [KD_ARG_WEIGHTS] = r->weights, [KD_ARG_BIAS] = r->bias, [KD_ARG_DST] = r->dst};
    dnnl_primitive_attr_t attribute = NULL;
    dnnl_memory_desc_t any = NULL;
    dnnl_status_t status = dnnl_success;
    p->of_images = r->of_images;
    for (unsigned i = 0; i < 4 && status == dnnl_success; i++)
        if (tensors[i] && tensors[i]->n_dims)
            status = describe(p->onednn, tensors[i], false, p->of_images && i != KD_ARG_WEIGHTS, &p->args[i]);
    if (status == dnnl_success && (r->packed_weights || r->reorders))
        status = describe(p->onednn, r->weights, true, false, &any);
    if (status == dnnl_success)
        status = make_attribute(p, r->posts, &attribute);
    if (status == dnnl_success)
        status = r->make(p, any ? any : p->args[KD_ARG_WEIGHTS], args, attribute);
    if (status == dnnl_success && r->packed_weights)
        status = pack(p, r->weights, r->packed_weights);
    else if (status == dnnl_success && r->reorders)
        status = add_reorder(p);
    if (status == dnnl_success)
        status = finish(p);
    if (any)
        dnnl->dnnl_memory_desc_destroy(any);
    if (attribute)
        dnnl->dnnl_primitive_attr_destroy(attribute);
    return status;
}

static kd_status create(kd_onednn *onednn, const recipe *r, const void *args, kd_primitive **out, kd_failure *out_why)
{
    kd_primitive *p = new_primitive(onednn);
    dnnl_status_t status = p ? cook(p, r, args) : dnnl_out_of_memory;
    if (status == dnnl_success)
        *out = p;
    else
        kd_primitive_destroy(p);
    return failed(status, r->what, out_why);
}

static dnnl_status_t make_matmul(kd_primitive *p, dnnl_memory_desc_t weights, const void *args, dnnl_primitive_attr_t attribute)
{
    return p->onednn->dnnl.dnnl_matmul_primitive_desc_create(&p->desc, p->onednn->engine, p->args[KD_ARG_SRC], weights,
                                                             p->args[KD_ARG_BIAS], p->args[KD_ARG_DST], attribute);
}

kd_status kd_matmul_create(kd_onednn *onednn, const kd_matmul_args *args, kd_primitive **out_primitive, kd_failure *out_why)
{
    recipe r = {.what = "matrix product",
                .src = &args->src,
                .weights = &args->weights,
                .bias = &args->bias,
                .dst = &args->dst,
                .packed_weights = args->packed_weights,
                .posts = args->posts,
                .make = make_matmul};
    return create(onednn, &r, args, out_primitive, out_why);
}

static void swap(int64_t *a, int64_t *b)
{
    int64_t kept = *a;
    *a = *b;
    *b = kept;
}

/* oneDNN has the groups as a dimension of the weights: [groups, O / groups, C / groups, ...]. */
static kd_strided with_groups(const kd_strided *weights, int64_t groups, bool transposed)
{
    kd_strided w = *weights;
    if (groups == 1 || w.n_dims + 1 > KD_ONEDNN_MAX_DIMS) {
        if (transposed) {
            swap(&w.shape[0], &w.shape[1]);
            swap(&w.strides[0], &w.strides[1]);
        }
        return w;
    }
    memmove(w.shape + 1, w.shape, w.n_dims * sizeof *w.shape);
    memmove(w.strides + 1, w.strides, w.n_dims * sizeof *w.strides);
    w.n_dims++;
    w.shape[0] = groups;
    w.shape[1] /= groups;
    w.strides[0] = w.shape[1] * w.strides[1];
    if (transposed) {
        swap(&w.shape[1], &w.shape[2]);
        swap(&w.strides[1], &w.strides[2]);
    }
    return w;
}

static dnnl_status_t make_convolution(kd_primitive *p, dnnl_memory_desc_t weights, const void *user,
                                      dnnl_primitive_attr_t attribute)
{
    const kd_convolution_args *a = user;
    dnnl_dims_t strides = {0}, dilation = {0}, low = {0}, high = {0};
    for (unsigned d = 0; d < 3; d++) {
        strides[d] = a->strides[d];
        dilation[d] = a->dilation[d] - 1; /* here 0 means neighbours */
        low[d] = a->padding_low[d];
        high[d] = a->padding_high[d];
    }
    if (a->transposed)
        return p->onednn->dnnl.dnnl_deconvolution_forward_primitive_desc_create(
            &p->desc, p->onednn->engine, dnnl_forward_inference, dnnl_deconvolution_direct, p->args[KD_ARG_SRC], weights,
            p->args[KD_ARG_BIAS], p->args[KD_ARG_DST], strides, dilation, low, high, attribute);
    return p->onednn->dnnl.dnnl_convolution_forward_primitive_desc_create(
        &p->desc, p->onednn->engine, dnnl_forward_inference, dnnl_convolution_direct, p->args[KD_ARG_SRC], weights,
        p->args[KD_ARG_BIAS], p->args[KD_ARG_DST], strides, dilation, low, high, attribute);
}

kd_status kd_convolution_create(kd_onednn *onednn, const kd_convolution_args *args, kd_primitive **out_primitive,
                                kd_failure *out_why)
{
    kd_strided weights = with_groups(&args->weights, args->groups, args->transposed);
    recipe r = {.what = args->transposed ? "transposed convolution" : "convolution",
                .src = &args->src,
                .weights = &weights,
                .bias = &args->bias,
                .dst = &args->dst,
                .packed_weights = args->packed_weights,
                .posts = args->posts,
                .reorders = true,
                .of_images = true,
                .make = make_convolution};
    return create(onednn, &r, args, out_primitive, out_why);
}

static dnnl_status_t make_pool(kd_primitive *p, dnnl_memory_desc_t weights, const void *user, dnnl_primitive_attr_t attribute)
{
    const kd_pooling_args *a = user;
    dnnl_dims_t kernel = {0}, strides = {0}, dilation = {0}, low = {0}, high = {0};
    for (unsigned d = 0; d < 3; d++) {
        kernel[d] = a->kernel[d];
        strides[d] = a->strides[d];
        dilation[d] = a->dilation[d] - 1;
        low[d] = a->padding_low[d];
        high[d] = a->padding_high[d];
    }
    dnnl_alg_kind_t algorithm = a->is_mean ? dnnl_pooling_avg_exclude_padding : dnnl_pooling_max;
    return p->onednn->dnnl.dnnl_pooling_forward_primitive_desc_create(&p->desc, p->onednn->engine, dnnl_forward_inference,
                                                                      algorithm, p->args[KD_ARG_SRC], p->args[KD_ARG_DST], strides,
                                                                      kernel, dilation, low, high, attribute);
}

kd_status kd_pooling_create(kd_onednn *onednn, const kd_pooling_args *args, kd_primitive **out_primitive, kd_failure *out_why)
{
    recipe r = {.what = "pooling", .src = &args->src, .dst = &args->dst, .of_images = true, .make = make_pool};
    return create(onednn, &r, args, out_primitive, out_why);
}

/* Whether oneDNN uses instructions for a half type. Without, it has more than its reference implementation for bf16 too, which is three times as
 * slow as f32. */
static bool has_instructions_for(const kd_onednn *onednn, kd_scalar type)
{
    unsigned isa = onednn->dnnl.dnnl_get_effective_cpu_isa(), wide = dnnl_cpu_isa_avx512_core_fp16,
             narrow = dnnl_cpu_isa_avx2_vnni_2;
    if (type != KD_F16 && type != KD_BF16)
        return true;
    if (type == KD_BF16)
        wide = dnnl_cpu_isa_avx512_core_bf16;
    return (isa & wide) == wide || (isa & narrow) == narrow;
}

bool kd_onednn_is_fast_with(kd_onednn *onednn, kd_scalar type)
{
    if (!has_instructions_for(onednn, type))
        return false;
    kd_strided square = {.type = type, .n_dims = 2, .shape = {64, 64}, .strides = {64, 1}};
    kd_primitive *probe = NULL;
    if (kd_matmul_create(onednn, &(kd_matmul_args){.src = square, .weights = square, .dst = square}, &probe, NULL))
        return false;
    bool is_fast = strstr(probe->name, "ref") == NULL;
    kd_primitive_destroy(probe);
    return is_fast;
}

const char *kd_primitive_name(const kd_primitive *primitive)
{
    return primitive->name;
}

size_t kd_primitive_scratch_bytes(const kd_primitive *primitive)
{
    return primitive->scratch_bytes;
}

bool kd_primitive_get_packed(const kd_primitive *primitive, kd_packed_weights *out)
{
    *out = (kd_packed_weights){primitive->packed_key, primitive->packed, primitive->n_packed_bytes};
    return primitive->packed;
}

/* ---- calls ---- */

static int dnnl_arg(unsigned arg)
{
    static const int ARGS[] = {[KD_ARG_SRC] = DNNL_ARG_SRC,
                               [KD_ARG_WEIGHTS] = DNNL_ARG_WEIGHTS,
                               [KD_ARG_BIAS] = DNNL_ARG_BIAS,
                               [KD_ARG_DST] = DNNL_ARG_DST};
    return arg < KD_ARG_POST ? ARGS[arg] : DNNL_ARG_ATTR_MULTIPLE_POST_OP((int)(arg - KD_ARG_POST)) | DNNL_ARG_SRC_1;
}

static dnnl_status_t add_memory(kd_primitive_call *call, unsigned slot, int arg, const_dnnl_memory_desc_t desc, void *data)
{
    const kd_onednn *o = call->primitive->onednn;
    dnnl_status_t status = o->dnnl.dnnl_memory_create(&call->memory[slot], desc, o->engine, data);
    if (status == dnnl_success)
        call->exec[call->n_exec++] = (dnnl_exec_arg_t){arg, call->memory[slot]};
    return status;
}

/* The weights that are bound, which the reorder reads, and those that the primitive reads. */
static dnnl_status_t add_reordered_weights(kd_primitive_call *call)
{
    const kd_primitive *p = call->primitive;
    const kd_dnnl_calls *dnnl = &p->onednn->dnnl;
    const_dnnl_memory_desc_t wanted = dnnl->dnnl_primitive_desc_query_md(p->desc, dnnl_query_weights_md, 0);
    call->reordered_data = aligned_alloc(64, (dnnl->dnnl_memory_desc_get_size(wanted) + 64) / 64 * 64);
    if (!call->reordered_data)
        return dnnl_out_of_memory;
    dnnl_status_t status = dnnl->dnnl_memory_create(&call->reordered, wanted, p->onednn->engine, call->reordered_data);
    if (status != dnnl_success)
        return status;
    call->exec[call->n_exec++] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, call->reordered};
    return dnnl->dnnl_memory_create(&call->memory[KD_ARG_WEIGHTS], p->args[KD_ARG_WEIGHTS], p->onednn->engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t add_memories(kd_primitive_call *call, void *scratch)
{
    const kd_primitive *p = call->primitive;
    const kd_dnnl_calls *dnnl = &p->onednn->dnnl;
    dnnl_status_t status = dnnl->dnnl_stream_create(&call->stream, p->onednn->engine, dnnl_stream_default_flags);
    for (unsigned i = 0; i < MAX_ARGS && status == dnnl_success; i++) {
        if (i == KD_ARG_WEIGHTS && p->packed)
            status =
                add_memory(call, i, dnnl_arg(i), dnnl->dnnl_primitive_desc_query_md(p->desc, dnnl_query_weights_md, 0), p->packed);
        else if (i == KD_ARG_WEIGHTS && p->reorder)
            status = add_reordered_weights(call);
        else if (p->args[i])
            status = add_memory(call, i, dnnl_arg(i), p->args[i], DNNL_MEMORY_NONE);
    }
    if (status == dnnl_success && p->scratch_bytes)
        status = add_memory(call, MAX_ARGS, DNNL_ARG_SCRATCHPAD,
                            dnnl->dnnl_primitive_desc_query_md(p->desc, dnnl_query_scratchpad_md, 0), scratch);
    return status;
}

kd_status kd_primitive_call_create(kd_primitive *primitive, void *scratch, kd_primitive_call **out_call, kd_failure *out_why)
{
    kd_primitive_call *call = calloc(1, sizeof *call);
    if (!call)
        return kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    call->primitive = primitive;
    dnnl_status_t status = add_memories(call, scratch);
    if (status == dnnl_success)
        *out_call = call;
    else
        kd_primitive_call_destroy(call);
    return failed(status, primitive->name, out_why);
}

void kd_primitive_call_destroy(kd_primitive_call *call)
{
    if (!call)
        return;
    const kd_dnnl_calls *dnnl = &call->primitive->onednn->dnnl;
    for (unsigned i = 0; i <= MAX_ARGS; i++)
        if (call->memory[i])
            dnnl->dnnl_memory_destroy(call->memory[i]);
    if (call->reordered)
        dnnl->dnnl_memory_destroy(call->reordered);
    if (call->stream)
        dnnl->dnnl_stream_destroy(call->stream);
    free(call->reordered_data);
    free(call);
}

void kd_primitive_call_bind(kd_primitive_call *call, unsigned arg, const void *data)
{
    if (arg < MAX_ARGS && call->memory[arg])
        call->primitive->onednn->dnnl.dnnl_memory_set_data_handle(call->memory[arg], (void *)(uintptr_t)data);
}

kd_status kd_primitive_call_run(kd_primitive_call *call)
{
    const kd_primitive *p = call->primitive;
    dnnl_status_t status = dnnl_success;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, call->memory[KD_ARG_WEIGHTS]}, {DNNL_ARG_TO, call->reordered}};
    if (p->reorder)
        status = p->onednn->dnnl.dnnl_primitive_execute(p->reorder, call->stream, 2, args);
    if (status == dnnl_success)
        status = p->onednn->dnnl.dnnl_primitive_execute(p->primitive, call->stream, call->n_exec, call->exec);
    if (status == dnnl_success)
        status = p->onednn->dnnl.dnnl_stream_wait(call->stream);
    return failed(status, p->name, NULL);
}
