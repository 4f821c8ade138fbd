"""The loss modules: subclasses of PyTorch's, whose ``forward`` calls the function here.

Construction, buffers, ``state_dict``, ``repr`` and pickling are inherited, so that a checkpoint of one loads in the
other, and ``isinstance`` against PyTorch's class holds.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from xent.core.arrays import Array
from xent.torch import binary, divergence, likelihood, linear, margin


class CrossEntropyLoss(nn.CrossEntropyLoss):
    """``torch.nn.CrossEntropyLoss`` by ``xent.torch.cross_entropy``, in nats; raises what that raises.

    Examples
    --------
    >>> import torch, xent.torch as X
    >>> X.CrossEntropyLoss()(torch.zeros(1, 2), torch.tensor([0])).item() == torch.tensor(2.0).log().item()
    True
    """

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return likelihood.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(nn.NLLLoss):
    """``torch.nn.NLLLoss`` by ``xent.torch.nll_loss``, in nats; raises what that raises."""

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return likelihood.nll_loss(
            input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class BCELoss(nn.BCELoss):
    """``torch.nn.BCELoss`` by ``xent.torch.binary_cross_entropy``, in nats; raises what that raises."""

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return binary.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(nn.BCEWithLogitsLoss):
    """``torch.nn.BCEWithLogitsLoss`` by ``xent.torch.binary_cross_entropy_with_logits``, in nats; raises what that
    raises."""

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return binary.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class KLDivLoss(nn.KLDivLoss):
    """``torch.nn.KLDivLoss`` by ``xent.torch.kl_div``, in nats; raises what that raises."""

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return divergence.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class MultiMarginLoss(nn.MultiMarginLoss):
    """``torch.nn.MultiMarginLoss`` by ``xent.torch.multi_margin_loss``; raises what that raises."""

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return margin.multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction
        )


class MultiLabelMarginLoss(nn.MultiLabelMarginLoss):
    """``torch.nn.MultiLabelMarginLoss`` by ``xent.torch.multilabel_margin_loss``; raises what that raises."""

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return margin.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(nn.MultiLabelSoftMarginLoss):
    """``torch.nn.MultiLabelSoftMarginLoss`` by ``xent.torch.multilabel_soft_margin_loss``, in nats; raises what that
    raises."""

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return binary.multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


class SoftMarginLoss(nn.SoftMarginLoss):
    """``torch.nn.SoftMarginLoss`` by ``xent.torch.soft_margin_loss``, in nats; raises what that raises."""

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        return binary.soft_margin_loss(input, target, reduction=self.reduction)


# PyTorch has this one from 2.13 on. Before, the name exists and says so when it is used.
_LinearBase: Any = getattr(nn, "LinearCrossEntropyLoss", nn.Module)


class LinearCrossEntropyLoss(_LinearBase):
    """``torch.nn.LinearCrossEntropyLoss`` by ``xent.torch.linear_cross_entropy``, in nats; raises what that raises.

    Needs PyTorch 2.13: before, making one raises NotImplementedError.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _LinearBase is nn.Module:
            raise NotImplementedError(f"torch {torch.__version__} has no LinearCrossEntropyLoss; 2.13 has")
        super().__init__(*args, **kwargs)

    def forward(self, input: Array, target: Array) -> Array:
        """The loss of input against target."""
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return linear.linear_cross_entropy(
            input,
            self.linear.weight.reshape((*shape, self.linear.in_features)),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )
