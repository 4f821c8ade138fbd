"""One loss or more of each name in the catalogue, with its exact formula and what it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import losses_exact as exact

import xent
from xent.losses import imbalance, margins, noise

K = 4
COUNTS = [100.0, 30.0, 10.0, 2.0]
PRIOR = [math.log(n / sum(COUNTS)) for n in COUNTS]
#: The class weights (1 − .99)/(1 − .99^n), scaled to a sum of K.
_EFFECTIVE = [(1 - 0.99) / (1 - 0.99**n) for n in COUNTS]
BALANCED = [c * K / sum(_EFFECTIVE) for c in _EFFECTIVE]
TRANSITION = [[0.7, 0.1, 0.1, 0.1], [0.0, 0.8, 0.2, 0.0], [0.1, 0.1, 0.6, 0.2], [0.0, 0.05, 0.05, 0.9]]
ALLOWED = [True, True, False, True]
LOG_ZERO = math.log(1e-4)


@dataclass(frozen=True)
class Sample:
    """A loss of rows or of elements."""

    entry: str
    loss: Any
    #: Where it acts: "S1" … "S4".
    places: tuple[str, ...]
    rows: exact.RowLoss | None = None
    elements: exact.ElementLoss | None = None
    #: Whether it takes soft targets.
    soft: bool = True
    #: Whether its scores are read as cosines.
    cosines: bool = False
    class_weight: Sequence[float] | None = None
    allowed: Sequence[bool] | None = None
    #: A prediction that the cross-entropy is taken of.
    predict: Callable[[Any], Any] | None = None

    @property
    def kinds(self) -> list[str]:
        found = ["labels", "one-hot"] if self.rows else []
        found += ["distribution"] if self.rows and self.soft else []
        found += ["indicators"] if self.elements else []
        return found + (["soft indicators"] if self.elements and self.soft else [])


def _shaped(
    entry: str, make: Callable[..., Any], phi: exact.Phi, no: exact.Phi | None = None, **more: Any
) -> list[Any]:
    """A shaping in its three readings of a soft target."""
    rows = no is None
    return [
        Sample(entry, make(), ("S3",), exact.of_row(phi) if rows else None, exact.of_sides(phi, no), False, **more),
        Sample(
            entry,
            make(soft="surprisal"),
            ("S3",),
            exact.of_row(phi) if rows else None,
            exact.of_element(phi, no),
            **more,
        ),
        Sample(
            entry, make(soft="per-class"), ("S3",), exact.of_classes(phi) if rows else None, exact.of_sides(phi, no),
            **more,
        ),
    ]  # fmt: skip


def _margin(entry: str, loss: Any, change: Any, scale: float = 1.0, **more: Any) -> Sample:
    more = {"soft": False, "cosines": True, **more}
    return Sample(entry, loss, ("S1",), exact.at_truth(change, scale), **more)


def _shift(m: float) -> Callable[[Any, int], Any]:
    return lambda v, k: v - exact.mpf(m)


def _element_smoothing(epsilon: float) -> exact.ElementLoss:
    plain = exact.of_sides(exact.identity)
    return lambda z, t, k: plain(z, (1 - exact.mpf(epsilon)) * t + exact.mpf(epsilon) / 2, k)


def _element_bootstrap(beta: float) -> exact.ElementLoss:
    plain, b = exact.of_sides(exact.identity), exact.mpf(beta)
    return lambda z, t, k: plain(z, b * t + (1 - b) * (z > 0), k)


def _changed(change: Callable[[Any, int], Any]) -> tuple[exact.RowLoss, exact.ElementLoss]:
    """The cross-entropy of changed scores, of rows and of elements."""
    plain = exact.of_sides(exact.identity)
    return exact.on_scores(change), lambda z, t, k: plain(change(z, k), t, k)


def _alpha(alpha: float, gamma: float) -> exact.ElementLoss:
    phi, a = exact.focal(gamma), exact.mpf(alpha)
    return exact.of_sides(lambda s: a * phi(s), lambda s: (1 - a) * phi(s))


_LDAM = [0.5 * (min(COUNTS) / n) ** 0.25 for n in COUNTS]
_ROW, _SIDES = exact.cross_entropy, exact.of_sides(exact.identity)

SAMPLES: dict[str, Sample] = {}


def _add(name: str, *samples: Sample) -> None:
    for suffix, sample in zip(("", ", surprisal", ", per-class"), samples, strict=False):
        SAMPLES[name + suffix] = sample


for _g in (2.0, 0.5, 1e-3):
    _add(
        f"focal {_g:g}",
        *_shaped("imbalance.focal", lambda soft=None, g=_g: imbalance.focal(g, soft=soft), exact.focal(_g)),
    )
_add("focal, alpha", Sample("imbalance.focal", imbalance.focal(2.0, alpha=0.25), ("S3",), None, _alpha(0.25, 2), False))
for _e in (2.0, -1.0):
    _add(
        f"poly {_e:g}",
        *_shaped("imbalance.poly1", lambda soft=None, e=_e: imbalance.poly1(e, soft=soft), exact.poly1(_e)),
    )
_add(
    "asymmetric",
    *_shaped(
        "imbalance.asymmetric",
        lambda soft=None: imbalance.asymmetric(1.0, 4.0, 0.05, soft=soft),
        exact.focal(1.0),
        exact.asymmetric_no(4.0, 0.05),
    ),
)
_add(
    "logit adjustment",
    Sample(
        "imbalance.logit_adjustment",
        imbalance.logit_adjustment(COUNTS, 0.5),
        ("S1",),
        *_changed(lambda v, k: v + exact.mpf(0.5) * exact.mpf(PRIOR[k])),
    ),
)
_add(
    "balanced softmax",
    Sample(
        "imbalance.balanced_softmax",
        imbalance.balanced_softmax(COUNTS),
        ("S1",),
        exact.on_scores(lambda v, k: v + exact.mp.log(COUNTS[k])),
    ),
)
_add("ldam", _margin("imbalance.ldam", imbalance.ldam(COUNTS), lambda v, k: v - exact.mpf(_LDAM[k]), 30.0))
_add(
    "class-balanced",
    Sample(
        "imbalance.class_balanced",
        imbalance.class_balanced(COUNTS, 0.99),
        ("S3",),
        _ROW,
        _SIDES,
        class_weight=BALANCED,
    ),
)
_add(
    "smoothing",
    Sample("noise.label_smoothing", noise.label_smoothing(0.1), ("S2",), exact.smoothing(0.1), _element_smoothing(0.1)),
)
_add(
    "smoothing of others",
    Sample(
        "noise.label_smoothing", noise.label_smoothing(0.1, formula="others"), ("S2",), exact.smoothing(0.1, "others")
    ),
)
_add(
    "smoothing of what can be",
    Sample(
        "noise.label_smoothing",
        noise.label_smoothing(0.1, allowed=ALLOWED),
        ("S1", "S2"),
        exact.smoothing(0.1, "uniform", ALLOWED),
        allowed=ALLOWED,
    ),
)
for _q in (0.7, 1.0, 0.0, 1e-3):
    _add(
        f"generalized {_q:g}",
        *_shaped(
            "noise.generalized_cross_entropy",
            lambda soft=None, q=_q: noise.generalized_cross_entropy(q, soft=soft),
            exact.generalized(_q),
        ),
    )
_add(
    "generalized, truncated",
    *_shaped(
        "noise.generalized_cross_entropy",
        lambda soft=None: noise.generalized_cross_entropy(0.7, truncation=0.3, soft=soft),
        exact.generalized(0.7, 0.3),
    ),
)
_add("taylor", *_shaped("noise.taylor_cross_entropy", noise.taylor_cross_entropy, exact.taylor(2)))
_add(
    "symmetric",
    *_shaped(
        "noise.symmetric_cross_entropy",
        lambda soft=None: noise.symmetric_cross_entropy(0.1, 1.0, soft=soft),
        exact.symmetric(0.1, 1.0, LOG_ZERO),
    ),
)
_add(
    "hard bootstrap",
    Sample(
        "noise.hard_bootstrap", noise.hard_bootstrap(0.8), ("S2",), exact.hard_bootstrap(0.8), _element_bootstrap(0.8)
    ),
)
_add(
    "soft bootstrap",
    Sample("noise.soft_bootstrap", noise.soft_bootstrap(0.95), ("S3", "S4"), exact.soft_bootstrap(0.95)),
)
_add(
    "backward correction",
    Sample(
        "noise.backward_correction",
        noise.backward_correction(TRANSITION),
        ("S2",),
        exact.backward_correction(TRANSITION),
    ),
)
_add(
    "forward correction",
    Sample(
        "noise.forward_correction",
        xent.losses.Loss(),
        (),
        exact.forward_correction(TRANSITION),
        predict=lambda Q: noise.forward_correction(Q, TRANSITION),
    ),
)
_add("z-loss", Sample("noise.z_loss", noise.z_loss(0.1), ("S4",), exact.z_loss(0.1)))
_add(
    "confidence penalty",
    Sample("noise.confidence_penalty", noise.confidence_penalty(0.3), ("S4",), exact.confidence_penalty(0.3)),
)
_add(
    "temperature",
    Sample("noise.temperature", noise.temperature(2.5), ("S1",), *_changed(lambda v, k: v / exact.mpf(2.5))),
)
_add(
    "softcap",
    Sample(
        "noise.softcap",
        noise.softcap(3.0),
        ("S1",),
        *_changed(lambda v, k: 3 * exact.mp.tanh(v / 3)),
    ),
)
_add("sm-softmax", _margin("margins.sm_softmax", margins.sm_softmax(0.6), _shift(0.6), cosines=False))
_add("am-softmax", _margin("margins.am_softmax", margins.am_softmax(0.35, 30.0), _shift(0.35), 30.0))
_add("cosface", _margin("margins.cosface", margins.cosface(0.35, 64.0), _shift(0.35), 64.0))
for _b in ("continue", "linear", "clip", "easy"):
    _add(
        f"arcface, {_b}",
        _margin(
            "margins.arcface",
            margins.arcface(0.5, 16.0, boundary=_b),  # type: ignore[arg-type]
            exact.of_angle(exact.angular(1.0, 0.5, 0.0, _b)),
            16.0,
        ),
    )
_add(
    "combined margin",
    _margin(
        "margins.combined_margin",
        margins.combined_margin(1.1, 0.3, 0.2, 16.0),
        exact.of_angle(exact.angular(1.1, 0.3, 0.2)),
        16.0,
    ),
)
for _m in (1, 2, 3, 4):
    _add(
        f"l-softmax {_m}",
        _margin(
            "margins.l_softmax",
            margins.l_softmax(_m, 0.5),
            exact.of_angle(exact.large_margin(_m, 0.5)),
        ),
    )
_add(
    "sub-center",
    Sample(
        "margins.sub_center",
        xent.losses.Loss(),
        (),
        lambda z, t: exact.cross_entropy([max(z[:2]), max(z[2:])], t),
        predict=lambda Q: margins.sub_center(Q, 2),
    ),
)

ROWS = {name: s for name, s in SAMPLES.items() if s.rows is not None}
ELEMENTS = {name: s for name, s in SAMPLES.items() if s.elements is not None}
EVERY = [(name, kind) for name, s in SAMPLES.items() for kind in s.kinds]

#: Losses of a Projection: (loss, exact formula).
PROJECTIONS: dict[str, tuple[Any, exact.AngleLoss]] = {
    "a-softmax": (margins.a_softmax(3, 0.5), exact.of_projection(exact.large_margin(3, 0.5), "weight")),
    "l-softmax": (margins.l_softmax(2, 0.0), exact.of_projection(exact.large_margin(2), None)),
    "am-softmax": (
        margins.am_softmax(0.35, 8.0, normalize=True),
        exact.of_projection(lambda a: exact.mp.cos(a) - exact.mpf(0.35), "both", 8.0),
    ),
    "cosface": (
        margins.cosface(0.4, 8.0, normalize=True),
        exact.of_projection(lambda a: exact.mp.cos(a) - exact.mpf(0.4), "both", 8.0),
    ),
}
for _n in ("both", "hidden", "weight", "neither"):
    PROJECTIONS[f"arcface, {_n}"] = (
        margins.arcface(0.5, 8.0).but(
            scores=xent.losses.Scores(normalize=_n, margin=xent.losses.Angular(1.0, 0.5, 0.0), scale=8.0)  # type: ignore[arg-type]
        ),
        exact.of_projection(exact.angular(1.0, 0.5, 0.0), _n, 8.0),
    )
for _b in ("linear", "clip", "easy"):
    PROJECTIONS[f"arcface, {_b}"] = (
        margins.arcface(0.5, 8.0, boundary=_b, normalize=True),  # type: ignore[arg-type]
        exact.of_projection(exact.angular(1.0, 0.5, 0.0, _b), "both", 8.0),
    )
PROJECTIONS["combined margin"] = (
    margins.combined_margin(1.1, 0.3, 0.2, 8.0, normalize=True),
    exact.of_projection(exact.angular(1.1, 0.3, 0.2), "both", 8.0),
)
