/* arena.h - memory that is freed all at once.
 *
 * Allocation never returns NULL: when memory runs out, or the budget's limit is passed, the budget's handler is called, which
 * must not return. Mostly that is a jump to kd_budget_catch. Without budget or handler the process is aborted. */
#ifndef KD_BASE_ARENA_H
#define KD_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct kd_arena kd_arena;

/* What all arenas of one compilation may use together. */
typedef struct kd_budget {
    size_t used_bytes;
    size_t limit_bytes; /* 0: no limit */
    void (*on_exhausted)(void *user);
    void *user;
} kd_budget;

/* Calls fn. False: memory ran out on the way, or the limit was passed, and fn was left there and then: what it has made outside of arenas
 * that others know is lost. May be nested; the innermost one counts. Without a budget fn is only called. */
bool kd_budget_catch(kd_budget *budget, void (*fn)(void *user), void *user);

kd_arena *kd_arena_create(kd_budget *budget);
kd_budget *kd_arena_budget(const kd_arena *arena); /* NULL: none */
void kd_arena_destroy(kd_arena *arena);
/* Frees everything allocated from the arena but keeps one chunk for reuse. */
void kd_arena_reset(kd_arena *arena);
/* Zeroed memory, aligned for any type. n_bytes may be 0. */
void *kd_arena_alloc(kd_arena *arena, size_t n_bytes);
/* n * size with a check for overflow. */
void *kd_arena_calloc(kd_arena *arena, size_t n, size_t size);
char *kd_arena_strndup(kd_arena *arena, const char *text, size_t n_bytes);
char *kd_arena_strdup(kd_arena *arena, const char *text);
char *kd_arena_printf(kd_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *kd_arena_vprintf(kd_arena *arena, const char *format, va_list args);

#define kd_arena_new(arena, T)      ((T *)kd_arena_alloc((arena), sizeof(T)))
#define kd_arena_array(arena, T, n) ((T *)kd_arena_calloc((arena), (n), sizeof(T)))

#endif
