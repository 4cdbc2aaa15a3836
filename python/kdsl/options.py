"""torch.compile(..., options={...}): names, defaults, environment variables, and the names that OpenVINO's backend has for the same."""
import dataclasses
import difflib
import os
import warnings

from kdsl import _kdsl


@dataclasses.dataclass(frozen=True)
class Options:
    """What a graph is compiled with."""
    device: str = "cpu"                     # or KDSL_DEVICE
    cache: bool = True                      # keep compiled kernels on disk; or KDSL_CACHE
    cache_dir: str | None = None            # where; None: KDSL_CACHE_DIR, or the user's cache folder
    fallback: str = "host"                  # nodes that kdsl cannot compile: "host" runs them in PyTorch, "error" raises; or KDSL_FALLBACK
    explain: bool = False                   # print what became of each graph; or KDSL_EXPLAIN
    threads: int = 0                        # 0: as many as PyTorch uses
    weights: str = "constants"              # parameters are packed once, and again when they change; "inputs": read at each run
    max_specializations: int = 32           # for how many shapes a graph is compiled before PyTorch runs the others
    max_recompiles: int = 3                 # how often weights may change before they become inputs
    disabled_ops: tuple = ()                # ops that are left to PyTorch: "aten.relu" or "aten.relu.default"
    dump_dir: str | None = None             # where to write the graphs and the kernels; or KDSL_DUMP_DIR
    fusion: bool = True                     # False: a kernel for each op, to track down a difference


FIELDS = {field.name: field for field in dataclasses.fields(Options)}
# OpenVINO's names (options and old environment variables) that mean one of ours, and those that mean nothing here.
ALIASES = {"model_caching": "cache"}
WITHOUT_EFFECT = {"aot_autograd", "decompositions", "testing", "executorch"}
CONFIG_ALIASES = {"CACHE_DIR": "cache_dir", "INFERENCE_NUM_THREADS": "threads"}
ENVIRONMENT = {
    "device": ("KDSL_DEVICE", "OPENVINO_TORCH_BACKEND_DEVICE"),
    "cache": ("KDSL_CACHE", "OPENVINO_TORCH_MODEL_CACHING"),
    "cache_dir": ("OPENVINO_TORCH_CACHE_DIR",),
    "fallback": ("KDSL_FALLBACK",),
    "explain": ("KDSL_EXPLAIN",),
    "dump_dir": ("KDSL_DUMP_DIR",),
}
WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False, "": False}


def convert(name, value, source):
    """A value of the field's type, from an option or from text."""
    kind = FIELDS[name].type
    if kind is bool:
        if isinstance(value, str):
            if value.lower() not in WORDS:
                raise ValueError(f"{source} must be true or false, not {value!r}")
            return WORDS[value.lower()]
        if isinstance(value, (bool, int)):
            return bool(value)
    elif kind is int:
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise ValueError(f"{source} must be a whole number from 0 on, not {value!r}")
    elif kind is tuple:
        if not isinstance(value, str):
            return tuple(str(item) for item in value)
    elif isinstance(value, (str, os.PathLike)) or (value is None and FIELDS[name].default is None):
        return value if value is None else os.fspath(value)
    raise ValueError(f"{source} must be of the type {kind if isinstance(kind, str) else getattr(kind, '__name__', kind)}, not {value!r}")


def check(options):
    for name, allowed in (("fallback", ("host", "error")), ("weights", ("constants", "inputs"))):
        if getattr(options, name) not in allowed:
            raise ValueError(f"the option {name!r} must be {' or '.join(map(repr, allowed))}, not {getattr(options, name)!r}")
    ops = {name for op in _kdsl.ops() for name in (op, without_overload(op))} if options.disabled_ops else ()
    for name in options.disabled_ops:
        if name not in ops:
            warnings.warn(f"kdsl: the option 'disabled_ops' names {name!r}, which is no op of kdsl's{suggest(name, ops)}", stacklevel=2)
    return options


def without_overload(op):
    """"aten.add" of "aten.add.Tensor"."""
    return op.rpartition(".")[0]


def suggest(name, names):
    near = difflib.get_close_matches(name, sorted(names), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def device_name(name):
    """OpenVINO's "gpu" and "gpu.1" are "level_zero" and "level_zero:1"; other names are themselves."""
    kind, _, number = name.partition(".")
    return name if kind != "gpu" else f"level_zero:{number}" if number else "level_zero"


def read_options(given=None, mode=None):
    """Options from the dict that torch.compile was given, over the environment, over the defaults."""
    values = {}
    if mode not in (None, "default"):
        warnings.warn(f"kdsl: the mode {mode!r} has no effect here", stacklevel=2)
    for name, variables in ENVIRONMENT.items():
        for variable in variables:
            if os.environ.get(variable):
                values[name] = convert(name, os.environ[variable], f"the environment variable {variable}")
                break
    for key, value in (given or {}).items():
        if key == "config":
            for config_key, config_value in dict(value).items():
                if config_key in CONFIG_ALIASES:
                    name = CONFIG_ALIASES[config_key]
                    values[name] = convert(name, config_value, f"the option config[{config_key!r}]")
                else:
                    warnings.warn(f"kdsl: the option config[{config_key!r}] has no effect here", stacklevel=2)
        elif key in WITHOUT_EFFECT:
            warnings.warn(f"kdsl: the option {key!r} has no effect here", stacklevel=2)
        else:
            name = ALIASES.get(key, key)
            if name not in FIELDS:
                raise ValueError(f"kdsl has no option {key!r}" + (suggest(key, [*FIELDS, *ALIASES]) or f"; there are {', '.join(FIELDS)}"))
            values[name] = convert(name, value, f"the option {key!r}")
    if "device" in values:
        values["device"] = device_name(values["device"].lower())
    return check(Options(**values))
