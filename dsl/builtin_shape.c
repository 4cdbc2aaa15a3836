/* builtin_shape.c - builtins that move elements: reshape, permute, join, broadcast, gather, flip. */
#include "dsl/builtin_impl.h"

kd_dval kd_b_expand_dims(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    int64_t axes[KD_MAX_RANK], shape[KD_MAX_RANK];
    unsigned n;
    bool is_new[KD_MAX_RANK] = {false};
    if (!kd_arg_tensor(lw, c, 0, &v) || !kd_arg_ints(lw, c, 1, "axes", axes, KD_MAX_RANK, &n))
        return KD_D_ERR;
    unsigned rank = v->type->rank + n;
    if (rank > KD_MAX_RANK) {
        kd_error(lw->diags, c->loc, "'%s' makes more than %d axes", c->name, KD_MAX_RANK);
        return KD_D_ERR;
    }
    for (unsigned i = 0; i < n; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank || is_new[axis]) {
            kd_error(lw->diags, c->at[1], "'%s' of %s cannot add axis %lld", c->name, kd_d_type_text(lw, v->type), (long long)axes[i]);
            return KD_D_ERR;
        }
        is_new[axis] = true;
    }
    for (unsigned i = 0, from = 0; i < rank; i++)
        shape[i] = is_new[i] ? 1 : v->type->shape[from++];
    return kd_d_tensor(kd_value_reshape(lw, c->loc, v, rank, shape));
}

kd_dval kd_b_squeeze(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    unsigned axis, rank = 0;
    int64_t shape[KD_MAX_RANK];
    if (!kd_arg_tensor(lw, c, 0, &v) || !kd_arg_axis(lw, c, 1, v->type->rank, &axis))
        return KD_D_ERR;
    if (v->type->shape[axis] != 1) {
        kd_error(lw->diags, c->at[1], "'%s' drops axes of extent 1, but axis %u of %s has %lld", c->name, axis, kd_d_type_text(lw, v->type),
                 (long long)v->type->shape[axis]);
        return KD_D_ERR;
    }
    for (unsigned i = 0; i < v->type->rank; i++)
        if (i != axis)
            shape[rank++] = v->type->shape[i];
    return kd_d_tensor(kd_value_reshape(lw, c->loc, v, rank, shape));
}

kd_dval kd_b_broadcast_to(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    int64_t shape[KD_MAX_RANK];
    unsigned rank;
    if (!kd_arg_tensor(lw, c, 0, &v) || !kd_rest_ints(lw, c, "extents", shape, KD_MAX_RANK, &rank) ||
        !kd_shape_check(lw, c->loc, c->name, rank, shape))
        return KD_D_ERR;
    return kd_broadcast_to(lw, c->loc, kd_d_tensor(v), rank, shape);
}

kd_dval kd_b_broadcast(kd_lower *lw, kd_bcall *c)
{
    kd_dval pair[2] = {c->arg[0], c->arg[1]};
    if (!kd_broadcast_pair(lw, c->loc, c->name, &pair[0], &pair[1]))
        return KD_D_ERR;
    return kd_d_tuple(lw, pair, 2);
}

kd_dval kd_b_broadcast_all(kd_lower *lw, kd_bcall *c)
{
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, c->n_rest);
    for (unsigned i = 0; i < c->n_rest; i++)
        items[i] = c->rest[i].value;
    for (unsigned round = 0; round < 2; round++) /* the second time the first has the shape of all */
        for (unsigned i = 1; i < c->n_rest; i++)
            if (!kd_broadcast_pair(lw, c->loc, c->name, &items[0], &items[i]))
                return KD_D_ERR;
    return kd_d_tuple(lw, items, c->n_rest);
}

kd_dval kd_b_reshape(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    int64_t shape[KD_MAX_RANK], n = 1;
    unsigned rank;
    if (!kd_arg_tensor(lw, c, 0, &v) || !kd_rest_ints(lw, c, "extents", shape, KD_MAX_RANK, &rank))
        return KD_D_ERR;
    int64_t unknown = -1;
    for (unsigned i = 0; i < rank; i++) /* one extent may be left open, as in PyTorch */
        if (shape[i] == -1 && unknown < 0)
            unknown = i;
        else if (shape[i] > 0 && shape[i] <= KD_MAX_TILE_ELEMS && n <= KD_MAX_TILE_ELEMS)
            n *= shape[i];
    if (unknown >= 0 && n > 0 && v->type->n_elems % n == 0)
        shape[unknown] = v->type->n_elems / n;
    if (!kd_shape_check(lw, c->loc, c->name, rank, shape))
        return KD_D_ERR;
    const kd_type *to = kd_type_with_shape(lw->ctx, v->type, rank, shape);
    if (to->n_elems != v->type->n_elems) {
        kd_error(lw->diags, c->loc, "'%s' keeps the number of elements, but %s has %lld and %s has %lld", c->name, kd_d_type_text(lw, v->type),
                 (long long)v->type->n_elems, kd_d_type_text(lw, to), (long long)to->n_elems);
        return KD_D_ERR;
    }
    return kd_d_tensor(kd_value_reshape(lw, c->loc, v, rank, shape));
}

kd_dval kd_b_ravel(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    return kd_arg_tensor(lw, c, 0, &v) ? kd_d_tensor(kd_value_reshape(lw, c->loc, v, 1, &v->type->n_elems)) : KD_D_ERR;
}

kd_dval kd_b_item(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    if (!kd_arg_tensor(lw, c, 0, &v))
        return KD_D_ERR;
    if (v->type->n_elems != 1) {
        kd_error(lw->diags, c->loc, "'%s' needs a tile of one element, not %s", c->name, kd_d_type_text(lw, v->type));
        return KD_D_ERR;
    }
    return kd_d_tensor(kd_value_reshape(lw, c->loc, v, 0, NULL));
}

/* trans swaps the last two axes unless some are named; permute wants them all. */
kd_dval kd_b_trans(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    int64_t order[KD_MAX_RANK];
    unsigned n;
    if (!kd_arg_tensor(lw, c, 0, &v) || !kd_rest_ints(lw, c, "axes", order, KD_MAX_RANK, &n))
        return KD_D_ERR;
    unsigned rank = v->type->rank, seen = 0;
    if (n == 0 && c->row->data == 0) {
        if (rank < 2) {
            kd_error(lw->diags, c->loc, "'%s' needs two axes or more, but its operand is %s", c->name, kd_d_type_text(lw, v->type));
            return KD_D_ERR;
        }
        for (n = 0; n < rank; n++)
            order[n] = n;
        order[rank - 1] = rank - 2;
        order[rank - 2] = rank - 1;
    }
    bool ok = n == rank;
    for (unsigned i = 0; i < n; i++) {
        order[i] += order[i] < 0 ? n : 0;
        ok = ok && order[i] >= 0 && order[i] < rank && !(seen >> order[i] & 1);
        seen |= ok ? 1u << order[i] : 0;
    }
    if (!ok) {
        kd_error(lw->diags, c->loc, "'%s' of %s needs each axis from 0 to %d once", c->name, kd_d_type_text(lw, v->type), (int)rank - 1);
        return KD_D_ERR;
    }
    return kd_d_tensor(kd_value_permute(lw, c->loc, v, order));
}

kd_dval kd_b_transposed(kd_lower *lw, kd_bcall *c)
{
    kd_value *v = c->arg[0].value;
    if (v->type->rank != 2) {
        kd_error(lw->diags, c->loc, "'.T' needs rank 2, but the tensor is %s", kd_d_type_text(lw, v->type));
        return KD_D_ERR;
    }
    return kd_d_tensor(kd_value_permute(lw, c->loc, v, (int64_t[]){1, 0}));
}

/* ---- join, split ---- */

static kd_value *joined(kd_lower *lw, kd_loc loc, kd_value *a, kd_value *b)
{
    int64_t shape[KD_MAX_RANK + 1];
    unsigned rank = a->type->rank;
    if (rank)
        memcpy(shape, a->type->shape, rank * sizeof *shape);
    shape[rank] = 2;
    return KD_BUILD(join, .loc = loc, .a = a, .b = b, .type = kd_type_with_shape(lw->ctx, a->type, rank + 1, shape));
}

static bool same_elements(kd_lower *lw, kd_bcall *c, kd_dval a, kd_dval b)
{
    if (kd_type_elem(a.value->type) == kd_type_elem(b.value->type))
        return true;
    kd_error(lw->diags, c->loc, "'%s' needs one type, but its operands are %s and %s", c->name, kd_d_type_text(lw, a.value->type),
             kd_d_type_text(lw, b.value->type));
    return false;
}

/* join; with data 1 interleave: the new axis is merged into the last one. */
kd_dval kd_b_join(kd_lower *lw, kd_bcall *c)
{
    kd_dval a = c->arg[0], b = c->arg[1];
    if (!kd_broadcast_pair(lw, c->loc, c->name, &a, &b) || !same_elements(lw, c, a, b))
        return KD_D_ERR;
    unsigned rank = a.value->type->rank;
    if (rank == KD_MAX_RANK) {
        kd_error(lw->diags, c->loc, "'%s' makes more than %d axes", c->name, KD_MAX_RANK);
        return KD_D_ERR;
    }
    if (a.value->type->n_elems > KD_MAX_TILE_ELEMS / 2) {
        kd_error(lw->diags, c->loc, "'%s' makes a tile of more than %d elements", c->name, KD_MAX_TILE_ELEMS);
        return KD_D_ERR;
    }
    kd_value *result = joined(lw, c->loc, a.value, b.value);
    if (c->row->data && rank) {
        int64_t shape[KD_MAX_RANK];
        memcpy(shape, a.value->type->shape, rank * sizeof *shape);
        shape[rank - 1] *= 2;
        result = kd_value_reshape(lw, c->loc, result, rank, shape);
    }
    return kd_d_tensor(result);
}

kd_dval kd_b_split(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    if (!kd_arg_tensor(lw, c, 0, &v))
        return KD_D_ERR;
    unsigned rank = v->type->rank;
    if (!rank || v->type->shape[rank - 1] != 2) {
        kd_error(lw->diags, c->loc, "'%s' needs a last axis of extent 2, but the tensor is %s", c->name, kd_d_type_text(lw, v->type));
        return KD_D_ERR;
    }
    const kd_type *half = kd_type_with_shape(lw->ctx, v->type, rank - 1, v->type->shape);
    kd_op *op = kd_build_split(&lw->b, (kd_split_args){.loc = c->loc, .joined = v, .types = (const kd_type *[]){half, half}, .n_types = 2});
    return kd_d_tuple(lw, (kd_dval[]){kd_d_tensor(kd_op_result(op, 0)), kd_d_tensor(kd_op_result(op, 1))}, 2);
}

/* One behind the other along an axis: joined along a new last axis, which then moves before that axis. */
kd_dval kd_b_cat(kd_lower *lw, kd_bcall *c)
{
    kd_value *a, *b;
    unsigned axis;
    if (!kd_arg_tensor(lw, c, 0, &a) || !kd_arg_tensor(lw, c, 1, &b) || !kd_arg_axis(lw, c, 3, a->type->rank, &axis))
        return KD_D_ERR;
    if (a->type != b->type) {
        kd_error(lw->diags, c->loc, "'%s' needs equal types, but its operands are %s and %s", c->name, kd_d_type_text(lw, a->type),
                 kd_d_type_text(lw, b->type));
        return KD_D_ERR;
    }
    unsigned rank = a->type->rank;
    if (rank == KD_MAX_RANK || a->type->n_elems > KD_MAX_TILE_ELEMS / 2) {
        kd_error(lw->diags, c->loc, "'%s' makes too large a tile", c->name);
        return KD_D_ERR;
    }
    int64_t order[KD_MAX_RANK], shape[KD_MAX_RANK];
    for (unsigned i = 0; i <= rank; i++)
        order[i] = i < axis ? i : i == axis ? rank : i - 1;
    memcpy(shape, a->type->shape, rank * sizeof *shape);
    shape[axis] *= 2;
    kd_value *moved = kd_value_permute(lw, c->loc, joined(lw, c->loc, a, b), order);
    return kd_d_tensor(kd_value_reshape(lw, c->loc, moved, rank, shape));
}

/* ---- by index ---- */

kd_dval kd_b_gather(kd_lower *lw, kd_bcall *c)
{
    kd_value *src, *index;
    unsigned axis;
    if (!kd_arg_tensor(lw, c, 0, &src) || !kd_arg_tensor(lw, c, 1, &index) || !kd_arg_axis(lw, c, 2, src->type->rank, &axis))
        return KD_D_ERR;
    bool fits = index->type->rank == src->type->rank && kd_type_is_int_like(index->type);
    for (unsigned i = 0; fits && i < src->type->rank; i++)
        fits = i == axis || index->type->shape[i] == src->type->shape[i];
    if (!fits) {
        kd_error(lw->diags, c->loc, "'%s' needs integer indices whose shape differs along axis %u only, but the source is %s and the index is %s",
                 c->name, axis, kd_d_type_text(lw, src->type), kd_d_type_text(lw, index->type));
        return KD_D_ERR;
    }
    const kd_type *type = kd_type_with_shape(lw->ctx, src->type, index->type->rank, index->type->shape);
    return kd_d_tensor(KD_BUILD(gather, .loc = c->loc, .src = src, .index = index, .axis = axis, .type = type));
}

kd_dval kd_b_flip(kd_lower *lw, kd_bcall *c)
{
    kd_value *v;
    unsigned axis;
    if (!kd_arg_tensor(lw, c, 0, &v))
        return KD_D_ERR;
    if (!kd_arg_given(c, 1))
        c->arg[1] = kd_d_int(-1);
    if (!kd_arg_axis(lw, c, 1, v->type->rank, &axis))
        return KD_D_ERR;
    kd_value *iota = kd_value_iota(lw, c->loc, v->type->rank, v->type->shape, axis);
    kd_value *last = kd_build_int(&lw->b, c->loc, iota->type, v->type->shape[axis] - 1);
    kd_value *index = KD_BUILD(sub, .loc = c->loc, .a = last, .b = iota);
    return kd_d_tensor(KD_BUILD(gather, .loc = c->loc, .src = v, .index = index, .axis = axis, .type = v->type));
}

/* ---- subscripts ---- */

static kd_dval subscript_tile(kd_lower *lw, kd_loc loc, kd_value *v, const kd_dval *items, unsigned n)
{
    int64_t shape[KD_MAX_RANK];
    unsigned rank = 0, from = 0;
    for (unsigned i = 0; i < n + v->type->rank && (i < n || from < v->type->rank); i++) {
        bool is_none = i < n && items[i].kind == KD_D_NONE;
        bool is_full = i >= n || (items[i].kind == KD_D_STRING && kd_str_is(items[i].text, ":"));
        if (i < n && items[i].kind == KD_D_SLICE) {
            is_full = true;
            for (unsigned k = 0; k < 3; k++)
                is_full = is_full && items[i].tuple.items[k].kind == KD_D_NONE;
        }
        if (!is_none && !is_full) {
            if (items[i].kind != KD_D_ERROR)
                kd_error(lw->diags, loc, "a tensor is indexed with ':' and None only, not with %s", kd_d_describe(lw, items[i]));
            return KD_D_ERR;
        }
        if (is_full && v->type->rank == 0) /* older versions of Triton let a scalar pass for an axis of extent 1 */
            continue;
        if (rank == KD_MAX_RANK || (!is_none && from == v->type->rank)) {
            kd_error(lw->diags, loc, "%u indices are too many for %s", n, kd_d_type_text(lw, v->type));
            return KD_D_ERR;
        }
        shape[rank++] = is_none ? 1 : v->type->shape[from++];
    }
    return kd_d_tensor(kd_value_reshape(lw, loc, v, rank, shape));
}

/* Python's rules for one bound of a slice. */
static bool slice_bound(kd_lower *lw, kd_loc loc, kd_dval v, int64_t n, int64_t initial, int64_t *out)
{
    if (v.kind == KD_D_NONE) {
        *out = initial;
        return true;
    }
    if (!kd_d_is_int(v)) {
        if (v.kind != KD_D_ERROR)
            kd_error(lw->diags, loc, "the bounds of a slice must be compile-time integers, not %s", kd_d_describe(lw, v));
        return false;
    }
    __int128 at = v.integer < 0 ? v.integer + n : v.integer;
    *out = at < 0 ? -1 : at > n ? n : (int64_t)at;
    return true;
}

static kd_dval slice_of(kd_lower *lw, kd_loc loc, kd_dval v, kd_dval slice)
{
    int64_t n = v.kind == KD_D_STRING ? (int64_t)v.text.len : v.tuple.n, start, stop, step = 1;
    const kd_dval *bounds = slice.tuple.items;
    if (bounds[2].kind != KD_D_NONE) {
        if (!kd_d_is_int(bounds[2]) || bounds[2].integer == 0 || bounds[2].integer > n + 1 || bounds[2].integer < -n - 1) {
            kd_error(lw->diags, loc, "the step of a slice must be a small compile-time integer, but not 0");
            return KD_D_ERR;
        }
        step = (int64_t)bounds[2].integer;
    }
    if (!slice_bound(lw, loc, bounds[0], n, step > 0 ? 0 : n - 1, &start) || !slice_bound(lw, loc, bounds[1], n, step > 0 ? n : -1, &stop))
        return KD_D_ERR;
    start = step > 0 ? (start < 0 ? 0 : start) : (start >= n ? n - 1 : start);
    kd_dval *items = kd_arena_array(lw->arena, kd_dval, (size_t)n);
    char *text = kd_arena_alloc(lw->arena, (size_t)n + 1);
    unsigned count = 0;
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step, count++)
        if (v.kind == KD_D_STRING)
            text[count] = v.text.ptr[i];
        else
            items[count] = v.tuple.items[i];
    return v.kind == KD_D_STRING ? kd_d_string((kd_str){text, count}) : kd_d_tuple(lw, items, count);
}

kd_dval kd_subscript(kd_lower *lw, kd_loc loc, kd_dval v, const kd_dval *items, unsigned n)
{
    if (v.kind == KD_D_TENSOR && (kd_type_is_tile(v.value->type) || n))
        return subscript_tile(lw, loc, v.value, items, n);
    if ((v.kind == KD_D_TUPLE || v.kind == KD_D_STRING) && n == 1) {
        int64_t length = v.kind == KD_D_TUPLE ? v.tuple.n : (int64_t)v.text.len;
        if (items[0].kind == KD_D_SLICE)
            return slice_of(lw, loc, v, items[0]);
        if (items[0].kind == KD_D_STRING && kd_str_is(items[0].text, ":"))
            return v;
        if (kd_d_is_int(items[0])) {
            __int128 at = items[0].integer < 0 ? items[0].integer + length : items[0].integer;
            if (at >= 0 && at < length)
                return v.kind == KD_D_TUPLE ? v.tuple.items[at] : kd_d_string((kd_str){v.text.ptr + at, 1});
            kd_error(lw->diags, loc, "index %s is outside %s", kd_d_str(lw, items[0]), kd_d_describe(lw, v));
            return KD_D_ERR;
        }
        if (items[0].kind != KD_D_ERROR)
            kd_error(lw->diags, loc, "%s is indexed with compile-time integers, not with %s", kd_d_describe(lw, v), kd_d_describe(lw, items[0]));
        return KD_D_ERR;
    }
    if (v.kind != KD_D_ERROR)
        kd_error(lw->diags, loc, "%s cannot be indexed", kd_d_describe(lw, v));
    return KD_D_ERR;
}
