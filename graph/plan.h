/* plan.h - between the files that turn a graph into an executable: what becomes of each value, and the groups of nodes that share a kernel. */
#ifndef KD_GRAPH_PLAN_H
#define KD_GRAPH_PLAN_H

#include "graph/index.h"
#include "graph/ir.h"
#include "graph/ops.h"

/* Memory for one value. */
typedef enum kd_place { KD_PLACE_INPUT, KD_PLACE_CONSTANT, KD_PLACE_OUTPUT, KD_PLACE_ARENA } kd_place;

typedef struct kd_buffer {
    const kd_gvalue *value;
    kd_tensor_type type;
    kd_place place;
    unsigned number; /* INPUT and OUTPUT: which */
    size_t offset; /* ARENA; of a copy, among the executable's */
    const void *host; /* CONSTANT that a step reads: its elements */
    const void *data; /* the same, where steps read them: on a GPU in its memory */
    bool is_copy; /* in the executable's own memory */
    unsigned id;
    unsigned first_step, last_step; /* ARENA: when it is alive */
} kd_buffer;

/* What becomes of a value. */
typedef enum kd_fate {
    KD_FATE_DEAD, /* nobody reads it */
    KD_FATE_INPUT, /* an input, with or without data */
    KD_FATE_VIEW, /* an index map on another value */
    KD_FATE_INLINE, /* computed anew where it is read */
    KD_FATE_MEMBER, /* computed once in its group's kernel */
    KD_FATE_PRIMITIVE, /* the result of a oneDNN primitive */
} kd_fate;

/* How a member's elements lie in the group's iteration space. */
typedef enum kd_extent { KD_EXTENT_FULL, KD_EXTENT_ROW } kd_extent;

typedef struct kd_vinfo {
    kd_fate fate;
    struct kd_group *group; /* MEMBER */
    kd_extent extent; /* MEMBER */
    unsigned level; /* of the step that makes it; inputs have 0 */
    unsigned n_readers; /* nodes, views left out of account, that read it */
    const kd_gnode *reader; /* the last of them */
    bool is_output, has_primitive_reader;
    unsigned n_inlined; /* nodes that come along where this one is inlined */
    unsigned n_light; /* of a node that is cheap to compute anew: how many loads that takes, at least 1; 0: it is not */
    kd_buffer *buffer; /* NULL: none is needed */
} kd_vinfo;

enum { KD_GROUP_MAX_DIMS = 16, KD_GROUP_MAX_NODES = 64 };

/* Nodes that become one kernel. Its iteration space has the extents of dims, in the logical order of the tensors; the marked ones are reduced.
 * A FULL member has an element at each point of the space, a ROW member (a reduction, or what is computed from it) one for each point of the
 * dimensions that are not reduced. Members read one another at the same point only, so that values stay in registers. */
typedef struct kd_group {
    unsigned n_dims;
    int64_t dims[KD_GROUP_MAX_DIMS];
    bool reduced[KD_GROUP_MAX_DIMS];
    bool has_reduction;
    unsigned level;
    KD_VEC(const kd_gnode *) nodes;
    unsigned n_nodes_inside; /* with those inlined */
} kd_group;

typedef struct kd_step_plan {
    kd_group *group; /* NULL: a primitive */
    const kd_gnode *primitive; /* or a node with a kernel of its own */
    unsigned level, order; /* the order in the graph, among steps of one level */
} kd_step_plan;

typedef struct kd_plan {
    kd_arena *arena;
    kd_graph *graph; /* a copy of the user's, rewritten */
    kd_vinfo *values; /* by the value's id */
    KD_VEC(kd_group *) groups;
    kd_group **reducers; /* by the value's id: the last group in which a reduction reads it */
    KD_VEC(kd_step_plan) steps; /* in the order of execution */
    KD_VEC(kd_buffer *) buffers;
    size_t arena_bytes;
    bool no_fusion;
    bool on_gpu; /* all steps are kernels, whose tiles fit into the registers of a work-group */
    unsigned n_threads; /* of the device: how many program instances, or sub-groups of a GPU, run at the same time */
    kd_failure *why;
} kd_plan;

/* ---- widen.c ---- */

bool kd_graph_has_primitives_in(const kd_graph *graph, kd_scalar type);
/* Computes in f32 what the graph has in a half type. */
void kd_graph_widen(kd_graph *graph, kd_scalar half);

/* ---- siblings.c ---- */

/* Products of one matrix with several constants become one product. */
void kd_graph_merge_siblings(kd_graph *graph);

/* ---- prepare.c ---- */

/* Merges pointwise nodes into the primitives that they follow, chooses layouts, and copies what oneDNN could not read. On a GPU the weights of
 * convolutions come into the order in which kernels read them. */
void kd_graph_prepare(kd_graph *graph, bool on_gpu);

/* ---- split.c ---- */

/* Reductions with fewer results than there are threads become two. */
kd_status kd_graph_split_reductions(kd_graph *graph, bool on_gpu, unsigned n_threads, kd_failure *out_why);

/* ---- split_product.c ---- */

/* On a GPU: products with few results and long sums become sums of parts. */
kd_status kd_graph_split_products(kd_graph *graph, unsigned n_threads, kd_failure *out_why);

/* ---- peel.c ---- */

/* Leaves a primitive its first n_kept posts; the others become pointwise nodes behind it. */
void kd_graph_peel(kd_graph *graph, const kd_gnode *primitive, unsigned n_kept);

/* ---- primitive.c ---- */

/* What a primitive reads and writes. slot: a kd_primitive_arg. */
typedef struct kd_operand {
    unsigned slot;
    kd_buffer *buffer;
    size_t offset; /* bytes */
} kd_operand;

enum { KD_MAX_OPERANDS = 4 + KD_ONEDNN_MAX_POSTS };

/* The constant that a node's primitive has in oneDNN's own order; NULL: it has none. */
const kd_gvalue *kd_plan_packed_weights(const kd_gnode *node);
/* Packs it again: its elements have changed. */
kd_status kd_plan_pack_again(const kd_plan *plan, const kd_gnode *node, kd_primitive *primitive, kd_failure *out_why);
kd_status kd_plan_make_primitive(const kd_plan *plan, kd_onednn *onednn, const kd_gnode *node, kd_primitive **out,
                                 kd_operand out_operands[KD_MAX_OPERANDS], unsigned *out_n_operands);
/* ---- schedule.c ---- */

/* Decides the fate of each value, makes the groups, and orders the steps. */
kd_status kd_plan_schedule(kd_plan *plan);

/* Whether a node combines the elements of a row: its group has rows, along the dimensions of parameter 1. */
static inline bool kd_goes_over_rows(const kd_gnode *node)
{
    return node->op->lowering == KD_LOWER_REDUCTION || node->op->lowering == KD_LOWER_SCAN;
}

/* Whether a node is a step of its own, which reads and writes memory. */
static inline bool kd_is_alone(const kd_gnode *node)
{
    return node->op->lowering == KD_LOWER_PRIMITIVE || node->op->lowering == KD_LOWER_KERNEL;
}

/* ---- access.c: who reads what, where ---- */

/* Follows views: the value whose elements these are, and where. */
const kd_gvalue *kd_access_resolve(kd_arena *arena, const kd_gvalue *value, kd_index at[KD_TENSOR_MAX_DIMS]);
/* Where an operand is read when its node computes the element at 'at' (pointwise: of the result, the operand broadcast to it; a reduction: of
 * the operand). */
void kd_access_operand(const kd_gnode *node, const kd_gvalue *operand, const kd_index *at, kd_index *out_at);
/* Calls fn for each value that a node reads from memory or a register, what is inlined followed. */
typedef void kd_access_fn(void *user, const kd_gvalue *value, const kd_index *at);
void kd_access_each(const kd_plan *plan, const kd_gnode *node, const kd_index *at, kd_access_fn *fn, void *user);
/* A point of a group's space, from its coordinates: the number of the element that a member has there, row-major over the space (FULL) or
 * what is not reduced (ROW). */
kd_index kd_group_flat(kd_arena *arena, const kd_group *group, kd_extent extent, const kd_index *point);
/* The coordinates as variables 0, 1, ... */
void kd_group_point(kd_arena *arena, const kd_group *group, kd_index out_point[]);
/* What a node computes at a point: the index of its result, or of a reduction's operand. */
void kd_group_node_index(kd_arena *arena, const kd_group *group, const kd_gnode *node, kd_extent extent, const kd_index *point,
                         kd_index *out_at);
/* The place in memory of an element. */
kd_index kd_buffer_index(kd_arena *arena, const kd_buffer *buffer, const kd_index *at);

/* A value that is another one's memory in other strides: where, and in which. False: views reorder it beyond strides. */
bool kd_access_strided(kd_arena *arena, const kd_gvalue *value, const kd_gvalue **out_base, kd_strided *out_strided,
                       int64_t *out_offset);

static inline kd_vinfo *kd_plan_info(const kd_plan *plan, const kd_gvalue *value)
{
    return &plan->values[value->id];
}

/* ":16" where kernels may rely on it that a buffer begins at a multiple of 16 bytes: on a GPU sessions see to it. */
static inline const char *kd_buffer_alignment(const kd_plan *plan, const kd_buffer *buffer)
{
    return buffer->place == KD_PLACE_ARENA || plan->on_gpu ? ":16" : "";
}

/* ---- memory.c ---- */

/* Gives each value that needs one a buffer, and the arena's buffers their offsets. */
kd_status kd_plan_memory(kd_plan *plan);

/* ---- source.c ---- */

/* "2.5", "float('inf')", "3": a number in a type that kernels compute in. */
const char *kd_number_text(kd_arena *arena, const kd_garg *number, kd_scalar type);

typedef struct kd_kernel_source {
    const char *name, *text, *signature;
    const char *body; /* the text without comments and names: kernels with equal bodies are one */
    kd_buffer **buffers; /* arguments */
    unsigned n_buffers;
    const char *nodes; /* "%add, %relu" */
    uint32_t grid[2];
    uint64_t n_programs;
    unsigned num_warps; /* of a GPU; 0: as usual */
    uint64_t n_read_bytes, n_written_bytes;
} kd_kernel_source;

/* Writes the kernel of a group. */
kd_status kd_group_write(kd_plan *plan, const kd_group *group, unsigned number, kd_kernel_source *out);

/* ---- attention.c ---- */

/* Writes the kernel of attention. */
kd_status kd_attention_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out);
/* Where an operand of attention is in another value's memory. Strides may be 0, and several neighbouring heads may be one. */
typedef struct kd_attention_strides {
    const kd_gvalue *base;
    int64_t strides[KD_TENSOR_MAX_DIMS], offset;
    int64_t sharing; /* the stride of the heads is for so many */
} kd_attention_strides;
/* False: views reorder it beyond that. */
bool kd_attention_operand(kd_arena *arena, const kd_gvalue *value, kd_attention_strides *out);

/* ---- scatter.c ---- */

/* Writes the kernel of scatter_rows. */
kd_status kd_scatter_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out);

/* ---- matmul.c ---- */

/* Writes the kernel of a matrix product. */
kd_status kd_matmul_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out);

/* ---- convolution.c ---- */

/* Writes the kernel of a convolution. */
kd_status kd_convolution_write(kd_plan *plan, const kd_gnode *node, unsigned number, kd_kernel_source *out);

/* ---- fold.c ---- */

/* Puts a batch norm (weight, bias, mean and variance) into the convolution before it. False, and nothing changed: they are no constants. */
bool kd_fold_batch_norm(kd_graph *graph, kd_gnode *convolution, const kd_gvalue *const params[4], double eps);
/* A constant with its elements in the places of another type, which has all of them. NULL: it is none, or they are there already,
 * or it is not dense. */
kd_gvalue *kd_fold_order(kd_graph *graph, const kd_gvalue *constant, const kd_tensor_type *type);
/* A constant in the type of the result of its conversion. NULL: it is none, or of no type that is folded. */
kd_gvalue *kd_fold_conversion(kd_graph *graph, const kd_gvalue *constant, const kd_gvalue *result);

/* ---- decompose.c ---- */

/* A copy of the graph in another arena, with compositions written out; on a GPU also what oneDNN has primitives for and kernels are good at. */
kd_status kd_graph_decompose(const kd_graph *graph, kd_arena *arena, bool on_gpu, kd_graph **out, kd_failure *out_why);

#endif
