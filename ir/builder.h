/* builder.h - makes ops at a place. One function an op, made from ops.def; operands and attributes are named:
 *
 *     kd_value *sum = kd_result(kd_build_add(&b, (kd_add_args){.loc = loc, .a = x, .b = y}));
 *
 * What is left out is NULL or zero. .type: the result's type where the table says GIVEN, else ignored. */
#ifndef KD_IR_BUILDER_H
#define KD_IR_BUILDER_H

#include "ir/ir.h"

typedef struct kd_builder {
    kd_module *module;
    kd_block *block;
    kd_op *before; /* ops go before this one, or to the end of the block */
} kd_builder;

kd_builder kd_builder_at_end(kd_module *module, kd_block *block);
kd_builder kd_builder_before(kd_module *module, kd_op *op);
kd_builder kd_builder_after(kd_module *module, kd_op *op);

#define IN(op, name, constraint)  kd_value *name;
#define OPT(op, name, constraint) kd_value *name;
#define VAR(op, name, constraint) \
    kd_value *const *name;        \
    unsigned n_##name;
#define OUT(name, rule) const kd_type *type;
#define OUTS(name)               \
    const kd_type *const *types; \
    unsigned n_types;
#define ATTR(op, type, name) type name;
#define KD_OP(id, mnemonic, ins, outs, attributes, ...) \
    typedef struct kd_##id##_args {                      \
        kd_loc loc;                                       \
        ins outs attributes                               \
    } kd_##id##_args;                                     \
    kd_op *kd_build_##id(kd_builder *b, kd_##id##_args args);
#include "ir/ops.def"

static inline kd_value *kd_result(kd_op *op)
{
    return &op->results[0];
}

/* What the generated functions are made of: an op of any kind. operands may hold NULLs for absent optional ones; attribute texts and arrays
 * are copied. Regions are made empty. */
kd_op *kd_build_op(kd_builder *b, kd_opcode code, kd_loc loc, kd_value *const *operands, unsigned n_operands, const kd_type *const *types,
                   unsigned n_types, const kd_attr *attrs);

/* An integer as the element type holds it: the low bits, sign-extended for signed types. */
int64_t kd_number_wrap(const kd_type *elem, int64_t value);

/* Old values to new ones, for copies. */
typedef struct kd_value_map kd_value_map;
kd_value_map *kd_value_map_create(kd_arena *scratch);
void kd_value_map_set(kd_value_map *map, const kd_value *from, kd_value *to);
/* The new value, or 'from' itself where none was set. */
kd_value *kd_value_map_get(const kd_value_map *map, kd_value *from);
/* A copy of an op with its regions, operands looked up in the map, results and arguments added to it. */
kd_op *kd_clone_op(kd_builder *b, const kd_op *op, kd_value_map *map);
/* Copies the ops of a block (arguments set in the map by the caller), without its terminator unless asked. */
void kd_clone_block_ops(kd_builder *b, const kd_block *block, kd_value_map *map, bool with_terminator);

/* Numbers. */
kd_value *kd_build_int(kd_builder *b, kd_loc loc, const kd_type *type, int64_t value); /* also splat, also of a float type */
kd_value *kd_build_float(kd_builder *b, kd_loc loc, const kd_type *type, double value);
/* A scalar as a tile (or itself where type is a scalar), constants directly. */
kd_value *kd_build_splat_to(kd_builder *b, kd_loc loc, kd_value *scalar, const kd_type *shape_of);

#endif
