/* simplify_control.c - rules for kd.if, kd.for and kd.while. */
#include "passes/canonicalize_impl.h"
#include "passes/regions.h"

/* The ops of a region take the place of the op around it; its results become what the region's end hands out, from operand 'first' on. */
static bool inline_region(kd_simplifier *s, kd_op *op, kd_block *block, unsigned first)
{
    kd_op *end = kd_block_terminator(block);
    kd_value **values = kd_arena_array(s->px->scratch, kd_value *, op->n_results);
    for (unsigned i = 0; i < op->n_results; i++)
        values[i] = kd_op_operand(end, first + i);
    kd_block_splice_before(block, op);
    return kd_simplify_replace_values(s, op, values);
}

static bool is_only_terminator(const kd_block *block)
{
    return block->first == block->last;
}

/* ---- kd.if ---- */

/* What both sides hand out is known without them; what they choose between without computing anything is a kd.select. */
static bool simplify_if_results(kd_simplifier *s, kd_op *op)
{
    const kd_op *yes = kd_block_terminator(op->regions[0]), *no = kd_block_terminator(op->regions[1]);
    bool is_choice = is_only_terminator(op->regions[0]) && is_only_terminator(op->regions[1]);
    bool *drop = kd_arena_array(s->px->scratch, bool, op->n_results), any = false;
    for (unsigned i = 0; i < op->n_results; i++) {
        kd_value *result = kd_op_result(op, i), *a = kd_op_operand(yes, i), *b = kd_op_operand(no, i), *value = NULL;
        kd_number x, y;
        if (!kd_value_has_uses(result)) {
            any = drop[i] = true;
            continue;
        }
        kd_builder at = kd_simplify_builder(s, op);
        if (a == b)
            value = a;
        else if (kd_value_constant(a, &x) && kd_value_constant(b, &y) && x.is_float == y.is_float && memcmp(&x.i, &y.i, sizeof x.i) == 0)
            value = kd_result(kd_build_constant(&at, (kd_constant_args){.loc = op->loc, .type = result->type, .value = x}));
        else if (is_choice) {
            kd_value *condition = kd_build_splat_to(&at, op->loc, kd_if_condition(op), result->type);
            value = kd_simplify_new(s, kd_build_select(&at, (kd_select_args){.loc = op->loc, .condition = condition, .a = a, .b = b}));
        }
        if (!value)
            continue;
        any = drop[i] = true;
        if (!value->name && value->def)
            value->name = result->name;
        kd_simplify_push_readers(s, result);
        kd_value_replace_uses(result, value);
    }
    if (!any)
        return false;
    kd_simplify_push_operands(s, op);
    kd_simplify_push(s, kd_if_drop_results(s->module, op, drop));
    s->changed = true;
    return true;
}

/* if (not %c) a else b  ==>  if %c b else a */
static bool swap_negated_if(kd_simplifier *s, kd_op *op)
{
    const kd_op *negation = kd_value_def_as(kd_if_condition(op), KD_OP_xor);
    int64_t one;
    if (!negation || !kd_value_constant_int(kd_xor_b(negation), &one) || one != 1)
        return false;
    kd_block *first = op->regions[0];
    op->regions[0] = op->regions[1];
    op->regions[1] = first;
    op->regions[0]->index = 0;
    op->regions[1]->index = 1;
    return kd_simplify_set_operand(s, op, 0, kd_xor_a(negation));
}

static bool simplify_if(kd_simplifier *s, kd_op *op)
{
    int64_t condition;
    if (kd_value_constant_int(kd_if_condition(op), &condition))
        return inline_region(s, op, op->regions[condition ? 0 : 1], 0);
    if (op->n_results == 0 && is_only_terminator(op->regions[0]) && is_only_terminator(op->regions[1]))
        return kd_simplify_erase(s, op);
    return simplify_if_results(s, op) || swap_negated_if(s, op);
}

/* ---- kd.for ---- */

/* A carried value that is the same in each iteration is the one that comes in. */
static bool drop_invariant_carried(kd_simplifier *s, kd_op *op)
{
    const kd_block *body = op->regions[0];
    const kd_op *yield = kd_block_terminator(body);
    bool *drop = kd_arena_array(s->px->scratch, bool, op->n_results), any = false;
    for (unsigned i = 0; i < op->n_results; i++) {
        kd_value *arg = body->args[1 + i], *init = kd_for_inits(op, i), *next = kd_op_operand(yield, i);
        if (next != arg && next != init)
            continue;
        any = drop[i] = true;
        kd_simplify_push_readers(s, arg);
        kd_simplify_push_readers(s, kd_op_result(op, i));
        if (kd_value_has_uses(arg))
            kd_value_replace_uses(arg, init);
        if (kd_value_has_uses(kd_op_result(op, i)))
            kd_value_replace_uses(kd_op_result(op, i), init);
    }
    if (!any)
        return false;
    kd_simplify_push_operands(s, op);
    kd_simplify_push(s, kd_for_drop_carried(s->module, op, drop));
    s->changed = true;
    return true;
}

static bool simplify_for(kd_simplifier *s, kd_op *op)
{
    kd_block *body = op->regions[0];
    uint64_t n_trips;
    if (!kd_for_trip_count(op, &n_trips) || n_trips > 1)
        return drop_invariant_carried(s, op);
    kd_value **inits = kd_arena_array(s->px->scratch, kd_value *, op->n_results);
    for (unsigned i = 0; i < op->n_results; i++)
        inits[i] = kd_for_inits(op, i);
    if (n_trips == 0)
        return kd_simplify_replace_values(s, op, inits);
    for (unsigned i = 0; i < body->n_args; i++) {
        kd_simplify_push_readers(s, body->args[i]);
        if (kd_value_has_uses(body->args[i]))
            kd_value_replace_uses(body->args[i], i ? inits[i - 1] : kd_for_lower(op));
    }
    return inline_region(s, op, body, 0);
}

/* ---- kd.while ---- */

/* A condition that is false at once: the first region runs, and that is all. */
static bool simplify_while(kd_simplifier *s, kd_op *op)
{
    kd_block *before = op->regions[0];
    int64_t condition;
    if (!kd_value_constant_int(kd_condition_condition(kd_block_terminator(before)), &condition) || condition)
        return false;
    for (unsigned i = 0; i < before->n_args; i++) {
        kd_simplify_push_readers(s, before->args[i]);
        if (kd_value_has_uses(before->args[i]))
            kd_value_replace_uses(before->args[i], kd_while_inits(op, i));
    }
    return inline_region(s, op, before, 1);
}

bool kd_simplify_control(kd_simplifier *s, kd_op *op)
{
    switch (op->code) {
    case KD_OP_if:
        return simplify_if(s, op);
    case KD_OP_for:
        return simplify_for(s, op);
    case KD_OP_while:
        return simplify_while(s, op);
    default:
        return false;
    }
}
