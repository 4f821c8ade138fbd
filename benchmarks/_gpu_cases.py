"""What is measured on a GPU, beside whom, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal[
    "train",
    "scaled",
    "rows",
    "forward",
    "likelihood",
    "entropy",
    "distribution",
    "distribution forward",
    "binary",
    "binary forward",
    "binary rows",
    "options",
    "memory",
    "first",
]

OURS, TYPED = "xent.torch", "xent"
EAGER, COMPILED, LIGER, QUACK, FLASH = "PyTorch eager", "torch.compile", "Liger", "QuACK", "flash-attention"
COPY, READ = "copy", "read"
PLAIN, SMOOTHED, Z_LOSS, FOCAL, CAPPED = "cross-entropy", "smoothing 0.1", "z-loss", "focal, γ = 2", "softcap 30"
EMPTY, FULL = "empty cache of Triton", "full cache of Triton"

#: Whose times "the best peer" is the least of.
RIVALS = (EAGER, COMPILED, LIGER, QUACK, FLASH)
#: The columns of each group, ours first.
PEERS: dict[Group, tuple[str, ...]] = {
    "train": (OURS, *RIVALS, COPY),
    "scaled": (OURS, *RIVALS, COPY),
    "rows": (OURS, *RIVALS, COPY),
    "forward": (OURS, *RIVALS, READ),
    "likelihood": (OURS, *RIVALS, READ),
    "entropy": (TYPED, EAGER, COMPILED, READ),
    "distribution": (OURS, TYPED, EAGER, COMPILED, COPY),
    "distribution forward": (OURS, TYPED, EAGER, COMPILED, READ),
    "binary": (OURS, TYPED, EAGER, COMPILED, COPY),
    "binary forward": (OURS, TYPED, EAGER, COMPILED, READ),
    "binary rows": (OURS, TYPED, EAGER, COMPILED, COPY),
    "options": (PLAIN, SMOOTHED, Z_LOSS, FOCAL, CAPPED),
    "memory": (OURS, *RIVALS),
    "first": (EMPTY, FULL),
}
TITLES: dict[Group, str] = {
    "train": "Cross-entropy of scores, forward and backward (ms)",
    "scaled": "The mean loss divided by 4, as where gradients are accumulated, forward and backward (ms)",
    "rows": 'reduction="none": the mean of the losses times a weight of each row, forward and backward (ms)',
    "forward": "The mean loss alone, without gradients (ms)",
    "likelihood": "The log-likelihood of each token, without gradients (ms)",
    "entropy": "The log-likelihood of each token and the entropy of its distribution, without gradients (ms)",
    "distribution": "Cross-entropy of probabilities, which are as large as the scores, forward and backward (ms)",
    "distribution forward": "Cross-entropy of probabilities, without gradients (ms)",
    "binary": "binary_cross_entropy_with_logits, its targets as large as the scores, forward and backward (ms)",
    "binary forward": "binary_cross_entropy_with_logits, without gradients (ms)",
    "binary rows": 'binary_cross_entropy_with_logits, reduction="none": the means of rows times a weight of each, '
    "forward and backward (ms)",
    "options": "What more the loss can be, forward and backward (ms)",
    "memory": "Peak memory of one forward and backward beyond the scores, as a multiple of theirs",
    "first": "The first forward and backward of a process, beyond its imports (s)",
}
#: Peers that are looked for in vain, and why.
NOT_HERE = {
    "cut-cross-entropy": "not applicable: it is the loss of a linear head, computed from its input and its weight "
    "without making the scores that are given here"
}


@dataclass(frozen=True)
class Target:
    """One bound on medians.

    ``bandwidth``: the peer's time over ours ≥ bound, for a peer that moves the bytes that have to be moved and no more.
    ``best``: the least time of the rivals over ours ≥ bound. ``faster``: the peer's time over ours ≥ bound. ``within``:
    the peer's time over that of the first column ≤ bound. ``at most``: the peer's own figure ≤ bound.
    """

    kind: Literal["bandwidth", "best", "faster", "within", "at most"]
    peer: str
    bound: float


@dataclass(frozen=True)
class Case:
    """One line of a table."""

    group: Group
    shape: tuple[int, int]
    dtype: str
    targets: tuple[Target, ...] = ()

    def at(self, quick: bool) -> tuple[int, int]:
        """The shape; that of a smoke test has every way of the kernel through a row, and little memory."""
        if not quick:
            return self.shape
        rows, classes = self.shape
        return max(rows // 256, 16), classes

    def name(self, quick: bool) -> str:
        return f"{'×'.join(map(str, self.at(quick)))} {self.dtype}"

    def key(self, quick: bool) -> tuple[str, str]:
        """What tells it from the others."""
        return self.group, self.name(quick)

    def title(self, quick: bool) -> str:
        """What ``--only`` looks in."""
        return " ".join(self.key(quick))


LARGE = ((8192, 128256), (16384, 32000), (4096, 262144))
SMALL = ((65536, 1000), (1_000_000, 10))
HALF, SINGLE = "bfloat16", "float32"

_COPY = Target("bandwidth", COPY, 0.9)
_READ = Target("bandwidth", READ, 0.9)
_BEST = Target("best", "", 1.0)
_FIRST = (Target("at most", EMPTY, 10.0), Target("at most", FULL, 10.0))

CASES = (
    *(Case("train", shape, HALF, (_COPY, _BEST)) for shape in LARGE),
    *(Case("train", shape, SINGLE, (_COPY,)) for shape in LARGE),
    *(
        Case("train", shape, dtype, (Target("faster", EAGER, 3.0), _BEST))
        for shape in SMALL
        for dtype in (HALF, SINGLE)
    ),
    Case("scaled", LARGE[0], HALF),
    *(Case("rows", shape, HALF) for shape in (LARGE[0], SMALL[0])),
    *(Case("forward", shape, dtype, (_READ,)) for dtype in (HALF, SINGLE) for shape in LARGE),
    *(Case("likelihood", shape, HALF, (_READ,)) for shape in LARGE),
    *(Case("entropy", shape, HALF, (_READ,)) for shape in LARGE),
    *(Case("distribution", shape, HALF) for shape in (LARGE[1], SMALL[0])),
    Case("distribution forward", LARGE[1], HALF),
    *(Case("binary", SMALL[0], dtype) for dtype in (HALF, SINGLE)),
    *(Case("binary forward", SMALL[0], dtype) for dtype in (HALF, SINGLE)),
    Case("binary rows", SMALL[0], HALF),
    Case("options", LARGE[0], HALF, tuple(Target("within", name, 1.1) for name in PEERS["options"][1:-1])),
    Case("memory", LARGE[0], HALF, (Target("at most", OURS, 1.01),)),
    # A row is compiled in the same time however many there are: one shape that is held, one that is read in pieces.
    Case("first", (4096, 1000), HALF, _FIRST),
    Case("first", (4096, 128256), HALF, _FIRST),
)


def chosen(only: str, *, quick: bool) -> list[Case]:
    """The cases whose group and name hold the text."""
    return [case for case in CASES if only in case.title(quick)]
