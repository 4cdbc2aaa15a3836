/* text.c - compile-time values and types as text: Python's str() and repr(), and what messages say of a value. */
#include "dsl/dsl_impl.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_SHOWN = 60 }; /* characters of a string that messages show */

/* The shortest decimal that reads back as the same double, laid out as Python does. */
static void float_text(kd_strbuf *out, double v)
{
    if (isnan(v) || isinf(v)) {
        kd_strbuf_puts(out, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    char digits[24];
    int n = 0;
    char *exponent_at = strchr(text, 'e');
    for (char *c = text; c < exponent_at; c++)
        if (*c >= '0' && *c <= '9')
            digits[n++] = *c;
    int exponent = atoi(exponent_at + 1);
    if (signbit(v))
        kd_strbuf_puts(out, "-");
    if (exponent < -4 || exponent >= 16) {
        kd_strbuf_append(out, digits, 1);
        if (n > 1)
            kd_strbuf_printf(out, ".%.*s", n - 1, digits + 1);
        kd_strbuf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        kd_strbuf_printf(out, "0.%.*s%.*s", -exponent - 1, "000", n, digits);
    } else {
        for (int i = 0; i <= exponent || i < n; i++) {
            if (i == exponent + 1)
                kd_strbuf_puts(out, ".");
            kd_strbuf_append(out, i < n ? &digits[i] : "0", 1);
        }
        if (n <= exponent + 1)
            kd_strbuf_puts(out, ".0");
    }
}

static void int_text(kd_strbuf *out, __int128 v)
{
    char digits[48];
    int at = sizeof digits;
    unsigned __int128 rest = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    do
        digits[--at] = (char)('0' + (int)(rest % 10));
    while (rest /= 10);
    if (v < 0)
        digits[--at] = '-';
    kd_strbuf_append(out, digits + at, sizeof digits - (size_t)at);
}

static void string_repr(kd_strbuf *out, kd_str text)
{
    bool has_single = text.len && memchr(text.ptr, '\'', text.len), has_double = text.len && memchr(text.ptr, '"', text.len);
    char quote = has_single && !has_double ? '"' : '\'';
    kd_strbuf_append(out, &quote, 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\n' || c == '\t' || c == '\r')
            kd_strbuf_puts(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else if (c == '\\' || c == (unsigned char)quote)
            kd_strbuf_printf(out, "\\%c", c);
        else if (c < 32 || c == 127)
            kd_strbuf_printf(out, "\\x%02x", c);
        else
            kd_strbuf_append(out, (const char *)&c, 1);
    }
    kd_strbuf_append(out, &quote, 1);
}

static void type_text(kd_strbuf *out, const kd_type *type)
{
    const kd_type *elem = kd_type_elem(type);
    if (kd_type_is_tile(type)) {
        kd_strbuf_puts(out, "[");
        for (unsigned i = 0; i < type->rank; i++)
            kd_strbuf_printf(out, "%s%lld", i ? ", " : "", (long long)type->shape[i]);
        kd_strbuf_puts(out, "] of ");
    }
    if (elem->kind == KD_TYPE_PTR) {
        kd_strbuf_puts(out, "pointer<");
        type_text(out, elem->elem);
        kd_strbuf_puts(out, ">");
    } else {
        kd_strbuf_puts(out, kd_scalar_is_float(elem->scalar) ? kd_scalar_triton_name(elem->scalar) : kd_scalar_tl_name(elem->scalar));
    }
}

const char *kd_d_type_text(kd_lower *lw, const kd_type *type)
{
    kd_strbuf out = kd_strbuf_in(lw->arena);
    type_text(&out, type);
    return kd_strbuf_text(&out);
}

static void value_text(kd_lower *lw, kd_strbuf *out, kd_dval v, bool repr)
{
    switch (v.kind) {
    case KD_D_NONE: kd_strbuf_puts(out, "None"); break;
    case KD_D_BOOL: kd_strbuf_puts(out, v.integer ? "True" : "False"); break;
    case KD_D_INT: int_text(out, v.integer); break;
    case KD_D_FLOAT: float_text(out, v.real); break;
    case KD_D_STRING:
        if (repr)
            string_repr(out, v.text);
        else
            kd_strbuf_append(out, v.text.ptr, v.text.len);
        break;
    case KD_D_DTYPE: type_text(out, v.type); break;
    case KD_D_TUPLE:
        kd_strbuf_puts(out, "(");
        for (unsigned i = 0; i < v.tuple.n; i++) {
            kd_strbuf_puts(out, i ? ", " : "");
            value_text(lw, out, v.tuple.items[i], true);
        }
        kd_strbuf_puts(out, v.tuple.n == 1 ? ",)" : ")");
        break;
    default: kd_strbuf_printf(out, "<%s>", kd_d_describe(lw, v)); break;
    }
}

const char *kd_d_str(kd_lower *lw, kd_dval v)
{
    kd_strbuf out = kd_strbuf_in(lw->arena);
    value_text(lw, &out, v, false);
    return kd_strbuf_text(&out);
}

const char *kd_d_repr(kd_lower *lw, kd_dval v)
{
    kd_strbuf out = kd_strbuf_in(lw->arena);
    value_text(lw, &out, v, true);
    return kd_strbuf_text(&out);
}

const char *kd_d_describe(kd_lower *lw, kd_dval v)
{
    kd_strbuf out = kd_strbuf_in(lw->arena);
    switch (v.kind) {
    case KD_D_ERROR: return "an error";
    case KD_D_NONE: return "None";
    case KD_D_BOOL: return v.integer ? "True" : "False";
    case KD_D_INT: kd_strbuf_puts(&out, "the int "); break;
    case KD_D_FLOAT: kd_strbuf_puts(&out, "the float "); break;
    case KD_D_STRING:
        kd_strbuf_puts(&out, "the string ");
        string_repr(&out, v.text.len > MAX_SHOWN ? (kd_str){v.text.ptr, MAX_SHOWN} : v.text);
        return kd_strbuf_text(&out);
    case KD_D_DTYPE: kd_strbuf_puts(&out, "the type "); break;
    case KD_D_TUPLE:
        if (v.tuple.class_)
            return "an object";
        kd_strbuf_printf(&out, "a tuple of %u", v.tuple.n);
        return kd_strbuf_text(&out);
    case KD_D_FUNCTION:
        if (!v.fn.function || !v.fn.function->name.len)
            return "a function";
        kd_strbuf_printf(&out, "the function '%.*s'", KD_STR_ARG(v.fn.function->name));
        return kd_strbuf_text(&out);
    case KD_D_BUILTIN: return "a builtin function";
    case KD_D_MODULE: return "a module";
    case KD_D_CLASS: return "a class";
    case KD_D_TENSOR:
        if (!kd_type_is_tile(v.value->type))
            kd_strbuf_puts(&out, "a run-time ");
        type_text(&out, v.value->type);
        return kd_strbuf_text(&out);
    case KD_D_BLOCK_PTR: return "a block pointer";
    case KD_D_DESC: return "a tensor descriptor";
    case KD_D_RANGE: return "a range";
    case KD_D_SLICE: return "a slice";
    case KD_D_UNKNOWN:
        if (v.text.len)
            kd_strbuf_printf(&out, "%.*s", KD_STR_ARG(v.text));
        else
            kd_strbuf_puts(&out, "a value that only Python knows");
        return kd_strbuf_text(&out);
    }
    value_text(lw, &out, v, true);
    return kd_strbuf_text(&out);
}
