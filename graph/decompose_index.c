/* decompose_index.c - compositions around places: stacks, triangles, and what is written where indices say.
 *
 * Nothing is written out of order. Where that is little work, each element of the result looks for the index that names it: with M indices and
 * S places that is a reduction of S * M comparisons, and one kernel with all that is around it; the last index wins.
 *
 *     index_put(%self, [%i], %values)      at[s] = max of the m with i[m] == s, or -1
 *                                          result[s] = at[s] < 0 ? self[s] : values[at[s]]
 *
 * Where it is more, a kernel of its own copies S rows and goes over M of them (scatter.c). */
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

/* ---- one after the other ---- */

/* Whether that is less than to compare each place with each index. GPUs have comparisons done by all their lanes. */
static bool goes_in_turns(const kd_decomposer *d, kd_scalar type, int64_t places, int64_t indices)
{
    enum { COMPARISONS_A_TURN = 16 };
    int64_t product;
    return !d->on_gpu && type != KD_I1 &&
           (__builtin_mul_overflow(places, indices, &product) || product / COMPARISONS_A_TURN > places + indices);
}

kd_gvalue *build_scatter_rows(kd_decomposer *d, kd_gvalue *self, kd_gvalue *index, kd_gvalue *values, kd_scatter_kind how)
{
    kd_scalar type = self->type.type, wide = how != KD_SCATTER_PUT && kd_scalar_is_float(type) && kd_scalar_bytes(type) < 4 ? KD_F32 : type;
    kd_gvalue *y = BUILD(d, scatter_rows, kd_garg_value(build_convert(d, self, wide)), kd_garg_value(index),
                         kd_garg_value(build_convert(d, values, wide)), kd_garg_int(how));
    return build_convert(d, y, type);
}

/* ---- index_put ---- */

/* Where an index_put writes: self as [before, places, behind], values as [before, indices, behind]. */
typedef struct putting {
    kd_gvalue *self, *values, *linear; /* linear: the numbers of the places, [indices] */
    int64_t n_places, n_indices;
    unsigned n_indexed, order[KD_TENSOR_MAX_DIMS]; /* of self's dimensions: those before, those indexed, those behind */
    unsigned n_before;
    int64_t rows[3]; /* the extents before, of the places, and behind */
    bool in_turns;
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
    p->in_turns = goes_in_turns(d, t->type, p->n_places, p->n_indices);
    if (n > KD_TENSOR_MAX_DIMS || (!p->in_turns && too_many(d, p->n_places, p->n_indices)))
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

static bool is_in_order(const putting *p)
{
    unsigned n = 0;
    while (n < p->self->type.n_dims && p->order[n] == n)
        n++;
    return n == p->self->type.n_dims;
}

static kd_garg order_arg(kd_decomposer *d, const putting *p)
{
    int64_t order[KD_TENSOR_MAX_DIMS];
    for (unsigned i = 0; i < p->self->type.n_dims; i++)
        order[i] = p->order[i];
    return ints_arg(d->arena, p->self->type.n_dims, order);
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
    if (p.in_turns) {
        kd_gvalue *self = BUILD(d, permute, kd_garg_value(p.self), order_arg(d, &p));
        kd_gvalue *index = build_view(d, p.linear, 3, (int64_t[]){1, p.n_indices, 1});
        kd_gvalue *rows = build_scatter_rows(d, build_view(d, self, 3, p.rows), index, p.values,
                                       kd_gnode_bool(d->of, 3) ? KD_SCATTER_ADD : KD_SCATTER_PUT);
        if (is_in_order(&p))
            decompose_finish_shaped(d, rows);
        else
            decompose_finish(d, 0, in_own_order(d, &p, rows));
        return;
    }
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

/* How elements that hit a place are combined; that of self takes part unless include_self says no. */
typedef struct combining {
    kd_scatter_kind how;
    bool is_mean, with_self;
} combining;

static combining combining_of(const kd_gnode *node)
{
    if (node->op->code != KD_GOP_scatter_reduce)
        return (combining){node->op->code == KD_GOP_scatter_add ? KD_SCATTER_ADD : KD_SCATTER_PUT, false, true};
    const char *kind = node->args[4].text;
    kd_scatter_kind how = strcmp(kind, "amax") == 0   ? KD_SCATTER_MAX
                          : strcmp(kind, "amin") == 0 ? KD_SCATTER_MIN
                          : strcmp(kind, "prod") == 0 ? KD_SCATTER_MULTIPLY
                                                      : KD_SCATTER_ADD;
    return (combining){how, strcmp(kind, "mean") == 0, kd_gnode_bool(node, 5)};
}

/* What changes nothing. */
static kd_garg neutral(const combining *c, kd_scalar type)
{
    bool is_prod = c->how == KD_SCATTER_MULTIPLY;
    return c->how == KD_SCATTER_MAX     ? least_arg(type)
           : c->how == KD_SCATTER_MIN   ? most_arg(type)
           : kd_scalar_is_float(type) ? kd_garg_float(is_prod)
                                      : kd_garg_int(is_prod);
}

/* y: what is combined, with self where it takes part; n: how many hit each place. */
static void finish_combined(kd_decomposer *d, const combining *c, kd_gvalue *self, kd_gvalue *y, kd_gvalue *n)
{
    if (c->is_mean)
        y = build_two(d, KD_GOP_div, y, c->with_self ? BUILD(d, add_scalar, kd_garg_value(n), kd_garg_int(1), kd_garg_int(1)) : n);
    if (!c->with_self)
        y = build_where(d, BUILD(d, gt_scalar, kd_garg_value(n), kd_garg_int(0)), y, kd_garg_value(self));
    decompose_finish(d, 0, y);
}

static void combine_hits(kd_decomposer *d, const combining *c, kd_gvalue *self, kd_gvalue *hits, kd_gvalue *src)
{
    static const kd_gop_code REDUCTIONS[] = {KD_GOP_sum, KD_GOP_sum, KD_GOP_prod, KD_GOP_amax, KD_GOP_amin},
                             PAIRS[] = {KD_GOP_add, KD_GOP_add, KD_GOP_mul, KD_GOP_maximum, KD_GOP_minimum};
    const kd_tensor_type *t = &self->type;
    bool keeps_type = c->how == KD_SCATTER_MAX || c->how == KD_SCATTER_MIN;
    int64_t last = -1;
    kd_garg over = ints_arg(d->arena, 1, &last), none = neutral(c, t->type);
    kd_garg args[KD_GOP_MAX_PARAMS] = {kd_garg_value(build_where(d, hits, src, none)), over, bool_arg(false),
                                       keeps_type ? no_arg() : text_arg(kd_scalar_name(t->type))};
    args[1] = c->how == KD_SCATTER_MULTIPLY ? kd_garg_int(-1) : over;
    kd_gvalue *y = grown(d, decompose_build(d, REDUCTIONS[c->how], 1, args), t, none);
    kd_gvalue *n = BUILD(d, sum, kd_garg_value(build_convert(d, hits, KD_I32)), over, bool_arg(false), text_arg("i32"));
    finish_combined(d, c, self, c->with_self ? build_two(d, PAIRS[c->how], self, y) : y, grown(d, n, t, kd_garg_int(0)));
}

/* index, and src or a number, in the shape of the index; it is as large as self but along dim. */
static void scatter_in_turns(kd_decomposer *d, const combining *c, kd_gvalue *self, kd_gvalue *index, kd_gvalue *src, unsigned dim)
{
    const kd_tensor_type *t = &self->type;
    int64_t rows[3] = {1, t->shape[dim], 1}, turns[3];
    for (unsigned i = 0; i < t->n_dims; i++)
        rows[i < dim ? 0 : 2] *= i == dim ? 1 : t->shape[i];
    memcpy(turns, rows, sizeof turns);
    turns[1] = index->type.shape[dim];
    index = build_view(d, index, 3, turns);
    src = src ? build_view(d, src, 3, turns) : build_full(d, 3, turns, d->of->args[3], t->type);
    kd_gvalue *from = c->with_self ? build_view(d, self, 3, rows) : build_full(d, 3, rows, neutral(c, t->type), t->type), *n = NULL;
    if (c->is_mean || !c->with_self)
        n = build_view(d, build_scatter_rows(d, build_full(d, 3, rows, kd_garg_int(0), KD_I32), index,
                                       build_full(d, 3, turns, kd_garg_int(1), KD_I32), KD_SCATTER_ADD),
                       t->n_dims, t->shape);
    kd_gvalue *y = build_scatter_rows(d, from, index, src, c->how);
    if (n)
        finish_combined(d, c, self, build_view(d, y, t->n_dims, t->shape), n);
    else
        decompose_finish_shaped(d, y);
}

void kd_decompose_scatter(kd_decomposer *d)
{
    kd_gvalue *self = decompose_operand(d, 0), *index = decompose_operand(d, 2), *src = decompose_operand(d, 3);
    const kd_tensor_type *t = &self->type, *i = &index->type;
    const combining c = combining_of(d->of);
    int64_t dim = kd_gnode_dim(kd_gnode_int(d->of, 1, 0), t->n_dims), n_places = t->n_dims ? t->shape[dim] : 0;
    bool fits = t->n_dims && i->n_dims == t->n_dims, covers = true;
    for (unsigned k = 0; k < t->n_dims && fits; k++) {
        fits = (k == dim || i->shape[k] <= t->shape[k]) && (!src || i->shape[k] <= src->type.shape[k]);
        covers &= k == dim || i->shape[k] == t->shape[k];
    }
    if (!fits)
        decompose_fail(d, "the index %s does not fit %s", kd_tensor_type_text(d->arena, i), kd_tensor_type_text(d->arena, t));
    else if (c.is_mean && !kd_scalar_is_float(t->type))
        decompose_fail(d, "the mean of whole numbers is not supported yet");
    if (d->status)
        return;
    for (unsigned k = 0; k < t->n_dims && src; k++)
        if (c.how != KD_SCATTER_PUT || covers)
            src = BUILD(d, slice, kd_garg_value(src), kd_garg_int(k), kd_garg_int(0), kd_garg_int(i->shape[k]), kd_garg_int(1));
    if (covers && goes_in_turns(d, t->type, n_places, i->shape[dim])) {
        scatter_in_turns(d, &c, self, index, src, (unsigned)dim);
        return;
    }
    if (too_many(d, n_places, kd_tensor_n_elems(i)))
        return;
    kd_gvalue *hits = build_two(d, KD_GOP_eq, with_last(d, index, dim), build_places(d, t->n_dims + 1, (unsigned)dim, n_places));
    if (c.how != KD_SCATTER_PUT) {
        combine_hits(d, &c, self, hits, with_last(d, src, dim));
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
