/* schedule.c - which nodes share a kernel, and in which order the steps run.
 *
 * A pointwise node with one reader, or cheap enough to be computed anew, is inlined: its expression becomes part of the reader's, with the
 * index that the reader and the views between them ask for. What is left are members of groups. They are visited in the graph's order, and
 * each joins the group of a value that it reads, where
 *   - it has the group's iteration space, perhaps with dimensions split finer, and reads the group's members at its own point only;
 *   - no other value that it reads comes later than what the group reads.
 * For the second, each step has a level, larger than those of all steps it reads from. A node joins only the group with the highest level
 * among what it reads, and only if all else it reads has a lower one; so edges between steps always lead to higher levels, and there are no
 * cycles. The cost is one look at each edge. */
#include "graph/plan.h"

#include "base/scalar.h"

#include <stdlib.h>

/* ---- who reads a value ---- */

static void note_reader(kd_plan *plan, kd_gvalue *operand, const kd_gnode *reader)
{
    const kd_gvalue *value = kd_gvalue_behind_views(operand);
    kd_vinfo *info = kd_plan_info(plan, value);
    if (info->reader != reader || !reader)
        info->n_readers++;
    info->reader = reader;
    info->is_output |= !reader;
    info->has_primitive_reader |= reader && kd_is_alone(reader);
}

typedef struct reading {
    kd_plan *plan;
    const kd_gnode *node;
} reading;

static void note_operand(void *user, kd_gvalue *value)
{
    reading *r = user;
    note_reader(r->plan, value, r->node);
}

static bool is_read(const kd_plan *plan, const kd_gnode *node)
{
    for (unsigned i = 0; i < node->n_results; i++)
        if (kd_plan_info(plan, node->results[i])->n_readers)
            return true;
    return false;
}

/* From the outputs up; what nobody reads stays without readers. */
static void find_readers(kd_plan *plan)
{
    kd_graph *g = plan->graph;
    for (unsigned i = 0; i < g->outputs.n; i++)
        note_reader(plan, g->outputs.data[i], NULL);
    for (unsigned i = g->nodes.n; i-- > 0;) {
        reading r = {plan, g->nodes.data[i]};
        if (r.node->op->lowering != KD_LOWER_VIEW && is_read(plan, r.node))
            kd_gnode_each_tensor(r.node, note_operand, &r);
    }
}

/* ---- inlining ---- */

enum { FEW_POINTS = 4096 };

static int64_t n_points(const kd_gnode *node)
{
    const kd_gvalue *shape = kd_goes_over_rows(node) ? kd_gnode_tensor(node, 0) : node->results[0];
    return kd_tensor_n_elems(&shape->type);
}

/* Nothing but a load, a conversion, or a number: computing it anew costs less than a trip through memory. */
static bool is_cheap(const kd_gnode *node)
{
    switch (node->op->code) {
    case KD_GOP_to_copy:
    case KD_GOP_full:
    case KD_GOP_arange:
    case KD_GOP_clone: return true;
    default: return node->op->pick;
    }
}

/* As often as an operand's elements are read, each in its own place or anywhere; a piece is read once. */
static int64_t n_points_read(const kd_gnode *reader)
{
    return reader->op->piece ? 0 : n_points(reader);
}

/* A few instructions on what one load brings. */
static bool is_light(const kd_gnode *node)
{
    switch (node->op->code) {
    case KD_GOP_add:
    case KD_GOP_add_scalar:
    case KD_GOP_sub:
    case KD_GOP_sub_scalar:
    case KD_GOP_rsub:
    case KD_GOP_mul:
    case KD_GOP_mul_scalar:
    case KD_GOP_neg:
    case KD_GOP_relu:
    case KD_GOP_where:
    case KD_GOP_eq_scalar:
    case KD_GOP_lt_scalar:
    case KD_GOP_ge_scalar:
    case KD_GOP_to_copy: return true;
    default: return false;
    }
}

typedef struct inlining {
    kd_plan *plan;
    unsigned n_inside, n_loads;
    bool is_light;
    const kd_gvalue *loaded; /* the last one */
} inlining;

static void count_inside(void *user, kd_gvalue *operand)
{
    inlining *in = user;
    const kd_gvalue *value = kd_gvalue_behind_views(operand);
    const kd_vinfo *info = kd_plan_info(in->plan, value);
    if (info->fate == KD_FATE_INLINE) {
        in->n_inside += info->n_inlined;
        in->is_light &= info->n_light > 0;
        in->n_loads += info->n_light;
    } else if (in->loaded != value) {
        in->loaded = value;
        in->n_loads++;
    }
}

static unsigned nodes_inside(kd_plan *plan, const kd_gnode *node)
{
    inlining in = {.plan = plan, .n_inside = 1, .is_light = is_light(node)};
    kd_gnode_each_tensor(node, count_inside, &in);
    kd_plan_info(plan, node->results[0])->n_light =
        in.is_light && in.n_loads <= 2 && in.n_inside <= 6 ? (in.n_loads ? in.n_loads : 1) : 0;
    return in.n_inside;
}

static bool should_inline(kd_plan *plan, const kd_gnode *node)
{
    const kd_vinfo *info = kd_plan_info(plan, node->results[0]);
    if (plan->no_fusion || node->op->lowering != KD_LOWER_POINTWISE || info->is_output || info->has_primitive_reader)
        return false;
    if (info->n_inlined > KD_GROUP_MAX_NODES / 4)
        return false;
    bool repeats = info->reader && n_points_read(info->reader) > n_points(node);
    if ((info->n_readers == 1 && !repeats) || is_cheap(node))
        return true;
    return info->n_light && info->n_readers <= 2 && (!repeats || n_points(info->reader) <= FEW_POINTS);
}

/* ---- spaces ---- */

/* Splits dimensions of the group so that each of the shape's is a product of neighbours. Only those of the extent count. False: it cannot be. */
static bool refine(kd_group *g, kd_extent extent, unsigned n, const int64_t *shape)
{
    int at = (int)g->n_dims - 1;
    for (unsigned k = n; k-- > 0;) {
        int64_t left = shape[k];
        while (left > 1) {
            while (at >= 0 && (g->dims[at] <= 1 || (extent == KD_EXTENT_ROW && g->reduced[at])))
                at--;
            if (at < 0)
                return false;
            if (left % g->dims[at] == 0) {
                left /= g->dims[at--];
            } else if (g->dims[at] % left == 0 && g->n_dims < KD_GROUP_MAX_DIMS) {
                memmove(g->dims + at + 1, g->dims + at, (g->n_dims - (unsigned)at) * sizeof *g->dims);
                memmove(g->reduced + at + 1, g->reduced + at, (g->n_dims - (unsigned)at) * sizeof *g->reduced);
                g->n_dims++;
                g->dims[at + 1] = left;
                g->dims[at] /= left;
                left = 1;
            } else {
                return false;
            }
        }
    }
    return true;
}

static int64_t space_size(const kd_group *g, kd_extent extent)
{
    int64_t n = 1;
    for (unsigned d = 0; d < g->n_dims; d++)
        n *= extent == KD_EXTENT_ROW && g->reduced[d] ? 1 : g->dims[d];
    return n;
}

/* Marks the group's dimensions that a reduction of this shape goes over; where there are marks already, they must agree. */
static bool mark_reduced(kd_group *g, const kd_tensor_type *shape, unsigned mask)
{
    int at = (int)g->n_dims - 1;
    for (unsigned k = shape->n_dims; k-- > 0;) {
        bool reduced = mask >> k & 1;
        for (int64_t left = shape->shape[k]; left > 1; at--) {
            if (g->dims[at] <= 1)
                continue;
            if (g->has_reduction && g->reduced[at] != reduced)
                return false;
            g->reduced[at] = reduced;
            left /= g->dims[at];
        }
    }
    g->has_reduction = true;
    return true;
}

static kd_extent extent_of_own(const kd_gnode *node)
{
    return node->op->lowering == KD_LOWER_REDUCTION ? KD_EXTENT_ROW : KD_EXTENT_FULL;
}

/* Gives a node a place in the group's space. */
static bool enter_space(kd_group *g, const kd_gnode *node, kd_extent *out_extent)
{
    if (kd_goes_over_rows(node)) {
        const kd_tensor_type *t = &kd_gnode_tensor(node, 0)->type;
        bool is_bad;
        *out_extent = extent_of_own(node);
        return kd_tensor_n_elems(t) == space_size(g, KD_EXTENT_FULL) && refine(g, KD_EXTENT_FULL, t->n_dims, t->shape) &&
               mark_reduced(g, t, kd_gnode_dims_mask(node, 1, t->n_dims, &is_bad));
    }
    const kd_tensor_type *t = &node->results[0]->type;
    int64_t n = kd_tensor_n_elems(t);
    *out_extent = n == space_size(g, KD_EXTENT_FULL) ? KD_EXTENT_FULL : KD_EXTENT_ROW;
    return n == space_size(g, *out_extent) && refine(g, *out_extent, t->n_dims, t->shape);
}

static kd_group *new_group(kd_plan *plan, const kd_gnode *node, unsigned level)
{
    bool reduces = kd_goes_over_rows(node), is_bad;
    const kd_tensor_type *t = reduces ? &kd_gnode_tensor(node, 0)->type : &node->results[0]->type;
    kd_group *g = kd_arena_new(plan->arena, kd_group);
    g->level = level;
    g->n_dims = t->n_dims;
    memcpy(g->dims, t->shape, sizeof t->shape);
    if (reduces) {
        unsigned mask = kd_gnode_dims_mask(node, 1, t->n_dims, &is_bad);
        for (unsigned d = 0; d < t->n_dims; d++)
            g->reduced[d] = mask >> d & 1;
        g->has_reduction = true;
    }
    kd_vec_push(plan->arena, &plan->groups, g);
    return g;
}

/* ---- joining ---- */

typedef struct levels {
    const kd_plan *plan;
    unsigned highest; /* of what the node reads */
    kd_group *candidate; /* the group with that level; NULL: none, or several */
} levels;

static void look_at_level(void *user, const kd_gvalue *value, const kd_index *at)
{
    levels *l = user;
    const kd_vinfo *info = kd_plan_info(l->plan, value);
    kd_group *group = info->fate == KD_FATE_MEMBER ? info->group : NULL;
    if (info->level > l->highest) {
        l->highest = info->level;
        l->candidate = group;
    } else if (info->level == l->highest && l->candidate != group) {
        l->candidate = NULL;
    }
}

typedef struct joining {
    const kd_plan *plan;
    const kd_group *group; /* that the values are in */
    const kd_group *refined; /* the space to compare in */
    const kd_index *point;
    bool fits;
} joining;

/* Members of the group are read at the point where they are computed. */
static void check_read(void *user, const kd_gvalue *value, const kd_index *at)
{
    joining *j = user;
    const kd_vinfo *info = kd_plan_info(j->plan, value);
    if (info->fate != KD_FATE_MEMBER || info->group != j->group || !j->fits)
        return;
    kd_arena *arena = j->plan->arena;
    j->fits = kd_index_equal(kd_index_flatten(arena, value->type.n_dims, value->type.shape, at),
                             kd_group_flat(arena, j->refined, info->extent, j->point));
}

static bool try_join(kd_plan *plan, kd_group *g, const kd_gnode *node, unsigned n_inside)
{
    if (g->n_nodes_inside + n_inside > KD_GROUP_MAX_NODES || space_size(g, KD_EXTENT_FULL) == 0)
        return false;
    kd_group refined = *g;
    kd_extent extent;
    if (!enter_space(&refined, node, &extent))
        return false;
    kd_index point[KD_GROUP_MAX_DIMS], at[KD_TENSOR_MAX_DIMS];
    kd_group_point(plan->arena, &refined, point);
    kd_group_node_index(plan->arena, &refined, node, extent, point, at);
    joining j = {plan, g, &refined, point, true};
    kd_access_each(plan, node, at, check_read, &j);
    if (!j.fits)
        return false;
    *g = refined;
    kd_plan_info(plan, node->results[0])->extent = extent;
    return true;
}

typedef struct neighbours {
    kd_plan *plan;
    kd_group *group; /* to note; NULL: to look for one */
    kd_group *found;
    unsigned above; /* its level is larger than this */
} neighbours;

static void look_at_reducer(void *user, const kd_gvalue *value, const kd_index *at)
{
    neighbours *n = user;
    kd_group **last = &n->plan->reducers[value->id];
    if (n->group)
        *last = n->group;
    else if (*last && (*last)->level > n->above)
        n->found = *last;
}

/* A group in which another reduction reads what this one does, and which comes after all that this one reads: joined now, what needs both
 * can join too. */
static kd_group *find_beside(kd_plan *plan, const kd_gnode *node, unsigned highest)
{
    const kd_index at[KD_TENSOR_MAX_DIMS] = {{0}};
    neighbours n = {.plan = plan, .above = highest};
    if (node->op->lowering == KD_LOWER_REDUCTION && !plan->no_fusion)
        kd_access_each(plan, node, at, look_at_reducer, &n);
    return n.found;
}

static void note_reducer(kd_plan *plan, const kd_gnode *node, kd_group *group)
{
    const kd_index at[KD_TENSOR_MAX_DIMS] = {{0}};
    neighbours n = {.plan = plan, .group = group};
    if (node->op->lowering == KD_LOWER_REDUCTION)
        kd_access_each(plan, node, at, look_at_reducer, &n);
}

static void place_loop_node(kd_plan *plan, const kd_gnode *node)
{
    kd_vinfo *info = kd_plan_info(plan, node->results[0]);
    unsigned n_inside = nodes_inside(plan, node);
    info->n_inlined = n_inside;
    if (should_inline(plan, node)) {
        info->fate = KD_FATE_INLINE;
        return;
    }
    kd_index at[KD_TENSOR_MAX_DIMS] = {{0}}; /* levels do not depend on where */
    levels l = {.plan = plan};
    kd_access_each(plan, node, at, look_at_level, &l);
    kd_group *g = plan->no_fusion ? NULL : l.candidate;
    if (!g || !try_join(plan, g, node, n_inside)) {
        g = find_beside(plan, node, l.highest);
        if (!g || !try_join(plan, g, node, n_inside)) {
            g = new_group(plan, node, l.highest + 1);
            info->extent = extent_of_own(node);
        }
    }
    note_reducer(plan, node, g);
    info->fate = KD_FATE_MEMBER;
    info->group = g;
    info->level = g->level;
    g->n_nodes_inside += n_inside;
    kd_vec_push(plan->arena, &g->nodes, node);
}

/* ---- side by side ---- */

typedef struct sharing {
    const kd_plan *plan;
    const kd_group *group;
    KD_VEC(const kd_gvalue *) reads;
} sharing;

static void note_read(void *user, const kd_gvalue *value, const kd_index *at)
{
    sharing *s = user;
    const kd_vinfo *info = kd_plan_info(s->plan, value);
    if (info->fate != KD_FATE_MEMBER || info->group != s->group)
        kd_vec_push(s->plan->arena, &s->reads, value);
}

/* Whether two groups of one level, between which there can be no path, go over the same space; all marks and dimensions alike. */
static bool same_space(const kd_group *a, const kd_group *b)
{
    return a->level == b->level && a->n_dims == b->n_dims && a->has_reduction == b->has_reduction &&
           memcmp(a->dims, b->dims, a->n_dims * sizeof *a->dims) == 0 &&
           memcmp(a->reduced, b->reduced, a->n_dims * sizeof *a->reduced) == 0 &&
           a->n_nodes_inside + b->n_nodes_inside <= KD_GROUP_MAX_NODES;
}

static void absorb(kd_plan *plan, kd_group *into, kd_group *from)
{
    for (unsigned i = 0; i < from->nodes.n; i++) {
        kd_plan_info(plan, from->nodes.data[i]->results[0])->group = into;
        kd_vec_push(plan->arena, &into->nodes, from->nodes.data[i]);
    }
    into->n_nodes_inside += from->n_nodes_inside;
    from->nodes.n = 0;
}

/* Puts groups together that read a value both: it then comes from memory once. Each group looks at the last group that read each of its
 * values, so the cost is one look at each read. */
static void fuse_side_by_side(kd_plan *plan)
{
    kd_group **last = kd_arena_array(plan->arena, kd_group *, plan->graph->values.n);
    for (unsigned i = 0; i < plan->groups.n; i++) {
        kd_group *g = plan->groups.data[i], *into = NULL;
        sharing s = {.plan = plan, .group = g};
        kd_index at[KD_TENSOR_MAX_DIMS] = {{0}};
        for (unsigned k = 0; k < g->nodes.n; k++)
            kd_access_each(plan, g->nodes.data[k], at, note_read, &s);
        for (unsigned k = 0; k < s.reads.n && !into; k++) {
            kd_group *other = last[s.reads.data[k]->id];
            if (other && other != g && same_space(other, g))
                into = other;
        }
        if (into)
            absorb(plan, into, g);
        for (unsigned k = 0; k < s.reads.n; k++)
            last[s.reads.data[k]->id] = into ? into : g;
    }
}

/* ---- order ---- */

static void raise_level(void *user, kd_gvalue *operand)
{
    levels *l = user;
    const kd_gvalue *value = kd_gvalue_behind_views(operand);
    const kd_vinfo *info = kd_plan_info(l->plan, value);
    l->highest = info->level > l->highest ? info->level : l->highest;
}

static void place_primitive(kd_plan *plan, const kd_gnode *node)
{
    levels l = {.plan = plan};
    kd_gnode_each_tensor(node, raise_level, &l);
    for (unsigned i = 0; i < node->n_results; i++) {
        kd_vinfo *info = kd_plan_info(plan, node->results[i]);
        info->fate = KD_FATE_PRIMITIVE;
        info->level = l.highest + 1;
    }
    kd_vec_push(plan->arena, &plan->steps, (kd_step_plan){.primitive = node, .level = l.highest + 1});
}

static int by_level(const void *a, const void *b)
{
    const kd_step_plan *x = a, *y = b;
    return x->level != y->level ? (x->level > y->level ? 1 : -1) : x->order > y->order ? 1 : -1;
}

static void order_steps(kd_plan *plan)
{
    for (unsigned i = 0; i < plan->groups.n; i++)
        if (plan->groups.data[i]->nodes.n)
            kd_vec_push(plan->arena, &plan->steps,
                        (kd_step_plan){.group = plan->groups.data[i], .level = plan->groups.data[i]->level});
    for (unsigned i = 0; i < plan->steps.n; i++)
        plan->steps.data[i].order = i;
    qsort(plan->steps.data, plan->steps.n, sizeof *plan->steps.data, by_level);
}

kd_status kd_plan_schedule(kd_plan *plan)
{
    kd_graph *g = plan->graph;
    plan->values = kd_arena_array(plan->arena, kd_vinfo, g->values.n);
    plan->reducers = kd_arena_array(plan->arena, kd_group *, g->values.n);
    for (unsigned i = 0; i < g->inputs.n; i++)
        kd_plan_info(plan, g->inputs.data[i])->fate = KD_FATE_INPUT;
    find_readers(plan);
    for (unsigned i = 0; i < g->nodes.n; i++) {
        const kd_gnode *node = g->nodes.data[i];
        if (node->op->lowering == KD_LOWER_VIEW) {
            for (unsigned r = 0; r < node->n_results; r++)
                kd_plan_info(plan, node->results[r])->fate = KD_FATE_VIEW;
        } else if (!is_read(plan, node)) {
            continue;
        } else if (kd_is_alone(node)) {
            place_primitive(plan, node);
        } else {
            place_loop_node(plan, node);
        }
    }
    if (!plan->no_fusion)
        fuse_side_by_side(plan);
    order_steps(plan);
    return KD_OK;
}
