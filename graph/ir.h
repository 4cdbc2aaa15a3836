/* ir.h - the operator graph: nodes of PyTorch's aten ops on shaped, strided, typed values, in an order in which they can be computed.
 *
 * Everything lives in the graph's arena. Values are immutable: a pass that rewrites makes new nodes and points the readers to them. */
#ifndef KD_GRAPH_IR_H
#define KD_GRAPH_IR_H

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/vec.h"
#include "graph/graph.h"
#include "runtime/onednn/onednn.h"

typedef struct kd_gnode kd_gnode;

typedef struct kd_gvalue {
    unsigned id; /* its place in the graph's values */
    const char *name; /* as in the file, without the '%'; unique */
    kd_tensor_type type;
    kd_gnode *def; /* NULL: an input */
    unsigned result; /* of def: which */
    const void *data; /* of an input that the file has data for, where that is mapped: at any address */
    const struct kd_recipe *recipe; /* of a constant that is computed from others; NULL: it is none (constant.h) */
    unsigned n_uses; /* by nodes and outputs; kd_graph_count_uses */
} kd_gvalue;

typedef enum kd_garg_kind {
    KD_GARG_NONE,
    KD_GARG_VALUE,
    KD_GARG_INT,
    KD_GARG_FLOAT,
    KD_GARG_BOOL,
    KD_GARG_TEXT,
    KD_GARG_LIST
} kd_garg_kind;

typedef struct kd_garg {
    kd_garg_kind kind;
    union {
        kd_gvalue *value;
        int64_t i; /* INT, BOOL */
        double f;
        const char *text;
        struct {
            const struct kd_garg *items;
            unsigned n;
        } list;
    };
} kd_garg;

/* What a primitive does to its result, element by element, before it stores it: a pointwise node that was merged into it. */
typedef struct kd_gpost {
    kd_post_kind kind;
    float alpha, beta;
    int arg; /* of the node: the other tensor; -1: none */
} kd_gpost;

struct kd_gnode {
    const struct kd_gop *op;
    const struct kd_gop *part_of; /* the op that it was written out of; NULL: it stands for itself */
    const kd_garg *args; /* one for each parameter of the op, defaults filled in; behind them the tensors of posts */
    unsigned n_args;
    kd_gvalue **results;
    unsigned n_results;
    const kd_gpost *posts;
    unsigned n_posts;
    unsigned n_parts; /* of a product's inner dimension, if more than 1: the result has a dimension in front, for the sum of each */
    const char *origin; /* the names of the file's nodes that it came from */
    const char *at;     /* the line of the model that made it, for messages; NULL: unknown */
};

/* An input that the graph changes from run to run: its last inputs and its last outputs are such. */
typedef struct kd_graph_state {
    const void *data; /* at first, in the strides of the input */
    const char *becomes; /* an output's name */
} kd_graph_state;

struct kd_graph {
    kd_arena *arena;
    kd_budget budget;
    const char *name; /* of the file, for messages */
    kd_hash content;  /* of the graph's text */
    KD_VEC(kd_gvalue *) values;
    KD_VEC(kd_gvalue *) inputs;
    KD_VEC(kd_gnode *) nodes;
    KD_VEC(kd_gvalue *) outputs;
    KD_VEC(kd_graph_state) states;
    KD_VEC(kd_mapping) files; /* weights */
    kd_mapping archive; /* a .pt2 file, with weights */
    bool has_callers_memory; /* for weights */
    bool has_variable_shapes; /* the file's program has, of which this graph is one for known shapes */
};

static inline kd_garg kd_garg_value(kd_gvalue *value)
{
    kd_garg arg = {.kind = KD_GARG_VALUE};
    arg.value = value;
    return arg;
}

static inline kd_garg kd_garg_int(int64_t i)
{
    kd_garg arg = {.kind = KD_GARG_INT};
    arg.i = i;
    return arg;
}

static inline kd_garg kd_garg_float(double f)
{
    kd_garg arg = {.kind = KD_GARG_FLOAT};
    arg.f = f;
    return arg;
}

/* Extents and strides are less than 2 to the power of this. */
enum { KD_TENSOR_MAX_EXTENT_BITS = 40 };

/* Bytes that a graph may take without its weights. */
enum { KD_GRAPH_LIMIT = 1 << 30 };

/* An empty graph in an arena of its own. NULL: memory ran out. */
kd_graph *kd_graph_create(const char *name);
/* Reads a program that torch.export.save wrote. On success the mapping belongs to the graph. */
kd_status kd_graph_import_pt2(const char *name, kd_mapping *mapping, const kd_input_shapes *shapes, kd_graph **out_graph,
                              kd_failure *out_why);
kd_gvalue *kd_graph_add_value(kd_graph *graph, const char *name, const kd_tensor_type *type);
bool kd_graph_is_output(const kd_graph *graph, const kd_gvalue *value);
void kd_graph_count_uses(kd_graph *graph);
/* The file of the graph's that is mapped at an address; NULL: none. */
const kd_mapping *kd_graph_file_of(const kd_graph *graph, const void *data);
/* "f32[2, 3]". */
const char *kd_tensor_type_text(kd_arena *arena, const kd_tensor_type *type);
const char *kd_shape_text(kd_arena *arena, unsigned n_dims, const int64_t *shape);
/* Row-major strides of a type's shape. */
void kd_tensor_set_contiguous(kd_tensor_type *type);
bool kd_tensor_is_contiguous(const kd_tensor_type *type);
/* Elements lie next to one another, each once. */
bool kd_tensor_is_dense(const kd_tensor_type *type);
/* Strides with the channels, dimension 1, next to one another: nhwc. */
void kd_tensor_set_channels_last(kd_tensor_type *type);
bool kd_tensor_is_channels_last(const kd_tensor_type *type);
/* The number of elements and the memory that they span are numbers that no later arithmetic overflows. */
bool kd_tensor_is_reasonable(const kd_tensor_type *type);
bool kd_tensor_same_shape(const kd_tensor_type *a, const kd_tensor_type *b);
/* "%x", "3", "[1, 2]". */
void kd_garg_print(const kd_garg *arg, kd_strbuf *out);
/* The argument with other values in place of its own, those in lists included. */
kd_garg kd_garg_map(kd_arena *arena, kd_garg arg, kd_gvalue *(*of)(kd_gvalue *value, void *user), void *user);
/* One node, without a line end: "%y: f32[2, 3] = aten.relu(%x)". */
void kd_graph_print_node(const kd_gnode *node, kd_arena *scratch, kd_strbuf *out);

#endif
