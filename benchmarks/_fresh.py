"""What only a fresh process can tell: the peak of its memory, and how long its first call takes.

``memory`` and ``first_call`` start ``python -m benchmarks._fresh …`` and read the one number that it prints.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._cases import COMPILED, EAGER, FIRST, LATER, LATER_NUMBA, OURS

ROOT = Path(__file__).resolve().parents[1]


def memory(peer: str, shape: tuple[int, ...], dtype: str) -> float:
    """Peak resident memory of one forward and backward above what was resident before it, by the scores' size.

    Before it, scores and labels exist and the peer has run on 8 rows as long. Linux alone tells such a peak.
    """
    return start("benchmarks._fresh", "memory", peer, "×".join(map(str, shape)), dtype)


def first_call(shape: tuple[int, ...], dtype: str, repeats: int) -> dict[str, list[float]]:
    """Seconds of the first forward and backward: with an empty cache of compiled code, and with the cache that this
    left behind, without and with Numba imported before. PyTorch itself is warm."""
    found: dict[str, list[float]] = {FIRST: [], LATER: [], LATER_NUMBA: []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for name, samples in found.items():
                sizes = "×".join(map(str, shape))
                samples.append(start("benchmarks._fresh", "first", name, sizes, dtype, NUMBA_CACHE_DIR=cache))
    return found


def start(module: str, *arguments: str, **environment: str) -> float:
    """The number that a fresh process prints."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:])} exited with {done.returncode}:\n{done.stderr}")
    return float(done.stdout)


def _loss(peer: str) -> Callable[[Any, Any], Any]:
    import torch

    import xent.torch

    if peer == OURS:
        return xent.torch.cross_entropy
    eager = torch.nn.functional.cross_entropy
    # One program for every size, so that the large one is not compiled while it is measured.
    return {EAGER: eager, COMPILED: torch.compile(eager, dynamic=True, fullgraph=True)}[peer]


def _step(loss: Callable[[Any, Any], Any], z: Any, y: Any) -> None:
    loss(z, y).backward()
    z.grad = None


def _status(field: str) -> int:
    """Bytes."""
    found = re.search(rf"^{field}:\s*(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/proc/self/status has no {field}")
    return 1024 * int(found[1])


def peak(step: Callable[[], Any]) -> int:
    """Bytes of resident memory at the peak of a step, above those before it."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts again from what is resident now
    before = _status("VmRSS")
    step()
    return _status("VmHWM") - before


def _memory(peer: str, shape: tuple[int, ...], dtype: str) -> float:
    import torch

    from benchmarks._peers import scores_and_labels

    loss = _loss(peer)
    z, y = scores_and_labels(shape, dtype)
    for rows in (8, 12):
        # Rows of their own, and a graph of its own: nothing of the large one is kept.
        _step(loss, z.detach()[:rows].clone().requires_grad_(), y[:rows].clone())
    if peer == COMPILED:
        torch._dynamo.config.error_on_recompile = True
    return peak(lambda: _step(loss, z, y)) / z.nbytes


def _first(name: str, shape: tuple[int, ...], dtype: str) -> float:
    from benchmarks._peers import scores_and_labels

    ours, eager = _loss(OURS), _loss(EAGER)
    z, y = scores_and_labels(shape, dtype)
    _step(eager, z, y)
    if name == LATER_NUMBA:
        import numba  # noqa: F401
    start = time.perf_counter()
    _step(ours, z, y)
    return time.perf_counter() - start


def main() -> None:
    """The fresh process."""
    what, name, shape, dtype = sys.argv[1:]
    sizes = tuple(map(int, shape.split("×")))
    print({"memory": _memory, "first": _first}[what](name, sizes, dtype))


if __name__ == "__main__":
    main()
