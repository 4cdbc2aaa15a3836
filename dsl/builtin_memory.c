/* builtin_memory.c - loads, stores, block pointers. */
#include "dsl/builtin_impl.h"

/* ---- options ---- */

bool kd_arg_cache(kd_lower *lw, const kd_bcall *c, unsigned i, kd_cache *out)
{
    static const char *const TEXTS[] = {[KD_CACHE_CA] = ".ca", [KD_CACHE_CG] = ".cg", [KD_CACHE_CV] = ".cv",
                                        [KD_CACHE_WB] = ".wb", [KD_CACHE_CS] = ".cs", [KD_CACHE_WT] = ".wt"};
    kd_str text;
    *out = KD_CACHE_DEFAULT;
    if (!kd_arg_text(lw, c, i, &text))
        return false;
    if (!text.len)
        return true;
    for (unsigned k = 1; k < sizeof TEXTS / sizeof TEXTS[0]; k++)
        if (kd_str_is(text, TEXTS[k])) {
            *out = (kd_cache)k;
            return true;
        }
    kd_error(lw->diags, c->at[i], "'cache_modifier' is one of '.ca', '.cg', '.cs', '.cv', '.wb' and '.wt', not '%.*s'", KD_STR_ARG(text));
    return false;
}

bool kd_arg_evict(kd_lower *lw, const kd_bcall *c, unsigned i, kd_evict *out)
{
    kd_str text;
    *out = KD_EVICT_NORMAL;
    if (!kd_arg_text(lw, c, i, &text))
        return false;
    if (kd_str_is(text, "evict_first"))
        *out = KD_EVICT_FIRST;
    else if (kd_str_is(text, "evict_last"))
        *out = KD_EVICT_LAST;
    else if (text.len && !kd_str_is(text, "evict_normal")) {
        kd_error(lw->diags, c->at[i], "'eviction_policy' is 'evict_first', 'evict_last' or '', not '%.*s'", KD_STR_ARG(text));
        return false;
    }
    return true;
}

static bool padding_of(kd_lower *lw, const kd_bcall *c, unsigned i, kd_padding *out)
{
    kd_str text;
    *out = KD_PADDING_ZERO;
    if (!kd_arg_text(lw, c, i, &text))
        return false;
    if (kd_str_is(text, "nan"))
        *out = KD_PADDING_NAN;
    else if (text.len && !kd_str_is(text, "zero")) {
        kd_error(lw->diags, c->at[i], "'padding_option' is 'zero', 'nan' or '', not '%.*s'", KD_STR_ARG(text));
        return false;
    }
    return true;
}

/* ---- load and store through pointers ---- */

static bool wants_pointer(kd_lower *lw, const kd_bcall *c, kd_dval v)
{
    if (v.kind == KD_D_TENSOR && kd_type_is_ptr_like(v.value->type))
        return true;
    kd_arg_bad(lw, c, 0, "a pointer");
    return false;
}

/* An operand in the pointer's shape. A wider one is an error: pointers are not broadcast to it. */
static bool match_pointer(kd_lower *lw, const kd_bcall *c, unsigned i, kd_value *ptr, kd_dval *v)
{
    kd_dval p = kd_d_tensor(ptr);
    kd_str name = kd_param_name(c, i);
    *v = kd_to_tensor(lw, c->at[i], *v);
    if (kd_d_is_error(*v) || !kd_broadcast_pair(lw, c->at[i], c->name, &p, v))
        return false;
    if (p.value->type->rank == ptr->type->rank && kd_type_same_shape(p.value->type, ptr->type))
        return true;
    kd_error(lw->diags, c->at[i], "'%.*s' of '%s' has a larger shape than the pointer, which is %s", KD_STR_ARG(name), c->name,
             kd_d_type_text(lw, ptr->type));
    return false;
}

static bool match_mask(kd_lower *lw, const kd_bcall *c, unsigned i, kd_value *ptr, kd_value **out)
{
    *out = NULL;
    if (!kd_arg_given(c, i))
        return true;
    kd_dval mask = kd_to_tensor(lw, c->at[i], c->arg[i]);
    if (kd_d_is_error(mask))
        return false;
    if (!kd_type_is_bool_like(mask.value->type)) {
        kd_error(lw->diags, c->at[i], "the mask of '%s' must be int1, not %s", c->name, kd_d_type_text(lw, mask.value->type));
        return false;
    }
    if (!match_pointer(lw, c, i, ptr, &mask))
        return false;
    *out = mask.value;
    return true;
}

static kd_dval load_block(kd_lower *lw, kd_bcall *c);
static kd_dval store_block(kd_lower *lw, kd_bcall *c);

/* load(pointer 0, mask 1, other 2, boundary_check 3, padding_option 4, cache_modifier 5, eviction_policy 6, volatile 7) */
kd_dval kd_b_load(kd_lower *lw, kd_bcall *c)
{
    if (c->arg[0].kind == KD_D_BLOCK_PTR)
        return load_block(lw, c);
    kd_cache cache;
    kd_evict evict;
    bool is_volatile;
    if (!wants_pointer(lw, c, c->arg[0]) || !kd_arg_cache(lw, c, 5, &cache) || !kd_arg_evict(lw, c, 6, &evict) ||
        !kd_arg_bool(lw, c, 7, &is_volatile))
        return KD_D_ERR;
    if (kd_arg_given(c, 3) && !(c->arg[3].kind == KD_D_TUPLE && c->arg[3].tuple.n == 0)) {
        kd_error(lw->diags, c->at[3], "'boundary_check' is for block pointers, but the pointer is %s", kd_d_describe(lw, c->arg[0]));
        return KD_D_ERR;
    }
    kd_dval ptr = c->arg[0], other = c->arg[2];
    kd_value *mask;
    if (kd_arg_given(c, 2) && !kd_arg_given(c, 1)) {
        kd_error(lw->diags, c->at[2], "'other' of '%s' needs a mask", c->name);
        return KD_D_ERR;
    }
    if (kd_arg_given(c, 1) && kd_type_is_tile(ptr.value->type)) { /* a load stretches its pointer to the mask, a store does not */
        kd_dval wide = kd_to_tensor(lw, c->at[1], c->arg[1]);
        if (kd_d_is_error(wide) || !kd_broadcast_pair(lw, c->at[1], c->name, &ptr, &wide))
            return KD_D_ERR;
    }
    if (!match_mask(lw, c, 1, ptr.value, &mask))
        return KD_D_ERR;
    const kd_type *elem = kd_type_elem(ptr.value->type)->elem;
    kd_value *other_value = NULL;
    if (kd_arg_given(c, 2)) {
        if (other.kind != KD_D_TENSOR && !kd_d_is_number(other)) {
            kd_arg_bad(lw, c, 2, "a number or tensor");
            return KD_D_ERR;
        }
        other = kd_cast_to_type(lw, c->at[2], other, elem, KD_ROUND_NEAREST_EVEN);
        if (kd_d_is_error(other) || !match_pointer(lw, c, 2, ptr.value, &other))
            return KD_D_ERR;
        other_value = other.value;
    }
    return kd_d_tensor(KD_BUILD(load, .loc = c->loc, .ptr = ptr.value, .mask = mask, .other = other_value, .cache = cache, .evict = evict,
                                .is_volatile = is_volatile, .type = kd_type_with_elem(lw->ctx, ptr.value->type, elem)));
}

/* store(pointer 0, value 1, mask 2, boundary_check 3, cache_modifier 4, eviction_policy 5) */
kd_dval kd_b_store(kd_lower *lw, kd_bcall *c)
{
    if (c->arg[0].kind == KD_D_BLOCK_PTR)
        return store_block(lw, c);
    kd_cache cache;
    kd_evict evict;
    kd_value *mask;
    if (!wants_pointer(lw, c, c->arg[0]) || !kd_arg_cache(lw, c, 4, &cache) || !kd_arg_evict(lw, c, 5, &evict))
        return KD_D_ERR;
    kd_value *ptr = c->arg[0].value;
    kd_dval value = c->arg[1];
    if (value.kind != KD_D_TENSOR && !kd_d_is_number(value)) {
        kd_arg_bad(lw, c, 1, "a number or tensor");
        return KD_D_ERR;
    }
    value = kd_cast_to_type(lw, c->at[1], value, kd_type_elem(ptr->type)->elem, KD_ROUND_NEAREST_EVEN);
    if (kd_d_is_error(value) || !match_pointer(lw, c, 1, ptr, &value) || !match_mask(lw, c, 2, ptr, &mask))
        return KD_D_ERR;
    kd_build_store(&lw->b, (kd_store_args){.loc = c->loc, .ptr = ptr, .value = value.value, .mask = mask, .cache = cache, .evict = evict});
    return kd_d_none();
}

/* ---- block pointers ---- */

/* A list of run-time integers as i64 scalars. */
static bool scalars_of(kd_lower *lw, const kd_bcall *c, unsigned i, kd_scalar s, unsigned rank, kd_value **out)
{
    kd_str name = kd_param_name(c, i);
    const kd_dval *items = c->arg[i].kind == KD_D_TUPLE ? c->arg[i].tuple.items : &c->arg[i];
    unsigned n = c->arg[i].kind == KD_D_TUPLE ? c->arg[i].tuple.n : 1;
    if (n != rank) {
        kd_error(lw->diags, c->at[i], "'%.*s' of '%s' needs %u value%s, but has %u", KD_STR_ARG(name), c->name, rank, rank == 1 ? "" : "s", n);
        return false;
    }
    for (unsigned k = 0; k < n; k++) {
        kd_dval v = kd_to_tensor(lw, c->at[i], items[k]);
        if (kd_d_is_error(v))
            return false;
        if (v.value->type->n_elems == 1 && kd_type_is_tile(v.value->type))
            v.value = kd_value_reshape(lw, c->at[i], v.value, 0, NULL);
        if (kd_type_is_tile(v.value->type) || !kd_type_is_int_like(v.value->type)) {
            kd_error(lw->diags, c->at[i], "'%.*s' of '%s' needs integers, but number %u is %s", KD_STR_ARG(name), c->name, k, kd_d_describe(lw, v));
            return false;
        }
        out[k] = kd_value_cast(lw, c->at[i], v.value, s);
    }
    return true;
}

static kd_dblock *block_of(kd_lower *lw, const kd_bcall *c, unsigned shape_at)
{
    kd_dblock *block = kd_arena_new(lw->arena, kd_dblock);
    kd_dval base = c->arg[0];
    if (base.kind != KD_D_TENSOR || base.value->type->kind != KD_TYPE_PTR) {
        kd_arg_bad(lw, c, 0, "a scalar pointer");
        return NULL;
    }
    int64_t *extents = kd_arena_array(lw->arena, int64_t, KD_MAX_RANK);
    if (!kd_arg_ints(lw, c, shape_at, "extents", extents, KD_MAX_RANK, &block->rank) ||
        !kd_shape_check(lw, c->at[shape_at], c->name, block->rank, extents))
        return NULL;
    if (!block->rank) {
        kd_error(lw->diags, c->at[shape_at], "'%s' needs at least one axis", c->name);
        return NULL;
    }
    block->block_shape = extents;
    block->base = base.value;
    block->elem = base.value->type->elem;
    block->shape = kd_arena_array(lw->arena, kd_value *, block->rank);
    block->strides = kd_arena_array(lw->arena, kd_value *, block->rank);
    return block;
}

/* make_block_ptr(base 0, shape 1, strides 2, offsets 3, block_shape 4, order 5) */
kd_dval kd_b_make_block_ptr(kd_lower *lw, kd_bcall *c)
{
    kd_dblock *block = block_of(lw, c, 4);
    if (!block)
        return KD_D_ERR;
    int64_t *order = kd_arena_array(lw->arena, int64_t, KD_MAX_RANK);
    block->offsets = kd_arena_array(lw->arena, kd_value *, block->rank);
    if (!scalars_of(lw, c, 1, KD_I64, block->rank, block->shape) || !scalars_of(lw, c, 2, KD_I64, block->rank, block->strides) ||
        !scalars_of(lw, c, 3, KD_I64, block->rank, block->offsets) || !kd_arg_ints(lw, c, 5, "axes", order, KD_MAX_RANK, &block->order.n))
        return KD_D_ERR;
    unsigned seen = 0;
    for (unsigned i = 0; i < block->order.n; i++)
        seen |= order[i] >= 0 && order[i] < KD_MAX_RANK ? 1u << order[i] : 0;
    if (block->order.n != block->rank || seen != (1u << block->rank) - 1) {
        kd_error(lw->diags, c->at[5], "'order' of '%s' names each axis from 0 to %u once", c->name, block->rank - 1);
        return KD_D_ERR;
    }
    block->order.data = order;
    return (kd_dval){.kind = KD_D_BLOCK_PTR, .loc = c->loc, .block = block};
}

kd_dval kd_b_advance(kd_lower *lw, kd_bcall *c)
{
    if (c->arg[0].kind != KD_D_BLOCK_PTR) {
        kd_arg_bad(lw, c, 0, "a block pointer");
        return KD_D_ERR;
    }
    kd_dblock *moved = kd_arena_new(lw->arena, kd_dblock);
    *moved = *c->arg[0].block;
    kd_value **by = kd_arena_array(lw->arena, kd_value *, moved->rank), **offsets = kd_arena_array(lw->arena, kd_value *, moved->rank);
    if (!scalars_of(lw, c, 1, KD_I64, moved->rank, by))
        return KD_D_ERR;
    for (unsigned i = 0; i < moved->rank; i++)
        offsets[i] = kd_value_is_zero(by[i]) ? moved->offsets[i] : KD_BUILD(add, .loc = c->loc, .a = moved->offsets[i], .b = by[i]);
    moved->offsets = offsets;
    return (kd_dval){.kind = KD_D_BLOCK_PTR, .loc = c->loc, .block = moved};
}

/* boundary_check as one flag an axis. */
static bool checks_of(kd_lower *lw, const kd_bcall *c, unsigned i, const kd_dblock *block, int64_t *flags)
{
    int64_t axes[KD_MAX_RANK];
    unsigned n = 0;
    memset(flags, 0, block->rank * sizeof *flags);
    if (!kd_arg_given(c, i))
        return true;
    if (!kd_arg_ints(lw, c, i, "axes", axes, KD_MAX_RANK, &n))
        return false;
    for (unsigned k = 0; k < n; k++) {
        int64_t axis = axes[k] < 0 ? axes[k] + block->rank : axes[k];
        if (axis < 0 || axis >= block->rank) {
            kd_error(lw->diags, c->at[i], "'boundary_check' of axis %lld, but the block has rank %u", (long long)axes[k], block->rank);
            return false;
        }
        flags[axis] = 1;
    }
    return true;
}

static kd_value **coords_of(kd_lower *lw, const kd_dblock *block, kd_value *const *offsets)
{
    kd_value **coords = kd_arena_array(lw->arena, kd_value *, 3 * block->rank);
    for (unsigned i = 0; i < block->rank; i++) {
        coords[i] = block->shape[i];
        coords[block->rank + i] = block->strides[i];
        coords[2 * block->rank + i] = offsets[i];
    }
    return coords;
}

kd_dval kd_block_read(kd_lower *lw, kd_loc loc, const kd_dblock *block, kd_value *const *offsets, kd_ints check, kd_padding padding,
                      kd_cache cache, kd_evict evict)
{
    const kd_type *type = kd_type_tile(lw->ctx, block->elem, block->rank, block->block_shape);
    return kd_d_tensor(KD_BUILD(block_load, .loc = loc, .base = block->base, .coords = coords_of(lw, block, offsets), .n_coords = 3 * block->rank,
                                .type = type, .check = check, .padding = padding, .cache = cache, .evict = evict));
}

kd_dval kd_block_write(kd_lower *lw, kd_loc loc, const kd_dblock *block, kd_value *const *offsets, kd_ints check, kd_value *value, kd_cache cache,
                       kd_evict evict)
{
    kd_build_block_store(&lw->b, (kd_block_store_args){.loc = loc, .base = block->base, .value = value, .coords = coords_of(lw, block, offsets),
                                                       .n_coords = 3 * block->rank, .check = check, .cache = cache, .evict = evict});
    return kd_d_none();
}

static kd_dval load_block(kd_lower *lw, kd_bcall *c)
{
    const kd_dblock *block = c->arg[0].block;
    int64_t flags[KD_MAX_RANK];
    kd_padding padding;
    kd_cache cache;
    kd_evict evict;
    if (kd_arg_given(c, 1) || kd_arg_given(c, 2)) {
        kd_error(lw->diags, kd_arg_given(c, 1) ? c->at[1] : c->at[2], "'mask' and 'other' are not for block pointers: use boundary_check and padding_option");
        return KD_D_ERR;
    }
    if (!checks_of(lw, c, 3, block, flags) || !padding_of(lw, c, 4, &padding) || !kd_arg_cache(lw, c, 5, &cache) || !kd_arg_evict(lw, c, 6, &evict))
        return KD_D_ERR;
    if (padding == KD_PADDING_NAN && block->elem->kind == KD_TYPE_SCALAR && kd_scalar_is_int(block->elem->scalar)) {
        kd_error(lw->diags, c->at[4], "padding with nan is for floats, but the elements are %s", kd_d_type_text(lw, block->elem));
        return KD_D_ERR;
    }
    return kd_block_read(lw, c->loc, block, block->offsets, (kd_ints){flags, block->rank}, padding, cache, evict);
}

static kd_dval store_block(kd_lower *lw, kd_bcall *c)
{
    const kd_dblock *block = c->arg[0].block;
    int64_t flags[KD_MAX_RANK];
    kd_cache cache;
    kd_evict evict;
    if (kd_arg_given(c, 2)) {
        kd_error(lw->diags, c->at[2], "'mask' is not for block pointers: use boundary_check");
        return KD_D_ERR;
    }
    if (!checks_of(lw, c, 3, block, flags) || !kd_arg_cache(lw, c, 4, &cache) || !kd_arg_evict(lw, c, 5, &evict))
        return KD_D_ERR;
    kd_dval value = kd_cast_to_type(lw, c->at[1], c->arg[1], block->elem, KD_ROUND_NEAREST_EVEN);
    if (!kd_d_is_error(value))
        value = kd_broadcast_to(lw, c->at[1], value, block->rank, block->block_shape);
    if (kd_d_is_error(value))
        return value;
    return kd_block_write(lw, c->loc, block, block->offsets, (kd_ints){flags, block->rank}, value.value, cache, evict);
}

/* ---- descriptors ---- */

/* make_tensor_descriptor(base 0, shape 1, strides 2, block_shape 3, padding_option 4) */
kd_dval kd_b_make_descriptor(kd_lower *lw, kd_bcall *c)
{
    kd_dblock *block = block_of(lw, c, 3);
    int64_t last;
    if (!block || !padding_of(lw, c, 4, &block->padding) || !scalars_of(lw, c, 1, KD_I64, block->rank, block->shape) ||
        !scalars_of(lw, c, 2, KD_I64, block->rank, block->strides))
        return KD_D_ERR;
    if (!kd_value_constant_int(block->strides[block->rank - 1], &last) || last != 1) {
        kd_error(lw->diags, c->at[2], "the last stride of '%s' must be 1 at compile time", c->name);
        return KD_D_ERR;
    }
    return (kd_dval){.kind = KD_D_DESC, .loc = c->loc, .block = block};
}

static bool wants_desc(kd_lower *lw, const kd_bcall *c, kd_value **out_offsets)
{
    if (c->arg[0].kind != KD_D_DESC) {
        kd_arg_bad(lw, c, 0, "a tensor descriptor");
        return false;
    }
    return scalars_of(lw, c, 1, KD_I32, c->arg[0].block->rank, out_offsets);
}

static kd_ints all_checked(kd_lower *lw, unsigned rank)
{
    int64_t *flags = kd_arena_array(lw->arena, int64_t, rank);
    for (unsigned i = 0; i < rank; i++)
        flags[i] = 1;
    return (kd_ints){flags, rank};
}

kd_dval kd_b_desc_load(kd_lower *lw, kd_bcall *c)
{
    kd_value *offsets[KD_MAX_RANK];
    kd_cache cache;
    kd_evict evict;
    if (!wants_desc(lw, c, offsets) || !kd_arg_cache(lw, c, 2, &cache) || !kd_arg_evict(lw, c, 3, &evict))
        return KD_D_ERR;
    const kd_dblock *block = c->arg[0].block;
    return kd_block_read(lw, c->loc, block, offsets, all_checked(lw, block->rank), block->padding, cache, evict);
}

/* A value in the descriptor's element type and block shape. */
static bool desc_value(kd_lower *lw, const kd_bcall *c, unsigned i, const kd_dblock *block, kd_value **out)
{
    kd_value *v;
    if (!kd_arg_tensor(lw, c, i, &v))
        return false;
    const kd_type *type = kd_type_tile(lw->ctx, block->elem, block->rank, block->block_shape);
    if (!kd_type_same_shape(v->type, type)) {
        kd_error(lw->diags, c->at[i], "'%s' takes a block of %s, not %s", c->name, kd_d_type_text(lw, type), kd_d_type_text(lw, v->type));
        return false;
    }
    kd_dval cast = kd_cast_to_type(lw, c->at[i], kd_d_tensor(v), block->elem, KD_ROUND_NEAREST_EVEN);
    *out = cast.value;
    return !kd_d_is_error(cast);
}

kd_dval kd_b_desc_store(kd_lower *lw, kd_bcall *c)
{
    kd_value *offsets[KD_MAX_RANK], *value;
    kd_cache cache;
    kd_evict evict;
    if (!wants_desc(lw, c, offsets) || !desc_value(lw, c, 2, c->arg[0].block, &value) || !kd_arg_cache(lw, c, 3, &cache) ||
        !kd_arg_evict(lw, c, 4, &evict))
        return KD_D_ERR;
    const kd_dblock *block = c->arg[0].block;
    return kd_block_write(lw, c->loc, block, offsets, all_checked(lw, block->rank), value, cache, evict);
}

/* ---- blocks as tiles of pointers ---- */

/* The pointers to the elements whose index along axis i is index[i] (integers that broadcast against each other), and the mask of those inside. */
static void spread(kd_lower *lw, kd_loc loc, const kd_dblock *block, kd_value *const *index, const kd_type *shape_of, kd_value **out_ptr,
                   kd_value **out_mask)
{
    kd_value *ptr = kd_build_splat_to(&lw->b, loc, block->base, shape_of), *mask = NULL;
    for (unsigned i = 0; i < block->rank; i++) {
        kd_dval at = kd_broadcast_to(lw, loc, kd_d_tensor(kd_value_cast(lw, loc, index[i], KD_I64)), shape_of->rank, shape_of->shape);
        kd_dval step = kd_tensor_binary(lw, loc, KD_MUL, at, kd_d_tensor(block->strides[i]));
        kd_dval not_below = kd_tensor_compare(lw, loc, KD_GE, at, kd_d_int(0));
        kd_dval below = kd_tensor_compare(lw, loc, KD_LT, at, kd_d_tensor(block->shape[i]));
        kd_dval inside = kd_tensor_logical(lw, loc, KD_AND, not_below, below);
        ptr = KD_BUILD(addptr, .loc = loc, .ptr = ptr, .offset = step.value);
        mask = mask ? kd_tensor_logical(lw, loc, KD_AND, kd_d_tensor(mask), inside).value : inside.value;
    }
    *out_ptr = ptr;
    *out_mask = mask;
}

/* Rows by number: (x_offsets of [n], y_offset) -> [n, columns]. */
static bool rows_of(kd_lower *lw, kd_bcall *c, unsigned x_at, kd_value **out_ptr, kd_value **out_mask, const kd_type **out_type)
{
    if (c->arg[0].kind != KD_D_DESC || c->arg[0].block->rank != 2 || c->arg[0].block->block_shape[0] != 1) {
        kd_arg_bad(lw, c, 0, "a descriptor with blocks of one row");
        return false;
    }
    const kd_dblock *block = c->arg[0].block;
    kd_value *x, *y;
    if (!kd_arg_tensor(lw, c, x_at, &x) || !scalars_of(lw, c, x_at + 1, KD_I32, 1, &y))
        return false;
    if (x->type->rank != 1 || !kd_type_is_int_like(x->type)) {
        kd_arg_bad(lw, c, x_at, "a rank 1 tile of integers");
        return false;
    }
    int64_t shape[2] = {x->type->shape[0], block->block_shape[1]};
    if (!kd_shape_check(lw, c->loc, c->name, 2, shape))
        return false;
    *out_type = kd_type_tile(lw->ctx, block->elem, 2, shape);
    kd_value *columns = kd_value_iota(lw, c->loc, 2, (int64_t[]){1, shape[1]}, 1);
    kd_dval column = kd_tensor_binary(lw, c->loc, KD_ADD, kd_d_tensor(columns), kd_d_tensor(y));
    kd_value *index[2] = {kd_value_reshape(lw, c->loc, x, 2, (int64_t[]){shape[0], 1}), column.value};
    spread(lw, c->loc, block, index, *out_type, out_ptr, out_mask);
    return true;
}

kd_dval kd_b_desc_gather(kd_lower *lw, kd_bcall *c)
{
    kd_value *ptr, *mask;
    const kd_type *type;
    if (!rows_of(lw, c, 1, &ptr, &mask, &type))
        return KD_D_ERR;
    return kd_d_tensor(KD_BUILD(load, .loc = c->loc, .ptr = ptr, .mask = mask, .type = type));
}

kd_dval kd_b_desc_scatter(kd_lower *lw, kd_bcall *c)
{
    kd_value *ptr, *mask, *value;
    const kd_type *type;
    if (!rows_of(lw, c, 2, &ptr, &mask, &type) || !kd_arg_tensor(lw, c, 1, &value))
        return KD_D_ERR;
    kd_dval cast = kd_cast_to_type(lw, c->at[1], kd_d_tensor(value), kd_type_elem(type), KD_ROUND_NEAREST_EVEN);
    if (!kd_d_is_error(cast))
        cast = kd_broadcast_to(lw, c->at[1], cast, 2, type->shape);
    if (kd_d_is_error(cast))
        return cast;
    kd_build_store(&lw->b, (kd_store_args){.loc = c->loc, .ptr = ptr, .value = cast.value, .mask = mask});
    return kd_d_none();
}

kd_dval kd_b_desc_atomic(kd_lower *lw, kd_bcall *c)
{
    kd_value *offsets[KD_MAX_RANK], *value, *ptr, *mask, *index[KD_MAX_RANK];
    if (!wants_desc(lw, c, offsets) || !desc_value(lw, c, 2, c->arg[0].block, &value))
        return KD_D_ERR;
    const kd_dblock *block = c->arg[0].block;
    for (unsigned i = 0; i < block->rank; i++) {
        kd_value *iota = kd_value_iota(lw, c->loc, block->rank, block->block_shape, i);
        index[i] = kd_tensor_binary(lw, c->loc, KD_ADD, kd_d_tensor(iota), kd_d_tensor(offsets[i])).value;
    }
    spread(lw, c->loc, block, index, value->type, &ptr, &mask);
    kd_value_atomic(lw, c->loc, (kd_atomic_op)c->row->data, ptr, value, mask, KD_ORDER_RELAXED, KD_SCOPE_GPU);
    return kd_d_none();
}
