/* layout_rules.c - see layout_rules.h. */
#include "ir/layout_rules.h"

/* What was joined to this; NULL: the pairs do not lie in register bit 0 alone. */
static const kd_layout *unjoined(kd_context *ctx, const kd_layout *joined)
{
    kd_layout l = *joined;
    if (!l.n_bits[KD_REGISTER] || l.basis[KD_REGISTER][0] != 1)
        return NULL;
    l.n_bits[KD_REGISTER]--;
    l.n_out_bits--;
    for (unsigned i = 0; i < l.n_bits[KD_REGISTER]; i++)
        l.basis[KD_REGISTER][i] = l.basis[KD_REGISTER][i + 1];
    l.basis[KD_REGISTER][l.n_bits[KD_REGISTER]] = 0;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l.n_bits[in]; i++) {
            if (l.basis[in][i] & 1)
                return NULL;
            l.basis[in][i] >>= 1;
        }
    return kd_layout_intern(ctx, &l);
}

static const kd_layout *permuted_back(kd_context *ctx, const kd_op *op, const kd_layout *result)
{
    kd_ints order = kd_permute_order(op);
    int64_t inverse[KD_MAX_RANK];
    for (unsigned i = 0; i < order.n; i++)
        inverse[order.data[i]] = i;
    return kd_layout_permute(ctx, result, op->results[0].type, inverse);
}

bool kd_layout_of_operand(kd_context *ctx, const kd_op *op, unsigned i, const kd_layout *result, const kd_layout **out)
{
    *out = NULL;
    switch (op->code) {
    case KD_OP_hint:
    case KD_OP_reshape:
    case KD_OP_scan: *out = result; return true;
    case KD_OP_permute: *out = permuted_back(ctx, op, result); return true;
    case KD_OP_broadcast:
        *out = kd_layout_for_broadcast(ctx, result, op->results[0].type, kd_broadcast_tile(op)->type);
        return true;
    case KD_OP_join: *out = unjoined(ctx, result); return *out != NULL;
    case KD_OP_split: *out = result ? kd_layout_join(ctx, result) : NULL; return true;
    case KD_OP_sort: *out = op->results[0].type->n_elems == kd_sort_tile(op)->type->n_elems ? result : NULL; return true;
    case KD_OP_gather: *out = i == 1 ? result : NULL; return true;
    case KD_OP_dot: *out = i == 2 ? result : NULL; return true;
    case KD_OP_histogram: return true;
    default:
        if (kd_op_has(op, KD_ELEMENTWISE) && op->code != KD_OP_gpu_convert_layout)
            *out = result;
        return true;
    }
}

const kd_layout *kd_layout_of_result(kd_context *ctx, const kd_op *op, unsigned i, const kd_layout *operand)
{
    switch (op->code) {
    case KD_OP_hint:
    case KD_OP_reshape:
    case KD_OP_scan: return operand;
    case KD_OP_permute: return kd_layout_permute(ctx, operand, kd_permute_tile(op)->type, kd_permute_order(op).data);
    case KD_OP_join: return kd_layout_join(ctx, operand);
    case KD_OP_split: return unjoined(ctx, operand);
    case KD_OP_reduce: return kd_layout_slice(ctx, operand, op->operands[i].value->type, (unsigned)kd_reduce_axis(op));
    case KD_OP_sort: return op->results[0].type->n_elems == kd_sort_tile(op)->type->n_elems ? operand : NULL;
    case KD_OP_gather: return i == 1 ? operand : NULL;
    case KD_OP_dot: return i == 2 ? operand : NULL;
    default: return kd_op_has(op, KD_ELEMENTWISE) && op->code != KD_OP_gpu_convert_layout ? operand : NULL;
    }
}
