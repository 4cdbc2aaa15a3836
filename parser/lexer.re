/* lexer.re - tokens of Python source, made by re2c.
 *
 * The text has no terminator: reading at the limit gives NUL, which the end-of-input rule ('$') tells from a NUL in the text. */
#include "parser/lexer_impl.h"

#include <stdarg.h>

#include "base/bug.h"

typedef unsigned char byte;

const char *kd_token_text(kd_token_kind kind)
{
    static const char *const TEXTS[] = {
#define KD_TOKEN(id, text) text,
        KD_TOKENS
#undef KD_TOKEN
    };
    return TEXTS[kind];
}

void kd_lexer_init(kd_lexer *lexer, kd_diags *diags, unsigned *n_errors, uint32_t source, uint32_t cursor, uint32_t limit)
{
    const kd_source *s = kd_source_get(diags, source);
    KD_ASSERT(s && limit <= s->text.len && cursor <= limit);
    memset(lexer, 0, offsetof(kd_lexer, indents)); /* the stacks after it are empty */
    lexer->diags = diags;
    lexer->n_errors = n_errors;
    lexer->text = s->text.ptr;
    lexer->source = source;
    lexer->cursor = lexer->line_begin = cursor;
    lexer->limit = limit;
}

static void report(kd_lexer *lexer, uint32_t begin, uint32_t end, bool is_note, const char *format, va_list args)
{
    if (lexer->quiet)
        return;
    char text[512];
    vsnprintf(text, sizeof text, format, args);
    kd_loc loc = {lexer->source, begin, end};
    if (is_note) {
        kd_note(lexer->diags, loc, "%s", text);
        return;
    }
    kd_error(lexer->diags, loc, "%s", text);
    ++*lexer->n_errors;
}

void kd_lexer_error(kd_lexer *lexer, uint32_t begin, uint32_t end, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(lexer, begin, end, false, format, args);
    va_end(args);
}

void kd_lexer_note(kd_lexer *lexer, uint32_t begin, uint32_t end, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(lexer, begin, end, true, format, args);
    va_end(args);
}

/*!re2c
    re2c:api = custom;
    re2c:api:style = free-form;
    re2c:define:YYCTYPE = byte;
    re2c:define:YYPEEK = "(p < limit ? *p : 0)";
    re2c:define:YYSKIP = "p++;";
    re2c:define:YYBACKUP = "marker = p;";
    re2c:define:YYRESTORE = "p = marker;";
    re2c:define:YYLESSTHAN = "p >= limit";
    re2c:yyfill:enable = 0;
    re2c:eof = 0;
    re2c:flags:utf-8 = 1;

    newline = "\r\n" | [\r\n];
    digits = [0-9] ("_"? [0-9])*;
    integer = "0" ("_"? "0")* | [1-9] ("_"? [0-9])* | "0" [xX] ("_"? [0-9a-fA-F])+ | "0" [oO] ("_"? [0-7])+ | "0" [bB] ("_"? [01])+;
    exponent = [eE] [-+]? digits;
    float = digits exponent | (digits "." digits? | "." digits) exponent?;
    ascii_name = [A-Za-z_] [A-Za-z0-9_]*;
    other_character = [\x80-\ud7ff\ue000-\U0010ffff];
    string_prefix = [rRuUbB] | [bB] [rR] | [rR] [bB];
    fstring_prefix = [fF] | [fF] [rR] | [rR] [fF];
    quote = ['"] | "'''" | ["] ["] ["];
*/

/* ---- Names in other scripts ---- */

/*!include:re2c "unicode_categories.re" */

/* The end of the name that starts at p with any letter, or p itself. (Names are not normalized: NFKC-equal spellings differ.) */
static const byte *unicode_name_end(const byte *p, const byte *limit)
{
    const byte *marker, *start = p;
    /*!re2c
        name_start = L | Nl | [_];
        name_start (name_start | Mn | Mc | Nd | Pc)* { return p; }
        * { return start; }
        $ { return start; }
    */
}

static uint32_t decode_character(const byte *p, unsigned *out_n_bytes)
{
    unsigned n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    uint32_t c = p[0] & (0x7fu >> n);
    for (unsigned i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fu);
    *out_n_bytes = n;
    return c;
}

/* What somebody who pasted the character probably meant, or NULL. */
static const char *plain_spelling(uint32_t c)
{
    static const struct {
        uint32_t character;
        const char *plain;
    } LIKELY[] = {
        {0xa0, "a space"},   {0x200b, "nothing"}, {0x200c, "nothing"}, {0x200d, "nothing"}, {0xfeff, "nothing"}, {0x3000, "a space"},
        {0x2018, "\"'\""},   {0x2019, "\"'\""},   {0x201c, "'\"'"},    {0x201d, "'\"'"},    {0x2212, "'-'"},     {0x2013, "'-'"},
        {0x2014, "'-'"},     {0xd7, "'*'"},       {0x2217, "'*'"},     {0xf7, "'/'"},       {0x2264, "'<='"},    {0x2265, "'>='"},
        {0x2260, "'!='"},    {0xff08, "'('"},     {0xff09, "')'"},     {0xff0c, "','"},     {0xff1a, "':'"},     {0xff1b, "';'"},
        {0xff1d, "'='"},     {0x2192, "'->'"},
    };
    for (size_t i = 0; i < sizeof LIKELY / sizeof *LIKELY; i++)
        if (LIKELY[i].character == c)
            return LIKELY[i].plain;
    return NULL;
}

static void report_character(kd_lexer *lexer, const byte *text, const byte *p)
{
    unsigned n = 1;
    uint32_t c = decode_character(p, &n), begin = (uint32_t)(p - text);
    const char *plain = plain_spelling(c);
    if (plain)
        kd_lexer_error(lexer, begin, begin + n, "character U+%04X is not part of the language; did you mean %s?", c, plain);
    else
        kd_lexer_error(lexer, begin, begin + n, "character U+%04X is not part of the language", c);
}

/* ---- Strings ---- */

static uint32_t line_end(const char *text, uint32_t at, uint32_t limit)
{
    while (at < limit && text[at] != '\n' && text[at] != '\r')
        at++;
    return at;
}

static bool closes(const char *text, uint32_t at, uint32_t limit, kd_quote quote)
{
    if (text[at] != quote.quote)
        return false;
    return !quote.triple || (limit - at >= 3 && text[at + 1] == quote.quote && text[at + 2] == quote.quote);
}

/* The offset after an escape that starts with a backslash at 'at'. */
static uint32_t skip_escape(const char *text, uint32_t at, uint32_t limit)
{
    at++;
    if (at < limit)
        at += at + 1 < limit && text[at] == '\r' && text[at + 1] == '\n' ? 2 : 1;
    return at;
}

static uint32_t string_skip(const char *text, uint32_t begin, uint32_t limit, kd_quote quote)
{
    for (uint32_t at = begin; at < limit;) {
        char c = text[at];
        if (c == '\\')
            at = skip_escape(text, at, limit);
        else if (!quote.triple && (c == '\n' || c == '\r'))
            break;
        else if (closes(text, at, limit, quote))
            return at + (quote.triple ? 3 : 1);
        else
            at++;
    }
    return limit + 1;
}

/* What is literal in an f-string: to after its closing quote. */
static uint32_t fstring_skip(const char *text, uint32_t begin, uint32_t limit, kd_quote quote, unsigned depth)
{
    if (depth > KD_MAX_FSTRING_DEPTH)
        return limit + 1;
    for (uint32_t at = begin; at < limit;) {
        char c = text[at];
        if (closes(text, at, limit, quote))
            return at + (quote.triple ? 3 : 1);
        if (c == '\\' && !quote.raw && limit - at > 2 && text[at + 1] == 'N' && text[at + 2] == '{') {
            while (at < limit && text[at] != '}' && text[at] != '\n' && text[at] != quote.quote)
                at++;
        } else if (c == '\\') { /* a brace keeps its meaning after a backslash */
            at = at + 1 < limit && (text[at + 1] == '{' || text[at + 1] == '}') ? at + 1 : skip_escape(text, at, limit);
        } else if (!quote.triple && (c == '\n' || c == '\r')) {
            break;
        } else if (c == '{' && at + 1 < limit && text[at + 1] != '{') {
            at = kd_fstring_skip_field(text, at + 1, limit, quote, depth);
        } else {
            at += c == '{' ? 2 : 1;
        }
    }
    return limit + 1;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (byte)c >= 0x80;
}

/* A string inside a field; its prefix is the word before the quote. */
static uint32_t nested_string_skip(const char *text, uint32_t word, uint32_t at, uint32_t limit, unsigned depth)
{
    kd_quote quote = {.quote = text[at]};
    bool is_format = false;
    if (at - word <= 2)
        for (uint32_t i = word; i < at; i++) {
            is_format |= (text[i] | 0x20) == 'f';
            quote.raw |= (text[i] | 0x20) == 'r';
        }
    quote.triple = limit - at >= 3 && text[at + 1] == text[at] && text[at + 2] == text[at];
    at += quote.triple ? 3 : 1;
    return is_format ? fstring_skip(text, at, limit, quote, depth + 1) : string_skip(text, at, limit, quote);
}

uint32_t kd_fstring_skip_field(const char *text, uint32_t begin, uint32_t limit, kd_quote quote, unsigned depth)
{
    unsigned n_open = 0;
    uint32_t word = begin; /* where the letters right before 'at' begin */
    for (uint32_t at = begin; at < limit; word = is_name_byte(text[at - 1]) ? word : at) {
        char c = text[at];
        if (c == '"' || c == '\'') {
            at = nested_string_skip(text, word, at, limit, depth);
            if (at > limit)
                break;
        } else if (c == '}' && n_open == 0) {
            return at + 1;
        } else if (c == ':' && n_open == 0) {
            uint32_t end = kd_fstring_skip_spec(text, at + 1, limit, quote, depth + 1);
            return end > limit ? end : end + 1;
        } else if (c == '#') {
            at = line_end(text, at, limit);
        } else {
            n_open += c == '(' || c == '[' || c == '{';
            n_open -= n_open > 0 && (c == ')' || c == ']' || c == '}');
            at++;
        }
    }
    return limit + 1;
}

uint32_t kd_fstring_skip_spec(const char *text, uint32_t begin, uint32_t limit, kd_quote quote, unsigned depth)
{
    if (depth > KD_MAX_FSTRING_DEPTH)
        return limit + 1;
    for (uint32_t at = begin; at < limit;) {
        char c = text[at];
        if (c == '}')
            return at;
        if (closes(text, at, limit, quote) || (!quote.triple && (c == '\n' || c == '\r')))
            break;
        at = c == '{' ? kd_fstring_skip_field(text, at + 1, limit, quote, depth + 1) : at + 1;
    }
    return limit + 1;
}

uint32_t kd_lexer_string_end(const char *text, uint32_t begin, uint32_t quote_end, uint32_t limit, bool is_format)
{
    kd_quote quote = {.quote = text[quote_end - 1]};
    quote.triple = quote_end - begin >= 3 && text[quote_end - 3] == quote.quote;
    for (uint32_t i = begin; text[i] != quote.quote; i++)
        quote.raw |= (text[i] | 0x20) == 'r';
    return is_format ? fstring_skip(text, quote_end, limit, quote, 1) : string_skip(text, quote_end, limit, quote);
}

static kd_token token(const kd_lexer *lexer, kd_token_kind kind, const byte *start, const byte *end)
{
    const byte *text = (const byte *)lexer->text;
    return (kd_token){kind, (uint32_t)(start - text), (uint32_t)(end - text), lexer->at_physical_start};
}

/* From a string's prefix or quote; *p is after the opening quote, and goes after the closing one. */
static kd_token string(kd_lexer *lexer, const byte *start, const byte **p, bool is_format)
{
    const char *text = lexer->text;
    uint32_t begin = (uint32_t)((const char *)start - text), open_end = (uint32_t)((const char *)*p - text), limit = lexer->limit;
    uint32_t end = kd_lexer_string_end(text, begin, open_end, limit, is_format);
    if (end <= limit) {
        *p = (const byte *)text + end;
        return token(lexer, is_format ? KD_TOK_FSTRING : KD_TOK_STRING, start, *p);
    }
    bool triple = open_end - begin >= 3 && text[open_end - 3] == text[open_end - 1];
    end = is_format ? kd_lexer_string_end(text, begin, open_end, limit, false) : limit + 1;
    if (end <= limit) {
        kd_lexer_error(lexer, begin, end, "a '{' in this f-string is never closed; write '{{' for the character");
    } else {
        kd_lexer_error(lexer, begin, open_end, "the string that starts here is never closed");
        end = triple ? limit : line_end(text, open_end, limit);
    }
    *p = (const byte *)text + end;
    return token(lexer, KD_TOK_BAD, start, *p);
}

/* ---- Numbers, words, brackets ---- */

static bool is_operator_word(const char *word, size_t len)
{
    static const char *const WORDS[] = {"and", "else", "for", "if", "in", "is", "not", "or"};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strlen(WORDS[i]) == len && memcmp(WORDS[i], word, len) == 0)
            return true;
    return false;
}

static kd_token number(kd_lexer *lexer, const byte *start, const byte **p, kd_token_kind kind)
{
    const byte *text = (const byte *)lexer->text, *limit = text + lexer->limit, *end = *p;
    while (end < limit && is_name_byte((char)*end))
        end++;
    if (end == *p || is_operator_word((const char *)*p, (size_t)(end - *p))) /* Python still takes '1if x else 2' */
        return token(lexer, kind, start, *p);
    *p = end;
    uint32_t begin = (uint32_t)(start - text);
    int len = end - start > 60 ? 60 : (int)(end - start);
    if (start[0] == '0' && end - start > 1 && start[1] >= '0' && start[1] <= '9')
        kd_lexer_error(lexer, begin, begin + (uint32_t)len, "'%.*s' starts with a zero; octal numbers are written 0o17", len, start);
    else
        kd_lexer_error(lexer, begin, begin + (uint32_t)len, "'%.*s' is neither a number nor a name", len, start);
    return token(lexer, KD_TOK_BAD, start, end);
}

static uint32_t innermost_bracket(const kd_lexer *lexer)
{
    unsigned n = lexer->n_brackets;
    return lexer->brackets[(n < KD_MAX_BRACKETS ? n : KD_MAX_BRACKETS) - 1];
}

void kd_lexer_restart_line(kd_lexer *lexer, uint32_t line_begin)
{
    lexer->cursor = lexer->line_begin = line_begin;
    lexer->n_brackets = 0;
    lexer->at_line_start = true;
    lexer->newline_due = true;
}

/* Keywords that can only begin a statement: met inside brackets at the start of a line, they show that a bracket was forgotten. */
static bool is_statement_keyword(kd_token_kind kind)
{
    switch (kind) {
    case KD_TOK_ASSERT: case KD_TOK_BREAK: case KD_TOK_CLASS: case KD_TOK_CONTINUE: case KD_TOK_DEF: case KD_TOK_DEL: case KD_TOK_ELIF:
    case KD_TOK_EXCEPT: case KD_TOK_FINALLY: case KD_TOK_GLOBAL: case KD_TOK_IMPORT: case KD_TOK_NONLOCAL: case KD_TOK_PASS:
    case KD_TOK_RAISE: case KD_TOK_RETURN: case KD_TOK_TRY: case KD_TOK_WHILE: case KD_TOK_WITH:
        return true;
    default:
        return false;
    }
}

static kd_token unclosed(kd_lexer *lexer, const byte *start)
{
    uint32_t at = innermost_bracket(lexer);
    kd_lexer_error(lexer, at, at + 1, "'%c' is never closed", lexer->text[at]);
    kd_token bad = token(lexer, KD_TOK_BAD, start, start);
    kd_lexer_restart_line(lexer, lexer->line_begin);
    return bad;
}

/* A name or a keyword; *p is after its ASCII part. */
static kd_token word(kd_lexer *lexer, const byte *start, const byte **p, kd_token_kind kind)
{
    const byte *limit = (const byte *)lexer->text + lexer->limit;
    if (*p < limit && **p >= 0x80) {
        const byte *end = unicode_name_end(start, limit);
        if (end > *p) {
            *p = end;
            return token(lexer, KD_TOK_NAME, start, end);
        }
    }
    return token(lexer, kind, start, *p);
}

static kd_token open_bracket(kd_lexer *lexer, const byte *start, const byte *p, kd_token_kind kind)
{
    kd_token t = token(lexer, kind, start, p);
    if (lexer->n_brackets < KD_MAX_BRACKETS) {
        lexer->brackets[lexer->n_brackets++] = t.begin;
        return t;
    }
    if (lexer->n_brackets++ == KD_MAX_BRACKETS)
        kd_lexer_error(lexer, t.begin, t.end, "brackets are nested more than %d deep", KD_MAX_BRACKETS);
    t.kind = KD_TOK_BAD;
    return t;
}

static kd_token close_bracket(kd_lexer *lexer, const byte *start, const byte *p, kd_token_kind kind)
{
    kd_token t = token(lexer, kind, start, p);
    char opener = *start == ')' ? '(' : *start == ']' ? '[' : '{';
    if (lexer->n_brackets == 0) {
        if (lexer->in_fstring && opener == '{')
            return t;
        kd_lexer_error(lexer, t.begin, t.end, "'%c' has no '%c' before it", *start, opener);
        t.kind = KD_TOK_BAD;
        return t;
    }
    uint32_t at = innermost_bracket(lexer);
    char open = lexer->text[at];
    if (open == opener || lexer->n_brackets > KD_MAX_BRACKETS) {
        lexer->n_brackets--;
        return t;
    }
    kd_lexer_error(lexer, t.begin, t.end, "expected '%c' to close '%c', found '%c'", open == '(' ? ')' : open == '[' ? ']' : '}', open,
                   *start);
    kd_lexer_note(lexer, at, at + 1, "'%c' is opened here", open);
    for (unsigned n = lexer->n_brackets; n-- > 0;) /* it closes the last one of its kind; if there is none it closes nothing */
        if (lexer->text[lexer->brackets[n]] == opener) {
            lexer->n_brackets = n;
            break;
        }
    t.kind = KD_TOK_BAD;
    return t;
}

/* ---- The tokens of a line ---- */

static kd_token scan(kd_lexer *lexer, const byte **cursor)
{
    const byte *text = (const byte *)lexer->text, *limit = text + lexer->limit, *p = *cursor, *marker, *start;
#define TOKEN(kind)     do { *cursor = p; return token(lexer, KD_TOK_##kind, start, p); } while (0)
#define GIVE(call)      do { kd_token t_ = call; *cursor = p; return t_; } while (0)
#define WORD(kind)      GIVE(word(lexer, start, &p, KD_TOK_##kind))
    for (;;) {
        start = p;
        /*!re2c
            [ \t\f]+ { continue; }
            "#" { p = text + line_end(lexer->text, (uint32_t)(p - text), lexer->limit); continue; }
            "\\" newline {
                lexer->line_begin = (uint32_t)(p - text);
                lexer->at_physical_start = true;
                continue;
            }
            newline {
                if (lexer->joined || lexer->n_brackets) {
                    lexer->line_begin = (uint32_t)(p - text);
                    lexer->at_physical_start = true;
                    continue;
                }
                lexer->at_line_start = true;
                TOKEN(NEWLINE);
            }
            $ { start = p = limit; TOKEN(EOF); }

            "and" { WORD(AND); }
            "as" { WORD(AS); }
            "assert" { WORD(ASSERT); }
            "async" { WORD(ASYNC); }
            "await" { WORD(AWAIT); }
            "break" { WORD(BREAK); }
            "class" { WORD(CLASS); }
            "continue" { WORD(CONTINUE); }
            "def" { WORD(DEF); }
            "del" { WORD(DEL); }
            "elif" { WORD(ELIF); }
            "else" { WORD(ELSE); }
            "except" { WORD(EXCEPT); }
            "False" { WORD(FALSE); }
            "finally" { WORD(FINALLY); }
            "for" { WORD(FOR); }
            "from" { WORD(FROM); }
            "global" { WORD(GLOBAL); }
            "if" { WORD(IF); }
            "import" { WORD(IMPORT); }
            "in" { WORD(IN); }
            "is" { WORD(IS); }
            "lambda" { WORD(LAMBDA); }
            "None" { WORD(NONE); }
            "nonlocal" { WORD(NONLOCAL); }
            "not" { WORD(NOT); }
            "or" { WORD(OR); }
            "pass" { WORD(PASS); }
            "raise" { WORD(RAISE); }
            "return" { WORD(RETURN); }
            "True" { WORD(TRUE); }
            "try" { WORD(TRY); }
            "while" { WORD(WHILE); }
            "with" { WORD(WITH); }
            "yield" { WORD(YIELD); }
            ascii_name { WORD(NAME); }

            integer { GIVE(number(lexer, start, &p, KD_TOK_INT)); }
            float { GIVE(number(lexer, start, &p, KD_TOK_FLOAT)); }
            (digits | float) [jJ] { GIVE(number(lexer, start, &p, KD_TOK_IMAGINARY)); }
            string_prefix? quote { GIVE(string(lexer, start, &p, false)); }
            fstring_prefix quote { GIVE(string(lexer, start, &p, true)); }

            "(" { GIVE(open_bracket(lexer, start, p, KD_TOK_LPAREN)); }
            "[" { GIVE(open_bracket(lexer, start, p, KD_TOK_LBRACKET)); }
            "{" { GIVE(open_bracket(lexer, start, p, KD_TOK_LBRACE)); }
            ")" { GIVE(close_bracket(lexer, start, p, KD_TOK_RPAREN)); }
            "]" { GIVE(close_bracket(lexer, start, p, KD_TOK_RBRACKET)); }
            "}" { GIVE(close_bracket(lexer, start, p, KD_TOK_RBRACE)); }
            "," { TOKEN(COMMA); }
            ":" { TOKEN(COLON); }
            ";" { TOKEN(SEMICOLON); }
            "." { TOKEN(DOT); }
            "..." { TOKEN(ELLIPSIS); }
            "->" { TOKEN(ARROW); }
            ":=" {
                if (lexer->in_fstring && lexer->n_brackets == 0) { /* a format that starts with '=' */
                    p = start + 1;
                    TOKEN(COLON);
                }
                TOKEN(WALRUS);
            }
            "=" { TOKEN(ASSIGN); }
            "+" { TOKEN(PLUS); }
            "-" { TOKEN(MINUS); }
            "*" { TOKEN(STAR); }
            "/" { TOKEN(SLASH); }
            "//" { TOKEN(FLOORDIV); }
            "%" { TOKEN(PERCENT); }
            "**" { TOKEN(POWER); }
            "@" { TOKEN(AT); }
            "&" { TOKEN(AMPERSAND); }
            "|" { TOKEN(PIPE); }
            "^" { TOKEN(CARET); }
            "<<" { TOKEN(SHL); }
            ">>" { TOKEN(SHR); }
            "~" { TOKEN(TILDE); }
            "<" { TOKEN(LT); }
            "<=" { TOKEN(LE); }
            ">" { TOKEN(GT); }
            ">=" { TOKEN(GE); }
            "==" { TOKEN(EQ); }
            "!=" { TOKEN(NE); }
            "+=" { TOKEN(PLUS_ASSIGN); }
            "-=" { TOKEN(MINUS_ASSIGN); }
            "*=" { TOKEN(STAR_ASSIGN); }
            "/=" { TOKEN(SLASH_ASSIGN); }
            "//=" { TOKEN(FLOORDIV_ASSIGN); }
            "%=" { TOKEN(PERCENT_ASSIGN); }
            "**=" { TOKEN(POWER_ASSIGN); }
            "@=" { TOKEN(AT_ASSIGN); }
            "&=" { TOKEN(AND_ASSIGN); }
            "|=" { TOKEN(OR_ASSIGN); }
            "^=" { TOKEN(XOR_ASSIGN); }
            "<<=" { TOKEN(SHL_ASSIGN); }
            ">>=" { TOKEN(SHR_ASSIGN); }

            "!" {
                if (lexer->in_fstring && lexer->n_brackets == 0)
                    TOKEN(BANG);
                kd_lexer_error(lexer, (uint32_t)(start - text), (uint32_t)(p - text), "'!' is not an operator; write 'not'");
                TOKEN(BAD);
            }
            "\\" {
                kd_lexer_error(lexer, (uint32_t)(start - text), (uint32_t)(p - text), "expected the end of the line after '\\'");
                TOKEN(BAD);
            }
            other_character {
                const byte *end = unicode_name_end(start, limit);
                if (end > start) {
                    p = end;
                    TOKEN(NAME);
                }
                report_character(lexer, text, start);
                TOKEN(BAD);
            }
            * {
                uint32_t begin = (uint32_t)(start - text);
                if (*start >= 0x80)
                    kd_lexer_error(lexer, begin, begin + 1, "invalid UTF-8 (byte 0x%02x)", *start);
                else if (*start < ' ' || *start == 0x7f)
                    kd_lexer_error(lexer, begin, begin + 1, "control character 0x%02x is not part of the language", *start);
                else
                    kd_lexer_error(lexer, begin, begin + 1, "character '%c' is not part of the language%s", *start,
                                   *start == '?' ? "; a conditional expression is written 'a if condition else b'" : "");
                TOKEN(BAD);
            }
        */
    }
#undef WORD
#undef GIVE
#undef TOKEN
}

/* ---- Lines and blocks ---- */

kd_indent kd_lexer_measure(const kd_lexer *lexer, uint32_t begin, uint32_t *out_end)
{
    kd_indent indent = {0, 0};
    uint32_t at = begin;
    for (; at < lexer->limit; at++) {
        char c = lexer->text[at];
        if (c == ' ') {
            indent.column++;
            indent.alt_column++;
        } else if (c == '\t') {
            indent.column = indent.column / 8 * 8 + 8;
            indent.alt_column++;
        } else if (c == '\f') {
            indent = (kd_indent){0, 0};
        } else {
            break;
        }
    }
    *out_end = at;
    return indent;
}

static void check_tabs(kd_lexer *lexer, kd_indent now, kd_indent before, uint32_t end)
{
    bool same_order = now.column == before.column ? now.alt_column == before.alt_column
                                                  : (now.column > before.column) == (now.alt_column > before.alt_column) &&
                                                        now.alt_column != before.alt_column;
    if (!same_order)
        kd_lexer_error(lexer, lexer->line_begin, end, "tabs and spaces are mixed so that the depth of this line depends on the width of a tab");
}

/* Compares a line's indentation with the blocks around it. */
static kd_token_kind change_block(kd_lexer *lexer, kd_indent indent, uint32_t end)
{
    kd_indent *top = &lexer->indents[lexer->n_indents - 1];
    check_tabs(lexer, indent, *top, end);
    if (indent.column > top->column) {
        if (lexer->n_indents == KD_MAX_INDENTS) {
            kd_lexer_error(lexer, lexer->line_begin, end, "blocks are nested more than %d deep", KD_MAX_INDENTS);
            lexer->cursor = lexer->limit; /* whatever follows would be misread */
            return KD_TOK_BAD;
        }
        lexer->indents[lexer->n_indents++] = indent;
        return KD_TOK_INDENT;
    }
    while (lexer->n_indents > 1 && indent.column < lexer->indents[lexer->n_indents - 1].column) {
        lexer->n_indents--;
        lexer->n_dedents++;
    }
    if (lexer->n_dedents && indent.column > lexer->indents[lexer->n_indents - 1].column)
        kd_lexer_error(lexer, lexer->line_begin, end, "this line is indented less than the block before it, but matches no block around it");
    if (lexer->n_dedents == 0)
        return KD_TOK_EOF;
    lexer->n_dedents--;
    return KD_TOK_DEDENT;
}

bool kd_lexer_find_line(kd_lexer *lexer, kd_indent *out_indent)
{
    const char *text = lexer->text;
    for (;;) {
        uint32_t at;
        lexer->line_begin = lexer->cursor;
        *out_indent = kd_lexer_measure(lexer, lexer->cursor, &at);
        while (lexer->limit - at >= 2 && text[at] == '\\' && (text[at + 1] == '\n' || text[at + 1] == '\r')) {
            kd_lexer_measure(lexer, skip_escape(text, at, lexer->limit), &at); /* the first line decides */
        }
        if (at < lexer->limit && text[at] == '#')
            at = line_end(text, at, lexer->limit);
        lexer->cursor = at;
        if (at >= lexer->limit)
            return false;
        if (text[at] != '\n' && text[at] != '\r')
            return true;
        lexer->cursor = skip_escape(text, at - 1, lexer->limit); /* CR LF is one line end */
    }
}

/* The indentation of a new logical line: INDENT or DEDENT, or EOF where there is nothing to tell. */
static kd_token_kind begin_line(kd_lexer *lexer)
{
    kd_indent indent;
    lexer->at_line_start = false;
    lexer->at_physical_start = true;
    if (lexer->n_indents == 0)
        return kd_lexer_find_line(lexer, &indent), KD_TOK_EOF;
    if (kd_lexer_find_line(lexer, &indent))
        return change_block(lexer, indent, lexer->cursor);
    lexer->at_line_start = true; /* no NEWLINE at the end of the text */
    if (lexer->n_indents == 1)
        return KD_TOK_EOF;
    lexer->n_dedents = lexer->n_indents - 2;
    lexer->n_indents = 1;
    return KD_TOK_DEDENT;
}

kd_token kd_lexer_next(kd_lexer *lexer)
{
    const byte *text = (const byte *)lexer->text;
    if (lexer->newline_due) {
        lexer->newline_due = false;
        return (kd_token){KD_TOK_NEWLINE, lexer->cursor, lexer->cursor, false};
    }
    if (lexer->n_dedents == 0 && lexer->at_line_start) {
        kd_token_kind kind = begin_line(lexer);
        if (kind != KD_TOK_EOF)
            return (kd_token){kind, lexer->cursor, lexer->cursor, true};
    } else if (lexer->n_dedents) {
        lexer->n_dedents--;
        return (kd_token){KD_TOK_DEDENT, lexer->cursor, lexer->cursor, true};
    }
    const byte *cursor = text + lexer->cursor;
    kd_token t = scan(lexer, &cursor);
    if (is_statement_keyword(t.kind) && lexer->n_brackets && t.starts_line && !lexer->joined)
        return unclosed(lexer, text + t.begin);
    lexer->cursor = (uint32_t)(cursor - text);
    lexer->at_physical_start = false;
    if (t.kind == KD_TOK_EOF && !lexer->at_line_start && !lexer->joined && lexer->n_brackets == 0) {
        lexer->at_line_start = true; /* the last line has no line end */
        t.kind = KD_TOK_NEWLINE;
    }
    return t;
}
