/* builtin_args.c - what handlers read from their arguments. */
#include "dsl/builtin_impl.h"

void kd_arg_bad(kd_lower *lw, const kd_bcall *c, unsigned i, const char *expected)
{
    kd_str name = kd_param_name(c, i);
    if (c->arg[i].kind != KD_D_ERROR)
        kd_error(lw->diags, c->at[i], "'%.*s' of '%s' must be %s, not %s", KD_STR_ARG(name), c->name, expected, kd_d_describe(lw, c->arg[i]));
}

static bool as_int64(kd_dval v, int64_t *out)
{
    if (!kd_d_is_int(v) || v.integer < INT64_MIN || v.integer > INT64_MAX)
        return false;
    *out = (int64_t)v.integer;
    return true;
}

bool kd_arg_int(kd_lower *lw, const kd_bcall *c, unsigned i, int64_t *out)
{
    if (as_int64(c->arg[i], out))
        return true;
    kd_arg_bad(lw, c, i, "a compile-time integer");
    return false;
}

bool kd_arg_bool(kd_lower *lw, const kd_bcall *c, unsigned i, bool *out)
{
    if (c->arg[i].kind == KD_D_TENSOR) {
        kd_arg_bad(lw, c, i, "known at compile time");
        return false;
    }
    return kd_const_truth(lw, c->at[i], c->arg[i], out);
}

bool kd_arg_text(kd_lower *lw, const kd_bcall *c, unsigned i, kd_str *out)
{
    *out = (kd_str){0};
    if (c->arg[i].kind == KD_D_STRING)
        *out = c->arg[i].text;
    else if (c->arg[i].kind != KD_D_NONE) {
        kd_arg_bad(lw, c, i, "a string");
        return false;
    }
    return true;
}

bool kd_arg_type(kd_lower *lw, const kd_bcall *c, unsigned i, const kd_type **out)
{
    kd_scalar s;
    if (c->arg[i].kind == KD_D_DTYPE)
        *out = c->arg[i].type;
    else if (c->arg[i].kind == KD_D_STRING && kd_scalar_parse(c->arg[i].text, &s))
        *out = kd_type_scalar(lw->ctx, s);
    else {
        kd_arg_bad(lw, c, i, "a type");
        return false;
    }
    return true;
}

bool kd_arg_tensor(kd_lower *lw, const kd_bcall *c, unsigned i, kd_value **out)
{
    if (c->arg[i].kind != KD_D_TENSOR && !kd_d_is_number(c->arg[i])) {
        kd_arg_bad(lw, c, i, "a tensor");
        return false;
    }
    kd_dval v = kd_to_tensor(lw, c->at[i], c->arg[i]);
    *out = v.value;
    return v.kind == KD_D_TENSOR;
}

bool kd_arg_axis(kd_lower *lw, const kd_bcall *c, unsigned i, unsigned rank, unsigned *out)
{
    int64_t axis;
    if (!kd_arg_int(lw, c, i, &axis))
        return false;
    if (axis < -(int64_t)rank || axis >= (int64_t)rank) {
        kd_error(lw->diags, c->at[i], "'%s' of axis %lld, but the tensor has rank %u", c->name, (long long)axis, rank);
        return false;
    }
    *out = (unsigned)(axis < 0 ? axis + rank : axis);
    return true;
}

static bool ints_of(kd_lower *lw, const kd_bcall *c, kd_loc loc, const kd_dval *items, unsigned n, const char *what, int64_t *out, unsigned max,
                    unsigned *out_n)
{
    if (n > max) {
        kd_error(lw->diags, loc, "'%s' takes at most %u %s, but %u are given", c->name, max, what, n);
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        if (!as_int64(items[i], &out[i])) {
            if (items[i].kind != KD_D_ERROR)
                kd_error(lw->diags, loc, "the %s of '%s' must be compile-time integers, but number %u is %s", what, c->name, i,
                         kd_d_describe(lw, items[i]));
            return false;
        }
    *out_n = n;
    return true;
}

bool kd_arg_ints(kd_lower *lw, const kd_bcall *c, unsigned i, const char *what, int64_t *out, unsigned max, unsigned *out_n)
{
    if (c->arg[i].kind == KD_D_TUPLE)
        return ints_of(lw, c, c->at[i], c->arg[i].tuple.items, c->arg[i].tuple.n, what, out, max, out_n);
    return ints_of(lw, c, c->at[i], &c->arg[i], 1, what, out, max, out_n);
}

bool kd_rest_ints(kd_lower *lw, const kd_bcall *c, const char *what, int64_t *out, unsigned max, unsigned *out_n)
{
    if (c->n_rest == 1 && c->rest[0].value.kind == KD_D_TUPLE)
        return ints_of(lw, c, c->rest[0].loc, c->rest[0].value.tuple.items, c->rest[0].value.tuple.n, what, out, max, out_n);
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, c->n_rest);
    for (unsigned i = 0; i < c->n_rest; i++)
        items[i] = c->rest[i].value;
    return ints_of(lw, c, c->n_rest ? c->rest[0].loc : c->loc, items, c->n_rest, what, out, max, out_n);
}

/* ---- values ---- */

kd_dval kd_d_shape(kd_lower *lw, const kd_type *type)
{
    kd_dval items[KD_MAX_RANK];
    for (unsigned i = 0; i < type->rank; i++)
        items[i] = kd_d_int(type->shape[i]);
    return kd_d_tuple(lw, items, type->rank);
}

kd_value *kd_value_permute(kd_lower *lw, kd_loc loc, kd_value *v, const int64_t *order)
{
    int64_t shape[KD_MAX_RANK] = {0};
    unsigned rank = v->type->rank;
    bool moves = false;
    for (unsigned i = 0; i < rank; i++) {
        shape[i] = v->type->shape[order[i]];
        moves |= order[i] != i;
    }
    const kd_type *type = kd_type_with_shape(lw->ctx, v->type, rank, shape);
    return moves ? KD_BUILD(permute, .loc = loc, .tile = v, .type = type, .order = {order, rank}) : v;
}

kd_value *kd_value_math(kd_lower *lw, kd_loc loc, kd_math fn, kd_value *v)
{
    return KD_BUILD(math, .loc = loc, .inputs = &v, .n_inputs = 1, .fn = fn);
}

kd_value *kd_value_iota(kd_lower *lw, kd_loc loc, unsigned rank, const int64_t *shape, unsigned axis)
{
    const kd_type *i32 = kd_type_scalar(lw->ctx, KD_I32);
    kd_value *line = KD_BUILD(arange, .loc = loc, .type = kd_type_tile(lw->ctx, i32, 1, &shape[axis]));
    int64_t along[KD_MAX_RANK];
    for (unsigned i = 0; i < rank; i++)
        along[i] = i == axis ? shape[i] : 1;
    line = kd_value_reshape(lw, loc, line, rank, along);
    return kd_broadcast_to(lw, loc, kd_d_tensor(line), rank, shape).value;
}
