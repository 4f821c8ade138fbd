"""Cross-entropy of a linear layer's scores: PyTorch's ``linear_cross_entropy``, which came with 2.13."""

from __future__ import annotations

import math
from typing import Any

import torch

from xent.core.arrays import Array
from xent.torch.likelihood import cross_entropy
from xent.torch.manners import overridable, refuse

_linear_cross_entropy: Any = getattr(torch.nn.functional, "linear_cross_entropy", None)


@overridable
def linear_cross_entropy(
    input: Array,
    linear_weight: Array,
    target: Array,
    *,
    linear_bias: Array | None = None,
    weight: Array | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Array:
    """Cross-entropy of the scores input·Wᵀ + b; ``torch.nn.functional.linear_cross_entropy``.

    The scores are held in memory. With ``options`` (PyTorch's chunks) the call is PyTorch's own, limits included.

    Parameters
    ----------
    input : Tensor (F,) or (N, F)
    linear_weight : Tensor (C, F) or (C, d1, …, F)
        W.
    target : Tensor
        As of ``cross_entropy``.
    linear_bias : Tensor (C,) or (C, d1, …), optional
        b.
    weight, reduction, label_smoothing
        As of ``cross_entropy``.
    ignore_index : int, optional
        None is −100; it cannot be set with class probabilities.
    options : torch.nn.LinearCrossEntropyOptions, optional

    Returns
    -------
    Tensor
        In nats, as of ``cross_entropy``.

    Raises
    ------
    RuntimeError, ValueError, IndexError
        What PyTorch raises, in its words.
    NotImplementedError
        ``options`` on a PyTorch before 2.13, which has no such function.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> round(F.linear_cross_entropy(torch.ones(1, 2), torch.eye(2), torch.tensor([0])).item(), 4)
    0.6931
    """
    settings = {
        "linear_bias": linear_bias,
        "weight": weight,
        "reduction": reduction,
        "ignore_index": ignore_index,
        "label_smoothing": label_smoothing,
        "options": options,
    }
    if options is not None:
        return _theirs()(input, linear_weight, target, **settings)
    out = linear_weight.shape[1:-1]
    shape = (*input.shape[:-1], *linear_weight.shape[:1], *out)
    if (
        input.dim() not in (1, 2)
        or linear_weight.dim() < 2
        or input.shape[-1] != linear_weight.shape[-1]
        or (linear_bias is not None and linear_bias.shape != linear_weight.shape[:-1])
        or (out and input.dim() == 1)
        or (ignore_index is not None and target.shape == shape)
    ):
        refuse(_theirs(), input, linear_weight, target, **settings)
    if out:
        linear_weight = linear_weight.reshape(math.prod(linear_weight.shape[:-1]), -1)
        linear_bias = None if linear_bias is None else linear_bias.reshape(-1)
    return cross_entropy(
        torch.nn.functional.linear(input, linear_weight, linear_bias).reshape(shape),
        target,
        weight=weight,
        reduction=reduction,
        ignore_index=-100 if ignore_index is None else ignore_index,
        label_smoothing=label_smoothing,
    )


def _theirs() -> Any:
    if _linear_cross_entropy is None:
        raise NotImplementedError(f"torch {torch.__version__} has no linear_cross_entropy; 2.13 has")
    return _linear_cross_entropy
