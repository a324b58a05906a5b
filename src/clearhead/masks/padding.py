"""Texts of different lengths in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks.base import Mask, Runs, as_lengths, as_tensor, shown
from clearhead.masks.bound import take
from clearhead.masks.grid import Grid, SomeEvery

__all__ = ["Padding"]


class Padding(Mask):
    """Every query sees the keys that are there, and none that only fill up a shorter text.

    ``Padding([4, 6])`` is a batch of two texts, of 4 and of 6 tokens; the first of them:

    >>> print(Padding([4, 6]).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  #  #  #  .  .
    q1   #  #  #  #  .  .
    q2   #  #  #  #  .  .
    q3   #  #  #  #  .  .
    q4   #  #  #  #  .  .
    q5   #  #  #  #  .  .

    A padded *query* attends like any other; ``~Padding`` shows the fillers.

    Args:
        present: Either the lengths of the texts, integers ``(batch,)`` or one for all; or booleans ``(batch, keys)``
            or ``(keys,)``, True where a key is there, which also says padding on the left.

    Raises:
        InputError: Neither integers nor booleans, or integers ``(batch, keys)``, which could be either.

    """

    def __init__(self, present: int | Sequence[int] | Sequence[Sequence[bool]] | Tensor) -> None:
        given = as_tensor("which keys there are", present)
        given = given.long() if given.numel() == 0 and given.dim() == 1 else given  # an empty list has no type
        if given.dtype == torch.bool and given.dim() in (1, 2):
            self.held: Tensor = given if given.dim() == 2 else given[None]
        elif given.dtype == torch.bool or given.is_floating_point() or given.is_complex():
            raise InputError(
                f"padding is given as lengths (batch,) or booleans (batch, keys); got {given.dtype} of shape "
                f"{tuple(given.shape)}"
            )
        elif given.dim() > 1:
            raise InputError(
                f"padding of shape {tuple(given.shape)} must be boolean, True where a key is there; got {given.dtype}: "
                "call .bool() on it, or .sum(-1) for lengths"
            )
        else:
            self.held = as_lengths(given, present)

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        del head, query
        return key < take(self.held, batch) if self._are_lengths else take(self.held, batch, key)

    @property
    def _are_lengths(self) -> bool:
        return self.held.dim() == 1

    @property
    def breadth(self) -> tuple[int, int]:
        return len(self.held), 1

    @property
    def is_same_for_all_queries(self) -> bool:
        return True

    def fits(self, queries: int, keys: int) -> None:
        del queries
        if not self._are_lengths and self.held.shape[1] != keys:
            raise ShapeError(f"{self!r} speaks of {self.held.shape[1]} keys, and there are {keys}")

    def in_tiles(self, grid: Grid) -> SomeEvery:
        if self._are_lengths:
            lengths = self.held[:, None, None, None]
            return grid.first_key < lengths, grid.last_key < lengths
        some, every = grid.some_and_every(self.held, 1)
        return some[:, None, None], every[:, None, None]

    def runs(self, queries: int, keys: int, device: torch.device) -> Runs:
        del queries
        zero = torch.zeros(1, 1, 1, dtype=torch.int32, device=device)
        if self._are_lengths:
            return Runs(zero, self.held.clamp(0, keys).to(torch.int32)[:, None, None])
        return Runs(zero, zero + keys, self.held[:, None])

    def __repr__(self) -> str:
        return f"Padding({shown(self.held[0] if len(self.held) == 1 else self.held)})"
