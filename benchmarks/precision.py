"""The error of every path against 50-digit arithmetic: prints docs/precision.md, or checks it.

Run: ``python benchmarks/precision.py > docs/precision.md`` writes the page.
``python benchmarks/precision.py --check`` measures again and fails where a path is outside the bound that the page
publishes, or where the page's text, rows or bounds are not those of this script. The measured figures themselves may
differ from machine to machine (exponentials do), so they are held to the bounds and not to one another.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.bounds import BOUNDS, REFERENCE  # noqa: E402
from support.measure import Errors, Exact, measure, measure_reference, solve  # noqa: E402
from support.problems import DTYPES, PREDICTIONS, REGIMES, TRUTHS, Problem, large, problem  # noqa: E402

PAGE = ROOT / "docs" / "precision.md"
NAMES = {
    "labels": "Labels",
    "smoothed labels": "Labels(smoothing=0.1)",
    "distribution": "Distribution",
    "teacher scores": "Distribution.from_logits",
    "teacher log-probs": "Distribution.from_log_probs",
    "indicators": "Indicators",
    "logits": "Logits",
    "log_probs": "LogProbabilities",
    "probs": "Probabilities",
    "projection": "Projection",
}
COLUMNS = [(library, dtype) for library, dtypes in DTYPES.items() for dtype in dtypes]
TITLES = {"numpy": "NumPy", "torch": "PyTorch"}
#: (classes, rows, seeds) of the random batches.
SIZES = ((2, 8, 4), (10, 6, 4), (1000, 2, 1))

Cell = tuple[str, str, str, str]  # truth, prediction, library, dtype


def problems(truth: str, prediction: str, dtype: str) -> Iterator[Problem]:
    """The batches of one path."""
    for regime in REGIMES:
        for k, n, seeds in SIZES:
            if k == 1000 and prediction == "projection":
                continue
            yield from (problem(truth, prediction, dtype, regime, n, k, seed) for seed in range(seeds))


def run() -> tuple[dict[Cell, Errors], Errors]:
    """The largest errors of each path, and of the reference."""
    found: dict[Cell, Errors] = {}
    reference = Errors(0.0, 0.0)

    def take(p: Problem, exact: Exact) -> None:
        nonlocal reference
        for library, dtypes in DTYPES.items():
            if p.dtype in dtypes:
                cell = (p.truth, p.prediction, library, p.dtype)
                found[cell] = found.get(cell, Errors(0.0, 0.0)).worst(measure(p, library, exact))
        if p.dtype == "float64":
            reference = reference.worst(measure_reference(p, exact))

    for truth in TRUTHS:
        for prediction in PREDICTIONS:
            for dtype in DTYPES["torch"]:
                for p in problems(truth, prediction, dtype):
                    take(p, solve(p))
    for truth in ("labels", "smoothed labels", "distribution"):
        # The numbers of these rows are held by every type, so that each is solved once.
        exact = solve(large(truth, "float64"))
        for dtype in DTYPES["torch"]:
            take(large(truth, dtype), exact)
    return found, reference


def table(found: dict[Cell, Errors], what: str) -> list[str]:
    """One row a pair, one column a framework and type."""
    lines = ["| P | Q | " + " | ".join(f"{TITLES[library]} {dtype}" for library, dtype in COLUMNS) + " | bound |"]
    lines.append("|---|---|" + "---:|" * (len(COLUMNS) + 1))
    for prediction in PREDICTIONS:
        for truth in TRUTHS:
            cells = [getattr(found[truth, prediction, library, dtype], what) for library, dtype in COLUMNS]
            bound = BOUNDS[prediction][0 if what == "loss" else 1]
            numbers = " | ".join(f"{v:.2f}" for v in cells)
            lines.append(f"| {NAMES[truth]} | {NAMES[prediction]} | {numbers} | {bound:g} |")
    return lines


def page(found: dict[Cell, Errors], reference: Errors) -> str:
    """The page as Markdown."""
    return "\n".join([TEXT, "", "## Loss", "", *table(found, "loss"), "", "## Gradient", "", *table(found, "gradient"),
        "", "## The reference", "", REFERENCE_TEXT, "",
        "| | loss | gradient |", "|---|---:|---:|",
        f"| measured | {reference.loss:.2f} | {reference.gradient:.2f} |",
        f"| bound | {REFERENCE[0]:g} | {REFERENCE[1]:g} |", ""])  # fmt: skip


TEXT = """# Precision

How far every path of `cross_entropy` and `value_and_grad` is from 50-digit arithmetic. The tests hold every path to the
bounds on this page; `python benchmarks/precision.py` prints the page, and `python benchmarks/precision.py --check`
measures again and compares with it.

## What is measured

The inputs are taken as the exact numbers that they are, after their rounding to the type in the column, so the error is
that of the arithmetic alone. The batches of each path, with 2, 10 and 1,000 classes (for a Projection 2 and 10):

- *random*: scores N(0, 3²), and the probabilities of such scores;
- *wide*: scores uniform in ±10⁴, so that probabilities vanish;
- *confident*: one score ahead by 8 to 37, so that the loss of a true class goes down to 10⁻¹⁶;
- *ties*: scores equal within a few units of 10⁻⁷;
- *masked*: scores of −∞, and probabilities of 0, where P has no mass;
- *tiny*: probabilities from 10⁻³⁰⁰ (float64), 10⁻³⁷ (float32, bfloat16) or 10⁻⁷ (float16) up to 1 − 10⁻¹⁶;
- one row of 200,000 classes, for Labels, Labels(smoothing=0.1) and Distribution against Logits.

NumPy and PyTorch are measured. JAX and TensorFlow run the same kernels when they are called eagerly on a CPU, and JAX's
compiled code calls them; what XLA compiles itself is held to the same bounds on batches of 5 rows and 7 classes, in all
regimes (`tests/functional/test_pairs_compiled.py`). XLA takes subnormal numbers for 0, so a result below the smallest
normal number may be 0, and what is divided by such a number infinite. Over one row of 200,000 classes TensorFlow's XLA
adds float32 less exactly: the gradient was off by 5.4 of the units below.

One row in three of a soft P is within a hundredth of Q, so that its gradient is a difference of near-equal numbers.

## The unit

`|computed − exact| ≤ bound · eps · scale`, with eps = 2⁻⁵² for float64 and 2⁻²³ for float32, float16 and bfloat16,
whose arithmetic is float32. The scale is:

| what | scale |
|---|---|
| loss, Q in probabilities or log-probabilities; all of Indicators | the exact result: the error is relative |
| loss −log softmax(z) = s of a class | s·(1 + \\|log s\\|), summed over P; so it is relative also where p → 1 |
| gradient g by a score, hard P | \\|g\\|·(1 + \\|log \\|g\\|\\|) |
| gradient Σt·p − t by a score, soft P | Σt·p·(2 + \\|log p\\|) + t: a difference is as exact as its terms |
| P given by scores | as above, times 1 + \\|log t\\| for each class |
| Projection | as above, plus the size Σ\\|h·w\\| + \\|b\\| of the sums that the scores are; then Σ over them |

The factor 1 + |log s| is what one rounding of a difference of scores makes of its exponential. Losses of half precision
are returned in float32. Gradients come back in the type of Q; for float16 and bfloat16 that is one rounding more, half
a step of that type, which is taken off before the error is stated. Below the smallest normal number of the type a few
steps of the subnormal numbers are allowed. Where the exact result is infinite, or larger than the type of the gradient
holds, the result must be that infinity."""

REFERENCE_TEXT = """`xent.core.reference` computes in plain float64, one example at a time, and shares no arithmetic
with the kernels. In the same unit, over all float64 batches above:"""


def skeleton(text: str) -> str:
    """The page without its measured figures."""
    return re.sub(r"(?<=\| )\d+\.\d\d(?= \|)", "·", text)


def outside(found: dict[Cell, Errors], reference: Errors) -> list[str]:
    """The paths that are not within their bounds."""
    bad = []
    for cell, errors in found.items():
        loss, gradient = BOUNDS[cell[1]]
        if not (errors.loss <= loss and errors.gradient <= gradient):
            bad.append(f"{cell}: {errors}, outside {loss:g} and {gradient:g}")
    if not (reference.loss <= REFERENCE[0] and reference.gradient <= REFERENCE[1]):
        bad.append(f"reference: {reference}, outside {REFERENCE}")
    return bad


def main() -> None:
    """Print or check the page; the exit status is 1 where a path is outside its bound or the page is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with docs/precision.md, print nothing else")
    check = parser.parse_args().check
    found, reference = run()
    problems = outside(found, reference)
    fresh = page(found, reference)
    if not check:
        sys.stdout.write(fresh)
    elif skeleton(PAGE.read_text(encoding="utf-8")) != skeleton(fresh):
        problems.append(f"{PAGE.name} is not what this script prints: run it again and write the page")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
