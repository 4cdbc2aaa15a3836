/* emit.h - from the cpu and simt levels of the IR to LLVM IR: what the files of this folder and targets/spirv share.
 *
 * A scalar becomes an LLVM scalar and a tile of rank 1 an LLVM vector; the same code serves both. f16, bf16 and f8 values are carried as
 * integers of their width: arithmetic on them does not exist at this level, only casts (LLVM would call library functions that we do not
 * have). i1 is i1 in registers and a byte in memory. A buffer is a pointer. What differs between the targets is in kd_emit_dialect. */
#ifndef KD_TARGETS_LLVM_EMIT_H
#define KD_TARGETS_LLVM_EMIT_H

#include "base/map.h"
#include "ir/ir.h"

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

/* What the code may use, and how wide it should be. */
typedef struct kd_machine {
    const char *name; /* "cpu:x86-64-v3" */
    const char *cpu, *features; /* for LLVM */
    unsigned vector_bytes;      /* of one register: 16, 32 or 64 */
    bool has_fma, has_f16c, has_avx2, has_avx512;
} kd_machine;

typedef struct kd_emitter kd_emitter;

/* A target's own ways. */
typedef struct kd_emit_dialect {
    bool (*op)(kd_emitter *e, const kd_op *op); /* emits an op that only this target has, or that it does differently; false: neither */
    unsigned global_space, buffer_space;        /* address spaces of pointers and of buffers */
    unsigned call_conv;                         /* of the functions that kd_emit_call declares */
    bool has_half;                              /* f16 to f32 and back (to nearest even) are instructions */
    bool has_f64;                               /* f64 may be used in between */
    /* f32 to bf16 (to nearest even) of scalars, as an instruction; NULL: there is none */
    LLVMValueRef (*f32_to_bf16)(kd_emitter *e, LLVMValueRef *args, void *user);
} kd_emit_dialect;

struct kd_emitter {
    const kd_emit_dialect *dialect;
    LLVMContextRef llvm;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMValueRef func;
    const kd_machine *machine; /* NULL: a GPU */
    kd_arena *arena;
    kd_map values;         /* kd_value to LLVMValueRef */
    LLVMValueRef grid, scratch, pid[3];
    LLVMValueRef nowhere; /* made on first use; memory.c */
    LLVMTypeRef i1, i8, i16, i32, i64, f32, f64, ptr, buffer;
    const kd_diags *diags; /* for places in assert messages */
    LLVMTargetMachineRef backend; /* NULL: a GPU */
    LLVMMemoryBufferRef code; /* LLVM's answers, until they are copied to an arena */
    char *text;
};

/* ---- module.c ---- */
/* Makes the context, the module and the builder of an emitter in which the rest is set. */
void kd_emit_open(kd_emitter *e, const char *triple);
/* False: LLVM's text is in why. */
bool kd_emit_verify(kd_emitter *e, kd_strbuf *why);
bool kd_emit_optimize(kd_emitter *e, const char *passes, kd_strbuf *why);
kd_str kd_emit_text(kd_emitter *e, kd_arena *arena); /* the module's */
const char *kd_emit_keep_text(kd_emitter *e, char *text); /* takes over a text of LLVM's, or of malloc */
/* Frees what LLVM made for an emitter, which may be all zero. */
void kd_emit_release(kd_emitter *e);

/* ---- types.c ---- */
void kd_emit_init_types(kd_emitter *e);
LLVMTypeRef kd_emit_elem_type(const kd_emitter *e, const kd_type *type); /* of one element, in a register */
LLVMTypeRef kd_emit_type(const kd_emitter *e, const kd_type *type);
unsigned kd_emit_lanes(const kd_type *type); /* 0: a scalar */
LLVMTypeRef kd_emit_wide(LLVMTypeRef elem, unsigned lanes); /* elem itself where lanes is 0 */
/* The type of v's shape with another element; and a constant in v's shape. */
LLVMTypeRef kd_emit_like(LLVMValueRef v, LLVMTypeRef elem);
LLVMValueRef kd_emit_int_like(LLVMValueRef v, LLVMTypeRef elem, uint64_t value);
LLVMValueRef kd_emit_float_like(LLVMValueRef v, LLVMTypeRef elem, double value);
LLVMValueRef kd_emit_constant_of(LLVMTypeRef type, uint64_t bits); /* integers: in every lane */
LLVMValueRef kd_emit_splat(kd_emitter *e, LLVMValueRef scalar, unsigned lanes);
LLVMValueRef kd_emit_get(kd_emitter *e, const kd_value *value);
void kd_emit_set(kd_emitter *e, const kd_value *value, LLVMValueRef v);
LLVMValueRef kd_emit_intrinsic(kd_emitter *e, const char *name, LLVMTypeRef *overloads, unsigned n_overloads, LLVMValueRef *args, unsigned n_args);
/* Calls an external function, declaring it on first use. */
typedef enum kd_emit_effect {
    KD_CALL_ANY,
    KD_CALL_PURE,       /* no effect, result from the arguments alone */
    KD_CALL_CONVERGENT, /* speaks to other work-items: must not move under other conditions */
    KD_CALL_CONVERGENT_PURE,
} kd_emit_effect;
LLVMValueRef kd_emit_call(kd_emitter *e, const char *name, LLVMTypeRef result, LLVMValueRef *args, unsigned n_args, kd_emit_effect effect);
/* The lanes of a vector through a function of scalars. */
typedef LLVMValueRef kd_emit_lane_fn(kd_emitter *e, LLVMValueRef *scalars, void *user);
LLVMValueRef kd_emit_each_lane(kd_emitter *e, LLVMValueRef *args, unsigned n_args, kd_emit_lane_fn *fn, void *user);
/* Some lanes of a vector, starting at first; and the concatenation of equal parts. */
LLVMValueRef kd_emit_slice(kd_emitter *e, LLVMValueRef v, unsigned first, unsigned n);
LLVMValueRef kd_emit_concat(kd_emitter *e, LLVMValueRef *parts, unsigned n_parts);

/* ---- by kind of op: each sets the op's results ---- */
void kd_emit_arith(kd_emitter *e, const kd_op *op);
void kd_emit_cast(kd_emitter *e, const kd_op *op);
/* f16 (half) or bf16, carried as i16, to f32 and back (to nearest even). */
LLVMValueRef kd_emit_narrow_to_f32(kd_emitter *e, LLVMValueRef v, bool half);
LLVMValueRef kd_emit_f32_to_narrow(kd_emitter *e, LLVMValueRef v, bool half);
void kd_emit_bitcast(kd_emitter *e, const kd_op *op);
void kd_emit_math(kd_emitter *e, const kd_op *op);
void kd_emit_memory(kd_emitter *e, const kd_op *op); /* loads, stores, buffers, atomics of the CPU */
void kd_emit_lanes_op(kd_emitter *e, const kd_op *op); /* splat, half, extract, prefix, arange */
void kd_emit_transpose(kd_emitter *e, const kd_op *op);
void kd_emit_report(kd_emitter *e, const kd_op *op); /* print, assert of the CPU */
/* The format of a printed line, and what goes to args[1..n): args[0] is the format's place. The op's operands from `first` on are the value
 * and its indices, or nothing. */
enum { KD_MAX_PRINT_ARGS = 5 + KD_MAX_RANK };
const char *kd_emit_print_format(kd_emitter *e, const kd_op *op, unsigned first, kd_text prefix, bool hex, LLVMValueRef *args,
                                 unsigned *out_n_args);
void kd_emit_block(kd_emitter *e, const kd_block *block); /* all ops but the terminator */

/* ---- access.c ---- */
LLVMTypeRef kd_emit_memory_elem(const kd_emitter *e, const kd_type *type); /* how an element lies in memory: i1 as a byte */
unsigned kd_emit_elem_bytes(const kd_type *type);
LLVMValueRef kd_emit_to_register(kd_emitter *e, LLVMValueRef v, const kd_type *type);
LLVMValueRef kd_emit_to_memory(kd_emitter *e, LLVMValueRef v, const kd_type *type);
LLVMValueRef kd_emit_plain_load(kd_emitter *e, LLVMTypeRef type, LLVMValueRef ptr, unsigned align, bool is_volatile);
LLVMValueRef kd_emit_plain_store(kd_emitter *e, LLVMValueRef value, LLVMValueRef ptr, unsigned align);
/* Starts a block that runs only where the mask (NULL: always) holds. leave: ends it. value, right after that: v where it ran, other
 * elsewhere. end: both; v may be NULL. */
typedef struct kd_emit_guard {
    LLVMBasicBlockRef before, last, join;
} kd_emit_guard;
kd_emit_guard kd_emit_guard_begin(kd_emitter *e, LLVMValueRef mask);
void kd_emit_guard_leave(kd_emitter *e, kd_emit_guard *guard);
LLVMValueRef kd_emit_guard_value(kd_emitter *e, const kd_emit_guard *guard, LLVMValueRef v, LLVMValueRef other);
LLVMValueRef kd_emit_guard_end(kd_emitter *e, kd_emit_guard guard, LLVMValueRef v, LLVMValueRef other);
/* Repeats: found, done = step(old), with old = first, then what was found, until done. Returns what was found last. */
typedef struct kd_emit_attempt {
    LLVMValueRef found, done;
} kd_emit_attempt;
typedef kd_emit_attempt kd_emit_step_fn(kd_emitter *e, LLVMValueRef old, void *user);
LLVMValueRef kd_emit_retry(kd_emitter *e, LLVMValueRef first, kd_emit_step_fn *step, void *user);

/* ---- function.c ---- */
extern const kd_emit_dialect kd_emit_dialect_cpu, kd_emit_dialect_cpu_half; /* half: with F16C */
/* Adds the entry function (kd_cpu_entry) of a cpu-level func to the module. arg_offsets: bytes in the argument struct. */
void kd_emit_entry(kd_emitter *e, const kd_op *func, const uint32_t *arg_offsets);

#endif
