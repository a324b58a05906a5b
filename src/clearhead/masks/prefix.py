"""A prompt that all see, and an answer that is written from left to right."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks.base import Mask, Runs, as_lengths, as_tensor, shown
from clearhead.masks.bound import take
from clearhead.masks.grid import Grid, SomeEvery

__all__ = ["Prefix"]


class Prefix(Mask):
    """Key ``j ≤ i``, or ``j < length``: causal, and the first ``length`` keys are seen by every query.

    The mask of a prefix language model (Raffel et al. 2020, arXiv:1910.10683). A prefix of 3 tokens:

    >>> print(Prefix(3).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  #  #  .  .  .
    q1   #  #  #  .  .  .
    q2   #  #  #  .  .  .
    q3   #  #  #  #  .  .
    q4   #  #  #  #  #  .
    q5   #  #  #  #  #  #

    Args:
        lengths: The prefix of each text, integers ``(batch,)``, or one for all.

    Raises:
        InputError: The lengths are no integers.
        ShapeError: They have more than one axis.

    """

    def __init__(self, lengths: int | Sequence[int] | Tensor) -> None:
        given = as_tensor("a list of lengths", lengths)
        given = given.long() if given.numel() == 0 and given.dim() == 1 else given  # an empty list has no type
        if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
            raise InputError(f"the lengths of prefixes are integers; got {given.dtype}")
        if given.dim() > 1:
            raise ShapeError(f"the lengths of prefixes are (batch,) or one number; got the shape {tuple(given.shape)}")
        self.lengths: Int[Tensor, "batch"] = as_lengths(given, lengths)

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        del head
        return (key <= query) | (key < take(self.lengths, batch))

    @property
    def breadth(self) -> tuple[int, int]:
        return len(self.lengths), 1

    def in_tiles(self, grid: Grid) -> SomeEvery:
        last = self.lengths[:, None, None, None] - 1
        return grid.first_key <= last.maximum(grid.last_query), grid.last_key <= last.maximum(grid.first_query)

    def runs(self, queries: int, keys: int, device: torch.device) -> Runs:
        offset = keys - queries
        stops = torch.arange(offset + 1, offset + 1 + queries, device=device).maximum(self.lengths[:, None, None])
        stops = stops.clamp(0, keys).to(torch.int32)
        return Runs(torch.zeros_like(stops), stops)

    def __repr__(self) -> str:
        return f"Prefix({shown(self.lengths[0] if len(self.lengths) == 1 else self.lengths)})"
