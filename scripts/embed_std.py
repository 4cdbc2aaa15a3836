"""Writes the library files of the language as C arrays, with kd_std_find.

usage: embed_std.py OUTPUT FILE.py ...

The module's name is the file's without .py; a name without dots stands in the package kdsl.
"""
import os
import sys


def main(output, *paths):
    rows, arrays = [], []
    for i, path in enumerate(sorted(paths)):
        name = os.path.basename(path)[: -len(".py")]
        with open(path, "rb") as file:
            data = file.read()
        values = ",".join(map(str, data + b"\0"))
        arrays.append(f"static const char TEXT_{i}[] = {{{values}}};\n")
        rows.append(f'    {{"{name if "." in name else "kdsl." + name}", TEXT_{i}, sizeof TEXT_{i} - 1}},\n')
    with open(output, "w", encoding="utf-8") as file:
        file.write('#include "dsl/dsl_impl.h"\n\n' + "".join(arrays))
        file.write("\nstatic const struct {\n    const char *module, *text;\n    size_t len;\n} FILES[] = {\n" + "".join(rows) + "};\n")
        file.write("""
kd_str kd_std_find(kd_str dotted_name)
{
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++)
        if (kd_str_is(dotted_name, FILES[i].module))
            return (kd_str){FILES[i].text, FILES[i].len};
    return (kd_str){0};
}
""")


main(*sys.argv[1:])
