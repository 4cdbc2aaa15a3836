/* literal.c - the values of numbers and strings. */
#include "parser/parser_impl.h"

#include <locale.h>
#include <stdlib.h>

enum { MAX_NUMBER_BYTES = 4300 }; /* CPython's limit for int(text) */

static int digit_value(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

bool kd_parse_int(kd_str text, __int128 *out_value)
{
    unsigned base = 10;
    size_t i = 0;
    if (text.len > 2 && text.ptr[0] == '0') {
        char c = text.ptr[1] | 0x20;
        base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
        i = base == 10 ? 0 : 2;
    }
    __int128 value = 0;
    for (; i < text.len; i++)
        if (text.ptr[i] != '_' && (__builtin_mul_overflow(value, (__int128)base, &value) ||
                                   __builtin_add_overflow(value, digit_value(text.ptr[i]), &value)))
            return false;
    *out_value = value;
    return true;
}

/* strtod, but with a decimal point in every locale. */
static double slow_double(const char *text)
{
    locale_t c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    double value = c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
    if (c_locale)
        freelocale(c_locale);
    return value;
}

bool kd_parse_float(kd_arena *arena, kd_str text, double *out_value)
{
    if (text.len > MAX_NUMBER_BYTES)
        return false;
    char *digits = kd_arena_alloc(arena, text.len + 1);
    uint64_t mantissa = 0;
    size_t n = 0;
    int exponent = 0;
    bool is_simple = true, after_point = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '_')
            continue;
        digits[n++] = c;
        if (c == '.')
            after_point = true;
        else if (c < '0' || c > '9' || mantissa >= (UINT64_C(1) << 53) / 16)
            is_simple = false;
        else {
            mantissa = mantissa * 10 + (uint64_t)(c - '0');
            exponent -= after_point;
        }
    }
    static const double TENS[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};
    /* Both numbers are exact, so the quotient is rounded once (Clinger). */
    *out_value = is_simple && exponent >= -16 ? (double)mantissa / TENS[-exponent] : slow_double(digits);
    return true;
}

/* ---- Strings ---- */

static void append_utf8(kd_strbuf *out, uint32_t c)
{
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd; /* half a surrogate pair has no UTF-8 */
    char bytes[4];
    unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (unsigned i = n; i-- > 1; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
    kd_strbuf_append(out, bytes, n);
}

static bool is_digit_of(char c, unsigned base)
{
    return base == 8 ? c >= '0' && c <= '7' : (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Up to n_max digits from at; returns how many there were. */
static unsigned read_digits(const char *text, uint32_t at, uint32_t end, unsigned base, unsigned n_max, uint32_t *out_value)
{
    unsigned n = 0;
    *out_value = 0;
    for (; n < n_max && at + n < end && is_digit_of(text[at + n], base); n++)
        *out_value = *out_value * base + (uint32_t)digit_value(text[at + n]);
    return n;
}

/* The escape whose backslash is at 'at'; returns the offset after it, 0 where it is wrong (reported). Text from end on is not read. */
static uint32_t decode_escape(kd_lexer *lexer, uint32_t at, uint32_t end, kd_strbuf *out)
{
    static const char LETTERS[] = "\\'\"abfnrtv", VALUES[] = "\\'\"\a\b\f\n\r\t\v";
    const char *text = lexer->text;
    uint32_t value;
    char c = text[at + 1];
    const char *letter = c ? strchr(LETTERS, c) : NULL;
    if (letter) {
        kd_strbuf_append(out, &VALUES[letter - LETTERS], 1);
        return at + 2;
    }
    if (c == '\n' || c == '\r') /* the string goes on in the next line */
        return at + 2 + (c == '\r' && at + 2 < end && text[at + 2] == '\n');
    if (is_digit_of(c, 8)) {
        unsigned n = read_digits(text, at + 1, end, 8, 3, &value);
        append_utf8(out, value);
        return at + 1 + n;
    }
    unsigned n_digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (n_digits == 0) { /* not an escape: Python keeps the backslash. \N{...} too: we have no table of names */
        kd_strbuf_append(out, "\\", 1);
        return at + 1;
    }
    if (read_digits(text, at + 2, end, 16, n_digits, &value) < n_digits || value > 0x10ffff) {
        kd_lexer_error(lexer, at, at + 2, "'\\%c' needs %u hexadecimal digits of a Unicode character", c, n_digits);
        return 0;
    }
    append_utf8(out, value);
    return at + 2 + n_digits;
}

bool kd_decode_string(kd_lexer *lexer, uint32_t begin, uint32_t end, bool raw, bool doubled_braces, kd_strbuf *out)
{
    const char *text = lexer->text;
    for (uint32_t at = begin; at < end;) {
        uint32_t run = at;
        while (run < end && text[run] != '\\' && text[run] != '\r' && !(doubled_braces && (text[run] == '{' || text[run] == '}')))
            run++;
        if (run > at)
            kd_strbuf_append(out, text + at, run - at);
        at = run;
        if (at == end)
            break;
        if (text[at] == '\r') { /* line ends are LF inside strings */
            kd_strbuf_append(out, "\n", 1);
            at += at + 1 < end && text[at + 1] == '\n' ? 2 : 1;
        } else if (text[at] != '\\') {
            kd_strbuf_append(out, text + at, 1);
            at += at + 1 < end && text[at + 1] == text[at] ? 2 : 1;
        } else if (raw || at + 1 == end) {
            kd_strbuf_append(out, "\\", 1);
            at++;
        } else {
            at = decode_escape(lexer, at, end, out);
            if (!at)
                return false;
        }
    }
    return true;
}

kd_literal kd_literal_parts(const char *text, kd_token token)
{
    kd_literal parts = {.begin = token.begin, .end = token.end};
    for (; text[parts.begin] != '"' && text[parts.begin] != '\''; parts.begin++) {
        char c = text[parts.begin] | 0x20;
        parts.quote.raw |= c == 'r';
        parts.is_bytes |= c == 'b';
        parts.is_format |= c == 'f';
    }
    parts.quote.quote = text[parts.begin];
    uint32_t n = parts.end - parts.begin;
    parts.quote.triple = n >= 6 && text[parts.begin + 1] == parts.quote.quote && text[parts.begin + 2] == parts.quote.quote;
    parts.begin += parts.quote.triple ? 3 : 1;
    parts.end -= parts.quote.triple ? 3 : 1;
    return parts;
}
