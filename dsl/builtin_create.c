/* builtin_create.c - builtins that make values from nothing: program ids, ranges, filled tiles; and promises about values. */
#include "dsl/builtin_impl.h"

kd_dval kd_b_program_id(kd_lower *lw, kd_bcall *c)
{
    int64_t axis;
    if (!kd_arg_int(lw, c, 0, &axis))
        return KD_D_ERR;
    if (axis < 0 || axis > 2) {
        kd_error(lw->diags, c->at[0], "'%s' takes axis 0, 1 or 2, not %lld", c->name, (long long)axis);
        return KD_D_ERR;
    }
    const kd_type *i32 = kd_type_scalar(lw->ctx, KD_I32);
    if (c->row->data)
        return kd_d_tensor(KD_BUILD(num_programs, .loc = c->loc, .type = i32, .axis = axis));
    return kd_d_tensor(KD_BUILD(program_id, .loc = c->loc, .type = i32, .axis = axis));
}

kd_dval kd_b_arange(kd_lower *lw, kd_bcall *c)
{
    int64_t start, end;
    if (!kd_arg_int(lw, c, 0, &start) || !kd_arg_int(lw, c, 1, &end))
        return KD_D_ERR;
    if (start < 0 || end > INT32_MAX || start > INT32_MAX || end <= start) {
        kd_error(lw->diags, c->loc, "'tl.arange' needs 0 <= start < end below 2**31, but start is %lld and end is %lld", (long long)start,
                 (long long)end);
        return KD_D_ERR;
    }
    int64_t n = end - start;
    if (n & (n - 1)) {
        kd_error(lw->diags, c->loc, "the length of 'tl.arange' must be a power of 2, not %lld", (long long)n);
        return KD_D_ERR;
    }
    if (!kd_shape_check(lw, c->loc, c->name, 1, &n))
        return KD_D_ERR;
    return kd_d_tensor(KD_BUILD(arange, .loc = c->loc, .start = start, .type = kd_type_tile(lw->ctx, kd_type_scalar(lw->ctx, KD_I32), 1, &n)));
}

/* A number (or a tensor of one element) as an element of that type, in every element of a shape. */
static kd_dval fill(kd_lower *lw, kd_bcall *c, kd_dval value, kd_loc at, const kd_type *elem, unsigned rank, const int64_t *shape)
{
    if (elem->kind == KD_TYPE_PTR)
        value = kd_cast_to_type(lw, at, kd_d_int(0), elem, KD_ROUND_NEAREST_EVEN);
    else if (kd_d_is_number(value) && kd_d_is_int(value) && kd_scalar_is_int(elem->scalar))
        value = kd_d_tensor(kd_build_int(&lw->b, c->loc, elem, (int64_t)(uint64_t)value.integer)); /* wraps: tl.full((), -1, tl.uint32) */
    else if (kd_d_is_number(value) && (kd_scalar_is_float(elem->scalar) || elem->scalar == KD_I1 || value.real == 0))
        value = kd_literal_as(lw, at, elem->scalar == KD_I1 || !kd_scalar_is_float(elem->scalar) ? kd_d_bool(value.real != 0) : value, elem->scalar);
    else
        value = kd_cast_to_type(lw, at, value, elem, KD_ROUND_NEAREST_EVEN);
    if (kd_d_is_error(value))
        return value;
    kd_value *v = value.value;
    if (kd_type_is_tile(v->type) && v->type->n_elems == 1)
        v = kd_value_reshape(lw, c->loc, v, 0, NULL);
    if (kd_type_is_tile(v->type)) {
        kd_error(lw->diags, at, "'%s' fills with one number, not with %s", c->name, kd_d_type_text(lw, v->type));
        return KD_D_ERR;
    }
    return kd_broadcast_to(lw, c->loc, kd_d_tensor(v), rank, shape);
}

/* full(shape, value, dtype); zeros(shape, dtype). */
kd_dval kd_b_full(kd_lower *lw, kd_bcall *c)
{
    bool is_zeros = c->row->data;
    int64_t shape[KD_MAX_RANK];
    unsigned rank;
    const kd_type *type;
    if (!kd_arg_ints(lw, c, 0, "extents", shape, KD_MAX_RANK, &rank) || !kd_arg_type(lw, c, is_zeros ? 1 : 2, &type) ||
        !kd_shape_check(lw, c->at[0], c->name, rank, shape))
        return KD_D_ERR;
    if (is_zeros)
        return fill(lw, c, kd_d_int(0), c->loc, kd_type_elem(type), rank, shape);
    return fill(lw, c, c->arg[1], c->at[1], kd_type_elem(type), rank, shape);
}

kd_dval kd_b_full_like(kd_lower *lw, kd_bcall *c)
{
    kd_value *like;
    if (!kd_arg_tensor(lw, c, 0, &like))
        return KD_D_ERR;
    kd_dval value = c->row->data ? c->arg[1] : kd_d_int(0);
    return fill(lw, c, value, c->loc, kd_type_elem(like->type), like->type->rank, like->type->shape);
}

/* ---- ranges ---- */

static bool check_bound(kd_lower *lw, kd_bcall *c, unsigned i, bool is_static)
{
    kd_dval v = c->arg[i];
    bool fits = kd_d_is_int(v);
    if (v.kind == KD_D_TENSOR && !is_static)
        fits = !kd_type_is_tile(v.value->type) && kd_type_is_int_like(v.value->type);
    if (!fits)
        kd_arg_bad(lw, c, i, is_static ? "a compile-time integer" : "an integer");
    return fits;
}

static bool hint_of(kd_lower *lw, kd_bcall *c, unsigned i, unsigned *out)
{
    int64_t value = 0;
    if (kd_arg_given(c, i) && !kd_arg_int(lw, c, i, &value))
        return false;
    *out = value > 0 && value < 1024 ? (unsigned)value : 0;
    return true;
}

kd_dval kd_b_range(kd_lower *lw, kd_bcall *c)
{
    kd_drange *range = kd_arena_new(lw->arena, kd_drange);
    range->is_static = c->row->data;
    bool has_stop = kd_arg_given(c, 1), has_step = kd_arg_given(c, 2);
    if (!check_bound(lw, c, 0, range->is_static) || (has_stop && !check_bound(lw, c, 1, range->is_static)) ||
        (has_step && !check_bound(lw, c, 2, range->is_static)))
        return KD_D_ERR;
    range->start = has_stop ? c->arg[0] : kd_d_int(0);
    range->stop = has_stop ? c->arg[1] : c->arg[0];
    range->step = has_step ? c->arg[2] : kd_d_int(1);
    if (kd_d_is_int(range->step) && range->step.integer == 0) {
        kd_error(lw->diags, c->at[2], "the step of '%s' is 0", c->name);
        return KD_D_ERR;
    }
    if (strcmp(c->row->space, "tl") == 0 && !range->is_static && (!hint_of(lw, c, 3, &range->num_stages) || !hint_of(lw, c, 4, &range->unroll)))
        return KD_D_ERR;
    return (kd_dval){.kind = KD_D_RANGE, .loc = c->loc, .range = range};
}

/* ---- promises ---- */

kd_dval kd_b_hint(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    int64_t values[KD_MAX_RANK];
    unsigned n;
    if (kd_d_is_number(c->arg[0])) /* says nothing that the number does not */
        return c->arg[0];
    if (!kd_arg_tensor(lw, c, 0, &v) || !kd_arg_ints(lw, c, 1, "values", values, KD_MAX_RANK, &n))
        return KD_D_ERR;
    unsigned rank = v->type->rank ? v->type->rank : 1;
    if (n != rank) {
        kd_error(lw->diags, c->at[1], "'%s' takes one value an axis: %u for %s, but %u are given", c->name, rank, kd_d_type_text(lw, v->type), n);
        return KD_D_ERR;
    }
    kd_hint_args args = {.loc = c->loc, .value = v};
    kd_ints ints = {values, n};
    if (c->row->data == 0)
        args.divisibility = ints;
    else if (c->row->data == 1)
        args.contiguity = ints;
    else
        args.constancy = ints;
    return kd_d_tensor(kd_result(kd_build_hint(&lw->b, args)));
}

kd_dval kd_b_assume(kd_lower *lw, kd_bcall *c)
{
    if (c->arg[0].kind != KD_D_TENSOR) {
        bool holds;
        if (!kd_const_truth(lw, c->at[0], c->arg[0], &holds))
            return KD_D_ERR;
        return kd_d_none();
    }
    kd_dval cond = kd_tensor_truth(lw, c->at[0], c->arg[0]);
    if (kd_d_is_error(cond))
        return cond;
    if (!kd_type_is_tile(cond.value->type)) /* of a tile nothing is gained */
        kd_build_assume(&lw->b, (kd_assume_args){.loc = c->loc, .condition = cond.value});
    return kd_d_none();
}

kd_dval kd_b_debug_barrier(kd_lower *lw, kd_bcall *c)
{
    kd_build_barrier(&lw->b, (kd_barrier_args){.loc = c->loc});
    return kd_d_none();
}

kd_dval kd_b_num_threads(kd_lower *lw, kd_bcall *c)
{
    return kd_d_int(c->row->data ? lw->num_warps : lw->num_warps * 32);
}
