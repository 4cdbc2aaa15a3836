/* spirv_impl.h - from the simt level of the IR to LLVM IR as the SPIR-V translator and Intel's compiler want it: what the files of this
 * folder share. The common part of emission is targets/llvm.
 *
 * Builtins are external functions with the mangled names of OpenCL C or of SPIR-V (__spirv_*); the translator makes instructions of those
 * that it knows and imports of the rest, which Intel's compiler resolves by name. What it does not know, it turns into a call of nothing,
 * silently: `./dev isa` looks for such calls. Traps of the translator of LLVM 19:
 *     - LLVM's bfloat comes out as half: bf16 is carried as i16
 *     - llvm.maximum and minimum come out as OpenCL's fmax and fmin, which drop NaN
 *     - vectors have 2, 3, 4, 8 or 16 elements; there are no integers but of 8, 16, 32 and 64 bits; llvm.loop metadata makes wrong SPIR-V
 *     - an error ends the process: it runs in one of its own (translate.c) */
#ifndef KD_TARGETS_SPIRV_SPIRV_IMPL_H
#define KD_TARGETS_SPIRV_SPIRV_IMPL_H

#include "passes/gpu_config.h"
#include "targets/llvm/emit.h"
#include "targets/spirv/spirv.h"

enum kd_address_space { KD_SPACE_PRIVATE, KD_SPACE_GLOBAL, KD_SPACE_CONSTANT, KD_SPACE_LOCAL };
enum { KD_SPIR_FUNC = 75, KD_SPIR_KERNEL = 76 }; /* LLVM's numbers of calling conventions */
enum { KD_MAX_VECTOR = 16 };                     /* elements of an LLVM vector; longer ones are kept in memory of the work-item */

/* The last store under a mask: its block, the branch to it, and what follows. */
typedef struct kd_spirv_guard {
    LLVMValueRef mask, branch;
    LLVMBasicBlockRef then, join;
} kd_spirv_guard;

typedef struct kd_spirv {
    kd_emitter e; /* first: an emitter of ours is one of these */
    kd_emit_dialect dialect;
    const kd_gpu_config *config;
    LLVMValueRef slm; /* all of it; NULL: the kernel has none */
    kd_spirv_guard guard; /* guarded_store.c */
    bool has_hints;       /* cache_hints.c */
} kd_spirv;

static inline kd_spirv *kd_spirv_of(kd_emitter *e)
{
    return (kd_spirv *)e;
}

/* ---- emit.c ---- */
/* Calls of builtins that take or give one type: name is a printf format that gets the type's letters, "_Z3exp%s". */
LLVMValueRef kd_spirv_call(kd_emitter *e, const char *name, LLVMTypeRef result, LLVMValueRef *args, unsigned n_args, kd_emit_effect effect);
const char *kd_spirv_letter(const kd_emitter *e, LLVMTypeRef type, bool uns); /* "i", "f", "d" ... of a scalar, in mangled names */
/* Memory of the work-item, made at the function's start. */
LLVMValueRef kd_spirv_alloca(kd_emitter *e, LLVMTypeRef elem, unsigned n, unsigned align);

/* ---- guarded_store.c ---- */
/* Where mask (NULL: everywhere) holds. Returns the store. */
LLVMValueRef kd_spirv_store(kd_emitter *e, LLVMValueRef v, LLVMValueRef ptr, unsigned align, LLVMValueRef mask);

/* ---- cache_hints.c ---- */
void kd_spirv_hint(kd_emitter *e, LLVMValueRef access, kd_cache cache, kd_evict evict); /* access: a load or store, just made */
void kd_spirv_place_hints(kd_emitter *e);                                               /* when all passes have run */

/* ---- widths.c: integers of widths that SPIR-V lacks become wider ---- */
bool kd_spirv_widen(kd_emitter *e); /* false: some of them cannot, the module is to be thrown away */

/* ---- by kind of op: each sets the op's results ---- */
bool kd_spirv_simt_op(kd_emitter *e, const kd_op *op); /* false: none of simt_ops.c */
void kd_spirv_atomic(kd_emitter *e, const kd_op *op);
void kd_spirv_math(kd_emitter *e, const kd_op *op);
void kd_spirv_divide(kd_emitter *e, const kd_op *op); /* f32, not exact */
void kd_spirv_min_max(kd_emitter *e, const kd_op *op);
void kd_spirv_mulhi(kd_emitter *e, const kd_op *op);
void kd_spirv_rem(kd_emitter *e, const kd_op *op);
void kd_spirv_matrix(kd_emitter *e, const kd_op *op); /* dpas and 2D blocks */

#endif
