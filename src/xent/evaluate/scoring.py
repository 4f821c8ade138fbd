"""P and Q of one batch to one number a row for each measure. The cross-entropy itself is the kernel's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from xent.evaluate.matrix import Floats
from xent.evaluate.options import Holds
from xent.kernels.protocol import HardTarget, Kernel, Link, RowStatistics, Statistic, Task
from xent.kernels.registry import choose

Vector = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """What takes the whole of q, one number a row.

    ``truth`` the true class; ``predicted`` the most probable one; ``entropy`` of q in nats;
    ``forecast`` the probability whose calibration is asked: of the predicted class, or of "yes" with ``--prob``;
    ``outcome`` whether what it forecast came; ``brier`` Σ_k (q_k − 1[k = truth])², with ``--prob`` half of it.
    """

    truth: Codes
    predicted: Codes
    entropy: Vector
    forecast: Vector
    outcome: npt.NDArray[np.bool_]
    brier: Vector

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class is not the true one."""
        return np.not_equal(self.predicted, self.truth)


@dataclass(frozen=True)
class Scores:
    """One number a row: ``loss`` −log q(truth) in nats, ``probability`` q(truth); ``judged`` is None for tokens."""

    loss: Vector
    probability: Vector
    judged: Judged | None = None


def score(q: Floats, truth: Codes | None, holds: Holds) -> Scores:
    """Scores of admitted rows: q is (N, K), or (N,) for "prob" and "log_likelihood"."""
    # log 0 is −∞ here on purpose; NumPy must not call it a fault.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        if holds == "log_likelihood":
            loss = -q.astype(np.float64)
            return Scores(loss, np.exp(-loss))
        assert truth is not None, "every other kind has a truth column"
        if holds == "prob":
            return _score_binary(q.astype(np.float64), truth)
        return _score_classes(q, truth, holds)


def _score_classes(q: Floats, truth: Codes, link: Literal["logits", "log_probs", "probs"]) -> Scores:
    found = _statistics(q, truth, link)
    loss = np.asarray(found.loss, dtype=np.float64)
    predicted = np.asarray(found.argmax, dtype=np.int64)
    rows = np.arange(len(q))
    p = _probabilities(q, link, found)
    forecast = p[rows, predicted].astype(np.float64)
    probability = np.exp(-loss)
    p[rows, truth] = 0.0
    # The truth's own term is (1 − q)² by expm1, which keeps its digits where q → 1.
    brier = np.square(p, out=p).sum(axis=-1, dtype=np.float64) + np.square(np.expm1(-loss))
    entropy = np.asarray(found.entropy, dtype=np.float64)
    return Scores(loss, probability, Judged(truth, predicted, entropy, forecast, predicted == truth, brier))


def _score_binary(q: Vector, truth: Codes) -> Scores:
    kernel = _kernel(q, "probs", "elements", frozenset({"loss"}))
    yes, no = (np.asarray(part, dtype=np.float64) for part in kernel.element_statistics(q, "probs"))
    came = truth == 1
    loss = np.where(came, yes, no)
    entropy = np.where(q > 0, q * yes, 0.0) + np.where(q < 1, (1 - q) * no, 0.0)
    predicted = (q > 0.5).astype(np.int64)  # a tie goes to the first class, as with argmax
    judged = Judged(truth, predicted, entropy, forecast=q, outcome=came, brier=np.square(q - came))
    return Scores(loss, np.where(came, q, 1 - q), judged)


def _statistics(q: Floats, truth: Codes, link: Link) -> RowStatistics:
    want: set[Statistic] = {"loss", "entropy", "argmax"}
    if link == "logits":
        want.add("lse")
    kernel = _kernel(q, link, "rows", frozenset(want))
    return kernel.row_statistics(q, HardTarget(truth), link, frozenset(want))


def _kernel(q: Floats, link: Link, family: Literal["rows", "elements"], want: frozenset[Statistic]) -> Kernel:
    task = Task(
        family=family,
        link=link,
        target="hard",
        library="numpy",
        device="cpu",
        dtype=q.dtype.name,
        shape=q.shape,
        want=want,
    )
    return choose(task)


def _probabilities(q: Floats, link: Link, found: RowStatistics) -> npt.NDArray[Any]:
    """softmax(z), exp(log q) or a copy of q, in at least float32 and free to be written to."""
    if link == "probs":
        return q.astype(np.result_type(q.dtype, np.float32), copy=True, order="K")
    if link == "log_probs":
        return np.asarray(np.exp(q, dtype=np.result_type(q.dtype, np.float32)))
    lse = np.asarray(found.lse)
    p: npt.NDArray[Any] = np.subtract(q, lse[:, None], dtype=lse.dtype)
    np.exp(p, out=p)
    certain = np.isposinf(lse)
    if certain.any():  # one score of +∞ is a certain class; ∞ − ∞ is not a number
        p[certain] = np.isposinf(q[certain])
    return p
