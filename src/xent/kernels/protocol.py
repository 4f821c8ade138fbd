"""What a kernel is: raw arrays in, row statistics and row gradients out.

A kernel knows nothing of options, autograd, weights or reduction. It sees Q's array with the class axis last and a
target, and it has two duties, in two families.

*Rows* (Labels and Distribution). With t the target of a row and q the distribution that Q stands for::

    statistics:  ℓ = −Σ t log q      and on request lse, entropy, argmax, Σz, divergence
    gradient:    Logits             a·softmax(z) − b·t − h·q(log q + H(q))
                 LogProbabilities               − b·t − h·q(log q + 1)
                 Probabilities                  − b·t/q − h·(log q + 1)

where a, b and h are one number a row. Weights, smoothing, focal, z-loss and the rest of the family only choose those
numbers.

*Elements* (Indicators). Every element is an example of its own::

    statistics:  yes = −log q,  no = −log(1 − q)
    gradient:    a·∂no + b·∂yes, with a and b one number an element
    fused:       S = Σ w·(v·t·yes + (1 − t)·no) and c·∂S, in one pass

Contract: 0·∞ is 0 where the target has no mass; an index outside the classes, or NaN in a row, gives NaN and never a
read out of bounds; a row whose a, b and h are all zero has a gradient of exactly zero whatever it holds; float16 and
bfloat16 come in as they are, are computed in float32, and the statistics are float32; no argument is written to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

Array: TypeAlias = Any
Link: TypeAlias = Literal["logits", "log_probs", "probs"]
Statistic: TypeAlias = Literal["loss", "lse", "entropy", "argmax", "score_sum", "divergence"]
Family: TypeAlias = Literal["rows", "elements"]


@dataclass(frozen=True, eq=False)
class HardTarget:
    """t = on·1[k = index] + off: labels, smoothed or not. ``index`` has Q's shape without its last axis."""

    index: Array
    on: float = 1.0
    off: float = 0.0


@dataclass(frozen=True, eq=False)
class SoftTarget:
    """t = on·probs + off, of Q's shape; ``log_probs`` instead of ``probs`` where P was given in log space."""

    probs: Array | None
    on: float = 1.0
    off: float = 0.0
    log_probs: Array | None = None


Target: TypeAlias = HardTarget | SoftTarget


@dataclass(frozen=True, eq=False)
class RowStatistics:
    """One number a row for each statistic that was asked for; None for the others.

    ``loss`` ℓ = −Σ t log q; ``lse`` the log-sum-exp of the scores; ``entropy`` H(q); ``argmax`` the predicted class;
    ``score_sum`` Σ z; ``divergence`` Σ t (log t − log q).
    """

    loss: Array | None = None
    lse: Array | None = None
    entropy: Array | None = None
    argmax: Array | None = None
    score_sum: Array | None = None
    divergence: Array | None = None


@dataclass(frozen=True, eq=False)
class RowCoefficients:
    """The row scalars of a gradient; None is zero in every row."""

    a: Array | None = None
    b: Array | None = None
    h: Array | None = None


@dataclass(frozen=True)
class Task:
    """What a kernel is told of a call before it runs, to accept or to refuse."""

    family: Family
    link: Link
    target: Literal["hard", "soft", "none"]
    library: str
    device: str
    dtype: str
    shape: tuple[int, ...]
    want: frozenset[Statistic] = frozenset({"loss"})
    #: Whether the array is a stand-in without memory: under a compiler, in a transform, on the meta device.
    traced: bool = False
    #: Whether labels have a share of every class besides their own.
    smoothed: bool = False
    #: Whether every row was found to be a distribution (so without NaN), for probabilities and log-probabilities.
    sound: bool = False


class Kernel(Protocol):
    """Two functions for each family, and one that says whether it can run."""

    name: str

    def refuses(self, task: Task) -> str | None:
        """Why this kernel cannot do the task, or None where it can."""
        ...

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        """Statistics of each row of q (…, K); target may be None where only q's own are wanted."""
        ...

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        """The gradient with respect to q, in q's dtype, from one a, b and h for each row.

        h is None where the task did not want the entropy.
        """
        ...

    def row_fused(self, q: Array, target: Target, link: Link, c: Array) -> tuple[Array, Array]:
        """(ℓ of each row, the gradient of Σ c·ℓ by q), in one pass over q where that can be.

        A row whose c is zero has a loss and a gradient of zero, whatever it holds.
        """
        ...

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        """(−log q, −log(1 − q)) of each element."""
        ...

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        """a·∂(−log(1 − q)) + b·∂(−log q), in q's dtype."""
        ...

    def element_losses(
        self, q: Array, link: Link, t: Array, positive_weight: Array | None, *, slopes: bool
    ) -> tuple[Array, Array | None]:
        """(ℓ, ∂ℓ/∂q in q's dtype) of each element, ℓ = v·t·(−log q) + (1 − t)·(−log(1 − q)); the second on request.

        t (any number, in the type of the arithmetic) and positive_weight (v; None is 1) broadcast to q's shape.
        0·∞ = 0.
        """
        ...

    def element_loss_gradient(self, q: Array, link: Link, t: Array, positive_weight: Array | None, g: Array) -> Array:
        """g·∂ℓ/∂q in q's dtype; exactly 0 where g is 0, whatever the element holds."""
        ...

    def element_fused(
        self, q: Array, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
    ) -> tuple[Array, Array]:
        """(S, scale·∂S/∂q) with S = Σ w·(v·t·(−log q) + (1 − t)·(−log(1 − q))).

        t, weight (w) and positive_weight (v) broadcast to q's shape, and are read in the type of the arithmetic; None
        is 1. S is an array without axes in that type, summed in float64; the gradient is in q's dtype. 0·∞ = 0; an
        element of weight 0 adds 0 and has a gradient of exactly 0, whatever it and its target hold.
        """
        ...
