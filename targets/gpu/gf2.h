/* gf2.h - vectors of bits under xor: a set of independent ones, and what others are made of. */
#ifndef KD_TARGETS_GPU_GF2_H
#define KD_TARGETS_GPU_GF2_H

#include <stdbool.h>
#include <stdint.h>

/* Reduced echelon form: the row of a pivot bit has no other row's pivot in it. Each row carries a tag that is xored along. */
typedef struct kd_gf2 {
    uint32_t rows[32], tags[32]; /* by pivot bit; 0: no row */
    unsigned rank;
} kd_gf2;

/* v without what the rows can make; *tag gets their tags. */
static inline uint32_t kd_gf2_reduce(const kd_gf2 *g, uint32_t v, uint32_t *tag)
{
    for (unsigned bit = 0; bit < 32; bit++)
        if (g->rows[bit] && v >> bit & 1) {
            v ^= g->rows[bit];
            *tag ^= g->tags[bit];
        }
    return v;
}

/* False: v depends on those before it; *rest then is its tag without theirs (0 where it agrees with them). */
static inline bool kd_gf2_insert(kd_gf2 *g, uint32_t v, uint32_t tag, uint32_t *rest)
{
    v = kd_gf2_reduce(g, v, &tag);
    if (rest)
        *rest = tag;
    if (!v)
        return false;
    unsigned pivot = (unsigned)__builtin_ctz(v);
    for (unsigned bit = 0; bit < 32; bit++)
        if (g->rows[bit] >> pivot & 1) {
            g->rows[bit] ^= v;
            g->tags[bit] ^= tag;
        }
    g->rows[pivot] = v;
    g->tags[pivot] = tag;
    g->rank++;
    return true;
}

#endif
