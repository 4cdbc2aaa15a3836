/* fold_add_into_dot.c - let a dot start from the tile that is added to it.
 *
 *     %d = kd.dot %a, %b, 0
 *     %s = kd.add %d, %c          ==>   %s = kd.dot %a, %b, %c
 *
 * On a GPU the product then needs no registers beside those of %c: attention keeps one accumulator where it had two.
 *
 * Needs:   %d has no other reader, else the product would be computed twice; sums in f32, f64 or integers.
 * Effect:  the sum starts from %c, so rounding may differ; LANGUAGE.md allows this for dot.
 * Leaves:  the old dot, dead, for dce.   Cost: one walk over the ops. */
#include "ir/builder.h"
#include "passes/pass.h"

static bool is_narrow_float(const kd_type *type)
{
    return kd_type_is_float_like(type) && kd_type_elem_bits(type) < 32;
}

static bool is_zero(const kd_value *value)
{
    kd_number number;
    if (!kd_value_constant(value, &number))
        return false;
    return kd_type_is_float_like(value->type) ? number.f == 0 : number.i == 0;
}

/* In the same block: a dot does not move into a loop, or where it may not run. */
static bool fold_add(kd_pass_ctx *px, kd_op *add)
{
    for (unsigned i = 0; i < 2; i++) { /* add commutes: try both sides */
        kd_value *product = kd_op_operand(add, i);
        kd_op *dot = kd_value_def_as(product, KD_OP_dot);
        if (!dot || dot->block != add->block || !kd_value_has_one_use(product) || is_narrow_float(product->type) || !is_zero(kd_dot_acc(dot)))
            continue;
        kd_builder b = kd_builder_before(px->module, add); /* %a, %b and %c all dominate this point */
        kd_op *sum = kd_build_dot(&b, (kd_dot_args){.loc = dot->loc,
                                                    .a = kd_dot_a(dot),
                                                    .b = kd_dot_b(dot),
                                                    .acc = kd_op_operand(add, 1 - i),
                                                    .precision = kd_dot_precision(dot)});
        sum->results[0].name = add->results[0].name;
        kd_op_replace_value(add, &sum->results[0]);
        return true;
    }
    return false;
}

static bool visit_block(kd_pass_ctx *px, kd_block *block)
{
    bool changed = false;
    KD_FOREACH_OP_SAFE (op, block) {
        for (unsigned r = 0; r < op->n_regions; r++)
            changed |= visit_block(px, op->regions[r]);
        if (op->code == KD_OP_add)
            changed |= fold_add(px, op);
    }
    return changed;
}

kd_pass_result kd_pass_fold_add_into_dot(kd_pass_ctx *px, kd_op *func)
{
    return visit_block(px, func->regions[0]) ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
