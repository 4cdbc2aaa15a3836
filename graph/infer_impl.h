/* infer_impl.h - between the files that infer types. */
#ifndef KD_GRAPH_INFER_IMPL_H
#define KD_GRAPH_INFER_IMPL_H

#include "graph/ops.h"

/* Says what is wrong with a node: KD_ERR_DAMAGED. */
kd_status infer_bad(kd_infer *cx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "f32[2, 3]" of an argument. */
const char *infer_type_text(kd_infer *cx, const kd_gvalue *value);
/* Sets the type of the only result, row-major. */
kd_status infer_one_result(kd_infer *cx, kd_scalar type, unsigned n_dims, const int64_t *shape);
/* The node has this many results, or an error. */
kd_status infer_n_results(kd_infer *cx, unsigned n);
/* Makes a shape that of it and another one, broadcast to one another. False: they do not fit. */
bool infer_broadcast(unsigned *n_dims, int64_t shape[KD_TENSOR_MAX_DIMS], const kd_tensor_type *with);
/* An argument that must be a tensor. */
kd_status infer_tensor_arg(kd_infer *cx, const kd_gnode *node, unsigned i, kd_gvalue **out);
/* Two of them. */
kd_status infer_tensor_args(kd_infer *cx, const kd_gnode *node, unsigned i, kd_gvalue **out_i, unsigned k, kd_gvalue **out_k);
/* One number for each of n dimensions of an image, not less than this. */
bool infer_spatial(const kd_gnode *node, unsigned i, unsigned n, int64_t least, int64_t *out);

#endif
