"""Whether the features determine their coefficients: none of them is a linear function of others.

By Cholesky's method on the correlations of all examples, feature by feature. What it leaves of a feature is the share
of its variance that the features before it do not explain, and its inverse is the ``Scaling`` in which the features
are uncorrelated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from xent.errors import DataError
from xent.linear_model.examples import Examples
from xent.linear_model.scaling import Scaling, moments, varies

Matrix = Any

#: A feature of which others explain all but so much has no coefficient of its own: sums in float64, and features that
#: were rounded to float32, are off by less.
_LEFT = 1e-12
#: So many names are listed.
_LISTED = 5


def uncorrelated(examples: Examples, weight: Matrix, intercept: bool, names: Sequence[str]) -> Scaling:
    """The coordinates in which the weighted features are uncorrelated, of variance 1.

    Raises
    ------
    DataError
        A feature is a linear function of others, or constant where there is an intercept; all such are named.
    """
    total = float(weight.sum())
    mean, _ = moments(examples, weight)
    center = mean if intercept else np.zeros_like(mean)

    def products(low: int, high: int) -> Matrix:
        x = examples.dense(slice(low, high)) - center
        return (x * weight[low:high, None]).T @ x

    gram = _over_rows(examples, products) / total
    size = np.sqrt(np.diag(gram))
    constant = ~varies(size, center)
    unit = 1.0 / np.where(constant, 1.0, size)
    L, kept, explained = _cholesky(gram * np.outer(unit, unit), constant)
    if explained:
        raise _refusal([(names[j], [names[i] for i in by]) for j, by in explained.items()], intercept)
    assert len(kept) == examples.features
    return Scaling(center, unit[:, None] * solve_triangular(L, np.eye(len(unit)), lower=True).T, 1.0, intercept)


def _over_rows(examples: Examples, of: Any) -> Matrix:
    """Σ of(low, high) over blocks of rows."""

    def part(begin: int, end: int) -> Matrix:
        return sum(of(low, high) for low, high, _ in examples.blocks(begin, end))

    return sum(examples.in_parts(examples.features**2, part))


def _cholesky(R: Matrix, constant: Matrix) -> tuple[Matrix, list[int], dict[int, list[int]]]:
    """(L of the features that are kept, their indices, those that are left out with the kept ones that make them)."""
    L, kept, explained = np.zeros_like(R), list[int](), dict[int, list[int]]()
    for j in range(len(R)):
        r = len(kept)
        if constant[j]:
            explained[j] = []
            continue
        row = solve_triangular(L[:r, :r], R[kept, j], lower=True) if r else np.empty(0)
        left = 1.0 - row @ row
        if left > _LEFT:
            L[r, :r], L[r, r] = row, np.sqrt(left)
            kept.append(j)
        else:
            share = np.abs(solve_triangular(L[:r, :r], row, lower=True, trans="T"))
            explained[j] = [kept[i] for i in np.flatnonzero(share > 1e-6 * share.max())]
    return L, kept, explained


def _refusal(found: list[tuple[str, list[str]]], intercept: bool) -> DataError:
    said = []
    for name, others in found[:_LISTED]:
        listed = ", ".join(repr(other) for other in others[:_LISTED])
        more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
        said.append(f"{name!r}, a linear function of {listed}{more}" if others else f"{name!r}, which is constant")
    if len(found) > _LISTED:
        said.append(f"{len(found) - _LISTED} more")
    beside = " and of the intercept" if intercept else ""
    return DataError(
        "Inference(X)",
        f"features of which none is a linear function of others{beside}",
        "; ".join(said),
        "Their coefficients are not determined. Leave these features out and fit again.",
    )
