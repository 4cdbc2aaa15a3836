/* source_impl.h - between the files that write kernels. */
#ifndef KD_GRAPH_SOURCE_IMPL_H
#define KD_GRAPH_SOURCE_IMPL_H

#include "graph/plan.h"

#include "base/map.h"

/* The loops of a kernel over its group's space: rows (variable ROW) of columns (variable COL). A program instance computes 'rows' rows, and of
 * each a block of columns; a reduction's rows are one block, or it goes over them block by block, in turns. */
enum { KD_LOOP_ROW, KD_LOOP_COL };
/* What a value in a kernel varies along: neither, it is one number; one or both, it is a tile. */
enum { KD_ALONG_ROW = 1, KD_ALONG_COL = 2 };

typedef struct kd_loops {
    int64_t n_rows, n_cols;
    int64_t rows, block; /* the tile's extents, powers of two; rows 1: the row is one number, and tiles have one dimension */
    bool rows_last; /* rows lie along the last dimension of the tile */
    bool needs_mask, rows_need_mask;
    bool in_turns;
    kd_index point[KD_GROUP_MAX_DIMS]; /* the coordinates of the group's space, from ROW and COL */
} kd_loops;

/* Chooses the order of the dimensions by the strides of what is written and read, merges those that can be, and says which are rows. */
kd_status kd_group_choose_loops(const kd_plan *plan, const kd_group *group, kd_loops *out);

/* A value in the kernel: a name or a number. */
typedef struct kd_local {
    const char *text;
    kd_scalar type;
    unsigned along;
} kd_local;

typedef struct kd_line {
    const char *text, *comment; /* comment NULL: none */
} kd_line;

typedef struct kd_lines {
    KD_VEC(kd_line) all;
    kd_map known; /* kd_local *, by the right-hand side */
} kd_lines;

typedef struct kd_writer {
    kd_plan *plan;
    kd_arena *arena;
    const kd_group *group;
    kd_loops loops;
    kd_lines outer, inner; /* inner: what a turn does with a block of columns */
    kd_map members, full_members; /* kd_local *, by the value's pointer; the full ones are forgotten after a turn */
    kd_map names; /* how often a name was taken */
    KD_VEC(kd_local) indices; /* that were computed: KD_ATOM_VALUE's */
    KD_VEC(kd_local) conditions; /* under which elements are read, see kd_piece */
    KD_VEC(kd_buffer *) buffers;
    KD_VEC(const char *) pointers; /* "in0", "out0": their names in the kernel */
    unsigned n_in, n_out;
    KD_VEC(const kd_gnode *) nodes; /* that the kernel computes, those inlined too */
    bool is_too_large; /* an index does not fit the i32 that kernels compute it in */
    bool uses_combine[KD_COMBINE_order + 1]; /* as a function beside the kernel */
    kd_kernel_source *out;
} kd_writer;

/* ---- source_lines.c ---- */

/* The type in which kernels compute with elements of a type: f32 for the half types. */
kd_scalar kd_compute_type(kd_scalar type);
/* What a combination starts from. */
const char *kd_identity_text(kd_combine combine, kd_scalar type);

/* A line that defines nothing: where it belongs by what it varies along. */
void source_add_line(kd_writer *w, unsigned along, const char *text, const char *comment);
/* A name that nothing else in the kernel has: name, name_1, name_2. */
const char *source_fresh_name(kd_writer *w, const char *name);
/* The local that holds what the right-hand side computes; an equal one is found again. */
kd_local source_define(kd_writer *w, const char *name, kd_scalar type, unsigned along, const char *right, const char *comment);
kd_local source_convert(kd_writer *w, kd_local l, kd_scalar type);
const char *source_index_text(kd_writer *w, kd_index at, unsigned *out_along);
kd_local source_load(kd_writer *w, kd_buffer *b, const kd_index *at);
void source_store(kd_writer *w, kd_buffer *b, kd_extent extent, kd_local value);
/* "[ROWS, BLOCK]" */
const char *source_tile_shape(const kd_writer *w);

/* ---- source_nodes.c ---- */

/* What a node computes at a place; of a reduction in turns only its accumulator, which source_finish_reduction makes one of. */
kd_local source_compute(kd_writer *w, const kd_gnode *node, const kd_index *at);
kd_local source_finish_reduction(kd_writer *w, const kd_gnode *node, kd_local accumulator);
/* A member's element at the kernel's point, computed where it has not been yet. */
kd_local source_member(kd_writer *w, const kd_gvalue *value);

#endif
