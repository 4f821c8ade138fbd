"""Judge predictions in files by their cross-entropy: ``evaluate(files, Options(...))``."""

from __future__ import annotations

from xent.evaluate.engine import evaluate
from xent.evaluate.options import FLOOR, Options
from xent.evaluate.result import Evaluation

__all__ = ["FLOOR", "Evaluation", "Options", "evaluate"]
