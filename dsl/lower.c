/* lower.c - a kernel with a signature becomes a function of the IR, within limits. */
#include "dsl/lower_impl.h"
#include "dsl/signature.h"

/* ---- limits ---- */

void kd_lower_stop(kd_lower *lw, kd_loc loc, const char *message)
{
    if (!lw->stopped)
        kd_error(lw->diags, loc, "%s", message);
    lw->stopped = true;
}

static size_t stack_bytes(const kd_lower *lw)
{
    const char *here = __builtin_frame_address(0);
    return (size_t)(lw->stack_start > here ? lw->stack_start - here : here - lw->stack_start);
}

bool kd_lower_step(kd_lower *lw, kd_loc loc)
{
    if (lw->stopped)
        return false;
    if (++lw->steps > KD_MAX_STEPS)
        kd_lower_stop(lw, loc, kd_arena_printf(lw->arena, "this takes too long to expand at compile time: more than %d steps of unrolled loops and calls", KD_MAX_STEPS));
    else if (lw->stack_start && stack_bytes(lw) > KD_MAX_STACK_BYTES)
        kd_lower_stop(lw, loc, "calls and expressions are nested too deeply");
    return !lw->stopped;
}

/* ---- kernels ---- */

typedef struct kd_params {
    kd_lower *lw;
    kd_block *body;
    KD_VEC(int64_t) divisibility;
} kd_params;

static kd_value *add_param(kd_params *p, const kd_type *type, const char *name, unsigned divisibility)
{
    kd_vec_push(p->lw->arena, &p->divisibility, divisibility);
    return kd_block_add_arg(p->lw->module, p->body, type, name);
}

/* base, extents, strides. The last stride is 1 by definition, whatever is passed. */
static kd_dval add_descriptor(kd_params *p, const kd_sig_arg *arg, const char *name)
{
    kd_lower *lw = p->lw;
    const kd_type *i64 = kd_type_scalar(lw->ctx, KD_I64);
    kd_dblock *block = kd_arena_new(lw->arena, kd_dblock);
    block->elem = arg->type;
    block->rank = arg->rank;
    block->block_shape = arg->block_shape;
    block->base = add_param(p, kd_type_ptr(lw->ctx, arg->type), name, arg->divisibility);
    block->shape = kd_arena_array(lw->arena, kd_value *, arg->rank);
    block->strides = kd_arena_array(lw->arena, kd_value *, arg->rank);
    for (unsigned i = 0; i < arg->rank; i++)
        block->shape[i] = add_param(p, i64, kd_arena_printf(lw->arena, "%s_shape_%u", name, i), 1);
    for (unsigned i = 0; i < arg->rank; i++)
        block->strides[i] = add_param(p, i64, kd_arena_printf(lw->arena, "%s_stride_%u", name, i), 1);
    block->strides[arg->rank - 1] = kd_build_int(&lw->b, arg->loc, i64, 1);
    return (kd_dval){.kind = KD_D_DESC, .block = block};
}

static kd_dval add_arg(kd_params *p, const kd_sig_arg *arg, const char *name)
{
    kd_lower *lw = p->lw;
    switch (arg->kind) {
    case KD_SIG_RUN_TIME:
        return kd_d_tensor(add_param(p, arg->type, name, arg->divisibility));
    case KD_SIG_STATIC:
        if (arg->type)
            add_param(p, arg->type, name, 1);
        return arg->value;
    case KD_SIG_DESC:
        return add_descriptor(p, arg, name);
    case KD_SIG_TUPLE: {
        kd_dval *items = kd_arena_array(lw->arena, kd_dval, arg->n_items);
        for (unsigned i = 0; i < arg->n_items; i++)
            items[i] = add_arg(p, &arg->items[i], kd_arena_printf(lw->arena, "%s_%u", name, i));
        return kd_d_tuple(lw, items, arg->n_items);
    }
    case KD_SIG_MISSING:
        break;
    }
    return KD_D_ERR;
}

kd_op *kd_lower_kernel(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, const kd_signature *signature)
{
    unsigned n_errors = kd_diags_n_errors(lw->diags);
    if (!lw->stack_start)
        lw->stack_start = __builtin_frame_address(0);
    if (!kd_function_parse_body((kd_function *)kernel, lw->diags))
        return NULL;
    kd_builder b = kd_builder_at_end(lw->module, kd_op_region(lw->module->op, 0));
    kd_op *func = kd_build_func(&b, (kd_func_args){.loc = kernel->loc, .name = kernel->name, .kernel = true});
    kd_params params = {.lw = lw, .body = kd_op_region(func, 0)};
    lw->b = kd_builder_at_end(lw->module, params.body);
    kd_scope *scope = kd_scope_create(lw, NULL, module, kernel);
    scope->is_kernel = true;
    for (unsigned i = 0; i < kernel->n_params; i++) {
        const kd_param *p = &kernel->params[i];
        kd_dval v = add_arg(&params, &signature->args[i], kd_arena_strndup(lw->arena, p->name.ptr, p->name.len));
        if (!v.loc.source)
            v.loc = p->loc;
        kd_scope_set(lw, scope, p->name, v, p->loc);
    }
    int64_t *divisibility = kd_arena_array(lw->module->arena, int64_t, params.divisibility.n);
    if (params.divisibility.n)
        memcpy(divisibility, params.divisibility.data, params.divisibility.n * sizeof *divisibility);
    kd_func_set_divisibility(func, (kd_ints){divisibility, params.divisibility.n});
    lw->scope = scope;
    kd_lower_body(lw, scope, kernel);
    kd_build_return(&lw->b, (kd_return_args){.loc = kernel->loc});
    return kd_diags_n_errors(lw->diags) == n_errors && !lw->stopped ? func : NULL;
}
