/* scatter.c - the kernel that puts rows where indices say, one after the other, so that the last one wins and sums are taken in order.
 *
 * self is [batch, places, columns], values [batch, indices, columns], index the same or with one column for all. A program instance has some
 * columns of one batch entry, which nobody else writes: it copies them, and then goes over the indices. Places that there are not are left out.
 * decompose_index.c compares each place with each index where that is less work. */
#include "graph/kernel_text.h"

#include <inttypes.h>

enum { SELF = 0, INDEX = 1, VALUES = 2, HOW = 3, BATCH = 0, ROW = 1, COLUMN = 2, MAX_COLUMNS = 256, COPIED = 1024 };

typedef struct scatter_text {
    kd_kernel_text k;
    int64_t n_places, n_indices, n_columns, columns;
    const char *ends; /* what holds for columns that there are; NULL: for all */
} scatter_text;

/* "self + batch * 64 + place * 8 + col" */
static const char *places_of(scatter_text *s, const char *pointer, const kd_strided *t, int64_t offset, const char *row)
{
    int64_t strides[3];
    for (unsigned d = 0; d < 3; d++)
        strides[d] = t->shape[d] == 1 && d == BATCH ? 0 : t->strides[d];
    if (s->n_columns == 1)
        strides[COLUMN] = 0;
    return kernel_places(&s->k, pointer, 3, strides, offset, (const char *const[]){"batch", row, "col"});
}

static const char *operand_places(scatter_text *s, unsigned arg, const char *pointer, const char *row, kd_strided *out)
{
    const kd_gvalue *operand = kd_gnode_tensor(s->k.node, arg), *base;
    int64_t offset;
    (void)kd_access_strided(s->k.arena, operand, &base, out, &offset); /* prepare.c saw to it */
    kernel_reads(&s->k, pointer, kd_plan_info(s->k.plan, base)->buffer, (uint64_t)kd_tensor_n_elems(&operand->type));
    return places_of(s, pointer, out, offset, row);
}

static const char *combined(kd_scatter_kind how)
{
    switch (how) {
    case KD_SCATTER_ADD: return "old + value";
    case KD_SCATTER_MULTIPLY: return "old * value";
    case KD_SCATTER_MAX: return "tl.maximum(old, value, propagate_nan=tl.PropagateNan.ALL)";
    case KD_SCATTER_MIN: return "tl.minimum(old, value, propagate_nan=tl.PropagateNan.ALL)";
    default: return "value";
    }
}

/* One column: its places lie next to one another, or in strides. */
static void write_copy(scatter_text *s, const kd_strided *to)
{
    bool is_single = s->n_columns == 1;
    const char *row = is_single ? "place" : "start", *ends = is_single && s->n_places % COPIED ? "(place < PLACES)" : s->ends;
    kd_strided from;
    if (is_single) {
        kernel_line(&s->k, "for start in range(0, PLACES, %d):", COPIED);
        kernel_line(&s->k, "    place = start + tl.arange(0, %d)", COPIED);
    } else {
        kernel_line(&s->k, "for start in range(0, PLACES):");
    }
    const char *source = operand_places(s, SELF, "self", row, &from);
    kernel_line(&s->k, "    tl.store(%s, tl.load(%s%s)%s)", places_of(s, "out", to, 0, row), source, kernel_mask(&s->k, ends, NULL, true),
                kernel_mask(&s->k, ends, NULL, false));
}

static void write_turns(scatter_text *s, const kd_strided *to)
{
    kd_scatter_kind how = (kd_scatter_kind)kd_gnode_int(s->k.node, HOW, 0);
    kd_strided strided;
    const char *index = operand_places(s, INDEX, "index", "i", &strided);
    bool is_row = s->n_columns == 1 || !strided.strides[COLUMN] || strided.shape[COLUMN] == 1; /* one place for all columns */
    const char *index_ends = kernel_mask(&s->k, is_row ? NULL : s->ends, NULL, true);
    const char *values = operand_places(s, VALUES, "values", "i", &strided), *out = places_of(s, "out", to, 0, "place");
    const char *there = is_row ? NULL : "(0 <= place) & (place < PLACES)", *in = is_row ? "        " : "    ";
    kernel_line(&s->k, "for i in range(0, INDICES):");
    kernel_line(&s->k, "    place = tl.load(%s%s)", index, index_ends);
    if (is_row)
        kernel_line(&s->k, "    if (0 <= place) & (place < PLACES):");
    kernel_line(&s->k, "%svalue = tl.load(%s%s)", in, values, kernel_mask(&s->k, s->ends, NULL, true));
    if (how != KD_SCATTER_PUT)
        kernel_line(&s->k, "%sold = tl.load(%s%s)", in, out, kernel_mask(&s->k, there, s->ends, true));
    kernel_line(&s->k, "%stl.store(%s, %s%s)", in, out, combined(how), kernel_mask(&s->k, there, s->ends, false));
}

kd_status kd_scatter_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out)
{
    enum { SHARES = 4 }; /* of the columns, so that threads have some each */
    const kd_tensor_type *t = &kd_gnode_tensor(node, SELF)->type;
    scatter_text s = {.k = kernel_begin(plan, node, out),
                      .n_places = t->shape[ROW],
                      .n_indices = kd_gnode_tensor(node, VALUES)->type.shape[ROW],
                      .n_columns = t->shape[COLUMN]};
    s.columns = s.n_columns == 1 ? 1 : kernel_block_of((s.n_columns + SHARES - 1) / SHARES, MAX_COLUMNS);
    s.ends = s.n_columns % s.columns ? "(col < N)" : NULL;
    kd_buffer *buffer = kd_plan_info(plan, node->results[0])->buffer;
    kd_strided to = {.type = t->type, .n_dims = 3};
    memcpy(to.shape, buffer->type.shape, 3 * sizeof *to.shape);
    memcpy(to.strides, buffer->type.strides, 3 * sizeof *to.strides);
    if (t->shape[BATCH] > 1)
        kernel_line(&s.k, "batch = tl.program_id(1)");
    if (s.n_columns > 1)
        kernel_line(&s.k, "col = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)");
    write_copy(&s, &to);
    write_turns(&s, &to);
    kernel_writes(&s.k, "out", buffer);
    kernel_constant(&s.k, "PLACES", s.n_places);
    kernel_constant(&s.k, "INDICES", s.n_indices);
    if (s.ends)
        kernel_constant(&s.k, "N", s.n_columns);
    if (s.n_columns > 1)
        kernel_constant(&s.k, "COLUMNS", s.columns);
    out->grid[0] = (uint32_t)((s.n_columns + s.columns - 1) / s.columns);
    out->grid[1] = (uint32_t)t->shape[BATCH];
    return kernel_finish(&s.k, "scatter", number);
}
