/* function.c - the entry function around a kernel's body (base/kernel_desc.h, kd_cpu_entry).
 *
 *     entry:  arguments from their struct, program ids of the first instance
 *     next:   the body for one instance, then the ids of the next (x fastest)
 *
 * A failed assert returns 1 from wherever it stands. */
#include "targets/llvm/emit.h"

#include "base/bug.h"

typedef struct entry_loop {
    LLVMBasicBlockRef start, body, done;
    LLVMValueRef linear, last, extent[2];
} entry_loop;

static LLVMValueRef load_at(kd_emitter *e, LLVMTypeRef type, LLVMValueRef base, uint64_t offset_bytes)
{
    LLVMValueRef offset = LLVMConstInt(e->i64, offset_bytes, false);
    return LLVMBuildLoad2(e->b, type, LLVMBuildInBoundsGEP2(e->b, e->i8, base, &offset, 1, ""), "");
}

static void load_args(kd_emitter *e, const kd_op *func, LLVMValueRef args, const uint32_t *offsets)
{
    const kd_block *body = kd_op_region(func, 0);
    for (unsigned i = 0; i < body->n_args; i++) {
        const kd_type *type = body->args[i]->type;
        LLVMTypeRef elem = kd_emit_elem_type(e, type);
        LLVMValueRef v = load_at(e, elem == e->i1 ? e->i8 : elem, args, offsets[i]);
        if (elem == e->i1)
            v = LLVMBuildICmp(e->b, LLVMIntNE, v, LLVMConstNull(e->i8), "");
        kd_emit_set(e, body->args[i], v);
    }
}

/* Program ids are i32, the linear id has 64 bits. Leaves the builder in the body's first block. */
static void begin_loop(kd_emitter *e, entry_loop *l, LLVMValueRef first)
{
    for (unsigned axis = 0; axis < 2; axis++)
        l->extent[axis] = load_at(e, e->i32, e->grid, 4 * axis);
    LLVMValueRef gx = LLVMBuildZExt(e->b, l->extent[0], e->i64, ""), gy = LLVMBuildZExt(e->b, l->extent[1], e->i64, "");
    LLVMValueRef row = LLVMBuildUDiv(e->b, first, gx, "");
    LLVMValueRef ids[3] = {LLVMBuildURem(e->b, first, gx, ""), LLVMBuildURem(e->b, row, gy, ""), LLVMBuildUDiv(e->b, row, gy, "")};
    for (unsigned axis = 0; axis < 3; axis++)
        ids[axis] = LLVMBuildTrunc(e->b, ids[axis], e->i32, "");
    LLVMBuildBr(e->b, l->body);
    l->start = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderAtEnd(e->b, l->body);
    l->linear = LLVMBuildPhi(e->b, e->i64, "");
    LLVMAddIncoming(l->linear, &first, &l->start, 1);
    for (unsigned axis = 0; axis < 3; axis++) {
        e->pid[axis] = LLVMBuildPhi(e->b, e->i32, "");
        LLVMAddIncoming(e->pid[axis], &ids[axis], &l->start, 1);
    }
}

static void end_loop(kd_emitter *e, entry_loop *l)
{
    LLVMValueRef one = LLVMConstInt(e->i32, 1, false), zero = LLVMConstInt(e->i32, 0, false), next[3];
    LLVMValueRef x = LLVMBuildAdd(e->b, e->pid[0], one, ""), wrap_x = LLVMBuildICmp(e->b, LLVMIntEQ, x, l->extent[0], "");
    next[0] = LLVMBuildSelect(e->b, wrap_x, zero, x, "");
    LLVMValueRef y = LLVMBuildAdd(e->b, e->pid[1], LLVMBuildZExt(e->b, wrap_x, e->i32, ""), "");
    LLVMValueRef wrap_y = LLVMBuildICmp(e->b, LLVMIntEQ, y, l->extent[1], "");
    next[1] = LLVMBuildSelect(e->b, wrap_y, zero, y, "");
    next[2] = LLVMBuildAdd(e->b, e->pid[2], LLVMBuildZExt(e->b, wrap_y, e->i32, ""), "");
    LLVMValueRef linear = LLVMBuildAdd(e->b, l->linear, LLVMConstInt(e->i64, 1, false), "");
    LLVMValueRef more = LLVMBuildICmp(e->b, LLVMIntULT, linear, l->last, "");
    LLVMBasicBlockRef from = LLVMGetInsertBlock(e->b);
    LLVMBuildCondBr(e->b, more, l->body, l->done);
    LLVMAddIncoming(l->linear, &linear, &from, 1);
    for (unsigned axis = 0; axis < 3; axis++)
        LLVMAddIncoming(e->pid[axis], &next[axis], &from, 1);
}

static void set_attribute(kd_emitter *e, const char *name, const char *value)
{
    LLVMAttributeRef a = LLVMCreateStringAttribute(e->llvm, name, (unsigned)strlen(name), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(e->func, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

static void set_attributes(kd_emitter *e)
{
    set_attribute(e, "target-cpu", e->machine->cpu);
    set_attribute(e, "target-features", e->machine->features);
    set_attribute(e, "prefer-vector-width", e->machine->vector_bytes == 64 ? "512" : e->machine->vector_bytes == 32 ? "256" : "128");
    set_attribute(e, "no-trapping-math", "true");
    const char *kinds[] = {"nounwind", "noalias"};
    unsigned kind = LLVMGetEnumAttributeKindForName(kinds[0], 8);
    LLVMAddAttributeAtIndex(e->func, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(e->llvm, kind, 0));
    kind = LLVMGetEnumAttributeKindForName(kinds[1], 7);
    LLVMAddAttributeAtIndex(e->func, 1, LLVMCreateEnumAttribute(e->llvm, kind, 0)); /* args: read only, nobody writes */
    LLVMAddAttributeAtIndex(e->func, 2, LLVMCreateEnumAttribute(e->llvm, kind, 0));
    LLVMAddAttributeAtIndex(e->func, 5, LLVMCreateEnumAttribute(e->llvm, kind, 0));
}

void kd_emit_entry(kd_emitter *e, const kd_op *func, const uint32_t *arg_offsets)
{
    kd_text text = kd_func_name(func);
    const char *name = kd_arena_strndup(e->arena, text.ptr, text.len);
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64, e->i64, e->ptr};
    e->func = LLVMAddFunction(e->module, name, LLVMFunctionType(e->i32, params, 5, false));
    set_attributes(e);
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(e->llvm, e->func, "entry");
    LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(e->llvm, e->func, "start");
    entry_loop l = {.body = LLVMAppendBasicBlockInContext(e->llvm, e->func, "next"), .last = LLVMGetParam(e->func, 3)};
    l.done = LLVMAppendBasicBlockInContext(e->llvm, e->func, "done");
    e->grid = LLVMGetParam(e->func, 1);
    e->scratch = LLVMGetParam(e->func, 4);
    LLVMPositionBuilderAtEnd(e->b, entry);
    LLVMValueRef first = LLVMGetParam(e->func, 2);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntULT, first, l.last, ""), start, l.done);
    LLVMPositionBuilderAtEnd(e->b, start);
    load_args(e, func, LLVMGetParam(e->func, 0), arg_offsets);
    begin_loop(e, &l, first);
    kd_emit_block(e, kd_op_region(func, 0));
    end_loop(e, &l);
    LLVMPositionBuilderAtEnd(e->b, l.done);
    LLVMBuildRet(e->b, LLVMConstInt(e->i32, 0, false));
}

/* ---- the CPU's own ops ---- */

static bool emit_own(kd_emitter *e, const kd_op *op)
{
    switch (op->code) {
    case KD_OP_program_id:
        kd_emit_set(e, kd_op_result(op, 0), e->pid[kd_program_id_axis(op)]);
        return true;
    case KD_OP_num_programs: {
        LLVMValueRef axis = LLVMConstInt(e->i64, (uint64_t)kd_num_programs_axis(op), false);
        LLVMValueRef place = LLVMBuildInBoundsGEP2(e->b, e->i32, e->grid, &axis, 1, "");
        kd_emit_set(e, kd_op_result(op, 0), LLVMBuildLoad2(e->b, e->i32, place, ""));
        return true;
    }
    case KD_OP_math:
        kd_emit_math(e, op);
        return true;
    case KD_OP_barrier:
        LLVMBuildFence(e->b, LLVMAtomicOrderingAcquireRelease, false, "");
        return true;
    case KD_OP_assert:
    case KD_OP_cpu_print:
        kd_emit_report(e, op);
        return true;
    case KD_OP_arange:
    case KD_OP_splat:
    case KD_OP_cpu_prefix:
    case KD_OP_cpu_half:
    case KD_OP_cpu_extract:
        kd_emit_lanes_op(e, op);
        return true;
    case KD_OP_cpu_transpose:
        kd_emit_transpose(e, op);
        return true;
    case KD_OP_cpu_buffer:
    case KD_OP_cpu_read:
    case KD_OP_cpu_write:
    case KD_OP_load:
    case KD_OP_cpu_load:
    case KD_OP_store:
    case KD_OP_cpu_store:
    case KD_OP_atomic:
    case KD_OP_atomic_cas:
        kd_emit_memory(e, op);
        return true;
    default:
        return false;
    }
}

const kd_emit_dialect kd_emit_dialect_cpu = {.op = emit_own, .has_f64 = true};
const kd_emit_dialect kd_emit_dialect_cpu_half = {.op = emit_own, .has_f64 = true, .has_half = true};
