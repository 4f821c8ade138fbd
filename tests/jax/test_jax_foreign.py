"""The way from XLA's code into Python: errors, threads, exits, caches."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import xent
from xent.backends.jax import foreign


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def call(name: str, *arrays: Any, like: Any, **what: str) -> Any:
    return jax.ffi.ffi_call(name, like, vmap_method="sequential")(*arrays, job=foreign.description("", (), what))


_KEPT: list[Any] = []


def registered(name: str, work: Any) -> None:
    _KEPT.append(foreign.handler(work))
    foreign.register(name, _KEPT[-1])


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int16", "int32", "uint32", "float16", "bfloat16", "float32"]
)
def test_arrays_arrive_as_they_are_and_results_are_written_in_place(dtype: str) -> None:
    seen: list[Any] = []

    def work(what: Any, arguments: list[Any], results: list[Any]) -> None:
        seen.append((foreign.described(what)["key"], arguments[0].dtype.name, arguments[0].shape))
        results[0][...] = arguments[0][::-1]

    registered(f"xent_test_{dtype}", work)
    x = jnp.arange(6).reshape(3, 2).astype(dtype)
    found = jax.jit(lambda x: call(f"xent_test_{dtype}", x, like=jax.ShapeDtypeStruct(x.shape, x.dtype), key="β"))(x)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(x)[::-1])
    assert seen == [("β", dtype, (3, 2))]


def test_an_exception_becomes_jaxs_error() -> None:
    def work(what: Any, arguments: list[Any], results: list[Any]) -> None:
        raise KeyError("nothing of that name: ℓ")

    registered("xent_test_error", work)
    x = jnp.ones(3)
    with pytest.raises(jax.errors.JaxRuntimeError, match="xent: KeyError: 'nothing of that name: ℓ'"):
        jax.block_until_ready(
            jax.jit(lambda x: call("xent_test_error", x, like=jax.ShapeDtypeStruct((3,), x.dtype)))(x)
        )
    assert float(jnp.sum(x)) == 3.0


def test_threads_call_at_once() -> None:
    rng = np.random.default_rng(0)
    f = jax.jit(jax.value_and_grad(lambda z, y: xent.cross_entropy(xent.Labels(y), xent.Logits(z))))
    inputs = [
        (jnp.asarray(rng.standard_normal((128, 1000)), jnp.float32), jnp.asarray(rng.integers(0, 1000, 128)))
        for _ in range(8)
    ]
    expected = [f(*x) for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: f(*inputs[i % 8]), range(64)))
    for i, (value, slope) in enumerate(found):
        assert value == expected[i % 8][0]
        np.testing.assert_array_equal(slope, expected[i % 8][1])


SETUP = """
import numpy as np, jax, jax.numpy as jnp, xent
from jax.sharding import PartitionSpec as P, NamedSharding
rng = np.random.default_rng(0)
z, y = rng.standard_normal((256, 1000)).astype("float32"), rng.integers(0, 1000, 256)
f = lambda z, y: xent.cross_entropy(xent.Labels(y, ignore=7), xent.Logits(z))
value, slope = xent.value_and_grad(xent.Labels(y, ignore=7), xent.Logits(z))
def same(found):
    np.testing.assert_allclose(found[0], value, rtol=1e-5)
    np.testing.assert_allclose(found[1], slope, rtol=1e-5, atol=1e-8)
z, y = jnp.asarray(z), jnp.asarray(y)
"""

FOUR = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}


def test_four_devices() -> None:
    code = (
        SETUP
        + """
mesh = jax.make_mesh((4,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
rows = NamedSharding(mesh, P("i"))
zs, ys = jax.device_put(z, rows), jax.device_put(y, rows)
same(jax.jit(jax.value_and_grad(f))(zs, ys))               # XLA divides the arrays
same(jax.jit(jax.value_and_grad(f), in_shardings=(NamedSharding(mesh, P(None, "i")), None))(z, y))
same(jax.value_and_grad(f)(zs, ys))
same(xent.value_and_grad(xent.Labels(ys, ignore=7), xent.Logits(zs)))
z2, y2 = jax.device_put(z, jax.devices()[2]), jax.device_put(y, jax.devices()[2])
same(jax.jit(jax.value_and_grad(f))(z2, y2))
on2 = xent.cross_entropy(xent.Labels(y2), xent.Logits(z2))
assert on2.devices() == {jax.devices()[2]}

def each(z, y):                                             # every device on rows of its own
    counted = jax.lax.psum(jnp.sum(y != 7).astype("float32"), "i")
    return jax.lax.psum(xent.cross_entropy(xent.Labels(y, ignore=7), xent.Logits(z), denominator=counted), "i")

for check in (True, False):
    divided = jax.shard_map(each, mesh=mesh, in_specs=(P("i"), P("i")), out_specs=P(), check_vma=check)
    whole = jax.jit(divided)
    np.testing.assert_allclose(whole(z, y), value, rtol=1e-5)
    assert "@xent" in whole.lower(zs, ys).as_text()
    same(jax.jit(jax.value_and_grad(divided))(z, y))

def inner(z, y):
    slope = jax.grad(lambda z: xent.cross_entropy(xent.Labels(y, ignore=7), xent.Logits(z), reduction="sum"))(z)
    return slope / jax.lax.psum(jnp.sum(y != 7), "i")
found = jax.jit(jax.shard_map(inner, mesh=mesh, in_specs=(P("i"), P("i")), out_specs=P("i")))(z, y)
np.testing.assert_allclose(found, slope, rtol=1e-5, atol=1e-8)

# Scores that do not vary, with labels that do: their gradient is the sum over the devices.
w = jnp.zeros((64, 1000))
def shared(w, y):
    return jax.lax.psum(xent.cross_entropy(xent.Labels(y), xent.Logits(w), reduction="sum"), "i")
found = jax.jit(jax.grad(jax.shard_map(shared, mesh=mesh, in_specs=(P(), P("i")), out_specs=P())))(w, y)
expected = sum(xent.value_and_grad(xent.Labels(part), xent.Logits(w), reduction="sum")[1] for part in y.reshape(4, 64))
np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

explicit = jax.make_mesh((4,), ("i",), axis_types=(jax.sharding.AxisType.Explicit,))
with jax.set_mesh(explicit):
    ze, ye = jax.device_put(z, P("i")), jax.device_put(y, P("i"))
    same(jax.jit(jax.value_and_grad(f))(ze, ye))

pmapped = jax.pmap(lambda z, y: xent.cross_entropy(xent.Labels(y, ignore=7), xent.Logits(z), reduction="sum"))
np.testing.assert_allclose(pmapped(z.reshape(4, 64, 1000), y.reshape(4, 64)).sum() / (y != 7).sum(), value, rtol=1e-5)
print("done")
"""
    )
    assert python(code, **FOUR).strip() == "done"


def test_a_program_from_the_disk_cache_calls_the_kernel(tmp_path: Path) -> None:
    code = (
        SETUP
        + """
import sys
jax.config.update("jax_compilation_cache_dir", sys.argv[1] if len(sys.argv) > 1 else CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
same(jax.jit(jax.value_and_grad(f))(z, y))
print(sum("cache_hits" in event for event in hits) > 0)
"""
    )
    code = f"CACHE = {str(tmp_path)!r}\n" + code
    assert [python(code).strip() for _ in range(2)] == ["False", "True"]


def test_a_process_may_end_while_a_program_runs() -> None:
    python(SETUP + "z = jnp.tile(z, (16, 1))\nfor _ in range(8):\n    jax.jit(jax.grad(f))(z, jnp.tile(y, 16))\n")


def test_float64_and_int64_are_those_of_jax_enable_x64() -> None:
    code = (
        SETUP
        + """
z = jnp.asarray(np.random.default_rng(0).standard_normal((256, 1000)))
assert z.dtype == "float64" and y.dtype == "int64"
value, slope = xent.value_and_grad(xent.Labels(np.asarray(y), ignore=7), xent.Logits(np.asarray(z)))
both = jax.value_and_grad(f)
for found in (both(z, y), jax.jit(both)(z, y), xent.value_and_grad(xent.Labels(y, ignore=7), xent.Logits(z))):
    assert found[0].dtype == found[1].dtype == "float64"
    np.testing.assert_allclose(found[0], value, rtol=1e-13)
    np.testing.assert_allclose(found[1], slope, rtol=1e-12, atol=1e-17)
"""
    )
    python(code, JAX_ENABLE_X64="1")
