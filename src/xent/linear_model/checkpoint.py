"""Where a training stands, in a file: what it takes to go on after an interruption."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xent.errors import InputError
from xent.linear_model.arrays import read_arrays, write_arrays
from xent.linear_model.smoothing import Point
from xent.linear_model.solvers import Trace

_KIND, _VERSION = "xent.checkpoint", 1


@dataclass(frozen=True, eq=False)
class State:
    """Where the last step came to, and every step until then."""

    point: Point
    trace: tuple[Trace, ...]


class Checkpoint:
    """A file with the last ``State`` of one problem. ``problem`` says which: options, and a digest of the data."""

    def __init__(self, path: Path, problem: Mapping[str, Any]) -> None:
        self.path, self.problem = path, dict(problem)

    def read(self) -> State | None:
        """The state, None where nothing has been written yet.

        Raises
        ------
        InputError
            Of another problem.
        UnreadableFileError
            No checkpoint.
        """
        if not self.path.exists():
            return None
        found = read_arrays(self.path, _KIND, _VERSION, "a checkpoint of xent train")
        # Through JSON, as what was written went.
        theirs, ours = json.loads(str(found["problem"])), json.loads(json.dumps(self.problem))
        for key in {**theirs, **ours}:
            mine, other = ours.get(key), theirs.get(key)
            if mine != other:
                expected, got = ("this data", "other data") if key == "data" else (f"{key} {mine!r}", f"{other!r}")
                hint = "Name another file, or delete this one to begin anew."
                raise InputError(str(self.path), f"a checkpoint of {expected}", got, hint)
        point = Point(found["W"], found["b"], float(found.get("temperature", 0.0)))  # which the first ones did not hold
        return State(point, tuple(Trace(*map(float, row)) for row in found["trace"]))

    def write(self, state: State) -> None:
        """Put a state in the place of the last.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        trace = np.array([(t.passes, t.value, t.gradient) for t in state.trace]).reshape(-1, 3)
        problem = np.array(json.dumps(self.problem))
        point = {"W": state.point.W, "b": state.point.b, "temperature": np.array(state.point.temperature)}
        write_arrays(self.path, _KIND, _VERSION, {**point, "trace": trace, "problem": problem})
