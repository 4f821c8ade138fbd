"""The loss family: everything that is built on cross-entropy, over one algebra.

    scores z → S1 → z̃        target → S2 → t        ℓ = (Σt)·lse(z̃) − ⟨t, z̃⟩        S3: φ(ℓ)        S4: + R

A loss is data: a ``Loss`` says what happens at each of the four places, and is called with P and Q as
``xent.cross_entropy`` is. The modules hold them by task; ``describe`` tells what is known of one.

    loss = xent.losses.imbalance.focal(2.0)
    loss(P, Q)                      # NumPy, PyTorch, JAX or TensorFlow
    loss.value_and_grad(P, Q)       # where nothing differentiates
    print(xent.losses.describe(loss))
"""

from xent.core.adaptive_margins import AdaFace, CurricularFace, MagFace
from xent.core.asymmetric_shaping import Asymmetric
from xent.core.margins import Angular, LargeMargin, Margin, Shift
from xent.core.penalties import Entropy, Magnitude
from xent.core.robust_shaping import GeneralizedCrossEntropy, SymmetricCrossEntropy, TaylorCrossEntropy
from xent.core.scores import Scores
from xent.core.shaping import Poly1, Scaled
from xent.core.target_steps import BackwardCorrection, FlipCorrection, HardBootstrap, Smoothing, TargetStep
from xent.losses import (
    adaptive,
    contrastive,
    distillation,
    face,
    fenchel_young,
    gan,
    gan_compared,
    hierarchical,
    imbalance,
    language,
    margins,
    mixing,
    noise,
    preference,
    sampled,
)
from xent.losses.catalogue import Description, describe
from xent.losses.loss import Loss

__all__ = [
    "AdaFace",
    "Angular",
    "Asymmetric",
    "BackwardCorrection",
    "CurricularFace",
    "Description",
    "Entropy",
    "FlipCorrection",
    "GeneralizedCrossEntropy",
    "HardBootstrap",
    "LargeMargin",
    "Loss",
    "MagFace",
    "Magnitude",
    "Margin",
    "Poly1",
    "Scaled",
    "Scores",
    "Shift",
    "Smoothing",
    "SymmetricCrossEntropy",
    "TargetStep",
    "TaylorCrossEntropy",
    "adaptive",
    "contrastive",
    "describe",
    "distillation",
    "face",
    "fenchel_young",
    "gan",
    "gan_compared",
    "hierarchical",
    "imbalance",
    "language",
    "margins",
    "mixing",
    "noise",
    "preference",
    "sampled",
]
