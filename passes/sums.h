/* sums.h - simt level: which values differ between the lanes of a sub-group, and sums taken apart into what differs and what does not.
 *
 * Index arithmetic is taken not to overflow, as in axis_info.h: signed sums are taken apart. */
#ifndef KD_PASSES_SUMS_H
#define KD_PASSES_SUMS_H

#include "base/map.h"
#include "ir/builder.h"

typedef struct kd_varying {
    kd_map values; /* that may differ between lanes */
} kd_varying;

/* Cost: linear; goes through loops until nothing changes. */
kd_varying kd_find_varying(kd_arena *scratch, kd_op *func);
bool kd_is_varying(const kd_varying *varying, const kd_value *value);
void kd_set_varying(kd_varying *varying, const kd_value *value);

enum { KD_MAX_TERMS = 12 };

typedef struct kd_terms {
    kd_value *base; /* of a pointer */
    kd_value *list[KD_MAX_TERMS];
    unsigned n, n_uniform; /* uniform ones come first */
    int64_t constant;
    bool overflow; /* there are more: the rest is worth nothing */
} kd_terms;

/* A pointer or a number. Uniform terms come first, of these the ones from outer blocks first, as their sums stay there. */
kd_terms kd_take_apart(const kd_varying *varying, kd_value *value);
bool kd_same_varying(const kd_terms *a, const kd_terms *b);
/* The sum of the terms that differ between lanes, of which there is one at least. */
kd_value *kd_varying_sum(kd_builder *b, const kd_terms *terms, kd_loc loc);

/* value + offset, where value may be a pointer. */
kd_value *kd_plus(kd_builder *b, kd_value *value, kd_value *offset, kd_loc loc);
/* As an integer of 64 bits. */
kd_value *kd_wide(kd_builder *b, kd_value *value, kd_loc loc);

#endif
