/* parse_expr.c - expressions, by recursive descent; binary operators by precedence. */
#include "parser/parser_impl.h"

static kd_expr *parse_unary(kd_parser *parser);

/* ---- Nodes ---- */

kd_expr *kd_expr_new(kd_parser *parser, kd_expr_kind kind, uint32_t begin)
{
    parser->n_nodes++;
    kd_expr *e = kd_arena_new(parser->arena, kd_expr);
    e->kind = kind;
    e->loc = (kd_loc){parser->module->source, begin, begin};
    return e;
}

static unsigned height_of(const kd_expr *e)
{
    return e ? e->height : 0;
}

static unsigned max(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

kd_expr *kd_expr_finish(kd_parser *parser, kd_expr *e)
{
    unsigned height = max(max(height_of(e->a), height_of(e->b)), height_of(e->c));
    for (unsigned i = 0; i < e->n_items; i++)
        height = max(height, height_of(e->items[i]));
    for (unsigned i = 0; i < e->n_keywords; i++)
        height = max(height, height_of(e->keywords[i].value));
    if (e->kind == KD_EXPR_LAMBDA) {
        for (unsigned i = 0; i < e->function->n_params; i++)
            height = max(height, height_of(e->function->params[i].default_value));
        height = max(height, height_of(e->function->body.stmts[0]->value));
    }
    e->height = (uint16_t)(height + 1);
    e->loc.end = parser->last_end;
    if (height >= KD_MAX_EXPR_HEIGHT)
        return kd_parser_error_at(parser, e->loc, "this expression has more than %d operations inside one another",
                                  KD_MAX_EXPR_HEIGHT);
    if (parser->max_nodes && parser->n_nodes > parser->max_nodes)
        return NULL;
    return e;
}

kd_expr *kd_expr_leaf(kd_parser *parser, kd_expr_kind kind)
{
    kd_expr *e = kd_expr_new(parser, kind, parser->token.begin);
    e->text = kd_parser_text(parser, parser->token);
    kd_parser_advance(parser);
    return kd_expr_finish(parser, e);
}

void kd_expr_take_items(kd_expr *e, const kd_expr_vec *items)
{
    e->items = items->data;
    e->n_items = items->n;
}

kd_expr *kd_expr_unsupported(kd_parser *parser, uint32_t begin, const char *name)
{
    kd_expr *e = kd_expr_new(parser, KD_EXPR_UNSUPPORTED, begin);
    e->text = kd_str_of(name);
    return kd_expr_finish(parser, e);
}

/* ---- Operators ---- */

/* '**' binds tighter than a sign on its left, looser than one on its right. */
static kd_expr *parse_power(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    bool awaits = kd_parser_accept(parser, KD_TOK_AWAIT);
    kd_expr *base = kd_parse_postfix(parser);
    if (base && awaits)
        base = kd_expr_unsupported(parser, begin, "'await'");
    if (!base || parser->token.kind != KD_TOK_POWER)
        return base;
    if (!kd_parser_enter(parser))
        return NULL;
    kd_parser_advance(parser);
    kd_expr *e = kd_expr_new(parser, KD_EXPR_BINARY, begin);
    e->op = KD_POW;
    e->a = base;
    e->b = parse_unary(parser);
    parser->depth--;
    return e->b ? kd_expr_finish(parser, e) : NULL;
}

static kd_expr *parse_unary(kd_parser *parser)
{
    kd_token t = parser->token;
    if (t.kind != KD_TOK_PLUS && t.kind != KD_TOK_MINUS && t.kind != KD_TOK_TILDE && t.kind != KD_TOK_NOT && t.kind != KD_TOK_POWER)
        return parse_power(parser);
    if (t.kind == KD_TOK_NOT || t.kind == KD_TOK_POWER)
        return kd_parser_expected(parser, "an operand");
    if (!kd_parser_enter(parser))
        return NULL;
    kd_parser_advance(parser);
    bool is_doubled = t.begin > 0 && parser->lexer.text[t.begin - 1] == parser->lexer.text[t.begin];
    if (parser->token.kind == KD_TOK_NEWLINE && is_doubled) {
        parser->depth--;
        return kd_parser_error(parser, "expected an operand after %s; there is no '++' or '--', write 'x += 1'",
                               kd_token_text(t.kind));
    }
    kd_expr *e = kd_expr_new(parser, KD_EXPR_UNARY, t.begin);
    e->op = t.kind == KD_TOK_PLUS ? KD_PLUS : t.kind == KD_TOK_MINUS ? KD_MINUS : KD_INVERT;
    e->a = parse_unary(parser);
    parser->depth--;
    return e->a ? kd_expr_finish(parser, e) : NULL;
}

/* The precedence of a binary operator, loosest 1; 0: not one. */
static unsigned binary_operator(kd_token_kind kind, kd_operator *out_op)
{
    static const struct {
        kd_token_kind kind;
        kd_operator op;
        unsigned precedence;
    } OPERATORS[] = {
        {KD_TOK_PIPE, KD_OR, 1},   {KD_TOK_CARET, KD_XOR, 2},         {KD_TOK_AMPERSAND, KD_AND, 3}, {KD_TOK_SHL, KD_SHL, 4},
        {KD_TOK_SHR, KD_SHR, 4},   {KD_TOK_PLUS, KD_ADD, 5},          {KD_TOK_MINUS, KD_SUB, 5},     {KD_TOK_STAR, KD_MUL, 6},
        {KD_TOK_SLASH, KD_DIV, 6}, {KD_TOK_FLOORDIV, KD_FLOORDIV, 6}, {KD_TOK_PERCENT, KD_MOD, 6},   {KD_TOK_AT, KD_MATMUL, 6},
    };
    for (size_t i = 0; i < sizeof OPERATORS / sizeof *OPERATORS; i++)
        if (OPERATORS[i].kind == kind) {
            *out_op = OPERATORS[i].op;
            return OPERATORS[i].precedence;
        }
    return 0;
}

/* Operands joined by operators that bind at least as tight as 'least'. */
static kd_expr *parse_binary(kd_parser *parser, unsigned least)
{
    uint32_t begin = parser->token.begin;
    kd_expr *left = parse_unary(parser);
    while (left) {
        kd_operator op = KD_ADD;
        unsigned precedence = binary_operator(parser->token.kind, &op);
        if (precedence == 0 || precedence < least)
            return left;
        kd_token_kind kind = parser->token.kind;
        kd_parser_advance(parser);
        if (parser->token.kind == kind && (kind == KD_TOK_AMPERSAND || kind == KD_TOK_PIPE))
            return kd_parser_error(parser, "expected an operand, found %s; the operator on truth values is '%s'",
                                   kd_token_text(kind), kind == KD_TOK_PIPE ? "or" : "and");
        kd_expr *e = kd_expr_new(parser, KD_EXPR_BINARY, begin);
        e->op = op;
        e->a = left;
        e->b = parse_binary(parser, precedence + 1);
        left = e->b ? kd_expr_finish(parser, e) : NULL;
    }
    return NULL;
}

/* Advances over a comparison operator. */
static bool accept_comparison(kd_parser *parser, kd_operator *out_op)
{
    switch (parser->token.kind) {
    case KD_TOK_LT: *out_op = KD_LT; break;
    case KD_TOK_LE: *out_op = KD_LE; break;
    case KD_TOK_GT: *out_op = KD_GT; break;
    case KD_TOK_GE: *out_op = KD_GE; break;
    case KD_TOK_EQ: *out_op = KD_EQ; break;
    case KD_TOK_NE: *out_op = KD_NE; break;
    case KD_TOK_IN: *out_op = KD_IN; break;
    case KD_TOK_NOT:
        if (kd_parser_peek(parser).kind != KD_TOK_IN)
            return false;
        kd_parser_advance(parser);
        *out_op = KD_NOT_IN;
        break;
    case KD_TOK_IS:
        kd_parser_advance(parser);
        *out_op = kd_parser_accept(parser, KD_TOK_NOT) ? KD_IS_NOT : KD_IS;
        return true;
    default: return false;
    }
    kd_parser_advance(parser);
    return true;
}

static kd_expr *parse_comparison(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    kd_expr *first = parse_binary(parser, 1);
    kd_operator op;
    if (!first || !accept_comparison(parser, &op))
        return first;
    kd_expr_vec items = {0};
    KD_VEC(kd_operator) compares = {0};
    kd_vec_push(parser->arena, &items, first);
    do {
        kd_expr *next = parse_binary(parser, 1);
        if (!next)
            return NULL;
        kd_vec_push(parser->arena, &items, next);
        kd_vec_push(parser->arena, &compares, op);
    } while (accept_comparison(parser, &op));
    kd_expr *e = kd_expr_new(parser, KD_EXPR_COMPARE, begin);
    kd_expr_take_items(e, &items);
    e->compares = compares.data;
    return kd_expr_finish(parser, e);
}

static kd_expr *parse_not(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    if (parser->token.kind != KD_TOK_NOT)
        return parse_comparison(parser);
    if (!kd_parser_enter(parser))
        return NULL;
    kd_parser_advance(parser);
    kd_expr *e = kd_expr_new(parser, KD_EXPR_UNARY, begin);
    e->op = KD_NOT;
    e->a = parse_not(parser);
    parser->depth--;
    return e->a ? kd_expr_finish(parser, e) : NULL;
}

/* Operands joined by 'and' or 'or'. */
static kd_expr *parse_chain(kd_parser *parser, kd_token_kind word, kd_expr_kind kind, kd_expr *(*parse_operand)(kd_parser *))
{
    uint32_t begin = parser->token.begin;
    kd_expr *first = parse_operand(parser);
    if (!first || parser->token.kind != word)
        return first;
    kd_expr_vec items = {0};
    kd_vec_push(parser->arena, &items, first);
    while (kd_parser_accept(parser, word)) {
        kd_expr *next = parse_operand(parser);
        if (!next)
            return NULL;
        kd_vec_push(parser->arena, &items, next);
    }
    kd_expr *e = kd_expr_new(parser, kind, begin);
    kd_expr_take_items(e, &items);
    return kd_expr_finish(parser, e);
}

static kd_expr *parse_and(kd_parser *parser)
{
    return parse_chain(parser, KD_TOK_AND, KD_EXPR_AND, parse_not);
}

static kd_expr *parse_or(kd_parser *parser)
{
    return parse_chain(parser, KD_TOK_OR, KD_EXPR_OR, parse_and);
}

static kd_expr *parse_lambda(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    kd_expr *e = kd_expr_new(parser, KD_EXPR_LAMBDA, begin);
    kd_function *function = kd_arena_new(parser->arena, kd_function);
    function->module = parser->module;
    function->loc = (kd_loc){parser->module->source, begin, parser->token.end};
    function->line = function->def_line = kd_loc_place(parser->diags, function->loc).line;
    kd_parser_advance(parser);
    if (!kd_parse_params(parser, function, KD_TOK_COLON, begin) ||
        !kd_parser_expect(parser, KD_TOK_COLON, "':' after the parameters"))
        return NULL;
    kd_stmt *stmt = kd_arena_new(parser->arena, kd_stmt);
    stmt->kind = KD_STMT_RETURN;
    stmt->value = kd_parse_expr(parser);
    if (!stmt->value)
        return NULL;
    stmt->loc = stmt->value->loc;
    function->body.stmts = kd_arena_array(parser->arena, kd_stmt *, 1);
    function->body.stmts[0] = stmt;
    function->body.n = 1;
    function->body_parsed = true;
    e->function = function;
    if (!kd_expr_finish(parser, e))
        return NULL;
    function->def_loc = e->loc;
    return e;
}

static kd_expr *parse_ternary(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    if (parser->token.kind == KD_TOK_LAMBDA)
        return parse_lambda(parser);
    kd_expr *value = parse_or(parser);
    if (!value || parser->token.kind != KD_TOK_IF)
        return value;
    kd_parser_advance(parser);
    kd_expr *e = kd_expr_new(parser, KD_EXPR_TERNARY, begin);
    e->a = value;
    e->b = parse_or(parser);
    if (!e->b || !kd_parser_expect(parser, KD_TOK_ELSE, "'else' after the condition of the conditional expression"))
        return NULL;
    e->c = kd_parse_expr(parser);
    return e->c ? kd_expr_finish(parser, e) : NULL;
}

kd_expr *kd_parse_condition(kd_parser *parser)
{
    if (!kd_parser_enter(parser))
        return NULL;
    kd_expr *e = parse_or(parser);
    parser->depth--;
    return e;
}

kd_expr *kd_parse_expr(kd_parser *parser)
{
    if (!kd_parser_enter(parser))
        return NULL;
    uint32_t begin = parser->token.begin;
    kd_expr *e = parse_ternary(parser);
    if (e && e->kind == KD_EXPR_NAME && e->loc.begin == begin && parser->token.kind == KD_TOK_WALRUS) {
        kd_parser_advance(parser);
        kd_expr *walrus = kd_expr_new(parser, KD_EXPR_WALRUS, begin);
        walrus->text = e->text;
        walrus->a = kd_parse_expr(parser);
        e = walrus->a ? kd_expr_finish(parser, walrus) : NULL;
    }
    parser->depth--;
    return e;
}

/* ---- Lists without brackets ---- */

kd_expr *kd_parse_starred(kd_parser *parser)
{
    if (parser->token.kind != KD_TOK_STAR)
        return kd_parse_expr(parser);
    kd_expr *e = kd_expr_new(parser, KD_EXPR_STAR, parser->token.begin);
    kd_parser_advance(parser);
    e->a = kd_parse_expr(parser);
    return e->a ? kd_expr_finish(parser, e) : NULL;
}

/* Whether a list of expressions can end here, after a comma. */
static bool at_list_end(const kd_parser *parser)
{
    switch (parser->token.kind) {
    case KD_TOK_NEWLINE:
    case KD_TOK_EOF:
    case KD_TOK_SEMICOLON:
    case KD_TOK_ASSIGN:
    case KD_TOK_COLON:
    case KD_TOK_RPAREN:
    case KD_TOK_RBRACKET:
    case KD_TOK_RBRACE:
    case KD_TOK_IN:
    case KD_TOK_BANG: return true;
    default: return parser->token.kind >= KD_TOK_PLUS_ASSIGN && parser->token.kind <= KD_TOK_SHR_ASSIGN;
    }
}

static kd_expr *parse_list_of(kd_parser *parser, kd_expr *(*parse_item)(kd_parser *))
{
    uint32_t begin = parser->token.begin;
    kd_expr *first = parse_item(parser);
    if (!first || parser->token.kind != KD_TOK_COMMA)
        return first;
    kd_expr_vec items = {0};
    kd_vec_push(parser->arena, &items, first);
    while (kd_parser_accept(parser, KD_TOK_COMMA) && !at_list_end(parser)) {
        kd_expr *item = parse_item(parser);
        if (!item)
            return NULL;
        kd_vec_push(parser->arena, &items, item);
    }
    kd_expr *e = kd_expr_new(parser, KD_EXPR_TUPLE, begin);
    kd_expr_take_items(e, &items);
    return kd_expr_finish(parser, e);
}

static kd_expr *parse_yield(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    kd_parser_advance(parser);
    bool ends = parser->token.kind == KD_TOK_RPAREN || parser->token.kind == KD_TOK_NEWLINE ||
                parser->token.kind == KD_TOK_SEMICOLON || parser->token.kind == KD_TOK_ASSIGN ||
                parser->token.kind == KD_TOK_RBRACE;
    if (kd_parser_accept(parser, KD_TOK_FROM) || !ends)
        if (!parse_list_of(parser, kd_parse_starred))
            return NULL;
    return kd_expr_unsupported(parser, begin, "'yield'");
}

kd_expr *kd_parse_star_exprs(kd_parser *parser)
{
    if (parser->token.kind == KD_TOK_YIELD)
        return parse_yield(parser);
    kd_expr *e = parse_list_of(parser, kd_parse_starred);
    if (e && e->kind == KD_EXPR_STAR)
        return kd_parser_error_at(parser, e->loc, "'*' can only stand before a part of a tuple, a list or a call's arguments");
    return e;
}

/* ---- Assignment targets ---- */

static kd_expr *parse_target_item(kd_parser *parser)
{
    uint32_t begin = parser->token.begin;
    if (!kd_parser_accept(parser, KD_TOK_STAR))
        return parse_binary(parser, 1); /* no comparison: 'in' ends the list */
    kd_expr *e = kd_expr_new(parser, KD_EXPR_STAR, begin);
    e->a = parse_binary(parser, 1);
    return e->a ? kd_expr_finish(parser, e) : NULL;
}

kd_expr *kd_parse_targets(kd_parser *parser)
{
    if (kd_token_is_keyword(parser->token.kind))
        return kd_parser_error(parser, "%s is a keyword and cannot be a name", kd_token_text(parser->token.kind));
    kd_expr *e = parse_list_of(parser, parse_target_item);
    return e && kd_check_target(parser, e) ? e : NULL;
}

static const char *kind_name(const kd_expr *e)
{
    switch (e->kind) {
    case KD_EXPR_INT:
    case KD_EXPR_FLOAT: return "a number";
    case KD_EXPR_STRING: return "a string";
    case KD_EXPR_FSTRING: return "an f-string";
    case KD_EXPR_TRUE: return "True";
    case KD_EXPR_FALSE: return "False";
    case KD_EXPR_NONE: return "None";
    case KD_EXPR_CALL: return "the result of a call";
    case KD_EXPR_COMPARE: return "a comparison";
    case KD_EXPR_LAMBDA: return "a lambda";
    case KD_EXPR_DICT: return "a dict";
    case KD_EXPR_SET: return "a set";
    default: return "an expression";
    }
}

bool kd_check_target(kd_parser *parser, const kd_expr *target)
{
    switch (target->kind) {
    case KD_EXPR_NAME:
    case KD_EXPR_ATTRIBUTE:
    case KD_EXPR_SUBSCRIPT: return true;
    case KD_EXPR_STAR: return kd_check_target(parser, target->a);
    case KD_EXPR_TUPLE:
    case KD_EXPR_LIST:
        for (unsigned i = 0; i < target->n_items; i++)
            if (!kd_check_target(parser, target->items[i]))
                return false;
        return true;
    default:
        kd_parser_error_at(parser, target->loc, "cannot assign to %s; expected a name, an attribute, an element or a tuple of them",
                           kind_name(target));
        return false;
    }
}
