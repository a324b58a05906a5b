"""Each query sees the keys near its position."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.masks.base import FARTHEST, Mask, Runs
from clearhead.masks.grid import Grid, SomeEvery
from clearhead.shapes import whole_number

__all__ = ["Window"]


class Window(Mask):
    """Position i sees the keys i − ``left`` to i + ``right``, both ends included.

    ``Window(255, 0)`` is a sliding window of 256 tokens (Longformer, arXiv:2004.05150; Mistral, arXiv:2310.06825).

    >>> print(Window(2, 1).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  #  .  .  .  .
    q1   #  #  #  .  .  .
    q2   #  #  #  #  .  .
    q3   .  #  #  #  #  .
    q4   .  .  #  #  #  #
    q5   .  .  .  #  #  #

    Args:
        left: How many keys before its own position a query sees; ``None`` for all of them.
        right: How many after it; ``None`` for all of them.

    Raises:
        InputError: A side is negative or no whole number.

    """

    def __init__(self, left: int | None, right: int | None) -> None:
        self.left = None if left is None else min(whole_number("a window's left side", left, 0), FARTHEST)
        self.right = None if right is None else min(whole_number("a window's right side", right, 0), FARTHEST)

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        del batch, head
        return self._within(query, query, key, key)

    def _within(self, first_query: Tensor, last_query: Tensor, first_key: Tensor, last_key: Tensor) -> Tensor:
        """Whether all keys between two lie within the windows of all queries between two."""
        sides: list[Tensor] = []
        if self.left is not None:
            sides.append(first_key >= last_query - self.left)
        if self.right is not None:
            sides.append(last_key <= first_query + self.right)
        if not sides:
            return torch.ones_like(first_query + first_key, dtype=torch.bool)
        return sides[0] & sides[-1]

    @property
    def is_relative(self) -> bool:
        return True

    @property
    def looks_back_only(self) -> bool:
        return self.right == 0

    def in_tiles(self, grid: Grid) -> SomeEvery:
        # The tile's nearest corners decide whether some pair lies within, its farthest ones whether all do.
        some = self._within(grid.last_query, grid.first_query, grid.last_key, grid.first_key)
        every = self._within(grid.first_query, grid.last_query, grid.first_key, grid.last_key)
        return some[None, None], every[None, None]

    def runs(self, queries: int, keys: int, device: torch.device) -> Runs:
        position = torch.arange(keys - queries, keys, device=device)[None, None]
        starts = torch.zeros_like(position) if self.left is None else (position - self.left).clamp(0, keys)
        stops = torch.full_like(position, keys) if self.right is None else (position + self.right + 1).clamp(0, keys)
        return Runs(starts.to(torch.int32), stops.to(torch.int32))
