/* parse_string.c - string literals; f-strings with the expressions inside them. */
#include "parser/parser_impl.h"

typedef struct string_parts {
    kd_strbuf piece; /* literal text since the last expression */
    uint32_t piece_begin;
    kd_expr_vec items;
    bool is_format, is_bytes;
} string_parts;

static bool flush_piece(kd_parser *parser, string_parts *parts, uint32_t end)
{
    if (parts->piece.len == 0)
        return true;
    kd_expr *e = kd_expr_new(parser, KD_EXPR_STRING, parts->piece_begin);
    e->text = (kd_str){parts->piece.ptr, parts->piece.len};
    parts->piece = kd_strbuf_in(parser->arena);
    if (!kd_expr_finish(parser, e))
        return false;
    e->loc.end = end;
    kd_vec_push(parser->arena, &parts->items, e);
    return true;
}

/* The '!r', ':format' and '}' after the expression of a field, which are text[..end). */
static kd_expr *parse_format(kd_parser *parser, kd_expr *value, bool is_debug, uint32_t end)
{
    uint32_t begin = parser->token.begin;
    kd_str text = is_debug ? kd_str_of("!r") : (kd_str){0};
    if (parser->token.kind == KD_TOK_BANG) {
        kd_parser_advance(parser);
        kd_str name = kd_parser_text(parser, parser->token);
        if (!kd_str_is(name, "r") && !kd_str_is(name, "s") && !kd_str_is(name, "a"))
            return kd_parser_expected(parser, "'r', 's' or 'a' after '!'");
        kd_parser_advance(parser);
    }
    if (parser->token.kind != KD_TOK_COLON && parser->token.kind != KD_TOK_RBRACE)
        return kd_parser_expected(parser, "'}' after the expression in an f-string");
    if (end - 1 > begin)
        text = (kd_str){parser->lexer.text + begin, end - 1 - begin};
    if (text.len == 0)
        return value;
    kd_expr *e = kd_expr_new(parser, KD_EXPR_FORMATTED, value->loc.begin);
    e->a = value;
    e->text = text;
    return kd_expr_finish(parser, e);
}

/* '{expression}' whose text, from after '{', is text[begin..end). */
static bool parse_field(kd_parser *parser, string_parts *parts, uint32_t begin, uint32_t end)
{
    kd_lexer outer = parser->lexer;
    kd_token outer_token = parser->token;
    uint32_t outer_end = parser->last_end;
    kd_lexer_init(&parser->lexer, outer.diags, outer.n_errors, outer.source, begin, end);
    parser->lexer.joined = parser->lexer.in_fstring = true;
    parser->lexer.quiet = outer.quiet;
    parser->token = (kd_token){.begin = begin, .end = begin};
    kd_parser_advance(parser);
    kd_expr *value = kd_parse_star_exprs(parser);
    bool is_debug = value && parser->token.kind == KD_TOK_ASSIGN;
    if (is_debug) { /* {x = } shows its own text too */
        kd_parser_advance(parser);
        kd_strbuf_append(&parts->piece, outer.text + begin, parser->token.begin - begin);
    }
    if (value && flush_piece(parser, parts, begin))
        value = parse_format(parser, value, is_debug, end);
    if (value)
        kd_vec_push(parser->arena, &parts->items, value);
    parser->lexer = outer;
    parser->token = outer_token;
    parser->last_end = outer_end;
    return value != NULL;
}

/* Where the next '{' of a field is, or end. As the lexer saw it: see fstring_skip. */
static uint32_t find_field(const char *text, uint32_t at, uint32_t end, bool raw)
{
    while (at < end) {
        if (text[at] == '{' && (at + 1 == end || text[at + 1] != '{'))
            return at;
        if (!raw && text[at] == '\\' && end - at > 2 && text[at + 1] == 'N' && text[at + 2] == '{') {
            while (at < end && text[at] != '}')
                at++;
        } else if (text[at] == '\\') {
            at += at + 1 < end && (text[at + 1] == '{' || text[at + 1] == '}') ? 1 : 2;
        } else {
            at += text[at] == '{' ? 2 : 1;
        }
    }
    return end;
}

static bool parse_fstring(kd_parser *parser, string_parts *parts, kd_literal literal)
{
    const char *text = parser->lexer.text;
    for (uint32_t at = literal.begin; at < literal.end;) {
        uint32_t field = find_field(text, at, literal.end, literal.quote.raw);
        if (!kd_decode_string(&parser->lexer, at, field, literal.quote.raw, true, &parts->piece))
            return false;
        if (field >= literal.end)
            return true;
        at = kd_fstring_skip_field(text, field + 1, literal.end, literal.quote, 1);
        if (at > literal.end) { /* the lexer and we disagree on where this string ends */
            kd_loc loc = {parser->module->source, field, field + 1};
            kd_parser_error_at(parser, loc, "this '{' is never closed; write '{{' for the character");
            return false;
        }
        if (!parse_field(parser, parts, field + 1, at))
            return false;
        parts->piece_begin = at;
    }
    return true;
}

kd_expr *kd_parse_strings(kd_parser *parser)
{
    const char *text = parser->lexer.text;
    uint32_t begin = parser->token.begin;
    string_parts parts = {.piece = kd_strbuf_in(parser->arena), .piece_begin = begin};
    if (!kd_parser_enter(parser))
        return NULL;
    bool good = true;
    while (good && (parser->token.kind == KD_TOK_STRING || parser->token.kind == KD_TOK_FSTRING)) {
        kd_literal literal = kd_literal_parts(text, parser->token);
        parts.is_bytes |= literal.is_bytes;
        parts.is_format |= literal.is_format;
        if (literal.is_format)
            good = parse_fstring(parser, &parts, literal);
        else
            good = kd_decode_string(&parser->lexer, literal.begin, literal.end, literal.quote.raw, false, &parts.piece);
        kd_parser_advance(parser);
    }
    parser->depth--;
    if (!good)
        return NULL;
    if (parts.is_bytes)
        return kd_expr_unsupported(parser, begin, "a bytes string");
    kd_expr *e = kd_expr_new(parser, parts.is_format ? KD_EXPR_FSTRING : KD_EXPR_STRING, begin);
    if (parts.is_format) {
        if (!flush_piece(parser, &parts, parser->last_end))
            return NULL;
        kd_expr_take_items(e, &parts.items);
    } else {
        e->text = (kd_str){kd_strbuf_text(&parts.piece), parts.piece.len};
    }
    return kd_expr_finish(parser, e);
}
