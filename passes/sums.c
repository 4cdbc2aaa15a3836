/* sums.c - see sums.h. */
#include "passes/sums.h"

bool kd_is_varying(const kd_varying *varying, const kd_value *value)
{
    return value && kd_map_get_ptr(&varying->values, value);
}

void kd_set_varying(kd_varying *varying, const kd_value *value)
{
    *kd_map_at_ptr(&varying->values, value) = (void *)value;
}

/* ---- what differs between lanes ---- */

typedef struct finder {
    kd_varying *varying;
    bool again;
} finder;

static void found(finder *f, const kd_value *value)
{
    f->again |= !kd_is_varying(f->varying, value);
    kd_set_varying(f->varying, value);
}

static bool reads_varying(const finder *f, const kd_op *op)
{
    for (unsigned i = 0; i < op->n_operands; i++)
        if (kd_is_varying(f->varying, op->operands[i].value))
            return true;
    return false;
}

static void pass_on(finder *f, const kd_value *from, const kd_value *to)
{
    if (kd_is_varying(f->varying, from))
        found(f, to);
}

static void visit(kd_op *op, void *user)
{
    finder *f = user;
    const kd_op *end = op->n_regions ? kd_block_terminator(op->regions[0]) : NULL;
    switch (op->code) {
    case KD_OP_for:
        for (unsigned i = 0; i < op->n_results; i++) {
            pass_on(f, kd_for_inits(op, i), op->regions[0]->args[1 + i]);
            pass_on(f, kd_op_operand(end, i), op->regions[0]->args[1 + i]);
            pass_on(f, op->regions[0]->args[1 + i], &op->results[i]);
        }
        return;
    case KD_OP_while:
        for (unsigned i = 0; i < op->regions[0]->n_args; i++) {
            pass_on(f, kd_while_inits(op, i), op->regions[0]->args[i]);
            pass_on(f, kd_op_operand(kd_block_terminator(op->regions[1]), i), op->regions[0]->args[i]);
        }
        for (unsigned i = 0; i < op->n_results; i++) {
            pass_on(f, kd_condition_values(end, i), op->regions[1]->args[i]);
            pass_on(f, kd_condition_values(end, i), &op->results[i]);
        }
        return;
    case KD_OP_if:
        for (unsigned i = 0; i < op->n_results; i++)
            for (unsigned r = 0; r < 2; r++)
                pass_on(f, kd_op_operand(kd_block_terminator(op->regions[r]), i), &op->results[i]);
        return;
    default: break;
    }
    bool is_arithmetic = kd_op_has(op, KD_PURE) && !op->n_regions && op->code != KD_OP_gpu_lane_id &&
                         op->code != KD_OP_gpu_shuffle && op->code != KD_OP_gpu_shuffle_xor;
    if (op->n_results && (!is_arithmetic || reads_varying(f, op)))
        for (unsigned i = 0; i < op->n_results; i++)
            found(f, &op->results[i]);
}

kd_varying kd_find_varying(kd_arena *scratch, kd_op *func)
{
    kd_varying out = {kd_map_in(scratch)};
    finder f = {.varying = &out};
    do {
        f.again = false;
        kd_op_walk(func, visit, &f);
    } while (f.again);
    return out;
}

/* ---- sums ---- */

kd_value *kd_plus(kd_builder *b, kd_value *value, kd_value *offset, kd_loc loc)
{
    if (kd_type_is_ptr_like(value->type))
        return kd_result(kd_build_addptr(b, (kd_addptr_args){.loc = loc, .ptr = value, .offset = offset}));
    return kd_result(kd_build_add(b, (kd_add_args){.loc = loc, .a = value, .b = offset}));
}

static void add_term(kd_terms *t, kd_value *value)
{
    if (t->n == KD_MAX_TERMS)
        t->overflow = true;
    else
        t->list[t->n++] = value;
}

static void take_apart(kd_terms *t, kd_value *offset)
{
    int64_t constant;
    const kd_op *def = offset->def;
    bool is_signed = !kd_scalar_is_unsigned(offset->type->scalar);
    if (kd_value_constant_int(offset, &constant) && is_signed && constant >= INT32_MIN && constant <= INT32_MAX) {
        t->constant += constant;
    } else if (def && def->code == KD_OP_add && is_signed) {
        take_apart(t, kd_add_a(def));
        take_apart(t, kd_add_b(def));
    } else if (def && def->code == KD_OP_cast && is_signed && kd_type_is_int_like(kd_cast_value(def)->type) &&
               kd_type_is_scalar(offset->type, KD_I64) && kd_type_is_scalar(kd_cast_value(def)->type, KD_I32)) {
        take_apart(t, kd_cast_value(def));
    } else {
        add_term(t, offset);
    }
}

static void take_pointer_apart(kd_terms *t, kd_value *ptr)
{
    const kd_op *def = ptr->def;
    if (!def || def->code != KD_OP_addptr) {
        t->base = ptr;
        return;
    }
    take_pointer_apart(t, kd_addptr_ptr(def));
    take_apart(t, kd_addptr_offset(def));
}

static unsigned depth_of(const kd_value *value)
{
    unsigned depth = 0;
    for (const kd_block *at = value->def ? value->def->block : value->owner; at; at = at->parent->block)
        depth++;
    return depth;
}

kd_terms kd_take_apart(const kd_varying *varying, kd_value *value)
{
    kd_terms t = {0};
    if (kd_type_is_ptr_like(value->type))
        take_pointer_apart(&t, value);
    else
        take_apart(&t, value);
    for (unsigned i = 1; i < t.n; i++)
        for (unsigned k = i; k; k--) {
            bool is_uniform = !kd_is_varying(varying, t.list[k]), after_uniform = !kd_is_varying(varying, t.list[k - 1]);
            if (!is_uniform || (after_uniform && depth_of(t.list[k]) >= depth_of(t.list[k - 1])))
                break;
            kd_value *swap = t.list[k];
            t.list[k] = t.list[k - 1];
            t.list[k - 1] = swap;
        }
    while (t.n_uniform < t.n && !kd_is_varying(varying, t.list[t.n_uniform]))
        t.n_uniform++;
    return t;
}

bool kd_same_varying(const kd_terms *a, const kd_terms *b)
{
    bool same = a->n - a->n_uniform == b->n - b->n_uniform;
    for (unsigned i = a->n_uniform; i < a->n && same; i++)
        same = a->list[i] == b->list[i - a->n_uniform + b->n_uniform];
    return same;
}

kd_value *kd_wide(kd_builder *b, kd_value *value, kd_loc loc)
{
    const kd_type *i64 = kd_type_scalar(b->module->ctx, KD_I64);
    return value->type == i64 ? value : kd_result(kd_build_cast(b, (kd_cast_args){.loc = loc, .value = value, .type = i64}));
}

kd_value *kd_varying_sum(kd_builder *b, const kd_terms *t, kd_loc loc)
{
    kd_value *sum = t->list[t->n_uniform];
    for (unsigned i = t->n_uniform + 1; i < t->n; i++) {
        bool is_wide = sum->type != t->list[i]->type;
        sum = kd_plus(b, is_wide ? kd_wide(b, sum, loc) : sum, is_wide ? kd_wide(b, t->list[i], loc) : t->list[i], loc);
    }
    return sum;
}
