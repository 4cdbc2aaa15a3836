/* canonicalize.c - rewrite ops to their simplest form, until nothing changes.
 *
 *     %0 = kd.constant 1 : i32
 *     %1 = kd.mul %x, %0 : i32
 *     %2 = kd.splat %1 : tile<8xi32>     ==>   %2 = kd.splat %x : tile<8xi32>
 *
 * The rules are in simplify_*.c. Each makes the IR smaller, moves work to smaller tiles or to scalars, or puts constants last, so they come
 * to an end. Pure ops that nobody reads go away on the way.
 * Cost: each op is looked at once, and again when something that it reads changes. */
#include "passes/canonicalize_impl.h"

void kd_simplify_push(kd_simplifier *s, kd_op *op)
{
    if (op->mark)
        return;
    op->mark = 1;
    kd_vec_push(s->px->scratch, &s->work, op);
}

void kd_simplify_push_readers(kd_simplifier *s, const kd_value *value)
{
    for (const kd_use *use = value->uses; use; use = use->next)
        kd_simplify_push(s, use->user);
}

/* They may have become dead, or may be read by one op alone now. */
void kd_simplify_push_operands(kd_simplifier *s, const kd_op *op)
{
    for (unsigned i = 0; i < op->n_operands; i++)
        if (op->operands[i].value && op->operands[i].value->def)
            kd_simplify_push(s, op->operands[i].value->def);
    for (unsigned r = 0; r < op->n_regions; r++)
        KD_FOREACH_OP (inner, op->regions[r])
            kd_simplify_push_operands(s, inner);
}

kd_builder kd_simplify_builder(kd_simplifier *s, kd_op *op)
{
    return kd_builder_before(s->module, op);
}

kd_value *kd_simplify_new(kd_simplifier *s, kd_op *fresh)
{
    kd_simplify_push(s, fresh);
    return kd_op_result(fresh, 0);
}

bool kd_simplify_erase(kd_simplifier *s, kd_op *op)
{
    kd_simplify_push_operands(s, op);
    kd_op_erase(op);
    s->changed = true;
    return true;
}

bool kd_simplify_replace_values(kd_simplifier *s, kd_op *op, kd_value *const *values)
{
    for (unsigned i = 0; i < op->n_results; i++) {
        kd_simplify_push_readers(s, kd_op_result(op, i));
        if (!values[i]->name && values[i]->def)
            values[i]->name = op->results[i].name;
        kd_value_replace_uses(kd_op_result(op, i), values[i]);
    }
    return kd_simplify_erase(s, op);
}

bool kd_simplify_replace(kd_simplifier *s, kd_op *op, kd_value *value)
{
    return kd_simplify_replace_values(s, op, &value);
}

bool kd_simplify_replace_number(kd_simplifier *s, kd_op *op, kd_number number)
{
    kd_builder b = kd_simplify_builder(s, op);
    return kd_simplify_replace(s, op, kd_result(kd_build_constant(&b, (kd_constant_args){.loc = op->loc, .type = op->results[0].type, .value = number})));
}

bool kd_simplify_replace_int(kd_simplifier *s, kd_op *op, int64_t value)
{
    return kd_simplify_replace_number(s, op, (kd_number){.i = kd_number_wrap(kd_type_elem(op->results[0].type), value)});
}

bool kd_simplify_set_operand(kd_simplifier *s, kd_op *op, unsigned i, kd_value *value)
{
    kd_value *old = kd_op_operand(op, i);
    if (old && old->def)
        kd_simplify_push(s, old->def);
    kd_op_set_operand(op, i, value);
    for (unsigned k = 0; k < op->n_results; k++)
        kd_simplify_push_readers(s, kd_op_result(op, k));
    kd_simplify_push(s, op);
    s->changed = true;
    return true;
}

static bool is_dead(const kd_op *op)
{
    if (kd_op_has(op, KD_TERMINATOR))
        return false;
    for (unsigned i = 0; i < op->n_results; i++)
        if (kd_value_has_uses(kd_op_result(op, i)))
            return false;
    return kd_op_is_pure(op);
}

/* Whether the op still stands in the module: it, and all ops around it, may have been erased since it was put on the list. */
static bool is_alive(const kd_simplifier *s, const kd_op *op)
{
    while (op->block)
        op = op->block->parent;
    return op == s->module->op;
}

static void look_at(kd_simplifier *s, kd_op *op)
{
    if (is_dead(op)) {
        kd_simplify_erase(s, op);
        return;
    }
    static kd_rule *const RULES[] = {kd_simplify_elementwise, kd_simplify_shape, kd_simplify_memory, kd_simplify_control};
    for (unsigned i = 0; i < sizeof RULES / sizeof *RULES; i++)
        if (RULES[i](s, op))
            return;
}

static void gather(kd_op *op, void *user)
{
    kd_simplifier *s = user;
    op->mark = 0;
    kd_simplify_push(s, op);
}

kd_pass_result kd_pass_canonicalize(kd_pass_ctx *px, kd_op *func)
{
    kd_simplifier s = {.px = px, .module = px->module};
    kd_op_walk(func, gather, &s);
    for (unsigned i = 0, k = s.work.n; i + 1 < k; i++) { /* the list is worked from its end: operands first */
        kd_op *first = s.work.data[i];
        s.work.data[i] = s.work.data[--k];
        s.work.data[k] = first;
    }
    while (s.work.n) {
        kd_op *op = kd_vec_pop(&s.work);
        op->mark = 0;
        if (is_alive(&s, op))
            look_at(&s, op);
    }
    return s.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
