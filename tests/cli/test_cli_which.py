"""``xent which`` as a program: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


def xent_which(*arguments: str, columns: str = "80") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": columns, "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "xent", "which", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
    )


def test_a_helper_with_its_keywords() -> None:
    done = xent_which("torch.nn.CrossEntropyLoss", "--target", "float", "--label-smoothing", "0.1", "--weight")
    assert done.returncode == 0, done.stderr
    assert "torch.nn.CrossEntropyLoss(weight=class_weight, label_smoothing=0.1)(scores," in done.stdout
    assert "P = Distribution(target, smoothing=0.1), Q = Logits(scores)" in done.stdout
    assert "(D7)" in done.stdout
    prose = [line for line in done.stdout.splitlines()[1:] if not line.startswith(" " * 6)]
    assert max(map(len, prose)) <= 80


def test_code_is_not_broken_where_the_line_is_full() -> None:
    done = xent_which("--outcomes", "one", "--q", "scores", "--p", "index")
    assert "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores))\n" in done.stdout


def test_every_name() -> None:
    names = xent_which("--list").stdout.split()
    assert {"torch.nn.CrossEntropyLoss", "optax.kl_divergence", "sklearn.metrics.log_loss"} <= set(names)
    done = xent_which("qqqqqq")
    assert done.returncode == 2
    assert "xent which --list" in " ".join(done.stderr.split())


def test_three_answers() -> None:
    done = xent_which("--outcomes", "one", "--q", "scores", "--p", "index", columns="200")
    assert done.returncode == 0, done.stderr
    for text in (
        "torch.nn.CrossEntropyLoss()(scores, labels)",
        "keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, scores)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits",
        "optax.softmax_cross_entropy_with_integer_labels",
        "sklearn.metrics.log_loss",
        "What goes wrong",
    ):
        assert text in done.stdout


def test_json() -> None:
    done = xent_which("keras.losses.BinaryFocalCrossentropy", "--gamma=3.0", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["equal"]["optax"]["helper"] == "optax.sigmoid_focal_loss"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no --outcomes, --q, --p, and no terminal to ask in. For example: xent which --outcomes one"),
        (("--outcomes", "one", "--p", "index"), "no --q, and no terminal"),
        (("torch.nn.CrossEntropy",), "Did you mean torch.nn.CrossEntropyLoss"),
        (("torch.nn.NLLLoss", "--pos-weight"), "one of its keywords"),
        (("torch.nn.NLLLoss", "--p", "index"), "a helper or the three answers"),
        (("--outcomes", "many", "--q", "scores", "--p", "index"), "yes-no, for outcomes=many"),
        (
            ("--outcomes", "one", "--q", "scores", "--p", "index", "--smoothing", "0.1"),
            "Keywords belong to a helper, and follow",
        ),
        (("torch.nn.NLLLoss", "more"), "one helper, and its keywords"),
    ],
)
def test_what_cannot_be_answered(arguments: tuple[str, ...], message: str) -> None:
    done = xent_which(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of one's own is made by the pty module")
def test_in_a_terminal_the_questions_are_asked() -> None:
    """A number or a word is an answer; anything else is asked again."""
    import pty

    parent, child = pty.openpty()
    command = [sys.executable, "-m", "xent", "which"]
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child, env=environment) as running:
        os.close(child)
        os.write(parent, b"5\n1\nscores\n2\n")
        shown = b""
        while True:
            try:
                read = os.read(parent, 4096)
            except OSError:  # Linux says so where the other end is closed
                break
            if not read:
                break
            shown += read
        assert running.wait(timeout=60) == 0
    os.close(parent)
    text = shown.decode()
    assert "How many outcomes are there" in text
    assert "Type a number from 1 to 3, or the word." in text
    assert "torch.nn.CrossEntropyLoss()(scores, target)" in text
