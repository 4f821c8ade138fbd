"""Linear models from files: the stream of rows, the first pass, training with a checkpoint, the file of a model."""

from __future__ import annotations

import doctest
import json
import pickle

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression as Other

import xent
import xent.linear_model.stream as streaming
import xent.linear_model.survey as surveying
from xent.errors import (
    DataError,
    InputError,
    KindError,
    LabelError,
    OptionError,
    UnreadableFileError,
    WeightError,
)
from xent.linear_model import LogisticRegression, SoftmaxRegression, load, sampling, save, storage
from xent.linear_model.stream import Holdout, Labelled, Stream, examples_of
from xent.linear_model.survey import survey
from xent.linear_model.training import train

NONE = Holdout(0.0)


class Rows:
    """A source whose file is in memory, a few rows at a time."""

    def __init__(self, X, y, weight=None, *, size=7, typed=True, order="C"):
        self.X, self.y, self.weight, self.size, self.typed = np.asarray(X), list(y), weight, size, typed
        self.name, self.features = "rows.parquet", tuple(f"x_{j}" for j in range(self.X.shape[1]))
        self.order, self.passes = order, 0

    def batches(self):
        self.passes += 1
        for low in range(0, len(self.X), self.size):
            yield np.asarray(self.X[low : low + self.size], order=self.order)

    def labelled(self):
        low = 0
        for x in self.batches():
            y = self.y[low : low + len(x)]
            names = list(dict.fromkeys(name for name in y if name is not None))
            codes = np.array([-1 if name is None else names.index(name) for name in y], np.int64)
            yield Labelled(x, names, codes, None if self.weight is None else self.weight[low : low + len(x)])
            low += len(x)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(params=["held", "streamed"])
def way(request, monkeypatch):
    """What becomes of the rows: all in memory, or read anew at each pass."""
    if request.param == "streamed":
        monkeypatch.setattr(streaming, "_HELD", 0)
    return request.param


def problem(rng, n=400, features=4, classes=3):
    """Features on different scales that go together, and classes that depend on them."""
    X = rng.normal(size=(n, features)) @ rng.normal(size=(features, features)) * 10.0 ** rng.uniform(-1, 1, features)
    z = X / X.std(axis=0) @ rng.normal(size=(features, classes)) + rng.gumbel(size=(n, classes))
    return X, z.argmax(axis=1)


def optimum(X, y, weight, C):
    """(F, W, b) by SciPy on the formula itself."""
    features = X.shape[1]
    classes, s = int(y.max()) + 1, weight.sum()
    unit = X.std(axis=0)
    truth = np.eye(classes)[y]

    def value(v):
        W, b = v[: classes * features].reshape(classes, features) / unit, v[classes * features :]
        z = X @ W.T + b
        log_q = z - logsumexp(z, axis=1, keepdims=True)
        slope = (np.exp(log_q) - truth) * weight[:, None] / s
        by_W = slope.T @ X + W / (C * s)
        loss = -(weight @ (truth * log_q).sum(axis=1)) / s + (W**2).sum() / (2 * C * s)
        return loss, np.concatenate([(by_W / unit).ravel(), slope.sum(axis=0)])

    start = np.zeros(classes * (features + 1))
    options = {"gtol": 1e-11, "ftol": 0.0, "maxiter": 10_000, "maxfun": 100_000, "maxls": 50}
    v = minimize(value, start, jac=True, method="L-BFGS-B", options=options).x
    return value(v)[0], v[: classes * features].reshape(classes, features) / unit, v[classes * features :]


def fitted(rows, holdout=NONE, *, C=1.0, **options):
    model = SoftmaxRegression(C, tol=1e-8)
    found = survey(rows, holdout)
    return model, train(model, rows, found, holdout, **options)


# Which rows are held out


def test_a_row_is_held_out_or_not_whatever_it_is_read_with():
    holdout = Holdout(0.3, 5)
    whole = holdout.mask(0, 10_000)
    parts = [holdout.mask(low, min(77, 10_000 - low)) for low in range(0, 10_000, 77)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_share_of_the_rows_is_held_out_and_neighbours_are_independent():
    for share in (0.01, 0.2, 0.5, 0.9):
        mask = Holdout(share, 1).mask(0, 100_000)
        # Six standard deviations of a binomial count.
        assert abs(mask.sum() - 100_000 * share) < 6 * np.sqrt(100_000 * share * (1 - share))
        both = (mask[1:] & mask[:-1]).sum()
        assert abs(both - 100_000 * share**2) < 6 * np.sqrt(100_000 * share**2)
    assert not Holdout(0.0).mask(0, 1000).any()


def test_a_seed_chooses_its_own_rows():
    masks = [Holdout(0.5, seed).mask(0, 10_000) for seed in (0, 1, 2**62)]
    for i, one in enumerate(masks):
        for other in masks[:i]:
            assert 0.45 < (one == other).mean() < 0.55


# The stream of rows


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_a_stream_gives_the_rows_that_are_not_held_out(rng, size, order):
    X, holdout = rng.normal(size=(173, 3)), Holdout(0.3, 2)
    kept = X[~holdout.mask(0, 173)]
    stream = Stream(Rows(X, range(173), size=size, order=order), len(kept), holdout)
    for begin, end in ((0, len(kept)), (0, 10), (33, 61), (len(kept) - 1, len(kept))):
        blocks = list(stream.blocks(begin, end))
        assert np.array_equal(np.concatenate([block.x for _, _, block in blocks]), kept[begin:end])
        assert [low for low, _, _ in blocks] == [begin] + [high for _, high, _ in blocks[:-1]]
        assert blocks[-1][1] == end
    assert stream.in_parts(5, lambda begin, end: (begin, end)) == [(0, len(kept))]


def test_a_stream_gathers_rows_in_any_order_in_one_pass(rng):
    X, holdout = rng.normal(size=(173, 3)).astype(np.float32), Holdout(0.3, 2)
    kept, rows = X[~holdout.mask(0, 173)], Rows(X, range(173))
    stream = Stream(rows, len(kept), holdout)
    chosen = rng.permutation(len(kept))[:40]
    some = stream.some(chosen)
    assert np.array_equal(some.X, kept[chosen])
    assert some.dtype == stream.dtype == np.float64
    assert rows.passes == 1
    assert np.array_equal(stream.dense(chosen), kept[chosen])


@pytest.mark.parametrize("change", [-3, 3])
def test_a_file_that_changes_meanwhile_is_refused(rng, change):
    rows = Rows(rng.normal(size=(40, 2)), range(40))
    stream = Stream(rows, 40, NONE)
    rows.X = rng.normal(size=(40 + change, 2))
    with pytest.raises(InputError, match="rows of the first pass"):
        list(stream.blocks(0, 40))


# The first pass


def test_the_survey_knows_classes_truth_and_weights(rng):
    y, weight = rng.choice(["dog", "cat", "ant"], 100), rng.uniform(size=100)
    holdout = Holdout(0.25, 3)
    found = survey(Rows(rng.normal(size=(100, 2)), y, weight), holdout)
    kept = ~holdout.mask(0, 100)
    assert found.classes.tolist() == ["ant", "cat", "dog"]
    assert np.array_equal(found.classes[found.truth], y[kept])
    assert np.array_equal(found.weight, weight[kept])
    assert found.rows == 100


@pytest.mark.parametrize(
    ("y", "typed", "classes"),
    [
        (["10", "9", "-1"], False, [-1, 9, 10]),
        (["10", "9", "-1"], True, ["-1", "10", "9"]),
        (["10", "9", "09"], False, ["09", "10", "9"]),
        (["1", "2", "3+"], False, ["1", "2", "3+"]),
        ([7, 3, 10], True, [3, 7, 10]),
        ([True, False, True], True, [False, True]),
    ],
)
def test_classes_have_the_kind_and_order_that_they_are_written_in(rng, y, typed, classes):
    found = survey(Rows(rng.normal(size=(30, 2)), y * 10, typed=typed), NONE)
    assert found.classes.tolist() == classes
    assert [type(name) for name in found.classes.tolist()] == [type(name) for name in classes]
    expected = [int(name) if classes[0] == -1 else name for name in y * 10]
    assert found.classes[found.truth].tolist() == expected


def test_the_digest_is_of_the_data_and_not_of_how_it_is_read(rng):
    X, y = problem(rng, n=50)
    digests = {survey(Rows(X, y, size=size, order=order), NONE).digest for size in (3, 50) for order in "CF"}
    assert len(digests) == 1
    other = X.copy()
    other[17, 1] += 1e-9
    turned = [*y[1:], y[0]]
    weight = np.where(np.arange(50) == 3, 2.0, 1.0)
    for changed in (Rows(other, y), Rows(X, turned), Rows(X, y, weight), Rows(X, [f"{k}" for k in y])):
        assert survey(changed, NONE).digest not in digests


@pytest.mark.parametrize(
    ("change", "error", "part"),
    [
        ({"x": np.nan}, DataError, "NaN or no value in 'x_1', row 18"),
        ({"x": -np.inf}, DataError, "-inf in 'x_1', row 18"),
        ({"y": None}, DataError, "none in row 18"),
        ({"weight": -1.0}, WeightError, "-1.0 in row 18"),
        ({"weight": np.nan}, WeightError, "nan in row 18"),
    ],
)
def test_what_cannot_be_trained_with_is_refused_with_its_row(rng, change, error, part):
    X, y = problem(rng, n=50)
    y, weight = list(y), np.ones(50)
    if "x" in change:
        X[17, 1] = change["x"]
    if "y" in change:
        y[17] = change["y"]
    if "weight" in change:
        weight[17] = change["weight"]
    with pytest.raises(error, match=part):
        survey(Rows(X, y, weight), NONE)


def test_rows_that_are_not_enough_are_refused(rng, monkeypatch):
    X = rng.normal(size=(50, 2))
    with pytest.raises(InputError, match="no rows"):
        survey(Rows(X[:0], []), NONE)
    with pytest.raises(InputError, match="1 class: a"):
        survey(Rows(X, ["a"] * 50), NONE)
    with pytest.raises(InputError, match="weights that are all zero"):
        survey(Rows(X, ["a", "b"] * 25, np.zeros(50)), NONE)
    holdout = Holdout(0.3, 0)
    alone = int(np.flatnonzero(holdout.mask(0, 50))[0])
    y = ["c" if i == alone else "ab"[i % 2] for i in range(50)]
    with pytest.raises(LabelError, match="c in held-out rows only"):
        survey(Rows(X, y), holdout)
    monkeypatch.setattr(surveying, "_MOST_CLASSES", 20)
    with pytest.raises(LabelError, match="at most 20 classes; got more by row 21"):
        survey(Rows(X, range(50)), NONE)


# Training


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_training_comes_to_the_optimum_of_the_formula(rng, share):
    X, y = problem(rng)
    weight, holdout = rng.uniform(0, 2, len(y)), Holdout(share, 1)
    kept = ~holdout.mask(0, len(y))
    value, W, b = optimum(X[kept], y[kept], weight[kept], 3.0)
    model, _ = fitted(Rows(X, y, weight, size=64), holdout, C=3.0)
    assert model.converged_
    assert model.objective_ == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(model.coef_ * X.std(axis=0), (W - W.mean(axis=0)) * X.std(axis=0), atol=1e-5)
    np.testing.assert_allclose(model.intercept_, b - b.mean(), atol=1e-5)
    assert model.feature_names_in_.tolist() == ["x_0", "x_1", "x_2", "x_3"]
    assert model.trace_[-1].value == pytest.approx(value, rel=1e-8)


def test_many_rows_begin_with_a_share_in_memory_and_come_to_the_same_optimum(rng, monkeypatch):
    X, y = problem(rng, n=21_000, features=3)
    value, W, _ = optimum(X, y, np.ones(len(y)), 1.0)
    monkeypatch.setattr(streaming, "_HELD", 0)
    monkeypatch.setattr(sampling, "_NUMBERS", 6_000)
    gathered, some = [], Stream.some
    monkeypatch.setattr(Stream, "some", lambda self, rows: gathered.append(len(rows)) or some(self, rows))
    model, _ = fitted(Rows(X, y, size=4096))
    assert model.converged_
    assert model.objective_ == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(model.coef_ * X.std(axis=0), (W - W.mean(axis=0)) * X.std(axis=0), atol=1e-5)
    assert gathered
    assert max(gathered) * 3 <= 6_000


@pytest.mark.usefixtures("way")
def test_many_rows_go_on_from_a_checkpoint(rng, tmp_path):
    X, y = problem(rng, n=21_000, features=3)
    path = tmp_path / "state.ck"
    with pytest.raises(Stop):
        fitted(Rows(X, y, size=4096), checkpoint=path, stepped=stop_after(2))
    resumed, _ = fitted(Rows(X, y, size=4096), checkpoint=path)
    assert resumed.converged_
    assert resumed.objective_ == pytest.approx(optimum(X, y, np.ones(len(y)), 1.0)[0], rel=1e-10)
    values = [step.value for step in resumed.trace_]
    assert len(values) > 2
    assert values == sorted(values, reverse=True)


def test_few_rows_are_read_once_and_many_at_each_pass(rng, way):
    X, y = problem(rng)
    rows = Rows(X, y)
    model, _ = fitted(rows, Holdout(0.2), C=100.0)
    # One pass is the survey's.
    assert model.n_passes_ > 10
    assert rows.passes == 2 if way == "held" else rows.passes > model.n_passes_


def test_held_are_rows_whose_features_and_scores_fit(rng, monkeypatch):
    X, holdout = rng.normal(size=(50, 3)), Holdout(0.3, 2)
    kept = X[~holdout.mask(0, 50)]
    monkeypatch.setattr(streaming, "_HELD", len(kept) * (3 + 4) * 8)
    held = examples_of(Rows(X, range(50)), len(kept), holdout, 4)
    assert held.in_memory
    assert np.array_equal(held.X, kept)
    assert not examples_of(Rows(X, range(50)), len(kept), holdout, 5).in_memory
    for count in (len(kept) - 1, len(kept) + 1):
        with pytest.raises(InputError, match="rows of the first pass"):
            examples_of(Rows(X, range(50)), count, holdout, 3)


class Stop(Exception):
    pass


def stop_after(steps):
    def stepped(trace):
        if len(trace) == steps:
            raise Stop

    return stepped


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("steps", [1, 3])
def test_interrupted_training_goes_on_from_its_checkpoint(rng, tmp_path, steps):
    X, y = problem(rng)
    path = tmp_path / "state.ck"
    straight, _ = fitted(Rows(X, y), C=100.0)
    with pytest.raises(Stop):
        fitted(Rows(X, y), C=100.0, checkpoint=path, stepped=stop_after(steps))
    resumed, told = fitted(Rows(X, y, size=31), C=100.0, checkpoint=path)
    assert told.resumed == steps
    assert resumed.converged_
    assert resumed.objective_ == pytest.approx(straight.objective_, rel=1e-12)
    np.testing.assert_allclose(resumed.coef_ * X.std(axis=0), straight.coef_ * X.std(axis=0), atol=1e-5)
    assert len(resumed.trace_) >= resumed.n_iter_ > steps
    passes = [step.passes for step in resumed.trace_]
    assert passes == sorted(passes)
    # It began where the other had stood, and not at the beginning.
    assert resumed.trace_[steps].value < resumed.trace_[steps - 1].value <= resumed.trace_[0].value
    assert [p.name for p in tmp_path.iterdir()] == ["state.ck"]


def test_a_checkpoint_of_another_problem_is_refused(rng, tmp_path):
    X, y = problem(rng, n=100)
    path = tmp_path / "state.ck"
    with pytest.raises(Stop):
        fitted(Rows(X, y), checkpoint=path, stepped=stop_after(2))
    kept = path.read_bytes()
    with pytest.raises(InputError, match=r"a checkpoint of C 2\.0; got 1\.0"):
        fitted(Rows(X, y), C=2.0, checkpoint=path)
    with pytest.raises(InputError, match="a checkpoint of this data; got other data"):
        fitted(Rows(X + 1.0, y), checkpoint=path)
    with pytest.raises(InputError, match=r"a checkpoint of holdout 0\.1"):
        fitted(Rows(X, y), Holdout(0.1), checkpoint=path)
    path.write_bytes(kept[:-30])
    with pytest.raises(UnreadableFileError, match="a checkpoint of xent train"):
        fitted(Rows(X, y), checkpoint=path)
    path.write_bytes(kept)
    assert fitted(Rows(X, y), checkpoint=path)[1].resumed == 2


@pytest.mark.usefixtures("way")
def test_steps_are_counted_and_used_up(rng):
    X, y = problem(rng)
    rows = Rows(X, y)
    model = SoftmaxRegression(100.0, solver="lbfgs", max_iter=2, tol=1e-9)
    train(model, rows, survey(rows, NONE), NONE)
    assert (model.n_iter_, len(model.trace_), model.converged_) == (2, 2, False)


# The file of a model


def models(rng):
    X, y = problem(rng, n=120)
    yield SoftmaxRegression(0.5).fit(X, y), X
    yield SoftmaxRegression(np.inf, fit_intercept=False, tol=1e-4).fit(X.astype(np.float32), y > 0), X
    yield SoftmaxRegression(class_weight={"a": 2.0, "b": 1.0, "c": 0.5}).fit(X, np.array(list("abc"))[y]), X
    yield SoftmaxRegression(class_weight={0: 2.0}, solver="newton-cg").fit(X, y), X
    yield LogisticRegression(loss="squared-error").fit(X, np.array(["no", "yes"], object)[(y > 0).astype(int)]), X
    yield SoftmaxRegression().fit(X, xent.Indicators(np.eye(3)[y])), X


@pytest.mark.parametrize("index", range(6))
def test_a_model_comes_back_as_it_was(rng, tmp_path, index):
    model, X = list(models(rng))[index]
    path = tmp_path / "model"
    save(model, path)
    again = load(path)
    assert type(again) is type(model)
    assert again.get_params() == model.get_params()
    assert again.trace_ == model.trace_
    assert set(vars(again)) == set(vars(model))
    for name in ("coef_", "intercept_", "classes_"):
        assert np.array_equal(getattr(again, name), getattr(model, name))
        assert getattr(again, name).dtype == getattr(model, name).dtype
    assert np.array_equal(again.predict(X), model.predict(X))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    with np.load(path, allow_pickle=False) as held:
        assert np.array_equal(held["coef_"], model.coef_)
        assert str(held["format"]) == "xent.linear_model/1"
        assert str(held["xent"]) == xent.__version__


def test_feature_names_come_back(rng, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = problem(rng, n=60)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = SoftmaxRegression().fit(frame, y)
    save(model, tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert np.array_equal(again.predict(frame), model.predict(frame))  # without a warning, which would be an error
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame[list("abdc")])


def test_what_is_no_model_is_refused(rng, tmp_path):
    X, y = problem(rng, n=60)
    good = tmp_path / "good.npz"
    save(SoftmaxRegression().fit(X, y), good)
    with np.load(good) as held:
        arrays = {name: held[name] for name in held.files}

    def refused(part, **changes):
        path = tmp_path / "bad.npz"
        np.savez(path, **{name: array for name, array in (arrays | changes).items() if array is not None})
        with pytest.raises(UnreadableFileError, match=part):
            load(path)

    refused("newer xent", format=np.array("xent.linear_model/2"))
    refused("it is xent.checkpoint", format=np.array("xent.checkpoint/1"))
    refused("another file", format=None)
    refused("not whole", coef_=None)
    refused("not whole", coef_=np.zeros((3, 5)))
    refused("not whole", estimator=np.array("Pipeline"))
    refused("not whole", options=np.array("{"))
    refused("option of_the_future of xent", options=np.array(json.dumps({"of_the_future": 1})))
    refused(r"\(its classes_ holds Python objects, which are not read\)", classes_=np.array(["a", None], object))
    for content in (b"", b"PK\x03\x04", good.read_bytes()[:-40], b"coef", pickle.dumps({"coef_": 1})):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(UnreadableFileError, match="a model that xent"):
            load(tmp_path / "bad.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    for name in ("one.npy", "rows.csv"):
        with pytest.raises(UnreadableFileError, match=r"another file \(it is no NPZ file\)"):
            load(tmp_path / name)
    with pytest.raises(UnreadableFileError, match="no such file"):
        load(tmp_path / "none.npz")


def test_what_cannot_be_saved_is_refused_and_nothing_is_written(rng, tmp_path):
    X, y = problem(rng, n=60)
    with pytest.raises(NotFittedError):
        save(SoftmaxRegression(), tmp_path / "m.npz")
    with pytest.raises(KindError, match="SoftmaxRegression or LogisticRegression"):
        save(Other().fit(X, y), tmp_path / "m.npz")
    model = SoftmaxRegression(loss=xent.losses.Loss(shaping=xent.Focal(2.0)), tol=1e-4).fit(X, y)
    with pytest.raises(OptionError, match="loss="):
        save(model, tmp_path / "m.npz")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        save(SoftmaxRegression().fit(X, y), tmp_path / "absent" / "m.npz")


def test_a_file_in_the_way_is_replaced_whole_or_kept(rng, tmp_path, monkeypatch):
    X, y = problem(rng, n=60)
    model, path = SoftmaxRegression().fit(X, y), tmp_path / "m.npz"
    path.write_text("before")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(OSError, match="No space"):
            save(model, path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]
    save(model, path)
    assert np.array_equal(load(path).coef_, model.coef_)


def test_examples_in_the_docstrings_are_true():
    outcome = doctest.testmod(storage)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_a_file_of_features_far_from_0(rng):
    """As times in nanoseconds are: a batch holds fewer rows than a block of an array."""
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    source = Rows(1.7e18 + 1e10 * X, y)
    model = LogisticRegression(np.inf)
    train(model, source, survey(source, NONE), NONE)
    assert model.converged_
    assert model.objective_ == pytest.approx(LogisticRegression(np.inf).fit(X, y).objective_, abs=1e-6)


def test_a_model_of_a_loss_that_changes_scores_is_not_saved(tmp_path):
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 1, 0, 1]
    model = SoftmaxRegression(loss=xent.losses.Loss(scores=xent.losses.Scores(scale=3.0))).fit(X, y)
    with pytest.raises(OptionError, match=r"loss=: expected a loss that leaves scores as they are.*joblib\.dump"):
        save(model, tmp_path / "m.npz")
    # The predictions are still those of that loss.
    with pytest.raises(OptionError, match=r"loss=: expected a loss that leaves scores as they are"):
        save(model.set_params(loss="cross-entropy"), tmp_path / "m.npz")
    plain = SoftmaxRegression(loss=xent.losses.Loss(shaping=xent.Focal(2.0)), tol=1e-4).fit(X, y)
    with pytest.raises(OptionError, match=r"loss=: .*set_params"):
        save(plain, tmp_path / "m.npz")
    save(plain.set_params(loss="cross-entropy"), tmp_path / "m.npz")
    np.testing.assert_array_equal(load(tmp_path / "m.npz").predict_proba(X), plain.predict_proba(X))


def test_names_that_end_in_nul_are_not_saved(tmp_path):
    model = LogisticRegression().fit([[0.0], [1.0]], np.array(["a", "a\0"], object))
    with pytest.raises(KindError, match="names that do not end in NUL"):
        save(model, tmp_path / "m.npz")
