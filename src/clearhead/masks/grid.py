"""The tiles into which a call's queries × keys are cut."""

from __future__ import annotations

from enum import IntEnum

import torch
from jaxtyping import Bool
from torch import Tensor

from clearhead.errors import InputError

__all__ = ["Grid", "SomeEvery", "Tile", "pool"]

_Tiles = Bool[Tensor, "#batch #heads #query_blocks #key_blocks"]
SomeEvery = tuple[_Tiles, _Tiles]
"""Whether some pair, and whether every pair of each tile may attend."""


class Tile(IntEnum):
    """What a mask says of a tile: no pair in it may attend, some may, or all may."""

    EMPTY = 0
    MIXED = 1
    FULL = 2


class Grid:
    """Tiles of ``size`` queries × keys; those at the right and lower border are smaller if the lengths leave a rest.

    Attributes:
        first_query: Position of each tile row's first query, ``(query_blocks, 1)``.
        last_query: Position of its last one, which belongs to it.
        first_key: Each tile column's first key, ``(key_blocks,)``.
        last_key: Its last one, which belongs to it.

    """

    def __init__(self, queries: int, keys: int, size: int | tuple[int, int], device: torch.device) -> None:
        sizes = (size, size) if isinstance(size, int) else tuple(size)
        if len(sizes) != 2 or any(type(side) is not int or side < 1 for side in sizes):
            raise InputError(f"a tile has at least 1 query and 1 key, a number or a pair; got the size {size}")
        self.size = (sizes[0], sizes[1])
        self.queries, self.keys, self.device = queries, keys, device
        self.offset = keys - queries
        first_query = torch.arange(0, queries, self.size[0], device=device)[:, None]
        self.first_query = first_query + self.offset
        self.last_query = (first_query + self.size[0]).clamp(max=queries) - 1 + self.offset
        self.first_key = torch.arange(0, keys, self.size[1], device=device)
        self.last_key = (self.first_key + self.size[1]).clamp(max=keys) - 1

    def at_queries(self, values: Tensor, outside: bool | int) -> Tensor:
        """What ``values`` (…, keys) are at the queries' positions, (…, queries); ``outside`` before the first key."""
        found = values[..., max(0, self.offset) :]
        return torch.nn.functional.pad(found, (max(0, -self.offset), 0), value=outside)

    def some_and_every(
        self, flags: Bool[Tensor, "... n"], axis: int
    ) -> tuple[Bool[Tensor, "... blocks"], Bool[Tensor, "... blocks"]]:
        """Whether any and whether all of one flag a query (axis 0) or a key (axis 1) are True in each tile."""
        return pool(flags, self.size[axis], False).any(-1), pool(flags, self.size[axis], True).all(-1)


def pool(values: Tensor, size: int, fill: bool | int) -> Tensor:
    """The last axis cut into blocks of ``size``, the last block filled up: (…, blocks, size)."""
    rest = -values.shape[-1] % size
    if rest:
        values = torch.nn.functional.pad(values, (0, rest), value=fill)
    blocks: Tensor = values.unflatten(-1, (values.shape[-1] // size, size))
    return blocks
