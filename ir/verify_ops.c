/* verify_ops.c - one hook for each op whose row in ops.def does not say it all. When a hook runs, operands, results and attributes have the
 * right number, kinds and shapes as the row has them, and regions have their terminators. */
#include "base/float.h"
#include "ir/builder.h"
#include "ir/layout.h"
#include "ir/verify_impl.h"

#include <math.h>

#define FAIL(...) kd_verify_fail(v, op, __VA_ARGS__)

static const kd_type *result_type(const kd_op *op)
{
    return op->results[0].type;
}

static const char *mnemonic(const kd_op *op)
{
    return kd_op_get_info(op)->mnemonic;
}

/* "(i32, f32)" */
static const char *types_text(kd_verifier *v, const kd_type *const *types, unsigned n)
{
    kd_strbuf text = kd_strbuf_in(v->module->arena);
    kd_strbuf_puts(&text, "(");
    for (unsigned i = 0; i < n; i++)
        kd_strbuf_printf(&text, "%s%s", i ? ", " : "", types[i] ? types[i]->text : "nothing");
    kd_strbuf_puts(&text, ")");
    return kd_strbuf_text(&text);
}

typedef struct types {
    const kd_type **list;
    unsigned n;
} types;

static types operand_types(kd_verifier *v, const kd_op *op, unsigned from)
{
    unsigned n = op->n_operands - from;
    types t = {kd_arena_array(v->module->arena, const kd_type *, n), n};
    for (unsigned i = 0; i < n; i++)
        t.list[i] =
            op->operands[from + i].value ? op->operands[from + i].value->type : NULL; /* a mistake that is reported elsewhere */
    return t;
}

static types arg_types(kd_verifier *v, const kd_block *block)
{
    types t = {kd_arena_array(v->module->arena, const kd_type *, block->n_args), block->n_args};
    for (unsigned i = 0; i < t.n; i++)
        t.list[i] = block->args[i]->type;
    return t;
}

static types result_types(kd_verifier *v, const kd_op *op)
{
    types t = {kd_arena_array(v->module->arena, const kd_type *, op->n_results), op->n_results};
    for (unsigned i = 0; i < t.n; i++)
        t.list[i] = op->results[i].type;
    return t;
}

static bool check_same(kd_verifier *v, const kd_op *op, const char *what, types found, types wanted)
{
    bool same = found.n == wanted.n;
    for (unsigned i = 0; i < found.n && same; i++)
        same = found.list[i] == wanted.list[i];
    return same || FAIL("%s of '%s' should be %s, but are %s", what, mnemonic(op), types_text(v, wanted.list, wanted.n),
                        types_text(v, found.list, found.n));
}

/* ---- structure ---- */

static bool verify_func(kd_verifier *v, const kd_op *op)
{
    kd_ints divisibility = kd_func_divisibility(op);
    unsigned n_args = op->regions[0]->n_args;
    if (kd_func_name(op).len == 0)
        return FAIL("a function needs a name");
    if (divisibility.n && divisibility.n != n_args)
        return FAIL("'divisibility' has %u entries for %u parameters", divisibility.n, n_args);
    for (unsigned i = 0; i < divisibility.n; i++)
        if (divisibility.data[i] < 0)
            return FAIL("a parameter cannot be divisible by %lld", (long long)divisibility.data[i]);
    if (kd_func_kernel(op) && op->regions[0]->last->n_operands)
        return FAIL("a kernel returns nothing, but this one returns %u value%s", op->regions[0]->last->n_operands,
                    op->regions[0]->last->n_operands == 1 ? "" : "s");
    return true;
}

static bool verify_call(kd_verifier *v, const kd_op *op)
{
    kd_str name = kd_call_callee(op);
    const kd_op *callee = kd_map_get(&v->funcs, name);
    if (!callee)
        return !v->complete || FAIL("no function is named '@%.*s'", KD_STR_ARG(name));
    const kd_op *end = callee->regions[0]->last;
    return check_same(v, op, "the operands", operand_types(v, op, 0), arg_types(v, callee->regions[0])) &&
           (!end || end->code != KD_OP_return || check_same(v, op, "the results", result_types(v, op), operand_types(v, end, 0)));
}

static bool verify_for(kd_verifier *v, const kd_op *op)
{
    const kd_block *body = op->regions[0];
    const kd_type *type = kd_for_lower(op)->type;
    if (kd_for_upper(op)->type != type || kd_for_step(op)->type != type)
        return FAIL("'kd.for' needs bounds and a step of one type, but they are %s, %s and %s", type->text,
                    kd_for_upper(op)->type->text, kd_for_step(op)->type->text);
    int64_t step = 1;
    if (kd_value_constant_int(kd_for_step(op), &step) && (kd_scalar_is_unsigned(type->scalar) ? step == 0 : step <= 0))
        return FAIL("the step of 'kd.for' must be positive, but is %lld", (long long)step);
    if (kd_for_num_stages(op) < 0 || kd_for_unroll(op) < 0)
        return FAIL("'num_stages' and 'unroll' cannot be negative");
    types carried = operand_types(v, op, 3), inside = arg_types(v, body);
    if (inside.n == 0 || inside.list[0] != type)
        return FAIL("the region of 'kd.for' begins with the counter, a %s", type->text);
    return check_same(v, op, "the results", result_types(v, op), carried) &&
           check_same(v, op, "the carried arguments", (types){inside.list + 1, inside.n - 1}, carried) &&
           check_same(v, body->last, "the operands", operand_types(v, body->last, 0), carried);
}

static bool verify_while(kd_verifier *v, const kd_op *op)
{
    const kd_op *condition = op->regions[0]->last, *yield = op->regions[1]->last;
    types carried = operand_types(v, op, 0), passed = operand_types(v, condition, condition->n_operands ? 1 : 0);
    return check_same(v, op, "the arguments of the first region", arg_types(v, op->regions[0]), carried) &&
           check_same(v, op, "the results", result_types(v, op), passed) &&
           check_same(v, op, "the arguments of the second region", arg_types(v, op->regions[1]), passed) &&
           check_same(v, yield, "the operands", operand_types(v, yield, 0), carried);
}

static bool verify_if(kd_verifier *v, const kd_op *op)
{
    types results = result_types(v, op);
    for (unsigned r = 0; r < 2; r++) {
        const kd_op *yield = op->regions[r]->last;
        if (op->regions[r]->n_args)
            return FAIL("the regions of 'kd.if' have no arguments");
        if (!check_same(v, yield, "the operands", operand_types(v, yield, 0), results))
            return false;
    }
    return true;
}

/* ---- values from nothing ---- */

static bool verify_constant(kd_verifier *v, const kd_op *op)
{
    const kd_type *type = result_type(op), *elem = kd_type_elem(type);
    kd_number number = kd_constant_value(op);
    if (type->kind == KD_TYPE_BUFFER)
        return FAIL("a constant cannot be a buffer");
    if (elem->kind == KD_TYPE_PTR)
        return (!number.is_float && number.i == 0) || FAIL("the only constant pointer is 0");
    if (number.is_float != kd_scalar_is_float(elem->scalar))
        return FAIL("the constant's number is %s, but its type is %s", number.is_float ? "a float" : "an integer", type->text);
    if (number.is_float ? !isnan(number.f) && kd_float_round(number.f, elem->scalar, KD_FLOAT_NEAREST_EVEN) != number.f
                        : kd_number_wrap(elem, number.i) != number.i)
        return FAIL("the constant's number is not one of %s", elem->text);
    return true;
}

static bool verify_axis_of_grid(kd_verifier *v, const kd_op *op)
{
    int64_t axis = op->code == KD_OP_program_id ? kd_program_id_axis(op) : kd_num_programs_axis(op);
    if (axis < 0 || axis > 2)
        return FAIL("the axis of '%s' is 0, 1 or 2, but %lld is given", mnemonic(op), (long long)axis);
    return kd_type_is_scalar(result_type(op), KD_I32) ||
           FAIL("the result of '%s' is i32, but %s is written", mnemonic(op), result_type(op)->text);
}

static bool verify_arange(kd_verifier *v, const kd_op *op)
{
    const kd_type *type = result_type(op);
    if (!kd_type_is_tile(type) || type->rank != 1 || !kd_type_is_scalar(type->elem, KD_I32))
        return FAIL("the result of 'kd.arange' is a tile of rank 1 of i32, but %s is written", type->text);
    int64_t start = kd_arange_start(op);
    if (start < INT32_MIN || start > INT32_MAX - type->n_elems + 1)
        return FAIL("the range from %lld does not fit in i32", (long long)start);
    return true;
}

/* ---- shapes ---- */

static bool verify_splat(kd_verifier *v, const kd_op *op)
{
    const kd_type *type = result_type(op);
    if (!kd_type_is_tile(type) || type->elem != kd_splat_scalar(op)->type)
        return FAIL("the result of 'kd.splat' is a tile of %s, but %s is written", kd_splat_scalar(op)->type->text, type->text);
    return true;
}

static bool verify_broadcast(kd_verifier *v, const kd_op *op)
{
    const kd_type *from = kd_broadcast_tile(op)->type, *to = result_type(op);
    bool good = kd_type_is_tile(to) && to->elem == from->elem && to->rank == from->rank;
    for (unsigned i = 0; good && i < to->rank; i++)
        good = from->shape[i] == 1 || from->shape[i] == to->shape[i];
    if (!good)
        return FAIL("'kd.broadcast' stretches axes of extent 1, but goes from %s to %s", from->text, to->text);
    return !to->layout || kd_verify_layout_is(v, op, from, kd_layout_for_broadcast(v->module->ctx, to->layout, to, from));
}

static bool verify_reshape(kd_verifier *v, const kd_op *op)
{
    const kd_type *from = kd_reshape_tile(op)->type, *to = result_type(op);
    if (from->kind == KD_TYPE_BUFFER || to->kind == KD_TYPE_BUFFER || kd_type_elem(from) != kd_type_elem(to) ||
        from->n_elems != to->n_elems)
        return FAIL("'kd.reshape' keeps the elements, but goes from %s to %s", from->text, to->text);
    return !from->layout || kd_verify_layout_is(v, op, to, from->layout);
}

static bool verify_permute(kd_verifier *v, const kd_op *op)
{
    const kd_type *from = kd_permute_tile(op)->type, *to = result_type(op);
    kd_ints order = kd_permute_order(op);
    uint32_t seen = 0;
    for (unsigned i = 0; i < order.n; i++)
        if (order.data[i] >= 0 && order.data[i] < from->rank)
            seen |= 1u << order.data[i];
    if (order.n != from->rank || seen != (1u << from->rank) - 1)
        return FAIL("the order of 'kd.permute' names each axis of %s once", from->text);
    bool good = kd_type_is_tile(to) && to->elem == from->elem && to->rank == from->rank;
    for (unsigned i = 0; good && i < to->rank; i++)
        good = to->shape[i] == from->shape[order.data[i]];
    if (!good)
        return FAIL("'kd.permute' of %s in this order does not give %s", from->text, to->text);
    return !from->layout || kd_verify_layout_is(v, op, to, kd_layout_permute(v->module->ctx, from->layout, from, order.data));
}

/* Whether wide has the axes of narrow and one more, of extent 2, at the end. */
static bool is_joined(const kd_type *wide, const kd_type *narrow)
{
    bool good = kd_type_is_tile(wide) && narrow->kind != KD_TYPE_BUFFER && wide->rank == narrow->rank + 1 &&
                kd_type_elem(wide) == kd_type_elem(narrow) && wide->shape[narrow->rank] == 2;
    for (unsigned i = 0; good && i < narrow->rank; i++)
        good = wide->shape[i] == narrow->shape[i];
    return good;
}

static bool verify_join(kd_verifier *v, const kd_op *op)
{
    const kd_type *half = kd_join_a(op)->type;
    if (!is_joined(result_type(op), half))
        return FAIL("'kd.join' adds a last axis of extent 2 to %s, but %s is written", half->text, result_type(op)->text);
    return !half->layout || kd_verify_layout_is(v, op, result_type(op), kd_layout_join(v->module->ctx, half->layout));
}

static bool verify_split(kd_verifier *v, const kd_op *op)
{
    if (op->n_results != 2)
        return FAIL("'kd.split' has two results, but %u are given", op->n_results);
    const kd_type *joined = kd_split_joined(op)->type;
    for (unsigned i = 0; i < 2; i++) {
        const kd_type *half = op->results[i].type;
        if (!is_joined(joined, half))
            return FAIL("'kd.split' takes away a last axis of extent 2 from %s, but gives %s", joined->text, half->text);
        if (half->layout && !kd_verify_layout_is(v, op, joined, kd_layout_join(v->module->ctx, half->layout)))
            return false;
    }
    return true;
}

/* ---- element by element ---- */

static bool verify_math(kd_verifier *v, const kd_op *op)
{
    kd_math fn = kd_math_fn(op);
    if (op->n_operands != kd_math_arity(fn))
        return FAIL("'%s' has %u operand%s, but %u are given", kd_math_text(fn), kd_math_arity(fn),
                    kd_math_arity(fn) == 1 ? "" : "s", op->n_operands);
    return true;
}

static bool verify_cmp(kd_verifier *v, const kd_op *op)
{
    return kd_cmp_a(op)->type->kind != KD_TYPE_BUFFER || FAIL("'kd.cmp' compares numbers or pointers, not buffers");
}

static bool verify_select(kd_verifier *v, const kd_op *op)
{
    if (kd_select_a(op)->type != kd_select_b(op)->type)
        return FAIL("'kd.select' chooses between two values of one type, but they are %s and %s", kd_select_a(op)->type->text,
                    kd_select_b(op)->type->text);
    return kd_select_a(op)->type->kind != KD_TYPE_BUFFER || FAIL("'kd.select' cannot choose between buffers");
}

static bool verify_cast(kd_verifier *v, const kd_op *op)
{
    const kd_type *to = result_type(op);
    if (to->kind == KD_TYPE_BUFFER || kd_type_is_ptr_like(to))
        return FAIL("'kd.cast' gives numbers, but %s is written", to->text);
    return true;
}

static bool verify_bitcast(kd_verifier *v, const kd_op *op)
{
    const kd_type *from = kd_bitcast_value(op)->type, *to = result_type(op);
    if (from->kind == KD_TYPE_BUFFER || to->kind == KD_TYPE_BUFFER || kd_type_elem_bits(from) != kd_type_elem_bits(to))
        return FAIL("'kd.bitcast' keeps the width of the elements, but goes from %s to %s", from->text, to->text);
    bool from_ptr = kd_type_is_ptr_like(from), to_ptr = kd_type_is_ptr_like(to);
    if (from_ptr != to_ptr && !kd_type_is_int_like(from_ptr ? to : from))
        return FAIL("'kd.bitcast' turns pointers into pointers or integers, but goes from %s to %s", from->text, to->text);
    return true;
}

/* Ends in a yield of one scalar of these types each. */
static bool check_yields(kd_verifier *v, const kd_op *op, types wanted)
{
    const kd_op *yield = op->regions[0]->last;
    return check_same(v, yield, "the operands", operand_types(v, yield, 0), wanted);
}

static types elem_types(types t)
{
    for (unsigned i = 0; i < t.n; i++)
        t.list[i] = kd_type_elem(t.list[i]);
    return t;
}

static bool verify_map(kd_verifier *v, const kd_op *op)
{
    if (op->n_operands == 0)
        return FAIL("'kd.map' needs operands");
    return check_same(v, op, "the region's arguments", arg_types(v, op->regions[0]), elem_types(operand_types(v, op, 0))) &&
           check_yields(v, op, elem_types(result_types(v, op)));
}

static bool verify_hint(kd_verifier *v, const kd_op *op)
{
    unsigned n_axes = result_type(op)->rank ? result_type(op)->rank : 1;
    static const char *const NAMES[] = {"divisibility", "contiguity", "constancy"};
    for (unsigned i = 0; i < 3; i++) {
        kd_ints list = op->attrs[i].as_kd_ints;
        if (list.n && list.n != n_axes)
            return FAIL("'%s' of 'kd.hint' needs %u entr%s, but has %u", NAMES[i], n_axes, n_axes == 1 ? "y" : "ies", list.n);
        for (unsigned k = 0; k < list.n; k++)
            if (list.data[k] < 0)
                return FAIL("'%s' of 'kd.hint' cannot be negative", NAMES[i]);
    }
    return true;
}

/* ---- memory ---- */

/* Whether a pointer (or tile of them) points to the elements of the value. */
static bool check_pointee(kd_verifier *v, const kd_op *op, const kd_type *ptr, const kd_type *value)
{
    const kd_type *pointee = kd_type_elem(ptr)->elem;
    return (value->kind != KD_TYPE_BUFFER && pointee == kd_type_elem(value)) ||
           FAIL("'%s' goes through pointers to %s, but the value is %s", mnemonic(op), pointee->text, value->text);
}

static bool verify_load(kd_verifier *v, const kd_op *op)
{
    const kd_value *other = kd_load_other(op);
    if (other && other->type != result_type(op))
        return FAIL("'other' of 'kd.load' should be %s, but is %s", result_type(op)->text, other->type->text);
    if (other && !kd_load_mask(op))
        return FAIL("'other' of 'kd.load' counts only where there is a mask");
    return check_pointee(v, op, kd_load_ptr(op)->type, result_type(op));
}

static bool verify_store(kd_verifier *v, const kd_op *op)
{
    return check_pointee(v, op, kd_store_ptr(op)->type, kd_store_value(op)->type);
}

static bool check_block_access(kd_verifier *v, const kd_op *op, const kd_type *base, const kd_type *block, unsigned first_coord,
                               kd_ints check)
{
    unsigned n_coords = op->n_operands - first_coord, rank = n_coords / 3;
    if (base->kind != KD_TYPE_PTR)
        return FAIL("'base' of '%s' must be a pointer, but is %s", mnemonic(op), base->text);
    if (n_coords == 0 || n_coords % 3)
        return FAIL("'coords' of '%s' are shape, strides and offsets, each with one entry an axis, but %u are given", mnemonic(op),
                    n_coords);
    for (unsigned i = 0; i < n_coords; i++) {
        const kd_type *type = op->operands[first_coord + i].value->type;
        bool good = kd_type_is_scalar(type, KD_I64) || (i >= 2 * rank && kd_type_is_scalar(type, KD_I32));
        if (!good)
            return FAIL("coords[%u] of '%s' must be %s, but is %s", i, mnemonic(op), i >= 2 * rank ? "i32 or i64" : "i64",
                        type->text);
    }
    if (block->rank > rank)
        return FAIL("the block is %s, but the tensor has only %u ax%s", block->text, rank, rank == 1 ? "is" : "es");
    if (check.n && check.n != rank)
        return FAIL("'check' of '%s' needs %u entr%s, but has %u", mnemonic(op), rank, rank == 1 ? "y" : "ies", check.n);
    return check_pointee(v, op, base, block);
}

static bool verify_block_load(kd_verifier *v, const kd_op *op)
{
    return check_block_access(v, op, kd_block_load_base(op)->type, result_type(op), 1, kd_block_load_check(op));
}

static bool verify_block_store(kd_verifier *v, const kd_op *op)
{
    return check_block_access(v, op, kd_block_store_base(op)->type, kd_block_store_value(op)->type, 2, kd_block_store_check(op));
}

static bool verify_atomic(kd_verifier *v, const kd_op *op)
{
    kd_atomic_op kind = kd_atomic_kind(op);
    const kd_type *value = kd_atomic_value(op)->type;
    if (kd_type_is_float_like(value) && (kind == KD_ATOMIC_AND || kind == KD_ATOMIC_OR || kind == KD_ATOMIC_XOR))
        return FAIL("this atomic works on integers, but the value is %s", value->text);
    return check_pointee(v, op, kd_atomic_ptr(op)->type, value);
}

static bool verify_atomic_cas(kd_verifier *v, const kd_op *op)
{
    const kd_type *expected = kd_atomic_cas_expected(op)->type, *desired = kd_atomic_cas_desired(op)->type;
    if (expected != desired)
        return FAIL("'kd.atomic_cas' needs values of one type, but 'expected' is %s and 'desired' is %s", expected->text,
                    desired->text);
    return check_pointee(v, op, kd_atomic_cas_ptr(op)->type, desired);
}

/* ---- across elements ---- */

static bool check_axis(kd_verifier *v, const kd_op *op, const kd_type *tile, int64_t axis)
{
    return (axis >= 0 && axis < tile->rank) || FAIL("'%s' has no axis %lld in %s", mnemonic(op), (long long)axis, tile->text);
}

/* Region of reduce and scan: (left..., right...), one scalar each an operand; yields as many. */
static bool check_combine(kd_verifier *v, const kd_op *op, int64_t axis)
{
    if (op->n_operands == 0)
        return FAIL("'%s' needs operands", mnemonic(op));
    types once = elem_types(operand_types(v, op, 0));
    types twice = {kd_arena_array(v->module->arena, const kd_type *, 2 * once.n), 2 * once.n};
    for (unsigned i = 0; i < twice.n; i++)
        twice.list[i] = once.list[i % once.n];
    const kd_type *first = op->operands[0].value->type;
    for (unsigned i = 1; i < op->n_operands; i++) {
        if (!kd_type_same_shape(op->operands[i].value->type, first))
            return FAIL("'%s' needs operands of one shape, but they are %s and %s", mnemonic(op), first->text,
                        op->operands[i].value->type->text);
        if (op->operands[i].value->type->layout != first->layout)
            return FAIL("'%s' needs operands of one layout, but they are %s and %s", mnemonic(op), first->text,
                        op->operands[i].value->type->text);
    }
    return check_axis(v, op, first, axis) && check_same(v, op, "the region's arguments", arg_types(v, op->regions[0]), twice) &&
           check_yields(v, op, once);
}

static bool verify_reduce(kd_verifier *v, const kd_op *op)
{
    if (!check_combine(v, op, kd_reduce_axis(op)))
        return false;
    types wanted = operand_types(v, op, 0);
    for (unsigned i = 0; i < wanted.n; i++) {
        int64_t shape[KD_MAX_RANK];
        unsigned rank = 0;
        for (unsigned axis = 0; axis < wanted.list[i]->rank; axis++)
            if (axis != kd_reduce_axis(op))
                shape[rank++] = wanted.list[i]->shape[axis];
        const kd_type *operand = wanted.list[i];
        wanted.list[i] = kd_type_with_shape(v->module->ctx, operand, rank, shape);
        if (operand->layout && rank)
            wanted.list[i] =
                kd_type_with_layout(v->module->ctx, wanted.list[i],
                                    kd_layout_slice(v->module->ctx, operand->layout, operand, (unsigned)kd_reduce_axis(op)));
    }
    return check_same(v, op, "the results", result_types(v, op), wanted);
}

static bool verify_scan(kd_verifier *v, const kd_op *op)
{
    return check_combine(v, op, kd_scan_axis(op)) && check_same(v, op, "the results", result_types(v, op), operand_types(v, op, 0));
}

static bool verify_sort(kd_verifier *v, const kd_op *op)
{
    const kd_type *from = kd_sort_tile(op)->type, *to = result_type(op);
    bool good = kd_type_is_tile(to) && to->elem == from->elem && to->rank == from->rank;
    for (unsigned i = 0; good && i < to->rank; i++)
        good = i + 1 < to->rank ? to->shape[i] == from->shape[i] : to->shape[i] <= from->shape[i];
    if (!good)
        return FAIL("'kd.sort' of %s gives that type or one with a shorter last axis, but %s is written", from->text, to->text);
    if (from->layout && kd_type_same_shape(from, to) && !kd_verify_layout_is(v, op, to, from->layout))
        return false;
    return !kd_type_is_ptr_like(from) || FAIL("'kd.sort' sorts numbers, but the tile is %s", from->text);
}

static bool verify_gather(kd_verifier *v, const kd_op *op)
{
    const kd_type *src = kd_gather_src(op)->type, *index = kd_gather_index(op)->type;
    if (!check_axis(v, op, src, kd_gather_axis(op)))
        return false;
    bool good = src->rank == index->rank;
    for (unsigned i = 0; good && i < src->rank; i++)
        good = i == kd_gather_axis(op) || src->shape[i] == index->shape[i];
    if (!good)
        return FAIL("'kd.gather' needs equal extents but on its axis, but 'src' is %s and 'index' is %s", src->text, index->text);
    const kd_type *want = kd_type_with_elem(v->module->ctx, index, src->elem);
    return result_type(op) == want || FAIL("the result of 'kd.gather' is %s, but %s is written", want->text, result_type(op)->text);
}

static bool verify_histogram(kd_verifier *v, const kd_op *op)
{
    const kd_type *type = result_type(op);
    if (!kd_type_is_tile(type) || type->rank != 1 || !kd_type_is_scalar(type->elem, KD_I32))
        return FAIL("the result of 'kd.histogram' is a tile of rank 1 of i32, but %s is written", type->text);
    if (kd_histogram_mask(op) && !kd_type_same_shape(kd_histogram_mask(op)->type, kd_histogram_tile(op)->type))
        return FAIL("the mask of 'kd.histogram' has the shape of the tile, but is %s where the tile is %s",
                    kd_histogram_mask(op)->type->text, kd_histogram_tile(op)->type->text);
    return true;
}

static bool dot_types_fit(kd_scalar a, kd_scalar b, kd_scalar acc)
{
    if (kd_scalar_is_fp8(a) && kd_scalar_is_fp8(b))
        return acc == KD_F32 || acc == KD_F16;
    if (a != b)
        return false;
    switch (a) {
    case KD_F16: return acc == KD_F32 || acc == KD_F16;
    case KD_BF16:
    case KD_F32: return acc == KD_F32;
    case KD_F64: return acc == KD_F64;
    case KD_I8:
    case KD_U8: return acc == KD_I32;
    default: return false;
    }
}

static bool verify_dot(kd_verifier *v, const kd_op *op)
{
    const kd_type *a = kd_dot_a(op)->type, *b = kd_dot_b(op)->type, *acc = kd_dot_acc(op)->type;
    unsigned r = a->rank;
    if ((r != 2 && r != 3) || b->rank != r || acc->rank != r)
        return FAIL("'kd.dot' works on tiles of rank 2, or 3 with a batch axis, but they are %s, %s and %s", a->text, b->text,
                    acc->text);
    if (a->shape[r - 1] != b->shape[r - 2])
        return FAIL("'kd.dot' needs equal inner extents, but 'a' is %s and 'b' is %s", a->text, b->text);
    if (acc->shape[r - 2] != a->shape[r - 2] || acc->shape[r - 1] != b->shape[r - 1] ||
        (r == 3 && (a->shape[0] != b->shape[0] || acc->shape[0] != a->shape[0])))
        return FAIL("'kd.dot' of %s and %s does not add to %s", a->text, b->text, acc->text);
    if (kd_type_is_ptr_like(a) || kd_type_is_ptr_like(b) || kd_type_is_ptr_like(acc) ||
        !dot_types_fit(a->elem->scalar, b->elem->scalar, acc->elem->scalar))
        return FAIL("'kd.dot' does not multiply %s by %s into %s", a->elem->text, b->elem->text, acc->elem->text);
    return true;
}

static bool verify_assert(kd_verifier *v, const kd_op *op)
{
    const kd_value *mask = kd_assert_mask(op);
    return !mask || mask->type == kd_assert_condition(op)->type ||
           FAIL("the mask of 'kd.assert' has the type of the condition, %s, but is %s", kd_assert_condition(op)->type->text,
                mask->type->text);
}

static kd_verify_hook *const HOOKS[KD_N_OPS] = {
    [KD_OP_func] = verify_func,
    [KD_OP_call] = verify_call,
    [KD_OP_for] = verify_for,
    [KD_OP_while] = verify_while,
    [KD_OP_if] = verify_if,
    [KD_OP_constant] = verify_constant,
    [KD_OP_program_id] = verify_axis_of_grid,
    [KD_OP_num_programs] = verify_axis_of_grid,
    [KD_OP_arange] = verify_arange,
    [KD_OP_splat] = verify_splat,
    [KD_OP_broadcast] = verify_broadcast,
    [KD_OP_reshape] = verify_reshape,
    [KD_OP_permute] = verify_permute,
    [KD_OP_join] = verify_join,
    [KD_OP_split] = verify_split,
    [KD_OP_math] = verify_math,
    [KD_OP_cmp] = verify_cmp,
    [KD_OP_select] = verify_select,
    [KD_OP_cast] = verify_cast,
    [KD_OP_bitcast] = verify_bitcast,
    [KD_OP_map] = verify_map,
    [KD_OP_hint] = verify_hint,
    [KD_OP_load] = verify_load,
    [KD_OP_store] = verify_store,
    [KD_OP_block_load] = verify_block_load,
    [KD_OP_block_store] = verify_block_store,
    [KD_OP_atomic] = verify_atomic,
    [KD_OP_atomic_cas] = verify_atomic_cas,
    [KD_OP_reduce] = verify_reduce,
    [KD_OP_scan] = verify_scan,
    [KD_OP_sort] = verify_sort,
    [KD_OP_gather] = verify_gather,
    [KD_OP_histogram] = verify_histogram,
    [KD_OP_dot] = verify_dot,
    [KD_OP_assert] = verify_assert,
};

bool kd_verify_op_rules(kd_verifier *v, const kd_op *op)
{
    kd_verify_hook *hook = HOOKS[op->code] ? HOOKS[op->code] : kd_verify_gpu_hook(op->code);
    return !hook || hook(v, op);
}
