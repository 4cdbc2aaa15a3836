/* axis_info.c - see axis_info.h.
 *
 * Facts are kept as logarithms, so that a greatest common divisor is a minimum and a product a sum. Values begin with no facts at all
 * ("anything may hold"); facts of an op follow from those of its operands, and only ever get weaker, so the work list runs empty. */
#include "passes/axis_info.h"
#include "base/bits.h"
#include "base/map.h"
#include "base/vec.h"
#include "ir/text.h"
#include "passes/pass.h"

enum { MAX_DIVISIBILITY = 30 }; /* of 0: more is of no use to anyone */

typedef struct axis {
    uint8_t contiguity, divisibility, constancy; /* logarithms */
} axis;

typedef struct facts {
    unsigned n_axes;
    bool is_non_negative;
    axis axes[];
} facts;

struct kd_axis_info {
    kd_arena *arena;
    kd_map values; /* value -> facts */
    KD_VEC(kd_op *) work; /* op->mark is set for those in it */
};

static uint8_t least(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

static uint8_t most(uint8_t a, uint8_t b)
{
    return a > b ? a : b;
}

static uint8_t product(uint8_t a, uint8_t b)
{
    return least((uint8_t)(a + b), MAX_DIVISIBILITY);
}

/* The logarithm of the largest power of two that divides a number. */
static uint8_t power_in(int64_t n)
{
    return n == 0 ? MAX_DIVISIBILITY : least((uint8_t)__builtin_ctzll((uint64_t)n), MAX_DIVISIBILITY);
}

static uint8_t log2_of(int64_t extent)
{
    return (uint8_t)kd_log2((uint64_t)extent);
}

/* ---- facts of values ---- */

static unsigned n_axes_of(const kd_type *type)
{
    return type->rank ? type->rank : 1;
}

static int64_t extent_of(const kd_type *type, unsigned i)
{
    return type->rank ? type->shape[i] : 1;
}

/* How far apart in memory, in bytes, neighbours of a contiguous run are; 1 for integers. */
static uint8_t unit_of(const kd_type *type)
{
    const kd_type *elem = kd_type_elem(type);
    return elem->kind != KD_TYPE_PTR ? 0 : elem->elem->kind == KD_TYPE_PTR ? 3 : log2_of(kd_scalar_bytes(elem->elem->scalar));
}

static facts *get(const kd_axis_info *info, const kd_value *value)
{
    return value ? kd_map_get_ptr(&info->values, value) : NULL;
}

static facts *facts_new(kd_axis_info *info, const kd_type *type)
{
    unsigned n = n_axes_of(type);
    facts *f = kd_arena_alloc(info->arena, sizeof *f + n * sizeof *f->axes);
    f->n_axes = n;
    return f;
}

/* The divisibility of the first elements of runs of a length that is at most the contiguity. */
static uint8_t divisibility_at(const facts *f, unsigned i, uint8_t run, uint8_t unit)
{
    return f->axes[i].contiguity > run ? least(f->axes[i].divisibility, (uint8_t)(run + unit)) : f->axes[i].divisibility;
}

/* What divides every element: any axis tells. */
static uint8_t divisor_of(const facts *f, uint8_t unit)
{
    uint8_t d = 0;
    for (unsigned i = 0; i < f->n_axes; i++)
        d = most(d, divisibility_at(f, i, 0, unit));
    return d;
}

static void push(kd_axis_info *info, kd_op *op)
{
    if (op->mark)
        return;
    op->mark = 1;
    kd_vec_push(info->arena, &info->work, op);
}

/* Weakens what is known of a value to what both hold; its readers are looked at again if that changes something. */
static void meet(kd_axis_info *info, const kd_value *value, const facts *fresh)
{
    void **place = kd_map_at_ptr(&info->values, value);
    facts *f = *place;
    bool changed = !f;
    if (!f) {
        *place = f = facts_new(info, value->type);
        memcpy(f, fresh, sizeof *f + f->n_axes * sizeof *f->axes);
    } else {
        changed = f->is_non_negative && !fresh->is_non_negative;
        f->is_non_negative &= fresh->is_non_negative;
        uint8_t unit = unit_of(value->type);
        for (unsigned i = 0; i < f->n_axes; i++) {
            axis old = f->axes[i];
            uint8_t run = least(old.contiguity, fresh->axes[i].contiguity);
            f->axes[i] = (axis){run, least(divisibility_at(f, i, run, unit), divisibility_at(fresh, i, run, unit)),
                                least(old.constancy, fresh->axes[i].constancy)};
            changed |= memcmp(&old, &f->axes[i], sizeof old) != 0;
        }
    }
    if (!changed)
        return;
    for (const kd_use *use = value->uses; use; use = use->next) {
        push(info, use->user);
        if (kd_op_has(use->user, KD_TERMINATOR))
            push(info, use->user->block->parent);
    }
}

static facts *nothing_known(kd_axis_info *info, const kd_type *type)
{
    return facts_new(info, type);
}

static facts *uniform(kd_axis_info *info, const kd_type *type, uint8_t divisibility, bool is_non_negative)
{
    facts *f = facts_new(info, type);
    f->is_non_negative = is_non_negative;
    for (unsigned i = 0; i < f->n_axes; i++)
        f->axes[i] = (axis){0, divisibility, log2_of(extent_of(type, i))};
    return f;
}

/* ---- arithmetic ---- */

static bool is_constant(const kd_value *value, int64_t *out)
{
    return kd_value_constant_int(value, out);
}

typedef struct binary {
    kd_axis_info *info;
    const kd_op *op;
    const facts *a, *b;
    uint8_t unit_a; /* pointers: of their elements */
    facts *out;
} binary;

/* Sums, differences, and pointers with offsets. Runs go on where one side is contiguous and the other constant. */
static void sum(binary *x, bool is_difference)
{
    uint8_t scale = x->unit_a; /* an offset counts elements */
    x->out->is_non_negative = !is_difference && x->a->is_non_negative && x->b->is_non_negative;
    for (unsigned i = 0; i < x->out->n_axes; i++) {
        axis a = x->a->axes[i], b = x->b->axes[i];
        uint8_t run = least(a.contiguity, b.constancy);
        if (!is_difference)
            run = most(run, least(a.constancy, b.contiguity));
        uint8_t d = least(divisibility_at(x->a, i, run, x->unit_a), product(divisibility_at(x->b, i, run, 0), scale));
        x->out->axes[i] = (axis){run, d, least(a.constancy, b.constancy)};
    }
}

static void multiply(binary *x)
{
    x->out->is_non_negative = x->a->is_non_negative && x->b->is_non_negative;
    for (unsigned i = 0; i < x->out->n_axes; i++)
        x->out->axes[i] = (axis){0, product(divisibility_at(x->a, i, 0, 0), divisibility_at(x->b, i, 0, 0)),
                                 least(x->a->axes[i].constancy, x->b->axes[i].constancy)};
}

/* The length of runs [k * g, k * g + g) of a, where all of b's elements are one multiple of g; such runs stay together in divisions,
 * remainders and comparisons. */
static uint8_t block_of(const facts *a, const facts *b, unsigned i)
{
    uint8_t g = least(a->axes[i].contiguity, a->axes[i].divisibility);
    g = least(g, b->axes[i].constancy);
    return least(g, divisibility_at(b, i, 0, 0));
}

/* Whether a divisor is taken to be positive: one that the kernel computes once, from sizes. */
static bool is_taken_as_positive(const kd_value *divisor)
{
    int64_t constant;
    if (is_constant(divisor, &constant))
        return constant > 0;
    while (divisor->def && divisor->def->code == KD_OP_splat)
        divisor = kd_splat_scalar(divisor->def);
    return !kd_type_is_tile(divisor->type) && !(divisor->def && divisor->def->code == KD_OP_load);
}

static void divide(binary *x)
{
    x->out->is_non_negative = x->a->is_non_negative && (x->b->is_non_negative || is_taken_as_positive(kd_op_operand(x->op, 1)));
    for (unsigned i = 0; i < x->out->n_axes; i++) {
        uint8_t block = x->a->is_non_negative ? block_of(x->a, x->b, i) : 0; /* negative numbers round the other way */
        x->out->axes[i] = (axis){0, 0, most(least(x->a->axes[i].constancy, x->b->axes[i].constancy), block)};
    }
}

static void divide_by_power(binary *x, uint8_t power)
{
    x->out->is_non_negative = x->a->is_non_negative;
    for (unsigned i = 0; i < x->out->n_axes; i++) {
        axis a = x->a->axes[i];
        uint8_t d = divisibility_at(x->a, i, 0, 0), block = x->a->is_non_negative ? least(least(a.contiguity, a.divisibility), power) : 0;
        x->out->axes[i] = (axis){0, d > power && d < MAX_DIVISIBILITY ? d - power : d == MAX_DIVISIBILITY ? d : 0, most(a.constancy, block)};
    }
}

static void remainder_of(binary *x)
{
    x->out->is_non_negative = x->a->is_non_negative;
    for (unsigned i = 0; i < x->out->n_axes; i++) {
        uint8_t run = x->a->is_non_negative ? block_of(x->a, x->b, i) : 0;
        uint8_t d = least(divisibility_at(x->a, i, run, 0), divisibility_at(x->b, i, 0, 0));
        x->out->axes[i] = (axis){run, d, least(x->a->axes[i].constancy, x->b->axes[i].constancy)};
    }
}

/* Element by element: equal where both are; min, max, bitwise ops and others say what divides their results. */
static void bitwise(binary *x, bool keeps_any_divisor)
{
    x->out->is_non_negative = x->a->is_non_negative && x->b->is_non_negative;
    for (unsigned i = 0; i < x->out->n_axes; i++) {
        uint8_t a = divisibility_at(x->a, i, 0, 0), b = divisibility_at(x->b, i, 0, 0);
        x->out->axes[i] = (axis){0, keeps_any_divisor ? most(a, b) : least(a, b), least(x->a->axes[i].constancy, x->b->axes[i].constancy)};
    }
}

/* a < b: blocks of a contiguous side lie on one side of a multiple of their length. */
static void compare(binary *x, kd_pred pred)
{
    x->out->is_non_negative = true;
    for (unsigned i = 0; i < x->out->n_axes; i++) {
        uint8_t constancy = least(x->a->axes[i].constancy, x->b->axes[i].constancy);
        if (pred == KD_PRED_LT || pred == KD_PRED_GE)
            constancy = most(constancy, block_of(x->a, x->b, i));
        if (pred == KD_PRED_GT || pred == KD_PRED_LE)
            constancy = most(constancy, block_of(x->b, x->a, i));
        x->out->axes[i] = (axis){0, 0, constancy};
    }
}

static facts *visit_binary(kd_axis_info *info, const kd_op *op)
{
    const kd_type *type = op->results[0].type;
    binary x = {info, op, get(info, kd_op_operand(op, 0)), get(info, kd_op_operand(op, 1)), unit_of(kd_op_operand(op, 0)->type), facts_new(info, type)};
    int64_t constant;
    bool has_constant = is_constant(kd_op_operand(op, 1), &constant);
    if (!kd_type_is_int_like(kd_op_operand(op, 0)->type) && op->code != KD_OP_addptr && op->code != KD_OP_cmp) {
        bitwise(&x, false);
        return x.out;
    }
    switch (op->code) {
    case KD_OP_add:
    case KD_OP_addptr:
        sum(&x, false);
        break;
    case KD_OP_sub:
        sum(&x, true);
        break;
    case KD_OP_mul:
        multiply(&x);
        break;
    case KD_OP_div:
        if (has_constant && constant > 0 && (constant & (constant - 1)) == 0)
            divide_by_power(&x, log2_of(constant));
        else
            divide(&x);
        break;
    case KD_OP_shr:
        if (has_constant && constant >= 0 && constant < 63)
            divide_by_power(&x, (uint8_t)constant);
        else
            bitwise(&x, false);
        break;
    case KD_OP_shl:
        bitwise(&x, false);
        for (unsigned i = 0; i < x.out->n_axes; i++)
            x.out->axes[i].divisibility = product(divisibility_at(x.a, i, 0, 0), has_constant && constant > 0 && constant < 63 ? (uint8_t)constant : 0);
        break;
    case KD_OP_rem:
        remainder_of(&x);
        break;
    case KD_OP_and:
        bitwise(&x, true);
        x.out->is_non_negative = x.a->is_non_negative || x.b->is_non_negative;
        if (has_constant && constant > 0 && (constant & (constant + 1)) == 0) { /* a remainder; also of negative numbers */
            uint8_t power = log2_of(constant + 1);
            for (unsigned i = 0; i < x.out->n_axes; i++) {
                uint8_t run = least(least(x.a->axes[i].contiguity, x.a->axes[i].divisibility), power);
                x.out->axes[i].contiguity = run;
                x.out->axes[i].divisibility = divisibility_at(x.a, i, run, 0);
            }
        }
        break;
    case KD_OP_max:
        bitwise(&x, false);
        x.out->is_non_negative = x.a->is_non_negative || x.b->is_non_negative;
        break;
    case KD_OP_cmp:
        if (kd_type_is_int_like(kd_cmp_a(op)->type))
            compare(&x, kd_cmp_pred(op));
        else
            bitwise(&x, false);
        break;
    default: /* or, xor, min, mulhi */
        bitwise(&x, false);
        if (op->code == KD_OP_mulhi)
            for (unsigned i = 0; i < x.out->n_axes; i++)
                x.out->axes[i].divisibility = 0;
        break;
    }
    return x.out;
}

static facts *visit_select(kd_axis_info *info, const kd_op *op)
{
    const facts *c = get(info, kd_select_condition(op)), *a = get(info, kd_select_a(op)), *b = get(info, kd_select_b(op));
    facts *f = facts_new(info, op->results[0].type);
    uint8_t unit = unit_of(op->results[0].type);
    bool is_scalar_condition = c->n_axes != f->n_axes;
    f->is_non_negative = a->is_non_negative && b->is_non_negative;
    for (unsigned i = 0; i < f->n_axes; i++) {
        uint8_t same = is_scalar_condition ? MAX_DIVISIBILITY : c->axes[i].constancy;
        uint8_t run = least(same, least(a->axes[i].contiguity, b->axes[i].contiguity));
        f->axes[i] = (axis){run, least(divisibility_at(a, i, run, unit), divisibility_at(b, i, run, unit)),
                            least(same, least(a->axes[i].constancy, b->axes[i].constancy))};
    }
    return f;
}

static facts *visit_cast(kd_axis_info *info, const kd_op *op)
{
    const facts *a = get(info, kd_cast_value(op));
    const kd_type *from = kd_cast_value(op)->type, *to = op->results[0].type;
    facts *f = facts_new(info, to);
    bool keeps = kd_type_is_int_like(from) && kd_type_is_int_like(to) && !kd_type_is_bool_like(to) && !kd_type_is_bool_like(from);
    f->is_non_negative = a->is_non_negative || (kd_type_is_int_like(from) && kd_scalar_is_unsigned(kd_type_elem(from)->scalar) &&
                                                kd_type_elem_bits(from) < kd_type_elem_bits(to));
    for (unsigned i = 0; i < f->n_axes; i++)
        f->axes[i] = keeps ? a->axes[i] : (axis){0, 0, a->axes[i].constancy};
    return f;
}

/* Contiguous addresses are numbers that lie apart by the element's size. */
static facts *visit_bitcast(kd_axis_info *info, const kd_op *op)
{
    const facts *a = get(info, kd_bitcast_value(op));
    const kd_type *from = kd_bitcast_value(op)->type, *to = op->results[0].type;
    facts *f = facts_new(info, to);
    bool is_address = !kd_type_is_float_like(from) && !kd_type_is_float_like(to);
    for (unsigned i = 0; i < f->n_axes; i++) {
        bool keeps = unit_of(from) == unit_of(to);
        f->axes[i] = (axis){keeps && is_address ? a->axes[i].contiguity : 0,
                            !is_address ? 0 : keeps ? a->axes[i].divisibility : divisibility_at(a, i, 0, unit_of(from)), a->axes[i].constancy};
    }
    return f;
}

/* ---- shapes ---- */

static facts *visit_splat(kd_axis_info *info, const kd_op *op)
{
    const facts *a = get(info, kd_splat_scalar(op));
    return uniform(info, op->results[0].type, a->axes[0].divisibility, a->is_non_negative);
}

static facts *visit_broadcast(kd_axis_info *info, const kd_op *op)
{
    const facts *a = get(info, kd_broadcast_tile(op));
    const kd_type *from = kd_broadcast_tile(op)->type, *to = op->results[0].type;
    facts *f = facts_new(info, to);
    f->is_non_negative = a->is_non_negative;
    for (unsigned i = 0; i < f->n_axes; i++) {
        f->axes[i] = a->axes[i];
        if (from->shape[i] != to->shape[i])
            f->axes[i] = (axis){0, a->axes[i].divisibility, log2_of(to->shape[i])};
    }
    return f;
}

/* Axes of one element come and go; else the last axis keeps its runs as far as they fit in the new one. */
static facts *visit_reshape(kd_axis_info *info, const kd_op *op)
{
    const facts *a = get(info, kd_reshape_tile(op));
    const kd_type *from = kd_reshape_tile(op)->type, *to = op->results[0].type;
    uint8_t unit = unit_of(from);
    facts *f = uniform(info, to, divisor_of(a, unit), a->is_non_negative);
    bool is_constant_tile = true;
    for (unsigned i = 0; i < a->n_axes; i++)
        is_constant_tile &= a->axes[i].constancy == log2_of(extent_of(from, i));
    if (is_constant_tile)
        return f;
    for (unsigned i = 0; i < f->n_axes; i++)
        f->axes[i].constancy = 0;
    unsigned i = from->rank, k = to->rank; /* equal axes from the end */
    while (i > 0 && k > 0) {
        if (from->shape[i - 1] == to->shape[k - 1])
            f->axes[--k] = a->axes[--i];
        else if (from->shape[i - 1] == 1)
            i--;
        else if (to->shape[k - 1] == 1)
            k--;
        else {
            if (i < from->rank && k < to->rank && from->shape[i] > 1)
                break; /* not the last axis */
            uint8_t extent = log2_of(to->shape[k - 1]), run = least(a->axes[i - 1].contiguity, extent);
            f->axes[k - 1] = (axis){run, divisibility_at(a, i - 1, run, unit), least(a->axes[i - 1].constancy, extent)};
            break;
        }
    }
    return f;
}

static facts *visit_permute(kd_axis_info *info, const kd_op *op)
{
    const facts *a = get(info, kd_permute_tile(op));
    facts *f = facts_new(info, op->results[0].type);
    f->is_non_negative = a->is_non_negative;
    for (unsigned i = 0; i < f->n_axes; i++)
        f->axes[i] = a->axes[kd_permute_order(op).data[i]];
    return f;
}

static facts *visit_arange(kd_axis_info *info, const kd_op *op)
{
    facts *f = facts_new(info, op->results[0].type);
    f->is_non_negative = kd_arange_start(op) >= 0;
    f->axes[0] = (axis){log2_of(op->results[0].type->n_elems), power_in(kd_arange_start(op)), 0};
    return f;
}

static facts *visit_hint(kd_axis_info *info, const kd_op *op)
{
    const facts *a = get(info, kd_hint_value(op));
    facts *f = facts_new(info, op->results[0].type);
    kd_ints lists[] = {kd_hint_contiguity(op), kd_hint_divisibility(op), kd_hint_constancy(op)};
    f->is_non_negative = a->is_non_negative;
    for (unsigned i = 0; i < f->n_axes; i++) {
        uint8_t extent = log2_of(extent_of(op->results[0].type, i));
        f->axes[i] = a->axes[i];
        if (lists[0].n && lists[0].data[i] > 0)
            f->axes[i].contiguity = most(f->axes[i].contiguity, least(power_in(lists[0].data[i]), extent));
        if (lists[1].n && lists[1].data[i] > 0)
            f->axes[i].divisibility = most(f->axes[i].divisibility, power_in(lists[1].data[i]));
        if (lists[2].n && lists[2].data[i] > 0)
            f->axes[i].constancy = most(f->axes[i].constancy, least(power_in(lists[2].data[i]), extent));
    }
    return f;
}

static facts *visit_load(kd_axis_info *info, const kd_op *op)
{
    const facts *ptr = get(info, kd_load_ptr(op)), *mask = get(info, kd_load_mask(op)), *other = get(info, kd_load_other(op));
    facts *f = facts_new(info, op->results[0].type);
    for (unsigned i = 0; i < f->n_axes && !kd_load_is_volatile(op); i++) {
        uint8_t same = ptr->axes[i].constancy;
        same = mask ? least(same, mask->axes[i].constancy) : same;
        f->axes[i].constancy = other ? least(same, other->axes[i].constancy) : same;
    }
    return f;
}

/* Any other element-wise op: equal operands give equal results. */
static facts *visit_elementwise(kd_axis_info *info, const kd_op *op, const kd_type *type)
{
    facts *f = uniform(info, type, 0, false);
    for (unsigned k = 0; k < op->n_operands; k++) {
        const facts *a = get(info, kd_op_operand(op, k));
        for (unsigned i = 0; a && i < f->n_axes && i < a->n_axes; i++)
            f->axes[i].constancy = least(f->axes[i].constancy, a->axes[i].constancy);
    }
    return f;
}

static facts *compute(kd_axis_info *info, const kd_op *op)
{
    const kd_type *type = op->results[0].type;
    int64_t constant;
    switch (op->code) {
    case KD_OP_constant:
        return is_constant(&op->results[0], &constant)
                   ? uniform(info, type, power_in(constant), constant >= 0 || (kd_type_elem(type)->kind == KD_TYPE_SCALAR && kd_scalar_is_unsigned(kd_type_elem(type)->scalar)))
                   : uniform(info, type, 0, false);
    case KD_OP_program_id:
    case KD_OP_num_programs:
        return uniform(info, type, 0, true);
    case KD_OP_arange:
        return visit_arange(info, op);
    case KD_OP_splat:
        return visit_splat(info, op);
    case KD_OP_broadcast:
        return visit_broadcast(info, op);
    case KD_OP_reshape:
        return visit_reshape(info, op);
    case KD_OP_permute:
        return visit_permute(info, op);
    case KD_OP_add:
    case KD_OP_sub:
    case KD_OP_mul:
    case KD_OP_div:
    case KD_OP_rem:
    case KD_OP_mulhi:
    case KD_OP_and:
    case KD_OP_or:
    case KD_OP_xor:
    case KD_OP_shl:
    case KD_OP_shr:
    case KD_OP_min:
    case KD_OP_max:
    case KD_OP_cmp:
    case KD_OP_addptr:
        return visit_binary(info, op);
    case KD_OP_select:
        return visit_select(info, op);
    case KD_OP_cast:
        return visit_cast(info, op);
    case KD_OP_bitcast:
        return visit_bitcast(info, op);
    case KD_OP_hint:
        return visit_hint(info, op);
    case KD_OP_load:
        return visit_load(info, op);
    case KD_OP_gpu_convert_layout: {
        const facts *a = get(info, kd_gpu_convert_layout_src(op));
        facts *f = facts_new(info, type);
        memcpy(f, a, sizeof *f + f->n_axes * sizeof *f->axes);
        return f;
    }
    default:
        return kd_op_has(op, KD_ELEMENTWISE | KD_PURE) ? visit_elementwise(info, op, type) : nothing_known(info, type);
    }
}

/* ---- loops and ifs ---- */

static void pass_on(kd_axis_info *info, const kd_value *from, const kd_value *to)
{
    const facts *f = get(info, from);
    if (f)
        meet(info, to, f);
}

static void visit_for(kd_axis_info *info, const kd_op *op)
{
    const kd_block *body = op->regions[0];
    const kd_op *yield = kd_block_terminator(body);
    const facts *lower = get(info, kd_for_lower(op)), *step = get(info, kd_for_step(op));
    if (lower && step) /* lower + k * step */
        meet(info, body->args[0], uniform(info, body->args[0]->type, least(lower->axes[0].divisibility, step->axes[0].divisibility), lower->is_non_negative));
    for (unsigned i = 0; i < op->n_results; i++) {
        const kd_value *from[] = {kd_for_inits(op, i), kd_op_operand(yield, i)};
        for (unsigned k = 0; k < 2; k++) {
            pass_on(info, from[k], body->args[1 + i]);
            pass_on(info, from[k], &op->results[i]);
        }
    }
}

static void visit_while(kd_axis_info *info, const kd_op *op)
{
    const kd_block *before = op->regions[0], *after = op->regions[1];
    const kd_op *condition = kd_block_terminator(before), *yield = kd_block_terminator(after);
    for (unsigned i = 0; i < before->n_args; i++) {
        pass_on(info, kd_while_inits(op, i), before->args[i]);
        pass_on(info, kd_op_operand(yield, i), before->args[i]);
    }
    for (unsigned i = 0; i < op->n_results; i++) {
        pass_on(info, kd_condition_values(condition, i), after->args[i]);
        pass_on(info, kd_condition_values(condition, i), &op->results[i]);
    }
}

static void visit_if(kd_axis_info *info, const kd_op *op)
{
    for (unsigned i = 0; i < op->n_results; i++)
        for (unsigned r = 0; r < 2; r++)
            pass_on(info, kd_op_operand(kd_block_terminator(op->regions[r]), i), &op->results[i]);
}

static void visit_op(kd_axis_info *info, const kd_op *op)
{
    if (op->code == KD_OP_for)
        visit_for(info, op);
    else if (op->code == KD_OP_while)
        visit_while(info, op);
    else if (op->code == KD_OP_if)
        visit_if(info, op);
    else {
        for (unsigned i = 0; i < op->n_operands; i++)
            if (op->operands[i].value && !get(info, op->operands[i].value))
                return; /* comes again when that is known */
        if (op->n_results == 1)
            meet(info, &op->results[0], compute(info, op));
        else
            for (unsigned i = 0; i < op->n_results; i++)
                meet(info, &op->results[i], nothing_known(info, op->results[i].type));
    }
}

/* ---- the function ---- */

static void gather(kd_op *op, void *user)
{
    kd_axis_info *info = user;
    op->mark = 0;
    push(info, op);
    if (op->code != KD_OP_for && op->code != KD_OP_while && op->code != KD_OP_if) /* arguments of the functions of reductions */
        for (unsigned r = 0; r < op->n_regions; r++)
            for (unsigned i = 0; i < op->regions[r]->n_args; i++)
                meet(info, op->regions[r]->args[i], nothing_known(info, op->regions[r]->args[i]->type));
}

kd_axis_info *kd_axis_info_compute(kd_arena *arena, kd_op *func)
{
    kd_axis_info *info = kd_arena_new(arena, kd_axis_info);
    info->arena = arena;
    info->values = kd_map_in(arena);
    const kd_block *body = func->regions[0];
    kd_ints divisibility = kd_func_divisibility(func);
    kd_op_walk(func, gather, info);
    for (unsigned i = 0; i < body->n_args; i++) {
        const kd_type *type = body->args[i]->type;
        bool is_number = kd_type_is_int_like(type) || kd_type_is_ptr_like(type);
        bool is_non_negative = kd_type_is_int_like(type) && kd_scalar_is_unsigned(kd_type_elem(type)->scalar);
        uint8_t d = is_number && i < divisibility.n && divisibility.data[i] > 0 ? power_in(divisibility.data[i]) : 0;
        meet(info, body->args[i], uniform(info, type, d, is_non_negative));
        if (kd_type_is_tile(type)) /* only in tests: a tile that comes from outside has no known order */
            meet(info, body->args[i], nothing_known(info, type));
    }
    for (unsigned i = 0, k = info->work.n; i + 1 < k; i++) { /* taken from the end: operands first */
        kd_op *first = info->work.data[i];
        info->work.data[i] = info->work.data[--k];
        info->work.data[k] = first;
    }
    while (info->work.n) {
        kd_op *op = kd_vec_pop(&info->work);
        op->mark = 0;
        visit_op(info, op);
    }
    return info;
}

void kd_axis_info_copy(kd_axis_info *info, const kd_value *known, const kd_value *fresh)
{
    facts *f = get(info, known);
    if (f)
        *kd_map_at_ptr(&info->values, fresh) = f;
}

kd_axis_facts kd_axis_info_get(const kd_axis_info *info, const kd_value *value, unsigned i)
{
    const facts *f = get(info, value);
    if (!f || i >= f->n_axes)
        return (kd_axis_facts){1, 1, 1};
    return (kd_axis_facts){INT64_C(1) << f->axes[i].contiguity, INT64_C(1) << f->axes[i].divisibility, INT64_C(1) << f->axes[i].constancy};
}

int64_t kd_axis_info_divisor(const kd_axis_info *info, const kd_value *value)
{
    const facts *f = get(info, value);
    return f ? INT64_C(1) << divisor_of(f, unit_of(value->type)) : 1;
}

bool kd_axis_info_is_non_negative(const kd_axis_info *info, const kd_value *value)
{
    const facts *f = get(info, value);
    return f && f->is_non_negative;
}

int64_t kd_axis_info_vector_length(const kd_axis_info *info, const kd_value *ptr, unsigned i)
{
    kd_axis_facts f = kd_axis_info_get(info, ptr, i);
    int64_t aligned = f.divisibility >> unit_of(ptr->type);
    return aligned < 1 ? 1 : aligned < f.contiguity ? aligned : f.contiguity;
}

/* ---- for people ---- */

static void print_list(kd_strbuf *out, const char *name, const facts *f, size_t offset)
{
    bool says_something = false;
    for (unsigned i = 0; i < f->n_axes; i++)
        says_something |= ((const uint8_t *)&f->axes[i])[offset] != 0;
    if (!says_something)
        return;
    kd_strbuf_printf(out, "%s%s [", out->len ? ", " : "", name);
    for (unsigned i = 0; i < f->n_axes; i++)
        kd_strbuf_printf(out, "%s%lld", i ? ", " : "", 1LL << ((const uint8_t *)&f->axes[i])[offset]);
    kd_strbuf_puts(out, "]");
}

static void print_facts(const kd_value *value, kd_strbuf *out, void *user)
{
    const facts *f = get(user, value);
    if (!f)
        return;
    print_list(out, "contiguity", f, offsetof(axis, contiguity));
    print_list(out, "divisibility", f, offsetof(axis, divisibility));
    print_list(out, "constancy", f, offsetof(axis, constancy));
    if (f->is_non_negative)
        kd_strbuf_puts(out, out->len ? ", not negative" : "not negative");
}

kd_pass_result kd_pass_print_axis_info(kd_pass_ctx *px, kd_op *func)
{
    if (px->log)
        kd_print_func_notes(func, px->log, print_facts, kd_axis_info_compute(px->scratch, func));
    return KD_PASS_UNCHANGED;
}
