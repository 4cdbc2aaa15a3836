/* promote_impl.h - what the builtins share of types and shapes, beyond dsl_impl.h. */
#ifndef KD_DSL_PROMOTE_IMPL_H
#define KD_DSL_PROMOTE_IMPL_H

#include "dsl/dsl_impl.h"

/* The type that a compile-time number takes on its own. False: reported. */
bool kd_literal_scalar(kd_lower *lw, kd_loc loc, kd_dval v, kd_scalar *out);
/* A compile-time number as a scalar of that type; out of range is reported. */
kd_dval kd_literal_as(kd_lower *lw, kd_loc loc, kd_dval v, kd_scalar s);

/* The elements in another number type. */
kd_value *kd_value_cast(kd_lower *lw, kd_loc loc, kd_value *v, kd_scalar s);
/* As x.to(type), where the type may also be a pointer's. */
kd_dval kd_cast_to_type(kd_lower *lw, kd_loc loc, kd_dval v, const kd_type *type, kd_rounding rounding);
/* The same elements, row-major, in another shape of as many. */
kd_value *kd_value_reshape(kd_lower *lw, kd_loc loc, kd_value *v, unsigned rank, const int64_t *shape);
/* Powers of two, not too many elements. False: reported. */
bool kd_shape_check(kd_lower *lw, kd_loc loc, const char *what, unsigned rank, const int64_t *shape);

enum { KD_PROMOTE_DIV = 1, KD_PROMOTE_PTR_A = 2, KD_PROMOTE_PTR_B = 4 };
/* kd_promote_pair with a choice: DIV: the rules of division; PTR_A, PTR_B: that side may be a pointer, and pairs with one keep their types. */
bool kd_promote_with(kd_lower *lw, kd_loc loc, const char *operation, kd_dval *a, kd_dval *b, unsigned flags);
/* Three values to one type and shape (clamp, fma). */
bool kd_promote_three(kd_lower *lw, kd_loc loc, const char *operation, kd_dval v[3]);

#endif
