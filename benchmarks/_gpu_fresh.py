"""The first call of a process on a GPU: ``python -m benchmarks._gpu_fresh SHAPE DTYPE`` prints its seconds."""

from __future__ import annotations

import sys
import tempfile
import time

from benchmarks._fresh import start
from benchmarks._gpu_cases import EMPTY, FULL


def first_call(shape: tuple[int, int], dtype: str, repeats: int) -> dict[str, list[float]]:
    """Seconds with an empty cache of Triton's, and with the cache that this left behind."""
    found: dict[str, list[float]] = {EMPTY: [], FULL: []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for samples in found.values():
                sizes = "×".join(map(str, shape))
                samples.append(start("benchmarks._gpu_fresh", sizes, dtype, TRITON_CACHE_DIR=cache))
    return found


def main() -> None:
    """The fresh process: the device and the scores are there, PyTorch's own loss has run."""
    import torch

    import xent.torch
    from benchmarks._gpu_make import data

    sizes, dtype = sys.argv[1:]
    rows, classes = map(int, sizes.split("×"))
    z, y = data((rows, classes), getattr(torch, dtype))
    torch.nn.functional.cross_entropy(z, y).backward()
    z.grad = None
    torch.cuda.synchronize()
    begin = time.perf_counter()
    xent.torch.cross_entropy(z, y).backward()
    torch.cuda.synchronize()
    print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
