"""The page in a real Chromium: what it must not run, how it looks on a phone, in the dark and on paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from report_samples import SAMPLES, alone, ten_classes
from selenium import webdriver
from selenium.webdriver.common.by import By

from support.browser import alerted, requested, set_media, set_width, show
from xent.report import render_html

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "javascript:alert(4)",
    "</svg></title></style><svg onload=alert(5)>",
    "'-alert(6)-'",
    "&lt;script&gt;",
    "${alert(8)} {{alert(8)}} \\u003cscript>",
    "]]><!-- <b>",
    "a\u202egnp.exe\x00\x1b[2J",
]
SHOWN = [*HOSTILE[:-1], "a\\u202egnp.exe\\x00\\x1b[2J"]


def hostile() -> dict[str, Any]:
    ids = [HOSTILE[i % len(HOSTILE)] for i in range(5000)]
    result = ten_classes(
        HOSTILE,
        file=HOSTILE[0],
        truth=HOSTILE[2],
        id_column=HOSTILE[4],
        ids=ids,
        columns=[f"p {name}" for name in HOSTILE],
    )
    result["rows"] |= {"refused": 1, "first_refused": {"row": 3, "reason": f"{HOSTILE[2]} is no number"}}
    result["comparison"] |= {"files": [HOSTILE[2]], "columns": HOSTILE, "sentence": f"A {HOSTILE[0]} B"}
    result["version"] = HOSTILE[2]  # the one text of the result that stands in an attribute of HTML
    return result


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: render_html(build()) for name, build in SAMPLES.items()}


def test_an_alert_would_be_seen(browser: webdriver.Chrome, tmp_path: Path) -> None:
    show(browser, "<!DOCTYPE html><p><script>alert(1)</script>", tmp_path)
    assert alerted(browser)


def test_hostile_names_are_shown_and_not_run(browser: webdriver.Chrome, tmp_path: Path) -> None:
    show(browser, render_html(hostile()), tmp_path)
    assert not alerted(browser)
    for kind in ("script", "img", "a", "iframe", "[onload]", "[onerror]", "[href]", "[src]", "[style]"):
        assert browser.find_elements(By.CSS_SELECTOR, kind) == [], kind
    truths = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "main .name")]
    assert set(SHOWN) <= set(truths)
    body = browser.find_element(By.TAG_NAME, "body").text
    assert f"Cross-entropy of {HOSTILE[0]}" in body
    assert f"A {HOSTILE[0]} B" in body
    assert f"{HOSTILE[2]} is no number" in body
    assert browser.title == f"Cross-entropy of {HOSTILE[0]}"
    tips = browser.execute_script("return [...document.querySelectorAll('svg title')].map(t => t.textContent)")
    for shown in SHOWN:
        assert any(shown in tip for tip in tips), shown
    drawn = browser.execute_script("return [...document.querySelectorAll('svg text')].map(t => t.textContent)")
    assert any("<script" in text or "lert" in text for text in drawn)


def test_a_script_that_got_in_would_still_not_run(browser: webdriver.Chrome, tmp_path: Path) -> None:
    page = render_html(alone())
    broken = page.replace("<body>", "<body onload=alert(1)><script>alert(2)</script><img src=x onerror=alert(3)>")
    assert broken != page
    show(browser, broken, tmp_path)
    assert browser.find_elements(By.TAG_NAME, "script") != []
    assert not alerted(browser)


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_only_the_file_itself_is_requested(
    browser: webdriver.Chrome, pages: dict[str, str], sample: str, tmp_path: Path
) -> None:
    requested(browser)
    address = show(browser, pages[sample], tmp_path)
    assert requested(browser) == [address]


def test_the_style_sheet_passes_its_own_policy(
    browser: webdriver.Chrome, pages: dict[str, str], tmp_path: Path
) -> None:
    show(browser, pages["ten classes"], tmp_path)
    assert browser.execute_script("return document.styleSheets[0].cssRules.length") > 40
    changed = re.sub(r"<style>", "<style>body { opacity: .5 }", pages["ten classes"])
    show(browser, changed, tmp_path)
    assert browser.execute_script("return document.styleSheets.length") == 0


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("sample", [*sorted(SAMPLES), "hostile"])
def test_no_sideways_scroll(
    browser: webdriver.Chrome, pages: dict[str, str], sample: str, width: int, tmp_path: Path
) -> None:
    set_width(browser, width)
    show(browser, pages.get(sample) or render_html(hostile()), tmp_path)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    root = "document.documentElement"
    inner, client, scroll = browser.execute_script(f"return [innerWidth, {root}.clientWidth, {root}.scrollWidth]")
    assert inner == width
    assert scroll == client


_CLIPPED = """
return [...document.querySelectorAll('svg.chart')].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(t => {
    const r = t.getBoundingClientRect();
    return r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1;
  }).map(t => t.textContent);
});
"""
_OVERLAPPING = """
return [...document.querySelectorAll('svg.chart')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')].filter(t => t.textContent);
  const boxes = texts.map(t => t.getBoundingClientRect());
  const found = [];
  for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
    const a = boxes[i], b = boxes[j];
    const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    // A line's box is a fifth taller than its letters, so touching boxes are letters apart.
    if (w > 1 && h > 0.25 * Math.min(a.height, b.height, a.width, b.width))
      found.push(texts[i].textContent + ' / ' + texts[j].textContent);
  }
  return found;
});
"""


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_words_in_charts_are_whole_and_apart(
    browser: webdriver.Chrome, pages: dict[str, str], sample: str, width: int, tmp_path: Path
) -> None:
    set_width(browser, width)
    show(browser, pages[sample], tmp_path)
    assert browser.execute_script(_CLIPPED) == []
    assert browser.execute_script(_OVERLAPPING) == []


def test_letters_in_charts_can_be_read_on_a_phone(
    browser: webdriver.Chrome, pages: dict[str, str], tmp_path: Path
) -> None:
    set_width(browser, 360)
    show(browser, pages["ten classes"], tmp_path)
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('svg.chart text')].map(t => {"
        "const svg = t.ownerSVGElement, scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;"
        "return scale * parseFloat(getComputedStyle(t).fontSize)})"
    )
    assert min(sizes) >= 9


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_every_chart_has_words_and_a_table(
    browser: webdriver.Chrome, pages: dict[str, str], sample: str, tmp_path: Path
) -> None:
    show(browser, pages[sample], tmp_path)
    figures = browser.find_elements(By.TAG_NAME, "figure")
    assert figures
    for figure in figures:
        title = figure.find_element(By.CSS_SELECTOR, "figcaption h3").get_property("textContent")
        sentence = figure.find_element(By.CSS_SELECTOR, "figcaption p").get_property("textContent")
        assert re.search(r"\d", str(sentence)), sentence
        drawings = figure.find_elements(By.CSS_SELECTOR, "svg")
        assert drawings
        for drawing in drawings:
            assert drawing.get_attribute("role") == "img"
            assert f"{title}. {sentence}" in str(drawing.get_attribute("aria-label"))
        assert len(figure.find_elements(By.CSS_SELECTOR, "details table tbody tr")) >= 1
    # No chart stands outside of a figure, and no table inside an image.
    assert len(browser.find_elements(By.TAG_NAME, "svg")) == len(browser.find_elements(By.CSS_SELECTOR, "figure svg"))
    assert browser.find_elements(By.CSS_SELECTOR, "[role=img] table") == []


def _background(browser: webdriver.Chrome) -> str:
    return str(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))


def test_light_dark_and_paper(browser: webdriver.Chrome, pages: dict[str, str], tmp_path: Path) -> None:
    show(browser, pages["ten classes"], tmp_path)
    mark = browser.find_element(By.CSS_SELECTOR, "svg .f-a")
    light = _background(browser), mark.value_of_css_property("fill")
    assert light[0] == "rgb(255, 255, 255)"
    set_media(browser, "dark")
    dark = _background(browser), mark.value_of_css_property("fill")
    assert dark[0] == "rgb(20, 23, 27)"
    assert dark[1] != light[1]
    set_media(browser, "dark", "print")
    assert (_background(browser), mark.value_of_css_property("fill")) == light
    assert browser.execute_script("return getComputedStyle(document.querySelector('details')).display") == "none"
    assert browser.execute_script("return getComputedStyle(document.querySelector('figure')).breakInside") == "avoid"


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_it_prints(browser: webdriver.Chrome, pages: dict[str, str], sample: str, tmp_path: Path) -> None:
    show(browser, pages[sample], tmp_path)
    # The width of A4 less its margins: nothing may stick out of the paper.
    set_width(browser, 680)
    set_media(browser, "light", "print")
    wide = browser.execute_script(
        "return [...document.querySelectorAll('svg, p, h1')]"
        ".filter(e => e.getBoundingClientRect().right > 681).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []
