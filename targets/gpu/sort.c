/* sort.c - sorts the last axis by a bitonic network, the same one as on the CPU.
 *
 * A stage compares the elements whose positions differ in one bit. That bit lies in the number of the register (two of one work-item are
 * compared), the lane (each of two lanes keeps one of both) or the sub-group: then all elements go through SLM to the layout in which this bit
 * and a register's have changed places. */
#include "targets/gpu/lower.h"

#include "base/bug.h"

typedef struct sorter {
    kd_simt *s;
    const kd_type *type;
    const kd_layout *layout;
    kd_value **v; /* registers */
    unsigned n_regs;
    bool descending;
} sorter;

/* The bit of a position as an i1: constant where it is one of the register's alone. */
static uint32_t one_bit(const void *user, uint32_t position)
{
    return position & *(const uint32_t *)user;
}

static kd_value *bit_is_set(const sorter *t, unsigned r, uint32_t bit)
{
    return kd_simt_compare(t->s, KD_PRED_NE, kd_simt_mapped(t->s, t->layout, r, one_bit, &bit), kd_simt_int(t->s, t->s->i32, 0));
}

/* Whether low and high are to change places. size: of the runs that are merged. */
static kd_value *must_swap(const sorter *t, unsigned r, uint32_t size, kd_value *low, kd_value *high)
{
    kd_simt *s = t->s;
    kd_value *wrong = kd_simt_compare(s, KD_PRED_GT, low, high), *less = kd_simt_compare(s, KD_PRED_GT, high, low);
    if (size == (uint32_t)t->type->shape[t->type->rank - 1]) /* the last merge: one direction for all of the line */
        return t->descending ? less : wrong;
    kd_value *flip = bit_is_set(t, r, size);
    return t->descending ? kd_simt_select(s, flip, wrong, less) : kd_simt_select(s, flip, less, wrong);
}

static void exchange_registers(sorter *t, uint32_t size, unsigned bit)
{
    for (unsigned r = 0; r < t->n_regs; r++) {
        if (r >> bit & 1)
            continue;
        kd_value *low = t->v[r], *high = t->v[r | 1u << bit], *swap = must_swap(t, r, size, low, high);
        t->v[r] = kd_simt_select(t->s, swap, high, low);
        t->v[r | 1u << bit] = kd_simt_select(t->s, swap, low, high);
    }
}

static void exchange_lanes(sorter *t, uint32_t size, uint32_t stride, unsigned bit)
{
    for (unsigned r = 0; r < t->n_regs; r++) {
        kd_value *own = t->v[r], *is_high = bit_is_set(t, r, stride);
        kd_value *other =
            kd_simt_from_movable(t->s, kd_simt_shuffle_xor(t->s, kd_simt_to_movable(t->s, own), 1u << bit), own->type);
        kd_value *low = kd_simt_select(t->s, is_high, other, own), *high = kd_simt_select(t->s, is_high, own, other);
        t->v[r] = kd_simt_select(t->s, must_swap(t, r, size, low, high), other, own);
    }
}

static void change_layout(sorter *t, const kd_layout *layout)
{
    kd_value **out = kd_simt_array(t->s, kd_layout_n_registers(layout));
    kd_simt_convert(t->s, kd_type_elem(t->type), t->layout, t->v, layout, out);
    t->layout = layout;
    t->v = out;
    t->n_regs = kd_layout_n_registers(layout);
}

static bool find_bit(const kd_layout *l, kd_layout_in in, uint32_t v, unsigned *out)
{
    for (unsigned i = 0; i < l->n_bits[in]; i++)
        if (l->basis[in][i] == v) {
            *out = i;
            return true;
        }
    return false;
}

/* Brings the bit into a register, in exchange for the register bit that a merge needs last; where there is none, for a lane's. */
static void bring_near(sorter *t, uint32_t stride, unsigned sub_group_bit)
{
    kd_layout l = *t->layout;
    kd_layout_in to = l.n_bits[KD_REGISTER] ? KD_REGISTER : KD_LANE;
    unsigned best = 0;
    for (unsigned i = 0; i < l.n_bits[to]; i++)
        if (l.basis[to][i] > l.basis[to][best])
            best = i;
    l.basis[KD_SUB_GROUP][sub_group_bit] = l.basis[to][best];
    l.basis[to][best] = stride;
    change_layout(t, kd_layout_intern(t->s->ctx, &l));
}

static void run_stage(sorter *t, uint32_t size, uint32_t stride)
{
    unsigned bit = 0;
    if (find_bit(t->layout, KD_SUB_GROUP, stride, &bit))
        bring_near(t, stride, bit);
    if (find_bit(t->layout, KD_REGISTER, stride, &bit))
        exchange_registers(t, size, bit);
    else if (find_bit(t->layout, KD_LANE, stride, &bit))
        exchange_lanes(t, size, stride, bit);
    else
        KD_UNREACHABLE();
}

/* All vectors are single bits of the position, none twice. */
static bool is_sortable(const kd_layout *l)
{
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            if (l->basis[in][i] & (l->basis[in][i] - 1) || (l->basis[in][i] && kd_layout_free_bits(l, (kd_layout_in)in) >> i & 1))
                return false;
    return true;
}

typedef struct prefix {
    const kd_type *all, *some;
} prefix;

/* The position in the sorted tile of an element of the result. */
static uint32_t position_in_all(const void *user, uint32_t position)
{
    const prefix *p = user;
    int64_t some = p->some->shape[p->some->rank - 1], all = p->all->shape[p->all->rank - 1];
    return (uint32_t)(position / some * all + position % some);
}

/* The first elements of each line: a layout of the result as one of the sorted tile that has not all places. */
static void take_prefix(sorter *t, const kd_value *result)
{
    prefix p = {t->type, result->type};
    const kd_layout *wanted = kd_simt_layout(t->s, result->type);
    kd_layout l = *wanted;
    l.n_out_bits = t->layout->n_out_bits;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l.n_bits[in]; i++)
            l.basis[in][i] = position_in_all(&p, l.basis[in][i]);
    change_layout(t, kd_layout_intern(t->s->ctx, &l));
}

void kd_simt_sort(kd_simt *s, const kd_op *op)
{
    const kd_value *tile = kd_sort_tile(op), *result = kd_op_result(op, 0);
    const kd_layout *own = kd_simt_full(s, kd_layout_without_register_copies(s->ctx, kd_simt_layout(s, tile->type)));
    unsigned order[KD_MAX_RANK], rank = tile->type->rank;
    for (unsigned i = 0; i < rank; i++)
        order[i] = rank - 1 - i;
    if (!is_sortable(own))
        own = kd_layout_coalesced(s->ctx, tile->type, order, 1, s->config->sub_group_size, s->config->n_sub_groups);
    sorter t = {
        .s = s, .type = tile->type, .layout = own, .n_regs = kd_layout_n_registers(own), .descending = kd_sort_descending(op)};
    kd_value **regs = kd_simt_regs_as(s, tile, own);
    t.v = kd_simt_array(s, t.n_regs);
    memcpy(t.v, regs, t.n_regs * sizeof *regs);
    uint32_t n = (uint32_t)tile->type->shape[rank - 1];
    for (uint32_t size = 2; size <= n; size *= 2)
        for (uint32_t stride = size / 2; stride; stride /= 2)
            run_stage(&t, size, stride);
    if (!kd_type_same_shape(tile->type, result->type)) {
        take_prefix(&t, result);
        kd_simt_set(s, result, t.v);
    } else {
        kd_simt_set_from(s, result, t.layout, t.v);
    }
}
