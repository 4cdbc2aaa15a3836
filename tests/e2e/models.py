"""Bit-exact NumPy models: narrow floats and the Philox generator.

A format is its table of numbers: the encodings from 0 up, in order, are the finite numbers from 0 up.
"""
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Format:
    name: str
    n_bits: int
    n_mantissa: int
    bias: int
    n_finite: int          # encodings 0 ... n_finite - 1 are finite
    inf: int = -1          # encoding of infinity
    nan: int = -1          # encoding of a NaN
    negative_zero: bool = True

    @property
    def sign(self):
        return 1 << (self.n_bits - 1)

    @property
    def uint(self):
        return np.dtype("u%d" % (self.n_bits // 8))

    def finite(self):
        """All finite numbers from 0 up, as float64."""
        code = np.arange(self.n_finite, dtype=np.int64)
        exponent, mantissa = code >> self.n_mantissa, code & ((1 << self.n_mantissa) - 1)
        normal = exponent > 0
        significand = np.where(normal, mantissa + (1 << self.n_mantissa), mantissa).astype(np.float64)
        return np.ldexp(significand, np.where(normal, exponent, 1) - self.bias - self.n_mantissa)

    def all_codes(self):
        return np.arange(1 << self.n_bits, dtype=np.int64).astype(self.uint)

    def decode(self, bits):
        """Encodings to float64."""
        bits = np.asarray(bits).astype(np.int64)
        table = np.full(self.sign, np.nan)
        table[:self.n_finite] = self.finite()
        if self.inf >= 0:
            table[self.inf] = np.inf
        number = table[bits & (self.sign - 1)]
        out = np.where(bits & self.sign, -number, number)
        if not self.negative_zero:
            out[bits == self.sign] = np.nan
        return out

    def encode(self, x, toward_zero=False, saturate=None):
        """float64 to the nearest encodings, ties to even; too large: infinity, or the largest where the format saturates (fp8)."""
        saturate = self.n_bits == 8 if saturate is None else saturate
        x = np.asarray(x, np.float64)
        grid, size = self.finite(), np.abs(x)
        with np.errstate(all="ignore"):
            high = np.clip(np.searchsorted(grid, size), 1, self.n_finite - 1)
            low = high - 1
            past, left = size - grid[low], grid[high] - size            # exact: all are multiples of one small power of 2
            code = np.where((past > left) | ((past == left) & (high % 2 == 0)), high, low)
            code = np.where(size >= grid[high], high, code)
            if toward_zero:
                code = np.where(size < grid[high], low, high)
            largest = self.n_finite - 1
            ulp = grid[-1] - grid[-2]
            if saturate or self.inf < 0:
                code = np.where(size >= grid[-1], largest, code)
            elif not toward_zero:
                code = np.where(size >= grid[-1] + ulp / 2, self.inf, code)
        if self.inf >= 0 and not saturate:
            code = np.where(np.isinf(x), self.inf, code)
        negative = np.signbit(x)
        if not self.negative_zero:
            negative &= code != 0
        code = code + negative * self.sign
        if self.nan >= 0:
            code = np.where(np.isnan(x), self.nan, code)
        return code.astype(self.uint)


F16 = Format("f16", 16, 10, 15, 0x7C00, inf=0x7C00, nan=0x7E00)
BF16 = Format("bf16", 16, 7, 127, 0x7F80, inf=0x7F80, nan=0x7FC0)
E4M3 = Format("fp8e4nv", 8, 3, 7, 0x7F, nan=0x7F)
E5M2 = Format("fp8e5", 8, 2, 15, 0x7C, inf=0x7C, nan=0x7E)
E4M3_B8 = Format("fp8e4b8", 8, 3, 8, 0x80, nan=0x80, negative_zero=False)
E5M2_B16 = Format("fp8e5b16", 8, 2, 16, 0x80, nan=0x80, negative_zero=False)
E2M1 = Format("e2m1", 8, 1, 1, 8)                 # in the low 4 bits; the sign is bit 3
FORMATS = {f.name: f for f in (F16, BF16, E4M3, E5M2, E4M3_B8, E5M2_B16)}


def is_nan(format, bits):
    return np.isnan(format.decode(bits))


def interesting(format):
    """float32 numbers around every finite number of a format: itself, half-way points and their neighbours, and what overflows."""
    grid = format.finite()
    step = max(1, len(grid) // 3000)
    at = np.unique(np.concatenate([np.arange(0, len(grid) - 1, step), np.arange(min(64, len(grid) - 1)), np.arange(max(0, len(grid) - 66), len(grid) - 1)]))
    low, high = grid[at], grid[at + 1]
    half = ((low + high) / 2).astype(np.float32)
    points = [low.astype(np.float32), half, np.nextafter(half, np.float32(0)), np.nextafter(half, np.float32(np.inf))]
    top = np.float32(grid[-1])
    ulp = np.float32(grid[-1] - grid[-2])
    with np.errstate(over="ignore"):
        edge = np.array([top, top + ulp / 2, np.nextafter(top + ulp / 2, np.float32(0)), top + ulp, top * 2, 3e38, np.inf, np.nan, 1e-45, 1e-38], np.float32)
    points = np.concatenate(points + [edge])
    return np.concatenate([points, -points]).astype(np.float32)


# ---- Philox4x32-10 and Philox4x64-10 (Salmon et al., SC 2011) ----

def mulhilo64(a, b):
    low = np.uint64(0xFFFFFFFF)
    s = np.uint64(32)
    a0, a1, b0, b1 = a & low, a >> s, b & low, b >> s
    mid = a1 * b0 + (a0 * b0 >> s)
    mid2 = a0 * b1 + (mid & low)
    return a1 * b1 + (mid >> s) + (mid2 >> s), a * b


def philox(seed, c0, c1=0, c2=0, c3=0, rounds=10, bits=32):
    """Four words for each counter."""
    c = [np.broadcast_to(np.asarray(v).astype(np.uint64), np.shape(c0)).copy() for v in (c0, c1, c2, c3)]
    mask = np.uint64(0xFFFFFFFF)
    with np.errstate(over="ignore"):
        if bits == 32:
            a, b, ka, kb = (np.uint64(v) for v in (0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85))
            k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32 & 0xFFFFFFFF)
            for _ in range(rounds):
                p0, p1 = c[0] * a, c[2] * b
                c = [(p1 >> np.uint64(32)) ^ c[1] ^ k0, p1 & mask, (p0 >> np.uint64(32)) ^ c[3] ^ k1, p0 & mask]
                k0, k1 = (k0 + ka) & mask, (k1 + kb) & mask
            return [w.astype(np.uint32) for w in c]
        a, b, ka, kb = (np.uint64(v) for v in (0xD2E7470EE14C6C93, 0xCA5A826395121157, 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B))
        k0, k1 = np.uint64(seed), np.uint64(0)
        for _ in range(rounds):
            (h0, l0), (h1, l1) = mulhilo64(c[0], a), mulhilo64(c[2], b)
            c = [h1 ^ c[1] ^ k0, l1, h0 ^ c[3] ^ k1, l0]
            k0, k1 = k0 + ka, k1 + kb
        return c


def uniform(words):
    """uint_to_uniform_float of 32-bit words."""
    x = words.view(np.int32)
    return np.where(x < 0, ~x, x).astype(np.float32) * np.float32(4.6566127342e-10)
