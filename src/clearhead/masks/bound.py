"""What the mask of one call answers."""

from __future__ import annotations

import functools
import inspect
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.masks.grid import SomeEvery, pool
from clearhead.shapes import breadth

__all__ = ["BoundMask", "Solid", "closed_over", "over_grid", "take"]


def take(values: Tensor, *indices: Int[Tensor, "..."]) -> Tensor:
    """``values[indices]``, where an axis of size 1 in ``values`` serves every index."""
    return values[tuple(torch.zeros_like(i) if n == 1 else i for n, i in zip(values.shape, indices, strict=True))]


def over_grid(function: Callable[..., Tensor], *, scored: bool = False) -> Callable[..., Tensor]:
    """``function(batch, head, query, key)`` for four index vectors instead of four numbers: a tile of its values.

    One :func:`torch.vmap` an axis, so that no index is ever written out for every pair.

    Args:
        function: FlexAttention's ``mask_mod``, or with ``scored`` its ``score_mod``, whose first argument is a tile.
        scored: See ``function``.

    """
    for axis in (3, 2, 1, 0):
        index = [0 if axis == other else None for other in range(4)]
        function = torch.vmap(function, in_dims=(0, *index) if scored else tuple(index))
    return function


def closed_over(function: Callable[..., Any]) -> list[Tensor]:
    """The tensors that a function reads besides its arguments, also through the functions that it calls.

    Of an object that is called, or whose method the function is, and of a ``functools.partial``, those that it holds.
    """
    found: list[Tensor] = []
    seen: set[int] = set()
    ahead: list[object] = [function]
    while ahead:
        value = ahead.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, types.FunctionType):
            names = inspect.getclosurevars(value)
            ahead += [*names.nonlocals.values(), *names.globals.values()]
        elif isinstance(value, functools.partial):
            ahead += [value.func, *value.args, *value.keywords.values()]
        elif isinstance(value, types.MethodType):
            ahead += [value.__func__, value.__self__, *vars(value.__self__).values()]
        elif isinstance(value, list | tuple):
            ahead += value
        elif isinstance(value, dict):
            ahead += value.values()
        elif callable(value) and hasattr(value, "__dict__") and not isinstance(value, type):
            ahead += [*vars(value).values(), type(value).__call__]
    return found


class Solid(NamedTuple):
    """Part of a map in which nothing is forbidden, such as a document among packed ones."""

    rows: range
    columns: range
    causal: bool
    """Whether it is a triangle, as large along queries as along keys: the first query sees one key, the last all."""


class BoundMask(ABC):
    """Which query may attend to which key in one call. True = may attend, everywhere.

    It knows its lengths (``queries``, ``keys``) and names a query by its number; its batch and head axes may be of
    size 1 and then serve all. Rules for any lengths are :class:`~clearhead.masks.Mask`; ``bind`` makes one of these.
    """

    queries: int
    keys: int

    @abstractmethod
    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        """Whether each (batch, head, query, key) may attend; the four index tensors broadcast together."""

    @abstractmethod
    def tile(self, rows: range, columns: range) -> Bool[Tensor, "#batch #heads #rows #columns"] | None:
        """The part ``rows × columns`` for all batches and heads, or None where all of it may attend."""

    def columns_for(self, rows: range) -> range:
        """A range of keys outside of which no query in ``rows`` may attend to anything."""
        del rows
        return range(self.keys)

    def rows_for(self, columns: range) -> range:
        """A range of queries outside of which nothing may attend to any key in ``columns``."""
        del columns
        return range(self.queries)

    def empty_rows(self) -> Bool[Tensor, "#batch #heads #queries"]:
        """Which queries may attend to nothing at all, here found by one pass in blocks of queries."""
        if self.queries == 0:
            return torch.zeros(1, 1, 0, dtype=torch.bool)
        step = max(1, 2**16 // max(1, self.keys))
        found: list[Tensor] = []
        for start in range(0, self.queries, step):
            rows = range(start, min(start + step, self.queries))
            part = self.tile(rows, range(self.keys))
            empty = torch.zeros(1, 1, 1, dtype=torch.bool) if part is None else ~part.any(-1)
            found.append(empty.expand(*empty.shape[:2], len(rows)))
        batch, heads = breadth(*(part.shape for part in found))
        device = max((part.device for part in found), key=str)  # blocks without a tile are made on the CPU
        return torch.cat([part.to(device).expand(batch, heads, -1) for part in found], -1)

    def in_tiles(self, size: tuple[int, int]) -> SomeEvery:
        """Whether some pair, and whether every pair of each tile of ``size`` (queries, keys) may attend.

        ``(#batch, #heads, query_blocks, key_blocks)`` each; here by evaluating all pairs, a row of tiles at a time.
        """
        found = []
        for start in range(0, self.queries, size[0]):
            rows = range(start, min(start + size[0], self.queries))
            part = self.tile(rows, range(self.keys))
            if part is None:
                part = torch.ones(1, 1, 1, self.keys, dtype=torch.bool)
            some, every = part.any(-2, keepdim=True), part.all(-2, keepdim=True)
            found.append((pool(some, size[1], False).any(-1), pool(every, size[1], True).all(-1)))
        device = max((some.device for some, _ in found), key=str)  # tiles that forbid nothing are made on the CPU
        breadth = [max(some.shape[axis] for some, _ in found) for axis in (0, 1)]
        some, every = (
            torch.cat([pair[which].to(device).expand(*breadth, -1, -1) for pair in found], -2) for which in (0, 1)
        )
        return some, every

    def are_alike(self, rows: Sequence[int], height: int, columns: Sequence[int], width: int) -> bool:
        """Whether tiles of ``height`` × ``width`` pairs are known to be the same.

        ``rows`` and ``columns`` are the first query and the first key of each.
        """
        del rows, height, columns, width
        return False

    def solid(self, text: int, head: int) -> list[Solid] | None:
        """The map of one text and head as rectangles and triangles in which nothing is forbidden, if it is a few."""
        del text, head
        return None

    @property
    def is_same_for_all_queries(self) -> bool:
        """Whether every query may attend to the same keys, as with padding."""
        return False

    def __and__(self, other: BoundMask) -> BoundMask:
        """What both allow."""
        from clearhead.masks.both import both

        return both(self, other)

    @property
    def looks_back_only(self) -> bool:
        """Whether no query may attend past its own position (the last query stands at the last key).

        True is a promise; a mask for which finding out would cost a pass over all pairs says False.
        """
        return False

    @property
    def is_causal(self) -> bool:
        """Whether this is exactly the triangle of a square causal map, which kernels have a flag for."""
        return False

    @abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors it holds, by name."""

    def borrowed(self) -> list[Tensor]:
        """The tensors that its answers depend on and that are somebody else's."""
        return list(self.tensors().values())

    @property
    def breadth(self) -> tuple[int, int]:
        """For how many texts and heads a tile is written out: the most that its first two axes can have."""
        return breadth((1, 1), *(x.shape for x in self.tensors().values()))

    @abstractmethod
    def change(self, how: Callable[[Tensor], Tensor]) -> BoundMask:
        """The same mask with ``how`` done to each of its tensors."""

    def to(self, device: torch.device) -> BoundMask:
        """The same mask on another device."""
        return self.change(lambda tensor: tensor.to(device))

    @abstractmethod
    def select_heads(self, heads: Sequence[int]) -> BoundMask:
        """The same mask for these heads only."""
