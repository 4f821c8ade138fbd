"""The error bounds that xent publishes: docs/precision.md prints them, and the tests hold every path to them.

In units of eps·scale (see ``measure``), with eps of the type of the arithmetic: 2^-23 for float16, bfloat16 and
float32, 2^-52 for float64. They are the largest errors that were measured, and some room for another processor's
exponential.
"""

from __future__ import annotations

#: By what Q holds: (loss, gradient).
BOUNDS: dict[str, tuple[float, float]] = {
    "logits": (3.0, 3.0),
    "log_probs": (3.0, 3.0),
    "probs": (3.0, 3.0),
    "projection": (3.0, 3.0),
}

#: The float64 oracle in xent.core.reference: (loss, gradient), for everything.
REFERENCE: tuple[float, float] = (2.0, 2.0)
