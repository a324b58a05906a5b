"""A mask given as a function."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError, ShapeError
from clearhead.masks.base import Mask
from clearhead.masks.bound import closed_over, take
from clearhead.shapes import whole_number

__all__ = ["Predicate"]


class Predicate(Mask):
    """A function of (batch, head, query's position, key) that says True where it may attend.

    As FlexAttention's ``mask_mod`` it is written for four numbers and returns one boolean tensor; it is evaluated with
    :func:`torch.vmap` on just the pairs that are asked for. Two packed documents of 3 tokens:

    >>> print(Predicate(lambda b, h, i, j: (j <= i) & (j // 3 == i // 3)).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  .  .  .  .  .
    q1   #  #  .  .  .  .
    q2   #  #  #  .  .  .
    q3   .  .  .  #  .  .
    q4   .  .  .  #  #  .
    q5   .  .  .  #  #  #

    Nothing is known of a function but its values, so its tiles are found by evaluating every pair once, in blocks of
    rows. Write what can be written so with the other rules, and keep this for the rest.

    Args:
        mask_mod: The function.
        batch: For how many texts it speaks apart; 1 for a function that is the same for all of them.
        heads: For how many heads it speaks apart.
        lengths: Queries and keys, for a function that counts queries from 0 and not from where they stand. It then
            speaks of these lengths alone.

    Raises:
        InputError: It is no function, or, when it is asked, gives something else than booleans.

    """

    def __init__(
        self,
        mask_mod: Callable[..., Tensor],
        batch: int = 1,
        heads: int = 1,
        *,
        lengths: tuple[int, int] | None = None,
    ) -> None:
        if not callable(mask_mod):
            raise InputError(f"a predicate is a function of (batch, head, query, key); got {mask_mod!r}")
        self.mask_mod, self.batch = mask_mod, whole_number("batch", batch)
        self.heads = whole_number("heads", heads)
        self.lengths = lengths
        # The function speaks of the heads that it was made for, also after a selection.
        self.selected: tuple[int, ...] | None = None

    def fits(self, queries: int, keys: int) -> None:
        if self.lengths not in (None, (queries, keys)):
            raise ShapeError(f"{self!r} counts queries from 0 of {self.lengths}, and was asked for {queries} × {keys}")

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        batch = torch.zeros_like(batch) if self.batch == 1 else batch
        head = torch.zeros_like(head) if self.heads == 1 else head
        if self.selected is not None:
            head = take(torch.tensor(self.selected, device=query.device, dtype=torch.int64), head)
        if self.lengths is not None:
            query = query - (self.lengths[1] - self.lengths[0])
        shape = torch.broadcast_shapes(*(x.shape for x in (batch, head, query, key)))
        if not shape:  # a single pair, as within a mask_mod
            return self.mask_mod(batch, head, query, key)
        # One vmap an axis, so that no index is written out for every pair.
        points = [x[(None,) * (len(shape) - x.dim())] for x in (batch, head, query, key)]
        function = self.mask_mod
        for axis in reversed(range(len(shape))):
            if shape[axis] != 1:
                function = torch.vmap(function, in_dims=tuple(None if x.shape[axis] == 1 else 0 for x in points))
        found: Tensor = function(*(x.squeeze() for x in points))
        if found.dtype != torch.bool:
            raise InputError(f"a predicate says True or False; {_name(self.mask_mod)} gave {found.dtype}")
        return found.reshape(shape)

    @property
    def breadth(self) -> tuple[int, int]:
        return self.batch, self.heads if self.selected is None else len(self.selected)

    def borrowed(self) -> list[Tensor]:
        return closed_over(self.mask_mod)

    def to(self, device: torch.device | str) -> Predicate:
        where = torch.device(device)
        for tensor in closed_over(self.mask_mod):
            if tensor.device.type != where.type:
                raise InputError(
                    f"a mask that is a function stays on {tensor.device}, where what it reads is; write it out: "
                    f"Explicit(mask.dense(queries, keys)).to({str(where)!r})"
                )
        return self

    def select_heads(self, heads: Sequence[int]) -> Predicate:
        if self.heads == 1:
            return self
        chosen = copy.copy(self)
        chosen.selected = tuple(heads if self.selected is None else (self.selected[h] for h in heads))
        return chosen

    def __repr__(self) -> str:
        breadth = "" if (self.batch, self.heads) == (1, 1) else f", {self.batch}, {self.heads}"
        lengths = "" if self.lengths is None else f", lengths={self.lengths}"
        selected = "" if self.selected is None else f".select_heads({list(self.selected)})"
        return f"Predicate({_name(self.mask_mod)}{breadth}{lengths}){selected}"


def _name(function: Callable[..., Tensor]) -> str:
    return getattr(function, "__name__", "function")
