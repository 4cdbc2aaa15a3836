# random.py - Philox (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC11) with 10 rounds, on 32 or 64 bit words.
import triton
import triton.language as tl


@triton.jit
def philox_impl(c0, c1, c2, c3, k0, k1, n_rounds: tl.constexpr = 10):
    # c0 to c3: the counter, k0 and k1: the key; unsigned words of one width.
    wide: tl.constexpr = c0.dtype == tl.uint64
    tl.static_assert(wide or c0.dtype == tl.uint32, "philox_impl works on uint32 and uint64")
    mul0: tl.constexpr = 0xD2E7470EE14C6C93 if wide else 0xD2511F53
    mul1: tl.constexpr = 0xCA5A826395121157 if wide else 0xCD9E8D57
    weyl0: tl.constexpr = 0x9E3779B97F4A7C15 if wide else 0x9E3779B9
    weyl1: tl.constexpr = 0xBB67AE8584CAA73B if wide else 0xBB67AE85
    for _ in tl.static_range(n_rounds):
        high0 = tl.umulhi(c0, mul0)
        high1 = tl.umulhi(c2, mul1)
        low0 = c0 * mul0
        low1 = c2 * mul1
        c0 = high1 ^ c1 ^ k0
        c1 = low1
        c2 = high0 ^ c3 ^ k1
        c3 = low0
        k0 = k0 + weyl0
        k1 = k1 + weyl1
    return c0, c1, c2, c3


@triton.jit
def philox(seed, c0, c1, c2, c3, n_rounds: tl.constexpr = 10):
    key = tl.to_tensor(seed).to(tl.uint64)
    first = tl.to_tensor(c0)
    second = tl.to_tensor(c1)
    third = tl.to_tensor(c2)
    fourth = tl.to_tensor(c3)
    if first.dtype.primitive_bitwidth == 32:
        word: tl.constexpr = tl.uint32
        k0 = (key & 0xFFFFFFFF).to(tl.uint32)
        k1 = (key >> 32).to(tl.uint32)
    else:
        tl.static_assert(first.dtype.primitive_bitwidth == 64, "philox counters have 32 or 64 bits")
        word: tl.constexpr = tl.uint64
        k0 = key
        k1 = key * 0
    return philox_impl(first.to(word, bitcast=True), second.to(word, bitcast=True), third.to(word, bitcast=True),
                       fourth.to(word, bitcast=True), k0, k1, n_rounds)


@triton.jit
def randint4x(seed, offset, n_rounds: tl.constexpr = 10):
    at = tl.to_tensor(offset)
    low = at.to(tl.uint32)
    zero = low * 0
    if at.dtype.primitive_bitwidth > 32:
        high = (at >> 32).to(tl.uint32)
    else:
        high = zero
    return philox(seed, low, high, zero, zero, n_rounds)


@triton.jit
def randint(seed, offset, n_rounds: tl.constexpr = 10):
    a, b, c, d = randint4x(seed, offset, n_rounds)
    return a


@triton.jit
def uint_to_uniform_float(x):
    # Negative numbers are folded onto the others; the factor is just small enough that the result stays below 1.
    if x.dtype.primitive_bitwidth == 32:
        signed = x.to(tl.int32, bitcast=True)
        scale: tl.constexpr = 4.6566127342e-10
    else:
        tl.static_assert(x.dtype.primitive_bitwidth == 64, "uint_to_uniform_float works on integers of 32 and 64 bits")
        signed = x.to(tl.int64, bitcast=True)
        scale: tl.constexpr = 1.0842020432385337e-19
    return tl.where(signed < 0, ~signed, signed) * scale


@triton.jit
def rand(seed, offset, n_rounds: tl.constexpr = 10):
    return uint_to_uniform_float(randint(seed, offset, n_rounds))


@triton.jit
def rand4x(seed, offsets, n_rounds: tl.constexpr = 10):
    a, b, c, d = randint4x(seed, offsets, n_rounds)
    return uint_to_uniform_float(a), uint_to_uniform_float(b), uint_to_uniform_float(c), uint_to_uniform_float(d)


@triton.jit
def pair_uniform_to_normal(u1, u2):
    # Box and Muller; the floor keeps the logarithm finite.
    radius = tl.sqrt(-2.0 * tl.log(tl.maximum(u1, 1.0e-7)))
    angle = 6.283185307179586 * u2
    return radius * tl.cos(angle), radius * tl.sin(angle)


@triton.jit
def randn(seed, offset, n_rounds: tl.constexpr = 10):
    a, b, c, d = randint4x(seed, offset, n_rounds)
    x, y = pair_uniform_to_normal(uint_to_uniform_float(a), uint_to_uniform_float(b))
    return x


@triton.jit
def randn4x(seed, offset, n_rounds: tl.constexpr = 10):
    a, b, c, d = rand4x(seed, offset, n_rounds)
    x, y = pair_uniform_to_normal(a, b)
    z, w = pair_uniform_to_normal(c, d)
    return x, y, z, w
