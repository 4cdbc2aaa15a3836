"""What the backend has done in this process, for people and tests."""


def count(n, what):
    """"1 node", "3 nodes"."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


class Counters:
    """graphs: that torch.compile has handed over; compiled: executables made from them; loaded: those of them that were in the cache; nodes and
    fallback_nodes: those in kdsl's graphs and those left to PyTorch; fallbacks: {op: nodes} of the latter; recompiles: for weights that changed;
    specializations: for shapes; eager_graphs: left to PyTorch whole."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.graphs = self.compiled = self.loaded = self.nodes = self.fallback_nodes = self.recompiles = self.specializations = self.eager_graphs = 0
        self.fallbacks = {}

    def __repr__(self):
        return f"Counters({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


counters = Counters()
