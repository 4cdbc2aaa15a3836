/* onednn_impl.h - between the files that use oneDNN. */
#ifndef KD_RUNTIME_ONEDNN_ONEDNN_IMPL_H
#define KD_RUNTIME_ONEDNN_ONEDNN_IMPL_H

#include "base/pages.h"
#include "runtime/onednn/dnnl_calls.h"
#include "runtime/onednn/onednn.h"

struct kd_onednn {
    kd_dnnl_calls dnnl;
    dnnl_engine_t engine;
    const kd_packed_weights *offered; /* NULL: weights are packed */
    unsigned n_offered, n_taken;
    char version[32];
    kd_pages slab; /* for packed weights, the newest */
    size_t n_slab_bytes; /* of it that are taken */
};

/* ---- slab.c ---- */

/* Memory that is there until kd_onednn_release_packed, aligned to 64. NULL: memory ran out. */
void *kd_onednn_take_slab(kd_onednn *onednn, size_t n_bytes);

#endif
