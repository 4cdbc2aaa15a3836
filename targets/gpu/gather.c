/* gather.c - elements picked by index, and counted: through SLM. */
#include "targets/gpu/lower.h"

#include "base/bits.h"
#include "base/bug.h"

typedef struct picked {
    const kd_type *src, *result;
    unsigned axis;
} picked;

/* The position in src of a result's element, at index 0 of the axis. */
static uint32_t line_in_src(const void *user, uint32_t position)
{
    const picked *p = user;
    uint32_t at = 0;
    for (unsigned i = 0; i < p->src->rank; i++)
        at = at * (uint32_t)p->src->shape[i] + (i == p->axis ? 0 : (uint32_t)kd_position_coord(p->result, position, i));
    return at;
}

/* An index outside the axis wraps around, as on the CPU. */
void kd_simt_gather(kd_simt *s, const kd_op *op)
{
    const kd_value *src = kd_gather_src(op), *result = kd_op_result(op, 0);
    picked p = {src->type, result->type, (unsigned)kd_gather_axis(op)};
    const kd_layout *from = kd_simt_layout(s, p.src), *to = kd_simt_layout(s, p.result);
    const kd_type *elem = kd_type_elem(p.src), *movable = kd_simt_movable_type(s, elem);
    kd_value *buffer = kd_simt_slm(s, movable, p.src->n_elems), *owner = kd_simt_owner(s, from);
    kd_value **values = kd_simt_regs(s, src), **index = kd_simt_regs_as(s, kd_gather_index(op), to);
    kd_value **out = kd_simt_array(s, kd_layout_n_registers(to));
    unsigned shift = 0;
    for (unsigned i = p.axis + 1; i < p.src->rank; i++)
        shift += kd_log2(p.src->shape[i]);
    for (unsigned r = 0; r < kd_layout_n_registers(from); r++)
        if (!(r & kd_layout_free_bits(from, KD_REGISTER)))
            kd_simt_slm_write(s, buffer, kd_simt_position(s, from, r), kd_simt_to_movable(s, values[r]), owner);
    for (unsigned r = 0; r < kd_layout_n_registers(to); r++) {
        kd_value *at =
            kd_simt_binary(s, KD_OP_and, kd_simt_cast(s, index[r], s->i32), kd_simt_int(s, s->i32, p.src->shape[p.axis] - 1));
        at = kd_simt_binary(s, KD_OP_shl, at, kd_simt_int(s, s->i32, shift));
        at = kd_simt_binary(s, KD_OP_add, at, kd_simt_mapped(s, to, r, line_in_src, &p));
        out[r] = kd_simt_from_movable(s, kd_simt_slm_read(s, buffer, at, movable), elem);
    }
    kd_simt_set(s, result, out);
}

/* Which elements count, and for which number. */
static kd_value *counted(kd_simt *s, kd_value *v, int64_t n, kd_value **number)
{
    kd_value *wide = kd_type_elem_bits(v->type) == 64 ? v : kd_simt_cast(s, v, s->i64);
    kd_value *inside = kd_simt_compare(s, KD_PRED_LT, wide, kd_simt_int(s, wide->type, n));
    if (!kd_scalar_is_unsigned(wide->type->scalar))
        inside = kd_simt_both(s, inside, kd_simt_compare(s, KD_PRED_GE, wide, kd_simt_int(s, wide->type, 0)));
    *number = kd_simt_select(s, inside, kd_simt_cast(s, v, s->i32), kd_simt_int(s, s->i32, 0));
    return inside;
}

void kd_simt_histogram(kd_simt *s, const kd_op *op)
{
    const kd_value *tile = kd_histogram_tile(op), *mask = kd_histogram_mask(op), *result = kd_op_result(op, 0);
    const kd_layout *from = kd_simt_layout(s, tile->type), *to = kd_simt_layout(s, result->type);
    int64_t n = result->type->n_elems;
    kd_value *buffer = kd_simt_slm(s, s->i32, n), *zero = kd_simt_int(s, s->i32, 0), *one = kd_simt_int(s, s->i32, 1);
    kd_value **values = kd_simt_regs(s, tile), **masks = mask ? kd_simt_regs_as(s, mask, from) : NULL;
    kd_value **out = kd_simt_array(s, kd_layout_n_registers(to)), *owner = kd_simt_owner(s, from);
    for (unsigned r = 0; r < kd_layout_n_registers(to); r++)
        if (!(r & kd_layout_free_bits(to, KD_REGISTER)))
            kd_simt_slm_write(s, buffer, kd_simt_position(s, to, r), zero, kd_simt_owner(s, to));
    for (unsigned r = 0; r < kd_layout_n_registers(from); r++) {
        kd_value *number = NULL;
        if (r & kd_layout_free_bits(from, KD_REGISTER))
            continue;
        kd_value *inside = kd_simt_both(s, counted(s, values[r], n, &number), kd_simt_both(s, masks ? masks[r] : NULL, owner));
        kd_build_gpu_slm_atomic(
            &s->b, (kd_gpu_slm_atomic_args){
                       .loc = s->loc, .buffer = buffer, .index = number, .value = one, .mask = inside, .kind = KD_ATOMIC_ADD});
    }
    for (unsigned r = 0; r < kd_layout_n_registers(to); r++)
        out[r] = kd_simt_slm_read(s, buffer, kd_simt_position(s, to, r), s->i32);
    kd_simt_set(s, result, out);
}
