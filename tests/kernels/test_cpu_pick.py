"""The kernels that read one number of a row: layouts of rows, numbers of threads, every 16-bit number, autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import xent
from support.problems import as_array, log_softmax
from xent.kernels.composed import composed
from xent.kernels.cpu import threads
from xent.kernels.cpu.pick import picks
from xent.kernels.protocol import HardTarget, Kernel, RowCoefficients

LOSS: Any = frozenset({"loss"})
N, K = 50, 70


@pytest.fixture(params=picks, ids=lambda kernel: kernel.name)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return request.param


def problem(n: int = N, k: int = K, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.exp(log_softmax(rng.normal(size=(n, k)))), rng.integers(0, k, n)


def test_rows_are_read_where_they_are(kernel: Kernel) -> None:
    p, y = problem()
    wide = np.full((N, K + 5), 0.25)
    wide[:, :K] = p
    one = np.ones(N)
    images = np.moveaxis(np.ascontiguousarray(np.moveaxis(p.reshape(2, 5, 5, K), -1, 1)), 1, -1)
    along = (p, wide[:, :K], p[::-1], np.broadcast_to(p[3], (N, K)), p[::7][:3], p.reshape(5, 10, K)[:, ::2])
    for rows in (*along, np.asfortranarray(p), images, p[:, ::-1], np.asfortranarray(p)[::3, ::2]):
        index = y[: math.prod(rows.shape[:-1])].reshape(rows.shape[:-1]) % rows.shape[-1]
        b = one[: index.size].reshape(index.shape)
        expected = -np.log(np.take_along_axis(rows, index[..., None], -1)[..., 0])
        np.testing.assert_array_equal(kernel.row_statistics(rows, HardTarget(index), "probs", LOSS).loss, expected)
        gradient = kernel.row_gradient(rows, HardTarget(index), "probs", RowCoefficients(b=b))
        same = composed.row_gradient(rows, HardTarget(index), "probs", RowCoefficients(b=b))
        np.testing.assert_array_equal(gradient, same)


@pytest.mark.parametrize("link", ["probs", "log_probs"])
def test_results_do_not_depend_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, kernel: Kernel, link: Any
) -> None:
    p, y = problem(2 * threads.SERIAL, 8)
    q = p if link == "probs" else np.log(p)
    b = np.random.default_rng(1).normal(size=len(q))
    found = []
    for count in (1, 2, 7):
        monkeypatch.setattr(threads, "thread_count", lambda n=count: n)
        loss = kernel.row_statistics(q, HardTarget(y), link, LOSS).loss
        found.append((loss, kernel.row_gradient(q, HardTarget(y), link, RowCoefficients(b=b))))
    for loss, gradient in found[1:]:
        np.testing.assert_array_equal(loss, found[0][0])
        np.testing.assert_array_equal(gradient, found[0][1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("link", ["probs", "log_probs"])
def test_half_precision_is_what_pytorch_reads_and_rounds(dtype: torch.dtype, link: Any) -> None:
    """Every number of the type that a row may hold, and a gradient of many sizes, some beyond the type."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    inside = bits <= 0 if link == "log_probs" else (bits >= 0) & (bits <= 1)
    every = bits[inside].reshape(-1, 1).repeat(1, 2)
    target = HardTarget(torch.ones(len(every), dtype=torch.int64))
    kernel = picks[0]
    loss = kernel.row_statistics(every, target, link, LOSS).loss
    assert loss.dtype is torch.float32
    assert torch.equal(loss, composed.row_statistics(every, target, link, LOSS).loss)
    for scale in (1.0, -3e-5, 1e4):
        c = RowCoefficients(b=torch.full((len(every),), scale))
        found, same = (k.row_gradient(every, target, link, c) for k in (kernel, composed))
        assert found.dtype is dtype
        assert torch.equal(found, same)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_loss_and_gradient_at_once(kernel: Kernel, library: str) -> None:
    """A row whose part is zero adds nothing, whatever it holds and wherever its label points."""
    p, y = problem()
    c = np.random.default_rng(3).normal(size=N)
    c[:2] = 0
    p[0], y[1] = math.nan, -7
    q, index, part = (as_array(x, x.dtype.name, library) for x in (p, y, c))
    target = HardTarget(index)
    losses, gradient = (np.asarray(x) for x in kernel.row_fused(q, target, "probs", part))
    np.testing.assert_array_equal(losses[:2], [0, 0])
    np.testing.assert_array_equal(losses[2:], np.asarray(kernel.row_statistics(q, target, "probs", LOSS).loss)[2:])
    np.testing.assert_array_equal(gradient, kernel.row_gradient(q, target, "probs", RowCoefficients(b=part)))
    np.testing.assert_array_equal(gradient[:2], np.zeros((2, K)))


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "int32", "int64"])
def test_labels_of_every_type(kernel: Kernel, kind: str) -> None:
    p, y = problem()
    loss = kernel.row_statistics(p, HardTarget(y.astype(kind)), "probs", LOSS).loss
    np.testing.assert_array_equal(loss, kernel.row_statistics(p, HardTarget(y), "probs", LOSS).loss)


@pytest.mark.parametrize("shape", [(5,), (0, 5), (2, 0, 5), (1, 1, 5)])
@pytest.mark.parametrize("library", [np, torch])
def test_shapes_of_rows(kernel: Kernel, shape: tuple[int, ...], library: Any) -> None:
    q, y = library.full(shape, 0.2, dtype=library.float32), library.zeros(shape[:-1], dtype=library.int64)
    loss = kernel.row_statistics(q, HardTarget(y), "probs", LOSS).loss
    assert tuple(loss.shape) == shape[:-1]
    one = library.ones(shape[:-1], dtype=library.float32)
    gradient = kernel.row_gradient(q, HardTarget(y), "probs", RowCoefficients(b=one))
    assert tuple(gradient.shape) == shape
    if 0 not in shape:
        np.testing.assert_allclose(np.asarray(gradient).reshape(-1, 5), [[-5, 0, 0, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize("kind", [xent.Probabilities, xent.LogProbabilities])
def test_the_gradient_can_be_differentiated_again(kind: Any) -> None:
    """Through softmax, so that a perturbed row is a distribution still; random upstream gradients."""
    scores = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    y = xent.Labels(torch.tensor([0, 5, 2, 2]))

    def loss(z: torch.Tensor) -> torch.Tensor:
        q = torch.softmax(z, -1) if kind is xent.Probabilities else torch.log_softmax(z, -1)
        assert xent.explain(y, kind(q)).chosen == "cpu pick, sound rows"
        return xent.cross_entropy(y, kind(q), reduction="none")

    assert torch.autograd.gradcheck(loss, scores)
    assert torch.autograd.gradgradcheck(loss, scores)


@pytest.mark.parametrize("kind", [xent.Probabilities, xent.LogProbabilities])
def test_it_is_what_the_scores_give(kind: Any) -> None:
    """The same loss and gradient as of Logits, by another road."""
    z = torch.randn(300, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    y = xent.Labels(torch.randint(0, 40, (300,), generator=torch.Generator().manual_seed(2)))
    q = torch.softmax(z, -1) if kind is xent.Probabilities else torch.log_softmax(z, -1)
    found, expected = xent.cross_entropy(y, kind(q)), xent.cross_entropy(y, xent.Logits(z))
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=0)
    (one,), (other,) = torch.autograd.grad(found, z), torch.autograd.grad(expected, z)
    torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-16)
