/* remat.c - see remat.h. */
#include "passes/remat.h"
#include "ir/layout_rules.h"

enum { MAX_STEPS = 512, MAX_DEPTH = 200 };

void kd_remat_begin(kd_remat *r, const kd_op *root)
{
    r->root = root;
    r->steps = kd_map_in(r->px->scratch);
    r->n_steps = 0;
}

static kd_remat_step *find_step(const kd_remat *r, const kd_value *value, const kd_layout *layout)
{
    kd_remat_step *step = kd_map_get_ptr(&r->steps, value);
    while (step && step->layout != layout)
        step = step->next;
    return step;
}

static kd_remat_step *add_step(kd_remat *r, kd_value *value, const kd_layout *layout)
{
    void **place = kd_map_at_ptr(&r->steps, value);
    kd_remat_step *step = kd_arena_new(r->px->scratch, kd_remat_step);
    *step = (kd_remat_step){.value = value, .layout = layout, .how = KD_REMAT_NO, .cost = KD_REMAT_IMPOSSIBLE, .next = *place};
    *place = step;
    r->n_steps++;
    return step;
}

void kd_remat_have(kd_remat *r, kd_value *value, const kd_layout *layout, kd_value *made)
{
    kd_remat_step *step = add_step(r, value, layout);
    step->how = KD_REMAT_HAVE;
    step->cost = 0;
    step->made = made;
}

/* ---- costs ---- */

static int64_t weight_of(const kd_value *value)
{
    return value->def ? kd_op_weight(value->def) : value->owner->first ? kd_op_weight(value->owner->first) : 1;
}

static int64_t conversion_cost(const kd_remat *r, const kd_value *value, const kd_layout *layout)
{
    return weight_of(value) * kd_conversion_cost(&r->costs, value->type->layout, layout, kd_type_elem_bits(value->type));
}

/* Instructions an element. */
static int64_t op_cost(const kd_op *op)
{
    const kd_type *type = op->results[0].type;
    int64_t width = kd_type_elem_bits(type) > 32 ? 2 : 1;
    switch (op->code) {
    case KD_OP_math: return 8 * width;
    case KD_OP_div:
    case KD_OP_rem: {
        kd_number by;
        bool is_constant = kd_value_constant(kd_op_operand(op, 1), &by);
        return (is_constant ? 3 : kd_type_is_int_like(type) ? 24 : 8) * width;
    }
    case KD_OP_map: {
        int64_t n = 0;
        KD_FOREACH_OP (inner, op->regions[0])
            n += 2;
        return n * width;
    }
    default: return kd_op_has(op, KD_FREE) ? 0 : width;
    }
}

/* A load moves only if nobody else reads it: reading twice could give two answers. */
static bool can_move(const kd_value *value)
{
    return value->def->code == KD_OP_load && !kd_load_is_volatile(value->def) && kd_value_has_one_use(value);
}

static bool wants(const kd_remat *r, const kd_op *op, unsigned i, const kd_layout *result, const kd_layout **out)
{
    *out = NULL;
    const kd_value *operand = op->operands[i].value;
    return !operand || !kd_type_is_tile(operand->type) || kd_layout_of_operand(r->costs.ctx, op, i, result, out);
}

static int64_t own_cost(kd_remat *r, const kd_value *value, const kd_layout *layout)
{
    const kd_op *op = value->def;
    bool goes = kd_value_has_one_use(value) && op->n_results == 1; /* the old one will have no readers */
    kd_access access;
    if (kd_access_of(&r->costs, op, &access))
        return kd_access_cost(&r->costs, &access, layout) - kd_access_cost(&r->costs, &access, value->type->layout);
    return op_cost(op) *
           ((int64_t)kd_layout_n_registers(layout) - (goes ? (int64_t)kd_layout_n_registers(value->type->layout) : 0));
}

static int64_t plan(kd_remat *r, kd_value *value, const kd_layout *layout, unsigned depth, bool may_convert);

/* Computing it again: KD_REMAT_IMPOSSIBLE where that cannot be. */
static int64_t clone_cost(kd_remat *r, kd_value *value, const kd_layout *layout, unsigned depth)
{
    const kd_op *op = value->def;
    if (!op || !(kd_op_takes_any_layout(op) || can_move(value)))
        return KD_REMAT_IMPOSSIBLE;
    int64_t cost = own_cost(r, value, layout) * kd_op_weight(op);
    for (unsigned i = 0; i < op->n_operands; i++) {
        const kd_layout *want;
        if (!wants(r, op, i, layout, &want))
            return KD_REMAT_IMPOSSIBLE;
        if (!want)
            continue;
        int64_t one = plan(r, op->operands[i].value, want, depth + 1, true);
        if (one >= KD_REMAT_IMPOSSIBLE)
            return KD_REMAT_IMPOSSIBLE;
        cost += one;
    }
    return cost;
}

/* The value in that layout, made by a conversion that stands right behind it. */
static kd_value *existing(const kd_remat *r, const kd_value *value, const kd_layout *layout)
{
    const kd_block *home = value->def ? value->def->block : value->owner;
    for (const kd_use *use = value->uses; use; use = use->next)
        if (use->user->code == KD_OP_gpu_convert_layout && use->user != r->root && use->user->block == home &&
            use->user->results[0].type->layout == layout)
            return &use->user->results[0];
    return NULL;
}

static int64_t plan(kd_remat *r, kd_value *value, const kd_layout *layout, unsigned depth, bool may_convert)
{
    if (value->type->layout == layout)
        return 0;
    kd_remat_step *step = find_step(r, value, layout);
    if (step)
        return step->how == KD_REMAT_NO ? KD_REMAT_IMPOSSIBLE
                                        : 0; /* it is paid for; NO: it stands on itself, or was found impossible */
    if (r->n_steps >= MAX_STEPS || depth >= MAX_DEPTH)
        return KD_REMAT_IMPOSSIBLE;
    kd_value *have = may_convert ? existing(r, value, layout) : NULL;
    if (have) {
        kd_remat_have(r, value, layout, have);
        return 0;
    }
    if (value->def && value->def->code == KD_OP_gpu_convert_layout &&
        kd_gpu_convert_layout_src(value->def)->type->layout == layout) {
        kd_remat_have(r, value, layout, kd_gpu_convert_layout_src(value->def));
        return 0;
    }
    step = add_step(r, value, layout);
    int64_t clone = clone_cost(r, value, layout, depth);
    int64_t convert = may_convert ? conversion_cost(r, value, layout) : KD_REMAT_IMPOSSIBLE;
    step->how = clone <= convert ? KD_REMAT_CLONE : KD_REMAT_CONVERT;
    step->cost = clone <= convert ? clone : convert;
    if (step->cost >= KD_REMAT_IMPOSSIBLE)
        step->how = KD_REMAT_NO;
    return step->cost;
}

int64_t kd_remat_cost(kd_remat *r, kd_value *value, const kd_layout *layout)
{
    return plan(r, value, layout, 0, true);
}

int64_t kd_remat_cost_without_conversion(kd_remat *r, kd_value *value, const kd_layout *layout)
{
    return plan(r, value, layout, 0, false);
}

/* ---- making ---- */

kd_op *kd_build_conversion(kd_pass_ctx *px, kd_value *value, const kd_layout *layout)
{
    kd_builder b;
    if (value->def)
        b = kd_builder_after(px->module, value->def);
    else
        b = value->owner->first ? kd_builder_before(px->module, value->owner->first) : kd_builder_at_end(px->module, value->owner);
    return kd_build_gpu_convert_layout(
        &b, (kd_gpu_convert_layout_args){.loc = value->def ? value->def->loc : KD_NO_LOC,
                                         .src = value,
                                         .type = kd_type_with_layout(px->module->ctx, value->type, layout)});
}

static kd_value *make_clone(kd_remat *r, kd_value *value, const kd_layout *layout)
{
    kd_op *op = value->def;
    kd_value **operands = kd_arena_array(r->px->scratch, kd_value *, op->n_operands);
    for (unsigned i = 0; i < op->n_operands; i++) {
        const kd_layout *want;
        wants(r, op, i, layout, &want);
        operands[i] = want ? kd_remat_make(r, op->operands[i].value, want) : op->operands[i].value;
    }
    kd_value_map *map = kd_value_map_create(r->px->scratch);
    kd_builder b = kd_builder_after(r->px->module, op);
    kd_op *clone = kd_clone_op(&b, op, map);
    for (unsigned i = 0; i < op->n_operands; i++)
        kd_op_set_operand(clone, i, operands[i]);
    for (unsigned i = 0; i < op->n_results; i++) {
        clone->results[i].type = kd_type_with_layout(r->costs.ctx, op->results[i].type, layout);
        kd_axis_info_copy(r->costs.info, &op->results[i], &clone->results[i]);
    }
    return &clone->results[value->index];
}

kd_value *kd_remat_make(kd_remat *r, kd_value *value, const kd_layout *layout)
{
    if (value->type->layout == layout)
        return value;
    kd_remat_step *step = find_step(r, value, layout);
    if (step->made)
        return step->made;
    if (step->how == KD_REMAT_CONVERT) {
        kd_op *conversion = kd_build_conversion(r->px, value, layout);
        kd_vec_push(r->px->scratch, &r->conversions, conversion);
        step->made = kd_result(conversion);
        kd_axis_info_copy(r->costs.info, value, step->made);
    } else {
        step->made = make_clone(r, value, layout);
    }
    return step->made;
}

void kd_erase_dead(kd_op *op)
{
    if (!op->block || kd_op_has(op, KD_TERMINATOR) || op->n_results == 0)
        return;
    for (unsigned i = 0; i < op->n_results; i++)
        if (kd_value_has_uses(&op->results[i]))
            return;
    if (!kd_op_is_pure(op) && !(op->code == KD_OP_load && !kd_load_is_volatile(op)))
        return;
    unsigned n = op->n_operands;
    kd_value *read[8];
    for (unsigned i = 0; i < n && i < 8; i++)
        read[i] = op->operands[i].value;
    kd_op_erase(op);
    for (unsigned i = 0; i < n && i < 8; i++)
        if (read[i] && read[i]->def)
            kd_erase_dead(read[i]->def);
}
