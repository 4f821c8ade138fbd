"""The progress bars: on standard error, and only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xent.evaluate.engine import Progress


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """A callback that moves the bar, or None where nobody sees it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.fields[rows]} rows"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, rows="0")

        def advance(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total, rows=f"{done:,}")

        yield advance


@contextmanager
def training_bar() -> Iterator[tuple[Progress | None, Callable[[str], None] | None]]:
    """Two callbacks: rows of this pass, which move the bar, and the words for the last step. None where nobody sees."""
    if not sys.stderr.isatty():
        yield None, None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.fields[step]}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
        task = bar.add_task("", total=None, step="reading")

        def advance(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        def step(words: str) -> None:
            bar.update(task, step=words)

        yield advance, step
