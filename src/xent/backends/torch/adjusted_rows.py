"""Row statistics of scores that a loss has changed, and of a target as it changed that, from the scores as they came.

Nothing of their size is made on the way there, and the gradient alone on the way back, whatever comes from above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from xent.backends.torch.lean import dense
from xent.backends.torch.spec import Spec
from xent.core.arrays import Array
from xent.kernels.extra import AdjustingKernel, Extra
from xent.kernels.protocol import HardTarget, Statistic, Target


def adjusted_rows(
    kernel: AdjustingKernel,
    q: Array,
    target: Target,
    want: frozenset[Statistic],
    extra: Extra,
    general: Callable[[Array, Target], dict[str, Array]],
) -> dict[str, Array] | None:
    """The statistics, differentiable in q; None where another derivative is wanted too. ``general`` makes them in
    functions that can be differentiated again."""
    hard = isinstance(target, HardTarget)
    truth = (target.index, None, None) if hard else (None, target.probs, target.log_probs)  # type: ignore[union-attr]
    others = (*truth, extra.offset, extra.class_weight)
    if "score_sum" in want or not dense(q, *others, hooked=True):
        return None
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in others):
        return None
    names = tuple(sorted(want))
    spec = Spec("logits", names, target.on, target.off, kernel)
    return dict(zip(names, _AdjustedRows.apply(q, *truth, spec, extra, general), strict=True))


class _AdjustedRows(torch.autograd.Function):
    # In the style in which forward has the context: for plain tensors alone.
    @staticmethod
    def forward(
        ctx: Any, q: Array, index: Any, probs: Any, log_probs: Any, spec: Spec, extra: Extra, general: Any
    ) -> tuple[Array, ...]:
        ctx.save_for_backward(q, index, probs, log_probs)
        ctx.spec, ctx.extra, ctx.general = spec, extra, general
        ctx.set_materialize_grads(False)
        kernel: Any = spec.kernel
        found = kernel.row_adjusted_statistics(q, spec.target(index, probs, log_probs), frozenset(spec.want), extra)
        each = tuple(getattr(found, name) for name in spec.want)
        ctx.mark_non_differentiable(*(x for name, x in zip(spec.want, each, strict=True) if name == "argmax"))
        return each

    @staticmethod
    def backward(ctx: Any, *grads: Array | None) -> tuple[Array | None, ...]:
        spec: Spec = ctx.spec
        slopes = {name: g for name, g in zip(spec.want, grads, strict=True) if g is not None}
        q, *truth = ctx.saved_tensors
        target = spec.target(*truth)
        if not slopes:
            return (None,) * 7
        if not torch.is_grad_enabled() and dense(*slopes.values(), hooked=True):
            kernel: Any = spec.kernel
            return kernel.row_slopes_gradient(q, target, slopes, ctx.extra), *(None,) * 6
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            made = ctx.general(q, target)
            wanted, above = [made[name] for name in slopes], list(slopes.values())
            (found,) = torch.autograd.grad(wanted, q, above, create_graph=again)
        return found, *(None,) * 6
