"""Writes the linker's version script of libkdsl from the public headers: every function that they declare is in KDSL_1.

usage: public_symbols.py SOURCE_DIR OUTPUT DEPFILE HEADER ...
"""
import os
import re
import sys


def declared_functions(text):
    text = re.sub(r"/\*.*?\*/|//[^\n]*|^\s*#(?:[^\n\\]|\\.)*", " ", text, flags=re.S | re.M)
    return re.findall(r"\b(kd_[a-z0-9_]+)\s*\(", text)


def main(source_dir, output, depfile, *headers):
    names, read = set(), []
    for header in headers:
        path = os.path.join(source_dir, header)
        if os.path.exists(path):
            read.append(path)
            with open(path, encoding="utf-8") as file:
                names.update(declared_functions(file.read()))
    with open(output, "w", encoding="utf-8") as file:
        file.write("KDSL_1 {\n")
        if names:
            file.write("    global:\n" + "".join(f"        {name};\n" for name in sorted(names)))
        file.write("};\nKDSL_PRIVATE {\n    global:\n        kd_*;\n    local:\n        *;\n};\n")
    with open(depfile, "w", encoding="utf-8") as file:
        file.write(f"{output}: {' '.join(read)}\n")


main(*sys.argv[1:])
