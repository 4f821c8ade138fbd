"""What reverse mode keeps, how many passes over the scores a gradient takes, and which kernel runs."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import xent
from xent.kernels.cpu.called import WORTH

N, K = 64, 1000
assert N * K >= WORTH


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.standard_normal((N, K)), jnp.float32), jnp.asarray(rng.integers(0, K, N))


def loss(z: Any, y: Any, **options: Any) -> Any:
    return xent.cross_entropy(xent.Labels(y), xent.Logits(z), **options)


def large(arrays: Any) -> list[Any]:
    return [x for x in jax.tree.leaves(arrays) if math.prod(getattr(x, "shape", ())) >= N * K]


@pytest.mark.parametrize(
    "options", [{}, {"reduction": "none"}, {"shaping": xent.Focal(2.0)}, {"penalties": [xent.ZLoss(1e-3)]}], ids=str
)
def test_reverse_mode_keeps_one_array_of_the_size_of_the_scores(options: Any) -> None:
    z, y = data()
    _, back = jax.vjp(lambda z: loss(z, y, **options), z)
    kept = large(back)
    assert len(kept) == 1
    if "penalties" in options:
        # The scores themselves: nothing was made.
        assert kept[0].unsafe_buffer_pointer() == z.unsafe_buffer_pointer()


def test_a_gradient_is_the_kernels_own_memory() -> None:
    """Nothing of the size of the scores is computed after the kernel: the way back hands over what it keeps."""
    z, y = data()
    _, back = jax.vjp(lambda z: loss(z, y), z)
    (kept,) = large(back)
    (gradient,) = back(jnp.float32(1.0))
    assert gradient.unsafe_buffer_pointer() == kept.unsafe_buffer_pointer()
    np.testing.assert_array_equal(back(jnp.float32(2.0))[0], 2 * gradient)


def compiled(f: Any, *args: Any) -> list[str]:
    """The operations of a compiled program that make something of the size of the scores."""
    text = jax.jit(f).lower(*args).compile().as_text()
    entry = text[text.index("ENTRY") :].splitlines()
    return [
        line
        for line in entry
        if f"[{N},{K}]" in line.partition(" = ")[2].partition("(")[0] and "parameter(" not in line
    ]


def test_a_jitted_gradient_is_one_call_and_nothing_else_of_its_size() -> None:
    lines = compiled(jax.value_and_grad(loss), *data())
    assert not [line for line in lines if "get-tuple-element" not in line and "custom-call" not in line]
    text = jax.jit(jax.value_and_grad(loss)).lower(*data()).as_text()
    assert text.count("stablehlo.custom_call @xent") == 1
    assert jax.jit(loss).lower(*data()).as_text().count("stablehlo.custom_call @xent") == 1


@pytest.mark.parametrize(
    ("options", "calls"),
    [({"reduction": "none"}, 1), ({"shaping": xent.Focal(2.0)}, 1), ({"penalties": [xent.ZLoss(1e-3)]}, 2)],
    ids=str,
)
def test_calls_into_the_kernel(options: Any, calls: int) -> None:
    text = jax.jit(jax.value_and_grad(lambda z, y: loss(z, y, **options).sum())).lower(*data()).as_text()
    assert text.count("stablehlo.custom_call @xent") == calls


def test_a_row_that_is_not_asked_for_has_no_gradient_whatever_it_holds() -> None:
    z, y = data()
    z = z.at[3].set(jnp.nan)
    _, back = jax.vjp(lambda z: loss(z, y, reduction="none"), z)
    (gradient,) = back(jnp.ones(N).at[3].set(0.0))
    assert (np.asarray(gradient[3]) == 0).all()
    assert np.isfinite(gradient).all()


def test_a_checkpoint_keeps_nothing_but_what_was_given() -> None:
    z, y = data()
    _, back = jax.vjp(jax.checkpoint(lambda z: loss(z * 2.0, y)), z)
    assert [x.unsafe_buffer_pointer() for x in large(back)] == [z.unsafe_buffer_pointer()]


def test_explain_says_which_kernel_runs() -> None:
    z, y = data()
    P, Q = xent.Labels(y), xent.Logits(z)
    assert str(xent.explain(P, Q)).startswith(
        "jax float32 of shape (64, 1000) on cpu, Q holds logits, hard target: kernel cpu"
    )
    seen: list[Any] = []

    def trace(z: Any, y: Any) -> Any:
        seen.append(xent.explain(xent.Labels(y), xent.Logits(z)))
        return z

    jax.jit(trace)(z, y)
    jax.jit(trace)(z[:2], y[:2])
    assert [x.chosen for x in seen] == ["cpu, called by XLA", "composed"]
    assert "XLA's own code takes less time" in seen[1].refusals["cpu, called by XLA"]


def test_a_batch_of_small_losses_is_one_large_call() -> None:
    """The choice is made by the shape that is compiled, not by that of an example inside vmap."""
    z, y = data()
    f = jax.vmap(lambda z, y: loss(z[None], y[None]))
    assert jax.jit(f).lower(z, y).as_text().count("stablehlo.custom_call @xent") == 1
    np.testing.assert_allclose(jax.jit(f)(z, y), jax.vmap(lambda z, y: -jax.nn.log_softmax(z)[y])(z, y), rtol=1e-5)


def test_an_exported_program_holds_no_call() -> None:
    z, y = data()
    exported = jax.export.export(jax.jit(jax.value_and_grad(loss)))(z, y)
    assert "@xent" not in exported.mlir_module()
    again = jax.export.deserialize(exported.serialize())
    for got, want in zip(again.call(z, y), jax.jit(jax.value_and_grad(loss))(z, y), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-9)
