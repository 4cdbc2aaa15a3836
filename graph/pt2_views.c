/* pt2_views.c - how what a program writes to a view gets into what it is a view of: the op that makes the whole anew from the part.
 *
 *     %part = select(%whole, 0, 2);  %part.add_(1)    ==>   %new = add(%part, 1);  %whole' = select_scatter(%whole, %new, 0, 2)
 *     %part = transpose(%whole, 0, 1)                       %whole' = transpose(%new, 0, 1) */
#include "graph/pt2.h"

#include "graph/ops.h"

#include <inttypes.h>

static bool is_op(const kd_pt2 *p, const char *const *names, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(p->op, names[i]) == 0)
            return true;
    return false;
}
#define IS_OP(p, ...) is_op((p), (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* The whole with the part in it: parameters behind the two. */
static void put_in(kd_pt2_value *part, const char *op, const char *place)
{
    part->put_back = op;
    part->place = place;
}

/* The whole is nothing but the part, seen otherwise. */
static void see_as(kd_pt2_value *part, const char *op, const char *how)
{
    put_in(part, op, how);
    part->is_all = true;
}

static void slice_back(kd_pt2 *p, kd_pt2_value *part, int64_t dim, int64_t start)
{
    int at = kd_gnode_dim(dim, part->type.n_dims);
    if (at >= 0 && part->type.n_dims)
        put_in(part, "aten.slice_scatter.default",
               kd_arena_printf(p->arena, "%d, %" PRId64 ", %" PRId64, at, start, start + part->type.shape[at]));
}

/* Number i of the pieces that a dimension is divided into. */
static void piece_back(kd_pt2 *p, kd_pt2_value *part, unsigned i)
{
    int64_t dim = kd_pt2_arg_int(p, "dim", 0), start = 0;
    int at = kd_gnode_dim(dim, part->type.n_dims);
    for (unsigned k = 0; k < i && at >= 0; k++) {
        const kd_pt2_value *before = kd_pt2_result(p, k);
        start += before && before->type.n_dims == part->type.n_dims ? before->type.shape[at] : 0;
    }
    slice_back(p, part, dim, start);
}

static void permute_back(kd_pt2 *p, kd_pt2_value *part)
{
    const char *tag;
    yyjson_val *dims = kd_pt2_arg(p, "dims", &tag), *v;
    int64_t back[KD_TENSOR_MAX_DIMS] = {0};
    size_t i, max;
    yyjson_arr_foreach(dims, i, max, v)
    {
        int dim = kd_gnode_dim(yyjson_get_sint(yyjson_is_obj(v) ? yyjson_obj_get(v, "as_int") : v), part->type.n_dims);
        if (dim < 0)
            return;
        back[dim] = (int64_t)i;
    }
    see_as(part, "aten.permute.default", kd_pt2_list(p, back, part->type.n_dims));
}

/* The same elements in the same order. What need not be a view is one where the whole has them one behind the other. */
static bool is_reshape(const kd_pt2 *p, const kd_pt2_value *whole)
{
    const kd_gop *op = kd_gop_find(kd_str_of(p->op));
    if (IS_OP(p, "aten.reshape.default", "aten.reshape_as.default", "aten.flatten.using_ints", "aten.ravel.default"))
        return kd_tensor_is_contiguous(&whole->type);
    return (op && op->view == kd_view_reshape) || IS_OP(p, "aten.view_as.default");
}

void kd_pt2_find_way_back(kd_pt2 *p, kd_pt2_value *part, kd_pt2_value *whole, unsigned i)
{
    if (IS_OP(p, "aten.slice.Tensor")) {
        put_in(part, "aten.slice_scatter.default",
               kd_arena_printf(p->arena, "%s, %s, %s, %s", kd_pt2_arg_text(p, "dim", "0"), kd_pt2_arg_text(p, "start", "null"),
                               kd_pt2_arg_text(p, "end", "null"), kd_pt2_arg_text(p, "step", "1")));
    } else if (IS_OP(p, "aten.select.int")) {
        put_in(part, "aten.select_scatter.default",
               kd_arena_printf(p->arena, "%s, %s", kd_pt2_arg_text(p, "dim", "0"), kd_pt2_arg_text(p, "index", "0")));
    } else if (IS_OP(p, "aten.unbind.int")) {
        put_in(part, "aten.select_scatter.default", kd_arena_printf(p->arena, "%s, %u", kd_pt2_arg_text(p, "dim", "0"), i));
    } else if (IS_OP(p, "aten.narrow.default")) {
        int64_t start = kd_pt2_arg_int(p, "start", -1);
        if (start >= 0)
            slice_back(p, part, kd_pt2_arg_int(p, "dim", 0), start);
    } else if (IS_OP(p, "aten.split.Tensor", "aten.split.sizes", "aten.split_with_sizes.default", "aten.chunk.default")) {
        piece_back(p, part, i);
    } else if (IS_OP(p, "aten.transpose.int")) {
        see_as(part, p->op, kd_arena_printf(p->arena, "%s, %s", kd_pt2_arg_text(p, "dim0", "0"), kd_pt2_arg_text(p, "dim1", "1")));
    } else if (IS_OP(p, "aten.mT.default", "aten.mH.default", "aten.adjoint.default") || (IS_OP(p, "aten.t.default") && part->type.n_dims == 2)) {
        see_as(part, "aten.transpose.int", "-2, -1");
    } else if (IS_OP(p, "aten.permute.default")) {
        permute_back(p, part);
    } else if (is_reshape(p, whole)) {
        see_as(part, "aten.reshape.default", kd_pt2_list(p, whole->type.shape, whole->type.n_dims));
    }
    part->whole = part->put_back ? whole : NULL;
}
