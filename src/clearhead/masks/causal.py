"""No query sees what comes after it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.masks.base import Mask, Runs
from clearhead.masks.bound import BoundMask
from clearhead.masks.grid import Grid, SomeEvery
from clearhead.masks.spans import Spans

__all__ = ["Causal"]


class Causal(Mask):
    """Key ``j ≤ i``: each position sees itself and what came before (Vaswani et al. 2017, arXiv:1706.03762).

    >>> print(Causal().draw())
        k0 k1 k2 k3 k4 k5
    q0   #  .  .  .  .  .
    q1   #  #  .  .  .  .
    q2   #  #  #  .  .  .
    q3   #  #  #  #  .  .
    q4   #  #  #  #  #  .
    q5   #  #  #  #  #  #

    Two new tokens on four cached ones stand at the positions 4 and 5:

    >>> print(Causal().draw(queries=2, keys=6))
        k0 k1 k2 k3 k4 k5
    q0   #  #  #  #  #  .
    q1   #  #  #  #  #  #
    """

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        del batch, head
        return key <= query

    @property
    def is_relative(self) -> bool:
        return True

    @property
    def looks_back_only(self) -> bool:
        return True

    def in_tiles(self, grid: Grid) -> SomeEvery:
        some, every = grid.first_key <= grid.last_query, grid.last_key <= grid.first_query
        return some[None, None], every[None, None]

    def runs(self, queries: int, keys: int, device: torch.device) -> Runs:
        offset = keys - queries
        stops = torch.arange(offset + 1, offset + 1 + queries, device=device).clamp(0, keys)[None, None].to(torch.int32)
        return Runs(torch.zeros_like(stops), stops)

    def bind(self, queries: int, keys: int, device: torch.device | str | None = None) -> BoundMask:
        bound = super().bind(queries, keys, device)
        if isinstance(bound, Spans):
            bound.known_causal = queries == keys  # so that nobody has to look
        return bound
