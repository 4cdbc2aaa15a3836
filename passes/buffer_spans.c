/* buffer_spans.c - see buffer_spans.h. */
#include "passes/buffer_spans.h"

#include <stdlib.h>

enum { PLACE_BYTES = 64 }; /* a cache line, and the widest vector */

typedef struct timeline {
    kd_arena *arena;
    kd_opcode code;
    unsigned now;
    kd_buffer_spans spans;
    KD_VEC(unsigned) ends; /* by position: of the op there, the last position inside it */
} timeline;

static void number_ops(timeline *t, kd_block *block)
{
    KD_FOREACH_OP (op, block) {
        unsigned at = op->mark = t->now++;
        kd_vec_push(t->arena, &t->ends, at);
        if (op->code == t->code)
            kd_vec_push(t->arena, &t->spans, (kd_buffer_span){.buffer = op});
        for (unsigned r = 0; r < op->n_regions; r++)
            number_ops(t, op->regions[r]);
        t->ends.data[at] = t->now - 1;
    }
}

static bool is_read(const kd_op *buffer)
{
    for (const kd_use *use = kd_op_result(buffer, 0)->uses; use; use = use->next)
        if (!kd_op_has(use->user, KD_WRITES) || kd_op_has(use->user, KD_READS))
            return true;
    return false;
}

static void drop_unread(timeline *t)
{
    unsigned n = 0;
    for (unsigned i = 0; i < t->spans.n; i++) {
        kd_op *buffer = t->spans.data[i].buffer;
        if (is_read(buffer)) {
            t->spans.data[n++] = t->spans.data[i];
            continue;
        }
        while (kd_op_result(buffer, 0)->uses)
            kd_op_erase(kd_op_result(buffer, 0)->uses->user);
        kd_op_erase(buffer);
    }
    t->spans.n = n;
}

static void find_span(const timeline *t, kd_buffer_span *s)
{
    const kd_type *type = kd_op_result(s->buffer, 0)->type;
    uint64_t elem_bytes = type->elem->kind == KD_TYPE_PTR ? 8 : kd_scalar_bytes(type->elem->scalar);
    s->size = ((uint64_t)type->n_elems * elem_bytes + PLACE_BYTES - 1) / PLACE_BYTES * PLACE_BYTES;
    s->first = UINT32_MAX;
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
    const kd_buffer_span *x = a, *y = b;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : x->buffer->mark < y->buffer->mark ? -1 : 1;
}

kd_buffer_spans kd_find_buffer_spans(kd_op *func, kd_opcode code, kd_arena *arena)
{
    timeline t = {.arena = arena, .code = code};
    number_ops(&t, kd_op_region(func, 0));
    drop_unread(&t);
    for (unsigned i = 0; i < t.spans.n; i++)
        find_span(&t, &t.spans.data[i]);
    if (t.spans.n)
        qsort(t.spans.data, t.spans.n, sizeof *t.spans.data, by_first);
    return t.spans;
}
