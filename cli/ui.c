/* ui.c - what the command shows: errors, tables, JSON, sizes and times. */
#include "base/nearest.h"
#include "base/vec.h"
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

bool kd_cli_color(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(stream)) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

/* Standard error has no buffer: a message is put together first, so that other processes that write there cannot come between its words. */
static void say(const char *kind, const char *color, const char *format, va_list args)
{
    bool colored = kd_cli_color(stderr);
    char *text = NULL;
    fflush(stdout); /* where both go to one place, in the order in which they were written */
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    fprintf(stderr, "%skdsl: %s%s:%s %s\n", colored ? "\033[1m" : "", colored ? color : "", kind, colored ? "\033[0m" : "",
            text ? text : "out of memory");
    free(text);
}

void kd_cli_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("error", "\033[1;31m", format, args);
    va_end(args);
}

void kd_cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("note", "\033[1;36m", format, args);
    va_end(args);
}

static void on_exhausted(void *user)
{
    kd_cli_error("out of memory");
    exit(KD_EXIT_WORLD);
}

kd_arena *kd_cli_arena_create(void)
{
    static kd_budget budget = {.on_exhausted = on_exhausted};
    return kd_arena_create(&budget);
}

/* "FILE:1:2: error: text": the place bold, the kind in its colour; the line under a line of source holds the caret. */
static void show_line(const char *line, size_t n)
{
    static const char *const KINDS[][2] = {{": error: ", "\033[1;31m"}, {": warning: ", "\033[1;35m"}, {": note: ", "\033[1;36m"}};
    if (n > 8 && memcmp(line, "      | ", 8) == 0 && line[8 + strspn(line + 8, " ")] == '^') {
        fprintf(stderr, "%.*s\033[1;32m%.*s\033[0m\n", 8, line, (int)n - 8, line + 8);
        return;
    }
    const char *kind = NULL;
    unsigned which = 0;
    for (unsigned i = 0; i < 3; i++) {
        const char *at = memmem(line, n, KINDS[i][0], strlen(KINDS[i][0]));
        if (at && (!kind || at < kind)) {
            kind = at;
            which = i;
        }
    }
    if (!kind) {
        fprintf(stderr, "%.*s\n", (int)n, line);
        return;
    }
    int n_place = (int)(kind + 2 - line), n_kind = (int)strlen(KINDS[which][0]) - 3;
    fprintf(stderr, "\033[1m%.*s%s%.*s\033[0m \033[1m%.*s\033[0m\n", n_place, line, KINDS[which][1], n_kind, kind + 2,
            (int)n - n_place - n_kind - 1, kind + 2 + n_kind + 1);
}

void kd_cli_show_messages(const char *text)
{
    if (!kd_cli_color(stderr)) {
        fputs(text, stderr);
        return;
    }
    while (*text) {
        size_t n = strcspn(text, "\n");
        bool is_source = n > 8 && memcmp(text + 5, " | ", 3) == 0 && text[4] >= '0' && text[4] <= '9'; /* whatever it says */
        if (is_source)
            fprintf(stderr, "%.*s\n", (int)n, text);
        else
            show_line(text, n);
        text += n + (text[n] == '\n');
    }
}

kd_exit kd_cli_exit_of(kd_status status)
{
    switch (status) {
    case KD_OK: return KD_EXIT_OK;
    case KD_ERR_REPORTED:
    case KD_ERR_ASSERT: return KD_EXIT_KERNEL;
    case KD_ERR_ARGUMENT: return KD_EXIT_USAGE;
    default: return KD_EXIT_WORLD;
    }
}

const char *kd_cli_nearest(const char *written, const char *const *names, unsigned n)
{
    kd_nearest nearest = kd_nearest_to(kd_str_of(written));
    for (unsigned i = 0; i < n; i++)
        kd_nearest_try(&nearest, kd_str_of(names[i]));
    return nearest.best.ptr;
}

const char *kd_cli_bytes_text(kd_arena *arena, double n_bytes)
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    while (n_bytes >= 1024 && unit < 4) {
        n_bytes /= 1024;
        unit++;
    }
    return kd_arena_printf(arena, unit ? "%.2f %s" : "%.0f %s", n_bytes, UNITS[unit]);
}

const char *kd_cli_time_text(kd_arena *arena, double seconds)
{
    if (seconds < 1e-6)
        return kd_arena_printf(arena, "%.0f ns", seconds * 1e9);
    if (seconds < 1e-3)
        return kd_arena_printf(arena, "%.3g us", seconds * 1e6);
    if (seconds < 1)
        return kd_arena_printf(arena, "%.3g ms", seconds * 1e3);
    return kd_arena_printf(arena, "%.3g s", seconds);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void kd_cli_sort_times(double *times, unsigned n)
{
    qsort(times, n, sizeof *times, by_value);
}

double kd_cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct kd_table {
    kd_arena *arena;
    unsigned n_columns;
    const char *const *headings;
    KD_VEC(const char **) rows;
};

kd_table *kd_table_create(kd_arena *arena, const char *const *headings, unsigned n_columns)
{
    kd_table *table = kd_arena_new(arena, kd_table);
    *table = (kd_table){.arena = arena, .n_columns = n_columns, .headings = headings};
    return table;
}

void kd_table_row(kd_table *table, const char *const *cells)
{
    const char **row = kd_arena_array(table->arena, const char *, table->n_columns);
    for (unsigned i = 0; i < table->n_columns; i++)
        row[i] = cells[i] ? kd_arena_strdup(table->arena, cells[i]) : "";
    kd_vec_push(table->arena, &table->rows, row);
}

static void print_row(const kd_table *table, const char *const *cells, const unsigned *widths, FILE *out)
{
    for (unsigned i = 0; i < table->n_columns; i++) {
        bool right = table->headings[i][0] == '>', last = i + 1 == table->n_columns;
        const char *cell = cells == table->headings && right ? cells[i] + 1 : cells[i];
        if (right)
            fprintf(out, "%*s", (int)widths[i], cell);
        else
            fprintf(out, "%-*s", last ? 0 : (int)widths[i], cell);
        if (i + 2 == table->n_columns && !*cells[i + 1]) /* no blanks at the end of a line */
            last = true;
        fputs(last ? "\n" : "  ", out);
        if (last)
            break;
    }
}

void kd_table_print(const kd_table *table, FILE *out)
{
    unsigned *widths = kd_arena_array(table->arena, unsigned, table->n_columns);
    for (unsigned i = 0; i < table->n_columns; i++) {
        widths[i] = (unsigned)strlen(table->headings[i]) - (table->headings[i][0] == '>');
        for (unsigned r = 0; r < table->rows.n; r++)
            if (strlen(table->rows.data[r][i]) > widths[i])
                widths[i] = (unsigned)strlen(table->rows.data[r][i]);
    }
    bool colored = kd_cli_color(out);
    fputs(colored ? "\033[1m" : "", out);
    print_row(table, table->headings, widths, out);
    fputs(colored ? "\033[0m" : "", out);
    for (unsigned r = 0; r < table->rows.n; r++)
        print_row(table, table->rows.data[r], widths, out);
}

int kd_cli_print_and_free(char *text)
{
    if (!text) {
        kd_cli_error("out of memory");
        return KD_EXIT_WORLD;
    }
    fputs(text, stdout);
    free(text);
    return KD_EXIT_OK;
}

int kd_cli_json_print(yyjson_mut_doc *doc)
{
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY_TWO_SPACES | YYJSON_WRITE_NEWLINE_AT_END, NULL);
    yyjson_mut_doc_free(doc);
    return kd_cli_print_and_free(text);
}
