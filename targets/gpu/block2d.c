/* block2d.c - block loads, stores and prefetches by messages that move a rectangle between memory and a sub-group's registers.
 *
 * What a message gives is a layout too: bits of the rectangle's x (along memory) and y go, from the lowest on, to the place in a granule (the
 * 2 or 4 bytes that a lane gets at once), to the lanes, and to the granules of a lane:
 *
 *     plain        granule: x (of bytes: two)          lanes, granules: x, then y, then the next rectangle to the right
 *     transform    granule: y (2 of 16 bits, 4 bytes)  lanes, granules: x, then y, then the next rectangle
 *     transpose    granule: x (a dword)                lanes, granules: y, then x
 *
 * A load uses the largest message whose lanes are those of the tile's layout and whose other bits are bits of its registers; the layout's
 * further registers and its sub-groups are places of other messages. A layout that no message has is made from one that a message has. Stores
 * are plain, of up to 8 rows; where a lane's registers lie along memory, it stores vectors of them by itself.
 * Source of the shapes: intel-graphics-compiler, documentation/igc/SPV_INTEL_2d_block_io/BlockLoadSupportedVariants.md. */
#include "base/bits.h"
#include "base/bug.h"
#include "passes/dpas_layouts.h"
#include "targets/gpu/lower.h"

enum {
    MAX_BITS = 16,
    LANE_BITS = 4,
    MAX_ROW_BYTES = 64,
    MAX_ROWS = 32,
    MAX_STORED_ROWS = 3,
    MIN_VECTOR_BYTES = 8,
    MAX_VECTOR_BYTES = 16
};

/* Extents as their logarithms; width in elements of elem_bits: of dwords where it transposes. */
typedef struct message {
    kd_block2d_mode mode;
    unsigned elem_bits, width, rows, count;
} message;

/* The position bits of what a message gives, in the order granule, lanes, granules of a lane. */
typedef struct arrangement {
    unsigned n_granule, n;
    uint32_t bits[MAX_BITS];
} arrangement;

/* The tile: where the bits of x and y lie in its positions. */
typedef struct surface {
    unsigned elem_bits; /* of the tile */
    bool wants_dwords;  /* its reader packs neighbouring registers of y to dwords */
    unsigned x_axis, y_axis, x_at, y_at, x_bits, y_bits;
} surface;

/* ---- messages ---- */

static void add(arrangement *a, unsigned at, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to && a->n < MAX_BITS; i++)
        a->bits[a->n++] = 1u << (at + i);
}

static arrangement arrange(const message *m, const surface *f)
{
    arrangement a = {0};
    unsigned width = m->width + (m->mode == KD_BLOCK2D_TRANSPOSE ? kd_log2(m->elem_bits / f->elem_bits) : 0);
    switch (m->mode) {
    case KD_BLOCK2D_TRANSFORM:
        a.n_granule = kd_log2(32 / m->elem_bits);
        add(&a, f->y_at, 0, a.n_granule);
        add(&a, f->x_at, 0, width);
        add(&a, f->y_at, a.n_granule, m->rows);
        break;
    case KD_BLOCK2D_TRANSPOSE:
        a.n_granule = kd_log2(32 / f->elem_bits);
        add(&a, f->x_at, 0, a.n_granule);
        add(&a, f->y_at, 0, m->rows);
        add(&a, f->x_at, a.n_granule, width);
        break;
    default:
        a.n_granule = m->elem_bits == 8;
        add(&a, f->x_at, 0, width);
        add(&a, f->y_at, 0, m->rows);
        break;
    }
    add(&a, f->x_at, width, width + m->count);
    return a;
}

/* Widths that fill the lanes (of dwords also half, with the next row beside). */
static bool is_shape(const message *m)
{
    unsigned bytes = (m->elem_bits / 8) << (m->width + m->count);
    if (bytes > MAX_ROW_BYTES)
        return false;
    switch (m->mode) {
    case KD_BLOCK2D_TRANSFORM: return m->elem_bits < 32 && m->width == 4 && 1u << m->rows >= 32 / m->elem_bits;
    case KD_BLOCK2D_TRANSPOSE: return m->elem_bits == 32 && m->count == 0 && m->width <= 3 && m->width + m->rows >= LANE_BITS;
    default:
        if (m->elem_bits == 32)
            return m->width == 4 || (m->width == 3 && m->rows >= 1);
        return m->width == (m->elem_bits == 8 ? 5 : 4);
    }
}

/* Whether the rectangle lies in the tile. */
static bool lies_in(const message *m, const surface *f)
{
    unsigned in_granule = m->mode == KD_BLOCK2D_TRANSPOSE ? kd_log2(32 / f->elem_bits) : 0;
    return m->width + in_granule + m->count <= f->x_bits && m->rows <= f->y_bits;
}

/* Whether it gives lanes and registers as the layout has them; further registers and sub-groups only move the rectangle. */
static bool gives(const message *m, const surface *f, const kd_layout *l)
{
    if (l->n_bits[KD_LANE] != LANE_BITS || !lies_in(m, f))
        return false;
    arrangement a = arrange(m, f);
    uint32_t covered = 0;
    for (unsigned i = 0; i < a.n; i++) {
        bool in_lanes = i >= a.n_granule && i < a.n_granule + LANE_BITS,
             found = in_lanes && l->basis[KD_LANE][i - a.n_granule] == a.bits[i];
        for (unsigned r = 0; r < l->n_bits[KD_REGISTER] && !in_lanes; r++)
            found |= l->basis[KD_REGISTER][r] == a.bits[i];
        if (!found)
            return false;
        covered |= a.bits[i];
    }
    unsigned n_others = 0;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in += KD_SUB_GROUP)
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            n_others += (l->basis[in][i] & covered) != 0;
    return n_others == a.n - LANE_BITS;
}

typedef bool suits(const message *m, const surface *f, const void *user);

/* The largest message that suits; of equal ones the one that arranges elements as they are read. */
static bool find_message(const surface *f, suits *good, const void *user, message *out)
{
    unsigned best = 0;
    for (int mode = 0; mode < KD_BLOCK2D_N; mode++)
        for (unsigned count = 0; count <= 2; count++)
            for (unsigned rows = 0; 1u << rows <= MAX_ROWS; rows++)
                for (unsigned width = 0; width <= 5; width++) {
                    message m = {(kd_block2d_mode)mode, mode == KD_BLOCK2D_TRANSPOSE ? 32 : f->elem_bits, width, rows, count};
                    unsigned size = width + rows + count + kd_log2(m.elem_bits);
                    bool packed = m.mode == KD_BLOCK2D_TRANSFORM && f->wants_dwords;
                    if (2 * size + packed > best && is_shape(&m) && good(&m, f, user)) {
                        best = 2 * size + packed;
                        *out = m;
                    }
                }
    return best;
}

static bool gives_layout(const message *m, const surface *f, const void *layout)
{
    return gives(m, f, layout);
}

/* ---- layouts that messages have ---- */

/* The layout that a message gives, with the same sub-groups where they lie beside its rectangle. */
static kd_layout layout_of(const message *m, const surface *f, const kd_layout *l)
{
    arrangement a = arrange(m, f);
    kd_layout out = {.n_out_bits = l->n_out_bits};
    uint32_t used = 0;
    for (unsigned i = 0; i < a.n; i++) {
        kd_layout_in in = i >= a.n_granule && i < a.n_granule + LANE_BITS ? KD_LANE : KD_REGISTER;
        out.basis[in][out.n_bits[in]++] = a.bits[i];
        used |= a.bits[i];
    }
    for (unsigned i = 0; i < l->n_bits[KD_SUB_GROUP]; i++) {
        uint32_t v = l->basis[KD_SUB_GROUP][i];
        bool stays = (v & (v - 1)) == 0 && !(v & used);
        out.basis[KD_SUB_GROUP][out.n_bits[KD_SUB_GROUP]++] = stays ? v : 0;
        used |= stays ? v : 0;
    }
    for (unsigned i = 0; i < l->n_out_bits; i++)
        if (!(used >> i & 1))
            out.basis[KD_REGISTER][out.n_bits[KD_REGISTER]++] = 1u << i;
    return out;
}

static bool is_plain(const message *m, const surface *f, const void *user)
{
    return m->mode == KD_BLOCK2D_PLAIN && lies_in(m, f);
}

/* Whether it lies beside what other sub-groups have. */
static bool is_beside(const message *m, const surface *f, const kd_layout *l)
{
    arrangement a = arrange(m, f);
    uint32_t of_sub_groups = 0, used = 0;
    for (unsigned i = 0; i < l->n_bits[KD_SUB_GROUP]; i++)
        of_sub_groups |= l->basis[KD_SUB_GROUP][i];
    for (unsigned i = 0; i < a.n; i++)
        used |= a.bits[i];
    return !(used & of_sub_groups);
}

static bool is_plain_beside(const message *m, const surface *f, const void *layout)
{
    return is_plain(m, f, layout) && is_beside(m, f, layout);
}

/* Whether it gives lanes that lie along y, as the layout's, though not in the same order. */
static bool turns_beside(const message *m, const surface *f, const void *layout)
{
    const kd_layout *l = layout;
    uint32_t lanes = 0, along_y = ((1u << f->y_bits) - 1) << f->y_at;
    for (unsigned i = 0; i < l->n_bits[KD_LANE]; i++)
        lanes |= l->basis[KD_LANE][i];
    return m->mode == KD_BLOCK2D_TRANSPOSE && m->rows >= LANE_BITS && lies_in(m, f) && lanes && !(lanes & ~along_y) &&
           is_beside(m, f, l);
}

/* Messages that store. */
static bool stores_layout(const message *m, const surface *f, const void *layout)
{
    return m->mode == KD_BLOCK2D_PLAIN && m->count == 0 && m->rows <= MAX_STORED_ROWS && gives(m, f, layout);
}

static bool stores_any(const message *m, const surface *f, const void *layout)
{
    return m->count == 0 && m->rows <= MAX_STORED_ROWS && is_plain_beside(m, f, layout);
}

/* ---- loads and stores ---- */

typedef struct rectangles {
    kd_simt *s;
    const kd_op *op;
    const kd_type *type;
    surface f;
    message m;
    const kd_layout *layout;
    kd_value *base, *sizes[3]; /* width in bytes, height, pitch in bytes */
    kd_value *x, *y;           /* offsets of the block */
} rectangles;

static kd_value *as_i32(kd_simt *s, kd_value *v)
{
    return kd_simt_cast(s, v, s->i32);
}

static kd_value *coord(const kd_op *op, unsigned i)
{
    return kd_op_operand(op, (op->code == KD_OP_block_store ? 2 : 1) + i);
}

static surface surface_of(const kd_simt *s, const kd_op *op, const kd_type *type)
{
    int64_t stride = 0;
    unsigned x_axis = kd_value_constant_int(coord(op, 3), &stride) && stride == 1 ? 1 : 0;
    surface f = {.elem_bits = kd_type_elem_bits(type), .x_axis = x_axis, .y_axis = 1 - x_axis};
    for (const kd_use *use = op->n_results ? op->results[0].uses : NULL; use; use = use->next)
        f.wants_dwords |= kd_dpas_is_right_operand(use, s->ctx, s->config);
    unsigned row = kd_log2((uint64_t)type->shape[0]), column = kd_log2((uint64_t)type->shape[1]);
    f.x_at = x_axis ? 0 : column;
    f.y_at = x_axis ? column : 0;
    f.x_bits = x_axis ? column : row;
    f.y_bits = x_axis ? row : column;
    return f;
}

static void describe_surface(rectangles *r)
{
    kd_simt *s = r->s;
    kd_value *values[6];
    for (unsigned i = 0; i < 6; i++)
        values[i] = kd_simt_regs(s, coord(r->op, i))[0];
    unsigned bytes = r->f.elem_bits / 8;
    r->base = kd_simt_regs(s, kd_op_operand(r->op, 0))[0];
    r->sizes[0] = kd_simt_binary(s, KD_OP_mul, as_i32(s, values[r->f.x_axis]), kd_simt_int(s, s->i32, bytes));
    r->sizes[1] = as_i32(s, values[r->f.y_axis]);
    r->sizes[2] = kd_simt_binary(s, KD_OP_mul, as_i32(s, values[2 + r->f.y_axis]), kd_simt_int(s, s->i32, bytes));
    r->x = as_i32(s, values[4 + r->f.x_axis]);
    r->y = as_i32(s, values[4 + r->f.y_axis]);
}

static uint32_t x_of(const void *user, uint32_t position)
{
    const surface *f = user;
    return position >> f->x_at & ((1u << f->x_bits) - 1);
}

static uint32_t y_of(const void *user, uint32_t position)
{
    const surface *f = user;
    return position >> f->y_at & ((1u << f->y_bits) - 1);
}

/* The place of a register's rectangle along x or y: what all lanes of the sub-group have in common. */
static kd_value *place(rectangles *r, kd_value *offset, uint32_t reg, uint32_t (*along)(const void *, uint32_t))
{
    kd_layout first = *r->layout;
    memset(first.basis[KD_LANE], 0, sizeof first.basis[KD_LANE]);
    kd_value *inside = kd_simt_mapped(r->s, &first, reg, along, &r->f);
    return kd_simt_binary(r->s, KD_OP_add, offset, inside);
}

/* Loads the rectangle that begins at a register and gives its elements to the registers that have them. */
static void load_rectangle(rectangles *r, uint32_t reg, const uint32_t *register_of, unsigned n, kd_value **out)
{
    kd_simt *s = r->s;
    const message *m = &r->m;
    bool in_dwords = m->mode != KD_BLOCK2D_PLAIN || m->elem_bits == 32;
    const kd_type *granule = in_dwords ? s->i32 : kd_type_scalar(s->ctx, KD_I16);
    int64_t n_granules = (int64_t)n * r->f.elem_bits / (in_dwords ? 32 : 16);
    const kd_type *vector = kd_type_tile(s->ctx, granule, 1, &n_granules);
    kd_value *x = place(r, r->x, reg, x_of);
    if (m->mode == KD_BLOCK2D_TRANSPOSE && r->f.elem_bits < 32)
        x = kd_simt_binary(s, KD_OP_shr, x, kd_simt_int(s, s->i32, kd_log2(32 / r->f.elem_bits)));
    kd_value *coords[] = {r->sizes[0], r->sizes[1], r->sizes[2], x, place(r, r->y, reg, y_of)};
    const int64_t extents[] = {1 << m->width, 1 << m->rows, 1 << m->count};
    kd_value *v = kd_result(kd_build_gpu_block2d_load(&s->b, (kd_gpu_block2d_load_args){.loc = s->loc,
                                                                                        .base = r->base,
                                                                                        .surface_x_y = coords,
                                                                                        .n_surface_x_y = 5,
                                                                                        .type = vector,
                                                                                        .elem_bits = m->elem_bits,
                                                                                        .width_rows_count = {extents, 3},
                                                                                        .mode = m->mode,
                                                                                        .cache = kd_block_load_cache(r->op)}));
    const kd_type **types = kd_arena_array(s->arena, const kd_type *, n);
    for (unsigned i = 0; i < n; i++)
        types[i] = kd_type_elem(r->type);
    const kd_op *unpack = kd_build_op(&s->b, KD_OP_gpu_unpack, s->loc, &v, 1, types, n, NULL);
    for (unsigned i = 0; i < n; i++)
        out[reg | register_of[i]] = kd_op_result(unpack, i);
}

/* Which register holds element i of what a lane gets; the mask of register bits that it takes. */
static uint32_t place_elements(const rectangles *r, uint32_t *register_of, unsigned *out_n)
{
    arrangement a = arrange(&r->m, &r->f);
    uint32_t images[MAX_BITS], taken = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < a.n; i++) {
        if (i >= a.n_granule && i < a.n_granule + LANE_BITS)
            continue;
        unsigned bit = 0;
        while (r->layout->basis[KD_REGISTER][bit] != a.bits[i])
            bit++;
        taken |= images[n++] = 1u << bit;
    }
    for (uint32_t e = 0; e < 1u << n; e++)
        for (unsigned i = 0; i < n; i++)
            register_of[e] |= e >> i & 1 ? images[i] : 0;
    *out_n = 1u << n;
    return taken;
}

/* A block load whose surface the messages can take. */
void kd_simt_block_load(kd_simt *s, const kd_op *op)
{
    const kd_value *result = kd_op_result(op, 0);
    rectangles r = {
        .s = s, .op = op, .type = result->type, .f = surface_of(s, op, result->type), .layout = kd_simt_layout(s, result->type)};
    if (!find_message(&r.f, gives_layout, r.layout, &r.m)) {
        bool any = find_message(&r.f, turns_beside, r.layout, &r.m) || find_message(&r.f, is_plain_beside, r.layout, &r.m) ||
                   find_message(&r.f, is_plain, NULL, &r.m);
        KD_ASSERT(any);
        kd_layout own = layout_of(&r.m, &r.f, r.layout);
        r.layout = kd_layout_intern(s->ctx, &own);
    }
    describe_surface(&r);
    unsigned n_regs = kd_layout_n_registers(r.layout), n;
    uint32_t *register_of = kd_arena_array(s->arena, uint32_t, n_regs);
    uint32_t taken = place_elements(&r, register_of, &n);
    kd_value **out = kd_simt_array(s, n_regs);
    for (uint32_t reg = 0; reg < n_regs; reg++)
        if (!(reg & taken))
            load_rectangle(&r, reg, register_of, n, out);
    kd_simt_set_from(s, result, r.layout, out);
}

/* Stores the rectangle that begins at a register. */
static void store_rectangle(rectangles *r, kd_value *const *regs, uint32_t reg, const uint32_t *register_of, unsigned n)
{
    kd_simt *s = r->s;
    const message *m = &r->m;
    kd_value **parts = kd_simt_array(s, n);
    for (unsigned i = 0; i < n; i++)
        parts[i] = regs[reg | register_of[i]];
    kd_value *coords[] = {r->sizes[0], r->sizes[1], r->sizes[2], place(r, r->x, reg, x_of), place(r, r->y, reg, y_of)};
    const int64_t extents[] = {1 << m->width, 1 << m->rows, 1};
    kd_build_gpu_block2d_store(&s->b, (kd_gpu_block2d_store_args){.loc = s->loc,
                                                                  .base = r->base,
                                                                  .value = kd_simt_pack(s, parts, n),
                                                                  .surface_x_y = coords,
                                                                  .n_surface_x_y = 5,
                                                                  .elem_bits = m->elem_bits,
                                                                  .width_rows_count = {extents, 3},
                                                                  .cache = kd_block_store_cache(r->op)});
}

/* How many elements a lane has side by side in memory, all in the tensor or all outside; 0: too few to be stored so. */
static unsigned vector_of(const rectangles *r)
{
    const kd_axis_info *info = r->s->axis_info;
    unsigned bytes = r->f.elem_bits / 8, n = kd_layout_n_consecutive(r->layout, r->type, r->f.x_axis);
    int64_t width = kd_axis_info_divisor(info, coord(r->op, r->f.x_axis)),
            x = kd_axis_info_divisor(info, coord(r->op, 4 + r->f.x_axis));
    while (n * bytes > MAX_VECTOR_BYTES || width % n || x % n)
        n /= 2;
    return n * bytes >= MIN_VECTOR_BYTES ? n : 0;
}

static kd_value *is_below(kd_simt *s, kd_value *v, kd_value *limit)
{
    const kd_type *u32 = kd_type_scalar(s->ctx, KD_U32);
    return kd_simt_compare(s, KD_PRED_LT, kd_simt_cast(s, v, u32), kd_simt_cast(s, limit, u32));
}

static void store_vectors(const rectangles *r, kd_value *const *regs, unsigned n)
{
    kd_simt *s = r->s;
    const kd_type *i64 = kd_type_scalar(s->ctx, KD_I64);
    kd_value *width = as_i32(s, kd_simt_regs(s, coord(r->op, r->f.x_axis))[0]);
    kd_value *pitch = kd_simt_cast(s, kd_simt_regs(s, coord(r->op, 2 + r->f.y_axis))[0], i64);
    for (unsigned reg = 0; reg < kd_layout_n_registers(r->layout); reg += n) {
        kd_value *x = kd_simt_binary(s, KD_OP_add, r->x, kd_simt_mapped(s, r->layout, reg, x_of, &r->f));
        kd_value *y = kd_simt_binary(s, KD_OP_add, r->y, kd_simt_mapped(s, r->layout, reg, y_of, &r->f));
        kd_value *offset = kd_simt_binary(s, KD_OP_mul, kd_simt_cast(s, y, i64), pitch);
        offset = kd_simt_binary(s, KD_OP_add, offset, kd_simt_cast(s, x, i64));
        kd_value *ptr = kd_result(kd_build_addptr(&s->b, (kd_addptr_args){.loc = s->loc, .ptr = r->base, .offset = offset}));
        kd_build_gpu_store(&s->b, (kd_gpu_store_args){.loc = s->loc,
                                                      .ptr = ptr,
                                                      .value = kd_simt_pack(s, regs + reg, n),
                                                      .mask = kd_simt_both(s, is_below(s, y, r->sizes[1]), is_below(s, x, width)),
                                                      .align_bytes = (int64_t)n * (r->f.elem_bits / 8),
                                                      .cache = kd_block_store_cache(r->op)});
    }
}

static void store_rectangles(rectangles *r, kd_value *const *regs)
{
    unsigned n_regs = kd_layout_n_registers(r->layout), n;
    uint32_t *register_of = kd_arena_array(r->s->arena, uint32_t, n_regs);
    uint32_t taken = place_elements(r, register_of, &n);
    for (uint32_t reg = 0; reg < n_regs; reg++)
        if (!(reg & taken))
            store_rectangle(r, regs, reg, register_of, n);
}

/* A block store whose surface the messages can take. */
void kd_simt_block_store(kd_simt *s, const kd_op *op)
{
    const kd_value *value = kd_block_store_value(op);
    rectangles r = {
        .s = s, .op = op, .type = value->type, .f = surface_of(s, op, value->type), .layout = kd_simt_layout(s, value->type)};
    describe_surface(&r);
    bool has_message = find_message(&r.f, stores_layout, r.layout, &r.m);
    unsigned vector = has_message ? 0 : vector_of(&r);
    if (vector) {
        store_vectors(&r, kd_simt_regs(s, value), vector);
        return;
    }
    if (!has_message) {
        bool any = find_message(&r.f, stores_any, r.layout, &r.m);
        KD_ASSERT(any);
        kd_layout own = layout_of(&r.m, &r.f, r.layout);
        r.layout = kd_layout_intern(s->ctx, &own);
    }
    store_rectangles(&r, kd_simt_regs_as(s, value, r.layout));
}

/* ---- prefetches ---- */

/* The block is cut into rectangles of up to 64 bytes by 32 rows, one a sub-group or several. */
void kd_simt_prefetch(kd_simt *s, const kd_op *op)
{
    kd_ints shape = kd_gpu_prefetch_shape(op);
    if (!s->config->device->has_block2d || shape.n != 2 || kd_gpu_prefetch_n_coords(op) != 6)
        return;
    int64_t stride = 0;
    unsigned x_axis = kd_value_constant_int(kd_gpu_prefetch_coords(op, 3), &stride) && stride == 1 ? 1 : 0, y_axis = 1 - x_axis;
    const kd_type *elem = kd_gpu_prefetch_base(op)->type->elem;
    unsigned bytes = kd_type_elem_bits(elem) / 8, n_sub_groups = 1u << kd_simt_sub_group_bits(s);
    unsigned x_bits = kd_log2((uint64_t)shape.data[x_axis]), y_bits = kd_log2((uint64_t)shape.data[y_axis]);
    unsigned width = kd_log2(MAX_ROW_BYTES / bytes), rows = 5;
    width = width < x_bits ? width : x_bits;
    unsigned n_x = x_bits - width;
    while (rows > y_bits || (rows > 0 && (1u << (n_x + y_bits - rows)) < n_sub_groups))
        rows--;
    unsigned n_bits = n_x + y_bits - rows,
             n_in_turn = n_bits > kd_simt_sub_group_bits(s) ? 1u << (n_bits - kd_simt_sub_group_bits(s)) : 1;
    uint32_t x_images[KD_MAX_LAYOUT_BITS] = {0}, y_images[KD_MAX_LAYOUT_BITS] = {0}, none[KD_MAX_LAYOUT_BITS] = {0};
    for (unsigned i = 0; i < kd_simt_sub_group_bits(s) && i < n_bits; i++)
        *(i < n_x ? &x_images[i] : &y_images[i]) = i < n_x ? 1u << (width + i) : 1u << (rows + i - n_x);

    kd_value *at[6], *sizes[3];
    for (unsigned i = 0; i < 6; i++)
        at[i] = as_i32(s, kd_simt_regs(s, kd_gpu_prefetch_coords(op, i))[0]);
    sizes[0] = kd_simt_binary(s, KD_OP_mul, at[x_axis], kd_simt_int(s, s->i32, bytes));
    sizes[1] = at[y_axis];
    sizes[2] = kd_simt_binary(s, KD_OP_mul, at[2 + y_axis], kd_simt_int(s, s->i32, bytes));
    const int64_t extents[] = {1 << width, 1 << rows, 1};
    for (unsigned turn = 0; turn < n_in_turn; turn++) {
        uint32_t index = turn << kd_simt_sub_group_bits(s), x = (index & ((1u << n_x) - 1)) << width, y = index >> n_x << rows;
        kd_value *in_x = kd_simt_linear(s, none, kd_simt_lane_bits(s), x_images, kd_simt_sub_group_bits(s), x);
        kd_value *in_y = kd_simt_linear(s, none, kd_simt_lane_bits(s), y_images, kd_simt_sub_group_bits(s), y);
        kd_value *coords[] = {sizes[0], sizes[1], sizes[2], kd_simt_binary(s, KD_OP_add, at[4 + x_axis], in_x),
                              kd_simt_binary(s, KD_OP_add, at[4 + y_axis], in_y)};
        kd_build_gpu_block2d_prefetch(&s->b, (kd_gpu_block2d_prefetch_args){.loc = s->loc,
                                                                            .base = kd_simt_regs(s, kd_gpu_prefetch_base(op))[0],
                                                                            .surface_x_y = coords,
                                                                            .n_surface_x_y = 5,
                                                                            .elem_bits = 8 * bytes,
                                                                            .width_rows_count = {extents, 3}});
    }
}
