"""Every front end, in its own words, is within the bound that the core publishes."""

from __future__ import annotations

import math

import pytest
from benchmarks._fronts import FRONTS, Case

from benchmarks import front_ends


def check(found: dict[str, dict[str, front_ends.Measured]]) -> None:
    for front, by_case in found.items():
        for case, errors in by_case.items():
            assert errors is None or max(errors) <= front_ends.BOUND, (front, case, errors)
        assert any(errors is not None for errors in by_case.values()), front


@pytest.mark.parametrize("front", FRONTS)
def test_a_front_end_is_within_the_bound(front: str) -> None:
    check(front_ends.run({front: FRONTS[front]}))


@pytest.mark.parametrize("backend", front_ends.KERAS)
def test_keras_is_within_the_bound_on_each_backend(backend: str) -> None:
    check(front_ends.run_keras(backend))


def test_another_answer_is_noticed() -> None:
    def off(case: Case) -> tuple[float, object]:
        answer = FRONTS["core, NumPy"](case)
        assert answer is not None
        return answer[0] * (1 + 1e-5), answer[1] * (1 + 1e-5)

    assert front_ends.worst(front_ends.run({"off": off})) > front_ends.BOUND
    assert math.isfinite(front_ends.worst(front_ends.run({"NumPy": FRONTS["core, NumPy"]})))


def test_the_page_is_that_of_the_script() -> None:
    """Its text, its rows and its columns; the figures are another machine's."""
    text = front_ends.PAGE.read_text(encoding="utf-8")
    names = [*FRONTS, *(f"xent.keras, {backend}" for backend in front_ends.KERAS)]
    empty = front_ends.page({name: dict.fromkeys(front_ends.cases()) for name in names})
    assert cells(text) == cells(empty)


def cells(text: str) -> list[list[str]]:
    """The page's lines, of a table's row its first cell and their number; head lines whole."""
    lines = [line.split(" | ") for line in text.splitlines()]
    return [x if not x[0].startswith("| ") or x[0] == "| case" else [x[0], str(len(x))] for x in lines]
