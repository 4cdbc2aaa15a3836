/* index.c - indices through reshapes, and positions in buffers.
 *
 * All extents are powers of two, so a row-major position is its indices' bits side by side, and a reshape cuts the bits elsewhere. The
 * lanes of a vector differ in a field of bits that is zero in the first lane: cutting keeps them consecutive (or equal) unless a cut goes
 * through that field. */
#include "targets/cpu/lower.h"

#include "base/bits.h"
#include "base/bug.h"

static kd_lanes shifted(kd_nest *n, kd_opcode code, kd_lanes a, unsigned bits)
{
    return bits ? kd_nest_binary(n, code, a, kd_nest_const(n, n->l->i64, bits)) : a;
}

/* Bits [low, low + width) of a position of total bits. */
static kd_lanes cut(kd_nest *n, kd_lanes flat, unsigned low, unsigned width, unsigned total)
{
    kd_lanes base = flat;
    bool keeps = flat.step > 0 && flat.v->type->kind != KD_TYPE_TILE;
    if (!width)
        return kd_nest_const(n, n->l->i64, 0);
    if (keeps) {
        unsigned first = kd_log2(flat.step), last = first + kd_log2(n->width); /* the lanes' field */
        bool apart = last <= low || first >= low + width, within = first >= low && last <= low + width;
        if (apart || within) {
            base.step = 0;
            base = shifted(n, KD_OP_shr, base, low);
            if (low + width < total)
                base = kd_nest_binary(n, KD_OP_and, base, kd_nest_const(n, n->l->i64, (1ll << width) - 1));
            base.step = within ? flat.step >> low : 0;
            return base;
        }
        base = (kd_lanes){kd_lanes_vector(n, flat), 0, flat.depth};
    }
    base = shifted(n, KD_OP_shr, base, low);
    return low + width < total ? kd_nest_binary(n, KD_OP_and, base, kd_nest_const(n, n->l->i64, (1ll << width) - 1)) : base;
}

/* Indices side by side. */
static kd_lanes paste(kd_nest *n, const kd_type *type, const kd_lanes *idx, unsigned first, unsigned last)
{
    kd_lanes flat = kd_nest_const(n, n->l->i64, 0);
    unsigned bits = 0;
    bool empty = true;
    for (unsigned axis = last; axis-- > first;) {
        if (type->shape[axis] == 1)
            continue;
        kd_lanes part = shifted(n, KD_OP_shl, idx[axis], bits);
        flat = empty ? part : kd_nest_binary(n, KD_OP_add, part, flat);
        empty = false;
        bits += kd_log2(type->shape[axis]);
    }
    return flat;
}

kd_lanes kd_index_flat(kd_nest *n, const kd_type *type, const kd_lanes *idx)
{
    return paste(n, type, idx, 0, type->rank);
}

void kd_index_reshape(kd_nest *n, const kd_type *from, const kd_lanes *idx, const kd_type *to, kd_lanes *out)
{
    unsigned f = from->rank, t = to->rank;
    while (f || t) { /* groups of axes with equally many elements, from the last */
        unsigned f_end = f, t_end = t;
        int64_t n_from = 1, n_to = 1;
        do {
            if (n_from <= n_to && f)
                n_from *= from->shape[--f];
            else
                n_to *= to->shape[--t];
        } while (n_from != n_to);
        while (n_from == 1 && f && from->shape[f - 1] == 1)
            f--;
        if (f_end - f == 1 && t_end - t == 1 && n_from > 1) {
            out[t] = idx[f];
            continue;
        }
        kd_lanes flat = paste(n, from, idx, f, f_end);
        unsigned low = 0, total = kd_log2(n_to);
        for (unsigned axis = t_end; axis-- > t;) {
            unsigned width = kd_log2(to->shape[axis]);
            out[axis] = cut(n, flat, low, width, total);
            low += width;
        }
    }
}
