/* convert.c - layout conversions: renamed registers where each lane has what it needs, shuffles where its sub-group has it (shuffle.c), SLM
 * for the rest (swizzle.c). */
#include "targets/gpu/lower.h"

#include "base/bug.h"

const kd_type *kd_simt_vector_type(kd_simt *s, const kd_type *elem, unsigned n)
{
    int64_t extent = n;
    return n == 1 ? elem : kd_type_tile(s->ctx, elem, 1, &extent);
}

kd_value *kd_simt_pack(kd_simt *s, kd_value *const *parts, unsigned n)
{
    return n == 1 ? parts[0] : kd_result(kd_simt_put(s, KD_OP_gpu_pack, kd_simt_vector_type(s, parts[0]->type, n), NULL, parts, n));
}

kd_value *kd_simt_pack_as(kd_simt *s, kd_value *const *parts, unsigned n_parts, const kd_type *elem, unsigned n)
{
    const kd_type *type = kd_simt_vector_type(s, elem, n);
    return n_parts == 1 && parts[0]->type == type ? parts[0]
                                                  : kd_result(kd_simt_put(s, KD_OP_gpu_pack, type, NULL, parts, n_parts));
}

void kd_simt_unpack(kd_simt *s, kd_value *vector, kd_value **out, unsigned n)
{
    if (n == 1) {
        out[0] = vector;
        return;
    }
    const kd_type *types[16] = {NULL};
    KD_ASSERT(n <= 16);
    for (unsigned i = 0; i < n; i++)
        types[i] = kd_type_elem(vector->type);
    kd_op *op = kd_build_op(&s->b, KD_OP_gpu_unpack, s->loc, &vector, 1, types, n, NULL);
    for (unsigned i = 0; i < n; i++)
        out[i] = kd_op_result(op, i);
}

kd_value *kd_simt_shuffle_xor(kd_simt *s, kd_value *v, uint32_t mask)
{
    kd_attr attrs[KD_MAX_ATTR_INFOS] = {{.as_kd_int = mask}};
    return mask ? kd_result(kd_simt_put(s, KD_OP_gpu_shuffle_xor, v->type, attrs, &v, 1)) : v;
}

kd_value *kd_simt_shuffle(kd_simt *s, kd_value *v, kd_value *lane)
{
    return kd_result(kd_simt_put(s, KD_OP_gpu_shuffle, v->type, NULL, (kd_value *[]){v, lane}, 2));
}

static kd_value **movable(kd_simt *s, kd_value *const *regs, unsigned n)
{
    kd_value **out = kd_simt_array(s, n);
    for (unsigned r = 0; r < n; r++)
        out[r] = r && regs[r] == regs[r - 1] ? out[r - 1] : kd_simt_to_movable(s, regs[r]);
    return out;
}

static void restore(kd_simt *s, const kd_type *elem, kd_value **regs, unsigned n)
{
    for (unsigned r = 0; r < n; r++)
        regs[r] = kd_simt_from_movable(s, regs[r], elem);
}

void kd_simt_convert(kd_simt *s, const kd_type *elem, const kd_layout *src, kd_value *const *src_regs, const kd_layout *dst,
                     kd_value **dst_regs)
{
    kd_layout_map map;
    src = kd_simt_full(s, src);
    dst = kd_simt_full(s, dst);
    unsigned n = kd_layout_n_registers(dst), n_src = kd_layout_n_registers(src);
    bool same = true;
    for (unsigned r = 1; r < n_src && same; r++)
        same = src_regs[r] == src_regs[0];
    if (same && kd_value_constant(src_regs[0], &(kd_number){0})) { /* it is the same everywhere */
        for (unsigned r = 0; r < n; r++)
            dst_regs[r] = src_regs[0];
        return;
    }
    bool complete = kd_layout_conversion(src, dst, &map);
    KD_ASSERT(complete);
    kd_movement movement = kd_layout_movement(&map);
    if (movement <= KD_MOVE_REGISTERS) {
        for (unsigned r = 0; r < n; r++) {
            unsigned from = 0;
            for (unsigned i = 0; i < map.n_bits[KD_REGISTER]; i++)
                from ^= r >> i & 1 ? map.basis[KD_REGISTER][i].to[KD_REGISTER] : 0;
            dst_regs[r] = src_regs[from];
        }
        return;
    }
    kd_value **moved = movable(s, src_regs, n_src);
    if (movement == KD_MOVE_LANES)
        kd_simt_convert_lanes(s, &map, src->n_bits[KD_REGISTER], moved, dst_regs);
    else
        kd_simt_through_slm(s, src, moved, dst, dst_regs);
    restore(s, elem, dst_regs, n);
}

void kd_simt_share(kd_simt *s, const kd_type *elem, const kd_layout *layout, kd_value **regs)
{
    uint32_t lanes = kd_layout_free_bits(layout, KD_LANE);
    unsigned n = kd_layout_n_registers(layout);
    bool plain = !kd_layout_free_bits(layout, KD_SUB_GROUP); /* copies are in registers and lanes, by zero vectors */
    for (unsigned in = KD_REGISTER; in <= KD_LANE; in++)
        for (unsigned i = 0; i < layout->n_bits[in]; i++)
            plain = plain && (!(kd_layout_free_bits(layout, (kd_layout_in)in) >> i & 1) || !layout->basis[in][i]);
    kd_value **moved = movable(s, regs, n);
    if (!plain) {
        kd_simt_through_slm(s, layout, moved, layout, regs);
    } else if (lanes) {
        kd_value *from =
            kd_simt_binary(s, KD_OP_and, s->lane_id, kd_simt_int(s, s->i32, ~(int64_t)lanes & (s->config->sub_group_size - 1)));
        for (unsigned r = 0; r < n; r++)
            regs[r] = kd_simt_shuffle(s, moved[r], from);
    } else {
        return;
    }
    restore(s, elem, regs, n);
}
