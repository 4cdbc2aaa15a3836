/* dpas_layouts.c - see dpas_layouts.h. */
#include "base/bits.h"
#include "passes/dpas_layouts.h"

enum { MAX_ROW_BITS = 3, DEPTH_BYTES = 32, MAX_FOLLOWED = 64 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static const char *elem_name(const kd_op *dot, uint32_t types)
{
    switch (kd_type_elem(kd_dot_a(dot)->type)->scalar) {
    case KD_F16: return types & KD_DPAS_F16 ? "f16" : NULL;
    case KD_BF16: return types & KD_DPAS_BF16 ? "bf16" : NULL;
    case KD_F32: return types & KD_DPAS_TF32 && kd_dot_precision(dot) == KD_PRECISION_TF32 ? "tf32" : NULL;
    case KD_I8: return types & KD_DPAS_I8 ? "i8" : NULL;
    case KD_U8: return types & KD_DPAS_I8 ? "u8" : NULL;
    default: return NULL;
    }
}

/* Bits of the extents of a dot. */
typedef struct extents {
    unsigned batch, m, n, k;
} extents;

static extents extents_of(const kd_op *dot)
{
    const kd_type *a = kd_dot_a(dot)->type, *acc = kd_dot_acc(dot)->type;
    unsigned r = acc->rank;
    return (extents){.batch = r == 3 ? kd_log2((uint64_t)acc->shape[0]) : 0,
                     .m = kd_log2((uint64_t)acc->shape[r - 2]),
                     .n = kd_log2((uint64_t)acc->shape[r - 1]),
                     .k = kd_log2((uint64_t)a->shape[r - 1])};
}

static unsigned depth_bits(const kd_op *dot)
{
    return kd_log2(DEPTH_BYTES * 8 / kd_type_elem_bits(kd_dot_a(dot)->type));
}

bool kd_dpas_takes(const kd_op *dot, const kd_gpu_device *device)
{
    const kd_type *elem = kd_type_elem(kd_dot_a(dot)->type);
    if (elem->kind != KD_TYPE_SCALAR || !device->dpas_types || !elem_name(dot, device->dpas_types))
        return false;
    extents e = extents_of(dot);
    return e.n >= kd_log2(device->dpas_sub_group_size) && e.k >= depth_bits(dot) && (elem->scalar != KD_F32 || e.m >= MAX_ROW_BITS);
}

/* ---- what it reads ---- */

/* What a tile may go through between memory and a dot. */
static bool is_way_to_dot(const kd_op *op)
{
    if (op->code == KD_OP_reshape) { /* leading extents of 1 */
        const kd_type *from = kd_reshape_tile(op)->type, *to = op->results[0].type;
        return from->rank >= 2 && to->rank >= 2 && from->shape[from->rank - 1] == to->shape[to->rank - 1] &&
               from->shape[from->rank - 2] == to->shape[to->rank - 2];
    }
    return (kd_op_has(op, KD_ELEMENTWISE | KD_PURE) && op->n_operands == 1) || op->code == KD_OP_permute;
}

static bool reaches_dpas(const kd_value *value, const kd_gpu_device *device, unsigned *left)
{
    for (const kd_use *use = value->uses; use && *left; use = use->next) {
        --*left;
        const kd_op *user = use->user;
        if (user->code == KD_OP_dot && use != &user->operands[2] && kd_dpas_takes(user, device))
            return true;
        if (is_way_to_dot(user) && reaches_dpas(&user->results[0], device, left))
            return true;
    }
    return false;
}

bool kd_dpas_reads(const kd_value *tile, const kd_gpu_device *device)
{
    unsigned left = MAX_FOLLOWED;
    return reaches_dpas(tile, device, &left);
}

bool kd_gpu_has_rectangles(const kd_gpu_config *config)
{
    return config && config->device->has_block2d && config->sub_group_size == config->device->dpas_sub_group_size &&
           config->sub_group_size == 16;
}

/* ---- tiling of the sub-groups ---- */

/* What passes a tile on, element by element. */
static bool is_link(const kd_op *op)
{
    return (kd_op_has(op, KD_ELEMENTWISE) && !kd_op_has(op, KD_READS) && !kd_op_has(op, KD_WRITES)) ||
           op->code == KD_OP_gpu_convert_layout;
}

static bool made_by_dpas(const kd_value *value, const kd_gpu_device *device, unsigned *left)
{
    const kd_op *def = value->def;
    if (!def || !*left)
        return false;
    --*left;
    if (def->code == KD_OP_dot)
        return kd_dpas_takes(def, device);
    for (unsigned r = 0; r < def->n_regions && (def->code == KD_OP_for || def->code == KD_OP_if); r++)
        if (made_by_dpas(kd_op_operand(kd_block_terminator(kd_op_region(def, r)), value->index), device, left))
            return true;
    for (unsigned i = 0; i < def->n_operands && is_link(def); i++)
        if (def->operands[i].value && made_by_dpas(def->operands[i].value, device, left))
            return true;
    return false;
}

bool kd_dpas_makes(const kd_value *tile, const kd_gpu_device *device)
{
    unsigned left = MAX_FOLLOWED;
    return made_by_dpas(tile, device, &left);
}

/* Whether a value goes into a dot as a. */
static bool becomes_a(const kd_value *value, unsigned *left)
{
    for (const kd_use *use = value->uses; use && *left; use = use->next) {
        --*left;
        if (use->user->code == KD_OP_dot && use == &use->user->operands[0])
            return true;
        if (is_link(use->user) && use->user->n_results == 1 && becomes_a(&use->user->results[0], left))
            return true;
    }
    return false;
}

/* Whether it comes from a dot. */
static bool comes_from_dot(const kd_value *value, unsigned *left)
{
    const kd_op *def = value->def;
    if (!def || !*left)
        return false;
    --*left;
    if (def->code == KD_OP_dot)
        return true;
    for (unsigned i = 0; i < def->n_operands && is_link(def); i++)
        if (def->operands[i].value && comes_from_dot(def->operands[i].value, left))
            return true;
    return false;
}

/* A dot whose result is the next one's a, or the other way round: then each sub-group needs whole rows. */
static bool is_chained(const kd_op *dot)
{
    unsigned forward = MAX_FOLLOWED, backward = MAX_FOLLOWED;
    return becomes_a(&dot->results[0], &forward) || comes_from_dot(kd_dot_a(dot), &backward);
}

/* Whether an operand comes as rectangles whose columns lie in memory one after the other, so that messages must turn them. */
static bool is_turned(const kd_value *operand)
{
    bool permuted = false;
    const kd_op *def = operand->def;
    int64_t stride;
    for (; def && (is_link(def) || is_way_to_dot(def)) && def->n_operands == 1; def = kd_op_operand(def, 0)->def)
        permuted ^= def->code == KD_OP_permute;
    if (!def || def->code != KD_OP_block_load || !kd_block_load_is_rectangle(def))
        return false;
    bool by_rows = kd_value_constant_int(kd_block_load_coords(def, 3), &stride) && stride == 1;
    return by_rows == permuted;
}

/* Bits of the number of sub-groups along an axis. */
typedef struct split {
    unsigned m, n, batch;
} split;

/* Whether the product is made of the turned tiles: then no message has to turn one. */
static bool wants_turned(const kd_op *dot, const extents *e, unsigned columns)
{
    return e->m >= columns && is_turned(kd_dot_a(dot)) && is_turned(kd_dot_b(dot)) && !is_chained(dot);
}

/* So that the parts of a and b that a sub-group reads are smallest together; of equal ones, the one with fewer rows. Intel's compiler makes two
 * messages of one that turns 32 columns of b, which counts twice. */
static split choose_split(const kd_op *dot, const extents *e, unsigned rows, unsigned columns, unsigned sub_group_bits, bool turned)
{
    split best = {.batch = least(sub_group_bits, e->batch)};
    unsigned left = sub_group_bits - best.batch, most_m = e->m - rows, most_n = e->n - columns;
    if (is_chained(dot)) {
        best.m = least(left, most_m);
        best.n = least(left - best.m, most_n);
        return best;
    }
    uint64_t least_cost = UINT64_MAX, per_column = is_turned(kd_dot_b(dot)) && !turned ? 2 : 1;
    for (unsigned n = 0; n <= least(left, most_n); n++) {
        unsigned m = least(left - n, most_m);
        uint64_t idle = left - n - m, cost = (1ull << (e->m - m)) + (per_column << (e->n - n)) + (idle << 20);
        if (cost < least_cost) {
            least_cost = cost;
            best.m = m;
            best.n = n;
        }
    }
    return best;
}

/* ---- layouts ---- */

static void put(kd_layout *l, kd_layout_in in, unsigned from, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        l->basis[in][l->n_bits[in]++] = 1u << (from + i);
}

static void put_zeros(kd_layout *l, kd_layout_in in, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        l->basis[in][l->n_bits[in]++] = 0;
}

/* Where the axes of a tile begin among the bits of a position; NOWHERE: the tile lacks the axis. */
enum { NOWHERE = 99 };

static void put_sub_groups(kd_layout *l, const extents *e, const split *s, unsigned n_at, unsigned m_at, unsigned batch_at,
                           unsigned n_bits)
{
    if (n_at == NOWHERE)
        put_zeros(l, KD_SUB_GROUP, s->n);
    else
        put(l, KD_SUB_GROUP, n_at + e->n - s->n, s->n);
    if (m_at == NOWHERE)
        put_zeros(l, KD_SUB_GROUP, s->m);
    else
        put(l, KD_SUB_GROUP, m_at + e->m - s->m, s->m);
    put(l, KD_SUB_GROUP, batch_at + e->batch - s->batch, s->batch);
    put_zeros(l, KD_SUB_GROUP, n_bits - l->n_bits[KD_SUB_GROUP]);
}

static const kd_layout *acc_layout(kd_context *ctx, const extents *e, const split *s, const kd_dpas_tiling *t,
                                   unsigned sub_group_bits)
{
    kd_layout l = {.n_out_bits = (uint8_t)(e->batch + e->m + e->n)};
    put(&l, KD_REGISTER, e->n, t->rows + t->n_m);
    put(&l, KD_REGISTER, t->columns, t->n_n);
    put(&l, KD_REGISTER, e->n + e->m, t->n_batch);
    put(&l, KD_LANE, 0, t->columns);
    put_sub_groups(&l, e, s, 0, e->n, e->n + e->m, sub_group_bits);
    return kd_layout_intern(ctx, &l);
}

static const kd_layout *a_layout(kd_context *ctx, const extents *e, const split *s, const kd_dpas_tiling *t,
                                 unsigned sub_group_bits)
{
    kd_layout l = {.n_out_bits = (uint8_t)(e->batch + e->m + e->k)};
    unsigned lanes_of_k = t->depth - t->a_pack, lanes_of_m = t->columns - lanes_of_k;
    put(&l, KD_REGISTER, 0, t->a_pack);
    put(&l, KD_REGISTER, e->k + lanes_of_m, t->rows + t->n_m - lanes_of_m);
    put(&l, KD_REGISTER, t->depth, t->n_k);
    put(&l, KD_REGISTER, e->k + e->m, t->n_batch);
    put(&l, KD_LANE, t->a_pack, lanes_of_k);
    put(&l, KD_LANE, e->k, lanes_of_m);
    put_sub_groups(&l, e, s, NOWHERE, e->k, e->k + e->m, sub_group_bits);
    return kd_layout_intern(ctx, &l);
}

static const kd_layout *b_layout(kd_context *ctx, const extents *e, const split *s, const kd_dpas_tiling *t,
                                 unsigned sub_group_bits)
{
    kd_layout l = {.n_out_bits = (uint8_t)(e->batch + e->k + e->n)};
    put(&l, KD_REGISTER, e->n, t->depth + t->n_k);
    put(&l, KD_REGISTER, t->columns, t->n_n);
    put(&l, KD_REGISTER, e->n + e->k, t->n_batch);
    put(&l, KD_LANE, 0, t->columns);
    put_sub_groups(&l, e, s, 0, NOWHERE, e->n + e->k, sub_group_bits);
    return kd_layout_intern(ctx, &l);
}

static void repeat(kd_dpas_tiling *t, const extents *e, const split *s)
{
    t->n_m = e->m - s->m - t->rows;
    t->n_n = e->n - s->n - t->columns;
    t->n_k = e->k - t->depth;
    t->n_batch = e->batch - s->batch;
}

static extents turned_extents(const extents *e)
{
    return (extents){.batch = e->batch, .m = e->n, .n = e->m, .k = e->k};
}

/* Of a tile, where that of its turned one is known. */
static const kd_layout *turn(kd_context *ctx, const kd_layout *layout, const kd_type *tile)
{
    int64_t order[] = {0, 1, 2}, shape[3];
    unsigned r = tile->rank;
    order[r - 2] = r - 1;
    order[r - 1] = r - 2;
    for (unsigned i = 0; i < r; i++)
        shape[i] = tile->shape[order[i]];
    return kd_layout_permute(ctx, layout, kd_type_tile(ctx, kd_type_elem(tile), r, shape), order);
}

static void make_layouts(kd_context *ctx, const kd_op *dot, const extents *e, const split *s, kd_dpas_tiling *t,
                         unsigned sub_group_bits)
{
    repeat(t, e, s);
    kd_dot_layouts l = {a_layout(ctx, e, s, t, sub_group_bits), b_layout(ctx, e, s, t, sub_group_bits),
                        acc_layout(ctx, e, s, t, sub_group_bits)};
    if (t->is_turned)
        l = (kd_dot_layouts){turn(ctx, l.b, kd_dot_a(dot)->type), turn(ctx, l.a, kd_dot_b(dot)->type),
                             turn(ctx, l.acc, kd_dot_acc(dot)->type)};
    t->layouts = l;
}

/* The tiling that acc's layout has. */
static bool find_tiling(kd_context *ctx, const kd_op *dot, const extents *e, kd_dpas_tiling *t, unsigned sub_group_bits)
{
    const kd_layout *acc = kd_dot_acc(dot)->type->layout;
    unsigned batch = least(sub_group_bits, e->batch), left = sub_group_bits - batch;
    for (unsigned n = 0; acc && n <= least(left, e->n - t->columns); n++)
        for (unsigned m = 0; m <= least(left - n, e->m - t->rows); m++) {
            make_layouts(ctx, dot, e, &(split){m, n, batch}, t, sub_group_bits);
            if (t->layouts.acc == acc)
                return true;
        }
    return false;
}

bool kd_dpas_tiling_choose(kd_context *ctx, const kd_op *dot, const kd_gpu_config *config, kd_dpas_tiling *out)
{
    if (config->sub_group_size != config->device->dpas_sub_group_size || !kd_dpas_takes(dot, config->device))
        return false;
    extents e = extents_of(dot), turned = turned_extents(&e);
    unsigned bits = kd_type_elem_bits(kd_dot_a(dot)->type), lane_bits = config->sub_group_size == 16 ? 16 : 32;
    unsigned sub_group_bits = kd_log2(config->n_sub_groups), columns = kd_log2(config->sub_group_size);
    kd_dpas_tiling t = {.elem = elem_name(dot, config->device->dpas_types),
                        .rows = least(MAX_ROW_BITS, e.m),
                        .depth = depth_bits(dot),
                        .columns = columns,
                        .a_pack = lane_bits > bits ? kd_log2(lane_bits / bits) : 0};
    kd_dpas_tiling other = t;
    other.rows = least(MAX_ROW_BITS, turned.m);
    other.is_turned = true;
    if (find_tiling(ctx, dot, &e, &t, sub_group_bits)) {
        *out = t;
        return true;
    }
    if (turned.n >= columns && find_tiling(ctx, dot, &turned, &other, sub_group_bits)) {
        *out = other;
        return true;
    }
    bool turns = wants_turned(dot, &e, columns);
    *out = turns ? other : t;
    const extents *chosen = turns ? &turned : &e;
    split s = choose_split(dot, chosen, out->rows, columns, sub_group_bits, turns);
    make_layouts(ctx, dot, chosen, &s, out, sub_group_bits);
    return true;
}

bool kd_dpas_is_right_operand(const kd_use *use, kd_context *ctx, const kd_gpu_config *config)
{
    kd_dpas_tiling t;
    const kd_op *dot = use->user;
    if (dot->code != KD_OP_dot || use == &dot->operands[2] || !kd_dpas_tiling_choose(ctx, dot, config, &t))
        return false;
    return use == &dot->operands[t.is_turned ? 0 : 1];
}
