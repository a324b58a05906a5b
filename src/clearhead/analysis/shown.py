"""The matrix that a picture of heads shows: of one head or the mean of several, with keys taken out or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from torch import Tensor

from clearhead.analysis.cells import Cells, Lens, by_token
from clearhead.capture.capture import Capture, Layer
from clearhead.capture.sides import Side
from clearhead.capture.tokens import Tokens
from clearhead.errors import InputError

__all__ = ["Hide", "Shown", "check_choice", "check_text", "names_of", "shown", "side_of"]

Hide = Literal["nothing", "special", "first"]


@dataclass(frozen=True)
class Shown:
    """Weights of one text, or blocks of them, with what their sides are called."""

    weights: Tensor
    """(rows, columns), float32 on the CPU."""
    block: int
    """Each cell stands for block × block weights."""
    queries: tuple[str, ...]
    """What the queries in sight are called, one for each query, not for each cell."""
    keys: tuple[str, ...]
    first: tuple[int, int]
    """The number of the first query and of the first key in sight."""
    size: tuple[int, int]
    """How many queries and keys there are in all."""
    heads: tuple[str, ...]
    """Whose mean it is: ``L3H1``."""
    hidden: int
    """How many keys were taken out, after which rows sum to 1 again."""


def shown(
    capture: Capture,
    heads: Sequence[str],
    *,
    text: int = 0,
    hide: Hide = "nothing",
    queries: range | None = None,
    keys: range | None = None,
    most: int | None = None,
    pool: Literal["mean", "max"] = "mean",
) -> Shown:
    """The weights of heads as a picture shows them, by token or, of :meth:`Capture.words`, by word.

    Args:
        capture: Of self-attention or cross-attention.
        heads: ``["L3H1"]``; the mean of several.
        text: Which text of the batch.
        hide: Keys to take out: ``special`` tokens and padding, or the ``first`` key. What is left of each token's row
            is divided by its sum, so that it sums to 1 again.
        queries: Which rows, by number; None for all.
        keys: Which columns.
        most: Above this many rows or columns, blocks of equal size are averaged.
        pool: Or ``max``, their largest weight is shown.

    Raises:
        UnknownLayerError: A head that the capture does not have.
        InputError: No head, no such text or rows, or heads of maps of different sizes.

    """
    check_choice("hide", hide, ("nothing", "special", "first"))
    check_choice("pool", pool, ("mean", "max"))
    found = [capture.head(name) for name in heads]
    if not found:
        raise InputError("no head is named; heads are called like L3H1, layer 3 head 1, from 0")
    names = tuple(layer.label(layer.heads[place]) for layer, place in found)
    first = found[0][0]
    check_text(text, [layer for layer, _ in found])
    labels = [side_of(capture, text, first, axis) for axis in (2, 3)]
    for name, (layer, _) in zip(names, found, strict=True):
        if layer.shape[2:] != first.shape[2:]:
            raise InputError(
                f"{names[0]} and {name} have maps of {_by(first)} and {_by(layer)} (queries × keys), which have no mean"
            )
    rows, columns = (
        _in_sight(asked, len(side), name)
        for asked, side, name in zip((queries, keys), labels, ("queries", "keys"), strict=True)
    )
    unit: Literal["words", "pieces"] = "words" if capture.unit == "words" else "pieces"
    places = tuple((_place(capture, layer), place) for layer, place in found)
    seen = Cells(capture, Lens(places, unit, hide, text))
    block = 1 if most is None else max(1, -(-max(len(rows), len(columns)) // most))
    pooled = seen.pooled(rows, columns, block)
    return Shown(
        pooled.mean if pool == "mean" else pooled.max,
        block,
        tuple(labels[0][rows.start : rows.stop]),
        tuple(labels[1][columns.start : columns.stop]),
        (rows.start, columns.start),
        (len(labels[0]), len(labels[1])),
        names,
        seen.hidden,
    )


def _place(capture: Capture, layer: Layer) -> int:
    return next(n for n, known in enumerate(capture.layers) if known is layer)


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise InputError unless an option has one of its values."""
    if value not in known:
        raise InputError(f"{name} is one of {', '.join(known)}; got {value!r}")


def check_text(text: int, layers: Sequence[Layer]) -> None:
    """Raise InputError unless all these layers have a text with this number."""
    count = min(layer.shape[0] for layer in layers)
    if not 0 <= text < count:
        held = "1 text" if count == 1 else f"{count} texts"
        raise InputError(f"the capture holds {held}, numbered from 0; there is no text {text}")


def side_of(capture: Capture, text: int, layer: Layer, axis: int) -> list[str]:
    """What the queries (axis 2) or the keys (3) of a layer are called.

    They are tokens or words where it is known which (:meth:`Capture.sides`), else numbers.
    """
    size = layer.shape[axis]
    if capture.unit == "words":  # of a batch they are as large as the text with most words needs
        return capture.labels(text) if len(capture.labels(text)) <= size else [str(n) for n in range(size)]
    return names_of(capture, text, layer, axis, "pieces")


def names_of(capture: Capture, text: int, layer: Layer, axis: int, unit: Literal["words", "pieces"]) -> list[str]:
    """What the pieces or words at a side of a layer are called by the viewer, which has all maps by token.

    At the rows of a step of a written text stand the words of that step alone, counted from 0.
    """
    size = (by_token(layer) if capture.unit == "words" else layer).shape[axis]
    side, texts = _texts(capture, layer, axis)
    if side is None or text >= len(texts):
        return [str(n) for n in range(size)]
    known, here = texts[text], slice(side.first, side.first + size)
    if unit == "pieces":
        return list(known.pieces[here])
    return [known.words[word] for word, _ in groupby(word for word in known.word_of[here] if word >= 0)]


def _texts(capture: Capture, layer: Layer, axis: int) -> tuple[Side | None, list[Tokens]]:
    side = capture.sides(layer)[axis - 2]
    return side, [] if side is None else (getattr(capture, side.of) or [])


def _by(layer: Layer) -> str:
    return f"{layer.shape[2]} × {layer.shape[3]}"


def _in_sight(asked: range | None, count: int, name: str) -> range:
    if asked is None:
        return range(count)
    if asked.step != 1 or not 0 <= asked.start < asked.stop <= count:
        raise InputError(f"the map has the {name} range({count}), of which {asked} is no part")
    return asked
