"""The catalogue: every loss is there with what is known of it, and ``describe`` says where it acts."""

from __future__ import annotations

import inspect
import re

import losses_samples as samples
import pytest

import xent
from xent.losses import Loss, fenchel_young, imbalance, margins, noise
from xent.losses.catalogue import ENTRIES, PLACES

MODULES = {"imbalance": imbalance, "margins": margins, "noise": noise}
#: Where each loss of these modules acts, by its formula in the literature.
ACTS = {
    "imbalance.focal": "S3",
    "imbalance.poly1": "S3",
    "imbalance.asymmetric": "S3",
    "imbalance.logit_adjustment": "S1",
    "imbalance.balanced_softmax": "S1",
    "imbalance.ldam": "S1",
    "imbalance.class_balanced": "S3",
    "noise.label_smoothing": "S2",
    "noise.generalized_cross_entropy": "S3",
    "noise.symmetric_cross_entropy": "S3",
    "noise.taylor_cross_entropy": "S3",
    "noise.hard_bootstrap": "S2",
    "noise.soft_bootstrap": "S3 S4",
    "noise.backward_correction": "S2",
    "noise.forward_correction": "",
    "noise.z_loss": "S4",
    "noise.confidence_penalty": "S4",
    "noise.temperature": "S1",
    "noise.softcap": "S1",
    "margins.l_softmax": "S1",
    "margins.a_softmax": "S1",
    "margins.sm_softmax": "S1",
    "margins.am_softmax": "S1",
    "margins.cosface": "S1",
    "margins.arcface": "S1",
    "margins.combined_margin": "S1",
    "margins.sub_center": "",
}


def _short(places: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text.split()[0] for text in places)


def test_every_loss_of_the_core_is_here_and_has_a_sample() -> None:
    entered = {name for name in ENTRIES if name.split(".")[0] in MODULES}
    assert entered >= set(ACTS)
    sampled = {s.entry for s in samples.SAMPLES.values()} | {loss.name for loss, _ in samples.PROJECTIONS.values()}
    assert sampled >= set(ACTS)


@pytest.mark.parametrize("name", ACTS)
def test_the_function_is_described(name: str) -> None:
    module, _, function = name.partition(".")
    found = xent.losses.describe(getattr(MODULES[module], function))
    assert found.name == name
    assert _short(found.places) == tuple(ACTS[name].split())
    assert function in MODULES[module].__all__


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_the_loss_is_described(name: str) -> None:
    sample = samples.SAMPLES[name]
    if sample.predict is not None:
        return
    found = xent.losses.describe(sample.loss)
    assert found.name == sample.entry
    assert _short(found.places) == sample.places
    assert set(_short(found.places)) >= set(ACTS[sample.entry].split())
    assert set(found.parameters) == set(inspect.signature(ENTRIES[sample.entry].make).parameters)
    text = str(found)
    assert all(part in text for part in (sample.entry, ENTRIES[sample.entry].formula, "acts on: S"))


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_what_is_known(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.name == name
    assert entry.make.__name__ == name.rpartition(".")[2]
    assert entry.formula
    assert entry.gradient
    assert re.search(r"(19|20)\d\d", entry.source), "a year"
    assert "{{" not in entry.gradient + entry.formula
    assert set(entry.places) <= set(PLACES.values())
    parameters = entry.signature.parameters
    assert set(entry.defaults) <= set(parameters)
    described = xent.losses.describe(entry.make)
    assert (described.places, described.formula, described.source) == (entry.places, entry.formula, entry.source)
    assert inspect.getdoc(entry.make)


@pytest.mark.parametrize("grad", ["true", "straight-through"])
def test_the_gradient_of_a_margin_is_told_for_both_predictions(grad: str) -> None:
    """Bounded by 1/‖x‖ on a Projection alone; and straight-through is another."""
    text = xent.losses.describe(margins.arcface(grad=grad)).gradient  # type: ignore[arg-type]
    assert all(part in text for part in ("of a Projection", "in Logits", "sin θ < 1e-4", "straight-through"))
    assert "bounded" not in text


def test_a_loss_of_your_own_is_described_too() -> None:
    mine = Loss(
        scores=xent.losses.Scores(scale=2.0),
        target=xent.losses.Smoothing(0.1),
        shaping=xent.Focal(2.0, soft="surprisal"),
        penalties=[xent.ZLoss(1e-4)],  # type: ignore[arg-type]
    )
    assert _short(xent.losses.describe(mine).places) == ("S1", "S2", "S3", "S4")
    assert _short(xent.losses.describe(Loss(class_weight=[1.0, 2.0])).places) == ("S3",)
    assert xent.losses.describe(Loss()).places == ()
    changed = xent.losses.describe(imbalance.focal(3.0).but(factor=0.25).but(penalties=(xent.ZLoss(1e-4),), factor=0.5))
    assert changed.name == "imbalance.focal with another factor, penalties"
    assert changed.formula != xent.losses.describe(imbalance.focal).formula
    assert changed.parameters["factor"] == 0.5
    assert changed.parameters["shaping"] == xent.Focal(3.0)
    assert _short(changed.places) == ("S3", "S4")
    with pytest.raises(xent.errors.KindError, match="describe"):
        xent.losses.describe(3)  # type: ignore[arg-type]


def test_a_fenchel_young_loss_is_described() -> None:
    for loss, function, parameters in (
        (fenchel_young.entmax_loss(1.7), fenchel_young.entmax_loss, {"alpha": 1.7}),
        (fenchel_young.sparsemax_loss(), fenchel_young.sparsemax_loss, {}),
        (fenchel_young.FenchelYoung(1.5), fenchel_young.entmax_loss, {"alpha": 1.5}),
    ):
        found, entry = xent.losses.describe(loss), xent.losses.describe(function)
        assert (found.name, found.formula, found.source) == (entry.name, entry.formula, entry.source)
        assert found.parameters == parameters
        assert found.name in str(found)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_default_that_is_a_choice_has_a_source(name: str) -> None:
    chosen = {"boundary", "grad", "rescale", "without_positives"}
    entry = ENTRIES[name]
    named = {p.name for p in entry.signature.parameters.values() if p.default is not p.empty}
    assert named & chosen <= set(entry.defaults)
