/* class.c - aggregates, named tuples and classes of constants: objects are tuples whose items have names. */
#include "dsl/lower_impl.h"

static const kd_expr *field_of(const kd_item *item)
{
    bool is_field = item->kind == KD_ITEM_ASSIGN && item->stmt->kind == KD_STMT_ANNOTATED && item->stmt->targets[0]->kind == KD_EXPR_NAME;
    return is_field ? item->stmt->targets[0] : NULL;
}

/* Annotated assignments. */
static unsigned count_fields(const kd_class *c)
{
    unsigned n = 0;
    for (const kd_item *item = c->items; item; item = item->next)
        n += field_of(item) != NULL;
    return n;
}

static const kd_function *method_of(const kd_class *c, kd_str name)
{
    const kd_function *found = NULL;
    for (const kd_item *item = c->items; item; item = item->next)
        if (item->kind == KD_ITEM_FUNCTION && kd_str_equal(item->function->name, name))
            found = item->function;
    return found;
}

static bool is_decorated(const kd_function *f, const char *name)
{
    for (unsigned i = 0; i < f->n_decorators; i++) {
        const kd_expr *d = f->decorators[i];
        if ((d->kind == KD_EXPR_NAME || d->kind == KD_EXPR_ATTRIBUTE) && kd_str_is(d->text, name))
            return true;
    }
    return false;
}

static void hint_members(const kd_class *c, kd_nearest *nearest)
{
    for (const kd_item *item = c->items; item; item = item->next) {
        if (field_of(item))
            kd_nearest_try(nearest, field_of(item)->text);
        if (item->kind == KD_ITEM_FUNCTION)
            kd_nearest_try(nearest, item->function->name);
    }
}

static kd_dval no_member(kd_lower *lw, kd_loc loc, const kd_class *c, kd_str name)
{
    kd_nearest nearest = kd_nearest_to(name);
    hint_members(c, &nearest);
    kd_error(lw->diags, loc, "'%.*s' has no '%.*s'%s", KD_STR_ARG(c->name), KD_STR_ARG(name), kd_nearest_hint(lw->arena, &nearest));
    return KD_D_ERR;
}

/* ---- attributes ---- */

kd_dval kd_class_attribute(kd_lower *lw, kd_loc loc, kd_dval v, kd_str name)
{
    const kd_class *c = v.cls.class_;
    for (const kd_item *item = c->items; item; item = item->next) {
        if (item->kind != KD_ITEM_ASSIGN || !item->stmt->value)
            continue;
        for (unsigned i = 0; i < item->stmt->n_targets; i++)
            if (item->stmt->targets[i]->kind == KD_EXPR_NAME && kd_str_equal(item->stmt->targets[i]->text, name)) {
                kd_dval value = kd_eval_quietly(lw, kd_dmodule_scope(v.cls.module), item->stmt->value);
                if (value.kind != KD_D_UNKNOWN)
                    return value;
                kd_error(lw->diags, loc, "'%.*s' %.*s", KD_STR_ARG(name), KD_STR_ARG(value.text));
                return KD_D_ERR;
            }
    }
    const kd_function *f = method_of(c, name);
    return f ? kd_function_value(lw, f, v.cls.module) : no_member(lw, loc, c, name);
}

kd_dval kd_object_attribute(kd_lower *lw, kd_loc loc, kd_dval v, kd_str name)
{
    for (unsigned i = 0; i < v.tuple.n; i++)
        if (kd_str_equal(v.tuple.names[i], name)) {
            if (v.tuple.items[i].kind == KD_D_UNKNOWN) {
                kd_error(lw->diags, loc, "'%.*s' has no value yet", KD_STR_ARG(name));
                return KD_D_ERR;
            }
            return v.tuple.items[i];
        }
    const kd_class *c = v.tuple.class_;
    if (!c)
        return kd_attribute(lw, loc, v, name);
    kd_dmodule *module = kd_dmodule_of(lw, c->module);
    const kd_function *f = method_of(c, name);
    if (!f)
        return kd_class_attribute(lw, loc, (kd_dval){.kind = KD_D_CLASS, .cls = {c, module}}, name);
    kd_dval method = kd_function_value(lw, f, module);
    if (is_decorated(f, "staticmethod"))
        return method;
    kd_dval *self = kd_arena_new(lw->arena, kd_dval);
    *self = v;
    method.fn.self = self;
    return is_decorated(f, "property") ? kd_call(lw, loc, method, NULL, 0) : method;
}

kd_dval kd_object_with(kd_lower *lw, kd_loc loc, kd_dval object, kd_str name, kd_dval value)
{
    if (object.kind != KD_D_TUPLE || !object.tuple.names) {
        kd_error(lw->diags, loc, "attributes of %s cannot be assigned", kd_d_describe(lw, object));
        return KD_D_ERR;
    }
    unsigned at = 0, n = object.tuple.n;
    while (at < n && !kd_str_equal(object.tuple.names[at], name))
        at++;
    if (at == n && object.tuple.class_ && count_fields(object.tuple.class_))
        return no_member(lw, loc, object.tuple.class_, name);
    unsigned n_after = at == n ? n + 1 : n; /* __init__ of a class that declares no fields makes them */
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, n_after);
    kd_str *names = kd_arena_array(lw->arena, kd_str, n_after);
    for (unsigned i = 0; i < n; i++) {
        items[i] = object.tuple.items[i];
        names[i] = object.tuple.names[i];
    }
    items[at] = value;
    names[at] = name;
    object.tuple.items = items;
    object.tuple.names = names;
    object.tuple.n = n_after;
    return object;
}

/* ---- construction ---- */

static kd_dval empty_object(kd_lower *lw, const kd_class *c)
{
    unsigned n = count_fields(c), at = 0;
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, n);
    kd_str *names = kd_arena_array(lw->arena, kd_str, n + 1);
    for (const kd_item *item = c->items; item; item = item->next)
        if (field_of(item)) {
            items[at] = (kd_dval){.kind = KD_D_UNKNOWN, .loc = item->loc, .text = kd_str_of("has no value yet")};
            names[at++] = field_of(item)->text;
        }
    return (kd_dval){.kind = KD_D_TUPLE, .tuple = {.items = items, .names = names, .class_ = c, .n = n}};
}

/* Runs __init__ in place; what it leaves in 'self' is the object. */
static kd_dval run_init(kd_lower *lw, kd_loc loc, kd_dval cls, const kd_function *init, const kd_darg *args, unsigned n_args)
{
    if (!init->n_params) {
        kd_error(lw->diags, init->loc, "'__init__' has no parameter 'self'");
        return KD_D_ERR;
    }
    /* The call binds the parameters; a last statement 'return self' hands the object out. */
    kd_expr *name = kd_arena_new(lw->arena, kd_expr);
    *name = (kd_expr){.kind = KD_EXPR_NAME, .height = 1, .loc = init->loc, .text = init->params[0].name};
    kd_stmt *ret = kd_arena_new(lw->arena, kd_stmt);
    *ret = (kd_stmt){.kind = KD_STMT_RETURN, .loc = init->loc, .value = name};
    if (!kd_function_parse_body((kd_function *)init, lw->diags))
        return KD_D_ERR;
    kd_function *with_return = kd_arena_new(lw->arena, kd_function);
    *with_return = *init;
    kd_stmt **stmts = kd_arena_array(lw->arena, kd_stmt *, init->body.n + 1);
    for (unsigned i = 0; i < init->body.n; i++)
        stmts[i] = init->body.stmts[i];
    stmts[init->body.n] = ret;
    with_return->body = (kd_block_ast){stmts, init->body.n + 1};
    kd_dval *self = kd_arena_new(lw->arena, kd_dval);
    *self = empty_object(lw, cls.cls.class_);
    kd_dval f = {.kind = KD_D_FUNCTION, .fn = {.function = with_return, .module = cls.cls.module, .self = self, .is_python = true}};
    return kd_call(lw, loc, f, args, n_args);
}

/* Fields in order, as a named tuple or dataclass takes them. */
static kd_dval bind_fields(kd_lower *lw, kd_loc loc, kd_dval cls, const kd_darg *args, unsigned n_args)
{
    const kd_class *c = cls.cls.class_;
    kd_dval object = empty_object(lw, c);
    kd_dval *items = (kd_dval *)object.tuple.items;
    unsigned at = 0;
    for (const kd_item *item = c->items; item; item = item->next)
        if (field_of(item)) {
            if (item->stmt->value)
                items[at] = kd_eval_quietly(lw, kd_dmodule_scope(cls.cls.module), item->stmt->value);
            at++;
        }
    for (unsigned i = 0; i < n_args; i++) {
        unsigned to = i;
        if (args[i].keyword.len)
            for (to = 0; to < object.tuple.n && !kd_str_equal(object.tuple.names[to], args[i].keyword);)
                to++;
        if (to >= object.tuple.n) {
            if (args[i].keyword.len)
                return no_member(lw, args[i].loc, c, args[i].keyword);
            kd_error(lw->diags, args[i].loc, "'%.*s' has %u fields, but gets %u values", KD_STR_ARG(c->name), object.tuple.n, n_args);
            return KD_D_ERR;
        }
        items[to] = args[i].value;
    }
    for (unsigned i = 0; i < object.tuple.n; i++)
        if (items[i].kind == KD_D_UNKNOWN) {
            kd_error(lw->diags, loc, "'%.*s' needs a value for its field '%.*s'", KD_STR_ARG(c->name), KD_STR_ARG(object.tuple.names[i]));
            return KD_D_ERR;
        }
    return object;
}

kd_dval kd_construct(kd_lower *lw, kd_loc loc, kd_dval cls, const kd_darg *args, unsigned n_args)
{
    const kd_function *init = method_of(cls.cls.class_, kd_str_of("__init__"));
    if (init)
        return run_init(lw, loc, cls, init, args, n_args);
    return bind_fields(lw, loc, cls, args, n_args);
}
