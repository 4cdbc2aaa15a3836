/* access.c - what memory accesses of all targets are made of: elements as they lie in memory, code under a mask, attempts until one works. */
#include "targets/llvm/emit.h"

LLVMTypeRef kd_emit_memory_elem(const kd_emitter *e, const kd_type *type)
{
    LLVMTypeRef elem = kd_emit_elem_type(e, type);
    return elem == e->i1 ? e->i8 : elem;
}

unsigned kd_emit_elem_bytes(const kd_type *type)
{
    const kd_type *elem = kd_type_elem(type);
    return elem->kind == KD_TYPE_PTR ? 8 : kd_scalar_bytes(elem->scalar);
}

LLVMValueRef kd_emit_to_register(kd_emitter *e, LLVMValueRef v, const kd_type *type)
{
    return kd_type_is_bool_like(type) ? LLVMBuildICmp(e->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "") : v;
}

LLVMValueRef kd_emit_to_memory(kd_emitter *e, LLVMValueRef v, const kd_type *type)
{
    return kd_type_is_bool_like(type) ? LLVMBuildZExt(e->b, v, kd_emit_like(v, e->i8), "") : v;
}

LLVMValueRef kd_emit_plain_load(kd_emitter *e, LLVMTypeRef type, LLVMValueRef ptr, unsigned align, bool is_volatile)
{
    LLVMValueRef v = LLVMBuildLoad2(e->b, type, ptr, "");
    LLVMSetAlignment(v, align);
    LLVMSetVolatile(v, is_volatile);
    return v;
}

LLVMValueRef kd_emit_plain_store(kd_emitter *e, LLVMValueRef value, LLVMValueRef ptr, unsigned align)
{
    LLVMValueRef store = LLVMBuildStore(e->b, value, ptr);
    LLVMSetAlignment(store, align);
    return store;
}

kd_emit_guard kd_emit_guard_begin(kd_emitter *e, LLVMValueRef mask)
{
    kd_emit_guard g = {.before = LLVMGetInsertBlock(e->b)};
    if (!mask)
        return g;
    LLVMBasicBlockRef then = LLVMAppendBasicBlockInContext(e->llvm, e->func, "on");
    g.join = LLVMAppendBasicBlockInContext(e->llvm, e->func, "");
    LLVMBuildCondBr(e->b, mask, then, g.join);
    LLVMPositionBuilderAtEnd(e->b, then);
    return g;
}

void kd_emit_guard_leave(kd_emitter *e, kd_emit_guard *g)
{
    if (!g->join)
        return;
    g->last = LLVMGetInsertBlock(e->b);
    LLVMBuildBr(e->b, g->join);
    LLVMPositionBuilderAtEnd(e->b, g->join);
}

LLVMValueRef kd_emit_guard_value(kd_emitter *e, const kd_emit_guard *g, LLVMValueRef v, LLVMValueRef other)
{
    if (!g->join)
        return v;
    LLVMValueRef phi = LLVMBuildPhi(e->b, LLVMTypeOf(v), "");
    LLVMAddIncoming(phi, (LLVMValueRef[]){v, other}, (LLVMBasicBlockRef[]){g->last, g->before}, 2);
    return phi;
}

LLVMValueRef kd_emit_guard_end(kd_emitter *e, kd_emit_guard g, LLVMValueRef v, LLVMValueRef other)
{
    kd_emit_guard_leave(e, &g);
    return v ? kd_emit_guard_value(e, &g, v, other) : NULL;
}

LLVMValueRef kd_emit_retry(kd_emitter *e, LLVMValueRef first, kd_emit_step_fn *step, void *user)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), loop = LLVMAppendBasicBlockInContext(e->llvm, e->func, ""),
                      done = LLVMAppendBasicBlockInContext(e->llvm, e->func, "");
    LLVMBuildBr(e->b, loop);
    LLVMPositionBuilderAtEnd(e->b, loop);
    LLVMValueRef old = LLVMBuildPhi(e->b, LLVMTypeOf(first), "");
    kd_emit_attempt attempt = step(e, old, user);
    LLVMBasicBlockRef last = LLVMGetInsertBlock(e->b);
    LLVMBuildCondBr(e->b, attempt.done, done, loop);
    LLVMAddIncoming(old, (LLVMValueRef[]){first, attempt.found}, (LLVMBasicBlockRef[]){before, last}, 2);
    LLVMPositionBuilderAtEnd(e->b, done);
    return attempt.found;
}
