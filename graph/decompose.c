/* decompose.c - compositions written out in simpler ops, and outputs as values of their own.
 *
 * What is computed in half types inside of a composition is f32 there, and rounded once, at its end. */
#include "graph/expand_impl.h"

#include <inttypes.h>
#include <stdarg.h>

/* ---- building ---- */

static kd_garg list_arg(unsigned n, const kd_garg *items)
{
    kd_garg arg = {.kind = KD_GARG_LIST};
    arg.list.items = items;
    arg.list.n = n;
    return arg;
}

kd_garg ints_arg(kd_arena *arena, unsigned n, const int64_t *values)
{
    kd_garg *items = kd_arena_array(arena, kd_garg, n);
    for (unsigned i = 0; i < n; i++)
        items[i] = kd_garg_int(values[i]);
    return list_arg(n, items);
}

kd_garg values_arg(kd_arena *arena, unsigned n, kd_gvalue *const *values)
{
    kd_garg *items = kd_arena_array(arena, kd_garg, n);
    for (unsigned i = 0; i < n; i++)
        items[i] = kd_garg_value(values[i]);
    return list_arg(n, items);
}

static void add_to_key(kd_strbuf *key, const kd_garg *arg)
{
    switch (arg->kind) {
    case KD_GARG_NONE: kd_strbuf_puts(key, ","); break;
    case KD_GARG_VALUE: kd_strbuf_printf(key, ",%%%u", arg->value->id); break;
    case KD_GARG_INT: kd_strbuf_printf(key, ",%" PRId64, arg->i); break;
    case KD_GARG_BOOL: kd_strbuf_printf(key, ",b%" PRId64, arg->i); break;
    case KD_GARG_FLOAT: kd_strbuf_printf(key, ",%a", arg->f); break;
    case KD_GARG_TEXT: kd_strbuf_printf(key, ",'%s'", arg->text); break;
    case KD_GARG_LIST:
        kd_strbuf_puts(key, ",[");
        for (unsigned i = 0; i < arg->list.n; i++)
            add_to_key(key, &arg->list.items[i]);
        kd_strbuf_puts(key, "]");
        break;
    }
}

/* Where the value is kept that a node with the same op and arguments has; NULL: it is not looked for. */
static kd_gvalue **known_value(kd_decomposer *d, const kd_gnode *node)
{
    bool is_simple = node->n_results == 1 && (node->op->lowering == KD_LOWER_POINTWISE ||
                                              node->op->lowering == KD_LOWER_REDUCTION || node->op->lowering == KD_LOWER_VIEW);
    if (!is_simple || d->made)
        return NULL;
    kd_strbuf key = kd_strbuf_in(d->arena);
    kd_strbuf_printf(&key, "%d", node->op->code);
    for (unsigned i = 0; i < node->n_args; i++)
        add_to_key(&key, &node->args[i]);
    return (kd_gvalue **)kd_map_at(&d->known, kd_str_of(kd_strbuf_text(&key)));
}

/* Of whole numbers, which oneDNN does not multiply: all products of rows and columns, summed up. */
static kd_gvalue *build_integer_product(kd_decomposer *d, kd_gvalue *a, kd_gvalue *b)
{
    int64_t inner = -2;
    kd_gvalue *each = build_two(d, KD_GOP_mul, BUILD(d, unsqueeze, kd_garg_value(a), kd_garg_int(-1)),
                                BUILD(d, unsqueeze, kd_garg_value(b), kd_garg_int(-3)));
    return BUILD(d, sum, kd_garg_value(each), ints_arg(d->arena, 1, &inner), bool_arg(false),
                 text_arg(kd_scalar_name(a->type.type)));
}

/* A product of two values of whole numbers. */
static bool is_integer_product(kd_gop_code code, const kd_garg *args)
{
    unsigned first = code == KD_GOP_addmm;
    return (code == KD_GOP_mm || code == KD_GOP_bmm || code == KD_GOP_addmm) && args[first].kind == KD_GARG_VALUE &&
           args[first + 1].kind == KD_GARG_VALUE && kd_scalar_is_int(args[first].value->type.type);
}

kd_gvalue *decompose_build(kd_decomposer *d, kd_gop_code code, unsigned n_results, const kd_garg *args)
{
    if (!d->made && code != KD_GOP_addmm && is_integer_product(code, args))
        return build_integer_product(d, args[0].value, args[1].value);
    kd_gparam params[KD_GOP_MAX_PARAMS];
    kd_gnode *node = kd_arena_new(d->arena, kd_gnode);
    kd_garg *kept = kd_arena_array(d->arena, kd_garg, KD_GOP_MAX_PARAMS);
    memcpy(kept, args, KD_GOP_MAX_PARAMS * sizeof *args);
    kd_tensor_type *types = kd_arena_array(d->arena, kd_tensor_type, n_results);
    kd_gvalue **known = NULL;
    *node = (kd_gnode){.op = &kd_gops[code],
                       .part_of = d->of->part_of ? d->of->part_of : d->of->op,
                       .args = kept,
                       .n_results = n_results,
                       .origin = d->of->origin,
                       .at = d->of->at};
    node->n_args = kd_gop_params(node->op, params);
    if (node->op->lowering == KD_LOWER_EXPANDED)
        return expand_nested(d, node);
    kd_infer cx = {d->arena, d->why, types, n_results};
    kd_status status = d->status ? d->status : node->op->infer(&cx, node);
    for (unsigned i = 0; i < n_results && !status; i++)
        if (!kd_tensor_is_reasonable(&types[i]))
            decompose_fail(d, "what it is made of, %s, is too large", kd_tensor_type_text(d->arena, &types[i]));
    d->status = d->status ? d->status : status;
    if (d->status) {
        memset(types, 0, n_results * sizeof *types);
    }
    known = d->status ? NULL : known_value(d, node);
    if (known && *known)
        return *known;
    const char *op = strchr(node->op->name, '.') + 1;
    node->results = kd_arena_array(d->arena, kd_gvalue *, n_results);
    for (unsigned i = 0; i < n_results; i++) {
        const char *of = d->made ? d->of->origin + (*d->of->origin == '%') : d->of->results[0]->name;
        const char *name = kd_arena_printf(d->arena, "%s.%.*s%u", of, (int)strcspn(op, "."), op, d->n_made++);
        node->results[i] = kd_graph_add_value(d->to, name, &types[i]);
        node->results[i]->def = node;
        node->results[i]->result = i;
    }
    kd_vec_push(d->arena, &d->to->nodes, node);
    if (known)
        *known = node->results[0];
    return node->results[0];
}

kd_gvalue *build_two(kd_decomposer *d, kd_gop_code code, kd_gvalue *a, kd_gvalue *b)
{
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(a), kd_garg_value(b), kd_garg_int(1)};
    return decompose_build(d, code, 1, args);
}

kd_gvalue *build_with(kd_decomposer *d, kd_gop_code code, kd_gvalue *a, double number)
{
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(a), kd_garg_float(number), kd_garg_int(1)};
    return decompose_build(d, code, 1, args);
}

kd_gvalue *build_one(kd_decomposer *d, kd_gop_code code, kd_gvalue *a)
{
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(a)};
    return decompose_build(d, code, 1, args);
}

kd_gvalue *build_convert(kd_decomposer *d, kd_gvalue *value, kd_scalar type)
{
    return value->type.type == type ? value : BUILD(d, to_copy, kd_garg_value(value), text_arg(kd_scalar_name(type)));
}

kd_gvalue *build_where(kd_decomposer *d, kd_gvalue *condition, kd_gvalue *a, kd_garg otherwise)
{
    return BUILD(d, where, kd_garg_value(condition), kd_garg_value(a), otherwise);
}

kd_gvalue *build_view(kd_decomposer *d, kd_gvalue *value, unsigned n, const int64_t *shape)
{
    return BUILD(d, view, kd_garg_value(value), ints_arg(d->arena, n, shape));
}

kd_gvalue *build_expand(kd_decomposer *d, kd_gvalue *value, unsigned n, const int64_t *shape)
{
    return BUILD(d, expand, kd_garg_value(value), ints_arg(d->arena, n, shape));
}

kd_gvalue *build_full(kd_decomposer *d, unsigned n, const int64_t *shape, kd_garg number, kd_scalar type)
{
    return BUILD(d, full, ints_arg(d->arena, n, shape), number, text_arg(kd_scalar_name(type)));
}

kd_gvalue *build_places(kd_decomposer *d, unsigned n_dims, unsigned dim, int64_t n)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < n_dims; i++)
        shape[i] = i == dim ? n : 1;
    kd_gvalue *range = BUILD(d, arange, kd_garg_int(0), kd_garg_int(n), kd_garg_int(1), text_arg("i32"));
    return build_view(d, range, n_dims, shape);
}

kd_gvalue *build_along_channels(kd_decomposer *d, kd_gvalue *vector, const kd_gvalue *x)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < x->type.n_dims; i++)
        shape[i] = i == 1 ? x->type.shape[1] : 1;
    return build_view(d, vector, x->type.n_dims, shape);
}

/* ---- the node that is written out ---- */

kd_gvalue *decompose_operand(kd_decomposer *d, unsigned i)
{
    kd_gvalue *value = kd_gnode_tensor(d->of, i);
    return value ? decompose_value(d, value) : NULL;
}

kd_gvalue *decompose_value(const kd_decomposer *d, kd_gvalue *value)
{
    return d->made ? value : d->map[value->id];
}

kd_gvalue *decompose_wide_operand(kd_decomposer *d, unsigned i)
{
    kd_gvalue *value = decompose_operand(d, i);
    bool is_half = value && kd_scalar_bytes(value->type.type) < 4 && kd_scalar_is_float(value->type.type);
    return is_half ? build_convert(d, value, KD_F32) : value;
}

static bool same_strides(const kd_tensor_type *a, const kd_tensor_type *b)
{
    for (unsigned i = 0; i < a->n_dims; i++)
        if (a->shape[i] > 1 && a->strides[i] != b->strides[i])
            return false;
    return true;
}

void decompose_finish(kd_decomposer *d, unsigned result, kd_gvalue *value)
{
    const kd_gvalue *old = d->of->results[result];
    bool is_pointwise =
        value->def && (value->def->op->lowering == KD_LOWER_POINTWISE || value->def->op->lowering == KD_LOWER_REDUCTION);
    if (value->type.type == old->type.type && is_pointwise && same_strides(&value->type, &old->type) &&
        value->def->origin != d->of->origin) {
        d->map[old->id] = value; /* another node's, which computes the same */
        return;
    }
    if (value->type.type != old->type.type || !is_pointwise || value->def->origin != d->of->origin)
        value = BUILD(d, to_copy, kd_garg_value(value), text_arg(kd_scalar_name(old->type.type)));
    value->name = old->name;
    memcpy(value->type.strides, old->type.strides, sizeof value->type.strides);
    d->map[old->id] = value;
}

void decompose_fail(kd_decomposer *d, const char *format, ...)
{
    kd_failure what = {{0}};
    va_list args;
    va_start(args, format);
    kd_vfail(&what, KD_ERR_UNSUPPORTED, format, args);
    va_end(args);
    if (d->status)
        return;
    d->status = d->made ? kd_fail(d->why, KD_ERR_UNSUPPORTED, "%s", what.text) /* the reader of the graph names the node */
                        : kd_fail(d->why, KD_ERR_UNSUPPORTED, "%s = %s: %s", d->of->origin, d->of->op->name, what.text);
}

/* ---- values from nothing ---- */

void kd_decompose_full(kd_decomposer *d)
{
    const kd_tensor_type *t = &d->of->results[0]->type;
    decompose_finish(d, 0, build_full(d, t->n_dims, t->shape, kd_gnode_filling(d->of), t->type));
}

void kd_decompose_arange(kd_decomposer *d)
{
    kd_garg range[3];
    kd_gnode_range(d->of, range);
    decompose_finish(d, 0, BUILD(d, arange, range[0], range[1], range[2], text_arg(kd_scalar_name(d->of->results[0]->type.type))));
}

/* The second operand in the type and the shape of the first. */
void kd_decompose_copy(kd_decomposer *d)
{
    const kd_tensor_type *t = &d->of->results[0]->type;
    decompose_finish(d, 0, build_expand(d, build_convert(d, decompose_operand(d, 1), t->type), t->n_dims, t->shape));
}

/* ---- pointwise ---- */

void kd_decompose_glu(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0);
    int64_t dim = kd_gnode_dim(kd_gnode_int(d->of, 1, -1), x->type.n_dims), half = x->type.shape[dim] / 2;
    kd_gvalue *a = BUILD(d, slice, kd_garg_value(x), kd_garg_int(dim), kd_garg_int(0), kd_garg_int(half), kd_garg_int(1));
    kd_gvalue *b = BUILD(d, slice, kd_garg_value(x), kd_garg_int(dim), kd_garg_int(half), kd_garg_int(2 * half), kd_garg_int(1));
    decompose_finish(d, 0, build_two(d, KD_GOP_mul, a, build_one(d, KD_GOP_sigmoid, b)));
}

/* min(x, 0) - log(1 + exp(-|x|)) */
void kd_decompose_log_sigmoid(kd_decomposer *d)
{
    kd_gvalue *x = decompose_wide_operand(d, 0);
    kd_gvalue *power = build_one(d, KD_GOP_exp, build_one(d, KD_GOP_neg, build_one(d, KD_GOP_abs, x)));
    decompose_finish(d, 0, build_two(d, KD_GOP_sub, build_with(d, KD_GOP_clamp_max, x, 0), build_one(d, KD_GOP_log1p, power)));
}

/* Outside of training nothing is dropped. */
void kd_decompose_dropout(kd_decomposer *d)
{
    const kd_tensor_type *t = &d->of->results[0]->type;
    d->map[d->of->results[0]->id] = decompose_operand(d, 0);
    decompose_finish(d, 1, build_full(d, t->n_dims, t->shape, bool_arg(true), KD_I1));
}

/* ---- the whole graph ---- */

static void check_mapped(void *user, kd_gvalue *value)
{
    kd_decomposer *d = user;
    if (!d->map[value->id] && !d->status)
        decompose_fail(d, "reads '%%%s', which its op has in training only", value->name);
}

/* oneDNN's bias is a row of numbers, added as it is. */
static bool is_plain_addmm(const kd_gnode *node)
{
    const kd_gvalue *bias = kd_gnode_tensor(node, 0);
    return bias->type.n_dims == 1 && bias->type.shape[0] == node->results[0]->type.shape[1] && kd_gnode_number(node, 3, 1) == 1 &&
           kd_gnode_number(node, 4, 1) == 1;
}

static kd_gvalue *mapped(kd_gvalue *value, void *user)
{
    const kd_decomposer *d = user;
    return d->map[value->id];
}

/* Autocast converts weights in the graph. */
static bool fold_conversion(kd_decomposer *d)
{
    if (d->of->op->code != KD_GOP_to_copy)
        return false;
    const kd_gvalue *result = d->of->results[0], *operand = d->map[kd_gnode_tensor(d->of, 0)->id];
    kd_gvalue *folded = kd_fold_conversion(d->to, operand, result);
    if (folded)
        d->map[result->id] = folded;
    return folded;
}

/* A copy is the same value; where its elements lie, its readers say. */
static bool is_same_value(const kd_gnode *node)
{
    switch (node->op->code) {
    case KD_GOP_clone:
    case KD_GOP_contiguous:
    case KD_GOP_lift_fresh_copy: return true;
    case KD_GOP_to_copy:
    case KD_GOP_to_dtype: return node->results[0]->type.type == kd_gnode_tensor(node, 0)->type.type;
    default: return false;
    }
}

static void copy_node(kd_decomposer *d)
{
    if (is_same_value(d->of)) {
        d->map[d->of->results[0]->id] = decompose_operand(d, 0);
        return;
    }
    kd_gnode *node = kd_arena_new(d->arena, kd_gnode);
    kd_garg *args = kd_arena_array(d->arena, kd_garg, d->of->n_args);
    *node = *d->of;
    for (unsigned i = 0; i < node->n_args; i++)
        args[i] = kd_garg_map(d->arena, d->of->args[i], mapped, d);
    node->args = args;
    kd_gvalue **known = known_value(d, node);
    if (known && *known) {
        d->map[d->of->results[0]->id] = *known;
        return;
    }
    node->results = kd_arena_array(d->arena, kd_gvalue *, node->n_results);
    for (unsigned i = 0; i < node->n_results; i++) {
        const kd_gvalue *old = d->of->results[i];
        kd_gvalue *value = d->map[old->id] = kd_graph_add_value(d->to, old->name, &old->type);
        value->def = node;
        value->result = i;
        node->results[i] = value;
    }
    kd_vec_push(d->arena, &d->to->nodes, node);
    if (known)
        *known = node->results[0];
}

static bool is_reshape_of_made(const kd_gvalue *value)
{
    const kd_gvalue *of = value->def && value->def->op->view == kd_view_reshape ? kd_gnode_tensor(value->def, 0) : NULL;
    return of && of->def && of->def->op->lowering != KD_LOWER_VIEW && of->def->n_results == 1 && kd_tensor_is_contiguous(&of->type);
}

/* An output is a value that a step makes, in the strides that the caller expects, and that no other output is. */
static void add_output(kd_decomposer *d, kd_gvalue *value, kd_tensor_type type)
{
    bool is_made = value->def && value->def->op->lowering != KD_LOWER_VIEW && same_strides(&value->type, &type);
    if (is_made && !d->on_gpu && (value->def->op->code == KD_GOP_convolution || value->def->op->code == KD_GOP_max_pool))
        is_made = kd_tensor_is_channels_last(&value->type); /* oneDNN is slow where it has to write another order */
    is_made = is_made && !kd_graph_is_output(d->to, value);
    if (!is_made && is_reshape_of_made(value) && kd_tensor_is_contiguous(&type) && !kd_graph_is_output(d->to, kd_gnode_tensor(value->def, 0))) {
        value = kd_gnode_tensor(value->def, 0); /* the caller sees its own shape of it */
        is_made = true;
    }
    if (!is_made) {
        kd_gnode at = {.op = &kd_gops[KD_GOP_clone],
                       .results = &value,
                       .n_results = 1,
                       .origin = kd_arena_printf(d->arena, "%%%s", value->name)};
        d->of = &at;
        d->known = kd_map_in(d->arena); /* a copy of its own */
        value = BUILD(d, clone, kd_garg_value(value), no_arg());
        value->type = type;
    }
    kd_vec_push(d->arena, &d->to->outputs, value);
}

kd_status kd_graph_decompose(const kd_graph *graph, kd_arena *arena, bool on_gpu, kd_graph **out, kd_failure *out_why)
{
    kd_decomposer d = {.to = kd_arena_new(arena, kd_graph), .arena = arena, .on_gpu = on_gpu, .why = out_why};
    d.to->arena = arena;
    d.to->name = graph->name;
    d.known = kd_map_in(arena);
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
        if (d.of->op->lowering == KD_LOWER_COMPOSITE)
            d.of->op->decompose(&d);
        else if (d.of->op->code == KD_GOP_addmm && (!is_plain_addmm(d.of) || is_integer_product(KD_GOP_addmm, d.of->args)))
            kd_decompose_addmm(&d);
        else if (is_integer_product(d.of->op->code, d.of->args))
            decompose_finish(&d, 0, build_integer_product(&d, decompose_operand(&d, 0), decompose_operand(&d, 1)));
        else if (d.of->op->lowering == KD_LOWER_SCAN &&
                 !kd_tensor_n_elems(&d.of->results[0]->type)) /* a loop over none would write one */
            decompose_finish(&d, 0, build_convert(&d, decompose_operand(&d, 0), d.of->results[0]->type.type));
        else if (!fold_conversion(&d))
            copy_node(&d);
    }
    for (unsigned i = 0; i < graph->outputs.n && d.status == KD_OK; i++) {
        kd_gvalue *value = d.map[graph->outputs.data[i]->id];
        if (!value)
            return kd_fail(out_why, KD_ERR_UNSUPPORTED, "the output '%%%s', which its op has in training only, is not supported",
                           graph->outputs.data[i]->name);
        add_output(&d, value, graph->outputs.data[i]->type);
    }
    *out = d.to;
    return d.status;
}
