/* ir.c - the graph: operands and readers, ops in blocks, and what is asked about them. */
#include "ir/ir_impl.h"
#include "base/bug.h"

/* ---- readers ---- */

static void use_link(kd_use *use, kd_value *value)
{
    use->value = value;
    if (!value)
        return;
    use->next = value->uses;
    if (use->next)
        use->next->link = &use->next;
    use->link = &value->uses;
    value->uses = use;
}

static void use_unlink(kd_use *use)
{
    if (!use->value)
        return;
    *use->link = use->next;
    if (use->next)
        use->next->link = use->link;
    use->value = NULL;
    use->next = NULL;
}

void kd_op_set_operand(kd_op *op, unsigned i, kd_value *value)
{
    KD_ASSERT(i < op->n_operands);
    use_unlink(&op->operands[i]);
    op->operands[i].user = op;
    use_link(&op->operands[i], value);
}

/* Moves the operands to an array of another length; uses are linked by address, so each is linked anew. */
static void operands_resize(kd_module *module, kd_op *op, unsigned n)
{
    kd_use *fresh = kd_arena_array(module->arena, kd_use, n);
    for (unsigned i = 0; i < op->n_operands; i++) {
        kd_value *value = op->operands[i].value;
        use_unlink(&op->operands[i]);
        if (i < n) {
            fresh[i].user = op;
            use_link(&fresh[i], value);
        }
    }
    op->operands = fresh;
    op->n_operands = n;
}

void kd_op_add_operand(kd_module *module, kd_op *op, kd_value *value)
{
    operands_resize(module, op, op->n_operands + 1);
    kd_op_set_operand(op, op->n_operands - 1, value);
}

void kd_op_remove_operand(kd_op *op, unsigned i)
{
    for (unsigned k = i; k + 1 < op->n_operands; k++)
        kd_op_set_operand(op, k, op->operands[k + 1].value);
    use_unlink(&op->operands[--op->n_operands]);
}

void kd_value_replace_uses(kd_value *old, kd_value *fresh)
{
    KD_ASSERT(old != fresh);
    while (old->uses) {
        kd_use *use = old->uses;
        use_unlink(use);
        use_link(use, fresh);
    }
}

/* ---- ops in blocks ---- */

static void op_detach(kd_op *op)
{
    if (op->prev)
        op->prev->next = op->next;
    else
        op->block->first = op->next;
    if (op->next)
        op->next->prev = op->prev;
    else
        op->block->last = op->prev;
    op->prev = op->next = NULL;
    op->block = NULL;
}

static void op_attach(kd_op *op, kd_block *block, kd_op *before)
{
    op->block = block;
    op->next = before;
    op->prev = before ? before->prev : block->last;
    *(op->prev ? &op->prev->next : &block->first) = op;
    *(before ? &before->prev : &block->last) = op;
}

static void drop_operands(kd_op *op)
{
    for (unsigned i = 0; i < op->n_operands; i++)
        use_unlink(&op->operands[i]);
    for (unsigned r = 0; r < op->n_regions; r++)
        KD_FOREACH_OP (inner, op->regions[r])
            drop_operands(inner);
}

void kd_op_erase(kd_op *op)
{
    drop_operands(op);
    for (unsigned i = 0; i < op->n_results; i++)
        KD_ASSERT(!op->results[i].uses);
    if (op->block)
        op_detach(op);
}

void kd_op_replace(kd_op *old, kd_op *fresh)
{
    KD_ASSERT(old->n_results == fresh->n_results);
    for (unsigned i = 0; i < old->n_results; i++)
        kd_value_replace_uses(&old->results[i], &fresh->results[i]);
    kd_op_erase(old);
}

void kd_op_replace_value(kd_op *old, kd_value *value)
{
    KD_ASSERT(old->n_results == 1);
    kd_value_replace_uses(&old->results[0], value);
    kd_op_erase(old);
}

void kd_op_move_before(kd_op *op, kd_op *anchor)
{
    if (op == anchor)
        return;
    op_detach(op);
    op_attach(op, anchor->block, anchor);
}

void kd_op_move_to_end(kd_op *op, kd_block *block)
{
    op_detach(op);
    op_attach(op, block, NULL);
}

void kd_op_insert(kd_op *op, kd_block *block, kd_op *before)
{
    KD_ASSERT(!op->block);
    op_attach(op, block, before);
}

kd_value *kd_block_add_arg(kd_module *module, kd_block *block, const kd_type *type, const char *name)
{
    kd_value **args = kd_arena_array(module->arena, kd_value *, block->n_args + 1);
    if (block->n_args)
        memcpy(args, block->args, block->n_args * sizeof *args);
    kd_value *arg = kd_arena_new(module->arena, kd_value);
    *arg = (kd_value){.type = type, .owner = block, .index = block->n_args, .name = name};
    args[block->n_args++] = arg;
    block->args = args;
    return arg;
}

void kd_block_remove_arg(kd_block *block, unsigned i)
{
    KD_ASSERT(!block->args[i]->uses);
    for (unsigned k = i; k + 1 < block->n_args; k++) {
        block->args[k] = block->args[k + 1];
        block->args[k]->index = k;
    }
    block->n_args--;
}

static kd_value *results_create(kd_module *module, kd_op *op, const kd_type *const *types, unsigned n)
{
    kd_value *results = kd_arena_array(module->arena, kd_value, n);
    for (unsigned i = 0; i < n; i++)
        results[i] = (kd_value){.type = types[i], .def = op, .index = i};
    return results;
}

kd_op *kd_op_create(kd_module *module, kd_opcode code, kd_loc loc, unsigned n_operands, const kd_type *const *types, unsigned n_types)
{
    kd_op *op = kd_arena_new(module->arena, kd_op);
    op->code = code;
    op->loc = loc;
    op->operands = kd_arena_array(module->arena, kd_use, n_operands);
    op->n_operands = n_operands;
    op->results = results_create(module, op, types, n_types);
    op->n_results = n_types;
    op->n_regions = kd_op_infos[code].n_regions;
    op->regions = kd_arena_array(module->arena, kd_block *, op->n_regions);
    for (unsigned r = 0; r < op->n_regions; r++) {
        op->regions[r] = kd_arena_new(module->arena, kd_block);
        *op->regions[r] = (kd_block){.parent = op, .index = r};
    }
    return op;
}

kd_op *kd_op_with_results(kd_module *module, kd_op *op, const kd_type *const *types, unsigned n)
{
    kd_op *fresh = kd_op_create(module, op->code, op->loc, op->n_operands, types, n);
    memcpy(fresh->attrs, op->attrs, sizeof op->attrs);
    fresh->regions = op->regions;
    for (unsigned r = 0; r < fresh->n_regions; r++)
        fresh->regions[r]->parent = fresh;
    op->n_regions = 0;
    for (unsigned i = 0; i < op->n_operands; i++)
        kd_op_set_operand(fresh, i, op->operands[i].value);
    for (unsigned i = 0; i < n && i < op->n_results; i++) {
        fresh->results[i].name = op->results[i].name;
        kd_value_replace_uses(&op->results[i], &fresh->results[i]);
    }
    op_attach(fresh, op->block, op);
    kd_op_erase(op);
    return fresh;
}

/* ---- modules ---- */

kd_module *kd_module_create(kd_context *ctx, kd_arena *arena)
{
    kd_module *module = kd_arena_new(arena, kd_module);
    *module = (kd_module){.ctx = ctx, .arena = arena};
    module->op = kd_op_create(module, KD_OP_module, KD_NO_LOC, 0, NULL, 0);
    return module;
}

kd_op *kd_module_find(const kd_module *module, kd_str func_name)
{
    KD_FOREACH_OP (func, module->op->regions[0])
        if (kd_str_equal(kd_func_name(func), func_name))
            return func;
    return NULL;
}

/* ---- questions ---- */

bool kd_value_constant(const kd_value *value, kd_number *out)
{
    const kd_op *def = value->def;
    while (def && (def->code == KD_OP_splat || def->code == KD_OP_broadcast || def->code == KD_OP_reshape))
        def = kd_op_operand(def, 0)->def;
    if (!def || def->code != KD_OP_constant)
        return false;
    *out = kd_constant_value(def);
    return true;
}

bool kd_value_constant_int(const kd_value *value, int64_t *out)
{
    kd_number number;
    if (!kd_value_constant(value, &number) || number.is_float)
        return false;
    *out = number.i;
    return true;
}

bool kd_value_is_zero(const kd_value *value)
{
    kd_number number;
    return kd_value_constant(value, &number) && (number.is_float ? number.f == 0 && !__builtin_signbit(number.f) : number.i == 0);
}

kd_op *kd_block_terminator(const kd_block *block)
{
    return block->last && kd_op_has(block->last, KD_TERMINATOR) ? block->last : NULL;
}

kd_op *kd_op_ancestor_in(const kd_op *op, const kd_block *block)
{
    while (op && op->block != block)
        op = op->block ? op->block->parent : NULL;
    return (kd_op *)(uintptr_t)op;
}

bool kd_op_is_inside(const kd_op *inner, const kd_op *outer)
{
    for (const kd_op *at = inner; at->block; at = at->block->parent)
        if (at->block->parent == outer)
            return true;
    return false;
}

bool kd_value_visible_at(const kd_value *value, const kd_op *op)
{
    const kd_block *home = value->def ? value->def->block : value->owner;
    const kd_op *at = kd_op_ancestor_in(op, home);
    if (!at)
        return false;
    if (!value->def)
        return true;
    for (const kd_op *before = at->prev; before; before = before->prev)
        if (before == value->def)
            return true;
    return false;
}

bool kd_op_is_pure(const kd_op *op)
{
    if (kd_op_infos[op->code].traits & (KD_READS | KD_WRITES))
        return false;
    for (unsigned r = 0; r < op->n_regions; r++)
        KD_FOREACH_OP (inner, op->regions[r])
            if (!kd_op_is_pure(inner))
                return false;
    return true;
}

void kd_op_walk(kd_op *root, void (*visit)(kd_op *op, void *user), void *user)
{
    for (unsigned r = 0; r < root->n_regions; r++)
        KD_FOREACH_OP_SAFE (op, root->regions[r]) {
            visit(op, user);
            if (op->block) /* not erased */
                kd_op_walk(op, visit, user);
        }
}
