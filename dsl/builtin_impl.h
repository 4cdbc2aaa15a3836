/* builtin_impl.h - between the files that make up the builtins. */
#ifndef KD_DSL_BUILTIN_IMPL_H
#define KD_DSL_BUILTIN_IMPL_H

#include "dsl/promote_impl.h"

enum { KD_MAX_BUILTIN_PARAMS = 20 };

/* A call with its arguments bound to the parameters of the row. */
typedef struct kd_bcall {
    kd_loc loc;
    const struct kd_builtin *row;
    const char *name; /* as messages say it: "tl.load" */
    kd_dval arg[KD_MAX_BUILTIN_PARAMS]; /* defaults filled in */
    kd_loc at[KD_MAX_BUILTIN_PARAMS];   /* of the argument, or of the call */
    const kd_darg *rest; /* what '*' took */
    unsigned n_rest;
} kd_bcall;

typedef kd_dval kd_builtin_handler(kd_lower *lw, kd_bcall *c);

typedef enum kd_builtin_kind {
    KD_ROW_FUNCTION,
    KD_ROW_PROPERTY,  /* the handler's result at once: x.shape */
    KD_ROW_STD,       /* a function of std/ */
    KD_ROW_NAMESPACE, /* target: its name */
    KD_ROW_INT,       /* a constant */
    KD_ROW_FLOAT,
    KD_ROW_TYPE,
} kd_builtin_kind;

typedef struct kd_builtin {
    kd_builtin_kind kind;
    const char *space, *name, *params;
    kd_builtin_handler *handler;
    int data;            /* tells rows of one handler apart */
    double number;       /* INT, FLOAT */
    const char *target;  /* STD: the module; NAMESPACE */
    const char *summary;
} kd_builtin;

/* Functions of Python's math that share a handler. */
enum {
    KD_PY_sqrt, KD_PY_exp, KD_PY_exp2, KD_PY_log, KD_PY_log2, KD_PY_log10, KD_PY_log1p, KD_PY_expm1, KD_PY_sin, KD_PY_cos, KD_PY_tan,
    KD_PY_asin, KD_PY_acos, KD_PY_atan, KD_PY_sinh, KD_PY_cosh, KD_PY_tanh, KD_PY_floor, KD_PY_ceil, KD_PY_trunc, KD_PY_fabs, KD_PY_erf,
    KD_PY_isnan, KD_PY_isinf, KD_PY_isfinite,
};

/* With the function of kd.math in the data of tl.sqrt_rn. */
enum { KD_B_EXACT = 1 << 16 };

extern const kd_builtin kd_builtins[];
extern const unsigned kd_n_builtins;

#define KD_BUILTIN(space, name, params, handler, data, summary) kd_builtin_handler kd_b_##handler;
#define KD_PROPERTY(space, name, handler, data, summary)        kd_builtin_handler kd_b_##handler;
#include "dsl/builtins.def"

/* ---- reading arguments; false (or an error value): reported ---- */

bool kd_arg_int(kd_lower *lw, const kd_bcall *c, unsigned i, int64_t *out);
bool kd_arg_bool(kd_lower *lw, const kd_bcall *c, unsigned i, bool *out);
bool kd_arg_text(kd_lower *lw, const kd_bcall *c, unsigned i, kd_str *out); /* None is empty */
bool kd_arg_type(kd_lower *lw, const kd_bcall *c, unsigned i, const kd_type **out);
/* A tensor; numbers become one. */
bool kd_arg_tensor(kd_lower *lw, const kd_bcall *c, unsigned i, kd_value **out);
/* An axis of a value of that rank, negative ones counted from the end. */
bool kd_arg_axis(kd_lower *lw, const kd_bcall *c, unsigned i, unsigned rank, unsigned *out);
/* Compile-time integers: one, a tuple, or the rest of the call's positional arguments where it has some. */
bool kd_arg_ints(kd_lower *lw, const kd_bcall *c, unsigned i, const char *what, int64_t *out, unsigned max, unsigned *out_n);
/* The same of the arguments that '*' took: x.reshape(2, 4) or x.reshape((2, 4)). */
bool kd_rest_ints(kd_lower *lw, const kd_bcall *c, const char *what, int64_t *out, unsigned max, unsigned *out_n);
/* Reports that argument i is not what was expected. */
void kd_arg_bad(kd_lower *lw, const kd_bcall *c, unsigned i, const char *expected);
/* The name of parameter i. */
kd_str kd_param_name(const kd_bcall *c, unsigned i);

static inline bool kd_arg_given(const kd_bcall *c, unsigned i)
{
    return c->arg[i].kind != KD_D_NONE;
}

/* ---- shared by handlers ---- */

kd_value *kd_value_permute(kd_lower *lw, kd_loc loc, kd_value *v, const int64_t *order);
kd_value *kd_value_math(kd_lower *lw, kd_loc loc, kd_math fn, kd_value *v);
/* [0, 1, ..., n-1] along one axis of a shape, i32. */
kd_value *kd_value_iota(kd_lower *lw, kd_loc loc, unsigned rank, const int64_t *shape, unsigned axis);
/* The shape of a tile as a tuple of ints. */
kd_dval kd_d_shape(kd_lower *lw, const kd_type *type);
/* A block of a block pointer or descriptor. offsets: of rank values. */
kd_dval kd_block_read(kd_lower *lw, kd_loc loc, const kd_dblock *block, kd_value *const *offsets, kd_ints check, kd_padding padding,
                      kd_cache cache, kd_evict evict);
kd_dval kd_block_write(kd_lower *lw, kd_loc loc, const kd_dblock *block, kd_value *const *offsets, kd_ints check, kd_value *value, kd_cache cache,
                       kd_evict evict);
bool kd_arg_cache(kd_lower *lw, const kd_bcall *c, unsigned i, kd_cache *out);
bool kd_arg_evict(kd_lower *lw, const kd_bcall *c, unsigned i, kd_evict *out);
/* old = op(*ptr, value) with the types in order; mask may be NULL. */
kd_value *kd_value_atomic(kd_lower *lw, kd_loc loc, kd_atomic_op kind, kd_value *ptr, kd_value *value, kd_value *mask, kd_mem_order order,
                          kd_mem_scope scope);

#define KD_BUILD(op, ...) kd_result(kd_build_##op(&lw->b, (kd_##op##_args){__VA_ARGS__}))

#endif
