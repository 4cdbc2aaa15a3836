# RUN: verify-diagnostics %s kdsl compile %s --signature "*fp32, i32, *i8" --emit kd
import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def kernel(p, n, b):
    at = tl.arange(0, 8)
    f = tl.zeros([8], tl.float32)
    h = tl.zeros([8], tl.float16)
    m = tl.zeros([8, 16], tl.float32)
    block = tl.make_block_ptr(p, (n, n), (n, 1), (0, 0), (8, 16), (1, 0))
    desc = tl.make_tensor_descriptor(p, [n, n], [n, 1], [8, 16])
    x = tl.load(p, mask=True, othr=1.0)  # expected-error {{'tl.load' has no parameter 'othr'; did you mean 'other'?}}
    x = tl.load()  # expected-error {{'tl.load' needs 'pointer'}}
    x = tl.exp(f, f)  # expected-error {{'tl.exp' takes at most 1 argument by position, but 2 are given}}
    x = tl.where(at > 0, f, x=f)  # expected-error {{'tl.where' gets 'x' twice}}
    x = tl.lod(p)  # expected-error {{'tl' has no 'lod'; did you mean 'load'?}}
    x = f.summ()  # expected-error {{[8] of fp32 has no attribute 'summ'; did you mean 'sum'?}}
    x = f.dtype.is_float()  # expected-error {{the type fp32 has no attribute 'is_float'}}
    x = tl.program_id(3)  # expected-error {{'tl.program_id' takes axis 0, 1 or 2, not 3}}
    x = tl.program_id(n)  # expected-error {{'axis' of 'tl.program_id' must be a compile-time integer, not a run-time int32}}
    x = tl.arange(0, 12)  # expected-error {{the length of 'tl.arange' must be a power of 2, not 12}}
    x = tl.arange(4, 4)  # expected-error {{'tl.arange' needs 0 <= start < end below 2**31, but start is 4 and end is 4}}
    x = tl.arange(0, n)  # expected-error {{'end' of 'tl.arange' must be a compile-time integer}}
    x = tl.zeros([3], tl.float32)  # expected-error {{'tl.zeros' needs extents that are powers of 2, but axis 0 has 3}}
    x = tl.zeros([2048, 1024], tl.float32)  # expected-error {{'tl.zeros' makes a tile of more than 1048576 elements}}
    x = tl.zeros([8], 5)  # expected-error {{'dtype' of 'tl.zeros' must be a type, not the int 5}}
    x = tl.full([4], f, tl.float32)  # expected-error {{'tl.full' fills with one number, not with [8] of fp32}}
    x = tl.load(f)  # expected-error {{'pointer' of 'tl.load' must be a pointer, not [8] of fp32}}
    x = tl.load(p + at, other=0.0)  # expected-error {{'other' of 'tl.load' needs a mask}}
    x = tl.load(p + at, mask=at)  # expected-error {{the mask of 'tl.load' must be int1, not [8] of int32}}
    x = tl.load(p, mask=at > 0)  # expected-error {{'mask' of 'tl.load' has a larger shape than the pointer}}
    x = tl.load(p, cache_modifier="ca")  # expected-error {{'cache_modifier' is one of '.ca', '.cg'}}
    x = tl.load(p, eviction_policy="never")  # expected-error {{'eviction_policy' is 'evict_first', 'evict_last' or '', not 'never'}}
    x = tl.load(p, boundary_check=(0,))  # expected-error {{'boundary_check' is for block pointers}}
    x = tl.load(block, mask=at > 0)  # expected-error {{'mask' and 'other' are not for block pointers: use boundary_check and padding_option}}
    x = tl.load(block, boundary_check=(2,))  # expected-error {{'boundary_check' of axis 2, but the block has rank 2}}
    x = tl.load(block, padding_option="one")  # expected-error {{'padding_option' is 'zero', 'nan' or '', not 'one'}}
    tl.store(p, f)  # expected-error {{'value' of 'tl.store' has a larger shape than the pointer}}
    tl.store(p, None)  # expected-error {{'value' of 'tl.store' must be a number or tensor, not None}}
    x = tl.make_block_ptr(p, (n,), (n, 1), (0, 0), (8, 16), (1, 0))  # expected-error {{'shape' of 'tl.make_block_ptr' needs 2 values, but has 1}}
    x = tl.make_block_ptr(p, (n, n), (n, 1), (0, 0), (8, 16), (0, 0))  # expected-error {{'order' of 'tl.make_block_ptr' names each axis from 0 to 1 once}}
    x = tl.make_block_ptr(at, (n,), (1,), (0,), (8,), (0,))  # expected-error {{'base' of 'tl.make_block_ptr' must be a scalar pointer}}
    x = tl.advance(p, (1,))  # expected-error {{'base' of 'tl.advance' must be a block pointer}}
    x = tl.make_tensor_descriptor(p, [n, n], [1, n], [8, 16])  # expected-error {{the last stride of 'tl.make_tensor_descriptor' must be 1 at compile time}}
    x = desc.load([0])  # expected-error {{'offsets' of '.load' needs 2 values, but has 1}}
    desc.store([0, 0], f)  # expected-error {{'.store' takes a block of [8, 16] of fp32, not [8] of fp32}}
    x = tl.exp(h)  # expected-error {{'tl.exp' works on fp32 and fp64, not on [8] of fp16: cast with .to(tl.float32)}}
    x = tl.sqrt(at)  # expected-error {{'tl.sqrt' works on fp32 and fp64, not on [8] of int32}}
    x = libdevice.tanh(h)  # expected-error {{'libdevice.tanh' works on fp32 and fp64, not on [8] of fp16}}
    x = libdevice.float_as_int(h)  # expected-error {{'libdevice.float_as_int' works on fp32, not on [8] of fp16}}
    x = tl.umulhi(h, h)  # expected-error {{'tl.umulhi' works on integers of 32 and 64 bits, not on fp16}}
    x = f.to(tl.float16, bitcast=True)  # expected-error {{cannot bitcast fp32 to fp16: 32 bits against 16}}
    x = f.to(tl.float16, fp_downcast_rounding="up")  # expected-error {{the rounding of a cast is 'rtne' or 'rtz', not 'up'}}
    x = h.to(tl.float32, fp_downcast_rounding="rtz")  # expected-error {{rounding is chosen for casts to narrower floats, but this one is from fp16 to fp32}}
    x = p.to(tl.int32)  # expected-error {{a pointer can become int64, uint64 or int1, but not int32}}
    x = f.to(p.dtype)  # expected-error {{[8] of fp32 cannot become pointer<fp32>}}
