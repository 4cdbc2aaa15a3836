/* select_rectangles.c - which block loads become messages that move a rectangle of memory to registers (2D blocks).
 *
 * Where the device has them, operands of dots on its systolic array are loaded so: they arrive as the array wants them, and memory outside
 * the tensor reads as 0. The hardware asks for
 *
 *     base        a multiple of 64 bytes                      width   64 bytes to 2^24, a multiple of 4, not above the pitch
 *     pitch       a multiple of 16 bytes, below 2^24          x       a multiple of 4 bytes
 *     one unit stride; elements of 8, 16 or 32 bits
 *
 * A base between two multiples of 64 is moved down to one, and the surface begins as much further to the right.
 *
 * What is not known when the kernel is compiled and does not change in a loop is checked once before it: the loop is there twice, and the one
 * without rectangles runs where a check fails. Loads outside of loops are chosen one by one.
 *
 * Effect:  marks block loads (is_rectangle); lower-block-access makes pointers of those that are left.
 * Needs:   recognize-rectangles before it, for loads through pointers. Layouts come later.
 */
#include "ir/builder.h"
#include "passes/axis_info.h"
#include "passes/dpas_layouts.h"
#include "passes/pass.h"

enum {
    MAX_CHECKS = 32,
    MIN_WIDTH_BYTES = 64,
    MAX_PITCH_BYTES = 1 << 24,
    BASE_BYTES = 64,
    PITCH_BYTES = 16,
    X_BYTES = 4
};

typedef struct selector {
    kd_pass_ctx *px;
    const kd_axis_info *info;
    bool changed;
} selector;

/* ---- which loads ---- */

/* The surface of a load whose block has rank 2. */
typedef struct surface {
    kd_value *base, *width, *height, *pitch, *x; /* width, pitch, x: in elements */
    int64_t elem_bytes;
    int64_t x_extent, y_extent; /* of the block */
    unsigned x_axis;
    kd_value *moved, *wide; /* elements by which base was moved down, and the width from there; NULL: it was not */
} surface;

static bool surface_of(const kd_op *load, surface *out)
{
    const kd_type *type = load->results[0].type;
    int64_t stride;
    if (!kd_type_is_tile(type) || type->rank != 2 || kd_block_load_n_coords(load) != 6 || kd_type_is_ptr_like(type))
        return false;
    unsigned bits = kd_type_elem_bits(type);
    bool pads = false;
    for (unsigned i = 0; i < kd_block_load_check(load).n; i++)
        pads |= kd_block_load_check(load).data[i] != 0;
    if ((bits != 8 && bits != 16 && bits != 32) || kd_type_is_bool_like(type) ||
        (pads && kd_block_load_padding(load) != KD_PADDING_ZERO))
        return false;
    for (unsigned x = 2; x-- > 0;)
        if (kd_value_constant_int(kd_block_load_coords(load, 2 + x), &stride) && stride == 1) {
            *out = (surface){.base = kd_block_load_base(load),
                             .width = kd_block_load_coords(load, x),
                             .height = kd_block_load_coords(load, 1 - x),
                             .pitch = kd_block_load_coords(load, 2 + 1 - x),
                             .x = kd_block_load_coords(load, 4 + x),
                             .elem_bytes = bits / 8,
                             .x_extent = type->shape[x],
                             .y_extent = type->shape[1 - x],
                             .x_axis = x};
            return true;
        }
    return false;
}

/* Whether it can be a rectangle, if what is checked before the loop holds. */
static bool is_candidate(const selector *s, const kd_op *load, surface *out)
{
    return load->code == KD_OP_block_load && !kd_block_load_is_rectangle(load) && surface_of(load, out) &&
           kd_dpas_reads(&load->results[0], s->px->gpu->device) && out->x_extent * out->elem_bytes >= 32 &&
           out->y_extent >= 8 && kd_axis_info_divisor(s->info, out->x) * out->elem_bytes % X_BYTES == 0;
}

/* ---- checks ---- */

typedef struct checks {
    selector *s;
    kd_builder b;
    kd_loc loc;
    kd_value *all; /* NULL: nothing to check */
    bool fails;    /* for certain */
} checks;

static kd_value *number(checks *c, const kd_type *type, int64_t n)
{
    return kd_build_int(&c->b, c->loc, type, n);
}

static void require(checks *c, kd_value *condition)
{
    c->all = c->all ? kd_result(kd_build_and(&c->b, (kd_and_args){.loc = c->loc, .a = c->all, .b = condition})) : condition;
}

static void require_compare(checks *c, kd_value *a, kd_pred pred, kd_value *b)
{
    require(c, kd_result(kd_build_cmp(&c->b, (kd_cmp_args){.loc = c->loc, .a = a, .b = b, .pred = pred})));
}

static kd_value *address_of(checks *c, kd_value *ptr)
{
    const kd_type *i64 = kd_type_scalar(c->s->px->module->ctx, KD_I64);
    return kd_result(kd_build_bitcast(&c->b, (kd_bitcast_args){.loc = c->loc, .value = ptr, .type = i64}));
}

/* v * unit is a multiple of n. v: an integer or, with unit 1, an address. */
static void require_multiple(checks *c, kd_value *v, int64_t unit, int64_t n)
{
    int64_t constant;
    if (kd_axis_info_divisor(c->s->info, v) * unit % n == 0)
        return;
    if (kd_value_constant_int(v, &constant)) {
        c->fails |= constant * unit % n != 0;
        return;
    }
    if (v->type->kind == KD_TYPE_PTR)
        v = address_of(c, v);
    kd_value *rest = kd_result(kd_build_and(&c->b, (kd_and_args){.loc = c->loc, .a = v, .b = number(c, v->type, n / unit - 1)}));
    require_compare(c, rest, KD_PRED_EQ, number(c, rest->type, 0));
}

/* least <= v <= most. */
static void require_between(checks *c, kd_value *v, int64_t least, int64_t most)
{
    int64_t constant;
    if (kd_value_constant_int(v, &constant)) {
        c->fails |= constant < least || constant > most;
        return;
    }
    require_compare(c, v, KD_PRED_GE, number(c, v->type, least));
    require_compare(c, v, KD_PRED_LE, number(c, v->type, most));
}

/* Moves the base down to a multiple of BASE_BYTES, where it is one of 4 bytes for sure and x does not lie to the left of it. */
static void align_base(checks *c, surface *f)
{
    int64_t known = kd_axis_info_divisor(c->s->info, f->base), bytes = f->elem_bytes;
    if (known % BASE_BYTES == 0 || known % X_BYTES || known % bytes || !kd_axis_info_is_non_negative(c->s->info, f->x))
        return;
    kd_value *address = address_of(c, f->base);
    kd_value *over = kd_result(kd_build_and(&c->b, (kd_and_args){.loc = c->loc, .a = address, .b = number(c, address->type, BASE_BYTES - 1)}));
    f->moved = kd_result(kd_build_div(&c->b, (kd_div_args){.loc = c->loc, .a = over, .b = number(c, over->type, bytes)}));
    kd_value *back = kd_result(kd_build_sub(&c->b, (kd_sub_args){.loc = c->loc, .a = number(c, over->type, 0), .b = f->moved}));
    f->base = kd_result(kd_build_addptr(&c->b, (kd_addptr_args){.loc = c->loc, .ptr = f->base, .offset = back}));
    f->wide = kd_result(kd_build_add(&c->b, (kd_add_args){.loc = c->loc, .a = f->width, .b = f->moved}));
}

static void check_surface(checks *c, surface *f)
{
    int64_t bytes = f->elem_bytes, width, pitch;
    require_multiple(c, f->width, bytes, X_BYTES);
    require_multiple(c, f->pitch, bytes, PITCH_BYTES);
    require_between(c, f->width, MIN_WIDTH_BYTES / bytes, MAX_PITCH_BYTES / bytes - 1);
    require_between(c, f->pitch, MIN_WIDTH_BYTES / bytes, MAX_PITCH_BYTES / bytes - 1);
    require_between(c, f->height, 1, MAX_PITCH_BYTES);
    if (c->fails)
        return;
    align_base(c, f);
    if (f->moved)
        require_compare(c, f->wide, KD_PRED_LE, f->pitch);
    else
        require_multiple(c, f->base, 1, BASE_BYTES);
    if (f->moved || f->width == f->pitch)
        return;
    if (kd_value_constant_int(f->width, &width) && kd_value_constant_int(f->pitch, &pitch))
        c->fails |= width > pitch;
    else
        require_compare(c, f->width, KD_PRED_LE, f->pitch);
}

/* Whether what is checked of a load is known where the op stands. */
static bool is_known_at(const surface *f, const kd_op *op)
{
    return kd_value_visible_at(f->base, op) && kd_value_visible_at(f->width, op) && kd_value_visible_at(f->height, op) &&
           kd_value_visible_at(f->pitch, op);
}

/* ---- loops ---- */

typedef struct candidates {
    selector *s;
    const kd_op *root;
    kd_op *loads[MAX_CHECKS];
    surface surfaces[MAX_CHECKS];
    unsigned n;
    unsigned n_operands; /* loads that a dot reads, the chosen ones too */
} candidates;

static void collect(kd_op *op, void *user)
{
    candidates *all = user;
    surface f;
    if (all->n < MAX_CHECKS && is_candidate(all->s, op, &f) && is_known_at(&f, all->root)) {
        all->loads[all->n] = op;
        all->surfaces[all->n++] = f;
    }
}

static void make_rectangle(selector *s, kd_op *load, const surface *f)
{
    kd_block_load_set_is_rectangle(load, true);
    if (!f->moved)
        return;
    unsigned first = 1 + f->x_axis; /* the operands are base, sizes, strides, offsets */
    kd_builder b = kd_builder_before(s->px->module, load);
    kd_value *moved = f->moved;
    if (f->x->type != moved->type)
        moved = kd_result(kd_build_cast(&b, (kd_cast_args){.loc = load->loc, .value = moved, .type = f->x->type}));
    kd_op_set_operand(load, 0, f->base);
    kd_op_set_operand(load, first, f->wide);
    kd_op_set_operand(load, first + 4, kd_result(kd_build_add(&b, (kd_add_args){.loc = load->loc, .a = f->x, .b = moved})));
}

/* if (all) { the op } else { a copy of it }: the results go through the ifs. */
static void make_two(selector *s, kd_op *op, kd_value *condition)
{
    kd_builder b = kd_builder_before(s->px->module, op);
    const kd_type **types = kd_arena_array(s->px->scratch, const kd_type *, op->n_results);
    kd_value **values = kd_arena_array(s->px->scratch, kd_value *, op->n_results);
    for (unsigned i = 0; i < op->n_results; i++)
        types[i] = op->results[i].type;
    kd_op *choice = kd_build_if(&b, (kd_if_args){.loc = op->loc, .condition = condition, .types = types, .n_types = op->n_results});
    for (unsigned i = 0; i < op->n_results; i++)
        kd_value_replace_uses(&op->results[i], kd_op_result(choice, i));
    for (unsigned r = 0; r < 2; r++) {
        kd_builder in = kd_builder_at_end(s->px->module, kd_op_region(choice, r));
        kd_op *version = r ? kd_clone_op(&in, op, kd_value_map_create(s->px->scratch)) : op;
        if (!r)
            continue;
        for (unsigned i = 0; i < op->n_results; i++)
            values[i] = kd_op_result(version, i);
        kd_build_op(&in, KD_OP_yield, op->loc, values, op->n_results, NULL, 0, NULL);
    }
    kd_op_move_to_end(op, kd_op_region(choice, 0));
    kd_builder in = kd_builder_at_end(s->px->module, kd_op_region(choice, 0));
    for (unsigned i = 0; i < op->n_results; i++)
        values[i] = kd_op_result(op, i);
    kd_build_op(&in, KD_OP_yield, op->loc, values, op->n_results, NULL, 0, NULL);
}

static void count_operands(kd_op *op, void *user)
{
    candidates *all = user;
    bool is_load = op->code == KD_OP_load || op->code == KD_OP_block_load;
    all->n_operands += is_load && kd_type_is_tile(op->results[0].type) && kd_dpas_reads(&op->results[0], all->s->px->gpu->device);
}

/* A loop is worth two versions where one of them loads all operands as rectangles, or most. In a loop nothing is checked. */
static bool is_worth_two(candidates *all, unsigned n)
{
    for (const kd_op *at = all->root->block->parent; all->root->code == KD_OP_block_load && at; at = at->block ? at->block->parent : NULL)
        if (at->code == KD_OP_for || at->code == KD_OP_while)
            return false;
    kd_op_walk((kd_op *)all->root, count_operands, all);
    return n > 1 || all->n_operands <= 1;
}

/* Rectangles in a loop, or a load by itself. False: there are none. */
static bool select_in(selector *s, kd_op *op)
{
    candidates all = {.s = s, .root = op};
    collect(op, &all);
    kd_op_walk(op, collect, &all);
    checks c = {.s = s, .b = kd_builder_before(s->px->module, op), .loc = op->loc};
    unsigned n = 0;
    for (unsigned i = 0; i < all.n; i++) {
        checks before = c;
        check_surface(&c, &all.surfaces[i]);
        if (c.fails) {
            c = before; /* what was made for it is dead */
            continue;
        }
        all.loads[n] = all.loads[i];
        all.surfaces[n++] = all.surfaces[i];
    }
    if (!n)
        return false;
    if (c.all && !is_worth_two(&all, n))
        return true;
    s->changed = true;
    if (c.all)
        make_two(s, op, c.all); /* the copy is made before anything is marked */
    for (unsigned i = 0; i < n; i++)
        make_rectangle(s, all.loads[i], &all.surfaces[i]);
    return true;
}

static void select_in_block(selector *s, kd_block *block)
{
    KD_FOREACH_OP_SAFE (op, block) {
        bool is_root = op->code == KD_OP_for || op->code == KD_OP_while || op->code == KD_OP_block_load;
        if (is_root && select_in(s, op))
            continue;
        for (unsigned r = 0; r < op->n_regions; r++)
            select_in_block(s, op->regions[r]);
    }
}

kd_pass_result kd_pass_select_rectangles(kd_pass_ctx *px, kd_op *func)
{
    if (!kd_gpu_has_rectangles(px->gpu))
        return KD_PASS_UNCHANGED;
    selector s = {.px = px, .info = kd_axis_info_compute(px->scratch, func)};
    select_in_block(&s, kd_op_region(func, 0));
    return s.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
