/* print_ast.c - trees as Python text. What is printed can be parsed, and then prints the same. */
#include "parser/parser.h"

#include "base/bug.h"

/* How tight an expression binds; an operand that binds looser than its place needs is put in parentheses. */
enum { P_TERNARY = 1, P_OR, P_AND, P_NOT, P_COMPARE, P_BIT_OR, P_BIT_XOR, P_BIT_AND, P_SHIFT, P_ADD, P_MUL, P_SIGN, P_POW, P_ATOM };

static void print(kd_strbuf *out, const kd_expr *e, int least);
static void print_block(kd_strbuf *out, const kd_block_ast *block, unsigned depth);
static void print_function(kd_strbuf *out, const kd_function *function, unsigned depth);

const char *kd_operator_text(kd_operator op)
{
    static const char *const TEXTS[] = {
        [KD_PLUS] = "+",        [KD_MINUS] = "-", [KD_INVERT] = "~",      [KD_NOT] = "not", [KD_ADD] = "+",  [KD_SUB] = "-",
        [KD_MUL] = "*",         [KD_DIV] = "/",   [KD_FLOORDIV] = "//",   [KD_MOD] = "%",   [KD_POW] = "**", [KD_MATMUL] = "@",
        [KD_AND] = "&",         [KD_OR] = "|",    [KD_XOR] = "^",         [KD_SHL] = "<<",  [KD_SHR] = ">>", [KD_LT] = "<",
        [KD_LE] = "<=",         [KD_GT] = ">",    [KD_GE] = ">=",         [KD_EQ] = "==",   [KD_NE] = "!=",  [KD_IS] = "is",
        [KD_IS_NOT] = "is not", [KD_IN] = "in",   [KD_NOT_IN] = "not in",
    };
    return TEXTS[op];
}

static void put(kd_strbuf *out, kd_str text)
{
    kd_strbuf_append(out, text.ptr, text.len);
}

/* ---- Strings ---- */

/* Between double quotes; doubled braces in f-strings. */
static void print_text(kd_strbuf *out, kd_str text, bool is_format)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\')
            kd_strbuf_printf(out, "\\%c", c);
        else if (c == '\n')
            kd_strbuf_puts(out, "\\n");
        else if ((unsigned char)c < ' ' || c == 0x7f)
            kd_strbuf_printf(out, "\\x%02x", c);
        else if (is_format && (c == '{' || c == '}'))
            kd_strbuf_printf(out, "%c%c", c, c);
        else
            kd_strbuf_append(out, &c, 1);
    }
}

static void print_string(kd_strbuf *out, kd_str text)
{
    kd_strbuf_puts(out, "\"");
    print_text(out, text, false);
    kd_strbuf_puts(out, "\"");
}

/* In the braces of an f-string, for those who read it (and Python before 3.12). */
static void prefer_single_quotes(char *text, size_t n_bytes)
{
    if (memchr(text, '\'', n_bytes) || memchr(text, '\\', n_bytes))
        return;
    for (size_t i = 0; i < n_bytes; i++)
        if (text[i] == '"')
            text[i] = '\'';
}

static void print_fstring(kd_strbuf *out, const kd_expr *e)
{
    kd_strbuf_puts(out, "f\"");
    for (unsigned i = 0; i < e->n_items; i++) {
        const kd_expr *item = e->items[i];
        if (item->kind == KD_EXPR_STRING) {
            print_text(out, item->text, true);
            continue;
        }
        const kd_expr *value = item->kind == KD_EXPR_FORMATTED ? item->a : item;
        kd_strbuf_puts(out, "{");
        size_t begin = out->len;
        print(out, value, P_OR);
        prefer_single_quotes(out->ptr + begin, out->len - begin);
        if (out->ptr[begin] == '{') { /* '{{' would be a character */
            kd_strbuf_puts(out, " ");
            memmove(out->ptr + begin + 1, out->ptr + begin, out->len - 1 - begin);
            out->ptr[begin] = ' ';
        }
        if (item->kind == KD_EXPR_FORMATTED)
            put(out, item->text);
        kd_strbuf_puts(out, "}");
    }
    kd_strbuf_puts(out, "\"");
}

/* ---- Expressions ---- */

static void print_prefixed(kd_strbuf *out, const char *prefix, const kd_expr *e, int least)
{
    kd_strbuf_puts(out, prefix);
    print(out, e, least);
}

static void print_list(kd_strbuf *out, kd_expr *const *items, unsigned n, const char *open, const char *close)
{
    kd_strbuf_puts(out, open);
    for (unsigned i = 0; i < n; i++) {
        kd_strbuf_puts(out, i ? ", " : "");
        print(out, items[i], P_TERNARY);
    }
    kd_strbuf_puts(out, close);
}

static void print_dict(kd_strbuf *out, const kd_expr *e)
{
    kd_strbuf_puts(out, "{");
    for (unsigned i = 0; i + 1 < e->n_items; i += 2) {
        kd_strbuf_puts(out, i ? ", " : "");
        if (e->items[i]) {
            print(out, e->items[i], P_TERNARY);
            kd_strbuf_puts(out, ": ");
            print(out, e->items[i + 1], P_TERNARY);
        } else {
            print_prefixed(out, "**", e->items[i + 1], P_BIT_OR);
        }
    }
    kd_strbuf_puts(out, "}");
}

static void print_call(kd_strbuf *out, const kd_expr *e)
{
    print(out, e->a, P_ATOM);
    print_list(out, e->items, e->n_items, "(", "");
    for (unsigned i = 0; i < e->n_keywords; i++) {
        kd_strbuf_puts(out, i || e->n_items ? ", " : "");
        put(out, e->keywords[i].name);
        kd_strbuf_puts(out, e->keywords[i].name.len ? "=" : "**");
        print(out, e->keywords[i].value, P_TERNARY);
    }
    kd_strbuf_puts(out, ")");
}

static void print_slice(kd_strbuf *out, const kd_expr *e)
{
    if (e->a)
        print(out, e->a, P_TERNARY);
    kd_strbuf_puts(out, ":");
    if (e->b)
        print(out, e->b, P_TERNARY);
    if (e->c) {
        kd_strbuf_puts(out, ":");
        print(out, e->c, P_TERNARY);
    }
}

static void print_compare(kd_strbuf *out, const kd_expr *e)
{
    print(out, e->items[0], P_BIT_OR);
    for (unsigned i = 1; i < e->n_items; i++) {
        kd_strbuf_printf(out, " %s ", kd_operator_text(e->compares[i - 1]));
        print(out, e->items[i], P_BIT_OR);
    }
}

static void print_chain(kd_strbuf *out, const kd_expr *e, const char *word, int least)
{
    for (unsigned i = 0; i < e->n_items; i++) {
        kd_strbuf_puts(out, i ? word : "");
        print(out, e->items[i], least);
    }
}

static int binary_precedence(kd_operator op)
{
    switch (op) {
    case KD_OR: return P_BIT_OR;
    case KD_XOR: return P_BIT_XOR;
    case KD_AND: return P_BIT_AND;
    case KD_SHL:
    case KD_SHR: return P_SHIFT;
    case KD_ADD:
    case KD_SUB: return P_ADD;
    case KD_POW: return P_POW;
    default: return P_MUL;
    }
}

static int precedence(const kd_expr *e)
{
    switch (e->kind) {
    case KD_EXPR_TERNARY:
    case KD_EXPR_LAMBDA: return P_TERNARY;
    case KD_EXPR_OR: return P_OR;
    case KD_EXPR_AND: return P_AND;
    case KD_EXPR_COMPARE: return P_COMPARE;
    case KD_EXPR_UNARY: return e->op == KD_NOT ? P_NOT : P_SIGN;
    case KD_EXPR_BINARY: return binary_precedence(e->op);
    default: return P_ATOM;
    }
}

static void print_binary(kd_strbuf *out, const kd_expr *e)
{
    int p = binary_precedence(e->op);
    bool is_power = e->op == KD_POW;
    print(out, e->a, is_power ? P_ATOM : p);
    kd_strbuf_printf(out, is_power ? "%s" : " %s ", kd_operator_text(e->op));
    print(out, e->b, is_power ? P_SIGN : p + 1);
}

static void print_params(kd_strbuf *out, const kd_function *function)
{
    bool star_seen = false;
    for (unsigned i = 0; i < function->n_params; i++) {
        const kd_param *param = &function->params[i];
        kd_strbuf_puts(out, i ? ", " : "");
        if (param->kind == KD_PARAM_KEYWORD_ONLY && !star_seen)
            kd_strbuf_puts(out, "*, ");
        star_seen |= param->kind == KD_PARAM_STAR || param->kind == KD_PARAM_KEYWORD_ONLY;
        kd_strbuf_puts(out, param->kind == KD_PARAM_STAR ? "*" : param->kind == KD_PARAM_STAR_STAR ? "**" : "");
        put(out, param->name);
        if (param->annotation) {
            kd_strbuf_puts(out, ": ");
            print(out, param->annotation, P_TERNARY);
        }
        if (param->default_value) {
            kd_strbuf_puts(out, param->annotation ? " = " : "=");
            print(out, param->default_value, P_TERNARY);
        }
    }
}

static void print_comprehension(kd_strbuf *out, const kd_expr *e)
{
    bool is_list = kd_str_is(e->text, "list"), is_set = kd_str_is(e->text, "set");
    kd_strbuf_puts(out, is_list ? "[" : is_set ? "{" : "(");
    print(out, e->a, P_TERNARY);
    kd_strbuf_puts(out, " for ");
    print(out, e->b, P_BIT_OR);
    kd_strbuf_puts(out, " in ");
    print(out, e->c, P_OR);
    for (unsigned i = 0; i < e->n_items; i++) {
        kd_strbuf_puts(out, " if ");
        print(out, e->items[i], P_OR);
    }
    kd_strbuf_puts(out, is_list ? "]" : is_set ? "}" : ")");
}

/* The shortest text of what is not supported; the original is not kept. */
static const char *unsupported_sample(kd_str name)
{
    static const char *const SAMPLES[][2] = {
        {"'await'", "(await ...)"},
        {"'yield'", "(yield)"},
        {"'async'", "(... async for _ in ...)"},
        {"an imaginary number", "1j"},
        {"a bytes string", "b\"\""},
        {"a dict comprehension", "{...: ... for _ in ...}"},
        {"a comprehension with several 'for'", "(... for _ in ... for _ in ...)"},
    };
    for (size_t i = 0; i < sizeof SAMPLES / sizeof *SAMPLES; i++)
        if (kd_str_is(name, SAMPLES[i][0]))
            return SAMPLES[i][1];
    KD_UNREACHABLE();
}

static void print_bare(kd_strbuf *out, const kd_expr *e)
{
    switch (e->kind) {
    case KD_EXPR_NAME:
    case KD_EXPR_INT:
    case KD_EXPR_FLOAT:
    case KD_EXPR_TRUE:
    case KD_EXPR_FALSE:
    case KD_EXPR_NONE:
    case KD_EXPR_ELLIPSIS: put(out, e->text); break;
    case KD_EXPR_STRING: print_string(out, e->text); break;
    case KD_EXPR_FSTRING: print_fstring(out, e); break;
    case KD_EXPR_FORMATTED: break; /* part of its f-string */
    case KD_EXPR_ATTRIBUTE:
        if (e->a->kind == KD_EXPR_INT || e->a->kind == KD_EXPR_FLOAT) { /* '1.x' would be a number */
            print_list(out, (kd_expr *const *)&e->a, 1, "(", ").");
        } else {
            print(out, e->a, P_ATOM);
            kd_strbuf_puts(out, ".");
        }
        put(out, e->text);
        break;
    case KD_EXPR_CALL: print_call(out, e); break;
    case KD_EXPR_SUBSCRIPT:
        print(out, e->a, P_ATOM);
        print_list(out, e->items, e->n_items, "[", e->n_items == 1 && e->has_comma ? ",]" : "]");
        break;
    case KD_EXPR_SLICE: print_slice(out, e); break;
    case KD_EXPR_UNARY:
        print_prefixed(out, e->op == KD_NOT ? "not " : kd_operator_text(e->op), e->a, e->op == KD_NOT ? P_NOT : P_SIGN);
        break;
    case KD_EXPR_BINARY: print_binary(out, e); break;
    case KD_EXPR_AND: print_chain(out, e, " and ", P_NOT); break;
    case KD_EXPR_OR: print_chain(out, e, " or ", P_AND); break;
    case KD_EXPR_COMPARE: print_compare(out, e); break;
    case KD_EXPR_TERNARY:
        print(out, e->a, P_OR);
        print_prefixed(out, " if ", e->b, P_OR);
        print_prefixed(out, " else ", e->c, P_TERNARY);
        break;
    case KD_EXPR_TUPLE: print_list(out, e->items, e->n_items, "(", e->n_items == 1 ? ",)" : ")"); break;
    case KD_EXPR_LIST: print_list(out, e->items, e->n_items, "[", "]"); break;
    case KD_EXPR_SET: print_list(out, e->items, e->n_items, "{", "}"); break;
    case KD_EXPR_DICT: print_dict(out, e); break;
    case KD_EXPR_STAR: print_prefixed(out, "*", e->a, P_BIT_OR); break;
    case KD_EXPR_LAMBDA:
        kd_strbuf_puts(out, e->function->n_params ? "lambda " : "lambda");
        print_params(out, e->function);
        print_prefixed(out, ": ", e->function->body.stmts[0]->value, P_TERNARY);
        break;
    case KD_EXPR_COMPREHENSION: print_comprehension(out, e); break;
    case KD_EXPR_WALRUS:
        kd_strbuf_puts(out, "(");
        put(out, e->text);
        print_prefixed(out, " := ", e->a, P_TERNARY);
        kd_strbuf_puts(out, ")");
        break;
    case KD_EXPR_UNSUPPORTED: kd_strbuf_puts(out, unsupported_sample(e->text)); break;
    }
}

static void print(kd_strbuf *out, const kd_expr *e, int least)
{
    bool parentheses = precedence(e) < least;
    kd_strbuf_puts(out, parentheses ? "(" : "");
    print_bare(out, e);
    kd_strbuf_puts(out, parentheses ? ")" : "");
}

void kd_ast_print_expr(const kd_expr *expr, kd_strbuf *out)
{
    print(out, expr, P_TERNARY);
}

/* ---- Statements ---- */

static void indent(kd_strbuf *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        kd_strbuf_puts(out, "    ");
}

/* A value where a tuple needs no parentheses. */
static void print_value(kd_strbuf *out, const char *prefix, const kd_expr *e)
{
    kd_strbuf_puts(out, prefix);
    if (e->kind == KD_EXPR_TUPLE && e->n_items)
        print_list(out, e->items, e->n_items, "", e->n_items == 1 ? "," : "");
    else
        print(out, e, P_TERNARY);
}

static void print_header(kd_strbuf *out, const char *word, const kd_expr *e)
{
    print_prefixed(out, word, e, P_TERNARY);
    kd_strbuf_puts(out, ":\n");
}

static void print_if(kd_strbuf *out, const kd_stmt *s, unsigned depth)
{
    for (const char *word = "if ";; word = "elif ") {
        print_header(out, word, s->value);
        print_block(out, &s->body, depth + 1);
        if (s->orelse.n != 1 || s->orelse.stmts[0]->kind != KD_STMT_IF)
            break;
        s = s->orelse.stmts[0];
        indent(out, depth);
    }
    if (s->orelse.n) {
        indent(out, depth);
        kd_strbuf_puts(out, "else:\n");
        print_block(out, &s->orelse, depth + 1);
    }
}

static void print_loop(kd_strbuf *out, const kd_stmt *s, unsigned depth)
{
    if (s->kind == KD_STMT_FOR) {
        print_value(out, "for ", s->targets[0]);
        print_value(out, " in ", s->value);
        kd_strbuf_puts(out, ":\n");
    } else {
        print_header(out, "while ", s->value);
    }
    print_block(out, &s->body, depth + 1);
    if (s->orelse.n) {
        indent(out, depth);
        kd_strbuf_puts(out, "else:\n");
        print_block(out, &s->orelse, depth + 1);
    }
}

static void print_imports(kd_strbuf *out, const kd_stmt *s)
{
    bool is_from = s->imports[0].name.len > 0;
    kd_strbuf_puts(out, is_from ? "from " : "import ");
    for (unsigned i = 0; i < s->imports[0].level; i++)
        kd_strbuf_puts(out, ".");
    if (is_from) {
        put(out, s->imports[0].module);
        kd_strbuf_puts(out, " import ");
    }
    for (unsigned i = 0; i < s->n_imports; i++) {
        const kd_import *import = &s->imports[i];
        kd_strbuf_puts(out, i ? ", " : "");
        put(out, is_from ? import->name : import->module);
        if (import->has_as) {
            kd_strbuf_puts(out, " as ");
            put(out, import->bound_as);
        }
    }
    kd_strbuf_puts(out, "\n");
}

static void print_unsupported(kd_strbuf *out, kd_str name, unsigned depth)
{
    static const char *const SAMPLES[][3] = {
        {"'global'", "global _", ""},    {"'nonlocal'", "nonlocal _", ""},      {"'del'", "del _", ""},
        {"'type'", "type _ = ...", ""},  {"'with'", "with ...:", "pass"},       {"'try'", "try:", "pass"},
        {"'class'", "class _:", "pass"}, {"'async'", "async def _():", "pass"}, {"'match'", "match ...:", "case _: pass"},
    };
    for (size_t i = 0; i < sizeof SAMPLES / sizeof *SAMPLES; i++) {
        if (!kd_str_is(name, SAMPLES[i][0]))
            continue;
        kd_strbuf_printf(out, "%s\n", SAMPLES[i][1]);
        if (!*SAMPLES[i][2])
            return;
        indent(out, depth + 1);
        kd_strbuf_printf(out, "%s\n", SAMPLES[i][2]);
        return;
    }
    KD_UNREACHABLE();
}

static void print_word(kd_strbuf *out, const char *word, const kd_expr *value, const kd_expr *message)
{
    kd_strbuf_puts(out, word);
    if (value)
        print_prefixed(out, " ", value, P_TERNARY);
    if (message)
        print_prefixed(out, ", ", message, P_TERNARY);
    kd_strbuf_puts(out, "\n");
}

static void print_assignment(kd_strbuf *out, const kd_stmt *s)
{
    for (unsigned i = 0; i < s->n_targets; i++) {
        print_value(out, "", s->targets[i]);
        if (s->kind == KD_STMT_ASSIGN)
            kd_strbuf_puts(out, " = ");
    }
    if (s->kind == KD_STMT_AUGMENTED)
        kd_strbuf_printf(out, " %s= ", kd_operator_text(s->op));
    if (s->kind == KD_STMT_ANNOTATED) {
        print_prefixed(out, ": ", s->annotation, P_TERNARY);
        kd_strbuf_puts(out, s->value ? " = " : "");
    }
    if (s->value)
        print_value(out, "", s->value);
    kd_strbuf_puts(out, "\n");
}

static void print_stmt(kd_strbuf *out, const kd_stmt *s, unsigned depth)
{
    if (s->kind != KD_STMT_FUNCTION)
        indent(out, depth);
    switch (s->kind) {
    case KD_STMT_EXPR:
    case KD_STMT_ASSIGN:
    case KD_STMT_AUGMENTED:
    case KD_STMT_ANNOTATED: print_assignment(out, s); break;
    case KD_STMT_IF: print_if(out, s, depth); break;
    case KD_STMT_FOR:
    case KD_STMT_WHILE: print_loop(out, s, depth); break;
    case KD_STMT_RETURN:
        kd_strbuf_puts(out, "return");
        if (s->value)
            print_value(out, " ", s->value);
        kd_strbuf_puts(out, "\n");
        break;
    case KD_STMT_PASS: print_word(out, "pass", NULL, NULL); break;
    case KD_STMT_BREAK: print_word(out, "break", NULL, NULL); break;
    case KD_STMT_CONTINUE: print_word(out, "continue", NULL, NULL); break;
    case KD_STMT_ASSERT: print_word(out, "assert", s->value, s->message); break;
    case KD_STMT_RAISE: print_word(out, "raise", s->value, NULL); break;
    case KD_STMT_FUNCTION: print_function(out, s->function, depth); break;
    case KD_STMT_IMPORT: print_imports(out, s); break;
    case KD_STMT_UNSUPPORTED: print_unsupported(out, s->text, depth); break;
    }
}

static void print_block(kd_strbuf *out, const kd_block_ast *block, unsigned depth)
{
    for (unsigned i = 0; i < block->n; i++)
        print_stmt(out, block->stmts[i], depth);
    if (block->n == 0) {
        indent(out, depth);
        kd_strbuf_puts(out, "pass\n");
    }
}

void kd_ast_print_stmt(const kd_stmt *stmt, kd_strbuf *out)
{
    print_stmt(out, stmt, 0);
}

/* ---- Definitions ---- */

static void print_decorators(kd_strbuf *out, kd_expr *const *decorators, unsigned n, unsigned depth)
{
    for (unsigned i = 0; i < n; i++) {
        indent(out, depth);
        print_prefixed(out, "@", decorators[i], P_TERNARY);
        kd_strbuf_puts(out, "\n");
    }
}

static void print_function(kd_strbuf *out, const kd_function *function, unsigned depth)
{
    print_decorators(out, function->decorators, function->n_decorators, depth);
    indent(out, depth);
    kd_strbuf_puts(out, "def ");
    put(out, function->name);
    kd_strbuf_puts(out, "(");
    print_params(out, function);
    kd_strbuf_puts(out, ")");
    if (function->returns)
        print_prefixed(out, " -> ", function->returns, P_TERNARY);
    kd_strbuf_puts(out, ":\n");
    if (!function->body_parsed) {
        indent(out, depth + 1);
        kd_strbuf_puts(out, "...  # not read\n");
        return;
    }
    if (function->docstring.len) {
        indent(out, depth + 1);
        print_string(out, function->docstring);
        kd_strbuf_puts(out, "\n");
    }
    if (function->body.n || !function->docstring.len)
        print_block(out, &function->body, depth + 1);
}

static void print_items(kd_strbuf *out, const kd_item *first, unsigned depth);

static void print_class(kd_strbuf *out, const kd_class *class_, unsigned depth)
{
    print_decorators(out, class_->decorators, class_->n_decorators, depth);
    indent(out, depth);
    kd_strbuf_puts(out, "class ");
    put(out, class_->name);
    if (class_->n_bases)
        print_list(out, class_->bases, class_->n_bases, "(", ")");
    kd_strbuf_puts(out, ":\n");
    size_t before = out->len;
    print_items(out, class_->items, depth + 1);
    if (out->len == before) {
        indent(out, depth + 1);
        kd_strbuf_puts(out, "pass\n");
    }
}

static void print_items(kd_strbuf *out, const kd_item *first, unsigned depth)
{
    const kd_expr *condition = NULL;
    for (const kd_item *item = first; item; item = item->next) {
        if (item->condition != condition && item->condition) {
            indent(out, depth);
            print_header(out, "if ", item->condition);
        }
        condition = item->condition;
        unsigned item_depth = depth + (condition != NULL);
        switch (item->kind) {
        case KD_ITEM_FUNCTION: print_function(out, item->function, item_depth); break;
        case KD_ITEM_CLASS: print_class(out, item->class_, item_depth); break;
        case KD_ITEM_ASSIGN:
        case KD_ITEM_IMPORT: print_stmt(out, item->stmt, item_depth); break;
        case KD_ITEM_SKIPPED:
            indent(out, item_depth);
            put(out, item->name);
            kd_strbuf_puts(out, " = (yield)  # skipped\n");
            break;
        }
    }
}

void kd_ast_print_module(const kd_module_ast *module, kd_strbuf *out)
{
    print_items(out, module->items, 0);
}

void kd_ast_print_function(const kd_function *function, kd_strbuf *out)
{
    print_function(out, function, 0);
}
