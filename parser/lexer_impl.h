/* lexer_impl.h - the tokens of Python source.
 *
 * A lexer is a plain struct: copying it saves the place, copying it back returns there. It reads text[cursor..limit) and nothing else. */
#ifndef KD_PARSER_LEXER_IMPL_H
#define KD_PARSER_LEXER_IMPL_H

#include "base/diag.h"

/* clang-format off */
/* KD_TOKEN(id, "as a message names it"); from AND on, keywords. */
#define KD_TOKENS                                                                                                                \
    KD_TOKEN(EOF, "the end of the file")                                                                                         \
    KD_TOKEN(BAD, "") /* reported already */                                                                                     \
    KD_TOKEN(NEWLINE, "the end of the line")                                                                                     \
    KD_TOKEN(INDENT, "an indented line")                                                                                         \
    KD_TOKEN(DEDENT, "the end of the block")                                                                                     \
    KD_TOKEN(NAME, "a name")                                                                                                     \
    KD_TOKEN(INT, "a number")                                                                                                    \
    KD_TOKEN(FLOAT, "a number")                                                                                                  \
    KD_TOKEN(IMAGINARY, "a number")                                                                                              \
    KD_TOKEN(STRING, "a string")                                                                                                 \
    KD_TOKEN(FSTRING, "an f-string")                                                                                             \
    KD_TOKEN(LPAREN, "'('") KD_TOKEN(RPAREN, "')'") KD_TOKEN(LBRACKET, "'['") KD_TOKEN(RBRACKET, "']'") KD_TOKEN(LBRACE, "'{'")   \
    KD_TOKEN(RBRACE, "'}'") KD_TOKEN(COMMA, "','") KD_TOKEN(COLON, "':'") KD_TOKEN(SEMICOLON, "';'") KD_TOKEN(DOT, "'.'")         \
    KD_TOKEN(ELLIPSIS, "'...'") KD_TOKEN(ARROW, "'->'") KD_TOKEN(WALRUS, "':='") KD_TOKEN(BANG, "'!'") KD_TOKEN(ASSIGN, "'='")    \
    KD_TOKEN(PLUS, "'+'") KD_TOKEN(MINUS, "'-'") KD_TOKEN(STAR, "'*'") KD_TOKEN(SLASH, "'/'") KD_TOKEN(FLOORDIV, "'//'")          \
    KD_TOKEN(PERCENT, "'%'") KD_TOKEN(POWER, "'**'") KD_TOKEN(AT, "'@'") KD_TOKEN(AMPERSAND, "'&'") KD_TOKEN(PIPE, "'|'")         \
    KD_TOKEN(CARET, "'^'") KD_TOKEN(SHL, "'<<'") KD_TOKEN(SHR, "'>>'") KD_TOKEN(TILDE, "'~'") KD_TOKEN(LT, "'<'")                 \
    KD_TOKEN(LE, "'<='") KD_TOKEN(GT, "'>'") KD_TOKEN(GE, "'>='") KD_TOKEN(EQ, "'=='") KD_TOKEN(NE, "'!='")                       \
    KD_TOKEN(PLUS_ASSIGN, "'+='") KD_TOKEN(MINUS_ASSIGN, "'-='") KD_TOKEN(STAR_ASSIGN, "'*='") KD_TOKEN(SLASH_ASSIGN, "'/='")     \
    KD_TOKEN(FLOORDIV_ASSIGN, "'//='") KD_TOKEN(PERCENT_ASSIGN, "'%='") KD_TOKEN(POWER_ASSIGN, "'**='")                          \
    KD_TOKEN(AT_ASSIGN, "'@='") KD_TOKEN(AND_ASSIGN, "'&='") KD_TOKEN(OR_ASSIGN, "'|='") KD_TOKEN(XOR_ASSIGN, "'^='")             \
    KD_TOKEN(SHL_ASSIGN, "'<<='") KD_TOKEN(SHR_ASSIGN, "'>>='")                                                                  \
    KD_TOKEN(AND, "'and'") KD_TOKEN(AS, "'as'") KD_TOKEN(ASSERT, "'assert'") KD_TOKEN(ASYNC, "'async'") KD_TOKEN(AWAIT, "'await'") \
    KD_TOKEN(BREAK, "'break'") KD_TOKEN(CLASS, "'class'") KD_TOKEN(CONTINUE, "'continue'") KD_TOKEN(DEF, "'def'")                 \
    KD_TOKEN(DEL, "'del'") KD_TOKEN(ELIF, "'elif'") KD_TOKEN(ELSE, "'else'") KD_TOKEN(EXCEPT, "'except'")                         \
    KD_TOKEN(FALSE, "'False'") KD_TOKEN(FINALLY, "'finally'") KD_TOKEN(FOR, "'for'") KD_TOKEN(FROM, "'from'")                     \
    KD_TOKEN(GLOBAL, "'global'") KD_TOKEN(IF, "'if'") KD_TOKEN(IMPORT, "'import'") KD_TOKEN(IN, "'in'") KD_TOKEN(IS, "'is'")      \
    KD_TOKEN(LAMBDA, "'lambda'") KD_TOKEN(NONE, "'None'") KD_TOKEN(NONLOCAL, "'nonlocal'") KD_TOKEN(NOT, "'not'")                 \
    KD_TOKEN(OR, "'or'") KD_TOKEN(PASS, "'pass'") KD_TOKEN(RAISE, "'raise'") KD_TOKEN(RETURN, "'return'")                         \
    KD_TOKEN(TRUE, "'True'") KD_TOKEN(TRY, "'try'") KD_TOKEN(WHILE, "'while'") KD_TOKEN(WITH, "'with'") KD_TOKEN(YIELD, "'yield'")
/* clang-format on */

typedef enum kd_token_kind {
#define KD_TOKEN(id, text) KD_TOK_##id,
    KD_TOKENS
#undef KD_TOKEN
} kd_token_kind;

typedef struct kd_token {
    kd_token_kind kind;
    uint32_t begin, end;
    bool starts_line; /* the first of a physical line */
} kd_token;

enum { KD_MAX_INDENTS = 100, KD_MAX_BRACKETS = 200, KD_MAX_FSTRING_DEPTH = 32 }; /* as in CPython, but for f-strings (150) */

/* Two ways to count the columns of leading white space; where they disagree on an order, tabs and spaces are mixed. */
typedef struct kd_indent {
    uint32_t column;     /* a tab goes to the next multiple of 8 */
    uint32_t alt_column; /* a tab counts 1 */
} kd_indent;

typedef struct kd_lexer {
    kd_diags *diags;
    unsigned *n_errors;
    const char *text;
    uint32_t source, cursor, limit;
    uint32_t line_begin;      /* of the physical line that the cursor is in */
    bool at_line_start;       /* of a logical line, its indentation not yet read */
    bool at_physical_start;   /* nothing but white space since line_begin */
    bool joined;              /* line ends are white space everywhere, as inside brackets */
    bool in_fstring;          /* the expression of an f-string: '!' and ':' outside brackets end it */
    bool newline_due;         /* a NEWLINE before anything else */
    bool quiet;               /* errors are not reported */
    bool skip_failed;         /* kd_lexer_skip_line met one, quiet or not */
    unsigned n_dedents;       /* DEDENT tokens to hand out before anything else */
    unsigned n_indents;       /* at least one once a block began: the one that surrounds it */
    unsigned n_brackets;      /* may be more than are kept */
    kd_indent indents[KD_MAX_INDENTS];
    uint32_t brackets[KD_MAX_BRACKETS]; /* offsets of the open ones */
} kd_lexer;

/* Starts at cursor in the middle of a logical line. */
void kd_lexer_init(kd_lexer *lexer, kd_diags *diags, unsigned *n_errors, uint32_t source, uint32_t cursor, uint32_t limit);
kd_token kd_lexer_next(kd_lexer *lexer);
/* As a message names it. */
const char *kd_token_text(kd_token_kind kind);
/* Reports unless quiet; counts always. */
void kd_lexer_error(kd_lexer *lexer, uint32_t begin, uint32_t end, const char *format, ...) __attribute__((format(printf, 4, 5)));
void kd_lexer_note(kd_lexer *lexer, uint32_t begin, uint32_t end, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Goes on with a new logical line at an offset where a physical line begins, whatever brackets were open. */
void kd_lexer_restart_line(kd_lexer *lexer, uint32_t line_begin);
/* The columns of the white space that begins at an offset; *out_end: where it ends. */
kd_indent kd_lexer_measure(const kd_lexer *lexer, uint32_t begin, uint32_t *out_end);

/* Where the string ends whose opening quotes are text[.., quote_end), prefix from begin; limit + 1: it does not. */
uint32_t kd_lexer_string_end(const char *text, uint32_t begin, uint32_t quote_end, uint32_t limit, bool is_format);

/* Where an f-string's parts end. Offsets of text[begin..limit); limit + 1: unterminated. */
typedef struct kd_quote {
    char quote;
    bool triple, raw;
} kd_quote;
/* From after '{' to after the '}' that closes it; from after ':' to the '}' itself. */
uint32_t kd_fstring_skip_field(const char *text, uint32_t begin, uint32_t limit, kd_quote quote, unsigned depth);
uint32_t kd_fstring_skip_spec(const char *text, uint32_t begin, uint32_t limit, kd_quote quote, unsigned depth);

/* ---- Skipping: without tokens, and without a word about what Python would not accept. ---- */

/* To the start of the next line that holds more than white space and comments; its columns. False at the end of the text. */
bool kd_lexer_find_line(kd_lexer *lexer, kd_indent *out_indent);
/* From anywhere in a logical line to the start of the physical line after it. Reports a bracket or string that never ends, NUL bytes
 * and invalid UTF-8, as they make the file unreadable. Returns the offset where the last token of the line ends (or where it began). */
uint32_t kd_lexer_skip_line(kd_lexer *lexer);
/* Skips all lines that are indented deeper than column. Returns the end of the last one, or end if there is none. */
uint32_t kd_lexer_skip_block(kd_lexer *lexer, uint32_t column, uint32_t end);

#endif
