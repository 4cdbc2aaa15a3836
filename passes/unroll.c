/* unroll.c - unroll loops as far as their author asks.
 *
 *     kd.for 0, 4, 1, %x {unroll = 2} { ^(%i, %a): body(%i, %a) }
 * ==>
 *     kd.for 0, 4, 2, %x { ^(%i, %a): body(%i, %a)  body(%i + 1, ...) }
 *
 * A loop whose iterations are at most as many as 'unroll' says becomes straight code. Else the number of iterations must be constant and a
 * multiple of 'unroll', so that no rest is needed; other loops stay as they are, which is what a hint may come to.
 * Fails:  where the module would get more than max_ops ops.
 * Leaves: no 'unroll' on loops that were unrolled. Cost: the size of the result. */
#include "ir/builder.h"
#include "passes/pass.h"
#include "passes/regions.h"

typedef struct unroller {
    kd_pass_ctx *px;
    unsigned n_ops; /* in the module */
    bool changed, failed;
} unroller;

static void count_op(kd_op *op, void *user)
{
    ++*(unsigned *)user;
}

static unsigned count_ops(kd_op *root)
{
    unsigned n = 0;
    kd_op_walk(root, count_op, &n);
    return n;
}

static bool has_room(unroller *u, kd_op *op, uint64_t n_copies)
{
    uint64_t n_more = (n_copies - 1) * count_ops(op);
    if (n_copies > u->px->max_ops || u->n_ops + n_more > u->px->max_ops) {
        kd_error(u->px->diags, op->loc, "with this loop unrolled, the code has more than %u operations", u->px->max_ops);
        u->failed = true;
        return false;
    }
    u->n_ops += (unsigned)n_more;
    return true;
}

/* Copies the body at the builder's place for one value of the counter; carried goes in and out. */
static void copy_body(unroller *u, kd_builder *b, const kd_op *op, kd_value *counter, kd_value **carried)
{
    const kd_block *body = op->regions[0];
    const kd_op *yield = kd_block_terminator(body);
    kd_value_map *map = kd_value_map_create(u->px->scratch);
    kd_value_map_set(map, body->args[0], counter);
    for (unsigned i = 0; i < op->n_results; i++)
        kd_value_map_set(map, body->args[1 + i], carried[i]);
    kd_clone_block_ops(b, body, map, false);
    for (unsigned i = 0; i < op->n_results; i++)
        carried[i] = kd_value_map_get(map, kd_op_operand(yield, i));
}

static kd_value **inits_of(unroller *u, const kd_op *op)
{
    kd_value **carried = kd_arena_array(u->px->scratch, kd_value *, op->n_results);
    for (unsigned i = 0; i < op->n_results; i++)
        carried[i] = kd_for_inits(op, i);
    return carried;
}

static void unroll_fully(unroller *u, kd_op *op, uint64_t n_trips)
{
    kd_value **carried = inits_of(u, op);
    int64_t lower = 0, step = 0;
    kd_value_constant_int(kd_for_lower(op), &lower);
    kd_value_constant_int(kd_for_step(op), &step);
    kd_builder b = kd_builder_before(u->px->module, op);
    for (uint64_t k = 0; k < n_trips; k++) {
        kd_value *counter = kd_build_int(&b, op->loc, kd_for_lower(op)->type, (int64_t)((uint64_t)lower + k * (uint64_t)step));
        copy_body(u, &b, op, counter, carried);
    }
    for (unsigned i = 0; i < op->n_results; i++)
        kd_value_replace_uses(kd_op_result(op, i), carried[i]);
    kd_op_erase(op);
}

/* A new loop with a wider step; its body is the old one several times. */
static void unroll_by(unroller *u, kd_op *op, uint64_t factor)
{
    kd_module *module = u->px->module;
    kd_builder b = kd_builder_before(module, op);
    const kd_type *type = kd_for_lower(op)->type;
    int64_t step = 0;
    kd_value_constant_int(kd_for_step(op), &step);
    kd_value *wide = kd_build_int(&b, op->loc, type, (int64_t)((uint64_t)step * factor));
    kd_value **carried = inits_of(u, op);
    const kd_type **types = kd_arena_array(u->px->scratch, const kd_type *, op->n_results);
    for (unsigned i = 0; i < op->n_results; i++)
        types[i] = op->results[i].type;
    kd_op *loop = kd_build_for(&b, (kd_for_args){.loc = op->loc, .lower = kd_for_lower(op), .upper = kd_for_upper(op), .step = wide, .inits = carried,
                                                 .n_inits = op->n_results, .types = types, .n_types = op->n_results,
                                                 .num_stages = kd_for_num_stages(op)});
    const kd_block *old = op->regions[0];
    kd_block *body = loop->regions[0];
    for (unsigned i = 0; i < old->n_args; i++)
        kd_block_add_arg(module, body, old->args[i]->type, old->args[i]->name);
    for (unsigned i = 0; i < op->n_results; i++) {
        carried[i] = body->args[1 + i];
        loop->results[i].name = op->results[i].name;
    }
    kd_builder inner = kd_builder_at_end(module, body);
    for (uint64_t k = 0; k < factor; k++) {
        kd_value *counter = body->args[0];
        if (k) {
            kd_value *ahead = kd_build_int(&inner, op->loc, type, (int64_t)((uint64_t)step * k));
            counter = kd_result(kd_build_add(&inner, (kd_add_args){.loc = op->loc, .a = counter, .b = ahead}));
        }
        copy_body(u, &inner, op, counter, carried);
    }
    kd_build_yield(&inner, (kd_yield_args){.loc = kd_block_terminator(old)->loc, .values = carried, .n_values = op->n_results});
    kd_op_replace(op, loop);
}

static bool has_wide_step(const kd_op *op, uint64_t factor)
{
    int64_t step = 0, wide;
    const kd_type *type = kd_for_step(op)->type;
    return kd_value_constant_int(kd_for_step(op), &step) && factor <= INT32_MAX && !__builtin_mul_overflow(step, (int64_t)factor, &wide) &&
           kd_number_wrap(type, wide) == wide;
}

static void visit_for(unroller *u, kd_op *op)
{
    uint64_t n_trips, factor = (uint64_t)kd_for_unroll(op);
    if (factor <= 1 || !kd_for_trip_count(op, &n_trips))
        return;
    if (n_trips > factor && (n_trips % factor != 0 || !has_wide_step(op, factor)))
        return;
    if (!has_room(u, op, n_trips <= factor ? n_trips ? n_trips : 1 : factor))
        return;
    if (n_trips <= factor)
        unroll_fully(u, op, n_trips);
    else
        unroll_by(u, op, factor);
    u->changed = true;
}

/* Inner loops first: their copies are unrolled already. */
static void visit_block(unroller *u, kd_block *block)
{
    KD_FOREACH_OP_SAFE (op, block) {
        for (unsigned r = 0; r < op->n_regions && !u->failed; r++)
            visit_block(u, op->regions[r]);
        if (op->code == KD_OP_for && !u->failed)
            visit_for(u, op);
    }
}

kd_pass_result kd_pass_unroll(kd_pass_ctx *px, kd_op *func)
{
    unroller u = {.px = px, .n_ops = count_ops(px->module->op)};
    visit_block(&u, func->regions[0]);
    return u.failed ? KD_PASS_FAILED : u.changed ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
