/* Layouts: every function against enumeration of all places, for random layouts (swizzles and copies included) and hand-made ones. */
#include "ir/ir.h"
#include "ir/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_ROUNDS = 300 };

typedef struct fixture {
    kd_arena *arena;
    kd_context *ctx;
    uint64_t seed;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->arena = kd_arena_create(NULL);
    f->ctx = kd_context_create(f->arena);
    f->seed = 20260;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    kd_arena_destroy(f->arena);
    free(f);
    return 0;
}

static unsigned below(fixture *f, unsigned n)
{
    f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(f->seed >> 33) % n;
}

/* ---- making things up ---- */

static const kd_type *random_shape(fixture *f, unsigned max_bits)
{
    int64_t shape[5];
    unsigned rank = 1 + below(f, 5), left = max_bits;
    for (unsigned axis = 0; axis < rank; axis++) {
        unsigned bits = below(f, left + 1);
        bits = bits > 4 ? 4 : bits;
        shape[axis] = (int64_t)1 << bits;
        left -= bits;
    }
    return kd_type_tile(f->ctx, kd_type_scalar(f->ctx, KD_F32), rank, shape);
}

/* complete: a random invertible matrix spread over the inputs, between zero vectors and dependent ones. */
static const kd_layout *random_layout(fixture *f, const kd_type *shape, bool complete)
{
    unsigned n = (unsigned)__builtin_ctzll((uint64_t)shape->n_elems);
    kd_layout l = {.n_out_bits = (uint8_t)n};
    uint32_t vectors[20];
    bool swizzle = below(f, 2);
    for (unsigned i = 0; i < n; i++)
        vectors[i] = 1u << i;
    for (unsigned i = n; i-- > 1;) {
        unsigned k = below(f, i + 1);
        uint32_t t = vectors[i];
        vectors[i] = vectors[k];
        vectors[k] = t;
    }
    for (unsigned i = 0; swizzle && n > 1 && i < 2 * n; i++) {
        unsigned a = below(f, n), b = below(f, n);
        if (a != b)
            vectors[a] ^= vectors[b]; /* stays invertible */
    }
    for (unsigned i = 0; i < n; i++)
        if (complete || below(f, 4)) {
            unsigned in = below(f, KD_N_LAYOUT_INS);
            l.basis[in][l.n_bits[in]++] = vectors[i];
        }
    for (unsigned extra = below(f, 4); extra; extra--) { /* copies: zero, or a sum of others */
        unsigned in = below(f, KD_N_LAYOUT_INS), at = below(f, l.n_bits[in] + 1u);
        if (l.n_bits[in] == 6)
            continue;
        for (unsigned i = l.n_bits[in]++; i > at; i--)
            l.basis[in][i] = l.basis[in][i - 1];
        l.basis[in][at] = below(f, 2) && n ? below(f, 1u << n) & (complete ? UINT32_MAX : 0) : 0;
    }
    return kd_layout_intern(f->ctx, &l);
}

/* ---- enumeration ---- */

#define FOREACH_PLACE(l, r, t, s)                                  \
    for (uint32_t s = 0; s < 1u << (l)->n_bits[KD_SUB_GROUP]; s++) \
        for (uint32_t t = 0; t < 1u << (l)->n_bits[KD_LANE]; t++)  \
            for (uint32_t r = 0; r < 1u << (l)->n_bits[KD_REGISTER]; r++)

static uint32_t position_of(const kd_layout *l, uint32_t r, uint32_t t, uint32_t s)
{
    uint32_t p = 0;
    for (unsigned i = 0; i < 20; i++) {
        p ^= r >> i & 1 ? l->basis[KD_REGISTER][i] : 0;
        p ^= t >> i & 1 ? l->basis[KD_LANE][i] : 0;
        p ^= s >> i & 1 ? l->basis[KD_SUB_GROUP][i] : 0;
    }
    return p;
}

static void coords_of(const kd_type *shape, uint32_t position, int64_t *out)
{
    for (unsigned axis = shape->rank; axis-- > 0; position /= (uint32_t)shape->shape[axis])
        out[axis] = position % (uint32_t)shape->shape[axis];
}

static uint32_t position_at(const kd_type *shape, const int64_t *coords)
{
    uint32_t p = 0;
    for (unsigned axis = 0; axis < shape->rank; axis++)
        p = p * (uint32_t)shape->shape[axis] + (uint32_t)coords[axis];
    return p;
}

static void positions_and_completeness(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const kd_type *shape = random_shape(f, 9);
        const kd_layout *l = random_layout(f, shape, round % 2);
        bool *seen = kd_arena_array(f->arena, bool, (size_t)shape->n_elems);
        int64_t n_seen = 0;
        FOREACH_PLACE(l, r, t, s)
        {
            uint32_t p = kd_layout_position(l, r, t, s);
            assert_int_equal(p, position_of(l, r, t, s));
            int64_t coords[5];
            coords_of(shape, p, coords);
            for (unsigned axis = 0; axis < shape->rank; axis++)
                assert_int_equal(kd_position_coord(shape, p, axis), coords[axis]);
            n_seen += !seen[p];
            seen[p] = true;
        }
        assert_int_equal(l->is_complete, n_seen == shape->n_elems);
    }
}

static void text_and_back(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const kd_type *shape = random_shape(f, 9);
        const kd_layout *l = random_layout(f, shape, true);
        kd_str text = kd_str_of(l->text);
        assert_ptr_equal(kd_layout_parse(f->ctx, &text, l->n_out_bits), l);
        assert_int_equal(text.len, 0);
        const kd_type *type = kd_type_with_layout(f->ctx, shape, l);
        assert_ptr_equal(kd_type_with_layout(f->ctx, type, NULL), shape);
        assert_ptr_equal(kd_type_with_scalar(f->ctx, type, KD_F16)->layout, l);
        assert_null(kd_type_with_shape(f->ctx, type, shape->rank, shape->shape)->layout);
        text = kd_str_of(type->text);
        assert_ptr_equal(kd_type_parse(f->ctx, &text), type);
        kd_layout copy = *l;
        copy.text = NULL;
        assert_ptr_equal(kd_layout_intern(f->ctx, &copy), l);
    }
    static const char *const BAD[] = {"",        "r",       "r:16",          "l:",
                                      "r:1|",    "r:1|s:",  "x:1",           "r:1,|l:2",
                                      "l:1|r:2", "r:1|r:2", "r:99999999999", "r:0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"};
    for (unsigned i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        kd_str text = kd_str_of(BAD[i]);
        const kd_layout *l = kd_layout_parse(f->ctx, &text, 4);
        assert_true(!l || text.len > 0); /* what is left makes it no type */
    }
}

static void free_bits_hold_copies(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const kd_type *shape = random_shape(f, 9);
        const kd_layout *l = random_layout(f, shape, true);
        uint32_t free_r = kd_layout_free_bits(l, KD_REGISTER), free_t = kd_layout_free_bits(l, KD_LANE),
                 free_s = kd_layout_free_bits(l, KD_SUB_GROUP);
        unsigned *count = kd_arena_array(f->arena, unsigned, (size_t)shape->n_elems);
        FOREACH_PLACE(l, r, t, s)
        if (!(r & free_r) && !(t & free_t) && !(s & free_s))
            count[position_of(l, r, t, s)]++;
        for (int64_t p = 0; p < shape->n_elems; p++)
            assert_int_equal(count[p], 1);

        /* Without register copies a work-item holds the same elements, each once. */
        const kd_layout *less = kd_layout_without_register_copies(f->ctx, l);
        assert_true(less->is_complete);
        for (uint32_t t = 0; t < 1u << l->n_bits[KD_LANE]; t++) {
            unsigned *own = kd_arena_array(f->arena, unsigned, (size_t)shape->n_elems);
            for (uint32_t r = 0; r < 1u << l->n_bits[KD_REGISTER]; r++)
                own[position_of(l, r, t, 0)] |= 2;
            for (uint32_t r = 0; r < 1u << less->n_bits[KD_REGISTER]; r++) {
                uint32_t p = position_of(less, r, t, 0);
                assert_int_equal(own[p], 2);
                own[p] = 1;
            }
            for (int64_t p = 0; p < shape->n_elems; p++)
                assert_int_not_equal(own[p], 2);
        }
    }
}

static void consecutive_registers(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < 4 * N_ROUNDS; round++) {
        const kd_type *shape = random_shape(f, 9);
        const kd_layout *l = random_layout(f, shape, true);
        if (round % 2) { /* a vector in front, so that there is something to find */
            unsigned order[5];
            for (unsigned i = 0; i < shape->rank; i++)
                order[i] = shape->rank - 1 - i;
            l = kd_layout_coalesced(f->ctx, shape, order, 1u << below(f, 4), 4, 2);
        }
        for (unsigned axis = 0; axis < shape->rank; axis++) {
            unsigned want = 0;
            for (unsigned n = 1; n <= kd_layout_n_registers(l); n *= 2) {
                bool good = true;
                FOREACH_PLACE(l, r, t, s)
                {
                    int64_t first[5], here[5];
                    coords_of(shape, position_of(l, r / n * n, t, s), first);
                    coords_of(shape, position_of(l, r, t, s), here);
                    first[axis] += r % n;
                    good &= memcmp(first, here, shape->rank * sizeof *first) == 0;
                }
                want = good ? n : want;
            }
            assert_int_equal(kd_layout_n_consecutive(l, shape, axis), want);
        }
    }
}

static void conversions(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < 2 * N_ROUNDS; round++) {
        const kd_type *shape = random_shape(f, 8);
        const kd_layout *src = random_layout(f, shape, true), *dst = round % 5 ? random_layout(f, shape, true) : src;
        kd_layout_map map;
        assert_true(kd_layout_conversion(src, dst, &map));
        bool same_sub_group = true, same_lane = true, same_register = true, can_stay_in_sub_group = true, can_stay_in_lane = true;
        FOREACH_PLACE(dst, r, t, s)
        {
            const uint32_t at[KD_N_LAYOUT_INS] = {r, t, s};
            uint32_t from[KD_N_LAYOUT_INS], zero[KD_N_LAYOUT_INS], of_register[KD_N_LAYOUT_INS];
            const uint32_t origin[KD_N_LAYOUT_INS] = {0}, only_register[KD_N_LAYOUT_INS] = {r};
            kd_layout_map_apply(&map, at, from);
            kd_layout_map_apply(&map, origin, zero);
            kd_layout_map_apply(&map, only_register, of_register);
            assert_int_equal(zero[0] | zero[1] | zero[2], 0);
            for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
                assert_int_equal(from[in] >> src->n_bits[in], 0);
            uint32_t wanted = position_of(dst, r, t, s);
            assert_int_equal(position_of(src, from[KD_REGISTER], from[KD_LANE], from[KD_SUB_GROUP]), wanted);
            same_sub_group &= from[KD_SUB_GROUP] == s;
            same_lane &= from[KD_LANE] == t && from[KD_REGISTER] == of_register[KD_REGISTER];
            same_register &= from[KD_REGISTER] == r;

            bool in_sub_group = false, in_lane = false;
            for (uint32_t r2 = 0; r2 < 1u << src->n_bits[KD_REGISTER]; r2++)
                for (uint32_t t2 = 0; t2 < 1u << src->n_bits[KD_LANE]; t2++)
                    if (s >> src->n_bits[KD_SUB_GROUP] == 0 && position_of(src, r2, t2, s) == wanted) {
                        in_sub_group = true;
                        in_lane |= t2 == t;
                    }
            can_stay_in_sub_group &= in_sub_group;
            can_stay_in_lane &= in_lane;
        }
        kd_movement movement = kd_layout_movement(&map);
        kd_movement want = !same_sub_group  ? KD_MOVE_SUB_GROUPS
                           : !same_lane     ? KD_MOVE_LANES
                           : !same_register ? KD_MOVE_REGISTERS
                                            : KD_MOVE_NOTHING;
        assert_int_equal(movement, want);
        if (can_stay_in_sub_group)
            assert_true(movement < KD_MOVE_SUB_GROUPS);
        if (can_stay_in_lane)
            assert_true(movement <= KD_MOVE_LANES);
        if (src == dst)
            assert_int_equal(movement, KD_MOVE_NOTHING);
    }
    const kd_type *pair = kd_type_tile(f->ctx, kd_type_scalar(f->ctx, KD_F32), 1, (const int64_t[]){2});
    kd_layout half = {.n_out_bits = 1};
    kd_layout_map map;
    assert_false(kd_layout_conversion(kd_layout_intern(f->ctx, &half), random_layout(f, pair, true), &map));
}

/* ---- shapes ---- */

static void permuted(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const kd_type *from = random_shape(f, 9);
        const kd_layout *l = random_layout(f, from, true);
        int64_t order[5], shape[5];
        for (unsigned i = 0; i < from->rank; i++) {
            unsigned k = below(f, i + 1);
            order[i] = order[k];
            order[k] = i;
        }
        for (unsigned i = 0; i < from->rank; i++)
            shape[i] = from->shape[order[i]];
        const kd_type *to = kd_type_with_shape(f->ctx, from, from->rank, shape);
        const kd_layout *p = kd_layout_permute(f->ctx, l, from, order);
        FOREACH_PLACE(l, r, t, s)
        {
            int64_t before[5], after[5];
            coords_of(from, position_of(l, r, t, s), before);
            coords_of(to, position_of(p, r, t, s), after);
            for (unsigned i = 0; i < from->rank; i++)
                assert_int_equal(after[i], before[order[i]]);
        }
    }
}

/* Whether each work-item holds in narrow what it holds in wide, with the positions mapped, and holds nothing twice unless lanes share it. */
static void check_projection(fixture *f, const kd_layout *wide, const kd_type *wide_shape, const kd_layout *narrow,
                             const kd_type *narrow_shape, void (*project)(const int64_t *in, int64_t *out, const void *how),
                             const void *how)
{
    assert_int_equal(kd_layout_free_bits(narrow, KD_REGISTER), 0);
    for (uint32_t s = 0; s < 1u << wide->n_bits[KD_SUB_GROUP]; s++)
        for (uint32_t t = 0; t < 1u << wide->n_bits[KD_LANE]; t++) {
            bool *own = kd_arena_array(f->arena, bool, (size_t)narrow_shape->n_elems);
            unsigned n_own = 0;
            for (uint32_t r = 0; r < 1u << wide->n_bits[KD_REGISTER]; r++) {
                int64_t in[5], out[5] = {0};
                coords_of(wide_shape, position_of(wide, r, t, s), in);
                project(in, out, how);
                uint32_t p = position_at(narrow_shape, out);
                n_own += !own[p];
                own[p] = true;
            }
            assert_int_equal(n_own, kd_layout_n_registers(narrow));
            for (uint32_t r = 0; r < 1u << narrow->n_bits[KD_REGISTER]; r++)
                assert_true(own[position_of(narrow, r, t, s)]);
        }
}

typedef struct drop {
    unsigned rank;
    unsigned axis; /* that goes; rank: none */
    const int64_t *kept; /* shape of the operand of a broadcast: axes of extent 1 become 0 */
} drop;

static void project_drop(const int64_t *in, int64_t *out, const void *how)
{
    const drop *d = how;
    for (unsigned i = 0, k = 0; i < d->rank; i++)
        if (i != d->axis)
            out[k++] = d->kept && d->kept[i] == 1 ? 0 : in[i];
}

static void sliced_and_stretched(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const kd_type *shape = random_shape(f, 8);
        const kd_layout *l = random_layout(f, shape, true);
        int64_t less[5], ones[5];
        unsigned axis = below(f, shape->rank), rank = 0;
        for (unsigned i = 0; i < shape->rank; i++) {
            ones[i] = below(f, 2) ? 1 : shape->shape[i];
            if (i != axis)
                less[rank++] = shape->shape[i];
        }
        if (rank) {
            const kd_type *narrow = kd_type_with_shape(f->ctx, shape, rank, less);
            check_projection(f, l, shape, kd_layout_slice(f->ctx, l, shape, axis), narrow, project_drop,
                             &(drop){shape->rank, axis, NULL});
        }
        const kd_type *narrow = kd_type_with_shape(f->ctx, shape, shape->rank, ones);
        check_projection(f, l, shape, kd_layout_for_broadcast(f->ctx, l, shape, narrow), narrow, project_drop,
                         &(drop){shape->rank, shape->rank, ones});
        if (rank) { /* a reduction that keeps its axis, as an axis of extent 1, fits what is broadcast from it */
            memcpy(ones, shape->shape, shape->rank * sizeof *ones);
            ones[axis] = 1;
            narrow = kd_type_with_shape(f->ctx, shape, shape->rank, ones);
            assert_ptr_equal(kd_layout_for_broadcast(f->ctx, l, shape, narrow), kd_layout_slice(f->ctx, l, shape, axis));
        }
    }
}

static void joined(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const kd_type *shape = random_shape(f, 8);
        const kd_layout *l = random_layout(f, shape, true), *j = kd_layout_join(f->ctx, l);
        FOREACH_PLACE(l, r, t, s)
        for (uint32_t which = 0; which < 2; which++)
            assert_int_equal(position_of(j, 2 * r + which, t, s), 2 * position_of(l, r, t, s) + which);
        assert_int_equal(kd_layout_n_registers(j), 2 * kd_layout_n_registers(l));
    }
    assert_null(kd_layout_join(f->ctx, NULL));
}

/* ---- blocked ---- */

static void blocked(void **state)
{
    fixture *f = *state;
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const kd_type *shape = random_shape(f, 9);
        kd_blocked_spec spec;
        unsigned n_lanes = 1, n_sub_groups = 1;
        for (unsigned i = 0; i < shape->rank; i++) {
            unsigned k = below(f, i + 1);
            spec.order[i] = spec.order[k];
            spec.order[k] = i;
            spec.regs[i] = 1u << below(f, 3);
            spec.lanes[i] = 1u << below(f, 3);
            spec.sub_groups[i] = 1u << below(f, 2);
            n_lanes *= spec.lanes[i];
            n_sub_groups *= spec.sub_groups[i];
        }
        const kd_layout *l = kd_layout_blocked(f->ctx, shape, &spec);
        assert_true(l->is_complete);
        assert_int_equal(1u << l->n_bits[KD_LANE], n_lanes);
        assert_int_equal(1u << l->n_bits[KD_SUB_GROUP], n_sub_groups);
        assert_int_equal(kd_layout_free_bits(l, KD_REGISTER), 0);
        FOREACH_PLACE(l, r, t, s)
        { /* mixed-radix digits, the fastest axis first */
            int64_t coords[5];
            coords_of(shape, position_of(l, r, t, s), coords);
            uint32_t reg = r, lane = t, sub_group = s;
            for (unsigned k = 0; k < shape->rank; k++) {
                unsigned axis = spec.order[k];
                uint32_t extent = (uint32_t)shape->shape[axis], regs = spec.regs[axis] < extent ? spec.regs[axis] : extent;
                uint32_t at =
                    reg % regs + regs * (lane % spec.lanes[axis]) + regs * spec.lanes[axis] * (sub_group % spec.sub_groups[axis]);
                uint32_t covered = regs * spec.lanes[axis] * spec.sub_groups[axis];
                assert_int_equal(coords[axis] % covered, at % extent);
                reg /= regs;
                lane /= spec.lanes[axis];
                sub_group /= spec.sub_groups[axis];
            }
        }
    }
}

static void coalesced(void **state)
{
    fixture *f = *state;
    const kd_type *shape = kd_type_tile(f->ctx, kd_type_scalar(f->ctx, KD_F32), 2, (const int64_t[]){8, 64});
    const unsigned rows[] = {1, 0}, columns[] = {0, 1};
    assert_string_equal(kd_layout_coalesced(f->ctx, shape, rows, 4, 16, 4)->text, "r:1,2,256|l:4,8,16,32|s:64,128");
    assert_string_equal(kd_layout_coalesced(f->ctx, shape, columns, 2, 16, 4)->text, "r:64,16,32|l:128,256,1,2|s:4,8");
    assert_string_equal(kd_layout_coalesced(f->ctx, shape, rows, 8, 16, 16)->text, "r:1,2,4|l:8,16,32,64|s:128,256,0,0");
    assert_int_equal(kd_layout_n_consecutive(kd_layout_coalesced(f->ctx, shape, rows, 4, 16, 4), shape, 1), 4);
    const kd_type *one = kd_type_tile(f->ctx, kd_type_scalar(f->ctx, KD_F32), 1, (const int64_t[]){1});
    assert_string_equal(kd_layout_coalesced(f->ctx, one, (const unsigned[]){0}, 4, 16, 2)->text, "l:0,0,0,0|s:0");
    assert_string_equal(kd_layout_coalesced(f->ctx, one, (const unsigned[]){0}, 4, 1, 1)->text, "r:");
}

/* ---- for people ---- */

static void for_people(void **state)
{
    fixture *f = *state;
    const kd_type *shape = kd_type_tile(f->ctx, kd_type_scalar(f->ctx, KD_F32), 2, (const int64_t[]){2, 4});
    kd_str text = kd_str_of("r:1|l:2,0|s:4");
    const kd_layout *l = kd_layout_parse(f->ctx, &text, 3);
    kd_strbuf table = kd_strbuf_in(f->arena), svg = kd_strbuf_in(f->arena);
    kd_layout_print(l, shape, &table);
    assert_string_equal(kd_strbuf_text(&table), "2x4 elements, 2 registers x 4 lanes x 2 sub-groups, 2 copies of each\n"
                                                "  register  + 1     -> + [0, 1]\n"
                                                "  lane      + 1     -> + [0, 2]\n"
                                                "  lane      + 2     -> a copy\n"
                                                "  sub-group + 1     -> + [1, 0]\n"
                                                "sub-group:lane.register of each element\n"
                                                "              0         1         2         3\n"
                                                "    0     0:0.0     0:0.1     0:1.0     0:1.1\n"
                                                "    1     1:0.0     1:0.1     1:1.0     1:1.1\n");
    assert_int_equal(kd_layout_svg(l, shape, 0, &svg), 64 + 2 * 20 + 10);
    assert_non_null(strstr(kd_strbuf_text(&svg), "<title>[1, 3]: sub-group 1, lane 1, register 1</title>"));
    assert_non_null(strstr(kd_strbuf_text(&svg), "</svg>\n"));
    const kd_type *big = kd_type_tile(f->ctx, kd_type_scalar(f->ctx, KD_F32), 2, (const int64_t[]){256, 256});
    kd_layout_print(kd_layout_coalesced(f->ctx, big, (const unsigned[]){1, 0}, 4, 16, 4), big, &table);
    assert_non_null(strstr(kd_strbuf_text(&table), "the first 32 of 256 rows and 16 of 256 columns\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(positions_and_completeness, setup, teardown),
        cmocka_unit_test_setup_teardown(text_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(free_bits_hold_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(consecutive_registers, setup, teardown),
        cmocka_unit_test_setup_teardown(conversions, setup, teardown),
        cmocka_unit_test_setup_teardown(permuted, setup, teardown),
        cmocka_unit_test_setup_teardown(sliced_and_stretched, setup, teardown),
        cmocka_unit_test_setup_teardown(joined, setup, teardown),
        cmocka_unit_test_setup_teardown(blocked, setup, teardown),
        cmocka_unit_test_setup_teardown(coalesced, setup, teardown),
        cmocka_unit_test_setup_teardown(for_people, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
