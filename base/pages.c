/* pages.c - memory by the page. */
#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

bool kd_pages_alloc(size_t n_bytes, kd_pages *out)
{
    if (n_bytes > SIZE_MAX / 2)
        return false;
    size_t n = n_bytes ? n_bytes : 1;
    void *data = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return false;
    if (n >= LARGE_PAGE)
        (void)madvise(data, n, MADV_HUGEPAGE); /* only faster */
    *out = (kd_pages){data, n};
    return true;
}

void kd_pages_free(kd_pages *pages)
{
    if (pages->data)
        munmap(pages->data, pages->n_bytes);
    *pages = (kd_pages){0};
}
