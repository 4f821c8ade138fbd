"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest

from xent.evaluate import engine


def test_examples_of_the_engine():
    outcome = doctest.testmod(engine)
    assert outcome.attempted > 0
    assert outcome.failed == 0
