/* arith.c - arithmetic, comparison and selection on scalars and vectors.
 *
 * Nothing here may trap or make poison that reaches control flow: divisors are guarded, shift amounts masked. */
#include "targets/llvm/emit.h"

#include "base/bug.h"

static bool is_float(const kd_value *v)
{
    return kd_type_is_float_like(v->type);
}

static bool is_unsigned(const kd_value *v)
{
    const kd_type *elem = kd_type_elem(v->type);
    return elem->kind == KD_TYPE_PTR || kd_scalar_is_unsigned(elem->scalar);
}

/* Integers of up to 32 bits divide exactly in f64: vectors have no integer division. */
static LLVMValueRef vector_divide(kd_emitter *e, LLVMValueRef a, LLVMValueRef b, bool uns, unsigned bits)
{
    LLVMTypeRef f = kd_emit_like(a, bits <= 16 ? e->f32 : e->f64), type = LLVMTypeOf(a), wide = kd_emit_like(a, bits <= 16 ? e->i32 : e->i64);
    LLVMValueRef x = uns ? LLVMBuildUIToFP(e->b, a, f, "") : LLVMBuildSIToFP(e->b, a, f, "");
    LLVMValueRef y = uns ? LLVMBuildUIToFP(e->b, b, f, "") : LLVMBuildSIToFP(e->b, b, f, "");
    LLVMValueRef q = LLVMBuildFDiv(e->b, x, y, "");
    bool direct = bits == 32 && !uns;
    q = LLVMBuildFPToSI(e->b, q, direct ? type : wide, "");
    q = LLVMBuildFreeze(e->b, q, "");
    return direct ? q : LLVMBuildTrunc(e->b, q, type, "");
}

static bool is_safe_constant(LLVMValueRef v)
{
    if (LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind) {
        if (!LLVMIsConstant(v) || !LLVMIsAConstantDataVector(v))
            return false;
        v = LLVMGetAggregateElement(v, 0); /* all lanes of ours are equal */
    }
    return LLVMIsAConstantInt(v) && !LLVMIsNull(v) && LLVMConstIntGetSExtValue(v) != -1;
}

static LLVMValueRef int_divide(kd_emitter *e, const kd_op *op, LLVMValueRef a, LLVMValueRef b, bool rem)
{
    bool uns = is_unsigned(kd_op_operand(op, 0));
    unsigned bits = kd_type_elem_bits(kd_op_operand(op, 0)->type);
    LLVMTypeRef elem = kd_emit_elem_type(e, kd_op_operand(op, 0)->type);
    bool safe = is_safe_constant(b);
    if (!safe && bits > 1 && bits <= 32 && kd_emit_lanes(kd_op_operand(op, 0)->type)) {
        LLVMValueRef q = vector_divide(e, a, b, uns, bits);
        return rem ? LLVMBuildSub(e->b, a, LLVMBuildMul(e->b, q, b, ""), "") : q;
    }
    if (!safe) {
        LLVMValueRef bad = LLVMBuildICmp(e->b, LLVMIntEQ, b, kd_emit_int_like(b, elem, 0), "");
        if (!uns) {
            LLVMValueRef least = LLVMBuildICmp(e->b, LLVMIntEQ, a, kd_emit_int_like(a, elem, 1ull << (bits - 1)), "");
            LLVMValueRef minus = LLVMBuildICmp(e->b, LLVMIntEQ, b, kd_emit_int_like(b, elem, ~0ull), "");
            bad = LLVMBuildOr(e->b, bad, LLVMBuildAnd(e->b, least, minus, ""), "");
        }
        b = LLVMBuildSelect(e->b, bad, kd_emit_int_like(b, elem, 1), b, "");
    }
    if (rem)
        return uns ? LLVMBuildURem(e->b, a, b, "") : LLVMBuildSRem(e->b, a, b, "");
    return uns ? LLVMBuildUDiv(e->b, a, b, "") : LLVMBuildSDiv(e->b, a, b, "");
}

static LLVMValueRef emit_mulhi(kd_emitter *e, LLVMValueRef a, LLVMValueRef b, bool uns, unsigned bits)
{
    LLVMTypeRef wide = kd_emit_like(a, LLVMIntTypeInContext(e->llvm, 2 * bits));
    LLVMValueRef x = uns ? LLVMBuildZExt(e->b, a, wide, "") : LLVMBuildSExt(e->b, a, wide, "");
    LLVMValueRef y = uns ? LLVMBuildZExt(e->b, b, wide, "") : LLVMBuildSExt(e->b, b, wide, "");
    LLVMValueRef product = LLVMBuildLShr(e->b, LLVMBuildMul(e->b, x, y, ""), kd_emit_constant_of(wide, bits), "");
    return LLVMBuildTrunc(e->b, product, LLVMTypeOf(a), "");
}

static LLVMValueRef emit_min_max(kd_emitter *e, const kd_op *op, LLVMValueRef a, LLVMValueRef b)
{
    bool is_max = op->code == KD_OP_max, propagate = is_max ? kd_max_propagate_nan(op) : kd_min_propagate_nan(op);
    if (is_float(kd_op_operand(op, 0))) {
        LLVMTypeRef type = LLVMTypeOf(a);
        const char *name = propagate ? (is_max ? "llvm.maximum" : "llvm.minimum") : (is_max ? "llvm.maxnum" : "llvm.minnum");
        return kd_emit_intrinsic(e, name, &type, 1, (LLVMValueRef[]){a, b}, 2);
    }
    bool uns = is_unsigned(kd_op_operand(op, 0));
    LLVMIntPredicate pred = is_max ? (uns ? LLVMIntUGT : LLVMIntSGT) : (uns ? LLVMIntULT : LLVMIntSLT);
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, pred, a, b, ""), a, b, "");
}

static LLVMValueRef emit_cmp(kd_emitter *e, const kd_op *op, LLVMValueRef a, LLVMValueRef b)
{
    static const LLVMRealPredicate reals[] = {[KD_PRED_EQ] = LLVMRealOEQ, [KD_PRED_NE] = LLVMRealUNE, [KD_PRED_LT] = LLVMRealOLT,
                                              [KD_PRED_LE] = LLVMRealOLE, [KD_PRED_GT] = LLVMRealOGT, [KD_PRED_GE] = LLVMRealOGE};
    static const LLVMIntPredicate ints[] = {[KD_PRED_EQ] = LLVMIntEQ,  [KD_PRED_NE] = LLVMIntNE,  [KD_PRED_LT] = LLVMIntSLT,
                                            [KD_PRED_LE] = LLVMIntSLE, [KD_PRED_GT] = LLVMIntSGT, [KD_PRED_GE] = LLVMIntSGE};
    static const LLVMIntPredicate uints[] = {[KD_PRED_EQ] = LLVMIntEQ,  [KD_PRED_NE] = LLVMIntNE,  [KD_PRED_LT] = LLVMIntULT,
                                             [KD_PRED_LE] = LLVMIntULE, [KD_PRED_GT] = LLVMIntUGT, [KD_PRED_GE] = LLVMIntUGE};
    kd_pred pred = kd_cmp_pred(op);
    if (is_float(kd_op_operand(op, 0)))
        return LLVMBuildFCmp(e->b, reals[pred], a, b, "");
    return LLVMBuildICmp(e->b, is_unsigned(kd_op_operand(op, 0)) ? uints[pred] : ints[pred], a, b, "");
}

static LLVMValueRef emit_abs(kd_emitter *e, const kd_op *op, LLVMValueRef a)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    if (is_float(kd_op_operand(op, 0)))
        return kd_emit_intrinsic(e, "llvm.fabs", &type, 1, &a, 1);
    if (is_unsigned(kd_op_operand(op, 0)))
        return a;
    LLVMValueRef negative = LLVMBuildICmp(e->b, LLVMIntSLT, a, LLVMConstNull(type), "");
    return LLVMBuildSelect(e->b, negative, LLVMBuildNeg(e->b, a, ""), a, "");
}

static LLVMValueRef emit_addptr(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef ptr = kd_emit_get(e, kd_addptr_ptr(op)), offset = kd_emit_get(e, kd_addptr_offset(op));
    LLVMTypeRef wide = kd_emit_like(offset, e->i64);
    unsigned bits = kd_type_elem_bits(kd_addptr_offset(op)->type);
    if (bits < 64)
        offset = is_unsigned(kd_addptr_offset(op)) ? LLVMBuildZExt(e->b, offset, wide, "") : LLVMBuildSExt(e->b, offset, wide, "");
    const kd_type *pointee = kd_type_elem(kd_addptr_ptr(op)->type)->elem;
    LLVMTypeRef unit = pointee->kind == KD_TYPE_PTR ? e->i64 : LLVMIntTypeInContext(e->llvm, 8 * kd_scalar_bytes(pointee->scalar));
    return LLVMBuildGEP2(e->b, unit, ptr, &offset, 1, "");
}

static LLVMValueRef emit_binary(kd_emitter *e, const kd_op *op, LLVMValueRef a, LLVMValueRef b)
{
    bool f = is_float(kd_op_operand(op, 0)), uns = is_unsigned(kd_op_operand(op, 0));
    unsigned bits = kd_type_elem_bits(kd_op_operand(op, 0)->type);
    LLVMTypeRef elem = kd_emit_elem_type(e, kd_op_operand(op, 0)->type);
    switch (op->code) {
    case KD_OP_add:
        return f ? LLVMBuildFAdd(e->b, a, b, "") : LLVMBuildAdd(e->b, a, b, "");
    case KD_OP_sub:
        return f ? LLVMBuildFSub(e->b, a, b, "") : LLVMBuildSub(e->b, a, b, "");
    case KD_OP_mul:
        return f ? LLVMBuildFMul(e->b, a, b, "") : LLVMBuildMul(e->b, a, b, "");
    case KD_OP_div:
        return f ? LLVMBuildFDiv(e->b, a, b, "") : int_divide(e, op, a, b, false);
    case KD_OP_rem:
        return f ? LLVMBuildFRem(e->b, a, b, "") : int_divide(e, op, a, b, true);
    case KD_OP_and:
        return LLVMBuildAnd(e->b, a, b, "");
    case KD_OP_or:
        return LLVMBuildOr(e->b, a, b, "");
    case KD_OP_xor:
        return LLVMBuildXor(e->b, a, b, "");
    case KD_OP_shl:
        return LLVMBuildShl(e->b, a, LLVMBuildAnd(e->b, b, kd_emit_int_like(b, elem, bits - 1), ""), "");
    case KD_OP_shr:
        b = LLVMBuildAnd(e->b, b, kd_emit_int_like(b, elem, bits - 1), "");
        return uns ? LLVMBuildLShr(e->b, a, b, "") : LLVMBuildAShr(e->b, a, b, "");
    case KD_OP_mulhi:
        return emit_mulhi(e, a, b, uns, bits);
    case KD_OP_min:
    case KD_OP_max:
        return emit_min_max(e, op, a, b);
    case KD_OP_cmp:
        return emit_cmp(e, op, a, b);
    default:
        KD_UNREACHABLE();
    }
}

void kd_emit_arith(kd_emitter *e, const kd_op *op)
{
    LLVMValueRef v;
    switch (op->code) {
    case KD_OP_neg: {
        LLVMValueRef a = kd_emit_get(e, kd_neg_a(op));
        v = is_float(kd_neg_a(op)) ? LLVMBuildFNeg(e->b, a, "") : LLVMBuildNeg(e->b, a, "");
        break;
    }
    case KD_OP_abs:
        v = emit_abs(e, op, kd_emit_get(e, kd_abs_a(op)));
        break;
    case KD_OP_fma: {
        LLVMValueRef args[3] = {kd_emit_get(e, kd_fma_a(op)), kd_emit_get(e, kd_fma_b(op)), kd_emit_get(e, kd_fma_c(op))};
        LLVMTypeRef type = LLVMTypeOf(args[0]);
        v = kd_emit_intrinsic(e, "llvm.fma", &type, 1, args, 3);
        break;
    }
    case KD_OP_select:
        v = LLVMBuildSelect(e->b, kd_emit_get(e, kd_select_condition(op)), kd_emit_get(e, kd_select_a(op)), kd_emit_get(e, kd_select_b(op)), "");
        break;
    case KD_OP_addptr:
        v = emit_addptr(e, op);
        break;
    default:
        v = emit_binary(e, op, kd_emit_get(e, kd_op_operand(op, 0)), kd_emit_get(e, kd_op_operand(op, 1)));
        break;
    }
    kd_emit_set(e, kd_op_result(op, 0), v);
}
