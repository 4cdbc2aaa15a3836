/* cache_hints.c - cache_modifier and eviction_policy of accesses, as SPV_INTEL_cache_controls says them, of a core's own cache:
 *
 *     loads    .ca, evict_last    cached          stores   .wb, evict_last    write back
 *              .cg, .cv           uncached                 .cg                uncached
 *              .cs, evict_first   streaming                .cs, evict_first   streaming
 *                                                          .wt                write through
 *
 * The cache behind it, which all cores share, stays as it is: spirv-val takes one such decoration of a pointer, and Intel's compiler makes the usual
 * pairs of it (load.ugm.uc.ca). The extension decorates the pointer of an access. LLVM's passes merge addresses, so each access carries its hint
 * until they are done, and gets an address of its own then. */
#include "targets/spirv/spirv_impl.h"

enum { LOAD_CONTROL = 6442, STORE_CONTROL = 6443 }; /* of SPIR-V's decorations */
enum { UNCACHED = 0, LOAD_CACHED = 1, LOAD_STREAMING = 2, STORE_THROUGH = 1, STORE_BACK = 2, STORE_STREAMING = 3, NOTHING = ~0 };

static int load_control(kd_cache cache, kd_evict evict)
{
    switch (cache) {
    case KD_CACHE_DEFAULT: return evict == KD_EVICT_FIRST ? LOAD_STREAMING : evict == KD_EVICT_LAST ? LOAD_CACHED : NOTHING;
    case KD_CACHE_CA: return LOAD_CACHED;
    case KD_CACHE_CG:
    case KD_CACHE_CV: return UNCACHED;
    case KD_CACHE_CS: return LOAD_STREAMING;
    default: return NOTHING;
    }
}

static int store_control(kd_cache cache, kd_evict evict)
{
    switch (cache) {
    case KD_CACHE_DEFAULT: return evict == KD_EVICT_FIRST ? STORE_STREAMING : evict == KD_EVICT_LAST ? STORE_BACK : NOTHING;
    case KD_CACHE_WB: return STORE_BACK;
    case KD_CACHE_CG: return UNCACHED;
    case KD_CACHE_CS: return STORE_STREAMING;
    case KD_CACHE_WT: return STORE_THROUGH;
    default: return NOTHING;
    }
}

static unsigned kind_of(const kd_emitter *e, const char *name)
{
    return LLVMGetMDKindIDInContext(e->llvm, name, (unsigned)strlen(name));
}

static LLVMMetadataRef number(const kd_emitter *e, unsigned n)
{
    return LLVMValueAsMetadata(LLVMConstInt(e->i32, n, false));
}

static const char hint_name[] = "kdsl.cache";

void kd_spirv_hint(kd_emitter *e, LLVMValueRef access, kd_cache cache, kd_evict evict)
{
    bool is_load = LLVMGetInstructionOpcode(access) == LLVMLoad;
    int control = (is_load ? load_control : store_control)(cache, evict);
    if (control == NOTHING)
        return;
    LLVMMetadataRef words[] = {number(e, is_load ? LOAD_CONTROL : STORE_CONTROL), number(e, 0), number(e, (unsigned)control)};
    LLVMMetadataRef decoration = LLVMMDNodeInContext2(e->llvm, words, 3), all = LLVMMDNodeInContext2(e->llvm, &decoration, 1);
    LLVMSetMetadata(access, kind_of(e, hint_name), LLVMMetadataAsValue(e->llvm, all));
    kd_spirv_of(e)->has_hints = true;
}

static void place_hint(kd_emitter *e, LLVMValueRef access, LLVMValueRef hint)
{
    bool is_load = LLVMGetInstructionOpcode(access) == LLVMLoad;
    LLVMTypeRef type = is_load ? LLVMTypeOf(access) : LLVMTypeOf(LLVMGetOperand(access, 0));
    LLVMValueRef zero = LLVMConstInt(e->i64, 0, false);
    LLVMPositionBuilderBefore(e->b, access);
    LLVMValueRef address = LLVMBuildInBoundsGEP2(e->b, type, LLVMGetOperand(access, is_load ? 0 : 1), &zero, 1, "");
    LLVMSetMetadata(address, kind_of(e, "spirv.Decorations"), hint);
    LLVMSetOperand(access, is_load ? 0 : 1, address);
    LLVMSetMetadata(access, kind_of(e, hint_name), NULL);
}

void kd_spirv_place_hints(kd_emitter *e)
{
    unsigned kind = kind_of(e, hint_name);
    if (!kd_spirv_of(e)->has_hints)
        return;
    for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(e->func); block; block = LLVMGetNextBasicBlock(block))
        for (LLVMValueRef i = LLVMGetFirstInstruction(block); i; i = LLVMGetNextInstruction(i)) {
            LLVMValueRef hint = LLVMIsALoadInst(i) || LLVMIsAStoreInst(i) ? LLVMGetMetadata(i, kind) : NULL;
            if (hint)
                place_hint(e, i, hint);
        }
}
