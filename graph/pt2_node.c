/* pt2_node.c - one node of an exported program: its arguments, and the nodes of the kg format that it becomes. */
#include "graph/pt2.h"

#include "base/number.h"
#include "base/scalar.h"

#include <math.h>

enum { MAX_ARGUMENT_DEPTH = 4 };

/* ---- text ---- */

/* In quotes, with what JSON does not allow in them escaped. */
void kd_pt2_put_text(kd_strbuf *out, const char *prefix, const char *text)
{
    kd_strbuf_printf(out, "\"%s", prefix);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            kd_strbuf_printf(out, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            kd_strbuf_printf(out, "\\u%04x", (unsigned)*c);
        else
            kd_strbuf_append(out, c, 1);
    }
    kd_strbuf_puts(out, "\"");
}

static const char *quoted(kd_pt2 *p, const char *prefix, const char *text)
{
    kd_strbuf out = kd_strbuf_in(p->arena);
    kd_pt2_put_text(&out, prefix, text);
    return kd_strbuf_text(&out);
}

const char *kd_pt2_ref(kd_pt2 *p, const kd_pt2_value *value)
{
    return quoted(p, "%", value->now);
}

const char *kd_pt2_list(kd_pt2 *p, const int64_t *numbers, unsigned n)
{
    kd_strbuf out = kd_strbuf_in(p->arena);
    kd_strbuf_puts(&out, "[");
    for (unsigned i = 0; i < n; i++)
        kd_strbuf_printf(&out, "%s%lld", i ? ", " : "", (long long)numbers[i]);
    kd_strbuf_puts(&out, "]");
    return kd_strbuf_text(&out);
}

const char *kd_pt2_type_text(kd_pt2 *p, kd_scalar type)
{
    return quoted(p, "", kd_scalar_name(type));
}

void kd_pt2_put_type(kd_pt2 *p, const kd_tensor_type *type, kd_strbuf *out)
{
    kd_strbuf_printf(out, "\"t\": %s, \"s\": %s, ", kd_pt2_type_text(p, type->type), kd_pt2_list(p, type->shape, type->n_dims));
    kd_strbuf_printf(out, "\"st\": %s", kd_pt2_list(p, type->strides, type->n_dims));
}

/* ---- arguments ---- */

yyjson_val *kd_pt2_arg(const kd_pt2 *p, const char *name, const char **out_tag)
{
    yyjson_val *inputs = yyjson_obj_get(p->node, "inputs"), *input, *tag, *value;
    size_t i, max;
    yyjson_arr_foreach(inputs, i, max, input)
    {
        if (!yyjson_equals_str(yyjson_obj_get(input, "name"), name))
            continue;
        for (yyjson_obj_iter members = yyjson_obj_iter_with(yyjson_obj_get(input, "arg"));
             (tag = yyjson_obj_iter_next(&members));) {
            value = yyjson_obj_iter_get_val(tag);
            *out_tag = yyjson_get_str(tag);
            return strcmp(*out_tag, "as_none") == 0 ? NULL : value;
        }
    }
    return NULL;
}

static kd_pt2_value *tensor_named(const kd_pt2 *p, yyjson_val *v)
{
    const char *name = yyjson_get_str(yyjson_obj_get(v, "name"));
    return name ? kd_map_get(&p->values, kd_str_of(name)) : NULL;
}

kd_pt2_value *kd_pt2_arg_tensor(const kd_pt2 *p, const char *name)
{
    const char *tag;
    yyjson_val *v = kd_pt2_arg(p, name, &tag);
    return v && strcmp(tag, "as_tensor") == 0 ? tensor_named(p, v) : NULL;
}

/* A number, {"as_int": number}, or {"as_name": "floordiv"}. */
static bool int_of(const kd_pt2 *p, yyjson_val *v, int64_t *out)
{
    const kd_pt2_number *n = kd_pt2_number_named(p, v);
    if (n && n->kind == KD_PT2_INT)
        return *out = (int64_t)n->value, true;
    v = yyjson_is_obj(v) ? yyjson_obj_get(v, "as_int") : v;
    *out = yyjson_get_sint(v);
    return yyjson_is_int(v);
}

int64_t kd_pt2_arg_int(const kd_pt2 *p, const char *name, int64_t otherwise)
{
    const char *tag;
    int64_t number;
    yyjson_val *v = kd_pt2_arg(p, name, &tag);
    return v && int_of(p, v, &number) ? number : otherwise;
}

bool kd_pt2_arg_bool(const kd_pt2 *p, const char *name)
{
    const char *tag;
    return yyjson_get_bool(kd_pt2_arg(p, name, &tag));
}

static void put_number(kd_strbuf *out, double f)
{
    char text[KD_MAX_DOUBLE_TEXT];
    if (!isfinite(f)) {
        kd_strbuf_puts(out, isnan(f) ? "\"nan\"" : f < 0 ? "\"-inf\"" : "\"inf\"");
        return;
    }
    kd_double_format(text, f, 17);
    kd_strbuf_printf(out, strpbrk(text, ".e") ? "%s" : "%s.0", text);
}

static void put_named_number(const kd_pt2_number *n, kd_strbuf *out)
{
    if (n->kind == KD_PT2_FLOAT)
        put_number(out, n->value);
    else if (n->kind == KD_PT2_BOOL)
        kd_strbuf_puts(out, n->value != 0 ? "true" : "false");
    else
        kd_strbuf_printf(out, "%lld", (long long)n->value);
}

static void put_argument(kd_pt2 *p, yyjson_val *v, unsigned depth, kd_strbuf *out);

static void put_object(kd_pt2 *p, yyjson_val *v, unsigned depth, kd_strbuf *out)
{
    const kd_pt2_value *value = tensor_named(p, v);
    const kd_pt2_number *number = kd_pt2_number_named(p, v);
    const char *name = yyjson_get_str(yyjson_obj_get(v, "name"));
    yyjson_val *tag, *inner;
    if (value || name) {
        kd_pt2_put_text(out, "%", value ? value->now : name);
        return;
    }
    if (number) {
        put_named_number(number, out);
        return;
    }
    for (yyjson_obj_iter members = yyjson_obj_iter_with(v); (tag = yyjson_obj_iter_next(&members));) {
        inner = yyjson_obj_iter_get_val(tag);
        if (!yyjson_equals_str(tag, "as_none")) {
            put_argument(p, inner, depth + 1, out);
            return;
        }
    }
    kd_strbuf_puts(out, "null");
}

static void put_list(kd_pt2 *p, yyjson_val *v, unsigned depth, kd_strbuf *out)
{
    yyjson_val *item;
    size_t i, max;
    kd_strbuf_puts(out, "[");
    yyjson_arr_foreach(v, i, max, item)
    {
        kd_strbuf_puts(out, i ? ", " : "");
        put_argument(p, item, depth + 1, out);
    }
    kd_strbuf_puts(out, "]");
}

static void put_argument(kd_pt2 *p, yyjson_val *v, unsigned depth, kd_strbuf *out)
{
    if (depth > MAX_ARGUMENT_DEPTH || yyjson_is_null(v))
        kd_strbuf_puts(out, "null");
    else if (yyjson_is_bool(v))
        kd_strbuf_puts(out, yyjson_get_bool(v) ? "true" : "false");
    else if (yyjson_is_int(v))
        kd_strbuf_printf(out, "%lld", (long long)yyjson_get_sint(v));
    else if (yyjson_is_real(v))
        put_number(out, yyjson_get_real(v));
    else if (yyjson_is_arr(v))
        put_list(p, v, depth, out);
    else if (yyjson_is_obj(v))
        put_object(p, v, depth, out);
    else
        kd_pt2_put_text(out, "", yyjson_get_str(v));
}

/* Layouts and devices say nothing: strides are known, and the device is the caller's choice. */
static void put_tagged(kd_pt2 *p, const char *tag, yyjson_val *v, kd_strbuf *out)
{
    kd_scalar type;
    double f;
    if (strcmp(tag, "as_none") == 0 || strcmp(tag, "as_memory_format") == 0 || strcmp(tag, "as_layout") == 0 ||
        strcmp(tag, "as_device") == 0)
        kd_strbuf_puts(out, "null");
    else if (strcmp(tag, "as_scalar_type") == 0 && kd_pt2_scalar(v, &type))
        kd_pt2_put_text(out, "", kd_scalar_name(type));
    else if (strcmp(tag, "as_float") == 0 && yyjson_is_str(v)) /* "Infinity" */
        put_number(out, kd_double_parse((kd_str){yyjson_get_str(v), yyjson_get_len(v)}, &f) ? f
                        : yyjson_equals_str(v, "Infinity")                                  ? INFINITY
                        : yyjson_equals_str(v, "-Infinity")                                 ? -INFINITY
                                                                                            : NAN);
    else if (strcmp(tag, "as_float") == 0)
        put_number(out, yyjson_get_num(v));
    else
        put_argument(p, v, 0, out);
}

const char *kd_pt2_arg_text(kd_pt2 *p, const char *name, const char *otherwise)
{
    const char *tag;
    yyjson_val *v = kd_pt2_arg(p, name, &tag);
    kd_strbuf out = kd_strbuf_in(p->arena);
    if (!v)
        return otherwise;
    put_tagged(p, tag, v, &out);
    return kd_strbuf_text(&out);
}

/* ---- results ---- */

/* Outputs are tensors one by one, or one list of them. */
static yyjson_val *results_of(yyjson_val *node)
{
    yyjson_val *outputs = yyjson_obj_get(node, "outputs"), *list = yyjson_obj_get(yyjson_arr_get(outputs, 0), "as_tensors");
    return list ? list : outputs;
}

static const char *result_name(yyjson_val *result)
{
    yyjson_val *tensor = yyjson_obj_get(result, "as_tensor");
    return yyjson_get_str(yyjson_obj_get(tensor ? tensor : result, "name"));
}

kd_pt2_value *kd_pt2_result(const kd_pt2 *p, unsigned i)
{
    const char *name = result_name(yyjson_arr_get(results_of(p->node), i));
    return name ? kd_map_get(&p->values, kd_str_of(name)) : NULL;
}

unsigned kd_pt2_n_results(const kd_pt2 *p)
{
    return (unsigned)yyjson_arr_size(results_of(p->node));
}

/* {"o": [...], "op": "...", "in": [...] or "kw": {...}, "out": [...], "at": "..."}; results first to first + n, then others without a type. */
static void put_node(kd_pt2 *p, unsigned first, unsigned n, unsigned n_others, const char *op, const char *args)
{
    kd_strbuf *out = &p->nodes, types = kd_strbuf_in(p->arena);
    kd_strbuf_printf(out, "%s{\"o\": [", out->len ? ",\n" : "");
    for (unsigned i = 0; i < n; i++) {
        const kd_pt2_value *value = kd_pt2_result(p, first + i);
        kd_strbuf_puts(out, i ? ", " : "");
        kd_strbuf_puts(&types, i ? ", " : "");
        if (value && !value->last_use) { /* what nobody reads may be anything */
            kd_pt2_put_text(out, "%", value->name);
            kd_strbuf_puts(&types, "null");
        } else if (value) {
            kd_pt2_put_text(out, "%", value->name);
            kd_strbuf_puts(&types, "{");
            kd_pt2_put_type(p, &value->type, &types);
            kd_strbuf_puts(&types, "}");
        } else { /* nothing, where another backend would have a tensor */
            kd_strbuf_printf(out, "\"%%.t%u\"", p->n_temporaries++);
            kd_strbuf_puts(&types, "null");
        }
    }
    for (unsigned i = 0; i < n_others; i++) {
        kd_strbuf_printf(out, n + i ? ", \"%%.t%u\"" : "\"%%.t%u\"", p->n_temporaries++);
        kd_strbuf_puts(&types, n + i ? ", null" : "null");
    }
    kd_strbuf_printf(out, "], \"op\": %s, %s, \"out\": [%s]", quoted(p, "", op), args, kd_strbuf_text(&types));
    if (p->at)
        kd_strbuf_printf(out, ", \"at\": %s", quoted(p, "", p->at));
    kd_strbuf_puts(out, "}");
}

static const char *listed(kd_pt2 *p, const char *format, va_list args)
{
    return kd_arena_printf(p->arena, "\"in\": [%s]", kd_arena_vprintf(p->arena, format, args));
}

void kd_pt2_emit_result(kd_pt2 *p, unsigned i, const char *op, const char *args, ...)
{
    va_list list;
    va_start(list, args);
    put_node(p, i, 1, 0, op, listed(p, args, list));
    va_end(list);
}

void kd_pt2_emit_first(kd_pt2 *p, unsigned n_others, const char *op, const char *args, ...)
{
    va_list list;
    va_start(list, args);
    put_node(p, 0, 1, n_others, op, listed(p, args, list));
    va_end(list);
}

const char *kd_pt2_emit_more(kd_pt2 *p, const char *op, const char *args, ...)
{
    const char *name = kd_arena_printf(p->arena, ".t%u", p->n_temporaries);
    va_list list;
    va_start(list, args);
    put_node(p, 0, 0, 1, op, listed(p, args, list));
    va_end(list);
    return name;
}

void kd_pt2_emit_all(kd_pt2 *p, const char *op, const char *args, ...)
{
    va_list list;
    va_start(list, args);
    put_node(p, 0, kd_pt2_n_results(p), 0, op, listed(p, args, list));
    va_end(list);
}

kd_status kd_pt2_emit_same(kd_pt2 *p, const char *op)
{
    yyjson_val *inputs = yyjson_obj_get(p->node, "inputs"), *input, *tag, *value;
    size_t i, max;
    kd_strbuf args = kd_strbuf_in(p->arena);
    kd_strbuf_puts(&args, "\"in\": [], \"kw\": {");
    yyjson_arr_foreach(inputs, i, max, input)
    {
        const char *name = yyjson_get_str(yyjson_obj_get(input, "name"));
        if (!name)
            return kd_pt2_bad(p, KD_ERR_DAMAGED, "an argument has no name");
        kd_strbuf_puts(&args, i ? ", " : "");
        kd_pt2_put_text(&args, "", name);
        kd_strbuf_puts(&args, ": ");
        size_t before = args.len;
        for (yyjson_obj_iter members = yyjson_obj_iter_with(yyjson_obj_get(input, "arg"));
             (tag = yyjson_obj_iter_next(&members));) {
            value = yyjson_obj_iter_get_val(tag);
            if (args.len == before)
                put_tagged(p, yyjson_get_str(tag), value, &args);
        }
        kd_strbuf_puts(&args, args.len == before ? "null" : "");
    }
    kd_strbuf_puts(&args, "}");
    put_node(p, 0, kd_pt2_n_results(p), 0, op, kd_strbuf_text(&args));
    return KD_OK;
}

kd_status kd_pt2_each_result(kd_pt2 *p, kd_status (*fn)(kd_pt2 *p, const char *name))
{
    yyjson_val *results = results_of(p->node), *result;
    size_t i, max;
    yyjson_arr_foreach(results, i, max, result)
    {
        const char *name = result_name(result);
        if (!name && !yyjson_obj_get(result, "as_none"))
            return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "its result is no tensor");
        kd_status status = fn(p, name);
        if (status)
            return status;
    }
    return KD_OK;
}
