"""The kinds of figure files, known before matplotlib is loaded."""

from __future__ import annotations

from pathlib import Path

from clearhead.errors import InputError

__all__ = ["FORMATS", "check_format"]

FORMATS = (".png", ".svg", ".pdf")


def check_format(path: Path) -> None:
    """Raise InputError unless the suffix is one that a figure is written as."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"a figure is written as {', '.join(FORMATS)}; got {path.name!r}")
