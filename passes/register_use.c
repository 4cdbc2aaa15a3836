/* register_use.c - see register_use.h. */
#include "passes/register_use.h"
#include "ir/layout.h"
#include "passes/gpu_config.h"

bool kd_is_plain_load(const kd_op *op)
{
    switch (op->code) {
    case KD_OP_load: return !kd_load_is_volatile(op);
    case KD_OP_block_load:
    case KD_OP_gpu_slm_read:
    case KD_OP_gpu_block2d_load: return true;
    default: return false;
    }
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

/* Tiles, and what the simt level has for them: lanes' own numbers. Its integers are mostly uniform. */
static bool is_held(const kd_type *type)
{
    return (kd_type_is_tile(type) && !kd_type_is_ptr_like(type)) || kd_type_is_float_like(type);
}

/* What the loads of a block and what it carries take, at worst. Pointers are uniform for the most part (split-addresses). */
static uint64_t pressure_of(const kd_block *block)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < block->n_args; i++)
        n += is_held(block->args[i]->type) ? size_of(block->args[i]->type) : 0;
    KD_FOREACH_OP (op, block)
        if (kd_is_plain_load(op) || op->code == KD_OP_gpu_convert_layout || is_fresh_product(op))
            for (unsigned i = 0; i < op->n_results; i++)
                n += size_of(op->results[i].type);
    return n;
}

/* A quarter is left to addresses and to what is computed. */
bool kd_block_fills_registers(const kd_pass_ctx *px, const kd_block *block)
{
    uint64_t bytes = (uint64_t)px->gpu->device->registers_bytes * (px->gpu->device->has_large_registers ? 2 : 1);
    return pressure_of(block) > bytes / 4 / px->gpu->sub_group_size * 3 / 4;
}

bool kd_has_large_loop(const kd_pass_ctx *px, const kd_op *op)
{
    if (op->code == KD_OP_for && kd_block_fills_registers(px, op->regions[0]))
        return true;
    for (unsigned r = 0; r < op->n_regions; r++)
        KD_FOREACH_OP (inner, op->regions[r])
            if (kd_has_large_loop(px, inner))
                return true;
    return false;
}
