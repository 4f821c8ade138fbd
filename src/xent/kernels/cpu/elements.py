"""Elements as memory: what stands around the loops of ``element_loops``.

Memory that is contiguous is read where it is. What is strided, expanded or of another type than the arithmetic (t and
weights only) is first copied once; one weight for all, and one for each class of the last axis, are expanded a piece at
a time instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from xent.core.arrays import Array, dtype_name
from xent.kernels.cpu import element_loops as loops
from xent.kernels.cpu.buffers import gradient_like
from xent.kernels.cpu.half import BFLOAT16, FLOAT16
from xent.kernels.cpu.memory import CLASSES, EACH, ONE, SAME, as_numpy, from_numpy
from xent.kernels.cpu.threads import run
from xent.kernels.protocol import Link

#: How weights lie, where they are, and the length of the last axis; None where there are none.
Weights: TypeAlias = tuple[int, int, int, int, int] | None

#: How 16 bits are to be read, by the name of their type.
MODES = {"bfloat16": BFLOAT16, "float16": FLOAT16}
#: Arrays that stand for the type of their elements.
SINGLE, DOUBLE, BITS = (np.empty(0, kind) for kind in (np.float32, np.float64, np.uint16))


class Elements:
    """The elements of an array, at an address. The array is kept alive here while its address is used."""

    def __init__(self, q: Array) -> None:
        name = dtype_name(q)
        values = as_numpy(q)
        self.q, self.shape = q, values.shape
        self.mode = MODES.get(name, 0)
        self.kind = DOUBLE if name == "float64" else SINGLE
        self.like = BITS if self.mode else self.kind
        self.flat = np.ascontiguousarray(values).reshape(-1)
        self.count, self.address = self.flat.size, self.flat.ctypes.data

    def spread(self, x: Array) -> Any:
        """x in the type of the arithmetic, one number for each element."""
        values = np.broadcast_to(np.asarray(_widened(x), self.kind.dtype), self.shape)
        return np.ascontiguousarray(values).reshape(-1)

    def statistic(self, values: Any) -> Array:
        """Numbers of the arithmetic as an array of Q's framework and shape."""
        return from_numpy(values.reshape(self.shape), self.q)

    def gradient(self, values: Any) -> Array:
        """Numbers that are held as Q's are, as an array of Q's framework, shape and type."""
        return from_numpy(values.reshape(self.shape), self.q, same_type=True)

    def total(self, value: float) -> Array:
        """A sum as an array without axes."""
        with np.errstate(over="ignore"):  # beyond float32 it is infinite
            return from_numpy(np.asarray(value, self.kind.dtype), self.q)


def statistics(q: Array, link: Link) -> tuple[Array, Array]:
    """See ``Kernel.element_statistics``."""
    x = Elements(q)
    yes, no = np.empty(x.count, x.kind.dtype), np.empty(x.count, x.kind.dtype)

    def work(begin: int, end: int) -> None:
        begin, end = begin * loops.BLOCK, min(end * loops.BLOCK, x.count)
        loops.statistics(loops.LINKS[link], x.address, x.like, x.mode, begin, end, yes, no)

    _share(x.count, work)
    return x.statistic(yes), x.statistic(no)


def gradient(q: Array, link: Link, a: Array, b: Array) -> Array:
    """See ``Kernel.element_gradient``."""
    x = Elements(q)
    a, b = x.spread(a), x.spread(b)
    found = gradient_like((x.count,), x.like.dtype)
    address = found.ctypes.data

    def work(begin: int, end: int) -> None:
        begin, end = begin * loops.BLOCK, min(end * loops.BLOCK, x.count)
        loops.gradient(loops.LINKS[link], x.address, x.like, x.mode, begin, end, a, b, address)

    _share(x.count, work)
    return x.gradient(found)


def fused(
    q: Array, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
) -> tuple[Array, Array]:
    """See ``Kernel.element_fused``."""
    x = Elements(q)
    total, found = sum_and_gradient(x, link, t, weight, positive_weight, float(scale))
    return x.total(total), found


def sum_and_gradient(
    x: Elements, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
) -> tuple[float, Array]:
    """The same, with the sum as the float64 that it was added in."""
    values, kind = _target(x, t)
    weights, alive = _weights(x, weight, positive_weight)
    found = gradient_like((x.count,), x.like.dtype)
    total = fused_sum(
        x.address, x.like, x.mode, values.ctypes.data, kind, x.kind,
        link, weights, scale, x.count, found.ctypes.data,
    )  # fmt: skip
    del alive  # the weights, whose addresses have been used
    return total, x.gradient(found)


def fused_sum(
    xs: int, like: Any, mode: int, ts: int, t_kind: int, kind: Any,
    link: Link, weights: Weights, scale: float, count: int, gs: int,
) -> float:  # fmt: skip
    """``element_loops.fused`` over ``count`` elements at addresses: Σ ℓ."""
    code = loops.LINKS[link]
    blocks = _blocks(count)
    if blocks <= 1:
        return float(loops.fused(xs, like, mode, ts, t_kind, kind, code, weights, scale, 0, blocks, count, gs, 0, None))
    sums = np.empty(blocks)
    address = sums.ctypes.data

    def work(begin: int, end: int) -> None:
        loops.fused(xs, like, mode, ts, t_kind, kind, code, weights, scale, begin, end, count, gs, address, None)

    _share(count, work)
    # Not NumPy's sum, which warns of ∞ − ∞.
    return sum(sums.tolist())


def losses(
    q: Array, link: Link, t: Array, positive_weight: Array | None, slopes: bool, out: Any = (None, None)
) -> tuple[Array, Array | None]:
    """See ``Kernel.element_losses``; the slopes only where they are asked for. ``out``: contiguous arrays for them."""
    x = Elements(q)
    each = np.empty(x.count, x.kind.dtype) if out[0] is None else out[0].reshape(-1)
    found = None
    if slopes:
        found = gradient_like((x.count,), x.like.dtype) if out[1] is None else out[1].reshape(-1)
    _walk(x, link, t, None, positive_weight, 1.0, found, each)
    return x.statistic(each), None if found is None else x.gradient(found)


def loss_gradient(q: Array, link: Link, t: Array, positive_weight: Array | None, g: Array) -> Array:
    """See ``Kernel.element_loss_gradient``."""
    x = Elements(q)
    found = gradient_like((x.count,), x.like.dtype)
    _walk(x, link, t, g, positive_weight, 1.0, found, None)
    return x.gradient(found)


def _walk(
    x: Elements, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float,
    gradient: Any, each: Any,
) -> None:  # fmt: skip
    """``element_loops.fused`` for what is not added up."""
    values, kind = _target(x, t)
    weights, alive = _weights(x, weight, positive_weight)
    code, blocks = loops.LINKS[link], _blocks(x.count)
    gs = None if gradient is None else gradient.ctypes.data
    ls = None if each is None else each.ctypes.data

    def work(begin: int, end: int) -> None:
        loops.fused(
            x.address, x.like, x.mode, values.ctypes.data, kind, x.kind, code, weights, scale, begin, end, x.count,
            gs, 0, ls,
        )  # fmt: skip

    if blocks <= 1:
        work(0, blocks)
    else:
        _share(x.count, work)
    del alive  # the weights, whose addresses have been used


def _target(x: Elements, t: Array) -> tuple[Any, int]:
    """t as contiguous memory, and how it is held."""
    name = dtype_name(t)
    kind = MODES.get(name, loops.BYTES if name in ("bool", "uint8") else loops.SAME_TYPE)
    values = as_numpy(t)
    if values.size == 1 != x.count:
        return np.asarray(_widened(t), x.kind.dtype), loops.CONSTANT
    if kind == loops.SAME_TYPE:
        values = np.asarray(values, x.kind.dtype)
    return np.ascontiguousarray(np.broadcast_to(values, x.shape)).reshape(-1), kind


def _weights(x: Elements, weight: Array | None, positive_weight: Array | None) -> tuple[Weights, Any]:
    """How the weights lie, and the arrays whose addresses that names."""
    if weight is None and positive_weight is None:
        return None, None
    w_how, w = _operand(x, weight)
    v_how, v = _operand(x, positive_weight)
    classes = x.shape[-1] if x.shape else 1
    return (w_how, w.ctypes.data, v_how, v.ctypes.data, classes), (w, v)


def _operand(x: Elements, weight: Array | None) -> tuple[int, Any]:
    if weight is None:
        return ONE, x.kind
    values = np.asarray(_widened(weight), x.kind.dtype)
    if values.size == 1:
        return SAME, values
    if values.size == values.shape[-1] == x.shape[-1]:
        return CLASSES, np.ascontiguousarray(values)
    return EACH, x.spread(values)


def _widened(x: Array) -> Any:
    """x as a NumPy array of numbers; bfloat16 as the float32 that it is."""
    values = as_numpy(x)
    if dtype_name(x) == "bfloat16":
        values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return values


def _blocks(count: int) -> int:
    return -(-count // loops.BLOCK)


def _share(count: int, work: Callable[[int, int], None]) -> None:
    """work(begin, end) over the blocks. An element takes about a third of the time of a number in a row."""
    run(_blocks(count), count // 3, work)
