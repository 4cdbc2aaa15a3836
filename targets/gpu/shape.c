/* shape.c - ops that make tiles from nothing or only rename their elements. What an op does to positions gives the layout in which the
 * result has its elements at no cost; where the type asks for another one, they are converted. */
#include "targets/gpu/lower.h"

#include "base/bits.h"
#include "base/bug.h"

static kd_value **copies(kd_simt *s, kd_value *v, unsigned n)
{
    kd_value **out = kd_simt_array(s, n);
    for (unsigned r = 0; r < n; r++)
        out[r] = v;
    return out;
}

/* A tile (or scalar) with one value in all elements. */
static void set_uniform(kd_simt *s, const kd_op *op, kd_value *v)
{
    kd_simt_set(s, kd_op_result(op, 0), copies(s, v, kd_simt_n_regs(kd_op_result(op, 0)->type)));
}

static void shape_arange(kd_simt *s, const kd_op *op)
{
    const kd_type *type = kd_op_result(op, 0)->type;
    unsigned n = kd_simt_n_regs(type);
    kd_value **out = kd_simt_array(s, n);
    for (unsigned r = 0; r < n; r++) {
        out[r] = kd_simt_position(s, kd_simt_layout(s, type), r);
        if (kd_arange_start(op))
            out[r] = kd_simt_binary(s, KD_OP_add, out[r], kd_simt_int(s, s->i32, kd_arange_start(op)));
    }
    kd_simt_set(s, kd_op_result(op, 0), out);
}

/* The layout with every position taken through a map. */
static const kd_layout *map_positions(kd_simt *s, const kd_layout *layout, unsigned n_out_bits,
                                      uint32_t (*map)(const void *user, uint32_t position), const void *user)
{
    kd_layout l = *layout;
    l.n_out_bits = (uint8_t)n_out_bits;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l.n_bits[in]; i++)
            l.basis[in][i] = map(user, l.basis[in][i]);
    return kd_layout_intern(s->ctx, &l);
}

typedef struct types {
    const kd_type *from, *to;
} types;

/* A position in the result of a broadcast as one in its operand. */
static uint32_t unbroadcast(const void *user, uint32_t position)
{
    const types *t = user;
    uint32_t at = 0;
    for (unsigned axis = 0; axis < t->to->rank; axis++) {
        int64_t extent = t->from->shape[axis];
        at = at * (uint32_t)extent + (uint32_t)(kd_position_coord(t->to, position, axis) & (extent - 1));
    }
    return at;
}

static void shape_broadcast(kd_simt *s, const kd_op *op)
{
    const kd_value *from = kd_broadcast_tile(op);
    types t = {from->type, kd_op_result(op, 0)->type};
    const kd_layout *layout = map_positions(s, kd_simt_layout(s, t.to), kd_log2(t.from->n_elems), unbroadcast, &t);
    kd_simt_set(s, kd_op_result(op, 0), kd_simt_regs_as(s, from, layout));
}

static uint32_t shift_left(const void *user, uint32_t position)
{
    return position << 1;
}

/* The layout of a joined tile from that of its halves: one more register bit, the lowest, says which half. */
static const kd_layout *joined_layout(kd_simt *s, const kd_layout *half)
{
    kd_layout l = *map_positions(s, half, half->n_out_bits + 1u, shift_left, NULL);
    KD_ASSERT(l.n_bits[KD_REGISTER] < KD_MAX_LAYOUT_BITS);
    for (unsigned i = l.n_bits[KD_REGISTER]++; i; i--)
        l.basis[KD_REGISTER][i] = l.basis[KD_REGISTER][i - 1];
    l.basis[KD_REGISTER][0] = 1;
    return kd_layout_intern(s->ctx, &l);
}

static void shape_join(kd_simt *s, const kd_op *op)
{
    const kd_layout *half = kd_simt_layout(s, kd_join_a(op)->type);
    kd_value **a = kd_simt_regs_as(s, kd_join_a(op), half), **b = kd_simt_regs_as(s, kd_join_b(op), half);
    unsigned n = kd_layout_n_registers(half);
    kd_value **both = kd_simt_array(s, 2 * n);
    for (unsigned r = 0; r < n; r++)
        both[2 * r] = a[r], both[2 * r + 1] = b[r];
    kd_simt_set_from(s, kd_op_result(op, 0), joined_layout(s, half), both);
}

static void shape_split(kd_simt *s, const kd_op *op)
{
    const kd_layout *half = kd_simt_layout(s, kd_op_result(op, 0)->type);
    kd_value **both = kd_simt_regs_as(s, kd_split_joined(op), joined_layout(s, half));
    for (unsigned h = 0; h < 2; h++) {
        kd_value **out = kd_simt_array(s, kd_layout_n_registers(half));
        for (unsigned r = 0; r < kd_layout_n_registers(half); r++)
            out[r] = both[2 * r + h];
        kd_simt_set_from(s, kd_op_result(op, h), half, out);
    }
}

static void shape_permute(kd_simt *s, const kd_op *op)
{
    const kd_value *from = kd_permute_tile(op);
    const kd_layout *layout = kd_layout_permute(s->ctx, kd_simt_layout(s, from->type), from->type, kd_permute_order(op).data);
    kd_simt_set_from(s, kd_op_result(op, 0), layout, kd_simt_regs(s, from));
}

/* Row-major positions stay. */
static void shape_same_positions(kd_simt *s, const kd_op *op)
{
    const kd_value *from = kd_op_operand(op, 0);
    kd_simt_set_from(s, kd_op_result(op, 0), kd_simt_layout(s, from->type), kd_simt_regs(s, from));
}

static void shape_constant(kd_simt *s, const kd_op *op)
{
    const kd_type *elem = kd_type_elem(kd_op_result(op, 0)->type);
    set_uniform(s, op, kd_result(kd_simt_put(s, op->code, elem, op->attrs, NULL, 0)));
}

bool kd_simt_shape(kd_simt *s, const kd_op *op)
{
    switch (op->code) {
    case KD_OP_constant:
    case KD_OP_poison: shape_constant(s, op); return true;
    case KD_OP_splat: set_uniform(s, op, *kd_simt_regs(s, kd_splat_scalar(op))); return true;
    case KD_OP_arange: shape_arange(s, op); return true;
    case KD_OP_broadcast: shape_broadcast(s, op); return true;
    case KD_OP_join: shape_join(s, op); return true;
    case KD_OP_split: shape_split(s, op); return true;
    case KD_OP_permute: shape_permute(s, op); return true;
    case KD_OP_hint:
    case KD_OP_reshape:
    case KD_OP_gpu_convert_layout: shape_same_positions(s, op); return true;
    default: return false;
    }
}
