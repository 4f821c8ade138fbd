"""Language-model losses against a float64 formula that shifts by hand, on NumPy and PyTorch; JAX and TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

import xent
from support.oracle import exact, mp, mpf, softmax_row
from xent.errors import KindError, OptionError
from xent.losses import language, noise

Make = Callable[..., Any]

B, T, V = 3, 6, 7
RNG = np.random.default_rng(5)
SCORES = RNG.normal(size=(B, T, V)) * 3
TOKENS = RNG.integers(0, V, (B, T))
PADDED = TOKENS.copy()
PADDED[0, 4:] = -100
PADDED[1, :2] = -100
PADDED[2, 3] = -100


def numpy_array(values: Any, dtype: str = "float64") -> Any:
    return np.asarray(values, dtype=dtype)


def torch_tensor(values: Any, dtype: str = "float64") -> Any:
    return torch.tensor(np.asarray(values), dtype=getattr(torch, dtype))


@pytest.fixture(params=[numpy_array, torch_tensor], ids=["numpy", "torch"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param  # type: ignore[no-any-return]


def nll(scores: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """−log softmax of position t at token t + 1, (…, T − 1); NaN where that token is ignored."""
    log_q = scores - scores.max(-1, keepdims=True)
    log_q = log_q - np.log(np.exp(log_q).sum(-1, keepdims=True))
    following = tokens[..., 1:]
    picked = np.take_along_axis(log_q[..., :-1, :], np.maximum(following, 0)[..., None], -1)[..., 0]
    return np.where(following == -100, np.nan, -picked)


def number(x: Any) -> float:
    return float(x.detach() if hasattr(x, "detach") else x)


def test_position_t_is_asked_for_the_next_token_once(make: Make) -> None:
    P, Q = xent.Labels(make(TOKENS, "int64")), xent.Logits(make(SCORES))
    each = nll(SCORES, TOKENS)
    np.testing.assert_allclose(np.asarray(language.next_token(P, Q, reduction="none")), each, rtol=1e-13)
    assert number(language.next_token(P, Q)) == pytest.approx(each.mean(), rel=1e-14)
    assert number(language.next_token(P, Q, reduction="sum")) == pytest.approx(each.sum(), rel=1e-14)
    assert number(language.token_count(P)) == B * (T - 1)


def test_a_model_that_knows_the_next_token_has_no_loss(make: Make) -> None:
    scores = np.full((T, V), -1e4)
    scores[np.arange(T - 1), TOKENS[0, 1:]] = 0.0
    P, Q = xent.Labels(make(TOKENS[0], "int64")), xent.Logits(make(scores))
    assert number(language.next_token(P, Q)) == 0.0
    assert number(xent.cross_entropy(P, Q)) > 1.0


def test_exact(make: Make) -> None:
    row = softmax_row(exact([40.0, 0.0, -800.0]))
    P = xent.Labels(make([2, 0, 2], "int64"))
    Q = xent.Logits(make([[40.0, 0.0, -800.0]] * 3))
    got = [mpf(float(x)) for x in language.next_token(P, Q, reduction="none")]
    for found, want in zip(got, (row.surprisals[0], row.surprisals[2]), strict=True):
        assert mp.fabs(found - want) < mpf(7e-16) * want


@pytest.mark.parametrize("mark", [-100, 255, 3])
def test_ignored_tokens_are_not_asked_for(make: Make, mark: int) -> None:
    """A mark may be a number that the type just holds, or a token's own."""
    scores, tokens = SCORES.copy(), np.where(PADDED == -100, mark, PADDED)
    reference = np.where(tokens == mark, -100, tokens)
    scores[0, 4:] = np.nan  # asked for nothing
    dtype = "uint8" if mark == 255 else "int64"
    P, Q = xent.Labels(make(tokens, dtype), ignore=mark), xent.Logits(make(scores))
    each = nll(SCORES, reference)
    assert number(language.next_token(P, Q)) == pytest.approx(np.nanmean(each), rel=1e-14)
    np.testing.assert_allclose(np.asarray(language.next_token(P, Q, reduction="none")), np.nan_to_num(each), rtol=1e-13)
    assert number(language.token_count(P)) == np.isfinite(each).sum()


def test_a_token_that_is_none_is_refused(make: Make) -> None:
    with pytest.raises(xent.errors.LabelError):
        language.next_token(xent.Labels(make(PADDED, "int64")), xent.Logits(make(SCORES)))
    # The first one is not asked for.
    tokens = TOKENS.copy()
    tokens[:, 0] = 1000
    found = language.next_token(xent.Labels(make(tokens, "int64")), xent.Logits(make(SCORES)))
    assert number(found) == pytest.approx(nll(SCORES, TOKENS).mean(), rel=1e-14)


IDS = np.array([[0, 0, 1, 1, 1, 2], [4, 4, 4, 4, 4, 4], [7, 0, 0, 7, 7, 7]])


def documents_of(row: int) -> list[slice]:
    cuts = [0, *(np.flatnonzero(np.diff(IDS[row])) + 1), T]
    return [slice(a, b) for a, b in pairwise(cuts)]


def apart() -> list[np.ndarray]:
    """The losses of each document by itself."""
    return [nll(SCORES[b, s], TOKENS[b, s]) for b in range(B) for s in documents_of(b)]


def test_no_loss_across_documents(make: Make) -> None:
    P, Q = xent.Labels(make(TOKENS, "int64")), xent.Logits(make(SCORES))
    for ids in (make(IDS, "int64"), make(IDS, "int32"), IDS.tolist()):
        found = language.next_token(P, Q, documents=ids)
        assert number(found) == pytest.approx(np.concatenate(apart()).mean(), rel=1e-14)
    assert number(language.token_count(P, documents=IDS.tolist())) == sum(map(len, apart()))


@pytest.mark.parametrize("lead", [(), (1,)])
def test_cumulative_lengths_are_documents(make: Make, lead: tuple[int, ...]) -> None:
    P = xent.Labels(make(TOKENS[0].reshape(*lead, T), "int64"))
    Q = xent.Logits(make(SCORES[0].reshape(*lead, T, V)))
    want = np.concatenate([nll(SCORES[0, s], TOKENS[0, s]) for s in documents_of(0)])
    for ends in ([0, 2, 5, 6], make([0, 2, 5, 6], "int32"), make([0, 2, 2, 5, 6], "int64")):
        assert number(language.next_token(P, Q, cumulative_lengths=ends)) == pytest.approx(want.mean(), rel=1e-14)


def test_cumulative_lengths_that_are_none(make: Make) -> None:
    P, Q = xent.Labels(make(TOKENS[0], "int64")), xent.Logits(make(SCORES[0]))
    for wrong in ([0, 2, 5], [1, 6], [0, 4, 2, 6], [0]):
        with pytest.raises(xent.errors.OptionError, match="go up from 0 to T = 6"):
            language.next_token(P, Q, cumulative_lengths=wrong)
    with pytest.raises(xent.errors.ShapeError, match="cumulative_lengths="):
        language.next_token(xent.Labels(make(TOKENS, "int64")), xent.Logits(make(SCORES)), cumulative_lengths=[0, 6])
    with pytest.raises(xent.errors.ShapeError, match="documents="):
        language.next_token(P, Q, documents=[0, 0])
    with pytest.raises(xent.errors.DtypeError, match="documents="):
        language.next_token(P, Q, documents=[0.5] * T)
    with pytest.raises(xent.errors.OptionError, match="both"):
        language.next_token(P, Q, documents=[0] * T, cumulative_lengths=[0, 6])


def test_a_mean_of_the_means_of_sequences(make: Make) -> None:
    P, Q = xent.Labels(make(PADDED, "int64"), ignore=-100), xent.Logits(make(SCORES))
    rows = [np.nanmean(row) for row in nll(SCORES, PADDED)]
    assert number(language.next_token(P, Q, per="sequence")) == pytest.approx(np.mean(rows), rel=1e-14)
    assert number(language.token_count(P, per="sequence")) == B
    # A sequence that is asked for nothing is none.
    empty = PADDED.copy()
    empty[1] = -100
    P = xent.Labels(make(empty, "int64"), ignore=-100)
    assert number(language.next_token(P, Q, per="sequence")) == pytest.approx((rows[0] + rows[2]) / 2, rel=1e-14)
    assert number(language.token_count(P, per="sequence")) == 2


def test_a_mean_of_the_means_of_documents(make: Make) -> None:
    P, Q = xent.Labels(make(TOKENS, "int64")), xent.Logits(make(SCORES))
    want = np.mean([each.mean() for each in apart() if len(each)])
    found = language.next_token(P, Q, documents=make(IDS, "int64"), per="sequence")
    assert number(found) == pytest.approx(want, rel=1e-14)
    count = language.token_count(P, documents=make(IDS, "int64"), per="sequence")
    assert number(count) == sum(len(each) > 0 for each in apart())


def test_the_weight_of_a_token_stands_where_the_token_stands(make: Make) -> None:
    w = RNG.random((B, T))
    w[2, 1:] = 0.0
    P, Q = xent.Labels(make(TOKENS, "int64")), xent.Logits(make(SCORES))
    each, mine = nll(SCORES, TOKENS), w[:, 1:]
    found = language.next_token(P, Q, weight=make(w))
    assert number(found) == pytest.approx((mine * each).sum() / mine.sum(), rel=1e-13)
    assert number(language.token_count(P, weight=make(w))) == pytest.approx(mine.sum(), rel=1e-14)
    rows = [(m * e).sum() / m.sum() for m, e in zip(mine[:2], each[:2], strict=True)]
    found = language.next_token(P, Q, weight=make(w), per="sequence")
    assert number(found) == pytest.approx(np.mean(rows), rel=1e-13)
    # One weight a row, and a mask.
    found = language.next_token(P, Q, weight=make(w[:, :1]))
    assert number(found) == pytest.approx((w[:, :1] * each).sum() / (w[:, :1].sum() * (T - 1)), rel=1e-13)
    found = language.next_token(P, Q, weight=make(PADDED != -100, "bool"))
    assert number(found) == pytest.approx(np.nanmean(nll(SCORES, PADDED)), rel=1e-14)


@pytest.mark.parametrize("per", ["token", "sequence"])
def test_micro_batches_add_up_to_one_batch(per: Any) -> None:
    leaf = torch.tensor(SCORES, requires_grad=True)
    tokens, ids = torch.tensor(PADDED), torch.tensor(IDS)
    how: dict[str, Any] = {"documents": ids, "per": per}
    whole = language.next_token(xent.Labels(tokens, ignore=-100), xent.Logits(leaf), **how)
    (gradient,) = torch.autograd.grad(whole, leaf)
    batches = [xent.Labels(tokens[i : i + 1], ignore=-100) for i in range(B)]
    count = sum(language.token_count(P, documents=ids[i : i + 1], per=per) for i, P in enumerate(batches))
    parts = torch.zeros((), dtype=torch.float64)
    for i, P in enumerate(batches):
        how = {"documents": ids[i : i + 1], "per": per, "denominator": count}
        loss = language.next_token(P, xent.Logits(leaf[i : i + 1]), **how)
        loss.backward()
        parts += loss.detach()
    torch.testing.assert_close(parts, whole.detach(), rtol=1e-14, atol=0)
    assert leaf.grad is not None
    torch.testing.assert_close(leaf.grad, gradient, rtol=1e-13, atol=1e-16)


def test_the_gradient(make: Make) -> None:
    """∂/∂z = (softmax − one-hot)/D where a token is asked for; 0 at the end, across documents, before ignored ones."""
    P, Q = xent.Labels(make(PADDED, "int64"), ignore=-100), xent.Logits(make(SCORES))
    shifted, w = language.shift(P, Q, documents=make(IDS, "int64"))
    gradient = np.asarray(xent.value_and_grad(shifted, Q, weight=w)[1])
    asked = np.zeros((B, T), bool)
    asked[:, :-1] = (PADDED[:, 1:] != -100) & (IDS[:, 1:] == IDS[:, :-1])
    q = np.exp(SCORES - SCORES.max(-1, keepdims=True))
    q /= q.sum(-1, keepdims=True)
    following = np.roll(np.maximum(PADDED, 0), -1, axis=1)
    want = np.where(asked[..., None], (q - np.eye(V)[following]) / asked.sum(), 0.0)
    np.testing.assert_allclose(gradient, want, rtol=1e-13, atol=1e-17)
    assert (gradient[~asked] == 0).all()


def test_central_differences() -> None:
    tokens, weight = torch.tensor(PADDED[:2, :4]), torch.rand((2, 4), dtype=torch.float64) + 0.1
    loss = noise.z_loss(0.3)

    def value(scores: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        P = xent.Labels(tokens, ignore=-100)
        found: torch.Tensor = language.next_token(
            P, xent.Logits(scores), weight=weight, per="sequence", loss=loss, documents=IDS[:2, :4].tolist()
        )
        return found

    scores = torch.tensor(SCORES[:2, :4], requires_grad=True)
    assert torch.autograd.gradcheck(value, (scores, weight.requires_grad_()))


def test_a_projection_is_its_scores() -> None:
    hidden = torch.tensor(RNG.normal(size=(B, T, 4)))
    hidden[0, 4:] = math.nan  # not asked for anything
    weight, bias = torch.tensor(RNG.normal(size=(V, 4))), torch.tensor(RNG.normal(size=V))
    P = xent.Labels(torch.tensor(PADDED), ignore=-100)
    leaves = [x.clone().requires_grad_() for x in (hidden, weight, bias)]
    value = language.next_token(P, xent.Projection(*leaves), per="sequence")
    clean = torch.nan_to_num(hidden).requires_grad_()
    w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    other = language.next_token(P, xent.Logits(clean @ w.T + b), per="sequence")
    torch.testing.assert_close(value, other, rtol=1e-13, atol=0)
    for got, want in zip(torch.autograd.grad(value, leaves), torch.autograd.grad(other, (clean, w, b)), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-15)


def test_a_vocabulary_larger_than_the_tokenizers(make: Make) -> None:
    known = 5
    tokens = TOKENS % known
    P, Q = xent.Labels(make(tokens, "int64")), xent.Logits(make(SCORES))
    allowed = np.arange(V) < known
    want = nll(SCORES[..., :known], tokens).mean()
    for mask in (make(allowed, "bool"), allowed.tolist()):
        assert number(language.next_token(P, Q, allowed=mask)) == pytest.approx(want, rel=1e-14)
    z = language.next_token(P, Q, allowed=allowed.tolist(), loss=noise.z_loss(0.5))
    lse = np.log(np.exp(SCORES[:, :-1, :known]).sum(-1))
    assert number(z) == pytest.approx(want + 0.5 * (lse**2).mean(), rel=1e-13)
    with pytest.raises(xent.errors.OptionError, match="smoothing"):
        language.next_token(xent.Labels(make(tokens, "int64"), smoothing=0.1), Q, allowed=allowed.tolist())
    loss = noise.label_smoothing(0.1, allowed=allowed.tolist())
    with pytest.raises(xent.errors.OptionError, match="mask"):
        language.next_token(P, Q, allowed=allowed.tolist(), loss=loss)


def test_smoothing_stays(make: Make) -> None:
    P, Q = xent.Labels(make(TOKENS, "int64"), smoothing=0.1), xent.Logits(make(SCORES))
    log_q = SCORES[:, :-1] - np.log(np.exp(SCORES[:, :-1]).sum(-1, keepdims=True))
    want = 0.9 * nll(SCORES, TOKENS).mean() - 0.1 * log_q.mean()
    assert number(language.next_token(P, Q)) == pytest.approx(want, rel=1e-13)


def test_nothing_to_ask_for(make: Make) -> None:
    P, Q = xent.Labels(make([[3]], "int64")), xent.Logits(make(SCORES[:1, :1]))
    assert math.isnan(number(language.next_token(P, Q)))
    assert number(language.next_token(P, Q, empty="zero")) == 0.0
    assert number(language.next_token(P, Q, empty="zero", per="sequence")) == 0.0
    assert number(language.next_token(P, Q, empty="zero", per="sequence", documents=[[0]])) == 0.0
    assert tuple(language.next_token(P, Q, reduction="none").shape) == (1, 0)
    with pytest.raises(xent.errors.ShapeError, match="T at least 1"):
        language.next_token(xent.Labels(make(np.zeros((2, 0)), "int64")), xent.Logits(make(np.zeros((2, 0, 3)))))


def test_errors(make: Make) -> None:
    P, Q = xent.Labels(make(TOKENS, "int64")), xent.Logits(make(SCORES))
    with pytest.raises(xent.errors.KindError, match="Labels"):
        language.next_token(xent.Distribution(make(np.full((B, T, V), 1 / V))), Q)  # type: ignore[arg-type]
    with pytest.raises(xent.errors.KindError, match="prediction"):
        language.next_token(P, make(SCORES))
    with pytest.raises(xent.errors.KindError, match="loss="):
        language.next_token(P, Q, loss=xent.Focal(2.0))  # type: ignore[arg-type]
    with pytest.raises(xent.errors.OptionError, match="per="):
        language.next_token(P, Q, per="row")  # type: ignore[arg-type]
    with pytest.raises(xent.errors.ShapeError):
        language.next_token(xent.Labels(make(TOKENS[:, 1:], "int64")), Q)  # shifted already
    with pytest.raises(xent.errors.ShapeError, match="weight="):
        language.next_token(P, Q, weight=make(np.ones((B, T - 1))))


def test_perplexity_is_of_the_text_and_not_a_mean_of_perplexities(make: Make) -> None:
    P, Q = xent.Labels(make(PADDED, "int64"), ignore=-100), xent.Logits(make(SCORES))
    each = nll(SCORES, PADDED)
    sums = [language.next_token(P, Q, reduction="sum")]
    want = math.exp(np.nanmean(each))
    assert number(language.perplexity(sums[0], language.token_count(P))) == pytest.approx(want, rel=1e-14)
    rows, lengths = np.nansum(each, axis=1), np.isfinite(each).sum(1)
    found = language.perplexity(make(rows), lengths.tolist())
    assert number(found) == pytest.approx(want, rel=1e-14)
    assert number(found) != pytest.approx(np.exp(rows / lengths).mean(), rel=1e-3)
    assert number(language.perplexity(make(rows, "float32"), make(lengths, "int64"))) == pytest.approx(want, rel=1e-6)
    assert number(language.perplexity(make([1e4]), [1])) == math.inf


def test_bits_per_byte(make: Make) -> None:
    nats = make([300.0, 20.0])
    assert number(language.bits_per_byte(nats, [400, 40])) == pytest.approx(320 / math.log(2) / 440, rel=1e-15)
    with pytest.raises(xent.errors.OptionError, match="more than none"):
        language.bits_per_byte(nats, 0)
    with pytest.raises(xent.errors.OptionError, match="tokens"):
        language.perplexity(nats, [0, 0])


def test_half_precision_is_computed_in_float32(make: Make) -> None:
    scores = make(SCORES, "float16")
    kept = np.asarray(scores, dtype=np.float64)
    P, Q = xent.Labels(make(TOKENS, "int64")), xent.Logits(scores)
    found = language.next_token(P, Q, per="sequence")
    assert "float32" in str(found.dtype)
    assert number(found) == pytest.approx(nll(kept, TOKENS).mean(1).mean(), rel=1e-6)


WANT = np.mean([each.mean() for each in apart() if len(each)])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_in_one_graph_of_torch_compile() -> None:
    def loss(scores: Any, tokens: Any, ids: Any) -> Any:
        P = xent.Labels(tokens, ignore=-100)
        return language.next_token(P, xent.Logits(scores), documents=ids, per="sequence")

    arrays = torch.tensor(SCORES, requires_grad=True), torch.tensor(TOKENS), torch.tensor(IDS)
    found = torch.compile(loss, fullgraph=True, backend="aot_eager")(*arrays)
    assert found.item() == pytest.approx(WANT, rel=1e-13)
    (got,) = torch.autograd.grad(found, arrays[0])
    (want,) = torch.autograd.grad(loss(*arrays), arrays[0])
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-16)


def test_in_jax() -> None:
    import jax
    import jax.numpy as jnp

    def loss(scores: Any, tokens: Any, ids: Any) -> Any:
        return language.next_token(xent.Labels(tokens), xent.Logits(scores), documents=ids, per="sequence")

    arrays = jnp.asarray(SCORES, "float32"), jnp.asarray(TOKENS, "int32"), jnp.asarray(IDS, "int32")
    value, gradient = jax.jit(jax.value_and_grad(loss))(*arrays)
    assert float(value) == pytest.approx(WANT, rel=1e-5)
    assert float(loss(*arrays)) == pytest.approx(WANT, rel=1e-5)
    leaf = torch.tensor(SCORES, requires_grad=True)
    loss(leaf, torch.tensor(TOKENS), torch.tensor(IDS)).backward()
    assert leaf.grad is not None
    np.testing.assert_allclose(np.asarray(gradient), leaf.grad.numpy(), atol=1e-6)

    @jax.jit
    def packed(scores: Any, tokens: Any, ends: Any) -> Any:
        return language.next_token(xent.Labels(tokens), xent.Logits(scores), cumulative_lengths=ends)

    one = arrays[0][0], arrays[1][0]
    want = np.concatenate([nll(SCORES[0, s], TOKENS[0, s]) for s in documents_of(0)]).mean()
    assert float(packed(*one, jnp.asarray([0, 2, 5, 6]))) == pytest.approx(want, rel=1e-5)
    # Where it cannot be refused it is no number.
    assert math.isnan(float(packed(*one, jnp.asarray([0, 2, 5, 5]))))


def test_in_tensorflow() -> None:
    import tensorflow as tf

    def loss(scores: Any, tokens: Any, ids: Any) -> Any:
        return language.next_token(xent.Labels(tokens), xent.Logits(scores), documents=ids, per="sequence")

    unknown = [
        tf.TensorSpec([None, None, V], tf.float64),
        tf.TensorSpec([None, None], tf.int32),
        tf.TensorSpec([None, None], tf.int64),
    ]

    @tf.function(input_signature=unknown)
    def step(scores: Any, tokens: Any, ids: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss(scores, tokens, ids)
        return value, tape.gradient(value, scores)

    arrays = tf.constant(SCORES), tf.constant(TOKENS, tf.int32), tf.constant(IDS, tf.int64)
    value, gradient = step(*arrays)
    assert float(value) == pytest.approx(WANT, rel=1e-12)
    assert float(loss(*arrays)) == pytest.approx(WANT, rel=1e-12)
    leaf = torch.tensor(SCORES, requires_grad=True)
    loss(leaf, torch.tensor(TOKENS), torch.tensor(IDS)).backward()
    assert leaf.grad is not None
    np.testing.assert_allclose(gradient.numpy(), leaf.grad.numpy(), atol=1e-13)
    P, Q = xent.Labels(arrays[1][0]), xent.Logits(arrays[0][0])
    want = np.concatenate([nll(SCORES[0, s], TOKENS[0, s]) for s in documents_of(0)]).mean()
    found = language.next_token(P, Q, cumulative_lengths=tf.constant([0, 2, 5, 6]), allowed=[True] * V)
    assert float(found) == pytest.approx(want, rel=1e-12)
    count = language.token_count(P, cumulative_lengths=[0, 2, 5, 6])
    total = language.next_token(P, Q, cumulative_lengths=[0, 2, 5, 6], reduction="sum")
    assert float(language.perplexity(total, count)) == pytest.approx(math.exp(want), rel=1e-12)


def test_token_scores_are_the_likelihood_the_entropy_and_the_likeliest(make: Make) -> None:
    found = language.token_scores(xent.Labels(make(PADDED, "int64"), ignore=-100), xent.Logits(make(SCORES)))
    for at in np.ndindex(B, T):
        row = softmax_row(exact(SCORES[at]))
        counts = PADDED[at] != -100
        likelihood = -row.surprisals[PADDED[at]] if counts else mpf(0)
        entropy = mp.fsum(p * s for p, s in zip(row.q, row.surprisals, strict=True)) if counts else mpf(0)
        assert number(found.log_likelihood[at]) == pytest.approx(float(likelihood), rel=1e-14)
        assert number(found.entropy[at]) == pytest.approx(float(entropy), rel=1e-14)
        assert int(found.predicted[at]) == SCORES[at].argmax()


def test_token_scores_go_with_shifted_tokens_and_other_predictions(make: Make) -> None:
    P, Q = xent.Labels(make(TOKENS, "int64")), xent.Logits(make(SCORES))
    target, _ = language.shift(P, Q)
    found = language.token_scores(target, Q)
    assert number(found.log_likelihood.sum()) == pytest.approx(-number(language.next_token(P, Q, reduction="sum")))
    q = np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)
    again = language.token_scores(target, xent.Probabilities(make(q)))
    np.testing.assert_allclose(np.asarray(again.entropy), np.asarray(found.entropy), rtol=1e-12)


def test_token_scores_refuse_what_has_no_label() -> None:
    Q = xent.Logits(SCORES[0])
    with pytest.raises(KindError, match="Labels"):
        language.token_scores(xent.Distribution(np.full((T, V), 1 / V)), Q)
    with pytest.raises(OptionError, match="smoothing"):
        language.token_scores(xent.Labels(TOKENS[0], smoothing=0.1), Q)
