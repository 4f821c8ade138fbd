"""Where there is no browser, tests that open a page are skipped and say why; in CI they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from docs_paths import ROOT


@pytest.mark.parametrize(("ci", "code", "outcome"), [("", 0, "skipped"), ("true", 1, "error")])
def test_without_a_browser(ci: str, code: int, outcome: str, tmp_path: Path) -> None:
    test = "tests/report/test_report_browser.py::test_light_dark_and_paper"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout
    assert f"1 {outcome}" in done.stdout
    assert "apt-get install chromium chromium-driver" in done.stdout
