/* misc.cl - conversions, accesses under a condition, rows of a sub-group, hints. */
#include "emulation.h"

ushort OV intel_convert_bfloat16_as_ushort(float x) { return to_bf16(x); }
float OV intel_convert_as_bfloat16_float(ushort x) { return from_bf16(x); }
float intel_convert_tfloat32_as_float(float x) { return isnan(x) || isinf(x) ? x : as_float((as_uint(x) + 0xfff + (as_uint(x) >> 13 & 1)) & 0xffffe000u); }

half OV fabs(half x) { return as_half((ushort)(as_ushort(x) & 0x7fff)); }

/* SPV_INTEL_predicated_io; T: of what is loaded or stored. */
#define PREDICATED(T)                                                                                                                   \
    T OV __spirv_PredicatedLoadINTEL(global void *at, bool yes, T otherwise) { return yes ? *(global T *)at : otherwise; }               \
    void OV __spirv_PredicatedStoreINTEL(global void *at, T v, bool yes)                                                                 \
    {                                                                                                                                   \
        if (yes)                                                                                                                        \
            *(global T *)at = v;                                                                                                        \
    }
#define PREDICATED_ALL(T) PREDICATED(T) PREDICATED(T##2) PREDICATED(T##4) PREDICATED(T##8)
PREDICATED_ALL(char) PREDICATED_ALL(uchar) PREDICATED_ALL(short) PREDICATED_ALL(ushort) PREDICATED_ALL(int) PREDICATED_ALL(uint)
PREDICATED_ALL(long) PREDICATED_ALL(ulong) PREDICATED_ALL(float) PREDICATED_ALL(half) PREDICATED_ALL(double)

/* A row of the sub-group: element i of a lane's vector is element i * lanes + lane of memory. */
#define LANES get_sub_group_size()
#define ROW(space, T, suffix)                                                                                                           \
    T OV intel_sub_group_block_read##suffix(const space T *p) { return p[get_sub_group_local_id()]; }                                    \
    void OV intel_sub_group_block_write##suffix(space T *p, T v) { p[get_sub_group_local_id()] = v; }
#define ROWS(space, T, suffix, n)                                                                                                       \
    T##n OV intel_sub_group_block_read##suffix##n(const space T *p)                                                                      \
    {                                                                                                                                   \
        T##n v;                                                                                                                         \
        for (uint i = 0; i < n; i++)                                                                                                     \
            v[i] = p[i * LANES + get_sub_group_local_id()];                                                                              \
        return v;                                                                                                                       \
    }                                                                                                                                   \
    void OV intel_sub_group_block_write##suffix##n(space T *p, T##n v)                                                                   \
    {                                                                                                                                   \
        for (uint i = 0; i < n; i++)                                                                                                     \
            p[i * LANES + get_sub_group_local_id()] = v[i];                                                                              \
    }
uint OV get_sub_group_size(void);
#define ALL_ROWS(space, T, suffix) ROW(space, T, suffix) ROWS(space, T, suffix, 2) ROWS(space, T, suffix, 4) ROWS(space, T, suffix, 8)
ALL_ROWS(global, uint, ) ALL_ROWS(global, ushort, _us) ALL_ROWS(global, uchar, _uc) ALL_ROWS(global, ulong, _ul)
ALL_ROWS(local, uint, ) ALL_ROWS(local, ushort, _us) ALL_ROWS(local, uchar, _uc) ALL_ROWS(local, ulong, _ul)

/* Hints. */
void __builtin_IB_lsc_prefetch_global_uint(global uint *at, int offset, int hint) {}
