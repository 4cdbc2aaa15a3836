"""Writes OpenCL C for messages that move rectangles between global memory and the registers of a sub-group of 16 lanes.

A block has W columns and R rows of B-bit elements. Where a row has more elements than there are lanes, a lane has several neighbours, as one
word. Words go to lanes in the order of rows: word i of a block is element i / 16 of the vector of lane i % 16; the blocks of a message (V of
them, side by side) follow each other. transform: a column's elements of several rows make a dword. transpose: rows and columns change places
first. What lies outside of the surface reads as zero, and is not written.
"""
import sys

TYPES = {8: "uchar", 16: "ushort", 32: "uint", 64: "ulong"}
ROWS = (1, 2, 4, 8, 16, 32)

GENERIC = """#include "emulation.h"

typedef struct surface {
    global char *base;
    int width, height, pitch; /* bytes, rows, bytes */
} surface;

static bool inside(const surface *s, int x, int y, int bytes)
{
    return x >= 0 && y >= 0 && (x + 1) * bytes <= s->width && y < s->height;
}

static ulong element(const surface *s, int x, int y, int bytes)
{
    if (!inside(s, x, y, bytes))
        return 0;
    global char *at = s->base + (long)y * s->pitch + (long)x * bytes;
    return bytes == 1 ? *(global uchar *)at : bytes == 2 ? *(global ushort *)at : bytes == 4 ? *(global uint *)at : *(global ulong *)at;
}

static void put_element(const surface *s, int x, int y, int bytes, ulong v)
{
    if (!inside(s, x, y, bytes))
        return;
    global char *at = s->base + (long)y * s->pitch + (long)x * bytes;
    if (bytes == 1)
        *(global uchar *)at = (uchar)v;
    else if (bytes == 2)
        *(global ushort *)at = (ushort)v;
    else if (bytes == 4)
        *(global uint *)at = (uint)v;
    else
        *(global ulong *)at = v;
}
"""

SHAPES = """
typedef struct shape {
    int mode, bytes, rows, width, count, parts; /* mode: 0 plain, 1 transform, 2 transpose; parts: elements of a word */
} shape;

/* Where part p of word i of a block is. */
static int2 place(const shape *b, int i, int p)
{
    if (b->mode == 1)
        return (int2)(i % b->width, i / b->width * b->parts + p);
    if (b->mode == 2)
        return (int2)(i / b->rows, i % b->rows);
    int words = b->width / b->parts;
    return (int2)(i % words * b->parts + p, i / words);
}

static void put_word(private void *out, int n, int bytes, ulong v)
{
    if (bytes == 1)
        ((private uchar *)out)[n] = (uchar)v;
    else if (bytes == 2)
        ((private ushort *)out)[n] = (ushort)v;
    else if (bytes == 4)
        ((private uint *)out)[n] = (uint)v;
    else
        ((private ulong *)out)[n] = v;
}

static ulong get_word(private void *in, int n, int bytes)
{
    return bytes == 1   ? ((private uchar *)in)[n]
           : bytes == 2 ? ((private ushort *)in)[n]
           : bytes == 4 ? ((private uint *)in)[n]
                        : ((private ulong *)in)[n];
}

static void read_blocks(surface s, int2 at, shape b, int lane, private void *out)
{
    int total = b.rows * b.width / b.parts, words = max(1, total / 16);
    for (int block = 0; block < b.count; block++)
        for (int n = 0; n < words; n++) {
            int i = n * 16 + lane;
            ulong v = 0;
            for (int p = 0; p < b.parts && i < total; p++) {
                int2 from = at + place(&b, i, p) + (int2)(block * b.width, 0);
                v |= element(&s, from.x, from.y, b.bytes) << (p * b.bytes * 8);
            }
            put_word(out, block * words + n, b.bytes * b.parts, v);
        }
}

static void write_block(surface s, int2 at, shape b, int lane, private void *in)
{
    int total = b.rows * b.width / b.parts, words = max(1, total / 16);
    for (int n = 0; n < words; n++) {
        int i = n * 16 + lane;
        ulong v = get_word(in, n, b.bytes * b.parts);
        for (int p = 0; p < b.parts && i < total; p++) {
            int2 to = at + place(&b, i, p);
            put_element(&s, to.x, to.y, b.bytes, v >> (p * b.bytes * 8));
        }
    }
}

"""

CALL = """void OV {name}(global void *base, int width, int height, int pitch, int2 at, private {type} *words)
{{
    {function}((surface){{(global char *)base, width, height, pitch}}, at, (shape){{{mode}, {bytes}, {rows}, {width}, {count}, {parts}}},
               (int)get_sub_group_local_id(), words);
}}
"""

# Of SPV_INTEL_2d_block_io, which has one function for all shapes.
ANY_SHAPE = """void OV __spirv_Subgroup2DBlockLoad{what}INTEL(int bytes, int width, int rows, int count, global void *base, int surface_width,
                                                 int height, int pitch, int2 at, private void *words)
{{
    read_blocks((surface){{(global char *)base, surface_width, height, pitch}}, at, (shape){{{mode}, bytes, rows, width, count, {parts}}},
                (int)get_sub_group_local_id(), words);
}}
"""

PREFETCH = "void OV {name}(global void *base, int width, int height, int pitch, int2 at) {{}}\n"


def variant(kind, bits, rows, width, count):
    mode = {"read_transform": 1, "read_transpose": 2}.get(kind, 0)
    parts = (max(1, width // 16), 32 // bits, 1)[mode]
    return {"name": "intel_sub_group_2d_block_%s_%db_%dr%dx%dc" % (kind, bits, rows, width, count), "type": TYPES[bits * parts], "mode": mode,
            "function": "write_block" if kind == "write" else "read_blocks", "bytes": bits // 8, "rows": rows, "width": width, "count": count,
            "parts": parts}


def main(kind, output):
    shapes = [(bits, rows, width, count) for bits, width, counts in
              ((8, 32, (1, 2)), (8, 64, (1,)), (16, 16, (1, 2)), (16, 32, (1,)), (32, 8, (1, 2)), (32, 16, (1,)), (64, 4, (1, 2)), (64, 8, (1,)))
              for rows in ROWS for count in counts]
    shapes += [(8, rows, 16, count) for rows in ROWS for count in (1, 2, 4)] + [(16, rows, 8, count) for rows in ROWS for count in (1, 2, 4)]
    if kind == "read_transform":
        shapes = [(8, 32, 16, v) for v in (1, 2, 4)] + [(16, rows, 16, v) for rows in (16, 32) for v in (1, 2)]
    elif kind == "read_transpose":
        shapes = [(32, rows, width, 1) for rows in (8, 16, 32) for width in (1, 2, 4, 8)] + [(64, 8, width, 1) for width in (1, 2, 4)]
    elif kind == "write":
        shapes = [shape for shape in shapes if shape[3] == 1 and shape[1] <= 8]
    text = GENERIC + SHAPES if kind != "prefetch" else '#include "emulation.h"\n\n'
    if kind == "prefetch":
        shapes += [(16, rows, 16, 4) for rows in ROWS]
    template = PREFETCH if kind == "prefetch" else CALL
    if kind == "read_transform":
        text += ANY_SHAPE.format(what="Transform", mode=1, parts="4 / bytes")
    elif kind == "read_transpose":
        text += ANY_SHAPE.format(what="Transpose", mode=2, parts="1")
    for shape in shapes:
        text += template.format(**variant(kind, *shape))
    with open(output, "w", encoding="ascii") as file:
        file.write(text)


main(*sys.argv[1:])
