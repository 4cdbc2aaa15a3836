# The first kernel everybody writes, as IR.
# RUN: kdsl compile %s -s "*fp32:16, *fp32:16, *fp32, i32:16, 64" --emit kd | FileCheck %s
# RUN: kdsl compile %s:add@13 -s "n=i32:16, x_ptr=*fp32:16, y_ptr=*fp32:16, out_ptr=*fp32" --emit kd | FileCheck %s

import torch
import triton
import triton.language as tl

DEVICE = torch.device("cuda")


# CHECK:      func @add(%x_ptr: ptr<f32> {divisibility = 16}, %y_ptr: ptr<f32> {divisibility = 16}, %out_ptr: ptr<f32>, %n: i32 {divisibility = 16}) kernel {
@triton.jit
def add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr = 64):
    """Adds two vectors."""
    # CHECK-NEXT: %[[PID:.*]] = kd.program_id {axis = 0} : i32
    pid = tl.program_id(axis=0)
    # CHECK:      %offs = kd.add {{.*}} : tile<64xi32>
    offs = pid * BLOCK + tl.arange(0, BLOCK)
    # CHECK:      %mask = kd.cmp lt %offs, {{.*}} : tile<64xi1>
    mask = offs < n
    # CHECK:      %x = kd.load {{.*}}, %mask : tile<64xf32>
    x = tl.load(x_ptr + offs, mask=mask)
    y = tl.load(y_ptr + offs, mask=mask)
    # CHECK:      %[[SUM:.*]] = kd.add %x, %y : tile<64xf32>
    # CHECK-NEXT: kd.store {{.*}}, %[[SUM]], %mask
    # CHECK-NEXT: kd.return
    tl.store(out_ptr + offs, x + y, mask=mask)


def host_code(x, y):
    with torch.no_grad():
        out = torch.empty_like(x)
        add[(triton.cdiv(x.numel(), 64),)](x, y, out, x.numel())
    return out
