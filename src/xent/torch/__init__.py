"""PyTorch's losses under PyTorch's names: ``import xent.torch as F``, or one changed import, is the whole migration.

Signatures, shapes, defaults, denominators, dtypes and errors are those of ``torch.nn.functional`` and ``torch.nn``;
every difference is in the guide ("Migrate from PyTorch"). ``patch()`` routes PyTorch's own names here. ``losses`` holds
modules that PyTorch has not: classifiers with a margin, learned temperatures.
"""

from xent.torch import losses
from xent.torch.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from xent.torch.divergence import kl_div
from xent.torch.likelihood import cross_entropy, nll_loss
from xent.torch.linear import linear_cross_entropy
from xent.torch.margin import multi_margin_loss, multilabel_margin_loss
from xent.torch.modules import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    KLDivLoss,
    LinearCrossEntropyLoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    SoftMarginLoss,
)
from xent.torch.patching import Patch, patch

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "KLDivLoss",
    "LinearCrossEntropyLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "Patch",
    "SoftMarginLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
    "linear_cross_entropy",
    "losses",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "patch",
    "soft_margin_loss",
]
