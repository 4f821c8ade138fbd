"""Refuse a built guide that would fetch anything: python check_offline.py FOLDER.

Links that a reader may follow are left alone; scripts, styles, fonts, images and frames must lie in the folder.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

_FETCHED = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("object", "data"),
}
_REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_CSS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])(?:https?:)?//[^)'\"]*", re.IGNORECASE)
# Names of other pages of the same site, which a browser does not fetch.
_NOT_FETCHED = {"canonical", "search", "next", "prev", "index", "author", "license"}


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and values.get("rel") in _NOT_FETCHED:
            return
        for name, value in attrs:
            if (tag, name) in _FETCHED and value and _REMOTE.match(value):
                self.found.append(f'<{tag} {name}="{value}">')


def remote(folder: Path) -> list[str]:
    """What the pages and styles of a folder would fetch from elsewhere."""
    found = []
    for page in sorted(folder.rglob("*.html")):
        finder = _Finder()
        finder.feed(page.read_text(encoding="utf-8"))
        found += [f"{page.relative_to(folder)}: {tag}" for tag in finder.found]
    for style in sorted(folder.rglob("*.css")):
        found += [f"{style.relative_to(folder)}: {hit}" for hit in _CSS.findall(style.read_text(encoding="utf-8"))]
    return found


if __name__ == "__main__":
    root = Path(sys.argv[1])
    pages = sum(1 for _ in root.rglob("*.html"))
    hits = remote(root)
    print("\n".join([*hits, f"{pages} pages, {len(hits)} things from elsewhere"]))
    sys.exit(1 if hits or not pages else 0)
