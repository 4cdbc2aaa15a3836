/* gpu_kernels.cl - what the compiler would make, by hand: kernels for the tests of the Level Zero device. */
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define KERNEL(lanes, items) __attribute__((intel_reqd_sub_group_size(lanes), reqd_work_group_size(items, 1, 1))) kernel void

KERNEL(16, 64) add(global const float *x, global const float *y, global float *out, int n)
{
    int i = (int)(get_group_id(0) * 64 + get_local_id(0));
    if (i < n)
        out[i] = x[i] + y[i];
}

/* 16-bit floats travel as integers, i1 as a byte. */
KERNEL(32, 32) scalars(global double *out, char flag, short h, ushort half_bits, long n, double d, float f)
{
    if (get_local_id(0) == 0) {
        out[0] = flag;
        out[1] = h;
        out[2] = half_bits;
        out[3] = (double)n;
        out[4] = d;
        out[5] = f;
    }
}

KERNEL(16, 16) program_ids(global uint *out)
{
    if (get_local_id(0) == 0) {
        size_t id = (get_group_id(2) * get_num_groups(1) + get_group_id(1)) * get_num_groups(0) + get_group_id(0);
        out[id] = (uint)(get_group_id(0) | get_group_id(1) << 8 | get_group_id(2) << 16);
    }
}

/* Two asserts: x is not negative, x is below 100. */
KERNEL(16, 32) check(global const int *x, global uint *status)
{
    int i = (int)(get_group_id(0) * 32 + get_local_id(0));
    uint failed = x[i] < 0 ? 1 : x[i] >= 100 ? 2 : 0;
    if (failed && atomic_cmpxchg(status, 0u, failed) == 0)
        for (int axis = 0; axis < 3; axis++)
            status[1 + axis] = (uint)get_group_id(axis);
}

KERNEL(16, 16) work(global uint *out, uint n)
{
    uint v = (uint)get_local_id(0);
    for (uint i = 0; i < n; i++)
        v = v * 1664525u + 1013904223u + (v >> 7);
    out[get_local_id(0)] = v;
}

#define LANES(name, lanes)                                                                                                              \
    KERNEL(lanes, 64) name(global uint *out)                                                                                             \
    {                                                                                                                                   \
        local uint sums[64];                                                                                                            \
        uint lane = get_sub_group_local_id(), id = (uint)get_local_id(0), sum = lane;                                                    \
        for (uint step = 1; step < lanes; step *= 2)                                                                                     \
            sum += sub_group_shuffle_xor(sum, step);                                                                                     \
        sums[id] = sum;                                                                                                                 \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                                   \
        out[id] = sums[63 - id] * 10000 + get_sub_group_size() * 100 + get_sub_group_id();                                               \
    }
uint __attribute__((overloadable)) sub_group_shuffle_xor(uint, uint);
LANES(lanes8, 8)
LANES(lanes16, 16)
LANES(lanes32, 32)
