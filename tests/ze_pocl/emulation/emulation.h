/* emulation.h - what Intel's GPUs do and PoCL lacks, as functions of the names that Intel's compiler knows. A module that imports some of them
 * is linked with the files that have them (../link.c).
 *
 * Sources: the OpenCL extensions cl_intel_subgroup_matrix_multiply_accumulate, cl_intel_subgroup_2d_block_io, cl_intel_bfloat16_conversions,
 * cl_intel_subgroup_buffer_prefetch; SPIR-V's SPV_INTEL_predicated_io. */
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define OV __attribute__((overloadable))
uint OV get_sub_group_local_id(void);
ulong OV sub_group_shuffle(ulong, uint);
void OV sub_group_barrier(cl_mem_fence_flags);

static float from_bf16(ushort x)
{
    return as_float((uint)x << 16);
}

static ushort to_bf16(float x)
{
    uint bits = as_uint(x);
    if (isnan(x))
        return (ushort)(bits >> 16 | 0x40);
    return (ushort)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
