"""The intersection of two masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import ShapeError
from clearhead.masks.bound import BoundMask
from clearhead.masks.grid import SomeEvery
from clearhead.masks.spans import Spans
from clearhead.shapes import breadth

__all__ = ["Both", "both"]


def both(first: BoundMask, second: BoundMask) -> BoundMask:
    """What both masks allow: one :class:`Spans` where both are, else :class:`Both`."""
    if (first.queries, first.keys) != (second.queries, second.keys):
        raise ShapeError(
            f"masks of {first.queries} × {first.keys} and {second.queries} × {second.keys} (queries × keys) "
            "cannot be combined"
        )
    if not (isinstance(first, Spans) and isinstance(second, Spans)):
        return Both(first, second)
    present = first.present if second.present is None else second.present
    if first.present is not None and second.present is not None:
        present = first.present & second.present
    starts, stops = torch.maximum(first.starts, second.starts), torch.minimum(first.stops, second.stops)
    return Spans(starts, stops, first.queries, first.keys, present)


class Both(BoundMask):
    """Two masks that must both allow a pair.

    The 6×6 triangle and a checkerboard::

            k0 k1 k2 k3 k4 k5
        q0   #  .  .  .  .  .
        q1   .  #  .  .  .  .
        q2   #  .  #  .  .  .
        q3   .  #  .  #  .  .
        q4   #  .  #  .  #  .
        q5   .  #  .  #  .  #
    """

    def __init__(self, first: BoundMask, second: BoundMask) -> None:
        self.first, self.second = first, second
        self.queries, self.keys = first.queries, first.keys

    def __repr__(self) -> str:
        return f"{self.first!r} & {self.second!r}"

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        return self.first.allows(batch, head, query, key) & self.second.allows(batch, head, query, key)

    def tile(self, rows: range, columns: range) -> Bool[Tensor, "#batch #heads #rows #columns"] | None:
        first, second = self.first.tile(rows, columns), self.second.tile(rows, columns)
        if first is None or second is None:
            return second if first is None else first
        return first & second

    def columns_for(self, rows: range) -> range:
        first, second = self.first.columns_for(rows), self.second.columns_for(rows)
        start = max(first.start, second.start)
        return range(start, max(start, min(first.stop, second.stop)))

    def rows_for(self, columns: range) -> range:
        first, second = self.first.rows_for(columns), self.second.rows_for(columns)
        start = max(first.start, second.start)
        return range(start, max(start, min(first.stop, second.stop)))

    def in_tiles(self, size: tuple[int, int]) -> SomeEvery:
        first, second = self.first.in_tiles(size), self.second.in_tiles(size)
        return first[0] & second[0], first[1] & second[1]

    def are_alike(self, rows: Sequence[int], height: int, columns: Sequence[int], width: int) -> bool:
        place = (rows, height, columns, width)
        return self.first.are_alike(*place) and self.second.are_alike(*place)

    @property
    def is_same_for_all_queries(self) -> bool:
        return self.first.is_same_for_all_queries and self.second.is_same_for_all_queries

    @property
    def looks_back_only(self) -> bool:
        return self.first.looks_back_only or self.second.looks_back_only

    def tensors(self) -> Mapping[str, Tensor]:
        return {
            f"{which}.{name}": x
            for which, mask in (("first", self.first), ("second", self.second))
            for name, x in mask.tensors().items()
        }

    @property
    def breadth(self) -> tuple[int, int]:
        return breadth(self.first.breadth, self.second.breadth)

    def borrowed(self) -> list[Tensor]:
        return self.first.borrowed() + self.second.borrowed()

    def change(self, how: Callable[[Tensor], Tensor]) -> Both:
        return Both(self.first.change(how), self.second.change(how))

    def to(self, device: torch.device) -> Both:
        return Both(self.first.to(device), self.second.to(device))

    def select_heads(self, heads: Sequence[int]) -> Both:
        return Both(self.first.select_heads(heads), self.second.select_heads(heads))
