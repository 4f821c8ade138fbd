"""Which way imports point, and what `import xent` costs and brings in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, *flags: str) -> str:
    done = subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lint_imports(cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], capture_output=True, text=True, check=False, cwd=cwd, timeout=120
    )


def test_imports_point_one_way() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_import_check_sees_an_import_that_points_the_wrong_way(tmp_path: Path) -> None:
    package = tmp_path / "xent"
    for room in ("core", "kernels"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "core" / "bad.py").write_text("import xent.kernels\n")
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_package = xent\n"
        "[importlinter:contract:layers]\nname = layers\ntype = layers\nlayers =\n    xent.kernels\n    xent.core\n"
    )
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "xent.core.bad -> xent.kernels" in done.stdout


def test_import_brings_in_no_framework() -> None:
    before = set(json.loads(python("import json, sys, numpy, array_api_compat; print(json.dumps(list(sys.modules)))")))
    after = set(json.loads(python("import json, sys, numpy, xent; print(json.dumps(list(sys.modules)))")))
    assert "xent" in after
    new = {name.partition(".")[0] for name in after - before} - set(sys.stdlib_module_names)
    assert new <= {"xent", "array_api_compat"}


def test_using_numpy_brings_in_no_framework() -> None:
    code = (
        "import sys, xent; xent.cross_entropy(xent.Labels([0]), xent.Logits([[1.0, 2.0]])); "
        "print([m for m in ('torch', 'jax', 'tensorflow', 'pyarrow') if m in sys.modules])"
    )
    assert python(code).strip() == "[]"


def test_import_reads_few_files_on_top_of_numpy() -> None:
    """About a millisecond each; the time itself is measured by ``python -m benchmarks.import_time``."""
    code = "import sys, numpy; before = len(sys.modules); import xent; print(len(sys.modules) - before)"
    assert int(python(code)) <= 90


@pytest.mark.parametrize("module", ["xent", "xent.errors", "xent.kernels.registry", "xent.core.reference"])
def test_modules_import_alone(module: str) -> None:
    python(f"import {module}")
