"""The tiles of a map of any length: the finest ones computed when asked for, coarse ones from one pass over the map.

A tile is 256 × 256 pixels; at level z each pixel is a block of 2^z × 2^z cells, with its mean and its maximum. Fine
levels are cheap enough to compute directly. Coarser ones all follow from one pass that pools the whole map to blocks of
64 × 64 (:class:`Pass`), which is made a band of rows at a time: it can tell how far it is, and rest between bands.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.analysis.cells import Cells, Pooled, pool
from clearhead.errors import InputError

__all__ = ["TILE", "Pass", "Store", "Tile", "base_level", "coarse_tile", "fine_tile", "levels", "preview_tile", "sides"]

TILE = 256
"""Pixels of a tile's side."""
_BASE = 6  # a pass pools to blocks of 2^6 × 2^6 cells, and finer levels are computed directly
_BAND = 256  # rows that a pass takes at once, whole blocks of them


class Tile(NamedTuple):
    """What is drawn of one address."""

    mean: Float[Tensor, "rows columns"]
    max: Float[Tensor, "rows columns"]
    sampled: int
    """How many rows of cells it was made of, where these are not all: a preview. 0 where it is exact."""


def levels(shape: tuple[int, int]) -> int:
    """The coarsest level, at which one tile holds the whole."""
    return max(0, max(shape) - 1).bit_length() - 8 if max(shape) > TILE else 0


def base_level(shape: tuple[int, int], most: int) -> int:
    """The level that a pass over a map pools to: 6, or more where that would take over ``most`` bytes."""
    level = _BASE
    while 8 * -(-shape[0] // 2**level) * -(-shape[1] // 2**level) > most:
        level += 1
    return level


def sides(shape: tuple[int, int], level: int, y: int, x: int) -> tuple[range, range]:
    """The cells of a tile. Raises InputError where there is no such tile."""
    if not 0 <= level <= levels(shape):
        raise InputError(f"there is no level {level}: this map has the levels 0 to {levels(shape)}")
    size = TILE * 2**level
    counts = [-(-side // size) for side in shape]
    if not (0 <= y < counts[0] and 0 <= x < counts[1]):
        raise InputError(f"there is no tile {y}/{x} at level {level}: it has {counts[0]} × {counts[1]} tiles")
    rows, columns = (range(at * size, min((at + 1) * size, side)) for at, side in zip((y, x), shape, strict=True))
    return rows, columns


def fine_tile(cells: Cells, level: int, y: int, x: int) -> Tile:
    """A tile computed directly. Raises InputError where there is no such tile."""
    return Tile(*cells.pooled(*sides(cells.shape, level, y, x), 2**level), sampled=0)


def preview_tile(cells: Cells, level: int, y: int, x: int) -> Tile:
    """A tile of one row of cells for each row of pixels. Raises InputError where there is no such tile."""
    found = cells.sampled(*sides(cells.shape, level, y, x), 2**level)
    return Tile(*found, sampled=len(found.mean))


def coarse_tile(made: Pass, level: int, y: int, x: int) -> Tile:
    """A tile from a finished pass. Raises InputError where there is no such tile."""
    rows, columns = sides(made.shape, level, y, x)
    size = 2**made.level
    part = tuple(slice(side.start // size, -(-side.stop // size)) for side in (rows, columns))
    factor = 2 ** (level - made.level)
    counts = [
        torch.tensor([min(size, side.stop - start) for start in range(side.start, side.stop, size)])
        for side in (rows, columns)
    ]
    held = (counts[0][:, None] * counts[1]).float()  # how many cells each block holds: fewer at the border
    sums = pool(made.mean[part] * held, factor).mean
    return Tile(sums / pool(held, factor).mean, pool(made.max[part], factor).max, sampled=0)


class Pass:
    """The whole of a map pooled to blocks of ``2^level`` cells, mean and maximum, band by band.

    :meth:`take` gives the number of a band that nobody works on, :meth:`make` computes it; both may be called from
    several threads at once.
    """

    def __init__(self, cells: Cells, level: int) -> None:
        self.cells, self.level, self.shape = cells, level, cells.shape
        counts = [-(-side // 2**level) for side in self.shape]
        self.mean, self.max = torch.zeros(counts), torch.zeros(counts)
        size = max(_BAND, 2**level)
        self._bands = [range(x, min(x + size, self.shape[0])) for x in range(0, self.shape[0], size)]
        self._open = list(reversed(range(len(self._bands))))
        self._lock = threading.Lock()
        self.done = 0

    @property
    def of(self) -> int:
        """How many bands there are."""
        return len(self._bands)

    @property
    def is_done(self) -> bool:
        """Whether all of them were made."""
        return self.done == self.of

    @property
    def nbytes(self) -> int:
        """Bytes of what it holds."""
        return self.mean.nbytes + self.max.nbytes

    def take(self) -> int | None:
        """A band to make; None where all are taken."""
        with self._lock:
            return self._open.pop() if self._open else None

    def make(self, band: int) -> None:
        """Compute one band."""
        rows = self._bands[band]
        found: Pooled = self.cells.pooled(rows, range(self.shape[1]), 2**self.level)
        start = rows.start // 2**self.level
        self.mean[start : start + len(found.mean)] = found.mean
        self.max[start : start + len(found.max)] = found.max
        with self._lock:
            self.done += 1


class Store:
    """What was computed, the latest of it, in at most so many bytes."""

    def __init__(self, most: int) -> None:
        self.most, self.nbytes = most, 0
        self._known: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """What is kept under ``key``, or None."""
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            self._known.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, nbytes: int) -> None:
        """Keep it, and let go what was not asked for the longest."""
        with self._lock:
            if key in self._known:
                self.nbytes -= self._known.pop(key)[1]
            if nbytes > self.most:
                return
            self._known[key] = (value, nbytes)
            self.nbytes += nbytes
            while self.nbytes > self.most:
                _, (_, size) = self._known.popitem(last=False)
                self.nbytes -= size

    def drop(self, key: Hashable) -> None:
        """Keep it no longer."""
        with self._lock:
            self.nbytes -= self._known.pop(key, (None, 0))[1]

    def ask(self, key: Hashable, make: Callable[[], tuple[Any, int]]) -> Any:
        """What is kept under ``key``, else made, with its bytes, and kept."""
        found = self.get(key)
        if found is None:
            found, nbytes = make()
            self.put(key, found, nbytes)
        return found

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._known.clear()
            self.nbytes = 0
