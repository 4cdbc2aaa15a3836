/* source_nodes.c - what a node of a kernel computes, as lines. Half types are computed in f32. */
#include "graph/source_impl.h"

#include "base/scalar.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- operands ---- */

/* An element of a value: from a register, computed here, or from memory. */
static kd_local read_element(kd_writer *w, const kd_gvalue *operand, kd_index at[KD_TENSOR_MAX_DIMS])
{
    const kd_gvalue *value = kd_access_resolve(w->arena, operand, at);
    const kd_vinfo *info = kd_plan_info(w->plan, value);
    if (info->fate == KD_FATE_INLINE)
        return source_compute(w, value->def, at);
    if (info->fate == KD_FATE_MEMBER && info->group == w->group)
        return source_member(w, value);
    return source_load(w, info->buffer, at);
}

static kd_local read_operand(kd_writer *w, const kd_gnode *node, const kd_gvalue *operand, const kd_index *at)
{
    kd_index from[KD_TENSOR_MAX_DIMS];
    kd_access_operand(node, operand, at, from);
    return read_element(w, operand, from);
}

/* The type in which a pointwise node takes an operand. */
static kd_scalar operand_type(const kd_gnode *node, unsigned i)
{
    const kd_gvalue *operand = kd_gnode_tensor(node, i);
    kd_gop_code code = node->op->code;
    bool is_condition =
        (code == KD_GOP_where && i == 0) || ((code == KD_GOP_masked_fill || code == KD_GOP_masked_fill_tensor) && i == 1);
    if (is_condition)
        return KD_I1;
    switch (node->op->compute) {
    case KD_COMPUTE_RESULT: return kd_compute_type(node->results[0]->type.type);
    case KD_COMPUTE_OPERANDS: return kd_compute_type(kd_gnode_promote(node));
    default: return operand ? kd_compute_type(operand->type.type) : KD_F32;
    }
}

static const char *node_comment(kd_writer *w, const kd_gnode *node)
{
    return kd_arena_printf(w->arena, "%%%s = %s", node->results[0]->name, node->op->name);
}

/* "add" of "aten.add.Tensor". */
static const char *node_name(kd_writer *w, const kd_gnode *node)
{
    const char *name = strchr(node->op->name, '.') + 1;
    return kd_arena_strndup(w->arena, name + (*name == '_'), strcspn(name, ".") - (*name == '_'));
}

/* ---- pointwise ---- */

/* A coordinate as a value. */
static const char *place_text(kd_writer *w, kd_index at, unsigned *out_along)
{
    const char *text = source_index_text(w, at, out_along);
    return at.n_terms ? text : kd_arena_printf(w->arena, "tl.full([], %s, tl.int32)", text);
}

typedef struct expanding {
    kd_writer *w;
    const kd_gnode *node;
    const kd_index *at;
    kd_scalar type;
    unsigned along;
    kd_strbuf text;
} expanding;

static const char *argument_text(expanding *e, unsigned i)
{
    kd_gvalue *operand = kd_gnode_tensor(e->node, i);
    if (operand) {
        kd_local l = source_convert(e->w, read_operand(e->w, e->node, operand, e->at), operand_type(e->node, i));
        e->along |= l.along;
        return l.text;
    }
    const char *number = kd_number_text(e->w->arena, &e->node->args[i], operand_type(e->node, i));
    return number[0] == '-' ? kd_arena_printf(e->w->arena, "(%s)", number) : number;
}

/* What stands in braces; where it ends. */
static const char *expand_part(expanding *e, const char *part)
{
    const char *end = strchr(part, '}');
    bool is_factor = part[1] == '*';
    unsigned i = (unsigned)strtoul(part + 1 + is_factor, NULL, 10);
    if (strncmp(part, "{at}", 4) == 0) {
        const char *place = place_text(e->w, e->at[0], &e->along);
        kd_strbuf_printf(&e->text, strpbrk(place, " ") ? "(%s).to(tl.%s)" : "%s.to(tl.%s)", place, kd_scalar_tl_name(e->type));
    } else if (strncmp(part, "{type}", 6) == 0) {
        kd_strbuf_printf(&e->text, "tl.%s", kd_scalar_tl_name(e->type));
    } else if (!is_factor) {
        kd_strbuf_puts(&e->text, argument_text(e, i));
    } else if (kd_gnode_number(e->node, i, 1) != 1) {
        kd_strbuf_printf(&e->text, "%s * ", argument_text(e, i));
    }
    return end;
}

static kd_local compute_expression(kd_writer *w, const kd_gnode *node, const kd_index *at)
{
    const char *expression = node->op->expression ? node->op->expression : node->op->choose(node);
    expanding e = {w, node, at, kd_compute_type(node->results[0]->type.type), 0, kd_strbuf_in(w->arena)};
    for (const char *c = expression; *c; c++) {
        if (*c == '{')
            c = expand_part(&e, c);
        else
            kd_strbuf_append(&e.text, c, 1);
    }
    const char *right = kd_strbuf_text(&e.text);
    if (strcmp(expression, "{0}") == 0) /* a copy or a conversion, done already */
        return (kd_local){right, e.type, e.along};
    return source_define(w, node_name(w, node), e.type, e.along, right, node_comment(w, node));
}

/* ---- put together from pieces ---- */

/* Adds "i >= 3" and its like to a text; false: never true. */
static bool condition_text(kd_writer *w, const kd_condition *c, kd_strbuf *text, unsigned *out_along)
{
    int64_t least, most;
    kd_index_range(c->index, &least, &most);
    if (c->least >= c->limit || least >= c->limit || most < c->least)
        return false;
    bool low = least < c->least, high = most >= c->limit, step = c->step > 1;
    const char *index = low || high || step ? source_index_text(w, c->index, out_along) : "";
    index = strchr(index, ' ') ? kd_arena_printf(w->arena, "(%s)", index) : index;
    if (low)
        kd_strbuf_printf(text, "%s(%s >= %" PRId64 ")", text->len ? " & " : "", index, c->least);
    if (high)
        kd_strbuf_printf(text, "%s(%s < %" PRId64 ")", text->len ? " & " : "", index, c->limit);
    if (step)
        kd_strbuf_printf(text, "%s((%s - %" PRId64 ") %% %" PRId64 " == 0)", text->len ? " & " : "", index, c->least, c->step);
    return true;
}

/* Whether a piece has elements at all, and the condition under which it has; text "": always. */
static bool piece_condition(kd_writer *w, const kd_piece *piece, kd_local *out)
{
    kd_strbuf text = kd_strbuf_in(w->arena);
    *out = (kd_local){"", KD_I1, 0};
    for (unsigned i = 0; i < piece->n_conditions; i++)
        if (!condition_text(w, &piece->conditions[i], &text, &out->along))
            return false;
    if (text.len)
        *out = source_define(w, "inside", KD_I1, out->along, kd_strbuf_text(&text), NULL);
    return true;
}

static kd_local read_piece(kd_writer *w, kd_piece *piece, kd_local condition, kd_scalar type)
{
    if (piece->arg->kind != KD_GARG_VALUE)
        return (kd_local){kd_number_text(w->arena, piece->arg, type), type, 0};
    unsigned n = w->conditions.n;
    if (condition.text[0])
        kd_vec_push(w->arena, &w->conditions, condition);
    kd_local l = source_convert(w, read_element(w, piece->arg->value, piece->at), type);
    w->conditions.n = n;
    return l;
}

static kd_local compute_pieces(kd_writer *w, const kd_gnode *node, const kd_index *at)
{
    kd_scalar type = kd_compute_type(node->results[0]->type.type);
    kd_strbuf before = kd_strbuf_in(w->arena), behind = kd_strbuf_in(w->arena);
    kd_local last = {kd_scalar_is_float(type) ? "0.0" : "0", type, 0}, pending = {"", KD_I1, 0};
    unsigned along = 0, n = 0;
    kd_piece piece;
    for (unsigned i = 0; node->op->piece(w->arena, node, i, at, &piece); i++) {
        kd_local condition;
        if (!piece_condition(w, &piece, &condition))
            continue;
        if (n++) {
            kd_strbuf_printf(&before, "tl.where(%s, %s, ", pending.text, last.text);
            kd_strbuf_puts(&behind, ")");
        }
        last = read_piece(w, &piece, condition, type);
        pending = condition;
        along |= last.along | condition.along;
        if (!condition.text[0])
            break;
    }
    if (n <= 1)
        return last;
    return source_define(w, node_name(w, node), type, along,
                         kd_arena_printf(w->arena, "%s%s%s", kd_strbuf_text(&before), last.text, kd_strbuf_text(&behind)),
                         node_comment(w, node));
}

/* ---- picked by index ---- */

/* The index as it is in [0, n), whatever the caller's numbers are. */
static kd_index computed_index(kd_writer *w, kd_picked *picked, int64_t n)
{
    kd_local index = read_element(w, picked->by, picked->at);
    index = source_convert(w, index, KD_I64);
    if (picked->wraps)
        index = source_define(
            w, "index", KD_I64, index.along,
            kd_arena_printf(w->arena, "tl.where(%s < 0, %s + %" PRId64 ", %s)", index.text, index.text, n, index.text), NULL);
    index = source_define(w, "index", KD_I64, index.along,
                          kd_arena_printf(w->arena, "tl.minimum(tl.maximum(%s, 0), %" PRId64 ")", index.text, n - 1), NULL);
    kd_vec_push(w->arena, &w->indices, index);
    return kd_index_value(w->arena, w->indices.n - 1, n);
}

static kd_local compute_picked(kd_writer *w, const kd_gnode *node, const kd_index *at)
{
    const kd_gvalue *self = kd_gnode_tensor(node, 0);
    kd_picked picked[KD_TENSOR_MAX_DIMS];
    kd_index from[KD_TENSOR_MAX_DIMS];
    node->op->pick(w->arena, node, at, picked);
    for (unsigned d = 0; d < self->type.n_dims; d++)
        from[d] = picked[d].by ? computed_index(w, &picked[d], self->type.shape[d]) : picked[d].at[0];
    return read_element(w, self, from);
}

/* ---- reductions and scans ---- */

/* Functions beside the kernel, for what tl has no reduction for. */
static const char *const COMBINE_NAMES[] = {[KD_COMBINE_sum] = "sum",
                                            [KD_COMBINE_prod] = "prod",
                                            [KD_COMBINE_max] = "max",
                                            [KD_COMBINE_min] = "min",
                                            [KD_COMBINE_peak] = "max"};

static kd_combine combine_of(const kd_gnode *node)
{
    kd_combine c = node->op->combine;
    return c == KD_COMBINE_max && !kd_scalar_is_float(node->results[0]->type.type) ? KD_COMBINE_peak : c;
}

static bool needs_function(const kd_gnode *node, kd_combine combine)
{
    return combine == KD_COMBINE_prod || combine == KD_COMBINE_max ||
           (combine == KD_COMBINE_min && kd_scalar_is_float(node->results[0]->type.type));
}

/* The type in which elements are combined: truth values as numbers. */
static kd_scalar combined_type(const kd_gnode *node)
{
    kd_scalar type = kd_compute_type(node->results[0]->type.type);
    return type == KD_I1 ? KD_I32 : type;
}

/* What changes nothing where it is combined with others; of truth values in spite of their type there. */
static const char *identity_of(const kd_gnode *node, kd_scalar type)
{
    return kd_identity_text(combine_of(node), node->results[0]->type.type == KD_I1 ? KD_I1 : type);
}

/* "[1, ROWS]": the shape of what has a number for each row. */
static const char *row_shape(const kd_writer *w)
{
    return w->loops.rows == 1 ? "[]" : w->loops.rows_last ? "[1, ROWS]" : "[ROWS, 1]";
}

/* A tile of a row's elements, with what changes nothing where the row has ended. */
static const char *masked_tile(kd_writer *w, const kd_gnode *node, kd_local of, kd_scalar type)
{
    if (w->loops.needs_mask)
        return kd_arena_printf(w->arena, "tl.where(mask, %s, %s)", of.text, identity_of(node, type));
    if (of.along & KD_ALONG_COL)
        return of.text;
    return kd_arena_printf(w->arena, "tl.full(%s, 0, tl.%s) + %s", source_tile_shape(w), kd_scalar_tl_name(type), of.text);
}

static const char *masked_operand(kd_writer *w, const kd_gnode *node, const kd_index *at, kd_scalar type, unsigned *out_along)
{
    kd_local of = read_operand(w, node, kd_gnode_tensor(node, 0), at);
    if (node->results[0]->type.type == KD_I1)
        of = source_convert(w, of, KD_I1);
    of = source_convert(w, of, type);
    *out_along = of.along | KD_ALONG_COL;
    return masked_tile(w, node, of, type);
}

static const char *combined_text(kd_writer *w, const kd_gnode *node, kd_combine combine, const char *tile)
{
    const char *axis = w->loops.rows == 1 || w->loops.rows_last ? "0" : "1", *keep = w->loops.rows == 1 ? "" : ", keep_dims=True";
    if (!needs_function(node, combine))
        return kd_arena_printf(w->arena, "tl.%s(%s, axis=%s%s)", COMBINE_NAMES[combine], tile, axis, keep);
    w->uses_combine[combine] = true;
    return kd_arena_printf(w->arena, "tl.reduce(%s, %s, keep_%s%s)", tile, axis, COMBINE_NAMES[combine], keep);
}

static kd_local reduced(kd_writer *w, const kd_gnode *node, const char *tile, unsigned along)
{
    const char *right = combined_text(w, node, combine_of(node), tile);
    kd_scalar type = combined_type(node);
    bool is_truth = node->results[0]->type.type == KD_I1;
    return source_define(w, kd_arena_printf(w->arena, "row_%s", COMBINE_NAMES[combine_of(node)]), is_truth ? KD_I1 : type,
                         along & KD_ALONG_ROW, is_truth ? kd_arena_printf(w->arena, "%s != 0", right) : right,
                         node_comment(w, node));
}

/* How far the elements of a tile are from the mean, squared and summed up. */
static kd_local sum_of_squares(kd_writer *w, const kd_gnode *node, kd_local x, kd_local mean)
{
    unsigned along = x.along | mean.along, placed = w->loops.in_turns ? along | KD_ALONG_COL : along & KD_ALONG_ROW;
    kd_local distance = source_define(w, "distance", x.type, along, kd_arena_printf(w->arena, "%s - %s", x.text, mean.text), NULL);
    kd_local square =
        source_define(w, "square", x.type, along, kd_arena_printf(w->arena, "%s * %s", distance.text, distance.text), NULL);
    return source_define(w, w->loops.in_turns ? "block_spread" : "row_spread", x.type, placed,
                         combined_text(w, node, KD_COMBINE_sum, masked_tile(w, node, square, x.type)),
                         w->loops.in_turns ? NULL : node_comment(w, node));
}

/* Adds a block of columns to what there is. On a CPU that is a number for each row, and a block is combined in registers; on a GPU, where
 * combining the elements of a tile takes more than adding two tiles, it is a tile, for source_finish_reduction. */
static kd_local accumulate(kd_writer *w, const kd_gnode *node, const char *tile, kd_scalar type, unsigned along)
{
    static const char *const FORMATS[] = {[KD_COMBINE_sum] = "%s = %s + %s",
                                          [KD_COMBINE_prod] = "%s = %s * %s",
                                          [KD_COMBINE_max] = "%s = tl.maximum(%s, %s, propagate_nan=tl.PropagateNan.ALL)",
                                          [KD_COMBINE_min] = "%s = tl.minimum(%s, %s, propagate_nan=tl.PropagateNan.ALL)",
                                          [KD_COMBINE_peak] = "%s = tl.maximum(%s, %s)"};
    kd_combine combine = combine_of(node);
    bool in_tiles = w->plan->on_gpu;
    const char *name =
        source_fresh_name(w, kd_arena_printf(w->arena, in_tiles ? "%s_so_far" : "row_%s", COMBINE_NAMES[combine]));
    source_add_line(w, 0,
                    kd_arena_printf(w->arena, "%s = tl.full(%s, %s, tl.%s)", name, in_tiles ? source_tile_shape(w) : row_shape(w),
                                    identity_of(node, type), kd_scalar_tl_name(type)),
                    in_tiles ? NULL : node_comment(w, node));
    if (!in_tiles)
        tile = source_define(w, kd_arena_printf(w->arena, "block_%s", COMBINE_NAMES[combine]), type, along,
                             combined_text(w, node, combine, tile), NULL)
                   .text;
    source_add_line(w, KD_ALONG_COL, kd_arena_printf(w->arena, FORMATS[combine], name, name, tile), NULL);
    return (kd_local){name, type, w->loops.rows > 1 ? KD_ALONG_ROW : 0};
}

/* Blocks of a row are put together by their means: where these differ, the squares of the differences count too, as in Chan, Golub and
 * LeVeque's algorithm. Numbers far from 0 lose nothing. */
static kd_local accumulate_spread(kd_writer *w, const kd_gnode *node, kd_local x, kd_local sum, kd_scalar type)
{
    const char *spread = source_fresh_name(w, "row_spread"), *mean = source_fresh_name(w, "mean_so_far");
    const char *kind = kd_scalar_tl_name(type), *n = kd_arena_printf(w->arena, "%" PRId64 ".0", w->loops.block);
    source_add_line(w, 0, kd_arena_printf(w->arena, "%s = tl.full(%s, 0.0, tl.%s)", spread, row_shape(w), kind), node_comment(w, node));
    source_add_line(w, 0, kd_arena_printf(w->arena, "%s = tl.full(%s, 0.0, tl.%s)", mean, row_shape(w), kind), NULL);
    if (w->loops.needs_mask)
        n = source_define(w, "n", type, KD_ALONG_COL,
                          kd_arena_printf(w->arena, "tl.minimum(%" PRId64 " - start, BLOCK).to(tl.%s)", w->loops.n_cols, kind), NULL)
                .text;
    kd_local block_mean = source_define(w, "block_mean", type, sum.along, kd_arena_printf(w->arena, "%s / %s", sum.text, n), NULL);
    kd_local squares = sum_of_squares(w, node, x, block_mean);
    kd_local step = source_define(w, "step", type, sum.along, kd_arena_printf(w->arena, "%s - %s", block_mean.text, mean), NULL);
    source_add_line(w, KD_ALONG_COL,
                    kd_arena_printf(w->arena, "%s = %s + %s + %s * %s * (start * %s / (start + %s))", spread, spread, squares.text,
                                    step.text, step.text, n, n),
                    NULL);
    source_add_line(w, KD_ALONG_COL, kd_arena_printf(w->arena, "%s = %s + %s * (%s / (start + %s))", mean, mean, step.text, n, n), NULL);
    return (kd_local){spread, type, w->loops.rows > 1 ? KD_ALONG_ROW : 0};
}

static kd_local compute_spread(kd_writer *w, const kd_gnode *node, const kd_index *at)
{
    unsigned along;
    kd_scalar type = combined_type(node);
    kd_local x = source_convert(w, read_operand(w, node, kd_gnode_tensor(node, 0), at), type);
    const char *tile = masked_operand(w, node, at, type, &along);
    unsigned placed = w->loops.in_turns ? along : along & KD_ALONG_ROW;
    kd_local sum = source_define(w, w->loops.in_turns ? "block_sum" : "row_sum", type, placed,
                                 combined_text(w, node, KD_COMBINE_sum, tile), NULL);
    if (w->loops.in_turns)
        return accumulate_spread(w, node, x, sum, type);
    kd_local mean = source_define(w, "mean", type, placed, kd_arena_printf(w->arena, "%s / %" PRId64 ".0", sum.text, w->loops.n_cols), NULL);
    return sum_of_squares(w, node, x, mean);
}

static kd_local compute_reduction(kd_writer *w, const kd_gnode *node, const kd_index *at)
{
    unsigned along;
    kd_scalar type = combined_type(node);
    if (node->op->combine == KD_COMBINE_spread)
        return compute_spread(w, node, at);
    const char *tile = masked_operand(w, node, at, type, &along);
    return w->loops.in_turns ? accumulate(w, node, tile, type, along) : reduced(w, node, tile, along);
}

kd_local source_finish_reduction(kd_writer *w, const kd_gnode *node, kd_local accumulator)
{
    if (w->plan->on_gpu && node->op->combine != KD_COMBINE_spread)
        return reduced(w, node, accumulator.text, accumulator.along);
    return node->results[0]->type.type == KD_I1 ? source_convert(w, accumulator, KD_I1) : accumulator;
}

static kd_local compute_scan(kd_writer *w, const kd_gnode *node, const kd_index *at)
{
    unsigned along;
    kd_scalar type = combined_type(node);
    if (w->loops.n_cols == 1)
        return source_convert(w, read_operand(w, node, kd_gnode_tensor(node, 0), at), type);
    const char *tile = masked_operand(w, node, at, type, &along), *axis = w->loops.rows == 1 || w->loops.rows_last ? "0" : "1";
    kd_combine combine = node->op->combine;
    w->uses_combine[combine] |= combine == KD_COMBINE_peak;
    const char *right = combine == KD_COMBINE_order  ? kd_arena_printf(w->arena, "tl.sort(%s)", tile)
                        : combine == KD_COMBINE_peak ? kd_arena_printf(w->arena, "tl.associative_scan(%s, %s, keep_peak)", tile, axis)
                                                     : kd_arena_printf(w->arena, "tl.cum%s(%s, axis=%s)", COMBINE_NAMES[combine], tile, axis);
    return source_define(w, node_name(w, node), type, along, right, node_comment(w, node));
}

/* ---- any node ---- */

kd_local source_compute(kd_writer *w, const kd_gnode *node, const kd_index *at)
{
    kd_local l;
    if (node->op->lowering == KD_LOWER_REDUCTION)
        l = compute_reduction(w, node, at);
    else if (node->op->lowering == KD_LOWER_SCAN)
        l = compute_scan(w, node, at);
    else if (node->op->piece)
        l = compute_pieces(w, node, at);
    else if (node->op->pick)
        l = compute_picked(w, node, at);
    else
        l = compute_expression(w, node, at);
    kd_vec_push(w->arena, &w->nodes, node);
    return l;
}

kd_local source_member(kd_writer *w, const kd_gvalue *value)
{
    const kd_vinfo *info = kd_plan_info(w->plan, value);
    void **known = kd_map_at_ptr(info->extent == KD_EXTENT_FULL ? &w->full_members : &w->members, value);
    if (!*known) {
        kd_index at[KD_TENSOR_MAX_DIMS];
        unsigned n = w->conditions.n;
        w->conditions.n = 0; /* a member is computed for all its readers */
        kd_group_node_index(w->arena, w->group, value->def, info->extent, w->loops.point, at);
        kd_local *l = kd_arena_new(w->arena, kd_local);
        *l = source_compute(w, value->def, at);
        w->conditions.n = n;
        known = kd_map_at_ptr(info->extent == KD_EXTENT_FULL ? &w->full_members : &w->members, value);
        *known = l;
    }
    return *(kd_local *)*known;
}
