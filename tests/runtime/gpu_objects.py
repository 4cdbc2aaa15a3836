"""Compiles OpenCL C to SPIR-V, and writes it as a C header or as it is.

usage: gpu_objects.py CLANG LLVM_SPIRV SOURCE OUTPUT [INCLUDE_FOLDER]      OUTPUT: NAME.h or NAME.spv
"""
import os
import subprocess
import sys
import tempfile


def main(clang, translator, source, output, *folders):
    with tempfile.TemporaryDirectory() as folder:
        bitcode, spirv = os.path.join(folder, "k.bc"), os.path.join(folder, "k.spv")
        subprocess.run([clang, "-cc1", "-triple", "spir64-unknown-unknown", "-cl-std=CL3.0", "-finclude-default-header", "-cl-ext=+all",
                        "-O1", "-disable-llvm-passes", "-emit-llvm-bc", *["-I" + f for f in folders], source, "-o", bitcode], check=True)
        subprocess.run([translator, "--spirv-max-version=1.4", "--spirv-ext=+all", bitcode, "-o", spirv], check=True)
        with open(spirv, "rb") as file:
            data = file.read()
    if output.endswith(".spv"):
        with open(output, "wb") as file:
            file.write(data[:4] + bytes([0, 4, 1, 0]) + data[8:])      # spirv-link wants modules of one version: 1.4
        return
    rows = [", ".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32)]
    name = os.path.splitext(os.path.basename(output))[0].removeprefix("test_").upper()
    with open(output, "w", encoding="ascii") as file:
        file.write("static const unsigned char " + name + "[] = {\n    %s};\n" % ",\n    ".join(rows))


main(*sys.argv[1:])
