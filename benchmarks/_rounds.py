"""Turns: every peer in every round, each warm at its turn, so that what disturbs the machine disturbs all."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Peer:
    """``call`` is one forward and backward as a user writes it, and returns the loss; ``release`` drops the results."""

    call: Callable[[], Any]
    release: Callable[[], None] = lambda: None
    note: str = ""


_SAMPLE = 2e-3  # seconds: calls that are shorter are repeated until a sample is as long
_WARM = 5e-3  # seconds: by then the spinning threads of the peer before have gone to sleep
_MOST = 101  # rounds


def alternate(peers: dict[str, Peer], rounds: int, budget: float) -> dict[str, list[float]]:
    """Milliseconds a call, a sample each round: at least ``rounds`` of them, and more until ``budget`` seconds."""
    repeats = {name: _repeats(peer) for name, peer in peers.items()}
    samples: dict[str, list[float]] = {name: [] for name in peers}
    names = list(peers)
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        while len(samples[names[0]]) < rounds or (
            time.perf_counter() - start < budget and len(samples[names[0]]) < _MOST
        ):
            for name in names:
                samples[name].append(_turn(peers[name], repeats[name]))
            names = [*names[1:], names[0]]  # nobody always follows the same one
    finally:
        gc.enable()
    return samples


def fastest(candidates: dict[str, Peer]) -> tuple[str, Peer]:
    """The candidate with the least median of five."""
    samples = alternate(candidates, 5, 0.0)
    best = min(samples, key=lambda name: sorted(samples[name])[2])
    return best, candidates[best]


def _turn(peer: Peer, repeats: int) -> float:
    start = time.perf_counter()
    peer.call()
    while time.perf_counter() - start < _WARM:
        peer.call()
    start = time.perf_counter()
    for _ in range(repeats):
        peer.call()
    took = time.perf_counter() - start
    peer.release()
    return round(1e3 * took / repeats, 6)


def _repeats(peer: Peer) -> int:
    """How many calls make a sample; also warms the peer."""
    for _ in range(2):
        start = time.perf_counter()
        peer.call()
        took = time.perf_counter() - start
    peer.release()
    return max(1, math.ceil(_SAMPLE / took))
