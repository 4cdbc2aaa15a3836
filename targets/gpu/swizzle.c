/* swizzle.c - conversions through SLM: all work-items write what they have, then read what they need.
 *
 * Where an element lies in SLM is linear in its position, with the bits, from the lowest, of
 *     vectors    registers of both layouts: one access writes or reads them; above these, registers of the layout that has more accesses, which
 *                makes fewer and wider ones of them
 *     banks      what differs between the lanes that access at once
 *     rows       the rest; where one lane bit changes a when written and another one b when read, a is a bank and a ^ b a row, so that
 *                both accesses spread over the banks
 *     rounds     registers that both layouts have alike go one after the other where SLM is too small for all at once
 * Source: Triton's optimal swizzling (lib/Tools/GenericSwizzling.cpp). */
#include "targets/gpu/gf2.h"
#include "targets/gpu/lower.h"

#include "base/bug.h"

enum { N = KD_MAX_LAYOUT_BITS, MAX_VECTOR_BYTES = 16 };

/* The registers of one access: those that differ in these bits, the lowest bit of the place first. */
typedef struct vector {
    unsigned log2;
    uint32_t bits[N]; /* of a register's number */
    uint32_t mask;    /* all of them */
} vector;

typedef struct plan {
    unsigned n_bits; /* of a position */
    vector of_src, of_dst;
    unsigned n_rounds_log2;
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

/* The bit of a register's number that stands for a position; 0: none. */
static uint32_t register_bit(const kd_layout *l, uint32_t v)
{
    for (unsigned i = 0; v && i < l->n_bits[KD_REGISTER]; i++)
        if (l->basis[KD_REGISTER][i] == v)
            return 1u << i;
    return 0;
}

static void lengthen(vector *v, uint32_t bit)
{
    v->bits[v->log2++] = bit;
    v->mask |= bit;
}

/* most: how many bits vectors may have, and how many of them only the layout with more registers. */
static void place_vectors(plan *p, const kd_layout *src, const kd_layout *dst, unsigned elem_bytes, unsigned most,
                          unsigned most_more)
{
    for (unsigned i = 0; i < src->n_bits[KD_REGISTER] && p->of_src.log2 < most; i++) {
        uint32_t bit = register_bit(dst, src->basis[KD_REGISTER][i]);
        if (!bit || elem_bytes << (p->of_src.log2 + 1) > MAX_VECTOR_BYTES || !place(p, src->basis[KD_REGISTER][i]))
            continue;
        lengthen(&p->of_src, 1u << i);
        lengthen(&p->of_dst, bit);
    }
    bool is_dst = dst->n_bits[KD_REGISTER] >= src->n_bits[KD_REGISTER];
    const kd_layout *l = is_dst ? dst : src;
    vector *v = is_dst ? &p->of_dst : &p->of_src;
    for (unsigned i = 0; i < l->n_bits[KD_REGISTER] && most_more; i++) {
        uint32_t position = l->basis[KD_REGISTER][i];
        if (!position || v->mask >> i & 1 || elem_bytes << (v->log2 + 1) > MAX_VECTOR_BYTES || !place(p, position))
            continue;
        lengthen(v, 1u << i);
        most_more--;
    }
}

/* Registers of both layouts for the rounds; they are placed last. Returns how many of `rounds` were found. */
static unsigned find_rounds(const plan *p, const kd_layout *src, const kd_layout *dst, unsigned wanted, uint32_t *rounds)
{
    unsigned n = 0;
    for (unsigned i = src->n_bits[KD_REGISTER]; i-- > 0 && n < wanted;) {
        uint32_t v = src->basis[KD_REGISTER][i], in_dst = register_bit(dst, v);
        bool alone = (v & (v - 1)) == 0 && in_dst && !(p->of_src.mask >> i & 1) && !(p->of_dst.mask & in_dst);
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

static plan plan_with(const kd_layout *src, const kd_layout *dst, unsigned elem_bytes, uint64_t max_bytes, unsigned most,
                      unsigned most_more)
{
    plan p = {.n_bits = src->n_out_bits};
    uint32_t pairs[2][N], rounds[N];
    unsigned n_pairs[2] = {0}, wanted = 0;
    place_vectors(&p, src, dst, elem_bytes, most, most_more);
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
static bool is_aligned(const plan *p, const kd_layout *l, const vector *v)
{
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            if (!(in == KD_REGISTER && v->mask >> i & 1) && place_of(p, l->basis[in][i]) & ((1u << v->log2) - 1))
                return false;
    return true;
}

static plan make_plan(const kd_layout *src, const kd_layout *dst, unsigned elem_bytes, uint64_t max_bytes)
{
    unsigned most = N, most_more = N;
    for (;;) {
        plan p = plan_with(src, dst, elem_bytes, max_bytes, most, most_more);
        if (is_aligned(&p, src, &p.of_src) && is_aligned(&p, dst, &p.of_dst))
            return p;
        unsigned least = p.of_src.log2 < p.of_dst.log2 ? p.of_src.log2 : p.of_dst.log2,
                 more = p.of_src.log2 + p.of_dst.log2 - 2 * least;
        if (more)
            most_more = more - 1;
        else
            most = least - 1;
    }
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

/* The register of a vector's element. */
static uint32_t element_of(const vector *v, uint32_t reg, unsigned i)
{
    for (unsigned k = 0; i >> k; k++)
        reg |= i >> k & 1 ? v->bits[k] : 0;
    return reg;
}

void kd_simt_through_slm(kd_simt *s, const kd_layout *src, kd_value *const *src_regs, const kd_layout *dst, kd_value **dst_regs)
{
    const kd_type *elem = src_regs[0]->type;
    plan p = make_plan(src, dst, kd_scalar_bytes(elem->scalar), s->config->device->slm_bytes / 2);
    unsigned n_src = 1u << p.of_src.log2, n_dst = 1u << p.of_dst.log2;
    uint32_t src_copies = kd_layout_free_bits(src, KD_REGISTER), dst_copies = 0;
    for (unsigned i = 0; i < dst->n_bits[KD_REGISTER]; i++)
        dst_copies |= dst->basis[KD_REGISTER][i] ? 0 : 1u << i;
    kd_value *buffer = kd_simt_slm(s, elem, (int64_t)1 << (p.n_bits - p.n_rounds_log2)), *owner = kd_simt_owner(s, src);
    kd_value *parts[MAX_VECTOR_BYTES];
    const kd_type *type = kd_simt_vector_type(s, elem, n_dst);
    for (unsigned round = 0; round < 1u << p.n_rounds_log2; round++) {
        for (unsigned r = 0; r < kd_layout_n_registers(src); r++) {
            if (r & (src_copies | p.of_src.mask) || !in_round(&p, src, r, round))
                continue;
            for (unsigned i = 0; i < n_src; i++)
                parts[i] = src_regs[element_of(&p.of_src, r, i)];
            kd_simt_slm_write(s, buffer, kd_simt_mapped(s, src, r, place_in_round, &p), kd_simt_pack(s, parts, n_src), owner);
        }
        for (unsigned r = 0; r < kd_layout_n_registers(dst); r++) {
            if (r & p.of_dst.mask || !in_round(&p, dst, r, round))
                continue;
            if (!(r & dst_copies))
                kd_simt_unpack(s, kd_simt_slm_read(s, buffer, kd_simt_mapped(s, dst, r, place_in_round, &p), type), parts, n_dst);
            for (unsigned i = 0; i < n_dst; i++) {
                uint32_t at = element_of(&p.of_dst, r, i);
                dst_regs[at] = r & dst_copies ? dst_regs[at & ~dst_copies] : parts[i];
            }
        }
    }
}
