"""Which sub-group sizes and numbers of sub-groups each test runs with on a GPU (gpu_plugin.py).

A kernel is lowered another way for each pair of the two. Kinds of tests are the files, and what kernels do (KINDS, by names of the language in the
text of a test). Most tests run once, with pairs spread so that each kind sees many; where the tests of a kind in a file are too few for all sizes
and all numbers, some of them run several times. What really ran is summed up over the files: missing().
`./dev test --matrix` runs every test with every pair.
"""
import collections
import inspect
import os
import re
import zlib

SIZES = (8, 16, 32)
NUMBERS = (1, 2, 4, 8, 16, 32)
PAIRS = [(size, n) for size in SIZES for n in NUMBERS]
KINDS = {"reduction": "sum|max|min|argmax|argmin|reduce|reduce_or|xor_sum|softmax", "scan": "cumsum|cumprod|associative_scan",
         "sort": "sort|topk|flip|bitonic_merge", "histogram": "histogram", "gather": "gather", "dot": "dot", "dot_scaled": "dot_scaled",
         "atomic": r"atomic_\w*", "reshape": "reshape|view|ravel|trans|permute", "join and split": "join|split|cat|interleave",
         "broadcast": r"broadcast\w*|expand_dims", "block pointer": "make_block_ptr|advance", "descriptor": r"\w*tensor_descriptor",
         "random": r"rand\w*|philox\w*", "barrier": "debug_barrier", "load": "load", "store": "store"}


def text_of(item):
    """The source of a test, with the texts and functions of its file that it names, and its parameters."""
    names = item.function.__globals__
    parts = [inspect.getsource(item.function)]
    for name in item.function.__code__.co_names:
        value = names.get(name)
        if isinstance(value, str):
            parts.append(value)
        elif inspect.isfunction(value) and value.__module__ == item.function.__module__:
            parts.append(inspect.getsource(value))
    return "\n".join(parts + [repr(value) for value in item.callspec.params.values()] if hasattr(item, "callspec") else parts)


def kinds_of(item):
    """None for a test that runs no kernel."""
    text = text_of(item)
    if not re.search(r"\b(run|run_kernel|check)\(", text):
        return []
    words = set(re.findall(r"\btl\.(\w+)", text))
    file = os.path.basename(item.path).removeprefix("test_").removesuffix(".py")
    return ["file " + file] + [kind for kind, pattern in KINDS.items() if any(re.fullmatch(pattern, word) for word in words)]


def lacks(seen):
    """How many of the sizes and numbers are in none of the pairs."""
    return len(SIZES) + len(NUMBERS) - len({size for size, _ in seen}) - len({n for _, n in seen})


def make_plan(items):
    """By the id of a test: the pairs that it runs with, one at least. Items: all tests of a file."""
    items = sorted(items, key=lambda item: zlib.crc32(item.nodeid.encode()))
    kinds = {item.nodeid: kinds_of(item) for item in items}
    n_tests = collections.Counter(kind for of_item in kinds.values() for kind in of_item)
    seen = {kind: collections.Counter() for kind in n_tests}
    plan = {}

    def gain(item, pair, whole):
        """What a test with a pair adds to what its kinds have seen: most for kinds of few tests."""
        sum_ = 0.0
        for kind in kinds[item.nodeid]:
            new = lacks(seen[kind]) - lacks([*seen[kind], pair])
            sum_ += (new + (pair not in seen[kind])) / n_tests[kind] if whole else new
        return sum_

    def add(item, pair):
        plan.setdefault(item.nodeid, []).append(pair)
        for kind in kinds[item.nodeid]:
            seen[kind][pair] += 1

    for item in items:
        mixed = zlib.crc32(item.name.encode())
        add(item, max(PAIRS, key=lambda pair: (gain(item, pair, True), -sum(seen[kind][pair] / n_tests[kind] for kind in kinds[item.nodeid]),
                                               (PAIRS.index(pair) + mixed) % len(PAIRS))))
    for kind in seen:
        mine = [item for item in items if kind in kinds[item.nodeid]]
        while lacks(seen[kind]):
            add(*max(((item, pair) for item in mine for pair in PAIRS), key=lambda one: (gain(*one, False), -len(plan[one[0].nodeid]))))
    return plan


def missing(seen, n_tests):
    """What the kinds of tests have not seen, in words: all pairs where there are tests enough, else all sizes and numbers. Both by kind."""
    out = []
    for kind in sorted(n_tests):
        pairs = {tuple(pair) for pair in seen.get(kind, [])}
        if n_tests[kind] >= 2 * len(PAIRS):
            absent = [f"{n} sub-groups of {size}" for size, n in PAIRS if (size, n) not in pairs]
        else:
            absent = [f"sub-groups of {size}" for size in SIZES if size not in {s for s, _ in pairs}]
            absent += [f"{number} sub-groups" for number in NUMBERS if number not in {n for _, n in pairs}]
        if absent:
            out.append(f"{kind}: no test ran with {', '.join(absent)}")
    return out
