"""Memory for large results, used again when nobody has them any more.

malloc maps memory of more than 32 MiB anew at each call and gives it back after it: that the system makes its pages takes several times as long as
to write them. What a Memory keeps was mapped once, in large pages. It goes with the graph, and is kept for results only that were alive at the same
time: where none of what is kept is large enough, what nobody has goes back to the system first. So there is never more memory than without it.
"""
import mmap
import sys

import torch

LEAST_BYTES = 32 << 20          # glibc maps anew what is larger (DEFAULT_MMAP_THRESHOLD_MAX)
LARGE_PAGE = 2 << 20
MAX_KEPT = 4

probe = [object()]
ALONE = sys.getrefcount(probe[0])       # of what only a list has


class Memory:
    """Maps that results lie in. A result holds a reference to its map, as do views of it and arrays that share its memory."""

    def __init__(self):
        self.kept = []

    def empty(self, n_bytes, size, stride, dtype):
        """An empty tensor, whose storage has n_bytes. As PyTorch's own, but that it cannot be made larger in place."""
        block = self.take(-(-n_bytes // LARGE_PAGE) * LARGE_PAGE)
        storage = torch.frombuffer(block, dtype=torch.uint8, count=n_bytes).untyped_storage()
        if len(self.kept) < MAX_KEPT:
            self.kept.append(block)
        return torch.empty(0, dtype=dtype, device="cpu").set_(storage, 0, size, stride)

    def take(self, n_bytes):
        """A map that nobody uses; no longer among the kept ones. Another thread that looks meanwhile finds none."""
        blocks = self.take_all()
        for i in range(len(blocks)):
            if n_bytes <= len(blocks[i]) <= n_bytes + n_bytes // 4 and sys.getrefcount(blocks[i]) == ALONE:
                block = blocks.pop(i)
                self.kept += blocks
                return block
        self.kept += [blocks[i] for i in range(len(blocks)) if sys.getrefcount(blocks[i]) > ALONE]
        blocks.clear()
        return map_large_pages(n_bytes)

    def take_all(self):
        blocks = []
        while self.kept:
            try:
                blocks.append(self.kept.pop())
            except IndexError:              # another thread was faster
                break
        return blocks


def map_large_pages(n_bytes):
    try:
        block = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no memory for a result of {n_bytes} bytes") from error
    block.madvise(mmap.MADV_HUGEPAGE)
    return block
