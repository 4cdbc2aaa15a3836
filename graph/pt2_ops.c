/* pt2_ops.c - ops of exported programs that graph/ops.def lacks, in terms of those that it has.
 *
 * Most of what a model calls the table has; what neither has, the graph's reader names in its error. Shapes that a rule needs are those that
 * the file tells; the reader infers them anew and compares. */
#include "graph/pt2.h"

#include "graph/ops.h"

#include <inttypes.h>

enum { MAX_TENSORS = 256 };

static bool is_op(const kd_pt2 *p, const char *name)
{
    return strcmp(p->op, name) == 0;
}

static kd_status no_tensor(kd_pt2 *p)
{
    return kd_pt2_bad(p, KD_ERR_DAMAGED, "an argument that must be a tensor is none");
}

static const char *shape_text(kd_pt2 *p, const kd_pt2_value *value)
{
    return kd_pt2_list(p, value->type.shape, value->type.n_dims);
}

/* ---- the same elements ---- */

static kd_status as_alias(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    self = self ? self : kd_pt2_arg_tensor(p, "input");
    if (!self)
        return no_tensor(p);
    if (kd_tensor_same_shape(&self->type, &kd_pt2_result(p, 0)->type))
        kd_pt2_emit_result(p, 0, "aten.alias.default", "%s", kd_pt2_ref(p, self));
    else
        kd_pt2_emit_result(p, 0, "aten.expand.default", "%s, %s", kd_pt2_ref(p, self), shape_text(p, kd_pt2_result(p, 0)));
    return KD_OK;
}

static kd_status dropout(kd_pt2 *p)
{
    const char *probability = kd_pt2_arg_text(p, "p", "0.0");
    if (kd_pt2_arg_bool(p, "train") && strcmp(probability, "0.0") != 0)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "dropout of a model in training mode: export it after model.eval()");
    return as_alias(p);
}

static kd_status to_type(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self"), *result = kd_pt2_result(p, 0);
    if (!self)
        return no_tensor(p);
    if (self->type.type == result->type.type)
        return as_alias(p);
    kd_pt2_emit_result(p, 0, "aten._to_copy.default", "%s, %s", kd_pt2_ref(p, self), kd_pt2_type_text(p, result->type.type));
    return KD_OK;
}

static kd_status reshape(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    kd_pt2_emit_result(p, 0, "aten.reshape.default", "%s, %s", kd_pt2_ref(p, self), shape_text(p, kd_pt2_result(p, 0)));
    return KD_OK;
}

static kd_status transpose_last(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    kd_pt2_emit_result(p, 0, "aten.transpose.int", "%s, -2, -1", kd_pt2_ref(p, self));
    return KD_OK;
}

/* chunk, tensor_split and the like: pieces along one dimension. */
static kd_status pieces_along(kd_pt2 *p, int64_t along)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    int64_t sizes[MAX_TENSORS];
    unsigned n = kd_pt2_n_results(p);
    int dim = self ? kd_gnode_dim(along, self->type.n_dims) : -1;
    if (dim < 0 || n > MAX_TENSORS)
        return no_tensor(p);
    for (unsigned i = 0; i < n; i++) {
        const kd_pt2_value *piece = kd_pt2_result(p, i);
        sizes[i] = piece && piece->type.n_dims == self->type.n_dims ? piece->type.shape[dim] : 0;
    }
    kd_pt2_emit_all(p, "aten.split_with_sizes.default", "%s, %s, %d", kd_pt2_ref(p, self), kd_pt2_list(p, sizes, n), dim);
    return KD_OK;
}

static kd_status pieces(kd_pt2 *p)
{
    return pieces_along(p, kd_pt2_arg_int(p, "dim", 0));
}

static kd_status columns(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    return pieces_along(p, self && self->type.n_dims > 1);
}

static kd_status rows(kd_pt2 *p)
{
    return pieces_along(p, 0);
}

static kd_status layers(kd_pt2 *p)
{
    return pieces_along(p, 2);
}

/* ---- norms ---- */

static kd_status group_norm(kd_pt2 *p)
{
    const kd_pt2_value *input = kd_pt2_arg_tensor(p, "input");
    if (!input || input->type.n_dims < 2)
        return no_tensor(p);
    int64_t n_inside = 1;
    for (unsigned d = 2; d < input->type.n_dims; d++)
        n_inside *= input->type.shape[d];
    kd_pt2_emit_first(p, 2, "aten.native_group_norm.default", "%s, %s, %s, %" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ", %s",
                      kd_pt2_ref(p, input), kd_pt2_arg_text(p, "weight", "null"), kd_pt2_arg_text(p, "bias", "null"),
                      input->type.shape[0], input->type.shape[1], n_inside, kd_pt2_arg_int(p, "num_groups", 1),
                      kd_pt2_arg_text(p, "eps", "1e-5"));
    return KD_OK;
}

/* ---- others ---- */

/* Rows in groups, each times the matrix of its group, as mixtures of experts have it: groups are in order, and a tensor tells the end of each.
 * Where they end is known at run time only, so all rows are multiplied by all matrices, and of the products each row takes its own. */
static kd_status grouped_product(kd_pt2 *p)
{
    const kd_pt2_value *input = kd_pt2_arg_tensor(p, "input"), *weight = kd_pt2_arg_tensor(p, "weight"), *ends = kd_pt2_arg_tensor(p, "offs");
    if (!input || !weight || !ends || input->type.n_dims != 2 || weight->type.n_dims != 3)
        return no_tensor(p);
    int64_t n_rows = input->type.shape[0], n_groups = weight->type.shape[0], depth = weight->type.shape[1], width = weight->type.shape[2];
    const char *beside = kd_pt2_emit_more(p, "aten.permute.default", "%s, [1, 0, 2]", kd_pt2_ref(p, weight));
    beside = kd_pt2_emit_more(p, "aten.reshape.default", "\"%%%s\", [%" PRId64 ", -1]", beside, depth);
    const char *products = kd_pt2_emit_more(p, "aten.mm.default", "%s, \"%%%s\"", kd_pt2_ref(p, input), beside);
    products = kd_pt2_emit_more(p, "aten.reshape.default", "\"%%%s\", [-1, %" PRId64 "]", products, width);
    const char *row = kd_pt2_emit_more(p, "aten.arange.default", "%" PRId64 ", \"i64\"", n_rows);
    const char *end = kd_pt2_emit_more(p, "aten._to_copy.default", "%s, \"i64\"", kd_pt2_ref(p, ends));
    const char *group = kd_pt2_emit_more(p, "aten.bucketize.Tensor", "\"%%%s\", \"%%%s\", false, true", row, end);
    const char *place = kd_pt2_emit_more(p, "aten.mul.Scalar", "\"%%%s\", %" PRId64, row, n_groups);
    place = kd_pt2_emit_more(p, "aten.add.Tensor", "\"%%%s\", \"%%%s\"", place, group);
    const char *own = kd_pt2_emit_more(p, "aten.index_select.default", "\"%%%s\", 0, \"%%%s\"", products, place);
    const char *has_group = kd_pt2_emit_more(p, "aten.lt.Scalar", "\"%%%s\", %" PRId64, group, n_groups);
    has_group = kd_pt2_emit_more(p, "aten.unsqueeze.default", "\"%%%s\", 1", has_group);
    kd_pt2_emit_result(p, 0, "aten.where.self", "\"%%%s\", \"%%%s\", 0", has_group, own);
    return KD_OK;
}

static kd_status relu6(kd_pt2 *p)
{
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    if (!self)
        return no_tensor(p);
    kd_pt2_emit_result(p, 0, "aten.hardtanh.default", "%s, 0, 6", kd_pt2_ref(p, self));
    return KD_OK;
}

static kd_status where(kd_pt2 *p)
{
    return kd_pt2_emit_same(p, "aten.where.self");
}

/* Assertions about shapes and types, which are known. */
static kd_status nothing(kd_pt2 *p)
{
    (void)p;
    return KD_OK;
}

/* ---- the table ---- */

typedef struct rule {
    const char *op;
    kd_status (*translate)(kd_pt2 *p); /* NULL: the table has it */
    kd_pt2_sharing sharing;
} rule;

static const rule RULES[] = {
    {"aten.group_norm.default", group_norm, KD_PT2_OWN},
    {"aten.relu6.default", relu6, KD_PT2_OWN},
    {"transformers.grouped_mm_fallback.default", grouped_product, KD_PT2_OWN},
    {"aten.where.Scalar", where, KD_PT2_OWN},
    {"aten.where.ScalarSelf", where, KD_PT2_OWN},
    {"aten.where.ScalarOther", where, KD_PT2_OWN},
    {"aten.dropout.default", dropout, KD_PT2_SAME},
    {"aten.feature_dropout.default", dropout, KD_PT2_SAME},
    {"aten.alpha_dropout.default", dropout, KD_PT2_SAME},
    {"aten.feature_alpha_dropout.default", dropout, KD_PT2_SAME},
    {"aten.contiguous.default", NULL, KD_PT2_SAME},
    {"aten.detach.default", NULL, KD_PT2_SAME},
    {"aten.to.dtype", NULL, KD_PT2_SAME},
    {"aten.to.dtype_layout", to_type, KD_PT2_SAME},
    {"aten.to.device", to_type, KD_PT2_SAME},
    {"aten.to.other", to_type, KD_PT2_SAME},
    {"aten.type_as.default", to_type, KD_PT2_SAME},
    {"aten.expand_as.default", as_alias, KD_PT2_VIEW},
    {"aten.flatten.using_ints", NULL, KD_PT2_VIEW},
    {"aten.unflatten.int", NULL, KD_PT2_VIEW},
    {"aten.view_as.default", reshape, KD_PT2_VIEW},
    {"aten.reshape_as.default", reshape, KD_PT2_VIEW},
    {"aten.squeeze.default", NULL, KD_PT2_VIEW},
    {"aten.mT.default", transpose_last, KD_PT2_VIEW},
    {"aten.chunk.default", NULL, KD_PT2_VIEW},
    {"aten.unsafe_chunk.default", pieces, KD_PT2_OWN},
    {"aten.tensor_split.sections", pieces, KD_PT2_VIEW},
    {"aten.tensor_split.indices", pieces, KD_PT2_VIEW},
    {"aten.hsplit.int", columns, KD_PT2_VIEW},
    {"aten.hsplit.array", columns, KD_PT2_VIEW},
    {"aten.vsplit.int", rows, KD_PT2_VIEW},
    {"aten.vsplit.array", rows, KD_PT2_VIEW},
    {"aten.dsplit.int", layers, KD_PT2_VIEW},
    {"aten.dsplit.array", layers, KD_PT2_VIEW},
    {"aten.split.sizes", pieces, KD_PT2_VIEW},
    {"aten.unbind.int", NULL, KD_PT2_VIEW},
    {"aten.narrow.default", NULL, KD_PT2_VIEW},
    {"aten.ravel.default", NULL, KD_PT2_VIEW},
    {"aten.movedim.int", NULL, KD_PT2_VIEW},
    {"aten.movedim.intlist", NULL, KD_PT2_VIEW},
    {"aten.moveaxis.int", NULL, KD_PT2_VIEW},
    {"aten.moveaxis.intlist", NULL, KD_PT2_VIEW},
    {"aten.swapaxes.default", NULL, KD_PT2_VIEW},
    {"aten.swapdims.default", NULL, KD_PT2_VIEW},
    {"aten.adjoint.default", NULL, KD_PT2_VIEW},
    {"aten.mH.default", NULL, KD_PT2_VIEW},
    {"aten.matrix_H.default", NULL, KD_PT2_VIEW},
    {"aten.numpy_T.default", NULL, KD_PT2_VIEW},
    {"aten.broadcast_to.default", NULL, KD_PT2_VIEW},
    {"aten.atleast_1d.default", NULL, KD_PT2_VIEW},
    {"aten.atleast_2d.default", NULL, KD_PT2_VIEW},
    {"aten.atleast_3d.default", NULL, KD_PT2_VIEW},
    {"aten.linalg_diagonal.default", NULL, KD_PT2_VIEW},
    {"aten.positive.default", NULL, KD_PT2_SAME},
    {"aten.real.default", NULL, KD_PT2_SAME},
    {"aten.conj.default", NULL, KD_PT2_SAME},
    {"aten.resolve_conj.default", NULL, KD_PT2_SAME},
    {"aten.resolve_neg.default", NULL, KD_PT2_SAME},
    {"aten._assert_tensor_metadata.default", nothing, KD_PT2_OWN},
    {"aten._assert_async.msg", nothing, KD_PT2_OWN},
    {"aten.sym_constrain_range_for_size.default", nothing, KD_PT2_OWN},
};

static const rule *find_rule(const kd_pt2 *p)
{
    for (unsigned i = 0; i < sizeof RULES / sizeof *RULES; i++)
        if (is_op(p, RULES[i].op))
            return &RULES[i];
    return NULL;
}

kd_status kd_pt2_translate(kd_pt2 *p)
{
    const rule *r = find_rule(p);
    if (!r || !r->translate)
        return kd_pt2_emit_same(p, p->op);
    if (r->translate != nothing && !kd_pt2_result(p, 0))
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the node has no result");
    return r->translate(p);
}

kd_pt2_sharing kd_pt2_shares(const kd_pt2 *p)
{
    const rule *r = find_rule(p);
    const kd_gop *op = kd_gop_find(kd_str_of(p->op));
    const kd_pt2_value *self = kd_pt2_arg_tensor(p, "self"), *result = kd_pt2_result(p, 0);
    kd_pt2_sharing sharing = r ? r->sharing : op && op->lowering == KD_LOWER_VIEW ? KD_PT2_VIEW : KD_PT2_OWN;
    /* A conversion, or an order in memory, that is there already makes no copy; any other does. */
    if (sharing == KD_PT2_SAME && self && result &&
        (self->type.type != result->type.type || kd_pt2_arg_bool(p, "copy") ||
         memcmp(self->type.strides, result->type.strides, sizeof self->type.strides) != 0))
        return KD_PT2_OWN;
    return sharing;
}
