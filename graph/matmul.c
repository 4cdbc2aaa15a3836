/* matmul.c - the kernel of a matrix product with what follows it element by element, for devices that have no oneDNN.
 *
 * A program instance computes a tile of the result: it goes over blocks of the inner dimension, and what it sums up in f32 gets the bias and
 * the posts before it is rounded and stored. Operands are read in whatever strides they have. Tiles that lie below one another run after one
 * another, so that the columns of the second operand, mostly weights, are read once for all of them. */
#include "graph/product.h"

#include "base/scalar.h"

/* "a + batch * 4096 + row[:, None] * 64 + inner[None, :]": of a whole tile, even where the matrix has one row or column. */
static const char *places(kd_product *p, const char *pointer, kd_product_operand *operand, const char *row, const char *col)
{
    const char *const names[] = {"batch", row, col};
    unsigned n = p->n_dims;
    int64_t *strides = operand->strides + n - 2;
    const int64_t *shape = operand->shape + n - 2;
    strides[1] = shape[1] != 1 ? strides[1] : shape[0] == 1 ? 1 : product_stride_of_one(shape[0], strides[0]);
    strides[0] = shape[0] != 1 ? strides[0] : product_stride_of_one(shape[1], strides[1]);
    return kernel_places(&p->k, pointer, n, operand->strides, operand->offset, names + 3 - n);
}

static void write_sum(kd_product *p, unsigned first)
{
    kd_kernel_text *k = &p->k;
    kd_product_operand a = product_operand(p, first, "a"), b = product_operand(p, first + 1, "b");
    kernel_line(k, "total = tl.full([ROWS, COLS], 0.0, tl.%s)", kd_scalar_tl_name(p->sum_type));
    if (!p->size.n_inner)
        return;
    bool ends = product_write_loop(p);
    kernel_line(k, "    x = tl.load(%s%s)", places(p, "a", &a, "row[:, None]", "inner[None, :]"),
                kernel_mask(k, p->rows_end, ends ? "(inner[None, :] < K)" : NULL, true));
    kernel_line(k, "    w = tl.load(%s%s)", places(p, "b", &b, "inner[:, None]", "col[None, :]"),
                kernel_mask(k, ends ? "(inner[:, None] < K)" : NULL, p->cols_end, true));
    kernel_line(k, "    total = tl.dot(x, w, total, input_precision=\"ieee\")");
}

kd_product_size product_size_of(const kd_gnode *node)
{
    bool has_bias = node->op->code == KD_GOP_addmm;
    const kd_tensor_type *a = &kd_gnode_tensor(node, has_bias)->type, *b = &kd_gnode_tensor(node, has_bias + 1u)->type;
    unsigned n = a->n_dims;
    return (kd_product_size){n == 3 ? a->shape[0] : 1, a->shape[n - 2], b->shape[n - 1], a->shape[n - 1]};
}

kd_status kd_matmul_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out)
{
    static const char *const NAMES[] = {"batch", "row[:, None]", "col[None, :]"};
    bool has_bias = node->op->code == KD_GOP_addmm;
    kd_product p;
    kd_status status = product_begin(&p, plan, node, out, product_size_of(node));
    if (status)
        return status;
    unsigned n = p.n_dims;
    p.col_dim = n - 1;
    p.row_dims = 1u << (n - 2);
    memcpy(p.names, NAMES + 3 - n, n * sizeof *NAMES);
    product_write_coordinates(&p, "batch");
    write_sum(&p, has_bias);
    if (has_bias)
        product_add_bias(&p, 0);
    product_write_posts(&p);
    product_store(&p);
    return product_finish(&p, "matmul", number);
}
