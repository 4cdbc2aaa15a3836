/* spirv.h - from the simt level to SPIR-V. */
#ifndef KD_TARGETS_SPIRV_SPIRV_H
#define KD_TARGETS_SPIRV_SPIRV_H

#include "passes/gpu_config.h"
#include "targets/codegen_impl.h"

/* Emits the job's kernel, at the simt level, as LLVM IR text, SPIR-V or SPIR-V text. KD_ERR_REPORTED: to its diagnostics. */
kd_status kd_spirv_emit(kd_codegen_job *job, const kd_op *func, const kd_gpu_config *config);

#endif
