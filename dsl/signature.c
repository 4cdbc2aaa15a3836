/* signature.c - reads signatures; signature.h tells what they look like. */
#include "dsl/signature.h"
#include "base/scalar.h"
#include "dsl/lower_impl.h"

#include <ctype.h>
#include <math.h>

enum { MAX_SIGNATURE_BYTES = 1 << 20, MAX_NESTED_TUPLES = 16 };

typedef struct kd_sig_parser {
    kd_lower *lw;
    kd_scope *scope; /* what constants may name: the file's names, types, inf, parameters before */
    const kd_function *kernel;
    uint32_t source;
    const char *text;
    kd_signature *out;
    unsigned n_nested;
} kd_sig_parser;

typedef struct kd_span {
    unsigned begin, end;
} kd_span;

static kd_loc loc_of(const kd_sig_parser *p, kd_span s)
{
    return (kd_loc){p->source, s.begin, s.end > s.begin ? s.end : s.begin + 1};
}

static kd_str text_of(const kd_sig_parser *p, kd_span s)
{
    return (kd_str){p->text + s.begin, s.end - s.begin};
}

static kd_span trim(const kd_sig_parser *p, kd_span s)
{
    while (s.begin < s.end && isspace((unsigned char)p->text[s.begin]))
        s.begin++;
    while (s.end > s.begin && isspace((unsigned char)p->text[s.end - 1]))
        s.end--;
    return s;
}

/* Whether the '<' at 'at' is the bracket of tensordesc<...>, not a comparison. */
static bool opens_descriptor(const kd_sig_parser *p, unsigned at)
{
    static const char WORD[] = "tensordesc";
    const unsigned n = sizeof WORD - 1;
    return p->text[at] == '<' && at >= n && memcmp(p->text + at - n, WORD, n) == 0;
}

/* Behind the entry that starts at 'at': its comma, or the end. Brackets and quotes hide commas. */
static unsigned entry_end(const kd_sig_parser *p, unsigned at, unsigned end)
{
    unsigned depth = 0;
    bool in_descriptor = false;
    for (; at < end; at++) {
        char c = p->text[at];
        if (c == '\'' || c == '"') {
            while (++at < end && p->text[at] != c)
                at += p->text[at] == '\\';
            if (at >= end)
                return end;
        } else if (strchr("([{", c) || opens_descriptor(p, at)) {
            in_descriptor |= c == '<';
            depth++;
        } else if (strchr(")]}", c) || (c == '>' && in_descriptor)) {
            in_descriptor &= c != '>';
            depth -= depth > 0;
        } else if (c == ',' && !depth) {
            return at;
        }
    }
    return end;
}

/* ---- types ---- */

static kd_span name_at(const kd_sig_parser *p, unsigned at, unsigned end)
{
    kd_span s = {at, at};
    while (s.end < end && (isalnum((unsigned char)p->text[s.end]) || p->text[s.end] == '_'))
        s.end++;
    return s;
}

static bool report_hint(const kd_sig_parser *p, kd_span hint)
{
    kd_error(p->lw->diags, loc_of(p, hint), "a hint is ':16' (a multiple of 16) or ':1' (always 1), but found ':%.*s'", KD_STR_ARG(text_of(p, hint)));
    return false;
}

/* What follows a type: nothing, or a hint. */
static bool parse_hint(const kd_sig_parser *p, unsigned at, unsigned end, kd_sig_arg *out)
{
    kd_span rest = trim(p, (kd_span){at, end});
    out->divisibility = 1;
    if (rest.begin == rest.end)
        return true;
    if (p->text[rest.begin] != ':') {
        kd_error(p->lw->diags, loc_of(p, rest), "expected ':16', ',' or the end after a type");
        return false;
    }
    kd_span hint = trim(p, (kd_span){rest.begin + 1, rest.end});
    if (kd_str_is(text_of(p, hint), "16")) {
        out->divisibility = 16;
        return true;
    }
    if (!kd_str_is(text_of(p, hint), "1"))
        return report_hint(p, hint);
    if (out->type->kind != KD_TYPE_SCALAR || !kd_scalar_is_int(out->type->scalar)) {
        kd_error(p->lw->diags, loc_of(p, hint), "':1' is for integers, but this is %s", kd_d_type_text(p->lw, out->type));
        return false;
    }
    out->kind = KD_SIG_STATIC;
    out->value = kd_d_int(1);
    return true;
}

static kd_nearest nearest_type(kd_str name)
{
    kd_nearest nearest = kd_nearest_to(name);
    for (unsigned i = 0; i < KD_N_SCALARS; i++)
        kd_nearest_try(&nearest, kd_str_of(kd_scalar_triton_name(i)));
    return nearest;
}

static bool unknown_type(const kd_sig_parser *p, kd_span name)
{
    kd_nearest nearest = nearest_type(text_of(p, name));
    kd_error(p->lw->diags, loc_of(p, name), "'%.*s' is not a type%s", KD_STR_ARG(text_of(p, name)), kd_nearest_hint(p->lw->arena, &nearest));
    return false;
}

/* A name that means nothing and is spelled nearly like a type. */
static bool is_misspelled_type(const kd_sig_parser *p, kd_span name)
{
    kd_str text = text_of(p, name);
    kd_nearest nearest = nearest_type(text);
    const char *hint = NULL;
    return nearest.best.len && !kd_scope_find(p->scope, text) && kd_d_is_error(kd_dmodule_lookup(p->lw, p->scope->module, text, &hint));
}

static bool parse_pointer(const kd_sig_parser *p, kd_span s, kd_sig_arg *out)
{
    unsigned stars = 0, at = s.begin;
    for (; at < s.end && (p->text[at] == '*' || isspace((unsigned char)p->text[at])); at++)
        stars += p->text[at] == '*';
    if (stars > 8) {
        kd_error(p->lw->diags, loc_of(p, s), "a pointer of %u levels", stars);
        return false;
    }
    kd_span name = name_at(p, at, s.end);
    kd_scalar scalar;
    kd_str text = text_of(p, name);
    if (text.len > 1 && text.ptr[0] == 'k') /* a pointer to constants */
        text = (kd_str){text.ptr + 1, text.len - 1};
    if (!kd_scalar_parse(text, &scalar))
        return unknown_type(p, name);
    out->kind = KD_SIG_RUN_TIME;
    out->type = kd_type_scalar(p->lw->ctx, scalar);
    for (unsigned i = 0; i < stars; i++)
        out->type = kd_type_ptr(p->lw->ctx, out->type);
    return parse_hint(p, name.end, s.end, out);
}

static bool parse_extent(const kd_sig_parser *p, kd_span s, int64_t *out)
{
    *out = 0;
    for (unsigned i = s.begin; i < s.end && *out < KD_MAX_TILE_ELEMS; i++) {
        if (!isdigit((unsigned char)p->text[i])) {
            *out = 0;
            break;
        }
        *out = *out * 10 + (p->text[i] - '0');
    }
    if (*out > 0 && *out <= KD_MAX_TILE_ELEMS && (*out & (*out - 1)) == 0)
        return true;
    kd_error(p->lw->diags, loc_of(p, s), "an extent of a block is a power of two, but found '%.*s'", KD_STR_ARG(text_of(p, s)));
    return false;
}

/* tensordesc<fp16[64, 64]> */
static bool parse_descriptor(const kd_sig_parser *p, kd_span s, kd_sig_arg *out)
{
    kd_span name = name_at(p, s.begin + 11, s.end), list = {name.end, s.end};
    kd_scalar scalar;
    while (list.end > list.begin && p->text[list.end - 1] != ']')
        list.end--;
    if (!kd_scalar_parse(text_of(p, name), &scalar))
        return unknown_type(p, name);
    if (list.end <= list.begin + 1 || p->text[list.begin] != '[') {
        kd_error(p->lw->diags, loc_of(p, s), "expected 'tensordesc<TYPE[EXTENT, ...]>'");
        return false;
    }
    int64_t *shape = kd_arena_array(p->lw->arena, int64_t, 5);
    unsigned rank = 0;
    for (unsigned at = list.begin + 1; at < list.end - 1;) {
        unsigned end = entry_end(p, at, list.end - 1);
        if (rank == 5) {
            kd_error(p->lw->diags, loc_of(p, s), "a descriptor has 1 to 5 axes");
            return false;
        }
        if (!parse_extent(p, trim(p, (kd_span){at, end}), &shape[rank++]))
            return false;
        at = end + 1;
    }
    if (!rank) {
        kd_error(p->lw->diags, loc_of(p, s), "a descriptor has 1 to 5 axes");
        return false;
    }
    *out = (kd_sig_arg){.kind = KD_SIG_DESC, .loc = out->loc, .type = kd_type_scalar(p->lw->ctx, scalar), .divisibility = 16, .rank = rank, .block_shape = shape};
    return true;
}

/* ---- values ---- */

/* What went wrong in the text of one entry, at its place in the whole signature. */
static void report_inside(const kd_sig_parser *p, kd_span s, const kd_diags *quiet, uint32_t source)
{
    for (const kd_diag *d = kd_diags_first(quiet); d; d = d->next) {
        if (d->severity != KD_ERROR)
            continue;
        kd_loc loc = loc_of(p, s);
        if (d->loc.source == source && d->loc.end <= s.end - s.begin) {
            loc.begin = s.begin + d->loc.begin;
            loc.end = s.begin + d->loc.end;
        }
        kd_error(p->lw->diags, loc, "%s", d->message);
        return;
    }
    kd_error(p->lw->diags, loc_of(p, s), "this is neither a type nor a value");
}

static bool parse_value(const kd_sig_parser *p, kd_span s, kd_sig_arg *out)
{
    kd_lower *lw = p->lw;
    kd_diags *quiet = kd_diags_create_beside(lw->arena, lw->diags);
    uint32_t source = kd_source_add(quiet, "<signature>", text_of(p, s));
    kd_expr *e = kd_parse_expression(lw->arena, quiet, source);
    kd_dval v = e ? kd_eval_into(lw, p->scope, e, quiet) : KD_D_ERR;
    if (kd_d_is_error(v) || kd_diags_n_errors(quiet)) {
        report_inside(p, s, quiet, source);
        return false;
    }
    if (!kd_d_is_static(v)) {
        kd_error(lw->diags, loc_of(p, s), "this is no compile-time value");
        return false;
    }
    out->kind = KD_SIG_STATIC;
    v.loc = loc_of(p, s);
    out->value = v;
    return true;
}

static bool parse_entry(kd_sig_parser *p, kd_span s, bool is_constexpr, kd_sig_arg *out);

static bool has_comma(const kd_sig_parser *p, kd_span s)
{
    return entry_end(p, s.begin, s.end) < s.end;
}

static bool parse_tuple(kd_sig_parser *p, kd_span inside, kd_sig_arg *out)
{
    KD_VEC(kd_sig_arg) items = {0};
    if (++p->n_nested > MAX_NESTED_TUPLES) {
        kd_error(p->lw->diags, loc_of(p, inside), "tuples are nested too deeply");
        return false;
    }
    for (unsigned at = inside.begin; at < inside.end;) {
        unsigned end = entry_end(p, at, inside.end);
        kd_span s = trim(p, (kd_span){at, end});
        kd_sig_arg item = {0};
        if (s.begin == s.end && end >= inside.end)
            break;
        if (!parse_entry(p, s, false, &item))
            return false;
        kd_vec_push(p->lw->arena, &items, item);
        at = end + 1;
    }
    p->n_nested--;
    *out = (kd_sig_arg){.kind = KD_SIG_TUPLE, .loc = out->loc, .items = items.data, .n_items = items.n};
    return true;
}

/* 'dtype:bf16' and 'fn:NAME': the part behind the colon. */
static bool strip_prefix(const kd_sig_parser *p, kd_span *s, const char *prefix)
{
    if (!kd_str_starts_with(text_of(p, *s), prefix))
        return false;
    s->begin += (unsigned)strlen(prefix);
    *s = trim(p, *s);
    return true;
}

static bool parse_entry(kd_sig_parser *p, kd_span s, bool is_constexpr, kd_sig_arg *out)
{
    *out = (kd_sig_arg){.loc = loc_of(p, s), .divisibility = 1};
    if (s.begin == s.end) {
        kd_error(p->lw->diags, loc_of(p, s), "an entry of the signature is empty");
        return false;
    }
    if (p->text[s.begin] == '*')
        return parse_pointer(p, s, out);
    if (kd_str_starts_with(text_of(p, s), "tensordesc<"))
        return parse_descriptor(p, s, out);
    kd_span inside = {s.begin + 1, s.end - 1};
    if (p->text[s.begin] == '(' && s.end - s.begin >= 2 && p->text[s.end - 1] == ')' && (has_comma(p, inside) || trim(p, inside).begin == trim(p, inside).end) &&
        entry_end(p, s.begin, s.end) == s.end)
        return parse_tuple(p, inside, out);
    if (strip_prefix(p, &s, "dtype:") || strip_prefix(p, &s, "fn:"))
        return parse_value(p, s, out);
    kd_span name = name_at(p, s.begin, s.end), rest = trim(p, (kd_span){name.end, s.end});
    kd_scalar scalar;
    bool ends = rest.begin == rest.end || p->text[rest.begin] == ':';
    if (!is_constexpr && ends && kd_scalar_parse(text_of(p, name), &scalar)) {
        out->kind = KD_SIG_RUN_TIME;
        out->type = kd_type_scalar(p->lw->ctx, scalar);
        return parse_hint(p, name.end, s.end, out);
    }
    if (kd_str_is(text_of(p, s), "constexpr")) {
        kd_error(p->lw->diags, loc_of(p, s), "a compile-time parameter needs its value here");
        return false;
    }
    if (!is_constexpr && ends && is_misspelled_type(p, name))
        return unknown_type(p, name);
    return parse_value(p, s, out);
}

/* ---- the list ---- */

static kd_str param_name(const kd_sig_parser *p, unsigned i)
{
    return p->kernel->params[i].name;
}

static int find_param(const kd_sig_parser *p, kd_span name)
{
    kd_nearest nearest = kd_nearest_to(text_of(p, name));
    for (unsigned i = 0; i < p->kernel->n_params; i++) {
        if (kd_str_equal(param_name(p, i), text_of(p, name)))
            return (int)i;
        kd_nearest_try(&nearest, param_name(p, i));
    }
    kd_error(p->lw->diags, loc_of(p, name), "'%.*s' has no parameter '%.*s'%s", KD_STR_ARG(p->kernel->name), KD_STR_ARG(text_of(p, name)),
             kd_nearest_hint(p->lw->arena, &nearest));
    return -1;
}

/* NAME= in front of an entry; the rest of it. */
static bool split_name(const kd_sig_parser *p, kd_span *s, kd_span *out_name)
{
    *out_name = name_at(p, s->begin, s->end);
    /* Python names need not be ASCII. */
    while (out_name->end < s->end && (p->text[out_name->end] & 0x80))
        *out_name = (kd_span){out_name->begin, name_at(p, out_name->end + 1, s->end).end};
    unsigned at = out_name->end;
    while (at < s->end && isspace((unsigned char)p->text[at]))
        at++;
    if (out_name->end == out_name->begin || at >= s->end || p->text[at] != '=' || (at + 1 < s->end && p->text[at + 1] == '='))
        return false;
    *s = trim(p, (kd_span){at + 1, s->end});
    return true;
}

static bool parse_named(kd_sig_parser *p, kd_span s, unsigned i)
{
    kd_sig_arg *arg = &p->out->args[i];
    const kd_param *param = &p->kernel->params[i];
    if (arg->kind != KD_SIG_MISSING) {
        kd_error(p->lw->diags, loc_of(p, s), "'%.*s' is given twice", KD_STR_ARG(param->name));
        return false;
    }
    if (!parse_entry(p, s, kd_annotation_is_constexpr(param->annotation), arg))
        return false;
    if (arg->kind == KD_SIG_STATIC)
        kd_scope_set(p->lw, p->scope, param->name, arg->value, arg->loc);
    return true;
}

static bool parse_list(kd_sig_parser *p, unsigned end)
{
    unsigned n = 0;
    bool by_name = false, good = true;
    for (unsigned at = 0; at < end; n++) {
        unsigned stop = entry_end(p, at, end);
        kd_span s = trim(p, (kd_span){at, stop}), name;
        at = stop + 1;
        if (s.begin == s.end && stop >= end) /* a comma at the end */
            break;
        if (split_name(p, &s, &name)) {
            by_name = true;
            int i = find_param(p, name);
            good = i >= 0 && parse_named(p, s, (unsigned)i) && good;
        } else if (by_name) {
            kd_error(p->lw->diags, loc_of(p, s), "an entry by position after one by name");
            good = false;
        } else if (n >= p->out->n) {
            kd_error(p->lw->diags, loc_of(p, s), "'%.*s' has %u parameter%s, but the signature has more entries", KD_STR_ARG(p->kernel->name), p->out->n,
                     p->out->n == 1 ? "" : "s");
            return false;
        } else {
            good = parse_named(p, s, n) && good;
        }
    }
    return good;
}

static void bind_words(kd_sig_parser *p)
{
    kd_lower *lw = p->lw;
    for (unsigned i = 0; i < KD_N_SCALARS; i++) {
        kd_dval dtype = kd_d_dtype(kd_type_scalar(lw->ctx, i));
        kd_scope_set(lw, p->scope, kd_str_of(kd_scalar_name(i)), dtype, KD_NO_LOC);
        kd_scope_set(lw, p->scope, kd_str_of(kd_scalar_triton_name(i)), dtype, KD_NO_LOC);
    }
    kd_scope_set(lw, p->scope, kd_str_of("inf"), kd_d_float(INFINITY), KD_NO_LOC);
    kd_scope_set(lw, p->scope, kd_str_of("nan"), kd_d_float(NAN), KD_NO_LOC);
    kd_scope_set(lw, p->scope, kd_str_of("tl"), (kd_dval){.kind = KD_D_MODULE, .mod = {.namespace_ = "tl"}}, KD_NO_LOC);
}

static bool parse_text(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, const char *source_name, const char *text, kd_signature *out)
{
    kd_sig_parser p = {.lw = lw, .kernel = kernel, .out = out, .text = text};
    size_t n_bytes = strlen(text);
    p.source = kd_source_add(lw->diags, source_name, kd_str_of(text));
    *out = (kd_signature){kd_arena_array(lw->arena, kd_sig_arg, kernel->n_params), kernel->n_params};
    if (n_bytes > MAX_SIGNATURE_BYTES) {
        kd_error(lw->diags, (kd_loc){p.source, 0, 1}, "the signature is longer than a million bytes");
        return false;
    }
    p.scope = kd_scope_create(lw, NULL, module, NULL);
    p.scope->is_python = true;
    bind_words(&p);
    return parse_list(&p, (unsigned)n_bytes);
}

bool kd_signature_parse(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, const char *text, kd_signature *out)
{
    for (unsigned i = 0; i < kernel->n_params; i++)
        if (kernel->params[i].kind == KD_PARAM_STAR || kernel->params[i].kind == KD_PARAM_STAR_STAR) {
            kd_error(lw->diags, kernel->params[i].loc, "a kernel cannot take '*' parameters");
            return false;
        }
    return parse_text(lw, module, kernel, "<signature>", kd_arena_strdup(lw->arena, text ? text : ""), out);
}

bool kd_signature_fill(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, const char *source_name, const char *text, kd_signature *signature)
{
    kd_signature more;
    if (!parse_text(lw, module, kernel, source_name, text, &more))
        return false;
    for (unsigned i = 0; i < more.n; i++)
        if (signature->args[i].kind == KD_SIG_MISSING)
            signature->args[i] = more.args[i];
    return true;
}

void kd_signature_note_types(kd_lower *lw, const kd_function *kernel, const kd_signature *signature)
{
    for (unsigned i = 0; i < signature->n; i++) {
        const kd_sig_arg *arg = &signature->args[i];
        if (arg->kind == KD_SIG_STATIC && arg->value.kind == KD_D_DTYPE && kd_type_is_int_like(arg->value.type) &&
            kd_annotation_is_constexpr(kernel->params[i].annotation))
            kd_note(lw->diags, arg->loc, "the value of '%.*s' is %s itself; a tl.constexpr parameter that is a number is given as one: '%.*s=64'",
                    KD_STR_ARG(kernel->params[i].name), kd_d_describe(lw, arg->value), KD_STR_ARG(kernel->params[i].name));
    }
}
