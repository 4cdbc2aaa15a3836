/* order.c - where a work-group must wait, since its work-items meet in global memory.
 *
 * A program reads and writes in the order of its ops; its work-items run side by side. So before an access that may meet an earlier one of
 * another work-item (one of them a write, through pointers from the same parameter) goes a barrier. None is needed where both go through
 * the very same pointers, of which each work-item has its own and no two lead to one place (in-place updates), where one work-item makes
 * both (writes of scalars), or where their addresses are known to be apart (disjoint.c). Different parameters are taken not to meet, unless
 * it is element on element. A scalar atomic that is no relaxed one speaks to other work-groups of what all work-items did before, and of what
 * they may do after it. The walk keeps what happened since the last barrier; loops are walked until what reaches their start no longer grows. */
#include "targets/gpu/lower.h"

#include "base/bug.h"
#include "passes/arg_effects.h"

enum { N_ORIGINS = 64, MAX_ACCESSES = 32 };

typedef struct access {
    kd_value *ptr;
    const kd_op *loop; /* it was in an earlier round of this one, which makes the pointers; or NULL */
    bool writes;
} access;

typedef struct state {
    access accesses[MAX_ACCESSES];
    unsigned n;
    uint64_t other_reads, other_writes; /* origins of what else there was, through any pointers */
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

static bool is_block(const kd_op *op)
{
    return op->code == KD_OP_block_load || op->code == KD_OP_block_store;
}

/* Whether an access needs to wait for an earlier one. */
static bool meets(order *o, const access *earlier, const kd_op *op, bool reads, bool writes)
{
    kd_value *ptr = kd_op_operand(op, 0);
    bool same = earlier->ptr == ptr && !earlier->loop;
    if ((!writes && !earlier->writes) || !(origins_of(o, earlier->ptr) & origins_of(o, ptr)))
        return false;
    if (is_block(op))
        return true;
    if (earlier->writes && !reads && (same || (!ptr->type->layout && !earlier->ptr->type->layout)))
        return false;
    if (same && reads != writes && !has_copies(o->s, ptr) && (!ptr->type->layout || kd_simt_elements_apart(ptr)))
        return false;
    return !kd_simt_disjoint(earlier->ptr, ptr, earlier->loop);
}

static void lose(order *o, state *st, const access *a)
{
    *(a->writes ? &st->other_writes : &st->other_reads) |= origins_of(o, a->ptr);
}

static void add(order *o, state *st, access a)
{
    for (unsigned i = 0; i < st->n; i++)
        if (st->accesses[i].ptr == a.ptr && st->accesses[i].loop == a.loop && st->accesses[i].writes == a.writes)
            return;
    if (st->n < MAX_ACCESSES)
        st->accesses[st->n++] = a;
    else
        lose(o, st, &a);
}

static bool any_access(const state *st)
{
    return st->n || st->other_reads || st->other_writes || st->atomics;
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
    bool loads = op->code == KD_OP_load || op->code == KD_OP_block_load,
         stores = op->code == KD_OP_store || op->code == KD_OP_block_store, atomic = !loads && !stores;
    bool speaks = atomic && !ptr->type->layout && order_of(op) != KD_ORDER_RELAXED;
    uint64_t origins = origins_of(o, ptr);
    bool hazard = st->acquired || (speaks && any_access(st)) || (!atomic && st->atomics & origins) || st->other_writes & origins ||
                  (!loads && st->other_reads & origins);
    for (unsigned i = 0; i < st->n && !hazard; i++)
        hazard = meets(o, &st->accesses[i], op, !stores, !loads);
    if (hazard) {
        *kd_map_at_ptr(&o->s->fenced, op) = (void *)op;
        *st = (state){.acquired = false};
    }
    access a = {.ptr = ptr, .writes = stores};
    if (is_block(op))
        lose(o, st, &a);
    else if (!atomic)
        add(o, st, a);
    st->atomics |= atomic ? origins : 0;
    st->acquired = speaks;
}

/* True: st grew. */
static bool join(order *o, state *st, const state *other)
{
    unsigned n = st->n;
    bool grew = (other->atomics & ~st->atomics) || (other->other_reads & ~st->other_reads) ||
                (other->other_writes & ~st->other_writes) || (other->acquired && !st->acquired);
    uint64_t reads = st->other_reads, writes = st->other_writes;
    st->atomics |= other->atomics;
    st->other_reads |= other->other_reads;
    st->other_writes |= other->other_writes;
    st->acquired |= other->acquired;
    for (unsigned i = 0; i < other->n; i++)
        add(o, st, other->accesses[i]);
    return grew || st->n > n || (st->other_reads & ~reads) || (st->other_writes & ~writes);
}

/* In the next round, values made in the loop are other ones. */
static void begin_round(order *o, state *st, const kd_op *loop)
{
    unsigned n = st->n;
    st->n = 0;
    for (unsigned i = 0; i < n; i++) {
        access a = st->accesses[i];
        if (a.loop != loop && a.loop && kd_is_made_in(a.ptr, loop)) {
            lose(o, st, &a);
            continue;
        }
        if (kd_is_made_in(a.ptr, loop))
            a.loop = loop;
        add(o, st, a);
    }
}

static void walk_block(order *o, kd_block *block, state *st);

static void walk_loop(order *o, const kd_op *op, state *st)
{
    state at;
    do {
        at = *st;
        for (unsigned r = 0; r < op->n_regions; r++)
            walk_block(o, op->regions[r], &at);
        begin_round(o, &at, op);
    } while (join(o, st, &at));
    if (op->code == KD_OP_while) /* its last half round */
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
            join(o, st, &other);
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
