"""What commands share."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import typer

from clearhead.errors import InputError

__all__ = ["browse", "busy", "check_figure", "check_outputs", "check_place", "kept_page", "open_page", "say", "text_of"]


def busy(message: str) -> Any:
    """A spinner on stderr where that is a terminal."""
    from rich.console import Console

    return Console(stderr=True).status(message)


def say(message: str) -> None:
    """A line on stderr."""
    typer.echo(message, err=True)


def check_figure(path: Path) -> None:
    """Refuse at once what a figure could not be written as at the end."""
    import importlib.util

    from clearhead.errors import MissingPackageError
    from clearhead.views.formats import check_format

    check_format(path)
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingPackageError("figures need matplotlib: pip install 'clearhead[plot]'")


def check_place(path: Path) -> None:
    """Refuse at once a place where no file could be written at the end."""
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; give a file name in it")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}")


def text_of(text: str | None, file: str | None) -> str:
    """The argument, or the content of the file."""
    if (text is None) == (file is None):
        raise InputError("give either a text or --file, which may be - for standard input")
    if text is not None:
        return text
    assert file is not None
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig").strip("\n")
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is no UTF-8 text") from None


def browse(address: str) -> bool:
    """Whether a browser was found, as far as that is known after two seconds: some run until they are closed."""
    import webbrowser

    found = []

    def ask() -> None:
        try:
            found.append(webbrowser.open(address))
        except (webbrowser.Error, OSError):
            found.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(2)
    return not found or found[0]


def check_outputs(figure: Path | None, html: Path | None, save: Path | None = None) -> None:
    """What would fail at the end fails before any work is done."""
    if figure is not None:
        check_figure(figure)
    if html is not None:
        from clearhead.views.formats import check_page

        check_page(html)
    for path in (figure, html, save):
        if path is not None:
            check_place(path)


def kept_page() -> Path:
    """A place for a page that nobody named, which stays until the system clears its temporary files."""
    import tempfile

    return Path(tempfile.mkdtemp(prefix="clearhead-")) / "page.html"


def open_page(path: Path) -> None:
    """Show a page in a browser.

    Raises:
        InputError: There is none.

    """
    if not browse(path.resolve().as_uri()):
        raise InputError(f"there is no browser to open {path} with: open it yourself, or name a browser in BROWSER")
