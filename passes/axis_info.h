/* axis_info.h - what is known of the integers and pointers in a tile, axis by axis. Targets choose vector accesses by it.
 *
 * Along an axis, the elements fall into runs of equal length, the first of which begins at index 0:
 *   contiguity    length of runs of consecutive numbers (pointers: of consecutive elements in memory)
 *   constancy     length of runs of equal numbers
 *   divisibility  the first number of each run of contiguity is a multiple of this (pointers: the address in bytes)
 * All are powers of two; 1 says nothing. A scalar has one axis of extent 1. Example: kd.arange {start = 8} : tile<64xi32> has contiguity 64,
 * divisibility 8, constancy 1; its runs of 16 begin at multiples of 8, its single elements at any number.
 *
 * Facts come from program_id, ranges, arithmetic, hints and the divisibility of parameters; loops by fixed point. Index arithmetic is taken
 * not to overflow: a kernel whose offsets wrap around in the middle of a run reads beyond its buffer anyway. Scalar divisors that are not read
 * from memory are taken to be positive: they are sizes. */
#ifndef KD_PASSES_AXIS_INFO_H
#define KD_PASSES_AXIS_INFO_H

#include "ir/ir.h"

typedef struct kd_axis_facts {
    int64_t contiguity, divisibility, constancy;
} kd_axis_facts;

typedef struct kd_axis_info kd_axis_info;

/* Facts of all values of a function, as it is now; in the arena. Linear but for loops, which are gone through until nothing changes. */
kd_axis_info *kd_axis_info_compute(kd_arena *arena, kd_op *func);
/* A value that was made later and is equal to one that is known. */
void kd_axis_info_copy(kd_axis_info *info, const kd_value *known, const kd_value *fresh);
kd_axis_facts kd_axis_info_get(const kd_axis_info *info, const kd_value *value, unsigned axis);
/* Every element is a multiple of this. */
int64_t kd_axis_info_divisor(const kd_axis_info *info, const kd_value *value);
/* No element is negative (of unsigned numbers: as it is). */
bool kd_axis_info_is_non_negative(const kd_axis_info *info, const kd_value *value);
/* How many elements along an axis can be accessed at once through these pointers: contiguous, and aligned to their size together. */
int64_t kd_axis_info_vector_length(const kd_axis_info *info, const kd_value *ptr, unsigned axis);

#endif
