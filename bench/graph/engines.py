"""One engine with one model, in a process of its own: it says when it is ready, then runs as often as it is told.

usage: engines.py ENGINE MODEL FOLDER THREADS [bf16]      lines on standard input: how often to run; answers are JSON, a line each

ENGINE is a name of ENGINES below; FOLDER has what `engines.py export` made of the model."""
import ctypes
import json
import os
import pathlib
import sys
import time


class Memory:
    """Of this process: its peak over what it had at the beginning, when libraries were loaded but no model."""

    def begin(self):
        pathlib.Path("/proc/self/clear_refs").write_text("5")       # the peak is now's
        self.before = self.read("VmRSS")

    def taken_mib(self):
        return (self.read("VmHWM") - self.before) / 1024

    @staticmethod
    def read(name):
        status = pathlib.Path("/proc/self/status").read_text()
        return int(status.split(name + ":")[1].split()[0])


memory = Memory()


# ---- kdsl, through the C API ------------------------------------------------------------------------------------------------------

class TensorType(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("n_dims", ctypes.c_uint), ("shape", ctypes.c_int64 * 8), ("strides", ctypes.c_int64 * 8)]


class TensorInfo(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", TensorType)]


def kdsl(model, folder, threads, bf16):
    import numpy as np
    lib = ctypes.CDLL(os.environ["KDSL_BENCH_LIBRARY"])
    lib.kd_executable_output.restype = ctypes.POINTER(TensorInfo)
    why = ctypes.create_string_buffer(4096)

    def call(function, *args):
        if function(*args, why):
            sys.exit(why.value.decode())

    inputs = load_inputs(folder)
    if bf16:
        inputs = [to_bf16(a) if a.dtype == np.float32 else a for a in inputs]
    memory.begin()
    begin = time.perf_counter()
    executable, session = ctypes.c_void_p(), ctypes.c_void_p()
    call(lib.kd_executable_open, str(folder / f"model{bf16}.pt2").encode(), None, ctypes.byref(executable))    # threads: KDSL_NUM_THREADS
    call(lib.kd_session_create, executable, ctypes.byref(session))
    out = lib.kd_executable_output(executable, 0).contents.type
    result = np.empty(out.shape[:out.n_dims], np.uint16 if bf16 else np.float32)
    ins = (ctypes.c_void_p * len(inputs))(*[a.ctypes.data for a in inputs])
    outs = (ctypes.c_void_p * 1)(result.ctypes.data)
    run = lib.kd_session_run
    run.argtypes = [ctypes.c_void_p] * 4

    def once(inputs=inputs):    # whose memory ins points to
        if run(session, ins, outs, why):
            sys.exit(why.value.decode())
        return (result.astype(np.uint32) << 16).view(np.float32) if bf16 else result

    once()
    return once, time.perf_counter() - begin


def to_bf16(array):
    import numpy as np
    bits = array.view(np.uint32)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def load_inputs(folder):
    import numpy as np
    return [np.load(folder / f"input{i}.npy") for i in range(len(list(folder.glob("input*.npy"))))]


# ---- peers ------------------------------------------------------------------------------------------------------------------------

def torch_engine(prepare):
    def make(model, folder, threads, bf16):
        import torch
        import models
        torch.set_num_threads(threads)
        memory.begin()
        module, inputs = models.load(model, folder), tuple(torch.from_numpy(a) for a in load_inputs(folder))
        if bf16:
            module, inputs = module.bfloat16(), models.in_bf16(inputs)
        begin = time.perf_counter()
        module = prepare(torch, module)

        def once():
            with torch.no_grad():
                return module(*inputs).float().numpy()

        once()
        return once, time.perf_counter() - begin
    return make


def freezing(torch, module):
    import torch._inductor.config
    torch._inductor.config.freezing = True
    return torch.compile(module)


def onnx_runtime(model, folder, threads, bf16):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    inputs = load_inputs(folder)
    memory.begin()
    begin = time.perf_counter()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    feed = dict(zip([i.name for i in session.get_inputs()], inputs))
    session.run(None, feed)
    return lambda: session.run(None, feed)[0], time.perf_counter() - begin


def openvino(model, folder, threads, bf16):
    import openvino
    inputs = load_inputs(folder)
    memory.begin()
    begin = time.perf_counter()
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32"}
    request = openvino.Core().compile_model(str(folder / "model.onnx"), "CPU", settings).create_infer_request()
    request.infer(inputs, share_inputs=True)
    return lambda: request.infer(inputs, share_inputs=True, share_outputs=True)[0], time.perf_counter() - begin


ENGINES = {
    "kdsl": kdsl,
    "kdsl-torch": torch_engine(lambda torch, module: torch.compile(module, backend="kdsl")),
    "eager": torch_engine(lambda torch, module: module),
    "inductor": torch_engine(lambda torch, module: torch.compile(module)),
    "freezing": torch_engine(freezing),
    "onnxruntime": onnx_runtime,
    "openvino": openvino,
}


def main():
    engine, model, folder, threads = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)       # what libraries print is no answer
    if engine == "export":
        import export
        export.export(model, folder)
        return
    once, first = ENGINES[engine](model, folder, threads, "-bf16" if "bf16" in sys.argv[5:] else "")
    import numpy as np
    expected = np.load(folder / "expected.npy")
    error = float(np.abs(np.asarray(once(), np.float32).reshape(expected.shape) - expected).max() / np.abs(expected).max())
    print(json.dumps({"first": first, "error": error, "memory_mib": memory.taken_mib()}), file=answers)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            once()
            times.append(time.perf_counter() - begin)
        print(json.dumps(times), file=answers)


if __name__ == "__main__":
    main()
