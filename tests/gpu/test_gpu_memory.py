"""What a call moves and holds beside its kernels: the way to a device, walked on tensors without memory.

PyTorch's "meta" stands for the device, the programs are not launched, and every operation on arrays is seen. The
labels and probabilities are unread, as on a device.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import xent
import xent.torch as X
from xent.backends import torch as backend
from xent.backends.torch import lean
from xent.kernels import gpu as room
from xent.kernels.gpu import elements, rows
from xent.losses import imbalance, margins, noise

N, K = 512, 1024
#: Read no number of an array of scores for each that is in it, or make none.
_FREE = ("empty", "alias", "detach", "gather", "view", "expand", "new_zeros", "lift")


class Walk(TorchDispatchMode):
    """Counts launches, operations on arrays of N×K, and the most bytes that were held at once."""

    def __init__(self) -> None:
        super().__init__()
        self.launches = self.peak = 0
        self.names: list[str] = []
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = _tensors((args, kwargs))
        old = {x.untyped_storage()._cdata for x in given}
        new = [x for x in _tensors(out) if x.untyped_storage()._cdata not in old]
        for x in new:
            storage = x.untyped_storage()
            self._live[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self._live = {key: one for key, one in self._live.items() if not one[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._live.values()))
        written = new or "_." in str(func)  # in place
        if written and any(map(_large, given + new)) and not any(name in str(func) for name in _FREE):
            self.names.append(str(func))
        return out

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        """In the place of a program."""

        def launch(*arguments: Any, **constants: Any) -> None:
            self.launches += 1

        return launch


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, torch.Tensor)]


def _large(x: torch.Tensor) -> bool:
    return x.numel() >= N * K and x.untyped_storage().nbytes() >= N * K


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch) -> Walk:
    found = Walk()
    monkeypatch.setattr(room, "_DEVICES", ("meta",))
    monkeypatch.setattr(room, "_failure", lambda device: None)
    monkeypatch.setattr(room.Gpu, "interpreted", False)
    monkeypatch.setattr(backend, "_is_present", lambda x: False)
    monkeypatch.setattr(backend.TorchBackend, "traced", lambda self, x: False)
    monkeypatch.setattr(lean, "_watched_by_nobody", lambda: True)
    for module in (rows, elements):
        monkeypatch.setattr(module, "on_device_of", lambda x: nullcontext())
    monkeypatch.setattr(rows, "program", found)
    for name in ("loss_program", "side_program", "scaling_program"):
        monkeypatch.setattr(elements, name, found)
    return found


def _made(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype, device="meta")


Z = _made(N, K, dtype=torch.bfloat16).requires_grad_()
Y = _made(N, dtype=torch.int64)
P, T = _made(N, K), _made(N, K, dtype=torch.bfloat16)
OF_CLASSES, OF_ROWS = _made(K, dtype=torch.bfloat16), _made(N)
LABELS, Q = xent.Labels(Y, ignore=-100), xent.Logits(Z)


HOT, YES, PRIOR = _made(N, K), _made(N, K, dtype=torch.bool), imbalance.logit_adjustment([1.0] * K)
TEACHER, SHIFTS = xent.Distribution.from_log_probs(P), imbalance.ldam([1.0] * K)

#: A call with reduction=, and the memory of its result for "none" and of what is kept for each row, in multiples of the
#: scores'. Of elements the loss of each is as large as the scores, and twice that where it is float32.
CASES: dict[str, tuple[Callable[..., torch.Tensor], float]] = {
    "drop-in": (lambda **how: X.cross_entropy(Z, Y, **how), 0),
    "drop-in, weighted": (lambda **how: X.cross_entropy(Z, Y, OF_CLASSES, **how), 0),
    "drop-in, smoothed": (lambda **how: X.cross_entropy(Z, Y, label_smoothing=0.1, **how), 0),
    "drop-in, probabilities": (lambda **how: X.cross_entropy(Z, P, **how), 0),
    "drop-in, smoothed by weight": (
        lambda **how: X.cross_entropy(Z, Y, OF_CLASSES, label_smoothing=0.1, **how),
        0,
    ),
    "drop-in, weighted probabilities": (lambda **how: X.cross_entropy(Z, P, OF_CLASSES, **how), 0),
    "typed, labels": (lambda **how: xent.cross_entropy(LABELS, Q, **how), 0),
    "typed, weighted": (lambda **how: xent.cross_entropy(LABELS, Q, weight=OF_ROWS, class_weight=OF_CLASSES, **how), 0),
    "focal": (lambda **how: imbalance.focal(2.0)(LABELS, Q, **how), 0),
    "z-loss": (lambda **how: noise.z_loss(1e-3)(LABELS, Q, **how), 0),
    "entropy": (lambda **how: noise.confidence_penalty(0.1)(LABELS, Q, **how), 0),
    "generalized": (lambda **how: noise.generalized_cross_entropy()(LABELS, Q, **how), 0),
    "label_smoothing": (lambda **how: noise.label_smoothing(0.1)(LABELS, Q, **how), 0),
    "temperature": (lambda **how: noise.temperature(2.0)(LABELS, Q, **how), 0),
    "softcap": (lambda **how: noise.softcap(30.0)(LABELS, Q, **how), 0),
    "logit_adjustment": (lambda **how: PRIOR(LABELS, Q, **how), 0),
    "arcface": (lambda **how: margins.arcface()(LABELS, Q, **how), 0),
    "cosface": (lambda **how: margins.cosface()(LABELS, Q, **how), 0),
    "ldam": (lambda **how: SHIFTS(LABELS, Q, **how), 0),
    "probabilities": (lambda **how: xent.cross_entropy(xent.Distribution(P), Q, **how), 0),
    "probabilities, bfloat16": (lambda **how: xent.cross_entropy(xent.Distribution(T), Q, **how), 0),
    "probabilities, smoothed": (lambda **how: xent.cross_entropy(xent.Distribution(P, smoothing=0.1), Q, **how), 0),
    "teacher": (lambda **how: xent.cross_entropy(xent.Distribution.from_logits(T, temperature=2.0), Q, **how), 0),
    "logarithms, weighted": (lambda **how: xent.cross_entropy(TEACHER, Q, weight=OF_ROWS, **how), 0),
    "one-hot, focal": (lambda **how: xent.cross_entropy(xent.Distribution(HOT), Q, shaping=xent.Focal(2.0), **how), 0),
    "probabilities, capped": (lambda **how: noise.softcap(30.0)(xent.Distribution(P), Q, **how), 0),
    "binary": (lambda **how: X.binary_cross_entropy_with_logits(Z, T, **how), 1),
    "binary, weighted": (
        lambda **how: X.binary_cross_entropy_with_logits(Z, T, OF_ROWS[:, None], pos_weight=OF_CLASSES, **how),
        1,
    ),
    "indicators": (lambda **how: xent.cross_entropy(xent.Indicators(T), Q, **how), 2),
    "indicators, smoothed": (lambda **how: xent.cross_entropy(xent.Indicators(YES, smoothing=0.1), Q, **how), 2),
    "indicators, weighted": (
        lambda **how: xent.cross_entropy(
            xent.Indicators(T), Q, weight=OF_ROWS[:, None], positive_weight=OF_CLASSES, **how
        ),
        2,
    ),
    "indicators, focal": (lambda **how: xent.cross_entropy(xent.Indicators(T), Q, shaping=xent.Focal(2.0), **how), 2),
    "indicators, asymmetric": (lambda **how: imbalance.asymmetric()(xent.Indicators(T), Q, **how), 2),
}
ROOM = 0.05
#: The log-sum-exp of a teacher's rows.
MORE = {"teacher": 1}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_beside_the_kernels_there_is_the_gradient(name: str, reduction: str, walk: Walk) -> None:
    """Whatever comes from above: a launch forward, and one back."""
    call, each = CASES[name]
    with walk:
        loss = call(reduction=reduction)
    above = torch.full_like(loss, 0.5)
    with walk:
        torch.autograd.grad(loss, Z, above)
    assert (walk.names, walk.launches) == ([], 2 + MORE.get(name, 0))
    assert walk.peak / Z.nbytes <= 1 + ROOM + (each if reduction == "none" else 0)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_evaluation_makes_nothing_but_the_losses(name: str, reduction: str, walk: Walk) -> None:
    call, each = CASES[name]
    with torch.no_grad(), walk:
        call(reduction=reduction)
    assert (walk.names, walk.launches) == ([], 1 + MORE.get(name, 0))
    assert walk.peak / Z.nbytes <= ROOM + (each if reduction == "none" else 0)


def test_a_constant_of_a_loss_is_copied_to_a_device_once() -> None:
    from xent.functional.adjusting import beside

    prior = np.array([0.0, 1.0, 2.0])
    first = beside(prior, Z, "offset=")
    assert beside(prior, Z, "offset=") is first
    assert beside(prior, Z.double(), "offset=") is not first
    with torch.inference_mode():
        again = beside(prior + 1.0, Z, "offset=")
    assert not again.is_inference()
    prior[0] = 3.0
    assert beside(prior, Z, "offset=") is not first


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_the_soft_margin_s_target_is_made_on_the_device(reduction: str, walk: Walk) -> None:
    seen = []
    operand = elements._operand

    def asked(x: torch.Tensor | None, z: torch.Tensor) -> Any:
        seen.append(None if x is None else x.device.type)
        return operand(x, z)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elements, "_operand", asked)
        X.soft_margin_loss(Z, T, reduction=reduction)
    assert "cpu" not in seen
