"""The page put together: head, style sheet, sections."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from .html import Markup, el, join
from .node import read
from .sections.against import against
from .sections.calibration import calibration
from .sections.confusion import confusions
from .sections.definitions import definitions
from .sections.hardest import hardest
from .sections.key import key_figures
from .sections.losses import losses
from .sections.training import training
from .sections.verdict import header


def page(result: Mapping[str, Any]) -> Markup:
    """A whole HTML document."""
    root = read(result)
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="generator", content=f"xent {root.text('version')}"),
        el("title", "Cross-entropy of " + ", ".join(root.node("input").texts("files")[:3])),
        el("style", Markup(style)),
    )
    parts = (key_figures, against, calibration, losses, confusions, hardest, training, definitions)
    body = el(
        "body",
        header(root),
        el("main", [part(root) for part in parts]),
        el("footer", "Made by xent ", root.text("version"), " from a result of schema ", root.text("schema"), "."),
    )
    return join(Markup("<!DOCTYPE html>\n"), el("html", head, body, lang="en"), Markup("\n"))


def _policy(style: str) -> str:
    """Nothing may load and nothing may run; the one style sheet is known by its hash, so that no other applies."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
