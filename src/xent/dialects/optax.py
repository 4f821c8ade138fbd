"""optax's losses, and how a meaning is written with optax on JAX arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xent.dialects.call import NoEqual
from xent.dialects.dialect import Dialect
from xent.dialects.draft import Draft, number
from xent.dialects.helper import Helper, Option, array
from xent.dialects.helper import number as a_number
from xent.dialects.meaning import Meaning
from xent.dialects.ops import JAX
from xent.dialects.tensorflow import logit

O = "optax."  # noqa: E741


@dataclass(frozen=True)
class Optax(Dialect):
    """optax: no helper reduces, and all cross-entropies take scores."""

    def rows(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":
            return draft.calling("optax.losses.multiclass_hinge_loss", f"{x}, {truth}")
        x = self.ops.log.format(x) if m.q == "Probabilities" else x
        helper = "softmax_cross_entropy_with_integer_labels" if m.p == "Labels" else "softmax_cross_entropy"
        return draft.calling(O + helper, f"{x}, {truth}", {"where": "mask"} if m.where else {})

    def elements(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":
            return draft.calling(O + "hinge_loss", f"{x}, {truth}")
        return draft.calling(O + "sigmoid_binary_cross_entropy", f"{logit(m, self.ops, x)}, {truth}")

    def native(self, m: Meaning, draft: Draft) -> str | None:
        reduce = {"none": "{0}", "sum": self.ops.sum, "mean": self.ops.mean}[m.reduction]
        weighed = m.smoothing or m.class_weight or m.sample_weight or m.element_weight or m.positive_weight
        if weighed or m.ignore is not None or (m.over != "examples" and m.reduction == "mean") or m.q == "Projection":
            return None
        if m.measure == "cross_entropy" and m.gamma is not None and m.p == "Indicators":
            options = {} if m.alpha is None else {"alpha": number(m.alpha)}
            options["gamma"] = number(m.gamma)
            each = draft.calling(O + "sigmoid_focal_loss", f"{logit(m, self.ops, _held(m))}, target", options)
        elif m.measure == "cross_entropy" and m.poly is not None and m.p == "Distribution" and m.q != "Probabilities":
            options = {"epsilon": number(m.poly), **({"where": "mask"} if m.where else {})}
            each = draft.calling("optax.losses.poly_loss_cross_entropy", f"{_held(m)}, target", options)
        elif m.measure == "squared_error" and m.p == "Indicators":
            each = draft.calling(O + "squared_error", "probs, target")
        else:
            return None
        return reduce.format(self.ops.row_mean.format(each) if m.unit == "row" else each)

    def divergence(self, m: Meaning, draft: Draft, log_q: str, target: str) -> str:
        return draft.calling(O + "kl_divergence", f"{log_q}, {target}", {"where": "mask"} if m.where else {})


OPTAX_DIALECT = Optax("optax", "optax", JAX)


def _held(m: Meaning) -> str:
    return {"Logits": "scores", "Probabilities": "probs"}.get(m.q, "log_probs")


def _read(p: str, **fixed: Any) -> Any:
    def read(o: Mapping[str, Any]) -> Meaning:
        more = {"axis": int(o.get("axis", -1)), "where": bool(o.get("where")), **fixed}
        if "epsilon" in o:
            more["poly"] = float(o["epsilon"])
        if "gamma" in o:
            more["gamma"], more["alpha"] = float(o["gamma"]), None if o["alpha"] is None else float(o["alpha"])
        return Meaning("cross_entropy", p, "Logits", "none", **more)  # type: ignore[arg-type]

    return read


def _kl(o: Mapping[str, Any]) -> Meaning | NoEqual:
    if o["where"]:
        why = "where= leaves classes out of a sum that is a divergence only over all of them"
        return NoEqual("optax", why, "Set the truth of those classes to 0.")
    return Meaning("kl_divergence", "Distribution", "LogProbabilities", "none", axis=int(o["axis"]))


def _hinge(o: Mapping[str, Any]) -> Meaning:
    return Meaning("hinge", "Indicators", "Logits", "none", signs=True)


def _multiclass_hinge(o: Mapping[str, Any]) -> Meaning:
    return Meaning("hinge", "Labels", "Logits", "none")


_AXIS = {"axis": Option("integer", -1)}
_MASKED = {**_AXIS, "where": array("mask")}


def _helper(name: str, read: Any, options: Mapping[str, Option], arguments: str, *, short: bool = True) -> Helper:
    shown, other = (f"optax.{name}", f"optax.losses.{name}") if short else (f"optax.losses.{name}", f"optax.{name}")
    return Helper(shown, "optax", read, options, (other, f"xent.optax.{name}"), False, lambda o: arguments)


HELPERS = (
    _helper("softmax_cross_entropy", _read("Distribution"), _MASKED, "scores, target"),
    _helper("softmax_cross_entropy_with_integer_labels", _read("Labels"), _MASKED, "scores, labels"),
    _helper("safe_softmax_cross_entropy", _read("Distribution"), {}, "scores, target"),
    _helper("sigmoid_binary_cross_entropy", _read("Indicators"), {}, "scores, target"),
    _helper(
        "poly_loss_cross_entropy",
        _read("Distribution"),
        {"epsilon": a_number(2.0), **_MASKED},
        "scores, target",
        short=False,
    ),
    _helper(
        "sigmoid_focal_loss", _read("Indicators"), {"alpha": a_number(None), "gamma": a_number(2.0)}, "scores, target"
    ),
    _helper("kl_divergence", _kl, _MASKED, "log_probs, target"),
    _helper("convex_kl_divergence", _kl, _MASKED, "log_probs, target"),
    _helper("hinge_loss", _hinge, {}, "scores, signs"),
    _helper("multiclass_hinge_loss", _multiclass_hinge, {}, "scores, labels", short=False),
)
