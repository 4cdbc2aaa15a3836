/* arena.c - chunks that double in size up to a bound; large requests get a chunk of their own. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0 /* clang's way to tell; gcc defines __SANITIZE_ADDRESS__ */
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#define RED_ZONE       16 /* unaddressable bytes behind each allocation, so that overruns are seen */
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#define RED_ZONE       0
#endif

enum { ALIGNMENT = 16, FIRST_CHUNK_BYTES = 16 << 10, LAST_CHUNK_BYTES = 1 << 20 };

typedef struct chunk {
    struct chunk *next;
    size_t n_bytes; /* of data */
    _Alignas(ALIGNMENT) char data[];
} chunk;

struct kd_arena {
    kd_budget *budget;
    chunk *chunks; /* the newest first; allocation happens in the first one */
    size_t used;   /* of the first chunk */
    size_t next_chunk_bytes;
};

static _Noreturn void exhausted(kd_budget *budget)
{
    if (budget && budget->on_exhausted)
        budget->on_exhausted(budget->user);
    fputs("kdsl: out of memory\n", stderr);
    abort();
}

static void jump(void *user)
{
    longjmp(*(jmp_buf *)user, 1);
}

bool kd_budget_catch(kd_budget *budget, void (*fn)(void *user), void *user)
{
    if (!budget) {
        fn(user);
        return true;
    }
    jmp_buf here;
    void (*const outer)(void *user) = budget->on_exhausted;
    void *const outer_user = budget->user;
    if (setjmp(here)) { /* nothing that this frame keeps was changed since */
        budget->on_exhausted = outer;
        budget->user = outer_user;
        return false;
    }
    budget->on_exhausted = jump;
    budget->user = &here;
    fn(user);
    budget->on_exhausted = outer;
    budget->user = outer_user;
    return true;
}

kd_budget *kd_arena_budget(const kd_arena *arena)
{
    return arena->budget;
}

kd_arena *kd_arena_create(kd_budget *budget)
{
    kd_arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        exhausted(budget);
    arena->budget = budget;
    arena->next_chunk_bytes = FIRST_CHUNK_BYTES;
    return arena;
}

static void chunks_free(kd_arena *arena, chunk *first)
{
    for (chunk *c = first, *next; c; c = next) {
        next = c->next;
        if (arena->budget)
            arena->budget->used_bytes -= c->n_bytes;
        UNPOISON(c->data, c->n_bytes);
        free(c);
    }
}

void kd_arena_destroy(kd_arena *arena)
{
    if (!arena)
        return;
    chunks_free(arena, arena->chunks);
    free(arena);
}

void kd_arena_reset(kd_arena *arena)
{
    if (!arena->chunks)
        return;
    chunks_free(arena, arena->chunks->next);
    arena->chunks->next = NULL;
    POISON(arena->chunks->data, arena->chunks->n_bytes);
    arena->used = 0;
}

static chunk *chunk_create(kd_arena *arena, size_t n_bytes)
{
    kd_budget *budget = arena->budget;
    if (n_bytes > SIZE_MAX / 2 || (budget && budget->limit_bytes && n_bytes > budget->limit_bytes - budget->used_bytes))
        exhausted(budget);
    chunk *c = malloc(sizeof *c + n_bytes);
    if (!c)
        exhausted(budget);
    c->n_bytes = n_bytes;
    if (budget)
        budget->used_bytes += n_bytes;
    POISON(c->data, n_bytes);
    return c;
}

void *kd_arena_alloc(kd_arena *arena, size_t n_bytes)
{
    if (n_bytes > SIZE_MAX / 2)
        exhausted(arena->budget);
    size_t padded = (n_bytes + RED_ZONE + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    chunk *first = arena->chunks;
    char *p;
    if (first && padded <= first->n_bytes - arena->used) {
        p = first->data + arena->used;
        arena->used += padded;
    } else if (first && padded > arena->next_chunk_bytes / 4) { /* keep the room that is left in the first chunk */
        chunk *c = chunk_create(arena, padded);
        c->next = first->next;
        first->next = c;
        p = c->data;
    } else {
        size_t n = arena->next_chunk_bytes > padded ? arena->next_chunk_bytes : padded;
        if (arena->next_chunk_bytes < LAST_CHUNK_BYTES)
            arena->next_chunk_bytes *= 2;
        chunk *c = chunk_create(arena, n);
        c->next = first;
        arena->chunks = c;
        arena->used = padded;
        p = c->data;
    }
    UNPOISON(p, n_bytes);
    return memset(p, 0, n_bytes);
}

void *kd_arena_calloc(kd_arena *arena, size_t n, size_t size)
{
    size_t n_bytes;
    if (__builtin_mul_overflow(n, size, &n_bytes))
        exhausted(arena->budget);
    return kd_arena_alloc(arena, n_bytes);
}

char *kd_arena_strndup(kd_arena *arena, const char *text, size_t n_bytes)
{
    char *copy = kd_arena_alloc(arena, n_bytes + 1);
    if (n_bytes)
        memcpy(copy, text, n_bytes);
    return copy;
}

char *kd_arena_strdup(kd_arena *arena, const char *text)
{
    return kd_arena_strndup(arena, text, strlen(text));
}

char *kd_arena_vprintf(kd_arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        exhausted(arena->budget);
    char *text = kd_arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

char *kd_arena_printf(kd_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = kd_arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}
