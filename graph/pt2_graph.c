/* pt2_graph.c - from an exported program to a graph in the kg format.
 *
 * What the program calls in place (relu_, add_) becomes an op with a result of its own: from there on its operand's name, and every other name
 * of the very same tensor, stands for that result; what it is a view of is made anew. Where other views of the memory are read later the program
 * is refused, since they would have to change too. Buffers that the program changes are the graph's state, and inputs that it changes are
 * results too. Weights stay where the archive has them.
 *
 * Source of the JSON: torch/_export/serde/schema.py, versions 8.x. */
#include "graph/pt2.h"

#include "base/scalar.h"
#include "graph/ir.h"

#include <limits.h>
#include <stdlib.h>

enum { SCHEMA_MAJOR = 8, MAX_PROGRAM_BYTES = 1 << 30, MAX_USE_DEPTH = 4 };

static const size_t MEMORY_LIMIT = (size_t)4 << 30;

kd_status kd_pt2_bad(kd_pt2 *p, kd_status status, const char *format, ...)
{
    kd_failure what = {{0}};
    va_list args;
    va_start(args, format);
    kd_vfail(&what, status, format, args);
    va_end(args);
    const kd_pt2_value *result = p->node ? kd_pt2_result(p, 0) : NULL;
    const char *place = p->node ? kd_arena_printf(p->arena, "%%%s = %s: ", result ? result->name : "?", p->op ? p->op : "?") : "";
    return kd_fail(p->why, status, "%s: %s%s%s%s%s", p->name, place, what.text, p->at ? " (" : "", p->at ? p->at : "",
                   p->at ? ")" : "");
}

bool kd_pt2_scalar(yyjson_val *number, kd_scalar *out)
{
    static const kd_scalar TYPES[] = {
        [1] = KD_U8,  [2] = KD_I8,  [3] = KD_I16,   [4] = KD_I32,  [5] = KD_I64,  [6] = KD_F16, [7] = KD_F32,
        [8] = KD_F64, [12] = KD_I1, [13] = KD_BF16, [28] = KD_U16, [34] = KD_U32, [35] = KD_U64};
    static const uint64_t KNOWN = 1ull << 1 | 1ull << 2 | 1ull << 3 | 1ull << 4 | 1ull << 5 | 1ull << 6 | 1ull << 7 | 1ull << 8 |
                                  1ull << 12 | 1ull << 13 | 1ull << 28 | 1ull << 34 | 1ull << 35;
    uint64_t n = yyjson_get_uint(number);
    if (!yyjson_is_uint(number) || n >= sizeof TYPES / sizeof *TYPES || !(KNOWN >> n & 1))
        return false;
    *out = TYPES[n];
    return true;
}

/* ---- what the file says of values ---- */

yyjson_val *kd_pt2_only_member(yyjson_val *object, const char **out_key)
{
    yyjson_val *key, *value;
    *out_key = "";
    for (yyjson_obj_iter members = yyjson_obj_iter_with(object); (key = yyjson_obj_iter_next(&members));) {
        value = yyjson_obj_iter_get_val(key);
        *out_key = yyjson_get_str(key);
        return value;
    }
    return NULL;
}

/* [{"as_int": 2}, {"as_int": 3}] */
static kd_status read_extents(kd_pt2 *p, const char *name, yyjson_val *list, int64_t out[KD_TENSOR_MAX_DIMS], unsigned *out_n)
{
    size_t i, max;
    yyjson_val *v;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > KD_TENSOR_MAX_DIMS)
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the value '%s' has no list of at most %d extents", name, KD_TENSOR_MAX_DIMS);
    yyjson_arr_foreach(list, i, max, v)
    {
        kd_status status = kd_pt2_extent(p, name, v, &out[i]);
        if (status)
            return status;
    }
    *out_n = (unsigned)yyjson_arr_size(list);
    return KD_OK;
}

static kd_status read_type(kd_pt2 *p, const char *name, kd_tensor_type *out)
{
    yyjson_val *meta = yyjson_obj_get(p->metas, name);
    unsigned n_strides = 0;
    if (!yyjson_is_obj(meta))
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the file does not tell the type of '%s'", name);
    if (!kd_pt2_scalar(yyjson_obj_get(meta, "dtype"), &out->type))
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED,
                          "the value '%s' has a type that kdsl does not know (number %llu of torch's ScalarType)", name,
                          (unsigned long long)yyjson_get_uint(yyjson_obj_get(meta, "dtype")));
    kd_status status = read_extents(p, name, yyjson_obj_get(meta, "sizes"), out->shape, &out->n_dims);
    if (status == KD_OK)
        status = read_extents(p, name, yyjson_obj_get(meta, "strides"), out->strides, &n_strides);
    if (status)
        return status;
    if (n_strides != out->n_dims || !kd_tensor_is_reasonable(out))
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the sizes and strides of '%s' make no sense", name);
    return KD_OK;
}

static kd_status new_value(kd_pt2 *p, const char *name, kd_pt2_value **out)
{
    kd_pt2_value *v = kd_arena_new(p->arena, kd_pt2_value);
    *v = (kd_pt2_value){.name = name, .now = name, .base = v, .same = v};
    void **place = kd_map_at(&p->values, kd_str_of(name));
    if (*place)
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the value '%s' is defined twice", name);
    *place = v;
    v->last_use = (unsigned)(uintptr_t)kd_map_get(&p->last_uses, kd_str_of(name));
    kd_vec_push(p->arena, &v->sharers, v);
    *out = v;
    return read_type(p, name, &v->type);
}

/* ---- in place ---- */

static void share(kd_pt2 *p, kd_pt2_value *value, kd_pt2_value *with, bool same)
{
    value->base = with->base;
    value->same = same ? with->same : value;
    kd_vec_push(p->arena, &value->base->sharers, value);
}

/* From now on all names of these elements stand for the value 'now' of the graph. */
static void rename_all(const kd_pt2 *p, const kd_pt2_value *same, const char *now)
{
    for (unsigned i = 0; i < same->base->sharers.n; i++) {
        kd_pt2_value *v = same->base->sharers.data[i];
        if (v->same == same) {
            v->now = now;
            v->renamed = p->number;
        }
    }
}

/* A name of some of this memory, read later, that stands for what was there before the current node. NULL: none. */
static const kd_pt2_value *outdated(const kd_pt2 *p, const kd_pt2_value *base)
{
    for (unsigned i = 0; i < base->sharers.n; i++) {
        const kd_pt2_value *v = base->sharers.data[i];
        if (v->renamed != p->number && v->last_use > p->number)
            return v;
    }
    return NULL;
}

/* What the part is a view of, with what the part's names stand for now. */
static const char *put_back(kd_pt2 *p, const kd_pt2_value *part)
{
    const char *now = kd_pt2_ref(p, part);
    return part->is_all ? kd_pt2_emit_more(p, part->put_back, "%s, %s", now, part->place)
                        : kd_pt2_emit_more(p, part->put_back, "%s, %s, %s", kd_pt2_ref(p, part->whole), now, part->place);
}

/* The current node has changed self's memory: its result is what self's names stand for from now on. What self is a view of is made anew
 * with it, where it is read later. */
static kd_status replace(kd_pt2 *p, kd_pt2_value *self, kd_pt2_value *result)
{
    const kd_pt2_value *base = self->base, *part = self->same;
    rename_all(p, part, result->now);
    for (; part->whole && outdated(p, base); part = part->whole->same)
        rename_all(p, part->whole->same, put_back(p, part));
    const kd_pt2_value *other = outdated(p, base);
    if (other)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED,
                          "it changes '%s' in place, while '%s' is another view of that memory and read later", self->name, other->name);
    share(p, result, self, true);
    return KD_OK;
}

/* ---- nodes ---- */

/* The last place in a stack trace, 'File "/a/net.py", line 31, in forward\n    x += 1', as "/a/net.py:31: x += 1". */
static const char *line_of(kd_pt2 *p, const char *trace)
{
    static const char FILE_MARK[] = "File \"";
    const char *last = NULL;
    for (const char *at = trace; at && (at = strstr(at, FILE_MARK)); at++)
        last = at + sizeof FILE_MARK - 1;
    const char *quote = last ? strchr(last, '"') : NULL;
    if (!quote || strncmp(quote, "\", line ", 8) != 0)
        return NULL;
    const char *number = quote + 8, *code = strchr(number, '\n');
    code = code ? code + 1 + strspn(code + 1, " ") : "";
    return kd_arena_printf(p->arena, "%.*s:%.*s: %.*s", (int)(quote - last), last, (int)strspn(number, "0123456789"), number,
                           (int)strcspn(code, "\n"), code);
}

/* "aten.relu_.default" changes its first argument, "self"; its result has the name aten.relu.default. */
static bool is_in_place(kd_pt2 *p, const char **out_op)
{
    static const char OPERATOR[] = "aten.__i"; /* __iand__ */
    const char *name = strchr(p->op, '.'), *overload = name ? strchr(name + 1, '.') : NULL;
    if (strncmp(p->op, OPERATOR, sizeof OPERATOR - 1) == 0) {
        *out_op = kd_arena_printf(p->arena, "aten.__%s", p->op + sizeof OPERATOR - 1);
        return true;
    }
    if (!overload || overload[-1] != '_' || overload - name < 3 || strncmp(name, ".__", 3) == 0)
        return false;
    *out_op = kd_arena_printf(p->arena, "%.*s%s", (int)(overload - 1 - p->op), p->op, overload);
    return true;
}

static kd_status define_result(kd_pt2 *p, const char *name)
{
    kd_pt2_value *unused;
    return name ? new_value(p, name, &unused) : KD_OK;
}

/* Nodes that only compute with extents, and those that check them: what they say is known when a program is read. */
static kd_status skip_symbolic_node(kd_pt2 *p, bool *out_is_symbolic)
{
    yyjson_val *outputs = yyjson_obj_get(p->node, "outputs"), *output;
    size_t i, max;
    const char *tag;
    bool checks = strcmp(p->op, "aten._assert_scalar.default") == 0;
    *out_is_symbolic = checks || strncmp(p->op, "aten.sym_constrain_range", 24) == 0;
    const kd_pt2_number *truth = checks ? kd_pt2_number_named(p, kd_pt2_arg(p, "self", &tag)) : NULL;
    if (checks && truth && truth->value == 0)
        return kd_pt2_bad(p, KD_ERR_ARGUMENT, "a check of the program fails for these shapes: %s",
                          kd_pt2_arg_text(p, "assert_msg", "\"\""));
    yyjson_arr_foreach(outputs, i, max, output)
    {
        yyjson_val *v = kd_pt2_only_member(output, &tag);
        if (strncmp(tag, "as_sym_", 7) != 0)
            continue;
        *out_is_symbolic = true;
        if (!kd_pt2_number_named(p, v))
            return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "its result is a number that is known at run time only");
    }
    return KD_OK;
}

static kd_status translate_node(kd_pt2 *p)
{
    static const char PREFIX[] = "torch.ops.";
    const char *target = yyjson_get_str(yyjson_obj_get(p->node, "target"));
    p->op = target && strncmp(target, PREFIX, sizeof PREFIX - 1) == 0 ? target + sizeof PREFIX - 1 : target;
    p->at = line_of(p, yyjson_get_str(yyjson_obj_get(yyjson_obj_get(p->node, "metadata"), "stack_trace")));
    if (!p->op)
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "a node has no target");
    bool is_symbolic;
    kd_status status = skip_symbolic_node(p, &is_symbolic);
    if (status || is_symbolic)
        return status;
    kd_pt2_value *self = kd_pt2_arg_tensor(p, "self");
    bool changes_self = is_in_place(p, &p->op);
    self = self ? self : kd_pt2_arg_tensor(p, "input");
    status = kd_pt2_each_result(p, define_result);
    if (status == KD_OK)
        status = kd_pt2_translate(p);
    if (status || !kd_pt2_n_results(p) || !kd_pt2_result(p, 0))
        return status;
    kd_pt2_sharing sharing = kd_pt2_shares(p);
    if (changes_self && !self)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "it changes an argument in place that kdsl does not know");
    if (changes_self && sharing == KD_PT2_OWN)
        return replace(p, self, kd_pt2_result(p, 0));
    for (unsigned i = 0; self && sharing != KD_PT2_OWN && i < kd_pt2_n_results(p); i++)
        if (kd_pt2_result(p, i)) {
            share(p, kd_pt2_result(p, i), self, sharing == KD_PT2_SAME);
            if (sharing == KD_PT2_VIEW)
                kd_pt2_find_way_back(p, kd_pt2_result(p, i), self, i);
        }
    return KD_OK;
}

static kd_status translate_nodes(kd_pt2 *p, yyjson_val *nodes)
{
    yyjson_val *node;
    size_t i, max;
    yyjson_arr_foreach(nodes, i, max, node)
    {
        p->node = node;
        p->number = (unsigned)i + 1;
        kd_status status = translate_node(p);
        if (status)
            return status;
    }
    p->node = NULL;
    p->at = NULL;
    return KD_OK;
}

/* ---- inputs and outputs ---- */

/* The value outlives the call: who reads it last is not known. */
static void add_outside(kd_pt2 *p, kd_pt2_value *value)
{
    value->last_use = UINT_MAX;
    kd_vec_push(p->arena, &p->outside, value);
}

static kd_status add_weight(kd_pt2 *p, const char *value_name, const char *weight)
{
    kd_pt2_value *v;
    if (!kd_map_get(&p->last_uses, kd_str_of(value_name)))
        return KD_OK; /* counters of batch norms, for instance */
    const kd_pt2_tensor *t = kd_map_get(&p->archive.by_name, kd_str_of(weight));
    if (!t)
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the archive has no data for the tensor '%s'", weight);
    kd_status status = new_value(p, value_name, &v);
    if (status)
        return status;
    v->weight = weight;
    add_outside(p, v);
    kd_graph_memory m = {weight, t->data, kd_tensor_n_bytes(&v->type)};
    if (m.n_bytes > t->n_bytes)
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the tensor '%s' has %zu bytes, but the program needs %zu", weight, t->n_bytes,
                          m.n_bytes);
    kd_vec_push(p->arena, &p->memory, m);
    return KD_OK;
}

static kd_status add_input(kd_pt2 *p, const char *name)
{
    kd_pt2_value *v;
    kd_status status = new_value(p, name, &v);
    if (status == KD_OK)
        add_outside(p, v);
    return status;
}

static bool is_changed(const kd_pt2_value *value)
{
    return strcmp(value->now, value->name) != 0;
}

/* After all nodes: {"n": "%x", "t": "f32", ...}. A weight that was changed says what it becomes. */
static void put_inputs(kd_pt2 *p)
{
    kd_strbuf *out = &p->inputs;
    for (unsigned i = 0; i < p->outside.n; i++) {
        const kd_pt2_value *v = p->outside.data[i];
        kd_strbuf_puts(out, out->len ? ",\n{\"n\": " : "{\"n\": ");
        kd_pt2_put_text(out, "%", v->name);
        kd_strbuf_puts(out, ", ");
        kd_pt2_put_type(p, &v->type, out);
        if (v->weight) {
            kd_strbuf_printf(out, ", \"role\": \"%s\", \"data\": {\"memory\": ", is_changed(v) ? "state" : "param");
            kd_pt2_put_text(out, "", v->weight);
            kd_strbuf_puts(out, "}");
        } else {
            kd_strbuf_puts(out, ", \"role\": \"user\"");
        }
        if (v->weight && is_changed(v)) {
            kd_strbuf_puts(out, ", \"becomes\": ");
            kd_pt2_put_text(out, "%", v->now);
        }
        kd_strbuf_puts(out, "}");
    }
}

const char *kd_pt2_user_input(yyjson_val *spec)
{
    yyjson_val *arg = yyjson_obj_get(yyjson_obj_get(spec, "user_input"), "arg");
    return yyjson_get_str(yyjson_obj_get(yyjson_obj_get(arg, "as_tensor"), "name"));
}

/* An input that is no tensor: what it was when the program was exported is part of the program, unless it varies. */
static kd_status check_number_input(kd_pt2 *p, yyjson_val *arg)
{
    const char *tag;
    yyjson_val *v = kd_pt2_only_member(arg, &tag);
    const char *name = yyjson_get_str(yyjson_obj_get(v, "as_name"));
    if (name && !kd_pt2_number_named(p, v))
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "the input '%s' is a number that varies: export the model with a constant there",
                          name);
    return KD_OK;
}

/* {"parameter": {"arg": {"name": "p_w"}, "parameter_name": "w"}}, {"user_input": {"arg": {"as_tensor": {"name": "x"}}}}. Numbers and None are
 * part of the program already. */
static kd_status read_input(kd_pt2 *p, yyjson_val *spec)
{
    static const struct {
        const char *kind, *name;
    } WEIGHTS[] = {{"parameter", "parameter_name"}, {"buffer", "buffer_name"}, {"tensor_constant", "tensor_constant_name"}};
    const char *kind;
    yyjson_val *what = kd_pt2_only_member(spec, &kind), *arg = yyjson_obj_get(what, "arg");
    for (unsigned i = 0; i < 3; i++) {
        const char *value = yyjson_get_str(yyjson_obj_get(arg, "name")),
                   *weight = yyjson_get_str(yyjson_obj_get(what, WEIGHTS[i].name));
        if (strcmp(kind, WEIGHTS[i].kind) == 0)
            return value && weight ? add_weight(p, value, weight) : kd_pt2_bad(p, KD_ERR_DAMAGED, "a %s has no name", kind);
    }
    if (strcmp(kind, "user_input") == 0)
        return kd_pt2_user_input(spec) ? add_input(p, kd_pt2_user_input(spec)) : check_number_input(p, arg);
    if (strcmp(kind, "constant_input") == 0)
        return KD_OK;
    return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "the program has an input of the kind '%s', which kdsl does not know", kind);
}

static void put_output(kd_pt2 *p, const kd_pt2_value *value)
{
    kd_strbuf_puts(&p->outputs, p->outputs.len ? ", " : "");
    kd_pt2_put_text(&p->outputs, "%", value->now);
}

/* A program that was made functional says itself what a buffer or an input becomes: {"arg": {"name": "add"}, "buffer_name": "count"}. */
static kd_status read_mutation(kd_pt2 *p, yyjson_val *what, const kd_pt2_value *value)
{
    const char *buffer = yyjson_get_str(yyjson_obj_get(what, "buffer_name")),
               *input = yyjson_get_str(yyjson_obj_get(what, "user_input_name"));
    for (unsigned i = 0; i < p->outside.n; i++) {
        kd_pt2_value *v = p->outside.data[i];
        if ((buffer && v->weight && strcmp(v->weight, buffer) == 0) || (input && strcmp(v->name, input) == 0)) {
            v->now = value->now;
            return KD_OK;
        }
    }
    return buffer ? KD_OK /* that nobody reads */
                  : kd_pt2_bad(p, KD_ERR_DAMAGED, "the input '%s' that the program changes is not defined", input ? input : "?");
}

static kd_status read_output(kd_pt2 *p, yyjson_val *spec, bool mutations)
{
    const char *kind;
    yyjson_val *what = kd_pt2_only_member(spec, &kind), *arg = yyjson_obj_get(what, "arg"), *tensor = yyjson_obj_get(arg, "as_tensor");
    const char *name = yyjson_get_str(yyjson_obj_get(tensor ? tensor : arg, "name"));
    bool is_mutation = strcmp(kind, "buffer_mutation") == 0 || strcmp(kind, "user_input_mutation") == 0;
    if (!is_mutation && strcmp(kind, "user_output") != 0 && strcmp(kind, "loss_output") != 0)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "the program has an output of the kind '%s', which kdsl does not know", kind);
    const kd_pt2_value *value = name ? kd_map_get(&p->values, kd_str_of(name)) : NULL;
    if (is_mutation != mutations || (!name && !is_mutation))
        return KD_OK; /* the other ones' turn; None, or a number */
    if (!value)
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the output '%s' is not defined", name ? name : "?");
    if (is_mutation)
        return read_mutation(p, what, value);
    put_output(p, value);
    return KD_OK;
}

/* The program's own outputs, and behind them what the inputs are now that it changes. */
static kd_status read_outputs(kd_pt2 *p, yyjson_val *specs)
{
    yyjson_val *spec;
    size_t i, max;
    for (unsigned mutations = 0; mutations < 2; mutations++)
        yyjson_arr_foreach(specs, i, max, spec)
        {
            kd_status status = read_output(p, spec, mutations);
            if (status)
                return status;
        }
    for (unsigned k = 0; k < p->outside.n; k++)
        if (!p->outside.data[k]->weight && is_changed(p->outside.data[k]))
            put_output(p, p->outside.data[k]);
    return KD_OK;
}

/* ---- who reads what, last ---- */

static void note_uses(kd_pt2 *p, yyjson_val *v, unsigned depth, unsigned number)
{
    yyjson_val *key, *inner;
    size_t i, max;
    const char *name = yyjson_get_str(yyjson_obj_get(v, "name"));
    if (name)
        *kd_map_at(&p->last_uses, kd_str_of(name)) = (void *)(uintptr_t)number;
    yyjson_arr_foreach(v, i, max, inner)
    {
        if (depth < MAX_USE_DEPTH)
            note_uses(p, inner, depth + 1, number);
    }
    for (yyjson_obj_iter members = yyjson_obj_iter_with(v); (key = yyjson_obj_iter_next(&members));) {
        inner = yyjson_obj_iter_get_val(key);
        if (depth < MAX_USE_DEPTH && !yyjson_is_str(inner))
            note_uses(p, inner, depth + 1, number);
    }
}

static void find_last_uses(kd_pt2 *p, yyjson_val *graph)
{
    yyjson_val *node, *input;
    size_t i, max, k, n;
    yyjson_arr_foreach(yyjson_obj_get(graph, "nodes"), i, max, node)
    {
        yyjson_arr_foreach(yyjson_obj_get(node, "inputs"), k, n, input)
        {
            note_uses(p, yyjson_obj_get(input, "arg"), 0, (unsigned)i + 1);
        }
    }
    note_uses(p, yyjson_obj_get(graph, "outputs"), 0, UINT_MAX);
}

/* ---- the whole program ---- */

static kd_status parse_program(kd_pt2 *p)
{
    yyjson_read_err error;
    if (p->archive.n_program_bytes > MAX_PROGRAM_BYTES)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "the program has more than %d bytes", MAX_PROGRAM_BYTES);
    p->doc = yyjson_read_opts((char *)(uintptr_t)p->archive.program, p->archive.n_program_bytes, YYJSON_READ_ALLOW_INF_AND_NAN,
                              NULL, &error);
    if (!p->doc)
        return kd_pt2_bad(p, error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? KD_ERR_MEMORY : KD_ERR_DAMAGED,
                          "the program is no JSON: %s at byte %zu", error.msg, error.pos);
    yyjson_val *major = yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(p->doc), "schema_version"), "major");
    if (!yyjson_is_int(major))
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the program does not tell its version");
    if (yyjson_get_sint(major) != SCHEMA_MAJOR)
        return kd_pt2_bad(p, KD_ERR_UNSUPPORTED, "version %lld of exported programs; this kdsl reads version %d",
                          (long long)yyjson_get_sint(major), SCHEMA_MAJOR);
    return KD_OK;
}

static kd_status translate_program(kd_pt2 *p)
{
    yyjson_val *module = yyjson_obj_get(yyjson_doc_get_root(p->doc), "graph_module"), *graph = yyjson_obj_get(module, "graph");
    yyjson_val *signature = yyjson_obj_get(module, "signature"), *spec;
    size_t i, max;
    kd_status status = KD_OK;
    p->metas = yyjson_obj_get(graph, "tensor_values");
    if (!yyjson_is_obj(p->metas) || !yyjson_is_obj(signature))
        return kd_pt2_bad(p, KD_ERR_DAMAGED, "the program has no graph with a signature");
    find_last_uses(p, graph);
    status = kd_pt2_bind_symbols(p, yyjson_obj_get(signature, "input_specs"));
    kd_pt2_find_numbers(p, graph);
    yyjson_arr_foreach(yyjson_obj_get(signature, "input_specs"), i, max, spec)
    {
        status = status ? status : read_input(p, spec);
    }
    if (status == KD_OK)
        status = translate_nodes(p, yyjson_obj_get(graph, "nodes"));
    if (status == KD_OK)
        status = read_outputs(p, yyjson_obj_get(signature, "output_specs"));
    put_inputs(p);
    return status;
}

typedef struct job {
    kd_pt2 p;
    kd_budget budget;
    kd_mapping *mapping;
    kd_graph *graph;
    kd_status status;
} job;

static void import_archive(void *user)
{
    job *j = user;
    kd_pt2 *p = &j->p;
    p->arena = kd_arena_create(&j->budget);
    p->values = p->last_uses = p->symbols = p->numbers = kd_map_in(p->arena);
    p->inputs = p->nodes = p->outputs = kd_strbuf_in(p->arena);
    j->status = kd_pt2_open(p->arena, p->name, j->mapping->data, j->mapping->n_bytes, &p->archive, p->why);
    if (j->status == KD_OK)
        j->status = parse_program(p);
    if (j->status == KD_OK)
        j->status = translate_program(p);
    if (j->status)
        return;
    const char *text = kd_arena_printf(p->arena, "{\"kg\": 1,\n\"inputs\": [\n%s\n],\n\"nodes\": [\n%s\n],\n\"outputs\": [%s]}\n",
                                       kd_strbuf_text(&p->inputs), kd_strbuf_text(&p->nodes), kd_strbuf_text(&p->outputs));
    kd_graph_weights weights = {.memory = p->memory.data, .n_memory = p->memory.n};
    j->status = kd_graph_parse(text, strlen(text), p->name, &weights, &j->graph, p->why);
}

kd_status kd_graph_import_pt2(const char *name, kd_mapping *mapping, const kd_input_shapes *shapes, kd_graph **out_graph,
                              kd_failure *out_why)
{
    job j = {.p = {.name = name, .shapes = shapes, .why = out_why}, .budget = {.limit_bytes = MEMORY_LIMIT}, .mapping = mapping};
    if (!kd_budget_catch(&j.budget, import_archive, &j))
        j.status = kd_fail(out_why, KD_ERR_MEMORY, "%s: out of memory", name);
    yyjson_doc_free(j.p.doc);
    yyjson_doc_free(j.p.archive.listing);
    if (j.p.arena)
        kd_arena_destroy(j.p.arena);
    if (j.status) {
        kd_graph_destroy(j.graph);
        return j.status;
    }
    j.graph->archive = *mapping;
    j.graph->has_callers_memory = false;
    j.graph->has_variable_shapes = j.p.symbols.n_entries != 0;
    *mapping = (kd_mapping){0};
    *out_graph = j.graph;
    return KD_OK;
}
