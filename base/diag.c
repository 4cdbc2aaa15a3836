/* diag.c - collects diagnostics and renders them. */
#include "base/diag.h"
#include "base/vec.h"

#include <stdarg.h>

enum { MAX_KEPT = 50, MAX_SHOWN_LINE = 240 };

typedef struct kd_source_table {
    KD_VEC(kd_source *) list; /* id - 1 */
} kd_source_table;

struct kd_diags {
    kd_arena *arena;
    kd_source_table *sources;
    kd_diag *first, *last;
    unsigned n_errors, n_warnings;
    bool lenient;
    bool dropped_last; /* notes to a message that was dropped are dropped too */
};

kd_diags *kd_diags_create(kd_arena *arena)
{
    kd_diags *diags = kd_arena_new(arena, kd_diags);
    diags->arena = arena;
    diags->sources = kd_arena_new(arena, kd_source_table);
    return diags;
}

kd_diags *kd_diags_create_beside(kd_arena *arena, const kd_diags *diags)
{
    kd_diags *fresh = kd_arena_new(arena, kd_diags);
    fresh->arena = arena;
    fresh->sources = diags->sources;
    return fresh;
}

uint32_t kd_source_add(kd_diags *diags, const char *path, kd_str text)
{
    kd_source *source = kd_arena_new(diags->arena, kd_source);
    source->path = kd_arena_strdup(diags->arena, path);
    source->text = text;
    kd_vec_push(diags->arena, &diags->sources->list, source);
    return diags->sources->list.n;
}

const kd_source *kd_source_get(const kd_diags *diags, uint32_t id)
{
    return id && id <= diags->sources->list.n ? diags->sources->list.data[id - 1] : NULL;
}

kd_loc kd_loc_join(kd_loc a, kd_loc b)
{
    if (a.source != b.source)
        return a.source ? a : b;
    return (kd_loc){a.source, a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

static void find_lines(const kd_diags *diags, kd_source *source)
{
    unsigned n = 1;
    for (size_t i = 0; i < source->text.len; i++)
        n += source->text.ptr[i] == '\n';
    source->line_starts = kd_arena_array(diags->arena, uint32_t, n);
    source->n_lines = 1;
    for (size_t i = 0; i < source->text.len; i++)
        if (source->text.ptr[i] == '\n')
            source->line_starts[source->n_lines++] = (uint32_t)i + 1;
}

kd_place kd_loc_place(const kd_diags *diags, kd_loc loc)
{
    kd_source *source = loc.source && loc.source <= diags->sources->list.n ? diags->sources->list.data[loc.source - 1] : NULL;
    if (!source)
        return (kd_place){0};
    if (!source->line_starts)
        find_lines(diags, source);
    unsigned low = 0, high = source->n_lines; /* the last line that starts at or before loc.begin */
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (source->line_starts[middle] <= loc.begin)
            low = middle;
        else
            high = middle;
    }
    return (kd_place){source, low + 1, loc.begin - source->line_starts[low] + 1};
}

static bool is_repeat(const kd_diags *diags, kd_loc loc)
{
    if (!loc.source)
        return false;
    for (const kd_diag *d = diags->first; d; d = d->next)
        if (d->severity == KD_ERROR && d->loc.source == loc.source && d->loc.begin == loc.begin)
            return true;
    return false;
}

static void add(kd_diags *diags, kd_severity severity, kd_loc loc, const char *format, va_list args)
{
    if (severity == KD_ERROR && diags->lenient)
        severity = KD_WARNING;
    unsigned n_before = severity == KD_ERROR ? diags->n_errors : diags->n_warnings;
    if (severity == KD_NOTE ? diags->dropped_last : n_before >= MAX_KEPT)
        diags->dropped_last = true;
    else if (severity == KD_ERROR && is_repeat(diags, loc)) {
        diags->dropped_last = true;
        return;
    } else {
        kd_diag *d = kd_arena_new(diags->arena, kd_diag);
        d->severity = severity;
        d->loc = loc;
        d->message = kd_arena_vprintf(diags->arena, format, args);
        if (diags->last)
            diags->last->next = d;
        else
            diags->first = d;
        diags->last = d;
        if (severity != KD_NOTE)
            diags->dropped_last = false;
    }
    diags->n_errors += severity == KD_ERROR;
    diags->n_warnings += severity == KD_WARNING;
}

void kd_error(kd_diags *diags, kd_loc loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(diags, KD_ERROR, loc, format, args);
    va_end(args);
}

void kd_warning(kd_diags *diags, kd_loc loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(diags, KD_WARNING, loc, format, args);
    va_end(args);
}

void kd_note(kd_diags *diags, kd_loc loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(diags, KD_NOTE, loc, format, args);
    va_end(args);
}

bool kd_diags_set_lenient(kd_diags *diags, bool lenient)
{
    bool before = diags->lenient;
    diags->lenient = lenient;
    return before;
}

bool kd_diags_is_lenient(const kd_diags *diags)
{
    return diags->lenient;
}

unsigned kd_diags_n_errors(const kd_diags *diags)
{
    return diags->n_errors;
}

unsigned kd_diags_n_warnings(const kd_diags *diags)
{
    return diags->n_warnings;
}

const kd_diag *kd_diags_first(const kd_diags *diags)
{
    return diags->first;
}

typedef struct styles {
    const char *bold, *kind[3], *caret, *off;
} styles;

static const styles PLAIN = {"", {"", "", ""}, "", ""};
static const styles COLORED = {"\033[1m", {"\033[1;36m", "\033[1;35m", "\033[1;31m"}, "\033[1;32m", "\033[0m"};

/* The line, and under it '^~~~' from the range's start to its end or the line's. */
static void render_line(const kd_diags *diags, kd_strbuf *out, const styles *style, kd_place place, kd_loc loc)
{
    (void)diags;
    uint32_t start = place.source->line_starts[place.line - 1];
    const char *text = place.source->text.ptr + start;
    size_t room = place.source->text.len - start, len = 0;
    while (len < room && text[len] != '\n' && text[len] != '\r')
        len++;
    unsigned column = place.column - 1;
    if (column > len || column > MAX_SHOWN_LINE)
        return;
    if (len > MAX_SHOWN_LINE)
        len = MAX_SHOWN_LINE;
    kd_strbuf_printf(out, "%5u | ", place.line);
    for (size_t i = 0; i < len; i++) { /* a tab or control byte takes one column, so that the caret stays in place */
        char c = text[i];
        kd_strbuf_append(out, (unsigned char)c < ' ' || c == 0x7f ? " " : &c, 1);
    }
    kd_strbuf_puts(out, "\n      | ");
    for (unsigned i = 0; i < column; i++)
        if ((text[i] & 0xc0) != 0x80) /* bytes that continue a UTF-8 character take no column */
            kd_strbuf_puts(out, " ");
    kd_strbuf_printf(out, "%s^", style->caret);
    for (size_t i = column + 1; i < len && start + i < loc.end; i++)
        if ((text[i] & 0xc0) != 0x80)
            kd_strbuf_puts(out, "~");
    kd_strbuf_printf(out, "%s\n", style->off);
}

static void render(const kd_diags *diags, kd_strbuf *out, const styles *style)
{
    static const char *const NAMES[] = {"note", "warning", "error"};
    for (const kd_diag *d = diags->first; d; d = d->next) {
        kd_place place = kd_loc_place(diags, d->loc);
        if (place.source)
            kd_strbuf_printf(out, "%s%s:%u:%u: ", style->bold, place.source->path, place.line, place.column);
        else
            kd_strbuf_printf(out, "%skdsl: ", style->bold);
        kd_strbuf_printf(out, "%s%s:%s %s%s%s\n", style->kind[d->severity], NAMES[d->severity], style->off, style->bold, d->message,
                         style->off);
        if (place.source)
            render_line(diags, out, style, place, d->loc);
    }
    if (diags->n_errors > MAX_KEPT)
        kd_strbuf_printf(out, "kdsl: note: %u more errors are not shown\n", diags->n_errors - MAX_KEPT);
    if (diags->n_warnings > MAX_KEPT)
        kd_strbuf_printf(out, "kdsl: note: %u more warnings are not shown\n", diags->n_warnings - MAX_KEPT);
}

const char *kd_diags_text(const kd_diags *diags, kd_arena *arena)
{
    kd_strbuf out = kd_strbuf_in(arena);
    render(diags, &out, &PLAIN);
    return kd_strbuf_text(&out);
}

void kd_diags_print(const kd_diags *diags, FILE *out, bool color)
{
    kd_strbuf text = kd_strbuf_in(diags->arena);
    render(diags, &text, color ? &COLORED : &PLAIN);
    fputs(kd_strbuf_text(&text), out);
}
