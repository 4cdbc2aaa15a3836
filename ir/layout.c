/* layout.c - linear layouts: making, reshaping, asking, and the conversion of one into another. All of it is arithmetic on basis vectors:
 * a position is the xor of the vectors of the input bits that are set. */
#include "ir/layout.h"
#include "base/bits.h"
#include "base/bug.h"
#include "base/map.h"
#include "ir/ir_impl.h"

static const char INPUT_LETTERS[KD_N_LAYOUT_INS + 1] = "rls";

/* ---- independent vectors ---- */

/* Vectors in echelon form: the one in a row has that bit as its highest, and `from` says which inserted vectors it is the xor of. */
typedef struct echelon {
    uint32_t rows[32];
    uint64_t from[32];
    unsigned rank;
} echelon;

/* Takes out of v what the rows span; *from follows. Returns what is left. */
static uint32_t echelon_reduce(const echelon *e, uint32_t v, uint64_t *from)
{
    uint32_t left = 0;
    while (v) {
        unsigned bit = 31 - (unsigned)__builtin_clz(v);
        if (!e->rows[bit]) {
            left |= 1u << bit;
            v ^= 1u << bit;
        } else {
            v ^= e->rows[bit];
            *from ^= e->from[bit];
        }
    }
    return left;
}

/* False: v depends on those before it. id: a bit that stands for it in `from`. */
static bool echelon_insert(echelon *e, uint32_t v, uint64_t id)
{
    v = echelon_reduce(e, v, &id);
    if (!v)
        return false;
    unsigned bit = 31 - (unsigned)__builtin_clz(v);
    e->rows[bit] = v;
    e->from[bit] = id;
    e->rank++;
    return true;
}

/* ---- making ---- */

static void layout_text(const kd_layout *l, kd_strbuf *out)
{
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++) {
        if (!l->n_bits[in])
            continue;
        kd_strbuf_printf(out, "%s%c:", out->len ? "|" : "", INPUT_LETTERS[in]);
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            kd_strbuf_printf(out, "%s%u", i ? "," : "", l->basis[in][i]);
    }
    if (!out->len)
        kd_strbuf_puts(out, "r:");
}

const kd_layout *kd_layout_intern(kd_context *ctx, const kd_layout *proto)
{
    kd_layout l = {.n_out_bits = proto->n_out_bits};
    echelon e = {0};
    KD_ASSERT(l.n_out_bits <= KD_MAX_LAYOUT_BITS);
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++) {
        KD_ASSERT(proto->n_bits[in] <= KD_MAX_LAYOUT_BITS);
        l.n_bits[in] = proto->n_bits[in];
        for (unsigned i = 0; i < l.n_bits[in]; i++) {
            KD_ASSERT(proto->basis[in][i] >> l.n_out_bits == 0);
            l.basis[in][i] = proto->basis[in][i];
            echelon_insert(&e, l.basis[in][i], 0);
        }
    }
    l.is_complete = e.rank == l.n_out_bits;

    kd_map *layouts = kd_context_layouts(ctx);
    const kd_layout *found = kd_map_get(layouts, (kd_str){(const char *)&l, offsetof(kd_layout, is_complete)});
    if (found)
        return found;
    kd_arena *arena = kd_context_arena(ctx);
    kd_layout *made = kd_arena_new(arena, kd_layout);
    memcpy(made, &l, sizeof l);
    kd_strbuf text = kd_strbuf_in(arena);
    layout_text(made, &text);
    made->text = kd_strbuf_text(&text);
    *kd_map_at(layouts, (kd_str){(const char *)made, offsetof(kd_layout, is_complete)}) = made;
    return made;
}

static bool eat(kd_str *text, char c)
{
    if (!text->len || text->ptr[0] != c)
        return false;
    *text = (kd_str){text->ptr + 1, text->len - 1};
    return true;
}

static bool is_digit(kd_str text)
{
    return text.len && text.ptr[0] >= '0' && text.ptr[0] <= '9';
}

/* "2,4,16": the basis vectors of one input. */
static bool parse_basis(kd_str *text, kd_layout *l, unsigned in)
{
    while (is_digit(*text)) {
        uint32_t v = 0;
        while (is_digit(*text) && v < 1u << KD_MAX_LAYOUT_BITS) {
            v = v * 10 + (uint32_t)(text->ptr[0] - '0');
            *text = (kd_str){text->ptr + 1, text->len - 1};
        }
        if (v >> l->n_out_bits || l->n_bits[in] == KD_MAX_LAYOUT_BITS)
            return false;
        l->basis[in][l->n_bits[in]++] = v;
        if (!eat(text, ','))
            return true;
    }
    return false;
}

const kd_layout *kd_layout_parse(kd_context *ctx, kd_str *text, unsigned n_out_bits)
{
    kd_layout l = {.n_out_bits = (uint8_t)n_out_bits};
    kd_str rest = *text;
    unsigned n_inputs = 0;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++) {
        kd_str from = rest;
        if ((n_inputs && !eat(&rest, '|')) || !eat(&rest, INPUT_LETTERS[in]) || !eat(&rest, ':')) {
            rest = from;
            continue;
        }
        bool is_empty = in == KD_REGISTER && !is_digit(rest); /* "r:": no bits at all */
        if (!is_empty && !parse_basis(&rest, &l, in))
            return NULL;
        n_inputs++;
        if (is_empty)
            break;
    }
    if (!n_inputs)
        return NULL;
    *text = rest;
    return kd_layout_intern(ctx, &l);
}

static unsigned axis_shift(const kd_type *shape, unsigned axis)
{
    unsigned shift = 0;
    for (unsigned i = axis + 1; i < shape->rank; i++)
        shift += kd_log2((uint64_t)shape->shape[i]);
    return shift;
}

static unsigned axis_bits(const kd_type *shape, unsigned axis)
{
    return kd_log2((uint64_t)shape->shape[axis]);
}

static void add_basis(kd_layout *l, kd_layout_in in, uint32_t v)
{
    KD_ASSERT(l->n_bits[in] < KD_MAX_LAYOUT_BITS);
    l->basis[in][l->n_bits[in]++] = v;
}

const kd_layout *kd_layout_blocked(kd_context *ctx, const kd_type *shape, const kd_blocked_spec *spec)
{
    kd_layout l = {.n_out_bits = (uint8_t)kd_log2((uint64_t)shape->n_elems)};
    unsigned used[KD_MAX_RANK] = {0}; /* bits of each axis */
    const uint32_t *const counts[KD_N_LAYOUT_INS] = {spec->regs, spec->lanes, spec->sub_groups};
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned k = 0; k < shape->rank; k++) {
            unsigned axis = spec->order[k];
            for (unsigned i = kd_log2(counts[in][axis]); i; i--)
                if (used[axis] < axis_bits(shape, axis))
                    add_basis(&l, (kd_layout_in)in, 1u << (axis_shift(shape, axis) + used[axis]++));
                else if (in != KD_REGISTER)
                    add_basis(&l, (kd_layout_in)in, 0);
        }
    for (unsigned k = 0; k < shape->rank; k++) {
        unsigned axis = spec->order[k];
        while (used[axis] < axis_bits(shape, axis))
            add_basis(&l, KD_REGISTER, 1u << (axis_shift(shape, axis) + used[axis]++));
    }
    return kd_layout_intern(ctx, &l);
}

const kd_layout *kd_layout_coalesced(kd_context *ctx, const kd_type *shape, const unsigned *order, unsigned vector,
                                     unsigned n_lanes, unsigned n_sub_groups)
{
    kd_layout l = {.n_out_bits = (uint8_t)kd_log2((uint64_t)shape->n_elems)};
    uint32_t bits[KD_MAX_LAYOUT_BITS]; /* of the position, the fastest first */
    unsigned n = 0, at = 0;
    for (unsigned k = 0; k < shape->rank; k++)
        for (unsigned i = 0; i < axis_bits(shape, order[k]); i++)
            bits[n++] = 1u << (axis_shift(shape, order[k]) + i);
    for (unsigned i = kd_log2(vector); i && at < n; i--)
        add_basis(&l, KD_REGISTER, bits[at++]);
    for (unsigned i = kd_log2(n_lanes); i; i--)
        add_basis(&l, KD_LANE, at < n ? bits[at++] : 0);
    for (unsigned i = kd_log2(n_sub_groups); i; i--)
        add_basis(&l, KD_SUB_GROUP, at < n ? bits[at++] : 0);
    while (at < n)
        add_basis(&l, KD_REGISTER, bits[at++]);
    return kd_layout_intern(ctx, &l);
}

/* ---- shapes ---- */

const kd_layout *kd_layout_permute(kd_context *ctx, const kd_layout *layout, const kd_type *operand, const int64_t *order)
{
    kd_layout l = *layout;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l.n_bits[in]; i++) {
            unsigned shift = 0;
            l.basis[in][i] = 0;
            for (unsigned k = operand->rank; k-- > 0; shift += axis_bits(operand, (unsigned)order[k]))
                l.basis[in][i] |= (uint32_t)kd_position_coord(operand, layout->basis[in][i], (unsigned)order[k]) << shift;
        }
    return kd_layout_intern(ctx, &l);
}

/* Takes n bits at shift out of every position. */
static void drop_position_bits(kd_layout *l, unsigned shift, unsigned n)
{
    uint32_t low = (1u << shift) - 1;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            l->basis[in][i] = (l->basis[in][i] & low) | (l->basis[in][i] >> n & ~low);
    l->n_out_bits = (uint8_t)(l->n_out_bits - n);
}

const kd_layout *kd_layout_slice(kd_context *ctx, const kd_layout *layout, const kd_type *operand, unsigned axis)
{
    kd_layout l = *layout;
    drop_position_bits(&l, axis_shift(operand, axis), axis_bits(operand, axis));
    return kd_layout_without_register_copies(ctx, &l);
}

const kd_layout *kd_layout_for_broadcast(kd_context *ctx, const kd_layout *result_layout, const kd_type *result,
                                         const kd_type *operand)
{
    kd_layout l = *result_layout;
    for (unsigned axis = 0; axis < result->rank; axis++) /* slower axes first: the shifts of the faster ones stay */
        if (operand->shape[axis] != result->shape[axis])
            drop_position_bits(&l, axis_shift(result, axis), axis_bits(result, axis));
    return kd_layout_without_register_copies(ctx, &l);
}

const kd_layout *kd_layout_join(kd_context *ctx, const kd_layout *layout)
{
    if (!layout)
        return NULL;
    kd_layout l = *layout;
    KD_ASSERT(l.n_bits[KD_REGISTER] < KD_MAX_LAYOUT_BITS && l.n_out_bits < KD_MAX_LAYOUT_BITS);
    l.n_out_bits++;
    l.n_bits[KD_REGISTER]++;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l.n_bits[in]; i++)
            l.basis[in][i] = layout->basis[in][i] << 1;
    for (unsigned i = l.n_bits[KD_REGISTER] - 1u; i; i--)
        l.basis[KD_REGISTER][i] = l.basis[KD_REGISTER][i - 1];
    l.basis[KD_REGISTER][0] = 1;
    return kd_layout_intern(ctx, &l);
}

const kd_layout *kd_layout_without_register_copies(kd_context *ctx, const kd_layout *layout)
{
    kd_layout l = *layout;
    uint32_t free_bits = kd_layout_free_bits(layout, KD_REGISTER);
    l.n_bits[KD_REGISTER] = 0;
    for (unsigned i = 0; i < layout->n_bits[KD_REGISTER]; i++)
        if (!(free_bits >> i & 1))
            add_basis(&l, KD_REGISTER, layout->basis[KD_REGISTER][i]);
    return kd_layout_intern(ctx, &l);
}

/* ---- asking ---- */

uint32_t kd_layout_position(const kd_layout *l, uint32_t reg, uint32_t lane, uint32_t sub_group)
{
    const uint32_t at[KD_N_LAYOUT_INS] = {reg, lane, sub_group};
    uint32_t position = 0;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            if (at[in] >> i & 1)
                position ^= l->basis[in][i];
    return position;
}

int64_t kd_position_coord(const kd_type *shape, uint32_t position, unsigned axis)
{
    return position >> axis_shift(shape, axis) & (uint32_t)(shape->shape[axis] - 1);
}

unsigned kd_layout_n_consecutive(const kd_layout *l, const kd_type *shape, unsigned axis)
{
    unsigned shift = axis_shift(shape, axis), n = 0;
    while (n < l->n_bits[KD_REGISTER] && n < axis_bits(shape, axis) && l->basis[KD_REGISTER][n] == 1u << (shift + n))
        n++;
    /* What else touches these bits of the position makes the runs begin elsewhere. */
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            while (n && (in != KD_REGISTER || i >= n) && l->basis[in][i] >> shift & ((1u << n) - 1))
                n--;
    /* A register bit that fell out of the run touches none of its bits: it is a power of two above them. */
    return 1u << n;
}

uint32_t kd_layout_free_bits(const kd_layout *l, kd_layout_in wanted)
{
    echelon e = {0};
    uint32_t free_bits = 0;
    for (unsigned in = 0; in <= wanted; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            if (!echelon_insert(&e, l->basis[in][i], 0) && in == wanted)
                free_bits |= 1u << i;
    return free_bits;
}

/* ---- algebra ---- */

static uint64_t place_bit(unsigned in, unsigned i)
{
    return (uint64_t)1 << (in * KD_MAX_LAYOUT_BITS + i);
}

bool kd_layout_conversion(const kd_layout *src, const kd_layout *dst, kd_layout_map *out)
{
    KD_ASSERT(src->n_out_bits == dst->n_out_bits);
    echelon e = {0}; /* of src: registers first, so that lanes and sub-groups are used only where they must be */
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < src->n_bits[in]; i++)
            echelon_insert(&e, src->basis[in][i], place_bit(in, i));

    kd_layout_map map = {0};
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++) {
        map.n_bits[in] = dst->n_bits[in];
        for (unsigned i = 0; i < dst->n_bits[in]; i++) {
            /* From the same bit of src, if it has it, and then what corrects the position. */
            bool has_same = i < src->n_bits[in];
            uint64_t place = has_same ? place_bit(in, i) : 0;
            if (echelon_reduce(&e, dst->basis[in][i] ^ (has_same ? src->basis[in][i] : 0), &place))
                return false;
            for (unsigned to = 0; to < KD_N_LAYOUT_INS; to++)
                map.basis[in][i].to[to] = (uint32_t)(place >> (to * KD_MAX_LAYOUT_BITS)) & ((1u << KD_MAX_LAYOUT_BITS) - 1);
        }
    }
    *out = map;
    return true;
}

void kd_layout_map_apply(const kd_layout_map *map, const uint32_t at[KD_N_LAYOUT_INS], uint32_t out[KD_N_LAYOUT_INS])
{
    uint32_t place[KD_N_LAYOUT_INS] = {0};
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < map->n_bits[in]; i++)
            for (unsigned to = 0; to < KD_N_LAYOUT_INS && at[in] >> i & 1; to++)
                place[to] ^= map->basis[in][i].to[to];
    memcpy(out, place, sizeof place);
}

kd_movement kd_layout_movement(const kd_layout_map *map)
{
    kd_movement movement = KD_MOVE_NOTHING;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < map->n_bits[in]; i++) {
            const uint32_t *to = map->basis[in][i].to;
            kd_movement needed = KD_MOVE_NOTHING;
            if (to[KD_SUB_GROUP] != (in == KD_SUB_GROUP ? 1u << i : 0))
                needed = KD_MOVE_SUB_GROUPS;
            else if (to[KD_LANE] != (in == KD_LANE ? 1u << i : 0) || (in != KD_REGISTER && to[KD_REGISTER]))
                needed = KD_MOVE_LANES;
            else if (in == KD_REGISTER && to[KD_REGISTER] != 1u << i)
                needed = KD_MOVE_REGISTERS;
            if (needed > movement)
                movement = needed;
        }
    return movement;
}
