/* group.c - actions that wait, and the loop nest that runs a group of them.
 *
 * An action joins the waiting group if it runs over the same shape and needs nothing that the group has not finished at the same index:
 * its body then finds what the others computed there in registers. Otherwise the group is emitted first. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

/* ---- what an action needs ---- */

typedef struct needs {
    kd_lower *l;
    kd_map seen;
    bool waits;             /* on something unfinished */
    KD_VEC(kd_op *) reads;
} needs;

static void look(needs *q, kd_value *v, bool same_index, const kd_value *root)
{
    if (q->waits || !v)
        return;
    if (v->type->kind != KD_TYPE_TILE) {
        if (kd_lower_scalar(q->l, v))
            return;
        if (!v->def || kd_lower_is_action(v->def)) {
            q->waits = true;
            return;
        }
    } else {
        const kd_tile *t = kd_lower_tile(q->l, v);
        if (t->pending && !(same_index && v->def && !kd_lower_is_action(v->def)))
            q->waits = true;
        if (v != root && t->keep && !t->pending)
            return;
    }
    void **seen = kd_map_at_ptr(&q->seen, v);
    if (*seen == (same_index ? (void *)1 : (void *)2) || *seen == (void *)3 || !v->def || q->waits)
        return;
    *seen = (void *)((uintptr_t)*seen | (same_index ? 1 : 2));
    if (v->def->code == KD_OP_load)
        kd_vec_push(q->l->arena, &q->reads, v->def);
    bool keeps_index = same_index && (kd_op_has(v->def, KD_ELEMENTWISE) || v->def->code == KD_OP_hint);
    for (unsigned i = 0; i < v->def->n_operands; i++)
        look(q, kd_op_operand(v->def, i), keeps_index, root);
}

static const kd_type *shape_of(const kd_action *a)
{
    return a->op ? kd_op_operand(a->op, 0)->type : a->value->type;
}

static int order_of(const kd_action *a)
{
    if (!a->op || a->op->code != KD_OP_reduce)
        return KD_ANY_ORDER;
    const kd_type *shape = shape_of(a);
    int axis = (int)kd_reduce_axis(a->op);
    if (shape->shape[axis] == 1)
        return axis; /* nothing to fold: the lanes belong to other axes */
    for (unsigned i = (unsigned)axis + 1; i < shape->rank; i++)
        if (shape->shape[i] > 1)
            return axis;
    return KD_LAST_AXIS_WHOLE;
}

static bool can_join(kd_lower *l, const kd_action *a, const needs *q)
{
    if (q->waits || !l->fuse || !kd_type_same_shape(shape_of(a), shape_of(&l->group.data[0])))
        return false;
    for (unsigned i = 0; i < l->group.n; i++) {
        const kd_action *other = &l->group.data[i];
        int x = order_of(a), y = order_of(other);
        if (x != y && x != KD_ANY_ORDER && y != KD_ANY_ORDER)
            return false;
        if (!other->op || other->op->code != KD_OP_store)
            continue;
        for (unsigned r = 0; r < q->reads.n; r++)
            if (kd_lower_may_meet(l, other->op, q->reads.data[r]))
                return false;
        if (a->op && a->op->code == KD_OP_store && kd_lower_may_meet(l, other->op, a->op))
            return false;
    }
    for (unsigned r = 0; r < l->group_reads.n && a->op && a->op->code == KD_OP_store; r++)
        if (kd_lower_may_meet(l, a->op, l->group_reads.data[r]))
            return false;
    return true;
}

void kd_group_add(kd_lower *l, kd_action a)
{
    needs q = {.l = l, .seen = kd_map_in(l->arena)};
    for (int round = 0; round < 2; round++) {
        q.waits = false;
        q.reads.n = 0;
        q.seen = kd_map_in(l->arena);
        if (a.op)
            for (unsigned i = 0; i < a.op->n_operands; i++)
                look(&q, kd_op_operand(a.op, i), true, NULL);
        else
            look(&q, a.value, true, a.value);
        if (!l->group.n || can_join(l, &a, &q))
            break;
        kd_group_flush(l);
    }
    KD_ASSERT(!q.waits);
    kd_vec_push(l->arena, &l->group, a);
    for (unsigned i = 0; i < q.reads.n; i++)
        kd_vec_push(l->arena, &l->group_reads, q.reads.data[i]);
    if (!a.op && kd_lower_tile(l, a.value)->buffer == a.buffer)
        kd_lower_tile(l, a.value)->pending = true;
    for (unsigned i = 0; a.op && i < a.op->n_results; i++)
        if (kd_op_result(a.op, i)->type->kind == KD_TYPE_TILE)
            kd_lower_tile(l, kd_op_result(a.op, i))->pending = true;
    if (!l->fuse)
        kd_group_flush(l);
}

bool kd_group_blocks(kd_lower *l, const kd_op *op)
{
    if (!l->group.n)
        return false;
    if (kd_op_has(op, KD_READS) || kd_op_has(op, KD_WRITES) || op->n_regions)
        return true;
    for (unsigned i = 0; i < op->n_operands; i++) {
        kd_value *v = kd_op_operand(op, i);
        if (v && (v->type->kind == KD_TYPE_TILE || !kd_lower_scalar(l, v)))
            return true;
    }
    return false;
}

kd_value *kd_lower_keep(kd_lower *l, kd_value *value)
{
    kd_tile *t = kd_lower_tile(l, value);
    if (!t->buffer) {
        t->buffer = kd_lower_new_buffer(l, value->type);
        t->keep = true;
        kd_vec_push(l->arena, &l->kept, t);
        if (kd_lower_is_transpose(l, value))
            kd_lower_transpose(l, value, t->buffer);
        else
            kd_group_add(l, (kd_action){.value = value, .buffer = t->buffer});
    }
    return t->buffer;
}

/* ---- emission ---- */

static void emit_store(kd_nest *n, const kd_op *op, const kd_lanes *idx)
{
    kd_lanes ptr = kd_nest_eval(n, kd_store_ptr(op), idx), value = kd_nest_eval(n, kd_store_value(op), idx), mask = {0};
    if (kd_store_mask(op))
        mask = kd_nest_eval(n, kd_store_mask(op), idx);
    n->loc = op->loc;
    if (n->width == 1) {
        kd_nest_put_op(n, n->depth, KD_OP_store, (kd_value *[]){ptr.v, value.v, mask.v}, 3, op->attrs);
        return;
    }
    bool consecutive = ptr.v->type->kind != KD_TYPE_TILE && ptr.step == 1;
    kd_value *operands[] = {consecutive ? ptr.v : kd_lanes_vector(n, ptr), kd_lanes_vector(n, value), mask.v ? kd_lanes_vector(n, mask) : NULL};
    kd_nest_put_op(n, n->depth, consecutive ? KD_OP_cpu_store : KD_OP_store, operands, 3, consecutive ? NULL : op->attrs);
}

static void emit_actions(kd_lower *l, const kd_space *s, kd_open_space *o, kd_value **carried)
{
    kd_nest *n = l->nest;
    for (unsigned u = 0; u < s->unroll; u++) {
        unsigned at = u; /* of the accumulators: [reduction][operand][unroll] */
        for (unsigned i = 0; i < l->group.n; i++) {
            const kd_action *a = &l->group.data[i];
            if (!a->op) {
                n->loc = a->value->def ? a->value->def->loc : n->loc;
                kd_nest_write(n, a->buffer, a->value->type, o->idx[u], kd_nest_eval(n, a->value, o->idx[u]));
            } else if (a->op->code == KD_OP_store) {
                emit_store(n, a->op, o->idx[u]);
            } else {
                for (unsigned k = 0; k < a->op->n_operands; k++, at += s->unroll)
                    carried[at] = kd_reduce_step(n, a->op, k, carried[at], o->idx[u]);
            }
        }
    }
}

static unsigned count_carried(kd_lower *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->group.n; i++)
        if (l->group.data[i].op && l->group.data[i].op->code == KD_OP_reduce)
            n += l->group.data[i].op->n_operands;
    return n;
}

static kd_space group_space(kd_lower *l, unsigned n_folds)
{
    int order = KD_ANY_ORDER;
    for (unsigned i = 0; i < l->group.n; i++)
        if (order_of(&l->group.data[i]) != KD_ANY_ORDER)
            order = order_of(&l->group.data[i]);
    kd_space s = kd_space_of(l, shape_of(&l->group.data[0]), false, order);
    while (n_folds && s.unroll < 4 && kd_space_last_extent(&s) >= 2 * (int64_t)s.unroll * s.width)
        s.unroll *= 2;
    return s;
}

void kd_group_flush(kd_lower *l)
{
    kd_nest *n = l->nest;
    if (!l->group.n)
        return;
    unsigned n_folds = count_carried(l), at = 0;
    kd_space s = group_space(l, n_folds);
    kd_open_space o;
    kd_value **carried = kd_arena_array(l->arena, kd_value *, n_folds * s.unroll + 1);
    kd_space_open_outer(n, &s, &o);
    for (unsigned i = 0; i < l->group.n; i++)
        if (l->group.data[i].op && l->group.data[i].op->code == KD_OP_reduce)
            for (unsigned k = 0; k < l->group.data[i].op->n_operands; k++)
                for (unsigned u = 0; u < s.unroll; u++)
                    carried[at++] = kd_reduce_init(n, l->group.data[i].op, k);
    kd_space_open_inner(n, &s, &o, carried, at);
    emit_actions(l, &s, &o, carried);
    if (o.inner_opened)
        kd_nest_close(n, carried, at);
    at = 0;
    for (unsigned i = 0; i < l->group.n; i++)
        if (l->group.data[i].op && l->group.data[i].op->code == KD_OP_reduce)
            for (unsigned k = 0; k < l->group.data[i].op->n_operands; k++, at += s.unroll)
                kd_reduce_finish(n, l->group.data[i].op, k, carried + at, s.unroll, s.inner_axis >= 0, o.idx);
    for (unsigned i = o.n_outer; i-- > 0;)
        kd_nest_close(n, NULL, 0);
    n->width = 1;
    for (unsigned i = 0; i < l->group.n; i++) {
        const kd_action *a = &l->group.data[i];
        if (!a->op)
            kd_lower_tile(l, a->value)->pending = false;
        for (unsigned k = 0; a->op && k < a->op->n_results; k++)
            if (kd_op_result(a->op, k)->type->kind == KD_TYPE_TILE)
                kd_lower_tile(l, kd_op_result(a->op, k))->pending = false;
    }
    l->group.n = 0;
    l->group_reads.n = 0;
}
