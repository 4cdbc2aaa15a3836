/* expr.c - expressions: compile-time values by Python's rules, tensors by Triton's. */
#include "dsl/lower_impl.h"

static kd_dval eval_any(kd_lower *lw, const kd_expr *e);

kd_dval kd_eval(kd_lower *lw, const kd_expr *e)
{
    if (!kd_lower_step(lw, e->loc))
        return KD_D_ERR;
    kd_dval v = eval_any(lw, e);
    if (!v.loc.source)
        v.loc = e->loc;
    return v;
}

/* ---- operators ---- */

static bool is_run_time(kd_dval v)
{
    return v.kind == KD_D_TENSOR;
}

kd_dval kd_d_binary(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    if (kd_d_is_error(a) || kd_d_is_error(b))
        return KD_D_ERR;
    if (is_run_time(a) || is_run_time(b))
        return kd_tensor_binary(lw, loc, op, a, b);
    return kd_const_binary(lw, loc, op, a, b);
}

static kd_dval eval_unary(kd_lower *lw, const kd_expr *e)
{
    kd_dval a = kd_eval(lw, e->a);
    if (kd_d_is_error(a))
        return a;
    if (is_run_time(a))
        return kd_tensor_unary(lw, e->loc, e->op, a);
    if (e->op != KD_NOT)
        return kd_const_unary(lw, e->loc, e->op, a);
    bool truth;
    return kd_const_truth(lw, e->loc, a, &truth) ? kd_d_bool(!truth) : KD_D_ERR;
}

/* Compile-time operands decide the result or drop out; run-time ones are all evaluated. */
static kd_dval eval_logical(kd_lower *lw, const kd_expr *e)
{
    kd_operator op = e->kind == KD_EXPR_AND ? KD_AND : KD_OR;
    KD_VEC(kd_dval) tensors = {0};
    kd_dval v = KD_D_ERR;
    for (unsigned i = 0; i < e->n_items; i++) {
        v = kd_eval(lw, e->items[i]);
        if (kd_d_is_error(v))
            return v;
        if (is_run_time(v)) {
            kd_vec_push(lw->arena, &tensors, v);
            continue;
        }
        bool truth;
        if (!kd_const_truth(lw, e->items[i]->loc, v, &truth))
            return KD_D_ERR;
        if (truth == (op == KD_OR))
            return v;
    }
    if (!tensors.n)
        return v;
    v = tensors.data[0];
    for (unsigned i = 1; i < tensors.n; i++)
        v = kd_tensor_logical(lw, e->loc, op, v, tensors.data[i]);
    return v;
}

/* 'a is b': the same run-time value under two names; compile-time values are one object where they are equal. */
static bool same_identity(kd_dval a, kd_dval b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case KD_D_TENSOR: return a.value == b.value;
    case KD_D_BLOCK_PTR:
    case KD_D_DESC: return a.block == b.block;
    case KD_D_TUPLE: return a.tuple.items == b.tuple.items || (kd_d_is_static(a) && kd_d_same_shape(a, b));
    default: return kd_d_is_static(a) && kd_d_same_shape(a, b);
    }
}

static kd_dval compare_in(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    if (a.kind == KD_D_STRING && b.kind == KD_D_STRING)
        return kd_const_compare(lw, loc, op, a, b);
    if (b.kind != KD_D_TUPLE || !kd_d_is_static(a)) {
        kd_error(lw->diags, loc, "'in' needs a compile-time value and a tuple, but got %s and %s", kd_d_describe(lw, a), kd_d_describe(lw, b));
        return KD_D_ERR;
    }
    bool found = false;
    for (unsigned i = 0; i < b.tuple.n; i++)
        found |= kd_d_is_static(b.tuple.items[i]) && kd_d_equal(a, b.tuple.items[i]);
    return kd_d_bool(found == (op == KD_IN));
}

static kd_dval compare(kd_lower *lw, kd_loc loc, kd_operator op, kd_dval a, kd_dval b)
{
    if (kd_d_is_error(a) || kd_d_is_error(b))
        return KD_D_ERR;
    switch (op) {
    case KD_IS:
        return kd_d_bool(same_identity(a, b));
    case KD_IS_NOT:
        return kd_d_bool(!same_identity(a, b));
    case KD_IN:
    case KD_NOT_IN:
        return compare_in(lw, loc, op, a, b);
    default:
        break;
    }
    bool none = a.kind == KD_D_NONE || b.kind == KD_D_NONE || a.kind == KD_D_STRING || b.kind == KD_D_STRING;
    if (none && (op == KD_EQ || op == KD_NE) && (is_run_time(a) || is_run_time(b))) /* a run-time value is never None, nor a text */
        return kd_d_bool(op == KD_NE);
    if (is_run_time(a) || is_run_time(b))
        return kd_tensor_compare(lw, loc, op, a, b);
    if ((op == KD_EQ || op == KD_NE) && kd_d_is_static(a) && kd_d_is_static(b) && !(kd_d_is_number(a) && kd_d_is_number(b)))
        return kd_d_bool(kd_d_equal(a, b) == (op == KD_EQ));
    return kd_const_compare(lw, loc, op, a, b);
}

static kd_dval eval_compare(kd_lower *lw, const kd_expr *e)
{
    kd_dval left = kd_eval(lw, e->items[0]), all = KD_D_ERR;
    for (unsigned i = 1; i < e->n_items; i++) {
        kd_dval right = kd_eval(lw, e->items[i]);
        kd_loc loc = e->n_items == 2 ? e->loc : kd_loc_join(e->items[i - 1]->loc, e->items[i]->loc);
        kd_dval one = compare(lw, loc, e->compares[i - 1], left, right);
        if (kd_d_is_error(one))
            return one;
        left = right;
        if (i == 1)
            all = one;
        else if (is_run_time(all) && is_run_time(one))
            all = kd_tensor_logical(lw, e->loc, KD_AND, all, one);
        else if (!is_run_time(all) && all.integer) /* true and x: x */
            all = one;
        else if (is_run_time(all) && !one.integer)
            all = one;
    }
    return all;
}

bool kd_eval_condition(kd_lower *lw, const kd_expr *e, const char *where, bool *out_known, bool *out_truth, kd_dval *out_cond)
{
    kd_dval v = kd_eval(lw, e);
    if (kd_d_is_error(v))
        return false;
    *out_known = v.kind != KD_D_TENSOR;
    if (!*out_known) {
        if (kd_type_is_tile(v.value->type)) {
            kd_error(lw->diags, e->loc, "the condition of %s is %s, but must be one value; 'tl.where' chooses element by element", where,
                     kd_d_describe(lw, v));
            return false;
        }
        *out_cond = kd_tensor_truth(lw, e->loc, v);
        return !kd_d_is_error(*out_cond);
    }
    if (!lw->scope->is_python && v.kind != KD_D_BOOL && v.kind != KD_D_INT && v.kind != KD_D_NONE) {
        kd_error(lw->diags, e->loc, "the condition of %s is %s, but must be a bool, an int or None", where, kd_d_describe(lw, v));
        return false;
    }
    return kd_const_truth(lw, e->loc, v, out_truth);
}

static kd_dval eval_ternary(kd_lower *lw, const kd_expr *e)
{
    bool known, truth;
    kd_dval cond = KD_D_ERR;
    if (!kd_eval_condition(lw, e->b, "'if'", &known, &truth, &cond))
        return KD_D_ERR;
    if (known)
        return kd_eval(lw, truth ? e->a : e->c);
    return kd_lower_ternary(lw, e, cond);
}

/* ---- texts, tuples, comprehensions ---- */

static kd_dval eval_fstring(kd_lower *lw, const kd_expr *e)
{
    kd_strbuf text = kd_strbuf_in(lw->arena);
    for (unsigned i = 0; i < e->n_items; i++) {
        const kd_expr *item = e->items[i];
        if (item->kind == KD_EXPR_STRING) {
            kd_strbuf_append(&text, item->text.ptr, item->text.len);
            continue;
        }
        bool formatted = item->kind == KD_EXPR_FORMATTED;
        kd_dval v = kd_eval(lw, formatted ? item->a : item);
        if (kd_d_is_error(v))
            return v;
        if (!kd_d_is_static(v)) {
            kd_error(lw->diags, item->loc, "an f-string holds compile-time values only, but this is %s", kd_d_describe(lw, v));
            return KD_D_ERR;
        }
        if (!kd_d_format(lw, item->loc, v, formatted ? item->text : (kd_str){0}, &text))
            return KD_D_ERR;
    }
    return kd_d_string((kd_str){kd_strbuf_text(&text), text.len});
}

static kd_dval eval_tuple(kd_lower *lw, const kd_expr *e)
{
    KD_VEC(kd_dval) items = {0};
    for (unsigned i = 0; i < e->n_items; i++) {
        bool star = e->items[i]->kind == KD_EXPR_STAR;
        kd_dval v = kd_eval(lw, star ? e->items[i]->a : e->items[i]);
        const kd_dval *inner = &v;
        unsigned n = 1;
        if (kd_d_is_error(v) || (star && !kd_static_items(lw, e->items[i]->loc, v, &inner, &n)))
            return KD_D_ERR;
        for (unsigned j = 0; j < n; j++)
            kd_vec_push(lw->arena, &items, inner[j]);
    }
    return kd_d_tuple(lw, items.data, items.n);
}

static bool range_items(kd_lower *lw, kd_loc loc, const kd_drange *r, const kd_dval **out_items, unsigned *out_n)
{
    __int128 start = r->start.integer, stop = r->stop.integer, step = r->step.integer;
    if (step == 0) {
        kd_error(lw->diags, loc, "a range with a step of 0 has no end");
        return false;
    }
    __int128 n = step > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step;
    if (n > KD_MAX_SEQUENCE) {
        kd_error(lw->diags, loc, "a range of more than %d items would be written out at compile time", KD_MAX_SEQUENCE);
        return false;
    }
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, n > 0 ? (size_t)n : 0);
    for (__int128 i = 0; i < n; i++)
        items[i] = kd_d_int(start + i * step);
    *out_items = items;
    *out_n = n > 0 ? (unsigned)n : 0;
    return true;
}

bool kd_static_items(kd_lower *lw, kd_loc loc, kd_dval v, const kd_dval **out_items, unsigned *out_n)
{
    if (v.kind == KD_D_TUPLE) {
        *out_items = v.tuple.items;
        *out_n = v.tuple.n;
        return true;
    }
    if (v.kind == KD_D_RANGE && kd_d_is_static(v))
        return range_items(lw, loc, v.range, out_items, out_n);
    if (v.kind == KD_D_STRING) {
        kd_dval *items = kd_arena_array(lw->arena, kd_dval, v.text.len);
        for (size_t i = 0; i < v.text.len; i++)
            items[i] = kd_d_string((kd_str){v.text.ptr + i, 1});
        *out_items = items;
        *out_n = (unsigned)v.text.len;
        return true;
    }
    if (!kd_d_is_error(v))
        kd_error(lw->diags, loc, "%s is no sequence of known length", kd_d_describe(lw, v));
    return false;
}

static kd_dval eval_comprehension(kd_lower *lw, const kd_expr *e)
{
    const kd_dval *items;
    unsigned n;
    kd_dval over = kd_eval(lw, e->c);
    if (!kd_static_items(lw, e->c->loc, over, &items, &n))
        return KD_D_ERR;
    KD_VEC(kd_dval) results = {0};
    /* The variable is the comprehension's own: put back what the name meant before. */
    kd_names before = kd_names_save(lw, lw->scope);
    bool good = true;
    for (unsigned i = 0; i < n && good; i++) {
        kd_assign(lw, e->b, items[i]);
        bool wanted = true;
        for (unsigned j = 0; j < e->n_items && wanted && good; j++) {
            kd_dval test = kd_eval(lw, e->items[j]);
            good = !kd_d_is_error(test) && kd_const_truth(lw, e->items[j]->loc, test, &wanted);
        }
        kd_dval v = good && wanted ? kd_eval(lw, e->a) : kd_d_none();
        good &= !kd_d_is_error(v);
        if (good && wanted)
            kd_vec_push(lw->arena, &results, v);
    }
    kd_names_restore(lw->scope, before);
    return good ? kd_d_tuple(lw, results.data, results.n) : KD_D_ERR;
}

/* ---- attributes, subscripts, calls ---- */

kd_dval kd_eval_attribute(kd_lower *lw, kd_loc loc, kd_dval v, kd_str name)
{
    if (kd_d_is_error(v))
        return v;
    if (v.kind == KD_D_MODULE)
        return kd_module_attribute(lw, loc, v, name);
    if (v.kind == KD_D_CLASS)
        return kd_class_attribute(lw, loc, v, name);
    if (v.kind == KD_D_TUPLE && v.tuple.names)
        return kd_object_attribute(lw, loc, v, name);
    return kd_attribute(lw, loc, v, name);
}

static kd_dval eval_slice(kd_lower *lw, const kd_expr *e)
{
    kd_dval parts[3] = {kd_d_none(), kd_d_none(), kd_d_none()};
    const kd_expr *sources[3] = {e->a, e->b, e->c};
    if (!e->a && !e->b && !e->c)
        return kd_d_string(kd_str_of(":"));
    for (unsigned i = 0; i < 3; i++)
        if (sources[i] && kd_d_is_error(parts[i] = kd_eval(lw, sources[i])))
            return KD_D_ERR;
    kd_dval v = kd_d_tuple(lw, parts, 3);
    v.kind = KD_D_SLICE;
    return v;
}

static kd_dval eval_subscript(kd_lower *lw, const kd_expr *e)
{
    kd_dval v = kd_eval(lw, e->a);
    if (kd_d_is_error(v))
        return v;
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, e->n_items);
    for (unsigned i = 0; i < e->n_items; i++) {
        items[i] = e->items[i]->kind == KD_EXPR_SLICE ? eval_slice(lw, e->items[i]) : kd_eval(lw, e->items[i]);
        if (kd_d_is_error(items[i]))
            return KD_D_ERR;
        if (!items[i].loc.source)
            items[i].loc = e->items[i]->loc;
    }
    if (v.kind == KD_D_TUPLE && v.tuple.names && e->n_items == 1 && items[0].kind == KD_D_STRING) /* args['x'] of a heuristic */
        for (unsigned i = 0; i < v.tuple.n; i++)
            if (kd_str_equal(v.tuple.names[i], items[0].text))
                return v.tuple.items[i];
    return kd_subscript(lw, e->loc, v, items, e->n_items);
}

typedef KD_VEC(kd_darg) kd_dargs;

static bool eval_args(kd_lower *lw, const kd_expr *e, kd_dargs *out)
{
    bool good = true;
    for (unsigned i = 0; i < e->n_items; i++) {
        const kd_expr *item = e->items[i];
        bool star = item->kind == KD_EXPR_STAR;
        kd_dval v = kd_eval(lw, star ? item->a : item);
        if (kd_d_is_error(v)) {
            good = false;
        } else if (!star) {
            kd_vec_push(lw->arena, out, (kd_darg){.value = v, .loc = item->loc});
        } else {
            const kd_dval *items;
            unsigned n = 0;
            good &= kd_static_items(lw, item->loc, v, &items, &n);
            for (unsigned j = 0; j < n; j++)
                kd_vec_push(lw->arena, out, (kd_darg){.value = items[j], .loc = item->loc});
        }
    }
    for (unsigned i = 0; i < e->n_keywords; i++) {
        const kd_keyword *k = &e->keywords[i];
        if (!k->name.len) {
            kd_error(lw->diags, k->value->loc, "'**' in a call inside a kernel");
            good = false;
            continue;
        }
        kd_dval v = kd_eval(lw, k->value);
        good &= !kd_d_is_error(v);
        kd_vec_push(lw->arena, out, (kd_darg){.keyword = k->name, .value = v, .loc = kd_loc_join(k->loc, k->value->loc)});
    }
    return good;
}

static kd_dval eval_call(kd_lower *lw, const kd_expr *e)
{
    kd_dval callee = kd_eval(lw, e->a);
    if (kd_d_is_error(callee))
        return callee;
    kd_dargs args = {0};
    if (!eval_args(lw, e, &args))
        return KD_D_ERR;
    return kd_call(lw, e->loc, callee, args.data, args.n);
}

static kd_dval eval_lambda(kd_lower *lw, const kd_expr *e)
{
    bool top = lw->scope->is_module;
    return (kd_dval){.kind = KD_D_FUNCTION,
                     .fn = {.function = e->function, .module = lw->scope->module, .closure = top ? NULL : lw->scope, .is_python = lw->scope->is_python}};
}

kd_dval kd_eval_unsupported(kd_lower *lw, const kd_expr *e)
{
    const char *what = NULL;
    switch (e->kind) {
    case KD_EXPR_DICT: what = "a dict"; break;
    case KD_EXPR_SET: what = "a set"; break;
    case KD_EXPR_ELLIPSIS: what = "'...'"; break;
    case KD_EXPR_STAR: what = "'*' before this expression"; break;
    case KD_EXPR_SLICE: what = "a slice outside of brackets"; break;
    default: what = kd_arena_printf(lw->arena, "%.*s", KD_STR_ARG(e->text)); break;
    }
    kd_error(lw->diags, e->loc, "%s cannot be used in a kernel", what);
    return KD_D_ERR;
}

static kd_dval eval_walrus(kd_lower *lw, const kd_expr *e)
{
    kd_dval v = kd_sanitize(lw, e->loc, kd_eval(lw, e->a));
    kd_scope_set(lw, lw->scope, e->text, v, e->loc);
    return v;
}

static kd_dval eval_any(kd_lower *lw, const kd_expr *e)
{
    switch (e->kind) {
    case KD_EXPR_NAME: return kd_lookup(lw, e->loc, e->text);
    case KD_EXPR_INT: return kd_d_int(e->integer);
    case KD_EXPR_FLOAT: return kd_d_float(e->real);
    case KD_EXPR_STRING: return kd_d_string(e->text);
    case KD_EXPR_FSTRING: return eval_fstring(lw, e);
    case KD_EXPR_TRUE: return kd_d_bool(true);
    case KD_EXPR_FALSE: return kd_d_bool(false);
    case KD_EXPR_NONE: return kd_d_none();
    case KD_EXPR_ATTRIBUTE: return kd_eval_attribute(lw, e->loc, kd_eval(lw, e->a), e->text);
    case KD_EXPR_CALL: return eval_call(lw, e);
    case KD_EXPR_SUBSCRIPT: return eval_subscript(lw, e);
    case KD_EXPR_UNARY: return eval_unary(lw, e);
    case KD_EXPR_BINARY: {
        kd_dval a = kd_eval(lw, e->a);
        return kd_d_binary(lw, e->loc, e->op, a, kd_eval(lw, e->b));
    }
    case KD_EXPR_AND:
    case KD_EXPR_OR: return eval_logical(lw, e);
    case KD_EXPR_COMPARE: return eval_compare(lw, e);
    case KD_EXPR_TERNARY: return eval_ternary(lw, e);
    case KD_EXPR_TUPLE:
    case KD_EXPR_LIST: return eval_tuple(lw, e);
    case KD_EXPR_LAMBDA: return eval_lambda(lw, e);
    case KD_EXPR_COMPREHENSION: return eval_comprehension(lw, e);
    case KD_EXPR_WALRUS: return eval_walrus(lw, e);
    case KD_EXPR_DICT:
    case KD_EXPR_SET:
    case KD_EXPR_ELLIPSIS:
    case KD_EXPR_STAR:
    case KD_EXPR_SLICE:
    case KD_EXPR_FORMATTED:
    case KD_EXPR_UNSUPPORTED: break;
    }
    return kd_eval_unsupported(lw, e);
}
