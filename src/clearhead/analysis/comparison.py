"""What changed between two captures of the same texts: before and after a training, or of two models."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from clearhead.capture.capture import Capture, Layer
from clearhead.errors import InputError, NotFiniteError
from clearhead.maps import AttentionMap

__all__ = ["Comparison", "HeadChange", "compare", "divergence"]

_ROWS = 128  # that are compared at once


@dataclass(frozen=True)
class HeadChange:
    """What changed of one head, the mean over the queries of all texts that are no padding."""

    head: str
    """``L3H1``"""
    path: str
    """Where the layer stands in the model."""
    divergence: float
    """Jensen–Shannon, in nats: from 0, the same, to ln 2 ≈ 0.693, no key in common."""
    entropy: tuple[float, float]
    """Before and after, in nats."""
    distance: tuple[float, float]
    """Σ weight · |i − j| before and after, in tokens."""
    queries: int
    """How many these are the mean of."""


@dataclass(frozen=True)
class Comparison:
    """What changed between two captures."""

    heads: tuple[HeadChange, ...]
    """In the order of the layers and of their heads."""

    def most_changed(self, count: int) -> list[HeadChange]:
        """The heads with the largest divergence, the largest first."""
        return sorted(self.heads, key=lambda change: -change.divergence)[:count]


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


def compare(before: Capture, after: Capture) -> Comparison:
    """What changed of each head, from one capture to another of the same texts.

    Weights are computed a few rows at a time, so texts of any length are compared. Layers are matched by their place:
    the third with the third.

    Args:
        before: A capture.
        after: One with as many layers and heads, of the same texts.

    Raises:
        InputError: They differ in their layers, heads, sizes or texts; the message says where. Or weights are negative,
            of which there is no divergence.
        NotFiniteError: Weights are NaN.

    Example:
        >>> import clearhead as ch
        >>> capture = ch.look("The animal didn't cross the street because it was too tired.")
        >>> compare(capture, capture).most_changed(1)[0].divergence
        0.0

    """
    _check(before, after)
    heads = []
    for one, other in zip(before.layers, after.layers, strict=True):
        maps = one.map, other.map
        there = _queries(before, one)
        kept = there.expand(one.shape[0], one.shape[2])
        count = int(kept.sum())
        if not count:
            raise InputError(f"{one.label()} has no query that is no padding")
        means = [
            [float(x[:, head].double()[kept].mean()) for head in range(one.shape[1])]
            for amap in maps
            for x in (amap.entropy(), amap.distance().mean)
        ]
        for head, number in enumerate(one.heads):
            total = sum(float(part.sum()) for part in _divergences(maps, head, kept))
            if math.isnan(total):
                raise NotFiniteError(f"the attention of {one.label(number)} ({one.path}) holds NaN")
            heads.append(
                HeadChange(
                    one.label(number),
                    one.path,
                    total / count,
                    (means[0][head], means[2][head]),
                    (means[1][head], means[3][head]),
                    count,
                )
            )
    return Comparison(tuple(heads))


def _divergences(maps: tuple[AttentionMap, AttentionMap], head: int, kept: Tensor) -> Iterator[Tensor]:
    batch, _, queries, keys = maps[0].shape
    for text in range(batch):
        for start in range(0, queries, _ROWS):
            rows = range(start, min(start + _ROWS, queries))
            p, q = (amap.part(text, head, rows, range(keys)) for amap in maps)
            if bool((p < 0).any()) or bool((q < 0).any()):
                raise InputError("some weights are below 0: there is no divergence of them")
            yield divergence(p, q)[kept[text, rows.start : rows.stop]]


def _queries(capture: Capture, layer: Layer) -> Tensor:
    """Which queries are no padding, of each text."""
    side = capture.sides(layer)[0]
    count = layer.shape[2]
    texts = [] if side is None else getattr(capture, side.of)
    if side is None or len(texts) != layer.shape[0]:
        return torch.ones(1, count, dtype=torch.bool)
    return torch.tensor([[not pad for pad in text.padding[side.first : side.first + count]] for text in texts])


def _check(before: Capture, after: Capture) -> None:
    for what, of in (("layers", len), ("texts", lambda x: len(x.tokens or ()))):
        counts = [of(x) for x in (before, after)]
        if counts[0] != counts[1]:
            raise InputError(
                f"one capture has {counts[0]} {what} and the other {counts[1]}: there is no comparing them"
            )
    if not before.layers:
        raise InputError("the captures hold no maps: there is nothing to compare")
    for one, other in zip(before.layers, after.layers, strict=True):
        if one.shape != other.shape or one.heads != other.heads:
            raise InputError(
                f"{one.label()} is {tuple(one.shape)} in one capture and {tuple(other.shape)} in the other: compare "
                "captures of the same texts and of models with the same layers and heads"
            )
    for number, (text, again) in enumerate(zip(before.tokens or (), after.tokens or (), strict=True)):
        place = next(
            (n for n, pair in enumerate(zip(text.pieces, again.pieces, strict=True)) if pair[0] != pair[1]), None
        )
        if place is not None:
            raise InputError(
                f"text {number + 1} has {text.pieces[place]!r} at token {place} in one capture and "
                f"{again.pieces[place]!r} in the other: compare captures of the same texts"
            )
