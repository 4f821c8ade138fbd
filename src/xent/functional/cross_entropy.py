"""The one function: cross_entropy(P, Q), its value with gradient, and which kernel runs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, TypeGuard

from xent.backends import on_arrays
from xent.core import algebra
from xent.core.arrays import Array, classes_at, detached, sum_classes, times
from xent.core.penalties import Penalty
from xent.core.predictions import Projection
from xent.core.reduction import Empty, Reduction
from xent.core.scores import Scores
from xent.core.shaping import Shaping
from xent.core.target_steps import TargetStep
from xent.core.values import Inspector, hard_rows
from xent.errors import KindError, SoftTargetError, UndefinedPairError
from xent.functional.call import P_, Q_, Call
from xent.functional.elements import elements_and_gradient, fused_elements
from xent.functional.extras import adjusted_statistics, extra_of
from xent.functional.fused import fused_shaped, fused_sum, parts, total
from xent.functional.prepare import prepare
from xent.functional.projection import projection_gradient
from xent.functional.reducing import Reducer
from xent.functional.scoring import Angles, pull_back
from xent.kernels.coefficients import row_coefficients, target_probs
from xent.kernels.gpu import gpu
from xent.kernels.protocol import HardTarget, SoftTarget
from xent.kernels.registry import Explanation, consider


@on_arrays
def cross_entropy(
    P: P_,
    Q: Q_,
    *,
    weight: Any = None,
    class_weight: Any = None,
    positive_weight: Any = None,
    scores: Scores | None = None,
    target: TargetStep | None = None,
    shaping: Shaping | None = None,
    penalties: Iterable[Penalty] = (),
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Cross-entropy H(P, Q) = −Σ P log Q of each example, and their mean.

    L = Σ w_i·(φ(ℓ_i) + R_i) / D with ℓ_i = −Σ_k P_i(k) log Q_i(k), in nats.

    Parameters
    ----------
    P : Labels, Distribution or Indicators
        The truth.
    Q : Logits, LogProbabilities, Probabilities or Projection
        The prediction. float16, bfloat16, float32 or float64.
    weight : number or array, optional
        w_i ≥ 0: one an example (for Indicators one an element); an axis may have length 1. An example of weight 0 has
        loss 0 and gradient 0, whatever its scores hold.
    class_weight : array (K,), optional
        Multiplies w by Σ c_k P(k), which is c[y] for labels that are not smoothed, and by c_k for element k of
        Indicators; so in the denominator too, and a label and its one-hot row agree.
    positive_weight : number or array (K,), optional
        For Indicators: multiplies the yes side, −v·t·log q − (1 − t)·log(1 − q). It is not part of the denominator.
    scores : Scores, optional
        What is done to scores first: softcap, margin, scale, offset, mask, in this order.
    target : TargetStep, optional
        What is made of the truth, for example ``HardBootstrap(0.8)``. Weights act after it.
    shaping : Shaping, optional
        φ, for example ``Focal(2.0)``.
    penalties : sequence of Penalty
        R, for example ``[ZLoss(1e-4)]``; weighted as the example is.
    reduction : "none", "sum" or "mean"
    denominator : number, optional
        Replaces D in a mean; by default D = Σ w_i over the examples that count.
    empty : "nan", "zero" or "raise"
        What a mean over nothing is. Its gradient is zero.

    Returns
    -------
    array of Q's framework, on its device
        float64 where Q is float64, else float32. A scalar, or for "none" one number an example: Q's shape without its
        class axis, for Indicators Q's shape. 0·∞ = 0: a class without target mass may have probability zero. Where the
        truth has probability zero the loss is infinite.

    Raises
    ------
    KindError
        P is no target, Q no prediction, or they come from two frameworks.
    ShapeError, AxisError, OneClassError
        Shapes that do not fit; a softmax over one class.
    LabelError, ProbabilityError, NormalizationError, WeightError
        Values that cannot be. Where data cannot be read (a compiler, an accelerator), loss and gradient are NaN.
    SoftTargetError, UndefinedPairError, OptionError, EmptyError
        A shaping, penalty or option that has no meaning here.

    See Also
    --------
    value_and_grad, kl_divergence, perplexity, explain

    References
    ----------
    Good, "Rational Decisions", Journal of the Royal Statistical Society B 14, 1952.

    Examples
    --------
    >>> import xent
    >>> Q = xent.Logits([[2.0, 0.5, -1.0], [0.1, 0.2, 3.0]])
    >>> round(float(xent.cross_entropy(xent.Labels([0, 2]), Q)), 4)
    0.1755
    """
    reducer = Reducer(reduction, denominator, empty)
    call, penalties = _prepared(P, Q, weight, class_weight, positive_weight, scores, target, shaping, penalties)
    with call.backend.quiet():

        def general(call: Call) -> Array:
            return reducer(call, _values(call, shaping, penalties))

        def again(call: Call) -> Array:
            return general(call.settled().scored())

        if not call.rows:
            fused = fused_elements(call, reducer, shaping, again)
        elif call.scores is None and shaping is None and not penalties and call.pending is None:
            fused = fused_sum(call, reducer)
        else:
            fused = fused_shaped(call, reducer, shaping, penalties, again)
        return general(call) if fused is None else fused


@on_arrays
def value_and_grad(
    P: P_,
    Q: Q_,
    *,
    weight: Any = None,
    class_weight: Any = None,
    positive_weight: Any = None,
    scores: Scores | None = None,
    target: TargetStep | None = None,
    shaping: Shaping | None = None,
    penalties: Iterable[Penalty] = (),
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> tuple[Array, Any]:
    """Cross-entropy, and its gradient with respect to the array that Q holds.

    ∂L/∂z = (a·softmax(z) − b·t) with a = w·φ′(ℓ)·Σt/D + ∂R and b = w·φ′(ℓ)/D. For NumPy, where nothing
    differentiates; on PyTorch it is the same computation without a graph.

    Takes what ``cross_entropy`` takes, and raises what it raises.

    Returns
    -------
    value : array
        In nats, as of ``cross_entropy``.
    gradient : array of Q's shape and dtype
        For ``reduction="none"`` the gradient of the sum: every example's own. For a Projection the tuple of gradients
        by hidden, weight and bias (None without one).

    Examples
    --------
    >>> import numpy as np, xent
    >>> value, gradient = xent.value_and_grad(xent.Labels(0), xent.Logits(np.array([0.0, 0.0])))
    >>> round(float(value), 4), gradient
    (0.6931, array([-0.5,  0.5]))
    """
    reducer = Reducer(reduction, denominator, empty)
    call, penalties = _prepared(P, Q, weight, class_weight, positive_weight, scores, target, shaping, penalties)
    call = _detached(call)
    with call.backend.quiet():
        made = None if call.rows else elements_and_gradient(call, reducer, shaping)
        if made is not None:
            return made[0], _to_user(call, Q, made[1])
        plain = call.scores is None and shaping is None and not penalties and call.pending is None
        fused = None if plain else extra_of(call, shaping, penalties)
        c = parts(call, reducer, each=fused[0] is gpu) if fused is not None else None
        if fused is not None and c is not None and call.target is not None:
            kernel, extra = fused
            each, lse, gradient = kernel.row_shaped(call.q, call.target, call.link, c, extra)
            value = total(call, reducer, each, lse, shaping, penalties)
            return value, _to_user(call, Q, gradient)
        scored = call.settled().scored()
        by_norm = None
        c = parts(scored, reducer) if shaping is None and not penalties else None
        if c is not None and scored.target is not None:
            each, gradient = scored.kernel().row_fused(scored.q, scored.target, scored.link, c)
            value = total(scored, reducer, each)
        else:
            losses = _values(scored, shaping, penalties)
            value = reducer(scored, losses)
            gradient, by_norm = _gradient(scored, shaping, penalties, reducer.scale(scored, losses))
        at_truth = None
        if call.scores is not None:
            gradient, at_truth = pull_back(gradient, call.q, call.scores, call.truth, call.angles)
        return value, _to_user(call, Q, gradient, at_truth, by_norm)


def _to_user(call: Call, Q: Q_, gradient: Array, at_truth: Array | None = None, by_norm: Array | None = None) -> Any:
    """The gradient by what Q holds, with the class axis where the user has it."""
    if isinstance(Q, Projection):
        return projection_gradient(call, Q, gradient, at_truth, by_norm)
    gradient = call.xp.astype(gradient, call.q.dtype, copy=False)
    return classes_at(gradient, call.axis) if call.rows else gradient


def explain(P: P_, Q: Q_) -> Explanation:
    """Which kernel would run ``cross_entropy(P, Q)``, and why the others would not.

    Examples
    --------
    >>> import xent
    >>> print(xent.explain(xent.Labels([0]), xent.Logits([[1.0, 2.0]])))
    numpy float64 of shape (1, 2) on cpu, Q holds logits, hard target: kernel cpu
    """
    return consider(prepare(P, Q).task)[1]


def _prepared(
    P: P_,
    Q: Q_,
    weight: Any,
    class_weight: Any,
    positive_weight: Any,
    scores: Scores | None,
    target: TargetStep | None,
    shaping: Shaping | None,
    penalties: Iterable[Penalty],
) -> tuple[Call, tuple[Penalty, ...]]:
    penalties = _require_family(scores, shaping, penalties)
    scores = None if scores is None or scores.idle else scores
    needs: frozenset[str] = frozenset().union(*(p.needs for p in penalties))
    want = (needs | {"loss"}) - {"norm"}
    call = prepare(
        P,
        Q,
        weight=weight,
        class_weight=class_weight,
        positive_weight=positive_weight,
        scores=scores,
        step=target,
        want=want,  # type: ignore[arg-type]
        norm="norm" in needs,
        waits=True,
    )
    if not call.rows and penalties:
        raise UndefinedPairError(
            "penalties=",
            "Labels or Distribution: a penalty reads a row of scores",
            "Indicators, which have no rows",
        )
    if "lse" in want and call.link != "logits":
        raise UndefinedPairError(
            "penalties=", "Logits or Projection: log-sum-exp belongs to scores", f"{type(Q).__name__}"
        )
    if shaping is not None and shaping.soft is None:
        call = _require_hard(call, shaping, P)
    return call, penalties


def _require_family(scores: Any, shaping: Any, penalties: Any) -> tuple[Penalty, ...]:
    if scores is not None and not isinstance(scores, Scores):
        raise KindError("scores=", "Scores such as Scores(scale=1 / 0.07), or None", repr(scores))
    if shaping is not None and not isinstance(shaping, Shaping):
        raise KindError("shaping=", "a Shaping such as Focal(2.0), or None", repr(shaping))
    if isinstance(penalties, Penalty) or not isinstance(penalties, Iterable):
        raise KindError("penalties=", "a sequence such as [ZLoss(1e-4)]", repr(penalties))
    found = tuple(penalties)
    for penalty in found:
        if not isinstance(penalty, Penalty):
            raise KindError("penalties=", "penalties such as ZLoss(1e-4)", repr(penalty))
    return found


def _require_hard(call: Call, shaping: Shaping, P: P_) -> Call:
    """A shaping with several readings is given hard targets only; what cannot be read becomes NaN."""

    def error() -> SoftTargetError:
        return SoftTargetError(
            "shaping=",
            "hard targets: Labels, one-hot rows, or indicators 0 and 1, without smoothing",
            f"soft ones in {type(P).__name__}",
            f'For φ of the surprisal −Σ t log q write {type(shaping).__name__}(…, soft="surprisal").',
        )

    if P.smoothing or (isinstance(call.target, HardTarget) and call.target.off):
        raise error()
    inspect = Inspector(call.reads, call.counted)

    def hard(truth: Any) -> Any:
        if isinstance(truth, SoftTarget):
            return replace(truth, probs=hard_rows(target_probs(truth), inspect, error, rows=True), log_probs=None)
        return truth if isinstance(truth, HardTarget) else hard_rows(truth, inspect, error, rows=False)

    waits = call.pending
    if waits is not None:
        within = replace(waits.within, hard=True)
        return replace(call, pending=replace(waits, within=within, settle=lambda raw: hard(waits.settle(raw))))
    return replace(call, t=hard(call.t)) if call.target is None else replace(call, target=hard(call.target))


def _values(call: Call, shaping: Shaping | None, penalties: tuple[Penalty, ...]) -> Array:
    """The loss of each example."""
    if call.rows and not _per_class(shaping, call):
        direct = adjusted_statistics(call)
        if direct is not None:
            return algebra.row_values(direct, shaping, penalties, call.weight, call.counted, call.backend.apply)
    call = call.settled().scored()
    if call.rows:
        if _per_class(shaping, call):
            call, s, t = _classes(call)
            found = call.statistics() if penalties else {}
            found["loss"] = sum_classes(times(t, call.backend.apply(shaping, s)))
            return algebra.row_values(found, None, penalties, call.weight, call.counted, call.backend.apply)
        return algebra.row_values(call.statistics(), shaping, penalties, call.weight, call.counted, call.backend.apply)
    if shaping is None:
        # Cleaned, so that the truth of an element that does not count has a derivative of 0 too.
        found = {"loss": call.cleaned().element_losses()}
        return algebra.row_values(found, None, (), call.weight, call.counted, call.backend.apply)
    yes, no = call.elements()
    return algebra.element_values(
        yes, no, call.t, call.positive_weight, shaping, call.weight, call.counted, call.backend.apply
    )


def _per_class(shaping: Shaping | None, call: Call) -> TypeGuard[Shaping]:
    """Whether φ acts on the surprisal of each class: of a hard target that of the truth alone counts."""
    if shaping is None or shaping.soft != "per-class":
        return False
    return isinstance(call.target, SoftTarget) or bool(call.target is not None and call.target.off)


def _classes(call: Call) -> tuple[Call, Array, Array]:
    """The call without scores that do not count, −log q of its classes, and t."""
    call = call.cleaned()
    return call, call.backend.surprisals(call.q, call.link), call.class_truth()


def _gradient(
    call: Call, shaping: Shaping | None, penalties: tuple[Penalty, ...], scale: Any
) -> tuple[Array, Array | None]:
    """The gradient by the scores, of rows with their classes last; and by ‖x‖, where a penalty reads it."""
    kernel = call.kernel()
    if call.rows:
        target = call.target
        if _per_class(shaping, call):
            call, s, t = _classes(call)
            target, shaping = SoftTarget(times(t, shaping.derivative(s))), None
        slopes = algebra.row_derivatives(call.statistics(), shaping, penalties, call.weight, call.counted)
        slopes = {name: slope * scale for name, slope in slopes.items()}
        coefficients = row_coefficients(slopes, target, call.classes)
        return kernel.row_gradient(call.q, target, call.link, coefficients), slopes.get("norm")
    if shaping is None:
        above = call.xp.ones_like(call.t) * scale if call.weight is None else call.weight * scale
        return kernel.element_loss_gradient(call.q, call.link, call.t, call.positive_weight, above), None
    yes, no = call.elements()
    a, b = algebra.element_derivatives(yes, no, call.t, call.positive_weight, shaping, call.weight, call.counted)
    return kernel.element_gradient(call.q, call.link, a * scale, b * scale), None


def _detached(call: Call) -> Call:
    """The call without its graph, where the framework keeps one."""
    if call.backend.name == "numpy":
        return call
    target = call.target
    if isinstance(target, SoftTarget):
        target = replace(target, probs=_cut(target.probs), log_probs=_cut(target.log_probs))
    scores, angles = call.scores, call.angles
    if scores is not None:
        scores = replace(scores, scale=_cut(scores.scale), offset=_cut(scores.offset))
    if angles is not None:
        angles = Angles(*(_cut(getattr(angles, field.name)) for field in fields(angles)))
    return replace(
        call,
        scores=scores,
        angles=angles,
        q=detached(call.q),
        norm=_cut(call.norm),
        target=target,
        t=_cut(call.t),
        weight=_cut(call.weight),
        positive_weight=_cut(call.positive_weight),
    )


def _cut(x: Any) -> Any:
    return x if x is None or isinstance(x, float) else detached(x)
