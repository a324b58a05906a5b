"""A rule at the lengths of one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.masks.base import Mask
from clearhead.masks.bound import BoundMask
from clearhead.masks.grid import Grid, SomeEvery

__all__ = ["BoundRule"]

_SIDE = 64  # of the tiles that columns_for and rows_for know


class BoundRule(BoundMask):
    """What a rule says of so many queries and keys, for rules that are no single run of keys a query.

    ``(Window(1, 0) | Global([0])).bind(6, 6)``::

            k0 k1 k2 k3 k4 k5
        q0   #  #  #  #  #  #
        q1   #  #  .  .  .  .
        q2   #  #  #  .  .  .
        q3   #  .  #  #  .  .
        q4   #  .  .  #  #  .
        q5   #  .  .  .  #  #

    Args:
        rule: The rule.
        queries: How many queries there are.
        keys: How many keys there are.
        device: Where it is evaluated.
        first: The position that the rule is told for query 0; by default the last query stands at the last key.

    """

    def __init__(self, rule: Mask, queries: int, keys: int, device: torch.device, first: int | None = None) -> None:
        self.rule, self.queries, self.keys, self.device = rule, queries, keys, device
        self.first = keys - queries if first is None else first

    def __repr__(self) -> str:
        aligned = "" if self.first == self.keys - self.queries else f", query 0 at position {self.first}"
        return f"{self.rule!r} at {self.queries} queries × {self.keys} keys{aligned}"

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        return self.rule.allows(batch, head, query + self.first, key)

    def tile(self, rows: range, columns: range) -> Bool[Tensor, "#batch #heads #rows #columns"] | None:
        part = self.rule.block(self.first + rows.start, len(rows), columns.start, len(columns), self.device)
        return None if bool(part.all()) else part

    @cached_property
    def _seen(self) -> Bool[Tensor, "query_blocks key_blocks"] | None:
        """The tiles in which some pair may attend, ``None`` where finding out would mean evaluating all pairs."""
        if not self.rule.has_form or self.first != self.keys - self.queries:
            return None
        grid = Grid(self.queries, self.keys, _SIDE, self.device)
        some, _ = self.rule.in_tiles(grid)
        return some.expand(-1, -1, len(grid.first_query), len(grid.first_key)).flatten(0, 1).any(0)

    def columns_for(self, rows: range) -> range:
        return range(self.keys) if self._seen is None else _extent(self._seen, rows, self.keys)

    def rows_for(self, columns: range) -> range:
        return range(self.queries) if self._seen is None else _extent(self._seen.T, columns, self.queries)

    def in_tiles(self, size: tuple[int, int]) -> SomeEvery:
        if not self.rule.has_form or self.first != self.keys - self.queries:
            return super().in_tiles(size)
        grid = Grid(self.queries, self.keys, size, self.device)
        some, every = self.rule.in_tiles(grid)
        blocks = (len(grid.first_query), len(grid.first_key))
        return some.expand(-1, -1, *blocks), every.expand(-1, -1, *blocks)

    def are_alike(self, rows: Sequence[int], height: int, columns: Sequence[int], width: int) -> bool:
        del height, width
        return self.rule.is_relative and len({column - row for row, column in zip(rows, columns, strict=True)}) == 1

    def empty_rows(self) -> Bool[Tensor, "#batch #heads #queries"]:
        if self.first != self.keys - self.queries:
            return super().empty_rows()
        return self.rule.empty_rows(self.queries, self.keys, device=self.device)

    @property
    def is_same_for_all_queries(self) -> bool:
        return self.rule.is_same_for_all_queries

    @property
    def looks_back_only(self) -> bool:
        return self.rule.looks_back_only and self.first <= self.keys - self.queries

    def tensors(self) -> Mapping[str, Tensor]:
        return self.rule.tensors()

    @property
    def breadth(self) -> tuple[int, int]:
        return self.rule.breadth

    def borrowed(self) -> list[Tensor]:
        return self.rule.borrowed()

    def _with(self, rule: Mask, device: torch.device) -> BoundRule:
        return BoundRule(rule, self.queries, self.keys, device, self.first)

    def change(self, how: Callable[[Tensor], Tensor]) -> BoundRule:
        rule = self.rule.change(how)
        return self._with(rule, next((x.device for x in rule.tensors().values()), self.device))

    def to(self, device: torch.device) -> BoundRule:
        return self._with(self.rule.to(device), device)

    def select_heads(self, heads: Sequence[int]) -> BoundRule:
        return self._with(self.rule.select_heads(heads), self.device)


def _extent(seen: Bool[Tensor, "blocks others"], part: range, length: int) -> range:
    """The range of the other axis, of ``length``, that the blocks which hold ``part`` see."""
    blocks = seen[part.start // _SIDE : -(-part.stop // _SIDE)].any(0).nonzero() if part else seen.new_empty(0)
    return range(int(blocks[0]) * _SIDE, min(length, (int(blocks[-1]) + 1) * _SIDE)) if len(blocks) else range(0)
