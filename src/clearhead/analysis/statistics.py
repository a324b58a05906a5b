"""What heads do on the whole: means over all queries of one or several captures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from clearhead.capture.capture import Capture, Layer
from clearhead.capture.sides import is_cross
from clearhead.errors import InputError

__all__ = ["HeadStatistics", "Observed", "TagAttention", "are_queries", "head_statistics"]


class Observed(NamedTuple):
    """A capture, and the tags of its tokens, where they have some."""

    capture: Capture
    tags: Sequence[Sequence[str | None]] | None = None
    """For each text the tag of each token, such as its word's part of speech; None for a token without."""


@dataclass(frozen=True)
class HeadStatistics:
    """Means over the queries that are no padding, special tokens included."""

    head: str
    """``L3H1``"""
    path: str
    """Where the layer stands in the model."""
    layer: int
    number: int
    """Of the head in its layer: the 1 of ``L3H1``."""
    queries: int
    """How many these are the mean of."""
    entropy: float
    """−Σ weight · ln weight, in nats."""
    distance: float | None
    """Σ weight · |i − j| / Σ weight, in tokens; None of cross-attention, where i and j are places in two texts."""
    first: float
    """The weight on the first key."""
    special: float
    """The weight on special tokens, the first key included where it is one."""


@dataclass(frozen=True)
class TagAttention:
    """How much of a head's weight goes from the tokens of one tag to those of another."""

    head: str
    layer: int
    number: int
    source: str
    """The tag of the query."""
    target: str
    """The tag of the keys."""
    weight: float
    """Mean over the queries of that tag of the weight on all keys of the other."""
    queries: int


def head_statistics(observed: Iterable[Observed]) -> tuple[list[HeadStatistics], list[TagAttention]]:
    """The statistics of each head over all texts of several captures, one capture in memory at a time.

    Args:
        observed: Captures of the same model.

    Returns:
        One record a head, and, of self-attention between tokens that have tags, one for each head, tag and tag.

    Raises:
        InputError: No capture, or captures with different layers and heads.

    Example:
        >>> import clearhead as ch
        >>> capture = ch.look("The animal didn't cross the street because it was too tired.")
        >>> statistics, _ = head_statistics([Observed(capture)])
        >>> statistics[37].head, round(statistics[37].special, 2)
        ('L3H1', 0.53)

    """
    layers: list[Layer] = []
    across: list[bool] = []
    sums: list[_Sums] = []
    for capture, tags in observed:
        if not layers:
            layers = capture.layers
            across = [is_cross(capture, layer) for layer in layers]
            sums = [_Sums() for _ in layers]
        if [(layer.path, layer.heads) for layer in layers] != [(layer.path, layer.heads) for layer in capture.layers]:
            raise InputError("the captures have different layers or heads: statistics are of one model")
        for own, layer in zip(sums, capture.layers, strict=True):
            own.add(capture, layer, tags)
    if not layers:
        raise InputError("there is no capture to take statistics of")
    heads, between = [], []
    for own, layer, has_no_distance in zip(sums, layers, across, strict=True):
        if not own.queries:
            raise InputError(f"{layer.label()} has no query that is no padding")
        means = (own.total / own.queries).tolist()
        pairs = [
            (source, target, (total / own.counts[source]).tolist())
            for (source, target), total in sorted(own.between.items())
            if own.counts[source]
        ]
        for place, number in enumerate(layer.heads):
            name = layer.label(number)
            entropy, distance, first, special = means[place]
            known = None if has_no_distance else distance
            heads.append(
                HeadStatistics(name, layer.path, layer.number, number, own.queries, entropy, known, first, special)
            )
            between += [
                TagAttention(name, layer.number, number, source, target, weights[place], own.counts[source])
                for source, target, weights in pairs
            ]
    return heads, between


class _Sums:
    """Of one layer, over the queries that were seen."""

    def __init__(self) -> None:
        self.queries = 0
        self.total: Tensor = torch.zeros((), dtype=torch.float64)
        self.counts: Counter[str] = Counter()
        self.between: dict[tuple[str, str], Tensor] = {}

    def add(self, capture: Capture, layer: Layer, tags: Sequence[Sequence[str | None]] | None) -> None:
        """The queries of one capture."""
        batch, _, queries, keys = layer.shape
        kept = are_queries(capture, layer)
        special = _special(capture, layer)
        is_tagged = tags is not None and queries == keys == len(tags[0])
        given = tags if is_tagged and tags is not None else [[None] * keys] * batch
        names = sorted({tag for own in given for tag in own if tag is not None})
        tag_of = torch.tensor([[-1 if tag is None else names.index(tag) for tag in own] for own in given])
        # Every key is in one group at most: the first, the special ones, those of each tag.
        groups = torch.where(tag_of >= 0, tag_of + 2, -1)
        groups[special] = 1
        groups[:, 0] = 0
        amap = layer.map
        moments = amap.moments(groups.to(amap.device))
        mass = moments.mass.double().cpu()
        mass = torch.nn.functional.pad(mass, (0, 2 + len(names) - mass.shape[-1]))  # of groups that have no key here
        first = mass[..., 0]
        on_special = mass[..., 1] + first * special[:, :1, None]
        each = [amap.entropy().double().cpu(), moments.distance.mean.double().cpu(), first, on_special]
        self.total = self.total + (torch.stack(each, -1) * kept[:, None, :, None]).sum((0, 2))
        self.queries += int(kept.sum())
        if not names:
            return
        on_tag = mass[..., 2:] + first[..., None] * (tag_of[:, :1] == torch.arange(len(names)))[:, None, None]
        of_tag = ((tag_of[..., None] == torch.arange(len(names))) & kept[..., None]).double()
        weights = torch.einsum("bhqt,bqs->hst", on_tag, of_tag)
        for row, source in enumerate(names):
            self.counts[source] += int(of_tag[..., row].sum())
            for column, target in enumerate(names):
                self.between[source, target] = self.between.get((source, target), 0) + weights[:, row, column]


def are_queries(capture: Capture, layer: Layer) -> Bool[Tensor, "batch queries"]:
    """Which queries are no padding, of each text."""
    if capture.unit == "words":  # of which some texts of a batch have fewer
        words = torch.tensor([len(text.words) for text in capture.tokens or ()])
        return torch.arange(layer.shape[2]) < words[:, None]
    return ~_marks(capture, layer, "padding", 0)


def _special(capture: Capture, layer: Layer) -> Tensor:
    """Which keys are special tokens, of each text."""
    return _marks(capture, layer, "special", 1)


def _marks(capture: Capture, layer: Layer, name: str, axis: int) -> Tensor:
    """What the tokens at one side of a map are, for each text; False where they are not known."""
    side, count = capture.sides(layer)[axis], layer.shape[2 + axis]
    texts = [] if side is None else getattr(capture, side.of)
    if side is None or len(texts) != layer.shape[0]:
        return torch.zeros(layer.shape[0], count, dtype=torch.bool)
    return torch.tensor([getattr(text, name)[side.first : side.first + count] for text in texts])
