# The common type of two tensors, and of a tensor and a literal. A wrong answer is a failed assertion at compile time.
# RUN: kdsl compile %s --signature "" --emit kd -o %t
import triton
import triton.language as tl


@triton.jit
def same(v, dtype: tl.constexpr):
    tl.static_assert(v.dtype == dtype, f"found {v.dtype}, expected {dtype}")


@triton.jit
def kernel():
    i1 = tl.zeros([4], tl.int1)
    i8 = tl.zeros([4], tl.int8)
    i16 = tl.zeros([4], tl.int16)
    i32 = tl.zeros([4], tl.int32)
    i64 = tl.zeros([4], tl.int64)
    u8 = tl.zeros([4], tl.uint8)
    u16 = tl.zeros([4], tl.uint16)
    u32 = tl.zeros([4], tl.uint32)
    u64 = tl.zeros([4], tl.uint64)
    f8 = tl.zeros([4], tl.float8e5)
    e4 = tl.zeros([4], tl.float8e4nv)
    f16 = tl.zeros([4], tl.float16)
    bf16 = tl.zeros([4], tl.bfloat16)
    f32 = tl.zeros([4], tl.float32)
    f64 = tl.zeros([4], tl.float64)

    # Floats: the wider; two 16-bit kinds meet in fp16, bf16 beside an integer becomes fp32.
    same(f16 + f16, tl.float16)
    same(f16 + bf16, tl.float16)
    same(bf16 + bf16, tl.bfloat16)
    same(bf16 + i8, tl.float32)
    same(f16 + i64, tl.float16)
    same(f16 + f32, tl.float32)
    same(f32 + f64, tl.float64)
    same(f32 + i64, tl.float32)
    same(f8 + f8, tl.float8e5)
    same(f8 + e4, tl.float16)

    # Integers: of one sign the wider; of two signs the unsigned one unless it is narrower. No promotion to int.
    same(i8 + i8, tl.int8)
    same(i8 + i16, tl.int16)
    same(i32 + i64, tl.int64)
    same(u8 + u32, tl.uint32)
    same(i32 + u32, tl.uint32)
    same(i64 + u32, tl.int64)
    same(i8 + u64, tl.uint64)
    same(u16 + i8, tl.uint16)
    same(i1 + i1, tl.int1)
    same(i1 + i8, tl.int8)
    same(i1 + u8, tl.uint8)
    same(i1 & i32, tl.int32)

    # A literal of the same or a lower kind takes the tensor's type.
    same(f16 * 2.0, tl.float16)
    same(f16 * 2, tl.float16)
    same(bf16 + 1, tl.bfloat16)
    same(i8 + 1, tl.int8)
    same(i8 + True, tl.int8)
    same(u64 + 1, tl.uint64)
    same(i1 + 1, tl.int32)
    same(i1 + 3000000000, tl.uint32)
    same(i32 * 0.5, tl.float32)
    same(i64 * 0.5, tl.float32)
    same(i32 * 1e-40, tl.float64)
    same(f32 * 1e-40, tl.float32)
    same(f16 * 1e-40, tl.float16)
    same(2.0 * f16, tl.float16)
    same(1 - i8, tl.int8)

    # Division and remainder: integers give fp32, narrow floats go to fp32 with tensors, and with literals too.
    same(i32 / i32, tl.float32)
    same(i64 / 2, tl.float32)
    same(f16 / f16, tl.float32)
    same(bf16 / 2.0, tl.float32)
    same(f64 / 2.0, tl.float64)
    same(f16 % f16, tl.float32)
    same(i8 // i32, tl.int32)
    same(u8 // 2, tl.uint8)
    same(i64 % 7, tl.int64)

    # Shifts and bits.
    same(i8 << 1, tl.int8)
    same(u32 >> i32, tl.uint32)
    same(i32 | i64, tl.int64)
    same(~i1, tl.int1)
    same(-u8, tl.uint8)

    # Comparisons give int1; extremes follow the rule of the operators.
    same(f16 > 0.5, tl.int1)
    same(i32 == f32, tl.int1)
    same(tl.maximum(f16, 0.0), tl.float16)
    same(tl.minimum(bf16, bf16), tl.bfloat16)
    same(max(i8, 1), tl.int8)
    same(tl.where(i1, f16, 0.0), tl.float16)
    same(tl.where(i1, i32, f32), tl.float32)
    same(tl.where(i1, 1, 2), tl.int32)
    same(tl.where(i1, 1.0, 2), tl.float32)
    same(tl.clamp(f16, 0.0, 1), tl.float16)
    same(tl.clamp(i32, 0, 5), tl.int32)
    same(tl.fma(f16, 2.0, f32), tl.float32)
