"""Which calls of the fused kernel make up one attention: on the tiles that its mask leaves, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise, product
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clearhead.masks import BoundMask
from clearhead.masks.grid import pool
from clearhead.mechanisms.places import Places, over
from clearhead.mechanisms.rule import ScoreRule
from clearhead.positions import ALiBi
from clearhead.shapes import Keys, Queries, exact_dtype

__all__ = ["KernelCall", "KernelCalls", "KeyRuns", "calls_swapped", "calls_under", "foldable", "key_runs"]

_ROWS = 512  # queries of one call, where a mask or bias is written out for them: few, so that windows stay narrow
_FOLDED_ROWS = 256  # with ALiBi folded in: positions are counted from the block's middle, and rounding grows with them
_ADDED = 2**23  # numbers of a mask or bias that exist at once; of tiles, those of a block that sees more keys
_SIDE = 64  # of the tiles that are left out where the mask forbids them
_TILES = 2**22  # of them at most: of longer texts they are larger
_GATHERED = 2**15  # keys, counted once a head, of the blocks of one call: what is copied of them stays in the cache
_STRIDED = 3  # blocks at equal distances from which on their keys are read where they lie
_PRICE = 22  # a pair in blocks of n queries costs 1 + 22/n times what it costs in one long block, as measured
_COPY = 35  # what copying a key and its value costs, in the same unit
_MERGE = 150  # what putting together a query's results costs
_WASTE = 1.25  # times the tiles that a mask leaves, which may be computed to have fewer and larger blocks
_SMALL = 2**19  # pairs of a head that are too few for leaving some out


class KernelCall(NamedTuple):
    """One call of the kernel: which queries on which keys, and what is added to their scores."""

    rows: Places
    columns: Places
    added: Float[Tensor, "#texts_or_blocks #heads #rows columns"] | None = None
    """Bias, and −inf where the mask forbids."""
    causal: bool = False
    """The triangle of a square call, which the kernel has a flag for."""
    slope: tuple[Float[Tensor, "heads"], int] | None = None
    """ALiBi's slopes and the shift from a query's number to its position, to be folded into q and k."""
    text: int | None = None
    """Which text, where several blocks of one take the place of the texts; ``None`` for all."""
    head: int | None = None
    """Which head, where each has its own mask; ``None`` for all."""
    part: int | None = None
    """Which part of the keys of these queries, where results are put together by their LSE; ``None`` for all."""

    @property
    def pairs(self) -> int:
        """(query, key) pairs of each head of each text that it is for."""
        square = len(self.rows) * self.rows.length * self.columns.length
        return self.rows.length * (self.rows.length + 1) // 2 if self.causal else square

    def own(self, x: Float[Tensor, "batch some_heads n width"], groups: int = 1) -> Tensor:
        """The part of x that is of this call's text and head; ``groups`` query heads share one of x's heads."""
        x = x if self.text is None else x[self.text : self.text + 1]
        return x if self.head is None else x[:, self.head // groups : self.head // groups + 1]


KernelCalls = Callable[[], Iterator[KernelCall]]
"""The calls that make up one attention; asked for again in the backward pass, so that no mask is kept."""


def calls_under(rule: ScoreRule, q: Queries, k: Keys) -> KernelCalls:
    """The calls of the kernel that make up ``rule``, which must be linear, for these queries and keys.

    A mask or bias is written out for some blocks of queries at a time, and only for the keys that they may see: tiles
    of queries × keys that the mask forbids are in no call.
    """
    batch, heads, queries, keys = *q.shape[:3], k.shape[2]
    slope = foldable(rule, q.dtype)
    left = rule if slope is None else replace(rule, position_bias=None)
    layout: list[_Group] | None = None
    versions = rule.versions()

    def calls() -> Iterator[KernelCall]:
        nonlocal layout
        rule.check_unchanged(versions)
        if rule.is_same_for_all_queries:
            yield from _calls_for_all(rule, q, keys)
            return
        is_plain = slope is None and not rule.has_bias and rule.scale != 0  # the kernel's flag makes −inf · 0 of that
        if is_plain and rule.mask is not None and rule.mask.is_causal:
            yield KernelCall(over(range(queries)), over(range(keys)), causal=True)
            return
        if layout is None:
            shape = (batch, heads, queries, keys)
            layout = _layout(left, shape, _ROWS if slope is None else _FOLDED_ROWS, rule.mask if is_plain else None)
        for group in layout:
            yield from _calls_of(group, left, q, slope)

    return calls


def _calls_for_all(rule: ScoreRule, q: Queries, keys: int) -> Iterator[KernelCall]:
    """One call where every query sees the same, or one for each text where texts end at different places."""
    batch, _, queries, _ = q.shape
    dtype = exact_dtype(q.dtype)
    every = over(range(queries))
    seen = rule.columns_for(range(queries), keys)
    if rule.mask is not None and rule.mask.breadth == (batch, 1) and batch > 1 and queries * keys > _SMALL:
        found = rule.mask.in_tiles((queries, 1))[0][:, 0, 0]
        numbers = torch.arange(keys, device=found.device)
        own = [range(int(x.min()), int(x.max()) + 1) if len(x) else range(0) for x in (numbers[x] for x in found)]
        if sum(map(len, own)) < 0.9 * batch * len(seen):
            for text, run in enumerate(own):
                if run:
                    added = None
                    if rule.has_bias or not bool(found[text, run.start : run.stop].all()):
                        added = rule.additive_blocks(over(range(1)), over(run), text, None, dtype, q.device)
                    yield KernelCall(every, over(run), added, text=text)
            return
    added = rule.additive_tile(range(1), seen, dtype)
    if seen:
        yield KernelCall(every, over(seen), added)


def calls_swapped(rule: ScoreRule, q: Queries, k: Keys) -> KernelCalls:
    """The calls that make up ``rule`` where its keys stand as queries and its queries as keys."""
    shape = (*q.shape[:3], k.shape[2])

    def calls() -> Iterator[KernelCall]:
        swapped = _Swapped(rule)
        for group in _layout(swapped, shape, _ROWS):
            yield from _calls_of(group, swapped, q, None)

    return calls


class KeyRuns(NamedTuple):
    """Which keys the queries of a call see, in whole tiles or closer."""

    height: int
    """As many queries at once compute at most a quarter more than single tiles would."""
    widest: int
    """The most keys that so many queries see, at least 1 where there is one."""
    of: Callable[[range], list[range]]
    """From queries to the runs of keys that some of them may see."""

    def at_least_one(self, rows: range) -> list[range]:
        """The same, or the first key if there is none: a row that sees nothing has the statistic of an empty row."""
        return self.of(rows) or [range(min(1, self.widest))]


def key_runs(rule: ScoreRule, queries: int, keys: int) -> KeyRuns:
    """How many queries to take at once under this rule, and which keys these see."""
    if rule.mask is None or queries * keys <= _SMALL:
        return KeyRuns(max(1, queries), keys, lambda rows: [run for run in (rule.columns_for(rows, keys),) if run])
    side = _side(queries, keys)
    some = rule.mask.in_tiles((side, side))[0].flatten(0, 1).any(0).cpu()
    least = int(some.sum())
    for factor in (64, 16, 8, 4, 2, 1):
        seen = pool(some.mT, factor, False).any(-1).sum(0)
        if factor * int(seen.sum()) <= _WASTE * least:
            break

    def runs(rows: range) -> list[range]:
        here = some[rows.start // side : -(-rows.stop // side)].any(0)
        edges = torch.nn.functional.pad(here, (1, 1)).int().diff().nonzero()[:, 0].tolist()
        near = rule.columns_for(rows, keys)
        found = [
            range(max(start * side, near.start), min(stop * side, near.stop))
            for start, stop in zip(edges[::2], edges[1::2], strict=True)
        ]
        return [run for run in found if run]

    return KeyRuns(factor * side, min(keys, max(1, int(seen.max())) * side), runs)


class _Group(NamedTuple):
    """Blocks of queries that see equally many keys, for one call or, where texts do not differ, one for each."""

    rows: Places
    columns: Places
    is_full: bool
    """Whether the mask allows every pair."""
    text: int | None = None
    """Which text, ``None`` where it serves every text."""
    head: int | None = None
    part: int | None = None
    causal: bool = False


def _calls_of(
    group: _Group, rule: ScoreRule | _Swapped, q: Queries, slope: tuple[Tensor, int] | None
) -> Iterator[KernelCall]:
    rows, columns, is_full, text, head, part, causal = group
    dtype = exact_dtype(q.dtype)
    # Blocks of one text take the place of the texts, so each text has its own call; they may share what is added.
    texts = [text] if text is not None or len(rows) == 1 else range(q.shape[0])
    apart = rule.bias is not None and rule.bias.shape[0] > 1
    added: Tensor | None = None
    for number, one in enumerate(texts):
        if (rule.has_bias or not is_full) and (apart or number == 0):
            added = rule.additive_blocks(rows, columns, one, head, dtype, q.device)
        yield KernelCall(rows, columns, added, causal, slope, one, head, part)


def _layout(
    rule: ScoreRule | _Swapped, shape: tuple[int, ...], most: int, plain: BoundMask | None = None
) -> list[_Group]:
    """How the queries are cut into blocks of at most ``most``, and which keys each of them needs.

    ``plain`` is the mask where there is nothing else to add to the scores.
    """
    batch, heads, queries, keys = shape
    if plain is not None and queries * keys > _SMALL and (solid := _solid(plain)) is not None:
        return solid
    height = max(1, min(most, _ADDED // max(1, rule.breadth * keys)))
    wide = [range(start, min(start + height, queries)) for start in range(0, queries, height)]
    whole = [(rows, rule.columns_for(rows, keys)) for rows in wide]
    if rule.mask is not None and queries * keys > _SMALL:
        side = _side(queries, keys)
        tiles = _Tiles(rule.mask, side)
        cost = batch * heads * sum(len(rows) * len(seen) for rows, seen in whole) * (1 + _PRICE / height)
        heights = [side, *(side * factor for factor in (2, 4, 8) if side * factor <= most)]
        ways = [(height, parts) for height in heights for parts in tiles.ways(height)]
        costs = [tiles.cost(height, parts, batch, heads) for height, parts in ways]
        if min(costs) <= cost:  # blocks that are alike share what is written out for them
            return list(tiles.groups(*ways[costs.index(min(costs))], heads))
    return [_Group(over(rows), over(seen), False) for rows, seen in whole if seen]


def _solid(mask: BoundMask) -> list[_Group] | None:
    """The solid parts of a mask, one call each."""
    texts, apart = mask.breadth
    found: list[_Group] = []
    for text, head in product(range(texts), range(apart)):
        parts = mask.solid(text, head)
        if parts is None:
            return None
        own = None if texts == 1 else text, None if apart == 1 else head
        found += [_Group(over(rows), over(columns), True, *own, causal=causal) for rows, columns, causal in parts]
    return found


def _side(queries: int, keys: int) -> int:
    """Of the tiles of a map."""
    side = _SIDE
    while -(-queries // side) * -(-keys // side) > _TILES:
        side *= 2
    return side


class _Swapped:
    """A rule whose queries and keys have changed places."""

    def __init__(self, rule: ScoreRule) -> None:
        self._rule = rule
        self.bias, self.has_bias, self.breadth = rule.bias, rule.has_bias, rule.breadth
        self.mask = None if rule.mask is None else _SwappedMask(rule.mask)

    def columns_for(self, rows: range, keys: int) -> range:
        return self._rule.rows_for(rows, keys)

    def additive_blocks(
        self,
        rows: Places,
        columns: Places,
        text: int | None,
        head: int | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor | None:
        added = self._rule.additive_blocks(columns, rows, text, head, dtype, device)
        # The kernel wants numbers for every key, and a bias may have had one for all queries.
        return None if added is None else added.mT.expand(*added.shape[:2], -1, columns.length).contiguous()


class _SwappedMask:
    def __init__(self, mask: BoundMask) -> None:
        self._mask, self.queries, self.keys = mask, mask.keys, mask.queries

    def in_tiles(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        some, every = self._mask.in_tiles(size[::-1])
        return some.mT, every.mT


Seen = Bool[Tensor, "texts heads blocks key_blocks"]
"""Which tiles blocks of queries see."""


class _Tiles:
    """The square tiles of one call's mask, and blocks of queries that see some of them."""

    def __init__(self, mask: BoundMask | _SwappedMask, side: int) -> None:
        self.queries, self.keys, self.side = mask.queries, mask.keys, side
        some, every = mask.in_tiles((side, side))
        self.some, self.every = some.cpu(), every.cpu()

    def of_blocks(self, height: int) -> Seen:
        """The tiles that blocks of ``height`` queries see."""
        return pool(self.some.mT, height // self.side, False).any(-1).mT

    def ways(self, height: int) -> Iterator[list[Seen]]:
        """The same whole, and in parts where some blocks see several runs of keys, which would have to be copied.

        First the diagonals that all blocks see, whose keys can be read where they lie, then the keys that all see,
        which are copied once if at all, then the rest.
        """
        seen = self.of_blocks(height)
        yield [seen]
        scattered = (_runs(seen) > 1)[..., None]
        if not scattered.any():
            return
        first = seen & (_diagonals(seen, height // self.side) | ~scattered)
        common = seen & ~first & (seen | ~scattered).flatten(0, 2).all(0)
        parts = [part for part in (first, common, seen & ~first & ~common) if part.any()]
        if len(parts) > 1:
            yield parts

    def cost(self, height: int, parts: list[Seen], batch: int, heads: int) -> float:
        """Roughly what it takes, in pairs computed in one long block: small blocks are dearer by the pair."""
        cost = 0.0
        for number, seen in enumerate(parts):
            count = seen.sum(-1)
            own = float(count.sum()) * self.side * height * (1 + _PRICE / height)
            apart = (_runs(seen) > 1) & ~(seen == seen.flatten(0, 2).any(0)).all(-1)
            own += float((count * apart).sum()) * self.side * _COPY
            own += float((count > 0).sum()) * height * _MERGE if number else 0
            cost += own * (batch // seen.shape[0]) * (heads // seen.shape[1])
        return cost

    def groups(self, height: int, parts: list[Seen], heads: int) -> Iterator[_Group]:
        """Blocks that see equally many keys, together as far as their keys stay in the cache."""
        full = pool(self.every.mT, height // self.side, True).all(-1).mT
        for part, every in enumerate(parts):
            seen, mixed = every, every & ~full
            for axis in (0, 1):  # a part may be the same for all texts or heads though the mask is not
                if bool((seen == seen.narrow(axis, 0, 1)).all()):
                    seen, mixed = seen.narrow(axis, 0, 1), mixed.any(axis, keepdim=True)
            yield from self._groups(height, seen, mixed, heads, part if len(parts) > 1 else None)

    def _groups(self, height: int, seen: Seen, mixed: Seen, heads: int, part: int | None) -> Iterator[_Group]:
        texts, apart = seen.shape[:2]
        first = seen.int().argmax(-1)
        last = seen.shape[-1] - seen.flip(-1).int().argmax(-1)
        count = seen.sum(-1)
        rest = self.keys - seen.shape[-1] * self.side  # what the last tile lacks, below 0
        width = count * self.side + seen[..., -1] * rest
        for text in range(texts):
            for head in range(apart):
                found = zip(*(x[text, head].tolist() for x in (first, last, count, width, mixed.any(-1))), strict=True)
                alike: dict[tuple[int, int, bool], list[_Block]] = {}
                for number, (start, stop, tiles, wide, is_mixed) in enumerate(found):
                    if tiles:
                        rows = min(height, self.queries - number * height)
                        block = _Block(number, start * self.side if stop - start == tiles else None)
                        alike.setdefault((rows, wide, is_mixed), []).append(block)
                for (rows, wide, is_mixed), blocks in alike.items():
                    most = max(1, _GATHERED // (wide * (heads if apart == 1 else 1)))
                    for some in _cut(blocks, most):
                        index = None
                        if any(block.start is None for block in some) or len(_steps(some)) > 1:
                            index = self._keys(seen[text, head, [block.number for block in some]], wide)
                        yield _Group(
                            Places(tuple(block.number * height for block in some), rows),
                            Places(tuple(block.start or 0 for block in some), wide, index),
                            not is_mixed,
                            None if texts == 1 else text,
                            None if apart == 1 else head,
                            part,
                        )

    def _keys(self, seen: Bool[Tensor, "blocks key_blocks"], width: int) -> Int[Tensor, "blocks width"]:
        """The keys of tiles, as many for each block."""
        if bool((seen == seen[:1]).all()):
            return self._numbers(seen[:1], width).expand(len(seen), -1)
        return self._numbers(seen, width)

    def _numbers(self, seen: Bool[Tensor, "blocks key_blocks"], width: int) -> Int[Tensor, "blocks width"]:
        tile = seen.nonzero()[:, 1].view(len(seen), -1, 1)
        key = (tile * self.side + torch.arange(self.side)).flatten(1)
        return key[:, :width]  # only the last tile has fewer keys


def _runs(seen: Seen) -> Int[Tensor, "texts heads blocks"]:
    """How many runs of tiles each block sees."""
    return (torch.nn.functional.pad(seen, (1, 0)).int().diff() > 0).sum(-1)


def _diagonals(seen: Seen, factor: int) -> Bool[Tensor, "blocks key_blocks"]:
    """The longest run of diagonals that every block sees; from block to block they go on by ``factor`` tiles."""
    blocks, tiles = seen.shape[2:]
    block, middle = torch.arange(blocks)[:, None], blocks // 2
    offset = seen[:, :, middle].flatten(0, 1).all(0).nonzero()[:, 0] - middle * factor
    tile = block * factor + offset
    inside = (tile >= 0) & (tile < tiles)
    there = seen[:, :, block, tile.clamp(0, tiles - 1)].flatten(0, 1).all(0) | ~inside
    flags = torch.zeros(tiles + 2, dtype=torch.bool)
    flags[offset + middle * factor + 1] = there.all(0) & (inside.sum(0) > blocks / 2)
    edges = flags.int().diff().nonzero()[:, 0].tolist()
    start, stop = max(zip(edges[::2], edges[1::2], strict=True), key=lambda run: run[1] - run[0], default=(0, 0))
    chosen = inside & (offset + middle * factor >= start) & (offset + middle * factor < stop)
    found = torch.zeros(blocks, tiles, dtype=torch.bool)
    found[block.expand_as(tile)[chosen], tile[chosen]] = True
    return found


class _Block(NamedTuple):
    """A block of queries, and where its keys begin if they are one run."""

    number: int
    start: int | None


def _steps(blocks: list[_Block]) -> set[tuple[int, int]]:
    """How far, in queries and in keys, blocks with one run of keys are apart."""
    return {(b.number - a.number, (b.start or 0) - (a.start or 0)) for a, b in pairwise(blocks)}


def _cut(blocks: list[_Block], most: int) -> Iterator[list[_Block]]:
    """Blocks for one call each: first those at equal distances, whose keys are read where they lie, then the others."""
    others: list[_Block] = []
    while blocks:
        run = blocks[:1]
        for block in blocks[1:]:
            if block.start is None or run[-1].start is None or block.start < run[-1].start:
                break
            if len(_steps([*run[-2:], block])) > 1:
                break
            run.append(block)
        blocks = blocks[len(run) :]
        if len(run) < _STRIDED:
            others += run
        else:
            yield from (run[i : i + 8 * most] for i in range(0, len(run), 8 * most))  # nothing is copied of them
    yield from (others[i : i + most] for i in range(0, len(others), most))


def foldable(rule: ScoreRule, dtype: torch.dtype) -> tuple[Tensor, int] | None:
    """ALiBi's bias is linear in the key's position, so two more columns of q and k hold it, in exact dtypes."""
    placed = rule.position_bias
    if placed is None or not isinstance(placed.bias, ALiBi) or placed.bias.symmetric or dtype.itemsize < 4:
        return None
    if rule.scale == 0:  # by which the columns are divided
        return None
    return placed.bias.slopes, placed.shift
