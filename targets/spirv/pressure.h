/* pressure.h - how many registers the code of a work-item needs. */
#ifndef KD_TARGETS_SPIRV_PRESSURE_H
#define KD_TARGETS_SPIRV_PRESSURE_H

#include "base/arena.h"
#include "ir/ir.h"

/* An estimate for a function of the simt level: bytes of the values of one work-item that are alive at once. Addresses and masks, which
 * the driver's compiler makes again where they are used, do not count, nor does what is the same in all lanes. */
uint64_t kd_register_pressure(const kd_op *func, kd_arena *scratch);

#endif
