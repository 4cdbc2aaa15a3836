/* builtin_math.c - builtins that work element by element. */
#include "dsl/builtin_impl.h"

#include <math.h>

static const char *type_of(kd_lower *lw, kd_value *v)
{
    return kd_d_type_text(lw, kd_type_elem(v->type));
}

kd_dval kd_b_where(kd_lower *lw, kd_bcall *c)
{
    kd_dval cond = c->arg[0], x = c->arg[1], y = c->arg[2], ignored;
    if (cond.kind != KD_D_TENSOR && !kd_d_is_number(cond)) {
        kd_arg_bad(lw, c, 0, "a condition");
        return KD_D_ERR;
    }
    cond = kd_tensor_truth(lw, c->at[0], cond);
    if (kd_d_is_error(cond) || !kd_promote_with(lw, c->loc, c->name, &x, &y, KD_PROMOTE_PTR_A | KD_PROMOTE_PTR_B))
        return KD_D_ERR;
    if (kd_type_elem(x.value->type) != kd_type_elem(y.value->type)) {
        kd_error(lw->diags, c->loc, "'%s' cannot combine %s and %s", c->name, kd_d_describe(lw, x), kd_d_describe(lw, y));
        return KD_D_ERR;
    }
    bool is_tile = kd_type_is_tile(cond.value->type);
    ignored = x;
    if (!kd_broadcast_pair(lw, c->loc, c->name, &cond, is_tile ? &x : &ignored) || (is_tile && !kd_broadcast_pair(lw, c->loc, c->name, &x, &y)))
        return KD_D_ERR;
    return kd_d_tensor(KD_BUILD(select, .loc = c->loc, .condition = cond.value, .a = x.value, .b = y.value));
}

static kd_dval min_or_max(kd_lower *lw, kd_loc loc, bool is_max, kd_value *a, kd_value *b, bool propagate)
{
    if (is_max)
        return kd_d_tensor(KD_BUILD(max, .loc = loc, .a = a, .b = b, .propagate_nan = propagate));
    return kd_d_tensor(KD_BUILD(min, .loc = loc, .a = a, .b = b, .propagate_nan = propagate));
}

kd_dval kd_b_minmax(kd_lower *lw, kd_bcall *c)
{
    kd_dval x = c->arg[0], y = c->arg[1];
    bool propagate;
    if (!kd_arg_bool(lw, c, 2, &propagate) || !kd_promote_pair(lw, c->loc, c->name, &x, &y))
        return KD_D_ERR;
    return min_or_max(lw, c->loc, c->row->data, x.value, y.value, propagate && kd_type_is_float_like(x.value->type));
}

kd_dval kd_b_clamp(kd_lower *lw, kd_bcall *c)
{
    kd_dval v[3] = {c->arg[0], c->arg[1], c->arg[2]};
    bool propagate;
    if (!kd_arg_bool(lw, c, 3, &propagate) || !kd_promote_three(lw, c->loc, c->name, v))
        return KD_D_ERR;
    propagate = propagate && kd_type_is_float_like(v[0].value->type);
    kd_dval above = min_or_max(lw, c->loc, true, v[0].value, v[1].value, propagate);
    return min_or_max(lw, c->loc, false, above.value, v[2].value, propagate);
}

kd_dval kd_b_arithmetic(kd_lower *lw, kd_bcall *c)
{
    return kd_d_binary(lw, c->loc, (kd_operator)c->row->data, c->arg[0], c->arg[1]);
}

kd_dval kd_b_cdiv(kd_lower *lw, kd_bcall *c)
{
    kd_dval less = kd_d_binary(lw, c->loc, KD_SUB, c->arg[1], kd_d_int(1));
    kd_dval sum = kd_d_is_error(less) ? less : kd_d_binary(lw, c->loc, KD_ADD, c->arg[0], less);
    return kd_d_is_error(sum) ? sum : kd_d_binary(lw, c->loc, KD_FLOORDIV, sum, c->arg[1]);
}

kd_dval kd_b_logical(kd_lower *lw, kd_bcall *c)
{
    return kd_tensor_logical(lw, c->loc, (kd_operator)c->row->data, c->arg[0], c->arg[1]);
}

kd_dval kd_b_first(kd_lower *lw, kd_bcall *c)
{
    return c->arg[0];
}

/* ---- casts ---- */

kd_dval kd_b_cast(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    const kd_type *type;
    kd_str mode;
    bool bitcast;
    if (!kd_arg_tensor(lw, c, 0, &v) || !kd_arg_type(lw, c, 1, &type) || !kd_arg_text(lw, c, 2, &mode) || !kd_arg_bool(lw, c, 3, &bitcast))
        return KD_D_ERR;
    if (bitcast)
        return kd_tensor_bitcast(lw, c->loc, kd_d_tensor(v), type);
    if (mode.len && !kd_str_is(mode, "rtne") && !kd_str_is(mode, "rtz")) {
        kd_error(lw->diags, c->at[2], "the rounding of a cast is 'rtne' or 'rtz', not '%.*s'", KD_STR_ARG(mode));
        return KD_D_ERR;
    }
    const kd_type *from = kd_type_elem(v->type), *to = kd_type_elem(type);
    bool narrows = kd_type_is_float_like(from) && kd_type_is_float_like(to) && kd_type_elem_bits(to) < kd_type_elem_bits(from);
    if (mode.len && !narrows && from != to) {
        kd_error(lw->diags, c->at[2], "rounding is chosen for casts to narrower floats, but this one is from %s to %s", kd_d_type_text(lw, from),
                 kd_d_type_text(lw, to));
        return KD_D_ERR;
    }
    kd_rounding rounding = kd_str_is(mode, "rtz") ? KD_ROUND_TOWARD_ZERO : KD_ROUND_NEAREST_EVEN;
    return kd_cast_to_type(lw, c->loc, kd_d_tensor(v), type, rounding);
}

kd_dval kd_b_to_tensor(kd_lower *lw, kd_bcall *c)
{
    return kd_to_tensor(lw, c->at[0], c->arg[0]);
}

/* ---- functions ---- */

/* fp32 and fp64 only, as in Triton: 16-bit floats are cast by the author, who then knows where they are rounded. */
static bool wants_wide_float(kd_lower *lw, const kd_bcall *c, unsigned i, kd_value *v)
{
    const kd_type *elem = kd_type_elem(v->type);
    if (elem->kind == KD_TYPE_SCALAR && (elem->scalar == KD_F32 || elem->scalar == KD_F64))
        return true;
    bool is_narrow = elem->kind == KD_TYPE_SCALAR && kd_scalar_is_float(elem->scalar);
    kd_error(lw->diags, c->at[i], is_narrow ? "'%s' works on fp32 and fp64, not on %s: cast with .to(tl.float32)" : "'%s' works on fp32 and fp64, not on %s",
             c->name, kd_d_type_text(lw, v->type));
    return false;
}

kd_dval kd_b_unary_math(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    if (!kd_arg_tensor(lw, c, 0, &v) || !wants_wide_float(lw, c, 0, v))
        return KD_D_ERR;
    kd_math fn = (kd_math)(c->row->data & ~KD_B_EXACT);
    return kd_d_tensor(KD_BUILD(math, .loc = c->loc, .inputs = &v, .n_inputs = 1, .fn = fn, .exact = c->row->data & KD_B_EXACT));
}

kd_dval kd_b_abs(kd_lower *lw, kd_bcall *c)
{
    if (kd_d_is_int(c->arg[0]))
        return c->arg[0].integer < 0 ? kd_const_unary(lw, c->loc, KD_MINUS, c->arg[0]) : kd_d_int(c->arg[0].integer);
    if (c->arg[0].kind == KD_D_FLOAT)
        return kd_d_float(fabs(c->arg[0].real));
    kd_value *v;
    if (!kd_arg_tensor(lw, c, 0, &v))
        return KD_D_ERR;
    if (kd_type_is_ptr_like(v->type)) {
        kd_arg_bad(lw, c, 0, "a number");
        return KD_D_ERR;
    }
    if (kd_type_is_int_like(v->type) && kd_scalar_is_unsigned(kd_type_elem(v->type)->scalar))
        return kd_d_tensor(v);
    return kd_d_tensor(KD_BUILD(abs, .loc = c->loc, .a = v));
}

kd_dval kd_b_fma(kd_lower *lw, kd_bcall *c)
{
    kd_dval v[3] = {c->arg[0], c->arg[1], c->arg[2]};
    if (!kd_promote_three(lw, c->loc, c->name, v))
        return KD_D_ERR;
    if (!kd_type_is_float_like(v[0].value->type)) { /* exact in integers */
        kd_value *product = KD_BUILD(mul, .loc = c->loc, .a = v[0].value, .b = v[1].value);
        return kd_d_tensor(KD_BUILD(add, .loc = c->loc, .a = product, .b = v[2].value));
    }
    return kd_d_tensor(KD_BUILD(fma, .loc = c->loc, .a = v[0].value, .b = v[1].value, .c = v[2].value));
}

/* fdiv; with data 1 div_rn, which takes fp32 and is correctly rounded. */
kd_dval kd_b_fdiv(kd_lower *lw, kd_bcall *c)
{
    kd_dval x = c->arg[0], y = c->arg[1];
    bool exact = true;
    if (!c->row->data && !kd_arg_bool(lw, c, 2, &exact))
        return KD_D_ERR;
    if (!kd_promote_with(lw, c->loc, c->name, &x, &y, c->row->data ? 0 : KD_PROMOTE_DIV))
        return KD_D_ERR;
    const kd_type *elem = kd_type_elem(x.value->type);
    if (c->row->data ? elem->scalar != KD_F32 && elem->scalar != KD_F64 : !kd_scalar_is_float(elem->scalar)) {
        kd_error(lw->diags, c->loc, "'%s' works on %s, not on %s", c->name, c->row->data ? "fp32" : "floats", type_of(lw, x.value));
        return KD_D_ERR;
    }
    return kd_d_tensor(KD_BUILD(div, .loc = c->loc, .a = x.value, .b = y.value, .exact = exact));
}

/* umulhi is unsigned whatever the type; data 1: libdevice's mulhi, signed for signed types. */
kd_dval kd_b_mulhi(kd_lower *lw, kd_bcall *c)
{
    kd_dval x = c->arg[0], y = c->arg[1];
    if (!kd_promote_pair(lw, c->loc, c->name, &x, &y))
        return KD_D_ERR;
    const kd_type *elem = kd_type_elem(x.value->type);
    unsigned bits = kd_scalar_bits(elem->scalar);
    if (kd_scalar_is_float(elem->scalar) || (bits != 32 && bits != 64)) {
        kd_error(lw->diags, c->loc, "'%s' works on integers of 32 and 64 bits, not on %s", c->name, type_of(lw, x.value));
        return KD_D_ERR;
    }
    if (c->row->data || kd_scalar_is_unsigned(elem->scalar))
        return kd_d_tensor(KD_BUILD(mulhi, .loc = c->loc, .a = x.value, .b = y.value));
    kd_scalar wide = bits == 32 ? KD_U32 : KD_U64;
    kd_value *high = KD_BUILD(mulhi, .loc = c->loc, .a = kd_value_cast(lw, c->loc, x.value, wide), .b = kd_value_cast(lw, c->loc, y.value, wide));
    return kd_d_tensor(kd_value_cast(lw, c->loc, high, elem->scalar));
}

kd_dval kd_b_sigmoid(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    if (!kd_arg_tensor(lw, c, 0, &v) || !wants_wide_float(lw, c, 0, v))
        return KD_D_ERR;
    kd_value *e = kd_value_math(lw, c->loc, KD_MATH_exp, KD_BUILD(neg, .loc = c->loc, .a = v));
    kd_value *one = kd_build_float(&lw->b, c->loc, v->type, 1);
    kd_value *sum = KD_BUILD(add, .loc = c->loc, .a = one, .b = e);
    return kd_d_tensor(KD_BUILD(div, .loc = c->loc, .a = one, .b = sum));
}

/* ---- libdevice ---- */

/* One or two floats in a common type. */
static bool float_args(kd_lower *lw, kd_bcall *c, unsigned n, kd_value **out)
{
    if (n == 1)
        return kd_arg_tensor(lw, c, 0, &out[0]) && wants_wide_float(lw, c, 0, out[0]);
    kd_dval x = c->arg[0], y = c->arg[1];
    if (!kd_promote_pair(lw, c->loc, c->name, &x, &y))
        return false;
    out[0] = x.value;
    out[1] = y.value;
    return wants_wide_float(lw, c, 0, out[0]);
}

kd_dval kd_b_libm(kd_lower *lw, kd_bcall *c)
{
    kd_math fn = (kd_math)c->row->data;
    kd_value *v[2];
    unsigned n = kd_math_arity(fn);
    return float_args(lw, c, n, v) ? kd_d_tensor(KD_BUILD(math, .loc = c->loc, .inputs = v, .n_inputs = n, .fn = fn, .exact = fn == KD_MATH_sqrt))
                                   : KD_D_ERR;
}

/* The exponent may be an int32 beside a float: as a float it gives the same power, for it is exact in the float's range of use. */
kd_dval kd_b_pow(kd_lower *lw, kd_bcall *c)
{
    kd_dval x = kd_to_tensor(lw, c->at[0], c->arg[0]), y = c->arg[1];
    if (kd_d_is_error(x))
        return x;
    if (kd_type_is_float_like(x.value->type) && kd_d_is_int(y))
        y = kd_d_float((double)y.integer);
    else if (kd_type_is_float_like(x.value->type) && y.kind == KD_D_TENSOR && kd_type_is_int_like(y.value->type))
        y = kd_tensor_cast(lw, c->at[1], y, kd_type_elem(x.value->type)->scalar, KD_ROUND_NEAREST_EVEN);
    c->arg[0] = c->arg[0].kind == KD_D_TENSOR ? x : c->arg[0];
    c->arg[1] = y;
    kd_value *v[2];
    return float_args(lw, c, 2, v) ? kd_d_tensor(KD_BUILD(math, .loc = c->loc, .inputs = v, .n_inputs = 2, .fn = KD_MATH_pow)) : KD_D_ERR;
}

kd_dval kd_b_libdiv(kd_lower *lw, kd_bcall *c)
{
    kd_value *v[2];
    if (!float_args(lw, c, 2, v))
        return KD_D_ERR;
    if (c->row->data)
        return kd_d_tensor(KD_BUILD(rem, .loc = c->loc, .a = v[0], .b = v[1]));
    return kd_d_tensor(KD_BUILD(div, .loc = c->loc, .a = v[0], .b = v[1], .exact = true));
}

kd_dval kd_b_libarith(kd_lower *lw, kd_bcall *c)
{
    kd_value *v[2];
    return float_args(lw, c, 2, v) ? kd_tensor_binary(lw, c->loc, (kd_operator)c->row->data, kd_d_tensor(v[0]), kd_d_tensor(v[1])) : KD_D_ERR;
}

kd_dval kd_b_float_test(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    if (!float_args(lw, c, 1, &v))
        return KD_D_ERR;
    if (c->row->data == 0)
        return kd_d_tensor(KD_BUILD(cmp, .loc = c->loc, .a = v, .b = v, .pred = KD_PRED_NE));
    if (c->row->data == 3) {
        bool is_f32 = kd_type_elem(v->type)->scalar == KD_F32;
        const kd_type *bits_type = kd_type_with_scalar(lw->ctx, v->type, is_f32 ? KD_I32 : KD_I64);
        kd_value *bits = KD_BUILD(bitcast, .loc = c->loc, .value = v, .type = bits_type);
        kd_value *zero = kd_build_int(&lw->b, c->loc, bits_type, 0);
        return kd_d_tensor(kd_value_cast(lw, c->loc, KD_BUILD(cmp, .loc = c->loc, .a = bits, .b = zero, .pred = KD_PRED_LT), KD_I32));
    }
    kd_value *magnitude = KD_BUILD(abs, .loc = c->loc, .a = v);
    kd_value *inf = kd_build_float(&lw->b, c->loc, v->type, INFINITY);
    return kd_d_tensor(KD_BUILD(cmp, .loc = c->loc, .a = magnitude, .b = inf, .pred = c->row->data == 1 ? KD_PRED_EQ : KD_PRED_LT));
}

static bool wants_scalar(kd_lower *lw, const kd_bcall *c, kd_value *v, kd_scalar s)
{
    const kd_type *elem = kd_type_elem(v->type);
    if (elem->kind == KD_TYPE_SCALAR && elem->scalar == s)
        return true;
    kd_error(lw->diags, c->at[0], "'%s' works on %s, not on %s", c->name, kd_d_type_text(lw, kd_type_scalar(lw->ctx, s)),
             kd_d_type_text(lw, v->type));
    return false;
}

kd_dval kd_b_bits_as(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    if (!kd_arg_tensor(lw, c, 0, &v) || !wants_scalar(lw, c, v, (kd_scalar)(c->row->data >> 8)))
        return KD_D_ERR;
    return kd_tensor_bitcast(lw, c->loc, kd_d_tensor(v), kd_type_scalar(lw->ctx, (kd_scalar)(c->row->data & 255)));
}

/* data: source type (or KD_N_SCALARS: fp32 or fp64), result type, and how to round. */
kd_dval kd_b_round_to_int(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    kd_scalar from = (kd_scalar)(c->row->data >> 16), to = (kd_scalar)(c->row->data >> 8 & 255);
    kd_math fn = (kd_math)(c->row->data & 255);
    if (!kd_arg_tensor(lw, c, 0, &v) || !(from == KD_N_SCALARS ? wants_wide_float(lw, c, 0, v) : wants_scalar(lw, c, v, from)))
        return KD_D_ERR;
    if (fn != KD_MATH_trunc)
        v = kd_value_math(lw, c->loc, fn, v);
    return kd_d_tensor(kd_value_cast(lw, c->loc, v, to));
}

kd_dval kd_b_int_to_float(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    if (!kd_arg_tensor(lw, c, 0, &v) || !wants_scalar(lw, c, v, (kd_scalar)(c->row->data >> 8)))
        return KD_D_ERR;
    return kd_d_tensor(kd_value_cast(lw, c->loc, v, (kd_scalar)(c->row->data & 255)));
}
