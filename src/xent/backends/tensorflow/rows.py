"""Row statistics, for Labels and Distribution; differentiable in q and in a soft target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import tensorflow as tf

from xent.backends.tensorflow import scores
from xent.backends.tensorflow.compiled import compiled, in_graph, refuse_forward_mode
from xent.backends.tensorflow.row_gradient import row_gradient
from xent.backends.tensorflow.slopes import Spec, target_slope
from xent.core.arrays import Array, times, to_compute
from xent.kernels.coefficients import row_coefficients
from xent.kernels.protocol import SoftTarget


def rows(q: Array, index: Any, probs: Any, log_probs: Any, spec: Spec) -> tuple[Array, ...]:
    """The statistics that the spec wants, in its order."""
    if in_graph(q):
        spec = replace(spec, kernel=None)
    soft = [x for x in (probs, log_probs) if x is not None]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def statistics(q: Array, *soft: Array) -> tuple[tuple[Array, ...], Callable[..., list[Array]]]:
        p, log_p = (None, None) if not soft else (soft[0], None) if probs is not None else (None, soft[0])
        target = spec.target(index, p, log_p)
        peak = rest = None
        if spec.kernel is None:
            found, peak, rest = compiled(_in_graph, spec, q, index, p, log_p)
            found = {name: x + tf.cast(refuse_forward_mode(q), x.dtype) for name, x in found.items()}
        else:
            each = spec.kernel.row_statistics(q, target, spec.link, frozenset(spec.want))
            found = {name: getattr(each, name) for name in spec.want}

        def backward(*grads: Array) -> list[Array]:
            by: dict[Any, Array] = dict(zip(spec.want, grads, strict=True))
            c = row_coefficients(by, target, q.shape[-1])
            dq = row_gradient(q, index, p, log_p, c, spec, peak, rest)
            if not isinstance(target, SoftTarget):
                return [dq]
            dt = target_slope(q, target, spec.link, by.get("loss"), by.get("divergence"))
            if log_p is not None:
                dt = times(tf.exp(to_compute(log_p)), dt)
            return [dq, tf.cast(dt, soft[0].dtype)]

        return tuple(found[name] for name in spec.want), backward

    found = statistics(q, *soft)
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)


def _in_graph(spec: Spec, q: Array, index: Any, probs: Any, log_probs: Any) -> Any:
    return scores.statistics(q, spec.target(index, probs, log_probs), spec.link, spec.want)
