"""ResNet-50 with random weights through torch.compile(model, backend="kdsl"), beside PyTorch alone. ./dev demo runs it."""
import statistics
import sys
import time

import torch
import torchvision

RUNS = 10


def milliseconds(run):
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)


def main():
    torch.manual_seed(0)
    model, x = torchvision.models.resnet50().eval(), torch.randn(1, 3, 224, 224)
    fast = torch.compile(model, backend="kdsl")
    with torch.no_grad():
        began = time.perf_counter()
        got = fast(x)
        first = time.perf_counter() - began
        want = model(x)
        error = float((got - want).abs().max() / want.abs().max())
        kdsl, eager = milliseconds(lambda: fast(x)), milliseconds(lambda: model(x))
    ok = error < 1e-4
    print(f"torch.compile(resnet50, backend=\"kdsl\"): {'ok' if ok else 'FAIL'}, relative error {error:.1g}; {kdsl:.1f} ms a call, "
          f"PyTorch {eager:.1f} ms (medians of {RUNS}); first result after {first:.1f} s, most of it PyTorch's tracing")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
