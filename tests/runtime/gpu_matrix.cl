/* gpu_matrix.cl - each lane's operands lie one after the other in memory: what the systolic array and 2D block messages do with them. */
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define OV __attribute__((overloadable))
#define KERNEL(lanes) __attribute__((intel_reqd_sub_group_size(lanes), reqd_work_group_size(64, 1, 1))) kernel void

#define DPAS(name, lanes, function, A, B, C)                                                                                            \
    C OV function(A, B, C);                                                                                                             \
    KERNEL(lanes) name(global const A *a, global const B *b, global const C *c, global C *d)                                             \
    {                                                                                                                                   \
        size_t i = get_global_id(0);                                                                                                    \
        C v = function(a[i], b[i], c[i]);                                                                                               \
        d[i] = function(a[i], b[i], v);                                                                                                 \
    }
DPAS(bf16_16, 16, intel_sub_group_bf16_bf16_matrix_mad_k16, short8, int8, float8)
DPAS(f16_16, 16, intel_sub_group_f16_f16_matrix_mad_k16, short8, int8, float8)
DPAS(i8_16, 16, intel_sub_group_i8_i8_matrix_mad_k32, short8, int8, int8)
DPAS(u8_16, 16, intel_sub_group_u8_u8_matrix_mad_k32, ushort8, uint8, int8)
DPAS(tf32_16, 16, intel_sub_group_tf32_tf32_matrix_mad_k8, float4, float8, float8)
DPAS(bf16_8, 8, intel_sub_group_bf16_bf16_matrix_mad_k16, int8, int8, float8)
DPAS(i8_8, 8, intel_sub_group_i8_i8_matrix_mad_k32, int8, int8, int8)
DPAS(bf16_rows4, 16, intel_sub_group_bf16_bf16_matrix_mad_k16, short4, int8, float4)

#define READ(name, function, T, n)                                                                                                      \
    void OV function(global void *, int, int, int, int2, private T *);                                                                   \
    KERNEL(16) name(global char *m, global T *out, int width, int height, int pitch, int x, int y)                                       \
    {                                                                                                                                   \
        T v[n];                                                                                                                         \
        function(m, width, height, pitch, (int2)(x, y), v);                                                                             \
        for (int i = 0; i < n; i++)                                                                                                     \
            out[get_global_id(0) * n + i] = v[i];                                                                                       \
    }
READ(read_16b, intel_sub_group_2d_block_read_16b_8r16x2c, ushort, 16)
READ(read_8b, intel_sub_group_2d_block_read_8b_8r32x2c, ushort, 16)
READ(read_32b, intel_sub_group_2d_block_read_32b_8r8x1c, uint, 4)
READ(transform_16b, intel_sub_group_2d_block_read_transform_16b_32r16x1c, uint, 16)
READ(transform_8b, intel_sub_group_2d_block_read_transform_8b_32r16x2c, uint, 16)
READ(transpose_32b, intel_sub_group_2d_block_read_transpose_32b_16r8x1c, uint, 8)

#define READ_ANY(name, function, bytes, width, rows, count, T, n)                                                                        \
    void OV function(int, int, int, int, global void *, int, int, int, int2, private void *);                                            \
    KERNEL(16) name(global char *m, global T *out, int surface_width, int height, int pitch, int x, int y)                               \
    {                                                                                                                                   \
        T v[n];                                                                                                                         \
        function(bytes, width, rows, count, m, surface_width, height, pitch, (int2)(x, y), v);                                           \
        for (int i = 0; i < n; i++)                                                                                                     \
            out[get_global_id(0) * n + i] = v[i];                                                                                       \
    }
READ_ANY(transpose_any, __spirv_Subgroup2DBlockLoadTransposeINTEL, 4, 8, 8, 1, uint, 4)
READ_ANY(transform_any, __spirv_Subgroup2DBlockLoadTransformINTEL, 2, 16, 16, 4, uint, 32)

void OV intel_sub_group_2d_block_write_32b_8r16x1c(global void *, int, int, int, int2, private uint *);
void OV intel_sub_group_2d_block_prefetch_16b_8r16x2c(global void *, int, int, int, int2);
KERNEL(16) write_32b(global char *m, global uint *in, int width, int height, int pitch, int x, int y)
{
    uint v[8];
    for (int i = 0; i < 8; i++)
        v[i] = in[get_global_id(0) * 8 + i];
    intel_sub_group_2d_block_prefetch_16b_8r16x2c(m, width, height, pitch, (int2)(x, y));
    if (get_local_id(0) < 16)
        intel_sub_group_2d_block_write_32b_8r16x1c(m, width, height, pitch, (int2)(x, y), v);
}
