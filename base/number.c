/* number.c - strtod and printf under the C locale. */
#include "base/number.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

bool kd_double_parse(kd_str text, double *out)
{
    enum { MAX_SHORT = 64 };
    char buffer[MAX_SHORT], *copy = text.len < MAX_SHORT ? buffer : malloc(text.len + 1), *end = NULL;
    if (!copy || text.len == 0) {
        if (copy != buffer)
            free(copy);
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    /* strtod also takes hexadecimal floats, 'infinity', 'nan(...)' and spaces in front, which nobody writes on purpose. */
    bool plain = !strpbrk(copy, "xXyY( \t\n\v\f\r");
    locale_t c_locale = plain ? newlocale(LC_ALL_MASK, "C", (locale_t)0) : (locale_t)0;
    double value = 0;
    bool good = false;
    if (c_locale) {
        value = strtod_l(copy, &end, c_locale);
        good = end == copy + text.len;
        freelocale(c_locale); /* glibc has one C locale and makes nothing here */
    }
    if (copy != buffer)
        free(copy);
    if (good)
        *out = value;
    return good;
}

void kd_double_format(char text[KD_MAX_DOUBLE_TEXT], double value, int n_digits)
{
    char raw[KD_MAX_DOUBLE_TEXT];
    snprintf(raw, sizeof raw, "%.*g", n_digits, value);
    size_t at = 0;
    bool in_point = false; /* a decimal point of another locale may have several bytes */
    for (const char *c = raw; *c; c++) {
        bool is_digit = strchr("0123456789+-e", *c);
        if (is_digit || !in_point)
            text[at++] = is_digit ? *c : '.';
        in_point = !is_digit;
    }
    text[at] = '\0';
}
