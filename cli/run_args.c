/* run_args.c - the values of 'kdsl run': words of the command line to arrays, signature and launch arguments. */
#include "base/scalar.h"
#include "base/vec.h"
#include "cli/run_impl.h"

#include <stdlib.h>

static kd_exit fail(run_args *args, kd_exit how)
{
    if (args->failed == KD_EXIT_OK)
        args->failed = how;
    return how;
}

run_arg *run_args_find(run_args *args, const char *name)
{
    for (unsigned i = 0; i < args->n; i++)
        if (strcmp(args->data[i].name, name) == 0)
            return &args->data[i];
    return NULL;
}

void run_args_release(run_args *args)
{
    for (unsigned i = 0; i < args->n; i++)
        kd_array_release(&args->data[i].array);
}

/* ---- words ---- */

static const kd_param_info *find_param(const kd_kernel_info *kernel, const char *name)
{
    for (unsigned i = 0; i < kernel->n_params; i++)
        if (strcmp(kernel->params[i].name, name) == 0)
            return &kernel->params[i];
    return NULL;
}

static kd_exit unknown_param(run_args *args, const char *name)
{
    const char **names = kd_arena_array(args->arena, const char *, args->kernel->n_params);
    for (unsigned i = 0; i < args->kernel->n_params; i++)
        names[i] = args->kernel->params[i].name;
    const char *near = kd_cli_nearest(name, names, args->kernel->n_params);
    if (near)
        kd_cli_error("kernel '%s' has no parameter '%s'; did you mean '%s'?", args->kernel->name, name, near);
    else
        kd_cli_error("kernel '%s' has no parameter '%s'", args->kernel->name, name);
    return fail(args, KD_EXIT_USAGE);
}

/* "96:i64" is 96 of a fixed type. Not inside quotes or brackets, where a colon is the expression's. */
static void split_fixed_type(run_args *args, run_arg *arg)
{
    const char *colon = strrchr(arg->text, ':');
    kd_scalar type;
    if (colon && colon != arg->text && kd_scalar_parse(kd_str_of(colon + 1), &type)) {
        arg->text = kd_arena_strndup(args->arena, arg->text, (size_t)(colon - arg->text));
        arg->fixed_type = type;
        arg->has_fixed_type = true;
    }
}

static run_arg *new_arg(run_args *args, const kd_param_info *param, const char *text)
{
    run_arg *arg = &args->data[args->n];
    *arg = (run_arg){.name = param->name, .text = text, .param = param};
    args->names[args->n++] = param->name;
    arg->is_array = kd_array_is_value(text);
    if (!arg->is_array)
        split_fixed_type(args, arg);
    if (!arg->has_fixed_type && param->type && kd_scalar_parse(kd_str_of(param->type), &arg->fixed_type))
        arg->has_fixed_type = true;
    return arg;
}

kd_exit run_args_collect(run_args *args, const kd_text_list *words)
{
    args->data = kd_arena_array(args->arena, run_arg, args->kernel->n_params);
    args->names = kd_arena_array(args->arena, const char *, args->kernel->n_params);
    for (unsigned i = 0; i < words->n; i++) {
        const char *word = words->data[i], *equals = strchr(word, '=');
        if (!equals || equals == word) {
            kd_cli_error("'%s' is not NAME=VALUE", word);
            return fail(args, KD_EXIT_USAGE);
        }
        const char *name = kd_arena_strndup(args->arena, word, (size_t)(equals - word));
        const kd_param_info *param = find_param(args->kernel, name);
        if (!param)
            return unknown_param(args, name);
        if (run_args_find(args, name)) {
            kd_cli_error("parameter '%s' is given twice", name);
            return fail(args, KD_EXIT_USAGE);
        }
        new_arg(args, param, equals + 1);
    }
    return KD_EXIT_OK;
}

kd_exit run_args_apply_config(run_args *args, const kd_config_info *config)
{
    for (unsigned i = 0; i < config->n; i++) {
        const kd_param_info *param = find_param(args->kernel, config->names[i]);
        if (param && !run_args_find(args, param->name))
            new_arg(args, param, config->values[i]);
    }
    return KD_EXIT_OK;
}

static const kd_heuristic_info *find_heuristic(const kd_kernel_info *kernel, const char *name)
{
    for (unsigned i = 0; i < kernel->n_heuristics; i++)
        if (kernel->heuristics[i].expression && strcmp(kernel->heuristics[i].name, name) == 0)
            return &kernel->heuristics[i];
    return NULL;
}

/* Parameters that nobody gave: a heuristic or the default in the source, else they are missing. */
static kd_exit add_defaults(run_args *args)
{
    kd_strbuf missing = kd_strbuf_in(args->arena);
    unsigned n_missing = 0;
    for (unsigned i = 0; i < args->kernel->n_params; i++) {
        const kd_param_info *param = &args->kernel->params[i];
        if (run_args_find(args, param->name))
            continue;
        const kd_heuristic_info *heuristic = find_heuristic(args->kernel, param->name);
        if (heuristic)
            new_arg(args, param, heuristic->expression)->dict = heuristic->dict;
        else if (param->default_text)
            new_arg(args, param, param->default_text);
        else
            kd_strbuf_printf(&missing, "%s'%s'", n_missing++ ? ", " : "", param->name);
    }
    if (!n_missing)
        return KD_EXIT_OK;
    kd_cli_error("kernel '%s' needs %s for %s", args->kernel->name, n_missing > 1 ? "values" : "a value", kd_strbuf_text(&missing));
    if (args->kernel->n_configs)
        kd_cli_note("--config 0 takes the block sizes of the first triton.Config in the file");
    return fail(args, KD_EXIT_USAGE);
}

/* ---- values ---- */

static kd_exit evaluate(run_args *args, run_arg *arg);

static bool resolve_name(void *user, const char *name, kd_eval_value *out)
{
    run_args *args = user;
    run_arg *arg = run_args_find(args, name);
    if (!arg || evaluate(args, arg) != KD_EXIT_OK)
        return false;
    if (arg->is_array)
        *out = (kd_eval_value){.kind = KD_EVAL_OBJECT, .object = arg};
    else
        *out = arg->value;
    return true;
}

static kd_eval_value int_value(uint64_t v)
{
    return (kd_eval_value){.kind = KD_EVAL_INT, .integer = (__int128)v};
}

/* The strides of a row-major array, in elements. */
static uint64_t stride_of(const kd_array *array, unsigned axis)
{
    uint64_t stride = 1;
    for (unsigned i = axis + 1; i < array->n_dims; i++)
        stride *= array->shape[i];
    return stride;
}

static kd_eval_value tuple_of_axes(run_args *args, const kd_array *array, bool strides)
{
    kd_eval_value *items = kd_arena_array(args->arena, kd_eval_value, array->n_dims);
    for (unsigned i = 0; i < array->n_dims; i++)
        items[i] = int_value(strides ? stride_of(array, i) : array->shape[i]);
    kd_eval_value tuple = {.kind = KD_EVAL_TUPLE};
    tuple.tuple.items = items;
    tuple.tuple.n = array->n_dims;
    return tuple;
}

static bool resolve_attribute(void *user, void *object, const char *name, kd_eval_value *out)
{
    const kd_array *array = &((run_arg *)object)->array;
    if (strcmp(name, "numel") == 0 || strcmp(name, "size") == 0)
        *out = int_value(array->n_elems);
    else if (strcmp(name, "ndim") == 0)
        *out = int_value(array->n_dims);
    else if (strcmp(name, "shape") == 0)
        *out = tuple_of_axes(user, array, false);
    else if (strcmp(name, "strides") == 0)
        *out = tuple_of_axes(user, array, true);
    else if (strcmp(name, "dtype") == 0)
        *out = (kd_eval_value){.kind = KD_EVAL_DTYPE, .dtype = array->type};
    else
        return false;
    return true;
}

static bool resolve_method(void *user, void *object, const char *name, const kd_eval_value *operands, unsigned n, kd_eval_value *out)
{
    const kd_array *array = &((run_arg *)object)->array;
    if (strcmp(name, "numel") == 0 && n == 0)
        *out = int_value(array->n_elems);
    else if (strcmp(name, "element_size") == 0 && n == 0)
        *out = int_value(kd_scalar_bytes(array->type));
    else if (strcmp(name, "dim") == 0 && n == 0)
        *out = int_value(array->n_dims);
    else if ((strcmp(name, "stride") == 0 || strcmp(name, "size") == 0) && n <= 1) {
        bool strides = name[1] == 't';
        if (n == 0) {
            *out = tuple_of_axes(user, array, strides);
            return true;
        }
        if (operands[0].kind != KD_EVAL_INT)
            return false;
        __int128 axis = operands[0].integer < 0 ? operands[0].integer + array->n_dims : operands[0].integer;
        if (axis < 0 || axis >= array->n_dims)
            return false;
        *out = int_value(strides ? stride_of(array, (unsigned)axis) : array->shape[axis]);
    } else {
        return false;
    }
    return true;
}

static kd_status eval_text(run_args *args, const char *what, const char *text, const char *dict, kd_eval_value *out)
{
    kd_eval_scope scope = {.user = args, .name = resolve_name, .attribute = resolve_attribute, .method = resolve_method,
                           .names = args->names, .n_names = args->n, .dict = dict};
    return kd_compiler_eval(args->compiler, what, text, &scope, out);
}

static kd_exit report_eval(run_args *args, kd_status status)
{
    if (args->failed == KD_EXIT_OK) /* otherwise a name in the expression has failed, and said so */
        fputs(kd_compiler_messages(args->compiler), stderr);
    return fail(args, status == KD_ERR_REPORTED ? KD_EXIT_USAGE : kd_cli_exit_of(status));
}

static bool eval_number(void *user, kd_str text, double *out)
{
    run_args *args = user;
    kd_eval_value value;
    kd_status status = eval_text(args, "an array's shape", kd_arena_strndup(args->arena, text.ptr, text.len), NULL, &value);
    if (status != KD_OK) {
        report_eval(args, status);
        return false;
    }
    if (value.kind == KD_EVAL_INT || value.kind == KD_EVAL_BOOL)
        *out = (double)value.integer;
    else if (value.kind == KD_EVAL_FLOAT)
        *out = value.real;
    else {
        kd_cli_error("'%.*s' is not a number", KD_STR_ARG(text));
        fail(args, KD_EXIT_USAGE);
        return false;
    }
    return true;
}

static const char *function_named(run_args *args, const char *text)
{
    for (unsigned i = 0; i < args->file->n_kernels; i++)
        if (strcmp(args->file->kernels[i].name, text) == 0)
            return args->file->kernels[i].name;
    return NULL;
}

static kd_exit evaluate(run_args *args, run_arg *arg)
{
    if (arg->state == ARG_DONE)
        return KD_EXIT_OK;
    if (arg->state == ARG_BUSY) {
        kd_cli_error("the value of '%s' depends on itself", arg->name);
        return fail(args, KD_EXIT_USAGE);
    }
    arg->state = ARG_BUSY;
    if (arg->is_array) {
        kd_failure why = {0};
        uint64_t index = (uint64_t)(arg - args->data);
        kd_status status = kd_array_make(arg->text, args->seed + index * UINT64_C(0x9e3779b97f4a7c15), eval_number, args, &arg->array, &why);
        if (status != KD_OK) {
            if (status != KD_ERR_REPORTED)
                kd_cli_error("argument '%s': %s", arg->name, why.text);
            return fail(args, status == KD_ERR_REPORTED ? KD_EXIT_USAGE : kd_cli_exit_of(status));
        }
    } else if (!(arg->function = run_args_find(args, arg->text) ? NULL : function_named(args, arg->text))) {
        kd_status status = eval_text(args, kd_arena_printf(args->arena, "argument '%s'", arg->name), arg->text, arg->dict, &arg->value);
        if (status != KD_OK)
            return report_eval(args, status);
        if (arg->value.kind == KD_EVAL_OBJECT) {
            kd_cli_error("argument '%s' is the array '%s'; only a parameter's own value can be an array", arg->name, arg->text);
            return fail(args, KD_EXIT_USAGE);
        }
    }
    arg->state = ARG_DONE;
    return KD_EXIT_OK;
}

kd_exit run_args_evaluate(run_args *args)
{
    kd_exit status = add_defaults(args);
    for (unsigned i = 0; i < args->n && status == KD_EXIT_OK; i++)
        status = evaluate(args, &args->data[i]);
    return status;
}

/* ---- signature ---- */

static const char *int128_text(kd_arena *arena, __int128 v)
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
    case KD_EVAL_INT: kd_strbuf_puts(out, int128_text(args->arena, v->integer)); break;
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
static kd_scalar type_of_number(const run_arg *arg)
{
    const kd_eval_value *v = &arg->value;
    if (arg->has_fixed_type)
        return arg->fixed_type;
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

/* Whether the code gets the value as a constant: constexpr by annotation, None, text, a type; and, as Triton does, the number 1. */
static bool is_constant(const run_arg *arg)
{
    if (arg->is_array)
        return false;
    if (arg->param->is_constexpr || arg->function || !is_number(&arg->value))
        return true;
    return arg->value.kind == KD_EVAL_INT && arg->value.integer == 1 && !arg->param->no_specialize && !arg->has_fixed_type;
}

const char *run_args_signature(run_args *args)
{
    kd_strbuf out = kd_strbuf_in(args->arena);
    for (unsigned i = 0; i < args->n; i++) {
        const run_arg *arg = &args->data[i];
        kd_strbuf_printf(&out, "%s%s=", i ? ", " : "", arg->name);
        if (arg->is_array)
            kd_strbuf_printf(&out, "*%s:16", kd_scalar_triton_name(arg->array.type));
        else if (arg->function)
            kd_strbuf_printf(&out, "fn:%s", arg->function);
        else if (is_constant(arg))
            constant_text(args, &arg->value, &out);
        else {
            bool divisible = arg->value.kind == KD_EVAL_INT && arg->value.integer % 16 == 0 && !arg->param->no_specialize;
            kd_strbuf_printf(&out, "%s%s", kd_scalar_triton_name(type_of_number(arg)), divisible ? ":16" : "");
        }
    }
    return kd_strbuf_text(&out);
}

/* ---- launch ---- */

kd_exit run_args_pack(run_args *args, const kd_kernel_desc *desc, kd_arg **out_args)
{
    kd_arg *packed = kd_arena_array(args->arena, kd_arg, desc->n_args);
    for (unsigned i = 0; i < desc->n_args; i++) {
        run_arg *arg = run_args_find(args, desc->args[i].name);
        if (!arg) {
            kd_cli_error("the kernel needs '%s' at run time, which has no value", desc->args[i].name);
            return fail(args, KD_EXIT_USAGE);
        }
        if (arg->is_array)
            packed[i] = kd_arg_ptr(arg->array.data, arg->array.n_bytes);
        else if (kd_scalar_is_float(desc->args[i].type))
            packed[i] = kd_arg_float(desc->args[i].type, arg->value.kind == KD_EVAL_FLOAT ? arg->value.real : (double)arg->value.integer);
        else
            packed[i] = kd_arg_i64((int64_t)arg->value.integer);
    }
    *out_args = packed;
    return KD_EXIT_OK;
}

kd_exit run_args_grid(run_args *args, const char *text, uint32_t out_grid[3])
{
    kd_eval_value value;
    kd_status status = eval_text(args, "the grid", text, NULL, &value);
    if (status != KD_OK)
        return report_eval(args, status);
    const kd_eval_value *extents = value.kind == KD_EVAL_TUPLE ? value.tuple.items : &value;
    unsigned n = value.kind == KD_EVAL_TUPLE ? value.tuple.n : 1;
    if (n < 1 || n > 3) {
        kd_cli_error("a grid has one to three extents, but '%s' has %u", text, n);
        return fail(args, KD_EXIT_USAGE);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (i < n && (extents[i].kind != KD_EVAL_INT || extents[i].integer < 0 || extents[i].integer > INT32_MAX)) {
            kd_cli_error("extent %u of the grid '%s' is not a whole number from 0 to 2147483647", i, text);
            return fail(args, KD_EXIT_USAGE);
        }
        out_grid[i] = i < n ? (uint32_t)extents[i].integer : 1;
    }
    return KD_EXIT_OK;
}
