/* loops.c - in which order a kernel walks over its group's space, and what one program instance does of it. */
#include "graph/source_impl.h"

#include "base/scalar.h"

enum { MAX_BLOCK = 1024, MIN_COLS = 16, MAX_ROW = 1 << 20 };

typedef struct accesses {
    const kd_plan *plan;
    const kd_group *group;
    KD_VEC(kd_index) all;
    kd_index reference; /* the largest one, a store if there is one that fills the space: its strides give the order */
    int64_t reference_elems;
} accesses;

static void add_access(accesses *a, const kd_buffer *b, const kd_index *at, bool is_store)
{
    kd_index place = kd_buffer_index(a->plan->arena, b, at);
    int64_t n = kd_tensor_n_elems(&b->type) * 2 + is_store;
    kd_vec_push(a->plan->arena, &a->all, place);
    if (n > a->reference_elems) {
        a->reference_elems = n;
        a->reference = place;
    }
}

static void add_load(void *user, const kd_gvalue *value, const kd_index *at)
{
    accesses *a = user;
    const kd_vinfo *info = kd_plan_info(a->plan, value);
    if (info->fate != KD_FATE_MEMBER || info->group != a->group)
        add_access(a, info->buffer, at, false);
}

static void collect(accesses *a)
{
    const kd_group *g = a->group;
    kd_arena *arena = a->plan->arena;
    kd_index point[KD_GROUP_MAX_DIMS], at[KD_TENSOR_MAX_DIMS];
    kd_group_point(arena, g, point);
    for (unsigned i = 0; i < g->nodes.n; i++) {
        const kd_gnode *node = g->nodes.data[i];
        const kd_vinfo *info = kd_plan_info(a->plan, node->results[0]);
        kd_group_node_index(arena, g, node, info->extent, point, at);
        kd_access_each(a->plan, node, at, add_load, a);
        if (!info->buffer)
            continue;
        const kd_tensor_type *t = &node->results[0]->type;
        kd_index_unflatten(arena, kd_group_flat(arena, g, info->extent, point), t->n_dims, t->shape, at);
        add_access(a, info->buffer, at, true);
    }
}

/* Dimensions of one kind from the slowest to the fastest, as the reference has them in memory. */
static unsigned order_dims(const accesses *a, bool reduced, unsigned *out)
{
    const kd_group *g = a->group;
    unsigned n = 0;
    int64_t strides[KD_GROUP_MAX_DIMS];
    for (unsigned d = 0; d < g->n_dims; d++) {
        int64_t stride;
        if (g->reduced[d] != reduced || g->dims[d] == 1)
            continue;
        if (!kd_index_factor(a->reference, d, &stride)) /* through a quotient: no order is better than the logical one */
            stride = n ? strides[n - 1] : INT64_MAX;
        unsigned at = n++;
        for (; at > 0 && strides[at - 1] < stride; at--) {
            strides[at] = strides[at - 1];
            out[at] = out[at - 1];
        }
        strides[at] = stride;
        out[at] = d;
    }
    return n;
}

/* Whether every access walks over the two as over one dimension. */
static bool can_merge(const accesses *a, unsigned slow, unsigned fast)
{
    for (unsigned i = 0; i < a->all.n; i++) {
        int64_t s, f;
        if (!kd_index_factor(a->all.data[i], slow, &s) || !kd_index_factor(a->all.data[i], fast, &f) ||
            s != f * a->group->dims[fast])
            return false;
    }
    return true;
}

static int64_t extent_of(const kd_group *g, const unsigned *dims, unsigned n)
{
    int64_t extent = 1;
    for (unsigned i = 0; i < n; i++)
        extent *= g->dims[dims[i]];
    return extent;
}

/* Coordinates from the number of a point in this order of the dimensions. */
static void decode(kd_arena *arena, const kd_group *g, const unsigned *dims, unsigned n, kd_index flat, kd_index *point)
{
    for (unsigned i = n; i-- > 0;) {
        kd_index_unflatten(arena, flat, 1, &g->dims[dims[i]], &point[dims[i]]);
        flat = kd_index_div(arena, flat, g->dims[dims[i]]);
    }
}

static int64_t power_of_two(int64_t n)
{
    int64_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

kd_status kd_group_choose_loops(const kd_plan *plan, const kd_group *group, kd_loops *out)
{
    accesses a = {.plan = plan, .group = group};
    collect(&a);
    unsigned dims[KD_GROUP_MAX_DIMS], *inner = dims;
    unsigned n = order_dims(&a, false, dims), n_inner, n_outer = n;
    kd_loops l = {0};
    if (group->has_reduction) {
        inner = dims + n;
        n_inner = order_dims(&a, true, inner);
    } else {
        for (n_inner = n ? 1 : 0; n_inner < n && can_merge(&a, dims[n - n_inner - 1], dims[n - n_inner]); n_inner++)
            continue;
        if (extent_of(group, dims + n - n_inner, n_inner) < MIN_COLS) /* rows too short for a tile of their own */
            n_inner = n;
        n_outer = n - n_inner;
        inner = dims + n_outer;
    }
    int64_t n_points = 1;
    for (unsigned d = 0; d < group->n_dims; d++)
        n_points *= group->dims[d];
    l.n_rows = n_points || group->has_reduction ? extent_of(group, dims, n_outer) : 0;
    l.n_cols = extent_of(group, inner, n_inner);
    if (group->has_reduction && l.n_cols > MAX_ROW)
        return kd_fail(plan->why, KD_ERR_UNSUPPORTED, "%s = %s: a reduction of %lld elements at once is not supported yet",
                       group->nodes.data[0]->origin, group->nodes.data[0]->op->name, (long long)l.n_cols);
    if (l.n_rows >> 31 || l.n_cols >> 31)
        return kd_fail(plan->why, KD_ERR_UNSUPPORTED, "%s = %s: more than 2^31 elements are not supported yet",
                       group->nodes.data[0]->origin, group->nodes.data[0]->op->name);
    l.rows = 1;
    l.block = power_of_two(l.n_cols);
    if (!group->has_reduction && l.block > MAX_BLOCK)
        l.block = MAX_BLOCK;
    l.needs_mask = l.n_cols % l.block != 0 || l.n_cols == 0;
    decode(plan->arena, group, dims, n_outer, kd_index_var(plan->arena, KD_LOOP_ROW, l.n_rows), l.point);
    decode(plan->arena, group, inner, n_inner, kd_index_var(plan->arena, KD_LOOP_COL, l.n_cols), l.point);
    *out = l;
    return KD_OK;
}
