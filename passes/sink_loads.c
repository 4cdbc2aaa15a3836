/* sink_loads.c - gpu and simt level: where the registers do not hold all that is loaded, load it when it is needed.
 *
 *     %k = kd.load ...                       %k = kd.load ...
 *     %v = kd.load ...            ==>        %s = kd.dot %q, %k, ...
 *     %s = kd.dot %q, %k, ...                %v = kd.load ...
 *     %o = kd.dot %p, %v, ...                %o = kd.dot %p, %v, ...
 *
 * Loads, conversions, reads of SLM, and what takes their vectors apart and puts them together, move down to their first reader in the block,
 * but over nothing that writes. Vectors of computed 16-bit values move up to their last part. Only in blocks in which all this would fill most
 * registers: early loads hide latency.
 * Cost: linear, but for the search for first readers, which goes as far as ops move, MAX_DISTANCE at most. */
#include "ir/layout.h"
#include "passes/gpu_config.h"
#include "passes/pass.h"

enum { MAX_DISTANCE = 2048 }; /* ops over which one moves */

static bool is_load(const kd_op *op)
{
    switch (op->code) {
    case KD_OP_load: return !kd_load_is_volatile(op);
    case KD_OP_block_load:
    case KD_OP_gpu_slm_read:
    case KD_OP_gpu_block2d_load: return true;
    default: return false;
    }
}

static bool may_sink(const kd_op *op);

/* Vectors whose parts come from what may sink itself; what is computed would only wait, in more registers, to be put together. */
static bool comes_from_sinking(const kd_op *op)
{
    const kd_op *def = kd_op_operand(op, 0)->def;
    return def && def->block == op->block && may_sink(def);
}

static bool may_sink(const kd_op *op)
{
    return is_load(op) || op->code == KD_OP_gpu_convert_layout ||
           ((op->code == KD_OP_gpu_pack || op->code == KD_OP_gpu_unpack) && comes_from_sinking(op));
}

/* Dwords of one work-item. */
static uint64_t size_of(const kd_type *type)
{
    uint64_t n = !kd_type_is_tile(type) ? 1 : type->layout ? kd_layout_n_registers(type->layout) : (uint64_t)type->n_elems;
    unsigned bits = kd_type_elem_bits(type);
    return (n * (bits < 8 ? 8 : bits) + 31) / 32;
}

/* A product that does not take the registers of what it is added to. */
static bool is_fresh_product(const kd_op *op)
{
    if (op->code != KD_OP_dot && op->code != KD_OP_gpu_dpas)
        return false;
    const kd_value *acc = kd_op_operand(op, 2);
    return acc->def && acc->def->code != op->code;
}

/* What the loads of a block and what it carries take, at worst. Pointers are uniform for the most part (split-addresses). */
static uint64_t pressure_of(const kd_block *block)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < block->n_args; i++)
        n +=
            kd_type_is_tile(block->args[i]->type) && !kd_type_is_ptr_like(block->args[i]->type) ? size_of(block->args[i]->type) : 0;
    KD_FOREACH_OP (op, block)
        if (is_load(op) || op->code == KD_OP_gpu_convert_layout || is_fresh_product(op))
            for (unsigned i = 0; i < op->n_results; i++)
                n += size_of(op->results[i].type);
    return n;
}

/* The op of the block that is, or has inside, a reader. NULL: in none of it. */
static kd_op *in_block(kd_op *user, const kd_block *block)
{
    while (user && user->block != block)
        user = user->block ? user->block->parent : NULL;
    return user;
}

static bool writes(const kd_op *op)
{
    if (kd_op_get_info(op)->traits & KD_WRITES)
        return true;
    for (unsigned r = 0; r < op->n_regions; r++)
        KD_FOREACH_OP (inner, op->regions[r])
            if (writes(inner))
                return true;
    return false;
}

/* The op in front of which it may stand at the latest; NULL: nobody reads it. Readers are marked. */
static kd_op *latest_place(const kd_op *op)
{
    bool any = false;
    for (unsigned i = 0; i < op->n_results; i++)
        for (const kd_use *use = op->results[i].uses; use; use = use->next) {
            kd_op *reader = in_block(use->user, op->block);
            if (reader)
                reader->mark = 1;
            any = true;
        }
    kd_op *at = op->next;
    for (unsigned n = 0; n < MAX_DISTANCE && any && at && !at->mark && !(is_load(op) && writes(at)); n++)
        at = at->next;
    for (unsigned i = 0; i < op->n_results; i++)
        for (const kd_use *use = op->results[i].uses; use; use = use->next) {
            kd_op *reader = in_block(use->user, op->block);
            if (reader)
                reader->mark = 0;
        }
    return any ? at : NULL;
}

static void mark_operands(const kd_op *op, uint32_t mark)
{
    for (unsigned i = 0; i < op->n_operands; i++)
        if (kd_op_operand(op, i)->def)
            kd_op_operand(op, i)->def->mark = mark;
}

/* Computed values of less than a register go into their vector at once: it takes half of what they take one by one. */
static bool rise(kd_op *pack)
{
    kd_op *last = NULL;
    mark_operands(pack, 1);
    for (kd_op *at = pack->prev; at && !last; at = at->prev)
        last = at->mark ? at : NULL;
    mark_operands(pack, 0);
    kd_op *place = last ? last->next : pack;
    while (place->code == KD_OP_gpu_pack && place != pack) /* behind those that rose before */
        place = place->next;
    if (place == pack)
        return false;
    kd_op_move_before(pack, place);
    return true;
}

static bool visit_block(kd_block *block, uint64_t capacity)
{
    bool changed = false;
    KD_FOREACH_OP (op, block)
        for (unsigned r = 0; r < op->n_regions; r++)
            changed |= visit_block(op->regions[r], capacity);
    if (pressure_of(block) <= capacity)
        return changed;
    KD_FOREACH_OP (op, block)
        op->mark = 0;
    for (kd_op *op = block->last, *before; op; op = before) { /* from the end: readers first */
        before = op->prev;
        if (op->code == KD_OP_gpu_pack && !may_sink(op) && kd_type_elem_bits(kd_op_operand(op, 0)->type) < 32) {
            changed |= rise(op);
            continue;
        }
        kd_op *at = may_sink(op) ? latest_place(op) : NULL;
        if (!at || at == op->next)
            continue;
        kd_op_move_before(op, at);
        changed = true;
    }
    return changed;
}

kd_pass_result kd_pass_sink_loads(kd_pass_ctx *px, kd_op *func)
{
    if (!px->gpu)
        return KD_PASS_UNCHANGED;
    uint64_t bytes = (uint64_t)px->gpu->device->registers_bytes * (px->gpu->device->has_large_registers ? 2 : 1);
    uint64_t dwords = bytes / 4 / px->gpu->sub_group_size;
    return visit_block(func->regions[0], dwords * 3 / 4) ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
