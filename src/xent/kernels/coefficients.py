"""From the derivative of a loss by the row statistics to the row scalars of a gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xent.core.arrays import Array, namespace, sum_classes, to_compute
from xent.kernels.protocol import HardTarget, RowCoefficients, SoftTarget, Target


def target_mass(target: Target, classes: int) -> Array | float:
    """Σt of each row."""
    if isinstance(target, HardTarget):
        return target.on + target.off * classes
    t = target_probs(target)
    return sum_classes(t)


def target_probs(target: SoftTarget) -> Array:
    """t = on·p + off, of Q's shape."""
    log_p = target.log_probs
    p: Array = to_compute(target.probs) if log_p is None else namespace(log_p).exp(to_compute(log_p))
    return p if target.on == 1.0 and target.off == 0.0 else p * target.on + target.off


def row_coefficients(derivatives: Mapping[Any, Array | None], target: Target | None, classes: int) -> RowCoefficients:
    """a = ∂ℓ·Σt + ∂lse, b = ∂ℓ, h = ∂entropy, from the derivatives by ℓ (or the divergence), lse and entropy."""
    b = _add(derivatives.get("loss"), derivatives.get("divergence"))
    a = derivatives.get("lse")
    if b is not None and target is not None:
        a = _add(b * target_mass(target, classes), a)
    return RowCoefficients(a=a, b=b, h=derivatives.get("entropy"))


def _add(x: Array | None, y: Array | None) -> Array | None:
    return y if x is None else x if y is None else x + y
