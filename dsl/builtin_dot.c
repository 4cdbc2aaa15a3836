/* builtin_dot.c - matrix products, and a scalar function of each element. */
#include "dsl/builtin_impl.h"

/* Precision of fp32 products: input_precision 3, allow_tf32 4 of dot. */
static bool precision_of(kd_lower *lw, const kd_bcall *c, kd_precision *out)
{
    static const char *const TEXTS[] = {"tf32", "tf32x3", "ieee", "bf16x3", "bf16x6"};
    kd_str text;
    bool tf32;
    *out = KD_PRECISION_TF32;
    if (!kd_arg_text(lw, c, 3, &text))
        return false;
    if (text.len && kd_arg_given(c, 4)) {
        kd_error(lw->diags, c->at[4], "'allow_tf32' is the older spelling of 'input_precision': give one of them");
        return false;
    }
    if (kd_arg_given(c, 4)) {
        if (!kd_arg_bool(lw, c, 4, &tf32))
            return false;
        *out = tf32 ? KD_PRECISION_TF32 : KD_PRECISION_IEEE;
        return true;
    }
    for (unsigned k = 0; k < 5; k++)
        if (text.len == strlen(TEXTS[k]) && strncasecmp(text.ptr, TEXTS[k], text.len) == 0) {
            *out = (kd_precision)k;
            return true;
        }
    if (text.len)
        kd_error(lw->diags, c->at[3], "'input_precision' is 'tf32', 'tf32x3', 'ieee', 'bf16x3' or 'bf16x6', not '%.*s'", KD_STR_ARG(text));
    return !text.len;
}

static bool dot_type(kd_scalar s)
{
    return s == KD_I8 || s == KD_U8 || kd_scalar_is_float(s);
}

/* Operands of one type and matching shapes. */
static bool check_operands(kd_lower *lw, kd_bcall *c, kd_value *a, kd_value *b)
{
    const kd_type *ta = a->type, *tb = b->type;
    unsigned rank = ta->rank;
    if (rank != tb->rank || (rank != 2 && rank != 3)) {
        kd_error(lw->diags, c->loc, "'tl.dot' needs two tiles of rank 2 or 3, but they are %s and %s", kd_d_type_text(lw, ta), kd_d_type_text(lw, tb));
        return false;
    }
    kd_scalar sa = ta->elem->scalar, sb = tb->elem->scalar;
    bool both_f8 = ta->elem->kind == KD_TYPE_SCALAR && tb->elem->kind == KD_TYPE_SCALAR && kd_scalar_is_fp8(sa) && kd_scalar_is_fp8(sb);
    if (ta->elem->kind != KD_TYPE_SCALAR || tb->elem->kind != KD_TYPE_SCALAR || !dot_type(sa) || !dot_type(sb) || (sa != sb && !both_f8)) {
        kd_error(lw->diags, c->loc, "'tl.dot' needs operands of one type, floats or int8, but they are %s and %s", kd_d_type_text(lw, ta),
                 kd_d_type_text(lw, tb));
        return false;
    }
    if (ta->shape[rank - 1] != tb->shape[rank - 2]) {
        kd_error(lw->diags, c->loc, "'tl.dot' needs equal inner dimensions, but the operands are %s and %s", kd_d_type_text(lw, ta),
                 kd_d_type_text(lw, tb));
        return false;
    }
    if (rank == 3 && ta->shape[0] != tb->shape[0]) {
        kd_error(lw->diags, c->loc, "'tl.dot' needs equal batches, but the operands are %s and %s", kd_d_type_text(lw, ta), kd_d_type_text(lw, tb));
        return false;
    }
    return true;
}

/* The type of the result: the operands' type decides; only for 16- and 8-bit floats does out_dtype (or the accumulator's type) count. */
static kd_scalar result_type(kd_scalar operand, kd_scalar wanted)
{
    if (operand == KD_I8 || operand == KD_U8)
        return KD_I32;
    if (operand == KD_F64)
        return KD_F64;
    if (wanted == KD_BF16) /* rounded once, at the end */
        return KD_BF16;
    if (operand == KD_F32 || operand == KD_BF16)
        return KD_F32;
    return wanted == KD_F16 ? KD_F16 : KD_F32;
}

/* dot(input 0, other 1, acc 2, input_precision 3, allow_tf32 4, max_num_imprecise_acc 5, out_dtype 6) */
kd_dval kd_b_dot(kd_lower *lw, kd_bcall *c)
{
    kd_value *a, *b, *acc = NULL;
    kd_precision precision;
    const kd_type *out_type = NULL;
    if (!kd_arg_tensor(lw, c, 0, &a) || !kd_arg_tensor(lw, c, 1, &b) || !check_operands(lw, c, a, b) || !precision_of(lw, c, &precision) ||
        (kd_arg_given(c, 2) && !kd_arg_tensor(lw, c, 2, &acc)) || (kd_arg_given(c, 6) && !kd_arg_type(lw, c, 6, &out_type)))
        return KD_D_ERR;
    kd_scalar operand = a->type->elem->scalar;
    kd_scalar wanted = out_type ? kd_type_elem(out_type)->scalar : acc ? kd_type_elem(acc->type)->scalar : KD_F32;
    kd_scalar result = result_type(operand, wanted), inner = result == KD_BF16 ? KD_F32 : result;
    unsigned rank = a->type->rank;
    int64_t shape[3] = {a->type->shape[0], a->type->shape[rank - 2], b->type->shape[rank - 1]};
    if (rank == 2)
        shape[0] = shape[1], shape[1] = shape[2];
    if (!kd_shape_check(lw, c->loc, c->name, rank, shape))
        return KD_D_ERR;
    const kd_type *type = kd_type_tile(lw->ctx, kd_type_scalar(lw->ctx, result), rank, shape);
    if (acc && acc->type != type) {
        kd_error(lw->diags, c->at[2], "'tl.dot' of %s and %s needs an accumulator of %s, but it is %s", kd_d_type_text(lw, a->type),
                 kd_d_type_text(lw, b->type), kd_d_type_text(lw, type), kd_d_type_text(lw, acc->type));
        return KD_D_ERR;
    }
    acc = acc ? kd_value_cast(lw, c->loc, acc, inner) : kd_build_int(&lw->b, c->loc, kd_type_with_scalar(lw->ctx, type, inner), 0);
    if (kd_scalar_is_fp8(operand) && (operand == KD_F8E4B15 || b->type->elem->scalar == KD_F8E4B15)) {
        a = kd_value_cast(lw, c->loc, a, KD_F16);
        b = kd_value_cast(lw, c->loc, b, KD_F16);
    }
    kd_value *d = KD_BUILD(dot, .loc = c->loc, .a = a, .b = b, .acc = acc, .precision = precision);
    return kd_d_tensor(kd_value_cast(lw, c->loc, d, result));
}

/* ---- map_elementwise ---- */

kd_dval kd_b_map_elementwise(kd_lower *lw, kd_bcall *c)
{
    enum { MAX_MAPPED = 16 };
    kd_dval items[MAX_MAPPED];
    kd_value *inputs[MAX_MAPPED], *results[MAX_MAPPED];
    const kd_type *types[MAX_MAPPED];
    unsigned n = c->n_rest;
    int64_t pack;
    if ((c->arg[0].kind != KD_D_FUNCTION && c->arg[0].kind != KD_D_BUILTIN) || n == 0 || n > MAX_MAPPED || !kd_arg_int(lw, c, 2, &pack) || pack != 1) {
        kd_error(lw->diags, c->loc, "'%s' takes a function and 1 to %d tensors (pack 1)", c->name, MAX_MAPPED);
        return KD_D_ERR;
    }
    for (unsigned i = 0; i < n; i++)
        items[i] = c->rest[i].value;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < n; i++)
            if (!kd_broadcast_pair(lw, c->loc, c->name, &items[0], &items[i]))
                return KD_D_ERR;
    for (unsigned i = 0; i < n; i++)
        inputs[i] = items[i].value;
    /* How many results there are, and of which types, only the function knows: it is lowered into the region, then the op gets its results. */
    kd_op *op = kd_build_map(&lw->b, (kd_map_args){.loc = c->loc, .inputs = inputs, .n_inputs = n});
    kd_block *region = kd_op_region(op, 0);
    for (unsigned i = 0; i < n; i++)
        kd_block_add_arg(lw->module, region, kd_type_elem(inputs[i]->type), NULL);
    kd_builder outside = lw->b;
    lw->b = kd_builder_at_end(lw->module, region);
    kd_darg args[MAX_MAPPED];
    for (unsigned i = 0; i < n; i++)
        args[i] = (kd_darg){.value = kd_d_tensor(region->args[i]), .loc = c->loc};
    kd_dval value = kd_call(lw, c->loc, c->arg[0], args, n);
    bool is_tuple = value.kind == KD_D_TUPLE, ok = !kd_d_is_error(value);
    unsigned n_results = is_tuple ? value.tuple.n : 1;
    if (ok && (n_results == 0 || n_results > MAX_MAPPED)) {
        kd_error(lw->diags, c->loc, "the function of '%s' gives %u values", c->name, n_results);
        ok = false;
    }
    for (unsigned i = 0; ok && i < n_results; i++) {
        kd_dval part = kd_to_tensor(lw, c->loc, is_tuple ? value.tuple.items[i] : value);
        ok = part.kind == KD_D_TENSOR;
        results[i] = part.value;
        if (ok)
            types[i] = kd_type_with_elem(lw->ctx, inputs[0]->type, part.value->type);
    }
    if (ok)
        kd_build_yield(&lw->b, (kd_yield_args){.loc = c->loc, .values = results, .n_values = n_results});
    lw->b = outside;
    if (!ok) {
        kd_op_erase(op);
        return KD_D_ERR;
    }
    op = kd_op_with_results(lw->module, op, types, n_results);
    for (unsigned i = 0; i < n_results; i++)
        items[i] = kd_d_tensor(kd_op_result(op, i));
    return is_tuple ? kd_d_tuple(lw, items, n_results) : items[0];
}
