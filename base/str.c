/* str.c - growing text, and the distance between names that spelling suggestions use. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

static void reserve(kd_strbuf *buf, size_t n_more)
{
    size_t need = buf->len + n_more + 1;
    if (need <= buf->capacity)
        return;
    size_t capacity = buf->capacity * 2 > 64 ? buf->capacity * 2 : 64;
    if (capacity < need)
        capacity = need;
    char *grown = kd_arena_alloc(buf->arena, capacity);
    if (buf->len)
        memcpy(grown, buf->ptr, buf->len);
    buf->ptr = grown;
    buf->capacity = capacity;
}

void kd_strbuf_append(kd_strbuf *buf, const char *text, size_t n_bytes)
{
    reserve(buf, n_bytes);
    if (n_bytes)
        memcpy(buf->ptr + buf->len, text, n_bytes);
    buf->len += n_bytes;
    buf->ptr[buf->len] = '\0';
}

void kd_strbuf_puts(kd_strbuf *buf, const char *text)
{
    kd_strbuf_append(buf, text, strlen(text));
}

void kd_strbuf_printf(kd_strbuf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0) {
        reserve(buf, (size_t)n);
        vsnprintf(buf->ptr + buf->len, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

const char *kd_strbuf_text(const kd_strbuf *buf)
{
    return buf->ptr ? buf->ptr : "";
}

/* Optimal string alignment (Damerau-Levenshtein without overlapping edits), three rows at a time. */
unsigned kd_str_distance(kd_str a, kd_str b, unsigned limit)
{
    enum { MAX_NAME = 64 };
    size_t longer = a.len > b.len ? a.len : b.len, shorter = a.len + b.len - longer;
    if (longer > MAX_NAME || longer - shorter > limit)
        return limit + 1;
    unsigned rows[3][MAX_NAME + 1];
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned best = above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] && above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    unsigned distance = rows[a.len % 3][b.len];
    return distance <= limit ? distance : limit + 1;
}
