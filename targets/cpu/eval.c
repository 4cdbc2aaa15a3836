/* eval.c - a tile's value at an index.
 *
 * Kept values are read from their buffers; the others are computed from their operands at the same index, or at the index that a shape op
 * maps it to. Loads look at what their pointers are across the lanes: the same, consecutive, or anything. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

kd_lanes kd_nest_read(kd_nest *n, kd_value *buffer, const kd_type *tile, const kd_lanes *idx)
{
    kd_lanes flat = kd_index_flat(n, tile, idx);
    const kd_type *elem = kd_type_elem(tile), *type = elem;
    kd_value *at = flat.v;
    if (at->type->kind == KD_TYPE_TILE || flat.step) {
        type = kd_nest_vector_type(n, elem);
        if (flat.step != 1)
            at = kd_lanes_vector(n, kd_nest_cast(n, flat, n->l->i32));
    }
    return (kd_lanes){kd_nest_put(n, flat.depth, KD_OP_cpu_read, type, (kd_value *[]){buffer, at}, 2, NULL), 0, flat.depth};
}

void kd_nest_write(kd_nest *n, kd_value *buffer, const kd_type *tile, const kd_lanes *idx, kd_lanes value)
{
    kd_lanes flat = kd_index_flat(n, tile, idx);
    kd_value *at = flat.v, *v = value.v;
    if (at->type->kind == KD_TYPE_TILE || flat.step) {
        v = kd_lanes_vector(n, value);
        if (flat.step != 1)
            at = kd_lanes_vector(n, kd_nest_cast(n, flat, n->l->i32));
    }
    kd_nest_put_op(n, n->depth, KD_OP_cpu_write, (kd_value *[]){buffer, at, v}, 3, NULL);
}

static kd_lanes eval_arange(kd_nest *n, const kd_op *op, const kd_lanes *idx)
{
    kd_lanes i = kd_nest_cast(n, idx[0], n->l->i32);
    return kd_arange_start(op) ? kd_nest_binary(n, KD_OP_add, i, kd_nest_const(n, n->l->i32, kd_arange_start(op))) : i;
}

static kd_lanes eval_broadcast(kd_nest *n, const kd_op *op, const kd_lanes *idx)
{
    kd_value *from = kd_broadcast_tile(op);
    kd_lanes inner[KD_MAX_RANK];
    for (unsigned axis = 0; axis < from->type->rank; axis++)
        inner[axis] = from->type->shape[axis] == 1 ? kd_nest_const(n, n->l->i64, 0) : idx[axis];
    return kd_nest_eval(n, from, inner);
}

static kd_lanes eval_permute(kd_nest *n, const kd_op *op, const kd_lanes *idx)
{
    kd_ints order = kd_permute_order(op);
    kd_lanes inner[KD_MAX_RANK];
    for (unsigned i = 0; i < order.n; i++)
        inner[order.data[i]] = idx[i];
    return kd_nest_eval(n, kd_permute_tile(op), inner);
}

static kd_lanes eval_join(kd_nest *n, const kd_op *op, const kd_lanes *idx)
{
    kd_lanes which = idx[kd_op_result(op, 0)->type->rank - 1];
    int64_t constant;
    if (!which.step && kd_value_constant_int(which.v, &constant))
        return kd_nest_eval(n, constant ? kd_join_b(op) : kd_join_a(op), idx);
    kd_lanes a = kd_nest_eval(n, kd_join_a(op), idx), b = kd_nest_eval(n, kd_join_b(op), idx);
    kd_attr eq[KD_MAX_ATTR_INFOS] = {{.as_kd_pred = KD_PRED_EQ}};
    kd_lanes first = kd_nest_apply(n, KD_OP_cmp, n->l->i1, eq, (kd_lanes[]){which, kd_nest_const(n, n->l->i64, 0)}, 2);
    return kd_nest_apply(n, KD_OP_select, kd_type_elem(a.v->type), eq, (kd_lanes[]){first, a, b}, 3);
}

static kd_lanes eval_split(kd_nest *n, const kd_value *half, const kd_lanes *idx)
{
    const kd_op *op = half->def;
    kd_lanes inner[KD_MAX_RANK];
    unsigned rank = kd_split_joined(op)->type->rank;
    for (unsigned axis = 0; axis + 1 < rank; axis++)
        inner[axis] = idx[axis];
    inner[rank - 1] = kd_nest_const(n, n->l->i64, half->index);
    return kd_nest_eval(n, kd_split_joined(op), inner);
}

/* The source lives in a buffer; an index outside the axis wraps around. */
static kd_lanes eval_gather(kd_nest *n, const kd_op *op, const kd_lanes *idx)
{
    const kd_type *src = kd_gather_src(op)->type;
    unsigned axis = (unsigned)kd_gather_axis(op);
    kd_lanes inner[KD_MAX_RANK];
    for (unsigned i = 0; i < src->rank; i++)
        inner[i] = idx[i];
    kd_lanes picked = kd_nest_cast(n, kd_nest_eval(n, kd_gather_index(op), idx), n->l->i64);
    inner[axis] = kd_nest_binary(n, KD_OP_and, picked, kd_nest_const(n, n->l->i64, src->shape[axis] - 1));
    return kd_nest_eval(n, kd_gather_src(op), inner);
}

static kd_lanes eval_load(kd_nest *n, const kd_op *op, const kd_lanes *idx)
{
    const kd_type *elem = kd_type_elem(kd_op_result(op, 0)->type);
    kd_lanes ptr = kd_nest_eval(n, kd_load_ptr(op), idx), mask = {0}, other = {0};
    kd_value *operands[3] = {0};
    unsigned depth = ptr.depth;
    if (kd_load_mask(op)) {
        mask = kd_nest_eval(n, kd_load_mask(op), idx);
        depth = mask.depth > depth ? mask.depth : depth;
    }
    if (kd_load_other(op) && mask.v) {
        other = kd_nest_eval(n, kd_load_other(op), idx);
        depth = other.depth > depth ? other.depth : depth;
    }
    bool vector_mask = mask.v && mask.v->type->kind == KD_TYPE_TILE, scalar_ptr = ptr.v->type->kind != KD_TYPE_TILE;
    bool vector_other = other.v && (other.v->type->kind == KD_TYPE_TILE || other.step);
    if (n->width == 1 || (scalar_ptr && !ptr.step && !vector_mask && !vector_other)) { /* one element for all lanes */
        operands[0] = ptr.v, operands[1] = mask.v, operands[2] = other.v;
        return (kd_lanes){kd_nest_put(n, depth, KD_OP_load, elem, operands, 3, op->attrs), 0, depth};
    }
    bool consecutive = scalar_ptr && ptr.step == 1;
    operands[0] = consecutive ? ptr.v : kd_lanes_vector(n, ptr);
    operands[1] = mask.v ? kd_lanes_vector(n, mask) : NULL;
    operands[2] = other.v ? kd_lanes_vector(n, other) : NULL;
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_flag = kd_load_is_volatile(op)}};
    kd_value *v = kd_nest_put(n, depth, consecutive ? KD_OP_cpu_load : KD_OP_load, kd_nest_vector_type(n, elem), operands, 3,
                              consecutive ? attrs : op->attrs);
    return (kd_lanes){v, 0, depth};
}

static kd_lanes eval_map(kd_nest *n, const kd_value *value, const kd_lanes *idx)
{
    const kd_op *op = value->def;
    kd_lanes *args = kd_arena_array(n->l->arena, kd_lanes, op->n_operands + op->n_results);
    for (unsigned i = 0; i < op->n_operands; i++)
        args[i] = kd_nest_eval(n, kd_op_operand(op, i), idx);
    kd_nest_apply_region(n, kd_op_region(op, 0), args, args + op->n_operands);
    return args[op->n_operands + value->index];
}

static kd_lanes eval_elementwise(kd_nest *n, const kd_op *op, const kd_lanes *idx)
{
    kd_lanes operands[4];
    KD_ASSERT(op->n_operands <= 4 && kd_op_has(op, KD_PURE | KD_ELEMENTWISE));
    for (unsigned i = 0; i < op->n_operands; i++)
        operands[i] = kd_nest_eval(n, kd_op_operand(op, i), idx);
    return kd_nest_apply(n, op->code, kd_type_elem(kd_op_result(op, 0)->type), op->attrs, operands, op->n_operands);
}

static kd_lanes compute(kd_nest *n, const kd_value *value, const kd_lanes *idx)
{
    const kd_op *op = value->def;
    switch (op->code) {
    case KD_OP_constant:
    case KD_OP_poison: {
        const kd_type *elem = kd_type_elem(value->type);
        return kd_lanes_uniform(kd_nest_put(n, 0, op->code, elem, NULL, 0, op->attrs), 0);
    }
    case KD_OP_splat:
        return kd_lanes_uniform(kd_lower_scalar(n->l, kd_splat_scalar(op)), 0);
    case KD_OP_arange:
        return eval_arange(n, op, idx);
    case KD_OP_broadcast:
        return eval_broadcast(n, op, idx);
    case KD_OP_permute:
        return eval_permute(n, op, idx);
    case KD_OP_reshape: {
        kd_lanes inner[KD_MAX_RANK];
        kd_index_reshape(n, value->type, idx, kd_reshape_tile(op)->type, inner);
        return kd_nest_eval(n, kd_reshape_tile(op), inner);
    }
    case KD_OP_join:
        return eval_join(n, op, idx);
    case KD_OP_split:
        return eval_split(n, value, idx);
    case KD_OP_hint:
        return kd_nest_eval(n, kd_hint_value(op), idx);
    case KD_OP_gather:
        return eval_gather(n, op, idx);
    case KD_OP_load:
        return eval_load(n, op, idx);
    case KD_OP_map:
        return eval_map(n, value, idx);
    default:
        return eval_elementwise(n, op, idx);
    }
}

kd_lanes kd_nest_eval(kd_nest *n, kd_value *value, const kd_lanes *idx)
{
    if (value->type->kind != KD_TYPE_TILE && kd_lower_scalar(n->l, value))
        return kd_lanes_uniform(kd_lower_scalar(n->l, value), 0);
    unsigned rank = value->type->rank;
    struct {
        const kd_value *value;
        uint64_t width;
        struct {
            kd_value *v;
            int64_t step;
        } idx[KD_MAX_RANK];
    } key;
    key.value = value;
    key.width = n->width;
    for (unsigned i = 0; i < rank; i++) {
        key.idx[i].v = idx[i].v;
        key.idx[i].step = idx[i].step;
    }
    kd_str text = {(const char *)&key, sizeof key.value + sizeof key.width + rank * sizeof key.idx[0]};
    kd_lanes out;
    if (kd_nest_recall(n, text, &out))
        return out;
    kd_tile *tile = value->type->kind == KD_TYPE_TILE ? kd_lower_tile(n->l, value) : NULL;
    kd_loc loc = n->loc;
    if (tile && tile->buffer && !tile->pending) {
        out = kd_nest_read(n, tile->buffer, value->type, idx);
    } else {
        KD_ASSERT(value->def);
        n->loc = value->def->loc;
        out = compute(n, value, idx);
        n->loc = loc;
    }
    kd_nest_learn(n, text, out);
    return out;
}
