"""A mask given as a function."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError
from clearhead.masks.base import Mask, integer
from clearhead.masks.bound import closed_over, over_grid, take

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

    """

    def __init__(self, mask_mod: Callable[..., Tensor], batch: int = 1, heads: int = 1) -> None:
        self.mask_mod, self.batch = mask_mod, integer(batch, "batch", 1)
        self.heads = integer(heads, "heads", 1)
        # The function speaks of the heads that it was made for, also after a selection.
        self.selected: tuple[int, ...] | None = None

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
        points = torch.broadcast_tensors(batch, head, query, key)
        if not points[0].dim():  # a single pair, as within a mask_mod
            return self.mask_mod(*points)
        flat: Tensor = torch.vmap(self.mask_mod)(*(x.reshape(-1) for x in points))
        return flat.reshape(points[0].shape)

    @property
    def breadth(self) -> tuple[int, int]:
        return self.batch, self.heads if self.selected is None else len(self.selected)

    def block(
        self, position: int, rows: int, key: int, columns: int, device: torch.device
    ) -> Bool[Tensor, "#batch #heads #rows #columns"]:
        found: Tensor = over_grid(self.mask_mod)(
            torch.arange(self.batch, device=device),
            torch.tensor(
                range(self.heads) if self.selected is None else self.selected, device=device, dtype=torch.int64
            ),
            torch.arange(position, position + rows, device=device),
            torch.arange(key, key + columns, device=device),
        )
        return found

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
        selected = "" if self.selected is None else f".select_heads({list(self.selected)})"
        return f"Predicate({getattr(self.mask_mod, '__name__', 'function')}{breadth}){selected}"
