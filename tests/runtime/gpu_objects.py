"""Compiles OpenCL C to SPIR-V, and writes it as a C header or as it is.

usage: gpu_objects.py CLANG LLVM_SPIRV SOURCE OUTPUT      OUTPUT: NAME.h or NAME.spv
"""
import os
import subprocess
import sys
import tempfile


def main(clang, translator, source, output):
    with tempfile.TemporaryDirectory() as folder:
        bitcode, spirv = os.path.join(folder, "k.bc"), os.path.join(folder, "k.spv")
        subprocess.run([clang, "-cc1", "-triple", "spir64-unknown-unknown", "-cl-std=CL3.0", "-finclude-default-header", "-cl-ext=+all",
                        "-O1", "-emit-llvm-bc", source, "-o", bitcode], check=True)
        subprocess.run([translator, "--spirv-max-version=1.4", "--spirv-ext=+all", bitcode, "-o", spirv], check=True)
        with open(spirv, "rb") as file:
            data = file.read()
    if output.endswith(".spv"):
        with open(output, "wb") as file:
            file.write(data)
        return
    rows = [", ".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32)]
    with open(output, "w", encoding="ascii") as file:
        file.write("static const unsigned char GPU_KERNELS[] = {\n    %s};\n" % ",\n    ".join(rows))


main(*sys.argv[1:])
