/* parser.c - the parser's hold on the tokens, and how it complains. */
#include "parser/parser_impl.h"

#include <stdarg.h>
#include <stdio.h>

void kd_parser_init(kd_parser *parser, kd_module_ast *module, kd_diags *diags, uint32_t begin, uint32_t end)
{
    *parser = (kd_parser){.module = module, .arena = module->arena, .diags = diags, .last_end = begin};
    kd_lexer_init(&parser->lexer, diags, &parser->n_errors, module->source, begin, end);
}

static bool is_closing(kd_token_kind kind)
{
    return kind == KD_TOK_RPAREN || kind == KD_TOK_RBRACKET || kind == KD_TOK_RBRACE;
}

static uint32_t innermost_bracket(const kd_lexer *lexer)
{
    return lexer->brackets[(lexer->n_brackets < KD_MAX_BRACKETS ? lexer->n_brackets : KD_MAX_BRACKETS) - 1];
}

bool kd_parser_has_suspect(const kd_parser *parser)
{
    return parser->suspect_n_brackets && parser->lexer.n_brackets >= parser->suspect_n_brackets;
}

static void note_suspect(kd_parser *parser)
{
    const kd_lexer *lexer = &parser->lexer;
    uint32_t end;
    if (is_closing(parser->token.kind) || kd_parser_has_suspect(parser) ||
        kd_lexer_measure(lexer, lexer->line_begin, &end).column > parser->line_column)
        return;
    unsigned n_opened_here = lexer->brackets[lexer->n_brackets - 1] == parser->token.begin; /* the token itself is a bracket */
    if (lexer->n_brackets == n_opened_here)
        return;
    parser->suspect_line = lexer->line_begin;
    parser->suspect_n_brackets = lexer->n_brackets - n_opened_here;
    parser->suspect_bracket = lexer->brackets[parser->suspect_n_brackets - 1];
}

void kd_parser_advance(kd_parser *parser)
{
    if (parser->token.kind != KD_TOK_NEWLINE && parser->token.kind != KD_TOK_DEDENT)
        parser->last_end = parser->token.end > parser->last_end ? parser->token.end : parser->last_end;
    parser->token = kd_lexer_next(&parser->lexer);
    if (parser->token.starts_line && parser->lexer.n_brackets && !parser->lexer.joined)
        note_suspect(parser);
}

bool kd_parser_accept(kd_parser *parser, kd_token_kind kind)
{
    if (parser->token.kind != kind)
        return false;
    kd_parser_advance(parser);
    return true;
}

kd_token kd_parser_peek(kd_parser *parser)
{
    kd_lexer ahead = parser->lexer;
    ahead.quiet = true;
    return kd_lexer_next(&ahead);
}

kd_str kd_parser_text(const kd_parser *parser, kd_token token)
{
    return (kd_str){parser->lexer.text + token.begin, token.end - token.begin};
}

bool kd_token_is_keyword(kd_token_kind kind)
{
    return kind >= KD_TOK_AND;
}

static bool shows_unclosed(const kd_parser *parser)
{
    const kd_lexer *lexer = &parser->lexer;
    return lexer->n_brackets && !lexer->joined && (parser->token.kind == KD_TOK_EOF || kd_parser_has_suspect(parser));
}

/* How messages name the next token. */
static const char *describe(const kd_parser *parser, char *buffer, size_t n_bytes)
{
    kd_token t = parser->token;
    kd_str text = kd_parser_text(parser, t);
    if (t.kind == KD_TOK_NAME || t.kind == KD_TOK_INT || t.kind == KD_TOK_FLOAT || t.kind == KD_TOK_IMAGINARY) {
        if (text.len > 60)
            text.len = 60;
        snprintf(buffer, n_bytes, "'%.*s'", KD_STR_ARG(text));
        return buffer;
    }
    if (t.kind == KD_TOK_EOF && parser->lexer.in_fstring)
        return "the end of the f-string";
    if (t.kind == KD_TOK_EOF && parser->lexer.joined)
        return "the end";
    if (kd_token_is_keyword(t.kind) && t.kind != KD_TOK_TRUE && t.kind != KD_TOK_FALSE && t.kind != KD_TOK_NONE) {
        snprintf(buffer, n_bytes, "keyword '%.*s'", KD_STR_ARG(text));
        return buffer;
    }
    return kd_token_text(t.kind);
}

static void report(kd_parser *parser, kd_loc loc, const char *format, va_list args)
{
    if (parser->lexer.quiet)
        return;
    char text[512];
    vsnprintf(text, sizeof text, format, args);
    kd_error(parser->diags, loc, "%s", text);
    parser->n_errors++;
}

/* Where the next token is; for one without text, the end of the one before. */
static kd_loc token_loc(const kd_parser *parser)
{
    kd_token t = parser->token;
    if (t.kind == KD_TOK_NEWLINE || t.kind == KD_TOK_EOF)
        return (kd_loc){parser->module->source, parser->last_end, parser->last_end};
    return (kd_loc){parser->module->source, t.begin, t.end};
}

void *kd_parser_error(kd_parser *parser, const char *format, ...)
{
    if (parser->token.kind == KD_TOK_BAD || parser->lexer.quiet)
        return NULL;
    if (shows_unclosed(parser)) {
        uint32_t at = kd_parser_has_suspect(parser) ? parser->suspect_bracket : innermost_bracket(&parser->lexer);
        kd_lexer_error(&parser->lexer, at, at + 1, "'%c' is never closed", parser->lexer.text[at]);
        return NULL;
    }
    va_list args;
    va_start(args, format);
    report(parser, token_loc(parser), format, args);
    va_end(args);
    return NULL;
}

void *kd_parser_error_at(kd_parser *parser, kd_loc loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(parser, loc, format, args);
    va_end(args);
    return NULL;
}

void *kd_parser_expected(kd_parser *parser, const char *what)
{
    char buffer[80];
    return kd_parser_error(parser, "expected %s, found %s", what, describe(parser, buffer, sizeof buffer));
}

bool kd_parser_expect(kd_parser *parser, kd_token_kind kind, const char *what)
{
    if (kd_parser_accept(parser, kind))
        return true;
    kd_parser_expected(parser, what);
    return false;
}

bool kd_parser_expect_close(kd_parser *parser, kd_token_kind kind, uint32_t opener, bool after_item)
{
    if (kd_parser_accept(parser, kind))
        return true;
    if (parser->token.kind == KD_TOK_BAD || parser->lexer.quiet)
        return false;
    char buffer[80], open = parser->lexer.text[opener];
    unsigned n_before = parser->n_errors;
    bool is_unclosed = shows_unclosed(parser);
    kd_parser_error(parser, "expected %s%s to close '%c', found %s", after_item ? "',' or " : "", kd_token_text(kind), open,
                    describe(parser, buffer, sizeof buffer));
    if (parser->n_errors > n_before && !is_unclosed)
        kd_lexer_note(&parser->lexer, opener, opener + 1, "'%c' is opened here", open);
    return false;
}

bool kd_parser_enter(kd_parser *parser)
{
    if (parser->depth >= KD_MAX_DEPTH) {
        kd_parser_error(parser, "this is nested more than %d deep", KD_MAX_DEPTH);
        return false;
    }
    parser->depth++;
    return true;
}
