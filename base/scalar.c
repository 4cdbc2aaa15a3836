/* scalar.c - one row a type. */
#include "base/scalar.h"

typedef struct row {
    const char *name, *triton_name, *tl_name;
    uint8_t bits;
    bool is_float, is_unsigned;
} row;

static const row ROWS[KD_N_SCALARS] = {
    [KD_I1] = {"i1", "i1", "int1", 1, false, true},
    [KD_I8] = {"i8", "i8", "int8", 8, false, false},
    [KD_I16] = {"i16", "i16", "int16", 16, false, false},
    [KD_I32] = {"i32", "i32", "int32", 32, false, false},
    [KD_I64] = {"i64", "i64", "int64", 64, false, false},
    [KD_U8] = {"u8", "u8", "uint8", 8, false, true},
    [KD_U16] = {"u16", "u16", "uint16", 16, false, true},
    [KD_U32] = {"u32", "u32", "uint32", 32, false, true},
    [KD_U64] = {"u64", "u64", "uint64", 64, false, true},
    [KD_F8E4NV] = {"f8e4nv", "fp8e4nv", "float8e4nv", 8, true, false},
    [KD_F8E5] = {"f8e5", "fp8e5", "float8e5", 8, true, false},
    [KD_F8E4B8] = {"f8e4b8", "fp8e4b8", "float8e4b8", 8, true, false},
    [KD_F8E5B16] = {"f8e5b16", "fp8e5b16", "float8e5b16", 8, true, false},
    [KD_F8E4B15] = {"f8e4b15", "fp8e4b15", "float8e4b15", 8, true, false},
    [KD_F16] = {"f16", "fp16", "float16", 16, true, false},
    [KD_BF16] = {"bf16", "bf16", "bfloat16", 16, true, false},
    [KD_F32] = {"f32", "fp32", "float32", 32, true, false},
    [KD_F64] = {"f64", "fp64", "float64", 64, true, false},
};

const char *kd_scalar_name(kd_scalar s)
{
    return ROWS[s].name;
}

const char *kd_scalar_triton_name(kd_scalar s)
{
    return ROWS[s].triton_name;
}

const char *kd_scalar_tl_name(kd_scalar s)
{
    return ROWS[s].tl_name;
}

bool kd_scalar_parse(kd_str text, kd_scalar *out)
{
    for (int s = 0; s < KD_N_SCALARS; s++)
        if (kd_str_is(text, ROWS[s].name) || kd_str_is(text, ROWS[s].triton_name) || kd_str_is(text, ROWS[s].tl_name)) {
            *out = (kd_scalar)s;
            return true;
        }
    if (kd_str_is(text, "u1")) {
        *out = KD_I1;
        return true;
    }
    return false;
}

unsigned kd_scalar_bits(kd_scalar s)
{
    return ROWS[s].bits;
}

unsigned kd_scalar_bytes(kd_scalar s)
{
    return (ROWS[s].bits + 7u) / 8;
}

bool kd_scalar_is_float(kd_scalar s)
{
    return ROWS[s].is_float;
}

bool kd_scalar_is_fp8(kd_scalar s)
{
    return ROWS[s].is_float && ROWS[s].bits == 8;
}

bool kd_scalar_is_int(kd_scalar s)
{
    return !ROWS[s].is_float;
}

bool kd_scalar_is_unsigned(kd_scalar s)
{
    return ROWS[s].is_unsigned;
}
