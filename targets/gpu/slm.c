/* slm.c - shared local memory: places for buffers by the time they are in use, and barriers between accesses that meet.
 *
 * Buffers whose times overlap (buffer_spans.h) get different places. A small one keeps its place until a barrier that another one needs anyway,
 * so that its reuse needs no barrier more.
 *
 * Work-items of a work-group run side by side, so a barrier must stand between
 *     a write and a read, a read and a write, or an atomic and either, of one buffer
 *     accesses of two buffers that share memory, the later one a write or an atomic
 * and likewise, in global memory, where a work-group reads what it wrote or writes what it read (through pointers that may meet).
 * Writes of one buffer between barriers go to different elements: that is how lowering makes them. The walk keeps what happened since
 * the last barrier; loops are walked until what reaches their start no longer grows. */
#include "targets/gpu/lower.h"

#include "base/bug.h"
#include "passes/buffer_spans.h"

kd_value *kd_simt_slm(kd_simt *s, const kd_type *elem, int64_t n_elems)
{
    const kd_type *type = kd_type_buffer(s->ctx, elem, 1, &n_elems);
    return kd_result(kd_simt_put(s, KD_OP_gpu_slm, type, NULL, NULL, 0));
}

void kd_simt_slm_write(kd_simt *s, kd_value *buffer, kd_value *index, kd_value *value, kd_value *mask)
{
    kd_simt_put(s, KD_OP_gpu_slm_write, NULL, NULL, (kd_value *[]){buffer, index, value, mask}, 4);
}

kd_value *kd_simt_slm_read(kd_simt *s, kd_value *buffer, kd_value *index, const kd_type *type)
{
    return kd_result(kd_simt_put(s, KD_OP_gpu_slm_read, type, NULL, (kd_value *[]){buffer, index}, 2));
}

/* ---- places ---- */

enum { SMALL_BYTES = 4096, MAX_LOOK_BACK = 64 };

/* A barrier stands between the last write before the first read and that read, both in the buffer's block. read 0: there is none. */
typedef struct hand_over {
    unsigned written, read;
} hand_over;

typedef struct places {
    kd_buffer_spans spans;
    hand_over *hand_overs; /* by span */
} places;

static hand_over find_hand_over(const kd_op *buffer)
{
    hand_over h = {.read = UINT32_MAX};
    for (const kd_use *use = kd_op_result(buffer, 0)->uses; use; use = use->next)
        if (use->user->code == KD_OP_gpu_slm_read && use->user->mark < h.read)
            h.read = use->user->block == buffer->block ? use->user->mark : 0;
    for (const kd_use *use = kd_op_result(buffer, 0)->uses; use && h.read; use = use->next) {
        unsigned at = use->user->mark;
        if (use->user->code != KD_OP_gpu_slm_read && at < h.read && use->user->block != buffer->block)
            h.read = 0;
        else if (use->user->code != KD_OP_gpu_slm_read && at < h.read && at > h.written)
            h.written = at;
    }
    if (h.read == UINT32_MAX)
        h.read = 0;
    return h;
}

static bool is_around(const kd_block *outer, const kd_op *op)
{
    return outer == op->block || (op->block->parent && kd_op_is_inside(op, outer->parent));
}

/* Whether the place of k, which is used no more, can be i's without a barrier for that. */
static bool is_free(const places *p, unsigned k, unsigned i)
{
    const kd_buffer_span *spans = p->spans.data, *old = &spans[k], *fresh = &spans[i];
    if (old->size > SMALL_BYTES || fresh->size > SMALL_BYTES)
        return true;
    for (unsigned b = i > MAX_LOOK_BACK ? i - MAX_LOOK_BACK : 0; b < i; b++)
        if (p->hand_overs[b].read && p->hand_overs[b].written >= old->last && p->hand_overs[b].read <= fresh->first &&
            is_around(spans[b].buffer->block, fresh->buffer))
            return true;
    return false;
}

/* The lowest place that is free of those before i that are in use at its first access. */
static uint64_t first_fit(const places *p, unsigned i)
{
    const kd_buffer_span *spans = p->spans.data;
    uint64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned k = 0; k < i; k++)
            if ((spans[k].last >= spans[i].first || !is_free(p, k, i)) && spans[k].offset < at + spans[i].size &&
                at < spans[k].offset + spans[k].size) {
                at = spans[k].offset + spans[k].size;
                moved = true;
            }
    }
    return at;
}

/* Sets the mark of each buffer's op to the index of its span. */
static uint64_t place_buffers(places *p, kd_op *func, kd_arena *arena)
{
    uint64_t total = 0;
    p->spans = kd_find_buffer_spans(func, KD_OP_gpu_slm, arena);
    p->hand_overs = kd_arena_array(arena, hand_over, p->spans.n + 1);
    for (unsigned i = 0; i < p->spans.n; i++)
        p->hand_overs[i] = find_hand_over(p->spans.data[i].buffer);
    for (unsigned i = 0; i < p->spans.n; i++) {
        kd_buffer_span *s = &p->spans.data[i];
        s->offset = first_fit(p, i);
        total = s->offset + s->size > total ? s->offset + s->size : total;
        kd_gpu_slm_set_offset_bytes(s->buffer, (int64_t)s->offset);
        s->buffer->mark = i;
    }
    return total;
}

/* ---- barriers ---- */

enum access { READ = 1, WRITE = 2, ATOMIC = 4 };

/* What happened since the last barrier: of each buffer, by span. */
typedef struct pending {
    uint8_t *accesses;
    unsigned n;
} pending;

typedef struct walker {
    kd_module *module;
    kd_arena *arena;
    const kd_buffer_span *spans;
    bool inserting;
} walker;

static pending pending_copy(const walker *w, const pending *from)
{
    pending p = {kd_arena_array(w->arena, uint8_t, from->n + 1), from->n};
    memcpy(p.accesses, from->accesses, from->n);
    return p;
}

/* True: p grew. */
static bool pending_join(pending *p, const pending *other)
{
    bool grew = false;
    for (unsigned i = 0; i < p->n; i++) {
        grew |= (other->accesses[i] & ~p->accesses[i]) != 0;
        p->accesses[i] |= other->accesses[i];
    }
    return grew;
}

static unsigned access_of(const kd_op *op)
{
    switch (op->code) {
    case KD_OP_gpu_slm_read: return READ;
    case KD_OP_gpu_slm_write: return WRITE;
    case KD_OP_gpu_slm_atomic: return ATOMIC;
    default: return 0;
    }
}

static bool meets(const walker *w, const pending *p, unsigned buffer, unsigned access)
{
    const kd_buffer_span *spans = w->spans, *mine = &spans[buffer];
    if (p->accesses[buffer] & (access == READ ? WRITE | ATOMIC : access == WRITE ? READ | ATOMIC : READ | WRITE))
        return true;
    for (unsigned i = 0; i < p->n && access != READ; i++)
        if (i != buffer && p->accesses[i] && spans[i].offset < mine->offset + mine->size &&
            mine->offset < spans[i].offset + spans[i].size)
            return true;
    return false;
}

static void walk_block(walker *w, kd_block *block, pending *p);

/* A loop's regions run in turn; what is pending at the end of the last reaches the start of the first. */
static void walk_loop(walker *w, kd_op *op, pending *p)
{
    bool inserting = w->inserting;
    pending start = pending_copy(w, p), after;
    w->inserting = false;
    for (bool grew = true; grew;) {
        pending at = pending_copy(w, &start);
        for (unsigned r = 0; r < op->n_regions; r++)
            walk_block(w, op->regions[r], &at);
        grew = pending_join(&start, &at);
    }
    w->inserting = inserting;
    after = pending_copy(w, &start);
    pending at = pending_copy(w, &start);
    for (unsigned r = 0; r < op->n_regions; r++) {
        walk_block(w, op->regions[r], &at);
        if (op->code == KD_OP_while && r == 0)
            after = pending_copy(w, &at); /* a while ends after its first region */
    }
    *p = after;
}

static void walk_op(walker *w, kd_op *op, pending *p)
{
    unsigned access = access_of(op);
    if (op->code == KD_OP_gpu_barrier) {
        memset(p->accesses, 0, p->n);
    } else if (access) {
        unsigned buffer = kd_op_operand(op, 0)->def->mark;
        if (meets(w, p, buffer, access)) {
            memset(p->accesses, 0, p->n);
            if (w->inserting) {
                kd_builder b = kd_builder_before(w->module, op);
                kd_build_gpu_barrier(&b, (kd_gpu_barrier_args){.loc = op->loc});
            }
        }
        p->accesses[buffer] |= access;
    } else if (op->code == KD_OP_if) {
        pending other = pending_copy(w, p);
        walk_block(w, op->regions[0], p);
        walk_block(w, op->regions[1], &other);
        pending_join(p, &other);
    } else if (op->n_regions) {
        walk_loop(w, op, p);
    }
}

static void walk_block(walker *w, kd_block *block, pending *p)
{
    KD_FOREACH_OP (op, block)
        walk_op(w, op, p);
}

uint64_t kd_slm_assign(kd_module *module, kd_op *func, kd_arena *arena)
{
    places at;
    uint64_t bytes = place_buffers(&at, func, arena);
    walker w = {module, arena, at.spans.data, true};
    pending p = {kd_arena_array(arena, uint8_t, at.spans.n + 1), at.spans.n};
    walk_block(&w, kd_op_region(func, 0), &p);
    return bytes;
}
