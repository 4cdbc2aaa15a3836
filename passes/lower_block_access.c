/* lower_block_access.c - make pointers and masks of block loads and stores, but for loads that select-rectangles has marked.
 *
 *     %v = kd.block_load %base, %n, %stride, %at {check = [1]} : tile<64xf32>
 * ==>
 *     %corner  = kd.addptr %base, (%at * %stride)                   the block's first element, a scalar
 *     %ptr     = kd.addptr (splat %corner), ([0, 64) * %stride)     and so on along each axis
 *     %index   = %at + [0, 64)
 *     %mask    = (%index >= 0) & (%index < %n)
 *     %v       = kd.load %ptr, %mask
 *
 * Offsets are computed in i64: tensors may have more than 2^31 elements. Only axes with a check get a mask; an axis of the tensor that the
 * block lacks has one index. Masks and offsets are worked out on tiles of one axis and broadcast then, so that a target can hoist and
 * vectorize them. */
#include "ir/builder.h"
#include "passes/pass.h"

#include <math.h>

typedef struct lowering {
    kd_builder b;
    kd_loc loc;
    kd_context *ctx;
    const kd_type *block; /* type of the value */
    kd_value *base;
    kd_value *const *shape, *const *strides, *const *offsets;
    unsigned rank;  /* of the tensor */
    unsigned first; /* the tensor's axis that is axis 0 of the block */
    kd_ints check;
} lowering;

static kd_value *add(lowering *l, kd_value *a, kd_value *b)
{
    return !a ? b : !b ? a : kd_result(kd_build_add(&l->b, (kd_add_args){.loc = l->loc, .a = a, .b = b}));
}

static kd_value *mul(lowering *l, kd_value *a, kd_value *b)
{
    return kd_result(kd_build_mul(&l->b, (kd_mul_args){.loc = l->loc, .a = a, .b = b}));
}

static kd_value *both(lowering *l, kd_value *a, kd_value *b)
{
    return !a ? b : !b ? a : kd_result(kd_build_and(&l->b, (kd_and_args){.loc = l->loc, .a = a, .b = b}));
}

static kd_value *compare(lowering *l, kd_value *a, kd_pred pred, kd_value *b)
{
    return kd_result(kd_build_cmp(&l->b, (kd_cmp_args){.loc = l->loc, .a = a, .b = b, .pred = pred}));
}

static kd_value *to_i64(lowering *l, kd_value *value)
{
    const kd_type *type = kd_type_with_scalar(l->ctx, value->type, KD_I64);
    return value->type == type ? value : kd_result(kd_build_cast(&l->b, (kd_cast_args){.loc = l->loc, .value = value, .type = type}));
}

/* The shape of the block with all axes but one cut to extent 1. */
static const kd_type *axis_type(lowering *l, const kd_type *elem, unsigned axis)
{
    int64_t shape[KD_MAX_RANK];
    for (unsigned i = 0; i < l->block->rank; i++)
        shape[i] = i == axis ? l->block->shape[i] : 1;
    return kd_type_tile(l->ctx, elem, l->block->rank, shape);
}

/* 0, 1, 2, ... along an axis of the block, as i64. */
static kd_value *axis_range(lowering *l, unsigned axis)
{
    const kd_type *line = kd_type_tile(l->ctx, kd_type_scalar(l->ctx, KD_I32), 1, &l->block->shape[axis]);
    kd_value *range = to_i64(l, kd_result(kd_build_arange(&l->b, (kd_arange_args){.loc = l->loc, .type = line})));
    const kd_type *type = axis_type(l, range->type->elem, axis);
    return range->type == type ? range : kd_result(kd_build_reshape(&l->b, (kd_reshape_args){.loc = l->loc, .tile = range, .type = type}));
}

/* A scalar, or a tile whose other axes have extent 1, in a shape. */
static kd_value *spread(lowering *l, kd_value *value, const kd_type *shape)
{
    const kd_type *type = kd_type_with_elem(l->ctx, shape, kd_type_elem(value->type));
    if (!kd_type_is_tile(value->type))
        return kd_build_splat_to(&l->b, l->loc, value, type);
    return value->type == type ? value : kd_result(kd_build_broadcast(&l->b, (kd_broadcast_args){.loc = l->loc, .tile = value, .type = type}));
}

/* The block's shape up to an axis, with extent 1 behind it. */
static const kd_type *shape_up_to(lowering *l, unsigned axis)
{
    int64_t shape[KD_MAX_RANK];
    for (unsigned i = 0; i < l->block->rank; i++)
        shape[i] = i <= axis ? l->block->shape[i] : 1;
    return kd_type_with_shape(l->ctx, l->block, l->block->rank, shape);
}

/* From the block's corner along one axis after the other: pointers to its rows come before those to its elements. */
static kd_value *build_pointers(lowering *l)
{
    kd_value *corner = NULL;
    for (unsigned i = 0; i < l->rank; i++)
        corner = add(l, corner, mul(l, to_i64(l, l->offsets[i]), l->strides[i]));
    kd_value *ptr = kd_result(kd_build_addptr(&l->b, (kd_addptr_args){.loc = l->loc, .ptr = l->base, .offset = corner}));
    for (unsigned axis = 0; axis < l->block->rank; axis++) {
        const kd_type *shape = shape_up_to(l, axis);
        kd_value *range = axis_range(l, axis);
        kd_value *stride = kd_build_splat_to(&l->b, l->loc, l->strides[l->first + axis], range->type);
        kd_value *offset = spread(l, mul(l, range, stride), shape);
        ptr = kd_result(kd_build_addptr(&l->b, (kd_addptr_args){.loc = l->loc, .ptr = spread(l, ptr, shape), .offset = offset}));
    }
    return ptr;
}

static kd_value *build_mask(lowering *l)
{
    kd_value *mask = NULL;
    for (unsigned i = 0; i < l->rank; i++) {
        if (i >= l->check.n || !l->check.data[i])
            continue;
        kd_value *index = to_i64(l, l->offsets[i]);
        if (i >= l->first) {
            kd_value *range = axis_range(l, i - l->first);
            index = add(l, kd_build_splat_to(&l->b, l->loc, index, range->type), range);
        }
        kd_value *limit = kd_build_splat_to(&l->b, l->loc, l->shape[i], index->type);
        kd_value *from_0 = compare(l, index, KD_PRED_GE, kd_build_int(&l->b, l->loc, index->type, 0));
        kd_value *inside = both(l, from_0, compare(l, index, KD_PRED_LT, limit));
        mask = both(l, mask, spread(l, inside, l->block));
    }
    return mask;
}

static lowering start(kd_pass_ctx *px, kd_op *op, const kd_type *block, unsigned first_coord, kd_ints check)
{
    lowering l = {.b = kd_builder_before(px->module, op), .loc = op->loc, .ctx = px->module->ctx, .block = block, .check = check};
    l.base = kd_op_operand(op, 0);
    unsigned n = op->n_operands - first_coord;
    kd_value **coords = kd_arena_array(px->scratch, kd_value *, n);
    for (unsigned i = 0; i < n; i++)
        coords[i] = kd_op_operand(op, first_coord + i);
    l.rank = n / 3;
    l.first = l.rank - block->rank;
    l.shape = coords;
    l.strides = coords + l.rank;
    l.offsets = coords + 2 * l.rank;
    return l;
}

static void lower_load(kd_pass_ctx *px, kd_op *op)
{
    const kd_type *type = op->results[0].type;
    lowering l = start(px, op, type, 1, kd_block_load_check(op));
    kd_value *ptr = build_pointers(&l), *mask = build_mask(&l), *other = NULL;
    if (mask && kd_block_load_padding(op) == KD_PADDING_NAN && kd_type_is_float_like(type))
        other = kd_build_float(&l.b, op->loc, type, NAN);
    kd_op *load = kd_build_load(&l.b, (kd_load_args){.loc = op->loc, .ptr = ptr, .mask = mask, .other = other, .type = type,
                                                     .cache = kd_block_load_cache(op), .evict = kd_block_load_evict(op)});
    load->results[0].name = op->results[0].name;
    kd_op_replace(op, load);
}

static void lower_store(kd_pass_ctx *px, kd_op *op)
{
    lowering l = start(px, op, kd_block_store_value(op)->type, 2, kd_block_store_check(op));
    kd_value *ptr = build_pointers(&l), *mask = build_mask(&l);
    kd_build_store(&l.b, (kd_store_args){.loc = op->loc, .ptr = ptr, .value = kd_block_store_value(op), .mask = mask,
                                         .cache = kd_block_store_cache(op), .evict = kd_block_store_evict(op)});
    kd_op_erase(op);
}

typedef struct visitor {
    kd_pass_ctx *px;
    bool changed;
} visitor;

static void visit(kd_op *op, void *user)
{
    visitor *v = user;
    if (op->code == KD_OP_block_load && !kd_block_load_is_rectangle(op) && !op->results[0].type->layout)
        lower_load(v->px, op);
    else if (op->code == KD_OP_block_store && !kd_block_store_value(op)->type->layout)
        lower_store(v->px, op);
    else
        return;
    v->changed = true;
}

kd_pass_result kd_pass_lower_block_access(kd_pass_ctx *px, kd_op *func)
{
    visitor v = {.px = px};
    kd_op_walk(func, visit, &v);
    return v.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
