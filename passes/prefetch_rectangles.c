/* prefetch_rectangles.c - bring what a loop loads as rectangles into the cache, num_stages iterations ahead.
 *
 *     kd.for %i ... {                                      gpu.prefetch of the first num_stages blocks
 *       %a = kd.block_load %p, .., %i {is_rectangle}  ==>  kd.for %i ... {
 *                                                            %ahead = %i + num_stages * step
 *                                                            gpu.prefetch %p, .., %ahead
 *                                                            %a = kd.block_load %p, .., %i {is_rectangle}
 *
 * Needs:   offsets that grow by the same number in each iteration: the counter, carried sums, and what adds, casts and products make of them.
 * Effect:  blocks beyond the tensor are asked for at the end; hardware drops what lies outside. */
#include "ir/builder.h"
#include "passes/gpu_config.h"
#include "passes/pass.h"

enum { MAX_DEPTH = 8 };

typedef struct prefetcher {
    kd_pass_ctx *px;
    kd_op *loop;
    kd_builder before; /* the loop */
    kd_loc loc;
    bool changed;
} prefetcher;

static bool is_outside(const prefetcher *p, const kd_value *v)
{
    const kd_op *at = v->def ? v->def : v->owner->parent;
    return at != p->loop && !kd_op_is_inside(at, p->loop);
}

/* Position among the arguments of the loop's region; 0: the counter. -1: it is none. */
static int argument_of(const prefetcher *p, const kd_value *v)
{
    return v->owner == kd_op_region(p->loop, 0) ? (int)v->index : -1;
}

static kd_value *binary(prefetcher *p, kd_opcode code, kd_value *a, kd_value *b)
{
    kd_value *operands[] = {a, b};
    return kd_result(kd_build_op(&p->before, code, p->loc, operands, 2, &a->type, 1, NULL));
}

static kd_value *cast_to(prefetcher *p, kd_value *v, const kd_type *type)
{
    return v->type == type ? v : kd_result(kd_build_cast(&p->before, (kd_cast_args){.loc = p->loc, .value = v, .type = type}));
}

/* By how much v grows in an iteration, computed before the loop; NULL in *out: not at all. False: not known. */
static bool growth(prefetcher *p, kd_value *v, unsigned depth, kd_value **out)
{
    kd_value *a, *b;
    *out = NULL;
    if (is_outside(p, v))
        return true;
    if (!depth)
        return false;
    int arg = argument_of(p, v);
    if (arg == 0) {
        *out = kd_for_step(p->loop);
        return true;
    }
    if (arg > 0) {
        const kd_op *sum = kd_value_def_as(kd_op_operand(kd_block_terminator(kd_op_region(p->loop, 0)), (unsigned)arg - 1), KD_OP_add);
        for (unsigned i = 0; sum && i < 2; i++)
            if (kd_op_operand(sum, i) == v && is_outside(p, kd_op_operand(sum, 1 - i))) {
                *out = kd_op_operand(sum, 1 - i);
                return true;
            }
        return false;
    }
    if (!v->def)
        return false;
    switch (v->def->code) {
    case KD_OP_cast:
        if (!kd_type_is_int_like(kd_cast_value(v->def)->type) || !growth(p, kd_cast_value(v->def), depth - 1, &a))
            return false;
        *out = a ? cast_to(p, a, v->type) : NULL;
        return true;
    case KD_OP_add:
        if (!growth(p, kd_add_a(v->def), depth - 1, &a) || !growth(p, kd_add_b(v->def), depth - 1, &b))
            return false;
        *out = a && b ? binary(p, KD_OP_add, a, b) : a ? a : b;
        return true;
    case KD_OP_mul:
        for (unsigned i = 0; i < 2; i++)
            if (is_outside(p, kd_op_operand(v->def, 1 - i)) && growth(p, kd_op_operand(v->def, i), depth - 1, &a)) {
                *out = a ? binary(p, KD_OP_mul, a, kd_op_operand(v->def, 1 - i)) : NULL;
                return true;
            }
        return false;
    default:
        return false;
    }
}

/* v in the first iteration; growth(v) is known. */
static kd_value *at_start(prefetcher *p, kd_value *v)
{
    int arg = argument_of(p, v);
    if (is_outside(p, v))
        return v;
    if (arg >= 0)
        return arg ? kd_for_inits(p->loop, (unsigned)arg - 1) : kd_for_lower(p->loop);
    if (v->def->code == KD_OP_cast)
        return cast_to(p, at_start(p, kd_cast_value(v->def)), v->type);
    return binary(p, v->def->code, at_start(p, kd_op_operand(v->def, 0)), at_start(p, kd_op_operand(v->def, 1)));
}

static void build(kd_builder *b, const kd_op *load, kd_value *const *coords)
{
    const kd_type *type = load->results[0].type;
    kd_build_gpu_prefetch(b, (kd_gpu_prefetch_args){.loc = load->loc, .base = kd_block_load_base(load), .coords = coords,
                                                    .n_coords = kd_block_load_n_coords(load), .shape = {type->shape, type->rank}});
}

/* n iterations on from a value that grows. */
static kd_value *ahead(prefetcher *p, kd_builder *b, kd_value *v, kd_value *step, unsigned n)
{
    if (!step || !n)
        return v;
    kd_value *way = n == 1 ? step : binary(p, KD_OP_mul, step, kd_build_int(&p->before, p->loc, step->type, n));
    return kd_result(kd_build_add(b, (kd_add_args){.loc = p->loc, .a = v, .b = way}));
}

static void prefetch(prefetcher *p, kd_op *load, unsigned n_stages)
{
    unsigned n = kd_block_load_n_coords(load), rank = n / 3;
    kd_value **coords = kd_arena_array(p->px->scratch, kd_value *, n), *steps[2];
    bool moves = false;
    for (unsigned i = 0; i < n; i++)
        coords[i] = kd_block_load_coords(load, i);
    for (unsigned i = 0; i < 2 * rank; i++)
        if (!is_outside(p, coords[i]))
            return;
    p->changed = true; /* also by what is computed in vain */
    for (unsigned i = 0; i < rank; i++) {
        if (!growth(p, coords[2 * rank + i], MAX_DEPTH, &steps[i]))
            return;
        moves |= steps[i] != NULL;
    }
    if (!moves || !is_outside(p, kd_block_load_base(load)))
        return;
    kd_value *first[2];
    for (unsigned i = 0; i < rank; i++)
        first[i] = at_start(p, kd_block_load_coords(load, 2 * rank + i));
    for (unsigned stage = 0; stage < n_stages; stage++) {
        for (unsigned i = 0; i < rank; i++)
            coords[2 * rank + i] = ahead(p, &p->before, first[i], steps[i], stage);
        build(&p->before, load, coords);
    }
    kd_builder inside = kd_builder_before(p->px->module, load);
    for (unsigned i = 0; i < rank; i++)
        coords[2 * rank + i] = ahead(p, &inside, kd_block_load_coords(load, 2 * rank + i), steps[i], n_stages);
    build(&inside, load, coords);
}

static void visit(kd_op *op, void *user)
{
    prefetcher *p = user;
    if (op->code != KD_OP_for)
        return;
    p->loop = op;
    p->before = kd_builder_before(p->px->module, op);
    p->loc = op->loc;
    int64_t asked = kd_for_num_stages(op) ? kd_for_num_stages(op) : p->px->gpu->num_stages;
    KD_FOREACH_OP_SAFE (load, kd_op_region(op, 0))
        if (asked > 1 && load->code == KD_OP_block_load && kd_block_load_is_rectangle(load) && kd_block_load_n_coords(load) == 6)
            prefetch(p, load, (unsigned)asked);
}

kd_pass_result kd_pass_prefetch_rectangles(kd_pass_ctx *px, kd_op *func)
{
    prefetcher p = {.px = px};
    if (px->gpu)
        kd_op_walk(func, visit, &p);
    return p.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
