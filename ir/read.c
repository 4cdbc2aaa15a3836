/* read.c - words, types, numbers and attributes of IR text. */
#include "ir/read.h"

#include "base/float.h"
#include "base/number.h"
#include "ir/builder.h"

#include <math.h>

/* ---- characters ---- */

kd_loc kd_read_loc_from(const kd_reader *p, const char *begin)
{
    const char *end = p->last > begin ? p->last : begin < p->end ? begin + 1 : begin;
    return (kd_loc){p->source, (uint32_t)(begin - p->begin), (uint32_t)(end - p->begin)};
}

/* One character, or the end of the text. */
kd_loc kd_read_loc_here(const kd_reader *p)
{
    uint32_t at = (uint32_t)(p->at - p->begin);
    return (kd_loc){p->source, at, at + (p->at < p->end)};
}

static void skip_comment(kd_reader *p)
{
    while (p->at < p->end && *p->at != '\n')
        p->at++;
}

/* Spaces and a comment, up to the end of the line. */
static void skip_blank(kd_reader *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
    if (p->end - p->at >= 2 && p->at[0] == '/' && p->at[1] == '/')
        skip_comment(p);
}

void kd_read_skip_space(kd_reader *p)
{
    for (skip_blank(p); p->at < p->end && *p->at == '\n'; skip_blank(p))
        p->at++;
}

/* The next character on this line; 0 at its end. */
char kd_read_peek(kd_reader *p)
{
    skip_blank(p);
    return p->at < p->end && *p->at != '\n' ? *p->at : 0;
}

bool kd_read_accept(kd_reader *p, const char *word)
{
    size_t n = strlen(word);
    kd_read_peek(p);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
        return false;
    p->last = p->at += n;
    return true;
}

/* What stands here, for messages: a word, a character, or the end. */
const char *kd_read_found(kd_reader *p)
{
    if (!kd_read_peek(p))
        return p->at < p->end ? "the end of the line" : "the end of the file";
    size_t n = 0, left = (size_t)(p->end - p->at);
    while (n < left && n < 40 && !strchr(" \t\r\n,(){}[]:=", p->at[n]) && p->at[n])
        n++;
    unsigned char c = (unsigned char)p->at[0];
    if (n == 0 && (c < 0x20 || c >= 0x7f))
        return kd_arena_printf(p->arena, "byte 0x%02x", c);
    return kd_arena_printf(p->arena, "'%.*s'", n ? (int)n : 1, p->at);
}

bool kd_read_expect(kd_reader *p, const char *word, const char *where)
{
    if (kd_read_accept(p, word))
        return true;
    const char *what = kd_read_found(p);
    kd_error(p->diags, kd_read_loc_here(p), "expected '%s' %s, but found %s", word, where, what);
    return false;
}

bool kd_read_is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool kd_read_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return kd_read_is_word_start(c) || kd_read_is_digit(c) || c == '.' || c == '$';
}

kd_str kd_read_name(kd_reader *p)
{
    const char *from = p->at;
    while (p->at < p->end && is_name_char(*p->at))
        p->at++;
    p->last = p->at;
    return (kd_str){from, (size_t)(p->at - from)};
}

/* A mnemonic, attribute or enum value; empty where none stands here. */
kd_str kd_read_word(kd_reader *p)
{
    return kd_read_is_word_start(kd_read_peek(p)) ? kd_read_name(p) : (kd_str){p->at, 0};
}

/* ---- types ---- */

const kd_type *kd_read_type(kd_reader *p)
{
    kd_read_peek(p);
    const char *from = p->at;
    kd_str rest = {p->at, (size_t)(p->end - p->at)};
    const kd_type *type = kd_type_parse(p->module->ctx, &rest);
    if (type) {
        p->last = p->at = rest.ptr;
        return type;
    }
    const char *what = kd_read_found(p);
    if (kd_str_starts_with(rest, "tile<") || kd_str_starts_with(rest, "buffer<"))
        kd_error(p->diags, kd_read_loc_here(p), "%s is not a type: a tile has up to %d extents that are powers of two, %d elements at most, and an "
                 "element type, as in tile<64x32xf16>", what, KD_MAX_RANK, KD_MAX_TILE_ELEMS);
    else {
        kd_nearest nearest = kd_nearest_to(kd_read_word(p));
        for (int i = 0; i < KD_N_SCALARS; i++)
            kd_nearest_try(&nearest, kd_str_of(kd_scalar_name((kd_scalar)i)));
        p->at = from;
        kd_error(p->diags, kd_read_loc_here(p), "expected a type, but found %s%s", what, kd_nearest_hint(p->arena, &nearest));
    }
    return NULL;
}

bool kd_read_types(kd_reader *p, kd_type_list *out)
{
    do {
        const kd_type *type = kd_read_type(p);
        if (!type)
            return false;
        kd_vec_push(p->arena, out, type);
    } while (kd_read_accept(p, ","));
    return true;
}

/* ---- attributes ---- */

bool kd_read_literal(kd_reader *p, kd_literal *out)
{
    kd_read_peek(p);
    const char *from = p->at;
    *out = (kd_literal){.negative = p->at < p->end && *p->at == '-'};
    if (out->negative)
        p->at++;
    const char *digits = p->at;
    while (p->at < p->end && (is_name_char(*p->at) || ((*p->at == '-' || *p->at == '+') && (p->at[-1] == 'e' || p->at[-1] == 'E'))))
        p->at++;
    out->text = (kd_str){from, (size_t)(p->at - from)};
    for (const char *c = digits; c < p->at; c++)
        out->is_float |= !kd_read_is_digit(*c);
    p->last = p->at;
    if (digits == p->at || !kd_double_parse(out->text, &out->f)) {
        p->at = from;
        const char *what = kd_read_found(p);
        kd_error(p->diags, kd_read_loc_here(p), "expected a number, but found %s", what);
        return false;
    }
    for (const char *c = digits; c < p->at && !out->is_float; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        out->too_large |= out->magnitude > (UINT64_MAX - digit) / 10;
        out->magnitude = out->magnitude * 10 + digit;
    }
    return true;
}

bool kd_read_int(kd_reader *p, int64_t *out)
{
    kd_read_peek(p);
    const char *from = p->at;
    kd_literal l;
    if (!kd_read_literal(p, &l))
        return false;
    if (l.is_float || l.too_large || l.magnitude > (uint64_t)INT64_MAX) {
        kd_error(p->diags, kd_read_loc_from(p, from), "expected an integer of 64 bits, but found '%.*s'", KD_STR_ARG(l.text));
        return false;
    }
    *out = l.negative ? -(int64_t)l.magnitude : (int64_t)l.magnitude;
    return true;
}

static int hex_digit(char c)
{
    return kd_read_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_string(kd_reader *p, kd_str *out)
{
    kd_read_peek(p);
    const char *from = p->at;
    if (!kd_read_expect(p, "\"", "in front of a text"))
        return false;
    const char *close = p->at;
    while (close < p->end && *close != '"' && *close != '\n')
        close += *close == '\\' && close + 1 < p->end ? 2 : 1;
    if (close >= p->end || *close != '"') {
        kd_error(p->diags, kd_read_loc_from(p, from), "this text has no closing quote on its line");
        return false;
    }
    char *text = kd_arena_alloc(p->arena, (size_t)(close - p->at) + 1);
    size_t n = 0;
    while (p->at < close) {
        char c = *p->at++;
        if (c == '\\') {
            char escaped = *p->at++;
            if (escaped == 'n')
                c = '\n';
            else if (escaped == '\\' || escaped == '"')
                c = escaped;
            else if (escaped == 'x' && close - p->at >= 2 && hex_digit(p->at[0]) >= 0 && hex_digit(p->at[1]) >= 0) {
                c = (char)(hex_digit(p->at[0]) * 16 + hex_digit(p->at[1]));
                p->at += 2;
            } else {
                p->last = p->at;
                kd_error(p->diags, kd_read_loc_from(p, p->at - 2), "unknown escape: a text may have \\\\, \\\", \\n and \\x with two digits");
                return false;
            }
        }
        text[n++] = c;
    }
    p->last = p->at = close + 1;
    *out = (kd_str){text, n};
    return true;
}

/* @name or @"any text". */
bool kd_read_symbol(kd_reader *p, kd_str *out)
{
    if (!kd_read_expect(p, "@", "in front of a function's name"))
        return false;
    if (p->at < p->end && *p->at == '"')
        return parse_string(p, out);
    const char *from = p->at;
    *out = kd_read_name(p);
    if (out->len)
        return true;
    kd_error(p->diags, kd_read_loc_from(p, from - 1), "expected a name after '@'");
    return false;
}

bool kd_read_enum(kd_reader *p, const kd_attr_info *info, const char *mnemonic, kd_attr *out)
{
    kd_read_peek(p);
    const char *from = p->at;
    kd_str word = kd_read_word(p);
    kd_nearest nearest = kd_nearest_to(word);
    kd_strbuf all = kd_strbuf_in(p->arena);
    unsigned n_listed = 0;
    for (unsigned i = 0; info->enum_texts[i]; i++) {
        if (word.len && kd_str_is(word, info->enum_texts[i])) {
            memset(out, 0, sizeof *out);
            out->as_kd_pred = (kd_pred)i; /* enums of the table have one representation */
            return true;
        }
        kd_nearest_try(&nearest, kd_str_of(info->enum_texts[i]));
        if (info->enum_texts[i][0] && n_listed++ < 12)
            kd_strbuf_printf(&all, "%s%s", n_listed > 1 ? ", " : "", info->enum_texts[i]);
    }
    const char *hint = nearest.best.len ? kd_nearest_hint(p->arena, &nearest) : kd_arena_printf(p->arena, " (%s%s)", kd_strbuf_text(&all), n_listed > 12 ? ", ..." : "");
    p->at = from;
    const char *what = kd_read_found(p);
    kd_error(p->diags, kd_read_loc_here(p), "%s is no %s of '%s'%s", what, info->name, mnemonic, hint);
    return false;
}

static bool parse_ints(kd_reader *p, kd_ints *out)
{
    KD_VEC(int64_t) list = {0};
    if (!kd_read_expect(p, "[", "in front of a list of integers"))
        return false;
    if (!kd_read_accept(p, "]")) {
        do {
            int64_t value = 0;
            if (!kd_read_int(p, &value))
                return false;
            kd_vec_push(p->arena, &list, value);
        } while (kd_read_accept(p, ","));
        if (!kd_read_expect(p, "]", "at the end of a list of integers"))
            return false;
    }
    *out = (kd_ints){list.data, list.n};
    return true;
}

static bool parse_attr_value(kd_reader *p, const kd_attr_info *info, const char *mnemonic, kd_attr *out)
{
    switch (info->kind) {
    case KD_ATTR_INT:
        return kd_read_int(p, &out->as_kd_int);
    case KD_ATTR_FLAG:
        out->as_kd_flag = true;
        return true;
    case KD_ATTR_TEXT:
        return parse_string(p, &out->as_kd_text);
    case KD_ATTR_INTS:
        return parse_ints(p, &out->as_kd_ints);
    case KD_ATTR_ENUM:
        return kd_read_enum(p, info, mnemonic, out);
    case KD_ATTR_NUMBER: /* the only one is the key of kd.constant */
        break;
    }
    return false;
}

/* Behind '{'. */
bool kd_read_attrs(kd_reader *p, const kd_op_info *info, kd_attr *attrs, unsigned *seen)
{
    do {
        kd_read_peek(p);
        const char *from = p->at;
        kd_str name = kd_read_word(p);
        kd_nearest nearest = kd_nearest_to(name);
        unsigned i = 0;
        while (i < info->n_attrs && !(kd_str_is(name, info->attrs[i].name) && !(*seen & 1u << i))) {
            kd_nearest_try(&nearest, kd_str_of(info->attrs[i].name));
            i++;
        }
        if (i == info->n_attrs) {
            for (unsigned k = 0; k < info->n_attrs; k++)
                if (kd_str_is(name, info->attrs[k].name)) {
                    kd_error(p->diags, kd_read_loc_from(p, from), "%s '%s' is given twice", info->attrs[k].is_key ? "the key" : "attribute", info->attrs[k].name);
                    return false;
                }
            p->at = from;
            const char *what = kd_read_found(p);
            kd_error(p->diags, kd_read_loc_here(p), "'%s' has no attribute %s%s", info->mnemonic, what, kd_nearest_hint(p->arena, &nearest));
            return false;
        }
        *seen |= 1u << i;
        if (info->attrs[i].kind != KD_ATTR_FLAG && !kd_read_expect(p, "=", "after the attribute's name"))
            return false;
        if (!parse_attr_value(p, &info->attrs[i], info->mnemonic, &attrs[i]))
            return false;
    } while (kd_read_accept(p, ","));
    return kd_read_expect(p, "}", "at the end of the attributes");
}

/* The number of a constant, once its type is known. */
bool kd_read_convert(kd_reader *p, const kd_literal *l, const char *from, const kd_type *type, kd_number *out)
{
    const kd_type *elem = kd_type_elem(type);
    kd_loc loc = {p->source, (uint32_t)(from - p->begin), (uint32_t)(from - p->begin + (ptrdiff_t)l->text.len)};
    if (kd_type_is_float_like(type)) {
        *out = (kd_number){.is_float = true, .f = kd_float_round(l->f, elem->scalar, KD_FLOAT_NEAREST_EVEN)};
        return true;
    }
    if (l->is_float) {
        kd_error(p->diags, loc, "a constant of type %s is an integer, but found '%.*s'", type->text, KD_STR_ARG(l->text));
        return false;
    }
    int64_t value = (int64_t)(l->negative ? 0 - l->magnitude : l->magnitude);
    bool is_negative = l->negative && l->magnitude, fits = !l->too_large && kd_number_wrap(elem, value) == value;
    if (elem->kind == KD_TYPE_PTR || kd_scalar_is_unsigned(elem->scalar))
        fits &= !is_negative;
    else
        fits &= (value < 0) == is_negative;
    if (!fits) {
        kd_error(p->diags, loc, "%.*s does not fit in %s", KD_STR_ARG(l->text), elem->text);
        return false;
    }
    *out = (kd_number){.i = value};
    return true;
}
