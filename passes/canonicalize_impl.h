/* canonicalize_impl.h - between canonicalize.c and the files with its rules. */
#ifndef KD_PASSES_CANONICALIZE_IMPL_H
#define KD_PASSES_CANONICALIZE_IMPL_H

#include "base/vec.h"
#include "ir/builder.h"
#include "passes/pass.h"

typedef struct kd_simplifier {
    kd_pass_ctx *px;
    kd_module *module;
    KD_VEC(kd_op *) work; /* ops to look at; op->mark is set for those in it */
    bool changed;
} kd_simplifier;

/* A rule looks at an op and what it reads. True: the op is gone or changed, and whoever may gain from that is in the work list. */
typedef bool kd_rule(kd_simplifier *s, kd_op *op);

kd_rule kd_simplify_elementwise, kd_simplify_shape, kd_simplify_control, kd_simplify_memory;

/* Puts an op, the readers of a value, or the definitions of an op's operands on the work list. */
void kd_simplify_push(kd_simplifier *s, kd_op *op);
void kd_simplify_push_readers(kd_simplifier *s, const kd_value *value);
void kd_simplify_push_operands(kd_simplifier *s, const kd_op *op);

kd_builder kd_simplify_builder(kd_simplifier *s, kd_op *op); /* before it */
/* The result of a new op, which goes on the work list. */
kd_value *kd_simplify_new(kd_simplifier *s, kd_op *fresh);
/* Each returns true. */
bool kd_simplify_replace(kd_simplifier *s, kd_op *op, kd_value *value); /* the op's one result by another value of its type */
bool kd_simplify_replace_number(kd_simplifier *s, kd_op *op, kd_number number);
bool kd_simplify_replace_int(kd_simplifier *s, kd_op *op, int64_t value);
bool kd_simplify_replace_values(kd_simplifier *s, kd_op *op, kd_value *const *values); /* all results */
bool kd_simplify_erase(kd_simplifier *s, kd_op *op); /* whose results nobody reads */
bool kd_simplify_set_operand(kd_simplifier *s, kd_op *op, unsigned i, kd_value *value);

#endif
