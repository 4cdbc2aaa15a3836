/* verify_impl.h - between verify.c (what the table says), verify_ops.c and verify_gpu.c (what it cannot say). */
#ifndef KD_IR_VERIFY_IMPL_H
#define KD_IR_VERIFY_IMPL_H

#include "base/map.h"
#include "ir/ir.h"

typedef struct kd_verifier {
    const kd_module *module;
    kd_diags *diags;
    bool shows_text; /* adds the op's text to messages */
    bool complete;   /* see kd_verify_parsed */
    kd_map funcs;    /* name -> func op */
} kd_verifier;

/* Reports a mistake in an op. Returns false. */
bool kd_verify_fail(kd_verifier *v, const kd_op *op, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What the table does not say of the op; called once its operands, results, attributes and regions have the right number and kind. */
bool kd_verify_op_rules(kd_verifier *v, const kd_op *op);

/* The same for the ops of the gpu and simt levels; NULL: nothing more to say. */
typedef bool kd_verify_hook(kd_verifier *v, const kd_op *op);
kd_verify_hook *kd_verify_gpu_hook(kd_opcode code);

/* That the layouts of the op's tiles belong together: all have one or none has, of as many lanes and sub-groups, equal in elementwise ops. */
bool kd_verify_layouts(kd_verifier *v, const kd_op *op);
/* That a tile has this layout, if it has one. */
bool kd_verify_layout_is(kd_verifier *v, const kd_op *op, const kd_type *type, const kd_layout *wanted);

#endif
