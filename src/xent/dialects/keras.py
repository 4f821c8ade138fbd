"""Keras 3's losses, and how a meaning is written in Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from xent.dialects.call import NoEqual
from xent.dialects.dialect import HELD, Dialect
from xent.dialects.draft import Draft, number
from xent.dialects.helper import Helper, Option, array, choice, flag
from xent.dialects.helper import number as a_number
from xent.dialects.meaning import Meaning
from xent.dialects.ops import KERAS

K = "keras.losses."
_EPSILON = 1e-7
"""``keras.config.epsilon()`` as Keras comes."""
READINGS = "for soft truths, which smoothing makes, a focal loss has three readings that disagree"


@dataclass(frozen=True)
class Keras(Dialect):
    """Keras 3, on any of its backends."""

    def rows(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":
            return _multiclass_hinge(draft)
        helper = "sparse_categorical_crossentropy" if m.p == "Labels" else "categorical_crossentropy"
        options = {} if m.q == "Probabilities" else {"from_logits": "True"}
        return draft.calling(K + helper, f"{truth}, {x}", options)

    def elements(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":
            return self.ops.relu.format(f"1 - {truth} * {x}")
        x = self.ops.exp.format(x) if m.q == "LogProbabilities" else x
        options = {"from_logits": "True"} if m.q == "Logits" else {}
        return draft.calling("keras.ops.binary_crossentropy", f"{truth}, {x}", options)

    def native(self, m: Meaning, draft: Draft) -> str | None:
        if m.gamma is not None:
            return self._focal(m, draft)
        how = _reduction(m)
        named = {"reduction": how} if how not in (None, '"sum_over_batch_size"') else {}
        name = {"hinge": "Hinge", "squared_error": "MeanSquaredError", "poisson": "Poisson"}.get(m.measure)
        if how is None or m.poly is not None or m.element_weight or m.positive_weight:
            return None
        plain = not (m.smoothing or m.class_weight)
        if plain and m.measure == "kl_divergence" and m.over == "examples" and not m.log_target:
            q = "probs" if m.q == "Probabilities" else self.ops.exp.format("log_probs")
            return self._made(m, draft, "KLDivergence", "target", q, named)
        if name is not None and m.p in ("Indicators", "Counts"):
            if not plain:
                return None
            if not _rows_do_not_matter(m) or m.q == "LogRates" or (name == "Poisson" and m.eps != _EPSILON):
                return None
            truth = "counts" if name == "Poisson" else "signs" if m.signs else "target"
            return self._made(m, draft, name, truth, HELD[m.q], named)
        if m.measure != "cross_entropy":
            return None
        return self._entropy(m, draft, named)

    def _entropy(self, m: Meaning, draft: Draft, named: dict[str, str]) -> str | None:
        logits = {"from_logits": "True"} if m.q in ("Logits", "LogProbabilities") else {}
        smooth = {"label_smoothing": number(m.smoothing)} if m.smoothing else {}
        if m.p == "Indicators":
            if m.class_weight or m.q == "LogProbabilities" or not _rows_do_not_matter(m):
                return None
            return self._made(m, draft, "BinaryCrossentropy", "target", HELD[m.q], {**logits, **smooth, **named})
        if m.p == "Distribution":
            if m.class_weight or m.over == "elements":
                return None
            return self._made(m, draft, "CategoricalCrossentropy", "target", HELD[m.q], {**logits, **smooth, **named})
        if m.smoothing or (m.ignore is not None and m.class_weight):
            return None
        if m.ignore is not None:
            logits["ignore_class"] = str(m.ignore)
        return self._made(m, draft, "SparseCategoricalCrossentropy", "labels", HELD[m.q], {**logits, **named})

    def _focal(self, m: Meaning, draft: Draft) -> str | None:
        how = _reduction(m)
        if how is None or not _rows_do_not_matter(m) or m.class_weight or m.element_weight or m.q == "LogProbabilities":
            return None
        options = {"gamma": number(m.gamma or 0.0)}
        if m.q == "Logits":
            options["from_logits"] = "True"
        if how != '"sum_over_batch_size"':
            options["reduction"] = how
        if m.p == "Indicators":
            if m.alpha is not None:
                options = {"apply_class_balancing": "True", "alpha": number(m.alpha), **options}
            return self._made(m, draft, "BinaryFocalCrossentropy", "target", HELD[m.q], options)
        if m.ignore is not None:
            return None
        if m.p == "Labels":
            draft.let("target", self.ops.one_hot.format("labels", HELD[m.q]))
        options = {"alpha": number(1.0 if m.alpha is None else m.alpha), **options}
        return self._made(m, draft, "CategoricalFocalCrossentropy", "target", HELD[m.q], options)

    def _made(self, m: Meaning, draft: Draft, name: str, truth: str, x: str, options: Mapping[str, str]) -> str:
        weights = [self.ops.take.format("class_weight", "labels")] if m.class_weight else []
        weights += ["sample_weight"] if m.sample_weight else []
        weighed = f", sample_weight={' * '.join(weights)}" if weights else ""
        return draft.calling(K + name, f"{truth}, {x}{weighed}", options, module=True)


KERAS_DIALECT = Keras("keras", "Keras", KERAS)


def _reduction(m: Meaning) -> str | None:
    if m.reduction == "mean":
        weighed = m.class_weight or m.sample_weight
        return '"mean_with_sample_weight"' if m.over == "weights" and weighed else '"sum_over_batch_size"'
    return '"sum"' if m.reduction == "sum" else "None"


def _rows_do_not_matter(m: Meaning) -> bool:
    """Whether Keras's mean over the last axis first gives the number that is meant."""
    return m.p not in ("Indicators", "Counts") or m.unit == "row" or m.reduction == "mean"


def _multiclass_hinge(draft: Draft) -> str:
    draft.let("true", "keras.ops.one_hot(labels, scores.shape[-1], dtype=scores.dtype)")
    draft.let("own", "keras.ops.sum(scores * true, axis=-1, keepdims=True)")
    return "keras.ops.max((1 - true) * (1 + scores - own), axis=-1)"


def _over(o: Mapping[str, Any]) -> dict[str, Any]:
    how = o.get("reduction", "none")
    kinds = {"sum": "sum", None: "none", "none": "none"}
    over = "weights" if how == "mean_with_sample_weight" and o.get("sample_weight") else "examples"
    return {"reduction": kinds.get(how, "mean"), "over": over, "sample_weight": bool(o.get("sample_weight"))}


def _q(o: Mapping[str, Any]) -> dict[str, Any]:
    return {"q": "Logits" if o["from_logits"] else "Probabilities", "axis": int(o.get("axis", -1))}


def _binary(o: Mapping[str, Any]) -> Meaning:
    smoothing = float(o["label_smoothing"])
    return Meaning("cross_entropy", "Indicators", **_q(o), **_over(o), unit="row", smoothing=smoothing)


def _categorical(o: Mapping[str, Any]) -> Meaning:
    found = Meaning("cross_entropy", "Distribution", **_q(o), **_over(o), smoothing=float(o["label_smoothing"]))
    return replace(found, renormalised=found.q == "Probabilities")


def _sparse(o: Mapping[str, Any]) -> Meaning:
    found = Meaning("cross_entropy", "Labels", **_q(o), **_over(o), ignore=o["ignore_class"])
    return replace(found, renormalised=found.q == "Probabilities")


def _binary_focal(o: Mapping[str, Any]) -> Meaning | NoEqual:
    if o["label_smoothing"]:
        return NoEqual("keras", READINGS, "Leave label_smoothing out.")
    alpha = float(o["alpha"]) if o["apply_class_balancing"] else None
    return replace(_binary(o), gamma=float(o["gamma"]), alpha=alpha)


def _categorical_focal(o: Mapping[str, Any]) -> Meaning | NoEqual:
    if o["label_smoothing"]:
        return NoEqual("keras", READINGS, "Leave label_smoothing out.")
    return replace(_categorical(o), gamma=float(o["gamma"]), alpha=float(o["alpha"]))


def _kl(o: Mapping[str, Any]) -> Meaning:
    return Meaning("kl_divergence", "Distribution", "Probabilities", **_over(o))


def _hinge(o: Mapping[str, Any]) -> Meaning:
    return Meaning("hinge", "Indicators", "Logits", **_over(o), unit="row")


def _categorical_hinge(o: Mapping[str, Any]) -> NoEqual:
    return NoEqual(
        "keras",
        "it takes max(0, 1 + max(0, best other score) − own score): a zero stands among the others, so that it is the "
        "hinge of Crammer and Singer only where some other score is positive",
        "For that one write xent.hinge(Distribution(target), Logits(scores)).",
    )


def _squared(o: Mapping[str, Any]) -> Meaning:
    return Meaning("squared_error", "Indicators", "Probabilities", **_over(o), unit="row")


def _poisson(o: Mapping[str, Any]) -> Meaning:
    return Meaning("poisson", "Counts", "Rates", **_over(o), unit="row", eps=_EPSILON)


_REDUCTION = choice(
    "sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None, default="sum_over_batch_size"
)
_OF_OBJECT = {
    "reduction": _REDUCTION,
    "name": Option("any"),
    "dtype": Option("any"),
    "sample_weight": array("sample_weight", of="call"),
}
_LOGITS, _SMOOTHING, _AXIS = flag(False), a_number(0.0), Option("integer", -1)
_BINARY = {"from_logits": _LOGITS, "label_smoothing": _SMOOTHING, "axis": _AXIS}
_FOCAL = {"alpha": a_number(0.25), "gamma": a_number(2.0), **_BINARY}


def _held(o: Mapping[str, Any]) -> str:
    return "scores" if o["from_logits"] else "probs"


def _pair(
    made: str,
    function: str,
    read: Callable[[Mapping[str, Any]], Meaning | NoEqual],
    options: Mapping[str, Option],
    arguments: Callable[[Mapping[str, Any]], str],
) -> tuple[Helper, Helper]:
    roots = ("tf.keras.losses.", "tensorflow.keras.losses.", "xent.keras.")
    return (
        Helper(
            K + made, "keras", read, {**options, **_OF_OBJECT}, tuple(root + made for root in roots), True, arguments
        ),
        Helper(K + function, "keras", read, options, tuple(root + function for root in roots), False, arguments),
    )


HELPERS = (
    *_pair("BinaryCrossentropy", "binary_crossentropy", _binary, _BINARY, lambda o: f"target, {_held(o)}"),
    *_pair(
        "CategoricalCrossentropy", "categorical_crossentropy", _categorical, _BINARY, lambda o: f"target, {_held(o)}"
    ),
    *_pair(
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        _sparse,
        {"from_logits": _LOGITS, "ignore_class": Option("integer"), "axis": _AXIS},
        lambda o: f"labels, {_held(o)}",
    ),
    *_pair(
        "BinaryFocalCrossentropy",
        "binary_focal_crossentropy",
        _binary_focal,
        {"apply_class_balancing": flag(False), **_FOCAL},
        lambda o: f"target, {_held(o)}",
    ),
    *_pair(
        "CategoricalFocalCrossentropy",
        "categorical_focal_crossentropy",
        _categorical_focal,
        _FOCAL,
        lambda o: f"target, {_held(o)}",
    ),
    *_pair("KLDivergence", "kl_divergence", _kl, {}, lambda o: "target, probs"),
    *_pair("CategoricalHinge", "categorical_hinge", _categorical_hinge, {}, lambda o: "target, scores"),
    *_pair("Hinge", "hinge", _hinge, {}, lambda o: "target, scores"),
    *_pair("MeanSquaredError", "mean_squared_error", _squared, {}, lambda o: "target, probs"),
    *_pair("Poisson", "poisson", _poisson, {}, lambda o: "counts, rates"),
)
