/* run_args.c - the values of 'kdsl run': words of the command line to arrays and numbers. */
#include "base/scalar.h"
#include "base/vec.h"
#include "cli/run_impl.h"

#include <math.h>

enum { MAX_DEPTH = 100 }; /* of values that need each other's */

kd_exit run_args_fail(run_args *args, kd_exit how)
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

kd_array *run_arg_array(run_arg *arg)
{
    if (!arg->is_array && arg->value.kind == KD_EVAL_OBJECT)
        arg = arg->value.object;
    return arg->is_array ? &arg->array : NULL;
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

static const char *param_list(run_args *args)
{
    kd_strbuf text = kd_strbuf_in(args->arena);
    for (unsigned i = 0; i < args->kernel->n_params; i++)
        kd_strbuf_printf(&text, "%s'%s'", i ? ", " : "", args->kernel->params[i].name);
    return kd_strbuf_text(&text);
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
        kd_cli_error("kernel '%s' has no parameter '%s', nor does another value need it; it has %s", args->kernel->name, name, param_list(args));
    return run_args_fail(args, KD_EXIT_USAGE);
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

static run_arg *new_arg(run_args *args, const char *name, const kd_param_info *param, const char *text)
{
    run_arg *arg = &args->data[args->n];
    *arg = (run_arg){.name = name, .text = text, .param = param};
    args->n++;
    arg->is_array = kd_array_is_value(text);
    if (!arg->is_array)
        split_fixed_type(args, arg);
    if (!arg->has_fixed_type && param && param->type && kd_scalar_parse(kd_str_of(param->type), &arg->fixed_type))
        arg->has_fixed_type = true;
    return arg;
}

kd_exit run_args_collect(run_args *args, const kd_text_list *words)
{
    args->data = kd_arena_array(args->arena, run_arg, args->kernel->n_params + words->n);
    for (unsigned i = 0; i < words->n; i++) {
        const char *word = words->data[i], *equals = strchr(word, '=');
        if (!equals || equals == word) {
            kd_cli_error("expected NAME=VALUE, but found '%s'", word);
            return run_args_fail(args, KD_EXIT_USAGE);
        }
        const char *name = kd_arena_strndup(args->arena, word, (size_t)(equals - word));
        const kd_param_info *param = find_param(args->kernel, name);
        if (run_args_find(args, name)) {
            kd_cli_error("'%s' is given twice", name);
            return run_args_fail(args, KD_EXIT_USAGE);
        }
        new_arg(args, name, param, equals + 1);
    }
    return KD_EXIT_OK;
}

kd_exit run_args_apply_config(run_args *args, const kd_config_info *config)
{
    for (unsigned i = 0; i < config->n; i++) {
        const kd_param_info *param = find_param(args->kernel, config->names[i]);
        if (param && !run_args_find(args, param->name))
            new_arg(args, param->name, param, config->values[i]);
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
            new_arg(args, param->name, param, heuristic->expression)->dict = heuristic->dict;
        else if (param->default_text)
            new_arg(args, param->name, param, param->default_text);
        else
            kd_strbuf_printf(&missing, "%s'%s'", n_missing++ ? ", " : "", param->name);
    }
    if (!n_missing)
        return KD_EXIT_OK;
    for (unsigned i = 0; i < args->n; i++)
        if (!args->data[i].param)
            return unknown_param(args, args->data[i].name);
    kd_cli_error("kernel '%s' needs %s for %s", args->kernel->name, n_missing > 1 ? "values" : "a value", kd_strbuf_text(&missing));
    if (args->kernel->n_configs)
        kd_cli_note("--config 0 takes the block sizes of the first triton.Config in the file");
    return run_args_fail(args, KD_EXIT_USAGE);
}

/* ---- values ---- */

static kd_exit evaluate(run_args *args, run_arg *arg);

static bool resolve_name(void *user, const char *name, kd_eval_value *out)
{
    run_args *args = user;
    run_arg *arg = run_args_find(args, name);
    if (!arg && (strcmp(name, "inf") == 0 || strcmp(name, "nan") == 0)) {
        *out = (kd_eval_value){.kind = KD_EVAL_FLOAT, .real = name[0] == 'i' ? INFINITY : NAN};
        return true;
    }
    if (!arg || evaluate(args, arg) != KD_EXIT_OK)
        return false;
    arg->is_used = true;
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
                           .names = args->names, .n_names = args->n_names, .dict = dict};
    return kd_compiler_eval(args->compiler, what, text, &scope, out);
}

static kd_exit report_eval(run_args *args, kd_status status)
{
    if (args->failed == KD_EXIT_OK) /* otherwise a name in the expression has failed, and said so */
        fputs(kd_compiler_messages(args->compiler), stderr);
    return run_args_fail(args, status == KD_ERR_REPORTED ? KD_EXIT_USAGE : kd_cli_exit_of(status));
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
        run_args_fail(args, KD_EXIT_USAGE);
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

static kd_exit find_value(run_args *args, run_arg *arg)
{
    if (arg->is_array) {
        kd_failure why = {0};
        uint64_t index = (uint64_t)(arg - args->data);
        kd_status status = kd_array_make(arg->text, args->seed + index * UINT64_C(0x9e3779b97f4a7c15), eval_number, args, &arg->array, &why);
        if (status != KD_OK) {
            if (status != KD_ERR_REPORTED)
                kd_cli_error("argument '%s': %s", arg->name, why.text);
            return run_args_fail(args, status == KD_ERR_REPORTED ? KD_EXIT_USAGE : kd_cli_exit_of(status));
        }
    } else if (!(arg->function = run_args_find(args, arg->text) ? NULL : function_named(args, arg->text))) {
        kd_status status = eval_text(args, kd_arena_printf(args->arena, "argument '%s'", arg->name), arg->text, arg->dict, &arg->value);
        if (status != KD_OK)
            return report_eval(args, status);
    }
    return run_arg_check_range(args, arg);
}

static kd_exit evaluate(run_args *args, run_arg *arg)
{
    if (arg->state == ARG_DONE)
        return KD_EXIT_OK;
    if (arg->state == ARG_BUSY) {
        kd_cli_error("the value of '%s' depends on itself", arg->name);
        return run_args_fail(args, KD_EXIT_USAGE);
    }
    if (args->depth == MAX_DEPTH) {
        kd_cli_error("the value of '%s' is needed by one that is needed by one ... more than %d deep", arg->name, MAX_DEPTH);
        return run_args_fail(args, KD_EXIT_USAGE);
    }
    arg->state = ARG_BUSY;
    args->depth++;
    kd_exit status = find_value(args, arg);
    args->depth--;
    if (status == KD_EXIT_OK)
        arg->state = ARG_DONE;
    return status;
}

/* What expressions may name, for suggestions. */
static void collect_names(run_args *args)
{
    args->names = kd_arena_array(args->arena, const char *, args->n + args->file->n_kernels);
    args->n_names = 0;
    for (unsigned i = 0; i < args->n; i++)
        args->names[args->n_names++] = args->data[i].name;
    for (unsigned i = 0; i < args->file->n_kernels; i++)
        if (!args->file->kernels[i].is_kernel)
            args->names[args->n_names++] = args->file->kernels[i].name;
}

kd_exit run_args_evaluate(run_args *args)
{
    kd_exit status = add_defaults(args);
    collect_names(args);
    for (unsigned i = 0; i < args->n && status == KD_EXIT_OK; i++)
        if (args->data[i].param)
            status = evaluate(args, &args->data[i]);
    return status;
}

/* ---- the grid ---- */

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
        return run_args_fail(args, KD_EXIT_USAGE);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (i < n && (extents[i].kind != KD_EVAL_INT || extents[i].integer < 0 || extents[i].integer > INT32_MAX)) {
            kd_cli_error("extent %u of the grid '%s' is not a whole number from 0 to 2147483647", i, text);
            return run_args_fail(args, KD_EXIT_USAGE);
        }
        out_grid[i] = i < n ? (uint32_t)extents[i].integer : 1;
    }
    for (unsigned i = 0; i < args->n; i++) /* a name that nobody asked for is a slip of the pen */
        if (!args->data[i].param && !args->data[i].is_used)
            return unknown_param(args, args->data[i].name);
    return KD_EXIT_OK;
}
