/* fold.c - what is constant is computed once, when a graph is compiled.
 *
 *     %c = convolution(%x, w, b)
 *     %y = batch_norm(%c, gamma, beta, mean, variance, eps)      ==>      %y = convolution(%x, w * s, (b - mean) * s + beta)
 *
 * with s = gamma / sqrt(variance + eps) for each output channel, and weights in another type, as autocast asks for them. Rounds differently
 * than the two steps do. */
#include "graph/plan.h"

#include "base/float.h"
#include "base/scalar.h"

#include <math.h>

static bool is_foldable(kd_scalar type)
{
    return type == KD_F32 || type == KD_BF16 || type == KD_F16;
}

static float read_number(const void *data, kd_scalar type, int64_t i)
{
    union {
        uint32_t bits;
        float value;
    } wide;
    switch (type) {
    case KD_F32: return ((const float *)data)[i];
    case KD_BF16: wide.bits = (uint32_t)((const uint16_t *)data)[i] << 16; return wide.value;
    default: return (float)kd_float_decode(((const uint16_t *)data)[i], type);
    }
}

/* To the nearest. Models have millions of weights: only f16, which no CPU of today multiplies, takes the slow way. */
static void write_number(void *data, kd_scalar type, int64_t i, double value)
{
    union {
        float value;
        uint32_t bits;
    } wide = {.value = (float)value};
    if (type == KD_F32)
        ((float *)data)[i] = wide.value;
    else if (type == KD_BF16 && wide.value == wide.value)
        ((uint16_t *)data)[i] = (uint16_t)((wide.bits + 0x7fff + (wide.bits >> 16 & 1)) >> 16);
    else
        ((uint16_t *)data)[i] = (uint16_t)kd_float_encode(value, type, KD_FLOAT_NEAREST_EVEN);
}

/* The elements of a constant row of n numbers; otherwise where there is no such tensor. False: it is something else. */
static bool row_of(const kd_gvalue *value, int64_t n, float otherwise, kd_arena *arena, float **out)
{
    if (value && (!value->data || !is_foldable(value->type.type) || value->type.n_dims != 1 || value->type.shape[0] != n ||
                  !kd_tensor_is_contiguous(&value->type)))
        return false;
    float *row = *out = kd_arena_array(arena, float, (size_t)n + 1);
    for (int64_t i = 0; i < n; i++)
        row[i] = value ? read_number(value->data, value->type.type, i) : otherwise;
    return true;
}

kd_gvalue *kd_graph_add_constant(kd_graph *graph, const char *name, const kd_tensor_type *type, const void *data)
{
    kd_gvalue *value = kd_graph_add_value(graph, name, type);
    value->data = data;
    kd_vec_push(graph->arena, &graph->inputs, value);
    return value;
}

/* n_each elements of each output channel, which lie together. */
static void *scale_weights(kd_arena *arena, const kd_gvalue *weight, int64_t n, int64_t n_each, const double *scales)
{
    kd_scalar type = weight->type.type;
    void *scaled = kd_arena_alloc(arena, (size_t)(n * n_each) * kd_scalar_bytes(type) + 1);
    for (int64_t o = 0; o < n; o++) {
        const float *from = (const float *)weight->data + o * n_each;
        float *to = (float *)scaled + o * n_each;
        if (type == KD_F32)
            for (int64_t i = 0; i < n_each; i++)
                to[i] = (float)((double)from[i] * scales[o]);
        else
            for (int64_t i = o * n_each; i < (o + 1) * n_each; i++)
                write_number(scaled, type, i, (double)read_number(weight->data, type, i) * scales[o]);
    }
    return scaled;
}

bool kd_fold_batch_norm(kd_graph *graph, kd_gnode *convolution, const kd_gvalue *const params[4], double eps)
{
    const kd_gvalue *weight = kd_gnode_tensor(convolution, 1);
    const kd_tensor_type *t = &weight->type;
    kd_arena *arena = graph->arena;
    int64_t n = t->shape[0], n_each = n ? kd_tensor_n_elems(t) / n : 0;
    float *gamma, *beta, *mean, *variance, *bias;
    if (convolution->n_posts || !weight->data || !is_foldable(t->type) || !kd_tensor_is_dense(t) ||
        (n > 1 && t->strides[0] != n_each) || !row_of(params[0], n, 1, arena, &gamma) || !row_of(params[1], n, 0, arena, &beta) ||
        !row_of(params[2], n, 0, arena, &mean) || !row_of(params[3], n, 1, arena, &variance) ||
        !row_of(kd_gnode_tensor(convolution, 2), n, 0, arena, &bias))
        return false;
    double *scales = kd_arena_array(arena, double, (size_t)n + 1);
    for (int64_t o = 0; o < n; o++) {
        scales[o] = (double)gamma[o] / sqrt((double)variance[o] + eps);
        bias[o] = (float)(((double)bias[o] - (double)mean[o]) * scales[o] + (double)beta[o]);
    }
    kd_garg *args = kd_arena_array(arena, kd_garg, convolution->n_args);
    memcpy(args, convolution->args, convolution->n_args * sizeof *args);
    kd_tensor_type row = {.type = KD_F32, .n_dims = 1, .shape = {n}, .strides = {1}};
    args[1] = kd_garg_value(kd_graph_add_constant(graph, kd_arena_printf(arena, "%s.folded", weight->name), t,
                                                  scale_weights(arena, weight, n, n_each, scales)));
    args[2] = kd_garg_value(kd_graph_add_constant(graph, kd_arena_printf(arena, "%s.folded_bias", weight->name), &row, bias));
    convolution->args = args;
    return true;
}

kd_gvalue *kd_fold_conversion(kd_graph *graph, const kd_gvalue *constant, const kd_gvalue *result)
{
    kd_scalar from = constant->type.type, to = result->type.type;
    if (!constant->data || !is_foldable(from) || !is_foldable(to) || !kd_tensor_is_dense(&constant->type) ||
        !kd_tensor_same_shape(&constant->type, &result->type))
        return NULL;
    int64_t n = kd_tensor_n_elems(&constant->type);
    void *data = kd_arena_alloc(graph->arena, (size_t)n * kd_scalar_bytes(to) + 1);
    for (int64_t i = 0; i < n; i++)
        write_number(data, to, i, (double)read_number(constant->data, from, i));
    kd_tensor_type type = constant->type;
    type.type = to;
    return kd_graph_add_constant(graph, result->name, &type, data);
}

kd_gvalue *kd_fold_order(kd_graph *graph, const kd_gvalue *constant, const kd_tensor_type *type)
{
    size_t size = kd_scalar_bytes(type->type);
    int64_t n = kd_tensor_n_elems(type), at[KD_TENSOR_MAX_DIMS] = {0};
    if (!constant->data || memcmp(constant->type.strides, type->strides, type->n_dims * sizeof *type->strides) == 0)
        return NULL;
    char *data = kd_arena_alloc(graph->arena, kd_tensor_n_bytes(type) + 1);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = 0, to = 0;
        for (unsigned d = 0; d < type->n_dims; d++) {
            from += at[d] * constant->type.strides[d];
            to += at[d] * type->strides[d];
        }
        memcpy(data + (size_t)to * size, (const char *)constant->data + (size_t)from * size, size);
        for (unsigned d = type->n_dims; d-- > 0 && ++at[d] == type->shape[d];)
            at[d] = 0;
    }
    return kd_graph_add_constant(graph, kd_arena_printf(graph->arena, "%s.ordered", constant->name), type, data);
}
