/* pt2.h - programs that torch.export.save wrote: their graph in the kg format, and where their tensors are. */
#ifndef KD_GRAPH_PT2_H
#define KD_GRAPH_PT2_H

#include "base/vec.h"
#include "base/zip.h"
#include "graph/graph.h"

#include <yyjson.h>

/* ---- pt2_archive.c: the files ---- */

/* A tensor of the archive: its elements from the first one on, where they are in the file. */
typedef struct kd_pt2_tensor {
    const char *name; /* "conv1.weight" */
    const void *data;
    size_t n_bytes;
} kd_pt2_tensor;

typedef struct kd_pt2_archive {
    const char *program; /* JSON */
    size_t n_program_bytes;
    kd_map by_name; /* kd_pt2_tensor */
    yyjson_doc *listing; /* that is being read */
} kd_pt2_archive;

/* An element type by its number in torch._export.serde.schema.ScalarType. False: kdsl has no such type. */
bool kd_pt2_scalar(yyjson_val *number, kd_scalar *out);
kd_status kd_pt2_open(kd_arena *arena, const char *name, const void *data, size_t n_bytes, kd_pt2_archive *out,
                      kd_failure *out_why);

/* ---- from the program to a graph ---- */

/* A value of the program. In place ops change what a name stands for. */
typedef struct kd_pt2_value {
    const char *name; /* of the program */
    const char *now;  /* of the graph: what the name stands for after the in place ops so far */
    kd_tensor_type type;
    unsigned last_use; /* the number of the last node that reads it; UINT_MAX: an output; 0: nobody */
    struct kd_pt2_value *base; /* whose memory it has; itself: its own */
    struct kd_pt2_value *same; /* the first name of the same elements in the same order */
    struct kd_pt2_value *whole; /* what it is a view of, where that can be made anew from it; else NULL */
    const char *put_back, *place; /* the op that makes the whole from the whole and this, and its arguments behind these, as kg text */
    bool is_all; /* from this alone */
    KD_VEC(struct kd_pt2_value *) sharers; /* of a base: all with its memory, itself too */
    unsigned renamed; /* the number of the last node that changed what it stands for */
    const char *weight; /* the archive's name of its data; NULL: it has none there */
} kd_pt2_value;

typedef struct kd_pt2 {
    kd_arena *arena;
    const char *name; /* of the file */
    kd_pt2_archive archive;
    yyjson_doc *doc;
    yyjson_val *metas; /* of values */
    kd_map values, last_uses; /* by name */
    const kd_input_shapes *shapes; /* of inputs, where the caller says them; NULL: none */
    kd_map symbols; /* double: "s0" */
    kd_map numbers; /* kd_pt2_number: values that are no tensors, by name */
    KD_VEC(kd_pt2_value *) outside; /* inputs and weights */
    kd_strbuf inputs, nodes, outputs; /* in the kg format */
    KD_VEC(kd_graph_memory) memory;   /* of weights */
    unsigned number, n_temporaries; /* of the node that is translated, from 1 */
    yyjson_val *node;
    const char *op; /* "aten.relu_.default" */
    const char *at; /* the line of the model */
    kd_failure *why;
} kd_pt2;

/* ---- pt2_graph.c ---- */

/* The only member of an object, {"as_int": 3}: its key, "" where there is none, and what it holds. */
yyjson_val *kd_pt2_only_member(yyjson_val *object, const char **out_key);
/* The name of the tensor that an entry of the program's input_specs stands for, where the caller passes it; else NULL. */
const char *kd_pt2_user_input(yyjson_val *spec);
/* "mlp.pt2: %y = aten.add_.Tensor: ... (mlp.py:31: x += 1)" */
kd_status kd_pt2_bad(kd_pt2 *p, kd_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- pt2_node.c: what the current node says, and the nodes that it becomes ---- */

/* An argument of the current node by name, and how the file tags it, "as_int". NULL: not given, or None. */
yyjson_val *kd_pt2_arg(const kd_pt2 *p, const char *name, const char **out_tag);
/* It as kg text; 'otherwise' where it is not given. */
const char *kd_pt2_arg_text(kd_pt2 *p, const char *name, const char *otherwise);
int64_t kd_pt2_arg_int(const kd_pt2 *p, const char *name, int64_t otherwise);
bool kd_pt2_arg_bool(const kd_pt2 *p, const char *name);
/* The tensor that an argument names; NULL: it is none. */
kd_pt2_value *kd_pt2_arg_tensor(const kd_pt2 *p, const char *name);

const char *kd_pt2_type_text(kd_pt2 *p, kd_scalar type); /* "f32", quoted */
/* Of the current node. NULL: there is none. */
kd_pt2_value *kd_pt2_result(const kd_pt2 *p, unsigned i);
unsigned kd_pt2_n_results(const kd_pt2 *p);
/* "[2, 3]" */
const char *kd_pt2_list(kd_pt2 *p, const int64_t *numbers, unsigned n);
/* A value as an argument: "%x", quoted. */
const char *kd_pt2_ref(kd_pt2 *p, const kd_pt2_value *value);

/* In quotes, behind a prefix. */
void kd_pt2_put_text(kd_strbuf *out, const char *prefix, const char *text);
/* "t": "f32", "s": [2, 3], "st": [3, 1] */
void kd_pt2_put_type(kd_pt2 *p, const kd_tensor_type *type, kd_strbuf *out);
/* Calls fn with the name of each result, NULL where there is none; until it fails. */
kd_status kd_pt2_each_result(kd_pt2 *p, kd_status (*fn)(kd_pt2 *p, const char *name));

/* The node that computes result i; args is the text of a JSON list without its brackets. */
void kd_pt2_emit_result(kd_pt2 *p, unsigned i, const char *op, const char *args, ...) __attribute__((format(printf, 4, 5)));
/* The node that computes the first result, with so many others behind it that nobody reads. */
void kd_pt2_emit_first(kd_pt2 *p, unsigned n_others, const char *op, const char *args, ...) __attribute__((format(printf, 4, 5)));
/* A node beside the current one; returns the name of its result. */
const char *kd_pt2_emit_more(kd_pt2 *p, const char *op, const char *args, ...) __attribute__((format(printf, 3, 4)));
/* The node that computes all results. */
void kd_pt2_emit_all(kd_pt2 *p, const char *op, const char *args, ...) __attribute__((format(printf, 3, 4)));
/* The current node as the file has it, under another name. */
kd_status kd_pt2_emit_same(kd_pt2 *p, const char *op);

/* ---- pt2_symbols.c: variable shapes ---- */

typedef enum kd_pt2_number_kind { KD_PT2_INT, KD_PT2_BOOL, KD_PT2_FLOAT } kd_pt2_number_kind;

/* A value that is computed from extents. */
typedef struct kd_pt2_number {
    kd_pt2_number_kind kind;
    double value;
} kd_pt2_number;

/* Finds what the symbols of the inputs' extents stand for. KD_ERR_ARGUMENT: the caller's shapes are none of the program's. */
kd_status kd_pt2_bind_symbols(kd_pt2 *p, yyjson_val *input_specs);
/* After that: all values that are numbers now. */
void kd_pt2_find_numbers(kd_pt2 *p, yyjson_val *graph);
/* {"as_name": "floordiv"}. NULL: it is no such thing, or known at run time only. */
const kd_pt2_number *kd_pt2_number_named(const kd_pt2 *p, yyjson_val *v);
/* {"as_int": 3}, or {"as_expr": ...}: an extent or stride of the value 'name'. */
kd_status kd_pt2_extent(kd_pt2 *p, const char *name, yyjson_val *v, int64_t *out);

/* ---- pt2_views.c ---- */

/* Finds how 'whole' is made anew from 'part', result i of the current node and a view of it, once that was changed. */
void kd_pt2_find_way_back(kd_pt2 *p, kd_pt2_value *part, kd_pt2_value *whole, unsigned i);

/* ---- pt2_ops.c ---- */

/* Writes the current node, whose op graph/ops.def may not have, with ops that it has. p->op is the op; an in place op has lost its '_'. */
kd_status kd_pt2_translate(kd_pt2 *p);

typedef enum kd_pt2_sharing { KD_PT2_OWN, KD_PT2_VIEW, KD_PT2_SAME } kd_pt2_sharing;
/* Whether the current node's results are the memory of its first argument: other elements or another order of them, or the very same. */
kd_pt2_sharing kd_pt2_shares(const kd_pt2 *p);

#endif
