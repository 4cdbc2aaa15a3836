/* induction.c - carried tiles that every round moves by the same amount become carried scalars.
 *
 *     %p = kd.for ... %init { ^(%i, %at): ...  %next = kd.addptr %at, splat(%step)   kd.yield %next }
 * ==> %o = kd.for ... 0     { ^(%i, %moved): %at = kd.addptr %init, splat(%moved) ... kd.yield %moved + %step }
 *
 * Needs:   the tile holds integers or pointers, and changes only by adding scalars. Inner loops first, so that nests work.
 * Effect:  addresses need no buffer, and are seen to be consecutive. Sums of integers wrap, so the order of additions does not matter. */
#include "targets/cpu/lower.h"

enum { MAX_STEPS = 8 };

typedef struct chain {
    kd_value *steps[MAX_STEPS]; /* tiles of one scalar or constant */
    unsigned n;
} chain;

static bool is_uniform(const kd_value *v)
{
    return kd_value_def_as(v, KD_OP_splat) || kd_value_def_as(v, KD_OP_constant);
}

/* From the yielded value down to the argument. */
static bool find_chain(kd_value *v, const kd_value *arg, chain *out)
{
    for (unsigned i = 0; v != arg; i++) {
        if (!v->def || i >= MAX_STEPS)
            return false;
        kd_op *op = v->def;
        if (op->code == KD_OP_hint) {
            v = kd_hint_value(op);
        } else if (op->code == KD_OP_addptr && is_uniform(kd_addptr_offset(op))) {
            out->steps[out->n++] = kd_addptr_offset(op);
            v = kd_addptr_ptr(op);
        } else if (op->code == KD_OP_add && (is_uniform(kd_add_a(op)) || is_uniform(kd_add_b(op)))) {
            bool second = is_uniform(kd_add_b(op));
            out->steps[out->n++] = second ? kd_add_b(op) : kd_add_a(op);
            v = second ? kd_add_a(op) : kd_add_b(op);
        } else {
            return false;
        }
    }
    return out->n > 0;
}

static bool moves_evenly(const kd_op *loop, unsigned i, chain *out)
{
    const kd_type *type = kd_op_result(loop, i)->type;
    *out = (chain){.n = 0};
    if (type->kind != KD_TYPE_TILE || !(kd_type_is_ptr_like(type) || kd_type_is_int_like(type)) || kd_type_is_bool_like(type))
        return false;
    const kd_block *body = kd_op_region(loop, 0);
    return find_chain(kd_op_operand(kd_block_terminator(body), i), body->args[i + 1], out);
}

static kd_value *scalar_of(kd_builder *b, kd_loc loc, kd_value *uniform, const kd_type *type)
{
    kd_value *v;
    if (kd_value_def_as(uniform, KD_OP_splat))
        v = kd_splat_scalar(uniform->def);
    else
        v = kd_result(kd_build_constant(b, (kd_constant_args){.loc = loc, .type = kd_type_elem(uniform->type), .value = kd_constant_value(uniform->def)}));
    return v->type == type ? v : kd_result(kd_build_cast(b, (kd_cast_args){.loc = loc, .value = v, .type = type}));
}

/* init moved by a scalar, in every element. */
static kd_value *moved_by(kd_builder *b, kd_loc loc, kd_value *init, kd_value *offset)
{
    const kd_type *type = kd_type_with_elem(b->module->ctx, init->type, offset->type);
    kd_value *wide = kd_result(kd_build_splat(b, (kd_splat_args){.loc = loc, .scalar = offset, .type = type}));
    if (kd_type_is_ptr_like(init->type))
        return kd_result(kd_build_addptr(b, (kd_addptr_args){.loc = loc, .ptr = init, .offset = wide}));
    return kd_result(kd_build_add(b, (kd_add_args){.loc = loc, .a = init, .b = wide}));
}

/* The loop without its tile i; see the top. */
static kd_op *replace_carried(kd_lower *l, kd_op *loop, unsigned i, const chain *steps)
{
    kd_block *old = kd_op_region(loop, 0);
    kd_value *init = kd_for_inits(loop, i);
    kd_builder b = kd_builder_before(l->module, loop);
    const kd_type *type = kd_type_is_ptr_like(init->type) ? l->i64 : kd_type_elem(init->type);
    unsigned n = loop->n_results;
    kd_value **operands = kd_arena_array(l->arena, kd_value *, n + 3);
    const kd_type **types = kd_arena_array(l->arena, const kd_type *, n);
    for (unsigned k = 0; k < n + 3; k++)
        operands[k] = kd_op_operand(loop, k);
    for (unsigned k = 0; k < n; k++)
        types[k] = kd_op_result(loop, k)->type;
    operands[3 + i] = kd_build_int(&b, loop->loc, type, 0);
    types[i] = type;
    kd_op *fresh = kd_build_op(&b, KD_OP_for, loop->loc, operands, n + 3, types, n, loop->attrs);
    kd_block *body = kd_op_region(fresh, 0);
    for (unsigned k = 0; k < n + 1; k++)
        kd_block_add_arg(l->module, body, k == i + 1 ? type : old->args[k]->type, old->args[k]->name);
    kd_builder inner = kd_builder_at_end(l->module, body);
    for (unsigned k = 0; k < n + 1; k++)
        kd_value_replace_uses(old->args[k], k == i + 1 ? moved_by(&inner, loop->loc, init, body->args[k]) : body->args[k]);
    while (old->first)
        kd_op_move_to_end(old->first, body);
    kd_op *yield = kd_block_terminator(body);
    kd_builder end = kd_builder_before(l->module, yield);
    kd_value *sum = body->args[i + 1];
    for (unsigned k = 0; k < steps->n; k++)
        sum = kd_result(kd_build_add(&end, (kd_add_args){.loc = loop->loc, .a = sum, .b = scalar_of(&end, loop->loc, steps->steps[k], type)}));
    kd_op_set_operand(yield, i, sum);
    for (unsigned k = 0; k < n; k++)
        kd_value_replace_uses(kd_op_result(loop, k), k == i ? moved_by(&b, loop->loc, init, kd_op_result(fresh, k)) : kd_op_result(fresh, k));
    kd_op_erase(loop);
    return fresh;
}

void kd_lower_induction(kd_lower *l, kd_block *block)
{
    chain steps;
    KD_FOREACH_OP_SAFE (op, block) {
        for (unsigned r = 0; r < op->n_regions; r++)
            kd_lower_induction(l, op->regions[r]);
        for (unsigned i = 0; op->code == KD_OP_for && i < op->n_results; i++)
            if (moves_evenly(op, i, &steps))
                op = replace_carried(l, op, i, &steps);
    }
}
