/* format.c - the format of a value in an f-string: Python's [[FILL]ALIGN][SIGN][#][0][WIDTH][.PRECISION][TYPE] of ints, floats and texts. */
#include "dsl/dsl_impl.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

enum { MAX_WIDTH = 1000, MAX_PRECISION = 100 };

typedef struct format {
    char fill, align, sign, type; /* 0: not given */
    bool alternate;               /* '#': 0x in front */
    int width, precision;         /* -1: not given */
} format;

static bool is_align(char c)
{
    return c && strchr("<>=^", c);
}

/* Digits from *at; -1 where there are none or the number is beyond the limit, then *at stays. */
static int read_number(const char **at, const char *end, int limit)
{
    const char *p = *at;
    int n = 0;
    while (p < end && isdigit((unsigned char)*p) && n <= limit)
        n = n * 10 + (*p++ - '0');
    if (p == *at || n > limit)
        return -1;
    *at = p;
    return n;
}

static bool read_format(kd_str spec, format *out)
{
    const char *at = spec.ptr, *end = at + spec.len;
    *out = (format){.width = -1, .precision = -1};
    if (end - at >= 2 && is_align(at[1]))
        out->fill = *at++;
    if (at < end && is_align(*at))
        out->align = *at++;
    if (at < end && strchr("+- ", *at))
        out->sign = *at++;
    if (at < end && *at == '#') {
        out->alternate = true;
        at++;
    }
    if (at < end && *at == '0') {
        out->fill = out->fill ? out->fill : '0';
        out->align = out->align ? out->align : '=';
        at++;
    }
    if (at < end && isdigit((unsigned char)*at) && (out->width = read_number(&at, end, MAX_WIDTH)) < 0)
        return false;
    if (at < end && *at == '.') {
        at++;
        if ((out->precision = read_number(&at, end, MAX_PRECISION)) < 0)
            return false;
    }
    if (at < end)
        out->type = *at++;
    return at == end;
}

/* A sign and what goes in front, then the digits, with the fill between them, before or behind. */
static void pad(kd_strbuf *out, const format *f, char align, const char *head, kd_str body)
{
    int n_head = (int)strlen(head), n_fill = f->width - n_head;
    for (size_t i = 0; i < body.len; i++)
        n_fill -= ((unsigned char)body.ptr[i] & 0xc0) != 0x80; /* characters, not bytes */
    n_fill = n_fill > 0 ? n_fill : 0;
    int before = align == '>' ? n_fill : align == '^' ? n_fill / 2 : 0, inside = align == '=' ? n_fill : 0, behind = n_fill - before - inside;
    char fill = f->fill ? f->fill : ' ';
    while (before--)
        kd_strbuf_append(out, &fill, 1);
    kd_strbuf_puts(out, head);
    while (inside--)
        kd_strbuf_append(out, &fill, 1);
    kd_strbuf_append(out, body.ptr, body.len);
    while (behind--)
        kd_strbuf_append(out, &fill, 1);
}

static void pad_number(kd_strbuf *out, const format *f, bool negative, const char *prefix, const char *digits)
{
    char head[4];
    const char *sign = negative ? "-" : f->sign == '+' ? "+" : f->sign == ' ' ? " " : "";
    snprintf(head, sizeof head, "%s%s", sign, prefix);
    pad(out, f, f->align ? f->align : '>', head, kd_str_of(digits));
}

static bool format_int(kd_lower *lw, kd_strbuf *out, const format *f, kd_dval v)
{
    unsigned base = f->type == 'b' ? 2 : f->type == 'o' ? 8 : f->type == 'x' || f->type == 'X' ? 16 : 10;
    if (f->precision >= 0 || (f->type && !strchr("dboxX", f->type)))
        return false;
    char text[130];
    char *at = text + sizeof text - 1;
    unsigned __int128 rest = v.integer < 0 ? -(unsigned __int128)v.integer : (unsigned __int128)v.integer;
    *at = 0;
    do
        *--at = (f->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[(unsigned)(rest % base)];
    while (rest /= base);
    const char prefix[] = {'0', f->type, 0};
    pad_number(out, f, v.integer < 0, f->alternate && base != 10 ? prefix : "", at);
    return true;
}

static bool format_float(kd_lower *lw, kd_strbuf *out, const format *f, double v)
{
    bool negative = signbit(v) && !isnan(v), percent = f->type == '%';
    if (f->alternate || (f->type && !strchr("eEfFgG%", f->type)) || (!f->type && f->precision >= 0))
        return false;
    double size = isnan(v) ? v : fabs(v);
    if (!f->type) {
        pad_number(out, f, negative, "", kd_d_str(lw, kd_d_float(size)));
        return true;
    }
    const char conversion[] = {'%', '.', '*', percent ? 'f' : f->type, percent ? '%' : 0, percent ? '%' : 0, 0};
    pad_number(out, f, negative, "", kd_arena_printf(lw->arena, conversion, f->precision < 0 ? 6 : f->precision, percent ? size * 100 : size));
    return true;
}

static bool format_text(kd_strbuf *out, const format *f, kd_str text)
{
    if (f->sign || f->alternate || f->align == '=' || (f->type && f->type != 's'))
        return false;
    size_t n = 0;
    for (int left = f->precision; n < text.len; n++)
        if (((unsigned char)text.ptr[n] & 0xc0) != 0x80 && f->precision >= 0 && left-- == 0)
            break;
    pad(out, f, f->align ? f->align : '<', "", (kd_str){text.ptr, n});
    return true;
}

static bool format_value(kd_lower *lw, kd_strbuf *out, const format *f, kd_dval v)
{
    bool as_float = f->type && strchr("eEfFgG%", f->type);
    if (v.kind == KD_D_STRING)
        return format_text(out, f, v.text);
    if (kd_d_is_int(v) && !as_float)
        return format_int(lw, out, f, v);
    return kd_d_is_number(v) && format_float(lw, out, f, v.kind == KD_D_FLOAT ? v.real : (double)v.integer);
}

bool kd_d_format(kd_lower *lw, kd_loc loc, kd_dval v, kd_str spec, kd_strbuf *out)
{
    format f;
    if (spec.len && spec.ptr[0] == '!') {
        bool repr = spec.len > 1 && spec.ptr[1] != 's';
        v = kd_d_string(kd_str_of(repr ? kd_d_repr(lw, v) : kd_d_str(lw, v)));
        spec = spec.len > 2 ? (kd_str){spec.ptr + 2, spec.len - 2} : (kd_str){0};
    }
    if (spec.len <= 1) { /* ':' alone is no format */
        kd_strbuf_puts(out, kd_d_str(lw, v));
        return true;
    }
    spec = (kd_str){spec.ptr + 1, spec.len - 1};
    if (read_format(spec, &f) && format_value(lw, out, &f, v))
        return true;
    kd_error(lw->diags, loc, "the format '%.*s' is not known for %s", KD_STR_ARG(spec), kd_d_describe(lw, v));
    return false;
}
