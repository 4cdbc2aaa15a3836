/* guarded_store.c - stores under a mask: neighbours of one mask share a branch.
 *
 *     br %mask, on, join                            %b = ...
 *   on:    store %a                                 br %mask, on, join
 *   join:  %b = ...                      ==>      on:    store %a
 *          br %mask, on2, join2                          store %b
 *
 * What was emitted in between moves up, where none of it touches memory. A tile's part in SLM is written under one mask by many stores, and
 * LLVM's passes ask of each value what every branch says of it. */
#include "targets/spirv/spirv_impl.h"

static unsigned attribute_kind(const char *name)
{
    return LLVMGetEnumAttributeKindForName(name, strlen(name));
}

/* Calls of functions that say so of themselves. */
static bool leaves_memory_alone(LLVMValueRef call, unsigned memory)
{
    LLVMValueRef callee = LLVMGetCalledValue(call);
    LLVMAttributeRef effects = LLVMIsAFunction(callee) ? LLVMGetEnumAttributeAtIndex(callee, LLVMAttributeFunctionIndex, memory) : NULL;
    return effects && LLVMGetEnumAttributeValue(effects) == 0; /* memory(none) */
}

static bool may_move(LLVMValueRef instruction, unsigned memory)
{
    switch (LLVMGetInstructionOpcode(instruction)) {
    case LLVMLoad:
    case LLVMStore:
    case LLVMAtomicRMW:
    case LLVMAtomicCmpXchg:
    case LLVMFence:
    case LLVMPHI: return false;
    case LLVMCall: return leaves_memory_alone(instruction, memory);
    default: return true;
    }
}

/* Empties the block that follows the last guarded store; false: it stays as it is. */
static bool move_up(kd_spirv *s)
{
    unsigned memory = attribute_kind("memory");
    for (LLVMValueRef i = LLVMGetFirstInstruction(s->guard.join); i; i = LLVMGetNextInstruction(i))
        if (!may_move(i, memory))
            return false;
    for (LLVMValueRef i = LLVMGetFirstInstruction(s->guard.join), next; i; i = next) {
        next = LLVMGetNextInstruction(i);
        LLVMInstructionRemoveFromParent(i);
        LLVMPositionBuilderBefore(s->e.b, s->guard.branch);
        LLVMInsertIntoBuilder(s->e.b, i);
    }
    return true;
}

LLVMValueRef kd_spirv_store(kd_emitter *e, LLVMValueRef v, LLVMValueRef ptr, unsigned align, LLVMValueRef mask)
{
    kd_spirv *s = kd_spirv_of(e);
    LLVMValueRef store;
    if (!mask)
        return kd_emit_plain_store(e, v, ptr, align);
    if (s->guard.mask == mask && s->guard.join == LLVMGetInsertBlock(e->b) && move_up(s)) {
        LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(s->guard.then));
        store = kd_emit_plain_store(e, v, ptr, align);
        LLVMPositionBuilderAtEnd(e->b, s->guard.join);
        return store;
    }
    kd_emit_guard guard = kd_emit_guard_begin(e, mask);
    s->guard = (kd_spirv_guard){mask, LLVMGetBasicBlockTerminator(guard.before), LLVMGetInsertBlock(e->b), guard.join};
    store = kd_emit_plain_store(e, v, ptr, align);
    kd_emit_guard_end(e, guard, NULL, NULL);
    return store;
}
