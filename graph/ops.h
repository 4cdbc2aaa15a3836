/* ops.h - the table of ops (ops.def) as C: what an op is, and what its arguments say. */
#ifndef KD_GRAPH_OPS_H
#define KD_GRAPH_OPS_H

#include "graph/index.h"
#include "graph/ir.h"

typedef enum kd_gop_code {
#define KD_GOP(id, ...) KD_GOP_##id,
#include "graph/ops.def"
    KD_N_GOPS
} kd_gop_code;

typedef enum kd_lowering {
    KD_LOWER_POINTWISE,
    KD_LOWER_REDUCTION,
    KD_LOWER_VIEW,
    KD_LOWER_COMPOSITE,
    KD_LOWER_PRIMITIVE
} kd_lowering;
/* In which type a pointwise op takes its operands. */
typedef enum kd_compute { KD_COMPUTE_RESULT, KD_COMPUTE_OPERANDS, KD_COMPUTE_EACH } kd_compute;
typedef enum kd_combine { KD_COMBINE_sum, KD_COMBINE_max, KD_COMBINE_min } kd_combine;

/* Where inference tells what is wrong with a node. */
typedef struct kd_infer {
    kd_arena *arena;
    kd_failure *why;
    kd_tensor_type *types; /* of the results; room for n_results */
    unsigned n_results;    /* that the node has; an op that always makes another number says so */
} kd_infer;

typedef struct kd_gop {
    kd_gop_code code;
    const char *name, *params;
    kd_status (*infer)(kd_infer *cx, const kd_gnode *node);
    kd_lowering lowering;
    kd_compute compute;
    const char *expression;                           /* NULL: choose */
    const char *(*choose)(const kd_gnode *node);
    kd_combine combine;
    /* at: of the node's result number 'result'; out_at: of its first operand. */
    void (*view)(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at);
} kd_gop;

extern const kd_gop kd_gops[KD_N_GOPS];

/* By "aten.add.Tensor". NULL: unknown. */
const kd_gop *kd_gop_find(kd_str name);

typedef enum kd_param_kind {
    KD_PARAM_TENSOR,
    KD_PARAM_TENSORS,
    KD_PARAM_INT,
    KD_PARAM_INTS,
    KD_PARAM_NUMBER,
    KD_PARAM_BOOL,
    KD_PARAM_TEXT
} kd_param_kind;

typedef struct kd_gparam {
    kd_str name, default_text; /* default_text.ptr NULL: the argument must be given */
    kd_str type_text;
    kd_param_kind kind;
    bool optional; /* null may be given */
} kd_gparam;

enum { KD_GOP_MAX_PARAMS = 16 };
/* The parameters of an op; how many. */
unsigned kd_gop_params(const kd_gop *op, kd_gparam out_params[KD_GOP_MAX_PARAMS]);

/* ---- arguments of a node, by parameter; one that the op does not have is none ---- */

static inline bool kd_gnode_has(const kd_gnode *node, unsigned i)
{
    return i < node->n_args && node->args[i].kind != KD_GARG_NONE;
}

kd_gvalue *kd_gnode_tensor(const kd_gnode *node, unsigned i); /* NULL: none, or a number */
int64_t kd_gnode_int(const kd_gnode *node, unsigned i, int64_t otherwise);
double kd_gnode_number(const kd_gnode *node, unsigned i, double otherwise);
bool kd_gnode_bool(const kd_gnode *node, unsigned i);
/* Numbers of a list; a single number stands for a list of one. How many, at most capacity. */
unsigned kd_gnode_ints(const kd_gnode *node, unsigned i, int64_t *out, unsigned capacity);
/* A dimension counted from the end where it is negative, of n_dims; -1: out of range. */
int kd_gnode_dim(int64_t dim, unsigned n_dims);
/* Which dimensions a reduction goes over, as a mask; an empty list or none means all. 0 with *out_bad set: out of range or twice. */
unsigned kd_gnode_dims_mask(const kd_gnode *node, unsigned i, unsigned n_dims, bool *out_bad);
/* What the tensors and numbers of a node promote to by PyTorch's rules. */
kd_scalar kd_gnode_promote(const kd_gnode *node);
/* A type argument. */
bool kd_gnode_scalar_type(const kd_gnode *node, unsigned i, kd_scalar *out);
/* Calls fn with each tensor that the node reads. */
void kd_gnode_each_tensor(const kd_gnode *node, void (*fn)(void *user, kd_gvalue *value), void *user);

/* ---- functions that the table names ---- */

#define KD_GRAPH_INFER_RULES(X)                                                                                                \
    X(promote)                                                                                                                 \
    X(float) X(bool) X(where) X(like) X(to_type) X(sum) X(sum_all) X(reduce) X(mean) X(mean_all) X(softmax) X(layer_norm)      \
        X(batch_norm) X(view) X(expand) X(permute) X(transpose) X(t) X(unsqueeze) X(squeeze) X(select) X(slice) X(split) X(mm) \
            X(bmm) X(addmm) X(convolution) X(max_pool2d) X(full) X(arange) X(embedding)
#define KD_DECLARE(rule) kd_status kd_infer_##rule(kd_infer *cx, const kd_gnode *node);
KD_GRAPH_INFER_RULES(KD_DECLARE)
#undef KD_DECLARE

#define KD_GRAPH_VIEW_MAPS(X) X(reshape) X(expand) X(permute) X(transpose) X(t) X(select) X(slice) X(split) X(same)
#define KD_DECLARE(map) \
    void kd_view_##map(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at);
KD_GRAPH_VIEW_MAPS(KD_DECLARE)
#undef KD_DECLARE

const char *kd_expression_pow(const kd_gnode *node);
const char *kd_expression_clamp(const kd_gnode *node);
const char *kd_expression_gelu(const kd_gnode *node);

#endif
