/* memory.c - loads, stores and atomics.
 *
 * Registers that hold consecutive elements at consecutive, aligned addresses under one mask are accessed at once, up to 16 bytes. Copies
 * among lanes and sub-groups all load; one of them, the owner, stores. */
#include "targets/gpu/lower.h"

#include "base/bug.h"

enum { MAX_ACCESS_BYTES = 16, MAX_VECTOR = 16 };

static const kd_type *memory_type(kd_simt *s, const kd_value *ptr)
{
    return kd_simt_movable_type(s, kd_type_elem(ptr->type)->elem);
}

/* A pointer to elements as they lie in memory: i1 as bytes, pointers as integers. */
static kd_value *memory_ptr(kd_simt *s, kd_value *ptr)
{
    const kd_type *type = kd_type_ptr(s->ctx, kd_simt_movable_type(s, ptr->type->elem));
    return ptr->type == type ? ptr : kd_simt_apply(s, KD_OP_bitcast, type, NULL, &ptr, 1);
}

/* How many registers, from any multiple of it on, can be accessed at once. */
static unsigned vector_of(kd_simt *s, const kd_value *ptr, const kd_value *mask)
{
    const kd_type *type = ptr->type;
    unsigned best = 1, most = MAX_ACCESS_BYTES / kd_scalar_bytes(memory_type(s, ptr)->scalar);
    if (!type->layout)
        return 1;
    for (unsigned axis = 0; axis < type->rank; axis++) {
        int64_t n = kd_layout_n_consecutive(type->layout, type, axis), aligned = kd_axis_info_vector_length(s->axis_info, ptr, axis);
        n = aligned < n ? aligned : n;
        if (mask && mask->type->layout) {
            int64_t constant = kd_axis_info_get(s->axis_info, mask, axis).constancy;
            n = constant < n ? constant : n;
        }
        n = n < most ? n : most;
        n = n < MAX_VECTOR ? n : MAX_VECTOR;
        best = n > best ? (unsigned)n : best;
    }
    return best;
}

static uint32_t zero_bits(const kd_layout *l)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < l->n_bits[KD_REGISTER]; i++)
        bits |= l->basis[KD_REGISTER][i] ? 0 : 1u << i;
    return bits;
}

/* A scalar that may change while the work-items look at it: one of them reads it for all. */
static bool must_agree(const kd_op *load)
{
    return kd_load_is_volatile(load) && !kd_op_result(load, 0)->type->layout;
}

void kd_simt_load(kd_simt *s, const kd_op *op)
{
    const kd_value *ptr = kd_load_ptr(op), *mask = kd_load_mask(op), *other = mask ? kd_load_other(op) : NULL, *result = kd_op_result(op, 0);
    const kd_layout *layout = kd_simt_layout(s, ptr->type);
    const kd_type *mem = memory_type(s, ptr), *elem = kd_type_elem(result->type);
    unsigned n = kd_layout_n_registers(layout), vector = vector_of(s, ptr, mask);
    uint32_t copies = zero_bits(layout);
    kd_value **ptrs = kd_simt_regs(s, ptr), **masks = mask ? kd_simt_regs_as(s, mask, layout) : NULL;
    kd_value **others = other ? kd_simt_regs_as(s, other, layout) : NULL, **out = kd_simt_array(s, n);
    kd_value *owner = must_agree(op) ? kd_simt_owner(s, layout) : NULL;
    for (unsigned r = 0; r < n; r += vector) {
        if (r & copies) {
            memcpy(out + r, out + (r & ~copies), vector * sizeof *out);
            continue;
        }
        kd_value *instead = NULL, *parts[MAX_VECTOR];
        for (unsigned i = 0; i < vector && others; i++)
            parts[i] = kd_simt_to_movable(s, others[r + i]);
        if (others)
            instead = kd_simt_pack(s, parts, vector);
        kd_value *v = kd_result(kd_build_gpu_load(&s->b, (kd_gpu_load_args){
            .loc = s->loc, .ptr = memory_ptr(s, ptrs[r]), .mask = kd_simt_both(s, masks ? masks[r] : NULL, owner), .other = instead,
            .type = kd_simt_vector_type(s, mem, vector), .align_bytes = (int64_t)vector * kd_scalar_bytes(mem->scalar), .cache = kd_load_cache(op),
            .evict = kd_load_evict(op), .is_volatile = kd_load_is_volatile(op)}));
        kd_simt_unpack(s, v, out + r, vector);
        for (unsigned i = 0; i < vector; i++)
            out[r + i] = kd_simt_from_movable(s, out[r + i], elem);
    }
    if (must_agree(op))
        kd_simt_share(s, elem, layout, out);
    kd_simt_set_from(s, result, layout, out);
}

void kd_simt_store(kd_simt *s, const kd_op *op)
{
    const kd_value *ptr = kd_store_ptr(op), *mask = kd_store_mask(op);
    const kd_layout *layout = kd_simt_layout(s, ptr->type);
    unsigned n = kd_layout_n_registers(layout), vector = vector_of(s, ptr, mask);
    uint32_t copies = kd_layout_free_bits(layout, KD_REGISTER);
    kd_value **ptrs = kd_simt_regs(s, ptr), **values = kd_simt_regs_as(s, kd_store_value(op), layout);
    kd_value **masks = mask ? kd_simt_regs_as(s, mask, layout) : NULL, *owner = kd_simt_owner(s, layout);
    for (unsigned r = 0; r < n; r += vector) {
        kd_value *parts[MAX_VECTOR];
        if (r & copies)
            continue;
        for (unsigned i = 0; i < vector; i++)
            parts[i] = kd_simt_to_movable(s, values[r + i]);
        kd_build_gpu_store(&s->b, (kd_gpu_store_args){
            .loc = s->loc, .ptr = memory_ptr(s, ptrs[r]), .value = kd_simt_pack(s, parts, vector), .mask = kd_simt_both(s, masks ? masks[r] : NULL, owner),
            .align_bytes = (int64_t)vector * kd_scalar_bytes(parts[0]->type->scalar), .cache = kd_store_cache(op), .evict = kd_store_evict(op)});
    }
}

static kd_value *one_atomic(kd_simt *s, const kd_op *op, kd_value ***operands, unsigned r, kd_value *owner)
{
    if (op->code == KD_OP_atomic_cas)
        return kd_result(kd_build_gpu_atomic_cas(&s->b, (kd_gpu_atomic_cas_args){
            .loc = s->loc, .ptr = operands[0][r], .expected = operands[1][r], .desired = operands[2][r], .mask = owner,
            .order = kd_atomic_cas_order(op), .scope = kd_atomic_cas_scope(op)}));
    return kd_result(kd_build_atomic(&s->b, (kd_atomic_args){
        .loc = s->loc, .ptr = operands[0][r], .value = operands[1][r], .mask = kd_simt_both(s, operands[2] ? operands[2][r] : NULL, owner),
        .kind = kd_atomic_kind(op), .order = kd_atomic_order(op), .scope = kd_atomic_scope(op)}));
}

void kd_simt_atomic(kd_simt *s, const kd_op *op)
{
    const kd_value *result = kd_op_result(op, 0);
    const kd_layout *layout = kd_simt_layout(s, result->type);
    unsigned n = kd_layout_n_registers(layout);
    uint32_t copies = kd_layout_free_bits(layout, KD_REGISTER), zeros = zero_bits(layout);
    kd_value **operands[3] = {NULL}, **out = kd_simt_array(s, n), *owner = kd_simt_owner(s, layout);
    for (unsigned i = 0; i < op->n_operands; i++)
        operands[i] = kd_op_operand(op, i) ? kd_simt_regs_as(s, kd_op_operand(op, i), layout) : NULL;
    for (unsigned r = 0; r < n; r++)
        if (!(r & copies))
            out[r] = one_atomic(s, op, operands, r, owner);
    for (unsigned r = 0; r < n; r++)
        if (r & copies)
            out[r] = out[r & ~zeros] ? out[r & ~zeros] : out[0]; /* kd_simt_share finds what this is not right for */
    if (kd_value_has_uses(result))
        kd_simt_share(s, kd_type_elem(result->type), layout, out);
    kd_simt_set(s, result, out);
}
