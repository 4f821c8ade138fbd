"""PyTorch's losses, and how a meaning is written in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from xent.dialects.call import NoEqual
from xent.dialects.dialect import HELD, Dialect
from xent.dialects.draft import Draft, number
from xent.dialects.helper import Helper, Option, array, choice, flag
from xent.dialects.helper import number as a_number
from xent.dialects.meaning import Meaning
from xent.dialects.ops import TORCH
from xent.errors import OptionError

F = "torch.nn.functional."
_DEPRECATED = {"size_average": Option("deprecated"), "reduce": Option("deprecated")}
_REDUCTION = {"reduction": choice("mean", "sum", "none"), **_DEPRECATED}
_TARGET = choice("integer", "float", of="data")


@dataclass(frozen=True)
class Torch(Dialect):
    """PyTorch."""

    def rows(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":
            return _multiclass_hinge(draft)
        soft = m.p == "Distribution"
        if m.q == "Projection":
            options = {"reduction": '"none"'} if not m.bias else {"linear_bias": "bias", "reduction": '"none"'}
            return draft.calling(F + "linear_cross_entropy", f"hidden, classifier, {truth}", options)
        scores = self.ops.log.format(x) if m.q == "Probabilities" else x
        exact = not soft and (m.q == "LogProbabilities" or (m.q == "Probabilities" and not m.renormalised))
        helper = "nll_loss" if exact else "cross_entropy"
        return draft.calling(F + helper, f"{scores}, {truth}", {"reduction": '"none"'})

    def elements(self, m: Meaning, draft: Draft, x: str, truth: str) -> str:
        if m.measure == "hinge":
            return self.ops.relu.format(f"1 - {truth} * {x}")
        helper, x = _binary(m, draft, x)
        return draft.calling(F + helper, f"{x}, {truth}", {"reduction": '"none"'})

    def native(self, m: Meaning, draft: Draft) -> str | None:
        if m.sample_weight or m.gamma is not None or m.poly is not None:
            return None
        if m.measure == "poisson" and m.reduction != "none":
            options = {} if m.q == "LogRates" else {"log_input": "False", "eps": repr(m.eps)}
            return _module(draft, "PoissonNLLLoss", f"{HELD[m.q]}, counts", options, _even(m))
        plain = not (m.smoothing or m.class_weight or m.element_weight)
        if plain and m.measure == "squared_error" and m.p == "Indicators" and _even(m) == "mean":
            return _module(draft, "MSELoss", "probs, target", {}, "mean")
        if plain and m.measure == "kl_divergence":
            return _divergence(m, draft)
        if m.measure != "cross_entropy":
            return None
        return _of_elements(m, draft) if m.p == "Indicators" else _of_rows(m, draft)

    def divergence(self, m: Meaning, draft: Draft, log_q: str, target: str) -> str:
        return self.ops.row_sum.format(draft.calling(F + "kl_div", f"{log_q}, {target}", {"reduction": '"none"'}))


TORCH_DIALECT = Torch("torch", "PyTorch", TORCH)


def _binary(m: Meaning, draft: Draft, x: str) -> tuple[str, str]:
    if m.q == "LogProbabilities":
        return "binary_cross_entropy", draft.ops.exp.format(x)
    return "binary_cross_entropy" + ("_with_logits" if m.q == "Logits" else ""), x


def _even(m: Meaning) -> str | None:
    """The reduction over elements alone, where rows first make no difference."""
    if m.reduction == "mean" and m.over == "examples":
        return "mean"
    return m.reduction if m.unit == "element" and m.reduction != "mean" else None


def _module(draft: Draft, name: str, arguments: str, options: Mapping[str, str], reduction: str | None) -> str | None:
    if reduction is None:
        return None
    named = dict(options) if reduction == "mean" else {**options, "reduction": f'"{reduction}"'}
    return draft.calling(f"torch.nn.{name}", arguments, named, module=True)


def _of_rows(m: Meaning, draft: Draft) -> str | None:
    hard, mean = m.p == "Labels", m.reduction == "mean"
    weighed = m.class_weight is not None
    if weighed and m.class_weight == "row" and (m.smoothing or not hard):
        return None
    if mean and m.over != ("weights" if weighed and hard else "examples") and (weighed or m.over == "elements"):
        return None
    options = {"weight": "class_weight"} if weighed else {}
    if m.ignore is not None and m.ignore != -100:
        options["ignore_index"] = str(m.ignore)
    if m.smoothing:
        options["label_smoothing"] = number(m.smoothing)
    truth = "labels" if hard else "target"
    if m.q == "Projection":
        named = {**({"linear_bias": "bias"} if m.bias else {}), **options}
        if not mean:
            named["reduction"] = f'"{m.reduction}"'
        return draft.calling(F + "linear_cross_entropy", f"hidden, classifier, {truth}", named)
    x = HELD[m.q]
    scores = draft.ops.log.format(x) if m.q == "Probabilities" else x
    exact = hard and not m.smoothing and (m.q == "LogProbabilities" or (m.q == "Probabilities" and not m.renormalised))
    return _module(draft, "NLLLoss" if exact else "CrossEntropyLoss", f"{scores}, {truth}", options, m.reduction)


def _of_elements(m: Meaning, draft: Draft) -> str | None:
    reduction = _even(m)
    if reduction is None or (m.class_weight and m.unit == "row"):
        return None
    options = {"weight": "element_weight"} if m.element_weight else {}
    if m.class_weight:
        options["weight"] = "class_weight * element_weight" if m.element_weight else "class_weight"
    if m.positive_weight:
        if m.q != "Logits":
            return None
        options["pos_weight"] = "pos_weight"
    helper, x = _binary(m, draft, HELD[m.q])
    if m.smoothing:
        draft.let("target", f"{number(1 - m.smoothing)} * target + {number(m.smoothing / 2)}")
    return _module(
        draft, "BCEWithLogitsLoss" if helper.endswith("logits") else "BCELoss", f"{x}, target", options, reduction
    )


def _divergence(m: Meaning, draft: Draft) -> str | None:
    reduction = {"sum": "sum", "none": None, "mean": "mean" if m.over == "elements" else "batchmean"}[m.reduction]
    if reduction is None:
        return None
    x = "log_probs" if m.q == "LogProbabilities" else draft.ops.log.format("probs")
    target = "log_target" if m.log_target else "target"
    options = {"reduction": f'"{reduction}"', **({"log_target": "True"} if m.log_target else {})}
    return draft.calling("torch.nn.KLDivLoss", f"{x}, {target}", options, module=True)


def _multiclass_hinge(draft: Draft) -> str:
    draft.let("true", "scores.gather(-1, labels[..., None])")
    draft.let("margin", "(1 + scores - true).scatter(-1, labels[..., None], 0.0)")
    return "margin.amax(-1)"


def _cross_entropy(o: Mapping[str, Any]) -> Meaning:
    hard, weighed = o.get("target", "integer") == "integer", o["weight"]
    if not hard and o["ignore_index"] is not None:
        raise OptionError("ignore_index=", 'class indices, target="integer"', 'target="float"', "Leave it out.")
    return Meaning(
        "cross_entropy",
        "Labels" if hard else "Distribution",
        o.get("q", "Logits"),
        o["reduction"],
        "weights" if weighed and hard else "examples",
        smoothing=float(o.get("label_smoothing", 0.0)),
        ignore=o["ignore_index"],
        class_weight="term" if weighed else None,
        bias=bool(o.get("bias")),
    )


def _nll(o: Mapping[str, Any]) -> Meaning:
    return _cross_entropy({**o, "q": "LogProbabilities"})


def _linear(o: Mapping[str, Any]) -> Meaning:
    bias = o.get("linear_bias", False) or o.get("bias", False)
    return _cross_entropy({**o, "q": "Projection", "bias": bias})


def _bce(o: Mapping[str, Any]) -> Meaning:
    return Meaning("cross_entropy", "Indicators", "Probabilities", o["reduction"], element_weight=o["weight"])


def _bce_scores(o: Mapping[str, Any]) -> Meaning:
    return Meaning(
        "cross_entropy",
        "Indicators",
        "Logits",
        o["reduction"],
        element_weight=o["weight"],
        positive_weight=o["pos_weight"],
    )


def _kl(o: Mapping[str, Any]) -> Meaning:
    how = o["reduction"]
    return Meaning(
        "kl_divergence",
        "Distribution",
        "LogProbabilities",
        "mean" if how == "batchmean" else o["reduction"],
        "elements" if how == "mean" else "examples",
        log_target=o["log_target"],
    )


def _soft_margin(o: Mapping[str, Any]) -> Meaning:
    return Meaning("cross_entropy", "Indicators", "Logits", o["reduction"], signs=True)


def _multilabel(o: Mapping[str, Any]) -> Meaning:
    found = Meaning("cross_entropy", "Indicators", "Logits", o["reduction"], unit="row")
    return replace(found, class_weight="row") if o["weight"] else found


def _poisson(o: Mapping[str, Any]) -> Meaning | NoEqual:
    if o["full"]:
        return NoEqual("torch", "full=True adds Stirling's term, which is constant in the model", "Leave it out.")
    if o["log_input"]:
        return Meaning("poisson", "Counts", "LogRates", o["reduction"])
    return Meaning("poisson", "Counts", "Rates", o["reduction"], eps=float(o["eps"]))


def _margin(o: Mapping[str, Any]) -> NoEqual:
    return NoEqual(
        "torch",
        "it sums the margin to every other class and divides by the classes; the hinge of Crammer and Singer, which "
        "xent, optax and scikit-learn have, takes the nearest class alone",
        "For that one write xent.hinge(Labels(labels), Logits(scores)).",
    )


def _truth(o: Mapping[str, Any]) -> str:
    return "labels" if o.get("target", "integer") == "integer" else "target"


_IGNORE = Option("integer", None)
_CE = {"weight": array("class_weight"), "ignore_index": _IGNORE, "label_smoothing": a_number(0.0), **_REDUCTION}
_NLL = {"weight": array("class_weight"), "ignore_index": _IGNORE, **_REDUCTION}
_BCE = {"weight": array("element_weight"), **_REDUCTION}
_KL = {"reduction": choice("mean", "batchmean", "sum"), "log_target": flag(False), **_DEPRECATED}
_POISSON = {"log_input": flag(True), "full": flag(False), "eps": a_number(1e-8), **_REDUCTION}
_MARGIN = {"p": Option("integer", 1), "margin": a_number(1.0), "weight": array("class_weight"), **_REDUCTION}
_LINEAR = {k: _CE[k] for k in ("weight", "reduction", "ignore_index", "label_smoothing")}


def _pair(
    module: str, function: str, read: Any, options: Mapping[str, Option], arguments: Any
) -> tuple[Helper, Helper]:
    """A module and its function: the same keywords, and the same meaning."""
    names = (f"xent.torch.{module}", f"nn.{module}")
    functions = (f"F.{function}", f"nn.functional.{function}", f"xent.torch.{function}")
    return (
        Helper(f"torch.nn.{module}", "torch", read, options, names, True, arguments),
        Helper(F + function, "torch", read, options, functions, False, arguments),
    )


HELPERS = (
    *_pair(
        "CrossEntropyLoss",
        "cross_entropy",
        _cross_entropy,
        {**_CE, "target": _TARGET},
        lambda o: f"scores, {_truth(o)}",
    ),
    *_pair("NLLLoss", "nll_loss", _nll, _NLL, lambda o: "log_probs, labels"),
    *_pair("BCELoss", "binary_cross_entropy", _bce, _BCE, lambda o: "probs, target"),
    *_pair(
        "BCEWithLogitsLoss",
        "binary_cross_entropy_with_logits",
        _bce_scores,
        {**_BCE, "pos_weight": array("pos_weight")},
        lambda o: "scores, target",
    ),
    *_pair(
        "KLDivLoss", "kl_div", _kl, _KL, lambda o: "log_probs, log_target" if o["log_target"] else "log_probs, target"
    ),
    *_pair("SoftMarginLoss", "soft_margin_loss", _soft_margin, dict(_REDUCTION), lambda o: "scores, signs"),
    *_pair(
        "MultiLabelSoftMarginLoss",
        "multilabel_soft_margin_loss",
        _multilabel,
        {"weight": array("class_weight"), **_REDUCTION},
        lambda o: "scores, target",
    ),
    *_pair(
        "PoissonNLLLoss",
        "poisson_nll_loss",
        _poisson,
        _POISSON,
        lambda o: "log_rates, counts" if o["log_input"] else "rates, counts",
    ),
    *_pair("MultiMarginLoss", "multi_margin_loss", _margin, _MARGIN, lambda o: "scores, labels"),
    *_pair("MultiLabelMarginLoss", "multilabel_margin_loss", _margin, dict(_REDUCTION), lambda o: "scores, labels"),
    Helper(
        F + "linear_cross_entropy",
        "torch",
        _linear,
        {"linear_bias": array("bias"), **_LINEAR, "target": _TARGET},
        ("F.linear_cross_entropy", "nn.functional.linear_cross_entropy", "xent.torch.linear_cross_entropy"),
        False,
        lambda o: f"hidden, classifier, {_truth(o)}",
    ),
    Helper(
        "torch.nn.LinearCrossEntropyLoss",
        "torch",
        _linear,
        {
            "in_features": Option("integer"),
            "num_classes": Option("integer"),
            "bias": flag(False),
            **_LINEAR,
            "target": _TARGET,
        },
        ("nn.LinearCrossEntropyLoss", "xent.torch.LinearCrossEntropyLoss"),
        True,
        lambda o: f"hidden, {_truth(o)}",
    ),
)
