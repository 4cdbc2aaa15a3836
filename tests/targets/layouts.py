# The layouts of a kernel's tiles, as tables and as one picture.
# RUN: kdsl compile %s -s '*fp32:16, *fp32:16' --target spirv:bmg --num-warps 2 --sub-group-size 16 --emit layouts | FileCheck %s
# RUN: kdsl compile %s -s '*fp32:16, *fp32:16' --target spirv:bmg --num-warps 2 --sub-group-size 16 --emit layouts-svg -o %t.svg
# RUN: FileCheck %s --check-prefix=SVG --input-file=%t.svg
# RUN: python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' %t.svg
# RUN: kdsl compile %s -s '*fp32:16, *fp32:16' --target spirv:bmg --num-warps 4 --sub-group-size 16 --emit layouts-svg -o %t.svg
# RUN: FileCheck %s --check-prefix=DARK --input-file=%t.svg
# DARK:        ">0.0</text><title>[0, 96]: sub-group 3, lane 0,
# DARK:        fill="white">15.1</text><title>[0, 127]: sub-group 3, lane 15,
# CHECK:       tile<128xi32, r:1,2|l:4,8,16,32|s:64>
# CHECK-NEXT:  128 elements, 4 registers x 16 lanes x 2 sub-groups
# CHECK:       sub-group + 1     -> + [64]
# CHECK:       0:0.0     0:0.1     0:0.2     0:0.3     0:1.0
# SVG:         <svg xmlns="http://www.w3.org/2000/svg" width="100%" height="[[#]]">
# SVG-NEXT:    <svg xmlns="http://www.w3.org/2000/svg" y="0"
# SVG:         >tile&lt;128xi32, r:1,2|l:4,8,16,32|s:64&gt;</text>
# SVG:         <title>[0, 127]: sub-group 1, lane 15, register 3</title>
# SVG:         <svg xmlns="http://www.w3.org/2000/svg" y="94"
import triton
import triton.language as tl


@triton.jit
def copy(x, out):
    i = tl.arange(0, 128)
    tl.store(out + i, tl.load(x + i))
