/* promote.c - Triton's rules of types for operators on tensors.
 *
 * The rules are those of Triton 3.9. A compile-time number of the same or a lower kind (bool, int, float) than the tensor beside it takes the
 * tensor's type. Two tensors meet in the widest float among them, whatever the integers beside it: int64 with fp16 is fp16, and so is bf16 with
 * fp16; but bf16 with an integer is fp32, as is any division by or of a float that is not fp64. Integers meet in the wider one, and there is
 * no promotion to int: int8 + int8 wraps in 8 bits. */
#include "dsl/promote_impl.h"

typedef struct operand {
    bool is_literal, is_ptr;
    kd_scalar s; /* unless a pointer */
} operand;

static bool read_operand(kd_lower *lw, kd_loc loc, const char *operation, kd_dval v, operand *out)
{
    *out = (operand){.is_literal = kd_d_is_number(v)};
    if (out->is_literal)
        return kd_literal_scalar(lw, loc, v, &out->s);
    if (v.kind == KD_D_TENSOR) {
        const kd_type *elem = kd_type_elem(v.value->type);
        out->is_ptr = elem->kind == KD_TYPE_PTR;
        out->s = elem->scalar;
        return true;
    }
    if (v.kind == KD_D_UNKNOWN)
        kd_error(lw->diags, loc, "%s", kd_d_describe(lw, v));
    else if (v.kind != KD_D_ERROR)
        kd_error(lw->diags, loc, "'%s' does not work on %s", operation, kd_d_describe(lw, v));
    return false;
}

static int kind_of(kd_scalar s)
{
    return s == KD_I1 ? 0 : kd_scalar_is_int(s) ? 1 : 2;
}

/* The integer type of two. */
static kd_scalar common_int(kd_scalar a, kd_scalar b)
{
    unsigned width_a = kd_scalar_bits(a), width_b = kd_scalar_bits(b);
    bool unsigned_a = kd_scalar_is_unsigned(a), unsigned_b = kd_scalar_is_unsigned(b);
    if (unsigned_a == unsigned_b)
        return width_a > width_b ? a : b;
    if (unsigned_a)
        return width_a >= width_b ? a : b;
    return width_b >= width_a ? b : a;
}

static const char *scalar_text(kd_lower *lw, kd_scalar s)
{
    return kd_d_type_text(lw, kd_type_scalar(lw->ctx, s));
}

/* The type in which two numbers meet. */
static bool common_type(kd_lower *lw, kd_loc loc, const char *operation, operand a, operand b, bool is_div, kd_scalar *out)
{
    if (a.is_literal != b.is_literal) {
        kd_scalar literal = a.is_literal ? a.s : b.s, tensor = a.is_literal ? b.s : a.s;
        if (kind_of(literal) <= kind_of(tensor))
            a.s = b.s = tensor;
    }
    bool any_float = kd_scalar_is_float(a.s) || kd_scalar_is_float(b.s);
    bool both_f8 = kd_scalar_is_fp8(a.s) && kd_scalar_is_fp8(b.s), any_f8 = kd_scalar_is_fp8(a.s) || kd_scalar_is_fp8(b.s);
    if (a.s == KD_F64 || b.s == KD_F64)
        *out = KD_F64;
    else if ((is_div && any_float) || a.s == KD_F32 || b.s == KD_F32)
        *out = KD_F32;
    else if (a.s == KD_F16 || b.s == KD_F16)
        *out = KD_F16;
    else if (a.s == KD_BF16 || b.s == KD_BF16)
        *out = a.s == b.s ? KD_BF16 : KD_F32;
    else if (both_f8)
        *out = a.s == b.s ? a.s : KD_F16;
    else if (any_f8 || (is_div && kd_scalar_is_unsigned(a.s) != kd_scalar_is_unsigned(b.s))) {
        kd_error(lw->diags, loc, any_f8 ? "'%s' cannot combine %s and %s" : "'%s' cannot combine %s and %s, which differ in sign: cast one of them",
                 operation, scalar_text(lw, a.s), scalar_text(lw, b.s));
        return false;
    } else
        *out = common_int(a.s, b.s);
    return true;
}

static kd_dval bring_to(kd_lower *lw, kd_loc loc, const char *operation, kd_dval v, kd_scalar s)
{
    if (!kd_d_is_number(v))
        return kd_tensor_cast(lw, loc, v, s, KD_ROUND_NEAREST_EVEN);
    if (kd_d_is_int(v) && v.integer < 0 && kd_scalar_is_int(s) && kd_scalar_is_unsigned(s)) {
        kd_error(lw->diags, loc, "'%s' of %s and %s, which cannot be negative: cast one of them", operation, scalar_text(lw, s),
                 kd_d_describe(lw, v));
        return KD_D_ERR;
    }
    return kd_literal_as(lw, loc, v, s);
}

static bool bad_pair(kd_lower *lw, kd_loc loc, const char *operation, kd_dval a, kd_dval b)
{
    kd_error(lw->diags, loc, "'%s' cannot combine %s and %s", operation, kd_d_describe(lw, a), kd_d_describe(lw, b));
    return false;
}

static bool check_pointers(kd_lower *lw, kd_loc loc, const char *operation, kd_dval a, kd_dval b, operand oa, operand ob, unsigned flags)
{
    bool ok = (!oa.is_ptr || (flags & KD_PROMOTE_PTR_A)) && (!ob.is_ptr || (flags & KD_PROMOTE_PTR_B));
    if (oa.is_ptr && ob.is_ptr)
        ok = ok && kd_type_elem(a.value->type) == kd_type_elem(b.value->type);
    else
        ok = ok && kind_of(oa.is_ptr ? ob.s : oa.s) != 2;
    return ok || bad_pair(lw, loc, operation, a, b);
}

/* A literal became a scalar constant, then a tile of it: the scalar has no reader and goes. */
static void drop_scalar(bool is_literal, kd_value *scalar, kd_dval now)
{
    if (is_literal && scalar != now.value && scalar->def && scalar->def->code == KD_OP_constant && !kd_value_has_uses(scalar))
        kd_op_erase(scalar->def);
}

bool kd_promote_with(kd_lower *lw, kd_loc loc, const char *operation, kd_dval *a, kd_dval *b, unsigned flags)
{
    operand oa, ob;
    kd_scalar s;
    if (!read_operand(lw, loc, operation, *a, &oa) || !read_operand(lw, loc, operation, *b, &ob))
        return false;
    if (oa.is_ptr || ob.is_ptr) {
        if (!check_pointers(lw, loc, operation, *a, *b, oa, ob, flags))
            return false;
    } else {
        if (!common_type(lw, loc, operation, oa, ob, flags & KD_PROMOTE_DIV, &s))
            return false;
        *a = bring_to(lw, loc, operation, *a, s);
        *b = bring_to(lw, loc, operation, *b, s);
    }
    if (kd_d_is_error(*a) || kd_d_is_error(*b))
        return false;
    kd_dval was_a = *a = kd_to_tensor(lw, loc, *a), was_b = *b = kd_to_tensor(lw, loc, *b);
    if (kd_d_is_error(*a) || kd_d_is_error(*b) || !kd_broadcast_pair(lw, loc, operation, a, b))
        return false;
    drop_scalar(oa.is_literal, was_a.value, *a);
    drop_scalar(ob.is_literal, was_b.value, *b);
    return true;
}

bool kd_promote_pair(kd_lower *lw, kd_loc loc, const char *operation, kd_dval *a, kd_dval *b)
{
    return kd_promote_with(lw, loc, operation, a, b, 0);
}

bool kd_promote_three(kd_lower *lw, kd_loc loc, const char *operation, kd_dval v[3])
{
    operand tensor, literal, next;
    bool has_tensor = false, has_literal = false, is_literal[3];
    for (unsigned i = 0; i < 3; i++) {
        if (!read_operand(lw, loc, operation, v[i], &next))
            return false;
        if (next.is_ptr)
            return bad_pair(lw, loc, operation, v[i], v[i ? 0 : 1]);
        is_literal[i] = next.is_literal;
        operand *sum = next.is_literal ? &literal : &tensor;
        bool *has = next.is_literal ? &has_literal : &has_tensor;
        if (!*has)
            *sum = next;
        else if (!common_type(lw, loc, operation, *sum, next, false, &sum->s))
            return false;
        *has = true;
    }
    kd_scalar s = has_tensor ? tensor.s : literal.s;
    if (has_tensor && has_literal && !common_type(lw, loc, operation, tensor, literal, false, &s))
        return false;
    for (unsigned i = 0; i < 3; i++) {
        v[i] = bring_to(lw, loc, operation, v[i], s);
        if (kd_d_is_error(v[i]))
            return false;
    }
    kd_dval was[3] = {v[0], v[1], v[2]};
    if (!kd_broadcast_pair(lw, loc, operation, &v[0], &v[1]) || !kd_broadcast_pair(lw, loc, operation, &v[0], &v[2]) ||
        !kd_broadcast_pair(lw, loc, operation, &v[1], &v[2]))
        return false;
    for (unsigned i = 0; i < 3; i++)
        drop_scalar(is_literal[i], was[i].value, v[i]);
    return true;
}

/* ---- operators ---- */

#define BUILD(op, x, y) kd_d_tensor(kd_result(kd_build_##op(&lw->b, (kd_##op##_args){.loc = loc, .a = (x).value, .b = (y).value})))

static bool is_ptr(kd_dval v)
{
    return v.kind == KD_D_TENSOR && kd_type_is_ptr_like(v.value->type);
}

static kd_dval add_to_pointer(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval ptr, kd_dval offset)
{
    if (op == KD_SUB) {
        offset = kd_to_tensor(lw, loc, offset);
        if (kd_d_is_error(offset))
            return offset;
        offset = kd_d_tensor(kd_result(kd_build_neg(&lw->b, (kd_neg_args){.loc = loc, .a = offset.value})));
        if (!kd_broadcast_pair(lw, loc, "-", &ptr, &offset))
            return KD_D_ERR;
    }
    return kd_d_tensor(kd_result(kd_build_addptr(&lw->b, (kd_addptr_args){.loc = loc, .ptr = ptr.value, .offset = offset.value})));
}

static kd_dval add_or_sub(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    const char *text = kd_operator_text(op);
    unsigned flags = op == KD_ADD ? KD_PROMOTE_PTR_A | KD_PROMOTE_PTR_B : KD_PROMOTE_PTR_A;
    if (is_ptr(a) && is_ptr(b)) {
        bad_pair(lw, loc, text, a, b);
        return KD_D_ERR;
    }
    if (!kd_promote_with(lw, loc, text, &a, &b, flags))
        return KD_D_ERR;
    if (is_ptr(a) || is_ptr(b))
        return is_ptr(a) ? add_to_pointer(lw, loc, op, a, b) : add_to_pointer(lw, loc, op, b, a);
    return op == KD_ADD ? BUILD(add, a, b) : BUILD(sub, a, b);
}

static kd_dval divide(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    const char *text = kd_operator_text(op);
    if (!kd_promote_with(lw, loc, text, &a, &b, KD_PROMOTE_DIV))
        return KD_D_ERR;
    bool is_float = kd_type_is_float_like(a.value->type);
    if (op == KD_FLOORDIV && is_float) {
        kd_error(lw->diags, loc, "'//' works on integers, but the operands are %s: use tl.floor(a / b)", kd_d_type_text(lw, a.value->type));
        return KD_D_ERR;
    }
    if (op == KD_DIV && !is_float) {
        a.value = kd_value_cast(lw, loc, a.value, KD_F32);
        b.value = kd_value_cast(lw, loc, b.value, KD_F32);
    }
    return op == KD_MOD ? BUILD(rem, a, b) : BUILD(div, a, b);
}

/* Arithmetic or logical by the sign of the shifted tensor's own type, which the common type may not share. */
static kd_dval shift_right(kd_lower *lw, kd_loc loc, kd_dval a, kd_dval b, bool is_signed)
{
    kd_scalar common = kd_type_elem(a.value->type)->scalar;
    if (common == KD_I1 || !kd_scalar_is_unsigned(common) == is_signed)
        return BUILD(shr, a, b);
    static const kd_scalar OTHER_SIGN[KD_N_SCALARS] = {[KD_I8] = KD_U8, [KD_I16] = KD_U16, [KD_I32] = KD_U32, [KD_I64] = KD_U64,
                                                       [KD_U8] = KD_I8, [KD_U16] = KD_I16, [KD_U32] = KD_I32, [KD_U64] = KD_I64};
    a.value = kd_value_cast(lw, loc, a.value, OTHER_SIGN[common]);
    b.value = kd_value_cast(lw, loc, b.value, OTHER_SIGN[common]);
    kd_dval shifted = BUILD(shr, a, b);
    return kd_d_tensor(kd_value_cast(lw, loc, shifted.value, common));
}

static kd_dval bitwise(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    const char *text = kd_operator_text(op);
    kd_dval first = a.kind == KD_D_TENSOR ? a : b, was_a = a, was_b = b;
    if (!kd_promote_pair(lw, loc, text, &a, &b))
        return KD_D_ERR;
    if (!kd_type_is_int_like(a.value->type)) {
        kd_error(lw->diags, loc, "'%s' works on integers, not on %s and %s", text, kd_d_describe(lw, was_a), kd_d_describe(lw, was_b));
        return KD_D_ERR;
    }
    const kd_type *elem = first.kind == KD_D_TENSOR ? kd_type_elem(first.value->type) : kd_type_elem(a.value->type);
    switch (op) {
    case KD_AND: return BUILD(and, a, b);
    case KD_OR: return BUILD(or, a, b);
    case KD_XOR: return BUILD(xor, a, b);
    case KD_SHL: return BUILD(shl, a, b);
    default: return shift_right(lw, loc, a, b, !kd_scalar_is_unsigned(elem->scalar));
    }
}

kd_dval kd_tensor_binary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    if (kd_d_is_error(a) || kd_d_is_error(b))
        return KD_D_ERR;
    switch (op) {
    case KD_ADD:
    case KD_SUB: return add_or_sub(lw, loc, op, a, b);
    case KD_MUL: return kd_promote_pair(lw, loc, "*", &a, &b) ? BUILD(mul, a, b) : KD_D_ERR;
    case KD_DIV:
    case KD_FLOORDIV:
    case KD_MOD: return divide(lw, loc, op, a, b);
    case KD_AND:
    case KD_OR:
    case KD_XOR:
    case KD_SHL:
    case KD_SHR: return bitwise(lw, loc, op, a, b);
    case KD_POW: kd_error(lw->diags, loc, "'**' works on compile-time numbers only: use tl.exp2, tl.exp or libdevice.pow"); return KD_D_ERR;
    case KD_MATMUL: kd_error(lw->diags, loc, "'@' does not work on tensors: use tl.dot"); return KD_D_ERR;
    default: bad_pair(lw, loc, kd_operator_text(op), a, b); return KD_D_ERR;
    }
}

kd_dval kd_tensor_compare(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    static const kd_pred PREDS[] = {[KD_LT] = KD_PRED_LT, [KD_LE] = KD_PRED_LE, [KD_GT] = KD_PRED_GT,
                                    [KD_GE] = KD_PRED_GE, [KD_EQ] = KD_PRED_EQ, [KD_NE] = KD_PRED_NE};
    if (kd_d_is_error(a) || kd_d_is_error(b))
        return KD_D_ERR;
    if (!kd_promote_with(lw, loc, kd_operator_text(op), &a, &b, is_ptr(a) && is_ptr(b) ? KD_PROMOTE_PTR_A | KD_PROMOTE_PTR_B : 0))
        return KD_D_ERR;
    return kd_d_tensor(kd_result(kd_build_cmp(&lw->b, (kd_cmp_args){.loc = loc, .a = a.value, .b = b.value, .pred = PREDS[op]})));
}

/* An operand of 'and', 'or', 'not': int1, or 1 bit wide after all. */
static bool as_bool(kd_lower *lw, kd_loc loc, const char *operation, kd_dval *v)
{
    *v = kd_to_tensor(lw, loc, *v);
    if (v->kind != KD_D_TENSOR)
        return false;
    if (kd_type_is_bool_like(v->value->type))
        return true;
    kd_error(lw->diags, loc, "'%s' works on int1, not on %s: compare it with 0", operation, kd_d_type_text(lw, v->value->type));
    return false;
}

kd_dval kd_tensor_logical(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    const char *text = op == KD_AND ? "and" : "or";
    if (!as_bool(lw, loc, text, &a) || !as_bool(lw, loc, text, &b) || !kd_broadcast_pair(lw, loc, text, &a, &b))
        return KD_D_ERR;
    return op == KD_AND ? BUILD(and, a, b) : BUILD(or, a, b);
}

kd_dval kd_tensor_unary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a)
{
    a = kd_to_tensor(lw, loc, a);
    if (a.kind != KD_D_TENSOR)
        return a;
    const kd_type *type = a.value->type;
    if (op == KD_NOT && !as_bool(lw, loc, "not", &a))
        return KD_D_ERR;
    bool works = op == KD_NOT || (op == KD_MINUS && !kd_type_is_ptr_like(type)) || (op == KD_INVERT && kd_type_is_int_like(type));
    if (!works) {
        kd_error(lw->diags, loc, "unary '%s' does not work on %s", kd_operator_text(op), kd_d_type_text(lw, type));
        return KD_D_ERR;
    }
    if (op == KD_MINUS)
        return kd_d_tensor(kd_result(kd_build_neg(&lw->b, (kd_neg_args){.loc = loc, .a = a.value})));
    kd_dval ones = kd_d_tensor(kd_build_int(&lw->b, loc, type, kd_type_is_bool_like(type) ? 1 : -1));
    return BUILD(xor, a, ones);
}
