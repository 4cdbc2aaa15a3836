/* control.c - the walk over ops, and structured control flow as LLVM blocks.
 *
 * Loops are emitted with the test at the bottom (a guard before, the body, the test), so that what does not change can be hoisted in
 * front of the body. Counters of up to 32 bits count in 64: they cannot wrap. */
#include "targets/llvm/emit.h"

#include "base/bug.h"
#include "base/float.h"

static LLVMBasicBlockRef new_block(kd_emitter *e, const char *name)
{
    return LLVMAppendBasicBlockInContext(e->llvm, e->func, name);
}

static void emit_for(kd_emitter *e, const kd_op *op)
{
    const kd_block *body = kd_op_region(op, 0);
    const kd_type *type = kd_for_lower(op)->type;
    bool uns = kd_scalar_is_unsigned(type->scalar), narrow = kd_type_elem_bits(type) < 64;
    LLVMValueRef bounds[3];
    for (unsigned i = 0; i < 3; i++) {
        bounds[i] = kd_emit_get(e, kd_op_operand(op, i));
        if (narrow)
            bounds[i] = uns ? LLVMBuildZExt(e->b, bounds[i], e->i64, "") : LLVMBuildSExt(e->b, bounds[i], e->i64, "");
    }
    LLVMIntPredicate less = uns && !narrow ? LLVMIntULT : LLVMIntSLT;
    unsigned n = kd_for_n_inits(op);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), loop = new_block(e, "for"), exit = new_block(e, "end");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, less, bounds[0], bounds[1], ""), loop, exit);
    LLVMPositionBuilderAtEnd(e->b, loop);
    LLVMValueRef counter = LLVMBuildPhi(e->b, e->i64, ""), *carried = kd_arena_array(e->arena, LLVMValueRef, n);
    for (unsigned i = 0; i < n; i++) {
        carried[i] = LLVMBuildPhi(e->b, kd_emit_type(e, kd_op_result(op, i)->type), "");
        kd_emit_set(e, body->args[i + 1], carried[i]);
    }
    kd_emit_set(e, body->args[0], LLVMBuildTrunc(e->b, counter, kd_emit_type(e, type), ""));
    kd_emit_block(e, body);
    LLVMValueRef next = narrow ? LLVMBuildNSWAdd(e->b, counter, bounds[2], "") : LLVMBuildAdd(e->b, counter, bounds[2], "");
    LLVMValueRef more = LLVMBuildICmp(e->b, less, next, bounds[1], "");
    LLVMBasicBlockRef last = LLVMGetInsertBlock(e->b);
    LLVMBuildCondBr(e->b, more, loop, exit);
    LLVMAddIncoming(counter, (LLVMValueRef[]){bounds[0], next}, (LLVMBasicBlockRef[]){before, last}, 2);
    LLVMPositionBuilderAtEnd(e->b, exit);
    const kd_op *yield = kd_block_terminator(body);
    for (unsigned i = 0; i < n; i++) {
        LLVMValueRef values[] = {kd_emit_get(e, kd_for_inits(op, i)), kd_emit_get(e, kd_op_operand(yield, i))};
        LLVMBasicBlockRef from[] = {before, last};
        LLVMAddIncoming(carried[i], values, from, 2);
        LLVMValueRef result = LLVMBuildPhi(e->b, LLVMTypeOf(values[0]), "");
        LLVMAddIncoming(result, values, from, 2);
        kd_emit_set(e, kd_op_result(op, i), result);
    }
}

static void emit_while(kd_emitter *e, const kd_op *op)
{
    const kd_block *head = kd_op_region(op, 0), *body = kd_op_region(op, 1);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), test = new_block(e, "while"), loop = new_block(e, "do"), exit = new_block(e, "end");
    LLVMBuildBr(e->b, test);
    LLVMPositionBuilderAtEnd(e->b, test);
    LLVMValueRef *carried = kd_arena_array(e->arena, LLVMValueRef, head->n_args);
    for (unsigned i = 0; i < head->n_args; i++) {
        carried[i] = LLVMBuildPhi(e->b, kd_emit_type(e, head->args[i]->type), "");
        kd_emit_set(e, head->args[i], carried[i]);
    }
    kd_emit_block(e, head);
    const kd_op *condition = kd_block_terminator(head);
    LLVMBuildCondBr(e->b, kd_emit_get(e, kd_condition_condition(condition)), loop, exit);
    LLVMPositionBuilderAtEnd(e->b, loop);
    for (unsigned i = 0; i < body->n_args; i++)
        kd_emit_set(e, body->args[i], kd_emit_get(e, kd_condition_values(condition, i)));
    kd_emit_block(e, body);
    const kd_op *yield = kd_block_terminator(body);
    LLVMBasicBlockRef from[] = {before, LLVMGetInsertBlock(e->b)};
    LLVMBuildBr(e->b, test);
    for (unsigned i = 0; i < head->n_args; i++) {
        LLVMValueRef values[] = {kd_emit_get(e, kd_while_inits(op, i)), kd_emit_get(e, kd_op_operand(yield, i))};
        LLVMAddIncoming(carried[i], values, from, 2);
    }
    LLVMPositionBuilderAtEnd(e->b, exit);
    for (unsigned i = 0; i < op->n_results; i++)
        kd_emit_set(e, kd_op_result(op, i), kd_emit_get(e, kd_condition_values(condition, i)));
}

static void emit_if(kd_emitter *e, const kd_op *op)
{
    LLVMBasicBlockRef arms[2] = {new_block(e, "then"), new_block(e, "else")}, join = new_block(e, "end"), ends[2];
    LLVMBuildCondBr(e->b, kd_emit_get(e, kd_if_condition(op)), arms[0], arms[1]);
    for (unsigned arm = 0; arm < 2; arm++) {
        LLVMPositionBuilderAtEnd(e->b, arms[arm]);
        kd_emit_block(e, kd_op_region(op, arm));
        ends[arm] = LLVMGetInsertBlock(e->b);
        LLVMBuildBr(e->b, join);
    }
    LLVMPositionBuilderAtEnd(e->b, join);
    for (unsigned i = 0; i < op->n_results; i++) {
        LLVMValueRef values[2];
        for (unsigned arm = 0; arm < 2; arm++)
            values[arm] = kd_emit_get(e, kd_op_operand(kd_block_terminator(kd_op_region(op, arm)), i));
        LLVMValueRef phi = LLVMBuildPhi(e->b, LLVMTypeOf(values[0]), "");
        LLVMAddIncoming(phi, values, ends, 2);
        kd_emit_set(e, kd_op_result(op, i), phi);
    }
}

static LLVMValueRef constant(kd_emitter *e, const kd_op *op)
{
    const kd_type *type = kd_op_result(op, 0)->type;
    kd_number n = kd_constant_value(op);
    unsigned lanes = kd_emit_lanes(type);
    if (kd_type_is_ptr_like(type) || op->code == KD_OP_poison)
        return LLVMConstNull(kd_emit_type(e, type));
    kd_scalar s = kd_type_elem(type)->scalar;
    LLVMTypeRef elem = kd_emit_elem_type(e, type);
    if (!kd_scalar_is_float(s))
        return kd_emit_constant_of(kd_emit_type(e, type), n.is_float ? (uint64_t)(int64_t)n.f : (uint64_t)n.i);
    if (s == KD_F32 || s == KD_F64)
        return kd_emit_splat(e, LLVMConstReal(elem, n.is_float ? n.f : (double)n.i), lanes);
    return kd_emit_constant_of(kd_emit_type(e, type), kd_float_encode(n.is_float ? n.f : (double)n.i, s, KD_FLOAT_NEAREST_EVEN));
}

static void emit_op(kd_emitter *e, const kd_op *op)
{
    if (e->dialect->op(e, op))
        return;
    switch (op->code) {
    case KD_OP_for:
        emit_for(e, op);
        break;
    case KD_OP_while:
        emit_while(e, op);
        break;
    case KD_OP_if:
        emit_if(e, op);
        break;
    case KD_OP_constant:
    case KD_OP_poison:
        kd_emit_set(e, kd_op_result(op, 0), constant(e, op));
        break;
    case KD_OP_cast:
        kd_emit_cast(e, op);
        break;
    case KD_OP_bitcast:
        kd_emit_bitcast(e, op);
        break;
    case KD_OP_hint:
        kd_emit_set(e, kd_op_result(op, 0), kd_emit_get(e, kd_hint_value(op)));
        break;
    case KD_OP_assume:
        break;
    default:
        if (!kd_op_has(op, KD_PURE | KD_ELEMENTWISE))
            kd_bug_at(__FILE__, __LINE__, "%s has no form in machine code", kd_op_get_info(op)->mnemonic);
        kd_emit_arith(e, op);
        break;
    }
}

void kd_emit_block(kd_emitter *e, const kd_block *block)
{
    KD_FOREACH_OP (op, block)
        if (!kd_op_has(op, KD_TERMINATOR))
            emit_op(e, op);
}
