"""How fast graphs run, beside PyTorch, onnxruntime and OpenVINO.

usage: ./dev bench graph [--json FILE] [--chart FILE.svg] [--engines A,B] [--rounds N] [--threads N] [--bf16] [--warm] [MODEL ...]

Each engine has a process of its own, and they take turns: in each round each of them runs for a moment while the others wait. So all see
the same machine, and what counts is the ratio. A model's figures are the median of all runs, the quartiles, and the least median of a round,
which is closest to what a quiet machine would show. The first result is timed twice, in a process that finds the caches of kdsl and PyTorch
empty and in one that finds what the first one has left there. Memory is the peak of that second process over what it had when its libraries
were loaded: what a model of PyTorch's takes itself is in it where the engine works on one. Peers come from PyPI, into a folder of the user's
cache (requirements.txt), unless KDSL_BENCH_PYTHON names a Python that has them."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import chart

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "kdsl" / "bench-graph"
MODELS = ("resnet50-b1", "resnet50-b8", "mobilenetv3-b1", "vit-b1", "bert-128", "gpt-256", "llama-128")
OURS = ("kdsl", "kdsl-torch")       # through the C API; through torch.compile
PEERS = ("eager", "inductor", "freezing", "onnxruntime", "openvino")
MOMENT = 0.25       # seconds that an engine runs for in a round


def peers_python():
    if "KDSL_BENCH_PYTHON" in os.environ:
        return os.environ["KDSL_BENCH_PYTHON"]
    folder, wanted = CACHE / "python", (HERE / "requirements.txt").read_text()
    done = folder / "requirements.txt"
    if not done.exists() or done.read_text() != wanted:
        print(f"installing the peers in {folder} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        done.write_text(wanted)
    return folder / "bin/python"


class Engine:
    """A process that has a model ready. caches: a folder for what engines keep from one process to the next."""

    def __init__(self, name, model, folder, args, python, caches):
        paths = [str(PROJECT / "build/python"), os.environ.get("PYTHONPATH", "")]
        env = os.environ | {"KDSL_BENCH_LIBRARY": str(PROJECT / "build" / "libkdsl.so.0"), "OMP_NUM_THREADS": str(args.threads),
                            "KDSL_CACHE_DIR": str(caches / "kdsl"), "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
                            "PYTHONPATH": ":".join(filter(None, paths)), "KDSL_NUM_THREADS": str(args.threads)}
        words = [python, HERE / "engines.py", name, model, folder, str(args.threads)] + (["bf16"] if args.bf16 else [])
        self.name, self.medians, self.times, self.cold = name, [], [], None
        with open(folder / f"{name}.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=env, cwd=HERE)
        self.ready = self.answer()
        if self.ready is None:
            last = (folder / f"{name}.log").read_text(encoding="utf-8").strip().splitlines()[-1:]
            print(f"{model:16} {name:12} failed: {''.join(last)}", flush=True)

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def run(self, n):
        print(n, file=self.process.stdin, flush=True)
        return self.answer()

    def take_turn(self):
        n = 1 if not self.times else max(1, min(200, int(MOMENT / statistics.median(self.times))))
        times = self.run(n)
        self.times += times
        self.medians.append(statistics.median(times))

    def figures(self):
        times = sorted(self.times)
        return {"engine": self.name, "cold_s": self.cold, "first_s": self.ready["first"], "memory_mib": self.ready["memory_mib"],
                "error": self.ready["error"], "n": len(times), "median_ms": statistics.median(times) * 1e3,
                "low_ms": times[len(times) // 4] * 1e3, "high_ms": times[len(times) * 3 // 4] * 1e3, "least_ms": min(self.medians) * 1e3}

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def start(name, model, folder, args, python, caches):
    """The engine in a process that finds its caches filled, unless they are not wanted cold: then as they are."""
    if args.warm:
        if name in OURS:        # what an earlier build has left there is not for this one
            Engine(name, model, folder, args, python, CACHE / "warm").stop()
        return Engine(name, model, folder, args, python, CACHE / "warm")
    first = Engine(name, model, folder, args, python, caches)
    first.stop()
    if not first.ready:
        return first
    second = Engine(name, model, folder, args, python, caches)
    second.cold = first.ready["first"]
    return second


def tell(model, r):
    first = f"{r['first_s']:.2f} s" if r["cold_s"] is None else f"{r['cold_s']:.2f} s cold, {r['first_s']:.2f} s warm"
    peer = "" if r["best_peer_over_it"] is None else f"; {r['best_peer_over_it']:.2f} of the best peer's speed"
    print(f"{model:16} {r['engine']:12} {r['median_ms']:9.2f} ms ({r['low_ms']:.2f} to {r['high_ms']:.2f}), least {r['least_ms']:9.2f}; first result "
          f"{first}; {r['memory_mib']:.0f} MiB; error {r['error']:.1e}{peer}", flush=True)


def measure(model, args, python):
    folder = CACHE / model
    if not all((folder / name).exists() for name in ("model-bf16.pt2", "weights.pt")):
        print(f"exporting {model} ...", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([python, HERE / "engines.py", "export", model, folder, "0"], check=True, cwd=HERE, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    caches = pathlib.Path(tempfile.mkdtemp(prefix="kdsl-bench-"))
    try:
        engines = [start(name, model, folder, args, python, caches) for name in args.engines]
        running = [e for e in engines if e.ready]
        for _ in range(args.rounds):
            for e in running:
                e.take_turn()
        for e in running:
            e.stop()
    finally:
        shutil.rmtree(caches)
    results = [e.figures() for e in running]
    others = [o["least_ms"] for o in results if o["engine"] not in OURS]
    for r in results:
        r["best_peer_over_it"] = min(others) / r["least_ms"] if others else None
        tell(model, r)
    return {"model": model, "threads": args.threads, "type": "bf16" if args.bf16 else "f32", "load": os.getloadavg()[0], "engines": results}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench graph", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"{', '.join(MODELS)}; all of them where none is named")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--chart", metavar="FILE", help="an SVG picture")
    parser.add_argument("--engines", type=lambda s: s.split(","), default=[*OURS, *PEERS], metavar="A,B", help=", ".join((*OURS, *PEERS)))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="weights and inputs in bf16 (onnxruntime stays in f32)")
    parser.add_argument("--warm", action="store_true", help="do without the times in empty caches: engines find what former calls, and this build of kdsl, have left")
    args = parser.parse_args()
    unknown = [m for m in args.models if m not in MODELS] + [e for e in args.engines if e not in OURS + PEERS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    python = peers_python()
    results = [measure(model, args, python) for model in args.models or MODELS]
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if args.chart:
        pathlib.Path(args.chart).write_text(chart.draw(results), encoding="utf-8")


if __name__ == "__main__":
    main()
