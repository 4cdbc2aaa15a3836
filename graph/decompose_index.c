/* decompose_index.c - compositions around places: stacks, triangles, and what is written where indices say.
 *
 * Nothing is written out of order: each element of the result looks for the index that names it. With M indices and S places that is a
 * reduction of S * M comparisons, and one kernel for all the rest; the last index wins.
 *
 *     index_put(%self, [%i], %values)      at[s] = max of the m with i[m] == s, or -1
 *                                          result[s] = at[s] < 0 ? self[s] : values[at[s]] */
#include "graph/decompose_impl.h"

static const int64_t MAX_COMPARISONS = (int64_t)1 << 28;

void kd_decompose_stack(kd_decomposer *d)
{
    const kd_garg *list = &d->of->args[0];
    int64_t dim = kd_gnode_dim(kd_gnode_int(d->of, 1, 0), d->of->results[0]->type.n_dims);
    kd_gvalue **parts = kd_arena_array(d->arena, kd_gvalue *, list->list.n);
    for (unsigned i = 0; i < list->list.n; i++)
        parts[i] = BUILD(d, unsqueeze, kd_garg_value(d->map[list->list.items[i].value->id]), kd_garg_int(dim));
    decompose_finish(d, 0, BUILD(d, cat, values_arg(d->arena, list->list.n, parts), kd_garg_int(dim)));
}

void kd_decompose_triangle(kd_decomposer *d)
{
    kd_gvalue *x = decompose_operand(d, 0);
    unsigned n = x->type.n_dims;
    if (n < 2) {
        decompose_fail(d, "needs a matrix");
        return;
    }
    kd_gvalue *rows = build_places(d, n, n - 2, x->type.shape[n - 2]), *cols = build_places(d, n, n - 1, x->type.shape[n - 1]);
    kd_gop_code code = d->of->op->code == KD_GOP_triu ? KD_GOP_ge_scalar : KD_GOP_le_scalar;
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(build_two(d, KD_GOP_sub, cols, rows)), d->of->args[1]};
    kd_garg zero = kd_scalar_is_float(x->type.type) ? kd_garg_float(0) : x->type.type == KD_I1 ? bool_arg(false) : kd_garg_int(0);
    decompose_finish(d, 0, build_where(d, decompose_build(d, code, 1, args), x, zero));
}

/* The largest m along the last dimension for which the condition holds; -1: none. */
static kd_gvalue *last_hit(kd_decomposer *d, kd_gvalue *hits)
{
    unsigned n = hits->type.n_dims;
    int64_t last = -1;
    kd_gvalue *places = build_places(d, n, n - 1, hits->type.shape[n - 1]);
    return BUILD(d, peak, kd_garg_value(build_where(d, hits, places, kd_garg_int(-1))), ints_arg(d->arena, 1, &last),
                 bool_arg(false));
}

static kd_gvalue *zero_where_not(kd_decomposer *d, kd_gvalue *condition, kd_gvalue *x)
{
    return build_where(d, condition, x, kd_scalar_is_float(x->type.type) ? kd_garg_float(0) : kd_garg_int(0));
}

static bool too_many(kd_decomposer *d, int64_t places, int64_t indices)
{
    int64_t product;
    if (!__builtin_mul_overflow(places, indices, &product) && product <= MAX_COMPARISONS)
        return false;
    decompose_fail(d, "%lld indices into %lld places are too many for this version", (long long)indices, (long long)places);
    return true;
}

/* ---- index_put ---- */

/* Where an index_put writes: self as [before, places, behind], values as [before, indices, behind]. */
typedef struct putting {
    kd_gvalue *self, *values, *linear; /* linear: the numbers of the places, [indices] */
    int64_t n_places, n_indices;
    unsigned n_indexed, order[KD_TENSOR_MAX_DIMS]; /* of self's dimensions: those before, those indexed, those behind */
    unsigned n_before;
    int64_t rows[3]; /* the extents before, of the places, and behind */
} putting;

static kd_gvalue *index_of(kd_decomposer *d, unsigned dim)
{
    const kd_garg *list = &d->of->args[1];
    return dim < list->list.n && list->list.items[dim].kind == KD_GARG_VALUE ? d->map[list->list.items[dim].value->id] : NULL;
}

/* The number of each index's place among those that can be indexed. */
static kd_gvalue *linear_index(kd_decomposer *d, const kd_index_layout *layout, const kd_tensor_type *self)
{
    kd_gvalue *linear = NULL;
    for (unsigned i = 0; i < self->n_dims; i++) {
        kd_gvalue *by = index_of(d, i);
        if (!by)
            continue;
        by = build_convert(d, by, KD_I64);
        kd_gvalue *wrapped = BUILD(d, add_scalar, kd_garg_value(by), kd_garg_int(self->shape[i]), kd_garg_int(1));
        by = BUILD(d, where, kd_garg_value(BUILD(d, lt_scalar, kd_garg_value(by), kd_garg_int(0))), kd_garg_value(wrapped),
                   kd_garg_value(by));
        by = build_expand(d, by, layout->n_dims, layout->shape);
        linear =
            linear ? build_two(d, KD_GOP_add, BUILD(d, mul_scalar, kd_garg_value(linear), kd_garg_int(self->shape[i])), by) : by;
    }
    return linear;
}

static bool plan_putting(kd_decomposer *d, putting *p)
{
    kd_index_layout layout;
    const kd_tensor_type *t = &p->self->type;
    if (!kd_gnode_index_layout(d->of, &layout)) {
        decompose_fail(d, "the indices do not broadcast");
        return false;
    }
    p->n_places = p->n_indices = 1;
    unsigned n = 0;
    int64_t shape[2 * KD_TENSOR_MAX_DIMS];
    p->n_before = layout.first;
    p->rows[0] = p->rows[1] = p->rows[2] = 1;
    for (unsigned i = 0; i < layout.first; i++)
        p->order[n++] = i;
    for (unsigned i = 0; i < t->n_dims; i++)
        if (index_of(d, i)) {
            p->order[n++] = i;
            p->n_indexed++;
            p->n_places *= t->shape[i];
        }
    for (unsigned i = layout.first; i < t->n_dims; i++)
        if (!index_of(d, i))
            p->order[n++] = i;
    for (unsigned i = 0; i < n; i++)
        p->rows[i < p->n_before ? 0 : i < p->n_before + p->n_indexed ? 1 : 2] *= t->shape[p->order[i]];
    for (unsigned i = 0; i < layout.n_dims; i++)
        p->n_indices *= layout.shape[i];
    p->linear = build_view(d, linear_index(d, &layout, t), 1, &p->n_indices);
    n = 0;
    for (unsigned i = 0; i < p->n_before; i++)
        shape[n++] = t->shape[p->order[i]];
    for (unsigned i = 0; i < layout.n_dims; i++)
        shape[n++] = layout.shape[i];
    for (unsigned i = p->n_before + p->n_indexed; i < t->n_dims; i++)
        shape[n++] = t->shape[p->order[i]];
    if (n > KD_TENSOR_MAX_DIMS || too_many(d, p->n_places, p->n_indices))
        return false;
    p->values = build_expand(d, p->values, n, shape);
    p->values = build_view(d, p->values, 3, (int64_t[]){p->rows[0], p->n_indices, p->rows[2]});
    return true;
}

/* [before, places, behind], or with 1 for some of them, in the order of self's dimensions. */
static kd_gvalue *in_own_order(kd_decomposer *d, const putting *p, kd_gvalue *rows)
{
    const kd_tensor_type *t = &p->self->type;
    int64_t shape[KD_TENSOR_MAX_DIMS], back[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < t->n_dims; i++) {
        unsigned part = i < p->n_before ? 0 : i < p->n_before + p->n_indexed ? 1 : 2;
        shape[i] = rows->type.shape[part] == p->rows[part] ? t->shape[p->order[i]] : 1;
        back[p->order[i]] = i;
    }
    return BUILD(d, permute, kd_garg_value(build_view(d, rows, t->n_dims, shape)), ints_arg(d->arena, t->n_dims, back));
}

/* A mask as the only index, and one number: a choice. */
static bool put_by_mask(kd_decomposer *d, kd_gvalue *self, kd_gvalue *values)
{
    kd_gvalue *mask = index_of(d, 0);
    if (!mask || mask->type.type != KD_I1 || d->of->args[1].list.n != 1)
        return false;
    if (kd_tensor_n_elems(&values->type) != 1 || kd_gnode_bool(d->of, 3)) {
        decompose_fail(d, "a mask as an index is supported for a single value only");
        return true;
    }
    int64_t shape[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < self->type.n_dims; i++)
        shape[i] = i < mask->type.n_dims ? mask->type.shape[i] : 1;
    mask = build_view(d, mask, self->type.n_dims, shape);
    values = build_view(d, values, 0, NULL);
    decompose_finish(d, 0, build_where(d, mask, values, kd_garg_value(self)));
    return true;
}

void kd_decompose_index_put(kd_decomposer *d)
{
    putting p = {.self = decompose_operand(d, 0), .values = decompose_operand(d, 2)};
    if (put_by_mask(d, p.self, p.values) || !plan_putting(d, &p))
        return;
    kd_gvalue *numbers = build_view(d, p.linear, 2, (int64_t[]){1, p.n_indices});
    kd_gvalue *hits = build_two(d, KD_GOP_eq, numbers, build_places(d, 2, 0, p.n_places));
    if (kd_gnode_bool(d->of, 3)) {
        kd_gvalue *rows = build_view(d, p.values, 4, (int64_t[]){p.rows[0], 1, p.n_indices, p.rows[2]});
        hits = build_view(d, hits, 4, (int64_t[]){1, p.n_places, p.n_indices, 1});
        int64_t dim = 2;
        kd_gvalue *sum = BUILD(d, sum, kd_garg_value(zero_where_not(d, hits, rows)), ints_arg(d->arena, 1, &dim), bool_arg(false),
                               text_arg(kd_scalar_name(p.self->type.type)));
        decompose_finish(d, 0, build_two(d, KD_GOP_add, p.self, in_own_order(d, &p, sum)));
        return;
    }
    kd_gvalue *at = last_hit(d, hits);
    kd_gvalue *picked = BUILD(d, index_select, kd_garg_value(p.values), kd_garg_int(1), kd_garg_value(at));
    kd_gvalue *is_hit = BUILD(d, ge_scalar, kd_garg_value(at), kd_garg_int(0));
    is_hit = in_own_order(d, &p, build_view(d, is_hit, 3, (int64_t[]){1, p.n_places, 1}));
    decompose_finish(d, 0, build_where(d, is_hit, in_own_order(d, &p, picked), kd_garg_value(p.self)));
}

/* ---- scatter ---- */

/* Dimension dim moves behind the others, and leaves a 1. */
static kd_gvalue *with_last(kd_decomposer *d, kd_gvalue *x, int64_t dim)
{
    int64_t n = x->type.n_dims;
    return BUILD(d, transpose, kd_garg_value(BUILD(d, unsqueeze, kd_garg_value(x), kd_garg_int(n))), kd_garg_int(dim),
                 kd_garg_int(n));
}

/* As large as a shape: more elements behind those that are there. */
static kd_gvalue *grown(kd_decomposer *d, kd_gvalue *x, const kd_tensor_type *to, kd_garg with)
{
    int64_t pad[2 * KD_TENSOR_MAX_DIMS] = {0};
    unsigned n = to->n_dims;
    for (unsigned i = 0; i < n; i++)
        pad[2 * (n - 1 - i) + 1] = to->shape[i] - x->type.shape[i];
    return kd_tensor_same_shape(&x->type, to) ? x : BUILD(d, pad, kd_garg_value(x), ints_arg(d->arena, 2 * n, pad), with);
}

/* How the elements of src that hit a place are combined; those of self take part unless include_self says no. */
static void combine_hits(kd_decomposer *d, kd_gvalue *self, kd_gvalue *hits, kd_gvalue *src)
{
    const kd_tensor_type *t = &self->type;
    bool has_kind = d->of->op->code == KD_GOP_scatter_reduce, with_self = !has_kind || kd_gnode_bool(d->of, 5);
    const char *kind = has_kind && d->of->args[4].kind == KD_GARG_TEXT ? d->of->args[4].text : "sum";
    bool is_max = strcmp(kind, "amax") == 0, is_min = strcmp(kind, "amin") == 0, is_prod = strcmp(kind, "prod") == 0,
         is_mean = strcmp(kind, "mean") == 0;
    if (is_mean && !kd_scalar_is_float(t->type)) {
        decompose_fail(d, "the mean of whole numbers is not supported yet");
        return;
    }
    int64_t last = -1;
    kd_garg over = ints_arg(d->arena, 1, &last), type = text_arg(kd_scalar_name(t->type)),
            none = is_max                        ? least_arg(t->type)
                   : is_min                      ? most_arg(t->type)
                   : kd_scalar_is_float(t->type) ? kd_garg_float(is_prod)
                                                 : kd_garg_int(is_prod);
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(build_where(d, hits, src, none)), over, bool_arg(false),
                                       is_max || is_min ? no_arg() : type};
    args[1] = is_prod ? kd_garg_int(-1) : over;
    kd_gvalue *y = decompose_build(d, is_max ? KD_GOP_amax : is_min ? KD_GOP_amin : is_prod ? KD_GOP_prod : KD_GOP_sum, 1, args);
    y = grown(d, y, t, none);
    kd_gvalue *n = BUILD(d, sum, kd_garg_value(build_convert(d, hits, KD_I32)), over, bool_arg(false), text_arg("i32"));
    n = grown(d, n, t, kd_garg_int(0));
    if (with_self)
        y = build_two(d, is_max ? KD_GOP_maximum : is_min ? KD_GOP_minimum : is_prod ? KD_GOP_mul : KD_GOP_add, self, y);
    if (is_mean)
        y = build_two(d, KD_GOP_div, y, with_self ? BUILD(d, add_scalar, kd_garg_value(n), kd_garg_int(1), kd_garg_int(1)) : n);
    if (!with_self)
        y = build_where(d, BUILD(d, gt_scalar, kd_garg_value(n), kd_garg_int(0)), y, kd_garg_value(self));
    decompose_finish(d, 0, y);
}

void kd_decompose_scatter(kd_decomposer *d)
{
    kd_gvalue *self = decompose_operand(d, 0), *index = decompose_operand(d, 2), *src = decompose_operand(d, 3);
    const kd_tensor_type *t = &self->type, *i = &index->type;
    int64_t dim = kd_gnode_dim(kd_gnode_int(d->of, 1, 0), t->n_dims), n_places = t->n_dims ? t->shape[dim] : 0;
    bool fits = t->n_dims && i->n_dims == t->n_dims;
    for (unsigned k = 0; k < t->n_dims && fits; k++)
        fits = (k == dim || i->shape[k] <= t->shape[k]) && (!src || i->shape[k] <= src->type.shape[k]);
    if (!fits)
        decompose_fail(d, "the index %s does not fit %s", kd_tensor_type_text(d->arena, i), kd_tensor_type_text(d->arena, t));
    if (!fits || too_many(d, n_places, kd_tensor_n_elems(i)))
        return;
    kd_gvalue *hits = build_two(d, KD_GOP_eq, with_last(d, index, dim), build_places(d, t->n_dims + 1, (unsigned)dim, n_places));
    if (d->of->op->code == KD_GOP_scatter_add || d->of->op->code == KD_GOP_scatter_reduce) {
        for (unsigned k = 0; k < t->n_dims; k++)
            src = BUILD(d, slice, kd_garg_value(src), kd_garg_int(k), kd_garg_int(0), kd_garg_int(i->shape[k]), kd_garg_int(1));
        combine_hits(d, self, hits, with_last(d, src, dim));
        return;
    }
    kd_gvalue *at = last_hit(d, hits);
    kd_gvalue *is_hit = BUILD(d, ge_scalar, kd_garg_value(grown(d, at, t, kd_garg_int(-1))), kd_garg_int(0));
    kd_garg picked = d->of->args[3];
    if (src)
        picked =
            kd_garg_value(grown(d, BUILD(d, gather, kd_garg_value(src), kd_garg_int(dim), kd_garg_value(at)), t, kd_garg_int(0)));
    decompose_finish(d, 0, BUILD(d, where, kd_garg_value(is_hit), picked, kd_garg_value(self)));
}
