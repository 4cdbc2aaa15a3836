/* remat.h - makes a value anew in another layout: what it would cost, and doing it.
 *
 * A plan says for each value of the slice behind it whether it is computed again (ranges, masks, addresses, arithmetic; a load if that is its
 * only reader, since it then moves), converted, or there already. */
#ifndef KD_PASSES_REMAT_H
#define KD_PASSES_REMAT_H

#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "passes/layout_cost.h"
#include "passes/pass.h"

typedef enum kd_remat_how { KD_REMAT_NO, KD_REMAT_HAVE, KD_REMAT_CONVERT, KD_REMAT_CLONE } kd_remat_how;

typedef struct kd_remat_step {
    kd_value *value;
    const kd_layout *layout;
    kd_remat_how how;
    int64_t cost;
    kd_value *made; /* HAVE: it; others: once made */
    struct kd_remat_step *next; /* of the same value, in another layout */
} kd_remat_step;

typedef struct kd_remat {
    kd_pass_ctx *px;
    kd_layout_costs costs;
    const kd_op *root; /* the conversion that is to go: not counted as there */
    kd_map steps;      /* value -> kd_remat_step */
    unsigned n_steps;
    KD_VEC(kd_op *) conversions; /* that were made */
} kd_remat;

enum { KD_REMAT_IMPOSSIBLE = INT32_MAX };

/* Forgets all plans; the conversion `root` (or NULL) is not to be used. */
void kd_remat_begin(kd_remat *r, const kd_op *root);
/* The value will be there in that layout. */
void kd_remat_have(kd_remat *r, kd_value *value, const kd_layout *layout, kd_value *made);
/* What the value costs in that layout, weighted by loops; what is saved where old ops fall away is taken off. */
int64_t kd_remat_cost(kd_remat *r, kd_value *value, const kd_layout *layout);
/* The same where it must not be converted itself. KD_REMAT_IMPOSSIBLE: it cannot be made otherwise. */
int64_t kd_remat_cost_without_conversion(kd_remat *r, kd_value *value, const kd_layout *layout);
/* Makes what was planned. */
kd_value *kd_remat_make(kd_remat *r, kd_value *value, const kd_layout *layout);

/* A conversion right behind the value's definition. */
kd_op *kd_build_conversion(kd_pass_ctx *px, kd_value *value, const kd_layout *layout);
/* Erases an op without readers, and then what it read, as far as that is pure or loads. */
void kd_erase_dead(kd_op *op);

#endif
