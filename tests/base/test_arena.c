/* Arenas: zeroed, aligned, apart, bounded. */
#include "base/arena.h"
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void gives_zeroed_aligned_memory(void **state)
{
    kd_arena *arena = kd_arena_create(NULL);
    unsigned char *last = NULL;
    for (int round = 0; round < 2; round++) {
        for (size_t n = 1; n < 3000; n += 7) {
            unsigned char *p = kd_arena_alloc(arena, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            assert_ptr_not_equal(p, last);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xff, n);
            last = p;
        }
        kd_arena_reset(arena); /* what comes next is zero again */
    }
    kd_arena_destroy(arena);
    kd_arena_destroy(NULL);
}

static void keeps_allocations_apart(void **state)
{
    enum { N = 2000 };
    static unsigned *blocks[N];
    static size_t sizes[N];
    kd_arena *arena = kd_arena_create(NULL);
    unsigned seed = 1;
    for (unsigned i = 0; i < N; i++) {
        seed = seed * 1664525 + 1013904223;
        sizes[i] = 1 + (seed >> 16) % (i % 50 == 0 ? 200000 : 100);
        blocks[i] = kd_arena_array(arena, unsigned, sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++)
            blocks[i][j] = i;
    }
    for (unsigned i = 0; i < N; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(blocks[i][j], i);
    kd_arena_destroy(arena);
}

static void makes_text(void **state)
{
    kd_arena *arena = kd_arena_create(NULL);
    assert_string_equal(kd_arena_strdup(arena, "text"), "text");
    assert_string_equal(kd_arena_strndup(arena, "text", 2), "te");
    assert_string_equal(kd_arena_strndup(arena, NULL, 0), "");
    assert_string_equal(kd_arena_printf(arena, "%s-%d", "a", 42), "a-42");
    kd_arena_destroy(arena);
}

typedef struct exhaustion {
    jmp_buf back;
    unsigned n;
} exhaustion;

static void jump_back(void *user)
{
    exhaustion *e = user;
    e->n++;
    longjmp(e->back, 1);
}

static void stops_at_the_budget(void **state)
{
    exhaustion e = {.n = 0};
    kd_budget budget = {.limit_bytes = 1 << 20, .on_exhausted = jump_back, .user = &e};
    kd_arena *volatile a = NULL, *volatile b = NULL;
    if (setjmp(e.back) == 0) {
        a = kd_arena_create(&budget);
        b = kd_arena_create(&budget);
        for (;;) {
            kd_arena_alloc(a, 1000);
            kd_arena_alloc(b, 1000);
        }
    }
    assert_int_equal(e.n, 1);
    assert_true(budget.used_bytes <= budget.limit_bytes && budget.used_bytes > budget.limit_bytes / 4);
    if (setjmp(e.back) == 0)
        kd_arena_calloc(a, SIZE_MAX / 2, 3); /* n * size overflows */
    if (setjmp(e.back) == 0)
        kd_arena_alloc(a, SIZE_MAX);
    assert_int_equal(e.n, 3);
    kd_arena_destroy(a);
    kd_arena_destroy(b);
    assert_int_equal(budget.used_bytes, 0);
}

typedef struct catching {
    kd_budget *budget;
    kd_arena *arena;
    bool inner_caught, went_on;
} catching;

static void use_too_much(void *user)
{
    catching *c = user;
    c->arena = kd_arena_create(c->budget);
    for (;;)
        kd_arena_alloc(c->arena, 1000);
}

static void catch_inside(void *user)
{
    catching *c = user;
    c->inner_caught = !kd_budget_catch(c->budget, use_too_much, c);
    c->went_on = true;
    kd_arena_alloc(c->arena, 1 << 20);
    c->went_on = false;
}

static void catches_exhaustion_at_every_level(void **state)
{
    kd_budget budget = {.limit_bytes = 1 << 20};
    catching c = {.budget = &budget};
    assert_false(kd_budget_catch(&budget, catch_inside, &c));
    assert_true(c.inner_caught && c.went_on);
    assert_null(budget.on_exhausted);
    assert_ptr_equal(kd_arena_budget(c.arena), &budget);
    kd_arena_destroy(c.arena);
    assert_int_equal(budget.used_bytes, 0);
}

static void vectors_grow(void **state)
{
    kd_arena *arena = kd_arena_create(NULL);
    KD_VEC(int) v = {0};
    for (int i = 0; i < 1000; i++)
        kd_vec_push(arena, &v, i);
    assert_int_equal(v.n, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v.data[i], i);
    assert_int_equal(kd_vec_last(&v), 999);
    assert_int_equal(kd_vec_pop(&v), 999);
    assert_int_equal(v.n, 999);
    kd_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory),
        cmocka_unit_test(keeps_allocations_apart),
        cmocka_unit_test(makes_text),
        cmocka_unit_test(stops_at_the_budget),
        cmocka_unit_test(catches_exhaustion_at_every_level),
        cmocka_unit_test(vectors_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
