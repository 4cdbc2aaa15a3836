# What the language knows by name, but no target of ours can do.
# RUN: verify-diagnostics %s kdsl compile %s --signature "*fp32" --emit kd
import triton
import triton.language as tl
import triton.language.extra.cuda as cuda
from triton.language.extra import libdevice


@triton.jit
def annotated(p: tl.const, d: tl.tensor_descriptor_type, n: tl.constexpr_type):
    return 0


@triton.jit
def kernel(p):
    x = tl.load(p) + annotated(p, None, 1)
    a = tl.extern_elementwise("lib", "path", [x], None, True)  # expected-error {{'tl.extern_elementwise' calls a library of another target's code}}
    a = tl.condition(x > 0)  # expected-error {{'tl.condition' cannot be called in a kernel}}
    a = tl.atomic_poll(p, 1)  # expected-error {{'tl.atomic_poll' cannot be called in a kernel}}
    tl._experimental_descriptor_store(p, x, [0])  # expected-error {{needs a descriptor that the host makes for NVIDIA hardware}}
    a = tl._experimental_reinterpret_tensor_descriptor(p, [8], tl.float32)  # expected-error {{needs a descriptor that the host makes}}
    a = tl.extra.cuda.smid()  # expected-error {{is for the hardware of one vendor}}
    tl.extra.cuda.gdc_wait()  # expected-error {{is for the hardware of one vendor}}
    tl.extra.cuda.gdc_launch_dependents()  # expected-error {{is for the hardware of one vendor}}
    a = tl.extra.cuda.convert_custom_float8(x, tl.float16)  # expected-error {{is for the hardware of one vendor}}
    a = cuda.whatever(x)  # expected-error {{this function is for the hardware of one vendor, which this target is not}}
    a = libdevice.jn(1, x)  # expected-error {{'libdevice.jn' cannot be called in a kernel}}
    a = libdevice.yn(1, x)  # expected-error {{'libdevice.yn' cannot be called in a kernel}}
    a = type(x)  # expected-error {{'type' cannot be called in a kernel}}
    a = dict(y=1)  # expected-error {{'dict' cannot be called in a kernel}}
    a = object()  # expected-error {{'object' cannot be called in a kernel}}
