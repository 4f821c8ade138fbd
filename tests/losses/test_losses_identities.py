"""What the losses of the core are to each other, on random batches (hypothesis), in NumPy and in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from losses_batches import LIBRARIES, PLAIN, batches, close, of, same
from losses_evaluate import evaluate, target
from losses_samples import COUNTS, LOG_ZERO, TRANSITION, K

import xent
from xent.losses import Loss, imbalance, margins, noise

every_library = pytest.mark.parametrize("library", LIBRARIES)
few = settings(max_examples=6)

NOTHING_DONE = {
    "focal 0": imbalance.focal(0.0, soft="surprisal"),
    "focal 0, per class": imbalance.focal(0.0, soft="per-class"),
    "poly 0": imbalance.poly1(0.0, soft="per-class"),
    "logit adjustment 0": imbalance.logit_adjustment(COUNTS, 0.0),
    "equal counts": imbalance.logit_adjustment([3, 3, 3, 3]),
    "balanced classes": imbalance.class_balanced([7, 7, 7, 7]),
    "beta 0": imbalance.class_balanced(COUNTS, 0.0),
    "smoothing 0": noise.label_smoothing(0.0),
    "others 0": noise.label_smoothing(0.0, formula="others"),
    "smoothing of all": noise.label_smoothing(0.0, allowed=[True] * K),
    "generalized 0": noise.generalized_cross_entropy(0.0, soft="surprisal"),
    "generalized nearly 0": noise.generalized_cross_entropy(1e-15, soft="per-class"),
    "symmetric": noise.symmetric_cross_entropy(1.0, 0.0, soft="surprisal"),
    "hard bootstrap 1": noise.hard_bootstrap(1.0),
    "soft bootstrap 1": noise.soft_bootstrap(1.0),
    "no noise": noise.backward_correction(np.eye(K)),
    "z-loss 0": noise.z_loss(0.0),
    "confidence penalty 0": noise.confidence_penalty(0.0),
    "temperature 1": noise.temperature(1.0),
}
NO_MARGIN = {
    "ldam": imbalance.ldam(COUNTS, 0.0, 1.0),
    "sm-softmax": margins.sm_softmax(0.0),
    "am-softmax": margins.am_softmax(0.0, 1.0),
    "cosface": margins.cosface(0.0, 1.0),
    **{f"arcface, {b}": margins.arcface(0.0, 1.0, boundary=b) for b in ("continue", "linear", "clip", "easy")},  # type: ignore[arg-type]
    "arcface, straight-through": margins.arcface(0.0, 1.0, grad="straight-through"),
    "combined": margins.combined_margin(1.0, 0.0, 0.0, 1.0),
    "l-softmax": margins.l_softmax(1),
    "l-softmax, all λ": margins.l_softmax(4, 1e18),
}


@every_library
@pytest.mark.parametrize("loss", NOTHING_DONE.values(), ids=NOTHING_DONE)
@few
@given(batch=batches())
def test_without_its_parameter_it_is_the_cross_entropy(loss: Loss, library: str, batch: Any) -> None:
    z, y, p = batch
    for kind, values in (("labels", y), ("distribution", p)):
        P = target(kind, values, library)
        same(evaluate(of(loss), P, z, library), evaluate(PLAIN, P, z, library))


@every_library
@pytest.mark.parametrize("loss", NO_MARGIN.values(), ids=NO_MARGIN)
@few
@given(batch=batches())
def test_without_a_margin_it_is_the_cross_entropy(loss: Loss, library: str, batch: Any) -> None:
    z, y, _ = batch
    cosines = np.clip(z / 10, -1, 1)
    cosines[0, :2] = 1.0, -1.0
    for kind, values in (("labels", y), ("one-hot", np.eye(K)[y])):
        P = target(kind, values, library)
        same(evaluate(of(loss), P, cosines, library), evaluate(PLAIN, P, cosines, library))


@every_library
@few
@given(batch=batches())
def test_elements_without_parameters(library: str, batch: Any) -> None:
    z, _, p = batch
    P = target("soft indicators", p, library)
    for loss in (
        imbalance.focal(0.0, soft="surprisal"),
        imbalance.asymmetric(0.0, 0.0, 0.0, soft="per-class"),
        imbalance.asymmetric(0.0, 0.0, 0.0, soft="surprisal"),
        noise.label_smoothing(0.0),
        noise.hard_bootstrap(1.0),
        noise.generalized_cross_entropy(0.0, soft="per-class"),
    ):
        same(evaluate(of(loss), P, z, library), evaluate(PLAIN, P, z, library))
    # A half of each side is half of the loss.
    mine = evaluate(of(imbalance.focal(2.0, alpha=0.5)), target("indicators", np.round(p), library), z, library)
    whole = evaluate(of(imbalance.focal(2.0)), target("indicators", np.round(p), library), z, library)
    same(mine, (whole[0] / 2, whole[1] / 2))
    # Without a margin, and with equal exponents, the asymmetric loss is the focal.
    hard = target("indicators", np.round(p), library)
    same(
        evaluate(of(imbalance.asymmetric(2.0, 2.0, 0.0)), hard, z, library),
        evaluate(of(imbalance.focal(2.0)), hard, z, library),
    )


@every_library
@given(batch=batches())
def test_one_loss_is_another(library: str, batch: Any) -> None:
    z, y, p = batch
    n = np.asarray(COUNTS)
    shares = n / n.sum()
    for kind, values in (("labels", y), ("distribution", p)):
        P = target(kind, values, library)
        balanced = evaluate(of(imbalance.balanced_softmax(n)), P, z, library)
        same(balanced, evaluate(of(imbalance.logit_adjustment(shares, 1.0)), P, z, library))
        same(balanced, evaluate(PLAIN, P, z + np.log(n), library))
        alpha, beta = 0.3, 1.7
        for soft in ("surprisal", "per-class"):
            symmetric = noise.symmetric_cross_entropy(alpha, beta, soft=soft)  # type: ignore[arg-type]
            poly = imbalance.poly1(-LOG_ZERO * beta / alpha, soft=soft).but(factor=alpha)  # type: ignore[arg-type]
            same(evaluate(of(symmetric), P, z, library), evaluate(of(poly), P, z, library))
        same(evaluate(of(noise.temperature(4.0)), P, z, library), _scaled(evaluate(PLAIN, P, z / 4, library), 1 / 4))
        same(
            evaluate(of(noise.label_smoothing(0.2)), P, z, library),
            evaluate(PLAIN, target(kind, values, library, smoothing=0.2), z, library),
        )
    P = target("labels", y, library)
    same(
        evaluate(of(margins.am_softmax(0.2, 5.0)), P, z, library),
        evaluate(of(margins.cosface(0.2, 5.0)), P, z, library),
    )


def _scaled(found: tuple[Any, Any], gradient: float) -> tuple[Any, Any]:
    return found[0], found[1] * gradient


@every_library
@given(batch=batches())
def test_generalized_cross_entropy_from_end_to_end(library: str, batch: Any) -> None:
    """q → 0 is the cross-entropy, with an error of qℓ²/2; q = 1 is 1 − p, whose gradient is p·(p − y)."""
    z, y, _ = batch
    P = target("labels", y, library)
    each = evaluate(PLAIN, P, z, library, reduction="none")[0]
    for q in (1e-3, 1e-6):
        near = evaluate(of(noise.generalized_cross_entropy(q)), P, z, library, reduction="none")[0]
        assert np.all(np.abs(near - each) <= q * each**2 / 2 + 1e-12 * each)
    value, gradient = evaluate(of(noise.generalized_cross_entropy(1.0)), P, z, library, reduction="none")
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    true = p[np.arange(len(y)), y]
    close(value, -np.expm1(-each))
    close(gradient, true[:, None] * (p - np.eye(K)[y]))
    same((value, gradient), evaluate(of(noise.taylor_cross_entropy(1)), P, z, library, reduction="none"))
    k, q = 0.3, 0.7
    value, gradient = evaluate(of(noise.generalized_cross_entropy(q, truncation=k)), P, z, library, reduction="none")
    far = true < k * (1 - 1e-9)
    close(value[far], np.full(far.sum(), (1 - k**q) / q))
    assert not gradient[far].any()
    near = true > k * (1 + 1e-9)
    whole = evaluate(of(noise.generalized_cross_entropy(q)), P, z, library, reduction="none")
    same((value[near], gradient[near]), (whole[0][near], whole[1][near]))


# Corrections and bootstrapping.


@every_library
@given(batch=batches())
def test_backward_correction_is_unbiased(library: str, batch: Any) -> None:
    """Σ_j T(i, j)·L(j) is the loss of the clean label i, and so is its gradient."""
    z = batch[0][:1]
    T = np.asarray(TRANSITION)
    each = [
        evaluate(of(noise.backward_correction(T)), target("labels", np.array([j]), library), z, library)
        for j in range(K)
    ]
    for i in range(K):
        clean = evaluate(PLAIN, target("labels", np.array([i]), library), z, library)
        size = max(abs(v) for v, _ in each)
        assert abs(sum(T[i, j] * each[j][0] for j in range(K)) - clean[0]) <= 1e-13 * size + 1e-13
        np.testing.assert_allclose(sum(T[i, j] * each[j][1] for j in range(K)), clean[1], atol=1e-13)


@given(batch=batches())
def test_forward_correction_is_the_cross_entropy_of_qT(batch: Any) -> None:
    z, y, p = batch
    z = z / 2
    e = np.exp(z - z.max(axis=1, keepdims=True))
    mixed = e / e.sum(axis=1, keepdims=True) @ np.asarray(TRANSITION)
    for P in (xent.Labels(y), xent.Distribution(p)):
        expected = xent.cross_entropy(P, xent.Probabilities(mixed), reduction="none")
        close(xent.cross_entropy(P, noise.forward_correction(xent.Logits(z), TRANSITION), reduction="none"), expected)
    Q = xent.Logits(torch.from_numpy(z))
    found = noise.forward_correction(Q, torch.tensor(TRANSITION, dtype=torch.float64))
    close(torch.exp(found.log_probs), mixed)


@given(batch=batches())
def test_soft_bootstrapping_goes_through_both_places(batch: Any) -> None:
    """−Σ (βt + (1 − β)q)·log q with a gradient through q in both; detached it would be β·(q − t)."""
    z, _, p = batch
    beta = 0.8
    x = torch.tensor(z, requires_grad=True)
    log_q = torch.log_softmax(x, -1)
    expected = -((beta * torch.from_numpy(p) + (1 - beta) * log_q.exp()) * log_q).sum()
    (slope,) = torch.autograd.grad(expected, x)
    for library in LIBRARIES:
        value, gradient = evaluate(of(noise.soft_bootstrap(beta)), target("distribution", p, library), z, library)
        close(value, expected.detach(), units=1e-11)
        np.testing.assert_allclose(gradient, slope, atol=1e-11)
