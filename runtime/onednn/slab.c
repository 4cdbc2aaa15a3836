/* slab.c - memory for packed weights: one behind the other in large pages, which all go together. */
#include "runtime/onednn/onednn_impl.h"

enum { ALIGNMENT = 64, SLAB_BYTES = 64 << 20 };

/* At the beginning of each slab. */
typedef struct slab_head {
    kd_pages older;
} slab_head;

void *kd_onednn_take_slab(kd_onednn *onednn, size_t n_bytes)
{
    if (n_bytes > SIZE_MAX / 2)
        return NULL;
    size_t padded = (n_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!onednn->slab.data || padded > onednn->slab.n_bytes - onednn->n_slab_bytes) {
        kd_pages newest;
        if (!kd_pages_alloc(padded + ALIGNMENT > SLAB_BYTES ? padded + ALIGNMENT : SLAB_BYTES, &newest))
            return NULL;
        ((slab_head *)newest.data)->older = onednn->slab;
        onednn->slab = newest;
        onednn->n_slab_bytes = ALIGNMENT;
    }
    void *taken = (char *)onednn->slab.data + onednn->n_slab_bytes;
    onednn->n_slab_bytes += padded;
    return taken;
}

void kd_onednn_release_packed(kd_onednn *onednn)
{
    while (onednn->slab.data) {
        kd_pages older = ((slab_head *)onednn->slab.data)->older;
        kd_pages_free(&onednn->slab);
        onednn->slab = older;
    }
}
