"""How a peer on a GPU is made: checked before it is timed, absent with a reason where it fails."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import torch

from benchmarks._gpu_turns import Device, Peer, fastest

#: A peer, or why there is none: {"absent": why} or {"wrong": what}.
Found: TypeAlias = Peer | dict[str, str]
#: From a result and the gradient that it left to what is wrong with them.
Check: TypeAlias = Callable[[Any, Any], str | None]


def data(shape: tuple[int, int], dtype: Any, on: str = "cuda") -> tuple[Any, Any]:
    """Scores N(0, 3²) that want a gradient, and labels."""
    g = torch.Generator(on).manual_seed(0)
    z = torch.randn(shape, generator=g, device=on, dtype=dtype).mul_(3)
    return z.requires_grad_(), torch.randint(shape[-1], shape[:1], generator=g, device=on)


def tried(make: Callable[[], Any]) -> Any:
    """What is made, or {"absent": why}: a peer that fails does not end the run."""
    try:
        return make()
    except ImportError as error:
        return {"absent": f"not installed ({_said(error)})"}
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is why it is absent, and is printed
        return {"absent": f"{type(error).__name__}: {_said(error)}"}


def _said(error: Exception) -> str:
    """The first line of an error, as a cell of a table, without the folders of this machine."""
    line = (str(error).strip() or "no message").splitlines()[0]
    return re.sub(r"(?:/[^\s/'\":]+)+/", "", line).replace("|", "/")[:120]


def checked(make: Callable[[], Peer], check: Check) -> Found:
    """The peer, if its first result is right."""

    def run() -> Found:
        peer = make()
        peer.prepare()
        try:
            value = peer.call()
            what = check(value, peer.gradient())
        finally:
            peer.release()
        return peer if what is None else {"wrong": what}

    found: Found = tried(run)
    return found


def trained(loss: Callable[[], Any], z: Any, note: str = "", prepare: Callable[[], None] = lambda: None) -> Peer:
    """Forward and backward as in a training loop: the gradient of the step before is dropped, a new one is made."""

    def call() -> Any:
        value = loss()
        value.backward()
        return value

    def release() -> None:
        z.grad = None

    return Peer(call, prepare, release, lambda: z.grad, note)


def evaluated(function: Callable[[], Any], note: str = "", prepare: Callable[[], None] = lambda: None) -> Peer:
    """Without gradients."""

    def call() -> Any:
        with torch.no_grad():
            return function()

    return Peer(call, prepare, note=note)


def compiled(modes: tuple[str, ...], make: Callable[[str], Peer], check: Check, device: Device) -> Found:
    """The fastest of torch.compile's modes, each compiled for this one shape."""

    def run() -> Found:
        torch._dynamo.reset()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its deprecation warnings about itself
            made = {mode: checked(partial(make, mode), check) for mode in modes}
            peers = {mode: peer for mode, peer in made.items() if isinstance(peer, Peer)}
            if not peers:
                return made[modes[0]]
            mode, peer = fastest(peers, device)
        note = f'mode="{mode}", the fastest of {len(peers)}'
        return Peer(peer.call, peer.prepare, peer.release, peer.gradient, note)

    found: Found = tried(run)
    return found


def copied(z: Any) -> Found:
    """As many bytes as have to be read and written: the scores and their gradient."""

    def make() -> Peer:
        out, scores = torch.empty_like(z, requires_grad=False), z.detach()
        return Peer(lambda: out.copy_(scores), note="out.copy_(z), device to device")

    found: Found = tried(make)
    return found


def read(z: Any, device: Device) -> Found:
    """The bytes that have to be read, by what reads them fastest."""
    z = z.detach()
    ways: dict[str, Callable[[], Any]] = {
        "torch.amax(z)": lambda: torch.amax(z),
        "torch.amax(z, -1)": lambda: torch.amax(z, -1),
        "torch.sum(z)": lambda: torch.sum(z),
        "torch.sum(z, -1)": lambda: torch.sum(z, -1),
    }

    def make() -> Peer:
        name, peer = fastest({name: Peer(way) for name, way in ways.items()}, device)
        return Peer(peer.call, note=f"{name}, the fastest of {', '.join(ways)}")

    found: Found = tried(make)
    return found


def memory(peer: Peer) -> int:
    """Bytes of PyTorch's allocator at the peak of a call, above those before it."""
    peer.prepare()
    peer.call()  # what is made once is there by now
    peer.release()
    peer.prepare()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    peer.call()
    torch.cuda.synchronize()
    taken = torch.cuda.max_memory_allocated() - before
    peer.release()
    return int(taken)
