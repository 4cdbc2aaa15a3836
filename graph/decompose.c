/* decompose.c - compositions written out in simpler ops, and outputs as values of their own.
 *
 * What is computed in half types inside of a composition is f32 there, and rounded once, at its end. */
#include "graph/plan.h"

#include "base/scalar.h"

typedef struct decomposer {
    kd_graph *to;
    kd_arena *arena;
    kd_gvalue **map;         /* values of the old graph in the new one, by id */
    const kd_gnode *of;      /* the node that is written out */
    unsigned n_made;         /* of it */
    kd_failure *why;
    kd_status status;
} decomposer;

static kd_garg none(void)
{
    return (kd_garg){0};
}

static kd_garg text(const char *t)
{
    kd_garg arg = {.kind = KD_GARG_TEXT};
    arg.text = t;
    return arg;
}

static kd_garg flag(bool on)
{
    kd_garg arg = {.kind = KD_GARG_BOOL};
    arg.i = on;
    return arg;
}

static kd_garg ints(kd_arena *arena, unsigned n, const int64_t *values)
{
    kd_garg *items = kd_arena_array(arena, kd_garg, n), arg = {.kind = KD_GARG_LIST};
    for (unsigned i = 0; i < n; i++)
        items[i] = kd_garg_int(values[i]);
    arg.list.items = items;
    arg.list.n = n;
    return arg;
}

/* Adds a node with one result. Arguments behind those given are none. */
#define BUILD(d, code, ...) build((d), KD_GOP_##code, (const kd_garg[KD_GOP_MAX_PARAMS]){__VA_ARGS__})

static kd_gvalue *build(decomposer *d, kd_gop_code code, const kd_garg *args)
{
    kd_gparam params[KD_GOP_MAX_PARAMS];
    kd_gnode *node = kd_arena_new(d->arena, kd_gnode);
    kd_garg *kept = kd_arena_array(d->arena, kd_garg, KD_GOP_MAX_PARAMS);
    memcpy(kept, args, KD_GOP_MAX_PARAMS * sizeof *args);
    kd_tensor_type type;
    *node = (kd_gnode){.op = &kd_gops[code], .args = kept, .n_results = 1, .origin = d->of->origin};
    node->n_args = kd_gop_params(node->op, params);
    kd_infer cx = {d->arena, d->why, &type, 1};
    kd_status status = node->op->infer(&cx, node);
    if (status) {
        d->status = status;
        memset(&type, 0, sizeof type);
    }
    const char *op = strchr(node->op->name, '.') + 1;
    node->results = kd_arena_new(d->arena, kd_gvalue *);
    node->results[0] = kd_graph_add_value(
        d->to, kd_arena_printf(d->arena, "%s.%.*s%u", d->of->results[0]->name, (int)strcspn(op, "."), op, d->n_made++), &type);
    node->results[0]->def = node;
    kd_vec_push(d->arena, &d->to->nodes, node);
    return node->results[0];
}

static kd_gvalue *convert(decomposer *d, kd_gvalue *value, kd_scalar type)
{
    return value->type.type == type ? value : BUILD(d, to_copy, kd_garg_value(value), text(kd_scalar_name(type)));
}

static kd_gvalue *two(decomposer *d, kd_gop_code code, kd_gvalue *a, kd_gvalue *b)
{
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(a), kd_garg_value(b), kd_garg_int(1)};
    return build(d, code, args);
}

/* Operand i of the node that is written out, in f32 where it is of a half type. NULL: none. */
static kd_gvalue *operand(decomposer *d, unsigned i)
{
    kd_gvalue *value = kd_gnode_tensor(d->of, i);
    if (!value)
        return NULL;
    value = d->map[value->id];
    return convert(d, value,
                   kd_scalar_bytes(value->type.type) < 4 && kd_scalar_is_float(value->type.type) ? KD_F32 : value->type.type);
}

/* The value takes the place, the name and the layout of a result. */
static void finish(decomposer *d, unsigned result, kd_gvalue *value)
{
    const kd_gvalue *old = d->of->results[result];
    if (value->type.type != old->type.type || !value->def || value->def->op->lowering == KD_LOWER_VIEW ||
        value->def->origin != d->of->origin)
        value = BUILD(d, to_copy, kd_garg_value(value), text(kd_scalar_name(old->type.type)));
    value->name = old->name;
    memcpy(value->type.strides, old->type.strides, sizeof value->type.strides);
    d->map[old->id] = value;
}

/* ---- one function for each composition ---- */

static kd_gvalue *mean_over(decomposer *d, kd_gvalue *x, kd_garg dims, bool keep)
{
    kd_gvalue *sum = BUILD(d, sum, kd_garg_value(x), dims, flag(keep), none());
    int64_t n = kd_tensor_n_elems(&sum->type);
    return BUILD(d, div_scalar, kd_garg_value(sum), kd_garg_float((double)kd_tensor_n_elems(&x->type) / (double)(n ? n : 1)));
}

static void decompose_sum_all(decomposer *d)
{
    kd_gvalue *x = convert(d, d->map[kd_gnode_tensor(d->of, 0)->id], d->of->results[0]->type.type);
    finish(d, 0, BUILD(d, sum, kd_garg_value(x), none(), flag(false), none()));
}

static void decompose_mean(decomposer *d)
{
    bool has_dims = d->of->op->code == KD_GOP_mean;
    finish(d, 0, mean_over(d, operand(d, 0), has_dims ? d->of->args[1] : none(), has_dims && kd_gnode_bool(d->of, 2)));
}

static void decompose_softmax(decomposer *d)
{
    bool is_log = d->of->op->code == KD_GOP_log_softmax;
    kd_gvalue *x = operand(d, 0);
    int64_t dim = kd_gnode_int(d->of, 1, 0);
    kd_garg dims = x->type.n_dims ? ints(d->arena, 1, &dim) : none();
    kd_gvalue *shifted = two(d, KD_GOP_sub, x, BUILD(d, amax, kd_garg_value(x), dims, flag(true)));
    kd_gvalue *power = BUILD(d, exp, kd_garg_value(shifted));
    kd_gvalue *sum = BUILD(d, sum, kd_garg_value(power), dims, flag(true), none());
    finish(d, 0, is_log ? two(d, KD_GOP_sub, shifted, BUILD(d, log, kd_garg_value(sum))) : two(d, KD_GOP_div, power, sum));
}

static void decompose_layer_norm(decomposer *d)
{
    kd_gvalue *x = operand(d, 0), *weight = operand(d, 2), *bias = operand(d, 3);
    int64_t dims[KD_TENSOR_MAX_DIMS], n = (int64_t)d->of->args[1].list.n;
    for (int64_t i = 0; i < n; i++)
        dims[i] = i - n;
    kd_garg over = ints(d->arena, (unsigned)n, dims);
    kd_gvalue *mean = mean_over(d, x, over, true), *centered = two(d, KD_GOP_sub, x, mean);
    kd_gvalue *variance = mean_over(d, two(d, KD_GOP_mul, centered, centered), over, true);
    kd_gvalue *rstd = BUILD(d, rsqrt, kd_garg_value(BUILD(d, add_scalar, kd_garg_value(variance), d->of->args[4], kd_garg_int(1))));
    kd_gvalue *y = two(d, KD_GOP_mul, centered, rstd);
    y = weight ? two(d, KD_GOP_mul, y, weight) : y;
    y = bias ? two(d, KD_GOP_add, y, bias) : y;
    finish(d, 1, mean);
    finish(d, 2, rstd);
    finish(d, 0, y);
}

/* A vector over the channels, along dimension 1 of x. */
static kd_gvalue *along_channels(decomposer *d, kd_gvalue *vector, const kd_gvalue *x)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < x->type.n_dims; i++)
        shape[i] = i == 1 ? x->type.shape[1] : 1;
    return BUILD(d, view, kd_garg_value(vector), ints(d->arena, x->type.n_dims, shape));
}

/* Into the convolution whose only reader it is. */
static bool fold_batch_norm(decomposer *d)
{
    const kd_gvalue *input = kd_gnode_tensor(d->of, 0), *params[4];
    kd_gvalue *mapped = d->map[input->id];
    if (!mapped->def || mapped->def->op->code != KD_GOP_convolution || input->n_uses != 1)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        const kd_gvalue *old = kd_gnode_tensor(d->of, i + 1);
        params[i] = old ? d->map[old->id] : NULL;
    }
    if (!kd_fold_batch_norm(d->to, mapped->def, params, kd_gnode_number(d->of, 6, 0)))
        return false;
    mapped->def->origin = kd_arena_printf(d->arena, "%s, %s", mapped->def->origin, d->of->origin);
    mapped->name = d->of->results[0]->name;
    d->map[d->of->results[0]->id] = mapped;
    return true;
}

static void decompose_batch_norm(decomposer *d)
{
    if (fold_batch_norm(d))
        return;
    kd_gvalue *x = operand(d, 0), *weight = operand(d, 1), *bias = operand(d, 2), *mean = operand(d, 3), *variance = operand(d, 4);
    kd_gvalue *scale =
        BUILD(d, rsqrt, kd_garg_value(BUILD(d, add_scalar, kd_garg_value(variance), d->of->args[6], kd_garg_int(1))));
    scale = weight ? two(d, KD_GOP_mul, scale, weight) : scale;
    kd_gvalue *y = two(d, KD_GOP_mul, two(d, KD_GOP_sub, x, along_channels(d, mean, x)), along_channels(d, scale, x));
    finish(d, 0, bias ? two(d, KD_GOP_add, y, along_channels(d, bias, x)) : y);
}

static void check_mapped(void *user, kd_gvalue *value)
{
    decomposer *d = user;
    if (!d->map[value->id] && !d->status)
        d->status = kd_fail(d->why, KD_ERR_UNSUPPORTED, "%s = %s: reads '%%%s', which its op has in training only", d->of->origin,
                            d->of->op->name, value->name);
}

/* oneDNN's bias is a row of numbers, added as it is. */
static bool is_plain_addmm(const kd_gnode *node)
{
    const kd_gvalue *bias = kd_gnode_tensor(node, 0);
    return bias->type.n_dims == 1 && bias->type.shape[0] == node->results[0]->type.shape[1] && kd_gnode_number(node, 3, 1) == 1 &&
           kd_gnode_number(node, 4, 1) == 1;
}

static void decompose_addmm(decomposer *d)
{
    kd_gvalue *bias = d->map[kd_gnode_tensor(d->of, 0)->id];
    kd_gvalue *product = two(d, KD_GOP_mm, d->map[kd_gnode_tensor(d->of, 1)->id], d->map[kd_gnode_tensor(d->of, 2)->id]);
    if (kd_gnode_number(d->of, 4, 1) != 1)
        product = BUILD(d, mul_scalar, kd_garg_value(product), d->of->args[4]);
    finish(d, 0, BUILD(d, add, kd_garg_value(product), kd_garg_value(bias), d->of->args[3]));
}

static void decompose_node(decomposer *d)
{
    switch (d->of->op->code) {
    case KD_GOP_sum_all: decompose_sum_all(d); break;
    case KD_GOP_mean:
    case KD_GOP_mean_all: decompose_mean(d); break;
    case KD_GOP_softmax:
    case KD_GOP_log_softmax: decompose_softmax(d); break;
    case KD_GOP_layer_norm: decompose_layer_norm(d); break;
    case KD_GOP_addmm: decompose_addmm(d); break;
    default: decompose_batch_norm(d); break;
    }
}

/* ---- the whole graph ---- */

static kd_garg map_arg(decomposer *d, kd_garg arg)
{
    if (arg.kind == KD_GARG_VALUE) {
        arg.value = d->map[arg.value->id];
    } else if (arg.kind == KD_GARG_LIST) {
        kd_garg *items = kd_arena_array(d->arena, kd_garg, arg.list.n);
        for (unsigned i = 0; i < arg.list.n; i++)
            items[i] = map_arg(d, arg.list.items[i]);
        arg.list.items = items;
    }
    return arg;
}

static void copy_node(decomposer *d)
{
    kd_gnode *node = kd_arena_new(d->arena, kd_gnode);
    kd_garg *args = kd_arena_array(d->arena, kd_garg, d->of->n_args);
    *node = *d->of;
    for (unsigned i = 0; i < node->n_args; i++)
        args[i] = map_arg(d, d->of->args[i]);
    node->args = args;
    node->results = kd_arena_array(d->arena, kd_gvalue *, node->n_results);
    for (unsigned i = 0; i < node->n_results; i++) {
        const kd_gvalue *old = d->of->results[i];
        kd_gvalue *value = d->map[old->id] = kd_graph_add_value(d->to, old->name, &old->type);
        value->def = node;
        value->result = i;
        node->results[i] = value;
    }
    kd_vec_push(d->arena, &d->to->nodes, node);
}

/* An output is a value that a step makes, and that no other output is. */
static void add_output(decomposer *d, kd_gvalue *value)
{
    bool is_made = value->def && value->def->op->lowering != KD_LOWER_VIEW;
    if (is_made && (value->def->op->code == KD_GOP_convolution || value->def->op->code == KD_GOP_max_pool2d))
        is_made = kd_tensor_is_channels_last(&value->type); /* oneDNN is slow where it has to write another order */
    for (unsigned i = 0; i < d->to->outputs.n; i++)
        is_made &= d->to->outputs.data[i] != value;
    if (!is_made) {
        kd_gnode at = {.op = &kd_gops[KD_GOP_clone],
                       .results = &value,
                       .n_results = 1,
                       .origin = kd_arena_printf(d->arena, "%%%s", value->name)};
        kd_tensor_type type = value->type;
        d->of = &at;
        value = BUILD(d, clone, kd_garg_value(value), none());
        value->type = type;
    }
    kd_vec_push(d->arena, &d->to->outputs, value);
}

kd_status kd_graph_decompose(const kd_graph *graph, kd_arena *arena, kd_graph **out, kd_failure *out_why)
{
    decomposer d = {.to = kd_arena_new(arena, kd_graph), .arena = arena, .why = out_why};
    d.to->arena = arena;
    d.to->name = graph->name;
    d.map = kd_arena_array(arena, kd_gvalue *, graph->values.n);
    for (unsigned i = 0; i < graph->inputs.n; i++) {
        const kd_gvalue *old = graph->inputs.data[i];
        kd_gvalue *value = d.map[old->id] = kd_graph_add_value(d.to, old->name, &old->type);
        value->data = old->data;
        kd_vec_push(arena, &d.to->inputs, value);
    }
    for (unsigned i = 0; i < graph->nodes.n && d.status == KD_OK; i++) {
        d.of = graph->nodes.data[i];
        d.n_made = 0;
        kd_gnode_each_tensor(d.of, check_mapped, &d);
        if (d.status)
            break;
        if (d.of->op->lowering == KD_LOWER_COMPOSITE || (d.of->op->code == KD_GOP_addmm && !is_plain_addmm(d.of)))
            decompose_node(&d);
        else
            copy_node(&d);
    }
    for (unsigned i = 0; i < graph->outputs.n && d.status == KD_OK; i++) {
        kd_gvalue *value = d.map[graph->outputs.data[i]->id];
        if (!value)
            return kd_fail(out_why, KD_ERR_UNSUPPORTED, "the output '%%%s', which its op has in training only, is not supported",
                           graph->outputs.data[i]->name);
        add_output(&d, value);
    }
    *out = d.to;
    return d.status;
}
