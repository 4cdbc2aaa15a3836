/* layout_cost.h - what layouts cost: the common judge of the passes that choose them. Costs are of one sub-group, in rough cycles of its
 * execution unit; they order alternatives and mean nothing by themselves. */
#ifndef KD_PASSES_LAYOUT_COST_H
#define KD_PASSES_LAYOUT_COST_H

#include "base/map.h"
#include "ir/ir.h"
#include "ir/layout.h"
#include "passes/axis_info.h"
#include "passes/gpu_config.h"

typedef struct kd_layout_costs {
    kd_context *ctx;
    const kd_gpu_config *config;
    kd_axis_info *info;
    kd_map accesses; /* op -> kd_access: made once for each */
} kd_layout_costs;

kd_layout_costs kd_layout_costs_create(kd_context *ctx, const kd_gpu_config *config, kd_arena *arena, kd_op *func);

/* What matters of a load, store, atomic or block access. */
typedef struct kd_access {
    const kd_type *type; /* of the elements */
    unsigned elem_bytes; /* i1: 1 */
    unsigned order[KD_MAX_RANK]; /* axes, the one with the longest consecutive runs first */
    int64_t run; /* consecutive elements along order[0] */
    unsigned max_vector; /* elements that one work-item may access at once along order[0], as far as memory goes */
    bool is_store;
    /* It stores what the systolic array makes, whose rows lie side by side in a work-item: they go through SLM in vectors where they do so in
     * the store's layout too. Not of f32, whose operands may be f32 too, and where a thread has few registers: it would spill. */
    bool packs_rows;
} kd_access;

/* False: the op is no access to a tile. */
bool kd_access_of(kd_layout_costs *costs, const kd_op *op, kd_access *out);
/* The layout in which an access is cheapest: coalesced; sub-groups go along axes of the mask `last_axes` only when others are used up. */
const kd_layout *kd_access_layout(const kd_layout_costs *costs, const kd_access *access, uint32_t last_axes);
/* The same for tiles that nobody accesses; 16 bytes a work-item along the last axis. */
const kd_layout *kd_default_layout(const kd_layout_costs *costs, const kd_type *type, uint32_t last_axes);

int64_t kd_access_cost(const kd_layout_costs *costs, const kd_access *access, const kd_layout *layout);
/* Of a conversion between layouts of a tile of elements of so many bits. */
int64_t kd_conversion_cost(const kd_layout_costs *costs, const kd_layout *from, const kd_layout *to, unsigned elem_bits);
/* Of folding an axis of tiles of that type in that layout. */
int64_t kd_reduction_cost(const kd_layout_costs *costs, const kd_layout *layout, const kd_type *type, unsigned axis);
/* Whether the op can be done again in any layout, given what it reads in one that follows from that: it touches no memory and ties no layout. */
bool kd_op_takes_any_layout(const kd_op *op);
/* How much what an op costs counts: more in inner loops. */
int64_t kd_op_weight(const kd_op *op);

#endif
