/* inspect.h - what a kernel file offers, and the value of an expression: what a command line, a test or a binding asks before it compiles. */
#ifndef KD_DSL_INSPECT_H
#define KD_DSL_INSPECT_H

#include "base/scalar.h"
#include "dsl/kdsl.h"

/* ---- kernels of a file ---- */

typedef struct kd_param_info {
    const char *name;
    bool is_constexpr;        /* by its annotation */
    bool no_specialize;       /* in do_not_specialize: the value 1 and divisibility by 16 are not built in */
    const char *type;         /* the scalar or pointer type that its annotation fixes ("i64", "*u64"), or NULL */
    const char *default_text; /* the default value as it is written, or NULL */
} kd_param_info;

typedef struct kd_config_info { /* a literal triton.Config */
    const char *const *names;
    const char *const *values; /* as expressions */
    unsigned n;
    unsigned num_warps, num_stages; /* 0: not given */
} kd_config_info;

typedef struct kd_heuristic_info { /* one value of @triton.heuristics */
    const char *name;
    const char *dict;       /* the lambda's parameter */
    const char *expression; /* the lambda's body, which reads dict['NAME']; NULL: only Python can tell, the argument must be given */
} kd_heuristic_info;

typedef struct kd_kernel_info {
    const char *name;
    unsigned line;   /* for NAME@LINE: of the first decorator */
    bool is_kernel;  /* returns no value and is called by no other function of the file: meant to be launched */
    const char *doc; /* first line of the docstring, or NULL */
    const kd_param_info *params;
    unsigned n_params;
    const kd_config_info *configs;
    unsigned n_configs;
    bool has_other_configs; /* an autotune list that only Python can make */
    const kd_heuristic_info *heuristics;
    unsigned n_heuristics;
} kd_kernel_info;

typedef struct kd_file_info {
    const kd_kernel_info *kernels; /* every jit function, in the order of the file; of one name the last counts unless @LINE is given */
    unsigned n_kernels;
} kd_file_info;

/* Reads request->file or ->text. with_bodies: parses every body and resolves the names in it, reporting what is wrong ('kdsl check').
 * *out lives until the compiler's next inspection or its end. */
kd_status kd_compiler_inspect(kd_compiler *compiler, const kd_compile_request *request, bool with_bodies, const kd_file_info **out);
/* The kernel that NAME, NAME@LINE or NULL means. NULL: none, or not one; then the compiler's messages say which there are. */
const kd_kernel_info *kd_file_info_find(kd_compiler *compiler, const kd_file_info *info, const char *kernel);

/* ---- expressions ---- */

typedef enum kd_eval_kind {
    KD_EVAL_NONE, KD_EVAL_BOOL, KD_EVAL_INT, KD_EVAL_FLOAT, KD_EVAL_STRING, KD_EVAL_DTYPE, KD_EVAL_TUPLE,
    KD_EVAL_OBJECT, /* the caller's own: an array */
} kd_eval_kind;

typedef struct kd_eval_value {
    kd_eval_kind kind;
    union {
        __int128 integer; /* BOOL, INT */
        double real;
        const char *text;
        kd_scalar dtype;
        void *object;
        struct {
            const struct kd_eval_value *items;
            unsigned n;
        } tuple;
    };
} kd_eval_value;

/* Where the names of an expression get their values. Each returns false where there is no such thing (the evaluator reports it, with a
 * suggestion from 'names'), and KD_EVAL_... values otherwise. */
typedef struct kd_eval_scope {
    void *user;
    bool (*name)(void *user, const char *name, kd_eval_value *out);
    bool (*attribute)(void *user, void *object, const char *name, kd_eval_value *out);                      /* x.numel, x.shape */
    bool (*method)(void *user, void *object, const char *name, const kd_eval_value *args, unsigned n_args, kd_eval_value *out); /* x.stride(0) */
    const char *const *names; /* for suggestions */
    unsigned n_names;
    const char *dict; /* where set: dict['x'] means the name x, as in a heuristic */
} kd_eval_scope;

/* Python's arithmetic, comparisons, conditional expressions, tuples and subscripts of them, min, max, abs, int, float, len, cdiv,
 * next_power_of_2 (also as triton.cdiv ...), and tl's types. what names the text in messages: "argument 'n'". Results live until the
 * compiler's end. KD_ERR_REPORTED: kd_compiler_messages. */
kd_status kd_compiler_eval(kd_compiler *compiler, const char *what, const char *text, const kd_eval_scope *scope, kd_eval_value *out);

#endif
