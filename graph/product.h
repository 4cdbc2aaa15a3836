/* product.h - between the files that write products of tiles: matmul.c and convolution.c. */
#ifndef KD_GRAPH_PRODUCT_H
#define KD_GRAPH_PRODUCT_H

#include "graph/kernel_text.h"

/* So many results, each a sum of n_inner products. */
typedef struct kd_product_size {
    int64_t n_batch, n_rows, n_cols, n_inner;
} kd_product_size;

typedef struct kd_product {
    kd_kernel_text k;
    kd_product_size size;
    kd_scalar sum_type;
    int64_t rows, cols, inner; /* of tiles */
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

/* Chooses the tiles. KD_ERR_UNSUPPORTED: not in this type. */
kd_status product_begin(kd_product *p, kd_plan *plan, const kd_gnode *node, kd_kernel_source *out, kd_product_size size);
/* "row" and "col" of the tile, and which of the batch, where there are several, by the name given. */
void product_write_coordinates(kd_product *p, const char *batch);
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
