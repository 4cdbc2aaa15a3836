/* order.c - where a work-group must wait, since its work-items meet in global memory.
 *
 * A program reads and writes in the order of its ops; its work-items run side by side. So before an access that may meet an earlier one of
 * another work-item (a read and a write, through pointers from the same parameter) goes a barrier. None is needed where both go through the
 * very same pointers, of which each work-item has its own: in-place updates. Two writes are taken to go to different elements, or through the
 * same pointers; different parameters not to meet, unless it is element on element. A scalar atomic that is no relaxed one speaks to other work-groups of what all work-items did before, and of what they may do
 * after it. The walk keeps what happened since the last barrier; loops are walked until what reaches their start no longer grows. */
#include "targets/gpu/lower.h"

#include "base/bug.h"
#include "passes/arg_effects.h"

enum { N_ORIGINS = 64 };

/* Accesses through pointers of one origin. */
typedef struct accesses {
    const kd_value *ptr; /* the only ones */
    bool any, many;      /* many: not only through ptr */
} accesses;

typedef struct state {
    accesses reads[N_ORIGINS], writes[N_ORIGINS];
    uint64_t atomics;
    bool acquired; /* a scalar atomic has read what other work-groups say */
} state;

typedef struct order {
    kd_simt *s;
    const kd_op *func;
    kd_map origins; /* ptr -> uint64_t */
} order;

static uint64_t origins_of(order *o, kd_value *ptr)
{
    void **at = kd_map_at_ptr(&o->origins, ptr);
    if (!*at) {
        uint64_t *bits = kd_arena_new(o->s->arena, uint64_t);
        *bits = kd_arg_origins(o->s->arena, o->func, ptr);
        if (!*bits)
            *bits = UINT64_C(1) << (N_ORIGINS - 1);
        *at = bits;
    }
    return *(const uint64_t *)*at;
}

static bool has_copies(kd_simt *s, const kd_value *ptr)
{
    const kd_layout *layout = kd_simt_layout(s, ptr->type);
    return kd_layout_free_bits(layout, KD_LANE) || kd_layout_free_bits(layout, KD_SUB_GROUP);
}

/* own: accesses through the same pointers are of the same work-items. */
static bool meets(const accesses *a, const kd_value *ptr, bool own)
{
    return a->any && (a->many || a->ptr != ptr || !own);
}

static void add(accesses *a, const kd_value *ptr)
{
    a->many = a->many || (a->any && a->ptr != ptr);
    a->any = true;
    a->ptr = ptr;
}

static bool any_access(const state *st)
{
    bool any = st->atomics != 0;
    for (unsigned i = 0; i < N_ORIGINS; i++)
        any = any || st->reads[i].any || st->writes[i].any;
    return any;
}

static kd_mem_order order_of(const kd_op *op)
{
    return op->code == KD_OP_atomic ? kd_atomic_order(op) : kd_atomic_cas_order(op);
}

static bool is_access(const kd_op *op)
{
    switch (op->code) {
    case KD_OP_load:
    case KD_OP_store:
    case KD_OP_block_load:
    case KD_OP_block_store:
    case KD_OP_atomic:
    case KD_OP_atomic_cas: return true;
    default: return false;
    }
}

static void walk_access(order *o, const kd_op *op, state *st)
{
    kd_value *ptr = kd_op_operand(op, 0);
    bool reads = op->code == KD_OP_load || op->code == KD_OP_block_load,
         writes = op->code == KD_OP_store || op->code == KD_OP_block_store;
    bool atomic = !reads && !writes, own = !has_copies(o->s, ptr);
    bool speaks = atomic && !ptr->type->layout && order_of(op) != KD_ORDER_RELAXED;
    uint64_t origins = origins_of(o, ptr);
    bool hazard = st->acquired || (speaks && any_access(st)) || (!atomic && st->atomics & origins);
    for (unsigned i = 0; i < N_ORIGINS && !hazard; i++)
        if (origins >> i & 1)
            hazard = (!writes && meets(&st->writes[i], ptr, own && reads)) || (!reads && meets(&st->reads[i], ptr, own && writes));
    if (hazard) {
        *kd_map_at_ptr(&o->s->fenced, op) = (void *)op;
        *st = (state){.acquired = false};
    }
    for (unsigned i = 0; i < N_ORIGINS; i++) {
        if (origins >> i & 1 && reads)
            add(&st->reads[i], ptr);
        if (origins >> i & 1 && writes)
            add(&st->writes[i], ptr);
    }
    st->atomics |= atomic ? origins : 0;
    st->acquired = speaks;
}

static bool join_accesses(accesses *a, const accesses *b)
{
    accesses old = *a;
    if (!b->any)
        return false;
    add(a, b->ptr);
    a->many = a->many || b->many;
    return a->any != old.any || a->many != old.many;
}

/* True: st grew. */
static bool join(state *st, const state *other)
{
    bool grew = (other->atomics & ~st->atomics) || (other->acquired && !st->acquired);
    st->atomics |= other->atomics;
    st->acquired |= other->acquired;
    for (unsigned i = 0; i < N_ORIGINS; i++) {
        grew |= join_accesses(&st->reads[i], &other->reads[i]);
        grew |= join_accesses(&st->writes[i], &other->writes[i]);
    }
    return grew;
}

/* In the next round, values made in the loop are other ones. */
static void forget_round(accesses *a, const kd_op *loop)
{
    const kd_op *home = !a->any ? NULL : a->ptr->def ? a->ptr->def : a->ptr->owner->parent;
    if (home && (home == loop || kd_op_is_inside(home, loop)))
        a->many = true;
}

static void walk_block(order *o, kd_block *block, state *st);

static void walk_loop(order *o, const kd_op *op, state *st)
{
    state start = *st, at = *st;
    for (bool grew = true; grew;) {
        at = start;
        for (unsigned r = 0; r < op->n_regions; r++)
            walk_block(o, op->regions[r], &at);
        for (unsigned i = 0; i < N_ORIGINS; i++) {
            forget_round(&at.reads[i], op);
            forget_round(&at.writes[i], op);
        }
        grew = join(&start, &at);
    }
    *st = start; /* what precedes the loop, or is left by a round; of a while's last half round no more than that */
    if (op->code == KD_OP_while)
        walk_block(o, op->regions[0], st);
}

static void walk_block(order *o, kd_block *block, state *st)
{
    KD_FOREACH_OP (op, block) {
        if (is_access(op)) {
            walk_access(o, op, st);
        } else if (op->code == KD_OP_barrier) {
            *st = (state){.acquired = false};
        } else if (op->code == KD_OP_if) {
            state other = *st;
            walk_block(o, op->regions[0], st);
            walk_block(o, op->regions[1], &other);
            join(st, &other);
        } else if (op->code == KD_OP_for || op->code == KD_OP_while) {
            walk_loop(o, op, st);
        }
    }
}

void kd_simt_order(kd_simt *s, kd_op *func)
{
    order o = {.s = s, .func = func, .origins = kd_map_in(s->arena)};
    state *st = kd_arena_new(s->arena, state);
    walk_block(&o, kd_op_region(func, 0), st);
}
