/* ast.h - the syntax of kernel files, as it was written. No types, no names resolved.
 *
 * Nodes live in the arena given to kd_parse_module and are never changed after parsing, so several compilations may share them. */
#ifndef KD_PARSER_AST_H
#define KD_PARSER_AST_H

#include "base/diag.h"
#include "base/str.h"

typedef struct kd_expr kd_expr;
typedef struct kd_stmt kd_stmt;
typedef struct kd_function kd_function;
typedef struct kd_module_ast kd_module_ast;

typedef enum kd_expr_kind {
    KD_EXPR_NAME,      /* text */
    KD_EXPR_INT,       /* integer, exact (literals from 2**127 on are a syntax error); text as written */
    KD_EXPR_FLOAT,     /* real; text as written */
    KD_EXPR_STRING,    /* text: decoded, adjacent literals joined */
    KD_EXPR_FSTRING,   /* items: STRING pieces and the expressions between them */
    KD_EXPR_FORMATTED, /* a, text: what follows the expression in an f-string, "!r", ":>8" or both; only as an item of FSTRING */
    KD_EXPR_TRUE,
    KD_EXPR_FALSE,
    KD_EXPR_NONE,
    KD_EXPR_ELLIPSIS,
    KD_EXPR_ATTRIBUTE, /* a . text */
    KD_EXPR_CALL,      /* a ( items ), keywords */
    KD_EXPR_SUBSCRIPT, /* a [ items ]; one item unless a comma was written (has_comma: x[i,] is a tuple of one) */
    KD_EXPR_SLICE,     /* a : b : c, each may be NULL; only inside a subscript */
    KD_EXPR_UNARY,     /* op a */
    KD_EXPR_BINARY,    /* a op b */
    KD_EXPR_AND,       /* items, two or more */
    KD_EXPR_OR,
    KD_EXPR_COMPARE,   /* items[0] compares[0] items[1] compares[1] items[2] ... */
    KD_EXPR_TERNARY,   /* a if b else c */
    KD_EXPR_TUPLE,     /* items */
    KD_EXPR_LIST,
    KD_EXPR_DICT,      /* items: key, value, key, value ...; a NULL key: **value */
    KD_EXPR_SET,
    KD_EXPR_STAR,      /* *a, in calls, tuples and assignment targets */
    KD_EXPR_LAMBDA,    /* function: parameters and one return statement */
    KD_EXPR_COMPREHENSION, /* [a for b in c if items...]; text is "list", "set", "generator"; one 'for' only, more: UNSUPPORTED */
    KD_EXPR_WALRUS,    /* text := a */
    KD_EXPR_UNSUPPORTED, /* valid Python that no kernel may use; text names it for the diagnostic: "'await'" */
} kd_expr_kind;

/* clang-format off */
typedef enum kd_operator {
    KD_PLUS, KD_MINUS, KD_INVERT, KD_NOT,                             /* unary */
    KD_ADD, KD_SUB, KD_MUL, KD_DIV, KD_FLOORDIV, KD_MOD, KD_POW, KD_MATMUL, /* binary */
    KD_AND, KD_OR, KD_XOR, KD_SHL, KD_SHR,
    KD_LT, KD_LE, KD_GT, KD_GE, KD_EQ, KD_NE, KD_IS, KD_IS_NOT, KD_IN, KD_NOT_IN, /* comparison */
} kd_operator;
/* clang-format on */

/* As it is spelled in Python: "+", "not in". */
const char *kd_operator_text(kd_operator op);

typedef struct kd_keyword {
    kd_str name; /* empty: **value */
    kd_expr *value;
    kd_loc loc; /* of the name */
} kd_keyword;

/* No tree is higher, so that recursion over one is safe. Blocks nest at most 100 deep, elif chains count up to 500. */
enum { KD_MAX_EXPR_HEIGHT = 500 };

struct kd_expr {
    kd_expr_kind kind;
    kd_operator op;
    uint16_t height; /* of the tree: 1 for a leaf */
    kd_loc loc; /* the whole expression, without parentheses around it */
    kd_str text;
    kd_loc text_loc; /* ATTRIBUTE: of the name after the dot */
    union {
        __int128 integer;
        double real;
        kd_function *function;
    };
    kd_expr *a, *b, *c;
    kd_expr **items;
    unsigned n_items;
    bool has_comma;
    kd_operator *compares; /* n_items - 1 */
    kd_keyword *keywords;
    unsigned n_keywords;
};

typedef enum kd_stmt_kind {
    KD_STMT_EXPR,      /* value */
    KD_STMT_ASSIGN,    /* targets[0] = targets[1] = ... = value */
    KD_STMT_AUGMENTED, /* targets[0] op= value */
    KD_STMT_ANNOTATED, /* targets[0]: annotation [= value], value may be NULL */
    KD_STMT_IF,        /* value, body, orelse (elif is an IF alone in orelse) */
    KD_STMT_FOR,       /* targets[0] in value, body, orelse */
    KD_STMT_WHILE,     /* value, body, orelse */
    KD_STMT_RETURN,    /* value may be NULL */
    KD_STMT_PASS,
    KD_STMT_BREAK,
    KD_STMT_CONTINUE,
    KD_STMT_ASSERT,    /* value, message (may be NULL) */
    KD_STMT_RAISE,     /* value may be NULL */
    KD_STMT_FUNCTION,  /* function: a def inside a function */
    KD_STMT_IMPORT,    /* imports */
    KD_STMT_UNSUPPORTED, /* valid Python that no kernel may use; text names it: "'with'", "'try'", "'global'". An error only if reached */
} kd_stmt_kind;

typedef struct kd_block_ast {
    kd_stmt **stmts;
    unsigned n;
} kd_block_ast;

/* One name bound by an import statement. 'import a.b' binds a to module "a"; 'import a.b as c' binds c to "a.b"; 'from m import x as y'
 * binds y to x of m; 'from m import *' has name "*". */
typedef struct kd_import {
    kd_loc loc;
    unsigned level;  /* leading dots of 'from ..m import x' */
    kd_str module;   /* dotted, may be empty with level > 0 */
    kd_str name;     /* empty for 'import m' */
    kd_str bound_as; /* the local name */
    bool has_as;
} kd_import;

struct kd_stmt {
    kd_stmt_kind kind;
    kd_operator op;
    kd_loc loc; /* compound statements: the header line only */
    kd_str text;
    kd_expr **targets;
    unsigned n_targets;
    kd_expr *annotation, *value, *message;
    kd_block_ast body, orelse;
    kd_function *function;
    kd_import *imports;
    unsigned n_imports;
};

typedef enum kd_param_kind { KD_PARAM_PLAIN, KD_PARAM_STAR, KD_PARAM_KEYWORD_ONLY, KD_PARAM_STAR_STAR } kd_param_kind;

typedef struct kd_param {
    kd_str name;
    kd_loc loc;
    kd_param_kind kind;
    kd_expr *annotation;    /* or NULL */
    kd_expr *default_value; /* or NULL */
} kd_param;

/* A def or lambda. Bodies of functions at the top level or in classes are parsed on demand: see kd_function_parse_body. */
struct kd_function {
    kd_module_ast *module;
    kd_str name;     /* empty: a lambda */
    kd_loc loc;      /* of the name */
    kd_loc def_loc;  /* from 'def' to the last byte of the body */
    unsigned line;   /* of the first decorator, or of 'def' without one: NAME@LINE on the command line */
    unsigned def_line;
    kd_expr **decorators;
    unsigned n_decorators;
    kd_param *params;
    unsigned n_params;
    kd_expr *returns; /* the annotation after '->', or NULL */
    kd_str docstring;
    kd_block_ast body; /* empty until parsed; without the docstring */
    bool body_parsed, body_bad;
    struct kd_class *owner; /* the class of a method, or NULL */
    struct kd_body_start *body_start; /* the parser's own */
};

typedef struct kd_class {
    kd_module_ast *module;
    kd_str name;
    kd_loc loc;
    kd_expr **decorators, **bases;
    unsigned n_decorators, n_bases;
    struct kd_item *items; /* fields (annotated assignments), methods, constants */
} kd_class;

typedef enum kd_item_kind { KD_ITEM_FUNCTION, KD_ITEM_CLASS, KD_ITEM_ASSIGN, KD_ITEM_IMPORT, KD_ITEM_SKIPPED } kd_item_kind;

/* What the top level of a file (or the body of a class) defines, in order. Definitions under a top-level if, else, try, except or with are
 * listed too, in order: of two definitions of a name the last one counts. */
typedef struct kd_item {
    struct kd_item *next;
    kd_item_kind kind;
    kd_loc loc;
    kd_expr *condition; /* of the top-level 'if's it stands under: their tests joined by AND, negated for else; NULL: none, or unreadable */
    kd_function *function;
    kd_class *class_;
    kd_stmt *stmt; /* ASSIGN: an assignment whose targets are names; IMPORT */
    kd_str name;   /* SKIPPED: the name that the skipped statement binds, e.g. an assignment we cannot parse; else empty */
} kd_item;

/* Whether one of the decorators is 'jit', 'NAME.jit' or a call of one. */
bool kd_function_is_jit(const kd_function *function);

struct kd_module_ast {
    kd_arena *arena;
    const char *path;
    uint32_t source; /* id in the sink's table */
    kd_item *items;
};

#endif
