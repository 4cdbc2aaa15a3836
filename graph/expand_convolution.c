/* expand_convolution.c - convolutions as models write them, as the one that oneDNN and our kernels know: with a batch, and numbers for padding. */
#include "graph/expand_impl.h"

#include "graph/infer_impl.h"

typedef struct convolution {
    kd_gvalue *x, *weight, *bias; /* bias: or NULL */
    unsigned n; /* spatial dimensions */
    bool has_batch;
    int64_t padding[3];
} convolution;

static bool read_convolution(kd_decomposer *d, convolution *c)
{
    c->x = expand_tensor(d, 0);
    c->weight = expand_tensor(d, 1);
    c->bias = decompose_operand(d, 2);
    c->n = c->weight->type.n_dims - 2;
    if (d->status || c->weight->type.n_dims < 3 || c->n > 3 || (c->x->type.n_dims != c->n + 2 && c->x->type.n_dims != c->n + 1)) {
        expand_bad(d, "the weight %s does not fit the input %s", kd_tensor_type_text(d->arena, &c->weight->type),
                   kd_tensor_type_text(d->arena, &c->x->type));
        return false;
    }
    c->has_batch = c->x->type.n_dims == c->n + 2;
    if (!c->has_batch)
        c->x = BUILD(d, unsqueeze, kd_garg_value(c->x), kd_garg_int(0));
    return true;
}

static void finish_convolution(kd_decomposer *d, const convolution *c, kd_garg stride, kd_garg padding, kd_garg dilation,
                               bool transposed, kd_garg more, kd_garg groups)
{
    kd_gvalue *y = BUILD(d, convolution, kd_garg_value(c->x), kd_garg_value(c->weight), c->bias ? kd_garg_value(c->bias) : no_arg(),
                         stride, padding, dilation, bool_arg(transposed), more, groups);
    expand_return(d, 0, c->has_batch ? y : BUILD(d, squeeze, kd_garg_value(y), kd_garg_int(0)));
}

/* So much that the result is as large as the input; where that is odd, more at the end. */
static void pad_to_same(kd_decomposer *d, convolution *c)
{
    int64_t dilation[3], more[6] = {0};
    bool is_uneven = false;
    if (!infer_spatial(d->of, 5, c->n, 1, dilation)) {
        expand_bad(d, "the dilation does not fit the input");
        return;
    }
    for (unsigned i = 0; i < c->n; i++) {
        int64_t reach;
        if (__builtin_mul_overflow(dilation[i], c->weight->type.shape[i + 2] - 1, &reach) || reach > INT32_MAX)
            expand_bad(d, "the window is too large");
        c->padding[i] = reach / 2;
        more[2 * (c->n - 1 - i) + 1] = reach % 2;
        is_uneven |= reach % 2;
    }
    if (is_uneven && !d->status)
        c->x = BUILD(d, pad, kd_garg_value(c->x), ints_arg(d->arena, 2 * c->n, more), kd_garg_int(0));
}

void kd_expand_conv(kd_decomposer *d)
{
    const kd_garg *args = d->of->args;
    convolution c = {0};
    int64_t none[3] = {0};
    if (!read_convolution(d, &c))
        return;
    bool has_numbers = args[4].kind != KD_GARG_TEXT;
    if (!has_numbers && strcmp(args[4].text, "same") == 0)
        pad_to_same(d, &c);
    finish_convolution(d, &c, args[3], has_numbers ? args[4] : ints_arg(d->arena, c.n, c.padding), args[5], false,
                       ints_arg(d->arena, c.n, none), args[6]);
}

void kd_expand_conv_transpose(kd_decomposer *d)
{
    const kd_garg *args = d->of->args;
    convolution c = {0};
    if (read_convolution(d, &c))
        finish_convolution(d, &c, args[3], args[4], args[7], true, args[5], args[6]);
}
