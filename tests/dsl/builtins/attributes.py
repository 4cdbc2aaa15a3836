# What tensors and types answer. A wrong answer is a failed assertion at compile time.
# RUN: kdsl compile %s --signature "*fp16, i64" --emit kd -o %t
import triton
import triton.language as tl


@triton.jit
def kernel(p, n):
    x = tl.zeros([4, 8], tl.float16)
    s = n + 1
    tl.static_assert(x.shape == (4, 8) and x.shape[1] == 8 and len(x.shape) == 2 and len(x) == 4 and x.numel == 32)
    tl.static_assert(s.shape == () and s.numel == 1 and s.dtype == tl.int64 and s.type == tl.int64)
    tl.static_assert(x.dtype == tl.float16 and x.type == tl.block_type(tl.float16, [4, 8]) and x.type.element_ty == tl.float16)
    tl.static_assert(x.type.scalar == tl.float16 and x.dtype.scalar == tl.float16 and x.type.shape == (4, 8) and x.type.numel == 32)
    tl.static_assert(x.type.get_block_shapes() == (4, 8) and x.type.is_block() and not x.dtype.is_block())
    tl.static_assert(x.type.with_element_ty(tl.int8) == tl.block_type(tl.int8, (4, 8)))
    tl.static_assert(p.dtype.is_ptr() and not x.dtype.is_ptr() and p.dtype.element_ty == tl.float16 and p.type.element_ty == tl.float16)
    tl.static_assert(p.dtype == tl.pointer_type(tl.float16) and (p + tl.arange(0, 2)).dtype.element_ty == tl.float16 and not p.dtype.is_const())
    tl.static_assert(tl.constexpr(x.dtype.primitive_bitwidth) == 16 and tl.float64.primitive_bitwidth == 64 and tl.int1.primitive_bitwidth == 1)
    tl.static_assert(p.dtype.primitive_bitwidth == 64 and tl.int8.int_bitwidth == 8 and tl.float32.itemsize == 4 and tl.int1.itemsize == 1)
    tl.static_assert(tl.float32.fp_mantissa_width == 23 and tl.bfloat16.fp_mantissa_width == 7 and tl.float16.exponent_bias == 15)
    tl.static_assert(tl.float64.exponent_bias == 1023 and tl.float16.name == "fp16" and tl.int32.name == "int32")
    tl.static_assert(tl.int32.int_signedness != tl.uint32.int_signedness and tl.dtype("fp16") == tl.float16 and tl.dtype("int8") == tl.int8)
    tl.static_assert(tl.int8.get_int_min_value() == -128 and tl.int8.get_int_max_value() == 127 and tl.uint64.get_int_max_value() == 2**64 - 1)
    tl.static_assert(tl.get_int_dtype(16, True) == tl.int16 and tl.get_int_dtype(bitwidth=32, signed=False) == tl.uint32)
    tl.static_assert(tl.TRITON_MAX_TENSOR_NUMEL == 1048576)

    tl.static_assert(tl.int32.is_int() and tl.uint8.is_int() and tl.int1.is_int() and not tl.float32.is_int())
    tl.static_assert(tl.int32.is_int_signed() and not tl.uint8.is_int_signed() and tl.uint8.is_int_unsigned() and tl.int1.is_bool())
    tl.static_assert(tl.float16.is_floating() and tl.float8e5.is_floating() and not tl.int8.is_floating())
    tl.static_assert(tl.float16.is_standard_floating() and not tl.float8e5.is_standard_floating() and tl.float8e4nv.is_fp8() and not tl.int8.is_fp8())
    tl.static_assert(tl.int1.is_int1() and tl.int8.is_int8() and tl.int16.is_int16() and tl.int32.is_int32() and tl.int64.is_int64())
    tl.static_assert(tl.uint8.is_uint8() and tl.uint16.is_uint16() and tl.uint32.is_uint32() and tl.uint64.is_uint64())
    tl.static_assert(tl.float16.is_fp16() and tl.bfloat16.is_bf16() and tl.float32.is_fp32() and tl.float64.is_fp64() and not tl.float64.is_fp32())
    tl.static_assert(tl.float8e4nv.is_fp8e4nv() and tl.float8e5.is_fp8e5() and tl.float8e4b8.is_fp8e4b8() and tl.float8e5b16.is_fp8e5b16())
    tl.static_assert(tl.float8e4b15.is_fp8e4b15())

    tl.static_assert(x.handle.dtype == tl.float16 and (5).bit_length() == 3 and tl.constexpr(3).value == 3)
    tl.static_assert(tl.math.exp(x.to(tl.float32)).dtype == tl.float32 and tl.core.zeros([1], tl.int8).dtype == tl.int8)
    tl.static_assert(tl.standard.cdiv(7, 2) == 4 and tl.target_info.is_cuda() is False and tl.target_info.is_hip() is False)
    tl.static_assert(not tl.target_info.is_hip_cdna3() and not tl.target_info.is_hip_cdna4() and not tl.target_info.cuda_capability_geq(9, 0))
    tl.static_assert(tl.extra.cuda.num_warps() == 4 and tl.extra.cpu.num_warps() == 4 and tl.extra.cuda.num_threads() == 128)
    tl.static_assert(tl.int16 != tl.uint16 and tl.cast(x, tl.float8e4b8).dtype == tl.float8e4b8 and x.to(tl.float8e5b16).dtype == tl.float8e5b16)
    tl.static_assert("Relu".lower() == "relu" and "a".upper() == "A" and "relu_x".startswith("relu") and "relu_x".endswith("_x"))
