/* builtin_reduce.c - builtins that fold an axis: reductions and scans with any function, and those that Triton names.
 *
 * The named ones are built with a region of one op (kd.add, kd.max ...), which is what targets recognize. */
#include "dsl/builtin_impl.h"

/* Builds the region's ops from its arguments (left..., right...) and gives one value each; false: reported. */
typedef bool combine_fn(kd_lower *lw, kd_loc loc, void *user, kd_value *const *args, unsigned n, kd_value **out);

enum { MAX_FOLDED = 16 };

/* Fills an op's region with arguments of the tiles' elements, twice, the function, and a yield. */
static bool fill_region(kd_lower *lw, kd_loc loc, kd_op *op, kd_value *const *tiles, unsigned n, combine_fn *combine, void *user)
{
    kd_block *region = kd_op_region(op, 0);
    for (unsigned i = 0; i < 2 * n; i++)
        kd_block_add_arg(lw->module, region, kd_type_elem(tiles[i % n]->type), NULL);
    kd_builder outside = lw->b;
    lw->b = kd_builder_at_end(lw->module, region);
    kd_value *results[MAX_FOLDED];
    bool ok = combine(lw, loc, user, region->args, n, results);
    for (unsigned i = 0; ok && i < n; i++)
        if (results[i]->type != kd_type_elem(tiles[i]->type)) {
            kd_error(lw->diags, loc, "the combine function gives %s, but its arguments are %s", kd_d_type_text(lw, results[i]->type),
                     kd_d_type_text(lw, kd_type_elem(tiles[i]->type)));
            ok = false;
        }
    if (ok)
        kd_build_yield(&lw->b, (kd_yield_args){.loc = loc, .values = results, .n_values = n});
    lw->b = outside;
    return ok;
}

/* What a fold is of, read from a call's arguments. */
typedef struct folded {
    kd_value *tiles[MAX_FOLDED];
    unsigned n;
    unsigned axis;
    bool is_flat, keep_dims; /* flat: over all elements; the tiles were made rank 1 */
    unsigned rank;           /* before that */
} folded;

static bool read_axis(kd_lower *lw, kd_bcall *c, unsigned i, folded *f)
{
    f->rank = f->tiles[0]->type->rank;
    f->is_flat = !kd_arg_given(c, i);
    if (!f->is_flat) {
        if (f->rank == 0) {
            kd_error(lw->diags, c->loc, "'%s' along an axis needs a tile, but its operand is %s", c->name, kd_d_type_text(lw, f->tiles[0]->type));
            return false;
        }
        return kd_arg_axis(lw, c, i, f->rank, &f->axis);
    }
    f->axis = 0;
    for (unsigned k = 0; k < f->n; k++)
        f->tiles[k] = kd_value_reshape(lw, c->loc, f->tiles[k], 1, &f->tiles[k]->type->n_elems);
    return true;
}

static bool build_reduce(kd_lower *lw, kd_loc loc, folded *f, combine_fn *combine, void *user, kd_value **out)
{
    int64_t shape[KD_MAX_RANK];
    const kd_type *types[MAX_FOLDED], *first = f->tiles[0]->type;
    unsigned rank = 0;
    for (unsigned i = 0; i < first->rank; i++)
        if (i != f->axis)
            shape[rank++] = first->shape[i];
    for (unsigned i = 0; i < f->n; i++)
        types[i] = kd_type_with_shape(lw->ctx, f->tiles[i]->type, rank, shape);
    kd_op *op = kd_build_reduce(&lw->b, (kd_reduce_args){.loc = loc, .tiles = f->tiles, .n_tiles = f->n, .types = types, .n_types = f->n, .axis = f->axis});
    if (!fill_region(lw, loc, op, f->tiles, f->n, combine, user)) {
        kd_op_erase(op);
        return false;
    }
    for (unsigned i = 0; i < f->n; i++) {
        out[i] = kd_op_result(op, i);
        if (!f->keep_dims)
            continue;
        for (unsigned k = 0; k < f->rank; k++)
            shape[k] = f->is_flat || k == f->axis ? 1 : first->shape[k];
        out[i] = kd_value_reshape(lw, loc, out[i], f->rank, shape);
    }
    return true;
}

/* ---- with the author's function ---- */

typedef struct author {
    kd_dval fn;
    kd_loc loc;
} author;

static bool combine_author(kd_lower *lw, kd_loc loc, void *user, kd_value *const *args, unsigned n, kd_value **out)
{
    author *a = user;
    return kd_call_inline(lw, a->loc, a->fn, args, 2 * n, out, n);
}

/* One tensor or a tuple of them. */
static bool read_tiles(kd_lower *lw, kd_bcall *c, folded *f)
{
    const kd_dval *items = c->arg[0].kind == KD_D_TUPLE ? c->arg[0].tuple.items : &c->arg[0];
    f->n = c->arg[0].kind == KD_D_TUPLE ? c->arg[0].tuple.n : 1;
    if (f->n == 0 || f->n > MAX_FOLDED) {
        kd_error(lw->diags, c->at[0], "'%s' takes 1 to %d tiles, not %u", c->name, MAX_FOLDED, f->n);
        return false;
    }
    for (unsigned i = 0; i < f->n; i++) {
        if (items[i].kind != KD_D_TENSOR) {
            if (items[i].kind != KD_D_ERROR)
                kd_error(lw->diags, c->at[0], "'%s' takes tiles, not %s", c->name, kd_d_describe(lw, items[i]));
            return false;
        }
        f->tiles[i] = items[i].value;
        if (!kd_type_same_shape(f->tiles[i]->type, f->tiles[0]->type)) {
            kd_error(lw->diags, c->at[0], "'%s' needs tiles of one shape, but they are %s and %s", c->name, kd_d_type_text(lw, f->tiles[0]->type),
                     kd_d_type_text(lw, f->tiles[i]->type));
            return false;
        }
    }
    return true;
}

static kd_dval results_of(kd_lower *lw, kd_bcall *c, kd_value **values, unsigned n)
{
    kd_dval items[MAX_FOLDED];
    for (unsigned i = 0; i < n; i++)
        items[i] = kd_d_tensor(values[i]);
    return c->arg[0].kind == KD_D_TUPLE ? kd_d_tuple(lw, items, n) : items[0];
}

static bool wants_function(kd_lower *lw, kd_bcall *c, unsigned i)
{
    if (c->arg[i].kind == KD_D_FUNCTION || c->arg[i].kind == KD_D_BUILTIN)
        return true;
    kd_arg_bad(lw, c, i, "a function");
    return false;
}

kd_dval kd_b_reduce(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    kd_value *out[MAX_FOLDED];
    author a = {c->arg[2], c->at[2]};
    if (!read_tiles(lw, c, &f) || !wants_function(lw, c, 2) || !kd_arg_bool(lw, c, 3, &f.keep_dims) || !read_axis(lw, c, 1, &f) ||
        !build_reduce(lw, c->loc, &f, combine_author, &a, out))
        return KD_D_ERR;
    return results_of(lw, c, out, f.n);
}

static bool build_scan(kd_lower *lw, kd_loc loc, folded *f, bool reverse, combine_fn *combine, void *user, kd_value **out)
{
    const kd_type *types[MAX_FOLDED];
    for (unsigned i = 0; i < f->n; i++)
        types[i] = f->tiles[i]->type;
    kd_op *op = kd_build_scan(&lw->b, (kd_scan_args){.loc = loc, .tiles = f->tiles, .n_tiles = f->n, .types = types, .n_types = f->n, .axis = f->axis,
                                                     .reverse = reverse});
    if (!fill_region(lw, loc, op, f->tiles, f->n, combine, user)) {
        kd_op_erase(op);
        return false;
    }
    for (unsigned i = 0; i < f->n; i++)
        out[i] = kd_op_result(op, i);
    return true;
}

static bool scan_axis(kd_lower *lw, kd_bcall *c, folded *f)
{
    if (f->tiles[0]->type->rank)
        return kd_arg_axis(lw, c, 1, f->tiles[0]->type->rank, &f->axis);
    kd_error(lw->diags, c->loc, "'%s' needs a tile, but its operand is %s", c->name, kd_d_type_text(lw, f->tiles[0]->type));
    return false;
}

kd_dval kd_b_scan(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    bool reverse;
    kd_value *out[MAX_FOLDED];
    author a = {c->arg[2], c->at[2]};
    if (!read_tiles(lw, c, &f) || !wants_function(lw, c, 2) || !kd_arg_bool(lw, c, 3, &reverse) || !scan_axis(lw, c, &f) ||
        !build_scan(lw, c->loc, &f, reverse, combine_author, &a, out))
        return KD_D_ERR;
    return results_of(lw, c, out, f.n);
}

/* ---- the named ones ---- */

static bool combine_op(kd_lower *lw, kd_loc loc, void *user, kd_value *const *args, unsigned n, kd_value **out)
{
    kd_attr none[KD_MAX_ATTR_INFOS] = {0};
    *out = kd_result(kd_build_op(&lw->b, *(const kd_opcode *)user, loc, args, 2, &args[0]->type, 1, none));
    return true;
}

static bool read_one(kd_lower *lw, kd_bcall *c, folded *f)
{
    f->n = 1;
    if (!kd_arg_tensor(lw, c, 0, &f->tiles[0]))
        return false;
    if (kd_type_is_ptr_like(f->tiles[0]->type)) {
        kd_arg_bad(lw, c, 0, "a tile of numbers");
        return false;
    }
    return true;
}

/* The type of a sum or product: dtype=, else integers in at least 32 bits. */
static bool sum_type(kd_lower *lw, kd_bcall *c, unsigned dtype_at, kd_value **v)
{
    const kd_type *elem = kd_type_elem((*v)->type), *given;
    kd_scalar s = elem->scalar;
    if (kd_arg_given(c, dtype_at)) {
        if (!kd_arg_type(lw, c, dtype_at, &given))
            return false;
        if (kd_type_elem(given)->kind != KD_TYPE_SCALAR) {
            kd_arg_bad(lw, c, dtype_at, "a type of numbers");
            return false;
        }
        s = kd_type_elem(given)->scalar;
    } else if (kd_scalar_is_int(s) && kd_scalar_bits(s) < 32) {
        s = kd_scalar_is_unsigned(s) ? KD_U32 : KD_I32;
    }
    kd_dval cast = kd_tensor_cast(lw, c->loc, kd_d_tensor(*v), s, KD_ROUND_NEAREST_EVEN);
    *v = cast.value;
    return !kd_d_is_error(cast);
}

/* 16 and 8 bit floats are summed in fp32 and rounded once: closer than sums in their own type, and the same on all targets. */
static kd_scalar widen_float(kd_lower *lw, kd_loc loc, kd_value **v)
{
    kd_scalar s = kd_type_elem((*v)->type)->scalar;
    if (kd_scalar_is_float(s) && kd_scalar_bits(s) < 32)
        *v = kd_value_cast(lw, loc, *v, KD_F32);
    return s;
}

/* sum(input 0, axis 1, keep_dims 2, dtype 3), xor_sum, reduce_or (without dtype). */
kd_dval kd_b_fold(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    kd_opcode code = (kd_opcode)c->row->data;
    kd_value *out;
    if (!read_one(lw, c, &f) || !kd_arg_bool(lw, c, 2, &f.keep_dims))
        return KD_D_ERR;
    if (code == KD_OP_add ? !sum_type(lw, c, 3, &f.tiles[0]) : !kd_type_is_int_like(f.tiles[0]->type)) {
        if (code != KD_OP_add)
            kd_arg_bad(lw, c, 0, "a tile of integers");
        return KD_D_ERR;
    }
    kd_scalar s = widen_float(lw, c->loc, &f.tiles[0]);
    if (kd_type_is_bool_like(f.tiles[0]->type) && code == KD_OP_add) /* sum(dtype=tl.int1) adds in one bit: parity */
        code = KD_OP_xor;
    if (!read_axis(lw, c, 1, &f) || !build_reduce(lw, c->loc, &f, combine_op, &code, &out))
        return KD_D_ERR;
    return kd_d_tensor(kd_value_cast(lw, c->loc, out, s));
}

/* cumsum and cumprod(input 0, axis 1, reverse 2, dtype 3). */
kd_dval kd_b_cumsum(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    kd_opcode code = (kd_opcode)c->row->data;
    bool reverse;
    kd_value *out;
    if (!read_one(lw, c, &f) || !kd_arg_bool(lw, c, 2, &reverse) || !sum_type(lw, c, 3, &f.tiles[0]) || !scan_axis(lw, c, &f))
        return KD_D_ERR;
    kd_scalar s = widen_float(lw, c->loc, &f.tiles[0]);
    if (!build_scan(lw, c->loc, &f, reverse, combine_op, &code, &out))
        return KD_D_ERR;
    return kd_d_tensor(kd_value_cast(lw, c->loc, out, s));
}

/* ---- largest and smallest ---- */

typedef struct extremum {
    bool is_max, tie_left;
} extremum;

/* (value, index) pairs: the better value, and of equal ones the lower index. NaN compares false, so the right side wins over it. */
static bool combine_indexed(kd_lower *lw, kd_loc loc, void *user, kd_value *const *args, unsigned n, kd_value **out)
{
    const extremum *e = user;
    kd_value *better = KD_BUILD(cmp, .loc = loc, .a = args[0], .b = args[2], .pred = e->is_max ? KD_PRED_GT : KD_PRED_LT);
    if (e->tie_left) {
        kd_value *equal = KD_BUILD(cmp, .loc = loc, .a = args[0], .b = args[2], .pred = KD_PRED_EQ);
        kd_value *lower = KD_BUILD(cmp, .loc = loc, .a = args[1], .b = args[3], .pred = KD_PRED_LT);
        better = KD_BUILD(or, .loc = loc, .a = better, .b = KD_BUILD(and, .loc = loc, .a = equal, .b = lower));
    }
    out[0] = KD_BUILD(select, .loc = loc, .condition = better, .a = args[0], .b = args[2]);
    out[1] = KD_BUILD(select, .loc = loc, .condition = better, .a = args[1], .b = args[3]);
    return true;
}

static bool with_indices(kd_lower *lw, kd_bcall *c, folded *f, extremum e, kd_value **out)
{
    if (!read_axis(lw, c, 1, f))
        return false;
    const kd_type *type = f->tiles[0]->type;
    f->tiles[1] = kd_value_iota(lw, c->loc, type->rank, type->shape, f->axis);
    f->n = 2;
    return build_reduce(lw, c->loc, f, combine_indexed, &e, out);
}

/* max and min(input 0, axis 1, return_indices 2, return_indices_tie_break_left 3, keep_dims 4). */
kd_dval kd_b_extremum(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    extremum e = {.is_max = c->row->data};
    bool indices;
    kd_value *out[2];
    if (!read_one(lw, c, &f) || !kd_arg_bool(lw, c, 2, &indices) || !kd_arg_bool(lw, c, 3, &e.tie_left) || !kd_arg_bool(lw, c, 4, &f.keep_dims))
        return KD_D_ERR;
    if (indices) {
        if (!with_indices(lw, c, &f, e, out))
            return KD_D_ERR;
        return kd_d_tuple(lw, (kd_dval[]){kd_d_tensor(out[0]), kd_d_tensor(out[1])}, 2);
    }
    if (kd_type_elem_bits(f.tiles[0]->type) < 32)
        f.tiles[0] = kd_value_cast(lw, c->loc, f.tiles[0], kd_type_is_float_like(f.tiles[0]->type) ? KD_F32 : KD_I32);
    kd_opcode code = e.is_max ? KD_OP_max : KD_OP_min;
    if (!read_axis(lw, c, 1, &f) || !build_reduce(lw, c->loc, &f, combine_op, &code, out))
        return KD_D_ERR;
    return kd_d_tensor(out[0]);
}

/* argmax and argmin(input 0, axis 1, tie_break_left 2, keep_dims 3). */
kd_dval kd_b_argextremum(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    extremum e = {.is_max = c->row->data};
    kd_value *out[2];
    if (!read_one(lw, c, &f) || !kd_arg_bool(lw, c, 2, &e.tie_left) || !kd_arg_bool(lw, c, 3, &f.keep_dims) || !with_indices(lw, c, &f, e, out))
        return KD_D_ERR;
    return kd_d_tensor(out[1]);
}

/* ---- sort, topk, histogram ---- */

static bool last_axis(kd_lower *lw, kd_bcall *c, unsigned i, kd_value *v)
{
    unsigned axis;
    if (!v->type->rank) {
        kd_arg_bad(lw, c, 0, "a tile");
        return false;
    }
    if (kd_arg_given(c, i)) {
        if (!kd_arg_axis(lw, c, i, v->type->rank, &axis))
            return false;
        if (axis != v->type->rank - 1) {
            kd_error(lw->diags, c->at[i], "'%s' works along the last axis only", c->name);
            return false;
        }
    }
    return true;
}

static kd_value *sorted(kd_lower *lw, kd_loc loc, kd_value *v, int64_t k, bool descending)
{
    int64_t shape[KD_MAX_RANK];
    unsigned rank = v->type->rank;
    memcpy(shape, v->type->shape, rank * sizeof *shape);
    shape[rank - 1] = k;
    return KD_BUILD(sort, .loc = loc, .tile = v, .descending = descending, .type = kd_type_with_shape(lw->ctx, v->type, rank, shape));
}

kd_dval kd_b_sort(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    bool descending;
    if (!read_one(lw, c, &f) || !last_axis(lw, c, 1, f.tiles[0]) || !kd_arg_bool(lw, c, 2, &descending))
        return KD_D_ERR;
    return kd_d_tensor(sorted(lw, c->loc, f.tiles[0], f.tiles[0]->type->shape[f.tiles[0]->type->rank - 1], descending));
}

/* Fewer than all go through max or min, which widen narrow types. */
kd_dval kd_b_topk(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    int64_t k;
    bool descending;
    if (!read_one(lw, c, &f) || !kd_arg_int(lw, c, 1, &k) || !last_axis(lw, c, 2, f.tiles[0]) || !kd_arg_bool(lw, c, 3, &descending))
        return KD_D_ERR;
    kd_value *v = f.tiles[0];
    int64_t n = v->type->shape[v->type->rank - 1];
    if (k < 1 || k > n || (k & (k - 1))) {
        kd_error(lw->diags, c->at[1], "'k' of '%s' must be a power of 2 up to %lld, not %lld", c->name, (long long)n, (long long)k);
        return KD_D_ERR;
    }
    if (k < n && kd_type_elem_bits(v->type) < 32)
        v = kd_value_cast(lw, c->loc, v, kd_type_is_float_like(v->type) ? KD_F32 : KD_I32);
    return kd_d_tensor(sorted(lw, c->loc, v, k, descending));
}

kd_dval kd_b_histogram(kd_lower *lw, kd_bcall *c)
{
    folded f = {0};
    int64_t n;
    kd_value *mask = NULL;
    if (!read_one(lw, c, &f) || !kd_arg_int(lw, c, 1, &n) || !kd_shape_check(lw, c->at[1], c->name, 1, &n))
        return KD_D_ERR;
    kd_value *v = f.tiles[0];
    if (v->type->rank != 1 || !kd_type_is_int_like(v->type) || kd_type_elem_bits(v->type) != 32) {
        kd_arg_bad(lw, c, 0, "a rank 1 tile of 32-bit integers");
        return KD_D_ERR;
    }
    if (kd_arg_given(c, 2)) {
        if (!kd_arg_tensor(lw, c, 2, &mask))
            return KD_D_ERR;
        if (!kd_type_is_bool_like(mask->type)) {
            kd_arg_bad(lw, c, 2, "int1");
            return KD_D_ERR;
        }
        mask = kd_broadcast_to(lw, c->at[2], kd_d_tensor(mask), 1, v->type->shape).value;
        if (!mask)
            return KD_D_ERR;
    }
    const kd_type *type = kd_type_tile(lw->ctx, kd_type_scalar(lw->ctx, KD_I32), 1, &n);
    return kd_d_tensor(KD_BUILD(histogram, .loc = c->loc, .tile = v, .mask = mask, .type = type));
}
