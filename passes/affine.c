/* affine.c - see affine.h. */
#include "passes/affine.h"

enum { MAX_DEPTH = 24 };

static const kd_affine failure = {.failed = true};

static kd_affine sum_of(kd_affine_scope *scope, kd_value *value, unsigned depth);

/* ---- terms ---- */

static unsigned count_factor(const kd_affine_term *t, const kd_value *factor)
{
    unsigned n = 0;
    for (unsigned i = 0; i < t->n_factors; i++)
        n += t->factors[i] == factor;
    return n;
}

static bool is_alike(const kd_affine_term *a, const kd_affine_term *b)
{
    bool same = a->axis == b->axis && a->n_factors == b->n_factors;
    for (unsigned i = 0; i < a->n_factors && same; i++)
        same = count_factor(a, a->factors[i]) == count_factor(b, a->factors[i]);
    return same;
}

void kd_affine_add(kd_affine *a, const kd_affine_term *term, int64_t times)
{
    kd_affine_term fresh = *term;
    if (a->failed || __builtin_mul_overflow(term->constant, times, &fresh.constant)) {
        a->failed = true;
        return;
    }
    for (unsigned i = 0; i < a->n; i++) {
        if (!is_alike(&a->terms[i], term))
            continue;
        a->failed |= __builtin_add_overflow(a->terms[i].constant, fresh.constant, &a->terms[i].constant);
        if (a->terms[i].constant == 0)
            a->terms[i] = a->terms[--a->n];
        return;
    }
    if (fresh.constant == 0)
        return;
    if (a->n == KD_MAX_TERMS)
        a->failed = true;
    else
        a->terms[a->n++] = fresh;
}

void kd_affine_add_all(kd_affine *a, const kd_affine *b, int64_t times)
{
    a->failed |= b->failed;
    for (unsigned i = 0; i < b->n && !a->failed; i++)
        kd_affine_add(a, &b->terms[i], times);
}

int64_t kd_affine_constant_of(const kd_affine *a, const kd_affine_term *like)
{
    for (unsigned i = 0; i < a->n; i++)
        if (is_alike(&a->terms[i], like))
            return a->terms[i].constant;
    return 0;
}

bool kd_affine_same(const kd_affine *a, const kd_affine *b)
{
    bool same = !a->failed && !b->failed && a->n == b->n;
    for (unsigned i = 0; i < a->n && same; i++)
        same = kd_affine_constant_of(b, &a->terms[i]) == a->terms[i].constant;
    return same;
}

static kd_affine product(const kd_affine *a, const kd_affine *b)
{
    kd_affine out = {.failed = a->failed || b->failed};
    for (unsigned i = 0; i < a->n && !out.failed; i++)
        for (unsigned k = 0; k < b->n; k++) {
            kd_affine_term t = a->terms[i];
            const kd_affine_term *u = &b->terms[k];
            if (t.n_factors + u->n_factors > KD_MAX_FACTORS || (t.axis != KD_NO_AXIS && u->axis != KD_NO_AXIS))
                return failure;
            for (unsigned f = 0; f < u->n_factors; f++)
                t.factors[t.n_factors++] = u->factors[f];
            t.axis = t.axis == KD_NO_AXIS ? u->axis : t.axis;
            kd_affine_add(&out, &t, u->constant);
        }
    return out;
}

static kd_affine number(int64_t n)
{
    kd_affine out = {0};
    kd_affine_add(&out, &(kd_affine_term){.constant = n, .axis = KD_NO_AXIS}, 1);
    return out;
}

static kd_affine whole(kd_value *scalar)
{
    kd_affine out = {0};
    kd_affine_add(&out, &(kd_affine_term){.constant = 1, .factors = {scalar}, .n_factors = 1, .axis = KD_NO_AXIS}, 1);
    return out;
}

/* ---- loops ---- */

static bool is_outside(const kd_affine_scope *scope, const kd_value *v)
{
    if (!scope->loop)
        return true;
    const kd_op *at = v->def ? v->def : v->owner->parent;
    return at != scope->loop && !kd_op_is_inside(at, scope->loop);
}

bool kd_affine_term_varies(const kd_affine_scope *scope, const kd_affine_term *term)
{
    for (unsigned i = 0; i < term->n_factors; i++)
        if (!is_outside(scope, term->factors[i]))
            return true;
    return false;
}

bool kd_affine_varies(const kd_affine_scope *scope, const kd_affine *a)
{
    for (unsigned i = 0; i < a->n; i++)
        if (kd_affine_term_varies(scope, &a->terms[i]))
            return true;
    return false;
}

/* What an iteration adds to a carried value; the same in all elements and iterations. */
static kd_affine step_of(kd_affine_scope *scope, const kd_value *arg, unsigned depth)
{
    kd_affine step = {0};
    kd_value *at = kd_op_operand(kd_block_terminator(kd_op_region(scope->loop, 0)), arg->index - 1);
    while (at != arg && depth--) {
        if (!at->def || (at->def->code != KD_OP_add && at->def->code != KD_OP_addptr))
            return failure;
        kd_affine more = sum_of(scope, kd_op_operand(at->def, 1), depth);
        kd_affine_add_all(&step, &more, 1);
        at = kd_op_operand(at->def, 0);
    }
    for (unsigned i = 0; i < step.n; i++)
        step.failed |= step.terms[i].axis != KD_NO_AXIS || kd_affine_term_varies(scope, &step.terms[i]);
    return at == arg ? step : failure;
}

/* Adds what a carried value has grown by in the iteration at hand: (counter - lower) / by * step. */
static void add_growth(kd_affine_scope *scope, kd_value *arg, unsigned depth, kd_affine *out)
{
    int64_t by;
    kd_affine step = step_of(scope, arg, depth), lower = sum_of(scope, kd_for_lower(scope->loop), depth);
    out->failed |= step.failed || lower.failed || !kd_value_constant_int(kd_for_step(scope->loop), &by) || by <= 0;
    for (unsigned i = 0; i < step.n && !out->failed; i++) {
        out->failed = step.terms[i].constant % by != 0;
        step.terms[i].constant /= by;
    }
    if (out->failed)
        return;
    kd_affine way = whole(kd_op_region(scope->loop, 0)->args[0]);
    kd_affine_add_all(&way, &lower, -1);
    way = product(&way, &step);
    kd_affine_add_all(out, &way, 1);
}

static bool is_carried(const kd_affine_scope *scope, const kd_value *v)
{
    return scope->loop && v->owner && v->owner == kd_op_region(scope->loop, 0) && v->index > 0;
}

/* ---- values ---- */

bool kd_reshaped_axis(const kd_type *from, const kd_type *to, unsigned axis, unsigned *out)
{
    unsigned i = 0;
    for (unsigned k = 0; k < to->rank; k++) {
        if (to->shape[k] == 1)
            continue;
        while (i < from->rank && from->shape[i] == 1)
            i++;
        if (i == from->rank || from->shape[i] != to->shape[k])
            return false;
        if (i++ == axis) {
            *out = k;
            return true;
        }
    }
    return false;
}

/* The same numbers behind a reshape or a permutation. */
static kd_affine move_axes(const kd_op *op, kd_affine a)
{
    const kd_type *from = kd_op_operand(op, 0)->type, *to = op->results[0].type;
    for (unsigned i = 0; i < a.n; i++) {
        unsigned axis = 0;
        if (a.terms[i].axis == KD_NO_AXIS)
            continue;
        if (op->code == KD_OP_permute)
            while (kd_permute_order(op).data[axis] != a.terms[i].axis)
                axis++;
        else if (!kd_type_is_tile(to) || !kd_reshaped_axis(from, to, (unsigned)a.terms[i].axis, &axis))
            return failure;
        a.terms[i].axis = (int)axis;
    }
    return a;
}

static kd_affine sum_of_moved(kd_affine_scope *scope, const kd_op *op, unsigned depth)
{
    unsigned before = scope->n_wraps;
    kd_affine a = move_axes(op, sum_of(scope, kd_op_operand(op, 0), depth));
    for (unsigned i = before; i < scope->n_wraps; i++)
        scope->wraps[i].inside = move_axes(op, scope->wraps[i].inside);
    return a;
}

static kd_affine sum_of_remainder(kd_affine_scope *scope, const kd_op *op, unsigned depth)
{
    kd_value *limit = kd_rem_b(op);
    kd_affine inside = sum_of(scope, kd_rem_a(op), depth);
    if (!scope->allows_wraps || scope->n_wraps == KD_MAX_WRAPS || !limit->def || limit->def->code != KD_OP_splat || inside.failed)
        return failure;
    scope->wraps[scope->n_wraps++] = (kd_affine_wrap){inside, kd_splat_scalar(limit->def)};
    return inside;
}

static kd_affine sum_of_binary(kd_affine_scope *scope, const kd_op *op, unsigned depth)
{
    kd_affine a = sum_of(scope, kd_op_operand(op, 0), depth), b = sum_of(scope, kd_op_operand(op, 1), depth);
    if (op->code == KD_OP_mul)
        return product(&a, &b);
    kd_affine_add_all(&a, &b, op->code == KD_OP_sub ? -1 : 1);
    return a;
}

static kd_affine sum_of_range(const kd_op *op)
{
    kd_affine out = number(kd_arange_start(op));
    kd_affine_add(&out, &(kd_affine_term){.constant = 1, .axis = 0}, 1);
    return out;
}

/* Sums of scalars from outside the loop stay whole: masks and offsets use the same. */
static bool stays_whole(const kd_affine_scope *scope, const kd_value *v)
{
    if (kd_type_is_tile(v->type))
        return false;
    if (!v->def || v->def->n_results != 1)
        return true;
    switch (v->def->code) {
    case KD_OP_constant:
    case KD_OP_cast:
    case KD_OP_mul: return false;
    case KD_OP_add:
    case KD_OP_sub: return is_outside(scope, v);
    default: return true;
    }
}

static kd_affine sum_of(kd_affine_scope *scope, kd_value *value, unsigned depth)
{
    int64_t constant;
    if (!depth || !kd_type_is_int_like(value->type) || kd_type_elem_bits(value->type) < 32)
        return failure;
    if (kd_value_constant_int(value, &constant))
        return number(constant);
    if (is_carried(scope, value)) {
        kd_affine out = sum_of(scope, kd_for_inits(scope->loop, value->index - 1), depth - 1);
        add_growth(scope, value, depth - 1, &out);
        return out;
    }
    if (stays_whole(scope, value))
        return whole(value);
    if (!value->def)
        return failure;
    switch (value->def->code) {
    case KD_OP_arange: return sum_of_range(value->def);
    case KD_OP_splat:
    case KD_OP_broadcast:
    case KD_OP_hint: return sum_of(scope, kd_op_operand(value->def, 0), depth - 1);
    case KD_OP_cast: {
        kd_affine inside = sum_of(scope, kd_op_operand(value->def, 0), depth - 1);
        return inside.failed && !kd_type_is_tile(value->type) ? whole(value) : inside;
    }
    case KD_OP_reshape:
    case KD_OP_permute: return sum_of_moved(scope, value->def, depth - 1);
    case KD_OP_rem: return sum_of_remainder(scope, value->def, depth - 1);
    case KD_OP_add:
    case KD_OP_sub:
    case KD_OP_mul: {
        kd_affine out = sum_of_binary(scope, value->def, depth - 1);
        return out.failed && !kd_type_is_tile(value->type) ? whole(value) : out;
    }
    default: return failure;
    }
}

kd_affine kd_affine_of(kd_affine_scope *scope, kd_value *value)
{
    return sum_of(scope, value, MAX_DEPTH);
}

static kd_affine pointers(kd_affine_scope *scope, kd_value *value, kd_value **out_base, unsigned depth)
{
    if (!depth)
        return failure;
    if (is_carried(scope, value)) {
        kd_affine out = pointers(scope, kd_for_inits(scope->loop, value->index - 1), out_base, depth - 1);
        add_growth(scope, value, depth - 1, &out);
        return out;
    }
    const kd_op *def = value->def;
    if (def && def->code == KD_OP_addptr) {
        kd_affine out = pointers(scope, kd_addptr_ptr(def), out_base, depth - 1),
                  more = sum_of(scope, kd_addptr_offset(def), depth - 1);
        kd_affine_add_all(&out, &more, 1);
        return out;
    }
    if (!kd_type_is_tile(value->type)) {
        *out_base = value;
        return is_outside(scope, value) ? (kd_affine){0} : failure;
    }
    if (def && (def->code == KD_OP_splat || def->code == KD_OP_broadcast || def->code == KD_OP_hint))
        return pointers(scope, kd_op_operand(def, 0), out_base, depth - 1);
    if (def && (def->code == KD_OP_reshape || def->code == KD_OP_permute)) {
        unsigned before = scope->n_wraps;
        kd_affine out = move_axes(def, pointers(scope, kd_op_operand(def, 0), out_base, depth - 1));
        for (unsigned i = before; i < scope->n_wraps; i++)
            scope->wraps[i].inside = move_axes(def, scope->wraps[i].inside);
        return out;
    }
    return failure;
}

kd_affine kd_affine_of_pointers(kd_affine_scope *scope, kd_value *value, kd_value **out_base)
{
    return pointers(scope, value, out_base, MAX_DEPTH);
}

/* ---- comparisons ---- */

static kd_pred turned(kd_pred pred)
{
    switch (pred) {
    case KD_PRED_LT: return KD_PRED_GT;
    case KD_PRED_LE: return KD_PRED_GE;
    case KD_PRED_GT: return KD_PRED_LT;
    case KD_PRED_GE: return KD_PRED_LE;
    default: return pred;
    }
}

bool kd_affine_of_comparison(kd_affine_scope *scope, const kd_op *cmp, kd_affine *out, unsigned *out_axis, bool *out_is_lower)
{
    kd_pred pred = kd_cmp_pred(cmp);
    kd_affine sum = kd_affine_of(scope, kd_cmp_a(cmp)), b = kd_affine_of(scope, kd_cmp_b(cmp));
    kd_affine_add_all(&sum, &b, -1);
    const kd_affine_term one = {.constant = 1, .axis = KD_NO_AXIS};
    kd_affine_term index = {.constant = 1, .axis = 0};
    while (index.axis < KD_MAX_RANK && kd_affine_constant_of(&sum, &index) == 0)
        index.axis++;
    if (sum.failed || index.axis == KD_MAX_RANK || pred == KD_PRED_EQ || pred == KD_PRED_NE)
        return false;
    if (kd_affine_constant_of(&sum, &index) == -1) { /* size > index */
        kd_affine negative = {0};
        kd_affine_add_all(&negative, &sum, -1);
        sum = negative;
        pred = turned(pred);
    }
    if (pred == KD_PRED_LE || pred == KD_PRED_GT)
        kd_affine_add(&sum, &one, -1);
    kd_affine_add(&sum, &index, -1);
    for (unsigned i = 0; i < sum.n; i++)
        if (sum.terms[i].axis != KD_NO_AXIS)
            return false;
    *out = sum;
    *out_axis = (unsigned)index.axis;
    *out_is_lower = pred == KD_PRED_GE || pred == KD_PRED_GT;
    return !sum.failed;
}

/* ---- as values ---- */

bool kd_affine_is_non_negative(const kd_affine *a, const kd_axis_info *info)
{
    bool good = !a->failed;
    for (unsigned i = 0; i < a->n && good; i++) {
        good = a->terms[i].constant > 0;
        for (unsigned f = 0; f < a->terms[i].n_factors && good; f++)
            good = kd_axis_info_is_non_negative(info, a->terms[i].factors[f]);
    }
    return good;
}

static kd_value *binary(kd_builder *b, kd_opcode code, kd_loc loc, kd_value *x, kd_value *y)
{
    kd_value *operands[] = {x, y};
    return kd_result(kd_build_op(b, code, loc, operands, 2, &x->type, 1, NULL));
}

kd_value *kd_affine_build(kd_builder *b, kd_loc loc, const kd_affine *a, const kd_type *type, const kd_value *from, kd_value *to)
{
    kd_value *sum = NULL;
    for (unsigned i = 0; i < a->n; i++) {
        const kd_affine_term *t = &a->terms[i];
        kd_value *part = NULL;
        for (unsigned f = 0; f < t->n_factors; f++) {
            kd_value *factor = t->factors[f] == from ? to : t->factors[f];
            if (factor->type != type)
                factor = kd_result(kd_build_cast(b, (kd_cast_args){.loc = loc, .value = factor, .type = type}));
            part = part ? binary(b, KD_OP_mul, loc, part, factor) : factor;
        }
        if (!part || t->constant != 1) {
            kd_value *constant = kd_build_int(b, loc, type, t->constant);
            part = part ? binary(b, KD_OP_mul, loc, part, constant) : constant;
        }
        sum = sum ? binary(b, KD_OP_add, loc, sum, part) : part;
    }
    return sum ? sum : kd_build_int(b, loc, type, 0);
}
