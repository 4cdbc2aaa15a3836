/* attention.c - the kernel of attention: softmax(query * key^T * scale + mask) * value without the matrix of scores in memory.
 *
 * A program instance has a block of rows of one head, goes over blocks of keys and values, and keeps the largest score of each row so far, the
 * sum of the exponentials and the weighted sum of values; when the largest changes, the sums fade. Operands are read, and the result is
 * written, in whatever strides they have, so that no head is ever moved. Several heads of the query may share one of key and value. */
#include "graph/kernel_text.h"

#include "base/scalar.h"

#include <inttypes.h>

enum { MAX_ROWS = 64, MAX_COLS = 64, HEAD = 1, QUERY = 0, KEY = 1, VALUE = 2, MASK = 3, CAUSAL = 4, SCALE = 5 };

typedef struct attention_text {
    kd_kernel_text k;
    int64_t n_batch, n_heads, n_rows, n_cols, width, value_width; /* extents */
    int64_t rows, cols, block, value_block;                       /* of tiles */
} attention_text;

bool kd_attention_operand(kd_arena *arena, const kd_gvalue *value, kd_attention_strides *out)
{
    kd_index at[KD_TENSOR_MAX_DIMS];
    for (unsigned d = 0; d < value->type.n_dims; d++)
        at[d] = kd_index_var(arena, d, value->type.shape[d]);
    out->base = kd_access_resolve(arena, value, at);
    out->sharing = 1;
    kd_buffer memory = {.value = out->base, .type = out->base->type};
    kd_index place = kd_buffer_index(arena, &memory, at);
    out->offset = place.constant;
    memset(out->strides, 0, sizeof out->strides);
    for (unsigned i = 0; i < place.n_terms; i++) {
        const kd_index_atom *atom = place.terms[i].atom,
                            *of = atom->kind == KD_ATOM_DIV && atom->of.n_terms == 1 ? atom->of.terms[0].atom : NULL;
        bool is_shared = of && of->kind == KD_ATOM_VAR && of->id == HEAD && atom->of.terms[0].factor == 1 && !atom->of.constant;
        if (atom->kind != KD_ATOM_VAR && !is_shared)
            return false;
        unsigned d = is_shared ? HEAD : atom->id;
        if (out->strides[d]) /* of the head and of a quotient of it */
            return false;
        out->strides[d] = place.terms[i].factor;
        out->sharing = is_shared ? atom->by : out->sharing;
    }
    return true;
}

/* The places of one row or one column are a tile too, of which the mask leaves the first ones. */
static void cover_tile(const kd_tensor_type *type, int64_t strides[4])
{
    for (unsigned d = 2; d < 4; d++)
        strides[d] = type->shape[d] == 1 ? 1 : strides[d];
}

static const char *operand_places(attention_text *a, unsigned arg, const char *pointer, const char *const names[4])
{
    kd_attention_strides s;
    const kd_gvalue *operand = kd_gnode_tensor(a->k.node, arg);
    (void)kd_attention_operand(a->k.arena, operand, &s); /* prepare.c saw to it */
    int64_t heads = operand->type.shape[HEAD];
    const char *own[] = {names[0], names[HEAD], names[2], names[3]};
    int64_t sharing = s.sharing * (a->n_heads / heads);
    if (sharing > 1)
        own[HEAD] = kd_arena_printf(a->k.arena, "(head // %" PRId64 ")", sharing);
    if (arg != MASK)
        cover_tile(&operand->type, s.strides);
    kernel_reads(&a->k, pointer, kd_plan_info(a->k.plan, s.base)->buffer, (uint64_t)kd_tensor_n_elems(&operand->type));
    return kernel_places(&a->k, pointer, 4, s.strides, s.offset, own);
}

static void write_coordinates(attention_text *a)
{
    kernel_line(&a->k, "first = tl.program_id(0) * ROWS");
    if (a->n_batch > 1) {
        kernel_line(&a->k, "batch = tl.program_id(1) // %" PRId64, a->n_heads);
        kernel_line(&a->k, "head = tl.program_id(1) %% %" PRId64, a->n_heads);
    } else {
        kernel_line(&a->k, "head = tl.program_id(1)");
    }
    kernel_line(&a->k, "row = first + tl.arange(0, ROWS)");
    kernel_line(&a->k, "along = tl.arange(0, WIDTH)");
    if (a->value_block != a->block)
        kernel_line(&a->k, "value_along = tl.arange(0, VALUE_WIDTH)");
}

static void write_scores(attention_text *a)
{
    static const char *const AT[] = {"batch", "head", "row[:, None]", "col[None, :]"};
    double scale = kd_gnode_number(a->k.node, SCALE, 1) * 1.4426950408889634; /* log2(e): exp2 is the faster one */
    const kd_gvalue *mask = kd_gnode_tensor(a->k.node, MASK);
    kd_garg number = kd_garg_float(scale), log2e = kd_garg_float(1.4426950408889634);
    kernel_line(&a->k, "    scores = tl.dot(q, k, input_precision=\"ieee\") * %s", kd_number_text(a->k.arena, &number, KD_F32));
    bool ends = a->n_cols % a->cols, rows_end = a->n_rows % a->rows;
    if (mask) {
        const char *places = operand_places(a, MASK, "mask", AT);
        const char *there = kernel_mask(&a->k, rows_end && mask->type.shape[2] > 1 ? "(row[:, None] < M)" : NULL,
                                        ends && mask->type.shape[3] > 1 ? "(col[None, :] < N)" : NULL, true);
        if (mask->type.type == KD_I1)
            kernel_line(&a->k, "    scores = tl.where(tl.load(%s%s), scores, float('-inf'))", places, there);
        else
            kernel_line(&a->k, "    scores += tl.load(%s%s).to(tl.float32) * %s", places, there,
                        kd_number_text(a->k.arena, &log2e, KD_F32));
    }
    if (kd_gnode_bool(a->k.node, CAUSAL))
        kernel_line(&a->k, "    scores = tl.where(col[None, :] <= row[:, None], scores, float('-inf'))");
    if (ends)
        kernel_line(&a->k, "    scores = tl.where(col[None, :] < N, scores, float('-inf'))");
    kernel_line(&a->k, "    new_peak = tl.maximum(peak, tl.max(scores, axis=1))");
    kernel_line(&a->k, "    %s",
                mask ? "base = tl.where(new_peak == float('-inf'), 0.0, new_peak)  # rows that are all masked so far"
                     : "base = new_peak");
    kernel_line(&a->k, "    power = tl.exp2(scores - base[:, None])");
    kernel_line(&a->k, "    fade = tl.exp2(peak - base)");
    kernel_line(&a->k, "    total = total * fade + tl.sum(power, axis=1)");
    kernel_line(&a->k, "    peak = new_peak");
}

static void write_body(attention_text *a)
{
    const char *const query_at[] = {"batch", "head", "row[:, None]", "along[None, :]"};
    const char *const key_at[] = {"batch", "head", "col[None, :]", "along[:, None]"};
    const char *value_along = a->value_block != a->block ? "value_along[None, :]" : "along[None, :]";
    const char *const value_at[] = {"batch", "head", "col[:, None]", value_along}, *const out_at[] = {"batch", "head",
                                                                                                      "row[:, None]", value_along};
    const char *rows_end = a->n_rows % a->rows ? "(row[:, None] < M)" : NULL;
    bool cols_end = a->n_cols % a->cols, width_ends = a->width != a->block, value_ends = a->value_width != a->value_block;
    const char *in_value = value_ends ? kd_arena_printf(a->k.arena, "(%s < %" PRId64 ")", value_along, a->value_width) : NULL;
    const char *in_row = width_ends ? kd_arena_printf(a->k.arena, "(along[None, :] < %" PRId64 ")", a->width) : NULL;
    const char *in_column = width_ends ? kd_arena_printf(a->k.arena, "(along[:, None] < %" PRId64 ")", a->width) : NULL;
    kernel_line(&a->k, "q = tl.load(%s%s)", operand_places(a, QUERY, "query", query_at),
                kernel_mask(&a->k, rows_end, in_row, true));
    kernel_line(&a->k, "peak = tl.full([ROWS], float('-inf'), tl.float32)");
    kernel_line(&a->k, "total = tl.full([ROWS], 0.0, tl.float32)");
    kernel_line(&a->k, "mixed = tl.full([ROWS, %s], 0.0, tl.float32)", a->value_block != a->block ? "VALUE_WIDTH" : "WIDTH");
    kernel_line(&a->k, kd_gnode_bool(a->k.node, CAUSAL) ? "for start in range(0, tl.minimum(first + ROWS, N), COLS):"
                                                        : "for start in range(0, N, COLS):");
    kernel_line(&a->k, "    col = start + tl.arange(0, COLS)");
    kernel_line(&a->k, "    k = tl.load(%s%s)", operand_places(a, KEY, "key", key_at),
                kernel_mask(&a->k, cols_end ? "(col[None, :] < N)" : NULL, in_column, true));
    const char *value_places = operand_places(a, VALUE, "value", value_at);
    write_scores(a);
    kernel_line(&a->k, "    v = tl.load(%s%s)", value_places,
                kernel_mask(&a->k, cols_end ? "(col[:, None] < N)" : NULL, in_value, true));
    kernel_line(&a->k, "    mixed = tl.dot(power.to(v.dtype), v, mixed * fade[:, None], input_precision=\"ieee\")");
    if (kd_gnode_tensor(a->k.node, MASK))
        kernel_line(&a->k, "total = tl.where(total == 0.0, 1.0, total)");
    kd_buffer *out = kd_plan_info(a->k.plan, a->k.node->results[0])->buffer;
    kernel_writes(&a->k, "out", out);
    int64_t strides[4];
    for (unsigned d = 0; d < 4; d++)
        strides[d] = out->type.shape[d] == 1 ? 0 : out->type.strides[d];
    cover_tile(&out->type, strides);
    kernel_line(&a->k, "tl.store(%s, mixed / total[:, None]%s)", kernel_places(&a->k, "out", 4, strides, 0, out_at),
                kernel_mask(&a->k, rows_end, in_value, false));
}

static void write_constants(attention_text *a)
{
    kernel_constant(&a->k, "M", a->n_rows);
    kernel_constant(&a->k, "N", a->n_cols);
    kernel_constant(&a->k, "ROWS", a->rows);
    kernel_constant(&a->k, "COLS", a->cols);
    kernel_constant(&a->k, "WIDTH", a->block);
    if (a->value_block != a->block)
        kernel_constant(&a->k, "VALUE_WIDTH", a->value_block);
}

/* Of a GPU's work-group: a sub-group keeps 1024 scores and 1024 sums in its registers, without the systolic array half as many. */
static unsigned warps_for(const attention_text *a, kd_scalar type)
{
    enum { SCORES = 1024, MOST_WARPS = 16 };
    int64_t width = a->cols > a->value_block ? a->cols : a->value_block;
    int64_t n = a->rows * width * (kd_scalar_bytes(type) < 4 ? 1 : 2) / SCORES;
    return (unsigned)(n < 1 ? 1 : n > MOST_WARPS ? MOST_WARPS : n);
}

kd_status kd_attention_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out)
{
    const kd_tensor_type *q = &kd_gnode_tensor(node, QUERY)->type, *k = &kd_gnode_tensor(node, KEY)->type;
    const kd_tensor_type *v = &kd_gnode_tensor(node, VALUE)->type;
    attention_text a = {.k = kernel_begin(plan, node, out),
                        .n_batch = q->shape[0],
                        .n_heads = q->shape[1],
                        .n_rows = q->shape[2],
                        .n_cols = k->shape[2],
                        .width = q->shape[3],
                        .value_width = v->shape[3]};
    a.rows = kernel_block_of(a.n_rows, MAX_ROWS);
    a.cols = kernel_block_of(a.n_cols, MAX_COLS);
    a.block = kernel_block_of(a.width, INT32_MAX);
    a.value_block = kernel_block_of(a.value_width, INT32_MAX);
    out->num_warps = plan->on_gpu ? warps_for(&a, q->type) : 0;
    write_coordinates(&a);
    write_body(&a);
    write_constants(&a);
    out->grid[0] = (uint32_t)((a.n_rows + a.rows - 1) / a.rows);
    out->grid[1] = (uint32_t)(a.n_batch * a.n_heads);
    return kernel_finish(&a.k, "attention", number);
}
