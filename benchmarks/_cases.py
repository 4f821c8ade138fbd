"""What is measured, with whom it is compared, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["cross_entropy", "value_and_grad", "binary", "log_loss", "memory", "first"]

OURS, EAGER, COMPILED, JAX, COPY = "xent.torch", "PyTorch eager", "torch.compile", "JAX jit", "copy"
TYPED, SKLEARN = "xent", "scikit-learn"
FIRST, LATER, LATER_NUMBA = "after installation", "later process", "later process, Numba imported before"

#: The columns of each group, ours first.
PEERS: dict[Group, tuple[str, ...]] = {
    "cross_entropy": (OURS, TYPED, EAGER, COMPILED, JAX, COPY),
    "value_and_grad": (TYPED, COPY),
    "binary": (OURS, EAGER, COMPILED),
    "log_loss": (TYPED, SKLEARN),
    "memory": (OURS, EAGER, COMPILED),
    "first": (FIRST, LATER, LATER_NUMBA),
}
TITLES: dict[Group, str] = {
    "cross_entropy": "Cross-entropy of scores, forward and backward (ms)",
    "value_and_grad": "xent.value_and_grad on NumPy arrays (ms)",
    "binary": "binary_cross_entropy_with_logits, forward and backward (ms)",
    "log_loss": "Labels with Probabilities on NumPy arrays, value only (ms)",
    "memory": "Peak memory beyond the scores, as a multiple of theirs, in a fresh process",
    "first": "The first forward and backward of a process, beyond its imports (s)",
}


@dataclass(frozen=True)
class Target:
    """``faster``: peer/ours ≥ bound. ``within``: ours/peer ≤ bound. ``at most``: the peer's own figure ≤ bound."""

    kind: Literal["faster", "within", "at most"]
    peer: str
    bound: float


@dataclass(frozen=True)
class Case:
    """One line of a table."""

    group: Group
    shape: tuple[int, ...]
    dtype: str
    targets: tuple[Target, ...] = ()
    #: The shape of a smoke test.
    quick: tuple[int, ...] = (16, 10)

    def at(self, quick: bool) -> tuple[int, ...]:
        return self.quick if quick else self.shape

    def name(self, quick: bool) -> str:
        return f"{'×'.join(map(str, self.at(quick)))} {self.dtype}"


_LARGE = (Target("faster", EAGER, 10), Target("faster", COMPILED, 4), Target("faster", JAX, 4))
_COPY = Target("within", COPY, 1.5)
_SMALL = (Target("within", EAGER, 1.3),)
_LOG_LOSS = (Target("faster", SKLEARN, 8),)

CASES = (
    Case("cross_entropy", (2048, 32000), "float32", (*_LARGE, _COPY), (16, 3200)),
    Case("cross_entropy", (512, 128256), "float32", (*_LARGE, _COPY), (4, 12825)),
    Case("cross_entropy", (100_000, 1000), "float32", (*_LARGE, _COPY), (1000, 100)),
    Case("cross_entropy", (1_000_000, 10), "float32", _LARGE, (5000, 10)),
    Case("cross_entropy", (2048, 32000), "bfloat16", (Target("faster", EAGER, 6),), (16, 3200)),
    Case("cross_entropy", (256, 1000), "float32", _SMALL, (32, 100)),
    Case("cross_entropy", (64, 10), "float32", _SMALL, (64, 10)),
    Case("value_and_grad", (2048, 32000), "float32", (), (16, 3200)),
    Case("binary", (10_000_000,), "float32", (Target("faster", EAGER, 5),), (10_000,)),
    Case("log_loss", (1_000_000, 10), "float64", _LOG_LOSS, (1000, 10)),
    Case("log_loss", (1_000_000, 10), "float32", _LOG_LOSS, (1000, 10)),
    Case("log_loss", (100_000, 1000), "float64", _LOG_LOSS, (100, 100)),
    Case("log_loss", (100_000, 1000), "float32", _LOG_LOSS, (100, 100)),
    Case("memory", (2048, 32000), "float32", (Target("at most", OURS, 1.05),), (256, 3200)),
    Case("first", (256, 1000), "float32", (Target("at most", FIRST, 3.0), Target("at most", LATER, 0.3)), (32, 100)),
    Case("first", (64, 10), "float32", (Target("at most", FIRST, 3.0), Target("at most", LATER, 0.3)), (64, 10)),
)

#: Where memory comes from, as variables of the environment. A gradient of 262 MB is 64,000 pages of 4 KiB to fault in
#: at every call of a framework that gives it back, or 125 huge ones; both are settings that users run with.
SETTINGS: dict[str, dict[str, str]] = {
    "as installed": {},
    "huge pages": {"THP_MEM_ALLOC_ENABLE": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
}
#: Memory and first calls are measured in fresh processes, as installed.
FRESH: frozenset[Group] = frozenset({"memory", "first"})
