"""What a margin takes for cosines, and what it refuses: scores outside [−1, 1], and a Projection that has lengths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from losses_batches import LIBRARIES

import xent
from xent.errors import DataError, OptionError, UndefinedPairError
from xent.losses import Angular, LargeMargin, Loss, Scores, Shift, face, imbalance, margins

every_library = pytest.mark.parametrize("library", LIBRARIES)
ANGULAR = {
    "arcface": margins.arcface(0.5, 4.0),
    "combined": margins.combined_margin(1.1, 0.3, 0.1, 4.0),
    "l-softmax": margins.l_softmax(2),
    "curricularface": face.curricularface(0.3, 0.5, 4.0),
}
every_margin = pytest.mark.parametrize("name", ANGULAR)
#: A few classes, and as many as the compiled pass takes.
SIZES = pytest.mark.parametrize("k", [3, 70])


def batch(k: int, bad: float) -> tuple[np.ndarray, np.ndarray]:
    """Cosines (3, K) with one that is none at the truth of the row in the middle."""
    z = np.random.default_rng(1).uniform(-0.9, 0.9, (3, k))
    z[1, 2] = bad
    return z, np.array([0, 2, 1])


def made(library: str, x: np.ndarray) -> Any:
    return x if library == "numpy" else torch.from_numpy(x)


@SIZES
@every_library
@every_margin
@pytest.mark.parametrize("bad", [500.0, -1.01, math.inf, -math.inf])
def test_a_score_that_is_no_cosine_is_refused(name: str, bad: float, library: str, k: int) -> None:
    z, y = batch(k, bad)
    P, Q = xent.Labels(made(library, y)), xent.Logits(made(library, z))
    for call in (ANGULAR[name], ANGULAR[name].value_and_grad, ANGULAR[name].in_training):
        with pytest.raises(DataError, match=r"Q: expected cosines, −1 to 1.*got .* at position \(1,.*normalize=True"):
            call(P, Q)


@every_library
def test_the_truth_alone_is_read_where_the_others_stay(library: str) -> None:
    z, y = batch(3, 0.5)
    z[0, 1] = 7.0
    P, Q = xent.Labels(made(library, y)), xent.Logits(made(library, z))
    assert np.isfinite(float(ANGULAR["arcface"](P, Q)))
    with pytest.raises(DataError, match=r"every class.*got 7 at position \(0, 1\)"):
        ANGULAR["curricularface"](P, Q)
    z[0, 1] = -np.inf  # a class that cannot be
    assert np.isfinite(float(ANGULAR["curricularface"](P, xent.Logits(made(library, z)))))


@every_library
def test_the_position_is_the_users_and_what_cannot_be_is_not_read(library: str) -> None:
    z, y = batch(3, 9.0)
    P, Q = xent.Labels(made(library, y)), xent.Logits(made(library, np.ascontiguousarray(z.T)), axis=0)
    with pytest.raises(DataError, match=r"position \(2, 1\)"):
        ANGULAR["curricularface"](P, Q)
    # A softcap makes cosines of anything.
    capped = Loss(scores=Scores(softcap=1.0, margin=Angular()))
    assert np.isfinite(float(capped(P, Q)))
    masked = Loss(scores=Scores(margin=Angular(), allowed=np.array([True, True, False])))
    assert float(masked(P, Q)) == math.inf


@SIZES
@every_library
@every_margin
@pytest.mark.parametrize("how", ["ignored", "weight 0"])
def test_rows_that_do_not_count_are_not_read(name: str, how: str, library: str, k: int) -> None:
    z, y = batch(k, 500.0)
    good, _ = batch(k, 0.5)
    options: dict[str, Any] = {"weight": made(library, np.array([1.0, 0.0, 2.0]))} if how == "weight 0" else {}
    if how == "ignored":
        y[1] = -1
    for reduction in ("sum", "none"):
        found = []
        for scores in (z, good):
            P, ignore = made(library, y), -1 if how == "ignored" else None
            if library == "numpy":
                given = xent.Labels(P, ignore=ignore), xent.Logits(scores)
                found.append(ANGULAR[name].value_and_grad(*given, reduction=reduction, **options))
            else:
                x = torch.tensor(scores, requires_grad=True)
                value = ANGULAR[name](xent.Labels(P, ignore=ignore), xent.Logits(x), reduction=reduction, **options)
                found.append((value.detach().numpy(), torch.autograd.grad(value.sum(), x)[0].numpy()))
        (value, gradient), (expected, slope) = found
        np.testing.assert_allclose(value, expected, rtol=1e-14)
        np.testing.assert_allclose(gradient, slope, rtol=1e-14)
        assert not gradient[1].any()


def in_jax(loss: Any, z: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[Any, Any]:
    jax = pytest.importorskip("jax")

    def each(x: Any) -> Any:
        return loss(xent.Labels(jax.numpy.asarray(y)), xent.Logits(x), weight=jax.numpy.asarray(w), reduction="none")

    x = jax.numpy.asarray(z)
    return jax.jit(each)(x), jax.jit(jax.grad(lambda x: each(x).sum()))(x)


def in_tensorflow(loss: Any, z: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[Any, Any]:
    tf = pytest.importorskip("tensorflow")

    @tf.function
    def both(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            each = loss(xent.Labels(tf.constant(y)), xent.Logits(x), weight=tf.constant(w), reduction="none")
        return each, tape.gradient(each, x)

    found: tuple[Any, Any] = both(tf.constant(z))
    return found


@pytest.mark.parametrize("compiled", [in_jax, in_tensorflow])
@every_margin
@pytest.mark.parametrize("weighted", [False, True])
def test_where_it_cannot_be_read_loss_and_gradient_are_nan(name: str, weighted: bool, compiled: Any) -> None:
    """Of its row; a row of weight 0 has none of it."""
    z, y = batch(3, 500.0)
    w = np.array([1.0, 0.0, 1.0]) if weighted else np.ones(3)
    for found in map(np.asarray, compiled(ANGULAR[name], z, y, w)):
        assert np.isfinite(found[[0, 2]]).all()
        assert not found[1].any() if weighted else np.isnan(found[1]).all()


@every_margin
def test_the_compiled_passes_have_no_number_for_it(name: str) -> None:
    """What reads nothing gives NaN: the functions below the check."""
    from xent.core.margins import OfCosine

    scores = ANGULAR[name].scores
    assert scores is not None
    applied: Any = OfCosine(scores.margin, 2.0**-17)  # type: ignore[arg-type]
    value, slope = applied.both(np.array([1.0 + 2.0**-18, 1.001, -500.0]))
    assert np.isfinite([value[0], slope[0]]).all()
    assert np.isnan([value[1:], slope[1:]]).all()


@pytest.mark.parametrize(("dtype", "inside", "outside"), [
    ("float16", 1 + 2.0**-9, 1 + 2.0**-7),
    ("bfloat16", 1 + 2.0**-6, 1 + 2.0**-4),
    ("float32", 1 + 2.0**-18, 1 + 2.0**-16),
    ("float64", 1 + 2.0**-18, 1 + 2.0**-16),
])  # fmt: skip
def test_what_rounding_leaves_outside_is_taken_for_one(dtype: str, inside: float, outside: float) -> None:
    P, loss = xent.Labels(torch.tensor([0])), margins.arcface(0.5, 1.0)

    def value(cosine: float) -> float:
        return float(loss(P, xent.Logits(torch.tensor([[cosine, 0.25]], dtype=getattr(torch, dtype)))))

    assert value(inside) == value(1.0)
    with pytest.raises(DataError, match="cosines"):
        value(outside)


def test_the_running_cosine_is_one_of_cosines() -> None:
    with pytest.raises(DataError, match="cosines"):
        face.curricularface_state(xent.Labels([0]), xent.Logits([[2.0, 0.5]]), 0.0)


# Projections.

MEANT_FOR_COSINES = {
    "arcface": lambda **o: margins.arcface(0.5, 4.0, **o),
    "combined": lambda **o: margins.combined_margin(1.1, 0.3, 0.1, 4.0, **o),
    "am-softmax": lambda **o: margins.am_softmax(0.2, 4.0, **o),
    "cosface": lambda **o: margins.cosface(0.2, 4.0, **o),
    "ldam": lambda **o: imbalance.ldam([9.0, 3.0, 1.0], 0.4, 4.0, **o),
    "curricularface": lambda **o: face.curricularface(0.3, 0.5, 4.0, **o),
}


def projection(library: str = "numpy") -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    hidden, weight = (made(library, rng.normal(size=shape)) for shape in ((4, 5), (3, 5)))
    return xent.Labels(made(library, np.array([0, 2, 1, 2]))), xent.Projection(hidden, weight)


@every_library
@pytest.mark.parametrize("name", MEANT_FOR_COSINES)
def test_a_projection_is_normalised_or_refused(name: str, library: str) -> None:
    P, Q = projection(library)
    given, normalised = MEANT_FOR_COSINES[name](), MEANT_FOR_COSINES[name](normalize=True)
    for call in (lambda: given(P, Q), lambda: given.value_and_grad(P, Q), lambda: given.at_inference(Q)):
        with pytest.raises(UndefinedPairError, match=r"normalize"):
            call()
    unit = [x / np.linalg.norm(np.asarray(x), axis=1, keepdims=True) for x in map(np.asarray, (Q.hidden, Q.weight))]
    cosines = xent.Logits(made(library, unit[0] @ unit[1].T))
    np.testing.assert_allclose(normalised(P, Q), given(P, cosines), rtol=1e-12)
    np.testing.assert_allclose(normalised.at_inference(Q).scores, given.at_inference(cosines).scores, rtol=1e-12)


@every_library
def test_lengths_that_are_meant_are_kept(library: str) -> None:
    P, Q = projection(library)
    for loss in (
        margins.sm_softmax(),
        margins.l_softmax(2),
        Loss(scores=Scores(margin=LargeMargin(2))),
        Loss(scores=Scores(margin=Shift(0.3), scale=2.0)),
        Loss(scores=Scores(normalize="neither", margin=Angular())),
        Loss(scores=Scores(normalize="neither", margin=Shift(0.3, cosines=True))),
    ):
        assert np.isfinite(float(loss(P, Q)))
    plain = np.asarray(Q.hidden) @ np.asarray(Q.weight).T
    neither = Loss(scores=Scores(normalize="neither", margin=Angular())).at_inference(Q).scores
    np.testing.assert_allclose(neither, plain, rtol=1e-13)


@pytest.mark.parametrize("centres", [1, 2])
@pytest.mark.parametrize("loss", [
    *(make() for make in MEANT_FOR_COSINES.values()),
    Loss(scores=Scores(margin=Angular(1.0, 0.3), scale=4.0)),
    Loss(scores=Scores(margin=Shift(0.3, cosines=True), scale=4.0), shaping=xent.Focal(1.0)),
], ids=lambda loss: loss.name or "of one's own")  # fmt: skip
def test_a_head_gives_cosines_to_every_loss_that_is_meant_for_them(loss: Loss, centres: int) -> None:
    """Scores in use do not see how long hidden states and classifiers are, nor does the loss."""
    from xent.torch.losses import MarginHead

    head = MarginHead(5, 3, loss, centres=centres).double()
    hidden, labels = torch.randn(4, 5, dtype=torch.float64), torch.tensor([0, 2, 1, 2])
    before = head.scores(hidden), head(hidden, labels)
    assert float(before[0].detach().abs().max()) <= 4.0 * (1 + 1e-12)
    with torch.no_grad():
        head.weight.mul_(7.0)
    torch.testing.assert_close((head.scores(hidden * 3.0), head(hidden * 3.0, labels)), before)


def test_a_head_with_several_centres_has_no_lengths_to_keep() -> None:
    from xent.torch.losses import MarginHead

    for loss in (margins.l_softmax(2), Loss(scores=Scores(normalize="neither", margin=Angular()))):
        with pytest.raises(OptionError, match="centres="):
            MarginHead(5, 3, loss, centres=2)
