"""Bad calls are refused as PyTorch refuses them: type and words; old arguments and manners warn as PyTorch's."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torch_samples import CLASSES, FUNCTIONS

import xent.torch as X
from xent.errors import KindError
from xent.torch.manners import refuse

z = torch.tensor([[0.2, 0.5, -1.0], [1.0, 0.0, 0.3]])
y = torch.tensor([0, 2])
t = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])

BAD: dict[str, Callable[[Any], Any]] = {
    "label too high": lambda F: F.cross_entropy(z, torch.tensor([0, 3])),
    "label negative": lambda F: F.cross_entropy(z, torch.tensor([0, -1])),
    "label too high, smoothed": lambda F: F.cross_entropy(z, torch.tensor([0, 3]), label_smoothing=0.1),
    "label too high, nll": lambda F: F.nll_loss(z, torch.tensor([0, 3])),
    "label too high, bytes": lambda F: F.cross_entropy(z, torch.tensor([0, 200], dtype=torch.uint8)),
    "label of the ignored kind elsewhere": lambda F: F.cross_entropy(z, torch.tensor([0, -100]), ignore_index=1),
    "int32 labels": lambda F: F.cross_entropy(z, y.int()),
    "int32 labels, nll": lambda F: F.nll_loss(z, y.int()),
    "float labels": lambda F: F.cross_entropy(z, y.float()),
    "too few labels": lambda F: F.cross_entropy(z, y[:1]),
    "too few labels, nll": lambda F: F.nll_loss(z, y[:1]),
    "labels as a column": lambda F: F.cross_entropy(z, y[:, None]),
    "labels of another image": lambda F: F.cross_entropy(z[:, :, None], y[:, None, None]),
    "labels of another size": lambda F: F.nll_loss(torch.zeros(2, 3, 4, 5), torch.zeros(2, 4, 6, dtype=torch.int64)),
    "scores without an axis": lambda F: F.cross_entropy(z[0, 0], y[0]),
    "nll without an axis": lambda F: F.nll_loss(z[0, 0], y[0]),
    "integer scores": lambda F: F.cross_entropy(z.long(), y),
    "integer scores, nll": lambda F: F.nll_loss(z.long(), y),
    "integer scores, binary": lambda F: F.binary_cross_entropy_with_logits(z.long(), t),
    "integer probabilities": lambda F: F.binary_cross_entropy(z.long(), z.long()),
    "integer targets": lambda F: F.binary_cross_entropy_with_logits(z, t.long()),
    "one-hot integers": lambda F: F.cross_entropy(z, torch.eye(3, dtype=torch.int64)[y]),
    "no classes": lambda F: F.cross_entropy(torch.zeros(2, 0), y),
    "weights of another number": lambda F: F.cross_entropy(z, y, torch.ones(4)),
    "weights of another number, soft": lambda F: F.cross_entropy(z, t, torch.ones(4)),
    "weights of another type": lambda F: F.cross_entropy(z, y, torch.ones(3).double()),
    "weights of another type, nll": lambda F: F.nll_loss(z, y, torch.ones(3).double()),
    "smoothing above one": lambda F: F.cross_entropy(z, y, label_smoothing=1.5),
    "smoothing above one, soft": lambda F: F.cross_entropy(z, t, label_smoothing=1.5),
    "ignored index with probabilities": lambda F: F.cross_entropy(z, t, ignore_index=1),
    "reduction": lambda F: F.cross_entropy(z, y, reduction="average"),
    "reduction, nll": lambda F: F.nll_loss(z, y, reduction="batchmean"),
    "reduction, binary": lambda F: F.binary_cross_entropy_with_logits(z, t, reduction="average"),
    "reduction, probabilities": lambda F: F.binary_cross_entropy(t, t, reduction="average"),
    "reduction, kl": lambda F: F.kl_div(z, t, reduction="average"),
    "reduction, soft margin": lambda F: F.soft_margin_loss(z, t, reduction="average"),
    "reduction, multilabel": lambda F: F.multilabel_soft_margin_loss(z, t, reduction="average"),
    "reduction, margin": lambda F: F.multi_margin_loss(z, y, reduction="average"),
    "reduction, multilabel margin": lambda F: F.multilabel_margin_loss(z, y[:, None], reduction="average"),
    "binary shapes": lambda F: F.binary_cross_entropy_with_logits(z, t[0]),
    "probability shapes": lambda F: F.binary_cross_entropy(t, t[0]),
    "binary weight shape": lambda F: F.binary_cross_entropy_with_logits(z, t, torch.ones(4, 2, 3)),
    "positive weight shape": lambda F: F.binary_cross_entropy_with_logits(z, t, pos_weight=torch.ones(2)),
    "probability weight shape": lambda F: F.binary_cross_entropy(t, t, torch.ones(4, 2, 3)),
    "probability above one": lambda F: F.binary_cross_entropy(2 * t, t),
    "probability NaN": lambda F: F.binary_cross_entropy(t * float("nan"), t),
    "target above one": lambda F: F.binary_cross_entropy(t, 2 * t),
    "probability types": lambda F: F.binary_cross_entropy(t, t.double()),
    "kl integers": lambda F: F.kl_div(z, t.long(), reduction="sum"),
    "kl shapes": lambda F: F.kl_div(z, t[:, :2], reduction="sum"),
    "soft margin integers": lambda F: F.soft_margin_loss(z.long(), t),
    "soft margin shapes": lambda F: F.soft_margin_loss(z, torch.ones(4, 2, 3)),
    "multilabel without an axis": lambda F: F.multilabel_soft_margin_loss(z[0, 0], t[0, 0]),
    "multilabel integers": lambda F: F.multilabel_soft_margin_loss(z.long(), t),
    "multilabel shapes": lambda F: F.multilabel_soft_margin_loss(z, t[:, :2]),
    "linear input of three axes": lambda F: F.linear_cross_entropy(z[None], torch.eye(3), y),
    "linear weight of one axis": lambda F: F.linear_cross_entropy(z, torch.ones(3), y),
    "linear features": lambda F: F.linear_cross_entropy(z, torch.ones(5, 4), y),
    "linear bias": lambda F: F.linear_cross_entropy(z, torch.eye(3), y, linear_bias=torch.ones(4)),
    "linear images of one example": lambda F: F.linear_cross_entropy(z[0], torch.ones(3, 2, 3), y),
    "linear ignored with probabilities": lambda F: F.linear_cross_entropy(z, torch.eye(3), t, ignore_index=1),
    "linear label": lambda F: F.linear_cross_entropy(z, torch.eye(3), y + 1),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_refused_in_pytorchs_words(call: Callable[[Any], Any]) -> None:
    with pytest.raises(Exception) as theirs:  # noqa: PT011  whatever PyTorch raises
        call(F)
    with pytest.raises(type(theirs.value)) as ours:
        call(X)
    assert type(ours.value) is type(theirs.value)
    assert str(ours.value) == str(theirs.value)


def test_what_pytorch_takes_and_we_do_not_is_an_error_of_its_own() -> None:
    with pytest.raises(KindError, match=r"Call torch\.nn\.functional\.cross_entropy"):
        refuse(F.cross_entropy, z, y)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_are_pytorchs(name: str) -> None:
    def shape(function: Any) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    mine = shape(getattr(X, name))
    if name == "cross_entropy":
        assert mine.pop() == ("inplace_gradient", inspect.Parameter.KEYWORD_ONLY, False)
    assert mine == shape(getattr(F, name))
    assert getattr(X, name).__name__ == name


@pytest.mark.parametrize("name", [name for name in CLASSES if name != "LinearCrossEntropyLoss"])
def test_constructors_are_pytorchs(name: str) -> None:
    assert inspect.signature(getattr(X, name)) == inspect.signature(getattr(torch.nn, name))


LEGACY = [
    {"size_average": False},
    {"size_average": True},
    {"reduce": False},
    {"reduce": True, "size_average": False},
    {"reduction": "elementwise_mean"},
]
LEGACY_CALLS: dict[str, Callable[..., Any]] = {
    "cross_entropy": lambda f, **o: f(z, y, **o),
    "nll_loss": lambda f, **o: f(z, y, **o),
    "binary_cross_entropy": lambda f, **o: f(t, t, **o),
    "binary_cross_entropy_with_logits": lambda f, **o: f(z, t, **o),
    "kl_div": lambda f, **o: f(z, t, **o),
    "soft_margin_loss": lambda f, **o: f(z, t, **o),
    "multilabel_soft_margin_loss": lambda f, **o: f(z, t, **o),
    "multi_margin_loss": lambda f, **o: f(z, y, **o),
    "multilabel_margin_loss": lambda f, **o: f(z, torch.tensor([[0, -1, 1], [1, 2, -1]]), **o),
}


@pytest.mark.parametrize(
    ("name", "options"),
    # PyTorch refuses elementwise_mean in multilabel_soft_margin_loss: "reduction, multilabel" above.
    [(n, o) for n in LEGACY_CALLS for o in LEGACY if n != "multilabel_soft_margin_loss" or "reduction" not in o],
    ids=str,
)
def test_deprecated_arguments_warn_and_work_as_pytorchs(name: str, options: dict[str, Any]) -> None:
    call = LEGACY_CALLS[name]
    with pytest.warns(UserWarning, match="deprecated") as theirs:
        expected = call(getattr(F, name), **options)
    with pytest.warns(UserWarning, match="deprecated") as ours:
        value = call(getattr(X, name), **options)
    assert_close(value, expected)
    assert [str(w.message) for w in ours] == [str(w.message) for w in theirs]


def test_warnings_point_at_the_line_of_the_caller() -> None:
    with pytest.warns(UserWarning, match="size_average") as said:
        X.cross_entropy(z, y, size_average=False)
    assert said[0].filename == __file__
    with pytest.warns(UserWarning, match="batchmean") as said:
        X.kl_div(z, t)
    assert said[0].filename == __file__


def test_kl_div_says_that_its_mean_is_not_the_divergence() -> None:
    with pytest.warns(UserWarning, match="batchmean") as theirs:
        expected = F.kl_div(z, t)
    with pytest.warns(UserWarning, match="batchmean") as ours:
        assert_close(X.kl_div(z, t), expected)
    assert str(ours[0].message) == str(theirs[0].message)


def test_a_label_in_a_vector_of_one_and_negative_smoothing_are_taken_as_pytorch_takes_them() -> None:
    for reduction in ("none", "mean", "sum"):
        one = X.cross_entropy(z[0], y[:1], reduction=reduction)
        assert one.shape == ()
        assert_close(one, F.cross_entropy(z[0], y[:1], reduction=reduction))
        assert_close(X.nll_loss(z[0], y[:1], reduction=reduction), F.nll_loss(z[0], y[:1], reduction=reduction))
    assert_close(X.cross_entropy(z, y, label_smoothing=-1.0), F.cross_entropy(z, y, label_smoothing=-1.0))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(
    ("shape", "smoothing"), [((0, 3), 0.0), ((0, 0), 0.0), ((0, 3), 0.1), ((0, 3, 2), 0.1), ((2, 3, 0), 0.0)]
)
def test_empty_batches(shape: tuple[int, ...], smoothing: float, reduction: str) -> None:
    empty = torch.zeros(shape, requires_grad=True)
    labels = torch.zeros((shape[0], *shape[2:]), dtype=torch.int64)
    for truth in (labels, torch.zeros(shape)):
        value = X.cross_entropy(empty, truth, reduction=reduction, label_smoothing=smoothing)
        expected = F.cross_entropy(empty, truth, reduction=reduction, label_smoothing=smoothing)
        assert_close(value, expected, equal_nan=True)
        (slope,) = torch.autograd.grad(value.sum(), empty)
        assert slope.shape == empty.shape


def test_importing_xent_does_not_import_torch_but_this_front_end_does() -> None:
    code = "import sys, xent; a = 'torch' in sys.modules; import xent.torch; print(a, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["False", "True"]
