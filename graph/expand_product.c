/* expand_product.c - products of tensors, as matrix products and products element by element.
 *
 * An einsum takes its operands from left to right. Of two, a letter is in both and in the result (a batch), in both and needed no more
 * (summed over), or in one of them (rows or columns):
 *
 *     bij,bjk->bik      batch b, rows i, summed j, columns k:     bmm([b, i, j], [b, j, k])
 *
 * Where nothing is summed over that is a product element by element. */
#include "graph/expand_impl.h"

#include <ctype.h>

enum { MAX_OPERANDS = 16, FIRST_DOT = 'z' + 1 }; /* the dimensions of '...' are letters behind 'z' */

typedef struct labelled {
    kd_gvalue *value;
    unsigned n;
    unsigned char labels[KD_TENSOR_MAX_DIMS]; /* one for each dimension */
} labelled;

static int place_of(const labelled *x, unsigned char label)
{
    for (unsigned i = 0; i < x->n; i++)
        if (x->labels[i] == label)
            return (int)i;
    return -1;
}

static int64_t extent_of(const labelled *x, unsigned char label)
{
    int at = place_of(x, label);
    return at < 0 ? 1 : x->value->type.shape[at];
}

/* The dimensions in another order; letters that x lacks become dimensions of 1. */
static kd_gvalue *ordered(kd_decomposer *d, const labelled *x, unsigned n, const unsigned char *labels)
{
    int64_t order[KD_TENSOR_MAX_DIMS], shape[KD_TENSOR_MAX_DIMS];
    unsigned n_own = 0;
    for (unsigned i = 0; i < n; i++) {
        int at = place_of(x, labels[i]);
        shape[i] = extent_of(x, labels[i]);
        if (at >= 0)
            order[n_own++] = at;
    }
    kd_gvalue *own = n_own == x->n ? BUILD(d, permute, kd_garg_value(x->value), ints_arg(d->arena, n_own, order)) : x->value;
    return n_own == n || d->status ? own : build_view(d, own, n, shape);
}

/* Sums over the letters that are not among those wanted. */
static void sum_out(kd_decomposer *d, labelled *x, const bool *wanted)
{
    int64_t dims[KD_TENSOR_MAX_DIMS];
    unsigned n = 0, n_left = 0;
    for (unsigned i = 0; i < x->n; i++) {
        if (wanted[x->labels[i]])
            x->labels[n_left++] = x->labels[i];
        else
            dims[n++] = i;
    }
    x->n = n_left;
    if (n)
        x->value = BUILD(d, sum, kd_garg_value(x->value), ints_arg(d->arena, n, dims), bool_arg(false),
                         text_arg(kd_scalar_name(x->value->type.type)));
}

/* Letters that one operand has twice are a diagonal. */
static void take_diagonals(kd_decomposer *d, labelled *x)
{
    for (unsigned i = 0; i < x->n && !d->status; i++)
        for (unsigned k = i + 1; k < x->n && !d->status; k++) {
            if (x->labels[i] != x->labels[k])
                continue;
            x->value = BUILD(d, diagonal, kd_garg_value(x->value), kd_garg_int(0), kd_garg_int(i), kd_garg_int(k));
            unsigned char label = x->labels[i];
            memmove(x->labels + k, x->labels + k + 1, x->n - k - 1);
            memmove(x->labels + i, x->labels + i + 1, x->n - i - 1);
            x->labels[x->n - 2] = label; /* the diagonal's dimension is the last */
            x->n--;
            k = i;
        }
}

static void multiply_elements(kd_decomposer *d, labelled *a, const labelled *b)
{
    labelled to = *a;
    for (unsigned i = 0; i < b->n; i++)
        if (place_of(a, b->labels[i]) < 0) {
            if (to.n == KD_TENSOR_MAX_DIMS) {
                decompose_fail(d, "needs more than %d dimensions", KD_TENSOR_MAX_DIMS);
                return;
            }
            to.labels[to.n++] = b->labels[i];
        }
    to.value = build_two(d, KD_GOP_mul, ordered(d, a, to.n, to.labels), ordered(d, b, to.n, to.labels));
    *a = to;
}

/* Letters in groups: batch, rows, summed, columns. */
typedef struct grouped {
    unsigned n[4];
    unsigned char labels[4][KD_TENSOR_MAX_DIMS];
    int64_t extents[4];
} grouped;

static void add_label(grouped *g, unsigned group, unsigned char label, int64_t extent)
{
    g->labels[group][g->n[group]++] = label;
    if (__builtin_mul_overflow(g->extents[group], extent, &g->extents[group]))
        g->extents[group] = INT64_MAX; /* which no tensor has */
}

/* An operand as [batch, group i, group k]. */
static kd_gvalue *as_matrices(kd_decomposer *d, const labelled *x, const grouped *g, unsigned i, unsigned k)
{
    labelled to = {0};
    const unsigned groups[3] = {0, i, k};
    for (unsigned p = 0; p < 3; p++) {
        memcpy(to.labels + to.n, g->labels[groups[p]], g->n[groups[p]]);
        to.n += g->n[groups[p]];
    }
    kd_gvalue *value = ordered(d, x, to.n, to.labels);
    return d->status ? value : build_view(d, value, 3, (int64_t[]){g->extents[0], g->extents[i], g->extents[k]});
}

/* Makes operands whose extents differ the same: an extent of one stands for any. */
static void agree(kd_decomposer *d, labelled *x, const labelled *with)
{
    int64_t shape[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < x->n; i++) {
        int64_t other = extent_of(with, x->labels[i]);
        shape[i] = x->value->type.shape[i] == 1 ? other : x->value->type.shape[i];
        if (shape[i] != other && other != 1)
            expand_bad(d, "a letter stands for %lld and for %lld elements", (long long)shape[i], (long long)other);
    }
    if (!d->status && memcmp(shape, x->value->type.shape, x->n * sizeof *shape) != 0)
        x->value = build_expand(d, x->value, x->n, shape);
}

/* a = a * b, summed over the letters that nobody wants any more. */
static void multiply(kd_decomposer *d, labelled *a, labelled *b, const bool *wanted)
{
    bool wanted_a[256], wanted_b[256];
    grouped g = {.extents = {1, 1, 1, 1}};
    for (unsigned i = 0; i < 256; i++) {
        wanted_a[i] = wanted[i] || place_of(b, (unsigned char)i) >= 0;
        wanted_b[i] = wanted[i] || place_of(a, (unsigned char)i) >= 0;
    }
    sum_out(d, a, wanted_a);
    sum_out(d, b, wanted_b);
    agree(d, a, b);
    agree(d, b, a);
    for (unsigned i = 0; i < a->n && !d->status; i++) {
        bool in_both = place_of(b, a->labels[i]) >= 0;
        add_label(&g, !in_both ? 1 : wanted[a->labels[i]] ? 0 : 2, a->labels[i], a->value->type.shape[i]);
    }
    for (unsigned i = 0; i < b->n && !d->status; i++)
        if (place_of(a, b->labels[i]) < 0)
            add_label(&g, 3, b->labels[i], b->value->type.shape[i]);
    if (!g.n[2] || d->status) {
        multiply_elements(d, a, b);
        return;
    }
    if (g.n[0] + g.n[1] + g.n[3] > KD_TENSOR_MAX_DIMS) {
        decompose_fail(d, "needs more than %d dimensions", KD_TENSOR_MAX_DIMS);
        return;
    }
    kd_gvalue *x = as_matrices(d, a, &g, 1, 2), *y = as_matrices(d, b, &g, 2, 3);
    labelled to = {0};
    int64_t shape[KD_TENSOR_MAX_DIMS];
    const unsigned groups[3] = {0, 1, 3};
    for (unsigned p = 0; p < 3; p++)
        for (unsigned i = 0; i < g.n[groups[p]]; i++) {
            unsigned char label = g.labels[groups[p]][i];
            shape[to.n] = extent_of(p == 2 ? b : a, label);
            to.labels[to.n++] = label;
        }
    if (!g.n[0] && !d->status) {
        x = build_view(d, x, 2, x->type.shape + 1);
        y = build_view(d, y, 2, y->type.shape + 1);
    }
    to.value = build_view(d, build_two(d, g.n[0] ? KD_GOP_bmm : KD_GOP_mm, x, y), to.n, shape);
    *a = to;
}

/* ---- einsum ---- */

/* The letters of one operand or of the result up to ',' or '-'; n_dots dimensions for "...". */
static const char *read_labels(kd_decomposer *d, const char *at, unsigned n_dots, labelled *out)
{
    for (; *at && *at != ',' && *at != '-' && !d->status; at++) {
        unsigned n = 1;
        if (*at == ' ')
            continue;
        if (strncmp(at, "...", 3) == 0) {
            n = n_dots;
            at += 2;
        } else if (!isalpha((unsigned char)*at)) {
            expand_bad(d, "the equation has '%c'", *at);
        }
        if (out->n + n > KD_TENSOR_MAX_DIMS) {
            expand_bad(d, "the equation has more than %d dimensions", KD_TENSOR_MAX_DIMS);
            return at;
        }
        for (unsigned i = 0; i < n; i++)
            out->labels[out->n++] = *at == '.' ? (unsigned char)(FIRST_DOT + KD_TENSOR_MAX_DIMS - n + i) : (unsigned char)*at;
    }
    return at;
}

/* How many letters an operand has besides "...". */
static unsigned count_letters(const char *at)
{
    unsigned n = 0;
    for (; *at && *at != ',' && *at != '-'; at++)
        n += isalpha((unsigned char)*at) != 0;
    return n;
}

/* Without "->" the result has the letters that occur once, in alphabetical order, behind those of "...". */
static void implicit_result(const labelled *operands, unsigned n, labelled *out)
{
    unsigned count[256] = {0};
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < operands[i].n; k++)
            count[operands[i].labels[k]]++;
    for (unsigned c = FIRST_DOT; c < FIRST_DOT + KD_TENSOR_MAX_DIMS; c++)
        if (count[c] && out->n < KD_TENSOR_MAX_DIMS)
            out->labels[out->n++] = (unsigned char)c;
    for (unsigned c = 'A'; c <= 'z'; c++)
        if (count[c] == 1 && out->n < KD_TENSOR_MAX_DIMS)
            out->labels[out->n++] = (unsigned char)c;
}

static unsigned read_equation(kd_decomposer *d, labelled operands[MAX_OPERANDS], labelled *result)
{
    kd_gvalue *tensors[MAX_OPERANDS];
    unsigned n = expand_list(d, 1, tensors, MAX_OPERANDS), n_dots = 0;
    const char *at = d->of->args[0].kind == KD_GARG_TEXT ? d->of->args[0].text : "";
    for (unsigned i = 0; i < n && !d->status; i++) {
        unsigned n_letters = count_letters(at), n_dims = tensors[i]->type.n_dims;
        unsigned dots = n_dims > n_letters ? n_dims - n_letters : 0;
        operands[i] = (labelled){.value = tensors[i]};
        n_dots = dots > n_dots ? dots : n_dots;
        at = read_labels(d, at, dots, &operands[i]);
        if (operands[i].n != n_dims || (i + 1 < n && *at != ','))
            expand_bad(d, "the equation does not fit %s", kd_tensor_type_text(d->arena, &tensors[i]->type));
        at += *at == ',';
    }
    if (strncmp(at, "->", 2) == 0)
        (void)read_labels(d, at + 2, n_dots, result);
    else
        implicit_result(operands, n, result);
    return n;
}

void kd_expand_einsum(kd_decomposer *d)
{
    labelled operands[MAX_OPERANDS], result = {0};
    unsigned n = read_equation(d, operands, &result), n_left[256] = {0};
    for (unsigned i = 0; i < n && !d->status; i++) {
        take_diagonals(d, &operands[i]);
        for (unsigned k = 0; k < operands[i].n; k++)
            n_left[operands[i].labels[k]]++;
    }
    for (unsigned i = 0; i < result.n && !d->status; i++)
        if (!n_left[result.labels[i]] || place_of(&result, result.labels[i]) != (int)i)
            expand_bad(d, "a letter of the result is in no operand, or there twice");
    for (unsigned i = 1; i < n && !d->status; i++) {
        bool wanted[256];
        for (unsigned k = 0; k < operands[i].n; k++)
            n_left[operands[i].labels[k]]--;
        for (unsigned k = 0; k < operands[0].n; k++)
            n_left[operands[0].labels[k]]--;
        for (unsigned c = 0; c < 256; c++)
            wanted[c] = n_left[c] || place_of(&result, (unsigned char)c) >= 0;
        multiply(d, &operands[0], &operands[i], wanted);
        for (unsigned k = 0; k < operands[0].n; k++)
            n_left[operands[0].labels[k]]++;
    }
    if (d->status)
        return;
    bool wanted[256] = {0};
    for (unsigned i = 0; i < result.n; i++)
        wanted[result.labels[i]] = true;
    sum_out(d, &operands[0], wanted);
    expand_return(d, 0, ordered(d, &operands[0], result.n, result.labels));
}

/* ---- products that say which dimensions ---- */

static kd_gvalue *product_over(kd_decomposer *d, kd_gvalue *a, kd_gvalue *b, unsigned n, const int64_t *dims_a,
                               const int64_t *dims_b)
{
    labelled x = {.value = a, .n = a->type.n_dims}, y = {.value = b, .n = b->type.n_dims}, to = {0};
    bool wanted[256] = {0};
    for (unsigned i = 0; i < x.n; i++)
        x.labels[i] = (unsigned char)(1 + i);
    for (unsigned i = 0; i < y.n; i++)
        y.labels[i] = (unsigned char)(1 + KD_TENSOR_MAX_DIMS + i);
    for (unsigned i = 0; i < n; i++)
        y.labels[expand_dim(d, dims_b[i], y.n)] = x.labels[expand_dim(d, dims_a[i], x.n)];
    for (unsigned p = 0; p < 2; p++) {
        const labelled *own = p ? &y : &x, *other = p ? &x : &y;
        for (unsigned i = 0; i < own->n; i++)
            if (place_of(other, own->labels[i]) < 0 && to.n < KD_TENSOR_MAX_DIMS) {
                to.labels[to.n++] = own->labels[i];
                wanted[own->labels[i]] = true;
            }
    }
    multiply(d, &x, &y, wanted);
    return d->status ? a : ordered(d, &x, to.n, to.labels);
}

void kd_expand_tensordot(kd_decomposer *d)
{
    int64_t dims[2][KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(d->of, 2, dims[0], KD_TENSOR_MAX_DIMS);
    if (n != kd_gnode_ints(d->of, 3, dims[1], KD_TENSOR_MAX_DIMS))
        expand_bad(d, "other numbers of dimensions are summed over");
    kd_gvalue *a = expand_tensor(d, 0), *b = expand_tensor(d, 1);
    if (!d->status)
        expand_return(d, 0, product_over(d, a, b, n, dims[0], dims[1]));
}

void kd_expand_inner(kd_decomposer *d)
{
    kd_gvalue *a = expand_tensor(d, 0), *b = expand_tensor(d, 1);
    int64_t last = -1;
    if (!a->type.n_dims || !b->type.n_dims)
        expand_return(d, 0, build_two(d, KD_GOP_mul, a, b));
    else
        expand_return(d, 0, product_over(d, a, b, 1, &last, &last));
}

/* y[..., o] = sum over i and j of a[..., i] * weight[o, i, j] * b[..., j] */
void kd_expand_bilinear(kd_decomposer *d)
{
    kd_gvalue *a = expand_tensor(d, 0), *b = expand_tensor(d, 1), *weight = expand_tensor(d, 2), *bias = decompose_operand(d, 3);
    int64_t last = -1, one = 1;
    if (weight->type.n_dims != 3 || a->type.n_dims != b->type.n_dims || !a->type.n_dims || a->type.n_dims == KD_TENSOR_MAX_DIMS) {
        expand_bad(d, "the weight %s does not fit %s and %s", kd_tensor_type_text(d->arena, &weight->type),
                   kd_tensor_type_text(d->arena, &a->type), kd_tensor_type_text(d->arena, &b->type));
        return;
    }
    kd_gvalue *rows = product_over(d, a, weight, 1, &last, &one); /* [..., o, j] */
    kd_gvalue *each = build_two(d, KD_GOP_mul, rows, BUILD(d, unsqueeze, kd_garg_value(b), kd_garg_int(-2)));
    kd_gvalue *y = BUILD(d, sum, kd_garg_value(each), ints_arg(d->arena, 1, &last), bool_arg(false), no_arg());
    expand_return(d, 0, bias ? build_two(d, KD_GOP_add, y, bias) : y);
}

/* Each element of a, times all of b: dimensions in pairs. */
void kd_expand_kron(kd_decomposer *d)
{
    kd_gvalue *a = expand_tensor(d, 0), *b = expand_tensor(d, 1);
    unsigned n = a->type.n_dims > b->type.n_dims ? a->type.n_dims : b->type.n_dims;
    int64_t outer[KD_TENSOR_MAX_DIMS], inner[KD_TENSOR_MAX_DIMS], shape[KD_TENSOR_MAX_DIMS];
    if (2 * n > KD_TENSOR_MAX_DIMS) {
        decompose_fail(d, "needs more than %d dimensions", KD_TENSOR_MAX_DIMS);
        return;
    }
    a = expand_to_dims(d, a, n);
    b = expand_to_dims(d, b, n);
    for (unsigned i = 0; i < n; i++) {
        outer[2 * i] = a->type.shape[i];
        inner[2 * i + 1] = b->type.shape[i];
        outer[2 * i + 1] = inner[2 * i] = 1;
    }
    kd_gvalue *each = build_two(d, KD_GOP_mul, build_view(d, a, 2 * n, outer), build_view(d, b, 2 * n, inner));
    if (d->status) /* there are too many */
        return;
    for (unsigned i = 0; i < n; i++)
        shape[i] = outer[2 * i] * inner[2 * i + 1];
    expand_return(d, 0, build_view(d, each, n, shape));
}

void kd_expand_chain_matmul(kd_decomposer *d)
{
    kd_gvalue *tensors[MAX_OPERANDS];
    unsigned n = expand_list(d, 0, tensors, MAX_OPERANDS);
    for (unsigned i = 1; i < n; i++)
        tensors[0] = build_two(d, KD_GOP_matmul, tensors[0], tensors[i]);
    if (n)
        expand_return(d, 0, tensors[0]);
}

/* By squares: as many products as the exponent has digits, in base two. */
void kd_expand_matrix_power(kd_decomposer *d)
{
    kd_gvalue *square = expand_tensor(d, 0), *y = NULL;
    int64_t n = kd_gnode_int(d->of, 1, 1);
    if (n < 1 || n > INT16_MAX) {
        decompose_fail(d, "the power %lld of a matrix is not supported yet", (long long)n);
        return;
    }
    for (; n; n /= 2) {
        if (n % 2)
            y = y ? build_two(d, KD_GOP_matmul, y, square) : square;
        if (n > 1)
            square = build_two(d, KD_GOP_matmul, square, square);
    }
    expand_return(d, 0, y);
}

/* Along the first dimension of three, unless one is given. */
void kd_expand_cross(kd_decomposer *d)
{
    kd_gvalue *a = expand_tensor(d, 0), *b = expand_tensor(d, 1);
    unsigned dim = kd_gnode_has(d->of, 2) ? expand_dim(d, kd_gnode_int(d->of, 2, 0), a->type.n_dims) : 0;
    while (!kd_gnode_has(d->of, 2) && dim + 1 < a->type.n_dims && a->type.shape[dim] != 3)
        dim++;
    if (!a->type.n_dims || a->type.shape[dim] != 3)
        expand_bad(d, "no dimension of %s has three elements", kd_tensor_type_text(d->arena, &a->type));
    expand_return(d, 0, BUILD(d, linalg_cross, kd_garg_value(a), kd_garg_value(b), kd_garg_int(dim)));
}
