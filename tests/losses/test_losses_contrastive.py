"""Contrastive losses against loops over the papers' sums, published values, identities and PyTorch's gradcheck."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import xent
from support.oracle import mp, mpf
from xent.losses import contrastive, describe

RNG = np.random.default_rng(20)
X, Y, Z = (RNG.normal(size=(n, 3)) for n in (5, 5, 7))
LABELS = np.array([0, 1, 0, 2, 1])
#: Three of one label have two positives each; of seven, four have three, and one is alone.
MANY, SEVEN = np.array([0, 1, 0, 0, 1]), np.array([0, 1, 0, 2, 1, 0, 0])
MASK = RNG.random((5, 7)) < 0.4
MASK[:, 0] = True
LIBRARIES = ("numpy", "torch")


def to(x: Any, library: str = "torch", dtype: Any = None) -> Any:
    if not isinstance(x, np.ndarray):
        return x
    if library == "torch":
        return torch.tensor(x, dtype=dtype)
    return x if dtype is None else x.astype(dtype)


def number(x: Any) -> Any:
    return np.asarray(x.detach().double() if isinstance(x, torch.Tensor) else x, dtype=np.float64)


# The oracle: each paper's formula in loops, of cosines or products of float64 numbers.


def dot(a: Any, b: Any) -> float:
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def cos(a: Any, b: Any) -> float:
    length = math.sqrt(dot(a, a)) * math.sqrt(dot(b, b))
    return dot(a, b) / length if length else 0.0


def share(top: list[float], rest: list[float]) -> float:
    """−log (Σ e^top / Σ e^(top and rest))."""
    return float(-mp.log(mp.fsum(map(mp.exp, top)) / mp.fsum(map(mp.exp, [*top, *rest]))))


def loop_info_nce(q: Any, k: Any, tau: float, like: Callable[[Any, Any], float] = cos) -> list[float]:
    return [
        share([like(q[i], k[i]) / tau], [like(q[i], k[j]) / tau for j in range(len(k)) if j != i])
        for i in range(len(q))
    ]


def loop_sets(z: Any, y: Any, tau: float) -> list[tuple[list[float], list[float]]]:
    """(scores of positives, of negatives) of each anchor."""
    found = []
    for i in range(len(z)):
        s = {j: cos(z[i], z[j]) / tau for j in range(len(z)) if j != i}
        found.append(([v for j, v in s.items() if y[j] == y[i]], [v for j, v in s.items() if y[j] != y[i]]))
    return found


def loop_by_label(z: Any, y: Any, tau: float) -> float:
    pairs = [share([p], no) for yes, no in loop_sets(z, y, tau) for p in yes]
    return math.fsum(pairs) / len(pairs)


def loop_sup_con(z: Any, y: Any, tau: float, form: str) -> list[float | None]:
    found: list[float | None] = []
    for yes, no in loop_sets(z, y, tau):
        if not yes:
            found.append(None)
        elif form == "out":
            each = [share([p], [*yes[:i], *yes[i + 1 :], *no]) for i, p in enumerate(yes)]
            found.append(math.fsum(each) / len(yes))
        else:
            found.append(share(yes, no) + math.log(len(yes)))
    return found


def mean(values: list[float | None]) -> float:
    counted = [v for v in values if v is not None]
    return math.fsum(counted) / len(counted)


@pytest.mark.parametrize("library", LIBRARIES)
def test_info_nce_is_the_sum_of_the_paper(library: str) -> None:
    found = contrastive.info_nce(to(X, library), to(Z, library), temperature=0.3, reduction="none")
    np.testing.assert_allclose(number(found), loop_info_nce(X, Z, 0.3), rtol=1e-13)
    plain = contrastive.info_nce(to(X, library), to(Z, library), temperature=0.7, normalize=False, reduction="sum")
    assert float(plain) == pytest.approx(math.fsum(loop_info_nce(X, Z, 0.7, dot)), rel=1e-13)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("own", [False, True])
def test_given_negatives_are_the_only_ones(library: str, own: bool) -> None:
    negatives = RNG.normal(size=(5, 4, 3)) if own else Z
    found = contrastive.info_nce(
        to(X, library), to(Y, library), negatives=to(negatives, library), temperature=0.2, reduction="none"
    )
    expected = [
        share([cos(X[i], Y[i]) / 0.2], [cos(X[i], n) / 0.2 for n in (negatives[i] if own else negatives)])
        for i in range(5)
    ]
    np.testing.assert_allclose(number(found), expected, rtol=1e-13)


@pytest.mark.parametrize("library", LIBRARIES)
def test_nt_xent_is_a_loop_over_both_views(library: str) -> None:
    z, y = np.concatenate([X, Y]), np.arange(10) % 5
    expected = [share(yes, no) for yes, no in loop_sets(z, y, 0.5)]
    found = contrastive.nt_xent(to(X, library), to(Y, library), reduction="none")
    np.testing.assert_allclose(number(found), expected, rtol=1e-13)
    by_label = contrastive.nt_xent_by_label(to(z, library), to(y, library), temperature=0.5)
    assert float(by_label) == pytest.approx(math.fsum(expected) / 10, rel=1e-13)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("labels", [LABELS, MANY, np.array([3, 3, 3, 3, 3])])
def test_by_label_is_a_loop_over_positive_pairs(library: str, labels: Any) -> None:
    found = contrastive.nt_xent_by_label(to(X, library), to(labels, library), temperature=0.2)
    assert float(found) == pytest.approx(loop_by_label(X, labels, 0.2), rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("form", ["out", "in"])
def test_sup_con_is_a_loop_over_positives(library: str, form: Any) -> None:
    expected = loop_sup_con(Z, SEVEN, 0.1, form)
    x, y = to(Z, library), to(SEVEN, library)
    found = contrastive.sup_con(x, y, form=form, reduction="none")
    np.testing.assert_allclose(number(found), [0.0 if v is None else v for v in expected], rtol=1e-13)
    assert float(contrastive.sup_con(x, y, form=form)) == pytest.approx(mean(expected), rel=1e-13)
    # An anchor alone with its label: it is left out, or a loss of 0 in the mean over all.
    zero = contrastive.sup_con(x, y, form=form, without_positives="zero")
    assert float(zero) == pytest.approx(mean(expected) * 6 / 7, rel=1e-13)
    weight = np.array([1.0, 2.0, 0.0, 4.0, 0.5, 1.0, 3.0])
    weighted = contrastive.sup_con(x, y, form=form, without_positives="zero", weight=to(weight, library))
    total = math.fsum(w * v for w, v in zip(weight, expected, strict=True) if v is not None)
    assert float(weighted) == pytest.approx(total / 11.5, rel=1e-13)
    skipped = contrastive.sup_con(x, y, form=form, weight=to(weight, library))
    assert float(skipped) == pytest.approx(total / 7.5, rel=1e-13)
    # The authors' code multiplies by τ/base.
    based = contrastive.sup_con(x, y, form=form, base_temperature=0.07)
    assert float(based) == pytest.approx(mean(expected) * 0.1 / 0.07, rel=1e-13)


@pytest.mark.parametrize("form", ["out", "in"])
def test_no_anchor_with_positives_is_a_mean_over_nothing(form: Any) -> None:
    y = torch.arange(5)
    x = torch.tensor(X, requires_grad=True)
    assert math.isnan(float(contrastive.sup_con(x, y, form=form).detach()))
    zero = contrastive.sup_con(x, y, form=form, empty="zero")
    assert zero.item() == 0.0
    assert torch.equal(torch.autograd.grad(zero, x)[0], torch.zeros(5, 3, dtype=torch.float64))
    with pytest.raises(xent.errors.EmptyError):
        contrastive.sup_con(x, y, form=form, empty="raise")
    assert float(contrastive.sup_con(x, y, form=form, without_positives="zero").detach()) == 0.0


@pytest.mark.parametrize("library", LIBRARIES)
def test_n_pairs_is_the_softmax_over_positives(library: str) -> None:
    found = contrastive.n_pairs(to(X, library), to(Y, library), reduction="none")
    np.testing.assert_allclose(number(found), loop_info_nce(X, Y, 1.0, dot), rtol=1e-13)
    # Over labels the target is uniform on those of one label.
    expected = []
    for i in range(5):
        s = [dot(X[i], p) for p in Y]
        same = [j for j in range(5) if LABELS[j] == LABELS[i]]
        expected.append(math.fsum(share([s[j]], s[:j] + s[j + 1 :]) for j in same) / len(same))
    found = contrastive.n_pairs(to(X, library), to(Y, library), to(LABELS, library), reduction="none")
    np.testing.assert_allclose(number(found), expected, rtol=1e-13)


@pytest.mark.parametrize("library", LIBRARIES)
def test_mil_nce_has_a_sum_above_the_line(library: str) -> None:
    found = contrastive.mil_nce(to(X, library), to(Z, library), to(MASK, library), reduction="none")
    s = [[dot(q, k) for k in Z] for q in X]
    expected = [
        share(
            [v for v, yes in zip(row, at, strict=True) if yes], [v for v, yes in zip(row, at, strict=True) if not yes]
        )
        for row, at in zip(s, MASK, strict=True)
    ]
    np.testing.assert_allclose(number(found), expected, rtol=1e-13)
    # Keys of neither set take no part.
    negative = ~MASK & (np.arange(7) % 2 == 0)
    found = contrastive.mil_nce(
        to(X, library), to(Z, library), to(MASK, library), negative=to(negative, library), reduction="none"
    )
    expected = [
        share([v for v, yes in zip(row, at, strict=True) if yes], [v for v, no in zip(row, off, strict=True) if no])
        for row, at, off in zip(s, MASK, negative, strict=True)
    ]
    np.testing.assert_allclose(number(found), expected, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("library", LIBRARIES)
def test_clip_is_the_mean_of_both_sides(library: str) -> None:
    expected = [(a + b) / 2 for a, b in zip(loop_info_nce(X, Y, 0.1), loop_info_nce(Y, X, 0.1), strict=True)]
    found = contrastive.clip(to(X, library), to(Y, library), scale=10.0, reduction="none")
    np.testing.assert_allclose(number(found), expected, rtol=1e-13)
    found = contrastive.clip(to(X, library), to(Y, library), scale=10.0)
    assert float(found) == pytest.approx(math.fsum(expected) / 5, rel=1e-13)


@pytest.mark.parametrize("library", LIBRARIES)
def test_siglip_is_a_sum_over_pairs_over_images(library: str) -> None:
    def softplus(z: float) -> float:
        return float(mp.log1p(mp.exp(mpf(z))))

    expected = [
        math.fsum(softplus(-(1 if i == j else -1) * (7.0 * cos(X[i], Z[j]) - 3.0)) for j in range(7)) for i in range(5)
    ]
    found = contrastive.siglip(to(X, library), to(Z, library), scale=7.0, bias=-3.0, reduction="none")
    np.testing.assert_allclose(number(found), expected, rtol=1e-13)
    total = float(contrastive.siglip(to(X, library), to(Z, library), scale=7.0, bias=-3.0))
    assert total == pytest.approx(math.fsum(expected) / 5, rel=1e-13)
    weight = np.array([1.0, 0.0, 2.0, 0.5, 0.5])
    weighted = contrastive.siglip(to(X, library), to(Z, library), scale=7.0, bias=-3.0, weight=to(weight, library))
    assert float(weighted) == pytest.approx(float(weight @ expected) / 4, rel=1e-13)


# Published values.

#: optax/losses/_self_supervised_test.py, test_batched; τ = .07, tolerance 1e-4 there.
OPTAX = np.array([[-1.9540, 1.0780], [0.2380, -0.5703], [1.8745, -0.0195], [-0.6719, -1.9210]])
OPTAX_ZERO = np.array([[0.0, 0.0], [0.2380, -0.5703], [1.8745, -0.0195], [-0.6719, -1.9210]])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("embeddings", "labels", "expected"),
    [(OPTAX, [0, 0, 1, 1], 14.01032), (OPTAX, [0, 0, 0, 1], 8.968544), (OPTAX_ZERO, [0, 0, 1, 1], 9.2889)],
)
def test_values_of_optax(library: str, embeddings: Any, labels: list[int], expected: float) -> None:
    found = contrastive.nt_xent_by_label(to(embeddings, library, "float32" if library == "numpy" else torch.float32),
                                         to(np.array(labels), library))  # fmt: skip
    assert float(found) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("library", LIBRARIES)
def test_value_of_tensorflow_addons(library: str) -> None:
    """tensorflow_addons/losses/npairs_test.py: cross-entropy of F·Fᵀ against the identity."""
    x = to(np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]), library)
    assert float(contrastive.n_pairs(x, x)) == pytest.approx(0.253856, abs=1e-6)
    assert float(contrastive.n_pairs(x, x, to(np.arange(4), library))) == pytest.approx(0.253856, abs=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_identical_features_cost_the_logarithm_of_all_others(library: str) -> None:
    n = 6
    x = to(np.ones((2 * n, 4)), library)
    y = to(np.arange(2 * n) % n, library)
    assert float(contrastive.sup_con(x, y)) == pytest.approx(math.log(2 * n - 1), rel=1e-14)
    assert float(contrastive.sup_con(x, y, form="in")) == pytest.approx(math.log(2 * n - 1), rel=1e-14)
    assert float(contrastive.nt_xent(x[:n], x[n:])) == pytest.approx(math.log(2 * n - 1), rel=1e-14)


# Derivatives.

CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "info_nce": lambda x, y, t: contrastive.info_nce(x, y, temperature=t),
    "info_nce, a loss each": lambda x, y, t: contrastive.info_nce(x, y, temperature=t, reduction="none"),
    "negatives": lambda x, y, t: contrastive.info_nce(x, y, negatives=x * 0.3 + y.flip(0), temperature=t),
    "nt_xent": lambda x, y, t: contrastive.nt_xent(x, y, temperature=t),
    "by label": lambda x, y, t: contrastive.nt_xent_by_label(x + y, torch.tensor(MANY), temperature=t),
    "sup_con out": lambda x, y, t: contrastive.sup_con(x - y, torch.tensor(MANY), temperature=t, base_temperature=1.0),
    "sup_con in": lambda x, y, t: contrastive.sup_con(x - y, torch.tensor(MANY), temperature=t, form="in"),
    "n_pairs": lambda x, y, t: contrastive.n_pairs(x / t, y, torch.tensor(MANY)),
    "mil_nce": lambda x, y, t: contrastive.mil_nce(x, y, torch.tensor(MASK[:, :5]), temperature=t),
    "clip": lambda x, y, t: contrastive.clip(x, y, scale=t),
    "siglip": lambda x, y, t: contrastive.siglip(x, y, scale=t, bias=-t * t),
}


@pytest.mark.parametrize("name", CALLS)
def test_derivatives(name: str) -> None:
    arguments = (torch.tensor(X), torch.tensor(Y), torch.tensor(0.7, dtype=torch.float64))
    for x in arguments:
        x.requires_grad_()
    assert torch.autograd.gradcheck(CALLS[name], arguments, atol=1e-7)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("tau", [0.07, 0.01])
def test_half_precision_is_computed_in_float32(name: str, dtype: Any, tau: float) -> None:
    x, y = (torch.tensor(v, dtype=dtype, requires_grad=True) for v in (X, Y))
    t = 1 / tau if name in ("clip", "siglip") else tau
    loss = CALLS[name](x, y, t) if name != "siglip" else contrastive.siglip(x, y, scale=t)
    assert loss.dtype == torch.float32
    if "negatives" in name or name in ("by label", "sup_con out", "sup_con in", "n_pairs"):
        # Their inputs are made in half precision before the call.
        assert torch.isfinite(loss).all()
    else:
        wide = [v.detach().double() for v in (x, y)]
        exact = CALLS[name](*wide, t) if name != "siglip" else contrastive.siglip(*wide, scale=t)
        torch.testing.assert_close(loss.double(), exact, rtol=2e-5, atol=1e-5 / tau * 0.1)
    for g in torch.autograd.grad(loss.sum(), (x, y)):
        assert g.dtype == dtype
        assert torch.isfinite(g).all()


@pytest.mark.parametrize("name", CALLS)
def test_a_zero_embedding_stays_zero_and_has_no_gradient(name: str) -> None:
    x, y = torch.tensor(X), torch.tensor(Y)
    x[1] = 0.0
    if name in ("by label", "sup_con out", "sup_con in"):
        y[:] = 0.0  # x ± y is what is embedded
    x.requires_grad_()
    loss = CALLS[name](x, y, 0.5).sum()
    (gradient,) = torch.autograd.grad(loss, x)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()
    if name not in ("n_pairs", "mil_nce", "negatives"):  # the first two do not normalise, the third reads x elsewhere
        assert torch.equal(gradient[1], torch.zeros(3, dtype=torch.float64))
        assert bool((gradient[0] != 0).any())


def test_a_certain_truth_keeps_its_digits() -> None:
    """−log of a mass near 1 is a small number, not the rounding of a difference."""
    q, k = np.array([[1.0, 0.0]]), np.array([[20.0, 0.0], [19.0, 1.0], [-20.0, 0.0], [-21.0, 0.0]])
    positive = np.array([[True, True, False, False]])
    exact = mp.log1p((mp.exp(-20) + mp.exp(-21)) / (mp.exp(20) + mp.exp(19)))
    found = contrastive.mil_nce(q, k, positive)
    assert float(found) == pytest.approx(float(exact), rel=1e-13)
    one = contrastive.info_nce(q, k, normalize=False, temperature=0.5)
    exact = mp.log1p(mp.fsum(mp.exp(2 * (v - 20)) for v in (19, -20, -21)))
    assert float(one) == pytest.approx(float(exact), rel=1e-13)


def test_a_query_without_rivals_costs_nothing() -> None:
    x = torch.tensor(X, requires_grad=True)
    everything = torch.ones(5, 5, dtype=torch.bool)
    loss = contrastive.mil_nce(x, x, everything)
    assert loss.item() == 0.0
    assert torch.equal(torch.autograd.grad(loss, x)[0], torch.zeros(5, 3, dtype=torch.float64))
    some = everything.clone()
    some[2] = False
    each = contrastive.mil_nce(x, x, some, negative=~everything, reduction="none")
    assert torch.equal(each, torch.zeros(5, dtype=torch.float64))
    assert torch.isfinite(torch.autograd.grad(each.sum(), x)[0]).all()


# Keys that were gathered.


def halves(call: Callable[[slice], Any]) -> float:
    return math.fsum(float(call(part)) for part in (slice(0, 2), slice(2, 5)))


def test_queries_in_parts_against_all_keys_are_the_whole() -> None:
    x, y, labels, at = torch.tensor(X), torch.tensor(Y), torch.tensor(LABELS), torch.arange(5)
    whole = contrastive.info_nce(x, y, reduction="sum")
    assert halves(
        lambda p: contrastive.info_nce(x[p], y, positives=at[p], reduction="sum")
    ) == pytest.approx(float(whole), rel=1e-14)  # fmt: skip
    for function in (contrastive.sup_con, contrastive.nt_xent_by_label):
        whole = function(x, labels, reduction="sum")
        assert halves(
            lambda p, f=function: f(x[p], labels[p], keys=x, key_labels=labels, own=at[p], reduction="sum")
        ) == pytest.approx(float(whole), rel=1e-14)  # fmt: skip
    whole = contrastive.clip(x, y, reduction="sum")
    assert halves(
        lambda p: contrastive.clip(x[p], y[p], all_images=x, all_texts=y, positives=at[p], reduction="sum")
    ) == pytest.approx(float(whole), rel=1e-14)
    both = torch.cat([x, y])
    whole = contrastive.nt_xent(x, y, reduction="sum")
    other = (torch.arange(10) + 5) % 10
    parts = [
        contrastive.info_nce(
            both[p], both, positives=other[p], own=torch.arange(10)[p], temperature=0.5, reduction="sum"
        )
        for p in (slice(0, 4), slice(4, 10))
    ]
    assert float(sum(parts)) == pytest.approx(float(whole), rel=1e-14)


def test_siglip_of_texts_in_chunks_is_the_whole() -> None:
    x, y = torch.tensor(X), torch.tensor(Y)
    whole = contrastive.siglip(x, y, reduction="sum")
    first = contrastive.siglip(x, y[:2], positives=torch.tensor([0, 1, -1, -1, -1]), reduction="sum")
    second = contrastive.siglip(x, y[2:], positives=torch.tensor([-1, -1, 0, 1, 2]), reduction="sum")
    assert float(first + second) == pytest.approx(float(whole), rel=1e-14)


def test_an_example_of_weight_zero_is_no_anchor() -> None:
    weight = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    each = contrastive.info_nce(torch.tensor(X), torch.tensor(Y), reduction="none")
    found = contrastive.info_nce(torch.tensor(X), torch.tensor(Y), weight=weight)
    assert float(found) == pytest.approx(float((each * weight).sum() / 4), rel=1e-14)
    pairs = contrastive.nt_xent_by_label(torch.tensor(X), torch.tensor(LABELS), reduction="none")
    assert tuple(pairs.shape) == (5, 5)
    assert int((pairs != 0).sum()) == 4
    kept = pairs.sum() - pairs[2].sum()
    found = contrastive.nt_xent_by_label(torch.tensor(X), torch.tensor(LABELS), weight=weight)
    assert float(found) == pytest.approx(float(kept / 3), rel=1e-14)


def test_very_long_and_very_short_embeddings_have_a_direction() -> None:
    """Their squares overflow float32, or are 0 in it."""
    x = np.asarray(X, np.float32)
    expected = loop_info_nce(x, np.asarray(Y, np.float32), 0.5)
    for factor in (1e-25, 1e25):
        long = torch.tensor(x * np.float32(factor), requires_grad=True)
        found = contrastive.info_nce(long, torch.tensor(Y, dtype=torch.float32), temperature=0.5, reduction="none")
        np.testing.assert_allclose(number(found), expected, rtol=1e-5)
        (gradient,) = torch.autograd.grad(found.sum(), long)
        plain = torch.tensor(x, requires_grad=True)
        value = contrastive.info_nce(plain, torch.tensor(Y, dtype=torch.float32), temperature=0.5, reduction="sum")
        (by_plain,) = torch.autograd.grad(value, plain)
        torch.testing.assert_close(gradient * factor, by_plain, rtol=1e-4, atol=1e-6)


# The other frameworks.

SMOKE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "info_nce": lambda x, y, of: contrastive.info_nce(x, y, temperature=0.2),
    "negatives": lambda x, y, of: contrastive.info_nce(x, y, negatives=of(Z), temperature=0.2),
    "nt_xent": lambda x, y, of: contrastive.nt_xent(x, y),
    "by label": lambda x, y, of: contrastive.nt_xent_by_label(x, of(LABELS), weight=of(np.arange(5.0))),
    "sup_con out": lambda x, y, of: contrastive.sup_con(x, of(LABELS), without_positives="zero"),
    "sup_con in": lambda x, y, of: contrastive.sup_con(x, of(MANY), form="in", weight=of(np.arange(5.0))),
    "n_pairs": lambda x, y, of: contrastive.n_pairs(x, y, of(LABELS)),
    "mil_nce": lambda x, y, of: contrastive.mil_nce(x, y, of(MASK[:, :5])),
    "clip": lambda x, y, of: contrastive.clip(x, y),
    "siglip": lambda x, y, of: contrastive.siglip(x, y, reduction="sum"),
}


def reference(name: str) -> tuple[float, Any]:
    x = torch.tensor(X, dtype=torch.float32, requires_grad=True)

    def of(v: Any) -> Any:
        return torch.tensor(v, dtype=torch.float32) if v.dtype == np.float64 else torch.tensor(v)

    value = SMOKE[name](x, of(Y), of)
    return value.item(), torch.autograd.grad(value, x)[0].numpy()


@pytest.mark.parametrize("name", SMOKE)
def test_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

    def loss(x: Any) -> Any:
        return SMOKE[name](x, jnp.asarray(Y, jnp.float32), jnp.asarray)

    x = jnp.asarray(X, jnp.float32)
    expected, slope = reference(name)
    assert float(loss(x)) == pytest.approx(expected, rel=1e-5)
    value, gradient = jax.jit(jax.value_and_grad(loss))(x)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMOKE)
def test_tensorflow(name: str) -> None:
    tf = pytest.importorskip("tensorflow")

    def of(v: Any) -> Any:
        return tf.constant(v, tf.float32) if v.dtype == np.float64 else tf.constant(v)

    def both(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = SMOKE[name](x, of(Y), of)
        return value, tape.gradient(value, x)

    expected, slope = reference(name)
    for run in (both, tf.function(both)):
        value, gradient = run(of(X))
        assert float(value) == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(gradient.numpy(), slope, rtol=1e-4, atol=1e-5)


# What is refused, and what is told.


def test_what_is_refused() -> None:
    x, y, labels = torch.tensor(X), torch.tensor(Y), torch.tensor(LABELS)
    with pytest.raises(xent.errors.ShapeError, match=r"shape \(N, D\)"):
        contrastive.info_nce(x[0], y)
    with pytest.raises(xent.errors.ShapeError, match="as wide as queries"):
        contrastive.info_nce(x, y[:, :2])
    with pytest.raises(xent.errors.ShapeError, match="key i for query i"):
        contrastive.info_nce(x, y[:3])
    with pytest.raises(xent.errors.BackendError):
        contrastive.info_nce(x, Y)
    with pytest.raises(xent.errors.OptionError, match="temperature="):
        contrastive.info_nce(x, y, temperature=0.0)
    with pytest.raises(xent.errors.OptionError, match="negatives="):
        contrastive.info_nce(x, y, negatives=y, own=torch.arange(5))
    with pytest.raises(xent.errors.OneClassError):
        contrastive.info_nce(x[:1], y[:1])
    with pytest.raises(xent.errors.LabelError):
        contrastive.info_nce(x, y, positives=torch.tensor([0, 1, 2, 3, 5]))
    with pytest.raises(xent.errors.ShapeError, match=r"shape \(5,\)"):
        contrastive.sup_con(x, labels[:4])
    with pytest.raises(xent.errors.DtypeError):
        contrastive.sup_con(x, labels.double())
    with pytest.raises(xent.errors.OptionError, match="key_labels="):
        contrastive.sup_con(x, labels, keys=y)
    with pytest.raises(xent.errors.OptionError, match="form="):
        contrastive.sup_con(x, labels, form="outside")  # type: ignore[arg-type]
    with pytest.raises(xent.errors.OptionError, match="without_positives="):
        contrastive.sup_con(x, labels, without_positives="nan")  # type: ignore[arg-type]
    with pytest.raises(xent.errors.ShapeError, match="booleans"):
        contrastive.mil_nce(x, y, torch.ones(5, 5))


def test_each_is_in_the_catalogue() -> None:
    for name in contrastive.__all__:
        found = describe(getattr(contrastive, name))
        assert found.name == f"contrastive.{name}"
        assert found.places == ()
    assert "temperature = 0.07  (default .07, MoCo's)" in str(describe(contrastive.info_nce))


def test_an_image_of_weight_zero_may_hold_nan() -> None:
    """Where it is a query alone: it reaches neither the loss nor the gradient of the texts."""
    weight = torch.tensor([1.0, 0.0, 2.0, 1.0, 1.0], dtype=torch.float64)
    for call in (contrastive.siglip, contrastive.info_nce):
        x, y = torch.tensor(X), torch.tensor(Y, requires_grad=True)
        expected = call(x, y, weight=weight)
        (slope,) = torch.autograd.grad(expected, y)
        x[1] = float("nan")
        x.requires_grad_()
        loss = call(x, y, weight=weight)
        torch.testing.assert_close(loss, expected)
        by_image, by_text = torch.autograd.grad(loss, (x, y))
        torch.testing.assert_close(by_text, slope)
        assert torch.equal(by_image[1], torch.zeros(3, dtype=torch.float64))
