"""``xent evaluate`` as a user runs it: a real process, its output, its files and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import xent
from support.terminal import in_a_terminal
from xent.evaluate import Options, evaluate

SOURCE = str(Path(xent.__file__).parents[1])
DIGITS = str(Path(__file__).parents[2] / "examples" / "digits.parquet")


def environment(**extra):
    path = os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "error", "COLUMNS": "80", **extra}


def run(*arguments, cwd=None, **extra):
    command = [sys.executable, "-m", "xent", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment(**extra), check=False)


def refuse(*arguments, cwd=None):
    """Run what must be refused; its message."""
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def table(tmp_path):
    """A small good file; the path and a way to write others beside it."""
    rng = np.random.default_rng(0)
    columns = {"id": np.arange(40), "y": rng.integers(0, 3, 40)}
    columns |= {f"z_{k}": rng.normal(size=40) for k in range(3)}

    def write(name="a.parquet", **changes):
        held = {**columns, **changes}
        parquet.write_table(pa.table({k: v for k, v in held.items() if v is not None}), tmp_path / name)
        return str(tmp_path / name)

    return write


def test_the_newcomers_line(tmp_path):
    html, figures = tmp_path / "report.html", tmp_path / "report.json"
    asked = ("--truth", "digit", "--logits", "ce_*", "--against", "se_*", "--id", "id")
    done = run("evaluate", DIGITS, *asked, "--html", html, "--json", figures)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "A (ce_*) is better" in done.stdout
    assert "cross-entropy, nats" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = json.loads(figures.read_text(encoding="utf-8"))
    asked = Options("logits", "ce_*", truth="digit", against="se_*", id="id")
    assert found == evaluate(DIGITS, asked).to_dict()
    assert html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_json_is_strict_and_has_every_field_of_the_schema(table, tmp_path):
    path = table(z_0=np.array([-np.inf] * 40))
    done = run("evaluate", path, "--truth", "y", "--logits", "z_*", "--json", tmp_path / "f.json")
    assert done.returncode == 0, done.stderr

    def refuse_constant(name):
        raise AssertionError(f"{name} is not JSON")

    found = json.loads((tmp_path / "f.json").read_text(), parse_constant=refuse_constant)
    assert found["loss"]["nats"]["value"] == "inf"
    page = (Path(__file__).parents[2] / "docs/reference/evaluation-json.md").read_text(encoding="utf-8")
    fields = [
        line.split("|")[1] for line in page.split("`comparison`, where")[0].splitlines() if line.startswith("| `")
    ]
    named = {name.strip(" `") for cell in fields for name in cell.split(",")}
    assert set(found) == named


def test_table_of_infinite_losses_shows_both_figures_and_names_the_floor(table):
    done = run("evaluate", table(z_0=np.array([-np.inf] * 40)), "--truth", "y", "--logits", "z_*")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("cross-entropy, nats") and "∞" in line for line in lines)
    assert any(line.startswith("  floored, nats") and "∞" not in line for line in lines)
    assert any("infinite losses" in line and "first in row" in line for line in lines)
    assert "2.220" in done.stdout


def test_tokens_and_binary(tmp_path):
    rng = np.random.default_rng(0)
    held = {"lp": -rng.exponential(size=30), "n": rng.integers(1, 5, 30), "p": rng.uniform(size=30)}
    held["y"] = np.where(rng.uniform(size=30) < held["p"], "yes", "no")
    parquet.write_table(pa.table(held), tmp_path / "a.parquet")
    done = run("evaluate", tmp_path / "a.parquet", "--log-likelihood", "lp", "--bytes", "n")
    assert done.returncode == 0, done.stderr
    assert "bits per byte" in done.stdout
    assert "Brier" not in done.stdout
    done = run("evaluate", tmp_path / "a.parquet", "--truth", "y", "--prob", "p", "--classes", "no,yes")
    assert done.returncode == 0, done.stderr
    assert "Brier score" in done.stdout


def test_refused_rows_are_said(table):
    z = np.zeros(40)
    z[6] = np.nan
    done = run("evaluate", table(z_1=z), "--truth", "y", "--logits", "z_*")
    assert done.returncode == 0
    assert "39 of 40, 1 refused" in done.stdout
    assert "First refused row: 7 (NaN" in done.stdout


def test_rows_that_only_one_model_scored_are_said(table, tmp_path):
    z = np.zeros(40)
    z[6:26] = np.nan
    path = table(**{f"w_{k}": z for k in range(3)})
    page = tmp_path / "r.html"
    done = run("evaluate", path, "--truth", "y", "--logits", "z_*", "--against", "w_*", "--html", page)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("rows used"))
    assert "40 of 40" in line
    assert "20 of 40, 20 refused" in line
    said = " ".join(done.stdout.split())
    assert "First refused row of B: 7 (NaN" in said
    assert "Warning: A and B did not score the same rows" in said
    assert "Only the 20 rows that both scored were compared, and not 20 that only A scored." in said
    assert max(map(len, done.stdout.splitlines())) <= 80
    shown = page.read_text(encoding="utf-8")
    assert "For B, 20 rows refused" in shown
    assert "Both models on the same rows" not in shown


def test_which_column_is_which_class_is_said(table, tmp_path):
    def said(*asked):
        done = run("evaluate", *asked, "--truth", "y")
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80
        return [line for line in done.stdout.splitlines() if line.startswith("Classes") and " is " in line]

    path = table(z_0=None, z_1=None, z_2=None, y=np.array([0, 1] * 20), z_dog=np.ones(40), z_cat=np.zeros(40))
    assert said(path, "--logits", "z_*", "--classes", "dog,cat") == ["Classes: z_dog is dog, z_cat is cat"]
    both = said(path, "--logits", "z_dog,z_cat", "--against", "z_cat,z_dog", "--classes", "a,b")
    assert both == ["Classes of A: z_dog is a, z_cat is b", "Classes of B: z_cat is a, z_dog is b"]
    assert said(path, "--prob", "z_dog", "--classes", "no,yes") == ["Classes: z_dog is the probability of yes"]
    many = {f"score_of_class_{k}": np.zeros(40) for k in range(30)}
    (line,) = said(table(**many), "--logits", "score_of_class_*")
    assert line.endswith(", …")
    assert "score_of_class_1 is 1" in line
    listed = table(z=pa.array([[0.0, 1.0, 2.0]] * 40))
    assert said(listed, "--logits", "z") == ["Classes: z[0] is 0, z[1] is 1, z[2] is 2"]


def test_names_from_the_file_are_shown_as_they_are(table):
    path = table(**{"[red]a": np.zeros(40), "[red]b": np.ones(40), "y": np.array(["[bold]x", "\x1b[31my"] * 20)})
    asked = ("--truth", "y", "--logits", "[red]a,[red]b", "--classes", "[bold]x,\x1b[31my")
    done = run("evaluate", path, *asked)
    assert done.returncode == 0, done.stderr
    assert "[red]a,[red]b" in done.stdout
    assert "[bold]x" in done.stdout
    assert "\\x1b[31my" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    message = refuse("evaluate", path, "--truth", "y", "--logits", "[red]a,[red]b", "--classes", "a,[bold]x")
    assert "\\x1b[31my" in message
    assert "\x1b" not in message


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--truth", "label", "--logits", "z_*"], "expected a column 'label'"),
        (["--truth", "y", "--logits", "w_*"], "columns that match 'w_*'"),
        (["--truth", "y", "--logits", "z_0..z_1"], "Name the classes"),
        (["--truth", "y", "--logits", "z_*", "--classes", "a,b"], "3 names"),
        (["--truth", "y", "--probs", "z_*"], "declare --logits"),
        (["--truth", "y"], "--logits 'z_*'"),
        (["--truth", "y", "--logits", "z_*", "--probs", "z_*"], "--logits and --probs"),
        (["--logits", "z_*"], "Add --truth COLUMN"),
        (["--truth", "y", "--logits", "z_*", "--against", "other.parquet"], "no file here"),
        (["--truth", "y", "--logits", "z_*", "--json", "absent/f.json"], "Make the folder first"),
        (["--truth", "y", "--logits", "z_*", "--json", "f", "--html", "./f"], "a file of its own for each"),
        (["--truth", "y", "--logits", "z_*", "--floor", "2"], "above 0 and below 1"),
        (["--truth", "y", "--logits", "z_*", "--wrong"], "No such option"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(table, arguments, part):
    assert part in refuse("evaluate", table(), *arguments)


def test_probabilities_that_do_not_sum_to_one(table):
    thirds = {f"z_{k}": np.full(40, 0.3) for k in range(3)}
    message = refuse("evaluate", table(**thirds), "--truth", "y", "--probs", "z_*")
    assert "a sum of 0.9 in row 1" in message


def test_empty_and_missing_files(table, tmp_path):
    empty = table(**{name: np.array([]) for name in ("id", "y", "z_0", "z_1", "z_2")})
    assert "no rows" in refuse("evaluate", empty, "--truth", "y", "--logits", "z_*")
    assert "no such file" in refuse("evaluate", tmp_path / "b.parquet", "--truth", "y", "--logits", "z_*")
    assert "Missing argument" in refuse("evaluate", "--truth", "y", "--logits", "z_*")


def test_truncated_file_writes_no_report(table, tmp_path):
    path = Path(table())
    path.write_bytes(path.read_bytes()[:-200])
    html, figures = tmp_path / "r.html", tmp_path / "r.json"
    figures.write_text("kept")
    asked = ("--truth", "y", "--logits", "z_*", "--html", html, "--json", figures)
    assert "a whole Parquet file" in refuse("evaluate", path, *asked)
    assert not html.exists()
    assert figures.read_text() == "kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.parquet", "r.json"]


def test_damage_in_the_middle_of_a_file_is_found_and_nothing_is_written(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("y,z_0,z_1\n" + "0,1.5,2.5\n" * 5000 + "0,1.5\n")
    message = refuse("evaluate", path, "--truth", "y", "--logits", "z_*", "--json", tmp_path / "r.json")
    assert "a whole CSV file" in message
    assert not (tmp_path / "r.json").exists()


def test_an_input_is_never_overwritten(table):
    path = table()
    before = Path(path).read_bytes()
    message = refuse("evaluate", path, "--truth", "y", "--logits", "z_*", "--json", path)
    assert "which is an input" in message
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize("module", ["pyarrow", "typer", "rich", "scipy"])
def test_a_missing_extra_prints_the_line_that_installs_it(table, tmp_path, module):
    done = without(module, tmp_path, "evaluate", table(), "--truth", "y", "--logits", "z_*")
    assert done.returncode == 2, done
    assert 'pip install "xent[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_that_cannot_be_drawn_keeps_the_json_back_too(table, tmp_path):
    asked = ("--truth", "y", "--logits", "z_*", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html")
    done = without("altair", tmp_path, "evaluate", table(), *asked)
    assert done.returncode == 2, done
    assert 'pip install "xent[cli]"' in done.stderr
    assert {p.name for p in tmp_path.iterdir()} - {"__pycache__"} == {"a.parquet", "sitecustomize.py"}


def without(module, tmp_path, *arguments):
    """Run where a module is not installed."""
    # A module that is not there, as the interpreter sees it: a finder in front that says so.
    hook = tmp_path / "sitecustomize.py"
    hook.write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {module!r}:\n"
        f"            raise ModuleNotFoundError('No module named {module}', name={module!r})\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    return run(*arguments, PYTHONPATH=os.pathsep.join([str(tmp_path), SOURCE]))


def test_a_terminal_of_an_old_encoding_gets_escapes(table):
    done = run("evaluate", table(), "--truth", "y", "--logits", "z_*", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "loss \\u2212 entropy" in done.stdout


def test_a_disk_that_takes_nothing_leaves_nothing_behind(table, tmp_path):
    # a limit of this process on the size of the files it writes: the system's own refusal, as of a full disk
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); sys.dont_write_bytecode = True;"
            "from xent.cli import main; main()",
            *("evaluate", table(), "--truth", "y", "--logits", "z_*", "--json", str(tmp_path / "r.json")),
        ],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 2, done
    assert "a file that can be written" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_standard_output_on_a_full_disk_is_an_error_in_words(table):
    command = [sys.executable, "-m", "xent", "evaluate", table(), "--truth", "y", "--logits", "z_*"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), check=False)
    assert done.returncode == 2, done
    assert done.stderr.startswith("xent: standard output: ")
    assert len(done.stderr.splitlines()) == 1


def test_version_and_help():
    assert run("--version").stdout == f"xent {xent.__version__}\n"
    shown = run("evaluate", "--help")
    assert shown.returncode == 0
    for flag in ("--logits", "--log-likelihood", "--against", "--html"):
        assert flag in shown.stdout


def test_progress_goes_to_a_terminal_and_the_table_to_the_pipe(table):
    command = [sys.executable, "-m", "xent", "evaluate", table(), "--truth", "y", "--logits", "z_*"]
    said, shown = in_a_terminal(command, environment(TERM="xterm"))
    assert b"rows" in shown
    assert b"cross-entropy" not in shown
    assert b"cross-entropy, nats" in said
    assert b"\x1b" not in said
