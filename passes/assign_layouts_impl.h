/* assign_layouts_impl.h - between assign_layouts.c (rewriting) and layout_classes.c (what values want one layout, and which). */
#ifndef KD_PASSES_ASSIGN_LAYOUTS_IMPL_H
#define KD_PASSES_ASSIGN_LAYOUTS_IMPL_H

#include "base/map.h"
#include "base/vec.h"
#include "ir/layout_rules.h"
#include "passes/dot_layouts.h"
#include "passes/layout_cost.h"
#include "passes/pass.h"

/* How an op ties a class to something. */
typedef enum kd_tie_kind {
    KD_TIE_ACCESS,  /* reads its values from memory or writes them there */
    KD_TIE_ADDRESS, /* takes addresses, masks or defaults from it, in the layout that the access runs in */
    KD_TIE_REDUCE,  /* folds it */
    KD_TIE_DOT,     /* accumulates into it */
    KD_TIE_FACTOR,  /* reads it as a or b of a dot */
    KD_TIE_USE,     /* makes a value of another class from it: broadcast, permute, join, split */
    KD_TIE_MADE,    /* made it so from other classes, or by a reduction */
} kd_tie_kind;

typedef struct kd_tie {
    kd_op *op;
    kd_tie_kind kind;
    unsigned operand; /* of op, where the class is one of its operands */
} kd_tie;

typedef struct kd_layout_class {
    struct kd_layout_class *parent; /* of a union-find tree; NULL: this is the class */
    const kd_type *type;            /* of one of its values */
    KD_VEC(kd_tie) ties;
    KD_VEC(kd_value *) values;
    unsigned order;  /* in the text */
    bool has_anchor; /* at memory or dots */
    const kd_layout *layout; /* NULL: not decided */
} kd_layout_class;

typedef struct kd_assigner {
    kd_pass_ctx *px;
    kd_layout_costs costs;
    kd_map classes;                    /* value -> class; free values have none */
    KD_VEC(kd_layout_class *) made;    /* all, in the order of the text */
    kd_map running;                    /* ops that run in another layout than that of their results -> that layout */
    kd_map converted;                  /* value -> its first conversion -> the next one */
} kd_assigner;

/* NULL: the value is free (or a scalar). */
kd_layout_class *kd_value_class(const kd_assigner *s, const kd_value *value);
/* Finds the classes, decides their layouts, and gives the values their types; accesses that run in layouts of their own go to `running`. */
void kd_decide_classes(kd_assigner *s, kd_op *func);

#endif
