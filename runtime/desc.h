/* desc.h - kernel descriptors as values: checked, copied, and as bytes. */
#ifndef KD_RUNTIME_DESC_H
#define KD_RUNTIME_DESC_H

#include "base/failure.h"
#include "base/kernel_desc.h"

enum { KD_DESC_MAX_ARGS = 4096, KD_DESC_MAX_MESSAGES = 4096, KD_DESC_MAX_NAME_BYTES = 4096, KD_DESC_MAX_ARGS_BYTES = 64 << 10 };

/* Whether a descriptor makes sense: names there, arguments inside the argument struct and apart from each other, known types,
 * a GPU's work-group with sub-groups.
 * KD_ERR_DAMAGED, with the sentence. */
kd_status kd_kernel_desc_check(const kd_kernel_desc *desc, kd_failure *out_why);

/* A copy in one block, for free(); NULL: no memory. The desc has passed the check. */
kd_kernel_desc *kd_kernel_desc_copy(const kd_kernel_desc *desc);

/* The descriptor as bytes: *out_bytes is for free(). KD_ERR_MEMORY; KD_ERR_DAMAGED: the desc fails the check. */
kd_status kd_kernel_desc_encode(const kd_kernel_desc *desc, unsigned char **out_bytes, size_t *out_n_bytes);
/* And back: *out_desc is one block for free(), and has passed the check. KD_ERR_DAMAGED: those bytes are no descriptor. */
kd_status kd_kernel_desc_decode(const unsigned char *bytes, size_t n_bytes, kd_kernel_desc **out_desc);

#endif
