"""Weights that follow how often a class, or a label, is seen.

They are arrays of the framework of what they are made from, the labels or else the counts, so that ``weight=`` and
``class_weight=`` take them beside a prediction of it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from xent.core import checks
from xent.core.arrays import (
    Array,
    as_array,
    captured,
    compute_dtype,
    constant,
    library,
    namespace,
    sum_classes,
)
from xent.errors import OptionError, WeightError

__all__ = ["class_balanced_weights", "class_counts", "equalization_weights", "rebalanced_weights"]


def class_balanced_weights(counts: Any, beta: float = 0.9999) -> Array:
    """c_k = (1 − β)/(1 − β^n_k), scaled so that they sum to K: one over the effective number of examples.

    Parameters
    ----------
    counts : array (K,)
    beta : float
        β in [0, 1): 0 weighs all classes alike, β → 1 by 1/n.

    Returns
    -------
    array (K,)
        Of the framework of ``counts``; NumPy's for a list.

    Raises
    ------
    WeightError, OptionError
        A count that is not positive; β outside [0, 1).
    """
    n = class_counts(counts, "class_balanced_weights(counts)")
    beta = checks.require_fraction(beta, "class_balanced_weights(beta)")
    if beta == 1.0:
        raise OptionError("class_balanced_weights(beta)", "a number in [0, 1)", "1")
    # 1 − β^n without loss where β^n is near 1.
    c = (1.0 - beta) / -np.expm1(n * np.log(beta)) if beta else np.ones_like(n)
    return _like(c * (len(n) / c.sum()), as_array(counts, "class_balanced_weights(counts)"))


def rebalanced_weights(labels: Any, counts: Any, *, alpha: float = 0.1, beta: float = 10.0, mu: float = 0.2) -> Array:
    """Distribution-balanced weights of elements: α + σ(β·(r − μ)), r = n_k^{−1}/Σ_{positive j} n_j^{−1}.

    They undo that an image with several labels is drawn once for each of them. Give them as ``weight=`` beside
    Indicators; ``distribution_balanced`` is the whole loss.

    Parameters
    ----------
    labels : array (…, K) of 0 and 1
    counts : array (K,)
        Examples of each label.
    alpha, beta, mu : float
        0.1, 10 and 0.2 in the authors' settings for COCO (0.3 for VOC).

    Returns
    -------
    array (…, K)
        Of the framework of ``labels``. An example without a label has r = 0.

    Raises
    ------
    WeightError
        A count that is not positive.

    References
    ----------
    Wu, Huang, Liu, Wang and Lin, "Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed Datasets",
    2020 (arXiv 2007.09654), section 3.1.

    Examples
    --------
    >>> import xent
    >>> xent.losses.imbalance.rebalanced_weights([[1, 0]], [10, 10]).round(3)
    array([[1.1, 1.1]])
    """
    y = _floats(labels, "rebalanced_weights(labels)")
    n = class_counts(counts, "rebalanced_weights(counts)")
    checks.require_vector(n, y.shape[-1], "rebalanced_weights(counts)")
    xp = namespace(y)
    rate = constant(1.0 / n, y, y.dtype)
    drawn = sum_classes(y * rate, keepdims=True)
    r = xp.where(drawn > 0, rate / xp.where(drawn > 0, drawn, 1.0), 0.0)
    return alpha + 1.0 / (1.0 + xp.exp(-beta * (r - mu)))


def equalization_weights(
    labels: Any, frequencies: Any, *, threshold: float = 5e-3, drop: float = 0.9, seed: int | None = None
) -> Array:
    """Equalization loss (EQL) for Indicators: 1 − B·1[f_k < λ]·(1 − y), so that rare classes are not pushed down by
    examples of others. Give them as ``weight=``; B is 1 with probability ``drop``, for each element.

    Returns
    -------
    array (…, K)
        Of the framework of ``labels``.

    Raises
    ------
    OptionError
        ``drop`` outside [0, 1], or between 0 and 1 where a compiler reads the code: what is drawn would be the same in
        every call.

    References
    ----------
    Tan, Wang, Li, Li, Ouyang, Yin and Yan, "Equalization Loss for Long-Tailed Object Recognition", 2020
    (arXiv 2003.05176).
    """
    y = _floats(labels, "equalization_weights(labels)")
    drop = checks.require_fraction(drop, "equalization_weights(drop=)")
    rare = np.asarray(_listed(frequencies), np.float64) < threshold
    checks.require_vector(rare, y.shape[-1], "equalization_weights(frequencies)")
    chosen = constant(rare * drop, y, y.dtype)
    if 0.0 < drop < 1.0:
        if _compiled(y):
            raise OptionError(
                "equalization_weights(drop=)",
                "0 or 1 where a compiler reads the code",
                f"{drop:g}",
                "Make the weights outside of it, and hand them in.",
            )
        chosen = constant(rare * (np.random.default_rng(seed).random(tuple(y.shape)) < drop), y, y.dtype)
    return 1.0 - chosen * (1.0 - y)


def class_counts(counts: Any, argument: str) -> np.ndarray[Any, Any]:
    """One number for each class. Where ``torch.compile`` reads the code, values that cannot be become NaN."""
    if captured():
        n = np.asarray(counts).astype(np.float64)
        return np.where((n > 0) & (n < np.inf), n, np.nan)
    n = np.asarray(_listed(counts), np.float64)
    if n.ndim != 1 or not len(n) or not (np.isfinite(n).all() and (n > 0).all()):
        raise WeightError(argument, "one positive number for each class", f"{n!r}"[:80])
    return n


def _listed(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _floats(labels: Any, argument: str) -> Array:
    y = as_array(labels, argument)
    checks.require_numbers(y, argument)
    return namespace(y).astype(y, compute_dtype(y), copy=False)


def _like(values: np.ndarray[Any, Any], like: Array) -> Array:
    return values if library(like) == "numpy" else constant(values, like, compute_dtype(like))


def _compiled(x: Array) -> bool:
    """Whether a compiler reads the code, so that what is drawn from NumPy would be a constant of its program."""
    jax, tensorflow = sys.modules.get("jax"), sys.modules.get("tensorflow")
    if library(x) == "jax" and jax is not None:
        return isinstance(x, jax.core.Tracer)
    return captured() or (library(x) == "tensorflow" and tensorflow is not None and not tensorflow.executing_eagerly())
