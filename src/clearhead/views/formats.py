"""The kinds of files that views write, known before what writes them is loaded."""

from __future__ import annotations

from pathlib import Path

from clearhead.errors import InputError

__all__ = ["FORMATS", "check_format", "check_page"]

FORMATS = (".png", ".svg", ".pdf")


def check_format(path: Path) -> None:
    """Raise InputError unless the suffix is one that a figure is written as."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"a figure is written as {', '.join(FORMATS)}; got {path.name!r}")


def check_page(path: Path) -> None:
    """Raise InputError unless the suffix is one that a browser opens as a page."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"a page is written as .html; got {path.name!r}")
