/* lower_impl.h - between the files that walk the syntax tree: scopes, control flow, calls. */
#ifndef KD_DSL_LOWER_IMPL_H
#define KD_DSL_LOWER_IMPL_H

#include "base/nearest.h"
#include "dsl/dsl_impl.h"

/* ---- limits: what a wrong program may cost before it is stopped with a message ---- */

enum {
    KD_MAX_STEPS = 1500000,        /* statements and expressions evaluated */
    KD_MAX_CALL_DEPTH = 64,
    KD_MAX_INSTANCES = 4000,
    KD_MAX_STACK_BYTES = 3 << 20,  /* of the C stack, from kd_lower.stack_start on */
    KD_MAX_SEQUENCE = 1 << 16,     /* items of a compile-time tuple */
};

/* lower.c. Counts a step, and looks at the stack. False: a limit was passed (reported once); unwind. */
bool kd_lower_step(kd_lower *lw, kd_loc loc);
/* Reports, and makes everything fail quietly from then on. */
void kd_lower_stop(kd_lower *lw, kd_loc loc, const char *message);

/* ---- value.c ---- */

typedef KD_VEC(kd_value *) kd_values;

/* The tensors that a value consists of, in a fixed order: of tuples, block pointers, bound methods. */
void kd_d_leaves(kd_lower *lw, kd_dval v, kd_values *out);
/* The same value with each of its tensors replaced. */
kd_dval kd_d_map(kd_lower *lw, kd_dval v, kd_value *(*fn)(void *user, kd_value *old), void *user);
/* The same with the tensors taken in order from a list. */
kd_dval kd_d_rebuild(kd_lower *lw, kd_dval like, kd_value *const *leaves);
/* The same, and *leaves moves past those that were taken. */
kd_dval kd_d_rebuild_next(kd_lower *lw, kd_dval like, kd_value *const **leaves);
/* Equal but for which tensors of equal types stand in them. */
bool kd_d_same_shape(kd_dval a, kd_dval b);
/* True where all is known at compile time. */
bool kd_d_is_static(kd_dval v);
/* Holds a function that sees the variables of another one, directly or inside. */
bool kd_d_has_closure(kd_dval v);
/* Appends what tells instances of a function apart: types of tensors, compile-time values. */
void kd_d_instance_key(kd_strbuf *out, kd_dval v);

/* ---- scope.c ---- */

typedef enum kd_name_state {
    KD_NAME_UNSET,
    KD_NAME_SET,
    KD_NAME_IN_BRANCH, /* set in one branch of an 'if' only */
    KD_NAME_IN_LOOP,   /* set inside a loop only */
    KD_NAME_LOOP_VAR,  /* the variable of a loop that is over */
    KD_NAME_CONFLICT,  /* of different types in the branches of an 'if' */
} kd_name_state;

typedef struct kd_binding {
    kd_str name;
    kd_dval value;
    kd_loc loc; /* where it was set */
    kd_name_state state;
    bool is_constexpr; /* declared so: x: tl.constexpr */
    const char *why;   /* CONFLICT: "is fp32 in one branch ..." */
} kd_binding;

struct kd_scope {
    kd_scope *parent; /* the function around a nested one */
    kd_dmodule *module;
    const kd_function *function; /* NULL: the top level of a file */
    kd_map slots;                /* name -> index + 1 */
    KD_VEC(kd_binding) names;
    bool is_kernel, is_python, is_module;
    unsigned n_loops;        /* run-time loops around the current statement */
    unsigned n_static_loops; /* unrolled ones */
    bool has_ret;
    kd_dval ret;
    kd_loc ret_loc;
};

kd_scope *kd_scope_create(kd_lower *lw, kd_scope *parent, kd_dmodule *module, const kd_function *function);
kd_binding *kd_scope_find(kd_scope *scope, kd_str name); /* or NULL */
void kd_scope_set(kd_lower *lw, kd_scope *scope, kd_str name, kd_dval value, kd_loc loc);
/* A name anywhere: locals, functions around, the file, Python's own. Reports. */
kd_dval kd_lookup(kd_lower *lw, kd_loc loc, kd_str name);

/* All bindings as they are now; for the branches of an 'if'. */
typedef struct kd_names {
    kd_binding *data;
    unsigned n;
} kd_names;
kd_names kd_names_save(kd_lower *lw, const kd_scope *scope);
void kd_names_restore(kd_scope *scope, kd_names saved); /* names that came later are unset */

/* ---- expr.c ---- */

kd_dval kd_eval(kd_lower *lw, const kd_expr *e);
/* v.name for every kind of value. */
kd_dval kd_eval_attribute(kd_lower *lw, kd_loc loc, kd_dval v, kd_str name);
/* Reports what no kernel may contain: a dict, '...', 'await'. */
kd_dval kd_eval_unsupported(kd_lower *lw, const kd_expr *e);
/* A compile-time condition is decided: *out_known and *out_truth. A run-time one is converted to i1. False: reported. */
bool kd_eval_condition(kd_lower *lw, const kd_expr *e, const char *where, bool *out_known, bool *out_truth, kd_dval *out_cond);
/* Items of a compile-time sequence (tuple, string, range of known bounds). False: reported. */
bool kd_static_items(kd_lower *lw, kd_loc loc, kd_dval v, const kd_dval **out_items, unsigned *out_n);

/* ---- stmt.c, flow.c, loop.c ---- */

typedef enum kd_flow {
    KD_FLOW_NEXT,   /* goes on behind the statement */
    KD_FLOW_RETURN, /* has returned */
    KD_FLOW_MAYBE,  /* has returned if the hidden name '$returned' is true */
    KD_FLOW_BREAK, KD_FLOW_CONTINUE, /* compile-time loops of Python functions only */
    KD_FLOW_STOP,
} kd_flow;

/* Statements, and those behind them. */
typedef struct kd_seq {
    kd_stmt *const *stmts;
    unsigned n;
    const struct kd_seq *next;
} kd_seq;

/* tail: nothing of the function follows, so that a return needs no flag: never NEXT or MAYBE then. */
kd_flow kd_lower_seq(kd_lower *lw, const kd_seq *seq, bool tail);
kd_flow kd_lower_return(kd_lower *lw, kd_loc loc, kd_dval value, bool tail);
kd_flow kd_lower_stmt(kd_lower *lw, const kd_stmt *s, bool tail); /* all but IF */
void kd_assign(kd_lower *lw, const kd_expr *target, kd_dval value);
/* What an assignment without annotation makes of a value: numbers become run-time scalars. */
kd_dval kd_sanitize(kd_lower *lw, kd_loc loc, kd_dval value);
/* A run-time 'if' and everything in rest. */
kd_flow kd_lower_if(kd_lower *lw, const kd_stmt *s, kd_dval cond, const kd_seq *rest, bool tail);
kd_dval kd_lower_ternary(kd_lower *lw, const kd_expr *e, kd_dval cond);
kd_flow kd_lower_for(kd_lower *lw, const kd_stmt *s);
kd_flow kd_lower_while(kd_lower *lw, const kd_stmt *s);
bool kd_annotation_is_constexpr(const kd_expr *annotation);

/* ---- call.c, class.c ---- */

/* The body of a function in a scope whose parameters are bound, in place; its value. */
kd_dval kd_lower_body(kd_lower *lw, kd_scope *scope, const kd_function *function);
/* Whether the arguments fit the parameters of a KD_D_FUNCTION, whatever their values are. Reports. */
bool kd_function_takes(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args);
kd_dval kd_construct(kd_lower *lw, kd_loc loc, kd_dval cls, const kd_darg *args, unsigned n_args);
kd_dval kd_class_attribute(kd_lower *lw, kd_loc loc, kd_dval v, kd_str name);  /* of a class */
kd_dval kd_object_attribute(kd_lower *lw, kd_loc loc, kd_dval v, kd_str name); /* of a tuple with names */
/* The value with one of its fields replaced. */
kd_dval kd_object_with(kd_lower *lw, kd_loc loc, kd_dval object, kd_str name, kd_dval value);

/* ---- module.c ---- */

/* Binds the names of an import statement inside a function. */
void kd_lower_import(kd_lower *lw, const kd_stmt *s);
/* Evaluates where nothing may be built or reported (the top level of a file, defaults of parameters): KD_D_UNKNOWN with the reason instead. */
kd_dval kd_eval_quietly(kd_lower *lw, kd_scope *scope, const kd_expr *e);
/* Somewhere for ops that have no business where they are built: the top level of a file, an expression of a command line. */
kd_builder kd_builder_nowhere(kd_lower *lw);
/* The same with what is wrong going to another sink; then KD_D_ERROR. */
kd_dval kd_eval_into(kd_lower *lw, kd_scope *scope, const kd_expr *e, kd_diags *sink);
/* A call without a word; KD_D_ERROR where it fails, or gives anything but a compile-time value. */
kd_dval kd_call_quietly(kd_lower *lw, kd_scope *scope, kd_dval callee, const kd_darg *args, unsigned n_args);
kd_scope *kd_dmodule_scope(kd_dmodule *module);
/* The names of a module, for suggestions. */
const kd_map *kd_dmodule_names(const kd_dmodule *module);
kd_dval kd_module_attribute(kd_lower *lw, kd_loc loc, kd_dval module, kd_str name);
kd_dval kd_function_value(kd_lower *lw, const kd_function *function, kd_dmodule *module);

#endif
