"""Losses of one softmax a row: optax's softmax family and Poly-1."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from xent.backends.jax import backend
from xent.core.arrays import Array, pick, sum_classes, times
from xent.errors import OptionError, ShapeError
from xent.kernels.protocol import HardTarget
from xent.optax.rows import row_loss, row_statistics
from xent.optax.shapes import Axis, axes_of, classes_last, mask_of, require_floating, require_integers, together


def softmax_cross_entropy(logits: Any, labels: Any, axis: Axis = -1, where: Any = None) -> Array:
    """Cross-entropy of scores against a probability for each class; ``optax.softmax_cross_entropy``.

    ℓ = −Σ_k t_k·log softmax(z)_k in nats, over the classes that ``where`` keeps; P is a Distribution and
    Q Logits, though t need not sum to one. Nothing of the size of the scores is kept for the gradient but the scores.

    Parameters
    ----------
    logits : floating array (…, K)
    labels : array of a shape that broadcasts with that of logits
        t. Differentiable.
    axis : int, tuple of int, or None
        The class axis; several are read as one; None: all.
    where : bool array of logits' shape, or without its class axes, optional
        Which classes, or which examples, count. An example without a class that counts has loss 0 and gradient 0.

    Returns
    -------
    array of logits' shape without its class axes, in the dtype of logits and labels together
        0·∞ = 0: a class without target mass may have score −inf.

    Raises
    ------
    DtypeError, AxisError, ShapeError

    References
    ----------
    optax, ``optax.losses.softmax_cross_entropy``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> z, t = jnp.array([[1.2, -0.8, -0.5]]), jnp.array([[1.0, 0.0, 0.0]])
    >>> round(float(optax.softmax_cross_entropy(z, t)[0]), 4)
    0.2761
    """
    z, t, counted, dtype = _soft(logits, labels, axis, where)
    return _kept(row_loss(z, t), counted).astype(dtype)


def safe_softmax_cross_entropy(logits: Any, labels: Any) -> Array:
    """``softmax_cross_entropy`` over the last axis, under the name that optax gives its form with 0·∞ = 0.

    Here both have it. Parameters, result and errors as of ``softmax_cross_entropy``.

    References
    ----------
    optax, ``optax.losses.safe_softmax_cross_entropy``.
    """
    return softmax_cross_entropy(logits, labels)


def softmax_cross_entropy_with_integer_labels(
    logits: Any, labels: Any, axis: int | tuple[int, ...] = -1, where: Any = None
) -> Array:
    """Cross-entropy of scores against a class index; ``optax.softmax_cross_entropy_with_integer_labels``.

    ℓ = lse(z) − z_y in nats, the log-sum-exp over the classes that ``where`` keeps; P is Labels, Q Logits.

    Parameters
    ----------
    logits : floating array (…, K)
    labels : integer array of logits' shape without its class axes
        y, 0 to K − 1; of several axes the flat index. Any other index, −1 too, gives NaN in loss and gradient.
    axis, where
        As of ``softmax_cross_entropy``; no None.

    Returns
    -------
    array of labels' shape, in logits' dtype

    Raises
    ------
    DtypeError, AxisError, ShapeError, OptionError

    References
    ----------
    optax, ``optax.losses.softmax_cross_entropy_with_integer_labels``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> z = jnp.array([[1.2, -0.8, -0.5]])
    >>> round(float(optax.softmax_cross_entropy_with_integer_labels(z, jnp.array([0]))[0]), 4)
    0.2761
    """
    logits = require_floating(logits, "logits")
    labels = require_integers(labels, "labels")
    if axis is None:
        raise OptionError("axis=", "an int or a tuple of ints", "None")
    axes = axes_of(axis, logits.ndim)
    mask = mask_of(where, logits.shape, axes, examples=True)
    z = classes_last(logits, axes)
    if labels.shape != z.shape[:-1]:
        raise ShapeError("labels", f"shape {z.shape[:-1]}, that of logits without its class axes", str(labels.shape))
    target = HardTarget(labels)
    z, mask = _one_class(z), _none_counts(z, mask)
    if mask is None:
        return row_statistics(z, target, "logits", "loss")["loss"].astype(logits.dtype)
    counted = jnp.any(mask, axis=-1)
    found = row_statistics(_masked(z, mask, counted), target, "logits", "loss", "lse")
    inside = (labels >= 0) & (labels < z.shape[-1])
    index = jnp.where(inside, labels, 0)
    # A true class that the mask leaves out has no part in the log-sum-exp, but keeps its score.
    left_out = inside & counted & ~pick(mask, index)
    apart = found["lse"] - pick(z, index)
    return jnp.where(left_out, apart, _kept(found["loss"], counted)).astype(logits.dtype)


def poly_loss_cross_entropy(
    logits: Any, labels: Any, *, epsilon: Any = 2.0, axis: Axis = -1, where: Any = None
) -> Array:
    """Poly-1 loss; ``optax.poly_loss_cross_entropy``.

    ℓ + ε·Σ_k t_k·(1 − p_k) in nats with p = softmax(logits) and ℓ as of ``softmax_cross_entropy``.

    Parameters
    ----------
    epsilon : number or array of the result's shape
    logits, labels, axis, where
        As of ``softmax_cross_entropy``; labels floating.

    Returns
    -------
    array, as of ``softmax_cross_entropy``

    Raises
    ------
    DtypeError, AxisError, ShapeError

    References
    ----------
    Leng et al., "PolyLoss", ICLR 2022; optax, ``optax.losses.poly_loss_cross_entropy``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> z, t = jnp.array([0.0, 0.0]), jnp.array([1.0, 0.0])
    >>> round(float(optax.poly_loss_cross_entropy(z, t)), 4)
    1.6931
    """
    z, t, counted, dtype = _soft(logits, require_floating(labels, "labels"), axis, where)
    s = backend.surprisals(z, "logits")
    t = t.astype(s.dtype)
    loss = sum_classes(times(t, s)) + epsilon * sum_classes(t * -jnp.expm1(-s))
    return _kept(loss, counted).astype(jnp.result_type(dtype, epsilon))


def _soft(logits: Any, labels: Any, axis: Axis, where: Any) -> tuple[Array, Array, Array | None, Any]:
    """Scores and target with one class axis, the last; which examples count; the dtype of the result."""
    z, t = together(require_floating(logits, "logits"), jnp.asarray(labels), ("logits", "labels"))
    dtype = jnp.result_type(z, t)
    axes = axes_of(axis, z.ndim)
    mask = mask_of(where, z.shape, axes, examples=True)
    z, t = classes_last(z, axes), classes_last(t, axes)
    if not jnp.issubdtype(t.dtype, jnp.floating):
        t = t.astype(jnp.promote_types(z.dtype, jnp.float32))
    z, t, mask = _one_class(z), _one_class(t), _none_counts(z, mask)
    if mask is None:
        return z, t, None, dtype
    counted = jnp.any(mask, axis=-1)
    return _masked(z, mask, counted), jnp.where(mask, t, 0), counted, dtype


def _one_class(x: Array) -> Array:
    """x; a zero for each example where there is no class."""
    return x if x.shape[-1] else jnp.zeros((*x.shape[:-1], 1), x.dtype)


def _none_counts(z: Array, mask: Array | None) -> Array | None:
    """The mask; where there is no class, that of ``_one_class``, which does not count."""
    return mask if z.shape[-1] else jnp.zeros((*z.shape[:-1], 1), bool)


def _masked(z: Array, mask: Array, counted: Array) -> Array:
    """−∞ for a class that does not count; 0 for an example of which none does, so that it defines a softmax."""
    return jnp.where(mask, z, jnp.where(counted[..., None], -jnp.inf, 0).astype(z.dtype))


def _kept(loss: Array, counted: Array | None) -> Array:
    return loss if counted is None else jnp.where(counted, loss, 0)
