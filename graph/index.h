/* index.h - where an element is: integers computed from loop variables.
 *
 * An index is a sum of terms, factor * atom, and a constant; an atom is a variable, the quotient or the remainder of an index by a
 * positive number, or a value that a kernel loads. Indices are kept in a normal form, so that equal ones mostly look equal, and know the
 * range of their values, so that a quotient or remainder that does nothing goes away: (64 * i + j) / 64 is i where 0 <= j < 64. */
#ifndef KD_GRAPH_INDEX_H
#define KD_GRAPH_INDEX_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/str.h"

#include <stdint.h>

typedef struct kd_index_term {
    int64_t factor; /* not 0 */
    const struct kd_index_atom *atom;
} kd_index_term;

typedef struct kd_index {
    int64_t constant;
    unsigned n_terms;
    const kd_index_term *terms; /* in the order of kd_index_atom_compare */
} kd_index;

typedef enum kd_atom_kind { KD_ATOM_VAR, KD_ATOM_DIV, KD_ATOM_MOD, KD_ATOM_VALUE } kd_atom_kind;

typedef struct kd_index_atom {
    kd_atom_kind kind;
    int64_t n;         /* values are 0 to n - 1 */
    unsigned id;       /* VAR and VALUE: which; equal ids are the same atom */
    kd_index of;       /* DIV and MOD */
    int64_t by;
    unsigned vars;     /* a bit for each variable that it is computed from; their ids are less than 32 */
    kd_hash content;   /* equal atoms have equal ones: what stands in them may stand there often, and is not looked at again */
} kd_index_atom;

kd_index kd_index_const(int64_t value);
/* 0 where the variable has one value only. */
kd_index kd_index_var(kd_arena *arena, unsigned id, int64_t n);
kd_index kd_index_value(kd_arena *arena, unsigned id, int64_t n);
kd_index kd_index_add(kd_arena *arena, kd_index a, kd_index b);
kd_index kd_index_scale(kd_arena *arena, kd_index a, int64_t factor);
/* a is never negative; by > 0. */
kd_index kd_index_div(kd_arena *arena, kd_index a, int64_t by);
kd_index kd_index_mod(kd_arena *arena, kd_index a, int64_t by);

bool kd_index_equal(kd_index a, kd_index b);
/* The least and the largest value. */
void kd_index_range(kd_index a, int64_t *out_least, int64_t *out_most);
/* Row-major number of an element of a shape, and back. */
kd_index kd_index_flatten(kd_arena *arena, unsigned n_dims, const int64_t *shape, const kd_index *at);
void kd_index_unflatten(kd_arena *arena, kd_index flat, unsigned n_dims, const int64_t *shape, kd_index *out_at);
/* The factor of a variable. False: the variable stands inside a quotient or a remainder. */
bool kd_index_factor(kd_index a, unsigned var, int64_t *out_factor);
/* The same number, where a quotient and its remainder meet put together again: 64 * (x / 64) + x % 64 is x. */
kd_index kd_index_recombine(kd_arena *arena, kd_index a);

#endif
