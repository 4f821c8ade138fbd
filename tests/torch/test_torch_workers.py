"""The loss in forked workers of a DataLoader, forward and backward, with the parent's threads awake."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The fork is what is tested: Python 3.12 warns of it where threads are alive.
_SCRIPT = """
import sys, warnings
import torch
import xent.torch as F

warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
ROWS, CLASSES = map(int, sys.argv[1:])


def losses(seed):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(ROWS, CLASSES, generator=g).requires_grad_()
    y = torch.randint(CLASSES, (ROWS,), generator=g)
    value = F.cross_entropy(z, y, label_smoothing=0.1)
    value = value + F.binary_cross_entropy_with_logits(z, (z > 0).float())
    (-1.7 * value).backward()
    return value.item(), z.grad.double().square().sum().item()


class Losses(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, seed):
        return torch.tensor(losses(seed), dtype=torch.float64)


expected = [torch.tensor([losses(seed)], dtype=torch.float64) for seed in range(6)]  # the parent's threads are awake
for persistent in (False, True):
    loader = torch.utils.data.DataLoader(
        Losses(), num_workers=2, multiprocessing_context="fork", persistent_workers=persistent
    )
    for _ in range(2):
        for found, exact in zip(loader, expected, strict=True):
            # A worker has one thread of PyTorch's, so PyTorch's own sums may be in another order.
            torch.testing.assert_close(found, exact, rtol=1e-5, atol=0)
assert losses(0) == tuple(expected[0][0].tolist())
print("done")
"""


@pytest.mark.parametrize(("rows", "classes"), [(64, 10), (64, 6250), (40_000, 10)])
def test_workers_compute_what_the_parent_computes(rows: int, classes: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _SCRIPT, str(rows), str(classes)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr[-3000:]


_FORK = """
import os, sys
import torch
import xent.torch as F

z = torch.randn(2000, 1000, requires_grad=True)
y = torch.randint(1000, (2000,))
F.cross_entropy(z, y).backward()
z.detach().clone()  # PyTorch's own threads have been at work
pid = os.fork()
if pid == 0:
    for loss in (F.cross_entropy, F.binary_cross_entropy_with_logits):
        truth = y if loss is F.cross_entropy else torch.zeros(1).expand(2000, 1000)
        z.grad = None  # else PyTorch adds to it, with its own threads
        loss(z, truth).backward(torch.tensor(float(sys.argv[1])))
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize("above", ["1.0", "2.5", "0.0"])
def test_a_forked_process_scales_a_large_gradient(above: str) -> None:
    """PyTorch's own multiplication would wait there for threads that were not forked."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORK, above], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
