"""One column of the table of disagreements: every case in one library, in a process of its own.

    python -m benchmarks._disagreement_columns keras-jax

Prints JSON: versions, and for each case what the library answers in each of its modes. Nothing is timed.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks._disagreement_cases import CASES, Case

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

#: Column → (whose calls, whose arrays, the package that must be there).
COLUMNS = {
    "torch": ("torch", "torch", "torch"),
    "tensorflow": ("tensorflow", "tensorflow", "tensorflow"),
    "optax": ("optax", "jax", "optax"),
    "keras-tensorflow": ("keras", "tensorflow", "keras"),
    "keras-jax": ("keras", "jax", "keras"),
    "keras-torch": ("keras", "torch", "keras"),
    "keras-numpy": ("keras", "numpy", "keras"),
    "sklearn": ("sklearn", "numpy", "sklearn"),
    "xent-numpy": ("xent", "numpy", "numpy"),
    "xent-torch": ("xent", "torch", "torch"),
    "xent-jax": ("xent", "jax", "jax"),
    "xent-tensorflow": ("xent", "tensorflow", "tensorflow"),
}

Answer = dict[str, Any]


def said(value: Any) -> str:
    """Numbers to four significant digits; more than four numbers by their shape."""
    numbers = np.asarray(value, dtype=np.float64)
    if numbers.size > 6:
        return f"shape {numbers.shape}"
    text = ", ".join(_number(float(x)) for x in numbers.ravel())
    return text or "[]"


def _number(x: float) -> str:
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if abs(x) < 1e-300:
        return "0"
    return f"{x:.4g}".replace("-", "−")


def _arrays(case: Case, make: Callable[[np.ndarray, str], Any]) -> dict[str, Any]:
    found = {}
    for name, value in case.data.items():
        dtype = case.integers.get(name, case.dtype)
        array = np.asarray(value, dtype=dtype if dtype != "bfloat16" else "float32")
        if case.name == "D12" and name == "z":
            array = array.reshape(0, 3)
        found[name] = make(array, dtype)
    return found


def _torch() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    import torch

    def make(array: np.ndarray, dtype: str) -> Any:
        # PyTorch's losses take labels of int64 and uint8.
        return torch.tensor(array, dtype=getattr(torch, "int64" if dtype == "int32" else dtype))

    def slope(f: Any, x: Any) -> Any:
        x = x.clone().requires_grad_()
        return torch.autograd.grad(f(x).sum(), x)[0].double()

    names = {"torch": torch, "F": torch.nn.functional, "softmax": lambda z: torch.softmax(z, -1)}
    return make, names, {"": (lambda f, x: f(x).detach().double(), slope)}


def _jax() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def make(array: np.ndarray, dtype: str) -> Any:
        return jnp.asarray(array, dtype=dtype)

    def slope(f: Any, x: Any) -> Any:
        return jax.grad(lambda x: jnp.sum(f(x)))(x)

    names = {"jax": jax, "jnp": jnp, "softmax": lambda z: jax.nn.softmax(z)}
    modes = {
        "eager": (lambda f, x: f(x), slope),
        "jit": (lambda f, x: jax.jit(f)(x), lambda f, x: jax.jit(lambda x: slope(f, x))(x)),
    }
    return make, names, modes


def _tensorflow() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    import tensorflow as tf

    def make(array: np.ndarray, dtype: str) -> Any:
        return tf.constant(array, dtype=dtype)

    def slope(f: Any, x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(f(x))
        return tape.gradient(value, x)

    def traced(run: Any, *, xla: bool) -> Any:
        def inside(f: Any, x: Any) -> Any:
            return tf.function(lambda x: run(f, x), jit_compile=xla, autograph=False)(x)

        return inside

    def value(f: Any, x: Any) -> Any:
        return f(x)

    modes = {
        "eager": (value, slope),
        "function": (traced(value, xla=False), traced(slope, xla=False)),
        "XLA": (traced(value, xla=True), traced(slope, xla=True)),
    }
    return make, {"tf": tf, "softmax": lambda z: tf.nn.softmax(z)}, modes


def _numpy() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    def make(array: np.ndarray, dtype: str) -> Any:
        if dtype == "bfloat16":
            raise TypeError("NumPy has no bfloat16")
        return array

    def softmax(z: np.ndarray) -> np.ndarray:
        return np.exp(z - z.max(-1, keepdims=True)) / np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)

    return make, {"np": np, "softmax": softmax}, {"": (lambda f, x: f(x), None)}


_LIBRARIES = {"torch": _torch, "jax": _jax, "tensorflow": _tensorflow, "numpy": _numpy}
_PACKAGES = {
    "torch": ("torch",), "tensorflow": ("tensorflow-cpu", "tensorflow"), "optax": ("optax", "jax"), "keras": ("keras",),
    "sklearn": ("scikit-learn",), "xent": ("numpy",), "jax": ("jax",), "numpy": ("numpy",),
}  # fmt: skip


def _names(calls: str) -> dict[str, Any]:
    if calls == "keras":
        import keras

        return {"keras": keras, "K": keras.losses}
    if calls == "optax":
        import optax

        return {"optax": optax}
    if calls == "sklearn":
        import sklearn.metrics

        return {"M": sklearn.metrics}
    if calls == "xent":
        import xent

        return {"xent": xent}
    return {}


def column(name: str) -> dict[str, Any]:
    """Every case in one column."""
    calls, arrays, _ = COLUMNS[name]
    if calls == "keras":
        os.environ["KERAS_BACKEND"] = arrays
    make, names, modes = _LIBRARIES[arrays]()
    names |= _names(calls)
    answers = {case.name: _case(case, calls, make, names, modes) for case in CASES if calls in case.calls}
    return {"versions": _versions(calls, arrays), "answers": answers}


def _case(case: Case, calls: str, make: Any, names: dict[str, Any], modes: dict[str, Any]) -> Answer:
    try:
        arrays = _arrays(case, make)
    except TypeError as error:
        return {"value": {"": f"– ({error})"}}
    text = case.calls[calls]

    def loss(x: Any) -> Any:
        return eval(text, {**names, **arrays, case.x: x})

    found: Answer = {"value": {mode: _said(value, loss, arrays[case.x]) for mode, (value, _) in modes.items()}}
    if case.gradient:
        slopes = {mode: _said(slope, loss, arrays[case.x]) for mode, (_, slope) in modes.items() if slope}
        if slopes:
            found["gradient"] = slopes
        elif calls == "xent":
            found["gradient"] = {"": _own_gradient(text, names, arrays)}
    return found


def _own_gradient(text: str, names: dict[str, Any], arrays: dict[str, Any]) -> str:
    """NumPy differentiates nothing: xent's own gradient."""
    text = text.replace("xent.cross_entropy", "xent.value_and_grad")
    if ".value_and_grad" not in text or "softmax(" in text:
        return "–"
    return _said(lambda f, x: f(x)[1], lambda x: eval(text, {**names, **arrays}), None)


def _said(run: Any, f: Any, x: Any) -> str:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return said(run(f, x))
    except Exception as error:  # noqa: BLE001 - any refusal is an answer of the library, and is printed
        return f"raises {type(error).__name__}"


def _versions(calls: str, arrays: str) -> dict[str, str]:
    found = {}
    for package in (*_PACKAGES[calls], *_PACKAGES[arrays]):
        try:
            found[package.removesuffix("-cpu")] = version(package)
        except ModuleNotFoundError:  # tensorflow comes as one of two distributions
            continue
    return found


if __name__ == "__main__":
    print(json.dumps(column(sys.argv[1]), ensure_ascii=False))
