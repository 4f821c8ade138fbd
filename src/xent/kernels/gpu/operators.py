"""The kernels as PyTorch operators, which ``torch.compile`` takes as they are: imported where PyTorch is."""

from __future__ import annotations

from typing import Any

import torch

from xent.kernels import gpu as room
from xent.kernels.gpu import gpu
from xent.kernels.protocol import HardTarget, RowCoefficients, SoftTarget, Statistic, Target


@torch.compiler.assume_constant_result
def failure(device: str) -> str | None:
    """Why Triton does not run on a device, found out while a graph is captured, and no part of it."""
    return room._failure(device)


_OF_ROWS = "Tensor q, Tensor? index, Tensor? probs, Tensor? log_probs, float on, float off"


def _target(index: Any, probs: Any, log_probs: Any, on: float, off: float) -> Target | None:
    if index is not None:
        return HardTarget(index, on, off)
    return None if probs is None and log_probs is None else SoftTarget(probs, on, off, log_probs)


def _row_statistics(
    q: Any, index: Any, probs: Any, log_probs: Any, on: float, off: float, names: list[str]
) -> list[Any]:
    want: frozenset[Statistic] = frozenset(names)  # type: ignore[arg-type]
    found = gpu.row_statistics(q, _target(index, probs, log_probs, on, off), "logits", want)
    return [getattr(found, name) for name in names]


def _no_row_statistics(
    q: Any, index: Any, probs: Any, log_probs: Any, on: float, off: float, names: list[str]
) -> list[Any]:
    types = {"argmax": torch.int64}
    return [q.new_empty(q.shape[:-1], dtype=types.get(name, torch.float32)) for name in names]


def _row_gradient(q: Any, index: Any, probs: Any, log_probs: Any, on: float, off: float, a: Any, b: Any, h: Any) -> Any:
    return gpu.row_gradient(q, _target(index, probs, log_probs, on, off), "logits", RowCoefficients(a, b, h))


def _like(q: Any, *others: Any) -> Any:
    from xent.kernels.gpu import rows

    return rows.like(q)


def _element_statistics(q: Any) -> list[Any]:
    return list(gpu.element_statistics(q, "logits"))


def _element_gradient(q: Any, a: Any, b: Any) -> Any:
    return gpu.element_gradient(q, "logits", a, b)


def _operator(name: str, schema: str, run: Any, like: Any) -> None:
    operator = torch.library.custom_op(f"xent::{name}", run, mutates_args=(), schema=schema)
    operator.register_fake(like)


_operator("row_statistics", f"({_OF_ROWS}, str[] names) -> Tensor[]", _row_statistics, _no_row_statistics)
_operator(
    "row_gradient",
    f"({_OF_ROWS}, Tensor? a, Tensor? b, Tensor? h) -> Tensor",
    _row_gradient,
    _like,
)
_operator(
    "element_statistics",
    "(Tensor q) -> Tensor[]",
    _element_statistics,
    lambda q: [q.new_empty(q.shape, dtype=torch.float32) for _ in range(2)],
)
_operator(
    "element_gradient",
    "(Tensor q, Tensor a, Tensor b) -> Tensor",
    _element_gradient,
    lambda q, a, b: q.new_empty(q.shape),
)
