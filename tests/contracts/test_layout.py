"""How the tests and the source are laid out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports them by name alone: two of one name stop the whole run."""
    names = Counter(
        path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in ("conftest.py", "__init__.py")
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_files_hold_one_idea() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in (ROOT / "src").rglob("*.py")
        if (n := len(p.read_text().splitlines())) > 500
    }
    assert long == {}
