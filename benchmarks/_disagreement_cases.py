"""Inputs on which frameworks disagree, and the call of each: data, without any framework.

A case has its arrays by name; ``x`` names the one by which the gradient is taken. A call is an expression in the names
of its column (see ``_disagreement_columns``); integers stay integers, numbers are of ``dtype``. The truth is
what the mathematics says, with mpmath at 50 digits, or words where it has no answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpmath import exp, inf, log, mp, mpf

mp.dps = 50
_INF, _NAN = math.inf, math.nan


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    title: str
    data: Mapping[str, Any]
    calls: Mapping[str, str]
    #: What the mathematics says, or the words for why it says nothing.
    truth: Callable[[], Any] | str
    #: What goes wrong, in a sentence.
    wrong: str
    x: str = ""
    dtype: str = "float32"
    gradient: bool = False
    #: Names of integer arrays, and their types.
    integers: Mapping[str, str] = field(default_factory=lambda: {"y": "int32"})


def surprisal(z: list[float], k: int) -> Any:
    """−log softmax(z)[k], at 50 digits; 0·∞ = 0 is kept by the caller."""
    numbers = [mpf(v) for v in z]
    return log(sum(exp(v) for v in numbers)) - numbers[k]


def softplus(z: float) -> Any:
    return log(1 + exp(mpf(z)))


def _everywhere(hard: str, **more: str) -> dict[str, str]:
    """The sparse cross-entropy of scores z and labels y in every framework, ``hard`` naming the reduction."""
    mean = hard == "mean"
    found = {
        "torch": f'F.cross_entropy(z, y, reduction="{hard}")',
        "keras": "K.SparseCategoricalCrossentropy(from_logits=True" + ("" if mean else ", reduction=None") + ")(y, z)",
        "tensorflow": "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z)",
        "optax": "optax.softmax_cross_entropy_with_integer_labels(z, y)",
        "xent": f'xent.cross_entropy(xent.Labels(y), xent.Logits(z), reduction="{hard}")',
    }
    if mean:
        found["tensorflow"] = f"tf.reduce_mean({found['tensorflow']})"
        found["optax"] = f"jnp.mean({found['optax']})"
    return found | more


def _soft(**more: str) -> dict[str, str]:
    return {
        "torch": "F.cross_entropy(z, t)",
        "keras": "K.CategoricalCrossentropy(from_logits=True)(t, z)",
        "tensorflow": "tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=t, logits=z))",
        "optax": "jnp.mean(optax.softmax_cross_entropy(z, t))",
        "xent": "xent.cross_entropy(xent.Distribution(t), xent.Logits(z))",
    } | more


def _binary(**more: str) -> dict[str, str]:
    return {
        "torch": "F.binary_cross_entropy_with_logits(z, t)",
        "keras": "K.BinaryCrossentropy(from_logits=True)(t, z)",
        "tensorflow": "tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=z))",
        "optax": "jnp.mean(optax.sigmoid_binary_cross_entropy(z, t))",
        "xent": "xent.cross_entropy(xent.Indicators(t), xent.Logits(z))",
    } | more


def _chance(**more: str) -> dict[str, str]:
    return {
        "torch": "F.binary_cross_entropy(q, t)",
        "keras": "K.BinaryCrossentropy()(t, q)",
        "xent": "xent.cross_entropy(xent.Indicators(t), xent.Probabilities(q))",
    } | more


ONE_TWO_THREE = [[1.0, 2.0, 3.0]]
TWO_ROWS = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]
THREE_BY_THREE = [[[1.0, 2, 3], [3, 1, 0], [0, 0, 1]], [[2, 2, 1], [0, 1, 5], [1, 3, 0]]]
PLACES = [[0, 1, 2], [2, 0, 1]]
CLASS_WEIGHTS = [1.0, 2.0, 3.0]
NAN_ROWS = [[_NAN, _NAN], [0.0, 0.0]]
SOFTMAXED = [-50.0, 0.0, 3.0]

CASES = (
    Case(
        "D1",
        "Binary, q = 0, truth yes",
        {"q": [0.0], "t": [1.0]},
        _chance(sklearn="M.log_loss([1], q, labels=[0, 1])"),
        lambda: inf,
        "A clipped probability hides an infinite loss, and its slope is either 0 or astronomical.",
        "q",
        gradient=True,
    ),
    Case(
        "D2",
        "Binary from a score, z = −50, truth yes",
        {"z": [-50.0], "t": [1.0]},
        _binary(),
        lambda: softplus(50),
        "Through a sigmoid and a clipped logarithm a very wrong score costs 16.118 and has no slope.",
        "z",
        gradient=True,
    ),
    Case(
        "D3",
        "Binary, q = 1, truth yes, float16",
        {"q": [1.0], "t": [1.0]},
        _chance(keras="K.binary_crossentropy(t, q)"),
        lambda: mpf(0),
        "In float16 the clip of 1e-7 is no clip: 1 − q is 0, and 0·log 0 is NaN.",
        "q",
        "float16",
    ),
    Case(
        "D4",
        "q = [.2, .2, .2], class 0",
        {"q": [[0.2, 0.2, 0.2]], "y": [0]},
        {
            "torch": "F.nll_loss(torch.log(q), y)",
            "keras": "K.SparseCategoricalCrossentropy()(y, q)",
            "sklearn": "M.log_loss(y, q, labels=[0, 1, 2])",
            "xent": "xent.cross_entropy(xent.Labels(y), xent.Probabilities(q))",
        },
        "not a distribution: −log 0.2 = 1.609 as it stands, log 3 = 1.099 divided by its sum",
        "A row that does not sum to one is taken as it is, or divided by its sum, without a word.",
        "q",
    ),
    *(
        Case(
            f"D5{letter}",
            f"z = [1, 2, 3], label {label}",
            {"z": ONE_TWO_THREE, "y": [label]},
            _everywhere("none"),
            "no such class",
            "A label outside the classes gives a plausible number, or a loss of NaN beside a finite gradient.",
            "z",
            gradient=True,
        )
        for letter, label in (("a", 3), ("b", -1), ("c", -100))
    ),
    Case(
        "D6",
        "Soft truth [1, 1, 0], which sums to 2",
        {"z": ONE_TWO_THREE, "t": [[1.0, 1.0, 0.0]]},
        _soft(),
        lambda: surprisal([1, 2, 3], 0) + surprisal([1, 2, 3], 1),
        "TensorFlow's gradient is p − t where (Σt)·p − t is that of its own loss.",
        "z",
        gradient=True,
    ),
    Case(
        "D7a",
        "Class weights [1, 2, 3], labels 0 and 2",
        {"z": TWO_ROWS, "y": [0, 2], "w": CLASS_WEIGHTS},
        {
            "torch": "F.cross_entropy(z, y, w)",
            "keras": "K.SparseCategoricalCrossentropy(from_logits=True)(y, z, sample_weight=keras.ops.take(w, y))",
            "sklearn": "M.log_loss(y, softmax(z), sample_weight=w[y], labels=[0, 1, 2])",
            "xent": "xent.cross_entropy(xent.Labels(y), xent.Logits(z), class_weight=w)",
        },
        lambda: surprisal([1, 2, 3], 0),
        "A mean divides by the weights, or by the rows.",
        "z",
    ),
    Case(
        "D7b",
        "The same truth as one-hot rows",
        {"z": TWO_ROWS, "t": [[1.0, 0, 0], [0, 0, 1.0]], "w": CLASS_WEIGHTS},
        {
            "torch": "F.cross_entropy(z, t, w)",
            "keras": "K.CategoricalCrossentropy(from_logits=True)(t, z, sample_weight=keras.ops.sum(w * t, -1))",
            "xent": "xent.cross_entropy(xent.Distribution(t), xent.Logits(z), class_weight=w)",
        },
        lambda: surprisal([1, 2, 3], 0),
        "PyTorch divides by the weights for labels and by the rows for their one-hot.",
        "z",
    ),
    Case(
        "D8",
        "z = [1, −∞, 3], truth [.5, 0, .5]",
        {"z": [[1.0, -_INF, 3.0]], "t": [[0.5, 0.0, 0.5]]},
        _soft(),
        lambda: log(exp(mpf(1)) + exp(mpf(3))) - 2,
        "0·∞ is NaN: one masked class without mass spoils the batch.",
        "z",
        gradient=True,
    ),
    Case(
        "D9",
        "Binary from a score, z = +∞, truth yes",
        {"z": [_INF], "t": [1.0]},
        _binary(),
        lambda: mpf(0),
        "∞ − ∞ is NaN where the model is perfectly right.",
        "z",
        gradient=True,
    ),
    Case(
        "D10",
        "KL, truth [¼, 0, ¾] held as logarithms, even prediction",
        {"z": [[0.0, 0.0, 0.0]], "lt": [[math.log(0.25), -_INF, math.log(0.75)]]},
        {
            "torch": 'F.kl_div(torch.log_softmax(z, -1), lt, reduction="batchmean", log_target=True)',
            "keras": "K.KLDivergence()(keras.ops.exp(lt), keras.ops.softmax(z))",
            "optax": "jnp.mean(optax.losses.kl_divergence_with_log_targets(jax.nn.log_softmax(z), lt))",
            "xent": "xent.kl_divergence(xent.Distribution.from_log_probs(lt), xent.Logits(z))",
        },
        lambda: mpf("0.25") * log(mpf("0.75")) + mpf("0.75") * log(mpf("2.25")),
        "A class without mass has the logarithm −∞, and 0·∞ is NaN.",
        "z",
    ),
    Case(
        "D11",
        "Mean where every example is ignored",
        {"z": ONE_TWO_THREE, "y": [-100]},
        {
            "torch": "F.cross_entropy(z, y)",
            "keras": "K.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)(y, z)",
            "xent": "xent.cross_entropy(xent.Labels(y, ignore=-100), xent.Logits(z))",
        },
        "a mean of nothing",
        "The mean of nothing is NaN or 0 by framework; here `empty=` says it.",
        "z",
        gradient=True,
    ),
    Case(
        "D12",
        "Mean of an empty batch",
        {"z": [], "y": []},
        _everywhere("mean", sklearn="M.log_loss(y, np.zeros((0, 3)), labels=[0, 1, 2])"),
        "a mean of nothing",
        "NaN, [] or an error.",
        "z",
    ),
    Case(
        "D13",
        "Softmax of [−50, 0, 3] given as probabilities, class 0",
        {"z": [SOFTMAXED], "y": [0]},
        {
            "torch": "F.nll_loss(torch.log(torch.softmax(z, -1)), y)",
            "keras": "K.SparseCategoricalCrossentropy()(y, keras.ops.softmax(z))",
            "xent": "xent.cross_entropy(xent.Labels(y), xent.Probabilities(softmax(z)))",
        },
        lambda: surprisal(SOFTMAXED, 0),
        "Keras on TensorFlow finds the scores behind the softmax; elsewhere it clips, and the most wrong examples lose "
        "their slope.",
        "z",
        gradient=True,
    ),
    Case(
        "D14",
        "bfloat16 scores of 1003 classes, label 1002 where 1001 is ignored",
        {"z": [[0.0] * 1003], "y": [1002]},
        {
            "torch": 'F.cross_entropy(z, y, ignore_index=1001, reduction="sum")',
            "keras": 'K.SparseCategoricalCrossentropy(from_logits=True, ignore_class=1001, dtype="bfloat16")(y, z)',
            "xent": "xent.cross_entropy(xent.Labels(y, ignore=1001), xent.Logits(z))",
        },
        lambda: log(mpf(1003)),
        "The ignored class is compared in the scores' type, which cannot tell 1001 from 1002.",
        "z",
        "bfloat16",
    ),
    Case(
        "D15",
        "Scores (2, 3, 3) with the classes last",
        {"z": THREE_BY_THREE, "y": PLACES},
        _everywhere("mean"),
        lambda: sum(surprisal(THREE_BY_THREE[i][j], PLACES[i][j]) for i in range(2) for j in range(3)) / 6,
        "PyTorch takes axis 1 for the classes; a square of scores fits both ways.",
        "z",
    ),
    Case(
        "D16",
        "Scores (4, 1), truths (4,): the shape of the losses",
        {"z": [[0.1]] * 4, "t": [0.0, 1.0, 0.0, 1.0]},
        {
            "torch": 'F.binary_cross_entropy_with_logits(z, t, reduction="none")',
            "keras": "K.BinaryCrossentropy(from_logits=True, reduction=None)(t, z)",
            "tensorflow": "tf.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=z)",
            "optax": "optax.sigmoid_binary_cross_entropy(z, t)",
            "xent": 'xent.cross_entropy(xent.Indicators(t), xent.Logits(z), reduction="none")',
        },
        "four losses",
        "A column against a row becomes a square, and its mean is that of other pairs.",
        "z",
    ),
    Case(
        "D17",
        "Scores [5, −3, 1] given as probabilities, class 0",
        {"q": [[5.0, -3.0, 1.0]], "y": [0], "t": [[1.0, 0.0, 0.0]]},
        {
            "torch": "F.binary_cross_entropy(q, t)",
            "keras": "K.SparseCategoricalCrossentropy()(y, q)",
            "sklearn": "M.log_loss(y, q, labels=[0, 1, 2])",
            "xent": "xent.cross_entropy(xent.Labels(y), xent.Probabilities(q))",
        },
        "no probabilities; as scores 0.01848",
        "`from_logits` forgotten: the loss is small and means nothing.",
        "q",
    ),
    Case(
        "D18",
        "One output unit under softmax",
        {"z": [[0.3]], "y": [0]},
        _everywhere("mean"),
        "one class is always certain",
        "The loss is 0 whatever the model says: nothing is learnt.",
        "z",
        gradient=True,
    ),
    Case(
        "D19",
        "Two rows, the first ignored and full of NaN",
        {"z": NAN_ROWS, "y": [-100, 1]},
        {
            "torch": "F.cross_entropy(z, y)",
            "keras": "K.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)(y, z)",
            "xent": "xent.cross_entropy(xent.Labels(y, ignore=-100), xent.Logits(z))",
        },
        lambda: log(mpf(2)),
        "An example that does not count poisons the gradient of the batch.",
        "z",
        gradient=True,
    ),
    Case(
        "D20",
        "Focal loss, γ = 2, z = 0, truth yes",
        {"z": [0.0], "t": [1.0]},
        {
            "keras": "K.BinaryFocalCrossentropy(from_logits=True, apply_class_balancing=True)(t, z)",
            "optax": "jnp.mean(optax.sigmoid_focal_loss(z, t, gamma=2.0))",
            "xent": "xent.cross_entropy(xent.Indicators(t), xent.Logits(z), shaping=xent.Focal(2.0))",
        },
        lambda: log(mpf(2)) / 4,
        "Class balancing multiplies both sides by α: 0.0433 for 0.1733.",
        "z",
    ),
    Case(
        "D21",
        "z = [40, 0], class 0, float64: a loss below the rounding of 40",
        {"z": [[40.0, 0.0]], "y": [0]},
        _everywhere("mean"),
        lambda: log(1 + exp(mpf(-40))),
        "lse(z) − z_y cancels: the loss is 0 and its logarithm −∞ long before the model is sure.",
        "z",
        "float64",
        True,
    ),
    Case(
        "D22",
        "float16 scores [60000, −60000], class 1",
        {"z": [[60000.0, -60000.0]], "y": [1]},
        _everywhere("mean", keras="K.sparse_categorical_crossentropy(y, z, from_logits=True)"),
        lambda: mpf(120000),
        "The loss is finite and float16 is not: ∞, and NaN or 0 after it.",
        "z",
        "float16",
        True,
    ),
    Case(
        "D23",
        "A label held as the number 2.7",
        {"z": ONE_TWO_THREE, "f": [2.7]},
        {
            name: text.replace("y, ", "f, ")
            .replace(", y", ", f")
            .replace("labels=y", "labels=f")
            .replace("Labels(y)", "Labels(f)")
            for name, text in _everywhere("mean").items()
        },
        "no such class",
        "A float becomes an index by cutting it off.",
        "z",
    ),
    Case(
        "D24",
        "An example of weight 0 and infinite loss, beside one of weight 1",
        {"z": [[0.0, -_INF], [0.0, 0.0]], "y": [1, 0], "w": [0.0, 1.0]},
        {
            "torch": 'torch.sum(w * F.cross_entropy(z, y, reduction="none"))',
            "keras": 'K.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")(y, z, sample_weight=w)',
            "tensorflow": "tf.reduce_sum(w * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z))",
            "optax": "jnp.sum(w * optax.softmax_cross_entropy_with_integer_labels(z, y))",
            "xent": 'xent.cross_entropy(xent.Labels(y), xent.Logits(z), weight=w, reduction="sum")',
        },
        lambda: log(mpf(2)),
        "0·∞ is NaN: padding that is masked by a weight of 0 is not masked.",
        "z",
        gradient=True,
    ),
    Case(
        "D25",
        "KL, truth [.5, .5], prediction [1, 0]",
        {"q": [[1.0, 0.0]], "t": [[0.5, 0.5]]},
        {
            "torch": 'F.kl_div(torch.log(q), t, reduction="batchmean")',
            "keras": "K.KLDivergence()(t, q)",
            "optax": "jnp.mean(optax.kl_divergence(jnp.log(q), t))",
            "xent": "xent.kl_divergence(xent.Distribution(t), xent.Probabilities(q))",
        },
        lambda: inf,
        "Keras clips both sides: 7.366 for a truth that was excluded.",
        "q",
    ),
    Case(
        "D26",
        "KL, truth [1, 0], prediction [1, 0]: equal",
        {"q": [[1.0, 0.0]], "t": [[1.0, 0.0]]},
        {
            "torch": 'F.kl_div(torch.log(q), t, reduction="batchmean")',
            "keras": "K.KLDivergence()(t, q)",
            "optax": "jnp.mean(optax.kl_divergence(jnp.log(q), t))",
            "xent": "xent.kl_divergence(xent.Distribution(t), xent.Probabilities(q))",
        },
        lambda: mpf(0),
        "Two equal distributions with a zero have NaN between them.",
        "q",
    ),
    Case(
        "D27",
        "Focal loss, γ = ½, z = 200, truth yes",
        {"z": [200.0], "t": [1.0]},
        {
            "keras": "K.BinaryFocalCrossentropy(from_logits=True, gamma=0.5)(t, z)",
            "optax": "jnp.mean(optax.sigmoid_focal_loss(z, t, gamma=0.5))",
            "xent": "xent.cross_entropy(xent.Indicators(t), xent.Logits(z), shaping=xent.Focal(0.5))",
        },
        lambda: (1 - 1 / (1 + exp(mpf(-200)))) ** mpf("0.5") * softplus(-200),
        "The slope of u^γ is infinite at 0 for γ < 1: a sure example gives a gradient of NaN.",
        "z",
        gradient=True,
    ),
    Case(
        "D28",
        "Weight 0 for the only class there is",
        {"z": ONE_TWO_THREE, "y": [0], "w": [0.0, 1.0, 1.0]},
        {
            "torch": "F.cross_entropy(z, y, w)",
            "keras": 'K.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")'
            "(y, z, sample_weight=keras.ops.take(w, y))",
            "sklearn": "M.log_loss(y, softmax(z), sample_weight=w[y], labels=[0, 1, 2])",
            "xent": "xent.cross_entropy(xent.Labels(y), xent.Logits(z), class_weight=w)",
        },
        "a mean of nothing",
        "0/0 is NaN, 0 or an error; here `empty=` says it.",
        "z",
    ),
    Case(
        "D29",
        "Class weights [1, −2, 3], label 1",
        {"z": ONE_TWO_THREE, "y": [1], "w": [1.0, -2.0, 3.0]},
        {
            "torch": 'F.cross_entropy(z, y, w, reduction="sum")',
            "keras": 'K.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")'
            "(y, z, sample_weight=keras.ops.take(w, y))",
            "xent": 'xent.cross_entropy(xent.Labels(y), xent.Logits(z), class_weight=w, reduction="sum")',
        },
        "no weight is negative",
        "The loss has no lower bound: training makes it −∞.",
        "z",
    ),
)
