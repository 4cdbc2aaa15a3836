/* apply.c - one elementwise op at an index.
 *
 * Lanes that differ by a constant step stay a scalar (the first lane) as long as the op allows: addresses of consecutive elements are then
 * computed once a vector, and a load sees that they are consecutive. As in every Triton compiler, an index is taken not to overflow within
 * a vector. f16, bf16 and f8 arithmetic is f32 arithmetic, rounded after each op. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

kd_lanes kd_lanes_uniform(kd_value *scalar, unsigned depth)
{
    return (kd_lanes){scalar, 0, depth};
}

const kd_type *kd_nest_vector_type(kd_nest *n, const kd_type *elem)
{
    int64_t width = n->width;
    return n->width == 1 ? elem : kd_type_tile(n->l->ctx, elem, 1, &width);
}

static bool is_vector(kd_lanes a)
{
    return a.v->type->kind == KD_TYPE_TILE;
}

static kd_value *splat(kd_nest *n, kd_value *scalar, unsigned depth)
{
    return kd_nest_put(n, depth, KD_OP_splat, kd_nest_vector_type(n, scalar->type), &scalar, 1, NULL);
}

/* 0, step, 2 * step ... in an integer type. */
static kd_value *steps(kd_nest *n, const kd_type *elem, int64_t step)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_int = 0}};
    kd_value *v = kd_nest_put(n, 0, KD_OP_arange, kd_nest_vector_type(n, n->l->i32), NULL, 0, attrs);
    if (elem != n->l->i32)
        v = kd_nest_put(n, 0, KD_OP_cast, kd_nest_vector_type(n, elem), &v, 1, NULL);
    if (step == 1)
        return v;
    kd_value *operands[] = {v, splat(n, kd_nest_int(n, elem, step), 0)};
    return kd_nest_put(n, 0, KD_OP_mul, v->type, operands, 2, NULL);
}

kd_value *kd_lanes_vector(kd_nest *n, kd_lanes a)
{
    if (n->width == 1 || is_vector(a))
        return a.v;
    kd_value *first = splat(n, a.v, a.depth);
    if (!a.step)
        return first;
    bool ptr = a.v->type->kind == KD_TYPE_PTR;
    kd_value *operands[] = {first, steps(n, ptr ? n->l->i64 : a.v->type, a.step)};
    return kd_nest_put(n, a.depth, ptr ? KD_OP_addptr : KD_OP_add, first->type, operands, 2, NULL);
}

static unsigned deepest(const kd_lanes *operands, unsigned n_operands)
{
    unsigned depth = 0;
    for (unsigned i = 0; i < n_operands; i++)
        if (operands[i].depth > depth)
            depth = operands[i].depth;
    return depth;
}

static bool is_int(const kd_type *elem)
{
    return elem->kind == KD_TYPE_SCALAR && kd_scalar_is_int(elem->scalar) && elem->scalar != KD_I1;
}

/* The step of the result, if the op keeps its first lane in a scalar. All operands are scalars here, some with steps. */
static bool step_of(kd_opcode code, const kd_type *elem, const kd_lanes *a, int64_t *out)
{
    int64_t constant;
    switch (code) {
    case KD_OP_add:
        *out = a[0].step + a[1].step;
        return is_int(elem);
    case KD_OP_sub:
        *out = a[0].step - a[1].step;
        return is_int(elem);
    case KD_OP_addptr:
        *out = a[0].step + a[1].step;
        return true;
    case KD_OP_mul:
        for (unsigned i = 0; i < 2; i++) {
            if (!a[i].step && kd_value_constant_int(a[i].v, &constant) && is_int(elem) && constant > -(1 << 30) && constant < 1 << 30) {
                *out = a[1 - i].step * constant;
                return true;
            }
        }
        return false;
    case KD_OP_shl:
        if (a[1].step || !kd_value_constant_int(a[1].v, &constant) || constant < 0 || constant > 24)
            return false;
        *out = a[0].step << constant;
        return is_int(elem);
    case KD_OP_select:
        *out = a[1].step;
        return !a[0].step && a[1].step == a[2].step;
    case KD_OP_cast: {
        const kd_type *from = a[0].v->type;
        *out = a[0].step;
        if (!is_int(elem) || !is_int(from))
            return false;
        unsigned bits = kd_type_elem_bits(elem), from_bits = kd_type_elem_bits(from);
        bool widens_signed = from_bits >= 32 && !kd_scalar_is_unsigned(from->scalar) && a[0].step < 1 << 16 && a[0].step > -(1 << 16);
        return bits >= 32 && (bits <= from_bits || widens_signed);
    }
    default:
        return false;
    }
}

/* Comparison of consecutive numbers with one number: the first lanes, or all but the first. */
static bool compare_consecutive(kd_nest *n, kd_pred pred, kd_lanes a, kd_lanes b, kd_lanes *out)
{
    static const kd_pred swapped[] = {[KD_PRED_EQ] = KD_PRED_EQ, [KD_PRED_NE] = KD_PRED_NE, [KD_PRED_LT] = KD_PRED_GT,
                                      [KD_PRED_LE] = KD_PRED_GE, [KD_PRED_GT] = KD_PRED_LT, [KD_PRED_GE] = KD_PRED_LE};
    if (b.step == 1 && !a.step) {
        kd_lanes t = a;
        a = b, b = t, pred = swapped[pred];
    }
    if (a.step != 1 || b.step || !is_int(a.v->type) || pred == KD_PRED_EQ || pred == KD_PRED_NE || kd_type_elem_bits(a.v->type) < 32)
        return false;
    a.step = 0;
    kd_lanes count = kd_nest_binary(n, KD_OP_sub, kd_nest_cast(n, b, n->l->i64), kd_nest_cast(n, a, n->l->i64));
    if (pred == KD_PRED_LE || pred == KD_PRED_GT)
        count = kd_nest_binary(n, KD_OP_add, count, kd_nest_const(n, n->l->i64, 1));
    kd_value *mask = kd_nest_put(n, count.depth, KD_OP_cpu_prefix, kd_nest_vector_type(n, n->l->i1), &count.v, 1, NULL);
    if (pred == KD_PRED_GT || pred == KD_PRED_GE) {
        kd_value *operands[] = {mask, splat(n, kd_nest_int(n, n->l->i1, 1), 0)};
        mask = kd_nest_put(n, count.depth, KD_OP_xor, mask->type, operands, 2, NULL);
    }
    *out = (kd_lanes){mask, 0, count.depth};
    return true;
}

static bool computes_narrow(kd_opcode code, const kd_type *type)
{
    const kd_type *elem = kd_type_elem(type);
    if (elem->kind != KD_TYPE_SCALAR || !kd_scalar_is_float(elem->scalar) || kd_scalar_bits(elem->scalar) >= 32)
        return false;
    return code != KD_OP_select && code != KD_OP_cast && code != KD_OP_bitcast;
}

static kd_lanes apply_in_f32(kd_nest *n, kd_opcode code, const kd_type *elem, const kd_attr *attrs, const kd_lanes *operands, unsigned n_operands)
{
    kd_lanes wide[4];
    KD_ASSERT(n_operands <= 4);
    for (unsigned i = 0; i < n_operands; i++)
        wide[i] = kd_nest_cast(n, operands[i], n->l->f32);
    if (code == KD_OP_cmp)
        return kd_nest_apply(n, code, elem, attrs, wide, n_operands);
    return kd_nest_cast(n, kd_nest_apply(n, code, n->l->f32, attrs, wide, n_operands), elem);
}

static kd_lanes math_number(void *nest, const kd_type *elem, double value)
{
    return kd_lanes_uniform(kd_nest_float(nest, elem, value), 0);
}

static kd_lanes math_apply(void *nest, kd_opcode code, const kd_type *elem, const kd_attr *attrs, const kd_lanes *operands, unsigned n_operands)
{
    return kd_nest_apply(nest, code, elem, attrs, operands, n_operands);
}

/* Functions that are made of others. */
static bool expand_math(kd_nest *n, kd_math fn, const kd_type *elem, const kd_lanes *operands, kd_lanes *out)
{
    if ((fn == KD_MATH_exp || fn == KD_MATH_exp2) && elem == n->l->f32) {
        *out = kd_lower_exp(n, operands[0], fn == KD_MATH_exp2);
        return true;
    }
    kd_math_maker maker = {n, n->l->i1, n->l->f64, true, math_number, math_apply};
    return kd_expand_math(&maker, fn, elem, operands[0], out);
}

kd_lanes kd_nest_apply(kd_nest *n, kd_opcode code, const kd_type *elem, const kd_attr *attrs, const kd_lanes *operands, unsigned n_operands)
{
    kd_lanes out;
    unsigned depth = deepest(operands, n_operands);
    bool scalars = true, stepped = false;
    if (code == KD_OP_hint)
        return operands[0];
    if (computes_narrow(code, operands[0].v->type))
        return apply_in_f32(n, code, elem, attrs, operands, n_operands);
    if (code == KD_OP_math && expand_math(n, attrs[0].as_kd_math, elem, operands, &out))
        return out;
    for (unsigned i = 0; i < n_operands; i++) {
        scalars = scalars && !is_vector(operands[i]);
        stepped = stepped || operands[i].step;
    }
    int64_t step = 0;
    if (scalars && stepped && code == KD_OP_cmp && compare_consecutive(n, attrs[0].as_kd_pred, operands[0], operands[1], &out))
        return out;
    kd_value *values[4];
    KD_ASSERT(n_operands <= 4);
    bool narrow = scalars && (!stepped || step_of(code, elem, operands, &step));
    for (unsigned i = 0; i < n_operands; i++)
        values[i] = narrow ? operands[i].v : kd_lanes_vector(n, operands[i]);
    if (narrow)
        return (kd_lanes){kd_nest_put(n, depth, code, elem, values, n_operands, attrs), step, depth};
    return (kd_lanes){kd_nest_put(n, depth, code, kd_nest_vector_type(n, elem), values, n_operands, attrs), 0, depth};
}

kd_lanes kd_nest_binary(kd_nest *n, kd_opcode code, kd_lanes a, kd_lanes b)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_int = 0}};
    return kd_nest_apply(n, code, kd_type_elem(a.v->type), attrs, (kd_lanes[]){a, b}, 2);
}

kd_lanes kd_nest_const(kd_nest *n, const kd_type *elem, int64_t value)
{
    return kd_lanes_uniform(kd_nest_int(n, elem, value), 0);
}

kd_lanes kd_nest_cast(kd_nest *n, kd_lanes a, const kd_type *elem)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_int = 0}};
    if (kd_type_elem(a.v->type) == elem)
        return a;
    return kd_nest_apply(n, KD_OP_cast, elem, attrs, &a, 1);
}

bool kd_region_is_straight(const kd_block *region)
{
    KD_FOREACH_OP (op, region)
        if (op->n_regions || !(kd_op_has(op, KD_TERMINATOR) || kd_op_has(op, KD_PURE)))
            return false;
    return true;
}

static kd_lanes region_value(kd_nest *n, const kd_map *inside, kd_value *v)
{
    const kd_lanes *known = kd_map_get_ptr(inside, v);
    if (known)
        return *known;
    kd_value *outer = kd_lower_scalar(n->l, v);
    KD_ASSERT(outer);
    return kd_lanes_uniform(outer, 0);
}

/* Control flow inside: the ops go to where the nest is, as those of a block do. */
static void inline_region(kd_nest *n, const kd_block *region, const kd_lanes *args, kd_lanes *out)
{
    kd_lower *l = n->l;
    KD_ASSERT(n->width == 1);
    kd_nest *inner = kd_nest_create(l, n->at[n->depth].block);
    inner->at[0] = n->at[n->depth];
    l->nest = inner;
    for (unsigned i = 0; i < region->n_args; i++)
        kd_lower_set_scalar(l, region->args[i], args[i].v);
    kd_lower_ops(l, (kd_block *)region);
    const kd_op *yield = kd_block_terminator(region);
    for (unsigned i = 0; i < yield->n_operands; i++)
        out[i] = kd_lanes_uniform(kd_lower_scalar(l, kd_op_operand(yield, i)), n->depth);
    l->nest = n;
}

void kd_nest_apply_region(kd_nest *n, const kd_block *region, const kd_lanes *args, kd_lanes *out)
{
    if (!kd_region_is_straight(region)) {
        inline_region(n, region, args, out);
        return;
    }
    kd_map inside = kd_map_in(n->l->arena);
    for (unsigned i = 0; i < region->n_args; i++) {
        kd_lanes *slot = kd_arena_new(n->l->arena, kd_lanes);
        *slot = args[i];
        *kd_map_at_ptr(&inside, region->args[i]) = slot;
    }
    KD_FOREACH_OP (op, region) {
        kd_lanes operands[4];
        if (kd_op_has(op, KD_TERMINATOR)) {
            for (unsigned i = 0; i < op->n_operands; i++)
                out[i] = region_value(n, &inside, kd_op_operand(op, i));
            return;
        }
        KD_ASSERT(op->n_operands <= 4);
        for (unsigned i = 0; i < op->n_operands; i++)
            operands[i] = region_value(n, &inside, kd_op_operand(op, i));
        kd_lanes *slot = kd_arena_new(n->l->arena, kd_lanes);
        if (op->n_operands)
            *slot = kd_nest_apply(n, op->code, kd_op_result(op, 0)->type, op->attrs, operands, op->n_operands);
        else
            *slot = kd_lanes_uniform(kd_nest_put(n, 0, op->code, kd_op_result(op, 0)->type, NULL, 0, op->attrs), 0);
        *kd_map_at_ptr(&inside, kd_op_result(op, 0)) = slot;
    }
}
