/* buffer_spans.h - when buffers of a function are in use, for those who give them places in scratch or shared local memory. */
#ifndef KD_PASSES_BUFFER_SPANS_H
#define KD_PASSES_BUFFER_SPANS_H

#include "base/arena.h"
#include "base/vec.h"
#include "ir/ir.h"

typedef struct kd_buffer_span {
    kd_op *buffer;
    unsigned first, last; /* positions of the first and the last access; one inside a loop that the buffer is outside of counts as the loop */
    uint64_t size;        /* bytes, a multiple of 64 */
    uint64_t offset;      /* bytes; for the caller to set */
} kd_buffer_span;

typedef KD_VEC(kd_buffer_span) kd_buffer_spans;

/* The spans of the buffers that ops of that code make, by first access. Each op's mark becomes its position, which counts ops with those in
 * their regions. Buffers that nobody reads are erased with what is written to them. */
kd_buffer_spans kd_find_buffer_spans(kd_op *func, kd_opcode code, kd_arena *arena);

#endif
