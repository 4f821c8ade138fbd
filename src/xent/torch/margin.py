"""The two hinge losses, which are no cross-entropies: PyTorch's own operators, under the same names.

They keep PyTorch's limits: no second derivative, no forward mode, no half precision on the CPU.
"""

from __future__ import annotations

import torch

from xent.core.arrays import Array
from xent.torch.manners import overridable

_multi_margin_loss = torch.nn.functional.multi_margin_loss
_multilabel_margin_loss = torch.nn.functional.multilabel_margin_loss


@overridable
def multi_margin_loss(
    input: Array,
    target: Array,
    p: int = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """(1/C)·Σ_{k≠y} w[y]·max(0, margin − z_y + z_k)^p of each row.

    It calls ``torch.nn.functional.multi_margin_loss``. Not in nats: a hinge is no surprisal. Parameters, result
    and limits (no second derivative) are PyTorch's.

    Raises
    ------
    RuntimeError, ValueError
        What PyTorch raises.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> F.multi_margin_loss(torch.tensor([[0.0, 0.5]]), torch.tensor([0])).item()
    0.75
    """
    return _multi_margin_loss(input, target, p, margin, weight, size_average, reduce, reduction)


@overridable
def multilabel_margin_loss(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """(1/C)·Σ_{y, k} max(0, 1 − z_y + z_k) of each row.

    It calls ``torch.nn.functional.multilabel_margin_loss``. Not in nats: a hinge is no surprisal. Parameters, result
    and limits (no second derivative) are PyTorch's.

    Raises
    ------
    RuntimeError, ValueError
        What PyTorch raises.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> F.multilabel_margin_loss(torch.tensor([[0.0, 0.5]]), torch.tensor([[0, -1]])).item()
    0.75
    """
    return _multilabel_margin_loss(input, target, size_average, reduce, reduction)
