/* arg_effects.c - follows the pointers of accesses back to parameters, through whatever passes them on.
 *
 * Each value is followed once for reads and once for writes. */
#include "passes/arg_effects.h"
#include "base/map.h"
#include "base/vec.h"
#include "passes/pass.h"

typedef struct tracer {
    kd_arena *arena;
    const kd_op *func;
    uint8_t *effects;
    kd_map seen; /* value -> effects that it was followed for */
    KD_VEC(kd_value *) work;
} tracer;

static void follow(tracer *t, kd_value *value, unsigned effect)
{
    if (!value)
        return;
    void **place = kd_map_at_ptr(&t->seen, value);
    if (((uintptr_t)*place & effect) == effect)
        return;
    *place = (void *)((uintptr_t)*place | effect);
    kd_vec_push(t->arena, &t->work, value);
}

static void follow_arg(tracer *t, const kd_value *value, unsigned effect)
{
    const kd_op *op = value->owner->parent;
    unsigned i = value->index;
    if (op->code == KD_OP_func) {
        if (value->type->kind == KD_TYPE_PTR)
            t->effects[i] |= (uint8_t)effect;
        else /* an address as a number: whose memory that is, nobody knows */
            for (unsigned k = 0; k < value->owner->n_args; k++)
                if (value->owner->args[k]->type->kind == KD_TYPE_PTR)
                    t->effects[k] |= (uint8_t)effect;
    } else if (op->code == KD_OP_for && i > 0) {
        follow(t, kd_for_inits(op, i - 1), effect);
        follow(t, kd_op_operand(kd_block_terminator(op->regions[0]), i - 1), effect);
    } else if (op->code == KD_OP_while && value->owner->index == 0) {
        follow(t, kd_while_inits(op, i), effect);
        follow(t, kd_op_operand(kd_block_terminator(op->regions[1]), i), effect);
    } else if (op->code == KD_OP_while) {
        follow(t, kd_condition_values(kd_block_terminator(op->regions[0]), i), effect);
    } else { /* the function of a reduction or map: its elements come from the operands */
        for (unsigned k = 0; k < op->n_operands; k++)
            follow(t, kd_op_operand(op, k), effect);
    }
}

static void follow_def(tracer *t, const kd_value *value, unsigned effect)
{
    const kd_op *op = value->def;
    unsigned i = value->index;
    switch (op->code) {
    case KD_OP_load: /* a pointer, or a number, from memory */
    case KD_OP_block_load:
    case KD_OP_atomic:
    case KD_OP_atomic_cas:
        return;
    case KD_OP_addptr:
        follow(t, kd_addptr_ptr(op), effect);
        return;
    case KD_OP_for:
        follow(t, kd_for_inits(op, i), effect);
        follow(t, kd_op_operand(kd_block_terminator(op->regions[0]), i), effect);
        return;
    case KD_OP_if:
        follow(t, kd_op_operand(kd_block_terminator(op->regions[0]), i), effect);
        follow(t, kd_op_operand(kd_block_terminator(op->regions[1]), i), effect);
        return;
    case KD_OP_while:
        follow(t, kd_condition_values(kd_block_terminator(op->regions[0]), i), effect);
        return;
    case KD_OP_select:
        follow(t, kd_select_a(op), effect);
        follow(t, kd_select_b(op), effect);
        return;
    default:
        for (unsigned k = 0; k < op->n_operands; k++)
            follow(t, kd_op_operand(op, k), effect);
        for (unsigned r = 0; r < op->n_regions; r++) {
            const kd_op *end = kd_block_terminator(op->regions[r]);
            for (unsigned k = 0; k < end->n_operands; k++)
                follow(t, kd_op_operand(end, k), effect);
        }
    }
}

static void trace(tracer *t)
{
    while (t->work.n) {
        kd_value *value = kd_vec_pop(&t->work);
        unsigned both = (unsigned)(uintptr_t)kd_map_get_ptr(&t->seen, value);
        if (value->def)
            follow_def(t, value, both);
        else
            follow_arg(t, value, both);
    }
}

static void visit(kd_op *op, void *user)
{
    tracer *t = user;
    unsigned traits = kd_op_get_info(op)->traits;
    unsigned effect = (traits & KD_READS ? KD_ARG_READ : 0) | (traits & KD_WRITES ? KD_ARG_WRITTEN : 0);
    switch (op->code) {
    case KD_OP_load:
    case KD_OP_store:
    case KD_OP_block_load:
    case KD_OP_block_store:
    case KD_OP_atomic:
    case KD_OP_atomic_cas:
        follow(t, kd_op_operand(op, 0), effect);
        break;
    case KD_OP_call: /* not known here: anything */
        for (unsigned i = 0; i < op->n_operands; i++)
            follow(t, kd_op_operand(op, i), KD_ARG_READ | KD_ARG_WRITTEN);
        break;
    default:
        break;
    }
    trace(t);
}

uint8_t *kd_arg_effects_compute(kd_arena *arena, const kd_op *func)
{
    tracer t = {.arena = arena, .func = func, .seen = kd_map_in(arena)};
    t.effects = kd_arena_array(arena, uint8_t, func->regions[0]->n_args);
    kd_op_walk((kd_op *)func, visit, &t);
    return t.effects;
}

uint64_t kd_arg_origins(kd_arena *arena, const kd_op *func, kd_value *ptr)
{
    unsigned n = func->regions[0]->n_args;
    tracer t = {.arena = arena, .func = func, .seen = kd_map_in(arena), .effects = kd_arena_array(arena, uint8_t, n)};
    uint64_t origins = 0;
    follow(&t, ptr, KD_ARG_READ);
    trace(&t);
    for (unsigned i = 0; i < n; i++)
        if (t.effects[i])
            origins |= UINT64_C(1) << (i < 63 ? i : 63);
    return origins;
}

kd_pass_result kd_pass_print_arg_effects(kd_pass_ctx *px, kd_op *func)
{
    const kd_block *body = func->regions[0];
    const uint8_t *effects = kd_arg_effects_compute(px->scratch, func);
    kd_str name = kd_func_name(func);
    for (unsigned i = 0; i < body->n_args && px->log; i++)
        kd_strbuf_printf(px->log, "// @%.*s: %%%s is %s\n", KD_STR_ARG(name), body->args[i]->name ? body->args[i]->name : "unnamed",
                         effects[i] == (KD_ARG_READ | KD_ARG_WRITTEN) ? "read and written" : effects[i] & KD_ARG_WRITTEN ? "written"
                         : effects[i] & KD_ARG_READ                                                                      ? "read"
                                                                                                                         : "not accessed");
    return KD_PASS_UNCHANGED;
}
