/* memory.c - loads, stores and atomics.
 *
 * Registers that hold consecutive elements at consecutive, aligned addresses are accessed at once, up to 16 bytes. Where their masks may
 * differ, a load reads all if any is wanted (aligned vectors never reach beyond what holds one element of theirs) and selects; a store
 * writes whole vectors where all are wanted, and what is left one by one, behind a branch that is seldom taken. Copies among lanes and
 * sub-groups all load; one of them, the owner, stores. */
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

/* How many registers, from any multiple of it on, can be accessed at once; whether one mask holds for all of them. */
static unsigned vector_of(kd_simt *s, const kd_value *ptr, const kd_value *mask, bool *out_one_mask)
{
    const kd_type *type = ptr->type;
    unsigned best = 1, most = MAX_ACCESS_BYTES / kd_scalar_bytes(memory_type(s, ptr)->scalar);
    *out_one_mask = true;
    for (unsigned axis = 0; axis < type->rank && type->layout; axis++) {
        int64_t n = kd_layout_n_consecutive(type->layout, type, axis),
                aligned = kd_axis_info_vector_length(s->axis_info, ptr, axis);
        n = aligned < n ? aligned : n;
        n = n < most ? n : most;
        n = n < MAX_VECTOR ? n : MAX_VECTOR;
        if (n > best) {
            best = (unsigned)n;
            *out_one_mask = !mask || !mask->type->layout || kd_axis_info_get(s->axis_info, mask, axis).constancy >= n;
        }
    }
    return best;
}

/* Whether any, or all, of n masks hold. */
static kd_value *fold_masks(kd_simt *s, kd_opcode code, kd_value *const *masks, unsigned n)
{
    kd_value *out = masks[0];
    for (unsigned i = 1; i < n; i++)
        out = masks[i] == out ? out : kd_simt_binary(s, code, out, masks[i]);
    return out;
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

typedef struct access {
    const kd_layout *layout;
    const kd_type *mem; /* of elements */
    unsigned n, vector; /* registers; of one access */
    bool one_mask;
    kd_value **ptrs, **masks, *owner; /* masks, owner: may be NULL */
} access;

static access access_of(kd_simt *s, const kd_value *ptr, const kd_value *mask)
{
    access a = {.layout = kd_simt_layout(s, ptr->type), .mem = memory_type(s, ptr), .ptrs = kd_simt_regs(s, ptr)};
    a.vector = vector_of(s, ptr, mask, &a.one_mask);
    a.n = kd_layout_n_registers(a.layout);
    a.masks = mask ? kd_simt_regs_as(s, mask, a.layout) : NULL;
    return a;
}

/* Register r and those after it. other: of elements that are masked out, or NULL: zeros. */
static void load_vector(kd_simt *s, const kd_op *op, const access *a, unsigned r, kd_value *const *other, kd_value **out)
{
    kd_value *parts[MAX_VECTOR], *instead = NULL, *mask = a->masks ? a->masks[r] : NULL;
    if (!a->one_mask)
        mask = fold_masks(s, KD_OP_or, a->masks + r, a->vector);
    for (unsigned i = 0; i < a->vector && other; i++)
        parts[i] = kd_simt_to_movable(s, other[i]);
    if (other && a->one_mask)
        instead = kd_simt_pack(s, parts, a->vector);
    kd_value *v =
        kd_result(kd_build_gpu_load(&s->b, (kd_gpu_load_args){.loc = s->loc,
                                                              .ptr = memory_ptr(s, a->ptrs[r]),
                                                              .mask = kd_simt_both(s, mask, a->owner),
                                                              .other = instead,
                                                              .type = kd_simt_vector_type(s, a->mem, a->vector),
                                                              .align_bytes = (int64_t)a->vector * kd_scalar_bytes(a->mem->scalar),
                                                              .cache = kd_load_cache(op),
                                                              .evict = kd_load_evict(op),
                                                              .is_volatile = kd_load_is_volatile(op)}));
    kd_simt_unpack(s, v, out, a->vector);
    for (unsigned i = 0; i < a->vector && !a->one_mask; i++)
        out[i] = kd_simt_select(s, a->masks[r + i], out[i], other ? parts[i] : kd_simt_int(s, a->mem, 0));
    for (unsigned i = 0; i < a->vector; i++)
        out[i] = kd_simt_from_movable(s, out[i], kd_type_elem(kd_op_result(op, 0)->type));
}

void kd_simt_load(kd_simt *s, const kd_op *op)
{
    const kd_value *other = kd_load_mask(op) ? kd_load_other(op) : NULL, *result = kd_op_result(op, 0);
    access a = access_of(s, kd_load_ptr(op), kd_load_mask(op));
    uint32_t copies = zero_bits(a.layout);
    kd_value **others = other ? kd_simt_regs_as(s, other, a.layout) : NULL, **out = kd_simt_array(s, a.n);
    if (must_agree(op))
        a.owner = kd_simt_owner(s, a.layout);
    for (unsigned r = 0; r < a.n; r += a.vector) {
        if (r & copies)
            memcpy(out + r, out + (r & ~copies), a.vector * sizeof *out);
        else
            load_vector(s, op, &a, r, others ? others + r : NULL, out + r);
    }
    if (must_agree(op))
        kd_simt_share(s, kd_type_elem(result->type), a.layout, out);
    kd_simt_set_from(s, result, a.layout, out);
}

static void store_vector(kd_simt *s, const kd_op *op, const access *a, unsigned r, unsigned n, kd_value *const *values,
                         kd_value *mask)
{
    kd_value *parts[MAX_VECTOR];
    for (unsigned i = 0; i < n; i++)
        parts[i] = kd_simt_to_movable(s, values[r + i]);
    kd_build_gpu_store(&s->b, (kd_gpu_store_args){.loc = s->loc,
                                                  .ptr = memory_ptr(s, a->ptrs[r]),
                                                  .value = kd_simt_pack(s, parts, n),
                                                  .mask = kd_simt_both(s, mask, a->owner),
                                                  .align_bytes = (int64_t)n * kd_scalar_bytes(a->mem->scalar),
                                                  .cache = kd_store_cache(op),
                                                  .evict = kd_store_evict(op)});
}

/* The elements of vectors of which some, but not all, are wanted. */
static void store_ragged(kd_simt *s, const kd_op *op, const access *a, kd_value *const *values, kd_value *const *full)
{
    uint32_t copies = kd_layout_free_bits(a->layout, KD_REGISTER);
    kd_value *yes = kd_simt_int(s, s->i1, 1), *ragged = NULL;
    for (unsigned r = 0; r < a->n; r += a->vector) {
        if (r & copies)
            continue;
        kd_value *some =
            kd_simt_both(s, fold_masks(s, KD_OP_or, a->masks + r, a->vector), kd_simt_binary(s, KD_OP_xor, full[r], yes));
        ragged = ragged ? kd_simt_binary(s, KD_OP_or, ragged, some) : some;
    }
    kd_op *branch = kd_build_op(&s->b, KD_OP_if, s->loc, &ragged, 1, NULL, 0, NULL);
    kd_builder outer = s->b;
    s->b = kd_builder_at_end(s->module, kd_op_region(branch, 0));
    for (unsigned r = 0; r < a->n; r++)
        if (!(r & copies))
            store_vector(s, op, a, r, 1, values,
                         kd_simt_both(s, a->masks[r], kd_simt_binary(s, KD_OP_xor, full[r - r % a->vector], yes)));
    for (unsigned arm = 0; arm < 2; arm++) {
        s->b = kd_builder_at_end(s->module, kd_op_region(branch, arm));
        kd_simt_put(s, KD_OP_yield, NULL, NULL, NULL, 0);
    }
    s->b = outer;
}

void kd_simt_store(kd_simt *s, const kd_op *op)
{
    access a = access_of(s, kd_store_ptr(op), kd_store_mask(op));
    uint32_t copies = kd_layout_free_bits(a.layout, KD_REGISTER);
    kd_value **values = kd_simt_regs_as(s, kd_store_value(op), a.layout), **full = kd_simt_array(s, a.n);
    a.owner = kd_simt_owner(s, a.layout);
    for (unsigned r = 0; r < a.n; r += a.vector) {
        if (r & copies)
            continue;
        full[r] = !a.masks ? NULL : a.one_mask ? a.masks[r] : fold_masks(s, KD_OP_and, a.masks + r, a.vector);
        store_vector(s, op, &a, r, a.vector, values, full[r]);
    }
    if (!a.one_mask)
        store_ragged(s, op, &a, values, full);
}

static kd_value *one_atomic(kd_simt *s, const kd_op *op, kd_value ***operands, unsigned r, kd_value *owner)
{
    if (op->code == KD_OP_atomic_cas)
        return kd_result(kd_build_gpu_atomic_cas(&s->b, (kd_gpu_atomic_cas_args){.loc = s->loc,
                                                                                 .ptr = operands[0][r],
                                                                                 .expected = operands[1][r],
                                                                                 .desired = operands[2][r],
                                                                                 .mask = owner,
                                                                                 .order = kd_atomic_cas_order(op),
                                                                                 .scope = kd_atomic_cas_scope(op)}));
    return kd_result(kd_build_atomic(&s->b, (kd_atomic_args){.loc = s->loc,
                                                             .ptr = operands[0][r],
                                                             .value = operands[1][r],
                                                             .mask = kd_simt_both(s, operands[2] ? operands[2][r] : NULL, owner),
                                                             .kind = kd_atomic_kind(op),
                                                             .order = kd_atomic_order(op),
                                                             .scope = kd_atomic_scope(op)}));
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
