"""The figures of a fit as a table, in text and in HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xent.linear_model.inference import Inference

#: A number from the first to the second is written out, any other in powers of ten.
_SMALL, _LARGE = 1e-3, 1e6


def as_text(found: Inference, level: float) -> str:
    """The summary in aligned columns."""
    title, figures, heads, blocks = _parts(found, level)
    pairs = [[*left, *right] for left, right in figures]
    rows = [row for _, block in blocks for row in block]
    # Words stand left and numbers right; the rows of an equation stand in from its name.
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    lines = [title, "", *_aligned(pairs, [max(len(p[i]) for p in pairs) for i in range(4)], {0, 2}), ""]
    lines += _aligned([heads], [widths[0] + 2, *widths[1:]], {0})
    for name, block in blocks:
        lines += [name, *("  " + line for line in _aligned(block, widths, {0}))]
    return "\n".join([*lines, "", _note(found)])


def as_html(found: Inference, level: float) -> str:
    """The summary as HTML tables."""
    title, figures, heads, blocks = _parts(found, level)
    top = "".join(_html_row([*left, *right], {0, 2}) for left, right in figures)
    head = "<tr>" + "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in heads) + "</tr>"
    body = ""
    for name, block in blocks:
        cell = f'<th scope="rowgroup" colspan="{len(heads)}" style="text-align:left">{html.escape(name)}</th>'
        body += f"<tbody><tr>{cell}</tr>" + "".join(_html_row(row, {0}) for row in block) + "</tbody>"
    return (
        f"<table><caption>{html.escape(title)}</caption><tbody>{top}</tbody></table>"
        f"<table><thead>{head}</thead>{body}</table><p>{html.escape(_note(found))}</p>"
    )


def _parts(found: Inference, level: float) -> tuple[str, list[Any], list[str], list[tuple[str, list[list[str]]]]]:
    """(title, pairs of a name and a figure, heads of the columns, (name, rows) of each equation)."""
    ratio = found.likelihood_ratio
    figures = [
        (["examples", f"{found.n:.10g}"], ["log-likelihood", f"{found.log_likelihood:.2f}"]),
        (["coefficients", str(found.coefficients.size)], ["  of the null model", f"{found.null_log_likelihood:.2f}"]),
        (["AIC", f"{found.aic:.2f}"], [f"likelihood ratio, χ²({ratio.df})", f"{ratio.statistic:.2f}"]),
        (["BIC", f"{found.bic:.2f}"], ["  p", _p(ratio.p_value)]),
        (["residual df", f"{found.df_residual:.10g}"], ["pseudo-R² (McFadden)", f"{found.pseudo_r2:.4f}"]),
    ]
    error = "robust error" if found.robust else "std error"
    heads = ["", "coefficient", error, "z", "P>|z|", f"{level * 100:g}% from", "to"]
    ends = found.confidence_intervals(level)
    blocks = []
    for m, equation in enumerate(found.equations):
        name = _visible(equation)
        name += " (yes against no)" if found.base is None else f" against {_visible(str(found.base))}"
        rows = []
        for t, term in enumerate(found.terms):
            figure = [found.coefficients[m, t], found.standard_errors[m, t]]
            cells = [*map(_number, figure), f"{found.z[m, t]:.2f}", _p(found.p_values[m, t])]
            rows.append([_visible(term), *cells, *map(_number, ends[m, t])])
        blocks.append((name, rows))
    kind = "Logistic" if found.base is None or len(found.equations) == 1 else "Softmax"
    return f"{kind} regression by maximum likelihood", figures, heads, blocks


def _note(found: Inference) -> str:
    kind = "the sandwich (HC0)" if found.robust else "the observed information"
    return f"Standard errors by {kind}; z and intervals by the normal distribution."


def _aligned(rows: Sequence[Sequence[str]], widths: Sequence[int], words: set[int]) -> list[str]:
    def one(i: int, cell: str) -> str:
        return cell.ljust(widths[i]) if i in words else cell.rjust(widths[i])

    return ["  ".join(one(i, cell) for i, cell in enumerate(row)) for row in rows]


def _html_row(cells: Sequence[str], words: set[int]) -> str:
    shown = "".join(
        f'<th scope="row" style="text-align:left">{html.escape(cell.strip())}</th>'
        if i in words
        else f'<td style="text-align:right">{html.escape(cell)}</td>'
        for i, cell in enumerate(cells)
    )
    return f"<tr>{shown}</tr>"


def _number(x: float) -> str:
    return f"{x:.4f}" if x == 0.0 or _SMALL <= abs(x) < _LARGE else f"{x:.3e}"


def _p(p: float) -> str:
    if p < 1e-300:
        return "<1e-300"
    return f"{p:.4f}" if p >= 1e-4 or math.isnan(p) else f"{p:.1e}"


def _visible(name: str) -> str:
    """A name on one line, with what is not printable written out."""
    return name if name.isprintable() else repr(name)[1:-1]
