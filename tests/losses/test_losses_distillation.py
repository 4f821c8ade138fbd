"""Distillation against 50-digit sums over the classes, PyTorch's own kl_div, and PyTorch's gradcheck."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import kl_div, log_softmax, softmax

import xent
from support.oracle import jensen_shannon, mp, mpf, softmax_row, times
from xent.losses import describe, distillation

RNG = np.random.default_rng(21)
TEACHER, STUDENT = RNG.normal(size=(2, 4, 6)) * 3
LABELS = np.array([0, 5, 2, 2])
WEIGHT = np.array([1.0, 0.0, 2.0, 0.5])
LIBRARIES = ("numpy", "torch")
INF = float("inf")


def to(x: Any, library: str) -> Any:
    return torch.tensor(x) if library == "torch" else x


def number(x: Any) -> Any:
    return np.asarray(x.detach().double() if isinstance(x, torch.Tensor) else x, dtype=np.float64)


def probs(z: Any, T: float = 1.0) -> list[Any]:
    return softmax_row([mpf(float(v)) / mpf(T) for v in z]).q


def kl(p: list[Any], q: list[Any]) -> Any:
    return mp.fsum(times(a, (mp.log(a) if a else 0) - (mp.log(b) if b else -INF)) for a, b in zip(p, q, strict=True))


def P(z: Any, library: str = "torch") -> Any:
    return xent.Distribution.from_logits(to(z, library))


def Q(z: Any, library: str = "torch") -> Any:
    return xent.Logits(to(z, library))


ORACLES: dict[str, Callable[[list[Any], list[Any]], Any]] = {
    "forward_kl": kl,
    "reverse_kl": lambda p, q: kl(q, p),
    "jensen_shannon": jensen_shannon,
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("T", [1.0, 0.3, 4.0])
@pytest.mark.parametrize("name", ORACLES)
def test_divergences_of_tempered_distributions(name: str, T: float, library: str) -> None:
    function = getattr(distillation, name)
    expected = [float(ORACLES[name](probs(p, T), probs(q, T))) for p, q in zip(TEACHER, STUDENT, strict=True)]
    found = function(P(TEACHER, library), Q(STUDENT, library), temperature=T, rescale=False, reduction="none")
    np.testing.assert_allclose(number(found), expected, rtol=1e-12, atol=1e-14)
    scaled = function(P(TEACHER, library), Q(STUDENT, library), temperature=T)
    assert float(scaled) == pytest.approx(T * T * math.fsum(expected) / 4, rel=1e-12)
    weighted = function(P(TEACHER, library), Q(STUDENT, library), temperature=T, weight=to(WEIGHT, library))
    assert float(weighted) == pytest.approx(T * T * float(WEIGHT @ expected) / 3.5, rel=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("beta", [0.1, 0.9])
def test_the_weight_of_jensen_shannon_is_the_teachers(beta: float, library: str) -> None:
    expected = []
    for z, x in zip(TEACHER, STUDENT, strict=True):
        p, q = probs(z), probs(x)
        m = [beta * a + (1 - mpf(beta)) * b for a, b in zip(p, q, strict=True)]
        expected.append(float(mpf(beta) * kl(p, m) + (1 - mpf(beta)) * kl(q, m)))
    found = distillation.jensen_shannon(P(TEACHER, library), Q(STUDENT, library), beta=beta, reduction="none")
    np.testing.assert_allclose(number(found), expected, rtol=1e-12)
    assert (number(found) <= -beta * math.log(beta) - (1 - beta) * math.log(1 - beta)).all()
    # Of yes/no outcomes as well.
    t, u = np.array([0.0, 0.3, 1.0]), np.array([0.2, 0.6, 0.0])
    expected = []
    for a, b in zip(t, u, strict=True):
        p, q = [mpf(a), 1 - mpf(a)], [mpf(b), 1 - mpf(b)]
        m = [beta * x + (1 - mpf(beta)) * y for x, y in zip(p, q, strict=True)]
        expected.append(float(mpf(beta) * kl(p, m) + (1 - mpf(beta)) * kl(q, m)))
    each = xent.js_divergence(xent.Indicators(t), xent.Probabilities(u), beta=beta, reduction="none")
    np.testing.assert_allclose(each, expected, rtol=1e-12, atol=1e-16)


def test_the_limits_of_jensen_shannon_are_both_divergences() -> None:
    for beta, name, share in ((1e-6, "forward_kl", 1e-6), (1 - 1e-6, "reverse_kl", 1e-6)):
        found = float(distillation.jensen_shannon(P(TEACHER), Q(STUDENT), beta=beta)) / share
        assert found == pytest.approx(float(getattr(distillation, name)(P(TEACHER), Q(STUDENT))), rel=1e-3)
    for beta, name in ((0.0, "forward_kl"), (1.0, "reverse_kl")):
        with pytest.raises(xent.errors.OptionError, match=name):
            distillation.jensen_shannon(P(TEACHER), Q(STUDENT), beta=beta)


def test_gradients_are_those_of_the_formulas() -> None:
    """The gradient by the student's scores, as the catalogue states it."""
    T, beta = 2.5, 0.3
    z, x = torch.tensor(TEACHER), torch.tensor(STUDENT, requires_grad=True)
    p, q = softmax(z / T, -1), softmax(x.detach() / T, -1)
    m = beta * p + (1 - beta) * q
    ratio, mixed = (q / p).log(), (q / m).log()
    expected = {
        "forward_kl": T * (q - p),
        "reverse_kl": T * q * (ratio - (q * ratio).sum(-1, keepdim=True)),
        "jensen_shannon": T * (1 - beta) * q * (mixed - (q * mixed).sum(-1, keepdim=True)),
    }
    for name, slope in expected.items():
        options = {"beta": beta} if name == "jensen_shannon" else {}
        loss = getattr(distillation, name)(xent.Distribution.from_logits(z), xent.Logits(x), temperature=T,
                                           reduction="sum", **options)  # fmt: skip
        torch.testing.assert_close(torch.autograd.grad(loss, x)[0], slope, rtol=1e-11, atol=1e-13)


INDEX = np.array([[3, 0], [1, 5], [4, 2], [2, 3]])
LOG_P = np.array([[float(mp.log(probs(z)[j])) for j in row] for z, row in zip(TEACHER, INDEX, strict=True)])
KEPT = np.array([[z[j] for j in row] for z, row in zip(TEACHER, INDEX, strict=True)])

CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "forward_kl": lambda z, x: distillation.forward_kl(xent.Distribution.from_logits(z), xent.Logits(x), temperature=2),
    "reverse_kl": lambda z, x: distillation.reverse_kl(xent.Distribution.from_logits(z), xent.Logits(x), temperature=2),
    "jensen_shannon": lambda z, x: distillation.jensen_shannon(
        xent.Distribution.from_logits(z), xent.Logits(x), temperature=2, beta=0.2, reduction="none"
    ),
    "hard_and_soft": lambda z, x: distillation.hard_and_soft(
        xent.Labels(torch.tensor(LABELS), ignore=5),
        xent.Distribution.from_logits(z),
        xent.Logits(x),
        alpha=0.7,
        temperature=3.0,
    ),
    "decoupled": lambda z, x: distillation.decoupled(
        xent.Labels(torch.tensor(LABELS)), xent.Distribution.from_logits(z), xent.Logits(x), reduction="none"
    ),
    "lump": lambda z, x: distillation.top_k(
        torch.tensor(INDEX), torch.tensor(LOG_P), xent.Logits(x), holds="log_probs", rest="lump"
    ),
    "renormalize": lambda z, x: distillation.top_k(
        torch.tensor(INDEX), torch.tensor(KEPT), xent.Logits(x), holds="scores", temperature=2.0
    ),
    "condition": lambda z, x: distillation.top_k(
        torch.tensor(INDEX), torch.tensor(KEPT), xent.Logits(x), holds="scores", rest="condition", reduction="none"
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_derivatives(name: str) -> None:
    z, x = torch.tensor(TEACHER / 2), torch.tensor(STUDENT / 2, requires_grad=True)
    z.requires_grad_(name not in ("lump", "renormalize", "condition"))  # there the teacher is a constant
    assert torch.autograd.gradcheck(CALLS[name], (z, x), atol=1e-7, nondet_tol=1e-14)


# Edges.


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_class_without_mass_is_no_nan(library: str) -> None:
    """A zero in the teacher (PyTorch's kl_div with log_target gives NaN), and classes that neither has."""
    z, x = TEACHER.copy(), STUDENT.copy()
    z[0, 1] = z[1, 2:] = -INF
    x[1, 3] = x[2, 0] = -INF
    z[2, 0] = -INF
    for name in ("forward_kl", "jensen_shannon"):
        expected = [float(ORACLES[name](probs(a, 2), probs(b, 2))) for a, b in zip(z, x, strict=True)]
        found = getattr(distillation, name)(
            P(z, library), Q(x, library), temperature=2.0, rescale=False, reduction="none"
        )
        np.testing.assert_allclose(number(found), expected, rtol=1e-12)
    reverse = number(distillation.reverse_kl(P(z, library), Q(x, library), reduction="none"))
    assert np.isinf(reverse[:2]).all()
    np.testing.assert_allclose(reverse[2:], [float(kl(probs(x[i]), probs(z[i]))) for i in (2, 3)], rtol=1e-12)
    if library == "torch":
        for name in ("forward_kl", "jensen_shannon", "reverse_kl"):
            student = torch.tensor(x, requires_grad=True)
            each = getattr(distillation, name)(P(z), xent.Logits(student), reduction="none")
            (gradient,) = torch.autograd.grad(each[2:].sum(), student)
            assert torch.isfinite(gradient).all()


def test_the_mean_is_over_examples() -> None:
    """PyTorch's "mean" divides by the classes too, its "batchmean" by the first axis alone."""
    T = 2.0
    z, x = torch.tensor(TEACHER), torch.tensor(STUDENT)
    arguments = log_softmax(x / T, -1), softmax(z / T, -1)
    found = distillation.forward_kl(P(TEACHER), Q(STUDENT), temperature=T)
    torch.testing.assert_close(found, kl_div(*arguments, reduction="batchmean") * T * T)
    with pytest.warns(UserWarning, match="batchmean"):
        torch.testing.assert_close(found / 6, kl_div(*arguments, reduction="mean") * T * T)
    tokens = [v.reshape(2, 2, 6) for v in arguments]
    by_text = distillation.forward_kl(
        P(TEACHER.reshape(2, 2, 6)), Q(STUDENT.reshape(2, 2, 6)), temperature=T, denominator=2
    )
    torch.testing.assert_close(by_text, kl_div(*tokens, reduction="batchmean") * T * T)


@pytest.mark.parametrize("name", CALLS)
def test_tokens_have_weights_and_a_denominator(name: str) -> None:
    """(B, T, V) with padding of NaN, whose weight is 0: as the tokens that count, in rows."""
    if name in ("lump", "renormalize", "condition"):
        holds, rest = ("log_probs", name) if name == "lump" else ("scores", name)
        values = LOG_P if name == "lump" else KEPT

        def loss(z: Any, x: Any, rows: Any, **options: Any) -> Any:
            return distillation.top_k(
                rows(torch.tensor(INDEX)), rows(torch.tensor(values)), xent.Logits(x), holds=holds, rest=rest, **options
            )

    elif name in ("hard_and_soft", "decoupled"):
        more = {"alpha": 0.7, "temperature": 2.0}

        def loss(z: Any, x: Any, rows: Any, **options: Any) -> Any:
            return getattr(distillation, name)(
                xent.Labels(rows(torch.tensor(LABELS))),
                xent.Distribution.from_logits(z),
                xent.Logits(x),
                **more,
                **options,
            )

    else:

        def loss(z: Any, x: Any, rows: Any, **options: Any) -> Any:
            return getattr(distillation, name)(xent.Distribution.from_logits(z), xent.Logits(x), **options)

    z, x, w = torch.tensor(TEACHER), torch.tensor(STUDENT), torch.tensor(WEIGHT)
    live = w > 0
    each = loss(z[live], x[live], lambda v: v[live], reduction="none")
    expected = (each * w[live]).sum()
    z[1], x[1] = float("nan"), float("nan")
    x.requires_grad_()

    def rows(v: Any) -> Any:
        return v.reshape(2, 2, *v.shape[1:])

    mean = loss(rows(z), rows(x), rows, weight=rows(w))
    torch.testing.assert_close(mean, expected / 3.5)
    torch.testing.assert_close(loss(rows(z), rows(x), rows, weight=rows(w), denominator=7.0), expected / 7)
    (gradient,) = torch.autograd.grad(mean, x)
    assert torch.equal(gradient[1], torch.zeros(6, dtype=torch.float64))
    assert torch.isfinite(gradient).all()


def test_half_precision_is_computed_in_float32() -> None:
    z, x = (torch.tensor(v).half() for v in (TEACHER, STUDENT))
    x.requires_grad_()
    for name in ("forward_kl", "reverse_kl", "jensen_shannon"):
        function = getattr(distillation, name)
        loss = function(xent.Distribution.from_logits(z), xent.Logits(x), temperature=0.05)
        exact = function(xent.Distribution.from_logits(z.double()), xent.Logits(x.detach().double()), temperature=0.05)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss.double(), exact, rtol=1e-5, atol=1e-5)
        (gradient,) = torch.autograd.grad(loss, x)
        assert gradient.dtype == torch.float16
        assert torch.isfinite(gradient).all()


def test_a_projection_is_a_student() -> None:
    hidden, weight, bias = (torch.tensor(RNG.normal(size=s), requires_grad=True) for s in ((4, 3), (6, 3), (6,)))
    leaves = (hidden, weight, bias)
    labels = xent.Labels(torch.tensor(LABELS))
    for loss in (
        lambda student: distillation.forward_kl(P(TEACHER), student, temperature=2.0),
        lambda student: distillation.reverse_kl(P(TEACHER), student, temperature=2.0),
        lambda student: distillation.jensen_shannon(P(TEACHER), student),
        lambda student: distillation.hard_and_soft(labels, P(TEACHER), student, alpha=0.5, temperature=2.0),
        lambda student: distillation.decoupled(labels, P(TEACHER), student),
        lambda student: distillation.top_k(torch.tensor(INDEX), torch.tensor(KEPT), student, holds="scores"),
    ):
        found, plain = loss(xent.Projection(*leaves)), loss(xent.Logits(hidden @ weight.T + bias))
        torch.testing.assert_close(found, plain)
        for a, b in zip(torch.autograd.grad(found, leaves), torch.autograd.grad(plain, leaves), strict=True):
            torch.testing.assert_close(a, b)


def test_another_class_axis() -> None:
    z, x = TEACHER.T.copy(), STUDENT.T.copy()
    for name in ("forward_kl", "reverse_kl", "jensen_shannon"):
        function = getattr(distillation, name)
        teacher = xent.Distribution.from_logits(z, axis=0)
        found = function(teacher, xent.Logits(x, axis=0), temperature=2.0)
        assert float(found) == pytest.approx(
            float(function(P(TEACHER, "numpy"), Q(STUDENT, "numpy"), temperature=2.0)), rel=1e-13
        )
    labels = xent.Labels(LABELS)
    plain = distillation.decoupled(labels, P(TEACHER, "numpy"), Q(STUDENT, "numpy"))
    turned = distillation.decoupled(labels, xent.Distribution.from_logits(z, axis=0), xent.Logits(x, axis=0))
    assert float(turned) == pytest.approx(float(plain), rel=1e-13)


def test_any_kinds_without_a_temperature() -> None:
    p, q = softmax(torch.tensor(TEACHER), -1), softmax(torch.tensor(STUDENT), -1)
    for name in ("forward_kl", "reverse_kl", "jensen_shannon"):
        function = getattr(distillation, name)
        expected = function(P(TEACHER), Q(STUDENT))
        for teacher in (xent.Distribution(p), xent.Distribution.from_log_probs(p.log())):
            for student in (xent.Probabilities(q), xent.LogProbabilities(q.log())):
                torch.testing.assert_close(function(teacher, student), expected)


# Labels beside the teacher.


@pytest.mark.parametrize("library", LIBRARIES)
def test_hard_and_soft_is_a_mixture_of_both(library: str) -> None:
    labels = np.array([0, -1, 2, 2])
    live = labels >= 0
    soft = [9.0 * float(kl(probs(p, 3), probs(q, 3))) for p, q in zip(TEACHER, STUDENT, strict=True)]
    hard = [float(-mp.log(probs(q)[max(y, 0)])) for q, y in zip(STUDENT, labels, strict=True)]
    mixed = np.where(live, 0.7 * np.array(soft) + 0.3 * np.array(hard), 0.0)
    weight = np.array([1.0, 5.0, 2.0, 0.5])

    def loss(**options: Any) -> Any:
        return distillation.hard_and_soft(
            xent.Labels(to(labels, library), ignore=-1),
            P(TEACHER, library),
            Q(STUDENT, library),
            temperature=3.0,
            **options,
        )

    np.testing.assert_allclose(number(loss(alpha=0.7, reduction="none")), mixed, rtol=1e-12)
    assert float(loss(alpha=0.7)) == pytest.approx(mixed.sum() / 3, rel=1e-12)
    assert float(loss(alpha=0.7, weight=to(weight, library))) == pytest.approx(weight @ mixed / 3.5, rel=1e-12)
    assert float(loss(alpha=1.0)) == pytest.approx(np.array(soft)[live].sum() / 3, rel=1e-12)
    assert float(loss(alpha=0.0)) == pytest.approx(np.array(hard)[live].sum() / 3, rel=1e-12)


def test_a_share_of_zero_takes_no_part_of_infinity() -> None:
    x = np.array([[0.0, -INF]])
    teacher = xent.Distribution.from_logits(np.array([[0.0, -INF]]))
    found = distillation.hard_and_soft(xent.Labels([1]), teacher, xent.Logits(x), alpha=1.0, temperature=2.0)
    assert float(found) == 0.0


@pytest.mark.parametrize("library", LIBRARIES)
def test_decoupled_parts_make_up_the_whole(library: str) -> None:
    """KL = KL of the truth against the rest + (1 − p_y)·KL among the rest."""
    T, expected = 4.0, []
    for z, x, y in zip(TEACHER, STUDENT, LABELS, strict=True):
        p, q = probs(z, T), probs(x, T)
        first = kl([p[y], 1 - p[y]], [q[y], 1 - q[y]])
        rest = [[v / (1 - r[y]) for j, v in enumerate(r) if j != y] for r in (p, q)]
        second = kl(*rest)
        assert float(first + (1 - p[y]) * second) == pytest.approx(float(kl(p, q)), rel=1e-30)
        expected.append(float(16 * (first + 8 * second)))
    labels = xent.Labels(to(LABELS, library))
    found = distillation.decoupled(labels, P(TEACHER, library), Q(STUDENT, library), reduction="none")
    np.testing.assert_allclose(number(found), expected, rtol=1e-12)
    one = distillation.decoupled(labels, P(TEACHER[:, :6], library), Q(STUDENT, library), alpha=0.0, beta=0.0)
    assert float(one) == 0.0


def test_a_sure_teacher_and_student_keep_their_digits() -> None:
    """Both are sure of the truth; what they say of the rest is about 1e-9 of the mass, in float32."""
    z = torch.tensor([[20.0, -1.0, 0.5]])
    x = torch.tensor([[21.0, 0.3, -0.4]], requires_grad=True)
    found = distillation.decoupled(
        xent.Labels(torch.tensor([0])), xent.Distribution.from_logits(z), xent.Logits(x), alpha=1.0, beta=0.0,
        temperature=1.0,
    )  # fmt: skip
    # A difference of terms of the size of the rest's mass, in which the error stays a few eps of them.
    p, q = probs(z[0].tolist()), probs(x[0].tolist())
    exact = float(kl([p[0], p[1] + p[2]], [q[0], q[1] + q[2]]))
    assert found.item() == pytest.approx(exact, abs=1e-6 * float(p[1] + p[2]) * 25)


# A teacher of whom k classes are known.


def dense(rest: str, T: float = 1.0) -> list[float]:
    found = []
    for z, x, row in zip(TEACHER, STUDENT, INDEX, strict=True):
        p, q = probs(z, T), probs(x, T)
        p_k, q_k = [p[j] for j in row], [q[j] for j in row]
        if rest == "lump":
            found.append(kl([*p_k, 1 - mp.fsum(p_k)], [*q_k, 1 - mp.fsum(q_k)]))
        else:
            whole = mp.fsum(q_k) if rest == "condition" else 1
            found.append(kl([v / mp.fsum(p_k) for v in p_k], [v / whole for v in q_k]))
    return [float(v) for v in found]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("rest", ["renormalize", "condition", "lump"])
def test_top_k_is_a_sum_over_k_classes(rest: Any, library: str) -> None:
    index, student = to(INDEX, library), Q(STUDENT, library)
    found = distillation.top_k(index, to(LOG_P, library), student, holds="log_probs", rest=rest, reduction="none")
    np.testing.assert_allclose(number(found), dense(rest), rtol=1e-12, atol=1e-14)
    if rest == "lump":
        return
    for holds, values in (("scores", KEPT), ("log_probs", LOG_P)):
        found = distillation.top_k(
            index, to(values, library), student, holds=holds, rest=rest, temperature=2.0, reduction="none"
        )
        np.testing.assert_allclose(number(found), np.array(dense(rest, 2.0)) * 4, rtol=1e-12)


@pytest.mark.parametrize("rest", ["renormalize", "condition", "lump"])
def test_all_classes_are_the_whole_divergence(rest: Any) -> None:
    order = np.argsort(-TEACHER, axis=-1)
    z = np.take_along_axis(TEACHER, order, axis=-1)
    log_p = np.array([[float(mp.log(v)) for v in probs(row)] for row in z])
    found = distillation.top_k(order, log_p, Q(STUDENT, "numpy"), holds="log_probs", rest=rest)
    assert float(found) == pytest.approx(float(distillation.forward_kl(P(TEACHER, "numpy"), Q(STUDENT, "numpy"))))


def test_the_rest_of_the_student_keeps_its_digits() -> None:
    """Its mass is 1e-9: in float32 one minus the others would be 0, and the loss infinite."""
    x = torch.tensor([[20.0, 18.0, -1.0, 0.0, -2.0]], requires_grad=True)
    log_p = torch.tensor([[math.log(0.6), math.log(0.3)]])
    found = distillation.top_k(torch.tensor([[0, 1]]), log_p, xent.Logits(x), holds="log_probs", rest="lump")
    q = probs(x[0].tolist())
    p = [mp.exp(mpf(float(v))) for v in log_p[0]]
    exact = kl([*p, 1 - mp.fsum(p)], [q[0], q[1], q[2] + q[3] + q[4]])
    assert found.item() == pytest.approx(float(exact), rel=1e-6)
    (gradient,) = torch.autograd.grad(found, x)
    mine = [q[0] - p[0], q[1] - p[1]]
    share = [v / (q[2] + q[3] + q[4]) for v in q[2:]]
    lump = (q[2] + q[3] + q[4]) - (1 - mp.fsum(p))
    expected = [float(v) for v in (*mine, *(lump * v for v in share))]
    np.testing.assert_allclose(gradient[0].numpy(), expected, rtol=1e-5, atol=1e-7)


def test_rows_of_padding_may_hold_any_indices() -> None:
    index, values = INDEX.copy(), LOG_P.copy()
    index[1], values[1] = -7, 3.0
    student = torch.tensor(STUDENT, requires_grad=True)
    for rest in ("renormalize", "condition", "lump"):
        loss = distillation.top_k(
            torch.tensor(index), torch.tensor(values), xent.Logits(student), holds="log_probs", rest=rest,
            weight=torch.tensor(WEIGHT),
        )  # fmt: skip
        assert loss.item() == pytest.approx(float(WEIGHT @ np.array(dense(rest))) / 3.5, rel=1e-12)
        assert torch.equal(torch.autograd.grad(loss, student)[0][1], torch.zeros(6, dtype=torch.float64))


def test_log_probabilities_that_were_stored_in_half_precision() -> None:
    values = torch.tensor(LOG_P).half()
    found = distillation.top_k(
        torch.tensor(INDEX), values, xent.Logits(torch.tensor(STUDENT).half()), holds="log_probs", rest="lump",
        reduction="none",
    )  # fmt: skip
    np.testing.assert_allclose(number(found), dense("lump"), rtol=0.02, atol=0.01)


def test_indices_that_cannot_be_are_refused_or_nan() -> None:
    values, student = torch.tensor(LOG_P), xent.Logits(torch.tensor(STUDENT))
    for bad in ([[0, 6]] * 4, [[0, -1]] * 4, [[2, 2]] * 4):
        with pytest.raises(xent.errors.LabelError, match="each once in a row"):
            distillation.top_k(torch.tensor(bad), values, student, holds="log_probs")
    with pytest.raises(xent.errors.ProbabilityError, match="sum to 1 at most"):
        distillation.top_k(torch.tensor(INDEX), values + 3, student, holds="log_probs", rest="lump")
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

    def loss(x: Any, index: Any, given: Any) -> Any:
        return distillation.top_k(index, given, xent.Logits(x), holds="log_probs", rest="lump", reduction="none").sum()

    run = jax.jit(jax.value_and_grad(loss))
    x, log_p = jnp.asarray(STUDENT, jnp.float32), jnp.asarray(LOG_P, jnp.float32)
    for bad in (INDEX + 3, INDEX * 0 + 1):
        value, gradient = run(x, jnp.asarray(bad), log_p)
        assert np.isnan(value)
        assert np.isnan(gradient).any()
    value, gradient = run(x, jnp.asarray(INDEX), log_p + 3)
    assert np.isnan(value)


# The other frameworks.


def of_torch(name: str) -> tuple[float, Any]:
    x = torch.tensor(STUDENT, dtype=torch.float32, requires_grad=True)
    value = SMOKE[name](torch.tensor(TEACHER, dtype=torch.float32), x, torch.tensor)
    return value.item(), torch.autograd.grad(value, x)[0].numpy()


SMOKE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "forward_kl": lambda z, x, of: distillation.forward_kl(
        xent.Distribution.from_logits(z), xent.Logits(x), temperature=2.0
    ),
    "reverse_kl": lambda z, x, of: distillation.reverse_kl(
        xent.Distribution.from_logits(z), xent.Logits(x), temperature=2.0
    ),
    "jensen_shannon": lambda z, x, of: distillation.jensen_shannon(
        xent.Distribution.from_logits(z), xent.Logits(x), beta=0.2
    ),
    "hard_and_soft": lambda z, x, of: distillation.hard_and_soft(
        xent.Labels(of(LABELS), ignore=5), xent.Distribution.from_logits(z), xent.Logits(x), alpha=0.4, temperature=2.0
    ),
    "decoupled": lambda z, x, of: distillation.decoupled(
        xent.Labels(of(LABELS), ignore=5), xent.Distribution.from_logits(z), xent.Logits(x)
    ),
    "lump": lambda z, x, of: distillation.top_k(
        of(INDEX), of(LOG_P), xent.Logits(x), holds="log_probs", rest="lump", weight=of(WEIGHT)
    ),
    "condition": lambda z, x, of: distillation.top_k(
        of(INDEX), of(KEPT), xent.Logits(x), holds="scores", rest="condition", temperature=2.0
    ),
}


@pytest.mark.parametrize("name", SMOKE)
def test_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

    def loss(x: Any) -> Any:
        return SMOKE[name](jnp.asarray(TEACHER, jnp.float32), x, jnp.asarray)

    x = jnp.asarray(STUDENT, jnp.float32)
    expected, slope = of_torch(name)
    assert float(loss(x)) == pytest.approx(expected, rel=1e-5)
    value, gradient = jax.jit(jax.value_and_grad(loss))(x)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMOKE)
def test_tensorflow(name: str) -> None:
    tf = pytest.importorskip("tensorflow")

    def both(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = SMOKE[name](tf.constant(TEACHER, tf.float32), x, tf.constant)
        return value, tape.gradient(value, x)

    expected, slope = of_torch(name)
    for run in (both, tf.function(both)):
        value, gradient = run(tf.constant(STUDENT, tf.float32))
        assert float(value) == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(gradient.numpy(), slope, rtol=1e-4, atol=1e-5)


# What is refused, and what is told.


def test_what_is_refused() -> None:
    teacher, student = P(TEACHER), Q(STUDENT)
    q = softmax(torch.tensor(STUDENT), -1)
    with pytest.raises(xent.errors.KindError, match="the teacher"):
        distillation.forward_kl(xent.Labels(torch.tensor(LABELS)), student)  # type: ignore[arg-type]
    with pytest.raises(xent.errors.UndefinedPairError, match="divides scores"):
        distillation.forward_kl(teacher, xent.Probabilities(q), temperature=2.0)
    with pytest.raises(xent.errors.UndefinedPairError, match="divides scores"):
        distillation.forward_kl(xent.Distribution(q), student, temperature=2.0)
    own = xent.Distribution.from_logits(torch.tensor(TEACHER), temperature=2.0)
    with pytest.raises(xent.errors.UndefinedPairError, match="temperature of its own"):
        distillation.forward_kl(own, student, temperature=2.0)
    with pytest.raises(xent.errors.OptionError, match="smoothing"):
        distillation.reverse_kl(xent.Distribution(q, smoothing=0.1), student)
    with pytest.raises(xent.errors.OptionError, match="temperature="):
        distillation.forward_kl(teacher, student, temperature=0.0)
    with pytest.raises(xent.errors.OptionError, match="alpha="):
        distillation.hard_and_soft(xent.Labels(torch.tensor(LABELS)), teacher, student, alpha=1.5, temperature=2.0)
    with pytest.raises(xent.errors.KindError, match="Labels or Distribution"):
        distillation.hard_and_soft(
            xent.Indicators(torch.tensor(TEACHER) > 0), teacher, student, alpha=0.5, temperature=2.0
        )
    index, values = torch.tensor(INDEX), torch.tensor(KEPT)
    with pytest.raises(xent.errors.OptionError, match="not known"):
        distillation.top_k(index, values, student, holds="scores", rest="lump")
    with pytest.raises(xent.errors.OptionError, match="holds="):
        distillation.top_k(index, values, student, holds="logits")  # type: ignore[arg-type]
    with pytest.raises(xent.errors.ShapeError, match="one for each index"):
        distillation.top_k(index, values[:, :1], student, holds="scores")
    with pytest.raises(xent.errors.ShapeError, match="indices"):
        distillation.top_k(index[:3], values[:3], student, holds="scores")
    with pytest.raises(xent.errors.UndefinedPairError, match="Logits or Projection"):
        distillation.top_k(index, values, xent.Probabilities(q), holds="scores")  # type: ignore[arg-type]
    with pytest.raises(xent.errors.LabelError):
        distillation.decoupled(xent.Labels(torch.tensor([0, 1, 2, 6])), teacher, student)


def test_each_is_in_the_catalogue() -> None:
    for name in distillation.__all__:
        found = describe(getattr(distillation, name))
        assert found.name == f"distillation.{name}"
        assert found.places == ()
