"""``xent train`` and ``xent predict`` as a user runs them: their output, their files, their ends.

A process of its own takes seconds to import what it needs; it is one where signals, memory or the terminal matter.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout, suppress
from decimal import Decimal
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from scipy.special import log_softmax

import xent
from support.terminal import in_a_terminal
from xent.cli import main
from xent.cli import rows as file_rows
from xent.linear_model import load, stream
from xent.linear_model.solvers import MANY
from xent.linear_model.stream import Holdout

SOURCE = str(Path(xent.__file__).parents[1])
NAMES = np.array(["ant", "bee", "cat"])


def environment(**extra):
    path = os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "error", "COLUMNS": "80", **extra}


def command(*arguments):
    return [sys.executable, "-m", "xent", *map(str, arguments)]


def run(*arguments, cwd=None, **extra):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=cwd, env=environment(**extra), check=False
    )


def inside(*arguments, cwd=None):
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["xent", *map(str, arguments)]),
        mock.patch.dict(os.environ, COLUMNS="80"),
        redirect_stdout(out),
        redirect_stderr(err),
        nullcontext() if cwd is None else chdir(cwd),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return subprocess.CompletedProcess(arguments, end.value.code or 0, out.getvalue(), err.getvalue())


def good(*arguments, through=inside):
    done = through(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def refuse(*arguments, cwd=None):
    """Run what must be refused; its message, on one line."""
    done = inside(*arguments, cwd=cwd)
    assert done.returncode == 2, done
    assert done.stdout == ""
    return " ".join(done.stderr.split())


def data(n=600, features=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, features)) * 10.0 ** np.arange(features)
    z = X / X.std(axis=0) @ rng.normal(size=(features, 3)) * 2 + rng.gumbel(size=(n, 3))
    return X, z.argmax(axis=1)


def columns(X, y, **more):
    held = {"label": NAMES[y], **{f"x_{j}": X[:, j] for j in range(X.shape[1])}} | more
    return pa.table({name: column for name, column in held.items() if column is not None})


@pytest.fixture
def table(tmp_path):
    """Write the data with changes to its columns; the path."""
    X, y = data()

    def write(name="a.parquet", **changes):
        held = columns(X, y, **changes)
        (csv.write_csv if name.endswith("csv") else parquet.write_table)(held, tmp_path / name)
        return tmp_path / name

    return write


def log_q(model, X):
    return log_softmax(X @ model.coef_.T + model.intercept_, axis=1)


def test_training_judges_the_rows_it_held_out(table, tmp_path):
    X, y = data()
    out, html = tmp_path / "out.npz", tmp_path / "report.html"
    said = good("train", table(), "--truth", "label", "--model", out, "--html", html, through=run)
    assert max(map(len, said.splitlines())) <= 80
    model = load(out)
    assert model.classes_.tolist() == NAMES.tolist()
    assert model.feature_names_in_.tolist() == ["x_0", "x_1", "x_2"]
    held = Holdout(0.2, 0).mask(0, len(y))
    losses = -log_q(model, X)[np.arange(len(y)), y][held]
    line = next(line for line in said.splitlines() if line.startswith("cross-entropy, nats"))
    assert float(line.split()[2]) == pytest.approx(losses.mean(), abs=5e-3)
    assert f"{held.sum()} of {held.sum()}" in said
    assert f"trained on {(~held).sum()} of 600" in " ".join(said.split())
    assert "At the optimum" in said
    page = html.read_text(encoding="utf-8")
    assert "Objective in the course of the training" in page
    course = page.split("Objective in the course of the training", 1)[1].split("</figure>")[0]
    lines = re.findall(r"<path[^>]*s-a[^>]*>", course)
    assert lines
    assert all('fill="none"' in line or "f-a" in line for line in lines)
    assert f"{load(out).objective_:.3f}" in page.split("<h2>Training</h2>")[1]
    # The hardest row is told by its number in the whole file.
    hardest = np.flatnonzero(held)[losses.argmax()] + 1
    first = page.split("Hardest")[1]
    assert re.search(rf">{hardest}<", first)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.parquet", "out.npz", "report.html"]


def test_the_model_is_where_the_gradient_of_the_formula_is_zero(table, tmp_path):
    X, y = data()
    weight = np.random.default_rng(1).uniform(0, 3, len(y))
    out = tmp_path / "out.npz"
    asked = ("--truth", "label", "--weight", "w", "--C", "2", "--holdout", "0.3", "--seed", "4", "--tol", "1e-9")
    good("train", table(w=weight), "--model", out, *asked)
    model = load(out)
    kept = ~Holdout(0.3, 4).mask(0, len(y))
    X, y, weight = X[kept], y[kept], weight[kept]
    slope = (np.exp(log_q(model, X)) - np.eye(3)[y]) * weight[:, None]
    gradient = slope.T @ X + model.coef_ / 2.0
    # Against what the sums are made of, since the features have different scales.
    assert np.abs(gradient).max(axis=0) == pytest.approx(np.zeros(3), abs=1e-6 * np.abs(X).sum(axis=0).max())
    assert slope.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-6 * len(y))
    assert (np.abs(gradient) / (np.abs(slope).T @ np.abs(X))).max() < 1e-7


def test_csv_and_parquet_train_one_model(table, tmp_path):
    for name in ("a.csv", "a.parquet"):
        good("train", table(name), "--truth", "label", "--model", tmp_path / f"{name}.npz")
    ours, theirs = load(tmp_path / "a.csv.npz"), load(tmp_path / "a.parquet.npz")
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("truth", "classes"),
    [
        (pa.array([3, 10] * 300), [3, 10]),
        (pa.array([True, False] * 300), [False, True]),
        (pa.array(["b", "a"] * 300).dictionary_encode(), ["a", "b"]),
    ],
)
def test_classes_are_text_integers_or_booleans(table, tmp_path, truth, classes):
    path = table(label=truth)
    said = good("train", path, "--truth", "label", "--model", tmp_path / "m.npz", "--features", "x_0..x_1")
    assert load(tmp_path / "m.npz").classes_.tolist() == classes
    assert "classification error" in said
    good("predict", tmp_path / "m.npz", path, "--out", tmp_path / "p.parquet", "--keep", "label")
    shown = good("evaluate", tmp_path / "p.parquet", "--truth", "label", "--probs", "p_*")
    assert f"Classes: p_{classes[0]} is {classes[0]}, p_{classes[1]} is {classes[1]}" in shown


def test_a_csv_file_of_whole_numbers_has_integer_classes(table, tmp_path):
    _, y = data()
    good("train", table("a.csv", label=y + 9), "--truth", "label", "--model", tmp_path / "m.npz")
    assert load(tmp_path / "m.npz").classes_.tolist() == [9, 10, 11]


def test_features_are_those_that_are_named(table, tmp_path):
    path = table(u=np.ones(600), city=pa.array(["Rom"] * 600))
    for pattern, expected in (("x_*", ["x_0", "x_1", "x_2"]), ("x_2,u", ["x_2", "u"]), ("x_0..x_1,*u*", None)):
        good("train", path, "--truth", "label", "--model", tmp_path / "m.npz", "--features", pattern)
        assert load(tmp_path / "m.npz").feature_names_in_.tolist() == (expected or ["x_0", "x_1", "u"])


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_columns_without_numbers_are_named_and_told_what_to_write(table, tmp_path, name):
    path = table(name, city=pa.array(["Rom", "Oslo"] * 300), day=pa.array(["1 May", "2 May"] * 300))
    message = refuse("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    assert "'city'" in message
    assert "'day'" in message
    assert "--features" in message
    assert "x_0,x_1,x_2" in message


@pytest.mark.parametrize(
    ("changes", "arguments", "part"),
    [
        ({}, ["--truth", "lable"], "Did you mean 'label'?"),
        ({}, ["--features", "y_*"], "columns that match 'y_*'"),
        ({}, ["--features", "x_0,label"], "features other than --truth"),
        ({}, ["--weight", "wheight"], "expected a column 'wheight'"),
        ({}, ["--C", "0"], "--C: expected a positive"),
        ({}, ["--C", "nan"], "--C: expected a positive number, or inf; got nan"),
        ({}, ["--C", "-inf"], "--C: expected a positive number, or inf; got -inf"),
        ({}, ["--loss", "log"], "cross-entropy, squared-error, hinge"),
        ({}, ["--holdout", "1"], "from 0 to below 1"),
        ({}, ["--holdout", "0.00001"], "a share that holds out a row"),
        ({}, ["--tol", "0"], "--tol"),
        ({}, ["--max-iter", "0"], "--max-iter"),
        ({}, ["--seed", "-1"], "--seed"),
        ({}, ["--model", "a.parquet"], "which is an input"),
        ({}, ["--model", "absent/m.npz"], "Make the folder first"),
        ({}, ["--checkpoint", "m.npz"], "a file of its own for each"),
        ({}, ["--holdout", "0", "--html", "r.html"], "rows to report on"),
        ({"label": np.linspace(0, 1, 600)}, [], "text, integers or booleans"),
        ({"label": pa.array(["a", None] + ["b"] * 598)}, [], "none in row 2"),
        ({"x_1": pa.array([1.0, 2.0, None] + [0.0] * 597)}, [], "NaN or no value in 'x_1', row 3"),
        ({"x_1": pa.array([[1.0, 2.0]] * 600)}, [], "lists in 'x_1'"),
        ({"w": np.full(600, -1.0)}, ["--weight", "w"], "-1.0 in row 1"),
        ({"label": np.full(600, "a")}, [], "at least two classes"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(table, tmp_path, changes, arguments, part):
    path = table(**changes)
    asked = {"--truth": "label", "--model": "m.npz"} | dict(zip(arguments[::2], arguments[1::2], strict=True))
    before = path.read_bytes()
    assert part in refuse("train", path, *(word for pair in asked.items() for word in pair), cwd=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["sub/../m.npz", "folder/m.npz", "soft.npz", "hard.npz"])
def test_a_checkpoint_is_not_the_model_by_another_name(table, tmp_path, name):
    path = table()
    (tmp_path / "sub").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "soft.npz").symlink_to("m.npz")
    if name == "hard.npz":
        (tmp_path / "m.npz").write_bytes(b"before")
        (tmp_path / name).hardlink_to(tmp_path / "m.npz")
    asked = ("train", path, "--truth", "label", "--holdout", "0")
    for model, checkpoint in ((name, "m.npz"), ("m.npz", name)):
        said = refuse(*asked, "--model", model, "--checkpoint", checkpoint, cwd=tmp_path)
        assert "a file of its own for each" in said
        assert checkpoint in said
    assert (tmp_path / "m.npz").exists() == (name == "hard.npz")


def test_missing_values_in_csv_are_refused_with_their_row(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,x\n" + "a,1\nb,2\n" * 20 + "a,\n")
    assert "in 'x', row 41" in refuse("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    path.write_text("label,x\n" + "a,1\nb,2\n" * 20 + "NA,3\n")
    assert "none in row 41" in refuse("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    path.write_text("label,x\n" + "a,1\nb,2\n" * 2000 + "a,many\n")
    message = refuse("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    assert "expected numbers in column 'x'; got 'many' in row 4001." in message
    # Beyond the first block that is parsed, and with spaces, which a number may have around it.
    path.write_text("label,x,z\n" + "a,1, 2\nb,1, 3 \n" * 400_000 + "a,1,2\na,1, 0x\nb,2,2\n")
    message = refuse("train", path, "--truth", "label", "--model", tmp_path / "m.npz", "--features", "x,z")
    assert "expected numbers in column 'z'; got ' 0x' in row 800002." in message
    path.write_text("label,x\n" + "a,1\nb,2\n" * 2000 + "a,1,3\n")
    assert "Expected 2 columns, got 3" in refuse("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    path.write_text("label,x\n")
    assert "no rows" in refuse("train", path, "--truth", "label", "--model", tmp_path / "m.npz")


def test_steps_that_are_used_up_are_said_and_nothing_is_judged_where_nothing_is_held_out(table, tmp_path):
    asked = ("--truth", "label", "--model", tmp_path / "m.npz", "--max-iter", "1", "--holdout", "0", "--tol", "1e-12")
    said = good("train", table(), *asked)
    assert "Not at the optimum" in said
    assert "trained on 600 of 600 rows" in " ".join(said.split())
    assert "cross-entropy" not in said
    assert not load(tmp_path / "m.npz").converged_


@pytest.mark.parametrize("loss", ["squared-error", "hinge"])
def test_other_losses_are_minimised(table, tmp_path, loss):
    asked = ("--truth", "label", "--model", tmp_path / "m.npz", "--loss", loss, "--max-iter", "30")
    assert "classification error" in good("train", table(), *asked)
    assert load(tmp_path / "m.npz").loss == loss


# How often a file is read


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_small_file_is_opened_as_often_whatever_the_steps(table, tmp_path, monkeypatch, name):
    opened, path = [], table(name)
    real = file_rows.open_table
    monkeypatch.setattr(file_rows, "open_table", lambda file: opened.append(file) or real(file))

    def times(model, *more):
        opened.clear()
        good("train", path, "--truth", "label", "--model", tmp_path / model, "--tol", "1e-8", *more)
        return len(opened)

    assert times("held.npz") == times("few.npz", "--max-iter", "1") == 5
    monkeypatch.setattr(stream, "_HELD", 0)
    held, passes = load(tmp_path / "held.npz"), times("streamed.npz")
    streamed = load(tmp_path / "streamed.npz")
    assert passes > streamed.n_passes_ > 5
    assert held.objective_ == pytest.approx(streamed.objective_, rel=1e-12)
    np.testing.assert_allclose(held.coef_, streamed.coef_, rtol=1e-5, atol=1e-8)


# Interruption


def many(tmp_path, name="many.csv"):
    """A file whose training takes many steps: classes that are nearly separable, next to no penalty, and just not so
    many rows that a share of them would take the first steps."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(MANY - 1, 60))
    z = 8 * X @ rng.normal(size=(60, 3)) + rng.gumbel(size=(len(X), 3))
    path = tmp_path / name
    (csv.write_csv if name.endswith("csv") else parquet.write_table)(columns(X, z.argmax(axis=1)), path)
    return path


#: ``xent`` that waits after each checkpoint, so that it is interrupted between two steps however fast the machine is.
#: What starts the tests may have had it ignore Ctrl-C, as a shell does for what runs in the background.
UNHURRIED = """
import signal
import time

signal.signal(signal.SIGINT, signal.default_int_handler)
from xent.cli import main
from xent.linear_model.checkpoint import Checkpoint

def write(self, state, write=Checkpoint.write):
    write(self, state)
    time.sleep(60)

Checkpoint.write = write
raise SystemExit(main())
"""


def signalled(process, sign):
    """What a process says that is sent a signal until it ends: Python drops an exception that a signal raises while an
    object is finalised, as the first Ctrl-C may. One that does not end is asked where it is."""
    for _ in range(6):
        process.send_signal(sign)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)[1]
    process.send_signal(signal.SIGABRT)
    pytest.fail(f"It did not end:\n{process.communicate(timeout=60)[1]}")


def started_and(sign, path, model, checkpoint):
    """Start a training and send it a signal after its first step; what it said at its end."""
    asked = ("train", path, "--truth", "label", "--C", "1e6", "--tol", "1e-8", "--model", model)
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", UNHURRIED, *map(str, (*asked, "--checkpoint", checkpoint))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        said = signalled(process, sign)
    finally:
        process.kill()
        process.wait()
    assert not model.exists(), "the training came to its end before it was interrupted"
    return process.returncode, said


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_training_goes_on_and_comes_to_the_same_optimum(tmp_path, sign):
    path, checkpoint = many(tmp_path), tmp_path / "state.ck"
    code, said = started_and(sign, path, tmp_path / "m.npz", checkpoint)
    if sign == signal.SIGINT:
        assert code == 130
        assert f"the same command goes on from {checkpoint}" in said
        assert "Traceback" not in said
    asked = ("train", path, "--truth", "label", "--C", "1e6", "--tol", "1e-8")
    message = refuse(*asked[:-4], "--C", "1e5", "--model", tmp_path / "m.npz", "--checkpoint", checkpoint)
    assert "a checkpoint of C 100000.0" in message
    resumed = good(*asked, "--model", tmp_path / "m.npz", "--checkpoint", checkpoint)
    assert "Resumed after" in resumed
    assert "At the optimum" in resumed
    assert not checkpoint.exists()
    straight = good(*asked, "--model", tmp_path / "s.npz")
    assert "Resumed" not in straight
    one, other = load(tmp_path / "m.npz"), load(tmp_path / "s.npz")
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-9)
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-4, atol=1e-4)
    assert {p.name for p in tmp_path.iterdir() if not p.name.endswith(".tmp")} == {"many.csv", "m.npz", "s.npz"}


def test_a_hinge_in_slices_comes_to_the_optimum_of_one_training(table, tmp_path):
    path = table()
    asked = ("train", path, "--truth", "label", "--loss", "hinge", "--holdout", "0")
    assert "At the optimum" in good(*asked, "--model", tmp_path / "s.npz")
    whole, sliced = load(tmp_path / "s.npz").n_iter_, (*asked, "--model", tmp_path / "m.npz", "--max-iter", "24")
    assert whole > 24
    for part in range(12):
        said = good(*sliced, "--checkpoint", tmp_path / "ck")
        assert (f"Resumed after {24 * part} steps" in said) == (part > 0)
        if "At the optimum" in said:
            break
    one, other = load(tmp_path / "m.npz"), load(tmp_path / "s.npz")
    assert one.converged_
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-8)


@pytest.mark.parametrize("place", ["xent.cli.train.require_linear_model", "xent.linear_model.survey.survey"])
def test_an_interruption_before_the_first_step_is_said(table, tmp_path, place):
    path = table()
    for more in ((), ("--checkpoint", tmp_path / "ck")):
        with mock.patch(place, side_effect=KeyboardInterrupt):
            done = inside("train", path, "--truth", "label", "--model", tmp_path / "m.npz", *more)
        assert (done.returncode, done.stdout, done.stderr) == (130, "", "xent: interrupted\n")
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


def test_an_interruption_of_the_imports_is_said():
    with mock.patch("xent.cli.import_module", side_effect=KeyboardInterrupt):
        done = inside("train")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "xent: interrupted\n")


# Memory


def peak(*arguments):
    """Peak resident bytes of one process. It is spawned: a fork would count this process's memory too."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, devnull, 1)]
    pid = os.posix_spawn(sys.executable, command(*arguments), environment(), file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    os.close(devnull)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_memory_does_not_grow_with_the_file(tmp_path):
    rng = np.random.default_rng(0)
    sizes, features = (40_000, 400_000), 40
    peaks = []
    for rows in sizes:
        path = tmp_path / f"{rows}.parquet"
        with parquet.ParquetWriter(path, columns(*data(10, features)).schema) as writer:
            for _ in range(rows // 20_000):
                X = rng.normal(size=(20_000, features))
                writer.write_table(columns(X, (X[:, :3] + rng.gumbel(size=(20_000, 3))).argmax(axis=1)))
        model = tmp_path / "m.npz"
        peaks.append(peak("train", path, "--truth", "label", "--model", model, "--max-iter", "4", "--tol", "1e-3"))
        predicted = tmp_path / "p.parquet"
        peaks.append(peak("predict", model, path, "--out", predicted))
    more = sizes[1] - sizes[0]
    held = more * features * 8  # what the features of these rows would take: 115 MB
    assert peaks[2] - peaks[0] < 0.5 * held, peaks
    assert peaks[3] - peaks[1] < 0.2 * held, peaks


# Prediction


def test_predictions_are_those_of_the_formula_and_evaluate_reads_them(table, tmp_path):
    X, y = data()
    path, model, out = table(), tmp_path / "m.npz", tmp_path / "p.parquet"
    good("train", path, "--truth", "label", "--model", model)
    said = good("predict", model, path, "--out", out, "--keep", "label", "--keep", "x_1", through=run)
    found = parquet.read_table(out)
    assert found.column_names == ["label", "x_1", "p_ant", "p_bee", "p_cat", "predicted"]
    expected = log_q(load(model), X)
    q = np.stack([found[f"p_{name}"].to_numpy() for name in NAMES], axis=1)
    np.testing.assert_allclose(q, np.exp(expected), rtol=1e-12)
    assert found["predicted"].to_pylist() == NAMES[expected.argmax(axis=1)].tolist()
    np.testing.assert_array_equal(found["x_1"].to_numpy(), X[:, 1])
    shown = good("evaluate", out, "--truth", "label", "--probs", "p_*")
    assert "Classes: p_ant is ant, p_bee is bee, p_cat is cat" in shown
    line = next(line for line in shown.splitlines() if line.startswith("cross-entropy, nats"))
    assert float(line.split()[2]) == pytest.approx(-expected[np.arange(len(y)), y].mean(), abs=5e-3)
    assert "xent evaluate" in said
    assert "--probs 'p_*'" in said


@pytest.mark.parametrize("names", [["-1", "1", "x"], ["2", "10", "1"], ["a b", "c", "_"]])
def test_the_line_that_is_printed_evaluates_the_predictions(table, tmp_path, names):
    _, y = data()
    path, out = table(label=np.array(names)[y]), tmp_path / "p.parquet"
    good("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    for flag in ([], ["--log-probs"]):
        said = good("predict", tmp_path / "m.npz", path, "--out", out, "--keep", "label", *flag)
        line = said.splitlines()[-1]
        assert line.startswith("xent evaluate ")
        shown = good(*shlex.split(line)[1:])
        assert "600 of 600" in shown
        table_, model = parquet.read_table(out), load(tmp_path / "m.npz")
        stem = "l_" if flag else "p_"
        truth = np.array([table_[stem + name].to_numpy() for name in model.classes_])
        places = [model.classes_.tolist().index(name) for name in np.array(names)[y]]
        probability = truth[places, np.arange(len(y))]
        loss = -(probability if flag else np.log(probability)).mean()
        cell = next(line for line in shown.splitlines() if line.startswith("cross-entropy, nats"))
        assert float(cell.split()[2]) == pytest.approx(loss, abs=5e-3)


@pytest.mark.parametrize("name", ["p.csv", "p", "p.parquet2"])
def test_predictions_are_in_a_file_that_evaluate_reads(table, tmp_path, name):
    good("train", table(), "--truth", "label", "--model", tmp_path / "m.npz")
    message = refuse("predict", tmp_path / "m.npz", table(), "--out", tmp_path / name)
    assert f"--out: expected a name that ends in .parquet or .pq; got '{name}'" in message
    assert not (tmp_path / name).exists()


def test_what_is_no_text_in_a_name_does_not_reach_the_terminal(table, tmp_path):
    _, y = data()
    path = table(label=np.array(["\x1b[31mred", "a\nb", "c"])[y])
    said = good("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    said += good("predict", tmp_path / "m.npz", path, "--out", tmp_path / "p.parquet", "--keep", "label")
    assert "\x1b" not in said
    assert "p_\\x1b[31mred, p_a\\x0ab, p_c, predicted" in said


@pytest.mark.parametrize("C", [0.01, 10.0])
def test_two_classes_are_those_of_scikit_learn_at_the_same_C(tmp_path, C):
    from sklearn.linear_model import LogisticRegression

    X, y = data()
    y = np.minimum(y, 1)
    path, model, page = tmp_path / "a.parquet", tmp_path / "m.npz", tmp_path / "r.html"
    parquet.write_table(columns(X, y), path)
    good("train", path, "--truth", "label", "--model", model, "--C", C, "--holdout", "0", "--tol", "1e-9")
    found, theirs = load(model), LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10).fit(X, NAMES[y])
    assert type(found).__name__ == "LogisticRegression"
    np.testing.assert_allclose(found.coef_, theirs.coef_, rtol=1e-5)
    np.testing.assert_allclose(found.intercept_, theirs.intercept_, rtol=1e-5)
    good("predict", model, path, "--out", tmp_path / "p.parquet")
    p = parquet.read_table(tmp_path / "p.parquet")["p_bee"].to_numpy()
    np.testing.assert_allclose(p, theirs.predict_proba(X)[:, 1], rtol=1e-5)
    good("train", path, "--truth", "label", "--model", model, "--html", page)
    assert "logistic regression" in page.read_text()


def test_features_are_found_by_name_and_a_missing_one_is_an_error(table, tmp_path):
    X, y = data()
    model = tmp_path / "m.npz"
    good("train", table(), "--truth", "label", "--model", model)
    parquet.write_table(pa.table({f"x_{j}": X[:, j] for j in (2, 0, 1)}), tmp_path / "turned.parquet")
    good("predict", model, tmp_path / "turned.parquet", "--out", tmp_path / "p.parquet")
    found = parquet.read_table(tmp_path / "p.parquet")
    np.testing.assert_allclose(found["p_bee"].to_numpy(), np.exp(log_q(load(model), X))[:, 1], rtol=1e-12)
    (tmp_path / "p.parquet").unlink()
    asked = ("--out", tmp_path / "p.parquet")
    for changes, more, part in (
        ({"x_1": None}, (), "expected a column 'x_1'"),
        ({"x_1": pa.array(["a"] * 600)}, (), "in 'x_1'"),
        ({"x_1": pa.array([None] + [1.0] * 599)}, (), "no value in 'x_1', row 1"),
        ({}, ("--keep", "lable"), "Did you mean 'label'?"),
        ({"p_ant": y}, ("--keep", "p_ant"), "Rename it first"),
    ):
        path = table("b.parquet", **changes)
        assert part in refuse("predict", model, path, *asked, *more)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.parquet", "b.parquet", "m.npz", "turned.parquet"]
    assert "which is an input" in refuse("predict", model, table(), "--out", model)
    assert "a model that xent" in refuse("predict", table(), table(), *asked)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_booleans_are_0_and_1_and_decimals_are_numbers(table, tmp_path, name):
    X, y = data()
    cents = np.round(X[:, 1]).astype(int)
    plain = {"yes": (X[:, 0] > 0).astype(float), "price": cents / 100, "x_0": None, "x_1": None}
    price = pa.array([Decimal(int(c)) / 100 for c in cents], pa.decimal128(21, 2))
    kinds = plain | {"yes": X[:, 0] > 0, "price": price}
    held = columns(X, y, **kinds)
    path = tmp_path / name
    if name.endswith("arrow"):
        with pa.ipc.new_file(path, held.schema) as file:
            file.write_table(held)
    else:
        parquet.write_table(held, path)
    for source, model in ((path, "m.npz"), (table("plain.parquet", **plain), "p.npz")):
        good("train", source, "--truth", "label", "--model", tmp_path / model)
    np.testing.assert_array_equal(load(tmp_path / "m.npz").coef_, load(tmp_path / "p.npz").coef_)
    good("predict", tmp_path / "m.npz", path, "--out", tmp_path / "q.parquet", "--keep", "yes", "--keep", "price")
    kept = parquet.read_table(tmp_path / "q.parquet")
    assert [str(kept.schema.field(field).type) for field in ("yes", "price")] == ["bool", "decimal128(21, 2)"]
    missing = columns(X, y, **(kinds | {"yes": pa.array([None, *(X[1:, 0] > 0)])}))
    parquet.write_table(missing, tmp_path / "b.parquet")
    asked = ("train", tmp_path / "b.parquet", "--truth", "label", "--model", tmp_path / "m.npz")
    assert "no value in 'yes', row 1" in refuse(*asked)


def test_booleans_of_a_csv_file_are_0_and_1(table, tmp_path):
    X, _ = data()
    yes = np.arange(600) % 3 == 0
    for name, held in (("b.csv", yes), ("p.csv", yes.astype(int))):
        good("train", table(name, yes=held), "--truth", "label", "--model", tmp_path / f"{name}.npz")
    booleans, numbers = (load(tmp_path / name) for name in ("b.csv.npz", "p.csv.npz"))
    assert booleans.feature_names_in_.tolist() == ["x_0", "x_1", "x_2", "yes"]
    np.testing.assert_array_equal(booleans.coef_, numbers.coef_)
    good("predict", tmp_path / "p.csv.npz", tmp_path / "b.csv", "--out", tmp_path / "q.parquet", "--keep", "yes")
    q = np.exp(log_q(numbers, np.column_stack([X, yes])))
    kept = parquet.read_table(tmp_path / "q.parquet")
    np.testing.assert_allclose(kept["p_bee"].to_numpy(), q[:, 1], rtol=1e-12)
    assert kept["yes"].to_pylist() == yes.tolist()
    path = tmp_path / "b.csv"
    path.write_text("label,x\n" + "a,True\nb,false\n" * 1000 + "a,maybe\n")
    message = refuse("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    assert "expected booleans in column 'x'; got 'maybe' in row 2001." in message


def test_a_model_without_names_is_refused(table, tmp_path):
    from xent.linear_model import SoftmaxRegression, save

    X, y = data()
    save(SoftmaxRegression().fit(X, y), tmp_path / "m.npz")
    assert "by name" in refuse("predict", tmp_path / "m.npz", table(), "--out", tmp_path / "p.parquet")


# The terminal


def test_progress_with_the_objective_goes_to_a_terminal_and_the_table_to_the_pipe(tmp_path):
    path = many(tmp_path, "many.parquet")
    asked = ("train", path, "--truth", "label", "--model", tmp_path / "m.npz")
    said, shown = in_a_terminal(command(*asked), environment(TERM="xterm", COLUMNS="120"))
    assert b"objective" in shown
    assert b"cross-entropy" not in shown
    assert b"cross-entropy, nats" in said
    assert b"\x1b" not in said


def test_a_missing_extra_prints_the_line_that_installs_it(table, tmp_path):
    hook = tmp_path / "hook"
    hook.mkdir()
    # A module that is not there, as the interpreter sees it: a finder in front that says so.
    (hook / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'sklearn':\n"
        "            raise ModuleNotFoundError('No module named sklearn', name='sklearn')\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    path = os.pathsep.join([str(hook), SOURCE])
    done = run("train", table(), "--truth", "label", "--model", tmp_path / "m.npz", PYTHONPATH=path)
    assert done.returncode == 2, done
    assert 'pip install "xent[cli,sklearn]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert run("--version", PYTHONPATH=path).returncode == 0
