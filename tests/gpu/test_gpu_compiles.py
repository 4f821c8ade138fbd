"""Without a GPU: the programs compile for one, read and write 16 bytes at a time, and keep everything in registers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("compile_programs.py")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    variables = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    variables["TRITON_CACHE_DIR"] = str(tmp_path_factory.mktemp("triton"))
    run = subprocess.run([sys.executable, str(SCRIPT)], env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_nothing_spills(programs: dict[str, dict[str, Any]]) -> None:
    assert len(programs) > 20
    # A few bytes of stack without a load or a store in the loops are what the assembler makes of the row's scalars.
    assert {name: one["stack"] for name, one in programs.items() if one["stack"] > 32} == {}
    assert {name: one["registers"] for name, one in programs.items() if one["registers"] > 192} == {}


@pytest.mark.parametrize("name", ["bf16 1000", "bf16 16384", "bf16 128256", "fp32 1000", "fp32 16384", "fp32 128256"])
def test_scores_are_read_and_gradients_written_sixteen_bytes_at_a_time(
    programs: dict[str, dict[str, Any]], name: str
) -> None:
    one = programs[name]
    assert one["wide loads"] >= 2
    assert one["wide stores"] >= 2
    # What is not: one number a row.
    assert one["loads"] - one["wide loads"] <= 12
    assert one["stores"] - one["wide stores"] <= 6


def test_what_stays_in_the_chip_s_shared_memory_is_small(programs: dict[str, dict[str, Any]]) -> None:
    """At most the next piece of scores and probabilities, on its way: every device of NVIDIA's has as much."""
    assert {name: one["shared"] for name, one in programs.items() if one["shared"] > 68 * 1024} == {}
    held = [one["shared"] for name, one in programs.items() if name.endswith((" 10", " 1000", " 16384"))]
    assert max(held) <= 2048


@pytest.mark.parametrize(
    ("name", "row"), [("bf16 128256", 2 * 128256), ("smoothed", 2 * 32000), ("from above", 2 * 32000)]
)
def test_rows_at_work_fit_the_second_level_cache(programs: dict[str, dict[str, Any]], name: str, row: int) -> None:
    """Of an H200: 132 multiprocessors with 65,536 registers, 2048 threads and 227 KiB each; 50 MB of cache."""
    one = programs[name]
    registers = -(-one["registers"] // 8) * 8 * one["threads"]
    each = min(65536 // registers, 2048 // one["threads"], 227 * 1024 // max(one["shared"], 1))
    assert each >= 1
    assert 132 * each * row < 40e6
