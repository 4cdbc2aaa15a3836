/* arg_effects.h - which of a function's pointer parameters its code reads and writes through. */
#ifndef KD_PASSES_ARG_EFFECTS_H
#define KD_PASSES_ARG_EFFECTS_H

#include "ir/ir.h"

enum kd_arg_effects { KD_ARG_READ = 1 << 0, KD_ARG_WRITTEN = 1 << 1 };

/* For each parameter the effects that go through pointers that stem from it, in the arena. Of a function without calls. Pointers that were
 * loaded from memory belong to no parameter; one that was made from integers may belong to each. */
uint8_t *kd_arg_effects_compute(kd_arena *arena, const kd_op *func);

/* The parameters that a pointer, or a tile of them, may stem from: a bit each, the last one for all from the 64th on. 0: as above. */
uint64_t kd_arg_origins(kd_arena *arena, const kd_op *func, kd_value *ptr);

#endif
