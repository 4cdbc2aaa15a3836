/* vec.h - arrays that grow, in an arena.
 *
 *     KD_VEC(kd_op *) work = {0};
 *     kd_vec_push(scratch, &work, op);
 *     for (unsigned i = 0; i < work.n; i++) ... work.data[i] ...
 */
#ifndef KD_BASE_VEC_H
#define KD_BASE_VEC_H

#include "base/arena.h"

#include <string.h>

#define KD_VEC(T)        \
    struct {             \
        T *data;         \
        unsigned n, cap; \
    }

#define kd_vec_push(arena, v, ...)                                                                                  \
    ((v)->n == (v)->cap ? kd_vec_grow((arena), (void **)&(v)->data, (v)->n, &(v)->cap, sizeof *(v)->data) : (void)0, \
     (void)((v)->data[(v)->n++] = (__VA_ARGS__)))
#define kd_vec_pop(v)  ((v)->data[--(v)->n])
#define kd_vec_last(v) ((v)->data[(v)->n - 1])

static inline void kd_vec_grow(kd_arena *arena, void **data, unsigned n, unsigned *cap, size_t size)
{
    unsigned grown = *cap ? *cap * 2 : 8;
    void *fresh = kd_arena_calloc(arena, grown, size);
    if (n)
        memcpy(fresh, *data, n * size);
    *data = fresh;
    *cap = grown;
}

#endif
