"""Loss and gradient in one pass over threads: any number of them, many callers, forks at a bad moment, the exit."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xent.kernels.cpu import cpu, threads
from xent.kernels.protocol import HardTarget, SoftTarget

ROOT = Path(__file__).resolve().parents[2]


def problem(seed: int, k: int) -> tuple[Any, Any, Any]:
    """Enough numbers that the work is shared."""
    rng = np.random.default_rng([seed, k])
    n = threads.SERIAL // k + 37
    return rng.normal(size=(n, k)).astype(np.float32), HardTarget(rng.integers(0, k, n)), rng.normal(size=n)


@pytest.mark.parametrize("k", [10, 1000, 30_011])
@pytest.mark.parametrize("soft", [False, True])
def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch, k: int, soft: bool) -> None:
    z, target, c = problem(0, k)
    mine = SoftTarget(np.random.default_rng(1).random(z.shape, np.float32)) if soft else target
    monkeypatch.setattr(threads, "thread_count", lambda: 1)
    loss, gradient = cpu.row_fused(z, mine, "logits", c)
    for count in (2, 3, 8):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        for view in (z, np.asfortranarray(z)) if k == 10 else (z,):
            found = cpu.row_fused(view, mine, "logits", c)
            np.testing.assert_array_equal(found[0], loss)
            np.testing.assert_array_equal(found[1], gradient)


def test_eight_callers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with four threads of the pool, small calls among large ones."""
    monkeypatch.setattr(threads, "thread_count", lambda: 4)
    problems = [problem(seed, k) for seed, k in enumerate((10, 100, 1000, 10_000) * 2)]
    problems += [(z[:3], HardTarget(y.index[:3]), c[:3]) for z, y, c in problems]
    alone = [cpu.row_fused(z, y, "logits", c) for z, y, c in problems]
    with ThreadPoolExecutor(8) as callers:
        jobs = [callers.submit(cpu.row_fused, z, y, "logits", c) for _ in range(3) for z, y, c in problems]
        for at, job in enumerate(jobs):
            for found, expected in zip(job.result(), alone[at % len(alone)], strict=True):
                np.testing.assert_array_equal(found, expected)


def test_an_error_in_a_helper_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 3)

    def work(begin: int, end: int) -> None:
        if begin:
            raise ArithmeticError("of a piece")

    with pytest.raises(ArithmeticError, match="of a piece"):
        threads.run(100, threads.SERIAL, work)
    seen: list[tuple[int, int]] = []
    threads.run(100, threads.SERIAL, lambda begin, end: seen.append((begin, end)))
    assert sorted(i for begin, end in seen for i in range(begin, end)) == list(range(100))


_START = """
import os, sys, threading, warnings
import numpy as np
from xent.kernels.cpu import cpu, threads
from xent.kernels.protocol import HardTarget
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads alive is just what is tested
threads.thread_count = lambda: 3
rng = np.random.default_rng(0)
z, y, c = rng.normal(size=(4000, 500)).astype(np.float32), HardTarget(rng.integers(0, 500, 4000)), np.ones(4000)
expected = cpu.row_fused(z, y, "logits", c)[1].tobytes()
def right():
    return cpu.row_fused(z, y, "logits", c)[1].tobytes() == expected
"""


def python(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *flags, "-c", _START + code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT)


def test_a_fork_while_threads_are_busy() -> None:
    """Two callers keep the pool and its lock in use; children forked meanwhile compute as if alone."""
    done = python("""
stop = threading.Event()
wrong = []
def busy():
    while not stop.is_set():
        if not right():
            wrong.append(1)
callers = [threading.Thread(target=busy) for _ in range(2)]
for caller in callers: caller.start()
for _ in range(12):
    child = os.fork()
    if child == 0:
        os._exit(0 if right() and right() else 3)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
stop.set()
for caller in callers: caller.join()
assert not wrong
print("done")
""")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "done", "")


def test_a_fork_while_the_lock_is_held() -> None:
    done = python("""
import signal
with threads._lock:
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if right() else 3)
    _, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert right()
print("done")
""")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "done", "")


def test_a_loss_at_the_exit() -> None:
    """After the interpreter has ended its pools a call is done by the calling thread."""
    done = python("import atexit; atexit.register(lambda: print(right()))", "-X", "dev")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


def test_a_thread_that_goes_on_when_the_main_one_has_ended() -> None:
    done = python("""
def late():
    threading.main_thread().join()
    print([right() for _ in range(3)])
threading.Thread(target=late).start()
""")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[True, True, True]", "")
