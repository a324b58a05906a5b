"""Several texts packed into one row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks.base import Mask, Runs, as_tensor, shown
from clearhead.masks.bound import take
from clearhead.masks.grid import Grid, SomeEvery, pool
from clearhead.shapes import whole_number

__all__ = ["Documents"]

_ENTRIES = 2**22  # blocks × documents that are written out together


class Documents(Mask):
    """Each position sees the keys of its own document; a negative number belongs to no document.

    What packs texts of different lengths into one row without letting them see each other (Krell et al. 2021,
    arXiv:2107.02027). Documents of 2, 3 and 1 tokens:

    >>> print(Documents([0, 0, 1, 1, 1, 2]).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  #  .  .  .  .
    q1   #  #  .  .  .  .
    q2   .  .  #  #  #  .
    q3   .  .  #  #  #  .
    q4   .  .  #  #  #  .
    q5   .  .  .  .  .  #
    >>> Documents([0, 0, 1, 1, 1, 2]) == Documents.from_lengths([2, 3, 1])
    True

    Args:
        ids: The number of each key's document, integers ``(keys,)`` or ``(batch, keys)``. Neither need they be sorted,
            nor a document be in one piece; both are faster.

    Raises:
        InputError: The numbers are no integers.
        ShapeError: There are neither one nor two axes.

    """

    def __init__(self, ids: Sequence[int] | Sequence[Sequence[int]] | Tensor) -> None:
        given = as_tensor("which document each key is of", ids)
        given = given.long() if given.numel() == 0 else given  # an empty list has no type
        if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
            raise InputError(f"documents are numbered with integers; got {given.dtype}")
        if given.dim() not in (1, 2):
            raise ShapeError(f"document numbers are (keys,) or (batch, keys); got the shape {tuple(given.shape)}")
        self.ids: Int[Tensor, "batch keys"] = given.long() if given.dim() == 2 else given.long()[None]

    @classmethod
    def from_lengths(cls, lengths: Sequence[int]) -> Documents:
        """Documents of these lengths, one after the other."""
        counts = torch.tensor([whole_number("a document's length", n, 0) for n in lengths], dtype=torch.int64)
        return cls(torch.repeat_interleave(torch.arange(len(counts)), counts))

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        del head
        # A query before the first key is in no document.
        at_query = take(self.ids, batch, query.clamp(min=0)).masked_fill(query < 0, -1)
        return (at_query == take(self.ids, batch, key)) & (at_query >= 0)

    @property
    def breadth(self) -> tuple[int, int]:
        return self.ids.shape[0], 1

    def fits(self, queries: int, keys: int) -> None:
        del queries
        if self.ids.shape[1] != keys:
            raise ShapeError(f"{self!r} numbers {self.ids.shape[1]} keys, and there are {keys}")

    def in_tiles(self, grid: Grid) -> SomeEvery:
        ranks, ordered = self._ranks()
        at_queries = _Blocks(grid.at_queries(ranks, -1), grid.size[0])
        at_keys = _Blocks(ranks, grid.size[1])
        every = at_queries.only[:, :, None] == at_keys.only[:, None].masked_fill(at_keys.only[:, None] < 0, -2)
        if ordered:  # then the documents of a tile are all those from its lowest to its highest
            some = at_queries.low[:, :, None] <= at_keys.high[:, None]
            some &= at_queries.high[:, :, None] >= at_keys.low[:, None]
        else:
            some = torch.zeros_like(every)
            count = int(ranks.max()) + 1
            step = min(count, max(1, _ENTRIES // (len(some) * max(some.shape[1:]))))
            for start in range(0, count, step):
                some |= (at_queries.holds(start, step) @ at_keys.holds(start, step).mT) > 0
        return some[:, None], every[:, None]

    def _ranks(self) -> tuple[Int[Tensor, "batch keys"], bool]:
        """The documents numbered from 0, −1 for none, and whether each is in one piece and they stand in this order."""
        new, inside, _ = _pieces(self.ids)
        first = self.ids.masked_fill(~new, -1).sort(-1).values
        if bool(((first[:, 1:] == first[:, :-1]) & (first[:, 1:] >= 0)).any()):
            return torch.unique(self.ids, return_inverse=True)[1].masked_fill(~inside, -1), False
        return (new.cumsum(-1) - 1).masked_fill(~inside, -1), True

    def runs(self, queries: int, keys: int, device: torch.device) -> Runs | None:
        if device.type == "meta" or torch.compiler.is_compiling() or not self._ranks()[1]:
            return None
        _, inside, starts = _pieces(self.ids)
        stops = keys - _pieces(self.ids.flip(-1))[2].flip(-1)
        starts, stops = (x.masked_fill(~inside, 0).to(torch.int32)[:, None] for x in (starts, stops))
        at_queries = Grid(queries, keys, 1, device).at_queries
        present = None if bool(inside.all()) else inside[:, None]
        return Runs(at_queries(starts, 0), at_queries(stops, 0), present)

    def __repr__(self) -> str:
        return f"Documents({shown(self.ids[0] if len(self.ids) == 1 else self.ids)})"


def _pieces(
    ids: Int[Tensor, "batch keys"],
) -> tuple[Bool[Tensor, "batch keys"], Bool[Tensor, "batch keys"], Int[Tensor, "batch keys"]]:
    """Where a piece of a document begins, which keys are in one at all, and where theirs began.

    What belongs to no document interrupts none.
    """
    inside, number = ids >= 0, torch.arange(ids.shape[-1], device=ids.device)
    last = torch.nn.functional.pad(number.where(inside, -1).cummax(-1).values, (1, 0), value=-1)[:, :-1]
    new = inside & ((last < 0) | (ids != ids.gather(-1, last.clamp(min=0))))
    return new, inside, number.where(new, 0).cummax(-1).values


class _Blocks:
    """The documents that blocks of positions hold.

    Attributes:
        low: The first, ``(batch, blocks)``; more than any where there is none.
        high: The last; −1 where there is none.
        only: The one that all positions of the block are in; −1 where there is no such one.

    """

    def __init__(self, ranks: Int[Tensor, "batch n"], size: int) -> None:
        self.ranks = pool(ranks, size, -1)
        most = torch.iinfo(ranks.dtype).max
        self.low = self.ranks.masked_fill(self.ranks < 0, most).amin(-1)
        self.high = self.ranks.amax(-1)
        whole = pool(ranks >= 0, size, True).all(-1) & (self.low == self.high)
        self.only = self.high.masked_fill(~whole, -1)

    def holds(self, start: int, count: int) -> Float[Tensor, "batch blocks documents"]:
        """Which blocks hold which of ``count`` documents from ``start`` on, as 0 and 1."""
        index = self.ranks - start
        index = index.masked_fill((index < 0) | (index > count), count)  # the others share a place that is cut off
        found = torch.zeros(*index.shape[:2], count + 1, device=index.device)
        return found.scatter_(-1, index, 1.0)[..., :count]
