#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

static void distance_counts_single_edits(void **state)
{
    assert_int_equal(kd_str_distance(kd_str_of("load"), kd_str_of("load"), 3), 0);
    assert_int_equal(kd_str_distance(kd_str_of("lod"), kd_str_of("load"), 3), 1);
    assert_int_equal(kd_str_distance(kd_str_of("laod"), kd_str_of("load"), 3), 1);
    assert_int_equal(kd_str_distance(kd_str_of("stone"), kd_str_of("load"), 2), 3);
}

static void strbuf_grows(void **state)
{
    kd_arena *arena = kd_arena_create(NULL);
    kd_strbuf buf = kd_strbuf_in(arena);
    assert_string_equal(kd_strbuf_text(&buf), "");
    for (int i = 0; i < 1000; i++)
        kd_strbuf_printf(&buf, "%d,", i);
    assert_int_equal(buf.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(strlen(kd_strbuf_text(&buf)), buf.len);
    kd_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_single_edits),
        cmocka_unit_test(strbuf_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
