/* sink_loads.c - gpu and simt level: where the registers do not hold all that is loaded, load it when it is needed.
 *
 *     %k = kd.load ...                       %k = kd.load ...
 *     %v = kd.load ...            ==>        %s = kd.dot %q, %k, ...
 *     %s = kd.dot %q, %k, ...                %v = kd.load ...
 *     %o = kd.dot %p, %v, ...                %o = kd.dot %p, %v, ...
 *
 * Loads, conversions, reads of SLM, and what takes their vectors apart and puts them together, move down to their first reader in the block,
 * but over nothing that writes; reads of SLM over writes of another buffer, where all buffers of the block have room side by side. Vectors of computed 16-bit values move up to their last part. Only in blocks in which all this would fill most
 * registers: early loads hide latency.
 * Cost: linear, but for the search for first readers, which goes as far as ops move, MAX_DISTANCE at most. */
#include "passes/gpu_config.h"
#include "passes/register_use.h"

enum { MAX_DISTANCE = 2048 }; /* ops over which one moves */

static bool may_sink(const kd_op *op);

/* Vectors whose parts come from what may sink itself; what is computed would only wait, in more registers, to be put together. */
static bool comes_from_sinking(const kd_op *op)
{
    const kd_op *def = kd_op_operand(op, 0)->def;
    return def && def->block == op->block && may_sink(def);
}

/* Flags are even fewer than registers. */
static bool makes_mask(const kd_op *op)
{
    return op->n_results == 1 && kd_type_is_scalar(op->results[0].type, KD_I1) && kd_op_has(op, KD_ELEMENTWISE | KD_PURE);
}

static bool may_sink(const kd_op *op)
{
    return kd_is_plain_load(op) || makes_mask(op) || op->code == KD_OP_gpu_convert_layout ||
           ((op->code == KD_OP_gpu_pack || op->code == KD_OP_gpu_unpack) && comes_from_sinking(op));
}

/* Prefetches do not count: they change no memory. */
static bool writes(const kd_op *op)
{
    if (kd_op_get_info(op)->traits & KD_WRITES)
        return op->code != KD_OP_gpu_prefetch && op->code != KD_OP_gpu_block2d_prefetch;
    for (unsigned r = 0; r < op->n_regions; r++)
        KD_FOREACH_OP (inner, op->regions[r])
            if (writes(inner))
                return true;
    return false;
}

/* Whether the SLM holds all buffers of a block at once, so that none waits for another one's memory. */
static bool has_room_for_buffers(const kd_pass_ctx *px, const kd_block *block)
{
    uint64_t bytes = 0;
    KD_FOREACH_OP (op, block)
        if (op->code == KD_OP_gpu_slm)
            bytes += (uint64_t)op->results[0].type->n_elems * ((kd_type_elem_bits(op->results[0].type) + 7) / 8);
    return bytes <= px->gpu->device->slm_bytes;
}

/* Whether a load must stay in front of an op. */
static bool stops(const kd_op *load, const kd_op *at, bool has_room)
{
    if (!kd_is_plain_load(load))
        return false;
    bool is_slm = load->code == KD_OP_gpu_slm_read && at->code == KD_OP_gpu_slm_write;
    return writes(at) && !(is_slm && has_room && kd_gpu_slm_read_buffer(load) != kd_gpu_slm_write_buffer(at));
}

/* The op in front of which it may stand at the latest; NULL: nobody reads it. Readers are marked. */
static kd_op *latest_place(const kd_op *op, bool has_room)
{
    bool any = false;
    for (unsigned i = 0; i < op->n_results; i++)
        for (const kd_use *use = op->results[i].uses; use; use = use->next) {
            kd_op *reader = kd_op_ancestor_in(use->user, op->block);
            if (reader)
                reader->mark = 1;
            any = true;
        }
    kd_op *at = op->next;
    for (unsigned n = 0; n < MAX_DISTANCE && any && at && !at->mark && !stops(op, at, has_room); n++)
        at = at->next;
    for (unsigned i = 0; i < op->n_results; i++)
        for (const kd_use *use = op->results[i].uses; use; use = use->next) {
            kd_op *reader = kd_op_ancestor_in(use->user, op->block);
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

static bool visit_block(const kd_pass_ctx *px, kd_block *block)
{
    bool changed = false;
    KD_FOREACH_OP (op, block)
        for (unsigned r = 0; r < op->n_regions; r++)
            changed |= visit_block(px, op->regions[r]);
    if (!kd_block_fills_registers(px, block))
        return changed;
    bool has_room = has_room_for_buffers(px, block);
    KD_FOREACH_OP (op, block)
        op->mark = 0;
    for (kd_op *op = block->last, *before; op; op = before) { /* from the end: readers first */
        before = op->prev;
        if (op->code == KD_OP_gpu_pack && !may_sink(op) && kd_type_elem_bits(kd_op_operand(op, 0)->type) < 32) {
            changed |= rise(op);
            continue;
        }
        kd_op *at = may_sink(op) ? latest_place(op, has_room) : NULL;
        if (!at || at == op->next)
            continue;
        kd_op_move_before(op, at);
        changed = true;
    }
    return changed;
}

kd_pass_result kd_pass_sink_loads(kd_pass_ctx *px, kd_op *func)
{
    return px->gpu && visit_block(px, func->regions[0]) ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
