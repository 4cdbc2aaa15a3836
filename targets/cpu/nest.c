/* nest.c - loops, and ops at the right depth of them.
 *
 * An op goes to the shallowest depth at which its operands are there, so that what does not change inside a loop is computed in front of
 * it. Pure ops with equal operands are made once in each body. */
#include "targets/cpu/lower.h"

#include "base/bug.h"

typedef struct known {
    kd_lanes value;
    unsigned scope; /* of the body it was made in */
} known;

kd_nest *kd_nest_create(kd_lower *l, kd_block *block)
{
    kd_nest *n = kd_arena_new(l->arena, kd_nest);
    n->l = l;
    n->at[0] = kd_builder_at_end(l->module, block);
    n->scopes[0] = ++l->n_scopes;
    n->width = 1;
    n->known = kd_map_in(l->arena);
    return n;
}

bool kd_nest_recall(kd_nest *n, kd_str key, kd_lanes *out)
{
    const known *k = kd_map_get(&n->known, key);
    if (!k || k->value.depth > n->depth || n->scopes[k->value.depth] != k->scope)
        return false;
    *out = k->value;
    return true;
}

void kd_nest_learn(kd_nest *n, kd_str key, kd_lanes value)
{
    known *k = kd_map_get(&n->known, key);
    if (!k) {
        k = kd_arena_new(n->l->arena, known);
        key.ptr = kd_arena_strndup(n->l->arena, key.ptr, key.len);
        *kd_map_at(&n->known, key) = k;
    }
    *k = (known){value, n->scopes[value.depth]};
}

typedef struct op_key {
    unsigned code, width;
    const kd_type *type;
    kd_value *operands[4];
    kd_attr attrs[KD_MAX_ATTR_INFOS];
} op_key;

kd_op *kd_nest_put_op(kd_nest *n, unsigned depth, kd_opcode code, kd_value *const *operands, unsigned n_operands, const kd_attr *attrs)
{
    KD_ASSERT(depth <= n->depth);
    return kd_build_op(&n->at[depth], code, n->loc, operands, n_operands, NULL, 0, attrs);
}

kd_value *kd_nest_put(kd_nest *n, unsigned depth, kd_opcode code, const kd_type *type, kd_value *const *operands, unsigned n_operands,
                      const kd_attr *attrs)
{
    KD_ASSERT(depth <= n->depth);
    bool once = (kd_op_infos[code].traits & KD_PURE) && n_operands <= 4 && code != KD_OP_map;
    op_key key;
    memset(&key, 0, sizeof key);
    key.code = code;
    key.type = type;
    for (unsigned i = 0; i < n_operands && once; i++)
        key.operands[i] = operands[i];
    for (unsigned i = 0; i < kd_op_infos[code].n_attrs && attrs; i++) {
        switch (kd_op_infos[code].attrs[i].kind) {
        case KD_ATTR_FLAG:
            key.attrs[i].as_kd_flag = attrs[i].as_kd_flag;
            break;
        case KD_ATTR_NUMBER:
            key.attrs[i].as_kd_number.is_float = attrs[i].as_kd_number.is_float;
            key.attrs[i].as_kd_number.i = attrs[i].as_kd_number.i;
            break;
        case KD_ATTR_ENUM:
            key.attrs[i].as_kd_pred = attrs[i].as_kd_pred;
            break;
        case KD_ATTR_INT:
            key.attrs[i].as_kd_int = attrs[i].as_kd_int;
            break;
        default:
            once = false;
            break;
        }
    }
    kd_lanes found;
    if (once && kd_nest_recall(n, (kd_str){(const char *)&key, sizeof key}, &found))
        return found.v;
    kd_op *op = kd_build_op(&n->at[depth], code, n->loc, operands, n_operands, &type, 1, attrs);
    if (once)
        kd_nest_learn(n, (kd_str){(const char *)&key, sizeof key}, (kd_lanes){kd_op_result(op, 0), 0, depth});
    return kd_op_result(op, 0);
}

kd_value *kd_nest_int(kd_nest *n, const kd_type *type, int64_t value)
{
    kd_attr attr[KD_MAX_ATTR_INFOS] = {{.as_kd_number = {.is_float = false, .i = value}}};
    if (kd_type_is_float_like(type))
        return kd_nest_float(n, type, (double)value);
    return kd_nest_put(n, 0, KD_OP_constant, type, NULL, 0, attr);
}

kd_value *kd_nest_float(kd_nest *n, const kd_type *type, double value)
{
    kd_attr attr[KD_MAX_ATTR_INFOS] = {{.as_kd_number = {.is_float = true, .f = value}}};
    return kd_nest_put(n, 0, KD_OP_constant, type, NULL, 0, attr);
}

kd_value *kd_nest_open(kd_nest *n, int64_t extent, int64_t step, kd_value **carried, unsigned n_carried)
{
    kd_lower *l = n->l;
    KD_ASSERT(n->depth + 1 < KD_MAX_DEPTH);
    kd_value **operands = kd_arena_array(l->arena, kd_value *, 3 + n_carried);
    const kd_type **types = kd_arena_array(l->arena, const kd_type *, n_carried + 1);
    operands[0] = kd_nest_int(n, l->i64, 0);
    operands[1] = kd_nest_int(n, l->i64, extent);
    operands[2] = kd_nest_int(n, l->i64, step);
    for (unsigned i = 0; i < n_carried; i++) {
        operands[3 + i] = carried[i];
        types[i] = carried[i]->type;
    }
    kd_op *loop = kd_build_op(&n->at[n->depth], KD_OP_for, n->loc, operands, 3 + n_carried, types, n_carried, NULL);
    kd_block *body = kd_op_region(loop, 0);
    kd_value *counter = kd_block_add_arg(l->module, body, l->i64, "i");
    for (unsigned i = 0; i < n_carried; i++)
        carried[i] = kd_block_add_arg(l->module, body, types[i], NULL);
    n->loops[n->depth] = loop;
    n->at[n->depth] = kd_builder_before(l->module, loop);
    n->depth++;
    n->at[n->depth] = kd_builder_at_end(l->module, body);
    n->scopes[n->depth] = ++l->n_scopes;
    return counter;
}

void kd_nest_close(kd_nest *n, kd_value **carried, unsigned n_carried)
{
    kd_build_op(&n->at[n->depth], KD_OP_yield, n->loc, carried, n_carried, NULL, 0, NULL);
    n->scopes[n->depth] = 0;
    n->depth--;
    kd_op *loop = n->loops[n->depth];
    n->at[n->depth] = kd_builder_at_end(n->l->module, loop->block);
    for (unsigned i = 0; i < n_carried; i++)
        carried[i] = kd_op_result(loop, i);
}
