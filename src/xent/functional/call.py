"""A call that has been checked: what kernels and algebra take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from xent.backends import Backend
from xent.core.arrays import Array, dtype_name, pick, to_compute
from xent.core.loss_values import room_of_cosines
from xent.core.margins import Margin
from xent.core.predictions import Logits, LogProbabilities, Probabilities, Projection
from xent.core.scores import Scores
from xent.core.targets import Distribution, Indicators, Labels
from xent.functional.scoring import Angles, scored
from xent.functional.waiting import Pending
from xent.kernels.composed import dense_target
from xent.kernels.protocol import HardTarget, Kernel, Link, Target, Task
from xent.kernels.registry import choose

P_: TypeAlias = Labels | Distribution | Indicators
Q_: TypeAlias = Logits | LogProbabilities | Probabilities | Projection

_HALF = {"logits": 0.0, "log_probs": -0.6931471805599453, "probs": 0.5}

TARGETS = (Labels, Distribution, Indicators)
PREDICTIONS = (Logits, LogProbabilities, Probabilities, Projection)


@dataclass(frozen=True, eq=False)
class Call:
    """A call that has been checked. For rows q has its class axis last; for elements it is as the user gave it."""

    backend: Backend
    xp: Any
    task: Task
    q: Array
    axis: int
    #: The target of rows, or None; t of elements, or None.
    target: Target | None
    t: Array
    counted: Array | None
    weight: Array | None
    positive_weight: Array | None
    reads: bool
    #: S1, and what it reads besides the scores; q is what it acts on.
    scores: Scores | None = None
    truth: Array | None = None
    angles: Angles | None = None
    #: ‖x‖ of each row's hidden state, where a penalty reads it.
    norm: Array | None = None
    #: What has not been looked at of the target, or of t, and is left to the kernel.
    pending: Pending | None = None

    @property
    def rows(self) -> bool:
        return self.task.family == "rows"

    @property
    def link(self) -> Link:
        return self.task.link

    @property
    def classes(self) -> int:
        return int(self.q.shape[-1])

    def settled(self) -> Call:
        """The call with nothing pending: NaN is in the place of what must not be."""
        if self.pending is None:
            return self
        made = self.pending.settle(self.t if self.target is None else self.target)
        if self.target is None:
            return replace(self, pending=None, t=made)
        return replace(self, pending=None, target=made)

    def kernel(self) -> Kernel:
        return self.backend.kernel(choose(self.task))

    def scored(self) -> Call:
        """The call on the scores that S1 makes."""
        if self.scores is None:
            return self
        q = scored(self._without_idle().q, self.scores, self.truth, self.angles, self.backend)
        task = replace(self.task, dtype=dtype_name(q), traced=self.backend.traced(q))
        return replace(self, q=q, task=task, scores=None)

    def _without_idle(self) -> Call:
        """``cleaned`` for S1: nor has an example of weight zero a score that is no cosine, where a margin reads it."""
        call = self.cleaned(infinite=False)
        assert self.scores is not None
        margin = self.scores.margin
        if self.weight is None or self.truth is None or self.angles is not None or not isinstance(margin, Margin):
            return call
        outside = self.xp.abs(call.q) > 1.0 + room_of_cosines(call.q)
        void = (self.weight == 0) & (
            self.xp.any(outside, axis=-1) if margin.changes_others else pick(outside, self.truth)
        )
        return replace(call, q=self.xp.where(void[..., None], 0.0, call.q))

    def statistics(self) -> dict[str, Array]:
        """The row statistics that the task asks for, differentiable."""
        found = self.backend.rows(choose(self.task), self.q, self.target, self.link, self.task.want)
        return found if self.norm is None else {**found, "norm": self.norm}

    def cleaned(self, *, infinite: bool = True) -> Call:
        """The call without the scores of examples that do not count, so that NaN in them goes nowhere.

        For measures that are composed of array operations; kernels keep such rows apart by themselves. Without
        ``infinite`` an example of weight zero keeps scores of ±∞, so that its weight has a derivative.
        """
        dead = None if self.counted is None else ~self.counted
        if self.weight is not None:
            finite = self.xp.isfinite(self.q) if infinite else ~self.xp.isnan(self.q)
            void = (self.weight == 0) & ~(self.xp.all(finite, axis=-1) if self.rows else finite)
            dead = void if dead is None else dead | void
        if dead is None:
            return self
        # Of an element the score, the logarithm or the probability of one half: its surprisals are finite.
        nothing = 0.0 if self.rows else _HALF[self.link]
        return replace(self, q=self.xp.where(dead[..., None] if self.rows else dead, nothing, self.q))

    def class_probabilities(self) -> tuple[Array, Array]:
        """q and log q of every class, differentiable; log q is 0 where q = 0 was given."""
        if self.link == "probs":
            q = to_compute(self.q)
            return q, self.xp.log(self.xp.where(q == 0, 1.0, q))
        log_q = -self.backend.surprisals(self.q, self.link)
        return self.xp.exp(log_q), log_q

    def class_truth(self) -> Array:
        """t of every class; of an ignored label, that of class 0."""
        assert self.target is not None
        target = self.target
        if isinstance(target, HardTarget) and self.counted is not None:
            target = replace(target, index=self.xp.where(self.counted, target.index, 0))
        return dense_target(target, to_compute(self.q))

    def element_losses(self) -> Array:
        """v·t·(−log q) + (1 − t)·(−log(1 − q)) of each element, differentiable."""
        return self.backend.element_losses(choose(self.task), self.q, self.link, self.t, self.positive_weight)

    def elements(self) -> tuple[Array, Array]:
        """(−log q, −log(1 − q)), differentiable."""
        return self.backend.elements(choose(self.task), self.q, self.link)
