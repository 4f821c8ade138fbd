"""Two towers with a learned scale: CLIP and SigLIP."""

from __future__ import annotations

from typing import Any

from xent.backends import on_arrays
from xent.core import checks
from xent.core.arrays import Array, compute_dtype, device_of, namespace, sum_classes
from xent.core.predictions import Projection
from xent.core.reduction import Empty, Reduction
from xent.core.scores import Scores
from xent.core.targets import Indicators
from xent.functional import cross_entropy
from xent.functional.averaging import reduced
from xent.functional.embeddings import (
    is_at,
    number_beside,
    paired,
    positions,
    weights_of,
)
from xent.losses.catalogue import member
from xent.losses.contrastive.pairs import ROWS, info_nce


@member(
    "½ CE of the text of each image + ½ CE of the image of each text, scores scale·cos",
    gradient=ROWS,
    source="Radford et al., CLIP, 2021, arXiv 2103.00020, figure 3",
    defaults={"scale": "1/.07, the paper's at the start of training"},
)
@on_arrays
def clip(
    images: Any,
    texts: Any,
    *,
    scale: Any = 1.0 / 0.07,
    all_images: Any = None,
    all_texts: Any = None,
    positives: Any = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """CLIP: which text belongs to an image and which image to a text, with a learned scale.

    Parameters
    ----------
    images, texts : float arrays (N, D)
        Row i of both belong together.
    scale : number
        The factor of the cosines; its logarithm is what CLIP trains, ``scale=exp(t)`` with t ≤ log 100.
    all_images, all_texts : float arrays (K, D), optional
        What is compared with, where it was gathered.
    positives : integer array (N,), optional
        Where each pair stands among them; by default pair i at i.
    weight : number or array (N,), optional
        Of both sides of a pair.

    Returns
    -------
    array
        A scalar, or for "none" one number a pair.

    Raises
    ------
    ShapeError, DtypeError, OptionError, OneClassError
        As of ``info_nce``.
    """
    images, texts = paired(images, texts, ("images", "texts"), rows=True)
    factor = number_beside(scale, images, "scale=")
    sides = ((images, texts if all_texts is None else all_texts), (texts, images if all_images is None else all_images))
    found = [
        info_nce(
            queries,
            keys,
            positives=positives,
            temperature=1.0 / factor,
            weight=weight,
            reduction=reduction,
            denominator=denominator,
            empty=empty,
        )
        for queries, keys in sides
    ]
    return 0.5 * (found[0] + found[1])


@member(
    "Σ_j softplus(−y_ij·(scale·cos + bias)), y_ij = 1 for a pair and −1 otherwise",
    gradient="(σ(z) − [y = 1])·scale·k by a direction q",
    source="Zhai, Mustafa, Kolesnikov and Beyer, SigLIP, 2023, arXiv 2303.15343",
    defaults={"scale": "10, the paper's at the start of training", "bias": "−10, the same"},
)
@on_arrays
def siglip(
    images: Any,
    texts: Any,
    *,
    scale: Any = 10.0,
    bias: Any = -10.0,
    positives: Any = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    denominator: Any = None,
    empty: Empty = "nan",
) -> Array:
    """SigLIP: for every image and every text whether they belong together; summed over texts, a mean over images.

    Parameters
    ----------
    images : float array (N, D)
    texts : float array (K, D)
        Text i belongs to image i.
    scale, bias : numbers
        Of the cosines. Both are trained; of the scale the logarithm.
    positives : integer array (N,), optional
        The text of each image instead; −1 where it is not among these texts, as in a chunk from another process.
    weight : number or array (N,), optional
        Of each image.

    Returns
    -------
    array
        A scalar, or for "none" one number an image. The mean divides by N, not by the N·K pairs.

    Raises
    ------
    ShapeError, DtypeError, OptionError
        As of ``info_nce``.
    """
    images, texts = paired(images, texts, ("images", "texts"))
    xp = namespace(images)
    offset = xp.ones((texts.shape[0],), dtype=compute_dtype(images), device=device_of(images))
    offset = offset * number_beside(bias, images, "bias=", checks.require_finite)
    scores = Scores(normalize="both", scale=number_beside(scale, images, "scale="), offset=offset)
    w = weights_of(weight, images)
    # Of weight 0: what such an image holds reaches no gradient of the texts.
    part = None if w is None else xp.astype(w != 0, w.dtype)[..., None]
    each = cross_entropy(
        Indicators(is_at(positions(positives, images, texts, "positives="), texts)),
        Projection(images, texts),
        scores=scores,
        weight=part,
        reduction="none",
    )
    return reduced(sum_classes(each), weight=w, reduction=reduction, denominator=denominator, empty=empty)
