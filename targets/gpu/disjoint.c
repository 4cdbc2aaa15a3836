/* disjoint.c - whether two accesses of a program touch different bytes.
 *
 * The addresses of a tile are written as a sum of terms: numbers, scalars, rounds of loops, and ranges for what differs among its elements,
 * each times a number and at most one run-time scalar (a stride). Where the scalars in both sums are the same, the difference of the rest
 * tells: it lies in an interval, or in one and all its multiples of some step, and 0 may not be there. What goes by a run-time stride counts
 * by itself: rows that lie a run-time stride apart are taken not to overlap. Index arithmetic is taken not to overflow, as in axis_info.h. */
#include "targets/gpu/lower.h"

#include <stdlib.h>

enum { MAX_TERMS = 16, MAX_STEPS = 64 };
#define FAR (INT64_C(1) << 28) /* numbers beyond it are given up, so that sums of products do not overflow */

/* factor * stride * (scalar, or the number of a loop's round, or 1), or a range: factor * stride * [0, extent). */
typedef struct term {
    const kd_value *stride, *scalar;
    const kd_op *loop;
    int64_t extent; /* 0: no range */
    int64_t factor;
} term;

typedef struct sum {
    term terms[MAX_TERMS];
    unsigned n_terms, n_steps;
} sum;

/* What is added, and times what. */
typedef struct scale {
    const kd_value *stride;
    int64_t factor;
} scale;

static bool is_small(int64_t n)
{
    return n > -FAR && n < FAR;
}

static bool times(scale by, int64_t n, scale *out)
{
    out->stride = by.stride;
    return !__builtin_mul_overflow(by.factor, n, &out->factor) && is_small(out->factor);
}

/* Of what a pointer leads to. */
static int64_t bytes_of(const kd_value *ptr)
{
    return (kd_type_elem_bits(kd_type_elem(ptr->type)->elem) + 7) / 8;
}

static bool add_term(sum *s, term t)
{
    unsigned i = 0;
    while (i < s->n_terms && (t.extent || s->terms[i].extent || s->terms[i].scalar != t.scalar || s->terms[i].loop != t.loop ||
                              s->terms[i].stride != t.stride))
        i++;
    if (i == MAX_TERMS)
        return false;
    if (i == s->n_terms)
        s->terms[s->n_terms++] = t;
    else
        s->terms[i].factor += t.factor;
    return is_small(s->terms[i].factor);
}

static bool add_value(sum *s, const kd_value *value, scale by);

static bool add_opaque(sum *s, const kd_value *value, scale by)
{
    return !kd_type_is_tile(value->type) && add_term(s, (term){.stride = by.stride, .scalar = value, .factor = by.factor});
}

static bool add_number(sum *s, int64_t n, scale by)
{
    return times(by, n, &by) && add_term(s, (term){.stride = by.stride, .factor = by.factor});
}

/* What a loop carries: its start, and as many times as there were rounds what each adds. */
static bool add_carried(sum *s, const kd_value *arg, scale by)
{
    const kd_op *loop = arg->owner->parent;
    int64_t step;
    scale round;
    if (loop->code != KD_OP_for)
        return add_opaque(s, arg, by);
    if (arg->index == 0)
        return kd_value_constant_int(kd_for_step(loop), &step) && times(by, step, &round)
                   ? add_value(s, kd_for_lower(loop), by) &&
                         add_term(s, (term){.stride = by.stride, .loop = loop, .factor = round.factor})
                   : add_opaque(s, arg, by);
    const kd_op *next = kd_op_operand(kd_block_terminator(loop->regions[0]), arg->index - 1)->def;
    if (!next || (next->code != KD_OP_addptr && next->code != KD_OP_add) || kd_op_operand(next, 0) != arg ||
        !kd_value_constant_int(kd_op_operand(next, 1), &step) ||
        !times(by, next->code == KD_OP_addptr ? step * bytes_of(arg) : step, &round))
        return add_opaque(s, arg, by);
    return add_value(s, kd_for_inits(loop, arg->index - 1), by) &&
           add_term(s, (term){.stride = by.stride, .loop = loop, .factor = round.factor});
}

static const kd_value *splat_scalar(const kd_value *value)
{
    while (value->def && (value->def->code == KD_OP_broadcast || value->def->code == KD_OP_gpu_convert_layout ||
                          (value->def->code == KD_OP_cast && kd_type_is_tile(value->type))))
        value = kd_op_operand(value->def, 0);
    const kd_op *splat = kd_value_def_as(value, KD_OP_splat);
    return splat ? kd_splat_scalar(splat) : NULL;
}

static bool add_product(sum *s, const kd_op *op, scale by)
{
    int64_t n;
    for (unsigned i = 0; i < 2; i++)
        if (kd_value_constant_int(kd_op_operand(op, 1 - i), &n))
            return times(by, n, &by) && add_value(s, kd_op_operand(op, i), by);
    for (unsigned i = 0; i < 2 && !by.stride; i++) {
        by.stride = splat_scalar(kd_op_operand(op, 1 - i));
        if (by.stride)
            return add_value(s, kd_op_operand(op, i), by);
    }
    return add_opaque(s, kd_op_result(op, 0), by);
}

static bool widens(const kd_op *cast)
{
    const kd_type *from = kd_cast_value(cast)->type, *to = kd_op_result(cast, 0)->type;
    return kd_type_is_int_like(from) && !kd_type_is_bool_like(from) && kd_type_elem_bits(from) <= kd_type_elem_bits(to);
}

static bool add_value(sum *s, const kd_value *value, scale by)
{
    const kd_op *op = value->def;
    int64_t n;
    scale bytes;
    if (++s->n_steps > MAX_STEPS)
        return false;
    if (kd_type_is_int_like(value->type) && kd_value_constant_int(value, &n))
        return add_number(s, n, by);
    if (!op)
        return add_carried(s, value, by);
    switch (op->code) {
    case KD_OP_arange:
        return add_number(s, kd_arange_start(op), by) &&
               add_term(s, (term){.stride = by.stride, .extent = value->type->n_elems, .factor = by.factor});
    case KD_OP_add: return add_value(s, kd_op_operand(op, 0), by) && add_value(s, kd_op_operand(op, 1), by);
    case KD_OP_sub:
        return add_value(s, kd_op_operand(op, 0), by) &&
               add_value(s, kd_op_operand(op, 1), (scale){by.stride, -by.factor});
    case KD_OP_mul: return add_product(s, op, by);
    case KD_OP_addptr:
        return add_value(s, kd_addptr_ptr(op), by) && times(by, bytes_of(value), &bytes) &&
               add_value(s, kd_addptr_offset(op), bytes);
    case KD_OP_cast: return widens(op) ? add_value(s, kd_cast_value(op), by) : add_opaque(s, value, by);
    case KD_OP_splat:
    case KD_OP_broadcast:
    case KD_OP_reshape:
    case KD_OP_permute:
    case KD_OP_hint:
    case KD_OP_gpu_convert_layout: return add_value(s, kd_op_operand(op, 0), by);
    default: return add_opaque(s, value, by);
    }
}

bool kd_is_made_in(const kd_value *value, const kd_op *loop)
{
    const kd_op *home = value->def ? value->def : value->owner->parent;
    return home == loop || kd_op_is_inside(home, loop);
}

/* ---- differences ---- */

/* Rounds that a loop has at most. */
static int64_t most_rounds(const kd_op *loop)
{
    int64_t lower, upper, step;
    if (!kd_value_constant_int(kd_for_lower(loop), &lower) || !kd_value_constant_int(kd_for_upper(loop), &upper) ||
        !kd_value_constant_int(kd_for_step(loop), &step) || step <= 0 || !is_small(lower) || !is_small(upper))
        return FAR;
    return upper > lower ? (upper - lower + step - 1) / step : 1;
}

/* Where a begins relative to b, but for multiples of step (0: none), where `wide` is how many bytes each of them takes. Whether that excludes
 * that they overlap. */
static bool are_apart(const sum *difference, const int64_t *wide, int64_t step)
{
    int64_t low = 1 - wide[1], high = wide[0] - 1;
    for (unsigned i = 0; i < difference->n_terms; i++) {
        const term *t = &difference->terms[i];
        int64_t first = t->loop || !t->extent ? 1 : 0, last = t->extent ? t->extent - 1 : 1;
        if (t->loop) /* a was earlier */
            last = -first, first = 1 - most_rounds(t->loop);
        if (step && t->factor % step == 0 && (t->extent || t->loop))
            continue;
        low += t->factor * (t->factor < 0 ? last : first);
        high += t->factor * (t->factor < 0 ? first : last);
    }
    if (!step)
        return low > 0 || high < 0;
    int64_t past = ((high % step) + step) % step; /* the last multiple of step */
    return high - low < past;
}

/* What goes by a stride in a - b, a in an earlier round of the loop. False: not all scalars cancel, or some are others in each round. */
static bool subtract(const sum *a, const sum *b, const kd_value *stride, const kd_op *loop, sum *out)
{
    sum all = {.n_terms = 0};
    if (loop && stride && kd_is_made_in(stride, loop))
        return false;
    for (unsigned i = 0; i < a->n_terms + b->n_terms; i++) {
        term t = i < a->n_terms ? a->terms[i] : b->terms[i - a->n_terms];
        bool is_round = loop && t.loop == loop;
        if (t.stride != stride || (is_round && i < a->n_terms))
            continue;
        if (loop && (t.scalar ? kd_is_made_in(t.scalar, loop) : t.loop && kd_op_is_inside(t.loop, loop)))
            return false;
        t.factor *= i < a->n_terms || is_round ? 1 : -1;
        if (!add_term(&all, t))
            return false;
    }
    for (unsigned i = 0; i < all.n_terms; i++) {
        if (all.terms[i].factor && (all.terms[i].scalar || (all.terms[i].loop && all.terms[i].loop != loop)))
            return false;
        if (all.terms[i].factor)
            out->terms[out->n_terms++] = all.terms[i];
    }
    return true;
}

/* Whether all rounds in a are in b too. */
static bool has_rounds(const sum *a, const sum *b, const kd_op *loop)
{
    for (unsigned i = 0; i < a->n_terms; i++) {
        const term *t = &a->terms[i];
        unsigned k = 0;
        while (k < b->n_terms && (b->terms[k].loop != t->loop || b->terms[k].stride != t->stride))
            k++;
        if (loop && t->loop == loop && (k == b->n_terms || b->terms[k].factor != t->factor))
            return false;
    }
    return true;
}

static bool differ_by(const sum *difference, const int64_t *wide)
{
    if (are_apart(difference, wide, 0))
        return true;
    for (unsigned i = 0; i < difference->n_terms; i++)
        if (difference->terms[i].extent && are_apart(difference, wide, llabs(difference->terms[i].factor)))
            return true;
    return false;
}

bool kd_simt_elements_apart(const kd_value *ptr)
{
    sum s = {.n_terms = 0};
    if (!add_value(&s, ptr, (scale){NULL, 1}))
        return false;
    int64_t n_places = 1;
    for (unsigned i = 0; i < s.n_terms; i++)
        if (s.terms[i].extent && s.terms[i].factor && n_places < ptr->type->n_elems)
            n_places *= s.terms[i].extent;
    return n_places >= ptr->type->n_elems;
}

bool kd_simt_disjoint(const kd_value *a, const kd_value *b, const kd_op *loop)
{
    sum x = {.n_terms = 0}, y = {.n_terms = 0};
    bool apart = false;
    if (!add_value(&x, a, (scale){NULL, 1}) || !add_value(&y, b, (scale){NULL, 1}) || !has_rounds(&x, &y, loop) ||
        !has_rounds(&y, &x, loop))
        return false;
    for (unsigned i = 0; i < x.n_terms + y.n_terms; i++) {
        const kd_value *stride = i < x.n_terms ? x.terms[i].stride : y.terms[i - x.n_terms].stride;
        sum difference = {.n_terms = 0};
        if (!subtract(&x, &y, stride, loop, &difference))
            return false;
        apart = apart || differ_by(&difference, stride ? (int64_t[]){1, 1} : (int64_t[]){bytes_of(a), bytes_of(b)});
    }
    return apart;
}
