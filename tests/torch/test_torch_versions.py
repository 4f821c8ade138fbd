"""What the guide says of PyTorch's versions: the private names in use, and what an older PyTorch has not got."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import torch

import xent

SOURCE = Path(xent.__file__).parent
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "migrate-from-pytorch.md").read_text(encoding="utf-8")


def private_names(code: str) -> set[str]:
    """The names under torch that have a part which starts with one underscore."""
    tree, found, short = ast.parse(code), set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "torch":
            full = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= set(full.values())
            short |= full
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, dot, rest = ast.unparse(node).partition(".")
            found.add(short.get(first, first) + dot + rest)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and len(node.args) > 1:
            found.add(f"{ast.unparse(node.args[0])}.{ast.literal_eval(node.args[1])}" if _said(node.args[1]) else "")
    every = {name for name in found if re.fullmatch(r"torch(\.\w+)+", name) and re.search(r"\._(?!_)", name)}
    # Of a.b.c the parts a and a.b are seen too.
    return {name for name in every if not any(other.startswith(f"{name}.") for other in every)}


def _said(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_the_guide_lists_the_private_names_that_are_used() -> None:
    used = set().union(*(private_names(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")))
    listed = set(re.findall(r"^\| `(torch[\w.]*\._[\w.]+)` \|", PAGE, re.MULTILINE))
    assert used == listed
    assert len(used) >= 4


def test_private_names_are_seen() -> None:
    code = """
import torch
from torch._a.b import c
from torch.nn import d
torch._C._e.f(torch.nn.g, torch.nn.__name__)
self._h = d._i + getattr(torch._C, "_j", None) + getattr(self, "_k")
"""
    assert private_names(code) == {"torch._a.b.c", "torch._C._e.f", "torch.nn.d._i", "torch._C._j"}


def test_without_linear_cross_entropy_the_rest_is_there() -> None:
    """A PyTorch before 2.13, as far as its names go: the two that came with 2.13 are taken away before the import."""
    assert hasattr(torch.nn.functional, "linear_cross_entropy")
    code = """
import torch
del torch.nn.functional.linear_cross_entropy, torch.nn.LinearCrossEntropyLoss
import xent.torch as X
h, w, y = torch.ones(1, 2), torch.eye(2), torch.tensor([0])
assert abs(X.linear_cross_entropy(h, w, y).item() - 0.6931) < 1e-4
for refused in (
    lambda: X.LinearCrossEntropyLoss(2, 2),
    lambda: X.linear_cross_entropy(h, torch.eye(3), y),
    lambda: X.linear_cross_entropy(h, w, y, options=object()),
):
    try:
        refused()
    except NotImplementedError as error:
        assert "2.13" in str(error)
    else:
        raise SystemExit("not refused")
with X.patch():
    assert torch.nn.functional.cross_entropy is X.cross_entropy
    assert not hasattr(torch.nn.functional, "linear_cross_entropy")
assert torch.nn.functional.cross_entropy is not X.cross_entropy
"""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
