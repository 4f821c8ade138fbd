"""The operations of this backend as a kernel: which one runs is found out where the arrays are known."""

from __future__ import annotations

import jax.numpy as jnp

from xent.backends.jax.elements import ElementGradient, elements
from xent.backends.jax.operation import operate
from xent.backends.jax.row_sum import Fused
from xent.backends.jax.rows import operands_of, row_gradient, rows
from xent.backends.spec import Spec
from xent.core.arrays import Array, compute_dtype
from xent.kernels.protocol import Link, RowCoefficients, RowStatistics, Statistic, Target, Task


class Operating:
    """See ``Kernel``."""

    name = "jax"

    def refuses(self, task: Task) -> str | None:
        raise AssertionError("never asked: it stands for the kernel that was chosen")

    def row_statistics(self, q: Array, target: Target | None, link: Link, want: frozenset[Statistic]) -> RowStatistics:
        names = tuple(sorted(want))
        return RowStatistics(**dict(zip(names, rows(q, target, _spec(target, link, names)), strict=True)))

    def row_gradient(self, q: Array, target: Target | None, link: Link, coefficients: RowCoefficients) -> Array:
        return row_gradient(q, operands_of(target), coefficients, _spec(target, link))

    def row_fused(self, q: Array, target: Target, link: Link, c: Array) -> tuple[Array, Array]:
        loss, gradient = operate(
            Fused(_spec(target, link, ("loss",))), q=q, **operands_of(target), c=c.astype(compute_dtype(q))
        )
        return loss, gradient

    def element_statistics(self, q: Array, link: Link) -> tuple[Array, Array]:
        return elements(q, link)

    def element_gradient(self, q: Array, link: Link, a: Array, b: Array) -> Array:
        return operate(ElementGradient(link), q=q, a=a, b=b)[0]

    def element_losses(
        self, q: Array, link: Link, t: Array, positive_weight: Array | None, *, slopes: bool
    ) -> tuple[Array, Array | None]:
        raise AssertionError("the backend has its own")

    def element_loss_gradient(self, q: Array, link: Link, t: Array, positive_weight: Array | None, g: Array) -> Array:
        yes = t if positive_weight is None else t * positive_weight
        return self.element_gradient(q, link, *jnp.broadcast_arrays(g * (1 - t), g * yes))

    def element_fused(
        self, q: Array, link: Link, t: Array, weight: Array | None, positive_weight: Array | None, scale: float
    ) -> tuple[Array, Array]:
        raise AssertionError("a pass of PyTorch's front end")


def _spec(target: Target | None, link: Link, want: tuple[Statistic, ...] = ()) -> Spec:
    return Spec(link, want) if target is None else Spec(link, want, target.on, target.off)


operating = Operating()
