/* command_line_eval.c - the value of an expression on a command line: Python's arithmetic over names that the caller knows. */
#include "dsl/dsl_impl.h"
#include "dsl/inspect_impl.h"
#include "dsl/lower_impl.h"

#include <math.h>
#include <stdio.h>

/* A compile-time value, an object of the caller's, or a tuple with such objects in it. */
typedef struct result {
    kd_dval v;
    void *object;
    const struct result *items; /* where not NULL: the tuple, and v is nothing */
    unsigned n_items;
} result;

typedef struct evaluator {
    kd_lower lw; /* for the arithmetic of constant.c, and builtins; what these build is thrown away */
    const kd_eval_scope *scope;
    bool failed;
} evaluator;

static result eval(evaluator *ev, const kd_expr *e);
static bool need_number(evaluator *ev, kd_loc loc, result r);

static result fail(evaluator *ev)
{
    ev->failed = true;
    return (result){.v = KD_D_ERR};
}

static result of(evaluator *ev, kd_dval v)
{
    if (kd_d_is_error(v))
        ev->failed = true;
    return (result){.v = v};
}

static const char *c_str(evaluator *ev, kd_str s)
{
    return kd_arena_strndup(ev->lw.arena, s.ptr, s.len);
}

static result tuple_of(evaluator *ev, const result *items, unsigned n)
{
    kd_dval *values = kd_arena_array(ev->lw.arena, kd_dval, n);
    for (unsigned i = 0; i < n; i++) {
        if (items[i].object || items[i].items)
            return (result){.v = KD_D_ERR, .items = items, .n_items = n};
        values[i] = items[i].v;
    }
    return of(ev, kd_d_tuple(&ev->lw, values, n));
}

/* ---- between the caller's values and ours ---- */

static result import_value(evaluator *ev, const kd_eval_value *from)
{
    switch (from->kind) {
    case KD_EVAL_NONE: return of(ev, kd_d_none());
    case KD_EVAL_BOOL: return of(ev, kd_d_bool(from->integer != 0));
    case KD_EVAL_INT: return of(ev, kd_d_int(from->integer));
    case KD_EVAL_FLOAT: return of(ev, kd_d_float(from->real));
    case KD_EVAL_STRING: return of(ev, kd_d_string(kd_str_of(from->text)));
    case KD_EVAL_DTYPE: return of(ev, kd_d_dtype(kd_type_scalar(ev->lw.ctx, from->dtype)));
    case KD_EVAL_OBJECT: return (result){.v = KD_D_ERR, .object = from->object};
    case KD_EVAL_TUPLE: break;
    }
    result *items = kd_arena_array(ev->lw.arena, result, from->tuple.n);
    for (unsigned i = 0; i < from->tuple.n; i++)
        items[i] = import_value(ev, &from->tuple.items[i]);
    return tuple_of(ev, items, from->tuple.n);
}

static bool export_value(evaluator *ev, kd_loc loc, result from, kd_eval_value *out);

static bool export_tuple(evaluator *ev, kd_loc loc, result from, kd_eval_value *out)
{
    unsigned n = from.items ? from.n_items : from.v.tuple.n;
    kd_eval_value *items = kd_arena_array(ev->lw.arena, kd_eval_value, n);
    for (unsigned i = 0; i < n; i++)
        if (!export_value(ev, loc, from.items ? from.items[i] : (result){.v = from.v.tuple.items[i]}, &items[i]))
            return false;
    out->kind = KD_EVAL_TUPLE;
    out->tuple.items = items;
    out->tuple.n = n;
    return true;
}

static bool export_value(evaluator *ev, kd_loc loc, result from, kd_eval_value *out)
{
    *out = (kd_eval_value){0};
    if (from.object) {
        out->kind = KD_EVAL_OBJECT;
        out->object = from.object;
        return true;
    }
    if (from.items)
        return export_tuple(ev, loc, from, out);
    switch (from.v.kind) {
    case KD_D_NONE: out->kind = KD_EVAL_NONE; return true;
    case KD_D_BOOL:
    case KD_D_INT:
        out->kind = from.v.kind == KD_D_BOOL ? KD_EVAL_BOOL : KD_EVAL_INT;
        out->integer = from.v.integer;
        return true;
    case KD_D_FLOAT:
        out->kind = KD_EVAL_FLOAT;
        out->real = from.v.real;
        return true;
    case KD_D_STRING:
        out->kind = KD_EVAL_STRING;
        out->text = c_str(ev, from.v.text);
        return true;
    case KD_D_DTYPE:
        if (from.v.type->kind != KD_TYPE_SCALAR)
            break;
        out->kind = KD_EVAL_DTYPE;
        out->dtype = from.v.type->scalar;
        return true;
    case KD_D_TUPLE: return export_tuple(ev, loc, from, out);
    default: break;
    }
    if (from.v.kind != KD_D_ERROR)
        kd_error(ev->lw.diags, loc, "expected a number, text, a type or a tuple of them, but this is %s", kd_d_describe(&ev->lw, from.v));
    return false;
}

/* ---- names and calls ---- */

static result unknown_name(evaluator *ev, kd_loc loc, kd_str name)
{
    kd_nearest nearest = kd_nearest_to(name);
    for (unsigned i = 0; i < ev->scope->n_names; i++)
        kd_nearest_try(&nearest, kd_str_of(ev->scope->names[i]));
    kd_error(ev->lw.diags, loc, "'%.*s' has no value here%s", KD_STR_ARG(name), kd_nearest_hint(ev->lw.arena, &nearest));
    return fail(ev);
}

static result eval_name(evaluator *ev, kd_loc loc, kd_str name)
{
    kd_eval_value value;
    if (ev->scope->name && ev->scope->name(ev->scope->user, c_str(ev, name), &value))
        return import_value(ev, &value);
    const char *hint;
    kd_dval builtin = kd_builtin_python_name(&ev->lw, name);
    if (kd_d_is_error(builtin)) /* cdiv(n, BLOCK) without triton. in front of it */
        builtin = kd_builtin_lookup(&ev->lw, "triton", name, &hint);
    if (kd_d_is_error(builtin)) { /* fp16, f32, float16 */
        kd_scalar scalar;
        if (kd_scalar_parse(name, &scalar))
            builtin = kd_d_dtype(kd_type_scalar(ev->lw.ctx, scalar));
    }
    return kd_d_is_error(builtin) ? unknown_name(ev, loc, name) : of(ev, builtin);
}

static bool is_namespace(kd_str name)
{
    return kd_str_is(name, "tl") || kd_str_is(name, "triton") || kd_str_is(name, "math");
}

static result eval_attribute(evaluator *ev, const kd_expr *e)
{
    const char *hint = NULL;
    if (e->a->kind == KD_EXPR_NAME && is_namespace(e->a->text)) {
        kd_dval found = kd_builtin_lookup(&ev->lw, c_str(ev, e->a->text), e->text, &hint);
        if (!kd_d_is_error(found))
            return of(ev, found);
        kd_error(ev->lw.diags, e->text_loc, "'%.*s' has no '%.*s'", KD_STR_ARG(e->a->text), KD_STR_ARG(e->text));
        return fail(ev);
    }
    result base = eval(ev, e->a);
    kd_eval_value value;
    if (ev->failed)
        return base;
    if (base.object && ev->scope->attribute && ev->scope->attribute(ev->scope->user, base.object, c_str(ev, e->text), &value))
        return import_value(ev, &value);
    if (base.object) {
        kd_error(ev->lw.diags, e->text_loc, "an array has no '%.*s'; expected numel, shape, ndim, dtype, strides or stride(axis)", KD_STR_ARG(e->text));
        return fail(ev);
    }
    return need_number(ev, e->a->loc, base) ? of(ev, kd_attribute(&ev->lw, e->text_loc, base.v, e->text)) : fail(ev);
}

static result call_method(evaluator *ev, const kd_expr *e, void *object)
{
    kd_eval_value *args = kd_arena_array(ev->lw.arena, kd_eval_value, e->n_items), value;
    for (unsigned i = 0; i < e->n_items; i++) {
        result arg = eval(ev, e->items[i]);
        if (ev->failed || !export_value(ev, e->items[i]->loc, arg, &args[i]))
            return fail(ev);
    }
    if (!e->n_keywords && ev->scope->method && ev->scope->method(ev->scope->user, object, c_str(ev, e->a->text), args, e->n_items, &value))
        return import_value(ev, &value);
    kd_error(ev->lw.diags, e->a->text_loc, "an array has no '%.*s' with these arguments; expected stride(axis), size(axis) or numel()",
             KD_STR_ARG(e->a->text));
    return fail(ev);
}

static bool need_number(evaluator *ev, kd_loc loc, result r)
{
    if ((r.object || r.items) && !ev->failed) {
        kd_error(ev->lw.diags, loc, "expected a number, not %s", r.object ? "an array" : "a tuple of arrays");
        ev->failed = true;
    }
    return !ev->failed;
}

static result eval_call(evaluator *ev, const kd_expr *e)
{
    if (e->a->kind == KD_EXPR_ATTRIBUTE && !(e->a->a->kind == KD_EXPR_NAME && is_namespace(e->a->a->text))) {
        result base = eval(ev, e->a->a);
        if (ev->failed)
            return base;
        if (base.object)
            return call_method(ev, e, base.object);
    }
    result callee = eval(ev, e->a);
    if (ev->failed)
        return callee;
    if (callee.object || callee.items || callee.v.kind != KD_D_BUILTIN) {
        kd_error(ev->lw.diags, e->a->loc, "this cannot be called here");
        return fail(ev);
    }
    kd_darg *args = kd_arena_array(ev->lw.arena, kd_darg, e->n_items + e->n_keywords);
    for (unsigned i = 0; i < e->n_items + e->n_keywords; i++) {
        const kd_expr *item = i < e->n_items ? e->items[i] : e->keywords[i - e->n_items].value;
        result arg = eval(ev, item);
        if (!need_number(ev, item->loc, arg))
            return fail(ev);
        args[i] = (kd_darg){.value = arg.v, .loc = item->loc};
        if (i >= e->n_items)
            args[i].keyword = e->keywords[i - e->n_items].name;
    }
    return ev->failed ? fail(ev) : of(ev, kd_builtin_call(&ev->lw, e->loc, callee.v, args, e->n_items + e->n_keywords));
}

/* ---- operators ---- */

static bool truth(evaluator *ev, kd_loc loc, result r, bool *out)
{
    if (r.object || r.items) {
        *out = true;
        return true;
    }
    if (!kd_const_truth(&ev->lw, loc, r.v, out))
        ev->failed = true;
    return !ev->failed;
}

static result eval_bool_op(evaluator *ev, const kd_expr *e)
{
    result r = {0};
    for (unsigned i = 0; i < e->n_items; i++) {
        r = eval(ev, e->items[i]);
        bool value;
        if (ev->failed || !truth(ev, e->items[i]->loc, r, &value))
            return fail(ev);
        if (value == (e->kind == KD_EXPR_OR))
            break;
    }
    return r;
}

static result eval_compare(evaluator *ev, const kd_expr *e)
{
    result left = eval(ev, e->items[0]);
    for (unsigned i = 0; i + 1 < e->n_items && !ev->failed; i++) {
        kd_operator op = e->compares[i];
        result right = eval(ev, e->items[i + 1]);
        bool holds;
        if (ev->failed)
            break;
        if (left.object || right.object || left.items || right.items) { /* x is None, x is not None */
            if (op != KD_IS && op != KD_IS_NOT && (!need_number(ev, e->loc, left) || !need_number(ev, e->loc, right)))
                break;
            holds = (left.object == right.object && left.items == right.items) == (op == KD_IS);
        } else {
            result r = of(ev, kd_const_compare(&ev->lw, e->loc, op, left.v, right.v));
            if (ev->failed || !truth(ev, e->loc, r, &holds))
                break;
        }
        if (!holds)
            return of(ev, kd_d_bool(false));
        left = right;
    }
    return ev->failed ? fail(ev) : of(ev, kd_d_bool(true));
}

static result eval_sequence(evaluator *ev, const kd_expr *e)
{
    result *items = kd_arena_array(ev->lw.arena, result, e->n_items);
    for (unsigned i = 0; i < e->n_items; i++) {
        items[i] = eval(ev, e->items[i]);
        if (ev->failed)
            return fail(ev);
    }
    return tuple_of(ev, items, e->n_items);
}

static result eval_subscript(evaluator *ev, const kd_expr *e)
{
    const kd_expr *index = e->items[0];
    const char *dict = ev->scope->dict;
    if (dict && e->a->kind == KD_EXPR_NAME && kd_str_is(e->a->text, dict) && index->kind == KD_EXPR_STRING)
        return eval_name(ev, index->loc, index->text);
    result base = eval(ev, e->a), at = eval(ev, index);
    if (ev->failed || !need_number(ev, index->loc, at))
        return fail(ev);
    bool is_tuple = base.items || (!base.object && base.v.kind == KD_D_TUPLE);
    unsigned n = base.items ? base.n_items : base.v.tuple.n;
    if (!is_tuple || !kd_d_is_int(at.v)) {
        kd_error(ev->lw.diags, e->loc, "only a tuple has elements here, by a whole number");
        return fail(ev);
    }
    __int128 i = at.v.integer < 0 ? at.v.integer + n : at.v.integer;
    if (i < 0 || i >= n) {
        kd_error(ev->lw.diags, index->loc, "index %lld of a tuple of %u", (long long)at.v.integer, n);
        return fail(ev);
    }
    return base.items ? base.items[i] : of(ev, base.v.tuple.items[i]);
}

static result eval_ternary(evaluator *ev, const kd_expr *e)
{
    result condition = eval(ev, e->b);
    bool holds;
    if (ev->failed || !truth(ev, e->b->loc, condition, &holds))
        return fail(ev);
    return eval(ev, holds ? e->a : e->c);
}

static result eval_operator(evaluator *ev, const kd_expr *e)
{
    result a = eval(ev, e->a), b = e->kind == KD_EXPR_BINARY ? eval(ev, e->b) : (result){0};
    if (!need_number(ev, e->a->loc, a) || !need_number(ev, e->loc, b))
        return fail(ev);
    if (e->kind == KD_EXPR_BINARY)
        return of(ev, kd_const_binary(&ev->lw, e->loc, e->op, a.v, b.v));
    return of(ev, kd_const_unary(&ev->lw, e->loc, e->op, a.v));
}

static result eval(evaluator *ev, const kd_expr *e)
{
    if (ev->failed)
        return fail(ev);
    switch (e->kind) {
    case KD_EXPR_NAME: return eval_name(ev, e->loc, e->text);
    case KD_EXPR_INT: return of(ev, kd_d_int(e->integer));
    case KD_EXPR_FLOAT: return of(ev, kd_d_float(e->real));
    case KD_EXPR_STRING: return of(ev, kd_d_string(e->text));
    case KD_EXPR_TRUE: return of(ev, kd_d_bool(true));
    case KD_EXPR_FALSE: return of(ev, kd_d_bool(false));
    case KD_EXPR_NONE: return of(ev, kd_d_none());
    case KD_EXPR_ATTRIBUTE: return eval_attribute(ev, e);
    case KD_EXPR_CALL: return eval_call(ev, e);
    case KD_EXPR_SUBSCRIPT: return eval_subscript(ev, e);
    case KD_EXPR_UNARY:
    case KD_EXPR_BINARY: return eval_operator(ev, e);
    case KD_EXPR_AND:
    case KD_EXPR_OR: return eval_bool_op(ev, e);
    case KD_EXPR_COMPARE: return eval_compare(ev, e);
    case KD_EXPR_TERNARY: return eval_ternary(ev, e);
    case KD_EXPR_TUPLE:
    case KD_EXPR_LIST: return eval_sequence(ev, e);
    default: break;
    }
    kd_error(ev->lw.diags, e->loc, "this kind of expression has no place here; expected arithmetic over the arguments");
    return fail(ev);
}

bool kd_eval_text(kd_arena *arena, kd_diags *diags, const char *what, const char *text, const kd_eval_scope *scope, kd_eval_value *out)
{
    uint32_t source = kd_source_add(diags, kd_arena_printf(arena, "<%s>", what), kd_str_of(kd_arena_strdup(arena, text)));
    const kd_expr *e = kd_parse_expression(arena, diags, source);
    if (!e)
        return false;
    char here;
    evaluator ev = {.lw = {.arena = arena, .diags = diags, .ctx = kd_context_create(arena), .stack_start = &here}, .scope = scope};
    ev.lw.b = kd_builder_nowhere(&ev.lw);
    ev.lw.module = ev.lw.b.module;
    result r = eval(&ev, e);
    return !ev.failed && export_value(&ev, e->loc, r, out);
}
