"""The scores of a model in use."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from losses_evaluate import scores
from losses_samples import SAMPLES, K

import xent
from xent.losses import Loss, margins

every_library = pytest.mark.parametrize("library", ["numpy", "torch"])


@every_library
@pytest.mark.parametrize("name", SAMPLES)
def test_at_inference_margin_and_offset_are_gone_and_nothing_else(library: str, name: str) -> None:
    sample = SAMPLES[name]
    z = scores(sample)
    found = np.asarray(sample.loss.at_inference(xent.Logits(z if library == "numpy" else torch.from_numpy(z))).scores)
    s = sample.loss.scores
    expected = z if s is None or s.softcap is None else s.softcap * np.tanh(z / s.softcap)
    expected = expected * (1.0 if s is None else s.scale)
    if s is not None and s.allowed is not None:
        expected = np.where(np.asarray(s.allowed), expected, -math.inf)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@every_library
def test_at_inference_every_other_step_stays(library: str) -> None:
    rng = np.random.default_rng(0)
    h, w = rng.normal(size=(3, 5)), rng.normal(size=(K, 5))
    allowed = np.array([True, False, True, True])
    make = (lambda x: x) if library == "numpy" else torch.from_numpy
    Q = xent.Projection(make(h), make(w))
    for normalize, x, v in (
        ("both", h / np.linalg.norm(h, axis=1, keepdims=True), w / np.linalg.norm(w, axis=1, keepdims=True)),
        ("hidden", h / np.linalg.norm(h, axis=1, keepdims=True), w),
        ("weight", h, w / np.linalg.norm(w, axis=1, keepdims=True)),
        ("neither", h, w),
    ):
        steps = xent.losses.Scores(
            normalize=normalize,  # type: ignore[arg-type]
            softcap=0.7,
            margin=xent.losses.Angular(1.0, 0.5),
            scale=3.0,
            offset=np.arange(4.0),
            allowed=allowed,
        )
        expected = np.where(allowed, 3.0 * 0.7 * np.tanh(x @ v.T / 0.7), -math.inf)
        np.testing.assert_allclose(np.asarray(Loss(scores=steps).at_inference(Q).scores), expected, rtol=1e-13)
    both_ = margins.arcface(normalize=True).at_inference(Q)
    unit = 64.0 * (h / np.linalg.norm(h, axis=1, keepdims=True)) @ (w / np.linalg.norm(w, axis=1, keepdims=True)).T
    np.testing.assert_allclose(np.asarray(both_.scores), unit, rtol=1e-13)
