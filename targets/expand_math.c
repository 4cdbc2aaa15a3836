/* expand_math.c - functions that a target's library may lack, made of others.
 *
 * Relative errors of f32 (of f64, in units of 1e-16, in brackets): rsqrt, rcbrt 1 ulp [1 ulp]; sinpi, cospi 2 ulp [2 ulp]; normcdf, erfcx, erfinv,
 * erfcinv, normcdfinv 1 ulp [a few hundred]; Bessel i0, i1 1 ulp [a thousand]. Those after sinpi are computed in f64 and rounded. Bessel j0,
 * j1, y0, y1: an absolute error of 1e-12 in f64, of 1e-5 where a device has f32 alone. */
#include "targets/expand_math.h"

#include <math.h>

typedef struct maker {
    const kd_math_maker *target;
    const kd_type *elem;
} maker;

static kd_lanes number(const maker *m, double value)
{
    return m->target->number(m->target->user, m->elem, value);
}

static kd_lanes apply(const maker *m, kd_opcode code, const kd_type *elem, const kd_attr *attrs, const kd_lanes *operands,
                      unsigned n_operands)
{
    static const kd_attr none[KD_MAX_ATTR_INFOS];
    return m->target->apply(m->target->user, code, elem, attrs ? attrs : none, operands, n_operands);
}

static kd_lanes add(const maker *m, kd_lanes a, kd_lanes b)
{
    return apply(m, KD_OP_add, m->elem, NULL, (kd_lanes[]){a, b}, 2);
}

static kd_lanes sub(const maker *m, kd_lanes a, kd_lanes b)
{
    return apply(m, KD_OP_sub, m->elem, NULL, (kd_lanes[]){a, b}, 2);
}

static kd_lanes mul(const maker *m, kd_lanes a, kd_lanes b)
{
    return apply(m, KD_OP_mul, m->elem, NULL, (kd_lanes[]){a, b}, 2);
}

static kd_lanes quotient(const maker *m, kd_lanes a, kd_lanes b)
{
    return apply(m, KD_OP_div, m->elem, NULL, (kd_lanes[]){a, b}, 2);
}

static kd_lanes cast(const maker *m, kd_lanes a, const kd_type *elem)
{
    return kd_type_elem(a.v->type) == elem ? a : apply(m, KD_OP_cast, elem, NULL, &a, 1);
}

static kd_lanes scale(const maker *m, kd_lanes a, double factor)
{
    return mul(m, a, number(m, factor));
}

static kd_lanes unary(const maker *m, kd_opcode code, kd_lanes a)
{
    return apply(m, code, m->elem, NULL, &a, 1);
}

static kd_lanes call(const maker *m, kd_math fn, kd_lanes a)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_math = fn}};
    return apply(m, KD_OP_math, m->elem, attrs, &a, 1);
}

static kd_lanes copysign_of(const maker *m, kd_lanes a, kd_lanes sign)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_math = KD_MATH_copysign}};
    return apply(m, KD_OP_math, m->elem, attrs, (kd_lanes[]){a, sign}, 2);
}

static kd_lanes where(const maker *m, kd_lanes a, kd_pred pred, double limit, kd_lanes yes, kd_lanes no)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_pred = pred}};
    kd_lanes condition = apply(m, KD_OP_cmp, m->target->i1, attrs, (kd_lanes[]){a, number(m, limit)}, 2);
    return apply(m, KD_OP_select, m->elem, attrs, (kd_lanes[]){condition, yes, no}, 3);
}

static kd_lanes polynomial(const maker *m, kd_lanes x, const double *coefficients, unsigned n) /* highest power first */
{
    kd_lanes p = number(m, coefficients[0]);
    for (unsigned i = 1; i < n; i++)
        p = add(m, mul(m, p, x), number(m, coefficients[i]));
    return p;
}

/* sin(pi * x) for |x| <= 1/2. */
static kd_lanes sine_of_turns(const maker *m, kd_lanes x)
{
    return call(m, KD_MATH_sin, scale(m, x, M_PI));
}

static kd_lanes within_one(const maker *m, kd_lanes x) /* x minus the nearest even number */
{
    return sub(m, x, scale(m, call(m, KD_MATH_rint, scale(m, x, 0.5)), 2));
}

static kd_lanes make_sinpi(const maker *m, kd_lanes x)
{
    kd_lanes r = within_one(m, x), size = unary(m, KD_OP_abs, r);
    kd_lanes folded = copysign_of(m, sub(m, number(m, 1), size), r);
    return sine_of_turns(m, where(m, size, KD_PRED_GT, 0.5, folded, r));
}

static kd_lanes make_cospi(const maker *m, kd_lanes x)
{
    return sine_of_turns(m, sub(m, number(m, 0.5), unary(m, KD_OP_abs, within_one(m, x))));
}

/* Giles, "Approximating the erfinv function" (2010): a start with 7 digits; two steps of Halley's method on erfc make the rest. The sign
 * is handled by the caller: y in [0, 1]. */
static kd_lanes erfcinv_positive(const maker *m, kd_lanes y)
{
    static const double center[] = {2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                                    -0.00125372503, -0.00417768164, 0.246640727,    1.50140941};
    static const double tail[] = {-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                                  -0.0076224613,   0.00943887047,  1.00167406,    2.83297682};
    kd_lanes x0 = sub(m, number(m, 1), y);
    kd_lanes w = unary(m, KD_OP_neg, call(m, KD_MATH_log, mul(m, y, sub(m, number(m, 2), y))));
    kd_lanes near = polynomial(m, sub(m, w, number(m, 2.5)), center, 9);
    kd_lanes root = call(m, KD_MATH_sqrt, w), far = polynomial(m, sub(m, root, number(m, 3)), tail, 9);
    /* Past the range of the fit, sqrt(w) itself is close enough to start from. */
    kd_lanes start = where(m, w, KD_PRED_LT, 5, near, where(m, w, KD_PRED_LT, 16, far, sub(m, root, number(m, 0.25))));
    kd_lanes x = where(m, w, KD_PRED_LT, 16, mul(m, start, x0), start);
    for (unsigned step = 0; step < 3; step++) {
        kd_lanes slope = scale(m, call(m, KD_MATH_exp, unary(m, KD_OP_neg, mul(m, x, x))), -M_2_SQRTPI);
        kd_lanes u = quotient(m, sub(m, call(m, KD_MATH_erfc, x), y), slope);
        x = sub(m, x, quotient(m, u, add(m, number(m, 1), mul(m, u, x))));
    }
    x = where(m, y, KD_PRED_EQ, 0, number(m, INFINITY), x);
    return where(m, y, KD_PRED_EQ, 1, number(m, 0), x);
}

static kd_lanes make_erfcinv(const maker *m, kd_lanes y)
{
    kd_lanes mirrored = where(m, y, KD_PRED_GT, 1, sub(m, number(m, 2), y), y), x = erfcinv_positive(m, mirrored);
    return where(m, y, KD_PRED_GT, 1, unary(m, KD_OP_neg, x), x);
}

static kd_lanes make_erfinv(const maker *m, kd_lanes x)
{
    kd_lanes size = unary(m, KD_OP_abs, x), big = erfcinv_positive(m, sub(m, number(m, 1), size));
    /* Near zero 1 - x forgets digits: the series. */
    static const double series[] = {0.06695040, 0.08607366, 0.12733486, 0.23201367, 0.88622692545275801};
    kd_lanes square = mul(m, x, x), small = mul(m, size, polynomial(m, square, series, 5));
    for (unsigned step = 0; step < 2; step++) {
        kd_lanes slope = scale(m, call(m, KD_MATH_exp, unary(m, KD_OP_neg, mul(m, small, small))), M_2_SQRTPI);
        small = sub(m, small, quotient(m, sub(m, call(m, KD_MATH_erf, small), size), slope));
    }
    return copysign_of(m, where(m, size, KD_PRED_LT, 0.5, small, big), x);
}

static kd_lanes make_erfcx(const maker *m, kd_lanes x)
{
    kd_lanes square = mul(m, x, x), direct = mul(m, call(m, KD_MATH_exp, square), call(m, KD_MATH_erfc, x));
    kd_lanes t = quotient(m, number(m, 0.5), square), sum = number(m, 1);
    for (int k = 10; k >= 1; k--)
        sum = sub(m, number(m, 1), mul(m, scale(m, t, 2 * k - 1), sum));
    kd_lanes far = quotient(m, scale(m, sum, M_2_SQRTPI / 2), x);
    return where(m, x, KD_PRED_GT, 10, far, direct);
}

static kd_lanes make_normcdf(const maker *m, kd_lanes x)
{
    return scale(m, call(m, KD_MATH_erfc, scale(m, x, -M_SQRT1_2)), 0.5);
}

/* Modified Bessel functions: the power series (all terms positive) up to 20, the asymptotic series after. */
static kd_lanes make_bessel(const maker *m, kd_lanes x, unsigned order)
{
    kd_lanes size = unary(m, KD_OP_abs, x), quarter = scale(m, mul(m, x, x), 0.25), series = number(m, 1), far = number(m, 1);
    kd_lanes inverse = quotient(m, number(m, 0.125), size);
    for (int k = 45; k >= 1; k--)
        series = add(m, number(m, 1), mul(m, scale(m, quarter, 1.0 / (k * (k + (double)order))), series));
    if (order)
        series = mul(m, series, scale(m, size, 0.5));
    for (int k = 20; k >= 1; k--)
        far = add(m, number(m, 1), mul(m, scale(m, inverse, -(4.0 * order * order - (2 * k - 1) * (2 * k - 1)) / k), far));
    kd_lanes half = call(m, KD_MATH_exp, scale(m, size, 0.5)); /* exp(x) in two halves overflows last */
    kd_lanes grown = mul(m, quotient(m, mul(m, half, far), call(m, KD_MATH_sqrt, scale(m, size, 2 * M_PI))), half);
    kd_lanes result = where(m, size, KD_PRED_LT, 20, series, grown);
    return order ? copysign_of(m, result, x) : result;
}

/* ---- Bessel functions of orders 0 and 1: power series near 0, Hankel's asymptotic series far from it ---- */

enum { SERIES = 36, MOST_HANKEL = 11 };
#define EULER 0.57721566490153286

/* Abramowitz, Stegun, "Handbook of Mathematical Functions", 9.1.10 and 9.1.11; size > 0. */
static kd_lanes bessel_near(const maker *m, kd_lanes size, unsigned order, bool second)
{
    double first[SERIES], logs[SERIES], c = 1, digammas = -2 * EULER + order;
    for (int k = 0; k < SERIES; k++) {
        c = k ? -c / (k * (k + (double)order)) : 1;
        digammas += k ? 1.0 / k + 1.0 / (k + order) : 0;
        first[SERIES - 1 - k] = c;
        logs[SERIES - 1 - k] = c * digammas;
    }
    kd_lanes half = scale(m, size, 0.5), quarter = mul(m, half, half), j = polynomial(m, quarter, first, SERIES);
    j = order ? mul(m, j, half) : j;
    if (!second)
        return j;
    kd_lanes rest = polynomial(m, quarter, logs, SERIES), log = call(m, KD_MATH_log, half);
    rest = order ? add(m, mul(m, rest, half), quotient(m, number(m, 1), half)) : rest;
    return sub(m, scale(m, mul(m, log, j), M_2_PI), scale(m, rest, M_1_PI));
}

/* The same, 9.2.5 to 9.2.10. The cosine and sine of x - pi / 4 and of x - 3 pi / 4 are made of those of x. */
static kd_lanes bessel_far(const maker *m, kd_lanes size, unsigned order, bool second, unsigned n)
{
    double p[MOST_HANKEL], q[MOST_HANKEL], a = 1, mu = 4.0 * order;
    for (int k = 0; k < (int)n; k++) {
        int sign = k & 1 ? -1 : 1;
        p[(int)n - 1 - k] = sign * a;
        a *= (mu - (4 * k + 1) * (4 * k + 1)) / (8 * (2 * k + 1));
        q[(int)n - 1 - k] = sign * a;
        a *= (mu - (4 * k + 3) * (4 * k + 3)) / (8 * (2 * k + 2));
    }
    kd_lanes t = quotient(m, number(m, 1), size), square = mul(m, t, t), sine = call(m, KD_MATH_sin, size), cosine = call(m, KD_MATH_cos, size);
    kd_lanes even = polynomial(m, square, p, n), odd = mul(m, polynomial(m, square, q, n), t);
    kd_lanes sum = add(m, cosine, sine), difference = sub(m, sine, cosine);
    kd_lanes c = order ? difference : sum, s = order ? unary(m, KD_OP_neg, sum) : difference;
    kd_lanes turned = second ? add(m, mul(m, even, s), mul(m, odd, c)) : sub(m, mul(m, even, c), mul(m, odd, s));
    return mul(m, call(m, KD_MATH_sqrt, scale(m, t, M_1_PI)), turned);
}

static kd_lanes make_bessel_of(const maker *m, kd_lanes x, unsigned order, bool second)
{
    bool is_narrow = m->elem->scalar == KD_F32;
    kd_lanes size = second ? x : unary(m, KD_OP_abs, x), far = bessel_far(m, size, order, second, is_narrow ? 5 : MOST_HANKEL);
    far = where(m, size, KD_PRED_EQ, INFINITY, number(m, 0), far);
    kd_lanes result = where(m, size, KD_PRED_LT, is_narrow ? 6 : 12, bessel_near(m, size, order, second), far);
    if (second)
        return where(m, x, KD_PRED_EQ, 0, number(m, -INFINITY), result);
    return order ? mul(m, result, copysign_of(m, number(m, 1), x)) : result;
}

static bool make(const maker *m, kd_math fn, kd_lanes x, kd_lanes *out)
{
    switch (fn) {
    case KD_MATH_j0: *out = make_bessel_of(m, x, 0, false); return true;
    case KD_MATH_j1: *out = make_bessel_of(m, x, 1, false); return true;
    case KD_MATH_y0: *out = make_bessel_of(m, x, 0, true); return true;
    case KD_MATH_y1: *out = make_bessel_of(m, x, 1, true); return true;
    case KD_MATH_rsqrt: *out = quotient(m, number(m, 1), call(m, KD_MATH_sqrt, x)); return true;
    case KD_MATH_rcbrt: *out = quotient(m, number(m, 1), call(m, KD_MATH_cbrt, x)); return true;
    case KD_MATH_sinpi: *out = make_sinpi(m, x); return true;
    case KD_MATH_cospi: *out = make_cospi(m, x); return true;
    case KD_MATH_erfinv: *out = make_erfinv(m, x); return true;
    case KD_MATH_erfcinv: *out = make_erfcinv(m, x); return true;
    case KD_MATH_erfcx: *out = make_erfcx(m, x); return true;
    case KD_MATH_normcdf: *out = make_normcdf(m, x); return true;
    case KD_MATH_normcdfinv: *out = scale(m, make_erfcinv(m, scale(m, x, 2)), -M_SQRT2); return true;
    case KD_MATH_cyl_bessel_i0: *out = make_bessel(m, x, 0); return true;
    case KD_MATH_cyl_bessel_i1: *out = make_bessel(m, x, 1); return true;
    default: return false;
    }
}

bool kd_expand_math(const kd_math_maker *target, kd_math fn, const kd_type *elem, kd_lanes operand, kd_lanes *out)
{
    maker m = {target, elem};
    switch (fn) {
    case KD_MATH_j0:
    case KD_MATH_j1:
    case KD_MATH_y0:
    case KD_MATH_y1:
        if (target->has_bessel)
            return false;
        m.elem = target->wide;
        break;
    case KD_MATH_erfinv:
    case KD_MATH_erfcinv:
    case KD_MATH_erfcx:
    case KD_MATH_normcdf:
    case KD_MATH_normcdfinv:
    case KD_MATH_cyl_bessel_i0:
    case KD_MATH_cyl_bessel_i1: m.elem = target->wide; break;
    default: break;
    }
    if (!make(&m, fn, cast(&m, operand, m.elem), out))
        return false;
    *out = cast(&m, *out, elem);
    return true;
}
