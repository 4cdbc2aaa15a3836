/* regions.c - see regions.h. */
#include "passes/regions.h"
#include "base/bug.h"

void kd_block_splice_before(kd_block *block, kd_op *anchor)
{
    const kd_op *end = kd_block_terminator(block);
    KD_FOREACH_OP_SAFE (op, block)
        if (op != end)
            kd_op_move_before(op, anchor);
}

/* The op with fewer results: those that stay keep their readers. */
static kd_op *drop_results(kd_module *module, kd_op *op, const bool *drop)
{
    const kd_type **types = kd_arena_array(module->arena, const kd_type *, op->n_results);
    unsigned n = 0;
    for (unsigned i = 0; i < op->n_results; i++) {
        if (drop[i]) {
            KD_ASSERT(!kd_value_has_uses(kd_op_result(op, i)));
            continue;
        }
        if (n != i) { /* result n has no readers left: it was dropped, or its readers moved on */
            kd_value_replace_uses(kd_op_result(op, i), kd_op_result(op, n));
            op->results[n].name = op->results[i].name;
        }
        types[n++] = op->results[i].type;
    }
    return n == op->n_results ? op : kd_op_with_results(module, op, types, n);
}

static void drop_operands(kd_op *op, unsigned from, const bool *drop)
{
    for (unsigned i = op->n_operands; i-- > from;)
        if (drop[i - from])
            kd_op_remove_operand(op, i);
}

static void drop_args(kd_block *block, unsigned from, const bool *drop)
{
    for (unsigned i = block->n_args; i-- > from;)
        if (drop[i - from])
            kd_block_remove_arg(block, i);
}

kd_op *kd_for_drop_carried(kd_module *module, kd_op *op, const bool *drop)
{
    kd_block *body = op->regions[0];
    drop_operands(kd_block_terminator(body), 0, drop);
    drop_args(body, 1, drop);
    drop_operands(op, 3, drop);
    return drop_results(module, op, drop);
}

kd_op *kd_if_drop_results(kd_module *module, kd_op *op, const bool *drop)
{
    for (unsigned r = 0; r < 2; r++)
        drop_operands(kd_block_terminator(op->regions[r]), 0, drop);
    return drop_results(module, op, drop);
}

kd_op *kd_while_drop(kd_module *module, kd_op *op, const bool *drop_carried, const bool *drop_results_)
{
    drop_operands(kd_block_terminator(op->regions[0]), 1, drop_results_);
    drop_operands(kd_block_terminator(op->regions[1]), 0, drop_carried);
    drop_args(op->regions[0], 0, drop_carried);
    drop_args(op->regions[1], 0, drop_results_);
    drop_operands(op, 0, drop_carried);
    return drop_results(module, op, drop_results_);
}

__extension__ typedef __int128 int128;

bool kd_for_trip_count(const kd_op *op, uint64_t *out)
{
    int64_t lower, upper, step;
    if (!kd_value_constant_int(kd_for_lower(op), &lower) || !kd_value_constant_int(kd_for_upper(op), &upper) ||
        !kd_value_constant_int(kd_for_step(op), &step))
        return false;
    bool is_unsigned = kd_scalar_is_unsigned(kd_for_lower(op)->type->scalar);
    int128 from = is_unsigned ? (int128)(uint64_t)lower : lower, to = is_unsigned ? (int128)(uint64_t)upper : upper;
    int128 by = is_unsigned ? (int128)(uint64_t)step : step;
    if (by <= 0)
        return false;
    *out = from >= to ? 0 : (uint64_t)((to - from + by - 1) / by);
    return true;
}
