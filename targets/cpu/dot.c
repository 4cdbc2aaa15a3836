/* dot.c - matrix products by a register-tiled kernel.
 *
 *     for each block of columns (a few vectors wide)
 *       for each block of rows
 *         accumulators <- acc, evaluated in place
 *         for k: columns of b are read as vectors, each element of a is broadcast and multiplied into its row of accumulators
 *         d <- accumulators
 *
 * a and b lie in buffers, converted to the type of the sums before (prepare.c), so that all products are made in f32, f64 or i32. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

enum { MAX_ROWS = 8, MAX_VECTORS = 4 };

typedef struct product {
    kd_nest *n;
    const kd_op *op;
    kd_value *a, *b, *d; /* buffers */
    const kd_type *elem; /* of the sums */
    bool batched;
    int64_t m, n_cols, k;
    unsigned rows, vectors;
    kd_lanes batch;
} product;

static void choose_block(product *p)
{
    const kd_machine *machine = p->n->l->machine;
    unsigned lanes = machine->vector_bytes / kd_scalar_bytes(p->elem->scalar);
    unsigned vectors = machine->has_avx512 ? 4 : 2, rows = 4;
    p->n->width = p->n_cols < lanes ? (unsigned)p->n_cols : lanes;
    while (vectors > 1 && (int64_t)vectors * p->n->width > p->n_cols)
        vectors /= 2, rows *= 2;
    if (!machine->has_avx512 && rows > 4)
        rows = 4;
    while (rows > MAX_ROWS || rows > p->m)
        rows /= 2;
    p->vectors = vectors;
    p->rows = rows;
}

static kd_lanes add_const(kd_nest *n, kd_lanes a, int64_t b)
{
    return b ? kd_nest_binary(n, KD_OP_add, a, kd_nest_const(n, n->l->i64, b)) : a;
}

/* base + row * stride + column of a buffer with one matrix a batch entry. */
static kd_lanes place(const product *p, int64_t rows, int64_t stride, kd_lanes row, kd_lanes column)
{
    kd_nest *n = p->n;
    kd_lanes at = kd_nest_binary(n, KD_OP_add, kd_nest_binary(n, KD_OP_mul, row, kd_nest_const(n, n->l->i64, stride)), column);
    if (!p->batched)
        return at;
    return kd_nest_binary(n, KD_OP_add, at, kd_nest_binary(n, KD_OP_mul, p->batch, kd_nest_const(n, n->l->i64, rows * stride)));
}

static void index_of(const product *p, kd_lanes row, kd_lanes column, unsigned r, unsigned v, kd_lanes *idx)
{
    kd_nest *n = p->n;
    unsigned axis = 0;
    if (p->batched)
        idx[axis++] = p->batch;
    idx[axis++] = add_const(n, row, r);
    idx[axis] = add_const(n, column, (int64_t)v * n->width);
    idx[axis].step = n->width > 1 ? 1 : 0;
}

static void multiply_step(const product *p, kd_lanes row, kd_lanes column, kd_lanes k, kd_value **acc)
{
    kd_nest *n = p->n;
    kd_value *b[MAX_VECTORS];
    const kd_type *vector = kd_nest_vector_type(n, p->elem);
    bool fused = kd_scalar_is_float(p->elem->scalar) && n->l->machine->has_fma;
    for (unsigned v = 0; v < p->vectors; v++) {
        kd_lanes at = add_const(n, place(p, p->k, p->n_cols, k, column), (int64_t)v * n->width);
        b[v] = kd_nest_put(n, n->depth, KD_OP_cpu_read, vector, (kd_value *[]){p->b, at.v}, 2, NULL);
    }
    for (unsigned r = 0; r < p->rows; r++) {
        kd_lanes at = add_const(n, place(p, p->m, p->k, row, k), (int64_t)r * p->k);
        kd_value *one = kd_nest_put(n, n->depth, KD_OP_cpu_read, p->elem, (kd_value *[]){p->a, at.v}, 2, NULL);
        kd_value *a = kd_lanes_vector(n, kd_lanes_uniform(one, n->depth));
        for (unsigned v = 0; v < p->vectors; v++) {
            kd_value **sum = &acc[r * p->vectors + v];
            if (fused) {
                *sum = kd_nest_put(n, n->depth, KD_OP_fma, vector, (kd_value *[]){a, b[v], *sum}, 3, NULL);
            } else {
                kd_value *term = kd_nest_put(n, n->depth, KD_OP_mul, vector, (kd_value *[]){a, b[v]}, 2, NULL);
                *sum = kd_nest_put(n, n->depth, KD_OP_add, vector, (kd_value *[]){*sum, term}, 2, NULL);
            }
        }
    }
}

static void block(const product *p, kd_lanes row, kd_lanes column)
{
    kd_nest *n = p->n;
    kd_value *acc[MAX_ROWS * MAX_VECTORS];
    kd_lanes idx[3];
    for (unsigned r = 0; r < p->rows; r++) {
        for (unsigned v = 0; v < p->vectors; v++) {
            index_of(p, row, column, r, v, idx);
            kd_lanes start = kd_nest_cast(n, kd_nest_eval(n, kd_dot_acc(p->op), idx), p->elem);
            acc[r * p->vectors + v] = kd_lanes_vector(n, start);
        }
    }
    n->loc = p->op->loc;
    bool loop = p->k > 1;
    kd_lanes k = kd_nest_const(n, n->l->i64, 0);
    if (loop) {
        kd_value *counter = kd_nest_open(n, p->k, 1, acc, p->rows * p->vectors);
        k = kd_lanes_uniform(counter, n->depth);
    }
    multiply_step(p, row, column, k, acc);
    if (loop)
        kd_nest_close(n, acc, p->rows * p->vectors);
    const kd_type *result = kd_op_result(p->op, 0)->type;
    for (unsigned r = 0; r < p->rows; r++) {
        for (unsigned v = 0; v < p->vectors; v++) {
            index_of(p, row, column, r, v, idx);
            kd_lanes sum = kd_nest_cast(n, kd_lanes_uniform(acc[r * p->vectors + v], n->depth), kd_type_elem(result));
            kd_nest_write(n, p->d, result, idx, sum);
        }
    }
}

static kd_lanes open_step(kd_nest *n, int64_t extent, int64_t step, unsigned *n_opened)
{
    if (extent <= step)
        return kd_nest_const(n, n->l->i64, 0);
    kd_value *at = kd_nest_open(n, extent, step, NULL, 0);
    *n_opened += 1;
    return kd_lanes_uniform(at, n->depth);
}

void kd_lower_dot(kd_lower *l, kd_op *op)
{
    const kd_type *a = kd_dot_a(op)->type, *b = kd_dot_b(op)->type;
    kd_nest *n = l->nest;
    unsigned rank = a->rank, opened = 0;
    kd_value *buffer_a = kd_lower_keep(l, kd_dot_a(op)), *buffer_b = kd_lower_keep(l, kd_dot_b(op));
    kd_group_flush(l);
    kd_tile *d = kd_lower_tile(l, kd_op_result(op, 0));
    if (!d->buffer)
        d->buffer = kd_lower_new_buffer(l, kd_op_result(op, 0)->type);
    product p = {.n = n, .op = op, .a = buffer_a, .b = buffer_b, .d = d->buffer, .elem = kd_type_elem(a), .batched = rank == 3,
                 .m = a->shape[rank - 2], .n_cols = b->shape[rank - 1], .k = a->shape[rank - 1]};
    choose_block(&p);
    p.batch = p.batched ? open_step(n, a->shape[0], 1, &opened) : kd_nest_const(n, l->i64, 0);
    kd_lanes column = open_step(n, p.n_cols, (int64_t)p.vectors * n->width, &opened);
    kd_lanes row = open_step(n, p.m, p.rows, &opened);
    block(&p, row, column);
    while (opened-- > 0)
        kd_nest_close(n, NULL, 0);
    n->width = 1;
}
