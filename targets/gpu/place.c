/* place.c - where a work-item stands: positions and coordinates of its registers' elements, and which of several copies is the owner.
 *
 * All of these are linear in the bits of lane and sub-group, plus a constant for the register. The linear part is made once for each
 * layout, at the function's start; a register costs one more op. */
#include "targets/gpu/lower.h"

#include "base/bug.h"

typedef struct images {
    uint32_t lane[KD_MAX_LAYOUT_BITS], sub_group[KD_MAX_LAYOUT_BITS];
} images;

unsigned kd_simt_lane_bits(const kd_simt *s)
{
    return (unsigned)__builtin_ctz(s->config->sub_group_size);
}

unsigned kd_simt_sub_group_bits(const kd_simt *s)
{
    return (unsigned)__builtin_ctz(s->config->n_sub_groups);
}

const kd_layout *kd_simt_full(kd_simt *s, const kd_layout *layout)
{
    unsigned lanes = kd_simt_lane_bits(s), sub_groups = kd_simt_sub_group_bits(s);
    if (layout->n_bits[KD_LANE] == lanes && layout->n_bits[KD_SUB_GROUP] == sub_groups)
        return layout;
    kd_layout l = *layout;
    KD_ASSERT(l.n_bits[KD_LANE] <= lanes && l.n_bits[KD_SUB_GROUP] <= sub_groups);
    l.n_bits[KD_LANE] = (uint8_t)lanes;
    l.n_bits[KD_SUB_GROUP] = (uint8_t)sub_groups;
    return kd_layout_intern(s->ctx, &l);
}

const kd_layout *kd_simt_layout(kd_simt *s, const kd_type *type)
{
    static const kd_layout nothing;
    return kd_simt_full(s, type->layout ? type->layout : kd_layout_intern(s->ctx, &nothing));
}

/* ---- linear functions ---- */

/* Ops between these two go to the function's start. */
static kd_builder enter_prologue(kd_simt *s)
{
    kd_builder outer = s->b;
    s->b = kd_builder_after(s->module, s->prologue_end);
    return outer;
}

static void leave_prologue(kd_simt *s, kd_builder outer)
{
    s->prologue_end = s->b.before ? s->b.before->prev : s->b.block->last;
    s->b = outer;
}

/* The place of what is made once, by a key of n_bytes. */
static void **made_at(kd_simt *s, const void *key, size_t n_bytes)
{
    void *known = kd_map_get(&s->made, (kd_str){key, n_bytes});
    if (!known)
        key = kd_arena_strndup(s->arena, key, n_bytes);
    return kd_map_at(&s->made, (kd_str){key, n_bytes});
}

kd_value *kd_simt_int(kd_simt *s, const kd_type *type, int64_t value)
{
    struct {
        const kd_type *type;
        int64_t value;
    } key = {type, value};
    void **at = made_at(s, &key, sizeof key);
    if (!*at) {
        kd_builder outer = enter_prologue(s);
        *at = kd_build_int(&s->b, KD_NO_LOC, type, value);
        leave_prologue(s, outer);
    }
    return *at;
}

static kd_value *with_int(kd_simt *s, kd_opcode code, kd_value *v, uint32_t n)
{
    return kd_simt_binary(s, code, v, kd_simt_int(s, s->i32, (int32_t)n));
}

/* Bits [first, first + n) of id, moved to bit `to`. */
static kd_value *bit_field(kd_simt *s, kd_value *id, unsigned n_id_bits, unsigned first, unsigned n, unsigned to)
{
    if (n < n_id_bits)
        id = with_int(s, KD_OP_and, id, ((1u << n) - 1) << first);
    if (to > first)
        return with_int(s, KD_OP_shl, id, to - first);
    return to < first ? with_int(s, KD_OP_shr, id, first - to) : id;
}

static kd_value *add_term(kd_simt *s, kd_value *sum, uint32_t *used, kd_value *term, uint32_t bits)
{
    if (sum)
        term = kd_simt_binary(s, *used & bits ? KD_OP_xor : KD_OP_add, sum, term);
    *used |= bits;
    return term;
}

static kd_value *add_input(kd_simt *s, kd_value *sum, uint32_t *used, kd_value *id, const uint32_t *image, unsigned n_bits)
{
    for (unsigned i = 0; i < n_bits;) {
        unsigned n = 1;
        if (!image[i]) {
            i++;
            continue;
        }
        bool single = (image[i] & (image[i] - 1)) == 0;
        while (single && i + n < n_bits && image[i + n] == image[i] << n)
            n++;
        kd_value *term = bit_field(s, id, n_bits, i, n, single ? (unsigned)__builtin_ctz(image[i]) : 0);
        if (!single)
            term = with_int(s, KD_OP_mul, term, image[i]);
        sum = add_term(s, sum, used, term, single ? ((1u << n) - 1) * image[i] : image[i]);
        i += n;
    }
    return sum;
}

kd_value *kd_simt_linear(kd_simt *s, const uint32_t *lane_images, unsigned n_lane_bits, const uint32_t *sub_group_images,
                         unsigned n_sub_group_bits, uint32_t constant)
{
    images key = {0};
    uint32_t bits = 0;
    for (unsigned i = 0; i < n_lane_bits; i++)
        bits |= key.lane[i] = lane_images[i];
    for (unsigned i = 0; i < n_sub_group_bits; i++)
        bits |= key.sub_group[i] = sub_group_images[i];
    if (!bits)
        return kd_simt_int(s, s->i32, (int32_t)constant);
    void **at = made_at(s, &key, sizeof key);
    if (!*at) {
        kd_builder outer = enter_prologue(s);
        uint32_t used = 0;
        kd_value *sum = add_input(s, NULL, &used, s->lane_id, key.lane, kd_simt_lane_bits(s));
        sum = add_input(s, sum, &used, s->sub_group_id, key.sub_group, kd_simt_sub_group_bits(s));
        leave_prologue(s, outer);
        *made_at(s, &key, sizeof key) = sum; /* constants may have moved the place */
        return constant ? with_int(s, used & constant ? KD_OP_xor : KD_OP_add, sum, constant) : sum;
    }
    return constant ? with_int(s, bits & constant ? KD_OP_xor : KD_OP_add, *at, constant) : *at;
}

kd_value *kd_simt_mapped(kd_simt *s, const kd_layout *layout, uint32_t reg, uint32_t (*map)(const void *user, uint32_t position),
                         const void *user)
{
    images image = {0};
    for (unsigned i = 0; i < layout->n_bits[KD_LANE]; i++)
        image.lane[i] = map(user, layout->basis[KD_LANE][i]);
    for (unsigned i = 0; i < layout->n_bits[KD_SUB_GROUP]; i++)
        image.sub_group[i] = map(user, layout->basis[KD_SUB_GROUP][i]);
    return kd_simt_linear(s, image.lane, layout->n_bits[KD_LANE], image.sub_group, layout->n_bits[KD_SUB_GROUP],
                          map(user, kd_layout_position(layout, reg, 0, 0)));
}

static uint32_t same_position(const void *user, uint32_t position)
{
    return position;
}

kd_value *kd_simt_position(kd_simt *s, const kd_layout *layout, uint32_t reg)
{
    return kd_simt_mapped(s, layout, reg, same_position, NULL);
}

typedef struct axis_of {
    const kd_type *type;
    unsigned axis;
} axis_of;

static uint32_t coord_along(const void *user, uint32_t position)
{
    const axis_of *a = user;
    return (uint32_t)kd_position_coord(a->type, position, a->axis);
}

kd_value *kd_simt_coord(kd_simt *s, const kd_type *type, uint32_t reg, unsigned axis)
{
    return kd_simt_mapped(s, kd_simt_layout(s, type), reg, coord_along, &(axis_of){type, axis});
}

/* ---- owners ---- */

static kd_value *none_of_bits(kd_simt *s, kd_value *id, uint32_t mask)
{
    if (!mask)
        return NULL;
    return kd_simt_compare(s, KD_PRED_EQ, with_int(s, KD_OP_and, id, mask), kd_simt_int(s, s->i32, 0));
}

kd_value *kd_simt_owner(kd_simt *s, const kd_layout *layout)
{
    uint32_t mask[2] = {kd_layout_free_bits(layout, KD_LANE), kd_layout_free_bits(layout, KD_SUB_GROUP)};
    if (!mask[0] && !mask[1])
        return NULL;
    void **at = made_at(s, mask, sizeof mask);
    if (*at)
        return *at;
    kd_builder outer = enter_prologue(s);
    kd_value *owner = kd_simt_both(s, none_of_bits(s, s->lane_id, mask[0]), none_of_bits(s, s->sub_group_id, mask[1]));
    leave_prologue(s, outer);
    *made_at(s, mask, sizeof mask) = owner;
    return owner;
}
