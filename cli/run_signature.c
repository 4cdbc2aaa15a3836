/* run_signature.c - the values of 'kdsl run' as a signature, and as launch arguments. */
#include "base/scalar.h"
#include "base/vec.h"
#include "cli/run_impl.h"


const char *run_int_text(kd_arena *arena, __int128 v)
{
    char digits[48];
    unsigned at = sizeof digits - 1;
    bool negative = v < 0;
    unsigned __int128 u = negative ? -(unsigned __int128)v : (unsigned __int128)v;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + (int)(u % 10));
        u /= 10;
    } while (u);
    if (negative)
        digits[--at] = '-';
    return kd_arena_strdup(arena, digits + at);
}

/* A value as a signature spells it at compile time. */
static void constant_text(run_args *args, const kd_eval_value *v, kd_strbuf *out)
{
    switch (v->kind) {
    case KD_EVAL_NONE: kd_strbuf_puts(out, "None"); break;
    case KD_EVAL_BOOL: kd_strbuf_puts(out, v->integer ? "True" : "False"); break;
    case KD_EVAL_INT: kd_strbuf_puts(out, run_int_text(args->arena, v->integer)); break;
    case KD_EVAL_FLOAT:
        if (v->real != v->real)
            kd_strbuf_puts(out, "nan");
        else if (v->real - v->real != 0)
            kd_strbuf_puts(out, v->real < 0 ? "-inf" : "inf");
        else {
            const char *text = kd_arena_printf(args->arena, "%.17g", v->real);
            kd_strbuf_printf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
        }
        break;
    case KD_EVAL_STRING:
        kd_strbuf_puts(out, "'");
        for (const char *p = v->text; *p; p++) {
            if (*p == '\n')
                kd_strbuf_puts(out, "\\n");
            else
                kd_strbuf_printf(out, "%s%c", *p == '\'' || *p == '\\' ? "\\" : "", *p);
        }
        kd_strbuf_puts(out, "'");
        break;
    case KD_EVAL_DTYPE: kd_strbuf_puts(out, kd_scalar_triton_name(v->dtype)); break;
    case KD_EVAL_TUPLE:
        kd_strbuf_puts(out, "(");
        for (unsigned i = 0; i < v->tuple.n; i++) {
            constant_text(args, &v->tuple.items[i], out);
            kd_strbuf_puts(out, i + 1 < v->tuple.n ? ", " : v->tuple.n == 1 ? ",)" : "");
        }
        kd_strbuf_puts(out, v->tuple.n == 1 ? "" : ")");
        break;
    case KD_EVAL_OBJECT: break;
    }
}

/* The type of a run-time scalar by Triton's rules for a launch (specialize.cc): bool u1, int by its size, float fp32. */
static kd_scalar type_of_number(const kd_eval_value *v)
{
    if (v->kind == KD_EVAL_BOOL)
        return KD_I1;
    if (v->kind == KD_EVAL_FLOAT)
        return KD_F32;
    if (v->integer >= INT32_MIN && v->integer <= INT32_MAX)
        return KD_I32;
    return v->integer <= INT64_MAX ? KD_I64 : KD_U64;
}

static bool is_number(const kd_eval_value *v)
{
    return v->kind == KD_EVAL_BOOL || v->kind == KD_EVAL_INT || v->kind == KD_EVAL_FLOAT;
}

/* Whether an integer, in two's complement, is a number of this type; unsigned types take negative numbers as C does. */
static bool fits(__int128 v, kd_scalar type)
{
    unsigned n_bits = kd_scalar_bits(type);
    __int128 one = 1;
    if (type == KD_I1)
        return v == 0 || v == 1;
    return v >= -(one << (n_bits - 1)) && v < one << (kd_scalar_is_unsigned(type) ? n_bits : n_bits - 1);
}

static kd_exit out_of_range(run_args *args, const run_arg *arg, const kd_eval_value *v, kd_scalar type)
{
    if (v->kind == KD_EVAL_FLOAT)
        kd_cli_error("argument '%s': %g is no whole number, but its type is %s", arg->name, v->real, kd_scalar_name(type));
    else
        kd_cli_error("argument '%s': %s does not fit into %s", arg->name, run_int_text(args->arena, v->integer), kd_scalar_name(type));
    return run_args_fail(args, KD_EXIT_USAGE);
}

static kd_exit check_value(run_args *args, const run_arg *arg, const kd_eval_value *v)
{
    kd_exit status = KD_EXIT_OK;
    if (v->kind == KD_EVAL_TUPLE)
        for (unsigned i = 0; i < v->tuple.n && status == KD_EXIT_OK; i++)
            status = check_value(args, arg, &v->tuple.items[i]);
    if (!is_number(v))
        return status;
    kd_scalar type = arg->has_fixed_type ? arg->fixed_type : type_of_number(v);
    if (kd_scalar_is_float(type))
        return KD_EXIT_OK;
    return v->kind == KD_EVAL_FLOAT || !fits(v->integer, type) ? out_of_range(args, arg, v, type) : KD_EXIT_OK;
}

kd_exit run_arg_check_range(run_args *args, const run_arg *arg)
{
    if (arg->is_array || arg->function || !arg->param || arg->param->is_constexpr)
        return KD_EXIT_OK;
    return check_value(args, arg, &arg->value);
}

/* Whether the code gets the value as a constant: constexpr by annotation, None, text, a type; and, as Triton does, the number 1. */
static bool is_constant(const run_arg *arg, const kd_eval_value *v)
{
    if (arg->param->is_constexpr)
        return true;
    if (v->kind == KD_EVAL_OBJECT || v->kind == KD_EVAL_TUPLE)
        return false;
    return !is_number(v) || (v->kind == KD_EVAL_INT && v->integer == 1 && !arg->param->no_specialize && !arg->has_fixed_type);
}

/* A value as an entry of the signature. A tuple's elements are specialized one by one. */
static void entry_text(run_args *args, const run_arg *arg, const kd_eval_value *v, kd_strbuf *out)
{
    if (is_constant(arg, v)) {
        constant_text(args, v, out);
    } else if (v->kind == KD_EVAL_OBJECT) {
        kd_strbuf_printf(out, "*%s:16", kd_scalar_triton_name(run_arg_array(v->object)->type));
    } else if (v->kind == KD_EVAL_TUPLE) {
        kd_strbuf_puts(out, "(");
        for (unsigned i = 0; i < v->tuple.n; i++) {
            kd_strbuf_puts(out, i ? ", " : "");
            entry_text(args, arg, &v->tuple.items[i], out);
        }
        kd_strbuf_puts(out, v->tuple.n == 1 ? ",)" : ")");
    } else {
        bool divisible = v->kind == KD_EVAL_INT && v->integer % 16 == 0 && !arg->param->no_specialize;
        kd_scalar type = arg->has_fixed_type ? arg->fixed_type : type_of_number(v);
        kd_strbuf_printf(out, "%s%s", kd_scalar_triton_name(type), divisible && kd_scalar_is_int(type) ? ":16" : "");
    }
}

/* What an argument is to the kernel. */
static kd_eval_value value_of(run_arg *arg)
{
    return arg->is_array ? (kd_eval_value){.kind = KD_EVAL_OBJECT, .object = arg} : arg->value;
}

const char *run_args_signature(run_args *args)
{
    kd_strbuf out = kd_strbuf_in(args->arena);
    for (unsigned i = 0; i < args->n; i++) {
        run_arg *arg = &args->data[i];
        if (!arg->param)
            continue;
        kd_strbuf_printf(&out, "%s%s=", out.len ? ", " : "", arg->name);
        kd_eval_value value = value_of(arg);
        if (arg->function)
            kd_strbuf_printf(&out, "fn:%s", arg->function);
        else
            entry_text(args, arg, &value, &out);
    }
    return kd_strbuf_text(&out);
}

/* ---- launch ---- */

/* Run-time values in the order of the parameters, tuples taken apart, each with the name that the compiled kernel gives it. */
typedef struct leaf {
    const char *name;
    kd_eval_value value;
} leaf;

typedef struct leaves {
    leaf *data;
    unsigned n, cap;
} leaves;

static void add_leaves(run_args *args, const run_arg *arg, const char *name, const kd_eval_value *v, leaves *out)
{
    if (v->kind == KD_EVAL_TUPLE && !arg->param->is_constexpr)
        for (unsigned i = 0; i < v->tuple.n; i++)
            add_leaves(args, arg, kd_arena_printf(args->arena, "%s_%u", name, i), &v->tuple.items[i], out);
    else
        kd_vec_push(args->arena, out, ((leaf){name, *v}));
}

static leaves all_leaves(run_args *args)
{
    leaves out = {0};
    for (unsigned i = 0; i < args->kernel->n_params; i++) {
        run_arg *arg = run_args_find(args, args->kernel->params[i].name);
        if (!arg || arg->function)
            continue;
        kd_eval_value value = value_of(arg);
        add_leaves(args, arg, arg->name, &value, &out);
    }
    return out;
}

bool run_args_share(run_args *args)
{
    leaves all = all_leaves(args);
    for (unsigned i = 0; i < all.n; i++)
        for (unsigned k = 0; k < i && all.data[i].value.kind == KD_EVAL_OBJECT; k++)
            if (all.data[k].value.kind == KD_EVAL_OBJECT && all.data[k].value.object == all.data[i].value.object)
                return true;
    return false;
}

kd_exit run_args_pack(run_args *args, const kd_kernel_desc *desc, kd_arg **out_args, kd_array ***out_arrays)
{
    kd_arg *packed = kd_arena_array(args->arena, kd_arg, desc->n_args);
    kd_array **arrays = kd_arena_array(args->arena, kd_array *, desc->n_args);
    leaves all = all_leaves(args);
    unsigned at = 0;
    for (unsigned i = 0; i < desc->n_args; i++) {
        const kd_kernel_arg *wanted = &desc->args[i];
        while (at < all.n && strcmp(all.data[at].name, wanted->name) != 0)
            at++;
        const kd_eval_value *v = at < all.n ? &all.data[at++].value : NULL;
        if (!v || (v->kind == KD_EVAL_OBJECT) != wanted->is_pointer || (!wanted->is_pointer && !is_number(v))) {
            kd_cli_error("the kernel needs '%s' at run time, which has no value of its type", wanted->name);
            return run_args_fail(args, KD_EXIT_USAGE);
        }
        arrays[i] = v->kind == KD_EVAL_OBJECT ? run_arg_array(v->object) : NULL;
        if (arrays[i])
            packed[i] = kd_arg_ptr(arrays[i]->data, arrays[i]->n_bytes);
        else if (kd_scalar_is_float(wanted->type))
            packed[i] = kd_arg_float(wanted->type, v->kind == KD_EVAL_FLOAT ? v->real : (double)v->integer);
        else
            packed[i] = kd_arg_i64((int64_t)v->integer);
    }
    *out_args = packed;
    *out_arrays = arrays;
    return KD_EXIT_OK;
}
