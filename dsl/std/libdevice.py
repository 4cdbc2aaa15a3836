# libdevice.py - functions of libdevice that the builtins do not have.
import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def rcp_rn(x):
    return libdevice.div_rn(1.0, x)


@triton.jit
def rcp64h(x):
    return 1.0 / x


# ---- fp32 with directed rounding: exact, or nearly so, in fp64, then rounded once ----


@triton.jit
def double2float_rz(x):
    return x.to(tl.float32, fp_downcast_rounding="rtz")


@triton.jit
def double2float_rd(x):
    near = double2float_rz(x)
    return tl.where(near.to(tl.float64) > x, libdevice.nextafter(near, float("-inf")), near)


@triton.jit
def double2float_ru(x):
    near = double2float_rz(x)
    return tl.where(near.to(tl.float64) < x, libdevice.nextafter(near, float("inf")), near)


@triton.jit
def _wide(x):
    y = tl.to_tensor(x)
    tl.static_assert(y.dtype == tl.float32, "directed rounding works on fp32 only")
    return y.to(tl.float64)


@triton.jit
def add_rz(x, y):
    return double2float_rz(_wide(x) + _wide(y))


@triton.jit
def add_rd(x, y):
    return double2float_rd(_wide(x) + _wide(y))


@triton.jit
def add_ru(x, y):
    return double2float_ru(_wide(x) + _wide(y))


@triton.jit
def sub_rz(x, y):
    return double2float_rz(_wide(x) - _wide(y))


@triton.jit
def sub_rd(x, y):
    return double2float_rd(_wide(x) - _wide(y))


@triton.jit
def sub_ru(x, y):
    return double2float_ru(_wide(x) - _wide(y))


@triton.jit
def mul_rz(x, y):
    return double2float_rz(_wide(x) * _wide(y))


@triton.jit
def mul_rd(x, y):
    return double2float_rd(_wide(x) * _wide(y))


@triton.jit
def mul_ru(x, y):
    return double2float_ru(_wide(x) * _wide(y))


@triton.jit
def div_rz(x, y):
    return double2float_rz(_wide(x) / _wide(y))


@triton.jit
def div_rd(x, y):
    return double2float_rd(_wide(x) / _wide(y))


@triton.jit
def div_ru(x, y):
    return double2float_ru(_wide(x) / _wide(y))


@triton.jit
def fma_rz(x, y, z):
    return double2float_rz(_wide(x) * _wide(y) + _wide(z))


@triton.jit
def sqrt_rz(x):
    return double2float_rz(tl.sqrt(_wide(x)))


@triton.jit
def rcp_rz(x):
    return double2float_rz(1.0 / _wide(x))


@triton.jit
def int2float_rz(x):
    tl.static_assert(x.dtype == tl.int32, "int2float_rz works on int32")
    return double2float_rz(x.to(tl.float64))


@triton.jit
def uint2float_rz(x):
    tl.static_assert(x.dtype == tl.uint32, "uint2float_rz works on uint32")
    return double2float_rz(x.to(tl.float64))


@triton.jit
def ll2float_rz(x):
    tl.static_assert(x.dtype == tl.int64, "ll2float_rz works on int64")
    return double2float_rz(x.to(tl.float64))


@triton.jit
def ull2float_rz(x):
    tl.static_assert(x.dtype == tl.uint64, "ull2float_rz works on uint64")
    return double2float_rz(x.to(tl.float64))


@triton.jit
def ll2double_rz(x):
    tl.static_assert(x.dtype == tl.int64, "ll2double_rz works on int64")
    return x.to(tl.float64)


@triton.jit
def ull2double_rz(x):
    tl.static_assert(x.dtype == tl.uint64, "ull2double_rz works on uint64")
    return x.to(tl.float64)


@triton.jit
def fma_rd(x, y, z):
    return double2float_rd(_wide(x) * _wide(y) + _wide(z))


@triton.jit
def sqrt_rd(x):
    return double2float_rd(tl.sqrt(_wide(x)))


@triton.jit
def rcp_rd(x):
    return double2float_rd(1.0 / _wide(x))


@triton.jit
def int2float_rd(x):
    tl.static_assert(x.dtype == tl.int32, "int2float_rd works on int32")
    return double2float_rd(x.to(tl.float64))


@triton.jit
def uint2float_rd(x):
    tl.static_assert(x.dtype == tl.uint32, "uint2float_rd works on uint32")
    return double2float_rd(x.to(tl.float64))


@triton.jit
def ll2float_rd(x):
    tl.static_assert(x.dtype == tl.int64, "ll2float_rd works on int64")
    return double2float_rd(x.to(tl.float64))


@triton.jit
def ull2float_rd(x):
    tl.static_assert(x.dtype == tl.uint64, "ull2float_rd works on uint64")
    return double2float_rd(x.to(tl.float64))


@triton.jit
def ll2double_rd(x):
    tl.static_assert(x.dtype == tl.int64, "ll2double_rd works on int64")
    return x.to(tl.float64)


@triton.jit
def ull2double_rd(x):
    tl.static_assert(x.dtype == tl.uint64, "ull2double_rd works on uint64")
    return x.to(tl.float64)


@triton.jit
def fma_ru(x, y, z):
    return double2float_ru(_wide(x) * _wide(y) + _wide(z))


@triton.jit
def sqrt_ru(x):
    return double2float_ru(tl.sqrt(_wide(x)))


@triton.jit
def rcp_ru(x):
    return double2float_ru(1.0 / _wide(x))


@triton.jit
def int2float_ru(x):
    tl.static_assert(x.dtype == tl.int32, "int2float_ru works on int32")
    return double2float_ru(x.to(tl.float64))


@triton.jit
def uint2float_ru(x):
    tl.static_assert(x.dtype == tl.uint32, "uint2float_ru works on uint32")
    return double2float_ru(x.to(tl.float64))


@triton.jit
def ll2float_ru(x):
    tl.static_assert(x.dtype == tl.int64, "ll2float_ru works on int64")
    return double2float_ru(x.to(tl.float64))


@triton.jit
def ull2float_ru(x):
    tl.static_assert(x.dtype == tl.uint64, "ull2float_ru works on uint64")
    return double2float_ru(x.to(tl.float64))


@triton.jit
def ll2double_ru(x):
    tl.static_assert(x.dtype == tl.int64, "ll2double_ru works on int64")
    return x.to(tl.float64)


@triton.jit
def ull2double_ru(x):
    tl.static_assert(x.dtype == tl.uint64, "ull2double_ru works on uint64")
    return x.to(tl.float64)


# ---- bits of integers ----


@triton.jit
def _bits(x):
    # The integer as an unsigned one of its width, 32 or 64.
    tl.static_assert(x.dtype.is_int() and x.dtype.primitive_bitwidth >= 32, "this function works on integers of 32 and 64 bits")
    if x.dtype.primitive_bitwidth == 32:
        return x.to(tl.uint32, bitcast=True)
    else:
        return x.to(tl.uint64, bitcast=True)


@triton.jit
def _count(v):
    # Set bits: sums of neighbours in fields of 2, 4 and 8 bits, then of all bytes by one product.
    wide: tl.constexpr = v.dtype.primitive_bitwidth == 64
    ones: tl.constexpr = 0x5555555555555555 if wide else 0x55555555
    twos: tl.constexpr = 0x3333333333333333 if wide else 0x33333333
    fours: tl.constexpr = 0x0F0F0F0F0F0F0F0F if wide else 0x0F0F0F0F
    bytes: tl.constexpr = 0x0101010101010101 if wide else 0x01010101
    v = v - ((v >> 1) & ones)
    v = (v & twos) + ((v >> 2) & twos)
    v = (v + (v >> 4)) & fours
    return ((v * bytes) >> (56 if wide else 24)).to(tl.int32)


@triton.jit
def popc(x):
    return _count(_bits(x))


@triton.jit
def clz(x):
    v = _bits(x)
    v = v | (v >> 1)
    v = v | (v >> 2)
    v = v | (v >> 4)
    v = v | (v >> 8)
    v = v | (v >> 16)
    if v.dtype.primitive_bitwidth == 64:
        v = v | (v >> 32)
    return _count(~v)


@triton.jit
def ffs(x):
    v = _bits(x)
    lowest = v & (~v + 1)
    return tl.where(v == 0, 0, _count(lowest - 1) + 1)


@triton.jit
def brev(x):
    v = _bits(x)
    wide: tl.constexpr = v.dtype.primitive_bitwidth == 64
    ones: tl.constexpr = 0x5555555555555555 if wide else 0x55555555
    twos: tl.constexpr = 0x3333333333333333 if wide else 0x33333333
    fours: tl.constexpr = 0x0F0F0F0F0F0F0F0F if wide else 0x0F0F0F0F
    bytes: tl.constexpr = 0x00FF00FF00FF00FF if wide else 0x00FF00FF
    v = ((v >> 1) & ones) | ((v & ones) << 1)
    v = ((v >> 2) & twos) | ((v & twos) << 2)
    v = ((v >> 4) & fours) | ((v & fours) << 4)
    v = ((v >> 8) & bytes) | ((v & bytes) << 8)
    if wide:
        v = ((v >> 16) & 0x0000FFFF0000FFFF) | ((v & 0x0000FFFF0000FFFF) << 16)
        v = (v >> 32) | (v << 32)
    else:
        v = (v >> 16) | (v << 16)
    return v.to(x.dtype, bitcast=True)


@triton.jit
def _picked_byte(both, selector, i: tl.constexpr):
    nibble = (selector >> (4 * i)) & 15
    byte = ((both >> ((nibble & 7) * 8).to(tl.uint64)) & 255).to(tl.uint32)
    spread = tl.where((byte & 128) != 0, 255, 0).to(tl.uint32)
    return tl.where((nibble & 8) != 0, spread, byte) << (8 * i)


@triton.jit
def byte_perm(x, y, selector):
    both = (_bits(y).to(tl.uint64) << 32) | _bits(x).to(tl.uint64)
    s = _bits(tl.to_tensor(selector))
    picked = _picked_byte(both, s, 0) | _picked_byte(both, s, 1) | _picked_byte(both, s, 2) | _picked_byte(both, s, 3)
    return picked.to(tl.int32, bitcast=True)


@triton.jit
def sad(x, y, z):
    return tl.where(x > y, x - y, y - x).to(tl.uint32) + z.to(tl.uint32)


@triton.jit
def mul24(x, y):
    return ((x << 8) >> 8) * ((y << 8) >> 8)


@triton.jit
def hadd(x, y):
    return (x & y) + ((x ^ y) >> 1)


@triton.jit
def rhadd(x, y):
    return (x | y) - ((x ^ y) >> 1)


# ---- parts of floats ----


@triton.jit
def hiloint2double(high, low):
    bits = (high.to(tl.uint32, bitcast=True).to(tl.uint64) << 32) | low.to(tl.uint32, bitcast=True).to(tl.uint64)
    return bits.to(tl.float64, bitcast=True)


@triton.jit
def double2hiint(x):
    return (x.to(tl.int64, bitcast=True) >> 32).to(tl.int32)


@triton.jit
def double2loint(x):
    return x.to(tl.int64, bitcast=True).to(tl.int32)


@triton.jit
def _power_of_2(n):
    # 2**n as fp64; n from -1022 to 1023.
    return ((n.to(tl.int64) + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def ldexp(x, n):
    # In two steps, so that neither power leaves the range where x * 2**n does not.
    steps = tl.minimum(tl.maximum(tl.to_tensor(n).to(tl.int32), -2200), 2200)
    half = steps >> 1
    quarter = half >> 1
    rest = steps - half
    value = x.to(tl.float64) * _power_of_2(quarter) * _power_of_2(half - quarter)
    return (value * _power_of_2(rest >> 1) * _power_of_2(rest - (rest >> 1))).to(x.dtype)


@triton.jit
def scalbn(x, n):
    return ldexp(x, n)


@triton.jit
def ilogb(x):
    odd = (x == 0) | (x != x)
    infinite = tl.abs(x) == float("inf")
    exponent = libdevice.logb(tl.where(odd | infinite, 1.0, x)).to(tl.int32)
    return tl.where(odd, -2147483648, tl.where(infinite, 2147483647, exponent))


@triton.jit
def norm3d(x, y, z):
    return libdevice.hypot(libdevice.hypot(x, y), z)


@triton.jit
def norm4d(x, y, z, w):
    return libdevice.hypot(libdevice.hypot(x, y), libdevice.hypot(z, w))


@triton.jit
def rnorm3d(x, y, z):
    return 1.0 / norm3d(x, y, z)


@triton.jit
def rnorm4d(x, y, z, w):
    return 1.0 / norm4d(x, y, z, w)


@triton.jit
def rhypot(x, y):
    return 1.0 / libdevice.hypot(x, y)


@triton.jit
def saturatef(x):
    return tl.minimum(tl.maximum(x, 0.0), 1.0)


@triton.jit
def fast_sigmoid(x):
    return tl.sigmoid(x)


@triton.jit
def fast_gelu(x):
    return 0.5 * x * (1.0 + libdevice.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))
