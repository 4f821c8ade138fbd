"""The memory that xent keeps for the gradients of its CPU kernels: how much there is, how to bound it, how to free it.

A large gradient (1 MiB and more) is written where an earlier one was that nobody holds any more, because fresh memory
costs as much as the arithmetic. Memory is used again only when the last array, tensor or view that reads it is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from xent.errors import OptionError
from xent.kernels.cpu.buffers import pool

__all__ = ["Report", "empty", "limit", "report"]


@dataclass(frozen=True)
class Report:
    """Bytes of gradient memory."""

    #: Kept for the next gradient; ``empty`` frees it.
    idle: int
    #: Under gradients that somebody holds.
    in_use: int
    #: The size of every idle buffer.
    idle_buffers: tuple[int, ...]
    #: The most that is kept idle; None is twice the largest gradient so far.
    limit: int | None

    def __str__(self) -> str:
        kept = "twice the largest gradient" if self.limit is None else f"{self.limit / 2**20:.1f} MiB"
        return f"idle {self.idle / 2**20:.1f} MiB, in use {self.in_use / 2**20:.1f} MiB, at most {kept} kept idle"


def report() -> Report:
    """How much memory the gradients of the CPU kernels use and keep.

    Examples
    --------
    >>> import xent
    >>> xent.memory.report().in_use
    0
    """
    idle, lent = pool.sizes()
    return Report(sum(idle), sum(lent), tuple(sorted(idle)), pool.limit)


def empty() -> int:
    """Free what is kept for the next gradient; what somebody holds stays. Returns the bytes that were freed."""
    return pool.empty()


def limit(nbytes: int | None) -> None:
    """Keep at most so many bytes for the next gradient: 0 keeps none, None (the default) twice the largest one so far.

    Raises
    ------
    OptionError
        A number that is negative or not whole.
    """
    if nbytes is not None and (isinstance(nbytes, bool) or not isinstance(nbytes, int) or nbytes < 0):
        raise OptionError("limit(nbytes)", "a whole number of bytes from 0, or None", repr(nbytes))
    pool.set_limit(nbytes)
