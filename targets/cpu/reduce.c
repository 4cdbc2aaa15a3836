/* reduce.c - reductions whose region is one commuting op an operand: several vectors of partial results, joined in a fixed order.
 *
 * The order depends on the shape and the vector width alone, never on threads. Sums of f16 and bf16 are made in f32 and rounded once. */
#include "targets/cpu/lower.h"

#include "base/bug.h"
#include "targets/fold_op.h"

#include <math.h>

bool kd_reduce_is_simple(const kd_op *op)
{
    for (unsigned i = 0; i < op->n_operands; i++)
        if (!kd_fold_op_of(op, i))
            return false;
    return true;
}

static const kd_type *acc_type(kd_nest *n, const kd_op *op, unsigned operand)
{
    const kd_type *elem = kd_type_elem(kd_op_operand(op, operand)->type);
    return kd_scalar_is_float(elem->scalar) && kd_scalar_bits(elem->scalar) < 32 ? n->l->f32 : elem;
}

static kd_value *neutral(kd_nest *n, const kd_op *fold, const kd_type *elem)
{
    bool f = kd_scalar_is_float(elem->scalar), uns = kd_scalar_is_unsigned(elem->scalar);
    unsigned bits = kd_scalar_bits(elem->scalar);
    int64_t least = uns ? 0 : INT64_MIN >> (64 - bits), most = uns ? -1 : ~(INT64_MIN >> (64 - bits));
    switch (fold->code) {
    case KD_OP_add:
        return f ? kd_nest_float(n, elem, -0.0) : kd_nest_int(n, elem, 0);
    case KD_OP_mul:
        return kd_nest_int(n, elem, 1);
    case KD_OP_min:
        return f ? kd_nest_float(n, elem, kd_min_propagate_nan(fold) ? INFINITY : NAN) : kd_nest_int(n, elem, most);
    case KD_OP_max:
        return f ? kd_nest_float(n, elem, kd_max_propagate_nan(fold) ? -INFINITY : NAN) : kd_nest_int(n, elem, least);
    case KD_OP_and:
        return kd_nest_int(n, elem, -1);
    default:
        return kd_nest_int(n, elem, 0);
    }
}

kd_value *kd_reduce_init(kd_nest *n, const kd_op *op, unsigned operand)
{
    kd_value *scalar = neutral(n, kd_fold_op_of(op, operand), acc_type(n, op, operand));
    return kd_lanes_vector(n, kd_lanes_uniform(scalar, 0));
}

static kd_value *combine(kd_nest *n, const kd_op *fold, kd_value *a, kd_value *b)
{
    return kd_nest_put(n, n->depth, fold->code, a->type, (kd_value *[]){a, b}, 2, fold->attrs);
}

kd_value *kd_reduce_step(kd_nest *n, const kd_op *op, unsigned operand, kd_value *acc, const kd_lanes *idx)
{
    kd_lanes x = kd_nest_cast(n, kd_nest_eval(n, kd_op_operand(op, operand), idx), acc_type(n, op, operand));
    n->loc = op->loc;
    return combine(n, kd_fold_op_of(op, operand), acc, kd_lanes_vector(n, x));
}

/* Lower half with upper half, until one lane is left. */
static kd_value *across(kd_nest *n, const kd_op *fold, kd_value *v)
{
    const kd_type *elem = kd_type_elem(v->type);
    while (v->type->kind == KD_TYPE_TILE) {
        int64_t half = v->type->n_elems / 2;
        const kd_type *type = half == 1 ? elem : kd_type_tile(n->l->ctx, elem, 1, &half);
        kd_attr lower[KD_MAX_ATTR_INFOS] = {{.as_kd_flag = false}}, upper[KD_MAX_ATTR_INFOS] = {{.as_kd_flag = true}};
        kd_value *a = kd_nest_put(n, n->depth, KD_OP_cpu_half, type, &v, 1, lower);
        v = combine(n, fold, a, kd_nest_put(n, n->depth, KD_OP_cpu_half, type, &v, 1, upper));
    }
    return v;
}

static void deliver(kd_nest *n, const kd_op *op, unsigned operand, kd_value *acc, const kd_lanes *idx)
{
    kd_value *result = kd_op_result(op, operand);
    unsigned axis = (unsigned)kd_reduce_axis(op);
    kd_lanes value = kd_nest_cast(n, kd_lanes_uniform(acc, n->depth), kd_type_elem(result->type)), outer[KD_MAX_RANK];
    if (result->type->kind != KD_TYPE_TILE) {
        kd_lower_set_scalar(n->l, result, value.v);
        return;
    }
    for (unsigned i = 0; i < result->type->rank; i++)
        outer[i] = idx[i < axis ? i : i + 1];
    kd_nest_write(n, kd_lower_tile(n->l, result)->buffer, result->type, outer, value);
}

void kd_reduce_finish(kd_nest *n, const kd_op *op, unsigned operand, kd_value **accs, unsigned unroll, bool lanes_apart,
                      kd_lanes (*idx)[KD_MAX_RANK])
{
    const kd_op *fold = kd_fold_op_of(op, operand);
    n->loc = op->loc;
    if (lanes_apart) {
        for (unsigned u = 0; u < unroll; u++)
            deliver(n, op, operand, accs[u], idx[u]);
        return;
    }
    for (unsigned step = 1; step < unroll; step *= 2)
        for (unsigned u = 0; u + step < unroll; u += 2 * step)
            accs[u] = combine(n, fold, accs[u], accs[u + step]);
    deliver(n, op, operand, across(n, fold, accs[0]), idx[0]);
}
