# Lanes of a sub-group: where registers have 32 bytes and a tile takes a quarter of them all, twice as many sub-groups have half the lanes.
# RUN: kdsl compile %project/examples/softmax.py:softmax_kernel -s 'x=*fp32:16, out=*fp32:16, n=i32:16, sx=i32:16, so=i32:16, BLOCK=4096' --num-warps 8 --target spirv:dg2 --emit header --no-cache | FileCheck %s --check-prefix=HALF
# RUN: kdsl compile %project/examples/softmax.py:softmax_kernel -s 'x=*fp32:16, out=*fp32:16, n=i32:16, sx=i32:16, so=i32:16, BLOCK=2048' --num-warps 8 --target spirv:dg2 --emit header --no-cache | FileCheck %s
# RUN: kdsl compile %project/examples/softmax.py:softmax_kernel -s 'x=*fp32:16, out=*fp32:16, n=i32:16, sx=i32:16, so=i32:16, BLOCK=4096' --num-warps 8 --target spirv:dg2:sg32 --emit header --no-cache | FileCheck %s
# RUN: kdsl compile %project/examples/softmax.py:softmax_kernel -s 'x=*fp32:16, out=*fp32:16, n=i32:16, sx=i32:16, so=i32:16, BLOCK=4096' --num-warps 8 --target spirv:bmg --emit header --no-cache | FileCheck %s
# RUN: kdsl compile %project/examples/softmax.py:softmax_kernel -s 'x=*fp32:16, out=*fp32:16, n=i32:16, sx=i32:16, so=i32:16, BLOCK=65536' --num-warps 32 --target spirv:dg2 --emit header --no-cache | FileCheck %s --check-prefix=MOST
# HALF:  WORK_GROUP = 256, /* work-items: 16 sub-groups of 16 lanes
# CHECK: WORK_GROUP = 256, /* work-items: 8 sub-groups of 32 lanes
# MOST:  WORK_GROUP = 1024, /* work-items: 64 sub-groups of 16 lanes
