/* value.c - values made of other values: tuples, objects, block pointers. */
#include "dsl/lower_impl.h"

kd_dval kd_d_tuple(kd_lower *lw, const kd_dval *items, unsigned n)
{
    kd_dval *copy = kd_arena_array(lw->arena, kd_dval, n);
    if (n)
        memcpy(copy, items, n * sizeof *items);
    return (kd_dval){.kind = KD_D_TUPLE, .tuple = {.items = copy, .n = n}};
}

static const kd_dval *self_of(const kd_dval *v)
{
    if (v->kind == KD_D_FUNCTION)
        return v->fn.self;
    return v->kind == KD_D_BUILTIN ? v->bound.self : NULL;
}

void kd_d_leaves(kd_lower *lw, kd_dval v, kd_values *out)
{
    switch (v.kind) {
    case KD_D_TENSOR:
        kd_vec_push(lw->arena, out, v.value);
        break;
    case KD_D_TUPLE:
        for (unsigned i = 0; i < v.tuple.n; i++)
            kd_d_leaves(lw, v.tuple.items[i], out);
        break;
    case KD_D_BLOCK_PTR:
    case KD_D_DESC:
        kd_vec_push(lw->arena, out, v.block->base);
        for (unsigned i = 0; i < v.block->rank; i++)
            kd_vec_push(lw->arena, out, v.block->shape[i]);
        for (unsigned i = 0; i < v.block->rank; i++)
            kd_vec_push(lw->arena, out, v.block->strides[i]);
        for (unsigned i = 0; v.block->offsets && i < v.block->rank; i++)
            kd_vec_push(lw->arena, out, v.block->offsets[i]);
        break;
    case KD_D_FUNCTION:
    case KD_D_BUILTIN:
        if (self_of(&v))
            kd_d_leaves(lw, *self_of(&v), out);
        break;
    default:
        break;
    }
}

static kd_value **map_array(kd_lower *lw, kd_value **old, unsigned n, kd_value *(*fn)(void *, kd_value *), void *user)
{
    if (!old)
        return NULL;
    kd_value **fresh = kd_arena_array(lw->arena, kd_value *, n);
    for (unsigned i = 0; i < n; i++)
        fresh[i] = fn(user, old[i]);
    return fresh;
}

static kd_dblock *map_block(kd_lower *lw, const kd_dblock *old, kd_value *(*fn)(void *, kd_value *), void *user)
{
    kd_dblock *fresh = kd_arena_new(lw->arena, kd_dblock);
    *fresh = *old;
    fresh->base = fn(user, old->base);
    fresh->shape = map_array(lw, old->shape, old->rank, fn, user);
    fresh->strides = map_array(lw, old->strides, old->rank, fn, user);
    fresh->offsets = map_array(lw, old->offsets, old->rank, fn, user);
    return fresh;
}

kd_dval kd_d_map(kd_lower *lw, kd_dval v, kd_value *(*fn)(void *user, kd_value *old), void *user)
{
    switch (v.kind) {
    case KD_D_TENSOR:
        v.value = fn(user, v.value);
        return v;
    case KD_D_TUPLE: {
        kd_dval *items = kd_arena_array(lw->arena, kd_dval, v.tuple.n);
        for (unsigned i = 0; i < v.tuple.n; i++)
            items[i] = kd_d_map(lw, v.tuple.items[i], fn, user);
        v.tuple.items = items;
        return v;
    }
    case KD_D_BLOCK_PTR:
    case KD_D_DESC:
        v.block = map_block(lw, v.block, fn, user);
        return v;
    case KD_D_FUNCTION:
    case KD_D_BUILTIN:
        if (self_of(&v)) {
            kd_dval *self = kd_arena_new(lw->arena, kd_dval);
            *self = kd_d_map(lw, *self_of(&v), fn, user);
            *(v.kind == KD_D_FUNCTION ? &v.fn.self : &v.bound.self) = self;
        }
        return v;
    default:
        return v;
    }
}

static kd_value *take_next(void *user, kd_value *old)
{
    kd_value *const **next = user;
    return *(*next)++;
}

kd_dval kd_d_rebuild_next(kd_lower *lw, kd_dval like, kd_value *const **leaves)
{
    return kd_d_map(lw, like, take_next, leaves);
}

kd_dval kd_d_rebuild(kd_lower *lw, kd_dval like, kd_value *const *leaves)
{
    return kd_d_rebuild_next(lw, like, &leaves);
}

static bool same_block(const kd_dblock *a, const kd_dblock *b)
{
    if (a->elem != b->elem || a->rank != b->rank || !a->offsets != !b->offsets || a->padding != b->padding)
        return false;
    for (unsigned i = 0; i < a->rank; i++)
        if (a->block_shape[i] != b->block_shape[i] || a->strides[i]->type != b->strides[i]->type ||
            a->shape[i]->type != b->shape[i]->type || (a->offsets && a->offsets[i]->type != b->offsets[i]->type))
            return false;
    return a->base->type == b->base->type;
}

static bool same_self(const kd_dval *a, const kd_dval *b)
{
    return a == b || (a && b && kd_d_same_shape(*a, *b));
}

bool kd_d_same_shape(kd_dval a, kd_dval b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case KD_D_TENSOR:
        return a.value->type == b.value->type;
    case KD_D_TUPLE:
        if (a.tuple.n != b.tuple.n || a.tuple.class_ != b.tuple.class_)
            return false;
        for (unsigned i = 0; i < a.tuple.n; i++)
            if (!kd_d_same_shape(a.tuple.items[i], b.tuple.items[i]))
                return false;
        return true;
    case KD_D_BLOCK_PTR:
    case KD_D_DESC:
        return same_block(a.block, b.block);
    case KD_D_FUNCTION:
        return a.fn.function == b.fn.function && a.fn.closure == b.fn.closure && same_self(a.fn.self, b.fn.self);
    case KD_D_BUILTIN:
        return a.bound.builtin == b.bound.builtin && same_self(a.bound.self, b.bound.self);
    case KD_D_MODULE:
        return a.mod.module == b.mod.module && a.mod.namespace_ == b.mod.namespace_;
    case KD_D_CLASS:
        return a.cls.class_ == b.cls.class_;
    case KD_D_RANGE:
        return a.range == b.range;
    case KD_D_SLICE:
        return false;
    case KD_D_UNKNOWN:
        return kd_str_equal(a.text, b.text);
    default:
        return kd_d_equal(a, b);
    }
}

bool kd_d_is_static(kd_dval v)
{
    switch (v.kind) {
    case KD_D_TENSOR:
    case KD_D_BLOCK_PTR:
    case KD_D_DESC:
    case KD_D_ERROR:
        return false;
    case KD_D_TUPLE:
        for (unsigned i = 0; i < v.tuple.n; i++)
            if (!kd_d_is_static(v.tuple.items[i]))
                return false;
        return true;
    case KD_D_FUNCTION:
    case KD_D_BUILTIN:
        return !self_of(&v) || kd_d_is_static(*self_of(&v));
    case KD_D_RANGE:
        return kd_d_is_static(v.range->start) && kd_d_is_static(v.range->stop) && kd_d_is_static(v.range->step);
    default:
        return true;
    }
}

bool kd_d_has_closure(kd_dval v)
{
    if (v.kind == KD_D_FUNCTION && v.fn.closure)
        return true;
    if (v.kind == KD_D_RANGE) /* its bounds are no leaves */
        return !kd_d_is_static(v);
    const kd_dval *self = self_of(&v);
    if (self && kd_d_has_closure(*self))
        return true;
    if (v.kind == KD_D_TUPLE)
        for (unsigned i = 0; i < v.tuple.n; i++)
            if (kd_d_has_closure(v.tuple.items[i]))
                return true;
    return false;
}

static void key_block(kd_strbuf *out, const kd_dblock *b)
{
    kd_strbuf_printf(out, "%p,%u,%d,%d", (const void *)b->elem, b->rank, b->offsets != NULL, (int)b->padding);
    for (unsigned i = 0; i < b->rank; i++)
        kd_strbuf_printf(out, ",%lld,%p", (long long)b->block_shape[i], b->offsets ? (const void *)b->offsets[i]->type : NULL);
}

void kd_d_instance_key(kd_strbuf *out, kd_dval v)
{
    kd_strbuf_printf(out, "%u(", v.kind);
    switch (v.kind) {
    case KD_D_BOOL:
    case KD_D_INT:
        kd_strbuf_append(out, (const char *)&v.integer, sizeof v.integer);
        break;
    case KD_D_FLOAT:
        kd_strbuf_append(out, (const char *)&v.real, sizeof v.real);
        break;
    case KD_D_STRING:
    case KD_D_UNKNOWN:
        kd_strbuf_printf(out, "%zu:", v.text.len);
        kd_strbuf_append(out, v.text.ptr, v.text.len);
        break;
    case KD_D_DTYPE:
        kd_strbuf_printf(out, "%p", (const void *)v.type);
        break;
    case KD_D_TENSOR:
        kd_strbuf_printf(out, "%p", (const void *)v.value->type);
        break;
    case KD_D_TUPLE:
        kd_strbuf_printf(out, "%u,%p:", v.tuple.n, (const void *)v.tuple.class_);
        for (unsigned i = 0; i < v.tuple.n; i++)
            kd_d_instance_key(out, v.tuple.items[i]);
        break;
    case KD_D_BLOCK_PTR:
    case KD_D_DESC:
        key_block(out, v.block);
        break;
    case KD_D_FUNCTION:
        kd_strbuf_printf(out, "%p,%p,", (const void *)v.fn.function, (const void *)v.fn.closure);
        break;
    case KD_D_BUILTIN:
        kd_strbuf_printf(out, "%p,", (const void *)v.bound.builtin);
        break;
    case KD_D_MODULE:
        kd_strbuf_printf(out, "%p,%s", (const void *)v.mod.module, v.mod.namespace_ ? v.mod.namespace_ : "");
        break;
    case KD_D_CLASS:
        kd_strbuf_printf(out, "%p", (const void *)v.cls.class_);
        break;
    case KD_D_RANGE:
        kd_strbuf_printf(out, "%p", (const void *)v.range);
        break;
    default:
        break;
    }
    if (self_of(&v))
        kd_d_instance_key(out, *self_of(&v));
    kd_strbuf_puts(out, ")");
}
