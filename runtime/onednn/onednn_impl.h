/* onednn_impl.h - between the files that use oneDNN. */
#ifndef KD_RUNTIME_ONEDNN_ONEDNN_IMPL_H
#define KD_RUNTIME_ONEDNN_ONEDNN_IMPL_H

#include "runtime/onednn/dnnl_calls.h"
#include "runtime/onednn/onednn.h"

struct kd_onednn {
    kd_dnnl_calls dnnl;
    dnnl_engine_t engine;
};

#endif
