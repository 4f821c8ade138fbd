"""Yes or no, element by element: PyTorch's losses of independent outcomes."""

from __future__ import annotations

import torch

from xent.backends.torch import backend
from xent.backends.torch.element_sum import device_loss, element_sum, takes
from xent.core import algebra
from xent.core.arrays import Array, compute_dtype, dtype_name, to_compute
from xent.kernels.protocol import Task
from xent.kernels.registry import choose
from xent.torch.labels import on_one_device
from xent.torch.manners import is_floating, overridable, refuse, result_type, same_type, wraps
from xent.torch.reduction import reduced, reduction_of

_binary_cross_entropy = torch.nn.functional.binary_cross_entropy
_binary_cross_entropy_with_logits = torch.nn.functional.binary_cross_entropy_with_logits
_soft_margin_loss = torch.nn.functional.soft_margin_loss
_multilabel_soft_margin_loss = torch.nn.functional.multilabel_soft_margin_loss


@overridable
def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Array:
    """Binary cross-entropy of scores; ``torch.nn.functional.binary_cross_entropy_with_logits``.

    ℓ = w·(−v·t·log σ(z) − (1 − t)·log σ(−z)) of each element; "mean" divides by the number of elements.

    Parameters
    ----------
    input : Tensor of any shape
        Scores z.
    target : Tensor of input's shape
        t; any numbers.
    weight, pos_weight : Tensor, optional
        w and v; broadcast to input's shape, differentiable.
    size_average, reduce : bool, optional
        Deprecated; override ``reduction``.
    reduction : "none", "sum" or "mean"

    Returns
    -------
    Tensor
        In nats, of the promoted dtype. 0·∞ = 0: a score of +∞ with t = 1 has loss 0.

    Raises
    ------
    RuntimeError, ValueError
        What PyTorch raises, in its words.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> round(F.binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1.0])).item(), 4)
    0.6931
    """
    how = reduction_of(size_average, reduce, reduction)
    if wraps(input, target, weight, pos_weight):
        return _binary_cross_entropy_with_logits(input, target, weight, reduction=how, pos_weight=pos_weight)
    floating = is_floating(input) and is_floating(target)
    here = on_one_device(input, target, weight, pos_weight)
    if not floating or not here or target.shape != input.shape or not _broadcast(input, weight, pos_weight):
        refuse(_binary_cross_entropy_with_logits, input, target, weight, None, None, how, pos_weight)
    dtype = result_type(input, target)
    if how != "none" and takes(input, target, weight, pos_weight):
        return element_sum(input, target, weight, pos_weight, input.numel() if how == "mean" else 1, dtype)

    def general(z: Array) -> Array:
        return reduced(_value(z, target, weight, pos_weight, dtype), how).to(dtype)

    divisor = None if how == "none" else input.numel() if how == "mean" else 1
    found = device_loss(input, target, weight, pos_weight, divisor, dtype, general)
    return general(input) if found is None else found


@overridable
def binary_cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """Binary cross-entropy of probabilities; ``torch.nn.functional.binary_cross_entropy``.

    ℓ = −w·(t·max(log p, −100) + (1 − t)·max(log(1 − p), −100)) of each element, with PyTorch's slope
    (p − t)/max(p·(1 − p), 1e-12); "mean" divides by the number of elements. The elements are computed by PyTorch's own
    operator, whose clamping this is, in float32 at least; weights and the reduction are applied here.

    Parameters
    ----------
    input : Tensor of any shape
        Probabilities p.
    target : Tensor of input's shape
        t.
    weight : Tensor, optional
        w; broadcast to input's shape, differentiable.
    size_average, reduce : bool, optional
        Deprecated; override ``reduction``.
    reduction : "none", "sum" or "mean"

    Returns
    -------
    Tensor
        In nats, of PyTorch's dtype.

    Raises
    ------
    RuntimeError, ValueError
        What PyTorch raises, in its words.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> F.binary_cross_entropy(torch.tensor([0.0]), torch.tensor([1.0])).item()
    100.0
    """
    how = reduction_of(size_average, reduce, reduction)
    fitting = target.shape == input.shape and same_type(input, target) and _broadcast(input, weight)
    if not is_floating(input) or not fitting:
        refuse(_binary_cross_entropy, input, target, weight, None, None, how)
    # PyTorch's operator refuses a probability outside [0, 1] by itself, and does not stop an accelerator for it.
    value = _binary_cross_entropy(to_compute(input), to_compute(target), reduction="none")
    if weight is not None:
        value = value * weight
    return reduced(value, how).to(result_type(input))


@overridable
def soft_margin_loss(
    input: Array,
    target: Array,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """log(1 + exp(−y·z)) of each element; ``torch.nn.functional.soft_margin_loss``.

    In nats: it is −log σ(y·z), which does not overflow here. y is 1 or −1; "mean" divides by the number of elements.

    Raises
    ------
    RuntimeError, ValueError
        What PyTorch raises, in its words.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> F.soft_margin_loss(torch.tensor([-200.0]), torch.tensor([1.0])).item()
    200.0
    """
    how = reduction_of(size_average, reduce, reduction)
    if not is_floating(input) or not _broadcast(input, target):
        refuse(_soft_margin_loss, input, target, None, None, how)
    z, dtype = to_compute(input) * target, result_type(input)
    one = torch.ones((), dtype=torch.float32, device=z.device)
    if how != "none" and takes(z, one, None, None):
        return element_sum(z, one, None, None, z.numel() if how == "mean" else 1, dtype)

    def general(z: Array) -> Array:
        return reduced(_elements(z)[0], how).to(dtype)

    divisor = None if how == "none" else z.numel() if how == "mean" else 1
    found = device_loss(z, one, None, None, divisor, dtype, general)
    return general(z) if found is None else found


@overridable
def multilabel_soft_margin_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """Mean over classes of the binary cross-entropy of scores; ``torch.nn.functional.multilabel_soft_margin_loss``.

    ℓ = (1/C)·Σ_k w_k·(−t_k·log σ(z_k) − (1 − t_k)·log σ(−z_k)) over the last axis, in nats; "mean" divides by the rows.

    Raises
    ------
    RuntimeError, ValueError
        What PyTorch raises, in its words.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> round(F.multilabel_soft_margin_loss(torch.zeros(1, 3), torch.ones(1, 3)).item(), 4)
    0.6931
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, reduction)
    if input.dim() == 0 or not is_floating(input) or reduction not in ("none", "mean", "sum"):
        refuse(_multilabel_soft_margin_loss, input, target, weight, None, None, reduction)
    # No autocast: PyTorch computes this one in the type that it is given.
    dtype = result_type(input, target, weight, autocast=False)
    fits = _broadcast(input, target, weight)
    divisor = input.numel() if reduction == "mean" else input.shape[-1]
    if reduction != "none" and fits and takes(input, target, weight, None):
        return element_sum(input, target, weight, None, divisor, dtype)

    def each(z: Array) -> Array:
        return _value(z, target, weight, None, dtype)

    def whole(value: Array) -> Array:
        return reduced(value.sum(dim=input.dim() - 1) / input.shape[-1], reduction).to(dtype)

    if fits and reduction == "none":
        found = device_loss(input, target, weight, None, None, compute_dtype(input), each)
        return whole(each(input) if found is None else found)
    found = device_loss(input, target, weight, None, divisor, dtype, lambda z: whole(each(z))) if fits else None
    return whole(each(input)) if found is None else found


def _value(z: Array, t: Array, weight: Array | None, pos_weight: Array | None, dtype: torch.dtype) -> Array:
    """The loss of each element, in float32 at least."""
    yes, no = _elements(_computed(z, dtype))
    t = t.to(yes.dtype)
    return algebra.element_values(yes, no, t, pos_weight, None, weight, None, backend.apply)


def _computed(z: Array, dtype: torch.dtype) -> Array:
    """z in float64 where another argument asks for it; the kernel widens half precision by itself."""
    return z.double() if dtype == torch.float64 else z


def _elements(z: Array) -> tuple[Array, Array]:
    """(−log σ(z), −log σ(−z))."""
    task = Task(
        "elements", "logits", "soft", "torch", z.device.type, dtype_name(z), tuple(z.shape),
        traced=backend.traced(z),
    )  # fmt: skip
    return backend.elements(choose(task), z, "logits")


def _broadcast(input: Array, *others: Array | None) -> bool:
    """Whether the others broadcast to input's shape and no further."""
    shapes = [x.shape for x in others if x is not None and not _fits(x, input)]
    if not shapes:
        return True
    try:
        return bool(torch.broadcast_shapes(input.shape, *shapes) == input.shape)
    except RuntimeError:  # the shapes do not fit at all
        return False


def _fits(x: Array, input: Array) -> bool:
    """Whether x has input's shape or that of its last axis: told at once, for the sake of small calls.

    Axes are counted first: comparing a length with that of another axis would fix a batch that is exported as dynamic.
    """
    if x.dim() == input.dim():
        return bool(x.shape == input.shape)
    return x.dim() == 1 and input.dim() > 0 and bool(x.shape[0] == input.shape[-1])
