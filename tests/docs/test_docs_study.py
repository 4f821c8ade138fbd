"""The study of squared error: what its helpers compute, what the page shows, and that its charts answer."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from docs_paths import DOCS, run_page
from scipy.optimize import minimize
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from support.browser import requested

PAGE = DOCS / "study-squared-error.md"


@pytest.fixture(scope="module", autouse=True)
def helpers() -> Iterator[None]:
    """The pages' helpers are found as a page finds them."""
    sys.path.insert(0, str(DOCS / "_support"))
    yield
    sys.path.remove(str(DOCS / "_support"))


def helper(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_a_contour_of_a_cone_is_a_circle() -> None:
    x = np.linspace(-2, 2, 41)
    height = np.hypot(*np.meshgrid(x, x))
    (line,) = helper("contours").contour(x, x, height, 1.5)
    assert line[0] == line[-1]
    np.testing.assert_allclose(np.hypot(*np.transpose(line)), 1.5, atol=3e-3)
    assert np.hypot(*np.diff(line, axis=0).T).sum() == pytest.approx(2 * np.pi * 1.5, rel=2e-3)


def test_a_contour_may_leave_the_grid_and_be_in_pieces() -> None:
    x = np.linspace(-1, 1, 21)
    height = np.multiply(*np.meshgrid(x, x))
    lines = helper("contours").contour(x, x, height, 0.3)
    assert len(lines) == 2
    for line in lines:
        assert all(max(map(abs, line[end])) == 1.0 for end in (0, -1))
        np.testing.assert_allclose(np.prod(line, axis=1), 0.3, atol=3e-3)
        assert np.hypot(*np.diff(line, axis=0).T).max() < 0.15


def test_runs_cover_where_something_holds_and_nothing_else() -> None:
    x, y = np.linspace(0, 4, 5), np.linspace(0, 2, 3)
    holds = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [0, 1, 1, 1, 0]], bool)
    found = helper("contours").runs(x, y, holds)
    assert [tuple(run[k] for k in ("x", "x2", "y", "y2")) for run in found] == [
        (0.0, 1.5, 0.0, 0.5),
        (3.5, 4.0, 0.0, 0.5),
        (0.5, 3.5, 1.5, 2.0),
    ]


@pytest.mark.parametrize("name", ["cross-entropy", "squared error"])
def test_descent_never_climbs_and_ends_where_scipy_ends(name: str) -> None:
    neuron = helper("neuron")
    x, y = neuron.HOURS - neuron.HOURS.mean(), neuron.PASSED

    def loss(v: np.ndarray) -> float:
        p = 1 / (1 + np.exp(-(v[0] * x + v[1])))
        return float(np.mean(-np.log(np.where(y, p, 1 - p)) if name == "cross-entropy" else (p - y) ** 2))

    (found,) = neuron.descents(name, [(0.5, 0.5)], 3000)
    assert found.values[0] == pytest.approx(loss(np.array([0.5, 0.5])), rel=1e-12)
    assert (np.diff(found.values) <= 1e-15).all()
    oracle = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15, "maxiter": 5000})
    np.testing.assert_allclose(found.weights[-1], oracle.x, atol=1e-5)
    assert found.until(found.values <= oracle.fun * 1.01) == int(np.flatnonzero(found.values <= oracle.fun * 1.01)[0])
    assert found.until(found.values < 0) is None


def test_the_step_is_that_of_the_largest_curvature() -> None:
    """Cross-entropy bends most at scores of zero, that is at weights of zero."""
    neuron = helper("neuron")
    most = np.linalg.eigvalsh(neuron.hessian("cross-entropy", np.zeros(2))).max()
    assert neuron.step_length("cross-entropy") == pytest.approx(1 / most, rel=1e-6)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("same(peak, 8 / 27, relative=1e-8)", "same(peak, 8 / 26, relative=1e-8)"),
        (".max() < 1e-9", ".max() < -1e-9"),
    ],
)
def test_a_wrong_number_stops_the_page(right: str, wrong: str, tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8").partition("With several classes")[0]
    assert text.count(right) == 1
    page = tmp_path / "study.md"
    page.write_text(text.replace(right, wrong), encoding="utf-8")
    done = run_page(page)
    assert done.returncode == 1
    assert re.search("Mismatch|AssertionError", done.stderr)


def _live(folder: Path) -> str:
    """A page with one chart with a slider."""
    charts, live = helper("study_charts"), helper("live")
    rows = [
        {"loss": name, "truth": truth, "class": k, "gradient": (k == truth) - 0.5}
        for name in charts.LOSSES
        for truth in range(10)
        for k in range(10)
    ]
    chart = charts.gradient_of_classes(rows, truth=3)
    live.write_script(folder)
    style = (DOCS / "_static" / "xent.css").read_text(encoding="utf-8")
    page = folder / "live.html"
    page.write_text(
        f"<!DOCTYPE html><meta charset='utf-8'><style>{style}</style>{chart._repr_html_()}"
        "<script defer src='live.js'></script>",
        encoding="utf-8",
    )
    return page.as_uri()


def test_a_live_chart_is_drawn_without_a_script_too(tmp_path: Path) -> None:
    _live(tmp_path)
    html = (tmp_path / "live.html").read_text(encoding="utf-8")
    assert html.count("<svg") == 1
    assert 'role="img"' in html
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    spec = json.loads(text)
    assert spec["params"][0]["value"] == 3
    assert "var(--xent-a)" in text
    assert "#0b6bcb" not in text


def test_the_slider_of_a_live_chart_moves_its_bars(browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(_live(tmp_path))
    WebDriverWait(browser, 30).until(lambda page: page.find_elements(By.CSS_SELECTOR, ".vega-bind input"))
    (svg,) = browser.find_elements(By.CSS_SELECTOR, ".xent-live svg")
    before = svg.get_attribute("outerHTML")
    browser.execute_script(
        "const s = document.querySelector('.vega-bind input'); s.value = 7; s.dispatchEvent(new Event('input'))"
    )
    WebDriverWait(browser, 10).until(lambda page: svg.get_attribute("outerHTML") != before)
    fills = browser.execute_script(
        "return [...document.querySelectorAll('.xent-live svg path[aria-roledescription=bar]')]"
        ".map(bar => getComputedStyle(bar).fill)"
    )
    assert set(fills) == {"rgb(11, 107, 203)", "rgb(194, 65, 12)"}
    assert [url for url in requested(browser) if url.startswith("http")] == []
