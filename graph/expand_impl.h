/* expand_impl.h - between the files that expand ops. */
#ifndef KD_GRAPH_EXPAND_IMPL_H
#define KD_GRAPH_EXPAND_IMPL_H

#include "graph/decompose_impl.h"

/* The value is a result of the node. */
void expand_return(kd_decomposer *d, unsigned result, kd_gvalue *value);
/* KD_ERR_DAMAGED: the arguments make no sense. What is built from there on is thrown away. */
void expand_bad(kd_decomposer *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Parameter i, which must be a tensor; one without dimensions where it is none. */
kd_gvalue *expand_tensor(kd_decomposer *d, unsigned i);
/* A dimension that may be counted from the end; 0 where it is out of range. */
unsigned expand_dim(kd_decomposer *d, int64_t dim, unsigned n_dims);
/* The tensors of a list; how many, 0 where they are none or too many. */
unsigned expand_list(kd_decomposer *d, unsigned i, kd_gvalue **out, unsigned capacity);
/* With dimensions of 1 in front, so that it has at least so many. */
kd_gvalue *expand_to_dims(kd_decomposer *d, kd_gvalue *x, unsigned n_dims);
/* In f32 where it is of a half type or whole. */
kd_gvalue *expand_wide(kd_decomposer *d, kd_gvalue *x);
/* What becomes of the losses of all elements. reduction: 0 they themselves, 1 their mean, 2 their sum. */
kd_gvalue *expand_reduced(kd_decomposer *d, kd_gvalue *losses, int64_t reduction);

/* For decompose_build: an expanded op inside of another. */
kd_gvalue *expand_nested(kd_decomposer *d, const kd_gnode *node);

#endif
