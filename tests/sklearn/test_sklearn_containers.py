"""Data frames, tensors and other things that scikit-learn takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
import torch
from sklearn.utils.fixes import parse_version
from sklearn_calls import NAMES, both, data, outcome, refuse_handing_over

newest = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"), reason="before 1.9 theirs takes less, and says more"
)
every = pytest.mark.parametrize("name", NAMES)
Y, P = data(30, 3)
W = np.random.default_rng(0).random(30)
WORDS = np.array(["ant", "bee", "cow"])[Y]


def told(function: Any, *args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
    """The outcome without what NumPy says of PyTorch's ``__array__``, of which scikit-learn converts more."""
    value, warned = outcome(function, *args, **kwargs)
    return value, [one for one in warned if one[0] is UserWarning]


@every
@pytest.mark.parametrize("words", [False, True])
def test_pandas(name: str, words: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    function, reference = both(name)
    y = pandas.Series(WORDS if words else Y, index=np.arange(30)[::-1])
    p, w = pandas.DataFrame(P, columns=["ant", "bee", "cow"]), pandas.Series(W)
    expected = reference(y, p, sample_weight=w)
    refuse_handing_over(monkeypatch)
    for truth in (y, y.astype("category"), y.to_frame()):
        assert function(truth, p, sample_weight=w) == pytest.approx(expected, rel=1e-12)


@every
def test_polars(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    polars = pytest.importorskip("polars")
    function, reference = both(name)
    y, p, w = polars.Series(Y), polars.DataFrame(P, schema=["a", "b", "c"]), polars.Series(W)
    expected = reference(Y, P, sample_weight=W)
    refuse_handing_over(monkeypatch)
    assert function(y, p, sample_weight=w) == pytest.approx(expected, rel=1e-12)
    assert function(polars.Series(WORDS.tolist()), p, sample_weight=w) == pytest.approx(expected, rel=1e-12)


@newest
@every
@pytest.mark.parametrize("dispatch", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_tensors(name: str, dispatch: bool, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    y, p, w = torch.tensor(Y), torch.tensor(P, dtype=dtype), torch.tensor(W)
    function, reference = both(name)
    with sklearn.config_context(array_api_dispatch=dispatch):
        expected, warned = told(reference, y, p, sample_weight=w)
        # Without dispatch float32 is read as float64, and its sums are off for that.
        assert bool(warned) == (dtype == torch.float32 and not dispatch)
        mixed, _ = outcome(reference, WORDS, p)
        refuse_handing_over(monkeypatch)
        assert told(function, y, p, sample_weight=w) == (pytest.approx(expected, rel=1e-6), warned)
        assert outcome(function, WORDS, p)[0] == pytest.approx(mixed, rel=1e-6)
        if dispatch:
            assert function(y, p.requires_grad_(), sample_weight=w) == pytest.approx(expected, rel=1e-6)


@newest
@every
def test_arrays_of_another_namespace_are_scikit_learns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = pytest.importorskip("array_api_strict")
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    function, reference = both(name)
    with sklearn.config_context(array_api_dispatch=True):
        y, p = strict.asarray(Y), strict.asarray(P)
        expected = outcome(reference, y, p)
        assert not isinstance(expected[0], tuple)
        assert outcome(function, y, p) == expected
        refuse_handing_over(monkeypatch)
        with pytest.raises(AssertionError, match="handed over"):
            function(y, p)


@every
def test_a_matrix_and_a_memory_map(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    function, reference = both(name)
    expected = reference(Y, P)
    np.save(tmp_path / "p.npy", P)
    refuse_handing_over(monkeypatch)
    assert function(Y, np.load(tmp_path / "p.npy", mmap_mode="r")) == pytest.approx(expected, rel=1e-12)
    assert function(Y, P.astype(">f8")) == pytest.approx(expected, rel=1e-12)
    assert function(Y, P.tolist()) == pytest.approx(expected, rel=1e-12)


@every
def test_whole_numbers_are_probabilities(name: str) -> None:
    function, reference = both(name)
    y, p = [0, 1, 1, 0], [[1, 0], [0, 1], [1, 0], [1, 0]]
    assert function(y, p) == pytest.approx(reference(y, p), rel=1e-12)
