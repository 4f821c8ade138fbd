"""A snapshot of the public names and signatures: a change to them is a decision, made by editing this file."""

from __future__ import annotations

import importlib
import inspect

import pytest

import xent

_MEASURE = "(P, Q, *, weight=None, class_weight=None, reduction='mean', denominator=None, empty='nan')"
_LOSS = (
    "(P, Q, *, weight=None, class_weight=None, positive_weight=None, scores=None, target=None, shaping=None, "
    "penalties=(), reduction='mean', denominator=None, empty='nan')"
)

SIGNATURES = {
    "Labels": "(indices, *, ignore=None, smoothing=0.0)",
    "Distribution": "(probs, *, smoothing=0.0)",
    "Indicators": "(values, *, smoothing=0.0)",
    "Distribution.from_logits": "(scores, *, axis=-1, temperature=1.0)",
    "Distribution.from_log_probs": "(log_probs, *, axis=-1)",
    "Logits": "(scores, *, axis=-1)",
    "LogProbabilities": "(log_probs, *, axis=-1)",
    "Probabilities": "(probs, *, axis=-1)",
    "Projection": "(hidden, weight, bias=None)",
    "Focal": "(gamma, *, soft=None)",
    "ZLoss": "(coefficient)",
    "cross_entropy": _LOSS,
    "value_and_grad": _LOSS,
    "kl_divergence": _MEASURE,
    "js_divergence": _MEASURE.replace("*,", "*, beta=0.5,"),
    "perplexity": _MEASURE,
    "squared_error": _MEASURE,
    "hinge": _MEASURE,
    "classification_error": _MEASURE,
    "entropy": "(P_or_Q, *, axis=-1, weight=None, reduction='mean', denominator=None, empty='nan')",
    "self_information": "(probs)",
    "mutual_information": "(joint)",
    "bits": "(x)",
    "explain": "(P, Q)",
    "which": "(name, /, **options)",
    "convert": "(name, /, *, to, **options)",
    "memory.report": "()",
    "memory.empty": "()",
    "memory.limit": "(nbytes)",
}
OTHERS = {"Penalty", "Shaping", "XentError", "errors", "losses", "memory"}


def plain(signature: inspect.Signature) -> str:
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def resolve(name: str) -> object:
    found: object = xent
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_public_names() -> None:
    assert set(xent.__all__) == {name for name in SIGNATURES if "." not in name} | OTHERS
    assert all(hasattr(xent, name) for name in xent.__all__)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name: str) -> None:
    assert plain(inspect.signature(resolve(name))) == SIGNATURES[name]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(SIGNATURES))
def test_docstring_says_what_it_must(name: str) -> None:
    """A formula or a meaning, the errors it raises or where they are told, and an example that doctest runs."""
    text = inspect.getdoc(resolve(name)) or ""
    assert len(text.splitlines()[0]) > 10
    if inspect.isfunction(resolve(name)) and name not in ("bits", "explain") and "memory" not in name:
        assert "Raises" in text or "errors as of ``cross_entropy``" in text or "raises what it raises" in text
        assert ">>>" in text
        assert "nats" in text or "as of ``cross_entropy``" in text or name == "classification_error"


def test_the_namespaces_hold_no_strangers() -> None:
    public = {name for name in vars(xent) if not name.startswith("_")}
    rooms = {
        "core", "dialects", "kernels", "backends", "functional", "evaluate", "report", "cli",
        "keras", "linear_model", "optax", "sklearn", "tensorflow", "torch",
    }  # fmt: skip
    assert public - set(xent.__all__) <= rooms


FRONT_ENDS = {
    "sklearn": {
        "log_loss": "(y_true, y_proba=None, *, normalize=True, sample_weight=None, labels=None, y_pred='deprecated')",
        "d2_log_loss_score": "(y_true, y_proba=None, *, sample_weight=None, labels=None, y_pred='deprecated')",
        "brier_score_loss": (
            "(y_true, y_proba, *, sample_weight=None, pos_label=None, labels=None, scale_by_half='auto')"
        ),
        "get_scorer": "(scoring)",
        "neg_log_loss": None,
        "d2_log_loss": None,
        "neg_brier_score": None,
    },
    "tensorflow": {
        "softmax_cross_entropy_with_logits": "(labels, logits, axis=-1, name=None)",
        "sparse_softmax_cross_entropy_with_logits": "(labels, logits, name=None)",
        "sigmoid_cross_entropy_with_logits": "(labels=None, logits=None, name=None)",
        "weighted_cross_entropy_with_logits": "(labels, logits, pos_weight, name=None)",
        "sampled_softmax_loss": (
            "(weights, biases, labels, inputs, num_sampled, num_classes, num_true=1, sampled_values=None, "
            "remove_accidental_hits=True, seed=None, name='sampled_softmax_loss')"
        ),
        "nce_loss": (
            "(weights, biases, labels, inputs, num_sampled, num_classes, num_true=1, sampled_values=None, "
            "remove_accidental_hits=False, name='nce_loss')"
        ),
    },
}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_names_and_signatures_of_a_front_end(name: str) -> None:
    module = importlib.import_module(f"xent.{name}")
    assert set(module.__all__) == set(FRONT_ENDS[name])
    for function, signature in FRONT_ENDS[name].items():
        if signature is not None:
            assert plain(inspect.signature(getattr(module, function))) == signature
            assert "Raises" in (inspect.getdoc(getattr(module, function)) or "")
