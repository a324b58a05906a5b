"""A few positions that see all and are seen by all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks.base import Mask, as_tensor, shown
from clearhead.masks.grid import Grid, SomeEvery

__all__ = ["Global"]


class Global(Mask):
    """The pairs of which the query or the key stands at one of the ``positions``.

    The global attention of Longformer (Beltagy et al. 2020, arXiv:2004.05150), which joins it to a window:
    ``Window(256, 256) | Global([0])``. The position 1 alone:

    >>> print(Global([1]).draw())
        k0 k1 k2 k3 k4 k5
    q0   .  #  .  .  .  .
    q1   #  #  #  #  #  #
    q2   .  #  .  .  .  .
    q3   .  #  .  .  .  .
    q4   .  #  .  .  .  .
    q5   .  #  .  .  .  .

    Args:
        positions: Integers ``(count,)``, shared by all texts, or ``(batch, count)``. Negative ones are none: they fill
            up the texts that have fewer.

    Raises:
        InputError: The positions are no integers.
        ShapeError: There are neither one nor two axes.

    """

    def __init__(self, positions: Sequence[int] | Sequence[Sequence[int]] | Tensor) -> None:
        given = as_tensor("a list of positions", positions)
        given = given.long() if given.numel() == 0 else given  # an empty list has no type
        if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
            raise InputError(f"global positions are integers; got {given.dtype}")
        if given.dim() not in (1, 2):
            raise ShapeError(f"global positions are (count,) or (batch, count); got the shape {tuple(given.shape)}")
        self.positions: Int[Tensor, "batch count"] = given.long() if given.dim() == 2 else given.long()[None]

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        del head
        position = self.positions[torch.zeros_like(batch) if len(self.positions) == 1 else batch]
        if query.dim():
            row, column = (((x[..., None] == position) & (position >= 0)).any(-1) for x in (query, key))
            return row | column
        found = torch.zeros_like(query, dtype=torch.bool)
        for one in position.unbind(-1):  # numbers, as FlexAttention gives: its compiler knows no reduction
            found = found | (((query == one) | (key == one)) & (one >= 0))
        return found

    @property
    def breadth(self) -> tuple[int, int]:
        return len(self.positions), 1

    def in_tiles(self, grid: Grid) -> SomeEvery:
        there = (self.positions >= 0) & (self.positions < grid.keys)
        flags = torch.zeros(len(there), grid.keys + 1, dtype=torch.bool, device=grid.device)
        # What is not there goes to a place past the end, which is cut off.
        flags = flags.scatter_(1, self.positions.where(there, grid.keys), True)[:, :-1]
        by_query = grid.some_and_every(grid.at_queries(flags, False), 0)
        by_key = grid.some_and_every(flags, 1)
        some, every = (a[:, None, :, None] | b[:, None, None] for a, b in zip(by_query, by_key, strict=True))
        return some, every

    def __repr__(self) -> str:
        return f"Global({shown(self.positions[0] if len(self.positions) == 1 else self.positions)})"
