/* decompose_impl.h - between the files that write compositions out. */
#ifndef KD_GRAPH_DECOMPOSE_IMPL_H
#define KD_GRAPH_DECOMPOSE_IMPL_H

#include "graph/plan.h"

#include "base/map.h"
#include "base/scalar.h"

typedef struct kd_decomposer {
    kd_graph *to;
    kd_arena *arena;
    kd_gvalue **map;     /* values of the old graph in the new one, by id */
    const kd_gnode *of;  /* the node that is written out */
    unsigned n_made;     /* of it */
    bool on_gpu;
    kd_map known;        /* kd_gvalue *, by op and arguments */
    kd_gvalue **made;    /* of an op that is expanded: its results; else NULL. Operands are values of 'to' then */
    kd_failure *why;
    kd_status status;
} kd_decomposer;

static inline kd_garg no_arg(void)
{
    return (kd_garg){0};
}

static inline kd_garg text_arg(const char *t)
{
    kd_garg arg = {.kind = KD_GARG_TEXT};
    arg.text = t;
    return arg;
}

static inline kd_garg bool_arg(bool on)
{
    kd_garg arg = {.kind = KD_GARG_BOOL};
    arg.i = on;
    return arg;
}

kd_garg ints_arg(kd_arena *arena, unsigned n, const int64_t *values);
kd_garg values_arg(kd_arena *arena, unsigned n, kd_gvalue *const *values);

/* Adds a node and returns its first result. Arguments behind those given are none. */
#define BUILD(d, code, ...) decompose_build((d), KD_GOP_##code, 1, (const kd_garg[KD_GOP_MAX_PARAMS]){__VA_ARGS__})
kd_gvalue *decompose_build(kd_decomposer *d, kd_gop_code code, unsigned n_results, const kd_garg *args);
/* Of two tensors, or of one and a number. */
kd_gvalue *build_two(kd_decomposer *d, kd_gop_code code, kd_gvalue *a, kd_gvalue *b);
kd_gvalue *build_with(kd_decomposer *d, kd_gop_code code, kd_gvalue *a, double number);
kd_gvalue *build_one(kd_decomposer *d, kd_gop_code code, kd_gvalue *a);
kd_gvalue *build_convert(kd_decomposer *d, kd_gvalue *value, kd_scalar type);
kd_gvalue *build_where(kd_decomposer *d, kd_gvalue *condition, kd_gvalue *a, kd_garg otherwise);
kd_gvalue *build_view(kd_decomposer *d, kd_gvalue *value, unsigned n, const int64_t *shape);
/* All elements in one row. */
kd_gvalue *build_flat(kd_decomposer *d, kd_gvalue *x);
kd_gvalue *build_expand(kd_decomposer *d, kd_gvalue *value, unsigned n, const int64_t *shape);
/* One number in all elements. */
kd_gvalue *build_full(kd_decomposer *d, unsigned n, const int64_t *shape, kd_garg number, kd_scalar type);
/* 0, 1, ... along dimension dim of a shape of n_dims, i32. */
kd_gvalue *build_places(kd_decomposer *d, unsigned n_dims, unsigned dim, int64_t n);
/* A vector over the channels, along dimension 1 of x. */
kd_gvalue *build_along_channels(kd_decomposer *d, kd_gvalue *vector, const kd_gvalue *x);

/* The mean over some dimensions. */
kd_gvalue *build_mean(kd_decomposer *d, kd_gvalue *x, kd_garg dims, bool keep);
/* exp(x - max) over some dimension, divided by its sum. */
kd_gvalue *build_softmax(kd_decomposer *d, kd_gvalue *x, int64_t dim, bool is_safe);

/* Of the four elements around a place, by how far it is behind the second one. */
void build_cubic_weights(kd_decomposer *d, kd_gvalue *part, kd_gvalue *out[4]);

/* Numbers that no number of the type is less than, or more. */
kd_garg least_arg(kd_scalar type);
kd_garg most_arg(kd_scalar type);
/* Numbers of which the largest belongs to the largest element, a NaN's larger than all others; for the smallest, turned around, where a NaN's is
 * the least unless nan_first. */
kd_gvalue *build_order(kd_decomposer *d, kd_gvalue *x, bool largest, bool nan_first);
/* Where along a dimension the first element is that equals the largest of those that are left (NULL: all are); kept as a dimension of one. */
kd_gvalue *build_first_largest(kd_decomposer *d, kd_gvalue *x, kd_gvalue *left, kd_gvalue *places, int64_t dim);

/* Of numbers in the elements' order the k-th smallest along a dimension, from 0, in an i32 or i64; k: a number or, for each row, a tensor. Kept as a
 * dimension of one. */
kd_gvalue *build_kth(kd_decomposer *d, kd_gvalue *order, int64_t dim, kd_garg k);

/* What is put, or added ..., into rows of self where indices say, one after the other; shapes as in ops.def. On CPUs. */
kd_gvalue *build_scatter_rows(kd_decomposer *d, kd_gvalue *self, kd_gvalue *index, kd_gvalue *values, kd_scatter_kind how);

/* Parameter i of the node that is written out, as it is, and in f32 where it is of a half type. NULL: none. */
kd_gvalue *decompose_operand(kd_decomposer *d, unsigned i);
kd_gvalue *decompose_wide_operand(kd_decomposer *d, unsigned i);
/* The value takes the place, the name and the layout of a result. */
void decompose_finish(kd_decomposer *d, unsigned result, kd_gvalue *value);
/* The same of the only result, where the value is it already but for a reshape. */
void decompose_finish_shaped(kd_decomposer *d, kd_gvalue *value);
/* A value of the node's argument list in the new graph. */
kd_gvalue *decompose_value(const kd_decomposer *d, kd_gvalue *value);
/* KD_ERR_UNSUPPORTED, with a sentence that begins with the node. */
void decompose_fail(kd_decomposer *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
