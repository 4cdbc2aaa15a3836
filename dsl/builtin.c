/* builtin.c - the table of builtins: finding names in it, binding arguments to a row's parameters, calling. */
#include "base/nearest.h"
#include "dsl/builtin_impl.h"

#include <math.h>

#define KD_BUILTIN(space, name, params, handler, data, summary) {KD_ROW_FUNCTION, space, name, params, kd_b_##handler, data, 0, NULL, summary},
#define KD_PROPERTY(space, name, handler, data, summary)        {KD_ROW_PROPERTY, space, name, "self", kd_b_##handler, data, 0, NULL, summary},
#define KD_STD(space, name, module, summary)                    {KD_ROW_STD, space, name, NULL, NULL, 0, 0, module, summary},
#define KD_NAMESPACE(space, name, target)                       {KD_ROW_NAMESPACE, space, name, NULL, NULL, 0, 0, target, "a namespace"},
#define KD_INT(space, name, value, summary)                     {KD_ROW_INT, space, name, NULL, NULL, 0, value, NULL, summary},
#define KD_FLOAT(space, name, value, summary)                   {KD_ROW_FLOAT, space, name, NULL, NULL, 0, value, NULL, summary},
#define KD_DTYPE(space, name, scalar, summary)                  {KD_ROW_TYPE, space, name, NULL, NULL, scalar, 0, NULL, summary},
const kd_builtin kd_builtins[] = {
#include "dsl/builtins.def"
};
const unsigned kd_n_builtins = sizeof kd_builtins / sizeof kd_builtins[0];

/* Where else a namespace's names are found: Triton offers most functions under several. */
static const struct {
    const char *space, *next;
} CHAIN[] = {
    {"tl.math", "tl"}, {"tl.core", "tl"}, {"tl.standard", "tl"}, {"tl.random", "tl"}, {"tl.extra.any", "tl.extra"}, {"tensor", "tensor.math"},
};

static const char *next_space(const char *space)
{
    for (unsigned i = 0; i < sizeof CHAIN / sizeof CHAIN[0]; i++)
        if (strcmp(CHAIN[i].space, space) == 0)
            return CHAIN[i].next;
    return NULL;
}

static const kd_builtin *find_in(const char *space, kd_str name)
{
    for (unsigned i = 0; i < kd_n_builtins; i++) {
        const kd_builtin *row = &kd_builtins[i];
        if (name.len && row->name[0] == name.ptr[0] && kd_str_is(name, row->name) && strcmp(row->space, space) == 0)
            return row;
    }
    return NULL;
}

static const kd_builtin *find(const char *space, kd_str name)
{
    const kd_builtin *row = NULL;
    for (const char *at = space; at && !row; at = next_space(at))
        row = find_in(at, name);
    if (!row && strcmp(space, "tl.math") == 0) /* older versions of Triton had all of libdevice there */
        row = find_in("libdevice", name);
    return row;
}

/* The name of similar spelling in a namespace, or NULL. */
static const char *nearest_in(const char *space, kd_str name)
{
    kd_nearest nearest = kd_nearest_to(name);
    for (const char *at = space; at; at = next_space(at))
        for (unsigned i = 0; i < kd_n_builtins; i++)
            if (strcmp(kd_builtins[i].space, at) == 0)
                kd_nearest_try(&nearest, kd_str_of(kd_builtins[i].name));
    return nearest.best.ptr;
}

/* ---- namespaces ---- */

const char *kd_builtin_namespace(kd_str module)
{
    static const char *const MODULES[][2] = {
        {"triton", "triton"},
        {"triton.language", "tl"},
        {"triton.language.core", "tl"},
        {"triton.language.standard", "tl"},
        {"triton.language.random", "tl"},
        {"triton.language.semantic", "tl"},
        {"triton.language.math", "tl.math"},
        {"triton.language.libdevice", "libdevice"},
        {"triton.language.extra", "tl.extra"},
        {"triton.language.extra.libdevice", "libdevice"},
        {"triton.language.target_info", "tl.target_info"},
        {"triton.runtime.jit", "triton"},
        {"math", "math"},
        {"numpy", "numpy"},
        {"torch", "torch"},
        {"builtins", "python"},
        {"flag_gems.utils.tl_extra_shim", "libdevice"},
    };
    for (unsigned i = 0; i < sizeof MODULES / sizeof MODULES[0]; i++)
        if (kd_str_is(module, MODULES[i][0]))
            return MODULES[i][1];
    /* triton.language.extra.VENDOR and .VENDOR.libdevice */
    static const char EXTRA[] = "triton.language.extra.";
    if (!kd_str_starts_with(module, EXTRA))
        return NULL;
    kd_str rest = {module.ptr + sizeof EXTRA - 1, module.len - (sizeof EXTRA - 1)};
    const char *dot = memchr(rest.ptr, '.', rest.len);
    if (!dot)
        return "tl.extra.any";
    kd_str tail = {dot + 1, rest.len - (size_t)(dot + 1 - rest.ptr)};
    return kd_str_is(tail, "libdevice") || kd_str_is(tail, "math") ? "libdevice" : "tl.extra.other";
}

static kd_dval row_value(kd_lower *lw, const kd_builtin *row)
{
    switch (row->kind) {
    case KD_ROW_STD: return kd_std_value(lw, row->target, row->name);
    case KD_ROW_NAMESPACE: return (kd_dval){.kind = KD_D_MODULE, .mod = {.namespace_ = row->target}};
    case KD_ROW_INT: return kd_d_int((__int128)row->number);
    case KD_ROW_FLOAT: return kd_d_float(row->number);
    case KD_ROW_TYPE: return kd_d_dtype(kd_type_scalar(lw->ctx, (kd_scalar)row->data));
    case KD_ROW_PROPERTY: return row->handler(lw, &(kd_bcall){.row = row, .name = row->name});
    default: return (kd_dval){.kind = KD_D_BUILTIN, .bound = {.builtin = row}};
    }
}

kd_dval kd_builtin_lookup(kd_lower *lw, const char *space, kd_str name, const char **out_hint)
{
    const kd_builtin *row = find(space, name);
    if (!row && kd_str_starts_with(kd_str_of(space), "tl.extra.")) /* whatever a vendor's module has beside libdevice */
        row = find_in(space, kd_str_of("*"));
    *out_hint = row ? NULL : nearest_in(space, name);
    return row ? row_value(lw, row) : KD_D_ERR;
}

kd_dval kd_builtin_python_name(kd_lower *lw, kd_str name)
{
    const kd_builtin *row = find_in("python", name);
    return row ? row_value(lw, row) : KD_D_ERR;
}

static const char *row_name(kd_lower *lw, const kd_builtin *row)
{
    if (strcmp(row->space, "python") == 0)
        return row->name;
    if (strcmp(row->space, "tensor") == 0 || strcmp(row->space, "tensor.math") == 0 || strcmp(row->space, "dtype") == 0 ||
        strcmp(row->space, "desc") == 0)
        return kd_arena_printf(lw->arena, ".%s", row->name);
    return kd_arena_printf(lw->arena, "%s.%s", row->space, row->name);
}

bool kd_builtin_is(kd_dval v, const char *space, const char *name)
{
    return v.kind == KD_D_BUILTIN && strcmp(v.bound.builtin->name, name) == 0 && strcmp(v.bound.builtin->space, space) == 0;
}

/* ---- parameters ---- */

/* One parameter of a row's list: "mask=None", "*", "*values". */
typedef struct param {
    kd_str name, initial; /* initial.ptr NULL: must be given */
    bool is_star;         /* takes the rest; a bare '*' has an empty name */
} param;

static kd_str trimmed(const char *begin, const char *end)
{
    while (begin < end && *begin == ' ')
        begin++;
    while (end > begin && end[-1] == ' ')
        end--;
    return (kd_str){begin, (size_t)(end - begin)};
}

static unsigned parse_params(const char *text, param out[KD_MAX_BUILTIN_PARAMS])
{
    unsigned n = 0;
    while (*text) {
        const char *end = text + strcspn(text, ","), *equals = memchr(text, '=', (size_t)(end - text));
        param *p = &out[n++];
        *p = (param){.name = trimmed(text, equals ? equals : end)};
        if (equals)
            p->initial = trimmed(equals + 1, end);
        if (p->name.len && p->name.ptr[0] == '*') {
            p->is_star = true;
            p->name = (kd_str){p->name.ptr + 1, p->name.len - 1};
        }
        text = *end ? end + 1 : end;
    }
    return n;
}

static kd_dval default_value(kd_str text)
{
    if (kd_str_is(text, "None"))
        return kd_d_none();
    if (kd_str_is(text, "True") || kd_str_is(text, "False"))
        return kd_d_bool(text.ptr[0] == 'T');
    if (text.ptr[0] == '\'')
        return kd_d_string((kd_str){text.ptr + 1, text.len - 2});
    int sign = text.ptr[0] == '-' ? -1 : 1, value = 0;
    for (size_t i = sign < 0; i < text.len; i++)
        value = value * 10 + (text.ptr[i] - '0');
    return kd_d_int(sign * value);
}

kd_str kd_param_name(const kd_bcall *c, unsigned i)
{
    param params[KD_MAX_BUILTIN_PARAMS];
    parse_params(c->row->params, params);
    return params[i].name;
}

/* ---- binding ---- */

static bool report_keyword(kd_lower *lw, kd_bcall *c, const kd_darg *arg, const param *params, unsigned n)
{
    kd_nearest nearest = kd_nearest_to(arg->keyword);
    for (unsigned i = 0; i < n; i++)
        kd_nearest_try(&nearest, params[i].name);
    kd_error(lw->diags, arg->loc, "'%s' has no parameter '%.*s'%s", c->name, KD_STR_ARG(arg->keyword), kd_nearest_hint(lw->arena, &nearest));
    return false;
}

static bool bind_keyword(kd_lower *lw, kd_bcall *c, const kd_darg *arg, const param *params, unsigned n, bool *given)
{
    for (unsigned i = 0; i < n; i++) {
        if (params[i].is_star || !kd_str_equal(params[i].name, arg->keyword))
            continue;
        if (given[i]) {
            kd_error(lw->diags, arg->loc, "'%s' gets '%.*s' twice", c->name, KD_STR_ARG(arg->keyword));
            return false;
        }
        given[i] = true;
        c->arg[i] = arg->value;
        c->at[i] = arg->loc;
        return true;
    }
    return report_keyword(lw, c, arg, params, n);
}

static bool bind(kd_lower *lw, kd_bcall *c, const kd_darg *args, unsigned n_args)
{
    param params[KD_MAX_BUILTIN_PARAMS];
    bool given[KD_MAX_BUILTIN_PARAMS] = {false};
    unsigned n = parse_params(c->row->params, params), next = 0, n_positional = 0;
    while (n_positional < n_args && !args[n_positional].keyword.len)
        n_positional++;
    for (unsigned i = 0; i < n_positional; i++, next++) {
        if (next < n && params[next].is_star && params[next].name.len) {
            c->rest = args + i;
            c->n_rest = n_positional - i;
            break;
        }
        if (next >= n || params[next].is_star) {
            kd_error(lw->diags, args[i].loc, "'%s' takes at most %u argument%s by position, but %u are given", c->name, next, next == 1 ? "" : "s",
                     n_positional);
            return false;
        }
        given[next] = true;
        c->arg[next] = args[i].value;
        c->at[next] = args[i].loc;
    }
    for (unsigned i = n_positional; i < n_args; i++)
        if (!bind_keyword(lw, c, &args[i], params, n, given))
            return false;
    for (unsigned i = 0; i < n; i++) {
        if (given[i] || params[i].is_star)
            continue;
        if (!params[i].initial.ptr) {
            kd_error(lw->diags, c->loc, "'%s' needs '%.*s'", c->name, KD_STR_ARG(params[i].name));
            return false;
        }
        c->arg[i] = default_value(params[i].initial);
        c->at[i] = c->loc;
    }
    return true;
}

/* Errors among the arguments were reported where they arose. */
static bool any_error(kd_lower *lw, const kd_darg *args, unsigned n_args)
{
    for (unsigned i = 0; i < n_args; i++) {
        if (args[i].value.kind == KD_D_ERROR)
            return true;
        if (args[i].value.kind == KD_D_UNKNOWN) {
            kd_error(lw->diags, args[i].loc, "%s", kd_d_describe(lw, args[i].value));
            return true;
        }
    }
    return false;
}

kd_dval kd_builtin_call(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args)
{
    const kd_builtin *row = callee.bound.builtin;
    if (any_error(lw, args, n_args))
        return KD_D_ERR;
    if (callee.bound.self) {
        kd_darg *all = kd_arena_array(lw->arena, kd_darg, n_args + 1);
        all[0] = (kd_darg){.value = *callee.bound.self, .loc = loc};
        if (n_args)
            memcpy(all + 1, args, n_args * sizeof *args);
        args = all;
        n_args++;
    }
    if (row->kind == KD_ROW_STD)
        return kd_call(lw, loc, kd_std_value(lw, row->target, row->name), args, n_args);
    kd_bcall c = {.loc = loc, .row = row, .name = row_name(lw, row)};
    if (row->handler == kd_b_unsupported) /* whatever the arguments are */
        return row->handler(lw, &c);
    if (!bind(lw, &c, args, n_args))
        return KD_D_ERR;
    return row->handler(lw, &c);
}

bool kd_builtin_takes(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args)
{
    const kd_builtin *row = callee.bound.builtin;
    kd_bcall c = {.loc = loc, .row = row, .name = row_name(lw, row)};
    if (row->handler != kd_b_unsupported)
        return bind(lw, &c, args, n_args);
    bool before = kd_diags_set_lenient(lw->diags, true);
    row->handler(lw, &c);
    kd_diags_set_lenient(lw->diags, before);
    return true;
}

/* ---- attributes ---- */

const char *kd_attribute_hint(kd_str name)
{
    static const char *const SPACES[] = {"tensor", "dtype", "block_ptr", "desc", "str", "int", "float"};
    const char *hint = NULL;
    for (unsigned i = 0; i < sizeof SPACES / sizeof SPACES[0]; i++) {
        if (find(SPACES[i], name))
            return NULL;
        const char *near = hint ? NULL : nearest_in(SPACES[i], name);
        if (near && name.len > 3 && kd_str_distance(name, kd_str_of(near), 1) <= 1)
            hint = near;
    }
    return hint;
}

static const char *space_of(kd_dval v)
{
    switch (v.kind) {
    case KD_D_TENSOR: return "tensor";
    case KD_D_DTYPE: return "dtype";
    case KD_D_BLOCK_PTR: return "block_ptr";
    case KD_D_DESC: return "desc";
    case KD_D_STRING: return "str";
    case KD_D_BOOL:
    case KD_D_INT: return "int";
    case KD_D_FLOAT: return "float";
    default: return NULL;
    }
}

static bool is_compile_time(kd_dval v)
{
    return v.kind != KD_D_TENSOR && v.kind != KD_D_BLOCK_PTR && v.kind != KD_D_DESC;
}

static kd_dval row_of_object(kd_lower *lw, kd_loc loc, kd_dval v, const kd_builtin *row)
{
    if (row->kind == KD_ROW_PROPERTY) {
        kd_bcall c = {.loc = loc, .row = row, .name = row_name(lw, row), .arg = {v}, .at = {loc}};
        return row->handler(lw, &c);
    }
    kd_dval *self = kd_arena_new(lw->arena, kd_dval);
    *self = v;
    return (kd_dval){.kind = KD_D_BUILTIN, .bound = {.builtin = row, .self = self}};
}

kd_dval kd_attribute(kd_lower *lw, kd_loc loc, kd_dval v, kd_str name)
{
    if (v.kind == KD_D_ERROR)
        return v;
    if (v.kind == KD_D_UNKNOWN) {
        kd_error(lw->diags, loc, "%s", kd_d_describe(lw, v));
        return KD_D_ERR;
    }
    for (unsigned i = 0; v.kind == KD_D_TUPLE && v.tuple.names && i < v.tuple.n; i++)
        if (kd_str_equal(v.tuple.names[i], name))
            return v.tuple.items[i];
    if (kd_str_is(name, "value") && is_compile_time(v)) /* tl.constexpr's */
        return v;
    const char *space = space_of(v);
    const kd_builtin *row = space ? find(space, name) : NULL;
    if (row)
        return row_of_object(lw, loc, v, row);
    row = kd_d_is_number(v) ? find("tensor", name) : NULL;
    if (row) { /* a literal as the tensor that it may become: 'stride.to(tl.int64)' where stride is 1 */
        v = kd_to_tensor(lw, loc, v);
        return kd_d_is_error(v) ? v : row_of_object(lw, loc, v, row);
    }
    const char *hint = space ? nearest_in(space, name) : NULL;
    if (hint)
        kd_error(lw->diags, loc, "%s has no attribute '%.*s'; did you mean '%s'?", kd_d_describe(lw, v), KD_STR_ARG(name), hint);
    else
        kd_error(lw->diags, loc, "%s has no attribute '%.*s'", kd_d_describe(lw, v), KD_STR_ARG(name));
    return KD_D_ERR;
}
