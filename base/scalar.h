/* scalar.h - facts about element types. */
#ifndef KD_BASE_SCALAR_H
#define KD_BASE_SCALAR_H

#include "base/kernel_desc.h"
#include "base/str.h"

/* "f32": the short name, which IR text and diagnostics use. */
const char *kd_scalar_name(kd_scalar s);
/* "fp32": Triton's signature name. "float32": the attribute of triton.language. */
const char *kd_scalar_triton_name(kd_scalar s);
const char *kd_scalar_tl_name(kd_scalar s);
/* From any of the three spellings (u1 and int1 are i1, uint8 is u8). False: not a type. */
bool kd_scalar_parse(kd_str text, kd_scalar *out);

unsigned kd_scalar_bits(kd_scalar s);  /* 1 for i1 */
unsigned kd_scalar_bytes(kd_scalar s); /* in memory: 1 for i1 */
bool kd_scalar_is_float(kd_scalar s);
bool kd_scalar_is_fp8(kd_scalar s);
bool kd_scalar_is_int(kd_scalar s);      /* i1 included */
bool kd_scalar_is_unsigned(kd_scalar s); /* i1 included: it zero-extends */

#endif
