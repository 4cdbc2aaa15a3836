/* parse_module.c - the top level of a file: definitions are listed, everything else is passed over.
 *
 * Each logical line is first a guess: its tokens are read in silence, and where they are not what we look for, the lexer goes back to
 * the line's start and skips it. A guess reads a line at most twice and gives up on huge expressions, so the time is linear. */
#include "parser/parser_impl.h"

enum {
    MAX_GUESS_NODES = 20000,    /* of one assignment: tables of data are not constants of kernels */
    MAX_MODULE_NODES = 1000000, /* of all guesses: what comes after is skipped */
    MAX_ITEMS = 100000,
    MAX_CONDITIONS = 16,        /* joined by AND */
};

/* The block whose lines are read: the top level, a class or what stands under a condition. */
typedef struct scope {
    kd_parser *parser;
    kd_item **tail; /* where the next item is linked */
    kd_class *owner;
    kd_expr *condition;
    kd_indent indent;
    unsigned depth;
} scope;

typedef struct decorators {
    kd_expr_vec exprs;
    uint32_t begin; /* of the first '@' */
    unsigned n;     /* including those that could not be read */
} decorators;

static void read_lines(scope *sc);

static kd_item *add_item(scope *sc, kd_item_kind kind, kd_loc loc)
{
    kd_parser *parser = sc->parser;
    if (parser->n_items++ == MAX_ITEMS) {
        kd_error(parser->diags, loc, "this file has more than %d definitions at its top level", MAX_ITEMS);
        parser->lexer.limit = parser->lexer.cursor; /* reads no further */
    }
    kd_item *item = kd_arena_new(parser->arena, kd_item);
    item->kind = kind;
    item->loc = loc;
    item->condition = sc->condition;
    *sc->tail = item;
    sc->tail = &item->next;
    return item;
}

static void add_skipped(scope *sc, kd_loc loc, kd_str name)
{
    if (name.len)
        add_item(sc, KD_ITEM_SKIPPED, loc)->name = name;
}

static kd_loc token_loc(const kd_parser *parser)
{
    return (kd_loc){parser->module->source, parser->token.begin, parser->token.end};
}

/* ---- Places in the text ---- */

/* Begins to read the tokens of a logical line, in silence or not. */
static void begin_tokens(kd_parser *parser, uint32_t begin, bool quiet)
{
    kd_lexer *lexer = &parser->lexer;
    kd_lexer_init(lexer, lexer->diags, lexer->n_errors, lexer->source, begin, lexer->limit);
    lexer->quiet = quiet;
    parser->token = (kd_token){.begin = begin, .end = begin};
    parser->last_end = begin;
    kd_parser_advance(parser);
}

/* Goes on without tokens, at an offset. */
static void go_to(kd_parser *parser, uint32_t at)
{
    kd_lexer *lexer = &parser->lexer;
    kd_lexer_init(lexer, lexer->diags, lexer->n_errors, lexer->source, at, lexer->limit);
}

static void skip_line_at(kd_parser *parser, uint32_t at)
{
    go_to(parser, at);
    kd_lexer_skip_line(&parser->lexer);
}

/* Skips from the start of a header's line over the header and its block. Quiet: there was a word about this line. */
static void skip_statement(scope *sc, uint32_t begin, bool quiet)
{
    go_to(sc->parser, begin);
    sc->parser->lexer.quiet = quiet;
    kd_lexer_skip_line(&sc->parser->lexer);
    sc->parser->lexer.quiet = false;
    kd_lexer_skip_block(&sc->parser->lexer, sc->indent.column, 0);
}

/* ---- Assignments and imports ---- */

/* The names that an assignment binds. */
static void add_names(scope *sc, kd_loc loc, const kd_expr *target)
{
    if (target->kind == KD_EXPR_NAME)
        add_skipped(sc, loc, target->text);
    else if (target->kind == KD_EXPR_STAR)
        add_names(sc, loc, target->a);
    else if (target->kind == KD_EXPR_TUPLE || target->kind == KD_EXPR_LIST)
        for (unsigned i = 0; i < target->n_items; i++)
            add_names(sc, loc, target->items[i]);
}

static bool binds_names(const kd_expr *target)
{
    if (target->kind == KD_EXPR_STAR)
        return binds_names(target->a);
    bool all = target->kind == KD_EXPR_NAME || target->kind == KD_EXPR_TUPLE || target->kind == KD_EXPR_LIST;
    for (unsigned i = 0; i < target->n_items && all; i++)
        all = binds_names(target->items[i]);
    return all;
}

static void add_stmt(scope *sc, kd_stmt *stmt)
{
    bool is_assignment = stmt->kind == KD_STMT_ASSIGN || (stmt->kind == KD_STMT_ANNOTATED && (stmt->value || sc->owner));
    bool all_names = stmt->n_targets > 0 && !(stmt->value && stmt->value->kind == KD_EXPR_UNSUPPORTED);
    for (unsigned i = 0; i < stmt->n_targets; i++)
        all_names &= binds_names(stmt->targets[i]);
    if (stmt->kind == KD_STMT_IMPORT)
        add_item(sc, KD_ITEM_IMPORT, stmt->loc)->stmt = stmt;
    else if (is_assignment && all_names)
        add_item(sc, KD_ITEM_ASSIGN, stmt->loc)->stmt = stmt;
    else if (stmt->kind == KD_STMT_AUGMENTED || is_assignment)
        for (unsigned i = 0; i < stmt->n_targets; i++)
            add_names(sc, stmt->loc, stmt->targets[i]);
}

/* Statements without blocks up to the end of the line. The lexer stands at the first token of the line. */
static void read_simple_line(scope *sc)
{
    kd_parser *parser = sc->parser;
    uint32_t begin = parser->token.begin;
    kd_loc first_loc = token_loc(parser);
    kd_token_kind first_kind = parser->token.kind;
    parser->max_nodes = parser->n_nodes + MAX_GUESS_NODES;
    for (;;) {
        bool is_open = parser->n_nodes < MAX_MODULE_NODES;
        kd_stmt *stmt = is_open ? kd_parse_simple(parser) : NULL;
        if (!stmt)
            break;
        bool more = kd_parser_accept(parser, KD_TOK_SEMICOLON), ends = parser->token.kind == KD_TOK_NEWLINE;
        if (more || ends)
            add_stmt(sc, stmt);
        if (ends) {
            go_to(parser, parser->token.end);
            return;
        }
        if (!more)
            break;
        begin = parser->token.begin;
        first_loc = token_loc(parser);
        first_kind = parser->token.kind;
    }
    begin_tokens(parser, begin, true); /* 'name = something unreadable' */
    kd_token_kind next = kd_parser_peek(parser).kind;
    if (first_kind == KD_TOK_NAME && (next == KD_TOK_ASSIGN || next == KD_TOK_COLON))
        add_skipped(sc, first_loc, kd_parser_text(parser, parser->token));
    skip_statement(sc, begin, false); /* 'match' has a block */
}

/* ---- Functions and classes ---- */

/* A line '@...'. One that is not of our grammar is left out, but not if it says jit. */
static void read_decorator(scope *sc, decorators *list)
{
    kd_parser *parser = sc->parser;
    uint32_t begin = parser->token.begin;
    list->begin = list->n++ ? list->begin : begin;
    parser->max_nodes = parser->n_nodes + MAX_GUESS_NODES;
    kd_parser_advance(parser);
    kd_expr *e = parser->n_nodes < MAX_MODULE_NODES ? kd_parse_expr(parser) : NULL;
    if (e && parser->token.kind == KD_TOK_NEWLINE) {
        kd_vec_push(parser->arena, &list->exprs, e);
        go_to(parser, parser->token.end);
        return;
    }
    begin_tokens(parser, begin + 1, true); /* does it begin with 'NAME.jit'? */
    kd_token last = parser->token;
    while (kd_parser_accept(parser, KD_TOK_NAME) && kd_parser_accept(parser, KD_TOK_DOT))
        last = parser->token;
    if (kd_str_is(kd_parser_text(parser, last), "jit")) {
        begin_tokens(parser, begin + 1, false);
        if (kd_parse_expr(parser))
            kd_parser_expect(parser, KD_TOK_NEWLINE, "the end of the line after the decorator");
    }
    skip_line_at(parser, begin);
}

/* Notes where the body after the header's ':' is, and skips it. A body of ours that has no end is parsed at once, for the messages. */
static void skip_body(scope *sc, kd_function *function, bool is_jit)
{
    kd_parser *parser = sc->parser;
    struct kd_body_start *start = kd_arena_new(parser->arena, struct kd_body_start);
    start->begin = parser->token.end;
    start->indent = sc->indent;
    go_to(parser, start->begin);
    parser->lexer.quiet = is_jit;
    uint32_t end = kd_lexer_skip_line(&parser->lexer);
    start->end = kd_lexer_skip_block(&parser->lexer, sc->indent.column, end);
    parser->lexer.quiet = false;
    function->body_start = start;
    function->def_loc.end = start->end;
    if (!is_jit || !parser->lexer.skip_failed || !kd_function_parse_body(function, parser->diags))
        return;
    uint32_t line_begin = parser->lexer.cursor;
    go_to(parser, start->begin); /* there is an error that the parser does not see */
    kd_lexer_skip_line(&parser->lexer);
    kd_lexer_skip_block(&parser->lexer, sc->indent.column, end);
    go_to(parser, line_begin);
}

static void read_function(scope *sc, const decorators *list)
{
    kd_parser *parser = sc->parser;
    uint32_t begin = parser->token.begin;
    kd_loc loc = token_loc(parser);
    kd_function probe = {.decorators = list->exprs.data, .n_decorators = list->exprs.n};
    bool is_jit = kd_function_is_jit(&probe);
    parser->max_nodes = is_jit ? 0 : parser->n_nodes + MAX_GUESS_NODES;
    begin_tokens(parser, begin, !is_jit);
    kd_function *function = kd_parse_header(parser);
    if (!function) {
        begin_tokens(parser, begin, true);
        kd_parser_advance(parser);
        if (parser->token.kind == KD_TOK_NAME)
            add_skipped(sc, loc, kd_parser_text(parser, parser->token));
        skip_statement(sc, begin, is_jit);
        return;
    }
    function->decorators = probe.decorators;
    function->n_decorators = probe.n_decorators;
    function->owner = sc->owner;
    if (list->n)
        function->line = kd_loc_place(parser->diags, (kd_loc){loc.source, list->begin, list->begin}).line;
    skip_body(sc, function, is_jit);
    add_item(sc, KD_ITEM_FUNCTION, function->loc)->function = function;
}

/* What a class's '(' holds: bases that can be read, up to the ')'. */
static void read_bases(kd_parser *parser, kd_class *class_)
{
    uint32_t begin = parser->token.begin;
    if (parser->token.kind != KD_TOK_LPAREN)
        return;
    kd_expr_vec bases = {0};
    kd_expr *call = kd_arena_new(parser->arena, kd_expr); /* read as the arguments of a call */
    call->loc = (kd_loc){parser->module->source, begin, begin};
    call->height = 1;
    kd_expr *e = kd_parse_call(parser, call);
    for (unsigned i = 0; e && i < e->n_items; i++)
        kd_vec_push(parser->arena, &bases, e->items[i]);
    class_->bases = bases.data;
    class_->n_bases = bases.n;
}

/* From after a header's ':', the block: lines deeper than the header, or statements in the same line. */
static void read_suite(scope *inner, kd_indent outer)
{
    kd_parser *parser = inner->parser;
    uint32_t colon_end = parser->token.end;
    bool quiet_before = parser->lexer.quiet;
    parser->lexer.quiet = true;
    kd_parser_advance(parser);
    parser->lexer.quiet = quiet_before;
    if (parser->token.kind != KD_TOK_NEWLINE) {
        begin_tokens(parser, colon_end, true);
        read_simple_line(inner);
        return;
    }
    go_to(parser, parser->token.end);
    kd_indent indent;
    if (!kd_lexer_find_line(&parser->lexer, &indent))
        return;
    parser->lexer.cursor = parser->lexer.line_begin;
    if (indent.column <= outer.column)
        return;
    inner->indent = indent;
    if (inner->depth < KD_MAX_INDENTS)
        read_lines(inner);
    else
        kd_lexer_skip_block(&parser->lexer, outer.column, 0);
}

static void read_class(scope *sc, const decorators *list)
{
    kd_parser *parser = sc->parser;
    uint32_t begin = parser->token.begin;
    kd_parser_advance(parser);
    kd_class *class_ = kd_arena_new(parser->arena, kd_class);
    class_->module = parser->module;
    class_->name = kd_parser_text(parser, parser->token);
    class_->loc = token_loc(parser);
    class_->decorators = list->exprs.data;
    class_->n_decorators = list->exprs.n;
    parser->max_nodes = parser->n_nodes + MAX_GUESS_NODES;
    bool has_name = kd_parser_accept(parser, KD_TOK_NAME);
    bool good = has_name && kd_skip_type_params(parser);
    if (good)
        read_bases(parser, class_);
    if (!good || parser->token.kind != KD_TOK_COLON || parser->n_nodes >= MAX_MODULE_NODES) {
        add_skipped(sc, class_->loc, has_name ? class_->name : (kd_str){0});
        skip_statement(sc, begin, false);
        return;
    }
    scope inner = {.parser = parser, .tail = &class_->items, .owner = class_, .indent = sc->indent, .depth = sc->depth + 1};
    read_suite(&inner, sc->indent);
    add_item(sc, KD_ITEM_CLASS, class_->loc)->class_ = class_;
}

/* A statement that defines nothing for kernels, with its block. The tokens are at its start. */
static void skip_other(scope *sc, uint32_t begin)
{
    kd_parser *parser = sc->parser;
    if (kd_parser_accept(parser, KD_TOK_ASYNC) && kd_parser_accept(parser, KD_TOK_DEF) && parser->token.kind == KD_TOK_NAME)
        add_skipped(sc, token_loc(parser), kd_parser_text(parser, parser->token));
    skip_statement(sc, begin, false);
}

/* What stands after decorators. Both tokens and line are at its start. */
static void read_definition(scope *sc, decorators *list)
{
    kd_parser *parser = sc->parser;
    uint32_t begin = parser->token.begin;
    while (parser->token.kind == KD_TOK_AT) {
        read_decorator(sc, list);
        kd_indent indent;
        if (!kd_lexer_find_line(&parser->lexer, &indent))
            return;
        begin = parser->lexer.cursor;
        begin_tokens(parser, begin, true);
    }
    if (parser->token.kind == KD_TOK_DEF)
        read_function(sc, list);
    else if (parser->token.kind == KD_TOK_CLASS)
        read_class(sc, list);
    else
        skip_other(sc, begin);
}

/* ---- Conditions ---- */

static kd_expr *negate(kd_parser *parser, kd_expr *e)
{
    if (!e)
        return NULL;
    kd_expr *not = kd_expr_new(parser, KD_EXPR_UNARY, e->loc.begin);
    not->loc.end = e->loc.end;
    not->op = KD_NOT;
    not->a = e;
    not->height = (uint16_t)(e->height + 1);
    return not;
}

static void add_conjuncts(kd_parser *parser, kd_expr_vec *items, kd_expr *e)
{
    if (e->kind != KD_EXPR_AND)
        kd_vec_push(parser->arena, items, e);
    for (unsigned i = 0; e->kind == KD_EXPR_AND && i < e->n_items; i++)
        kd_vec_push(parser->arena, items, e->items[i]);
}

/* Both hold. Either may be NULL, unknown. */
static kd_expr *join(kd_parser *parser, kd_expr *a, kd_expr *b)
{
    if (!a || !b)
        return a ? a : b;
    kd_expr_vec items = {0};
    add_conjuncts(parser, &items, a);
    add_conjuncts(parser, &items, b);
    if (items.n > MAX_CONDITIONS || a->height >= KD_MAX_EXPR_HEIGHT - 2)
        return b;
    kd_expr *e = kd_expr_new(parser, KD_EXPR_AND, b->loc.begin);
    e->loc.end = b->loc.end;
    kd_expr_take_items(e, &items);
    e->height = (uint16_t)((a->height > b->height ? a->height : b->height) + 1);
    return e;
}

/* Advances to the ':' that ends a header. False: there is none in the line. */
static bool find_colon(kd_parser *parser)
{
    unsigned n_lambdas = 0;
    for (; parser->token.kind != KD_TOK_NEWLINE && parser->token.kind != KD_TOK_EOF; kd_parser_advance(parser)) {
        if (parser->lexer.n_brackets)
            continue;
        if (parser->token.kind == KD_TOK_COLON && n_lambdas-- == 0)
            return true;
        n_lambdas += parser->token.kind == KD_TOK_LAMBDA;
    }
    return false;
}

/* if, elif: the test, where it can be read. The token is the keyword, then the ':'. */
static bool read_test(kd_parser *parser, kd_expr **out_test)
{
    uint32_t begin = parser->token.end;
    parser->max_nodes = parser->n_nodes + MAX_GUESS_NODES;
    kd_parser_advance(parser);
    *out_test = parser->n_nodes < MAX_MODULE_NODES ? kd_parse_expr(parser) : NULL;
    if (*out_test && (*out_test)->height < KD_MAX_EXPR_HEIGHT - 2 && parser->token.kind == KD_TOK_COLON)
        return true;
    *out_test = NULL;
    begin_tokens(parser, begin, true);
    return find_colon(parser);
}

/* The keyword that begins the next line if that is as deep as this block; the tokens are at it. Else the lexer is at the line. */
static kd_token_kind next_clause(scope *sc)
{
    kd_parser *parser = sc->parser;
    kd_indent indent;
    bool found = kd_lexer_find_line(&parser->lexer, &indent);
    uint32_t line_begin = parser->lexer.line_begin;
    if (found && indent.column == sc->indent.column) {
        begin_tokens(parser, parser->lexer.cursor, true);
        if (parser->token.kind == KD_TOK_ELIF || parser->token.kind == KD_TOK_ELSE || parser->token.kind == KD_TOK_EXCEPT ||
            parser->token.kind == KD_TOK_FINALLY)
            return parser->token.kind;
    }
    go_to(parser, found ? line_begin : parser->lexer.limit);
    return KD_TOK_EOF;
}

/* A header with a block whose definitions count: if, try, with and what belongs to them. */
static void read_compound(scope *sc)
{
    kd_parser *parser = sc->parser;
    kd_expr *not_before = NULL; /* none of the tests so far */
    kd_token_kind kind = parser->token.kind;
    do {
        uint32_t begin = parser->token.begin;
        kd_expr *test = NULL;
        bool has_test = kind == KD_TOK_IF || kind == KD_TOK_ELIF;
        if (has_test ? !read_test(parser, &test) : !find_colon(parser)) {
            skip_line_at(parser, begin);
            return; /* a block that follows is read as lines that are too deep */
        }
        scope inner = *sc;
        inner.depth++;
        inner.condition = join(parser, sc->condition, join(parser, not_before, test));
        read_suite(&inner, sc->indent);
        sc->tail = inner.tail;
        not_before = join(parser, not_before, negate(parser, test));
        kind = next_clause(sc);
    } while (kind != KD_TOK_EOF);
}

/* ---- Lines ---- */

static void read_line(scope *sc, uint32_t begin)
{
    kd_parser *parser = sc->parser;
    parser->line_column = sc->indent.column;
    begin_tokens(parser, begin, true);
    decorators list = {0};
    switch (parser->token.kind) {
    case KD_TOK_AT:
    case KD_TOK_DEF:
    case KD_TOK_CLASS: read_definition(sc, &list); break;
    case KD_TOK_IF:
    case KD_TOK_TRY:
    case KD_TOK_WITH: read_compound(sc); break;
    case KD_TOK_NAME:
    case KD_TOK_LPAREN:
    case KD_TOK_LBRACKET:
    case KD_TOK_STAR:
    case KD_TOK_IMPORT:
    case KD_TOK_FROM: read_simple_line(sc); break;
    default: skip_other(sc, begin);
    }
}

/* A line deeper than its block, without a header: skipped, but a definition that is lost this way is worth a word. */
static void skip_deep_line(scope *sc, uint32_t begin)
{
    kd_parser *parser = sc->parser;
    begin_tokens(parser, begin, true);
    if (parser->token.kind == KD_TOK_DEF || parser->token.kind == KD_TOK_AT || parser->token.kind == KD_TOK_CLASS)
        kd_error(parser->diags, token_loc(parser),
                 "this definition is indented deeper than the line before it, which begins no block");
    skip_line_at(parser, begin);
    kd_lexer_skip_block(&parser->lexer, sc->indent.column, 0);
}

/* All lines of a block. Ends before the first one that is less deep. */
static void read_lines(scope *sc)
{
    kd_lexer *lexer = &sc->parser->lexer;
    kd_indent indent;
    while (kd_lexer_find_line(lexer, &indent)) {
        if (indent.column < sc->indent.column) {
            lexer->cursor = lexer->line_begin;
            return;
        }
        if (indent.column > sc->indent.column) {
            skip_deep_line(sc, lexer->cursor);
        } else {
            sc->indent = indent; /* tabs or spaces, as this line has them */
            read_line(sc, lexer->cursor);
        }
    }
}

kd_module_ast *kd_parse_module(kd_arena *arena, kd_diags *diags, uint32_t source)
{
    const kd_source *s = kd_source_get(diags, source);
    kd_module_ast *module = kd_arena_new(arena, kd_module_ast);
    module->arena = arena;
    module->path = s->path;
    module->source = source;
    if (s->text.len >= UINT32_MAX / 2) {
        kd_error(diags, (kd_loc){source, 0, 0}, "this file is too large (%zu bytes)", s->text.len);
        return module;
    }
    uint32_t begin = s->text.len >= 3 && memcmp(s->text.ptr, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
    kd_parser *parser = kd_arena_new(arena, kd_parser);
    kd_parser_init(parser, module, diags, begin, (uint32_t)s->text.len);
    scope top = {.parser = parser, .tail = &module->items};
    read_lines(&top);
    return module;
}

bool kd_function_parse_body(kd_function *function, kd_diags *diags)
{
    if (function->body_parsed)
        return !function->body_bad;
    function->body_parsed = true;
    kd_arena *arena = function->module->arena;
    kd_parser *parser = kd_arena_new(arena, kd_parser);
    struct kd_body_start *start = function->body_start;
    kd_parser_init(parser, function->module, diags, start->begin, start->end);
    parser->lexer.indents[0] = start->indent;
    parser->lexer.n_indents = 1;
    parser->line_column = start->indent.column;
    kd_parser_advance(parser);
    kd_loc header = {function->module->source, function->def_loc.begin, start->begin};
    kd_parse_block(parser, "the header of the function", header, &function->body);
    function->body_bad = parser->n_errors > 0;
    kd_take_docstring(function);
    return !function->body_bad;
}

void kd_function_forget_body(kd_function *function)
{
    function->body_parsed = function->body_bad = false;
    function->body = (kd_block_ast){0};
    function->docstring = (kd_str){0};
}

kd_expr *kd_parse_expression(kd_arena *arena, kd_diags *diags, uint32_t source)
{
    const kd_source *s = kd_source_get(diags, source);
    kd_module_ast *module = kd_arena_new(arena, kd_module_ast);
    *module = (kd_module_ast){.arena = arena, .path = s->path, .source = source};
    if (s->text.len >= UINT32_MAX / 2) {
        kd_error(diags, (kd_loc){source, 0, 0}, "this text is too large (%zu bytes)", s->text.len);
        return NULL;
    }
    kd_parser *parser = kd_arena_new(arena, kd_parser);
    kd_parser_init(parser, module, diags, 0, (uint32_t)s->text.len);
    parser->lexer.joined = true;
    kd_parser_advance(parser);
    kd_expr *e = kd_parse_star_exprs(parser);
    return e && kd_parser_expect(parser, KD_TOK_EOF, "the end of the expression") ? e : NULL;
}
