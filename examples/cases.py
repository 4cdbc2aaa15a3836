"""Every example kernel with inputs and what NumPy says the result is. `examples/demo` shows them, the tests check them.

A Case runs one kernel through the `kdsl run` command: arrays become .npy files, everything else stands on the command line
as written. `expect` maps the names of arrays that the kernel writes to their expected content.
"""
import dataclasses
import math
import os
import subprocess
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclasses.dataclass
class Case:
    name: str                  # for people: "softmax 781 columns"
    kernel: str                # FILE:KERNEL, in this folder
    arrays: dict               # argument name -> array, in its state before the launch
    params: dict               # argument name -> text of the command line
    grid: str
    expect: dict               # argument name -> array after the launch
    rtol: float = 1e-5
    atol: float = 1e-6
    options: tuple = ()


@dataclasses.dataclass
class Outcome:
    ok: bool
    message: str
    seconds: float
    worst: float = 0.0         # largest error, as a multiple of the tolerance


def run(case, kdsl="kdsl", extra=()):
    """Runs a case; the arrays it writes are read back and compared."""
    with tempfile.TemporaryDirectory(prefix="kdsl-example-") as folder:
        words = [kdsl, "run", os.path.join(HERE, case.kernel)]
        for name, array in case.arrays.items():
            np.save(os.path.join(folder, name + ".npy"), array)
            words.append("%s=@%s.npy" % (name, os.path.join(folder, name)))
        words += ["%s=%s" % item for item in case.params.items()] + ["--grid", case.grid]
        for name in case.expect:
            words += ["--save", "%s=%s" % (name, os.path.join(folder, name + ".out.npy"))]
        start = time.perf_counter()
        done = subprocess.run(words + list(case.options) + list(extra), capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            return Outcome(False, "exit status %d\n%s" % (done.returncode, done.stderr), seconds)
        worst = 0.0
        for name, want in case.expect.items():
            got = np.load(os.path.join(folder, name + ".out.npy"))
            if got.shape != want.shape:
                return Outcome(False, "%s has shape %s instead of %s" % (name, got.shape, want.shape), seconds)
            with np.errstate(all="ignore"):
                w, g = want.astype(np.float64), got.astype(np.float64)
                error = np.abs(w - g) / (case.atol + case.rtol * np.abs(w))
            error[(w == g) | (np.isnan(w) & np.isnan(g))] = 0
            error[np.isnan(error)] = math.inf
            if error.size and error.max() > 1:
                at = np.unravel_index(np.argmax(error), error.shape)
                return Outcome(False, "%s%s is %r instead of %r; %d of %d elements differ" %
                               (name, list(map(int, at)), got[at], want[at], (error > 1).sum(), error.size), seconds, float(error.max()))
            worst = max(worst, float(error.max()) if error.size else 0.0)
        return Outcome(True, "", seconds, worst)


# ---- what NumPy needs to play along ----

def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def erf(x):
    return np.vectorize(math.erf)(x)


def philox(seed, offset):
    """Philox4x32-10 (Salmon et al., SC 2011) with counter (offset, 0, 0, 0): the first word."""
    c = [offset.astype(np.uint64), np.zeros_like(offset, np.uint64), np.zeros_like(offset, np.uint64), np.zeros_like(offset, np.uint64)]
    k0, k1, low = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32), np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k0, p1 & low, (p0 >> np.uint64(32)) ^ c[3] ^ k1, p0 & low]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return c[0].astype(np.uint32)


def uniform(seed, offset):
    x = philox(seed, offset).view(np.int32)
    return np.where(x < 0, -x - 1, x).astype(np.float32) * np.float32(4.6566127342e-10)


def e4m3(x):
    """Nearest float8 e4m3fn encodings, saturating."""
    grid = np.array([(c & 7) * 2.0 ** -9 if c < 8 else (8 + (c & 7)) * 2.0 ** ((c >> 3) - 10) for c in range(127)])
    up = np.searchsorted(grid, np.abs(x))
    up = np.clip(up, 1, 126)
    low, high = grid[up - 1], grid[up]
    d = np.abs(x) * 2 - low - high
    code = np.where((d > 0) | ((d == 0) & (up % 2 == 0)), up, up - 1)
    return (code | (np.signbit(x) * 0x80)).astype(np.uint8)


def im2col(x, kh, kw, stride, padding, out_h, out_w):
    p = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return np.stack([np.stack([p[:, i:i + stride * out_h:stride, j:j + stride * out_w:stride] for j in range(kw)], 3)
                     for i in range(kh)], 3)  # n, y, x, kh, kw, c


def make_cases(seed=0):
    r = np.random.default_rng(seed)

    def f32(*shape):
        return r.standard_normal(shape).astype(np.float32)

    def zeros(*shape, dtype=np.float32):
        return np.zeros(shape, dtype)

    out = []

    def case(*args, **kw):
        out.append(Case(*args, **kw))

    x, y = f32(100_003), f32(100_003)
    case("vector add", "vector_add.py:add_kernel", {"x_ptr": x, "y_ptr": y, "out_ptr": zeros(x.size)},
         {"n_elements": "x_ptr.numel", "BLOCK_SIZE": "1024"}, "cdiv(n_elements, BLOCK_SIZE)", {"out_ptr": x + y}, rtol=0)

    x, b, res = f32(77, 300), f32(300), f32(77, 300)
    v = (x + b).astype(np.float64)
    tanh = 0.5 * v * (1 + np.tanh(0.7978845608028654 * (v + 0.044715 * v ** 3))) + res
    exact = 0.5 * v * (1 + erf(v / math.sqrt(2))) + res
    for how, want in (("tanh", tanh), ("none", exact)):
        case("bias + gelu (%s) + residual" % how, "gelu.py:bias_gelu_residual_kernel",
             {"x_ptr": x, "bias_ptr": b, "residual_ptr": res, "out_ptr": zeros(77, 300)},
             {"n_elements": "x_ptr.numel", "n_columns": "x_ptr.shape[1]", "APPROXIMATE": "'%s'" % how, "BLOCK": "1024"},
             "cdiv(n_elements, BLOCK)", {"out_ptr": want.astype(np.float32)}, rtol=1e-4, atol=1e-5)

    x = f32(96, 781)
    case("softmax, 781 columns", "softmax.py:softmax_kernel", {"x": x, "out": zeros(96, 781)},
         {"n": "781", "sx": "x.stride(0)", "so": "out.stride(0)", "BLOCK": "next_power_of_2(n)"}, "x.shape[0]", {"out": softmax(x)})
    x = f32(9, 5000)
    case("softmax in a loop, 5000 columns", "softmax.py:softmax_looped_kernel", {"x_ptr": x, "out_ptr": zeros(9, 5000)},
         {"n_columns": "x_ptr.shape[1]", "stride": "x_ptr.stride(0)", "BLOCK": "512"}, "x_ptr.shape[0]", {"out_ptr": softmax(x)})

    rows, n = 37, 700
    x, w, b, dy = f32(rows, n), f32(n), f32(n), f32(rows, n)
    mean, var = x.mean(1, dtype=np.float64), x.astype(np.float64).var(1)
    rstd = 1 / np.sqrt(var + 1e-5)
    hat = (x - mean[:, None]) * rstd[:, None]
    case("layer norm forward", "layer_norm.py:layer_norm_fwd_kernel",
         {"X": x, "Y": zeros(rows, n), "W": w, "B": b, "Mean": zeros(rows), "Rstd": zeros(rows)},
         {"stride": "X.stride(0)", "N": "X.shape[1]", "eps": "1e-5", "BLOCK_SIZE": "256"}, "X.shape[0]",
         {"Y": hat * w + b, "Mean": mean, "Rstd": rstd}, rtol=1e-4, atol=1e-5)
    wdy = w * dy
    dx = (wdy - (hat * (hat * wdy).mean(1, keepdims=True) + wdy.mean(1, keepdims=True))) * rstd[:, None]
    groups = 5
    dw = np.stack([(dy * hat)[g * 8:(g + 1) * 8].sum(0) for g in range(groups)])
    db = np.stack([dy[g * 8:(g + 1) * 8].sum(0) for g in range(groups)])
    case("layer norm backward", "layer_norm.py:layer_norm_bwd_dx_kernel",
         {"DX": zeros(rows, n), "DY": dy, "X": x, "W": w, "Mean": mean.astype(np.float32), "Rstd": rstd.astype(np.float32),
          "DW_partial": zeros(groups, n), "DB_partial": zeros(groups, n)},
         {"n_rows": "37", "stride": "X.stride(0)", "N": "X.shape[1]", "ROWS_PER_PROGRAM": "8", "BLOCK_SIZE": "1024"}, "5",
         {"DX": dx, "DW_partial": dw, "DB_partial": db}, rtol=1e-4, atol=1e-4)
    pw, pb = f32(groups, n), f32(groups, n)
    case("layer norm backward, weights", "layer_norm.py:layer_norm_bwd_dwdb_kernel",
         {"DW_partial": pw, "DB_partial": pb, "DW": zeros(n), "DB": zeros(n)},
         {"n_groups": "5", "N": "700", "BLOCK_M": "4", "BLOCK_N": "128"}, "cdiv(N, BLOCK_N)",
         {"DW": pw.sum(0, dtype=np.float64), "DB": pb.sum(0, dtype=np.float64)}, rtol=1e-5, atol=1e-5)

    rows, n = 29, 640
    x, w, dy = f32(rows, n), f32(n), f32(rows, n)
    rstd = 1 / np.sqrt((x.astype(np.float64) ** 2).mean(1) + 1e-6)
    case("rms norm forward", "rms_norm.py:rms_norm_fwd_kernel", {"Y": zeros(rows, n), "X": x, "W": w, "Rstd": zeros(rows)},
         {"stride": "X.stride(0)", "n_cols": "X.shape[1]", "eps": "1e-6", "offset": "0.0", "BLOCK_SIZE": "1024"}, "X.shape[0]",
         {"Y": x * rstd[:, None] * w, "Rstd": rstd}, rtol=1e-4, atol=1e-5)
    m = dy * w.astype(np.float64)
    dx = rstd[:, None] * (m - x * (rstd ** 2)[:, None] / n * (m * x).sum(1, keepdims=True))
    part = dy * x * rstd[:, None]
    case("rms norm backward", "rms_norm.py:rms_norm_bwd_kernel",
         {"DX": zeros(rows, n), "DY": dy, "X": x, "W": w, "Rstd": rstd.astype(np.float32), "DW_partial": zeros(4, n)},
         {"stride": "X.stride(0)", "n_rows": "29", "n_cols": "X.shape[1]", "offset": "0.0", "ROWS_PER_PROGRAM": "8", "BLOCK_SIZE": "1024"},
         "4", {"DX": dx, "DW_partial": np.stack([part[g * 8:(g + 1) * 8].sum(0) for g in range(4)])}, rtol=1e-4, atol=1e-4)

    strides = {"stride_am": "a_ptr.stride(0)", "stride_ak": "a_ptr.stride(1)", "stride_bk": "b_ptr.stride(0)",
               "stride_bn": "b_ptr.stride(1)", "stride_cm": "c_ptr.stride(0)", "stride_cn": "c_ptr.stride(1)"}
    sizes = {"M": "a_ptr.shape[0]", "N": "b_ptr.shape[1]", "K": "a_ptr.shape[1]"}
    a, b, bias = f32(150, 70), f32(70, 200), f32(200)
    prod = a.astype(np.float64) @ b
    case("matmul 150x200x70 f32", "matmul.py:matmul_kernel", {"a_ptr": a, "b_ptr": b, "c_ptr": zeros(150, 200)},
         {"bias_ptr": "None", **sizes, **strides, "ACTIVATION": "None", "BLOCK_M": "64", "BLOCK_N": "64", "BLOCK_K": "32", "GROUP_M": "8"},
         "cdiv(M, BLOCK_M) * cdiv(N, BLOCK_N)", {"c_ptr": prod}, rtol=1e-4, atol=1e-4)
    leaky = prod + bias
    leaky = np.where(leaky >= 0, leaky, 0.01 * leaky)
    case("matmul + bias + leaky relu, config 2", "matmul.py:matmul_kernel",
         {"a_ptr": a, "b_ptr": b, "c_ptr": zeros(150, 200), "bias_ptr": bias}, {**sizes, **strides, "ACTIVATION": "'leaky_relu'"},
         "cdiv(M, BLOCK_M) * cdiv(N, BLOCK_N)", {"c_ptr": leaky}, rtol=1e-4, atol=1e-4, options=("--config", "2"))
    h, g = a.astype(np.float16), b.astype(np.float16)
    case("matmul f16", "matmul.py:matmul_kernel", {"a_ptr": h, "b_ptr": g, "c_ptr": zeros(150, 200, dtype=np.float16)},
         {"bias_ptr": "None", **sizes, **strides, "ACTIVATION": "None", "BLOCK_M": "32", "BLOCK_N": "64", "BLOCK_K": "16", "GROUP_M": "4"},
         "cdiv(M, BLOCK_M) * cdiv(N, BLOCK_N)", {"c_ptr": h.astype(np.float64) @ g}, rtol=2e-3, atol=2e-3)
    h, g = r.integers(-128, 128, (150, 70), dtype=np.int8), r.integers(-128, 128, (70, 200), dtype=np.int8)
    case("matmul int8", "matmul.py:matmul_kernel", {"a_ptr": h, "b_ptr": g, "c_ptr": zeros(150, 200, dtype=np.int32)},
         {"bias_ptr": "None", **sizes, **strides, "ACTIVATION": "None", "BLOCK_M": "32", "BLOCK_N": "64", "BLOCK_K": "32", "GROUP_M": "4"},
         "cdiv(M, BLOCK_M) * cdiv(N, BLOCK_N)", {"c_ptr": h.astype(np.int32) @ g.astype(np.int32)}, rtol=0, atol=0)

    a, b = f32(3, 50, 45), f32(3, 45, 70)
    want = a.astype(np.float64) @ b
    blocks = {"BLOCK_M": "32", "BLOCK_N": "32", "BLOCK_K": "16"}
    case("batched matmul, block pointers", "batched_matmul.py:bmm_block_ptr_kernel", {"a_ptr": a, "b_ptr": b, "c_ptr": zeros(3, 50, 70)},
         {"M": "50", "N": "70", "K": "45", **{"s%s%s" % (t, d): "%s_ptr.stride(%d)" % (t, i) for t, ds in
          (("a", "bmk"), ("b", "bkn"), ("c", "bmn")) for i, d in enumerate(ds)}, **blocks},
         "cdiv(M, BLOCK_M), cdiv(N, BLOCK_N), 3", {"c_ptr": want}, rtol=1e-4, atol=1e-4)
    case("batched matmul, descriptors", "batched_matmul.py:bmm_descriptor_kernel", {"a_ptr": a, "b_ptr": b, "c_ptr": zeros(3, 50, 70)},
         {"B": "3", "M": "50", "N": "70", "K": "45", **blocks}, "cdiv(M, BLOCK_M), cdiv(N, BLOCK_N), B", {"c_ptr": want},
         rtol=1e-4, atol=1e-4)

    heads, ctx, dim = 3, 150, 32
    q, k, v = f32(heads, ctx, dim), f32(heads, ctx, dim), f32(heads, ctx, dim)
    for causal in (False, True):
        s = np.einsum("hid,hjd->hij", q.astype(np.float64), k) * 0.17
        if causal:
            s = np.where(np.tril(np.ones((ctx, ctx), bool)), s, -np.inf)
        lse = np.log2(np.exp(s - s.max(-1, keepdims=True)).sum(-1)) + s.max(-1) / math.log(2)
        case("flash attention%s" % (", causal" if causal else ""), "flash_attention.py:attention_fwd_kernel",
             {"Q": q, "K": k, "V": v, "Out": zeros(heads, ctx, dim), "L": zeros(heads, ctx)},
             {"sm_scale": "0.17", **{"stride_%s%s" % (t.lower(), d): "%s.stride(%d)" % (n, i) for t, n, ds in
              (("q", "Q", "hm"), ("k", "K", "hn"), ("v", "V", "hn"), ("o", "Out", "hm")) for i, d in enumerate(ds)},
              "n_ctx": "150", "HEAD_DIM": "32", "CAUSAL": str(causal), "BLOCK_M": "64", "BLOCK_N": "32"},
             "cdiv(n_ctx, BLOCK_M), %d" % heads, {"Out": softmax(s) @ v, "L": lse}, rtol=1e-4, atol=1e-4)

    x = f32(3001)
    keep = uniform(0x1234567890, np.arange(x.size)) > np.float32(0.3)
    case("dropout", "dropout.py:seeded_dropout_kernel", {"x_ptr": x, "out_ptr": zeros(x.size)},
         {"n_elements": "x_ptr.numel", "p": "0.3", "seed": str(0x1234567890), "BLOCK_SIZE": "512"}, "cdiv(n_elements, BLOCK_SIZE)",
         {"out_ptr": np.where(keep, x / (1 - np.float32(0.3)), 0)})

    rows, n = 13, 1000
    x, target = f32(rows, n), r.integers(0, n, rows)
    target[4] = -100
    valid = target >= 0
    for smoothing in (0.0, 0.1):
        p = softmax(x.astype(np.float64))
        onehot = np.eye(n)[np.where(valid, target, 0)]
        want = (1 - smoothing) * onehot + smoothing / n
        loss = -(want * np.log(p)).sum(1) / valid.sum() * valid
        grad = (p - want) / valid.sum() * valid[:, None]
        case("cross entropy, smoothing %g" % smoothing, "cross_entropy.py:cross_entropy_kernel",
             {"X_ptr": x, "Y_ptr": target, "loss_ptr": zeros(rows)},
             {"X_stride": "X_ptr.stride(0)", "n_cols": "1000", "n_valid": str(int(valid.sum())), "ignore_index": "-100",
              "label_smoothing": str(smoothing), "BLOCK_SIZE": "256"}, "X_ptr.shape[0]", {"X_ptr": grad, "loss_ptr": loss},
             rtol=1e-4, atol=1e-6)

    tokens, n_heads, dim = 10, 8, 64
    q, angle = f32(tokens, n_heads, dim), r.standard_normal((5, dim // 2))
    c, s = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    pos = np.arange(tokens) % 5
    one, two = q[..., :dim // 2], q[..., dim // 2:]
    rot = np.concatenate([one * c[pos][:, None] - two * s[pos][:, None], two * c[pos][:, None] + one * s[pos][:, None]], -1)
    case("rope", "rope.py:rope_kernel", {"q_ptr": q, "cos_ptr": c, "sin_ptr": s},
         {"q_row_stride": "q_ptr.stride(0)", "cs_row_stride": "cos_ptr.stride(0)", "seq_len": "5", "N_HEADS": "8", "HEAD_DIM": "64"},
         "q_ptr.shape[0]", {"q_ptr": rot})

    logits = f32(20, 60)
    order = np.argsort(-logits, 1)[:, :4]
    best = np.take_along_axis(logits, order, 1)
    case("top-k routing", "top_k.py:top_k_kernel", {"logits_ptr": logits, "weights_ptr": zeros(20, 4), "ids_ptr": zeros(20, 4, dtype=np.int32)},
         {"n_experts": "60", "stride": "logits_ptr.stride(0)", "K": "4", "BLOCK": "64"}, "20",
         {"weights_ptr": softmax(best), "ids_ptr": order})
    case("top-k by sorting", "top_k.py:sorted_top_k_kernel", {"x_ptr": logits, "out_ptr": zeros(20, 8)},
         {"n": "60", "K": "8", "BLOCK": "64"}, "20", {"out_ptr": -np.sort(-logits, 1)[:, :8]}, rtol=0)

    x = f32(5, 1300)
    for reverse in (False, True):
        y = x[:, ::-1] if reverse else x
        y = np.cumsum(y, 1, dtype=np.float64)
        case("cumsum%s" % (", reversed" if reverse else ""), "cumsum.py:cumsum_kernel", {"x_ptr": x, "out_ptr": zeros(5, 1300)},
             {"n_cols": "1300", "stride": "x_ptr.stride(0)", "REVERSE": str(reverse), "BLOCK": "256"}, "5",
             {"out_ptr": y[:, ::-1] if reverse else y}, rtol=1e-4, atol=1e-4)
    a, b = r.uniform(0.5, 1, (4, 100)).astype(np.float32), f32(4, 100)
    state, want = np.zeros(4), np.zeros((4, 100))
    for t in range(100):
        state = a[:, t] * state + b[:, t]
        want[:, t] = state
    case("linear recurrence", "cumsum.py:linear_recurrence_kernel", {"decay_ptr": a, "x_ptr": b, "out_ptr": zeros(4, 100)},
         {"n": "100", "BLOCK": "128"}, "4", {"out_ptr": want}, rtol=1e-4, atol=1e-5)

    x = r.integers(0, 50, 10_007).astype(np.int32)
    counts = np.bincount(x, minlength=64).astype(np.int32)
    case("histogram by atomics", "histogram.py:histogram_atomic_kernel", {"x_ptr": x, "counts_ptr": zeros(64, dtype=np.int32)},
         {"n": "x_ptr.numel", "n_bins": "64", "BLOCK": "256"}, "cdiv(n, BLOCK)", {"counts_ptr": counts}, rtol=0)
    case("histogram by blocks", "histogram.py:histogram_block_kernel", {"x_ptr": x, "counts_ptr": zeros(64, dtype=np.int32)},
         {"n": "x_ptr.numel", "N_BINS": "64", "BLOCK": "512"}, "cdiv(n, BLOCK)", {"counts_ptr": counts}, rtol=0)

    x = f32(17, 333)
    scale = np.maximum(np.abs(x).max(1) / np.float32(127), np.float32(1e-10))
    case("quantize to int8", "quantize.py:quantize_int8_kernel",
         {"x_ptr": x, "q_ptr": zeros(17, 333, dtype=np.int8), "scale_ptr": zeros(17)}, {"n_cols": "333", "BLOCK": "512"}, "17",
         {"q_ptr": np.rint(x / scale[:, None]).astype(np.int8), "scale_ptr": scale}, rtol=1e-6)
    x = f32(6, 256)
    blocks = x.reshape(6, 2, 128)
    scale = np.abs(blocks).max(-1) / np.float32(448)
    case("quantize to fp8", "quantize.py:quantize_fp8_kernel", {"x_ptr": x, "scale_ptr": zeros(6, 2)},
         {"q_ptr": "zeros:fp8e4nv[6,256]", "n_cols": "256", "BLOCK": "128"}, "6, cdiv(n_cols, BLOCK)",
         {"q_ptr": e4m3((blocks / scale[..., None]).astype(np.float32)).reshape(6, 256), "scale_ptr": scale}, rtol=1e-6)

    ids, table = r.integers(0, 40, 23), f32(40, 100)
    case("embedding", "embedding.py:embedding_kernel", {"ids_ptr": ids, "table_ptr": table, "out_ptr": zeros(23, 100)},
         {"n_ids": "23", "dim": "100", "BLOCK_IDS": "8", "BLOCK_DIM": "64"}, "cdiv(n_ids, BLOCK_IDS), cdiv(dim, BLOCK_DIM)",
         {"out_ptr": table[ids]}, rtol=0)
    grad = f32(23, 100)
    want = np.zeros((40, 100))
    np.add.at(want, ids, grad)
    case("embedding backward", "embedding.py:embedding_backward_kernel", {"ids_ptr": ids, "grad_ptr": grad, "grad_table_ptr": zeros(40, 100)},
         {"dim": "100", "BLOCK_DIM": "64"}, "23, cdiv(dim, BLOCK_DIM)", {"grad_table_ptr": want}, rtol=1e-5, atol=1e-5)

    x = f32(70, 130)
    case("transpose", "transpose.py:transpose_kernel", {"x_ptr": x, "out_ptr": zeros(130, 70)},
         {"M": "70", "N": "130", "stride_x": "x_ptr.stride(0)", "stride_out": "out_ptr.stride(0)", "BLOCK_M": "32", "BLOCK_N": "64"},
         "cdiv(M, BLOCK_M), cdiv(N, BLOCK_N)", {"out_ptr": x.T}, rtol=0)

    x, w, b = f32(2, 13, 11, 20), f32(3, 3, 20, 24), f32(24)
    for stride in (1, 2):
        oh, ow = (13 + 2 - 3) // stride + 1, (11 + 2 - 3) // stride + 1
        want = np.einsum("nyxklc,klcd->nyxd", im2col(x.astype(np.float64), 3, 3, stride, 1, oh, ow), w) + b
        case("convolution 3x3, stride %d" % stride, "conv2d.py:conv2d_kernel",
             {"x_ptr": x, "w_ptr": w, "bias_ptr": b, "out_ptr": zeros(2, oh, ow, 24)},
             {"batch": "2", "height": "13", "width": "11", "c_in": "20", "c_out": "24", "out_h": str(oh), "out_w": str(ow), "KH": "3", "KW": "3",
              "STRIDE": str(stride), "PADDING": "1", "BLOCK_M": "32", "BLOCK_N": "32", "BLOCK_K": "16"},
             "cdiv(batch * out_h * out_w, BLOCK_M), cdiv(c_out, BLOCK_N)", {"out_ptr": want}, rtol=1e-4, atol=1e-4)

    x, w, b = f32(2, 12, 90), f32(12), f32(12)
    g = x.astype(np.float64).reshape(2, 3, 4, 90)
    hat = ((g - g.mean((2, 3), keepdims=True)) / np.sqrt(g.var((2, 3), keepdims=True) + 1e-5)).reshape(2, 12, 90)
    y = hat * w[:, None] + b[:, None]
    case("group norm + silu", "group_norm.py:group_norm_silu_kernel", {"x_ptr": x, "out_ptr": zeros(2, 12, 90), "w_ptr": w, "b_ptr": b},
         {"n_channels": "12", "n_pixels": "90", "eps": "1e-5", "CHANNELS_PER_GROUP": "4", "BLOCK_C": "4", "BLOCK_P": "32", "SILU": "True"},
         "2, 3", {"out_ptr": y / (1 + np.exp(-y))}, rtol=1e-4, atol=1e-4)

    x = f32(10_001)
    case("sum by atomics", "reduce_sum.py:sum_atomic_kernel", {"x_ptr": x, "out_ptr": zeros(1)}, {"n": "x_ptr.numel", "BLOCK": "1024"},
         "cdiv(n, BLOCK)", {"out_ptr": x.sum(dtype=np.float64, keepdims=True)}, rtol=1e-4, atol=1e-3)
    part = np.array([x[i:i + 1024].sum(dtype=np.float64) for i in range(0, x.size, 1024)])
    case("partial sums", "reduce_sum.py:sum_partial_kernel", {"x_ptr": x, "partial_ptr": zeros(part.size)},
         {"n": "x_ptr.numel", "BLOCK": "1024"}, "cdiv(n, BLOCK)", {"partial_ptr": part}, rtol=1e-5, atol=1e-4)
    return out
