/* builtin_atomic.c - atomic reads, writes and updates of memory. */
#include "dsl/builtin_impl.h"

static bool order_of(kd_lower *lw, const kd_bcall *c, unsigned i, kd_mem_order *out)
{
    static const char *const TEXTS[] = {"acq_rel", "acquire", "release", "relaxed"};
    kd_str text;
    *out = KD_ORDER_ACQ_REL;
    if (!kd_arg_text(lw, c, i, &text) || !text.len)
        return c->arg[i].kind == KD_D_NONE || text.len == 0;
    for (unsigned k = 0; k < 4; k++)
        if (kd_str_is(text, TEXTS[k])) {
            *out = (kd_mem_order)k;
            return true;
        }
    kd_error(lw->diags, c->at[i], "'sem' is 'acquire', 'release', 'acq_rel' or 'relaxed', not '%.*s'", KD_STR_ARG(text));
    return false;
}

static bool scope_of(kd_lower *lw, const kd_bcall *c, unsigned i, kd_mem_scope *out)
{
    static const char *const TEXTS[] = {"gpu", "cta", "sys"};
    kd_str text;
    *out = KD_SCOPE_GPU;
    if (!kd_arg_text(lw, c, i, &text))
        return false;
    if (!text.len)
        return true;
    for (unsigned k = 0; k < 3; k++)
        if (kd_str_is(text, TEXTS[k])) {
            *out = (kd_mem_scope)k;
            return true;
        }
    kd_error(lw->diags, c->at[i], "'scope' is 'gpu', 'cta' or 'sys', not '%.*s'", KD_STR_ARG(text));
    return false;
}

/* Value and mask in the pointer's shape, the value in the element's type. */
static bool operands_of(kd_lower *lw, kd_bcall *c, kd_value **out_ptr, unsigned value_at, kd_value **out_value, unsigned mask_at, kd_value **out_mask)
{
    kd_dval ptr = c->arg[0];
    if (ptr.kind != KD_D_TENSOR || !kd_type_is_ptr_like(ptr.value->type)) {
        kd_arg_bad(lw, c, 0, "a pointer");
        return false;
    }
    unsigned at[2] = {value_at, mask_at};
    kd_dval parts[2] = {value_at ? c->arg[value_at] : kd_d_none(), mask_at ? c->arg[mask_at] : kd_d_none()};
    const kd_type *elem = kd_type_elem(ptr.value->type)->elem;
    for (unsigned k = 0; k < 2; k++) {
        if (parts[k].kind == KD_D_NONE && (k == 1 || !value_at))
            continue;
        if (parts[k].kind != KD_D_TENSOR && !kd_d_is_number(parts[k])) {
            kd_arg_bad(lw, c, at[k], "a number or tensor");
            return false;
        }
        parts[k] = k == 0 ? kd_cast_to_type(lw, c->at[at[k]], parts[k], elem, KD_ROUND_NEAREST_EVEN) : kd_to_tensor(lw, c->at[at[k]], parts[k]);
        if (kd_d_is_error(parts[k]))
            return false;
        if (k == 1 && !kd_type_is_bool_like(parts[k].value->type)) {
            kd_error(lw->diags, c->at[at[k]], "the mask of '%s' must be int1, not %s", c->name, kd_d_type_text(lw, parts[k].value->type));
            return false;
        }
        kd_dval wide = ptr;
        if (!kd_broadcast_pair(lw, c->at[at[k]], c->name, &wide, &parts[k]))
            return false;
        if (!kd_type_same_shape(wide.value->type, ptr.value->type)) {
            kd_error(lw->diags, c->at[at[k]], "'%s' of %s through a pointer of smaller shape, %s", c->name, kd_d_type_text(lw, parts[k].value->type),
                     kd_d_type_text(lw, ptr.value->type));
            return false;
        }
    }
    *out_ptr = ptr.value;
    if (out_value)
        *out_value = parts[0].value;
    *out_mask = parts[1].kind == KD_D_TENSOR ? parts[1].value : NULL;
    return true;
}

static kd_value *pointer_to(kd_lower *lw, kd_loc loc, kd_value *ptr, kd_scalar s)
{
    const kd_type *elem = kd_type_ptr(lw->ctx, kd_type_scalar(lw->ctx, s));
    return kd_tensor_bitcast(lw, loc, kd_d_tensor(ptr), elem).value;
}

static kd_value *build_atomic(kd_lower *lw, kd_loc loc, kd_atomic_op kind, kd_value *ptr, kd_value *value, kd_value *mask, kd_mem_order order,
                              kd_mem_scope scope)
{
    return KD_BUILD(atomic, .loc = loc, .ptr = ptr, .value = value, .mask = mask, .kind = kind, .order = order, .scope = scope);
}

/* Floats without NaN compare as their bits do: as signed integers where the new value is not negative, and the other way round as unsigned
 * ones where it is. So one of two integer operations is done, by the sign of the new value. */
static kd_value *float_extremum(kd_lower *lw, kd_loc loc, bool is_max, kd_value *ptr, kd_value *value, kd_value *mask, kd_mem_order order,
                                kd_mem_scope scope)
{
    bool is_f32 = kd_type_elem(value->type)->scalar == KD_F32;
    kd_scalar s = is_f32 ? KD_I32 : KD_I64, u = is_f32 ? KD_U32 : KD_U64;
    kd_value *as_signed = KD_BUILD(bitcast, .loc = loc, .value = value, .type = kd_type_with_scalar(lw->ctx, value->type, s));
    kd_value *as_unsigned = KD_BUILD(bitcast, .loc = loc, .value = value, .type = kd_type_with_scalar(lw->ctx, value->type, u));
    kd_value *zero = kd_build_int(&lw->b, loc, as_signed->type, 0);
    kd_value *negative = KD_BUILD(cmp, .loc = loc, .a = as_signed, .b = zero, .pred = KD_PRED_LT);
    kd_value *positive = KD_BUILD(xor, .loc = loc, .a = negative, .b = kd_build_int(&lw->b, loc, negative->type, 1));
    kd_value *mask_p = mask ? KD_BUILD(and, .loc = loc, .a = mask, .b = positive) : positive;
    kd_value *mask_n = mask ? KD_BUILD(and, .loc = loc, .a = mask, .b = negative) : negative;
    kd_value *old_p = build_atomic(lw, loc, is_max ? KD_ATOMIC_MAX : KD_ATOMIC_MIN, pointer_to(lw, loc, ptr, s), as_signed, mask_p, order, scope);
    kd_value *old_n = build_atomic(lw, loc, is_max ? KD_ATOMIC_MIN : KD_ATOMIC_MAX, pointer_to(lw, loc, ptr, u), as_unsigned, mask_n, order, scope);
    kd_value *bits_n = KD_BUILD(bitcast, .loc = loc, .value = old_n, .type = as_signed->type);
    kd_value *bits = KD_BUILD(select, .loc = loc, .condition = positive, .a = old_p, .b = bits_n);
    return KD_BUILD(bitcast, .loc = loc, .value = bits, .type = value->type);
}

kd_value *kd_value_atomic(kd_lower *lw, kd_loc loc, kd_atomic_op kind, kd_value *ptr, kd_value *value, kd_value *mask, kd_mem_order order,
                          kd_mem_scope scope)
{
    if ((kind == KD_ATOMIC_MAX || kind == KD_ATOMIC_MIN) && kd_type_is_float_like(value->type))
        return float_extremum(lw, loc, kind == KD_ATOMIC_MAX, ptr, value, mask, order, scope);
    return build_atomic(lw, loc, kind, ptr, value, mask, order, scope);
}

kd_dval kd_b_atomic(kd_lower *lw, kd_bcall *c)
{
    kd_atomic_op kind = (kd_atomic_op)c->row->data;
    kd_mem_order order;
    kd_mem_scope scope;
    kd_value *ptr, *value, *mask;
    if (!operands_of(lw, c, &ptr, 1, &value, 2, &mask) || !order_of(lw, c, 3, &order) || !scope_of(lw, c, 4, &scope))
        return KD_D_ERR;
    const kd_type *elem = kd_type_elem(value->type);
    unsigned bits = kd_type_elem_bits(elem);
    bool is_float = kd_type_is_float_like(elem), is_int = elem->kind == KD_TYPE_SCALAR && !is_float;
    bool fits = bits >= 32 || (bits == 16 && is_float && kind == KD_ATOMIC_ADD);
    if (is_float && (kind == KD_ATOMIC_AND || kind == KD_ATOMIC_OR || kind == KD_ATOMIC_XOR))
        fits = false;
    if (!fits || (!is_int && !is_float)) {
        kd_error(lw->diags, c->loc, "'%s' does not work on %s", c->name, kd_d_type_text(lw, elem));
        return KD_D_ERR;
    }
    return kd_d_tensor(kd_value_atomic(lw, c->loc, kind, ptr, value, mask, order, scope));
}

kd_dval kd_b_atomic_cas(kd_lower *lw, kd_bcall *c)
{
    kd_mem_order order;
    kd_mem_scope scope;
    kd_value *ptr, *expected, *desired, *mask;
    if (!operands_of(lw, c, &ptr, 1, &expected, 0, &mask) || !operands_of(lw, c, &ptr, 2, &desired, 0, &mask) || !order_of(lw, c, 3, &order) ||
        !scope_of(lw, c, 4, &scope))
        return KD_D_ERR;
    unsigned bits = kd_type_elem_bits(desired->type);
    if (bits != 16 && bits != 32 && bits != 64) {
        kd_error(lw->diags, c->loc, "'%s' works on 16, 32 and 64 bits, not on %s", c->name, kd_d_type_text(lw, kd_type_elem(desired->type)));
        return KD_D_ERR;
    }
    return kd_d_tensor(KD_BUILD(atomic_cas, .loc = c->loc, .ptr = ptr, .expected = expected, .desired = desired, .order = order, .scope = scope));
}

/* A volatile read after a barrier of the compiler is all that one element needs. */
kd_dval kd_b_atomic_load(kd_lower *lw, kd_bcall *c)
{
    kd_mem_order order;
    kd_mem_scope scope;
    kd_value *ptr, *mask;
    if (!operands_of(lw, c, &ptr, 0, NULL, 1, &mask) || !order_of(lw, c, 2, &order) || !scope_of(lw, c, 3, &scope))
        return KD_D_ERR;
    const kd_type *elem = kd_type_elem(ptr->type)->elem;
    unsigned bits = kd_type_elem_bits(elem);
    if (elem->kind == KD_TYPE_SCALAR && kd_scalar_is_int(elem->scalar) && bits >= 32) { /* or with 0 reads as one step, in order */
        kd_value *zero = kd_build_int(&lw->b, c->loc, kd_type_with_elem(lw->ctx, ptr->type, elem), 0);
        return kd_d_tensor(build_atomic(lw, c->loc, KD_ATOMIC_OR, ptr, zero, mask, order, scope));
    }
    return kd_d_tensor(KD_BUILD(load, .loc = c->loc, .ptr = ptr, .mask = mask, .is_volatile = true, .type = kd_type_with_elem(lw->ctx, ptr->type, elem)));
}

kd_dval kd_b_atomic_store(kd_lower *lw, kd_bcall *c)
{
    kd_mem_order order;
    kd_mem_scope scope;
    kd_value *ptr, *value, *mask;
    if (!operands_of(lw, c, &ptr, 1, &value, 2, &mask) || !order_of(lw, c, 3, &order) || !scope_of(lw, c, 4, &scope))
        return KD_D_ERR;
    if (kd_type_elem_bits(value->type) >= 32)
        build_atomic(lw, c->loc, KD_ATOMIC_XCHG, ptr, value, mask, order, scope);
    else
        kd_build_store(&lw->b, (kd_store_args){.loc = c->loc, .ptr = ptr, .value = value, .mask = mask});
    return kd_d_none();
}
