"""What the losses have to be, in float64 from the scores as they are, and whether a result is that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

#: From scores (N, K) in float64 and labels (N,), or what else the truth is, to the loss of each row.
OfRows: TypeAlias = Callable[[Any, Any], Any]
#: How far a result may be from the exact one. Each peer may round as its type does: what is compared is to be the same
#: function, and whether it is the more exact one is measured elsewhere.
TOLERANCE = {torch.bfloat16: 5e-2, torch.float32: 1e-4}
#: Elements that are taken to float64 at a time, and rows whose gradient is looked at.
_PIECE, _ROWS = 2**26, 8


def surprisal(z: Any, y: Any) -> Any:
    return -torch.log_softmax(z, -1).gather(1, y[:, None])[:, 0]


def of_probabilities(z: Any, t: Any) -> Any:
    return -(t.double() * torch.log_softmax(z, -1)).sum(-1)


def entropy(z: Any, _: Any) -> Any:
    log_q = torch.log_softmax(z, -1)
    return -(log_q.exp() * log_q).sum(-1)


def smoothed(z: Any, y: Any) -> Any:
    """ε = 0.1."""
    return 0.9 * surprisal(z, y) - 0.1 * torch.log_softmax(z, -1).mean(-1)


def with_z_loss(z: Any, y: Any) -> Any:
    """λ = 1e-4."""
    return surprisal(z, y) + 1e-4 * torch.logsumexp(z, -1) ** 2


def focal(z: Any, y: Any) -> Any:
    """γ = 2."""
    loss = surprisal(z, y)
    return (1.0 - torch.exp(-loss)) ** 2 * loss


def capped(z: Any, y: Any) -> Any:
    """c = 30."""
    return surprisal(30.0 * torch.tanh(z / 30.0), y)


@dataclass(frozen=True, eq=False)
class Exact:
    """The loss of each row, and of some rows the gradient of the mean loss, the likeliest class and the weight."""

    losses: Any
    rows: Any
    gradient: Any
    labels: Any
    weight: Any
    tolerance: float


def exact(z: Any, y: Any, of_rows: OfRows = surprisal, weight: Any = None) -> Exact:
    """A loss of scores z (N, K) and labels y (N,) or probabilities y (N, K), times a number or one of each row."""
    z, tolerance = z.detach(), TOLERANCE[z.dtype]
    count, step = len(z), max(1, _PIECE // z.shape[-1])
    w = torch.as_tensor(1.0 if weight is None else weight, dtype=torch.float64, device=z.device).expand(count)
    losses = [of_rows(z[at : at + step].double(), y[at : at + step]) for at in range(0, count, step)]
    rows = torch.linspace(0, count - 1, min(count, _ROWS), dtype=torch.float64).long().to(z.device)
    some = z[rows].double().requires_grad_()
    (gradient,) = torch.autograd.grad((of_rows(some, y[rows]) * w[rows]).sum() / count, some)
    labels = y[rows] if y.ndim == 1 else y[rows].argmax(-1)
    return Exact(torch.cat(losses) * w, rows, gradient, labels, w[rows], tolerance)


def wrong_mean(expected: Exact, value: Any, gradient: Any, *, trains: bool) -> str | None:
    """What is wrong with a mean loss and, in training, with its gradient by the scores."""
    what = _wrong_number(float(value.detach()), float(expected.losses.mean()), expected.tolerance)
    if what is not None or not trains:
        return what
    if gradient is None:
        return "no gradient"
    at = expected.labels[:, None]
    difference = gradient[expected.rows].double() - expected.gradient
    # Where q is near 1 the gradient is near 0: a tenth of its largest is added to what the error is measured by.
    size = expected.gradient.gather(1, at).abs() + 0.1 * expected.weight[:, None] / len(expected.losses)
    truth = difference.gather(1, at).abs() / size
    others = difference.scatter(1, at, 0.0).norm(dim=1) / expected.gradient.scatter(1, at, 0.0).norm(dim=1)
    for where, error in (("at the truth", truth), ("at the other classes", others)):
        worst = float(error.max())
        if not worst <= expected.tolerance:
            return f"gradient {where} off by {worst:.2g} of its size"
    return None


def wrong_rows(expected: Exact, found: Any, what: str = "loss") -> str | None:
    """What is wrong with a number of each row."""
    off = (found.detach().double() - expected.losses).abs()
    excess = off - expected.tolerance * (1.0 + expected.losses.abs())
    row = int(torch.where(excess.isnan(), torch.inf, excess).argmax())
    if float(excess[row]) <= 0.0:
        return None
    return f"{what} of row {row} is {float(found[row]):.6g}, exact {float(expected.losses[row]):.6g}"


def wrong_binary(z: Any, t: Any, value: Any, gradient: Any, *, weight: Any = None, trains: bool = True) -> str | None:
    """The same of the mean of binary cross-entropies of targets t, each times the weight of its row: its value, and in
    training its gradient in some rows."""
    tolerance = TOLERANCE[z.dtype]
    x, u = z.detach().double(), t.double()
    w = torch.ones_like(x[:, :1]) if weight is None else weight.double()[:, None]
    expected = float(((torch.nn.functional.softplus(x) - u * x) * w).mean())
    what = _wrong_number(float(value.detach()), expected, tolerance)
    if what is not None or not trains:
        return what
    if gradient is None:
        return "no gradient"
    rows = slice(None, None, max(1, len(x) // _ROWS))
    slope = (torch.sigmoid(x[rows]) - u[rows]) * w[rows] / x.numel()
    error = float((gradient[rows].double() - slope).norm() / slope.norm())
    return None if error <= tolerance else f"gradient off by {error:.2g} of its size"


def _wrong_number(found: float, expected: float, tolerance: float) -> str | None:
    return None if abs(found - expected) <= tolerance * abs(expected) else f"loss {found:.6g}, exact {expected:.6g}"
