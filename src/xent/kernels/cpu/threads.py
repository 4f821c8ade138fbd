"""Rows over threads. A row is computed by one thread, so results do not depend on how many there are."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

#: Below so many numbers the work of a call is done before a second thread has woken.
SERIAL = 1_000_000

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_size = 0


def thread_count() -> int:
    """PyTorch's, where it is in use; otherwise NUMBA_NUM_THREADS, or the processors that this process may use."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    asked = os.environ.get("NUMBA_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else len(os.sched_getaffinity(0))


def run(rows: int, numbers: int, work: Callable[[int, int], None]) -> None:
    """work(begin, end) over all rows, on the calling thread and on helpers; work releases the GIL.

    Pieces are handed out one by one, so that a thread which is held up does less. Plain threads, and not an OpenMP
    runtime: they can be called from many threads at once, do not fight with PyTorch's, and survive a fork, after which
    the pool is made anew.
    """
    threads = min(thread_count(), rows)
    # At the exit, when the main thread has ended, no pool takes work any more.
    if numbers < SERIAL or threads < 2 or not threading.main_thread().is_alive():
        work(0, rows)
        return
    pieces = min(rows, 8 * threads)
    turns = itertools.count()

    def take() -> None:
        while (turn := next(turns)) < pieces:
            work(rows * turn // pieces, rows * (turn + 1) // pieces)

    helpers = _submit(take, threads - 1)
    try:
        take()
    finally:
        wait(helpers)
    for helper in helpers:
        helper.result()


def _submit(take: Callable[[], None], times: int) -> list[Future[None]]:
    global _pool, _size
    with _lock:
        if _pool is None or _size < times:
            if _pool is not None:
                _pool.shutdown(wait=False)
            _pool, _size = ThreadPoolExecutor(times, thread_name_prefix="xent"), times
        return [_pool.submit(take) for _ in range(times)]


def _forget() -> None:
    """In a forked child: the parent's threads are not there, and its lock may be held."""
    global _lock, _pool, _size
    _lock, _pool, _size = threading.Lock(), None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
