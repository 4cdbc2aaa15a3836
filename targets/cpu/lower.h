/* lower.h - from kd ops on whole tiles to loops over vectors: what the files of this folder share.
 *
 * A tile value is either *kept* (it lives in a buffer in scratch memory) or *recomputed*: evaluated at an index wherever it is read. plan.c
 * decides. Ops that must run at their place (a kept value to be written, a store, a reduction) are *actions*; an action is a loop nest
 * over its index space whose body evaluates the operand tree at the loops' index. Adjacent actions over one space share a nest (group.c).
 *
 *     group.c   actions, and nests for groups of them       nest.c    loops, and ops at the right depth of them
 *     eval.c    a tile's value at an index                  apply.c   one elementwise op on scalars, vectors and affine lanes
 *     index.c   indices through reshapes                    alias.c   which memory accesses may meet
 *     reduce.c, scan.c, dot.c, sort.c ...  ops with loops of their own */
#ifndef KD_TARGETS_CPU_LOWER_H
#define KD_TARGETS_CPU_LOWER_H

#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "targets/codegen.h"
#include "targets/expand_math.h"
#include "targets/llvm/emit.h"

enum { KD_MAX_DEPTH = KD_MAX_RANK + 4 };

/* One block of the output, and the loops that are open in it. */
typedef struct kd_nest {
    struct kd_lower *l;
    unsigned depth;                    /* open loops */
    kd_builder at[KD_MAX_DEPTH];       /* where ops go that depend on the first d loops */
    kd_op *loops[KD_MAX_DEPTH];        /* loops[d] is open between depth d and d + 1 */
    unsigned scopes[KD_MAX_DEPTH];     /* a number for each loop body: what was computed in a closed one is gone */
    unsigned width;                    /* lanes of vectors; 1: everything is a scalar */
    kd_loc loc;                        /* for new ops */
    kd_map known;                      /* values at indices, and ops by their text: nothing is computed twice */
} kd_nest;

/* What the lowering knows of a tile value of the input. */
typedef struct kd_tile {
    bool keep;          /* lives in a buffer */
    bool pending;       /* its action waits in a group */
    kd_value *buffer;   /* once it has one */
    kd_op *reader;      /* the one action that reads it; NULL: none yet, or several */
    const void *path;   /* the index map by which the reader reaches it; readers over several maps count as several */
    bool many;          /* several readers */
    bool repeated;      /* each element may be read more than once by the reader */
    unsigned cost;      /* of evaluating one element */
    unsigned height;    /* of the tree that would be recomputed */
    unsigned last_read; /* the latest position at which it is evaluated */
} kd_tile;

typedef struct kd_action {
    kd_op *op;       /* the store, reduction ..., or NULL: keep a value */
    kd_value *value; /* the tile to keep */
    kd_value *buffer;
} kd_action;

typedef struct kd_lower {
    kd_module *module;
    kd_context *ctx;
    kd_arena *arena; /* scratch */
    kd_diags *diags;
    const kd_machine *machine;
    bool fuse, disjoint;
    unsigned lanes;      /* of f32 in a vector */
    bool failed;
    kd_map scalars;      /* scalars of the input to those of the output */
    kd_map tiles;        /* tile values of the input to kd_tile */
    KD_VEC(kd_action) group; /* actions over one space that wait */
    KD_VEC(kd_tile *) kept; /* values that got their buffers in the blocks at work, which go with the blocks */
    KD_VEC(kd_op *) group_reads; /* loads in their trees */
    KD_VEC(kd_op *) writes; /* all ops of the input that write memory, by position */
    unsigned *ends;      /* by position of an op: the last position inside it */
    unsigned n_scopes, n_positions;
    kd_nest *nest;       /* of the block at work */
    kd_op *func;
    const kd_type *i1, *i32, *i64, *f32, *f64;
} kd_lower;

/* ---- lower.c ---- */
/* Rewrites a kernel to the cpu level. False: reported. */
bool kd_lower_to_loops(kd_module *module, kd_op *func, const kd_machine *machine, const kd_codegen_options *options, kd_diags *diags,
                       kd_arena *arena);
kd_tile *kd_lower_tile(kd_lower *l, const kd_value *value);
kd_value *kd_lower_scalar(kd_lower *l, const kd_value *value); /* NULL: not there yet */
void kd_lower_set_scalar(kd_lower *l, const kd_value *value, kd_value *now);
kd_value *kd_lower_new_buffer(kd_lower *l, const kd_type *tile);

/* Lowers the ops of a block at the nest's place; the terminator is left to the caller. */
void kd_lower_ops(kd_lower *l, kd_block *block);
void kd_lower_control(kd_lower *l, kd_op *op); /* control.c: for, while, if */

/* ---- induction.c ---- */
void kd_lower_induction(kd_lower *l, kd_block *block);

/* ---- orient.c, transpose.c ---- */
/* Turns memory accesses so that consecutive addresses lie along the last axis. */
void kd_lower_orient(kd_lower *l, kd_op *func);
/* Whether a value is a permute that a vector loop would gather for; such are kept, and made by kd_lower_transpose. */
bool kd_lower_is_transpose(kd_lower *l, const kd_value *value);
void kd_lower_transpose(kd_lower *l, kd_value *value, kd_value *buffer);

/* ---- plan.c ---- */
void kd_lower_plan(kd_lower *l, kd_op *func);
bool kd_lower_is_action(const kd_op *op); /* runs at its place, in loops of its own, whatever the plan */

/* ---- alias.c ---- */
/* Whether two accesses (loads, stores, atomics) may touch the same memory, other than element on same element at one index. */
bool kd_lower_may_meet(const kd_lower *l, const kd_op *a, const kd_op *b);
/* Whether memory that a load reads may change between two positions (first exclusive, last inclusive). */
bool kd_lower_may_change(const kd_lower *l, const kd_op *load, unsigned first, unsigned last);

/* ---- nest.c ---- */
kd_nest *kd_nest_create(kd_lower *l, kd_block *block);
/* An op whose operands are all there at a depth; made once for the same operands, if it is pure. */
kd_value *kd_nest_put(kd_nest *n, unsigned depth, kd_opcode code, const kd_type *type, kd_value *const *operands, unsigned n_operands,
                      const kd_attr *attrs);
kd_op *kd_nest_put_op(kd_nest *n, unsigned depth, kd_opcode code, kd_value *const *operands, unsigned n_operands, const kd_attr *attrs);
kd_value *kd_nest_int(kd_nest *n, const kd_type *type, int64_t value);
kd_value *kd_nest_float(kd_nest *n, const kd_type *type, double value);
/* A loop from 0 to extent in steps at the innermost place; *carried become its region's arguments. Returns the counter, i64. */
kd_value *kd_nest_open(kd_nest *n, int64_t extent, int64_t step, kd_value **carried, unsigned n_carried);
/* Closes the innermost loop; *carried become its results. */
void kd_nest_close(kd_nest *n, kd_value **carried, unsigned n_carried);
/* What is known by a key; *found tells. kd_nest_learn adds. */
bool kd_nest_recall(kd_nest *n, kd_str key, kd_lanes *out);
void kd_nest_learn(kd_nest *n, kd_str key, kd_lanes value);

/* ---- apply.c ---- */
kd_lanes kd_lanes_uniform(kd_value *scalar, unsigned depth);
const kd_type *kd_nest_vector_type(kd_nest *n, const kd_type *elem); /* elem itself at width 1 */
kd_value *kd_lanes_vector(kd_nest *n, kd_lanes a); /* at width 1: the scalar */
/* One elementwise op (not a memory access) on operands at an index. */
kd_lanes kd_nest_apply(kd_nest *n, kd_opcode code, const kd_type *elem, const kd_attr *attrs, const kd_lanes *operands, unsigned n_operands);
kd_lanes kd_nest_binary(kd_nest *n, kd_opcode code, kd_lanes a, kd_lanes b);
kd_lanes kd_nest_const(kd_nest *n, const kd_type *elem, int64_t value);
kd_lanes kd_nest_cast(kd_nest *n, kd_lanes a, const kd_type *elem);
/* The results of a region of scalar ops. False: it has control flow inside (only width 1 can run it: kd_nest_inline_region). */
bool kd_region_is_straight(const kd_block *region);
void kd_nest_apply_region(kd_nest *n, const kd_block *region, const kd_lanes *args, kd_lanes *out);

/* ---- lower_exp.c ---- */
/* exp(x), or 2^x, of f32. */
kd_lanes kd_lower_exp(kd_nest *n, kd_lanes x, bool base_two);

/* ---- index.c ---- */
/* The index in the shape 'to' of the element that has idx in the shape 'from'; both have equally many elements, row-major. */
void kd_index_reshape(kd_nest *n, const kd_type *from, const kd_lanes *idx, const kd_type *to, kd_lanes *out);
kd_lanes kd_index_flat(kd_nest *n, const kd_type *type, const kd_lanes *idx); /* i64 position */

/* ---- eval.c ---- */
kd_lanes kd_nest_eval(kd_nest *n, kd_value *value, const kd_lanes *idx);
kd_lanes kd_nest_read(kd_nest *n, kd_value *buffer, const kd_type *tile, const kd_lanes *idx);
void kd_nest_write(kd_nest *n, kd_value *buffer, const kd_type *tile, const kd_lanes *idx, kd_lanes value);

/* ---- space.c ---- */
enum { KD_ANY_ORDER = -1, KD_LAST_AXIS_WHOLE = -2 };
/* The loops over a shape: outer to inner; the last one runs over vectors. */
typedef struct kd_space {
    const kd_type *shape;
    unsigned order[KD_MAX_RANK], n_loops; /* axes with more than one element, outer to inner */
    unsigned n_flat;                      /* how many of the last axes form one loop */
    unsigned width, unroll;               /* lanes; vectors in one round of the last loop */
    int inner_axis;                       /* an axis that is looped over inside the vector loop, or -1 */
} kd_space;
/* scalar: without vectors. inner_axis: see above, or KD_ANY_ORDER, or KD_LAST_AXIS_WHOLE: do not merge axes. */
kd_space kd_space_of(kd_lower *l, const kd_type *shape, bool scalar, int inner_axis);
int64_t kd_space_last_extent(const kd_space *s);
typedef struct kd_open_space {
    unsigned n_outer; /* loops opened around the inner one */
    bool inner_opened;
    kd_lanes idx[4][KD_MAX_RANK]; /* one for each vector of a round */
} kd_open_space;
/* Opens all loops but the innermost, then that one; sets the nest's width. The caller closes them. */
void kd_space_open_outer(kd_nest *n, const kd_space *s, kd_open_space *o);
void kd_space_open_inner(kd_nest *n, const kd_space *s, kd_open_space *o, kd_value **carried, unsigned n_carried);
/* Runs body at every index of a space. */
void kd_space_run(kd_nest *n, const kd_space *s, void (*body)(kd_nest *n, const kd_lanes *idx, void *user), void *user);

/* ---- group.c ---- */
void kd_group_add(kd_lower *l, kd_action action); /* emits what waits, if it can not share the nest */
void kd_group_flush(kd_lower *l);
/* Whether something that waits must run before this op, of which scalars are read. */
bool kd_group_blocks(kd_lower *l, const kd_op *op);
/* Makes the value live in a buffer, now. */
kd_value *kd_lower_keep(kd_lower *l, kd_value *value);

/* ---- reduce.c: folds that may run in any order, as parts of a group ---- */
bool kd_reduce_is_simple(const kd_op *op); /* else kd_lower_scan does it, in order */
kd_value *kd_reduce_init(kd_nest *n, const kd_op *op, unsigned operand); /* a vector that changes nothing */
kd_value *kd_reduce_step(kd_nest *n, const kd_op *op, unsigned operand, kd_value *acc, const kd_lanes *idx);
/* across_lanes: each lane belongs to a result of its own. idx: unroll indices, whatever they hold for the reduced axis. */
void kd_reduce_finish(kd_nest *n, const kd_op *op, unsigned operand, kd_value **accs, unsigned unroll, bool lanes_apart,
                      kd_lanes (*idx)[KD_MAX_RANK]);

/* ---- scan.c, dot.c, collect.c: nests of their own ---- */
void kd_lower_scan(kd_lower *l, kd_op *op);
void kd_lower_dot(kd_lower *l, kd_op *op);
void kd_lower_sort(kd_lower *l, kd_op *op);
void kd_lower_histogram(kd_lower *l, kd_op *op);
void kd_lower_map(kd_lower *l, kd_op *op);
void kd_lower_atomic(kd_lower *l, kd_op *op); /* of tiles */
void kd_lower_report(kd_lower *l, kd_op *op);

/* ---- scratch.c ---- */
/* Places buffers in the scratch memory by the time they are in use. Returns its size, or UINT64_MAX: absurd. */
uint64_t kd_scratch_assign(kd_op *func, kd_arena *arena);

#endif
