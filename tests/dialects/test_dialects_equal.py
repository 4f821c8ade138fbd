"""Every row of the table, run: the helper's own call and each equal call give the same value and the same gradient.

The calls are the texts that ``which`` shows, executed on the same data in float64 with the real frameworks.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from dialect_worlds import CLASSES, DATA, TARGETS, X, run

import xent
from support.thinning import EVERY
from xent.dialects.call import Call, NoEqual
from xent.dialects.helper import Helper
from xent.dialects.meaning import Meaning
from xent.dialects.table import HELPERS

pytest.importorskip("torch")
pytest.importorskip("tensorflow")
pytest.importorskip("keras")
pytest.importorskip("optax")

EPS = np.finfo(np.float64).eps
#: Values beside its default that every option is tried with.
TRIED: dict[str, tuple[Any, ...]] = {
    "ignore_index": (-100, 1),
    "ignore_class": (-100, 1),
    "ignore": (-100, 1),
    "label_smoothing": (0.1,),
    "smoothing": (0.1,),
    "gamma": (1.5,),
    "alpha": (0.3,),
    "epsilon": (-1.0,),
    "eps": (1e-3,),
    "in_features": (4,),
    "num_classes": (4,),
    "axis": (),
    "pos_label": (1,),
    "num_sampled": (2,),
    "num_true": (1,),
    "p": (2,),
    "margin": (0.5,),
    "seed": (0,),
}
#: Helpers whose object holds the weights, or that draw: they are tested by themselves or have no equal at all.
ELSEWHERE = {"torch.nn.LinearCrossEntropyLoss"}


#: How many options at a time are not as they come, besides all of them; 9 is every combination, in half an hour.
DEPTH = 9 if EVERY else 1


def choices(helper: Helper) -> Iterator[dict[str, Any]]:
    """The combinations of a helper's options, each with a value or two: one alone, pairs, and all at once."""
    rows = []
    for name, option in helper.options.items():
        if option.kind in ("deprecated", "any"):
            continue
        if name in TRIED:
            values = TRIED[name]
        elif option.kind == "array":
            values = (True,)
        elif option.kind == "flag":
            values = (not option.default,)
        else:
            values = tuple(value for value in option.choices if value != option.default)
        rows.append([{name: value} for value in values] + ([] if option.required else [{}]))
    # A function means what its class does: it is tried with one option at a time.
    twin = any(other.read is helper.read and other.module for other in HELPERS) and not helper.module
    depth = min(DEPTH, 1) if twin else DEPTH
    free = sum(not option.required for option in helper.options.values())
    for combination in itertools.product(*rows):
        options = {name: value for part in combination for name, value in part.items()}
        said = sum(not helper.options[name].required for name in options)
        if said <= depth or said == free:
            yield options


def readable(helper: Helper) -> Iterator[tuple[dict[str, Any], Meaning]]:
    for options in choices(helper):
        try:
            meaning = helper.read(helper.checked(options))
        except xent.errors.OptionError:  # what is refused is in test_dialects_answers.py
            continue
        if isinstance(meaning, Meaning) and sensible(meaning):
            yield options, meaning


def sensible(m: Meaning) -> bool:
    """xent's own function takes the options of every P; a pair that it refuses has no value to compare."""
    if m.ignore is not None and m.p != "Labels":
        return False
    if m.positive_weight and m.p != "Indicators":
        return False
    return not (m.gamma is not None and m.smoothing)


def target_of(m: Meaning, to: str) -> str:
    hard = m.gamma is not None or m.poly is not None
    if m.p == "Indicators":
        return "yes/no" if hard or m.signs or m.measure == "hinge" or to == "sklearn" else "shares"
    return "one-hot" if hard else "masked" if m.where else "soft"


def check(helper: Helper, options: dict[str, Any], m: Meaning, to: str, found: Call) -> None:
    data = {"target": target_of(m, to), "binary": m.p == "Indicators", "ignored": m.ignore == -100}
    if helper.framework == "sklearn" or to == "sklearn":
        data["target"] = target_of(m, "sklearn")
    source = "numpy" if helper.framework == "xent" else helper.framework
    value, gradient = run(source, [helper.written(options)], **data)
    other, slope = run(source if to == "xent" else to.removeprefix("xent."), found.lines, found.imports, **data)
    where = f"{helper.name}({options}) → {to}:\n{found.code}"
    scale = 1e-6 if "float32" in str(value.dtype) else 64 * EPS
    np.testing.assert_allclose(other, value, rtol=scale, atol=scale, err_msg=where)
    if gradient is not None and slope is not None:
        np.testing.assert_allclose(slope, gradient, rtol=256 * EPS, atol=64 * EPS, err_msg=where)


@pytest.mark.parametrize("name", [helper.name for helper in HELPERS if helper.name not in ELSEWHERE])
def test_every_equal_call_is_equal(name: str) -> None:
    (helper,) = (found for found in HELPERS if found.name == name)
    compared = 0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "reduction: 'mean' divides", UserWarning)
        warnings.filterwarnings("ignore", ".*convex_kl_divergence", DeprecationWarning)
        for options, meaning in readable(helper):
            for to, found in xent.which(name, **options).equal.items():
                if isinstance(found, Call):
                    check(helper, options, meaning, to, found)
                    compared += 1
    no_pair = isinstance(helper.read(helper.checked(required(helper))), NoEqual)
    assert no_pair == (compared == 0)


def required(helper: Helper) -> dict[str, Any]:
    return {name: True for name, option in helper.options.items() if option.required}


@pytest.mark.parametrize(
    "options", [{}, {"bias": True, "label_smoothing": 0.1}, {"weight": True}, {"target": "float", "reduction": "sum"}]
)
def test_a_criterion_that_holds_its_classifier(options: dict[str, Any]) -> None:
    """LinearCrossEntropyLoss makes its own weight and bias; they are given the data's."""
    import torch

    given = {key: value for key, value in options.items() if key not in ("target", "weight")}
    arrays = {key: torch.tensor(value) for key, value in DATA.items()}
    weight = arrays["class_weight"] if "weight" in options else None
    criterion = torch.nn.LinearCrossEntropyLoss(CLASSES, CLASSES, weight=weight, dtype=torch.float64, **given)
    held = {"linear.weight": arrays["classifier"], "linear.bias": arrays["bias"]}
    criterion.load_state_dict({key: held.get(key, value) for key, value in criterion.state_dict().items()})
    truth = torch.tensor(TARGETS["soft"]) if "target" in options else arrays["labels"]
    value = criterion(torch.tensor(X), truth).detach().numpy()
    compared = 0
    for to, found in xent.which("torch.nn.LinearCrossEntropyLoss", **options).equal.items():
        if isinstance(found, Call):
            where = "torch" if to == "xent" else to.removeprefix("xent.")
            other, _ = run(where, found.lines, found.imports, target="soft", binary=False)
            np.testing.assert_allclose(other, value, rtol=64 * EPS, err_msg=found.code)
            compared += 1
    assert compared >= 4
