/* decompose_pick.c - compositions that pick: by masks, by runs of indices, by places in memory. */
#include "graph/decompose_impl.h"

/* self, and where the mask is set one element of source after the other. */
void kd_decompose_masked_scatter(kd_decomposer *d)
{
    kd_gvalue *self = decompose_operand(d, 0), *mask = decompose_operand(d, 1), *source = build_flat(d, decompose_operand(d, 2));
    const kd_tensor_type t = self->type;
    mask = build_expand(d, mask, t.n_dims, t.shape);
    kd_gvalue *number =
        BUILD(d, cumsum, kd_garg_value(build_convert(d, build_flat(d, mask), KD_I32)), kd_garg_int(0), text_arg("i32"));
    number = BUILD(d, clamp_min, kd_garg_value(BUILD(d, sub_scalar, kd_garg_value(number), kd_garg_int(1), kd_garg_int(1))),
                   kd_garg_int(0));
    kd_gvalue *picked = BUILD(d, index_select, kd_garg_value(source), kd_garg_int(0), kd_garg_value(number));
    decompose_finish(d, 0, build_where(d, mask, build_view(d, picked, t.n_dims, t.shape), kd_garg_value(self)));
}

/* Which index belongs to which bag, [bags, indices]: bag b has those from its offset to that of the next one. */
static kd_gvalue *members(kd_decomposer *d, kd_gvalue *indices)
{
    kd_gvalue *offsets = build_convert(d, decompose_operand(d, 2), KD_I64);
    int64_t n_bags = d->of->results[0]->type.shape[0], n = indices->type.shape[0], n_offsets = offsets->type.shape[0];
    kd_garg zero = kd_garg_int(0), one = kd_garg_int(1);
    kd_gvalue *first = BUILD(d, slice, kd_garg_value(offsets), zero, zero, kd_garg_int(n_bags), one);
    kd_gvalue *end = BUILD(d, slice, kd_garg_value(offsets), zero, one, kd_garg_int(n_offsets), one);
    if (n_offsets == n_bags) {
        kd_gvalue *parts[] = {end, build_full(d, 1, (int64_t[]){1}, kd_garg_int(n), KD_I64)};
        end = BUILD(d, cat, values_arg(d->arena, 2, parts), zero);
    }
    kd_gvalue *at = build_places(d, 2, 1, n);
    first = build_view(d, first, 2, (int64_t[]){n_bags, 1});
    end = build_view(d, end, 2, (int64_t[]){n_bags, 1});
    kd_gvalue *is_member = build_two(d, KD_GOP_logical_and, build_two(d, KD_GOP_ge, at, first), build_two(d, KD_GOP_lt, at, end));
    int64_t padding = kd_gnode_int(d->of, 8, -1);
    if (padding < 0)
        return is_member;
    kd_gvalue *counts = BUILD(d, ne_scalar, kd_garg_value(indices), kd_garg_int(padding));
    return build_two(d, KD_GOP_logical_and, is_member, build_view(d, counts, 2, (int64_t[]){1, n}));
}

/* The sum or the mean of the rows of each bag, as a matrix product. */
void kd_decompose_embedding_bag(kd_decomposer *d)
{
    kd_gvalue *weight = decompose_operand(d, 0), *indices = decompose_operand(d, 1), *scale = decompose_operand(d, 6);
    kd_gvalue *is_member = members(d, indices), *which = build_convert(d, is_member, weight->type.type);
    int64_t n = indices->type.shape[0], last = -1;
    if (scale)
        which = build_two(d, KD_GOP_mul, which, build_view(d, scale, 2, (int64_t[]){1, n}));
    kd_gvalue *sum = build_two(d, KD_GOP_mm, which, BUILD(d, embedding, kd_garg_value(weight), kd_garg_value(indices)));
    if (kd_gnode_int(d->of, 4, 0) == 1) {
        kd_gvalue *count = BUILD(d, sum, kd_garg_value(build_convert(d, is_member, KD_F32)), ints_arg(d->arena, 1, &last),
                                 bool_arg(true), no_arg());
        sum = build_two(d, KD_GOP_div, sum, BUILD(d, clamp_min, kd_garg_value(count), kd_garg_float(1)));
    }
    decompose_finish(d, 0, sum);
}

/* Where a dimension stands among those that are ordered by strides; where it has one element only, that says nothing. */
static int64_t step_of(const kd_tensor_type *t, int64_t dim)
{
    return t->shape[dim] > 1 ? t->strides[dim] : 0;
}

/* The elements in the order in which they lie in memory, as a row, and of it those that strides name. */
void kd_decompose_as_strided(kd_decomposer *d)
{
    const kd_tensor_type *t = &kd_gnode_tensor(d->of, 0)->type, *to = &d->of->results[0]->type;
    int64_t order[KD_TENSOR_MAX_DIMS];
    unsigned n = 0;
    for (unsigned i = 0; i < t->n_dims; i++) { /* the largest stride first */
        unsigned at = n++;
        for (; at && step_of(t, order[at - 1]) < step_of(t, i); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    kd_gvalue *row = build_flat(d, BUILD(d, permute, kd_garg_value(decompose_operand(d, 0)), ints_arg(d->arena, n, order)));
    kd_gvalue *y = BUILD(d, strided, kd_garg_value(row), ints_arg(d->arena, to->n_dims, to->shape), d->of->args[2],
                         kd_garg_int(kd_gnode_int(d->of, 3, 0)));
    y->name = d->of->results[0]->name;
    d->map[d->of->results[0]->id] = y;
}
