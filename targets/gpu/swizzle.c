/* swizzle.c - conversions through SLM: all work-items write what they have, then read what they need.
 *
 * Where an element lies in SLM is linear in its position, with the bits, from the lowest, of
 *     vectors    positions that consecutive registers hold in both layouts: one access
 *     banks      what differs between the lanes that access at once
 *     rows       the rest; where one lane bit changes a when written and another one b when read, a is a bank and a ^ b a row, so that
 *                both accesses spread over the banks
 *     rounds     registers that both layouts have alike go one after the other where SLM is too small for all at once
 * Source: Triton's optimal swizzling (lib/Tools/GenericSwizzling.cpp). */
#include "targets/gpu/gf2.h"
#include "targets/gpu/lower.h"

#include "base/bug.h"

enum { N = KD_MAX_LAYOUT_BITS, MAX_VECTOR_BYTES = 16 };

typedef struct plan {
    unsigned n_bits;     /* of a position */
    unsigned vector_log2, n_rounds_log2;
    kd_gf2 coords;       /* tags: bits of the place */
    unsigned n_placed;
} plan;

static bool place(plan *p, uint32_t position)
{
    if (!kd_gf2_insert(&p->coords, position, 1u << p->n_placed, NULL))
        return false;
    p->n_placed++;
    return true;
}

/* The place of a position: its rounds are the highest bits. */
static uint32_t place_of(const void *user, uint32_t position)
{
    const plan *p = user;
    uint32_t tag = 0;
    kd_gf2_reduce(&p->coords, position, &tag);
    return tag;
}

static bool has_basis(const kd_layout *l, kd_layout_in in, uint32_t v)
{
    for (unsigned i = 0; i < l->n_bits[in]; i++)
        if (l->basis[in][i] == v)
            return true;
    return false;
}

static void place_vectors(plan *p, const kd_layout *src, const kd_layout *dst, unsigned elem_bytes, unsigned most)
{
    while (p->vector_log2 < most && p->vector_log2 < src->n_bits[KD_REGISTER] && p->vector_log2 < dst->n_bits[KD_REGISTER] &&
           elem_bytes << (p->vector_log2 + 1) <= MAX_VECTOR_BYTES) {
        uint32_t v = src->basis[KD_REGISTER][p->vector_log2];
        if (v != dst->basis[KD_REGISTER][p->vector_log2] || !place(p, v))
            break;
        p->vector_log2++;
    }
}

/* Registers of both layouts for the rounds; they are placed last. Returns how many of `rounds` were found. */
static unsigned find_rounds(const plan *p, const kd_layout *src, const kd_layout *dst, unsigned wanted, uint32_t *rounds)
{
    unsigned n = 0;
    for (unsigned i = src->n_bits[KD_REGISTER]; i-- > p->vector_log2 && n < wanted;) {
        uint32_t v = src->basis[KD_REGISTER][i];
        bool alone = v && (v & (v - 1)) == 0 && has_basis(dst, KD_REGISTER, v);
        for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++) {
            for (unsigned k = 0; k < src->n_bits[in]; k++)
                alone = alone && (src->basis[in][k] == v ? in == KD_REGISTER : !(src->basis[in][k] & v));
            for (unsigned k = 0; k < dst->n_bits[in]; k++)
                alone = alone && (dst->basis[in][k] == v ? in == KD_REGISTER : !(dst->basis[in][k] & v));
        }
        if (alone)
            rounds[n++] = v;
    }
    return n;
}

static plan plan_with(const kd_layout *src, const kd_layout *dst, unsigned elem_bytes, uint64_t max_bytes, unsigned max_vector_log2)
{
    plan p = {.n_bits = src->n_out_bits};
    uint32_t pairs[2][N], rounds[N];
    unsigned n_pairs[2] = {0}, wanted = 0;
    place_vectors(&p, src, dst, elem_bytes, max_vector_log2);
    while ((((uint64_t)elem_bytes << p.n_bits) >> wanted) > max_bytes)
        wanted++;
    p.n_rounds_log2 = find_rounds(&p, src, dst, wanted, rounds);
    for (unsigned i = 0; i < src->n_bits[KD_LANE]; i++)
        if (has_basis(dst, KD_LANE, src->basis[KD_LANE][i]))
            place(&p, src->basis[KD_LANE][i]);
    for (unsigned i = 0; i < src->n_bits[KD_LANE]; i++)
        if (place(&p, src->basis[KD_LANE][i]))
            pairs[0][n_pairs[0]++] = src->basis[KD_LANE][i];
    for (unsigned i = 0; i < dst->n_bits[KD_LANE]; i++)
        if (dst->basis[KD_LANE][i] && !has_basis(src, KD_LANE, dst->basis[KD_LANE][i]))
            pairs[1][n_pairs[1]++] = dst->basis[KD_LANE][i];
    for (unsigned i = 0; i < n_pairs[0] && i < n_pairs[1]; i++)
        place(&p, pairs[0][i] ^ pairs[1][i]);
    for (unsigned i = 0; i < p.n_bits; i++) {
        bool is_round = false;
        for (unsigned k = 0; k < p.n_rounds_log2; k++)
            is_round |= rounds[k] == 1u << i;
        if (!is_round)
            place(&p, 1u << i);
    }
    for (unsigned k = 0; k < p.n_rounds_log2; k++)
        place(&p, rounds[k]);
    KD_ASSERT(p.n_placed == p.n_bits);
    return p;
}

/* Whether vectors begin at multiples of their length: nothing else moves within them. */
static bool is_aligned(const plan *p, const kd_layout *l)
{
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = in == KD_REGISTER ? p->vector_log2 : 0; i < l->n_bits[in]; i++)
            if (place_of(p, l->basis[in][i]) & ((1u << p->vector_log2) - 1))
                return false;
    return true;
}

static plan make_plan(const kd_layout *src, const kd_layout *dst, unsigned elem_bytes, uint64_t max_bytes)
{
    plan p = plan_with(src, dst, elem_bytes, max_bytes, N);
    while (!is_aligned(&p, src) || !is_aligned(&p, dst))
        p = plan_with(src, dst, elem_bytes, max_bytes, p.vector_log2 - 1);
    return p;
}

static bool in_round(const plan *p, const kd_layout *l, uint32_t reg, unsigned round)
{
    return place_of(p, kd_layout_position(l, reg, 0, 0)) >> (p->n_bits - p->n_rounds_log2) == round;
}

static uint32_t place_in_round(const void *user, uint32_t position)
{
    const plan *p = user;
    return place_of(p, position) & ((1u << (p->n_bits - p->n_rounds_log2)) - 1);
}

void kd_simt_through_slm(kd_simt *s, const kd_layout *src, kd_value *const *src_regs, const kd_layout *dst, kd_value **dst_regs)
{
    const kd_type *elem = src_regs[0]->type;
    plan p = make_plan(src, dst, kd_scalar_bytes(elem->scalar), s->config->device->slm_bytes / 2);
    unsigned vector = 1u << p.vector_log2;
    uint32_t src_copies = kd_layout_free_bits(src, KD_REGISTER), dst_copies = 0;
    for (unsigned i = 0; i < dst->n_bits[KD_REGISTER]; i++)
        dst_copies |= dst->basis[KD_REGISTER][i] ? 0 : 1u << i;
    kd_value *buffer = kd_simt_slm(s, elem, (int64_t)1 << (p.n_bits - p.n_rounds_log2)), *owner = kd_simt_owner(s, src);
    const kd_type *type = kd_simt_vector_type(s, elem, vector);
    for (unsigned round = 0; round < 1u << p.n_rounds_log2; round++) {
        for (unsigned r = 0; r < kd_layout_n_registers(src); r += vector)
            if (!(r & src_copies) && in_round(&p, src, r, round))
                kd_simt_slm_write(s, buffer, kd_simt_mapped(s, src, r, place_in_round, &p), kd_simt_pack(s, src_regs + r, vector), owner);
        for (unsigned r = 0; r < kd_layout_n_registers(dst); r += vector) {
            if (!in_round(&p, dst, r, round))
                continue;
            if (r & dst_copies)
                memcpy(dst_regs + r, dst_regs + (r & ~dst_copies), vector * sizeof *dst_regs);
            else
                kd_simt_unpack(s, kd_simt_slm_read(s, buffer, kd_simt_mapped(s, dst, r, place_in_round, &p), type), dst_regs + r, vector);
        }
    }
}
