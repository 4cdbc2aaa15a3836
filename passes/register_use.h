/* register_use.h - whether what a block loads, carries and multiplies fits the registers: an estimate for passes that trade work for them. */
#ifndef KD_PASSES_REGISTER_USE_H
#define KD_PASSES_REGISTER_USE_H

#include "passes/pass.h"

/* For the gpu and simt levels; the ops of regions in the block do not count. */
bool kd_block_fills_registers(const kd_pass_ctx *px, const kd_block *block);

/* Whether the op is, or has in its regions, a loop whose body does so. */
bool kd_has_large_loop(const kd_pass_ctx *px, const kd_op *op);

/* Reads memory and leaves it alone. */
bool kd_is_plain_load(const kd_op *op);

#endif
