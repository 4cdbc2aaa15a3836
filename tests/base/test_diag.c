/* Diagnostics: places, the rendered text, what is dropped and what is counted. */
#include "base/diag.h"
#include "base/failure.h"
#include "base/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static kd_arena *arena;
static kd_diags *diags;
static uint32_t source;

static int set_up(void **state)
{
    arena = kd_arena_create(NULL);
    diags = kd_diags_create(arena);
    source = kd_source_add(diags, "k.py", kd_str_of("import triton\nx = tl.dot(q, k)\n\tlast"));
    return 0;
}

static int tear_down(void **state)
{
    kd_arena_destroy(arena);
    return 0;
}

static kd_loc at(uint32_t begin, uint32_t end)
{
    return (kd_loc){source, begin, end};
}

static void expect(const char *text)
{
    assert_string_equal(kd_diags_text(diags, arena), text);
}

static void shows_line_and_carets(void **state)
{
    kd_error(diags, at(18, 30), "'tl.dot' needs %s", "equal inner dimensions");
    kd_note(diags, at(0, 6), "imported here");
    kd_warning(diags, at(14, 15), "unused");
    expect("k.py:2:5: error: 'tl.dot' needs equal inner dimensions\n"
           "    2 | x = tl.dot(q, k)\n"
           "      |     ^~~~~~~~~~~~\n"
           "k.py:1:1: note: imported here\n"
           "    1 | import triton\n"
           "      | ^~~~~~\n"
           "k.py:2:1: warning: unused\n"
           "    2 | x = tl.dot(q, k)\n"
           "      | ^\n");
    assert_int_equal(kd_diags_n_errors(diags), 1);
    assert_int_equal(kd_diags_n_warnings(diags), 1);
    assert_int_equal(kd_diags_first(diags)->severity, KD_ERROR);
}

static void shows_odd_places(void **state)
{
    kd_error(diags, at(32, 36), "after a tab");
    kd_error(diags, at(36, 36), "at the end");
    kd_error(diags, at(18, 36), "over the end of the line");
    kd_error(diags, KD_NO_LOC, "nowhere");
    expect("k.py:3:2: error: after a tab\n"
           "    3 |  last\n"
           "      |  ^~~~\n"
           "k.py:3:6: error: at the end\n"
           "    3 |  last\n"
           "      |      ^\n"
           "k.py:2:5: error: over the end of the line\n"
           "    2 | x = tl.dot(q, k)\n"
           "      |     ^~~~~~~~~~~~\n"
           "kdsl: error: nowhere\n");
}

static void counts_characters_not_bytes(void **state)
{
    source = kd_source_add(diags, "u.py", kd_str_of("s = '\xc3\xa4\xe2\x82\xac' + x\n"));
    kd_error(diags, at(14, 15), "here");
    expect("u.py:1:15: error: here\n"
           "    1 | s = '\xc3\xa4\xe2\x82\xac' + x\n"
           "      |            ^\n");
}

static void finds_places(void **state)
{
    kd_place place = kd_loc_place(diags, at(13, 14)); /* the line break belongs to its line */
    assert_int_equal(place.line, 1);
    assert_int_equal(place.column, 14);
    place = kd_loc_place(diags, at(14, 14));
    assert_int_equal(place.line, 2);
    assert_int_equal(place.column, 1);
    assert_null(kd_loc_place(diags, KD_NO_LOC).source);
    assert_null(kd_loc_place(diags, (kd_loc){99, 0, 1}).source);
    assert_null(kd_source_get(diags, 0));
    assert_string_equal(kd_source_get(diags, source)->path, "k.py");
    uint32_t empty = kd_source_add(diags, "empty.py", kd_str_of(""));
    place = kd_loc_place(diags, (kd_loc){empty, 0, 0});
    assert_int_equal(place.line, 1);
    kd_loc joined = kd_loc_join(at(3, 5), at(1, 4));
    assert_int_equal(joined.begin, 1);
    assert_int_equal(joined.end, 5);
    assert_int_equal(kd_loc_join(KD_NO_LOC, at(3, 5)).begin, 3);
    assert_int_equal(kd_loc_join(at(3, 5), (kd_loc){empty, 0, 0}).source, source);
}

static void drops_a_second_error_at_a_place(void **state)
{
    kd_error(diags, at(18, 20), "first");
    kd_error(diags, at(18, 30), "second");
    kd_note(diags, at(0, 1), "of the second");
    kd_error(diags, at(19, 20), "third");
    const kd_diag *d = kd_diags_first(diags);
    assert_string_equal(d->message, "first");
    assert_string_equal(d->next->message, "third");
    assert_null(d->next->next);
    assert_int_equal(kd_diags_n_errors(diags), 2);
}

static void counts_errors_past_the_fiftieth(void **state)
{
    char *text = kd_arena_alloc(arena, 201);
    memset(text, 'a', 200);
    source = kd_source_add(diags, "many.py", kd_str_of(text));
    for (uint32_t i = 0; i < 60; i++)
        kd_error(diags, at(i, i + 1), "e%u", i);
    unsigned n = 0;
    for (const kd_diag *d = kd_diags_first(diags); d; d = d->next)
        n++;
    assert_int_equal(n, 50);
    assert_int_equal(kd_diags_n_errors(diags), 60);
    const char *shown = kd_diags_text(diags, arena);
    assert_non_null(strstr(shown, "10 more errors are not shown"));
}

static void colours_are_for_terminals(void **state)
{
    kd_error(diags, at(18, 30), "wrong");
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    kd_diags_print(diags, out, true);
    fclose(out);
    assert_non_null(strstr(text, "\033[1;31m"));
    assert_non_null(strstr(text, "\033[0m"));
    assert_null(strstr(kd_diags_text(diags, arena), "\033"));
    free(text);
}

static void failures_are_sentences(void **state)
{
    kd_failure why;
    assert_int_equal(kd_fail(&why, KD_ERR_DAMAGED, "it is %d", 42), KD_ERR_DAMAGED);
    assert_string_equal(why.text, "it is 42");
    assert_int_equal(kd_fail(NULL, KD_ERR_IO, "nobody asks"), KD_ERR_IO);
    errno = ENOENT;
    assert_int_equal(kd_fail_errno(&why, "cannot open '%s'", "x"), KD_ERR_NOT_FOUND);
    assert_string_equal(why.text, "cannot open 'x': No such file or directory");
    assert_int_equal(errno, ENOENT);
    errno = ENOMEM;
    assert_int_equal(kd_fail_errno(NULL, "cannot"), KD_ERR_MEMORY);
    errno = EACCES;
    assert_int_equal(kd_fail_errno(&why, "cannot"), KD_ERR_IO);
    char text[1000];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 2 ? '\xa4' : '\xc3';
    text[sizeof text - 1] = '\0';
    kd_fail(&why, KD_ERR_IO, "%s", text);
    size_t n = strlen(why.text);
    assert_true(n < sizeof why.text);
    assert_string_equal(why.text + n - 3, "...");
    assert_int_equal(why.text[n - 4], '\xa4'); /* no half character */
    for (int status = KD_OK; status <= KD_ERR_ASSERT; status++)
        assert_string_not_equal(kd_status_text((kd_status)status), "unknown status");
    assert_string_equal(kd_status_text((kd_status)99), "unknown status");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shows_line_and_carets),           TEST(shows_odd_places),
        TEST(counts_characters_not_bytes),     TEST(finds_places),
        TEST(drops_a_second_error_at_a_place), TEST(counts_errors_past_the_fiftieth),
        TEST(colours_are_for_terminals),       TEST(failures_are_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
