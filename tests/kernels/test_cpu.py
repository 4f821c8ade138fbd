"""The CPU kernel beside threads, forks and PyTorch; its silence, its independence of the number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import xent
from xent.kernels.cpu import cpu, threads
from xent.kernels.protocol import HardTarget, RowCoefficients

ROOT = Path(__file__).resolve().parents[2]
#: Enough numbers that the work is shared.
SHAPE = (64, threads.SERIAL // 32)


def problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=SHAPE).astype(np.float32), rng.integers(0, SHAPE[1], SHAPE[0])


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, check=False, timeout=300, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


def test_it_is_the_kernel_that_runs() -> None:
    z, y = problem()
    assert xent.explain(xent.Labels(y), xent.Logits(z)).chosen == "cpu"
    explained = xent.explain(xent.Labels(torch.from_numpy(y)), xent.Logits(torch.from_numpy(z), axis=-1))
    assert explained.chosen == "cpu"
    yes = xent.Indicators(np.array([1.0, 0.0]))
    for Q in (xent.Logits([0.5, 2.0]), xent.LogProbabilities([-0.5, -2.0]), xent.Probabilities([0.5, 0.2])):
        assert xent.explain(yes, Q).chosen == "cpu"
    across = xent.explain(xent.Labels(y[: SHAPE[0]]), xent.Logits(np.ascontiguousarray(z.T), axis=0))
    assert across.chosen == "cpu"


@pytest.mark.parametrize("count", [2, 3, 7])
def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    z, y = problem()
    ones = np.full(SHAPE[0], 1 / SHAPE[0])
    found = []
    for threads_ in (1, count):
        monkeypatch.setattr(threads, "thread_count", lambda n=threads_: n)
        loss = cpu.row_statistics(z, HardTarget(y), "logits", frozenset({"loss", "entropy"}))
        gradient = cpu.row_gradient(z, HardTarget(y), "logits", RowCoefficients(ones, ones))
        found.append((loss.loss, loss.entropy, gradient))
    for one, many in zip(*found, strict=True):
        np.testing.assert_array_equal(one, many)


def test_eight_threads_may_call_at_once() -> None:
    problems = [problem(seed) for seed in range(8)]

    def solve(at: int) -> tuple[float, np.ndarray]:
        z, y = problems[at]
        value, gradient = xent.value_and_grad(xent.Labels(y), xent.Logits(z))
        return float(value), gradient

    alone = [solve(at) for at in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(solve, list(range(8)) * 5))
    for at, (value, gradient) in enumerate(together):
        assert value == alone[at % 8][0]
        np.testing.assert_array_equal(gradient, alone[at % 8][1])


_USE = """
import numpy as np, os, sys, torch, warnings, xent
z = np.random.default_rng(0).normal(size=(64, 6250)).astype(np.float32)
y = np.zeros(64, int)
def use():
    return float(xent.cross_entropy(xent.Labels(y), xent.Logits(z)))
"""


def test_a_forked_child_goes_on() -> None:
    """With both pools awake in the parent: xent's threads and PyTorch's."""
    code = (
        _USE
        + """
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads alive is just what is tested
before = use(); torch.randn(2000, 2000) @ torch.randn(2000, 2000)
child = os.fork()
if child == 0:
    os._exit(0 if use() == before else 3)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert use() == before
print("done")
"""
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "done"


def test_workers_of_a_data_loader_may_compute() -> None:
    code = (
        _USE
        + """
warnings.simplefilter("ignore", DeprecationWarning)
class Losses(torch.utils.data.Dataset):
    def __len__(self): return 4
    def __getitem__(self, i): return use()
if __name__ == "__main__":
    expected = use()
    loader = torch.utils.data.DataLoader(Losses(), num_workers=2, multiprocessing_context="fork")
    assert [float(x) for x in loader] == [expected] * 4
    print("done")
"""
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "done"


def test_the_first_call_after_install_says_nothing(tmp_path: Path) -> None:
    done = python(_USE + "use()", NUMBA_CACHE_DIR=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*.nbc")), "compiled code is kept on disk"


def test_rows_of_any_stride_are_read_where_they_are() -> None:
    z, y = problem()
    wide = np.zeros((SHAPE[0], SHAPE[1] + 7), np.float32)
    wide[:, : SHAPE[1]] = z
    for rows in (wide[:, : SHAPE[1]], wide[::-1, : SHAPE[1]][::-1], np.broadcast_to(z[0], SHAPE)):
        expected = cpu.row_statistics(np.ascontiguousarray(rows), HardTarget(y), "logits", frozenset({"loss"}))
        found = cpu.row_statistics(rows, HardTarget(y), "logits", frozenset({"loss"}))
        np.testing.assert_array_equal(found.loss, expected.loss)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_as_pytorch_rounds(dtype: torch.dtype) -> None:
    """Every finite number of the type in, and the float32 gradient out, to nearest and ties to even."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    every = bits[torch.isfinite(bits)].reshape(-1, 8)
    single = every.float()
    ones = torch.ones(len(every))
    sums = cpu.row_statistics(every, None, "logits", frozenset({"lse"})).lse
    assert torch.equal(sums, cpu.row_statistics(single, None, "logits", frozenset({"lse"})).lse)
    index = HardTarget(torch.zeros(len(every), dtype=torch.int64))
    for scale in (1.0, 1e-4, 3e-7, 300.0):
        c = RowCoefficients(ones * scale, ones * scale)
        half, exact = (cpu.row_gradient(x, index, "logits", c) for x in (every, single))
        assert torch.equal(half, exact.to(dtype))
