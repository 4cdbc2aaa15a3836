/* options.c - command lines, from tables of options. */
#include "base/vec.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

/* "--out-path -o": whether one of the spellings is word[0..len). */
static bool spelled(const char *spellings, const char *word, size_t len)
{
    for (const char *s = spellings; *s;) {
        size_t n = strcspn(s, " ");
        if (n == len && memcmp(s, word, len) == 0)
            return true;
        s += n + strspn(s + n, " ");
    }
    return false;
}

static const kd_option *find(const kd_option *options, unsigned n, const char *word, size_t len)
{
    for (unsigned i = 0; i < n; i++)
        if (spelled(options[i].name, word, len))
            return &options[i];
    return NULL;
}

static void print_option(const kd_option *o, FILE *out)
{
    char left[64];
    size_t first = strcspn(o->name, " ");
    const char *second = o->name[first] ? o->name + first + 1 : NULL;
    bool short_second = second && second[0] == '-' && second[1] != '-';
    if (short_second && second[2] && second[2] != ' ') /* "-ns": Triton's, not ours to teach */
        short_second = false;
    if (short_second)
        snprintf(left, sizeof left, "%.2s, %.*s%s%s", second, (int)first, o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
    else
        snprintf(left, sizeof left, "%.*s%s%s", (int)first, o->name, o->metavar ? " " : "", o->metavar ? o->metavar : "");
    fprintf(out, "  %-24s %s\n", left, o->help);
}

static int show_help(const kd_command *command, const kd_option *options, unsigned n)
{
    printf("usage: kdsl %s%s%s\n\n%s", command->name, *command->usage ? " " : "", command->usage, command->help);
    bool any = false;
    for (unsigned i = 0; i < n; i++) {
        if (!options[i].help)
            continue;
        if (!any)
            printf("\noptions:\n");
        any = true;
        print_option(&options[i], stdout);
    }
    return KD_EXIT_OK;
}

static int usage_error(const kd_command *command)
{
    kd_cli_note("'kdsl %s --help' shows what it takes", command->name);
    return KD_EXIT_USAGE;
}

/* -1, or the exit status where a word was given and has been reported. */
static int refuse_words(const kd_command *command, const kd_text_list *words)
{
    if (!words->n)
        return -1;
    kd_cli_error("'kdsl %s' takes no words, but found '%s'", command->name, words->data[0]);
    return usage_error(command);
}

static int unknown_option(const kd_command *command, const kd_option *options, unsigned n, const char *word, size_t len)
{
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)len, word);
    const char *names[64];
    unsigned n_names = 0;
    char spellings[64][32];
    for (unsigned i = 0; i < n && n_names < 64; i++)
        if (options[i].help) {
            snprintf(spellings[n_names], sizeof spellings[0], "%.*s", (int)strcspn(options[i].name, " "), options[i].name);
            names[n_names] = spellings[n_names];
            n_names++;
        }
    const char *near = kd_cli_nearest(text, names, n_names);
    if (near)
        kd_cli_error("unknown option '%s'; did you mean '%s'?", text, near);
    else
        kd_cli_error("unknown option '%s'", text);
    return usage_error(command);
}

static bool store_number(const kd_option *o, const char *text)
{
    char *end;
    errno = 0;
    double real = o->kind == KD_OPTION_NUMBER ? (double)strtol(text, &end, 10) : strtod(text, &end);
    const char *what = o->kind == KD_OPTION_NUMBER ? "a whole number" : "a number";
    if (end == text || *end || errno) {
        kd_cli_error("'%.*s' needs %s, not '%s'", (int)strcspn(o->name, " "), o->name, what, text);
        return false;
    }
    if (o->most != 0 && !(real >= o->least && real <= o->most)) {
        kd_cli_error("'%.*s' must be between %.15g and %.15g, not %s", (int)strcspn(o->name, " "), o->name, o->least, o->most, text);
        return false;
    }
    if (o->kind == KD_OPTION_NUMBER)
        *(long *)o->value = (long)real;
    else
        *(double *)o->value = real;
    return true;
}

static bool store(const kd_option *o, const char *text, kd_arena *arena)
{
    switch (o->kind) {
    case KD_OPTION_FLAG: *(bool *)o->value = true; return true;
    case KD_OPTION_TEXT: *(const char **)o->value = text; return true;
    case KD_OPTION_LIST: kd_vec_push(arena, (kd_text_list *)o->value, text); return true;
    default: return store_number(o, text);
    }
}

/* -IDIR and -O3: a one-letter option with its value behind it. */
static const kd_option *glued(const kd_option *options, unsigned n, const char *word)
{
    const kd_option *o = word[1] && word[1] != '-' && word[2] ? find(options, n, word, 2) : NULL;
    return o && o->kind != KD_OPTION_FLAG ? o : NULL;
}

static bool looks_like_option(const char *word)
{
    return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9') && word[1] != '.';
}

int kd_options_parse(const kd_command *command, const kd_option *options, unsigned n, int argc, char **argv, kd_arena *arena,
                     kd_text_list *out_words)
{
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (ended || !looks_like_option(word)) {
            kd_vec_push(arena, out_words, word);
            continue;
        }
        if (strcmp(word, "--") == 0) {
            ended = true;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            return show_help(command, options, n);
        size_t len = strncmp(word, "--", 2) == 0 ? strcspn(word, "=") : strlen(word);
        const char *value = word[len] == '=' ? word + len + 1 : NULL;
        const kd_option *o = find(options, n, word, len);
        if (!o && (o = glued(options, n, word)))
            value = word + 2;
        if (!o)
            return unknown_option(command, options, n, word, len);
        if (o->kind == KD_OPTION_FLAG && value) {
            kd_cli_error("'%.*s' takes no value", (int)len, word);
            return usage_error(command);
        }
        if (o->kind != KD_OPTION_FLAG && !value) {
            if (i + 1 == argc) {
                kd_cli_error("'%s' needs a value (%s)", word, o->metavar);
                return usage_error(command);
            }
            value = argv[++i];
        }
        if (!store(o, value, arena))
            return usage_error(command);
    }
    return -1;
}

int kd_options_query(const kd_command *command, int argc, char **argv, int (*show)(kd_arena *arena, bool json))
{
    kd_arena *arena = kd_cli_arena_create();
    bool json = false;
    const kd_option options[] = {{"--json", KD_OPTION_FLAG, &json, NULL, "as JSON", 0, 0}};
    kd_text_list words = {0};
    int status = kd_options_parse(command, options, 1, argc, argv, arena, &words);
    if (status < 0)
        status = refuse_words(command, &words);
    if (status < 0)
        status = show(arena, json);
    kd_arena_destroy(arena);
    return status;
}
