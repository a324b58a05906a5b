"""Which block of queries sees which block of keys."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks.base import Mask, as_tensor, shown
from clearhead.masks.bound import take
from clearhead.masks.grid import Grid, SomeEvery
from clearhead.shapes import whole_number

__all__ = ["Blocks"]


class Blocks(Mask):
    """Position i sees key j if ``layout[i // size, j // size]``.

    Block-sparse attention (Child et al. 2019, arXiv:1904.10509; BigBird, arXiv:2007.14062) with blocks of 2:

    >>> print(Blocks([[True, False, True], [False, True, False], [True, True, True]], 2).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  #  .  .  #  #
    q1   #  #  .  .  #  #
    q2   .  .  #  #  .  .
    q3   .  .  #  #  .  .
    q4   #  #  #  #  #  #
    q5   #  #  #  #  #  #

    Args:
        layout: Booleans ``(query_blocks, key_blocks)``, or with leading axes ``(batch, heads)`` or ``(heads,)``, where
            1 serves all. It may reach beyond the text, as of a longest one, and not end before it.
        size: Positions a block.

    Raises:
        InputError: The layout is not boolean, or the size no whole number of at least 1.
        ShapeError: The layout has not 2 to 4 axes; or, when it is used, it ends before the keys do.

    """

    def __init__(self, layout: Tensor | Sequence[object], size: int) -> None:
        given = as_tensor("a layout of blocks", layout)
        if given.dtype != torch.bool:
            raise InputError(f"a layout of blocks is boolean, True = may attend; got {given.dtype}: call .bool() on it")
        if not 2 <= given.dim() <= 4:
            raise ShapeError(
                "a layout of blocks is (batch, heads, query_blocks, key_blocks), without the first one or two if they "
                f"are 1; got the shape {tuple(given.shape)}"
            )
        if 0 in given.shape:
            raise ShapeError(f"a layout of blocks has at least one block; got the shape {tuple(given.shape)}")
        self.layout: Bool[Tensor, "batch heads query_blocks key_blocks"] = given[(None,) * (4 - given.dim())]
        self.size = whole_number("the size of a block", size)

    def fits(self, queries: int, keys: int) -> None:
        del queries  # the last one stands at the last key
        rows, columns = self.layout.shape[2:]
        if min(rows, columns) * self.size < keys:
            need = -(-keys // self.size)
            raise ShapeError(
                f"a layout of {rows} × {columns} blocks of {self.size} reaches to {min(rows, columns) * self.size} "
                f"tokens, and there are {keys} keys: give it {need} × {need} blocks"
            )

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        rows, columns = self.layout.shape[2:]
        row, column = (x.div(self.size, rounding_mode="floor") for x in (query, key))
        inside = (row >= 0) & (row < rows) & (column < columns)
        return inside & take(self.layout, batch, head, row.clamp(0, rows - 1), column.clamp(max=columns - 1))

    @property
    def breadth(self) -> tuple[int, int]:
        return self.layout.shape[0], self.layout.shape[1]

    def in_tiles(self, grid: Grid) -> SomeEvery:
        rows, columns = self.layout.shape[2:]
        if grid.size == (self.size, self.size) and grid.offset == 0:  # its own blocks
            own = self.layout[:, :, : len(grid.first_query), : len(grid.first_key)]
            return own, own
        below = torch.nn.functional.pad(self.layout.long().cumsum(-1).cumsum(-2), (1, 0, 1, 0))
        edges = (grid.first_query, grid.last_query, grid.first_key, grid.last_key)
        top, bottom, left, right = (x.div(self.size, rounding_mode="floor") for x in edges)
        area = (bottom + 1 - top) * (right + 1 - left)  # blocks that the tile touches, also outside the layout
        top, bottom, left, right = (
            edge.clamp(0, most)
            for edge, most in ((top, rows), (bottom + 1, rows), (left, columns), (right + 1, columns))
        )
        count = below[..., bottom, right] - below[..., top, right] - below[..., bottom, left] + below[..., top, left]
        return count > 0, count == area

    def select_heads(self, heads: Sequence[int]) -> Mask:
        return self.change(lambda x: x if x.shape[1] == 1 else x[:, list(heads)])

    def __repr__(self) -> str:
        whole = self.layout[0, 0] if self.layout.shape[:2] == (1, 1) else self.layout
        return f"Blocks({shown(whole)}, {self.size})"
