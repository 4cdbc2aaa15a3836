/* parse_function.c - parameters and headers of functions. */
#include "parser/parser_impl.h"

/* 'name', 'name: annotation = default', '*name' or '**name'. */
static bool parse_param(kd_parser *parser, kd_param_vec *params, bool has_annotations, kd_param_kind kind)
{
    kd_token t = parser->token;
    if (kd_token_is_keyword(t.kind)) {
        kd_parser_error(parser, "%s is a keyword and cannot name a parameter", kd_token_text(t.kind));
        return false;
    }
    if (!kd_parser_expect(parser, KD_TOK_NAME, "a parameter"))
        return false;
    kd_param param = {.name = kd_parser_text(parser, t), .loc = {parser->module->source, t.begin, t.end}, .kind = kind};
    bool is_star = kind == KD_PARAM_STAR;
    if (has_annotations && kd_parser_accept(parser, KD_TOK_COLON)) {
        param.annotation = is_star ? kd_parse_starred(parser) : kd_parse_expr(parser);
        if (!param.annotation)
            return false;
    }
    if (kind != KD_PARAM_STAR && kind != KD_PARAM_STAR_STAR && kd_parser_accept(parser, KD_TOK_ASSIGN)) {
        param.default_value = kd_parse_expr(parser);
        if (!param.default_value)
            return false;
    }
    const kd_param *last = params->n ? &kd_vec_last(params) : NULL;
    if (kind == KD_PARAM_PLAIN && !param.default_value && last && last->default_value) {
        kd_parser_error_at(parser, param.loc, "parameter '%.*s' has no default value but follows '%.*s', which has one",
                           KD_STR_ARG(param.name), KD_STR_ARG(last->name));
        return false;
    }
    kd_vec_push(parser->arena, params, param);
    return true;
}

static bool check_distinct(kd_parser *parser, const kd_param_vec *params)
{
    kd_map seen = kd_map_in(parser->arena);
    for (unsigned i = 0; i < params->n && !parser->lexer.quiet; i++) {
        void **at = kd_map_at(&seen, params->data[i].name);
        if (*at) {
            kd_parser_error_at(parser, params->data[i].loc, "parameter '%.*s' is there twice", KD_STR_ARG(params->data[i].name));
            kd_note(parser->diags, ((kd_param *)*at)->loc, "the first one is here");
            return false;
        }
        *at = &params->data[i];
    }
    return true;
}

bool kd_parse_params(kd_parser *parser, kd_function *function, kd_token_kind end, uint32_t opener)
{
    kd_param_vec params = {0};
    kd_param_kind kind = KD_PARAM_PLAIN;
    bool has_annotations = end != KD_TOK_COLON;
    while (parser->token.kind != end) {
        if (params.n >= KD_MAX_PARAMS) {
            kd_parser_error(parser, "more than %d parameters", KD_MAX_PARAMS);
            return false;
        }
        if (kd_parser_accept(parser, KD_TOK_STAR)) {
            if (parser->token.kind != KD_TOK_COMMA && !parse_param(parser, &params, has_annotations, KD_PARAM_STAR))
                return false;
            kind = KD_PARAM_KEYWORD_ONLY;
        } else if (kd_parser_accept(parser, KD_TOK_POWER)) {
            if (!parse_param(parser, &params, has_annotations, KD_PARAM_STAR_STAR))
                return false;
        } else if (params.n && parser->token.kind == KD_TOK_SLASH) { /* those before it are by position only: nobody minds */
            kd_parser_advance(parser);
        } else if (!parse_param(parser, &params, has_annotations, kind)) {
            return false;
        }
        if (!kd_parser_accept(parser, KD_TOK_COMMA))
            break;
    }
    if (has_annotations && !kd_parser_expect_close(parser, end, opener, true))
        return false;
    function->params = params.data;
    function->n_params = params.n;
    return check_distinct(parser, &params);
}

/* '[T, ...]' after a function's name is passed over: type parameters mean nothing here. */
bool kd_skip_type_params(kd_parser *parser)
{
    uint32_t opener = parser->token.begin;
    if (!kd_parser_accept(parser, KD_TOK_LBRACKET))
        return true;
    while (parser->lexer.n_brackets && parser->token.kind != KD_TOK_EOF && parser->token.kind != KD_TOK_BAD)
        kd_parser_advance(parser);
    return kd_parser_expect_close(parser, KD_TOK_RBRACKET, opener, true);
}

kd_function *kd_parse_header(kd_parser *parser)
{
    kd_function *function = kd_arena_new(parser->arena, kd_function);
    function->module = parser->module;
    function->def_loc = (kd_loc){parser->module->source, parser->token.begin, parser->token.end};
    kd_parser_advance(parser);
    kd_token name = parser->token;
    if (kd_token_is_keyword(name.kind))
        return kd_parser_error(parser, "%s is a keyword and cannot name a function", kd_token_text(name.kind));
    if (!kd_parser_expect(parser, KD_TOK_NAME, "the name of the function"))
        return NULL;
    function->name = kd_parser_text(parser, name);
    function->loc = (kd_loc){parser->module->source, name.begin, name.end};
    function->line = function->def_line = kd_loc_place(parser->diags, function->def_loc).line;
    uint32_t opener;
    if (!kd_skip_type_params(parser))
        return NULL;
    opener = parser->token.begin;
    if (!kd_parser_expect(parser, KD_TOK_LPAREN, "'(' after the name of the function") ||
        !kd_parse_params(parser, function, KD_TOK_RPAREN, opener))
        return NULL;
    if (kd_parser_accept(parser, KD_TOK_ARROW) && !(function->returns = kd_parse_expr(parser)))
        return NULL;
    function->def_loc.end = parser->last_end;
    if (parser->token.kind != KD_TOK_COLON)
        return kd_parser_expected(parser, "':' after the header of the function");
    return function; /* the caller notes where the ':' is before it goes on */
}

bool kd_function_is_jit(const kd_function *function)
{
    for (unsigned i = 0; i < function->n_decorators; i++) {
        const kd_expr *e = function->decorators[i];
        while (e->kind == KD_EXPR_CALL)
            e = e->a;
        if ((e->kind == KD_EXPR_NAME || e->kind == KD_EXPR_ATTRIBUTE) && kd_str_is(e->text, "jit"))
            return true;
    }
    return false;
}
