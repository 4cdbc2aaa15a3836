/* siblings.c - products of one matrix with several constants become one product, of which each reader takes its columns:
 *
 *     %q = addmm(b, %x, w)                    %qk = addmm(b c, %x, w v)
 *     %k = addmm(c, %x, v)            ==>     %q, %k = its columns, views
 *
 * %x is read once, and the threads meet once. The columns are no copies: who reads them steps over the others.
 *
 * Needs:   weights as linear layers have them, the numbers of a column next to one another, so that they can be joined by appending them.
 * Leaves:  products with posts, because those would have to become kernels, and outputs, which callers want in memory of their own. */
#include "graph/constant.h"
#include "graph/plan.h"

#include "base/map.h"

/* A product with constants, or several with the same matrix. */
typedef struct family {
    KD_VEC(kd_gnode *) members;
} family;

typedef struct merging {
    kd_graph *graph;
    kd_arena *arena;
    family **of; /* by the node's number */
} merging;

static unsigned first_factor(const kd_gnode *node)
{
    return node->op->code == KD_GOP_addmm;
}

/* A constant that lies as one piece: a row of numbers, or a matrix column by column. False: it is none. */
static bool is_piece(kd_arena *arena, const kd_gvalue *value, kd_constant_part *out)
{
    kd_strided t;
    *out = (kd_constant_part){.n_elems = kd_tensor_n_elems(&value->type)};
    return kd_access_strided(arena, value, &out->from, &t, &out->first) && kd_constant_is(out->from) && t.strides[0] == 1 &&
           (t.n_dims == 1 || t.strides[1] == t.shape[0]);
}

static bool may_have_siblings(const merging *m, const kd_gnode *node)
{
    if ((node->op->code != KD_GOP_mm && node->op->code != KD_GOP_addmm) || node->n_posts ||
        kd_graph_is_output(m->graph, node->results[0]) || !kd_tensor_n_elems(&node->results[0]->type))
        return false;
    unsigned first = first_factor(node);
    kd_constant_part unused;
    return is_piece(m->arena, kd_gnode_tensor(node, first + 1), &unused) &&
           (!first || is_piece(m->arena, kd_gnode_tensor(node, 0), &unused));
}

static void find_families(merging *m)
{
    kd_map known[2] = {kd_map_in(m->arena), kd_map_in(m->arena)}; /* family *, of mm and of addmm, by the matrix */
    for (unsigned i = 0; i < m->graph->nodes.n; i++) {
        kd_gnode *node = m->graph->nodes.data[i];
        if (!may_have_siblings(m, node))
            continue;
        void **place = kd_map_at_ptr(&known[first_factor(node)], kd_gnode_tensor(node, first_factor(node)));
        *place = *place ? *place : kd_arena_new(m->arena, family);
        m->of[i] = *place;
        kd_vec_push(m->arena, &m->of[i]->members, node);
    }
}

/* Parameter i of all members, one behind the other. */
static kd_gvalue *join(merging *m, const family *f, unsigned i, const char *name, int64_t n_columns)
{
    kd_tensor_type type = kd_gnode_tensor(f->members.data[0], i)->type;
    kd_constant_part *parts = kd_arena_array(m->arena, kd_constant_part, f->members.n);
    type.shape[type.n_dims - 1] = n_columns;
    type.strides[0] = 1;
    type.strides[1] = type.shape[0];
    for (unsigned k = 0; k < f->members.n; k++)
        (void)is_piece(m->arena, kd_gnode_tensor(f->members.data[k], i), &parts[k]);
    return kd_graph_add_constant(m->graph, name, &type, (kd_recipe){.kind = KD_RECIPE_JOIN, .parts = parts, .n_parts = f->members.n});
}

/* The product of all; the nodes that it stands for go. */
static kd_gnode *merge(merging *m, const family *f)
{
    const kd_gnode *model = f->members.data[0];
    kd_gnode *all = kd_arena_new(m->arena, kd_gnode);
    kd_garg *args = kd_arena_array(m->arena, kd_garg, model->n_args);
    kd_strbuf origin = kd_strbuf_in(m->arena), name = kd_strbuf_in(m->arena);
    kd_tensor_type type = model->results[0]->type;
    type.shape[1] = 0;
    for (unsigned i = 0; i < f->members.n; i++) {
        const kd_gvalue *result = f->members.data[i]->results[0];
        kd_strbuf_printf(&origin, "%s%s", i ? ", " : "", f->members.data[i]->origin);
        kd_strbuf_printf(&name, "%s%s", i ? "." : "", result->name);
        type.shape[1] += result->type.shape[1];
    }
    kd_tensor_set_contiguous(&type);
    memcpy(args, model->args, model->n_args * sizeof *args);
    unsigned first = first_factor(model);
    const char *all_name = kd_strbuf_text(&name);
    args[first + 1] = kd_garg_value(join(m, f, first + 1, kd_arena_printf(m->arena, "%s.weights", all_name), type.shape[1]));
    if (first)
        args[0] = kd_garg_value(join(m, f, 0, kd_arena_printf(m->arena, "%s.bias", all_name), type.shape[1]));
    *all = *model;
    all->args = args;
    all->origin = kd_strbuf_text(&origin);
    all->results = kd_arena_new(m->arena, kd_gvalue *);
    all->results[0] = kd_graph_add_value(m->graph, all_name, &type);
    all->results[0]->def = all;
    return all;
}

/* A member's result as columns of the product of all. */
static kd_gnode *columns_of(merging *m, const kd_gnode *all, const kd_gnode *member, int64_t start)
{
    kd_gnode *slice = kd_arena_new(m->arena, kd_gnode);
    kd_gvalue *result = member->results[0];
    kd_garg *args = kd_arena_array(m->arena, kd_garg, 5);
    args[0] = kd_garg_value(all->results[0]);
    args[1] = kd_garg_int(1);
    args[2] = kd_garg_int(start);
    args[3] = kd_garg_int(start + result->type.shape[1]);
    args[4] = kd_garg_int(1);
    *slice = (kd_gnode){
        .op = &kd_gops[KD_GOP_slice], .args = args, .n_args = 5, .n_results = 1, .results = member->results, .origin = member->origin};
    memcpy(result->type.strides, all->results[0]->type.strides, sizeof result->type.strides);
    result->def = slice;
    return slice;
}

void kd_graph_merge_siblings(kd_graph *graph)
{
    merging m = {.graph = graph, .arena = graph->arena, .of = kd_arena_array(graph->arena, family *, graph->nodes.n)};
    KD_VEC(kd_gnode *) nodes = {0};
    find_families(&m);
    for (unsigned i = 0; i < graph->nodes.n; i++) {
        const family *f = m.of[i];
        if (!f || f->members.n == 1)
            kd_vec_push(m.arena, &nodes, graph->nodes.data[i]);
        if (!f || f->members.n == 1 || f->members.data[0] != graph->nodes.data[i])
            continue;
        int64_t start = 0;
        kd_gnode *all = merge(&m, f);
        kd_vec_push(m.arena, &nodes, all);
        for (unsigned k = 0; k < f->members.n; k++) {
            kd_gnode *slice = columns_of(&m, all, f->members.data[k], start);
            start += slice->results[0]->type.shape[1];
            kd_vec_push(m.arena, &nodes, slice);
        }
    }
    graph->nodes.data = nodes.data;
    graph->nodes.n = nodes.n;
    graph->nodes.cap = nodes.cap;
}
