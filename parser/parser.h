/* parser.h - from the text of a kernel file to its syntax. */
#ifndef KD_PARSER_PARSER_H
#define KD_PARSER_PARSER_H

#include "parser/ast.h"

/* Reads the top level of a file in one pass, linear in its length, whatever it contains: definitions are listed, bodies of functions
 * skipped by indentation, everything that is not a definition ignored without a word. Reports what is wrong with the decorators and
 * headers of jit functions, and what makes the file unreadable: a bracket or triple-quoted string that never ends, NUL bytes or invalid
 * UTF-8 outside comments and strings, a definition indented for no reason. Never NULL: what could be read is in the result. */
kd_module_ast *kd_parse_module(kd_arena *arena, kd_diags *diags, uint32_t source);

/* Parses the body of a function where that has not happened yet. Reports all its syntax errors, resuming at the next statement.
 * False: it has errors, now or on an earlier call (reported once). The diags are those of the module, or a sink with the same sources. */
bool kd_function_parse_body(kd_function *function, kd_diags *diags);
/* As if the body had not been parsed, so that the next who needs it reports its errors: after an attempt that nobody hears of. */
void kd_function_forget_body(kd_function *function);

/* One expression that is the whole text (the command line's values, a signature's parts). NULL: reported. */
kd_expr *kd_parse_expression(kd_arena *arena, kd_diags *diags, uint32_t source);

/* Python-like text of a tree, indented; for '--emit ast' and tests. */
void kd_ast_print_module(const kd_module_ast *module, kd_strbuf *out);
void kd_ast_print_function(const kd_function *function, kd_strbuf *out);
void kd_ast_print_stmt(const kd_stmt *stmt, kd_strbuf *out);
void kd_ast_print_expr(const kd_expr *expr, kd_strbuf *out);

#endif
