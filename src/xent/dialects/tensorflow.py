"""TensorFlow's losses, and how a meaning is written with ``tf.nn``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xent.dialects.call import NoEqual
from xent.dialects.dialect import Dialect
from xent.dialects.draft import Draft
from xent.dialects.helper import Helper, Option, array
from xent.dialects.meaning import Meaning
from xent.dialects.ops import TENSORFLOW

T = "tf.nn."


@dataclass(frozen=True)
class TensorFlow(Dialect):
    """``tf.nn``: no helper reduces, and all take scores."""

    def rows(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":
            return _multiclass_hinge(draft)
        x = self.ops.log.format(x) if m.q == "Probabilities" else x
        helper = "sparse_softmax_cross_entropy_with_logits" if m.p == "Labels" else "softmax_cross_entropy_with_logits"
        return draft.calling(T + helper, f"labels={truth}, logits={x}")

    def elements(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":
            return self.ops.relu.format(f"1 - {truth} * {x}")
        return draft.calling(T + "sigmoid_cross_entropy_with_logits", f"labels={truth}, logits={logit(m, self.ops, x)}")

    def native(self, m: Meaning, draft: Draft) -> str | None:
        plain = not (m.smoothing or m.class_weight or m.sample_weight or m.element_weight or m.gamma is not None)
        if m.measure == "poisson" and m.q == "LogRates" and m.reduction == "none" and m.unit == "element":
            return draft.calling(T + "log_poisson_loss", "counts, log_rates")
        if m.measure == "cross_entropy" and m.positive_weight and m.q == "Logits" and plain:
            arguments = "labels=target, logits=scores, pos_weight=pos_weight"
            each = draft.calling(T + "weighted_cross_entropy_with_logits", arguments)
            each = self.ops.row_mean.format(each) if m.unit == "row" else each
            if m.poly is None and (m.reduction != "mean" or m.over == "examples"):
                return {"none": "{0}", "sum": self.ops.sum, "mean": self.ops.mean}[m.reduction].format(each)
        return None


TENSORFLOW_DIALECT = TensorFlow("tensorflow", "TensorFlow", TENSORFLOW)


def logit(m: Meaning, ops: Any, x: str) -> str:
    """The score of a probability, where a helper takes scores alone."""
    if m.q == "Probabilities":
        return f"{ops.log.format(x)} - {ops.log1p.format('-' + x)}"
    if m.q == "LogProbabilities":
        return f"{x} - {ops.log1p.format('-' + ops.exp.format(x))}"
    return x


def _multiclass_hinge(draft: Draft) -> str:
    draft.let("true", "tf.one_hot(labels, scores.shape[-1], dtype=scores.dtype)")
    draft.let("own", "tf.reduce_sum(scores * true, axis=-1, keepdims=True)")
    return "tf.reduce_max((1 - true) * (1 + scores - own), axis=-1)"


def _sparse(o: Mapping[str, Any]) -> Meaning:
    return Meaning("cross_entropy", "Labels", "Logits", "none")


def _softmax(o: Mapping[str, Any]) -> Meaning:
    return Meaning("cross_entropy", "Distribution", "Logits", "none", axis=int(o["axis"]))


def _sigmoid(o: Mapping[str, Any]) -> Meaning:
    return Meaning("cross_entropy", "Indicators", "Logits", "none", positive_weight=o.get("pos_weight", False))


def _poisson(o: Mapping[str, Any]) -> Meaning | NoEqual:
    if o["compute_full_loss"]:
        why = "compute_full_loss=True adds Stirling's term, which is constant in the model"
        return NoEqual("tensorflow", why, "Leave it out.")
    return Meaning("poisson", "Counts", "LogRates", "none")


def _sampled(o: Mapping[str, Any]) -> NoEqual:
    return NoEqual(
        "tensorflow",
        "it draws classes at random and corrects their scores by the logarithm of their chance, for training alone; "
        "elsewhere no helper draws",
        "To evaluate, take the full softmax: xent.cross_entropy(Labels(labels), Projection(inputs, weights, biases)).",
    )


_NAME = {"name": Option("any")}
_SCORES = "labels={}, logits=scores".format
_SAMPLED = {
    **{name: Option("integer") for name in ("num_sampled", "num_classes", "num_true")},
    "sampled_values": Option("any"),
    **_NAME,
}
_HITS = {default: {**_SAMPLED, "remove_accidental_hits": Option("flag", default)} for default in (True, False)}
_DRAWN = "classifier, bias, labels, hidden"


def _helper(name: str, read: Any, options: Mapping[str, Option], arguments: str) -> Helper:
    return Helper(
        T + name,
        "tensorflow",
        read,
        options,
        (f"tensorflow.nn.{name}", f"xent.tensorflow.{name}"),
        False,
        lambda o: arguments,
    )


HELPERS = (
    _helper("sparse_softmax_cross_entropy_with_logits", _sparse, _NAME, _SCORES("labels")),
    _helper("softmax_cross_entropy_with_logits", _softmax, {"axis": Option("integer", -1), **_NAME}, _SCORES("target")),
    _helper("sigmoid_cross_entropy_with_logits", _sigmoid, _NAME, _SCORES("target")),
    _helper(
        "weighted_cross_entropy_with_logits",
        _sigmoid,
        {"pos_weight": array("pos_weight", required=True), **_NAME},
        _SCORES("target"),
    ),
    _helper("log_poisson_loss", _poisson, {"compute_full_loss": Option("flag", False), **_NAME}, "counts, log_rates"),
    _helper("sampled_softmax_loss", _sampled, {**_HITS[True], "seed": Option("integer")}, _DRAWN),
    _helper("nce_loss", _sampled, _HITS[False], _DRAWN),
)
