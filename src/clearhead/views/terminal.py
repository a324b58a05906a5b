"""Looks as tables and bars in a terminal; plain text where there is no colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text
from torch import Tensor

from clearhead.analysis.comparison import Comparison, HeadChange
from clearhead.analysis.looks import Look, Looks

__all__ = ["CAUTION", "render", "render_comparison"]

CAUTION = "Caution: weights need not explain the answer (Jain & Wallace 2019, and since)."

_BAR = 24
_SHORTER_BAR = 16
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SHADES = " ▁▂▃▄▅▆▇█"
# Points of matplotlib's cividis (Nuñez et al. 2018), even in lightness and safe for the colour-blind.
_CIVIDIS = ((0, 34, 78), (53, 69, 108), (102, 105, 112), (148, 142, 119), (200, 184, 102), (254, 232, 56))
_LONGEST = 20  # characters of a word in a table
_WIDE = 24  # more heads than this get one character each


def render(looks: Looks, *, unit: str, top: int, head: str | None = None) -> RenderableType:
    """Everything that ``clearhead look`` prints about one word.

    Args:
        looks: From :func:`clearhead.strongest_looks`.
        unit: ``words`` or ``tokens``, for the headings.
        top: How many heads, and how many words looked at, to list.
        head: The one head that the looks are of; None for all.

    """
    one = unit.removesuffix("s")
    source = Text(looks.word, style="bold")
    if head is not None:
        return Group(
            Text.assemble(f"{head} from “", source, "” looks at"),
            _table(
                (("weight", "right"), ("", "left"), (one, "left")), (_target(pair[0]) for pair in looks.targets[:top])
            ),
            "",
            *_notes(one),
        )
    return Group(
        Text.assemble("From “", source, f"”, the heads that look hardest, and at which {one}"),
        _table((("head", "left"), ("weight", "right"), ("", "left"), (one, "left")), map(_head, looks.heads[:top])),
        "",
        Text.assemble("From “", source, f"”, each {one} and the two heads that look at it hardest"),
        _table(
            ((one, "left"), ("head", "left"), ("weight", "right"), ("", "left"), ("then", "left"), ("weight", "right")),
            (
                (_short(pair[0].word), pair[0].head, *_weight(pair[0]), *_second(pair[1:]))
                for pair in looks.targets[:top]
            ),
        ),
        "",
        Text.assemble("From “", source, f"”, the strongest look of every head at another {one}"),
        _overview(looks),
        "",
        *_notes(one),
    )


def render_comparison(comparison: Comparison, *, before: str, after: str, top: int) -> RenderableType:
    """Everything that ``clearhead compare`` prints.

    Args:
        comparison: From :func:`clearhead.analysis.comparison.compare`.
        before: What was compared, as the reader calls it.
        after: With what.
        top: How many heads to list.

    """
    one = comparison.unit.removesuffix("s")
    texts = "1 text" if comparison.texts == 1 else f"{comparison.texts:,} texts"
    mean = f"Mean over {len(comparison.heads)} heads, {texts} and {comparison.queries:,} queries: "
    columns = (
        ("head", "left"),
        ("divergence", "right"),
        ("", "left"),
        ("entropy", "left"),
        (f"distance, {one}s", "left"),
    )
    return Group(
        Text.assemble("before  ", (before, "bold"), overflow="fold"),
        Text.assemble("after   ", (after, "bold"), overflow="fold"),
        Text("Jensen–Shannon divergence, in nats: 0 the same, 0.693 no key in common", style="dim"),
        Text.assemble(mean, (f"{comparison.mean():.4f}", "bold")),
        "",
        Text("The heads that changed most" if comparison.most_changed(1)[0].divergence else "No head changed"),
        _table(columns, map(_change, comparison.most_changed(top))),
        "",
        Text("Each layer's mean, and its heads"),
        _changes(comparison),
    )


def _change(change: HeadChange) -> tuple[str, ...]:
    share = bar(change.divergence / math.log(2), _SHORTER_BAR)
    pairs = change.entropy, change.distance
    arrows = ("–" if pair is None else f"{pair[0]:.2f} → {pair[1]:.2f}" for pair in pairs)
    return change.head, f"{change.divergence:.4f}", share, *arrows


def _changes(comparison: Comparison) -> RenderableType:
    """Layers × heads in thousandths, after each layer's mean."""
    largest = max(comparison.most_changed(1)[0].divergence, 1e-9)
    lines = _grid(
        comparison.layers,
        [f"H{number}" for number in comparison.numbers],
        comparison.grid / largest,
        cell=lambda share: f"{share * largest * 1000:.0f}",
        before=[f"{comparison.mean(layer):.4f}" for layer in comparison.layers],
    )
    unit = f"a full bar is {largest:.3f}" if len(comparison.numbers) > _WIDE else "in thousandths of a nat"
    return Group(*lines, Text(f"     heads at the right of each layer's mean, {unit}", style="dim"))


def _notes(one: str) -> tuple[Text, Text]:
    left_out = f"Left out: special tokens, where attention rests, and the {one} itself."
    return Text(left_out, style="dim"), Text(CAUTION, style="dim")


def _weight(look: Look) -> tuple[str, str]:
    return f"{look.weight:.3f}", bar(look.weight)


def _head(look: Look) -> tuple[str, ...]:
    return look.head, *_weight(look), _short(look.word)


def _short(word: str) -> str:
    """The word, cut where it would push weights out of the line."""
    return word if len(word) <= _LONGEST else word[: _LONGEST - 1] + "…"


def _second(rest: Sequence[Look]) -> tuple[str, str]:
    return (rest[0].head, f"{rest[0].weight:.3f}") if rest else ("", "")


def _target(look: Look) -> tuple[str, ...]:
    return *_weight(look), _short(look.word)


def bar(weight: float, width: int = _BAR) -> str:
    """A bar of ``width`` characters for a weight of 1, in steps of an eighth.

    >>> bar(0.5, 4)
    '██'
    """
    if not math.isfinite(weight):
        return "?"
    eighths = round(max(0.0, min(1.0, weight)) * width * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title, side in columns:
        table.add_column(title, justify="right" if side == "right" else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _overview(looks: Looks) -> RenderableType:
    """Layers × heads, in hundredths, shaded where there is colour."""
    width = looks.grid.shape[1]
    lines = _grid(looks.layers, [f"H{n}" for n in range(width)], looks.grid, cell=lambda weight: f"{weight * 100:.0f}")
    unit = "a full bar is 1" if width > _WIDE else "in hundredths"
    return Group(*lines, Text(f"     heads from 0 at the left, layers from 0 at the top, {unit}", style="dim"))


def _grid(
    layers: Sequence[str],
    heads: Sequence[str],
    shares: Tensor,
    *,
    cell: Callable[[float], str],
    before: Sequence[str] = (),
) -> list[Text]:
    """A line a layer, and at first the names of the heads; ``before`` stands before each layer's heads."""
    wide = len(heads) > _WIDE
    room = max(map(len, before), default=-1) + 1
    lines = [] if wide else [Text(" " * (5 + room) + "".join(f"{head:>4}" for head in heads), style="dim")]
    for number, (layer, of_layer) in enumerate(zip(layers, shares.tolist(), strict=True)):
        line = Text(f"{layer:<5}", style="dim")
        line.append(f"{before[number]:<{room}}" if before else "", "not dim")
        for share in of_layer:
            line.append("" if wide else " ")
            line.append(_cell(share, wide, cell).rjust(1 if wide else 3), None if math.isnan(share) else _shade(share))
        lines.append(line)
    return lines


def _cell(share: float, wide: bool, cell: Callable[[float], str]) -> str:
    if math.isnan(share):
        return " "
    if wide:
        return _SHADES[round(max(0.0, min(1.0, share)) * 8)]
    shown = cell(share)
    return "·" if shown == "0" else shown


def _shade(weight: float) -> Style:
    place = max(0.0, min(1.0, weight)) * (len(_CIVIDIS) - 1)
    low, part = min(int(place), len(_CIVIDIS) - 2), place - min(int(place), len(_CIVIDIS) - 2)
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_CIVIDIS[low], _CIVIDIS[low + 1], strict=True))
    ink = "#000000" if 0.3 * red + 0.59 * green + 0.11 * blue > 110 else "#ffffff"
    return Style.parse(f"{ink} on #{red:02x}{green:02x}{blue:02x}")
