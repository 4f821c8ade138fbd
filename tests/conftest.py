"""Settings that hold for every room of the tests. ``tests/support`` is importable as ``support`` because this is here.

Which tests need a browser, and what is done where there is none, is decided here too.
"""

from __future__ import annotations

import gc
import os
import resource
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.thinning import left_out

# Triton asks for it when it is first imported: without a GPU its interpreter runs the programs that are written in it.
if not Path("/dev/nvidia0").exists():
    os.environ["TRITON_INTERPRET"] = "1"
if find_spec("triton"):
    # Before TensorFlow, after which it ends the process: both bring LLVM along.
    import triton  # noqa: F401

# The same examples on every run, so that a red run can be run again; no deadline, because a test does not time.
settings.register_profile(
    "xent", derandomize=True, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("xent")

# The fixtures through which a test opens a page.
_BROWSER_FIXTURES = frozenset({"chromium", "browser"})
_PROGRAMS = {
    "Chromium": ("chromium", "chromium-browser", "google-chrome"),
    "chromedriver": ("chromedriver",),
}


def missing_browser() -> str | None:
    """Why no page can be opened here, or None where one can."""
    absent = [name for name, programs in _PROGRAMS.items() if not any(map(shutil.which, programs))]
    if not absent:
        return None
    return f"no {' and no '.join(absent)} on the path (Debian: apt-get install chromium chromium-driver)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the run does without (``support.thinning``), and mark tests that open a page. Without a browser
    those are skipped by name, but fail in CI: there it must be."""
    gone = left_out(items, config.args, Path(__file__).parent)
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in set(gone)]
    why = missing_browser()
    for item in items:
        if not _BROWSER_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)
            if why is not None and os.environ.get("CI") != "true":
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture runs, so that the message is this one."""
    why = missing_browser()
    if item.get_closest_marker("browser") is not None and why is not None and os.environ.get("CI") == "true":
        pytest.fail(f"{why}. With CI=true a test in a browser is not skipped.", pytrace=False)


@pytest.fixture(autouse=True, scope="module")
def _compiled_code_is_let_go() -> Iterator[None]:
    """What a file of tests had compiled is of no use to the next, and takes gigabytes in the end.

    What stays is kept out of the collector's way: tests that collect would go through all of it each time.
    """
    yield
    gc.freeze()
    if _resident() - _let_go_at[0] > _GROWTH:
        if "jax" in sys.modules:
            sys.modules["jax"].clear_caches()
        if "torch._dynamo" in sys.modules:
            sys.modules["torch"]._dynamo.reset()
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        _let_go_at[0] = _resident()


#: Bytes of this process after which compiled code is let go once more, and how many it had when that was done last.
_GROWTH = 2**28
_let_go_at = [0]


def _resident() -> int:
    """Bytes that this process holds in memory; 0 where nobody says."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * resource.getpagesize() if status.exists() else 0
