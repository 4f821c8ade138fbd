"""Values that other projects publish in their tests and docstrings, with their own tolerances.

``published_values.json`` holds inputs, parameters and source of each; ``owner`` says whose tests recompute it: these
("core"), or those of another module of losses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import xent
from xent.losses import imbalance, margins

VALUES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "published_values.json").read_text("utf-8"))
#: Whose tests recompute a value.
OWNERS = {"core", "contrastive", "adversarial"}

Make = Callable[[Any], Any]


def numpy_array(values: Any) -> Any:
    return np.asarray(values)


LIBRARIES: dict[str, Make] = {"numpy": numpy_array, "torch": lambda values: torch.from_numpy(np.asarray(values))}


def _floats(make: Make, values: Any) -> Any:
    return make(np.asarray(values, np.float64))


def _cross_entropy(e: dict[str, Any], make: Make) -> Any:
    i = e["inputs"]
    P, Q = xent.Distribution(_floats(make, i["target"])), xent.Logits(_floats(make, i["logits"]))
    return xent.cross_entropy(P, Q, reduction="none")


def _poly(e: dict[str, Any], make: Make) -> Any:
    i = e["inputs"]
    P, Q = xent.Distribution(_floats(make, i["target"])), xent.Logits(_floats(make, i["logits"]))
    return imbalance.poly1(e["params"]["epsilon"], soft="per-class")(P, Q, reduction="none")


def _binary(e: dict[str, Any], make: Make) -> Any:
    """Focal losses of elements."""
    i, p = e["inputs"], e["params"]
    Q = xent.Logits(_floats(make, i["logits"])) if "logits" in i else xent.Probabilities(_floats(make, i["probs"]))
    loss = imbalance.focal(p["gamma"], alpha=p.get("alpha"))
    return loss(xent.Indicators(make(i["target"])), Q, reduction="none")


def _categorical(e: dict[str, Any], make: Make) -> Any:
    """Keras's, whose α is a factor of everything."""
    i, p = e["inputs"], e["params"]
    if "logits" in i:
        Q: Any = xent.Logits(_floats(make, i["logits"]))
    else:
        probs = np.asarray(i.get("weights", i.get("probs")))
        Q = xent.Probabilities(_floats(make, probs / probs.sum(axis=1, keepdims=True)))
    soft = "per-class" if "smoothing" in p else None
    loss = imbalance.focal(p["gamma"], soft=soft).but(factor=p["alpha"])  # type: ignore[arg-type]
    return loss(xent.Labels(make(i["labels"]), smoothing=p.get("smoothing", 0.0)), Q, reduction="none")


def _over_axis_0(e: dict[str, Any], make: Make) -> Any:
    """MONAI's softmax focal, whose mean divides by the classes too."""
    i, p = e["inputs"], e["params"]
    alpha = None if "alpha" not in p else _floats(make, p["alpha"])
    P, Q = xent.Distribution(_floats(make, i["target"])), xent.Logits(_floats(make, i["logits"]), axis=0)
    return imbalance.focal(p["gamma"])(P, Q, class_weight=alpha, reduction="sum") / np.size(i["logits"])


def _arcface(e: dict[str, Any], make: Make) -> Any:
    i, p = e["inputs"], e["params"]
    cosines = np.concatenate(i["shards"], axis=1) if "shards" in i else np.asarray(i["cosines"])
    loss = margins.combined_margin(p["m1"], p["m2"], p["m3"], p["scale"])
    return loss(xent.Labels(make(i["labels"])), xent.Logits(_floats(make, cosines)), reduction="none")


def _recipe(e: dict[str, Any]) -> Callable[[dict[str, Any], Make], Any]:
    name = e["name"]
    for start, recipe in {
        "softmax cross-entropy": _cross_entropy,
        "poly-1": _poly,
        "binary focal": _binary,
        "sigmoid focal": _binary,
        "categorical focal": _categorical,
        "softmax focal": _over_axis_0,
        "ArcFace": _arcface,
    }.items():
        if name.startswith(start):
            return recipe
    raise KeyError(name)


CORE = [e for e in VALUES if e["owner"] == "core"]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("entry", CORE, ids=[f"{i}, {e['source'].split(',')[0]}" for i, e in enumerate(CORE)])
def test_a_published_value(entry: dict[str, Any], library: str) -> None:
    found = np.asarray(_recipe(entry)(entry, LIBRARIES[library]))
    expected = np.asarray(entry["expected"])
    if expected.ndim < found.ndim:
        found = found.mean(axis=-1) if expected.ndim else found.mean()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=entry["tolerance"])


def test_every_value_has_an_owner() -> None:
    assert {e["owner"] for e in VALUES} == OWNERS
    assert len(VALUES) == 35
    # What is here is what exists in the core: nothing of it is left to others.
    elsewhere = {e["name"].split(" ")[0] for e in VALUES if e["owner"] != "core"}
    assert elsewhere == {"NT-Xent", "n-pairs:", "GAN", "relativistic"}
    assert all(e["source"] and e["tolerance"] > 0 for e in VALUES)


# PyTorch's own reference for targets that are probabilities, which its tests are held to.


def _torch_reference() -> Callable[..., torch.Tensor]:
    return pytest.importorskip("torch.testing._internal.common_nn").cross_entropy_loss_prob_target_reference


@pytest.mark.parametrize("shape", [(6, 4), (3, 5, 2)], ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.15])
@pytest.mark.parametrize("weighted", [False, True])
def test_pytorchs_reference_for_soft_targets(shape: tuple[int, ...], smoothing: float, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    z, t = rng.normal(size=shape), rng.random(shape)
    t /= t.sum(axis=1, keepdims=True)
    c = rng.random(shape[1]) + 0.5 if weighted else None
    expected = _torch_reference()(
        torch.from_numpy(z),
        torch.from_numpy(t),
        weight=None if c is None else torch.from_numpy(c),
        reduction="none",
        label_smoothing=smoothing,
    ).numpy()
    each = t * (1 - smoothing) + smoothing / shape[1]
    for make in LIBRARIES.values():
        P, Q = xent.Distribution(make(t), smoothing=smoothing), xent.Logits(make(z), axis=1)
        if c is None:
            found = xent.cross_entropy(P, Q, reduction="none")
        else:
            # PyTorch weighs each class's term; xent the whole row. A one-hot row is the same for both.
            hot = np.moveaxis(np.eye(shape[1])[t.argmax(axis=1)], -1, 1)
            same = _torch_reference()(
                torch.from_numpy(z), torch.from_numpy(hot), weight=torch.from_numpy(c), reduction="none"
            ).numpy()
            mine = xent.cross_entropy(xent.Distribution(make(hot)), Q, class_weight=make(c), reduction="none")
            np.testing.assert_allclose(np.asarray(mine), same, rtol=1e-12)
            mass = each * c.reshape(1, -1, *[1] * (len(shape) - 2))
            total = mass.sum(axis=1)
            scaled = xent.Distribution(make(mass / total[:, None]))
            found = xent.cross_entropy(scaled, Q, weight=make(total), reduction="none")
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12)
