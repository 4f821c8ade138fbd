"""Kullback–Leibler divergence, element by element: PyTorch's ``kl_div``."""

from __future__ import annotations

import warnings

import torch

from xent.core.arrays import Array, to_compute
from xent.torch.manners import is_floating, overridable, refuse, result_type
from xent.torch.reduction import reduced, reduction_of

_kl_div = torch.nn.functional.kl_div


@overridable
def kl_div(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Array:
    """t·(log t − input) of each element; ``torch.nn.functional.kl_div``.

    Parameters
    ----------
    input : Tensor
        Log-probabilities; not checked.
    target : Tensor
        Probabilities t, or their logarithms where ``log_target``; broadcasts against input.
    size_average, reduce : bool, optional
        Deprecated; override ``reduction``.
    reduction : "none", "sum", "batchmean" or "mean"
        "batchmean" divides the sum by the length of the first axis; "mean" divides by the number of elements, which is
        not the divergence, and PyTorch's warning says so here too.
    log_target : bool

    Returns
    -------
    Tensor
        In nats, of the promoted dtype. 0·∞ = 0: where t = 0 the loss is 0 whatever log-probability input has.

    Raises
    ------
    RuntimeError, ValueError
        What PyTorch raises, in its words.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> p = torch.tensor([[0.5, 0.5, 0.0]])
    >>> round(F.kl_div(torch.tensor([[0.25, 0.75, 0.0]]).log(), p, reduction="batchmean").item(), 4)
    0.1438
    """
    batchmean = reduction == "batchmean" and size_average is None and reduce is None
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=3,
        )
    how = "sum" if batchmean else reduction_of(size_average, reduce, reduction)
    if not is_floating(input) or not is_floating(target):
        refuse(_kl_div, input, target, None, None, how, log_target)
    dtype = result_type(input, target)
    x, t = (y.double() if dtype == torch.float64 else to_compute(y) for y in (input, target))
    value = reduced(_of_logs(x, t) if log_target else _of_probabilities(x, t), how)
    return (value / input.shape[0] if batchmean and input.dim() != 0 else value).to(dtype)


def _of_probabilities(x: Array, t: Array) -> Array:
    return torch.xlogy(t, t) - t * torch.where((t == 0) & torch.isinf(x), 0.0, x)


def _of_logs(x: Array, log_t: Array) -> Array:
    return torch.exp(log_t) * torch.where(log_t == -float("inf"), 0.0, log_t - x)
