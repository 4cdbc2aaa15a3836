/* dnnl_calls.h - the oneDNN library, opened at run time: its functions. Nothing links against it: only graphs with convolutions or matrix
 * products need it, and it costs a process 50 MB of mappings and libgomp. */
#ifndef KD_RUNTIME_ONEDNN_DNNL_CALLS_H
#define KD_RUNTIME_ONEDNN_DNNL_CALLS_H

#include "base/failure.h"

#include <dnnl.h>

#define KD_DNNL_CALLS(X)                                                                                                               \
    X(dnnl_engine_create) X(dnnl_engine_destroy) X(dnnl_stream_create) X(dnnl_stream_destroy) X(dnnl_stream_wait)                        \
    X(dnnl_memory_desc_create_with_strides) X(dnnl_memory_desc_create_with_tag) X(dnnl_memory_desc_destroy) X(dnnl_memory_desc_equal)    \
    X(dnnl_memory_desc_get_size) X(dnnl_memory_desc_query) X(dnnl_version) X(dnnl_get_effective_cpu_isa) X(dnnl_memory_create) X(dnnl_memory_destroy) X(dnnl_memory_set_data_handle)                             \
    X(dnnl_primitive_attr_create) X(dnnl_primitive_attr_destroy) X(dnnl_primitive_attr_set_post_ops)                                     \
    X(dnnl_primitive_attr_set_scratchpad_mode) X(dnnl_post_ops_create) X(dnnl_post_ops_destroy) X(dnnl_post_ops_append_eltwise)          \
    X(dnnl_post_ops_append_binary) X(dnnl_primitive_desc_query_md) X(dnnl_primitive_desc_query) X(dnnl_primitive_desc_destroy)           \
    X(dnnl_convolution_forward_primitive_desc_create) X(dnnl_deconvolution_forward_primitive_desc_create) X(dnnl_matmul_primitive_desc_create) X(dnnl_pooling_forward_primitive_desc_create) \
    X(dnnl_reorder_primitive_desc_create) X(dnnl_primitive_create) X(dnnl_primitive_destroy) X(dnnl_primitive_execute)

/* What oneDNN's threads are, where they are those of GNU OpenMP. */
typedef struct kd_gomp_calls {
    void (*parallel)(void (*work)(void *), void *data, unsigned n_threads, unsigned flags); /* NULL: it runs on something else */
    int (*get_thread_num)(void);
    int (*get_max_threads)(void);
    void (*set_num_threads)(int n);
} kd_gomp_calls;

typedef struct kd_dnnl_calls {
#define KD_DNNL_MEMBER(name) __typeof__(&name) name;
    KD_DNNL_CALLS(KD_DNNL_MEMBER)
#undef KD_DNNL_MEMBER
    kd_gomp_calls gomp;
} kd_dnnl_calls;

/* KD_ERR_NOT_FOUND: there is no oneDNN. */
kd_status kd_dnnl_open(kd_dnnl_calls *out, kd_failure *out_why);

#endif
