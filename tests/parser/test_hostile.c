/* Texts that want to make the parser crash, hang or eat memory; and that it takes time in proportion to the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "parser/parser.h"

static void parse_bodies(const kd_item *first, kd_diags *diags)
{
    for (const kd_item *item = first; item; item = item->next) {
        if (item->kind == KD_ITEM_FUNCTION)
            kd_function_parse_body(item->function, diags);
        else if (item->kind == KD_ITEM_CLASS)
            parse_bodies(item->class_->items, diags);
    }
}

/* Parses everything, prints it, and returns the first message, or "". */
static const char *first_message(kd_arena *arena, kd_str text)
{
    kd_diags *diags = kd_diags_create(arena);
    kd_module_ast *module = kd_parse_module(arena, diags, kd_source_add(diags, "text", text));
    parse_bodies(module->items, diags);
    kd_strbuf out = kd_strbuf_in(arena);
    kd_ast_print_module(module, &out);
    return kd_diags_first(diags) ? kd_diags_first(diags)->message : "";
}

/* before, n times the piece, middle, n times the other piece, after. */
static kd_str repeated(kd_arena *arena, const char *before, const char *piece, size_t n, const char *middle, const char *other,
                       const char *after)
{
    kd_strbuf out = kd_strbuf_in(arena);
    kd_strbuf_puts(&out, before);
    for (size_t i = 0; i < n; i++)
        kd_strbuf_puts(&out, piece);
    kd_strbuf_puts(&out, middle);
    for (size_t i = 0; i < n; i++)
        kd_strbuf_puts(&out, other);
    kd_strbuf_puts(&out, after);
    return (kd_str){out.ptr, out.len};
}

static void check(const char *before, const char *piece, size_t n, const char *middle, const char *other, const char *after,
                  const char *expected)
{
    kd_arena *arena = kd_arena_create(NULL);
    assert_string_equal(first_message(arena, repeated(arena, before, piece, n, middle, other, after)), expected);
    kd_arena_destroy(arena);
}

static void deep_nesting(void **state)
{
    const char *brackets = "brackets are nested more than 200 deep", *nested = "this is nested more than 220 deep",
               *high = "this expression has more than 500 operations inside one another";
    check("def f(x):\n x = ", "(", 100000, "x", ")", "\n", brackets);
    check("def f(x):\n x = ", "[", 150, "x", "]", "\n", "");
    check("@triton.jit\ndef f(x):\n x = ", "(", 201, "", "", "\n", brackets);
    check("def f(x):\n x = ", "f(", 100000, "x", ")", "\n", brackets);
    check("def f(x):\n x = ", "x[", 100000, "x", "]", "\n", brackets);
    check("def f(x):\n x = ", "{1:", 100000, "x", "}", "\n", brackets);
    check("def f(x):\n x = ", "(*", 150, "x", ",)", "\n", "");
    check("def f(x):\n x = ", "[x for x in ", 199, "x", "]", "\n", "");
    check("def f(x):\n x = ", "-", 100000, "x", "", "\n", nested);
    check("def f(x):\n x = ", "not ", 100000, "x", "", "\n", nested);
    check("def f(x):\n x = ", "lambda: ", 100000, "x", "", "\n", nested);
    check("def f(x):\n x = ", "x**", 100000, "x", "", "\n", nested);
    check("def f(x):\n x = ", "x if x else ", 100000, "x", "", "\n", nested);
    check("def f(x):\n x = ", "x + ", 100000, "x", "", "\n", high);
    check("def f(x):\n x = x", ".x", 100000, "", "", "\n", high);
    check("def f(x):\n x = x", "()", 100000, "", "", "\n", high);
    check("def f(x):\n x = x", "[0]", 100000, "", "", "\n", high);
    check("def f(x):\n x = x", " and x", 100000, "", "", "\n", "");
    check("def f(x):\n x = x", " < x", 100000, "", "", "\n", "");
    check("def f(x):\n x = ", "yield ", 100000, "x", "", "\n", "expected an expression, found keyword 'yield'");
    check("def f(x):\n x = ", "await ", 100000, "x", "", "\n", "expected an expression, found keyword 'await'");
    check("def f(x):\n x = ", "f'{", 30, "x", "}'", "\n", "");
    check("def f(x):\n x = ", "f'{", 100000, "x", "}'", "\n",
          "a '{' in this f-string is never closed; write '{{' for the character");
    check("def f(x):\n x = f'{x", ":{x", 100000, "", "}", "}'\n",
          "a '{' in this f-string is never closed; write '{{' for the character");
    check("def f(x):\n x = ", "x = ", 100000, "x", "", "\n", "");
    check("def f(x):\n for ", "(", 100000, "x", ")", " in x: pass\n", brackets);
    check("x = ", "(", 100000, "x", ")", "\n", "");
    check("@", "(", 100000, "x", ")", "\ndef f(): pass\n", "");
    check("class C(", "(", 100000, "x", ")", "): pass\n", "");
    check("if ", "(", 100000, "x", ")", ": pass\n", "");
    check("def f(x=", "(", 100000, "x", ")", "): pass\n", "");
}

static kd_str nested_blocks(kd_arena *arena, const char *before, const char *header, const char *last, unsigned n)
{
    kd_strbuf out = kd_strbuf_in(arena);
    kd_strbuf_puts(&out, before);
    for (unsigned i = 0; i <= n; i++)
        kd_strbuf_printf(&out, "%*s%s\n", (int)i + 1, "", i < n ? header : last);
    return (kd_str){out.ptr, out.len};
}

static void deep_blocks(void **state)
{
    kd_arena *arena = kd_arena_create(NULL);
    assert_string_equal(first_message(arena, nested_blocks(arena, "def f(x):\n", "if x:", "pass", 90)), "");
    assert_string_equal(first_message(arena, nested_blocks(arena, "def f(x):\n", "if x:", "pass", 1000)),
                        "blocks are nested more than 100 deep");
    assert_string_equal(first_message(arena, nested_blocks(arena, "def f(x):\n", "def f(x):", "pass", 1000)),
                        "blocks are nested more than 100 deep");
    assert_string_equal(first_message(arena, nested_blocks(arena, "if x:\n", "if x:", "x = 1", 1000)), "");
    assert_string_equal(first_message(arena, nested_blocks(arena, "class C:\n", "class C:", "x = 1", 1000)), "");
    kd_arena_destroy(arena);
    check("def f(x):\n if x: pass\n", " elif x: pass\n", 100000, "", "", "", "more than 500 'elif' in a row");
    check("if x: y = 1\n", "elif x: y = 2\n", 50000, "", "", "else: y = 3\n", "");
}

static void long_lines(void **state)
{
    size_t n = 5000000;
    check("def f(x):\n x = '", "a", n, "", "", "'\n", "");
    check("def f(x):\n x = '", "a", n, "", "", "\n", "the string that starts here is never closed");
    check("def f(x):\n x = '''", "a\n", n, "", "", "", "the string that starts here is never closed");
    check("def f(x):\n x = f'{x", "\n", n, "", "", "", "the string that starts here is never closed");
    check("def f(x):\n ", "x", n, "", "", " = 1\n", "");
    check("def f(x):\n x = x # ", "a", n, "", "", "\n", "");
    check("def f(x):\n x = 1", "0", n, "", "", "\n", "this integer is too large: the limit is 2**127 - 1");
    check("def f(x):\n x = 1.", "0", n, "", "", "\n", "this number has too many digits (5000002)");
    check("def f(x):\n x = (", "\n", n, "", "", "", "'(' is never closed");
    check("def f(x):\n x = x", " ", n, "", "", "", "");
    check("def f(x):\n x = x", "\\\n", n / 2, "", "", "", "");
    check("def f(x):\n", "\n", n, "", "", "", "expected an indented block after the header of the function");
    check("", " ", n, "", "", "", "");
    check("", "(", n, "", "", "", "'(' is never closed");
    check("", ")", n, "", "", "", "");
}

static void too_many(void **state)
{
    const char *items = "this file has more than 100000 definitions at its top level", *params = "more than 10000 parameters";
    check("", "x = 1\n", 100000, "", "", "", "");
    check("", "x = 1\n", 100001, "", "", "", items);
    check("", "x += 1\n", 100001, "", "", "", items);
    check("", "def f(): pass\n", 100001, "", "", "", items);
    check("class C:\n", " x: int\n", 100001, "", "", "", items);
    check("if x:\n", " import a\n", 100001, "", "", "if y: z = 1\nelse: z = 2\n", items);
    check("@triton.jit\ndef f(", "x,", 10001, "", "", "): pass\n", params);
    check("def f(", "x,", 1000001, "", "", "): pass\n", "");
    check("", "@f\n", 1000001, "", "", "def f(): pass\n", "");
    check("x = [", "1,", 1000001, "", "", "]\n", "");
    check("", "x = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n", 200000, "", "", "", items);
}

/* Many mistakes, each of which makes the parser look far ahead or go back. */
static void many_errors(void **state)
{
    size_t n = 50000;
    check("def f(x):\n", " x = (\n", n, "", "", "", "'(' is never closed");
    check("def f(x):\n", " x = f'{\n", n, "", "", "", "the string that starts here is never closed");
    check("def f(x):\n", " x = f'{f\"\n", n, "", "", "", "the string that starts here is never closed");
    check("def f(x):\n", " x = = 1\n", n, "", "", "", "expected an expression, found '='; a comparison is written '=='");
    check("def f(x):\n", " if x\n  y = 1\n", n, "", "", "", "expected ':' after the condition of 'if', found the end of the line");
    check("def f(x):\n", " x = $$$$\n", n, "", "", "", "character '$' is not part of the language");
    check("def f(x):\n", " match x:\n", n, "", "", "", "expected the end of the statement, found 'x'");
    check("", "@(\n", n, "", "", "", "'(' is never closed");
    check("", "x = (\n", n, "", "", "", "'(' is never closed");
    check("", "match (x\n", n, "", "", "", "'(' is never closed");
    check("", "def f(x\n", n, "", "", "", "'(' is never closed");
    check("", "@triton.jit\ndef f(x\n", n, "", "", "", "'(' is never closed");
    check("", "@jit(\n", n, "", "", "", "'(' is never closed");
    check("", "x = f'{\n", n, "", "", "", "");
    check("", "if (\n", n, "", "", "", "'(' is never closed");
    check("", "class C(\n", n, "", "", "", "'(' is never closed");
    check("", "x = '''", 3, "", "", "", "the string that starts here is never closed");
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

static void random_bytes(void **state)
{
    /* clang-format off */
    static const char *const WORDS[] = {
        "def ", "@triton.jit\n", "if ", "x", ":", "\n", "\n    ", "\n ", "(", ")", "[", "]", "{", "}", "'", "f'", "\"\"\"", "\\", "=", "1",
        ",", ".", "lambda ", "for ", "in ", "class ", "#", "\t", "*", "**", ";", "return ", "else", "elif ", "try", "with ", "->", "\xc3\xa9",
    };
    /* clang-format on */
    uint32_t seed = 1;
    for (unsigned round = 0; round < 2000; round++) {
        char text[512];
        size_t len = 0;
        bool words = round % 4 != 0;
        for (unsigned i = 0; i < 60; i++) {
            const char *word = WORDS[next_random(&seed) % (sizeof WORDS / sizeof *WORDS)];
            size_t n = words ? strlen(word) : 1;
            char byte = (char)next_random(&seed);
            if (len + n > sizeof text)
                break;
            memcpy(text + len, words ? word : &byte, n);
            len += n;
        }
        char *exact = malloc(len);
        memcpy(exact, text, len);
        kd_arena *arena = kd_arena_create(NULL);
        first_message(arena, (kd_str){exact, len});
        kd_arena_destroy(arena);
        free(exact);
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double time_of(const char *piece, size_t n)
{
    double best = 1e9;
    for (unsigned i = 0; i < 3; i++) {
        kd_arena *arena = kd_arena_create(NULL);
        kd_str text = repeated(arena, "", piece, n, "", "", "");
        double start = seconds();
        kd_diags *diags = kd_diags_create(arena);
        kd_module_ast *module = kd_parse_module(arena, diags, kd_source_add(diags, "text", text));
        parse_bodies(module->items, diags);
        double took = seconds() - start;
        best = took < best ? took : best;
        kd_arena_destroy(arena);
    }
    return best;
}

/* Eight times the text may take at most 32 times as long: caches and noise have room, a quadratic step takes 64 times as long. */
static void time_is_linear(void **state)
{
    static const char *const PIECES[] = {
        ("@triton.jit\ndef f(x, y: tl.constexpr = 1):\n    \"\"\"doc\"\"\"\n    for i in range(10):\n        x = x + (i < y)\n    "
        "return x\n\n\n"),
        "def host(x):\n    y = {'a': [1, 2, (3)]}\n    return f'{x}'\n",
        "x = (\n",
        "@(\n",
        "f'{\n",
        "if x:\n x = 1\n",
        "    x\n",
        "x = f'{'{'{'\n",
        "def f(x\n",
        "elif x:\n y = 1\n",
        "match (x,\n",
        "x, ",
        "'",
        "'''",
        "[",
        "lambda:",
    };
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++) {
        size_t n = 100000 / strlen(PIECES[i]) + 1;
        double small = time_of(PIECES[i], n), large = time_of(PIECES[i], 8 * n);
        if (large > 0.02 && large > 32 * small)
            fail_msg("8 times '%s' takes %.1f times as long (%.1f ms)", PIECES[i], large / small, large * 1e3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deep_nesting),   cmocka_unit_test(deep_blocks), cmocka_unit_test(long_lines),
        cmocka_unit_test(too_many),       cmocka_unit_test(many_errors), cmocka_unit_test(random_bytes),
        cmocka_unit_test(time_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
