/* scratch.c - gives buffers their places in the scratch memory of a thread.
 *
 * Buffers whose times overlap (buffer_spans.h) get different places: first fit. */
#include "passes/buffer_spans.h"
#include "targets/cpu/lower.h"

/* The lowest place that is free of those in use: active is sorted by offset. */
static uint64_t first_fit(const kd_buffer_span *const *active, unsigned n, uint64_t size)
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
    kd_buffer_spans spans = kd_find_buffer_spans(func, KD_OP_cpu_buffer, arena);
    const kd_buffer_span **active = kd_arena_array(arena, const kd_buffer_span *, spans.n + 1);
    uint64_t total = 0;
    unsigned n_active = 0;
    for (unsigned i = 0; i < spans.n; i++) {
        kd_buffer_span *s = &spans.data[i];
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
