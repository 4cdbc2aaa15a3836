/* signature_defaults.c - what a signature leaves out: values of @triton.heuristics, defaults of parameters. */
#include "dsl/lower_impl.h"
#include "dsl/signature.h"

static const kd_expr *decorator_dict(const kd_function *kernel, const kd_expr *d)
{
    if (d->kind != KD_EXPR_CALL || !kd_str_is(d->a->text, "heuristics"))
        return NULL;
    const kd_expr *e = d->n_items ? d->items[0] : NULL;
    for (unsigned i = 0; i < d->n_keywords; i++)
        if (kd_str_is(d->keywords[i].name, "values"))
            e = d->keywords[i].value;
    if (!e || e->kind != KD_EXPR_NAME)
        return e && e->kind == KD_EXPR_DICT ? e : NULL;
    const kd_expr *value = NULL;
    for (const kd_item *item = kernel->module->items; item; item = item->next)
        if (item->kind == KD_ITEM_ASSIGN && item->stmt->value && item->stmt->targets[0]->kind == KD_EXPR_NAME && kd_str_equal(item->stmt->targets[0]->text, e->text))
            value = item->stmt->value;
    return value && value->kind == KD_EXPR_DICT ? value : NULL;
}

/* What a heuristic's function gets: the arguments by name. Those of run time are something, but nothing known. */
static kd_dval heuristic_args(kd_lower *lw, const kd_function *kernel, const kd_signature *signature)
{
    unsigned n = kernel->n_params;
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, n);
    kd_str *names = kd_arena_array(lw->arena, kd_str, n + 1);
    for (unsigned i = 0; i < n; i++) {
        const kd_sig_arg *arg = &signature->args[i];
        names[i] = kernel->params[i].name;
        items[i] = arg->kind == KD_SIG_STATIC ? arg->value : (kd_dval){.kind = KD_D_UNKNOWN, .text = kd_str_of("is known at run time only")};
        if (arg->kind == KD_SIG_MISSING && kernel->params[i].default_value)
            items[i] = kd_eval_quietly(lw, lw->scope, kernel->params[i].default_value);
    }
    return (kd_dval){.kind = KD_D_TUPLE, .tuple = {.items = items, .names = names, .n = n}};
}

static void apply_heuristic(kd_lower *lw, const kd_function *kernel, kd_signature *signature, const kd_expr *key, const kd_expr *value)
{
    if (!key || key->kind != KD_EXPR_STRING)
        return;
    for (unsigned i = 0; i < kernel->n_params; i++) {
        kd_sig_arg *arg = &signature->args[i];
        if (!kd_str_equal(kernel->params[i].name, key->text) || arg->kind != KD_SIG_MISSING)
            continue;
        kd_dval f = kd_eval_quietly(lw, lw->scope, value);
        kd_darg given = {.value = heuristic_args(lw, kernel, signature)};
        kd_dval v = f.kind == KD_D_FUNCTION ? kd_call_quietly(lw, lw->scope, f, &given, 1) : KD_D_ERR;
        if (!kd_d_is_error(v) && v.kind != KD_D_UNKNOWN)
            *arg = (kd_sig_arg){.kind = KD_SIG_STATIC, .loc = value->loc, .value = v};
    }
}

void kd_signature_apply_heuristics(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, kd_signature *signature)
{
    kd_scope *old = lw->scope;
    lw->scope = kd_dmodule_scope(module);
    for (unsigned i = 0; i < kernel->n_decorators; i++) {
        const kd_expr *dict = decorator_dict(kernel, kernel->decorators[i]);
        for (unsigned j = 0; dict && j + 1 < dict->n_items; j += 2)
            apply_heuristic(lw, kernel, signature, dict->items[j], dict->items[j + 1]);
    }
    lw->scope = old;
}

bool kd_signature_complete(kd_lower *lw, kd_dmodule *module, const kd_function *kernel, kd_signature *signature)
{
    kd_strbuf missing = kd_strbuf_in(lw->arena);
    unsigned n_missing = 0;
    for (unsigned i = 0; i < kernel->n_params; i++) {
        const kd_param *param = &kernel->params[i];
        kd_sig_arg *arg = &signature->args[i];
        if (arg->kind != KD_SIG_MISSING)
            continue;
        if (param->default_value) {
            *arg = (kd_sig_arg){.kind = KD_SIG_STATIC, .loc = param->loc};
            arg->value = kd_eval_quietly(lw, kd_dmodule_scope(module), param->default_value);
            continue;
        }
        kd_strbuf_printf(&missing, "%s'%.*s'", n_missing++ ? ", " : "", KD_STR_ARG(param->name));
    }
    if (!n_missing)
        return true;
    kd_error(lw->diags, kernel->loc, "'%.*s' needs %s for %s", KD_STR_ARG(kernel->name), n_missing == 1 ? "an argument" : "arguments", kd_strbuf_text(&missing));
    return false;
}
