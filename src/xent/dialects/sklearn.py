"""scikit-learn's losses, and how a meaning is written with ``sklearn.metrics``: figures to report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xent.dialects.call import NoEqual
from xent.dialects.dialect import HELD, Dialect
from xent.dialects.draft import Draft
from xent.dialects.helper import Helper, Option, array, choice, flag
from xent.dialects.meaning import Meaning
from xent.dialects.ops import NUMPY

S = "sklearn.metrics."
_OURS = "xent.cross_entropy takes it."


@dataclass(frozen=True)
class ScikitLearn(Dialect):
    """scikit-learn: hard truths, probabilities, one number."""

    def refuses(self, m: Meaning) -> NoEqual | None:
        soft = m.p == "Distribution" or m.smoothing
        if m.measure in ("kl_divergence", "poisson"):
            return NoEqual(self.name, f"it has no {m.measure.replace('_', ' ')} of rows of classes", "")
        if m.reduction == "none":
            return NoEqual(self.name, "its losses are one number, not one an example", _OURS)
        if soft and m.measure == "cross_entropy":
            return NoEqual(self.name, "its log_loss takes classes, not probabilities or smoothed ones", _OURS)
        if m.gamma is not None or m.poly is not None:
            return NoEqual(self.name, "it has no focal or poly loss", "")
        if m.p == "Distribution" or (soft and m.measure != "cross_entropy"):
            return NoEqual(self.name, "it takes classes, not probabilities or smoothed ones", "")
        if m.q == "Projection" or m.where:
            return NoEqual(self.name, "it takes probabilities of all classes", _OURS)
        return None

    def native(self, m: Meaning, draft: Draft) -> str | None:
        if m.measure == "d2":
            weights = {"sample_weight": "sample_weight"} if m.sample_weight else {}
            return draft.calling(
                S + "d2_log_loss_score", "labels, probs", {"labels": "np.arange(probs.shape[-1])", **weights}
            )
        return self._elements(m, draft) if m.p == "Indicators" else self._rows(m, draft)

    def _rows(self, m: Meaning, draft: Draft) -> str:
        x = "scores" if m.measure == "hinge" else self._probabilities(m, draft)
        if m.ignore is not None:
            draft.let("kept", f"labels != {m.ignore}")
            draft.let(x, f"{x}[kept]")
            if m.sample_weight:
                draft.let("sample_weight", "sample_weight[kept]")
            draft.let("labels", "labels[kept]")
        weights = ["class_weight[labels]"] if m.class_weight else []
        weights += ["sample_weight"] if m.sample_weight else []
        options = {"labels": f"np.arange({x}.shape[-1])"}
        if m.measure == "squared_error":
            options["scale_by_half"] = "False"
        return self._called(m, draft, f"labels, {x}", options, weights, "len(labels)")

    def _elements(self, m: Meaning, draft: Draft) -> str:
        x = "scores" if m.measure == "hinge" else self._probabilities(m, draft)
        weights = ["np.where(target, pos_weight, 1)"] if m.positive_weight else []
        weights += ["sample_weight[:, None]"] if m.sample_weight else []
        weights += ["element_weight"] if m.element_weight else []
        weights += ["class_weight"] if m.class_weight else []
        flat = [f"np.broadcast_to({' * '.join(weights)}, target.shape).ravel()"] if weights else []
        truth = "signs.ravel()" if m.signs else "target.ravel()"
        options = {} if m.measure == "squared_error" else {"labels": "[-1, 1]" if m.signs else "[0, 1]"}
        if m.measure == "squared_error":
            options = {"pos_label": "1"}
        found = self._called(m, draft, f"{truth}, {x}.ravel()", options, flat, "target.size")
        return f"{found} / target.shape[-1]" if m.unit == "row" and m.reduction == "sum" else found

    def _called(
        self, m: Meaning, draft: Draft, data: str, options: dict[str, str], weights: list[str], count: str
    ) -> str:
        """A weighted mean, made into what is meant where that divides by something else."""
        helper = (
            S + {"cross_entropy": "log_loss", "squared_error": "brier_score_loss", "hinge": "hinge_loss"}[m.measure]
        )
        if weights:
            options["sample_weight"] = " * ".join(weights)
        summed = m.reduction == "sum" or (bool(weights) and m.over == "examples")
        if summed and helper.endswith("log_loss"):
            options["normalize"] = "False"
        found = draft.calling(helper, data, options)
        if not summed:
            return found
        if not helper.endswith("log_loss"):
            found = f"{found} * ({options['sample_weight']}).sum()" if weights else f"{found} * {count}"
        return found if m.reduction == "sum" else f"{found} / {count}"

    def _probabilities(self, m: Meaning, draft: Draft) -> str:
        if m.q == "Logits":
            draft.let("probs", (self.ops.sigmoid if m.p == "Indicators" else self.ops.softmax).format("scores"))
        if m.q == "LogProbabilities":
            draft.let("probs", self.ops.exp.format("log_probs"))
        return HELD["Probabilities"]


SKLEARN_DIALECT = ScikitLearn("sklearn", "scikit-learn", NUMPY)


def _weighted(o: Mapping[str, Any]) -> dict[str, Any]:
    kind = "element_weight" if o.get("outcomes") == "two" else "sample_weight"
    return {"over": "weights" if o["sample_weight"] else "examples", kind: o["sample_weight"]}


def _log_loss(o: Mapping[str, Any]) -> Meaning:
    p = "Indicators" if o["outcomes"] == "two" else "Labels"
    how = "mean" if o["normalize"] else "sum"
    return Meaning("cross_entropy", p, "Probabilities", how, **_weighted(o))  # type: ignore[arg-type]


def _brier(o: Mapping[str, Any]) -> Meaning:
    two, half = o["outcomes"] == "two", o["scale_by_half"]
    scale = (2.0 if half is False else 1.0) if two else (0.5 if half is True else 1.0)
    return Meaning("squared_error", "Indicators" if two else "Labels", "Probabilities", **_weighted(o), scale=scale)


def _hinge(o: Mapping[str, Any]) -> Meaning:
    return Meaning("hinge", "Indicators" if o["outcomes"] == "two" else "Labels", "Logits", **_weighted(o))


def _d2(o: Mapping[str, Any]) -> Meaning:
    return Meaning("d2", "Labels", "Probabilities", **_weighted(o))


_WEIGHT = {
    "sample_weight": array(lambda o: "element_weight.ravel()" if o.get("outcomes") == "two" else "sample_weight")
}
_CLASSES = {"labels": array(lambda o: "[0, 1]" if o.get("outcomes") == "two" else "np.arange(probs.shape[-1])")}
_OUTCOMES = {"outcomes": choice("many", "two", of="data")}


def _scored(o: Mapping[str, Any]) -> str:
    return "[0, 1]" if o["outcomes"] == "two" else "np.arange(scores.shape[-1])"


def _helper(name: str, read: Any, options: Mapping[str, Option], x: str) -> Helper:
    def arguments(o: Mapping[str, Any]) -> str:
        two = o.get("outcomes") == "two"
        return f"target.ravel(), {x}.ravel()" if two else f"labels, {x}"

    return Helper(S + name, "sklearn", read, options, (f"xent.sklearn.{name}",), False, arguments)


HELPERS = (
    _helper("log_loss", _log_loss, {"normalize": flag(True), **_WEIGHT, **_CLASSES, **_OUTCOMES}, "probs"),
    _helper(
        "brier_score_loss",
        _brier,
        {**_WEIGHT, "pos_label": Option("any"), **_CLASSES, "scale_by_half": choice("auto", True, False), **_OUTCOMES},
        "probs",
    ),
    _helper("d2_log_loss_score", _d2, {**_WEIGHT, **_CLASSES}, "probs"),
    _helper("hinge_loss", _hinge, {"labels": array(_scored), **_WEIGHT, **_OUTCOMES}, "scores"),
)
