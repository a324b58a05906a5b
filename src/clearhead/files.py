"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from clearhead.errors import InputError

__all__ = ["write_together", "write_whole"]


def write_whole(path: Path, write: Callable[[str], Any]) -> None:
    """Let ``write`` fill a file beside ``path`` and put it in place only once it is complete.

    Raises:
        InputError: The folder does not exist or cannot be written, or something other than a file is in the way.

    """
    write_together([(path, write)])


def write_together(files: Sequence[tuple[Path, Callable[[str], Any]]]) -> None:
    """:func:`write_whole` for several files: none is put in place before all are complete.

    Raises:
        InputError: As for one; or two of the files are the same.

    """
    path = Path()
    try:
        with ExitStack() as stack:
            ready: list[tuple[Path, Path]] = []
            for path, write in files:
                target = Path(os.path.realpath(path))  # a link stays, and what it points to is replaced
                if target.exists() and not target.is_file():
                    raise InputError(f"cannot write {path}: what is there is not a file")
                if any(target == other for _, other in ready):
                    raise InputError(f"cannot write {path} twice: give each file a name of its own")
                # In a folder of its own, so that whatever the writer leaves behind when it fails is gone as well.
                folder = tempfile.TemporaryDirectory(dir=target.parent, prefix=".clearhead-")
                part = Path(stack.enter_context(folder)) / f"part{target.suffix}"
                write(str(part))
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
                part.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
                ready.append((part, target))
            for part, target in ready:
                part.replace(target)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
