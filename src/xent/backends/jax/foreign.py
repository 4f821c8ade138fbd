from __future__ import annotations

from typing import Any


def lowering(composed: Any) -> Any:
    return composed
