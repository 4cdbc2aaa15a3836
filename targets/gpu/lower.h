/* lower.h - from tiles with layouts to one work-item: what the files of this folder share.
 *
 * A tile value becomes one scalar for each register of its layout, in register order; a scalar stays a scalar. Functions get the values of
 * the input (with layouts) and append scalar ops of the output at s->b. Control flow is uniform in a work-group, so code may use
 * sub-group ops and barriers anywhere.
 *
 *     simt.c     the walk over the ops, control flow      shape.c    ops that move nothing, or whole tiles
 *     scalar.c   one op on scalars, regions               place.c    lane and sub-group arithmetic, owners of copies
 *     memory.c   loads, stores, atomics: vectors, masks   convert.c, shuffle.c, swizzle.c   layout conversions
 *     fold.c, sort.c, gather.c                            ops across elements
 *     dot.c, dot_direct.c, dpas.c                         matrix products: through SLM, without it, on the systolic array
 *     block2d.c  rectangles of memory by messages          fold_packs.c   vectors stay vectors
 *     report.c   prints and asserts                        pass.c         all of it as a pass
 *     order.c, disjoint.c   barriers between accesses of global memory
 *     slm.c      places in SLM by liveness, barriers where a hazard needs one                                     */
#ifndef KD_TARGETS_GPU_LOWER_H
#define KD_TARGETS_GPU_LOWER_H

#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "ir/layout.h"
#include "passes/axis_info.h"
#include "targets/gpu/simt.h"

enum {
    KD_MAX_REGISTERS = 4096,     /* scalars of one tile in one work-item; more is an error that says what to change */
    KD_MAX_SIMT_OPS = 1 << 20,   /* of a kernel; likewise */
};

typedef struct kd_simt {
    kd_module *module;
    kd_context *ctx;
    kd_arena *arena; /* scratch */
    kd_diags *diags;
    const kd_gpu_config *config;
    const kd_axis_info *axis_info; /* of the input */
    kd_builder b;                  /* where ops go */
    kd_loc loc;                    /* of the op at work, for new ones */
    kd_map fenced;                 /* ops of the input that need a barrier of global memory before them; see order.c */
    kd_map regs;                   /* values of the input to arrays of scalars */
    bool failed;
    kd_value *lane_id, *sub_group_id; /* made at the function's start */
    kd_value *status;              /* the parameter for asserts, once one is met: ptr<u32> */
    kd_op *prologue_end;           /* what depends on lane and sub-group alone is made after it, once, at the function's start */
    kd_map made;                   /* constants and linear functions there, by what they are */
    unsigned n_made;               /* ops so far */
    KD_VEC(const char *) messages; /* of asserts */
    const kd_type *i1, *i32, *i64, *f32, *f64;
} kd_simt;

/* ---- values ---- */
/* The scalars of a value: n_registers of a tile's layout, one of a scalar. */
kd_value **kd_simt_regs(kd_simt *s, const kd_value *value);
unsigned kd_simt_n_regs(const kd_type *type);
void kd_simt_set(kd_simt *s, const kd_value *value, kd_value **regs);
/* The same elements as a layout of as many positions wants them; a scalar fits all. */
kd_value **kd_simt_regs_as(kd_simt *s, const kd_value *value, const kd_layout *layout);
/* Sets a value from registers that have its elements in some layout. */
void kd_simt_set_from(kd_simt *s, const kd_value *value, const kd_layout *layout, kd_value **regs);
kd_value **kd_simt_array(kd_simt *s, unsigned n);
/* The type's layout with as many lane and sub-group bits as the work-group has; of a scalar: copies everywhere. */
const kd_layout *kd_simt_layout(kd_simt *s, const kd_type *type);
const kd_layout *kd_simt_full(kd_simt *s, const kd_layout *layout);
unsigned kd_simt_lane_bits(const kd_simt *s);
unsigned kd_simt_sub_group_bits(const kd_simt *s);

/* ---- scalar code ---- */
/* An op as it is, at s->b and s->loc. */
kd_op *kd_simt_put(kd_simt *s, kd_opcode code, const kd_type *type, const kd_attr *attrs, kd_value *const *operands, unsigned n_operands);
/* An op with one result on scalars or vectors; attrs may be NULL. f16 and bf16 arithmetic is done in f32 and rounded, as on the CPU. */
kd_value *kd_simt_apply(kd_simt *s, kd_opcode code, const kd_type *type, const kd_attr *attrs, kd_value *const *operands, unsigned n_operands);
kd_value *kd_simt_binary(kd_simt *s, kd_opcode code, kd_value *a, kd_value *b);
kd_value *kd_simt_int(kd_simt *s, const kd_type *type, int64_t value);
kd_value *kd_simt_cast(kd_simt *s, kd_value *v, const kd_type *type);
kd_value *kd_simt_compare(kd_simt *s, kd_pred pred, kd_value *a, kd_value *b);
kd_value *kd_simt_select(kd_simt *s, kd_value *condition, kd_value *a, kd_value *b);
/* a and b, of which one may be NULL: true. */
kd_value *kd_simt_both(kd_simt *s, kd_value *a, kd_value *b);
/* A copy of a region of scalar ops (control flow included) with these arguments; out gets what it yields. */
void kd_simt_region(kd_simt *s, const kd_block *region, kd_value *const *args, kd_value **out);

/* ---- places ---- */
/* The row-major position of a register's element, i32: constant ^ bits of lane and sub-group, with few ops. */
kd_value *kd_simt_position(kd_simt *s, const kd_layout *layout, uint32_t reg);
/* Its coordinate along an axis. */
kd_value *kd_simt_coord(kd_simt *s, const kd_type *type, uint32_t reg, unsigned axis);
/* True (i1) in the one work-item of those that hold copies of the same elements; NULL: there are no copies among lanes and sub-groups. */
kd_value *kd_simt_owner(kd_simt *s, const kd_layout *layout);
/* A linear function of lane and sub-group bits: xor of images[] where the bits are set. */
kd_value *kd_simt_linear(kd_simt *s, const uint32_t *lane_images, unsigned n_lane_bits, const uint32_t *sub_group_images, unsigned n_sub_group_bits,
                         uint32_t constant);
/* The image of each position bit of a layout's basis under a linear map of positions, at the register's. */
kd_value *kd_simt_mapped(kd_simt *s, const kd_layout *layout, uint32_t reg, uint32_t (*map)(const void *user, uint32_t position), const void *user);

/* ---- moving ---- */
/* dst registers from src registers, both of elements of that type; within a sub-group by shuffles, across by SLM. */
void kd_simt_convert(kd_simt *s, const kd_type *elem, const kd_layout *src, kd_value *const *src_regs, const kd_layout *dst, kd_value **dst_regs);
/* The steps of kd_simt_convert. Layouts are full; owner may be NULL. */
void kd_simt_convert_lanes(kd_simt *s, const kd_layout_map *map, unsigned n_src_bits, kd_value *const *src, kd_value **dst);
void kd_simt_through_slm(kd_simt *s, const kd_layout *src, kd_value *const *src_regs, const kd_layout *dst, kd_value **dst_regs);
/* Vectors of scalars, and back. */
const kd_type *kd_simt_vector_type(kd_simt *s, const kd_type *elem, unsigned n); /* n 1: elem */
kd_value *kd_simt_pack(kd_simt *s, kd_value *const *parts, unsigned n);
void kd_simt_unpack(kd_simt *s, kd_value *vector, kd_value **out, unsigned n);
/* The bits of scalars one after the other, as a vector of n elements of another type (n 1: a scalar). */
kd_value *kd_simt_pack_as(kd_simt *s, kd_value *const *parts, unsigned n_parts, const kd_type *elem, unsigned n);
/* Where what was unpacked is packed again, the vector itself is taken (fold_packs.c). */
void kd_simt_fold_packs(kd_module *module, kd_op *func, kd_arena *arena);
/* The registers of all copies get what the owner (kd_simt_owner) has in its. */
void kd_simt_share(kd_simt *s, const kd_type *elem, const kd_layout *layout, kd_value **regs);
kd_value *kd_simt_shuffle_xor(kd_simt *s, kd_value *v, uint32_t mask);
kd_value *kd_simt_shuffle(kd_simt *s, kd_value *v, kd_value *lane);

/* ---- global memory ---- */
/* Fills s->fenced. */
void kd_simt_order(kd_simt *s, kd_op *func);
/* Whether accesses through a and b touch different bytes for certain: in the same round of all loops around both; or a in an earlier round of
 * the given one, all else alike. */
bool kd_simt_disjoint(const kd_value *a, const kd_value *b, const kd_op *loop);
/* Whether no two elements of a tile of pointers lead to one place, as far as its ranges tell: not so where indices come from memory. */
bool kd_simt_elements_apart(const kd_value *ptr);
bool kd_is_made_in(const kd_value *value, const kd_op *loop);

/* ---- SLM ---- */
kd_value *kd_simt_slm(kd_simt *s, const kd_type *elem, int64_t n_elems); /* a gpu.slm op; placed by slm.c */
/* Barriers are put by slm.c, between accesses that need one: lowering writes none for SLM. */
void kd_simt_slm_write(kd_simt *s, kd_value *buffer, kd_value *index, kd_value *value, kd_value *mask);
kd_value *kd_simt_slm_read(kd_simt *s, kd_value *buffer, kd_value *index, const kd_type *type);
/* A type that SLM and shuffles take: i1 as u8, pointers as u64. */
const kd_type *kd_simt_movable_type(kd_simt *s, const kd_type *elem);
kd_value *kd_simt_to_movable(kd_simt *s, kd_value *v);
kd_value *kd_simt_from_movable(kd_simt *s, kd_value *v, const kd_type *elem);
/* Places the buffers of a lowered function and puts the barriers. UINT64_MAX: absurd. */
uint64_t kd_slm_assign(kd_module *module, kd_op *func, kd_arena *arena);

/* ---- by kind of op: each sets the op's results ---- */
void kd_simt_ops(kd_simt *s, kd_block *block); /* all but the terminator */
bool kd_simt_shape(kd_simt *s, const kd_op *op); /* false: not one of its ops */
void kd_simt_load(kd_simt *s, const kd_op *op);
void kd_simt_block_load(kd_simt *s, const kd_op *op); /* a rectangle (select-rectangles) */
void kd_simt_block_store(kd_simt *s, const kd_op *op);
void kd_simt_prefetch(kd_simt *s, const kd_op *op);
void kd_simt_store(kd_simt *s, const kd_op *op);
void kd_simt_atomic(kd_simt *s, const kd_op *op); /* and atomic_cas */
void kd_simt_fold(kd_simt *s, const kd_op *op); /* reduce and scan */
void kd_simt_sort(kd_simt *s, const kd_op *op);
void kd_simt_gather(kd_simt *s, const kd_op *op);
void kd_simt_histogram(kd_simt *s, const kd_op *op);
bool kd_simt_dot_direct(kd_simt *s, const kd_op *op, const kd_type *elem); /* false: the layouts do not allow it */
kd_value *kd_simt_multiply_add(kd_simt *s, kd_value *a, kd_value *b, kd_value *sum);
bool kd_simt_dpas(kd_simt *s, const kd_op *op); /* a dot on the systolic array; false: it does not take it */
void kd_simt_dot(kd_simt *s, const kd_op *op); /* by FMA; dpas.c where the layouts are the systolic array's */
void kd_simt_report(kd_simt *s, const kd_op *op); /* print, assert */

#endif
