"""Fenchel–Young losses of Tsallis entropies on the same P and Q."""

from __future__ import annotations

from typing import Any

from xent.backends import find, on_arrays
from xent.core import algebra, checks
from xent.core.arrays import Array, classes_at, classes_last, detached, namespace, to_compute
from xent.core.entmax import divergence, entmax
from xent.core.predictions import Logits, Probabilities, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Distribution, Indicators, Labels
from xent.errors import UndefinedPairError
from xent.functional.call import PREDICTIONS, Call
from xent.functional.cross_entropy import value_and_grad
from xent.functional.divergences import kl_divergence
from xent.functional.prepare import prepare
from xent.functional.projection import projected_scores, projection_gradient
from xent.functional.reducing import Reducer


@on_arrays
def fenchel_young(
    P: Labels | Distribution,
    Q: Logits | Projection,
    alpha: float,
    *,
    weight: Any = None,
    class_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """L = Ω*(z) + Ω(t) − ⟨t, z⟩, differentiable twice."""
    _require_kinds(P, Q)
    if alpha == 1.0:
        return kl_divergence(
            P, Q, weight=weight, class_weight=class_weight, reduction=reduction, denominator=denominator, empty=empty
        )
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(P, Q, weight=weight, class_weight=class_weight).cleaned()
    with call.backend.quiet():
        each, _ = divergence(to_compute(call.q), call.class_truth(), alpha)
        return reducer(call, _weighted(call, each))


@on_arrays
def fenchel_young_value_and_grad(
    P: Labels | Distribution,
    Q: Logits | Projection,
    alpha: float,
    *,
    weight: Any = None,
    class_weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> tuple[Array, Any]:
    """The same, and its gradient w·(q − t)/D by the array that Q holds."""
    _require_kinds(P, Q)
    options: dict[str, Any] = {"weight": weight, "class_weight": class_weight}
    options |= {"reduction": reduction, "denominator": denominator, "empty": empty}
    if alpha == 1.0:
        # The entropy of P, which is all that is between them, has no derivative by Q.
        _, gradient = value_and_grad(P, Q, **options)
        return detached(kl_divergence(P, Q, **options)), gradient
    reducer = Reducer(reduction, denominator, empty)
    call = prepare(P, Q, weight=weight, class_weight=class_weight).cleaned()
    with call.backend.quiet():
        each, difference = divergence(detached(to_compute(call.q)), detached(call.class_truth()), alpha)
        value = detached(reducer(call, _weighted(call, each)))
        slope = algebra.row_derivatives({"loss": each}, None, (), call.weight, call.counted)["loss"]
        slope = (slope * reducer.scale(call, each))[..., None]
        # An example that does not count has a gradient of zero, whatever it holds.
        gradient = detached(call.xp.where(slope == 0, 0.0, slope * difference))
        if isinstance(Q, Projection):
            return value, projection_gradient(call, Q, gradient, None, None)
        return value, classes_at(call.xp.astype(gradient, call.q.dtype, copy=False), call.axis)


def entmax_of(Q: Logits | Projection, alpha: float) -> Probabilities:
    """The distribution that α-entmax makes of scores."""
    _require_scores(Q)
    x = projected_scores(Q, None, None, None, None)[0] if isinstance(Q, Projection) else to_compute(Q.scores)
    checks.require_class_axis(x, "Q")
    axis = Q.axis % x.ndim
    checks.require_classes(x.shape[axis])
    rows, backend = classes_last(x, axis), find(x)
    with backend.quiet():
        if alpha == 1.0:
            q = namespace(x).exp(-backend.surprisals(rows, "logits"))
        else:
            found, sound = entmax(rows, alpha)
            q = found.q * sound
    return Probabilities(classes_at(q, axis), axis=axis)


def _require_kinds(P: Any, Q: Any) -> None:
    if isinstance(P, Indicators):
        raise UndefinedPairError("P", "Labels or Distribution: entmax is one of the classes of a row", "Indicators")
    if isinstance(P, (Labels, Distribution)):
        _require_scores(Q)


def _require_scores(Q: Any) -> None:
    checks.require_prediction(Q, PREDICTIONS)
    if not isinstance(Q, (Logits, Projection)):
        raise UndefinedPairError(
            "Q", "Logits or Projection: entmax is one of scores", type(Q).__name__, "Give the scores themselves."
        )


def _weighted(call: Call, each: Array) -> Array:
    return algebra.row_values({"loss": each}, None, (), call.weight, call.counted, algebra.plain)
