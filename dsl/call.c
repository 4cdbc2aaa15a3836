/* call.c - calls: arguments to parameters, and one instance of a function for each list of argument types and compile-time values. */
#include "dsl/lower_impl.h"

typedef struct kd_instance {
    kd_op *func;
    kd_dval ret; /* its tensors, in order, are the results of a call */
    unsigned n_results;
    bool in_progress;
} kd_instance;

/* ---- arguments to parameters ---- */

static const char *function_name(kd_lower *lw, const kd_function *f)
{
    return f->name.len ? kd_arena_printf(lw->arena, "'%.*s'", KD_STR_ARG(f->name)) : "the lambda";
}

static kd_dval default_value(kd_lower *lw, kd_dval callee, const kd_param *p)
{
    if (!callee.fn.closure)
        return kd_eval_quietly(lw, kd_dmodule_scope(callee.fn.module), p->default_value);
    kd_scope *old = lw->scope;
    lw->scope = callee.fn.closure;
    kd_dval v = kd_eval(lw, p->default_value);
    lw->scope = old;
    return v;
}

static bool bind_keyword(kd_lower *lw, const kd_function *f, const kd_darg *arg, kd_dval *values, bool *bound)
{
    kd_nearest nearest = kd_nearest_to(arg->keyword);
    for (unsigned i = 0; i < f->n_params; i++) {
        const kd_param *p = &f->params[i];
        if (p->kind == KD_PARAM_STAR || p->kind == KD_PARAM_STAR_STAR)
            continue;
        kd_nearest_try(&nearest, p->name);
        if (!kd_str_equal(p->name, arg->keyword))
            continue;
        if (bound[i]) {
            kd_error(lw->diags, arg->loc, "%s gets its parameter '%.*s' twice", function_name(lw, f), KD_STR_ARG(p->name));
            return false;
        }
        values[i] = arg->value;
        bound[i] = true;
        return true;
    }
    kd_error(lw->diags, arg->loc, "%s has no parameter '%.*s'%s", function_name(lw, f), KD_STR_ARG(arg->keyword), kd_nearest_hint(lw->arena, &nearest));
    if (f->loc.source)
        kd_note(lw->diags, f->loc, "it is defined here");
    return false;
}

static bool bind_positional(kd_lower *lw, kd_loc loc, const kd_function *f, const kd_darg *args, unsigned n_args, kd_dval *values, bool *bound)
{
    unsigned at = 0, n = 0;
    bool has_default = false;
    for (unsigned i = 0; i < n_args; i++)
        n += !args[i].keyword.len;
    for (unsigned i = 0; i < f->n_params; i++) {
        const kd_param *p = &f->params[i];
        if (p->kind == KD_PARAM_STAR) {
            kd_dval *rest = kd_arena_array(lw->arena, kd_dval, n - at);
            for (unsigned j = at; j < n; j++)
                rest[j - at] = args[j].value;
            values[i] = kd_d_tuple(lw, rest, n - at);
            bound[i] = true;
            at = n;
        } else if (p->kind == KD_PARAM_STAR_STAR) {
            values[i] = kd_d_none();
            bound[i] = true;
        } else if (p->kind == KD_PARAM_PLAIN && at < n) {
            values[i] = args[at++].value;
            bound[i] = true;
            has_default |= p->default_value != NULL;
        }
    }
    if (at == n)
        return true;
    kd_error(lw->diags, args[at].loc.source ? args[at].loc : loc, "%s takes %s%u argument%s, but got %u", function_name(lw, f), has_default ? "at most " : "", at,
             at == 1 ? "" : "s", n);
    if (f->loc.source)
        kd_note(lw->diags, f->loc, "it is defined here");
    return false;
}

/* Positional arguments come before keywords in args: the parser sees to that, and self is put in front. */
static bool bind_args(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args, kd_dval *values)
{
    const kd_function *f = callee.fn.function;
    bool *bound = kd_arena_array(lw->arena, bool, f->n_params);
    if (!bind_positional(lw, loc, f, args, n_args, values, bound))
        return false;
    for (unsigned i = 0; i < n_args; i++)
        if (args[i].keyword.len && !bind_keyword(lw, f, &args[i], values, bound))
            return false;
    for (unsigned i = 0; i < f->n_params; i++) {
        if (bound[i])
            continue;
        if (!f->params[i].default_value) {
            kd_error(lw->diags, loc, "%s needs an argument for its parameter '%.*s'", function_name(lw, f), KD_STR_ARG(f->params[i].name));
            if (f->loc.source)
                kd_note(lw->diags, f->params[i].loc, "the parameter is here");
            return false;
        }
        values[i] = default_value(lw, callee, &f->params[i]);
    }
    return true;
}

bool kd_function_takes(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args)
{
    return bind_args(lw, loc, callee, args, n_args, kd_arena_array(lw->arena, kd_dval, callee.fn.function->n_params));
}

/* ---- bodies ---- */

static kd_scope *scope_with(kd_lower *lw, kd_dval callee, const kd_dval *values)
{
    const kd_function *f = callee.fn.function;
    kd_scope *scope = kd_scope_create(lw, callee.fn.closure, callee.fn.module, f);
    scope->is_python = callee.fn.is_python;
    for (unsigned i = 0; i < f->n_params; i++)
        kd_scope_set(lw, scope, f->params[i].name, values[i], f->params[i].loc);
    return scope;
}

kd_dval kd_lower_body(kd_lower *lw, kd_scope *scope, const kd_function *function)
{
    kd_scope *old = lw->scope;
    lw->scope = scope;
    kd_seq seq = {function->body.stmts, function->body.n, NULL};
    scope->ret = kd_d_none();
    kd_flow flow = kd_lower_seq(lw, &seq, true);
    lw->scope = old;
    if (flow == KD_FLOW_STOP || lw->stopped)
        return KD_D_ERR;
    return flow == KD_FLOW_RETURN ? scope->ret : kd_d_none();
}

/* ---- instances ---- */

static kd_str instance_key(kd_lower *lw, kd_dval callee, const kd_dval *values)
{
    kd_strbuf key = kd_strbuf_in(lw->arena);
    kd_strbuf_printf(&key, "%p,%p:", (const void *)callee.fn.function, (const void *)callee.fn.module);
    for (unsigned i = 0; i < callee.fn.function->n_params; i++)
        kd_d_instance_key(&key, values[i]);
    return (kd_str){kd_strbuf_text(&key), key.len};
}

static void add_params(kd_lower *lw, const kd_function *f, kd_block *block, kd_dval *values)
{
    for (unsigned i = 0; i < f->n_params; i++) {
        kd_values leaves = {0};
        kd_d_leaves(lw, values[i], &leaves);
        for (unsigned j = 0; j < leaves.n; j++) {
            const char *name = kd_arena_strndup(lw->arena, f->params[i].name.ptr, f->params[i].name.len);
            leaves.data[j] = kd_block_add_arg(lw->module, block, leaves.data[j]->type, name);
        }
        values[i] = kd_d_rebuild(lw, values[i], leaves.data);
    }
}

static void lower_instance(kd_lower *lw, kd_instance *inst, kd_dval callee, const kd_dval *args)
{
    const kd_function *f = callee.fn.function;
    kd_builder outside = lw->b;
    kd_builder b = kd_builder_at_end(lw->module, kd_op_region(lw->module->op, 0));
    const char *name = kd_arena_printf(lw->arena, "%.*s__%u", KD_STR_ARG(f->name), lw->instances.n_entries);
    inst->func = kd_build_func(&b, (kd_func_args){.loc = f->loc, .name = kd_str_of(name)});
    kd_block *body = kd_op_region(inst->func, 0);
    kd_dval *values = kd_arena_array(lw->arena, kd_dval, f->n_params);
    memcpy(values, args, f->n_params * sizeof *values);
    add_params(lw, f, body, values);
    lw->b = kd_builder_at_end(lw->module, body);
    unsigned n_errors = kd_diags_n_errors(lw->diags);
    inst->in_progress = true;
    inst->ret = kd_lower_body(lw, scope_with(lw, callee, values), f);
    inst->in_progress = false;
    if (kd_diags_n_errors(lw->diags) > n_errors || kd_d_has_closure(inst->ret)) {
        if (kd_diags_n_errors(lw->diags) == n_errors)
            kd_error(lw->diags, f->loc, "a function returns a function that sees its variables");
        inst->ret = KD_D_ERR;
    }
    kd_values results = {0};
    kd_d_leaves(lw, inst->ret, &results);
    inst->n_results = results.n;
    kd_build_return(&lw->b, (kd_return_args){.loc = f->loc, .values = results.data, .n_values = results.n});
    lw->b = outside;
}

static kd_dval call_instance(kd_lower *lw, kd_loc loc, const kd_instance *inst, const kd_function *f, const kd_dval *values)
{
    if (kd_d_is_error(inst->ret))
        return inst->ret;
    kd_op *ret = kd_block_terminator(kd_op_region(inst->func, 0));
    if (ret == kd_op_region(inst->func, 0)->first && !inst->n_results) /* nothing happens at run time */
        return inst->ret;
    kd_values inputs = {0}, results = {0};
    for (unsigned i = 0; i < f->n_params; i++)
        kd_d_leaves(lw, values[i], &inputs);
    KD_VEC(const kd_type *) types = {0};
    for (unsigned i = 0; i < inst->n_results; i++)
        kd_vec_push(lw->arena, &types, kd_op_operand(ret, i)->type);
    kd_op *call = kd_build_call(&lw->b, (kd_call_args){.loc = loc, .inputs = inputs.data, .n_inputs = inputs.n, .types = types.data, .n_types = types.n,
                                                       .callee = kd_func_name(inst->func)});
    for (unsigned i = 0; i < inst->n_results; i++) { /* what a function hands through is the caller's own value */
        kd_value *v = kd_op_operand(ret, i);
        kd_vec_push(lw->arena, &results, v->owner == kd_op_region(inst->func, 0) ? inputs.data[v->index] : kd_op_result(call, i));
    }
    return kd_d_rebuild(lw, inst->ret, results.data);
}

static kd_dval call_by_instance(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_dval *values, bool *out_recursive)
{
    if (!lw->instances.arena)
        lw->instances = kd_map_in(lw->arena);
    kd_str key = instance_key(lw, callee, values);
    kd_instance *inst = kd_map_get(&lw->instances, key);
    if (inst && inst->in_progress) {
        kd_error(lw->diags, loc, "%s calls itself, which a kernel cannot do", function_name(lw, callee.fn.function));
        *out_recursive = true;
        return KD_D_ERR;
    }
    if (!inst) {
        if (lw->instances.n_entries >= KD_MAX_INSTANCES) {
            kd_lower_stop(lw, loc, kd_arena_printf(lw->arena, "calls of functions multiply: more than %d versions of them for different arguments", KD_MAX_INSTANCES));
            return KD_D_ERR;
        }
        inst = kd_arena_new(lw->arena, kd_instance);
        *kd_map_at(&lw->instances, key) = inst;
        lower_instance(lw, inst, callee, values);
    }
    return call_instance(lw, loc, inst, callee.fn.function, values);
}

/* ---- calls ---- */

static bool must_inline(kd_lower *lw, kd_dval callee, const kd_dval *values)
{
    bool inline_it = callee.fn.closure || callee.fn.is_python || lw->scope->is_python;
    for (unsigned i = 0; i < callee.fn.function->n_params; i++)
        inline_it |= kd_d_has_closure(values[i]);
    return inline_it;
}

static kd_dval call_function(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args, bool in_place)
{
    const kd_function *f = callee.fn.function;
    if (lw->call_depth >= KD_MAX_CALL_DEPTH) {
        kd_lower_stop(lw, loc, kd_arena_printf(lw->arena, "calls are nested more than %d deep", KD_MAX_CALL_DEPTH));
        return KD_D_ERR;
    }
    if (!kd_lower_step(lw, loc) || !kd_function_parse_body((kd_function *)f, lw->diags))
        return KD_D_ERR;
    if (callee.fn.self) { /* a bound method */
        kd_darg *with_self = kd_arena_array(lw->arena, kd_darg, n_args + 1);
        with_self[0] = (kd_darg){.value = *callee.fn.self, .loc = loc};
        for (unsigned i = 0; i < n_args; i++)
            with_self[i + 1] = args[i];
        args = with_self;
        n_args++;
    }
    kd_dval *values = kd_arena_array(lw->arena, kd_dval, f->n_params);
    unsigned n_errors = kd_diags_n_errors(lw->diags);
    if (!bind_args(lw, loc, callee, args, n_args, values))
        return KD_D_ERR;
    bool recursive = false;
    lw->call_depth++;
    kd_dval v = in_place || must_inline(lw, callee, values) ? kd_lower_body(lw, scope_with(lw, callee, values), f)
                                                           : call_by_instance(lw, loc, callee, values, &recursive);
    lw->call_depth--;
    if (kd_diags_n_errors(lw->diags) > n_errors) {
        if (!recursive)
            kd_note(lw->diags, loc, "in this call of %s", function_name(lw, f));
        return KD_D_ERR;
    }
    return v;
}

/* tl.float32(x): a cast. */
static kd_dval call_dtype(kd_lower *lw, kd_loc loc, kd_dval dtype, const kd_darg *args, unsigned n_args)
{
    if (n_args != 1 || args[0].keyword.len || dtype.type->kind != KD_TYPE_SCALAR) {
        kd_error(lw->diags, loc, "a type takes one value to convert");
        return KD_D_ERR;
    }
    kd_dval v = kd_to_tensor(lw, loc, args[0].value);
    return kd_d_is_error(v) ? v : kd_tensor_cast(lw, loc, v, dtype.type->scalar, KD_ROUND_NEAREST_EVEN);
}

kd_dval kd_call(kd_lower *lw, kd_loc loc, kd_dval callee, const kd_darg *args, unsigned n_args)
{
    switch (callee.kind) {
    case KD_D_ERROR:
        return callee;
    case KD_D_FUNCTION:
        return call_function(lw, loc, callee, args, n_args, false);
    case KD_D_BUILTIN:
        return kd_builtin_call(lw, loc, callee, args, n_args);
    case KD_D_CLASS:
        return kd_construct(lw, loc, callee, args, n_args);
    case KD_D_DTYPE:
        return call_dtype(lw, loc, callee, args, n_args);
    default:
        kd_error(lw->diags, loc, "%s cannot be called", kd_d_describe(lw, callee));
        return KD_D_ERR;
    }
}

static bool take_results(kd_lower *lw, kd_loc loc, kd_dval v, kd_value **out, unsigned n)
{
    const kd_dval *items = &v;
    unsigned n_items = 1;
    if (v.kind == KD_D_TUPLE) {
        items = v.tuple.items;
        n_items = v.tuple.n;
    }
    if (n_items != n) {
        kd_error(lw->diags, loc, "this function must return %u value%s, but returns %u", n, n == 1 ? "" : "s", n_items);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        kd_dval t = kd_to_tensor(lw, loc, items[i]);
        if (kd_d_is_error(t))
            return false;
        out[i] = t.value;
    }
    return true;
}

bool kd_call_inline(kd_lower *lw, kd_loc loc, kd_dval callee, kd_value *const *args, unsigned n_args, kd_value **out_results, unsigned n_results)
{
    kd_darg *dargs = kd_arena_array(lw->arena, kd_darg, n_args);
    for (unsigned i = 0; i < n_args; i++)
        dargs[i] = (kd_darg){.value = kd_d_tensor(args[i]), .loc = loc};
    kd_dval v = callee.kind == KD_D_FUNCTION ? call_function(lw, loc, callee, dargs, n_args, true) : kd_call(lw, loc, callee, dargs, n_args);
    return !kd_d_is_error(v) && take_results(lw, loc, v, out_results, n_results);
}
