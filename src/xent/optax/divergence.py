"""Kullback–Leibler divergences: optax's, of log-probabilities against probabilities or their logarithms."""

from __future__ import annotations

import warnings
from typing import Any

import jax.numpy as jnp

from xent.core.arrays import Array, sum_classes, to_compute
from xent.kernels.protocol import SoftTarget
from xent.optax.rows import row_statistics
from xent.optax.shapes import Axis, axes_of, classes_last, mask_of, require_floating, together


def kl_divergence(log_predictions: Any, targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """KL(P‖Q) = Σ_k p_k·(log p_k − log q_k) in nats; ``optax.kl_divergence``.

    P is a Distribution, Q LogProbabilities; neither is checked to sum to one.

    Parameters
    ----------
    log_predictions : floating array (…, K)
        log q.
    targets : floating array of a shape that broadcasts with it
        p, 0 or more. A class with p = 0 takes no part, whatever its log q.
    axis : int, tuple of int, or None
        The class axis; several are read as one; None: all.
    where : bool array of a shape that broadcasts to log_predictions', optional
        Which classes count.

    Returns
    -------
    array of the common shape without its class axes, in the dtype of both together

    Raises
    ------
    DtypeError, AxisError, ShapeError

    References
    ----------
    Kullback and Leibler, "On Information and Sufficiency", 1951; optax, ``optax.losses.kl_divergence``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> round(float(optax.kl_divergence(jnp.log(jnp.array([0.7, 0.3])), jnp.array([1.0, 0.0]))), 4)
    0.3567
    """
    log_q, p, _, dtype = _pair(log_predictions, targets, "targets", axis, where)
    return _divergence(log_q, SoftTarget(p)).astype(dtype)


def kl_divergence_with_log_targets(log_predictions: Any, log_targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """``kl_divergence`` with log p in the place of p; ``optax.kl_divergence_with_log_targets``.

    log p may be −inf: the class then takes no part.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> log_p, log_q = jnp.log(jnp.array([1.0, 0.0])), jnp.log(jnp.array([0.7, 0.3]))
    >>> round(float(optax.kl_divergence_with_log_targets(log_q, log_p)), 4)
    0.3567
    """
    log_q, log_p, mask, dtype = _pair(log_predictions, log_targets, "log_targets", axis, where)
    log_p = to_compute(log_p)
    if mask is not None:
        log_p = jnp.where(mask, log_p, -jnp.inf)
    return _divergence(log_q, SoftTarget(None, log_probs=log_p)).astype(dtype)


def generalized_kl_divergence(log_predictions: Any, targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """Σ_k p_k·(log p_k − log q_k) + Σ_k (q_k − p_k), for P and Q of any mass; ``optax.generalized_kl_divergence``.

    Arguments, result and errors as of ``kl_divergence``.

    References
    ----------
    Bregman, "The relaxation method of finding the common point of convex sets", 1967; optax,
    ``optax.losses.generalized_kl_divergence``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from xent import optax
    >>> round(float(optax.generalized_kl_divergence(jnp.log(jnp.array([0.5, 0.3])), jnp.array([1.0, 0.0]))), 4)
    0.4931
    """
    log_q, p, mask, dtype = _pair(log_predictions, targets, "targets", axis, where)
    surplus = jnp.exp(to_compute(log_q)) - to_compute(p)
    if mask is not None:
        surplus = jnp.where(mask, surplus, 0)
    return (_divergence(log_q, SoftTarget(p)) + sum_classes(surplus)).astype(dtype)


def convex_kl_divergence(log_predictions: Any, targets: Any, axis: Axis = -1, where: Any = None) -> Array:
    """``generalized_kl_divergence`` under the name that optax has deprecated, with its warning.

    Warns
    -----
    DeprecationWarning
    """
    warnings.warn(
        "convex_kl_divergence is deprecated; use generalized_kl_divergence instead.", DeprecationWarning, stacklevel=2
    )
    return generalized_kl_divergence(log_predictions, targets, axis, where)


def _pair(
    log_predictions: Any, targets: Any, name: str, axis: Axis, where: Any
) -> tuple[Array, Array, Array | None, Any]:
    """log q and the target with one class axis, the last, 0 where they do not count; the mask; the result's dtype."""
    log_q = require_floating(log_predictions, "log_predictions")
    log_q, p = together(log_q, require_floating(targets, name), ("log_predictions", name))
    axes = axes_of(axis, log_q.ndim)
    mask = mask_of(where, log_q.shape, axes, examples=False)
    dtype = jnp.result_type(log_q, p)
    log_q, p = classes_last(log_q, axes), classes_last(p, axes)
    if mask is not None:
        log_q, p = jnp.where(mask, log_q, 0), jnp.where(mask, p, 0)
    return log_q, p, mask, dtype


def _divergence(log_q: Array, target: SoftTarget) -> Array:
    return row_statistics(log_q, target, "log_probs", "divergence")["divergence"]
