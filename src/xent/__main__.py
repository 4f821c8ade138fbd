"""``python -m xent``."""

from __future__ import annotations

from xent.cli import main

if __name__ == "__main__":
    main()
