/* parse.c - text to IR, driven by the table of ops. See text.h for the form.
 *
 * A value must be defined before it is used, so one pass suffices. A function with a mistake is left out and reading goes on with the next
 * one; what was read is verified at the end. Line ends matter in one place: an op's operands begin on its line, and the op ends with it. */
#include "base/float.h"
#include "base/map.h"
#include "base/number.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "ir/ir_impl.h"
#include "ir/text.h"

#include <math.h>

enum { MAX_DEPTH = 200 }; /* regions inside regions; printing and passes recurse as deep */

/* What a name stands for. A region's names end with it, but stay known, so that their use can be explained. */
typedef struct binding {
    kd_str name;
    kd_value *value;
    kd_loc loc;
    bool ended;
} binding;

typedef struct parser {
    kd_module *module;
    kd_arena *arena;
    kd_diags *diags;
    uint32_t source;
    const char *begin, *at, *end;
    const char *last; /* the end of what was read last: ops end there, not at the space behind */
    kd_map funcs;     /* name -> func op */
    kd_map names;     /* of the function: text -> binding */
    KD_VEC(binding *) scope; /* those that are visible, outermost first */
    unsigned depth;
} parser;

/* ---- characters ---- */

static kd_loc loc_from(const parser *p, const char *begin)
{
    const char *end = p->last > begin ? p->last : begin < p->end ? begin + 1 : begin;
    return (kd_loc){p->source, (uint32_t)(begin - p->begin), (uint32_t)(end - p->begin)};
}

/* One character, or the end of the text. */
static kd_loc loc_here(const parser *p)
{
    uint32_t at = (uint32_t)(p->at - p->begin);
    return (kd_loc){p->source, at, at + (p->at < p->end)};
}

static void skip_comment(parser *p)
{
    while (p->at < p->end && *p->at != '\n')
        p->at++;
}

/* Spaces and a comment, up to the end of the line. */
static void skip_blank(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
    if (p->end - p->at >= 2 && p->at[0] == '/' && p->at[1] == '/')
        skip_comment(p);
}

static void skip_space(parser *p)
{
    for (skip_blank(p); p->at < p->end && *p->at == '\n'; skip_blank(p))
        p->at++;
}

/* The next character on this line; 0 at its end. */
static char peek(parser *p)
{
    skip_blank(p);
    return p->at < p->end && *p->at != '\n' ? *p->at : 0;
}

static bool accept(parser *p, const char *word)
{
    size_t n = strlen(word);
    peek(p);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0)
        return false;
    p->last = p->at += n;
    return true;
}

/* What stands here, for messages: a word, a character, or the end. */
static const char *found(parser *p)
{
    if (!peek(p))
        return p->at < p->end ? "the end of the line" : "the end of the file";
    size_t n = 0, left = (size_t)(p->end - p->at);
    while (n < left && n < 40 && !strchr(" \t\r\n,(){}[]:=", p->at[n]) && p->at[n])
        n++;
    unsigned char c = (unsigned char)p->at[0];
    if (n == 0 && (c < 0x20 || c >= 0x7f))
        return kd_arena_printf(p->arena, "byte 0x%02x", c);
    return kd_arena_printf(p->arena, "'%.*s'", n ? (int)n : 1, p->at);
}

static bool expect(parser *p, const char *word, const char *where)
{
    if (accept(p, word))
        return true;
    const char *what = found(p);
    kd_error(p->diags, loc_here(p), "expected '%s' %s, but found %s", word, where, what);
    return false;
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_word_start(c) || is_digit(c) || c == '.' || c == '$';
}

static kd_str take_name(parser *p)
{
    const char *from = p->at;
    while (p->at < p->end && is_name_char(*p->at))
        p->at++;
    p->last = p->at;
    return (kd_str){from, (size_t)(p->at - from)};
}

/* A mnemonic, attribute or enum value; empty where none stands here. */
static kd_str take_word(parser *p)
{
    return is_word_start(peek(p)) ? take_name(p) : (kd_str){p->at, 0};
}

/* ---- suggestions ---- */

typedef struct suggestion {
    kd_str wanted;
    kd_str best;
    unsigned distance;
} suggestion;

static suggestion suggest_for(kd_str wanted)
{
    return (suggestion){.wanted = wanted, .distance = wanted.len < 3 ? 0 : wanted.len < 6 ? 1 : 2};
}

static void suggest(suggestion *s, kd_str candidate)
{
    unsigned limit = s->best.ptr ? s->distance - 1 : s->distance;
    if ((s->best.ptr && s->distance == 0) || kd_str_distance(s->wanted, candidate, limit) > limit)
        return;
    s->distance = kd_str_distance(s->wanted, candidate, limit);
    s->best = candidate;
}

/* "; did you mean 'kd.add'?", or nothing. */
static const char *suggestion_text(const parser *p, const suggestion *s, const char *prefix)
{
    return s->best.ptr ? kd_arena_printf(p->arena, "; did you mean '%s%.*s'?", prefix, KD_STR_ARG(s->best)) : "";
}

/* ---- values ---- */

/* Reads '%name' (what stands here is '%'). */
static bool take_value_name(parser *p, kd_str *out)
{
    const char *from = p->at;
    if (!expect(p, "%", "in front of a value's name"))
        return false;
    *out = take_name(p);
    if (out->len)
        return true;
    kd_error(p->diags, loc_from(p, from), "expected a name after '%%'");
    return false;
}

static bool bind(parser *p, kd_str name, kd_loc loc, kd_value *value)
{
    void **place = kd_map_at(&p->names, name);
    binding *earlier = *place;
    if (earlier) {
        kd_error(p->diags, loc, "'%%%.*s' is defined twice in this function", KD_STR_ARG(name));
        kd_note(p->diags, earlier->loc, "the first definition");
        return false;
    }
    binding *b = kd_arena_new(p->arena, binding);
    *b = (binding){name, value, loc, false};
    *place = b;
    kd_vec_push(p->arena, &p->scope, b);
    bool is_number = true;
    for (size_t i = 0; i < name.len; i++)
        is_number &= is_digit(name.ptr[i]);
    value->name = is_number ? NULL : kd_arena_strndup(p->arena, name.ptr, name.len);
    return true;
}

static kd_value *lookup(parser *p, kd_str name, kd_loc loc)
{
    binding *b = kd_map_get(&p->names, name);
    if (b && !b->ended)
        return b->value;
    if (b) {
        kd_error(p->diags, loc, "'%%%.*s' is not visible here: its region has ended", KD_STR_ARG(name));
        kd_note(p->diags, b->loc, "defined here");
        return NULL;
    }
    suggestion s = suggest_for(name);
    for (unsigned i = p->scope.n; i > 0 && p->scope.n - i < 2000; i--)
        suggest(&s, p->scope.data[i - 1]->name);
    kd_error(p->diags, loc, "'%%%.*s' is not defined%s", KD_STR_ARG(name), suggestion_text(p, &s, "%"));
    return NULL;
}

static const kd_type *parse_type(parser *p)
{
    peek(p);
    const char *from = p->at;
    kd_str rest = {p->at, (size_t)(p->end - p->at)};
    const kd_type *type = kd_type_parse(p->module->ctx, &rest);
    if (type) {
        p->last = p->at = rest.ptr;
        return type;
    }
    const char *what = found(p);
    if (kd_str_starts_with(rest, "tile<") || kd_str_starts_with(rest, "buffer<"))
        kd_error(p->diags, loc_here(p), "%s is not a type: a tile has up to %d extents that are powers of two, %d elements at most, and an "
                 "element type, as in tile<64x32xf16>", what, KD_MAX_RANK, KD_MAX_TILE_ELEMS);
    else {
        suggestion s = suggest_for(take_word(p));
        for (int i = 0; i < KD_N_SCALARS; i++)
            suggest(&s, kd_str_of(kd_scalar_name((kd_scalar)i)));
        p->at = from;
        kd_error(p->diags, loc_here(p), "expected a type, but found %s%s", what, suggestion_text(p, &s, ""));
    }
    return NULL;
}

typedef KD_VEC(const kd_type *) type_list;
typedef KD_VEC(kd_value *) value_list;

static bool parse_types(parser *p, type_list *out)
{
    do {
        const kd_type *type = parse_type(p);
        if (!type)
            return false;
        kd_vec_push(p->arena, out, type);
    } while (accept(p, ","));
    return true;
}

/* ---- attributes ---- */

typedef struct literal {
    kd_str text;
    bool is_float, negative, too_large;
    uint64_t magnitude; /* of an integer */
    double f;           /* of both */
} literal;

static bool parse_literal(parser *p, literal *out)
{
    peek(p);
    const char *from = p->at;
    *out = (literal){.negative = p->at < p->end && *p->at == '-'};
    if (out->negative)
        p->at++;
    const char *digits = p->at;
    while (p->at < p->end && (is_name_char(*p->at) || ((*p->at == '-' || *p->at == '+') && (p->at[-1] == 'e' || p->at[-1] == 'E'))))
        p->at++;
    out->text = (kd_str){from, (size_t)(p->at - from)};
    for (const char *c = digits; c < p->at; c++)
        out->is_float |= !is_digit(*c);
    p->last = p->at;
    if (digits == p->at || !kd_double_parse(out->text, &out->f)) {
        p->at = from;
        const char *what = found(p);
        kd_error(p->diags, loc_here(p), "expected a number, but found %s", what);
        return false;
    }
    for (const char *c = digits; c < p->at && !out->is_float; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        out->too_large |= out->magnitude > (UINT64_MAX - digit) / 10;
        out->magnitude = out->magnitude * 10 + digit;
    }
    return true;
}

static bool parse_int(parser *p, int64_t *out)
{
    peek(p);
    const char *from = p->at;
    literal l;
    if (!parse_literal(p, &l))
        return false;
    if (l.is_float || l.too_large || l.magnitude > (uint64_t)INT64_MAX) {
        kd_error(p->diags, loc_from(p, from), "expected an integer of 64 bits, but found '%.*s'", KD_STR_ARG(l.text));
        return false;
    }
    *out = l.negative ? -(int64_t)l.magnitude : (int64_t)l.magnitude;
    return true;
}

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_string(parser *p, kd_str *out)
{
    peek(p);
    const char *from = p->at;
    if (!expect(p, "\"", "in front of a text"))
        return false;
    const char *close = p->at;
    while (close < p->end && *close != '"' && *close != '\n')
        close += *close == '\\' && close + 1 < p->end ? 2 : 1;
    if (close >= p->end || *close != '"') {
        kd_error(p->diags, loc_from(p, from), "this text has no closing quote on its line");
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
                kd_error(p->diags, loc_from(p, p->at - 2), "unknown escape: a text may have \\\\, \\\", \\n and \\x with two digits");
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
static bool parse_symbol(parser *p, kd_str *out)
{
    if (!expect(p, "@", "in front of a function's name"))
        return false;
    if (p->at < p->end && *p->at == '"')
        return parse_string(p, out);
    const char *from = p->at;
    *out = take_name(p);
    if (out->len)
        return true;
    kd_error(p->diags, loc_from(p, from - 1), "expected a name after '@'");
    return false;
}

static bool parse_enum(parser *p, const kd_attr_info *info, const char *mnemonic, kd_attr *out)
{
    peek(p);
    const char *from = p->at;
    kd_str word = take_word(p);
    suggestion s = suggest_for(word);
    kd_strbuf all = kd_strbuf_in(p->arena);
    unsigned n_listed = 0;
    for (unsigned i = 0; info->enum_texts[i]; i++) {
        if (word.len && kd_str_is(word, info->enum_texts[i])) {
            memset(out, 0, sizeof *out);
            out->as_kd_pred = (kd_pred)i; /* enums of the table have one representation */
            return true;
        }
        suggest(&s, kd_str_of(info->enum_texts[i]));
        if (info->enum_texts[i][0] && n_listed++ < 12)
            kd_strbuf_printf(&all, "%s%s", n_listed > 1 ? ", " : "", info->enum_texts[i]);
    }
    const char *hint = s.best.ptr ? suggestion_text(p, &s, "") : kd_arena_printf(p->arena, " (%s%s)", kd_strbuf_text(&all), n_listed > 12 ? ", ..." : "");
    p->at = from;
    const char *what = found(p);
    kd_error(p->diags, loc_here(p), "%s is no %s of '%s'%s", what, info->name, mnemonic, hint);
    return false;
}

static bool parse_ints(parser *p, kd_ints *out)
{
    KD_VEC(int64_t) list = {0};
    if (!expect(p, "[", "in front of a list of integers"))
        return false;
    if (!accept(p, "]")) {
        do {
            int64_t value = 0;
            if (!parse_int(p, &value))
                return false;
            kd_vec_push(p->arena, &list, value);
        } while (accept(p, ","));
        if (!expect(p, "]", "at the end of a list of integers"))
            return false;
    }
    *out = (kd_ints){list.data, list.n};
    return true;
}

static bool parse_attr_value(parser *p, const kd_attr_info *info, const char *mnemonic, kd_attr *out)
{
    switch (info->kind) {
    case KD_ATTR_INT:
        return parse_int(p, &out->as_kd_int);
    case KD_ATTR_FLAG:
        out->as_kd_flag = true;
        return true;
    case KD_ATTR_TEXT:
        return parse_string(p, &out->as_kd_text);
    case KD_ATTR_INTS:
        return parse_ints(p, &out->as_kd_ints);
    case KD_ATTR_ENUM:
        return parse_enum(p, info, mnemonic, out);
    case KD_ATTR_NUMBER: /* the only one is the key of kd.constant */
        break;
    }
    return false;
}

/* Behind '{'. */
static bool parse_attrs(parser *p, const kd_op_info *info, kd_attr *attrs, unsigned *seen)
{
    do {
        peek(p);
        const char *from = p->at;
        kd_str name = take_word(p);
        suggestion s = suggest_for(name);
        unsigned i = 0;
        while (i < info->n_attrs && !(kd_str_is(name, info->attrs[i].name) && !(*seen & 1u << i))) {
            suggest(&s, kd_str_of(info->attrs[i].name));
            i++;
        }
        if (i == info->n_attrs) {
            for (unsigned k = 0; k < info->n_attrs; k++)
                if (kd_str_is(name, info->attrs[k].name)) {
                    kd_error(p->diags, loc_from(p, from), "%s '%s' is given twice", info->attrs[k].is_key ? "the key" : "attribute", info->attrs[k].name);
                    return false;
                }
            p->at = from;
            const char *what = found(p);
            kd_error(p->diags, loc_here(p), "'%s' has no attribute %s%s", info->mnemonic, what, suggestion_text(p, &s, ""));
            return false;
        }
        *seen |= 1u << i;
        if (info->attrs[i].kind != KD_ATTR_FLAG && !expect(p, "=", "after the attribute's name"))
            return false;
        if (!parse_attr_value(p, &info->attrs[i], info->mnemonic, &attrs[i]))
            return false;
    } while (accept(p, ","));
    return expect(p, "}", "at the end of the attributes");
}

/* The number of a constant, once its type is known. */
static bool convert_literal(parser *p, const literal *l, const char *from, const kd_type *type, kd_number *out)
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

/* ---- ops ---- */

typedef struct op_parts {
    const char *from; /* where the op begins */
    const kd_op_info *info;
    KD_VEC(kd_str) result_names;
    KD_VEC(kd_loc) result_locs;
    value_list operands;
    type_list types;
    kd_attr attrs[KD_MAX_ATTR_INFOS];
    literal number; /* the key of a constant */
    const char *number_from;
} op_parts;

static bool parse_block(parser *p, kd_op *parent, unsigned region);

static bool parse_result_names(parser *p, op_parts *o)
{
    do {
        peek(p);
        const char *from = p->at;
        kd_str name;
        if (!take_value_name(p, &name))
            return false;
        kd_vec_push(p->arena, &o->result_names, name);
        kd_vec_push(p->arena, &o->result_locs, loc_from(p, from));
    } while (accept(p, ","));
    return expect(p, "=", "after the results' names");
}

static bool parse_mnemonic(parser *p, op_parts *o)
{
    peek(p);
    const char *from = p->at;
    kd_str word = take_word(p);
    suggestion s = suggest_for(word);
    for (unsigned i = 0; i < KD_N_OPS; i++) {
        if (i == KD_OP_module || i == KD_OP_func)
            continue;
        if (kd_str_is(word, kd_op_infos[i].mnemonic)) {
            o->info = &kd_op_infos[i];
            return true;
        }
        suggest(&s, kd_str_of(kd_op_infos[i].mnemonic));
    }
    kd_loc loc = loc_from(p, from);
    p->at = from;
    if (word.len)
        kd_error(p->diags, loc, "unknown op '%.*s'%s", KD_STR_ARG(word), suggestion_text(p, &s, ""));
    else {
        const char *what = found(p);
        kd_error(p->diags, loc_here(p), "expected an op, but found %s", what);
    }
    return false;
}

static bool parse_key(parser *p, op_parts *o, unsigned i)
{
    const kd_attr_info *key = &o->info->attrs[i];
    if (key->kind == KD_ATTR_TEXT)
        return parse_symbol(p, &o->attrs[i].as_kd_text);
    if (key->kind == KD_ATTR_ENUM)
        return parse_enum(p, key, o->info->mnemonic, &o->attrs[i]);
    peek(p);
    o->number_from = p->at;
    return parse_literal(p, &o->number);
}

/* Absent operands become NULL, and those left out at the end are added. */
static bool parse_operands(parser *p, op_parts *o)
{
    const kd_op_info *info = o->info;
    bool is_variadic = info->n_operands && info->operands[info->n_operands - 1].kind == KD_OPERAND_VARIADIC;
    unsigned n_fixed = info->n_operands - is_variadic;
    char c = peek(p);
    if (c == '%' || c == '_')
        do {
            skip_space(p);
            const char *from = p->at;
            kd_value *value = NULL;
            unsigned i = o->operands.n;
            if (i >= n_fixed && !is_variadic) {
                kd_error(p->diags, loc_from(p, from), "'%s' has %u operand%s at most", info->mnemonic, n_fixed, n_fixed == 1 ? "" : "s");
                return false;
            }
            if (accept(p, "_")) {
                if (i >= n_fixed || info->operands[i].kind != KD_OPERAND_OPTIONAL) {
                    kd_error(p->diags, loc_from(p, from), "operand '%s' of '%s' cannot be left out", info->operands[i < n_fixed ? i : n_fixed].name,
                             info->mnemonic);
                    return false;
                }
            } else {
                kd_str name;
                if (!take_value_name(p, &name) || !(value = lookup(p, name, loc_from(p, from))))
                    return false;
            }
            kd_vec_push(p->arena, &o->operands, value);
        } while (accept(p, ","));
    while (o->operands.n < n_fixed) {
        if (info->operands[o->operands.n].kind != KD_OPERAND_OPTIONAL) {
            kd_error(p->diags, loc_here(p), "'%s' needs operand '%s'", info->mnemonic, info->operands[o->operands.n].name);
            return false;
        }
        kd_vec_push(p->arena, &o->operands, NULL);
    }
    return true;
}

static bool parse_result_types(parser *p, op_parts *o)
{
    if (accept(p, ":") && !parse_types(p, &o->types))
        return false;
    unsigned n = o->result_names.n;
    if (n != o->types.n) {
        if (o->types.n == 0)
            kd_error(p->diags, loc_here(p), "'%s' has %s: write ': TYPE' behind it", o->info->mnemonic, n == 1 ? "a result" : "results");
        else
            kd_error(p->diags, loc_from(p, o->from), "'%s' has %u result name%s and %u type%s", o->info->mnemonic, n, n == 1 ? "" : "s", o->types.n,
                     o->types.n == 1 ? "" : "s");
        return false;
    }
    if (!o->info->results_variadic && n != o->info->n_results) {
        kd_error(p->diags, loc_from(p, o->from), "'%s' has %s, but %u %s named", o->info->mnemonic,
                 o->info->n_results ? "one result" : "no result", n, n == 1 ? "is" : "are");
        return false;
    }
    return true;
}

/* Whether '{' opens attributes: a name without a dot follows; ops and arguments begin otherwise. */
static bool attrs_follow(parser *p)
{
    if (peek(p) != '{')
        return false;
    parser ahead = *p;
    ahead.at++;
    if (!is_word_start(peek(&ahead)))
        return false;
    kd_str word = take_name(&ahead);
    return !memchr(word.ptr, '.', word.len);
}

static bool parse_op(parser *p, kd_builder *b)
{
    op_parts o = {.from = p->at};
    if (peek(p) == '%' && !parse_result_names(p, &o))
        return false;
    if (!parse_mnemonic(p, &o))
        return false;
    const kd_op_info *info = o.info;
    unsigned seen = 0;
    for (unsigned i = 0; i < info->n_attrs; i++)
        if (info->attrs[i].is_key && info->attrs[i].kind != KD_ATTR_INT) {
            seen |= 1u << i;
            if (!parse_key(p, &o, i))
                return false;
        }
    if (!parse_operands(p, &o))
        return false;
    if (attrs_follow(p) && accept(p, "{") && !parse_attrs(p, info, o.attrs, &seen))
        return false;
    for (unsigned i = 0; i < info->n_attrs; i++)
        if (info->attrs[i].is_key && !(seen & 1u << i)) {
            kd_error(p->diags, loc_from(p, o.from), "'%s' needs its attribute '%s'", info->mnemonic, info->attrs[i].name);
            return false;
        }
    if (!parse_result_types(p, &o))
        return false;
    kd_opcode code = (kd_opcode)(info - kd_op_infos);
    if (code == KD_OP_constant && !convert_literal(p, &o.number, o.number_from, o.types.data[0], &o.attrs[0].as_kd_number))
        return false;
    kd_op *op = kd_build_op(b, code, loc_from(p, o.from), o.operands.data, o.operands.n, o.types.data, o.types.n, o.attrs);
    for (unsigned r = 0; r < info->n_regions; r++) {
        if (r && !expect(p, code == KD_OP_if ? "else" : "do", "in front of the second region"))
            return false;
        if (!parse_block(p, op, r))
            return false;
    }
    for (unsigned i = 0; i < op->n_results; i++)
        if (!bind(p, o.result_names.data[i], o.result_locs.data[i], &op->results[i]))
            return false;
    char c = peek(p);
    if (c && c != '}') {
        const char *what = found(p);
        kd_error(p->diags, loc_here(p), "expected the end of the line, but found %s", what);
        return false;
    }
    return true;
}

/* "name: type" */
static bool parse_arg(parser *p, kd_block *block)
{
    skip_space(p);
    const char *from = p->at;
    kd_str name;
    if (!take_value_name(p, &name))
        return false;
    kd_loc loc = loc_from(p, from);
    if (!expect(p, ":", "after the argument's name"))
        return false;
    const kd_type *type = parse_type(p);
    return type && bind(p, name, loc, kd_block_add_arg(p->module, block, type, NULL));
}

/* Ops up to '}', which is read too. */
static bool parse_ops(parser *p, kd_block *block, const char *open)
{
    kd_builder b = kd_builder_at_end(p->module, block);
    for (;;) {
        skip_space(p);
        if (p->at == p->end) {
            kd_error(p->diags, loc_here(p), "expected '}', but found the end of the file");
            kd_note(p->diags, (kd_loc){p->source, (uint32_t)(open - p->begin), (uint32_t)(open - p->begin) + 1}, "to match this '{'");
            return false;
        }
        if (accept(p, "}"))
            return true;
        if (!parse_op(p, &b))
            return false;
    }
}

static void end_scope(parser *p, unsigned n_outer)
{
    while (p->scope.n > n_outer)
        kd_vec_pop(&p->scope)->ended = true;
}

static bool parse_block(parser *p, kd_op *parent, unsigned region)
{
    kd_block *block = parent->regions[region];
    unsigned n_outer = p->scope.n;
    peek(p);
    const char *open = p->at;
    if (p->depth >= MAX_DEPTH) {
        kd_error(p->diags, loc_here(p), "regions are nested more than %d deep", MAX_DEPTH);
        return false;
    }
    if (!expect(p, "{", "in front of the region"))
        return false;
    p->depth++;
    skip_space(p);
    if (accept(p, "^")) {
        if (!expect(p, "(", "after '^'"))
            return false;
        do
            if (!parse_arg(p, block))
                return false;
        while (accept(p, ","));
        if (!expect(p, ")", "at the end of the region's arguments") || !expect(p, ":", "after the region's arguments"))
            return false;
    }
    if (!parse_ops(p, block, open))
        return false;
    p->depth--;
    end_scope(p, n_outer);
    return true;
}

/* ---- functions ---- */

static bool parse_param(parser *p, kd_block *body, int64_t *out_divisibility)
{
    if (!parse_arg(p, body))
        return false;
    *out_divisibility = 0;
    return !accept(p, "{") || (expect(p, "divisibility", "as a parameter's attribute") && expect(p, "=", "after the attribute's name") &&
                               parse_int(p, out_divisibility) && expect(p, "}", "at the end of the attributes"));
}

static bool check_return_types(parser *p, const kd_op *func, const type_list *types, kd_loc loc)
{
    const kd_op *end = func->regions[0]->last;
    if (!end || end->code != KD_OP_return)
        return true; /* the verifier says so */
    bool same = end->n_operands == types->n;
    for (unsigned i = 0; i < types->n && same; i++)
        same = end->operands[i].value->type == types->data[i];
    if (same)
        return true;
    kd_error(p->diags, loc, "these are not the types that kd.return gives");
    kd_note(p->diags, end->loc, "returned here");
    return false;
}

static bool parse_func(parser *p)
{
    p->names = kd_map_in(p->arena);
    p->scope.n = 0;
    p->depth = 0;
    const char *from = p->at;
    kd_str word = take_word(p), name;
    if (!kd_str_is(word, "func")) {
        p->at = from;
        const char *what = found(p);
        kd_error(p->diags, loc_here(p), "expected 'func', but found %s", what);
        return false;
    }
    if (!parse_symbol(p, &name))
        return false;
    kd_loc loc = loc_from(p, from);
    kd_op *earlier = kd_map_get(&p->funcs, name);
    if (earlier) {
        kd_error(p->diags, loc, "function '@%.*s' is defined twice", KD_STR_ARG(name));
        kd_note(p->diags, earlier->loc, "the first definition");
        return false;
    }
    kd_builder b = kd_builder_at_end(p->module, p->module->op->regions[0]);
    kd_op *func = kd_build_func(&b, (kd_func_args){.loc = loc, .name = name});
    *kd_map_at(&p->funcs, kd_func_name(func)) = func;
    kd_block *body = func->regions[0];
    KD_VEC(int64_t) divisibility = {0};
    bool any_hint = false, good = expect(p, "(", "after the function's name");
    skip_space(p);
    if (good && !accept(p, ")")) {
        do {
            int64_t hint = 0;
            good = parse_param(p, body, &hint);
            kd_vec_push(p->arena, &divisibility, hint);
            any_hint |= hint != 0;
        } while (good && accept(p, ","));
        skip_space(p);
        good = good && expect(p, ")", "at the end of the parameters");
    }
    type_list types = {0};
    bool says_types = good && accept(p, "->");
    peek(p);
    const char *types_from = p->at;
    good = good && (!says_types || parse_types(p, &types));
    kd_loc types_loc = loc_from(p, types_from);
    if (good && accept(p, "kernel"))
        kd_func_set_kernel(func, true);
    if (any_hint)
        kd_func_set_divisibility(func, (kd_ints){divisibility.data, divisibility.n});
    good = good && parse_block(p, func, 0) && (!says_types || check_return_types(p, func, &types, types_loc));
    if (!good)
        kd_op_erase(func);
    return good;
}

/* After a mistake in what began at 'from': to the next line that begins a function. */
static void skip_to_func(parser *p, const char *from)
{
    while (p->at < p->end && !(p->at > from && p->at[-1] == '\n' && p->end - p->at >= 5 && memcmp(p->at, "func ", 5) == 0))
        p->at++;
}

kd_module *kd_parse_ir(kd_context *ctx, kd_arena *arena, kd_diags *diags, uint32_t source)
{
    const kd_source *text = kd_source_get(diags, source);
    if (text->text.len >= UINT32_MAX) {
        kd_error(diags, (kd_loc){source, 0, 0}, "the file is larger than 4 GB");
        return NULL;
    }
    parser p = {.module = kd_module_create(ctx, arena), .arena = arena, .diags = diags, .source = source, .funcs = kd_map_in(arena)};
    p.begin = p.at = p.last = text->text.len ? text->text.ptr : "";
    p.end = p.begin + text->text.len;
    bool good = true;
    for (skip_space(&p); p.at < p.end; skip_space(&p)) {
        const char *from = p.at;
        if (!parse_func(&p)) {
            good = false;
            skip_to_func(&p, from);
        }
    }
    good &= kd_verify_parsed(p.module, diags, good);
    return good ? p.module : NULL;
}
