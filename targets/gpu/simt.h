/* simt.h - from tiles with layouts to what one work-item does: the way from the gpu to the simt level of the IR. */
#ifndef KD_TARGETS_GPU_SIMT_H
#define KD_TARGETS_GPU_SIMT_H

#include "base/arena.h"
#include "ir/ir.h"
#include "passes/gpu_config.h"
#include "passes/pass.h"

typedef struct kd_simt_result {
    uint32_t slm_bytes;          /* of a work-group; gpu.slm ops have their places */
    const char *const *messages; /* of asserts, in the arena: kd_kernel_desc */
    uint32_t n_messages;
} kd_simt_result;

/* Rewrites the kernel, in which every tile type has a layout, to the simt level: a tile is one scalar for each of its registers. Where an
 * assert is in it, the function gets a last parameter of type ptr<u32>, its kd_gpu_status. False: reported to diags (a tile that needs
 * too many registers, more SLM than the device has, a type that it lacks). */
bool kd_lower_to_simt(kd_module *module, kd_op *func, const kd_gpu_config *config, kd_diags *diags, kd_arena *arena, kd_simt_result *out);

/* The lowering as a pass: lower-to-simt. */
extern const kd_pass_info kd_simt_pass;

#endif
