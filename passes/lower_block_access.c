/* lower_block_access.c - make pointers and masks of block loads and stores, but for those that select-rectangles has marked.
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
 * vectorize them.
 *
 * On GPUs, where each lane compares for itself, [0, 64) is compared with the room that is left, which is no tile:
 *
 *     %room    = min(max(%n - %at, 0), 64)
 *     %mask    = [0, 64) < %room                                    and >= of what lies before 0, where %at may be negative */
#include "ir/builder.h"
#include "passes/axis_info.h"
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
    const kd_axis_info *info; /* NULL: for the CPU */
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

/* 0, 1, 2, ... along an axis of the block, as i32. */
static kd_value *axis_range(lowering *l, unsigned axis)
{
    const kd_type *line = kd_type_tile(l->ctx, kd_type_scalar(l->ctx, KD_I32), 1, &l->block->shape[axis]);
    return kd_result(kd_build_arange(&l->b, (kd_arange_args){.loc = l->loc, .type = line}));
}

/* A line as a tile of the block's rank. */
static kd_value *along_axis(lowering *l, kd_value *line, unsigned axis)
{
    const kd_type *type = axis_type(l, line->type->elem, axis);
    return line->type == type ? line : kd_result(kd_build_reshape(&l->b, (kd_reshape_args){.loc = l->loc, .tile = line, .type = type}));
}

static kd_value *wide_range(lowering *l, unsigned axis)
{
    return along_axis(l, to_i64(l, axis_range(l, axis)), axis);
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
        kd_value *range = wide_range(l, axis);
        kd_value *stride = kd_build_splat_to(&l->b, l->loc, l->strides[l->first + axis], range->type);
        kd_value *offset = spread(l, mul(l, range, stride), shape);
        ptr = kd_result(kd_build_addptr(&l->b, (kd_addptr_args){.loc = l->loc, .ptr = spread(l, ptr, shape), .offset = offset}));
    }
    return ptr;
}

/* min(max(n, 0), most) as i32. */
static kd_value *room(lowering *l, kd_value *n, int64_t most)
{
    const kd_type *i32 = kd_type_scalar(l->ctx, KD_I32);
    kd_value *low = kd_build_int(&l->b, l->loc, n->type, 0), *high = kd_build_int(&l->b, l->loc, n->type, most);
    n = kd_result(kd_build_max(&l->b, (kd_max_args){.loc = l->loc, .a = n, .b = low}));
    n = kd_result(kd_build_min(&l->b, (kd_min_args){.loc = l->loc, .a = n, .b = high}));
    return kd_result(kd_build_cast(&l->b, (kd_cast_args){.loc = l->loc, .value = n, .type = i32}));
}

static kd_value *subtract(lowering *l, kd_value *a, kd_value *b)
{
    return kd_result(kd_build_sub(&l->b, (kd_sub_args){.loc = l->loc, .a = a, .b = b}));
}

/* Which indices of an axis of the block lie in the tensor, by the room that is left in it. */
static kd_value *inside_by_room(lowering *l, unsigned i)
{
    unsigned axis = i - l->first;
    kd_value *range = along_axis(l, axis_range(l, axis), axis), *at = to_i64(l, l->offsets[i]);
    kd_value *behind = room(l, subtract(l, l->shape[i], at), l->block->shape[axis]);
    kd_value *inside = compare(l, range, KD_PRED_LT, kd_build_splat_to(&l->b, l->loc, behind, range->type));
    if (kd_axis_info_is_non_negative(l->info, l->offsets[i]))
        return inside;
    kd_value *before = room(l, subtract(l, kd_build_int(&l->b, l->loc, at->type, 0), at), l->block->shape[axis]);
    return both(l, inside, compare(l, range, KD_PRED_GE, kd_build_splat_to(&l->b, l->loc, before, range->type)));
}

static kd_value *inside_by_index(lowering *l, unsigned i)
{
    kd_value *index = to_i64(l, l->offsets[i]);
    if (i >= l->first) {
        kd_value *range = wide_range(l, i - l->first);
        index = add(l, kd_build_splat_to(&l->b, l->loc, index, range->type), range);
    }
    kd_value *limit = kd_build_splat_to(&l->b, l->loc, l->shape[i], index->type);
    kd_value *from_0 = compare(l, index, KD_PRED_GE, kd_build_int(&l->b, l->loc, index->type, 0));
    return both(l, from_0, compare(l, index, KD_PRED_LT, limit));
}

static kd_value *build_mask(lowering *l)
{
    kd_value *mask = NULL;
    for (unsigned i = 0; i < l->rank; i++) {
        if (i >= l->check.n || !l->check.data[i])
            continue;
        kd_value *inside = l->info && i >= l->first ? inside_by_room(l, i) : inside_by_index(l, i);
        mask = both(l, mask, spread(l, inside, l->block));
    }
    return mask;
}

typedef struct visitor {
    kd_pass_ctx *px;
    const kd_axis_info *info; /* NULL: for the CPU */
    bool changed;
} visitor;

static lowering start(const visitor *v, kd_op *op, const kd_type *block, unsigned first_coord, kd_ints check)
{
    kd_pass_ctx *px = v->px;
    lowering l = {
        .b = kd_builder_before(px->module, op), .loc = op->loc, .ctx = px->module->ctx, .block = block, .check = check, .info = v->info};
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

static void lower_load(const visitor *v, kd_op *op)
{
    const kd_type *type = op->results[0].type;
    lowering l = start(v, op, type, 1, kd_block_load_check(op));
    kd_value *ptr = build_pointers(&l), *mask = build_mask(&l), *other = NULL;
    if (mask && kd_block_load_padding(op) == KD_PADDING_NAN && kd_type_is_float_like(type))
        other = kd_build_float(&l.b, op->loc, type, NAN);
    kd_op *load = kd_build_load(&l.b, (kd_load_args){.loc = op->loc, .ptr = ptr, .mask = mask, .other = other, .type = type,
                                                     .cache = kd_block_load_cache(op), .evict = kd_block_load_evict(op)});
    load->results[0].name = op->results[0].name;
    kd_op_replace(op, load);
}

static void lower_store(const visitor *v, kd_op *op)
{
    lowering l = start(v, op, kd_block_store_value(op)->type, 2, kd_block_store_check(op));
    kd_value *ptr = build_pointers(&l), *mask = build_mask(&l);
    kd_build_store(&l.b, (kd_store_args){.loc = op->loc, .ptr = ptr, .value = kd_block_store_value(op), .mask = mask,
                                         .cache = kd_block_store_cache(op), .evict = kd_block_store_evict(op)});
    kd_op_erase(op);
}

static void visit(kd_op *op, void *user)
{
    visitor *v = user;
    if (op->code == KD_OP_block_load && !kd_block_load_is_rectangle(op) && !op->results[0].type->layout)
        lower_load(v, op);
    else if (op->code == KD_OP_block_store && !kd_block_store_is_rectangle(op) && !kd_block_store_value(op)->type->layout)
        lower_store(v, op);
    else
        return;
    v->changed = true;
}

kd_pass_result kd_pass_lower_block_access(kd_pass_ctx *px, kd_op *func)
{
    visitor v = {.px = px, .info = px->gpu ? kd_axis_info_compute(px->scratch, func) : NULL};
    kd_op_walk(func, visit, &v);
    return v.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
