"""Compiles kernels written as IR text and runs them on NumPy arrays, through the compiler's own C functions."""
import ctypes as C
import os
from pathlib import Path

import numpy as np

BUILD = Path(os.environ.get("KDSL_BUILD", Path(__file__).resolve().parents[2] / "build"))
core = C.CDLL(str(BUILD / "libkdsl.so"), mode=C.RTLD_GLOBAL)
codegen = C.CDLL(str(BUILD / "libkdsl-codegen.so"))


class Str(C.Structure):
    _fields_ = [("ptr", C.c_char_p), ("len", C.c_size_t)]


class Bytes(C.Structure):
    _fields_ = [("ptr", C.c_void_p), ("len", C.c_size_t)]


class Strbuf(C.Structure):
    _fields_ = [("arena", C.c_void_p), ("ptr", C.c_char_p), ("len", C.c_size_t), ("capacity", C.c_size_t)]


class Options(C.Structure):
    _fields_ = [("target", C.c_char_p), ("opt_level", C.c_uint), ("no_fusion", C.c_bool), ("assume_disjoint", C.c_bool),
                ("num_warps", C.c_uint), ("num_stages", C.c_uint), ("sub_group_size", C.c_uint), ("print_after", C.c_char_p),
                ("time_passes", C.c_bool), ("log", C.c_void_p)]


class Arg(C.Structure):
    _fields_ = [("name", C.c_char_p), ("is_pointer", C.c_bool), ("type", C.c_int), ("offset_bytes", C.c_uint32),
                ("size_bytes", C.c_uint32), ("divisible_by", C.c_uint32), ("is_written", C.c_bool)]


class Desc(C.Structure):
    _fields_ = [("name", C.c_char_p), ("target", C.c_char_p), ("format", C.c_int), ("args", C.POINTER(Arg)), ("n_args", C.c_uint32),
                ("args_size_bytes", C.c_uint32), ("scratch_bytes", C.c_uint32), ("needs_disjoint", C.c_bool),
                ("num_warps", C.c_uint32), ("num_stages", C.c_uint32), ("sub_group_size", C.c_uint32), ("slm_bytes", C.c_uint32),
                ("build_flags", C.c_char_p), ("n_messages", C.c_uint32), ("messages", C.c_void_p)]


class Result(C.Structure):
    _fields_ = [("bytes", Bytes), ("desc", Desc)]


COMPILE = C.CFUNCTYPE(C.c_int, C.c_void_p, C.c_char_p, C.POINTER(Options), C.c_int, C.c_void_p, C.c_void_p, C.POINTER(Result))


class Codegen(C.Structure):
    _fields_ = [("abi", C.c_uint), ("llvm_version", C.c_char_p), ("compile", COMPILE), ("target_name", C.c_void_p)]


for name in ("kd_arena_create", "kd_context_create", "kd_diags_create", "kd_parse_ir"):
    getattr(core, name).restype = C.c_void_p
core.kd_diags_text.restype = C.c_char_p
codegen.kd_codegen_entry.restype = C.POINTER(Codegen)
assert codegen.kd_codegen_entry().contents.abi == 3, "the structures above are those of another codegen.h"
OBJECT, CPU, LLVM, ASM = range(4)
ENTRY = C.CFUNCTYPE(C.c_int32, C.c_void_p, C.c_void_p, C.c_uint64, C.c_uint64, C.c_void_p)
SCALARS = {0: "?", 1: "b", 2: "h", 3: "i", 4: "q", 5: "B", 6: "H", 7: "I", 8: "Q", 14: "e", 16: "f", 17: "d"}


RESOLVER = C.CFUNCTYPE(C.c_void_p, C.c_void_p, C.c_char_p)
core.kd_cpu_symbol.restype = C.c_void_p
core.kd_elf_function.restype = C.c_void_p
resolve = RESOLVER(lambda user, name: core.kd_cpu_symbol(name))


class CompileError(Exception):
    pass


def compile_text(text, kernel="k", emit=OBJECT, target="cpu", opt=2, fuse=True, disjoint=True, times=False):
    """The code's bytes and a copy of what describes it."""
    arena = C.c_void_p(core.kd_arena_create(None))
    try:
        diags = C.c_void_p(core.kd_diags_create(arena))
        data = text.encode()
        source = core.kd_source_add(diags, b"test.kir", Str(data, len(data)))
        context = C.c_void_p(core.kd_context_create(arena))
        module = C.c_void_p(core.kd_parse_ir(context, arena, diags, C.c_uint32(source)))
        if not module:
            raise CompileError(core.kd_diags_text(diags, arena).decode())
        log = Strbuf(arena.value)
        options = Options(target.encode(), opt, not fuse, disjoint, 4, 1, 0, None, times, C.addressof(log))
        result = Result()
        status = codegen.kd_codegen_entry().contents.compile(module, kernel.encode(), C.byref(options), emit, diags, arena, C.byref(result))
        if times:
            print(log.ptr.decode() if log.ptr else "")
        if status:
            raise CompileError(f"status {status}\n" + core.kd_diags_text(diags, arena).decode())
        desc = result.desc
        args = [(a.name.decode(), a.is_pointer, a.type, a.offset_bytes, a.size_bytes) for a in desc.args[:desc.n_args]]
        return C.string_at(result.bytes.ptr, result.bytes.len), {"args": args, "size": desc.args_size_bytes, "scratch": desc.scratch_bytes}
    finally:
        core.kd_arena_destroy(arena)


class Kernel:
    """A compiled kernel, loaded by the runtime's loader; it stays loaded."""

    def __init__(self, text, kernel="k", **options):
        code, self.desc = compile_text(text, kernel, **options)
        image, failure = C.c_void_p(), C.create_string_buffer(4096)
        status = core.kd_elf_load(code, C.c_size_t(len(code)), resolve, None, C.byref(image), failure)
        assert status == 0, f"the loader said {status}: {failure.raw[:200]}"
        self.entry = ENTRY(core.kd_elf_function(image, kernel.encode()))
        self.scratch = np.zeros(self.desc["scratch"] + 64, np.uint8)

    def pack(self, args):
        struct = bytearray(max(self.desc["size"], 1))
        for value, (name, is_pointer, kind, offset, size) in zip(args, self.desc["args"], strict=True):
            if is_pointer:
                data = C.c_void_p(value.ctypes.data if isinstance(value, np.ndarray) else value)
                struct[offset:offset + 8] = bytes(data)
            else:
                struct[offset:offset + size] = np.array(value, SCALARS[kind]).tobytes()
        return (C.c_char * len(struct)).from_buffer(struct)

    def __call__(self, *args, grid=(1,)):
        grid = tuple(grid) + (1,) * (3 - len(grid))
        packed = self.pack(args)
        at = (-self.scratch.ctypes.data) % 64
        extents = (C.c_uint32 * 3)(*grid)
        return self.entry(C.addressof(packed), C.addressof(extents), 0, grid[0] * grid[1] * grid[2],
                          self.scratch.ctypes.data + at)
