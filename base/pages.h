/* pages.h - memory straight from the system: zeroed, at the beginning of a page, and back with the system as soon as it is freed. For what is
 * large. */
#ifndef KD_BASE_PAGES_H
#define KD_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct kd_pages {
    void *data; /* NULL: none */
    size_t n_bytes;
} kd_pages;

/* False: memory ran out. Takes room when it is written to, in large pages where they fit. */
bool kd_pages_alloc(size_t n_bytes, kd_pages *out);
void kd_pages_free(kd_pages *pages);

#endif
