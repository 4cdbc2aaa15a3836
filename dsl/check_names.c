/* check_names.c - which names a function sets, and which of them are run-time numbers for certain. */
#include "dsl/check.h"

static char RUN_TIME, NOT_CERTAIN; /* what the map's values point at */

/* ---- run-time values ---- */

/* Builtins whose result is known at run time only, and those that give such a result of such arguments. */
static bool makes_run_time(kd_str name)
{
    static const char *const NAMES[] = {"program_id", "num_programs", "load", "arange", "zeros", "full", "atomic_add", "atomic_cas", "atomic_xchg"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (kd_str_is(name, NAMES[i]))
            return true;
    return false;
}

static bool keeps_run_time(kd_str name)
{
    static const char *const NAMES[] = {"cdiv", "min", "max", "minimum", "maximum", "where", "cast", "sum", "abs", "multiple_of", "to"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (kd_str_is(name, NAMES[i]))
            return true;
    return false;
}

static bool call_is_run_time(const kd_check_names *names, const kd_expr *e)
{
    const kd_expr *callee = e->a;
    if (callee->kind != KD_EXPR_ATTRIBUTE && callee->kind != KD_EXPR_NAME)
        return false;
    if (callee->kind == KD_EXPR_ATTRIBUTE && makes_run_time(callee->text))
        return true;
    if (!keeps_run_time(callee->text))
        return false;
    bool any = callee->kind == KD_EXPR_ATTRIBUTE && kd_check_is_run_time(names, callee->a); /* x.to(..) */
    for (unsigned i = 0; i < e->n_items; i++)
        any |= kd_check_is_run_time(names, e->items[i]);
    return any;
}

static bool compare_is_run_time(const kd_check_names *names, const kd_expr *e)
{
    bool any = false;
    for (unsigned i = 0; i < e->n_items; i++) {
        kd_expr_kind kind = e->items[i]->kind;
        if (kind == KD_EXPR_NONE || kind == KD_EXPR_STRING || (i && (e->compares[i - 1] == KD_IS || e->compares[i - 1] == KD_IS_NOT)))
            return false;
        any |= kd_check_is_run_time(names, e->items[i]);
    }
    return any && e->n_items == 2; /* of a chain, one comparison may decide it all at compile time */
}

bool kd_check_is_run_time(const kd_check_names *names, const kd_expr *e)
{
    switch (e->kind) {
    case KD_EXPR_NAME:
        return kd_map_get(&names->run_time, e->text) == &RUN_TIME;
    case KD_EXPR_CALL:
        return call_is_run_time(names, e);
    case KD_EXPR_COMPARE:
        return compare_is_run_time(names, e);
    case KD_EXPR_UNARY:
    case KD_EXPR_SUBSCRIPT:
        return kd_check_is_run_time(names, e->a);
    case KD_EXPR_BINARY:
        return kd_check_is_run_time(names, e->a) || kd_check_is_run_time(names, e->b);
    case KD_EXPR_TERNARY:
        return kd_check_is_run_time(names, e->a) && kd_check_is_run_time(names, e->c);
    case KD_EXPR_AND:
    case KD_EXPR_OR:
        for (unsigned i = 0; i < e->n_items; i++)
            if (!kd_check_is_run_time(names, e->items[i]))
                return false;
        return true;
    default:
        return false;
    }
}

/* A number that is assigned becomes a run-time scalar. */
static bool assigns_run_time(const kd_check_names *names, const kd_expr *value)
{
    return value->kind == KD_EXPR_INT || value->kind == KD_EXPR_FLOAT || kd_check_is_run_time(names, value);
}

/* ---- names ---- */

static void bind_name(kd_lower *lw, kd_scope *scope, kd_check_names *names, const kd_expr *target, bool is_run_time)
{
    void **known = kd_map_at(&names->run_time, target->text);
    if (!*known && !kd_scope_find(scope, target->text))
        *known = is_run_time ? &RUN_TIME : &NOT_CERTAIN;
    else if (!is_run_time || !*known) /* !*known: a parameter, or an import, that is set again */
        *known = &NOT_CERTAIN;
    kd_scope_set(lw, scope, target->text, KD_D_ERR, target->loc);
}

static void bind_target(kd_lower *lw, kd_scope *scope, kd_check_names *names, const kd_expr *t, bool is_run_time)
{
    if (t->kind == KD_EXPR_NAME)
        bind_name(lw, scope, names, t, is_run_time);
    else if (t->kind == KD_EXPR_TUPLE || t->kind == KD_EXPR_LIST)
        for (unsigned i = 0; i < t->n_items; i++)
            bind_target(lw, scope, names, t->items[i], false);
    else if (t->kind == KD_EXPR_STAR)
        bind_target(lw, scope, names, t->a, false);
}

/* ':=' and the variables of comprehensions. */
static void bind_in_expr(kd_lower *lw, kd_scope *scope, kd_check_names *names, const kd_expr *e)
{
    if (!e)
        return;
    if (e->kind == KD_EXPR_WALRUS)
        bind_name(lw, scope, names, e, false);
    if (e->kind == KD_EXPR_COMPREHENSION)
        bind_target(lw, scope, names, e->b, false);
    bind_in_expr(lw, scope, names, e->a);
    bind_in_expr(lw, scope, names, e->b);
    bind_in_expr(lw, scope, names, e->c);
    for (unsigned i = 0; i < e->n_items; i++)
        bind_in_expr(lw, scope, names, e->items[i]);
    for (unsigned i = 0; i < e->n_keywords; i++)
        bind_in_expr(lw, scope, names, e->keywords[i].value);
}

/* Loops over range and tl.range count at run time; tl.static_range, tuples and texts are unrolled. */
static bool counts_at_run_time(const kd_expr *over)
{
    return over->kind == KD_EXPR_CALL && (over->a->kind == KD_EXPR_NAME || over->a->kind == KD_EXPR_ATTRIBUTE) && kd_str_is(over->a->text, "range");
}

static void bind_stmt(kd_lower *lw, kd_scope *scope, const kd_stmt *s, kd_check_names *names)
{
    bool is_run_time = false;
    if (s->kind == KD_STMT_FOR)
        is_run_time = counts_at_run_time(s->value);
    else if (s->kind == KD_STMT_ASSIGN || (s->kind == KD_STMT_ANNOTATED && s->value && !kd_annotation_is_constexpr(s->annotation)))
        is_run_time = assigns_run_time(names, s->value);
    else if (s->kind == KD_STMT_AUGMENTED)
        is_run_time = s->targets[0]->kind == KD_EXPR_NAME && kd_check_is_run_time(names, s->targets[0]);
    for (unsigned i = 0; i < s->n_targets; i++)
        bind_target(lw, scope, names, s->targets[i], is_run_time);
    if (s->kind == KD_STMT_FUNCTION)
        kd_scope_set(lw, scope, s->function->name, KD_D_ERR, s->function->loc);
    if (s->kind == KD_STMT_IMPORT)
        kd_lower_import(lw, s);
    bind_in_expr(lw, scope, names, s->value);
    bind_in_expr(lw, scope, names, s->message);
    kd_check_bind(lw, scope, &s->body, names);
    kd_check_bind(lw, scope, &s->orelse, names);
}

void kd_check_bind(kd_lower *lw, kd_scope *scope, const kd_block_ast *body, kd_check_names *names)
{
    for (unsigned i = 0; i < body->n; i++)
        bind_stmt(lw, scope, body->stmts[i], names);
}
