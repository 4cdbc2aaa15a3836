/* recognize_rectangles.c - loads and stores through tiles of pointers that cover a rectangle of a matrix become block loads and block stores.
 *
 *     %p = base + (row + axis0) * stride + (k + axis1)      %v = kd.block_load base, [M, K], [stride, 1], [row, k] {check = [1, 1]}
 *     %m = row + axis0 < M & axis1 < K - k            ==>
 *     %v = kd.load %p, %m
 *
 * A comparison of the mask is the bound of its axis: what it has in common with the pointers is the block's offset there, the rest the size. An
 * axis without a mask gets the size that the loop reaches. Indices of a load that wrap around at a size, as in (row + axis0) % M, are taken as if a
 * mask cut them off there, where nobody can see the elements beyond (unseen_rows.h).
 *
 * Block loads of one matrix among many (a batch) become loads of a matrix, so that they can be rectangles too.
 *
 * Needs:   one axis of consecutive elements, a scalar distance between rows, and offsets that are not negative.
 * Effect:  only what a dot of the systolic array reads or makes, on devices whose messages move rectangles; select-rectangles goes on from
 *          here. */
#include "passes/affine.h"
#include "passes/dpas_layouts.h"
#include "passes/pass.h"
#include "passes/unseen_rows.h"

typedef struct recognizer {
    kd_pass_ctx *px;
    const kd_axis_info *info;
    bool changed;
} recognizer;

/* An axis of the block. */
typedef struct side {
    bool has_bound, has_lower, wraps;
    kd_affine bound;  /* index inside the block + bound < 0 */
    kd_affine lower;  /* index inside the block + lower >= 0 */
    kd_affine offset; /* of the block in the matrix */
    kd_affine size;   /* of the matrix */
} side;

typedef struct match {
    recognizer *r;
    kd_op *access; /* a load or a store */
    const kd_type *type; /* of the block */
    kd_affine_scope scope;
    kd_value *base;
    kd_affine rest;   /* what the base lies away from the pointer that it is made of */
    unsigned unit;    /* the axis of consecutive elements */
    kd_affine_term pitch; /* of the other axis */
    side sides[2];
} match;

/* ---- masks ---- */

/* axes: which axis of the block each axis of the mask is. */
static bool read_mask(match *m, const kd_value *mask, const unsigned axes[2])
{
    const kd_op *def = mask->def;
    kd_affine bound;
    unsigned axis;
    bool is_lower;
    if (!def)
        return false;
    switch (def->code) {
    case KD_OP_and: return read_mask(m, kd_and_a(def), axes) && read_mask(m, kd_and_b(def), axes);
    case KD_OP_broadcast: return read_mask(m, kd_broadcast_tile(def), axes);
    case KD_OP_reshape: {
        const kd_type *from = kd_reshape_tile(def)->type, *to = mask->type;
        unsigned inner[2] = {0, 0};
        if (from->rank > 2)
            return false;
        for (unsigned i = 0; i < from->rank; i++) {
            if (from->shape[i] != 1 && !kd_reshaped_axis(from, to, i, &axis))
                return false;
            inner[i] = from->shape[i] != 1 ? axes[axis] : 0;
        }
        return read_mask(m, kd_reshape_tile(def), inner);
    }
    case KD_OP_cmp: {
        if (!kd_type_is_int_like(kd_cmp_a(def)->type) || !kd_affine_of_comparison(&m->scope, def, &bound, &axis, &is_lower))
            return false;
        side *s = &m->sides[axes[axis]];
        bool *has = is_lower ? &s->has_lower : &s->has_bound;
        if (*has)
            return false;
        *has = true;
        *(is_lower ? &s->lower : &s->bound) = bound;
        return true;
    }
    default: return false;
    }
}

/* ---- pointers ---- */

/* Finds the axis of consecutive elements and the distance of rows; takes both out of the sum. */
static bool find_axes(match *m, kd_affine *sum)
{
    const kd_affine_term *along[2] = {NULL, NULL};
    for (unsigned i = 0; i < sum->n; i++) {
        int axis = sum->terms[i].axis;
        if (axis == KD_NO_AXIS)
            continue;
        if (along[axis])
            return false;
        along[axis] = &sum->terms[i];
    }
    if (!along[0] || !along[1])
        return false;
    m->unit = along[1]->n_factors == 0 && along[1]->constant == 1 ? 1 : 0;
    const kd_affine_term unit = *along[m->unit], row = *along[1 - m->unit];
    m->pitch = row;
    m->pitch.axis = KD_NO_AXIS;
    if (unit.n_factors || unit.constant != 1 || row.n_factors > 1 || row.constant < 1 || kd_affine_term_varies(&m->scope, &row))
        return false;
    kd_affine_add(sum, &unit, -1);
    kd_affine_add(sum, &row, -1);
    return row.n_factors || row.constant > 1;
}

/* A term of the pointers in rows; false: it is no number of rows. */
static bool in_rows(const match *m, const kd_affine_term *term, kd_affine_term *out)
{
    *out = *term;
    if (term->constant % m->pitch.constant)
        return false;
    out->constant /= m->pitch.constant;
    for (unsigned i = 0; i < term->n_factors && m->pitch.n_factors; i++)
        if (term->factors[i] == m->pitch.factors[0]) {
            out->factors[i] = out->factors[--out->n_factors];
            return true;
        }
    return !m->pitch.n_factors;
}

static bool is_part(const side *s, const kd_affine_term *t)
{
    return s->has_bound && kd_affine_constant_of(&s->bound, t) == t->constant;
}

/* Which axis a term of the pointers moves the block along. What does not change in the loop and no mask knows goes to the base. */
static bool place_term(match *m, const kd_affine_term *t)
{
    kd_affine_term rows;
    side *x = &m->sides[m->unit], *y = &m->sides[1 - m->unit];
    bool is_rows = in_rows(m, t, &rows);
    if (is_rows && is_part(y, &rows))
        kd_affine_add(&y->offset, &rows, 1);
    else if (is_part(x, t))
        kd_affine_add(&x->offset, t, 1);
    else if (!kd_affine_term_varies(&m->scope, t))
        kd_affine_add(&m->rest, t, 1);
    else if (is_rows && !y->has_bound)
        kd_affine_add(&y->offset, &rows, 1);
    else if (!x->has_bound)
        kd_affine_add(&x->offset, t, 1);
    else
        return false;
    return true;
}

/* Offset and bound make the size. */
static bool settle_side(match *m, side *s)
{
    if (s->has_bound) {
        s->size = s->offset;
        kd_affine_add_all(&s->size, &s->bound, -1);
        if (s->size.failed || kd_affine_varies(&m->scope, &s->size))
            return false;
    }
    if (s->has_lower)
        return kd_affine_same(&s->lower, &s->offset);
    return !s->offset.failed && kd_affine_is_non_negative(&s->offset, m->r->info);
}

/* The wraps along both axes, as bounds. */
static bool read_wraps(match *m)
{
    for (unsigned i = 0; i < m->scope.n_wraps; i++) {
        kd_affine_wrap *w = &m->scope.wraps[i];
        kd_affine bound = w->inside;
        int axis = KD_NO_AXIS;
        for (unsigned t = 0; t < w->inside.n; t++)
            if (w->inside.terms[t].axis != KD_NO_AXIS)
                axis = w->inside.terms[t].axis;
        kd_affine_term along = {.constant = 1, .axis = axis}, limit = {.constant = 1, .factors = {w->limit}, .n_factors = 1, .axis = KD_NO_AXIS};
        if (axis == KD_NO_AXIS || kd_affine_constant_of(&bound, &along) != 1 || m->sides[axis].has_bound)
            return false;
        kd_affine_add(&bound, &along, -1);
        if (!kd_affine_is_non_negative(&bound, m->r->info))
            return false;
        kd_affine_add(&bound, &limit, -1);
        m->sides[axis].has_bound = m->sides[axis].wraps = true;
        m->sides[axis].bound = bound;
        if (bound.failed || !kd_is_unseen_beyond(&m->access->results[0], (unsigned)axis, &bound, m->r->px->scratch))
            return false;
    }
    return true;
}

static bool find_match(recognizer *r, kd_op *access, match *m)
{
    kd_op *parent = access->block->parent;
    bool is_load = access->code == KD_OP_load;
    const kd_value *mask = is_load ? kd_load_mask(access) : kd_store_mask(access);
    *m = (match){.r = r, .access = access, .scope = {.loop = parent->code == KD_OP_for ? parent : NULL, .allows_wraps = is_load}};
    m->type = is_load ? access->results[0].type : kd_store_value(access)->type;
    kd_affine sum = kd_affine_of_pointers(&m->scope, kd_op_operand(access, 0), &m->base);
    if (sum.failed || !read_wraps(m) || !find_axes(m, &sum))
        return false;
    m->scope.allows_wraps = false;
    if (mask && !read_mask(m, mask, (const unsigned[]){0, 1}))
        return false;
    for (unsigned i = 0; i < sum.n; i++)
        if (!place_term(m, &sum.terms[i]))
            return false;
    return !m->rest.failed && settle_side(m, &m->sides[0]) && settle_side(m, &m->sides[1]);
}

/* ---- rewriting ---- */

/* The loop's counter in its last iteration. */
static kd_value *last_counter(const match *m, kd_builder *b, const kd_type *type)
{
    const kd_op *loop = m->scope.loop;
    kd_value *ends[] = {kd_for_lower(loop), kd_for_upper(loop), kd_for_step(loop)}, *one = kd_build_int(b, loop->loc, type, 1);
    for (unsigned i = 0; i < 3; i++)
        ends[i] = kd_result(kd_build_cast(b, (kd_cast_args){.loc = loop->loc, .value = ends[i], .type = type}));
#define BINARY(name, x, y) kd_result(kd_build_##name(b, (kd_##name##_args){.loc = loop->loc, .a = x, .b = y}))
    kd_value *span = BINARY(sub, BINARY(sub, ends[1], ends[0]), one);
    return BINARY(add, ends[0], BINARY(mul, BINARY(div, span, ends[2]), ends[2]));
#undef BINARY
}

/* The size of the matrix along an axis, known before the loop. */
static kd_value *build_size(const match *m, kd_builder *b, unsigned axis, const kd_type *i64)
{
    const side *s = &m->sides[axis];
    kd_loc loc = m->access->loc;
    if (s->has_bound)
        return kd_affine_build(b, loc, &s->size, i64, NULL, NULL);
    kd_affine end = s->offset;
    kd_affine_add(&end, &(kd_affine_term){.constant = m->type->shape[axis], .axis = KD_NO_AXIS}, 1);
    if (!kd_affine_varies(&m->scope, &s->offset))
        return kd_affine_build(b, loc, &end, i64, NULL, NULL);
    return kd_affine_build(b, loc, &end, i64, kd_op_region(m->scope.loop, 0)->args[0], last_counter(m, b, i64));
}

/* Whether a size can be computed before the loop: nothing changes but the counter. */
static bool can_build(const match *m, const side *s)
{
    const kd_value *counter = m->scope.loop ? kd_op_region(m->scope.loop, 0)->args[0] : NULL;
    for (unsigned i = 0; i < s->offset.n && !s->has_bound; i++)
        for (unsigned f = 0; f < s->offset.terms[i].n_factors; f++) {
            kd_affine_term one = {.factors = {s->offset.terms[i].factors[f]}, .n_factors = 1};
            if (one.factors[0] != counter && kd_affine_term_varies(&m->scope, &one))
                return false;
        }
    return true;
}

static void build_block(const match *m, kd_builder *b, kd_value *base, kd_value *const *coords, kd_ints check)
{
    kd_op *op = m->access;
    if (op->code == KD_OP_store) {
        kd_build_block_store(b, (kd_block_store_args){.loc = op->loc, .base = base, .value = kd_store_value(op), .coords = coords, .n_coords = 6,
                                                     .check = check, .cache = kd_store_cache(op), .evict = kd_store_evict(op)});
        kd_op_erase(op);
        return;
    }
    kd_op *block = kd_build_block_load(b, (kd_block_load_args){.loc = op->loc, .base = base, .coords = coords, .n_coords = 6, .type = m->type,
                                                              .check = check, .cache = kd_load_cache(op), .evict = kd_load_evict(op)});
    block->results[0].name = op->results[0].name;
    kd_op_replace(op, block);
}

static void rewrite(match *m)
{
    kd_op *op = m->access;
    kd_context *ctx = m->r->px->module->ctx;
    const kd_type *i64 = kd_type_scalar(ctx, KD_I64), *i32 = kd_type_scalar(ctx, KD_I32);
    kd_builder here = kd_builder_before(m->r->px->module, op),
               before = m->scope.loop ? kd_builder_before(m->r->px->module, (kd_op *)m->scope.loop) : here;
    kd_value *base = m->base, *coords[6];
    if (m->rest.n) {
        kd_value *rest = kd_affine_build(&before, op->loc, &m->rest, i64, NULL, NULL);
        base = kd_result(kd_build_addptr(&before, (kd_addptr_args){.loc = op->loc, .ptr = base, .offset = rest}));
    }
    kd_affine one = {0}, pitch = {0};
    kd_affine_add(&one, &(kd_affine_term){.constant = 1, .axis = KD_NO_AXIS}, 1);
    kd_affine_add(&pitch, &m->pitch, 1);
    int64_t check[2];
    for (unsigned i = 0; i < 2; i++) {
        coords[i] = build_size(m, &before, i, i64);
        coords[2 + i] = kd_affine_build(&before, op->loc, i == m->unit ? &one : &pitch, i64, NULL, NULL);
        coords[4 + i] = kd_affine_build(&here, op->loc, &m->sides[i].offset, i32, NULL, NULL);
        check[i] = m->sides[i].has_bound || m->sides[i].has_lower;
    }
    build_block(m, &here, base, coords, (kd_ints){check, 2});
    m->r->changed = true;
}

/* ---- leading axes ---- */

/* Whether the leading axes of a block are a place outside of the loop: all extents are 1 there. */
static bool has_fixed_leading_axes(const kd_affine_scope *scope, const kd_op *load)
{
    const kd_type *type = load->results[0].type;
    unsigned rank = kd_block_load_n_coords(load) / 3;
    if (rank < 3 || type->rank < 2)
        return false;
    for (unsigned i = 0; i + 2 < type->rank; i++)
        if (type->shape[i] != 1)
            return false;
    for (unsigned i = 0; i < kd_block_load_n_coords(load); i++) {
        kd_affine_term t = {.factors = {kd_block_load_coords(load, i)}, .n_factors = 1};
        bool is_leading = i % rank < rank - 2;
        if ((is_leading || i < 2 * rank) && kd_affine_term_varies(scope, &t))
            return false;
    }
    return true;
}

/* 0 <= at < size, or true where it is not checked. */
static kd_value *lies_inside(kd_builder *b, kd_loc loc, kd_value *at, kd_value *size)
{
    kd_value *from_0 = kd_result(kd_build_cmp(b, (kd_cmp_args){.loc = loc, .a = at, .b = kd_build_int(b, loc, at->type, 0), .pred = KD_PRED_GE}));
    kd_value *to_size = kd_result(kd_build_cmp(b, (kd_cmp_args){.loc = loc, .a = at, .b = size, .pred = KD_PRED_LT}));
    return kd_result(kd_build_and(b, (kd_and_args){.loc = loc, .a = from_0, .b = to_size}));
}

/* One matrix of a tensor of them: its place goes to the base. A place outside of the tensor leaves a matrix without rows. */
static void drop_leading_axes(recognizer *r, kd_op *load)
{
    kd_op *parent = load->block->parent;
    kd_affine_scope scope = {.loop = parent->code == KD_OP_for ? parent : NULL};
    if (!has_fixed_leading_axes(&scope, load) || !kd_dpas_reads(&load->results[0], r->px->gpu->device))
        return;
    kd_context *ctx = r->px->module->ctx;
    const kd_type *type = load->results[0].type, *i64 = kd_type_scalar(ctx, KD_I64);
    kd_builder here = kd_builder_before(r->px->module, load), before = scope.loop ? kd_builder_before(r->px->module, parent) : here;
    unsigned rank = kd_block_load_n_coords(load) / 3, first = rank - 2;
    kd_ints check = kd_block_load_check(load);
    kd_value *base = kd_block_load_base(load), *inside = NULL, *coords[6];
    kd_loc loc = load->loc;
    for (unsigned i = 0; i < first; i++) {
        kd_value *at = kd_block_load_coords(load, 2 * rank + i), *stride = kd_block_load_coords(load, rank + i);
        if (at->type != i64)
            at = kd_result(kd_build_cast(&before, (kd_cast_args){.loc = loc, .value = at, .type = i64}));
        kd_value *way = kd_result(kd_build_mul(&before, (kd_mul_args){.loc = loc, .a = at, .b = stride}));
        base = kd_result(kd_build_addptr(&before, (kd_addptr_args){.loc = loc, .ptr = base, .offset = way}));
        if (i >= check.n || !check.data[i])
            continue;
        kd_value *good = lies_inside(&before, loc, at, kd_block_load_coords(load, i));
        inside = inside ? kd_result(kd_build_and(&before, (kd_and_args){.loc = loc, .a = inside, .b = good})) : good;
    }
    for (unsigned i = 0; i < 6; i++)
        coords[i] = kd_block_load_coords(load, i / 2 * rank + first + i % 2);
    int64_t checks[2] = {(first < check.n && check.data[first]) || inside, first + 1 < check.n && check.data[first + 1]};
    if (inside)
        coords[0] = kd_result(kd_build_select(&before, (kd_select_args){.loc = loc, .condition = inside, .a = coords[0],
                                                                       .b = kd_build_int(&before, loc, i64, 0)}));
    const kd_type *matrix = kd_type_tile(ctx, kd_type_elem(type), 2, &type->shape[type->rank - 2]);
    kd_value *value = kd_result(kd_build_block_load(&here, (kd_block_load_args){.loc = loc, .base = base, .coords = coords, .n_coords = 6,
                                                                               .type = matrix, .check = {checks, 2},
                                                                               .padding = kd_block_load_padding(load),
                                                                               .cache = kd_block_load_cache(load),
                                                                               .evict = kd_block_load_evict(load)}));
    value->name = load->results[0].name;
    if (type->rank > 2)
        value = kd_result(kd_build_reshape(&here, (kd_reshape_args){.loc = loc, .tile = value, .type = type}));
    kd_op_replace_value(load, value);
    r->changed = true;
}

static bool is_matrix(const kd_type *type)
{
    return kd_type_is_tile(type) && type->rank == 2 && !kd_type_is_ptr_like(type) && type->shape[0] > 1 && type->shape[1] > 1;
}

/* A load for a dot that reads zeros where its mask is false, or a store of what a dot makes. */
static bool is_candidate(const kd_op *op, const kd_gpu_device *device)
{
    if (op->code == KD_OP_store)
        return is_matrix(kd_store_value(op)->type) && kd_dpas_makes(kd_store_value(op), device);
    return op->code == KD_OP_load && !kd_load_is_volatile(op) && is_matrix(op->results[0].type) &&
           (!kd_load_mask(op) || !kd_load_other(op) || kd_value_is_zero(kd_load_other(op))) && kd_dpas_reads(&op->results[0], device);
}

static void visit(kd_op *op, void *user)
{
    recognizer *r = user;
    match m;
    if (op->code == KD_OP_block_load)
        drop_leading_axes(r, op);
    if (is_candidate(op, r->px->gpu->device) && find_match(r, op, &m) && can_build(&m, &m.sides[0]) && can_build(&m, &m.sides[1]))
        rewrite(&m);
}

kd_pass_result kd_pass_recognize_rectangles(kd_pass_ctx *px, kd_op *func)
{
    if (!kd_gpu_has_rectangles(px->gpu))
        return KD_PASS_UNCHANGED;
    recognizer r = {.px = px, .info = kd_axis_info_compute(px->scratch, func)};
    kd_op_walk(func, visit, &r);
    return r.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
