"""What which and convert say: names, keywords, refusals, and words that are true."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys

import pytest

import xent
from xent.dialects import questions
from xent.dialects.drop_ins import PREFIXES, PRESENT
from xent.dialects.helper import Helper
from xent.dialects.table import DIALECTS, HELPERS

ROOTS = {"tf": "tensorflow", "F": "torch.nn.functional", "nn": "torch.nn"}


def real(name: str) -> object:
    """The framework's own object of a name."""
    first, *rest = name.split(".")
    found: object = importlib.import_module(ROOTS.get(first, first))
    for index, part in enumerate(rest):
        if not hasattr(found, part):
            importlib.import_module(".".join([ROOTS.get(first, first), *rest[: index + 1]]))
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("helper", [h for h in HELPERS if h.framework != "xent"], ids=lambda h: h.name)
def test_keywords_and_defaults_are_the_helpers_own(helper: Helper) -> None:
    signature = inspect.signature(real(helper.name))  # type: ignore[arg-type]
    for name, option in helper.options.items():
        if option.of == "data":
            continue  # a word about an array, not a keyword
        if option.of == "call":
            called = real(helper.name).__call__  # type: ignore[operator]
            assert name in inspect.signature(called).parameters
        else:
            default = signature.parameters[name].default
            if option.kind in ("number", "flag", "choice"):
                assert option.default == default or default is inspect.Parameter.empty, name


@pytest.mark.parametrize("helper", [h for h in HELPERS if h.framework != "xent"], ids=lambda h: h.name)
def test_every_keyword_is_known(helper: Helper) -> None:
    """A keyword that the framework has and the table has not would be refused with a wrong reason."""
    data = {"input", "target", "y_true", "y_pred", "y_proba", "pred_decision", "logits", "labels", "predictor_outputs"}
    data |= {"targets", "log_predictions", "scores", "weights", "biases", "inputs", "linear_weight", "log_input"}
    extra = {
        "device",
        "dtype",
        "out_features",
        "options",
    }  # of a module that holds weights; they say nothing about the loss
    for name in inspect.signature(real(helper.name)).parameters:  # type: ignore[arg-type]
        assert name in helper.options or name in data | extra, name


@pytest.mark.parametrize("module", PRESENT)
def test_drop_ins_have_what_the_table_says(module: str) -> None:
    if module == "xent.keras":
        pytest.importorskip("keras")
    found = importlib.import_module(module)
    assert set(found.__all__) >= PRESENT[module]
    assert module in PREFIXES.values()


def test_names_are_one_helpers() -> None:
    names = [name for helper in HELPERS for name in (helper.name, *helper.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("F.cross_entropy", "torch.nn.functional.cross_entropy"),
        ("nn.BCELoss", "torch.nn.BCELoss"),
        ("tf.keras.losses.Hinge", "keras.losses.Hinge"),
        ("CrossEntropyLoss", "torch.nn.CrossEntropyLoss"),
        ("optax.losses.hinge_loss", "optax.hinge_loss"),
        ("xent.torch.NLLLoss", "torch.nn.NLLLoss"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    assert xent.which(alias).name == name


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("torch.nn.CrossEntropy", {}, r"Did you mean torch\.nn\.CrossEntropyLoss"),
        (
            "hinge_loss",
            {},
            r"which several frameworks have. Write one of optax\.hinge_loss, sklearn\.metrics\.hinge_loss",
        ),
        ("torch.nn.CrossEntropyLoss", {"label_smooth": 0.1}, r"Did you mean label_smoothing="),
        ("torch.nn.CrossEntropyLoss", {"reduction": "avg"}, r"one of 'mean', 'sum', 'none'; got 'avg'"),
        ("torch.nn.CrossEntropyLoss", {"size_average": True}, r"Write reduction="),
        ("torch.nn.CrossEntropyLoss", {"target": "float", "ignore_index": 0}, r"class indices"),
        ("torch.nn.KLDivLoss", {"log_target": 1}, r"True or False; got 1"),
        ("keras.losses.Hinge", {"from_logits": True}, r"one of its keywords"),
        (7, {}, r"as text; got 7"),
    ],
)
def test_refusals(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(xent.errors.OptionError, match=message):
        xent.which(name, **options)


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("keras.losses.CategoricalHinge", "torch", r"a zero stands among the others.*xent\.hinge"),
        ("torch.nn.MultiMarginLoss", "optax", r"Crammer and Singer"),
        ("tf.nn.nce_loss", "torch", r"draws classes at random"),
        ("torch.nn.CrossEntropyLoss", "sklearn", None),
        ("keras.losses.CategoricalCrossentropy", "sklearn", r"takes classes, not probabilities"),
        ("torch.nn.PoissonNLLLoss", "xent", r"counts and rates are no distributions"),
        ("torch.nn.PoissonNLLLoss", "xent.torch", r'Write to="torch"'),
    ],
)
def test_what_has_no_equal_says_why(name: str, to: str, message: str | None) -> None:
    if message is None:
        assert xent.convert(name, to=to).helper == "sklearn.metrics.log_loss"
        return
    with pytest.raises(xent.errors.NoEqualError, match=message):
        xent.convert(name, to=to)


def _required(helper: Helper) -> dict[str, object]:
    return {name: True for name, option in helper.options.items() if option.required}


def test_only_these_have_no_equal_in_a_framework() -> None:
    """Anything else that becomes unwritable is a change that a reader should see here."""
    found = {
        (helper.name.rpartition(".")[2], to)
        for helper in HELPERS
        for to, call in xent.which(helper.name, **_required(helper)).equal.items()
        if not hasattr(call, "code") and to != "sklearn"
    }
    assert found == {
        *((name, "xent") for name in ("PoissonNLLLoss", "poisson_nll_loss", "Poisson", "poisson", "log_poisson_loss")),
        *(("d2_log_loss_score", to) for to in ("torch", "keras", "tensorflow", "optax")),
    }


def test_an_unknown_framework_is_refused() -> None:
    with pytest.raises(xent.errors.OptionError, match="xent, torch, keras, tensorflow, optax, sklearn; got 'mxnet'"):
        xent.convert("torch.nn.NLLLoss", to="mxnet")


def test_structured_data_is_plain() -> None:
    answer = xent.which("torch.nn.CrossEntropyLoss", weight=True, target="float")
    again = json.loads(json.dumps(answer.to_dict()))
    assert again["equal"]["optax"]["lines"] == list(answer.equal["optax"].lines)
    call = xent.convert("keras.losses.BinaryCrossentropy", to="torch", from_logits=True)
    assert (call.helper, call.options, call.imports) == ("torch.nn.BCEWithLogitsLoss", {}, ("import torch",))


def test_the_page_says_what_was_asked() -> None:
    page = str(xent.which("torch.nn.CrossEntropyLoss", target="float", label_smoothing=0.1))
    assert page.startswith("torch.nn.CrossEntropyLoss(label_smoothing=0.1)(scores, target)\n")
    for text in (
        "P = Distribution(target, smoothing=0.1), Q = Logits(scores)",
        "Σ ℓ / the examples",
        "(D15)",
        "no equal",
    ):
        assert text in page
    assert max(map(len, page.splitlines())) <= 100


def test_a_mistake_is_that_of_the_case() -> None:
    plain, weighed = (xent.which("torch.nn.CrossEntropyLoss", target="float", weight=w) for w in (None, True))
    assert not any("(D7)" in text for text in plain.mistakes)
    assert any("(D7)" in text for text in weighed.mistakes)


def test_softmax_taken_twice_gives_the_figures_that_are_told() -> None:
    q = [0.7, 0.2, 0.1]
    twice = float(xent.cross_entropy(xent.Labels(0), xent.Logits(q)))
    once = float(xent.cross_entropy(xent.Labels(0), xent.Probabilities(q)))
    text = " ".join(xent.which("torch.nn.CrossEntropyLoss").mistakes)
    assert f"gives {twice:.3f}, not {once:.3f}" in text


@pytest.mark.parametrize(("outcomes", "q", "p"), questions.PAIRS)
def test_three_answers_are_a_pair(outcomes: str, q: str, p: str) -> None:
    found = questions.answer(outcomes, q, p)
    assert set(found.equal) == set(DIALECTS)
    assert found.pair.startswith("P = ")
    assert found.mistakes


def test_answers_that_do_not_fit_are_refused() -> None:
    for outcomes, q, p in (("many", "scores", "index"), ("one", "scores", "yes-no"), ("three", "scores", "index")):
        with pytest.raises(xent.errors.OptionError):
            questions.answer(outcomes, q, p)


def test_it_imports_no_framework_and_only_when_used() -> None:
    code = (
        "import sys, xent; before = 'xent.dialects' in sys.modules; xent.which('F.cross_entropy'); "
        "print(before, [m for m in ('torch', 'jax', 'keras', 'tensorflow', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["False", "[]\n"]


def test_rows_of_the_table_of_disagreements() -> None:
    from xent.dialects.mistakes import MISTAKES

    assert all(re.fullmatch(r"(D\d+)?", mistake.row) for mistake in MISTAKES)
