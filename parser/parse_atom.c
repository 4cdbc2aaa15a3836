/* parse_atom.c - names, literals, brackets, and what may follow them: calls, subscripts, attributes. */
#include "parser/parser_impl.h"

/* ---- Atoms ---- */

static kd_expr *parse_number(kd_parser *parser)
{
    kd_token t = parser->token;
    kd_loc loc = {parser->module->source, t.begin, t.end};
    if (t.kind == KD_TOK_IMAGINARY) {
        kd_parser_advance(parser);
        return kd_expr_unsupported(parser, t.begin, "an imaginary number");
    }
    kd_expr *e = kd_expr_leaf(parser, t.kind == KD_TOK_INT ? KD_EXPR_INT : KD_EXPR_FLOAT);
    if (!e)
        return NULL;
    if (t.kind == KD_TOK_INT && !kd_parse_int(e->text, &e->integer))
        return kd_parser_error_at(parser, loc, "this integer is too large: the limit is 2**127 - 1");
    if (t.kind == KD_TOK_FLOAT && !kd_parse_float(parser->arena, e->text, &e->real))
        return kd_parser_error_at(parser, loc, "this number has too many digits (%zu)", e->text.len);
    return e;
}

/* 'for target in iterable if condition ...' after an element; the bracket is still open. */
static kd_expr *parse_comprehension(kd_parser *parser, kd_expr *element, uint32_t begin, const char *kind)
{
    kd_expr *e = kd_expr_new(parser, KD_EXPR_COMPREHENSION, begin);
    kd_expr_vec conditions = {0};
    unsigned n_loops = 0;
    bool is_async = false;
    e->text = kd_str_of(kind);
    e->a = element;
    while (parser->token.kind == KD_TOK_FOR || parser->token.kind == KD_TOK_ASYNC) {
        is_async |= kd_parser_accept(parser, KD_TOK_ASYNC);
        if (!kd_parser_expect(parser, KD_TOK_FOR, "'for'"))
            return NULL;
        kd_expr *target = kd_parse_targets(parser);
        if (!target || !kd_parser_expect(parser, KD_TOK_IN, "'in'"))
            return NULL;
        kd_expr *iterable = kd_parse_condition(parser);
        if (!iterable)
            return NULL;
        if (n_loops++ == 0) {
            e->b = target;
            e->c = iterable;
        }
        while (kd_parser_accept(parser, KD_TOK_IF)) {
            kd_expr *condition = kd_parse_condition(parser);
            if (!condition)
                return NULL;
            kd_vec_push(parser->arena, &conditions, condition);
        }
    }
    if (n_loops > 1 || is_async)
        return kd_expr_unsupported(parser, begin, is_async ? "'async'" : "a comprehension with several 'for'");
    kd_expr_take_items(e, &conditions);
    return e;
}

static bool at_comprehension(const kd_parser *parser)
{
    return parser->token.kind == KD_TOK_FOR || parser->token.kind == KD_TOK_ASYNC;
}

/* '(' ... ')': a parenthesized expression, a tuple or a generator. */
static kd_expr *parse_parentheses(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    kd_parser_advance(parser);
    if (parser->token.kind == KD_TOK_YIELD) {
        kd_expr *e = kd_parse_star_exprs(parser);
        return e && kd_parser_expect_close(parser, KD_TOK_RPAREN, begin, false) ? e : NULL;
    }
    kd_expr_vec items = {0};
    bool has_comma = false;
    while (parser->token.kind != KD_TOK_RPAREN) {
        kd_expr *item = kd_parse_starred(parser);
        if (!item)
            return NULL;
        if (items.n == 0 && at_comprehension(parser)) {
            kd_expr *e = parse_comprehension(parser, item, begin, "generator");
            return e && kd_parser_expect_close(parser, KD_TOK_RPAREN, begin, false) ? kd_expr_finish(parser, e) : NULL;
        }
        kd_vec_push(parser->arena, &items, item);
        if (!kd_parser_accept(parser, KD_TOK_COMMA))
            break;
        has_comma = true;
    }
    if (!kd_parser_expect_close(parser, KD_TOK_RPAREN, begin, true))
        return NULL;
    if (items.n == 1 && !has_comma && items.data[0]->kind != KD_EXPR_STAR)
        return items.data[0];
    if (items.n == 1 && !has_comma)
        return kd_parser_error_at(parser, items.data[0]->loc, "expected ',' after '*' and an expression in parentheses");
    kd_expr *e = kd_expr_new(parser, KD_EXPR_TUPLE, begin);
    kd_expr_take_items(e, &items);
    return kd_expr_finish(parser, e);
}

static kd_expr *parse_list(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    kd_expr_vec items = {0};
    kd_parser_advance(parser);
    while (parser->token.kind != KD_TOK_RBRACKET) {
        kd_expr *item = kd_parse_starred(parser);
        if (!item)
            return NULL;
        if (items.n == 0 && at_comprehension(parser)) {
            kd_expr *e = parse_comprehension(parser, item, begin, "list");
            return e && kd_parser_expect_close(parser, KD_TOK_RBRACKET, begin, false) ? kd_expr_finish(parser, e) : NULL;
        }
        kd_vec_push(parser->arena, &items, item);
        if (!kd_parser_accept(parser, KD_TOK_COMMA))
            break;
    }
    if (!kd_parser_expect_close(parser, KD_TOK_RBRACKET, begin, true))
        return NULL;
    kd_expr *e = kd_expr_new(parser, KD_EXPR_LIST, begin);
    kd_expr_take_items(e, &items);
    return kd_expr_finish(parser, e);
}

/* One entry of a dict or set; *out_key is NULL for '**value'. False: an error. */
static bool parse_entry(kd_parser *parser, bool is_first, bool *is_dict, kd_expr **out_key, kd_expr **out_value)
{
    *out_key = NULL;
    if (parser->token.kind == KD_TOK_POWER && (is_first || *is_dict)) {
        *is_dict = true;
        kd_parser_advance(parser);
        *out_value = kd_parse_condition(parser);
        return *out_value != NULL;
    }
    *out_value = kd_parse_starred(parser);
    if (!*out_value)
        return false;
    if (is_first)
        *is_dict = parser->token.kind == KD_TOK_COLON;
    if (!*is_dict)
        return true;
    *out_key = *out_value;
    return kd_parser_expect(parser, KD_TOK_COLON, "':' after the key") && (*out_value = kd_parse_expr(parser)) != NULL;
}

static kd_expr *parse_braces(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    kd_expr_vec items = {0};
    bool is_dict = true;
    kd_parser_advance(parser);
    for (bool is_first = true; parser->token.kind != KD_TOK_RBRACE; is_first = false) {
        kd_expr *key, *value;
        if (!parse_entry(parser, is_first, &is_dict, &key, &value))
            return NULL;
        if (is_first && at_comprehension(parser)) {
            kd_expr *e = parse_comprehension(parser, value, begin, "set");
            if (!e || !kd_parser_expect_close(parser, KD_TOK_RBRACE, begin, false))
                return NULL;
            return is_dict ? kd_expr_unsupported(parser, begin, "a dict comprehension") : kd_expr_finish(parser, e);
        }
        if (is_dict)
            kd_vec_push(parser->arena, &items, key);
        kd_vec_push(parser->arena, &items, value);
        if (!kd_parser_accept(parser, KD_TOK_COMMA))
            break;
    }
    if (!kd_parser_expect_close(parser, KD_TOK_RBRACE, begin, true))
        return NULL;
    kd_expr *e = kd_expr_new(parser, is_dict ? KD_EXPR_DICT : KD_EXPR_SET, begin);
    kd_expr_take_items(e, &items);
    return kd_expr_finish(parser, e);
}

static kd_expr *parse_atom(kd_parser *parser)
{
    switch (parser->token.kind) {
    case KD_TOK_NAME: return kd_expr_leaf(parser, KD_EXPR_NAME);
    case KD_TOK_TRUE: return kd_expr_leaf(parser, KD_EXPR_TRUE);
    case KD_TOK_FALSE: return kd_expr_leaf(parser, KD_EXPR_FALSE);
    case KD_TOK_NONE: return kd_expr_leaf(parser, KD_EXPR_NONE);
    case KD_TOK_ELLIPSIS: return kd_expr_leaf(parser, KD_EXPR_ELLIPSIS);
    case KD_TOK_INT:
    case KD_TOK_FLOAT:
    case KD_TOK_IMAGINARY: return parse_number(parser);
    case KD_TOK_STRING:
    case KD_TOK_FSTRING: return kd_parse_strings(parser);
    case KD_TOK_LPAREN: return parse_parentheses(parser);
    case KD_TOK_LBRACKET: return parse_list(parser);
    case KD_TOK_LBRACE: return parse_braces(parser);
    case KD_TOK_ASSIGN: return kd_parser_error(parser, "expected an expression, found '='; a comparison is written '=='");
    case KD_TOK_FLOORDIV: return kd_parser_error(parser, "expected an expression, found '//'; a comment starts with '#'");
    default: return kd_parser_expected(parser, "an expression");
    }
}

/* ---- Calls, subscripts, attributes ---- */

typedef KD_VEC(kd_keyword) keyword_vec;

/* 'name = value' or '**value' in a call; the token is at '=' or after '**'. */
static bool add_keyword(kd_parser *parser, keyword_vec *keywords, kd_str name, kd_loc loc)
{
    for (unsigned i = 0; name.len && i < keywords->n && i < 256; i++)
        if (kd_str_equal(keywords->data[i].name, name)) {
            kd_parser_error_at(parser, loc, "keyword argument '%.*s' is given twice", KD_STR_ARG(name));
            if (!parser->lexer.quiet)
                kd_note(parser->diags, keywords->data[i].loc, "it is given here too");
            return false;
        }
    kd_expr *value = kd_parse_expr(parser);
    if (!value)
        return false;
    kd_keyword keyword = {.name = name, .value = value, .loc = loc};
    kd_vec_push(parser->arena, keywords, keyword);
    return true;
}

/* One argument of a call. */
static bool parse_argument(kd_parser *parser, kd_expr_vec *items, keyword_vec *keywords)
{
    kd_token t = parser->token;
    kd_loc loc = {parser->module->source, t.begin, t.end};
    if (kd_parser_accept(parser, KD_TOK_POWER))
        return add_keyword(parser, keywords, (kd_str){0}, loc);
    if (kd_token_is_keyword(t.kind) && kd_parser_peek(parser).kind == KD_TOK_ASSIGN) {
        kd_parser_error(parser, "%s is a keyword and cannot name an argument", kd_token_text(t.kind));
        return false;
    }
    kd_expr *item = kd_parse_starred(parser);
    if (!item)
        return false;
    if (parser->token.kind == KD_TOK_ASSIGN && item->kind == KD_EXPR_NAME && item->loc.begin == t.begin) {
        kd_parser_advance(parser);
        return add_keyword(parser, keywords, item->text, loc);
    }
    if (parser->token.kind == KD_TOK_ASSIGN) {
        kd_parser_error(parser, "only a name can stand before '=' in a call; a comparison is written '=='");
        return false;
    }
    if (at_comprehension(parser)) {
        item = parse_comprehension(parser, item, item->loc.begin, "generator");
        if (!item || !kd_expr_finish(parser, item))
            return false;
    }
    if (keywords->n && item->kind != KD_EXPR_STAR) {
        kd_parser_error_at(parser, item->loc, "a positional argument cannot follow a keyword argument");
        if (!parser->lexer.quiet)
            kd_note(parser->diags, keywords->data[keywords->n - 1].loc, "the keyword argument is here");
        return false;
    }
    kd_vec_push(parser->arena, items, item);
    return true;
}

kd_expr *kd_parse_call(kd_parser *parser, kd_expr *callee)
{
    uint32_t opener = parser->token.begin;
    kd_expr_vec items = {0};
    keyword_vec keywords = {0};
    kd_parser_advance(parser);
    while (parser->token.kind != KD_TOK_RPAREN) {
        if (!parse_argument(parser, &items, &keywords))
            return NULL;
        if (!kd_parser_accept(parser, KD_TOK_COMMA))
            break;
    }
    if (!kd_parser_expect_close(parser, KD_TOK_RPAREN, opener, true))
        return NULL;
    kd_expr *e = kd_expr_new(parser, KD_EXPR_CALL, callee->loc.begin);
    e->a = callee;
    kd_expr_take_items(e, &items);
    e->keywords = keywords.data;
    e->n_keywords = keywords.n;
    return kd_expr_finish(parser, e);
}

static bool at_slice_end(const kd_parser *parser)
{
    return parser->token.kind == KD_TOK_COLON || parser->token.kind == KD_TOK_COMMA || parser->token.kind == KD_TOK_RBRACKET;
}

/* One item of a subscript. */
static kd_expr *parse_slice(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    kd_expr *parts[3] = {NULL, NULL, NULL};
    if (parser->token.kind != KD_TOK_COLON) {
        parts[0] = kd_parse_starred(parser);
        if (!parts[0] || parser->token.kind != KD_TOK_COLON)
            return parts[0];
    }
    for (unsigned i = 1; i < 3 && kd_parser_accept(parser, KD_TOK_COLON); i++)
        if (!at_slice_end(parser) && !(parts[i] = kd_parse_expr(parser)))
            return NULL;
    kd_expr *e = kd_expr_new(parser, KD_EXPR_SLICE, begin);
    e->a = parts[0];
    e->b = parts[1];
    e->c = parts[2];
    return kd_expr_finish(parser, e);
}

static kd_expr *parse_subscript(kd_parser *parser, kd_expr *base)
{
    uint32_t opener = parser->token.begin;
    kd_expr_vec items = {0};
    kd_expr *e = kd_expr_new(parser, KD_EXPR_SUBSCRIPT, base->loc.begin);
    e->a = base;
    kd_parser_advance(parser);
    do {
        kd_expr *item = parse_slice(parser);
        if (!item)
            return NULL;
        kd_vec_push(parser->arena, &items, item);
        if (!kd_parser_accept(parser, KD_TOK_COMMA))
            break;
        e->has_comma = true;
    } while (parser->token.kind != KD_TOK_RBRACKET);
    if (!kd_parser_expect_close(parser, KD_TOK_RBRACKET, opener, true))
        return NULL;
    kd_expr_take_items(e, &items);
    return kd_expr_finish(parser, e);
}

static kd_expr *parse_attribute(kd_parser *parser, kd_expr *base)
{
    kd_parser_advance(parser);
    kd_token t = parser->token;
    if (kd_token_is_keyword(t.kind))
        return kd_parser_error(parser, "%s is a keyword and cannot name an attribute", kd_token_text(t.kind));
    kd_expr *e = kd_expr_new(parser, KD_EXPR_ATTRIBUTE, base->loc.begin);
    e->a = base;
    e->text = kd_parser_text(parser, t);
    e->text_loc = (kd_loc){parser->module->source, t.begin, t.end};
    return kd_parser_expect(parser, KD_TOK_NAME, "a name after '.'") ? kd_expr_finish(parser, e) : NULL;
}

kd_expr *kd_parse_postfix(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    kd_expr *e = parse_atom(parser);
    while (e) {
        kd_expr *base = e;
        if (parser->token.kind == KD_TOK_DOT)
            e = parse_attribute(parser, base);
        else if (parser->token.kind == KD_TOK_LPAREN)
            e = kd_parse_call(parser, base);
        else if (parser->token.kind == KD_TOK_LBRACKET)
            e = parse_subscript(parser, base);
        else
            return e;
        if (e)
            e->loc.begin = begin; /* the base may be in parentheses */
    }
    return NULL;
}
