"""A share of the examples, to begin with."""

from __future__ import annotations

import numpy as np

from xent.linear_model.objective import Objective


def shared(objective: Objective, share: int) -> Objective:
    """The objective of one in ``share`` of the examples, drawn at random, always the same."""
    count = objective.examples.count
    rows = np.sort(np.random.default_rng(0).choice(count, count // share, replace=False))
    head = objective.head.some(rows)
    head.weight *= objective.head.weight.sum() / head.weight.sum()
    return Objective(objective.examples.some(rows), head, objective.scaling, objective.penalty)
