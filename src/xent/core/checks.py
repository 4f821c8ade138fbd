"""The only place that rejects a user's data: kinds, types, shapes and options. Values are checked in ``values``.

Nothing here reads the data, so all of it holds under a compiler and on an accelerator too.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from xent.core.arrays import (
    FLOATING,
    INTEGERS,
    Array,
    as_array,
    describe,
    detached,
    device_of,
    dtype_name,
    is_python,
    library,
    namespace,
)
from xent.errors import (
    AxisError,
    BackendError,
    DtypeError,
    KindError,
    OneClassError,
    OptionError,
    ShapeError,
    UndefinedPairError,
)

_FLOATS = "float16, bfloat16, float32 or float64"


def require_integers(x: Array, argument: str) -> None:
    if dtype_name(x) in INTEGERS:
        return
    if 0 in tuple(x.shape):
        raise DtypeError(argument, "integers", describe(x), "Give an empty array an integer dtype.")
    raise DtypeError(
        argument,
        "integers, the index of the true class",
        describe(x),
        "Write Distribution(…) if each row holds a probability per class, Indicators(…) if each element is a yes/no.",
    )


def require_numbers(x: Array, argument: str) -> None:
    """Floats, or the integers and booleans of one-hot rows and yes/no values."""
    if dtype_name(x) not in FLOATING | INTEGERS | {"bool"}:
        raise DtypeError(argument, f"{_FLOATS}, integers or booleans", describe(x))


def require_floats(x: Array, argument: str, *, python: bool) -> Array:
    """Floats; whole numbers in a Python list are floats that were written short."""
    if dtype_name(x) in FLOATING:
        return x
    if python and dtype_name(x) in INTEGERS:
        return namespace(x).astype(x, namespace(x).float64)
    hint = (
        "If this is the target, P and Q are swapped: cross_entropy(P, Q), truth first."
        if dtype_name(x) in INTEGERS | {"bool"}
        else "Cast it first."
    )
    raise DtypeError(argument, _FLOATS, describe(x), hint)


def require_class_axis(x: Array, argument: str) -> None:
    if x.ndim == 0:
        raise ShapeError(
            argument,
            "at least one dimension, the classes",
            "a single number",
            "For one yes/no outcome write Indicators(…).",
        )


def require_axis(x: Array, axis: Any, argument: str) -> int:
    """The axis, counted from 0."""
    try:
        number = operator.index(axis)
    except TypeError:
        raise OptionError(f"{argument}, axis=", "an integer", repr(axis)) from None
    require_class_axis(x, argument)
    if not -x.ndim <= number < x.ndim:
        raise AxisError(f"{argument}, axis=", f"{-x.ndim} to {x.ndim - 1}", f"{number} for shape {tuple(x.shape)}")
    return number % int(x.ndim)


def require_ignore(ignore: Any) -> int | None:
    if ignore is None:
        return None
    try:
        if isinstance(ignore, bool):
            raise TypeError
        return operator.index(ignore)
    except TypeError:
        raise OptionError(
            "Labels(ignore=)", "an integer label, or None", repr(ignore), "For a mask write weight=mask."
        ) from None


def require_fraction(value: Any, argument: str) -> float:
    number = _number(value, argument, "a number in [0, 1]")
    if not 0.0 <= number <= 1.0:
        raise OptionError(argument, "a number in [0, 1]", repr(value))
    return number


def require_positive(value: Any, argument: str) -> float:
    number = _number(value, argument, "a positive, finite number")
    if not 0.0 < number < math.inf:
        raise OptionError(argument, "a positive, finite number", repr(value))
    return number


def require_positive_or_infinite(value: Any, argument: str) -> float:
    number = _number(value, argument, "a positive number, or inf")
    if not number > 0.0:
        raise OptionError(argument, "a positive number, or inf", repr(value))
    return number


def require_nonnegative(value: Any, argument: str) -> float:
    number = _number(value, argument, "a finite number, 0 or more")
    if not 0.0 <= number < math.inf:
        raise OptionError(argument, "a finite number, 0 or more", repr(value))
    return number


def require_at_least(value: Any, least: float, argument: str) -> float:
    number = _number(value, argument, f"a finite number, {least:g} or more")
    if not least <= number < math.inf:
        raise OptionError(argument, f"a finite number, {least:g} or more", repr(value))
    return number


def require_count(value: Any, argument: str, least: int = 1) -> int:
    """A whole number of things."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise OptionError(argument, f"a whole number, {least} or more", repr(value)) from None
    if number < least:
        raise OptionError(argument, f"a whole number, {least} or more", repr(value))
    return number


def require_bounds(low: Any, high: Any, argument: str) -> tuple[float, float]:
    """Two numbers, 0 < low < high."""
    low, high = require_positive(low, argument), require_positive(high, argument)
    if not low < high:
        raise OptionError(argument, "the lower bound before the upper one", f"{low:g} and {high:g}")
    return low, high


def require_finite(value: Any, argument: str) -> float:
    number = _number(value, argument, "a finite number")
    if not math.isfinite(number):
        raise OptionError(argument, "a finite number", repr(value))
    return number


def require_angle(value: Any, argument: str) -> float:
    """An angle in radians, from 0 to π: what is beyond was written in degrees."""
    number = require_nonnegative(value, argument)
    if number > math.pi:
        raise OptionError(
            argument, "an angle in radians, 0 to π", repr(value), f"Write math.radians({number:g}) if it is in degrees."
        )
    return number


def require_scalar(value: Any, argument: str, least: float | None = None) -> Any:
    """A number; or a scalar of a framework, as a constant that is not read."""
    if not is_python(value):
        value = as_array(value, argument)
        if value.ndim:
            raise OptionError(argument, "one number", f"an array of shape {tuple(value.shape)}")
        if library(value) != "numpy":
            return detached(value)
    return require_finite(value, argument) if least is None else require_at_least(value, least, argument)


def _number(value: Any, argument: str, expected: str) -> float:
    if isinstance(value, (str, bytes, bool)) or value is None:
        raise OptionError(argument, expected, repr(value))
    if getattr(value, "requires_grad", False):
        raise OptionError(
            argument,
            f"{expected}, which is not differentiated",
            "a tensor that requires grad",
            "Scale the scores yourself.",
        )
    try:
        return float(value)
    except (TypeError, ValueError):
        raise OptionError(argument, expected, repr(value)) from None


def require_choice(value: Any, choices: tuple[str, ...], argument: str) -> None:
    if value not in choices:
        raise OptionError(argument, " or ".join(f'"{c}"' for c in choices), repr(value))


def require_denominator(value: Any, reduction: str) -> Any:
    """Only a mean divides, by one number: a float, or a tensor of no dimensions as it is."""
    if value is None:
        return None
    if reduction != "mean":
        raise OptionError("denominator=", 'None where reduction is not "mean"', repr(value), "Only a mean divides.")
    if is_python(value) or not hasattr(value, "shape"):
        return require_nonnegative(value, "denominator=")
    array = as_array(value, "denominator=")
    require_numbers(array, "denominator=")
    if array.ndim:
        raise ShapeError("denominator=", "one number", f"shape {tuple(array.shape)}")
    return require_nonnegative(float(array), "denominator=") if library(array) == "numpy" else array


def require_projection(hidden: Array, weight: Array, bias: Array | None) -> None:
    require_one_library({"Projection(hidden)": hidden, "weight": weight, "bias": bias})
    if hidden.ndim == 0 or weight.ndim != 2 or not _fits(hidden.shape[-1:], weight.shape[1:]):
        raise ShapeError(
            "Projection(hidden, weight)",
            "hidden (…, H) and weight (K, H)",
            f"{tuple(hidden.shape)} and {tuple(weight.shape)}",
            "torch.nn.Linear and Keras's transposed kernel hold the weight as (K, H).",
        )
    if bias is not None and not _fits(bias.shape, weight.shape[:1]):
        raise ShapeError("Projection(bias)", f"shape ({weight.shape[0]},)", f"shape {tuple(bias.shape)}")


def require_one_library(arrays: dict[str, Array | None]) -> None:
    """All of one framework, and on one device."""
    given = {name: x for name, x in arrays.items() if x is not None}
    # Where an array of JAX or TensorFlow is, its framework sees to; inside a transform it is nowhere.
    seen = {(library(x), str(device_of(x))) for x in given.values()}
    if len(seen) > 1:
        got = ", ".join(
            f"{name} {library(x)}" + (f" on {x.device}" if library(x) == "torch" else "") for name, x in given.items()
        )
        raise BackendError(
            " and ".join(given),
            "arrays of one framework, on one device",
            got,
            "Convert one of them, for example with torch.as_tensor(…, device=…) or tensor.numpy().",
        )


def require_pair(P: Any, Q: Any, targets: tuple[type, ...], predictions: tuple[type, ...]) -> None:
    """P is a target and Q is a prediction; anything else is told what to write."""
    if isinstance(P, predictions) and isinstance(Q, targets):
        raise KindError("P and Q", "the truth first", f"{_kind(P)} and {_kind(Q)}", "Swap them: cross_entropy(P, Q).")
    if not isinstance(P, targets):
        raise KindError(
            "P",
            "the truth, as Labels, Distribution or Indicators",
            _kind(P),
            "Write Labels(y) for the index of the true class, Distribution(p) for a probability per class, "
            "Indicators(y) for independent yes/no outcomes.",
        )
    require_prediction(Q, predictions)


def require_prediction(Q: Any, predictions: tuple[type, ...]) -> None:
    if not isinstance(Q, predictions):
        raise KindError(
            "Q",
            "the prediction, as Logits, LogProbabilities, Probabilities or Projection",
            _kind(Q),
            "Write Logits(z) for scores before softmax or sigmoid, Probabilities(q) for what comes after it, "
            "LogProbabilities(l) after log_softmax.",
        )


def _kind(x: Any) -> str:
    return f"{type(x).__name__} {describe(x)}" if hasattr(x, "dtype") and hasattr(x, "shape") else type(x).__name__


def require_label_shape(P: Array, shape: tuple[int, ...], axis: int) -> None:
    """Labels have Q's shape without its class axis, and more than one class to choose from."""
    expected = shape[:axis] + shape[axis + 1 :]
    if not shape:
        raise ShapeError(
            "Q", "a class axis, for Labels", "a single number", "For one yes/no outcome write Indicators(…)."
        )
    classes = shape[axis]
    if not _fits(P.shape, expected):
        hint = f"Is axis={axis} the class axis?"
        if tuple(P.shape) == shape:
            hint = "A target of Q's own shape is a Distribution(…) or Indicators(…)."
        elif tuple(P.shape) == (*expected, 1) or tuple(P.shape) == (1, *expected):
            hint = f"Write Labels(y.reshape({expected}))."
        raise ShapeError(
            "P",
            f"shape {expected}: that of Q {shape} without its class axis {axis}",
            f"shape {tuple(P.shape)}",
            hint,
        )
    require_classes(classes)


def _fits(got: Any, expected: Any) -> bool:
    """Whether two shapes are one, as far as their lengths are known (None, while TensorFlow traces a graph)."""
    got, expected = tuple(got), tuple(expected)
    return len(got) == len(expected) and all(
        g is None or e is None or g == e for g, e in zip(got, expected, strict=True)
    )


def require_classes(classes: int | None) -> None:
    if classes is None:
        raise ShapeError(
            "Q",
            "a class axis whose length is known while the graph is traced",
            "None",
            "Write tf.ensure_shape(x, (…, K)) first; the other lengths may be unknown.",
        )
    if classes == 0:
        raise ShapeError("Q", "at least one class", "a class axis of length 0")
    if classes == 1:
        raise OneClassError(
            "Q",
            "at least two classes: a softmax over one is always 1, and the loss 0",
            "a class axis of length 1",
            "For one output unit write cross_entropy(Indicators(y), Logits(z)), with y of z's shape.",
        )


def require_same_shape(P: Array, shape: tuple[int, ...], name: str) -> None:
    if _fits(P.shape, shape):
        return
    known = None not in (*P.shape, *shape)
    hint = f"Write {name}(p.reshape({shape}))." if known and math.prod(P.shape) == math.prod(shape) else ""
    if name == "Distribution" and len(shape) == P.ndim + 1:
        hint = "Write Labels(y) if these are class indices."
    raise ShapeError("P", f"Q's shape {shape}", f"shape {tuple(P.shape)}", hint)


def require_same_axis(mine: int | None, axis: int, ndim: int) -> None:
    """P in log space has named its own class axis: it must be Q's."""
    if mine is not None and mine % ndim != axis:
        raise ShapeError(
            "P",
            f"its class axis where Q has its own, axis {axis}",
            f"axis {mine % ndim}",
            "Give both the same axis=.",
        )


def require_weight_shape(weight: Array, shape: tuple[int, ...], argument: str, what: str) -> None:
    """A number, or an array of just this shape, where an axis may have length 1."""
    got = tuple(weight.shape)
    full = tuple(shape[i] if g == 1 and i < len(shape) else g for i, g in enumerate(got))
    if got and not _fits(full, shape):
        raise ShapeError(
            argument,
            f"one number, or shape {shape}: one {what}",
            f"shape {got}",
            "Nothing is broadcast by guess.",
        )


def require_vector(vector: Array, classes: int, argument: str, what: str = "weight", instead: str = "") -> None:
    """One number for each class of Q; ``what`` says which."""
    if not _fits(vector.shape, (classes,)):
        expected = f"shape ({classes},): one {what} a class of Q"
        raise ShapeError(argument, expected, f"shape {tuple(vector.shape)}", instead)


def require_no_positive_weight(value: Any) -> None:
    """Refused where P has no yes side, not dropped."""
    if value is not None:
        raise UndefinedPairError(
            "positive_weight=",
            "no value here",
            _kind(value),
            "It weighs the yes side of Indicators; write class_weight=.",
        )
