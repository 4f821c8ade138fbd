"""Fit an estimator to a file that need not fit into memory, from its beginning or from a checkpoint."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from xent.linear_model.checkpoint import Checkpoint, State
from xent.linear_model.estimator import SoftmaxRegression
from xent.linear_model.smoothing import Point
from xent.linear_model.solvers import Trace
from xent.linear_model.stream import Holdout, Source, examples_of
from xent.linear_model.survey import Survey
from xent.linear_model.truth import Truth

Matrix = Any
Stepped: TypeAlias = Callable[[tuple[Trace, ...]], None]

#: Options that do not change which optimum is looked for.
_FREE = ("tol", "max_iter", "warm_start", "solver")


@dataclass(frozen=True)
class Trained:
    """How a training went: steps that a checkpoint already had, and what was warned of, but for convergence."""

    resumed: int
    warned: tuple[str, ...]


def train(
    model: SoftmaxRegression,
    source: Source,
    found: Survey,
    holdout: Holdout,
    *,
    checkpoint: Path | None = None,
    stepped: Stepped | None = None,
) -> Trained:
    """Fit ``model`` to the rows of a file that are not held out.

    The optimum is that of ``model.fit`` on these rows. A file whose features and scores take up to 64 MiB in float64 is
    read once and held; each evaluation of the objective reads a larger one anew.

    Parameters
    ----------
    model : SoftmaxRegression
        Afterwards it is fitted, with the features' names. ``max_iter`` counts the steps of this call. ``n_iter_`` is
        those and the ones in the checkpoint, which holds steps on all examples only: not those on a share that an
        interrupted call began with.
    source : Source
    found : Survey
        What ``survey`` found in that file with that ``holdout``.
    holdout : Holdout
    checkpoint : path, optional
        Written after each step. Where it exists, training goes on from there.
    stepped : callable, optional
        Called with all steps so far after each one.

    Raises
    ------
    InputError
        A checkpoint of other data or other options; a file whose rows changed meanwhile.
    OSError
        The checkpoint cannot be written.
    """
    held = None if checkpoint is None else Checkpoint(checkpoint, _problem(model, found, holdout))
    state = None if held is None else held.read()
    trace = [] if state is None else list(state.trace)
    earlier = len(trace)
    begun = trace[-1].passes if trace else 0.0

    def told(step: Trace, point: Point) -> None:
        trace.append(Trace(begun + step.passes, step.value, step.gradient))
        if held is not None:
            held.write(State(point, tuple(trace)))
        if stepped is not None:
            stepped(tuple(trace))

    examples = examples_of(source, len(found.truth), holdout, len(found.classes))
    truth = Truth(found.truth, found.classes)
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model._fit(examples, truth, found.weight, told, None if state is None else state.point)
    model.n_features_in_, model.feature_names_in_ = examples.features, np.array(source.features, object)
    model.n_iter_, model.n_passes_, model.trace_ = earlier + model.n_iter_, begun + model.n_passes_, tuple(trace)
    # The model itself says whether it converged.
    return Trained(earlier, tuple(str(w.message) for w in said if not issubclass(w.category, ConvergenceWarning)))


def _problem(model: SoftmaxRegression, found: Survey, holdout: Holdout) -> dict[str, Any]:
    options = {key: value for key, value in model.get_params(deep=False).items() if key not in _FREE}
    return {
        "estimator": type(model).__name__,
        **options,
        "holdout": holdout.share,
        "seed": holdout.seed,
        "data": found.digest,
    }
