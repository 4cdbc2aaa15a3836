/* assign_layouts.c - give every tile a layout, and put gpu.convert_layout where a reader needs another one.
 *
 * Values fall into two kinds. *Free* ones follow from nothing but constants, ranges and scalars (addresses, masks): they can be made in any
 * layout, so they get the one that most of their readers want. The others form *classes* that want one layout: what goes in and out of an
 * element-wise op, what a loop carries. For each class the pass collects what ties it to memory, dots, reductions and other classes; each
 * tie proposes a layout and has a cost in each proposed one (layout_cost.h); the cheapest layout wins. Classes are decided one by one, large
 * ones and those at memory or dots first, so that the others can follow them.
 *
 * An access need not have the layout of its class: where that would read memory badly, it runs in its own and is converted.
 *
 * Needs:   no calls that pass tiles (inline).   Leaves: conversions, many of which remove-layout-conversions takes away.
 * Cost: linear in ops, times the proposals of a class (at most 8). */
#include "passes/assign_layouts_impl.h"
#include "base/bug.h"
#include "ir/builder.h"

/* ---- what an op wants, once all homes are known ---- */

static const kd_layout *home(const kd_value *value)
{
    return value->type->layout;
}

/* The layout in which the op runs: of its results, or without results of its first tile. */
static const kd_layout *running_layout(kd_assigner *s, const kd_op *op)
{
    const kd_layout *fixed = kd_map_get_ptr(&s->running, op);
    if (fixed)
        return fixed;
    if (op->n_results)
        return home(&op->results[0]);
    for (unsigned i = 0; i < op->n_operands; i++)
        if (op->operands[i].value && home(op->operands[i].value))
            return home(op->operands[i].value);
    return NULL;
}

/* Both halves in every work-item. */
static const kd_layout *layout_of_joined_scalars(kd_assigner *s, const kd_type *type)
{
    kd_layout l = {.n_out_bits = 1, .n_bits = {1}, .basis = {{1}}};
    const kd_layout *any = kd_default_layout(&s->costs, type, 0);
    l.n_bits[KD_LANE] = any->n_bits[KD_LANE];
    l.n_bits[KD_SUB_GROUP] = any->n_bits[KD_SUB_GROUP];
    return kd_layout_intern(s->costs.ctx, &l);
}

/* In which layout the op at hand reads an operand; NULL: as it is. Reductions and others whose operands do not follow from the result agree
 * with their first operand that has a home. */
static const kd_layout *wanted(kd_assigner *s, const kd_op *op, unsigned i)
{
    const kd_type *type = op->operands[i].value->type;
    const kd_layout *out = NULL;
    switch (op->code) {
    case KD_OP_reduce:
    case KD_OP_histogram:
    case KD_OP_assert:
        for (unsigned k = 0; k < op->n_operands && !out; k++)
            if (op->operands[k].value && kd_value_class(s, op->operands[k].value))
                out = home(op->operands[k].value);
        for (unsigned k = 0; k < op->n_operands && !out; k++)
            if (op->operands[k].value)
                out = home(op->operands[k].value);
        return out;
    case KD_OP_dot: {
        kd_dot_layouts dot = kd_dot_layouts_choose(s->costs.ctx, op, s->costs.config);
        return i == 0 ? dot.a : i == 1 ? dot.b : dot.acc;
    }
    case KD_OP_split:
        if (!kd_type_is_tile(op->results[0].type))
            return layout_of_joined_scalars(s, type);
        break;
    case KD_OP_for: return i < 3 ? NULL : home(&op->results[i - 3]);
    case KD_OP_while: return home(op->regions[0]->args[i]);
    case KD_OP_yield: {
        const kd_op *parent = op->block->parent;
        return parent->code == KD_OP_while ? home(parent->regions[0]->args[i]) : home(&parent->results[i]);
    }
    case KD_OP_condition: return home(&op->block->parent->results[i - 1]);
    default: break;
    }
    const kd_layout *running = running_layout(s, op);
    if (!running && op->code != KD_OP_split)
        return NULL;
    return kd_layout_of_operand(s->costs.ctx, op, i, running, &out) ? out : NULL;
}

/* ---- free values: as their readers want them ---- */

/* The layout that most readers want, where inner loops count more. Readers come later in the text, so they have theirs. */
static const kd_layout *most_wanted(kd_assigner *s, const kd_value *value)
{
    enum { MAX_CHOICES = 4, MAX_READERS = 64 };
    const kd_layout *choices[MAX_CHOICES];
    int64_t votes[MAX_CHOICES], best = -1;
    unsigned n = 0, n_readers = 0, at = 0;
    for (const kd_use *use = value->uses; use && n_readers < MAX_READERS; use = use->next, n_readers++) {
        const kd_layout *layout = wanted(s, use->user, (unsigned)(use - use->user->operands));
        unsigned k = 0;
        while (k < n && choices[k] != layout)
            k++;
        if (!layout || k == MAX_CHOICES)
            continue;
        if (k == n) {
            choices[n] = layout;
            votes[n++] = 0;
        }
        votes[k] += kd_op_weight(use->user);
    }
    for (unsigned k = 0; k < n; k++)
        if (votes[k] > best) {
            best = votes[k];
            at = k;
        }
    return n ? choices[at] : NULL;
}

static void set_home(kd_assigner *s, kd_value *value, const kd_layout *layout)
{
    value->type = kd_type_with_layout(s->costs.ctx, value->type, layout ? layout : kd_default_layout(&s->costs, value->type, 0));
}

/* A join whose result's home does not have the pairs in a register runs in a layout that has. */
static void fix_join(kd_assigner *s, const kd_op *op)
{
    const kd_layout *operand = NULL;
    if (kd_layout_of_operand(s->costs.ctx, op, 0, home(&op->results[0]), &operand))
        return;
    const kd_type *type = kd_join_a(op)->type;
    const kd_layout *running = NULL;
    if (!kd_type_is_tile(type))
        running = layout_of_joined_scalars(s, op->results[0].type);
    else
        running = kd_layout_join(s->costs.ctx, home(kd_join_a(op)) ? home(kd_join_a(op)) : kd_default_layout(&s->costs, type, 0));
    *kd_map_at_ptr(&s->running, op) = (void *)running;
}

/* From the end: readers before what they read. */
static void settle_block(kd_assigner *s, kd_block *block)
{
    for (kd_op *op = block->last; op; op = op->prev) {
        for (unsigned i = 0; i < op->n_results; i++)
            if (kd_type_is_tile(op->results[i].type) && !home(&op->results[i]))
                set_home(s, &op->results[i],
                         i && home(&op->results[0]) && kd_op_has(op, KD_ELEMENTWISE) ? home(&op->results[0])
                                                                                     : most_wanted(s, &op->results[i]));
        if (op->code == KD_OP_join)
            fix_join(s, op);
        for (unsigned r = op->n_regions; r-- > 0;)
            settle_block(s, op->regions[r]);
    }
}

/* ---- rewriting ---- */

/* The value in that layout: itself, or a conversion that stands right behind its definition. */
static kd_value *in_layout(kd_assigner *s, kd_value *value, const kd_layout *layout, kd_loc loc)
{
    if (!layout || home(value) == layout)
        return value;
    kd_value **list = (kd_value **)kd_map_at_ptr(&s->converted, value);
    for (kd_value *other = *list; other; other = kd_map_get_ptr(&s->converted, other))
        if (home(other) == layout)
            return other;
    kd_builder b;
    if (value->def)
        b = kd_builder_after(s->px->module, value->def);
    else
        b = value->owner->first ? kd_builder_before(s->px->module, value->owner->first)
                                : kd_builder_at_end(s->px->module, value->owner);
    const kd_type *type = kd_type_with_layout(s->costs.ctx, value->type, layout);
    kd_value *fresh =
        kd_result(kd_build_gpu_convert_layout(&b, (kd_gpu_convert_layout_args){.loc = loc, .src = value, .type = type}));
    void *next = *kd_map_at_ptr(&s->converted, value);
    *kd_map_at_ptr(&s->converted, fresh) = next;
    *kd_map_at_ptr(&s->converted, value) = fresh;
    return fresh;
}

/* The results of an op that runs in another layout than their home: converted for all who read them. */
static void convert_result(kd_assigner *s, kd_op *op, unsigned i, const kd_layout *running)
{
    kd_value *value = &op->results[i];
    const kd_type *at_home = value->type;
    if (!running || running == at_home->layout)
        return;
    value->type = kd_type_with_layout(s->costs.ctx, at_home, running);
    kd_builder b = kd_builder_after(s->px->module, op);
    kd_op *convert = kd_build_gpu_convert_layout(&b, (kd_gpu_convert_layout_args){.loc = op->loc, .src = value, .type = at_home});
    kd_value_replace_uses(value, kd_result(convert));
    kd_op_set_operand(convert, 0, value);
    *kd_map_at_ptr(&s->converted, kd_result(convert)) = NULL;
}

static const kd_layout *running_for_result(kd_assigner *s, const kd_op *op, unsigned i)
{
    if (op->code == KD_OP_reduce) {
        const kd_layout *operand = wanted(s, op, 0);
        return kd_layout_of_result(s->costs.ctx, op, 0, operand);
    }
    if (op->code == KD_OP_dot)
        return kd_dot_layouts_choose(s->costs.ctx, op, s->costs.config).acc;
    return kd_op_has(op, KD_ELEMENTWISE) || op->code == KD_OP_join ? running_layout(s, op) : NULL;
}

static void rewrite_block(kd_assigner *s, kd_block *block)
{
    for (kd_op *op = block->first, *next; op; op = next) {
        next = op->next;
        if (op->code == KD_OP_gpu_convert_layout)
            continue; /* ours */
        for (unsigned i = 0; i < op->n_operands; i++) {
            kd_value *value = op->operands[i].value;
            if (!value || !kd_type_is_tile(value->type))
                continue;
            kd_value *fresh = in_layout(s, value, wanted(s, op, i), op->loc);
            if (fresh != value)
                kd_op_set_operand(op, i, fresh);
        }
        for (unsigned i = 0; i < op->n_results; i++)
            if (kd_type_is_tile(op->results[i].type))
                convert_result(s, op, i, running_for_result(s, op, i));
        for (unsigned r = 0; r < op->n_regions; r++)
            rewrite_block(s, op->regions[r]);
    }
}

static void settle_args(kd_op *op, void *user)
{
    kd_assigner *s = user;
    for (unsigned r = 0; r < op->n_regions; r++)
        for (unsigned i = 0; i < op->regions[r]->n_args; i++)
            if (kd_type_is_tile(op->regions[r]->args[i]->type) && !home(op->regions[r]->args[i]))
                set_home(s, op->regions[r]->args[i], NULL);
}

typedef struct found {
    bool layouts;
    const kd_op *lowered; /* of a level behind tiles */
} found;

static void look(kd_op *op, void *user)
{
    found *f = user;
    for (unsigned i = 0; i < op->n_results; i++)
        f->layouts |= op->results[i].type->layout != NULL;
    for (unsigned i = 0; i < op->n_operands; i++)
        f->layouts |= op->operands[i].value && op->operands[i].value->type->layout;
    if (op->code >= KD_OP_cpu_buffer && !f->lowered) /* the first in ops.def that is no kd op */
        f->lowered = op;
}

kd_pass_result kd_pass_assign_layouts(kd_pass_ctx *px, kd_op *func)
{
    if (!px->gpu) {
        kd_error(px->diags, func->loc, "layouts are assigned for a GPU, but none is given (--target spirv:NAME)");
        return KD_PASS_FAILED;
    }
    found f = {0};
    kd_op_walk(func, look, &f);
    if (f.layouts)
        return KD_PASS_UNCHANGED;
    if (f.lowered) {
        kd_error(px->diags, f.lowered->loc, "layouts are assigned to tiles, but '%s' is for code that is lowered already",
                 kd_op_infos[f.lowered->code].mnemonic);
        return KD_PASS_FAILED;
    }
    kd_assigner s = {.px = px,
                     .running = kd_map_in(px->scratch),
                     .converted = kd_map_in(px->scratch),
                     .costs = kd_layout_costs_create(px->module->ctx, px->gpu, px->scratch, func)};
    kd_decide_classes(&s, func);
    settle_args(func, &s);
    kd_op_walk(func, settle_args, &s);
    settle_block(&s, func->regions[0]);
    rewrite_block(&s, func->regions[0]);
    return KD_PASS_CHANGED;
}
