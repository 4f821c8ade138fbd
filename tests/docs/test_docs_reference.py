"""Every public name, error and command-line flag stands in the reference; every docstring example is true."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from importlib.util import find_spec

import pytest
from docs_paths import DOCS

import xent
import xent.evaluate
import xent.report

REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").glob("*.md")))
# Modules that import what a user may not have; xent itself imports them only where it is there.
NEEDS = {"xent.backends.torch": "torch", "xent.core.tensorflow_namespace": "tensorflow"}
# Importing it runs the command line.
RUNS = {"xent.__main__"}


def modules() -> list[str]:
    return ["xent", *sorted(m.name for m in pkgutil.walk_packages(xent.__path__, "xent.") if m.name not in RUNS)]


@pytest.mark.parametrize("name", sorted(set(xent.__all__) - {"errors", "losses", "memory", "XentError"}))
def test_a_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"^\.\. auto(function|class):: xent\.{name}$", REFERENCE, re.MULTILINE)


@pytest.mark.parametrize("module", ["evaluate", "linear_model", "memory", "report", "sklearn", "tensorflow"])
def test_the_rooms_names_are_in_the_reference(module: str) -> None:
    for name in importlib.import_module(f"xent.{module}").__all__:
        assert re.search(rf"^\.\. auto(function|class|data):: xent\.{module}\.{name}$", REFERENCE, re.MULTILINE), name


def test_the_loss_family_is_in_the_reference() -> None:
    for name in xent.losses.__all__:
        if inspect.ismodule(getattr(xent.losses, name)):
            assert f".. automodule:: xent.losses.{name}\n" in REFERENCE, name
        else:
            assert re.search(rf"^\.\. auto(function|class):: xent\.losses\.{name}$", REFERENCE, re.MULTILINE), name


def test_every_error_is_in_the_tree_that_the_reference_shows() -> None:
    assert ".. automodule:: xent.errors" in REFERENCE
    tree = inspect.getdoc(xent.errors) or ""
    for name, error in inspect.getmembers(xent.errors, inspect.isclass):
        assert issubclass(error, xent.XentError)
        assert name in tree


@pytest.mark.parametrize(
    "name", sorted(n for n in xent.__all__ if inspect.isfunction(getattr(xent, n)) or n in ("Labels", "Focal", "ZLoss"))
)
def test_a_function_has_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(getattr(xent, name)) or "")


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_are_true(name: str) -> None:
    needed = NEEDS.get(name)
    if needed is not None and find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0, f"{outcome.failed} of {outcome.attempted} examples; see above"


def test_there_are_examples() -> None:
    found = [doctest.DocTestFinder().find(importlib.import_module(name)) for name in ("xent.functional.information",)]
    assert sum(len(test.examples) for tests in found for test in tests) >= 7


def test_an_example_that_is_wrong_is_seen() -> None:
    finder, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    example = finder.get_doctest(">>> import xent\n>>> xent.bits(0.0)\n1.0\n", {}, "wrong", None, 0)
    assert runner.run(example, out=lambda _: None).failed == 1
