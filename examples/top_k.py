"""Top-k routing of a mixture of experts: the k largest logits of a token, their indices, and a softmax over them."""
import triton
import triton.language as tl


@triton.jit
def top_k_kernel(logits_ptr, weights_ptr, ids_ptr, n_experts, stride, K: tl.constexpr, BLOCK: tl.constexpr):
    token = tl.program_id(0)
    experts = tl.arange(0, BLOCK)
    logits = tl.load(logits_ptr + token * stride + experts, mask=experts < n_experts, other=-float("inf"))
    total = 0.0
    best = tl.max(logits, axis=0)
    for i in tl.static_range(K):
        value, index = tl.max(logits, axis=0, return_indices=True)
        weight = tl.exp(value - best)
        total += weight
        tl.store(weights_ptr + token * K + i, weight)
        tl.store(ids_ptr + token * K + i, index)
        logits = tl.where(experts == index, -float("inf"), logits)
    for i in tl.static_range(K):
        where = weights_ptr + token * K + i
        tl.store(where, tl.load(where) / total)


@triton.jit
def sorted_top_k_kernel(x_ptr, out_ptr, n, K: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * n + cols, mask=cols < n, other=-float("inf"))
    tl.store(out_ptr + row * K + tl.arange(0, K), tl.topk(x, K))
