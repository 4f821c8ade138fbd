"""Write a meaning down in a framework: by one helper where it has all of it, else by its parts."""

from __future__ import annotations

from dataclasses import replace

from xent.dialects.call import Call, NoEqual
from xent.dialects.dialect import HELD, Dialect
from xent.dialects.draft import Draft, number
from xent.dialects.meaning import Meaning


def write(m: Meaning, to: Dialect) -> Call | NoEqual:
    """The equal call, or why there is none."""
    refused = to.refuses(m) or _refused(m, to)
    if refused is not None:
        return refused
    draft = Draft(to.ops)
    plain = _prepared(m, to, draft)
    found = to.native(plain, draft)
    if found is None:
        found = _composed(plain, to, draft)
    if m.scale != 1.0:
        found = f"{number(m.scale)} * {found}"
    lines = (*draft.lines, found)
    modules = (*to.ops.imports, *_MODULES)
    used = tuple(dict.fromkeys(line for line in modules if line and _is_used(line, "\n".join(lines))))
    return Call(to.name, draft.helper, lines, used, draft.options)


def _refused(m: Meaning, to: Dialect) -> NoEqual | None:
    """What no framework but xent and scikit-learn has."""
    if to.name in ("xent", "sklearn"):
        return None
    if m.measure == "d2":
        return NoEqual(to.name, "it is a score to report and no loss", "Divide two cross-entropies.")
    if m.measure == "hinge" and (m.p == "Distribution" or m.smoothing):
        return NoEqual(to.name, "its hinge takes one true class", "xent.hinge takes a distribution.")
    return None


_MODULES = ("import optax", "import scipy.special", "import sklearn.metrics", "import xent")


def _is_used(line: str, code: str) -> bool:
    name = line.split()[-1].split(".")[0]
    return f"{name}." in code


def _prepared(m: Meaning, to: Dialect, draft: Draft) -> Meaning:
    """The same meaning with classes last, a truth of 0 and 1, and scores where there was a projection."""
    ops = draft.ops
    fused = to.name == "xent" or (to.name == "torch" and m.measure == "cross_entropy" and m.p != "Indicators")
    if m.q == "Projection" and not fused:
        scores = f"hidden @ {ops.transpose.format('classifier')}" + (" + bias" if m.bias else "")
        draft.let("scores", scores)
        m = replace(m, q="Logits", bias=False)
    if m.axis != -1 and not to.any_axis:
        held = HELD[m.q]
        draft.let(held, ops.move.format(held, m.axis))
        if m.p != "Labels":
            draft.let("target", ops.move.format("target", m.axis))
        m = replace(m, axis=-1)
    if m.where and to.name != "optax":
        lowest = "-float('inf')" if to.name == "xent" else ops.lowest.format("scores")
        draft.let("scores", ops.where.format("mask", "scores", lowest))
        m = replace(m, where=False)
    if to.name != "xent":
        m = _of_one_kind(m, draft)
    if m.signs and m.measure != "hinge":
        draft.let("target", "(signs + 1) / 2")
        m = replace(m, signs=False)
    return m


def _of_one_kind(m: Meaning, draft: Draft) -> Meaning:
    """A divergence has its prediction as logarithms where it came as scores, a squared error as probabilities."""
    ops = draft.ops
    if m.measure == "kl_divergence" and m.q == "Logits":
        draft.let("log_probs", ops.log_softmax.format("scores"))
        return replace(m, q="LogProbabilities")
    if m.measure == "squared_error" and m.q in ("Logits", "LogProbabilities"):
        link = ops.exp if m.q == "LogProbabilities" else ops.sigmoid if m.p == "Indicators" else ops.softmax
        draft.let("probs", link.format(HELD[m.q]))
        return replace(m, q="Probabilities")
    return m


def _composed(m: Meaning, to: Dialect, draft: Draft) -> str:
    """ℓ of each example, shaped, weighted, and divided once."""
    if m.unit == "row" and m.reduction == "mean" and m.over == "examples" and not (m.sample_weight or m.class_weight):
        m = replace(m, unit="element")  # the mean of means of equal length
    each, factors, over = (_elements if m.p in ("Indicators", "Counts") else _rows)(m, to, draft)
    each = _shaped(m, each, draft)
    if m.unit == "row":
        # Weights of elements stand within the mean over the last axis, which does not count them.
        each, factors, over = draft.ops.row_mean.format(_product([*factors, each])), [], []
    if m.sample_weight:
        rows = m.p == "Indicators" and m.unit == "element"
        weight = draft.ops.rows.format("sample_weight") if rows else "sample_weight"
        factors, over = [*factors, weight], [*over, weight]
    return _reduced(m, each, factors, over, draft)


def _product(factors: list[str]) -> str:
    return factors[0] if len(factors) == 1 else " * ".join(x if _is_atom(x) else f"({x})" for x in factors)


def _rows(m: Meaning, to: Dialect, draft: Draft) -> tuple[str, list[str], list[str]]:
    """(ℓ, its factors, the factors that a sum of weights counts), for one true class or a distribution."""
    ops, x, truth = draft.ops, HELD.get(m.q, "hidden"), "target"
    if m.log_target:
        draft.let("target", ops.exp.format("log_target"))
    factors: list[str] = []
    over: list[str] = []
    if m.p == "Labels":
        truth = "labels"
        if m.ignore is not None:
            draft.let("counted", f"labels != {m.ignore}")
            draft.let("labels", ops.where.format("counted", "labels", ops.zeros.format("labels")))
        if m.class_weight:
            own = [ops.take.format("class_weight", "labels")]
            # Under smoothing xent weighs by the smoothed truth, PyTorch divides by the weights of the labels alone.
            factors, over = ([], own if m.class_weight == "term" else []) if m.smoothing else (own, own)
        if m.smoothing or m.measure in ("squared_error", "kl_divergence"):
            truth = draft.let("target", ops.one_hot.format("labels", x))
    if m.smoothing:
        draft.let("target", f"{number(1 - m.smoothing)} * target + {number(m.smoothing)} / target.shape[-1]")
    soft = truth == "target"
    if soft and m.class_weight and not factors:
        weighed = "class_weight * target"
        if m.class_weight == "term":
            draft.let("target", weighed)
            draft.let("mass", ops.row_sum.format("target"))
            draft.let("target", f"target / {ops.rows.format('mass')}")
        else:
            draft.let("mass", ops.row_sum.format(weighed))
        factors, over = ["mass"], over or ["mass"]
    if m.measure == "squared_error":
        each = ops.row_sum.format(ops.square.format("probs - target"))
    elif m.measure == "kl_divergence":
        each = to.divergence(m, draft, x if m.q == "LogProbabilities" else ops.log.format(x), "target")
    else:
        each = to.rows(replace(m, p="Distribution" if soft else "Labels"), draft, x, truth)
    if m.ignore is not None and m.p == "Labels":
        counted = ops.cast.format("counted", x)
        factors, over = [counted, *factors], [counted, *over]
    return each, factors, over


def _elements(m: Meaning, to: Dialect, draft: Draft) -> tuple[str, list[str], list[str]]:
    """The same of independent outcomes."""
    ops, x = draft.ops, HELD[m.q]
    if m.measure == "poisson":
        return _poisson(m, draft), [], []
    if m.smoothing:
        draft.let("target", f"{number(1 - m.smoothing)} * target + {number(m.smoothing / 2)}")
    factors = (["element_weight"] if m.element_weight else []) + (["class_weight"] if m.class_weight else [])
    # A sum of weights counts one for every element.
    over = factors if m.element_weight or not m.class_weight else ["class_weight", ops.ones.format(x)]
    if m.measure == "squared_error":
        return ops.square.format("probs - target"), factors, over
    if m.measure == "hinge":
        if not m.signs and to.name != "xent":
            draft.let("signs", "2 * target - 1")
        return to.elements(m, draft, x, "signs"), factors, over
    if m.positive_weight:
        draft.let("yes", to.elements(m, draft, x, ops.ones.format(x)))
        draft.let("no", to.elements(m, draft, x, ops.zeros.format(x)))
        return "pos_weight * target * yes + (1 - target) * no", factors, over
    return to.elements(m, draft, x, "target"), factors, over


def _poisson(m: Meaning, draft: Draft) -> str:
    if m.q == "LogRates":
        return f"{draft.ops.exp.format('log_rates')} - counts * log_rates"
    return f"rates - counts * {draft.ops.log.format(f'rates + {m.eps}' if m.eps else 'rates')}"


def _shaped(m: Meaning, each: str, draft: Draft) -> str:
    if m.gamma is None and m.poly is None:
        return each
    draft.let("loss", each)
    wrong = f"(1 - {draft.ops.exp.format('-loss')})"
    if m.poly is not None:
        return f"loss + {number(m.poly)} * {wrong}"
    shaped = f"{wrong} ** {number(m.gamma or 0.0)} * loss"
    if m.alpha is None:
        return shaped
    if m.p != "Indicators":
        return f"{number(m.alpha)} * {shaped}"
    return f"({number(m.alpha)} * target + {number(1 - m.alpha)} * (1 - target)) * {shaped}"


def _reduced(m: Meaning, each: str, factors: list[str], over: list[str], draft: Draft) -> str:
    ops = draft.ops
    if factors and not each.isidentifier():
        each = draft.let("loss", each)
    if m.reduction == "none":
        return _product([*factors, each])
    divisor = over if m.over == "weights" else over[:1] if m.ignore is not None and m.p == "Labels" else []
    if divisor and m.reduction == "mean":
        if divisor == factors and len(divisor) > 1:
            divisor = factors = [draft.let("weight", _product(factors))]
        return f"{_bare(ops.sum, _product([*factors, each]))} / {_bare(ops.sum, _product(divisor))}"
    if m.reduction == "sum":
        return _bare(ops.sum, _product([*factors, each]))
    mean = _bare(ops.mean, _product([*factors, each]))
    return f"{mean} / target.shape[-1]" if m.over == "elements" else mean


def _bare(pattern: str, text: str) -> str:
    """The pattern filled in, without brackets around what is one name or call already."""
    one = _is_atom(text) and "*" not in text and "/" not in text
    return pattern.replace("({0}).", "{0}.").format(text) if one else pattern.format(text)


def _is_atom(text: str) -> bool:
    """Whether a factor may stand before it without brackets: a name, or a single call."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter in "+-" and place:
            return False
    return True
