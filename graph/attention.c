/* attention.c - the kernel of attention: softmax(query * key^T * scale + mask) * value without the matrix of scores in memory.
 *
 * A program instance has a block of rows of one head, goes over blocks of keys and values, and keeps the largest score of each row so far, the
 * sum of the exponentials and the weighted sum of values; when the largest changes, the sums fade. Operands are read, and the result is
 * written, in whatever strides they have, so that no head is ever moved. Several heads of the query may share one of key and value. */
#include "graph/plan.h"

#include "base/scalar.h"

#include <inttypes.h>
#include <stdarg.h>

enum { MAX_ROWS = 64, MAX_COLS = 64, MIN_BLOCK = 16, HEAD = 1, QUERY = 0, KEY = 1, VALUE = 2, MASK = 3, CAUSAL = 4, SCALE = 5 };

typedef struct attention_text {
    kd_plan *plan;
    kd_arena *arena;
    const kd_gnode *node;
    int64_t n_batch, n_heads, n_rows, n_cols, width, value_width; /* extents */
    int64_t rows, cols, block, value_block;                       /* of tiles */
    kd_buffer *buffers[5];
    unsigned n_buffers;
    kd_strbuf text;
    kd_kernel_source *out;
} attention_text;

static int64_t block_of(int64_t n, int64_t most)
{
    int64_t block = MIN_BLOCK;
    while (block < n && block < most)
        block *= 2;
    return block;
}

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

/* "query + batch * 4096 + row[:, None] * 64": where the elements of a tile are. names: of the four coordinates. */
static const char *places_text(attention_text *a, const char *pointer, const int64_t strides[4], int64_t offset,
                               const char *const names[4])
{
    kd_strbuf text = kd_strbuf_in(a->arena);
    kd_strbuf_puts(&text, pointer);
    if (offset)
        kd_strbuf_printf(&text, " + %" PRId64, offset);
    for (unsigned d = 0; d < 4; d++)
        if (strides[d] == 1)
            kd_strbuf_printf(&text, " + %s", names[d]);
        else if (strides[d])
            kd_strbuf_printf(&text, " + %s * %" PRId64, names[d], strides[d]);
    return kd_strbuf_text(&text);
}

/* ", mask=a & b, other=0", or nothing. */
static const char *mask_text(attention_text *a, const char *one, const char *two, bool loads)
{
    const char *other = loads ? ", other=0" : "";
    if (!one && !two)
        return "";
    return one && two ? kd_arena_printf(a->arena, ", mask=%s & %s%s", one, two, other)
                      : kd_arena_printf(a->arena, ", mask=%s%s", one ? one : two, other);
}

static const char *operand_places(attention_text *a, unsigned arg, const char *pointer, const char *const names[4])
{
    kd_attention_strides s;
    (void)kd_attention_operand(a->arena, kd_gnode_tensor(a->node, arg), &s); /* prepare.c saw to it */
    int64_t heads = kd_gnode_tensor(a->node, arg)->type.shape[HEAD];
    const char *own[] = {names[0], names[HEAD], names[2], names[3]};
    int64_t sharing = s.sharing * (a->n_heads / heads);
    if (sharing > 1)
        own[HEAD] = kd_arena_printf(a->arena, "(head // %" PRId64 ")", sharing);
    kd_buffer *b = kd_plan_info(a->plan, s.base)->buffer;
    a->buffers[a->n_buffers++] = b;
    a->out->n_read_bytes += (uint64_t)kd_tensor_n_elems(&b->type) * kd_scalar_bytes(b->type.type);
    return places_text(a, pointer, s.strides, s.offset, own);
}

static void line(attention_text *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(attention_text *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    kd_strbuf_puts(&a->text, "    ");
    kd_strbuf_printf(&a->text, "%s\n", kd_arena_vprintf(a->arena, format, args));
    va_end(args);
}

static void write_coordinates(attention_text *a)
{
    line(a, "first = tl.program_id(0) * ROWS");
    if (a->n_batch > 1) {
        line(a, "batch = tl.program_id(1) // %" PRId64, a->n_heads);
        line(a, "head = tl.program_id(1) %% %" PRId64, a->n_heads);
    } else {
        line(a, "head = tl.program_id(1)");
    }
    line(a, "row = first + tl.arange(0, ROWS)");
    line(a, "along = tl.arange(0, WIDTH)");
    if (a->value_block != a->block)
        line(a, "value_along = tl.arange(0, VALUE_WIDTH)");
}

static void write_scores(attention_text *a)
{
    static const char *const AT[] = {"batch", "head", "row[:, None]", "col[None, :]"};
    double scale = kd_gnode_number(a->node, SCALE, 1) * 1.4426950408889634; /* log2(e): exp2 is the faster one */
    const kd_gvalue *mask = kd_gnode_tensor(a->node, MASK);
    kd_garg number = kd_garg_float(scale), log2e = kd_garg_float(1.4426950408889634);
    line(a, "    scores = tl.dot(q, k, input_precision=\"ieee\") * %s", kd_number_text(a->arena, &number, KD_F32));
    bool ends = a->n_cols % a->cols, rows_end = a->n_rows % a->rows;
    if (mask) {
        const char *places = operand_places(a, MASK, "mask", AT);
        const char *there = mask_text(a, rows_end ? "(row[:, None] < M)" : NULL, ends ? "(col[None, :] < N)" : NULL, true);
        if (mask->type.type == KD_I1)
            line(a, "    scores = tl.where(tl.load(%s%s), scores, float('-inf'))", places, there);
        else
            line(a, "    scores += tl.load(%s%s).to(tl.float32) * %s", places, there, kd_number_text(a->arena, &log2e, KD_F32));
    }
    if (kd_gnode_bool(a->node, CAUSAL))
        line(a, "    scores = tl.where(col[None, :] <= row[:, None], scores, float('-inf'))");
    if (ends)
        line(a, "    scores = tl.where(col[None, :] < N, scores, float('-inf'))");
    line(a, "    new_peak = tl.maximum(peak, tl.max(scores, axis=1))");
    line(a, "    %s",
         mask ? "base = tl.where(new_peak == float('-inf'), 0.0, new_peak)  # rows that are all masked so far" : "base = new_peak");
    line(a, "    power = tl.exp2(scores - base[:, None])");
    line(a, "    fade = tl.exp2(peak - base)");
    line(a, "    total = total * fade + tl.sum(power, axis=1)");
    line(a, "    peak = new_peak");
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
    const char *in_value = value_ends ? kd_arena_printf(a->arena, "(%s < %" PRId64 ")", value_along, a->value_width) : NULL;
    const char *in_row = width_ends ? kd_arena_printf(a->arena, "(along[None, :] < %" PRId64 ")", a->width) : NULL;
    const char *in_column = width_ends ? kd_arena_printf(a->arena, "(along[:, None] < %" PRId64 ")", a->width) : NULL;
    line(a, "q = tl.load(%s%s)", operand_places(a, QUERY, "query", query_at), mask_text(a, rows_end, in_row, true));
    line(a, "peak = tl.full([ROWS], float('-inf'), tl.float32)");
    line(a, "total = tl.full([ROWS], 0.0, tl.float32)");
    line(a, "mixed = tl.full([ROWS, %s], 0.0, tl.float32)", a->value_block != a->block ? "VALUE_WIDTH" : "WIDTH");
    line(a, kd_gnode_bool(a->node, CAUSAL) ? "for start in range(0, tl.minimum(first + ROWS, N), COLS):"
                                           : "for start in range(0, N, COLS):");
    line(a, "    col = start + tl.arange(0, COLS)");
    line(a, "    k = tl.load(%s%s)", operand_places(a, KEY, "key", key_at),
         mask_text(a, cols_end ? "(col[None, :] < N)" : NULL, in_column, true));
    const char *value_places = operand_places(a, VALUE, "value", value_at);
    write_scores(a);
    line(a, "    v = tl.load(%s%s)", value_places, mask_text(a, cols_end ? "(col[:, None] < N)" : NULL, in_value, true));
    line(a, "    mixed = tl.dot(power.to(v.dtype), v, mixed * fade[:, None], input_precision=\"ieee\")");
    if (kd_gnode_tensor(a->node, MASK))
        line(a, "total = tl.where(total == 0.0, 1.0, total)");
    kd_buffer *out = kd_plan_info(a->plan, a->node->results[0])->buffer;
    a->buffers[a->n_buffers++] = out;
    a->out->n_written_bytes = kd_tensor_n_bytes(&out->type);
    int64_t strides[4];
    for (unsigned d = 0; d < 4; d++)
        strides[d] = out->type.shape[d] == 1 ? 0 : out->type.strides[d];
    line(a, "tl.store(%s, mixed / total[:, None]%s)", places_text(a, "out", strides, 0, out_at),
         mask_text(a, rows_end, in_value, false));
}

static void write_head(attention_text *a, kd_strbuf *text)
{
    const kd_gnode *node = a->node;
    static const char *const NAMES[] = {"query", "key", "value", "mask", "out"};
    bool has_mask = kd_gnode_tensor(node, MASK);
    kd_strbuf signature = kd_strbuf_in(a->arena);
    kd_strbuf_printf(text, "import triton\nimport triton.language as tl\n\n\n@triton.jit\ndef %s(", a->out->name);
    for (unsigned i = 0; i < a->n_buffers; i++) {
        const kd_buffer *b = a->buffers[i];
        kd_strbuf_printf(text, "%s, ", NAMES[i < 3 || has_mask ? i : 4]);
        kd_strbuf_printf(&signature, "*%s%s, ", kd_scalar_triton_name(b->type.type), b->place == KD_PLACE_ARENA ? ":16" : "");
    }
    kd_strbuf_puts(text, "M: tl.constexpr, N: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, WIDTH: tl.constexpr");
    kd_strbuf_printf(&signature, "%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64, a->n_rows, a->n_cols, a->rows,
                     a->cols, a->block);
    if (a->value_block != a->block) {
        kd_strbuf_puts(text, ", VALUE_WIDTH: tl.constexpr");
        kd_strbuf_printf(&signature, ", %" PRId64, a->value_block);
    }
    kd_strbuf_printf(text, "):\n    \"\"\"Nodes %s: attention.\n\n", node->origin);
    for (unsigned i = 0; i < a->n_buffers; i++)
        kd_strbuf_printf(text, "    %s: %%%s, %s\n", NAMES[i < 3 || has_mask ? i : 4], a->buffers[i]->value->name,
                         kd_tensor_type_text(a->arena, &a->buffers[i]->type));
    kd_strbuf_puts(text, "    \"\"\"\n");
    a->out->signature = kd_strbuf_text(&signature);
}

kd_status kd_attention_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out)
{
    const kd_tensor_type *q = &kd_gnode_tensor(node, QUERY)->type, *k = &kd_gnode_tensor(node, KEY)->type;
    const kd_tensor_type *v = &kd_gnode_tensor(node, VALUE)->type;
    attention_text a = {.plan = plan,
                        .arena = plan->arena,
                        .node = node,
                        .out = out,
                        .text = kd_strbuf_in(plan->arena),
                        .n_batch = q->shape[0],
                        .n_heads = q->shape[1],
                        .n_rows = q->shape[2],
                        .n_cols = k->shape[2],
                        .width = q->shape[3],
                        .value_width = v->shape[3]};
    *out = (kd_kernel_source){.name = kd_arena_printf(plan->arena, "attention_%u", number), .nodes = node->origin};
    a.rows = block_of(a.n_rows, MAX_ROWS);
    a.cols = block_of(a.n_cols, MAX_COLS);
    a.block = block_of(a.width, INT32_MAX);
    a.value_block = block_of(a.value_width, INT32_MAX);
    write_coordinates(&a);
    write_body(&a);
    for (unsigned i = 0; i < a.n_buffers; i++) /* places are i32 */
        if (kd_tensor_n_bytes(&a.buffers[i]->type) / kd_scalar_bytes(a.buffers[i]->type.type) > INT32_MAX)
            return kd_fail(plan->why, KD_ERR_UNSUPPORTED, "%s = %s: a tensor of more than 2^31 elements is not supported yet", node->origin,
                           node->op->name);
    kd_strbuf text = kd_strbuf_in(plan->arena);
    write_head(&a, &text);
    kd_strbuf_puts(&text, kd_strbuf_text(&a.text));
    out->text = kd_strbuf_text(&text);
    out->body = kd_strbuf_text(&a.text);
    out->buffers = kd_arena_array(plan->arena, kd_buffer *, a.n_buffers);
    memcpy(out->buffers, a.buffers, a.n_buffers * sizeof *out->buffers);
    out->n_buffers = a.n_buffers;
    out->grid[0] = (uint32_t)((a.n_rows + a.rows - 1) / a.rows);
    out->grid[1] = (uint32_t)(a.n_batch * a.n_heads);
    out->n_programs = (uint64_t)out->grid[0] * out->grid[1];
    return KD_OK;
}
