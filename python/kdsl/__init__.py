"""kdsl compiles PyTorch models without a C++ compiler: torch.compile(model, backend="kdsl").

    import torch
    fast = torch.compile(model, backend="kdsl")          # importing kdsl is not needed
    with torch.no_grad():
        y = fast(x)

    import kdsl
    print(kdsl.explain(model, x))                        # what each node became, and what it costs
    kdsl.counters                                        # what has been compiled, and what has not

docs/python.md tells the rest.
"""
from kdsl._kdsl import Error, UnsupportedError
from kdsl.counters import counters

__all__ = ["Error", "UnsupportedError", "counters", "explain"]


def __getattr__(name):
    """PyTorch is imported when something needs it."""
    if name == "explain":
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise ImportError(f"kdsl.{name} needs PyTorch 2.6 or newer, but 'import torch' failed: {error}", name="torch") from error
        from kdsl.report import explain
        globals()[name] = explain
        return explain
    raise AttributeError(f"module 'kdsl' has no attribute '{name}'")
