"""What changed between two captures of the same texts: before and after a training, or of two models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.analysis.statistics import are_queries
from clearhead.capture.capture import Capture, Layer, Unit
from clearhead.capture.sides import is_cross
from clearhead.errors import InputError, NotFiniteError
from clearhead.maps import AttentionMap

__all__ = ["Comparison", "HeadChange", "compare", "divergence", "merge"]

_WEIGHTS = 2**20  # of each of the two captures that are compared at once
_MOST = 1.01  # of a row's sum, with room for how it is rounded


@dataclass(frozen=True)
class HeadChange:
    """What changed of one head, the mean over the queries of all texts that are no padding."""

    head: str
    """``L3H1``"""
    layer: str
    """``L3``"""
    number: int
    """Of the head in its layer: the 1 of ``L3H1``."""
    path: str
    """Where the layer stands in the model."""
    divergence: float
    """Jensen–Shannon, in nats: from 0, the same, to ln 2 ≈ 0.693, no key in common."""
    entropy: tuple[float, float]
    """Before and after, in nats."""
    distance: tuple[float, float] | None
    """Σ weight · |i − j| / Σ weight before and after, in tokens or words; None of cross-attention."""
    queries: int
    """How many these are the mean of."""


@dataclass(frozen=True)
class Comparison:
    """What changed between two captures, or between two models on many texts."""

    heads: tuple[HeadChange, ...]
    """In the order of the layers and of their heads."""
    texts: int
    """How many were compared."""
    unit: Unit = "tokens"
    """Whether queries and keys are tokens or words."""

    def most_changed(self, count: int) -> list[HeadChange]:
        """The heads with the largest divergence, the largest first."""
        return sorted(self.heads, key=lambda change: -change.divergence)[:count]

    @property
    def queries(self) -> int:
        """How many queries the means are of; the most that a head has, where heads have different ones."""
        return max(change.queries for change in self.heads)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """``L0``, ``L1``, …: the rows of :attr:`grid`."""
        return tuple(dict.fromkeys(change.layer for change in self.heads))

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the heads: the columns of :attr:`grid`."""
        return tuple(sorted({change.number for change in self.heads}))

    @cached_property
    def grid(self) -> Float[Tensor, "layers heads"]:
        """The divergence of every head; NaN where a layer has no such head."""
        found = torch.full((len(self.layers), len(self.numbers)), torch.nan, dtype=torch.float64)
        for change in self.heads:
            found[self.layers.index(change.layer), self.numbers.index(change.number)] = change.divergence
        return found

    def mean(self, layer: str | None = None) -> float:
        """The mean divergence of all heads, or of those of one layer."""
        found = [change.divergence for change in self.heads if layer in (None, change.layer)]
        if not found:
            raise InputError(f"no layer {layer!r} was compared; there are {', '.join(self.layers)}")
        return sum(found) / len(found)


def divergence(p: Float[Tensor, "*rows keys"], q: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
    """The Jensen–Shannon divergence of rows of weights, in nats.

    ``½ KL(p ‖ m) + ½ KL(q ‖ m)`` with ``m = (p + q) / 2`` (Lin 1991, doi:10.1109/18.61115): symmetric, 0 for equal
    rows, and at most ln 2, where no key has weight in both. What a row lacks to 1, as with sinks or where it may attend
    to nothing, counts as one key more, so that the bounds hold for such rows too.

    Args:
        p: Weights that are not negative and sum to at most 1.
        q: Others.

    Example:
        >>> p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.0, 0.0, 1.0])
        >>> round(float(divergence(p, p)), 6), round(float(divergence(p, q)), 6)
        (0.0, 0.693147)

    """
    p, q = (torch.cat([x, (1 - x.sum(-1, keepdim=True)).clamp(min=0)], -1) for x in (p.double(), q.double()))
    m = (p + q) / 2
    total = (torch.xlogy(p, p) + torch.xlogy(q, q)).sum(-1) / 2 - torch.xlogy(m, m).sum(-1)
    return total.clamp(0, math.log(2))


@torch.no_grad()
def compare(before: Capture, after: Capture) -> Comparison:
    """What changed of each head, from one capture to another of the same texts.

    Weights are computed a few rows at a time, so texts of any length are compared. Layers are matched by their place:
    the third with the third. Captures by word (:meth:`Capture.words`) are compared word by word, also those of models
    that cut texts into different tokens.

    Args:
        before: A capture.
        after: One with as many layers and heads, of the same texts, by token or by word as ``before`` is.

    Raises:
        InputError: They differ in their layers, heads, sizes or texts; the message says where. Or weights are negative,
            or of a row sum to more than 1, of which there is no divergence.
        NotFiniteError: Weights are NaN.

    Example:
        >>> import clearhead as ch
        >>> capture = ch.look("The animal didn't cross the street because it was too tired.")
        >>> compare(capture, capture).most_changed(1)[0].divergence
        0.0

    """
    _check(before, after)
    heads: list[HeadChange] = []
    for one, other in zip(before.layers, after.layers, strict=True):
        maps = one.map, other.map
        kept = are_queries(before, one)
        count = int(kept.sum())
        if not count:
            raise InputError(f"{one.label()} has no query that is no padding")
        total = torch.zeros(len(one.heads), dtype=torch.float64)
        for rows, found in _divergences(maps, one):
            total += _sum(found, kept[:, rows.start : rows.stop])
        gone = [number for number, x in zip(one.heads, total.tolist(), strict=True) if math.isnan(x)]
        if gone:
            raise NotFiniteError(f"the attention of {one.label(gone[0])} ({one.path}) holds NaN")
        entropy = [(_sum(x.entropy(), kept) / count).tolist() for x in maps]
        distance = None
        if not is_cross(before, one):
            distance = [(_sum(x.distance().mean, kept) / count).tolist() for x in maps]
        heads += (
            HeadChange(
                one.label(number),
                one.label(),
                number,
                one.path,
                float(total[place]) / count,
                (entropy[0][place], entropy[1][place]),
                None if distance is None else (distance[0][place], distance[1][place]),
                count,
            )
            for place, number in enumerate(one.heads)
        )
    return Comparison(tuple(heads), before.layers[0].shape[0], before.unit)


def merge(comparisons: Iterable[Comparison]) -> Comparison:
    """The comparison over the texts of several: means over the queries of all, each comparison with its own number.

    They are taken one after the other, so that of a whole corpus only one batch of captures needs to be there at once.

    Args:
        comparisons: Of the same two models.

    Raises:
        InputError: There is none, or they are of different heads or units.

    Example:
        >>> import clearhead as ch
        >>> before, after = ch.load(), ch.load()
        >>> with torch.no_grad():
        ...     after.stack.blocks[3].attention.query.weight *= 2
        >>> texts = ["I saw a saw.", "The animal didn't cross the street because it was too tired."]
        >>> found = merge(compare(ch.look(text, before), ch.look(text, after)) for text in texts)
        >>> found.texts, found.queries, found.mean("L2") < 1e-6, found.mean("L3") > 0.01
        (2, 23, True, True)

    """
    merged: Comparison | None = None
    for part in comparisons:
        if merged is None:
            merged = part
            continue
        names = [[change.head for change in x.heads] for x in (merged, part)]
        if names[0] != names[1] or merged.unit != part.unit:
            raise InputError("comparisons of different heads, or by token and by word, have no mean")
        heads = tuple(_joined(*pair) for pair in zip(merged.heads, part.heads, strict=True))
        merged = Comparison(heads, merged.texts + part.texts, merged.unit)
    if merged is None:
        raise InputError("there is no comparison to merge")
    return merged


def _joined(one: HeadChange, other: HeadChange) -> HeadChange:
    queries = one.queries + other.queries

    def mean(a: float, b: float) -> float:
        return (a * one.queries + b * other.queries) / queries

    distance = None
    if one.distance is not None and other.distance is not None:
        distance = mean(one.distance[0], other.distance[0]), mean(one.distance[1], other.distance[1])
    return replace(
        one,
        divergence=mean(one.divergence, other.divergence),
        entropy=(mean(one.entropy[0], other.entropy[0]), mean(one.entropy[1], other.entropy[1])),
        distance=distance,
        queries=queries,
    )


def _divergences(maps: tuple[AttentionMap, AttentionMap], layer: Layer) -> Iterator[tuple[range, Tensor]]:
    """Of a few rows at a time, (batch, heads, rows)."""
    batch, heads, queries, keys = layer.shape
    step = max(1, _WEIGHTS // (batch * heads * keys))
    for start in range(0, queries, step):
        rows = range(start, min(start + step, queries))
        at = [torch.arange(n) for n in layer.shape]
        at[2] = at[2][rows.start : rows.stop]
        # The two may be on different devices.
        p, q = (amap.outer(*(x.to(amap.device) for x in at)).to(maps[0].device) for amap in maps)
        if any(bool((x < 0).any()) or bool((x.sum(-1) > _MOST).any()) for x in (p, q)):
            raise InputError(
                f"weights of {layer.label()} ({layer.path}) are below 0, or sum to more than 1: such have no divergence"
            )
        yield rows, divergence(p, q)


def _sum(found: Tensor, kept: Tensor) -> Float[Tensor, "heads"]:
    """The sum over the queries that are kept, of (batch, heads, queries)."""
    return found.cpu().double().masked_fill(~kept[:, None], 0.0).sum((0, 2))


def _check(before: Capture, after: Capture) -> None:
    for what, of in (("layers", len), ("texts", lambda x: len(x.tokens or ()))):
        counts = [of(x) for x in (before, after)]
        if counts[0] != counts[1]:
            raise InputError(
                f"one capture has {counts[0]} {what} and the other {counts[1]}: there is no comparing them"
            )
    if not before.layers:
        raise InputError("the captures hold no maps: there is nothing to compare")
    if before.unit != after.unit:
        raise InputError(f"one capture is by {before.unit} and the other by {after.unit}: take words() of both")
    for one, other in zip(before.layers, after.layers, strict=True):
        if one.heads != other.heads:
            raise InputError(
                f"{one.label()} has the heads {_numbers(one)} in one capture and {_numbers(other)} in the other: "
                "compare models with the same layers and heads"
            )
    name = before.unit.removesuffix("s")
    for number in range(len(before.tokens or ())):
        labels = [x.labels(number) for x in (before, after)]
        place = next((n for n, pair in enumerate(zip_longest(*labels)) if pair[0] != pair[1]), None)
        if place is not None:
            seen = [repr(of[place]) if place < len(of) else "no more" for of in labels]
            words = "" if name == "word" else ", or by word, with words() of both"
            raise InputError(
                f"text {number + 1} has {seen[0]} at {name} {place} in one capture and {seen[1]} in the other: compare "
                f"captures of the same texts{words}"
            )
    if before.pictures != after.pictures:
        raise InputError("the captures show different pictures: compare captures of the same ones")
    sources = [[text.pieces for text in x.source_tokens or ()] for x in (before, after)]
    if sources[0] != sources[1]:
        raise InputError("the captures' decoders attend to different texts: compare captures of the same texts")
    for one, other in zip(before.layers, after.layers, strict=True):
        if one.shape != other.shape:
            raise InputError(
                f"{one.label()} is {tuple(one.shape)} in one capture and {tuple(other.shape)} in the other: compare "
                "captures of the same texts"
            )


def _numbers(layer: Layer) -> str:
    return ", ".join(map(str, layer.heads[:24])) + (", …" if len(layer.heads) > 24 else "")
