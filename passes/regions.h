/* regions.h - changes to ops with regions that several passes make. */
#ifndef KD_PASSES_REGIONS_H
#define KD_PASSES_REGIONS_H

#include "ir/ir.h"

/* Moves the ops of a block, except its terminator, in front of an op (which may be the one that has the block). */
void kd_block_splice_before(kd_block *block, kd_op *anchor);

/* Takes results out of a kd.for, kd.while or kd.if, with all that belongs to them: of loops, drop[i] stands for carried value i, of kd.if
 * for result i, and of kd.while's results drop_results[i]. What is dropped must have no readers but the terminators' operands that go with
 * it. Returns the new op, which has the place of the old one. */
kd_op *kd_for_drop_carried(kd_module *module, kd_op *op, const bool *drop);
kd_op *kd_if_drop_results(kd_module *module, kd_op *op, const bool *drop);
kd_op *kd_while_drop(kd_module *module, kd_op *op, const bool *drop_carried, const bool *drop_results);

/* How often a kd.for with constant bounds runs; false where they are not constant. */
bool kd_for_trip_count(const kd_op *op, uint64_t *out);

#endif
