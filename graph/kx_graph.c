/* kx_graph.c - a rewritten graph as bytes: its values, then its nodes in order, each with its arguments and posts. */
#include "graph/kx.h"

#include "base/scalar.h"
#include "graph/ops.h"

enum { MAX_LIST_DEPTH = 3, LEAST_BYTES = 8 };

/* ---- writing ---- */

void kd_kx_put_type(kd_strbuf *out, const kd_tensor_type *t)
{
    kd_kx_put_u64(out, t->type);
    kd_kx_put_u64(out, t->n_dims);
    for (unsigned d = 0; d < t->n_dims; d++) {
        kd_kx_put_u64(out, (uint64_t)t->shape[d]);
        kd_kx_put_u64(out, (uint64_t)t->strides[d]);
    }
}

static void put_arg(kd_strbuf *out, const kd_garg *arg)
{
    kd_kx_put_u64(out, arg->kind);
    switch (arg->kind) {
    case KD_GARG_NONE: break;
    case KD_GARG_VALUE: kd_kx_put_u64(out, arg->value->id); break;
    case KD_GARG_TEXT: kd_kx_put_text(out, arg->text); break;
    case KD_GARG_LIST:
        kd_kx_put_u64(out, arg->list.n);
        for (unsigned i = 0; i < arg->list.n; i++)
            put_arg(out, &arg->list.items[i]);
        break;
    case KD_GARG_FLOAT: kd_strbuf_append(out, (const char *)&arg->f, sizeof arg->f); break;
    case KD_GARG_INT:
    case KD_GARG_BOOL: kd_kx_put_u64(out, (uint64_t)arg->i); break;
    }
}

static void put_node(kd_strbuf *out, const kd_gnode *node)
{
    kd_kx_put_text(out, node->op->name);
    kd_kx_put_text(out, node->origin);
    kd_kx_put_text(out, node->at);
    kd_kx_put_text(out, node->part_of ? node->part_of->name : NULL);
    kd_kx_put_u64(out, node->n_args);
    for (unsigned i = 0; i < node->n_args; i++)
        put_arg(out, &node->args[i]);
    kd_kx_put_u64(out, node->n_results);
    for (unsigned i = 0; i < node->n_results; i++)
        kd_kx_put_u64(out, node->results[i]->id);
    kd_kx_put_u64(out, node->n_parts);
    kd_kx_put_u64(out, node->n_posts);
    for (unsigned i = 0; i < node->n_posts; i++)
        kd_kx_put_bytes(out, &node->posts[i], sizeof node->posts[i]);
}

void kd_kx_put_graph(kd_strbuf *out, const kd_graph *graph, const uint64_t *places)
{
    kd_kx_put_u64(out, graph->values.n);
    for (unsigned i = 0; i < graph->values.n; i++) {
        kd_kx_put_text(out, graph->values.data[i]->name);
        kd_kx_put_type(out, &graph->values.data[i]->type);
        kd_kx_put_u64(out, places[i]);
    }
    kd_kx_put_u64(out, graph->inputs.n);
    for (unsigned i = 0; i < graph->inputs.n; i++)
        kd_kx_put_u64(out, graph->inputs.data[i]->id);
    kd_kx_put_u64(out, graph->nodes.n);
    for (unsigned i = 0; i < graph->nodes.n; i++)
        put_node(out, graph->nodes.data[i]);
    kd_kx_put_u64(out, graph->outputs.n);
    for (unsigned i = 0; i < graph->outputs.n; i++)
        kd_kx_put_u64(out, graph->outputs.data[i]->id);
}

/* ---- reading ---- */

void kd_kx_take_type(kd_kx_reader *r, kd_tensor_type *t)
{
    uint64_t type = kd_kx_take_u64(r), n_dims = kd_kx_take_u64(r);
    if (type >= KD_N_SCALARS || n_dims > KD_TENSOR_MAX_DIMS) {
        r->is_bad = true;
        return;
    }
    *t = (kd_tensor_type){.type = (kd_scalar)type, .n_dims = (unsigned)n_dims};
    for (unsigned d = 0; d < n_dims; d++) {
        t->shape[d] = (int64_t)kd_kx_take_u64(r);
        t->strides[d] = (int64_t)kd_kx_take_u64(r);
        r->is_bad = r->is_bad || t->shape[d] < 0 || t->strides[d] < 0 || t->shape[d] >> KD_TENSOR_MAX_EXTENT_BITS ||
                    t->strides[d] >> KD_TENSOR_MAX_EXTENT_BITS;
    }
    r->is_bad = r->is_bad || !kd_tensor_is_reasonable(t);
}

static kd_gvalue *take_value(kd_kx_reader *r, const kd_graph *graph)
{
    uint64_t id = kd_kx_take_u64(r);
    if (id >= graph->values.n)
        r->is_bad = true;
    return r->is_bad ? NULL : graph->values.data[id];
}

static void take_arg(kd_kx_reader *r, const kd_graph *graph, unsigned depth, kd_garg *out)
{
    uint64_t kind = kd_kx_take_u64(r);
    *out = (kd_garg){0};
    if (kind > KD_GARG_LIST || depth > MAX_LIST_DEPTH) {
        r->is_bad = true;
        return;
    }
    out->kind = (kd_garg_kind)kind;
    switch (out->kind) {
    case KD_GARG_NONE: break;
    case KD_GARG_VALUE: out->value = take_value(r, graph); break;
    case KD_GARG_TEXT: out->text = kd_kx_take_text(r); break;
    case KD_GARG_FLOAT: {
        uint64_t bits = kd_kx_take_u64(r);
        memcpy(&out->f, &bits, sizeof bits);
        break;
    }
    case KD_GARG_INT:
    case KD_GARG_BOOL: out->i = (int64_t)kd_kx_take_u64(r); break;
    case KD_GARG_LIST: {
        unsigned n = kd_kx_take_count(r, LEAST_BYTES);
        kd_garg *items = kd_arena_array(graph->arena, kd_garg, n);
        for (unsigned i = 0; i < n && !r->is_bad; i++)
            take_arg(r, graph, depth + 1, &items[i]);
        out->list.items = items;
        out->list.n = n;
        break;
    }
    }
}

static void take_posts(kd_kx_reader *r, const kd_graph *graph, kd_gnode *node)
{
    node->n_posts = kd_kx_take_count(r, sizeof(kd_gpost));
    kd_gpost *posts = kd_arena_array(graph->arena, kd_gpost, node->n_posts);
    node->posts = posts;
    r->is_bad = r->is_bad || node->n_posts > KD_ONEDNN_MAX_POSTS;
    for (unsigned i = 0; i < node->n_posts && !r->is_bad; i++) {
        size_t n_bytes;
        const void *bytes = kd_kx_take_bytes(r, &n_bytes);
        r->is_bad = r->is_bad || n_bytes != sizeof posts[i];
        if (!r->is_bad)
            memcpy(&posts[i], bytes, sizeof posts[i]);
        r->is_bad = r->is_bad || (posts[i].arg >= 0 && (unsigned)posts[i].arg >= node->n_args);
    }
}

static void take_node(kd_kx_reader *r, kd_graph *graph)
{
    kd_gnode *node = kd_arena_new(graph->arena, kd_gnode);
    const char *op = kd_kx_take_text(r);
    node->op = op ? kd_gop_find(kd_str_of(op)) : NULL;
    node->origin = kd_kx_take_text(r);
    node->at = kd_kx_take_text(r);
    const char *part_of = kd_kx_take_text(r);
    node->part_of = part_of ? kd_gop_find(kd_str_of(part_of)) : NULL;
    node->n_args = kd_kx_take_count(r, LEAST_BYTES);
    kd_garg *args = kd_arena_array(graph->arena, kd_garg, node->n_args);
    for (unsigned i = 0; i < node->n_args && !r->is_bad; i++)
        take_arg(r, graph, 0, &args[i]);
    node->args = args;
    node->n_results = kd_kx_take_count(r, LEAST_BYTES);
    node->results = kd_arena_array(graph->arena, kd_gvalue *, node->n_results);
    for (unsigned i = 0; i < node->n_results && !r->is_bad; i++) {
        kd_gvalue *value = node->results[i] = take_value(r, graph);
        r->is_bad = r->is_bad || value->def || value->data;
        if (r->is_bad)
            break;
        value->def = node;
        value->result = i;
    }
    uint64_t n_parts = kd_kx_take_u64(r);
    const kd_tensor_type *type = r->is_bad || !node->n_results ? NULL : &node->results[0]->type;
    r->is_bad = r->is_bad || (n_parts > 1 && (!type || type->n_dims < 3 || (uint64_t)type->shape[0] != n_parts));
    node->n_parts = (unsigned)n_parts;
    take_posts(r, graph, node);
    if (!node->op || !node->origin || !node->n_results)
        r->is_bad = true;
    if (!r->is_bad)
        kd_vec_push(graph->arena, &graph->nodes, node);
}

static void take_values(kd_kx_reader *r, kd_graph *graph, const unsigned char *data, size_t n_data_bytes)
{
    unsigned n = kd_kx_take_count(r, 3 * LEAST_BYTES);
    for (unsigned i = 0; i < n && !r->is_bad; i++) {
        kd_tensor_type type = {0};
        const char *name = kd_kx_take_text(r);
        kd_kx_take_type(r, &type);
        uint64_t place = kd_kx_take_u64(r);
        bool is_there = place && place != KD_KX_PACKED;
        if (!name || r->is_bad ||
            (is_there && (place - 1 > n_data_bytes || kd_tensor_n_bytes(&type) > n_data_bytes - (place - 1)))) {
            r->is_bad = true;
            return;
        }
        kd_gvalue *value = kd_graph_add_value(graph, name, &type);
        value->data = is_there ? data + place - 1 : place ? data : NULL;
    }
}

static void take_list(kd_kx_reader *r, kd_graph *graph, bool inputs)
{
    unsigned n = kd_kx_take_count(r, LEAST_BYTES);
    for (unsigned i = 0; i < n && !r->is_bad; i++) {
        kd_gvalue *value = take_value(r, graph);
        if (r->is_bad)
            return;
        if (inputs)
            kd_vec_push(graph->arena, &graph->inputs, value);
        else
            kd_vec_push(graph->arena, &graph->outputs, value);
    }
}

bool kd_kx_take_graph(kd_kx_reader *r, kd_graph *graph, const unsigned char *data, size_t n_data_bytes)
{
    take_values(r, graph, data, n_data_bytes);
    take_list(r, graph, true);
    unsigned n = kd_kx_take_count(r, 7 * LEAST_BYTES);
    for (unsigned i = 0; i < n && !r->is_bad; i++)
        take_node(r, graph);
    take_list(r, graph, false);
    if (!r->is_bad)
        kd_graph_count_uses(graph);
    return !r->is_bad;
}
