"""xent's own functions, and how a meaning is written with them: the pair itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from xent.dialects.call import NoEqual
from xent.dialects.dialect import HELD, Dialect
from xent.dialects.draft import Draft, number
from xent.dialects.helper import Helper, Option, array, choice
from xent.dialects.helper import number as a_number
from xent.dialects.meaning import Meaning
from xent.dialects.ops import NUMPY, Ops


@dataclass(frozen=True)
class Ours(Dialect):
    """``xent``'s core; its array operations are those of the arrays that the caller has."""

    any_axis: bool = True

    def refuses(self, m: Meaning) -> NoEqual | None:
        if m.measure == "poisson":
            return NoEqual(
                self.name, "counts and rates are no distributions over outcomes", "Keep the framework's own."
            )
        return None

    def native(self, m: Meaning, draft: Draft) -> str | None:
        if m.measure == "d2":
            return self._d2(m, draft)
        term = m.class_weight == "term" and (m.p != "Labels" or bool(m.smoothing))
        if term or (m.unit == "row" and not (m.reduction == "mean" and m.over == "examples")):
            return None
        if m.unit == "row" and (m.class_weight or m.sample_weight):
            return None
        if (m.gamma is not None and m.alpha is not None) or m.poly is not None or m.over == "elements":
            return None
        options = self._options(m, draft)
        if options is None:
            return None
        return self._call(m, draft, self._truth(m, smoothing=True), options)

    def rows(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        return self._call(m, draft, f"xent.{m.p}({truth})", {"reduction": '"none"'})

    def elements(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":  # which elsewhere takes −1 and 1
            truth = "(signs + 1) / 2" if m.signs else "target"
        return self._call(m, draft, f"xent.Indicators({truth})", {"reduction": '"none"'})

    def divergence(self, m: Meaning, draft: Draft, log_q: str, target: str) -> str:
        return self._call(m, draft, "xent.Distribution(target)", {"reduction": '"none"'})

    def _call(self, m: Meaning, draft: Draft, truth: str, options: Mapping[str, str]) -> str:
        return draft.calling(f"xent.{m.measure}", f"{truth}, {self._prediction(m)}", options)

    def _options(self, m: Meaning, draft: Draft) -> dict[str, str] | None:
        """The keywords; None where the denominator of a weighted mean cannot be said by them."""
        options: dict[str, str] = {}
        weights = ["sample_weight"] if m.sample_weight else []
        if m.sample_weight and m.p == "Indicators":
            weights = [draft.ops.rows.format("sample_weight")]
        weights += ["element_weight"] if m.element_weight else []
        if weights:
            options["weight"] = " * ".join(weights)
        if m.class_weight:
            options["class_weight"] = "class_weight"
        if m.positive_weight:
            options["positive_weight"] = "pos_weight"
        if m.gamma is not None:
            options["shaping"] = f"xent.Focal({number(m.gamma)})"
        if m.reduction != "mean":
            options["reduction"] = f'"{m.reduction}"'
        elif m.over == "examples" and (weights or m.class_weight):
            if m.ignore is not None:
                return None
            held = "labels" if m.p == "Labels" else HELD[m.q]
            if m.p == "Distribution":
                return None
            options["denominator"] = draft.ops.count.format(held)
        return options

    def _truth(self, m: Meaning, *, smoothing: bool) -> str:
        if m.log_target:
            return "xent.Distribution.from_log_probs(log_target)"
        held = "labels" if m.p == "Labels" else "(signs + 1) / 2" if m.signs else "target"
        options = [f"ignore={m.ignore}"] if m.ignore is not None and m.p == "Labels" else []
        options += [f"smoothing={number(m.smoothing)}"] if m.smoothing and smoothing else []
        return f"xent.{m.p}({', '.join([held, *options])})"

    def _prediction(self, m: Meaning) -> str:
        if m.q == "Projection":
            return f"xent.Projection(hidden, classifier{', bias' if m.bias else ''})"
        axis = f", axis={m.axis}" if m.axis != -1 else ""
        return f"xent.{m.q}({HELD[m.q]}{axis})"

    def _d2(self, m: Meaning, draft: Draft) -> str:
        weight = "weight=sample_weight" if m.sample_weight else ""
        counts = "sample_weight" if m.sample_weight else "None"
        draft.let("counts", f"np.bincount(labels, {counts}, minlength=probs.shape[-1])")
        draft.let("frequencies", "np.broadcast_to(counts / counts.sum(), probs.shape)")
        more = f", {weight}" if weight else ""
        draft.let("null", f"xent.cross_entropy(xent.Labels(labels), xent.Probabilities(frequencies){more})")
        draft.helper = "xent.cross_entropy"
        return f"1 - xent.cross_entropy(xent.Labels(labels), xent.Probabilities(probs){more}) / null"


OURS = Ours("xent", "xent", NUMPY)


def on(ops: Ops) -> Ours:
    """xent's core on another library's arrays."""
    return replace(OURS, ops=ops)


def _read(measure: str) -> Any:
    def read(o: Mapping[str, Any]) -> Meaning:
        weighed = o["class_weight"] or o["weight"]
        binary = o["P"] == "Indicators"
        return Meaning(
            measure,  # type: ignore[arg-type]
            o["P"],
            o["Q"],
            o["reduction"],
            "weights" if weighed and o["reduction"] == "mean" else "examples",
            smoothing=float(o["smoothing"]),
            ignore=o["ignore"],
            class_weight="row" if o["class_weight"] else None,
            sample_weight=o["weight"] and not binary,
            element_weight=o["weight"] and binary,
            positive_weight=o.get("positive_weight", False),
            axis=int(o["axis"]),
        )

    return read


_COMMON = {
    "P": choice("Labels", "Distribution", "Indicators", of="data"),
    "Q": choice("Logits", "LogProbabilities", "Probabilities", "Projection", of="data"),
    "axis": Option("integer", -1, of="data"),
    "ignore": Option("integer", of="data"),
    "smoothing": a_number(0.0, of="data"),
    "weight": array(lambda o: "element_weight" if o["P"] == "Indicators" else "sample_weight"),
    "class_weight": array("class_weight"),
    "reduction": choice("mean", "sum", "none"),
}


def _arguments(o: Mapping[str, Any]) -> str:
    m = _read("cross_entropy")({"positive_weight": False, **o})
    return f"{OURS._truth(m, smoothing=True)}, {OURS._prediction(m)}"


def _narrowed(P: tuple[str, ...], Q: tuple[str, ...]) -> dict[str, Option]:
    """The common keywords, for a measure that is not defined on every pair."""
    return {**_COMMON, "P": choice(*P, of="data"), "Q": choice(*Q, of="data")}


_KINDS = ("Logits", "LogProbabilities", "Probabilities", "Projection")
_OPTIONS = {
    "cross_entropy": {**_COMMON, "positive_weight": array("pos_weight")},
    "kl_divergence": _narrowed(("Distribution",), _KINDS),
    "squared_error": _narrowed(("Labels", "Distribution", "Indicators"), _KINDS),
    "hinge": _narrowed(("Labels", "Indicators"), ("Logits", "Projection")),
}
HELPERS = tuple(
    Helper(f"xent.{name}", "xent", _read(name), options, (), False, _arguments) for name, options in _OPTIONS.items()
)
