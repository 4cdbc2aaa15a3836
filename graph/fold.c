/* fold.c - what is computed of constants alone, when a graph is compiled.
 *
 *     %c = convolution(%x, w, b)
 *     %y = batch_norm(%c, gamma, beta, mean, variance, eps)      ==>      %y = convolution(%x, w * s, (b - mean) * s + beta)
 *
 * with s = gamma / sqrt(variance + eps) for each output channel, and weights in another type, as autocast asks for them. Rounds differently
 * than the two steps do. Here the constants get recipes; constant.c follows them when the elements are needed. */
#include "graph/constant.h"
#include "graph/plan.h"

#include "base/scalar.h"

/* A constant row of n numbers, or no tensor at all. */
static bool is_row(const kd_gvalue *value, int64_t n)
{
    return !value || (kd_constant_can_read(value) && value->type.n_dims == 1 && value->type.shape[0] == n &&
                      kd_tensor_is_contiguous(&value->type));
}

bool kd_fold_batch_norm(kd_graph *graph, kd_gnode *convolution, const kd_gvalue *const params[KD_N_NORM_OPERANDS], double eps)
{
    const kd_gvalue *weight = kd_gnode_tensor(convolution, 1), *bias = kd_gnode_tensor(convolution, 2);
    const kd_tensor_type *t = &weight->type;
    kd_arena *arena = graph->arena;
    int64_t n = t->shape[0], n_each = n ? kd_tensor_n_elems(t) / n : 0;
    bool good = !convolution->n_posts && kd_constant_can_read(weight) && kd_tensor_is_dense(t) &&
                (n <= 1 || t->strides[0] == n_each) && is_row(bias, n);
    for (unsigned i = 0; i < KD_N_NORM_OPERANDS; i++)
        good = good && is_row(params[i], n);
    if (!good)
        return false;
    kd_recipe recipe = {.kind = KD_RECIPE_SCALE, .from = weight, .eps = eps};
    memcpy(recipe.norm, params, sizeof recipe.norm);
    kd_garg *args = kd_arena_array(arena, kd_garg, convolution->n_args);
    memcpy(args, convolution->args, convolution->n_args * sizeof *args);
    kd_tensor_type row = {.type = KD_F32, .n_dims = 1, .shape = {n}, .strides = {1}};
    args[1] = kd_garg_value(kd_graph_add_constant(graph, kd_arena_printf(arena, "%s.folded", weight->name), t, recipe));
    recipe.kind = KD_RECIPE_SHIFT;
    recipe.from = bias;
    args[2] = kd_garg_value(kd_graph_add_constant(graph, kd_arena_printf(arena, "%s.folded_bias", weight->name), &row, recipe));
    convolution->args = args;
    return true;
}

kd_gvalue *kd_fold_conversion(kd_graph *graph, const kd_gvalue *constant, const kd_gvalue *result)
{
    kd_tensor_type type = constant->type;
    type.type = result->type.type;
    kd_gvalue wanted = {.type = type, .data = ""};
    if (!kd_constant_can_read(constant) || !kd_constant_can_read(&wanted) || !kd_tensor_is_dense(&constant->type) ||
        !kd_tensor_same_shape(&constant->type, &result->type))
        return NULL;
    return kd_graph_add_constant(graph, result->name, &type, (kd_recipe){.kind = KD_RECIPE_CONVERT, .from = constant});
}

kd_gvalue *kd_fold_order(kd_graph *graph, const kd_gvalue *constant, const kd_tensor_type *type)
{
    if (!kd_constant_is(constant) || !kd_tensor_is_dense(&constant->type) ||
        memcmp(constant->type.strides, type->strides, type->n_dims * sizeof *type->strides) == 0)
        return NULL;
    kd_recipe recipe = {.kind = KD_RECIPE_ORDER, .from = constant};
    return kd_graph_add_constant(graph, kd_arena_printf(graph->arena, "%s.ordered", constant->name), type, recipe);
}
