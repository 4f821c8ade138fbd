"""The part of the array API that this library uses, for TensorFlow's tensors.

TensorFlow promotes no types, so ``where`` takes the type of its tensor for a plain number. A length that is not known
while a graph is traced is None in a shape; where a function takes a shape, None means "as x has it at that place".
Nothing here is copied to another device, so ``device`` is taken for the other frameworks' sake and not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

float16, float32, float64 = tf.float16, tf.float32, tf.float64
int8, int32, int64 = tf.int8, tf.int32, tf.int64
bool = tf.bool

abs, exp, expm1, log, log1p = tf.abs, tf.exp, tf.math.expm1, tf.math.log, tf.math.log1p
sin, cos, acos, atan2, sqrt, tanh = tf.sin, tf.cos, tf.acos, tf.atan2, tf.sqrt, tf.tanh
matmul, matrix_transpose, stop_gradient = tf.matmul, tf.linalg.matrix_transpose, tf.stop_gradient

#: The alignment that TensorFlow asks of memory which it did not allocate.
_LINE = 64
#: Fewer bytes are copied: that takes less time than handing them over.
_COPIED = 1 << 14
#: Terms of a sum that a compiler may add one after the other.
_RUN = 1 << 10

Array = Any


def asarray(x: Any, dtype: Any = None, device: Any = None) -> Array:
    """A tensor: of a variable the value, which a tape sees being read."""
    if isinstance(x, tf.Tensor) and dtype is not None:
        return astype(x, dtype)
    return tf.convert_to_tensor(x, dtype=dtype)


def from_numpy(values: Any, dtype: Any = None) -> Array:
    """A tensor of a NumPy array, on the same memory where TensorFlow can use it; ``dtype``: what its bits mean."""
    if values.nbytes < _COPIED or values.ctypes.data % _LINE or not values.flags.c_contiguous:
        found = tf.convert_to_tensor(values)
    else:
        found = tf.experimental.dlpack.from_dlpack(values.__dlpack__())
    return found if dtype is None or found.dtype == dtype else tf.bitcast(found, dtype)


def astype(x: Array, dtype: Any, *, copy: Any = True) -> Array:
    return x if x.dtype == dtype else tf.cast(x, dtype)


def where(condition: Array, x: Any, y: Any) -> Array:
    like = x if isinstance(x, tf.Tensor) else y
    return tf.where(condition, tf.convert_to_tensor(x, dtype=like.dtype), tf.convert_to_tensor(y, dtype=like.dtype))


def clip(x: Array, low: Any, high: Any) -> Array:
    return tf.clip_by_value(x, tf.cast(low, x.dtype), tf.cast(high, x.dtype))


def isnan(x: Array) -> Array:
    return tf.math.is_nan(x) if x.dtype.is_floating else tf.zeros_like(x, dtype=tf.bool)


def isinf(x: Array) -> Array:
    return tf.math.is_inf(x) if x.dtype.is_floating else tf.zeros_like(x, dtype=tf.bool)


def isfinite(x: Array) -> Array:
    return tf.math.is_finite(x) if x.dtype.is_floating else tf.ones_like(x, dtype=tf.bool)


def sum(x: Array, *, axis: Any = None, keepdims: Any = False, dtype: Any = None) -> Array:
    """In a graph a sum is kept apart from the next one, and a long one is cut: see ``apart``."""
    x = x if dtype is None else astype(x, dtype)
    if tf.executing_eagerly() or not x.dtype.is_floating:
        return tf.reduce_sum(x, axis=axis, keepdims=keepdims)
    if axis is None and not keepdims:
        return _total(x)
    return apart(tf.reduce_sum(x, axis=axis, keepdims=keepdims))


def apart(x: Array) -> Array:
    """x, so that XLA does not make one sum of those before and after it.

    XLA adds the numbers of a sum on a CPU one after the other. Of rows of sums it makes one sum of all numbers, which
    for 2048 rows of 32,000 float32 numbers is 0.5 % off (TensorFlow 2.21). The term is 0 and has no derivative; what
    is undefined stays undefined.
    """
    return x + tf.where(tf.math.is_nan(x), x, tf.zeros_like(x))


def _total(x: Array) -> Array:
    """Σ of all numbers, of which no sum has many more than ``_RUN`` terms where lengths are known."""
    while x.shape.rank > 1:
        x = apart(tf.reduce_sum(x, axis=-1))
    while x.shape.rank == 1 and x.shape[0] is not None and x.shape[0] > _RUN:
        whole = x.shape[0] // _RUN * _RUN
        parts = apart(tf.reduce_sum(tf.reshape(x[:whole], (-1, _RUN)), axis=-1))
        x = parts if whole == x.shape[0] else tf.concat([parts, x[whole:]], 0)
    return tf.reduce_sum(x)


def max(x: Array, *, axis: Any = None, keepdims: Any = False) -> Array:
    return tf.reduce_max(x, axis=axis, keepdims=keepdims)


def min(x: Array, *, axis: Any = None, keepdims: Any = False) -> Array:
    return tf.reduce_min(x, axis=axis, keepdims=keepdims)


def any(x: Array, *, axis: Any = None, keepdims: Any = False) -> Array:
    return tf.reduce_any(x, axis=axis, keepdims=keepdims)


def all(x: Array, *, axis: Any = None, keepdims: Any = False) -> Array:
    return tf.reduce_all(x, axis=axis, keepdims=keepdims)


def argmax(x: Array, *, axis: Any = None, keepdims: Any = False) -> Array:
    found = tf.argmax(tf.reshape(x, (-1,)) if axis is None else x, axis=-1 if axis is None else axis)
    return tf.expand_dims(found, axis) if keepdims else found


def take_along_axis(x: Array, index: Array, axis: int = -1) -> Array:
    assert axis == -1, "classes are last"
    return tf.gather(x, index, axis=-1, batch_dims=x.shape.rank - 1)


def sort(x: Array, *, axis: int = -1) -> Array:
    return tf.sort(x, axis=axis)


def cumulative_sum(x: Array, *, axis: int = -1) -> Array:
    return tf.cumsum(x, axis=axis)


def searchsorted(x1: Array, x2: Array, *, side: str = "left") -> Array:
    """Where each number of x2 would stand in the sorted numbers x1, both of one axis."""
    return tf.searchsorted(x1, x2, side=side, out_type=tf.int64)


def concat(arrays: Sequence[Array], *, axis: int = 0) -> Array:
    return tf.concat(arrays, axis)


def stack(arrays: Sequence[Array], *, axis: int = 0) -> Array:
    return tf.stack(arrays, axis)


def nonzero(x: Array) -> tuple[Array, ...]:
    return tuple(tf.unstack(tf.where(x), axis=-1))


def take(x: Array, index: Array) -> Array:
    """x[index] of the first axis of x, for an index of any shape."""
    return tf.gather(x, index)


def arange(stop: int, *, device: Any = None) -> Array:
    return tf.range(stop, dtype=tf.int64)


def zeros(shape: Sequence[int], *, dtype: Any, device: Any = None) -> Array:
    return tf.zeros(shape, dtype)


def ones(shape: Sequence[int], *, dtype: Any, device: Any = None) -> Array:
    return tf.ones(shape, dtype)


def zeros_like(x: Array, *, dtype: Any = None) -> Array:
    return tf.zeros_like(x, dtype=dtype)


def ones_like(x: Array, *, dtype: Any = None) -> Array:
    return tf.ones_like(x, dtype=dtype)


def full_like(x: Array, value: Any) -> Array:
    return tf.zeros_like(x) + tf.convert_to_tensor(value, dtype=x.dtype)


def moveaxis(x: Array, source: int, destination: int) -> Array:
    rank = x.shape.rank
    source, destination = source % rank, destination % rank
    if source == destination:
        return x
    order = [axis for axis in range(rank) if axis != source]
    order.insert(destination, source)
    return tf.transpose(x, order)


def reshape(x: Array, shape: Sequence[int | None]) -> Array:
    if None not in shape:
        return tf.reshape(x, shape)
    lengths = tf.shape(x)
    return tf.reshape(x, [lengths[i] if length is None else length for i, length in enumerate(shape)])


def broadcast_to(x: Array, shape: Sequence[int]) -> Array:
    return tf.broadcast_to(x, shape)


def broadcast_like(x: Array, like: Array) -> Array:
    return tf.broadcast_to(x, tf.shape(like))


def reshape_like(x: Array, like: Array) -> Array:
    return tf.reshape(x, tf.shape(like))


def of_shape(x: Array, like: Array, axis: int | None) -> Array:
    """x, found to have the shape of another array (without its ``axis``) where the graph is run.

    Lengths that are not known while it is traced would otherwise be broadcast. A mismatch raises; of x that only has
    its axes in another order XLA, which drops assertions, makes NaN, or labels that are out of range.
    """
    lengths, known = tf.shape(like), like.shape
    if axis is not None:
        known = known[:axis].concatenate(known[axis + 1 :])
        lengths = tf.concat([lengths[:axis], lengths[axis + 1 :]], 0)
    assertion = tf.debugging.assert_equal(tf.shape(x), lengths, message="P has not the shape that Q asks for")
    same = tf.reduce_all(tf.shape(x) == lengths)
    with tf.control_dependencies([assertion]):
        x = tf.ensure_shape(tf.reshape(x, lengths), known)
    if axis is not None:
        return where(same, tf.cast(x, tf.int64), -1)
    x = x if x.dtype.is_floating else tf.cast(x, tf.float32)
    return where(same, x, float("nan"))


def mark(index: Array, size: int) -> Array:
    """Whether each of so many classes is among the indices (…, k) of its row."""
    k = index.shape[-1]
    flat = tf.reshape(index, (-1, k))
    rows = tf.shape(flat, out_type=flat.dtype)[0]
    at = tf.stack((tf.repeat(tf.range(rows), k), tf.reshape(flat, (-1,))), axis=-1)
    found = tf.scatter_nd(at, tf.ones_like(at[:, 0]), tf.stack((rows, tf.constant(size, flat.dtype)))) > 0
    return tf.reshape(found, tf.concat((tf.shape(index)[:-1], (size,)), 0))


def size(x: Array) -> Array:
    return tf.size(x, out_type=tf.int64)


def iinfo(dtype: Any) -> Any:
    return np.iinfo(dtype.as_numpy_dtype)
