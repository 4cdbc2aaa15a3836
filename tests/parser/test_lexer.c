/* The tokens of short texts; layout, and what no text may do: read past its end, or loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parser/lexer_impl.h"

static const char *const NAMES[] = {
#define KD_TOKEN(id, text) #id,
    KD_TOKENS
#undef KD_TOKEN
};

/* The kinds of all tokens, as of a block at column 0. The text has no room after it, so that ASan sees a read too far. */
static const char *kinds(kd_arena *arena, const char *text, size_t n_bytes)
{
    char *exact = malloc(n_bytes ? n_bytes : 1);
    memcpy(exact, text, n_bytes);
    kd_diags *diags = kd_diags_create(arena);
    unsigned n_errors = 0;
    kd_lexer lexer;
    kd_lexer_init(&lexer, diags, &n_errors, kd_source_add(diags, "text", (kd_str){exact, n_bytes}), 0, (uint32_t)n_bytes);
    lexer.n_indents = 1;
    lexer.indents[0] = (kd_indent){0, 0};
    lexer.at_line_start = true;
    kd_strbuf out = kd_strbuf_in(arena);
    uint32_t last = 0;
    for (size_t n = 0; n <= 4 * n_bytes + 4; n++) {
        kd_token t = kd_lexer_next(&lexer);
        assert_true(t.begin <= t.end && t.end <= n_bytes && t.begin >= last);
        last = t.begin;
        if (t.kind == KD_TOK_EOF) {
            for (const kd_diag *d = kd_diags_first(diags); d; d = d->next)
                kd_strbuf_printf(&out, "%s%s", d == kd_diags_first(diags) ? "| " : "; ", d->message);
            free(exact);
            return kd_strbuf_text(&out);
        }
        kd_strbuf_printf(&out, "%s ", NAMES[t.kind]);
    }
    fail_msg("the lexer does not come to an end");
    return NULL;
}

static void check(const char *text, const char *expected)
{
    kd_arena *arena = kd_arena_create(NULL);
    assert_string_equal(kinds(arena, text, strlen(text)), expected);
    kd_arena_destroy(arena);
}

static void operators(void **state)
{
    check("+ - * / // % @ ** << >> & | ^ ~ < <= > >= == !=",
          "PLUS MINUS STAR SLASH FLOORDIV PERCENT AT POWER SHL SHR AMPERSAND PIPE CARET TILDE LT LE GT GE EQ NE NEWLINE ");
    check("+= -= *= /= //= %= @= **= <<= >>= &= |= ^= = :=", "PLUS_ASSIGN MINUS_ASSIGN STAR_ASSIGN SLASH_ASSIGN FLOORDIV_ASSIGN "
                                                             "PERCENT_ASSIGN AT_ASSIGN POWER_ASSIGN SHL_ASSIGN SHR_ASSIGN "
                                                             "AND_ASSIGN OR_ASSIGN XOR_ASSIGN ASSIGN WALRUS NEWLINE ");
    check("( [ { } ] ) , : ; . ... ->",
          "LPAREN LBRACKET LBRACE RBRACE RBRACKET RPAREN COMMA COLON SEMICOLON DOT ELLIPSIS ARROW NEWLINE ");
    check("a.b..c...d", "NAME DOT NAME DOT DOT NAME ELLIPSIS NAME NEWLINE ");
    check("a<-b", "NAME LT MINUS NAME NEWLINE ");
    check("!", "BAD NEWLINE | '!' is not an operator; write 'not'");
}

static void words(void **state)
{
    check("if iff _if if_ If True true None match type case", "IF NAME NAME NAME NAME TRUE NAME NONE NAME NAME NAME NEWLINE ");
    check("in\xc3\xa9 \xc3\xa9in \xe6\x97\xa5\xe6\x9c\xac x\xcc\x81", "NAME NAME NAME NAME NEWLINE ");
    check("\xe2\x82\xac", "BAD NEWLINE | character U+20AC is not part of the language");
    check("x\xe2\x88\x92y", "NAME BAD NAME NEWLINE | character U+2212 is not part of the language; did you mean '-'?");
    check("x\xff", "NAME BAD NEWLINE | invalid UTF-8 (byte 0xff)");
    check("x\xc3", "NAME BAD NEWLINE | invalid UTF-8 (byte 0xc3)");
    check("x \xed\xa0\x80",
          "NAME BAD BAD BAD NEWLINE | invalid UTF-8 (byte 0xed); invalid UTF-8 (byte 0xa0); invalid UTF-8 (byte 0x80)");
    check("\x01", "BAD NEWLINE | control character 0x01 is not part of the language");
}

static void numbers(void **state)
{
    check("0 00 12 1_2 0x1f 0XF 0o17 0b1_0", "INT INT INT INT INT INT INT INT NEWLINE ");
    check("1. .5 1.5 1e5 1.e-5 1_0.5_0e+1_0 01.5", "FLOAT FLOAT FLOAT FLOAT FLOAT FLOAT FLOAT NEWLINE ");
    check("1j 1.5J 01j", "IMAGINARY IMAGINARY IMAGINARY NEWLINE ");
    check("1if 1else 0xfor 1in", "INT IF INT ELSE INT OR INT IN NEWLINE ");
    check("01", "BAD NEWLINE | '01' starts with a zero; octal numbers are written 0o17");
    check("1_", "BAD NEWLINE | '1_' is neither a number nor a name");
    check("0x", "BAD NEWLINE | '0x' is neither a number nor a name");
    check("1.x", "BAD NEWLINE | '1.x' is neither a number nor a name");
    check("1\xc3\xa9", "BAD NEWLINE | '1\xc3\xa9' is neither a number nor a name");
    check("1..real 1 .x", "FLOAT DOT NAME INT DOT NAME NEWLINE ");
}

static void strings(void **state)
{
    check("'' \"\" 'a' '\\'' \"'\" r'\\' ' b'' Rb'' bR'' u''",
          "STRING STRING STRING STRING STRING STRING STRING STRING STRING STRING NEWLINE ");
    check("''' ' '' \\''' ''' \"\"\"a\n\nb\"\"\"", "STRING STRING NEWLINE ");
    check("'a\\\nb' 'a\\\r\nb'", "STRING STRING NEWLINE ");
    check("ur'' fb''", "NAME STRING NAME STRING NEWLINE ");
    check("'a\nb", "BAD NEWLINE NAME NEWLINE | the string that starts here is never closed");
    check("'", "BAD NEWLINE | the string that starts here is never closed");
    check("'\\", "BAD NEWLINE | the string that starts here is never closed");
    check("'''a''\nb", "BAD NEWLINE | the string that starts here is never closed");
    check("'''", "BAD NEWLINE | the string that starts here is never closed");
    check("''''", "BAD NEWLINE | the string that starts here is never closed");
}

static void fstrings(void **state)
{
    check("f'' F\"\" rf'' Fr'' f''''''", "FSTRING FSTRING FSTRING FSTRING FSTRING NEWLINE ");
    check("f'{x}' f'{{' f'}}' f'{{{x}}}' f'{x['a']}' f'{f'{x}'}'", "FSTRING FSTRING FSTRING FSTRING FSTRING FSTRING NEWLINE ");
    check("f'{x:{w}}' f'{x:}}' f'{x!r:>{w}.{p}}' f'{ {1: 2}[1] }'", "FSTRING FSTRING FSTRING FSTRING NEWLINE ");
    check("f'{x\n}' f'''{\nx # }\n}'''", "FSTRING FSTRING NEWLINE ");
    check("f'\\{x}' f'\\N{DASH}' rf'\\{x}'", "FSTRING FSTRING FSTRING NEWLINE ");
    check("f'{x'", "BAD NEWLINE | a '{' in this f-string is never closed; write '{{' for the character");
    check("f'{x:'", "BAD NEWLINE | a '{' in this f-string is never closed; write '{{' for the character");
    check("f'{", "BAD NEWLINE | the string that starts here is never closed");
    check("f'''{", "BAD NEWLINE | the string that starts here is never closed");
    check("f'{x\ny", "BAD NEWLINE NAME NEWLINE | the string that starts here is never closed");
}

static void brackets(void **state)
{
    check("(a\n  b\n)\nc", "LPAREN NAME NAME RPAREN NEWLINE NAME NEWLINE ");
    check("(]", "LPAREN BAD | expected ')' to close '(', found ']'; '(' is opened here");
    check("[(]", "LBRACKET LPAREN BAD NEWLINE | expected ')' to close '(', found ']'; '(' is opened here");
    check(")", "BAD NEWLINE | ')' has no '(' before it");
    check("(a\nreturn", "LPAREN NAME BAD NEWLINE RETURN NEWLINE | '(' is never closed");
    check("(a\n  returned", "LPAREN NAME NAME ");
}

static void layout(void **state)
{
    check("", "");
    check("\n", "");
    check("# only a comment", "");
    check("a", "NAME NEWLINE ");
    check("a\n", "NAME NEWLINE ");
    check("a\r\nb\rc", "NAME NEWLINE NAME NEWLINE NAME NEWLINE ");
    check("a:\n  b\n  c\nd", "NAME COLON NEWLINE INDENT NAME NEWLINE NAME NEWLINE DEDENT NAME NEWLINE ");
    check("a:\n  b:\n   c\n", "NAME COLON NEWLINE INDENT NAME COLON NEWLINE INDENT NAME NEWLINE DEDENT DEDENT ");
    check("a:\n  b\n # c\n\n  \n  d", "NAME COLON NEWLINE INDENT NAME NEWLINE NAME NEWLINE DEDENT ");
    check("a:\n\tb\n        c",
          "NAME COLON NEWLINE INDENT NAME NEWLINE NAME NEWLINE DEDENT | tabs and spaces are mixed so that the depth of this "
          "line depends on the width of a tab");
    check("a:\n    b\n  c",
          "NAME COLON NEWLINE INDENT NAME NEWLINE DEDENT NAME NEWLINE | this line is indented less than the block before it, "
          "but matches no block around it");
    check("a \\\n  b \\\r\n c", "NAME NAME NAME NEWLINE ");
    check("a \\ b", "NAME BAD NAME NEWLINE | expected the end of the line after '\\'");
    check("a \\", "NAME BAD NEWLINE | expected the end of the line after '\\'");
    check("\f  \fa\n\fb", "NAME NEWLINE NAME NEWLINE ");
}

static void nul_bytes(void **state)
{
    static const char TEXT[] = "a \0 b # \0\n'\0'\0";
    kd_arena *arena = kd_arena_create(NULL);
    assert_string_equal(kinds(arena, TEXT, sizeof TEXT - 1),
                        "NAME BAD NAME NEWLINE STRING BAD NEWLINE | control character 0x00 is not part of the language; "
                        "control character 0x00 is not part of the language");
    kd_arena_destroy(arena);
}

/* All texts of up to four pieces that have a meaning for the lexer: none is read past its end, none runs forever. */
static void every_short_text(void **state)
{
    static const char *const PIECES[] = {"'", "\"\"\"", "f'", "{",    "}",    "\\", "\n", " ", "\t", "(", ")",
                                         "#", ":",      "!",  "\xc3", "\xa9", "a",  "0",  ".", "\r", "rb"};
    enum { N = sizeof PIECES / sizeof *PIECES };
    for (unsigned i = 0; i < N * N * N * N; i++) {
        char text[16] = "";
        for (unsigned rest = i, n = 0; n < 4; n++, rest /= N)
            strcat(text, PIECES[rest % N]);
        kd_arena *arena = kd_arena_create(NULL);
        kinds(arena, text, strlen(text));
        kd_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators), cmocka_unit_test(words),     cmocka_unit_test(numbers),
        cmocka_unit_test(strings),   cmocka_unit_test(fstrings),  cmocka_unit_test(brackets),
        cmocka_unit_test(layout),    cmocka_unit_test(nul_bytes), cmocka_unit_test(every_short_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
