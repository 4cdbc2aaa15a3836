/* pass.c - the way to the simt level as a pass of kdsl opt. */
#include "targets/gpu/simt.h"

static kd_pass_result lower_to_simt(kd_pass_ctx *px, kd_op *func)
{
    kd_simt_result result;
    if (!px->gpu) {
        kd_error(px->diags, func->loc, "lower-to-simt makes code for a GPU; expected --target spirv:NAME");
        return KD_PASS_FAILED;
    }
    return kd_lower_to_simt(px->module, func, px->gpu, px->diags, px->scratch, &result) ? KD_PASS_CHANGED : KD_PASS_FAILED;
}

const kd_pass_info kd_simt_pass = {"lower_to_simt", KD_ON_FUNC, KD_KEEPS_NOTHING,
                                   "makes the code of one work-item from tiles with layouts", lower_to_simt};
