/* translate.h - LLVM bitcode to SPIR-V. */
#ifndef KD_TARGETS_SPIRV_TRANSLATE_H
#define KD_TARGETS_SPIRV_TRANSLATE_H

#include "base/str.h"
#include "targets/spirv/protocol.h"

/* Starts what translates, which takes a while to load; kd_spirv_translate starts it too. */
void kd_spirv_translator_start(void);
/* *out_bytes, for free() by the caller: SPIR-V or its text; where false is returned, the translator's or validator's words. Thread-safe.
 * KDSL_SPIRV_VAL=1 in the environment validates always. */
bool kd_spirv_translate(kd_str bitcode, unsigned flags, char **out_bytes, size_t *out_n_bytes);

#endif
