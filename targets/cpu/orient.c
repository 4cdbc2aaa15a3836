/* orient.c - turns loads and stores so that consecutive addresses lie along the last axis, where vectors run.
 *
 *     %t = kd.load %p            ==>   %q = kd.permute %p   %u = kd.load %q   %t = kd.permute %u
 *     kd.store %p, %v            ==>   %q = kd.permute %p   %w = kd.permute %v   kd.store %q, %w
 *
 * Permutes of pointers and masks are index maps and cost nothing; those of data go through registers (transpose.c). */
#include "targets/cpu/lower.h"

#include "passes/axis_info.h"

enum { ENOUGH = 4 };

typedef struct turn {
    kd_lower *l;
    kd_axis_info *info;
    int64_t order[KD_MAX_RANK]; /* swaps two axes: its own inverse */
    unsigned rank;
} turn;

/* Finds the axis along which a pointer tile is consecutive, where that is another than the last. */
static bool find_turn(turn *t, const kd_value *ptr)
{
    unsigned rank = ptr->type->rank, last = rank - 1, best = last;
    if (rank < 2 || ptr->type->shape[last] < ENOUGH)
        return false;
    kd_axis_facts along = kd_axis_info_get(t->info, ptr, last);
    int64_t longest = ENOUGH - 1;
    if (along.contiguity >= ENOUGH || along.constancy >= ENOUGH)
        return false;
    for (unsigned axis = 0; axis < last; axis++) {
        int64_t n = kd_axis_info_get(t->info, ptr, axis).contiguity;
        if (n > longest)
            longest = n, best = axis;
    }
    for (unsigned axis = 0; axis < rank; axis++)
        t->order[axis] = axis == last ? best : axis == best ? last : axis;
    t->rank = rank;
    return best != last;
}

static kd_value *turned(turn *t, kd_builder *b, kd_loc loc, kd_value *v)
{
    int64_t shape[KD_MAX_RANK];
    if (!v)
        return NULL;
    for (unsigned axis = 0; axis < t->rank; axis++)
        shape[axis] = v->type->shape[t->order[axis]];
    const kd_type *type = kd_type_with_shape(t->l->ctx, v->type, t->rank, shape);
    return kd_result(kd_build_permute(b, (kd_permute_args){.loc = loc, .tile = v, .order = {t->order, t->rank}, .type = type}));
}

static void orient(kd_op *op, void *user)
{
    turn *t = user;
    bool load = op->code == KD_OP_load;
    if ((!load && op->code != KD_OP_store) || !find_turn(t, kd_op_operand(op, 0)))
        return;
    kd_value *operands[3];
    kd_builder b = kd_builder_before(t->l->module, op);
    for (unsigned i = 0; i < op->n_operands; i++)
        operands[i] = turned(t, &b, op->loc, kd_op_operand(op, i));
    if (load) {
        const kd_type *type = kd_type_with_elem(t->l->ctx, operands[0]->type, kd_type_elem(kd_op_result(op, 0)->type));
        kd_op *fresh = kd_build_op(&b, KD_OP_load, op->loc, operands, op->n_operands, &type, 1, op->attrs);
        kd_op_replace_value(op, turned(t, &b, op->loc, kd_result(fresh)));
    } else {
        kd_build_op(&b, KD_OP_store, op->loc, operands, op->n_operands, NULL, 0, op->attrs);
        kd_op_erase(op);
    }
}

void kd_lower_orient(kd_lower *l, kd_op *func)
{
    turn t = {.l = l, .info = kd_axis_info_compute(l->arena, func)};
    kd_op_walk(func, orient, &t);
}
