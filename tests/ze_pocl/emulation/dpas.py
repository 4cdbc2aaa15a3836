"""Writes OpenCL C for the systolic array: d = a * b + c on tiles that the lanes of a sub-group share.

c, d: M x N, N lanes: a lane is a column, element i of its vector is row i.
a: M x K. Each lane has one word of each row: with 16 lanes 16 bits (2 bytes of i8, 1 of f16), with 8 lanes 32 bits.
b: K x N. A lane is a column; dword i has the elements of rows i * n .. i * n + n - 1, n of them in a dword, the first one lowest.
tf32, 16 lanes: a is M x 8; vector element i is row 2 i in lanes 0 to 7 and row 2 i + 1 in lanes 8 to 15.

The lanes meet in a table in the private memory of lane 0, which is ordinary memory for PoCL.
"""
import sys

# elem: function, bits of an element of a and b, type of a product, how a word's i-th element becomes a number
KINDS = {
    "bf16": ("intel_sub_group_bf16_bf16_matrix_mad_k16", 16, "float", "from_bf16((ushort)({w} >> 16 * {i}))"),
    "f16": ("intel_sub_group_f16_f16_matrix_mad_k16", 16, "float", "(float)as_half((ushort)({w} >> 16 * {i}))"),
}
for a in ("i8", "u8"):
    for b in ("i8", "u8"):
        KINDS[a + b] = ("intel_sub_group_%s_%s_matrix_mad_k32" % (a, b), 8, "int", None)


def number(kind, operand, word, i):
    if kind in ("bf16", "f16"):
        return KINDS[kind][3].format(w=word, i=i)
    unsigned = (kind[:2] if operand == "a" else kind[2:]) == "u8"
    return "(int)(%s)(%s >> 8 * %s)" % ("uchar" if unsigned else "char", word, i)


def vector(type, n):
    return type if n == 1 else type + str(n)


def at(name, n, i):
    return name if n == 1 else "%s[%s]" % (name, i)


EXCHANGE = """    uint table[8 * 16], lane = get_sub_group_local_id();
    ulong base = sub_group_shuffle((ulong)table, 0u);
    private uint *shared = lane == 0 ? table : (private uint *)base;
    sub_group_barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = 0; i < {n}; i++)
        shared[i * 16 + lane] = {word};
    sub_group_barrier(CLK_LOCAL_MEM_FENCE);
"""


def dpas(kind, lanes, m, acc):
    name, bits, product, _ = KINDS[kind]
    unsigned_a, unsigned_b = kind[:2] == "u8", kind[2:] == "u8"
    word = ("ushort" if unsigned_a else "short") if lanes == 16 else ("uint" if unsigned_a else "int")
    of_word, of_dword = (16 if lanes == 16 else 32) // bits, 32 // bits
    a, b, c = vector(word, m), ("uint8" if unsigned_b else "int8"), vector(acc, m)
    unsigned_word = "ushort" if lanes == 16 else "uint"
    load, store = {"float": ("%s", "%s"), "int": ("%s", "%s"), "half": ("(float)%s", "convert_half(%s)"),
                   "short": ("from_bf16((ushort)%s)", "(short)to_bf16(%s)")}[acc]
    text = "%s OV %s(%s a, %s b, %s c)\n{\n" % (c, name, a, b, c)
    text += EXCHANGE.format(n=m, word="(uint)(%s)%s" % (unsigned_word, at("a", m, "i")))
    text += "    %s d = c;\n    for (uint row = 0; row < %d; row++) {\n" % (c, m)
    text += "        %s sum = %s;\n" % (product, load % at("c", m, "row"))
    text += "        for (uint k = 0; k < %d; k++) {\n" % (lanes * of_word)
    text += "            uint x = shared[row * 16 + k / %d], y = (uint)b[k / %d];\n" % (of_word, of_dword)
    text += "            sum += %s * %s;\n" % (number(kind, "a", "x", "(k %% %d)" % of_word), number(kind, "b", "y", "(k %% %d)" % of_dword))
    text += "        }\n        %s = %s;\n    }\n    sub_group_barrier(CLK_LOCAL_MEM_FENCE);\n    return d;\n}\n\n" % (at("d", m, "row"), store % "sum")
    return text


def tf32(m):
    n = max(1, m // 2)
    c, a = vector("float", m), vector("float", n)
    text = "%s OV intel_sub_group_tf32_tf32_matrix_mad_k8(%s a, float8 b, %s c)\n{\n" % (c, a, c)
    text += EXCHANGE.format(n=n, word="as_uint(%s) & 0xffffe000u" % at("a", n, "i"))
    text += "    %s d = c;\n    for (uint row = 0; row < %d; row++) {\n        float sum = %s;\n" % (c, m, at("c", m, "row"))
    text += "        for (uint k = 0; k < 8; k++)\n"
    text += "            sum += as_float(shared[row / 2 * 16 + row % 2 * 8 + k]) * as_float(as_uint(b[k]) & 0xffffe000u);\n"
    text += "        %s = sum;\n    }\n    sub_group_barrier(CLK_LOCAL_MEM_FENCE);\n    return d;\n}\n\n" % at("d", m, "row")
    return text


def main(lanes, output):
    text = '#include "emulation.h"\n\n'
    for m in (1, 2, 4, 8):
        for kind in KINDS:
            accs = {"bf16": ["float", "short"], "f16": ["float", "half"]}.get(kind, ["int"])
            for acc in accs:
                text += dpas(kind, int(lanes), m, acc)
        if lanes == "16":
            text += tf32(m)
    with open(output, "w", encoding="ascii") as file:
        file.write(text)


main(*sys.argv[1:])
