/* simplify_elementwise.c - rules for ops that work element by element.
 *
 * Constants fold; ops on splats and on broadcasts of one shape move in front of them, where there is less to do. */
#include "base/float.h"
#include "ir/fold.h"
#include "passes/canonicalize_impl.h"

#include <math.h>

static bool is_int(const kd_value *value)
{
    return kd_type_is_int_like(value->type);
}

static bool is_int_constant(const kd_value *value, int64_t *out)
{
    return is_int(value) && kd_value_constant_int(value, out);
}

static bool is_number(const kd_value *value, double wanted)
{
    kd_number n;
    return kd_value_constant(value, &n) && (n.is_float ? n.f == wanted && !signbit(n.f) == !signbit(wanted) : (double)n.i == wanted);
}

static bool is_all_ones(const kd_value *value)
{
    int64_t i;
    return is_int_constant(value, &i) && i == kd_number_wrap(kd_type_elem(value->type), -1);
}

static bool is_true(const kd_value *value)
{
    return kd_type_is_bool_like(value->type) && is_all_ones(value);
}

/* x, if value is kd.xor x, true. */
static kd_value *negated(const kd_value *value)
{
    const kd_op *def = kd_value_def_as(value, KD_OP_xor);
    return def && is_true(kd_xor_b(def)) ? kd_xor_a(def) : NULL;
}

/* ---- constants ---- */

static bool fold_constants(kd_simplifier *s, kd_op *op)
{
    enum { MAX_OPERANDS = 3 };
    kd_number operands[MAX_OPERANDS], result;
    if (op->n_operands == 0 || op->n_operands > MAX_OPERANDS || op->n_results != 1)
        return false;
    for (unsigned i = 0; i < op->n_operands; i++)
        if (!kd_value_constant(kd_op_operand(op, i), &operands[i]))
            return false;
    return kd_fold_op(op, operands, &result) && kd_simplify_replace_number(s, op, result);
}

/* kd.add 1, %x  ==>  kd.add %x, 1 */
static bool put_constant_last(kd_simplifier *s, kd_op *op)
{
    kd_number n;
    if (op->n_operands < 2 || !(kd_op_has(op, KD_COMMUTES) || op->code == KD_OP_cmp))
        return false;
    kd_value *a = kd_op_operand(op, 0), *b = kd_op_operand(op, 1);
    if (!kd_value_constant(a, &n) || kd_value_constant(b, &n))
        return false;
    if (op->code == KD_OP_cmp) {
        static const kd_pred SWAPPED[] = {[KD_PRED_EQ] = KD_PRED_EQ, [KD_PRED_NE] = KD_PRED_NE, [KD_PRED_LT] = KD_PRED_GT,
                                          [KD_PRED_LE] = KD_PRED_GE, [KD_PRED_GT] = KD_PRED_LT, [KD_PRED_GE] = KD_PRED_LE};
        kd_cmp_set_pred(op, SWAPPED[kd_cmp_pred(op)]);
    }
    kd_op_set_operand(op, 0, b);
    return kd_simplify_set_operand(s, op, 1, a);
}

/* kd.add (kd.add %x, 3), 4  ==>  kd.add %x, 7; also mul, and, or, xor, and min and max of integers. */
static bool merge_constants(kd_simplifier *s, kd_op *op)
{
    kd_op *inner = kd_value_def_as(kd_op_operand(op, 0), op->code);
    int64_t first, second;
    kd_number merged;
    if (!inner || !is_int_constant(kd_op_operand(op, 1), &second) || !is_int_constant(kd_op_operand(inner, 1), &first) ||
        !kd_fold_binary(op->code, kd_type_elem(op->results[0].type)->scalar, (kd_number){.i = first}, (kd_number){.i = second}, false, &merged))
        return false;
    kd_builder b = kd_simplify_builder(s, op);
    kd_value *constant = kd_build_int(&b, op->loc, op->results[0].type, merged.i);
    kd_simplify_set_operand(s, op, 1, constant);
    return kd_simplify_set_operand(s, op, 0, kd_op_operand(inner, 0));
}

/* ---- arithmetic ---- */

static bool simplify_add(kd_simplifier *s, kd_op *op)
{
    kd_value *a = kd_add_a(op), *b = kd_add_b(op);
    if (is_number(b, is_int(b) ? 0.0 : -0.0)) /* -0 + +0 is +0 */
        return kd_simplify_replace(s, op, a);
    return merge_constants(s, op);
}

static bool simplify_sub(kd_simplifier *s, kd_op *op)
{
    kd_value *a = kd_sub_a(op), *b = kd_sub_b(op);
    int64_t constant;
    if (is_number(b, 0.0))
        return kd_simplify_replace(s, op, a);
    if (a == b && is_int(a))
        return kd_simplify_replace_int(s, op, 0);
    if (is_int_constant(b, &constant)) {
        kd_builder at = kd_simplify_builder(s, op);
        kd_value *minus = kd_build_int(&at, op->loc, b->type, (int64_t)(0 - (uint64_t)constant));
        return kd_simplify_replace(s, op, kd_simplify_new(s, kd_build_add(&at, (kd_add_args){.loc = op->loc, .a = a, .b = minus})));
    }
    return false;
}

static bool simplify_mul(kd_simplifier *s, kd_op *op)
{
    kd_value *a = kd_mul_a(op), *b = kd_mul_b(op);
    if (is_number(b, 1.0))
        return kd_simplify_replace(s, op, a);
    if (is_int(b) && is_number(b, 0.0))
        return kd_simplify_replace(s, op, b);
    return merge_constants(s, op);
}

/* x / 2^k is x * 2^-k, to the last bit. */
static bool divide_by_power_of_two(kd_simplifier *s, kd_op *op)
{
    kd_number n;
    int exponent;
    kd_scalar type = kd_type_elem(op->results[0].type)->scalar;
    if (is_int(kd_div_b(op)) || kd_scalar_is_fp8(type) || !kd_value_constant(kd_div_b(op), &n) || fabs(frexp(n.f, &exponent)) != 0.5)
        return false;
    double inverse = 1 / n.f, smallest = type == KD_F16 ? 0x1p-14 : type == KD_F64 ? 0x1p-1022 : 0x1p-126;
    if (fabs(inverse) < smallest || kd_float_round(inverse, type, KD_FLOAT_NEAREST_EVEN) != inverse)
        return false;
    kd_builder b = kd_simplify_builder(s, op);
    kd_value *factor = kd_build_float(&b, op->loc, op->results[0].type, inverse);
    return kd_simplify_replace(s, op, kd_simplify_new(s, kd_build_mul(&b, (kd_mul_args){.loc = op->loc, .a = kd_div_a(op), .b = factor})));
}

static bool simplify_div(kd_simplifier *s, kd_op *op)
{
    if (is_number(kd_div_b(op), 1.0))
        return kd_simplify_replace(s, op, kd_div_a(op));
    return divide_by_power_of_two(s, op);
}

static bool simplify_rem(kd_simplifier *s, kd_op *op)
{
    return is_int(kd_rem_b(op)) && is_number(kd_rem_b(op), 1.0) && kd_simplify_replace_int(s, op, 0);
}

static bool simplify_and(kd_simplifier *s, kd_op *op)
{
    kd_value *a = kd_and_a(op), *b = kd_and_b(op);
    if (is_number(b, 0.0))
        return kd_simplify_replace(s, op, b);
    if (is_all_ones(b) || a == b)
        return kd_simplify_replace(s, op, a);
    for (unsigned i = 0; i < 2; i++) { /* (x & y) & y */
        const kd_op *inner = kd_value_def_as(kd_op_operand(op, i), KD_OP_and);
        const kd_value *other = kd_op_operand(op, 1 - i);
        if (inner && (kd_and_a(inner) == other || kd_and_b(inner) == other))
            return kd_simplify_replace(s, op, kd_op_operand(op, i));
    }
    return merge_constants(s, op);
}

static bool simplify_or(kd_simplifier *s, kd_op *op)
{
    kd_value *a = kd_or_a(op), *b = kd_or_b(op);
    if (is_number(b, 0.0) || a == b)
        return kd_simplify_replace(s, op, a);
    if (is_all_ones(b))
        return kd_simplify_replace(s, op, b);
    return merge_constants(s, op);
}

/* not (a < b)  ==>  a >= b; of floats only == and !=, since NaN is neither less nor not less. */
static bool negate_cmp(kd_simplifier *s, kd_op *op)
{
    static const kd_pred NEGATED[] = {[KD_PRED_EQ] = KD_PRED_NE, [KD_PRED_NE] = KD_PRED_EQ, [KD_PRED_LT] = KD_PRED_GE,
                                      [KD_PRED_LE] = KD_PRED_GT, [KD_PRED_GT] = KD_PRED_LE, [KD_PRED_GE] = KD_PRED_LT};
    const kd_op *cmp = kd_value_def_as(kd_xor_a(op), KD_OP_cmp);
    if (!is_true(kd_xor_b(op)) || !cmp)
        return false;
    kd_pred pred = kd_cmp_pred(cmp);
    if (kd_type_is_float_like(kd_cmp_a(cmp)->type) && pred != KD_PRED_EQ && pred != KD_PRED_NE)
        return false;
    kd_builder b = kd_simplify_builder(s, op);
    kd_op *fresh = kd_build_cmp(&b, (kd_cmp_args){.loc = op->loc, .a = kd_cmp_a(cmp), .b = kd_cmp_b(cmp), .pred = NEGATED[pred]});
    return kd_simplify_replace(s, op, kd_simplify_new(s, fresh));
}

static bool simplify_xor(kd_simplifier *s, kd_op *op)
{
    if (is_number(kd_xor_b(op), 0.0))
        return kd_simplify_replace(s, op, kd_xor_a(op));
    if (kd_xor_a(op) == kd_xor_b(op))
        return kd_simplify_replace_int(s, op, 0);
    return merge_constants(s, op) || negate_cmp(s, op);
}

static bool simplify_shift(kd_simplifier *s, kd_op *op)
{
    return (is_number(kd_op_operand(op, 1), 0.0) || is_number(kd_op_operand(op, 0), 0.0)) && kd_simplify_replace(s, op, kd_op_operand(op, 0));
}

static bool simplify_min_max(kd_simplifier *s, kd_op *op)
{
    kd_value *a = kd_op_operand(op, 0), *b = kd_op_operand(op, 1);
    if (a == b)
        return kd_simplify_replace(s, op, a);
    int64_t constant;
    if (!is_int_constant(b, &constant))
        return false;
    const kd_type *elem = kd_type_elem(a->type);
    bool is_unsigned = kd_scalar_is_unsigned(elem->scalar);
    int64_t least = is_unsigned ? 0 : kd_number_wrap(elem, (int64_t)(UINT64_C(1) << (kd_scalar_bits(elem->scalar) - 1)));
    int64_t most = kd_number_wrap(elem, ~least);
    if (constant == (op->code == KD_OP_min ? most : least))
        return kd_simplify_replace(s, op, a);
    if (constant == (op->code == KD_OP_min ? least : most))
        return kd_simplify_replace(s, op, b);
    return merge_constants(s, op);
}

static bool simplify_neg(kd_simplifier *s, kd_op *op)
{
    const kd_op *inner = kd_value_def_as(kd_neg_a(op), KD_OP_neg);
    return inner && kd_simplify_replace(s, op, kd_neg_a(inner));
}

static bool simplify_abs(kd_simplifier *s, kd_op *op)
{
    kd_value *a = kd_abs_a(op);
    const kd_type *elem = kd_type_elem(a->type);
    if (kd_value_def_as(a, KD_OP_abs) || kd_scalar_is_unsigned(elem->scalar))
        return kd_simplify_replace(s, op, a);
    const kd_op *neg = kd_value_def_as(a, KD_OP_neg);
    return neg && kd_simplify_set_operand(s, op, 0, kd_neg_a(neg));
}

/* ---- comparisons and choices ---- */

/* The negation of a condition. */
static kd_value *build_not(kd_simplifier *s, kd_op *op, kd_value *condition)
{
    kd_builder b = kd_simplify_builder(s, op);
    kd_value *one = kd_build_int(&b, op->loc, condition->type, 1);
    return kd_simplify_new(s, kd_build_xor(&b, (kd_xor_args){.loc = op->loc, .a = condition, .b = one}));
}

static bool simplify_cmp(kd_simplifier *s, kd_op *op)
{
    kd_value *a = kd_cmp_a(op), *b = kd_cmp_b(op);
    kd_pred pred = kd_cmp_pred(op);
    if (a == b && !kd_type_is_float_like(a->type))
        return kd_simplify_replace_int(s, op, pred == KD_PRED_EQ || pred == KD_PRED_LE || pred == KD_PRED_GE);
    if (!is_int(a) || !is_number(b, 0.0))
        return false;
    bool is_unsigned = kd_scalar_is_unsigned(kd_type_elem(a->type)->scalar);
    if (is_unsigned && (pred == KD_PRED_LT || pred == KD_PRED_GE))
        return kd_simplify_replace_int(s, op, pred == KD_PRED_GE);
    /* condition != 0, also when it was widened */
    const kd_op *cast = kd_value_def_as(a, KD_OP_cast);
    kd_value *condition = cast ? kd_cast_value(cast) : a;
    if (!kd_type_is_bool_like(condition->type) || (pred != KD_PRED_NE && pred != KD_PRED_EQ))
        return false;
    return kd_simplify_replace(s, op, pred == KD_PRED_NE ? condition : build_not(s, op, condition));
}

static bool simplify_select(kd_simplifier *s, kd_op *op)
{
    kd_value *condition = kd_select_condition(op), *a = kd_select_a(op), *b = kd_select_b(op), *other = NULL;
    int64_t value;
    if (a == b)
        return kd_simplify_replace(s, op, a);
    if (kd_value_constant_int(condition, &value))
        return kd_simplify_replace(s, op, value ? a : b);
    if ((other = negated(condition))) {
        kd_op_set_operand(op, 1, b);
        kd_op_set_operand(op, 2, a);
        return kd_simplify_set_operand(s, op, 0, other);
    }
    for (unsigned i = 1; i <= 2; i++) { /* a choice that was made already */
        const kd_op *inner = kd_value_def_as(kd_op_operand(op, i), KD_OP_select);
        if (inner && kd_select_condition(inner) == condition)
            return kd_simplify_set_operand(s, op, i, kd_op_operand(inner, i));
    }
    if (!kd_type_is_bool_like(a->type))
        return false;
    kd_builder at = kd_simplify_builder(s, op);
    if (is_true(a) && is_number(b, 0.0))
        return kd_simplify_replace(s, op, condition);
    if (is_number(a, 0.0) && is_true(b))
        return kd_simplify_replace(s, op, build_not(s, op, condition));
    if (is_number(b, 0.0))
        return kd_simplify_replace(s, op, kd_simplify_new(s, kd_build_and(&at, (kd_and_args){.loc = op->loc, .a = condition, .b = a})));
    if (is_true(a))
        return kd_simplify_replace(s, op, kd_simplify_new(s, kd_build_or(&at, (kd_or_args){.loc = op->loc, .a = condition, .b = b})));
    return false;
}

/* ---- conversions ---- */

typedef struct range {
    int digits;              /* of the significand, in bits, without the sign */
    int min_exponent, max_exponent;
} range;

static range float_range(kd_scalar type)
{
    switch (type) { /* min: of the last place of the smallest subnormal; max: of the largest finite number */
    case KD_F64:
        return (range){53, -1074, 1023};
    case KD_F32:
        return (range){24, -149, 127};
    case KD_BF16:
        return (range){8, -133, 127};
    case KD_F16:
        return (range){11, -24, 15};
    case KD_F8E4NV:
        return (range){4, -9, 8};
    case KD_F8E4B8:
        return (range){4, -10, 7};
    case KD_F8E4B15:
        return (range){4, -17, 0};
    case KD_F8E5:
        return (range){3, -16, 15};
    default: /* KD_F8E5B16 */
        return (range){3, -17, 15};
    }
}

/* Whether every number of one type is one of the other. NaN and -0 count where formats lack them. */
static bool contains(kd_scalar wide, kd_scalar narrow)
{
    if (kd_scalar_is_int(wide)) {
        if (!kd_scalar_is_int(narrow))
            return false;
        unsigned w = kd_scalar_bits(wide), n = kd_scalar_bits(narrow);
        return kd_scalar_is_unsigned(wide) == kd_scalar_is_unsigned(narrow) ? w >= n : kd_scalar_is_unsigned(narrow) && w > n;
    }
    if (kd_scalar_is_fp8(wide))
        return wide == narrow;
    range w = float_range(wide);
    if (kd_scalar_is_int(narrow)) {
        int digits = (int)kd_scalar_bits(narrow) - !kd_scalar_is_unsigned(narrow);
        return w.digits >= digits && w.max_exponent >= (int)kd_scalar_bits(narrow);
    }
    range n = float_range(narrow);
    return w.digits >= n.digits && w.min_exponent <= n.min_exponent && w.max_exponent >= n.max_exponent;
}

/* A conversion that gave the number itself can be skipped by the next. */
static bool simplify_cast(kd_simplifier *s, kd_op *op)
{
    kd_value *value = kd_cast_value(op);
    if (value->type == op->results[0].type)
        return kd_simplify_replace(s, op, value);
    const kd_op *inner = kd_value_def_as(value, KD_OP_cast);
    if (!inner)
        return false;
    kd_scalar from = kd_type_elem(kd_cast_value(inner)->type)->scalar, middle = kd_type_elem(value->type)->scalar;
    kd_scalar to = kd_type_elem(op->results[0].type)->scalar;
    bool is_low_bits = kd_scalar_is_int(from) && kd_scalar_is_int(middle) && kd_scalar_is_int(to) && to != KD_I1 && middle != KD_I1 &&
                       kd_scalar_bits(to) <= kd_scalar_bits(middle);
    if (!is_low_bits && !contains(middle, from))
        return false;
    if (from == to && to == KD_F8E5) /* back to f8e5, infinity becomes the largest number */
        return false;
    /* Integers are rounded to nearest, and targets make 16-bit floats from them through f32. */
    if (!kd_scalar_is_float(from) && kd_scalar_is_float(to) &&
        (kd_cast_rounding(op) != KD_ROUND_NEAREST_EVEN || (kd_scalar_bits(to) < 32 && !contains(KD_F32, from))))
        return false;
    return kd_simplify_set_operand(s, op, 0, kd_cast_value(inner));
}

static bool simplify_bitcast(kd_simplifier *s, kd_op *op)
{
    kd_value *value = kd_bitcast_value(op);
    if (value->type == op->results[0].type)
        return kd_simplify_replace(s, op, value);
    const kd_op *inner = kd_value_def_as(value, KD_OP_bitcast);
    if (!inner)
        return false;
    kd_value *source = kd_bitcast_value(inner);
    bool from_ptr = kd_type_is_ptr_like(source->type), to_ptr = kd_type_is_ptr_like(op->results[0].type);
    if (from_ptr != to_ptr && !kd_type_is_int_like(from_ptr ? op->results[0].type : source->type))
        return false;
    return kd_simplify_set_operand(s, op, 0, source);
}

/* ---- pointers ---- */

/* (splat p + offsets) + splat o  ==>  splat (p + o) + offsets: the offset that all elements share goes to the scalar pointer. */
static bool move_offset_to_base(kd_simplifier *s, kd_op *op)
{
    kd_op *inner = kd_value_def_as(kd_addptr_ptr(op), KD_OP_addptr);
    const kd_op *base = inner ? kd_value_def_as(kd_addptr_ptr(inner), KD_OP_splat) : NULL, *offset = kd_value_def_as(kd_addptr_offset(op), KD_OP_splat);
    if (!base || !offset || !kd_value_has_one_use(kd_op_result(inner, 0)))
        return false;
    kd_builder b = kd_simplify_builder(s, op);
    kd_value *ptr = kd_simplify_new(
        s, kd_build_addptr(&b, (kd_addptr_args){.loc = op->loc, .ptr = kd_splat_scalar(base), .offset = kd_splat_scalar(offset)}));
    kd_value *tile = kd_simplify_new(s, kd_build_splat(&b, (kd_splat_args){.loc = op->loc, .scalar = ptr, .type = op->results[0].type}));
    kd_value *offsets = kd_addptr_offset(inner);
    kd_simplify_set_operand(s, op, 1, offsets);
    return kd_simplify_set_operand(s, op, 0, tile);
}

static bool simplify_addptr(kd_simplifier *s, kd_op *op)
{
    int64_t first, second;
    if (is_number(kd_addptr_offset(op), 0.0))
        return kd_simplify_replace(s, op, kd_addptr_ptr(op));
    kd_op *inner = kd_value_def_as(kd_addptr_ptr(op), KD_OP_addptr);
    const kd_type *type = kd_addptr_offset(op)->type;
    if (inner && kd_addptr_offset(inner)->type == type && is_int_constant(kd_addptr_offset(op), &second) &&
        is_int_constant(kd_addptr_offset(inner), &first)) {
        int64_t sum = (int64_t)((uint64_t)first + (uint64_t)second);
        bool is_64_bits = kd_type_elem_bits(type) == 64; /* where addresses wrap as well */
        if (is_64_bits || kd_number_wrap(kd_type_elem(type), sum) == sum) {
            kd_builder b = kd_simplify_builder(s, op);
            kd_simplify_set_operand(s, op, 1, kd_build_int(&b, op->loc, type, sum));
            return kd_simplify_set_operand(s, op, 0, kd_addptr_ptr(inner));
        }
    }
    return move_offset_to_base(s, op);
}

/* ---- smaller tiles ---- */

/* The value as a tile of another shape (or a scalar), where it is a constant, a splat, or a broadcast from that shape. */
static kd_value *shrink(kd_simplifier *s, kd_op *op, kd_value *value, const kd_type *shape)
{
    kd_builder b = kd_simplify_builder(s, op);
    const kd_type *type = kd_type_with_elem(s->module->ctx, shape, kd_type_elem(value->type));
    kd_number number;
    if (kd_value_constant(value, &number))
        return kd_result(kd_build_constant(&b, (kd_constant_args){.loc = op->loc, .type = type, .value = number}));
    const kd_op *splat = kd_value_def_as(value, KD_OP_splat);
    if (splat)
        return kd_type_is_tile(shape) ? kd_simplify_new(s, kd_build_splat(&b, (kd_splat_args){.loc = op->loc, .scalar = kd_splat_scalar(splat), .type = type}))
                           : kd_splat_scalar(splat);
    return kd_broadcast_tile(value->def);
}

/* kd.add (splat %a), (splat %b)  ==>  splat (kd.add %a, %b); and the same with broadcasts from one shape. */
static bool do_less(kd_simplifier *s, kd_op *op)
{
    const kd_type *result = op->results[0].type, *shape = NULL;
    kd_number number;
    if (!kd_type_is_tile(result) || op->n_results != 1)
        return false;
    for (unsigned i = 0; i < op->n_operands; i++) {
        const kd_value *value = kd_op_operand(op, i);
        const kd_op *broadcast = kd_value_def_as(value, KD_OP_broadcast);
        if (broadcast && !kd_value_constant(value, &number)) {
            const kd_type *from = kd_broadcast_tile(broadcast)->type;
            if (shape && (!kd_type_same_shape(shape, from) || shape->layout != from->layout))
                return false;
            shape = from;
        } else if (!kd_value_def_as(value, KD_OP_splat) && !kd_value_constant(value, &number)) {
            return false;
        }
    }
    enum { MAX_OPERANDS = 4 };
    kd_value *operands[MAX_OPERANDS];
    if (op->n_operands > MAX_OPERANDS)
        return false;
    const kd_type *target = shape ? shape : kd_type_elem(result);
    for (unsigned i = 0; i < op->n_operands; i++)
        operands[i] = shrink(s, op, kd_op_operand(op, i), target);
    kd_builder b = kd_simplify_builder(s, op);
    const kd_type *type = kd_type_with_elem(s->module->ctx, target, kd_type_elem(result));
    kd_op *small = kd_build_op(&b, op->code, op->loc, operands, op->n_operands, &type, 1, op->attrs);
    small->results[0].name = op->results[0].name;
    kd_value *value = kd_simplify_new(s, small);
    kd_op *fresh = shape ? kd_build_broadcast(&b, (kd_broadcast_args){.loc = op->loc, .tile = value, .type = result})
                         : kd_build_splat(&b, (kd_splat_args){.loc = op->loc, .scalar = value, .type = result});
    return kd_simplify_replace(s, op, kd_simplify_new(s, fresh));
}

static bool simplify_by_kind(kd_simplifier *s, kd_op *op)
{
    switch (op->code) {
    case KD_OP_add:
        return simplify_add(s, op);
    case KD_OP_sub:
        return simplify_sub(s, op);
    case KD_OP_mul:
        return simplify_mul(s, op);
    case KD_OP_div:
        return simplify_div(s, op);
    case KD_OP_rem:
        return simplify_rem(s, op);
    case KD_OP_and:
        return simplify_and(s, op);
    case KD_OP_or:
        return simplify_or(s, op);
    case KD_OP_xor:
        return simplify_xor(s, op);
    case KD_OP_shl:
    case KD_OP_shr:
        return simplify_shift(s, op);
    case KD_OP_min:
    case KD_OP_max:
        return simplify_min_max(s, op);
    case KD_OP_neg:
        return simplify_neg(s, op);
    case KD_OP_abs:
        return simplify_abs(s, op);
    case KD_OP_cmp:
        return simplify_cmp(s, op);
    case KD_OP_select:
        return simplify_select(s, op);
    case KD_OP_cast:
        return simplify_cast(s, op);
    case KD_OP_bitcast:
        return simplify_bitcast(s, op);
    case KD_OP_addptr:
        return simplify_addptr(s, op);
    default:
        return false;
    }
}

bool kd_simplify_elementwise(kd_simplifier *s, kd_op *op)
{
    if (!kd_op_has(op, KD_ELEMENTWISE | KD_PURE) || op->code == KD_OP_map || op->code == KD_OP_gpu_convert_layout)
        return false;
    return fold_constants(s, op) || put_constant_last(s, op) || simplify_by_kind(s, op) || do_less(s, op);
}
