/* scalar.c - one op on scalars, and regions of them.
 *
 * f16, bf16 and f8 arithmetic is f32 arithmetic, rounded after each op, as on the CPU. */
#include "targets/gpu/lower.h"

#include "base/bug.h"
#include "targets/expand_math.h"

kd_op *kd_simt_put(kd_simt *s, kd_opcode code, const kd_type *type, const kd_attr *attrs, kd_value *const *operands,
                   unsigned n_operands)
{
    s->n_made++;
    return kd_build_op(&s->b, code, s->loc, operands, n_operands, &type, type ? 1 : 0, attrs);
}

static bool computes_narrow(kd_opcode code, const kd_type *type)
{
    const kd_type *elem = kd_type_elem(type);
    if (elem->kind != KD_TYPE_SCALAR || !kd_scalar_is_float(elem->scalar) || kd_scalar_bits(elem->scalar) >= 32)
        return false;
    return code != KD_OP_select && code != KD_OP_cast && code != KD_OP_bitcast && kd_op_infos[code].traits & KD_ELEMENTWISE;
}

static kd_value *apply_in_f32(kd_simt *s, kd_opcode code, const kd_type *type, const kd_attr *attrs, kd_value *const *operands,
                              unsigned n_operands)
{
    kd_value *wide[4];
    KD_ASSERT(n_operands <= 4);
    for (unsigned i = 0; i < n_operands; i++)
        wide[i] = kd_simt_cast(s, operands[i], s->f32);
    if (code == KD_OP_cmp)
        return kd_simt_apply(s, code, type, attrs, wide, n_operands);
    return kd_simt_cast(s, kd_simt_apply(s, code, s->f32, attrs, wide, n_operands), type);
}

static kd_lanes math_number(void *user, const kd_type *elem, double value)
{
    kd_simt *s = user;
    return (kd_lanes){.v = kd_build_float(&s->b, s->loc, elem, value)};
}

static kd_lanes math_apply(void *user, kd_opcode code, const kd_type *elem, const kd_attr *attrs, const kd_lanes *operands,
                           unsigned n_operands)
{
    kd_value *values[4];
    for (unsigned i = 0; i < n_operands; i++)
        values[i] = operands[i].v;
    return (kd_lanes){.v = kd_simt_apply(user, code, elem, attrs, values, n_operands)};
}

/* Functions that OpenCL lacks. */
static kd_value *expand_math(kd_simt *s, kd_math fn, const kd_type *elem, kd_value *operand)
{
    kd_math_maker maker = {s, s->i1, s->config->device->has_f64 ? s->f64 : s->f32, false, math_number, math_apply};
    kd_lanes out;
    if (fn == KD_MATH_rsqrt || fn == KD_MATH_sinpi || fn == KD_MATH_cospi ||
        !kd_expand_math(&maker, fn, elem, (kd_lanes){.v = operand}, &out))
        return NULL;
    return out.v;
}

kd_value *kd_simt_apply(kd_simt *s, kd_opcode code, const kd_type *type, const kd_attr *attrs, kd_value *const *operands,
                        unsigned n_operands)
{
    if (n_operands && computes_narrow(code, operands[0]->type))
        return apply_in_f32(s, code, type, attrs, operands, n_operands);
    kd_value *made = code == KD_OP_math ? expand_math(s, attrs[0].as_kd_math, type, operands[0]) : NULL;
    return made ? made : kd_result(kd_simt_put(s, code, type, attrs, operands, n_operands));
}

kd_value *kd_simt_binary(kd_simt *s, kd_opcode code, kd_value *a, kd_value *b)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_int = 0}};
    return kd_simt_apply(s, code, a->type, attrs, (kd_value *[]){a, b}, 2);
}

kd_value *kd_simt_cast(kd_simt *s, kd_value *v, const kd_type *type)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_rounding = KD_ROUND_NEAREST_EVEN}};
    return v->type == type ? v : kd_simt_apply(s, KD_OP_cast, type, attrs, &v, 1);
}

kd_value *kd_simt_compare(kd_simt *s, kd_pred pred, kd_value *a, kd_value *b)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_pred = pred}};
    return kd_simt_apply(s, KD_OP_cmp, s->i1, attrs, (kd_value *[]){a, b}, 2);
}

kd_value *kd_simt_select(kd_simt *s, kd_value *condition, kd_value *a, kd_value *b)
{
    return a == b ? a : kd_simt_apply(s, KD_OP_select, a->type, NULL, (kd_value *[]){condition, a, b}, 3);
}

kd_value *kd_simt_both(kd_simt *s, kd_value *a, kd_value *b)
{
    return !a ? b : !b || a == b ? a : kd_simt_binary(s, KD_OP_and, a, b);
}

static kd_value *bitcast(kd_simt *s, kd_value *v, const kd_type *type)
{
    return kd_simt_apply(s, KD_OP_bitcast, type, NULL, &v, 1);
}

const kd_type *kd_simt_movable_type(kd_simt *s, const kd_type *elem)
{
    if (elem->kind == KD_TYPE_PTR)
        return kd_type_scalar(s->ctx, KD_U64);
    return elem == s->i1 ? kd_type_scalar(s->ctx, KD_U8) : elem;
}

kd_value *kd_simt_to_movable(kd_simt *s, kd_value *v)
{
    const kd_type *type = kd_simt_movable_type(s, v->type);
    return v->type->kind == KD_TYPE_PTR ? bitcast(s, v, type) : kd_simt_cast(s, v, type);
}

kd_value *kd_simt_from_movable(kd_simt *s, kd_value *v, const kd_type *elem)
{
    return elem->kind == KD_TYPE_PTR ? bitcast(s, v, elem) : kd_simt_cast(s, v, elem);
}

/* The condition of control flow inside may differ between work-items: nothing in there speaks to other ones. */
void kd_simt_region(kd_simt *s, const kd_block *region, kd_value *const *args, kd_value **out)
{
    kd_loc outer = s->loc;
    for (unsigned i = 0; i < region->n_args; i++) {
        kd_value **one = kd_simt_array(s, 1);
        *one = args[i];
        kd_simt_set(s, region->args[i], one);
    }
    kd_simt_ops(s, (kd_block *)region);
    const kd_op *end = kd_block_terminator(region);
    for (unsigned i = 0; i < end->n_operands && !s->failed; i++)
        out[i] = *kd_simt_regs(s, kd_op_operand(end, i));
    s->loc = outer;
}
