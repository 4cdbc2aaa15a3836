/* scratch.c - gives buffers their places in the scratch memory of a thread.
 *
 * A buffer is in use from its first access to its last; an access inside a loop that the buffer's cpu.buffer op is outside of counts as the
 * whole loop. Buffers whose times overlap get different places (first fit). Buffers that nobody reads lose their writes. */
#include "targets/cpu/lower.h"

#include <stdlib.h>

typedef struct span {
    kd_op *buffer;
    unsigned first, last;
    uint64_t offset, size;
} span;

typedef struct timeline {
    kd_arena *arena;
    unsigned now;
    KD_VEC(span) spans;
    KD_VEC(unsigned) ends; /* by position: of the op there, the last position inside it */
} timeline;

static void number_ops(timeline *t, kd_block *block)
{
    KD_FOREACH_OP (op, block) {
        unsigned at = op->mark = t->now++;
        kd_vec_push(t->arena, &t->ends, at);
        if (op->code == KD_OP_cpu_buffer)
            kd_vec_push(t->arena, &t->spans, (span){.buffer = op});
        for (unsigned r = 0; r < op->n_regions; r++)
            number_ops(t, op->regions[r]);
        t->ends.data[at] = t->now - 1;
    }
}

static void find_span(const timeline *t, span *s)
{
    const kd_type *type = kd_op_result(s->buffer, 0)->type;
    uint64_t elem_bytes = type->elem->kind == KD_TYPE_PTR ? 8 : kd_scalar_bytes(type->elem->scalar);
    s->size = ((uint64_t)type->n_elems * elem_bytes + 63) & ~63ull;
    s->first = UINT32_MAX;
    s->last = 0;
    for (const kd_use *use = kd_op_result(s->buffer, 0)->uses; use; use = use->next) {
        unsigned first = use->user->mark, last = first;
        for (const kd_block *block = use->user->block; block != s->buffer->block; block = block->parent->block) {
            if (block->parent->code != KD_OP_if) { /* a loop: any round may be the last to read */
                first = block->parent->mark;
                last = t->ends.data[block->parent->mark];
            }
        }
        s->first = first < s->first ? first : s->first;
        s->last = last > s->last ? last : s->last;
    }
}

static int by_first(const void *a, const void *b)
{
    const span *x = a, *y = b;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : x->buffer->mark < y->buffer->mark ? -1 : 1;
}

static bool is_dead(const kd_op *buffer)
{
    for (const kd_use *use = kd_op_result(buffer, 0)->uses; use; use = use->next)
        if (use->user->code != KD_OP_cpu_write)
            return false;
    return true;
}

static void drop_dead(timeline *t, kd_op *func)
{
    number_ops(t, kd_op_region(func, 0));
    for (unsigned i = 0; i < t->spans.n; i++) {
        kd_op *buffer = t->spans.data[i].buffer;
        if (!is_dead(buffer))
            continue;
        while (kd_op_result(buffer, 0)->uses)
            kd_op_erase(kd_op_result(buffer, 0)->uses->user);
        kd_op_erase(buffer);
    }
    t->now = t->spans.n = t->ends.n = 0;
}

/* The lowest place that is free of those in use: active is sorted by offset. */
static uint64_t first_fit(const span *const *active, unsigned n, uint64_t size)
{
    uint64_t at = 0;
    for (unsigned i = 0; i < n; i++) {
        if (active[i]->offset >= at + size)
            break;
        uint64_t end = active[i]->offset + active[i]->size;
        at = end > at ? end : at;
    }
    return at;
}

uint64_t kd_scratch_assign(kd_op *func, kd_arena *arena)
{
    timeline t = {.arena = arena};
    uint64_t total = 0;
    drop_dead(&t, func);
    number_ops(&t, kd_op_region(func, 0));
    if (!t.spans.n)
        return 0;
    for (unsigned i = 0; i < t.spans.n; i++)
        find_span(&t, &t.spans.data[i]);
    qsort(t.spans.data, t.spans.n, sizeof(span), by_first);
    const span **active = kd_arena_array(arena, const span *, t.spans.n);
    unsigned n_active = 0;
    for (unsigned i = 0; i < t.spans.n; i++) {
        span *s = &t.spans.data[i];
        unsigned kept = 0;
        for (unsigned k = 0; k < n_active; k++)
            if (active[k]->last >= s->first)
                active[kept++] = active[k];
        n_active = kept;
        s->offset = first_fit(active, n_active, s->size);
        unsigned at = n_active++;
        for (; at > 0 && active[at - 1]->offset > s->offset; at--)
            active[at] = active[at - 1];
        active[at] = s;
        total = s->offset + s->size > total ? s->offset + s->size : total;
        kd_cpu_buffer_set_offset_bytes(s->buffer, (int64_t)s->offset);
    }
    return total;
}
