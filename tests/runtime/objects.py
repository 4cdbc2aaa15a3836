"""Compiles kernels.c in each way that the loader must understand, and writes the objects as a C header.

usage: objects.py SOURCE OUTPUT
"""
import os
import subprocess
import sys
import tempfile

COMMON = ["-c", "-O2", "-Wall", "-ffp-contract=off", "-fno-stack-protector"]
VARIANTS = {
    "gcc_pic": ["gcc", "-fPIC"],
    "gcc_no_pic": ["gcc", "-fno-pic"],
    "gcc_no_plt": ["gcc", "-fPIC", "-fno-plt"],
    "gcc_common": ["gcc", "-fPIC", "-fcommon", "-O0"],
    "gcc_large": ["gcc", "-fno-pic", "-mcmodel=large"],
    "gcc_large_pic": ["gcc", "-fPIC", "-mcmodel=large"],
    "gcc_debug": ["gcc", "-fPIC", "-g", "-O0", "-ffunction-sections", "-fdata-sections"],
    "clang_pic": ["clang-19", "-fPIC"],
    "clang_no_pic": ["clang-19", "-fno-pic"],
    "clang_large": ["clang-19", "-fno-pic", "-mcmodel=large"],
    "clang_large_pic": ["clang-19", "-fPIC", "-mcmodel=large"],
    "clang_debug": ["clang-19", "-fPIC", "-g", "-O0"],
}


def main(source, output):
    names, text = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, command in VARIANTS.items():
            path = os.path.join(folder, name + ".o")
            try:
                subprocess.run(command[:1] + COMMON + command[1:] + ["-o", path, source], check=True)
            except FileNotFoundError:
                continue  # another compiler: the rest still covers the loader
            with open(path, "rb") as file:
                data = file.read()
            rows = [", ".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32)]
            text.append("static const unsigned char object_%s[] = {\n    %s};\n" % (name, ",\n    ".join(rows)))
            names.append(name)
    text.append("static const struct test_object {\n    const char *name;\n    const unsigned char *bytes;\n    size_t n_bytes;\n} OBJECTS[] = {\n")
    text += ["    {\"%s\", object_%s, sizeof object_%s},\n" % (n, n, n) for n in names]
    text.append("};\n")
    with open(output, "w", encoding="ascii") as file:
        file.write("#include <stddef.h>\n\n" + "".join(text))


main(*sys.argv[1:])
