/* fold.c - what is constant is computed once, when a graph is compiled.
 *
 *     %c = convolution(%x, w, b)
 *     %y = batch_norm(%c, gamma, beta, mean, variance, eps)      ==>      %y = convolution(%x, w * s, (b - mean) * s + beta)
 *
 * with s = gamma / sqrt(variance + eps) for each output channel. Rounds differently than the two steps do. */
#include "graph/plan.h"

#include <math.h>

/* The elements of a constant row of n f32 numbers; otherwise where there is no such tensor. False: it is something else. */
static bool row_of(const kd_gvalue *value, int64_t n, float otherwise, kd_arena *arena, const float **out)
{
    if (value) {
        *out = value->data;
        return value->data && value->type.type == KD_F32 && value->type.n_dims == 1 && value->type.shape[0] == n &&
               kd_tensor_is_contiguous(&value->type);
    }
    float *row = kd_arena_array(arena, float, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        row[i] = otherwise;
    *out = row;
    return true;
}

static kd_gvalue *add_constant(kd_graph *graph, const char *name, const kd_tensor_type *type, const void *data)
{
    kd_gvalue *value = kd_graph_add_value(graph, name, type);
    value->data = data;
    kd_vec_push(graph->arena, &graph->inputs, value);
    return value;
}

bool kd_fold_batch_norm(kd_graph *graph, kd_gnode *convolution, const kd_gvalue *const params[4], double eps)
{
    const kd_gvalue *weight = kd_gnode_tensor(convolution, 1);
    kd_arena *arena = graph->arena;
    int64_t n = weight->type.shape[0];
    const float *gamma, *beta, *mean, *variance, *bias;
    if (convolution->n_posts || !weight->data || weight->type.type != KD_F32 || !kd_tensor_is_contiguous(&weight->type) ||
        !row_of(params[0], n, 1, arena, &gamma) || !row_of(params[1], n, 0, arena, &beta) ||
        !row_of(params[2], n, 0, arena, &mean) || !row_of(params[3], n, 1, arena, &variance) ||
        !row_of(kd_gnode_tensor(convolution, 2), n, 0, arena, &bias))
        return false;
    int64_t n_each = n ? kd_tensor_n_elems(&weight->type) / n : 0;
    float *weights = kd_arena_array(arena, float, (size_t)(n * n_each) + 1), *biases = kd_arena_array(arena, float, (size_t)n + 1);
    for (int64_t o = 0; o < n; o++) {
        double scale = (double)gamma[o] / sqrt((double)variance[o] + eps);
        for (int64_t i = 0; i < n_each; i++)
            weights[o * n_each + i] = (float)((double)((const float *)weight->data)[o * n_each + i] * scale);
        biases[o] = (float)(((double)bias[o] - (double)mean[o]) * scale + (double)beta[o]);
    }
    kd_garg *args = kd_arena_array(arena, kd_garg, convolution->n_args);
    memcpy(args, convolution->args, convolution->n_args * sizeof *args);
    kd_tensor_type row = {.type = KD_F32, .n_dims = 1, .shape = {n}, .strides = {1}};
    args[1] = kd_garg_value(add_constant(graph, kd_arena_printf(arena, "%s.folded", weight->name), &weight->type, weights));
    args[2] = kd_garg_value(add_constant(graph, kd_arena_printf(arena, "%s.folded_bias", weight->name), &row, biases));
    convolution->args = args;
    return true;
}
