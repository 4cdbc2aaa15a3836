/* str.h - text with a length, and text under construction. */
#ifndef KD_BASE_STR_H
#define KD_BASE_STR_H

#include "base/arena.h"

#include <stdbool.h>
#include <string.h>

/* A view of bytes that somebody else owns; not terminated. */
typedef struct kd_str {
    const char *ptr;
    size_t len;
} kd_str;

/* For literals and C strings. */
static inline kd_str kd_str_of(const char *text)
{
    return (kd_str){text, text ? strlen(text) : 0};
}

static inline bool kd_str_equal(kd_str a, kd_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool kd_str_is(kd_str a, const char *text)
{
    return kd_str_equal(a, kd_str_of(text));
}

static inline bool kd_str_starts_with(kd_str a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.len >= n && memcmp(a.ptr, prefix, n) == 0;
}

/* For printf's "%.*s". */
#define KD_STR_ARG(s) (int)(s).len, (s).ptr

/* The number of single-character edits (insert, delete, change, swap of neighbours) between two names, or limit + 1 where it is more. */
unsigned kd_str_distance(kd_str a, kd_str b, unsigned limit);

/* Text that grows. Backed by an arena; the old copies stay there until the arena goes. */
typedef struct kd_strbuf {
    kd_arena *arena;
    char *ptr; /* terminated once anything was appended; NULL before */
    size_t len, capacity;
} kd_strbuf;

static inline kd_strbuf kd_strbuf_in(kd_arena *arena)
{
    return (kd_strbuf){.arena = arena};
}

void kd_strbuf_append(kd_strbuf *buf, const char *text, size_t n_bytes);
void kd_strbuf_puts(kd_strbuf *buf, const char *text);
void kd_strbuf_printf(kd_strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text so far, terminated, "" where nothing was appended. */
const char *kd_strbuf_text(const kd_strbuf *buf);

#endif
