"""Three questions whose answers are a pair P, Q: and with it the right helper in every framework."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xent.dialects.answer import Answer, which
from xent.dialects.aspects import TITLES
from xent.dialects.meaning import Meaning
from xent.dialects.mistakes import mistakes
from xent.dialects.table import helper
from xent.errors import OptionError


@dataclass(frozen=True)
class Question:
    """What is asked, and the answers that there are, each with what it means."""

    name: str
    text: str
    answers: dict[str, str]


OUTCOMES = Question(
    "outcomes",
    "How many outcomes are there, and how many of them can be true of one example?",
    {
        "one": "several, and exactly one is true",
        "two": "two: yes or no",
        "many": "several, and any number of them may be true at once",
    },
)
Q = Question(
    "q",
    "What does the last layer of the model hold?",
    {
        "scores": "scores with no activation",
        "log-probabilities": "what log_softmax made",
        "probabilities": "what softmax or sigmoid made",
        "hidden": "a hidden state, and the classifier that would make the scores",
    },
)
P = Question(
    "p",
    "How is the truth written down?",
    {
        "index": "the index of the one true class",
        "distribution": "a probability for each class: soft, one-hot, a teacher's",
        "yes-no": "a yes or no (or a probability of yes) for each outcome by itself",
    },
)
QUESTIONS = (OUTCOMES, Q, P)

_PREDICTIONS = {
    "scores": "Logits",
    "log-probabilities": "LogProbabilities",
    "probabilities": "Probabilities",
    "hidden": "Projection",
}
_TRUTHS = {"index": "Labels", "distribution": "Distribution", "yes-no": "Indicators"}

#: The pairs of the page "Which cross-entropy?": outcomes, q, p.
PAIRS = (
    ("two", "probabilities", "yes-no"),
    ("two", "scores", "yes-no"),
    ("one", "probabilities", "distribution"),
    ("one", "probabilities", "index"),
    ("one", "log-probabilities", "distribution"),
    ("one", "log-probabilities", "index"),
    ("one", "scores", "distribution"),
    ("one", "scores", "index"),
    ("one", "hidden", "index"),
)


def answer(outcomes: str, q: str, p: str) -> Answer:
    """The pair of three answers, its call in every framework, and what goes wrong in each.

    Raises
    ------
    OptionError
        An answer that there is not, or two that cannot be together.

    Examples
    --------
    >>> print(answer("one", "scores", "index").equal["torch"].code)
    torch.nn.CrossEntropyLoss()(scores, labels)
    """
    for question, given in zip(QUESTIONS, (outcomes, q, p), strict=True):
        if given not in question.answers:
            raise OptionError(question.name, " or ".join(question.answers), repr(given), question.text)
    if outcomes == "many" and p != "yes-no":
        why = "Where several can be true at once, each is a yes or no of its own."
        raise OptionError("p", "yes-no, for outcomes=many", p, why)
    if outcomes == "one" and p == "yes-no":
        raise OptionError("p", "index or distribution, for outcomes=one", p, "One true class of several has an index.")
    P_, Q_ = _TRUTHS[p], _PREDICTIONS[q]
    found = which("xent.cross_entropy", P=P_, Q=Q_)
    source = helper("xent.cross_entropy")
    meaning = source.read(source.checked({"P": P_, "Q": Q_}))
    assert isinstance(meaning, Meaning)
    return replace(found, mistakes=_everywhere(meaning))


def _everywhere(m: Meaning) -> tuple[str, ...]:
    """What goes wrong in every framework, said once."""
    found: dict[str, list[str]] = {}
    for name, title in TITLES.items():
        for text in mistakes(m, name):
            found.setdefault(text, []).append(title)
    everyone = len(TITLES) - 1
    return tuple(text if len(names) == everyone else f"{', '.join(names)}: {text}" for text, names in found.items())
