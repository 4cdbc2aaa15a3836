/* source_impl.h - between the files that write kernels. */
#ifndef KD_GRAPH_SOURCE_IMPL_H
#define KD_GRAPH_SOURCE_IMPL_H

#include "graph/plan.h"

#include "base/map.h"

/* The loops of a kernel over its group's space. One program instance runs one row (variable ROW), or a block of it: 'col' (variable COL) is a
 * tile. A reduction's whole row is one tile. */
enum { KD_LOOP_ROW, KD_LOOP_COL };

typedef struct kd_loops {
    int64_t n_rows, n_cols; /* n_rows is 1 where there is one tile variable only */
    int64_t block; /* the tile's extent, a power of two */
    bool needs_mask;
    kd_index point[KD_GROUP_MAX_DIMS]; /* the coordinates of the group's space, from ROW and COL */
} kd_loops;

/* Chooses the order of the dimensions by the strides of what is written and read, merges those that can be, and says which are rows. */
kd_status kd_group_choose_loops(const kd_plan *plan, const kd_group *group, kd_loops *out);

/* ---- text of numbers and types ---- */

/* "2.5", "float('inf')", "3": a number in a type that kernels compute in. */
const char *kd_number_text(kd_arena *arena, const kd_garg *number, kd_scalar type);
/* The type in which kernels compute with elements of a type: f32 for the half types. */
kd_scalar kd_compute_type(kd_scalar type);
/* What a combination starts from. */
const char *kd_identity_text(kd_combine combine, kd_scalar type);

#endif
