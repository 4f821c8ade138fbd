"""Every helper and every framework, by name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from xent.dialects import keras, optax, ours, sklearn, tensorflow, torch
from xent.dialects.dialect import Dialect
from xent.dialects.helper import Helper
from xent.errors import OptionError

HELPERS: tuple[Helper, ...] = (
    *torch.HELPERS,
    *keras.HELPERS,
    *tensorflow.HELPERS,
    *optax.HELPERS,
    *sklearn.HELPERS,
    *ours.HELPERS,
)

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        ours.OURS,
        torch.TORCH_DIALECT,
        keras.KERAS_DIALECT,
        tensorflow.TENSORFLOW_DIALECT,
        optax.OPTAX_DIALECT,
        sklearn.SKLEARN_DIALECT,
    )
}

_OTHER_NAMES = {
    "pytorch": "torch",
    "tf": "tensorflow",
    "tf.nn": "tensorflow",
    "tf.keras": "keras",
    "jax": "optax",
    "scikit-learn": "sklearn",
    "sklearn.metrics": "sklearn",
    "torch.nn": "torch",
    "torch.nn.functional": "torch",
}
_BY_NAME = {name: helper for helper in HELPERS for name in (helper.name, *helper.aliases)}


def helper(name: str) -> Helper:
    """The helper of this name, with or without its module. Raises OptionError, with the nearest name there is."""
    if not isinstance(name, str):
        raise OptionError(
            "name", "the name of a helper, as text", repr(name), 'For example "torch.nn.CrossEntropyLoss".'
        )
    if name in _BY_NAME:
        return _BY_NAME[name]
    short = [found for found in HELPERS if found.name.rpartition(".")[2] == name]
    if len(short) == 1:
        return short[0]
    if short:
        listed = ", ".join(found.name for found in short)
        raise OptionError("name", "one helper", f"{name!r}, which several frameworks have", f"Write one of {listed}.")
    lower = {known.lower(): known for known in _BY_NAME} | {h.name.rpartition(".")[2].lower(): h.name for h in HELPERS}
    close = get_close_matches(name.lower(), lower, n=3, cutoff=0.6)
    known = list(dict.fromkeys(_BY_NAME[lower[found]].name for found in close))
    instead = f"Did you mean {' or '.join(known)}?" if known else "`xent which --list` prints every name."
    raise OptionError("name", "the helper of a framework", repr(name), instead)


def dialect(name: str) -> Dialect:
    """The framework of this name. Raises OptionError."""
    found = DIALECTS.get(_OTHER_NAMES.get(str(name).lower(), str(name).lower()))
    if found is None:
        raise OptionError("to", f"one of {', '.join(DIALECTS)}", repr(name))
    return found
