/* report.c - prints and asserts.
 *
 * Of the copies of an element one prints. An assert that fails takes the status (kernel_desc.h) if it is the first, and says which program
 * it was; the kernel goes on. */
#include "targets/gpu/lower.h"

#include "base/bug.h"

static kd_value *always(kd_simt *s, kd_value *mask)
{
    return mask ? mask : kd_simt_int(s, s->i1, 1);
}

/* f16 and the like as f32; in hexadecimal, floats by their bits. */
static kd_value *printable(kd_simt *s, kd_value *v, bool hex)
{
    const kd_type *elem = v->type;
    if (elem->kind != KD_TYPE_SCALAR || !kd_scalar_is_float(elem->scalar))
        return v;
    unsigned bits = kd_scalar_bits(elem->scalar);
    if (!hex)
        return bits < 32 ? kd_simt_cast(s, v, s->f32) : v;
    kd_scalar as = bits == 8 ? KD_U8 : bits == 16 ? KD_U16 : bits == 32 ? KD_U32 : KD_U64;
    return kd_simt_apply(s, KD_OP_bitcast, kd_type_scalar(s->ctx, as), NULL, &v, 1);
}

static void print_line(kd_simt *s, const kd_op *op, kd_value *mask, kd_value *const *values, unsigned n)
{
    kd_build_gpu_print(&s->b, (kd_gpu_print_args){.loc = s->loc,
                                                  .mask = always(s, mask),
                                                  .values = values,
                                                  .n_values = n,
                                                  .prefix = kd_print_prefix(op),
                                                  .hex = kd_print_hex(op)});
}

static void print_value(kd_simt *s, const kd_op *op, const kd_value *value)
{
    const kd_layout *layout = kd_simt_layout(s, value->type);
    kd_value **regs = kd_simt_regs(s, value), *values[1 + KD_MAX_RANK];
    for (unsigned r = 0; r < kd_layout_n_registers(layout); r++) {
        if (r & kd_layout_free_bits(layout, KD_REGISTER))
            continue;
        values[0] = printable(s, regs[r], kd_print_hex(op));
        for (unsigned axis = 0; axis < value->type->rank; axis++)
            values[1 + axis] = kd_simt_coord(s, value->type, r, axis);
        print_line(s, op, kd_simt_owner(s, layout), values, 1 + value->type->rank);
    }
}

static kd_value *status_param(kd_simt *s)
{
    if (!s->status)
        s->status =
            kd_block_add_arg(s->module, s->prologue_end->block, kd_type_ptr(s->ctx, kd_type_scalar(s->ctx, KD_U32)), "status");
    return s->status;
}

/* "FILE:LINE: message" */
static const char *message_of(kd_simt *s, const kd_op *op)
{
    kd_place place = kd_loc_place(s->diags, op->loc);
    if (!place.line)
        return kd_arena_printf(s->arena, "%.*s", KD_STR_ARG(kd_assert_message(op)));
    return kd_arena_printf(s->arena, "%s:%u: %.*s", place.source->path, place.line, KD_STR_ARG(kd_assert_message(op)));
}

static void report_failure(kd_simt *s, const kd_op *op, kd_value *failed)
{
    const kd_type *u32 = kd_type_scalar(s->ctx, KD_U32);
    kd_vec_push(s->arena, &s->messages, message_of(s, op));
    kd_value *status = status_param(s), *zero = kd_simt_int(s, u32, 0);
    kd_value *old = kd_result(kd_build_gpu_atomic_cas(
        &s->b, (kd_gpu_atomic_cas_args){
                   .loc = s->loc, .ptr = status, .expected = zero, .desired = kd_simt_int(s, u32, s->messages.n), .mask = failed}));
    kd_value *first = kd_simt_both(s, failed, kd_simt_compare(s, KD_PRED_EQ, old, zero));
    for (unsigned axis = 0; axis < 3; axis++) {
        kd_value *id = kd_result(kd_build_program_id(&s->b, (kd_program_id_args){.loc = s->loc, .type = s->i32, .axis = axis}));
        kd_value *ptr =
            kd_simt_apply(s, KD_OP_addptr, status->type, NULL, (kd_value *[]){status, kd_simt_int(s, s->i32, 1 + axis)}, 2);
        kd_build_gpu_store(
            &s->b,
            (kd_gpu_store_args){.loc = s->loc, .ptr = ptr, .value = kd_simt_cast(s, id, u32), .mask = first, .align_bytes = 4});
    }
}

static void lower_assert(kd_simt *s, const kd_op *op)
{
    const kd_value *condition = kd_assert_condition(op), *mask = kd_assert_mask(op);
    const kd_layout *layout = kd_simt_layout(s, condition->type);
    kd_value **conditions = kd_simt_regs(s, condition), **masks = mask ? kd_simt_regs_as(s, mask, layout) : NULL, *failed = NULL;
    for (unsigned r = 0; r < kd_layout_n_registers(layout); r++) {
        if (r & kd_layout_free_bits(layout, KD_REGISTER))
            continue;
        kd_value *bad =
            kd_simt_both(s, kd_simt_binary(s, KD_OP_xor, conditions[r], kd_simt_int(s, s->i1, 1)), masks ? masks[r] : NULL);
        failed = failed ? kd_simt_binary(s, KD_OP_or, failed, bad) : bad;
    }
    report_failure(s, op, failed);
}

void kd_simt_report(kd_simt *s, const kd_op *op)
{
    if (op->code == KD_OP_assert) {
        lower_assert(s, op);
        return;
    }
    for (unsigned i = 0; i < op->n_operands; i++)
        print_value(s, op, kd_op_operand(op, i));
    if (!op->n_operands)
        print_line(s, op, kd_simt_owner(s, kd_simt_layout(s, s->i32)), NULL, 0);
}
