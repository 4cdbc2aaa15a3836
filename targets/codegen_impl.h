/* codegen_impl.h - what the ways of a kernel to the targets share. */
#ifndef KD_TARGETS_CODEGEN_IMPL_H
#define KD_TARGETS_CODEGEN_IMPL_H

#include "targets/codegen.h"

/* One compilation. */
typedef struct kd_codegen_job {
    kd_module *module;
    const char *kernel;
    const kd_codegen_options *options;
    kd_emit emit;
    kd_diags *diags;
    kd_arena *scratch, *arena; /* scratch goes when the compilation ends; results are in arena */
    kd_codegen_result *out;
    double since_ms; /* when the stage at work began */
    struct kd_emitter *emitter; /* in scratch; what LLVM made for it is freed at the end, whatever happens; may be NULL */
} kd_codegen_job;

/* The functions of a target. A target's string is matched by its prefix up to ':'. */
typedef struct kd_target {
    const char *prefix; /* "cpu" */
    kd_status (*compile)(kd_codegen_job *job);
    /* See kd_codegen.target_name. */
    const char *(*name)(const char *target, kd_arena *arena);
} kd_target;
extern const kd_target kd_target_cpu, kd_target_spirv;

/* ---- steps that targets share: NULL or a status where they fail ---- */
kd_op *kd_codegen_kernel(const kd_codegen_job *job);
/* Name, arguments and launch options of the kernel; the rest of the descriptor is the target's to fill. */
void kd_codegen_describe(kd_codegen_job *job, const kd_op *func);
/* The module as text is the result. */
kd_status kd_codegen_give_text(kd_codegen_job *job);
/* Logs the time since the last call, or the start, under that name. */
void kd_codegen_report_time(kd_codegen_job *job, const char *what);

#endif
