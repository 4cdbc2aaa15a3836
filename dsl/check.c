/* check.c - 'kdsl check': one walk over the jit functions of a file, in which every variable has a value that nothing is known about. */
#include "dsl/check.h"

enum { MAX_SAID = 200 }; /* errors and warnings; suggesting names for each of thousands would take forever, and nobody reads them */

typedef struct checker {
    kd_lower *lw;
    kd_dmodule *module;
    kd_map told; /* names that were reported -> the scope (once a function is enough), or the checker (once a file) */
    kd_check_names names; /* of the function that is walked over */
    bool is_partial;      /* the function has statements that are not in the tree, which may set names */
} checker;

static void check_block(checker *ck, const kd_block_ast *block);
static kd_dval check_expr(checker *ck, const kd_expr *e);

static bool lenient(checker *ck)
{
    return kd_diags_set_lenient(ck->lw->diags, true);
}

static void restore(checker *ck, bool before)
{
    kd_diags_set_lenient(ck->lw->diags, before);
}

/* An expression that may never be evaluated. */
static void check_perhaps(checker *ck, const kd_expr *e)
{
    bool before = lenient(ck);
    if (e)
        check_expr(ck, e);
    restore(ck, before);
}

/* ---- names and attributes ---- */

/* The value of a name that no function around sets; sees no further than kd_lookup. */
static kd_dval global_named(checker *ck, kd_str name)
{
    for (kd_scope *s = ck->lw->scope; s; s = s->parent) {
        kd_binding *b = kd_scope_find(s, name);
        if (b && b->state != KD_NAME_UNSET)
            return b->value;
    }
    const char *hint = NULL;
    return kd_dmodule_lookup(ck->lw, ck->module, name, &hint);
}

static unsigned n_said(const checker *ck)
{
    return kd_diags_n_errors(ck->lw->diags) + kd_diags_n_warnings(ck->lw->diags);
}

static kd_dval check_name(checker *ck, const kd_expr *e)
{
    unsigned n_before = n_said(ck);
    const void *told = kd_map_get(&ck->told, e->text);
    if ((told && (told == ck || told == ck->lw->scope)) || n_before > MAX_SAID)
        return KD_D_ERR;
    kd_dval known = global_named(ck, e->text);
    if (ck->is_partial && known.kind == KD_D_ERROR)
        return known;
    bool is_unknown = known.kind == KD_D_UNKNOWN, before = is_unknown && lenient(ck);
    kd_dval v = kd_lookup(ck->lw, e->loc, e->text);
    if (is_unknown)
        restore(ck, before);
    if (n_said(ck) > n_before)
        *kd_map_at(&ck->told, e->text) = is_unknown ? (void *)ck : ck->lw->scope;
    return v;
}

/* Right on another machine, perhaps: a name that only Python can compute, or that only a vendor's module has. */
static bool is_right_elsewhere(checker *ck, kd_dval module, kd_str name)
{
    const char *hint = NULL;
    if (module.mod.namespace_)
        return kd_str_starts_with(kd_str_of(module.mod.namespace_), "tl.extra");
    return kd_dmodule_lookup(ck->lw, module.mod.module, name, &hint).kind == KD_D_UNKNOWN;
}

static kd_dval check_attribute(checker *ck, const kd_expr *e)
{
    kd_dval v = check_expr(ck, e->a);
    if (v.kind == KD_D_MODULE) {
        bool soft = is_right_elsewhere(ck, v, e->text), before = soft && lenient(ck);
        kd_dval found = kd_module_attribute(ck->lw, e->loc, v, e->text);
        if (soft)
            restore(ck, before);
        return found;
    }
    if (v.kind == KD_D_CLASS)
        return kd_class_attribute(ck->lw, e->loc, v, e->text);
    const char *hint = v.kind == KD_D_ERROR ? kd_attribute_hint(e->text) : NULL;
    if (hint) /* what kind of value it is nobody knows, and objects have names of their own */
        kd_warning(ck->lw->diags, e->text_loc, "no value has an attribute '%.*s'; did you mean '%s'?", KD_STR_ARG(e->text), hint);
    return KD_D_ERR;
}

/* tl.constexp: an annotation that Python would have refused. Others may be anything. */
static void check_annotation(checker *ck, const kd_expr *e)
{
    if (!e || e->kind != KD_EXPR_ATTRIBUTE || e->a->kind != KD_EXPR_NAME)
        return;
    kd_dval v = global_named(ck, e->a->text);
    if (v.kind == KD_D_MODULE && v.mod.namespace_ && strcmp(v.mod.namespace_, "tl") == 0)
        kd_module_attribute(ck->lw, e->loc, v, e->text);
}

/* ---- calls ---- */

static void check_call_of(checker *ck, const kd_expr *e, kd_dval callee)
{
    kd_lower *lw = ck->lw;
    KD_VEC(kd_darg) args = {0};
    for (unsigned i = 0; i < e->n_items; i++) {
        if (e->items[i]->kind == KD_EXPR_STAR) /* nobody knows how many */
            return;
        kd_vec_push(lw->arena, &args, (kd_darg){.value = KD_D_ERR, .loc = e->items[i]->loc});
    }
    for (unsigned i = 0; i < e->n_keywords; i++)
        kd_vec_push(lw->arena, &args, (kd_darg){.keyword = e->keywords[i].name, .value = KD_D_ERR,
                                               .loc = kd_loc_join(e->keywords[i].loc, e->keywords[i].value->loc)});
    if (callee.kind == KD_D_BUILTIN && !callee.bound.self)
        kd_builtin_takes(lw, e->loc, callee, args.data, args.n);
    else if (callee.kind == KD_D_FUNCTION && !callee.fn.self && !callee.fn.closure)
        kd_function_takes(lw, e->loc, callee, args.data, args.n);
}

static kd_dval check_call(checker *ck, const kd_expr *e)
{
    kd_dval callee = check_expr(ck, e->a);
    bool whole = true;
    for (unsigned i = 0; i < e->n_items; i++)
        check_expr(ck, e->items[i]->kind == KD_EXPR_STAR ? e->items[i]->a : e->items[i]);
    for (unsigned i = 0; i < e->n_keywords; i++) {
        check_expr(ck, e->keywords[i].value);
        if (e->keywords[i].name.len)
            continue;
        kd_error(ck->lw->diags, e->keywords[i].value->loc, "'**' in a call inside a kernel");
        whole = false;
    }
    if (whole)
        check_call_of(ck, e, callee);
    return KD_D_ERR;
}

/* ---- functions ---- */

/* Of one function or lambda, in a scope inside that of the function around it. */
static void check_function(checker *ck, const kd_function *f)
{
    kd_lower *lw = ck->lw;
    kd_scope *outside = lw->scope;
    kd_check_names names = ck->names;
    lw->scope = kd_scope_create(lw, outside, ck->module, f);
    ck->names = (kd_check_names){kd_map_in(lw->arena)};
    for (unsigned i = 0; i < f->n_params; i++) {
        check_annotation(ck, f->params[i].annotation);
        kd_scope_set(lw, lw->scope, f->params[i].name, KD_D_ERR, f->params[i].loc);
    }
    kd_check_bind(lw, lw->scope, &f->body, &ck->names);
    check_block(ck, &f->body);
    lw->scope = outside;
    ck->names = names;
}

/* ---- expressions ---- */

/* 'and', 'or': a compile-time operand may end the evaluation. */
static void check_logical(checker *ck, const kd_expr *e)
{
    bool certain = true;
    for (unsigned i = 0; i < e->n_items; i++) {
        if (certain)
            check_expr(ck, e->items[i]);
        else
            check_perhaps(ck, e->items[i]);
        certain &= kd_check_is_run_time(&ck->names, e->items[i]);
    }
}

static void check_ternary(checker *ck, const kd_expr *e)
{
    check_expr(ck, e->b);
    bool both = kd_check_is_run_time(&ck->names, e->b), before = !both && lenient(ck);
    check_expr(ck, e->a);
    check_expr(ck, e->c);
    if (!both)
        restore(ck, before);
}

static void check_parts(checker *ck, const kd_expr *e)
{
    const kd_expr *const parts[] = {e->a, e->b, e->c};
    for (unsigned i = 0; i < 3; i++)
        if (parts[i])
            check_expr(ck, parts[i]);
    for (unsigned i = 0; i < e->n_items; i++)
        check_expr(ck, e->items[i]->kind == KD_EXPR_STAR ? e->items[i]->a : e->items[i]);
}

/* What an expression means where that is a module, function or builtin; else KD_D_ERROR. */
static kd_dval check_expr(checker *ck, const kd_expr *e)
{
    switch (e->kind) {
    case KD_EXPR_NAME: return check_name(ck, e);
    case KD_EXPR_ATTRIBUTE: return check_attribute(ck, e);
    case KD_EXPR_CALL: return check_call(ck, e);
    case KD_EXPR_AND:
    case KD_EXPR_OR: check_logical(ck, e); break;
    case KD_EXPR_TERNARY: check_ternary(ck, e); break;
    case KD_EXPR_LAMBDA: check_function(ck, e->function); break;
    case KD_EXPR_COMPREHENSION: /* of an empty sequence nothing is evaluated */
        check_expr(ck, e->c);
        check_perhaps(ck, e->a);
        for (unsigned i = 0; i < e->n_items; i++)
            check_perhaps(ck, e->items[i]);
        break;
    case KD_EXPR_DICT:
    case KD_EXPR_SET:
    case KD_EXPR_ELLIPSIS:
    case KD_EXPR_STAR:
    case KD_EXPR_UNSUPPORTED: return kd_eval_unsupported(ck->lw, e);
    default: check_parts(ck, e); break;
    }
    return KD_D_ERR;
}

/* ---- statements ---- */

static void check_target(checker *ck, const kd_expr *target)
{
    if (target->kind == KD_EXPR_TUPLE || target->kind == KD_EXPR_LIST)
        for (unsigned i = 0; i < target->n_items; i++)
            check_target(ck, target->items[i]);
    else if (target->kind == KD_EXPR_SUBSCRIPT)
        kd_assign(ck->lw, target, KD_D_ERR); /* which says what to do instead */
    else if (target->kind == KD_EXPR_ATTRIBUTE)
        check_expr(ck, target->a);
}

/* 'if' and 'while'. */
static void check_branches(checker *ck, const kd_stmt *s)
{
    check_expr(ck, s->value);
    bool both = kd_check_is_run_time(&ck->names, s->value), before = !both && lenient(ck);
    check_block(ck, &s->body);
    check_block(ck, &s->orelse);
    if (!both)
        restore(ck, before);
}

/* Raising is how a branch says that it must not be reached. */
static bool ends_early(const kd_block_ast *block)
{
    kd_stmt_kind last = block->n ? block->stmts[block->n - 1]->kind : KD_STMT_PASS;
    return last == KD_STMT_RETURN || last == KD_STMT_RAISE;
}

static void check_stmt(checker *ck, const kd_stmt *s)
{
    switch (s->kind) {
    case KD_STMT_IF:
    case KD_STMT_WHILE:
        check_branches(ck, s);
        return;
    case KD_STMT_FUNCTION:
        check_function(ck, s->function);
        return;
    case KD_STMT_RAISE:
        return;
    case KD_STMT_UNSUPPORTED:
        kd_lower_stmt(ck->lw, s, false); /* which says so */
        ck->is_partial = true;
        return;
    case KD_STMT_ANNOTATED:
        check_annotation(ck, s->annotation);
        break;
    default:
        break;
    }
    if (s->value)
        check_expr(ck, s->value);
    for (unsigned i = 0; i < s->n_targets; i++)
        check_target(ck, s->targets[i]);
    if (s->message)
        check_perhaps(ck, s->message);
    check_block(ck, &s->body);
    check_block(ck, &s->orelse);
}

/* Behind a compile-time 'if' that returns, statements may never be reached. */
static void check_block(checker *ck, const kd_block_ast *block)
{
    bool before = kd_diags_is_lenient(ck->lw->diags);
    for (unsigned i = 0; i < block->n; i++) {
        const kd_stmt *s = block->stmts[i];
        check_stmt(ck, s);
        if (s->kind == KD_STMT_IF && (ends_early(&s->body) || ends_early(&s->orelse)) && !kd_check_is_run_time(&ck->names, s->value))
            lenient(ck);
    }
    restore(ck, before);
}

/* ---- files ---- */

static void check_items(checker *ck, const kd_item *items)
{
    for (const kd_item *item = items; item; item = item->next) {
        if (item->kind == KD_ITEM_CLASS)
            check_items(ck, item->class_->items);
        if (item->kind != KD_ITEM_FUNCTION || !kd_function_is_jit(item->function) || item->function->body_bad)
            continue;
        bool before = item->condition && lenient(ck);
        ck->is_partial = false;
        check_function(ck, item->function);
        if (item->condition)
            restore(ck, before);
    }
}

void kd_check_module(kd_lower *lw, kd_module_ast *ast)
{
    lw->stack_start = __builtin_frame_address(0);
    kd_dmodule *module = kd_dmodule_of(lw, ast);
    checker ck = {.lw = lw, .module = module, .told = kd_map_in(lw->arena)};
    lw->scope = kd_dmodule_scope(module);
    check_items(&ck, ast->items);
}
