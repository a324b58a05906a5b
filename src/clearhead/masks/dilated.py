"""A window with gaps."""

from __future__ import annotations

from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.masks.base import FARTHEST, Mask
from clearhead.masks.grid import Grid, SomeEvery
from clearhead.shapes import whole_number

__all__ = ["Dilated"]


class Dilated(Mask):
    """Position i sees the keys i + m·``step`` for −``window`` ≤ m ≤ ``window``, both ends included.

    The dilated sliding window of Longformer (Beltagy et al. 2020, arXiv:2004.05150, section 3.1).

    >>> print(Dilated(1, 2).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  .  #  .  .  .
    q1   .  #  .  #  .  .
    q2   #  .  #  .  #  .
    q3   .  #  .  #  .  #
    q4   .  .  #  .  #  .
    q5   .  .  .  #  .  #

    Args:
        window: How many keys a query sees on each side of its own.
        step: How far they are apart; 1 leaves no gaps.

    Raises:
        InputError: The window is negative, the step less than 1, or either no whole number.

    """

    def __init__(self, window: int, step: int) -> None:
        self.window = whole_number("a dilated window", window, 0)
        self.step = whole_number("the step of a dilated window", step)

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        del batch, head
        distance = key - query
        return (distance.abs() <= self._reach) & (distance % self.step == 0)

    @property
    def _reach(self) -> int:
        """How far the farthest key is."""
        return min(self.window * self.step, FARTHEST // self.step * self.step)

    @property
    def is_relative(self) -> bool:
        return True

    def in_tiles(self, grid: Grid) -> SomeEvery:
        reach = self._reach
        # The distances in a tile are all those from its nearest to its farthest.
        low, high = grid.first_key - grid.last_query, grid.last_key - grid.first_query
        some = high.clamp(max=reach).div(self.step, rounding_mode="floor") * self.step >= low.clamp(min=-reach)
        every = (low >= -reach) & (high <= reach)
        if self.step > 1:
            every &= (low == high) & (low % self.step == 0)
        return some[None, None], every[None, None]
