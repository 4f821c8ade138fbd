"""From options to what computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xent.core import checks
from xent.errors import OptionError
from xent.linear_model import heads, hinges, solvers
from xent.linear_model.heads import Head
from xent.linear_model.proximal import proximal
from xent.linear_model.solvers import Optimum
from xent.linear_model.truth import Truth
from xent.losses.loss import Loss

Matrix = Any

SOLVERS: dict[str, Callable[..., Optimum]] = {
    "auto": solvers.auto,
    "lbfgs": solvers.lbfgs,
    "newton-cg": solvers.newton_cg,
    "gradient-descent": solvers.gradient_descent,
    "proximal": proximal,
}
#: Of a softmax and of a sigmoid.
_HEADS: dict[str, tuple[type[Head], type[Head]]] = {
    "cross-entropy": (heads.SoftmaxCrossEntropy, heads.SigmoidCrossEntropy),
    "squared-error": (heads.SoftmaxSquaredError, heads.SigmoidSquaredError),
    "hinge": (hinges.SoftmaxHinge, hinges.SigmoidHinge),
}


def solver_for(solver: Any, head: Head, sparsity: float) -> Callable[..., Optimum]:
    """What finds the optimum with that head and λ₁.

    Raises
    ------
    OptionError
        Another name; a solver that does not go with the loss or with the penalty.
    """
    checks.require_choice(solver, tuple(SOLVERS), "solver=")
    if sparsity:
        if solver not in ("auto", "proximal"):
            raise OptionError("solver=", '"auto" or "proximal" where l1_ratio is not 0', repr(solver))
        return proximal
    if solver == "newton-cg" and not head.has_curvature:
        raise OptionError("solver=", '"auto" or "lbfgs" for this loss', repr(solver), "It has no curvature here.")
    if solver == "auto" and isinstance(head, hinges.Hinge):
        # Its curvature is that of few examples, and large: systems with it take many passes.
        return solvers.lbfgs_then_newton
    return SOLVERS[solver]


def head_for(loss: Any, truth: Truth, weight: Matrix, *, single: bool) -> Head:
    """The head of a loss for a truth; ``single``: one column of scores for two classes.

    Raises
    ------
    OptionError
        Another loss, or more than two classes for one column.
    """
    values, columns, rows = truth.values, len(truth.classes), not truth.independent
    if single:
        if columns != 2 or not rows:
            # In scikit-learn's words, which its checks look for.
            raise ValueError(
                f"Only binary classification is supported. LogisticRegression got {columns} classes: "
                "write SoftmaxRegression."
            )
        values = (values if values.ndim == 1 else values[:, 1]).astype(np.float64)[:, None]
        columns, rows = 1, False
    if isinstance(loss, Loss):
        return heads.Custom(values, weight, columns, loss, rows)
    if not isinstance(loss, str) or loss not in _HEADS:
        raise OptionError("loss=", f"one of {', '.join(map(repr, _HEADS))}, or a Loss of xent.losses", repr(loss))
    return _HEADS[loss][0 if rows else 1](values, weight, columns)
