/* import.c - graphs in the kg format: JSON with one object for each node (docs/kg.md). Any bytes give a graph that is sound, or a
 * sentence about what is wrong with them. */
#include "graph/ir.h"

#include "base/map.h"
#include "base/number.h"
#include "base/scalar.h"
#include "base/zip.h"
#include "graph/kx.h"
#include "graph/ops.h"

#include <stdlib.h>
#include <yyjson.h>

enum { FILE_LIMIT = 1 << 30, MAX_RESULTS = 4096 };

typedef struct import {
    kd_graph *graph;
    kd_arena *arena;
    yyjson_doc *doc;
    const char *text, *name;
    size_t n_bytes;
    kd_graph_weights weights;
    kd_map values;          /* by name */
    kd_map missing;         /* by name: what stands for a value that a graph cannot hold, or that a refused node makes; texts */
    kd_map files;           /* of weights: kd_mapping, by path */
    kd_map memory;          /* of weights: kd_graph_memory, by name */
    KD_VEC(kd_gvalue *) states; /* inputs that become something else */
    const char *where, *at; /* what is being read, for messages: "node '%y'", and the line of the model that it came from */
    kd_graph_refuse_fn *refuse; /* nodes are only checked; NULL: a graph is made */
    void *refuse_user;
    kd_failure *why;
    kd_status status;
} import;

static kd_status bad(import *in, kd_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "mlp.json: node '%y': ... (model.py:31: return F.relu(x))" */
static kd_status bad(import *in, kd_status status, const char *format, ...)
{
    kd_failure what = {{0}};
    va_list args;
    va_start(args, format);
    kd_vfail(&what, status, format, args);
    va_end(args);
    return kd_fail(in->why, status, "%s: %s%s%s%s%s%s", in->name, in->where ? in->where : "", in->where ? ": " : "", what.text,
                   in->at ? " (" : "", in->at ? in->at : "", in->at ? ")" : "");
}

static kd_str text_of(yyjson_val *v)
{
    return (kd_str){yyjson_get_str(v), yyjson_get_len(v)};
}

static const char *keep_text(import *in, yyjson_val *v)
{
    return kd_arena_strndup(in->arena, yyjson_get_str(v), yyjson_get_len(v));
}

/* ---- types ---- */

static kd_status read_extents(import *in, yyjson_val *list, const char *what, int64_t out[KD_TENSOR_MAX_DIMS], unsigned *out_n)
{
    size_t n = yyjson_arr_size(list), i, max;
    yyjson_val *v;
    if (!yyjson_is_arr(list) || n > KD_TENSOR_MAX_DIMS)
        return bad(in, KD_ERR_DAMAGED, "\"%s\" must be a list of at most %d numbers", what, KD_TENSOR_MAX_DIMS);
    yyjson_arr_foreach(list, i, max, v)
    {
        int64_t extent = yyjson_get_sint(v);
        if (!yyjson_is_int(v) || extent < 0 || extent >> KD_TENSOR_MAX_EXTENT_BITS)
            return bad(in, KD_ERR_DAMAGED, "\"%s\" must hold numbers from 0 to 2^%d", what, KD_TENSOR_MAX_EXTENT_BITS);
        out[i] = extent;
    }
    *out_n = (unsigned)n;
    return KD_OK;
}

/* {"t": "f32", "s": [2, 3], "st": [3, 1]}; without "st" row-major. */
static kd_status read_type(import *in, yyjson_val *v, kd_tensor_type *out)
{
    yyjson_val *type = yyjson_obj_get(v, "t"), *strides = yyjson_obj_get(v, "st");
    kd_tensor_type t = {0};
    if (!yyjson_is_str(type) || !kd_scalar_parse(text_of(type), &t.type))
        return bad(in, KD_ERR_DAMAGED, "\"t\" must be the name of a type, as in \"f32\"");
    if (kd_scalar_is_fp8(t.type))
        return bad(in, KD_ERR_UNSUPPORTED, "the type %s is not supported in graphs", kd_scalar_name(t.type));
    kd_status status = read_extents(in, yyjson_obj_get(v, "s"), "s", t.shape, &t.n_dims);
    if (status)
        return status;
    kd_tensor_type row_major = t;
    unsigned n_strides = t.n_dims;
    if (strides)
        status = read_extents(in, strides, "st", t.strides, &n_strides);
    if (status)
        return status;
    if (n_strides != t.n_dims)
        return bad(in, KD_ERR_DAMAGED, "\"s\" has %u numbers, but \"st\" has %u", t.n_dims, n_strides);
    if (!kd_tensor_is_reasonable(&row_major))
        return bad(in, KD_ERR_DAMAGED, "the shape %s is too large", kd_shape_text(in->arena, t.n_dims, t.shape));
    if (!strides)
        kd_tensor_set_contiguous(&t);
    if (!kd_tensor_is_reasonable(&t))
        return bad(in, KD_ERR_DAMAGED, "the strides %s are too large", kd_shape_text(in->arena, t.n_dims, t.strides));
    *out = t;
    return KD_OK;
}

/* ---- values ---- */

/* Keeps "%x" as the name of a value to be, once. */
static kd_status new_name(import *in, yyjson_val *name, const char **out_name, void ***out_place)
{
    kd_str text = yyjson_is_str(name) ? text_of(name) : (kd_str){0};
    if (text.len && text.ptr[0] == '%')
        text = (kd_str){text.ptr + 1, text.len - 1};
    if (!text.len || memchr(text.ptr, 0, text.len))
        return bad(in, KD_ERR_DAMAGED, "a value has no name");
    text.ptr = kd_arena_strndup(in->arena, text.ptr, text.len);
    *out_name = text.ptr;
    *out_place = kd_map_at(&in->values, text);
    return **out_place ? bad(in, KD_ERR_DAMAGED, "the value '%%%s' is defined twice", text.ptr) : KD_OK;
}

/* "%x" defines a value. */
static kd_status define(import *in, yyjson_val *name, const kd_tensor_type *type, kd_gvalue **out)
{
    const char *text;
    void **place;
    kd_status status = new_name(in, name, &text, &place);
    if (status == KD_OK)
        *out = *place = kd_graph_add_value(in->graph, text, type);
    return status;
}

/* "%x" is the name of a value that is there. */
static kd_status name_value(import *in, yyjson_val *name, kd_gvalue *value)
{
    const char *text;
    void **place;
    kd_status status = new_name(in, name, &text, &place);
    if (status)
        return status;
    *place = value;
    value->name = text;
    return KD_OK;
}

static kd_gvalue *find_value(import *in, kd_str text)
{
    return text.len > 1 && text.ptr[0] == '%' ? kd_map_get(&in->values, (kd_str){text.ptr + 1, text.len - 1}) : NULL;
}

/* Maps a file of weights, once. A path stays inside the graph's own folder. */
static kd_status map_file(import *in, yyjson_val *file, kd_mapping **out)
{
    const char *path = keep_text(in, file);
    if (!in->weights.folder)
        return bad(in, KD_ERR_DAMAGED, "data in the file '%s', but this graph comes from no folder", path);
    if (!*path || *path == '/' || strstr(path, "..") || strlen(path) != yyjson_get_len(file))
        return bad(in, KD_ERR_DAMAGED, "the file '%s' must lie beside the graph, with a plain path", path);
    void **place = kd_map_at(&in->files, kd_str_of(path));
    if (!*place) {
        kd_mapping mapping;
        kd_status status = kd_file_map(kd_arena_printf(in->arena, "%s/%s", in->weights.folder, path), &mapping, in->why);
        if (status)
            return status;
        kd_vec_push(in->arena, &in->graph->files, mapping);
        kd_mapping *kept = kd_arena_new(in->arena, kd_mapping);
        *kept = mapping;
        *place = kept;
    }
    *out = *place;
    return KD_OK;
}

/* "data": {"memory": "w"}: the elements lie in the caller's memory. */
static kd_status read_memory(import *in, yyjson_val *name, kd_gvalue *value)
{
    const kd_graph_memory *memory = kd_map_get(&in->memory, text_of(name));
    size_t n = kd_tensor_n_bytes(&value->type);
    if (!memory)
        return bad(in, KD_ERR_DAMAGED, "its data is the memory '%s', which the caller has not given", yyjson_get_str(name));
    if (memory->n_bytes < n)
        return bad(in, KD_ERR_DAMAGED, "the memory '%s' has %zu bytes, but %zu are needed", memory->name, memory->n_bytes, n);
    value->data = n ? memory->data : "";
    return KD_OK;
}

/* "data": {"file": "mlp.bin", "at": 4096}: the elements lie there in the strides of the type. */
static kd_status read_data(import *in, yyjson_val *data, kd_gvalue *value)
{
    yyjson_val *file = yyjson_obj_get(data, "file"), *at = yyjson_obj_get(data, "at"), *name = yyjson_obj_get(data, "memory");
    if (yyjson_is_str(name))
        return read_memory(in, name, value);
    if (!yyjson_is_str(file) || (at && !yyjson_is_uint(at)))
        return bad(in, KD_ERR_DAMAGED, "\"data\" needs a \"file\" and the offset \"at\", or a \"memory\"");
    kd_mapping *mapping = NULL;
    kd_status status = map_file(in, file, &mapping);
    if (status)
        return status;
    uint64_t offset = yyjson_get_uint(at), n = kd_tensor_n_bytes(&value->type);
    if (offset > mapping->n_bytes || n > mapping->n_bytes - offset)
        return bad(in, KD_ERR_DAMAGED, "%llu bytes at %llu lie beyond the end of '%s', which has %zu", (unsigned long long)n,
                   (unsigned long long)offset, yyjson_get_str(file), mapping->n_bytes);
    if (offset % kd_scalar_bytes(value->type.type))
        return bad(in, KD_ERR_DAMAGED, "the offset %llu is no multiple of the element's size", (unsigned long long)offset);
    value->data = (const char *)mapping->data + offset;
    return KD_OK;
}

/* Notes what became of a value that is not there. Only nodes that read it are told of. */
static void note_missing(import *in, yyjson_val *name, const char *what)
{
    const char *text = yyjson_is_str(name) ? yyjson_get_str(name) : "";
    *kd_map_at(&in->missing, kd_str_of(kd_arena_printf(in->arena, *text == '%' ? "%s" : "%%%s", text))) = (void *)(uintptr_t)what;
}

/* "becomes": "%y": what the input is at the next run. */
static kd_status note_state(import *in, yyjson_val *becomes, kd_gvalue *value)
{
    if (!yyjson_is_str(becomes) || !value->data)
        return bad(in, KD_ERR_DAMAGED, "\"becomes\" needs a value, and \"data\" for the first run");
    kd_vec_push(in->arena, &in->graph->states, (kd_graph_state){.data = value->data, .becomes = keep_text(in, becomes)});
    kd_vec_push(in->arena, &in->states, value);
    value->data = NULL;
    return KD_OK;
}

static kd_status read_input(import *in, yyjson_val *v)
{
    yyjson_val *name = yyjson_obj_get(v, "n"), *data = yyjson_obj_get(v, "data"), *unknown = yyjson_obj_get(v, "unknown");
    kd_tensor_type type;
    in->where = yyjson_is_str(name) ? kd_arena_printf(in->arena, "input '%s'", yyjson_get_str(name)) : "an input";
    if (yyjson_is_str(unknown)) {
        note_missing(in, name, kd_arena_printf(in->arena, "%s, which is not supported", yyjson_get_str(unknown)));
        return in->refuse ? KD_OK : bad(in, KD_ERR_UNSUPPORTED, "%s is not supported", yyjson_get_str(unknown));
    }
    kd_status status = read_type(in, v, &type);
    kd_gvalue *value = NULL;
    if (status == KD_OK)
        status = define(in, name, &type, &value);
    if (status == KD_OK && data && !in->refuse)
        status = read_data(in, data, value);
    if (status == KD_OK && yyjson_obj_get(v, "becomes") && !in->refuse)
        return note_state(in, yyjson_obj_get(v, "becomes"), value);
    if (status == KD_OK)
        kd_vec_push(in->arena, &in->graph->inputs, value);
    return status;
}

/* ---- arguments ---- */

static kd_status read_arg(import *in, yyjson_val *v, unsigned depth, kd_garg *out);

static kd_status read_list(import *in, yyjson_val *v, unsigned depth, kd_garg *out)
{
    size_t n = yyjson_arr_size(v), i, max;
    yyjson_val *item;
    if (depth > 1)
        return bad(in, KD_ERR_DAMAGED, "a list of lists of lists is no argument");
    kd_garg *items = kd_arena_array(in->arena, kd_garg, n);
    yyjson_arr_foreach(v, i, max, item)
    {
        kd_status status = read_arg(in, item, depth + 1, &items[i]);
        if (status)
            return status;
    }
    out->kind = KD_GARG_LIST;
    out->list.items = items;
    out->list.n = (unsigned)n;
    return KD_OK;
}

static kd_status read_arg(import *in, yyjson_val *v, unsigned depth, kd_garg *out)
{
    *out = (kd_garg){0};
    if (yyjson_is_null(v))
        return KD_OK;
    if (yyjson_is_arr(v))
        return read_list(in, v, depth, out);
    if (yyjson_is_bool(v)) {
        out->kind = KD_GARG_BOOL;
        out->i = yyjson_get_bool(v);
    } else if (yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX) {
        return bad(in, KD_ERR_DAMAGED, "the number %llu is too large", (unsigned long long)yyjson_get_uint(v));
    } else if (yyjson_is_int(v)) {
        *out = kd_garg_int(yyjson_get_sint(v));
    } else if (yyjson_is_real(v)) {
        *out = kd_garg_float(yyjson_get_real(v));
    } else if (yyjson_is_str(v) && yyjson_get_len(v) && yyjson_get_str(v)[0] == '%') {
        kd_gvalue *value = find_value(in, text_of(v));
        const char *missing = value ? NULL : kd_map_get(&in->missing, text_of(v));
        if (missing)
            return bad(in, KD_ERR_UNSUPPORTED, "'%s' is %s", yyjson_get_str(v), missing);
        if (!value)
            return bad(in, KD_ERR_DAMAGED, "the value '%s' is not defined before it is used", yyjson_get_str(v));
        *out = kd_garg_value(value);
    } else if (yyjson_is_str(v)) {
        if (!kd_garg_parse_number(text_of(v), out)) {
            out->kind = KD_GARG_TEXT;
            out->text = keep_text(in, v);
        }
    } else {
        yyjson_val *unknown = yyjson_obj_get(v, "unknown");
        return yyjson_is_str(unknown) ? bad(in, KD_ERR_UNSUPPORTED, "the argument %s is not supported", yyjson_get_str(unknown))
                                      : bad(in, KD_ERR_DAMAGED, "an argument is an object");
    }
    return KD_OK;
}

static bool is_number(const kd_garg *arg)
{
    return arg->kind == KD_GARG_INT || arg->kind == KD_GARG_FLOAT || arg->kind == KD_GARG_BOOL;
}

static bool is_list_of(const kd_garg *arg, kd_garg_kind kind)
{
    for (unsigned i = 0; arg->kind == KD_GARG_LIST && i < arg->list.n; i++)
        if (arg->list.items[i].kind != kind)
            return false;
    return arg->kind == KD_GARG_LIST;
}

static bool is_list_of_numbers(const kd_garg *arg)
{
    for (unsigned i = 0; arg->kind == KD_GARG_LIST && i < arg->list.n; i++)
        if (!is_number(&arg->list.items[i]))
            return false;
    return arg->kind == KD_GARG_LIST;
}

static bool is_list_of_tensors(const kd_garg *arg, bool optional)
{
    for (unsigned i = 0; arg->kind == KD_GARG_LIST && i < arg->list.n; i++) {
        kd_garg_kind kind = arg->list.items[i].kind;
        if (kind != KD_GARG_VALUE && !(optional && kind == KD_GARG_NONE))
            return false;
    }
    return arg->kind == KD_GARG_LIST;
}

/* Whether numbers may stand for all tensors but the first: element by element, and in formulas. */
static bool takes_numbers(const kd_gop *op)
{
    return op->lowering == KD_LOWER_POINTWISE || (op->lowering == KD_LOWER_EXPANDED && op->expression);
}

/* Whether an argument is what the parameter wants. */
static bool fits(const kd_gop *op, unsigned i, const kd_gparam *p, const kd_garg *arg)
{
    if (arg->kind == KD_GARG_NONE)
        return p->optional || p->kind == KD_PARAM_TEXT;
    switch (p->kind) {
    case KD_PARAM_TENSOR: return arg->kind == KD_GARG_VALUE || (takes_numbers(op) && i > 0 && is_number(arg));
    case KD_PARAM_TENSORS: return is_list_of_tensors(arg, kd_str_starts_with(p->type_text, "Tensor?["));
    case KD_PARAM_INT: return arg->kind == KD_GARG_INT;
    case KD_PARAM_INTS: return arg->kind == KD_GARG_INT || is_list_of(arg, KD_GARG_INT);
    case KD_PARAM_NUMBER: return is_number(arg);
    case KD_PARAM_NUMBERS: return is_list_of_numbers(arg);
    case KD_PARAM_BOOL: return arg->kind == KD_GARG_BOOL;
    case KD_PARAM_TEXT: return arg->kind == KD_GARG_TEXT || arg->kind == KD_GARG_INT;
    }
    return false;
}

static kd_status set_default(import *in, const kd_gparam *p, kd_garg *out)
{
    *out = kd_gparam_default(in->arena, p);
    return p->default_text.ptr || p->optional ? KD_OK
                                              : bad(in, KD_ERR_DAMAGED, "the argument '%.*s' is missing", KD_STR_ARG(p->name));
}

/* How many numbers a list may hold: mostly one for each dimension. */
static unsigned most_numbers(const kd_gop *op)
{
    switch (op->code) {
    case KD_GOP_split_sizes: return MAX_RESULTS;
    case KD_GOP_pad: return 2 * KD_TENSOR_MAX_DIMS;
    default: return KD_TENSOR_MAX_DIMS;
    }
}

static kd_status check_arg(import *in, const kd_gop *op, unsigned i, const kd_gparam *p, const kd_garg *arg)
{
    if (!fits(op, i, p, arg)) {
        kd_strbuf given = kd_strbuf_in(in->arena);
        kd_garg_print(arg, &given);
        return bad(in, KD_ERR_DAMAGED, "the argument '%.*s' must be of the kind %.*s, not %s", KD_STR_ARG(p->name),
                   KD_STR_ARG(p->type_text), kd_strbuf_text(&given));
    }
    if ((p->kind == KD_PARAM_INTS || p->kind == KD_PARAM_NUMBERS) && arg->kind == KD_GARG_LIST && arg->list.n > most_numbers(op))
        return bad(in, KD_ERR_DAMAGED, "the argument '%.*s' has %u numbers; at most %u are possible", KD_STR_ARG(p->name),
                   arg->list.n, most_numbers(op));
    return KD_OK;
}

/* "kw" may have the names of parameters only. */
static kd_status check_names(import *in, yyjson_val *named, const kd_gparam *params, unsigned n)
{
    yyjson_val *name;
    for (yyjson_obj_iter members = yyjson_obj_iter_with(named); (name = yyjson_obj_iter_next(&members));) {
        unsigned i = 0;
        while (i < n && !kd_str_equal(text_of(name), params[i].name))
            i++;
        if (i == n)
            return bad(in, KD_ERR_DAMAGED, "\"kw\" has '%s', which is no parameter of this op", yyjson_get_str(name));
    }
    return KD_OK;
}

static kd_status read_args(import *in, const kd_gop *op, yyjson_val *positional, yyjson_val *named, const kd_garg **out,
                           unsigned *out_n)
{
    kd_gparam params[KD_GOP_MAX_PARAMS];
    unsigned n = kd_gop_params(op, params);
    kd_garg *args = kd_arena_array(in->arena, kd_garg, n);
    if (!yyjson_is_arr(positional) || yyjson_arr_size(positional) > n)
        return bad(in, KD_ERR_DAMAGED, "\"in\" must be a list of at most %u arguments", n);
    for (unsigned i = 0; i < n; i++) {
        yyjson_val *v = yyjson_arr_get(positional, i);
        yyjson_val *by_name = yyjson_obj_getn(named, params[i].name.ptr, params[i].name.len);
        if (v && by_name)
            return bad(in, KD_ERR_DAMAGED, "the argument '%.*s' is given twice", KD_STR_ARG(params[i].name));
        kd_status status = v || by_name ? read_arg(in, v ? v : by_name, 0, &args[i]) : set_default(in, &params[i], &args[i]);
        if (status == KD_OK)
            status = check_arg(in, op, i, &params[i], &args[i]);
        if (status)
            return status;
    }
    *out = args;
    *out_n = n;
    return check_names(in, named, params, n);
}

/* ---- nodes ---- */

/* The types of a node's results, or where it is expanded the results themselves. */
static kd_status infer_results(import *in, kd_gnode *node, kd_tensor_type *types)
{
    kd_failure what = {{0}};
    kd_infer cx = {in->arena, &what, types, node->n_results};
    bool expands = node->op->lowering == KD_LOWER_EXPANDED;
    kd_status status = expands ? kd_graph_expand(in->graph, node, node->results, &what) : node->op->infer(&cx, node);
    for (unsigned i = 0; i < node->n_results && expands && !status; i++)
        types[i] = node->results[i]->type;
    return status ? bad(in, status, "%s", what.text) : KD_OK;
}

/* The strides of what is computed are free. */
static void set_strides(kd_gvalue *value, const kd_tensor_type *said)
{
    kd_lowering lowering = value->def ? value->def->op->lowering : KD_LOWER_VIEW;
    if (lowering != KD_LOWER_VIEW && kd_tensor_is_dense(said))
        memcpy(value->type.strides, said->strides, sizeof value->type.strides);
}

/* Makes the results and compares them with what the file says of them; the file's strides count. */
static kd_status read_results(import *in, kd_gnode *node, yyjson_val *names, yyjson_val *types)
{
    size_t n = yyjson_is_arr(names) ? yyjson_arr_size(names) : 1;
    if (!n || n > MAX_RESULTS || (types && (!yyjson_is_arr(types) || yyjson_arr_size(types) != n)))
        return bad(in, KD_ERR_DAMAGED, "\"out\" must be a list with as many types as \"o\" has names");
    node->n_results = (unsigned)n;
    node->results = kd_arena_array(in->arena, kd_gvalue *, n);
    kd_tensor_type *inferred = kd_arena_array(in->arena, kd_tensor_type, n);
    kd_status status = infer_results(in, node, inferred);
    for (unsigned i = 0; i < n && !status; i++) {
        yyjson_val *name = yyjson_is_arr(names) ? yyjson_arr_get(names, i) : names, *said = types ? yyjson_arr_get(types, i) : NULL;
        kd_tensor_type type = inferred[i], claimed;
        if (!kd_tensor_is_reasonable(&type))
            return bad(in, KD_ERR_DAMAGED, "the result %s is too large", kd_tensor_type_text(in->arena, &type));
        if (yyjson_is_str(yyjson_obj_get(said, "unknown")))
            return bad(in, KD_ERR_UNSUPPORTED, "the result is %s, which is not supported",
                       yyjson_get_str(yyjson_obj_get(said, "unknown")));
        if (said && !yyjson_is_null(said)) {
            status = read_type(in, said, &claimed);
            if (status)
                return status;
            if (claimed.type != type.type || !kd_tensor_same_shape(&claimed, &type))
                return bad(in, KD_ERR_DAMAGED, "the result is %s, but the file says %s", kd_tensor_type_text(in->arena, &type),
                           kd_tensor_type_text(in->arena, &claimed));
            type = claimed;
        }
        if (node->op->lowering == KD_LOWER_EXPANDED) {
            set_strides(node->results[i], &type);
            status = name_value(in, name, node->results[i]);
            continue;
        }
        status = define(in, name, &type, &node->results[i]);
        if (status == KD_OK) {
            node->results[i]->def = node;
            node->results[i]->result = i;
        }
    }
    return status;
}

static kd_status read_node(import *in, yyjson_val *v)
{
    yyjson_val *names = yyjson_obj_get(v, "o"), *op_name = yyjson_obj_get(v, "op");
    yyjson_val *first = yyjson_is_arr(names) ? yyjson_arr_get(names, 0) : names;
    const char *name = yyjson_is_str(first) ? yyjson_get_str(first) : "a node";
    in->where = name;
    if (!yyjson_is_str(op_name))
        return bad(in, KD_ERR_DAMAGED, "has no \"op\"");
    in->where = kd_arena_printf(in->arena, "%s = %s", name, yyjson_get_str(op_name));
    in->at = yyjson_is_str(yyjson_obj_get(v, "at")) ? keep_text(in, yyjson_obj_get(v, "at")) : NULL;
    kd_gnode *node = kd_arena_new(in->arena, kd_gnode);
    node->at = in->at;
    node->op = kd_str_starts_with(text_of(op_name), "kdsl.") ? NULL : kd_gop_find(text_of(op_name)); /* kdsl's own are made from others */
    node->origin = name[0] == '%' ? kd_arena_strdup(in->arena, name) : kd_arena_printf(in->arena, "%%%s", name);
    if (!node->op)
        return bad(in, KD_ERR_UNSUPPORTED, "kdsl does not know this op");
    kd_status status = read_args(in, node->op, yyjson_obj_get(v, "in"), yyjson_obj_get(v, "kw"), &node->args, &node->n_args);
    if (status == KD_OK)
        status = read_results(in, node, names, yyjson_obj_get(v, "out"));
    if (status == KD_OK && node->op->lowering != KD_LOWER_EXPANDED)
        kd_vec_push(in->arena, &in->graph->nodes, node);
    return status;
}

/* ---- checking nodes without making a graph ---- */

/* Tells the caller of a node that cannot be read. Its results are what the file says, where it says anything. */
static void refuse(import *in, yyjson_val *node, kd_status status)
{
    yyjson_val *names = yyjson_obj_get(node, "o"), *types = yyjson_obj_get(node, "out");
    size_t n = yyjson_is_arr(names) ? yyjson_arr_size(names) : 1;
    kd_failure told = *in->why;
    yyjson_val *first = yyjson_is_arr(names) ? yyjson_arr_get(names, 0) : names;
    const char *of = yyjson_is_str(first) ? keep_text(in, first) : "";
    in->refuse(in->refuse_user, of + (*of == '%'), status, told.text);
    for (size_t i = 0; i < n; i++) {
        yyjson_val *name = yyjson_is_arr(names) ? yyjson_arr_get(names, i) : names, *said = yyjson_arr_get(types, i);
        kd_str text = yyjson_is_str(name) ? text_of(name) : (kd_str){0};
        if (text.len && text.ptr[0] == '%')
            text = (kd_str){text.ptr + 1, text.len - 1};
        kd_tensor_type type;
        kd_gvalue *value;
        if (text.len && !kd_map_get(&in->values, text) && yyjson_is_obj(said) && read_type(in, said, &type) == KD_OK)
            define(in, name, &type, &value);
        else
            note_missing(in, name, "made by a node that is not supported");
    }
}

static kd_status check_node(import *in, yyjson_val *v)
{
    kd_status status = read_node(in, v);
    if (status == KD_ERR_UNSUPPORTED || status == KD_ERR_DAMAGED) {
        refuse(in, v, status);
        status = KD_OK;
    }
    return status;
}

/* ---- the whole file ---- */

static kd_status read_each(import *in, yyjson_val *list, const char *name, kd_status (*read)(import *in, yyjson_val *v))
{
    size_t i, max;
    yyjson_val *v;
    if (!yyjson_is_arr(list))
        return bad(in, KD_ERR_DAMAGED, "\"%s\" must be a list", name);
    yyjson_arr_foreach(list, i, max, v)
    {
        kd_status status = read(in, v);
        if (status)
            return status;
    }
    in->where = in->at = NULL;
    return KD_OK;
}

static kd_status read_output(import *in, yyjson_val *v)
{
    kd_gvalue *value = yyjson_is_str(v) ? find_value(in, text_of(v)) : NULL;
    if (!value)
        return bad(in, KD_ERR_DAMAGED, "the output '%s' is not defined", yyjson_is_str(v) ? yyjson_get_str(v) : "?");
    kd_vec_push(in->arena, &in->graph->outputs, value);
    return KD_OK;
}

/* States stand behind all other inputs and outputs. What they become is a copy, in the strides in which it is read. */
static kd_status add_states(import *in)
{
    for (unsigned i = 0; i < in->states.n; i++) {
        kd_gvalue *value = in->states.data[i], *next = find_value(in, kd_str_of(in->graph->states.data[i].becomes)), **results;
        in->where = kd_arena_printf(in->arena, "input '%%%s'", value->name);
        if (!next || next->type.type != value->type.type || !kd_tensor_same_shape(&next->type, &value->type))
            return bad(in, KD_ERR_DAMAGED, "it is %s, and cannot become '%s', which is %s", kd_tensor_type_text(in->arena, &value->type),
                       in->graph->states.data[i].becomes, next ? kd_tensor_type_text(in->arena, &next->type) : "not defined");
        kd_garg *args = kd_arena_array(in->arena, kd_garg, KD_GOP_MAX_PARAMS);
        kd_gnode *node = kd_arena_new(in->arena, kd_gnode);
        args[0] = kd_garg_value(next);
        args[1] = (kd_garg){0};
        results = kd_arena_array(in->arena, kd_gvalue *, 1);
        *node = (kd_gnode){.op = &kd_gops[KD_GOP_clone], .args = args, .n_args = 2, .results = results, .n_results = 1};
        node->origin = kd_arena_printf(in->arena, "%%%s.next", value->name);
        results[0] = kd_graph_add_value(in->graph, node->origin + 1, &value->type);
        results[0]->def = node;
        kd_vec_push(in->arena, &in->graph->nodes, node);
        kd_vec_push(in->arena, &in->graph->inputs, value);
        kd_vec_push(in->arena, &in->graph->outputs, results[0]);
    }
    in->where = NULL;
    return KD_OK;
}

static kd_status not_json(import *in, const yyjson_read_err *error)
{
    if (error->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return kd_fail(in->why, KD_ERR_MEMORY, "out of memory");
    if (kd_kx_is(in->text, in->n_bytes))
        return bad(in, KD_ERR_DAMAGED, "this is an executable already: the graph that it was made from is not in it");
    size_t n_blank = 0;
    while (n_blank < in->n_bytes && memchr(" \t\r\n", in->text[n_blank], 4))
        n_blank++;
    if (n_blank == in->n_bytes || in->text[n_blank] != '{')
        return bad(in, KD_ERR_DAMAGED, "neither a program of torch.export.save, nor an executable, nor a graph in JSON");
    return bad(in, KD_ERR_DAMAGED, "no JSON: %s at byte %zu", error->msg, error->pos);
}

static kd_status read_graph(import *in)
{
    yyjson_read_err error;
    in->doc = yyjson_read_opts((char *)(uintptr_t)in->text, in->n_bytes, 0, NULL, &error);
    if (!in->doc)
        return not_json(in, &error);
    yyjson_val *root = yyjson_doc_get_root(in->doc), *version = yyjson_obj_get(root, "kg");
    if (!yyjson_is_int(version))
        return bad(in, KD_ERR_DAMAGED, "no graph in the kg format: there is no \"kg\": 1");
    if (yyjson_get_sint(version) != 1)
        return bad(in, KD_ERR_UNSUPPORTED, "version %lld of the kg format; this kdsl reads version 1",
                   (long long)yyjson_get_sint(version));
    kd_status status = read_each(in, yyjson_obj_get(root, "inputs"), "inputs", read_input);
    if (status == KD_OK)
        status = read_each(in, yyjson_obj_get(root, "nodes"), "nodes", in->refuse ? check_node : read_node);
    if (status == KD_OK && !in->refuse)
        status = read_each(in, yyjson_obj_get(root, "outputs"), "outputs", read_output);
    if (status == KD_OK)
        status = add_states(in);
    if (status == KD_OK && !in->refuse && !in->graph->outputs.n)
        return bad(in, KD_ERR_DAMAGED, "the graph has no outputs");
    return status;
}

static void import_graph(void *user)
{
    import *in = user;
    in->graph->arena = in->arena = kd_arena_create(&in->graph->budget);
    in->graph->name = kd_arena_strdup(in->arena, in->name);
    in->graph->has_callers_memory = in->weights.n_memory != 0;
    kd_hash_add(&in->graph->content, in->text, in->n_bytes);
    in->values = kd_map_in(in->arena);
    in->missing = kd_map_in(in->arena);
    in->files = kd_map_in(in->arena);
    in->memory = kd_map_in(in->arena);
    for (unsigned i = 0; i < in->weights.n_memory; i++)
        *kd_map_at(&in->memory, kd_str_of(in->weights.memory[i].name)) = (void *)&in->weights.memory[i];
    in->status = read_graph(in);
    if (in->status == KD_OK)
        kd_graph_count_uses(in->graph);
}

/* Makes the graph, or only looks at it. */
static kd_status read_text(import *in, kd_graph **out_graph)
{
    in->graph = kd_graph_create(in->name);
    if (!in->graph || !kd_budget_catch(&in->graph->budget, import_graph, in))
        in->status = kd_fail(in->why, KD_ERR_MEMORY, "%s: out of memory; a graph without its weights may take %d GiB", in->name,
                             KD_GRAPH_LIMIT >> 30);
    yyjson_doc_free(in->doc);
    if (in->status || !out_graph)
        kd_graph_destroy(in->graph);
    else
        *out_graph = in->graph;
    return in->status;
}

kd_status kd_graph_parse(const char *text, size_t n_bytes, const char *name, const kd_graph_weights *weights, kd_graph **out_graph,
                         kd_failure *out_why)
{
    if (!text || !name || !out_graph || (weights && weights->n_memory && !weights->memory))
        return kd_fail(out_why, KD_ERR_ARGUMENT, "text, name, the weights' memory and out_graph must not be NULL");
import in = {.text = text, .n_bytes = n_bytes, .name = name, .why = out_why };
    if (weights)
        in.weights = *weights;
    return read_text(&in, out_graph);
}

kd_status kd_graph_check(const char *text, size_t n_bytes, const char *name, kd_graph_refuse_fn *refuse, void *user,
                         kd_failure *out_why)
{
    if (!text || !name || !refuse)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "text, name and refuse must not be NULL");
    kd_failure why = {{0}};
import in = {.text = text, .n_bytes = n_bytes, .name = name, .refuse = refuse, .refuse_user = user, .why = & why };
    kd_status status = read_text(&in, NULL);
    return status ? kd_fail(out_why, status, "%s", why.text) : KD_OK;
}

/* A graph as text, with weights in files beside it. */
static kd_status read_beside(const char *path, kd_graph **out_graph, kd_failure *out_why)
{
    char *text;
    size_t n_bytes;
    kd_status status = kd_file_read(path, FILE_LIMIT, &text, &n_bytes, out_why);
    if (status)
        return status;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    kd_graph_weights weights = {.folder = folder};
    status = folder ? kd_graph_parse(text, n_bytes, path, &weights, out_graph, out_why)
                    : kd_fail(out_why, KD_ERR_MEMORY, "out of memory");
    free(folder);
    free(text);
    return status;
}

kd_status kd_graph_read(const char *path, const kd_input_shapes *shapes, kd_graph **out_graph, kd_failure *out_why)
{
    if (!path || !out_graph)
        return kd_fail(out_why, KD_ERR_ARGUMENT, "path and out_graph must not be NULL");
    kd_mapping mapping = {0};
    bool is_archive = kd_file_map(path, &mapping, NULL) == KD_OK && kd_zip_is(mapping.data, mapping.n_bytes); /* a pipe is none */
    kd_status status =
        is_archive ? kd_graph_import_pt2(path, &mapping, shapes, out_graph, out_why) : read_beside(path, out_graph, out_why);
    kd_file_unmap(&mapping);
    return status;
}
