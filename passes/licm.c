/* licm.c - compute what does not change in a loop before it.
 *
 *     kd.for ... { ^(%i: i32):  %0 = kd.mul %n, %m : i32 ... }     ==>   %0 = kd.mul %n, %m : i32   kd.for ... { ... }
 *
 * Pure ops only: they cannot trap, so it does no harm that the loop may not run at all. Ops in a kd.if of the loop stay there. Inner loops
 * come first, so ops move out of all loops that they do not depend on.
 * Cost: one walk; each op moves once for each loop that it leaves. */
#include "ir/ir.h"
#include "passes/pass.h"

static bool is_defined_in(const kd_value *value, const kd_op *loop)
{
    const kd_block *home = value->def ? value->def->block : value->owner;
    for (; home; home = home->parent->block)
        if (home->parent == loop)
            return true;
    return false;
}

/* Whether the op, or an op in its regions, reads what the loop defines outside of the op. */
static bool reads_loop_values(const kd_op *op, const kd_op *loop, const kd_op *outermost)
{
    for (unsigned i = 0; i < op->n_operands; i++) {
        const kd_value *value = op->operands[i].value;
        if (value && is_defined_in(value, loop) && !(outermost != op && is_defined_in(value, outermost)))
            return true;
    }
    for (unsigned r = 0; r < op->n_regions; r++)
        KD_FOREACH_OP (inner, op->regions[r])
            if (reads_loop_values(inner, loop, outermost))
                return true;
    return false;
}

static bool hoist_from(kd_op *loop)
{
    bool changed = false;
    for (unsigned r = 0; r < loop->n_regions; r++)
        KD_FOREACH_OP_SAFE (op, loop->regions[r])
            if (kd_op_has(op, KD_PURE) && kd_op_is_pure(op) && !reads_loop_values(op, loop, op)) {
                kd_op_move_before(op, loop);
                changed = true;
            }
    return changed;
}

static bool visit_block(kd_block *block)
{
    bool changed = false;
    KD_FOREACH_OP (op, block) {
        for (unsigned r = 0; r < op->n_regions; r++)
            changed |= visit_block(op->regions[r]);
        if (op->code == KD_OP_for || op->code == KD_OP_while)
            changed |= hoist_from(op);
    }
    return changed;
}

kd_pass_result kd_pass_licm(kd_pass_ctx *px, kd_op *func)
{
    return visit_block(func->regions[0]) ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
