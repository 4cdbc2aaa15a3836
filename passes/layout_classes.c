/* layout_classes.c - which values want one layout, and which layout that is. See assign_layouts.c. */
#include "base/bug.h"
#include "passes/assign_layouts_impl.h"

#include <stdlib.h>

enum { MAX_PROPOSALS = 8, MAX_TIES = 64 }; /* of a class; more are not looked at, so that time stays linear */

/* ---- classes ---- */

static kd_layout_class *root_of(kd_layout_class *c)
{
    while (c && c->parent) {
        if (c->parent->parent)
            c->parent = c->parent->parent;
        c = c->parent;
    }
    return c;
}

kd_layout_class *kd_value_class(const kd_assigner *s, const kd_value *value)
{
    return value ? root_of(kd_map_get_ptr(&s->classes, value)) : NULL;
}

static void class_new(kd_assigner *s, kd_value *value)
{
    if (!kd_type_is_tile(value->type))
        return;
    kd_layout_class *c = kd_arena_new(s->px->scratch, kd_layout_class);
    c->type = value->type;
    c->order = s->made.n;
    kd_vec_push(s->px->scratch, &c->values, value);
    kd_vec_push(s->px->scratch, &s->made, c);
    *kd_map_at_ptr(&s->classes, value) = c;
}

/* Values that are free or scalars belong to no class and stay out. The smaller class goes into the larger one. */
static void unite(kd_assigner *s, const kd_value *x, const kd_value *y)
{
    kd_layout_class *a = kd_value_class(s, x), *b = kd_value_class(s, y);
    if (!a || !b || a == b)
        return;
    if (a->values.n < b->values.n) {
        kd_layout_class *swap = a;
        a = b;
        b = swap;
    }
    for (unsigned i = 0; i < b->values.n; i++)
        kd_vec_push(s->px->scratch, &a->values, b->values.data[i]);
    for (unsigned i = 0; i < b->ties.n; i++)
        kd_vec_push(s->px->scratch, &a->ties, b->ties.data[i]);
    a->has_anchor |= b->has_anchor;
    b->parent = a;
}

static void tie_to(kd_assigner *s, const kd_value *value, kd_tie_kind kind, kd_op *op, unsigned operand)
{
    kd_layout_class *c = kd_value_class(s, value);
    if (!c)
        return;
    c->has_anchor |= kind == KD_TIE_ACCESS || kind == KD_TIE_DOT || kind == KD_TIE_FACTOR;
    kd_vec_push(s->px->scratch, &c->ties, (kd_tie){op, kind, operand});
}

/* ---- finding them ---- */

/* In the order of the text: what an op reads has been looked at, but for what loops carry, which is never free. */
static void find_values(kd_op *op, void *user)
{
    kd_assigner *s = user;
    bool is_free = kd_op_takes_any_layout(op);
    for (unsigned i = 0; i < op->n_operands && is_free; i++)
        is_free = !kd_value_class(s, op->operands[i].value);
    for (unsigned i = 0; i < op->n_results && !is_free; i++)
        class_new(s, &op->results[i]);
    for (unsigned r = 0; r < op->n_regions; r++)
        for (unsigned i = 0; i < op->regions[r]->n_args; i++)
            class_new(s, op->regions[r]->args[i]);
}

static void unite_all(kd_assigner *s, kd_op *op)
{
    kd_value *first = NULL;
    for (unsigned i = 0; i < op->n_operands + op->n_results; i++) {
        kd_value *value = i < op->n_operands ? op->operands[i].value : &op->results[i - op->n_operands];
        if (!value || !kd_value_class(s, value))
            continue;
        if (first)
            unite(s, first, value);
        first = value;
    }
}

/* Whether the operand of an access is what is stored, or takes part in it. */
static bool is_data(const kd_op *op, unsigned i)
{
    switch (op->code) {
    case KD_OP_store:
    case KD_OP_atomic:
    case KD_OP_block_store: return i == 1;
    case KD_OP_atomic_cas: return i >= 1;
    default: return false;
    }
}

static void tie_access(kd_assigner *s, kd_op *op)
{
    bool is_store = op->code == KD_OP_store;
    if (op->code == KD_OP_atomic)
        unite(s, &op->results[0], kd_atomic_value(op));
    if (op->code == KD_OP_atomic_cas) {
        unite(s, &op->results[0], kd_atomic_cas_expected(op));
        unite(s, &op->results[0], kd_atomic_cas_desired(op));
    }
    tie_to(s, is_store ? kd_store_value(op) : &op->results[0], KD_TIE_ACCESS, op, 1);
    for (unsigned i = 0; i < op->n_operands; i++) {
        if (op->operands[i].value && !is_data(op, i))
            tie_to(s, op->operands[i].value, KD_TIE_ADDRESS, op, i);
    }
}

static void unite_loop(kd_assigner *s, kd_op *op)
{
    const kd_block *first = op->regions[0];
    const kd_op *end = kd_block_terminator(first);
    if (op->code == KD_OP_for)
        for (unsigned i = 0; i < op->n_results; i++) {
            unite(s, &op->results[i], first->args[1 + i]);
            unite(s, &op->results[i], kd_for_inits(op, i));
            unite(s, &op->results[i], kd_op_operand(end, i));
        }
    if (op->code == KD_OP_while) {
        const kd_block *second = op->regions[1];
        for (unsigned i = 0; i < first->n_args; i++) {
            unite(s, first->args[i], kd_while_inits(op, i));
            unite(s, first->args[i], kd_op_operand(kd_block_terminator(second), i));
        }
        for (unsigned i = 0; i < op->n_results; i++) {
            unite(s, &op->results[i], second->args[i]);
            unite(s, &op->results[i], kd_condition_values(end, i));
        }
    }
    if (op->code == KD_OP_if)
        for (unsigned i = 0; i < op->n_results; i++)
            for (unsigned r = 0; r < 2; r++)
                unite(s, &op->results[i], kd_op_operand(kd_block_terminator(op->regions[r]), i));
}

static void find_ties(kd_op *op, void *user)
{
    kd_assigner *s = user;
    switch (op->code) {
    case KD_OP_for:
    case KD_OP_while:
    case KD_OP_if: unite_loop(s, op); return;
    case KD_OP_load:
    case KD_OP_store:
    case KD_OP_atomic:
    case KD_OP_atomic_cas: tie_access(s, op); return;
    case KD_OP_block_load: tie_to(s, &op->results[0], KD_TIE_ACCESS, op, 0); return;
    case KD_OP_block_store: tie_to(s, kd_block_store_value(op), KD_TIE_ACCESS, op, 1); return;
    case KD_OP_reduce:
        for (unsigned i = 1; i < op->n_operands; i++) {
            unite(s, kd_op_operand(op, 0), kd_op_operand(op, i));
            unite(s, &op->results[0], &op->results[i]);
        }
        for (unsigned i = op->n_operands; i-- > 1;) /* one of them speaks for all, also where the first is free */
            if (kd_value_class(s, kd_op_operand(op, i)) && !kd_value_class(s, kd_op_operand(op, 0)))
                tie_to(s, kd_op_operand(op, i), KD_TIE_REDUCE, op, i);
        tie_to(s, kd_op_operand(op, 0), KD_TIE_REDUCE, op, 0);
        tie_to(s, &op->results[0], KD_TIE_MADE, op, 0);
        return;
    case KD_OP_dot:
        unite(s, kd_dot_acc(op), &op->results[0]);
        tie_to(s, kd_dot_a(op), KD_TIE_FACTOR, op, 0);
        tie_to(s, kd_dot_b(op), KD_TIE_FACTOR, op, 1);
        tie_to(s, &op->results[0], KD_TIE_DOT, op, 2);
        return;
    case KD_OP_broadcast:
    case KD_OP_permute:
    case KD_OP_join:
    case KD_OP_split:
        for (unsigned i = 0; i < op->n_operands; i++)
            tie_to(s, kd_op_operand(op, i), KD_TIE_USE, op, i);
        tie_to(s, &op->results[0], KD_TIE_MADE, op, 0);
        for (unsigned i = 1; i < op->n_results; i++)
            unite(s, &op->results[0], &op->results[i]);
        return;
    case KD_OP_gather: unite(s, kd_gather_index(op), &op->results[0]); return;
    case KD_OP_sort:
        if (op->results[0].type != kd_sort_tile(op)->type)
            return;
        break;
    case KD_OP_reshape:
    case KD_OP_scan:
    case KD_OP_histogram: /* its result has no tile's layout, but is i32 of other extent: see below */
    case KD_OP_assert: break;
    default:
        if (!kd_op_has(op, KD_ELEMENTWISE))
            return;
    }
    if (op->code == KD_OP_histogram)
        unite(s, kd_histogram_tile(op), kd_histogram_mask(op));
    else
        unite_all(s, op);
}

/* ---- deciding ---- */

static const kd_layout *decided(const kd_assigner *s, const kd_value *value)
{
    const kd_layout_class *c = kd_value_class(s, value);
    return c ? c->layout : NULL;
}

static uint32_t reduced_axes(const kd_layout_class *c, const kd_type *type)
{
    uint32_t axes = 0;
    for (unsigned i = 0; i < c->ties.n && i < MAX_TIES; i++)
        if (c->ties.data[i].kind == KD_TIE_REDUCE && kd_type_same_shape(c->ties.data[i].op->operands[0].value->type, type))
            axes |= 1u << kd_reduce_axis(c->ties.data[i].op);
    return axes;
}

static unsigned bits_of(const kd_layout_class *c)
{
    return kd_type_elem_bits(c->type);
}

static int64_t conversion(const kd_assigner *s, const kd_layout_class *c, const kd_layout *from, const kd_layout *to)
{
    return !from || !to ? 0 : kd_conversion_cost(&s->costs, from, to, bits_of(c));
}

/* Of bringing an access's addresses, masks and defaults to a layout, as far as they are decided and not free. */
static int64_t addresses_cost(const kd_assigner *s, const kd_op *op, const kd_layout *layout)
{
    int64_t cost = 0;
    for (unsigned i = 0; i < op->n_operands; i++) {
        const kd_value *value = op->operands[i].value;
        const kd_layout *have = decided(s, value);
        if (have && !is_data(op, i))
            cost += kd_conversion_cost(&s->costs, have, layout, kd_type_elem_bits(value->type));
    }
    return cost;
}

/* An access runs in the layout of its class, or in its own and the value is converted. */
static int64_t access_cost(kd_assigner *s, const kd_layout_class *c, const kd_op *op, const kd_layout *layout,
                           const kd_layout **out_running)
{
    kd_access access;
    *out_running = layout;
    if (!kd_access_of(&s->costs, op, &access))
        return 0;
    const kd_layout *own = kd_access_layout(&s->costs, &access, reduced_axes(c, access.type));
    unsigned bits = access.elem_bytes * 8; /* class values may be wider or narrower */
    int64_t here = kd_access_cost(&s->costs, &access, layout) + addresses_cost(s, op, layout);
    int64_t there =
        kd_access_cost(&s->costs, &access, own) + addresses_cost(s, op, own) +
        (access.is_store ? kd_conversion_cost(&s->costs, layout, own, bits) : kd_conversion_cost(&s->costs, own, layout, bits));
    if (there < here)
        *out_running = own;
    return there < here ? there : here;
}

static int64_t made_cost(const kd_assigner *s, const kd_layout_class *c, const kd_op *op, const kd_layout *layout)
{
    int64_t cost = 0;
    for (unsigned i = 0; i < op->n_operands; i++) {
        const kd_layout *operand = decided(s, kd_op_operand(op, i)), *want = NULL;
        if (!operand)
            continue;
        if (op->code == KD_OP_reduce)
            return conversion(s, c, kd_layout_of_result(s->costs.ctx, op, i, operand), layout);
        if (!kd_layout_of_operand(s->costs.ctx, op, i, layout, &want))
            cost += conversion(s, c, kd_layout_of_result(s->costs.ctx, op, i, operand), layout);
        else
            cost += conversion(s, c, operand, want);
    }
    return cost;
}

static const kd_layout *factor_layout(const kd_assigner *s, const kd_tie *t)
{
    kd_dot_layouts dot = kd_dot_layouts_choose(s->costs.ctx, t->op, s->costs.config);
    return t->kind == KD_TIE_DOT ? dot.acc : t->operand ? dot.b : dot.a;
}

static const kd_layout *used_as(const kd_assigner *s, const kd_tie *t)
{
    const kd_layout *result = decided(s, &t->op->results[0]), *want = NULL;
    return result && kd_layout_of_operand(s->costs.ctx, t->op, t->operand, result, &want) ? want : NULL;
}

static int64_t tie_cost(kd_assigner *s, const kd_layout_class *c, const kd_tie *t, const kd_layout *layout)
{
    const kd_layout *running;
    switch (t->kind) {
    case KD_TIE_ACCESS: return access_cost(s, c, t->op, layout, &running);
    case KD_TIE_ADDRESS: return conversion(s, c, layout, kd_map_get_ptr(&s->running, t->op));
    case KD_TIE_REDUCE: {
        const kd_value *operand = kd_op_operand(t->op, t->operand);
        const kd_layout *result = decided(s, &t->op->results[0]);
        return kd_reduction_cost(&s->costs, layout, operand->type, (unsigned)kd_reduce_axis(t->op)) +
               (result ? conversion(s, c, kd_layout_of_result(s->costs.ctx, t->op, t->operand, layout), result) : 0);
    }
    case KD_TIE_DOT: return conversion(s, c, layout, factor_layout(s, t)) + conversion(s, c, factor_layout(s, t), layout);
    case KD_TIE_FACTOR: return conversion(s, c, layout, factor_layout(s, t));
    case KD_TIE_USE: return conversion(s, c, layout, used_as(s, t));
    case KD_TIE_MADE: return made_cost(s, c, t->op, layout);
    }
    return 0;
}

typedef struct proposals {
    const kd_layout *list[MAX_PROPOSALS];
    unsigned n;
} proposals;

static void propose(proposals *p, const kd_layout *layout)
{
    if (!layout || !layout->is_complete || p->n == MAX_PROPOSALS)
        return;
    for (unsigned i = 0; i < p->n; i++)
        if (p->list[i] == layout)
            return;
    p->list[p->n++] = layout;
}

static void propose_for_tie(kd_assigner *s, const kd_layout_class *c, const kd_tie *t, proposals *p)
{
    kd_access access;
    switch (t->kind) {
    case KD_TIE_ACCESS:
        if (!kd_access_of(&s->costs, t->op, &access))
            break;
        uint32_t reduced = reduced_axes(c, access.type);
        propose(p, kd_access_layout(&s->costs, &access, reduced));
        if (reduced)
            propose(p, kd_access_layout(&s->costs, &access, 0));
        for (unsigned i = 0; i < t->op->n_operands; i++)
            if (!is_data(t->op, i) && t->op->operands[i].value && kd_type_same_shape(t->op->operands[i].value->type, access.type))
                propose(p, decided(s, t->op->operands[i].value));
        break;
    case KD_TIE_ADDRESS: propose(p, kd_map_get_ptr(&s->running, t->op)); break;
    case KD_TIE_REDUCE: break;
    case KD_TIE_DOT:
    case KD_TIE_FACTOR: propose(p, factor_layout(s, t)); break;
    case KD_TIE_USE: propose(p, used_as(s, t)); break;
    case KD_TIE_MADE:
        for (unsigned i = 0; i < t->op->n_operands; i++) {
            const kd_layout *operand = decided(s, kd_op_operand(t->op, i));
            propose(p, operand ? kd_layout_of_result(s->costs.ctx, t->op, i, operand) : NULL);
        }
        break;
    }
}

/* The accesses of a class that is decided run in its layout or in their own. */
static void place_accesses(kd_assigner *s, const kd_layout_class *c)
{
    for (unsigned i = 0; i < c->ties.n; i++) {
        const kd_layout *running = NULL;
        if (c->ties.data[i].kind != KD_TIE_ACCESS)
            continue;
        access_cost(s, c, c->ties.data[i].op, c->layout, &running);
        *kd_map_at_ptr(&s->running, c->ties.data[i].op) = (void *)running;
    }
}

static void choose(kd_assigner *s, kd_layout_class *c, const proposals *p)
{
    int64_t best = INT64_MAX;
    for (unsigned k = 0; k < p->n; k++) {
        int64_t cost = 0;
        for (unsigned i = 0; i < c->ties.n && i < MAX_TIES && p->n > 1; i++)
            cost += tie_cost(s, c, &c->ties.data[i], p->list[k]) * kd_op_weight(c->ties.data[i].op);
        if (cost < best) {
            best = cost;
            c->layout = p->list[k];
        }
    }
    place_accesses(s, c);
}

/* False: nothing to go by yet. */
static bool try_decide(kd_assigner *s, kd_layout_class *c, bool finally)
{
    proposals p = {.n = 0};
    for (unsigned i = 0; i < c->ties.n && i < MAX_TIES; i++)
        propose_for_tie(s, c, &c->ties.data[i], &p);
    if (!p.n && !finally)
        return false;
    if (!p.n || finally)
        propose(&p, kd_default_layout(&s->costs, c->type, reduced_axes(c, c->type)));
    choose(s, c, &p);
    return true;
}

/* Stores of free data run as memory likes it, or as their addresses are. */
static void place_free_stores(kd_op *op, void *user)
{
    kd_assigner *s = user;
    kd_access access;
    if (op->code != KD_OP_store || !kd_type_is_tile(kd_store_value(op)->type) || kd_value_class(s, kd_store_value(op)) ||
        !kd_access_of(&s->costs, op, &access))
        return;
    kd_layout_class stored = {.type = access.type};
    kd_vec_push(s->px->scratch, &stored.ties, (kd_tie){op, KD_TIE_ACCESS, 1});
    try_decide(s, &stored, false);
}

static int by_size(const void *x, const void *y)
{
    const kd_layout_class *a = *(kd_layout_class *const *)x, *b = *(kd_layout_class *const *)y;
    if (a->has_anchor != b->has_anchor)
        return a->has_anchor ? -1 : 1;
    if (a->type->n_elems != b->type->n_elems)
        return a->type->n_elems > b->type->n_elems ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

void kd_decide_classes(kd_assigner *s, kd_op *func)
{
    kd_arena *arena = s->px->scratch;
    s->classes = kd_map_in(arena);
    const kd_block *body = func->regions[0];
    for (unsigned i = 0; i < body->n_args; i++)
        class_new(s, body->args[i]);
    kd_op_walk(func, find_values, s);
    kd_op_walk(func, find_ties, s);
    kd_layout_class **order = kd_arena_array(arena, kd_layout_class *, s->made.n);
    unsigned n = 0;
    for (unsigned i = 0; i < s->made.n; i++)
        if (!s->made.data[i]->parent)
            order[n++] = s->made.data[i];
    qsort(order, n, sizeof *order, by_size);
    for (unsigned i = 0; i < n; i++)
        if (order[i]->has_anchor)
            try_decide(s, order[i], false);
    kd_op_walk(func, place_free_stores, s);
    for (bool progress = true, finally = false;
         progress || !finally;) { /* anchors first; then what follows from them; then the rest */
        finally = !progress;
        progress = false;
        for (unsigned i = 0; i < n; i++)
            if (!order[i]->layout && try_decide(s, order[i], finally))
                progress = true;
    }
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < order[i]->values.n; k++) {
            kd_value *value = order[i]->values.data[k];
            value->type = kd_type_with_layout(s->costs.ctx, value->type, order[i]->layout);
        }
}
