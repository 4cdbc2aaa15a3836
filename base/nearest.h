/* nearest.h - the name that a misspelled one was meant to be.
 *
 *     kd_nearest nearest = kd_nearest_to(name);
 *     for each candidate
 *         kd_nearest_try(&nearest, candidate);
 *     kd_error(diags, loc, "'%.*s' is not defined%s", KD_STR_ARG(name), kd_nearest_hint(arena, &nearest));
 *
 * How many letters may differ grows with the length of the name; of one or two letters any other is near, so only the case may differ. */
#ifndef KD_BASE_NEAREST_H
#define KD_BASE_NEAREST_H

#include "base/str.h"

typedef struct kd_nearest {
    kd_str wanted, best; /* best.len is 0: none is near */
    unsigned limit;      /* a candidate may differ by this */
} kd_nearest;

kd_nearest kd_nearest_to(kd_str wanted);
/* Of candidates as near as each other one counts that only lacks letters in the wanted name ('lod' is 'load' rather than 'log'), or else the first. */
void kd_nearest_try(kd_nearest *nearest, kd_str candidate);
/* "; did you mean 'x'?", or "". */
const char *kd_nearest_hint(kd_arena *arena, const kd_nearest *nearest);

#endif
