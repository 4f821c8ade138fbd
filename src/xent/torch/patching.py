"""Routes the losses of ``torch.nn.functional`` here, for a context or for the process, and back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import torch

from xent.torch import binary, divergence, likelihood, linear, margin

_OURS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        binary.binary_cross_entropy,
        binary.binary_cross_entropy_with_logits,
        binary.multilabel_soft_margin_loss,
        binary.soft_margin_loss,
        divergence.kl_div,
        likelihood.cross_entropy,
        likelihood.nll_loss,
        linear.linear_cross_entropy,
        margin.multi_margin_loss,
        margin.multilabel_margin_loss,
    )
}
_lock = threading.Lock()
#: What stood in torch.nn.functional before the first patch, while there is one.
_before: dict[str, Any] = {}
_active: list[Patch] = []


def patch() -> Patch:
    """Route ``torch.nn.functional``'s losses to ``xent.torch``'s, at once and in every thread.

    ``torch.nn``'s modules follow, since they call those functions by name when they run. A name that was imported
    before (``from torch.nn.functional import cross_entropy``) does not follow. What ``torch.compile`` has compiled
    holds the functions that stood there then, so the first patch and the end of the last one call
    ``torch.compiler.reset()``: compiled code is compiled again.

    Returns
    -------
    Patch
        A handle: leaving it as a context, or its ``unpatch()``, takes this patch back. PyTorch's functions return when
        the last patch has been taken back.

    Raises
    ------
    RuntimeError
        On the way back, where another library has replaced one of the functions meanwhile.

    Examples
    --------
    >>> import torch, xent.torch
    >>> with xent.torch.patch():
    ...     torch.nn.functional.cross_entropy is xent.torch.cross_entropy
    True
    >>> torch.nn.functional.cross_entropy is xent.torch.cross_entropy
    False
    """
    return Patch()


class Patch:
    """A patch of ``torch.nn.functional``, in force from when it is made; see ``patch``."""

    def __init__(self) -> None:
        functional = torch.nn.functional
        with _lock:
            if not _active:
                for name, ours in _OURS.items():
                    # A name that this PyTorch does not have (linear_cross_entropy before 2.13) is not given to it.
                    if hasattr(functional, name):
                        _before[name] = getattr(functional, name)
                        setattr(functional, name, ours)
                _forget_compiled()
            _active.append(self)

    def unpatch(self) -> None:
        """Take this patch back; a second time does nothing."""
        with _lock:
            # By identity, and once: patches may be taken back in any order.
            if self not in _active:
                return
            _active.remove(self)
            if not _active:
                _restore()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.unpatch()


def _forget_compiled() -> None:
    if "torch._dynamo" in sys.modules:  # else nothing has been compiled
        torch.compiler.reset()


def _restore() -> None:
    foreign = []
    for name, theirs in _before.items():
        if getattr(torch.nn.functional, name) is _OURS[name]:
            setattr(torch.nn.functional, name, theirs)
        else:
            foreign.append(name)
    _before.clear()
    _forget_compiled()
    if foreign:
        raise RuntimeError(
            f"torch.nn.functional.{', '.join(foreign)}: replaced by another library since patch(), and left as it is. "
            "Take that library's patch back before this one."
        )
