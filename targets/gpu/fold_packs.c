/* fold_packs.c - vectors stay vectors: what the lowering takes apart into scalars and puts together again.
 *
 *     %e... = gpu.unpack %v            parts that stand side by side in %v
 *     %p = gpu.pack %e4, ..., %e7      ==>   %_, %p = gpu.unpack %v : tile<4x..>, tile<4x..>   (or %v itself)
 *
 * A loop that carries the elements of a vector (accumulators of the systolic array) carries the vector; an if gives it.
 * Leaves:  unpacks and packs without readers, for dce. */
#include "targets/gpu/lower.h"

typedef struct folder {
    kd_module *module;
    kd_arena *arena;
    kd_map pieces; /* vector -> its unpacks to vectors, a pieces */
} folder;

typedef struct pieces {
    const kd_op *op; /* the gpu.unpack */
    struct pieces *next;
} pieces;

static unsigned bits_of(const kd_type *type)
{
    return kd_type_elem_bits(type) * (unsigned)type->n_elems;
}

/* The op that gives v's pieces of that type, made as early as v is there. */
static const kd_op *pieces_of(folder *f, kd_value *v, const kd_type *type, kd_loc loc)
{
    void **list = kd_map_at_ptr(&f->pieces, v);
    for (pieces *p = *list; p; p = p->next)
        if (p->op->results[0].type == type)
            return p->op;
    unsigned n = bits_of(v->type) / bits_of(type);
    const kd_type **types = kd_arena_array(f->arena, const kd_type *, n);
    for (unsigned i = 0; i < n; i++)
        types[i] = type;
    kd_builder b = v->def ? kd_builder_after(f->module, v->def) : kd_builder_before(f->module, v->owner->first);
    pieces *made = kd_arena_new(f->arena, pieces);
    *made = (pieces){kd_build_op(&b, KD_OP_gpu_unpack, loc, &v, 1, types, n, NULL), *list};
    *list = made;
    return made->op;
}

/* The value that a pack makes, where it exists already or can be had as a piece. */
static kd_value *packed_before(folder *f, kd_op *pack)
{
    const kd_type *type = kd_op_result(pack, 0)->type;
    const kd_value *first = kd_op_operand(pack, 0);
    const kd_op *unpack = kd_value_def_as(first, KD_OP_gpu_unpack);
    if (!unpack)
        return NULL;
    for (unsigned i = 1; i < pack->n_operands; i++)
        if (kd_op_operand(pack, i) != &unpack->results[first->index + i] || first->index + i >= unpack->n_results)
            return NULL;
    kd_value *v = kd_gpu_unpack_vector(unpack);
    unsigned offset = 0;
    for (unsigned i = 0; i < first->index; i++)
        offset += bits_of(unpack->results[i].type);
    if (v->type == type)
        return v;
    if (offset % bits_of(type) || bits_of(v->type) % bits_of(type) || bits_of(v->type) == bits_of(type))
        return NULL;
    return kd_op_result(pieces_of(f, v, type, unpack->loc), offset / bits_of(type));
}

static void fold_block(folder *f, kd_block *block)
{
    KD_FOREACH_OP_SAFE (op, block) {
        for (unsigned r = 0; r < op->n_regions; r++)
            fold_block(f, op->regions[r]);
        kd_value *v = op->code == KD_OP_gpu_pack ? packed_before(f, op) : NULL;
        if (v)
            kd_op_replace_value(op, v);
    }
}

/* ---- loops and ifs ---- */

/* Carried values first .. first + n - 1 as a vector of that type; n 1: the value as it is. */
typedef struct group {
    unsigned first, n;
    const kd_type *type;
} group;

typedef KD_VEC(group) groups;

/* The vector that a pack makes of these n values from `at` on. */
static group group_at(kd_value *const *values, unsigned n, unsigned at)
{
    const kd_value *first = values[at];
    group alone = {at, 1, first->type};
    for (const kd_use *use = first->uses; use; use = use->next) {
        const kd_op *pack = use->user;
        if (pack->code != KD_OP_gpu_pack || use != &pack->operands[0] || at + pack->n_operands > n)
            continue;
        unsigned i = 1;
        while (i < pack->n_operands && kd_op_operand(pack, i) == values[at + i])
            i++;
        if (i == pack->n_operands)
            return (group){at, i, kd_op_result(pack, 0)->type};
    }
    return alone;
}

static kd_value *pack_group(kd_builder *b, kd_loc loc, const group *g, kd_value *const *values)
{
    return g->n == 1 ? values[g->first]
                     : kd_result(kd_build_op(b, KD_OP_gpu_pack, loc, values + g->first, g->n, &g->type, 1, NULL));
}

/* Readers of the n values old read the parts of the vector. */
static void unpack_group(folder *f, kd_builder *b, kd_loc loc, const group *g, kd_value *vector, kd_value *const *old)
{
    if (g->n == 1) {
        kd_value_replace_uses(old[g->first], vector);
        return;
    }
    const kd_type **types = kd_arena_array(f->arena, const kd_type *, g->n);
    for (unsigned i = 0; i < g->n; i++)
        types[i] = old[g->first + i]->type;
    kd_op *unpack = kd_build_op(b, KD_OP_gpu_unpack, loc, &vector, 1, types, g->n, NULL);
    for (unsigned i = 0; i < g->n; i++)
        kd_value_replace_uses(old[g->first + i], kd_op_result(unpack, i));
}

/* The block's end gives vectors. */
static void yield_vectors(folder *f, kd_block *block, const groups *all)
{
    kd_op *yield = kd_block_terminator(block);
    kd_value **old = kd_arena_array(f->arena, kd_value *, yield->n_operands + 1), **operands = kd_arena_array(f->arena, kd_value *, all->n + 1);
    for (unsigned i = 0; i < yield->n_operands; i++)
        old[i] = kd_op_operand(yield, i);
    kd_builder end = kd_builder_before(f->module, yield);
    for (unsigned i = 0; i < all->n; i++)
        operands[i] = pack_group(&end, yield->loc, &all->data[i], old);
    kd_build_op(&end, KD_OP_yield, yield->loc, operands, all->n, NULL, 0, NULL);
    kd_op_erase(yield);
}

static void give_vectors(folder *f, kd_op *choice, const groups *all, kd_value *const *old)
{
    const kd_type **types = kd_arena_array(f->arena, const kd_type *, all->n + 1);
    for (unsigned i = 0; i < all->n; i++)
        types[i] = all->data[i].type;
    kd_builder b = kd_builder_before(f->module, choice);
    kd_value *condition = kd_op_operand(choice, 0);
    kd_op *fresh = kd_build_op(&b, KD_OP_if, choice->loc, &condition, 1, types, all->n, choice->attrs);
    for (unsigned r = 0; r < choice->n_regions; r++) {
        KD_FOREACH_OP_SAFE (op, kd_op_region(choice, r))
            kd_op_move_to_end(op, kd_op_region(fresh, r));
        yield_vectors(f, kd_op_region(fresh, r), all);
    }
    for (unsigned i = 0; i < all->n; i++)
        unpack_group(f, &b, choice->loc, &all->data[i], kd_op_result(fresh, i), old);
    kd_op_erase(choice);
}

static void carry_vectors(folder *f, kd_op *loop, const groups *all)
{
    kd_block *body = kd_op_region(loop, 0);
    unsigned n_old = kd_for_n_inits(loop), n = all->n;
    kd_value **operands = kd_arena_array(f->arena, kd_value *, n + 3), **old = kd_arena_array(f->arena, kd_value *, n_old + 1);
    const kd_type **types = kd_arena_array(f->arena, const kd_type *, n + 1);
    for (unsigned i = 0; i < n_old; i++)
        old[i] = kd_for_inits(loop, i);
    for (unsigned i = 0; i < 3; i++)
        operands[i] = kd_op_operand(loop, i);
    kd_builder b = kd_builder_before(f->module, loop);
    for (unsigned i = 0; i < n; i++) {
        operands[3 + i] = pack_group(&b, loop->loc, &all->data[i], old);
        types[i] = all->data[i].type;
    }
    kd_op *fresh = kd_build_op(&b, KD_OP_for, loop->loc, operands, n + 3, types, n, loop->attrs);
    kd_block *into = kd_op_region(fresh, 0);
    kd_value_replace_uses(body->args[0], kd_block_add_arg(f->module, into, body->args[0]->type, body->args[0]->name));
    kd_builder inside = kd_builder_at_end(f->module, into);
    for (unsigned i = 0; i < n; i++) {
        const char *name = all->data[i].n == 1 ? body->args[1 + all->data[i].first]->name : NULL;
        unpack_group(f, &inside, loop->loc, &all->data[i], kd_block_add_arg(f->module, into, types[i], name), body->args + 1);
    }
    KD_FOREACH_OP_SAFE (op, body)
        kd_op_move_to_end(op, into);

    yield_vectors(f, into, all);
    for (unsigned i = 0; i < n_old; i++)
        old[i] = kd_op_result(loop, i);
    for (unsigned i = 0; i < n; i++)
        unpack_group(f, &b, loop->loc, &all->data[i], kd_op_result(fresh, i), old);
    kd_op_erase(loop);
}

/* What the op carries or gives, in groups; false: all of it alone. */
static bool find_groups(folder *f, kd_value *const *values, unsigned n, groups *out)
{
    bool any = false;
    for (unsigned at = 0; at < n;) {
        group g = group_at(values, n, at);
        any |= g.n > 1;
        at += g.n;
        kd_vec_push(f->arena, out, g);
    }
    return any;
}

static void carry_in_block(folder *f, kd_block *block)
{
    KD_FOREACH_OP_SAFE (op, block) {
        for (unsigned r = 0; r < op->n_regions; r++)
            carry_in_block(f, op->regions[r]);
        groups all = {0};
        if (op->code == KD_OP_for && find_groups(f, kd_op_region(op, 0)->args + 1, kd_for_n_inits(op), &all))
            carry_vectors(f, op, &all);
        if (op->code != KD_OP_if)
            continue;
        kd_value **results = kd_arena_array(f->arena, kd_value *, op->n_results + 1);
        for (unsigned i = 0; i < op->n_results; i++)
            results[i] = kd_op_result(op, i);
        if (find_groups(f, results, op->n_results, &all))
            give_vectors(f, op, &all, results);
    }
}

void kd_simt_fold_packs(kd_module *module, kd_op *func, kd_arena *arena)
{
    folder f = {module, arena, kd_map_in(arena)};
    carry_in_block(&f, kd_op_region(func, 0));
    fold_block(&f, kd_op_region(func, 0));
}
