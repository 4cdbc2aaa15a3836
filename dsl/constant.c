/* constant.c - Python's arithmetic on compile-time values, and their text.
 *
 * Integers are exact in 128 bits; a result beyond is reported, never wrapped. Floats are doubles, as in Python. */
#include "dsl/dsl_impl.h"

#include <math.h>

enum { MAX_SEQUENCE = 1 << 16 }; /* elements of a tuple, bytes of a string made by '*' */

static kd_dval overflow(kd_lower *lw, kd_loc loc, kd_operator op)
{
    kd_error(lw->diags, loc, "the result of '%s' does not fit in 128 bits", kd_operator_text(op));
    return KD_D_ERR;
}

static kd_dval bad_operands(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    kd_error(lw->diags, loc, "'%s' does not work on %s and %s", kd_operator_text(op), kd_d_describe(lw, a), kd_d_describe(lw, b));
    return KD_D_ERR;
}

static double as_double(kd_dval v)
{
    return v.kind == KD_D_FLOAT ? v.real : (double)v.integer;
}

/* ---- integers ---- */

/* Rounds toward minus infinity; false: the quotient overflows. */
static bool floor_div(__int128 a, __int128 b, __int128 *quotient, __int128 *remainder)
{
    if (b == -1) { /* the least number by -1 traps */
        *remainder = 0;
        return !__builtin_sub_overflow((__int128)0, a, quotient);
    }
    *quotient = a / b;
    *remainder = a % b;
    if (*remainder != 0 && (*remainder < 0) != (b < 0)) {
        *quotient -= 1;
        *remainder += b;
    }
    return true;
}

static kd_dval int_power(kd_lower *lw, kd_loc loc, __int128 base, __int128 exponent)
{
    if (exponent < 0) {
        if (base == 0) {
            kd_error(lw->diags, loc, "0 cannot be raised to a negative power");
            return KD_D_ERR;
        }
        return kd_d_float(pow((double)base, (double)exponent));
    }
    __int128 result = 1;
    if (base == 0 || base == 1)
        return kd_d_int(exponent == 0 ? 1 : base);
    if (base == -1)
        return kd_d_int(exponent & 1 ? -1 : 1);
    for (; exponent; exponent--) /* at most 127 steps before it overflows */
        if (__builtin_mul_overflow(result, base, &result))
            return overflow(lw, loc, KD_POW);
    return kd_d_int(result);
}

static kd_dval int_shift(kd_lower *lw, kd_loc loc, kd_operator op, __int128 a, __int128 by)
{
    if (by < 0) {
        kd_error(lw->diags, loc, "negative shift count");
        return KD_D_ERR;
    }
    if (op == KD_SHR)
        return kd_d_int(by > 127 ? (a < 0 ? -1 : 0) : a >> by);
    __int128 result = a;
    if (a != 0 && (by > 126 || __builtin_mul_overflow(a, (__int128)1 << by, &result)))
        return overflow(lw, loc, op);
    return kd_d_int(result);
}

static kd_dval int_binary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    __int128 x = a.integer, y = b.integer, result = 0, remainder;
    bool both_bool = a.kind == KD_D_BOOL && b.kind == KD_D_BOOL, fits = true;
    switch (op) {
    case KD_ADD: fits = !__builtin_add_overflow(x, y, &result); break;
    case KD_SUB: fits = !__builtin_sub_overflow(x, y, &result); break;
    case KD_MUL: fits = !__builtin_mul_overflow(x, y, &result); break;
    case KD_AND: return both_bool ? kd_d_bool(x & y) : kd_d_int(x & y);
    case KD_OR: return both_bool ? kd_d_bool(x | y) : kd_d_int(x | y);
    case KD_XOR: return both_bool ? kd_d_bool(x ^ y) : kd_d_int(x ^ y);
    case KD_SHL:
    case KD_SHR: return int_shift(lw, loc, op, x, y);
    case KD_POW: return int_power(lw, loc, x, y);
    case KD_DIV:
    case KD_FLOORDIV:
    case KD_MOD:
        if (y == 0) {
            kd_error(lw->diags, loc, "division by zero");
            return KD_D_ERR;
        }
        if (op == KD_DIV)
            return kd_d_float((double)((long double)x / (long double)y));
        fits = floor_div(x, y, &result, &remainder);
        if (op == KD_MOD)
            return kd_d_int(remainder);
        break;
    default: return bad_operands(lw, loc, op, a, b);
    }
    return fits ? kd_d_int(result) : overflow(lw, loc, op);
}

/* ---- floats ---- */

/* Python's %: the divisor's sign. */
static double float_mod(double a, double b)
{
    double m = fmod(a, b);
    if (m != 0)
        return (m < 0) != (b < 0) ? m + b : m;
    return copysign(0.0, b);
}

static double float_floor_div(double a, double b)
{
    double quotient = (a - float_mod(a, b)) / b;
    if (quotient == 0)
        return copysign(0.0, a / b);
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

static kd_dval float_power(kd_lower *lw, kd_loc loc, double a, double b)
{
    if (a == 0 && b < 0) {
        kd_error(lw->diags, loc, "0.0 cannot be raised to a negative power");
        return KD_D_ERR;
    }
    if (a < 0 && isfinite(a) && isfinite(b) && b != floor(b)) {
        kd_error(lw->diags, loc, "a negative number to a fractional power is complex");
        return KD_D_ERR;
    }
    double result = pow(a, b);
    if (isinf(result) && isfinite(a) && isfinite(b)) {
        kd_error(lw->diags, loc, "the result of '**' is too large for a float");
        return KD_D_ERR;
    }
    return kd_d_float(result);
}

static kd_dval float_binary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    double x = as_double(a), y = as_double(b);
    if (y == 0 && (op == KD_DIV || op == KD_FLOORDIV || op == KD_MOD)) {
        kd_error(lw->diags, loc, "division by zero");
        return KD_D_ERR;
    }
    switch (op) {
    case KD_ADD: return kd_d_float(x + y);
    case KD_SUB: return kd_d_float(x - y);
    case KD_MUL: return kd_d_float(x * y);
    case KD_DIV: return kd_d_float(x / y);
    case KD_FLOORDIV: return kd_d_float(float_floor_div(x, y));
    case KD_MOD: return kd_d_float(float_mod(x, y));
    case KD_POW: return float_power(lw, loc, x, y);
    default: return bad_operands(lw, loc, op, a, b);
    }
}

/* ---- strings and tuples ---- */

static kd_dval concat_strings(kd_lower *lw, kd_str a, kd_str b)
{
    char *text = kd_arena_alloc(lw->arena, a.len + b.len + 1);
    if (a.len)
        memcpy(text, a.ptr, a.len);
    if (b.len)
        memcpy(text + a.len, b.ptr, b.len);
    return kd_d_string((kd_str){text, a.len + b.len});
}

static kd_dval concat_tuples(kd_lower *lw, kd_dval a, kd_dval b)
{
    unsigned n = a.tuple.n + b.tuple.n;
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, n);
    for (unsigned i = 0; i < n; i++)
        items[i] = i < a.tuple.n ? a.tuple.items[i] : b.tuple.items[i - a.tuple.n];
    return kd_d_tuple(lw, items, n);
}

static kd_dval repeat_sequence(kd_lower *lw, kd_loc loc, kd_dval sequence, __int128 times)
{
    bool is_string = sequence.kind == KD_D_STRING;
    __int128 length = is_string ? (__int128)sequence.text.len : sequence.tuple.n;
    if (times < 0)
        times = 0;
    if (length && times > MAX_SEQUENCE / length) {
        kd_error(lw->diags, loc, "'*' would make a %s of more than %d elements", is_string ? "string" : "tuple", MAX_SEQUENCE);
        return KD_D_ERR;
    }
    size_t n = (size_t)(length * times);
    if (is_string) {
        char *text = kd_arena_alloc(lw->arena, n + 1);
        for (size_t i = 0; i < n; i++)
            text[i] = sequence.text.ptr[i % sequence.text.len];
        return kd_d_string((kd_str){text, n});
    }
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, n);
    for (size_t i = 0; i < n; i++)
        items[i] = sequence.tuple.items[i % sequence.tuple.n];
    return kd_d_tuple(lw, items, (unsigned)n);
}

/* ---- operators ---- */

/* Reports a value that only Python knows, quietly for errors. True: stop. */
static bool unusable(kd_lower *lw, kd_loc loc, kd_dval v)
{
    if (v.kind == KD_D_UNKNOWN)
        kd_error(lw->diags, loc, "%s", kd_d_describe(lw, v));
    return v.kind == KD_D_UNKNOWN || v.kind == KD_D_ERROR;
}

kd_dval kd_const_unary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a)
{
    if (unusable(lw, loc, a))
        return KD_D_ERR;
    if (op == KD_NOT) {
        bool truth;
        return kd_const_truth(lw, loc, a, &truth) ? kd_d_bool(!truth) : KD_D_ERR;
    }
    __int128 negated;
    if (a.kind == KD_D_FLOAT && op != KD_INVERT)
        return kd_d_float(op == KD_MINUS ? -a.real : a.real);
    if (kd_d_is_int(a)) {
        if (op == KD_PLUS)
            return kd_d_int(a.integer);
        if (op == KD_INVERT)
            return kd_d_int(~a.integer);
        return __builtin_sub_overflow((__int128)0, a.integer, &negated) ? overflow(lw, loc, op) : kd_d_int(negated);
    }
    kd_error(lw->diags, loc, "'%s' does not work on %s", kd_operator_text(op), kd_d_describe(lw, a));
    return KD_D_ERR;
}

kd_dval kd_const_binary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    if (unusable(lw, loc, a) || unusable(lw, loc, b))
        return KD_D_ERR;
    if (kd_d_is_int(a) && kd_d_is_int(b))
        return int_binary(lw, loc, op, a, b);
    if (kd_d_is_number(a) && kd_d_is_number(b))
        return float_binary(lw, loc, op, a, b);
    if (op == KD_ADD && a.kind == KD_D_STRING && b.kind == KD_D_STRING)
        return concat_strings(lw, a.text, b.text);
    if (op == KD_ADD && a.kind == KD_D_TUPLE && b.kind == KD_D_TUPLE)
        return concat_tuples(lw, a, b);
    if (op == KD_MUL && (a.kind == KD_D_STRING || a.kind == KD_D_TUPLE) && kd_d_is_int(b))
        return repeat_sequence(lw, loc, a, b.integer);
    if (op == KD_MUL && (b.kind == KD_D_STRING || b.kind == KD_D_TUPLE) && kd_d_is_int(a))
        return repeat_sequence(lw, loc, b, a.integer);
    return bad_operands(lw, loc, op, a, b);
}

/* Below, equal and above zero as a is below, equal to or above b; 2: not ordered (NaN). */
static int order_numbers(kd_dval a, kd_dval b)
{
    if (kd_d_is_int(a) && kd_d_is_int(b))
        return (a.integer > b.integer) - (a.integer < b.integer);
    long double x = a.kind == KD_D_FLOAT ? a.real : (long double)a.integer;
    long double y = b.kind == KD_D_FLOAT ? b.real : (long double)b.integer;
    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
}

static int order_strings(kd_str a, kd_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? (order > 0) - (order < 0) : (a.len > b.len) - (a.len < b.len);
}

bool kd_d_equal(kd_dval a, kd_dval b)
{
    if (kd_d_is_number(a) && kd_d_is_number(b))
        return order_numbers(a, b) == 0;
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case KD_D_NONE: return true;
    case KD_D_STRING: return kd_str_equal(a.text, b.text);
    case KD_D_DTYPE: return a.type == b.type;
    case KD_D_TUPLE:
        for (unsigned i = 0; a.tuple.n == b.tuple.n && i < a.tuple.n; i++)
            if (!kd_d_equal(a.tuple.items[i], b.tuple.items[i]))
                return false;
        return a.tuple.n == b.tuple.n;
    case KD_D_FUNCTION: return a.fn.function == b.fn.function && a.fn.closure == b.fn.closure;
    case KD_D_BUILTIN: return a.bound.builtin == b.bound.builtin && a.bound.self == b.bound.self;
    case KD_D_MODULE: return a.mod.module == b.mod.module && a.mod.namespace_ == b.mod.namespace_;
    case KD_D_CLASS: return a.cls.class_ == b.cls.class_;
    case KD_D_TENSOR: return a.value == b.value;
    case KD_D_BLOCK_PTR:
    case KD_D_DESC: return a.block == b.block;
    default: return false;
    }
}

static kd_dval contains(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval item, kd_dval container)
{
    bool found = false;
    if (container.kind == KD_D_TUPLE) {
        for (unsigned i = 0; i < container.tuple.n && !found; i++)
            found = kd_d_equal(item, container.tuple.items[i]);
    } else if (container.kind == KD_D_STRING && item.kind == KD_D_STRING) {
        found = item.text.len == 0 || (container.text.len && memmem(container.text.ptr, container.text.len, item.text.ptr, item.text.len));
    } else {
        return bad_operands(lw, loc, op, item, container);
    }
    return kd_d_bool(found == (op == KD_IN));
}

kd_dval kd_const_compare(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    if (unusable(lw, loc, a) || unusable(lw, loc, b))
        return KD_D_ERR;
    if (op == KD_IN || op == KD_NOT_IN)
        return contains(lw, loc, op, a, b);
    if (op == KD_EQ || op == KD_NE)
        return kd_d_bool(kd_d_equal(a, b) == (op == KD_EQ));
    if (op == KD_IS || op == KD_IS_NOT)
        return kd_d_bool((a.kind == b.kind && kd_d_equal(a, b)) == (op == KD_IS));
    int order;
    if (kd_d_is_number(a) && kd_d_is_number(b))
        order = order_numbers(a, b);
    else if (a.kind == KD_D_STRING && b.kind == KD_D_STRING)
        order = order_strings(a.text, b.text);
    else
        return bad_operands(lw, loc, op, a, b);
    if (order == 2)
        return kd_d_bool(false);
    bool holds = op == KD_LT ? order < 0 : op == KD_LE ? order <= 0 : op == KD_GT ? order > 0 : order >= 0;
    return kd_d_bool(holds);
}

bool kd_const_truth(kd_lower *lw, kd_loc loc, kd_dval v, bool *out)
{
    switch (v.kind) {
    case KD_D_NONE: *out = false; return true;
    case KD_D_BOOL:
    case KD_D_INT: *out = v.integer != 0; return true;
    case KD_D_FLOAT: *out = v.real != 0; return true;
    case KD_D_STRING: *out = v.text.len != 0; return true;
    case KD_D_TUPLE: *out = v.tuple.n != 0; return true;
    case KD_D_DTYPE:
    case KD_D_FUNCTION:
    case KD_D_BUILTIN:
    case KD_D_MODULE:
    case KD_D_CLASS: *out = true; return true;
    default:
        if (!unusable(lw, loc, v))
            kd_error(lw->diags, loc, "%s has no truth value at compile time", kd_d_describe(lw, v));
        return false;
    }
}
