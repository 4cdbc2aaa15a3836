/* skip.re - passes over lines and blocks that nobody asked for: only strings, brackets and line ends matter. */
#include "parser/lexer_impl.h"

typedef unsigned char byte;

static void skip_open(kd_lexer *lexer, uint32_t at)
{
    if (lexer->n_brackets < KD_MAX_BRACKETS)
        lexer->brackets[lexer->n_brackets] = at;
    lexer->n_brackets++;
}

static void report_unclosed(kd_lexer *lexer)
{
    unsigned n = lexer->n_brackets < KD_MAX_BRACKETS ? lexer->n_brackets : KD_MAX_BRACKETS;
    uint32_t at = lexer->brackets[n - 1];
    lexer->skip_failed = true;
    kd_lexer_error(lexer, at, at + 1, "'%c' is never closed", lexer->text[at]);
}

/* Whether the line that begins at 'at', inside brackets, shows by its first word that one of them was forgotten. */
static bool begins_statement(const kd_lexer *lexer, uint32_t at)
{
    static const char *const WORDS[] = {"assert", "break", "class",  "continue", "def",  "del",    "elif", "except", "finally",
                                        "global", "import", "nonlocal", "pass", "raise", "return", "try",  "while",  "with"};
    while (at < lexer->limit && (lexer->text[at] == ' ' || lexer->text[at] == '\t'))
        at++;
    uint32_t end = at;
    while (end < lexer->limit && ((lexer->text[end] >= 'a' && lexer->text[end] <= 'z')))
        end++;
    if (end - at < 3 || end - at > 8)
        return false;
    if (end < lexer->limit && (lexer->text[end] == '_' || (lexer->text[end] >= '0' && lexer->text[end] <= '9') ||
                               (lexer->text[end] >= 'A' && lexer->text[end] <= 'Z') || (byte)lexer->text[end] >= 0x80))
        return false;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strlen(WORDS[i]) == end - at && memcmp(WORDS[i], lexer->text + at, end - at) == 0)
            return true;
    return false;
}

/* Behind the string whose opening quote ends at p. */
static const byte *skip_string(kd_lexer *lexer, const byte *start, const byte *p, bool is_format)
{
    const char *text = lexer->text;
    uint32_t begin = (uint32_t)((const char *)start - text), open_end = (uint32_t)((const char *)p - text), limit = lexer->limit;
    uint32_t end = kd_lexer_string_end(text, begin, open_end, limit, is_format);
    if (end > limit && is_format)
        end = kd_lexer_string_end(text, begin, open_end, limit, false);
    if (end <= limit)
        return (const byte *)text + end;
    if (open_end - begin >= 3 && text[open_end - 3] == text[open_end - 1]) {
        lexer->skip_failed = true;
        kd_lexer_error(lexer, begin, open_end, "the string that starts here is never closed");
        return (const byte *)text + limit;
    }
    while (open_end < limit && text[open_end] != '\n' && text[open_end] != '\r')
        open_end++;
    return (const byte *)text + open_end;
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
*/

uint32_t kd_lexer_skip_line(kd_lexer *lexer)
{
    const byte *text = (const byte *)lexer->text, *limit = text + lexer->limit, *p = text + lexer->cursor, *marker, *start;
    const byte *end = p; /* of the last token */
    lexer->n_brackets = 0;
    for (;; end = p) {
    space:
        start = p;
        /*!re2c
            newline = "\r\n" | [\r\n];
            name = ([A-Za-z0-9_] | [\x80-\ud7ff\ue000-\U0010ffff])+;
            string_prefix = [rRuUbB] | [bB] [rR] | [rR] [bB];
            fstring_prefix = [fF] | [fF] [rR] | [rR] [fF];
            quote = ['"] | "'''" | ["] ["] ["];

            [ \t\f]+ { goto space; }
            name { continue; }
            [!$%&*+,\-./:;<=>?@^`|~]+ { continue; }
            string_prefix? quote { p = skip_string(lexer, start, p, false); continue; }
            fstring_prefix quote { p = skip_string(lexer, start, p, true); continue; }
            "(" | "[" | "{" { skip_open(lexer, (uint32_t)(start - text)); continue; }
            ")" | "]" | "}" { lexer->n_brackets -= lexer->n_brackets > 0; continue; }
            "#" {
                while (p < limit && *p != '\n' && *p != '\r')
                    p++;
                goto space;
            }
            "\\" newline? { goto space; }
            newline {
                if (lexer->n_brackets == 0)
                    break;
                if (begins_statement(lexer, (uint32_t)(p - text))) {
                    report_unclosed(lexer);
                    break;
                }
                goto space;
            }
            $ {
                p = limit;
                if (lexer->n_brackets)
                    report_unclosed(lexer);
                break;
            }
            * { /* Python would not read the file either: stop here */
                uint32_t at = (uint32_t)(start - text);
                if (*start > 0 && *start < 0x80)
                    continue;
                if (*start)
                    kd_lexer_error(lexer, at, at + 1, "invalid UTF-8 (byte 0x%02x)", *start);
                else
                    kd_lexer_error(lexer, at, at + 1, "control character 0x00 is not part of the language; is this a text file?");
                lexer->skip_failed = true;
                p = limit;
                break;
            }
        */
    }
    lexer->n_brackets = 0;
    lexer->cursor = lexer->line_begin = (uint32_t)(p - text);
    return (uint32_t)(end - text);
}

uint32_t kd_lexer_skip_block(kd_lexer *lexer, uint32_t column, uint32_t end)
{
    kd_indent indent;
    while (kd_lexer_find_line(lexer, &indent)) {
        if (indent.column <= column) {
            lexer->cursor = lexer->line_begin;
            break;
        }
        end = kd_lexer_skip_line(lexer);
    }
    return end;
}
