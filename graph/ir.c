/* ir.c - graphs, and how they print. */
#include "graph/ir.h"

#include "base/number.h"
#include "base/scalar.h"
#include "graph/constant.h"
#include "graph/ops.h"

#include <inttypes.h>
#include <stdlib.h>

kd_graph *kd_graph_create(const char *name)
{
    kd_graph *graph = calloc(1, sizeof *graph);
    if (!graph)
        return NULL;
    graph->budget.limit_bytes = KD_GRAPH_LIMIT;
    graph->name = name;
    return graph;
}

void kd_graph_destroy(kd_graph *graph)
{
    if (!graph)
        return;
    for (unsigned i = 0; i < graph->files.n; i++)
        kd_file_unmap(&graph->files.data[i]);
    kd_file_unmap(&graph->archive);
    if (graph->arena)
        kd_arena_destroy(graph->arena);
    free(graph);
}

static bool holds(const kd_mapping *m, const void *data)
{
    return (uintptr_t)data - (uintptr_t)m->data < m->n_bytes;
}

const kd_mapping *kd_graph_file_of(const kd_graph *graph, const void *data)
{
    for (unsigned i = 0; i < graph->files.n; i++)
        if (holds(&graph->files.data[i], data))
            return &graph->files.data[i];
    return holds(&graph->archive, data) ? &graph->archive : NULL;
}

kd_gvalue *kd_graph_add_value(kd_graph *graph, const char *name, const kd_tensor_type *type)
{
    kd_gvalue *value = kd_arena_new(graph->arena, kd_gvalue);
    *value = (kd_gvalue){.id = graph->values.n, .name = name, .type = *type};
    kd_vec_push(graph->arena, &graph->values, value);
    return value;
}

bool kd_graph_is_output(const kd_graph *g, const kd_gvalue *value)
{
    for (unsigned i = 0; i < g->outputs.n; i++)
        if (g->outputs.data[i] == value)
            return true;
    return false;
}

static void count_uses_of(const kd_garg *arg)
{
    if (arg->kind == KD_GARG_VALUE)
        arg->value->n_uses++;
    for (unsigned i = 0; arg->kind == KD_GARG_LIST && i < arg->list.n; i++)
        if (arg->list.items[i].kind == KD_GARG_VALUE)
            arg->list.items[i].value->n_uses++;
}

void kd_graph_count_uses(kd_graph *graph)
{
    for (unsigned i = 0; i < graph->values.n; i++)
        graph->values.data[i]->n_uses = 0;
    for (unsigned i = 0; i < graph->nodes.n; i++)
        for (unsigned a = 0; a < graph->nodes.data[i]->n_args; a++)
            count_uses_of(&graph->nodes.data[i]->args[a]);
    for (unsigned i = 0; i < graph->outputs.n; i++)
        graph->outputs.data[i]->n_uses++;
}

/* ---- types ---- */

bool kd_tensor_number(const char *name, char letter, unsigned n, unsigned *out_number)
{
    double number = 0;
    if (name[0] != letter || (!name[1] && n != 1) || (name[1] && !kd_double_parse(kd_str_of(name + 1), &number)))
        return false;
    if (!(number >= 0 && number < n) || number != (unsigned)number)
        return false;
    *out_number = (unsigned)number;
    return true;
}

int64_t kd_tensor_n_elems(const kd_tensor_type *type)
{
    int64_t n = 1;
    for (unsigned d = 0; d < type->n_dims; d++)
        n *= type->shape[d];
    return n;
}

size_t kd_tensor_n_bytes(const kd_tensor_type *type)
{
    if (kd_tensor_n_elems(type) == 0)
        return 0;
    int64_t last = 0;
    for (unsigned d = 0; d < type->n_dims; d++)
        last += (type->shape[d] - 1) * type->strides[d];
    return (size_t)(last + 1) * kd_scalar_bytes(type->type);
}

void kd_tensor_set_contiguous(kd_tensor_type *type)
{
    int64_t step = 1;
    for (unsigned d = type->n_dims; d-- > 0;) {
        type->strides[d] = step;
        if (__builtin_mul_overflow(step, type->shape[d] > 0 ? type->shape[d] : 1, &step))
            step = INT64_MAX; /* not reasonable, whatever the extents */
    }
}

bool kd_tensor_is_contiguous(const kd_tensor_type *type)
{
    int64_t step = 1;
    for (unsigned d = type->n_dims; d-- > 0;) {
        if (type->shape[d] != 1 && type->strides[d] != step)
            return false;
        if (__builtin_mul_overflow(step, type->shape[d], &step))
            step = INT64_MAX; /* as kd_tensor_set_contiguous */
    }
    return true;
}

bool kd_tensor_is_dense(const kd_tensor_type *type)
{
    return kd_tensor_n_bytes(type) == (size_t)kd_tensor_n_elems(type) * kd_scalar_bytes(type->type);
}

void kd_tensor_set_channels_last(kd_tensor_type *type)
{
    int64_t step = type->shape[1];
    type->strides[1] = 1;
    for (unsigned d = type->n_dims; d-- > 0;) {
        if (d == 1)
            continue;
        type->strides[d] = step;
        step *= type->shape[d];
    }
}

bool kd_tensor_is_channels_last(const kd_tensor_type *type)
{
    kd_tensor_type other = *type;
    if (type->n_dims < 3)
        return false;
    kd_tensor_set_channels_last(&other);
    for (unsigned d = 0; d < type->n_dims; d++)
        if (type->shape[d] != 1 && type->strides[d] != other.strides[d])
            return false;
    return true;
}

bool kd_tensor_is_reasonable(const kd_tensor_type *type)
{
    int64_t n = 1, span = 1;
    for (unsigned d = 0; d < type->n_dims; d++) {
        int64_t reach;
        if (type->shape[d] == 0)
            continue;
        if (__builtin_mul_overflow(n, type->shape[d], &n) || n >> KD_TENSOR_MAX_EXTENT_BITS)
            return false;
        if (__builtin_mul_overflow(type->shape[d] - 1, type->strides[d], &reach) || __builtin_add_overflow(span, reach, &span) ||
            span >> KD_TENSOR_MAX_EXTENT_BITS)
            return false;
    }
    return true;
}

bool kd_tensor_same_shape(const kd_tensor_type *a, const kd_tensor_type *b)
{
    return a->n_dims == b->n_dims && memcmp(a->shape, b->shape, a->n_dims * sizeof *a->shape) == 0;
}

const char *kd_shape_text(kd_arena *arena, unsigned n_dims, const int64_t *shape)
{
    kd_strbuf out = kd_strbuf_in(arena);
    kd_strbuf_puts(&out, "[");
    for (unsigned d = 0; d < n_dims; d++)
        kd_strbuf_printf(&out, "%s%" PRId64, d ? ", " : "", shape[d]);
    kd_strbuf_puts(&out, "]");
    return kd_strbuf_text(&out);
}

const char *kd_tensor_type_text(kd_arena *arena, const kd_tensor_type *type)
{
    const char *strides = kd_tensor_is_contiguous(type)
                              ? ""
                              : kd_arena_printf(arena, " strides %s", kd_shape_text(arena, type->n_dims, type->strides));
    return kd_arena_printf(arena, "%s%s%s", kd_scalar_name(type->type), kd_shape_text(arena, type->n_dims, type->shape), strides);
}

kd_garg kd_garg_map(kd_arena *arena, kd_garg arg, kd_gvalue *(*of)(kd_gvalue *value, void *user), void *user)
{
    if (arg.kind == KD_GARG_VALUE) {
        arg.value = of(arg.value, user);
    } else if (arg.kind == KD_GARG_LIST) {
        kd_garg *items = kd_arena_array(arena, kd_garg, arg.list.n);
        for (unsigned i = 0; i < arg.list.n; i++)
            items[i] = kd_garg_map(arena, arg.list.items[i], of, user);
        arg.list.items = items;
    }
    return arg;
}

/* ---- text ---- */

void kd_garg_print(const kd_garg *arg, kd_strbuf *out)
{
    char number[KD_MAX_DOUBLE_TEXT];
    switch (arg->kind) {
    case KD_GARG_NONE: kd_strbuf_puts(out, "none"); break;
    case KD_GARG_VALUE: kd_strbuf_printf(out, "%%%s", arg->value->name); break;
    case KD_GARG_INT: kd_strbuf_printf(out, "%" PRId64, arg->i); break;
    case KD_GARG_BOOL: kd_strbuf_puts(out, arg->i ? "true" : "false"); break;
    case KD_GARG_TEXT: kd_strbuf_printf(out, "'%s'", arg->text); break;
    case KD_GARG_FLOAT:
        if (arg->f != arg->f || arg->f - arg->f != 0) {
            kd_strbuf_puts(out, arg->f != arg->f ? "nan" : arg->f < 0 ? "-inf" : "inf");
        } else {
            kd_double_format(number, arg->f, 9);
            kd_strbuf_puts(out, number);
        }
        break;
    case KD_GARG_LIST:
        kd_strbuf_puts(out, "[");
        for (unsigned i = 0; i < arg->list.n; i++) {
            kd_strbuf_puts(out, i ? ", " : "");
            kd_garg_print(&arg->list.items[i], out);
        }
        kd_strbuf_puts(out, "]");
        break;
    }
}

void kd_graph_print_node(const kd_gnode *node, kd_arena *scratch, kd_strbuf *out)
{
    for (unsigned i = 0; i < node->n_results; i++)
        kd_strbuf_printf(out, "%s%%%s: %s", i ? ", " : "", node->results[i]->name,
                         kd_tensor_type_text(scratch, &node->results[i]->type));
    kd_strbuf_printf(out, " = %s(", node->op->name);
    unsigned n = node->n_args;
    while (n && node->args[n - 1].kind == KD_GARG_NONE) /* options that nobody gave */
        n--;
    for (unsigned i = 0; i < n; i++) {
        kd_strbuf_puts(out, i ? ", " : "");
        kd_garg_print(&node->args[i], out);
    }
    kd_strbuf_puts(out, ")");
}

typedef struct text_job {
    const kd_graph *graph;
    kd_budget *budget;
    kd_arena *scratch;
    char *text;
} text_job;

static void print_graph(void *user)
{
    text_job *job = user;
    const kd_graph *graph = job->graph;
    job->scratch = kd_arena_create(job->budget);
    kd_strbuf out = kd_strbuf_in(job->scratch);
    kd_strbuf_printf(&out, "graph %s\n", graph->name);
    for (unsigned i = 0; i < graph->inputs.n; i++) {
        const kd_gvalue *value = graph->inputs.data[i];
        kd_strbuf_printf(&out, "%s %%%s: %s\n", kd_constant_is(value) ? "const" : "input", value->name,
                         kd_tensor_type_text(job->scratch, &value->type));
    }
    for (unsigned i = 0; i < graph->nodes.n; i++) {
        kd_graph_print_node(graph->nodes.data[i], job->scratch, &out);
        kd_strbuf_puts(&out, "\n");
    }
    kd_strbuf_puts(&out, "return");
    for (unsigned i = 0; i < graph->outputs.n; i++)
        kd_strbuf_printf(&out, "%s %%%s", i ? "," : "", graph->outputs.data[i]->name);
    kd_strbuf_puts(&out, "\n");
    job->text = strdup(kd_strbuf_text(&out));
}

char *kd_graph_text(const kd_graph *graph)
{
    kd_budget budget = {.limit_bytes = KD_GRAPH_LIMIT};
    text_job job = {.graph = graph, .budget = &budget};
    kd_budget_catch(&budget, print_graph, &job);
    if (job.scratch)
        kd_arena_destroy(job.scratch);
    return job.text;
}
