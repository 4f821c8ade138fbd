"""The palette: contrast of words and marks in both themes, after WCAG 2.2 (1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from xent.report.charts.confusion import _DARK, OPACITY
from xent.report.theme import TOKENS

_CSS = files("xent.report").joinpath("style.css").read_text(encoding="utf-8")


def _themes() -> dict[str, dict[str, str]]:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", _CSS, re.S)
    )
    return {"light": light, "dark": dark}


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _mix(over: str, under: str, opacity: float) -> tuple[float, ...]:
    return tuple(opacity * a + (1 - opacity) * b for a, b in zip(_rgb(over), _rgb(under), strict=True))


def _luminance(rgb: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> dict[str, str]:
    return _themes()[request.param]


def test_the_measure_itself() -> None:
    assert _contrast(_rgb("#000000"), _rgb("#ffffff")) == pytest.approx(21)
    assert _contrast(_rgb("#767676"), _rgb("#ffffff")) == pytest.approx(4.54, abs=0.01)


def test_themes_name_the_same_colours() -> None:
    themes = _themes()
    assert themes["light"].keys() == themes["dark"].keys()
    assert themes["light"] != themes["dark"]
    assert {f"f-{token}" for token in TOKENS.values()} <= set(re.findall(r"\.(f-\w+) ", _CSS))


@pytest.mark.parametrize("words", ["ink", "muted", "a", "b"])
@pytest.mark.parametrize("back", ["paper", "raised"])
def test_words(theme: dict[str, str], words: str, back: str) -> None:
    assert _contrast(_rgb(theme[words]), _rgb(theme[back])) >= 4.5


def test_warnings(theme: dict[str, str]) -> None:
    assert _contrast(_rgb(theme["warn"]), _rgb(theme["warn-back"])) >= 4.5


def test_bars(theme: dict[str, str]) -> None:
    assert _contrast(_rgb(theme["bar"]), _rgb(theme["paper"])) >= 3


@pytest.mark.parametrize("opacity", OPACITY)
def test_numbers_in_the_confusion_matrix(theme: dict[str, str], opacity: float) -> None:
    words = theme["inverse" if opacity >= _DARK else "ink"]
    assert _contrast(_rgb(words), _mix(theme["a"], theme["paper"], opacity)) >= 4.5
