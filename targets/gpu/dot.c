/* dot.c - matrix products by multiply and add, through SLM (without it, where layouts allow: dot_direct.c).
 *
 *     for each part of K that fits in SLM
 *       a and b -> SLM, in the type of the sums
 *       for k in the part, a few at a time
 *         for each row of the work-item's registers: read a[row, k...]
 *         for each run of columns:                   read b[k, columns], multiply and add into the registers
 *
 * Each sum is made in the order of k, from acc on: as on the CPU. Rows of SLM are padded, so that lanes in several rows use several banks. */
#include "targets/gpu/lower.h"

#include "base/bits.h"
#include "base/bug.h"

enum { MAX_VECTOR_BYTES = 16, MAX_UNROLL = 4 };

typedef struct product {
    kd_simt *s;
    const kd_op *op;
    const kd_type *type, *elem; /* of d; of the sums */
    const kd_layout *layout;    /* of d */
    unsigned n_regs, vector, unroll;
    int64_t batch, m, n, k;
    int64_t part;       /* of K, in SLM at a time */
    int64_t stride_a, stride_b; /* of rows in SLM */
    kd_value *slm_a, *slm_b;
    kd_value **sums;
} product;

static unsigned elem_bytes(const product *p)
{
    return kd_scalar_bytes(p->elem->scalar);
}

/* ---- into SLM ---- */

typedef struct operand {
    const product *p;
    bool is_a;
    int64_t cols; /* of its matrices */
} operand;

static uint32_t row_of(const void *user, uint32_t position)
{
    return position >> kd_log2(((const operand *)user)->cols);
}

static uint32_t col_of(const void *user, uint32_t position)
{
    return position & (uint32_t)(((const operand *)user)->cols - 1);
}

static uint32_t k_of(const void *user, uint32_t position)
{
    const operand *o = user;
    return o->is_a ? col_of(o, position) : row_of(o, position) & (uint32_t)(o->p->k - 1);
}

/* The row in SLM: of a, batch and m; of b, batch and k in the part. */
static uint32_t slm_row_of(const void *user, uint32_t position)
{
    const operand *o = user;
    uint32_t row = row_of(o, position);
    if (o->is_a)
        return row;
    return row / (uint32_t)o->p->k * (uint32_t)o->p->part + (row & (uint32_t)(o->p->part - 1));
}

static uint32_t slm_col_of(const void *user, uint32_t position)
{
    const operand *o = user;
    return o->is_a ? col_of(o, position) & (uint32_t)(o->p->part - 1) : col_of(o, position);
}

static uint32_t part_of(const void *user, uint32_t position)
{
    return k_of(user, position) >> kd_log2(((const operand *)user)->p->part);
}

static void stage(product *p, const kd_value *value, bool is_a, int64_t part)
{
    kd_simt *s = p->s;
    const kd_layout *layout = kd_simt_layout(s, value->type);
    operand o = {p, is_a, is_a ? p->k : p->n};
    kd_value **regs = kd_simt_regs(s, value), *owner = kd_simt_owner(s, layout), *buffer = is_a ? p->slm_a : p->slm_b;
    unsigned vector = kd_layout_n_consecutive(layout, value->type, value->type->rank - 1), most = MAX_VECTOR_BYTES / elem_bytes(p);
    vector = vector < most ? vector : most;
    if (is_a && vector > p->part)
        vector = (unsigned)p->part;
    for (unsigned r = 0; r < kd_layout_n_registers(layout); r += vector) {
        kd_value *values[MAX_VECTOR_BYTES], *mask = owner;
        if (r & kd_layout_free_bits(layout, KD_REGISTER))
            continue;
        if (p->part < p->k) {
            kd_value *mine = kd_simt_mapped(s, layout, r, part_of, &o);
            int64_t known;
            if (kd_value_constant_int(mine, &known) && known != part)
                continue;
            if (!kd_value_constant_int(mine, &known))
                mask = kd_simt_both(s, mask, kd_simt_compare(s, KD_PRED_EQ, mine, kd_simt_int(s, s->i32, part)));
        }
        for (unsigned i = 0; i < vector; i++)
            values[i] = kd_simt_cast(s, regs[r + i], p->elem);
        kd_value *at = kd_simt_binary(s, KD_OP_mul, kd_simt_mapped(s, layout, r, slm_row_of, &o),
                                      kd_simt_int(s, s->i32, is_a ? p->stride_a : p->stride_b));
        at = kd_simt_binary(s, KD_OP_add, at, kd_simt_mapped(s, layout, r, slm_col_of, &o));
        kd_simt_slm_write(s, buffer, at, kd_simt_pack(s, values, vector), mask);
    }
}

/* ---- the sums ---- */

/* Where a register's row of a, or column of b, begins: what differs between work-items, and a constant. */
typedef struct start {
    kd_value *base;
    int64_t constant;
} start;

static uint32_t row_of_a(const void *user, uint32_t position)
{
    const product *p = user;
    return position >> kd_log2(p->n);
}

static uint32_t col_of_b(const void *user, uint32_t position)
{
    const product *p = user;
    return position & (uint32_t)(p->n - 1);
}

static uint32_t batch_of(const void *user, uint32_t position)
{
    const product *p = user;
    return position >> kd_log2(p->n * p->m);
}

/* map(position of r) * stride, split where the constant's bits are its own. */
static start start_of(const product *p, unsigned r, uint32_t (*map)(const void *user, uint32_t position), int64_t stride)
{
    kd_simt *s = p->s;
    uint32_t constant = map(p, kd_layout_position(p->layout, r, 0, 0)), moving = 0;
    for (unsigned in = KD_LANE; in <= KD_SUB_GROUP; in++)
        for (unsigned i = 0; i < p->layout->n_bits[in]; i++)
            moving |= map(p, p->layout->basis[in][i]);
    kd_value *base = kd_simt_mapped(s, p->layout, constant & moving ? r : 0, map, p);
    base = kd_simt_binary(s, KD_OP_mul, base, kd_simt_int(s, s->i32, stride));
    return (start){base, constant & moving ? 0 : constant * stride};
}

static void *read_vector(const product *p, kd_value *buffer, start at, kd_value *moved, int64_t constant, unsigned n,
                         kd_value **out)
{
    kd_simt *s = p->s;
    kd_value *index =
        kd_simt_binary(s, KD_OP_add, kd_simt_binary(s, KD_OP_add, at.base, moved), kd_simt_int(s, s->i32, at.constant + constant));
    kd_simt_unpack(s, kd_simt_slm_read(s, buffer, index, kd_simt_vector_type(s, p->elem, n)), out, n);
    return out;
}

kd_value *kd_simt_multiply_add(kd_simt *s, kd_value *a, kd_value *b, kd_value *sum)
{
    if (kd_type_is_float_like(sum->type))
        return kd_simt_apply(s, KD_OP_fma, sum->type, NULL, (kd_value *[]){a, b, sum}, 3);
    return kd_simt_binary(s, KD_OP_add, sum, kd_simt_binary(s, KD_OP_mul, a, b));
}

/* Registers by the constant of their row or column start. */
typedef struct read {
    int64_t constant;
    kd_value *base, *values[MAX_VECTOR_BYTES];
} read;

static kd_value **find_read(read *reads, unsigned *n, start at, bool *out_fresh)
{
    for (unsigned i = 0; i < *n; i++)
        if (reads[i].constant == at.constant && reads[i].base == at.base) {
            *out_fresh = false;
            return reads[i].values;
        }
    reads[*n] = (read){at.constant, at.base, {NULL}};
    *out_fresh = true;
    return reads[(*n)++].values;
}

typedef struct starts {
    start *row, *col; /* by register; bases are shared */
} starts;

static starts find_starts(const product *p)
{
    kd_simt *s = p->s;
    starts out = {kd_arena_array(s->arena, start, p->n_regs), kd_arena_array(s->arena, start, p->n_regs)};
    kd_map bases = kd_map_in(s->arena); /* linear function to product: so that equal ones are one value */
    for (unsigned r = 0; r < p->n_regs; r++) {
        start *both[] = {&out.row[r], &out.col[r]};
        *both[0] = start_of(p, r, row_of_a, p->stride_a);
        *both[1] = start_of(p, r, col_of_b, 1);
        if (p->batch > 1) {
            start more = start_of(p, r, batch_of, p->part * p->stride_b);
            both[1]->base = kd_simt_binary(s, KD_OP_add, both[1]->base, more.base);
            both[1]->constant += more.constant;
        }
        for (unsigned i = 0; i < 2; i++) {
            kd_strbuf key = kd_strbuf_in(s->arena);
            const kd_value *v = both[i]->base, *parts[] = {v, v};
            if (v->def && v->def->code == KD_OP_add)
                parts[0] = kd_op_operand(v->def, 0), parts[1] = kd_op_operand(v->def, 1);
            for (unsigned k = 0; k < 2; k++) {
                const kd_op *def = parts[k]->def;
                bool is_product = def && def->code == KD_OP_mul;
                kd_strbuf_printf(&key, "%p*%p ", (const void *)(is_product ? kd_op_operand(def, 0) : parts[k]),
                                 (const void *)(is_product ? kd_op_operand(def, 1) : NULL));
            }
            void **known = kd_map_at(&bases, kd_str_of(kd_strbuf_text(&key)));
            if (!*known)
                *known = both[i]->base;
            both[i]->base = *known;
        }
    }
    return out;
}

static void multiply_step(product *p, const starts *at, kd_value *k)
{
    kd_simt *s = p->s;
    read *rows = kd_arena_array(s->arena, read, p->n_regs), *cols = kd_arena_array(s->arena, read, p->n_regs);
    kd_value *k_rows = kd_simt_binary(s, KD_OP_mul, k, kd_simt_int(s, s->i32, p->stride_b));
    unsigned n_rows = 0;
    for (unsigned u = 0; u < p->unroll; u++) {
        unsigned n_cols = 0;
        for (unsigned r = 0; r < p->n_regs; r += p->vector) {
            bool fresh;
            kd_value **a = find_read(rows, &n_rows, at->row[r], &fresh);
            if (fresh)
                read_vector(p, p->slm_a, at->row[r], k, 0, p->unroll, a);
            kd_value **b = find_read(cols, &n_cols, at->col[r], &fresh);
            if (fresh)
                read_vector(p, p->slm_b, at->col[r], k_rows, u * p->stride_b, p->vector, b);
            for (unsigned i = 0; i < p->vector; i++)
                p->sums[r + i] = kd_simt_multiply_add(s, a[u], b[i], p->sums[r + i]);
        }
    }
}

static void multiply_part(product *p)
{
    kd_simt *s = p->s;
    starts at = find_starts(p);
    kd_value *zero = kd_simt_int(s, s->i32, 0);
    if (p->part == p->unroll) {
        multiply_step(p, &at, zero);
        return;
    }
    kd_value **operands = kd_simt_array(s, 3 + p->n_regs);
    const kd_type **types = kd_arena_array(s->arena, const kd_type *, p->n_regs);
    operands[0] = zero, operands[1] = kd_simt_int(s, s->i32, p->part), operands[2] = kd_simt_int(s, s->i32, p->unroll);
    for (unsigned r = 0; r < p->n_regs; r++)
        operands[3 + r] = p->sums[r], types[r] = p->elem;
    kd_op *loop = kd_build_op(&s->b, KD_OP_for, s->loc, operands, 3 + p->n_regs, types, p->n_regs, NULL);
    kd_builder outer = s->b;
    s->b = kd_builder_at_end(s->module, loop->regions[0]);
    kd_value *k = kd_block_add_arg(s->module, loop->regions[0], s->i32, "k");
    for (unsigned r = 0; r < p->n_regs; r++)
        p->sums[r] = kd_block_add_arg(s->module, loop->regions[0], p->elem, NULL);
    multiply_step(p, &at, k);
    kd_simt_put(s, KD_OP_yield, NULL, NULL, p->sums, p->n_regs);
    s->b = outer;
    for (unsigned r = 0; r < p->n_regs; r++)
        p->sums[r] = kd_op_result(loop, r);
}

/* ---- sizes ---- */

/* Rows of a multiple of all banks would begin in the same one. */
static int64_t padded(const product *p, int64_t cols)
{
    return cols * elem_bytes(p) % 64 ? cols : cols + MAX_VECTOR_BYTES / elem_bytes(p);
}

static void choose_sizes(product *p)
{
    unsigned most = MAX_VECTOR_BYTES / elem_bytes(p);
    for (p->part = p->k;; p->part /= 2) {
        p->stride_a = padded(p, p->part);
        p->stride_b = padded(p, p->n);
        int64_t bytes = p->batch * (p->m * p->stride_a + p->part * p->stride_b) * elem_bytes(p);
        if (bytes <= p->s->config->device->slm_bytes / 2 || p->part == 1)
            break;
    }
    p->unroll = p->part < MAX_UNROLL ? (unsigned)p->part : MAX_UNROLL;
    p->unroll = p->unroll < most ? p->unroll : most;
    p->vector = kd_layout_n_consecutive(p->layout, p->type, p->type->rank - 1);
    p->vector = p->vector < most ? p->vector : most;
}

void kd_simt_dot(kd_simt *s, const kd_op *op)
{
    const kd_value *a = kd_dot_a(op), *b = kd_dot_b(op), *result = kd_op_result(op, 0);
    unsigned rank = a->type->rank;
    kd_scalar from = kd_type_elem(a->type)->scalar;
    product p = {.s = s,
                 .op = op,
                 .type = result->type,
                 .layout = kd_simt_full(s, kd_layout_without_register_copies(s->ctx, kd_simt_layout(s, result->type))),
                 .batch = rank == 3 ? a->type->shape[0] : 1,
                 .m = a->type->shape[rank - 2],
                 .n = b->type->shape[rank - 1],
                 .k = a->type->shape[rank - 1]};
    p.elem = kd_scalar_is_int(from) ? s->i32 : from == KD_F64 ? s->f64 : s->f32;
    if (kd_simt_dot_direct(s, op, p.elem))
        return;
    p.n_regs = kd_layout_n_registers(p.layout);
    choose_sizes(&p);
    p.slm_a = kd_simt_slm(s, p.elem, p.batch * p.m * p.stride_a);
    p.slm_b = kd_simt_slm(s, p.elem, p.batch * p.part * p.stride_b);
    kd_value **acc = kd_simt_regs_as(s, kd_dot_acc(op), p.layout);
    p.sums = kd_simt_array(s, p.n_regs);
    for (unsigned r = 0; r < p.n_regs; r++)
        p.sums[r] = kd_simt_cast(s, acc[r], p.elem);
    for (int64_t part = 0; part < p.k / p.part; part++) {
        stage(&p, a, true, part);
        stage(&p, b, false, part);
        multiply_part(&p);
    }
    for (unsigned r = 0; r < p.n_regs; r++)
        p.sums[r] = kd_simt_cast(s, p.sums[r], kd_type_elem(p.type));
    kd_simt_set_from(s, result, p.layout, p.sums);
}
