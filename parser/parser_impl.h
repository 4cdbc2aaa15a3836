/* parser_impl.h - what the files of the parser share.
 *
 * A function that parses returns NULL (or false) after an error: it is reported, or 'quiet' was set, and the caller unwinds to the
 * statement, where kd_parser_recover finds the next one. */
#ifndef KD_PARSER_PARSER_IMPL_H
#define KD_PARSER_PARSER_IMPL_H

#include "base/map.h"
#include "base/vec.h"
#include "parser/lexer_impl.h"
#include "parser/parser.h"

enum { KD_MAX_DEPTH = 220, KD_MAX_ELIFS = 500, KD_MAX_PARAMS = 10000 };

typedef KD_VEC(kd_expr *) kd_expr_vec;
typedef KD_VEC(kd_stmt *) kd_stmt_vec;
typedef KD_VEC(kd_param) kd_param_vec;

/* Where a body is, for the parser that comes back to it. */
struct kd_body_start {
    uint32_t begin, end; /* from after the header's ':' to the end of the last line */
    kd_indent indent;    /* of the header */
};

typedef struct kd_parser {
    kd_lexer lexer;
    kd_token token;    /* the next one */
    uint32_t last_end; /* where the token before it ends */
    uint32_t line_column; /* of the statement that is being parsed */
    /* The first line inside brackets of the statement that begins no deeper than the statement: after an error it is taken for the next
     * one, and the bracket for forgotten. */
    uint32_t suspect_line, suspect_bracket;
    unsigned suspect_n_brackets; /* open there; 0: no such line */
    unsigned n_errors;
    unsigned depth;    /* of recursion */
    unsigned n_nodes, max_nodes; /* expressions made, and how many may be: a guess at a host statement gives up early. 0: no limit */
    unsigned n_items; /* of the top level */
    kd_module_ast *module;
    kd_arena *arena;
    kd_diags *diags;
} kd_parser;

void kd_parser_init(kd_parser *parser, kd_module_ast *module, kd_diags *diags, uint32_t begin, uint32_t end);
void kd_parser_advance(kd_parser *parser);
/* Advances over a token of a kind. */
bool kd_parser_accept(kd_parser *parser, kd_token_kind kind);
/* The same; else reports "expected WHAT, found ...". */
bool kd_parser_expect(kd_parser *parser, kd_token_kind kind, const char *what);
/* The closing bracket; else reports what may stand here, with a note at the opening one. */
bool kd_parser_expect_close(kd_parser *parser, kd_token_kind kind, uint32_t opener, bool after_item);
/* Reports "expected WHAT, found (the next token)". Always NULL. */
void *kd_parser_expected(kd_parser *parser, const char *what);
/* Reports at the next token, unless that is a sign of an unclosed bracket, which is reported instead. Always NULL. */
void *kd_parser_error(kd_parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *kd_parser_error_at(kd_parser *parser, kd_loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Whether a bracket was open at the suspect line and still is. */
bool kd_parser_has_suspect(const kd_parser *parser);
/* Whether one more level of recursion is allowed; the caller decrements depth. Else reports. */
bool kd_parser_enter(kd_parser *parser);
kd_str kd_parser_text(const kd_parser *parser, kd_token token);
bool kd_token_is_keyword(kd_token_kind kind);
kd_token kd_parser_peek(kd_parser *parser);

/* ---- parse_expr.c ---- */
kd_expr *kd_parse_expr(kd_parser *parser);       /* an expression without commas; a walrus too */
kd_expr *kd_parse_condition(kd_parser *parser);  /* the same without walrus, lambda and conditional expression */
kd_expr *kd_parse_starred(kd_parser *parser);    /* an expression, or '*' and one */
kd_expr *kd_parse_star_exprs(kd_parser *parser); /* a, *b, ...: a TUPLE where there is a comma; 'yield' too */
kd_expr *kd_parse_targets(kd_parser *parser);    /* of for and comprehensions, up to 'in' */
bool kd_check_target(kd_parser *parser, const kd_expr *target);
kd_expr *kd_expr_new(kd_parser *parser, kd_expr_kind kind, uint32_t begin);
/* Sets the end of the location and the height. NULL (reported) where the tree is too high. */
kd_expr *kd_expr_finish(kd_parser *parser, kd_expr *expr);
kd_expr *kd_expr_leaf(kd_parser *parser, kd_expr_kind kind); /* of the next token */
kd_expr *kd_expr_unsupported(kd_parser *parser, uint32_t begin, const char *name);
void kd_expr_take_items(kd_expr *expr, const kd_expr_vec *items);

/* ---- parse_atom.c ---- */
kd_expr *kd_parse_postfix(kd_parser *parser);
kd_expr *kd_parse_call(kd_parser *parser, kd_expr *callee); /* the token is '(' */

/* ---- parse_function.c ---- */
/* Up to the token 'end'; annotations are allowed unless it is ':'. */
bool kd_parse_params(kd_parser *parser, kd_function *function, kd_token_kind end, uint32_t opener);
/* '[T, ...]' after a name, if it is there. */
bool kd_skip_type_params(kd_parser *parser);
/* From 'def' up to the header's ':'. */
kd_function *kd_parse_header(kd_parser *parser);

/* ---- parse_string.c ---- */
kd_expr *kd_parse_strings(kd_parser *parser);

/* ---- parse_stmt.c ---- */
/* What follows a header's ':'. Errors are reported and counted. */
void kd_parse_block(kd_parser *parser, const char *header, kd_loc header_loc, kd_block_ast *out);
/* One statement without a block, up to NEWLINE or ';'. */
kd_stmt *kd_parse_simple(kd_parser *parser);
void kd_take_docstring(kd_function *function);

/* ---- literal.c ---- */
typedef struct kd_literal {
    uint32_t begin, end; /* between the quotes */
    kd_quote quote;
    bool is_bytes, is_format;
} kd_literal;

kd_literal kd_literal_parts(const char *text, kd_token token);
/* False: 2**127 or more. */
bool kd_parse_int(kd_str text, __int128 *out_value);
/* False: too long. */
bool kd_parse_float(kd_arena *arena, kd_str text, double *out_value);
/* False: a wrong escape (reported). */
bool kd_decode_string(kd_lexer *lexer, uint32_t begin, uint32_t end, bool raw, bool doubled_braces, kd_strbuf *out);

#endif
