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
    KD_LOWER_SCAN,
    KD_LOWER_VIEW,
    KD_LOWER_COMPOSITE,
    KD_LOWER_EXPANDED,
    KD_LOWER_PRIMITIVE,
    KD_LOWER_KERNEL
} kd_lowering;
/* In which type a pointwise op takes its operands. */
typedef enum kd_compute { KD_COMPUTE_RESULT, KD_COMPUTE_OPERANDS, KD_COMPUTE_EACH } kd_compute;
/* max and min keep a NaN, peak is a max that may lose it; spread is the sum of the squares of the distances from the mean; order sorts. */
typedef enum kd_combine {
    KD_COMBINE_sum,
    KD_COMBINE_prod,
    KD_COMBINE_max,
    KD_COMBINE_min,
    KD_COMBINE_peak,
    KD_COMBINE_spread,
    KD_COMBINE_order
} kd_combine;

struct kd_decomposer;

/* Where inference tells what is wrong with a node. */
typedef struct kd_infer {
    kd_arena *arena;
    kd_failure *why;
    kd_tensor_type *types; /* of the results; room for n_results */
    unsigned n_results;    /* that the node has; an op that always makes another number says so */
} kd_infer;

/* Where index is at least 'least' and below 'limit', and a whole number of steps from 'least'. */
typedef struct kd_condition {
    kd_index index;
    int64_t least, limit, step;
} kd_condition;

/* A part of a result that one argument gives: the elements for which all conditions hold, and no earlier piece's do. */
typedef struct kd_piece {
    const kd_garg *arg; /* a tensor or a number */
    kd_index at[KD_TENSOR_MAX_DIMS]; /* of the tensor */
    unsigned n_conditions;
    kd_condition conditions[KD_TENSOR_MAX_DIMS];
} kd_piece;

/* One coordinate of the element of parameter 0 that a result's element is. */
typedef struct kd_picked {
    kd_gvalue *by; /* a tensor of indices, read at 'at'; NULL: at[0] is the coordinate */
    kd_index at[KD_TENSOR_MAX_DIMS];
    bool wraps; /* negative indices count from the end */
} kd_picked;

typedef struct kd_gop {
    kd_gop_code code;
    const char *short_name, *name, *params; /* short_name: as the table and formulas have it */
    kd_status (*infer)(kd_infer *cx, const kd_gnode *node);
    kd_lowering lowering;
    kd_compute compute;
    const char *expression;                           /* NULL: choose; of an expanded op: its formula, see formula.c */
    const char *(*choose)(const kd_gnode *node);
    kd_combine combine;
    /* Pointwise ops that read elsewhere than at their own place, see places.c. piece: number i, in the order in which they are tried; false:
     * there are no more. */
    bool (*piece)(kd_arena *arena, const kd_gnode *node, unsigned i, const kd_index *at, kd_piece *out);
    void (*pick)(kd_arena *arena, const kd_gnode *node, const kd_index *at, kd_picked out[KD_TENSOR_MAX_DIMS]);
    void (*decompose)(struct kd_decomposer *d);
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
    KD_PARAM_NUMBERS,
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
/* So many of the largest elements are looked for one after the other. */
enum { KD_GRAPH_FEW = 32 };
/* The parameters of an op; how many. */
unsigned kd_gop_params(const kd_gop *op, kd_gparam out_params[KD_GOP_MAX_PARAMS]);

/* "3", "-inf". False: no number. */
bool kd_garg_parse_number(kd_str text, kd_garg *out);
/* What an argument is that is not given; none where it has no default. */
kd_garg kd_gparam_default(kd_arena *arena, const kd_gparam *param);

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
/* One number for each of n dimensions of an image; a single one stands for all. False: another number of them. */
bool kd_gnode_spatial(const kd_gnode *node, unsigned i, unsigned n, int64_t *out);
/* The value whose elements these are. */
const kd_gvalue *kd_gvalue_behind_views(const kd_gvalue *value);
/* A dimension counted from the end where it is negative, of n_dims; -1: out of range. */
int kd_gnode_dim(int64_t dim, unsigned n_dims);
/* Which dimensions a reduction goes over, as a mask; an empty list or none means all. 0 with *out_bad set: out of range or twice. */
unsigned kd_gnode_dims_mask(const kd_gnode *node, unsigned i, unsigned n_dims, bool *out_bad);
/* What the tensors and numbers of a node promote to by PyTorch's rules. */
kd_scalar kd_gnode_promote(const kd_gnode *node);
/* A type argument. */
bool kd_gnode_scalar_type(const kd_gnode *node, unsigned i, kd_scalar *out);
/* What fills the result of full and its like; start, end and step of a range. */
kd_garg kd_gnode_filling(const kd_gnode *node);
void kd_gnode_range(const kd_gnode *node, kd_garg out[3]);
/* Where a slice begins and how many elements it has, by Python's rules: parameters start, end and step stand at first and behind it. */
void kd_gnode_slice_bounds(const kd_gnode *node, unsigned first, int64_t extent, int64_t *out_start, int64_t *out_n);
/* The dimensions that the indices of an index op broadcast to, and where they are in the result. False: they do not broadcast. */
/* How kdsl.scatter_rows combines a value with what is there. */
typedef enum kd_scatter_kind { KD_SCATTER_PUT, KD_SCATTER_ADD, KD_SCATTER_MULTIPLY, KD_SCATTER_MAX, KD_SCATTER_MIN } kd_scatter_kind;

typedef struct kd_index_layout {
    unsigned first, n_dims;
    int64_t shape[KD_TENSOR_MAX_DIMS];
} kd_index_layout;
bool kd_gnode_index_layout(const kd_gnode *node, kd_index_layout *out);
/* The windows of a pooling node, over the last n dimensions. */
typedef struct kd_pooling {
    unsigned n;
    int64_t size[3], stride[3], padding[3], dilation[3];
    bool ceils; /* windows that begin inside count, though they end beyond the padding */
} kd_pooling;
unsigned kd_gnode_pool_dims(const kd_gnode *node);
bool kd_gnode_pooling(const kd_gnode *node, kd_pooling *out); /* false: the arguments make no sense */
/* What is beyond the ends. */
typedef enum kd_padding_mode {
    KD_PADDING_CONSTANT,
    KD_PADDING_REFLECT,
    KD_PADDING_REPLICATE,
    KD_PADDING_CIRCULAR,
    KD_PADDING_UNKNOWN
} kd_padding_mode;
kd_padding_mode kd_gnode_padding_mode(const kd_gnode *node);
/* How an image becomes one of another size, along its last n dimensions: element i is what is at step * i. */
typedef struct kd_upsampling {
    unsigned n;
    int64_t size[3];
    double step[3]; /* a number of f32, but for an image in f64 */
    bool is_linear, is_cubic, align_corners, is_exact; /* is_exact: by the middle of the element */
} kd_upsampling;
bool kd_gnode_upsampling(const kd_gnode *node, kd_upsampling *out); /* false: the arguments make no sense */
/* Writes an op out with others as the graph is read: adds their nodes, and says which values its results are. */
kd_status kd_graph_expand(kd_graph *graph, const kd_gnode *node, kd_gvalue **out_results, kd_failure *out_why);
/* Calls fn with each tensor that the node reads. */
void kd_gnode_each_tensor(const kd_gnode *node, void (*fn)(void *user, kd_gvalue *value), void *user);

/* ---- functions that the table names ---- */

#define KD_GRAPH_INFER_RULES(X)                                                                                                   \
    X(promote)                                                                                                                    \
    X(float)                                                                                                                      \
    X(number)                                                                                                                     \
    X(bool)                                                                                                                       \
    X(where)                                                                                                                      \
    X(like) X(first) X(scatter_reduce) X(div_mode) X(gelu) X(to_type) X(glu) X(log_sigmoid) X(sum) X(sum_all) X(reduce) X(reduce_float) X(any) X(extreme)           \
        X(position) X(topk) X(sort) X(order) X(norm) X(mean) X(mean_all) X(variance) X(softmax) X(softmax_like) X(scan)           \
            X(layer_norm) X(group_norm) X(batch_norm) X(dropout) X(view) X(flatten) X(unflatten) X(expand) X(repeat) X(permute)   \
                X(transpose) X(t) X(unsqueeze) X(squeeze) X(select) X(slice) X(split) X(unbind) X(flip) X(roll) X(windows) X(mm)  \
                    X(bmm) X(addmm) X(baddbmm) X(linear) X(matmul) X(convolution) X(pool) X(adaptive_pool) X(spatial_mean)        \
                        X(attention) X(scatter_rows) X(full) X(full_like) X(new_full) X(arange) X(cat) X(stack) X(pad) X(slice_scatter)           \
                            X(select_scatter) X(embedding) X(gather) X(index) X(bucketize) X(embedding_bag) X(diagonal) X(unfold) \
                                X(as_strided) X(pad_mode) X(upsample) X(expanded)
#define KD_DECLARE(rule) kd_status kd_infer_##rule(kd_infer *cx, const kd_gnode *node);
KD_GRAPH_INFER_RULES(KD_DECLARE)
#undef KD_DECLARE

#define KD_GRAPH_VIEW_MAPS(X) \
    X(reshape)                \
    X(expand)                 \
    X(repeat)                 \
    X(permute)                \
    X(transpose) X(t) X(select) X(slice) X(split) X(unbind) X(same) X(flip) X(roll) X(windows) X(diagonal) X(unfold) X(strided)
#define KD_DECLARE(map) \
    void kd_view_##map(kd_arena *arena, const kd_gnode *node, unsigned result, const kd_index *at, kd_index *out_at);
KD_GRAPH_VIEW_MAPS(KD_DECLARE)
#undef KD_DECLARE

#define KD_GRAPH_COMPOSITES(X)                                                                                                     \
    X(glu)                                                                                                                         \
    X(log_sigmoid)                                                                                                                 \
    X(copy)                                                                                                                        \
    X(full)                                                                                                                        \
    X(arange) X(stack) X(triangle) X(index_put) X(scatter) X(masked_scatter) X(bucketize) X(embedding_bag) X(as_strided)           \
        X(sum_all) X(extreme) X(position) X(topk) X(sort) X(mean) X(variance) X(vector_norm) X(logsumexp) X(softmax) X(layer_norm) \
            X(group_norm) X(batch_norm) X(dropout) X(baddbmm) X(addmm) X(linear) X(matmul) X(pad) X(upsample) X(max_pool)          \
                X(avg_pool) X(adaptive_pool) X(attention)
#define KD_DECLARE(which) void kd_decompose_##which(struct kd_decomposer *d);
KD_GRAPH_COMPOSITES(KD_DECLARE)
#undef KD_DECLARE

#define KD_GRAPH_EXPANSIONS(X)                                                                                        \
    X(formula) X(adaptive_max_pool) X(affine_grid) X(atleast) X(bilinear) X(binary_cross_entropy)                     \
    X(binary_cross_entropy_logits) X(block_diag) X(broadcast_tensors) X(cartesian_prod) X(chain_matmul)               \
    X(channel_shuffle) X(col2im) X(conv) X(conv_transpose) X(cross) X(cross_entropy_loss) X(diag) X(diag_embed)       \
    X(diff) X(einsum) X(eye) X(grid_sampler) X(gru_cell) X(histc) X(im2col) X(index_write) X(inner) X(instance_norm)  \
    X(joined) X(kl_div) X(kron) X(kthvalue) X(linalg_norm) X(linspace) X(logit) X(logspace) X(lstm_cell)              \
    X(matrix_norm) X(matrix_power) X(max_unpool) X(median) X(meshgrid) X(movedim) X(nan_to_num) X(narrow) X(nll_loss) \
    X(numpy_t) X(one_hot) X(pixel_shuffle) X(pixel_unshuffle) X(poisson_nll_loss) X(prelu) X(recurrent)               \
    X(repeat_interleave) X(rms_norm) X(roi_align) X(rot90) X(rrelu) X(running_extreme) X(take_along_dim) X(tensordot) \
    X(tile) X(triangle_indices) X(weight_norm)
#define KD_DECLARE(which) void kd_expand_##which(struct kd_decomposer *d);
KD_GRAPH_EXPANSIONS(KD_DECLARE)
#undef KD_DECLARE

#define KD_DECLARE(which) \
    bool kd_piece_##which(kd_arena *arena, const kd_gnode *node, unsigned i, const kd_index *at, kd_piece *out);
KD_DECLARE(cat)
KD_DECLARE(pad)
KD_DECLARE(slice_scatter)
KD_DECLARE(select_scatter)
#undef KD_DECLARE
#define KD_DECLARE(which) \
    void kd_pick_##which(kd_arena *arena, const kd_gnode *node, const kd_index *at, kd_picked out[KD_TENSOR_MAX_DIMS]);
KD_DECLARE(embedding)
KD_DECLARE(gather) KD_DECLARE(index)
#undef KD_DECLARE
#define KD_DECLARE(which) const char *kd_expression_##which(const kd_gnode *node);
    KD_DECLARE(add) KD_DECLARE(pow) KD_DECLARE(clamp) KD_DECLARE(gelu) KD_DECLARE(div_mode) KD_DECLARE(remainder) KD_DECLARE(fmod) KD_DECLARE(round)
        KD_DECLARE(shift) KD_DECLARE(order) KD_DECLARE(arange) KD_DECLARE(smooth_distance) KD_DECLARE(signbit) KD_DECLARE(isclose)
#undef KD_DECLARE

#endif
