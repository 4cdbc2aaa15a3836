/* machine.h - the processor behind a target's name. */
#ifndef KD_TARGETS_CPU_MACHINE_H
#define KD_TARGETS_CPU_MACHINE_H

#include "targets/llvm/emit.h"

/* "cpu" (this machine), "cpu:x86-64-v3" ... False: not known, or this machine lacks SSE4.2. */
bool kd_machine_find(const char *target, kd_arena *arena, kd_machine *out);

#endif
