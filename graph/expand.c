/* expand.c - ops that are written out as others when a graph is read: PyTorch's own compositions, which exporters leave as they are.
 *
 * Such an op needs no rule for its results' types: they are those of the nodes that it becomes. Its function in expand_*.c, or its formula in
 * the table, builds these nodes as decompositions do. It must bear what a file may say: any dimension, any shape. */
#include "graph/expand_impl.h"

kd_gvalue *expand_nested(kd_decomposer *d, const kd_gnode *node)
{
    const kd_gnode *of = d->of;
    kd_gvalue **made = d->made, **results = kd_arena_array(d->arena, kd_gvalue *, node->n_results);
    memset(results, 0, node->n_results * sizeof *results);
    d->of = node;
    d->made = results;
    if (!d->status)
        node->op->decompose(d);
    d->of = of;
    d->made = made;
    if (!results[0]) {
        results[0] = kd_arena_new(d->arena, kd_gvalue);
        *results[0] = (kd_gvalue){.name = ""};
    }
    return results[0];
}

/* Whether a result is a value of another node's, or another result. */
static bool is_another(const kd_decomposer *d, unsigned result)
{
    const kd_gvalue *value = d->made[result];
    bool is = !value->def || value->def->origin != d->of->origin;
    for (unsigned i = 0; i < result; i++)
        is |= d->made[i] == value;
    return is;
}

kd_status kd_graph_expand(kd_graph *graph, const kd_gnode *node, kd_gvalue **out_results, kd_failure *out_why)
{
    kd_decomposer d = {.to = graph, .arena = graph->arena, .of = node, .made = out_results, .why = out_why};
    memset(out_results, 0, node->n_results * sizeof *out_results);
    node->op->decompose(&d);
    for (unsigned i = 0; i < node->n_results && !d.status; i++) {
        if (!out_results[i])
            expand_bad(&d, "has no %u results", node->n_results);
        else if (is_another(&d, i)) /* results have names of their own */
            out_results[i] = build_one(&d, KD_GOP_alias, out_results[i]);
    }
    return d.status;
}

void expand_return(kd_decomposer *d, unsigned result, kd_gvalue *value)
{
    if (result < d->of->n_results)
        d->made[result] = value;
    else
        expand_bad(d, "has more than %u results", d->of->n_results);
}

void expand_bad(kd_decomposer *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!d->status)
        d->status = kd_vfail(d->why, KD_ERR_DAMAGED, format, args);
    va_end(args);
}

kd_gvalue *expand_tensor(kd_decomposer *d, unsigned i)
{
    static kd_gvalue NOTHING = {.name = ""};
    kd_gvalue *value = decompose_operand(d, i);
    if (!value)
        expand_bad(d, "argument %u must be a tensor", i);
    return value ? value : &NOTHING;
}

unsigned expand_dim(kd_decomposer *d, int64_t dim, unsigned n_dims)
{
    int at = kd_gnode_dim(dim, n_dims);
    if (at < 0)
        expand_bad(d, "dimension %lld is out of range of %u", (long long)dim, n_dims);
    return at < 0 ? 0 : (unsigned)at;
}

unsigned expand_list(kd_decomposer *d, unsigned i, kd_gvalue **out, unsigned capacity)
{
    const kd_garg *list = &d->of->args[i];
    unsigned n = list->kind == KD_GARG_LIST ? list->list.n : 0;
    if (!n || n > capacity)
        expand_bad(d, "needs 1 to %u tensors, not %u", capacity, n);
    n = n > capacity ? 0 : n;
    for (unsigned k = 0; k < n; k++)
        out[k] = list->list.items[k].value;
    return n;
}

kd_gvalue *expand_to_dims(kd_decomposer *d, kd_gvalue *x, unsigned n_dims)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = x->type.n_dims;
    if (n >= n_dims || n_dims > KD_TENSOR_MAX_DIMS)
        return x;
    for (unsigned i = 0; i < n_dims; i++)
        shape[i] = i < n_dims - n ? 1 : x->type.shape[i - (n_dims - n)];
    return build_view(d, x, n_dims, shape);
}

kd_gvalue *expand_wide(kd_decomposer *d, kd_gvalue *x)
{
    bool is_wide = kd_scalar_is_float(x->type.type) && kd_scalar_bytes(x->type.type) >= 4;
    return is_wide ? x : build_convert(d, x, KD_F32);
}
