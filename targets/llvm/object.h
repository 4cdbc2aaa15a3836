/* object.h - machine code or text for a function of the cpu level. */
#ifndef KD_TARGETS_LLVM_OBJECT_H
#define KD_TARGETS_LLVM_OBJECT_H

#include "targets/llvm/emit.h"

typedef enum kd_object_kind { KD_OBJECT_ELF, KD_OBJECT_ASM, KD_OBJECT_LLVM } kd_object_kind;

/* e has machine, arena, diags and an empty map of values. False: LLVM's text is in why. What it makes of LLVM's is e's, for kd_emit_release,
 * also where memory runs out on the way. */
bool kd_object_emit(kd_emitter *e, const kd_op *func, const uint32_t *arg_offsets, unsigned opt_level, kd_object_kind kind, kd_arena *arena,
                    kd_str *out, kd_strbuf *why);


/* This machine's processor, by LLVM's names. */
void kd_object_host(const char **out_cpu, const char **out_features);

#endif
