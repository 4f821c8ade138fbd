"""What no loss of the core sees or may see, on random batches, in NumPy and in PyTorch: shifts, how a target is written
down, where the classes are, and examples that do not count."""

from __future__ import annotations

from typing import Any

import losses_samples as samples
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from losses_batches import LIBRARIES, batches, close, same
from losses_evaluate import classes_of, evaluate, labels_of, scores, target, truth
from losses_samples import SAMPLES, K, Sample

every_library = pytest.mark.parametrize("library", LIBRARIES)
rows = pytest.mark.parametrize("sample", samples.ROWS.values(), ids=samples.ROWS)
few = settings(max_examples=6)

#: Losses in which a shift of all scores of a row is seen.
ABSOLUTE = {"noise.softcap", "noise.z_loss", "margins.arcface", "margins.combined_margin", "margins.l_softmax"}


@every_library
@rows
@few
@given(batch=batches(), shift=st.integers(-50, 50))
def test_scores_may_be_shifted_and_slopes_sum_to_zero(library: str, sample: Sample, batch: Any, shift: int) -> None:
    z, y, p = batch
    if sample.entry in ABSOLUTE:
        return
    z = np.round(z * 8) / 8  # so that the shifted scores are the same numbers
    soft = sample.soft and sample.allowed is None and classes_of(sample) == K
    P = target("distribution", p, library) if soft else _labels(sample, y, library)
    mine = evaluate(sample, P, z, library)
    # The scores of two samples are added to or multiplied first, which rounds.
    theirs = evaluate(sample, P, z + shift, library)
    close(theirs[0], mine[0], units=1e-11)
    if mine[1] is not None:
        close(theirs[1], mine[1], units=1e-10)
        assert np.all(np.abs(mine[1].sum(axis=1)) <= 1e-12 * (1 + np.abs(mine[1]).max()))


def _labels(sample: Sample, y: Any, library: str, **options: Any) -> Any:
    return target("labels", labels_of(sample, y), library, **options)


@every_library
@rows
@few
@given(batch=batches())
def test_a_label_is_its_one_hot_row(library: str, sample: Sample, batch: Any) -> None:
    z, y, _ = batch
    z = np.tanh(z / 10) if sample.cosines else z
    y = labels_of(sample, y)
    c, w = np.linspace(0.5, 2.0, classes_of(sample)), np.linspace(1.0, 3.0, len(y))
    hot = np.eye(classes_of(sample))[y]
    for options in ({}, {"class_weight": c, "reduction": "mean"}, {"weight": w, "reduction": "none"}):
        if library == "torch" or sample.predict is None:
            same(
                evaluate(sample, _labels(sample, y, library), z, library, **options),
                evaluate(sample, target("one-hot", hot, library), z, library, **options),
            )


@every_library
@pytest.mark.parametrize(("name", "kind"), samples.EVERY)
def test_the_class_axis_may_be_elsewhere(library: str, name: str, kind: str) -> None:
    sample = SAMPLES[name]
    n, m = 3, 2
    z = scores(sample, n * m).reshape(n, m, K)
    values = truth(sample, kind, n * m)
    shape = (n, m) if kind == "labels" else (n, m, -1)
    values = values.reshape(shape)
    moved = values if kind == "labels" else np.moveaxis(values, -1, 1)
    mine = evaluate(sample, target(kind, values, library), z, library, reduction="mean")
    theirs = evaluate(sample, target(kind, moved, library), np.moveaxis(z, -1, 1), library, axis=1, reduction="mean")
    close(theirs[0], mine[0])
    if mine[1] is not None:
        close(np.moveaxis(theirs[1], 1, -1), mine[1])


@every_library
@rows
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_ignored_is_absent_is_weight_zero(library: str, sample: Sample, reduction: str) -> None:
    """Whatever the scores of such a row hold, and its label, where it is of weight zero."""
    z = scores(sample, 5)
    y = truth(sample, "labels", 5)
    out = np.array([False, True, False, True, False])
    if sample.predict is None:  # a prediction of its own does not know which rows count
        z[1], z[3, 2] = np.nan, np.inf
    absent = evaluate(sample, _labels(sample, y[~out], library), z[~out], library, reduction=reduction)
    marked = np.where(out, -100, y)
    ignored = evaluate(sample, target("labels", marked, library, ignore=-100), z, library, reduction=reduction)
    weighed = [
        evaluate(sample, target("labels", labels, library), z, library, weight=1.0 - out, reduction=reduction)
        for labels in (y, marked)
    ]
    for value, gradient in (ignored, *weighed):
        close(value[~out] if reduction == "none" else value, absent[0])
        assert reduction != "none" or not value[out].any()
        if gradient is not None:
            close(gradient[~out], absent[1])
            assert not gradient[out].any()


@every_library
@pytest.mark.parametrize("name", samples.ELEMENTS)
def test_elements_of_weight_zero_are_absent(library: str, name: str) -> None:
    sample = SAMPLES[name]
    z, values = scores(sample, 3), truth(sample, "indicators", 3)
    w = np.array([[1, 0, 2, 1], [1, 1, 0, 1], [0.5, 1, 1, 0]])
    spoilt = np.where(w == 0, np.nan, z)
    P = target("indicators", values, library)
    each = evaluate(sample, P, z, library, reduction="none")
    value, gradient = evaluate(sample, P, spoilt, library, weight=w)
    close(value, (each[0] * w).sum())
    close(gradient, each[1] * w)


@every_library
@rows
@few
@given(batch=batches())
def test_class_weights_are_in_the_denominator(library: str, sample: Sample, batch: Any) -> None:
    z, y, _ = batch
    z = np.tanh(z / 10) if sample.cosines else z / 4
    c = np.linspace(0.5, 2.0, classes_of(sample))
    P = _labels(sample, y, library)
    each = evaluate(sample, P, z, library, reduction="none")[0]
    weighed = evaluate(sample, P, z, library, class_weight=c, reduction="none")[0]
    mean = evaluate(sample, P, z, library, class_weight=c, reduction="mean")[0]
    own = np.ones_like(c) if sample.class_weight is None else np.asarray(sample.class_weight)
    y = labels_of(sample, y)
    w = (c * own)[y]
    if "S2" in sample.places:
        # The weight of the target that the loss made: (1 − share)·c[y] and the rest.
        assert np.all((weighed > 0) | (each <= 0))
        return
    close(weighed, each / own[y] * w)
    close(mean, weighed.sum() / w.sum())
