/* onednn_impl.h - between the files that use oneDNN. */
#ifndef KD_RUNTIME_ONEDNN_ONEDNN_IMPL_H
#define KD_RUNTIME_ONEDNN_ONEDNN_IMPL_H

#include "runtime/onednn/dnnl_calls.h"
#include "runtime/onednn/onednn.h"

struct kd_onednn {
    kd_dnnl_calls dnnl;
    dnnl_engine_t engine;
    const kd_packed_weights *offered; /* NULL: weights are packed */
    unsigned n_offered, n_taken;
    char version[32];
};

#endif
