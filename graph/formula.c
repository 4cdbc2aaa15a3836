/* formula.c - ops that the table writes as others:
 *
 *     KD_GOP(nanmean, ..., FORMULA("div(nansum(self, dim, keepdim, dtype), sum(logical_not(isnan(self)), dim, keepdim))"))
 *
 * A formula has one expression for each result, with ';' between them. An expression is
 *     op(argument, parameter=argument, ...)    an op by its id in the table; what is not given has its default
 *     parameter                                an argument of the op that is written out
 *     2, -1.5, 'f32', true, none, [1, 2]
 *     type(x)                                  the name of a tensor's type
 *     wide(x)                                  a tensor in f32, where it is of a half type or whole
 *     over(x, y)                               a tensor in the shape to which both broadcast
 *     reduced(x, reduction)                    what a loss becomes: 0 itself, 1 its mean, 2 its sum
 * The results of a formula that is one call are all results of that call. */
#include "graph/expand_impl.h"

#include "base/bug.h"
#include "base/number.h"
#include "graph/infer_impl.h"

#include <stdlib.h>

typedef struct formula {
    kd_decomposer *d;
    kd_gparam params[KD_GOP_MAX_PARAMS]; /* of the op that is written out */
    unsigned n_params;
    const char *at;
} formula;

static kd_garg read_expression(formula *f, unsigned n_results);

static bool take(formula *f, char c)
{
    f->at += strspn(f->at, " ");
    bool has = *f->at == c;
    f->at += has;
    return has;
}

static kd_str take_name(formula *f)
{
    f->at += strspn(f->at, " ");
    kd_str name = {f->at, strspn(f->at, "Aabcdefghijklmnopqrstuvwxyz_0123456789")};
    f->at += name.len;
    return name;
}

static int find_param(const kd_gparam *params, unsigned n, kd_str name)
{
    for (unsigned i = 0; i < n; i++)
        if (kd_str_equal(params[i].name, name))
            return (int)i;
    return -1;
}

static kd_gvalue *tensor_of(formula *f, const kd_garg *arg)
{
    static kd_gvalue NOTHING = {.name = ""};
    if (arg->kind == KD_GARG_VALUE)
        return arg->value;
    expand_bad(f->d, "needs a tensor");
    return &NOTHING;
}

/* ---- functions that are no ops ---- */

static kd_gvalue *over(formula *f, kd_gvalue *x, const kd_gvalue *y)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    unsigned n = x->type.n_dims;
    memcpy(shape, x->type.shape, sizeof shape);
    if (!infer_broadcast(&n, shape, &y->type))
        expand_bad(f->d, "%s and %s do not broadcast", kd_tensor_type_text(f->d->arena, &x->type),
                   kd_tensor_type_text(f->d->arena, &y->type));
    return kd_tensor_same_shape(&x->type, &y->type) ? x : build_expand(f->d, x, n, shape);
}

static bool call_function(formula *f, kd_str name, const kd_garg *args, kd_garg *out)
{
    kd_decomposer *d = f->d;
    if (kd_str_is(name, "type"))
        *out = text_arg(kd_scalar_name(tensor_of(f, &args[0])->type.type));
    else if (kd_str_is(name, "wide"))
        *out = kd_garg_value(expand_wide(d, tensor_of(f, &args[0])));
    else if (kd_str_is(name, "over"))
        *out = kd_garg_value(over(f, tensor_of(f, &args[0]), tensor_of(f, &args[1])));
    else if (kd_str_is(name, "reduced"))
        *out = kd_garg_value(expand_reduced(d, tensor_of(f, &args[0]), args[1].kind == KD_GARG_INT ? args[1].i : 1));
    else
        return false;
    return true;
}

/* ---- calls ---- */

static const kd_gop *find_op(kd_str id)
{
    for (unsigned i = 0; i < KD_N_GOPS; i++)
        if (kd_str_is(id, kd_gops[i].short_name))
            return &kd_gops[i];
    return NULL;
}

static unsigned read_args(formula *f, const kd_gparam *params, unsigned n_params, kd_garg args[KD_GOP_MAX_PARAMS])
{
    unsigned n = 0;
    while (n < KD_GOP_MAX_PARAMS && !take(f, ')')) {
        const char *before = f->at;
        kd_str name = take_name(f);
        int named = take(f, '=') ? find_param(params, n_params, name) : -1;
        if (named < 0)
            f->at = before;
        args[named < 0 ? n : (unsigned)named] = read_expression(f, 1);
        n = named < 0 ? n + 1 : n;
        take(f, ',');
    }
    return n;
}

static kd_garg call(formula *f, kd_str name, unsigned n_results)
{
    kd_garg args[KD_GOP_MAX_PARAMS] = {{0}}, result;
    kd_gparam params[KD_GOP_MAX_PARAMS];
    const kd_gop *op = find_op(name);
    unsigned n_params = op ? kd_gop_params(op, params) : 0;
    for (unsigned i = 0; i < n_params; i++)
        args[i] = kd_gparam_default(f->d->arena, &params[i]);
    unsigned colon = take(f, ':') ? (unsigned)strtoul(f->at, (char **)(uintptr_t)&f->at, 10) : n_results;
    (void)take(f, '(');
    (void)read_args(f, params, n_params, args);
    if (!op && call_function(f, name, args, &result))
        return result;
    KD_ASSERT(op);
    return kd_garg_value(decompose_build(f->d, op->code, colon, args));
}

static kd_garg read_list(formula *f)
{
    kd_garg *items = kd_arena_array(f->d->arena, kd_garg, KD_TENSOR_MAX_DIMS), list = {.kind = KD_GARG_LIST};
    unsigned n = 0;
    while (n < KD_TENSOR_MAX_DIMS && !take(f, ']')) {
        items[n++] = read_expression(f, 1);
        take(f, ',');
    }
    list.list.items = items;
    list.list.n = n;
    return list;
}

static kd_garg read_number(formula *f)
{
    size_t n = strspn(f->at, "-0123456789.e");
    double number = 0;
    (void)kd_double_parse((kd_str){f->at, n}, &number);
    bool is_float = memchr(f->at, '.', n) || memchr(f->at, 'e', n);
    f->at += n;
    return is_float ? kd_garg_float(number) : kd_garg_int((int64_t)number);
}

static kd_garg read_text(formula *f)
{
    const char *end = strchr(f->at, '\'');
    kd_garg text = text_arg(kd_arena_strndup(f->d->arena, f->at, (size_t)(end - f->at)));
    f->at = end + 1;
    return text;
}

static kd_garg read_expression(formula *f, unsigned n_results)
{
    if (take(f, '['))
        return read_list(f);
    if (take(f, '\''))
        return read_text(f);
    if (strchr("-0123456789", *f->at))
        return read_number(f);
    kd_str name = take_name(f);
    if (*f->at == '(' || *f->at == ':')
        return call(f, name, n_results);
    if (kd_str_is(name, "true") || kd_str_is(name, "false"))
        return bool_arg(kd_str_is(name, "true"));
    int param = find_param(f->params, f->n_params, name);
    KD_ASSERT(param >= 0 || kd_str_is(name, "none"));
    return param < 0 ? no_arg() : f->d->of->args[param];
}

void kd_expand_formula(kd_decomposer *d)
{
    formula f = {.d = d, .at = d->of->op->expression};
    f.n_params = kd_gop_params(d->of->op, f.params);
    if (strchr(f.at, ';')) {
        for (unsigned i = 0; i == 0 || take(&f, ';'); i++) {
            kd_garg result = read_expression(&f, 1);
            expand_return(d, i, tensor_of(&f, &result));
        }
        return;
    }
    kd_garg result = read_expression(&f, d->of->n_results);
    kd_gvalue *first = tensor_of(&f, &result);
    expand_return(d, 0, first);
    for (unsigned i = 1; i < d->of->n_results && !d->status && first->def && first->def->n_results == d->of->n_results; i++)
        expand_return(d, i, first->def->results[i]);
}
