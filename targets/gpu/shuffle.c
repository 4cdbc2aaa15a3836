/* shuffle.c - conversions within a sub-group.
 *
 * Each dst register of each lane has a source register and lane, linear in (register, lane, sub-group). In one shuffle a lane offers one
 * value, so the lanes take their registers in different order where several want something of one lane: in round k lane l receives its
 * register k ^ turn(l), with a linear `turn` for which no lane is asked for two values. Before a shuffle a lane selects what to offer, by
 * its own number; after all of them it puts what it got into order:
 *
 *     offer -> shuffle -> turn back      at most one shuffle a register, and a select a register for each bit that depends on the lane
 *
 * Values below 32 bits travel together; where register bits tell apart what goes the same way, they are packed before all that. */
#include "targets/gpu/gf2.h"
#include "targets/gpu/lower.h"

#include "base/bug.h"

enum { N = KD_MAX_LAYOUT_BITS };

typedef struct moves {
    kd_simt *s;
    const kd_layout_map *map;
    unsigned n_regs, n_lanes, n_sub_groups; /* bits of dst's inputs */
    unsigned n_src_bits;
    uint32_t turn[N];   /* by lane bit: of dst registers */
    uint32_t lane[N];   /* by lane bit: of the source lane, with the turn */
    uint32_t offer[N];  /* by source lane bit: of source registers */
    uint32_t offer_sub_group[N], lane_sub_group[N];
} moves;

static uint32_t apply(const kd_layout_map *map, kd_layout_in in, uint32_t v, kd_layout_in to)
{
    uint32_t out = 0;
    for (unsigned i = 0; v >> i; i++)
        out ^= v >> i & 1 ? map->basis[in][i].to[to] : 0;
    return out;
}

/* ---- choosing by lane ---- */

/* vals[x ^ images of the set bits of lane and sub-group], for any x. */
typedef struct chooser {
    kd_simt *s;
    unsigned n_vals, n_levels;
    uint32_t step[N];        /* by level: what x changes by */
    kd_value *condition[N];  /* where it does */
    kd_value **known;        /* [level][x] */
    kd_value *(*val)(void *user, uint32_t x);
    void *user;
} chooser;

static void chooser_init(chooser *c, kd_simt *s, unsigned n_vals, const uint32_t *lane, unsigned n_lanes, const uint32_t *sub_group,
                         unsigned n_sub_groups)
{
    kd_gf2 g = {0};
    c->s = s;
    c->n_vals = n_vals;
    for (unsigned i = 0; i < n_lanes; i++)
        kd_gf2_insert(&g, lane[i], 0, NULL);
    for (unsigned i = 0; i < n_sub_groups; i++)
        kd_gf2_insert(&g, sub_group[i], 0, NULL);
    for (unsigned pivot = 0; pivot < 32; pivot++) {
        uint32_t on_lane[N] = {0}, on_sub_group[N] = {0}, seen = 0;
        if (!g.rows[pivot])
            continue;
        for (unsigned i = 0; i < n_lanes; i++)
            seen += on_lane[i] = lane[i] >> pivot & 1;
        for (unsigned i = 0; i < n_sub_groups; i++)
            seen += on_sub_group[i] = sub_group[i] >> pivot & 1;
        for (unsigned i = 0; i < N && seen == 1; i++) /* one bit may stay where it is */
            on_lane[i] <<= i, on_sub_group[i] <<= i;
        kd_value *bit = kd_simt_linear(s, on_lane, n_lanes, on_sub_group, n_sub_groups, 0);
        c->step[c->n_levels] = g.rows[pivot];
        c->condition[c->n_levels++] = kd_simt_compare(s, KD_PRED_NE, bit, kd_simt_int(s, s->i32, 0));
    }
    c->known = kd_simt_array(s, (c->n_levels + 1) * n_vals);
}

static kd_value *choose(chooser *c, uint32_t x, unsigned level)
{
    kd_value **known = &c->known[level * c->n_vals + x];
    if (*known)
        return *known;
    if (level == c->n_levels)
        return *known = c->val(c->user, x);
    kd_value *stay = choose(c, x, level + 1), *go = choose(c, x ^ c->step[level], level + 1);
    return *known = kd_simt_select(c->s, c->condition[level], go, stay);
}

static kd_value *val_of_array(void *user, uint32_t x)
{
    return ((kd_value *const *)user)[x];
}

/* ---- who sends what ---- */

/* Chooses the turn of each lane bit in order: no two lanes may want different registers of one lane. */
static bool find_turns(moves *m)
{
    kd_gf2 g = {0};
    unsigned n_tries = m->n_regs > 8 ? 1u << 8 : 1u << m->n_regs;
    for (unsigned i = 0; i < m->n_lanes; i++) {
        const uint32_t *to = m->map->basis[KD_LANE][i].to;
        bool found = false;
        for (unsigned k = 0; k < n_tries && !found; k++) {
            uint32_t turn = k ^ k >> 1, rest = 0; /* Gray's order: single bits come early enough */
            uint32_t lane = to[KD_LANE] ^ apply(m->map, KD_REGISTER, turn, KD_LANE),
                     reg = to[KD_REGISTER] ^ apply(m->map, KD_REGISTER, turn, KD_REGISTER);
            kd_gf2 with = g;
            if (!kd_gf2_insert(&with, lane, reg, &rest) && rest)
                continue;
            found = true;
            g = with;
            m->turn[i] = turn;
            m->lane[i] = lane;
        }
        if (!found)
            return false;
    }
    for (unsigned bit = 0; bit < m->n_lanes; bit++)
        m->offer[bit] = g.rows[bit] ? g.tags[bit] : 0;
    return true;
}

static uint32_t image_of(const uint32_t *images, uint32_t v)
{
    uint32_t out = 0;
    for (unsigned i = 0; v >> i; i++)
        out ^= v >> i & 1 ? images[i] : 0;
    return out;
}

static kd_value *shuffle_from(const moves *m, kd_value *v, uint32_t constant)
{
    bool identity = true;
    for (unsigned i = 0; i < m->n_lanes; i++)
        identity = identity && m->lane[i] == 1u << i;
    for (unsigned i = 0; i < m->n_sub_groups; i++)
        identity = identity && !m->lane_sub_group[i];
    if (identity)
        return kd_simt_shuffle_xor(m->s, v, constant);
    return kd_simt_shuffle(m->s, v, kd_simt_linear(m->s, m->lane, m->n_lanes, m->lane_sub_group, m->n_sub_groups, constant));
}

/* Shuffles of values that go between the same lanes, several in a dword. */
static void shuffle_rounds(const moves *m, kd_value *const *offered, const uint32_t *from, unsigned n, kd_value **out)
{
    unsigned bits = kd_type_elem_bits(offered[0]->type), together = bits < 32 ? 32 / bits : 1, copies = 0;
    for (unsigned i = 0; i < m->n_regs; i++) {
        const uint32_t *to = m->map->basis[KD_REGISTER][i].to;
        copies |= !to[KD_REGISTER] && !to[KD_LANE] ? 1u << i : 0;
    }
    for (unsigned k = 0; k < n; k++) {
        kd_value *parts[4];
        unsigned at[4], n_parts = 0;
        if (k & copies)
            out[k] = out[k & ~copies];
        if (out[k])
            continue;
        for (unsigned j = k; j < n && n_parts < together; j++)
            if (!out[j] && from[j] == from[k] && !(j & copies))
                at[n_parts] = j, parts[n_parts++] = offered[j];
        if (n_parts == 3)
            n_parts = 2;
        kd_simt_unpack(m->s, shuffle_from(m, kd_simt_pack(m->s, parts, n_parts), from[k]), parts, n_parts);
        for (unsigned j = 0; j < n_parts; j++)
            out[at[j]] = parts[j];
    }
}

static void in_turns(moves *m, kd_value *const *src, kd_value **dst)
{
    unsigned n = 1u << m->n_regs;
    kd_value **offered = kd_simt_array(m->s, n), **got = kd_simt_array(m->s, n);
    uint32_t *from = kd_arena_array(m->s->arena, uint32_t, n);
    chooser offers = {.val = val_of_array, .user = (void *)src}, turns = {.val = val_of_array, .user = got};
    for (unsigned i = 0; i < m->n_sub_groups; i++) {
        m->lane_sub_group[i] = m->map->basis[KD_SUB_GROUP][i].to[KD_LANE];
        m->offer_sub_group[i] = image_of(m->offer, m->lane_sub_group[i]) ^ m->map->basis[KD_SUB_GROUP][i].to[KD_REGISTER];
    }
    chooser_init(&offers, m->s, 1u << m->n_src_bits, m->offer, m->n_lanes, m->offer_sub_group, m->n_sub_groups);
    for (unsigned k = 0; k < n; k++) {
        from[k] = apply(m->map, KD_REGISTER, k, KD_LANE);
        offered[k] = choose(&offers, apply(m->map, KD_REGISTER, k, KD_REGISTER) ^ image_of(m->offer, from[k]), 0);
    }
    shuffle_rounds(m, offered, from, n, got);
    chooser_init(&turns, m->s, n, m->turn, m->n_lanes, NULL, 0);
    for (unsigned r = 0; r < n; r++)
        dst[r] = choose(&turns, r, 0);
}

/* ---- without turns: all that any lane may want is shuffled, and each takes its own ---- */

typedef struct wanted {
    moves *m;
    chooser offers;
    uint32_t from;
} wanted;

static kd_value *val_by_shuffle(void *user, uint32_t x)
{
    wanted *w = user;
    return shuffle_from(w->m, choose(&w->offers, x, 0), w->from);
}

static void one_by_one(moves *m, kd_value *const *src, kd_value **dst)
{
    wanted w = {.m = m, .offers = {.val = val_of_array, .user = (void *)src}};
    uint32_t reg[N];
    for (unsigned i = 0; i < m->n_lanes; i++) {
        m->lane[i] = m->map->basis[KD_LANE][i].to[KD_LANE];
        reg[i] = m->map->basis[KD_LANE][i].to[KD_REGISTER];
    }
    for (unsigned i = 0; i < m->n_sub_groups; i++) {
        m->lane_sub_group[i] = m->map->basis[KD_SUB_GROUP][i].to[KD_LANE];
        m->offer_sub_group[i] = m->map->basis[KD_SUB_GROUP][i].to[KD_REGISTER];
    }
    chooser_init(&w.offers, m->s, 1u << m->n_src_bits, NULL, 0, m->offer_sub_group, m->n_sub_groups);
    for (unsigned r = 0; r < 1u << m->n_regs; r++) {
        chooser mine = {.val = val_by_shuffle, .user = &w};
        chooser_init(&mine, m->s, 1u << m->n_src_bits, reg, m->n_lanes, NULL, 0);
        w.from = apply(m->map, KD_REGISTER, r, KD_LANE);
        dst[r] = choose(&mine, apply(m->map, KD_REGISTER, r, KD_REGISTER), 0);
    }
}

static void convert_values(kd_simt *s, const kd_layout_map *map, unsigned n_src_bits, kd_value *const *src, kd_value **dst)
{
    moves m = {.s = s,
               .map = map,
               .n_regs = map->n_bits[KD_REGISTER],
               .n_lanes = map->n_bits[KD_LANE],
               .n_sub_groups = map->n_bits[KD_SUB_GROUP],
               .n_src_bits = n_src_bits};
    if (find_turns(&m))
        in_turns(&m, src, dst);
    else
        one_by_one(&m, src, dst);
}

/* ---- small values ---- */

/* Register bits that are one bit of the source's registers, and nothing else is: what they tell apart goes the same way. */
typedef struct passengers {
    unsigned n;
    uint32_t dst[2], src[2]; /* bits */
    uint32_t dst_mask, src_mask;
} passengers;

static bool is_alone(const kd_layout_map *map, unsigned src_bit, unsigned *out_dst_bit)
{
    unsigned n = 0;
    bool alone = false;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < map->n_bits[in]; i++) {
            const uint32_t *to = map->basis[in][i].to;
            if (!(to[KD_REGISTER] >> src_bit & 1))
                continue;
            n++;
            alone = in == KD_REGISTER && to[KD_REGISTER] == 1u << src_bit && !to[KD_LANE] && !to[KD_SUB_GROUP];
            *out_dst_bit = i;
        }
    return n == 1 && alone;
}

static passengers find_passengers(const kd_layout_map *map, unsigned n_src_bits, unsigned elem_bits)
{
    passengers p = {0};
    for (unsigned j = 0, i = 0; j < n_src_bits && elem_bits << p.n < 32; j++)
        if (is_alone(map, j, &i)) {
            p.src[p.n] = 1u << j;
            p.dst[p.n++] = 1u << i;
            p.src_mask |= 1u << j;
            p.dst_mask |= 1u << i;
        }
    return p;
}

/* Without the bits of a mask, those above it move down. */
static uint32_t squeeze(uint32_t v, uint32_t mask)
{
    uint32_t out = 0;
    for (unsigned i = 0, at = 0; i < N; i++)
        if (!(mask >> i & 1))
            out |= (v >> i & 1) << at++;
    return out;
}

static uint32_t spread(uint32_t index, const uint32_t *bits, unsigned n)
{
    uint32_t out = 0;
    for (unsigned i = 0; i < n; i++)
        out |= index >> i & 1 ? bits[i] : 0;
    return out;
}

static kd_layout_map map_without(const kd_layout_map *map, const passengers *p)
{
    kd_layout_map out = {0};
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < map->n_bits[in]; i++) {
            if (in == KD_REGISTER && p->dst_mask >> i & 1)
                continue;
            unsigned at = out.n_bits[in]++;
            out.basis[in][at] = map->basis[in][i];
            out.basis[in][at].to[KD_REGISTER] = squeeze(map->basis[in][i].to[KD_REGISTER], p->src_mask);
        }
    return out;
}

void kd_simt_convert_lanes(kd_simt *s, const kd_layout_map *map, unsigned n_src_bits, kd_value *const *src, kd_value **dst)
{
    const kd_type *elem = src[0]->type;
    unsigned bits = kd_type_elem_bits(elem);
    passengers p = find_passengers(map, n_src_bits, bits);
    if (!p.n) {
        convert_values(s, map, n_src_bits, src, dst);
        return;
    }
    kd_layout_map own = map_without(map, &p);
    unsigned n_together = 1u << p.n, n_src = 1u << n_src_bits, n = 1u << map->n_bits[KD_REGISTER];
    const kd_type *packed = kd_type_scalar(s->ctx, bits << p.n == 32 ? KD_I32 : KD_I16), *types[] = {elem, elem, elem, elem};
    kd_value **from = kd_simt_array(s, n_src >> p.n), **to = kd_simt_array(s, n >> p.n), *parts[4];
    for (uint32_t r = 0; r < n_src; r++) {
        for (unsigned i = 0; i < n_together && !(r & p.src_mask); i++)
            parts[i] = src[r | spread(i, p.src, p.n)];
        if (!(r & p.src_mask))
            from[squeeze(r, p.src_mask)] = kd_simt_pack_as(s, parts, n_together, packed, 1);
    }
    convert_values(s, &own, n_src_bits - p.n, from, to);
    for (uint32_t r = 0; r < n; r++) {
        if (r & p.dst_mask)
            continue;
        const kd_op *parts_of = kd_build_op(&s->b, KD_OP_gpu_unpack, s->loc, &to[squeeze(r, p.dst_mask)], 1, types, n_together, NULL);
        for (unsigned i = 0; i < n_together; i++)
            dst[r | spread(i, p.dst, p.n)] = kd_op_result(parts_of, i);
    }
}
