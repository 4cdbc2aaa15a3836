/* dpas_layouts.h - dots on the systolic array: which ones it takes, and the layouts of their operands.
 *
 * One operation of a sub-group of L lanes is acc [R, L] += a [R, D] * b [D, L], with R up to 8 rows and a depth D of 32 bytes:
 *
 *     acc   lane = column, register = row
 *     b     lane = column, register = k (a dword holds 2 of 16 bits, 4 of 8 bits)
 *     a     a row's 32 bytes go along the lanes, 2 bytes each of 16 lanes or 4 bytes each of 8 (of f32 in 16 lanes: two rows); register = row
 *
 * Registers then repeat that along M, K and N, in this order, and the sub-groups are tiled over M and N. So an accumulator of 16 lanes, rounded
 * to 16 bits, has the layout of the next dot's a: nothing moves.
 *
 * Where both operands come as rectangles whose columns lie in memory one after the other, the product is made as that of the turned tiles,
 * acc^T += b^T a^T: so b is the left operand, a the right one, both come as they lie, and acc has its columns in registers.
 * Source: Intel's cl_intel_subgroup_matrix_multiply_accumulate. */
#ifndef KD_PASSES_DPAS_LAYOUTS_H
#define KD_PASSES_DPAS_LAYOUTS_H

#include "passes/dot_layouts.h"

/* Whether the device's systolic array multiplies such tiles, in sub-groups of its size. */
bool kd_dpas_takes(const kd_op *dot, const kd_gpu_device *device);

/* Whether such a dot reads a tile as a or b, perhaps through casts and permutations. */
bool kd_dpas_reads(const kd_value *tile, const kd_gpu_device *device);
/* Whether a tile is what such a dot makes, perhaps in a loop, with element-wise ops behind it. */
bool kd_dpas_makes(const kd_value *tile, const kd_gpu_device *device);
/* Whether messages for rectangles of memory can bring the operands of dots; config may be NULL. */
bool kd_gpu_has_rectangles(const kd_gpu_config *config);

/* Bits of the extents: of one operation, and how often it repeats in a sub-group. */
typedef struct kd_dpas_tiling {
    const char *elem; /* as gpu.dpas says it: "bf16" */
    unsigned rows, depth, columns;
    unsigned n_m, n_k, n_n, n_batch;
    unsigned a_pack;  /* consecutive elements of a row in one lane */
    bool is_turned;   /* what is said above of M, N, a and b is meant of acc^T += b^T a^T; but for layouts, which are those of a, b and acc */
    kd_dot_layouts layouts;
} kd_dpas_tiling;

/* False: the dot is none for the systolic array. Where acc has a layout that fits, it decides how sub-groups are tiled. */
bool kd_dpas_tiling_choose(kd_context *ctx, const kd_op *dot, const kd_gpu_config *config, kd_dpas_tiling *out);

/* Whether a dot multiplies by this operand from the right: it wants neighbouring rows of it in one dword. */
bool kd_dpas_is_right_operand(const kd_use *use, kd_context *ctx, const kd_gpu_config *config);

#endif
