"""What a command needs beyond ``xent[cli]``."""

from __future__ import annotations

from importlib import import_module

from xent.errors import MissingExtraError

_LIBRARIES = ("sklearn", "scipy", "threadpoolctl")


def require_linear_model() -> None:
    """``xent.linear_model`` can be imported, or the line that installs what it takes."""
    try:
        import_module("xent.linear_model")
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        raise MissingExtraError(
            "linear models", "scikit-learn", f"no module {error.name}", 'Run: pip install "xent[cli,sklearn]"'
        ) from error
