"""The kernels of `./dev isa`: every example, some of them at several types and sizes."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Kernel:
    name: str           # for people and for the reference table
    kernel: str         # FILE:KERNEL, in examples/
    signature: str
    options: tuple = ()  # of kdsl compile
    peer: bool = False   # triton-xpu compiles it too
    only: tuple = ()     # devices; (): all. Others lack the SLM for its tiles


def strides(*names):
    """Row strides that are multiples of 16, and a column stride of 1."""
    return ", ".join("%s=%s" % (name, kind) for name, kind in names)


LARGE_SLM = ("pvc", "bmg", "lnl", "ptl")
MATMUL = ("a_ptr=*{0}:16, b_ptr=*{0}:16, c_ptr=*{1}:16, bias_ptr=None, M=i32:16, N=i32:16, K=i32:16, {2}, stride_cm=i32:16, "
          "stride_cn=1, ACTIVATION=None, BLOCK_M={3}, BLOCK_N={4}, BLOCK_K={5}, GROUP_M=8")
PLAIN = "stride_am=i32:16, stride_ak=1, stride_bk=i32:16, stride_bn=1"
A_TURNED = "stride_am=1, stride_ak=i32:16, stride_bk=i32:16, stride_bn=1"
B_TURNED = "stride_am=i32:16, stride_ak=1, stride_bk=1, stride_bn=i32:16"
BOTH_TURNED = "stride_am=1, stride_ak=i32:16, stride_bk=1, stride_bn=i32:16"
ATTENTION = ("Q=*{0}:16, K=*{0}:16, V=*{0}:16, Out=*{0}:16, L=*fp32:16, sm_scale=fp32, stride_qh=i32:16, stride_qm=i32:16, stride_kh=i32:16, "
             "stride_kn=i32:16, stride_vh=i32:16, stride_vn=i32:16, stride_oh=i32:16, stride_om=i32:16, n_ctx=i32:16, HEAD_DIM={1}, "
             "CAUSAL={2}, BLOCK_M={3}, BLOCK_N={4}")


def row_kernels():
    for type_ in ("fp32", "bf16"):
        yield Kernel("vector add " + type_, "vector_add.py:add_kernel",
                     "x_ptr=*{0}:16, y_ptr=*{0}:16, out_ptr=*{0}:16, n_elements=i32:16, BLOCK_SIZE=1024".format(type_), peer=True)
        yield Kernel("gelu " + type_, "gelu.py:bias_gelu_residual_kernel",
                     "x_ptr=*{0}:16, bias_ptr=*{0}:16, residual_ptr=*{0}:16, out_ptr=*{0}:16, n_elements=i32:16, n_columns=i32:16, "
                     "APPROXIMATE='tanh', BLOCK=1024".format(type_))
        for n, warps in ((1024, 4), (4096, 8), (16384, 16)):
            yield Kernel("softmax %d %s" % (n, type_), "softmax.py:softmax_kernel",
                         "x=*{0}:16, out=*{0}:16, n=i32:16, sx=i32:16, so=i32:16, BLOCK={1}".format(type_, n), ("--num-warps", str(warps)),
                         peer=True)
            yield Kernel("rms norm %d %s" % (n, type_), "rms_norm.py:rms_norm_fwd_kernel",
                         "Y=*{0}:16, X=*{0}:16, W=*{0}:16, Rstd=*fp32:16, stride=i32:16, n_cols=i32:16, eps=fp32, offset=fp32, "
                         "BLOCK_SIZE={1}".format(type_, n), ("--num-warps", str(warps)))
        yield Kernel("layer norm 1024 " + type_, "layer_norm.py:layer_norm_fwd_kernel",
                     "X=*{0}:16, Y=*{0}:16, W=*{0}:16, B=*{0}:16, Mean=*fp32:16, Rstd=*fp32:16, stride=i32:16, N=i32:16, eps=fp32, "
                     "BLOCK_SIZE=1024".format(type_), peer=True)
    yield Kernel("gelu erf fp32", "gelu.py:bias_gelu_residual_kernel",
                 "x_ptr=*fp32:16, bias_ptr=*fp32:16, residual_ptr=*fp32:16, out_ptr=*fp32:16, n_elements=i32:16, n_columns=i32:16, "
                 "APPROXIMATE='none', BLOCK=1024")
    yield Kernel("softmax in a loop", "softmax.py:softmax_looped_kernel",
                 "x_ptr=*fp32:16, out_ptr=*fp32:16, n_columns=i32, stride=i32, BLOCK=512")
    yield Kernel("layer norm backward", "layer_norm.py:layer_norm_bwd_dx_kernel",
                 "DX=*fp32:16, DY=*fp32:16, X=*fp32:16, W=*fp32:16, Mean=*fp32:16, Rstd=*fp32:16, DW_partial=*fp32:16, DB_partial=*fp32:16, "
                 "n_rows=i32, stride=i32:16, N=i32:16, ROWS_PER_PROGRAM=8, BLOCK_SIZE=1024")
    yield Kernel("layer norm backward, weights", "layer_norm.py:layer_norm_bwd_dwdb_kernel",
                 "DW_partial=*fp32:16, DB_partial=*fp32:16, DW=*fp32:16, DB=*fp32:16, n_groups=i32, N=i32:16, BLOCK_M=4, BLOCK_N=128")
    yield Kernel("rms norm backward", "rms_norm.py:rms_norm_bwd_kernel",
                 "DX=*fp32:16, DY=*fp32:16, X=*fp32:16, W=*fp32:16, Rstd=*fp32:16, DW_partial=*fp32:16, stride=i32:16, n_rows=i32, "
                 "n_cols=i32:16, offset=fp32, ROWS_PER_PROGRAM=8, BLOCK_SIZE=1024")


def dot_kernels():
    for type_ in ("fp32", "fp16", "bf16"):
        yield Kernel("matmul 64x64x32 " + type_, "matmul.py:matmul_kernel", MATMUL.format(type_, type_, PLAIN, 64, 64, 32), peer=True)
    ways = {"": PLAIN, ", A transposed": A_TURNED, ", B transposed": B_TURNED, ", both transposed": BOTH_TURNED}
    for type_, result, more in (("bf16", "bf16", ""), ("int8", "i32", ""), ("tf32", "fp32", ", PRECISION='tf32'")):
        for way, how in ways.items():
            signature = MATMUL.format({"int8": "i8", "tf32": "fp32"}.get(type_, type_), result, how, 256, 256, 32) + more
            yield Kernel("matmul 256x256x32 %s%s" % (type_, way), "matmul.py:matmul_kernel", signature, ("--num-warps", "32"), peer=True, only=LARGE_SLM)
    yield Kernel("matmul 256x256x32 fp16", "matmul.py:matmul_kernel", MATMUL.format("fp16", "fp16", PLAIN, 256, 256, 32), ("--num-warps", "32"),
                 peer=True, only=LARGE_SLM)
    yield Kernel("batched matmul, block pointers", "batched_matmul.py:bmm_block_ptr_kernel",
                 "a_ptr=*fp32:16, b_ptr=*fp32:16, c_ptr=*fp32:16, M=i32, N=i32, K=i32, sab=i32, sam=i32, sak=1, sbb=i32, sbk=i32, sbn=1, scb=i32, "
                 "scm=i32, scn=1, BLOCK_M=32, BLOCK_N=32, BLOCK_K=16")
    yield Kernel("batched matmul, descriptors", "batched_matmul.py:bmm_descriptor_kernel",
                 "a_ptr=*fp16:16, b_ptr=*fp16:16, c_ptr=*fp16:16, B=i32, M=i32:16, N=i32:16, K=i32:16, BLOCK_M=64, BLOCK_N=64, BLOCK_K=32")
    for dim, block_m, block_n, warps in ((64, 128, 64, 8), (128, 128, 64, 16)):  # a sub-group holds q and the sum
        for causal in (False, True):
            yield Kernel("flash attention %d bf16%s" % (dim, ", causal" if causal else ""), "flash_attention.py:attention_fwd_kernel",
                         ATTENTION.format("bf16", dim, causal, block_m, block_n), ("--num-warps", str(warps)), peer=True)
    yield Kernel("flash attention 32 fp32", "flash_attention.py:attention_fwd_kernel", ATTENTION.format("fp32", 32, False, 64, 32))
    yield Kernel("convolution 3x3", "conv2d.py:conv2d_kernel",
                 "x_ptr=*fp16:16, w_ptr=*fp16:16, bias_ptr=*fp16:16, out_ptr=*fp16:16, batch=i32, height=i32, width=i32, c_in=i32:16, c_out=i32:16, "
                 "out_h=i32, out_w=i32, KH=3, KW=3, STRIDE=1, PADDING=1, BLOCK_M=32, BLOCK_N=32, BLOCK_K=16")


def other_kernels():
    yield Kernel("dropout", "dropout.py:seeded_dropout_kernel", "x_ptr=*fp32:16, out_ptr=*fp32:16, n_elements=i32, p=fp32, seed=i64, BLOCK_SIZE=512")
    yield Kernel("cross entropy", "cross_entropy.py:cross_entropy_kernel",
                 "X_ptr=*fp32:16, X_stride=i32:16, Y_ptr=*i64:16, loss_ptr=*fp32:16, n_cols=i32, n_valid=i32, ignore_index=i32, "
                 "label_smoothing=0.1, BLOCK_SIZE=256")
    yield Kernel("rope", "rope.py:rope_kernel",
                 "q_ptr=*bf16:16, cos_ptr=*bf16:16, sin_ptr=*bf16:16, q_row_stride=i32:16, cs_row_stride=i32:16, seq_len=i32, N_HEADS=8, HEAD_DIM=64")
    yield Kernel("top-k routing", "top_k.py:top_k_kernel",
                 "logits_ptr=*fp32:16, weights_ptr=*fp32:16, ids_ptr=*i32:16, n_experts=i32, stride=i32, K=4, BLOCK=64")
    yield Kernel("top-k by sorting", "top_k.py:sorted_top_k_kernel", "x_ptr=*fp32:16, out_ptr=*fp32:16, n=i32, K=8, BLOCK=64")
    for reverse in (False, True):
        yield Kernel("cumsum" + (", reversed" if reverse else ""), "cumsum.py:cumsum_kernel",
                     "x_ptr=*fp32:16, out_ptr=*fp32:16, n_cols=i32, stride=i32, REVERSE=%s, BLOCK=256" % reverse)
    yield Kernel("linear recurrence", "cumsum.py:linear_recurrence_kernel", "decay_ptr=*fp32:16, x_ptr=*fp32:16, out_ptr=*fp32:16, n=i32, BLOCK=128")
    yield Kernel("histogram by atomics", "histogram.py:histogram_atomic_kernel", "x_ptr=*i32:16, counts_ptr=*i32:16, n=i32, n_bins=i32, BLOCK=256")
    yield Kernel("histogram by blocks", "histogram.py:histogram_block_kernel", "x_ptr=*i32:16, counts_ptr=*i32:16, n=i32, N_BINS=64, BLOCK=512")
    yield Kernel("quantize to int8", "quantize.py:quantize_int8_kernel", "x_ptr=*fp32:16, q_ptr=*i8:16, scale_ptr=*fp32:16, n_cols=i32, BLOCK=512")
    yield Kernel("quantize to fp8", "quantize.py:quantize_fp8_kernel", "x_ptr=*fp32:16, q_ptr=*fp8e4nv:16, scale_ptr=*fp32:16, n_cols=i32, BLOCK=128")
    yield Kernel("embedding", "embedding.py:embedding_kernel",
                 "ids_ptr=*i64:16, table_ptr=*fp32:16, out_ptr=*fp32:16, n_ids=i32, dim=i32, BLOCK_IDS=8, BLOCK_DIM=64")
    yield Kernel("embedding backward", "embedding.py:embedding_backward_kernel",
                 "ids_ptr=*i64:16, grad_ptr=*fp32:16, grad_table_ptr=*fp32:16, dim=i32, BLOCK_DIM=64")
    yield Kernel("transpose", "transpose.py:transpose_kernel",
                 "x_ptr=*fp32:16, out_ptr=*fp32:16, M=i32, N=i32, stride_x=i32:16, stride_out=i32:16, BLOCK_M=32, BLOCK_N=64")
    yield Kernel("group norm + silu", "group_norm.py:group_norm_silu_kernel",
                 "x_ptr=*fp32:16, out_ptr=*fp32:16, w_ptr=*fp32:16, b_ptr=*fp32:16, n_channels=i32, n_pixels=i32, eps=fp32, CHANNELS_PER_GROUP=4, "
                 "BLOCK_C=4, BLOCK_P=32, SILU=True")
    yield Kernel("sum by atomics", "reduce_sum.py:sum_atomic_kernel", "x_ptr=*fp32:16, out_ptr=*fp32:16, n=i32, BLOCK=1024")
    yield Kernel("partial sums", "reduce_sum.py:sum_partial_kernel", "x_ptr=*fp32:16, partial_ptr=*fp32:16, n=i32, BLOCK=1024")


KERNELS = [*row_kernels(), *dot_kernels(), *other_kernels()]
