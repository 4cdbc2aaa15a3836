/* stmt.c - statements, but for control flow. */
#include "dsl/lower_impl.h"

/* ---- assignment ---- */

kd_dval kd_sanitize(kd_lower *lw, kd_loc loc, kd_dval value)
{
    if (lw->scope->is_python)
        return value;
    if (kd_d_is_number(value))
        return kd_to_tensor(lw, loc, value);
    if (value.kind == KD_D_TUPLE && !value.tuple.class_ && !kd_d_is_static(value)) {
        kd_dval *items = kd_arena_array(lw->arena, kd_dval, value.tuple.n);
        for (unsigned i = 0; i < value.tuple.n; i++)
            if (kd_d_is_error(items[i] = kd_sanitize(lw, loc, value.tuple.items[i])))
                return KD_D_ERR;
        value.tuple.items = items;
    }
    return value;
}

static void assign_parts(kd_lower *lw, const kd_expr *target, kd_dval value)
{
    unsigned n_targets = target->n_items, star = n_targets, n;
    const kd_dval *items = NULL;
    for (unsigned i = 0; i < n_targets; i++)
        if (target->items[i]->kind == KD_EXPR_STAR)
            star = i;
    if (kd_d_is_error(value)) {
        for (unsigned i = 0; i < n_targets; i++)
            kd_assign(lw, i == star ? target->items[i]->a : target->items[i], KD_D_ERR);
        return;
    }
    if (value.kind == KD_D_TENSOR) {
        kd_error(lw->diags, target->loc, "%u names on the left, but one value on the right: %s", n_targets, kd_d_describe(lw, value));
        assign_parts(lw, target, KD_D_ERR);
        return;
    }
    if (!kd_static_items(lw, target->loc, value, &items, &n)) {
        assign_parts(lw, target, KD_D_ERR);
        return;
    }
    unsigned n_fixed = star < n_targets ? n_targets - 1 : n_targets;
    if (n < n_fixed || (star == n_targets && n != n_targets)) {
        kd_error(lw->diags, target->loc, "%u name%s on the left, but %u value%s on the right", n_targets, n_targets == 1 ? "" : "s", n, n == 1 ? "" : "s");
        assign_parts(lw, target, KD_D_ERR);
        return;
    }
    for (unsigned i = 0, at = 0; i < n_targets; i++) {
        unsigned take = i == star ? n - n_fixed : 1;
        if (i == star)
            kd_assign(lw, target->items[i]->a, kd_d_tuple(lw, items + at, take));
        else
            kd_assign(lw, target->items[i], items[at]);
        at += take;
    }
}

void kd_assign(kd_lower *lw, const kd_expr *target, kd_dval value)
{
    switch (target->kind) {
    case KD_EXPR_NAME:
        kd_scope_set(lw, lw->scope, target->text, value, target->loc);
        return;
    case KD_EXPR_TUPLE:
    case KD_EXPR_LIST:
        assign_parts(lw, target, value);
        return;
    case KD_EXPR_ATTRIBUTE:
        if (target->a->kind == KD_EXPR_NAME || target->a->kind == KD_EXPR_ATTRIBUTE) { /* the object anew, with another field */
            kd_dval object = kd_eval(lw, target->a);
            if (kd_d_is_error(object) || kd_d_is_error(value))
                return;
            object = kd_object_with(lw, target->loc, object, target->text, value);
            if (!kd_d_is_error(object))
                kd_assign(lw, target->a, object);
            return;
        }
        break;
    case KD_EXPR_SUBSCRIPT:
        kd_error(lw->diags, target->loc, "elements cannot be assigned; 'tl.where' makes a changed tile, 'tl.store' writes to memory");
        return;
    default:
        break;
    }
    kd_error(lw->diags, target->loc, "nothing can be assigned to this expression");
}

static void lower_assign(kd_lower *lw, const kd_stmt *s)
{
    kd_dval value = kd_eval(lw, s->value);
    if (!kd_d_is_error(value) && !(value.kind == KD_D_TUPLE && s->targets[0]->kind != KD_EXPR_NAME))
        value = kd_sanitize(lw, s->value->loc, value);
    for (unsigned i = 0; i < s->n_targets; i++) {
        kd_dval v = value;
        if (v.kind == KD_D_TUPLE && !v.tuple.class_ && s->targets[i]->kind != KD_EXPR_NAME) { /* a, b = 0, 1: each as if assigned alone */
            kd_dval *items = kd_arena_array(lw->arena, kd_dval, v.tuple.n);
            for (unsigned j = 0; j < v.tuple.n; j++)
                items[j] = kd_sanitize(lw, s->value->loc, v.tuple.items[j]);
            v.tuple.items = items;
        }
        kd_assign(lw, s->targets[i], v);
    }
}

static void lower_augmented(kd_lower *lw, const kd_stmt *s)
{
    const kd_expr *target = s->targets[0];
    if (target->kind != KD_EXPR_NAME && target->kind != KD_EXPR_ATTRIBUTE) {
        kd_assign(lw, target, KD_D_ERR);
        return;
    }
    kd_dval old = kd_eval(lw, target);
    kd_dval value = kd_d_binary(lw, s->loc, s->op, old, kd_eval(lw, s->value));
    kd_assign(lw, target, kd_d_is_error(value) ? value : kd_sanitize(lw, s->loc, value));
}

bool kd_annotation_is_constexpr(const kd_expr *a)
{
    if (!a)
        return false;
    switch (a->kind) {
    case KD_EXPR_NAME:
    case KD_EXPR_ATTRIBUTE:
        return kd_str_is(a->text, "constexpr");
    case KD_EXPR_STRING:
        return kd_str_is(a->text, "tl.constexpr") || kd_str_is(a->text, "constexpr");
    case KD_EXPR_SUBSCRIPT: /* tl.constexpr[int] */
    case KD_EXPR_CALL:
        return kd_annotation_is_constexpr(a->a);
    case KD_EXPR_BINARY: /* tl.constexpr | None */
        return kd_annotation_is_constexpr(a->a) || kd_annotation_is_constexpr(a->b);
    default:
        return false;
    }
}

static void lower_annotated(kd_lower *lw, const kd_stmt *s)
{
    const kd_expr *target = s->targets[0];
    if (!s->value)
        return;
    kd_dval value = kd_eval(lw, s->value);
    if (!kd_annotation_is_constexpr(s->annotation)) {
        kd_assign(lw, target, kd_d_is_error(value) ? value : kd_sanitize(lw, s->value->loc, value));
        return;
    }
    if (target->kind != KD_EXPR_NAME) {
        kd_assign(lw, target, value);
        return;
    }
    const kd_binding *old = kd_scope_find(lw->scope, target->text);
    bool again = lw->scope->n_loops || lw->scope->n_static_loops || lw->scope->is_python; /* each time round a loop it is a name anew */
    if (old && old->state == KD_NAME_SET && !again) {
        kd_error(lw->diags, target->loc, "'%.*s' has a value already, and cannot be declared tl.constexpr again", KD_STR_ARG(target->text));
        kd_note(lw->diags, old->loc, "it is set here");
        value = KD_D_ERR;
    } else if (!kd_d_is_error(value) && !kd_d_is_static(value)) {
        kd_error(lw->diags, s->value->loc, "'%.*s' is declared tl.constexpr, but this is %s", KD_STR_ARG(target->text),
                 kd_d_describe(lw, value));
        value = KD_D_ERR;
    }
    kd_scope_set(lw, lw->scope, target->text, value, target->loc);
    kd_scope_find(lw->scope, target->text)->is_constexpr = true;
}

/* ---- return, assert, raise ---- */

kd_flow kd_lower_return(kd_lower *lw, kd_loc loc, kd_dval value, bool tail)
{
    kd_scope *scope = lw->scope;
    if (scope->is_kernel)
        value = kd_d_none(); /* nobody takes it */
    if (tail || scope->is_python) {
        scope->ret = value;
        scope->ret_loc = loc;
        scope->has_ret = true;
    } else {
        kd_scope_set(lw, scope, kd_str_of("$returned"), kd_to_tensor(lw, loc, kd_d_bool(true)), loc);
        kd_scope_set(lw, scope, kd_str_of("$ret"), value, loc);
    }
    return KD_FLOW_RETURN;
}

static kd_flow lower_return(kd_lower *lw, const kd_stmt *s, bool tail)
{
    kd_dval value = s->value ? kd_eval(lw, s->value) : kd_d_none();
    if (lw->scope->n_loops && !lw->scope->is_python) {
        kd_error(lw->diags, s->loc, "'return' inside a loop; leave the loop through its condition ('while'), or mask what follows");
        return KD_FLOW_NEXT;
    }
    return kd_lower_return(lw, s->loc, value, tail);
}

static const char *message_text(kd_lower *lw, const kd_expr *message)
{
    if (!message)
        return NULL;
    kd_dval v = kd_eval_quietly(lw, lw->scope, message);
    return v.kind == KD_D_STRING ? kd_d_str(lw, v) : NULL;
}

static void lower_assert(kd_lower *lw, const kd_stmt *s)
{
    kd_dval cond = kd_eval(lw, s->value);
    if (kd_d_is_error(cond))
        return;
    if (!lw->debug && !lw->scope->is_python) /* as in Triton */
        return;
    if (kd_d_is_static(cond)) {
        bool truth;
        if (!kd_const_truth(lw, s->value->loc, cond, &truth) || truth)
            return;
        const char *message = message_text(lw, s->message);
        kd_error(lw->diags, s->loc, "assertion failed%s%s", message ? ": " : "", message ? message : "");
        return;
    }
    kd_darg args[2] = {{.value = cond, .loc = s->value->loc}, {.value = kd_d_string(kd_str_of("")), .loc = s->loc}};
    if (s->message) {
        args[1].value = kd_eval(lw, s->message);
        if (kd_d_is_error(args[1].value))
            return;
    }
    kd_dval device_assert = kd_builtin_lookup(lw, "tl", kd_str_of("device_assert"), &(const char *){NULL});
    kd_call(lw, s->loc, device_assert, args, 2);
}

/* raise ValueError("text"): reached, so the author's own check has failed. */
static void lower_raise(kd_lower *lw, const kd_stmt *s)
{
    const char *message = NULL;
    kd_str type = {0};
    if (s->value && s->value->kind == KD_EXPR_CALL) {
        type = s->value->a->text;
        if (s->value->n_items)
            message = message_text(lw, s->value->items[0]);
    } else if (s->value) {
        type = s->value->text;
    }
    kd_error(lw->diags, s->loc, "the kernel raises %.*s%s%s", KD_STR_ARG(type.len ? type : kd_str_of("an exception")), message ? ": " : "",
             message ? message : "");
}

static void lower_nested_function(kd_lower *lw, const kd_stmt *s)
{
    kd_dval f = {.kind = KD_D_FUNCTION, .loc = s->loc,
                 .fn = {.function = s->function, .module = lw->scope->module, .closure = lw->scope, .is_python = lw->scope->is_python}};
    kd_scope_set(lw, lw->scope, s->function->name, f, s->function->loc);
}

static kd_flow lower_jump(kd_lower *lw, const kd_stmt *s)
{
    if (lw->scope->is_python)
        return s->kind == KD_STMT_BREAK ? KD_FLOW_BREAK : KD_FLOW_CONTINUE;
    kd_error(lw->diags, s->loc, "'%s' cannot be used in a kernel; %s", s->kind == KD_STMT_BREAK ? "break" : "continue",
             s->kind == KD_STMT_BREAK ? "put the condition into a 'while'" : "put the rest of the loop under an 'if'");
    return KD_FLOW_NEXT;
}

kd_flow kd_lower_stmt(kd_lower *lw, const kd_stmt *s, bool tail)
{
    switch (s->kind) {
    case KD_STMT_EXPR:
        kd_eval(lw, s->value);
        break;
    case KD_STMT_ASSIGN:
        lower_assign(lw, s);
        break;
    case KD_STMT_AUGMENTED:
        lower_augmented(lw, s);
        break;
    case KD_STMT_ANNOTATED:
        lower_annotated(lw, s);
        break;
    case KD_STMT_FOR:
        return kd_lower_for(lw, s);
    case KD_STMT_WHILE:
        return kd_lower_while(lw, s);
    case KD_STMT_RETURN:
        return lower_return(lw, s, tail);
    case KD_STMT_PASS:
    case KD_STMT_IF: /* kd_lower_seq */
        break;
    case KD_STMT_BREAK:
    case KD_STMT_CONTINUE:
        return lower_jump(lw, s);
    case KD_STMT_ASSERT:
        lower_assert(lw, s);
        break;
    case KD_STMT_RAISE:
        lower_raise(lw, s);
        return KD_FLOW_STOP;
    case KD_STMT_FUNCTION:
        lower_nested_function(lw, s);
        break;
    case KD_STMT_IMPORT:
        kd_lower_import(lw, s);
        break;
    case KD_STMT_UNSUPPORTED:
        kd_error(lw->diags, s->loc, "%.*s cannot be used in a kernel", KD_STR_ARG(s->text));
        break;
    }
    return lw->stopped ? KD_FLOW_STOP : KD_FLOW_NEXT;
}
