/* kx.h - executables on disk, between the files that write and read them.
 *
 * A .kx file holds what took time to make. With embedded weights that is the rewritten graph, the machine code of its kernels, and the
 * constants as the steps want them, weights in oneDNN's order; a loaded executable uses them where the file is mapped. Without, it is the
 * machine code, and the name and hash of the model's file, which is read again. Planning is fast and is done anew in both cases.
 *
 * The whole file is covered by a checksum: it is protected against damage. Not against malice: it holds machine code, like a library. */
#ifndef KD_GRAPH_KX_H
#define KD_GRAPH_KX_H

#include "base/hash.h"
#include "graph/executable.h"

/* What compiling needs not do again. */
typedef struct kd_ready {
    const kd_ready_kernel *kernels;
    unsigned n_kernels;
    const kd_packed_weights *packed;
    unsigned n_packed;
    const char *target; /* of the kernels */
    unsigned n_threads; /* for which the weights are packed; 0: any */
    const kd_tensor_info *outputs; /* as the caller knows them; NULL: as the graph has them */
    const kd_node_info *nodes; /* of the model, before it was rewritten */
    unsigned n_nodes;
    bool is_prepared; /* the graph is rewritten */
} kd_ready;

/* As kd_graph_compile. ready may be NULL. */
kd_status kd_graph_compile_ready(const kd_graph *graph, const kd_graph_options *options, const kd_ready *ready,
                                 kd_executable **out_executable, kd_failure *out_why);

/* ---- kx_bytes.c: numbers and texts in a file ---- */

typedef struct kd_kx_reader {
    const unsigned char *at, *end;
    kd_arena *arena;
    bool is_bad; /* something was missing: what is read from then on is 0 */
} kd_kx_reader;

void kd_kx_put_u64(kd_strbuf *out, uint64_t number);
void kd_kx_put_bytes(kd_strbuf *out, const void *data, size_t n_bytes);
void kd_kx_put_text(kd_strbuf *out, const char *text); /* NULL differs from "" */
uint64_t kd_kx_take_u64(kd_kx_reader *r);
/* A number of things of which each takes at least so many bytes. */
unsigned kd_kx_take_count(kd_kx_reader *r, size_t least_bytes);
const void *kd_kx_take_bytes(kd_kx_reader *r, size_t *out_n_bytes);
const char *kd_kx_take_text(kd_kx_reader *r);
void kd_kx_put_type(kd_strbuf *out, const kd_tensor_type *t);
void kd_kx_take_type(kd_kx_reader *r, kd_tensor_type *t);

/* ---- kx_graph.c: a rewritten graph ---- */

/* The place of a constant that is there in packed form only: it is not read. */
static const uint64_t KD_KX_PACKED = UINT64_MAX;
/* places: by the value's id, where its elements lie in the data, + 1; 0: it is no constant. */
void kd_kx_put_graph(kd_strbuf *out, const kd_graph *graph, const uint64_t *places);
/* Into graph, which is empty. False: it makes no sense. */
bool kd_kx_take_graph(kd_kx_reader *r, kd_graph *graph, const unsigned char *data, size_t n_data_bytes);

/* ---- kx.c ---- */

enum { KD_KX_VERSION = 5 };

typedef struct kd_kx_header {
    char magic[8];
    uint64_t version, flags;
    char made_by[32]; /* kd_version */
    char onednn[32]; /* its version; "": not needed */
    char target[24]; /* of the kernels */
    kd_hash processor; /* for machine code of the CPU */
    uint64_t n_bytes, n_front_bytes; /* of the file; between the header and the data */
    uint64_t n_threads;
    kd_hash checksum; /* of the header and what comes before the data, which lists the checksums of the data */
} kd_kx_header;

/* What the header's checksum should be. */
kd_hash kd_kx_checksum(kd_kx_header h, const void *front, size_t n_front_bytes);

/* As kd_executable_save. KD_ERR_UNSUPPORTED, and nothing is written: the file would have more than most_bytes. */
kd_status kd_kx_save(const kd_executable *executable, const char *path, const kd_save_options *options, uint64_t most_bytes, kd_failure *out_why);

/* As kd_executable_load, of bytes. The mapping belongs to the executable on success. */
kd_status kd_kx_load(const char *name, kd_mapping *mapping, const kd_graph_options *options, kd_executable **out_executable,
                     kd_failure *out_why);
/* Looks at the bytes alone: whether they are an executable of this version, whole, for this machine, and whether what is in them makes sense. */
kd_status kd_kx_check(const char *name, const void *data, size_t n_bytes, kd_failure *out_why);
bool kd_kx_is(const void *data, size_t n_bytes);

#endif
