/* simplify_memory.c - rules for accesses whose mask is known, and for promises that hold. */
#include "passes/canonicalize_impl.h"

/* 1: holds everywhere; 0: nowhere; -1: unknown, or there is no mask */
static int known_mask(const kd_value *mask)
{
    int64_t value;
    return mask && kd_value_constant_int(mask, &value) ? value != 0 : -1;
}

static bool simplify_load(kd_simplifier *s, kd_op *op)
{
    kd_value *other = kd_load_other(op);
    int mask = known_mask(kd_load_mask(op));
    if (mask == 1) {
        kd_simplify_set_operand(s, op, 1, NULL);
        return kd_simplify_set_operand(s, op, 2, NULL);
    }
    if (mask == 0 && !kd_load_is_volatile(op)) {
        const kd_type *elem = kd_type_elem(op->results[0].type);
        bool is_float = elem->kind == KD_TYPE_SCALAR && kd_scalar_is_float(elem->scalar);
        return other ? kd_simplify_replace(s, op, other) : kd_simplify_replace_number(s, op, (kd_number){.is_float = is_float});
    }
    return other && kd_value_is_zero(other) && kd_simplify_set_operand(s, op, 2, NULL); /* which it is without one */
}

static bool simplify_store(kd_simplifier *s, kd_op *op)
{
    int mask = known_mask(kd_store_mask(op));
    return mask == 0 ? kd_simplify_erase(s, op) : mask == 1 && kd_simplify_set_operand(s, op, 2, NULL);
}

static bool simplify_atomic(kd_simplifier *s, kd_op *op)
{
    int mask = known_mask(kd_atomic_mask(op));
    if (mask == 0 && !kd_value_has_uses(kd_op_result(op, 0)))
        return kd_simplify_erase(s, op);
    return mask == 1 && kd_simplify_set_operand(s, op, 2, NULL);
}

static bool simplify_assert(kd_simplifier *s, kd_op *op)
{
    if (known_mask(kd_assert_condition(op)) == 1 || known_mask(kd_assert_mask(op)) == 0)
        return kd_simplify_erase(s, op);
    return known_mask(kd_assert_mask(op)) == 1 && kd_simplify_set_operand(s, op, 1, NULL);
}

bool kd_simplify_memory(kd_simplifier *s, kd_op *op)
{
    switch (op->code) {
    case KD_OP_load:
        return simplify_load(s, op);
    case KD_OP_store:
        return simplify_store(s, op);
    case KD_OP_atomic:
        return simplify_atomic(s, op);
    case KD_OP_assume:
        return known_mask(kd_assume_condition(op)) == 1 && kd_simplify_erase(s, op);
    case KD_OP_assert:
        return simplify_assert(s, op);
    default:
        return false;
    }
}
