"""optax's own tests of these losses, as its wheel ships them, run against ours."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import optax
import pytest
from optax.losses import _classification_test as published

import xent.optax

#: A published case that contradicts the mathematics, and why. None does.
EXCEPTED: dict[str, str] = {}

#: Classes of tests whose functions we have; the others (CTC, sparsemax, perceptron) are not cross-entropies.
COVERED = (
    "SoftmaxCrossEntropyTest",
    "SafeSoftmaxCrossEntropyTest",
    "SoftmaxCrossEntropyWithIntegerLabelsTest",
    "SigmoidCrossEntropyTest",
    "PolyLossTest",
    "GeneralizedKLDivergenceTest",
    "KLDivergenceTest",
    "KLDivergenceWithLogTargetsTest",
    "SigmoidFocalLossTest",
    "HingeTest",
)


class Ours:
    """optax's module with our functions in their places, which notes which of them were called."""

    def __init__(self, theirs: ModuleType) -> None:
        self._theirs = theirs
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name not in xent.optax.__all__:
            return getattr(self._theirs, name)
        self.called.add(name)
        return getattr(xent.optax, name)


def cases() -> Iterator[Any]:
    for name in COVERED:
        for case in unittest.defaultTestLoader.loadTestsFromTestCase(getattr(published, name)):
            yield pytest.param(case, id=".".join(case.id().split(".")[-2:]))


@pytest.mark.parametrize("case", list(cases()))
def test_published(case: unittest.TestCase, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    ours = Ours(published._classification)
    monkeypatch.setattr(published, "_classification", ours)
    result = case.run()
    assert result is not None
    broken = "\n".join(text for _, text in result.failures + result.errors)
    name = request.node.callspec.id
    if name in EXCEPTED:
        assert broken, f"{name} passes: take it off the list"
        return
    assert not broken, broken
    multi_class_hinge = "multi_class" in name
    assert ours.called or multi_class_hinge, "the published test called none of ours"


def test_signatures_are_those_of_optax() -> None:
    import inspect

    for name in xent.optax.__all__:
        ours, theirs = inspect.signature(getattr(xent.optax, name)), inspect.signature(getattr(optax.losses, name))
        assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
            (p.name, p.kind, p.default) for p in theirs.parameters.values()
        ], name
