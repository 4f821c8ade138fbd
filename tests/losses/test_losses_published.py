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
from xent.losses import imbalance, margins, sampled

VALUES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "published_values.json").read_text("utf-8"))
#: Whose tests recompute a value.
OWNERS = {
    "core": "test_losses_published.py",
    "contrastive": "test_losses_contrastive.py",
    "adversarial": "test_losses_gan.py",
}

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
    """Whose tests hold it: none is left over."""
    assert {e["owner"] for e in VALUES} == set(OWNERS)
    assert len(VALUES) == 35
    texts = {owner: (Path(__file__).parent / name).read_text("utf-8") for owner, name in OWNERS.items()}
    for e in VALUES:
        assert e["source"]
        assert e["tolerance"] > 0
        assert e["owner"] == "core" or str(abs(e["expected"])) in texts[e["owner"]], e["name"]


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


@pytest.mark.parametrize("blend", [0.0, 5.0])
@pytest.mark.parametrize("m", [2, 3, 4])
def test_l_softmax_is_the_signs_and_powers_of_caffe(m: int, blend: float) -> None:
    """wy1iu/LargeMargin_Softmax_Loss, src/caffe/layers/largemargin_inner_product_layer.cpp, Forward_cpu: of the truth's
    cosine c only powers and signs, DOUBLE, TRIPLE and QUADRUPLE."""
    rng = np.random.default_rng(0)
    x, w, y = rng.normal(size=(200, 3)), rng.normal(size=(4, 3)), rng.integers(0, 4, 200)
    product = np.linalg.norm(x, axis=1) * np.linalg.norm(w[y], axis=1)
    c = (x * w[y]).sum(axis=1) / product
    sign = np.sign(c)
    if m == 2:
        psi = 2 * sign * c**2 - 1
    elif m == 3:
        inner = np.sign(np.abs(c) - 0.5)
        psi = inner * (4 * c**3 - 3 * c) + sign * (1 + inner) - 2
    else:
        outer = sign * np.sign(2 * c**2 - 1)
        psi = outer * (8 * c**4 - 8 * c**2 + 1) + 2 * sign + outer - 3
    expected = x @ w.T
    rows = np.arange(len(y))
    expected[rows, y] = (blend * expected[rows, y] + product * psi) / (1 + blend)
    for make in LIBRARIES.values():
        Q = xent.Projection(make(x), make(w))
        found = margins.l_softmax(m, blend).in_training(xent.Labels(make(y)), Q).scores
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_retrieval_of_tensorflow_recommenders() -> None:
    """tensorflow/recommenders, tasks/retrieval_test.py, test_task: its closed form, a sum over the batch."""
    query, candidate = [[1, 2, 3], [2, 3, 4]], [[1, 1, 1], [1, 1, 0]]
    expected = np.logaddexp(0, -3.0) + np.logaddexp(0, 4.0)
    for make in LIBRARIES.values():
        Q = xent.Projection(_floats(make, query), _floats(make, candidate))
        P = xent.Labels(make(np.arange(2)))
        np.testing.assert_allclose(sampled.in_batch_softmax(P, Q, reduction="sum"), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", [42, 123, 8391, 12390, 1230])
def test_loss_layers_of_tensorflow_recommenders(seed: int) -> None:
    """layers/loss_test.py with its seeds: accidental hits lose their score, others keep theirs; the correction is that
    of layers/loss.py, −log of the probability, which is at least 1e-6."""
    rng = np.random.RandomState(seed)
    logits = rng.uniform(size=(2, 4)).astype(np.float32)
    labels = rng.permutation(np.eye(2, 4).T).T
    ids, own = rng.randint(0, 3, size=4), labels.argmax(axis=1)
    gone = (ids[None, :] == ids[own][:, None]) & (labels == 0)
    scores = sampled.in_batch_scores(xent.Labels(own), items=ids)
    found = xent.losses.Loss(scores=scores).at_inference(xent.Logits(logits)).scores
    np.testing.assert_array_equal(found, np.where(gone, -np.inf, logits))

    rng = np.random.RandomState(seed)
    logits, probs = rng.uniform(size=(10, 20)).astype(np.float32), rng.uniform(size=20).astype(np.float32)
    for p in (probs, probs * rng.choice([0.0, 1.0], size=20)):
        P = xent.Labels(np.arange(10))
        scores = sampled.in_batch_scores(P, probabilities=p, least=1e-6)
        found = xent.losses.Loss(scores=scores).in_training(P, xent.Logits(logits)).scores
        np.testing.assert_allclose(found, logits - np.log(np.maximum(p, 1e-6)), rtol=1e-5)
        assert (logits < found).all()
