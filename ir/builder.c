/* builder.c - ops at a place; copies of ops. */
#include "ir/builder.h"
#include "base/bug.h"
#include "base/float.h"
#include "base/map.h"
#include "ir/ir_impl.h"

kd_builder kd_builder_at_end(kd_module *module, kd_block *block)
{
    return (kd_builder){module, block, NULL};
}

kd_builder kd_builder_before(kd_module *module, kd_op *op)
{
    return (kd_builder){module, op->block, op};
}

kd_builder kd_builder_after(kd_module *module, kd_op *op)
{
    return (kd_builder){module, op->block, op->next};
}

/* Texts and arrays move into the module's arena, so that callers may pass what lies on their stack. */
static kd_attr attr_copy(kd_module *module, kd_attr_kind kind, kd_attr attr)
{
    if (kind == KD_ATTR_TEXT && attr.as_kd_text.len)
        attr.as_kd_text.ptr = kd_arena_strndup(module->arena, attr.as_kd_text.ptr, attr.as_kd_text.len);
    if (kind == KD_ATTR_INTS && attr.as_kd_ints.n) {
        int64_t *data = kd_arena_array(module->arena, int64_t, attr.as_kd_ints.n);
        memcpy(data, attr.as_kd_ints.data, attr.as_kd_ints.n * sizeof *data);
        attr.as_kd_ints.data = data;
    }
    return attr;
}

kd_op *kd_build_op(kd_builder *b, kd_opcode code, kd_loc loc, kd_value *const *operands, unsigned n_operands, const kd_type *const *types,
                   unsigned n_types, const kd_attr *attrs)
{
    const kd_op_info *info = &kd_op_infos[code];
    kd_op *op = kd_op_create(b->module, code, loc, n_operands, types, n_types);
    for (unsigned i = 0; i < n_operands; i++)
        kd_op_set_operand(op, i, operands[i]);
    for (unsigned i = 0; i < info->n_attrs && attrs; i++)
        op->attrs[i] = attr_copy(b->module, info->attrs[i].kind, attrs[i]);
    kd_op_insert(op, b->block, b->before);
    return op;
}

/* The generated builders gather their named parts and call kd_build_op. */
typedef struct parts {
    kd_module *module;
    kd_value **operands;
    unsigned n_operands;
    const kd_type *type; /* of the one result */
    const kd_type *const *types;
    unsigned n_types;
    kd_attr attrs[KD_MAX_ATTR_INFOS];
    unsigned n_attrs;
} parts;

static void add_operands(parts *p, kd_value *const *values, unsigned n)
{
    kd_value **operands = kd_arena_array(p->module->arena, kd_value *, p->n_operands + n);
    if (p->n_operands)
        memcpy(operands, p->operands, p->n_operands * sizeof *operands);
    if (n)
        memcpy(operands + p->n_operands, values, n * sizeof *operands);
    p->operands = operands;
    p->n_operands += n;
}

static const kd_type *bool_of(kd_module *module, const kd_type *type)
{
    return kd_type_with_scalar(module->ctx, type, KD_I1);
}

#define IN(op, name, constraint)  add_operands(&p, (kd_value *[]){args.name}, 1);
#define OPT(op, name, constraint) add_operands(&p, (kd_value *[]){args.name}, 1);
#define VAR(op, name, constraint) add_operands(&p, args.name, args.n_##name);
#define ATTR(op, T, name)         p.attrs[p.n_attrs++].as_##T = args.name;
#define GIVEN                     args.type
#define SAME_AS(operand)          p.operands[kd_op_info_operand(info, #operand)]->type
#define BOOL_OF(operand)          bool_of(p.module, p.operands[kd_op_info_operand(info, #operand)]->type)
#define OUT(name, rule)           p.type = rule, p.types = &p.type, p.n_types = 1;
#define OUTS(name)                p.types = args.types, p.n_types = args.n_types;
#define KD_OP(id, mnemonic, ins, outs, attributes, ...)                                                            \
    kd_op *kd_build_##id(kd_builder *b, kd_##id##_args args)                                                       \
    {                                                                                                              \
        const kd_op_info *info = &kd_op_infos[KD_OP_##id];                                                         \
        parts p = {.module = b->module};                                                                           \
        (void)info;                                                                                                \
        ins outs attributes                                                                                        \
        return kd_build_op(b, KD_OP_##id, args.loc, p.operands, p.n_operands, p.types, p.n_types, p.attrs);        \
    }
#include "ir/ops.def"

/* ---- numbers ---- */

kd_value *kd_build_int(kd_builder *b, kd_loc loc, const kd_type *type, int64_t value)
{
    if (kd_type_is_float_like(type))
        return kd_build_float(b, loc, type, (double)value);
    kd_number number = {.i = kd_number_wrap(kd_type_elem(type), value)};
    return kd_result(kd_build_constant(b, (kd_constant_args){.loc = loc, .type = type, .value = number}));
}

int64_t kd_number_wrap(const kd_type *elem, int64_t value)
{
    unsigned bits = elem->kind == KD_TYPE_PTR ? 64 : kd_scalar_bits(elem->scalar);
    if (bits == 64)
        return value;
    uint64_t low = (uint64_t)value & ((UINT64_C(1) << bits) - 1);
    bool negative = elem->kind == KD_TYPE_SCALAR && !kd_scalar_is_unsigned(elem->scalar) && (low >> (bits - 1));
    return negative ? (int64_t)(low | ~((UINT64_C(1) << bits) - 1)) : (int64_t)low;
}

kd_value *kd_build_float(kd_builder *b, kd_loc loc, const kd_type *type, double value)
{
    KD_ASSERT(kd_type_is_float_like(type));
    kd_number number = {.is_float = true, .f = kd_float_round(value, kd_type_elem(type)->scalar, KD_FLOAT_NEAREST_EVEN)};
    return kd_result(kd_build_constant(b, (kd_constant_args){.loc = loc, .type = type, .value = number}));
}

kd_value *kd_build_splat_to(kd_builder *b, kd_loc loc, kd_value *scalar, const kd_type *shape_of)
{
    if (!kd_type_is_tile(shape_of) || kd_type_is_tile(scalar->type))
        return scalar;
    const kd_type *type = kd_type_with_elem(b->module->ctx, shape_of, scalar->type);
    kd_op *constant = kd_value_def_as(scalar, KD_OP_constant);
    if (constant)
        return kd_result(kd_build_constant(b, (kd_constant_args){.loc = loc, .type = type, .value = kd_constant_value(constant)}));
    return kd_result(kd_build_splat(b, (kd_splat_args){.loc = loc, .scalar = scalar, .type = type}));
}

/* ---- copies ---- */

struct kd_value_map {
    kd_map map;
};

kd_value_map *kd_value_map_create(kd_arena *scratch)
{
    kd_value_map *map = kd_arena_new(scratch, kd_value_map);
    map->map = kd_map_in(scratch);
    return map;
}

void kd_value_map_set(kd_value_map *map, const kd_value *from, kd_value *to)
{
    *kd_map_at_ptr(&map->map, from) = to;
}

kd_value *kd_value_map_get(const kd_value_map *map, kd_value *from)
{
    kd_value *to = from ? kd_map_get_ptr(&map->map, from) : NULL;
    return to ? to : from;
}

kd_op *kd_clone_op(kd_builder *b, const kd_op *op, kd_value_map *map)
{
    kd_module *module = b->module;
    const kd_type **types = kd_arena_array(module->arena, const kd_type *, op->n_results);
    for (unsigned i = 0; i < op->n_results; i++)
        types[i] = op->results[i].type;
    kd_op *copy = kd_op_create(module, op->code, op->loc, op->n_operands, types, op->n_results);
    memcpy(copy->attrs, op->attrs, sizeof op->attrs); /* texts and arrays are never changed in place, so they are shared */
    for (unsigned i = 0; i < op->n_operands; i++)
        kd_op_set_operand(copy, i, kd_value_map_get(map, op->operands[i].value));
    kd_op_insert(copy, b->block, b->before);
    for (unsigned i = 0; i < op->n_results; i++) {
        copy->results[i].name = op->results[i].name;
        kd_value_map_set(map, &op->results[i], &copy->results[i]);
    }
    for (unsigned r = 0; r < op->n_regions; r++) {
        const kd_block *from = op->regions[r];
        for (unsigned i = 0; i < from->n_args; i++)
            kd_value_map_set(map, from->args[i], kd_block_add_arg(module, copy->regions[r], from->args[i]->type, from->args[i]->name));
        kd_builder inner = kd_builder_at_end(module, copy->regions[r]);
        kd_clone_block_ops(&inner, from, map, true);
    }
    return copy;
}

void kd_clone_block_ops(kd_builder *b, const kd_block *block, kd_value_map *map, bool with_terminator)
{
    KD_FOREACH_OP (op, block)
        if (with_terminator || !kd_op_has(op, KD_TERMINATOR))
            kd_clone_op(b, op, map);
}
