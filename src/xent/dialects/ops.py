"""The few array operations that an equal call may need, as each library spells them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ops:
    """Patterns to be filled with ``str.format``; ``K`` is the number of classes."""

    imports: tuple[str, ...]
    log: str
    log1p: str
    exp: str
    mean: str
    sum: str
    row_sum: str
    row_mean: str
    take: str
    one_hot: str
    cast: str
    where: str
    relu: str
    ones: str
    zeros: str
    move: str
    lowest: str
    softmax: str
    sigmoid: str
    log_softmax: str
    rows: str
    transpose: str
    square: str
    count: str


TORCH = Ops(
    ("import torch",),
    log="torch.log({0})",
    log1p="torch.log1p({0})",
    exp="torch.exp({0})",
    mean="torch.mean({0})",
    sum="torch.sum({0})",
    row_sum="torch.sum({0}, -1)",
    row_mean="torch.mean({0}, -1)",
    take="{0}[{1}]",
    one_hot="torch.nn.functional.one_hot({0}, {1}.shape[-1]).to({1})",
    cast="{0}.to({1})",
    where="torch.where({0}, {1}, {2})",
    relu="torch.relu({0})",
    ones="torch.ones_like({0})",
    zeros="torch.zeros_like({0})",
    move="torch.movedim({0}, {1}, -1)",
    lowest="torch.finfo({0}.dtype).min",
    softmax="torch.softmax({0}, -1)",
    sigmoid="torch.sigmoid({0})",
    log_softmax="torch.log_softmax({0}, -1)",
    rows="{0}[..., None]",
    transpose="{0}.T",
    square="({0}) ** 2",
    count="{0}.numel()",
)

JAX = Ops(
    ("import jax", "import jax.numpy as jnp"),
    log="jnp.log({0})",
    log1p="jnp.log1p({0})",
    exp="jnp.exp({0})",
    mean="jnp.mean({0})",
    sum="jnp.sum({0})",
    row_sum="jnp.sum({0}, axis=-1)",
    row_mean="jnp.mean({0}, axis=-1)",
    take="{0}[{1}]",
    one_hot="jax.nn.one_hot({0}, {1}.shape[-1], dtype={1}.dtype)",
    cast="{0}.astype({1}.dtype)",
    where="jnp.where({0}, {1}, {2})",
    relu="jax.nn.relu({0})",
    ones="jnp.ones_like({0})",
    zeros="jnp.zeros_like({0})",
    move="jnp.moveaxis({0}, {1}, -1)",
    lowest="jnp.finfo({0}.dtype).min",
    softmax="jax.nn.softmax({0})",
    sigmoid="jax.nn.sigmoid({0})",
    log_softmax="jax.nn.log_softmax({0})",
    rows="{0}[..., None]",
    transpose="{0}.T",
    square="jnp.square({0})",
    count="{0}.size",
)

TENSORFLOW = Ops(
    ("import tensorflow as tf",),
    log="tf.math.log({0})",
    log1p="tf.math.log1p({0})",
    exp="tf.exp({0})",
    mean="tf.reduce_mean({0})",
    sum="tf.reduce_sum({0})",
    row_sum="tf.reduce_sum({0}, axis=-1)",
    row_mean="tf.reduce_mean({0}, axis=-1)",
    take="tf.gather({0}, {1})",
    one_hot="tf.one_hot({0}, {1}.shape[-1], dtype={1}.dtype)",
    cast="tf.cast({0}, {1}.dtype)",
    where="tf.where({0}, {1}, {2})",
    relu="tf.nn.relu({0})",
    ones="tf.ones_like({0})",
    zeros="tf.zeros_like({0})",
    move="tf.experimental.numpy.moveaxis({0}, {1}, -1)",
    lowest="{0}.dtype.min",
    softmax="tf.nn.softmax({0})",
    sigmoid="tf.sigmoid({0})",
    log_softmax="tf.nn.log_softmax({0})",
    rows="{0}[..., None]",
    transpose="tf.transpose({0})",
    square="tf.square({0})",
    count="tf.cast(tf.size({0}), {0}.dtype)",
)

KERAS = Ops(
    ("import keras",),
    log="keras.ops.log({0})",
    log1p="keras.ops.log1p({0})",
    exp="keras.ops.exp({0})",
    mean="keras.ops.mean({0})",
    sum="keras.ops.sum({0})",
    row_sum="keras.ops.sum({0}, axis=-1)",
    row_mean="keras.ops.mean({0}, axis=-1)",
    take="keras.ops.take({0}, {1})",
    one_hot="keras.ops.one_hot({0}, {1}.shape[-1], dtype={1}.dtype)",
    cast="keras.ops.cast({0}, {1}.dtype)",
    where="keras.ops.where({0}, {1}, {2})",
    relu="keras.ops.relu({0})",
    ones="keras.ops.ones_like({0})",
    zeros="keras.ops.zeros_like({0})",
    move="keras.ops.moveaxis({0}, {1}, -1)",
    lowest="-1e30",
    softmax="keras.ops.softmax({0})",
    sigmoid="keras.ops.sigmoid({0})",
    log_softmax="keras.ops.log_softmax({0})",
    rows="keras.ops.expand_dims({0}, -1)",
    transpose="keras.ops.transpose({0})",
    square="keras.ops.square({0})",
    count="keras.ops.size({0})",
)

NUMPY = Ops(
    ("import numpy as np",),
    log="np.log({0})",
    log1p="np.log1p({0})",
    exp="np.exp({0})",
    mean="np.mean({0})",
    sum="np.sum({0})",
    row_sum="np.sum({0}, axis=-1)",
    row_mean="np.mean({0}, axis=-1)",
    take="{0}[{1}]",
    one_hot="np.eye({1}.shape[-1])[{0}]",
    cast="{0}.astype({1}.dtype)",
    where="np.where({0}, {1}, {2})",
    relu="np.maximum(0, {0})",
    ones="np.ones_like({0})",
    zeros="np.zeros_like({0})",
    move="np.moveaxis({0}, {1}, -1)",
    lowest="np.finfo({0}.dtype).min",
    softmax="scipy.special.softmax({0}, axis=-1)",
    sigmoid="scipy.special.expit({0})",
    log_softmax="scipy.special.log_softmax({0}, axis=-1)",
    rows="{0}[..., None]",
    transpose="{0}.T",
    square="np.square({0})",
    count="{0}.size",
)
