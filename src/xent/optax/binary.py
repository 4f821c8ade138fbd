"""Losses of independent yes/no outcomes: optax's sigmoid family and hinge."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from xent.core.arrays import Array, compute_dtype, times
from xent.optax.rows import element_losses, elements
from xent.optax.shapes import require_floating, together

#: An exponent of a number that float32 holds.
_FINITE = 80.0


def sigmoid_binary_cross_entropy(logits: Any, labels: Any) -> Array:
    """Cross-entropy of scores against yes/no outcomes; ``optax.sigmoid_binary_cross_entropy``.

    ℓ = t·softplus(−z) + (1 − t)·softplus(z) an element, in nats; P is Indicators, Q Logits. Gradient by z: σ(z) − t.

    Parameters
    ----------
    logits : floating array
    labels : array of a shape that broadcasts with that of logits
        t, usually in [0, 1]. Differentiable. Two shapes that would both be stretched ((4, 1) and (4,)) are refused.

    Returns
    -------
    array of the common shape, in logits' dtype
        0·∞ = 0: an infinite score on the right side has loss 0.

    Raises
    ------
    DtypeError, ShapeError

    References
    ----------
    optax, ``optax.losses.sigmoid_binary_cross_entropy``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> round(float(optax.sigmoid_binary_cross_entropy(jnp.array(0.0), 1)), 4)
    0.6931
    """
    z, t = together(require_floating(logits, "logits"), jnp.asarray(labels), ("logits", "labels"))
    return element_losses(z, t.astype(compute_dtype(z))).astype(z.dtype)


def sigmoid_focal_loss(logits: Any, labels: Any, *, alpha: Any = None, gamma: Any = 2.0) -> Array:
    """Focal loss of scores against yes/no outcomes; ``optax.sigmoid_focal_loss``.

    α_t·u^γ·ℓ an element in nats, with ℓ as of ``sigmoid_binary_cross_entropy``, u = (1 − t)·σ(z) + t·σ(−z) the
    probability given to the wrong side, and α_t = α·t + (1 − α)·(1 − t). A soft t is read as optax reads it: u is an
    expectation.

    Parameters
    ----------
    logits : floating array
    labels : array of a shape that broadcasts with that of logits
        t in [0, 1].
    alpha : number, optional
    gamma : number, 0 or more
        Value, gradient and second derivative are finite for every γ and every finite score.

    Returns
    -------
    array of the common shape, in logits' dtype

    Raises
    ------
    DtypeError, ShapeError

    References
    ----------
    Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017; optax, ``optax.losses.sigmoid_focal_loss``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> round(float(optax.sigmoid_focal_loss(jnp.array(0.0), 1)), 4)
    0.1733
    """
    z, t, yes, no = _sides(logits, labels)
    loss = times(t, yes) + times(1 - t, no)
    # An infinite score is all right or all wrong: its loss is 0 or ∞ with any factor.
    finite = jnp.isfinite(yes) & jnp.isfinite(no)
    factor = jnp.where(finite, _wrong_power(t, jnp.where(finite, yes, 1), jnp.where(finite, no, 1), gamma), 1)
    found = factor * loss
    if alpha is not None:
        found = (alpha * t + (1 - alpha) * (1 - t)) * found
    return found.astype(z.dtype)


def hinge_loss(predictor_outputs: Any, targets: Any) -> Array:
    """max(0, 1 − t·z) an element, for t of −1 or 1; ``optax.hinge_loss``.

    Parameters
    ----------
    predictor_outputs : array
        z, any real numbers.
    targets : array of a shape that broadcasts with it
        t.

    Raises
    ------
    ShapeError
        Two shapes that would both be stretched.

    References
    ----------
    optax, ``optax.losses.hinge_loss``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> float(optax.hinge_loss(jnp.array(0.25), -1.0))
    1.25
    """
    z, t = together(jnp.asarray(predictor_outputs), jnp.asarray(targets), ("predictor_outputs", "targets"))
    return jnp.maximum(0, 1 - z * t)


def _wrong_power(t: Array, yes: Array, no: Array, gamma: Any) -> Array:
    """u^γ in log space, where it keeps its digits and its derivative γ·u^γ·∂log u is never 0·∞."""
    # The part of u that a hard t keeps is taken out of the sum, in which it could vanish.
    largest = jnp.where(t == 1, -no, jnp.where(t == 0, -yes, jnp.maximum(-yes, -no)))
    # Only a part whose t is 0 can be large; its exponential has to stay finite for 0 times it, and its derivative.
    rest = t * jnp.exp(jnp.minimum(-no - largest, _FINITE)) + (1 - t) * jnp.exp(jnp.minimum(-yes - largest, _FINITE))
    return jnp.exp(jnp.asarray(gamma, dtype=yes.dtype) * (largest + jnp.log(rest)))


def _sides(logits: Any, labels: Any) -> tuple[Array, Array, Array, Array]:
    """Scores, target, and the loss of either side, the last three in the type of the arithmetic."""
    z, t = together(require_floating(logits, "logits"), jnp.asarray(labels), ("logits", "labels"))
    yes, no = elements(z)
    return z, t.astype(yes.dtype), yes, no
