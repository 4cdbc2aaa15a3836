/* ir.h - operations, values and regions.
 *
 * An op has operands (uses of values), results (values), attributes and regions; ops.def lists the kinds. A region is one block: a list of
 * ops and some arguments (values). Control flow is structured, so there are no other blocks and no phis: a value is visible in the rest of
 * its block and in the regions there. Functions see nothing from outside. Everything lives in the arena of its module. */
#ifndef KD_IR_IR_H
#define KD_IR_IR_H

#include "base/arena.h"
#include "base/diag.h"
#include "ir/type.h"

typedef struct kd_op kd_op;
typedef struct kd_value kd_value;
typedef struct kd_block kd_block;

/* ---- tables ---- */

typedef enum kd_opcode {
#define KD_OP(id, ...) KD_OP_##id,
#include "ir/ops.def"
    KD_N_OPS
} kd_opcode;

typedef enum kd_math {
#define KD_MATH(id, text, n) KD_MATH_##id,
#include "ir/math.def"
    KD_N_MATH
} kd_math;

#define V(prefix, name, text) prefix##_##name,
#define KD_ENUM(type, prefix, values) typedef enum type { values prefix##_N } type;
#include "ir/enums.def"

enum kd_trait {
    KD_PURE = 1 << 0,
    KD_ELEMENTWISE = 1 << 1,
    KD_SAME_TYPES = 1 << 2,
    KD_COMMUTES = 1 << 3,
    KD_READS = 1 << 4,
    KD_WRITES = 1 << 5,
    KD_TERMINATOR = 1 << 6,
    KD_FREE = 1 << 7,
};

typedef enum kd_constraint {
    KD_IS_ANY, KD_IS_SCALAR, KD_IS_INT_SCALAR, KD_IS_BOOL_SCALAR, KD_IS_TILE, KD_IS_FLOAT_TILE, KD_IS_INT_TILE,
    KD_IS_PTR_LIKE, KD_IS_INT_LIKE, KD_IS_FLOAT_LIKE, KD_IS_BOOL_LIKE, KD_IS_NUM_LIKE, KD_IS_BUFFER,
} kd_constraint;

typedef enum kd_operand_kind { KD_OPERAND_ONE, KD_OPERAND_OPTIONAL, KD_OPERAND_VARIADIC } kd_operand_kind;

typedef struct kd_operand_info {
    const char *name;
    kd_operand_kind kind;
    kd_constraint constraint;
} kd_operand_info;

typedef enum kd_result_rule { KD_RESULT_GIVEN, KD_RESULT_SAME_AS, KD_RESULT_BOOL_OF } kd_result_rule;

typedef enum kd_attr_kind { KD_ATTR_INT, KD_ATTR_FLAG, KD_ATTR_TEXT, KD_ATTR_INTS, KD_ATTR_NUMBER, KD_ATTR_ENUM } kd_attr_kind;

typedef struct kd_attr_info {
    const char *name;
    kd_attr_kind kind;
    const char *const *enum_texts; /* ENUM: texts of its values, ends in NULL */
    bool is_key;                   /* printed even where it is zero */
} kd_attr_info;

enum { KD_MAX_OPERAND_INFOS = 4, KD_MAX_ATTR_INFOS = 5 };

typedef struct kd_op_info {
    const char *id, *mnemonic, *summary;
    unsigned traits, n_regions;
    unsigned n_operands; /* named ones; the last may be variadic */
    kd_operand_info operands[KD_MAX_OPERAND_INFOS + 1];
    bool results_variadic;
    unsigned n_results; /* 0 or 1 unless variadic */
    const char *result_name;
    kd_result_rule result_rule;
    const char *result_operand; /* for SAME_AS and BOOL_OF: its name, see kd_op_info_operand */
    unsigned n_attrs;
    kd_attr_info attrs[KD_MAX_ATTR_INFOS + 1];
} kd_op_info;

extern const kd_op_info kd_op_infos[KD_N_OPS];
/* The position of a named operand. */
unsigned kd_op_info_operand(const kd_op_info *info, const char *name);
unsigned kd_math_arity(kd_math fn);
const char *kd_math_text(kd_math fn);

/* ---- attributes ---- */

typedef int64_t kd_int;
typedef bool kd_flag;
typedef kd_str kd_text;
typedef struct kd_ints {
    const int64_t *data;
    unsigned n;
} kd_ints;
typedef struct kd_number {
    bool is_float;
    union {
        int64_t i; /* unsigned 64-bit values by their bits */
        double f;
    };
} kd_number;

/* One attribute of an op; the table says which member counts. */
typedef struct kd_attr {
    union {
        kd_int as_kd_int;
        kd_flag as_kd_flag;
        kd_text as_kd_text;
        kd_ints as_kd_ints;
        kd_number as_kd_number;
#define V(...)
#define KD_ENUM(type, prefix, values) type as_##type;
#include "ir/enums.def"
        kd_math as_kd_math;
    };
} kd_attr;

/* ---- the graph ---- */

/* One operand of an op: an entry in the list of the value's readers. value is NULL for an absent optional operand. */
typedef struct kd_use {
    kd_value *value;
    kd_op *user;
    struct kd_use *next, **link; /* in value->uses; link points at what points here */
} kd_use;

struct kd_value {
    const kd_type *type;
    kd_op *def;      /* the op whose result this is, or NULL */
    kd_block *owner; /* the block whose argument this is, or NULL */
    unsigned index;  /* among the results or arguments */
    kd_use *uses;    /* in no particular order */
    const char *name; /* for people, or NULL; not unique */
};

struct kd_block {
    kd_op *parent; /* the op that has this region */
    unsigned index; /* which region of the parent */
    kd_value **args;
    unsigned n_args;
    kd_op *first, *last;
};

struct kd_op {
    kd_opcode code;
    kd_loc loc;
    kd_block *block; /* that it stands in; NULL: erased, or not yet inserted */
    kd_op *prev, *next;
    kd_use *operands;
    unsigned n_operands;
    kd_value *results;
    unsigned n_results;
    kd_attr attrs[KD_MAX_ATTR_INFOS];
    kd_block **regions;
    unsigned n_regions;
    unsigned mark; /* for the pass at work: meaningless between passes */
};

/* ---- contexts and modules ---- */

/* Owns types and texts. Not shared between threads: a compilation has its own. */
kd_context *kd_context_create(kd_arena *arena);
kd_arena *kd_context_arena(kd_context *ctx);

typedef struct kd_module {
    kd_context *ctx;
    kd_arena *arena; /* for ops, values, texts and attribute arrays */
    kd_op *op;       /* the 'module' op; its region lists the functions */
} kd_module;

kd_module *kd_module_create(kd_context *ctx, kd_arena *arena);
kd_op *kd_module_find(const kd_module *module, kd_str func_name);

/* ---- reading ops ---- */

static inline const kd_op_info *kd_op_get_info(const kd_op *op)
{
    return &kd_op_infos[op->code];
}

static inline bool kd_op_has(const kd_op *op, unsigned traits) /* all of them */
{
    return (kd_op_infos[op->code].traits & traits) == traits;
}

static inline kd_value *kd_op_operand(const kd_op *op, unsigned i)
{
    return op->operands[i].value;
}

static inline kd_value *kd_op_result(const kd_op *op, unsigned i)
{
    return &op->results[i];
}

static inline kd_block *kd_op_region(const kd_op *op, unsigned i)
{
    return op->regions[i];
}

/* The op whose result the value is, if it is of that kind; else NULL. */
static inline kd_op *kd_value_def_as(const kd_value *value, kd_opcode code)
{
    return value && value->def && value->def->code == code ? value->def : NULL;
}

static inline bool kd_value_has_uses(const kd_value *value)
{
    return value->uses != NULL;
}

static inline bool kd_value_has_one_use(const kd_value *value)
{
    return value->uses && !value->uses->next;
}

/* True for a constant (also through kd.splat); the number. */
bool kd_value_constant(const kd_value *value, kd_number *out);
bool kd_value_constant_int(const kd_value *value, int64_t *out);
bool kd_value_is_zero(const kd_value *value);

/* The terminator of a block that has one, else NULL. */
kd_op *kd_block_terminator(const kd_block *block);
/* The op of the block that op is, or is inside of. NULL: it is in none of them; op may be NULL. */
kd_op *kd_op_ancestor_in(const kd_op *op, const kd_block *block);
/* Whether inner stands in a region (at any depth) of outer. */
bool kd_op_is_inside(const kd_op *inner, const kd_op *outer);
/* Whether the value can be read at an op: it is defined earlier in the op's block or in one around it. Linear in the block. */
bool kd_value_visible_at(const kd_value *value, const kd_op *op);
/* No effects on memory in the op or in its regions, at any depth: nothing that others see, nor that it reads. */
bool kd_op_is_pure(const kd_op *op);

#define KD_FOREACH_OP(op, blk)      for (kd_op *op = (blk)->first; op; op = op->next)
#define KD_FOREACH_OP_SAFE(op, blk) for (kd_op *op = (blk)->first, *op##_next = op ? op->next : NULL; op; op = op##_next, op##_next = op ? op->next : NULL)

/* Calls visit for every op inside root (not root itself), an op before the ops in its regions. visit may erase the op it is given. */
void kd_op_walk(kd_op *root, void (*visit)(kd_op *op, void *user), void *user);

/* Named operands: kd_dot_a(op). Absent optional ones are NULL. Variadic ones: the first; see kd_op_n_variadic. */
#define KD_OP(id, mnemonic, ins, outs, attributes, ...) \
    typedef struct kd_##id##_ins {                       \
        char first_;                                      \
        ins                                               \
    } kd_##id##_ins;
#define IN(op, name, constraint)  char name;
#define OPT(op, name, constraint) char name;
#define VAR(op, name, constraint) char name;
#include "ir/ops.def"

#define KD_OP(id, mnemonic, ins, outs, attributes, ...) ins
#define IN(id, name, constraint)                                                            \
    static inline kd_value *kd_##id##_##name(const kd_op *op)                               \
    {                                                                                       \
        return op->operands[offsetof(kd_##id##_ins, name) - 1].value;                       \
    }
#define OPT(id, name, constraint) IN(id, name, constraint)
#define VAR(id, name, constraint)                                                           \
    static inline kd_value *kd_##id##_##name(const kd_op *op, unsigned i)                   \
    {                                                                                       \
        return op->operands[offsetof(kd_##id##_ins, name) - 1 + i].value;                   \
    }                                                                                       \
    static inline unsigned kd_##id##_n_##name(const kd_op *op)                              \
    {                                                                                       \
        return op->n_operands - ((unsigned)offsetof(kd_##id##_ins, name) - 1);              \
    }
#include "ir/ops.def"

/* Attributes: kd_dot_precision(op). */
#define KD_OP(id, mnemonic, ins, outs, attributes, ...) \
    typedef struct kd_##id##_attrs {                     \
        char first_;                                      \
        attributes                                        \
    } kd_##id##_attrs;
#define ATTR(op, type, name) char name;
#include "ir/ops.def"

#define KD_OP(id, mnemonic, ins, outs, attributes, ...) attributes
#define ATTR(id, type, name)                                                                \
    static inline type kd_##id##_##name(const kd_op *op)                                    \
    {                                                                                       \
        return op->attrs[offsetof(kd_##id##_attrs, name) - 1].as_##type;                    \
    }                                                                                       \
    static inline void kd_##id##_set_##name(kd_op *op, type value)                          \
    {                                                                                       \
        op->attrs[offsetof(kd_##id##_attrs, name) - 1].as_##type = value;                   \
    }
#include "ir/ops.def"

/* ---- changing ops ---- */

/* Sets an operand (NULL only where it is optional), keeping the readers' lists right. */
void kd_op_set_operand(kd_op *op, unsigned i, kd_value *value);
/* Adds an operand at the end of a variadic list, or removes one of it. */
void kd_op_add_operand(kd_module *module, kd_op *op, kd_value *value);
void kd_op_remove_operand(kd_op *op, unsigned i);
/* All readers of old read fresh from now on. */
void kd_value_replace_uses(kd_value *old, kd_value *fresh);
/* Takes the op out of its block and drops its operands; its results must have no readers left (readers inside its own regions aside). */
void kd_op_erase(kd_op *op);
/* Replaces all results of old by those of fresh (equally many), and erases old. */
void kd_op_replace(kd_op *old, kd_op *fresh);
/* Replaces the one result by a value, and erases. */
void kd_op_replace_value(kd_op *old, kd_value *value);
void kd_op_move_before(kd_op *op, kd_op *anchor);
void kd_op_move_to_end(kd_op *op, kd_block *block);
kd_value *kd_block_add_arg(kd_module *module, kd_block *block, const kd_type *type, const char *name);
/* The argument must have no readers. */
void kd_block_remove_arg(kd_block *block, unsigned i);
/* A result list of another length: a new op in place of the old one, with the same operands, attributes and regions (moved, not
 * copied). Results that both have keep their readers; those dropped must have none. */
kd_op *kd_op_with_results(kd_module *module, kd_op *op, const kd_type *const *types, unsigned n);

#endif
