"""From row statistics to the loss of each example, and to the derivative of that loss by each statistic.

    L_i = w_i·(φ(ℓ_i) + Σ R(statistics of row i))           rows: Labels and Distribution
    L_i = w_i·(t·v·φ(yes) + (1 − t)·φ₋(no))                 elements: Indicators, with v the positive weight
    L_i = w_i·(t·v·φ(ℓ) + (1 − t)·φ₋(ℓ)), ℓ = t·yes + (1 − t)·no       … where φ reads a soft target as "surprisal"

Everything here is arithmetic on N numbers, or on the elements of Indicators, in any array namespace. ``apply`` is how
a backend evaluates φ: plainly, or so that its framework can differentiate it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from xent.core.arrays import Array, namespace, times
from xent.core.penalties import Penalty
from xent.core.shaping import Shaping

Apply: TypeAlias = Callable[[Shaping, Array], Array]


def plain(shaping: Shaping, loss: Array) -> Array:
    """φ(ℓ) where nothing is to be differentiated."""
    return shaping.value(loss)


def shaped_derivative(shaping: Shaping | None, loss: Array) -> Array:
    """φ′(ℓ)."""
    return namespace(loss).ones_like(loss) if shaping is None else shaping.derivative(loss)


def live(counted: Array | None, weight: Array | None, statistics: Mapping[str, Array]) -> Array | None:
    """Rows whose statistics enter the arithmetic; None: all.

    An ignored row enters with zeros, whatever its scores hold. So does a row of weight zero whose loss is not finite,
    because 0·∞ is 0 here; with a finite loss it enters as it is, so that its weight has a derivative.
    """
    if weight is None:
        return counted
    xp = namespace(weight)
    alive = weight != 0
    finite = None
    for value in statistics.values():
        finite = xp.isfinite(value) if finite is None else finite & xp.isfinite(value)
    if finite is not None:
        alive = alive | finite
    return alive if counted is None else alive & counted


def mask(alive: Array | None, statistics: Mapping[str, Array]) -> dict[str, Array]:
    """Statistics with zeros in the rows that do not enter."""
    if alive is None:
        return dict(statistics)
    return {name: namespace(value).where(alive, value, 0.0) for name, value in statistics.items()}


def row_values(
    statistics: Mapping[str, Array],
    shaping: Shaping | None,
    penalties: tuple[Penalty, ...],
    weight: Array | None,
    counted: Array | None,
    apply: Apply,
) -> Array:
    """L_i of each row; exactly 0 where it does not count."""
    alive = live(counted, weight, statistics)
    clean = mask(alive, statistics)
    value = clean["loss"] if shaping is None else apply(shaping, clean["loss"])
    for penalty in penalties:
        value = value + penalty.value(clean)
    return _weighted(value, weight, counted)


def row_derivatives(
    statistics: Mapping[str, Array],
    shaping: Shaping | None,
    penalties: tuple[Penalty, ...],
    weight: Array | None,
    counted: Array | None,
) -> dict[str, Array]:
    """∂L_i/∂s for each statistic s of row i; exactly 0 where the row does not count."""
    alive = live(counted, weight, statistics)
    clean = mask(alive, statistics)
    derivatives = {"loss": shaped_derivative(shaping, clean["loss"])}
    for penalty in penalties:
        for name, value in penalty.derivative(clean).items():
            derivatives[name] = derivatives[name] + value if name in derivatives else value
    return {name: _weighted(value, weight, counted) for name, value in derivatives.items()}


def element_values(
    yes: Array,
    no: Array,
    t: Array,
    positive_weight: Array | None,
    shaping: Shaping | None,
    weight: Array | None,
    counted: Array | None,
    apply: Apply,
) -> Array:
    """L of each element of Indicators."""
    v = 1.0 if positive_weight is None else positive_weight
    clean = _clean_elements(yes, no, t, v, weight, counted)
    if shaping is None:
        value = t * v * clean["yes"] + (1 - t) * clean["no"]
    elif shaping.soft == "surprisal":
        mean = t * clean["yes"] + (1 - t) * clean["no"]
        if shaping.no is shaping:
            value = (t * v + (1 - t)) * apply(shaping, mean)
        else:
            value = times(t * v, apply(shaping, mean)) + times(1 - t, apply(shaping.no, mean))
    else:
        value = t * v * apply(shaping, clean["yes"]) + (1 - t) * apply(shaping.no, clean["no"])
    return _weighted(value, weight, counted)


def element_derivatives(
    yes: Array,
    no: Array,
    t: Array,
    positive_weight: Array | None,
    shaping: Shaping | None,
    weight: Array | None,
    counted: Array | None,
) -> tuple[Array, Array]:
    """(∂L/∂no, ∂L/∂yes) of each element: the kernel's a and b."""
    v = 1.0 if positive_weight is None else positive_weight
    clean = _clean_elements(yes, no, t, v, weight, counted)
    if shaping is not None and shaping.soft == "surprisal":
        mean = t * clean["yes"] + (1 - t) * clean["no"]
        slope = t * v * shaping.derivative(mean) + (1 - t) * shaping.no.derivative(mean)
        a, b = (1 - t) * slope, t * slope
    else:
        a = (1 - t) * shaped_derivative(None if shaping is None else shaping.no, clean["no"])
        b = t * v * shaped_derivative(shaping, clean["yes"])
    return _weighted(a, weight, counted), _weighted(b, weight, counted)


def _clean_elements(
    yes: Array, no: Array, t: Array, v: Array | float, weight: Array | None, counted: Array | None
) -> dict[str, Array]:
    yes, no = _without_mass(t * v, yes), _without_mass(1 - t, no)
    return mask(live(counted, weight, {"yes": yes, "no": no}), {"yes": yes, "no": no})


def _without_mass(mass: Array, surprisal: Array) -> Array:
    """0·∞ = 0. Only the infinite is replaced, so that the derivative by the mass stays what it is elsewhere."""
    xp = namespace(surprisal)
    return xp.where((mass == 0) & xp.isinf(surprisal), 0.0, surprisal)


def _weighted(value: Array, weight: Array | None, counted: Array | None) -> Array:
    if weight is not None:
        value = value * weight
    return value if counted is None else namespace(value).where(counted, value, 0.0)
