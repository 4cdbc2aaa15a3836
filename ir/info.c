/* info.c - the tables of ops, enums and math functions, made from the .def files. */
#include "ir/ir.h"

#define V(prefix, name, text) text,
#define KD_ENUM(type, prefix, values) static const char *const type##_texts[] = {values NULL};
#include "ir/enums.def"

static const char *const kd_math_texts[] = {
#define KD_MATH(id, text, n) text,
#include "ir/math.def"
    NULL};

static const uint8_t MATH_ARITIES[] = {
#define KD_MATH(id, text, n) n,
#include "ir/math.def"
};

unsigned kd_math_arity(kd_math fn)
{
    return MATH_ARITIES[fn];
}

const char *kd_math_text(kd_math fn)
{
    return kd_math_texts[fn];
}

#define KIND_kd_int         KD_ATTR_INT, NULL
#define KIND_kd_flag        KD_ATTR_FLAG, NULL
#define KIND_kd_text        KD_ATTR_TEXT, NULL
#define KIND_kd_ints        KD_ATTR_INTS, NULL
#define KIND_kd_number      KD_ATTR_NUMBER, NULL
#define KIND_kd_pred        KD_ATTR_ENUM, kd_pred_texts
#define KIND_kd_rounding    KD_ATTR_ENUM, kd_rounding_texts
#define KIND_kd_precision   KD_ATTR_ENUM, kd_precision_texts
#define KIND_kd_atomic_op   KD_ATTR_ENUM, kd_atomic_op_texts
#define KIND_kd_mem_order   KD_ATTR_ENUM, kd_mem_order_texts
#define KIND_kd_mem_scope   KD_ATTR_ENUM, kd_mem_scope_texts
#define KIND_kd_padding     KD_ATTR_ENUM, kd_padding_texts
#define KIND_kd_cache       KD_ATTR_ENUM, kd_cache_texts
#define KIND_kd_evict       KD_ATTR_ENUM, kd_evict_texts
#define KIND_kd_block2d_mode KD_ATTR_ENUM, kd_block2d_mode_texts
#define KIND_kd_math        KD_ATTR_ENUM, kd_math_texts

/* A row ends its lists with an empty entry; the counts are those of the same lists. */
#define IN(op, name, constraint)  {#name, KD_OPERAND_ONE, KD_IS_##constraint},
#define OPT(op, name, constraint) {#name, KD_OPERAND_OPTIONAL, KD_IS_##constraint},
#define VAR(op, name, constraint) {#name, KD_OPERAND_VARIADIC, KD_IS_##constraint},
#define ATTR(op, type, name)      {#name, KIND_##type},
#define KEY(op, type, name)       {#name, KIND_##type, .is_key = true},
#define OUT(name, rule)           .n_results = 1, .result_name = #name, rule,
#define OUTS(name)                .results_variadic = true, .result_name = #name,
#define GIVEN                     .result_rule = KD_RESULT_GIVEN
#define SAME_AS(operand)          .result_rule = KD_RESULT_SAME_AS, .result_operand = #operand
#define BOOL_OF(operand)          .result_rule = KD_RESULT_BOOL_OF, .result_operand = #operand
#define COUNT(T, ...)             (sizeof((T[]){__VA_ARGS__}) / sizeof(T) - 1)
#define KD_OP(id_, mnemonic_, ins_, outs_, attrs_, n_regions_, traits_, summary_)                                                  \
    [KD_OP_##id_] = {outs_.id = #id_,                                                                                              \
                     .mnemonic = mnemonic_,                                                                                        \
                     .summary = summary_,                                                                                          \
                     .traits = traits_,                                                                                            \
                     .n_regions = n_regions_,                                                                                      \
                     .n_operands = COUNT(kd_operand_info, ins_{0}),                                                                \
                     .operands = {ins_{0}},                                                                                        \
                     .n_attrs = COUNT(kd_attr_info, attrs_{0}),                                                                    \
                     .attrs = {attrs_{0}}},

const kd_op_info kd_op_infos[KD_N_OPS] = {
#include "ir/ops.def"
};

unsigned kd_op_info_operand(const kd_op_info *info, const char *name)
{
    unsigned i = 0;
    while (strcmp(info->operands[i].name, name) != 0)
        i++;
    return i;
}
