"""Where the documents are, and how a page is run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RUNNER = Path(__file__).with_name("page_runner.py")
PAGES = sorted(
    str(page.relative_to(DOCS))
    for page in DOCS.rglob("*.md")
    if "_build" not in page.parts and "```{code-cell}" in page.read_text(encoding="utf-8")
)


def run_page(page: Path) -> subprocess.CompletedProcess[str]:
    """Run a page's cells in a process of its own, where a warning is an error."""
    command = [sys.executable, "-W", "error", str(RUNNER), str(page)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def shown(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What a reader sees below each heading."""
    assert done.returncode == 0, done.stderr[-4000:]
    sections: dict[str, str] = {}
    for line in done.stdout.splitlines():
        cell = json.loads(line)
        sections[cell["heading"]] = sections.get(cell["heading"], "") + cell["shown"]
    return sections
