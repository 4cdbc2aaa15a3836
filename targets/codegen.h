/* codegen.h - what the compiler half (libkdsl-codegen, the only part that needs LLVM) offers to the front end, which opens it on demand. */
#ifndef KD_TARGETS_CODEGEN_H
#define KD_TARGETS_CODEGEN_H

#include "base/kernel_desc.h"
#include "base/status.h"
#include "ir/ir.h"

typedef enum kd_emit {
    KD_EMIT_OBJECT, /* relocatable ELF, or SPIR-V */
    KD_EMIT_CPU,    /* IR text after loop formation */
    KD_EMIT_LLVM,   /* optimized LLVM IR text */
    KD_EMIT_ASM,    /* machine code, or SPIR-V, as text */
    KD_EMIT_GPU,    /* IR text after layout assignment */
    KD_EMIT_SIMT,   /* IR text of what one work-item does */
    KD_EMIT_LAYOUTS, /* the layouts of the kernel's tiles, for people */
    KD_EMIT_LAYOUTS_SVG, /* the same as a picture */
} kd_emit;

typedef struct kd_codegen_options {
    const char *target;    /* "cpu" (this machine), "cpu:x86-64-v3", "cpu:znver4" ...; "spirv:bmg" and the other names of gpu_devices.def */
    unsigned opt_level;    /* 0 to 3 */
    bool no_fusion;        /* every tile op in a loop nest of its own: slow, simple, the reference for the fused form */
    bool assume_disjoint;  /* no written buffer overlaps another argument's; see kd_kernel_desc.needs_disjoint */
    unsigned num_warps, num_stages;
    unsigned sub_group_size; /* GPU; 0: chosen for the kernel and the device */
    const char *print_after; /* pass name, "all" or NULL: IR text goes to stderr's place, log */
    bool time_passes;
    kd_strbuf *log;          /* for print_after and time_passes; may be NULL */
} kd_codegen_options;

typedef struct kd_codegen_result {
    kd_str bytes;        /* object or text, in the arena */
    kd_kernel_desc desc; /* strings and arrays in the arena */
} kd_codegen_result;

typedef struct kd_codegen {
    unsigned abi; /* KD_CODEGEN_ABI of the library */
    const char *llvm_version;
    /* Makes code for one kernel of a verified kd-level module (helpers inlined or not), which it rewrites on the way. Errors in the kernel
     * that only the target can see are reported to diags (KD_ERR_REPORTED). KD_ERR_UNSUPPORTED: no such target. Thread-safe. */
    kd_status (*compile)(kd_module *module, const char *kernel, const kd_codegen_options *options, kd_emit emit, kd_diags *diags, kd_arena *arena,
                         kd_codegen_result *out);
    /* The target string with "cpu" spelled out for this machine: "cpu:znver4" with its features, a key for caches. NULL: no such target. */
    const char *(*target_name)(const char *target, kd_arena *arena);
    /* The targets' own steps as passes, for work on IR text: kdsl opt. */
    const struct kd_pass_info *passes;
    unsigned n_passes;
} kd_codegen;

#define KD_CODEGEN_ABI 3
const kd_codegen *kd_codegen_entry(void);

#endif
