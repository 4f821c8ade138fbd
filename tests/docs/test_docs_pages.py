"""Every page of the guide runs, and the tutorial shows every published number."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from docs_paths import DOCS, PAGES, run_page, shown
from page_runner import cells

# What each worked example must show, by the heading that it stands under.
PUBLISHED = {
    "How surprising is one event?": ["1.7e-46", "0.1054"],
    "One of several classes": ["cross-entropy 0.3567, −ln 0.7 = 0.3567", "cross-entropy 0.3567, gradient"],
    "Three containers of fruit": ["2.4769", "[0.3567 1.204  0.9163]"],
    "A batch": ["batch 1.692142, mean of its rows 1.692142"],
    "Yes or no": [
        "0.7468 0.7072 0.6836 0.6481 0.2398 0.783  0.8063 0.2041 0.5764 0.0463",
        "mean 0.6675, sum 6.67476",
        "BCELoss 0.6675, xent 0.6675",
    ],
    "Several labels at once": ["[0.2231 0.1054 0.1054]", "0.4339"],
    "Two classes are one yes/no": [
        "softmax 0.220417409918, sigmoid 0.220417409918",
        "expected at least two classes",
        "cross_entropy(Indicators(y), Logits(z))",
    ],
    "What part of the loss is the model's?": ["0.949635 = 0.237610 + 0.712025", "KL 0.3567, cross-entropy 0.3567"],
    "Why not squared error?": ["-0.9997", "-0.0007", "<svg"],
    "One optimum, and every road leads there": ["gradient descent", "BFGS", "Newton", "eigenvalues of the Hessian"],
    "What validation reports beside the loss": ["error 0.20", "exp(Σ nll / Σ tokens)", "2.0000"],
}


def test_there_are_pages() -> None:
    assert {"tutorial.md", "which.md", "edges.md", "reference/command-line.md"} <= set(PAGES)


@pytest.mark.skipif("XENT_GUIDE_IS_BUILT" in os.environ, reason="the guide is built afterwards, which runs every page")
@pytest.mark.parametrize("page", [page for page in PAGES if page != "tutorial.md"])
def test_a_page_runs(page: str) -> None:
    assert any(shown(run_page(DOCS / page)).values())


def test_the_tutorial_shows_every_published_number() -> None:
    sections = shown(run_page(DOCS / "tutorial.md"))
    for heading, expected in PUBLISHED.items():
        for text in expected:
            assert text in sections[heading], (heading, text, sections[heading])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('published(single, "0.3567")', 'published(single, "0.3568")'),
        ("same(slope, [0, -1 / 0.7, 0])", "same(slope, [0, -1 / 0.6, 0])"),
        ('published(product, "1.7e-46")', 'published(product, "1.8e-46")'),
    ],
)
def test_a_wrong_number_stops_the_page(right: str, wrong: str, tmp_path: Path) -> None:
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    assert text.count(right) == 1
    page = tmp_path / "tutorial.md"
    # The sections after the one that is wrong are left out: they would only take time.
    page.write_text(text.replace(right, wrong).partition("## From scores to probabilities")[0], encoding="utf-8")
    done = run_page(page)
    assert done.returncode == 1
    assert "Mismatch" in done.stderr


def test_a_failure_names_the_line_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```{code-cell}\n:tags: [remove-cell]\n\n# a comment\nx = 1\nassert x == 2\n```\n")
    assert [(cell.heading, cell.code) for cell in cells(page)] == [("Title", "# a comment\nx = 1\nassert x == 2\n")]
    done = run_page(page)
    assert done.returncode == 1
    assert f'File "{page}", line 8' in done.stderr
