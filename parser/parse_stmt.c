/* parse_stmt.c - statements and blocks. */
#include "parser/parser_impl.h"

#include <stdio.h>

static void parse_lines(kd_parser *parser, kd_stmt_vec *out);

static kd_loc token_loc(const kd_parser *parser)
{
    return (kd_loc){parser->module->source, parser->token.begin, parser->token.end};
}

static kd_stmt *stmt_new(kd_parser *parser, kd_stmt_kind kind)
{
    kd_stmt *s = kd_arena_new(parser->arena, kd_stmt);
    s->kind = kind;
    s->loc = token_loc(parser);
    return s;
}

static kd_stmt *finish(kd_parser *parser, kd_stmt *s)
{
    s->loc.end = parser->last_end;
    return s;
}

/* ---- Simple statements ---- */

static bool binary_of_assignment(kd_token_kind kind, kd_operator *out_op)
{
    static const kd_operator OPERATORS[] = {KD_ADD,    KD_SUB, KD_MUL, KD_DIV, KD_FLOORDIV, KD_MOD, KD_POW,
                                            KD_MATMUL, KD_AND, KD_OR,  KD_XOR, KD_SHL,      KD_SHR};
    if (kind < KD_TOK_PLUS_ASSIGN || kind > KD_TOK_SHR_ASSIGN)
        return false;
    *out_op = OPERATORS[kind - KD_TOK_PLUS_ASSIGN];
    return true;
}

static void set_target(kd_parser *parser, kd_stmt *s, kd_expr *target)
{
    s->targets = kd_arena_array(parser->arena, kd_expr *, 1);
    s->targets[0] = target;
    s->n_targets = 1;
}

static bool is_single_target(kd_parser *parser, const kd_expr *e, const char *statement)
{
    if (e->kind == KD_EXPR_NAME || e->kind == KD_EXPR_ATTRIBUTE || e->kind == KD_EXPR_SUBSCRIPT)
        return true;
    kd_parser_error_at(parser, e->loc, "%s needs a single name, attribute or element on its left side", statement);
    return false;
}

static kd_stmt *parse_annotated(kd_parser *parser, kd_stmt *s, kd_expr *target)
{
    s->kind = KD_STMT_ANNOTATED;
    set_target(parser, s, target);
    kd_parser_advance(parser);
    if (!is_single_target(parser, target, "an annotation"))
        return NULL;
    s->annotation = kd_parse_expr(parser);
    if (!s->annotation)
        return NULL;
    if (kd_parser_accept(parser, KD_TOK_ASSIGN) && !(s->value = kd_parse_star_exprs(parser)))
        return NULL;
    return finish(parser, s);
}

static kd_stmt *parse_augmented(kd_parser *parser, kd_stmt *s, kd_expr *target)
{
    s->kind = KD_STMT_AUGMENTED;
    set_target(parser, s, target);
    kd_parser_advance(parser);
    if (!is_single_target(parser, target, "an augmented assignment"))
        return NULL;
    s->value = kd_parse_star_exprs(parser);
    return s->value ? finish(parser, s) : NULL;
}

/* An expression, or an assignment that begins with one. */
static kd_stmt *parse_assignment(kd_parser *parser)
{
    kd_stmt *s = stmt_new(parser, KD_STMT_EXPR);
    if (kd_token_is_keyword(parser->token.kind) && kd_parser_peek(parser).kind == KD_TOK_ASSIGN)
        return kd_parser_error(parser, "%s is a keyword and cannot be a name", kd_token_text(parser->token.kind));
    kd_expr *e = kd_parse_star_exprs(parser);
    if (!e)
        return NULL;
    if (parser->token.kind == KD_TOK_COLON &&
        (e->kind == KD_EXPR_NAME || e->kind == KD_EXPR_ATTRIBUTE || e->kind == KD_EXPR_SUBSCRIPT))
        return parse_annotated(parser, s, e);
    if (binary_of_assignment(parser->token.kind, &s->op))
        return parse_augmented(parser, s, e);
    kd_expr_vec targets = {0};
    while (parser->token.kind == KD_TOK_ASSIGN) {
        if (!kd_check_target(parser, e))
            return NULL;
        kd_vec_push(parser->arena, &targets, e);
        kd_parser_advance(parser);
        e = kd_parse_star_exprs(parser);
        if (!e)
            return NULL;
    }
    s->kind = targets.n ? KD_STMT_ASSIGN : KD_STMT_EXPR;
    s->targets = targets.data;
    s->n_targets = targets.n;
    s->value = e;
    return finish(parser, s);
}

static kd_str dotted_name(kd_parser *parser)
{
    kd_token first = parser->token;
    if (kd_token_is_keyword(first.kind)) {
        kd_parser_error(parser, "%s is a keyword and cannot name a module", kd_token_text(first.kind));
        return (kd_str){0};
    }
    if (!kd_parser_expect(parser, KD_TOK_NAME, "the name of a module"))
        return (kd_str){0};
    if (parser->token.kind != KD_TOK_DOT)
        return kd_parser_text(parser, first);
    kd_strbuf name = kd_strbuf_in(parser->arena); /* white space may stand around the dots */
    kd_strbuf_append(&name, kd_parser_text(parser, first).ptr, first.end - first.begin);
    while (kd_parser_accept(parser, KD_TOK_DOT)) {
        kd_token part = parser->token;
        if (!kd_parser_expect(parser, KD_TOK_NAME, "the name of a module after '.'"))
            return (kd_str){0};
        kd_strbuf_puts(&name, ".");
        kd_strbuf_append(&name, kd_parser_text(parser, part).ptr, part.end - part.begin);
    }
    return (kd_str){name.ptr, name.len};
}

/* 'as name', if it is there. */
static bool parse_as(kd_parser *parser, kd_import *import)
{
    if (!kd_parser_accept(parser, KD_TOK_AS))
        return true;
    import->has_as = true;
    import->bound_as = kd_parser_text(parser, parser->token);
    return kd_parser_expect(parser, KD_TOK_NAME, "a name after 'as'");
}

typedef KD_VEC(kd_import) import_vec;

static kd_stmt *finish_imports(kd_parser *parser, kd_stmt *s, const import_vec *imports)
{
    s->imports = imports->data;
    s->n_imports = imports->n;
    return finish(parser, s);
}

static kd_stmt *parse_import(kd_parser *parser)
{
    kd_stmt *s = stmt_new(parser, KD_STMT_IMPORT);
    import_vec imports = {0};
    kd_parser_advance(parser);
    do {
        kd_import import = {.loc = token_loc(parser), .module = dotted_name(parser)};
        if (!import.module.len)
            return NULL;
        import.loc.end = parser->last_end;
        import.bound_as = import.module;
        if (parser->token.kind != KD_TOK_AS) { /* 'import a.b' binds a */
            const char *dot = memchr(import.module.ptr, '.', import.module.len);
            if (dot)
                import.bound_as.len = (size_t)(dot - import.module.ptr);
        }
        if (!parse_as(parser, &import))
            return NULL;
        kd_vec_push(parser->arena, &imports, import);
    } while (kd_parser_accept(parser, KD_TOK_COMMA));
    return finish_imports(parser, s, &imports);
}

/* 'name [as other], ...', in parentheses or not. */
static bool parse_imported_names(kd_parser *parser, kd_import from, import_vec *imports)
{
    uint32_t opener = parser->token.begin;
    bool in_parentheses = kd_parser_accept(parser, KD_TOK_LPAREN);
    do {
        if (in_parentheses && imports->n && parser->token.kind == KD_TOK_RPAREN)
            break;
        kd_import import = from;
        import.loc = token_loc(parser);
        import.name = import.bound_as = kd_parser_text(parser, parser->token);
        if (!kd_parser_expect(parser, KD_TOK_NAME, "a name to import") || !parse_as(parser, &import))
            return false;
        kd_vec_push(parser->arena, imports, import);
    } while (kd_parser_accept(parser, KD_TOK_COMMA));
    return !in_parentheses || kd_parser_expect_close(parser, KD_TOK_RPAREN, opener, true);
}

static kd_stmt *parse_from_import(kd_parser *parser)
{
    kd_stmt *s = stmt_new(parser, KD_STMT_IMPORT);
    import_vec imports = {0};
    kd_import import = {0};
    kd_parser_advance(parser);
    for (; parser->token.kind == KD_TOK_DOT || parser->token.kind == KD_TOK_ELLIPSIS; kd_parser_advance(parser))
        import.level += parser->token.kind == KD_TOK_DOT ? 1 : 3;
    if (import.level == 0 || parser->token.kind == KD_TOK_NAME) {
        import.module = dotted_name(parser);
        if (!import.module.len)
            return NULL;
    }
    if (!kd_parser_expect(parser, KD_TOK_IMPORT, "'import'"))
        return NULL;
    if (parser->token.kind == KD_TOK_STAR) {
        import.loc = token_loc(parser);
        import.name = import.bound_as = kd_str_of("*");
        kd_parser_advance(parser);
        kd_vec_push(parser->arena, &imports, import);
    } else if (!parse_imported_names(parser, import, &imports)) {
        return NULL;
    }
    return finish_imports(parser, s, &imports);
}

static bool at_simple_end(const kd_parser *parser)
{
    return parser->token.kind == KD_TOK_NEWLINE || parser->token.kind == KD_TOK_SEMICOLON || parser->token.kind == KD_TOK_EOF;
}

/* return, assert, raise: a keyword and expressions. */
static kd_stmt *parse_with_value(kd_parser *parser, kd_stmt_kind kind)
{
    kd_stmt *s = stmt_new(parser, kind);
    kd_parser_advance(parser);
    if (kind == KD_STMT_ASSERT) {
        if (!(s->value = kd_parse_expr(parser)) ||
            (kd_parser_accept(parser, KD_TOK_COMMA) && !(s->message = kd_parse_expr(parser))))
            return NULL;
        return finish(parser, s);
    }
    if (!at_simple_end(parser) && !(s->value = kind == KD_STMT_RETURN ? kd_parse_star_exprs(parser) : kd_parse_expr(parser)))
        return NULL;
    if (kind == KD_STMT_RAISE && kd_parser_accept(parser, KD_TOK_FROM) && !kd_parse_expr(parser))
        return NULL;
    return finish(parser, s);
}

static kd_stmt *parse_word(kd_parser *parser, kd_stmt_kind kind)
{
    kd_stmt *s = stmt_new(parser, kind);
    kd_parser_advance(parser);
    return finish(parser, s);
}

/* A statement that no kernel may use, up to its end in the line; its blocks are the caller's. */
static kd_stmt *skip_statement(kd_parser *parser, const char *name, bool has_block)
{
    kd_stmt *s = stmt_new(parser, KD_STMT_UNSUPPORTED);
    bool has_colon = false;
    s->text = kd_str_of(name);
    for (; parser->lexer.n_brackets || !at_simple_end(parser); kd_parser_advance(parser)) {
        if (parser->token.kind == KD_TOK_EOF)
            return kd_parser_expected(parser, "the end of the statement"); /* in brackets */
        if (parser->token.kind == KD_TOK_BAD)
            return NULL;
        has_colon |= parser->token.kind == KD_TOK_COLON && parser->lexer.n_brackets == 0;
    }
    if (has_block && !has_colon)
        return kd_parser_expected(parser, "':' after the header of the statement");
    return finish(parser, s);
}

/* 'type X = ...': two names in a row. */
static bool at_type_statement(kd_parser *parser)
{
    return kd_str_is(kd_parser_text(parser, parser->token), "type") && kd_parser_peek(parser).kind == KD_TOK_NAME;
}

kd_stmt *kd_parse_simple(kd_parser *parser)
{
    switch (parser->token.kind) {
    case KD_TOK_RETURN: return parse_with_value(parser, KD_STMT_RETURN);
    case KD_TOK_ASSERT: return parse_with_value(parser, KD_STMT_ASSERT);
    case KD_TOK_RAISE: return parse_with_value(parser, KD_STMT_RAISE);
    case KD_TOK_PASS: return parse_word(parser, KD_STMT_PASS);
    case KD_TOK_BREAK: return parse_word(parser, KD_STMT_BREAK);
    case KD_TOK_CONTINUE: return parse_word(parser, KD_STMT_CONTINUE);
    case KD_TOK_IMPORT: return parse_import(parser);
    case KD_TOK_FROM: return parse_from_import(parser);
    case KD_TOK_GLOBAL: return skip_statement(parser, "'global'", false);
    case KD_TOK_NONLOCAL: return skip_statement(parser, "'nonlocal'", false);
    case KD_TOK_DEL: return skip_statement(parser, "'del'", false);
    case KD_TOK_NAME:
        if (at_type_statement(parser))
            return skip_statement(parser, "'type'", false);
        return parse_assignment(parser);
    case KD_TOK_ELSE:
    case KD_TOK_ELIF: return kd_parser_error(parser, "%s has no 'if' before it", kd_token_text(parser->token.kind));
    case KD_TOK_EXCEPT:
    case KD_TOK_FINALLY: return kd_parser_error(parser, "%s has no 'try' before it", kd_token_text(parser->token.kind));
    default: return parse_assignment(parser);
    }
}

/* ---- Recovery ---- */

/* After an error: to the start of the next statement. */
static void recover(kd_parser *parser)
{
    kd_lexer *lexer = &parser->lexer;
    bool was_quiet = lexer->quiet;
    lexer->quiet = true; /* one mistake, one message */
    while (!kd_parser_has_suspect(parser) && parser->token.kind != KD_TOK_EOF && parser->token.kind != KD_TOK_NEWLINE)
        kd_parser_advance(parser);
    if (kd_parser_has_suspect(parser)) {
        kd_lexer_restart_line(lexer, parser->suspect_line);
        kd_parser_advance(parser);
    }
    parser->suspect_n_brackets = 0;
    lexer->quiet = was_quiet;
    kd_parser_accept(parser, KD_TOK_NEWLINE);
    if (kd_parser_accept(parser, KD_TOK_INDENT)) { /* the block of a header in error */
        kd_stmt_vec dropped = {0};
        parse_lines(parser, &dropped);
        kd_parser_accept(parser, KD_TOK_DEDENT);
    }
}

/* ---- Compound statements ---- */

static kd_stmt *parse_compound(kd_parser *parser);

void kd_parse_block(kd_parser *parser, const char *header, kd_loc header_loc, kd_block_ast *out)
{
    kd_stmt_vec stmts = {0};
    if (!kd_parser_accept(parser, KD_TOK_NEWLINE)) {
        kd_stmt *s = kd_parse_simple(parser);
        for (; s; s = kd_parse_simple(parser)) {
            kd_vec_push(parser->arena, &stmts, s);
            if (!kd_parser_accept(parser, KD_TOK_SEMICOLON) || parser->token.kind == KD_TOK_NEWLINE)
                break;
        }
        if (!s || !kd_parser_expect(parser, KD_TOK_NEWLINE, "the end of the line"))
            recover(parser);
    } else if (kd_parser_accept(parser, KD_TOK_INDENT)) {
        parse_lines(parser, &stmts);
        kd_parser_accept(parser, KD_TOK_DEDENT);
    } else {
        kd_parser_error_at(parser, header_loc, "expected an indented block after %s", header);
    }
    out->stmts = stmts.data;
    out->n = stmts.n;
}

/* The ':' of a header, and the block after it. */
static bool parse_suite(kd_parser *parser, const char *after, const char *header, kd_loc *header_loc, kd_block_ast *out)
{
    if (parser->token.kind == KD_TOK_ASSIGN) {
        kd_parser_error(parser, "expected ':' after %s, found '='; a comparison is written '=='", after);
        return false;
    }
    char what[80];
    snprintf(what, sizeof what, "':' after %s", after);
    if (!kd_parser_expect(parser, KD_TOK_COLON, what))
        return false;
    header_loc->end = parser->last_end;
    kd_parse_block(parser, header, *header_loc, out);
    return true;
}

/* 'else: ...', if it is there. */
static bool parse_else(kd_parser *parser, kd_block_ast *out)
{
    kd_loc loc = token_loc(parser);
    if (!kd_parser_accept(parser, KD_TOK_ELSE))
        return true;
    if (parser->token.kind == KD_TOK_IF) {
        kd_parser_error(parser, "expected ':' after 'else', found 'if'; write 'elif'");
        return false;
    }
    return parse_suite(parser, "'else'", "'else'", &loc, out);
}

static kd_stmt *parse_if(kd_parser *parser)
{
    kd_stmt *first = NULL;
    kd_block_ast *link = NULL; /* where the next elif or the else goes */
    unsigned n = 0;
    do {
        if (n++ > KD_MAX_ELIFS)
            return kd_parser_error(parser, "more than %d 'elif' in a row", KD_MAX_ELIFS);
        kd_stmt *s = stmt_new(parser, KD_STMT_IF);
        kd_parser_advance(parser);
        s->value = kd_parse_expr(parser);
        if (!s->value || !parse_suite(parser, first ? "the condition of 'elif'" : "the condition of 'if'",
                                      first ? "'elif'" : "'if'", &s->loc, &s->body))
            return NULL;
        if (first) {
            link->stmts = kd_arena_array(parser->arena, kd_stmt *, 1);
            link->stmts[0] = s;
            link->n = 1;
        } else {
            first = s;
        }
        link = &s->orelse;
    } while (parser->token.kind == KD_TOK_ELIF);
    return parse_else(parser, link) ? first : NULL;
}

static kd_stmt *parse_while(kd_parser *parser)
{
    kd_stmt *s = stmt_new(parser, KD_STMT_WHILE);
    kd_parser_advance(parser);
    s->value = kd_parse_expr(parser);
    if (!s->value || !parse_suite(parser, "the condition of 'while'", "'while'", &s->loc, &s->body))
        return NULL;
    return parse_else(parser, &s->orelse) ? s : NULL;
}

static kd_stmt *parse_for(kd_parser *parser)
{
    kd_stmt *s = stmt_new(parser, KD_STMT_FOR);
    kd_parser_advance(parser);
    kd_expr *target = kd_parse_targets(parser);
    if (!target || !kd_parser_expect(parser, KD_TOK_IN, "'in' after the loop variable"))
        return NULL;
    set_target(parser, s, target);
    s->value = kd_parse_star_exprs(parser);
    if (!s->value || !parse_suite(parser, "the header of 'for'", "'for'", &s->loc, &s->body))
        return NULL;
    return parse_else(parser, &s->orelse) ? s : NULL;
}

/* The indented lines after a header that was skipped. */
static void skip_indented(kd_parser *parser)
{
    kd_parser_accept(parser, KD_TOK_NEWLINE);
    if (!kd_parser_accept(parser, KD_TOK_INDENT))
        return;
    for (unsigned depth = 1; depth && parser->token.kind != KD_TOK_EOF; kd_parser_advance(parser)) {
        depth += parser->token.kind == KD_TOK_INDENT;
        depth -= parser->token.kind == KD_TOK_DEDENT;
    }
}

static kd_stmt *skip_compound(kd_parser *parser, const char *name)
{
    kd_stmt *s = skip_statement(parser, name, true);
    if (!s)
        return NULL;
    while (kd_parser_accept(parser, KD_TOK_SEMICOLON)) /* 'with a: b; c' */
        if (!skip_statement(parser, name, false))
            return NULL;
    skip_indented(parser);
    while (parser->token.kind == KD_TOK_EXCEPT || parser->token.kind == KD_TOK_ELSE || parser->token.kind == KD_TOK_FINALLY) {
        if (!skip_statement(parser, name, true))
            return NULL;
        skip_indented(parser);
    }
    return s;
}

/* A def inside a function, with its decorators. */
static kd_stmt *parse_inner_function(kd_parser *parser)
{
    kd_expr_vec decorators = {0};
    kd_stmt *s = stmt_new(parser, KD_STMT_FUNCTION);
    while (kd_parser_accept(parser, KD_TOK_AT)) {
        kd_expr *e = kd_parse_expr(parser);
        if (!e || !kd_parser_expect(parser, KD_TOK_NEWLINE, "the end of the line after the decorator"))
            return NULL;
        kd_vec_push(parser->arena, &decorators, e);
    }
    if (parser->token.kind == KD_TOK_CLASS || parser->token.kind == KD_TOK_ASYNC)
        return skip_compound(parser, kd_token_text(parser->token.kind));
    if (parser->token.kind != KD_TOK_DEF)
        return kd_parser_expected(parser, "'def' after the decorator");
    kd_loc loc = token_loc(parser);
    kd_function *function = kd_parse_header(parser);
    if (!function)
        return NULL;
    if (decorators.n)
        function->line = kd_loc_place(parser->diags, s->loc).line;
    function->decorators = decorators.data;
    function->n_decorators = decorators.n;
    kd_parser_advance(parser);
    finish(parser, s);
    loc.end = parser->last_end;
    kd_parse_block(parser, "the header of the function", loc, &function->body);
    function->def_loc.end = parser->last_end;
    function->body_parsed = true;
    kd_take_docstring(function);
    s->function = function;
    return s;
}

/* 'match subject:' and an indented 'case': tried without a word, as match may be a name too. */
static bool at_match_statement(kd_parser *parser)
{
    if (!kd_str_is(kd_parser_text(parser, parser->token), "match"))
        return false;
    kd_parser saved = *parser;
    parser->lexer.quiet = true;
    kd_parser_advance(parser);
    bool is_match = kd_parse_star_exprs(parser) && kd_parser_accept(parser, KD_TOK_COLON) &&
                    kd_parser_accept(parser, KD_TOK_NEWLINE) && kd_parser_accept(parser, KD_TOK_INDENT) &&
                    kd_str_is(kd_parser_text(parser, parser->token), "case");
    *parser = saved;
    return is_match;
}

static kd_stmt *parse_compound(kd_parser *parser)
{
    switch (parser->token.kind) {
    case KD_TOK_IF: return parse_if(parser);
    case KD_TOK_FOR: return parse_for(parser);
    case KD_TOK_WHILE: return parse_while(parser);
    case KD_TOK_AT:
    case KD_TOK_DEF: return parse_inner_function(parser);
    case KD_TOK_NAME: return skip_compound(parser, "'match'");
    default: return skip_compound(parser, kd_token_text(parser->token.kind));
    }
}

static bool at_compound(kd_parser *parser)
{
    switch (parser->token.kind) {
    case KD_TOK_IF:
    case KD_TOK_FOR:
    case KD_TOK_WHILE:
    case KD_TOK_AT:
    case KD_TOK_DEF: return true;
    case KD_TOK_WITH:
    case KD_TOK_TRY:
    case KD_TOK_CLASS:
    case KD_TOK_ASYNC: return kd_parser_peek(parser).kind != KD_TOK_ASSIGN;
    case KD_TOK_NAME: return at_match_statement(parser);
    default: return false;
    }
}

/* After an error in a compound statement: what still belongs to it is checked, not missed an 'if' in. */
static void drop_clauses(kd_parser *parser)
{
    recover(parser);
    for (;;) {
        kd_block_ast dropped;
        kd_loc loc = token_loc(parser);
        bool is_elif = kd_parser_accept(parser, KD_TOK_ELIF), is_except = !is_elif && kd_parser_accept(parser, KD_TOK_EXCEPT);
        if (!is_elif && !is_except && !kd_parser_accept(parser, KD_TOK_ELSE) && !kd_parser_accept(parser, KD_TOK_FINALLY))
            return;
        while (is_except && parser->token.kind != KD_TOK_COLON && !at_simple_end(parser) && parser->token.kind != KD_TOK_BAD)
            kd_parser_advance(parser);
        if ((is_elif && !kd_parse_expr(parser)) || !parse_suite(parser, "the header", "the header", &loc, &dropped))
            recover(parser);
    }
}

/* The statements of one logical line, or a compound one with its blocks. */
static void parse_line(kd_parser *parser, kd_stmt_vec *out)
{
    parser->line_column = parser->lexer.indents[parser->lexer.n_indents - 1].column;
    parser->suspect_n_brackets = 0;
    if (at_compound(parser)) {
        kd_stmt *s = parse_compound(parser);
        if (s)
            kd_vec_push(parser->arena, out, s);
        else
            drop_clauses(parser);
        return;
    }
    do {
        kd_stmt *s = kd_parse_simple(parser);
        if (!s) {
            recover(parser);
            return;
        }
        kd_vec_push(parser->arena, out, s);
    } while (kd_parser_accept(parser, KD_TOK_SEMICOLON) && parser->token.kind != KD_TOK_NEWLINE);
    if (!kd_parser_expect(parser, KD_TOK_NEWLINE, "the end of the statement"))
        recover(parser);
}

/* Lines up to the end of the block. */
static void parse_lines(kd_parser *parser, kd_stmt_vec *out)
{
    while (parser->token.kind != KD_TOK_DEDENT && parser->token.kind != KD_TOK_EOF) {
        if (parser->token.kind == KD_TOK_INDENT) {
            kd_parser_error(parser, "this line is indented deeper than the one before it, which begins no block");
            kd_parser_advance(parser);
            parse_lines(parser, out);
            kd_parser_accept(parser, KD_TOK_DEDENT);
        } else if (!kd_parser_accept(parser, KD_TOK_NEWLINE)) {
            parse_line(parser, out);
        }
    }
}

void kd_take_docstring(kd_function *function)
{
    kd_block_ast *body = &function->body;
    if (body->n == 0 || body->stmts[0]->kind != KD_STMT_EXPR || body->stmts[0]->value->kind != KD_EXPR_STRING)
        return;
    function->docstring = body->stmts[0]->value->text;
    body->stmts++;
    body->n--;
}
