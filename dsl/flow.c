/* flow.c - 'if' on run-time values, and what follows an early return.
 *
 * IR has structured control flow only. Names that the branches set differently become results of the kd.if. A return under a run-time 'if'
 * takes the rest of the function into the other branch where that is possible:
 *
 *     if pid >= n:              kd.if %c {
 *         return                  kd.yield
 *     rest                      } else {
 *                                 rest
 *                                 kd.yield
 *                               }
 *
 * and elsewhere (a return in one of several nested branches) sets the hidden names '$returned' and '$ret', on which the rest depends. */
#include "dsl/lower_impl.h"

/* ---- merging two branches ---- */

typedef struct kd_branch {
    kd_block *block;
    kd_names names; /* at its end */
    bool dead;      /* it has returned: its names do not matter */
    kd_dval ret;    /* in tail position: what it returns */
} kd_branch;

typedef struct kd_merge {
    kd_lower *lw;
    kd_loc loc;
    kd_op *op; /* the kd.if, without results yet */
    kd_branch branch[2];
    kd_values yields[2];
    KD_VEC(const kd_type *) types;
    const char *why; /* the values do not fit together */
} kd_merge;

/* Stands for result i of the op until the op has it. */
static kd_value *placeholder(kd_merge *m, kd_value *a, kd_value *b, const kd_type *type)
{
    kd_value *v = kd_arena_new(m->lw->arena, kd_value);
    v->type = type;
    v->index = m->types.n;
    kd_vec_push(m->lw->arena, &m->types, type);
    kd_vec_push(m->lw->arena, &m->yields[0], a);
    kd_vec_push(m->lw->arena, &m->yields[1], b);
    return v;
}

static kd_value *settle(void *user, kd_value *old)
{
    kd_merge *m = user;
    return old->def || old->owner ? old : kd_op_result(m->op, old->index);
}

static kd_dval tensor_in_branch(kd_merge *m, unsigned which, kd_dval v)
{
    if (!kd_d_is_number(v))
        return v;
    m->lw->b = kd_builder_at_end(m->lw->module, m->branch[which].block);
    return kd_to_tensor(m->lw, m->loc, v);
}

static bool merge_leaf(kd_merge *m, kd_value *a, kd_value *b, kd_value **out)
{
    if (a->type != b->type) {
        m->why = kd_arena_printf(m->lw->arena, "is %s in one branch of an 'if' and %s in the other", kd_d_type_text(m->lw, a->type),
                                 kd_d_type_text(m->lw, b->type));
        return false;
    }
    *out = a == b ? a : placeholder(m, a, b, a->type);
    return true;
}

static bool merge_value(kd_merge *m, kd_dval a, kd_dval b, kd_dval *out);

static bool merge_parts(kd_merge *m, kd_dval a, kd_dval b, kd_dval *out)
{
    kd_dval *items = kd_arena_array(m->lw->arena, kd_dval, a.tuple.n);
    for (unsigned i = 0; i < a.tuple.n; i++)
        if (!merge_value(m, a.tuple.items[i], b.tuple.items[i], &items[i]))
            return false;
    *out = a;
    out->tuple.items = items;
    return true;
}

static bool merge_value(kd_merge *m, kd_dval a, kd_dval b, kd_dval *out)
{
    if (kd_d_is_error(a) || kd_d_is_error(b)) {
        *out = KD_D_ERR;
        return true;
    }
    if (a.kind == KD_D_TUPLE && b.kind == KD_D_TUPLE && a.tuple.n == b.tuple.n && a.tuple.class_ == b.tuple.class_)
        return merge_parts(m, a, b, out);
    if (kd_d_is_static(a) && kd_d_is_static(b) && kd_d_same_shape(a, b)) {
        *out = a;
        return true;
    }
    const char *kinds = kd_arena_printf(m->lw->arena, "is %s in one branch of an 'if' and %s in the other", kd_d_describe(m->lw, a), kd_d_describe(m->lw, b));
    a = tensor_in_branch(m, 0, a);
    b = tensor_in_branch(m, 1, b);
    *out = a;
    if (a.kind == KD_D_TENSOR && b.kind == KD_D_TENSOR)
        return merge_leaf(m, a.value, b.value, &out->value);
    if (!kd_d_same_shape(a, b)) {
        m->why = kinds;
        return false;
    }
    kd_values la = {0}, lb = {0};
    kd_d_leaves(m->lw, a, &la);
    kd_d_leaves(m->lw, b, &lb);
    for (unsigned i = 0; i < la.n; i++)
        merge_leaf(m, la.data[i], lb.data[i], &la.data[i]);
    *out = kd_d_rebuild(m->lw, a, la.data);
    return true;
}

/* A value of the one branch; the other has returned, or has no such name, and yields anything. */
static kd_value *one_sided(kd_merge *m, unsigned which, kd_value *v)
{
    kd_builder b = kd_builder_at_end(m->lw->module, m->branch[!which].block);
    kd_value *other = kd_result(kd_build_poison(&b, (kd_poison_args){.loc = m->loc, .type = v->type}));
    return which == 0 ? placeholder(m, v, other, v->type) : placeholder(m, other, v, v->type);
}

typedef struct kd_side {
    kd_merge *m;
    unsigned which;
} kd_side;

static kd_value *take_side(void *user, kd_value *old)
{
    kd_side *side = user;
    return one_sided(side->m, side->which, old);
}

static bool unchanged(const kd_binding *a, const kd_binding *b)
{
    return a->state == b->state && memcmp(&a->value, &b->value, sizeof a->value) == 0;
}

static kd_binding merge_binding(kd_merge *m, kd_binding a, kd_binding b)
{
    bool hidden = a.name.len && a.name.ptr[0] == '$';
    if (unchanged(&a, &b))
        return a;
    kd_binding sides[2] = {a, b};
    for (unsigned i = 0; i < 2; i++) {
        bool absent = sides[!i].state == KD_NAME_UNSET && hidden;
        if ((m->branch[!i].dead && !hidden) || (absent && sides[i].state == KD_NAME_SET)) {
            if (sides[i].state == KD_NAME_SET) {
                kd_side side = {m, i};
                sides[i].value = kd_d_map(m->lw, sides[i].value, take_side, &side);
            }
            return sides[i];
        }
    }
    if (a.state == KD_NAME_SET && b.state == KD_NAME_SET) {
        m->why = "has different types in the branches of an 'if'";
        if (merge_value(m, a.value, b.value, &a.value)) {
            a.is_constexpr &= b.is_constexpr;
            return a;
        }
        return (kd_binding){.name = a.name, .loc = m->loc, .state = KD_NAME_CONFLICT, .why = m->why};
    }
    if (a.state == KD_NAME_SET || b.state == KD_NAME_SET) {
        const kd_binding *set = a.state == KD_NAME_SET ? &a : &b, *gone = a.state == KD_NAME_SET ? &b : &a;
        return (kd_binding){.name = a.name, .loc = set->loc, .state = gone->state == KD_NAME_UNSET ? KD_NAME_IN_BRANCH : gone->state, .why = gone->why};
    }
    return a.state != KD_NAME_UNSET ? a : b;
}

/* '$returned' is false where nothing has returned. */
static void define_returned(kd_merge *m, unsigned which, unsigned slot)
{
    kd_binding *b = &m->branch[which].names.data[slot];
    if (b->state == KD_NAME_UNSET && kd_str_is(b->name, "$returned")) {
        b->value = tensor_in_branch(m, which, kd_d_bool(false));
        b->state = KD_NAME_SET;
    }
}

static void pad_names(kd_merge *m, kd_names *names, unsigned n)
{
    kd_binding *all = kd_arena_array(m->lw->arena, kd_binding, n);
    if (names->n)
        memcpy(all, names->data, names->n * sizeof *all);
    for (unsigned i = names->n; i < n; i++)
        all[i].name = m->lw->scope->names.data[i].name;
    *names = (kd_names){all, n};
}

static void finish_op(kd_merge *m)
{
    for (unsigned i = 0; i < 2; i++) {
        kd_builder b = kd_builder_at_end(m->lw->module, m->branch[i].block);
        kd_build_yield(&b, (kd_yield_args){.loc = m->loc, .values = m->yields[i].data, .n_values = m->yields[i].n});
    }
    if (m->types.n)
        m->op = kd_op_with_results(m->lw->module, m->op, m->types.data, m->types.n);
}

static void merge_names(kd_merge *m)
{
    kd_scope *scope = m->lw->scope;
    unsigned n = scope->names.n;
    pad_names(m, &m->branch[0].names, n);
    pad_names(m, &m->branch[1].names, n);
    for (unsigned i = 0; i < n; i++) {
        define_returned(m, 0, i);
        define_returned(m, 1, i);
        scope->names.data[i] = merge_binding(m, m->branch[0].names.data[i], m->branch[1].names.data[i]);
    }
    finish_op(m);
    for (unsigned i = 0; i < n; i++)
        if (scope->names.data[i].state == KD_NAME_SET)
            scope->names.data[i].value = kd_d_map(m->lw, scope->names.data[i].value, settle, m);
}

static void merge_returns(kd_merge *m)
{
    kd_scope *scope = m->lw->scope;
    kd_dval ret = KD_D_ERR;
    if (!merge_value(m, m->branch[0].ret, m->branch[1].ret, &ret)) {
        kd_error(m->lw->diags, m->loc, "what this function returns %s", m->why);
        ret = KD_D_ERR;
    }
    finish_op(m);
    scope->ret = kd_d_map(m->lw, ret, settle, m);
    scope->has_ret = true;
}

/* ---- branches ---- */

static kd_merge begin_if(kd_lower *lw, kd_loc loc, kd_value *cond)
{
    kd_merge m = {.lw = lw, .loc = loc};
    lw->n_regions_made++;
    m.op = kd_build_if(&lw->b, (kd_if_args){.loc = loc, .condition = cond});
    m.branch[0].block = kd_op_region(m.op, 0);
    m.branch[1].block = kd_op_region(m.op, 1);
    return m;
}

static kd_flow lower_branch(kd_merge *m, unsigned which, const kd_seq *seq, bool tail)
{
    kd_lower *lw = m->lw;
    lw->b = kd_builder_at_end(lw->module, m->branch[which].block);
    kd_flow flow = kd_lower_seq(lw, seq, tail);
    m->branch[which].names = kd_names_save(lw, lw->scope);
    m->branch[which].dead = flow == KD_FLOW_RETURN || flow == KD_FLOW_STOP;
    m->branch[which].ret = flow == KD_FLOW_STOP ? KD_D_ERR : lw->scope->ret;
    return flow;
}

/* Both branches from the same names; then goes on behind the kd.if. */
static kd_flow lower_branches(kd_merge *m, const kd_seq *a, const kd_seq *b, bool tail)
{
    kd_lower *lw = m->lw;
    kd_block *outside = lw->b.block;
    kd_names before = kd_names_save(lw, lw->scope);
    kd_flow then = lower_branch(m, 0, a, tail);
    kd_names_restore(lw->scope, before);
    kd_flow otherwise = lower_branch(m, 1, b, tail);
    kd_names_restore(lw->scope, before);
    if (tail)
        merge_returns(m);
    else
        merge_names(m);
    lw->b = kd_builder_at_end(lw->module, outside);
    if (lw->stopped)
        return KD_FLOW_STOP;
    if (then == KD_FLOW_STOP && otherwise == KD_FLOW_STOP)
        return KD_FLOW_STOP;
    if (tail || (m->branch[0].dead && m->branch[1].dead))
        return KD_FLOW_RETURN;
    return then == KD_FLOW_NEXT && otherwise == KD_FLOW_NEXT ? KD_FLOW_NEXT : KD_FLOW_MAYBE;
}

/* By its syntax alone. */
static bool always_returns(const kd_block_ast *block)
{
    if (!block->n)
        return false;
    const kd_stmt *last = block->stmts[block->n - 1];
    return last->kind == KD_STMT_RETURN || (last->kind == KD_STMT_IF && always_returns(&last->body) && always_returns(&last->orelse));
}

static bool is_empty(const kd_seq *seq)
{
    for (; seq; seq = seq->next)
        if (seq->n)
            return false;
    return true;
}

/* Its value where it is set, else None. */
static kd_dval hidden_name(kd_lower *lw, const char *name)
{
    kd_binding *b = kd_scope_find(lw->scope, kd_str_of(name));
    if (b && b->state == KD_NAME_CONFLICT) {
        kd_error(lw->diags, b->loc, "what this function returns %s", b->why);
        return KD_D_ERR;
    }
    return b && b->state == KD_NAME_SET ? b->value : kd_d_none();
}

/* After a statement that may have returned: rest, where it has not. */
static kd_flow lower_guarded(kd_lower *lw, kd_loc loc, const kd_seq *rest, bool tail);

kd_flow kd_lower_if(kd_lower *lw, const kd_stmt *s, kd_dval cond, const kd_seq *rest, bool tail)
{
    kd_seq then = {s->body.stmts, s->body.n, NULL}, otherwise = {s->orelse.stmts, s->orelse.n, NULL};
    kd_merge m = begin_if(lw, s->loc, cond.value);
    bool then_returns = always_returns(&s->body), else_returns = always_returns(&s->orelse), in_loop = lw->scope->n_loops > 0;
    if (!in_loop && (then_returns || else_returns)) { /* the rest goes with the branch that goes on */
        (then_returns ? &otherwise : &then)->next = then_returns && else_returns ? NULL : rest;
        kd_flow flow = lower_branches(&m, &then, &otherwise, tail);
        return flow == KD_FLOW_NEXT ? KD_FLOW_RETURN : flow;
    }
    if (tail && is_empty(rest))
        return lower_branches(&m, &then, &otherwise, true);
    kd_flow flow = lower_branches(&m, &then, &otherwise, false);
    switch (flow) {
    case KD_FLOW_NEXT: return kd_lower_seq(lw, rest, tail);
    case KD_FLOW_MAYBE: return lower_guarded(lw, s->loc, rest, tail);
    case KD_FLOW_RETURN: return tail ? kd_lower_return(lw, s->loc, hidden_name(lw, "$ret"), true) : flow;
    default: return flow;
    }
}

static kd_flow lower_guarded(kd_lower *lw, kd_loc loc, const kd_seq *rest, bool tail)
{
    kd_dval returned = hidden_name(lw, "$returned");
    if (returned.kind != KD_D_TENSOR)
        return KD_FLOW_STOP;
    if (!tail && is_empty(rest))
        return KD_FLOW_MAYBE;
    if (lw->scope->n_loops) {
        kd_error(lw->diags, loc, "'return' inside a loop; leave the loop through its condition ('while'), or mask what follows");
        return KD_FLOW_STOP;
    }
    kd_merge m = begin_if(lw, loc, returned.value);
    kd_block *outside = lw->b.block;
    kd_names before = kd_names_save(lw, lw->scope);
    m.branch[0].names = before;
    m.branch[0].dead = true;
    m.branch[0].ret = hidden_name(lw, "$ret");
    kd_flow flow = lower_branch(&m, 1, rest, tail);
    kd_names_restore(lw->scope, before);
    if (tail)
        merge_returns(&m);
    else
        merge_names(&m);
    lw->b = kd_builder_at_end(lw->module, outside);
    if (flow == KD_FLOW_STOP)
        return flow;
    return tail || flow == KD_FLOW_RETURN ? KD_FLOW_RETURN : KD_FLOW_MAYBE;
}

kd_dval kd_lower_ternary(kd_lower *lw, const kd_expr *e, kd_dval cond)
{
    kd_merge m = begin_if(lw, e->loc, cond.value);
    kd_block *outside = lw->b.block;
    kd_dval sides[2], v = KD_D_ERR;
    for (unsigned i = 0; i < 2; i++) {
        const kd_expr *side = i == 0 ? e->a : e->c;
        lw->b = kd_builder_at_end(lw->module, m.branch[i].block);
        sides[i] = kd_sanitize(lw, side->loc, kd_eval(lw, side));
    }
    if (!merge_value(&m, sides[0], sides[1], &v)) {
        kd_error(lw->diags, e->loc, "this value %s", m.why);
        v = KD_D_ERR;
    }
    finish_op(&m);
    lw->b = kd_builder_at_end(lw->module, outside);
    return kd_d_map(lw, v, settle, &m);
}

/* ---- sequences ---- */

static kd_flow finish_tail(kd_lower *lw, kd_loc loc, kd_flow flow, bool tail)
{
    if (!tail || lw->scope->is_python)
        return flow;
    if (flow == KD_FLOW_NEXT)
        return kd_lower_return(lw, loc, kd_d_none(), true);
    if (flow == KD_FLOW_RETURN && !lw->scope->has_ret) /* it returned from a statement that is not the last: an unrolled loop */
        return kd_lower_return(lw, loc, hidden_name(lw, "$ret"), true);
    return flow;
}

kd_flow kd_lower_seq(kd_lower *lw, const kd_seq *seq, bool tail)
{
    kd_loc loc = KD_NO_LOC;
    lw->scope->has_ret = false;
    for (; seq; seq = seq->next)
        for (unsigned i = 0; i < seq->n; i++) {
            const kd_stmt *s = seq->stmts[i];
            kd_seq rest = {seq->stmts + i + 1, seq->n - i - 1, seq->next};
            loc = s->loc;
            if (!kd_lower_step(lw, loc))
                return KD_FLOW_STOP;
            kd_flow flow;
            if (s->kind == KD_STMT_IF) {
                bool known, truth;
                kd_dval cond;
                if (!kd_eval_condition(lw, s->value, "'if'", &known, &truth, &cond))
                    continue; /* reported; neither branch tells more */
                if (!known)
                    return kd_lower_if(lw, s, cond, &rest, tail);
                const kd_block_ast *taken = truth ? &s->body : &s->orelse;
                if (!taken->n)
                    continue;
                kd_seq spliced = {taken->stmts, taken->n, &rest};
                return kd_lower_seq(lw, &spliced, tail);
            }
            flow = kd_lower_stmt(lw, s, tail);
            if (flow == KD_FLOW_MAYBE)
                return lower_guarded(lw, loc, &rest, tail);
            if (flow != KD_FLOW_NEXT)
                return finish_tail(lw, loc, flow, tail);
        }
    return finish_tail(lw, loc, KD_FLOW_NEXT, tail);
}
