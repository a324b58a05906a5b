"""Masks that have no shorter form than a tensor, or than a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import InputError
from clearhead.masks.bound import BoundMask, closed_over, over_grid, take

__all__ = ["Explicit", "Predicate"]


class Explicit(BoundMask):
    """A boolean tensor, True = may attend, kept as it was given. Axes of size 1 serve all.

    A 6×6 checkerboard, ``torch.tensor(...)[None, None]``::

            k0 k1 k2 k3 k4 k5
        q0   #  .  #  .  #  .
        q1   .  #  .  #  .  #
        q2   #  .  #  .  #  .
        q3   .  #  .  #  .  #
        q4   #  .  #  .  #  .
        q5   .  #  .  #  .  #
    """

    def __init__(self, allowed: Bool[Tensor, "#batch #heads queries keys"]) -> None:
        self.allowed = allowed
        self.queries, self.keys = allowed.shape[-2:]

    def __repr__(self) -> str:
        return f"Explicit({self.queries} queries × {self.keys} keys)"

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        return take(self.allowed, batch, head, query, key)

    def tile(self, rows: range, columns: range) -> Bool[Tensor, "#batch #heads #rows #columns"] | None:
        part = self.allowed[..., rows.start : rows.stop, columns.start : columns.stop]
        return None if bool(part.all()) else part

    def empty_rows(self) -> Bool[Tensor, "#batch #heads #queries"]:
        return ~self.allowed.any(-1)

    @property
    def is_same_for_all_queries(self) -> bool:
        return self.allowed.shape[-2] == 1

    def tensors(self) -> Mapping[str, Tensor]:
        return {"allowed": self.allowed}

    def change(self, how: Callable[[Tensor], Tensor]) -> Explicit:
        return Explicit(how(self.allowed))

    def select_heads(self, heads: Sequence[int]) -> Explicit:
        return self if self.allowed.shape[1] == 1 else Explicit(self.allowed[:, list(heads)])


class Predicate(BoundMask):
    """A function of (batch, head, query, key) that says True where it may attend: FlexAttention's ``mask_mod``.

    The function is evaluated with :func:`torch.vmap` on just the pairs that are asked for, under the rules that
    FlexAttention sets for it. ``(key <= query) & (key // 3 == query // 3)``, two packed documents of 3 tokens::

            k0 k1 k2 k3 k4 k5
        q0   #  .  .  .  .  .
        q1   #  #  .  .  .  .
        q2   #  #  #  .  .  .
        q3   .  .  .  #  .  .
        q4   .  .  .  #  #  .
        q5   .  .  .  #  #  #
    """

    def __init__(
        self,
        function: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor],
        shape: tuple[int, int, int, int],
        device: torch.device,
        heads: Sequence[int] | None = None,
    ) -> None:
        self.function, self.device = function, device
        self.batch, self.heads, self.queries, self.keys = shape
        # The function speaks of the heads of the call that it was made for, also after a selection.
        self.head_numbers = list(range(self.heads)) if heads is None else list(heads)

    def __repr__(self) -> str:
        return f"Predicate({getattr(self.function, '__name__', 'function')}, {self.queries} × {self.keys})"

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        head = torch.tensor(self.head_numbers, device=self.device)[head]
        points = torch.broadcast_tensors(batch, head, query, key)
        flat: Tensor = torch.vmap(self.function)(*(x.reshape(-1) for x in points))
        return flat.reshape(points[0].shape)

    def tile(self, rows: range, columns: range) -> Bool[Tensor, "#batch #heads #rows #columns"] | None:
        parts = (range(self.batch), self.head_numbers, rows, columns)
        grid = over_grid(self.function)
        allowed: Tensor = grid(*(torch.tensor(part, device=self.device, dtype=torch.int64) for part in parts))
        return None if bool(allowed.all()) else allowed

    def tensors(self) -> Mapping[str, Tensor]:
        return {}

    def borrowed(self) -> list[Tensor]:
        return closed_over(self.function)

    @property
    def breadth(self) -> tuple[int, int]:
        return self.batch, len(self.head_numbers)

    def change(self, how: Callable[[Tensor], Tensor]) -> Predicate:
        del how  # it holds no tensor that it knows of
        return self

    def to(self, device: torch.device) -> Predicate:
        if device.type != self.device.type:
            raise InputError(
                f"a mask that is a function stays on {self.device}, where what it reads is; save the capture and open "
                "it, which writes the mask out"
            )
        return self

    def select_heads(self, heads: Sequence[int]) -> Predicate:
        chosen = [self.head_numbers[h] for h in heads]
        return Predicate(self.function, (self.batch, self.heads, self.queries, self.keys), self.device, chosen)
