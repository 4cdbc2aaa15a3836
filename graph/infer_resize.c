/* infer_resize.c - images with other borders and of other sizes. */
#include "graph/infer_impl.h"

#include "base/scalar.h"

/* ---- padding ---- */

kd_padding_mode kd_gnode_padding_mode(const kd_gnode *node)
{
    static const char *const NAMES[] = {
        [KD_PADDING_CONSTANT] = "constant", [KD_PADDING_REFLECT] = "reflect", [KD_PADDING_REPLICATE] = "replicate", [KD_PADDING_CIRCULAR] = "circular"};
    if (node->op->code != KD_GOP_pad_mode)
        return strstr(node->op->name, "reflection") ? KD_PADDING_REFLECT : KD_PADDING_REPLICATE;
    for (int mode = KD_PADDING_CONSTANT; mode < KD_PADDING_UNKNOWN; mode++)
        if (!kd_gnode_has(node, 2) || (node->args[2].kind == KD_GARG_TEXT && strcmp(node->args[2].text, NAMES[mode]) == 0))
            return mode;
    return KD_PADDING_UNKNOWN;
}

kd_status kd_infer_pad_mode(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *self;
    int64_t pad[2 * KD_TENSOR_MAX_DIMS];
    unsigned n = kd_gnode_ints(node, 1, pad, 2 * KD_TENSOR_MAX_DIMS);
    kd_padding_mode mode = kd_gnode_padding_mode(node);
    kd_status status = infer_tensor_arg(cx, node, 0, &self);
    if (status == KD_OK)
        status = kd_infer_pad(cx, node);
    if (status || mode == KD_PADDING_CONSTANT)
        return status;
    if (mode == KD_PADDING_UNKNOWN)
        return infer_bad(cx, "mode must be 'constant', 'reflect', 'replicate' or 'circular'");
    for (unsigned i = 0; i < n; i++) {
        int64_t extent = self->type.shape[self->type.n_dims - 1 - i / 2];
        if (pad[i] < 0)
            return kd_fail(cx->why, KD_ERR_UNSUPPORTED, "padding that cuts off is supported with a constant only");
        if (pad[i] && (extent < 1 || (mode != KD_PADDING_REPLICATE && pad[i] > extent - (mode == KD_PADDING_REFLECT))))
            return infer_bad(cx, "the padding %lld is more than %s has", (long long)pad[i], infer_type_text(cx, self));
    }
    return KD_OK;
}

/* ---- upsampling ---- */

/* Of "aten.upsample_bilinear2d.vec" and its like. */
static unsigned resized_dims(const kd_gnode *node)
{
    return strstr(node->op->name, "1d") ? 1 : strstr(node->op->name, "2d") ? 2 : 3;
}

bool kd_gnode_upsampling(const kd_gnode *node, kd_upsampling *out)
{
    const kd_gvalue *input = kd_gnode_tensor(node, 0);
    const kd_tensor_type *x = &input->type;
    bool is_vec = strstr(node->op->name, ".vec");
    unsigned n = resized_dims(node);
    *out = (kd_upsampling){.n = n, .is_linear = strstr(node->op->name, "linear"), .is_cubic = strstr(node->op->name, "cubic"), .is_exact = strstr(node->op->name, "exact")};
    bool blends = out->is_linear || out->is_cubic;
    out->align_corners = blends && kd_gnode_bool(node, 2);
    unsigned scales = blends ? 3 : 2; /* the first parameter that tells how much larger */
    bool has_size = kd_gnode_has(node, 1);
    if (x->n_dims != n + 2 || (has_size && kd_gnode_ints(node, 1, out->size, 3) != n) || (!has_size && !kd_gnode_has(node, scales)))
        return false;
    for (unsigned i = 0; i < n; i++) {
        int64_t in = x->shape[i + 2];
        const kd_garg *arg = is_vec ? &node->args[scales] : &node->args[scales + i];
        if (is_vec && arg->kind == KD_GARG_LIST)
            arg = i < arg->list.n ? &arg->list.items[i] : &(const kd_garg){0};
        double scale = arg->kind == KD_GARG_FLOAT ? arg->f : arg->kind == KD_GARG_INT ? (double)arg->i : 0;
        if (!has_size) {
            if (!(scale > 0 && scale * (double)in < (double)INT32_MAX))
                return false;
            out->size[i] = (int64_t)((double)in * scale);
        }
        if (in < 1 || out->size[i] < 1 || out->size[i] > INT32_MAX)
            return false;
        double whole = out->align_corners ? (out->size[i] > 1 ? (double)(in - 1) / (double)(out->size[i] - 1) : 0) : (double)in / (double)out->size[i];
        double step = scale > 0 && !out->align_corners ? 1 / scale : whole;
        out->step[i] = blends && x->type == KD_F64 ? step : (double)(float)step;
    }
    return true;
}

kd_status kd_infer_upsample(kd_infer *cx, const kd_gnode *node)
{
    kd_gvalue *input;
    kd_upsampling u;
    int64_t shape[KD_TENSOR_MAX_DIMS];
    kd_status status = infer_tensor_arg(cx, node, 0, &input);
    if (status)
        return status;
    if (!kd_gnode_upsampling(node, &u) || ((u.is_linear || u.is_cubic) && !kd_scalar_is_float(input->type.type)))
        return infer_bad(cx, "the output size or the scale does not fit the input %s", infer_type_text(cx, input));
    memcpy(shape, input->type.shape, sizeof shape);
    memcpy(shape + 2, u.size, u.n * sizeof *shape);
    return infer_one_result(cx, input->type.type, u.n + 2, shape);
}
