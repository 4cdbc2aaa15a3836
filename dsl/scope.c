/* scope.c - the names of a function while it is lowered, and where else a name may come from. */
#include "dsl/lower_impl.h"

kd_scope *kd_scope_create(kd_lower *lw, kd_scope *parent, kd_dmodule *module, const kd_function *function)
{
    kd_scope *scope = kd_arena_new(lw->arena, kd_scope);
    scope->parent = parent;
    scope->module = module;
    scope->function = function;
    scope->slots = kd_map_in(lw->arena);
    return scope;
}

kd_binding *kd_scope_find(kd_scope *scope, kd_str name)
{
    uintptr_t slot = (uintptr_t)kd_map_get(&scope->slots, name);
    return slot ? &scope->names.data[slot - 1] : NULL;
}

/* The binding of a name in this scope, made where there is none. Valid until the next one is made. */
static kd_binding *binding_at(kd_lower *lw, kd_scope *scope, kd_str name)
{
    kd_binding *found = kd_scope_find(scope, name);
    if (found)
        return found;
    kd_vec_push(lw->arena, &scope->names, (kd_binding){.name = name});
    *kd_map_at(&scope->slots, name) = (void *)(uintptr_t)scope->names.n;
    return &kd_vec_last(&scope->names);
}

/* Values take the name of the variable that holds them first, so that IR reads like the source. */
static void name_value(kd_lower *lw, kd_str name, kd_dval v)
{
    if (v.kind == KD_D_TENSOR && !v.value->name && name.len && name.ptr[0] != '$')
        v.value->name = kd_arena_strndup(lw->arena, name.ptr, name.len);
}

void kd_scope_set(kd_lower *lw, kd_scope *scope, kd_str name, kd_dval value, kd_loc loc)
{
    kd_binding *b = binding_at(lw, scope, name);
    name_value(lw, name, value);
    *b = (kd_binding){.name = name, .value = value, .loc = loc, .state = KD_NAME_SET};
}

kd_names kd_names_save(kd_lower *lw, const kd_scope *scope)
{
    kd_names saved = {kd_arena_array(lw->arena, kd_binding, scope->names.n), scope->names.n};
    if (saved.n)
        memcpy(saved.data, scope->names.data, saved.n * sizeof *saved.data);
    return saved;
}

void kd_names_restore(kd_scope *scope, kd_names saved)
{
    if (saved.n)
        memcpy(scope->names.data, saved.data, saved.n * sizeof *saved.data);
    for (unsigned i = saved.n; i < scope->names.n; i++)
        scope->names.data[i] = (kd_binding){.name = scope->names.data[i].name};
}

/* ---- looking names up ---- */

static kd_dval report_undefined(kd_lower *lw, kd_loc loc, kd_str name, const char *hint)
{
    kd_nearest nearest = kd_nearest_to(name);
    for (kd_scope *s = lw->scope; s; s = s->parent)
        for (unsigned i = 0; i < s->names.n; i++)
            if (s->names.data[i].state == KD_NAME_SET && s->names.data[i].name.len && s->names.data[i].name.ptr[0] != '$')
                kd_nearest_try(&nearest, s->names.data[i].name);
    const kd_map *globals = kd_dmodule_names(lw->scope->module);
    for (unsigned i = 0; i < globals->n_entries; i++)
        kd_nearest_try(&nearest, globals->entries[i].key);
    if (hint)
        kd_nearest_try(&nearest, kd_str_of(hint));
    kd_error(lw->diags, loc, "'%.*s' is not defined%s", KD_STR_ARG(name), kd_nearest_hint(lw->arena, &nearest));
    return KD_D_ERR;
}

static kd_dval report_gone(kd_lower *lw, kd_loc loc, const kd_binding *b)
{
    switch (b->state) {
    case KD_NAME_IN_BRANCH:
        kd_error(lw->diags, loc, "'%.*s' has a value in one branch of an 'if' only", KD_STR_ARG(b->name));
        kd_note(lw->diags, b->loc, "it is set here; set it in the other branch, or before the 'if', too");
        break;
    case KD_NAME_IN_LOOP:
        kd_error(lw->diags, loc, "'%.*s' is set inside a loop only, and has no value after it", KD_STR_ARG(b->name));
        kd_note(lw->diags, b->loc, "it is set here; set it before the loop, too");
        break;
    case KD_NAME_LOOP_VAR:
        kd_error(lw->diags, loc, "'%.*s' is the variable of a loop, and has no value after it", KD_STR_ARG(b->name));
        kd_note(lw->diags, b->loc, "the loop is here");
        break;
    default:
        kd_error(lw->diags, loc, "'%.*s' %s", KD_STR_ARG(b->name), b->why);
        kd_note(lw->diags, b->loc, "the 'if' is here");
        break;
    }
    return KD_D_ERR;
}

static kd_dval check_known(kd_lower *lw, kd_loc loc, kd_str name, kd_dval v)
{
    if (v.kind != KD_D_UNKNOWN)
        return v;
    kd_error(lw->diags, loc, "'%.*s' %.*s", KD_STR_ARG(name), KD_STR_ARG(v.text));
    if (v.loc.source)
        kd_note(lw->diags, v.loc, "it is defined here");
    return KD_D_ERR;
}

kd_dval kd_lookup(kd_lower *lw, kd_loc loc, kd_str name)
{
    for (kd_scope *s = lw->scope; s; s = s->parent) {
        kd_binding *b = kd_scope_find(s, name);
        if (!b || b->state == KD_NAME_UNSET)
            continue;
        return b->state == KD_NAME_SET ? check_known(lw, loc, name, b->value) : report_gone(lw, loc, b);
    }
    const char *hint = NULL;
    kd_dval v = kd_dmodule_lookup(lw, lw->scope->module, name, &hint);
    if (!kd_d_is_error(v))
        return check_known(lw, loc, name, v);
    v = kd_builtin_python_name(lw, name);
    if (!kd_d_is_error(v))
        return v;
    return report_undefined(lw, loc, name, hint);
}
