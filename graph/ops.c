/* ops.c - the table of ops, and the arguments of nodes. */
#include "graph/ops.h"

#include "base/number.h"
#include "base/scalar.h"

#include <stdlib.h>

/* The lowering column as initializers of kd_gop. */
#define POINTWISE(in, text) .lowering = KD_LOWER_POINTWISE, .compute = KD_COMPUTE_##in, .expression = text
#define CHOICE(in, which)   .lowering = KD_LOWER_POINTWISE, .compute = KD_COMPUTE_##in, .choose = kd_expression_##which
#define PIECES(which)       .lowering = KD_LOWER_POINTWISE, .piece = kd_piece_##which
#define PICKED(which)       .lowering = KD_LOWER_POINTWISE, .pick = kd_pick_##which
#define REDUCTION(how)      .lowering = KD_LOWER_REDUCTION, .combine = KD_COMBINE_##how
#define SCAN(how)           .lowering = KD_LOWER_SCAN, .combine = KD_COMBINE_##how
#define VIEW(map)           .lowering = KD_LOWER_VIEW, .view = kd_view_##map
#define COMPOSITE(which)    .lowering = KD_LOWER_COMPOSITE, .decompose = kd_decompose_##which
#define EXPANDED(which)     .lowering = KD_LOWER_EXPANDED, .decompose = kd_expand_##which
#define FORMULA(text)       .lowering = KD_LOWER_EXPANDED, .decompose = kd_expand_formula, .expression = text
#define PRIMITIVE           .lowering = KD_LOWER_PRIMITIVE
#define KERNEL              .lowering = KD_LOWER_KERNEL

const kd_gop kd_gops[KD_N_GOPS] = {
#define KD_GOP(id, name_text, params_text, rule, ...) \
    [KD_GOP_##id] = {                                 \
        .code = KD_GOP_##id, .short_name = #id, .name = name_text, .params = params_text, .infer = kd_infer_##rule, __VA_ARGS__},
#include "graph/ops.def"
};

const kd_gop *kd_gop_find(kd_str name)
{
    for (unsigned i = 0; i < KD_N_GOPS; i++)
        if (kd_str_is(name, kd_gops[i].name))
            return &kd_gops[i];
    return NULL;
}

const char *kd_graph_op_name(unsigned index)
{
    return index < KD_N_GOPS ? kd_gops[index].name : NULL;
}

/* ---- parameters ---- */

static kd_param_kind kind_of(kd_str type)
{
    static const struct {
        const char *prefix;
        kd_param_kind kind;
    } KINDS[] = {{"Tensor[", KD_PARAM_TENSORS}, {"Tensor?[", KD_PARAM_TENSORS}, {"Tensor", KD_PARAM_TENSOR},
                 {"int[", KD_PARAM_INTS},       {"SymInt[", KD_PARAM_INTS},     {"int", KD_PARAM_INT},
                 {"SymInt", KD_PARAM_INT},      {"bool", KD_PARAM_BOOL},        {"float[", KD_PARAM_NUMBERS},
                 {"float", KD_PARAM_NUMBER},    {"Scalar?", KD_PARAM_NUMBER}};
    if (kd_str_is(type, "Scalar"))
        return KD_PARAM_NUMBER;
    for (unsigned i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (kd_str_starts_with(type, KINDS[i].prefix))
            return KINDS[i].kind;
    return KD_PARAM_TEXT;
}

static kd_str trim(kd_str s)
{
    while (s.len && *s.ptr == ' ')
        s.ptr++, s.len--;
    return s;
}

unsigned kd_gop_params(const kd_gop *op, kd_gparam out_params[KD_GOP_MAX_PARAMS])
{
    unsigned n = 0;
    for (const char *at = op->params; *at && n < KD_GOP_MAX_PARAMS;) {
        const char *end = strchr(at, ',');
        while (end && strchr("-0123456789", end[1]) && end[1]) /* inside a default's list */
            end = strchr(end + 1, ',');
        kd_str part = trim((kd_str){at, end ? (size_t)(end - at) : strlen(at)});
        at = end ? end + 1 : part.ptr + part.len;
        if (kd_str_is(part, "*"))
            continue;
        const char *space = memchr(part.ptr, ' ', part.len);
        kd_gparam *p = &out_params[n++];
        p->type_text = (kd_str){part.ptr, (size_t)(space - part.ptr)};
        p->name = (kd_str){space + 1, part.len - p->type_text.len - 1};
        p->default_text = (kd_str){0};
        const char *equals = memchr(p->name.ptr, '=', p->name.len);
        if (equals) {
            p->default_text = (kd_str){equals + 1, (size_t)(p->name.ptr + p->name.len - equals) - 1};
            p->name.len = (size_t)(equals - p->name.ptr);
        }
        p->optional = p->type_text.ptr[p->type_text.len - 1] == '?';
        p->kind = kind_of(p->type_text);
    }
    return n;
}

/* Numbers beyond 2^53 and those that JSON has no words for come as text. */
bool kd_garg_parse_number(kd_str text, kd_garg *out)
{
    double f;
    char *end;
    char digits[32];
    if (!kd_double_parse(text, &f))
        return false;
    *out = kd_garg_float(f);
    if (text.len < sizeof digits && !memchr(text.ptr, '.', text.len) && !memchr(text.ptr, 'n', text.len)) {
        memcpy(digits, text.ptr, text.len);
        digits[text.len] = 0;
        long long i = strtoll(digits, &end, 10);
        if (!*end)
            *out = kd_garg_int(i);
    }
    return true;
}

kd_garg kd_gparam_default(kd_arena *arena, const kd_gparam *param)
{
    kd_str text = param->default_text;
    kd_garg arg = {0};
    if (!text.ptr || kd_str_is(text, "None"))
        return arg;
    if (kd_str_is(text, "False") || kd_str_is(text, "True")) {
        arg.kind = KD_GARG_BOOL;
        arg.i = kd_str_is(text, "True");
    } else if (text.ptr[0] == '\'') {
        arg.kind = KD_GARG_TEXT;
        arg.text = kd_arena_strndup(arena, text.ptr + 1, text.len - 2);
    } else if (text.ptr[0] == '[') {
        arg.kind = KD_GARG_LIST;
    } else {
        kd_garg_parse_number(text, &arg);
    }
    return arg;
}

/* ---- arguments ---- */

/* None, where the op has no such parameter. */
static const kd_garg *arg_of(const kd_gnode *node, unsigned i)
{
    static const kd_garg NONE = {0};
    return i < node->n_args ? &node->args[i] : &NONE;
}

kd_gvalue *kd_gnode_tensor(const kd_gnode *node, unsigned i)
{
    return arg_of(node, i)->kind == KD_GARG_VALUE ? arg_of(node, i)->value : NULL;
}

int64_t kd_gnode_int(const kd_gnode *node, unsigned i, int64_t otherwise)
{
    return arg_of(node, i)->kind == KD_GARG_INT ? arg_of(node, i)->i : otherwise;
}

double kd_gnode_number(const kd_gnode *node, unsigned i, double otherwise)
{
    const kd_garg *arg = arg_of(node, i);
    return arg->kind == KD_GARG_FLOAT ? arg->f : arg->kind == KD_GARG_INT || arg->kind == KD_GARG_BOOL ? (double)arg->i : otherwise;
}

bool kd_gnode_bool(const kd_gnode *node, unsigned i)
{
    return arg_of(node, i)->kind == KD_GARG_BOOL && arg_of(node, i)->i;
}

unsigned kd_gnode_ints(const kd_gnode *node, unsigned i, int64_t *out, unsigned capacity)
{
    const kd_garg *arg = arg_of(node, i);
    if (arg->kind == KD_GARG_INT && capacity) {
        out[0] = arg->i;
        return 1;
    }
    unsigned n = arg->kind == KD_GARG_LIST ? arg->list.n : 0;
    n = n < capacity ? n : capacity;
    for (unsigned k = 0; k < n; k++)
        out[k] = arg->list.items[k].kind == KD_GARG_INT ? arg->list.items[k].i : 0;
    return n;
}

bool kd_gnode_spatial(const kd_gnode *node, unsigned i, unsigned n, int64_t *out)
{
    int64_t given[KD_TENSOR_MAX_DIMS];
    unsigned n_given = kd_gnode_ints(node, i, given, KD_TENSOR_MAX_DIMS);
    if (n_given != n && n_given != 1)
        return false;
    for (unsigned d = 0; d < n; d++)
        out[d] = given[n_given == 1 ? 0 : d];
    return true;
}

const kd_gvalue *kd_gvalue_behind_views(const kd_gvalue *value)
{
    while (value->def && value->def->op->lowering == KD_LOWER_VIEW)
        value = kd_gnode_tensor(value->def, 0);
    return value;
}

int kd_gnode_dim(int64_t dim, unsigned n_dims)
{
    int64_t n = n_dims ? n_dims : 1; /* a single element has a dimension for this purpose */
    return dim < -n || dim >= n ? -1 : (int)(dim < 0 ? dim + n : dim);
}

unsigned kd_gnode_dims_mask(const kd_gnode *node, unsigned i, unsigned n_dims, bool *out_bad)
{
    int64_t dims[KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, i, dims, KD_TENSOR_MAX_DIMS), mask = 0;
    *out_bad = false;
    if (!n)
        return (1u << n_dims) - 1;
    for (unsigned k = 0; k < n; k++) {
        int dim = kd_gnode_dim(dims[k], n_dims);
        *out_bad |= dim < 0 || mask >> dim & 1;
        mask |= dim < 0 ? 0 : 1u << dim;
    }
    return n_dims ? mask : 0;
}

bool kd_gnode_scalar_type(const kd_gnode *node, unsigned i, kd_scalar *out)
{
    return arg_of(node, i)->kind == KD_GARG_TEXT && kd_scalar_parse(kd_str_of(arg_of(node, i)->text), out);
}

/* ---- PyTorch's type promotion ---- */

/* Tensors with dimensions decide the type; tensors without, and then numbers, only raise the category: bool, int, float. */
typedef struct promotion {
    kd_scalar types[3]; /* by rank: numbers, tensors without dimensions, tensors with */
    bool has[3];
} promotion;

static int category(kd_scalar s)
{
    return s == KD_I1 ? 0 : kd_scalar_is_float(s) ? 2 : 1;
}

static kd_scalar join(kd_scalar a, kd_scalar b)
{
    if (a == b)
        return a;
    if ((a == KD_F16 && b == KD_BF16) || (a == KD_BF16 && b == KD_F16))
        return KD_F32;
    if (category(a) != category(b))
        return category(a) > category(b) ? a : b;
    if (category(a) == 1 && kd_scalar_is_unsigned(a) != kd_scalar_is_unsigned(b)) { /* u8 with i8 is i16 */
        kd_scalar s = kd_scalar_is_unsigned(a) ? b : a, u = kd_scalar_is_unsigned(a) ? a : b;
        return kd_scalar_bytes(s) > kd_scalar_bytes(u) ? s : u == KD_U8 ? KD_I16 : u == KD_U16 ? KD_I32 : KD_I64;
    }
    return kd_scalar_bytes(a) > kd_scalar_bytes(b) ? a : b;
}

static void promote_with(promotion *p, unsigned rank, kd_scalar type)
{
    p->types[rank] = p->has[rank] ? join(p->types[rank], type) : type;
    p->has[rank] = true;
}

static void promote_with_arg(promotion *p, const kd_garg *arg)
{
    if (arg->kind == KD_GARG_VALUE)
        promote_with(p, arg->value->type.n_dims ? 2 : 1, arg->value->type.type);
    else if (arg->kind == KD_GARG_FLOAT)
        promote_with(p, 0, KD_F32);
    else if (arg->kind == KD_GARG_INT)
        promote_with(p, 0, KD_I64);
    else if (arg->kind == KD_GARG_BOOL)
        promote_with(p, 0, KD_I1);
}

/* What has a default, as alpha of a sum, is a setting: a whole number there changes no type. */
static bool takes_part(const kd_gparam *param, const kd_garg *arg)
{
    bool is_setting = param->default_text.ptr && !param->optional;
    return param->kind == KD_PARAM_TENSOR || (param->kind == KD_PARAM_NUMBER && (!is_setting || arg->kind == KD_GARG_FLOAT));
}

kd_scalar kd_gnode_promote(const kd_gnode *node)
{
    promotion p = {0};
    kd_gparam params[KD_GOP_MAX_PARAMS];
    unsigned n = kd_gop_params(node->op, params);
    for (unsigned i = 0; i < n && i < node->n_args; i++) {
        const kd_garg *arg = &node->args[i];
        if (takes_part(&params[i], arg))
            promote_with_arg(&p, arg);
        for (unsigned k = 0; params[i].kind == KD_PARAM_TENSORS && k < arg->list.n; k++)
            promote_with_arg(&p, &arg->list.items[k]);
    }
    int strongest = p.has[2] ? 2 : p.has[1] ? 1 : 0;
    kd_scalar type = p.types[strongest];
    for (int rank = strongest - 1; rank >= 0; rank--)
        if (p.has[rank] && category(p.types[rank]) > category(type))
            type = p.types[rank];
    return type;
}

void kd_gnode_each_tensor(const kd_gnode *node, void (*fn)(void *user, kd_gvalue *value), void *user)
{
    for (unsigned a = 0; a < node->n_args; a++) {
        const kd_garg *arg = &node->args[a];
        if (arg->kind == KD_GARG_VALUE)
            fn(user, arg->value);
        for (unsigned i = 0; arg->kind == KD_GARG_LIST && i < arg->list.n; i++)
            if (arg->list.items[i].kind == KD_GARG_VALUE)
                fn(user, arg->list.items[i].value);
    }
}

/* ---- expressions that depend on arguments ---- */

/* Truth values: either. */
const char *kd_expression_add(const kd_gnode *node)
{
    return node->results[0]->type.type == KD_I1 ? "{0} | {1}" : "{0} + {*2}{1}";
}

const char *kd_expression_pow(const kd_gnode *node)
{
    double exponent = kd_gnode_number(node, 1, 0);
    return exponent == 2      ? "{0} * {0}"
           : exponent == 3    ? "{0} * {0} * {0}"
           : exponent == 1    ? "{0}"
           : exponent == 0.5  ? "tl.sqrt({0})"
           : exponent == -0.5 ? "tl.rsqrt({0})"
           : exponent == -1   ? "1.0 / {0}"
                              : "libdevice.pow({0}, {1})";
}

/* First not below the least, then not above the most, should they cross. */
const char *kd_expression_clamp(const kd_gnode *node)
{
    if (!kd_gnode_has(node, 1))
        return !kd_gnode_has(node, 2) ? "{0}" : "tl.minimum({0}, {2}, propagate_nan=tl.PropagateNan.ALL)";
    if (!kd_gnode_has(node, 2))
        return "tl.maximum({0}, {1}, propagate_nan=tl.PropagateNan.ALL)";
    return "tl.minimum(tl.maximum({0}, {1}, propagate_nan=tl.PropagateNan.ALL), {2}, propagate_nan=tl.PropagateNan.ALL)";
}

const char *kd_expression_arange(const kd_gnode *node)
{
    bool from_0 = kd_gnode_number(node, 0, 0) == 0, by_1 = kd_gnode_number(node, 2, 1) == 1;
    if (from_0)
        return by_1 ? "{at}" : "{at} * {2}";
    return by_1 ? "{0} + {at}" : "{0} + {at} * {2}";
}

const char *kd_expression_gelu(const kd_gnode *node)
{
    if (node->args[1].kind == KD_GARG_TEXT && strcmp(node->args[1].text, "tanh") == 0)
        return "0.5 * {0} * (1.0 + libdevice.tanh(0.7978845608028654 * ({0} + 0.044715 * {0} * {0} * {0})))";
    return "0.5 * {0} * (1.0 + tl.erf({0} * 0.7071067811865476))";
}

static bool computes_in_floats(const kd_gnode *node)
{
    return kd_scalar_is_float(node->results[0]->type.type);
}

/* The floor of the quotient before it is rounded: 1 // 0.1 is 9, for 0.1 is a little more in floating point. */
#define FLOORED \
    "tl.where({1} == 0.0, {0} / {1}, libdevice.rint(({0} - libdevice.fmod({0}, {1})) / {1}) - " \
    "tl.where((libdevice.fmod({0}, {1}) != 0.0) & (({0} < 0.0) != ({1} < 0.0)), 1.0, 0.0))"

const char *kd_expression_div_mode(const kd_gnode *node)
{
    bool has_mode = kd_gnode_has(node, 2), truncates = has_mode && strcmp(node->args[2].text, "trunc") == 0;
    if (!has_mode && node->op->code != KD_GOP_floor_divide)
        return "{0} / {1}";
    if (computes_in_floats(node))
        return truncates ? "libdevice.trunc({0} / {1})" : FLOORED;
    return truncates ? "{0} // {1}" : "tl.where(({0} % {1} != 0) & (({0} < 0) != ({1} < 0)), {0} // {1} - 1, {0} // {1})";
}

/* Of floats the sign of a zero counts too. */
const char *kd_expression_signbit(const kd_gnode *node)
{
    bool is_float = kd_scalar_is_float(kd_gnode_tensor(node, 0)->type.type);
    return is_float ? "({0} < 0) | (1.0 / {0} < 0)" : "{0} < 0";
}

const char *kd_expression_isclose(const kd_gnode *node)
{
    bool are_floats = kd_scalar_is_float(kd_gnode_promote(node));
    if (!are_floats)
        return "({0} == {1}) | (tl.abs({0} - {1}).to(tl.float64) <= {3} + {2} * tl.abs({1}).to(tl.float64))";
    return kd_gnode_bool(node, 4)
               ? "({0} == {1}) | (({0} != {0}) & ({1} != {1})) | ((tl.abs({0} - {1}) <= {3} + {2} * tl.abs({1})) & (tl.abs({1}) < "
                 "float('inf')))"
               : "({0} == {1}) | ((tl.abs({0} - {1}) <= {3} + {2} * tl.abs({1})) & (tl.abs({1}) < float('inf')))";
}

/* A parabola up to beta, then a line. */
const char *kd_expression_smooth_distance(const kd_gnode *node)
{
    return kd_gnode_number(node, 2, 1) == 0
               ? "tl.abs({0} - {1})"
               : "tl.where(tl.abs({0} - {1}) < {2}, 0.5 * ({0} - {1}) * ({0} - {1}) / {2}, tl.abs({0} - {1}) - 0.5 * {2})";
}

/* The sign of the divisor. */
const char *kd_expression_remainder(const kd_gnode *node)
{
    if (computes_in_floats(node))
        return "tl.where((libdevice.fmod({0}, {1}) != 0.0) & (({0} < 0.0) != ({1} < 0.0)), libdevice.fmod({0}, {1}) + {1}, "
               "libdevice.fmod({0}, {1}))";
    return "tl.where(({0} % {1} != 0) & (({0} < 0) != ({1} < 0)), {0} % {1} + {1}, {0} % {1})";
}

/* The sign of the dividend. */
const char *kd_expression_fmod(const kd_gnode *node)
{
    return computes_in_floats(node) ? "libdevice.fmod({0}, {1})" : "{0} % {1}";
}

const char *kd_expression_round(const kd_gnode *node)
{
    if (!computes_in_floats(node))
        return "{0}";
    switch (node->op->code) {
    case KD_GOP_floor: return "tl.floor({0})";
    case KD_GOP_ceil: return "tl.ceil({0})";
    case KD_GOP_trunc: return "libdevice.trunc({0})";
    default: return "libdevice.rint({0})";
    }
}

/* A shift by more than the type has bits, or by less than none, moves all of them out. */
const char *kd_expression_shift(const kd_gnode *node)
{
    static const char *const LEFT[] = {
        "tl.where(({1} >= 0) & ({1} < 8), {0} << {1}, 0)", "tl.where(({1} >= 0) & ({1} < 16), {0} << {1}, 0)",
        "tl.where(({1} >= 0) & ({1} < 32), {0} << {1}, 0)", "tl.where(({1} >= 0) & ({1} < 64), {0} << {1}, 0)"};
    static const char *const RIGHT[] = {
        "{0} >> tl.where(({1} >= 0) & ({1} < 7), {1}, 7)", "{0} >> tl.where(({1} >= 0) & ({1} < 15), {1}, 15)",
        "{0} >> tl.where(({1} >= 0) & ({1} < 31), {1}, 31)", "{0} >> tl.where(({1} >= 0) & ({1} < 63), {1}, 63)"};
    kd_scalar type = node->results[0]->type.type;
    unsigned bits = 8 * kd_scalar_bytes(type), width = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
    bool is_left = strstr(node->op->name, "left") || strstr(node->op->name, "lshift");
    if (kd_gnode_tensor(node, 1))
        return is_left                       ? LEFT[width]
               : kd_scalar_is_unsigned(type) ? "tl.where(({1} >= 0) & ({1} < 8), {0} >> {1}, 0)"
                                             : RIGHT[width];
    double by = kd_gnode_number(node, 1, 0);
    if (by >= 0 && by < bits)
        return is_left ? "{0} << {1}" : "{0} >> {1}";
    return is_left || kd_scalar_is_unsigned(type) ? "{0} * 0" : "tl.where({0} < 0, -1, 0).to({type})";
}

/* The bits of a number, of a negative one with those behind the sign turned around. Both zeros are 0. */
const char *kd_expression_order(const kd_gnode *node)
{
    if (node->results[0]->type.type == KD_I64)
        return "tl.where({0} != {0}, 9223372036854775807, tl.where({0} == 0.0, 0, tl.where({0} < 0.0, "
               "{0}.to(tl.int64, bitcast=True) ^ 9223372036854775807, {0}.to(tl.int64, bitcast=True))))";
    return "tl.where({0} != {0}, 2147483647, tl.where({0} == 0.0, 0, tl.where({0} < 0.0, {0}.to(tl.int32, bitcast=True) ^ "
           "2147483647, "
           "{0}.to(tl.int32, bitcast=True))))";
}
