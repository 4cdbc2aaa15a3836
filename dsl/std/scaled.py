# scaled.py - matrix products of narrow floats with a scale for each group along K (OCP Microscaling Formats 1.0).
#
# Operands and scales are brought to fp32, where all their products are exact, and multiplied there.
import triton
import triton.language as tl


@triton.jit
def _swap_last(x):
    if len(x.shape) == 2:
        return tl.permute(x, (1, 0))
    else:
        return tl.permute(x, (0, 2, 1))


@triton.jit
def _decode_e2m1(code):
    # Sign, two bits of exponent (bias 1), one of fraction: 0, 0.5, 1, 1.5, 2, 3, 4, 6.
    magnitude = (code & 7).to(tl.float32)
    small = magnitude * 0.5
    value = tl.where(magnitude < 4, small, tl.where(magnitude < 6, magnitude - 2, magnitude * 2 - 8))
    return tl.where((code & 8) != 0, -value, value)


@triton.jit
def _unpack_last(x):
    # Two codes a byte along the last axis, the low half first.
    pairs = tl.join(_decode_e2m1(x & 15), _decode_e2m1(x >> 4))
    return tl.reshape(pairs, x.shape[:-1] + (2 * x.shape[-1],))


@triton.jit
def _operand(x, format: tl.constexpr, packed_last: tl.constexpr):
    # In fp32, without packing.
    if format == "e2m1":
        tl.static_assert(x.dtype == tl.uint8, "e2m1 operands of dot_scaled are packed in uint8")
        if packed_last:
            return _unpack_last(x)
        else:
            return _swap_last(_unpack_last(_swap_last(x)))
    else:
        tl.static_assert(format == "e4m3" or format == "e5m2" or format == "bf16" or format == "fp16",
                         "the formats of dot_scaled are e2m1, e4m3, e5m2, bf16 and fp16")
        wanted: tl.constexpr = (tl.float8e4nv if format == "e4m3" else tl.float8e5 if format == "e5m2" else tl.bfloat16
                                if format == "bf16" else tl.float16)
        tl.static_assert(x.dtype.primitive_bitwidth == wanted.primitive_bitwidth, "an operand of dot_scaled does not have its format's width")
        return x.to(wanted, bitcast=True).to(tl.float32)


@triton.jit
def _scale(s, k: tl.constexpr):
    # [rows, k / group] of powers of 2 (e8m0 in uint8) or of floats, repeated to [rows, k]. 0xFF is NaN, 0 is 2**-127.
    if s.dtype.is_floating():
        value = s.to(tl.float32)
    else:
        tl.static_assert(s.dtype.primitive_bitwidth == 8, "the scales of dot_scaled are uint8 or floats")
        bits = s.to(tl.uint8, bitcast=True).to(tl.uint32)
        bits = tl.where(bits == 255, 0x7FC00000, tl.where(bits == 0, 0x00400000, bits << 23))
        value = bits.to(tl.float32, bitcast=True)
    tl.static_assert(k % s.shape[-1] == 0, "the scales of dot_scaled do not divide K")
    group: tl.constexpr = k // s.shape[-1]
    wide = tl.broadcast_to(tl.expand_dims(value, -1), s.shape + (group,))
    return tl.reshape(wide, s.shape[:-1] + (k,))


@triton.jit
def dot_scaled(lhs, lhs_scale, lhs_format, rhs, rhs_scale, rhs_format, acc=None, fast_math=False, lhs_k_pack=True, rhs_k_pack=True,
               out_dtype=tl.float32):
    a = _operand(lhs, lhs_format, lhs_k_pack)
    b = _operand(rhs, rhs_format, not rhs_k_pack)
    tl.static_assert(a.shape[-1] == b.shape[-2], "dot_scaled needs equal inner dimensions")
    if lhs_scale is not None:
        tl.static_assert(lhs_scale.shape[-2] == a.shape[-2], "lhs_scale of dot_scaled needs one row for each row of lhs")
        a = a * _scale(lhs_scale, a.shape[-1])
    if rhs_scale is not None:
        tl.static_assert(rhs_scale.shape[-2] == b.shape[-1], "rhs_scale of dot_scaled needs one row for each column of rhs")
        b = b * _swap_last(_scale(rhs_scale, b.shape[-2]))
    product = tl.dot(a, b, input_precision="ieee")
    if acc is None:
        return product.to(out_dtype)
    else:
        tl.static_assert(acc.dtype == out_dtype, "the accumulator of dot_scaled has another type than out_dtype")
        return (acc.to(tl.float32) + product).to(out_dtype)
