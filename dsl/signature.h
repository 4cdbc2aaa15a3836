/* signature.h - the types and compile-time values that a kernel is compiled for, from text.
 *
 *     "*fp32:16, *fp32:16, i32, 1024"              one entry a parameter, in order
 *     "x=*fp32:16, n=i32:16, BLOCK=1024"           by name; parameters that are left out take their defaults
 *
 * An entry is a type ("*fp32", "*kfp32", "**fp32", "i32", "u64", "fp16"), with ":16" where the value is a multiple of 16, or ":1" where it is
 * 1 (then compile-time, but still an argument); "tensordesc<fp16[64, 64]>"; a tuple of entries "(i32, *fp32, 1)"; or a compile-time value:
 * a number, None, True, False, 'text', inf, nan, a type (for a parameter that is tl.constexpr, or spelled dtype:bf16), fn:NAME, or any
 * constant expression.
 *
 * A signature says all of the specialization: that arguments which equal 1 or are divisible by 16 are built in, as Triton does, is decided by
 * who writes it (cli/run_signature.c, graph/source.c).
 *
 * The C arguments of a kernel are those of its run-time parameters, in order. A tensordesc gives its base pointer, then the extents, then the
 * strides in elements (all i64); a tuple gives its items. */
#ifndef KD_DSL_SIGNATURE_H
#define KD_DSL_SIGNATURE_H

#include "dsl/dsl_impl.h"

typedef enum kd_sig_kind { KD_SIG_MISSING, KD_SIG_STATIC, KD_SIG_RUN_TIME, KD_SIG_DESC, KD_SIG_TUPLE } kd_sig_kind;

typedef struct kd_sig_arg {
    kd_sig_kind kind;
    kd_loc loc;
    kd_dval value;       /* STATIC */
    const kd_type *type; /* RUN_TIME; also of a STATIC that is a C argument all the same ("i32:1"), else NULL; DESC: of the elements */
    unsigned divisibility;
    unsigned rank; /* DESC */
    const int64_t *block_shape;
    struct kd_sig_arg *items; /* TUPLE */
    unsigned n_items;
} kd_sig_arg;

typedef struct kd_signature {
    kd_sig_arg *args; /* one a parameter of the kernel */
    unsigned n;
} kd_signature;

/* Reads a signature; parameters that it leaves out are MISSING. False: reported, with places in the signature's text. */
bool kd_signature_parse(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, const char *text, kd_signature *out);
/* Entries by name, from elsewhere (a literal triton.Config): they count where the signature has none. */
bool kd_signature_fill(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, const char *source_name, const char *text, kd_signature *signature);
/* The values of @triton.heuristics, as far as they follow from compile-time parameters and from what is None. */
void kd_signature_apply_heuristics(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, kd_signature *signature);
/* Gives what is missing its default. False: there is none; reported. */
bool kd_signature_complete(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, kd_signature *signature);
/* For a kernel with errors: notes at compile-time parameters that got an integer type, where a number is likely to be meant. */
void kd_signature_note_types(kd_lower *lw, const kd_function *kernel, const kd_signature *signature);

/* The kernel as a func op of lw->module, with the helpers it calls. NULL: reported. */
kd_op *kd_lower_kernel(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, const kd_signature *signature);

#endif
