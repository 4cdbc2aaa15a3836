/* source.c - writes the kernel of a group: readable text in our language, the same for the same group.
 *
 * Where a reduction's rows are longer than a block, the kernel goes over them in turns: the first turn computes the reductions of what is
 * read, the next those that need the first ones, and so on; what is stored for each element is stored in the turn in which all that it needs
 * is there. Elements are computed anew in each turn that needs them. */
#include "graph/kernel_text.h"
#include "graph/source_impl.h"

#include "base/scalar.h"

#include <inttypes.h>

/* ---- members ---- */

static void write_member(kd_writer *w, const kd_gvalue *value)
{
    const kd_vinfo *info = kd_plan_info(w->plan, value);
    kd_local l = source_member(w, value);
    if (info->buffer)
        source_store(w, info->buffer, info->extent, l);
}

typedef struct turns {
    kd_writer *w;
    kd_map of;     /* the first turn in which a member's value is there, plus one, by the value's pointer */
    uintptr_t turn; /* of the node that is looked at */
} turns;

static void look_at_turn(void *user, const kd_gvalue *value, const kd_index *at)
{
    turns *t = user;
    uintptr_t turn = (uintptr_t)kd_map_get_ptr(&t->of, value);
    t->turn = turn > t->turn ? turn : t->turn;
}

/* The turn in which a node can be computed. */
static unsigned turn_of(turns *t, const kd_gnode *node)
{
    kd_index at[KD_TENSOR_MAX_DIMS] = {{0}};
    t->turn = 1;
    kd_access_each(t->w->plan, node, at, look_at_turn, t);
    bool reduces = node->op->lowering == KD_LOWER_REDUCTION;
    *kd_map_at_ptr(&t->of, node->results[0]) = (void *)(t->turn + reduces);
    return (unsigned)t->turn - 1;
}

static void write_columns(kd_writer *w)
{
    const kd_loops *l = &w->loops;
    const char *shape = l->rows == 1 ? "" : l->rows_last ? "[:, None]" : "[None, :]";
    const char *from = l->in_turns                                        ? "start + "
                       : !w->group->has_reduction && l->n_cols > l->block ? "tl.program_id(0) * BLOCK + "
                                                                          : "";
    source_add_line(w, KD_ALONG_COL,
                    kd_arena_printf(w->arena, *shape && *from ? "col = (%stl.arange(0, BLOCK))%s" : "col = %stl.arange(0, BLOCK)%s",
                                    from, shape),
                    NULL);
    if (l->needs_mask)
        source_add_line(w, KD_ALONG_COL, kd_arena_printf(w->arena, "mask = col < %" PRId64, l->n_cols), NULL);
}

static void write_rows(kd_writer *w)
{
    const kd_loops *l = &w->loops;
    int axis = w->group->has_reduction ? 0 : 1;
    const char *from = l->n_rows > l->rows ? kd_arena_printf(w->arena, "tl.program_id(%d) * ROWS + ", axis) : "";
    if (l->rows > 1)
        source_add_line(w, 0,
                        kd_arena_printf(w->arena, *from ? "row = (%stl.arange(0, ROWS))%s" : "row = %stl.arange(0, ROWS)%s", from,
                                        l->rows_last ? "[None, :]" : "[:, None]"),
                        NULL);
    else if (l->n_rows != 1)
        source_add_line(w, 0, kd_arena_printf(w->arena, "row = tl.program_id(%d)", axis), NULL);
    if (l->rows_need_mask)
        source_add_line(w, 0, kd_arena_printf(w->arena, "row_mask = row < %" PRId64, l->n_rows), NULL);
}

/* One turn over the columns. */
static void write_turn(kd_writer *w, const unsigned *turn, unsigned number)
{
    const kd_group *g = w->group;
    w->inner.all.n = 0;
    w->inner.known = kd_map_in(w->arena);
    w->full_members = kd_map_in(w->arena);
    write_columns(w);
    unsigned n_empty = w->inner.all.n;
    for (unsigned i = 0; i < g->nodes.n; i++) {
        const kd_gvalue *value = g->nodes.data[i]->results[0];
        const kd_vinfo *info = kd_plan_info(w->plan, value);
        if (turn[i] != number)
            continue;
        if (g->nodes.data[i]->op->lowering == KD_LOWER_REDUCTION)
            source_member(w, value);
        else if (info->extent == KD_EXTENT_ROW || info->buffer)
            write_member(w, value);
    }
    if (w->inner.all.n > n_empty) {
        source_add_line(w, 0, kd_arena_printf(w->arena, "for start in range(0, %" PRId64 ", BLOCK):", w->loops.n_cols), NULL);
        for (unsigned i = 0; i < w->inner.all.n; i++)
            source_add_line(w, 0, kd_arena_printf(w->arena, "    %s", w->inner.all.data[i].text), w->inner.all.data[i].comment);
    }
    for (unsigned i = 0; i < g->nodes.n; i++) {
        const kd_gvalue *value = g->nodes.data[i]->results[0];
        const kd_vinfo *info = kd_plan_info(w->plan, value);
        if (turn[i] != number || g->nodes.data[i]->op->lowering != KD_LOWER_REDUCTION)
            continue;
        kd_local *l = kd_map_get_ptr(&w->members, value);
        *l = source_finish_reduction(w, g->nodes.data[i], *l);
        if (info->buffer)
            source_store(w, info->buffer, info->extent, *l);
    }
}

static void write_in_turns(kd_writer *w)
{
    const kd_group *g = w->group;
    turns t = {.w = w, .of = kd_map_in(w->arena)};
    unsigned *turn = kd_arena_array(w->arena, unsigned, g->nodes.n), last = 0;
    for (unsigned i = 0; i < g->nodes.n; i++) {
        turn[i] = turn_of(&t, g->nodes.data[i]);
        last = turn[i] > last ? turn[i] : last;
    }
    for (unsigned number = 0; number <= last; number++)
        write_turn(w, turn, number);
}

static void write_members(kd_writer *w)
{
    write_rows(w);
    if (w->loops.in_turns) {
        write_in_turns(w);
        return;
    }
    write_columns(w);
    for (unsigned i = 0; i < w->group->nodes.n; i++)
        write_member(w, w->group->nodes.data[i]->results[0]);
}

/* ---- the whole kernel ---- */

/* "softmax_relu_3" from the first of the model's ops, for people. */
static const char *kernel_name(kd_writer *w, unsigned number)
{
    kd_strbuf name = kd_strbuf_in(w->arena);
    kd_map seen = kd_map_in(w->arena);
    for (unsigned i = 0; i < w->nodes.n && name.len < 40; i++) {
        const kd_gnode *node = w->nodes.data[i];
        const char *op = strchr((node->part_of ? node->part_of : node->op)->name, '.') + 1;
        op += *op == '_';
        kd_str text = {op, strcspn(op, ".")};
        void **place = kd_map_at(&seen, text);
        if (!*place)
            kd_strbuf_printf(&name, "%.*s_", KD_STR_ARG(text));
        *place = w;
    }
    kd_strbuf_printf(&name, "%u", number);
    return kd_strbuf_text(&name);
}

static const char *short_name(kd_arena *arena, const char *origin, kd_strbuf *nodes, kd_map *seen)
{
    void **place = kd_map_at(seen, kd_str_of(origin));
    if (!*place)
        kd_strbuf_printf(nodes, "%s%s", nodes->len ? ", " : "", origin);
    *place = arena;
    return origin;
}

static void write_signature(kd_writer *w)
{
    kd_strbuf signature = kd_strbuf_in(w->arena);
    for (unsigned i = 0; i < w->buffers.n; i++) {
        const kd_buffer *b = w->buffers.data[i];
        kd_strbuf_printf(&signature, "*%s%s, ", kd_scalar_triton_name(b->type.type), kd_buffer_alignment(w->plan, b));
    }
    if (w->loops.rows > 1)
        kd_strbuf_printf(&signature, "%" PRId64 ", ", w->loops.rows);
    kd_strbuf_printf(&signature, "%" PRId64, w->loops.block);
    w->out->signature = kd_strbuf_text(&signature);
}

/* Reductions that tl does not have: products, and extremes that keep a NaN; and a scan that it lacks. */
static void write_combines(const kd_writer *w, kd_strbuf *text)
{
    static const char *const FUNCTIONS[] = {
        [KD_COMBINE_prod] = "keep_prod(a, b):\n    return a * b",
        [KD_COMBINE_max] = "keep_max(a, b):\n    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)",
        [KD_COMBINE_min] = "keep_min(a, b):\n    return tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)",
        [KD_COMBINE_peak] = "keep_peak(a, b):\n    return tl.maximum(a, b)"};
    for (unsigned i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++)
        if (w->uses_combine[i])
            kd_strbuf_printf(text, "\n\n@triton.jit\ndef %s\n", FUNCTIONS[i]);
}

static const char *body_text(kd_writer *w, bool with_comments)
{
    kd_strbuf text = kd_strbuf_in(w->arena);
    for (unsigned i = 0; i < w->outer.all.n; i++) {
        const kd_line *line = &w->outer.all.data[i];
        kd_strbuf_printf(&text, with_comments && line->comment ? "    %s  # %s\n" : "    %s\n", line->text, line->comment);
    }
    return kd_strbuf_text(&text);
}

static void write_text(kd_writer *w, unsigned number)
{
    kd_kernel_source *out = w->out;
    kd_strbuf text = kd_strbuf_in(w->arena), nodes = kd_strbuf_in(w->arena);
    kd_map seen = kd_map_in(w->arena);
    out->name = kernel_name(w, number);
    for (unsigned i = 0; i < w->nodes.n; i++)
        short_name(w->arena, w->nodes.data[i]->origin, &nodes, &seen);
    out->nodes = kd_strbuf_text(&nodes);
    out->body = body_text(w, false);
    kd_strbuf_puts(&text, "import triton\nimport triton.language as tl\n");
    if (strstr(out->body, "libdevice."))
        kd_strbuf_puts(&text, "from triton.language.extra import libdevice\n");
    write_combines(w, &text);
    kd_strbuf_printf(&text, "\n\n@triton.jit\ndef %s(", out->name);
    for (unsigned i = 0; i < w->buffers.n; i++)
        kd_strbuf_printf(&text, "%s, ", w->pointers.data[i]);
    if (w->loops.rows > 1)
        kd_strbuf_printf(&text, "ROWS: tl.constexpr = %" PRId64 ", ", w->loops.rows);
    kd_strbuf_printf(&text, "BLOCK: tl.constexpr = %" PRId64 "):\n    \"\"\"Nodes %s.\n\n", w->loops.block, out->nodes);
    for (unsigned i = 0; i < w->buffers.n; i++)
        kd_strbuf_printf(&text, "    %s: %%%s, %s\n", w->pointers.data[i], w->buffers.data[i]->value->name,
                         kd_tensor_type_text(w->arena, &w->buffers.data[i]->type));
    kernel_write_launch(out, &text);
    kd_strbuf_printf(&text, "    \"\"\"\n%s", body_text(w, true));
    out->text = kd_strbuf_text(&text);
}

/* Of a GPU's work-group: a lane has 8 elements of a tile, of one that is too large for that 16. */
static unsigned warps_for(const kd_loops *l)
{
    enum { LANES = 32, MOST_WARPS = 32, ELEMS = 8 };
    int64_t n = l->rows * l->block / (LANES * ELEMS);
    return (unsigned)(n < 1 ? 1 : n > MOST_WARPS ? MOST_WARPS : n);
}

kd_status kd_group_write(kd_plan *plan, const kd_group *group, unsigned number, kd_kernel_source *out)
{
    kd_writer w = {.plan = plan, .arena = plan->arena, .group = group, .out = out};
    *out = (kd_kernel_source){0};
    kd_status status = kd_group_choose_loops(plan, group, &w.loops);
    if (status)
        return status;
    out->num_warps = plan->on_gpu ? warps_for(&w.loops) : 0;
    w.outer.known = w.inner.known = w.members = w.full_members = w.names = kd_map_in(w.arena);
    write_members(&w);
    if (w.is_too_large)
        return kd_fail(plan->why, KD_ERR_UNSUPPORTED, "%s = %s: a tensor of more than 2^31 elements is not supported yet",
                       group->nodes.data[0]->origin, group->nodes.data[0]->op->name);
    write_signature(&w);
    out->buffers = w.buffers.data;
    out->n_buffers = w.buffers.n;
    const kd_loops *l = &w.loops;
    uint32_t n_blocks = group->has_reduction ? 1 : (uint32_t)((l->n_cols + l->block - 1) / l->block);
    uint32_t n_rows = (uint32_t)((l->n_rows + l->rows - 1) / l->rows);
    out->grid[0] = group->has_reduction ? n_rows : n_blocks;
    out->grid[1] = group->has_reduction ? 1 : n_rows;
    out->n_programs = (uint64_t)out->grid[0] * out->grid[1];
    write_text(&w, number);
    return KD_OK;
}
