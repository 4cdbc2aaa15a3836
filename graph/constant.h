/* constant.h - the elements of constants: as the file has them, or computed from those of others whenever they are needed, so that what is
 * computed takes memory only where a step reads it. */
#ifndef KD_GRAPH_CONSTANT_H
#define KD_GRAPH_CONSTANT_H

#include "graph/ir.h"

typedef enum kd_recipe_kind {
    KD_RECIPE_CONVERT, /* from, in the constant's type */
    KD_RECIPE_SCALE,   /* from, the weights of a convolution, times gamma / sqrt(variance + eps) of the output channel, dimension 0 */
    KD_RECIPE_SHIFT,   /* (from - mean) * gamma / sqrt(variance + eps) + beta; from may be NULL, for 0 */
    KD_RECIPE_JOIN,    /* parts of others of its type, one behind the other */
    KD_RECIPE_ORDER,   /* from, whose elements are dense, in other strides; only kd_constant_write knows it */
} kd_recipe_kind;

/* The operands of a batch norm; NULL: gamma is 1, beta is 0. */
typedef enum kd_norm_operand { KD_NORM_GAMMA, KD_NORM_BETA, KD_NORM_MEAN, KD_NORM_VARIANCE, KD_N_NORM_OPERANDS } kd_norm_operand;

/* Elements of a constant that lie next to one another in its memory. */
typedef struct kd_constant_part {
    const kd_gvalue *from;
    int64_t first, n_elems;
} kd_constant_part;

/* How a constant comes from others, which have a floating type unless parts are joined. Element i in memory is made of their element i,
 * unless they are ordered. */
typedef struct kd_recipe {
    kd_recipe_kind kind;
    const kd_gvalue *from;
    const kd_gvalue *norm[KD_N_NORM_OPERANDS];
    double eps;
    const kd_constant_part *parts;
    unsigned n_parts;
} kd_recipe;

static inline bool kd_constant_is(const kd_gvalue *value)
{
    return value->data || value->recipe;
}

/* An input of the graph more. */
kd_gvalue *kd_graph_add_constant(kd_graph *graph, const char *name, const kd_tensor_type *type, kd_recipe recipe);

/* Where the elements lie, each at a multiple of its size; NULL: kd_constant_write puts them where they are wanted. */
const void *kd_constant_data(const kd_gvalue *constant);
/* All of kd_tensor_n_bytes. */
void kd_constant_write(const kd_gvalue *constant, void *out);
/* The elements first to first + n in memory as numbers. A floating type of at most 32 bits. */
void kd_constant_read(const kd_gvalue *constant, int64_t first, int64_t n, float *out);
bool kd_constant_can_read(const kd_gvalue *value);
/* Calls fn for each value of a file that the elements come from, itself perhaps. */
void kd_constant_each_source(const kd_gvalue *constant, void (*fn)(void *user, const kd_gvalue *source), void *user);

#endif
