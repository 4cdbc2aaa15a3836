/* type.c - the table of types of a context, and their text. */
#include "ir/type.h"
#include "base/bug.h"
#include "base/map.h"
#include "ir/ir_impl.h"
#include "ir/layout.h"

#include <stdio.h>

struct kd_context {
    kd_arena *arena;
    kd_map types; /* text -> type: the text of a type names it fully */
    kd_map layouts;
    const kd_type *scalars[KD_N_SCALARS];
};

kd_context *kd_context_create(kd_arena *arena)
{
    kd_context *ctx = kd_arena_new(arena, kd_context);
    ctx->arena = arena;
    ctx->types = kd_map_in(arena);
    ctx->layouts = kd_map_in(arena);
    for (int s = 0; s < KD_N_SCALARS; s++) {
        kd_type *type = kd_arena_new(arena, kd_type);
        *type = (kd_type){.kind = KD_TYPE_SCALAR, .scalar = (kd_scalar)s, .elem = type, .n_elems = 1, .text = kd_scalar_name((kd_scalar)s)};
        ctx->scalars[s] = type;
    }
    return ctx;
}

kd_arena *kd_context_arena(kd_context *ctx)
{
    return ctx->arena;
}

kd_map *kd_context_layouts(kd_context *ctx)
{
    return &ctx->layouts;
}

const kd_type *kd_type_scalar(kd_context *ctx, kd_scalar scalar)
{
    return ctx->scalars[scalar];
}

/* The type of that text, made from proto on first use. */
static const kd_type *intern(kd_context *ctx, const char *text, const kd_type *proto)
{
    kd_type *found = kd_map_get(&ctx->types, kd_str_of(text));
    if (found)
        return found;
    kd_type *type = kd_arena_new(ctx->arena, kd_type);
    *type = *proto;
    type->text = kd_arena_strdup(ctx->arena, text);
    if (type->rank) {
        int64_t *shape = kd_arena_array(ctx->arena, int64_t, type->rank);
        memcpy(shape, proto->shape, type->rank * sizeof *shape);
        type->shape = shape;
    }
    *kd_map_at(&ctx->types, kd_str_of(type->text)) = type;
    return type;
}

enum { MAX_TYPE_TEXT = 1024 };

const kd_type *kd_type_ptr(kd_context *ctx, const kd_type *pointee)
{
    KD_ASSERT(pointee->kind == KD_TYPE_SCALAR || pointee->kind == KD_TYPE_PTR);
    char text[MAX_TYPE_TEXT];
    snprintf(text, sizeof text, "ptr<%s>", pointee->text);
    return intern(ctx, text, &(kd_type){.kind = KD_TYPE_PTR, .elem = pointee, .n_elems = 1});
}

static const kd_type *shaped(kd_context *ctx, kd_type_kind kind, const kd_type *elem, unsigned rank, const int64_t *shape, const kd_layout *layout)
{
    KD_ASSERT(rank <= KD_MAX_RANK && (elem->kind == KD_TYPE_SCALAR || elem->kind == KD_TYPE_PTR));
    char text[MAX_TYPE_TEXT];
    size_t at = (size_t)snprintf(text, sizeof text, "%s<", kind == KD_TYPE_TILE ? "tile" : "buffer");
    int64_t n_elems = 1;
    for (unsigned i = 0; i < rank; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%lldx", (long long)shape[i]);
        n_elems *= shape[i];
    }
    KD_ASSERT(!layout || (kind == KD_TYPE_TILE && (int64_t)1 << layout->n_out_bits == n_elems));
    snprintf(text + at, sizeof text - at, "%s%s%s>", elem->text, layout ? ", " : "", layout ? layout->text : "");
    return intern(ctx, text, &(kd_type){.kind = kind, .rank = rank, .elem = elem, .shape = shape, .n_elems = n_elems, .layout = layout});
}

const kd_type *kd_type_tile(kd_context *ctx, const kd_type *elem, unsigned rank, const int64_t *shape)
{
    return rank ? shaped(ctx, KD_TYPE_TILE, elem, rank, shape, NULL) : elem;
}

const kd_type *kd_type_buffer(kd_context *ctx, const kd_type *elem, unsigned rank, const int64_t *shape)
{
    return shaped(ctx, KD_TYPE_BUFFER, elem, rank, shape, NULL);
}

const kd_type *kd_type_with_layout(kd_context *ctx, const kd_type *type, const kd_layout *layout)
{
    KD_ASSERT(kd_type_is_tile(type));
    return type->layout == layout ? type : shaped(ctx, KD_TYPE_TILE, type->elem, type->rank, type->shape, layout);
}

const kd_type *kd_type_with_elem(kd_context *ctx, const kd_type *type, const kd_type *elem)
{
    return kd_type_is_tile(type) ? shaped(ctx, KD_TYPE_TILE, elem, type->rank, type->shape, type->layout) : elem;
}

const kd_type *kd_type_with_scalar(kd_context *ctx, const kd_type *type, kd_scalar scalar)
{
    return kd_type_with_elem(ctx, type, kd_type_scalar(ctx, scalar));
}

const kd_type *kd_type_with_shape(kd_context *ctx, const kd_type *type, unsigned rank, const int64_t *shape)
{
    return kd_type_tile(ctx, kd_type_elem(type), rank, shape);
}

bool kd_type_same_shape(const kd_type *a, const kd_type *b)
{
    return a->rank == b->rank && (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

static bool eat(kd_str *text, const char *prefix)
{
    if (!kd_str_starts_with(*text, prefix))
        return false;
    size_t n = strlen(prefix);
    *text = (kd_str){text->ptr + n, text->len - n};
    return true;
}

static const kd_type *parse_elem(kd_context *ctx, kd_str *text, unsigned depth)
{
    if (eat(text, "ptr<")) {
        const kd_type *pointee = depth < 8 ? parse_elem(ctx, text, depth + 1) : NULL;
        return pointee && eat(text, ">") ? kd_type_ptr(ctx, pointee) : NULL;
    }
    size_t n = 0;
    while (n < text->len && ((text->ptr[n] >= 'a' && text->ptr[n] <= 'z') || (text->ptr[n] >= '0' && text->ptr[n] <= '9')))
        n++;
    for (int s = 0; s < KD_N_SCALARS; s++)
        if (kd_str_is((kd_str){text->ptr, n}, kd_scalar_name((kd_scalar)s))) {
            *text = (kd_str){text->ptr + n, text->len - n};
            return kd_type_scalar(ctx, (kd_scalar)s);
        }
    return NULL;
}

/* "128x64x" in front of the element; powers of two whose product stays within what a tile may have. */
static bool parse_shape(kd_str *text, unsigned *rank, int64_t *shape, int64_t *out_n_elems)
{
    int64_t n_elems = 1;
    while (text->len && text->ptr[0] >= '0' && text->ptr[0] <= '9') {
        int64_t extent = 0;
        while (text->len && text->ptr[0] >= '0' && text->ptr[0] <= '9' && extent <= KD_MAX_TILE_ELEMS) {
            extent = extent * 10 + (text->ptr[0] - '0');
            *text = (kd_str){text->ptr + 1, text->len - 1};
        }
        if (extent < 1 || extent > KD_MAX_TILE_ELEMS || (extent & (extent - 1)) || *rank == KD_MAX_RANK || !eat(text, "x"))
            return false;
        n_elems *= extent;
        if (n_elems > KD_MAX_TILE_ELEMS)
            return false;
        shape[(*rank)++] = extent;
    }
    *out_n_elems = n_elems;
    return true;
}

const kd_type *kd_type_parse(kd_context *ctx, kd_str *text)
{
    kd_str rest = *text;
    const kd_type *type = NULL;
    bool is_tile = eat(&rest, "tile<");
    if (is_tile || eat(&rest, "buffer<")) {
        int64_t shape[KD_MAX_RANK], n_elems = 1;
        unsigned rank = 0;
        const kd_type *elem = parse_shape(&rest, &rank, shape, &n_elems) ? parse_elem(ctx, &rest, 0) : NULL;
        const kd_layout *layout = NULL;
        if (elem && is_tile && rank && eat(&rest, ", ")) {
            layout = kd_layout_parse(ctx, &rest, (unsigned)__builtin_ctzll((uint64_t)n_elems));
            if (!layout)
                return NULL;
        }
        if (!elem || !eat(&rest, ">") || (is_tile && rank == 0))
            return NULL;
        type = shaped(ctx, is_tile ? KD_TYPE_TILE : KD_TYPE_BUFFER, elem, rank, shape, layout);
    } else {
        type = parse_elem(ctx, &rest, 0);
    }
    if (type)
        *text = rest;
    return type;
}
