"""Which tokens stand at the sides of a map, and the pictures whose patches are tokens."""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clearhead.errors import InputError, MissingPackageError

if TYPE_CHECKING:
    from clearhead.capture.capture import Capture, Layer

__all__ = ["Picture", "Side", "is_cross", "sides"]

# What libraries call attention from a decoder to an encoder.
_CROSS = re.compile(r"encdecattention|cross_?att|encoder_attn|multihead_attn", re.IGNORECASE)
_ENCODER = re.compile(r"(^|\.)encoder\.")
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_PATCHES = 2**20


@dataclass(frozen=True)
class Side:
    """The tokens at one side of a map: as many as it has rows (or columns), from one of them on."""

    of: Literal["tokens", "source_tokens"]
    """Which texts of the capture."""
    first: int
    """The number of the token at the first row (or column)."""


def sides(capture: Capture, layer: Layer) -> tuple[Side | None, Side | None]:
    """What stands at the rows and at the columns of a map; None where that is not known.

    The columns of self-attention are the text's tokens and its last row stands at the last column. Where a module ran
    several times, token by token with a cache, its maps have the text's first tokens only; one that ran once has all of
    them, or all but the last, which a model wrote and did not read.
    """
    if capture.unit == "words":  # which are made of maps of self-attention over all tokens alone
        return Side("tokens", 0), Side("tokens", 0)
    queries, keys = layer.shape[2:]
    is_cross = _CROSS.search(layer.path) is not None
    source = _length(capture.source_tokens)
    if source is not None and not is_cross and _ENCODER.search(layer.path):
        return (Side("source_tokens", 0),) * 2 if source == queries == keys else (None, None)
    own = _length(capture.tokens)
    # Steps of a training are the same text again and again.
    is_film = "training_steps" in capture.provenance
    calls = [x for x in capture.layers if x.path == layer.path and (not is_film or x.call == layer.call)]
    if is_cross and source is not None:
        before = sum(x.shape[2] for x in calls if x.call < layer.call)
        rows = Side("tokens", before) if own is not None and before + queries <= own else None
        return rows, Side("source_tokens", 0) if keys == source else None
    if own is None:
        return None, None
    if queries <= keys <= own and (len(calls) > 1 or (queries == keys and own - keys == 1)):
        return Side("tokens", keys - queries), Side("tokens", 0)
    return Side("tokens", 0) if queries == own else None, Side("tokens", 0) if keys == own else None


def is_cross(capture: Capture, layer: Layer) -> bool:
    """Whether the keys are those of another text than the queries, so that none is near or far."""
    rows, columns = sides(capture, layer)
    return columns is not None and columns.of == "source_tokens" and (rows is None or rows.of != columns.of)


def _length(texts: list[Any] | None) -> int | None:
    """How many tokens each text has, if they are as many."""
    lengths = {len(text) for text in texts or ()}
    return lengths.pop() if len(lengths) == 1 else None


@dataclass(frozen=True)
class Picture:
    """A picture as a vision model sees it: its patches, row by row, are the tokens.

    Example:
        >>> import numpy as np
        >>> Picture.of(np.zeros((6, 8, 3), np.uint8), grid=(3, 4), first=1).labels()[:3]
        ['[CLS]', '0,0', '0,1']

    """

    png: bytes
    """The picture as a PNG file."""
    grid: tuple[int, int]
    """Rows and columns of patches."""
    first: int
    """The token of the first patch: those before it are of the whole picture."""

    def __post_init__(self) -> None:
        rows, columns = self.grid
        if not self.png.startswith(_PNG) or min(rows, columns) < 1 or self.first < 0:
            raise InputError(f"a picture is a PNG file and at least one patch; got {self.png[:8]!r}, {self.grid}")
        if rows * columns + self.first > _MOST_PATCHES:
            raise InputError(f"a picture has at most {_MOST_PATCHES} patches; got {rows} × {columns}")

    @classmethod
    def of(cls, image: Any, grid: tuple[int, int], first: int) -> Picture:
        """From a ``PIL.Image`` or whole numbers from 0 to 255, ``(height, width)`` or ``(height, width, 3)``.

        Raises:
            MissingPackageError: Pillow is not installed.

        """
        try:
            from PIL import Image
        except ImportError:
            raise MissingPackageError("pictures need Pillow: pip install 'clearhead[images]'") from None
        picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
        data = io.BytesIO()
        picture.save(data, "PNG")
        return cls(data.getvalue(), grid, first)

    def labels(self) -> list[str]:
        """``[CLS]`` for what is before the patches, then row and column of each patch."""
        before = ["[CLS]"] if self.first == 1 else [f"[{n}]" for n in range(self.first)]
        return before + [f"{row},{column}" for row in range(self.grid[0]) for column in range(self.grid[1])]

    def to_json(self) -> dict[str, Any]:
        """What the capture file keeps."""
        return {"png": base64.b64encode(self.png).decode(), "grid": list(self.grid), "first": self.first}

    @classmethod
    def from_json(cls, data: Any) -> Picture:
        """The inverse of :meth:`to_json`.

        Raises:
            InputError: The data is anything else.

        """
        grid = data.get("grid") if type(data) is dict else None
        if type(grid) is not list or [type(x) for x in (*grid, data.get("first"))] != [int] * 3:
            raise InputError("a picture in JSON has a grid of two whole numbers, and first")
        try:
            png = base64.b64decode(data.get("png", ""), validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise InputError("the png of a picture in JSON is base64") from None
        return cls(png, (grid[0], grid[1]), data["first"])
