# RUN: verify-diagnostics %s kdsl compile %s --signature "*fp32, *fp16, fp32" --emit kd
import triton
import triton.language as tl


@triton.jit
def kernel(p, q, x):
    i8 = tl.zeros([4], tl.int8)
    i32 = tl.zeros([4], tl.int32)
    u32 = tl.zeros([4], tl.uint32)
    f32 = tl.zeros([4], tl.float32)
    f8 = tl.zeros([4], tl.float8e5)
    a = i8 + 1000  # expected-error {{the int 1000 is out of range for int8}}
    a = i8 < 1000  # expected-error {{the int 1000 is out of range for int8}}
    a = u32 + -1  # expected-error {{'+' of uint32 and the int -1, which cannot be negative: cast one of them}}
    a = i32 // u32  # expected-error {{'//' cannot combine int32 and uint32, which differ in sign: cast one of them}}
    a = i32 % u32  # expected-error {{'%' cannot combine int32 and uint32, which differ in sign}}
    a = f32 // 2.0  # expected-error {{'//' works on integers, but the operands are [4] of fp32: use tl.floor(a / b)}}
    a = f32 & 1  # expected-error {{'&' works on integers, not on [4] of fp32 and the int 1}}
    a = f32 << i32  # expected-error {{'<<' works on integers}}
    a = f32 ** 2  # expected-error {{'**' works on compile-time numbers only}}
    a = f32 @ f32  # expected-error {{'@' does not work on tensors: use tl.dot}}
    a = f8 + i32  # expected-error {{'+' cannot combine fp8e5 and int32}}
    a = p + q  # expected-error {{'+' cannot combine a run-time pointer<fp32> and a run-time pointer<fp16>}}
    a = p - p  # expected-error {{'-' cannot combine a run-time pointer<fp32> and a run-time pointer<fp32>}}
    a = p + 1.5  # expected-error {{'+' cannot combine a run-time pointer<fp32> and the float 1.5}}
    a = p * 2  # expected-error {{'*' cannot combine a run-time pointer<fp32> and the int 2}}
    a = f32 + "a"  # expected-error {{'+' does not work on the string 'a'}}
    a = f32 + None  # expected-error {{'+' does not work on None}}
    a = f32 + tl.zeros([8], tl.float32)  # expected-error {{'+' cannot combine the shapes of [4] of fp32 and [8] of fp32: axis 0 has 4 and 8}}
    a = -p  # expected-error {{unary '-' does not work on pointer<fp32>}}
    a = ~f32  # expected-error {{unary '~' does not work on [4] of fp32}}
    a = +f32  # expected-error {{unary '+' does not work on [4] of fp32}}
    a = not i32  # expected-error {{'not' works on int1, not on [4] of int32: compare it with 0}}
    a = i32 and i32  # expected-error {{'and' works on int1, not on [4] of int32}}
    a = i32 in (1, 2)  # expected-error {{'in' needs a compile-time value and a tuple}}
