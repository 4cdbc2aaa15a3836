/* type.h - types of IR values. Uniqued in a context: equal types are the same pointer. */
#ifndef KD_IR_TYPE_H
#define KD_IR_TYPE_H

#include "base/scalar.h"
#include "base/str.h"

typedef struct kd_context kd_context;
typedef struct kd_layout kd_layout; /* layout.h */

typedef enum kd_type_kind {
    KD_TYPE_SCALAR, /* f32 */
    KD_TYPE_PTR,    /* ptr<f32>: where elements of a scalar type lie in memory; may be nested: ptr<ptr<f32>> */
    KD_TYPE_TILE,   /* tile<64x32xf16>, tile<64xptr<f32>>: a block of scalars or pointers, every extent a power of two */
    KD_TYPE_BUFFER, /* buffer<64x32xf16>: scratch memory that holds a tile, row-major (cpu level) */
} kd_type_kind;

enum { KD_MAX_RANK = 20, KD_MAX_TILE_ELEMS = 1 << 20 };

typedef struct kd_type {
    kd_type_kind kind;
    kd_scalar scalar;           /* SCALAR */
    unsigned rank;              /* TILE, BUFFER; 0 elsewhere */
    const struct kd_type *elem; /* TILE, BUFFER: the element; PTR: what it points to; SCALAR: itself */
    const int64_t *shape;       /* rank extents */
    int64_t n_elems;            /* of the whole tile; 1 for others */
    const kd_layout *layout;    /* TILE at the gpu level: who holds which element; NULL elsewhere */
    const char *text;           /* as it is printed */
} kd_type;

const kd_type *kd_type_scalar(kd_context *ctx, kd_scalar scalar);
const kd_type *kd_type_ptr(kd_context *ctx, const kd_type *pointee);
/* Rank 0 gives the element type itself. */
const kd_type *kd_type_tile(kd_context *ctx, const kd_type *elem, unsigned rank, const int64_t *shape);
const kd_type *kd_type_buffer(kd_context *ctx, const kd_type *elem, unsigned rank, const int64_t *shape);
/* The tile type with another layout (NULL: none), of as many elements. */
const kd_type *kd_type_with_layout(kd_context *ctx, const kd_type *type, const kd_layout *layout);
/* The same shape and layout (a scalar stays one) with another element. */
const kd_type *kd_type_with_elem(kd_context *ctx, const kd_type *type, const kd_type *elem);
const kd_type *kd_type_with_scalar(kd_context *ctx, const kd_type *type, kd_scalar scalar);
/* The same element, another shape, no layout. */
const kd_type *kd_type_with_shape(kd_context *ctx, const kd_type *type, unsigned rank, const int64_t *shape);
/* Reads a type; advances *text past it. NULL: not a type, *text unchanged. */
const kd_type *kd_type_parse(kd_context *ctx, kd_str *text);

bool kd_type_same_shape(const kd_type *a, const kd_type *b);

static inline bool kd_type_is_tile(const kd_type *t)
{
    return t->kind == KD_TYPE_TILE;
}

/* The scalar or pointer that a value consists of. */
static inline const kd_type *kd_type_elem(const kd_type *t)
{
    return t->kind == KD_TYPE_TILE || t->kind == KD_TYPE_BUFFER ? t->elem : t;
}

static inline bool kd_type_is_ptr_like(const kd_type *t) /* a pointer or a tile of them */
{
    return kd_type_elem(t)->kind == KD_TYPE_PTR;
}

static inline bool kd_type_is_float_like(const kd_type *t)
{
    const kd_type *e = kd_type_elem(t);
    return e->kind == KD_TYPE_SCALAR && kd_scalar_is_float(e->scalar);
}

static inline bool kd_type_is_int_like(const kd_type *t) /* i1 included */
{
    const kd_type *e = kd_type_elem(t);
    return e->kind == KD_TYPE_SCALAR && kd_scalar_is_int(e->scalar);
}

static inline bool kd_type_is_bool_like(const kd_type *t)
{
    const kd_type *e = kd_type_elem(t);
    return e->kind == KD_TYPE_SCALAR && e->scalar == KD_I1;
}

static inline bool kd_type_is_scalar(const kd_type *t, kd_scalar s)
{
    return t->kind == KD_TYPE_SCALAR && t->scalar == s;
}

/* Bits of one element: 64 for pointers. */
static inline unsigned kd_type_elem_bits(const kd_type *t)
{
    const kd_type *e = kd_type_elem(t);
    return e->kind == KD_TYPE_PTR ? 64 : kd_scalar_bits(e->scalar);
}

#endif
