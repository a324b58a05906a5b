"""A mask that has no shorter form than a tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks.base import Mask, as_tensor, shown
from clearhead.masks.bound import take

__all__ = ["Explicit"]


class Explicit(Mask):
    """A boolean tensor, True = may attend, kept as it was given.

    A 6×6 checkerboard:

    >>> import torch
    >>> print(Explicit((torch.arange(6)[:, None] + torch.arange(6)) % 2 == 0).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  .  #  .  #  .
    q1   .  #  .  #  .  #
    q2   #  .  #  .  #  .
    q3   .  #  .  #  .  #
    q4   #  .  #  .  #  .
    q5   .  #  .  #  .  #

    It speaks of just the lengths that it has; its tiles are found by reading it.

    Args:
        allowed: ``(batch, heads, queries, keys)``, ``(heads, queries, keys)`` or ``(queries, keys)``. An axis of size 1
            among batch, heads and queries serves all.

    Raises:
        InputError: The tensor is not boolean.
        ShapeError: It has not 2 to 4 axes.

    """

    def __init__(self, allowed: Tensor | Sequence[object]) -> None:
        allowed = as_tensor("an explicit mask", allowed)
        if allowed.dtype != torch.bool:
            remedy = "for 0 and 1 call .bool() on it; numbers added to scores are read by clearhead.masks.from_additive"
            raise InputError(
                f"an explicit mask is boolean, True = may attend; got {allowed.dtype}: "
                + (remedy if allowed.is_floating_point() else "call .bool() on it")
            )
        if not 2 <= allowed.dim() <= 4:
            raise ShapeError(
                f"an explicit mask is (batch, heads, queries, keys), without the first one or two if they are 1; "
                f"got the shape {tuple(allowed.shape)}"
            )
        self.allowed: Bool[Tensor, "#batch #heads #queries keys"] = allowed[(None,) * (4 - allowed.dim())]

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        return take(self.allowed, batch, head, query - self._offset, key)

    @property
    def _offset(self) -> int:
        """The position of the first row."""
        return self.allowed.shape[3] - self.allowed.shape[2]

    @property
    def breadth(self) -> tuple[int, int]:
        return self.allowed.shape[0], self.allowed.shape[1]

    @property
    def is_same_for_all_queries(self) -> bool:
        return self.allowed.shape[2] == 1

    def fits(self, queries: int, keys: int) -> None:
        has = tuple(self.allowed.shape[2:])
        if has[1] != keys or has[0] not in (1, queries):
            raise ShapeError(
                f"an explicit mask of {has[0]} × {has[1]} (queries × keys) was asked for {queries} × {keys}; it speaks "
                "of just its own lengths, save that a single query serves all. Which keys of each text exist, "
                "(batch, keys), is said by Padding"
            )

    def block(
        self, position: int, rows: int, key: int, columns: int, device: torch.device
    ) -> Bool[Tensor, "#batch #heads #rows #columns"]:
        del device  # that of the tensor
        part = self.allowed[..., key : key + columns]
        first = position - self._offset
        return part if part.shape[2] == 1 else part[..., first : first + rows, :]

    def select_heads(self, heads: Sequence[int]) -> Mask:
        return self.change(lambda x: x if x.shape[1] == 1 else x[:, list(heads)])

    def __repr__(self) -> str:
        whole = self.allowed
        return f"Explicit({shown(whole[0, 0] if whole.shape[:2] == (1, 1) else whole)})"
