"""What commands share."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from clearhead.errors import InputError

__all__ = ["browse", "busy", "text_of"]


def busy(message: str) -> Any:
    """A spinner on stderr where that is a terminal."""
    from rich.console import Console

    return Console(stderr=True).status(message)


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
