/* select_rectangles.c - which block loads and stores become messages that move a rectangle between memory and registers (2D blocks).
 *
 * Where the device has them, operands of dots on its systolic array are loaded so, and what such dots make is stored so: both come and go as
 * the array has them; memory outside the tensor reads as 0 and is not written. The hardware asks for
 *
 *     base        a multiple of 64 bytes                      width   64 bytes to 2^24, a multiple of 4, not above the pitch
 *     pitch       a multiple of 16 bytes, below 2^24          x       a multiple of 4 bytes
 *     one unit stride; elements of 8, 16 or 32 bits
 *
 * A base between two multiples of 64 is moved down to one, and the surface begins as much further to the right.
 *
 * What is not known when the kernel is compiled and does not change on the way is checked once, before the first of a block's ops in which
 * there are such accesses (a loop, or an access by itself): all from there to the last of these ops is there twice, and the ops without
 * rectangles run where a check fails.
 *
 * Effect:  marks block loads and stores (is_rectangle); lower-block-access makes pointers of those that are left.
 * Needs:   recognize-rectangles before it, for accesses through pointers. Layouts come later.
 */
#include "ir/builder.h"
#include "passes/axis_info.h"
#include "passes/dpas_layouts.h"
#include "passes/pass.h"
#include "passes/version_ops.h"

enum {
    MAX_CHECKS = 32,
    MAX_DEPTH = 4, /* of what can be computed earlier than it is */
    MAX_WORK = 16, /* that is copied for a store behind a loop */
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

/* ---- which accesses ---- */

/* The surface of an access whose block has rank 2. */
typedef struct surface {
    kd_value *base, *width, *height, *pitch, *x; /* width, pitch, x: in elements */
    int64_t elem_bytes;
    int64_t x_extent, y_extent; /* of the block */
    unsigned x_axis;
    kd_value *moved, *wide; /* elements by which base was moved down, and the width from there; NULL: it was not */
} surface;

static bool is_store(const kd_op *op)
{
    return op->code == KD_OP_block_store;
}

static bool is_access(const kd_op *op)
{
    return op->code == KD_OP_block_load || is_store(op);
}

/* Its operands are the base, of a store the value, sizes, strides and offsets. */
static unsigned first_coord(const kd_op *op)
{
    return is_store(op) ? 2 : 1;
}

static kd_value *coord(const kd_op *op, unsigned i)
{
    return kd_op_operand(op, first_coord(op) + i);
}

static const kd_value *data_of(const kd_op *op)
{
    return is_store(op) ? kd_block_store_value(op) : &op->results[0];
}

/* Whether what lies outside of the tensor reads as something else than 0. */
static bool pads(const kd_op *op)
{
    bool checks = false;
    for (unsigned i = 0; !is_store(op) && i < kd_block_load_check(op).n; i++)
        checks |= kd_block_load_check(op).data[i] != 0;
    return checks && kd_block_load_padding(op) != KD_PADDING_ZERO;
}

static bool surface_of(const kd_op *op, surface *out)
{
    const kd_type *type = data_of(op)->type;
    int64_t stride;
    if (!kd_type_is_tile(type) || type->rank != 2 || op->n_operands != first_coord(op) + 6 || kd_type_is_ptr_like(type))
        return false;
    unsigned bits = kd_type_elem_bits(type);
    if ((bits != 8 && bits != 16 && bits != 32) || kd_type_is_bool_like(type) || pads(op))
        return false;
    for (unsigned x = 2; x-- > 0;)
        if (kd_value_constant_int(coord(op, 2 + x), &stride) && stride == 1) {
            *out = (surface){.base = kd_op_operand(op, 0),
                             .width = coord(op, x),
                             .height = coord(op, 1 - x),
                             .pitch = coord(op, 2 + 1 - x),
                             .x = coord(op, 4 + x),
                             .elem_bytes = bits / 8,
                             .x_extent = type->shape[x],
                             .y_extent = type->shape[1 - x],
                             .x_axis = x};
            return true;
        }
    return false;
}

/* Whether it can be a rectangle, if what is checked before it holds. Stores: no message turns what it stores, nor takes a byte of a lane. */
static bool is_candidate(const selector *s, const kd_op *op, surface *out)
{
    const kd_gpu_device *device = s->px->gpu->device;
    if (!is_access(op) || (is_store(op) ? kd_block_store_is_rectangle(op) : kd_block_load_is_rectangle(op)) || !surface_of(op, out))
        return false;
    bool fits = is_store(op) ? out->x_axis == 1 && out->elem_bytes > 1 && kd_dpas_makes(data_of(op), device) : kd_dpas_reads(data_of(op), device);
    return fits && out->x_extent * out->elem_bytes >= 32 && out->y_extent >= 8 &&
           kd_axis_info_divisor(s->info, out->x) * out->elem_bytes % X_BYTES == 0;
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

/* Whether a value is known where an op stands, or can be computed there. */
static bool can_be_known_at(const kd_value *v, const kd_op *op, unsigned depth)
{
    if (kd_value_visible_at(v, op))
        return true;
    if (!v->def || !kd_op_is_pure(v->def) || v->def->n_regions || kd_type_is_tile(v->type) || !depth)
        return false;
    for (unsigned i = 0; i < v->def->n_operands; i++)
        if (v->def->operands[i].value && !can_be_known_at(v->def->operands[i].value, op, depth - 1))
            return false;
    return true;
}

static void make_known_at(const kd_value *v, kd_op *op)
{
    if (kd_value_visible_at(v, op))
        return;
    for (unsigned i = 0; i < v->def->n_operands; i++)
        if (v->def->operands[i].value)
            make_known_at(v->def->operands[i].value, op);
    kd_op_move_before(v->def, op);
}

/* What is checked of an access. */
static bool can_be_checked_at(const surface *f, const kd_op *op)
{
    return can_be_known_at(f->base, op, MAX_DEPTH) && can_be_known_at(f->width, op, MAX_DEPTH) && can_be_known_at(f->height, op, MAX_DEPTH) &&
           can_be_known_at(f->pitch, op, MAX_DEPTH);
}

static void make_surface_known_at(const surface *f, kd_op *op)
{
    make_known_at(f->base, op);
    make_known_at(f->width, op);
    make_known_at(f->height, op);
    make_known_at(f->pitch, op);
}

/* ---- runs of ops ---- */

/* Those of a block from the first to the last that are, or have inside, accesses whose surfaces are known in front of the first, or can be. */
typedef struct run {
    selector *s;
    kd_op *first, *last;
    kd_op *accesses[MAX_CHECKS];
    surface surfaces[MAX_CHECKS];
    unsigned n;
    unsigned n_loads;    /* of them */
    unsigned n_operands; /* loads that a dot reads, the chosen ones too */
} run;

static void collect(kd_op *op, void *user)
{
    run *all = user;
    surface f;
    if (all->n < MAX_CHECKS && is_candidate(all->s, op, &f) && can_be_checked_at(&f, all->first)) {
        all->accesses[all->n] = op;
        all->surfaces[all->n++] = f;
    }
}

static void count_operands(kd_op *op, void *user)
{
    run *all = user;
    bool is_load = op->code == KD_OP_load || op->code == KD_OP_block_load;
    all->n_operands += is_load && kd_type_is_tile(op->results[0].type) && kd_dpas_reads(&op->results[0], all->s->px->gpu->device);
}

static void visit_with_inner(kd_op *op, void (*visit)(kd_op *op, void *user), run *all)
{
    visit(op, all);
    kd_op_walk(op, visit, all);
}

/* Of an op on tiles, about as many instructions for each register as it takes. */
static unsigned work_of(const kd_op *op)
{
    if (!op->n_results || !kd_type_is_tile(op->results[0].type) || op->n_regions)
        return 0;
    return op->code == KD_OP_div || op->code == KD_OP_math ? 8 : 1;
}

/* A store behind much work is left out: two ifs with the same condition are less code. */
static void find_run(selector *s, kd_op *first, run *out)
{
    unsigned work = 0;
    *out = (run){.s = s, .first = first, .last = first};
    for (kd_op *op = first; op; op = op->next) {
        unsigned before = out->n;
        work += work_of(op);
        if (is_store(op) && work > MAX_WORK)
            return;
        visit_with_inner(op, collect, out);
        if (out->n > before) {
            out->last = op;
            work = 0;
        }
        if (!out->n || out->n == MAX_CHECKS)
            return;
    }
}

/* Builds the checks of all accesses; drops those that fail for certain, and what is behind the last that is left. */
static void check_run(run *all, checks *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < all->n; i++) {
        checks before = *c;
        make_surface_known_at(&all->surfaces[i], all->first);
        check_surface(c, &all->surfaces[i]);
        if (c->fails) {
            *c = before; /* what was made for it is dead */
            continue;
        }
        all->n_loads += !is_store(all->accesses[i]);
        all->accesses[n] = all->accesses[i];
        all->surfaces[n++] = all->surfaces[i];
    }
    all->n = n;
    if (n)
        all->last = kd_op_ancestor_in(all->accesses[n - 1], all->first->block);
}

/* Two versions are worth it where one of them loads most operands as rectangles. */
static bool is_worth_two(run *all)
{
    for (kd_op *op = all->first;; op = op->next) {
        visit_with_inner(op, count_operands, all);
        if (op == all->last)
            break;
    }
    return is_store(all->first) || 2 * all->n_loads > all->n_operands;
}

static void make_rectangle(selector *s, kd_op *op, const surface *f)
{
    if (is_store(op))
        kd_block_store_set_is_rectangle(op, true);
    else
        kd_block_load_set_is_rectangle(op, true);
    if (!f->moved)
        return;
    unsigned first = first_coord(op) + f->x_axis;
    kd_builder b = kd_builder_before(s->px->module, op);
    kd_value *moved = f->moved;
    if (f->x->type != moved->type)
        moved = kd_result(kd_build_cast(&b, (kd_cast_args){.loc = op->loc, .value = moved, .type = f->x->type}));
    kd_op_set_operand(op, 0, f->base);
    kd_op_set_operand(op, first, f->wide);
    kd_op_set_operand(op, first + 4, kd_result(kd_build_add(&b, (kd_add_args){.loc = op->loc, .a = f->x, .b = moved})));
}

static bool is_loop(const kd_op *op)
{
    return op->code == KD_OP_for || op->code == KD_OP_while;
}

/* In a loop nothing is checked for a single access. */
static bool may_begin(const kd_op *op)
{
    bool in_loop = false;
    for (const kd_op *at = op->block->parent; at; at = at->block ? at->block->parent : NULL)
        in_loop |= is_loop(at);
    return is_loop(op) || (is_access(op) && !in_loop);
}

static void select_in_block(selector *s, kd_block *block);

/* The rectangles of the ops from one on. False: there are none in it. *out_next: where to go on. */
static bool select_from(selector *s, kd_op *first, kd_op **out_next)
{
    run all;
    find_run(s, first, &all);
    checks c = {.s = s, .b = kd_builder_before(s->px->module, first), .loc = first->loc};
    check_run(&all, &c);
    if (!all.n)
        return false;
    if (c.all && !is_worth_two(&all))
        return true;
    s->changed = true;
    kd_op *choice = c.all ? kd_version_ops(s->px, first, all.last, c.all) : NULL; /* the copy is made before anything is marked */
    for (unsigned i = 0; i < all.n; i++)
        make_rectangle(s, all.accesses[i], &all.surfaces[i]);
    if (choice) {
        *out_next = choice->next;
        select_in_block(s, kd_op_region(choice, 0)); /* what was not known in front of it */
    }
    return true;
}

static void select_in_block(selector *s, kd_block *block)
{
    for (kd_op *op = block->first, *next; op; op = next) {
        next = op->next;
        if (may_begin(op) && select_from(s, op, &next))
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
