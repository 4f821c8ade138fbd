"""The page as text: every kind of result, the same bytes, nothing from outside, and what it refuses."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report_samples import SAMPLES, alone, infinite, single, ten_classes, tokens

from xent.errors import DataError, MissingExtraError
from xent.report import render_html, write_html

_VOID = {"meta", "br"}


class _Balance(HTMLParser):
    """Every element that opens must close, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        last = self.open.pop()
        if last != tag:
            raise ValueError(f"</{tag}> closes <{last}>")


@pytest.fixture(scope="module", params=sorted(SAMPLES))
def page(request: pytest.FixtureRequest) -> str:
    return render_html(SAMPLES[request.param]())


def test_elements_are_balanced_and_none_can_run(page: str) -> None:
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []
    tags = {tag for tag, _ in parser.seen}
    assert "svg" in tags
    assert not tags & {
        "script",
        "a",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "form",
        "base",
        "use",
        "foreignobject",
    }
    attributes = {name for _, given in parser.seen for name in given}
    assert not {name for name in attributes if name.startswith("on") or name in {"style", "href", "xlink:href", "src"}}


def test_nothing_from_outside(page: str) -> None:
    assert not re.search(r"[a-z]+://|url\(|@import|javascript:", page)
    assert "default-src 'none'" in unescape(page)


def test_no_number_is_left_raw(page: str) -> None:
    text = re.sub(r"<svg.*?</svg>|<style>.*?</style>", "", page, flags=re.S)
    text = re.sub(r"<[^>]*>", " ", text)
    assert not re.search(r"\b(nan|inf|None|True|False)\b", text)
    assert not re.search(r"\d\.\d{8,}", text)


def test_same_result_same_bytes() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from report_samples import infinite;"
        "from xent.report import render_html; sys.stdout.buffer.write(render_html(infinite()).encode())"
    )
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent)]
    first, second = (subprocess.run(arguments, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
    assert first.decode() == render_html(infinite())


def test_json_and_dict_give_the_same_page() -> None:
    def worded(x: Any) -> Any:
        if isinstance(x, dict):
            return {k: worded(v) for k, v in x.items()}
        if isinstance(x, list):
            return [worded(v) for v in x]
        if isinstance(x, float) and not math.isfinite(x):
            return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"
        return x

    result = infinite()
    written = json.loads(json.dumps(worded(result), allow_nan=False))
    assert written != result
    assert render_html(written) == render_html(result)


def test_file_holds_the_page(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_html(alone(), path)
    assert path.read_bytes() == render_html(alone()).encode()


def test_verdict_comes_first() -> None:
    result = ten_classes()
    page = render_html(result)
    sentence = result["comparison"]["sentence"]
    assert page.index("<h1>") < page.index(f"{result['loss']['nats']['value']:.3f} nats") < page.index("<h2>")
    assert page.index(sentence) < page.index("<h2>")


def test_infinite_loss_is_said_with_its_floor_and_rows() -> None:
    page = render_html(infinite())
    header = page[: page.index("<h2>")]
    assert "<strong>infinite</strong>" in header
    assert "2 rows give their truth a probability of zero (the first is row 18)" in header
    assert "1\u00a0×\u00a010⁻⁹" in header
    assert "3 rows refused and left out of every number; the first is row 41" in header


def test_models_that_scored_other_rows_are_not_said_to_have_scored_the_same() -> None:
    result = ten_classes()
    comparison = result["comparison"]
    same = unescape(render_html(result))
    assert "Both models on the same rows" in same
    assert "did not score the same rows" not in same
    n = result["rows"]["used"]
    comparison["rows"] = n - 30
    first = {"row": 8, "reason": "NaN"}
    comparison["summary"]["rows"] |= {"used": n - 30, "refused": 30, "first_refused": first}
    page = unescape(render_html(result))
    assert "Both models on the same rows" not in page
    assert f"Each model on the rows that it scored, A on {n:,} and B on {n - 30:,}" in page
    assert "For B, 30 rows refused and left out of every number; the first is row 8: NaN" in page
    assert f"The comparison is over the {n - 30:,} rows that both scored" in page


def test_what_does_not_apply_is_left_out() -> None:
    page = render_html(tokens())
    assert "Bits per byte" in page
    for absent in ("Reliability", "Confusion", "Brier", "Loss of each class", "Skill"):
        assert absent not in page
    assert "A against B" not in render_html(single())


def test_every_result_number_of_the_head_is_the_given_one() -> None:
    result = alone()
    result["perplexity"] = {"value": 12345.678, "low": 12000.0, "high": 12700.0}
    page = render_html(result)
    assert "12,346" in page
    assert "12,000 to 12,700" in page


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        (lambda r: r.update(schema="xent.evaluation/2"), "result.schema"),
        (lambda r: r.pop("loss"), "result.loss"),
        (lambda r: r["loss"].update(nats=0.5), "result.loss.nats"),
        (lambda r: r["loss"]["nats"].update(value="much"), "result.loss.nats.value"),
        (lambda r: r["losses"]["counts"].__setitem__(2, -1), "result.losses.counts[2]"),
        (lambda r: r["confusion"]["counts"][1].__setitem__(0, 0.5), "result.confusion.counts[1].row[0]"),
        (lambda r: r["hardest"].__setitem__(3, "row 7"), "result.hardest[3]"),
        (lambda r: r["rows"].update(used=True), "result.rows.used"),
        (lambda r: r["input"].update(files="one.csv"), "result.input.files"),
        (lambda r: r["losses"]["edges"].pop(), "result.losses.edges"),
        (lambda r: r["losses"]["edges"].__setitem__(5, "nan"), "result.losses.edges[5]"),
        (lambda r: r["confusion"]["counts"].pop(), "result.confusion.counts"),
    ],
)
def test_a_wrong_field_is_refused_by_name(change: Any, argument: str, tmp_path: Path) -> None:
    result = alone()
    change(result)
    with pytest.raises(DataError) as caught:
        write_html(result, tmp_path / "report.html")
    assert caught.value.argument == argument
    assert not (tmp_path / "report.html").exists()


def test_a_result_that_is_no_dict_is_refused() -> None:
    with pytest.raises(DataError, match="a list"):
        render_html([alone()])  # type: ignore[arg-type]


@pytest.mark.parametrize("library", ["altair", "vl_convert"])
def test_a_missing_library_names_the_extra(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r'pip install "xent\[cli\]"'):
        render_html(alone())


def test_import_costs_no_chart_library() -> None:
    code = "import sys, xent.report; sys.exit('altair' in sys.modules or 'vl_convert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
