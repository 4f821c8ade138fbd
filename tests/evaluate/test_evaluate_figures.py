"""The figures against scikit-learn and against the formula written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluate_files import model, wide, write
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss, zero_one_loss

from xent.evaluate import FLOOR, Options, evaluate

LOGITS, TRUTH = model(rows=3000, classes=7, seed=3)
PROBS = softmax(LOGITS, axis=1)
HELD = {"logits": LOGITS, "probs": PROBS, "log_probs": log_softmax(LOGITS, axis=1)}


def result(path, holds="logits", columns="z_*", **options):
    return evaluate(path, Options(holds, columns, truth=options.pop("truth", "y"), **options)).to_dict()


@pytest.mark.parametrize("holds", list(HELD))
def test_loss_error_and_brier_are_scikit_learns(tmp_path, holds):
    found = result(write(tmp_path / "a.parquet", {"y": TRUTH, **wide(HELD[holds])}), holds)
    assert found["loss"]["nats"]["value"] == pytest.approx(log_loss(TRUTH, PROBS), rel=1e-9)
    assert found["error"]["value"] == pytest.approx(zero_one_loss(TRUTH, PROBS.argmax(1)), rel=1e-9)
    assert found["brier"]["value"] == pytest.approx(brier_score_loss(TRUTH, PROBS), rel=1e-9)
    entropy = -(PROBS * np.log(PROBS)).sum(axis=1)
    assert found["entropy"]["value"] == pytest.approx(entropy.mean(), rel=1e-9)
    loss = -np.log(PROBS[np.arange(3000), TRUTH])
    assert found["confidence"]["value"] == pytest.approx((loss - entropy).mean(), rel=1e-9)
    assert found["confusion"]["counts"] == confusion_matrix(TRUTH, PROBS.argmax(1)).tolist()


def test_bits_and_perplexity_are_the_loss_in_other_units(tmp_path):
    found = result(write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS)}))
    for end in ("value", "low", "high"):
        nats = found["loss"]["nats"][end]
        assert found["loss"]["bits"][end] == pytest.approx(nats / math.log(2), rel=1e-12)
        assert found["perplexity"][end] == pytest.approx(math.exp(nats), rel=1e-12)


def test_one_row_has_figures_but_no_intervals(tmp_path):
    found = result(write(tmp_path / "a.parquet", {"y": [1], "z_0": [1.0], "z_1": [0.0]}))
    loss = math.log1p(math.e)
    assert found["loss"]["nats"] == {"value": pytest.approx(loss), "low": "nan", "high": "nan"}
    assert found["perplexity"] == {"value": pytest.approx(1 + math.e), "low": "nan", "high": "nan"}
    assert found["confidence"]["verdict"] == "cannot tell"
    assert found["calibration"] is None
    assert found["error"]["low"] < 0.21


def test_binary_is_scikit_learns(tmp_path):
    rng = np.random.default_rng(5)
    p = rng.uniform(size=2000)
    y = rng.uniform(size=2000) < p
    path = write(tmp_path / "a.parquet", {"y": y, "p": p})
    found = result(path, "prob", "p")
    assert found["kind"] == "binary"
    assert found["input"]["classes"] == ["0", "1"]
    assert found["loss"]["nats"]["value"] == pytest.approx(log_loss(y, p), rel=1e-9)
    assert found["brier"]["value"] == pytest.approx(brier_score_loss(y, p), rel=1e-9)
    assert found["error"]["value"] == pytest.approx(np.mean((p > 0.5) != y), rel=1e-9)
    assert found["calibration"]["of"] == "yes"
    named = write(tmp_path / "b.csv", {"y": np.where(y, "ill", "well"), "p": p})
    again = result(named, "prob", "p", classes=("well", "ill"))
    assert again["loss"] == found["loss"]
    assert {item["name"] for item in again["classes"]} == {"ill", "well"}


def test_an_even_probability_is_no_yes(tmp_path):
    # the first of two equal classes, as argmax takes it where both are columns
    path = write(tmp_path / "a.parquet", {"y": [0, 1], "p": [0.5, 0.5], "q_0": [0.5, 0.5], "q_1": [0.5, 0.5]})
    assert result(path, "prob", "p")["confusion"]["counts"] == [[1, 0], [1, 0]]
    assert result(path, "probs", "q_*")["confusion"]["counts"] == [[1, 0], [1, 0]]


def test_two_classes_as_columns_have_twice_the_binary_brier(tmp_path):
    p = np.array([0.1, 0.7, 0.4])
    path = write(tmp_path / "a.parquet", {"y": [0, 1, 1], "p": p, "q_0": 1 - p, "q_1": p})
    one, two = result(path, "prob", "p"), result(path, "probs", "q_*")
    assert two["brier"]["value"] == pytest.approx(2 * one["brier"]["value"], rel=1e-12)
    assert two["loss"]["nats"]["value"] == pytest.approx(one["loss"]["nats"]["value"], rel=1e-12)


def test_tokens_and_bits_per_byte(tmp_path):
    rng = np.random.default_rng(0)
    nll, size = rng.exponential(2, 5000), rng.integers(0, 9, 5000)
    path = write(tmp_path / "a.parquet", {"lp": -nll, "bytes": size})
    found = result(path, "log_likelihood", "lp", truth=None, bytes="bytes")
    assert found["kind"] == "tokens"
    assert found["loss"]["nats"]["value"] == pytest.approx(nll.mean(), rel=1e-12)
    rate = nll.sum() / size.sum() / math.log(2)
    assert found["bits_per_byte"]["value"] == pytest.approx(rate, rel=1e-12)
    residual = nll - nll.sum() / size.sum() * size
    error = math.sqrt(5000 * residual.var(ddof=1)) / size.sum() / math.log(2)
    assert found["bits_per_byte"]["high"] == pytest.approx(rate + 1.959964 * error, rel=1e-6)
    for absent in ("error", "entropy", "confidence", "brier", "calibration", "baseline", "classes", "confusion"):
        assert found[absent] is None
    assert found["hardest"][0]["nats"] == pytest.approx(nll.max())
    assert found["hardest"][0]["truth"] is None


def test_zero_probability_of_a_truth_is_infinite_and_floored(tmp_path):
    p = np.array([[1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [0.5, 0.0, 0.5]])
    y = np.array([0, 1, 1])
    for ending in ("parquet", "csv"):
        path = write(tmp_path / f"a.{ending}", {"y": y, **wide(p)})
        found = result(path, "probs")
        assert found["loss"]["nats"] == {"value": "inf", "low": "inf", "high": "inf"}
        assert found["perplexity"]["value"] == "inf"
        assert (found["loss"]["infinite_rows"], found["loss"]["first_infinite"]) == (1, 3)
        floor = found["loss"]["floor"]
        assert floor["probability"] == FLOOR == np.finfo(np.float64).eps
        # scikit-learn clips at the same number, so the floored loss is its log loss
        assert floor["nats"]["value"] == pytest.approx(log_loss(y, p, labels=[0, 1, 2]), rel=1e-9)
        assert found["hardest"][0]["row"] == 3
        assert found["hardest"][0]["nats"] == "inf"
        assert found["classes"][0]["nats"]["value"] == "inf"
        assert sum(found["losses"]["counts"]) == 2
        assert found["losses"]["quantiles"]["0.99"] == "inf"


def test_floor_can_be_chosen_and_is_absent_without_infinities(tmp_path):
    p = np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    path = write(tmp_path / "a.parquet", {"y": [0, 1, 0], **wide(p)})
    floor = result(path, "probs", floor=1e-3)["loss"]["floor"]
    assert floor["probability"] == 1e-3
    assert floor["nats"]["value"] == pytest.approx((math.log(2) - math.log(1e-3)) / 3)
    certain = write(tmp_path / "b.parquet", {"y": [0, 0], **wide(p[:2])})
    found = result(certain, "probs")
    assert found["loss"]["floor"] is None
    assert found["loss"]["nats"]["value"] == 0.0
    assert found["baseline"]["skill"] == "nan"


def test_infinite_logits(tmp_path):
    inf = np.inf
    z = np.array([[inf, 0.0, 1.0], [0.0, -inf, 0.0], [1.0, -inf, -inf]])
    found = result(write(tmp_path / "a.parquet", {"y": [0, 0, 0], **wide(z)}))
    assert found["rows"]["used"] == 3
    assert found["loss"]["nats"]["value"] == pytest.approx(math.log(2) / 3)
    assert found["brier"]["value"] == pytest.approx(0.5 / 3)
    assert found["entropy"]["value"] == pytest.approx(math.log(2) / 3)


def test_confident_truths_keep_their_digits(tmp_path):
    z = np.zeros((4, 2))
    z[:, 0] = [30, 40, 50, 60]
    found = result(write(tmp_path / "a.parquet", {"y": [0] * 4, **wide(z)}))
    exact = math.fsum(math.log1p(math.exp(-v)) for v in z[:, 0]) / 4
    assert found["loss"]["nats"]["value"] == pytest.approx(exact, rel=1e-12, abs=0)
    squares = math.fsum(2 * (math.exp(-v) / (1 + math.exp(-v))) ** 2 for v in z[:, 0]) / 4
    assert found["brier"]["value"] == pytest.approx(squares, rel=1e-12, abs=0)


def test_baseline_and_classes(tmp_path):
    path = write(tmp_path / "a.parquet", {"y": TRUTH, **wide(LOGITS)})
    found = result(path)
    share = np.bincount(TRUTH) / len(TRUTH)
    assert found["baseline"]["nats"] == pytest.approx(-(share * np.log(share)).sum(), rel=1e-12)
    assert found["baseline"]["error"] == pytest.approx(1 - share.max(), rel=1e-12)
    assert found["baseline"]["skill"] == pytest.approx(
        1 - found["loss"]["nats"]["value"] / found["baseline"]["nats"], rel=1e-12
    )
    loss = -log_softmax(LOGITS, axis=1)[np.arange(3000), TRUTH]
    values = [item["nats"]["value"] for item in found["classes"]]
    assert values == sorted(values, reverse=True)
    for item in found["classes"]:
        of_class = int(item["name"]) == TRUTH
        assert item["n"] == of_class.sum()
        assert item["nats"]["value"] == pytest.approx(loss[of_class].mean(), rel=1e-12)
        assert item["error"] == pytest.approx(np.mean(LOGITS[of_class].argmax(1) != int(item["name"])))


def test_hardest_rows_and_quantiles_are_those_of_a_sort(tmp_path):
    path = write(tmp_path / "a.parquet", {"id": np.arange(3000) * 7, "y": TRUTH, **wide(LOGITS)})
    found = result(path, id="id", batch_rows=130)
    loss = -log_softmax(LOGITS, axis=1)[np.arange(3000), TRUTH]
    order = np.argsort(-loss)[:20]
    assert [row["row"] for row in found["hardest"]] == (order + 1).tolist()
    assert [row["id"] for row in found["hardest"]] == (order * 7).tolist()
    assert [row["truth"] for row in found["hardest"]] == [str(TRUTH[i]) for i in order]
    for fraction in (0.5, 0.9, 0.99):
        exact = np.quantile(loss, fraction, method="inverted_cdf")
        assert found["losses"]["quantiles"][str(fraction)] == pytest.approx(exact, rel=2e-3)
    assert sum(found["losses"]["counts"]) == 3000
    assert len(found["losses"]["counts"]) <= 60


def test_float32_agrees_with_float64_to_its_own_rounding(tmp_path):
    narrow = LOGITS.astype(np.float32)
    one = result(write(tmp_path / "a.parquet", {"y": TRUTH, **wide(narrow)}))
    two = result(write(tmp_path / "b.parquet", {"y": TRUTH, **wide(narrow.astype(np.float64))}))
    for key in ("entropy", "brier"):
        assert one[key]["value"] == pytest.approx(two[key]["value"], rel=1e-6)
    assert one["loss"]["nats"]["value"] == pytest.approx(two["loss"]["nats"]["value"], rel=1e-7)


def test_many_classes_have_no_confusions_but_all_else(tmp_path):
    z, y = model(rows=300, classes=1200, seed=1, dtype="float32")
    found = result(write(tmp_path / "a.parquet", {"y": y, "z": z}), columns="z")
    assert found["confusion"] is None
    assert found["confusions"] is None
    assert found["loss"]["nats"]["value"] == pytest.approx(
        -log_softmax(z.astype("f8"), axis=1)[np.arange(300), y].mean(), rel=1e-6
    )
