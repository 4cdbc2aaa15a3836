/* unseen_rows.h - elements of a tile that have no effect. */
#ifndef KD_PASSES_UNSEEN_ROWS_H
#define KD_PASSES_UNSEEN_ROWS_H

#include "passes/affine.h"

/* Whether the elements at index + bound >= 0 along an axis reach no memory: all that is made of them is masked out of stores by that same
 * comparison. False also where that is not found out. */
bool kd_is_unseen_beyond(const kd_value *value, unsigned axis, const kd_affine *bound, kd_arena *scratch);

#endif
