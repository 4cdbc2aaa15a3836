/* expand_loss.c - losses, as models have them that are exported with what they are trained by. */
#include "graph/expand_impl.h"

#include <math.h>

kd_gvalue *expand_reduced(kd_decomposer *d, kd_gvalue *x, int64_t reduction)
{
    return reduction == 1   ? BUILD(d, mean_all, kd_garg_value(x), no_arg())
           : reduction == 2 ? BUILD(d, sum_all, kd_garg_value(x), no_arg())
                            : x;
}

static kd_gvalue *weighed(kd_decomposer *d, kd_gvalue *x, kd_gvalue *weight)
{
    return weight ? build_two(d, KD_GOP_mul, x, weight) : x;
}

static kd_gvalue *less_from_one(kd_decomposer *d, kd_gvalue *x)
{
    return BUILD(d, rsub, kd_garg_value(x), kd_garg_int(1), kd_garg_int(1));
}

/* -(t * log(x) + (1 - t) * log(1 - x)), logarithms not below -100 */
void kd_expand_binary_cross_entropy(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *t = expand_tensor(d, 1);
    kd_gvalue *yes = build_with(d, KD_GOP_clamp_min, build_one(d, KD_GOP_log, x), -100),
              *no = build_with(d, KD_GOP_clamp_min, build_one(d, KD_GOP_log1p, build_one(d, KD_GOP_neg, x)), -100);
    kd_gvalue *sum = build_two(d, KD_GOP_add, build_two(d, KD_GOP_mul, t, yes), build_two(d, KD_GOP_mul, less_from_one(d, t), no));
    sum = weighed(d, build_one(d, KD_GOP_neg, sum), decompose_operand(d, 2));
    expand_return(d, 0, expand_reduced(d, sum, kd_gnode_int(d->of, 3, 1)));
}

/* (1 - t) * x - w * log(sigmoid(x)), where w is 1 + (p - 1) * t, or 1 */
void kd_expand_binary_cross_entropy_logits(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *t = expand_tensor(d, 1), *positive = decompose_operand(d, 3);
    kd_gvalue *logarithm = BUILD(d, log_sigmoid_1, kd_garg_value(x));
    if (positive) {
        kd_gvalue *more = build_two(d, KD_GOP_mul, build_with(d, KD_GOP_sub_scalar, positive, 1), t);
        logarithm = build_two(d, KD_GOP_mul, logarithm, build_with(d, KD_GOP_add_scalar, more, 1));
    }
    kd_gvalue *y = build_two(d, KD_GOP_sub, build_two(d, KD_GOP_mul, less_from_one(d, t), x), logarithm);
    y = weighed(d, y, decompose_operand(d, 2));
    expand_return(d, 0, expand_reduced(d, y, kd_gnode_int(d->of, 4, 1)));
}

void kd_expand_kl_div(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *t = expand_tensor(d, 1);
    kd_gvalue *y = kd_gnode_bool(d->of, 3)
                       ? build_two(d, KD_GOP_mul, build_one(d, KD_GOP_exp, t), build_two(d, KD_GOP_sub, t, x))
                       : build_two(d, KD_GOP_sub, build_two(d, KD_GOP_xlogy, t, t), build_two(d, KD_GOP_mul, t, x));
    expand_return(d, 0, expand_reduced(d, y, kd_gnode_int(d->of, 2, 1)));
}

void kd_expand_poisson_nll_loss(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0), *t = expand_tensor(d, 1), *y;
    double eps = kd_gnode_number(d->of, 4, 0);
    if (kd_gnode_bool(d->of, 2))
        y = build_two(d, KD_GOP_sub, build_one(d, KD_GOP_exp, x), build_two(d, KD_GOP_mul, t, x));
    else
        y = build_two(d, KD_GOP_sub, x,
                      build_two(d, KD_GOP_mul, t, build_one(d, KD_GOP_log, build_with(d, KD_GOP_add_scalar, x, eps))));
    if (kd_gnode_bool(d->of, 3)) { /* Stirling's formula for the logarithm of t! */
        kd_gvalue *logarithm = build_one(d, KD_GOP_log, t);
        kd_gvalue *more = build_two(d, KD_GOP_sub, build_two(d, KD_GOP_mul, t, logarithm), t);
        more = build_two(
            d, KD_GOP_add, more,
            build_with(d, KD_GOP_mul_scalar, build_one(d, KD_GOP_log, build_with(d, KD_GOP_mul_scalar, t, 2 * M_PI)), 0.5));
        kd_gvalue *is_large = BUILD(d, gt_scalar, kd_garg_value(t), kd_garg_int(1));
        y = build_two(d, KD_GOP_add, y, build_where(d, is_large, more, kd_garg_float(0)));
    }
    expand_return(d, 0, expand_reduced(d, y, kd_gnode_int(d->of, 5, 1)));
}

/* ---- classes ---- */

typedef struct classes {
    kd_gvalue *x, *target, *weight; /* x: logarithms of probabilities, classes along dim */
    unsigned dim;
    int64_t reduction, ignored;
} classes;

/* The weight of each class in the shape of x, or none. */
static kd_gvalue *weight_along(kd_decomposer *d, const classes *c)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < c->x->type.n_dims; i++)
        shape[i] = i == c->dim ? c->x->type.shape[i] : 1;
    return c->weight ? build_view(d, c->weight, c->x->type.n_dims, shape) : NULL;
}

static bool check_classes(kd_decomposer *d, const classes *c)
{
    const kd_tensor_type *t = &c->x->type;
    bool fits = t->n_dims >= 1 && c->target->type.n_dims + 1 == t->n_dims && kd_scalar_is_int(c->target->type.type) &&
                (!c->weight || kd_tensor_n_elems(&c->weight->type) == t->shape[c->dim]);
    for (unsigned i = 0; i < c->target->type.n_dims && fits; i++)
        fits = c->target->type.shape[i] == t->shape[i + (i >= c->dim)];
    if (!fits)
        expand_bad(d, "the target %s does not fit %s", kd_tensor_type_text(d->arena, &c->target->type),
                   kd_tensor_type_text(d->arena, t));
    return fits;
}

/* By whether a class is the target's: what is summed over the classes is the loss, and with ones in place of x the weight. */
static kd_gvalue *picked(kd_decomposer *d, const classes *c, kd_gvalue *x)
{
    kd_gvalue *target = BUILD(d, unsqueeze, kd_garg_value(c->target), kd_garg_int(c->dim));
    kd_gvalue *is_it = build_two(d, KD_GOP_eq, target, build_places(d, c->x->type.n_dims, c->dim, c->x->type.shape[c->dim]));
    kd_gvalue *counts = build_with(d, KD_GOP_ne_scalar, target, (double)c->ignored), *weight = weight_along(d, c);
    kd_gvalue *both = build_two(d, KD_GOP_logical_and, is_it, counts);
    int64_t dim = c->dim;
    x = weight ? (x ? build_two(d, KD_GOP_mul, x, weight) : weight) : x;
    kd_gvalue *zero = build_full(d, 0, NULL, kd_garg_float(0), c->x->type.type);
    kd_gvalue *each = x ? build_where(d, both, x, kd_garg_value(zero)) : build_convert(d, both, c->x->type.type);
    return BUILD(d, sum, kd_garg_value(each), ints_arg(d->arena, 1, &dim), bool_arg(false), no_arg());
}

/* Losses of the elements, of which a mean is by weight. */
static kd_gvalue *finish_classes(kd_decomposer *d, const classes *c, kd_gvalue *losses)
{
    if (c->reduction != 1)
        return expand_reduced(d, losses, c->reduction);
    return build_two(d, KD_GOP_div, expand_reduced(d, losses, 2), expand_reduced(d, picked(d, c, NULL), 2));
}

void kd_expand_nll_loss(kd_decomposer *d)
{
    classes c = {.x = expand_tensor(d, 0),
                 .target = expand_tensor(d, 1),
                 .weight = decompose_operand(d, 2),
                 .reduction = kd_gnode_int(d->of, 3, 1),
                 .ignored = kd_gnode_int(d->of, 4, -100)};
    c.dim = c.x->type.n_dims > 1;
    if (check_classes(d, &c))
        expand_return(d, 0, finish_classes(d, &c, build_one(d, KD_GOP_neg, picked(d, &c, c.x))));
}

/* Targets that are probabilities. */
static void cross_entropy_of_probabilities(kd_decomposer *d, classes *c, double smoothing)
{
    int64_t dim = c->dim, n = c->x->type.shape[c->dim];
    kd_gvalue *t = c->target;
    if (smoothing > 0)
        t = build_with(d, KD_GOP_add_scalar, build_with(d, KD_GOP_mul_scalar, t, 1 - smoothing), smoothing / (double)(n ? n : 1));
    kd_gvalue *each = weighed(d, build_two(d, KD_GOP_mul, c->x, t), weight_along(d, c));
    kd_gvalue *y =
        build_one(d, KD_GOP_neg, BUILD(d, sum, kd_garg_value(each), ints_arg(d->arena, 1, &dim), bool_arg(false), no_arg()));
    expand_return(d, 0, expand_reduced(d, y, c->reduction));
}

void kd_expand_cross_entropy_loss(kd_decomposer *d)
{
    kd_gvalue *x = expand_tensor(d, 0);
    classes c = {.target = expand_tensor(d, 1),
                 .weight = decompose_operand(d, 2),
                 .dim = x->type.n_dims > 1,
                 .reduction = kd_gnode_int(d->of, 3, 1),
                 .ignored = kd_gnode_int(d->of, 4, -100)};
    double smoothing = kd_gnode_number(d->of, 5, 0);
    c.x = BUILD(d, log_softmax_int, kd_garg_value(x), kd_garg_int(c.dim));
    if (d->status || !x->type.n_dims)
        return;
    if (kd_scalar_is_float(c.target->type.type)) {
        cross_entropy_of_probabilities(d, &c, smoothing);
        return;
    }
    if (!check_classes(d, &c))
        return;
    kd_gvalue *y = finish_classes(d, &c, build_one(d, KD_GOP_neg, picked(d, &c, c.x)));
    if (smoothing > 0) {
        int64_t dim = c.dim, n = x->type.shape[c.dim];
        kd_gvalue *all = weighed(d, c.x, weight_along(d, &c));
        all = build_one(d, KD_GOP_neg, BUILD(d, sum, kd_garg_value(all), ints_arg(d->arena, 1, &dim), bool_arg(false), no_arg()));
        all = build_where(d, build_with(d, KD_GOP_ne_scalar, c.target, (double)c.ignored), all, kd_garg_float(0));
        all = build_with(d, KD_GOP_mul_scalar, finish_classes(d, &c, all), smoothing / (double)(n ? n : 1));
        y = build_two(d, KD_GOP_add, build_with(d, KD_GOP_mul_scalar, y, 1 - smoothing), all);
    }
    expand_return(d, 0, y);
}
