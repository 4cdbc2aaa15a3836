/* kdsl_impl.h - between kdsl.c and job.c. */
#ifndef KD_DSL_KDSL_IMPL_H
#define KD_DSL_KDSL_IMPL_H

#include "base/failure.h"
#include "base/kernel_store.h"
#include "dsl/inspect.h"
#include "dsl/lower_impl.h"
#include "dsl/signature.h"

/* One reading of a file: for a compilation or an inspection. */
typedef struct kd_job {
    kd_budget budget;
    kd_arena *arena;
    kd_diags *diags;
    kd_file_resolver *resolver;
    kd_module_ast *ast;
    kd_failure why; /* of failures that are not the kernel's */
    kd_strbuf log;
} kd_job;

struct kd_compiler {
    kd_compiler_options options;
    kd_job *inspection; /* kept for what it told */
    kd_job *evaluation;
    char *messages; /* NULL: "" */
};

struct kd_compiled {
    kd_budget budget;
    kd_arena *arena;
    kd_kernel_desc desc;
    const void *bytes;
    size_t n_bytes;
    const kd_kernel_store *store; /* the object came from there, and all the above is part of 'kept' */
    kd_cached_kernel kept;
};

/* Reads the request's file. */
kd_status kd_job_open(kd_job *job, const kd_compile_request *request);
/* The state in which the files of a job are read and lowered. */
kd_lower *kd_job_lower(kd_job *job, const kd_compile_request *request);
/* The whole way; out is filled but for its arena. */
kd_status kd_job_compile(kd_job *job, const kd_compile_request *request, kd_compiled *out);

/* header.c: a C header for the object of a kernel. code: SPIR-V to put into it; may be empty. */
kd_str kd_write_header(kd_arena *arena, const kd_kernel_desc *desc, const char *source_path, const char *signature, kd_str code);

#endif
