/* builtin_type.c - types as values: what kernels ask of x.dtype, and how they make types. */
#include "dsl/builtin_impl.h"

#include <math.h>

kd_dval kd_b_tensor_shape(kd_lower *lw, kd_bcall *c)
{
    const kd_type *type = c->arg[0].value->type;
    return c->row->data ? kd_d_int(type->n_elems) : kd_d_shape(lw, type);
}

kd_dval kd_b_tensor_dtype(kd_lower *lw, kd_bcall *c)
{
    const kd_type *type = c->arg[0].value->type;
    return kd_d_dtype(c->row->data ? type : kd_type_elem(type));
}

/* ---- of types ---- */

/* element_ty: of a tile its element, of a pointer what it points to; scalar (data 1): of a tile its element. */
kd_dval kd_b_dtype_element(kd_lower *lw, kd_bcall *c)
{
    const kd_type *type = c->arg[0].type;
    if (c->row->data || kd_type_is_tile(type))
        return kd_d_dtype(kd_type_elem(type));
    if (type->kind == KD_TYPE_PTR)
        return kd_d_dtype(type->elem);
    kd_error(lw->diags, c->loc, "%s is not a pointer type, so it has no element_ty", kd_d_type_text(lw, type));
    return KD_D_ERR;
}

kd_dval kd_b_dtype_shape(kd_lower *lw, kd_bcall *c)
{
    const kd_type *type = c->arg[0].type;
    return c->row->data ? kd_d_int(type->n_elems) : kd_d_shape(lw, type);
}

/* 0: primitive_bitwidth 1: int_bitwidth 2: itemsize 3: fp_mantissa_width 4: exponent_bias */
kd_dval kd_b_dtype_bits(kd_lower *lw, kd_bcall *c)
{
    static const struct {
        signed char fraction, bias;
    } FLOATS[KD_N_SCALARS] = {[KD_F8E4NV] = {3, 7},   [KD_F8E5] = {2, 15},  [KD_F8E4B8] = {3, 8},  [KD_F8E5B16] = {2, 16}, [KD_F8E4B15] = {3, 15},
                              [KD_F16] = {10, 15}, [KD_BF16] = {7, 127}, [KD_F32] = {23, 127}, [KD_F64] = {52, 255}};
    const kd_type *elem = kd_type_elem(c->arg[0].type);
    unsigned bits = kd_type_elem_bits(elem);
    int what = c->row->data;
    bool is_float = elem->kind == KD_TYPE_SCALAR && kd_scalar_is_float(elem->scalar);
    if ((what == 1 && is_float) || (what > 2 && !is_float)) {
        kd_error(lw->diags, c->loc, "%s has no attribute '%s'", kd_d_describe(lw, c->arg[0]), c->row->name);
        return KD_D_ERR;
    }
    if (what == 2)
        return kd_d_int((bits + 7) / 8);
    if (what == 3)
        return kd_d_int(FLOATS[elem->scalar].fraction);
    if (what == 4)
        return kd_d_int(elem->scalar == KD_F64 ? 1023 : FLOATS[elem->scalar].bias);
    return kd_d_int(bits);
}

kd_dval kd_b_dtype_name(kd_lower *lw, kd_bcall *c)
{
    const kd_type *elem = kd_type_elem(c->arg[0].type);
    if (c->row->data && elem->kind == KD_TYPE_SCALAR)
        return kd_d_string(kd_str_of(kd_scalar_is_unsigned(elem->scalar) ? "unsigned" : "signed"));
    return kd_d_string(kd_str_of(kd_d_type_text(lw, c->arg[0].type)));
}

kd_dval kd_b_dtype_with(kd_lower *lw, kd_bcall *c)
{
    const kd_type *elem;
    return kd_arg_type(lw, c, 1, &elem) ? kd_d_dtype(kd_type_with_elem(lw->ctx, c->arg[0].type, kd_type_elem(elem))) : KD_D_ERR;
}

kd_dval kd_b_dtype_limit(kd_lower *lw, kd_bcall *c)
{
    const kd_type *elem = kd_type_elem(c->arg[0].type);
    if (elem->kind != KD_TYPE_SCALAR || kd_scalar_is_float(elem->scalar)) {
        kd_error(lw->diags, c->loc, "%s is not an integer type", kd_d_type_text(lw, elem));
        return KD_D_ERR;
    }
    unsigned bits = kd_scalar_bits(elem->scalar);
    bool is_unsigned = kd_scalar_is_unsigned(elem->scalar);
    if (c->row->data)
        return kd_d_int(((__int128)1 << (is_unsigned ? bits : bits - 1)) - 1);
    return kd_d_int(is_unsigned ? 0 : -((__int128)1 << (bits - 1)));
}

kd_dval kd_b_dtype_is(kd_lower *lw, kd_bcall *c)
{
    const kd_type *type = c->arg[0].type;
    bool is_scalar = type->kind == KD_TYPE_SCALAR, is_int = is_scalar && kd_scalar_is_int(type->scalar);
    bool is_float = is_scalar && kd_scalar_is_float(type->scalar);
    switch (c->row->data) {
    case 'p': return kd_d_bool(type->kind == KD_TYPE_PTR);
    case 't': return kd_d_bool(type->kind == KD_TYPE_TILE);
    case 'i': return kd_d_bool(is_int);
    case 's': return kd_d_bool(is_int && !kd_scalar_is_unsigned(type->scalar));
    case 'u': return kd_d_bool(is_int && kd_scalar_is_unsigned(type->scalar));
    case 'b': return kd_d_bool(is_int && type->scalar == KD_I1);
    case 'f': return kd_d_bool(is_float);
    case 'F': return kd_d_bool(is_float && !kd_scalar_is_fp8(type->scalar));
    case '8': return kd_d_bool(is_float && kd_scalar_is_fp8(type->scalar));
    default: return kd_d_bool(false);
    }
}

kd_dval kd_b_dtype_is_scalar(kd_lower *lw, kd_bcall *c)
{
    return kd_d_bool(kd_type_is_scalar(c->arg[0].type, (kd_scalar)c->row->data));
}

/* ---- of block pointers and descriptors ---- */

kd_dval kd_b_block_type_of(kd_lower *lw, kd_bcall *c)
{
    const kd_dblock *block = c->arg[0].block;
    if (c->row->data == 0)
        return kd_d_dtype(kd_type_ptr(lw->ctx, block->elem));
    return kd_d_dtype(c->row->data == 1 ? block->elem : kd_type_tile(lw->ctx, block->elem, block->rank, block->block_shape));
}

kd_dval kd_b_block_extents(kd_lower *lw, kd_bcall *c)
{
    const kd_dblock *block = c->arg[0].block;
    kd_dval items[KD_MAX_RANK];
    for (unsigned i = 0; i < block->rank; i++)
        if (c->row->data == 0)
            items[i] = kd_d_int(block->block_shape[i]);
        else
            items[i] = kd_d_tensor(c->row->data == 1 ? kd_value_cast(lw, c->loc, block->shape[i], KD_I32) : block->strides[i]);
    return kd_d_tuple(lw, items, block->rank);
}

/* ---- making types ---- */

kd_dval kd_b_dtype(kd_lower *lw, kd_bcall *c)
{
    const kd_type *type;
    return kd_arg_type(lw, c, 0, &type) ? kd_d_dtype(type) : KD_D_ERR;
}

kd_dval kd_b_pointer_type(kd_lower *lw, kd_bcall *c)
{
    const kd_type *elem;
    return kd_arg_type(lw, c, 0, &elem) ? kd_d_dtype(kd_type_ptr(lw->ctx, kd_type_elem(elem))) : KD_D_ERR;
}

kd_dval kd_b_block_type(kd_lower *lw, kd_bcall *c)
{
    const kd_type *elem;
    int64_t shape[KD_MAX_RANK];
    unsigned rank;
    if (!kd_arg_type(lw, c, 0, &elem) || !kd_arg_ints(lw, c, 1, "extents", shape, KD_MAX_RANK, &rank) ||
        !kd_shape_check(lw, c->at[1], c->name, rank, shape))
        return KD_D_ERR;
    return kd_d_dtype(kd_type_tile(lw->ctx, kd_type_elem(elem), rank, shape));
}

kd_dval kd_b_int_type(kd_lower *lw, kd_bcall *c)
{
    int64_t bits;
    bool is_signed;
    if (!kd_arg_int(lw, c, 0, &bits) || !kd_arg_bool(lw, c, 1, &is_signed))
        return KD_D_ERR;
    for (int s = KD_I1; s <= KD_U64; s++)
        if (kd_scalar_bits((kd_scalar)s) == bits && (bits == 1 || kd_scalar_is_unsigned((kd_scalar)s) != is_signed))
            return kd_d_dtype(kd_type_scalar(lw->ctx, (kd_scalar)s));
    kd_error(lw->diags, c->at[0], "there is no integer type of %lld bits", (long long)bits);
    return KD_D_ERR;
}

kd_dval kd_b_constexpr(kd_lower *lw, kd_bcall *c)
{
    if (c->arg[0].kind == KD_D_TENSOR || c->arg[0].kind == KD_D_BLOCK_PTR || c->arg[0].kind == KD_D_DESC) {
        kd_arg_bad(lw, c, 0, "known at compile time");
        return KD_D_ERR;
    }
    return c->arg[0];
}

kd_dval kd_b_propagate_nan(kd_lower *lw, kd_bcall *c)
{
    return kd_d_int(c->row->data);
}

/* ---- torch.finfo, numpy.iinfo ---- */

kd_dval kd_b_type_info(kd_lower *lw, kd_bcall *c)
{
    static const struct {
        double max, eps, tiny;
    } FLOATS[KD_N_SCALARS] = {[KD_F16] = {65504, 0x1p-10, 0x1p-14},
                              [KD_BF16] = {0x1.fep127, 0x1p-7, 0x1p-126},
                              [KD_F32] = {0x1.fffffep127, 0x1p-23, 0x1p-126},
                              [KD_F64] = {0x1.fffffffffffffp1023, 0x1p-52, 0x1p-1022},
                              [KD_F8E4NV] = {448, 0.125, 0x1p-6},
                              [KD_F8E5] = {57344, 0.25, 0x1p-14}};
    static const char *const NAMES[] = {"max", "min", "bits", "eps", "tiny", "smallest_normal"};
    const kd_type *type;
    if (!kd_arg_type(lw, c, 0, &type))
        return KD_D_ERR;
    kd_scalar s = kd_type_elem(type)->scalar;
    bool wants_float = c->row->data;
    if (type->kind != KD_TYPE_SCALAR || kd_scalar_is_float(s) != wants_float || (wants_float && FLOATS[s].max == 0)) {
        kd_error(lw->diags, c->loc, "'%s' has no limits of %s", c->name, kd_d_type_text(lw, type));
        return KD_D_ERR;
    }
    unsigned bits = kd_scalar_bits(s), n = wants_float ? 6 : 3;
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, 6);
    kd_str *names = kd_arena_array(lw->arena, kd_str, 6);
    __int128 max = ((__int128)1 << (kd_scalar_is_unsigned(s) ? bits : bits - 1)) - 1;
    items[0] = wants_float ? kd_d_float(FLOATS[s].max) : kd_d_int(max);
    items[1] = wants_float ? kd_d_float(-FLOATS[s].max) : kd_d_int(kd_scalar_is_unsigned(s) ? 0 : -max - 1);
    items[2] = kd_d_int(bits);
    items[3] = kd_d_float(FLOATS[s].eps);
    items[4] = items[5] = kd_d_float(FLOATS[s].tiny);
    for (unsigned i = 0; i < n; i++)
        names[i] = kd_str_of(NAMES[i]);
    return (kd_dval){.kind = KD_D_TUPLE, .tuple = {.items = items, .names = names, .n = n}};
}
