"""Lowers kernels written as IR text to the simt level, and runs that level: all work-items of a work-group in step, as rows of NumPy arrays."""
import ctypes as C

from kir import CompileError, Str, Strbuf, codegen, core


class Config(C.Structure):
    _fields_ = [("device", C.c_void_p), ("sub_group_size", C.c_uint), ("n_sub_groups", C.c_uint), ("num_stages", C.c_uint)]


class PipelineOptions(C.Structure):
    _fields_ = [("print_after", C.c_char_p), ("print_changed", C.c_bool), ("stop_after", C.c_char_p), ("time_passes", C.c_bool), ("verify", C.c_bool),
                ("max_ops", C.c_uint), ("gpu", C.c_void_p), ("log", C.c_void_p), ("scratch", C.c_void_p), ("more_passes", C.c_void_p),
                ("n_more_passes", C.c_uint)]


class Result(C.Structure):
    _fields_ = [("slm_bytes", C.c_uint32), ("messages", C.POINTER(C.c_char_p)), ("n_messages", C.c_uint32)]


core.kd_gpu_device_find.restype = core.kd_module_find.restype = C.c_void_p
codegen.kd_lower_to_simt.restype = C.c_bool


def lower(text, kernel="k", device="pvc", sub_group_size=16, n_sub_groups=4, passes="", first=""):
    """The simt level of a kernel of the gpu level, as text, and its bytes of SLM and messages. first: passes that lead to that level."""
    arena = C.c_void_p(core.kd_arena_create(None))
    try:
        diags = C.c_void_p(core.kd_diags_create(arena))
        data = text.encode()
        source = core.kd_source_add(diags, b"test.kir", Str(data, len(data)))
        context = C.c_void_p(core.kd_context_create(arena))
        module = C.c_void_p(core.kd_parse_ir(context, arena, diags, C.c_uint32(source)))
        if not module:
            raise CompileError(core.kd_diags_text(diags, arena).decode())
        config = Config(core.kd_gpu_device_find(device.encode()), sub_group_size, n_sub_groups, 1)
        func = C.c_void_p(core.kd_module_find(module, Str(kernel.encode(), len(kernel))))
        options = PipelineOptions(verify=True, gpu=C.cast(C.byref(config), C.c_void_p))
        if first and core.kd_pipeline_run(module, first.encode(), C.byref(options), diags, None):
            raise CompileError(core.kd_diags_text(diags, arena).decode())
        result = Result()
        if not codegen.kd_lower_to_simt(module, func, C.byref(config), diags, arena, C.byref(result)):
            raise CompileError(core.kd_diags_text(diags, arena).decode())
        if passes and core.kd_pipeline_run(module, passes.encode(), None, diags, None):
            raise CompileError(core.kd_diags_text(diags, arena).decode())
        out = Strbuf(arena.value)
        core.kd_print_module(module, C.byref(out))
        if not core.kd_verify_module(module, diags):
            raise CompileError(out.ptr.decode() + core.kd_diags_text(diags, arena).decode())
        return out.ptr.decode(), result.slm_bytes, [m.decode() for m in result.messages[:result.n_messages]]
    finally:
        core.kd_arena_destroy(arena)
