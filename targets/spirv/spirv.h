/* spirv.h - from the simt level to SPIR-V. */
#ifndef KD_TARGETS_SPIRV_SPIRV_H
#define KD_TARGETS_SPIRV_SPIRV_H

#include "targets/codegen.h"
#include "passes/gpu_config.h"

/* Emits a kernel of the simt level as LLVM IR text, SPIR-V or SPIR-V text (kind: KD_EMIT_LLVM, KD_EMIT_OBJECT, KD_EMIT_ASM). KD_ERR_REPORTED:
 * to diags. */
kd_status kd_spirv_emit(kd_module *module, const kd_op *func, const kd_gpu_config *config, unsigned opt_level, kd_emit kind, kd_diags *diags,
                        kd_arena *arena, kd_str *out);

#endif
