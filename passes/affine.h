/* affine.h - the numbers in a tile as a sum of products: what an offset or a mask is made of, whichever way the kernel writes it.
 *
 *     (pid * 64 + arange)[:, None] * stride + k * 32      64 pid stride + stride axis0 + 32 k
 *
 * A term is a constant times up to three scalars times, perhaps, the index along one axis. What a loop carries and moves on by the same
 * number in each iteration is its beginning and a multiple of the loop's counter. Index arithmetic is taken not to overflow, as in axis_info.h. */
#ifndef KD_PASSES_AFFINE_H
#define KD_PASSES_AFFINE_H

#include "ir/builder.h"
#include "passes/axis_info.h"

enum { KD_MAX_FACTORS = 3, KD_MAX_TERMS = 12, KD_NO_AXIS = -1, KD_MAX_WRAPS = 2 };

typedef struct kd_affine_term {
    int64_t constant;
    kd_value *factors[KD_MAX_FACTORS]; /* scalars, in no order */
    unsigned n_factors;
    int axis; /* or KD_NO_AXIS */
} kd_affine_term;

typedef struct kd_affine {
    kd_affine_term terms[KD_MAX_TERMS]; /* no two with the same factors and axis, none with 0 */
    unsigned n;
    bool failed; /* it is no such sum, or a long one */
} kd_affine;

/* A remainder by a scalar on the way: the sum has what is wrapped in its place. */
typedef struct kd_affine_wrap {
    kd_affine inside; /* along the axes of the value asked for */
    kd_value *limit;
} kd_affine_wrap;

/* What an analysis is about. Values from outside the loop stay whole where that loses nothing. */
typedef struct kd_affine_scope {
    const kd_op *loop; /* a kd.for, or NULL */
    bool allows_wraps; /* else a remainder is a failure */
    kd_affine_wrap wraps[KD_MAX_WRAPS];
    unsigned n_wraps;
} kd_affine_scope;

/* Of integers, or of the elements that pointers lie away from *out_base, which is a scalar from outside the loop. */
kd_affine kd_affine_of(kd_affine_scope *scope, kd_value *value);
kd_affine kd_affine_of_pointers(kd_affine_scope *scope, kd_value *value, kd_value **out_base);

/* What a comparison of integers says: index + *out < 0, or with *out_is_lower index + *out >= 0, for the index along one axis. False: otherwise. */
bool kd_affine_of_comparison(kd_affine_scope *scope, const kd_op *cmp, kd_affine *out, unsigned *out_axis, bool *out_is_lower);

void kd_affine_add(kd_affine *a, const kd_affine_term *term, int64_t times);
void kd_affine_add_all(kd_affine *a, const kd_affine *b, int64_t times);
bool kd_affine_same(const kd_affine *a, const kd_affine *b);
/* The constant of the term with these factors and that axis; 0: there is none. */
int64_t kd_affine_constant_of(const kd_affine *a, const kd_affine_term *like);
/* Whether a term, or a sum without axes, changes in the loop. */
bool kd_affine_term_varies(const kd_affine_scope *scope, const kd_affine_term *term);
bool kd_affine_varies(const kd_affine_scope *scope, const kd_affine *a);
bool kd_affine_is_non_negative(const kd_affine *a, const kd_axis_info *info);
/* A sum without axes as a scalar of that integer type; `from` is replaced by `to` (both may be NULL). */
kd_value *kd_affine_build(kd_builder *b, kd_loc loc, const kd_affine *a, const kd_type *type, const kd_value *from, kd_value *to);

/* The axis of a reshape's result that has the elements of an axis of its operand, or, with the types in turn, the other way round: the same one
 * among those longer than 1. False: none has. */
bool kd_reshaped_axis(const kd_type *from, const kd_type *to, unsigned axis, unsigned *out);

#endif
