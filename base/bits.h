/* bits.h - powers of two. */
#ifndef KD_BASE_BITS_H
#define KD_BASE_BITS_H

#include <stdint.h>

/* The largest k for which 2^k is not more than n; 0 for 0. */
static inline unsigned kd_log2(uint64_t n)
{
    return n ? 63 - (unsigned)__builtin_clzll(n) : 0;
}

#endif
