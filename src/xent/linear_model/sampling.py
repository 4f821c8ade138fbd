"""A share of the examples: what is nearly true of all at a fraction of the cost."""

from __future__ import annotations

import numpy as np

from xent.linear_model.objective import Objective

#: How many numbers a share holds where the examples themselves are not in memory.
_NUMBERS = 2**23


def affordable(objective: Objective, share: int) -> int:
    """``share``, or so much more that one in so many examples can be held in memory."""
    examples = objective.examples
    return share if examples.in_memory else max(share, -(-examples.numbers // _NUMBERS))


def shared(objective: Objective, share: int) -> Objective | None:
    """The objective of one in ``share`` of the examples, drawn at random, always the same; itself for one in one, and
    None where none of them counts."""
    if share <= 1:
        return objective
    count = objective.examples.count
    rows = np.sort(np.random.default_rng(0).choice(count, count // share, replace=False))
    head = objective.head.some(rows)
    total = float(head.weight.sum())
    if not total > 0.0:
        return None
    head.weight = head.weight * (objective.head.weight.sum() / total)
    examples = objective.examples.some(rows)
    return Objective(examples, head, objective.scaling, objective.penalty, objective.sparsity)
