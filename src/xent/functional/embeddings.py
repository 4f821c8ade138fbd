"""Queries against keys: embeddings, their similarities, and which key is what to which query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xent.backends import find
from xent.core import checks
from xent.core.arrays import (
    Array,
    as_array,
    compute_dtype,
    describe,
    device_of,
    dtype_name,
    is_python,
    library,
    namespace,
    sum_classes,
    to_compute,
    to_index,
)
from xent.core.predictions import Projection
from xent.core.scores import Scores
from xent.errors import OptionError, ShapeError
from xent.functional.projection import projected_scores
from xent.functional.scoring import normalized
from xent.functional.weights import weight_array


def embedded(value: Any, argument: str) -> Array:
    """Embeddings (N, D), one a row."""
    x = checks.require_floats(as_array(value, argument), argument, python=is_python(value))
    if x.ndim != 2:
        raise ShapeError(argument, "shape (N, D): one embedding a row", f"shape {tuple(x.shape)}")
    if None in tuple(x.shape):
        raise ShapeError(
            argument,
            "lengths that are known while the graph is traced",
            f"shape {tuple(x.shape)}",
            "Write tf.ensure_shape(x, (N, D)) first.",
        )
    return x


def paired(first: Any, second: Any, names: tuple[str, str], *, rows: bool = False) -> tuple[Array, Array]:
    """Two sets of embeddings of one width; ``rows``: as many of one as of the other."""
    a, b = embedded(first, names[0]), embedded(second, names[1])
    checks.require_one_library({names[0]: a, names[1]: b})
    if a.shape[1] != b.shape[1] or (rows and a.shape[0] != b.shape[0]):
        expected = f"shape {tuple(a.shape)}" if rows else f"shape (…, {a.shape[1]}), as wide as {names[0]}"
        raise ShapeError(names[1], expected, f"shape {tuple(b.shape)}")
    return a, b


def number_beside(
    value: Any, like: Array, argument: str, require: Callable[[Any, str], float] = checks.require_positive
) -> Any:
    """A number, positive unless ``require`` asks for something else; a scalar of a framework stays one, and is
    differentiated."""
    if not hasattr(value, "dtype") or library(array := as_array(value, argument)) == "numpy":
        return require(value, argument)
    if array.ndim:
        raise OptionError(argument, "one number", f"an array of shape {tuple(array.shape)}")
    checks.require_one_library({argument: array, "embeddings": like})
    return namespace(like).astype(array, compute_dtype(like), copy=False)


def similarities(queries: Array, keys: Array, scale: Any, *, normalize: bool) -> Array:
    """scale·⟨q, k⟩ of every query with every key (N, K); of their directions where ``normalize``."""
    scores = Scores(normalize="both") if normalize else None
    return projected_scores(Projection(queries, keys), None, None, scores, None)[0] * scale


def against(queries: Array, keys: Array, negatives: Array, *, normalize: bool) -> Array:
    """Similarities (N, 1 + M) of each query: first its own key, then negatives (M, D), or (N, M, D) of its own."""
    q, k, n = to_compute(queries), to_compute(keys), to_compute(negatives)
    if normalize:
        q, k, n = (normalized(x)[0] for x in (q, k, n))
    xp = namespace(q)
    positive = sum_classes(q * k, keepdims=True)
    rest = xp.matmul(n, q[..., None])[..., 0] if n.ndim == 3 else xp.matmul(q, xp.matrix_transpose(n))
    return xp.concat([positive, rest], axis=-1)


def require_negatives(value: Any, queries: Array, argument: str) -> Array:
    """Negatives (M, D) or (N, M, D)."""
    x = checks.require_floats(as_array(value, argument), argument, python=is_python(value))
    checks.require_one_library({argument: x, "queries": queries})
    n, width = queries.shape
    shape = tuple(x.shape)
    if not (x.ndim == 2 or (x.ndim == 3 and shape[0] == n)) or shape[-1] != width or None in shape or shape[-2] == 0:
        raise ShapeError(argument, f"shape (M, {width}) or ({n}, M, {width}), M ≥ 1", f"shape {shape}")
    return x


def positions(value: Any, queries: Array, keys: Array, argument: str) -> Array:
    """The key of each query: by default key i of query i."""
    n, k = queries.shape[0], keys.shape[0]
    if value is None:
        if k < n:
            raise ShapeError(
                "keys", f"at least {n} rows, key i for query i", f"shape {tuple(keys.shape)}", f"Or give {argument}."
            )
        return to_index(namespace(queries).arange(n, device=device_of(queries)))
    return labels_of(value, queries, argument)


def labels_of(value: Any, rows: Array, argument: str) -> Array:
    """One whole number a row of the embeddings."""
    x = as_array(value, argument)
    checks.require_integers(x, argument)
    checks.require_one_library({argument: x, "embeddings": rows})
    if tuple(x.shape) != (rows.shape[0],):
        raise ShapeError(argument, f"shape ({rows.shape[0]},): one an embedding", describe(x))
    return to_index(x)


def is_at(index: Array, keys: Array) -> Array:
    """Whether key j is that of the index of row i, (N, K); an index outside the keys is none of them."""
    return namespace(keys).arange(keys.shape[0], device=device_of(keys)) == index[:, None]


def by_label(queries: Any, labels: Any, keys: Any, key_labels: Any, own: Any) -> tuple[Array, Array, Array, Array]:
    """Queries, keys, and which keys are positives and which negatives of each query, (N, K); itself is neither."""
    if keys is None:
        if key_labels is not None or own is not None:
            raise OptionError("key_labels= and own=", "None without keys=", "one of them")
        x = embedded(queries, "queries")
        y = labels_of(labels, x, "labels")
        same = y[:, None] == y[None, :]
        other = ~is_at(to_index(namespace(x).arange(x.shape[0], device=device_of(x))), x)
        return x, x, same & other, ~same
    x, k = paired(queries, keys, ("queries", "keys="))
    if key_labels is None:
        raise OptionError("key_labels=", "the label of each key", "None")
    same = labels_of(labels, x, "labels")[:, None] == labels_of(key_labels, k, "key_labels=")[None, :]
    if own is None:
        return x, k, same, ~same
    other = ~is_at(labels_of(own, x, "own="), k)
    return x, k, same & other, other & ~same


def mask_of(value: Any, queries: Array, keys: Array, argument: str) -> Array:
    """Booleans (N, K)."""
    x = as_array(value, argument)
    shape = (queries.shape[0], keys.shape[0])
    if dtype_name(x) != "bool" or tuple(x.shape) != shape:
        raise ShapeError(argument, f"booleans of shape {shape}", describe(x))
    checks.require_one_library({argument: x, "queries": queries})
    return x


def weights_of(value: Any, queries: Array) -> Array | None:
    """One weight a query (N,), or a number."""
    w = weight_array(value, queries, "weight=", find(queries).reads(queries, value))
    if w is None:
        return None
    checks.require_weight_shape(w, (queries.shape[0],), "weight=", "query")
    return namespace(w).broadcast_to(w, (queries.shape[0],))


def counting(
    positive: Array, without_positives: str, weight: Array | None, queries: Array, reduction: str, denominator: Any
) -> tuple[Array, Any]:
    """The weights of the queries that have positives, 0 for the others; what a mean divides by (None: their sum)."""
    checks.require_choice(without_positives, ("skip", "zero"), "without_positives=")
    xp = namespace(queries)
    some = xp.astype(xp.any(positive, axis=-1), compute_dtype(queries))
    if without_positives == "zero" and reduction == "mean" and denominator is None:
        denominator = float(queries.shape[0]) if weight is None else xp.sum(weight)
    return some if weight is None else some * weight, denominator
