/* places.c - pointwise ops that read elsewhere than at their own place: their results are put together from pieces, or picked by index.
 *
 *     cat([%a, %b])[i]     is   %a[i] where i < n, %b[i - n] elsewhere
 *     index(%x, [%i])[k]   is   %x[%i[k]]
 */
#include "graph/ops.h"

static int dim_of(const kd_gnode *node, unsigned param, unsigned n_dims)
{
    return kd_gnode_dim(kd_gnode_int(node, param, 0), n_dims);
}

/* ---- pieces ---- */

/* The piece is the argument, read at the result's own place. */
static void take_whole(kd_piece *out, const kd_garg *arg, unsigned n_dims, const kd_index *at)
{
    out->arg = arg;
    out->n_conditions = 0;
    memcpy(out->at, at, n_dims * sizeof *at);
}

static void demand(kd_piece *piece, kd_index index, int64_t least, int64_t limit, int64_t step)
{
    piece->conditions[piece->n_conditions++] = (kd_condition){index, least, limit, step};
}

/* Empty vectors of one dimension go along with everything. */
static bool counts(const kd_gvalue *value, unsigned n_dims)
{
    return value->type.n_dims == n_dims;
}

bool kd_piece_cat(kd_arena *arena, const kd_gnode *node, unsigned i, const kd_index *at, kd_piece *out)
{
    unsigned n_dims = node->results[0]->type.n_dims;
    int dim = dim_of(node, 1, n_dims);
    int64_t first = 0;
    if (i >= node->args[0].list.n)
        return false;
    for (unsigned k = 0; k < i; k++)
        first += counts(node->args[0].list.items[k].value, n_dims) ? node->args[0].list.items[k].value->type.shape[dim] : 0;
    const kd_garg *arg = &node->args[0].list.items[i];
    if (!counts(arg->value, n_dims)) { /* nothing of it */
        static const kd_garg ZERO = {.kind = KD_GARG_INT};
        out->arg = &ZERO;
        out->n_conditions = 0;
        demand(out, kd_index_const(0), 1, 1, 1);
        return true;
    }
    int64_t extent = arg->value->type.shape[dim];
    take_whole(out, arg, n_dims, at);
    out->at[dim] = extent == 1 ? kd_index_const(0) : kd_index_add(arena, at[dim], kd_index_const(-first));
    demand(out, at[dim], first, first + extent, 1);
    return true;
}

bool kd_piece_pad(kd_arena *arena, const kd_gnode *node, unsigned i, const kd_index *at, kd_piece *out)
{
    const kd_tensor_type *self = &kd_gnode_tensor(node, 0)->type;
    int64_t pad[2 * KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, pad, 2 * KD_TENSOR_MAX_DIMS) / 2; /* of the last dimensions, the last one first */
    take_whole(out, &node->args[i ? 2 : 0], self->n_dims, at);
    for (unsigned k = 0; k < n && i == 0; k++) {
        unsigned d = self->n_dims - 1 - k;
        int64_t low = pad[2 * k];
        out->at[d] = self->shape[d] == 1 ? kd_index_const(0) : kd_index_add(arena, at[d], kd_index_const(-low));
        if (low > 0 || pad[2 * k + 1] > 0)
            demand(out, at[d], low, low + self->shape[d], 1);
    }
    return i < 2;
}

bool kd_piece_slice_scatter(kd_arena *arena, const kd_gnode *node, unsigned i, const kd_index *at, kd_piece *out)
{
    const kd_tensor_type *self = &kd_gnode_tensor(node, 0)->type;
    int dim = dim_of(node, 2, self->n_dims);
    int64_t start, n, step = kd_gnode_int(node, 5, 1);
    kd_gnode_slice_bounds(node, 3, self->shape[dim], &start, &n);
    take_whole(out, &node->args[i ? 0 : 1], self->n_dims, at);
    if (i == 0) {
        out->at[dim] = n == 1 ? kd_index_const(0) : kd_index_div(arena, kd_index_add(arena, at[dim], kd_index_const(-start)), step);
        demand(out, at[dim], start, n ? start + (n - 1) * step + 1 : start, step);
    }
    return i < 2;
}

bool kd_piece_select_scatter(kd_arena *arena, const kd_gnode *node, unsigned i, const kd_index *at, kd_piece *out)
{
    const kd_tensor_type *self = &kd_gnode_tensor(node, 0)->type;
    int dim = dim_of(node, 2, self->n_dims);
    int64_t index = kd_gnode_int(node, 3, 0);
    index += index < 0 ? self->shape[dim] : 0;
    take_whole(out, &node->args[i ? 0 : 1], self->n_dims, at);
    if (i == 0) {
        memmove(out->at + dim, at + dim + 1, (self->n_dims - (unsigned)dim - 1) * sizeof *at);
        demand(out, at[dim], index, index + 1, 1);
    }
    return i < 2;
}

/* ---- picked by index ---- */

void kd_pick_embedding(kd_arena *arena, const kd_gnode *node, const kd_index *at, kd_picked out[KD_TENSOR_MAX_DIMS])
{
    kd_gvalue *indices = kd_gnode_tensor(node, 1);
    unsigned n = indices->type.n_dims;
    out[0] = (kd_picked){.by = indices};
    memcpy(out[0].at, at, n * sizeof *at);
    out[1] = (kd_picked){.at = {at[n]}};
}

/* gather(self, dim, index), and index_select with one dimension of indices. */
void kd_pick_gather(kd_arena *arena, const kd_gnode *node, const kd_index *at, kd_picked out[KD_TENSOR_MAX_DIMS])
{
    const kd_tensor_type *self = &kd_gnode_tensor(node, 0)->type;
    kd_gvalue *indices = kd_gnode_tensor(node, 2);
    int dim = dim_of(node, 1, self->n_dims);
    for (int d = 0; d < (int)self->n_dims; d++)
        out[d] = (kd_picked){.at = {at[d]}};
    if (!self->n_dims)
        return;
    out[dim] = (kd_picked){.by = indices};
    if (node->op->code == KD_GOP_index_select)
        out[dim].at[0] = at[dim];
    else
        memcpy(out[dim].at, at, self->n_dims * sizeof *at);
}

void kd_pick_index(kd_arena *arena, const kd_gnode *node, const kd_index *at, kd_picked out[KD_TENSOR_MAX_DIMS])
{
    const kd_tensor_type *self = &kd_gnode_tensor(node, 0)->type;
    kd_index_layout layout;
    (void)kd_gnode_index_layout(node, &layout); /* inference saw to it */
    unsigned from = 0;
    for (unsigned d = 0; d < self->n_dims; d++) {
        kd_gvalue *by = d < node->args[1].list.n && node->args[1].list.items[d].kind == KD_GARG_VALUE
                            ? node->args[1].list.items[d].value
                            : NULL;
        if (from == layout.first)
            from += layout.n_dims;
        if (!by) {
            out[d] = (kd_picked){.at = {at[from++]}};
            continue;
        }
        out[d] = (kd_picked){.by = by, .wraps = true};
        unsigned skipped = layout.n_dims - by->type.n_dims;
        for (unsigned k = 0; k < by->type.n_dims; k++)
            out[d].at[k] = by->type.shape[k] == 1 ? kd_index_const(0) : at[layout.first + skipped + k];
    }
}
