/* source.c - writes the kernel of a group: readable text in our language, the same for the same group.
 *
 * Each value gets a line, and what is computed twice is found by its text. A line knows whether it depends on the tile variable, because a
 * reduction needs a tile. Half types are computed in f32 and rounded when they are stored. */
#include "graph/source_impl.h"

#include "base/number.h"
#include "base/scalar.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* A value in the kernel: a name or a number. */
typedef struct local {
    const char *text;
    kd_scalar type;
    bool is_tile;
} local;

typedef struct writer {
    kd_plan *plan;
    kd_arena *arena;
    const kd_group *group;
    kd_loops loops;
    kd_strbuf body;
    kd_map lines;   /* local *, by the right-hand side */
    kd_map members; /* local *, by the value's pointer */
    kd_map names;   /* how often a name was taken */
    KD_VEC(local) indices; /* that were computed: KD_ATOM_VALUE's */
    KD_VEC(kd_buffer *) buffers;
    KD_VEC(const kd_gnode *) nodes; /* that the kernel computes, those inlined too */
    KD_VEC(const char *) comments;  /* of the lines of the body: NULL, or what stands behind it */
    kd_kernel_source *out;
} writer;

/* ---- numbers and types ---- */

kd_scalar kd_compute_type(kd_scalar type)
{
    return type == KD_F16 || type == KD_BF16 ? KD_F32 : type;
}

const char *kd_number_text(kd_arena *arena, const kd_garg *number, kd_scalar type)
{
    char text[KD_MAX_DOUBLE_TEXT];
    double value = number->kind == KD_GARG_FLOAT ? number->f : (double)number->i;
    if (!kd_scalar_is_float(type))
        return kd_arena_printf(arena, "%" PRId64, number->kind == KD_GARG_FLOAT ? (int64_t)number->f : number->i);
    if (isnan(value) || isinf(value))
        return isnan(value) ? "float('nan')" : value < 0 ? "float('-inf')" : "float('inf')";
    for (int digits = 1; digits <= 17; digits++) {
        double again;
        kd_double_format(text, value, digits);
        if (kd_double_parse(kd_str_of(text), &again) && again == value)
            break;
    }
    return kd_arena_printf(arena, strpbrk(text, ".e") ? "%s" : "%s.0", text);
}

const char *kd_identity_text(kd_combine combine, kd_scalar type)
{
    bool low = combine == KD_COMBINE_max;
    if (combine == KD_COMBINE_sum)
        return kd_scalar_is_float(type) ? "0.0" : "0";
    if (kd_scalar_is_float(type))
        return low ? "float('-inf')" : "float('inf')";
    switch (type) {
    case KD_I8: return low ? "-128" : "127";
    case KD_I16: return low ? "-32768" : "32767";
    case KD_I32: return low ? "-2147483648" : "2147483647";
    case KD_I64: return low ? "-9223372036854775808" : "9223372036854775807";
    case KD_I1: return low ? "0" : "1";
    case KD_U8: return low ? "0" : "255";
    case KD_U16: return low ? "0" : "65535";
    case KD_U32: return low ? "0" : "4294967295";
    default: return low ? "0" : "18446744073709551615";
    }
}

/* ---- lines ---- */

/* A name that nothing else in the kernel has: name, name_1, name_2. */
static const char *fresh_name(writer *w, const char *name)
{
    void **taken = kd_map_at(&w->names, kd_str_of(name));
    uintptr_t n = (uintptr_t)*taken;
    *taken = (void *)(n + 1);
    return n ? kd_arena_printf(w->arena, "%s_%u", name, (unsigned)n) : name;
}

static void add_line(writer *w, const char *text, const char *comment)
{
    kd_strbuf_printf(&w->body, "    %s\n", text);
    kd_vec_push(w->arena, &w->comments, comment);
}

/* The local that holds what the right-hand side computes. */
static local define(writer *w, const char *name, kd_scalar type, bool is_tile, const char *right, const char *comment)
{
    void **known = kd_map_at(&w->lines, kd_str_of(right));
    if (!*known) {
        local *l = kd_arena_new(w->arena, local);
        *known = l;
        *l = (local){fresh_name(w, name), type, is_tile};
        add_line(w, kd_arena_printf(w->arena, "%s = %s", l->text, right), comment);
        return *l;
    }
    return *(local *)*known;
}

static local convert(writer *w, local l, kd_scalar type)
{
    if (l.type == type)
        return l;
    if (type == KD_I1)
        return define(w, "nonzero", type, l.is_tile, kd_arena_printf(w->arena, "%s != 0", l.text), NULL);
    return define(w, l.text, type, l.is_tile, kd_arena_printf(w->arena, "%s.to(tl.%s)", l.text, kd_scalar_tl_name(type)), NULL);
}

/* ---- indices ---- */

static const char *index_text(writer *w, kd_index at, bool *out_is_tile);

static const char *atom_text(writer *w, const kd_index_atom *atom, bool *out_is_tile)
{
    if (atom->kind == KD_ATOM_VAR) {
        *out_is_tile |= atom->id == KD_LOOP_COL;
        return atom->id == KD_LOOP_COL ? "col" : "row";
    }
    if (atom->kind == KD_ATOM_VALUE) {
        *out_is_tile |= w->indices.data[atom->id].is_tile;
        return w->indices.data[atom->id].text;
    }
    bool is_tile = false;
    const char *of = index_text(w, atom->of, &is_tile);
    const char *right = kd_arena_printf(w->arena, strchr(of, ' ') ? "(%s) %s %" PRId64 : "%s %s %" PRId64, of,
                                        atom->kind == KD_ATOM_DIV ? "//" : "%", atom->by);
    *out_is_tile |= is_tile;
    return define(w, "i", KD_I32, is_tile, right, NULL).text;
}

static const char *index_text(writer *w, kd_index at, bool *out_is_tile)
{
    kd_strbuf text = kd_strbuf_in(w->arena);
    for (unsigned i = 0; i < at.n_terms; i++) {
        const char *atom = atom_text(w, at.terms[i].atom, out_is_tile);
        int64_t factor = at.terms[i].factor;
        kd_strbuf_puts(&text, i ? (factor < 0 ? " - " : " + ") : (factor < 0 ? "-" : ""));
        factor = factor < 0 ? -factor : factor;
        kd_strbuf_printf(&text, factor == 1 ? "%s" : "%s * %" PRId64, atom, factor);
    }
    if (at.n_terms && at.constant)
        kd_strbuf_printf(&text, " %c %" PRId64, at.constant < 0 ? '-' : '+', at.constant < 0 ? -at.constant : at.constant);
    else if (!at.n_terms)
        kd_strbuf_printf(&text, "%" PRId64, at.constant);
    return kd_strbuf_text(&text);
}

/* ---- memory ---- */

static const char *pointer_name(writer *w, kd_buffer *b)
{
    unsigned i = 0;
    while (i < w->buffers.n && w->buffers.data[i] != b)
        i++;
    if (i == w->buffers.n)
        kd_vec_push(w->arena, &w->buffers, b);
    return kd_arena_printf(w->arena, "p%u", i);
}

static uint64_t bytes_of(const kd_buffer *b)
{
    return (uint64_t)kd_tensor_n_elems(&b->type) * kd_scalar_bytes(b->type.type);
}

static local load(writer *w, kd_buffer *b, const kd_index *at)
{
    bool is_tile = false;
    unsigned n_buffers = w->buffers.n;
    const char *pointer = pointer_name(w, b), *place = index_text(w, kd_buffer_index(w->arena, b, at), &is_tile);
    if (w->buffers.n != n_buffers)
        w->out->n_read_bytes += bytes_of(b);
    const char *right = kd_arena_printf(
        w->arena, is_tile && w->loops.needs_mask ? "tl.load(%s + %s, mask=mask, other=0)" : "tl.load(%s + %s)", pointer, place);
    if (kd_compute_type(b->type.type) != b->type.type)
        right = kd_arena_printf(w->arena, "%s.to(tl.float32)", right);
    return define(w, "x", kd_compute_type(b->type.type), is_tile, right, NULL);
}

static void store(writer *w, kd_buffer *b, kd_extent extent, local value)
{
    const kd_tensor_type *t = &b->type;
    kd_index at[KD_TENSOR_MAX_DIMS];
    bool is_tile = false;
    kd_index_unflatten(w->arena, kd_group_flat(w->arena, w->group, extent, w->loops.point), t->n_dims, t->shape, at);
    const char *place = index_text(w, kd_buffer_index(w->arena, b, at), &is_tile);
    const char *line =
        kd_arena_printf(w->arena, is_tile && w->loops.needs_mask ? "tl.store(%s + %s, %s, mask=mask)" : "tl.store(%s + %s, %s)",
                        pointer_name(w, b), place, value.text);
    w->out->n_written_bytes += bytes_of(b);
    add_line(w, line, kd_arena_printf(w->arena, "%%%s", b->value->name));
}

/* ---- nodes ---- */

static local compute(writer *w, const kd_gnode *node, const kd_index *at);

static local read_operand(writer *w, const kd_gnode *node, kd_gvalue *operand, const kd_index *at);

/* Which row of an embedding's weight it is; inside of the weight, whatever the caller's numbers are. */
static kd_index computed_row(writer *w, const kd_gnode *node, const kd_index *at)
{
    int64_t n = kd_gnode_tensor(node, 0)->type.shape[0];
    local row = read_operand(w, node, kd_gnode_tensor(node, 1), at);
    row = define(w, "index", KD_I64, row.is_tile,
                 kd_arena_printf(w->arena, "tl.minimum(tl.maximum(%s.to(tl.int64), 0), %" PRId64 ")", row.text, n - 1), NULL);
    kd_vec_push(w->arena, &w->indices, row);
    return kd_index_value(w->arena, w->indices.n - 1, n);
}

static local read_operand(writer *w, const kd_gnode *node, kd_gvalue *operand, const kd_index *at)
{
    kd_index from[KD_TENSOR_MAX_DIMS], row = kd_index_const(0);
    if (node->op->code == KD_GOP_embedding && operand == kd_gnode_tensor(node, 0))
        row = computed_row(w, node, at);
    kd_access_operand(node, operand, at, row, from);
    const kd_gvalue *value = kd_access_resolve(w->arena, operand, from);
    const kd_vinfo *info = kd_plan_info(w->plan, value);
    if (info->fate == KD_FATE_INLINE)
        return compute(w, value->def, from);
    if (info->fate == KD_FATE_MEMBER && info->group == w->group)
        return *(local *)kd_map_get_ptr(&w->members, value);
    return load(w, info->buffer, from);
}

/* The type in which a pointwise node takes an operand. */
static kd_scalar operand_type(const kd_gnode *node, unsigned i)
{
    const kd_gvalue *operand = kd_gnode_tensor(node, i);
    bool is_condition = (node->op->code == KD_GOP_where && i == 0) || (node->op->code == KD_GOP_masked_fill && i == 1);
    if (is_condition)
        return KD_I1;
    switch (node->op->compute) {
    case KD_COMPUTE_RESULT: return kd_compute_type(node->results[0]->type.type);
    case KD_COMPUTE_OPERANDS: return kd_compute_type(kd_gnode_promote(node));
    default: return operand ? kd_compute_type(operand->type.type) : KD_F32;
    }
}

static const char *node_comment(writer *w, const kd_gnode *node)
{
    return kd_arena_printf(w->arena, "%%%s = %s", node->results[0]->name, node->op->name);
}

/* A coordinate as a value. */
static const char *place_text(writer *w, kd_index at, bool *out_is_tile)
{
    const char *text = index_text(w, at, out_is_tile);
    return at.n_terms ? text : kd_arena_printf(w->arena, "tl.full([1], %s, tl.int32)", text);
}

static local compute_pointwise(writer *w, const kd_gnode *node, const kd_index *at)
{
    const char *expression = node->op->expression ? node->op->expression : node->op->choose(node);
    const char *operands[KD_GOP_MAX_PARAMS] = {NULL};
    bool is_tile = false;
    kd_scalar type = kd_compute_type(node->results[0]->type.type);
    for (unsigned i = 0; i < node->n_args; i++) {
        kd_gvalue *operand = kd_gnode_tensor(node, i);
        if (node->op->code == KD_GOP_embedding && i == 1) /* says where parameter 0 is read */
            continue;
        if (operand) {
            local l = convert(w, read_operand(w, node, operand, at), operand_type(node, i));
            operands[i] = l.text;
            is_tile |= l.is_tile;
        } else if (node->args[i].kind == KD_GARG_INT || node->args[i].kind == KD_GARG_FLOAT || node->args[i].kind == KD_GARG_BOOL) {
            const char *number = kd_number_text(w->arena, &node->args[i], operand_type(node, i));
            operands[i] = number[0] == '-' ? kd_arena_printf(w->arena, "(%s)", number) : number;
        }
    }
    kd_strbuf right = kd_strbuf_in(w->arena);
    for (const char *c = expression; *c; c++) {
        if (*c != '{') {
            kd_strbuf_append(&right, c, 1);
            continue;
        }
        if (strncmp(c, "{at}", 4) == 0) {
            kd_strbuf_printf(&right, "(%s).to(tl.%s)", place_text(w, at[0], &is_tile), kd_scalar_tl_name(type));
            c += 3;
            continue;
        }
        if (strncmp(c, "{type}", 6) == 0) {
            kd_strbuf_printf(&right, "tl.%s", kd_scalar_tl_name(type));
            c += 5;
            continue;
        }
        bool is_factor = c[1] == '*';
        c += 1 + is_factor;
        unsigned i = (unsigned)strtoul(c, NULL, 10);
        c = strchr(c, '}');
        if (!is_factor)
            kd_strbuf_puts(&right, operands[i]);
        else if (kd_gnode_number(node, i, 1) != 1)
            kd_strbuf_printf(&right, "%s * ", operands[i]);
    }
    if (strcmp(expression, "{0}") == 0) /* a copy or a conversion, done already */
        return (local){kd_strbuf_text(&right), type, is_tile};
    const char *name = strchr(node->op->name, '.') + 1; /* "aten.add.Tensor" */
    name = kd_arena_strndup(w->arena, name + (*name == '_'), strcspn(name, ".") - (*name == '_'));
    return define(w, name, type, is_tile, kd_strbuf_text(&right), node_comment(w, node));
}

static local compute_reduction(writer *w, const kd_gnode *node, const kd_index *at)
{
    static const char *const NAMES[] = {[KD_COMBINE_sum] = "sum", [KD_COMBINE_max] = "max", [KD_COMBINE_min] = "min"};
    kd_scalar type = kd_compute_type(node->results[0]->type.type);
    const char *combine = NAMES[node->op->combine], *identity = kd_identity_text(node->op->combine, type);
    local of = read_operand(w, node, kd_gnode_tensor(node, 0), at);
    bool wide = type == KD_I1;
    of = convert(w, of, type);
    const char *tile = of.text;
    if (w->loops.needs_mask)
        tile = kd_arena_printf(w->arena, "tl.where(mask, %s, %s)", of.text, identity);
    else if (!of.is_tile)
        tile = kd_arena_printf(w->arena, "tl.full([BLOCK], 0, tl.%s) + %s", kd_scalar_tl_name(type), of.text);
    const char *right =
        kd_arena_printf(w->arena, wide ? "tl.%s((%s).to(tl.int32), axis=0) != 0" : "tl.%s(%s, axis=0)", combine, tile);
    return define(w, kd_arena_printf(w->arena, "row_%s", combine), type, false, right, node_comment(w, node));
}

static local compute(writer *w, const kd_gnode *node, const kd_index *at)
{
    local l = node->op->lowering == KD_LOWER_REDUCTION ? compute_reduction(w, node, at) : compute_pointwise(w, node, at);
    kd_vec_push(w->arena, &w->nodes, node);
    return l;
}

static void write_member(writer *w, const kd_gnode *node)
{
    const kd_vinfo *info = kd_plan_info(w->plan, node->results[0]);
    kd_index at[KD_TENSOR_MAX_DIMS];
    kd_group_node_index(w->arena, w->group, node, info->extent, w->loops.point, at);
    local *l = kd_arena_new(w->arena, local);
    *l = compute(w, node, at);
    *kd_map_at_ptr(&w->members, node->results[0]) = l;
    if (info->buffer)
        store(w, info->buffer, info->extent, *l);
}

/* ---- the whole kernel ---- */

static void write_loop_variables(writer *w)
{
    const kd_loops *l = &w->loops;
    if (l->n_rows != 1)
        add_line(w, kd_arena_printf(w->arena, "row = tl.program_id(%d)", w->group->has_reduction ? 0 : 1), NULL);
    if (w->group->has_reduction || l->n_cols <= l->block)
        add_line(w, "col = tl.arange(0, BLOCK)", NULL);
    else
        add_line(w, "col = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)", NULL);
    if (l->needs_mask)
        add_line(w, kd_arena_printf(w->arena, "mask = col < %" PRId64, l->n_cols), NULL);
}

/* "softmax_relu_3" from the first ops, for people. */
static const char *kernel_name(writer *w, unsigned number)
{
    kd_strbuf name = kd_strbuf_in(w->arena);
    kd_map seen = kd_map_in(w->arena);
    for (unsigned i = 0; i < w->nodes.n && name.len < 40; i++) {
        const char *op = strchr(w->nodes.data[i]->op->name, '.') + 1;
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

static void write_signature(writer *w)
{
    kd_strbuf signature = kd_strbuf_in(w->arena);
    for (unsigned i = 0; i < w->buffers.n; i++) {
        const kd_buffer *b = w->buffers.data[i];
        const char *aligned = b->place == KD_PLACE_ARENA ? ":16" : "";
        kd_strbuf_printf(&signature, "*%s%s, ", kd_scalar_triton_name(b->type.type), aligned);
    }
    kd_strbuf_printf(&signature, "%" PRId64, w->loops.block);
    w->out->signature = kd_strbuf_text(&signature);
}

static void write_text(writer *w, unsigned number)
{
    kd_kernel_source *out = w->out;
    kd_strbuf text = kd_strbuf_in(w->arena), nodes = kd_strbuf_in(w->arena);
    kd_map seen = kd_map_in(w->arena);
    out->name = kernel_name(w, number);
    for (unsigned i = 0; i < w->nodes.n; i++)
        short_name(w->arena, w->nodes.data[i]->origin, &nodes, &seen);
    out->nodes = kd_strbuf_text(&nodes);
    kd_strbuf_puts(&text, "import triton\nimport triton.language as tl\n");
    if (strstr(kd_strbuf_text(&w->body), "libdevice."))
        kd_strbuf_puts(&text, "from triton.language.extra import libdevice\n");
    kd_strbuf_printf(&text, "\n\n@triton.jit\ndef %s(", out->name);
    for (unsigned i = 0; i < w->buffers.n; i++)
        kd_strbuf_printf(&text, "p%u, ", i);
    kd_strbuf_printf(&text, "BLOCK: tl.constexpr):\n    \"\"\"Nodes %s.\n\n", out->nodes);
    for (unsigned i = 0; i < w->buffers.n; i++)
        kd_strbuf_printf(&text, "    p%u: %%%s, %s\n", i, w->buffers.data[i]->value->name,
                         kd_tensor_type_text(w->arena, &w->buffers.data[i]->type));
    kd_strbuf_puts(&text, "    \"\"\"\n");
    const char *line = kd_strbuf_text(&w->body);
    for (unsigned i = 0; i < w->comments.n; i++) {
        int n = (int)strcspn(line, "\n");
        kd_strbuf_printf(&text, w->comments.data[i] ? "%.*s  # %s\n" : "%.*s\n", n, line, w->comments.data[i]);
        line += n + 1;
    }
    out->text = kd_strbuf_text(&text);
}

kd_status kd_group_write(kd_plan *plan, const kd_group *group, unsigned number, kd_kernel_source *out)
{
    writer w = {.plan = plan, .arena = plan->arena, .group = group, .out = out};
    *out = (kd_kernel_source){0};
    kd_status status = kd_group_choose_loops(plan, group, &w.loops);
    if (status)
        return status;
    w.body = kd_strbuf_in(w.arena);
    w.lines = kd_map_in(w.arena);
    w.members = kd_map_in(w.arena);
    w.names = kd_map_in(w.arena);
    write_loop_variables(&w);
    for (unsigned i = 0; i < group->nodes.n; i++)
        write_member(&w, group->nodes.data[i]);
    write_signature(&w);
    write_text(&w, number);
    out->body = kd_strbuf_text(&w.body);
    out->buffers = w.buffers.data;
    out->n_buffers = w.buffers.n;
    int64_t n_blocks = group->has_reduction ? 1 : (w.loops.n_cols + w.loops.block - 1) / w.loops.block;
    out->grid[0] = (uint32_t)(group->has_reduction ? w.loops.n_rows : n_blocks);
    out->grid[1] = (uint32_t)(group->has_reduction ? 1 : w.loops.n_rows);
    out->n_programs = (uint64_t)out->grid[0] * out->grid[1];
    return KD_OK;
}
