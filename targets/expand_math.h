/* expand_math.h - functions that a target's library lacks, made of those that it has. */
#ifndef KD_TARGETS_EXPAND_MATH_H
#define KD_TARGETS_EXPAND_MATH_H

#include "ir/ir.h"

/* A value at an index: what the lanes of a vector hold. v is a vector, or a scalar that stands for all lanes: lane l holds v + l * step
 * (for pointers: l * step elements on); step 0 means the same in all. depth: how many loops of the nest it depends on. Targets without
 * vectors use v alone. */
typedef struct kd_lanes {
    kd_value *v;
    int64_t step;
    unsigned depth;
} kd_lanes;

/* How a target makes ops. */
typedef struct kd_math_maker {
    void *user;
    const kd_type *i1, *wide; /* wide: where f32 would lose digits; f64, or f32 where the target lacks it */
    bool has_bessel;               /* a library has j0, j1, y0, y1 */
    kd_lanes (*number)(void *user, const kd_type *elem, double value);
    kd_lanes (*apply)(void *user, kd_opcode code, const kd_type *elem, const kd_attr *attrs, const kd_lanes *operands,
                      unsigned n_operands);
} kd_math_maker;

/* fn of an operand of f32 or f64. False: nothing to make it of; a library has it. */
bool kd_expand_math(const kd_math_maker *target, kd_math fn, const kd_type *elem, kd_lanes operand, kd_lanes *out);

#endif
