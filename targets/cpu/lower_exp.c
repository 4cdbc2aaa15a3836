/* lower_exp.c - exp and exp2 of f32, in line.
 *
 * glibc's vector exp calls the scalar one for each lane beyond the range of normal results: for the -inf of every masked lane of a softmax.
 *
 *     n = x / ln 2, rounded        r = x - n ln 2, in two parts        exp(x) = 2^n exp(r)
 *
 * 2^n is multiplied on in two halves, so that infinity and numbers below the normal range come out right. Error: 1 ulp. The polynomial is
 * the minimax fit of (exp(r) - 1 - r) / r^2 by relative error of exp on |r| <= ln(2) / 2 (0.05 * 2^-24), found by reweighted least squares. */
#include "targets/cpu/lower.h"

#include <math.h>

typedef struct maker {
    kd_nest *n;
    const kd_type *f32, *i32;
} maker;

static kd_lanes number(const maker *m, double value)
{
    return kd_lanes_uniform(kd_nest_float(m->n, m->f32, value), 0);
}

static kd_lanes fma_of(const maker *m, kd_lanes a, kd_lanes b, kd_lanes c)
{
    if (!m->n->l->machine->has_fma)
        return kd_nest_binary(m->n, KD_OP_add, kd_nest_binary(m->n, KD_OP_mul, a, b), c);
    kd_attr none[KD_MAX_ATTR_INFOS] = {{.as_kd_int = 0}};
    return kd_nest_apply(m->n, KD_OP_fma, m->f32, none, (kd_lanes[]){a, b, c}, 3);
}

/* x where it is not past the limit, else the limit; a NaN stays. */
static kd_lanes limited(const maker *m, kd_lanes x, kd_pred past, double limit)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_pred = past}};
    kd_lanes is_past = kd_nest_apply(m->n, KD_OP_cmp, m->n->l->i1, attrs, (kd_lanes[]){x, number(m, limit)}, 2);
    return kd_nest_apply(m->n, KD_OP_select, m->f32, attrs, (kd_lanes[]){is_past, number(m, limit), x}, 3);
}

static kd_lanes bits_as(const maker *m, kd_lanes x, const kd_type *type)
{
    kd_attr none[KD_MAX_ATTR_INFOS] = {{.as_kd_int = 0}};
    return kd_nest_apply(m->n, KD_OP_bitcast, type, none, &x, 1);
}

/* 2^n for -127 < n < 128. */
static kd_lanes power_of_two(const maker *m, kd_lanes n)
{
    kd_lanes biased = kd_nest_binary(m->n, KD_OP_add, n, kd_nest_const(m->n, m->i32, 127));
    return bits_as(m, kd_nest_binary(m->n, KD_OP_shl, biased, kd_nest_const(m->n, m->i32, 23)), m->f32);
}

static kd_lanes exp_of_rest(const maker *m, kd_lanes r)
{
    static const double q[] = {0.0013814539415761828, 0.00836874544620514, 0.04166838899254799, 0.1666652113199234, 0.4999999403953552};
    kd_lanes p = number(m, q[0]);
    for (unsigned i = 1; i < sizeof q / sizeof *q; i++)
        p = fma_of(m, p, r, number(m, q[i]));
    p = fma_of(m, kd_nest_binary(m->n, KD_OP_mul, r, r), p, r);
    return kd_nest_binary(m->n, KD_OP_add, p, number(m, 1));
}

kd_lanes kd_lower_exp(kd_nest *n, kd_lanes x, bool base_two)
{
    maker m = {n, n->l->f32, n->l->i32};
    /* Beyond the limits the result is infinite, or rounds to zero. */
    x = limited(&m, x, KD_PRED_LT, base_two ? -151 : -104.5);
    x = limited(&m, x, KD_PRED_GT, base_two ? 129 : 89.5);
    /* Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits. */
    const double magic = 0x1.8p23;
    kd_lanes shifted = fma_of(&m, x, number(&m, base_two ? 1 : M_LOG2E), number(&m, magic));
    kd_lanes whole = kd_nest_binary(n, KD_OP_sub, shifted, number(&m, magic)), r;
    if (base_two) {
        r = kd_nest_binary(n, KD_OP_mul, kd_nest_binary(n, KD_OP_sub, x, whole), number(&m, M_LN2));
    } else { /* the high part of ln 2 has few enough digits for an exact product */
        r = fma_of(&m, whole, number(&m, -0x1.62e4p-1), x);
        r = fma_of(&m, whole, number(&m, -(M_LN2 - 0x1.62e4p-1)), r);
    }
    kd_lanes power = kd_nest_binary(n, KD_OP_sub, bits_as(&m, shifted, m.i32), kd_nest_const(n, m.i32, 0x4b400000));
    kd_lanes half = kd_nest_binary(n, KD_OP_shr, power, kd_nest_const(n, m.i32, 1));
    kd_lanes rest = kd_nest_binary(n, KD_OP_sub, power, half);
    kd_lanes result = kd_nest_binary(n, KD_OP_mul, exp_of_rest(&m, r), power_of_two(&m, half));
    return kd_nest_binary(n, KD_OP_mul, result, power_of_two(&m, rest));
}
