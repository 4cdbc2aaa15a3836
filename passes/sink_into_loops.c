/* sink_into_loops.c - simt level: what lies in SLM does not wait in registers for a loop that fills them all.
 *
 *     %v = gpu.slm_read %buffer, %p                     kd.for ... {
 *     %q = gpu.pack ...                                   %v = gpu.slm_read %buffer, %p
 *     kd.for ... {                             ==>        %q = gpu.pack ...
 *       %d = gpu.dpas %q, ...                             %d = gpu.dpas %q, ...
 *     }                                                 }
 *
 * Reads of SLM, and what takes their vectors apart and puts them together, where only the loop needs them and nothing writes the buffer before the
 * loop ends. An iteration reads them again: that is cheaper than memory that the registers are spilled to.
 *
 * Only for loops that fill the registers (register_use.h).
 * Needs:   sink-loads after it, which moves the reads on to their readers; before barriers are put.   Cost: a walk over the ops in front of each
 *          such loop. */
#include "passes/register_use.h"

static bool may_move(const kd_op *op)
{
    return op->code == KD_OP_gpu_slm_read || op->code == KD_OP_gpu_pack || op->code == KD_OP_gpu_unpack;
}

static bool is_read_in(const kd_op *op, const kd_op *loop)
{
    bool any = false;
    for (unsigned i = 0; i < op->n_results; i++)
        for (const kd_use *use = op->results[i].uses; use; use = use->next) {
            if (!kd_op_is_inside(use->user, loop))
                return false;
            any = true;
        }
    return any;
}

/* Whether the buffer that an op reads stays as it is to the loop's end. */
static bool stays(const kd_op *read, const kd_op *loop)
{
    for (const kd_use *use = kd_gpu_slm_read_buffer(read)->uses; use; use = use->next) {
        const kd_op *at = kd_op_ancestor_in(use->user, loop->block);
        bool is_before = at && at != loop && at->mark < read->mark;
        if (use->user->code != KD_OP_gpu_slm_read && !is_before && !(at && at->mark > loop->mark))
            return false;
    }
    return true;
}

static bool sink_into(kd_op *loop)
{
    kd_op *first = loop->regions[0]->first;
    uint32_t n = 0;
    bool changed = false;
    KD_FOREACH_OP (op, loop->block)
        op->mark = ++n;
    for (kd_op *op = loop->prev, *before; op; op = before) { /* from the end: readers first */
        before = op->prev;
        if (!may_move(op) || !is_read_in(op, loop) || (op->code == KD_OP_gpu_slm_read && !stays(op, loop)))
            continue;
        kd_op_move_before(op, first);
        first = op;
        changed = true;
    }
    return changed;
}

static bool visit_block(const kd_pass_ctx *px, kd_block *block)
{
    bool changed = false;
    KD_FOREACH_OP (op, block) {
        for (unsigned r = 0; r < op->n_regions; r++)
            changed |= visit_block(px, op->regions[r]);
        if (op->code == KD_OP_for && kd_block_fills_registers(px, op->regions[0]))
            changed |= sink_into(op);
    }
    return changed;
}

kd_pass_result kd_pass_sink_into_loops(kd_pass_ctx *px, kd_op *func)
{
    return px->gpu && visit_block(px, func->regions[0]) ? KD_PASS_CHANGED : KD_PASS_UNCHANGED;
}
