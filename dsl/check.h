/* check.h - what can be said about the kernels of a file without a signature. */
#ifndef KD_DSL_CHECK_H
#define KD_DSL_CHECK_H

#include "dsl/lower_impl.h"

/* Resolves every name in the jit functions of a file, whose bodies have been parsed, and matches arguments of calls with the parameters of
 * what is called. Reports as lowering would. What may never be reached (under a condition that is perhaps known at compile time) or may be
 * all right elsewhere (a module that is not found here, a value that Python computes, PTX) becomes a warning. Linear in the length of the file. */
void kd_check_module(kd_lower *lw, kd_module_ast *ast);

/* ---- check_names.c ---- */

/* What is known about the variables of a function before its signature is. */
typedef struct kd_check_names {
    kd_map run_time; /* names that hold run-time numbers wherever they are set -> non-NULL */
} kd_check_names;

/* Binds every name that a body sets in a scope: imports to what they mean, all others to KD_D_ERROR, a value that nothing is said about.
 * The names of functions inside are bound, their bodies left alone. */
void kd_check_bind(kd_lower *lw, kd_scope *scope, const kd_block_ast *body, kd_check_names *names);
/* Certainly a number known at run time only, so that both branches of an 'if' are compiled. */
bool kd_check_is_run_time(const kd_check_names *names, const kd_expr *e);

#endif
