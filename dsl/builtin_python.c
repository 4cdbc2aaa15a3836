/* builtin_python.c - Python's own functions, as far as kernels use them; math and triton's helpers for compile-time numbers. */
#include "dsl/builtin_impl.h"
#include "dsl/lower_impl.h" /* items of sequences, attributes */

#include <math.h>
#include <stdlib.h>

/* ---- sequences ---- */

kd_dval kd_b_py_len(kd_lower *lw, kd_bcall *c)
{
    kd_dval v = c->arg[0];
    const kd_dval *items;
    unsigned n;
    if (v.kind == KD_D_STRING)
        return kd_d_int((__int128)v.text.len);
    if (v.kind == KD_D_TENSOR && kd_type_is_tile(v.value->type))
        return kd_d_int(v.value->type->shape[0]);
    return kd_static_items(lw, c->at[0], v, &items, &n) ? kd_d_int(n) : KD_D_ERR;
}

kd_dval kd_b_py_tuple(kd_lower *lw, kd_bcall *c)
{
    const kd_dval *items;
    unsigned n;
    if (c->arg[0].kind == KD_D_NONE)
        return kd_d_tuple(lw, NULL, 0);
    return kd_static_items(lw, c->at[0], c->arg[0], &items, &n) ? kd_d_tuple(lw, items, n) : KD_D_ERR;
}

kd_dval kd_b_tuple(kd_lower *lw, kd_bcall *c)
{
    return kd_b_py_tuple(lw, c);
}

kd_dval kd_b_py_zip(kd_lower *lw, kd_bcall *c)
{
    enum { MAX_ZIPPED = 8 };
    const kd_dval *items[MAX_ZIPPED];
    unsigned n[MAX_ZIPPED], shortest = 0;
    if (c->n_rest > MAX_ZIPPED) {
        kd_error(lw->diags, c->loc, "'zip' of more than %d tuples", MAX_ZIPPED);
        return KD_D_ERR;
    }
    for (unsigned i = 0; i < c->n_rest; i++) {
        if (!kd_static_items(lw, c->rest[i].loc, c->rest[i].value, &items[i], &n[i]))
            return KD_D_ERR;
        shortest = i == 0 || n[i] < shortest ? n[i] : shortest;
    }
    kd_dval *rows = kd_arena_array(lw->arena, kd_dval, shortest);
    for (unsigned k = 0; k < shortest; k++) {
        kd_dval row[MAX_ZIPPED];
        for (unsigned i = 0; i < c->n_rest; i++)
            row[i] = items[i][k];
        rows[k] = kd_d_tuple(lw, row, c->n_rest);
    }
    return kd_d_tuple(lw, rows, shortest);
}

kd_dval kd_b_py_enumerate(kd_lower *lw, kd_bcall *c)
{
    const kd_dval *items;
    unsigned n;
    int64_t start;
    if (!kd_static_items(lw, c->at[0], c->arg[0], &items, &n) || !kd_arg_int(lw, c, 1, &start))
        return KD_D_ERR;
    kd_dval *rows = kd_arena_array(lw->arena, kd_dval, n);
    for (unsigned k = 0; k < n; k++)
        rows[k] = kd_d_tuple(lw, (kd_dval[]){kd_d_int(start + k), items[k]}, 2);
    return kd_d_tuple(lw, rows, n);
}

kd_dval kd_b_py_reversed(kd_lower *lw, kd_bcall *c)
{
    const kd_dval *items;
    unsigned n;
    if (!kd_static_items(lw, c->at[0], c->arg[0], &items, &n))
        return KD_D_ERR;
    kd_dval *back = kd_arena_array(lw->arena, kd_dval, n);
    for (unsigned i = 0; i < n; i++)
        back[i] = items[n - 1 - i];
    return kd_d_tuple(lw, back, n);
}

kd_dval kd_b_py_sorted(kd_lower *lw, kd_bcall *c)
{
    const kd_dval *items;
    unsigned n;
    if (!kd_static_items(lw, c->at[0], c->arg[0], &items, &n))
        return KD_D_ERR;
    kd_dval sorted = kd_d_tuple(lw, items, n);
    kd_dval *out = (kd_dval *)sorted.tuple.items;
    for (unsigned i = 1; i < n; i++) {
        kd_dval moving = out[i];
        unsigned at = i;
        for (; at > 0; at--) {
            kd_dval less = kd_const_compare(lw, c->loc, KD_LT, moving, out[at - 1]);
            if (kd_d_is_error(less))
                return less;
            if (!less.integer)
                break;
            out[at] = out[at - 1];
        }
        out[at] = moving;
    }
    return sorted;
}

static kd_dval fold_items(kd_lower *lw, kd_bcall *c, kd_operator op, kd_dval start)
{
    const kd_dval *items;
    unsigned n;
    if (!kd_static_items(lw, c->at[0], c->arg[0], &items, &n))
        return KD_D_ERR;
    for (unsigned i = 0; i < n && !kd_d_is_error(start); i++)
        start = kd_d_binary(lw, c->loc, op, start, items[i]);
    return start;
}

kd_dval kd_b_py_sum(kd_lower *lw, kd_bcall *c)
{
    return fold_items(lw, c, KD_ADD, c->arg[1]);
}

kd_dval kd_b_py_prod(kd_lower *lw, kd_bcall *c)
{
    return fold_items(lw, c, KD_MUL, kd_d_int(1));
}

kd_dval kd_b_py_any(kd_lower *lw, kd_bcall *c)
{
    const kd_dval *items;
    unsigned n;
    bool wanted = !c->row->data, truth;
    if (!kd_static_items(lw, c->at[0], c->arg[0], &items, &n))
        return KD_D_ERR;
    for (unsigned i = 0; i < n; i++) {
        if (!kd_const_truth(lw, c->loc, items[i], &truth))
            return KD_D_ERR;
        if (truth == wanted)
            return kd_d_bool(wanted);
    }
    return kd_d_bool(!wanted);
}

/* min and max: of one tuple, or of several values, tensors among them. args 0 (rest), propagate_nan 1 */
kd_dval kd_b_py_minmax(kd_lower *lw, kd_bcall *c)
{
    const kd_darg *args = c->rest;
    unsigned n = c->n_rest;
    bool propagate;
    if (!kd_arg_bool(lw, c, 1, &propagate))
        return KD_D_ERR;
    if (n == 1 && args[0].value.kind == KD_D_TUPLE) {
        n = args[0].value.tuple.n;
        kd_darg *spread = kd_arena_array(lw->arena, kd_darg, n);
        for (unsigned i = 0; i < n; i++)
            spread[i] = (kd_darg){.value = args[0].value.tuple.items[i], .loc = args[0].loc};
        args = spread;
    }
    if (n == 0) {
        kd_error(lw->diags, c->loc, "'%s' of nothing", c->name);
        return KD_D_ERR;
    }
    kd_dval best = args[0].value;
    for (unsigned i = 1; i < n; i++) {
        kd_dval next = args[i].value;
        if (best.kind == KD_D_TENSOR || next.kind == KD_D_TENSOR) {
            if (!kd_promote_pair(lw, c->loc, c->name, &best, &next))
                return KD_D_ERR;
            bool nan = propagate && kd_type_is_float_like(best.value->type);
            if (c->row->data)
                best = kd_d_tensor(KD_BUILD(max, .loc = c->loc, .a = best.value, .b = next.value, .propagate_nan = nan));
            else
                best = kd_d_tensor(KD_BUILD(min, .loc = c->loc, .a = best.value, .b = next.value, .propagate_nan = nan));
            continue;
        }
        kd_dval better = kd_const_compare(lw, c->loc, c->row->data ? KD_GT : KD_LT, next, best);
        if (kd_d_is_error(better))
            return better;
        best = better.integer ? next : best;
    }
    return best;
}

/* ---- numbers ---- */

static kd_dval text_to_number(kd_lower *lw, kd_bcall *c, kd_str text, bool is_float)
{
    char *copy = kd_arena_strndup(lw->arena, text.ptr, text.len), *end;
    double value = strtod(copy, &end);
    if (text.len == 0 || *end || end == copy || (!is_float && (value != floor(value) || fabs(value) >= 0x1p63))) {
        kd_error(lw->diags, c->at[0], "'%s' cannot read %s", c->name, kd_d_describe(lw, c->arg[0]));
        return KD_D_ERR;
    }
    return is_float ? kd_d_float(value) : kd_d_int(strtoll(copy, NULL, 10));
}

/* int 0, float 1, bool 2. Of a tensor: a cast of a scalar is not Python's, so it is refused with what to write. */
kd_dval kd_b_py_number(kd_lower *lw, kd_bcall *c)
{
    kd_dval v = c->arg[0];
    int kind = c->row->data;
    bool truth;
    if (v.kind == KD_D_TENSOR) {
        kd_error(lw->diags, c->at[0], "'%s' works at compile time: cast a tensor with .to(%s)", c->name,
                 kind == 0 ? "tl.int32" : kind == 1 ? "tl.float32" : "tl.int1");
        return KD_D_ERR;
    }
    if (kind == 2)
        return kd_const_truth(lw, c->at[0], v, &truth) ? kd_d_bool(truth) : KD_D_ERR;
    if (v.kind == KD_D_STRING)
        return text_to_number(lw, c, v.text, kind == 1);
    if (!kd_d_is_number(v)) {
        kd_arg_bad(lw, c, 0, "a number");
        return KD_D_ERR;
    }
    if (kind == 1)
        return v.kind == KD_D_FLOAT ? v : kd_d_float((double)v.integer);
    if (v.kind == KD_D_FLOAT && !(fabs(v.real) < 0x1p126)) {
        kd_error(lw->diags, c->at[0], "%s has no integer value", kd_d_describe(lw, v));
        return KD_D_ERR;
    }
    return kd_d_int(v.kind == KD_D_FLOAT ? (__int128)v.real : v.integer);
}

kd_dval kd_b_py_str(kd_lower *lw, kd_bcall *c)
{
    return kd_d_string(kd_str_of(c->row->data ? kd_d_repr(lw, c->arg[0]) : kd_d_str(lw, c->arg[0])));
}

kd_dval kd_b_py_divmod(kd_lower *lw, kd_bcall *c)
{
    kd_dval parts[2] = {kd_d_binary(lw, c->loc, KD_FLOORDIV, c->arg[0], c->arg[1]), KD_D_ERR};
    if (!kd_d_is_error(parts[0]))
        parts[1] = kd_d_binary(lw, c->loc, KD_MOD, c->arg[0], c->arg[1]);
    return kd_d_is_error(parts[1]) ? KD_D_ERR : kd_d_tuple(lw, parts, 2);
}

kd_dval kd_b_py_round(kd_lower *lw, kd_bcall *c)
{
    int64_t digits = 0;
    kd_dval v = c->arg[0];
    if (kd_arg_given(c, 1) && !kd_arg_int(lw, c, 1, &digits))
        return KD_D_ERR;
    if (kd_d_is_int(v) && digits >= 0)
        return kd_d_int(v.integer);
    if (v.kind != KD_D_FLOAT || digits < 0 || digits > 17 || (!kd_arg_given(c, 1) && !(fabs(v.real) < 0x1p126))) {
        kd_arg_bad(lw, c, 0, "a compile-time number");
        return KD_D_ERR;
    }
    if (!kd_arg_given(c, 1))
        return kd_d_int((__int128)rint(v.real));
    char text[400];
    snprintf(text, sizeof text, "%.*f", (int)digits, v.real);
    return kd_d_float(strtod(text, NULL));
}

kd_dval kd_b_bit_length(kd_lower *lw, kd_bcall *c)
{
    __int128 v = c->arg[0].integer;
    unsigned __int128 magnitude = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
    int n = 0;
    for (; magnitude; magnitude >>= 1)
        n++;
    return kd_d_int(n);
}

kd_dval kd_b_next_power_of_2(kd_lower *lw, kd_bcall *c)
{
    int64_t n, power = 1;
    if (!kd_arg_int(lw, c, 0, &n))
        return KD_D_ERR;
    if (n > (INT64_C(1) << 62)) {
        kd_arg_bad(lw, c, 0, "below 2**62");
        return KD_D_ERR;
    }
    while (power < n)
        power *= 2;
    return kd_d_int(n <= 0 ? 0 : power);
}

/* ---- math ---- */

static bool number_arg(kd_lower *lw, kd_bcall *c, unsigned i, double *out)
{
    if (c->arg[i].kind == KD_D_TENSOR) {
        kd_error(lw->diags, c->at[i], "'%s' is Python's and works at compile time: use tl.math or libdevice for tensors", c->name);
        return false;
    }
    if (!kd_d_is_number(c->arg[i])) {
        kd_arg_bad(lw, c, i, "a compile-time number");
        return false;
    }
    *out = c->arg[i].kind == KD_D_FLOAT ? c->arg[i].real : (double)c->arg[i].integer;
    return true;
}

static double apply_math(int fn, double x)
{
    switch (fn) {
#define FN(name) \
    case KD_PY_##name: return name(x);
        FN(sqrt) FN(exp) FN(exp2) FN(log) FN(log2) FN(log10) FN(log1p) FN(expm1) FN(sin) FN(cos) FN(tan) FN(asin) FN(acos) FN(atan)
        FN(sinh) FN(cosh) FN(tanh) FN(floor) FN(ceil) FN(trunc) FN(fabs) FN(erf)
#undef FN
    case KD_PY_isnan: return isnan(x);
    case KD_PY_isinf: return isinf(x) != 0;
    default: return isfinite(x);
    }
}

kd_dval kd_b_py_math(kd_lower *lw, kd_bcall *c)
{
    double x;
    int fn = c->row->data;
    if (!number_arg(lw, c, 0, &x))
        return KD_D_ERR;
    double result = apply_math(fn, x);
    bool is_test = fn == KD_PY_isnan || fn == KD_PY_isinf || fn == KD_PY_isfinite;
    if (is_test)
        return kd_d_bool(result != 0);
    if ((isnan(result) && !isnan(x)) || (isinf(result) && isfinite(x))) {
        kd_error(lw->diags, c->at[0], "'%s' is not defined for %s", c->name, kd_d_describe(lw, c->arg[0]));
        return KD_D_ERR;
    }
    if ((fn == KD_PY_floor || fn == KD_PY_ceil || fn == KD_PY_trunc) && fabs(result) < 0x1p126)
        return kd_d_int(kd_d_is_int(c->arg[0]) ? c->arg[0].integer : (__int128)result);
    return kd_d_float(result);
}

kd_dval kd_b_py_math2(kd_lower *lw, kd_bcall *c)
{
    double x, y;
    if (!number_arg(lw, c, 0, &x) || !number_arg(lw, c, 1, &y))
        return KD_D_ERR;
    switch (c->row->data) {
    case 0: return kd_const_binary(lw, c->loc, KD_POW, kd_d_float(x), kd_d_float(y));
    case 1: return kd_d_float(atan2(x, y));
    case 2: return kd_d_float(fmod(x, y));
    default: return kd_d_float(copysign(x, y));
    }
}

kd_dval kd_b_py_gcd(kd_lower *lw, kd_bcall *c)
{
    int64_t a, b;
    if (!kd_arg_int(lw, c, 0, &a) || !kd_arg_int(lw, c, 1, &b))
        return KD_D_ERR;
    __int128 x = a < 0 ? -(__int128)a : a, y = b < 0 ? -(__int128)b : b;
    while (y) {
        __int128 rest = x % y;
        x = y;
        y = rest;
    }
    return kd_d_int(x);
}

/* ---- strings ---- */

kd_dval kd_b_string_test(kd_lower *lw, kd_bcall *c)
{
    kd_str text = c->arg[0].text, part;
    if (!kd_arg_text(lw, c, 1, &part))
        return KD_D_ERR;
    if (part.len > text.len)
        return kd_d_bool(false);
    kd_str end = {text.ptr + (c->row->data ? text.len - part.len : 0), part.len};
    return kd_d_bool(kd_str_equal(end, part));
}

kd_dval kd_b_string_case(kd_lower *lw, kd_bcall *c)
{
    kd_str text = c->arg[0].text;
    char *out = kd_arena_alloc(lw->arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char ch = text.ptr[i];
        bool flip = c->row->data ? ch >= 'a' && ch <= 'z' : ch >= 'A' && ch <= 'Z';
        out[i] = flip ? (char)(ch ^ 32) : ch;
    }
    return kd_d_string((kd_str){out, text.len});
}

/* ---- asking about values ---- */

static bool is_of(kd_dval v, kd_dval type)
{
    bool is_run_time = v.kind == KD_D_TENSOR || v.kind == KD_D_BLOCK_PTR || v.kind == KD_D_DESC;
    if (kd_builtin_is(type, "tl", "constexpr"))
        return !is_run_time && v.kind != KD_D_TUPLE;
    if (kd_builtin_is(type, "tl", "tensor"))
        return v.kind == KD_D_TENSOR || v.kind == KD_D_BLOCK_PTR;
    if (kd_builtin_is(type, "tl", "tensor_descriptor"))
        return v.kind == KD_D_DESC;
    if (kd_builtin_is(type, "tl", "dtype"))
        return v.kind == KD_D_DTYPE;
    if (kd_builtin_is(type, "tl", "pointer_type"))
        return v.kind == KD_D_DTYPE && v.type->kind == KD_TYPE_PTR;
    if (kd_builtin_is(type, "tl", "block_type"))
        return v.kind == KD_D_DTYPE && v.type->kind == KD_TYPE_TILE;
    if (kd_builtin_is(type, "python", "int"))
        return kd_d_is_int(v);
    if (kd_builtin_is(type, "python", "float"))
        return v.kind == KD_D_FLOAT;
    if (kd_builtin_is(type, "python", "bool"))
        return v.kind == KD_D_BOOL;
    if (kd_builtin_is(type, "python", "str"))
        return v.kind == KD_D_STRING;
    if (kd_builtin_is(type, "python", "tuple") || kd_builtin_is(type, "python", "list") || kd_builtin_is(type, "tl", "tuple"))
        return v.kind == KD_D_TUPLE && !v.tuple.class_;
    return type.kind == KD_D_CLASS && v.kind == KD_D_TUPLE && v.tuple.class_ == type.cls.class_;
}

kd_dval kd_b_py_isinstance(kd_lower *lw, kd_bcall *c)
{
    const kd_dval *types = c->arg[1].kind == KD_D_TUPLE ? c->arg[1].tuple.items : &c->arg[1];
    unsigned n = c->arg[1].kind == KD_D_TUPLE ? c->arg[1].tuple.n : 1;
    for (unsigned i = 0; i < n; i++)
        if (is_of(c->arg[0], types[i]))
            return kd_d_bool(true);
    return kd_d_bool(false);
}

kd_dval kd_b_py_callable(kd_lower *lw, kd_bcall *c)
{
    return kd_d_bool(c->arg[0].kind == KD_D_FUNCTION || c->arg[0].kind == KD_D_BUILTIN || c->arg[0].kind == KD_D_CLASS);
}

/* getattr 0, hasattr 1. Whether there is the attribute is found by asking for it where nobody listens. */
kd_dval kd_b_py_getattr(kd_lower *lw, kd_bcall *c)
{
    kd_str name;
    bool is_test = c->row->data, has_default = !is_test && kd_arg_given(c, 2);
    if (!kd_arg_text(lw, c, 1, &name))
        return KD_D_ERR;
    if (!is_test && !has_default)
        return kd_eval_attribute(lw, c->loc, c->arg[0], name);
    kd_diags *heard = lw->diags;
    lw->diags = kd_diags_create_beside(lw->arena, heard);
    kd_dval v = kd_eval_attribute(lw, c->loc, c->arg[0], name);
    lw->diags = heard;
    if (is_test)
        return kd_d_bool(!kd_d_is_error(v) && v.kind != KD_D_UNKNOWN);
    return kd_d_is_error(v) ? c->arg[2] : v;
}
