"""Who looks at whom: the question that most people bring."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from clearhead.analysis.shown import check_text
from clearhead.capture.capture import Capture
from clearhead.errors import InputError, NotFiniteError, UnknownWordError

__all__ = ["Look", "Looks", "find_label", "strongest_looks"]


@dataclass(frozen=True)
class Look:
    """One head's strongest look from a word."""

    head: str
    """``L3H1``"""
    path: str
    """Where the layer stands in the model."""
    target: int
    """The number of the word looked at."""
    word: str
    weight: float


@dataclass(frozen=True)
class Looks:
    """What every head looks at from one word."""

    source: int
    """The number of the word looked from."""
    word: str
    heads: tuple[Look, ...]
    """One look a head, the hardest first."""
    targets: tuple[tuple[Look, ...], ...]
    """For each word looked at at all, the looks of the two heads that look at it hardest; the hardest first."""
    grid: Tensor
    """(layers, heads) weight of each head's look; NaN where a layer has no such head."""
    layers: tuple[str, ...]
    """What the grid's rows are called: ``L3``."""


def strongest_looks(
    capture: Capture, source: int | str | None = None, target: int | str | None = None, *, text: int = 0
) -> Looks:
    """The strongest look of every head from one word (or token) at another.

    Looks at special tokens, at padding and at the word itself are left out, since much attention rests there
    whatever the text says; the weights stay as they are and are not renormalised.

    Args:
        capture: A capture of self-attention with tokens, usually :meth:`Capture.words`.
        source: The word to look from: its number, or its text as in ``it`` or, the second one, ``it#2``. Default: the
            word with the strongest single look.
        target: Count only looks at this word.
        text: Which text of the batch.

    Raises:
        UnknownWordError: The text has no such word; the message lists those it has.
        InputError: Fewer than two words, no such text, or the maps are not square over the tokens.
        NotFiniteError: A weight is NaN.

    """
    if not capture.layers:
        raise InputError("the capture holds no maps: there is nothing to look at")
    check_text(text, capture.layers)
    labels, special = capture.labels(text), capture.special(text)
    count = len(labels)
    real = [n for n in range(count) if not special[n]]
    if len(real) < 2:
        raise InputError(f"a look goes from one word to another, and the text has {len(real)}")
    if any(layer.shape[2] < count or layer.shape[3] < count for layer in capture.layers):
        raise InputError("looks need maps of self-attention over all tokens of the text")
    at = None if source is None else find_label(source, labels, real)
    to = None if target is None else find_label(target, labels, real)
    if at is not None and at == to:
        raise InputError(f"{labels[at]!r} is both the word looked from and the word looked at; choose two")
    columns = torch.tensor(real if to is None else [to])
    if at is None:
        at = _strongest_source(capture, torch.tensor(real), columns, text)
    keys = columns[columns != at]
    heads: list[Look] = []
    at_word: dict[int, list[Look]] = {int(key): [] for key in keys}
    rows = tuple(layer.label() for layer in capture.layers)
    width = max(max(layer.heads) for layer in capture.layers) + 1
    grid = torch.full((len(rows), width), torch.nan)
    for row, layer in enumerate(capture.layers):
        weights = layer.map[text, :, at, keys].float().cpu()
        if not bool(torch.isfinite(weights).all()):
            raise NotFiniteError(
                f"the attention of {layer.label()} ({layer.path}) is not finite: there is no strongest look"
            )
        for place, number in enumerate(layer.heads):
            weight, key = (x.item() for x in weights[place].max(-1))
            chosen = int(keys[int(key)])
            name = layer.label(number)
            heads.append(Look(name, layer.name, chosen, labels[chosen], weight))
            grid[row, number] = weight
            for column, value in zip(keys.tolist(), weights[place].tolist(), strict=True):
                at_word[column].append(Look(name, layer.name, column, labels[column], value))
    heads.sort(key=_by_weight)
    # A word that no head looks at at all, in a causal model one that comes later, is left out.
    targets = (tuple(sorted(looks, key=_by_weight)[:2]) for looks in at_word.values() if any(x.weight for x in looks))
    return Looks(at, labels[at], tuple(heads), tuple(sorted(targets, key=lambda x: _by_weight(x[0]))), grid, rows)


def _by_weight(look: Look) -> float:
    return -look.weight


def _strongest_source(capture: Capture, rows: Tensor, columns: Tensor, text: int) -> int:
    """The word with the strongest single look at another, of all heads; the first one if several are as strong."""
    best, found = -1.0, int(rows[0])
    for layer in capture.layers:
        for row in rows.split(256):
            weights = layer.map[text, :, row[:, None], columns[None]].amax(0)
            weights = weights.masked_fill(row[:, None] == columns, -1.0).amax(-1)
            value, place = (x.item() for x in weights.max(-1))
            if value > best:
                best, found = value, int(row[int(place)])
    return found


def find_label(wanted: int | str, labels: list[str], real: list[int]) -> int:
    """The number of a word given by number or text: ``it``, or ``it#2`` for its second occurrence.

    An exact match counts before one that differs in case only.
    """
    if isinstance(wanted, int):
        if wanted not in real:
            raise UnknownWordError(f"there is no word number {wanted}; the words are {_listed(labels, real)}")
        return wanted
    exact = [n for n in real if labels[n] == wanted]
    match = re.fullmatch(r"(.+)#(\d+)", wanted)
    name, times = (match[1], int(match[2])) if match is not None and not exact else (wanted, 1)
    found = exact or [n for n in real if labels[n] == name]
    found = found or [n for n in real if labels[n].casefold() == name.casefold()]
    if not found:
        raise UnknownWordError(f"the text has no word {wanted!r}; its words are {_listed(labels, real)}")
    if not 1 <= times <= len(found):
        raise UnknownWordError(f"the text has {name!r} {len(found)} times; {wanted!r} asks for number {times}")
    return found[times - 1]


def _listed(labels: list[str], real: list[int]) -> str:
    unique = list(dict.fromkeys(labels[n] for n in real))
    shown = ", ".join(unique[:40])
    return f"{shown}, … ({len(unique)} in all)" if len(unique) > 40 else shown
