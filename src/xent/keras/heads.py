"""Layers that own what a loss learns: classifiers with a margin, with their state; a learned temperature.

A head is the last layer of a model. While it trains, with labels as its second input, it gives the scores with the
margin, for ``SparseCategoricalCrossentropy(from_logits=True)``; in use those without. One code over Keras's backends.
"""

from __future__ import annotations

from typing import Any, Literal

import keras

from xent.core import checks
from xent.core.arrays import Array
from xent.core.margins import Boundary
from xent.core.targets import Labels
from xent.errors import OptionError
from xent.functional.averaging import reduced
from xent.functional.projection import hidden_norm
from xent.functional.truth import counted_examples
from xent.keras import manners
from xent.keras.temperature import ContrastiveScale, LearnedTemperature
from xent.losses import face
from xent.losses.heads import made, of_cosines, prediction, recipe, with_margin
from xent.losses.loss import Loss

__all__ = ["AdaFaceHead", "ContrastiveScale", "CurricularFaceHead", "LearnedTemperature", "MagFaceHead", "MarginHead"]

_register = keras.saving.register_keras_serializable(manners.PACKAGE)


@_register
class MarginHead(keras.layers.Layer):
    """The classifiers of a model, trained with a margin: the scores hidden·kernel as a loss changes them.

    ``head(hidden, labels)`` has the margin where the layer trains, and not in ``evaluate`` or ``predict``;
    ``head(hidden)`` never has. float32 for half precision, under a mixed policy too.

    Parameters
    ----------
    classes : int
        K.
    loss : Loss
        One of ``xent.losses.margins``, or another that acts on scores alone; what else a loss may do belongs into
        ``compile(loss=…)``. One whose margin is meant for cosines, also one of your own, is given cosines, unless its
        scores say what to ``normalize``.
    centres : int
        Classifiers of each class, of which the nearest counts; ``kernel`` is (H, K·centres).
    ignore : int, optional
        A label without a margin, whose row of scores is 0; leave it out of the loss too (``ignore_class=``).
    kernel_initializer
        By default normal, with vectors of length about 1.
    **kwargs
        As of ``keras.layers.Layer``.

    Raises
    ------
    KindError, OptionError
        A loss that is none, or does more; numbers out of range. To save the layer, a loss must be one of the catalogue.

    References
    ----------
    Deng, Guo, Xue and Zafeiriou, "ArcFace", 2019 (arXiv 1801.07698); Deng, Guo, Liu, Gong and Zafeiriou, "Sub-center
    ArcFace", 2020.

    Examples
    --------
    >>> import keras, xent
    >>> from xent.keras.heads import MarginHead
    >>> head = MarginHead(5, xent.losses.margins.arcface(scale=16.0))
    >>> hidden, labels = keras.ops.ones((2, 8)), keras.ops.array([0, 3])
    >>> tuple(head(hidden, labels, training=True).shape)
    (2, 5)
    """

    def __init__(
        self,
        classes: int,
        loss: Loss,
        *,
        centres: int = 1,
        ignore: int | None = None,
        kernel_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        name = type(self).__name__
        self.classes = checks.require_count(classes, f"{name}(classes)", least=2)
        self.centres = checks.require_count(centres, f"{name}(centres=)")
        self.ignore = ignore
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.given = loss
        self.margin, self._cosines = of_cosines(loss, self.centres)
        if any("norm" in penalty.needs for penalty in loss.penalties):
            raise OptionError(
                f"{name}(loss)",
                "a loss that acts on scores alone",
                f"{loss.name or 'a loss of your own'}, whose penalty reads the lengths of hidden states",
                "compile(loss=…) does not see them: write loss(P, Projection(hidden, weight)) in a loop of your own.",
            )
        if not _on_scores_alone(loss):
            raise OptionError(
                f"{name}(loss)",
                "a loss that acts on scores alone",
                loss.name or "a loss of your own",
                "Write the rest as compile(loss=…), or take the loss itself in a training loop of your own.",
            )

    def build(self, hidden_shape: Any) -> None:
        """Make the classifiers."""
        width = int(hidden_shape[-1])
        initializer = self.kernel_initializer or keras.initializers.RandomNormal(stddev=width**-0.5)
        self.kernel = self.add_weight(
            shape=(width, self.classes * self.centres), initializer=initializer, name="kernel", autocast=False
        )

    def call(self, hidden: Array, labels: Array | None = None, training: bool | None = None) -> Array:
        """The scores (…, K) of hidden states (…, H); with the margin at the labels (…) while it trains."""
        if labels is None or not training:
            return self.margin.at_inference(self._prediction(hidden)).scores
        P = Labels(keras.ops.convert_to_tensor(labels), ignore=self.ignore)
        Q = self._prediction(hidden, P)
        return self._current(P, Q).in_training(P, Q).scores

    def compute_output_spec(self, hidden: Any, labels: Any = None, training: bool | None = None) -> keras.KerasTensor:
        """Scores in the type of the arithmetic."""
        return keras.KerasTensor((*hidden.shape[:-1], self.classes), dtype=manners.computed(hidden))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        initializer = self.kernel_initializer and keras.initializers.serialize(self.kernel_initializer)
        own = {name: getattr(self, name) for name in ("classes", "centres", "ignore")}
        own["kernel_initializer"] = initializer
        return {**super().get_config(), **own, **self._options()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MarginHead:
        """The layer that ``get_config`` described."""
        given: dict[str, Any] = {name: made(value) if name == "loss" else value for name, value in config.items()}
        return cls(**given)

    def _options(self) -> dict[str, Any]:
        """The arguments that make the loss."""
        return {"loss": recipe(self.given)}

    def _current(self, P: Labels, Q: Any) -> Loss:
        """The loss of this batch, of which it has brought its state up to date first."""
        return self.margin

    def _prediction(self, hidden: Array, P: Labels | None = None) -> Any:
        weight = keras.ops.transpose(keras.ops.convert_to_tensor(self.kernel))
        return prediction(keras.ops.convert_to_tensor(hidden), weight, self.centres, self._cosines, P)

    def _state(self, name: str, start: float) -> Any:
        initializer = keras.initializers.Constant(start)
        return self.add_weight(shape=(), initializer=initializer, trainable=False, autocast=False, name=name)


@_register
class AdaFaceHead(MarginHead):
    """Classifiers that are trained by AdaFace, with the running mean and deviation of ‖x‖ as weights that no optimiser
    moves. They move with each batch of training, before its scores are made.

    Parameters
    ----------
    classes : int
    m, h, scale, boundary, mean, std
        As of ``xent.losses.face.adaface``; mean and std are the state at the start.
    rate : float
        The weight of a batch in the state: .01 in the authors' settings.
    **kwargs
        As of ``MarginHead``.

    Raises
    ------
    OptionError
        A number out of range.

    References
    ----------
    Kim, Jain and Liu, "AdaFace", 2022 (arXiv 2204.00964).
    """

    def __init__(
        self,
        classes: int,
        *,
        m: float = 0.4,
        h: float = 0.333,
        scale: float = 64.0,
        boundary: Literal["continue", "clip"] = "continue",
        mean: float = 20.0,
        std: float = 100.0,
        rate: float = 0.01,
        **kwargs: Any,
    ) -> None:
        options = {"m": m, "h": h, "scale": scale, "boundary": boundary, "mean": mean, "std": std}
        super().__init__(classes, face.adaface(**options), **kwargs)  # type: ignore[arg-type]
        self.rate = checks.require_fraction(rate, "AdaFaceHead(rate=)")

    def build(self, hidden_shape: Any) -> None:
        """Make the classifiers and the state."""
        super().build(hidden_shape)
        start = self.given.parameters
        self.mean, self.std = self._state("mean", start["mean"]), self._state("std", start["std"])

    def _options(self) -> dict[str, Any]:
        return {**recipe(self.given)["parameters"], "rate": self.rate}

    def _current(self, P: Labels, Q: Any) -> Loss:
        mean, std = face.adaface_state(P, Q, self.mean.value, self.std.value, rate=self.rate)
        self.mean.assign(mean)
        self.std.assign(std)
        return with_margin(self.margin, mean=mean, std=std)


@_register
class MagFaceHead(MarginHead):
    """Classifiers that are trained by MagFace; the length of a hidden state is then the quality of its image.

    The scores have the margin that a length asks for. The penalty on lengths is no function of scores: the layer adds
    its mean over the labels that count to what the model minimises (``add_loss``), in training alone. Sample weights,
    which a layer does not see, have no part in it.

    Parameters
    ----------
    classes : int
    shortest, longest, least, most, coefficient, scale, boundary
        As of ``xent.losses.face.magface``.
    **kwargs
        As of ``MarginHead``, without ``centres``.

    Raises
    ------
    OptionError
        A number out of range.

    References
    ----------
    Meng, Zhao, Huang and Zhou, "MagFace", 2021 (arXiv 2103.06627).
    """

    def __init__(
        self,
        classes: int,
        *,
        shortest: float = 10.0,
        longest: float = 110.0,
        least: float = 0.45,
        most: float = 0.8,
        coefficient: float = 35.0,
        scale: float = 64.0,
        boundary: Literal["easy", "linear", "continue"] = "easy",
        **kwargs: Any,
    ) -> None:
        loss = face.magface(shortest, longest, least, most, coefficient, scale, boundary=boundary)
        super().__init__(classes, loss.but(penalties=()), **kwargs)
        self.whole, (self.penalty,) = loss, loss.penalties

    def _options(self) -> dict[str, Any]:
        return dict(recipe(self.whole)["parameters"])

    def _current(self, P: Labels, Q: Any) -> Loss:
        counted = counted_examples(P, P.indices)
        lengths = hidden_norm(Q, counted, None)
        self.add_loss(reduced(self.penalty.value({"norm": lengths}), counted=counted, empty="zero"))
        return self.margin


@_register
class CurricularFaceHead(MarginHead):
    """Classifiers that are trained by CurricularFace, with t, the running mean of the cosine at the truth, as a weight
    that no optimiser moves. It moves with each batch of training, before its scores are made.

    Parameters
    ----------
    classes : int
    m, scale, boundary
        As of ``xent.losses.face.curricularface``.
    rate : float
        The weight of a batch in t: .01 in the paper.
    **kwargs
        As of ``MarginHead``.

    Raises
    ------
    OptionError
        A number out of range.

    References
    ----------
    Huang, Wang, Tai, Liu, Shen, Li, Li and Huang, "CurricularFace", 2020 (arXiv 2004.00288).
    """

    def __init__(
        self,
        classes: int,
        *,
        m: float = 0.5,
        scale: float = 64.0,
        boundary: Boundary = "linear",
        rate: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(classes, face.curricularface(0.0, m, scale, boundary=boundary, normalize=True), **kwargs)
        self.rate = checks.require_fraction(rate, "CurricularFaceHead(rate=)")

    def build(self, hidden_shape: Any) -> None:
        """Make the classifiers and the state."""
        super().build(hidden_shape)
        self.t = self._state("t", 0.0)

    def _options(self) -> dict[str, Any]:
        made_with = self.given.parameters
        return {**{name: made_with[name] for name in ("m", "scale", "boundary")}, "rate": self.rate}

    def _current(self, P: Labels, Q: Any) -> Loss:
        t = face.curricularface_state(P, Q, self.t.value, rate=self.rate)
        self.t.assign(t)
        return with_margin(self.margin, t=t)


def _on_scores_alone(loss: Loss) -> bool:
    others = (loss.target, loss.shaping, loss.class_weight, loss.positive_weight)
    return all(x is None for x in others) and not loss.penalties and loss.factor == 1.0
