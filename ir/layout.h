/* layout.h - which work-item holds which element of a tile, in which of its registers.
 *
 * A layout is a linear map over GF(2): from the bits of (register, lane, sub-group) to the bits of an element's row-major position in the
 * tile. It is stored as one image (basis vector) an input bit, so position(a ^ b) = position(a) ^ position(b). Extents are powers of two,
 * so an axis of a tile is a range of bits of the position, the last axis the lowest ones:
 *
 *     tile<8x16xf32>, 2 registers, 16 lanes, 4 sub-groups:  reg: 1   lane: 2 4 16 32   sub_group: 8 64
 *
 * says that register bit 0 is column bit 0, lanes 0..3 go along the columns, 4..15 along the rows, and so on. A zero basis vector means
 * copies: both inputs hold the same element. A layout is *complete* where every element has a place. Reshaping a tile row-major leaves its
 * layout as it is; permuting axes permutes bits. Layouts are uniqued in a context: equal layouts are the same pointer.
 * Source: Triton's linear layouts (include/triton/Tools/LinearLayout.h), with positions in place of coordinates. */
#ifndef KD_IR_LAYOUT_H
#define KD_IR_LAYOUT_H

#include "ir/type.h"

typedef enum kd_layout_in { KD_REGISTER, KD_LANE, KD_SUB_GROUP, KD_N_LAYOUT_INS } kd_layout_in;

enum { KD_MAX_LAYOUT_BITS = 20 }; /* of one input, and of a position: KD_MAX_TILE_ELEMS */

struct kd_layout {
    uint8_t n_bits[KD_N_LAYOUT_INS]; /* of each input */
    uint8_t n_out_bits;              /* of a position: log2 of the tile's elements */
    uint32_t basis[KD_N_LAYOUT_INS][KD_MAX_LAYOUT_BITS];
    bool is_complete;
    const char *text; /* as it is printed in a type: "r:1|l:2,4,16,32|s:8,64"; inputs without bits are left out ("r:" if all are) */
};

/* ---- making ---- */

/* The uniqued layout of these bits; is_complete and text are ignored. */
const kd_layout *kd_layout_intern(kd_context *ctx, const kd_layout *proto);
/* Reads the text form; advances *text. NULL: not a layout of that many position bits. */
const kd_layout *kd_layout_parse(kd_context *ctx, kd_str *text, unsigned n_out_bits);

/* How a blocked layout is built, axis by axis (Triton's BlockedEncoding). order: fastest axis first. Each work-item holds
 * regs[axis] consecutive elements (fewer where the axis is shorter), a sub-group lanes[axis] of these blocks, the work-group
 * sub_groups[axis] of those; all powers of two. What is left of the tile repeats in registers; lanes and sub-groups for which the tile is
 * too small hold copies. */
typedef struct kd_blocked_spec {
    unsigned order[KD_MAX_RANK];
    uint32_t regs[KD_MAX_RANK], lanes[KD_MAX_RANK], sub_groups[KD_MAX_RANK];
} kd_blocked_spec;
const kd_layout *kd_layout_blocked(kd_context *ctx, const kd_type *shape_of, const kd_blocked_spec *spec);
/* The usual one: a vector of registers along the fastest axes (the elements of order[0] first, then those of order[1], ...), then lanes,
 * then sub-groups, then registers again, so that a sub-group's accesses are coalesced. vector, n_lanes, n_sub_groups: powers of two. */
const kd_layout *kd_layout_coalesced(kd_context *ctx, const kd_type *shape_of, const unsigned *order, unsigned vector, unsigned n_lanes,
                                     unsigned n_sub_groups);

/* ---- shapes: how the layout of an operand and of a result belong together ---- */

/* Of the tile whose axis i is axis order[i] of the operand. */
const kd_layout *kd_layout_permute(kd_context *ctx, const kd_layout *layout, const kd_type *operand, const int64_t *order);
/* Of a tile that lost an axis (a reduction's result): that axis's bits of every basis vector are dropped, and then registers that hold copies.
 * Where the tile gains an axis of extent 1 there (kd.reshape), the layout stays as it is; see kd_layout_for_broadcast for stretching it. */
const kd_layout *kd_layout_slice(kd_context *ctx, const kd_layout *layout, const kd_type *operand, unsigned axis);
/* For %r = kd.broadcast %t: the layout of t that needs no data movement when r has this layout; without register copies. */
const kd_layout *kd_layout_for_broadcast(kd_context *ctx, const kd_layout *result_layout, const kd_type *result, const kd_type *operand);
/* For %r = kd.join %a, %b: the layout of r when a and b have this one: register bit 0 says which of them. NULL: joined scalars. kd.split
 * needs its operand in such a layout. */
const kd_layout *kd_layout_join(kd_context *ctx, const kd_layout *layout);
/* Without register bits that only make copies within a work-item. */
const kd_layout *kd_layout_without_register_copies(kd_context *ctx, const kd_layout *layout);

/* ---- asking ---- */

static inline unsigned kd_layout_n_registers(const kd_layout *l)
{
    return 1u << l->n_bits[KD_REGISTER];
}
uint32_t kd_layout_position(const kd_layout *l, uint32_t reg, uint32_t lane, uint32_t sub_group);
/* The coordinate of a position along an axis. */
int64_t kd_position_coord(const kd_type *shape, uint32_t position, unsigned axis);
/* How many consecutive registers, from any multiple of that number on, hold consecutive elements along the axis, in order. */
unsigned kd_layout_n_consecutive(const kd_layout *l, const kd_type *shape, unsigned axis);
/* Bits of an input that only make copies: a mask of them. Places in which the free bits of all inputs are 0 hold every element of a complete
 * layout once. A basis vector that depends on others counts, not only a zero one: registers are kept first, then lanes. */
uint32_t kd_layout_free_bits(const kd_layout *l, kd_layout_in in);

/* ---- algebra ---- */

/* For each place (register, lane, sub-group) of dst: a place of src that holds the same element, as a linear map; prefers the same
 * sub-group, then the same lane, then the same register. False: src lacks elements. */
typedef struct kd_layout_map {
    uint8_t n_bits[KD_N_LAYOUT_INS]; /* of dst's inputs */
    struct {
        uint32_t to[KD_N_LAYOUT_INS]; /* what the input bit contributes to src's register, lane and sub-group */
    } basis[KD_N_LAYOUT_INS][KD_MAX_LAYOUT_BITS];
} kd_layout_map;
bool kd_layout_conversion(const kd_layout *src, const kd_layout *dst, kd_layout_map *out);
/* Where the place (at[KD_REGISTER], at[KD_LANE], at[KD_SUB_GROUP]) is taken from. */
void kd_layout_map_apply(const kd_layout_map *map, const uint32_t at[KD_N_LAYOUT_INS], uint32_t out[KD_N_LAYOUT_INS]);

/* What a conversion needs.
 *   NOTHING      register r is register r
 *   REGISTERS    each work-item takes its registers from its own ones, and all of them the same way: values are renamed
 *   LANES        elements come from the same sub-group: shuffles, or a choice among own registers that depends on lane or sub-group
 *   SUB_GROUPS   they come from others, through SLM */
typedef enum kd_movement { KD_MOVE_NOTHING, KD_MOVE_REGISTERS, KD_MOVE_LANES, KD_MOVE_SUB_GROUPS } kd_movement;
kd_movement kd_layout_movement(const kd_layout_map *map);

/* ---- for people ---- */

/* What each bit does, and a table: the element's place "sub-group:lane.register" (the first of copies) at each row and column of a tile of
 * rank 1 or 2 (leading axes: index 0). Large tiles are cut. */
void kd_layout_print(const kd_layout *l, const kd_type *shape, kd_strbuf *out);
/* The same as a picture, an <svg> whose upper edge is at y: a hue a sub-group, a shade a lane, lane.register as text. Returns its height. */
unsigned kd_layout_svg(const kd_layout *l, const kd_type *shape, unsigned y, kd_strbuf *out);

#endif
