/* loop.c - for and while.
 *
 * A loop at run time carries the names that are live before it and set inside it: they become arguments of the loop's region, and its
 * results. Which names are set is read off the syntax; what turns out not to change is taken out again, so that code under an untaken
 * compile-time 'if' costs nothing. */
#include "dsl/lower_impl.h"

/* ---- names that a body sets ---- */

typedef KD_VEC(kd_str) kd_name_list;

static void add_name(kd_lower *lw, kd_name_list *out, kd_str name)
{
    for (unsigned i = 0; i < out->n; i++)
        if (kd_str_equal(out->data[i], name))
            return;
    kd_vec_push(lw->arena, out, name);
}

static void names_of_target(kd_lower *lw, const kd_expr *t, kd_name_list *out)
{
    if (t->kind == KD_EXPR_NAME)
        add_name(lw, out, t->text);
    else if (t->kind == KD_EXPR_TUPLE || t->kind == KD_EXPR_LIST)
        for (unsigned i = 0; i < t->n_items; i++)
            names_of_target(lw, t->items[i], out);
    else if (t->kind == KD_EXPR_STAR || t->kind == KD_EXPR_ATTRIBUTE)
        names_of_target(lw, t->a, out);
}

/* ':=' inside an expression. */
static void names_of_expr(kd_lower *lw, const kd_expr *e, kd_name_list *out)
{
    if (!e)
        return;
    if (e->kind == KD_EXPR_WALRUS)
        add_name(lw, out, e->text);
    names_of_expr(lw, e->a, out);
    names_of_expr(lw, e->b, out);
    names_of_expr(lw, e->c, out);
    for (unsigned i = 0; i < e->n_items; i++)
        names_of_expr(lw, e->items[i], out);
    for (unsigned i = 0; i < e->n_keywords; i++)
        names_of_expr(lw, e->keywords[i].value, out);
}

static void names_of_block(kd_lower *lw, const kd_block_ast *block, kd_name_list *out)
{
    for (unsigned i = 0; i < block->n; i++) {
        const kd_stmt *s = block->stmts[i];
        for (unsigned j = 0; j < s->n_targets; j++)
            names_of_target(lw, s->targets[j], out);
        if (s->kind == KD_STMT_FUNCTION)
            add_name(lw, out, s->function->name);
        names_of_expr(lw, s->value, out);
        names_of_block(lw, &s->body, out);
        names_of_block(lw, &s->orelse, out);
    }
}

/* ---- carried names ---- */

typedef struct kd_carry {
    kd_str name;
    kd_dval init;
    kd_loc loc; /* where it got that */
    unsigned n_leaves;
} kd_carry;

typedef struct kd_carries {
    KD_VEC(kd_carry) names;
    kd_values inits;
    KD_VEC(const kd_type *) types;
} kd_carries;

static void find_carries(kd_lower *lw, const kd_name_list *set, kd_carries *out)
{
    for (unsigned i = 0; i < set->n; i++) {
        kd_binding *b = kd_scope_find(lw->scope, set->data[i]);
        if (!b || b->state != KD_NAME_SET)
            continue;
        unsigned before = out->inits.n;
        kd_d_leaves(lw, b->value, &out->inits);
        kd_vec_push(lw->arena, &out->names, (kd_carry){b->name, b->value, b->loc, out->inits.n - before});
    }
    for (unsigned i = 0; i < out->inits.n; i++)
        kd_vec_push(lw->arena, &out->types, out->inits.data[i]->type);
}

static void rebind(kd_lower *lw, const kd_carries *c, kd_value *const *leaves)
{
    for (unsigned i = 0; i < c->names.n; i++) {
        const kd_carry *carry = &c->names.data[i];
        kd_binding *b = kd_scope_find(lw->scope, carry->name);
        b->value = kd_d_rebuild_next(lw, carry->init, &leaves);
        b->state = KD_NAME_SET;
    }
}

/* Arguments of a region for all that is carried; the names mean them from now on. */
static void rebind_to_args(kd_lower *lw, const kd_carries *c, kd_block *block)
{
    kd_values args = {0};
    for (unsigned i = 0, at = 0; i < c->names.n; i++) {
        kd_str name = c->names.data[i].name;
        for (unsigned j = 0; j < c->names.data[i].n_leaves; j++, at++) {
            const char *text = kd_arena_strndup(lw->arena, name.ptr, name.len);
            kd_vec_push(lw->arena, &args, kd_block_add_arg(lw->module, block, c->types.data[at], text));
        }
    }
    rebind(lw, c, args.data);
}

static void report_changed(kd_lower *lw, kd_loc loop, const kd_carry *carry, const kd_binding *now)
{
    const char *after = now->state == KD_NAME_SET ? kd_d_describe(lw, now->value) : "nothing";
    if (now->state == KD_NAME_CONFLICT) {
        kd_error(lw->diags, now->loc, "'%.*s' %s", KD_STR_ARG(carry->name), now->why);
        return;
    }
    kd_error(lw->diags, now->loc.source ? now->loc : loop, "'%.*s' is %s before the loop, but %s at the end of its body; a loop cannot change that",
             KD_STR_ARG(carry->name), kd_d_describe(lw, carry->init), after);
    if (carry->loc.source)
        kd_note(lw->diags, carry->loc, "'%.*s' gets its first value here", KD_STR_ARG(carry->name));
}

/* What the names mean at the end of a body, as the loop's next values. Reports names whose type has changed, and keeps the old values. */
static void collect_next(kd_lower *lw, kd_loc loop, const kd_carries *c, kd_value *const *args, kd_values *out)
{
    for (unsigned i = 0; i < c->names.n; i++) {
        const kd_carry *carry = &c->names.data[i];
        kd_binding *b = kd_scope_find(lw->scope, carry->name);
        kd_dval v = b->value;
        bool error = b->state == KD_NAME_SET && (kd_d_is_error(v) || kd_d_is_error(carry->init));
        bool is_inner_var = b->state == KD_NAME_LOOP_VAR;
        if (b->state == KD_NAME_SET && carry->init.kind == KD_D_TENSOR && kd_d_is_number(v))
            v = kd_to_tensor(lw, b->loc, v);
        if (!error && b->state == KD_NAME_SET && kd_d_same_shape(carry->init, v)) {
            kd_d_leaves(lw, v, out);
        } else {
            if (!error && !is_inner_var)
                report_changed(lw, loop, carry, b);
            for (unsigned j = 0; j < carry->n_leaves; j++) {
                kd_value *old = args[out->n];
                kd_vec_push(lw->arena, out, old);
            }
        }
    }
}

/* After a loop, names mean its results; those first set inside have no value. */
static void leave_loop(kd_lower *lw, kd_names before, const kd_carries *c, kd_value *const *results, const kd_name_list *vars)
{
    kd_scope *scope = lw->scope;
    unsigned n = scope->names.n;
    for (unsigned i = 0; i < n; i++) {
        kd_binding *b = &scope->names.data[i];
        bool was_set = i < before.n && before.data[i].state == KD_NAME_SET;
        if (!was_set && b->state == KD_NAME_SET)
            b->state = KD_NAME_IN_LOOP;
        else if (i < before.n)
            *b = before.data[i];
    }
    rebind(lw, c, results);
    for (unsigned i = 0; vars && i < vars->n; i++)
        kd_scope_find(scope, vars->data[i])->state = KD_NAME_LOOP_VAR;
}

static kd_values results_of(kd_lower *lw, const kd_carries *c, const kd_op *op, const bool *dropped)
{
    kd_values out = {0};
    for (unsigned i = 0, at = 0; i < c->inits.n; i++)
        kd_vec_push(lw->arena, &out, dropped[i] ? c->inits.data[i] : kd_op_result(op, at++));
    return out;
}

static kd_op *drop_results(kd_lower *lw, const kd_carries *c, kd_op *op, const bool *dropped)
{
    KD_VEC(const kd_type *) kept = {0};
    for (unsigned i = 0; i < c->types.n; i++)
        if (!dropped[i])
            kd_vec_push(lw->arena, &kept, c->types.data[i]);
    return kept.n == c->types.n ? op : kd_op_with_results(lw->module, op, kept.data, kept.n);
}

/* Takes the argument of a region out, which means the same as the value from outside. */
static void drop_arg(kd_block *block, unsigned i, kd_value *outside)
{
    kd_value_replace_uses(block->args[i], outside);
    kd_block_remove_arg(block, i);
}

/* ---- for, at run time ---- */

typedef struct kd_bounds {
    kd_value *lower, *upper, *step;
    bool reversed; /* the step is negative: the loop counts up, its variable down */
    const kd_drange *range;
} kd_bounds;

static bool one_bound(kd_lower *lw, kd_loc loc, kd_dval v, kd_dval *out)
{
    *out = kd_to_tensor(lw, loc, v);
    if (kd_d_is_error(*out))
        return false;
    if (out->value->type->kind == KD_TYPE_SCALAR && kd_type_is_int_like(out->value->type))
        return true;
    kd_error(lw->diags, loc, "a bound of 'range' must be an integer, but this is %s", kd_d_describe(lw, *out));
    return false;
}

static bool make_bounds(kd_lower *lw, kd_loc loc, const kd_drange *r, kd_bounds *out)
{
    kd_dval step = r->step, start = r->start, stop = r->stop, t;
    *out = (kd_bounds){.range = r};
    if (kd_d_is_int(step) && step.integer == 0) {
        kd_error(lw->diags, loc, "a range with a step of 0 has no end");
        return false;
    }
    if (kd_d_is_int(step) && step.integer < 0) {
        out->reversed = true;
        step = kd_const_unary(lw, loc, KD_MINUS, step);
        t = start, start = stop, stop = t;
    }
    if (!one_bound(lw, loc, start, &start) || !one_bound(lw, loc, stop, &stop) || !one_bound(lw, loc, step, &step))
        return false;
    if (!kd_promote_pair(lw, loc, "range", &start, &stop) || !kd_promote_pair(lw, loc, "range", &start, &step) ||
        !kd_promote_pair(lw, loc, "range", &stop, &step))
        return false;
    if (kd_type_is_bool_like(start.value->type)) { /* range(flag) */
        start = kd_tensor_cast(lw, loc, start, KD_I32, 0);
        stop = kd_tensor_cast(lw, loc, stop, KD_I32, 0);
        step = kd_tensor_cast(lw, loc, step, KD_I32, 0);
    }
    out->lower = start.value;
    out->upper = stop.value;
    out->step = step.value;
    return true;
}

/* The value of the variable in a body that counts the other way: upper + lower - i. */
static kd_dval loop_variable(kd_lower *lw, kd_loc loc, const kd_bounds *b, kd_value *i)
{
    kd_dval v = kd_d_tensor(i);
    if (!b->reversed)
        return v;
    v = kd_tensor_binary(lw, loc, KD_SUB, kd_d_tensor(b->upper), v);
    return kd_tensor_binary(lw, loc, KD_ADD, v, kd_d_tensor(b->lower));
}

static kd_op *prune_for(kd_lower *lw, const kd_carries *c, kd_op *op, bool *dropped)
{
    kd_block *body = kd_op_region(op, 0);
    kd_op *yield = kd_block_terminator(body);
    for (unsigned i = c->inits.n; i > 0; i--) {
        unsigned j = i - 1;
        dropped[j] = kd_op_operand(yield, j) == body->args[1 + j];
        if (!dropped[j])
            continue;
        kd_op_remove_operand(yield, j);
        kd_op_remove_operand(op, 3 + j);
        drop_arg(body, 1 + j, c->inits.data[j]);
    }
    return drop_results(lw, c, op, dropped);
}

static kd_op *build_for(kd_lower *lw, const kd_stmt *s, const kd_bounds *b, const kd_carries *c)
{
    lw->n_regions_made++;
    kd_op *op = kd_build_for(&lw->b, (kd_for_args){.loc = s->loc, .lower = b->lower, .upper = b->upper, .step = b->step,
                                                   .inits = c->inits.data, .n_inits = c->inits.n, .types = c->types.data, .n_types = c->types.n,
                                                   .num_stages = b->range->num_stages, .unroll = b->range->unroll});
    return op;
}

static kd_flow lower_counted(kd_lower *lw, const kd_stmt *s, const kd_drange *range)
{
    kd_bounds bounds;
    kd_name_list set = {0}, vars = {0};
    kd_carries c = {0};
    if (!make_bounds(lw, s->value->loc, range, &bounds)) {
        kd_assign(lw, s->targets[0], KD_D_ERR);
        return KD_FLOW_NEXT;
    }
    names_of_block(lw, &s->body, &set);
    names_of_target(lw, s->targets[0], &vars);
    kd_name_list carried = {0};
    for (unsigned i = 0; i < set.n; i++) {
        bool is_var = false;
        for (unsigned j = 0; j < vars.n; j++)
            is_var |= kd_str_equal(set.data[i], vars.data[j]);
        if (!is_var)
            kd_vec_push(lw->arena, &carried, set.data[i]);
    }
    find_carries(lw, &carried, &c);
    kd_block *outside = lw->b.block;
    kd_names before = kd_names_save(lw, lw->scope);
    kd_op *op = build_for(lw, s, &bounds, &c);
    kd_block *body = kd_op_region(op, 0);
    kd_value *i = kd_block_add_arg(lw->module, body, bounds.lower->type, NULL);
    rebind_to_args(lw, &c, body);
    lw->b = kd_builder_at_end(lw->module, body);
    kd_assign(lw, s->targets[0], loop_variable(lw, s->targets[0]->loc, &bounds, i));
    lw->scope->n_loops++;
    kd_seq seq = {s->body.stmts, s->body.n, NULL};
    kd_flow flow = kd_lower_seq(lw, &seq, false);
    lw->scope->n_loops--;
    kd_values next = {0};
    collect_next(lw, s->loc, &c, body->args + 1, &next);
    kd_build_yield(&lw->b, (kd_yield_args){.loc = s->loc, .values = next.data, .n_values = next.n});
    bool *dropped = kd_arena_array(lw->arena, bool, c.inits.n);
    op = prune_for(lw, &c, op, dropped);
    lw->b = kd_builder_at_end(lw->module, outside);
    leave_loop(lw, before, &c, results_of(lw, &c, op, dropped).data, &vars);
    return flow == KD_FLOW_STOP ? flow : KD_FLOW_NEXT;
}

/* ---- for, at compile time ---- */

static kd_flow lower_unrolled(kd_lower *lw, const kd_stmt *s, const kd_dval *items, unsigned n)
{
    kd_flow flow = KD_FLOW_NEXT;
    lw->scope->n_static_loops++;
    for (unsigned i = 0; i < n; i++) {
        kd_assign(lw, s->targets[0], items[i]);
        kd_seq seq = {s->body.stmts, s->body.n, NULL};
        flow = kd_lower_seq(lw, &seq, false);
        if (flow == KD_FLOW_MAYBE) {
            kd_error(lw->diags, s->loc, "a 'return' under a run-time 'if' inside an unrolled loop");
            flow = KD_FLOW_STOP;
        }
        if (flow == KD_FLOW_BREAK || flow == KD_FLOW_RETURN || flow == KD_FLOW_STOP)
            break;
    }
    lw->scope->n_static_loops--;
    return flow == KD_FLOW_BREAK || flow == KD_FLOW_CONTINUE ? KD_FLOW_NEXT : flow;
}

kd_flow kd_lower_for(kd_lower *lw, const kd_stmt *s)
{
    kd_dval over = kd_eval(lw, s->value);
    if (kd_d_is_error(over)) {
        kd_assign(lw, s->targets[0], over);
        return KD_FLOW_NEXT;
    }
    if (s->orelse.n)
        kd_error(lw->diags, s->loc, "'else' after a loop cannot be used in a kernel");
    if (over.kind == KD_D_RANGE && !over.range->is_static && !(lw->scope->is_python && kd_d_is_static(over)))
        return lower_counted(lw, s, over.range);
    if (over.kind == KD_D_TENSOR || over.kind == KD_D_BLOCK_PTR || over.kind == KD_D_DESC) {
        kd_error(lw->diags, s->value->loc, "a loop goes over 'range', 'tl.range', 'tl.static_range' or a tuple, but this is %s", kd_d_describe(lw, over));
        kd_assign(lw, s->targets[0], KD_D_ERR);
        return KD_FLOW_NEXT;
    }
    const kd_dval *items;
    unsigned n;
    if (!kd_static_items(lw, s->value->loc, over, &items, &n)) {
        kd_assign(lw, s->targets[0], KD_D_ERR);
        return KD_FLOW_NEXT;
    }
    return lower_unrolled(lw, s, items, n);
}

/* ---- while ---- */

/* Loops of Python functions: run here and now. */
static kd_flow run_while(kd_lower *lw, const kd_stmt *s)
{
    for (;;) {
        bool known, truth = false;
        kd_dval cond;
        if (!kd_lower_step(lw, s->loc) || !kd_eval_condition(lw, s->value, "'while'", &known, &truth, &cond))
            return KD_FLOW_STOP;
        if (!known) {
            kd_error(lw->diags, s->value->loc, "the condition of a loop at compile time depends on run-time values");
            return KD_FLOW_STOP;
        }
        if (!truth)
            return KD_FLOW_NEXT;
        kd_seq seq = {s->body.stmts, s->body.n, NULL};
        kd_flow flow = kd_lower_seq(lw, &seq, false);
        if (flow == KD_FLOW_BREAK)
            return KD_FLOW_NEXT;
        if (flow == KD_FLOW_RETURN || flow == KD_FLOW_STOP)
            return flow;
    }
}

static kd_op *prune_while(kd_lower *lw, const kd_carries *c, kd_op *op, bool *dropped)
{
    kd_block *head = kd_op_region(op, 0), *body = kd_op_region(op, 1);
    kd_op *condition = kd_block_terminator(head), *yield = kd_block_terminator(body);
    for (unsigned i = c->inits.n; i > 0; i--) {
        unsigned j = i - 1;
        dropped[j] = kd_op_operand(yield, j) == body->args[j] && kd_op_operand(condition, 1 + j) == head->args[j];
        if (!dropped[j])
            continue;
        kd_op_remove_operand(yield, j);
        kd_op_remove_operand(condition, 1 + j);
        kd_op_remove_operand(op, j);
        drop_arg(head, j, c->inits.data[j]);
        drop_arg(body, j, c->inits.data[j]);
    }
    return drop_results(lw, c, op, dropped);
}

/* Region 0 of the loop: the condition. */
static bool lower_while_head(kd_lower *lw, const kd_stmt *s, const kd_carries *c, kd_block *head)
{
    rebind_to_args(lw, c, head);
    lw->b = kd_builder_at_end(lw->module, head);
    bool known, truth = true;
    kd_dval cond;
    if (!kd_eval_condition(lw, s->value, "'while'", &known, &truth, &cond)) {
        known = true;
        truth = false;
    }
    if (known)
        cond = kd_to_tensor(lw, s->value->loc, kd_d_bool(truth));
    kd_values next = {0};
    collect_next(lw, s->loc, c, head->args, &next);
    kd_build_condition(&lw->b, (kd_condition_args){.loc = s->value->loc, .condition = cond.value, .values = next.data, .n_values = next.n});
    return !(known && !truth);
}

kd_flow kd_lower_while(kd_lower *lw, const kd_stmt *s)
{
    if (s->orelse.n)
        kd_error(lw->diags, s->loc, "'else' after a loop cannot be used in a kernel");
    if (lw->scope->is_python)
        return run_while(lw, s);
    kd_name_list set = {0};
    kd_carries c = {0};
    names_of_expr(lw, s->value, &set);
    names_of_block(lw, &s->body, &set);
    find_carries(lw, &set, &c);
    kd_block *outside = lw->b.block;
    kd_names before = kd_names_save(lw, lw->scope);
    lw->n_regions_made++;
    kd_op *op = kd_build_while(&lw->b, (kd_while_args){.loc = s->loc, .inits = c.inits.data, .n_inits = c.inits.n, .types = c.types.data, .n_types = c.types.n});
    kd_block *body = kd_op_region(op, 1);
    kd_flow flow = KD_FLOW_NEXT;
    bool reached = lower_while_head(lw, s, &c, kd_op_region(op, 0));
    rebind_to_args(lw, &c, body);
    lw->b = kd_builder_at_end(lw->module, body);
    if (reached) {
        kd_seq seq = {s->body.stmts, s->body.n, NULL};
        lw->scope->n_loops++;
        flow = kd_lower_seq(lw, &seq, false);
        lw->scope->n_loops--;
    }
    kd_values next = {0};
    collect_next(lw, s->loc, &c, body->args, &next);
    kd_build_yield(&lw->b, (kd_yield_args){.loc = s->loc, .values = next.data, .n_values = next.n});
    bool *dropped = kd_arena_array(lw->arena, bool, c.inits.n);
    op = prune_while(lw, &c, op, dropped);
    lw->b = kd_builder_at_end(lw->module, outside);
    leave_loop(lw, before, &c, results_of(lw, &c, op, dropped).data, NULL);
    return flow == KD_FLOW_STOP ? flow : KD_FLOW_NEXT;
}
