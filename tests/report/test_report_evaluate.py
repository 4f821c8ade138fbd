"""Pages of results that xent.evaluate computes from real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report_samples import ANIMALS, simulated

from xent.evaluate import Options, evaluate
from xent.report import render_html


def _write(path: Path, columns: dict[str, Any]) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def test_ten_classes_against_other_columns(tmp_path: Path) -> None:
    a, b, y = simulated(2000, 10, 1, temperature=0.75)
    columns: dict[str, Any] = {"id": [f"row-{i}" for i in range(2000)], "label": [ANIMALS[i] for i in y]}
    columns |= {f"p_{name}": a[:, k] for k, name in enumerate(ANIMALS)}
    columns |= {f"q_{name}": b[:, k] for k, name in enumerate(ANIMALS)}
    file = _write(tmp_path / "test.parquet", columns)
    options = Options(holds="probs", columns="p_*", truth="label", id="id", against="q_*")
    result = evaluate(file, options).to_dict()
    page = render_html(result)
    expected = -np.log(a[np.arange(2000), y]).mean()
    assert f"<strong>{expected:.3f} nats</strong>" in page
    assert result["hardest"][0]["id"] in page
    assert render_html(json.loads(json.dumps(result, allow_nan=False))) == page
    for title in ("A against B", "Reliability of A", "Reliability of B", "Confusion matrix", "Hardest rows"):
        assert f">{title}</h" in page


def test_infinite_losses_and_refused_rows(tmp_path: Path) -> None:
    q = np.array([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75], [np.nan, np.nan], [0.9, 0.1]])
    columns = {"y": [1, 0, 1, 1, 0], "p0": q[:, 0], "p1": q[:, 1]}
    result = evaluate(
        _write(tmp_path / "x.parquet", columns), Options(holds="probs", columns="p0,p1", truth="y")
    ).to_dict()
    page = render_html(result)
    assert "<strong>infinite</strong>: one row gives its truth a probability of zero (the first is row 1)" in page
    assert "1 row refused and left out of every number; the first is row 4" in page


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_binary_and_few_rows(rows: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(rows)
    columns = {"y": rng.integers(0, 2, rows), "p": rng.random(rows)}
    result = evaluate(_write(tmp_path / "x.parquet", columns), Options(holds="prob", columns="p", truth="y")).to_dict()
    assert f"{rows} row{'s' if rows > 1 else ''} read" in render_html(result)


def test_tokens_with_bytes_against_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {"id": np.arange(500), "ll": -rng.gamma(2.0, 1.0, 500), "size": rng.integers(1, 8, 500)}
    a = _write(tmp_path / "a.parquet", columns)
    b = _write(tmp_path / "b.parquet", columns | {"ll": columns["ll"] - rng.random(500)})
    options = Options(holds="log_likelihood", columns="ll", id="id", bytes="size", against=b)
    page = render_html(evaluate(a, options).to_dict())
    assert "nats</strong> a token" in page
    assert "Bits per byte" in page
    assert "A loses" in page
    assert "nats a token less than B" in page


def test_every_row_predicted_with_certainty(tmp_path: Path) -> None:
    columns = {"y": [0, 1, 0, 1] * 10, "p": [0.0, 1.0, 0.0, 1.0] * 10}
    result = evaluate(_write(tmp_path / "x.parquet", columns), Options(holds="prob", columns="p", truth="y")).to_dict()
    page = render_html(result)
    assert "<strong>0 nats</strong>" in page
    assert "No row is predicted wrongly" in page
