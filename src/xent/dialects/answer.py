"""The two public functions: which pair a helper is, and the equal call elsewhere."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xent.dialects import ours
from xent.dialects.aspects import TITLES, differences, edges
from xent.dialects.call import Call, NoEqual
from xent.dialects.compose import write
from xent.dialects.dialect import Dialect
from xent.dialects.drop_ins import drop_in
from xent.dialects.helper import Helper
from xent.dialects.meaning import Meaning, formula, reducing
from xent.dialects.mistakes import mistakes
from xent.dialects.table import DIALECTS, dialect, helper
from xent.errors import NoEqualError

_WIDTH = 100


@dataclass(frozen=True)
class Answer:
    """What a helper's call is. ``str()`` reads as a page; ``to_dict()`` is for machines."""

    #: The helper's full name, and the call with the options that were given.
    name: str
    call: str
    framework: str
    #: P and Q in xent's types; the loss of one example, and what is done with all of them.
    pair: str = ""
    formula: str = ""
    reduction: str = ""
    #: The equal call in each framework, or why there is none.
    equal: Mapping[str, Call | NoEqual] = field(default_factory=dict)
    #: Where frameworks part although the calls are equal: the edge, and what each does there.
    edges: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: What goes wrong with it, and what that gives.
    mistakes: tuple[str, ...] = ()
    #: Why the helper is no P/Q pair; empty where it is one.
    why_not: str = ""

    def __str__(self) -> str:
        lines = [self.call, "", *_facts(self)]
        if self.equal:
            lines += [
                "",
                "The equal call",
                *(line for name, found in self.equal.items() for line in _equal(name, found)),
            ]
        if self.edges:
            lines += ["", "Where they still part"]
            for edge, does in self.edges.items():
                lines += [f"  {edge}", *(line for text, names in together(does) for line in _does(text, names))]
        if self.mistakes:
            lines += ["", "What goes wrong"]
            lines += [
                line
                for text in self.mistakes
                for line in textwrap.wrap(text, _WIDTH, initial_indent="  - ", subsequent_indent="    ")
            ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "name": self.name,
            "call": self.call,
            "framework": self.framework,
            "pair": self.pair,
            "formula": self.formula,
            "reduction": self.reduction,
            "equal": {name: found.to_dict() for name, found in self.equal.items()},
            "edges": {edge: dict(does) for edge, does in self.edges.items()},
            "mistakes": list(self.mistakes),
            "why_not": self.why_not,
        }


def together(does: Mapping[str, str]) -> list[tuple[str, str]]:
    """(what is done, by which frameworks), each once."""
    found: dict[str, list[str]] = {}
    for name, text in does.items():
        found.setdefault(text, []).append(TITLES[name])
    return [(text, ", ".join(names)) for text, names in found.items()]


def _facts(answer: Answer) -> list[str]:
    if answer.why_not:
        return _wrapped("No pair", answer.why_not)
    unit = "; in nats" if answer.formula.startswith("ℓ = −") else ""
    facts = (("Pair", answer.pair), ("Loss", answer.formula + unit), ("Mean", answer.reduction))
    return [line for head, text in facts for line in _wrapped(head, text)]


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{head + ':':<9}", subsequent_indent=" " * 9)


def _equal(name: str, found: Call | NoEqual) -> list[str]:
    title = TITLES.get(name, name)
    if isinstance(found, NoEqual):
        return textwrap.wrap(f"{title}: {found}", _WIDTH, initial_indent="  ", subsequent_indent="      ")
    return [f"  {title}", *(f"      {line}" for line in found.lines)]


def _does(text: str, names: str) -> list[str]:
    return textwrap.wrap(f"{names}: {text}", _WIDTH, initial_indent="      ", subsequent_indent="        ")


def which(name: str, /, **options: Any) -> Answer:
    """Which P and Q a framework's loss is, the equal call in every other framework, and what goes wrong with it.

    H(P, Q) = −Σ P log Q, in nats: every helper is this sum with P and Q written down in some way. Calls are written for
    rows (N, classes); names in them stand for the data: ``scores``, ``log_probs``, ``probs``; ``labels``, ``target``;
    ``class_weight`` (classes,), ``sample_weight`` (N,).

    Parameters
    ----------
    name : str
        A helper: "torch.nn.CrossEntropyLoss", "keras.losses.BinaryCrossentropy", "optax.softmax_cross_entropy",
        "tf.nn.…", "sklearn.metrics.log_loss", "xent.cross_entropy"; aliases such as "F.cross_entropy" are known.
    **options
        The helper's own keywords. For arrays ``True`` says that there is one. Where the data decide, so do these words:
        ``target="float"`` (PyTorch's class probabilities), ``outcomes="two"`` (scikit-learn), ``sample_weight=True``
        (Keras's call), ``P=`` and ``Q=`` (xent).

    Returns
    -------
    Answer
        Frozen; ``print`` it.

    Raises
    ------
    OptionError
        A name that is not known (the nearest is named), a keyword that the helper does not have, a value that it does
        not take.

    See Also
    --------
    convert : the equal call in one framework.

    Examples
    --------
    >>> import xent
    >>> answer = xent.which("torch.nn.CrossEntropyLoss", target="float", label_smoothing=0.1)
    >>> answer.pair
    'P = Distribution(target, smoothing=0.1), Q = Logits(scores)'
    >>> print(answer.equal["keras"].code)
    keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(target, scores)
    """
    source = helper(name)
    meaning = source.read(source.checked(options))
    call = source.written(options)
    if isinstance(meaning, NoEqual):
        why = str(meaning).removeprefix("no equal: ")
        return Answer(source.name, call, source.framework, mistakes=source.mistakes, why_not=why)
    return Answer(
        source.name,
        call,
        source.framework,
        meaning.pair,
        formula(meaning),
        reducing(meaning),
        _everywhere(meaning, source),
        edges(meaning, source.framework),
        (*source.mistakes, *mistakes(meaning, source.framework)),
    )


def _everywhere(m: Meaning, source: Helper) -> dict[str, Call | NoEqual]:
    """The equal call in every other framework, and in the drop-in of the helper's own."""
    equal: dict[str, Call | NoEqual] = {}
    for to in DIALECTS.values():
        found = _written(m, source, to)
        if to.name != source.framework or source.framework == "xent":
            equal[to.name] = found
        elif (ours_by_name := drop_in(found)) is not None:
            equal[f"xent.{to.name}"] = ours_by_name
    return equal


def convert(name: str, /, *, to: str, **options: Any) -> Call:
    """The equal call in another framework: the same value and the same gradient, in nats.

    The text is Python: ``str(call)`` with the differences that remain as comments, ``call.code`` without them;
    ``call.helper``, ``call.options``, ``call.lines`` and ``call.imports`` are the same as data.

    Parameters
    ----------
    name, **options
        As of ``which``.
    to : str
        "torch", "keras", "tensorflow", "optax", "sklearn", "xent", or a drop-in: "xent.torch".

    Raises
    ------
    NoEqualError
        There is no equal call: why, and what to write instead.
    OptionError
        As of ``which``; a framework that is not known.

    Examples
    --------
    >>> import xent
    >>> print(xent.convert("keras.losses.BinaryCrossentropy", to="torch", from_logits=True).code)
    torch.nn.BCEWithLogitsLoss()(scores, target)
    >>> print(xent.convert("torch.nn.NLLLoss", to="optax").code)
    jnp.mean(optax.softmax_cross_entropy_with_integer_labels(log_probs, labels))
    """
    source = helper(name)
    meaning = source.read(source.checked(options))
    if isinstance(meaning, NoEqual):
        raise NoEqualError(f"{source.name}", "a call with an equal elsewhere", meaning.why, meaning.instead)
    inside = to.startswith("xent.") if isinstance(to, str) else False
    target = dialect(to.removeprefix("xent.") if inside else to)
    found = _written(meaning, source, target)
    if isinstance(found, NoEqual):
        raise NoEqualError(f"{source.name}", f"a call with an equal in {target.title}", found.why, found.instead)
    named = drop_in(found) if inside else found
    if named is None:
        raise NoEqualError(f"to={to!r}", "a drop-in with this loss", target.title, f'Write to="{target.name}".')
    return named


def _written(m: Meaning, source: Helper, to: Dialect) -> Call | NoEqual:
    if to.name == "xent":
        # The core runs on the arrays that the caller has.
        to = ours.on(DIALECTS[source.framework].ops)
    found = write(m, to)
    if isinstance(found, NoEqual):
        return found
    return replace(found, differences=differences(m, source.framework, to.name))
