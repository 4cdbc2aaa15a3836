/* widths.c - integers of widths that SPIR-V lacks.
 *
 * Where the places of elements among lanes turn bits around, LLVM finds the reversal of as many bits and makes it of integers of that width:
 *
 *     %t = trunc i32 %lane to i5                       %t = and i32 %lane, 31
 *     %r = call i5 @llvm.bitreverse.i5(i5 %t)   ==>    %r = its bits, one by one
 *     %w = zext i5 %r to i64                           %w = zext i32 %r to i64
 *
 * Each such value becomes one of 32 or 64 bits whose upper ones are 0.
 * Needs:   code in the order of dominance.   Leaves: half of the work, where an instruction is unknown. */
#include "targets/spirv/spirv_impl.h"

#include "base/vec.h"

typedef struct widener {
    kd_emitter *e;
    kd_map wide;            /* by old value: the new one */
    KD_VEC(LLVMValueRef) old; /* that the new ones replace */
} widener;

static unsigned width_of(LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v);
    return LLVMGetTypeKind(type) == LLVMIntegerTypeKind ? LLVMGetIntTypeWidth(type) : 0;
}

static bool is_odd(LLVMValueRef v)
{
    unsigned n = width_of(v);
    return n > 1 && n < 64 && n != 8 && n != 16 && n != 32;
}

/* The type in which a value is kept: its own, where SPIR-V has it. */
static LLVMTypeRef kept_type(const widener *w, LLVMValueRef v)
{
    return !is_odd(v) ? LLVMTypeOf(v) : width_of(v) < 32 ? w->e->i32 : w->e->i64;
}

/* NULL: it is made by something unknown. */
static LLVMValueRef kept(const widener *w, LLVMValueRef v)
{
    if (!is_odd(v))
        return v;
    if (LLVMIsAConstantInt(v))
        return LLVMConstInt(kept_type(w, v), LLVMConstIntGetZExtValue(v), false);
    return LLVMIsUndef(v) ? LLVMConstNull(kept_type(w, v)) : kd_map_get_ptr(&w->wide, v);
}

static LLVMValueRef low_bits(const widener *w, LLVMValueRef v, unsigned n)
{
    return LLVMBuildAnd(w->e->b, v, LLVMConstInt(LLVMTypeOf(v), (UINT64_C(1) << n) - 1, false), "");
}

static LLVMValueRef reversed(const widener *w, LLVMValueRef v, unsigned n)
{
    LLVMBuilderRef b = w->e->b;
    LLVMTypeRef type = LLVMTypeOf(v);
    LLVMValueRef sum = LLVMConstNull(type);
    for (unsigned i = 0; i < n; i++) {
        LLVMValueRef bit = low_bits(w, LLVMBuildLShr(b, v, LLVMConstInt(type, i, false), ""), 1);
        sum = LLVMBuildOr(b, sum, LLVMBuildShl(b, bit, LLVMConstInt(type, n - 1 - i, false), ""), "");
    }
    return sum;
}

static bool is_bit_reversal(LLVMValueRef call)
{
    size_t n;
    const char *name = LLVMGetValueName2(LLVMGetCalledValue(call), &n);
    return strncmp(name, "llvm.bitreverse.", 16) == 0;
}

/* The instruction in types that SPIR-V has; NULL: it is unknown here. */
static LLVMValueRef widened(const widener *w, LLVMValueRef at)
{
    LLVMBuilderRef b = w->e->b;
    LLVMOpcode code = LLVMGetInstructionOpcode(at);
    LLVMValueRef in[3] = {NULL};
    unsigned n = (unsigned)LLVMGetNumOperands(at), width = width_of(at);
    for (unsigned i = 0; i < n && i < 3; i++)
        if (code != LLVMCall || i == 0)
            in[i] = kept(w, LLVMGetOperand(at, i));
    if (n > 3 || !in[0] || (n > 1 && !in[1] && code != LLVMCall) || (n > 2 && !in[2]))
        return NULL;
    switch (code) {
    case LLVMTrunc:
        in[0] = LLVMBuildIntCast2(b, in[0], kept_type(w, at), false, "");
        return low_bits(w, in[0], width);
    case LLVMZExt:
        return LLVMBuildIntCast2(b, in[0], kept_type(w, at), false, "");
    case LLVMAnd:
    case LLVMOr:
    case LLVMXor:
    case LLVMLShr:
        return LLVMBuildBinOp(b, code, in[0], in[1], "");
    case LLVMAdd:
    case LLVMSub:
    case LLVMMul:
    case LLVMShl:
        return low_bits(w, LLVMBuildBinOp(b, code, in[0], in[1], ""), width);
    case LLVMICmp:
        return LLVMGetICmpPredicate(at) < LLVMIntSGT ? LLVMBuildICmp(b, LLVMGetICmpPredicate(at), in[0], in[1], "") : NULL;
    case LLVMSelect:
        return LLVMBuildSelect(b, in[0], in[1], in[2], "");
    case LLVMCall:
        return is_bit_reversal(at) ? reversed(w, in[0], width) : NULL;
    default:
        return NULL;
    }
}

static bool touches_odd(LLVMValueRef at)
{
    if (is_odd(at))
        return true;
    for (int i = 0; i < LLVMGetNumOperands(at); i++)
        if (is_odd(LLVMGetOperand(at, (unsigned)i)))
            return true;
    return false;
}

static bool widen_block(widener *w, LLVMBasicBlockRef block)
{
    for (LLVMValueRef at = LLVMGetFirstInstruction(block), next; at; at = next) {
        next = LLVMGetNextInstruction(at);
        if (!touches_odd(at))
            continue;
        LLVMPositionBuilderBefore(w->e->b, at);
        LLVMValueRef wide = widened(w, at);
        if (!wide)
            return false;
        if (is_odd(at)) {
            *kd_map_at_ptr(&w->wide, at) = wide;
            kd_vec_push(w->e->arena, &w->old, at);
        } else {
            LLVMReplaceAllUsesWith(at, wide);
            LLVMInstructionEraseFromParent(at);
        }
    }
    return true;
}

bool kd_spirv_widen(kd_emitter *e)
{
    widener w = {.e = e, .wide = kd_map_in(e->arena)};
    for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(e->func); block; block = LLVMGetNextBasicBlock(block))
        if (!widen_block(&w, block))
            return false;
    while (w.old.n)
        LLVMInstructionEraseFromParent(kd_vec_pop(&w.old));
    for (LLVMValueRef fn = LLVMGetFirstFunction(e->module), next; fn; fn = next) { /* declarations have types too */
        next = LLVMGetNextFunction(fn);
        if (LLVMIsDeclaration(fn) && !LLVMGetFirstUse(fn))
            LLVMDeleteFunction(fn);
    }
    return true;
}
