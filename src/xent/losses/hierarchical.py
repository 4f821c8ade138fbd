"""Hierarchical softmax: the classes are the leaves of a binary tree, and a label costs the decisions on its path.

    −log q_y = Σ_d BCE(turn_d(y), z[node_d(y)])

That is about log₂ K scores for an example in place of K. The probabilities of all classes sum to one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.core.arrays import (
    Array,
    classes_last,
    device_of,
    library,
    look_up,
    namespace,
    sum_classes,
    to_compute,
)
from xent.core.predictions import Logits, LogProbabilities, Projection
from xent.core.reduction import Empty, Reduction
from xent.core.targets import Indicators, Labels
from xent.errors import ShapeError
from xent.functional import cross_entropy
from xent.functional.averaging import reduced
from xent.functional.projection import mask_hidden, projected_scores
from xent.losses.catalogue import member
from xent.losses.hard_labels import hard_labels
from xent.losses.tree import Tree

__all__ = ["Tree", "hierarchical_log_probabilities", "hierarchical_softmax"]


@member(
    "Σ_d BCE(turn_d(y), z[node_d(y)]) over the path to y in a binary tree",
    gradient="σ(z) − turn at the nodes of the path",
    source="Morin and Bengio, Hierarchical Probabilistic Neural Network Language Model, AISTATS 2005; Mikolov, Chen, "
    "Corrado and Dean, 2013, arXiv 1301.3781",
)
def hierarchical_softmax(
    P: Labels,
    Q: Logits | Projection,
    *,
    tree: Tree,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """Hierarchical softmax: −log q of each label, a sum of binary cross-entropies.

    Parameters
    ----------
    P : Labels
        Without smoothing: soft targets would need every path.
    Q : Logits (…, inner), or Projection with a classifier (inner, H)
        One score for each inner node of the tree. Of a Projection only the nodes on the paths are multiplied.
    tree : Tree
    weight, reduction, denominator, empty
        As of ``cross_entropy``.

    Raises
    ------
    UndefinedPairError
        P that is not Labels, or is smoothed; a Q that holds no scores.
    ShapeError
        Another number of scores than the tree has inner nodes.

    Examples
    --------
    >>> import xent
    >>> tree = xent.losses.hierarchical.Tree.huffman([5, 1, 1])
    >>> Q = xent.Logits([[0.0, 0.0], [0.0, 0.0]])
    >>> xent.losses.hierarchical.hierarchical_softmax(xent.Labels([0, 1]), Q, tree=tree, reduction="none").round(4)
    array([0.6931, 1.3863])
    """
    labels = hard_labels(P, Q, tree.classes, weight, "hierarchical_softmax(P)")
    _require_nodes(Q, tree)
    index, counted = labels.index, labels.counted
    xp = namespace(index)
    safe = xp.where(labels.inside, index, xp.zeros_like(index))
    nodes = look_up(xp.asarray(tree.nodes, device=device_of(index)), safe)
    turns = look_up(xp.asarray(tree.turns, device=device_of(index)), safe)
    scores = _path_scores(Q, xp.where(nodes >= 0, nodes, xp.zeros_like(nodes)), counted, labels.weight)
    each = sum_classes(cross_entropy(Indicators(turns), Logits(scores), weight=nodes >= 0, reduction="none"))
    # A label outside the classes that could not be refused is NaN, and so is its gradient.
    sound = labels.inside if counted is None else labels.inside | ~counted
    each = each * xp.where(sound, xp.ones_like(each), float("nan"))
    return reduced(
        each, counted=counted, weight=labels.weight, reduction=reduction, denominator=denominator, empty=empty
    )


def hierarchical_log_probabilities(Q: Logits | Projection, *, tree: Tree) -> LogProbabilities:
    """log q of all K classes, from the scores of the inner nodes; differentiable. Classes are at Q's axis.

    Holds K numbers for each decision of the longest path: it is for inference, and for looking at small trees.
    """
    x, axis = _node_scores(Q, tree)
    xp = namespace(x)
    ones = xp.ones_like(x)
    yes = cross_entropy(Indicators(ones), Logits(x), reduction="none")
    no = cross_entropy(Indicators(xp.zeros_like(x)), Logits(x), reduction="none")
    # A column for each decision, and one of zeros for what comes after the end of a path.
    table = xp.concat((no, yes, xp.zeros_like(x[..., :1])), axis=-1)
    inner = int(x.shape[-1])
    column = np.where(tree.nodes < 0, 2 * inner, tree.nodes + inner * tree.turns)
    picked = look_up(xp.moveaxis(table, -1, 0), xp.asarray(column, device=device_of(x)))
    return LogProbabilities(xp.moveaxis(-xp.sum(picked, axis=1), 0, axis), axis=axis)


def _require_nodes(Q: Logits | Projection, tree: Tree) -> None:
    got = Q.weight.shape[0] if isinstance(Q, Projection) else Q.scores.shape[Q.axis]
    if got != tree.inner:
        raise ShapeError("Q", f"{tree.inner} scores: one for each inner node of the tree", f"{got}")


def _node_scores(Q: Logits | Projection, tree: Tree) -> tuple[Array, int]:
    """The scores of all nodes, which are last, and where Q has them."""
    _require_nodes(Q, tree)
    if isinstance(Q, Projection):
        x = projected_scores(Q, None, None, None, None)[0]
        return x, x.ndim - 1
    axis = Q.axis % Q.scores.ndim
    return classes_last(to_compute(Q.scores), axis), axis


def _path_scores(Q: Logits | Projection, path: Array, counted: Array | None, weight: Array | None) -> Array:
    """The scores of the nodes on each path (…, D)."""
    xp = namespace(path)
    if isinstance(Q, Logits):
        x = mask_hidden(classes_last(to_compute(Q.scores), Q.axis % Q.scores.ndim), counted, weight)
        return x.gather(-1, path) if library(x) == "torch" else xp.take_along_axis(x, path, axis=-1)
    hidden = mask_hidden(to_compute(Q.hidden), counted, weight)
    found = sum_classes(xp.astype(look_up(Q.weight, path), hidden.dtype, copy=False) * hidden[..., None, :])
    return found if Q.bias is None else found + xp.astype(look_up(Q.bias, path), hidden.dtype, copy=False)
