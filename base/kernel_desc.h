/* kernel_desc.h - what a compiled kernel is to those who launch it. The compiler fills it, the cache stores it, the runtime reads it. */
#ifndef KD_BASE_KERNEL_DESC_H
#define KD_BASE_KERNEL_DESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Element and scalar types, in the order of Triton's promotion. Names: base/scalar.h. */
typedef enum kd_scalar {
    KD_I1, KD_I8, KD_I16, KD_I32, KD_I64,
    KD_U8, KD_U16, KD_U32, KD_U64,
    KD_F8E4NV, KD_F8E5, KD_F8E4B8, KD_F8E5B16, KD_F8E4B15, /* 1 byte: e4m3fn, e5m2, e4m3fnuz, e5m2fnuz, Triton's own bias-15 e4m3 */
    KD_F16, KD_BF16, KD_F32, KD_F64,
    KD_N_SCALARS
} kd_scalar;

typedef struct kd_kernel_arg {
    const char *name;
    bool is_pointer;
    kd_scalar type;        /* of the scalar, or of what the pointer points to (i1: one byte an element) */
    uint32_t offset_bytes; /* in the argument struct, which is laid out as C lays it out */
    uint32_t size_bytes;
    uint32_t divisible_by; /* what the code relies on: the value, or the address in bytes, is a multiple of this; 1: anything goes */
    bool is_written;       /* the kernel may store through this pointer */
} kd_kernel_arg;

typedef enum kd_code_format { KD_CODE_ELF_X86_64, KD_CODE_SPIRV } kd_code_format;

typedef struct kd_kernel_desc {
    const char *name;   /* as in the source: the entry symbol, see kd_cpu_entry */
    const char *target; /* "cpu:x86-64-v4" */
    kd_code_format format;
    const kd_kernel_arg *args; /* run-time arguments in order; compile-time ones are gone */
    uint32_t n_args;
    uint32_t args_size_bytes;     /* of the argument struct */
    uint32_t scratch_bytes;       /* memory that each thread needs while it runs the kernel, aligned to 64 */
    bool needs_disjoint;          /* the code relies on it that no written buffer overlaps another argument's buffer */
    uint32_t num_warps, num_stages; /* a GPU work-group has num_warps sub-groups */
    uint32_t sub_group_size;        /* GPU: lanes; 0 for the CPU */
    uint32_t slm_bytes;             /* GPU: shared local memory of a work-group */
    const char *build_flags;        /* GPU: for the driver's compiler, "-cl-intel-256-GRF-per-thread"; never NULL */
    uint32_t n_messages;            /* GPU: of device_assert */
    const char *const *messages;    /* "FILE:LINE: message" of each; see kd_gpu_status */
} kd_kernel_desc;

/* The GPU's calling convention: a kernel function of the desc's name with one parameter for each argument, scalars by value (i1 and 8-bit
 * types as bytes, f16 and bf16 as 16-bit integers), and after them, where n_messages is not 0, a pointer to kd_gpu_status in memory that
 * the host reads after the launch. The launch grid's extents are the numbers of work-groups. */
typedef struct kd_gpu_status {
    uint32_t failed;  /* 0, or 1 + the index of a message: of the first assert that failed; the caller zeroes it before a launch */
    uint32_t program_id[3];
} kd_gpu_status;

/* The CPU's calling convention. Runs the program instances with linear ids first <= id < last of a grid (x fastest), in order.
 * Returns 0, or 1 where a device_assert failed (its message is on stderr; the remaining instances did not run). */
typedef int32_t kd_cpu_entry(const void *args, const uint32_t grid[3], uint64_t first, uint64_t last, void *scratch);

#endif
