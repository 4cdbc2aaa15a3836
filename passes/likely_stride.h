/* likely_stride.h - how addresses probably move along an axis, where axis info cannot say it for sure: for costs, never for correctness. */
#ifndef KD_PASSES_LIKELY_STRIDE_H
#define KD_PASSES_LIKELY_STRIDE_H

#include "ir/ir.h"

typedef enum kd_stride {
    KD_STRIDE_NONE, /* equal */
    KD_STRIDE_UNIT, /* consecutive: also modulo something */
    KD_STRIDE_UNKNOWN, /* some number that the kernel is given */
    KD_STRIDE_OTHER, /* apart */
    KD_STRIDE_WILD, /* read from memory, or computed in other ways */
} kd_stride;

kd_stride kd_likely_stride(const kd_value *value, unsigned axis);

#endif
