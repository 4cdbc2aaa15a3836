/* Each cases/NAME.py is parsed with the bodies of its functions (but not of those called host_...); the diagnostics and the printed tree are compared with cases/NAME.expect, and what
 * is printed without errors must print the same again. KDSL_UPDATE=1 writes the files anew: read the diff. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "parser/parser.h"

#define FOLDER "tests/parser/cases/"

static void parse_bodies(const kd_item *first, kd_diags *diags)
{
    for (const kd_item *item = first; item; item = item->next) {
        if (item->kind == KD_ITEM_FUNCTION && !kd_str_starts_with(item->function->name, "host_"))
            kd_function_parse_body(item->function, diags);
        else if (item->kind == KD_ITEM_CLASS)
            parse_bodies(item->class_->items, diags);
    }
}

static kd_str parse_and_print(kd_arena *arena, const char *name, kd_str text, kd_str *out_messages)
{
    kd_diags *diags = kd_diags_create(arena);
    kd_module_ast *module = kd_parse_module(arena, diags, kd_source_add(diags, name, text));
    parse_bodies(module->items, diags);
    kd_strbuf out = kd_strbuf_in(arena);
    kd_ast_print_module(module, &out);
    *out_messages = kd_str_of(kd_diags_text(diags, arena));
    return (kd_str){kd_strbuf_text(&out), out.len};
}

static kd_str read_file(kd_arena *arena, const char *path)
{
    char *data;
    size_t n_bytes;
    kd_failure why;
    if (kd_file_read(path, 1 << 20, &data, &n_bytes, &why) != KD_OK)
        return (kd_str){0};
    kd_str text = {kd_arena_strndup(arena, data, n_bytes), n_bytes};
    free(data);
    return text;
}

static void matches(void **state)
{
    const char *name = *state;
    kd_arena *arena = kd_arena_create(NULL);
    kd_str messages, again;
    kd_str text = read_file(arena, kd_arena_printf(arena, FOLDER "%s.py", name));
    kd_str printed = parse_and_print(arena, kd_arena_printf(arena, "%s.py", name), text, &messages);
    if (messages.len == 0) {
        kd_str reprinted = parse_and_print(arena, "printed", printed, &again);
        assert_string_equal(again.ptr, "");
        assert_string_equal(reprinted.ptr, printed.ptr);
    }
    const char *found =
        kd_arena_printf(arena, "%.*s%s%.*s", KD_STR_ARG(messages), messages.len ? "----\n" : "", KD_STR_ARG(printed));
    const char *expect_path = kd_arena_printf(arena, FOLDER "%s.expect", name);
    if (getenv("KDSL_UPDATE")) {
        kd_str part = kd_str_of(found);
        assert_int_equal(kd_file_write(&(kd_file_write_args){.path = expect_path, .parts = &part, .n_parts = 1}, NULL), KD_OK);
    }
    kd_str expected = read_file(arena, expect_path);
    assert_string_equal(found, expected.ptr ? expected.ptr : "(no such file)");
    kd_arena_destroy(arena);
}

static int is_source(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 3 && strcmp(entry->d_name + n - 3, ".py") == 0;
}

int main(void)
{
    struct dirent **names;
    int n = scandir(FOLDER, &names, is_source, alphasort);
    if (n <= 0) {
        fputs("no cases in " FOLDER "\n", stderr);
        return 1;
    }
    struct CMUnitTest *tests = calloc((size_t)n, sizeof *tests);
    for (int i = 0; i < n; i++) {
        names[i]->d_name[strlen(names[i]->d_name) - 3] = '\0';
        tests[i] = (struct CMUnitTest){.name = names[i]->d_name, .test_func = matches, .initial_state = names[i]->d_name};
    }
    int failed = _cmocka_run_group_tests("cases", tests, (size_t)n, NULL, NULL);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(tests);
    return failed;
}
