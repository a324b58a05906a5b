"""Masks in which each query sees one run of keys: causal, windows, padding, prefixes, packed documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clearhead.masks.bound import BoundMask, Solid, take
from clearhead.masks.grid import SomeEvery, pool
from clearhead.shapes import breadth

__all__ = ["Spans"]

_FEW = 32  # queries of a solid part, on average, below which they are not worth looking at one by one


class Spans(BoundMask):
    """Query i may attend to the keys ``starts[i] ≤ j < stops[i]``, of these only to ``present`` ones.

    The masks of nearly every published model have this form, in O(queries + keys) numbers. A 6×6 causal mask
    (``starts`` = 0, ``stops`` = i + 1) over keys of which the first is padding (``present`` is False there)::

            k0 k1 k2 k3 k4 k5
        q0   .  .  .  .  .  .
        q1   .  #  .  .  .  .
        q2   .  #  #  .  .  .
        q3   .  #  #  #  .  .
        q4   .  #  #  #  #  .
        q5   .  #  #  #  #  #

    Args:
        starts: First key of each query's run.
        stops: One past the last key of each query's run. A size of 1 in any axis of either serves all.
        queries: How many queries there are.
        keys: How many keys there are.
        present: Which keys exist at all, ``None`` for all of them.

    """

    def __init__(
        self,
        starts: Int[Tensor, "#batch #heads #queries"],
        stops: Int[Tensor, "#batch #heads #queries"],
        queries: int,
        keys: int,
        present: Bool[Tensor, "#batch #heads keys"] | None = None,
    ) -> None:
        self.starts: Tensor
        self.stops: Tensor
        self.starts, self.stops = torch.broadcast_tensors(starts, stops)
        self.queries, self.keys, self.present = queries, keys, present
        self.known_causal: bool | None = None
        """What :attr:`is_causal` answers, where that was known or found before."""

    @classmethod
    def causal(cls, queries: int, keys: int, *, device: torch.device, offset: int | None = None) -> Spans:
        """Query i sees the keys up to i + ``offset``; by default the last query stands at the last key."""
        offset = keys - queries if offset is None else offset
        stops = torch.arange(offset + 1, offset + 1 + queries, device=device).clamp(0, keys)[None, None].to(torch.int32)
        return cls(torch.zeros_like(stops), stops, queries, keys)

    @classmethod
    def padding(cls, present: Bool[Tensor, "batch keys"], queries: int) -> Spans:
        """Every query sees exactly the keys that are ``present``."""
        return cls.all_present(present[:, None], queries)

    @classmethod
    def all_present(cls, present: Bool[Tensor, "batch heads keys"], queries: int) -> Spans:
        """Like :meth:`padding`, with keys that differ by head."""
        keys = present.shape[-1]
        zero = torch.zeros(1, 1, 1, dtype=torch.int32, device=present.device)
        return cls(zero, zero + keys, queries, keys, present)

    def __repr__(self) -> str:
        kind = "causal" if self.is_causal else "every query alike" if self.starts.shape[-1] == 1 else "one run a query"
        absent = "" if self.present is None else f", {int((~self.present).sum())} keys absent"
        return f"Spans({self.queries} queries × {self.keys} keys, {kind}{absent})"

    def allows(
        self,
        batch: Int[Tensor, "..."],
        head: Int[Tensor, "..."],
        query: Int[Tensor, "..."],
        key: Int[Tensor, "..."],
    ) -> Bool[Tensor, "..."]:
        allowed: Tensor = (key >= take(self.starts, batch, head, query)) & (key < take(self.stops, batch, head, query))
        if self.present is not None:
            allowed = allowed & take(self.present, batch, head, key)
        return allowed

    def tile(self, rows: range, columns: range) -> Bool[Tensor, "#batch #heads #rows #columns"] | None:
        starts, stops = self._rows(self.starts, rows), self._rows(self.stops, rows)
        present = None if self.present is None else self.present[..., columns.start : columns.stop]
        if present is not None and bool(present.all()):
            present = None
        if bool((starts <= columns.start).all()) and bool((stops >= columns.stop).all()):
            return None if present is None else present[..., None, :]
        key = torch.arange(columns.start, columns.stop, device=starts.device)
        allowed: Tensor = (key >= starts[..., None]) & (key < stops[..., None])
        return allowed if present is None else allowed & present[..., None, :]

    def columns_for(self, rows: range) -> range:
        if not rows:
            return range(0)
        start = min(max(0, int(self._rows(self.starts, rows).min())), self.keys)
        return range(start, max(start, min(self.keys, int(self._rows(self.stops, rows).max()))))

    def rows_for(self, columns: range) -> range:
        if self.starts.shape[-1] == 1:
            return range(self.queries)
        seen = ((self.starts < columns.stop) & (self.stops > columns.start)).flatten(0, 1).any(0).nonzero()
        return range(int(seen[0]), int(seen[-1]) + 1) if len(seen) else range(0)

    def empty_rows(self) -> Bool[Tensor, "#batch #heads #queries"]:
        if self.present is None:
            return self.stops.clamp(max=self.keys) <= self.starts.clamp(min=0)
        before = torch.nn.functional.pad(self.present.cumsum(-1), (1, 0))
        batch, heads = breadth(self.starts.shape, self.present.shape)
        before = before.expand(batch, heads, -1)
        runs = (x.expand(batch, heads, -1).long().clamp(0, self.keys) for x in (self.starts, self.stops))
        first, last = (before.gather(-1, edge) for edge in runs)
        empty: Tensor = last <= first
        return empty

    def in_tiles(self, size: tuple[int, int]) -> SomeEvery:
        rows, width = size
        starts, stops = (x.clamp(0, self.keys).long().expand(-1, -1, self.queries) for x in (self.starts, self.stops))
        key_blocks = -(-self.keys // width)
        # +1 at the first block of each run, −1 past its last: sums along the keys count the runs that meet a block.
        edges = starts.new_zeros((*starts.shape[:2], -(-self.queries // rows), key_blocks + 1))
        row = (torch.arange(self.queries, device=starts.device) // rows * (key_blocks + 1)).expand_as(starts)
        weight = (starts < stops).long()
        edges.flatten(2).scatter_add_(-1, row + starts // width * weight, weight)
        edges.flatten(2).scatter_add_(-1, row + ((stops - 1) // width + 1) * weight, -weight)
        some = edges.cumsum(-1)[..., :-1] > 0
        first = torch.arange(key_blocks, device=starts.device) * width
        latest = pool(starts, rows, 0).amax(-1)[..., None]
        earliest = pool(stops, rows, self.keys).amin(-1)[..., None]
        every = (latest <= first) & (earliest >= (first + width).clamp(max=self.keys))
        if self.present is not None:
            some = some & pool(self.present, width, False).any(-1)[..., None, :]
            every = every & pool(self.present, width, True).all(-1)[..., None, :]
        return some, every

    def are_alike(self, rows: Sequence[int], height: int, columns: Sequence[int], width: int) -> bool:
        if self.starts.shape[0] * self.starts.shape[1] > 1:
            return False
        device = self.starts.device
        row = torch.tensor(rows, device=device)[:, None] + torch.arange(height, device=device)
        column = torch.tensor(columns, device=device)[:, None]
        if self.present is not None:
            before = torch.nn.functional.pad((~self.present).cumsum(-1), (1, 0)).flatten(0, 1)
            if bool((before[:, column + width] != before[:, column]).any()):
                return False
        for edge in (self.starts, self.stops):
            edge = edge.flatten() if edge.shape[-1] > 1 else edge.expand(1, 1, self.queries).flatten()
            away = (edge[row] - column).clamp(0, width)
            if bool((away != away[0]).any()):
                return False
        return True

    def solid(self, text: int, head: int) -> list[Solid] | None:
        starts, stops = (
            x[text % len(x), head % x.shape[1]].expand(self.queries).clamp(0, self.keys)
            for x in (self.starts, self.stops)
        )
        starts = starts.where(starts < stops, -1)  # a query that sees nothing is in none of them
        steps = stops.diff()
        cuts = ((starts.diff() != 0) | (steps < 0) | (steps > 1)).nonzero()[:, 0] + 1
        if len(cuts) > self.queries // _FEW:
            return None
        edges = torch.nn.functional.pad(torch.nn.functional.pad(cuts, (1, 0)), (0, 1), value=self.queries)
        first, last = edges[:-1], edges[1:] - 1
        grown = stops[last] - stops[first]
        causal = (last > first) & (grown == last - first) & (stops[first] - starts[first] == 1)
        whole = causal | (grown == 0) | (starts[first] < 0)
        if self.present is not None:
            absent = torch.nn.functional.pad(
                (~self.present[text % len(self.present), head % self.present.shape[1]]).cumsum(-1), (1, 0)
            )
            whole &= absent[stops[last]] == absent[starts[first].clamp(min=0)]
        if not bool(whole.all()):
            return None
        found = zip(*(x.tolist() for x in (edges[:-1], edges[1:], starts[first], stops[last], causal)), strict=True)
        return [Solid(range(a, b), range(c, d), is_causal) for a, b, c, d, is_causal in found if c >= 0]

    @property
    def is_same_for_all_queries(self) -> bool:
        return self.starts.shape[-1] == 1

    @property
    def looks_back_only(self) -> bool:
        offset = self.keys - self.queries
        position = torch.arange(offset, offset + self.queries, device=self.stops.device)
        stops = torch.where(self.starts < self.stops, self.stops, 0).clamp(0, self.keys)
        return bool((stops <= (position + 1).clamp(min=0)).all())

    @property
    def is_causal(self) -> bool:
        if self.known_causal is None:
            self.known_causal = self._is_triangle()
        return self.known_causal

    def _is_triangle(self) -> bool:
        if self.present is not None or self.queries != self.keys or bool(self.starts.any()):
            return False
        triangle = torch.arange(1, self.queries + 1).to(self.stops)
        return bool((self.stops == triangle).all())

    def tensors(self) -> Mapping[str, Tensor]:
        held = {"starts": self.starts, "stops": self.stops}
        return held if self.present is None else {**held, "present": self.present}

    def change(self, how: Callable[[Tensor], Tensor]) -> Spans:
        present = None if self.present is None else how(self.present)
        changed = Spans(how(self.starts), how(self.stops), self.queries, self.keys, present)
        changed.known_causal = self.known_causal
        return changed

    def select_heads(self, heads: Sequence[int]) -> Spans:
        def pick(tensor: Tensor) -> Tensor:
            return tensor if tensor.shape[1] == 1 else tensor[:, list(heads)]

        present = None if self.present is None else pick(self.present)
        return Spans(pick(self.starts), pick(self.stops), self.queries, self.keys, present)

    @staticmethod
    def _rows(values: Tensor, rows: range) -> Tensor:
        return values if values.shape[-1] == 1 else values[..., rows.start : rows.stop]
