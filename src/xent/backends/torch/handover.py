"""A reduced loss whose gradient by the scores is made in the same pass over them, in forward.

The gradient waits in the graph for the backward pass, is scaled there by what comes from above, and is handed over:
nothing of the size of the scores is made but it. Where another derivative is wanted, or a second backward, it is made
again from the scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import torch

from xent.backends.torch.lean import HALF
from xent.backends.torch.scaling import scaled_in_place
from xent.backends.torch.spent import spent_error
from xent.core.arrays import Array

#: z and a job's tensors, as autograd kept them: it refuses those that were written to since.
Saved: TypeAlias = Callable[[], tuple[Any, ...]]


class Job(Protocol):
    """A reduced loss as a function of scores z; all else that it depends on is fixed."""

    #: The tensors among it, which autograd keeps with the scores, and lets go with the graph: whoever writes to one
    #: before it is needed again is told so. After ``forward`` the job itself holds nothing of the size of the scores.
    tensors: tuple[Array | None, ...]

    #: Whether the gradient is made where the scores were.
    overwrites: bool

    def forward(self, z: Array) -> tuple[Array, Array]:
        """The loss, and its gradient by z in memory that nobody else holds."""
        ...

    def reaches(self, above: Array) -> bool:
        """Whether ``handed`` may read what comes from above."""
        ...

    def handed(self, found: Array | None, saved: Saved, above: Array) -> Array:
        """above·∂loss/∂z, from the gradient that ``forward`` made, or None where that has been handed over before."""
        ...

    def differentiable(self, saved: tuple[Any, ...], above: Array) -> Array:
        """The same, in functions that can be differentiated again by z and above."""
        ...


class ValueJob(Job, Protocol):
    """A job that reads what comes from above as a number."""

    def scaled(self, gradient: Array, above: float) -> Array:
        """above times the gradient that ``forward`` made, in its place."""
        ...

    def gradient(self, saved: tuple[Any, ...], above: float) -> Array:
        """above·∂loss/∂z; ``saved`` is z and the tensors."""
        ...


def reduced_loss(z: Array, job: Job) -> Array:
    """The job's loss, differentiable in z in every way."""
    loss: Array = _Reduced.apply(z, job)
    return loss


class _Reduced(torch.autograd.Function):
    # In the style in which forward has the context: setup_context would cost a small call half of its time.
    @staticmethod
    def forward(ctx: Any, z: Array, job: Job) -> Array:
        ctx.save_for_backward(z, *job.tensors)
        ctx.job = job
        loss, ctx.gradient = job.forward(z)
        return loss

    @staticmethod
    def backward(ctx: Any, g: Array) -> tuple[Array, None]:
        job: Job = ctx.job
        # Taken out of the graph: nobody else holds it, so it may be written to, and may become z.grad as it is.
        found = vars(ctx).pop("gradient", None)
        again = torch.is_grad_enabled() or not job.reaches(g)
        if job.overwrites and (found is None or again):
            raise spent_error()
        if again:
            return job.differentiable(ctx.saved_tensors, g), None
        return job.handed(found, lambda: ctx.saved_tensors, g), None


def handed_by_value(job: ValueJob, found: Array | None, saved: Saved, g: Array) -> Array:
    """``Job.handed`` where what comes from above can be read at once."""
    above = g.item()
    if found is None or (above != 1.0 and found.dtype in HALF and not job.overwrites):
        # A second backward; or a gradient that was rounded to half precision before it was scaled.
        return job.gradient(saved(), above)
    return found if above == 1.0 else job.scaled(found, above)


def scale_rows(gradient: Array, above: float, idle: Callable[[], Array]) -> Array:
    """above times a gradient (…, K), in its place. A product that is 0 by a factor is 0, whatever the other one holds:
    the rows of ``idle`` do not count, and nothing does where above is 0."""
    scaled_in_place(gradient, above)
    if not math.isfinite(above):
        gradient.masked_fill_(idle()[..., None], 0.0)
    return gradient
