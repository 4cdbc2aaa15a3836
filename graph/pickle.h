/* pickle.h - the tensors in a file of torch.save, without running what a pickle may ask for.
 *
 * A pickle is a program for a stack machine that can call any function of Python. This reader knows the few calls that make tensors and
 * dictionaries; any other is an error that names the function. */
#ifndef KD_GRAPH_PICKLE_H
#define KD_GRAPH_PICKLE_H

#include "base/kernel_desc.h"
#include "base/zip.h"
#include "graph/graph.h"

typedef struct kd_pickled_tensor {
    kd_str name; /* its key in the dictionary */
    kd_tensor_type type;
    const void *data; /* the first element; n_bytes are there from it on */
    size_t n_bytes;
} kd_pickled_tensor;

/* Reads a dictionary of tensors that torch.save wrote to bytes: an archive of its own. name: of the file, for failures.
 * KD_ERR_DAMAGED, KD_ERR_UNSUPPORTED (objects other than tensors). */
kd_status kd_pickle_read(kd_arena *arena, const char *name, const void *data, size_t n_bytes, const kd_pickled_tensor **out_tensors,
                         unsigned *out_n, kd_failure *out_why);

#endif
