"""Turns on a device: every peer in every round, timed by the device's own events, with nothing in its cache.

PyTorch is imported by ``device`` alone, so that the rest can be tested with events of another kind.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol


class Event(Protocol):
    """What ``torch.cuda.Event(enable_timing=True)`` is."""

    def record(self) -> None: ...

    def elapsed_time(self, end: Any) -> float: ...


@dataclass(frozen=True)
class Device:
    """What the timing needs of a device.

    ``cover`` queues work that empties the second-level cache, and that keeps the device busy until the host has queued
    the call that follows: what is timed is the device, not the host. A call that waits for the device pays for it.
    """

    event: Callable[[], Event]
    cover: Callable[[], None]
    wait: Callable[[], None]


@dataclass(frozen=True)
class Peer:
    """``call`` is what is timed, as a user writes it; ``prepare`` and ``release`` are not timed.

    ``gradient`` is what the last call left by the scores; None where there is none.
    """

    call: Callable[[], Any]
    prepare: Callable[[], None] = lambda: None
    release: Callable[[], None] = lambda: None
    gradient: Callable[[], Any] = lambda: None
    note: str = ""


def alternate(peers: dict[str, Peer], rounds: int, device: Device) -> dict[str, list[float]]:
    """Milliseconds of a call, a sample of each peer each round."""
    for peer in peers.values():
        for _ in range(2):  # the first compiles
            _untimed(peer)
    device.wait()
    samples: dict[str, list[float]] = {name: [] for name in peers}
    names, order = list(peers), random.Random(0)
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            order.shuffle(names)  # nobody always follows the same one
            for name in names:
                samples[name].append(_turn(peers[name], device))
    finally:
        gc.enable()
    return samples


def fastest(candidates: dict[str, Peer], device: Device) -> tuple[str, Peer]:
    """The candidate with the least median of five."""
    samples = alternate(candidates, 5, device)
    best = min(samples, key=lambda name: median(samples[name]))
    return best, candidates[best]


def _turn(peer: Peer, device: Device) -> float:
    _untimed(peer)  # what the peer before gave back to the allocator is this one's by now
    peer.prepare()
    start, stop = device.event(), device.event()
    device.cover()
    start.record()
    peer.call()
    stop.record()
    device.wait()
    peer.release()
    return round(start.elapsed_time(stop), 6)


def _untimed(peer: Peer) -> None:
    peer.prepare()
    peer.call()
    peer.release()


_COVER = 2.0  # milliseconds: more than the host needs to queue any of the calls
_UNKNOWN_CACHE = 2**26  # bytes, where PyTorch does not tell how large the second-level cache is


def device() -> Device:
    """The current CUDA device."""
    import torch

    cache = getattr(torch.cuda.get_device_properties(torch.cuda.current_device()), "L2_cache_size", _UNKNOWN_CACHE)
    # Read, not written: what it leaves in the cache need not be written back while the next call is timed.
    other = torch.zeros(max(int(cache), _UNKNOWN_CACHE), dtype=torch.float32, device="cuda")  # four times its size

    def event() -> Any:
        return torch.cuda.Event(enable_timing=True)

    def reads(times: int) -> None:
        for _ in range(times):
            torch.amax(other)

    reads(3)
    start, stop = event(), event()
    start.record()
    reads(10)
    stop.record()
    torch.cuda.synchronize()
    times = max(1, math.ceil(_COVER / (start.elapsed_time(stop) / 10)))
    return Device(event, lambda: reads(times), torch.cuda.synchronize)
