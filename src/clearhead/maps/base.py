"""The lazy map: what can be asked of it, answered from tiles of weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clearhead.errors import LargeMapError, ShapeError
from clearhead.maps import indexing
from clearhead.masks import Mask
from clearhead.mechanisms.fused import product
from clearhead.positions import Bias

if TYPE_CHECKING:
    from clearhead.mechanisms.normalizers import Normalizer
    from clearhead.mechanisms.rule import ScoreModifier

__all__ = ["AttentionMap", "Check", "Distance", "Groups", "Moments", "Tile", "TopK", "by_block"]

MOST_ENTRIES = 2**28
"""More weights than this (1 GiB in float32) are not computed at once unless forced."""

_TILE = 2**20  # weights that a pass over tiles holds at once

Groups = Int[Tensor, "..."] | Sequence[Sequence[int]]


class TopK(NamedTuple):
    """The heaviest keys of each query, heaviest first."""

    weights: Float[Tensor, "batch heads queries k"]
    keys: Int[Tensor, "batch heads queries k"]
    """Key numbers; −1 where fewer keys have a weight above 0."""


class Distance(NamedTuple):
    """How far each query looks, in tokens. A query stands at its own key: the last query at the last key."""

    mean: Float[Tensor, "batch heads queries"]
    """``Σ_j P_ij·|i − j| / Σ_j P_ij``."""
    signed: Float[Tensor, "batch heads queries"]
    """``Σ_j P_ij·(i − j) / Σ_j P_ij``: positive looks back (Vig and Belinkov 2019, arXiv:1906.04284)."""
    spread: Float[Tensor, "batch heads queries"]
    """Standard deviation of the position that is looked at."""


class Moments(NamedTuple):
    """Statistics that one pass gives together."""

    distance: Distance
    mass: Float[Tensor, "batch heads queries groups"]


class Tile(NamedTuple):
    """A part of a map, all batches and heads of it."""

    rows: range
    columns: range
    weights: Float[Tensor, "batch heads rows columns"]


@dataclass(frozen=True)
class Check:
    """What :meth:`AttentionMap.check` found."""

    row_sum: float
    """The worst |Σ_j weight_ij (+ sink) − 1| of all rows that may attend to something; NaN if a weight is NaN."""
    output: float | None
    """The worst |weights·values − output|, ``None`` if values and output were not recorded."""
    columns: int
    """How many columns of values were compared; 1 for the random ±1 sum of all columns that ``watch`` keeps."""

    def ok(self, tolerance: float = 1e-5, output_tolerance: float | None = None) -> bool:
        """Whether rows sum to 1 within ``tolerance``, and outputs agree within ``output_tolerance`` (default: 1e-3)."""
        output_tolerance = 1e-3 if output_tolerance is None else output_tolerance
        return self.row_sum <= tolerance and (self.output is None or self.output <= output_tolerance)


class AttentionMap(ABC):
    """The lazy ``(batch, heads, queries, keys)`` matrix of the attention weights of one attention call.

    ``amap[b, h, i, j]`` takes ints, slices, an ellipsis and index tensors on every axis, means what it would mean on
    the whole tensor, and computes just what was asked for. Nothing here ever holds queries × keys numbers, save
    :meth:`dense`, which says so.

    Make one from queries and keys with :meth:`from_qk`, or from weights that are at hand with :meth:`from_weights`;
    :func:`clearhead.watch` makes one for every attention call of a model.

    Example:
        Two tokens, one head of dimension 1, scale 1: the second query scores 0 and ln 3, so gives 1/4 and 3/4.

        >>> import math, torch, clearhead as ch
        >>> q = torch.tensor([0.0, 1.0]).view(1, 1, 2, 1)
        >>> k = torch.tensor([0.0, math.log(3)]).view(1, 1, 2, 1)
        >>> ch.AttentionMap.from_qk(q, k, scale=1.0)[0, 0, 1]
        tensor([0.2500, 0.7500])

    """

    shape: tuple[int, int, int, int]
    """(batch, heads, queries, keys)"""
    device: torch.device
    dtype: torch.dtype
    """Of the weights that it gives: float64 for float64 tensors, else float32."""

    @staticmethod
    def from_qk(
        q: Float[Tensor, "*batch heads queries head_dim"],
        k: Float[Tensor, "*batch kv_heads keys head_dim"],
        *,
        scale: float | None = None,
        mask: Mask | Tensor | None = None,
        causal: bool = False,
        bias: Tensor | Bias | None = None,
        normalizer: str | Normalizer = "softmax",
        softcap: float | None = None,
        sinks: Tensor | None = None,
        modify: ScoreModifier | None = None,
        lse: Tensor | None = None,
        values: Tensor | None = None,
        output: Tensor | None = None,
    ) -> AttentionMap:
        """The map of one attention call, kept as q, k and the log-sum-exp (LSE) of each row.

        ``weight_ij = exp(score_ij − lse_i)`` with ``score_ij = cap(scale · q_i·k_j) + bias_ij`` (Vaswani et al. 2017).

        Args:
            q: ``(batch, heads, queries, head_dim)``; without a batch axis it is a batch of one.
            k: ``(batch, kv_heads, keys, head_dim)``, ``kv_heads`` dividing ``heads``: grouped queries keep keys once.
            scale: Default 1/√head_dim.
            mask: A rule such as ``ch.Causal() & ch.Window(255, 0)``, or a boolean tensor, True = may attend,
                broadcasting to ``(batch, heads, queries, keys)``.
            causal: Forbid keys past the query; the last query stands at the last key.
            bias: Added to the scores: a tensor, broadcasting likewise, in which −inf and ``finfo.min`` count as a
                mask; or a function of positions, ``ch.ALiBi`` or ``ch.RelativeBias``.
            normalizer: From scores to weights; see :func:`clearhead.attention`.
            softcap: Bounds the scaled scores to ±softcap by tanh, before the bias.
            sinks: ``(heads,)`` logits that only take part in the normalising.
            modify: FlexAttention's ``score_mod(score, batch, head, query, key)``.
            lse: ``(batch, heads, queries)``, if a kernel gave it; else it is computed by one fused pass when needed.
            values: ``(batch, kv_heads, keys, value_dim)``, only for :meth:`check`.
            output: ``(batch, heads, queries, value_dim)``, only for :meth:`check`.

        Raises:
            ShapeError: Tensors that do not fit together; the message names the axes.

        """
        from clearhead.maps.factored import FactoredMap

        return FactoredMap.build(
            q,
            k,
            scale=scale,
            mask=mask,
            causal=causal,
            bias=bias,
            normalizer=normalizer,
            softcap=softcap,
            sinks=sinks,
            modify=modify,
            lse=lse,
            values=values,
            output=output,
        )

    @staticmethod
    def from_weights(
        weights: Float[Tensor, "batch heads queries keys"],
        *,
        values: Tensor | None = None,
        output: Tensor | None = None,
    ) -> AttentionMap:
        """A map that holds its weights as they are, for maps smaller than their q and k."""
        from clearhead.maps.stored import StoredMap

        return StoredMap(weights, values=values, output=output)

    # What a kind of map provides.

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of all tensors that the map holds."""

    @abstractmethod
    def outer(
        self,
        batch: Int[Tensor, "b"],
        head: Int[Tensor, "h"],
        query: Int[Tensor, "i"],
        key: Int[Tensor, "j"],
    ) -> Float[Tensor, "b h i j"]:
        """The weights at every combination of the four index vectors."""

    @abstractmethod
    def points(
        self,
        batch: Int[Tensor, "*points"],
        head: Int[Tensor, "*points"],
        query: Int[Tensor, "*points"],
        key: Int[Tensor, "*points"],
    ) -> Float[Tensor, "*points"]:
        """The weights at single places, whose four indices stand side by side."""

    def part(self, batch: int, head: int, rows: range, columns: range) -> Float[Tensor, "rows columns"]:
        """The weights of one head in a rectangle: what is drawn, and what passes over a long map are made of."""
        at = (range(batch, batch + 1), range(head, head + 1), rows, columns)
        return self.outer(*(torch.arange(x.start, x.stop, device=self.device) for x in at))[0, 0]

    def columns_for(self, rows: range) -> range:
        """A range of keys outside of which no query in ``rows`` has any weight."""
        del rows
        return range(self.shape[3])

    @abstractmethod
    def to(self, device: torch.device | str) -> AttentionMap:
        """The same map on another device."""

    @abstractmethod
    def select_heads(self, heads: Sequence[int]) -> AttentionMap:
        """The map of these heads only, in this order."""

    @abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors it holds, by name."""

    def detach(self) -> AttentionMap:
        """The same map, without what gradients would need: only maps of ``attend`` and ``from_qk`` keep that."""
        return self

    def cpu(self) -> AttentionMap:
        """The same map in the computer's own memory."""
        return self.to("cpu")

    def __getitem__(self, index: Any) -> Tensor:
        """Exact weights; see the class. Raises LargeMapError for more than 2²⁸ at once, IndexError out of range."""
        return indexing.read(index, self.shape, self.device, self.outer, self.points, self._refuse)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._axes()}, {self.dtype}, {self.device}, {_bytes(self.nbytes)})"

    def _axes(self) -> str:
        names = ("batch", "heads", "queries", "keys")
        return ", ".join(f"{name}={size}" for name, size in zip(names, self.shape, strict=True))

    def _refuse(self, entries: int) -> None:
        if entries > MOST_ENTRIES:
            raise LargeMapError(
                f"this asks for {entries:,} weights at once ({_bytes(entries * self.dtype.itemsize)}), more than "
                f"2²⁸; index a part, use topk(), pooled() or another statistic, or dense(force=True)"
            )

    def tiles(self, *, whole_rows: bool = False) -> Iterator[Tile]:
        """All weights, a tile at a time, row by row; tiles in which no weight can be above 0 are left out.

        Args:
            whole_rows: Let each tile hold all columns of its rows.

        """
        batch, heads, queries, keys = self.shape
        columns = keys if whole_rows else min(keys, 1024)
        rows = max(1, min(queries, _TILE // max(1, batch * heads * columns)))
        everything = [torch.arange(n, device=self.device) for n in self.shape]
        for i in range(0, queries, rows):
            for j in range(0, keys, max(1, columns)):
                row, column = range(i, min(i + rows, queries)), range(j, min(j + columns, keys))
                part = (everything[2][row.start : row.stop], everything[3][column.start : column.stop])
                yield Tile(row, column, self.outer(everything[0], everything[1], *part))

    # What can be asked of every map.

    def dense(self, *, force: bool = False) -> Float[Tensor, "batch heads queries keys"]:
        """The whole matrix. Above 2²⁸ entries only with ``force=True``.

        Raises:
            LargeMapError: More than 2²⁸ entries.

        """
        if not force:
            self._refuse(math.prod(self.shape))
        result = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        for rows, columns, weights in self.tiles():
            result[..., rows.start : rows.stop, columns.start : columns.stop] = weights
        return result

    def entropy(self) -> Float[Tensor, "batch heads queries"]:
        """``H_i = −Σ_j P_ij · ln P_ij`` in nats: 0 for a single key, ln n for n keys alike, 0 for an empty row.

        NaN in a row that has a weight below 0, as maps without a normalizer do.
        """

        def sums(tile: Tile) -> Tensor:
            # 0 · ln 0 = 0, and so is its gradient; a weight below 0 has no entropy, and gives NaN.
            return -(tile.weights * tile.weights.masked_fill(tile.weights == 0, 1.0).log()).sum(-1)

        return self._sum_by_query(sums)

    def received(
        self, weights: Float[Tensor, "#batch #heads queries"] | None = None
    ) -> Float[Tensor, "batch heads keys"]:
        """What each key receives of all queries: the column sums ``Σ_i P_ij``, or ``Σ_i w_i·P_ij`` for w ≥ 0.

        A key that receives far more than 1 on average is a sink (Xiao et al. 2023, arXiv:2309.17453).
        """
        self._check_not_negative(weights)

        def sums(tile: Tile) -> Tensor:
            if weights is None:
                return tile.weights.sum(-2)
            return (tile.weights * weights[..., tile.rows.start : tile.rows.stop, None]).sum(-2)

        return self._sum_by_key(sums)

    def apply(self, columns: Float[Tensor, "#batch #heads keys c"]) -> Float[Tensor, "batch heads queries c"]:
        """``P · columns``: any statistic that is linear in a row, c of them in one pass."""
        columns = self._check_columns(columns).to(self.dtype)
        return self._sum_by_query(
            lambda tile: product(tile.weights, columns[..., tile.columns.start : tile.columns.stop, :])
        )

    def distance(self) -> Distance:
        """How far each query looks: mean, signed mean and spread, in tokens. See :class:`Distance`."""
        return self.moments().distance

    def mass(self, groups: Groups) -> Float[Tensor, "batch heads queries groups"]:
        """How much of each query's weight falls on each group of keys.

        Args:
            groups: ``(keys,)`` or ``(batch, keys)`` group numbers from 0, −1 for none; or a list of lists of key
                numbers, which may overlap: ``mass([[0], [5, 6]])``.

        """
        return self.moments(groups).mass

    def moments(self, groups: Groups | None = None) -> Moments:
        """:meth:`distance` and :meth:`mass` together, in one pass."""
        indicator = self._indicator(groups)
        queries, keys = self.shape[2:]
        position = torch.arange(queries, device=self.device, dtype=torch.float64) + (keys - queries)

        def sums(tile: Tile) -> Tensor:
            rows, columns, weights = tile
            here = position[rows.start : rows.stop, None]
            key = torch.arange(columns.start, columns.stop, device=self.device, dtype=torch.float64)
            middle = here.mean() if rows else here.sum()
            powers = torch.stack([torch.ones_like(key), key - middle, (key - middle).square()], -1)
            zeroth, first, second = product(weights.double(), powers).unbind(-1)
            away = (here - middle)[:, 0]  # from moments about the tile's middle to those about each query
            signed = away * zeroth - first
            square = away.square() * zeroth - 2 * away * first + second
            far = here - key
            if bool((far >= 0).all()):
                absolute = signed
            elif bool((far <= 0).all()):
                absolute = -signed
            else:
                absolute = (weights * far.abs().to(self.dtype)).sum(-1).double()
            mass = product(weights, indicator[..., columns.start : columns.stop, :]).double()
            return torch.cat([torch.stack([zeroth, signed, absolute, square], -1), mass], -1)

        found = self._sum_by_query(sums)
        total, signed, absolute, square = found[..., :4].unbind(-1)
        none = total == 0  # nothing is looked at, from no distance
        share = 1 / total.masked_fill(none, 1.0)
        far, mean, square = (x.masked_fill(none, 0.0) * share for x in (absolute, signed, square))
        spread = _root((square - mean.square()).clamp(min=0))
        distance = Distance(*(x.to(self.dtype) for x in (far, mean, spread)))
        return Moments(distance, found[..., 4:].to(self.dtype))

    def topk(self, k: int) -> TopK:
        """The ``k`` heaviest keys of each query with their weights, heaviest first.

        Where a query has fewer keys with any weight, the rest are key −1 with weight 0.
        """
        self._check_k(k)
        values = torch.zeros((*self.shape[:3], k), dtype=self.dtype, device=self.device)
        keys = torch.full(values.shape, -1, dtype=torch.int64, device=self.device)
        for rows, columns, weights in self.tiles(whole_rows=True):
            best = weights.topk(min(k, weights.shape[-1]))
            block = (..., slice(rows.start, rows.stop), slice(best.values.shape[-1]))
            values[block] = best.values
            keys[block] = torch.where(best.values > 0, best.indices + columns.start, -1)
        return TopK(values, keys)

    def pooled(
        self, size: int, reduce: Literal["mean", "max"] = "mean"
    ) -> Float[Tensor, "batch heads query_blocks key_blocks"]:
        """The map seen from afar: the mean or the maximum of every ``size × size`` block.

        The blocks at the right and lower border may be smaller; their mean is over what they hold. The mean alone
        hides thin stripes such as those of an induction head, which the maximum shows.
        """
        self._check_pooled(size, reduce)
        blocks = [-(-n // size) for n in self.shape[2:]]
        result = torch.zeros((*self.shape[:2], *blocks), dtype=self.dtype, device=self.device)
        for rows, columns, weights in self.tiles():
            blocked = by_block(by_block(weights, -1, columns, size, reduce), -2, rows, size, reduce)
            part = result[..., rows.start // size :, columns.start // size :]
            part = part[..., : blocked.shape[-2], : blocked.shape[-1]]
            if reduce == "mean":
                part += blocked
            else:
                part.copy_(torch.maximum(part, blocked))
        return result / self._block_counts(size) if reduce == "mean" else result

    @abstractmethod
    def check(self) -> Check:
        """The worst row-sum deviation, and the worst |weights·values − output| of what was recorded."""

    def _check_columns(self, columns: Tensor) -> Tensor:
        batch, heads, _, keys = self.shape
        sizes = zip(columns.shape, (batch, heads), strict=False)
        if columns.dim() != 4 or columns.shape[2] != keys or any(have not in (1, want) for have, want in sizes):
            raise ShapeError(
                f"apply(columns) takes (batch, heads, keys, any) = ({batch}, {heads}, {keys}, any), where 1 serves all "
                f"texts or heads; got {tuple(columns.shape)}"
            )
        return columns

    @staticmethod
    def _check_pooled(size: int, reduce: str) -> None:
        if type(size) is not int or size < 1 or reduce not in ("mean", "max"):
            raise ShapeError(f"pooled(size, reduce) wants size ≥ 1 and 'mean' or 'max'; got {size!r} and {reduce!r}")

    def _check_heads(self, heads: Sequence[int]) -> list[int]:
        chosen, count = list(heads), self.shape[1]
        for head in chosen:
            if not 0 <= head < count:
                raise ShapeError(f"heads are numbered from 0 to {count - 1}; got {head}")
        return chosen

    def _check_k(self, k: int) -> None:
        if type(k) is not int or not 0 < k <= self.shape[3]:
            raise ShapeError(f"topk(k) wants 1 ≤ k ≤ {self.shape[3]} keys; got k={k!r}")

    def _check_not_negative(self, weights: Tensor | None) -> None:
        if weights is None:
            return
        if weights.shape[-1:] != self.shape[2:3] or bool((weights < 0).any()):
            raise ShapeError(
                f"received(weights) takes one weight of 0 or more for each of {self.shape[2]} queries; "
                f"got {tuple(weights.shape)}, the least {float(weights.min()) if weights.numel() else 0:.3g}"
            )

    def _sum_by_query(self, function: Callable[[Tile], Tensor]) -> Tensor:
        """``function`` of each tile, (batch, heads, rows, …), summed over the columns of the map."""
        return self._sum_tiles(function, 2)

    def _sum_by_key(self, function: Callable[[Tile], Tensor]) -> Tensor:
        """``function`` of each tile, (batch, heads, columns, …), summed over the rows of the map."""
        return self._sum_tiles(function, 3)

    def _sum_tiles(self, function: Callable[[Tile], Tensor], axis: int) -> Tensor:
        result: Tensor | None = None
        for tile in self.tiles():
            part = function(tile)
            if result is None:
                result = part.new_zeros((*self.shape[:2], self.shape[axis], *part.shape[3:]))
            place = tile.rows if axis == 2 else tile.columns
            result[:, :, place.start : place.stop] += part
        if result is None:  # no weight anywhere
            part = function(self._no_tile())
            result = part.new_zeros((*self.shape[:2], self.shape[axis], *part.shape[3:]))
        return result

    def _no_tile(self) -> Tile:
        nothing = torch.zeros((*self.shape[:2], 0, 0), dtype=self.dtype, device=self.device)
        return Tile(range(0), range(0), nothing)

    def _block_counts(self, size: int) -> Tensor:
        """How many weights each block of :meth:`pooled` holds."""
        sides = [torch.bincount(torch.arange(n, device=self.device) // size) for n in self.shape[2:]]
        return (sides[0][:, None] * sides[1]).to(self.dtype)

    def _indicator(self, groups: Groups | None) -> Float[Tensor, "#batch 1 keys groups"]:
        """A column for each group that is 1 at its keys."""
        keys = self.shape[3]
        if groups is None:
            return torch.zeros((1, 1, keys, 0), dtype=self.dtype, device=self.device)
        if isinstance(groups, Tensor):
            if groups.shape not in ((keys,), (self.shape[0], keys)) or groups.is_floating_point():
                raise ShapeError(
                    f"groups are whole numbers of the shape (keys,) = ({keys},) or (batch, keys) = "
                    f"({self.shape[0]}, {keys}); got {groups.dtype} {tuple(groups.shape)}"
                )
            numbers = torch.arange(int(groups.max()) + 1 if groups.numel() else 0, device=self.device)
            hit = groups.to(self.device).reshape(*groups.shape[:-1], 1, keys, 1) == numbers
            return hit.to(self.dtype).reshape(len(hit) if groups.dim() == 2 else 1, 1, keys, len(numbers))
        result = torch.zeros((1, 1, keys, len(groups)), dtype=self.dtype, device=self.device)
        for number, members in enumerate(groups):
            if isinstance(members, int):
                raise ShapeError(f"groups are lists of key numbers, like [[0], [5, 6]]; got the number {members}")
            for key in members:
                if not -keys <= key < keys:
                    raise ShapeError(f"group {number} holds key {key}, but there are {keys} keys")
                result[0, 0, key, number] = 1
        return result


def _root(square: Tensor) -> Tensor:
    """√x with the gradient 0 at 0, where a row looks at one place and its spread has no derivative."""
    some = square > 0
    return torch.where(some, square.masked_fill(~some, 1.0).sqrt(), 0.0)


def by_block(weights: Tensor, axis: int, along: range, size: int, reduce: str) -> Tensor:
    """One axis of a tile, whose places in the map are ``along``, to the sums or maxima of its blocks."""

    def whole(part: Tensor) -> Tensor:
        result: Tensor = part.sum(axis) if reduce == "mean" else part.amax(axis)
        return result

    before, after = along.start % size, -along.stop % size
    if size > 64:  # few blocks: one at a time, since zeros around the tile could be far more than the tile
        cuts = [along.start, *range(along.start - before + size, along.stop, size), along.stop]
        pieces = weights.split([b - a for a, b in pairwise(cuts)], axis)
        return torch.stack([whole(piece) for piece in pieces], axis)
    margins = [before, after] if axis == -1 else [0, 0, before, after]
    # Zeros change neither a sum of weights nor a maximum.
    return whole(torch.nn.functional.pad(weights, margins).unflatten(axis, (-1, size)))


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
