/* diag.h - source texts, places in them, and what went wrong there.
 *
 * Nothing here prints by itself: diagnostics collect in a sink that the command or the Python package owns and shows. */
#ifndef KD_BASE_DIAG_H
#define KD_BASE_DIAG_H

#include "base/arena.h"
#include "base/str.h"

#include <stdint.h>
#include <stdio.h>

/* A range of bytes of one source text. source 0: no known place. */
typedef struct kd_loc {
    uint32_t source;
    uint32_t begin, end; /* byte offsets; end is one past the last byte */
} kd_loc;

#define KD_NO_LOC ((kd_loc){0, 0, 0})

/* From the start of a to the end of b, where both are of one source; else a. */
kd_loc kd_loc_join(kd_loc a, kd_loc b);

typedef struct kd_source {
    const char *path; /* as it is shown to people */
    kd_str text;
    uint32_t *line_starts; /* byte offsets, made on first use */
    unsigned n_lines;
} kd_source;

/* A line and column, both from 1; columns count bytes. line 0: unknown. */
typedef struct kd_place {
    const kd_source *source;
    unsigned line, column;
} kd_place;

typedef enum kd_severity { KD_NOTE, KD_WARNING, KD_ERROR } kd_severity;

typedef struct kd_diag {
    struct kd_diag *next;
    kd_severity severity; /* notes follow the error or warning they belong to */
    kd_loc loc;
    const char *message;
} kd_diag;

/* The sources of one compilation and its diagnostics, in the order they were reported. */
typedef struct kd_diags kd_diags;

kd_diags *kd_diags_create(kd_arena *arena);
/* Another sink for places in the same sources, those that come later too: for attempts whose messages may be thrown away. Lives no longer
 * than the first one. */
kd_diags *kd_diags_create_beside(kd_arena *arena, const kd_diags *diags);
/* Text must outlive the sink (map it, or copy it to the arena). Returns the id that locations carry. */
uint32_t kd_source_add(kd_diags *diags, const char *path, kd_str text);
const kd_source *kd_source_get(const kd_diags *diags, uint32_t id);
kd_place kd_loc_place(const kd_diags *diags, kd_loc loc);

/* Messages: lower-case start, no full stop, the value found and the one expected. Errors and warnings past the 50th are counted, not kept. An
 * error at the very place of an earlier one is dropped: one mistake, one message. */
void kd_error(kd_diags *diags, kd_loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));
void kd_warning(kd_diags *diags, kd_loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Adds to the last error or warning; dropped with it. */
void kd_note(kd_diags *diags, kd_loc loc, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* While lenient, what is reported as an error counts as a warning: for code that may never be reached. Returns what was set before. */
bool kd_diags_set_lenient(kd_diags *diags, bool lenient);
bool kd_diags_is_lenient(const kd_diags *diags);

unsigned kd_diags_n_errors(const kd_diags *diags);
unsigned kd_diags_n_warnings(const kd_diags *diags);
const kd_diag *kd_diags_first(const kd_diags *diags);

/* FILE:LINE:COLUMN: error: message, the line, and carets under the range. */
void kd_diags_print(const kd_diags *diags, FILE *out, bool color);
/* The same as one string in the arena, without colour. */
const char *kd_diags_text(const kd_diags *diags, kd_arena *arena);

#endif
