/* loops.c - in which order a kernel walks over its group's space, and what one program instance does of it. */
#include "graph/source_impl.h"

#include "base/scalar.h"

enum {
    MAX_BLOCK = 1024,     /* elements of a tile of pointwise work, and of a turn of a long row */
    MAX_TILE = 8192,      /* elements of a tile of columns that are reduced */
    MAX_ROW = 32768,      /* a row that is reduced is one tile up to here; longer ones are gone over in turns */
    MIN_COLS = 16,        /* with fewer columns there are no rows: all is one */
    WIDE_ROWS = 64,       /* columns at least that are reduced side by side */
    SQUARE = 64,          /* both sides of a tile that is read or written across */
    MAX_SCAN = 1 << 20,   /* a row that is scanned is always one tile */
    GPU_MAX_ROW = 8192,   /* as MAX_ROW and MAX_SCAN, where a tile lies in registers */
    GPU_MAX_SCAN = 16384
};

typedef struct accesses {
    const kd_plan *plan;
    const kd_group *group;
    KD_VEC(kd_index) all;
    KD_VEC(int64_t) sizes; /* of them, twice the number of elements */
    kd_index reference; /* the largest one, a store if there is one that fills the space: its strides give the order */
    int64_t reference_elems;
    bool reads_member; /* what was looked at last */
} accesses;

static void add_access(accesses *a, const kd_buffer *b, const kd_index *at, bool is_store)
{
    kd_index place = kd_buffer_index(a->plan->arena, b, at);
    int64_t n = kd_tensor_n_elems(&b->type) * 2 + is_store;
    kd_vec_push(a->plan->arena, &a->all, place);
    kd_vec_push(a->plan->arena, &a->sizes, n);
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

static bool has_scan(const kd_group *g)
{
    for (unsigned i = 0; i < g->nodes.n; i++)
        if (g->nodes.data[i]->op->lowering == KD_LOWER_SCAN)
            return true;
    return false;
}

static bool has_sort(const kd_group *g)
{
    for (unsigned i = 0; i < g->nodes.n; i++)
        if (g->nodes.data[i]->op->code == KD_GOP_sorted)
            return true;
    return false;
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
        if (reduced && has_scan(g)) /* their order is what the scan is about */
            stride = INT64_MAX - d;
        else if (!kd_index_factor(a->reference, d, &stride)) /* through a quotient: no order is better than the logical one */
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

/* Which of the dimensions an access walks over with stride 1; n: none. */
static unsigned fastest(const accesses *a, kd_index place, const unsigned *dims, unsigned n)
{
    unsigned i = 0;
    int64_t stride;
    while (i < n && (!kd_index_factor(place, dims[i], &stride) || stride != 1 || a->group->dims[dims[i]] < MIN_COLS))
        i++;
    return i;
}

static void note_member(void *user, const kd_gvalue *value, const kd_index *at)
{
    accesses *a = user;
    const kd_vinfo *info = kd_plan_info(a->plan, value);
    a->reads_member |= info->fate == KD_FATE_MEMBER && info->group == a->group;
}

/* Whether going over the columns once is enough: nothing is stored for each, and no reduction needs another one. */
static bool takes_one_turn(accesses *a)
{
    const kd_index at[KD_TENSOR_MAX_DIMS] = {{0}};
    for (unsigned i = 0; i < a->group->nodes.n; i++) {
        const kd_gnode *node = a->group->nodes.data[i];
        const kd_vinfo *info = kd_plan_info(a->plan, node->results[0]);
        a->reads_member = false;
        kd_access_each(a->plan, node, at, note_member, a);
        if ((info->extent == KD_EXTENT_FULL && info->buffer) || (kd_goes_over_rows(node) && a->reads_member))
            return false;
    }
    return true;
}

/* How many rows that are neighbours in memory a tile has: many where the columns are read only once, so that pages of memory are, too. */
static int64_t rows_beside(accesses *a, const unsigned *rows, unsigned n_rows, const kd_loops *l)
{
    int64_t n = WIDE_ROWS, in_line = a->group->dims[rows[n_rows - 1]];
    for (unsigned i = n_rows - 1; i > 0 && can_merge(a, rows[i - 1], rows[i]); i--)
        in_line *= a->group->dims[rows[i - 1]];
    bool is_long = power_of_two(l->n_cols) * WIDE_ROWS > MAX_TILE && !a->plan->on_gpu && takes_one_turn(a);
    while (is_long && n < MAX_BLOCK && n * 2 <= in_line && n * 2 * 4 * a->plan->n_threads <= l->n_rows)
        n *= 2;
    return power_of_two(l->n_rows) < n ? power_of_two(l->n_rows) : n;
}

/* Rows of a reduction. Where neighbours in memory are in different rows, these lie along the tile's last dimension, and the columns follow
 * block by block; short rows share a tile; long ones are gone over in turns. */
static void shape_reduction(accesses *a, const unsigned *rows, unsigned n_rows, kd_loops *l)
{
    l->block = power_of_two(l->n_cols);
    if (fastest(a, a->reference, rows, n_rows) < n_rows && l->n_cols > 1 && !has_sort(a->group)) { /* tl.sort: the last dimension */
        l->rows_last = true;
        l->rows = rows_beside(a, rows, n_rows, l);
        l->block = l->block * l->rows > MAX_TILE && !has_scan(a->group) ? MAX_TILE / l->rows : l->block;
    } else if (l->block < MAX_BLOCK) {
        l->rows = power_of_two(l->n_rows) < MAX_BLOCK / l->block ? power_of_two(l->n_rows) : MAX_BLOCK / l->block;
    } else if (l->block > (a->plan->on_gpu ? GPU_MAX_ROW : MAX_ROW) && !has_scan(a->group)) {
        l->block = MAX_BLOCK;
    }
    l->in_turns = l->block < l->n_cols;
}

/* A dimension of the rows along which a large access has its neighbours: a square tile serves both. n: none. */
static unsigned crossing(const accesses *a, const unsigned *rows, unsigned n)
{
    for (unsigned i = 0; i < a->all.n; i++) {
        unsigned d = fastest(a, a->all.data[i], rows, n);
        if (d < n && a->sizes.data[i] * 2 > a->reference_elems)
            return d;
    }
    return n;
}

static void shape_pointwise(const accesses *a, unsigned *rows, unsigned n_rows, kd_loops *l)
{
    unsigned d = l->n_cols >= MIN_COLS ? crossing(a, rows, n_rows) : n_rows;
    l->block = power_of_two(l->n_cols) < MAX_BLOCK ? power_of_two(l->n_cols) : MAX_BLOCK;
    if (d < n_rows) {
        unsigned dim = rows[d];
        memmove(rows + d, rows + d + 1, (n_rows - d - 1) * sizeof *rows);
        rows[n_rows - 1] = dim;
        l->block = l->block < SQUARE ? l->block : SQUARE;
        l->rows = SQUARE;
    } else {
        int64_t n = power_of_two(l->n_rows);
        l->rows = n < MAX_BLOCK / l->block ? n : MAX_BLOCK / l->block;
    }
}

/* The order of the dimensions, rows first; how many are rows. */
static unsigned order_all(const accesses *a, unsigned dims[KD_GROUP_MAX_DIMS], unsigned *out_n)
{
    const kd_group *group = a->group;
    unsigned n = order_dims(a, false, dims), n_inner;
    if (group->has_reduction) {
        *out_n = n + order_dims(a, true, dims + n);
        return n;
    }
    *out_n = n;
    for (n_inner = n ? 1 : 0; n_inner < n && can_merge(a, dims[n - n_inner - 1], dims[n - n_inner]); n_inner++)
        continue;
    return extent_of(group, dims + n - n_inner, n_inner) < MIN_COLS
               ? 0
               : n - n_inner; /* too short for a tile of their own: all as one row */
}

kd_status kd_group_choose_loops(const kd_plan *plan, const kd_group *group, kd_loops *out)
{
    accesses a = {.plan = plan, .group = group};
    collect(&a);
    unsigned dims[KD_GROUP_MAX_DIMS], n, n_rows = order_all(&a, dims, &n);
    kd_loops l = {.rows = 1};
    int64_t n_points = 1;
    for (unsigned d = 0; d < group->n_dims; d++)
        n_points *= group->dims[d];
    l.n_rows = n_points || group->has_reduction ? extent_of(group, dims, n_rows) : 0;
    l.n_cols = extent_of(group, dims + n_rows, n - n_rows);
    if (has_scan(group) && l.n_cols > (plan->on_gpu ? GPU_MAX_SCAN : MAX_SCAN)) /* a tile has to hold them */
        return kd_fail(plan->why, KD_ERR_UNSUPPORTED, "%s = %s: a scan over %lld elements is not supported yet",
                       group->nodes.data[0]->origin, group->nodes.data[0]->op->name, (long long)l.n_cols);
    if (l.n_rows >> 31 || l.n_cols >> 31)
        return kd_fail(plan->why, KD_ERR_UNSUPPORTED, "%s = %s: more than 2^31 elements are not supported yet",
                       group->nodes.data[0]->origin, group->nodes.data[0]->op->name);
    if (group->has_reduction)
        shape_reduction(&a, dims, n_rows, &l);
    else
        shape_pointwise(&a, dims, n_rows, &l);
    l.needs_mask = l.n_cols % l.block != 0 || l.n_cols == 0;
    l.rows_need_mask = l.rows > 1 && l.n_rows % l.rows != 0;
    decode(plan->arena, group, dims, n_rows, kd_index_var(plan->arena, KD_LOOP_ROW, l.n_rows), l.point);
    decode(plan->arena, group, dims + n_rows, n - n_rows, kd_index_var(plan->arena, KD_LOOP_COL, l.n_cols), l.point);
    *out = l;
    return KD_OK;
}
