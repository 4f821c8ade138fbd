"""Binary trees over classes, as the paths to them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np

from xent.errors import OptionError, ShapeError


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree over K classes, as the path from the root to each.

    Parameters
    ----------
    nodes : integer array (K, D)
        The inner nodes on the way to each class, and −1 after its end. Each node has a score of its own.
    turns : array (K, D) of 0 and 1
        Where the way goes at each: 1 with probability σ(score). What stands after the end is not read.

    Raises
    ------
    ShapeError, OptionError
        Shapes that are not one; paths that are not those of a binary tree, whose probabilities would not sum to one.

    Examples
    --------
    >>> import xent
    >>> tree = xent.losses.hierarchical.Tree.huffman([5, 1, 1])
    >>> tree.depths
    array([1, 2, 2])
    """

    nodes: Any
    turns: Any

    def __post_init__(self) -> None:
        nodes, turns = np.asarray(self.nodes), np.asarray(self.turns)
        if nodes.ndim != 2 or nodes.shape != turns.shape or len(nodes) < 2 or nodes.dtype.kind not in "iu":
            raise ShapeError(
                "Tree(nodes, turns)",
                "whole numbers and turns of one shape (K, D), K ≥ 2",
                f"{nodes.dtype} {nodes.shape} and {turns.dtype} {turns.shape}",
            )
        nodes, turns = nodes.astype(np.int64), turns.astype(bool)
        on = nodes >= 0
        _require_tree(nodes, turns & on, on)
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "turns", turns & on)

    @classmethod
    def huffman(cls, counts: Any) -> Tree:
        """The tree whose mean path is the shortest for classes of these counts. Equal counts make a balanced tree.

        Raises
        ------
        ShapeError, OptionError
            Counts that are not K ≥ 2 numbers; one that is negative, infinite or NaN.

        References
        ----------
        Huffman, "A Method for the Construction of Minimum-Redundancy Codes", 1952.
        """
        n = np.asarray(counts, np.float64)
        if n.ndim != 1 or len(n) < 2:
            raise ShapeError("Tree.huffman(counts)", "shape (K,), K ≥ 2", f"shape {n.shape}")
        if not np.all(np.isfinite(n) & (n >= 0)):
            raise OptionError("Tree.huffman(counts)", "finite counts, 0 or more", f"{n.min()} to {n.max()}")
        size = len(n)
        # Of equal counts the older first, so that the tree is the same each time, and as flat as it can be.
        heap = [(float(count), k) for k, count in enumerate(n)]
        heapq.heapify(heap)
        parent = np.zeros(2 * size - 1, np.int64)
        turn = np.zeros(2 * size - 1, bool)
        for made in range(size, 2 * size - 1):
            (low, first), (high, second) = heapq.heappop(heap), heapq.heappop(heap)
            parent[first], parent[second], turn[second] = made, made, True
            heapq.heappush(heap, (low + high, made))
        return cls(*_paths(parent, turn, size))

    @property
    def classes(self) -> int:
        """K."""
        return len(self.nodes)

    @property
    def inner(self) -> int:
        """How many scores an example has: the inner nodes."""
        return int(self.nodes.max()) + 1

    @property
    def depths(self) -> np.ndarray[Any, Any]:
        """The decisions on the way to each class (K,)."""
        return np.asarray((self.nodes >= 0).sum(axis=1))


def _paths(parent: np.ndarray[Any, Any], turn: np.ndarray[Any, Any], size: int) -> tuple[Any, Any]:
    """Nodes and turns from the root to each of the first ``size`` nodes, the leaves; the last node is the root."""
    at, root = np.arange(size), len(parent) - 1
    nodes, turns = [], []
    while (at != root).any():
        nodes.append(np.where(at != root, parent[at] - size, -1))
        turns.append(turn[at] & (at != root))
        at = np.where(at != root, parent[at], root)
    # They were found from the leaf upwards: turned round, the places that a short path leaves come first.
    up, side = np.stack(nodes[::-1], axis=1), np.stack(turns[::-1], axis=1)
    order = np.argsort(up < 0, axis=1, kind="stable")
    return np.take_along_axis(up, order, axis=1), np.take_along_axis(side, order, axis=1)


def _require_tree(nodes: np.ndarray[Any, Any], turns: np.ndarray[Any, Any], on: np.ndarray[Any, Any]) -> None:
    """Decision by decision: the paths that came the same way stand at one node, go both ways from it, and a path that
    ends there is the only one."""
    here = np.zeros(len(nodes), np.int64)
    going = np.ones(len(nodes), bool)
    width = int(nodes.max(initial=0)) + 1
    for d in range(nodes.shape[1] + 1):
        more = on[:, d] if d < nodes.shape[1] else np.zeros(len(nodes), bool)
        ends = np.flatnonzero(going & ~more)
        if (more & ~going).any() or (np.bincount(here[going])[here[ends]] != 1).any():
            raise _no_tree(f"the paths of classes {ends[:3].tolist()}")
        if not more.any():
            return
        at = len(np.unique(here[more]))
        ways, found = np.unique(2 * here[more] + turns[more, d], return_inverse=True)
        if len(ways) != 2 * at or len(np.unique(width * here[more] + nodes[more, d])) != at:
            raise _no_tree(f"decision {d} of the paths")
        here[more] = found
        going = more


def _no_tree(what: str) -> OptionError:
    return OptionError(
        "Tree(nodes, turns)",
        "the paths of a binary tree: one node for each beginning, from which paths go both ways, and one class an end",
        what,
    )
