/* dot_layouts.c - see dot_layouts.h. */
#include "base/bits.h"
#include "passes/dpas_layouts.h"

enum {
    MAX_VECTOR_BYTES = 16,
    MAX_DIRECT = 4096,    /* multiply-adds of a work-item that are unrolled */
    MAX_REGISTERS = 80,  /* 32-bit ones of a, b and acc in a work-item, beyond which loading all K at once spills */
    MAX_CHAIN = 64,       /* ops between a dot and what reads it */
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many bits of an axis of acc lie in each input. Positions count: vector registers lowest, then lanes, further registers, sub-groups. */
typedef struct share {
    unsigned vector, lanes, more, sub_groups;
} share;

typedef struct plan {
    unsigned batch, m, n, k; /* bits of the extents */
    unsigned lane_bits, sub_group_bits;
    unsigned batch_sub_groups;
    share of_m, of_n;
} plan;

/* ---- what becomes of the product ---- */

/* Whether an op folds rows or is a dot whose a this is. */
static bool keeps_rows(const kd_use *use)
{
    const kd_op *op = use->user;
    return (op->code == KD_OP_reduce && kd_reduce_axis(op) + 1 == op->operands[0].value->type->rank) ||
           (op->code == KD_OP_dot && use == &op->operands[0]);
}

static bool reaches_rows(const kd_value *value, unsigned *n_left)
{
    for (const kd_use *use = value->uses; use && *n_left; use = use->next) {
        --*n_left;
        if (keeps_rows(use))
            return true;
        bool goes_on = kd_op_has(use->user, KD_ELEMENTWISE | KD_PURE) && use->user->n_results == 1;
        if (goes_on && reaches_rows(&use->user->results[0], n_left))
            return true;
    }
    return false;
}

static bool comes_from_dot(const kd_value *value, unsigned *n_left)
{
    if (!value->def || !*n_left)
        return false;
    --*n_left;
    if (value->def->code == KD_OP_dot)
        return true;
    if (!kd_op_has(value->def, KD_ELEMENTWISE | KD_PURE))
        return false;
    for (unsigned i = 0; i < value->def->n_operands; i++)
        if (comes_from_dot(kd_op_operand(value->def, i), n_left))
            return true;
    return false;
}

static bool wants_whole_rows(const kd_op *dot)
{
    unsigned forward = MAX_CHAIN, backward = MAX_CHAIN;
    return reaches_rows(&dot->results[0], &forward) || comes_from_dot(kd_dot_a(dot), &backward);
}

/* ---- sizes ---- */

/* Splits the sub-groups so that the parts of a and b that one of them reads are smallest together; columns still fill a
 * sub-group, with 4 bytes for each of its lanes. */
static void split_sub_groups(plan *p, bool whole_rows, unsigned pack)
{
    p->batch_sub_groups = least(p->sub_group_bits, p->batch);
    unsigned left = p->sub_group_bits - p->batch_sub_groups, columns = least(p->n, p->lane_bits + pack);
    uint64_t best = UINT64_MAX;
    for (unsigned on_n = 0; on_n <= left; on_n++) {
        unsigned on_m = least(left - on_n, p->m);
        if (on_n && (on_n + columns > p->n || (whole_rows && left <= p->m)))
            break;
        uint64_t cost =
            (1ull << (p->m - on_m)) + (1ull << (p->n - on_n)) + ((uint64_t)(left - on_n - on_m) << 20); /* idle ones last */
        if (cost < best) {
            best = cost;
            p->of_m.sub_groups = on_m;
            p->of_n.sub_groups = on_n;
        }
    }
}

static plan plan_of(const kd_op *dot, const kd_gpu_config *config)
{
    const kd_type *a = kd_dot_a(dot)->type, *acc = kd_dot_acc(dot)->type;
    unsigned r = acc->rank;
    plan p = {.batch = r == 3 ? kd_log2((uint64_t)acc->shape[0]) : 0,
              .m = kd_log2((uint64_t)acc->shape[r - 2]),
              .n = kd_log2((uint64_t)acc->shape[r - 1]),
              .k = kd_log2((uint64_t)a->shape[r - 1]),
              .lane_bits = kd_log2(config->sub_group_size),
              .sub_group_bits = kd_log2(config->n_sub_groups)};
    unsigned bytes = kd_type_elem_bits(kd_dot_b(dot)->type) / 8;
    split_sub_groups(&p, wants_whole_rows(dot), bytes < 4 ? kd_log2(4 / bytes) : 0);
    unsigned n = p.n - p.of_n.sub_groups, m = p.m - p.of_m.sub_groups;
    p.of_n.lanes = least(p.lane_bits, n);
    p.of_m.lanes = least(p.lane_bits - p.of_n.lanes, m);
    p.of_n.vector = least(n - p.of_n.lanes, kd_log2(MAX_VECTOR_BYTES / bytes));
    p.of_n.more = n - p.of_n.lanes - p.of_n.vector;
    p.of_m.vector = m - p.of_m.lanes; /* consecutive rows */
    return p;
}

static void put(kd_layout *l, kd_layout_in in, uint32_t v)
{
    l->basis[in][l->n_bits[in]++] = v;
}

/* n consecutive bits of the position from bit `from` on. */
static void put_bits(kd_layout *l, kd_layout_in in, unsigned from, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        put(l, in, 1u << (from + i));
}

static void put_zeros(kd_layout *l, kd_layout_in in, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        put(l, in, 0);
}

/* The registers, lanes and sub-groups of acc's axes, where the columns begin at position bit n_at (-1: are absent), the rows at m_at. Order of
 * lanes: columns, rows; of sub-groups: columns, rows, batch. */
static void put_columns(kd_layout *l, const plan *p, unsigned n_at)
{
    put_bits(l, KD_REGISTER, n_at, p->of_n.vector);
    put_bits(l, KD_REGISTER, n_at + p->of_n.vector + p->of_n.lanes, p->of_n.more);
}

static void put_sub_groups(kd_layout *l, const plan *p, int n_at, int m_at, unsigned batch_at)
{
    unsigned n_from = p->n - p->of_n.sub_groups, m_from = p->m - p->of_m.sub_groups;
    if (n_at >= 0)
        put_bits(l, KD_SUB_GROUP, (unsigned)n_at + n_from, p->of_n.sub_groups);
    else
        put_zeros(l, KD_SUB_GROUP, p->of_n.sub_groups);
    if (m_at >= 0)
        put_bits(l, KD_SUB_GROUP, (unsigned)m_at + m_from, p->of_m.sub_groups);
    else
        put_zeros(l, KD_SUB_GROUP, p->of_m.sub_groups);
    put_bits(l, KD_SUB_GROUP, batch_at + p->batch - p->batch_sub_groups, p->batch_sub_groups);
    put_zeros(l, KD_SUB_GROUP, p->sub_group_bits - l->n_bits[KD_SUB_GROUP]);
}

static const kd_layout *acc_layout(kd_context *ctx, const plan *p)
{
    kd_layout l = {.n_out_bits = (uint8_t)(p->batch + p->m + p->n)};
    unsigned batch_at = p->n + p->m;
    put_columns(&l, p, 0);
    put_bits(&l, KD_REGISTER, p->n, p->of_m.vector);
    put_bits(&l, KD_REGISTER, batch_at, p->batch - p->batch_sub_groups);
    put_bits(&l, KD_LANE, p->of_n.vector, p->of_n.lanes);
    put_bits(&l, KD_LANE, p->n + p->of_m.vector, p->of_m.lanes);
    put_zeros(&l, KD_LANE, p->lane_bits - l.n_bits[KD_LANE]);
    put_sub_groups(&l, p, 0, (int)p->n, batch_at);
    return kd_layout_intern(ctx, &l);
}

static const kd_layout *b_layout(kd_context *ctx, const plan *p)
{
    kd_layout l = {.n_out_bits = (uint8_t)(p->batch + p->k + p->n)};
    unsigned batch_at = p->n + p->k;
    put_columns(&l, p, 0);
    put_bits(&l, KD_REGISTER, p->n, p->k);
    put_bits(&l, KD_REGISTER, batch_at, p->batch - p->batch_sub_groups);
    put_bits(&l, KD_LANE, p->of_n.vector, p->of_n.lanes);
    put_zeros(&l, KD_LANE, p->lane_bits - l.n_bits[KD_LANE]);
    put_sub_groups(&l, p, 0, -1, batch_at);
    return kd_layout_intern(ctx, &l);
}

/* Lanes that acc has along its columns go along K here, at least 4 bytes each; those that K does not fill take rows from the registers. */
static const kd_layout *a_layout(kd_context *ctx, const plan *p, unsigned elem_bytes)
{
    kd_layout l = {.n_out_bits = (uint8_t)(p->batch + p->m + p->k)};
    unsigned batch_at = p->k + p->m, free_lanes = p->of_m.lanes ? p->of_n.lanes : p->lane_bits;
    unsigned pack = elem_bytes < 4 ? kd_log2(4 / elem_bytes) : 0, lanes = least(free_lanes, p->k > pack ? p->k - pack : 0);
    unsigned vector = least(p->k - lanes, kd_log2(MAX_VECTOR_BYTES / elem_bytes)), rows = least(free_lanes - lanes, p->of_m.vector);
    put_bits(&l, KD_REGISTER, 0, vector);
    put_bits(&l, KD_REGISTER, vector + lanes, p->k - vector - lanes);
    put_bits(&l, KD_REGISTER, p->k, p->of_m.vector - rows);
    put_bits(&l, KD_REGISTER, batch_at, p->batch - p->batch_sub_groups);
    put_bits(&l, KD_LANE, vector, lanes);
    put_bits(&l, KD_LANE, p->k + p->of_m.vector - rows, rows);
    put_zeros(&l, KD_LANE, p->of_n.lanes > l.n_bits[KD_LANE] ? p->of_n.lanes - l.n_bits[KD_LANE] : 0);
    put_bits(&l, KD_LANE, p->k + p->of_m.vector, p->of_m.lanes);
    put_zeros(&l, KD_LANE, p->lane_bits - l.n_bits[KD_LANE]);
    put_sub_groups(&l, p, -1, (int)p->k, batch_at);
    return kd_layout_intern(ctx, &l);
}

/* Whether loading a and b whole, straight to where they are used, is sensible. */
static bool is_direct(const plan *p, unsigned elem_bytes)
{
    unsigned m = p->of_m.vector, n = p->of_n.vector + p->of_n.more, batch = p->batch - p->batch_sub_groups;
    unsigned rows = p->k + m > p->of_n.lanes ? p->k + m - p->of_n.lanes : 0;
    uint64_t acc = 1ull << (m + n + batch), a = 1ull << (rows + batch), b = 1ull << (p->k + n + batch);
    return p->of_n.lanes == p->lane_bits && acc << p->k <= MAX_DIRECT && acc + (a + b) * elem_bytes / 4 <= MAX_REGISTERS;
}

kd_dot_layouts kd_dot_layouts_choose(kd_context *ctx, const kd_op *dot, const kd_gpu_config *config)
{
    kd_dpas_tiling systolic;
    if (kd_dpas_tiling_choose(ctx, dot, config, &systolic))
        return systolic.layouts;
    plan p = plan_of(dot, config);
    unsigned elem_bytes = kd_type_elem_bits(kd_dot_a(dot)->type) / 8;
    bool direct = is_direct(&p, elem_bytes);
    return (kd_dot_layouts){direct ? a_layout(ctx, &p, elem_bytes) : NULL, direct ? b_layout(ctx, &p) : NULL, acc_layout(ctx, &p)};
}
