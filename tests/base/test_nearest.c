#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static void check(const char *wanted, const char *const *candidates, const char *expected)
{
    kd_arena *arena = kd_arena_create(NULL);
    kd_nearest nearest = kd_nearest_to(kd_str_of(wanted));
    for (; *candidates; candidates++)
        kd_nearest_try(&nearest, kd_str_of(*candidates));
    assert_string_equal(kd_nearest_hint(arena, &nearest), expected);
    kd_arena_destroy(arena);
}

#define CANDIDATES(...) (const char *const[]){__VA_ARGS__, NULL}

static void the_nearest_name_counts(void **state)
{
    check("strid", CANDIDATES("store", "stride", "string"), "; did you mean 'stride'?");
    check("lod", CANDIDATES("log", "load"), "; did you mean 'load'?"); /* as near as 'log', and only a letter is missing */
    check("abc", CANDIDATES("abd", "abe"), "; did you mean 'abd'?");
    check("LOAD", CANDIDATES("loads", "load"), "; did you mean 'load'?");
}

static void other_names_are_not_meant(void **state)
{
    check("x", CANDIDATES("y", "xy"), "");
    check("x", CANDIDATES("y", "X"), "; did you mean 'X'?");
    check("abc", CANDIDATES("xyc", ""), "");
    check("something", CANDIDATES("anything_else"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_name_counts),
        cmocka_unit_test(other_names_are_not_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
