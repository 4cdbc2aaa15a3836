/* simplify_shape.c - rules for ops that only arrange elements, and for ops across an axis of one element. */
#include "passes/canonicalize_impl.h"

static kd_value *build_splat(kd_simplifier *s, kd_op *op, kd_value *scalar)
{
    kd_builder b = kd_simplify_builder(s, op);
    return kd_simplify_new(s, kd_build_splat(&b, (kd_splat_args){.loc = op->loc, .scalar = scalar, .type = op->results[0].type}));
}

static kd_value *build_reshape(kd_simplifier *s, kd_op *op, kd_value *tile, const kd_type *type)
{
    kd_builder b = kd_simplify_builder(s, op);
    return kd_simplify_new(s, kd_build_reshape(&b, (kd_reshape_args){.loc = op->loc, .tile = tile, .type = type}));
}

/* splat, broadcast, reshape, permute and gpu.convert_layout of a constant or of a splat */
static bool simplify_uniform(kd_simplifier *s, kd_op *op)
{
    kd_value *value = kd_op_operand(op, 0);
    kd_number number;
    if (kd_value_constant(value, &number))
        return kd_simplify_replace_number(s, op, number);
    const kd_op *splat = kd_value_def_as(value, KD_OP_splat);
    if (!splat)
        return false;
    return kd_simplify_replace(s, op, kd_type_is_tile(op->results[0].type) ? build_splat(s, op, kd_splat_scalar(splat)) : kd_splat_scalar(splat));
}

static bool simplify_broadcast(kd_simplifier *s, kd_op *op)
{
    kd_value *tile = kd_broadcast_tile(op);
    if (tile->type == op->results[0].type)
        return kd_simplify_replace(s, op, tile);
    const kd_op *inner = kd_value_def_as(tile, KD_OP_broadcast);
    return inner && kd_simplify_set_operand(s, op, 0, kd_broadcast_tile(inner));
}

static bool simplify_reshape(kd_simplifier *s, kd_op *op)
{
    kd_value *tile = kd_reshape_tile(op);
    if (tile->type == op->results[0].type)
        return kd_simplify_replace(s, op, tile);
    if (!kd_type_is_tile(tile->type)) /* one element */
        return kd_simplify_replace(s, op, build_splat(s, op, tile));
    const kd_op *inner = kd_value_def_as(tile, KD_OP_reshape);
    return inner && kd_simplify_set_operand(s, op, 0, kd_reshape_tile(inner));
}

static bool simplify_permute(kd_simplifier *s, kd_op *op)
{
    kd_value *tile = kd_permute_tile(op);
    kd_ints order = kd_permute_order(op);
    int64_t last = -1;
    bool keeps_order = true; /* of the axes that have more than one element */
    for (unsigned i = 0; i < order.n; i++)
        if (tile->type->shape[order.data[i]] > 1) {
            keeps_order &= order.data[i] > last;
            last = order.data[i];
        }
    if (keeps_order)
        return kd_simplify_replace(s, op, tile->type == op->results[0].type ? tile : build_reshape(s, op, tile, op->results[0].type));
    const kd_op *inner = kd_value_def_as(tile, KD_OP_permute);
    if (!inner)
        return false;
    int64_t *both = kd_arena_array(s->px->scratch, int64_t, order.n);
    for (unsigned i = 0; i < order.n; i++)
        both[i] = kd_permute_order(inner).data[order.data[i]];
    kd_builder b = kd_simplify_builder(s, op);
    return kd_simplify_replace(s, op, kd_simplify_new(s, kd_build_permute(&b, (kd_permute_args){.loc = op->loc, .tile = kd_permute_tile(inner),
                                                                                                 .order = {both, order.n},
                                                                                                 .type = op->results[0].type})));
}

static bool simplify_convert_layout(kd_simplifier *s, kd_op *op)
{
    kd_value *src = kd_gpu_convert_layout_src(op);
    if (src->type == op->results[0].type)
        return kd_simplify_replace(s, op, src);
    const kd_op *inner = kd_value_def_as(src, KD_OP_gpu_convert_layout);
    return inner && kd_simplify_set_operand(s, op, 0, kd_gpu_convert_layout_src(inner));
}

static bool simplify_split(kd_simplifier *s, kd_op *op)
{
    kd_op *join = kd_value_def_as(kd_split_joined(op), KD_OP_join);
    if (join)
        return kd_simplify_replace_values(s, op, (kd_value *[]){kd_join_a(join), kd_join_b(join)});
    kd_number number;
    kd_op *splat = kd_value_def_as(kd_split_joined(op), KD_OP_splat);
    kd_builder b = kd_simplify_builder(s, op);
    kd_value *half = NULL;
    if (kd_value_constant(kd_split_joined(op), &number))
        half = kd_result(kd_build_constant(&b, (kd_constant_args){.loc = op->loc, .type = op->results[0].type, .value = number}));
    else if (splat)
        half = kd_build_splat_to(&b, op->loc, kd_splat_scalar(splat), op->results[0].type);
    return half && kd_simplify_replace_values(s, op, (kd_value *[]){half, half});
}

static bool simplify_join(kd_simplifier *s, kd_op *op)
{
    kd_number number;
    kd_op *splat = kd_value_def_as(kd_join_a(op), KD_OP_splat);
    if (kd_join_a(op) != kd_join_b(op))
        return false;
    if (kd_value_constant(kd_join_a(op), &number))
        return kd_simplify_replace_number(s, op, number);
    if (splat || !kd_type_is_tile(kd_join_a(op)->type))
        return kd_simplify_replace(s, op, build_splat(s, op, splat ? kd_splat_scalar(splat) : kd_join_a(op)));
    return false;
}

/* Folding an axis of one element calls no function. The registers that a layout has for copies go away in a reduction, not in a reshape. */
static bool simplify_short_axis(kd_simplifier *s, kd_op *op)
{
    int64_t axis = op->code == KD_OP_reduce ? kd_reduce_axis(op) : kd_scan_axis(op);
    const kd_type *type = kd_op_operand(op, 0)->type, *result = op->results[0].type;
    if (type->shape[axis] != 1 || (kd_type_is_tile(result) && result->layout != type->layout))
        return false;
    kd_value **values = kd_arena_array(s->px->scratch, kd_value *, op->n_results);
    for (unsigned i = 0; i < op->n_results; i++)
        values[i] = op->code == KD_OP_scan ? kd_op_operand(op, i) : build_reshape(s, op, kd_op_operand(op, i), op->results[i].type);
    return kd_simplify_replace_values(s, op, values);
}

static bool simplify_arange(kd_simplifier *s, kd_op *op)
{
    return op->results[0].type->n_elems == 1 && kd_simplify_replace_int(s, op, kd_arange_start(op));
}

static bool simplify_sort(kd_simplifier *s, kd_op *op)
{
    const kd_type *type = kd_sort_tile(op)->type;
    return type->shape[type->rank - 1] == 1 && kd_simplify_replace(s, op, kd_sort_tile(op));
}

static bool simplify_hint(kd_simplifier *s, kd_op *op)
{
    kd_number number;
    bool says_something = false;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 0; k < op->attrs[i].as_kd_ints.n; k++)
            says_something |= op->attrs[i].as_kd_ints.data[k] > 1;
    return (!says_something || kd_value_constant(kd_hint_value(op), &number)) && kd_simplify_replace(s, op, kd_hint_value(op));
}

bool kd_simplify_shape(kd_simplifier *s, kd_op *op)
{
    switch (op->code) {
    case KD_OP_splat:
        return simplify_uniform(s, op);
    case KD_OP_broadcast:
        return simplify_uniform(s, op) || simplify_broadcast(s, op);
    case KD_OP_reshape:
        return simplify_uniform(s, op) || simplify_reshape(s, op);
    case KD_OP_permute:
        return simplify_uniform(s, op) || simplify_permute(s, op);
    case KD_OP_gpu_convert_layout:
        return simplify_uniform(s, op) || simplify_convert_layout(s, op);
    case KD_OP_join:
        return simplify_join(s, op);
    case KD_OP_split:
        return simplify_split(s, op);
    case KD_OP_arange:
        return simplify_arange(s, op);
    case KD_OP_reduce:
    case KD_OP_scan:
        return simplify_short_axis(s, op);
    case KD_OP_sort:
        return simplify_sort(s, op);
    case KD_OP_hint:
        return simplify_hint(s, op);
    default:
        return false;
    }
}
