/* kdsl.h - compile Triton kernels from C.
 *
 *     kd_compiler *c;
 *     kd_compiler_create(&(kd_compiler_options){0}, &c);
 *     kd_compile_request r = {.file = "softmax.py", .kernel = "softmax_kernel", .signature = "*fp32:16, *fp32:16, i32, i32, i32, 1024"};
 *     kd_compiled *k;
 *     kd_status s = kd_compile(c, &r, &k);       // KD_ERR_REPORTED: kd_compiler_messages(c) says what is wrong with the kernel
 *
 * A compiler may be used by one thread at a time; several compilers at once are normal use. */
#ifndef KDSL_H
#define KDSL_H

#include "base/kernel_desc.h"
#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kd_compiler kd_compiler;
typedef struct kd_compiled kd_compiled;

typedef struct kd_compile_request {
    const char *file;         /* path; or NULL with 'text' */
    const char *text;         /* the source itself, then 'file' is only its name in messages (may be NULL) */
    const char *kernel;       /* NAME or NAME@LINE; NULL where the file has one kernel */
    const char *signature;    /* see docs/signature.md: by position "*fp32:16, i32, 1024" or by name "x=*fp32:16, BLOCK=1024" */
    const char *target;       /* NULL: "cpu"; "cpu:x86-64-v3" ..., "spirv:bmg" and the other GPUs of base/gpu_devices.def */
    const char *emit;         /* NULL: "obj" (SPIR-V for a GPU); ast kd cpu llvm asm header; for GPUs gpu layouts layouts-svg simt spirv spirv-asm */
    const char *const *include_dirs;
    unsigned n_include_dirs;
    unsigned num_warps, num_stages; /* 0: what the kernel's config says, or Triton's defaults (4 and 3) */
    unsigned sub_group_size;  /* lanes of a GPU's sub-groups; 0: what suits the kernel and the device */
    unsigned config;          /* with set_config: takes the values of this literal triton.Config of the kernel's autotune list, from 0 */
    bool set_config;
    unsigned opt_level;       /* with set_opt_level: 0 to 3; else 3 */
    bool set_opt_level;
    bool no_fusion, assume_disjoint;
    bool debug;               /* assert and tl.device_assert check, as where TRITON_DEBUG=1 is set */
    bool no_cache;            /* compile even where the store has the object; the result is kept there */
    const char *print_after;  /* a pass, or "all": IR text in kd_compiler_messages */
    bool time_passes;
} kd_compile_request;

typedef struct kd_compiler_options {
    size_t memory_limit_bytes; /* of one compilation; 0: 4 GiB */
    const struct kd_kernel_store *store; /* where objects are kept between processes (kd_cache_as_store), or NULL; outlives the compiler */
} kd_compiler_options;

kd_status kd_compiler_create(const kd_compiler_options *options, kd_compiler **out);
void kd_compiler_destroy(kd_compiler *compiler);
/* Compiles. *out is written on KD_OK only and freed with kd_compiled_destroy. KD_ERR_REPORTED: the kernel is wrong; KD_ERR_ARGUMENT: the request
 * is (no such kernel or target, a signature that does not fit the kernel); KD_ERR_MEMORY, and whatever keeps a file from being read. */
kd_status kd_compile(kd_compiler *compiler, const kd_compile_request *request, kd_compiled **out);
/* What the last kd_compile reported: diagnostics, or the reason of another failure. Never NULL; valid until the next call. */
const char *kd_compiler_messages(const kd_compiler *compiler);

const kd_kernel_desc *kd_compiled_desc(const kd_compiled *compiled);
/* The object or text that was asked for. */
const void *kd_compiled_bytes(const kd_compiled *compiled, size_t *out_n_bytes);
bool kd_compiled_from_cache(const kd_compiled *compiled);
/* The C header that goes with an object: prototype, argument struct, launch loop. source_name and signature stand in its first comment.
 * For free(); NULL: memory ran out. */
char *kd_compiled_header(const kd_compiled *compiled, const char *source_name, const char *signature);
void kd_compiled_destroy(kd_compiled *compiled);

const char *kd_version(void);

#ifdef __cplusplus
}
#endif

#endif
