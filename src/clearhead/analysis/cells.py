"""Weights through a lens: by pieces or words, of one head or the mean of several, with keys taken out or all.

What a viewer shows, for maps of any length: a rectangle of it, rows and columns, the whole pooled to blocks. Nothing
here holds queries × keys numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clearhead.capture.capture import Capture, Layer
from clearhead.capture.sides import is_cross
from clearhead.capture.tokens import Tokens
from clearhead.errors import InputError, NotFiniteError
from clearhead.maps import AttentionMap
from clearhead.maps.factored import FactoredMap
from clearhead.maps.words import WordMap
from clearhead.mechanisms.normalizers import Softmax

__all__ = [
    "Cells",
    "Groups",
    "HeadStatistics",
    "Lens",
    "Pooled",
    "StoppedError",
    "by_token",
    "check_finite",
    "groups",
    "pool",
]

SAMPLE = 96
"""Of how many rows the statistics of a long map are the mean."""
THUMBNAIL = 48
"""Pixels of a thumbnail's side."""

_ROWS, _COLUMNS = 256, 1024  # of a rectangle that stays in the processor's cache
# Where hidden keys leave a row less than this, what is left is summed: 1 − what they took would keep too few digits.
_LITTLE = 0.01
_GONE = 1e-30  # a row that has no more than this left is shown as 0: float32 has no digits for its weights


class StoppedError(Exception):
    """What was being computed is not wanted any more."""


@dataclass(frozen=True)
class Lens:
    """Through what the weights are seen."""

    heads: tuple[tuple[int, int], ...]
    """The place of each head's layer in ``capture.layers``, and its own in that layer; several are averaged."""
    unit: Literal["words", "pieces"] = "words"
    hide: Literal["nothing", "special", "first"] = "nothing"
    """Keys that are taken out, after which rows sum to 1 again."""
    text: int = 0
    """Which text of the batch."""


@dataclass(frozen=True)
class Groups:
    """Runs of tokens that are shown as one."""

    starts: Int[Tensor, "groups"]
    stops: Int[Tensor, "groups"]
    special: Bool[Tensor, "groups"]
    are_tokens: bool
    """Whether each group is one token, and each token a group."""
    first: int = 0
    """The first that is no padding."""

    def __len__(self) -> int:
        return len(self.starts)

    def tokens(self, part: range) -> range:
        """The tokens of some neighbouring groups, and what lies between."""
        if self.are_tokens or not part:
            return part
        return range(int(self.starts[part.start]), int(self.stops[part.stop - 1]))

    def touching(self, tokens: range) -> range:
        """The groups that have one of these tokens."""
        if self.are_tokens:
            return tokens
        first = int(torch.searchsorted(self.stops, tokens.start, right=True))
        return range(first, max(first, int(torch.searchsorted(self.starts, tokens.stop))))

    def tokens_in(self, chosen: Bool[Tensor, "groups"], count: int) -> Bool[Tensor, "count"]:
        """Which of the tokens, ``count`` of them, belong to the groups that are chosen."""
        if self.are_tokens:
            return chosen
        found = torch.zeros(count, dtype=torch.bool)
        found[: len(self._number)] = (self._number >= 0) & chosen[self._number.clamp(min=0)]
        return found

    def sum_columns(self, weights: Float[Tensor, "rows tokens"], part: range) -> Float[Tensor, "rows groups"]:
        """The columns of ``tokens(part)`` summed by group."""
        if self.are_tokens or not part:
            return weights
        # The first token of each group, and to it the others, of which there are fewer: sums along rows are slow.
        tokens, number = self.tokens(part), self._numbers(part)
        others = (~self._is_first[tokens.start : tokens.stop] & (number >= 0)).nonzero()[:, 0]
        result = weights.index_select(1, self.starts[part.start : part.stop] - tokens.start)
        return result.index_add_(1, number[others], weights.index_select(1, others)) if len(others) else result

    def mean_rows(self, weights: Float[Tensor, "tokens columns"], part: range) -> Float[Tensor, "groups columns"]:
        """The rows of ``tokens(part)`` averaged by group."""
        if self.are_tokens or not part:
            return weights
        starts, stops = (x[part.start : part.stop] for x in (self.starts, self.stops))
        if self._has_gaps:
            number = self._numbers(part)
            weights, number = weights[number >= 0], number[number >= 0]
            total = weights.new_zeros((len(part), weights.shape[1])).index_add_(0, number, weights)
        else:  # the same, faster
            total = torch.nn.functional.embedding_bag(
                torch.arange(len(weights)), weights, starts - starts[0], mode="sum"
            )
        return total.div_((stops - starts)[:, None])

    def _numbers(self, part: range) -> Int[Tensor, "tokens"]:
        """The group of each token of ``tokens(part)``, counted from the first group; below 0 for none."""
        tokens = self.tokens(part)
        return self._number[tokens.start : tokens.stop] - part.start

    @cached_property
    def _has_gaps(self) -> bool:
        return not bool((self.starts[1:] == self.stops[:-1]).all())

    @cached_property
    def _is_first(self) -> Bool[Tensor, "tokens"]:
        """Whether each token begins a group."""
        return torch.zeros(int(self.stops[-1]), dtype=torch.bool).index_fill_(0, self.starts, True)

    @cached_property
    def _number(self) -> Int[Tensor, "tokens"]:
        """The group of every token up to the last that has one, far below 0 for none."""
        sizes = self.stops - self.starts
        number = torch.full((int(self.stops[-1]),), -(2**40))
        token = torch.repeat_interleave(self.starts - (sizes.cumsum(0) - sizes), sizes) + torch.arange(int(sizes.sum()))
        number[token] = torch.arange(len(sizes)).repeat_interleave(sizes)
        return number


class Pooled(NamedTuple):
    """Blocks of the map seen from afar."""

    mean: Float[Tensor, "row_blocks column_blocks"]
    max: Float[Tensor, "row_blocks column_blocks"]


@dataclass(frozen=True)
class HeadStatistics:
    """Numbers of one head that an overview sorts and colours by: means over some rows."""

    entropy: float
    """In nats; NaN where a weight is below 0, as in maps without a normalizer."""
    distance: float
    """``Σ_j weight_ij·|i − j|``, in pieces or words; NaN where the keys are those of another text."""
    first: float
    """The weight on the first key."""
    previous: float
    """The weight on the key before; NaN where the keys are those of another text."""
    sampled: tuple[int, int]
    """How many rows these are the mean of, and of how many."""
    thumbnail: Float[Tensor, "rows columns"]
    """The maximum of the sampled rows where each pixel stands."""


def by_token(layer: Layer) -> AttentionMap:
    """The map of a layer by token, also where the capture shows it by word."""
    amap = layer.map
    return amap.by_token if isinstance(amap, WordMap) else amap


def check_finite(capture: Capture) -> None:
    """Refuse a capture with NaN in its maps, which a picture would show as nothing.

    Raises:
        NotFiniteError: A map is NaN; the message names its layer.

    """
    for layer in capture.layers:
        tensors = by_token(layer).tensors()
        # The LSE of a row is NaN if any of its scores is.
        if any(bool(tensors[name].isnan().any()) for name in ("lse", "weights") if name in tensors):
            raise NotFiniteError(f"the attention of {layer.label()} ({layer.path}) is not finite: it holds NaN")


def groups(capture: Capture, layer: Layer, axis: Literal[2, 3], text: int, unit: str) -> Groups:
    """The pieces or words at the queries (axis 2) or the keys (3) of a map; single tokens where no text is known."""
    count, side = by_token(layer).shape[axis], capture.sides(layer)[axis - 2]
    texts: list[Tokens] = [] if side is None else getattr(capture, side.of)
    known = texts[text] if text < len(texts) else None
    first = 0 if side is None else side.first
    here = slice(first, first + count)
    if known is None or unit == "pieces":
        special = torch.tensor(known.special[here]) if known is not None else torch.zeros(count, dtype=torch.bool)
        begin = 0 if known is None else next((n for n, pad in enumerate(known.padding[here]) if not pad), 0)
        return Groups(torch.arange(count), torch.arange(count) + 1, special, True, begin)
    word = torch.tensor(known.word_of[here])
    place = (word >= 0).nonzero()[:, 0]
    numbers, word[place] = word[place].unique(return_inverse=True)
    start = torch.full((len(numbers),), count).scatter_reduce_(0, word[place], place, "amin")
    stop = torch.zeros_like(start).scatter_reduce_(0, word[place], place + 1, "amax")
    return Groups(start, stop, torch.tensor(known.word_special, dtype=torch.bool)[numbers], len(start) == count)


class Cells:
    """What a lens shows: a matrix of cells, computed where they are looked at.

    Args:
        capture: Whose maps they are.
        lens: Through what they are seen.
        known: The pieces and words of sides, kept here from one lens to the next.
        is_stopped: Asked before each block of a head; once it says yes, everything raises :class:`StoppedError`.
        keep: Gives for a head what it gave before, from one lens to the next that hides the same, or calls what it is
            given, which makes that.

    Raises:
        InputError: The lens names heads, a text or a unit that the capture does not have, or heads of different sizes.

    """

    def __init__(
        self,
        capture: Capture,
        lens: Lens,
        known: dict[Hashable, Groups] | None = None,
        is_stopped: Callable[[], bool] | None = None,
        keep: Callable[[tuple[int, int], Callable[[], Tensor]], Tensor] | None = None,
    ) -> None:
        self._is_stopped = is_stopped
        self._keep = keep or (lambda _, make: make())
        self._factors: dict[int, Tensor] = {}
        layers = capture.layers
        if not lens.heads:
            raise InputError("choose at least one head")
        for layer, head in lens.heads:
            if not 0 <= layer < len(layers) or not 0 <= head < len(layers[layer].heads):
                raise InputError(f"the capture has no head {head} in its layer number {layer}")
        self.maps = [(by_token(layers[layer]), head) for layer, head in lens.heads]
        shapes = {amap.shape[2:] for amap, _ in self.maps}
        if len(shapes) != 1:
            raise InputError("heads are averaged where their maps are equally large; these differ")
        if not 0 <= lens.text < min(amap.shape[0] for amap, _ in self.maps):
            raise InputError(f"the capture has no text {lens.text}")
        self.lens = lens
        known = {} if known is None else known
        chosen = layers[lens.heads[0][0]]

        def side(axis: Literal[2, 3]) -> Groups:
            # Layers with as many tokens of the same text share what is known of it.
            key = (capture.sides(chosen)[axis - 2], self.maps[0][0].shape[axis], lens.text, lens.unit)
            if key not in known:
                known[key] = groups(capture, chosen, axis, lens.text, lens.unit)
            return known[key]

        self.rows, self.columns = side(2), side(3)
        of = [None if x is None else x.of for x in capture.sides(chosen)]
        self._is_self = of[0] is not None and of[0] == of[1]
        self._is_cross = is_cross(capture, chosen)
        hidden = torch.zeros(len(self.columns), dtype=torch.bool)
        if lens.hide == "special":
            hidden = self.columns.special
        elif lens.hide == "first":
            hidden[self.columns.first : self.columns.first + 1] = True
        self._hidden = hidden
        self._hidden_groups = hidden.nonzero()[:, 0]
        if len(self._hidden_groups):
            is_kept = self.columns.tokens_in(~hidden, self.maps[0][0].shape[3])
            self._kept, self._taken = (x.nonzero()[:, 0] for x in (is_kept, ~is_kept))

    @property
    def hidden(self) -> int:
        """How many keys are taken out."""
        return len(self._hidden_groups)

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns there are."""
        return len(self.rows), len(self.columns)

    @torch.no_grad()
    def block(self, rows: range, columns: range) -> Float[Tensor, "rows columns"]:
        """The cells of a rectangle."""
        query, key = self.rows.tokens(rows), self.columns.tokens(columns)
        found: Tensor | None = None
        for number, (amap, head) in enumerate(self.maps):
            seen = amap.columns_for(query)
            if seen.stop <= key.start or seen.start >= key.stop:
                continue
            self._check_stopped()
            weights = amap.part(self.lens.text, head, query, key)
            if len(self._hidden_groups):
                weights *= self._known_factor(number, query)[:, None]
            weights = self.columns.sum_columns(self.rows.mean_rows(weights, rows), columns)
            found = weights if found is None else found.add_(weights)
        if found is None:
            return torch.zeros(len(rows), len(columns))
        return self._finish(found, columns)

    @torch.no_grad()
    def some_rows(
        self, numbers: Int[Tensor, "rows"], columns: range | None = None, multiple: int = 1
    ) -> Iterator[tuple[range, Float[Tensor, "rows columns"]]]:
        """The cells of rows that lie anywhere, a multiple of so many columns at a time."""
        columns = range(len(self.columns)) if columns is None else columns
        sizes = self.rows.stops[numbers] - self.rows.starts[numbers]
        number = torch.arange(len(numbers)).repeat_interleave(sizes)
        within = torch.arange(len(number)) - (sizes.cumsum(0) - sizes)[number]
        query = self.rows.starts[numbers][number] + within
        step = max(1, 2**20 // max(1, len(query)) // multiple) * multiple
        factors = [self._factor(*of, query) if len(self._hidden_groups) else None for of in self.maps]
        for part in _split(columns, step):
            key = self.columns.tokens(part)
            found = torch.zeros(len(numbers), len(part))
            for (amap, head), factor in zip(self.maps, factors, strict=True):
                weights = self._outer(amap, head, query, torch.arange(key.start, key.stop))
                if factor is not None:
                    weights *= factor[:, None]
                found.index_add_(0, number, self.columns.sum_columns(weights, part).float())
            yield part, self._finish(found.div_(sizes[:, None]), part)

    def _check_stopped(self) -> None:
        if self._is_stopped is not None and self._is_stopped():
            raise StoppedError

    def _outer(self, amap: AttentionMap, head: int, query: Tensor, key: Tensor) -> Tensor:
        self._check_stopped()
        return amap.outer(torch.tensor([self.lens.text]), torch.tensor([head]), query, key)[0, 0]

    def _finish(self, found: Tensor, columns: range) -> Tensor:
        if len(self.maps) > 1:
            found /= len(self.maps)
        if len(self._hidden_groups):
            hidden = self._hidden[columns.start : columns.stop]
            if bool(hidden.any()):
                found[:, hidden] = 0
        return found.float()

    def _known_factor(self, number: int, query: range) -> Float[Tensor, "tokens"]:
        """:meth:`_factor` of neighbouring queries, worked out once for all that is asked of their rows."""
        amap, head = self.maps[number]
        if number not in self._factors:
            self._factors[number] = self._keep(self.lens.heads[number], lambda: torch.full((amap.shape[2],), torch.nan))
        known = self._factors[number][query.start : query.stop]
        unknown = known.isnan().nonzero()[:, 0]
        if len(unknown):
            known[unknown] = self._factor(amap, head, unknown + query.start)
        return known

    def _factor(self, amap: AttentionMap, head: int, query: Tensor) -> Float[Tensor, "tokens"]:
        """What the rows of these queries are multiplied by, so that they sum to 1 without the hidden keys."""
        left = self._total(amap, head, query)
        if left is None:
            left = self._sum(amap, head, query, self._kept)
        else:
            left -= self._sum(amap, head, query, self._taken)
            little = (left < _LITTLE).nonzero()[:, 0]
            left[little] = self._sum(amap, head, query[little], self._kept)
        return torch.where(left.abs() > _GONE, 1 / left, 0.0).float()

    def _total(self, amap: AttentionMap, head: int, query: Tensor) -> Float[Tensor, "tokens"] | None:
        """What the rows of these queries sum to with all keys, where that is known without a sum."""
        if not isinstance(amap, FactoredMap) or type(amap.rule.normalizer) is not Softmax:
            return None
        total = torch.ones(len(query), dtype=torch.float64)
        if amap.rule.sinks is not None:
            total -= (amap.rule.sinks[head].double() - amap.lse[self.lens.text, head, query].double()).exp()
        return total

    def _sum(self, amap: AttentionMap, head: int, query: Tensor, keys: Tensor) -> Float[Tensor, "tokens"]:
        """The weights of these queries on these keys together."""
        total = torch.zeros(len(query), dtype=torch.float64)
        if len(query):
            for part in keys.split(max(1, 2**20 // len(query))):
                total += self._outer(amap, head, query, part).sum(1, dtype=torch.float64)
        return total

    def mean_of_rows(self, rows: range) -> Float[Tensor, "columns"]:
        """The mean of some rows."""
        total = torch.zeros(len(self.columns))
        for part in _split(rows, _ROWS):
            for columns in _split(range(len(self.columns)), 2**20 // _ROWS if len(part) > 16 else 2**15):
                total[columns.start : columns.stop] += self.block(part, columns).sum(0)
        return total / len(rows)

    def sum_of_columns(self, columns: range) -> Float[Tensor, "rows"]:
        """The sum of some columns."""
        total = torch.zeros(len(self.rows))
        for part in _split(columns, _COLUMNS):
            for rows in _split(range(len(self.rows)), max(1, 2**18 // len(part))):
                total[rows.start : rows.stop] += self.block(rows, part).sum(1)
        return total

    def look(self, query: range, key: range | None) -> tuple[float, int]:
        """How hard the queries look at the keys; without keys at the one, not special and not themselves, at most."""
        if key is not None:
            total = 0.0
            for rows in _split(query, _ROWS):
                for columns in _split(key, 2**20 // _ROWS):
                    total += float(self.block(rows, columns).sum())
            return total / len(query), key.start
        row = self.mean_of_rows(query)
        row[self.columns.special] = -1
        if self._is_self:
            shift = len(self.columns) - len(self.rows)  # the last query stands at the last key
            row[query.start + shift : query.stop + shift] = -1
        best = int(row.argmax())
        weight = float(row[best])
        return (0.0, 0) if weight < 0 else (weight, best)

    def pooled(self, rows: range, columns: range, size: int) -> Pooled:
        """The mean and the maximum of every ``size × size`` block of a rectangle that begins with a block.

        Blocks at the lower and right border may be smaller; their mean is over what they hold.
        """
        if size == 1:
            block = self.block(rows, columns)
            return Pooled(block, block)
        counts = [-(-len(x) // size) for x in (rows, columns)]
        total, most = (torch.zeros(counts) for _ in range(2))
        tall, wide = (max(size, most // size * size) for most in (_ROWS, _COLUMNS))
        for part in _split(rows, tall):
            seen = self._seen(part, columns, size)
            for along in _split(seen, wide):
                place = tuple(
                    slice((x.start - begin) // size, -(-(x.stop - begin) // size))
                    for x, begin in ((part, rows.start), (along, columns.start))
                )
                total[place], most[place] = pool(self.block(part, along), size)
        held = [torch.tensor([len(x) for x in _split(side, size)]) for side in (rows, columns)]
        return Pooled(total / (held[0][:, None] * held[1]), most)

    def _seen(self, rows: range, columns: range, size: int) -> range:
        """The columns, whole blocks of them, that some of these rows may look at."""
        query = self.rows.tokens(rows)
        seen = [self.columns.touching(amap.columns_for(query)) for amap, _ in self.maps]
        begin = max(0, min(x.start for x in seen) - columns.start) // size * size + columns.start
        return range(begin, max(begin, min(columns.stop, max(x.stop for x in seen))))

    def sampled(self, rows: range, columns: range, size: int) -> Pooled:
        """:meth:`pooled` with one row, the middle one, for each row of blocks: a preview, sooner there."""
        middles = torch.tensor([(x.start + x.stop - 1) // 2 for x in _split(rows, size)])
        total, most = [], []
        for _, weights in self.some_rows(middles, columns, size):
            total.append(_along(weights.t(), size, maximum=False))
            most.append(_along(weights.t(), size, maximum=True))
        held = torch.tensor([len(x) for x in _split(columns, size)])
        return Pooled(torch.cat(total).t() / held, torch.cat(most).t().contiguous())

    def statistics(self) -> HeadStatistics:
        """Numbers of the whole, from at most :data:`SAMPLE` rows evenly spread."""
        height, width = self.shape
        count = min(height, SAMPLE)
        rows = ((torch.arange(count) + 0.5) * height / max(1, count)).long()
        side = (min(height, THUMBNAIL), min(width, THUMBNAIL))
        thumbnail = torch.zeros(side)
        at = rows + (width - height)  # the last query stands at the last key
        entropy, distance, first, previous = (0.0,) * 4
        for columns, weights in self.some_rows(rows):
            key = torch.arange(columns.start, columns.stop)
            entropy -= float(torch.xlogy(weights, weights).sum(dtype=torch.float64))
            distance += float((weights * (key - at[:, None]).abs()).sum(dtype=torch.float64))
            if self.columns.first in columns:
                first = float(weights[:, self.columns.first - columns.start].sum())
            inside = (at - 1 >= columns.start) & (at - 1 < columns.stop)
            previous += float(weights[inside, (at - 1 - columns.start)[inside]].sum())
            for x in range(columns.start * side[1] // width, (columns.stop - 1) * side[1] // width + 1):
                begin, end = (-(-edge * width // side[1]) - columns.start for edge in (x, x + 1))
                seen = weights[:, max(0, begin) : end].amax(1)
                thumbnail[:, x].scatter_reduce_(0, rows * side[0] // height, seen, "amax")
        if self._is_cross:
            distance = previous = math.nan
        return HeadStatistics(
            entropy / count, distance / count, first / count, previous / count, (count, height), thumbnail
        )


def pool(weights: Float[Tensor, "rows columns"], size: int) -> Pooled:
    """The sums (not yet means) and maxima of every ``size × size`` block; those at the border may be smaller."""
    rows = [_along(weights, size, maximum) for maximum in (False, True)]
    total, most = (_along(x.t(), size, maximum).t() for x, maximum in zip(rows, (False, True), strict=True))
    return Pooled(total, most)


def _along(weights: Tensor, size: int, maximum: bool) -> Tensor:
    """The sums or maxima of every ``size`` rows."""
    whole = len(weights) // size * size
    parts = [weights[:whole].unflatten(0, (-1, size)), weights[whole:][None]]
    parts = [x for x in parts if x.shape[0] and x.shape[1]]
    return torch.cat([x.amax(1) if maximum else x.sum(1) for x in parts])


def _split(whole: range, size: int) -> list[range]:
    return [range(x, min(x + size, whole.stop)) for x in range(whole.start, whole.stop, size)]
