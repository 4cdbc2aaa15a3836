# RUN: verify-diagnostics %s kdsl compile %s --signature "*fp32, i32, *i8, *fp16" --emit kd
import triton
import triton.language as tl


@triton.jit
def wrong(a, b):
    return a > b


@triton.jit
def kernel(p, n, b, h):
    at = tl.arange(0, 8)
    f = tl.zeros([8], tl.float32)
    g = tl.zeros([8], tl.float16)
    m = tl.zeros([8, 16], tl.float32)
    x = tl.reshape(m, [64])  # expected-error {{'tl.reshape' keeps the number of elements, but [8, 16] of fp32 has 128 and [64] of fp32 has 64}}
    x = tl.trans(f)  # expected-error {{'tl.trans' needs two axes or more, but its operand is [8] of fp32}}
    x = tl.permute(m, (0, 0))  # expected-error {{'tl.permute' of [8, 16] of fp32 needs each axis from 0 to 1 once}}
    x = f.T  # expected-error {{'.T' needs rank 2, but the tensor is [8] of fp32}}
    x = tl.split(m)  # expected-error {{'tl.split' needs a last axis of extent 2, but the tensor is [8, 16] of fp32}}
    x = tl.join(f, g)  # expected-error {{'tl.join' needs one type, but its operands are [8] of fp32 and [8] of fp16}}
    x = tl.cat(f, g)  # expected-error {{'tl.cat' needs equal types}}
    x = tl.expand_dims(f, 3)  # expected-error {{'tl.expand_dims' of [8] of fp32 cannot add axis 3}}
    x = tl.squeeze(f, 0)  # expected-error {{'tl.squeeze' drops axes of extent 1, but axis 0 of [8] of fp32 has 8}}
    x = tl.broadcast_to(f, (4,))  # expected-error {{[8] of fp32 cannot be broadcast to [4] of fp32}}
    x = f[0]  # expected-error {{a tensor is indexed with ':' and None only, not with the int 0}}
    x = f[:, :]  # expected-error {{2 indices are too many for [8] of fp32}}
    x = tl.gather(m, at, 0)  # expected-error {{'tl.gather' needs integer indices whose shape differs along axis 0 only}}
    x = m.item()  # expected-error {{'.item' needs a tile of one element, not [8, 16] of fp32}}
    x = tl.sum(f, 1)  # expected-error {{'tl.sum' of axis 1, but the tensor has rank 1}}
    x = tl.sum(n, 0)  # expected-error {{'tl.sum' along an axis needs a tile, but its operand is int32}}
    x = tl.xor_sum(f)  # expected-error {{'input' of 'tl.xor_sum' must be a tile of integers}}
    x = tl.reduce(f, 0, 5)  # expected-error {{'combine_fn' of 'tl.reduce' must be a function, not the int 5}}
    x = tl.reduce(f, 0, wrong)  # expected-error {{the combine function gives int1, but its arguments are fp32}}
    x = tl.reduce((f, m), 0, wrong)  # expected-error {{'tl.reduce' needs tiles of one shape, but they are [8] of fp32 and [8, 16] of fp32}}
    x = tl.cumsum(n)  # expected-error {{'tl.cumsum' needs a tile, but its operand is int32}}
    x = tl.sort(m, 0)  # expected-error {{'tl.sort' works along the last axis only}}
    x = tl.topk(f, 3)  # expected-error {{'k' of 'tl.topk' must be a power of 2 up to 8, not 3}}
    x = tl.histogram(f, 8)  # expected-error {{'input' of 'tl.histogram' must be a rank 1 tile of 32-bit integers}}
    x = tl.dot(m, m)  # expected-error {{'tl.dot' needs equal inner dimensions, but the operands are [8, 16] of fp32 and [8, 16] of fp32}}
    x = tl.dot(f, f)  # expected-error {{'tl.dot' needs two tiles of rank 2 or 3}}
    x = tl.dot(m, m.T.to(tl.float16))  # expected-error {{'tl.dot' needs operands of one type, floats or int8}}
    x = tl.dot(m, m.T, tl.zeros([8, 8], tl.float16))  # expected-error {{needs an accumulator of [8, 8] of fp32, but it is [8, 8] of fp16}}
    x = tl.dot(m, m.T, input_precision="fast")  # expected-error {{'input_precision' is 'tf32', 'tf32x3', 'ieee', 'bf16x3' or 'bf16x6', not 'fast'}}
    x = tl.dot(m, m.T, input_precision="ieee", allow_tf32=False)  # expected-error {{'allow_tf32' is the older spelling of 'input_precision'}}
    x = tl.atomic_add(b, 1)  # expected-error {{'tl.atomic_add' does not work on int8}}
    x = tl.atomic_max(h, 1.0)  # expected-error {{'tl.atomic_max' does not work on fp16}}
    x = tl.atomic_or(p, 1)  # expected-error {{'tl.atomic_or' does not work on fp32}}
    x = tl.atomic_add(p, f)  # expected-error {{'tl.atomic_add' of [8] of fp32 through a pointer of smaller shape}}
    x = tl.atomic_add(p, 1.0, sem="strict")  # expected-error {{'sem' is 'acquire', 'release', 'acq_rel' or 'relaxed', not 'strict'}}
    x = tl.atomic_add(p, 1.0, scope="all")  # expected-error {{'scope' is 'gpu', 'cta' or 'sys', not 'all'}}
    x = tl.atomic_cas(b, 1, 2)  # expected-error {{'tl.atomic_cas' works on 16, 32 and 64 bits, not on int8}}
    x = tl.multiple_of(m, 8)  # expected-error {{'tl.multiple_of' takes one value an axis: 2 for [8, 16] of fp32, but 1 are given}}
    tl.static_assert(n > 0)  # expected-error {{'tl.static_assert' needs a condition that is known at compile time}}
    tl.static_assert(1 > 2, "one is not more than two")  # expected-error {{static assertion failed: one is not more than two}}
    x = tl.inline_asm_elementwise("mov", "=r", [f], dtype=tl.float32, is_pure=True, pack=1)  # expected-error {{'tl.inline_asm_elementwise' is inline PTX, which cannot be compiled for this target}}
    x = tl.extra.cuda.globaltimer()  # expected-error {{is for the hardware of one vendor, which this target is not}}
    x = tl.extra.cuda.no_such_function(1, key=2)  # expected-error {{is for the hardware of one vendor, which this target is not}}
    x = tl._experimental_descriptor_load(p, [0], [8], tl.float32)  # expected-error {{needs a descriptor that the host makes for NVIDIA hardware}}
    x = int(n)  # expected-error {{'int' works at compile time: cast a tensor with .to(tl.int32)}}
    x = float("one")  # expected-error {{'float' cannot read the string 'one'}}
    x = tl.constexpr(n)  # expected-error {{'value' of 'tl.constexpr' must be known at compile time, not a run-time int32}}
    x = tl.get_int_dtype(24, True)  # expected-error {{there is no integer type of 24 bits}}
    for i in range(0, 8, 0):  # expected-error {{the step of 'range' is 0}}
        x = 1
