"""What the core needs to know of an array, whatever framework it comes from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from xent.errors import BackendError, DtypeError, ShapeError

Array: TypeAlias = Any

HALF = frozenset({"float16", "bfloat16"})
FLOATING = HALF | {"float32", "float64"}
SIGNED = frozenset({"int8", "int16", "int32", "int64"})
INTEGERS = SIGNED | {"uint8", "uint16", "uint32", "uint64"}

# Libraries whose columns are NumPy arrays in another coat; converting them loses nothing.
_NUMPY_LIKE = frozenset({"pandas", "polars", "pyarrow"})


def as_array(value: Any, argument: str) -> Array:
    """The array of a framework as it is; Python numbers and lists, and data-frame columns, as NumPy arrays."""
    if isinstance(value, np.ma.MaskedArray):
        raise BackendError(
            argument,
            "an array whose every element counts",
            f"a numpy.ma.MaskedArray of shape {value.shape}, whose mask would be lost",
            "Pass value.filled(…) and say what is masked with ignore= or weight=.",
        )
    if isinstance(value, np.ndarray):
        # A subclass may read "*" as another product (numpy.matrix); the numbers are the same.
        return value if type(value) is np.ndarray else np.asarray(value)
    if isinstance(value, np.generic) or library(value) != "numpy":
        return _of_known_rank(value, argument) if library(value) == "tensorflow" else value
    variable = getattr(sys.modules.get("tensorflow"), "Variable", None)
    if variable is not None and isinstance(value, variable):
        from xent.core import tensorflow_namespace

        return _of_known_rank(tensorflow_namespace.asarray(value), argument)
    if not is_python(value) and type(value).__module__.partition(".")[0] not in _NUMPY_LIKE:
        raise BackendError(
            argument,
            "an array of NumPy, PyTorch, JAX or TensorFlow, a list or a number",
            f"{type(value).__module__}.{type(value).__qualname__}",
            "Convert it first, for example with numpy.asarray(…) or torch.as_tensor(…).",
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(argument, "rows of one length", f"a ragged {type(value).__name__}") from error
    if not captured() and array.dtype == object:
        raise DtypeError(argument, "numbers", f"a {type(value).__name__} of Python objects")
    return array


def _of_known_rank(x: Array, argument: str) -> Array:
    """A TensorFlow tensor whose number of axes is known; their lengths need not be while a graph is traced."""
    if x.shape.rank is None:
        raise ShapeError(
            argument, "a known number of axes", "a tensor of unknown rank", "Write tf.ensure_shape(x, (None, …)) first."
        )
    return x


def is_python(value: Any) -> bool:
    """Whether a value is a plain Python number or list, with no framework of its own."""
    return isinstance(value, (bool, int, float, list, tuple))


#: The array type of each framework, as an attribute of its module.
_ARRAYS = {"torch": "Tensor", "jax": "Array", "tensorflow": "Tensor"}


#: What was found of a type, which is asked for several times a call.
_LIBRARIES: dict[type, str] = {np.ndarray: "numpy"}


def library(x: Array) -> str:
    """ "numpy", "torch", "jax" or "tensorflow"."""
    kind = type(x)
    found = _LIBRARIES.get(kind)
    if found is None:
        found = _LIBRARIES[kind] = _library_of(x)
    return found


def _library_of(x: Array) -> str:
    # Not array_api_compat's own tests: they have an lru_cache, at which torch.compile warns. Nothing is imported here.
    for name, array in _ARRAYS.items():
        kind = getattr(sys.modules.get(name), array, None)
        if kind is not None and isinstance(x, kind):
            return name
    return "numpy"


def captured() -> bool:
    """Whether ``torch.compile`` reads the code: NumPy's arrays have no values then either."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.compiler.is_compiling())


def namespace(x: Array) -> Any:
    """The array-API namespace of an array."""
    name = library(x)
    if name == "torch":
        from array_api_compat import torch as xp

        return xp
    if name == "jax":
        return sys.modules["jax"].numpy
    if name == "tensorflow":
        from xent.core import tensorflow_namespace

        return tensorflow_namespace
    from array_api_compat import numpy as xp

    return xp


def device_of(x: Array) -> Any:
    """Where a constant that meets x is made; None: where the framework itself would."""
    return x.device if library(x) in ("numpy", "torch") else None


def device_name(x: Array) -> str:
    """ "cpu", "cuda:0", "gpu" …, for kernels and messages. An array that JAX traces is where its compiler will work."""
    if library(x) == "tensorflow":
        # A tensor of a graph has no place yet.
        return "cpu" if not x.device or "device:CPU:" in x.device else str(x.device)
    if library(x) != "jax":
        return str(getattr(x, "device", "cpu"))
    jax = sys.modules["jax"]
    if isinstance(x, jax.core.Tracer) or not hasattr(x, "devices"):
        return str(jax.default_backend())
    return " and ".join(sorted({device.platform for device in x.devices()}))


def to_index(x: Array) -> Array:
    """Whole numbers in a signed type that holds every label and every number of classes."""
    xp = namespace(x)
    if library(x) == "jax":
        # Without jax_enable_x64 there is no int64; asking for it warns.
        return x if dtype_name(x) in ("int32", "int64") else xp.astype(x, xp.int32)
    return xp.astype(x, xp.int64, copy=False)


def number(x: Any) -> float:
    """A single number of any kind as Python's own, outside any graph."""
    return float(detached(x))


def detached(x: Any) -> Any:
    """x as a constant, to what its framework differentiates."""
    if hasattr(x, "detach"):
        return x.detach()
    if library(x) == "jax":
        return sys.modules["jax"].lax.stop_gradient(x)
    return namespace(x).stop_gradient(x) if library(x) == "tensorflow" else x


def beside(value: Any, like: Array) -> Any:
    """A Python number as it is; a scalar of a framework in the type of an array that it meets."""
    return value if is_python(value) else namespace(like).astype(value, like.dtype, copy=False)


def constant(value: Any, like: Array, dtype: Any = None) -> Array:
    """NumPy's array as one of the framework of another, beside it."""
    # A copy: a framework may keep the memory that it is given, and warns where that cannot be written to.
    return namespace(like).asarray(value.copy(), dtype=dtype, device=device_of(like))


def scalar_beside(value: Any, like: Array) -> Array:
    """A number, or an array without axes, in the type of another array and beside it. PyTorch's device makes a number
    itself: ``asarray`` would copy it there, for which the host waits."""
    xp = namespace(like)
    if is_python(value) and library(like) == "torch":
        return xp.full((), value, dtype=like.dtype, device=device_of(like))
    return xp.asarray(value, dtype=like.dtype, device=device_of(like))


def dtype_name(x: Array) -> str:
    """ "float32", "bfloat16", "int64" …, without the framework's prefix."""
    # Not NumPy's own name, which does not tell foreign byte order. TensorFlow writes "<dtype: 'float32'>".
    return str(x.dtype).rpartition(".")[2].removeprefix("<dtype: '").removesuffix("'>")


def compute_dtype(x: Array) -> Any:
    """float32 for half precision and float32; float64 for float64, and for integers where they are probabilities."""
    xp = namespace(x)
    if dtype_name(x) in HALF or dtype_name(x) == "float32":
        return xp.float32
    # Without jax_enable_x64 JAX has no float64, and its float is float32.
    return xp.result_type(float) if library(x) == "jax" else xp.float64


def to_compute(x: Array) -> Array:
    """x in the type that its arithmetic is done in."""
    xp = namespace(x)
    return xp.astype(x, compute_dtype(x), copy=False)


def classes_last(x: Array, axis: int) -> Array:
    """x with its class axis last. Not moved where it is there: JAX would make a copy."""
    return x if axis == x.ndim - 1 else namespace(x).moveaxis(x, axis, -1)


def classes_at(x: Array, axis: int) -> Array:
    """The way back."""
    return x if axis == x.ndim - 1 else namespace(x).moveaxis(x, -1, axis)


def sum_classes(x: Array, *, keepdims: bool = False) -> Array:
    """Σ over the last axis.

    NumPy adds pairwise only along memory that is contiguous; elsewhere it adds one after the other, and the error of a
    float32 row grows with its length (1e-4 at 200,000 classes).
    """
    if library(x) == "numpy" and x.strides[-1] != x.itemsize and x.shape[-1] > 8:
        x = np.ascontiguousarray(x)
    return namespace(x).sum(x, axis=-1, keepdims=keepdims)


def log1p(x: Array) -> Array:
    """log(1 + x) to a unit or two in the last place.

    XLA's own is up to 117 of them off in float64 between −0.42 and −0.35 (JAX 0.10.2, TensorFlow 2.21); outside ±0.25
    1 + x loses nothing that its logarithm would show.
    """
    xp = namespace(x)
    if library(x) not in ("jax", "tensorflow") or dtype_name(x) != "float64":
        return xp.log1p(x)
    near = xp.abs(x) < 0.25
    return xp.where(near, xp.log1p(xp.where(near, x, xp.zeros_like(x))), xp.log(1.0 + x))


def pick(x: Array, index: Array) -> Array:
    """x[…, index] of each row: one class of the last axis."""
    if library(x) == "torch":
        # take_along_dim broadcasts, for which it fixes the number of rows when a graph is captured; gather does not.
        return x.gather(-1, index[..., None])[..., 0]
    return namespace(x).take_along_axis(x, index[..., None], axis=-1)[..., 0]


def look_up(vector: Array, index: Array) -> Array:
    """vector[index], or the rows of a matrix, for an index of any shape."""
    return namespace(vector).take(vector, index) if library(vector) == "tensorflow" else vector[index]


def sum_by_index(x: Array, index: Array, size: int) -> Array:
    """Σ of the rows of x (N, …) that have each index, (size, …)."""
    kind = library(x)
    if kind == "torch":
        return x.new_zeros((size, *x.shape[1:])).index_add(0, index, x)
    if kind == "jax":
        return namespace(x).zeros((size, *x.shape[1:]), dtype=x.dtype).at[index].add(x)
    if kind == "tensorflow":
        return sys.modules["tensorflow"].math.unsorted_segment_sum(x, index, size)
    found = np.zeros((size, *x.shape[1:]), x.dtype)
    if len(index):
        order = np.argsort(index, kind="stable")
        present, starts = np.unique(index[order], return_index=True)
        found[present] = np.add.reduceat(x[order], starts, axis=0)
    return found


def mark(index: Array, size: int) -> Array:
    """Whether each of so many classes is among the indices (…, k) of its row: booleans (…, size)."""
    kind = library(index)
    xp = namespace(index)
    if kind == "tensorflow":
        return xp.mark(index, size)
    found = xp.zeros((*index.shape[:-1], size), dtype=xp.bool, device=device_of(index))
    if kind == "torch":
        return found.scatter(-1, index, True)
    if kind == "jax":
        return xp.put_along_axis(found, index, True, axis=-1, inplace=False)
    np.put_along_axis(found, index, True, axis=-1)
    return found


def cumulative_sum(x: Array, axis: int) -> Array:
    """Σ up to and with each place of an axis."""
    # Not array_api_compat's for PyTorch: it has an lru_cache inside, at which torch.compile warns.
    return x.cumsum(axis) if library(x) == "torch" else namespace(x).cumulative_sum(x, axis=axis)


def spread(x: Array, like: Array) -> Array:
    """x broadcast to the shape of another array."""
    xp = namespace(x)
    return xp.broadcast_to(x, like.shape) if None not in tuple(like.shape) else xp.broadcast_like(x, like)


def repeated(
    step: Callable[..., tuple[Array, ...]], static: Hashable, times: int, state: tuple[Array, ...]
) -> tuple[Array, ...]:
    """``state = step(static, *state)``, a number of times; ``step`` is a function of a module.

    In a program of JAX it is a loop: thirty steps that are written out take its compiler three times as long (0.10.2).
    """
    jax = sys.modules.get("jax") if library(state[0]) == "jax" else None
    if jax is not None and any(isinstance(x, jax.core.Tracer) for x in state):
        found: tuple[Array, ...] = jax.lax.fori_loop(0, times, _body(step, static), state)
        return found
    for _ in range(times):
        state = step(static, *state)
    return state


@cache
def _body(step: Callable[..., tuple[Array, ...]], static: Hashable) -> Callable[[Any, tuple[Array, ...]], Any]:
    """The same object in every call: JAX would compile another again."""
    return lambda _, state: step(static, *state)


def describe(x: Array) -> str:
    """ "float32 of shape (3, 4)", for messages."""
    return f"{dtype_name(x)} of shape {tuple(x.shape)}"


def first_position(mask: Array) -> tuple[int, ...]:
    """Index of the first True of a mask that has one."""
    xp = namespace(mask)
    flat = int(xp.argmax(xp.reshape(xp.astype(mask, xp.int8), (-1,))))
    return tuple(int(i) for i in np.unravel_index(flat, tuple(mask.shape)))


def times(mass: Array, value: Array) -> Array:
    """mass·value with 0·∞ = 0, for the value and for both derivatives."""
    xp = namespace(mass)
    return mass * xp.where((mass == 0) & xp.isinf(value), 0.0, value)
