"""How each number on the page is defined."""

from __future__ import annotations

from ..figure import details, section
from ..html import Markup, el, join
from ..node import Node

_SUM = "Σ"


def definitions(result: Node) -> Markup:
    """Terms and formulas, only of the measures that the page shows."""
    items = [text for shown, text in _all(result) if shown]
    return section(
        "Definitions",
        details(
            "How each number is defined",
            el("dl", [join(el("dt", term), el("dd", text)) for term, text in items], class_="terms"),
        ),
    )


def _i(text: str) -> Markup:
    return el("i", text)


def _all(result: Node) -> list[tuple[bool, tuple[str, Markup]]]:
    ell = join(_i("ℓ"), el("sub", _i("i")))
    has = result.has
    return [
        (
            True,
            (
                "Cross-entropy",
                join("The mean over the rows of ", ell, " = −log ", _i("q"), "(truth), the negative log-probability that the model gives to the truth; in nats (natural logarithm) and in bits (nats ÷ log 2). Nothing is clipped: a truth of probability zero costs infinity."),
            ),
        ),
        (True, ("95% interval", join("The range that holds the true value in 95 of 100 repetitions with other rows of the same kind."))),
        (True, ("Perplexity", join("exp of the cross-entropy in nats; its interval is exp of that interval."))),
        (has("bits_per_byte"), ("Bits per byte", join(_SUM, ell, " ÷ (log 2 · bytes): the sum of the losses in bits over the sum of the bytes."))),
        (has("error"), ("Error", join("The share of rows whose most probable class is not the truth, with Wilson’s interval."))),
        (has("brier"), ("Brier score", join("The mean of ", _SUM, el("sub", _i("k")), " (", _i("q"), el("sub", _i("k")), " − 1[", _i("k"), " = truth])²."))),
        (
            has("confidence"),
            (
                "Confidence",
                join("The cross-entropy less the mean entropy of the predictions, −", _SUM, " ", _i("q"), " log ", _i("q"), ". A calibrated model has zero; above zero the model is overconfident, below it underconfident; “cannot tell” where the interval holds zero."),
            ),
        ),
        (
            has("calibration"),
            (
                "Calibration error",
                join("Rows are put into bins by the probability of the predicted class. Squared: the mean over the bins of (mean confidence − frequency)², less its bias. ECE: the mean of |confidence − frequency|. Both are zero or above even for a perfect model by chance alone, so each stands beside what a perfectly calibrated model of the same confidence would show."),
            ),
        ),
        (has("calibration"), ("Interval of a bin", join("Clopper–Pearson: exact for a binomial frequency."))),
        (has("baseline"), ("Skill", join("1 − cross-entropy ÷ baseline, where the baseline always predicts the class frequencies of these rows."))),
        (has("comparison"), ("Difference of A and B", join("The mean over the same rows of ", _i("ℓ"), el("sub", "A"), " − ", _i("ℓ"), el("sub", "B"), ". Pairing the rows removes what makes a row hard for both models."))),
        (has("comparison"), ("McNemar’s test", join("Whether rows on which only A is wrong are as many as rows on which only B is."))),
    ]
