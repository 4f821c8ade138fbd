"""A call on arrays in memory, outside any transformation, as one on NumPy arrays: checks and arithmetic on views cost
a fraction of what JAX takes to start each operation alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from xent.backends.jax.memory import device_of, from_numpy, in_memory, to_numpy
from xent.core.arrays import library


def on_views(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The function on views of the arrays, its result as JAX's; as it is where one cannot be viewed."""
    arrays = list(_arrays((*args, *options.values())))
    if any(library(x) != "jax" for x in arrays) or not in_memory(*arrays):
        return function(*args, **options)
    devices = {device_of(x) for x in arrays}
    if len(devices) != 1:
        return function(*args, **options)
    (device,) = devices
    found = function(*map(_viewed, args), **{name: _viewed(x) for name, x in options.items()})
    return _returned(found, device)


def _arrays(values: Any) -> Iterator[Any]:
    for value in values:
        if hasattr(value, "dtype"):
            yield value
        elif is_dataclass(value) and not isinstance(value, type):
            for field in fields(value):
                held = getattr(value, field.name)
                if hasattr(held, "dtype"):
                    yield held
                else:
                    # A margin is held by the Scores that are given, and may hold JAX's arrays itself.
                    yield from (x for x in _arrays((held,)) if library(x) == "jax")


def _viewed(value: Any) -> Any:
    if hasattr(value, "dtype"):
        return to_numpy(value)
    if not is_dataclass(value) or isinstance(value, type) or not any(True for _ in _arrays((value,))):
        return value
    # The same P or Q, which has been checked.
    found = object.__new__(type(value))
    for field in fields(value):
        object.__setattr__(found, field.name, _viewed(getattr(value, field.name)))
    return found


def _returned(found: Any, device: Any) -> Any:
    if isinstance(found, tuple):
        return tuple(_returned(x, device) for x in found)
    return found if found is None else from_numpy(found, device)
