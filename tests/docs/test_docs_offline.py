"""The check that a built guide fetches nothing sees what would be fetched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from docs_paths import DOCS, ROOT

CHECK = DOCS / "_support" / "check_offline.py"


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(CHECK), str(folder)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.html", '<script src="_static/a.js"></script><a href="https://example.org">read</a>', 0),
        ("a.html", '<script src="https://cdn.example.org/a.js"></script>', 1),
        ("a.html", '<img src="//cdn.example.org/a.png">', 1),
        ("a.html", '<link rel="stylesheet" href="https://example.org/a.css">', 1),
    ],
)
def test_a_page(tmp_path: Path, name: str, text: str, code: int) -> None:
    (tmp_path / name).write_text(text)
    done = check(tmp_path)
    assert done.returncode == code, done.stdout


def test_a_style(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>a</p>")
    (tmp_path / "a.css").write_text("@font-face { src: url('https://example.org/font.woff2') }")
    assert check(tmp_path).returncode == 1


def test_a_folder_without_pages_is_no_guide(tmp_path: Path) -> None:
    assert check(tmp_path).returncode == 1


def test_ci_checks_the_guide_that_it_builds() -> None:
    assert "docs/_support/check_offline.py docs/_build/html" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
