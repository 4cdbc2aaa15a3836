/* dsl_impl.h - between the files of dsl/: what an expression of a kernel is while the kernel is turned into IR.
 *
 * Lowering interprets the syntax tree once per instance of a function (a function with the types and compile-time values of its
 * arguments). Expressions evaluate to a kd_dval: a compile-time Python value, or a tensor, which is an IR value.
 *
 *   a compilation
 *     kdsl.c              the public interface            job.c          one compilation from end to end      key.c    its key in a cache
 *     inspect.c           what a file offers              check*.c       names and calls without a signature
 *     signature.c         the text of a signature -> argument types and values
 *     signature_defaults.c  what a signature leaves out: heuristics, defaults
 *     header.c            a C header for an object        codegen_open.c the library that generates code, opened when needed
 *     command_line_eval.c expressions of a command line
 *   names and statements
 *     module.c            the top level of files, imports, constants: evaluated when asked for
 *     scope.c             names of a function             class.c        aggregates and named tuples
 *     lower.c             kernels; limits                 call.c         calls, binding of arguments, instances of helpers
 *     stmt.c, flow.c, loop.c  statements; 'if' and early returns; loops
 *   values
 *     expr.c              expressions                     value.c        values made of other values
 *     constant.c          Python's arithmetic             text.c, format.c  values as text
 *     promote.c           Triton's promotion rules, element-wise operators on tensors
 *     cast.c              casts, literals, broadcasts
 *   the library
 *     builtins*.def       one row a builtin: name, parameters, handler
 *     builtin.c           looking them up, calling them   builtin_args.c what handlers read from their arguments
 *     builtin_*.c         the handlers                    std/           library functions in the language itself
 */
#ifndef KD_DSL_DSL_IMPL_H
#define KD_DSL_DSL_IMPL_H

#include "base/diag.h"
#include "base/map.h"
#include "base/vec.h"
#include "ir/builder.h"
#include "parser/parser.h"
#include "parser/resolve.h"

typedef struct kd_dval kd_dval;
typedef struct kd_lower kd_lower;
typedef struct kd_scope kd_scope;
typedef struct kd_dmodule kd_dmodule;

typedef enum kd_dkind {
    KD_D_ERROR,     /* reported; every use of it stays quiet */
    KD_D_NONE,
    KD_D_BOOL,      /* integer: 0 or 1 */
    KD_D_INT,       /* integer: exact; results beyond 128 bits are reported */
    KD_D_FLOAT,     /* real */
    KD_D_STRING,    /* text */
    KD_D_DTYPE,     /* type: a scalar, pointer or tile type ('tl.float32', 'x.dtype', 'ptr.dtype.element_ty') */
    KD_D_TUPLE,     /* items; names where it is a named tuple or an object of an aggregate class, which 'class_' tells */
    KD_D_FUNCTION,  /* function and the module it stands in; 'self' where it is a bound method of an aggregate */
    KD_D_BUILTIN,   /* builtin; 'self' where it is a method: x.to */
    KD_D_MODULE,    /* a file or a built-in namespace (tl, tl.math, libdevice, math ...) */
    KD_D_CLASS,     /* an aggregate class */
    KD_D_TENSOR,    /* value: a scalar or tile known at run time; named where it helps messages */
    KD_D_BLOCK_PTR, /* block: tl.make_block_ptr */
    KD_D_DESC,      /* block: tl.make_tensor_descriptor, or a tensordesc argument */
    KD_D_RANGE,     /* range: what 'for' goes over */
    KD_D_SLICE,     /* tuple: start, stop, step, each None where left out; only as an item of a subscript */
    KD_D_UNKNOWN,   /* a name of the file whose value only Python knows; text says why. An error where it is needed */
} kd_dkind;

/* A strided tensor in memory, and the block of it that a pointer or descriptor means. All parts but the block's shape are run-time scalars. */
typedef struct kd_dblock {
    const kd_type *elem;
    kd_value *base;
    unsigned rank;              /* of the tensor */
    kd_value **shape, **strides; /* i64 */
    kd_value **offsets;          /* block pointers: i64 (advance adds to them); descriptors: NULL */
    const int64_t *block_shape; /* rank extents */
    kd_ints order;
    kd_padding padding; /* descriptors */
} kd_dblock;

/* range(..), tl.range(..), tl.static_range(..). */
typedef struct kd_drange kd_drange;

struct kd_dval {
    kd_dkind kind;
    kd_loc loc; /* where it came from, for notes; may be none */
    union {
        __int128 integer;
        double real;
        kd_str text;
        const kd_type *type;
        kd_value *value;
        kd_dblock *block;
        const kd_drange *range;
        struct {
            const kd_dval *items;
            const kd_str *names; /* NULL: a plain tuple */
            const kd_class *class_;
            unsigned n;
        } tuple;
        struct {
            const kd_function *function;
            kd_dmodule *module;
            kd_scope *closure; /* a def or lambda inside a function, else NULL */
            const kd_dval *self;
            bool is_python; /* a function of the host language: only compile-time values go through it, and stay such */
        } fn;
        struct {
            const struct kd_builtin *builtin;
            const kd_dval *self;
        } bound;
        struct {
            kd_dmodule *module;     /* a file */
            const char *namespace_; /* or a built-in namespace, see builtins.def */
        } mod;
        struct {
            const kd_class *class_;
            kd_dmodule *module;
        } cls;
    };
};

struct kd_drange {
    kd_dval start, stop, step; /* tensors (scalar integers) or compile-time integers; of a static one always the latter */
    bool is_static;            /* unrolled, with a compile-time variable */
    unsigned num_stages, unroll; /* hints; 0: not given */
};

/* One argument of a call as it was written. */
typedef struct kd_darg {
    kd_str keyword; /* empty: by position */
    kd_dval value;
    kd_loc loc;
} kd_darg;

/* ---- the state of one lowering ---- */

struct kd_lower {
    kd_arena *arena; /* lives as long as the compilation */
    kd_diags *diags;
    kd_context *ctx;
    kd_module *module;
    kd_resolver *resolver;
    kd_builder b; /* where the next op goes */
    kd_scope *scope;
    unsigned num_warps, num_stages;
    bool debug; /* device_assert and assert check */
    unsigned call_depth;
    uint64_t steps; /* statements and expressions evaluated so far: a limit stops runaway compile-time loops */
    kd_map instances;
    kd_map modules;
    kd_strbuf *static_prints; /* what static_print wrote */
    bool stopped;             /* a limit was passed and reported: everything fails quietly from now on */
    const char *stack_start;  /* the entry's frame: how much of the C stack is used */
    unsigned n_regions_made;  /* loops and ifs, for the limit on the size of the result */
};

#define KD_D_ERR ((kd_dval){.kind = KD_D_ERROR})

/* ---- making values ---- */

static inline kd_dval kd_d_none(void) { return (kd_dval){.kind = KD_D_NONE}; }
static inline kd_dval kd_d_bool(bool v) { return (kd_dval){.kind = KD_D_BOOL, .integer = v}; }
static inline kd_dval kd_d_int(__int128 v) { return (kd_dval){.kind = KD_D_INT, .integer = v}; }
static inline kd_dval kd_d_float(double v) { return (kd_dval){.kind = KD_D_FLOAT, .real = v}; }
static inline kd_dval kd_d_string(kd_str v) { return (kd_dval){.kind = KD_D_STRING, .text = v}; }
static inline kd_dval kd_d_dtype(const kd_type *t) { return (kd_dval){.kind = KD_D_DTYPE, .type = t}; }
static inline kd_dval kd_d_tensor(kd_value *v) { return (kd_dval){.kind = KD_D_TENSOR, .value = v}; }
kd_dval kd_d_tuple(kd_lower *lw, const kd_dval *items, unsigned n);

static inline bool kd_d_is_error(kd_dval v) { return v.kind == KD_D_ERROR; }
static inline bool kd_d_is_number(kd_dval v) { return v.kind == KD_D_BOOL || v.kind == KD_D_INT || v.kind == KD_D_FLOAT; } /* at compile time */
static inline bool kd_d_is_int(kd_dval v) { return v.kind == KD_D_BOOL || v.kind == KD_D_INT; }

/* For messages: "a tile of 64x32 fp16", "an int", "None", "a function". */
const char *kd_d_describe(kd_lower *lw, kd_dval v);
/* A type as Triton spells it: "fp32", "int32", "pointer<fp32>", "[64, 32] of fp16". */
const char *kd_d_type_text(kd_lower *lw, const kd_type *type);
/* As Python's str() and repr() would print a compile-time value: f-strings, static_print. */
const char *kd_d_str(kd_lower *lw, kd_dval v);
const char *kd_d_repr(kd_lower *lw, kd_dval v);
/* Appends a compile-time value as an f-string shows it; spec: "!r", ":>8" or both. False: there is no such format, which is reported. */
bool kd_d_format(kd_lower *lw, kd_loc loc, kd_dval v, kd_str spec, kd_strbuf *out);
/* Python's ==, on compile-time values of any kind. */
bool kd_d_equal(kd_dval a, kd_dval b);

/* ---- constant.c: Python's arithmetic. Reports what Python would raise (division by zero, bad types, negative shifts) ---- */

kd_dval kd_const_unary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a);
kd_dval kd_const_binary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b);
kd_dval kd_const_compare(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b);
bool kd_const_truth(kd_lower *lw, kd_loc loc, kd_dval v, bool *out); /* Python's bool(); false: reported */

/* ---- promote.c: operators on tensors, Triton's semantic.py. Operands: tensors or compile-time numbers, at least one tensor ---- */

kd_dval kd_tensor_unary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a);
kd_dval kd_tensor_binary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b);
kd_dval kd_tensor_compare(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b);
kd_dval kd_tensor_logical(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b); /* KD_AND, KD_OR: 'and', 'or' on int1 */
/* Brings two operands to one type and shape. False: reported, naming the operation ('+', 'tl.where'). */
bool kd_promote_pair(kd_lower *lw, kd_loc loc, const char *operation, kd_dval *a, kd_dval *b);

/* ---- cast.c: types and shapes of tensors ---- */

/* A compile-time number or bool as a scalar tensor of its literal type (i1, i32, u32, i64, u64, f32, f64); tensors as they are; others
 * are reported. */
kd_dval kd_to_tensor(kd_lower *lw, kd_loc loc, kd_dval v);
/* Number casts as x.to(type) does; bitcasts. scalar: of the result's elements. */
kd_dval kd_tensor_cast(kd_lower *lw, kd_loc loc, kd_dval v, kd_scalar scalar, kd_rounding rounding);
kd_dval kd_tensor_bitcast(kd_lower *lw, kd_loc loc, kd_dval v, const kd_type *elem);
/* Shape only: splats, adds axes on the left, stretches. */
bool kd_broadcast_pair(kd_lower *lw, kd_loc loc, const char *operation, kd_dval *a, kd_dval *b);
kd_dval kd_broadcast_to(kd_lower *lw, kd_loc loc, kd_dval v, unsigned rank, const int64_t *shape);
/* Converted != 0, as i1: what if, while, not and where make of a value. */
kd_dval kd_tensor_truth(kd_lower *lw, kd_loc loc, kd_dval v);

/* ---- builtins ---- */

/* The builtin, type, constant or namespace of a dotted namespace ("tl", "tl.math"): tl.load, tl.float32, math.pi. KD_D_ERROR, unreported:
 * there is none; *out_hint is set to a name of similar spelling or NULL. */
kd_dval kd_builtin_lookup(kd_lower *lw, const char *namespace_, kd_str name, const char **out_hint);
/* The built-in namespace that an imported module is ("triton.language" is "tl", "triton.language.extra.cuda.libdevice" is "libdevice"), or
 * NULL. To be asked before the resolver. */
const char *kd_builtin_namespace(kd_str dotted_module);
/* Whether a value is that builtin: kd_builtin_is(v, "tl", "constexpr"). */
bool kd_builtin_is(kd_dval v, const char *namespace_, const char *name);
/* Python's own names: range, min, len, float ... The same conventions. */
kd_dval kd_builtin_python_name(kd_lower *lw, kd_str name);
/* v.name, for every kind of value but modules, classes and objects. Reports. */
kd_dval kd_attribute(kd_lower *lw, kd_loc loc, kd_dval v, kd_str name);
/* Calls a KD_D_BUILTIN: binds the arguments to the row's parameters, then its handler. */
kd_dval kd_builtin_call(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args);
/* Whether the arguments fit the parameters of a KD_D_BUILTIN, whatever their values are. Reports; what only other targets have gives a
 * warning. */
bool kd_builtin_takes(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args);
/* The attribute of run-time values, types and texts that a name may be a misspelling of; NULL where it is one, or is like none (one letter may differ). */
const char *kd_attribute_hint(kd_str name);
/* x[...]: items are ints, None, KD_D_SLICE; ':' alone is the string ":". Tuples and strings are indexed and sliced; tiles take ':' and None. */
kd_dval kd_subscript(kd_lower *lw, kd_loc loc, kd_dval v, const kd_dval *items, unsigned n_items);

/* The text of a file of std/ by its module's dotted name ("triton.language.random"); empty where there is none. */
kd_str kd_std_find(kd_str dotted_name);

/* ---- module.c ---- */

/* The scope of a file that was read; the same one each time. */
kd_dmodule *kd_dmodule_of(kd_lower *lw, kd_module_ast *ast);
/* A name at the top level of a file, evaluated now where it has not been. KD_D_ERROR, unreported: there is none; *out_hint as in
 * kd_builtin_lookup. KD_D_UNKNOWN where only Python knows. */
kd_dval kd_dmodule_lookup(kd_lower *lw, kd_dmodule *module, kd_str name, const char **out_hint);
/* A name at the top level of a module of std/: functions that the table of builtins gives to the language. Never an error for names that
 * exist; a bug otherwise. */
kd_dval kd_std_value(kd_lower *lw, const char *dotted_module, const char *name);

/* ---- expr.c ---- */

/* a op b of any values: Python's on compile-time ones, Triton's where one is a tensor. */
kd_dval kd_d_binary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b);

/* ---- call.c ---- */

/* Calls anything that can be called. */
kd_dval kd_call(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args);
/* A function whose arguments are all tensors, lowered in place into the block that lw->b points at (the region of a reduce, scan or map),
 * giving n_results values. False: reported. */
bool kd_call_inline(kd_lower *lw, kd_loc loc, kd_dval callee, kd_value *const *args, unsigned n_args, kd_value **out_results, unsigned n_results);

#endif
