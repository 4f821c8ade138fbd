"""S2: what a loss makes of the truth before the kernel sees it.

A member takes t as the kernel would have it, for rows (…, K) or for elements, and gives another. What it gives is not
checked: a noise correction has entries below zero.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from xent.core import checks, loss_values
from xent.core.arrays import Array, as_array, captured, constant, describe, library, namespace, sum_classes
from xent.errors import OptionError, ShapeError


class TargetStep(ABC):
    """t ↦ t′."""

    #: Whether it is defined for Indicators, whose t is one probability an element.
    takes_elements: bool = False

    @abstractmethod
    def __call__(self, t: Array, prediction: Callable[[], Array]) -> Array:
        """t′ from t (…, K), or from the t of elements; ``prediction`` gives q of the same shape, as a constant."""


@dataclass(frozen=True)
class Smoothing(TargetStep):
    """Label smoothing by the name of its formula, over the classes that can be.

    "uniform": (1 − ε)·t + ε/K, as in PyTorch, optax and Keras. "others": the truth keeps 1 − ε and the rest share ε,
    which is "uniform" with ε·K/(K − 1), as in Megatron. For Indicators "uniform" is (1 − ε)·t + ε/2, as in Keras.

    Parameters
    ----------
    epsilon : float
        ε in [0, 1].
    formula : "uniform" or "others"
    allowed : array (K,) of bool, optional
        The classes that share ε. A class with a score of −∞ must not: its loss would be infinite. Not for Indicators.

    Raises
    ------
    OptionError
        ε outside [0, 1], another formula; no class that is allowed, or one alone for "others".
    ShapeError
        ``allowed`` that is no vector; in a call: that of another number of classes.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception Architecture for Computer Vision", 2015
    (arXiv 1512.00567), section 7.
    """

    epsilon: float
    formula: Literal["uniform", "others"] = "uniform"
    allowed: Any = None
    _can: Any = field(init=False, repr=False, compare=False, default=None)

    takes_elements = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", checks.require_fraction(self.epsilon, "Smoothing(epsilon)"))
        checks.require_choice(self.formula, ("uniform", "others"), "Smoothing(formula=)")
        object.__setattr__(self, "takes_elements", self.allowed is None)
        if self.allowed is not None:
            allowed = as_array(self.allowed, "Smoothing(allowed=)")
            if allowed.ndim != 1:
                raise ShapeError("Smoothing(allowed=)", "shape (K,): one boolean for each class", describe(allowed))
            # torch.compile does not know how many there are.
            least, found = 1 if self.formula == "uniform" else 2, 2 if captured() else sum(bool(x) for x in allowed)
            if found < least:
                raise OptionError(
                    "Smoothing(allowed=)",
                    f'{least} classes at least that share ε in "{self.formula}"',
                    f"{found} of {allowed.shape[0]}",
                )
            object.__setattr__(self, "_can", allowed)

    def __call__(self, t: Array, prediction: Callable[[], Array]) -> Array:
        xp = namespace(t)
        if self.allowed is None:
            share, classes = 1.0, t.shape[-1]
            checks.require_classes(classes)
        else:
            share = xp.astype(constant(self._can, t) if library(self._can) == "numpy" else self._can, t.dtype)
            checks.require_vector(share, t.shape[-1], "Smoothing(allowed=)", "boolean")
            classes = xp.sum(share)
        epsilon = self.epsilon if self.formula == "uniform" else self.epsilon * classes / (classes - 1)
        return (1.0 - epsilon) * t + share * (epsilon / classes)


@dataclass(frozen=True)
class HardBootstrap(TargetStep):
    """β·t + (1 − β)·1[k = argmax q]: some trust in what the model says already. No gradient goes through the argmax.

    Parameters
    ----------
    beta : float
        β in [0, 1]; 0.8 in the paper.

    References
    ----------
    Reed, Lee, Anguelov, Szegedy, Erhan and Rabinovich, "Training Deep Neural Networks on Noisy Labels with
    Bootstrapping", 2014 (arXiv 1412.6596), equation 7.
    """

    beta: float = 0.8

    takes_elements = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", checks.require_fraction(self.beta, "HardBootstrap(beta)"))

    def __call__(self, t: Array, prediction: Callable[[], Array]) -> Array:
        xp = namespace(t)
        q = prediction()
        best = q == xp.max(q, axis=-1, keepdims=True)
        # Of several that are best, each has its share.
        hot = xp.astype(best, t.dtype)
        return self.beta * t + (1.0 - self.beta) * hot / sum_classes(hot, keepdims=True)


@dataclass(frozen=True, eq=False)
class BackwardCorrection(TargetStep):
    """t·T⁻¹ with T(i, j) the probability that truth i is written down as j: an unbiased loss for labels with noise.

    The rows of T⁻¹ have entries below zero, so the loss of an example may be below zero too.

    Parameters
    ----------
    transition : array (K, K)
        T, whose rows sum to one; it must have an inverse.

    Raises
    ------
    OptionError
        T not square, with an entry outside [0, 1] or NaN, with rows that do not sum to one, or without an inverse.
    ShapeError
        In a call: a prediction of another number of classes.

    References
    ----------
    Patrini, Rozza, Menon, Nock and Qu, "Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach",
    2017 (arXiv 1609.03683), theorem 1.
    """

    transition: Any
    _inverse: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        name = "BackwardCorrection(transition)"
        if captured():
            # torch.compile does not know the entries, and its inverse raises where there is none.
            T = np.asarray(self.transition).astype(np.float64)
        else:
            T = loss_values.transition(self.transition, name)
            rank = int(np.linalg.matrix_rank(T))
            if rank < len(T):
                raise OptionError(name, "a matrix that has an inverse", f"{T.shape} of rank {rank}")
        object.__setattr__(self, "transition", T)
        object.__setattr__(self, "_inverse", np.linalg.inv(T))

    def __call__(self, t: Array, prediction: Callable[[], Array]) -> Array:
        if t.shape[-1] != len(self.transition):
            raise ShapeError(
                "BackwardCorrection(transition)",
                f"shape ({t.shape[-1]}, {t.shape[-1]}), for the {t.shape[-1]} classes of Q",
                f"shape {self.transition.shape}",
            )
        return namespace(t).matmul(t, constant(self._inverse, t, t.dtype))


@dataclass(frozen=True)
class FlipCorrection(TargetStep):
    """(t − ε/(K − 1))/(1 − ε·K/(K − 1)): an unbiased loss for labels that are another class with probability ε.

    ``BackwardCorrection`` of a channel that treats all classes alike, without its matrix. For Indicators K = 2:
    (t − ε)/(1 − 2ε) is above 1 for a yes, so the loss may be below zero.

    Parameters
    ----------
    rate : float
        ε in [0, (K − 1)/K): below one half for Indicators.

    Raises
    ------
    OptionError
        ε out of range.

    References
    ----------
    Natarajan, Dhillon, Ravikumar and Tewari, "Learning with Noisy Labels", 2013, lemma 1.
    """

    rate: float

    takes_elements = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", checks.require_fraction(self.rate, "FlipCorrection(rate)"))

    def __call__(self, t: Array, prediction: Callable[[], Array]) -> Array:
        classes = t.shape[-1]
        others = self.rate / (classes - 1)
        if not others * classes < 1.0:
            raise OptionError("FlipCorrection(rate)", f"a number below {(classes - 1) / classes:g}", f"{self.rate:g}")
        return (t - others) / (1.0 - others * classes)
