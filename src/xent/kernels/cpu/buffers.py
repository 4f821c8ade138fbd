"""Memory for large gradients, used again when nobody holds it any more.

Fresh memory costs a page fault for every page that is first written, which takes as long as all the arithmetic of a
loss. So the memory of a large gradient goes to a pool when the last array, tensor or view that reads it is gone, and
the next gradient of about its size is written there. What the pool keeps is bounded; see ``xent.memory``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: Smaller arrays come from NumPy, whose allocator keeps small memory itself.
POOLED = 2**20
#: Pooled memory is lent for as little as this part of it, so that batches of changing length find some.
_USED = 0.5
_LINE = 64


class _Memory:
    """Bytes, from the start of a cache line on. They are lent to one lease at a time."""

    __slots__ = ("address", "owner", "size")

    def __init__(self, size: int) -> None:
        self.owner = np.empty(size + _LINE, np.uint8)
        self.address = self.owner.ctypes.data + -self.owner.ctypes.data % _LINE
        self.size = size


class _Lease:
    """Holds memory for an array, all its views and what other libraries make of them; gives it back at the end.

    NumPy makes the lease, which is no array, the base of the array, and the array the base of its views: so the lease
    lives as long as anything that can reach the memory.
    """

    __slots__ = ("__array_interface__", "memory", "pool")

    def __init__(self, pool: Pool, memory: _Memory, shape: Any, dtype: Any, strides: Any) -> None:
        self.pool, self.memory = pool, memory
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (memory.address, False),
            "strides": strides,
            "version": 3,
        }

    def __del__(self) -> None:
        self.pool.take_back(self.memory)


class Pool:
    """Memory that is lent, and idle memory, of which at most ``limit`` bytes are kept (None: twice the largest loan).

    Without a lock: every step is one operation of a list or a set, which Python makes whole. A lease may end in any
    thread, in the middle of anything, and in a forked child.
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self._idle: list[_Memory] = []
        self._lent: set[_Memory] = set()
        self._largest = 0

    def array(self, shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...] | None = None) -> Any:
        """An uninitialised array; ``strides`` of one without gaps, in any order of axes."""
        size = dtype.itemsize
        for length in shape:
            size *= length
        if size < POOLED:
            flat = np.empty(size // dtype.itemsize, dtype)
            return np.ndarray(shape, dtype, flat, 0, strides)
        memory = self._found(size) or _Memory(size)
        self._largest = max(self._largest, size)
        self._lent.add(memory)
        return np.asarray(_Lease(self, memory, shape, dtype, strides))

    def _found(self, size: int) -> _Memory | None:
        """The smallest idle memory that is large enough, and not far too large."""
        for memory in sorted(self._idle, key=lambda memory: memory.size):
            if memory.size * _USED <= size <= memory.size and self._removed(memory):
                return memory
        return None

    def take_back(self, memory: _Memory) -> None:
        self._lent.discard(memory)
        self._idle.append(memory)
        self._trim()

    def set_limit(self, limit: int | None) -> None:
        self.limit = limit
        self._trim()

    def _trim(self) -> None:
        """Free the oldest idle memory until what is left is within the limit."""
        limit = 2 * self._largest if self.limit is None else self.limit
        idle = list(self._idle)
        excess = sum(memory.size for memory in idle) - limit
        for memory in idle:
            if excess <= 0:
                return
            excess -= memory.size
            self._removed(memory)

    def _removed(self, memory: _Memory) -> bool:
        """Take one from the idle ones; False where another thread was faster."""
        try:
            self._idle.remove(memory)
        except ValueError:
            return False
        return True

    def sizes(self) -> tuple[list[int], list[int]]:
        """The bytes of every idle and of every lent memory."""
        # Copies, which no lease that ends meanwhile changes.
        return [memory.size for memory in self._idle.copy()], [memory.size for memory in self._lent.copy()]

    def empty(self) -> int:
        """Free all idle memory; how many bytes there were."""
        freed = 0
        for memory in tuple(self._idle):
            freed += memory.size if self._removed(memory) else 0
        return freed


pool = Pool()


def gradient_like(shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...] | None = None) -> Any:
    """An uninitialised array for a gradient, or what is needed on the way, from the pool where it is large."""
    return pool.array(shape, np.dtype(dtype), strides)
