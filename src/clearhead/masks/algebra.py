"""What both rules allow, what either allows, what a rule does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.errors import ShapeError
from clearhead.masks.base import _SIDE, Mask
from clearhead.masks.bound import BoundMask
from clearhead.masks.bound_rule import BoundRule
from clearhead.masks.grid import Grid, SomeEvery
from clearhead.masks.spans import Spans
from clearhead.shapes import breadth

__all__ = ["And", "Not", "Or"]


class _Pair(Mask):
    """Two rules and an operator between them."""

    _sign: ClassVar[str]
    _combine: ClassVar[Callable[[Tensor, Tensor], Tensor]]

    def __init__(self, first: Mask, second: Mask) -> None:
        for axis, one, two in zip(("batch", "heads"), first.breadth, second.breadth, strict=True):
            if one != two and 1 not in (one, two):
                raise ShapeError(f"{first!r} and {second!r} cannot be combined: one has {axis} {one}, the other {two}")
        self.first, self.second = first, second

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        point = (batch, head, query, key)
        return type(self)._combine(self.first.allows(*point), self.second.allows(*point))

    @property
    def breadth(self) -> tuple[int, int]:
        return breadth(self.first.breadth, self.second.breadth)

    @property
    def is_same_for_all_queries(self) -> bool:
        return self.first.is_same_for_all_queries and self.second.is_same_for_all_queries

    def block(
        self, position: int, rows: int, key: int, columns: int, device: torch.device
    ) -> Bool[Tensor, "#batch #heads #rows #columns"]:
        place = (position, rows, key, columns, device)
        return type(self)._combine(self.first.block(*place), self.second.block(*place))

    def in_tiles(self, grid: Grid) -> SomeEvery:
        first, second = self.first.in_tiles(grid), self.second.in_tiles(grid)
        return type(self)._combine(first[0], second[0]), type(self)._combine(first[1], second[1])

    def __repr__(self) -> str:
        return f"{_within(self.first, self._strength)} {self._sign} {_within(self.second, self._strength + 1)}"


class And(_Pair):
    """What both rules allow, written ``first & second``.

    Its tiles: some pair may attend only where some may in both (which pairs these are is not asked, so such a tile may
    turn out empty), and all may where all may in both.

    >>> from clearhead.masks import Causal, Documents
    >>> print((Causal() & Documents([0, 0, 0, 1, 1, 1])).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  .  .  .  .  .
    q1   #  #  .  .  .  .
    q2   #  #  #  .  .  .
    q3   .  .  .  #  .  .
    q4   .  .  .  #  #  .
    q5   .  .  .  #  #  #
    """

    _strength, _sign, _combine = 2, "&", torch.logical_and

    @property
    def looks_back_only(self) -> bool:
        return self.first.looks_back_only or self.second.looks_back_only

    def bind(self, queries: int, keys: int, device: torch.device | str | None = None) -> BoundMask:
        self.fits(queries, keys)
        where = self._place(device)
        bound = self.first.bind(queries, keys, where) & self.second.bind(queries, keys, where)
        # What has a form answers as one rule, without evaluating all pairs of either part.
        return BoundRule(self, queries, keys, where) if self.has_form and not isinstance(bound, Spans) else bound

    def some_in_rows(self, grid: Grid) -> Bool[Tensor, "#batch #heads #queries 1"]:
        bound = self.bind(grid.queries, grid.keys, grid.device)
        if isinstance(bound, Spans):
            return ~bound.empty_rows()[..., None]
        return _search(self, grid) if self.has_form else Mask.in_tiles(self, grid)[0]

    def every_in_rows(self, grid: Grid) -> Bool[Tensor, "#batch #heads #queries 1"]:
        return self.first.every_in_rows(grid) & self.second.every_in_rows(grid)


class Or(_Pair):
    """What either rule allows, written ``first | second``.

    Its tiles: some pair may attend where some may in either, and all may where all may in one of them (two rules that
    only together allow a whole tile make it MIXED).

    >>> from clearhead.masks import Global, Window
    >>> print((Window(1, 1) | Global([0])).draw())
        k0 k1 k2 k3 k4 k5
    q0   #  #  #  #  #  #
    q1   #  #  #  .  .  .
    q2   #  #  #  #  .  .
    q3   #  .  #  #  #  .
    q4   #  .  .  #  #  #
    q5   #  .  .  .  #  #
    """

    _strength, _sign, _combine = 1, "|", torch.logical_or

    @property
    def looks_back_only(self) -> bool:
        return self.first.looks_back_only and self.second.looks_back_only

    def some_in_rows(self, grid: Grid) -> Bool[Tensor, "#batch #heads #queries 1"]:
        return self.first.some_in_rows(grid) | self.second.some_in_rows(grid)

    def every_in_rows(self, grid: Grid) -> Bool[Tensor, "#batch #heads #queries 1"]:
        return ~And(~self.first, ~self.second).some_in_rows(grid)


class Not(Mask):
    """What the rule does not allow, written ``~rule``.

    Dynamo traces no ``~``: a rule that is made within a compiled function is written ``Not(rule)``.

    >>> from clearhead.masks import Causal
    >>> print((~Causal()).draw())
        k0 k1 k2 k3 k4 k5
    q0   .  #  #  #  #  #
    q1   .  .  #  #  #  #
    q2   .  .  .  #  #  #
    q3   .  .  .  .  #  #
    q4   .  .  .  .  .  #
    q5   .  .  .  .  .  .
    """

    _strength = 3

    def __init__(self, rule: Mask) -> None:
        self.rule = rule

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        return ~self.rule.allows(batch, head, query, key)

    @property
    def breadth(self) -> tuple[int, int]:
        return self.rule.breadth

    @property
    def is_same_for_all_queries(self) -> bool:
        return self.rule.is_same_for_all_queries

    def block(
        self, position: int, rows: int, key: int, columns: int, device: torch.device
    ) -> Bool[Tensor, "#batch #heads #rows #columns"]:
        return ~self.rule.block(position, rows, key, columns, device)

    def in_tiles(self, grid: Grid) -> SomeEvery:
        some, every = self.rule.in_tiles(grid)
        return ~every, ~some

    def some_in_rows(self, grid: Grid) -> Bool[Tensor, "#batch #heads #queries 1"]:
        return ~self.rule.every_in_rows(grid)

    def every_in_rows(self, grid: Grid) -> Bool[Tensor, "#batch #heads #queries 1"]:
        return ~self.rule.some_in_rows(grid)

    def __repr__(self) -> str:
        return f"~{_within(self.rule, self._strength)}"


def _within(rule: Mask, strength: int) -> str:
    return repr(rule) if rule._strength >= strength else f"({rule!r})"


def _search(rule: Mask, rows: Grid) -> Bool[Tensor, "#batch #heads queries 1"]:
    """Which queries may attend to some key: those of a row of tiles with a FULL one; others by their MIXED tiles."""
    grid = Grid(rows.queries, rows.keys, _SIDE, rows.device)
    some, every = rule.in_tiles(grid)
    blocks = len(grid.first_query)
    found = every.any(-1).expand(*rule.breadth, blocks).repeat_interleave(_SIDE, -1)[..., : grid.queries].clone()
    mixed = (some & ~every).flatten(0, 1).any(0).expand(blocks, len(grid.first_key))
    batch = torch.arange(rule.breadth[0], device=grid.device)[:, None, None, None]
    head = torch.arange(rule.breadth[1], device=grid.device)[:, None, None]
    for row in range(blocks):
        part = found[..., row * _SIDE : (row + 1) * _SIDE]
        query = torch.arange(part.shape[-1], device=grid.device)[:, None] + grid.first_query[row]
        for column in mixed[row].nonzero().flatten().tolist():
            if bool(part.all()):
                break
            key = torch.arange(column * _SIDE, min((column + 1) * _SIDE, grid.keys), device=grid.device)
            part |= rule.allows(batch, head, query, key).any(-1)
    return found[..., None]
