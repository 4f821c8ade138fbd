"""Rows wherever they lie: strides of every kind, any start, any size; and nothing outside them is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from support.measure import numbers
from xent.kernels.cpu import columns, cpu, row_arrays, rows, softmax
from xent.kernels.cpu.launch import PAST_CACHE
from xent.kernels.protocol import HardTarget, SoftTarget

ROOT = Path(__file__).resolve().parents[2]
rng = np.random.default_rng(0)


def random(*shape: int, dtype: Any = np.float32) -> Any:
    return rng.normal(size=shape).astype(dtype)


def require_same(z: Any, *, bits: bool) -> None:
    """As of a contiguous copy: loss and gradient, hard and soft; bit for bit where the same loop runs."""
    batch, k = tuple(z.shape[:-1]), z.shape[-1]
    shown = np.asarray(z) if isinstance(z, np.ndarray) else z
    index, t = rng.integers(0, max(k, 1), batch), rng.random((*batch, k))
    c = rng.normal(size=batch).astype(np.float32)
    for mine in (HardTarget(index), HardTarget(index, 0.9, 0.1), SoftTarget(t.astype(np.float32))):
        if isinstance(z, torch.Tensor):
            mine = (
                HardTarget(torch.from_numpy(index), mine.on, mine.off)
                if isinstance(mine, HardTarget)
                else SoftTarget(torch.from_numpy(t.astype(np.float32)))
            )
            copy, c_ = shown.contiguous().clone(), torch.from_numpy(c)
        else:
            copy, c_ = np.array(shown, order="C"), c
        one, other = cpu.row_fused(z, mine, "logits", c_), cpu.row_fused(copy, mine, "logits", c_)
        for found, expected in zip(one, other, strict=True):
            assert found.shape == expected.shape
            if bits:
                np.testing.assert_array_equal(numbers(found), numbers(expected))
            else:
                np.testing.assert_allclose(numbers(found), numbers(expected), rtol=2e-6, atol=2e-6)


SLICES = {
    "the first classes of wider rows": (lambda: random(40, 150)[:, :100], True),
    "the last classes of wider rows": (lambda: random(40, 150)[:, 37:], True),
    "the first classes of few": (lambda: random(200, 13)[:, :10], True),
    "every second row": (lambda: random(40, 100)[::2], True),
    "shifted sequences": (lambda: random(3, 9, 100)[:, :-1], True),
    "shifted sequences of few classes": (lambda: random(3, 80, 7)[:, 1:], True),
    "rows from the last": (lambda: random(40, 100)[::-1], True),
    "classes from the last": (lambda: random(40, 100)[:, ::-1], True),
    "few classes from the last": (lambda: random(40, 10)[:, ::-1], True),
    "both from the last": (lambda: random(70, 10)[::-1, ::-1], True),
    "every second class": (lambda: random(40, 200)[:, ::2], True),
    "transposed": (lambda: random(100, 40).T, False),
    "transposed, few classes": (lambda: random(10, 90).T, True),
    "Fortran order": (lambda: np.asfortranarray(random(5, 6, 70)), False),
    "one row for all": (lambda: np.broadcast_to(random(100), (50, 100)), True),
    "one row for all, few classes": (lambda: np.broadcast_to(random(10), (90, 10)), True),
    "one score for all classes": (lambda: np.broadcast_to(random(90, 1), (90, 70)), False),
    "one sequence for all": (lambda: np.broadcast_to(random(1, 9, 100), (4, 9, 100)), True),
    "one image for all": (lambda: np.moveaxis(np.broadcast_to(random(1, 70, 5), (3, 70, 5)), 1, -1), False),
    "windows that overlap": (lambda: np.lib.stride_tricks.sliding_window_view(random(200), 100), True),
    "windows of few classes": (lambda: np.lib.stride_tricks.sliding_window_view(random(200), 10), True),
    "windows, transposed": (lambda: np.lib.stride_tricks.sliding_window_view(random(200), 100).T, False),
    "axes swapped": (lambda: random(6, 5, 100).swapaxes(0, 1), True),
    "three axes, none of them joined": (lambda: random(4, 6, 8, 100)[::2, ::2, ::2], True),
    "a single row": (lambda: random(3, 100)[1:2], True),
    "no row": (lambda: random(3, 100)[:0], True),
    "one class": (lambda: random(30, 5)[:, 2:3], True),
}


@pytest.mark.parametrize("name", SLICES)
def test_slices(name: str) -> None:
    make, bits = SLICES[name]
    require_same(make(), bits=bits)


@pytest.mark.parametrize(
    "shape", [(5, 3, 7), (2, 10, 300), (2, 100, 6), (3, 10, 4, 5), (2, 70, 33, 3), (1, 80, 9, 9), (2, 1, 4, 4)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_images_with_their_classes_in_axis_one(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    z = torch.from_numpy(random(*shape)).to(dtype)
    bits = dtype is torch.float32 and shape[1] <= 64
    for memory in (z, z.movedim(1, -1).contiguous().movedim(-1, 1), z.flip(0)):
        view = memory.movedim(1, -1)
        if dtype is torch.float32:
            require_same(view, bits=bits)
            continue
        # Half precision is rounded at the end: what two loops make may fall on both sides.
        index = HardTarget(torch.zeros(view.shape[:-1], dtype=torch.int64))
        c = torch.ones(view.shape[:-1])
        one = cpu.row_fused(view, index, "logits", c)[1]
        other = cpu.row_fused(view.float().contiguous(), index, "logits", c)[1]
        torch.testing.assert_close(one.float(), other, rtol=torch.finfo(dtype).eps, atol=1e-6)


def test_the_gradient_lies_as_the_scores_do() -> None:
    """Images stay images: no copy is needed behind the loss."""
    z = torch.from_numpy(random(3, 70, 4, 5))
    for view in (z, z.to(memory_format=torch.channels_last)):
        q = view.movedim(1, -1)
        y = HardTarget(torch.zeros(q.shape[:-1], dtype=torch.int64))
        gradient = cpu.row_fused(q, y, "logits", torch.ones(q.shape[:-1]))[1]
        assert gradient.stride() == q.stride()


@st.composite
def layouts(draw: Any) -> Any:
    """An array of two to four axes: permuted, sliced with any step, expanded."""
    ndim = draw(st.integers(2, 4))
    shape = [draw(st.integers(1, 5)) for _ in range(ndim)]
    shape[draw(st.integers(0, ndim - 1))] = draw(st.sampled_from([2, 10, 63, 65, 100]))
    steps = [draw(st.sampled_from([1, 1, 2, -1, -2, 0])) for _ in range(ndim)]
    z = random(*(1 if step == 0 else n * abs(step) for n, step in zip(shape, steps, strict=True)))
    z = z[tuple(slice(None) if step == 0 else slice(None, None, step) for step in steps)]
    return np.broadcast_to(z, shape).transpose(draw(st.permutations(range(ndim))))


@given(layouts())
def test_any_layout(z: Any) -> None:
    require_same(z, bits=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("k", [7, 65, 130, 1000])
def test_any_start_and_nothing_beside_the_gradient(k: int, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores and gradient at every offset from a cache line, between guards; the same bits from all of them, stored
    past the cache or not."""
    n, room = 5, 64
    values = random(n, k).astype(dtype)
    index, c = HardTarget(rng.integers(0, k, n)), rng.normal(size=n).astype(np.float64)
    expected = cpu.row_fused(values, index, "logits", c)
    for offset in range(16):
        around = np.full(room + n * k + room, np.nan, dtype)
        around[room + offset : room + offset + n * k] = values.reshape(-1)
        z = around[room + offset : room + offset + n * k].reshape(n, k)
        before = around.tobytes()
        guarded = np.full(around.size, 0x5A, np.dtype(dtype).str.replace("f", "u"))

        def new(shape: Any, kind: Any, strides: Any, guarded: Any = guarded, offset: int = offset) -> Any:
            flat = guarded[room + offset :].view(kind)
            return np.ndarray(shape, kind, flat, 0, strides)

        monkeypatch.setattr(row_arrays, "gradient_like", new)
        for past in (PAST_CACHE, 0):
            monkeypatch.setattr(softmax.launch, "PAST_CACHE", past)
            loss, gradient = cpu.row_fused(z, index, "logits", c)
            np.testing.assert_array_equal(loss, expected[0])
            np.testing.assert_array_equal(gradient, expected[1])
            outside = np.r_[guarded[: room + offset], guarded[room + offset + n * k :]]
            assert (outside == 0x5A).all()
        assert around.tobytes() == before


@pytest.mark.parametrize(("k", "dtype"), [(4099, np.float32), (2048, np.float64), (8195, np.float16), (10, np.float32)])
def test_a_gradient_larger_than_the_cache_is_that_of_its_pieces(k: int, dtype: Any) -> None:
    n = PAST_CACHE // (k * np.dtype(dtype).itemsize) + 3
    z = random(n, k).astype(dtype)
    index, c = rng.integers(0, k, n), rng.normal(size=n)
    assert z.nbytes > PAST_CACHE
    loss, gradient = cpu.row_fused(z, HardTarget(index), "logits", c)
    step = max(n // 7, 1)
    for start in range(0, n, step):
        piece = slice(start, start + step)
        one, other = cpu.row_fused(z[piece], HardTarget(index[piece]), "logits", c[piece])
        np.testing.assert_array_equal(loss[piece], one)
        np.testing.assert_array_equal(gradient[piece], other)


def test_nothing_is_compiled_again_for_labels_that_are_read_only_or_strided() -> None:
    for k, compiled in ((10, columns.gradient), (100, rows.gradient)):
        z, y = random(6, k), rng.integers(0, k, 12)
        cpu.row_fused(z, HardTarget(y[:6]), "logits", np.ones(6, np.float32))
        known = len(compiled.signatures)
        frozen, ones = y[:6].copy(), np.ones(6, np.float32)
        frozen.setflags(write=False)
        ones.setflags(write=False)
        for index in (frozen, y[::2], y[:6].astype(np.int32), np.broadcast_to(np.int64(1), 6)):
            cpu.row_fused(z, HardTarget(index), "logits", ones)
        assert len(compiled.signatures) == known


_WALLS = """
import ctypes, mmap
import numpy as np
from xent.kernels.cpu import cpu
from xent.kernels.protocol import HardTarget, SoftTarget

libc = ctypes.CDLL(None, use_errno=True)
PAGE, INSIDE = mmap.PAGESIZE, 16

def protect(address, size, how):
    assert libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), how) == 0, ctypes.get_errno()

def walled(values, at_the_end):
    # Memory that may only be read, between two pages that may not be touched at all.
    memory = mmap.mmap(-1, (INSIDE + 2) * PAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = (INSIDE + 1) * PAGE - values.nbytes if at_the_end else PAGE
    z = np.ndarray(values.shape, values.dtype, memory, start)
    z[...] = values
    address = whole.ctypes.data
    protect(address, PAGE, 0)
    protect(address + (INSIDE + 1) * PAGE, PAGE, 0)
    protect(address + PAGE, INSIDE * PAGE, mmap.PROT_READ)
    return z

rng = np.random.default_rng(0)
for k in (1, 3, 10, 63, 64, 65, 127, 129, 1000):
    for dtype in (np.float16, np.float32, np.float64):
        values, y = rng.normal(size=(5, k)).astype(dtype), HardTarget(rng.integers(0, k, 5))
        t = rng.random((5, k)).astype(np.float64 if dtype is np.float64 else np.float32)
        for at_the_end in (True, False):
            z, p = walled(values, at_the_end), walled(t, at_the_end)
            for mine, theirs in ((y, y), (SoftTarget(p), SoftTarget(t))):
                found = cpu.row_fused(z, mine, "logits", np.ones(5, np.float32))
                expected = cpu.row_fused(values, theirs, "logits", np.ones(5, np.float32))
                for one, other in zip(found, expected):
                    np.testing.assert_array_equal(one, other)
            wanted = frozenset({"loss", "lse", "entropy", "argmax", "score_sum"})
            cpu.row_statistics(z, y, "logits", wanted)
print("done")
"""


def test_no_number_outside_the_scores_is_read() -> None:
    """Between pages that end the process when they are touched."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _WALLS],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr
