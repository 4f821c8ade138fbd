"""xent's drop-ins: a framework's own names, so that an equal call is the framework's with another module before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xent.dialects.call import Call, NoEqual

#: What stands before a helper's name, and what stands there in its drop-in; the longer first.
PREFIXES = {
    "torch.nn.functional.": "xent.torch",
    "torch.nn.": "xent.torch",
    "keras.losses.": "xent.keras",
    "tf.nn.": "xent.tensorflow",
    "optax.losses.": "xent.optax",
    "optax.": "xent.optax",
    "sklearn.metrics.": "xent.sklearn",
}
#: The losses that each drop-in has, of those that an equal call may name.
PRESENT: Mapping[str, frozenset[str]] = {
    "xent.torch": frozenset(
        [
            "CrossEntropyLoss",
            "cross_entropy",
            "NLLLoss",
            "nll_loss",
            "BCELoss",
            "binary_cross_entropy",
            "BCEWithLogitsLoss",
            "binary_cross_entropy_with_logits",
            "KLDivLoss",
            "kl_div",
            "linear_cross_entropy",
        ]
    ),
    "xent.keras": frozenset(
        [
            "BinaryCrossentropy",
            "CategoricalCrossentropy",
            "SparseCategoricalCrossentropy",
            "BinaryFocalCrossentropy",
            "CategoricalFocalCrossentropy",
            "KLDivergence",
            "Hinge",
            "MeanSquaredError",
            "Poisson",
            "categorical_crossentropy",
            "sparse_categorical_crossentropy",
            "kl_divergence",
        ]
    ),
    "xent.tensorflow": frozenset(
        [
            "softmax_cross_entropy_with_logits",
            "sparse_softmax_cross_entropy_with_logits",
            "sigmoid_cross_entropy_with_logits",
            "weighted_cross_entropy_with_logits",
        ]
    ),
    "xent.optax": frozenset(
        [
            "softmax_cross_entropy",
            "softmax_cross_entropy_with_integer_labels",
            "sigmoid_binary_cross_entropy",
            "poly_loss_cross_entropy",
            "sigmoid_focal_loss",
            "kl_divergence",
            "hinge_loss",
        ]
    ),
    "xent.sklearn": frozenset(["log_loss", "brier_score_loss", "d2_log_loss_score"]),
}


def drop_in(call: Call | NoEqual) -> Call | None:
    """The same call of the drop-in; None where it has no such loss."""
    if isinstance(call, NoEqual):
        return None
    for theirs, module in PREFIXES.items():
        name = call.helper.removeprefix(theirs)
        if name != call.helper and name in PRESENT[module]:
            ours = f"{module}.{name}"
            lines = tuple(line.replace(call.helper, ours) for line in call.lines)
            text = "\n".join(lines).replace(module, "")
            kept = (line for line in call.imports if f"{line.split()[-1].split('.')[0]}." in text)
            return replace(
                call, framework=module, helper=ours, lines=lines, imports=(*kept, f"import {module}"), differences=()
            )
    return None
