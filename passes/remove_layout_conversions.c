/* remove_layout_conversions.c - the fewest and cheapest movements of elements between work-items.
 *
 *     %r = kd.arange : tile<64xi32, A>                        %r = kd.arange : tile<64xi32, A>
 *     %b = gpu.convert_layout %r : tile<64xi32, B>     ==>    %b = kd.arange : tile<64xi32, B>
 *
 * A conversion goes where making its value anew in the other layout costs less (remat.h): ranges, masks, addresses and arithmetic are computed
 * again, a load that nobody else reads moves, and what must be converted in the end is the cheapest cut: before a broadcast, after a narrowing
 * cast. In the other direction a store takes its value as it is, where memory allows, and an op both of whose operands were converted is
 * computed before. What a loop carries changes its layout where that takes conversions out of the loop.
 *
 * Conversions stand right behind what they convert, so those of values from before a loop stand before it.
 * Cost: each step makes the whole cheaper, by the costs of layout_cost.h; a conversion is looked at a few times, with a slice of at most
 * 512 values. */
#include "passes/remat.h"

typedef struct remover {
    kd_pass_ctx *px;
    kd_remat remat;
    KD_VEC(kd_op *) work; /* conversions to look at */
    unsigned budget;      /* of steps: they come to an end by their costs, and by this should costs be wrong */
    bool changed;
} remover;

static kd_value *source(const kd_op *conversion)
{
    return kd_gpu_convert_layout_src(conversion);
}

static void push(remover *s, kd_op *conversion)
{
    kd_vec_push(s->px->scratch, &s->work, conversion);
}

static int64_t cost_of(const remover *s, const kd_op *conversion)
{
    const kd_value *from = source(conversion);
    return kd_op_weight(conversion) * kd_conversion_cost(&s->remat.costs, from->type->layout, conversion->results[0].type->layout,
                                                         kd_type_elem_bits(from->type));
}

/* Puts another value in the place of a conversion's result. */
static bool replace(remover *s, kd_op *conversion, kd_value *value)
{
    kd_value *from = source(conversion);
    for (unsigned i = 0; i < s->remat.conversions.n; i++)
        push(s, s->remat.conversions.data[i]);
    s->remat.conversions.n = 0;
    if (!value->name)
        value->name = conversion->results[0].name;
    kd_op_replace_value(conversion, value);
    if (from->def)
        kd_erase_dead(from->def);
    s->changed = true;
    return true;
}

/* ---- rules ---- */

/* To the same layout; of another conversion; that nobody reads; a second one of the same value. */
static bool fold(remover *s, kd_op *conversion)
{
    kd_value *from = source(conversion), *result = &conversion->results[0];
    if (!kd_value_has_uses(result)) {
        kd_erase_dead(conversion);
        s->changed = true;
        return true;
    }
    if (from->type == result->type)
        return replace(s, conversion, from);
    kd_op *inner = kd_value_def_as(from, KD_OP_gpu_convert_layout);
    if (inner) {
        kd_op_set_operand(conversion, 0, source(inner));
        kd_erase_dead(inner);
        push(s, conversion);
        s->changed = true;
        return true;
    }
    for (kd_op *before = conversion->prev; before && before != from->def; before = before->prev)
        if (before->code == KD_OP_gpu_convert_layout && source(before) == from && before->results[0].type == result->type)
            return replace(s, conversion, &before->results[0]);
    return false;
}

/* Right behind what it converts, unless it would run more often there, or where now it may not run at all. */
static void hoist(remover *s, kd_op *conversion)
{
    const kd_value *from = source(conversion);
    kd_block *home = from->def ? from->def->block : from->owner;
    kd_op *at = conversion;
    while (at->block != home) {
        if (at->block->parent->code != KD_OP_for && at->block->parent->code != KD_OP_while)
            return;
        at = at->block->parent;
    }
    kd_op *anchor = from->def ? from->def->next : home->first;
    while (anchor->code == KD_OP_gpu_convert_layout && anchor != conversion)
        anchor = anchor->next;
    if (anchor == conversion)
        return;
    kd_op_move_before(conversion, anchor);
    s->changed = true;
}

static bool rematerialize(remover *s, kd_op *conversion)
{
    const kd_layout *layout = conversion->results[0].type->layout;
    kd_remat_begin(&s->remat, conversion);
    if (kd_remat_cost_without_conversion(&s->remat, source(conversion), layout) >= cost_of(s, conversion))
        return false;
    return replace(s, conversion, kd_remat_make(&s->remat, source(conversion), layout));
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The cost of an op's other tiles in a layout. */
static int64_t others_cost(remover *s, const kd_op *op, unsigned except, const kd_layout *layout)
{
    int64_t cost = 0;
    for (unsigned i = 0; i < op->n_operands; i++) {
        kd_value *other = op->operands[i].value;
        if (i != except && other && kd_type_is_tile(other->type))
            cost = least(cost + kd_remat_cost(&s->remat, other, layout), KD_REMAT_IMPOSSIBLE);
    }
    return cost;
}

static void take_others(remover *s, kd_op *op, unsigned except, kd_value *value)
{
    for (unsigned i = 0; i < op->n_operands; i++) {
        kd_value *old = op->operands[i].value;
        if (!old || !kd_type_is_tile(old->type))
            continue;
        kd_value *fresh = i == except ? value : kd_remat_make(&s->remat, old, value->type->layout);
        if (fresh == old)
            continue;
        kd_op_set_operand(op, i, fresh);
        if (old->def)
            kd_erase_dead(old->def);
    }
    for (unsigned i = 0; i < s->remat.conversions.n; i++)
        push(s, s->remat.conversions.data[i]);
    s->remat.conversions.n = 0;
    s->changed = true;
}

/* A store of a converted value runs in the layout that the value had before. */
static bool sink_into_store(remover *s, kd_op *conversion)
{
    kd_use *use = conversion->results[0].uses;
    kd_op *store = use->user;
    kd_access access;
    if (use->next || store->code != KD_OP_store || kd_store_value(store) != &conversion->results[0] ||
        !kd_access_of(&s->remat.costs, store, &access))
        return false;
    const kd_layout *from = source(conversion)->type->layout, *to = conversion->results[0].type->layout;
    kd_remat_begin(&s->remat, conversion);
    int64_t weight = kd_op_weight(store);
    int64_t before = cost_of(s, conversion) + weight * kd_access_cost(&s->remat.costs, &access, to);
    int64_t after = weight * kd_access_cost(&s->remat.costs, &access, from) + others_cost(s, store, 1, from);
    if (after >= before)
        return false;
    take_others(s, store, 1, source(conversion)); /* erases the conversion */
    return true;
}

/* An element-wise op that alone reads a converted value is computed before the conversion: cheaper where its other operands were converted
 * too, or its result is narrower. */
static bool sink_through_op(remover *s, kd_op *conversion)
{
    kd_use *use = conversion->results[0].uses;
    kd_op *op = use->user;
    if (use->next || !kd_op_has(op, KD_ELEMENTWISE | KD_PURE) || op->n_results != 1 || op->code == KD_OP_gpu_convert_layout ||
        op->block != conversion->block)
        return false;
    const kd_layout *from = source(conversion)->type->layout, *to = conversion->results[0].type->layout;
    kd_value *result = &op->results[0];
    kd_remat_begin(&s->remat, conversion);
    int64_t after = kd_op_weight(op) * kd_conversion_cost(&s->remat.costs, from, to, kd_type_elem_bits(result->type)) +
                    kd_op_weight(op) * ((int64_t)kd_layout_n_registers(from) - (int64_t)kd_layout_n_registers(to));
    after += others_cost(s, op, (unsigned)(use - op->operands), from);
    if (after >= cost_of(s, conversion))
        return false;
    take_others(s, op, (unsigned)(use - op->operands), source(conversion));
    const kd_type *type = result->type;
    result->type = kd_type_with_layout(s->px->module->ctx, type, from);
    kd_op *fresh = kd_build_conversion(s->px, result, to);
    kd_value_replace_uses(result, &fresh->results[0]);
    kd_op_set_operand(fresh, 0, result);
    push(s, fresh);
    return true;
}

/* ---- loops ---- */

/* A reader that wants the value in a layout: a conversion to it. */
static bool wants_layout(const kd_op *reader, const kd_layout *layout)
{
    return reader->code == KD_OP_gpu_convert_layout && reader->results[0].type->layout == layout;
}

/* An op that will be computed in another layout, and whose result nobody else reads. */
static bool will_go(const remover *s, const kd_op *op)
{
    if (op->n_results != 1 || !kd_value_has_one_use(&op->results[0]))
        return false;
    for (const kd_remat_step *step = kd_map_get_ptr(&s->remat.steps, &op->results[0]); step; step = step->next)
        if (step->how == KD_REMAT_CLONE)
            return true;
    return false;
}

/* What it saves (less than 0: costs) at the readers of a value that its layout changes: conversions to the new one go, all others need one
 * back. */
static int64_t readers_gain(const remover *s, const kd_value *value, const kd_layout *layout, int64_t weight)
{
    int64_t gain = 0;
    bool others = false;
    for (const kd_use *use = value->uses; use; use = use->next)
        if (wants_layout(use->user, layout))
            gain += cost_of(s, use->user);
        else
            others |= !kd_op_has(use->user, KD_TERMINATOR) && !will_go(s, use->user);
    return gain -
           (others ? weight * kd_conversion_cost(&s->remat.costs, layout, value->type->layout, kd_type_elem_bits(value->type)) : 0);
}

static kd_op *conversion_to(const kd_value *value, const kd_layout *layout)
{
    for (const kd_use *use = value->uses; use; use = use->next)
        if (wants_layout(use->user, layout))
            return use->user;
    return NULL;
}

/* Gives the value another layout: conversions to it go, all other readers get one back. */
static void change_layout(remover *s, kd_value *value, const kd_layout *layout)
{
    const kd_layout *old = value->type->layout;
    KD_VEC(kd_use *) readers = {0};
    kd_op *back = NULL;
    for (kd_use *use = value->uses; use; use = use->next)
        if (!wants_layout(use->user, layout))
            kd_vec_push(s->px->scratch, &readers, use);
    value->type = kd_type_with_layout(s->px->module->ctx, value->type, layout);
    for (unsigned i = 0; i < readers.n; i++) {
        kd_use *use = readers.data[i];
        if (!back)
            back = kd_build_conversion(s->px, value, old);
        kd_op_set_operand(use->user, (unsigned)(use - use->user->operands), &back->results[0]);
    }
    for (kd_op *gone; (gone = conversion_to(value, layout));)
        kd_op_replace_value(gone, value);
    if (back)
        push(s, back);
}

/* Carried value i of a loop in another layout. */
static bool try_carry(remover *s, kd_op *loop, unsigned i, const kd_layout *layout)
{
    kd_value *arg = loop->regions[0]->args[1 + i], *init = kd_for_inits(loop, i), *result = &loop->results[i];
    kd_op *end = kd_block_terminator(loop->regions[0]);
    kd_value *next = kd_op_operand(end, i);
    kd_remat_begin(&s->remat, NULL);
    kd_value *converted = NULL; /* stands for the argument in the new layout */
    for (const kd_use *use = arg->uses; use && !converted; use = use->next)
        if (wants_layout(use->user, layout) && use->user->block == arg->owner)
            converted = &use->user->results[0];
    if (!converted)
        return false;
    hoist(s, converted->def);
    kd_remat_have(&s->remat, arg, layout, converted);
    int64_t cost = kd_remat_cost(&s->remat, next, layout) + kd_remat_cost(&s->remat, init, layout);
    int64_t gain = readers_gain(s, arg, layout, kd_op_weight(end)) + readers_gain(s, result, layout, kd_op_weight(loop));
    if (cost >= KD_REMAT_IMPOSSIBLE || gain <= cost)
        return false;
    kd_value *fresh_next = kd_remat_make(&s->remat, next, layout), *fresh_init = kd_remat_make(&s->remat, init, layout);
    kd_op_set_operand(end, i, fresh_next);
    kd_op_set_operand(loop, 3 + i, fresh_init);
    change_layout(s, result, layout);
    if (next != fresh_next && next->def)
        kd_erase_dead(next->def);
    if (init != fresh_init && init->def)
        kd_erase_dead(init->def);
    change_layout(s, arg, layout);
    for (unsigned k = 0; k < s->remat.conversions.n; k++)
        push(s, s->remat.conversions.data[k]);
    s->remat.conversions.n = 0;
    s->changed = true;
    return true;
}

/* For the carried value that a conversion in a loop's body reads. */
static bool carry(remover *s, kd_op *conversion)
{
    const kd_value *from = source(conversion);
    if (from->def || from->owner->parent->code != KD_OP_for || from->index == 0)
        return false;
    return try_carry(s, from->owner->parent, from->index - 1, conversion->results[0].type->layout);
}

/* ---- the pass ---- */

static bool is_alive(const remover *s, const kd_op *op)
{
    while (op->block)
        op = op->block->parent;
    return op == s->px->module->op;
}

static void gather(kd_op *op, void *user)
{
    if (op->code == KD_OP_gpu_convert_layout)
        push(user, op);
}

static void look_at(remover *s, kd_op *conversion)
{
    if (fold(s, conversion))
        return;
    hoist(s, conversion);
    if (rematerialize(s, conversion) || carry(s, conversion))
        return;
    if (!sink_into_store(s, conversion))
        sink_through_op(s, conversion);
}

kd_pass_result kd_pass_remove_layout_conversions(kd_pass_ctx *px, kd_op *func)
{
    remover s = {.px = px, .remat = {.px = px}};
    kd_op_walk(func, gather, &s);
    if (!s.work.n)
        return KD_PASS_UNCHANGED;
    if (!px->gpu) {
        kd_error(px->diags, func->loc, "layouts are changed for a GPU, but none is given (--target spirv:NAME)");
        return KD_PASS_FAILED;
    }
    s.remat.costs = kd_layout_costs_create(px->module->ctx, px->gpu, px->scratch, func);
    s.budget = 16 * s.work.n + 64;
    while (s.work.n && s.budget--) {
        kd_op *conversion = kd_vec_pop(&s.work);
        if (is_alive(&s, conversion))
            look_at(&s, conversion);
    }
    return s.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
