"""The contract tests must be able to fail: the library is broken on purpose, and they must turn red.

Each break is made in a copy of the package, and the real test files run against it in a process of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.thinning import EVERY

ROOT = Path(__file__).resolve().parents[2]

#: What is broken: file, the text taken away, what stands there instead, and the tests that must notice.
BREAKS = {
    "loss loses the excess": (
        "kernels/composed.py",
        "return drop + excess, (peak + excess)[..., 0]",
        "return drop + 1.0 * (excess > 1) * excess, (peak + excess)[..., 0]",
        ["tests/kernels/test_contract.py"],
    ),
    "gradient has the wrong sign": (
        "kernels/composed.py",
        "a * xp.exp(-surprisal) - bt)",
        "a * xp.exp(-surprisal) + bt)",
        ["tests/kernels/test_contract.py"],
    ),
    "the compiled loss loses the excess": (
        "kernels/cpu/rows.py",
        "loss = on * (drop + excess)",
        "loss = on * drop",
        ["tests/kernels/test_cpu_fused.py"],
    ),
    "the compiled gradient has the wrong sign": (
        "kernels/cpu/rows.py",
        "else powers[k] * first * second - bt",
        "else powers[k] * first * second + bt",
        ["tests/kernels/test_cpu_fused.py"],
    ),
    "the compiled tiles lose the excess": (
        "kernels/cpu/columns.py",
        "loss = on * (drops[i] + excesses[i])",
        "loss = on * drops[i]",
        ["tests/functional/test_worked_examples.py"],
    ),
    "the gradient of expanded rows is stored across the classes": (
        "kernels/layout.py",
        "(strides[axis] == 0, abs(strides[axis]), -axis)",
        "(abs(strides[axis]), -axis)",
        ["tests/kernels/test_cpu_layouts.py"],
    ),
    "every peak of a row on a GPU is left out of its sum": (
        "kernels/gpu/passes.py",
        "rest + (ties - 1.0)",
        "rest",
        ["tests/gpu/test_gpu_rows.py::test_equal_scores_anywhere"],
    ),
    "gradient memory is used again while a view reads it": (
        "kernels/cpu/buffers.py",
        "return np.asarray(_Lease(self, memory, shape, dtype, strides))",
        "return np.ndarray(shape, dtype, memory.owner, _Lease(self, memory, shape, dtype, strides) is None, strides)",
        ["tests/kernels/test_cpu_buffers.py"],
    ),
    "a second backward hands over the same memory": (
        "backends/torch/handover.py",
        'vars(ctx).pop("gradient", None)',
        'vars(ctx).get("gradient", None)',
        ["tests/torch/test_torch_handover.py"],
    ),
    "another view of overwritten scores is not counted": (
        "backends/torch/spent.py",
        "elif _readers(z) > (1 if z._base is None else 2):",
        "elif _readers(z) > 100:",
        ["tests/torch/test_torch_inplace.py"],
    ),
    "the compiled sigmoid counts the wrong side": (
        "kernels/cpu/element_loops.py",
        "loss[i] = (zero if m == zero else m * size) + log1p_of_fraction(e)",
        "loss[i] = (zero if o == zero else o * size) + log1p_of_fraction(e)",
        ["tests/kernels/test_elements.py"],
    ),
    "a gradient from above is forgotten": (
        "backends/torch/element_sum.py",
        "scaled_in_place(found, above)",
        "found.mul_(1.0)",
        ["tests/torch/test_torch_lean.py"],
    ),
    "sums need not be one": (
        "core/values.py",
        "xp.abs(total - 1) > tolerance",
        "xp.abs(total - 1) > 1e9",
        ["tests/functional/test_errors.py"],
    ),
    "the compiled look lets negative numbers pass": (
        "kernels/cpu/sums.py",
        "(x[i] >= zero) & (x[i] <= top)",
        "x[i] <= top",
        ["tests/functional/test_verdict.py"],
    ),
    "the compiled look forgets the last block of a row": (
        "kernels/cpu/sums.py",
        "total += halved(p)",
        "total = halved(p) if start == 0 else total",
        ["tests/functional/test_verdict.py"],
    ),
    "the squares forget that the label is one": (
        "kernels/cpu/squaring.py",
        "p[k - start] = miss",
        "p[k - start] = p[k - start]",
        ["tests/kernels/test_cpu_squares.py"],
    ),
    "scikit-learn's log loss is not clipped": (
        "sklearn/losses.py",
        "-math.log1p(-epsilon), -math.log(epsilon), out=losses",
        "0.0, math.inf, out=losses",
        ["tests/sklearn/test_sklearn_values.py"],
    ),
    "scikit-learn's warnings are not given": (
        "sklearn/reading.py",
        "log_loss(y, forecast.probs[[row, row]], labels=names)",
        "del y, names",
        ["tests/sklearn/test_sklearn_refusals.py"],
    ),
    "every call is handed to scikit-learn": (
        "sklearn/reading.py",
        "return Case(forecast, truth, weight)",
        "return None",
        ["tests/sklearn/test_sklearn_values.py"],
    ),
    "a label outside the classes reads a neighbour": (
        "kernels/cpu/picking.py",
        "inside = k >= 0 and k < size",
        "inside = k >= 0 and k <= size",
        ["tests/kernels/test_contract.py"],
    ),
    "NaN is not looked for": (
        "kernels/cpu/picking.py",
        "or _row_has_nan(address, layout[1], out, size, lanes)",
        "",
        ["tests/kernels/test_contract.py"],
    ),
    "labels are not checked": (
        "core/values.py",
        "(wide < 0) | (wide >= classes)",
        "(wide < -1000) & (wide >= classes)",
        ["tests/functional/test_errors.py"],
    ),
    "ignored rows count": (
        "functional/truth.py",
        "return truth != scalar_beside(P.ignore, truth)",
        "return truth == truth",
        ["tests/functional/test_promises.py"],
    ),
    "weights are left out of the denominator": (
        "core/reduction.py",
        "return xp.sum(weight if counted is None else xp.where(counted, weight, 0.0))",
        "return xp.sum(xp.ones_like(values))",
        ["tests/functional/test_promises.py"],
    ),
    "the PyTorch front end ignores no row": (
        "torch/labels.py",
        "return target != ignore_index",
        "return target == target",
        ["tests/torch/test_torch_edges.py"],
    ),
    "forward mode disagrees with backward": (
        "backends/slopes.py",
        "found = found - self.a * p * ds",
        "found = found + self.a * p * ds",
        ["tests/torch/test_torch_transforms.py"],
    ),
    "an equal call divides by another number": (
        "dialects/torch.py",
        'else "batchmean"',
        'else "mean"',
        ["tests/dialects/test_dialects_equal.py::test_every_equal_call_is_equal[keras.losses.KLDivergence]"],
    ),
    "a margin pulls the wrong way": (
        "core/margins.py",
        "found = -self.m1 * xp.sin(angle)",
        "found = self.m1 * xp.sin(angle)",
        ["tests/losses/test_losses_angles.py"],
    ),
    "a regression forgets its intercept": (
        "linear_model/objective.py",
        "return value, self._pulled(by_W, by_b, W)",
        "return value, self._pulled(by_W, 0 * by_b, W)",
        ["tests/linear_model/test_linear_scales.py"],
    ),
    "a public name is lost": (
        "__init__.py",
        '    "perplexity",\n',
        "",
        ["tests/contracts/test_public_names.py"],
    ),
    "a framework is imported at once": (
        "__init__.py",
        '__version__ = "0.1.0"',
        'import torch\n\n__version__ = "0.1.0"',
        ["tests/contracts/test_imports.py"],
    ),
}


def run(tests: list[str], source: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)


#: One break of each room of the package, or every one.
CHOSEN = list(BREAKS if EVERY else {Path(file).parts[0]: name for name, (file, *_) in BREAKS.items()}.values())


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_can_be_made(name: str) -> None:
    file, old, *_ = BREAKS[name]
    assert old in (ROOT / "src" / "xent" / file).read_text(), f"{file} no longer holds what this test breaks: {old}"


@pytest.mark.parametrize("name", CHOSEN)
def test_a_broken_library_is_noticed(name: str, tmp_path: Path) -> None:
    file, old, new, tests = BREAKS[name]
    shutil.copytree(ROOT / "src" / "xent", tmp_path / "xent", ignore=shutil.ignore_patterns("*.pyc"))
    broken = tmp_path / "xent" / file
    broken.write_text(broken.read_text().replace(old, new))
    done = run(tests, tmp_path)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert " failed" in done.stdout
