"""Cross-entropy of class scores and of log-probabilities: PyTorch's ``cross_entropy`` and ``nll_loss``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch

from xent.backends.torch import backend
from xent.backends.torch.label_sum import label_sum
from xent.backends.torch.row_sum import row_sum_in_place
from xent.core import algebra
from xent.core.arrays import Array, compute_dtype, dtype_name, pick, to_compute
from xent.errors import OptionError
from xent.kernels.cpu import cpu
from xent.kernels.extra import Extra
from xent.kernels.gpu import gpu
from xent.kernels.protocol import HardTarget, SoftTarget, Target, Task
from xent.kernels.registry import choose
from xent.torch.labels import class_axis, counted_labels, fits, in_range, label_weights, on_one_device, one_label
from xent.torch.manners import is_floating, overridable, refuse, result_type, wraps
from xent.torch.reduction import reduced, reduction_of

_cross_entropy = torch.nn.functional.cross_entropy
_nll_loss = torch.nn.functional.nll_loss
_LOSS = frozenset({"loss"})


@overridable
def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    inplace_gradient: bool = False,
) -> Array:
    """Cross-entropy of scores against class indices or class probabilities; ``torch.nn.functional.cross_entropy``.

    Class indices: ℓ = −(1 − ε)·w[y]·log p_y − (ε/C)·Σ_k w_k·log p_k with p = softmax(input) over axis 1; "mean" divides
    Σ ℓ by Σ w[y] over the rows that are not ignored. Class probabilities t (a floating target of input's shape):
    ℓ = −Σ_k w_k·((1 − ε)·t_k + ε/C)·log p_k; "mean" divides by the number of rows.

    Parameters
    ----------
    input : Tensor (C,), (N, C) or (N, C, d1, …)
        Scores, floating.
    target : Tensor (), (N,) or (N, d1, …) of int64 or uint8; or of input's shape, floating
        Class indices; or class probabilities, which need not sum to one.
    weight : Tensor (C,), optional
        Any real numbers; differentiable.
    size_average, reduce : bool, optional
        Deprecated; override ``reduction``.
    ignore_index : int
        Rows of this class index have loss 0 and a gradient of exactly 0, whatever they hold.
    reduction : "none", "sum" or "mean"
    label_smoothing : float in [0, 1]
        ε.
    inplace_gradient : bool
        Make the gradient where the scores are, so that it takes no memory; then every second use of the scores raises.
        For class indices, "mean" or "sum", and scores that a model made (contiguous, outside compilers and transforms,
        on the CPU, or (N, C) where the GPU kernels run).

    Returns
    -------
    Tensor
        In nats, of PyTorch's dtype. 0·∞ = 0: a class without target mass may have score −inf.

    Raises
    ------
    RuntimeError, ValueError, IndexError
        What PyTorch raises, in its words. A class index out of range raises on the CPU; elsewhere, under a compiler and
        under ``torch.func`` transforms it gives NaN loss and NaN gradient.
    OptionError
        ``inplace_gradient=True`` where it cannot be, and a second use of the scores.

    References
    ----------
    PyTorch, ``torch.nn.CrossEntropyLoss``.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> round(F.cross_entropy(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([2])).item(), 4)
    0.4076
    """
    how = reduction_of(size_average, reduce, reduction)
    if how != "none" and 0.0 <= label_smoothing <= 1.0:
        mean, dtype = how == "mean", result_type(input)
        found = label_sum(input, target, weight, ignore_index, label_smoothing, mean, dtype, inplace_gradient)
        if found is not None:
            return found
    arguments = (input, target, weight, None, ignore_index, None, how, label_smoothing)
    if wraps(input, target, weight):
        return _cross_entropy(*arguments)
    if not is_floating(input) or input.dim() == 0 or label_smoothing > 1.0:
        refuse(_cross_entropy, *arguments)
    if inplace_gradient and (how == "none" or input.shape == target.shape or input.dim() != 2):
        raise _not_in_place()
    # PyTorch takes a negative one as none. Without classes there is nothing to spread over.
    epsilon = max(label_smoothing, 0.0) if class_axis(input) else 0.0
    if input.shape == target.shape:
        fitting = weight is None or weight.shape == (class_axis(input),)
        fitting = fitting and on_one_device(input, target, weight)
        if not is_floating(target) or not fitting or ignore_index >= 0:
            refuse(_cross_entropy, *arguments)
        return _of_probabilities(input, target, weight, epsilon, how)
    target = target if epsilon else one_label(input, target)
    if not fits(input, target, weight) or not in_range(input, target, ignore_index):
        refuse(_cross_entropy, *arguments)
    return _of_labels(input, target, weight, ignore_index, epsilon, how, inplace_gradient)


def _not_in_place() -> OptionError:
    return OptionError(
        "inplace_gradient=True",
        'class indices, reduction "mean" or "sum", and plain tensors on the CPU, or (N, C) where the GPU kernels run',
        "another call",
        "Write inplace_gradient=False.",
    )


def _of_labels(
    input: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    epsilon: float,
    reduction: str,
    inplace: bool,
) -> Array:
    q = _classes_last(input)
    classes = class_axis(input)
    counted = counted_labels(target, ignore_index)
    if reduction != "none" and q.numel() and not (epsilon and weight is not None) and backend.fuses(q, weight):
        hard = HardTarget(target, 1.0 - epsilon, epsilon / classes) if epsilon else HardTarget(target)
        found = _in_one_pass(q, hard, weight, counted, reduction, inplace)
        if found is not None:
            return found.to(result_type(input))
    if inplace:
        raise _not_in_place()
    if weight is None:
        hard = HardTarget(target, 1.0 - epsilon, epsilon / classes) if epsilon else HardTarget(target)
        value = algebra.row_values({"loss": _surprisal(q, hard)}, None, (), None, counted, backend.apply)
        return reduced(value, reduction, counted.sum()).to(result_type(input))
    w = to_compute(weight)
    picked = label_weights(w, target, counted)

    def each(q: Array) -> Array:
        value = algebra.row_values(
            {"loss": _surprisal(q, HardTarget(target))}, None, (), picked, counted, backend.apply
        )
        if not epsilon:
            return value
        # Smoothing spreads over classes by their own weights, so its half of the target is w itself.
        spread = algebra.row_values(
            {"loss": _surprisal(q, SoftTarget(w.expand(q.shape)))}, None, (), None, counted, backend.apply
        )
        return (1.0 - epsilon) * value + (epsilon / classes) * spread

    found = None
    if epsilon:
        hard = HardTarget(target, 1.0 - epsilon, epsilon / classes)
        found = _of_weighted_classes(q, hard, w, counted, reduction, picked.sum(), each)
    found = reduced(each(q), reduction, picked.sum()) if found is None else found
    return found.to(result_type(input))


def _of_weighted_classes(
    q: Array,
    target: Target,
    weight: Array,
    counted: Array | None,
    reduction: str,
    weighed: Array | None,
    general: Callable[[Array], Array],
) -> Array | None:
    """The loss where the kernel that is chosen weighs the classes of a target itself; ``general`` makes that of each
    row in functions that can be differentiated again. A mean divides by ``weighed``, or the rows."""
    if choose(_task(q, target)) is not gpu:
        return None
    divisor = q.shape[:-1].numel() if weighed is None else weighed
    extra = Extra(class_weight=weight)

    def whole(each: Array) -> Array:
        value = algebra.row_values({"loss": each}, None, (), None, counted, backend.apply)
        return reduced(value, reduction, divisor)

    if reduction != "none" and backend.fuses(q, weight):
        c = torch.ones(q.shape[:-1], dtype=compute_dtype(q), device=q.device)
        c = c if reduction == "sum" else c / divisor
        c = c if counted is None else torch.where(counted, c, 0.0)
        return backend.row_shaped_sum(
            gpu, q, target, c, extra, lambda each, _: whole(each), lambda z, _: reduced(general(z), reduction, divisor)
        )
    found = backend.adjusted_rows(gpu, q, target, _LOSS, extra, lambda z, _: {"loss": general(z)})  # type: ignore[arg-type]
    return None if found is None else whole(found["loss"])


def _in_one_pass(
    q: Array, hard: HardTarget, weight: Array | None, counted: Array, reduction: str, inplace: bool
) -> Array | None:
    """The reduced loss of labels with its gradient, where the kernel that is chosen can."""
    kernel = choose(_task(q, hard))
    if kernel not in (cpu, gpu):
        return None
    picked = None if weight is None else label_weights(to_compute(weight), hard.index, counted)
    part = counted.to(compute_dtype(q)) if picked is None else picked
    divisor = part.sum()
    c = part if reduction == "sum" else torch.where(part == 0, 0.0, part / divisor)

    def total(each: Array) -> Array:
        return reduced(algebra.row_values({"loss": each}, None, (), picked, counted, backend.apply), reduction, divisor)

    if inplace:
        return row_sum_in_place(kernel, q, hard, c, total)
    return backend.row_sum(kernel, q, hard, "logits", c, total)


def _of_probabilities(input: Array, target: Array, weight: Array | None, epsilon: float, reduction: str) -> Array:
    dtype = result_type(input, target, weight)
    q, t = _classes_last(input.double() if dtype == torch.float64 else input), _classes_last(target)
    classes = q.shape[-1]
    on, off = (1.0 - epsilon, epsilon / classes) if epsilon else (1.0, 0.0)
    soft = SoftTarget(t, on, off)
    if weight is not None:

        def each(q: Array) -> Array:
            return _surprisal(q, SoftTarget((to_compute(t) * on + off) * weight))

        found = _of_weighted_classes(q, soft, weight, None, reduction, None, each)
        if found is not None:
            return found.to(dtype)
        soft = SoftTarget((to_compute(t) * on + off) * weight)
    if reduction != "none" and q.numel() and backend.fuses(q):
        rows = q.shape[:-1].numel()
        c = torch.full(q.shape[:-1], 1.0 if reduction == "sum" else 1.0 / rows, dtype=compute_dtype(q), device=q.device)
        task = _task(q, soft)
        found = backend.row_sum(choose(task), q, soft, "logits", c, lambda each: reduced(each, reduction, rows))
        if found is not None:
            return found.to(dtype)
    loss = _surprisal(q, soft)
    return reduced(loss, reduction, loss.numel()).to(dtype)


def _surprisal(q: Array, target: Target) -> Array:
    """ℓ of each row, in float32 at least."""
    if not q.shape[-1]:
        return to_compute(q).sum(-1)  # no classes, so no examples or no mass: PyTorch's empty batch of shape (0, 0)
    return backend.rows(choose(_task(q, target)), q, target, "logits", _LOSS)["loss"]  # type: ignore[arg-type]


def _task(q: Array, target: Target) -> Task:
    kind: Literal["hard", "soft"] = "hard" if isinstance(target, HardTarget) else "soft"
    return Task(
        "rows",
        "logits",
        kind,
        "torch",
        q.device.type,
        dtype_name(q),
        tuple(q.shape),
        _LOSS,  # type: ignore[arg-type]
        traced=backend.traced(q),
    )


def _classes_last(x: Array) -> Array:
    return x if x.dim() <= 2 else x.movedim(1, -1)


@overridable
def nll_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """−w[y]·input[y] of each row; ``torch.nn.functional.nll_loss``.

    ``input`` should hold log-probabilities over axis 1, in nats, but is not checked. Parameters, result and errors are
    those of ``cross_entropy`` with class indices; "mean" divides by Σ w[y]. ``weight`` is differentiable.

    Raises
    ------
    RuntimeError, ValueError, IndexError
        What PyTorch raises, in its words.

    Examples
    --------
    >>> import torch, xent.torch as F
    >>> round(F.nll_loss(torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([0])).item(), 4)
    0.3567
    """
    how = reduction_of(size_average, reduce, reduction)
    target = one_label(input, target)
    if not is_floating(input) or not fits(input, target, weight) or not in_range(input, target, ignore_index):
        refuse(_nll_loss, input, target, weight, None, ignore_index, None, how)
    counted = counted_labels(target, ignore_index)
    # A label of the wrong number that could not be read is NaN, not a neighbour's loss.
    index = target.to(torch.int64)
    inside = (index >= 0) & (index < class_axis(input))
    q = _classes_last(input)
    log_q = to_compute(pick(q, torch.where(inside, index, 0)))
    # A product, so that the gradient is NaN too; where(…, nan) would make it zero.
    log_q = log_q * torch.where(inside | ~counted, 1.0, float("nan")).to(log_q.dtype)
    picked = None if weight is None else label_weights(to_compute(weight), target, counted)
    value = algebra.row_values({"loss": -log_q}, None, (), picked, counted, backend.apply)
    return reduced(value, how, (counted if picked is None else picked).sum()).to(result_type(input))
