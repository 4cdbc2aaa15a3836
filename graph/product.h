/* product.h - between the files that write products of tiles: matmul.c and convolution.c. */
#ifndef KD_GRAPH_PRODUCT_H
#define KD_GRAPH_PRODUCT_H

#include "graph/kernel_text.h"

/* So many results, each a sum of n_inner products. */
typedef struct kd_product_size {
    int64_t n_batch, n_rows, n_cols, n_inner;
} kd_product_size;

/* Of a matrix product, or a convolution. */
kd_product_size product_size_of(const kd_gnode *node);
kd_product_size convolution_size_of(const kd_gnode *node);
/* Into how many parts to divide the inner dimension, so that the device has enough to do. */
int64_t product_n_parts(const kd_product_size *size, kd_scalar type, unsigned n_threads);

/* Without the dimension for parts. */
static inline const int64_t *product_result_shape(const kd_gnode *node)
{
    return node->results[0]->type.shape + (node->n_parts > 1);
}

typedef struct kd_product {
    kd_kernel_text k;
    kd_product_size size;
    kd_scalar sum_type;
    int64_t rows, cols, inner; /* of tiles */
    int64_t n_parts, part; /* of the inner dimension, and how long each is */
    /* The result's dimensions: one for the columns, and those that together count the rows. names: of its coordinates. */
    unsigned n_dims, col_dim, row_dims; /* row_dims: a mask */
    const char *names[KD_TENSOR_MAX_DIMS];
    const char *col; /* "col", or what counts columns across groups */
    const char *rows_end, *cols_end; /* masks of a tile [rows, cols]; NULL: none is needed */
} kd_product;

/* Where an operand is: strides are 0 along dimensions with one element. */
typedef struct kd_product_operand {
    int64_t shape[KD_TENSOR_MAX_DIMS], strides[KD_TENSOR_MAX_DIMS], offset;
} kd_product_operand;

/* The distance between rows, of which there is one, for a tile of several: as if they followed one another, in the form in which the compiler
 * finds rectangles to load. Or of columns. */
static inline int64_t product_stride_of_one(int64_t other_extent, int64_t other_stride)
{
    return other_stride == 1 ? other_extent : 1;
}

/* Chooses the tiles. KD_ERR_UNSUPPORTED: not in this type. */
kd_status product_begin(kd_product *p, kd_plan *plan, const kd_gnode *node, kd_kernel_source *out, kd_product_size size);
/* "row" and "col" of the tile, and which of the batch and which part of the inner dimension, where there are several; batch: its name. */
void product_write_coordinates(kd_product *p, const char *batch);
/* The head of the loop over the inner dimension, with "inner", the numbers of a block. True: masks keep those behind its end away. */
bool product_write_loop(kd_product *p);
/* An argument of the node as an argument of the kernel. */
kd_product_operand product_operand(kd_product *p, unsigned arg, const char *name);
/* Where elements of a tensor that broadcasts to the result are: "out + batch * 4096 + row[:, None] * 64 + col[None, :]". whole: for a tile with all
 * its rows, even where there is one only; masks keep the others away. */
const char *product_places(kd_product *p, const char *pointer, const kd_product_operand *tensor, bool whole);
/* Adds a row of numbers, one for each column, to "total". */
void product_add_bias(kd_product *p, unsigned arg);
/* What is done to "total" behind the product. */
void product_write_posts(kd_product *p);
void product_store(kd_product *p);
kd_status product_finish(kd_product *p, const char *what, unsigned number);

#endif
