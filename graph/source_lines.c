/* source_lines.c - the lines of a kernel: names and numbers, indices, loads and stores.
 *
 * Each value gets a line, and what is computed twice is found by its text. A line knows along what it varies; in a kernel that goes over its
 * columns in turns, what does not vary along them stands before the loop. */
#include "graph/source_impl.h"

#include "base/number.h"
#include "base/scalar.h"

#include <inttypes.h>
#include <math.h>

/* ---- numbers and types ---- */

kd_scalar kd_compute_type(kd_scalar type)
{
    return type == KD_F16 || type == KD_BF16 ? KD_F32 : type;
}

/* A number beyond the ends becomes the nearest one, and what is no number 0. */
static int64_t to_int(double value)
{
    return isnan(value) ? 0 : value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
}

const char *kd_number_text(kd_arena *arena, const kd_garg *number, kd_scalar type)
{
    char text[KD_MAX_DOUBLE_TEXT];
    double value = number->kind == KD_GARG_FLOAT ? number->f : (double)number->i;
    if (type == KD_I1) /* with a truth value, 0 would make a number of it */
        return value != 0 ? "True" : "False";
    if (!kd_scalar_is_float(type))
        return kd_arena_printf(arena, "%" PRId64, number->kind == KD_GARG_FLOAT ? to_int(number->f) : number->i);
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
    bool low = combine == KD_COMBINE_max || combine == KD_COMBINE_peak;
    if (combine == KD_COMBINE_sum || combine == KD_COMBINE_prod || combine == KD_COMBINE_spread)
        return combine != KD_COMBINE_prod ? (kd_scalar_is_float(type) ? "0.0" : "0") : (kd_scalar_is_float(type) ? "1.0" : "1");
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

const char *source_fresh_name(kd_writer *w, const char *name)
{
    void **taken = kd_map_at(&w->names, kd_str_of(name));
    uintptr_t n = (uintptr_t)*taken;
    *taken = (void *)(n + 1);
    return n ? source_fresh_name(w, kd_arena_printf(w->arena, "%s_%u", name, (unsigned)n)) : name; /* which may be taken too */
}

static kd_lines *lines_of(kd_writer *w, unsigned along)
{
    return w->loops.in_turns && (along & KD_ALONG_COL) ? &w->inner : &w->outer;
}

void source_add_line(kd_writer *w, unsigned along, const char *text, const char *comment)
{
    kd_vec_push(w->arena, &lines_of(w, along)->all, (kd_line){text, comment});
}

kd_local source_define(kd_writer *w, const char *name, kd_scalar type, unsigned along, const char *right, const char *comment)
{
    void **known = kd_map_at(&lines_of(w, along)->known, kd_str_of(right));
    if (!*known) {
        kd_local *l = kd_arena_new(w->arena, kd_local);
        *known = l;
        *l = (kd_local){source_fresh_name(w, name), type, along};
        source_add_line(w, along, kd_arena_printf(w->arena, "%s = %s", l->text, right), comment);
    }
    return *(kd_local *)*known;
}

kd_local source_convert(kd_writer *w, kd_local l, kd_scalar type)
{
    if (l.type == type)
        return l;
    if (type == KD_I1)
        return source_define(w, "nonzero", type, l.along, kd_arena_printf(w->arena, "%s != 0", l.text), NULL);
    return source_define(w, l.text, type, l.along, kd_arena_printf(w->arena, "%s.to(tl.%s)", l.text, kd_scalar_tl_name(type)),
                         NULL);
}

const char *source_tile_shape(const kd_writer *w)
{
    return w->loops.rows == 1 ? "[BLOCK]" : w->loops.rows_last ? "[BLOCK, ROWS]" : "[ROWS, BLOCK]";
}

/* ---- indices ---- */

/* seen: kd_local *, by the atom, of those that this index has had already. */
static const char *index_text(kd_writer *w, kd_index at, kd_map *seen, unsigned *out_along);

static const char *atom_text(kd_writer *w, const kd_index_atom *atom, kd_map *seen, unsigned *out_along)
{
    if (atom->kind == KD_ATOM_VAR) {
        *out_along |= atom->id == KD_LOOP_COL ? KD_ALONG_COL : w->loops.rows > 1 ? KD_ALONG_ROW : 0;
        return atom->id == KD_LOOP_COL ? "col" : "row";
    }
    if (atom->kind == KD_ATOM_VALUE) {
        *out_along |= w->indices.data[atom->id].along;
        return w->indices.data[atom->id].text;
    }
    const kd_local *known = kd_map_get_ptr(seen, atom);
    if (known) {
        *out_along |= known->along;
        return known->text;
    }
    unsigned along = 0;
    const char *of = index_text(w, atom->of, seen, &along);
    const char *right = kd_arena_printf(w->arena, strchr(of, ' ') ? "(%s) %s %" PRId64 : "%s %s %" PRId64, of,
                                        atom->kind == KD_ATOM_DIV ? "//" : "%", atom->by);
    *out_along |= along;
    kd_local *made = kd_arena_new(w->arena, kd_local);
    *made = source_define(w, "i", KD_I32, along, right, NULL);
    *kd_map_at_ptr(seen, atom) = made;
    return made->text;
}

static const char *index_text(kd_writer *w, kd_index at, kd_map *seen, unsigned *out_along)
{
    kd_strbuf text = kd_strbuf_in(w->arena);
    int64_t least, most;
    kd_index_range(at, &least, &most);
    w->is_too_large |= least < INT32_MIN || most > INT32_MAX;
    for (unsigned i = 0; i < at.n_terms; i++) {
        const char *atom = atom_text(w, at.terms[i].atom, seen, out_along);
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

const char *source_index_text(kd_writer *w, kd_index at, unsigned *out_along)
{
    kd_map seen = kd_map_in(w->arena);
    return index_text(w, at, &seen, out_along);
}

/* ---- memory ---- */

static const char *pointer_name(kd_writer *w, kd_buffer *b, bool is_written)
{
    unsigned i = 0;
    while (i < w->buffers.n && w->buffers.data[i] != b)
        i++;
    if (i == w->buffers.n) {
        kd_vec_push(w->arena, &w->buffers, b);
        kd_vec_push(w->arena, &w->pointers,
                    is_written ? kd_arena_printf(w->arena, "out%u", w->n_out++) : kd_arena_printf(w->arena, "in%u", w->n_in++));
    }
    return w->pointers.data[i];
}

static uint64_t bytes_of(const kd_buffer *b)
{
    return (uint64_t)kd_tensor_n_elems(&b->type) * kd_scalar_bytes(b->type.type);
}

static void add_mask(kd_strbuf *mask, const char *text)
{
    kd_strbuf_printf(mask, mask->len ? " & %s" : "%s", text);
}

/* Where the elements of a tile that varies along these are there at all; NULL: everywhere. Conditions that do not vary with the place keep
 * nothing away from it. */
static const char *mask_text(kd_writer *w, unsigned along, bool with_conditions)
{
    kd_strbuf mask = kd_strbuf_in(w->arena);
    unsigned n = 0, varies = 0;
    if ((along & KD_ALONG_ROW) && w->loops.rows_need_mask)
        add_mask(&mask, "row_mask"), n++, varies |= KD_ALONG_ROW;
    if ((along & KD_ALONG_COL) && w->loops.needs_mask)
        add_mask(&mask, "mask"), n++, varies |= KD_ALONG_COL;
    for (unsigned i = 0; with_conditions && i < w->conditions.n; i++)
        if (!(w->conditions.data[i].along & ~along))
            add_mask(&mask, w->conditions.data[i].text), n++, varies |= w->conditions.data[i].along;
    if (n > 1)
        return source_define(w, "there", KD_I1, varies, kd_strbuf_text(&mask), NULL).text;
    return n ? kd_strbuf_text(&mask) : NULL;
}

kd_local source_load(kd_writer *w, kd_buffer *b, const kd_index *at)
{
    unsigned along = 0, n_buffers = w->buffers.n;
    const char *pointer = pointer_name(w, b, false), *place = source_index_text(w, kd_buffer_index(w->arena, b, at), &along);
    const char *mask = mask_text(w, along, true);
    if (w->buffers.n != n_buffers) { /* a table, or a tensor with others' columns in it, is not read whole */
        uint64_t most = (uint64_t)w->loops.n_rows * (uint64_t)w->loops.n_cols * kd_scalar_bytes(b->type.type);
        w->out->n_read_bytes += bytes_of(b) < most ? bytes_of(b) : most;
    }
    const char *right = mask ? kd_arena_printf(w->arena, "tl.load(%s + %s, mask=%s, other=0)", pointer, place, mask)
                             : kd_arena_printf(w->arena, "tl.load(%s + %s)", pointer, place);
    if (kd_compute_type(b->type.type) != b->type.type)
        right = kd_arena_printf(w->arena, "%s.to(tl.float32)", right);
    return source_define(w, "x", kd_compute_type(b->type.type), along, right, NULL);
}

void source_store(kd_writer *w, kd_buffer *b, kd_extent extent, kd_local value)
{
    const kd_tensor_type *t = &b->type;
    kd_index at[KD_TENSOR_MAX_DIMS];
    unsigned along = 0;
    kd_index_unflatten(w->arena, kd_group_flat(w->arena, w->group, extent, w->loops.point), t->n_dims, t->shape, at);
    const char *pointer = pointer_name(w, b, true), *place = source_index_text(w, kd_buffer_index(w->arena, b, at), &along);
    const char *mask = mask_text(w, along, false), *comment = kd_arena_printf(w->arena, "%%%s", b->value->name);
    const char *line = mask ? kd_arena_printf(w->arena, "tl.store(%s + %s, %s, mask=%s)", pointer, place, value.text, mask)
                            : kd_arena_printf(w->arena, "tl.store(%s + %s, %s)", pointer, place, value.text);
    w->out->n_written_bytes += bytes_of(b);
    source_add_line(w, along | value.along, line, comment);
}
