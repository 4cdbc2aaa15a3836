/* alias.c - which memory accesses may meet.
 *
 * Pointers are followed back to the kernel's arguments. Under the disjointness that the launch promises (kd_kernel_desc.needs_disjoint)
 * accesses through different arguments never meet when one of them writes. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

enum { MAX_STEPS = 64 };

static const kd_value *follow(const kd_value *v, unsigned *steps);

/* The base that two values share; one that goes in circles agrees with any. */
static const kd_value *common(const kd_value *a, const kd_value *b, unsigned *steps)
{
    const kd_value *x = follow(a, steps), *y = follow(b, steps);
    return x == y ? x : NULL;
}

static const kd_value *follow_arg(const kd_value *v, unsigned *steps)
{
    const kd_op *op = v->owner->parent;
    if (op->code == KD_OP_func)
        return v;
    if (op->code == KD_OP_for && v->index > 0) /* what comes around again must stem from the same base */
        return follow(kd_for_inits(op, v->index - 1), steps);
    if (op->code == KD_OP_while && v->owner->index == 0)
        return follow(kd_while_inits(op, v->index), steps);
    if (op->code == KD_OP_while)
        return follow(kd_condition_values(kd_block_terminator(op->regions[0]), v->index), steps);
    return NULL;
}

static const kd_value *follow(const kd_value *v, unsigned *steps)
{
    for (; (*steps)++ < MAX_STEPS;) {
        if (v->owner)
            return follow_arg(v, steps);
        const kd_op *op = v->def;
        switch (op->code) {
        case KD_OP_addptr:
        case KD_OP_splat:
        case KD_OP_broadcast:
        case KD_OP_reshape:
        case KD_OP_permute:
        case KD_OP_hint:
            v = kd_op_operand(op, 0);
            break;
        case KD_OP_bitcast:
            if (!kd_type_is_ptr_like(kd_bitcast_value(op)->type))
                return NULL;
            v = kd_op_operand(op, 0);
            break;
        case KD_OP_select:
            return common(kd_select_a(op), kd_select_b(op), steps);
        case KD_OP_if:
            return common(kd_op_operand(kd_block_terminator(op->regions[0]), v->index),
                          kd_op_operand(kd_block_terminator(op->regions[1]), v->index), steps);
        case KD_OP_for:
            v = kd_for_inits(op, v->index);
            break;
        case KD_OP_while:
            v = kd_condition_values(kd_block_terminator(op->regions[0]), v->index);
            break;
        default:
            return NULL;
        }
    }
    return NULL;
}

/* Whether pointers carried by loops keep their base: checked once for each loop that carries pointers. */
static bool loop_keeps_base(const kd_op *loop)
{
    const kd_op *yield = kd_block_terminator(loop->regions[loop->n_regions - 1]);
    unsigned skip = loop->code == KD_OP_for ? 3 : 0;
    for (unsigned i = 0; i < yield->n_operands; i++) {
        unsigned steps = 0;
        if (!kd_type_is_ptr_like(kd_op_operand(yield, i)->type))
            continue;
        if (!common(kd_op_operand(yield, i), kd_op_operand(loop, skip + i), &steps))
            return false;
    }
    return true;
}

static const kd_value *base_of(const kd_value *ptr, const kd_op *at)
{
    unsigned steps = 0;
    for (const kd_op *op = at->block->parent; op && op->code != KD_OP_func; op = op->block->parent)
        if ((op->code == KD_OP_for || op->code == KD_OP_while) && !loop_keeps_base(op))
            return NULL;
    return follow(ptr, &steps);
}

static bool is_access(const kd_op *op)
{
    return op->code == KD_OP_load || op->code == KD_OP_store || op->code == KD_OP_atomic || op->code == KD_OP_atomic_cas;
}

static bool bases_may_meet(const kd_lower *l, const kd_op *a, const kd_op *b)
{
    if (!is_access(a) || !is_access(b))
        return true;
    const kd_value *x = base_of(kd_op_operand(a, 0), a), *y = base_of(kd_op_operand(b, 0), b);
    return !x || !y || x == y || !l->disjoint;
}

static bool is_uniform(const kd_value *v, unsigned depth)
{
    const kd_op *op = v->def;
    if (!kd_type_is_tile(v->type) || v->type->n_elems == 1)
        return true;
    if (!op || depth > 16)
        return false;
    switch (op->code) {
    case KD_OP_splat:
    case KD_OP_constant: return true;
    case KD_OP_broadcast:
    case KD_OP_reshape:
    case KD_OP_hint:
    case KD_OP_cast: return is_uniform(kd_op_operand(op, 0), depth + 1);
    case KD_OP_add:
    case KD_OP_sub:
    case KD_OP_mul:
    case KD_OP_addptr: return is_uniform(kd_op_operand(op, 0), depth + 1) && is_uniform(kd_op_operand(op, 1), depth + 1);
    default: return false;
    }
}

/* Whether no two elements are equal, as far as that shows: consecutive numbers, moved and scaled. Strides that are known only at run time
 * show nothing, since they may be 0. */
static bool is_injective(const kd_value *v, unsigned depth)
{
    const kd_op *op = v->def;
    int64_t factor;
    if (v->type->n_elems == 1)
        return true;
    if (!op || depth > 16)
        return false;
    switch (op->code) {
    case KD_OP_arange: return true;
    case KD_OP_reshape:
    case KD_OP_permute:
    case KD_OP_hint: return is_injective(kd_op_operand(op, 0), depth + 1);
    case KD_OP_cast:
        return kd_type_is_int_like(kd_cast_value(op)->type) && kd_type_elem_bits(v->type) >= kd_type_elem_bits(kd_cast_value(op)->type) &&
               is_injective(kd_cast_value(op), depth + 1);
    case KD_OP_mul:
        return kd_value_constant_int(kd_mul_b(op), &factor) && factor != 0 && is_injective(kd_mul_a(op), depth + 1);
    case KD_OP_add:
    case KD_OP_sub:
    case KD_OP_addptr:
        return (is_uniform(kd_op_operand(op, 0), depth + 1) && is_injective(kd_op_operand(op, 1), depth + 1)) ||
               (is_injective(kd_op_operand(op, 0), depth + 1) && is_uniform(kd_op_operand(op, 1), depth + 1));
    default: return false;
    }
}

/* Both access the same place at an index, and no other index does: then each element may be read just before it is written. */
static bool is_element_on_element(const kd_op *a, const kd_op *b)
{
    return is_access(a) && is_access(b) && kd_op_operand(a, 0) == kd_op_operand(b, 0) && is_injective(kd_op_operand(a, 0), 0);
}

static bool reads_by_identity(const kd_lower *l, const kd_op *op)
{
    if (op->code != KD_OP_load)
        return true;
    const kd_tile *tile = kd_map_get_ptr(&l->tiles, kd_op_result(op, 0));
    return tile && !tile->many && !tile->path;
}

bool kd_lower_may_meet(const kd_lower *l, const kd_op *a, const kd_op *b)
{
    if (is_element_on_element(a, b) && reads_by_identity(l, a) && reads_by_identity(l, b))
        return false;
    return bases_may_meet(l, a, b);
}

bool kd_lower_may_change(const kd_lower *l, const kd_op *load, unsigned first, unsigned last)
{
    const kd_tile *tile = kd_map_get_ptr(&l->tiles, kd_op_result(load, 0));
    unsigned checked = 0;
    for (unsigned i = 0; i < l->writes.n; i++) {
        const kd_op *w = l->writes.data[i];
        if (w->mark <= first || w->mark > last)
            continue;
        bool reader = tile->reader == w && !tile->many && !tile->path && w->block == load->block && w->mark == last;
        if (reader && is_element_on_element(w, load))
            continue;
        if (++checked > 64 || bases_may_meet(l, load, w))
            return true;
    }
    return false;
}
