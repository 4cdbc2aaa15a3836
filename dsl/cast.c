/* cast.c - one value to another type or shape: literals to tensors, casts, bitcasts, splats and broadcasts. */
#include "dsl/dsl_impl.h"
#include "dsl/promote_impl.h"

#include <math.h>
#include <stdlib.h>

/* ---- literals ---- */

bool kd_literal_scalar(kd_lower *lw, kd_loc loc, kd_dval v, kd_scalar *out)
{
    const __int128 one = 1;
    if (v.kind == KD_D_BOOL) {
        *out = KD_I1;
    } else if (v.kind == KD_D_FLOAT) {
        double magnitude = fabs(v.real);
        bool is_f32 = !isfinite(v.real) || magnitude == 0 || (magnitude >= 0x1p-126 && magnitude <= 0x1.fffffep127);
        *out = is_f32 ? KD_F32 : KD_F64;
    } else if (v.integer >= -(one << 63) && v.integer < one << 64) {
        if (v.integer >= -(one << 31) && v.integer < one << 32)
            *out = v.integer < one << 31 ? KD_I32 : KD_U32;
        else
            *out = v.integer < one << 63 ? KD_I64 : KD_U64;
    } else {
        kd_error(lw->diags, loc, "%s does not fit in 64 bits", kd_d_describe(lw, v));
        return false;
    }
    return true;
}

static void int_range(kd_scalar s, __int128 *out_low, __int128 *out_high)
{
    unsigned bits = kd_scalar_bits(s);
    bool is_unsigned = kd_scalar_is_unsigned(s);
    *out_low = is_unsigned ? 0 : -((__int128)1 << (bits - 1));
    *out_high = ((__int128)1 << (is_unsigned ? bits : bits - 1)) - 1;
}

kd_dval kd_literal_as(kd_lower *lw, kd_loc loc, kd_dval v, kd_scalar s)
{
    const kd_type *type = kd_type_scalar(lw->ctx, s);
    if (kd_scalar_is_float(s))
        return kd_d_tensor(kd_build_float(&lw->b, loc, type, v.kind == KD_D_FLOAT ? v.real : (double)v.integer));
    if (v.kind == KD_D_FLOAT) {
        kd_error(lw->diags, loc, "%s is not an integer, but %s is wanted", kd_d_describe(lw, v), kd_d_type_text(lw, type));
        return KD_D_ERR;
    }
    __int128 low, high;
    int_range(s, &low, &high);
    if (v.integer < low || v.integer > high) {
        kd_error(lw->diags, loc, "%s is out of range for %s", kd_d_describe(lw, v), kd_d_type_text(lw, type));
        return KD_D_ERR;
    }
    return kd_d_tensor(kd_build_int(&lw->b, loc, type, (int64_t)v.integer));
}

kd_dval kd_to_tensor(kd_lower *lw, kd_loc loc, kd_dval v)
{
    kd_scalar s;
    if (v.kind == KD_D_TENSOR || v.kind == KD_D_ERROR)
        return v;
    if (kd_d_is_number(v))
        return kd_literal_scalar(lw, loc, v, &s) ? kd_literal_as(lw, loc, v, s) : KD_D_ERR;
    if (v.kind == KD_D_UNKNOWN)
        kd_error(lw->diags, loc, "%s", kd_d_describe(lw, v));
    else
        kd_error(lw->diags, loc, "%s is not a number or tensor", kd_d_describe(lw, v));
    return KD_D_ERR;
}

/* ---- casts ---- */

static kd_value *number_cast(kd_lower *lw, kd_loc loc, kd_value *v, kd_scalar s, kd_rounding rounding)
{
    const kd_type *type = kd_type_with_scalar(lw->ctx, v->type, s);
    return kd_result(kd_build_cast(&lw->b, (kd_cast_args){.loc = loc, .value = v, .type = type, .rounding = rounding}));
}

kd_value *kd_value_cast(kd_lower *lw, kd_loc loc, kd_value *v, kd_scalar s)
{
    kd_number number;
    const kd_type *from = kd_type_elem(v->type);
    if (from->kind == KD_TYPE_SCALAR && from->scalar == s)
        return v;
    /* Constants change type on the spot where no digit is lost, so that the text stays short. */
    if (kd_value_constant(v, &number) && !number.is_float && from->kind == KD_TYPE_SCALAR) {
        const kd_type *type = kd_type_with_scalar(lw->ctx, v->type, s);
        bool fits = from->scalar != KD_U64 && llabs(number.i) < 1 << 24;
        if (s == KD_I1)
            return kd_build_int(&lw->b, loc, type, number.i != 0);
        if (fits)
            return kd_build_int(&lw->b, loc, type, number.i);
    }
    return number_cast(lw, loc, v, s, KD_ROUND_NEAREST_EVEN);
}

static kd_dval cast_pointer(kd_lower *lw, kd_loc loc, kd_value *v, kd_scalar s)
{
    const kd_type *as_int = kd_type_with_scalar(lw->ctx, v->type, s == KD_U64 ? KD_U64 : KD_I64);
    if (s != KD_I64 && s != KD_U64 && s != KD_I1) {
        kd_error(lw->diags, loc, "a pointer can become int64, uint64 or int1, but not %s", kd_d_type_text(lw, kd_type_scalar(lw->ctx, s)));
        return KD_D_ERR;
    }
    kd_value *bits = kd_result(kd_build_bitcast(&lw->b, (kd_bitcast_args){.loc = loc, .value = v, .type = as_int}));
    return kd_d_tensor(s == KD_I1 ? kd_value_cast(lw, loc, bits, KD_I1) : bits);
}

kd_dval kd_tensor_cast(kd_lower *lw, kd_loc loc, kd_dval v, kd_scalar s, kd_rounding rounding)
{
    v = kd_to_tensor(lw, loc, v);
    if (v.kind != KD_D_TENSOR)
        return v;
    const kd_type *from = kd_type_elem(v.value->type);
    if (from->kind == KD_TYPE_PTR)
        return cast_pointer(lw, loc, v.value, s);
    if (from->scalar == s)
        return v;
    if (rounding == KD_ROUND_TOWARD_ZERO)
        return kd_d_tensor(number_cast(lw, loc, v.value, s, rounding));
    /* 16-bit floats go to other types through fp32, as in Triton; between each other it is one rounding. */
    bool is_half = from->scalar == KD_F16 || from->scalar == KD_BF16, to_half = s == KD_F16 || s == KD_BF16;
    kd_value *value = v.value;
    if (is_half && !to_half && s != KD_F32 && !kd_scalar_is_fp8(s) && s != KD_I1)
        value = kd_value_cast(lw, loc, value, KD_F32);
    return kd_d_tensor(kd_value_cast(lw, loc, value, s));
}

/* To a pointer type from a pointer or an integer. */
static kd_dval cast_to_pointer(kd_lower *lw, kd_loc loc, kd_value *v, const kd_type *ptr)
{
    const kd_type *to = kd_type_with_elem(lw->ctx, v->type, ptr);
    if (kd_type_is_float_like(v->type)) {
        kd_error(lw->diags, loc, "%s cannot become %s", kd_d_type_text(lw, v->type), kd_d_type_text(lw, ptr));
        return KD_D_ERR;
    }
    if (v->type == to)
        return kd_d_tensor(v);
    if (kd_type_is_int_like(v->type) && kd_type_elem_bits(v->type) != 64)
        v = kd_value_cast(lw, loc, v, kd_scalar_is_unsigned(kd_type_elem(v->type)->scalar) ? KD_U64 : KD_I64);
    return kd_d_tensor(kd_result(kd_build_bitcast(&lw->b, (kd_bitcast_args){.loc = loc, .value = v, .type = to})));
}

kd_dval kd_tensor_bitcast(kd_lower *lw, kd_loc loc, kd_dval v, const kd_type *elem)
{
    v = kd_to_tensor(lw, loc, v);
    if (v.kind != KD_D_TENSOR)
        return v;
    elem = kd_type_elem(elem);
    const kd_type *from = kd_type_elem(v.value->type), *to = kd_type_with_elem(lw->ctx, v.value->type, elem);
    if (from == elem)
        return v;
    if (elem->kind == KD_TYPE_PTR)
        return cast_to_pointer(lw, loc, v.value, elem);
    if (from->kind == KD_TYPE_PTR)
        return cast_pointer(lw, loc, v.value, elem->scalar);
    if (kd_type_elem_bits(from) != kd_type_elem_bits(elem)) {
        kd_error(lw->diags, loc, "cannot bitcast %s to %s: %u bits against %u", kd_d_type_text(lw, from), kd_d_type_text(lw, elem),
                 kd_type_elem_bits(from), kd_type_elem_bits(elem));
        return KD_D_ERR;
    }
    return kd_d_tensor(kd_result(kd_build_bitcast(&lw->b, (kd_bitcast_args){.loc = loc, .value = v.value, .type = to})));
}

kd_dval kd_cast_to_type(kd_lower *lw, kd_loc loc, kd_dval v, const kd_type *type, kd_rounding rounding)
{
    const kd_type *elem = kd_type_elem(type);
    if (elem->kind == KD_TYPE_SCALAR)
        return kd_tensor_cast(lw, loc, v, elem->scalar, rounding);
    v = kd_to_tensor(lw, loc, v);
    return v.kind == KD_D_TENSOR ? cast_to_pointer(lw, loc, v.value, elem) : v;
}

kd_dval kd_tensor_truth(kd_lower *lw, kd_loc loc, kd_dval v)
{
    v = kd_to_tensor(lw, loc, v);
    return v.kind == KD_D_TENSOR ? kd_tensor_cast(lw, loc, v, KD_I1, KD_ROUND_NEAREST_EVEN) : v;
}

/* ---- shapes ---- */

kd_value *kd_value_reshape(kd_lower *lw, kd_loc loc, kd_value *v, unsigned rank, const int64_t *shape)
{
    const kd_type *type = kd_type_with_shape(lw->ctx, v->type, rank, shape);
    if (type == v->type)
        return v;
    kd_op *constant = kd_value_def_as(v, KD_OP_constant);
    if (constant)
        return kd_result(kd_build_constant(&lw->b, (kd_constant_args){.loc = loc, .type = type, .value = kd_constant_value(constant)}));
    return kd_result(kd_build_reshape(&lw->b, (kd_reshape_args){.loc = loc, .tile = v, .type = type}));
}

/* v in that shape, where it fits by splat, new leading axes and stretched ones. */
static kd_value *stretch(kd_lower *lw, kd_loc loc, kd_value *v, unsigned rank, const int64_t *shape)
{
    const kd_type *type = kd_type_with_shape(lw->ctx, v->type, rank, shape);
    if (!kd_type_is_tile(v->type))
        return kd_build_splat_to(&lw->b, loc, v, type);
    int64_t padded[KD_MAX_RANK];
    for (unsigned i = 0; i < rank; i++)
        padded[i] = i < rank - v->type->rank ? 1 : v->type->shape[i - (rank - v->type->rank)];
    v = kd_value_reshape(lw, loc, v, rank, padded);
    if (v->type == type)
        return v;
    kd_op *constant = kd_value_def_as(v, KD_OP_constant);
    if (constant)
        return kd_result(kd_build_constant(&lw->b, (kd_constant_args){.loc = loc, .type = type, .value = kd_constant_value(constant)}));
    return kd_result(kd_build_broadcast(&lw->b, (kd_broadcast_args){.loc = loc, .tile = v, .type = type}));
}

bool kd_shape_check(kd_lower *lw, kd_loc loc, const char *what, unsigned rank, const int64_t *shape)
{
    int64_t n = 1;
    if (rank > KD_MAX_RANK) {
        kd_error(lw->diags, loc, "'%s' makes a tile of %u axes, but %d is the limit", what, rank, KD_MAX_RANK);
        return false;
    }
    for (unsigned i = 0; i < rank; i++) {
        if (shape[i] <= 0 || (shape[i] & (shape[i] - 1))) {
            kd_error(lw->diags, loc, "'%s' needs extents that are powers of 2, but axis %u has %lld", what, i, (long long)shape[i]);
            return false;
        }
        if (shape[i] > KD_MAX_TILE_ELEMS || n > KD_MAX_TILE_ELEMS / shape[i]) {
            kd_error(lw->diags, loc, "'%s' makes a tile of more than %d elements", what, KD_MAX_TILE_ELEMS);
            return false;
        }
        n *= shape[i];
    }
    return true;
}

bool kd_broadcast_pair(kd_lower *lw, kd_loc loc, const char *operation, kd_dval *a, kd_dval *b)
{
    *a = kd_to_tensor(lw, loc, *a);
    *b = kd_to_tensor(lw, loc, *b);
    if (a->kind != KD_D_TENSOR || b->kind != KD_D_TENSOR)
        return false;
    const kd_type *ta = a->value->type, *tb = b->value->type;
    unsigned rank = ta->rank > tb->rank ? ta->rank : tb->rank;
    if (kd_type_same_shape(ta, tb))
        return true;
    int64_t shape[KD_MAX_RANK];
    for (unsigned i = 0; i < rank; i++) {
        int64_t x = i + ta->rank < rank ? 1 : ta->shape[i + ta->rank - rank], y = i + tb->rank < rank ? 1 : tb->shape[i + tb->rank - rank];
        if (x != y && x != 1 && y != 1) {
            kd_error(lw->diags, loc, "'%s' cannot combine the shapes of %s and %s: axis %u has %lld and %lld", operation, kd_d_type_text(lw, ta),
                     kd_d_type_text(lw, tb), i, (long long)x, (long long)y);
            return false;
        }
        shape[i] = x == 1 ? y : x;
    }
    if (!kd_shape_check(lw, loc, operation, rank, shape))
        return false;
    a->value = stretch(lw, loc, a->value, rank, shape);
    b->value = stretch(lw, loc, b->value, rank, shape);
    return true;
}

kd_dval kd_broadcast_to(kd_lower *lw, kd_loc loc, kd_dval v, unsigned rank, const int64_t *shape)
{
    v = kd_to_tensor(lw, loc, v);
    if (v.kind != KD_D_TENSOR)
        return v;
    const kd_type *type = v.value->type, *to = kd_type_with_shape(lw->ctx, type, rank, shape);
    bool fits = type->rank == rank || type->rank == 0;
    for (unsigned i = 0; fits && i < type->rank; i++)
        fits = type->shape[i] == 1 || type->shape[i] == shape[i];
    if (!fits) {
        kd_error(lw->diags, loc, "%s cannot be broadcast to %s", kd_d_type_text(lw, type), kd_d_type_text(lw, to));
        return KD_D_ERR;
    }
    return kd_d_tensor(stretch(lw, loc, v.value, rank, shape));
}
