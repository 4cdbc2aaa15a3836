/* dce.c - take away what nobody needs: values, loops, and what loops and ifs carry along.
 *
 * Starts from what others can see (writes, calls, what a function returns) and marks what that needs. A carried value that only feeds itself
 * is not needed, nor is a result of kd.if that nobody reads, nor a load.
 * Cost: linear. */
#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "passes/pass.h"
#include "passes/regions.h"

typedef struct marker {
    kd_module *module;
    kd_arena *arena;
    KD_VEC(kd_op *) ops;       /* needed, their operands not yet looked at; op->mark is set */
    KD_VEC(kd_value *) values; /* the same of results and arguments of kd.for, kd.while and kd.if */
    kd_map needed;             /* these values */
    bool changed;
} marker;

static bool is_structured(const kd_op *op)
{
    return op->code == KD_OP_for || op->code == KD_OP_while || op->code == KD_OP_if;
}

static void mark_op(marker *m, kd_op *op)
{
    if (op->mark || op->code == KD_OP_func)
        return;
    op->mark = 1;
    kd_vec_push(m->arena, &m->ops, op);
}

static void mark_value(marker *m, kd_value *value)
{
    if (!value)
        return;
    kd_op *home = value->def ? value->def : value->owner->parent;
    mark_op(m, home);
    if (!is_structured(home))
        return;
    void **place = kd_map_at_ptr(&m->needed, value);
    if (*place)
        return;
    *place = value;
    kd_vec_push(m->arena, &m->values, value);
}

static bool is_needed(const marker *m, const kd_value *value)
{
    return kd_map_get_ptr(&m->needed, value) != NULL;
}

/* A needed result or argument of a loop or if needs what becomes it. */
static void follow_value(marker *m, kd_value *value)
{
    kd_op *op = value->def ? value->def : value->owner->parent;
    unsigned i = value->index;
    if (op->code == KD_OP_if) {
        mark_value(m, kd_op_operand(kd_block_terminator(op->regions[0]), i));
        mark_value(m, kd_op_operand(kd_block_terminator(op->regions[1]), i));
    } else if (op->code == KD_OP_for) {
        if (!value->def && i == 0)
            return; /* the counter */
        i -= !value->def;
        mark_value(m, kd_for_inits(op, i));
        mark_value(m, kd_op_operand(kd_block_terminator(op->regions[0]), i));
    } else if (!value->def && value->owner->index == 0) {
        mark_value(m, kd_while_inits(op, i));
        mark_value(m, kd_op_operand(kd_block_terminator(op->regions[1]), i));
    } else {
        mark_value(m, kd_condition_values(kd_block_terminator(op->regions[0]), i));
    }
}

static void follow_op(marker *m, kd_op *op)
{
    mark_op(m, op->block->parent);
    unsigned n_always = op->code == KD_OP_for ? 3 : op->code == KD_OP_while ? 0 : op->n_operands;
    for (unsigned i = 0; i < n_always; i++)
        mark_value(m, kd_op_operand(op, i));
    if (op->code == KD_OP_while)
        mark_value(m, kd_condition_condition(kd_block_terminator(op->regions[0])));
    for (unsigned r = 0; r < op->n_regions && !is_structured(op); r++) { /* the function of a reduction gives all of its values */
        kd_op *end = kd_block_terminator(op->regions[r]);
        for (unsigned i = 0; i < end->n_operands; i++)
            mark_value(m, kd_op_operand(end, i));
    }
}

static bool is_seen_by_others(const kd_op *op)
{
    return kd_op_get_info(op)->traits & KD_WRITES || op->code == KD_OP_return || (op->code == KD_OP_load && kd_load_is_volatile(op));
}

static void unmark(kd_op *op, void *user)
{
    op->mark = 0;
}

static void find_roots(kd_op *op, void *user)
{
    if (is_seen_by_others(op))
        mark_op(user, op);
}

/* ---- taking away ---- */

/* What still reads a value that goes is not needed either, and goes later. */
static void detach_readers(marker *m, kd_op *op, kd_value *value)
{
    if (!kd_value_has_uses(value))
        return;
    kd_builder b = kd_builder_before(m->module, op);
    kd_value_replace_uses(value, kd_result(kd_build_poison(&b, (kd_poison_args){.loc = op->loc, .type = value->type})));
}

static kd_op *drop_from_for(marker *m, kd_op *op)
{
    bool *drop = kd_arena_array(m->arena, bool, op->n_results), any = false;
    for (unsigned i = 0; i < op->n_results; i++) {
        kd_value *arg = op->regions[0]->args[1 + i];
        drop[i] = !is_needed(m, kd_op_result(op, i)) && !is_needed(m, arg);
        any |= drop[i];
        if (drop[i])
            detach_readers(m, op, arg);
    }
    m->changed |= any;
    return any ? kd_for_drop_carried(m->module, op, drop) : op;
}

static kd_op *drop_from_if(marker *m, kd_op *op)
{
    bool *drop = kd_arena_array(m->arena, bool, op->n_results), any = false;
    for (unsigned i = 0; i < op->n_results; i++) {
        drop[i] = !is_needed(m, kd_op_result(op, i));
        any |= drop[i];
    }
    m->changed |= any;
    return any ? kd_if_drop_results(m->module, op, drop) : op;
}

static kd_op *drop_from_while(marker *m, kd_op *op)
{
    const kd_block *before = op->regions[0], *after = op->regions[1];
    bool *carried = kd_arena_array(m->arena, bool, before->n_args), *results = kd_arena_array(m->arena, bool, op->n_results), any = false;
    for (unsigned i = 0; i < before->n_args; i++) {
        carried[i] = !is_needed(m, before->args[i]);
        any |= carried[i];
        if (carried[i])
            detach_readers(m, op, before->args[i]);
    }
    for (unsigned i = 0; i < op->n_results; i++) {
        results[i] = !is_needed(m, kd_op_result(op, i)) && !is_needed(m, after->args[i]);
        any |= results[i];
        if (results[i])
            detach_readers(m, op, after->args[i]);
    }
    m->changed |= any;
    return any ? kd_while_drop(m->module, op, carried, results) : op;
}

/* From the end, so that readers go before what they read. */
static void sweep(marker *m, kd_block *block)
{
    for (kd_op *op = block->last, *previous; op; op = previous) {
        previous = op->prev;
        if (kd_op_has(op, KD_TERMINATOR))
            continue;
        if (!op->mark) {
            kd_op_erase(op);
            m->changed = true;
            continue;
        }
        if (op->code == KD_OP_for)
            op = drop_from_for(m, op);
        else if (op->code == KD_OP_if)
            op = drop_from_if(m, op);
        else if (op->code == KD_OP_while)
            op = drop_from_while(m, op);
        for (unsigned r = 0; r < op->n_regions; r++)
            sweep(m, op->regions[r]);
        previous = op->prev; /* a stand-in that is read no more, perhaps */
    }
}

kd_pass_result kd_pass_dce(kd_pass_ctx *px, kd_op *func)
{
    marker m = {.module = px->module, .arena = px->scratch, .needed = kd_map_in(px->scratch)};
    kd_op_walk(func, unmark, NULL);
    kd_op_walk(func, find_roots, &m);
    while (m.ops.n || m.values.n) {
        if (m.ops.n)
            follow_op(&m, kd_vec_pop(&m.ops));
        else
            follow_value(&m, kd_vec_pop(&m.values));
    }
    sweep(&m, func->regions[0]);
    return m.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
