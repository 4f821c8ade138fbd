from __future__ import annotations

from support.browser import browser, chromium

__all__ = ["browser", "chromium"]
