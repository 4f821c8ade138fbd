"""Gradient memory: used again when nobody holds it, and never under anybody's eyes."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import xent
from xent.errors import OptionError
from xent.kernels.cpu import buffers
from xent.kernels.cpu.buffers import POOLED, Pool

ROOT = Path(__file__).resolve().parents[2]
FLOAT = np.dtype(np.float32)
COUNT = POOLED // 4


def address(x: Any) -> int:
    return int(x.ctypes.data)


def test_memory_is_used_again_when_its_last_holder_is_gone() -> None:
    pool = Pool()
    first = pool.array((2 * COUNT,), FLOAT)
    where, size = address(first), first.nbytes
    assert pool.sizes() == ([], [size])
    second = pool.array((2 * COUNT,), FLOAT)
    assert abs(address(second) - where) >= size
    del first
    assert pool.sizes() == ([size], [size])
    # A little smaller, of another type and order of axes, it fits there as well.
    again = pool.array((5, COUNT // 8), np.dtype(np.float64), (8, 40))
    assert address(again) == where
    assert again.strides == (8, 40)
    assert where % 64 == 0


def test_memory_far_too_large_is_left_alone_and_so_is_what_is_too_small() -> None:
    pool = Pool()
    where = address(pool.array((4 * COUNT,), FLOAT))
    assert address(pool.array((COUNT,), FLOAT)) != where
    assert address(pool.array((5 * COUNT,), FLOAT)) != where
    assert address(pool.array((4 * COUNT,), FLOAT)) == where


def test_small_arrays_are_numpys_own() -> None:
    pool = Pool()
    small = pool.array((3, COUNT // 4), FLOAT, (4, 12))
    assert small.strides == (4, 12)
    assert pool.array((0, COUNT), FLOAT).shape == (0, COUNT)
    assert pool.sizes() == ([], [])


def _saved(array: Any) -> Any:
    """A graph that has kept the memory for its own backward."""
    w = torch.ones((), requires_grad=True)
    return w * torch.from_numpy(array)


def _traceback(array: Any) -> Any:
    def fails(held: Any) -> None:
        raise ArithmeticError

    try:
        fails(array)
    except ArithmeticError as error:
        return error


def _cycle(array: Any) -> Any:
    ring: list[Any] = [array]
    ring.append(ring)
    return ring


def _thread(array: Any) -> Any:
    """A thread with the array in a local variable, until it is told to end."""
    end = threading.Event()

    def hold(held: Any) -> None:
        end.wait()

    holder = threading.Thread(target=hold, args=[array])
    holder.start()
    return end, holder


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "the array": lambda a: a,
    "a view": lambda a: a.view(np.int32),
    "a slice": lambda a: a[10:20],
    "a single number's view": lambda a: a[7:8].reshape(()),
    "a reshape": lambda a: a.reshape(4, -1).T,
    "a field of a view": lambda a: a.view(np.complex64).real,
    "an expanded view": lambda a: np.broadcast_to(a[:1], (3, 3)),
    "numpy.asarray of it": lambda a: np.asarray(memoryview(a)),
    "a memoryview": lambda a: memoryview(a)[5:9],
    "a bytes view": lambda a: a.data.cast("B"),
    "numpy's DLPack": lambda a: np.from_dlpack(a),
    "an iterator": lambda a: iter(a),
    "a tensor": torch.from_numpy,
    "a view of a tensor": lambda a: torch.from_numpy(a).view(2, -1)[1:],
    "a detached tensor": lambda a: torch.from_numpy(a).detach(),
    "a tensor's NumPy view": lambda a: torch.from_numpy(a).numpy()[3:],
    "a tensor's storage": lambda a: torch.from_numpy(a).untyped_storage(),
    "torch's DLPack": lambda a: torch.from_dlpack(torch.from_numpy(a)),
    "a buffer that torch reads": lambda a: torch.frombuffer(memoryview(a), dtype=torch.float32),
    "a gradient": lambda a: (lambda z: (setattr(z, "grad", torch.from_numpy(a)), z)[1])(torch.zeros(a.shape)),
    "what another operation has saved": _saved,
    "a traceback": _traceback,
    "a cycle": _cycle,
    "another thread": _thread,
    "a closure": lambda a: lambda: a,
    "a shallow copy of a list": lambda a: copy.copy([a]),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_memory_that_is_held_is_not_lent_again(name: str) -> None:
    pool = Pool()
    array = pool.array((COUNT,), FLOAT)
    array[...] = 7.0
    where = address(array)
    holder = HOLDERS[name](array)
    del array
    gc.collect()
    assert pool.sizes() == ([], [4 * COUNT])
    others = [pool.array((COUNT,), FLOAT) for _ in range(3)]
    for other in others:
        other[...] = -1.0
        assert abs(address(other) - where) >= 4 * COUNT
    np.testing.assert_array_equal(np.ctypeslib.as_array((np.ctypeslib.ctypes.c_float * 16).from_address(where)), 7.0)
    if isinstance(holder, tuple):
        holder[0].set()
        holder[1].join()
    del holder
    gc.collect()
    assert pool.sizes() == ([4 * COUNT], [4 * COUNT] * 3)
    assert address(pool.array((COUNT,), FLOAT)) == where


def test_copies_have_memory_of_their_own() -> None:
    pool = Pool()
    array = pool.array((COUNT,), FLOAT)
    array[...] = 3.0
    copies = [array.copy(), copy.deepcopy(array), torch.from_numpy(array).clone(), array + 0]
    del array
    assert len(pool.sizes()[0]) == 1
    pool.array((COUNT,), FLOAT)[...] = -1.0
    assert all(float(x.max()) == float(x.min()) == 3.0 for x in copies)


class Lending(RuleBasedStateMachine):
    """Any order of taking, viewing, dropping, emptying and limiting: what is held keeps what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        # Small memory, so that many orders can be tried.
        self.pooled, buffers.POOLED = buffers.POOLED, 2**12
        self.pool = Pool()
        self.held: list[tuple[Any, float]] = []
        self.next = 1.0
        self.largest = 0

    def teardown(self) -> None:
        buffers.POOLED = self.pooled

    @rule(size=st.integers(2**12, 3 * 2**12), tensor=st.booleans())
    def take(self, size: int, tensor: bool) -> None:
        array = self.pool.array((size // 4,), FLOAT)
        array[...] = self.next
        self.held.append((torch.from_numpy(array) if tensor else array, self.next))
        self.next += 1
        self.largest = max(self.largest, size // 4 * 4)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def view(self, data: Any) -> None:
        # An index is drawn, and no array: what has been drawn is kept to be shown.
        x, value = self.held[data.draw(st.integers(0, len(self.held) - 1))]
        start = data.draw(st.integers(0, len(x) - 1))
        self.held.append((x[start : start + 1000], value))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def drop(self, data: Any) -> None:
        self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))

    @rule()
    def empty(self) -> None:
        idle = sum(self.pool.sizes()[0])
        assert self.pool.empty() == idle
        assert self.pool.sizes()[0] == []

    @rule(limit=st.none() | st.integers(0, 6 * 2**12))
    def limit(self, limit: int | None) -> None:
        self.pool.set_limit(limit)

    @invariant()
    def what_is_held_is_untouched(self) -> None:
        for x, value in self.held:
            assert float(x.min()) == float(x.max()) == value

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        idle, lent = self.pool.sizes()
        assert sum(idle) <= (2 * self.largest if self.pool.limit is None else self.pool.limit)
        assert len(lent) == len({value for _, value in self.held})


TestLending = Lending.TestCase


@pytest.fixture
def memory() -> Any:
    """``xent.memory`` with nothing kept, and as it was afterwards."""
    gc.collect()
    xent.memory.empty()
    assert xent.memory.report().in_use == 0
    yield xent.memory
    xent.memory.limit(None)
    xent.memory.empty()


def gradient(n: int = 300, k: int = 1000) -> Any:
    z = np.zeros((n, k), np.float32)
    return xent.value_and_grad(xent.Labels(np.zeros(n, int)), xent.Logits(z))[1]


def test_report_and_empty(memory: Any) -> None:
    held = gradient()
    found = memory.report()
    assert (found.idle, found.in_use, found.idle_buffers, found.limit) == (0, held.nbytes, (), None)
    assert str(found) == "idle 0.0 MiB, in use 1.1 MiB, at most twice the largest gradient kept idle"
    assert memory.empty() == 0
    assert memory.report().in_use == held.nbytes
    where = address(held)
    view = held[5:6]
    del held
    assert memory.report().in_use == 1_200_000
    del view
    found = memory.report()
    assert (found.idle, found.in_use, found.idle_buffers) == (1_200_000, 0, (1_200_000,))
    assert address(gradient()) == where
    assert memory.empty() == 1_200_000
    assert memory.report().idle == 0


def test_limit(memory: Any) -> None:
    several = [gradient() for _ in range(4)]
    memory.limit(3 * several[0].nbytes)
    assert "at most 3.4 MiB kept idle" in str(memory.report())
    several.clear()
    assert len(memory.report().idle_buffers) == 3
    memory.limit(1_300_000)
    assert memory.report().idle_buffers == (1_200_000,)
    memory.limit(0)
    assert memory.report().idle == 0
    assert gradient().shape == (300, 1000)
    assert memory.report().idle == 0
    memory.limit(None)
    several = [gradient() for _ in range(4)]
    several.clear()
    assert 2 * 1_200_000 <= memory.report().idle <= 2 * buffers.pool._largest


@pytest.mark.parametrize("bad", [-1, 1.5, "1", True, np.float64(3)])
def test_a_limit_that_is_no_number_of_bytes(memory: Any, bad: Any) -> None:
    with pytest.raises(OptionError, match=r"limit\(nbytes\): expected a whole number of bytes from 0, or None; got"):
        memory.limit(bad)
    assert memory.report().limit is None


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT)


_HELD = """
import numpy as np, torch, xent, xent.torch, threading, atexit
def gradient():
    return xent.value_and_grad(xent.Labels(np.zeros(300, int)), xent.Logits(np.zeros((300, 1000), np.float32)))[1]
"""


def test_nothing_is_said_at_the_exit() -> None:
    """With memory held by a module, a cycle, a gradient, a graph, a thread's local and a generator."""
    done = python(
        _HELD
        + """
held = [gradient(), gradient()[3:]]
held.append(held)
z = torch.zeros(300, 1000, requires_grad=True)
loss = xent.torch.cross_entropy(z, torch.zeros(300, dtype=torch.long)); loss.backward()
graph = xent.torch.cross_entropy(z * 1, torch.zeros(300, dtype=torch.long))
local = threading.local(); local.held = gradient()
def keeps():
    own = gradient()
    yield own
generator = keeps(); next(generator)
np.held = gradient()
gradient()
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_fork_has_memory_of_its_own() -> None:
    done = python(
        _HELD
        + """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
held = gradient(); held[...] = 5.0; gradient()
before = xent.memory.report()
child = os.fork()
if child == 0:
    ok = xent.memory.report() == before
    other = gradient(); other[...] = -1.0
    held[...] = 6.0
    ok &= bool((held == 6.0).all()) and xent.memory.report().in_use == 2 * held.nbytes
    del held, other
    ok &= xent.memory.report().in_use == 0
    os._exit(0 if ok else 3)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert xent.memory.report() == before and (held == 5.0).all()
print("done")
"""
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "done", "")


def test_threads_that_take_and_drop_at_once() -> None:
    """Each finds in its memory what it has written there itself; at the end nothing is lent."""
    pool = Pool()
    wrong: list[int] = []

    def work(me: int) -> None:
        mine: list[Any] = []
        for turn in range(60):
            array = pool.array((COUNT + me,), FLOAT)
            array[...] = me * 1000 + turn
            mine.append((array, me * 1000 + turn))
            if turn % 3 == 0:
                pool.sizes()
                pool.empty()
            if len(mine) > 2:
                x, value = mine.pop(turn % 3)
                if not float(x.min()) == float(x.max()) == value:
                    wrong.append(me)

    workers = [threading.Thread(target=work, args=[me]) for me in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    gc.collect()
    assert pool.sizes()[1] == []
